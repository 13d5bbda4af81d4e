//! Models in SQLite: making, changing and reading one.

use std::collections::BTreeMap;

use mlops_core::registry::{CreateModel, Model, ModelChanges, Stage, check, events};
use mlops_core::{Alias, Error, ErrorKind, Key, ModelName, time};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Writer;
use super::fail::{Fail, Outcome};
use super::names::{self, Names};

pub(super) const COLUMNS: &str =
    "m.id, m.name, m.created, m.updated, m.deleted, m.last_number, m.note";

/// A model's own row, without what hangs on it.
pub(super) struct Stored {
    pub(super) row: i64,
    pub(super) model: Model,
}

pub(super) fn create(
    writer: &Writer<'_>,
    name: &ModelName,
    options: CreateModel,
) -> Outcome<Model> {
    let sql = writer.sql;
    if let Some(found) = find(sql, name)? {
        let error =
            Error::new(ErrorKind::AlreadyExists, "registry.create_model", "a model has this name")
                .with("model", name);
        return Err(match found.model.deleted {
            None => error,
            Some(_) => error.with_hint("it is in the trash: restore it, or purge it"),
        }
        .into());
    }
    let created = options.created.map_or(Ok(writer.now), time::to_micros)?;
    let mut model = Model::new(name.clone(), time::from_micros(created)?);
    model.note = options.note;
    model.tags = options.tags;
    let last: Option<i64> = sql
        .prepare_cached("DELETE FROM purged_models WHERE name = ?1 RETURNING last_number")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?;
    model.last_number = last.unwrap_or(0) as u64;
    sql.prepare_cached(
        "INSERT INTO models (name, created, updated, last_number, note) VALUES (?1, ?2, ?2, ?3, ?4)",
    )?
    .execute(params![name.as_str(), created, model.last_number as i64, model.note])?;
    let row = sql.last_insert_rowid();
    set_tags(sql, row, &model.tags)?;
    writer.journal(events::MODEL_CREATE, &name.into(), &events::model_create(&model))?;
    Ok(model)
}

pub(super) fn update(
    writer: &Writer<'_>,
    name: &ModelName,
    changes: ModelChanges,
) -> Outcome<Model> {
    let sql = writer.sql;
    let op = "registry.update_model";
    let stored = find(sql, name)?.ok_or_else(|| missing(op, name))?;
    let row = stored.row;
    let mut model = load(sql, stored, &mut Names::default())?;
    check::model_trash(model.deleted.is_some(), &changes)?;
    check::expected_aliases(&model, &changes)?;
    let mut changed = ModelChanges::default();
    changed.deleted = changes.deleted.filter(|deleted| *deleted != model.deleted.is_some());
    if changed.deleted == Some(true) {
        check::deletable_model(&model)?;
    }
    for (alias, number) in changes.aliases {
        if model.aliases.get(&alias).copied() == number {
            continue;
        }
        if let Some(number) = number {
            let there = sql
                .prepare_cached(
                    "SELECT 1 FROM versions WHERE model = ?1 AND number = ?2 AND deleted IS NULL",
                )?
                .exists(params![row, number as i64])?;
            if !there {
                return Err(check::no_such_version(&alias, number).into());
            }
        }
        changed.aliases.insert(alias, number);
    }
    changed.note = changes.note.filter(|note| *note != model.note);
    for (key, value) in changes.tags {
        if model.tags.get(&key) != Some(&value) {
            model.tags.insert(key.clone(), value.clone());
            changed.tags.insert(key, value);
        }
    }
    for key in changes.remove_tags {
        if model.tags.remove(&key).is_some() {
            changed.remove_tags.push(key);
        }
    }
    changed.remove_tags.sort();
    let now = time::from_micros(writer.now)?;
    match changed.deleted {
        Some(true) => model.deleted = Some(now),
        Some(false) => model.deleted = None,
        None => {}
    }
    let Some(payload) = events::model_update(&changed, model.deleted) else { return Ok(model) };

    if let Some(note) = &changed.note {
        model.note.clone_from(note);
    }
    model.updated = now;
    set_tags(sql, row, &changed.tags)?;
    for key in &changed.remove_tags {
        sql.prepare_cached("DELETE FROM model_tags WHERE model = ?1 AND key = ?2")?
            .execute(params![row, names::find(sql, key)?])?;
    }
    for (alias, number) in &changed.aliases {
        let before = match number {
            Some(number) => model.aliases.insert(alias.clone(), *number),
            None => model.aliases.remove(alias),
        };
        move_alias(writer, row, alias, before, *number)?;
    }
    sql.prepare_cached("UPDATE models SET note = ?2, deleted = ?3, updated = ?4 WHERE id = ?1")?
        .execute(params![
            row,
            model.note,
            model.deleted.map(|d| d.timestamp_micros()),
            writer.now
        ])?;
    writer.journal(events::MODEL_UPDATE, &name.into(), &payload)?;
    Ok(model)
}

