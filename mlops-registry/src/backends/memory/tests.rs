//! What only the reference model can show: that replaying its journal gives its state. What every
//! backend must do is in `mlops-testkit`.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use mlops_core::journal::{Actor, Event, Journal};
use mlops_core::lineage::{Direction, Edge, Lineage, Node, NodeKind, Relation};
use mlops_core::registry::{
    Catalog, CreateModel, EvaluationSummary, Evidence, FileFormat, ImportedVersion, Manifest,
    ManifestFile, ModelChanges, ModelPurge, ModelQuery, ModelVersion, PromotionPlan,
    PromotionRequest, PutDocument, RegisterVersion, Registry, RegistryState, Selector, Stage,
    Verdict, VersionChanges, VersionId, VersionQuery,
};
use mlops_core::time::{Clock, ManualClock, from_micros_lossy};
use mlops_core::tracking::{
    Blob, BlobLocation, CreateExperiment, CreateRun, DatasetContext, DatasetInput, Digest, Purge,
    RunChanges, Tracker, View,
};
use mlops_core::{Alias, ErrorKind, Key, ModelName, Result, RunId};
use proptest::prelude::*;

use super::MemoryStore;

/// Nothing in memory waits for anything.
fn now<T>(call: impl Future<Output = T>) -> T {
    call.now_or_never().expect("it never waits")
}

struct World {
    store: MemoryStore,
    clock: Arc<ManualClock>,
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn name(i: u8) -> ModelName {
    ModelName::new(["churn", "flights"][usize::from(i % 2)]).unwrap()
}

fn id(i: u8, number: u64) -> VersionId {
    VersionId::new(name(i), number)
}

/// A version with one file, whose object lies at a place of its own.
fn version(text: &str, location: &str) -> RegisterVersion {
    let digest = Digest(*blake3::hash(text.as_bytes()).as_bytes());
    let size = text.len() as u64;
    let path = "model.json".parse().unwrap();
    let file = ManifestFile { path, digest, size, format: FileFormat::Other };
    let blob = Blob { digest, size, location: BlobLocation(location.to_owned()) };
    RegisterVersion::new(Manifest::new(vec![file]).unwrap()).with_uploaded(blob)
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at_micros(1_700_000_000_000_000));
        let actor = Actor::new("ann").unwrap();
        Self { store: MemoryStore::new(Arc::<ManualClock>::clone(&clock), actor), clock }
    }

    fn rows(&self) -> Vec<Event> {
        now(self.store.events(0, usize::MAX)).unwrap()
    }

    /// The journal as text and back, replayed into an empty state.
    fn replayed(&self) -> RegistryState {
        let mut state = RegistryState::default();
        for row in self.rows() {
            let text = serde_json::to_string(&row).unwrap();
            state.apply(&serde_json::from_str(&text).unwrap()).unwrap();
        }
        state
    }

    fn model(&self, i: u8) {
        now(self.store.create_model(&name(i), CreateModel::default())).unwrap();
    }

    fn register(&self, i: u8, options: RegisterVersion) -> ModelVersion {
        now(self.store.register(&name(i), options)).unwrap().version
    }

    fn plan(&self, actor: &str, request: PromotionRequest) -> Result<PromotionPlan> {
        let state = now(self.store.promotion_state(&request))?;
        PromotionPlan::evaluate(&state, request, &Actor::new(actor)?, self.clock.now())
    }

    fn promote(&self, version: VersionId, to: Stage) -> Result<PromotionPlan> {
        let plan = self.plan("ann", PromotionRequest::new(version, to))?;
        now(self.store.promote(&plan))
    }

    fn change(&self, i: u8, changes: ModelChanges) -> Result<()> {
        now(self.store.update_model(&name(i), changes)).map(drop)
    }

    fn change_version(&self, version: &VersionId, changes: VersionChanges) -> Result<()> {
        now(self.store.update_version(version, changes)).map(drop)
    }
}

