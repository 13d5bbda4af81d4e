//! Runs in SQLite: making, changing and reading one.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::filter::param_number;
use mlops_core::registry::lineage as edges_of;
use mlops_core::tracking::check::{self, Life};
use mlops_core::tracking::{
    BlobLocation, CreateRun, DatasetInput, Digest, Lease, Run, RunChanges, RunStatus, events,
};
use mlops_core::{Error, ErrorKind, ExperimentId, Key, RunId, RunName, time};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fail::{Fail, Outcome};
use super::names::{self, Names};
use super::{Writer, artifacts, chunks, experiments, lineage};

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
            let known = chunks::stored_points(sql, row, chunk.origin.spool)?;
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
    for input in &changed.inputs {
        lineage::add(sql, &edges_of::of_input(input, &id.into()))?;
    }
    if let Some(chunk) = append {
        chunks::append(sql, &stored, &chunk)?;
        changed.metrics = Some(chunk);
    }
    let named = artifacts::name_artifacts(writer, row, changes.artifacts)?;
    changed.artifacts = named.changed;
    unnamed.extend(named.discarded);
    maybe_unnamed.extend(named.replaced);
    if let Some(seal) = changes.seal {
        let (old, discarded) = chunks::replace(sql, row, &seal)?;
        maybe_unnamed.extend(old);
        unnamed.extend(discarded);
        changed.seal = Some(seal);
    }
    for blob in maybe_unnamed {
        unnamed.extend(artifacts::drop_if_unnamed(sql, blob)?.map(|blob| blob.location));
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
        run.metrics.insert(names.of(sql, row.get(0)?)?, chunks::summary(row, 1)?);
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
