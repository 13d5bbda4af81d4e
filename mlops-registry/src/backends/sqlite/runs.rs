//! Runs in SQLite: making, changing and reading one.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::filter::param_number;
use mlops_core::tracking::check::{self, Life};
use mlops_core::tracking::{
    Artifact, ArtifactEntry, Blob, BlobLocation, ChunkData, ChunkId, CreateRun, DatasetInput,
    Digest, Lease, MetricChunk, MetricSummary, Run, RunChanges, RunStatus, SealedMetrics,
    StoredChunk, events,
};
use mlops_core::{
    ArtifactPath, Error, ErrorKind, ExperimentId, Key, RunId, RunName, SpoolId, time,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fail::{Fail, Outcome};
use super::names::{self, Names};
use super::{Writer, experiments};

const COLUMNS: &str = "r.id, r.uid, x.uid, r.parent, r.name, r.status, r.user, r.started, r.ended, \
                       r.deleted, r.note, r.lease_host, r.lease_process, r.lease_until, \
                       r.experiment, x.deleted";

/// A run's own row, with the numbers that SQL joins by.
pub(super) struct Stored {
    pub(super) row: i64,
    pub(super) experiment_row: i64,
    pub(super) experiment_deleted: bool,
    pub(super) run: Run,
}

pub(super) fn create(writer: &Writer<'_>, options: CreateRun) -> Outcome<Run> {
    let sql = writer.sql;
    let op = "tracker.create_run";
    if let Some(stored) = find(sql, options.id)? {
        if stored.run.experiment != options.experiment {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                op,
                "a run of another experiment has this id",
            )
            .with("run", options.id)
            .with("experiment", stored.run.experiment)
            .into());
        }
        return load(sql, stored, &mut Names::default());
    }
    let experiment = experiments::find(sql, options.experiment)?
        .ok_or_else(|| experiments::missing(op, options.experiment))?;
    if experiment.experiment.deleted.is_some() {
        return Err(Error::invalid(op, "the experiment is in the trash")
            .with("experiment", &experiment.experiment.name)
            .with_hint("restore it, or use another experiment")
            .into());
    }
    if let Some(parent) = options.parent
        && find(sql, parent)?.is_none()
    {
        return Err(missing(op, parent).with("as", "parent").into());
    }
    let name = match options.name {
        Some(name) => name,
        None => check::default_run_name(options.id)?,
    };
    let started = options.started.map_or(Ok(writer.now), time::to_micros)?;
    let mut run = Run::new(options.id, options.experiment, name, time::from_micros(started)?);
    run.parent = options.parent;
    run.user = options.user;
    run.lease = options.lease;
    run.params = options.params;
    run.tags = options.tags;
    let lease = run.lease.as_ref();
    sql.prepare_cached(
        "INSERT INTO runs (uid, experiment, parent, name, status, user, started, note,
                           lease_host, lease_process, lease_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '', ?8, ?9, ?10)",
    )?
    .execute(params![
        run.id.as_bytes(),
        experiment.row,
        run.parent.as_ref().map(RunId::as_bytes),
        run.name.as_str(),
        run.status.as_str(),
        run.user,
        started,
        lease.map(|l| l.host.as_str()),
        lease.map(|l| l.process),
        lease.map(|l| l.until.timestamp_micros()),
    ])?;
    let row = sql.last_insert_rowid();
    for (key, value) in &run.params {
        insert_param(sql, row, key, value)?;
    }
    for (key, value) in &run.tags {
        set_tag(sql, row, key, value)?;
    }
    writer.journal(events::RUN_CREATE, &run.id.into(), &events::run_create(&run))?;
    Ok(run)
}

