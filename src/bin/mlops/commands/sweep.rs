//! `mlops sweep`: what uploads that died left behind, shown and then taken away.

use mlops::Workspace;
use mlops::time::{Clock, SystemClock, from_micros_lossy};
use serde_json::json;

use super::consent;
use crate::args::Sweep;
use crate::failure::Failure;
use crate::format;
use crate::output::Output;

pub(crate) async fn run(ws: &Workspace, asked: Sweep, output: &mut Output) -> Result<(), Failure> {
    let before = (SystemClock.now() - asked.older_than).max(from_micros_lossy(0));
    let found = ws.orphans(before).await?;
    let bytes = found.iter().map(|blob| blob.size).sum();
    let objects: Vec<_> =
        found.iter().map(|blob| json!({ "location": blob.location, "size": blob.size })).collect();
    let plan = json!({ "objects": objects, "bytes": bytes });
    if !output.is_json() {
        let objects = format::count(found.len() as u64, "object");
        output.line(format!("nothing names {objects} ({})", format::bytes(bytes)))?;
    }
    let answer = consent::given(&asked.consent);
    if answer.is_err() {
        if output.is_json() {
            output.document(&json!({ "plan": plan, "done": null }))?;
        }
        output.flush()?;
    }
    let done = if answer? { Some(ws.sweep(before).await?) } else { None };
    if output.is_json() {
        let done = done.map(|done| {
            json!({ "objects": done.objects, "unfinished": done.unfinished, "bytes": done.bytes })
        });
        return output.document(&json!({ "plan": plan, "done": done }));
    }
    match done {
        None => output.line("nothing was done: --dry-run"),
        Some(done) => output.line(format!(
            "done: {} and {} taken away, {} freed",
            format::count(done.objects, "object"),
            format::count(done.unfinished, "unfinished file"),
            format::bytes(done.bytes),
        )),
    }
}
