//! The tables, and how a file of an older version becomes one of this version.
//!
//! A migration is a list of statements that runs once, in one transaction, under the write lock. The
//! version is SQLite's own `user_version`, so a file that was never ours is told apart by
//! `application_id`. Texts that repeat (metric keys, tag names) are interned in `names`: the rows are
//! half as large and twice as fast.

use rusqlite::{Connection, TransactionBehavior};

use super::fail::{Fail, Outcome};
use mlops_core::{Error, ErrorKind};

/// "MLOP": marks the file as ours.
const APPLICATION_ID: i64 = 0x4d4c_4f50;

/// Each entry brings a file from version `index` to `index + 1`. Entries never change once released.
const MIGRATIONS: &[&str] = &[VERSION_1];

const VERSION_1: &str = "
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
";

/// Makes or upgrades the tables. Safe to call from many processes at the same instant.
pub(super) fn migrate(connection: &mut Connection) -> Outcome<()> {
    if version(connection)? == MIGRATIONS.len() as i64 {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it while this one waited for the lock.
    let from = version(&transaction)?;
    for migration in &MIGRATIONS[from as usize..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()?;
    Ok(())
}

/// The version of the file; 0 if it is new.
fn version(connection: &Connection) -> Outcome<i64> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let version = number("user_version")?;
    let known = MIGRATIONS.len() as i64;
    if version > known {
        return Err(Fail::Api(
            Error::new(ErrorKind::Unsupported, "store.open", "the store is of a newer version")
                .with("version", version)
                .with("known", known)
                .with_hint(
                    "open it with the version of this library that wrote it, or a newer one",
                ),
        ));
    }
    let ours = number("application_id")? == APPLICATION_ID;
    let tables = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    if !ours && (version != 0 || tables != 0) {
        return Err(Fail::Api(
            Error::invalid("store.open", "the file is an SQLite database of another program")
                .with_hint("choose another directory"),
        ));
    }
    Ok(version.max(0))
}