#[test]
fn a_version_names_the_object_that_is_known_and_frees_it_last() {
    let world = World::new();
    world.model(0);
    let store = &world.store;
    now(async {
        let first = store.register(&name(0), version("bytes", "a")).await.unwrap();
        assert!(first.created && first.unneeded.is_empty());
        let second = store.register(&name(0), version("bytes", "b")).await.unwrap();
        assert_eq!(second.unneeded, [BlobLocation("b".into())]);
        let again = store.register(&name(0), version("bytes", "c").with_reuse()).await.unwrap();
        assert!(!again.created && again.version == first.version);
        assert_eq!(again.unneeded, [BlobLocation("c".into())]);
        let known = store.find_blob(first.version.manifest.files[0].digest).await.unwrap();
        assert_eq!(known.unwrap().location.0, "a");

        for (number, freed) in [(1, 0), (2, 1)] {
            let id = id(0, number);
            world.change_version(&id, VersionChanges::delete()).unwrap();
            let plan = store.plan_model_purge(&ModelPurge::Versions(vec![id])).await.unwrap();
            assert_eq!((plan.files, plan.bytes), (1, 5));
            assert_eq!(store.purge_models(&plan).await.unwrap().freed.len(), freed);
        }
        assert_eq!(store.model(&name(0)).await.unwrap().last_number, 2);
    });
}

#[test]
fn a_runs_purge_leaves_the_objects_that_a_version_names() {
    let world = World::new();
    world.model(0);
    let store = &world.store;
    now(async {
        let experiment = store
            .create_experiment(&"e".parse().unwrap(), CreateExperiment::default())
            .await
            .unwrap();
        let run = RunId::from_bytes([1; 16]);
        store.create_run(CreateRun::new(run, experiment.id)).await.unwrap();
        let mut options = version("bytes", "a");
        let blob = options.objects[0].blob.clone();
        let input = DatasetInput::new(key("rows"), key("sha256:1"), DatasetContext::Train);
        let changes = RunChanges::default()
            .with_artifact("model.json".parse().unwrap(), blob)
            .with_input(input);
        store.update_run(run, changes).await.unwrap();
        assert_eq!(store.edges(&[run.into()], Direction::Upstream).await.unwrap().len(), 1);

        options.objects[0].uploaded = false;
        store.register(&name(0), options).await.unwrap();
        store.update_run(run, RunChanges::default().with_deleted(true)).await.unwrap();
        let plan = store.plan_purge(&Purge::Runs(vec![run])).await.unwrap();
        assert!(store.purge(&plan).await.unwrap().freed.is_empty());
        assert!(store.edges(&[run.into()], Direction::Upstream).await.unwrap().is_empty());
    });
}

#[test]
fn what_is_so_already_writes_no_row() {
    let world = World::new();
    world.model(0);
    world.register(0, version("one", "a"));
    let champion: Alias = "champion".parse().unwrap();
    let model = ModelChanges::default().with_note("n").with_alias(champion, 1);
    let described = VersionChanges::default().with_note("n").with_tag(key("k"), "v");
    let document = || PutDocument::new(key("policy"), key("default"), serde_json::json!({}));
    let edge = Edge::new(
        Node::new(NodeKind::FeatureView, "v"),
        Node::new(NodeKind::FeatureService, "s"),
        Relation::DerivedFrom,
    );
    let all = || {
        world.change(0, model.clone()).unwrap();
        world.change_version(&id(0, 1), described.clone()).unwrap();
        now(world.store.put_document(document())).unwrap();
        now(world.store.link(std::slice::from_ref(&edge))).unwrap();
    };
    all();
    let rows = world.rows().len();
    all();
    world.change(0, ModelChanges::restore()).unwrap();
    world.change_version(&id(0, 1), VersionChanges::restore()).unwrap();
    assert_eq!(world.rows().len(), rows);
}