pub(super) fn update(
    writer: &Writer<'_>,
    id: RunId,
    changes: RunChanges,
    chunk_digest: Option<Digest>,
) -> Outcome<Vec<BlobLocation>> {
    let sql = writer.sql;
    let op = "tracker.update_run";
    let stored = find(sql, id)?.ok_or_else(|| missing(op, id))?;
    let Stored { row, ref run, .. } = stored;
    check::expectation(changes.expect, run.status)?;
    check::trash(run.deleted.is_some(), stored.experiment_deleted, &changes)?;
    let before = Life { status: run.status, ended: run.ended, lease: run.lease.clone() };
    let after = before.after(&changes, time::from_micros(writer.now)?)?;

    let mut changed = RunChanges::default();
    changed.params = new_params(sql, row, changes.params)?;
    let append = match changes.metrics {
        None => None,
        Some(chunk) => {
            let known = stored_points(sql, row, chunk.origin.spool)?;
            check::append(chunk.origin, known, run.status, after.status)?.then_some(chunk)
        }
    };
    let mut unnamed = Vec::new();
    let mut maybe_unnamed = BTreeSet::new();

    for (key, value) in changes.tags {
        if tag(sql, row, &key)?.as_deref() != Some(value.as_str()) {
            set_tag(sql, row, &key, &value)?;
            changed.tags.insert(key, value);
        }
    }
    let removed: BTreeSet<Key> = changes.remove_tags.into_iter().collect();
    for key in removed {
        let gone = sql
            .prepare_cached("DELETE FROM tags WHERE run = ?1 AND key = ?2")?
            .execute(params![row, names::find(sql, &key)?])?;
        if gone > 0 {
            changed.remove_tags.push(key);
        }
    }
    for (key, value) in &changed.params {
        insert_param(sql, row, key, value)?;
    }
    changed.inputs = set_inputs(sql, row, changes.inputs)?;
    if let Some(chunk) = append {
        append_chunk(sql, &stored, &chunk)?;
        changed.metrics = Some(chunk);
    }
    let named = name_artifacts(writer, row, changes.artifacts)?;
    changed.artifacts = named.changed;
    unnamed.extend(named.discarded);
    maybe_unnamed.extend(named.replaced);
    if let Some(seal) = changes.seal {
        let (old, discarded) = replace_chunks(sql, row, &seal)?;
        maybe_unnamed.extend(old);
        unnamed.extend(discarded);
        changed.seal = Some(seal);
    }
    for blob in maybe_unnamed {
        unnamed.extend(drop_if_unnamed(sql, blob)?.map(|blob| blob.location));
    }

    changed.name = changes.name.filter(|name| *name != run.name);
    changed.note = changes.note.filter(|note| *note != run.note);
    changed.status = changes.status.filter(|status| *status != run.status);
    changed.ended = after.ended.filter(|_| after.ended != run.ended);
    changed.deleted = changes.deleted.filter(|deleted| *deleted != run.deleted.is_some());
    let deleted = match changed.deleted {
        Some(true) => Some(time::from_micros(writer.now)?),
        Some(false) => None,
        None => run.deleted,
    };
    let payload = events::run_update(&changed, deleted, chunk_digest);
    let own_row = changed.name.is_some() || changed.note.is_some() || changed.deleted.is_some();
    if own_row || after != before {
        let lease = after.lease.as_ref();
        sql.prepare_cached(
            "UPDATE runs SET name = ?2, note = ?3, status = ?4, ended = ?5, deleted = ?6,
                             lease_host = ?7, lease_process = ?8, lease_until = ?9
             WHERE id = ?1",
        )?
        .execute(params![
            row,
            changed.name.as_ref().unwrap_or(&run.name).as_str(),
            changed.note.as_ref().unwrap_or(&run.note),
            after.status.as_str(),
            after.ended.map(|e| e.timestamp_micros()),
            deleted.map(|d| d.timestamp_micros()),
            lease.map(|l| l.host.as_str()),
            lease.map(|l| l.process),
            lease.map(|l| l.until.timestamp_micros()),
        ])?;
    }
    if let Some(payload) = payload {
        writer.journal(events::RUN_UPDATE, &id.into(), &payload)?;
    }
    Ok(unnamed)
}

