//! `mlops features erase`: plan first, then the proof of what was rewritten.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt;
use mlops::arrow::array::{ArrayRef, RecordBatch};
use mlops::arrow::compute::cast;
use mlops::arrow::datatypes::{DataType, Field, Schema};
use mlops::features::{
    Entity, Erased, FeatureName, FeatureStore, KeyBatch, Registered, Rewritten, Scan, Source,
    Table, TableId,
};
use mlops::registry::Role;
use mlops::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::read::{self, Types};
use super::{Opened, values};
use crate::args::Erase;
use crate::commands::{consent, once};
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, right, table};

pub(super) async fn run(
    opened: &Opened,
    asked: &Erase,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    once("column", asked.key.iter().map(|(name, _)| name))?;
    let registered = opened.store.registered().await?;
    let name = FeatureName::new(&asked.entity)?;
    let entity = registered.entities.get(&name).ok_or_else(|| {
        Error::not_found(COMMAND, "there is no such entity")
            .with("entity", &name)
            .with_hint("`mlops features list` shows what is defined")
    })?;
    let keys = match &asked.rows {
        Some(file) => keys_of(entity, &read::whole(file, &types_of(entity))?)?,
        None => key_of(entity, &asked.key)?,
    };
    refuse_files(&registered, &name)?;
    let plan = plan(opened, &registered, entity, &keys).await?;
    if !output.is_json() {
        let rows = plan.iter().map(|(_, rows)| rows).sum();
        let keys = format::count(keys.num_rows() as u64, "key");
        output.line(format!("for ever: {} of {keys} of {name}", format::count(rows, "row")))?;
        for (table, rows) in &plan {
            output.line(format!("  {table}: {}", format::count(*rows, "row")))?;
        }
    }
    let answer = consent::given(&asked.consent);
    let planned: Value =
        plan.iter().map(|(table, rows)| json!({ "table": table, "rows": rows })).collect();
    if answer.is_err() && output.is_json() {
        output.document(&json!({ "plan": planned, "done": null }))?;
    }
    output.flush()?;
    let done = if answer? { Some(opened.store.erase(&name, &keys).await?) } else { None };
    if output.is_json() {
        return output.document(&json!({ "plan": planned, "done": done }));
    }
    match done {
        Some(done) => proof(&done, output),
        None => output.line("nothing was done: --dry-run"),
    }
}

fn types_of(entity: &Entity) -> Types {
    entity.keys.iter().map(|key| (key.name.clone(), key.data_type.arrow())).collect()
}

/// The one key that was typed.
fn key_of(entity: &Entity, given: &[(String, String)]) -> Result<RecordBatch> {
    let names = entity.keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(", ");
    let known = |name: &String| entity.keys.iter().any(|key| key.name == *name);
    if let Some((name, _)) = given.iter().find(|(name, _)| !known(name)) {
        return Err(Error::invalid(COMMAND, "the entity has no such key column")
            .with("column", format::text(name, 80))
            .with_hint(format!("it has {names}")));
    }
    let mut columns = Vec::new();
    for key in &entity.keys {
        let text = given.iter().find(|(name, _)| *name == key.name).map(|(_, text)| text.as_str());
        let text = text.ok_or_else(|| {
            Error::invalid(COMMAND, "a column of the key is not given")
                .with("column", &key.name)
                .with_hint(format!("the key is {names}"))
        })?;
        columns.push(values::parse(&key.name, &[text], &key.data_type.arrow())?);
    }
    batch(entity, columns)
}

/// The key columns of rows, brought to the types of keys.
fn keys_of(entity: &Entity, rows: &RecordBatch) -> Result<RecordBatch> {
    let mut columns = Vec::new();
    for key in &entity.keys {
        let column = rows.column_by_name(&key.name).ok_or_else(|| {
            Error::invalid(COMMAND, "the rows lack a column of the key").with("column", &key.name)
        })?;
        let (from, to) = (column.data_type(), key.data_type.arrow());
        // A number is no text: what could be meant otherwise is refused.
        if from.is_integer() != (to == DataType::Int64) || from.is_floating() {
            return Err(Error::invalid(COMMAND, "a column of the key has another type")
                .with("column", &key.name)
                .with("type", from)
                .with_hint(format!("keys of {} are {}", entity.name, key.data_type)));
        }
        let column = cast(column, &to).map_err(|e| unfit(&key.name).with_source(e))?;
        if column.null_count() > 0 {
            return Err(unfit(&key.name));
        }
        columns.push(column);
    }
    batch(entity, columns)
}

