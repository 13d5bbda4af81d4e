//! `mlops runs show`: everything of one run on one screen, as far as it fits.

use mlops::Tracking;
use mlops::tracking::{Artifact, Experiment, Run};
use serde_json::json;

use super::{artifacts, list};
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, pairs, right, table};

const LONGEST_KEY: usize = 40;
const LONGEST_VALUE: usize = 70;
/// More files than these are counted and not listed.
const FILES_SHOWN: usize = 20;

pub(crate) async fn run(ws: &Tracking, run: Run, output: &mut Output) -> Result<(), Failure> {
    let experiments = list::experiments(ws).await?;
    let files = ws.tracker().artifacts(run.id, "").await?;
    if output.is_json() {
        let mut value = list::document(&run, &experiments);
        value["artifacts"] = json!(files);
        return output.document(&value);
    }
    head(&run, experiments.get(&run.experiment), output)?;
    if !run.note.is_empty() {
        output.line(format!("\n{}", format::paragraph(&run.note)))?;
    }
    keyed("param", run.params.iter().map(|(key, value)| (&**key, &**value)), output)?;
    metrics(&run, output)?;
    keyed("tag", run.tags.iter().map(|(key, value)| (&**key, &**value)), output)?;
    datasets(&run, output)?;
    listed(&files, output)
}

fn head(run: &Run, experiment: Option<&Experiment>, output: &mut Output) -> Result<(), Failure> {
    let mut shown = pairs();
    let mut row = |name: &str, value: String| {
        shown.add_row([name.to_owned(), value]);
    };
    row("run", format::text(&run.name, 250));
    row("id", run.id.to_string());
    let experiment = experiment.map(|experiment| format::text(&experiment.name, 250));
    row("experiment", experiment.unwrap_or_else(|| run.experiment.to_string()));
    if let Some(parent) = run.parent {
        row("nested in", parent.to_string());
    }
    row("status", run.status.to_string());
    if !run.user.is_empty() {
        row("user", format::text(&run.user, LONGEST_VALUE));
    }
    row("started", format::instant(run.started) + " UTC");
    if let (Some(ended), Some(secs)) = (run.ended, run.duration_secs()) {
        row("ended", format!("{} UTC, after {}", format::instant(ended), format::duration(secs)));
    }
    if let Some(lease) = &run.lease {
        let (host, process) = (format::text(&lease.host, LONGEST_VALUE), lease.process);
        row("written by", format!("process {process} on {host}"));
    }
    if let Some(deleted) = run.deleted {
        row("in the trash since", format::instant(deleted) + " UTC");
    }
    output.table(shown)
}

fn keyed<'a>(
    what: &str,
    values: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    output: &mut Output,
) -> Result<(), Failure> {
    if values.len() == 0 {
        return Ok(());
    }
    let mut shown = table([what, "value"]);
    for (key, value) in values {
        shown.add_row([format::text(key, LONGEST_KEY), format::text(value, LONGEST_VALUE)]);
    }
    output.line("")?;
    output.table(shown)
}

fn metrics(run: &Run, output: &mut Output) -> Result<(), Failure> {
    if run.metrics.is_empty() {
        return Ok(());
    }
    let mut shown = table(["metric", "last", "step", "min", "max", "points"]);
    for (key, summary) in &run.metrics {
        shown.add_row([
            format::text(key, LONGEST_KEY),
            format::number(summary.last),
            summary.last_step.to_string(),
            format::number(summary.min),
            format::number(summary.max),
            summary.count.to_string(),
        ]);
    }
    right(&mut shown, 1..6);
    output.line("")?;
    output.table(shown)
}

fn datasets(run: &Run, output: &mut Output) -> Result<(), Failure> {
    if run.inputs.is_empty() {
        return Ok(());
    }
    let mut shown = table(["dataset", "for", "rows", "digest", "source"]);
    for input in &run.inputs {
        shown.add_row([
            format::text(&input.name, LONGEST_KEY),
            format::text(input.context.as_str(), 12),
            input.rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string()),
            format::text(&input.digest, 24),
            format::text(input.source.as_deref().unwrap_or("-"), LONGEST_KEY),
        ]);
    }
    right(&mut shown, [2]);
    output.line("")?;
    output.table(shown)
}

fn listed(files: &[Artifact], output: &mut Output) -> Result<(), Failure> {
    if files.is_empty() {
        return Ok(());
    }
    output.line("")?;
    output.table(artifacts::table_of(&files[..files.len().min(FILES_SHOWN)]))?;
    match files.len().checked_sub(FILES_SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => output.line(format!("and {}", format::count(more as u64, "more file"))),
    }
}
