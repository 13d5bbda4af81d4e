//! Random sequences of calls of a registry: whatever is done, a backend answers and ends up as the
//! model does, and its journal explains what it ends up as.

use std::collections::HashMap;
use std::fmt::Debug;

use futures::executor::block_on;
use mlops_core::Result;
use mlops_core::lineage::{Direction, Node, Relation};
use mlops_core::registry::{
    CreateModel, ModelPurge, ModelPurgePlan, ModelQuery, PromotionPlan, PromotionRequest, Selector,
    Stage, VersionQuery,
};
use mlops_core::time::{Clock, from_micros_lossy};
use mlops_core::tracking::{DatasetContext, PageToken, Purge, RunChanges, RunStatus, View};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use super::operations::answer;
use super::registry_calls::{Call, sequence};
use super::registry_values::{
    TEXTS, document, id, model, model_changes, registration, request, selector, version_changes,
    who,
};
use crate::build::{blob, dataset, digest, edge, key, path, run_id};
use crate::registry::replay::explains;
use crate::{Absent, Fixture, Opened, memory};

/// Compares a backend with the reference model over `cases` random sequences of calls of its registry,
/// catalog and graph, and the backend with its own journal after each.
///
/// The sequences are the same in each run; more cases are more of them. `open` gives a fresh store
/// each time.
///
/// # Panics
/// With the shortest sequence found after which the two differ, and what each answered.
pub fn registry_differential(open: impl Fn() -> Opened, cases: u32) {
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

async fn compare(mut backend: Side, mut model: Side, calls: &[Call]) -> Result<(), String> {
    for side in [&backend, &model] {
        side.store.one_run().await;
    }
    for (number, call) in calls.iter().enumerate() {
        let found = backend.make(call, number).await;
        let expected = model.make(call, number).await;
        if found != expected {
            return Err(format!(
                "call {number} was answered otherwise\n backend: {found}\n   model: {expected}"
            ));
        }
    }
    let (found, expected) = (dump(&backend.store).await, dump(&model.store).await);
    if let Some((found, expected)) = found.iter().zip(&expected).find(|(a, b)| a != b) {
        return Err(format!("the end differs\n backend: {found}\n   model: {expected}"));
    }
    if found.len() != expected.len() {
        return Err(format!("{} facts instead of {}", found.len(), expected.len()));
    }
    explains(&backend.store).await
}

/// One of the two stores, and what it was told and answered before.
struct Side {
    store: Fixture,
    plans: HashMap<u8, PromotionPlan>,
    purge: ModelPurgePlan,
    pages: HashMap<(bool, u8), PageToken>,
}

impl Side {
    fn new(store: Fixture) -> Self {
        let (plans, pages) = (HashMap::new(), HashMap::new());
        Self { store, plans, purge: ModelPurgePlan::default(), pages }
    }

    /// Makes a call, and says what came of it.
    async fn make(&mut self, call: &Call, number: usize) -> String {
        let store = self.store.clone();
        let registry = store.registry.registry_as(who((number % 7 / 6) as u8));
        match call.clone() {
            Call::Tick(micros) => {
                store.clock.advance_micros(micros);
                String::new()
            }
            Call::CreateModel(m, note) => {
                let note = note.map_or("", |n| TEXTS[n as usize]);
                answer(
                    registry.create_model(&model(m), CreateModel::default().with_note(note)).await,
                )
            }
            Call::UpdateModel(m, parts) => {
                answer(registry.update_model(&model(m), model_changes(&parts)).await)
            }
            Call::Register { .. } | Call::Import { .. } => {
                let (m, options) = registration(call);
                answer(registry.register(&model(m), options).await)
            }
            Call::UpdateVersion(m, n, parts) => {
                answer(registry.update_version(&id(m, n), version_changes(&parts)).await)
            }
            Call::Resolve(m, which) => answer(registry.resolve(&model(m), &selector(which)).await),
            Call::Plan { model, number, to, rollback, keep } => {
                let plan = self.look(&request(model, number, to, rollback), 0).await;
                let said = match &plan {
                    Ok(plan) => format!("{plan:?}"),
                    Err(error) => error.kind().to_string(),
                };
                self.plans.extend(plan.ok().map(|plan| (keep, plan)));
                said
            }
            Call::Promote { model, number, to, rollback, actor } => {
                match self.look(&request(model, number, to, rollback), actor).await {
                    Ok(plan) => self.promote(&plan, actor).await,
                    Err(error) => error.kind().to_string(),
                }
            }
            Call::PromoteKept(keep, actor) => match self.plans.get(&keep).cloned() {
                Some(plan) => self.promote(&plan, actor).await,
                None => String::new(),
            },
            Call::Decide { model, number, to, verdict, actor } => {
                match self.look(&request(model, number, to, false), actor).await {
                    Ok(plan) => {
                        let registry = store.registry.registry_as(who(actor));
                        answer(registry.decide(&plan, verdict, "because").await)
                    }
                    Err(error) => error.kind().to_string(),
                }
            }
            Call::DecideKept(keep, verdict, actor) => match self.plans.get(&keep) {
                Some(plan) => {
                    let registry = store.registry.registry_as(who(actor));
                    answer(registry.decide(plan, verdict, "").await)
                }
                None => String::new(),
            },
            Call::PlanPurgeBefore(micros) => {
                let before = from_micros_lossy(store.clock.now_micros() + micros);
                self.plan_purge(&ModelPurge::DeletedBefore(before)).await
            }
            Call::PlanPurgeVersions(m, numbers) => {
                let ids = numbers.into_iter().map(|number| id(m, number)).collect();
                self.plan_purge(&ModelPurge::Versions(ids)).await
            }
            Call::PlanPurgeModels(names) => {
                let names = names.into_iter().map(model).collect();
                self.plan_purge(&ModelPurge::Models(names)).await
            }
            Call::Purge => answer(registry.purge_models(&self.purge).await.map(|mut report| {
                report.freed.sort_by(|a, b| a.location.cmp(&b.location));
                report
            })),
            Call::Policy(..) | Call::Access(_) | Call::Document { .. } => {
                answer(store.catalog.put_document(document(call)).await)
            }
            Call::Link(pairs) => {
                let link = |(a, b): (u8, u8)| {
                    edge(&format!("run:{a}"), Relation::ALL[a as usize], &format!("run:{b}"))
                };
                let edges: Vec<_> = pairs.into_iter().map(link).collect();
                answer(store.lineage.link(&edges).await)
            }
            Call::Advance(reader, from, to) => {
                let reader = key(&format!("reader {reader}"));
                answer(store.journal.advance(&reader, from, to).await)
            }
            Call::Run(what) => run(&store, what, number).await,
            Call::SearchModels(which, limit) => self.search_models(which, limit).await,
            Call::SearchVersions(which, limit) => self.search_versions(which, limit).await,
        }
    }

    async fn look(&self, request: &PromotionRequest, actor: u8) -> Result<PromotionPlan> {
        let state = self.store.registry.promotion_state(request).await?;
        PromotionPlan::evaluate(&state, request.clone(), &who(actor), self.store.clock.now())
    }

    async fn promote(&self, plan: &PromotionPlan, actor: u8) -> String {
        let registry = self.store.registry.registry_as(who(actor));
        let done = answer(registry.promote(plan).await);
        let production = Selector::Stage(Stage::Production);
        let found = registry.resolve(&plan.request.version.model, &production).await;
        format!("{done} {}", answer(found))
    }

    async fn plan_purge(&mut self, what: &ModelPurge) -> String {
        let result = self.store.registry.plan_model_purge(what).await;
        if let Ok(plan) = &result {
            self.purge = plan.clone();
        }
        answer(result)
    }

    /// The next page of a query, or the first one again after the last.
    async fn search_models(&mut self, which: u8, limit: usize) -> String {
        let query = match which {
            0 => ModelQuery::default().with_view(View::All),
            1 => ModelQuery::parse("alias is not null", &["tags.k0 desc"]).unwrap(),
            2 => ModelQuery::parse("stage = 'Production' or tags.k0 != ''", &["note"]).unwrap(),
            _ => ModelQuery::parse("", &["created desc"]).unwrap().with_view(View::Deleted),
        };
        let mut query = query.with_limit(limit);
        query.page = self.pages.remove(&(true, which));
        match self.store.registry.search_models(&query).await {
            Err(error) => error.kind().to_string(),
            Ok(page) => {
                let more = page.next.is_some();
                self.pages.extend(page.next.map(|next| ((true, which), next)));
                format!("{:?}, more: {more}", page.items)
            }
        }
    }

    async fn search_versions(&mut self, which: u8, limit: usize) -> String {
        let query = match which {
            0 => VersionQuery::default().with_view(View::All),
            1 => VersionQuery::of(model(0)),
            2 => VersionQuery::parse("stage != 'Archived'", &["metrics.auc"]).unwrap(),
            3 => VersionQuery::parse("alias is null", &["tags.k0", "version"]).unwrap(),
            4 => VersionQuery::parse("run_id is not null", &["note desc"]).unwrap(),
            _ => VersionQuery::parse("", &["name desc"]).unwrap().with_view(View::Deleted),
        };
        let mut query = query.with_limit(limit);
        query.page = self.pages.remove(&(false, which));
        match self.store.registry.search_versions(&query).await {
            Err(error) => error.kind().to_string(),
            Ok(page) => {
                let more = page.next.is_some();
                self.pages.extend(page.next.map(|next| ((false, which), next)));
                format!("{:?}, more: {more}", page.items)
            }
        }
    }
}

/// What happens to a run meanwhile: its status and objects are shared with the registry.
async fn run(store: &Fixture, what: u8, number: usize) -> String {
    let change = RunChanges::default;
    let place = format!("r/{number}");
    let changes = match what {
        0 => change().with_status(RunStatus::Finished),
        1 => change().with_status(RunStatus::Running),
        2 => change().with_artifact(path("a"), blob("shared", &place)),
        3 => change().with_artifact(path("a"), blob("content 1", &place)),
        4 => change()
            .with_input(dataset("iris", "sha256:1", DatasetContext::Test).with_source("s3://raw")),
        5 => change().with_known_artifact(path("b"), blob("content 2", "v/content 2")),
        6 => change().with_deleted(true),
        7 => change().with_deleted(false),
        _ => {
            let Ok(plan) = store.tracker.plan_purge(&Purge::Runs(vec![run_id(1)])).await else {
                return "no plan".to_owned();
            };
            return answer(store.tracker.purge(&plan).await.map(|mut report| {
                report.freed.sort_by(|a, b| a.location.cmp(&b.location));
                report
            }));
        }
    };
    let unneeded = store.tracker.update_run(run_id(1), changes).await;
    answer(unneeded.map(|mut unneeded| {
        unneeded.sort();
        unneeded
    }))
}

/// Everything that can be seen of a registry, fact by fact.
async fn dump(store: &Fixture) -> Vec<String> {
    fn text(fact: impl Debug) -> String {
        format!("{fact:?}")
    }
    let registry = &store.registry;
    let mut facts = Vec::new();
    for event in store.journal.events(0, 1_000_000).await.unwrap() {
        facts.push(text(event));
    }
    let models = registry.search_models(&ModelQuery::default().with_view(View::All)).await.unwrap();
    for found in models.items {
        facts.push(answer(registry.stage_history(&found.name).await));
        for which in 0..16 {
            facts.push(answer(registry.resolve(&found.name, &selector(which)).await));
        }
        facts.push(text(found));
    }
    let all = VersionQuery::default().with_view(View::All);
    for version in registry.search_versions(&all).await.unwrap().items {
        for to in [Stage::Production, Stage::Archived, Stage::None] {
            let request = PromotionRequest::new(version.id(), to);
            facts.push(answer(registry.promotion_state(&request).await));
        }
        for direction in [Direction::Upstream, Direction::Downstream] {
            facts.push(answer(store.lineage.edges(&[Node::from(&version.id())], direction).await));
        }
        facts.push(answer(registry.version(&version.id()).await));
        facts.push(text(version));
    }
    for kind in ["policy", "access", "suite"] {
        facts.push(answer(store.catalog.documents(&key(kind)).await));
    }
    for content in 0..5 {
        facts.push(answer(store.tracker.find_blob(digest(&format!("content {content}"))).await));
    }
    facts.push(answer(store.tracker.find_blob(digest("shared")).await));
    for reader in 0..2 {
        facts.push(answer(store.journal.position(&key(&format!("reader {reader}"))).await));
    }
    facts
}