#[test]
fn an_approval_counts_until_what_it_saw_changes() {
    let world = World::new();
    world.model(0);
    world.register(0, version("one", "a"));
    let policy = serde_json::json!({"stages": {"Production": {"approvals": {"count": 1, "role": "approver"}}}});
    now(world.store.put_document(PutDocument::new(key("policy"), key("churn"), policy))).unwrap();
    let request = || PromotionRequest::new(id(0, 1), Stage::Production);
    let refused = world.promote(id(0, 1), Stage::Production).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied);

    let eve = world.store.registry_as(Actor::new("eve").unwrap());
    let plan = world.plan("eve", request()).unwrap();
    now(eve.decide(&plan, Verdict::Approve, "fine")).unwrap();
    let tagged = VersionChanges::default().with_evidence(Evidence::Evaluation(EvaluationSummary {
        name: key("e"),
        data: None,
        metrics: BTreeMap::new(),
        at: from_micros_lossy(0),
    }));
    world.change_version(&id(0, 1), tagged).unwrap();
    let stale = now(world.store.promote(&plan)).unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict, "a finding came: {stale}");
    let refused = world.promote(id(0, 1), Stage::Production).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied, "eve has not seen it: {refused}");
    let plan = world.plan("eve", request()).unwrap();
    now(eve.decide(&plan, Verdict::Approve, "fine")).unwrap();
    let done = now(world.store.promote(&plan)).unwrap();
    assert_eq!((done.approvals.len(), done.policy.as_str()), (1, "churn@1"));
    let history = now(world.store.stage_history(&name(0))).unwrap();
    assert_eq!(history[0].approvals[0].comment, "fine");
    let own = world.change_version(&id(0, 1), VersionChanges::delete()).unwrap_err();
    assert_eq!(own.kind(), ErrorKind::Conflict);
}

#[test]
fn a_rollback_needs_that_the_version_held_the_stage() {
    let world = World::new();
    world.model(0);
    for text in ["one", "two", "three"] {
        world.register(0, version(text, text));
    }
    world.promote(id(0, 1), Stage::Production).unwrap();
    world.promote(id(0, 2), Stage::Production).unwrap();
    let resolve = |selector| now(world.store.resolve(&name(0), &selector)).unwrap().number;
    assert_eq!(resolve(Selector::Stage(Stage::Production)), 2);
    assert_eq!(resolve(Selector::Stage(Stage::Archived)), 1);
    assert_eq!(resolve(Selector::Latest), 3);
    let back = |number| {
        let request = PromotionRequest::new(id(0, number), Stage::Production).as_rollback();
        let plan = world.plan("ann", request)?;
        now(world.store.promote(&plan))
    };
    assert_eq!(back(3).unwrap_err().kind(), ErrorKind::Denied);
    back(1).unwrap();
    assert_eq!(resolve(Selector::Stage(Stage::Production)), 1);
    assert_eq!(world.rows().last().unwrap().operation, "version.rollback");
}

#[test]
fn pages_of_versions_neither_repeat_nor_skip_and_leave_out_what_came_later() {
    let world = World::new();
    (0..2).for_each(|i| world.model(i));
    for i in 0..7 {
        world.register(
            i,
            version(&format!("{i}"), &format!("{i}")).with_tag(key("t"), (i % 3).to_string()),
        );
    }
    let mut query = VersionQuery::parse("", &["tags.t desc"]).unwrap().with_limit(2);
    let mut seen = Vec::new();
    loop {
        let page = now(world.store.search_versions(&query)).unwrap();
        seen.extend(page.items.iter().map(|v| (v.tags["t"].clone(), v.id().to_string())));
        let Some(next) = page.next else { break };
        query = query.with_page(next);
        world.register(0, version("late", &format!("late{}", seen.len())));
    }
    let expected = [
        ("2", "churn/2"),
        ("2", "flights/3"),
        ("1", "churn/3"),
        ("1", "flights/1"),
        ("0", "churn/4"),
        ("0", "churn/1"),
        ("0", "flights/2"),
    ];
    assert_eq!(seen, expected.map(|(t, id)| (t.to_owned(), id.to_owned())));

    world.change(1, ModelChanges::delete()).unwrap();
    let query = VersionQuery::of(name(1)).with_view(View::Deleted);
    assert_eq!(now(world.store.search_versions(&query)).unwrap().items.len(), 3);
    let models = now(world.store.search_models(&ModelQuery::default())).unwrap().items;
    assert_eq!(models.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["churn"]);
}

