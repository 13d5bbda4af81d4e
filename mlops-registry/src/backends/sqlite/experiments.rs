//! Experiments in SQLite.

use std::collections::BTreeMap;

use mlops_core::time::Instant;
use mlops_core::tracking::{
    CreateExperiment, Experiment, ExperimentChanges, ExperimentQuery, Page, check, events,
};
use mlops_core::{Error, ErrorKind, ExperimentId, ExperimentName, Key, time};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Writer;
use super::fail::{Fail, Outcome};
use super::names::{self, Names};
use super::page::Cursor;
use super::search::Sql;

const COLUMNS: &str = "e.id, e.uid, e.name, e.created, e.deleted";

/// An experiment with the number of its row.
pub(super) struct Stored {
    pub(super) row: i64,
    pub(super) experiment: Experiment,
}

pub(super) fn create(
    writer: &Writer<'_>,
    name: &ExperimentName,
    options: CreateExperiment,
) -> Outcome<Experiment> {
    let sql = writer.sql;
    let op = "tracker.create_experiment";
    if let Some(id) = options.id
        && let Some(found) = find(sql, id)?
    {
        return Ok(found.experiment);
    }
    free_name(sql, op, name)?;
    let id = options.id.unwrap_or_else(|| ExperimentId::generate(writer.now));
    let created = options.created.map_or(Ok(writer.now), time::to_micros)?;
    sql.prepare_cached("INSERT INTO experiments (uid, name, created) VALUES (?1, ?2, ?3)")?
        .execute(params![id.as_bytes(), name.as_str(), created])?;
    let row = sql.last_insert_rowid();
    let mut experiment = Experiment::new(id, name.clone(), time::from_micros(created)?);
    experiment.tags = options.tags;
    set_tags(sql, row, &experiment.tags)?;
    let payload = events::experiment_create(&experiment);
    writer.journal(events::EXPERIMENT_CREATE, &id.into(), &payload)?;
    Ok(experiment)
}

pub(super) fn update(
    writer: &Writer<'_>,
    id: ExperimentId,
    changes: ExperimentChanges,
) -> Outcome<Experiment> {
    let sql = writer.sql;
    let op = "tracker.update_experiment";
    let Stored { row, mut experiment } = find(sql, id)?.ok_or_else(|| missing(op, id))?;
    let was_deleted = experiment.deleted;
    check::experiment_trash(was_deleted.is_some(), &changes)?;
    let mut changed = ExperimentChanges::default();

    changed.deleted = changes.deleted.filter(|deleted| *deleted != was_deleted.is_some());
    changed.name = changes.name.filter(|name| *name != experiment.name);
    if let Some(name) = &changed.name {
        experiment.name = name.clone();
    }
    match changed.deleted {
        Some(true) => experiment.deleted = Some(instant_of_deletion(writer, row)?),
        Some(false) => experiment.deleted = None,
        None => {}
    }
    let takes_name = changed.name.is_some() || changed.deleted == Some(false);
    if takes_name && experiment.deleted.is_none() {
        free_name_but(sql, op, &experiment.name, row)?;
    }
    for (key, value) in changes.tags {
        if experiment.tags.get(&key) != Some(&value) {
            experiment.tags.insert(key.clone(), value.clone());
            changed.tags.insert(key, value);
        }
    }
    for key in changes.remove_tags {
        if experiment.tags.remove(&key).is_some() {
            changed.remove_tags.push(key);
        }
    }
    changed.remove_tags.sort();

    let deleted = experiment.deleted.map(|d| d.timestamp_micros());
    let mut runs = 0;
    if changed.name.is_some() || changed.deleted.is_some() {
        sql.prepare_cached("UPDATE experiments SET name = ?2, deleted = ?3 WHERE id = ?1")?
            .execute(params![row, experiment.name.as_str(), deleted])?;
    }
    if changed.deleted == Some(true) {
        runs = sql
            .prepare_cached(
                "UPDATE runs SET deleted = ?2 WHERE experiment = ?1 AND deleted IS NULL",
            )?
            .execute(params![row, deleted])?;
    } else if changed.deleted == Some(false) {
        runs = sql
            .prepare_cached(
                "UPDATE runs SET deleted = NULL WHERE experiment = ?1 AND deleted = ?2",
            )?
            .execute(params![row, was_deleted.map(|d| d.timestamp_micros())])?;
    }
    set_tags(sql, row, &changed.tags)?;
    for key in &changed.remove_tags {
        sql.prepare_cached("DELETE FROM experiment_tags WHERE experiment = ?1 AND key = ?2")?
            .execute(params![row, names::find(sql, key)?])?;
    }
    if let Some(payload) = events::experiment_update(&changed, experiment.deleted, runs as u64) {
        writer.journal(events::EXPERIMENT_UPDATE, &id.into(), &payload)?;
    }
    Ok(experiment)
}

