//! `mlops runs list` and `mlops runs search`, a page or all pages.

use std::collections::HashMap;

use mlops::filter::{Field, Subject};
use mlops::tracking::{Experiment, ExperimentQuery, MAX_PAGE, PageToken, Run, RunQuery, View};
use mlops::{ExperimentId, Tracking};
use serde_json::{Value, json};

use crate::args::Query;
use crate::columns;
use crate::failure::Failure;
use crate::format;
use crate::output::Output;
use crate::resolve::{self, LIVE_FIRST};

pub(crate) async fn run(
    ws: &Tracking,
    filter: &str,
    asked: Query,
    output: &mut Output,
) -> Result<(), Failure> {
    let order: Vec<&str> = asked.order_by.iter().map(String::as_str).collect();
    let mut query = RunQuery::parse(filter, &order)?.with_view(asked.view.view.into());
    let mut fields = columns::parse(Subject::Run, &asked.columns)?;
    if fields.is_empty() {
        let in_question: Vec<&Field> =
            query.order_by.iter().map(|o| &o.field).chain(query.filter.fields()).collect();
        fields = columns::default(in_question, asked.experiment.is_none());
    }
    if let Some(name) = &asked.experiment {
        query = query.with_experiment(resolve::experiment(ws, name, LIVE_FIRST).await?.id);
    }
    query = query.with_limit(asked.page.limit);
    query.page = asked.page.page.map(PageToken);
    let experiments = experiments(ws).await?;
    if output.is_json() {
        return as_json(ws, query, asked.page.all, &experiments, output).await;
    }
    let mut runs = Vec::new();
    let next = loop {
        let mut page = ws.tracker().search_runs(&query).await?;
        runs.append(&mut page.items);
        if page.next.is_none() || !asked.page.all {
            break page.next;
        }
        query.page = page.next;
    };
    output.table(columns::table_of(&runs, &fields, &experiments))?;
    if runs.is_empty() {
        output.note("no run matches", None)?;
    }
    say_next(next, output)
}

/// Writes each page as it comes.
async fn as_json(
    ws: &Tracking,
    mut query: RunQuery,
    all: bool,
    experiments: &HashMap<ExperimentId, Experiment>,
    output: &mut Output,
) -> Result<(), Failure> {
    let first = ws.tracker().search_runs(&query).await?;
    let mut array = output.array()?;
    let mut page = first;
    let next = loop {
        for run in &page.items {
            array.push(&document(run, experiments))?;
        }
        if page.next.is_none() || !all {
            break page.next;
        }
        query.page = page.next;
        page = ws.tracker().search_runs(&query).await?;
    };
    array.end()?;
    say_next(next, output)
}

/// Says how to get the next page, beside the answer.
pub(crate) fn say_next(next: Option<PageToken>, output: &mut Output) -> Result<(), Failure> {
    let Some(PageToken(token)) = next else {
        return Ok(());
    };
    let text = format!("there is more: --all, or --page {}", format::text(&token, 4_096));
    output.note(&text, Some(&json!({ "next": token })))
}

/// A run as JSON, with the name of its experiment.
pub(crate) fn document(run: &Run, experiments: &HashMap<ExperimentId, Experiment>) -> Value {
    let mut value = json!(run);
    value["experiment_name"] = json!(experiments.get(&run.experiment).map(|e| &e.name));
    value
}

/// All experiments, also those in the trash, by id.
pub(crate) async fn experiments(ws: &Tracking) -> mlops::Result<HashMap<ExperimentId, Experiment>> {
    let mut query = ExperimentQuery::default().with_view(View::All).with_limit(MAX_PAGE);
    let mut all = HashMap::new();
    loop {
        let page = ws.tracker().search_experiments(&query).await?;
        all.extend(page.items.into_iter().map(|experiment| (experiment.id, experiment)));
        if page.next.is_none() {
            return Ok(all);
        }
        query.page = page.next;
    }
}
