//! `mlops features verify`: the segments of views, and what services answered.
//!
//! A name is of a view, whose segments are read again, or of a service, whose logged answers are played
//! again; one that is both stands for both.

use std::collections::BTreeSet;
use std::sync::Arc;

use mlops::durable::DurableLocal;
use mlops::feature_store::offline::SegmentStore;
use mlops::feature_store::trust::{ServingLogs, SkewReport, Verify as Which};
use mlops::features::{FeatureName, FeatureStore, Registered, ServiceRef, Source, TableId};
use mlops::registry::Role;
use mlops::time::SystemClock;
use mlops::{Error, ErrorKind, Result, Workspace};
use serde_json::{Value, json};

use super::{Opened, range, views_of};
use crate::args::Verify;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, right, table};

/// Where the rows of an embedded store are, below its directory.
const SEGMENTS: &str = "features";
/// Where programs log what they serve, unless they say otherwise.
pub(super) const SERVING: &str = "serving";

pub(super) async fn run(
    opened: &Opened,
    asked: &Verify,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    let registered = opened.store.registered().await?;
    let (views, services) = named(&registered, &asked.names)?;
    let tables = if views.is_empty() && !services.is_empty() {
        Vec::new()
    } else {
        read_again(opened, &registered, &views).await?
    };
    let mut reports = Vec::new();
    for service in &services {
        reports.push(play_again(opened, asked, service).await?);
    }
    let damaged = tables.iter().find_map(|table| table.problem.as_ref());
    let skewed: Vec<&SkewReport> = reports.iter().filter(|report| !report.is_clean()).collect();
    if output.is_json() {
        output.document(&json!({
            "ok": damaged.is_none() && skewed.is_empty(),
            "tables": tables.iter().map(Found::document).collect::<Value>(),
            "skew": reports,
        }))?;
    } else {
        show(&tables, &reports, output)?;
    }
    output.flush()?;
    if let Some(problem) = damaged {
        // What a log names and is gone is damage, not a name that nobody knows.
        return Err(Error::new(ErrorKind::Corrupt, COMMAND, "rows are not what was written")
            .with("first", format::text(problem, 500))
            .with_hint("restore the files from a backup")
            .into());
    }
    if skewed.is_empty() {
        return Ok(());
    }
    let services: Vec<String> = skewed.iter().map(|report| report.service.to_string()).collect();
    let cells: u64 = skewed.iter().map(|report| report.mismatches()).sum();
    let message = "refused: what was served is not what the log says";
    Err(Error::new(ErrorKind::Denied, COMMAND, message)
        .with("services", services.join(", "))
        .with("cells", cells)
        .into())
}

/// The serving logs of an embedded store.
pub(super) fn serving_logs(ws: &Workspace, prefix: &str) -> Result<Option<ServingLogs>> {
    let Some(directory) = ws.directory() else { return Ok(None) };
    ServingLogs::new(Arc::new(DurableLocal::open(directory)?), prefix).map(Some)
}

/// What names are of.
fn named(registered: &Registered, names: &[String]) -> Result<(Vec<String>, Vec<ServiceRef>)> {
    let (mut views, mut services) = (Vec::new(), Vec::new());
    for text in names {
        let service: ServiceRef = text.parse()?;
        let is_view = service.version.is_none() && registered.views.contains_key(&service.name);
        let is_service = registered.services.contains_key(&service.name);
        if !is_view && !is_service {
            return Err(Error::not_found(COMMAND, "no view or service has this name")
                .with("name", text)
                .with_hint("`mlops features list` shows what is defined"));
        }
        if is_view {
            views.push(text.clone());
        }
        if is_service {
            services.push(service);
        }
    }
    Ok((views, services))
}

/// A table whose segments were read again.
struct Found<'a> {
    view: &'a FeatureName,
    table: &'a TableId,
    bytes: u64,
    problem: Option<String>,
}

impl Found<'_> {
    fn document(&self) -> Value {
        let Self { view, table, bytes, problem } = self;
        json!({ "view": view, "table": table, "bytes": bytes, "problem": problem })
    }
}

async fn read_again<'a>(
    opened: &Opened,
    registered: &'a Registered,
    views: &[String],
) -> Result<Vec<Found<'a>>> {
    opened.features(Role::Viewer).await?;
    let segments = segments_of(&opened.ws)?;
    let mut found = Vec::new();
    for (view, record) in views_of(registered, views)? {
        let mut seen = BTreeSet::new();
        for version in record.versions.iter().rev() {
            let table = &version.table.id;
            if version.table.source != Source::Log || !seen.insert(table) {
                continue;
            }
            let (bytes, problem) = match segments.verify(table).await {
                Ok(bytes) => (bytes, None),
                // One table's damage does not hide another's.
                Err(e) if matches!(e.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
                    (0, Some(e.to_string()))
                }
                Err(e) => return Err(e),
            };
            found.push(Found { view, table, bytes, problem });
        }
    }
    Ok(found)
}

/// The segments of an embedded store, to be read as they are.
fn segments_of(ws: &Workspace) -> Result<SegmentStore> {
    let directory = ws.directory().ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, COMMAND, "this store has no files to be verified")
    })?;
    let files = Arc::new(DurableLocal::open(directory)?);
    let catalog = Arc::clone(ws.models().catalog());
    SegmentStore::new(files, SEGMENTS, catalog, Arc::new(SystemClock))
}

async fn play_again(opened: &Opened, asked: &Verify, service: &ServiceRef) -> Result<SkewReport> {
    let logs = serving_logs(&opened.ws, &asked.log)?.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, COMMAND, "this store has no files of serving logs")
    })?;
    let mut which = Which::default();
    if let (Some(from), Some(until)) = (asked.from, asked.until) {
        let (from, until) = range(from, until)?;
        which = which.between(from, until);
    }
    opened.features(Role::Viewer).await?.verify_skew(&logs, service, &which).await
}

fn show(
    tables: &[Found<'_>],
    reports: &[SkewReport],
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    if !tables.is_empty() || reports.is_empty() {
        let mut shown = table(["view", "table", "bytes", "is what was written"]);
        for Found { view, table, bytes, problem } in tables {
            let answer = problem.as_ref().map_or("yes".to_owned(), |why| format::text(why, 250));
            shown.add_row([view.to_string(), table.to_string(), bytes.to_string(), answer]);
        }
        right(&mut shown, [2]);
        output.table(shown)?;
    }
    for report in reports {
        output.line(format::paragraph(report.to_string().trim_end()))?;
    }
    Ok(())
}