struct NamedArtifacts {
    /// The entries that were not so already, the last of each path.
    changed: Vec<ArtifactEntry>,
    /// Offered locations that are not needed.
    discarded: Vec<BlobLocation>,
    /// Blobs that an artifact named before.
    replaced: Vec<i64>,
}

fn name_artifacts(
    writer: &Writer<'_>,
    row: i64,
    entries: Vec<ArtifactEntry>,
) -> Outcome<NamedArtifacts> {
    let sql = writer.sql;
    let mut named =
        NamedArtifacts { changed: Vec::new(), discarded: Vec::new(), replaced: Vec::new() };
    for entry in entries {
        if !entry.uploaded && find_blob(sql, entry.blob.digest)?.is_none() {
            return Err(check::object_is_gone(&entry).into());
        }
        check_directories(sql, row, &entry.path)?;
        let old: Option<i64> = sql
            .prepare_cached("SELECT blob FROM artifacts WHERE run = ?1 AND path = ?2")?
            .query_row(params![row, entry.path.as_str()], |r| r.get(0))
            .optional()?;
        let (blob, discarded) = name_blob(sql, &entry.blob)?;
        named.discarded.extend(discarded);
        if old == Some(blob) {
            continue;
        }
        named.replaced.extend(old);
        sql.prepare_cached(
            "INSERT INTO artifacts (run, path, blob, created) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (run, path) DO UPDATE SET blob = excluded.blob, created = excluded.created",
        )?
        .execute(params![row, entry.path.as_str(), blob, writer.now])?;
        named.changed.retain(|other| other.path != entry.path);
        named.changed.push(entry);
    }
    Ok(named)
}

pub(super) fn missing(op: &'static str, id: RunId) -> Error {
    Error::not_found(op, "no run has this id").with("run", id)
}

/// The run's row, without what hangs on it.
pub(super) fn find(sql: &Connection, id: RunId) -> Outcome<Option<Stored>> {
    sql.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs r JOIN experiments x ON x.id = r.experiment WHERE r.uid = ?1"
    ))?
    .query_row([id.as_bytes()], |row| Ok(stored(row)))
    .optional()?
    .transpose()
}

/// The run of this row number, with all that hangs on it.
pub(super) fn load_row(sql: &Connection, row: i64, names: &mut Names) -> Outcome<Run> {
    let found = sql
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM runs r JOIN experiments x ON x.id = r.experiment WHERE r.id = ?1"
        ))?
        .query_row([row], |row| Ok(stored(row)))??;
    load(sql, found, names)
}

/// Adds what hangs on the run.
pub(super) fn load(sql: &Connection, stored: Stored, names: &mut Names) -> Outcome<Run> {
    let Stored { row, mut run, .. } = stored;
    run.params = texts(sql, row, names, "SELECT key, value FROM params WHERE run = ?1")?;
    run.tags = texts(sql, row, names, "SELECT key, value FROM tags WHERE run = ?1")?;
    let mut statement = sql.prepare_cached(
        "SELECT key, last, last_step, last_time, min, max, count FROM summaries WHERE run = ?1",
    )?;
    let mut rows = statement.query([row])?;
    while let Some(row) = rows.next()? {
        run.metrics.insert(names.of(sql, row.get(0)?)?, summary(row, 1)?);
    }
    let mut statement = sql.prepare_cached(
        "SELECT name, digest, context, source, schema, rows FROM inputs WHERE run = ?1",
    )?;
    let mut rows = statement.query([row])?;
    while let Some(row) = rows.next()? {
        run.inputs.push(input(row)?);
    }
    sort_inputs(&mut run.inputs);
    Ok(run)
}

