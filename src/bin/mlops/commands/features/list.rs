//! `mlops features list`: what is defined, with how many rows and who answers for it.

use std::collections::BTreeMap;

use mlops::features::{
    Entity, FeatureName, FeatureStore, Lag, Manifest, Registered, ServiceVersion, Source,
    ViewRecord,
};
use mlops::registry::Role;
use mlops::time::{Clock, SystemClock};
use serde_json::{Value, json};

use super::{LONGEST, LONGEST_NAME, Opened};
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, right, table};

pub(super) async fn run(opened: &Opened, output: &mut Output) -> Result<(), Failure> {
    let registered = opened.store.registered().await?;
    let lags = opened.store.lag().await?;
    let lags: BTreeMap<&FeatureName, &Lag> = lags.iter().map(|lag| (&lag.view, lag)).collect();
    let offline = opened.features(Role::Viewer).await?.offline();
    let mut views = Vec::new();
    for (name, record) in &registered.views {
        let table = &record.last().table;
        let rows = match table.source {
            Source::Log => Some(rows_of(&offline.manifest(&table.id, None).await?)),
            _ => None,
        };
        views.push(View { name, record, rows, lag: lags.get(name).copied() });
    }
    if output.is_json() {
        return output.document(&document(&registered, &views));
    }
    if registered == Registered::default() {
        return output.note("nothing is defined", None);
    }
    of_entities(&registered, output)?;
    of_views(&views, output)?;
    of_services(&registered, output)
}

/// A view, as a line of the list.
struct View<'a> {
    name: &'a FeatureName,
    record: &'a ViewRecord,
    /// Rows of the log; of files nobody counts them.
    rows: Option<u64>,
    lag: Option<&'a Lag>,
}

/// How many rows a log has.
pub(super) fn rows_of(manifest: &Manifest) -> u64 {
    manifest.segments.iter().map(|segment| segment.rows).sum()
}

/// `driver_id int, city string`
pub(super) fn keys_of(entity: &Entity) -> String {
    let keys = entity.keys.iter().map(|key| format!("{} {}", key.name, key.data_type));
    keys.collect::<Vec<_>>().join(", ")
}

/// `-` for nothing.
pub(super) fn or_dash(text: &str, most: usize) -> String {
    if text.is_empty() { "-".to_owned() } else { format::text(text, most) }
}

/// Names with commas between them, or `-`.
pub(super) fn names<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    or_dash(&names.join(", "), LONGEST_NAME)
}

fn of_entities(registered: &Registered, output: &mut Output) -> Result<(), Failure> {
    let mut shown = table(["entity", "keys", "owner", "description"]);
    for (name, entity) in &registered.entities {
        shown.add_row([
            name.to_string(),
            format::text(&keys_of(entity), LONGEST_NAME),
            or_dash(&entity.owner, 30),
            or_dash(&entity.description, LONGEST),
        ]);
    }
    output.table(shown)
}

fn of_views(views: &[View<'_>], output: &mut Output) -> Result<(), Failure> {
    if views.is_empty() {
        return Ok(());
    }
    let mut shown =
        table(["view", "version", "state", "features", "rows", "not online", "entities", "owner"]);
    let count = |rows: Option<u64>| rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string());
    let now = SystemClock.now();
    for View { name, record, rows, lag } in views {
        let last = record.last();
        shown.add_row([
            name.to_string(),
            last.version.to_string(),
            record.state.at(now).to_string(),
            last.definition.features.len().to_string(),
            count(*rows),
            count(rows.and(lag.map(|lag| lag.rows))),
            names(&last.definition.entities),
            or_dash(&last.definition.owner, 30),
        ]);
    }
    right(&mut shown, [1, 3, 4, 5]);
    output.line("")?;
    output.table(shown)
}

fn of_services(registered: &Registered, output: &mut Output) -> Result<(), Failure> {
    if registered.services.is_empty() {
        return Ok(());
    }
    let mut shown = table(["service", "version", "views", "transforms", "owner", "description"]);
    for (name, record) in &registered.services {
        let last = record.last();
        shown.add_row([
            name.to_string(),
            last.version.to_string(),
            names(pins(last)),
            names(&last.definition.on_demand),
            or_dash(&last.definition.owner, 30),
            or_dash(&last.definition.description, LONGEST),
        ]);
    }
    right(&mut shown, [1]);
    output.line("")?;
    output.table(shown)
}

/// `driver_stats@2`, for each view.
pub(super) fn pins(version: &ServiceVersion) -> impl Iterator<Item = String> {
    version.views.iter().map(|(view, number)| format!("{view}@{number}"))
}

fn document(registered: &Registered, views: &[View<'_>]) -> Value {
    let now = SystemClock.now();
    let view = |view: &View<'_>| {
        let last = view.record.last();
        json!({
            "name": view.name,
            "version": last.version,
            "state": view.record.state.at(now),
            "entities": last.definition.entities,
            "features": last.definition.features.len(),
            "rows": view.rows,
            "not_online": view.rows.and(view.lag.map(|lag| lag.rows)),
            "owner": last.definition.owner,
            "description": last.definition.description,
        })
    };
    let service = |(name, record): (&FeatureName, &mlops::features::ServiceRecord)| {
        let last = record.last();
        json!({
            "name": name,
            "version": last.version,
            "views": last.views,
            "transforms": last.definition.on_demand,
            "owner": last.definition.owner,
            "description": last.definition.description,
        })
    };
    json!({
        "entities": registered.entities.values().collect::<Vec<_>>(),
        "views": views.iter().map(view).collect::<Vec<_>>(),
        "transforms": registered.on_demand.values().collect::<Vec<_>>(),
        "services": registered.services.iter().map(service).collect::<Vec<_>>(),
    })
}
