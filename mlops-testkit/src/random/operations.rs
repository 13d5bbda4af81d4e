//! Random sequences of calls: whatever is done, a backend answers and ends up as the model does.
//!
//! The ids, keys, values and contents are few, so that calls meet: most changes touch something that
//! another one touched. What depends on what is stored (the next point of a spool, the chunks to
//! seal) is generated as a relation and resolved when the call is made. A wrong kind of error is as
//! wrong as a wrong value; wordings and chunk ids may differ.

use std::collections::HashMap;
use std::fmt::Debug;

use futures::executor::block_on;
use mlops_core::Result;
use mlops_core::journal::Actor;
use mlops_core::time::Clock;
use mlops_core::tracking::{
    ChunkId, CreateExperiment, CreateRun, Expect, ExperimentChanges, ExperimentQuery, PageToken,
    Purge, PurgePlan, RunChanges, RunQuery, RunStatus, View,
};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use serde_json::{Value, json};

use super::calls::{Call, Part, Points, Sealing, sequence};
use crate::build::{
    at, blob, digest, experiment_id, key, lease, path, run_id, run_name, seal, spool, values,
};
use crate::{Absent, Fixture, Opened, memory};

/// Compares a backend with the reference model over `cases` random sequences of calls.
///
/// The sequences are the same in each run; more cases are more of them. `open` gives a fresh store
/// each time.
///
/// # Panics
/// With the shortest sequence found after which the two differ, and what each answered.
pub fn differential(open: impl Fn() -> Opened, cases: u32) {
    if let Err(difference) = find(open, cases, true) {
        panic!("{difference}");
    }
}

/// The first difference, made as simple as can be if it is to be read.
pub(crate) fn find(open: impl Fn() -> Opened, cases: u32, simplify: bool) -> Result<(), String> {
    let config = Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0),
        max_shrink_iters: if simplify { 2_000 } else { 0 },
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&sequence(), |calls| {
        let absent = |absent: Absent| TestCaseError::fail(absent.to_string());
        let (backend, model) = (open().map_err(absent)?, memory().map_err(absent)?);
        block_on(compare(Side::new(backend), Side::new(model), &calls)).map_err(TestCaseError::fail)
    });
    result.map_err(|error| match error {
        TestError::Fail(reason, calls) => format!("{reason}\nafter {calls:#?}"),
        TestError::Abort(reason) => reason.to_string(),
    })
}

/// One of the two stores, and what it was told and answered before.
struct Side {
    store: Fixture,
    plan: PurgePlan,
    pages: HashMap<u8, PageToken>,
}

async fn compare(mut backend: Side, mut model: Side, calls: &[Call]) -> Result<(), String> {
    for (number, call) in calls.iter().enumerate() {
        // Resolved against the model, so that both sides are asked the same.
        let stored = stored_points(&model.store, call).await;
        let found = backend.make(call, number, stored).await;
        let expected = model.make(call, number, stored).await;
        if found != expected {
            return Err(format!(
                "call {number} was answered otherwise\n backend: {found}\n   model: {expected}"
            ));
        }
    }
    let (found, expected) = (dump(&backend.store).await, dump(&model.store).await);
    match found.iter().zip(&expected).find(|(found, expected)| found != expected) {
        None if found.len() == expected.len() => Ok(()),
        None => Err(format!("{} facts instead of {}", found.len(), expected.len())),
        Some((found, expected)) => {
            Err(format!("the end differs\n backend: {found}\n   model: {expected}"))
        }
    }
}

async fn stored_points(model: &Fixture, call: &Call) -> u64 {
    let Call::UpdateRun(run, parts) = call else {
        return 0;
    };
    let spools = parts.iter().find_map(|part| match part {
        Part::Points(points) => Some(points.spool),
        _ => None,
    });
    let Some(n) = spools else { return 0 };
    model.tracker.stored_points(run_id(*run), spool(n)).await.unwrap_or(0)
}

impl Side {
    fn new(store: Fixture) -> Self {
        Self { store, plan: PurgePlan::default(), pages: HashMap::new() }
    }