fn stored(row: &Row<'_>) -> Outcome<Stored> {
    let status: String = row.get(5)?;
    let status = status.parse::<RunStatus>().map_err(|_| Fail::Stored { what: "runs.status" })?;
    let instant = |i| -> Outcome<Option<_>> {
        Ok(row.get::<_, Option<i64>>(i)?.map(time::from_micros).transpose()?)
    };
    let name = RunName::new(row.get::<_, String>(4)?)?;
    let started = time::from_micros(row.get(7)?)?;
    let mut run = Run::new(
        RunId::from_bytes(row.get(1)?),
        ExperimentId::from_bytes(row.get(2)?),
        name,
        started,
    );
    run.parent = row.get::<_, Option<[u8; 16]>>(3)?.map(RunId::from_bytes);
    run.status = status;
    run.user = row.get(6)?;
    run.ended = instant(8)?;
    run.deleted = instant(9)?;
    run.note = row.get(10)?;
    if let (Some(host), Some(until)) = (row.get(11)?, instant(13)?) {
        run.lease = Some(Lease { host, process: row.get(12)?, until });
    }
    Ok(Stored {
        row: row.get(0)?,
        experiment_row: row.get(14)?,
        experiment_deleted: row.get::<_, Option<i64>>(15)?.is_some(),
        run,
    })
}

/// By bytes, as the contract says, whatever the database's collation.
fn sort_inputs(inputs: &mut [DatasetInput]) {
    inputs.sort_by(|a, b| {
        (&a.name, &a.digest, a.context.as_str()).cmp(&(&b.name, &b.digest, b.context.as_str()))
    });
}

fn texts(
    sql: &Connection,
    row: i64,
    names: &mut Names,
    statement: &str,
) -> Outcome<BTreeMap<Key, String>> {
    let mut statement = sql.prepare_cached(statement)?;
    let mut rows = statement.query([row])?;
    let mut out = BTreeMap::new();
    while let Some(row) = rows.next()? {
        out.insert(names.of(sql, row.get(0)?)?, row.get(1)?);
    }
    Ok(out)
}

fn summary(row: &Row<'_>, at: usize) -> Outcome<MetricSummary> {
    let float = |i| -> Outcome<f64> { Ok(row.get::<_, Option<f64>>(i)?.unwrap_or(f64::NAN)) };
    Ok(MetricSummary {
        last: float(at)?,
        last_step: row.get(at + 1)?,
        last_time_micros: row.get(at + 2)?,
        min: float(at + 3)?,
        max: float(at + 4)?,
        count: row.get::<_, i64>(at + 5)? as u64,
    })
}

fn input(row: &Row<'_>) -> Outcome<DatasetInput> {
    let context: String = row.get(2)?;
    let mut input = DatasetInput::new(
        Key::new(row.get::<_, String>(0)?)?,
        Key::new(row.get::<_, String>(1)?)?,
        context.into(),
    );
    input.source = row.get(3)?;
    input.schema = row
        .get::<_, Option<String>>(4)?
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|_| Fail::Stored { what: "inputs.schema" })?;
    input.rows = row.get::<_, Option<i64>>(5)?.map(|rows| rows as u64);
    Ok(input)
}

fn new_params(
    sql: &Connection,
    row: i64,
    offered: BTreeMap<Key, String>,
) -> Outcome<BTreeMap<Key, String>> {
    let mut new = BTreeMap::new();
    for (key, value) in offered {
        let stored: Option<String> = sql
            .prepare_cached("SELECT value FROM params WHERE run = ?1 AND key = ?2")?
            .query_row(params![row, names::find(sql, &key)?], |r| r.get(0))
            .optional()?;
        if check::param(&key, stored.as_deref(), &value)? {
            new.insert(key, value);
        }
    }
    Ok(new)
}