/// Now, but later than the deletion of any run that is in the trash already: restoring must tell the
/// runs that went there with the experiment from those that went before.
fn instant_of_deletion(writer: &Writer<'_>, experiment: i64) -> Outcome<Instant> {
    let last: Option<i64> = writer
        .sql
        .prepare_cached("SELECT max(deleted) FROM runs WHERE experiment = ?1")?
        .query_row([experiment], |row| row.get(0))?;
    Ok(time::from_micros(last.map_or(writer.now, |last| writer.now.max(last + 1)))?)
}

pub(super) fn search(sql: &Connection, query: &ExperimentQuery) -> Outcome<Page<Experiment>> {
    let limit = query.page_limit()?;
    let identity = format!("experiments {:?} {:?}", query.filter, query.view);
    let cursor = Cursor::open(query.page.as_ref(), &identity, "tracker.search_experiments")?;
    let mut text = Sql::new(sql, "e");
    text.push("SELECT ").push(COLUMNS).push(" FROM experiments e WHERE ");
    text.view(query.view).push(" AND ");
    text.experiment_filter(&query.filter)?;
    let newest = match cursor.and_then(Cursor::experiment) {
        None => newest(sql)?,
        Some((newest, name, id)) => {
            text.push(" AND (e.name, e.uid) > (").bind(name).push(", ");
            text.bind(id.as_bytes().to_vec()).push(")");
            newest
        }
    };
    text.push(" AND e.id <= ").bind(newest);
    text.push(" ORDER BY e.name, e.uid LIMIT ").bind(limit as i64 + 1);
    let mut found: Vec<Stored> = text.query(stored)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let mut items = Vec::with_capacity(found.len());
    let mut names = Names::default();
    for Stored { row, mut experiment } in found {
        experiment.tags = tags(sql, row, &mut names)?;
        items.push(experiment);
    }
    let next = match items.last() {
        Some(last) if more => {
            Some(Cursor::after_experiment(newest, &last.name, last.id).close(&identity))
        }
        _ => None,
    };
    Ok(Page { items, next })
}

/// The greatest row number: what is made after a first page has a greater one.
fn newest(sql: &Connection) -> Outcome<i64> {
    let mut statement = sql.prepare_cached("SELECT coalesce(max(id), 0) FROM experiments")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

pub(super) fn find(sql: &Connection, id: ExperimentId) -> Outcome<Option<Stored>> {
    let found = sql
        .prepare_cached(&format!("SELECT {COLUMNS} FROM experiments e WHERE e.uid = ?1"))?
        .query_row([id.as_bytes()], |row| Ok(stored(row)))
        .optional()?
        .transpose()?;
    match found {
        None => Ok(None),
        Some(mut found) => {
            found.experiment.tags = tags(sql, found.row, &mut Names::default())?;
            Ok(Some(found))
        }
    }
}

pub(super) fn missing(op: &'static str, id: ExperimentId) -> Error {
    Error::not_found(op, "no experiment has this id").with("experiment", id)
}

fn stored(row: &Row<'_>) -> Outcome<Stored> {
    let name = ExperimentName::new(row.get_ref(2)?.as_str().map_err(|_| NAME)?)?;
    let id = ExperimentId::from_bytes(row.get(1)?);
    let mut experiment = Experiment::new(id, name, time::from_micros(row.get(3)?)?);
    experiment.deleted = row.get::<_, Option<i64>>(4)?.map(time::from_micros).transpose()?;
    Ok(Stored { row: row.get(0)?, experiment })
}

const NAME: Fail = Fail::Stored { what: "experiments.name" };

fn tags(sql: &Connection, row: i64, names: &mut Names) -> Outcome<BTreeMap<Key, String>> {
    let mut statement =
        sql.prepare_cached("SELECT key, value FROM experiment_tags WHERE experiment = ?1")?;
    let mut rows = statement.query([row])?;
    let mut tags = BTreeMap::new();
    while let Some(row) = rows.next()? {
        tags.insert(names.of(sql, row.get(0)?)?, row.get(1)?);
    }
    Ok(tags)
}

fn set_tags(sql: &Connection, row: i64, tags: &BTreeMap<Key, String>) -> Outcome<()> {
    for (key, value) in tags {
        sql.prepare_cached(
            "INSERT INTO experiment_tags (experiment, key, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (experiment, key) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![row, names::intern(sql, key)?, value])?;
    }
    Ok(())
}

fn free_name(sql: &Connection, op: &'static str, name: &ExperimentName) -> Outcome<()> {
    free_name_but(sql, op, name, -1)
}

fn free_name_but(
    sql: &Connection,
    op: &'static str,
    name: &ExperimentName,
    own: i64,
) -> Outcome<()> {
    let taken: Option<[u8; 16]> = sql
        .prepare_cached(
            "SELECT uid FROM experiments WHERE name = ?1 AND deleted IS NULL AND id <> ?2",
        )?
        .query_row(params![name.as_str(), own], |row| row.get(0))
        .optional()?;
    match taken {
        None => Ok(()),
        Some(uid) => {
            Err(Error::new(ErrorKind::AlreadyExists, op, "another experiment has this name")
                .with("name", name)
                .with("id", ExperimentId::from_bytes(uid))
                .into())
        }
    }
}