    /// Makes a call, and says what came of it.
    async fn make(&mut self, call: &Call, number: usize, stored: u64) -> String {
        let tracker = &self.store.tracker;
        match call {
            Call::Tick(micros) => {
                self.store.clock.advance_micros(*micros);
                String::new()
            }
            Call::CreateExperiment { n, name, tag } => {
                let mut options = CreateExperiment::default().with_id(experiment_id(*n));
                options.tags.extend(tag.clone().map(|tag| (key("k0"), tag)));
                let name = format!("name {name}").parse().unwrap();
                answer(tracker.create_experiment(&name, options).await)
            }
            Call::UpdateExperiment { n, name, tag, remove, deleted } => {
                let mut changes = ExperimentChanges::default();
                changes.name = name.map(|name| format!("name {name}").parse().unwrap());
                changes.deleted = *deleted;
                changes.tags.extend(tag.clone().map(|tag| (key("k0"), tag)));
                if *remove {
                    changes = changes.without_tag(key("k1")).without_tag(key("k1"));
                }
                answer(tracker.update_experiment(experiment_id(*n), changes).await)
            }
            Call::CreateRun { n, experiment, parent, started, param } => {
                let mut options = CreateRun::new(run_id(*n), experiment_id(*experiment));
                options.parent = parent.map(run_id);
                options.started = started.map(at);
                options.params.extend(param.clone().map(|param| (key("k0"), param)));
                answer(tracker.create_run(options).await)
            }
            Call::UpdateRun(n, parts) => {
                let chunks = tracker.metric_chunks(run_id(*n), None).await.unwrap_or_default();
                let chunks: Vec<_> = chunks.iter().map(|chunk| (chunk.id, chunk.count)).collect();
                let changes = changes(parts, number, stored, &chunks);
                let actor = Actor::new(format!("actor {}", number % 3)).unwrap();
                let result = tracker.acting_as(actor).update_run(run_id(*n), changes).await;
                let result = result.map(|mut unneeded| {
                    unneeded.sort();
                    unneeded
                });
                format!("{} {}", answer(result), answer(tracker.run(run_id(*n)).await))
            }
            Call::PlanBefore(micros) => {
                let now = self.store.clock.now_micros();
                let before = mlops_core::time::from_micros_lossy(now + micros);
                let result = tracker.plan_purge(&Purge::DeletedBefore(before)).await;
                self.keep_plan(result)
            }
            Call::PlanRuns(ns) => {
                let what = Purge::Runs(ns.iter().map(|n| run_id(*n)).collect());
                let result = tracker.plan_purge(&what).await;
                self.keep_plan(result)
            }
            Call::PlanExperiment(n) => {
                let result = tracker.plan_purge(&Purge::Experiments(vec![experiment_id(*n)])).await;
                self.keep_plan(result)
            }
            Call::Purge => answer(tracker.purge(&self.plan).await.map(|mut report| {
                report.freed.sort_by(|a, b| a.location.cmp(&b.location));
                report
            })),
            Call::Seal => answer(self.store.journal.seal().await.map(|p| (p.events, p.sealed))),
            Call::Search { which, limit } => self.search(*which, *limit).await,
        }
    }

    fn keep_plan(&mut self, result: Result<PurgePlan>) -> String {
        if let Ok(plan) = &result {
            self.plan = plan.clone();
        }
        answer(result)
    }

    /// The next page of a query, or the first one again after the last.
    async fn search(&mut self, which: u8, limit: usize) -> String {
        let query = match which {
            0 => RunQuery::default(),
            1 => RunQuery::parse("", &["metrics.m0 desc", "params.k0"]).unwrap(),
            2 => RunQuery::parse("status != 'failed'", &["tags.k0"]).unwrap().with_view(View::All),
            3 => RunQuery::parse("", &["name"]).unwrap().with_view(View::Deleted),
            _ => RunQuery::parse("tags.k1 is null", &["ended", "name desc"]).unwrap(),
        };
        let mut query = query.with_limit(limit);
        query.page = self.pages.remove(&which);
        match self.store.tracker.search_runs(&query).await {
            Err(error) => error.kind().to_string(),
            Ok(page) => {
                let more = page.next.is_some();
                self.pages.extend(page.next.map(|next| (which, next)));
                format!("{:?}, more: {more}", page.items)
            }
        }
    }
}

