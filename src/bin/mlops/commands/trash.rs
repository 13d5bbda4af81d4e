//! `mlops trash …` and `mlops retention`: a plan, then its execution.

use mlops::filter::Filter;
use mlops::time::{Clock, SystemClock, from_micros_lossy};
use mlops::tracking::{
    Experiment, ExperimentQuery, MAX_PAGE, Purge, PurgePlan, PurgeReport, Run, View,
};
use mlops::{RunId, Tracking};
use serde_json::{Value, json};

use super::{consent, list};
use crate::args::{Retention, Trash};
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, table};

const LONGEST_NAME: usize = 28;
/// More runs than these are counted and not listed in a plan.
const RUNS_SHOWN: usize = 20;

pub(crate) async fn run(ws: &Tracking, command: Trash, output: &mut Output) -> Result<(), Failure> {
    match command {
        Trash::List => show(ws, output).await,
        Trash::Purge { older_than, consent } => {
            // Until now, if not told: what goes to the trash from here on is not meant.
            let now = SystemClock.now();
            let before = older_than.map_or(now, |span| (now - span).max(from_micros_lossy(0)));
            let plan = ws.tracker().plan_purge(&Purge::DeletedBefore(before)).await?;
            if !output.is_json() {
                say_purge(&plan, output)?;
            }
            let go = ask(&consent, &json!({ "purge": plan }), output)?;
            let report = if go { Some(ws.purge(&plan).await?) } else { None };
            conclude(&json!({ "purge": plan }), report.as_ref(), None, output)
        }
    }
}

pub(crate) async fn retention(
    ws: &Tracking,
    asked: Retention,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut rule = mlops::Retention::new(asked.keep_last, asked.older_than)
        .with_filter(Filter::parse(&asked.filter)?);
    if let Some(after) = asked.purge_after {
        rule = rule.with_purge_after(after);
    }
    let plan = ws.plan_retention(&rule).await?;
    if !output.is_json() {
        output.line(format!("to the trash: {}", format::count(plan.delete.len() as u64, "run")))?;
        say_runs(&plan.delete, output)?;
        if asked.purge_after.is_some() {
            say_purge(&plan.purge, output)?;
        }
    }
    let document = json!(plan);
    let go = ask(&asked.consent, &document, output)?;
    let report = if go { Some(ws.apply_retention(&plan).await?) } else { None };
    conclude(&document, report.as_ref(), Some(plan.delete.len() as u64), output)
}

/// Whether to go on; shows a program the plan if not told.
fn ask(consent: &crate::args::Consent, plan: &Value, output: &mut Output) -> Result<bool, Failure> {
    let answer = consent::given(consent);
    if answer.is_err() && output.is_json() {
        output.document(&json!({ "plan": plan, "done": null }))?;
    }
    if answer.is_err() {
        output.flush()?;
    }
    answer
}

fn conclude(
    plan: &Value,
    report: Option<&PurgeReport>,
    moved: Option<u64>,
    output: &mut Output,
) -> Result<(), Failure> {
    if output.is_json() {
        let done = report.map(|report| {
            json!({
                "deleted_runs": moved,
                "purged_runs": report.runs,
                "purged_experiments": report.experiments,
                "freed_objects": report.freed.len(),
                "freed_bytes": freed_bytes(report),
            })
        });
        return output.document(&json!({ "plan": plan, "done": done }));
    }
    let Some(report) = report else {
        return output.line("nothing was done: --dry-run");
    };
    if let Some(moved) = moved {
        output.line(format!("done: {} to the trash", format::count(moved, "run")))?;
    }
    output.line(format!(
        "done: {} and {} taken away for ever, {} freed",
        format::count(report.experiments, "experiment"),
        format::count(report.runs, "run"),
        format::bytes(freed_bytes(report)),
    ))
}

fn freed_bytes(report: &PurgeReport) -> u64 {
    report.freed.iter().map(|blob| blob.size).sum()
}

fn say_purge(plan: &PurgePlan, output: &mut Output) -> Result<(), Failure> {
    output.line(format!(
        "for ever: {}, {}, {} ({})",
        format::count(plan.experiments.len() as u64, "experiment"),
        format::count(plan.runs.len() as u64, "run"),
        format::count(plan.artifacts, "file"),
        format::bytes(plan.artifact_bytes),
    ))?;
    say_runs(&plan.runs, output)
}

fn say_runs(runs: &[RunId], output: &mut Output) -> Result<(), Failure> {
    for run in runs.iter().take(RUNS_SHOWN) {
        output.line(format!("  {run}"))?;
    }
    match runs.len().checked_sub(RUNS_SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => output.line(format!("  and {more} more")),
    }
}

async fn show(ws: &Tracking, output: &mut Output) -> Result<(), Failure> {
    let runs = ws.trash().await?;
    let mut experiments = Vec::new();
    let mut query = ExperimentQuery::default().with_view(View::Deleted).with_limit(MAX_PAGE);
    loop {
        let mut page = ws.tracker().search_experiments(&query).await?;
        experiments.append(&mut page.items);
        if page.next.is_none() {
            break;
        }
        query.page = page.next;
    }
    if output.is_json() {
        let mut array = output.array()?;
        for experiment in &experiments {
            array.push(&item("experiment", json!(experiment)))?;
        }
        for run in &runs {
            array.push(&item("run", json!(run)))?;
        }
        return array.end();
    }
    rows(ws, &experiments, &runs, output).await
}

fn item(kind: &str, mut value: Value) -> Value {
    value["kind"] = kind.into();
    value
}

async fn rows(
    ws: &Tracking,
    experiments: &[Experiment],
    runs: &[Run],
    output: &mut Output,
) -> Result<(), Failure> {
    let known = list::experiments(ws).await?;
    let mut shown = table(["deleted", "what", "name", "of", "id"]);
    let when = |at: Option<_>| at.map_or_else(|| "-".to_owned(), format::instant);
    for experiment in experiments {
        shown.add_row([
            when(experiment.deleted),
            "experiment".to_owned(),
            format::text(&experiment.name, LONGEST_NAME),
            "-".to_owned(),
            experiment.id.to_string(),
        ]);
    }
    for run in runs {
        let of = known.get(&run.experiment).map(|e| format::text(&e.name, LONGEST_NAME));
        shown.add_row([
            when(run.deleted),
            "run".to_owned(),
            format::text(&run.name, LONGEST_NAME),
            of.unwrap_or_else(|| "-".to_owned()),
            run.id.to_string(),
        ]);
    }
    output.table(shown)?;
    if experiments.is_empty() && runs.is_empty() {
        output.note("the trash is empty", None)?;
    }
    Ok(())
}
