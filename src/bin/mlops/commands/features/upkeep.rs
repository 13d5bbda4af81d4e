//! `mlops features verify` and `compact`.

use std::collections::BTreeSet;
use std::sync::Arc;

use mlops::durable::DurableLocal;
use mlops::feature_store::offline::SegmentStore;
use mlops::features::{Compaction, CompactionWatcher, FeatureStore, Source};
use mlops::registry::Role;
use mlops::time::SystemClock;
use mlops::{Error, ErrorKind, Workspace};
use serde_json::{Value, json};

use super::{Opened, span_micros, views_of};
use crate::args::Compact;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, right, table};
use crate::progress::Bar;

/// Below the store's directory.
const FOLDER: &str = "features";

pub(super) async fn verify(
    opened: &Opened,
    views: &[String],
    output: &mut Output,
) -> Result<(), Failure> {
    let registered = opened.store.registered().await?;
    opened.features(Role::Viewer).await?;
    let segments = segments_of(&opened.ws)?;
    let mut found = Vec::new();
    let mut first = None;
    for (name, record) in views_of(&registered, views)? {
        let mut seen = BTreeSet::new();
        for version in record.versions.iter().rev() {
            let table = &version.table;
            if table.source != Source::Log || !seen.insert(&table.id) {
                continue;
            }
            let problem = match segments.verify(&table.id).await {
                Ok(bytes) => (bytes, None),
                // One table's damage does not hide another's.
                Err(e) if matches!(e.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
                    let text = e.to_string();
                    first.get_or_insert(e);
                    (0, Some(text))
                }
                Err(e) => return Err(e.into()),
            };
            found.push((name, &table.id, problem));
        }
    }
    if output.is_json() {
        let document = found.iter().map(|(view, table, (bytes, problem))| {
            json!({ "view": view, "table": table, "bytes": bytes, "problem": problem })
        });
        let tables = document.collect::<Value>();
        output.document(&json!({ "ok": first.is_none(), "tables": tables }))?;
    } else {
        let mut shown = table(["view", "table", "bytes", "is what was written"]);
        for (view, table, (bytes, problem)) in &found {
            let answer = problem.as_ref().map_or("yes".to_owned(), |why| format::text(why, 250));
            shown.add_row([view.to_string(), table.to_string(), bytes.to_string(), answer]);
        }
        right(&mut shown, [2]);
        output.table(shown)?;
    }
    output.flush()?;
    match first {
        None => Ok(()),
        // What a log names and is gone is damage, not a name that nobody knows.
        Some(e) => Err(Error::new(ErrorKind::Corrupt, COMMAND, "rows are not what was written")
            .with("first", format::text(&e.to_string(), 500))
            .with_hint("restore the files from a backup")
            .into()),
    }
}

/// The segments of an embedded store, to be read as they are.
fn segments_of(ws: &Workspace) -> mlops::Result<SegmentStore> {
    let directory = ws.directory().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, COMMAND, "this store has no files to be verified")
    })?;
    let files = Arc::new(DurableLocal::open(directory)?);
    let catalog = Arc::clone(ws.models().catalog());
    SegmentStore::new(files, FOLDER, catalog, Arc::new(SystemClock))
}

pub(super) async fn compact(
    opened: &Opened,
    asked: &Compact,
    output: &mut Output,
) -> Result<(), Failure> {
    let registered = opened.store.registered().await?;
    let offline = opened.features(Role::Contributor).await?.offline();
    let mut done = Vec::new();
    for (name, record) in views_of(&registered, &asked.views)? {
        let table = &record.last().table;
        if table.source != Source::Log {
            continue;
        }
        let bar = Bar::rows("compacting");
        let mut how = Compaction::default();
        how.full = asked.full;
        how.grace = span_micros(asked.grace);
        how.progress = bar.watcher().map(CompactionWatcher);
        done.push((name, offline.compact(table, how).await?));
    }
    if output.is_json() {
        let document = |(view, report): &(_, _)| json!({ "view": view, "report": report });
        return output.document(&done.iter().map(document).collect::<Value>());
    }
    let mut shown = table(["view", "merged", "made", "rows", "deleted", "position"]);
    for (view, report) in &done {
        shown.add_row([
            view.to_string(),
            report.merged.to_string(),
            report.made.to_string(),
            report.rows.to_string(),
            report.deleted.to_string(),
            report.position.to_string(),
        ]);
    }
    right(&mut shown, [1, 2, 3, 4, 5]);
    output.table(shown)
}
