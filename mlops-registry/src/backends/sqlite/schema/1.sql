-- Tracking: experiments, runs, metric chunks, artifacts; and the journal.

CREATE TABLE names (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

-- AUTOINCREMENT: pages of a search stop at the greatest id of their first page, so ids only go up.
CREATE TABLE experiments (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    uid     BLOB NOT NULL UNIQUE,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL,           -- microseconds since 1970, as all instants
    deleted INTEGER
);
CREATE UNIQUE INDEX experiments_live_name ON experiments (name) WHERE deleted IS NULL;

CREATE TABLE experiment_tags (
    experiment INTEGER NOT NULL,
    key        INTEGER NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (experiment, key)
) WITHOUT ROWID;

CREATE TABLE runs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    uid           BLOB NOT NULL UNIQUE,
    experiment    INTEGER NOT NULL,
    parent        BLOB,
    name          TEXT NOT NULL,
    status        TEXT NOT NULL,
    user          TEXT NOT NULL,
    started       INTEGER NOT NULL,
    ended         INTEGER,
    deleted       INTEGER,
    note          TEXT NOT NULL,
    lease_host    TEXT,
    lease_process INTEGER,
    lease_until   INTEGER
);
CREATE INDEX runs_by_start ON runs (experiment, started DESC, uid DESC);
CREATE INDEX runs_running ON runs (status) WHERE status = 'running';
CREATE INDEX runs_deleted ON runs (deleted) WHERE deleted IS NOT NULL;

CREATE TABLE params (
    run    INTEGER NOT NULL,
    key    INTEGER NOT NULL,
    value  TEXT NOT NULL,
    number REAL,                        -- the value, if it is a number
    PRIMARY KEY (run, key)
) WITHOUT ROWID;

CREATE TABLE tags (
    run   INTEGER NOT NULL,
    key   INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;

-- SQLite stores NaN as NULL, so in a row that is there NULL means NaN.
CREATE TABLE summaries (
    run        INTEGER NOT NULL,
    key        INTEGER NOT NULL,
    experiment INTEGER NOT NULL,        -- of the run; here for the index that search walks
    last       REAL,
    last_step  INTEGER NOT NULL,
    last_time  INTEGER NOT NULL,
    min        REAL,
    max        REAL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE INDEX summaries_by_last ON summaries (experiment, key, last);

CREATE TABLE blobs (
    id       INTEGER PRIMARY KEY,
    digest   BLOB NOT NULL UNIQUE,
    size     INTEGER NOT NULL,
    location TEXT NOT NULL
);

CREATE TABLE chunks (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    run   INTEGER NOT NULL,
    place INTEGER NOT NULL,             -- in the order written; a sealed object has its first chunk's
    codec INTEGER NOT NULL,
    count INTEGER NOT NULL,
    data  BLOB,                         -- either the bytes themselves
    blob  INTEGER                       -- or the object that holds them
);
CREATE INDEX chunks_by_run ON chunks (run, place);
CREATE INDEX chunks_by_blob ON chunks (blob) WHERE blob IS NOT NULL;

CREATE TABLE spools (
    run    INTEGER NOT NULL,
    spool  BLOB NOT NULL,
    stored INTEGER NOT NULL,            -- how many of its points are in chunks
    PRIMARY KEY (run, spool)
) WITHOUT ROWID;

CREATE TABLE inputs (
    id      INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL,
    name    TEXT NOT NULL,
    digest  TEXT NOT NULL,
    context TEXT NOT NULL,
    source  TEXT,
    schema  TEXT,
    rows    INTEGER,
    UNIQUE (run, name, digest, context)
);

CREATE TABLE artifacts (
    run     INTEGER NOT NULL,
    path    TEXT NOT NULL,
    blob    INTEGER NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (run, path)
) WITHOUT ROWID;
CREATE INDEX artifacts_by_blob ON artifacts (blob);

-- No row is ever deleted, so numbers have no hole: a rolled back insert gives its number back.
CREATE TABLE journal (
    sequence  INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    actor     TEXT NOT NULL,
    operation TEXT NOT NULL,
    node      TEXT NOT NULL,
    payload   TEXT NOT NULL
);
CREATE TABLE seals (
    last INTEGER PRIMARY KEY,           -- the last row that this link of the chain covers
    hash BLOB NOT NULL
);
