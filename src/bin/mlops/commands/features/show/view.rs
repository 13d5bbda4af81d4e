//! A view: its versions, its rows, what its columns hold, and who uses it.

use mlops::feature_store::Used;
use mlops::feature_store::trust::ViewStatistics;
use mlops::features::{
    Feature, FeatureName, FeatureStore, Lag, Manifest, Registered, Segment, Source, ViewRecord,
};
use mlops::registry::Role;
use mlops::time::{Clock, SystemClock};
use serde_json::json;

use super::super::list::{names, or_dash, rows_of};
use super::super::{LONGEST, LONGEST_NAME, Opened, view_of};
use super::person;
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, pairs, right, table};

/// More segments than these are counted and not listed.
const SHOWN: usize = 20;

pub(super) async fn show(
    opened: &Opened,
    registered: &Registered,
    name: &FeatureName,
    output: &mut Output,
) -> Result<(), Failure> {
    let record = view_of(registered, name)?;
    let features = opened.features(Role::Viewer).await?;
    let manifest = features.offline().manifest(&record.last().table.id, None).await?;
    let users = features.used_by(name, None).await?;
    let lag = opened.store.lag().await?.into_iter().find(|lag| lag.view == *name);
    let statistics = features.statistics(name).await?;
    if output.is_json() {
        let state = record.state.at(SystemClock.now());
        return output.document(&json!({
            "kind": "view",
            "name": name,
            "state": state,
            "versions": record.versions,
            "statistics": statistics,
            "segments": manifest.segments,
            "lag": lag,
            "used_by": users,
        }));
    }
    head(record, &manifest, lag.as_ref(), &users, output)?;
    output.line("")?;
    of_features(record, &statistics, output)?;
    versions(record, output)?;
    segments(&manifest, output)
}

fn head(
    record: &ViewRecord,
    manifest: &Manifest,
    lag: Option<&Lag>,
    users: &[Used],
    output: &mut Output,
) -> Result<(), Failure> {
    let last = record.last();
    let definition = &last.definition;
    let mut shown = pairs();
    let mut row = |name: &str, value: String| {
        shown.add_row([name.to_owned(), value]);
    };
    row("view", format!("{} version {}", definition.name, last.version));
    row("state", record.state.at(SystemClock.now()).to_string());
    row("owner", or_dash(&definition.owner, LONGEST));
    row("description", or_dash(&definition.description, LONGEST));
    row("entities", names(&definition.entities));
    row("keys", names(last.table.keys.iter().map(|key| format!("{} {}", key.name, key.data_type))));
    let ttl = definition.ttl;
    row("ttl", if ttl.is_zero() { "any age".to_owned() } else { ttl.to_string() });
    row("used by", names(users.iter().filter(|used| used.last).map(|used| &used.service)));
    if let Source::Files(urls) = &last.table.source {
        row("files", format::text(&urls.join(", "), LONGEST));
    } else {
        let bytes = manifest.segments.iter().map(|segment| segment.bytes).sum();
        let segments = format::count(manifest.segments.len() as u64, "segment");
        row("rows", format!("{} in {segments}", rows_of(manifest)));
        row("bytes", format::bytes(bytes));
        if let Some(lag) = lag {
            row("not online", format::count(lag.rows, "row"));
        }
        let newest = manifest.segments.iter().map(|segment| segment.event_time.1).max();
        row("newest event", newest.map_or_else(|| "-".to_owned(), format::micros));
    }
    output.table(shown)
}

fn of_features(
    record: &ViewRecord,
    statistics: &ViewStatistics,
    output: &mut Output,
) -> Result<(), Failure> {
    let heading =
        ["feature", "type", "of", "nulls", "least", "mean", "greatest", "person", "description"];
    let mut shown = table(heading);
    for feature in &record.last().definition.features {
        // An aggregate has no column of values, only one that it is made of.
        let held = statistics.feature(&feature.name).filter(|_| feature.aggregate.is_none());
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), format::number);
        shown.add_row([
            feature.name.to_string(),
            feature.data_type.to_string(),
            of(feature),
            held.map_or_else(|| "-".to_owned(), |column| column.nulls.to_string()),
            number(held.and_then(|column| column.min)),
            number(held.and_then(|column| column.mean)),
            number(held.and_then(|column| column.max)),
            person(feature.pii),
            or_dash(&feature.description, LONGEST),
        ]);
    }
    right(&mut shown, [3, 4, 5, 6]);
    output.table(shown)
}

/// `column`, or `sum(column) over 7d`.
fn of(feature: &Feature) -> String {
    let column = format::text(feature.column(), LONGEST_NAME);
    let Some(aggregate) = feature.aggregate else { return column };
    let function = json!(aggregate.function);
    let function = function.as_str().unwrap_or_default();
    format!("{function}({column}) over {}", aggregate.window)
}

fn versions(record: &ViewRecord, output: &mut Output) -> Result<(), Failure> {
    let mut shown = table(["version", "rows are those of", "features", "digest"]);
    for version in record.versions.iter().rev() {
        shown.add_row([
            version.version.to_string(),
            version.table.id.to_string(),
            version.definition.features.len().to_string(),
            format::text(&version.digest.to_string(), 19),
        ]);
    }
    right(&mut shown, [0, 2]);
    output.line("")?;
    output.table(shown)
}

fn segments(manifest: &Manifest, output: &mut Output) -> Result<(), Failure> {
    if manifest.segments.is_empty() {
        return Ok(());
    }
    let mut shown = table(["segment", "rows", "keys", "bytes", "events from", "until"]);
    for segment in manifest.segments.iter().take(SHOWN) {
        let Segment { path, rows, keys, bytes, event_time, .. } = segment;
        shown.add_row([
            path.rsplit('/').next().unwrap_or(path).to_owned(),
            rows.to_string(),
            keys.to_string(),
            format::bytes(*bytes),
            format::micros(event_time.0),
            format::micros(event_time.1),
        ]);
    }
    right(&mut shown, [1, 2, 3]);
    output.line("")?;
    output.table(shown)?;
    match manifest.segments.len().checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => output.line(format!("and {}", format::count(more as u64, "more segment"))),
    }
}