/// What can be compared of an answer: the value as text, since NaN is not equal to itself, or the
/// kind of the error.
pub(super) fn answer<T: Debug>(result: Result<T>) -> String {
    result.map_or_else(|error| format!("error: {}", error.kind()), |value| format!("{value:?}"))
}

/// The change that these parts are, as call `number`, where so much is stored.
fn changes(parts: &[Part], number: usize, stored: u64, chunks: &[(ChunkId, u64)]) -> RunChanges {
    let mut change = RunChanges::default();
    for (i, part) in parts.iter().enumerate() {
        let location = format!("b/{number}/{i}");
        change = match part.clone() {
            Part::Expect(status) => change.expecting(Expect::Status(status)),
            Part::ExpectUnfinished => change.expecting(Expect::Unfinished),
            Part::Param(n, value) => change.with_param(key(&format!("k{n}")), value),
            Part::Tag(n, value) => change.with_tag(key(&format!("k{n}")), value),
            Part::RemoveTag(n) => change.without_tag(key(&format!("k{n}"))),
            Part::Input(input) => change.with_input(input),
            Part::Points(Points { spool, shift, metric, values: column }) => {
                let first = stored.saturating_add_signed(shift);
                change.with_metrics(values(spool, first, &format!("m{metric}"), &column))
            }
            Part::Seal(Sealing { start, len, wrong, content }) => {
                let some = chunks.iter().skip(start).take(len);
                let ids: Vec<_> = some.clone().map(|(id, _)| *id).collect();
                let count = some.map(|(_, count)| count).sum::<u64>() + wrong;
                let ids = if ids.is_empty() { vec![ChunkId(i64::MAX)] } else { ids };
                change.with_seal(seal(&ids, count, &format!("content {content}"), &location))
            }
            Part::Artifact(name, content) => {
                change.with_artifact(path(name), blob(&format!("content {content}"), &location))
            }
            Part::Name(n) => change.with_name(run_name(&format!("run {n}"))),
            Part::Note(text) => change.with_note(text),
            Part::Status(status) => change.with_status(status),
            Part::Ended(micros) => change.with_ended(at(micros)),
            Part::Lease(micros) => change.with_lease(lease("host", micros)),
            Part::Deleted(deleted) => change.with_deleted(deleted),
        };
    }
    change
}

/// Everything that can be seen of a store, fact by fact.
async fn dump(store: &Fixture) -> Vec<String> {
    let tracker = &store.tracker;
    let mut facts = Vec::new();
    let experiments = ExperimentQuery::default().with_view(View::All);
    facts.push(answer(tracker.search_experiments(&experiments).await));
    let runs = tracker.search_runs(&RunQuery::default().with_view(View::All)).await.unwrap().items;
    for run in runs {
        facts.push(answer(tracker.artifacts(run.id, "").await));
        facts.push(answer(tracker.artifacts(run.id, "a").await));
        for chunk in tracker.metric_chunks(run.id, None).await.unwrap() {
            facts.push(format!("{} {} {:?}", chunk.codec, chunk.count, chunk.data));
        }
        for n in 0..3 {
            facts.push(answer(tracker.stored_points(run.id, spool(n)).await));
        }
        facts.push(answer(tracker.run(run.id).await));
        facts.push(format!("{run:?}"));
    }
    for content in 0..4 {
        facts.push(answer(tracker.find_blob(digest(&format!("content {content}"))).await));
    }
    let everything = Purge::DeletedBefore(at(1_000_000));
    facts.push(answer(tracker.plan_purge(&everything).await));
    for mut event in store.journal.events(0, 1_000_000).await.unwrap() {
        if let Some(Value::Object(seal)) = event.payload.get_mut("seal") {
            let chunks = seal["replaces"].as_array().map_or(0, Vec::len);
            seal.insert("replaces".to_owned(), json!(chunks));
        }
        facts.push(format!("{event:?}"));
    }
    facts.push(answer(store.journal.verify().await.map(|proof| (proof.events, proof.sealed))));
    let statuses = RunStatus::ALL.map(|status| format!("status = '{status}'"));
    for filter in statuses {
        facts.push(answer(tracker.count_runs(&RunQuery::parse(&filter, &[]).unwrap()).await));
    }
    facts
}
