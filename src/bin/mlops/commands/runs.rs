//! `mlops runs …`

use std::io::Read;

use mlops::filter::Filter;
use mlops::tracking::{Run, RunChanges, RunQuery, View};
use mlops::{RunId, Tracking, Workspace};
use serde_json::json;

use super::{LabelChanges, compare, history, list, show};
use crate::args::{Runs, Viewed};
use crate::failure::Failure;
use crate::format;
use crate::output::Output;
use crate::resolve::{self, LIVE_FIRST, TRASH_FIRST};

pub(crate) async fn run(ws: &Tracking, command: Runs, output: &mut Output) -> Result<(), Failure> {
    match command {
        Runs::List { filter, query } | Runs::Search { filter, query } => {
            list::run(ws, &filter, query, output).await
        }
        Runs::Show { run } => {
            show::run(ws, resolve::run(ws, &run, LIVE_FIRST).await?, output).await
        }
        Runs::Compare { runs, diff } => {
            let runs = resolve::runs(ws, &runs, LIVE_FIRST).await?;
            compare::run(ws, &runs, diff, output).await
        }
        Runs::Count { filter, experiment, view } => {
            count(ws, &filter, experiment, view, output).await
        }
        Runs::History { run, metric, max_points, from_step, to_step, csv } => {
            let run = resolve::run(ws, &run, LIVE_FIRST).await?;
            let asked = history::Asked { metric, max_points, from_step, to_step, csv };
            history::run(ws, &run, asked, output).await
        }
        Runs::Tag { run, labels } => {
            let LabelChanges { set, remove } = labels.parse()?;
            let mut changes = RunChanges::default();
            changes.tags = set;
            changes.remove_tags = remove;
            let run = resolve::run(ws, &run, LIVE_FIRST).await?;
            change(ws, &[run], &changes, "changed", output).await
        }
        Runs::Note { run, mut text } => {
            let run = resolve::run(ws, &run, LIVE_FIRST).await?;
            if text == "-" {
                text.clear();
                std::io::stdin().read_to_string(&mut text)?;
            }
            let changes = RunChanges::default().with_note(text.trim_end());
            change(ws, &[run], &changes, "changed", output).await
        }
        Runs::Delete { runs } => {
            let runs = resolve::runs(ws, &runs, LIVE_FIRST).await?;
            let changes = RunChanges::default().with_deleted(true);
            change(ws, &runs, &changes, "moved to the trash:", output).await
        }
        Runs::Restore { runs } => {
            let runs = resolve::runs(ws, &runs, TRASH_FIRST).await?;
            let changes = RunChanges::default().with_deleted(false);
            change(ws, &runs, &changes, "restored", output).await
        }
        // Said by the caller, who has opened the store.
        Runs::Recover => Ok(()),
    }
}

/// Makes one change of each run. The document is an array of the runs as they are after it.
async fn change(
    ws: &Tracking,
    runs: &[Run],
    changes: &RunChanges,
    done: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut after = Vec::with_capacity(runs.len());
    for run in runs {
        for location in ws.tracker().update_run(run.id, changes.clone()).await? {
            ws.blobs().delete(&location).await?;
        }
        after.push(ws.tracker().run(run.id).await?);
    }
    if output.is_json() {
        return output.document(&json!(after));
    }
    for run in after {
        output.line(format!("{done} {} ({})", format::text(&run.name, 80), run.id))?;
    }
    Ok(())
}

async fn count(
    ws: &Tracking,
    filter: &str,
    experiment: Option<String>,
    view: Viewed,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut query = RunQuery::default().with_view(View::from(view.view));
    query.filter = Filter::parse(filter)?;
    if let Some(name) = experiment {
        query = query.with_experiment(resolve::experiment(ws, &name, LIVE_FIRST).await?.id);
    }
    let count = ws.tracker().count_runs(&query).await?;
    if output.is_json() { output.document(&json!({ "runs": count })) } else { output.line(count) }
}

/// Says what opening the store found.
pub(crate) fn recover(ws: &Workspace, output: &mut Output) -> Result<(), Failure> {
    let found = ws.recovered();
    if output.is_json() {
        return output.document(&json!({
            "lost": found.lost,
            "points": found.points,
            "left": found.left,
        }));
    }
    let lost = format::count(found.lost.len() as u64, "run");
    output.line(format!("{lost} marked lost, {} stored", format::count(found.points, "point")))?;
    for id in &found.lost {
        let id: &RunId = id;
        output.line(format!("lost: {id}"))?;
    }
    for (path, reason) in &found.left {
        output.line(format!("left for later: {}: {reason}", path.display()))?;
    }
    Ok(())
}