fn move_alias(
    writer: &Writer<'_>,
    model: i64,
    alias: &Alias,
    from: Option<u64>,
    to: Option<u64>,
) -> Outcome<()> {
    let sql = writer.sql;
    match to {
        Some(number) => sql
            .prepare_cached(
                "INSERT INTO aliases (model, alias, number) VALUES (?1, ?2, ?3)
                 ON CONFLICT (model, alias) DO UPDATE SET number = excluded.number",
            )?
            .execute(params![model, alias.as_str(), number as i64])?,
        None => sql
            .prepare_cached("DELETE FROM aliases WHERE model = ?1 AND alias = ?2")?
            .execute(params![model, alias.as_str()])?,
    };
    for number in [from, to].into_iter().flatten() {
        sql.prepare_cached("UPDATE versions SET updated = ?3 WHERE model = ?1 AND number = ?2")?
            .execute(params![model, number as i64, writer.now])?;
    }
    Ok(())
}

/// Notes that something about a model's versions has changed.
pub(super) fn touch(writer: &Writer<'_>, model: i64) -> Outcome<()> {
    writer
        .sql
        .prepare_cached("UPDATE models SET updated = ?2 WHERE id = ?1")?
        .execute(params![model, writer.now])?;
    Ok(())
}

pub(super) fn missing(op: &'static str, name: &ModelName) -> Error {
    Error::not_found(op, "no model has this name").with("model", name)
}

pub(super) fn find(sql: &Connection, name: &ModelName) -> Outcome<Option<Stored>> {
    sql.prepare_cached(&format!("SELECT {COLUMNS} FROM models m WHERE m.name = ?1"))?
        .query_row([name.as_str()], |row| Ok(stored(row)))
        .optional()?
        .transpose()
}

/// The model of this row number, with all that hangs on it.
pub(super) fn load_row(sql: &Connection, row: i64, names: &mut Names) -> Outcome<Model> {
    let found = sql
        .prepare_cached(&format!("SELECT {COLUMNS} FROM models m WHERE m.id = ?1"))?
        .query_row([row], |row| Ok(stored(row)))??;
    load(sql, found, names)
}

/// Adds what hangs on the model.
pub(super) fn load(sql: &Connection, stored: Stored, names: &mut Names) -> Outcome<Model> {
    let Stored { row, mut model } = stored;
    let mut statement = sql.prepare_cached("SELECT key, value FROM model_tags WHERE model = ?1")?;
    let mut rows = statement.query([row])?;
    while let Some(row) = rows.next()? {
        model.tags.insert(names.of(sql, row.get(0)?)?, row.get(1)?);
    }
    let mut statement = sql.prepare_cached("SELECT alias, number FROM aliases WHERE model = ?1")?;
    let mut rows = statement.query([row])?;
    while let Some(row) = rows.next()? {
        let alias = Alias::new(row.get_ref(0)?.as_str().map_err(|_| ALIAS)?)?;
        model.aliases.insert(alias, row.get::<_, i64>(1)? as u64);
    }
    for stage in [Stage::Development, Stage::Staging, Stage::Production, Stage::Archived] {
        let held = holders(sql, row, stage)?;
        if !held.is_empty() {
            model.stages.insert(stage, held);
        }
    }
    Ok(model)
}

/// The numbers of the versions in a stage, the one that came there last at the end.
pub(super) fn holders(sql: &Connection, model: i64, stage: Stage) -> Outcome<Vec<u64>> {
    let mut statement = sql.prepare_cached(
        "SELECT number FROM versions WHERE stage = ?2 AND model = ?1 ORDER BY staged, number",
    )?;
    let rows = statement.query_map(params![model, stage.as_str()], |row| row.get::<_, i64>(0))?;
    Ok(rows.map(|row| row.map(|number| number as u64)).collect::<Result<_, _>>()?)
}

fn stored(row: &Row<'_>) -> Outcome<Stored> {
    let name = ModelName::new(row.get_ref(1)?.as_str().map_err(|_| NAME)?)?;
    let mut model = Model::new(name, time::from_micros(row.get(2)?)?);
    model.updated = time::from_micros(row.get(3)?)?;
    model.deleted = row.get::<_, Option<i64>>(4)?.map(time::from_micros).transpose()?;
    model.last_number = row.get::<_, i64>(5)? as u64;
    model.note = row.get(6)?;
    Ok(Stored { row: row.get(0)?, model })
}

const NAME: Fail = Fail::Stored { what: "models.name" };
const ALIAS: Fail = Fail::Stored { what: "aliases.alias" };

fn set_tags(sql: &Connection, row: i64, tags: &BTreeMap<Key, String>) -> Outcome<()> {
    for (key, value) in tags {
        sql.prepare_cached(
            "INSERT INTO model_tags (model, key, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (model, key) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![row, names::intern(sql, key)?, value])?;
    }
    Ok(())
}