fn insert_param(sql: &Connection, row: i64, key: &Key, value: &str) -> Outcome<()> {
    sql.prepare_cached("INSERT INTO params (run, key, value, number) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![row, names::intern(sql, key)?, value, param_number(value)])?;
    Ok(())
}

fn tag(sql: &Connection, row: i64, key: &Key) -> Outcome<Option<String>> {
    Ok(sql
        .prepare_cached("SELECT value FROM tags WHERE run = ?1 AND key = ?2")?
        .query_row(params![row, names::find(sql, key)?], |r| r.get(0))
        .optional()?)
}

fn set_tag(sql: &Connection, row: i64, key: &Key, value: &str) -> Outcome<()> {
    sql.prepare_cached(
        "INSERT INTO tags (run, key, value) VALUES (?1, ?2, ?3)
         ON CONFLICT (run, key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![row, names::intern(sql, key)?, value])?;
    Ok(())
}

/// Stores the inputs and returns those that were not stored as they are.
fn set_inputs(sql: &Connection, row: i64, inputs: Vec<DatasetInput>) -> Outcome<Vec<DatasetInput>> {
    let mut changed: Vec<DatasetInput> = Vec::new();
    for offered in inputs {
        let place =
            params![row, offered.name.as_str(), offered.digest.as_str(), offered.context.as_str()];
        let stored = sql
            .prepare_cached(
                "SELECT name, digest, context, source, schema, rows FROM inputs
                 WHERE run = ?1 AND name = ?2 AND digest = ?3 AND context = ?4",
            )?
            .query_row(place, |row| Ok(input(row)))
            .optional()?
            .transpose()?;
        if stored.as_ref() == Some(&offered) {
            continue;
        }
        sql.prepare_cached(
            "INSERT INTO inputs (run, name, digest, context, source, schema, rows)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (run, name, digest, context) DO UPDATE
             SET source = excluded.source, schema = excluded.schema, rows = excluded.rows",
        )?
        .execute(params![
            row,
            offered.name.as_str(),
            offered.digest.as_str(),
            offered.context.as_str(),
            offered.source,
            offered.schema.as_ref().map(ToString::to_string),
            offered.rows.map(|rows| rows as i64),
        ])?;
        changed.retain(|other| {
            (&other.name, &other.digest, &other.context)
                != (&offered.name, &offered.digest, &offered.context)
        });
        changed.push(offered);
    }
    Ok(changed)
}

pub(super) fn stored_points(sql: &Connection, row: i64, spool: SpoolId) -> Outcome<u64> {
    let stored: Option<i64> = sql
        .prepare_cached("SELECT stored FROM spools WHERE run = ?1 AND spool = ?2")?
        .query_row(params![row, spool.as_bytes()], |r| r.get(0))
        .optional()?;
    Ok(stored.unwrap_or(0) as u64)
}

fn append_chunk(sql: &Connection, stored: &Stored, chunk: &MetricChunk) -> Outcome<()> {
    let row = stored.row;
    sql.prepare_cached(
        "INSERT INTO chunks (run, place, codec, count, data)
         VALUES (?1, (SELECT coalesce(max(place), 0) + 1 FROM chunks WHERE run = ?1), ?2, ?3, ?4)",
    )?
    .execute(params![row, chunk.codec, chunk.origin.count as i64, chunk.bytes.as_ref()])?;
    sql.prepare_cached(
        "INSERT INTO spools (run, spool, stored) VALUES (?1, ?2, ?3)
         ON CONFLICT (run, spool) DO UPDATE SET stored = excluded.stored",
    )?
    .execute(params![
        row,
        chunk.origin.spool.as_bytes(),
        (chunk.origin.first + chunk.origin.count) as i64
    ])?;
    for (key, later) in &chunk.summaries {
        let key = names::intern(sql, key)?;
        let mut merged = *later;
        let known = sql
            .prepare_cached(
                "SELECT last, last_step, last_time, min, max, count FROM summaries
                 WHERE run = ?1 AND key = ?2",
            )?
            .query_row(params![row, key], |r| Ok(summary(r, 0)))
            .optional()?
            .transpose()?;
        if let Some(mut known) = known {
            known.append(later);
            merged = known;
        }
        sql.prepare_cached(
            "INSERT INTO summaries (run, key, experiment, last, last_step, last_time, min, max, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (run, key) DO UPDATE SET last = excluded.last,
                 last_step = excluded.last_step, last_time = excluded.last_time,
                 min = excluded.min, max = excluded.max, count = excluded.count",
        )?
        .execute(params![
            row,
            key,
            stored.experiment_row,
            merged.last,
            merged.last_step,
            merged.last_time_micros,
            merged.min,
            merged.max,
            merged.count as i64,
        ])?;
    }
    Ok(())
}

/// Puts one object in place of chunks. Returns the blobs that these were, and the offered location if
/// it is not needed.
fn replace_chunks(
    sql: &Connection,
    row: i64,
    seal: &SealedMetrics,
) -> Outcome<(Vec<i64>, Option<BlobLocation>)> {
    let op = "tracker.update_run";
    let mut statement = sql.prepare_cached(
        "SELECT id, place, count, blob FROM chunks WHERE run = ?1 ORDER BY place",
    )?;
    let chunks = statement
        .query_map([row], |r| {
            Ok((ChunkId(r.get(0)?), r.get::<_, i64>(1)?, r.get::<_, i64>(2)?, r.get(3)?))
        })?
        .collect::<Result<Vec<(ChunkId, i64, i64, Option<i64>)>, _>>()?;
    let replaced = |chunk: &(ChunkId, i64, i64, Option<i64>)| seal.replaces.contains(&chunk.0);
    let n = seal.replaces.len();
    let start = chunks.iter().position(replaced).unwrap_or_default();
    if chunks.iter().filter(|chunk| replaced(chunk)).count() != n {
        return Err(Error::new(ErrorKind::Conflict, op, "a chunk to be sealed is gone")
            .with_hint("somebody else sealed it; read the run's chunks again")
            .into());
    }
    let old = &chunks[start..(start + n).min(chunks.len())];
    if !old.iter().all(replaced) {
        return Err(Error::invalid(op, "a chunk between those to be sealed is left out").into());
    }
    let points: i64 = old.iter().map(|chunk| chunk.2).sum();
    if points as u64 != seal.count {
        return Err(Error::invalid(op, "the sealed object has another number of points")
            .with("chunks", points)
            .with("object", seal.count)
            .into());
    }
    for (ChunkId(id), ..) in old {
        sql.prepare_cached("DELETE FROM chunks WHERE id = ?1")?.execute([id])?;
    }
    let (blob, discarded) = name_blob(sql, &seal.blob)?;
    // The place of the first of them, so that what was appended meanwhile stays behind.
    sql.prepare_cached(
        "INSERT INTO chunks (run, place, codec, count, blob) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![row, old[0].1, seal.codec, points, blob])?;
    Ok((old.iter().filter_map(|chunk| chunk.3).collect(), discarded))
}

/// The row of a blob; the offered location comes back if an object of the digest is known already.
fn name_blob(sql: &Connection, blob: &Blob) -> Outcome<(i64, Option<BlobLocation>)> {
    let known: Option<(i64, String)> = sql
        .prepare_cached("SELECT id, location FROM blobs WHERE digest = ?1")?
        .query_row([&blob.digest.0], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    match known {
        Some((id, location)) if location == blob.location.0 => Ok((id, None)),
        Some((id, _)) => Ok((id, Some(blob.location.clone()))),
        None => {
            sql.prepare_cached("INSERT INTO blobs (digest, size, location) VALUES (?1, ?2, ?3)")?
                .execute(params![blob.digest.0, blob.size as i64, blob.location.0])?;
            Ok((sql.last_insert_rowid(), None))
        }
    }
}

/// Forgets a blob that nothing names any more, and returns it.
pub(super) fn drop_if_unnamed(sql: &Connection, blob: i64) -> Outcome<Option<Blob>> {
    let dropped = sql
        .prepare_cached(
            "DELETE FROM blobs WHERE id = ?1
               AND NOT EXISTS (SELECT 1 FROM artifacts WHERE blob = ?1)
               AND NOT EXISTS (SELECT 1 FROM chunks WHERE blob = ?1)
             RETURNING digest, size, location",
        )?
        .query_row([blob], |row| read_blob(row, 0))
        .optional()?;
    Ok(dropped)
}

fn read_blob(row: &Row<'_>, at: usize) -> rusqlite::Result<Blob> {
    Ok(Blob {
        digest: Digest(row.get(at)?),
        size: row.get::<_, i64>(at + 1)? as u64,
        location: BlobLocation(row.get(at + 2)?),
    })
}

pub(super) fn find_blob(sql: &Connection, digest: Digest) -> Outcome<Option<Blob>> {
    Ok(sql
        .prepare_cached("SELECT digest, size, location FROM blobs WHERE digest = ?1")?
        .query_row([digest.0], |row| read_blob(row, 0))
        .optional()?)
}

fn check_directories(sql: &Connection, row: i64, path: &ArtifactPath) -> Outcome<()> {
    let mut exists = sql.prepare_cached("SELECT 1 FROM artifacts WHERE run = ?1 AND path = ?2")?;
    for directory in check::directories(path) {
        if exists.exists(params![row, directory])? {
            return Err(check::file_and_directory(path, directory).into());
        }
    }
    // Everything under `path/` sorts between `path/` and `path0`, the next character after `/`.
    let under: Option<String> = sql
        .prepare_cached(
            "SELECT path FROM artifacts WHERE run = ?1 AND path > ?2 || '/' AND path < ?2 || '0'
             LIMIT 1",
        )?
        .query_row(params![row, path.as_str()], |r| r.get(0))
        .optional()?;
    match under {
        Some(under) => Err(check::file_and_directory(path, &under).into()),
        None => Ok(()),
    }
}

pub(super) fn artifacts(sql: &Connection, row: i64, prefix: &str) -> Outcome<Vec<Artifact>> {
    let prefix = prefix.trim_end_matches('/');
    let mut statement = sql.prepare_cached(
        "SELECT a.path, a.created, b.digest, b.size, b.location
         FROM artifacts a JOIN blobs b ON b.id = a.blob
         WHERE a.run = ?1
           AND (?2 = '' OR a.path = ?2 OR (a.path > ?2 || '/' AND a.path < ?2 || '0'))
         ORDER BY a.path",
    )?;
    let mut rows = statement.query(params![row, prefix])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(Artifact {
            path: ArtifactPath::new(row.get::<_, String>(0)?)?,
            created: time::from_micros(row.get(1)?)?,
            blob: read_blob(row, 2)?,
        });
    }
    Ok(out)
}

pub(super) fn chunks(sql: &Connection, row: i64) -> Outcome<Vec<StoredChunk>> {
    let mut statement = sql.prepare_cached(
        "SELECT c.id, c.codec, c.count, c.data, b.digest, b.size, b.location
         FROM chunks c LEFT JOIN blobs b ON b.id = c.blob WHERE c.run = ?1 ORDER BY c.place",
    )?;
    let mut rows = statement.query([row])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let data = match row.get::<_, Option<Vec<u8>>>(3)? {
            Some(bytes) => ChunkData::Inline(bytes.into()),
            None => ChunkData::Blob(
                read_blob(row, 4).map_err(|_| Fail::Stored { what: "chunks.blob" })?,
            ),
        };
        out.push(StoredChunk {
            id: ChunkId(row.get(0)?),
            codec: row.get(1)?,
            count: row.get::<_, i64>(2)? as u64,
            data,
        });
    }
    Ok(out)
}
