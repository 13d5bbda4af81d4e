-- The registry: models, versions, stages; the catalog; lineage; readers of the journal.

CREATE TABLE models (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    created     INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    deleted     INTEGER,
    last_number INTEGER NOT NULL,       -- the greatest number that a version ever had
    note        TEXT NOT NULL
);
CREATE INDEX models_deleted ON models (deleted) WHERE deleted IS NOT NULL;
-- Where the counting of purged models goes on.
CREATE TABLE purged_models (
    name        TEXT PRIMARY KEY,
    last_number INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE model_tags (
    model INTEGER NOT NULL,
    key   INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (model, key)
) WITHOUT ROWID;

CREATE TABLE aliases (
    model  INTEGER NOT NULL,
    alias  TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (model, alias)
) WITHOUT ROWID;

-- What is large stands last, so that reading the rest does not touch it.
CREATE TABLE versions (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    model     INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    stage     TEXT NOT NULL,
    staged    INTEGER NOT NULL,         -- the journal's number of the row that brought it into the stage
    created   INTEGER NOT NULL,
    updated   INTEGER NOT NULL,
    deleted   INTEGER,
    digest    BLOB NOT NULL,
    run       BLOB,
    author    TEXT NOT NULL,
    registrar TEXT NOT NULL,
    origin    TEXT,
    note      TEXT NOT NULL,
    manifest  TEXT NOT NULL,
    UNIQUE (model, number)
);
-- All that a server asks for is in the index.
CREATE INDEX versions_by_stage ON versions (stage, model, staged, number, deleted);
CREATE INDEX versions_by_digest ON versions (digest);
CREATE INDEX versions_by_run ON versions (run) WHERE run IS NOT NULL;
CREATE INDEX versions_deleted ON versions (deleted) WHERE deleted IS NOT NULL;

CREATE TABLE version_tags (
    version INTEGER NOT NULL,
    key     INTEGER NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (version, key)
) WITHOUT ROWID;

-- Copies of parts of the manifest, for searches. In a row that is there NULL means NaN.
CREATE TABLE version_metrics (
    version INTEGER NOT NULL,
    key     INTEGER NOT NULL,
    value   REAL,
    PRIMARY KEY (version, key)
) WITHOUT ROWID;
CREATE INDEX version_metrics_by_value ON version_metrics (key, value);
CREATE TABLE version_params (
    version INTEGER NOT NULL,
    key     INTEGER NOT NULL,
    value   TEXT NOT NULL,
    number  REAL,
    PRIMARY KEY (version, key)
) WITHOUT ROWID;
CREATE TABLE version_inputs (
    version INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    name    TEXT NOT NULL,
    digest  TEXT NOT NULL,
    context TEXT NOT NULL,
    PRIMARY KEY (version, place)
) WITHOUT ROWID;

CREATE TABLE version_blobs (
    version INTEGER NOT NULL,
    blob    INTEGER NOT NULL,
    PRIMARY KEY (version, blob)
) WITHOUT ROWID;
CREATE INDEX version_blobs_by_blob ON version_blobs (blob);

CREATE TABLE evidence (
    version INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (version, kind, name)
) WITHOUT ROWID;

CREATE TABLE attestations (
    version   INTEGER NOT NULL,
    key       TEXT NOT NULL,
    signature TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (version, key)
) WITHOUT ROWID;

-- The last word of each actor.
CREATE TABLE approvals (
    version INTEGER NOT NULL,
    stage   TEXT NOT NULL,
    actor   TEXT NOT NULL,
    verdict TEXT NOT NULL,
    basis   BLOB NOT NULL,
    at      INTEGER NOT NULL,
    comment TEXT NOT NULL,
    PRIMARY KEY (version, stage, actor)
) WITHOUT ROWID;

-- Who, why and on what evidence stands in the journal's row.
CREATE TABLE stage_moves (
    id         INTEGER PRIMARY KEY,
    model      INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    from_stage TEXT NOT NULL,
    to_stage   TEXT NOT NULL,
    cause      TEXT NOT NULL,
    sequence   INTEGER NOT NULL
);
CREATE INDEX stage_moves_by_model ON stage_moves (model);
CREATE INDEX stage_moves_by_sequence ON stage_moves (sequence);

CREATE TABLE documents (
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    body    TEXT,                       -- NULL: this version is the deletion
    PRIMARY KEY (kind, name, version)
);

CREATE TABLE nodes (
    id   INTEGER PRIMARY KEY,
    node TEXT NOT NULL UNIQUE
);
CREATE TABLE edges (
    source   INTEGER NOT NULL,
    target   INTEGER NOT NULL,
    relation TEXT NOT NULL,
    PRIMARY KEY (source, target, relation)
) WITHOUT ROWID;
CREATE INDEX edges_by_target ON edges (target, source, relation);

-- What runs read before there was a graph. As `registry::lineage::of_input` builds it.
INSERT INTO nodes (node)
    SELECT 'run:' || lower(hex(r.uid)) FROM runs r WHERE r.id IN (SELECT run FROM inputs)
    UNION SELECT 'dataset:' || name || '@' || digest FROM inputs
    UNION SELECT 'source:' || source FROM inputs WHERE trim(source) <> '';
INSERT INTO edges (source, target, relation)
    SELECT d.id, n.id, 'read' FROM inputs i JOIN runs r ON r.id = i.run
    JOIN nodes d ON d.node = 'dataset:' || i.name || '@' || i.digest
    JOIN nodes n ON n.node = 'run:' || lower(hex(r.uid))
    UNION SELECT s.id, d.id, 'contains' FROM inputs i
    JOIN nodes d ON d.node = 'dataset:' || i.name || '@' || i.digest
    JOIN nodes s ON s.node = 'source:' || i.source;

-- How far readers of the journal have come.
CREATE TABLE readers (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;