/// One call with small arguments, so that calls meet.
type Call = (u8, u8, u64, u8);

/// Makes the call; what is refused is refused.
fn call(world: &World, (what, i, number, choice): Call) -> Result<()> {
    world.clock.advance_micros(1);
    let store = &world.store;
    let stage = Stage::ALL[usize::from(choice) % 5];
    let alias: Alias = ["champion", "challenger"][usize::from(choice % 2)].parse()?;
    let text = format!("{}", choice % 3);
    let (id, deleted) = (id(i, number), choice % 2 == 0);
    now(async {
        match what {
            0 => {
                store.create_model(&name(i), CreateModel::default().with_note(text)).await.map(drop)
            }
            1..=3 => {
                let location = format!("{}", world.rows().len());
                let mut options = version(&text, &location);
                options.reuse = choice == 3;
                if choice == 4 {
                    let imported = ImportedVersion::default().with_stage(stage);
                    options.imported = Some(imported.with_number(number + 2));
                }
                store.register(&name(i), options).await.map(drop)
            }
            4 => world.change(i, ModelChanges::default().with_alias(alias, number)),
            5 => world.change(i, ModelChanges::default().without_alias(alias)),
            6 if deleted => world.change(i, ModelChanges::delete()),
            6 => world.change(i, ModelChanges::restore()),
            7 if deleted => world.change_version(&id, VersionChanges::delete()),
            7 => world.change_version(&id, VersionChanges::restore()),
            8 => world.change_version(&id, VersionChanges::default().with_note(text)),
            9..=11 => world.promote(id, stage).map(drop),
            12 => {
                let verdict =
                    [Verdict::Approve, Verdict::Reject, Verdict::Withdraw][usize::from(choice) % 3];
                let plan = world.plan("eve", PromotionRequest::new(id, Stage::ALL[3]))?;
                let eve = store.registry_as(Actor::new("eve")?);
                eve.decide(&plan, verdict, &text).await.map(drop)
            }
            13 => {
                let plan =
                    store.plan_model_purge(&ModelPurge::DeletedBefore(world.clock.now())).await?;
                store.purge_models(&plan).await.map(drop)
            }
            _ => {
                let (kind, name) = (key("policy"), key("other"));
                let change = match choice {
                    0 => PutDocument::delete(kind, name),
                    _ => PutDocument::new(kind, name, serde_json::json!(text)),
                };
                store.put_document(change).await.map(drop)
            }
        }
    })
}

proptest! {
    #[test]
    fn replaying_the_journal_into_an_empty_store_gives_the_same_registry(
        calls in prop::collection::vec((0..15_u8, 0..2_u8, 1..5_u64, 0..6_u8), 1..80),
    ) {
        let world = World::new();
        (0..2).for_each(|i| world.model(i));
        for made in calls {
            if let Err(error) = call(&world, made) {
                prop_assert!(error.kind() != ErrorKind::Corrupt, "{error}");
            }
        }
        let state = world.replayed();
        prop_assert_eq!(&state, &world.store.lock().registry);

        for (id, version) in state.versions() {
            let model = state.model(&id.model).unwrap();
            prop_assert!(state.in_stage(&id.model, version.stage).contains(&id.number));
            for alias in &version.aliases {
                prop_assert_eq!(model.aliases.get(alias), Some(&id.number));
            }
            let moves = state.stage_history(&id.model);
            let last = moves.iter().rfind(|step| step.number == id.number);
            prop_assert_eq!(last.map_or(Stage::None, |step| step.to), version.stage);
            prop_assert!(id.number <= model.last_number);
        }
        for model in state.models().values() {
            let held: usize = model.stages.values().map(Vec::len).sum();
            let unstaged = state.in_stage(&model.name, Stage::None).len();
            prop_assert_eq!(held + unstaged, state.versions_of(&model.name).count());
            prop_assert!(model.stages.values().all(|held| !held.is_empty()));
            for (alias, number) in &model.aliases {
                let version = state.version(&VersionId::new(model.name.clone(), *number)).unwrap();
                prop_assert!(version.aliases.contains(alias) && version.deleted.is_none());
            }
        }
    }
}
