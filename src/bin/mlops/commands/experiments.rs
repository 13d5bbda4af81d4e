//! `mlops experiments …`

use mlops::filter::Filter;
use mlops::tracking::{
    CreateExperiment, Experiment, ExperimentChanges, ExperimentQuery, PageToken, RunQuery, View,
};
use mlops::{ExperimentName, Key, Tracking};
use serde_json::{Value, json};

use super::{LabelChanges, list, models};
use crate::args::{Experiments, Paging};
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, pairs, right, table};
use crate::resolve::{self, LIVE_FIRST, TRASH_FIRST};
use crate::store::{self, Store};

const LONGEST_NAME: usize = 40;
const LONGEST_TAGS: usize = 40;

pub(crate) async fn run(
    store: &Store,
    command: Experiments,
    output: &mut Output,
) -> Result<(), Failure> {
    if let Experiments::Create { name, tags } = command {
        return create(store, &name, tags, output).await;
    }
    let models = models::acting(&store::open(store, output).await?).await?;
    let ws = models.tracking();
    match command {
        Experiments::Create { .. } => Ok(()),
        Experiments::List { filter, page, view } => {
            let query = ExperimentQuery::new(Filter::parse(&filter)?).with_view(view.view.into());
            list(ws, query, page, output).await
        }
        Experiments::Show { experiment } => {
            let experiment = resolve::experiment(ws, &experiment, LIVE_FIRST).await?;
            show(ws, &experiment, output).await
        }
        Experiments::Rename { experiment, name } => {
            let changes = ExperimentChanges::rename(ExperimentName::new(name)?);
            change(ws, &experiment, LIVE_FIRST, changes, "renamed", output).await
        }
        Experiments::Tag { experiment, labels } => {
            let LabelChanges { set, remove } = labels.parse()?;
            let mut changes = ExperimentChanges::default();
            changes.tags = set;
            changes.remove_tags = remove;
            change(ws, &experiment, LIVE_FIRST, changes, "changed", output).await
        }
        Experiments::Delete { experiment } => {
            let changes = ExperimentChanges::delete();
            change(ws, &experiment, LIVE_FIRST, changes, "moved to the trash:", output).await
        }
        Experiments::Restore { experiment } => {
            let changes = ExperimentChanges::restore();
            change(ws, &experiment, TRASH_FIRST, changes, "restored", output).await
        }
    }
}

async fn create(
    store: &Store,
    name: &str,
    tags: Vec<(String, String)>,
    output: &mut Output,
) -> Result<(), Failure> {
    // Before the store is made: a bad name leaves nothing behind.
    let name = ExperimentName::new(name)?;
    let mut options = CreateExperiment::default();
    for (key, value) in tags {
        options = options.with_tag(Key::new(key)?, value);
    }
    let models = models::acting(&store::create(store).await?).await?;
    let made = models.tracking().tracker().create_experiment(&name, options).await?;
    say(&made, "made", output)
}

async fn change(
    ws: &Tracking,
    text: &str,
    views: [View; 2],
    changes: ExperimentChanges,
    done: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let experiment = resolve::experiment(ws, text, views).await?;
    let after = ws.tracker().update_experiment(experiment.id, changes).await?;
    say(&after, done, output)
}

fn say(experiment: &Experiment, done: &str, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.document(&json!(experiment));
    }
    let name = format::text(&experiment.name, LONGEST_NAME);
    output.line(format!("{done} {name} ({})", experiment.id))
}

async fn list(
    ws: &Tracking,
    mut query: ExperimentQuery,
    page: Paging,
    output: &mut Output,
) -> Result<(), Failure> {
    query = query.with_limit(page.limit);
    query.page = page.page.map(PageToken);
    let mut found = Vec::new();
    let next = loop {
        let mut answer = ws.tracker().search_experiments(&query).await?;
        found.append(&mut answer.items);
        if answer.next.is_none() || !page.all {
            break answer.next;
        }
        query.page = answer.next;
    };
    let mut rows = Vec::with_capacity(found.len());
    for experiment in found {
        let runs = count(ws, &experiment).await?;
        rows.push((experiment, runs));
    }
    if output.is_json() {
        let mut array = output.array()?;
        for (experiment, runs) in &rows {
            array.push(&with_runs(experiment, *runs))?;
        }
        array.end()?;
    } else {
        let mut shown = table(["name", "runs", "created", "id", "tags"]);
        for (experiment, runs) in &rows {
            let gone = if experiment.deleted.is_some() { " (in the trash)" } else { "" };
            shown.add_row([
                format::text(&experiment.name, LONGEST_NAME) + gone,
                runs.to_string(),
                format::instant(experiment.created),
                experiment.id.to_string(),
                tags(experiment),
            ]);
        }
        right(&mut shown, [1]);
        output.table(shown)?;
    }
    list::say_next(next, output)
}

async fn show(ws: &Tracking, experiment: &Experiment, output: &mut Output) -> Result<(), Failure> {
    let runs = count(ws, experiment).await?;
    if output.is_json() {
        return output.document(&with_runs(experiment, runs));
    }
    let mut shown = pairs();
    shown.add_row(["experiment", &format::text(&experiment.name, 250)]);
    shown.add_row(["id", &experiment.id.to_string()]);
    shown.add_row(["created", &(format::instant(experiment.created) + " UTC")]);
    if let Some(deleted) = experiment.deleted {
        shown.add_row(["in the trash since", &(format::instant(deleted) + " UTC")]);
    }
    shown.add_row(["runs", &runs.to_string()]);
    for (key, value) in &experiment.tags {
        shown
            .add_row([format!("tag {}", format::text(key, LONGEST_NAME)), format::text(value, 80)]);
    }
    output.table(shown)
}

/// How many runs it has: of one in the trash, those that are there with it.
async fn count(ws: &Tracking, experiment: &Experiment) -> mlops::Result<u64> {
    let view = if experiment.deleted.is_some() { View::Deleted } else { View::Active };
    let query = RunQuery::default().with_experiment(experiment.id).with_view(view);
    ws.tracker().count_runs(&query).await
}

fn with_runs(experiment: &Experiment, runs: u64) -> Value {
    let mut value = json!(experiment);
    value["runs"] = runs.into();
    value
}

fn tags(experiment: &Experiment) -> String {
    let tags = experiment.tags.iter().map(|(key, value)| format!("{key}={value}"));
    format::text(&tags.collect::<Vec<_>>().join(" "), LONGEST_TAGS)
}