fn unfit(column: &str) -> Error {
    Error::invalid(COMMAND, "a column of the key has values that are no keys")
        .with("column", column)
}

fn batch(entity: &Entity, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let field = |(key, column): (&mlops::features::JoinKey, &ArrayRef)| {
        Field::new(&key.name, column.data_type().clone(), true)
    };
    let fields: Vec<Field> = entity.keys.iter().zip(&columns).map(field).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|e| Error::invalid(COMMAND, "the keys cannot be made").with_source(e))
}

/// Refuses before anything is done what the store cannot do: files that are not its own it never changes.
fn refuse_files(registered: &Registered, entity: &FeatureName) -> Result<()> {
    for (view, record) in &registered.views {
        for version in &record.versions {
            if let Source::Files(urls) = &version.table.source
                && version.definition.entities.contains(entity)
            {
                let message = "the rows of a view are in files that are not the store's";
                return Err(Error::new(ErrorKind::Unsupported, COMMAND, message)
                    .with("view", format!("{view}@{}", version.version))
                    .with("files", format::text(&urls.join(", "), 500))
                    .with_hint(
                        "nothing was done; such a view needs a new name without the entity",
                    ));
            }
        }
    }
    Ok(())
}

/// How many rows of the keys each table has.
async fn plan(
    opened: &Opened,
    registered: &Registered,
    entity: &Entity,
    keys: &RecordBatch,
) -> Result<Vec<(TableId, u64)>> {
    // Whoever may erase may see what: nobody else is shown how much is known of a key.
    let offline = opened.features(Role::Admin).await?.offline();
    let wanted = KeyBatch::from_columns(keys.columns(), keys.num_rows())?;
    let wanted: BTreeSet<&[u8]> = wanted.iter().flatten().collect();
    let mut plan = Vec::new();
    let mut seen = BTreeSet::new();
    for record in registered.views.values() {
        for version in &record.versions {
            let table = &version.table;
            let is_of = version.definition.entities.contains(&entity.name);
            if !is_of || table.source != Source::Log || !seen.insert(&table.id) {
                continue;
            }
            let places: Vec<usize> =
                entity.keys.iter().filter_map(|key| place_of(table, &key.name)).collect();
            let mut scan = Scan::default();
            scan.columns = Some(Vec::new());
            let mut batches = offline.scan(table, scan).await?;
            let mut rows = 0;
            while let Some(batch) = batches.try_next().await? {
                let columns: Vec<ArrayRef> =
                    places.iter().map(|at| Arc::clone(batch.column(*at))).collect();
                let there = KeyBatch::from_columns(&columns, batch.num_rows())?;
                rows += there.iter().flatten().filter(|key| wanted.contains(key)).count() as u64;
            }
            plan.push((table.id.clone(), rows));
        }
    }
    Ok(plan)
}

fn place_of(table: &Table, key: &str) -> Option<usize> {
    table.keys.iter().position(|there| there.name == key)
}

fn proof(done: &[Rewritten], output: &mut Output) -> std::result::Result<(), Failure> {
    let mut shown = table(["view", "rows", "online", "served", "rewritten", "deleted", "position"]);
    for view in done {
        shown.add_row([
            view.view.to_string(),
            view.offline.rows.to_string(),
            view.online.to_string(),
            view.serving.rows.to_string(),
            both(view, |erased| erased.rewritten.len()),
            both(view, |erased| erased.deleted.len()),
            view.offline.position.to_string(),
        ]);
    }
    right(&mut shown, [1, 2, 3, 4, 5, 6]);
    output.table(shown)?;
    for erased in done.iter().flat_map(|view| [&view.offline, &view.serving]) {
        for (before, after) in &erased.rewritten {
            let after = after.as_deref().unwrap_or("nothing was left");
            output.line(format!("{before} → {after}"))?;
        }
        for deleted in &erased.deleted {
            output.line(format!("deleted {deleted}"))?;
        }
    }
    Ok(())
}

/// How many of the log and of serving logs.
fn both(view: &Rewritten, count: impl Fn(&Erased) -> usize) -> String {
    (count(&view.offline) + count(&view.serving)).to_string()
}
