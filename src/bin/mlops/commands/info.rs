//! `mlops info`: what the store is and holds.

use std::path::Path;

use futures::TryStreamExt;
use mlops::filter::Filter;
use mlops::registry::{ModelQuery, VersionQuery};
use mlops::tracking::{ExperimentQuery, MAX_PAGE, RunQuery, RunStatus, View};
use mlops::{BackendUrl, Result, Workspace};
use serde_json::{Map, Value, json};

use super::journal;
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, pairs};
use crate::store::DATABASE;

pub(crate) async fn run(ws: &Workspace, store: &str, output: &mut Output) -> Result<(), Failure> {
    let url: BackendUrl = store.parse()?;
    let database = ws.directory().map(database_bytes);
    let spool = ws.directory().map(|directory| files_bytes(&directory.join("spool")));
    let blobs = ws
        .blobs()
        .list()
        .try_fold((0_u64, 0_u64), async |(n, bytes), blob| Ok((n + 1, bytes + blob.size)))
        .await?;
    let experiments =
        [count_experiments(ws, View::Active).await?, count_experiments(ws, View::Deleted).await?];
    let mut by_status = Map::new();
    for status in RunStatus::ALL {
        let mut query = RunQuery::default();
        query.filter = Filter::parse(&format!("status = '{status}'"))?;
        by_status.insert(status.to_string(), ws.tracker().count_runs(&query).await?.into());
    }
    let models = [count_models(ws, View::Active).await?, count_models(ws, View::Deleted).await?];
    let versions =
        [count_versions(ws, View::Active).await?, count_versions(ws, View::Deleted).await?];
    let trashed = ws.tracker().count_runs(&RunQuery::default().with_view(View::Deleted)).await?;
    let events = journal::length(ws).await?;
    let capability = ws.tracker().capability();
    let recovered = ws.recovered();
    let document = json!({
        "store": url.to_string(),
        "backend": url.scheme(),
        "directory": ws.directory(),
        "version": env!("CARGO_PKG_VERSION"),
        "capability": capability,
        "bytes": { "database": database, "spool": spool, "blobs": blobs.1 },
        "blobs": blobs.0,
        "experiments": { "active": experiments[0], "deleted": experiments[1] },
        "runs": { "by_status": by_status, "deleted": trashed },
        "models": { "active": models[0], "deleted": models[1] },
        "versions": { "active": versions[0], "deleted": versions[1] },
        "journal_events": events,
        "recovered": {
            "lost": recovered.lost,
            "points": recovered.points,
            "left": recovered.left,
        },
    });
    if output.is_json() {
        return output.document(&document);
    }
    let mut shown = pairs();
    let mut row = |name: &str, value: String| {
        shown.add_row([name.to_owned(), value]);
    };
    row("store", url.to_string());
    row("backend", url.scheme().to_owned());
    row("version", format!("mlops {}", env!("CARGO_PKG_VERSION")));
    if let (Some(database), Some(spool)) = (database, spool) {
        row("database", format::bytes(database));
        row("spool", format::bytes(spool));
    }
    row("blobs", format!("{} in {}", format::bytes(blobs.1), format::count(blobs.0, "object")));
    row("experiments", format!("{}, {} in the trash", experiments[0], experiments[1]));
    row("runs", format!("{}, {trashed} in the trash", statuses(&by_status)));
    row("models", format!("{}, {} in the trash", models[0], models[1]));
    row("versions", format!("{}, {} in the trash", versions[0], versions[1]));
    row("journal", format::count(events, "change"));
    let lost = format::count(recovered.lost.len() as u64, "run");
    row("recovered now", format!("{lost}, {}", format::count(recovered.points, "point")));
    output.table(shown)
}

/// `12 (10 finished, 2 running)`
fn statuses(by_status: &Map<String, Value>) -> String {
    let total: u64 = by_status.values().filter_map(Value::as_u64).sum();
    let some = by_status.iter().filter(|(_, count)| count.as_u64() != Some(0));
    let parts: Vec<String> = some.map(|(status, count)| format!("{count} {status}")).collect();
    if parts.is_empty() { total.to_string() } else { format!("{total} ({})", parts.join(", ")) }
}

async fn count_experiments(ws: &Workspace, view: View) -> Result<u64> {
    let mut query = ExperimentQuery::default().with_view(view).with_limit(MAX_PAGE);
    let mut count = 0;
    loop {
        let page = ws.tracker().search_experiments(&query).await?;
        count += page.items.len() as u64;
        if page.next.is_none() {
            return Ok(count);
        }
        query.page = page.next;
    }
}

async fn count_models(ws: &Workspace, view: View) -> Result<u64> {
    let mut query = ModelQuery::default().with_view(view).with_limit(MAX_PAGE);
    let mut count = 0;
    loop {
        let page = ws.models().registry().search_models(&query).await?;
        count += page.items.len() as u64;
        if page.next.is_none() {
            return Ok(count);
        }
        query.page = page.next;
    }
}

async fn count_versions(ws: &Workspace, view: View) -> Result<u64> {
    let mut query = VersionQuery::default().with_view(view).with_limit(MAX_PAGE);
    let mut count = 0;
    loop {
        let page = ws.models().registry().search_versions(&query).await?;
        count += page.items.len() as u64;
        if page.next.is_none() {
            return Ok(count);
        }
        query.page = page.next;
    }
}

/// The database with what is not yet written back into it.
fn database_bytes(directory: &Path) -> u64 {
    ["", "-wal"]
        .iter()
        .filter_map(|suffix| directory.join(format!("{DATABASE}{suffix}")).metadata().ok())
        .map(|file| file.len())
        .sum()
}

fn files_bytes(directory: &Path) -> u64 {
    let Ok(entries) = directory.read_dir() else {
        return 0;
    };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}
