//! What a random call of a registry, a catalog or the graph may be.

use mlops_core::registry::{Stage, Verdict};
use proptest::prelude::*;
use proptest::sample::select;

/// A call; models, versions, actors, aliases and contents are few, so that calls meet.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Tick(i64),
    CreateModel(u8, Option<u8>),
    UpdateModel(u8, Vec<ModelPart>),
    Register {
        model: u8,
        content: u8,
        extra: u8,
        run: Option<u8>,
        reuse: bool,
        known: bool,
        elsewhere: bool,
    },
    Import {
        model: u8,
        content: u8,
        number: Option<u64>,
        stage: Stage,
    },
    UpdateVersion(u8, u64, Vec<VersionPart>),
    Resolve(u8, u8),
    /// Looks, and keeps the plan for later in one of two places.
    Plan {
        model: u8,
        number: u64,
        to: Stage,
        rollback: bool,
        keep: u8,
    },
    /// Looks and carries out.
    Promote {
        model: u8,
        number: u64,
        to: Stage,
        rollback: bool,
        actor: u8,
    },
    /// Carries out a plan that was kept, however stale it is by now.
    PromoteKept(u8, u8),
    /// Looks and says something.
    Decide {
        model: u8,
        number: u64,
        to: Stage,
        verdict: Verdict,
        actor: u8,
    },
    DecideKept(u8, Verdict, u8),
    PlanPurgeBefore(i64),
    PlanPurgeVersions(u8, Vec<u64>),
    PlanPurgeModels(Vec<u8>),
    /// Of the plan that was made last.
    Purge,
    Policy(u8, u8),
    Access(u8),
    Document {
        name: u8,
        body: Option<u8>,
        expect: Option<u64>,
    },
    Link(Vec<(u8, u8)>),
    Advance(u8, u64, u64),
    /// The run's status changes, or it reads a dataset, names an object, or goes to the trash.
    Run(u8),
    SearchModels(u8, usize),
    SearchVersions(u8, usize),
}

/// A part of a change of a model.
#[derive(Debug, Clone)]
pub(super) enum ModelPart {
    Note(u8),
    Tag(u8, u8),
    RemoveTag(u8),
    Alias(u8, Option<u64>),
    Expect(u8, Option<u64>),
    Deleted(bool),
}

/// A part of a change of a version.
#[derive(Debug, Clone)]
pub(super) enum VersionPart {
    Note(u8),
    Tag(u8, u8),
    RemoveTag(u8),
    Finding(u8, u8),
    Attestation(u8, u8),
    Deleted(bool),
}

/// Sequences of calls that begin with a model and versions, or nothing would exist for long.
pub(super) fn sequence() -> impl Strategy<Value = Vec<Call>> {
    let register = |content| Call::Register {
        model: 0,
        content,
        extra: 0,
        run: None,
        reuse: false,
        known: false,
        elsewhere: false,
    };
    let first = vec![Call::CreateModel(0, None), register(0), register(1), register(2)];
    prop::collection::vec(call(), 1..70).prop_map(move |calls| [first.clone(), calls].concat())
}

/// Mostly the first model, so that versions compete.
fn model() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0_u8), 1 => Just(1), 1 => Just(2)]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![12 => 1_u64..6, 1 => Just(0), 1 => Just(99)]
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![4 => Just(Stage::Production), 3 => select(Stage::ALL.to_vec())]
}

fn verdict() -> impl Strategy<Value = Verdict> {
    select(vec![Verdict::Approve, Verdict::Approve, Verdict::Reject, Verdict::Withdraw])
}

fn call() -> BoxedStrategy<Call> {
    let flag = || prop::bool::weighted(0.2);
    let expect = || prop::option::weighted(0.3, 0_u64..4);
    let register = (model(), 0_u8..5, 0_u8..3, prop::option::weighted(0.3, 0_u8..3)).prop_flat_map(
        move |(model, content, extra, run)| {
            (flag(), flag(), flag()).prop_map(move |(reuse, known, elsewhere)| Call::Register {
                model,
                content,
                extra,
                run,
                reuse,
                known,
                elsewhere,
            })
        },
    );
    let import = (model(), 0_u8..5, prop::option::of(1_u64..9), stage())
        .prop_map(|(model, content, number, stage)| Call::Import { model, content, number, stage });
    let plan = (model(), number(), stage(), flag(), 0_u8..2).prop_map(
        |(model, number, to, rollback, keep)| Call::Plan { model, number, to, rollback, keep },
    );
    let promote = (model(), number(), stage(), flag(), 0_u8..4).prop_map(
        |(model, number, to, rollback, actor)| Call::Promote { model, number, to, rollback, actor },
    );
    let decide = (model(), number(), stage(), verdict(), 0_u8..4).prop_map(
        |(model, number, to, verdict, actor)| Call::Decide { model, number, to, verdict, actor },
    );
    prop_oneof![
        4 => (-1_i64..4).prop_map(Call::Tick),
        2 => (0_u8..3, prop::option::of(0_u8..3)).prop_map(|(m, note)| Call::CreateModel(m, note)),
        10 => (model(), prop::collection::vec(model_part(), 0..4))
            .prop_map(|(m, parts)| Call::UpdateModel(m, parts)),
        1 => (0_u8..3, any::<bool>())
            .prop_map(|(m, deleted)| Call::UpdateModel(m, vec![ModelPart::Deleted(deleted)])),
        8 => register,
        2 => import,
        10 => (model(), number(), prop::collection::vec(version_part(), 0..3))
            .prop_map(|(m, n, parts)| Call::UpdateVersion(m, n, parts)),
        5 => (model(), number(), any::<bool>())
            .prop_map(|(m, n, deleted)| Call::UpdateVersion(m, n, vec![VersionPart::Deleted(deleted)])),
        6 => (model(), 0_u8..16).prop_map(|(m, which)| Call::Resolve(m, which)),
        4 => plan,
        14 => promote,
        4 => (0_u8..2, 0_u8..4).prop_map(|(keep, actor)| Call::PromoteKept(keep, actor)),
        8 => decide,
        2 => (0_u8..2, verdict(), 0_u8..4).prop_map(|(k, v, a)| Call::DecideKept(k, v, a)),
        1 => (-3_i64..3).prop_map(Call::PlanPurgeBefore),
        3 => (model(), prop::collection::vec(number(), 0..3))
            .prop_map(|(m, numbers)| Call::PlanPurgeVersions(m, numbers)),
        2 => prop::collection::vec(0_u8..3, 1..3).prop_map(Call::PlanPurgeModels),
        4 => Just(Call::Purge),
        3 => (0_u8..3, 0_u8..7).prop_map(|(name, which)| Call::Policy(name, which)),
        1 => (0_u8..4).prop_map(Call::Access),
        3 => (0_u8..2, prop::option::weighted(0.8, 0_u8..2), expect())
            .prop_map(|(name, body, expect)| Call::Document { name, body, expect }),
        2 => prop::collection::vec((0_u8..4, 0_u8..4), 0..3).prop_map(Call::Link),
        2 => (0_u8..2, 0_u64..4, 0_u64..6).prop_map(|(r, from, to)| Call::Advance(r, from, to)),
        3 => (0_u8..9).prop_map(Call::Run),
        3 => (0_u8..4, 1_usize..4).prop_map(|(which, limit)| Call::SearchModels(which, limit)),
        5 => (0_u8..6, 1_usize..4).prop_map(|(which, limit)| Call::SearchVersions(which, limit)),
    ]
    .boxed()
}

fn model_part() -> impl Strategy<Value = ModelPart> {
    let some = || prop::option::weighted(0.8, number());
    prop_oneof![
        1 => (0_u8..3).prop_map(ModelPart::Note),
        2 => (0_u8..2, 0_u8..3).prop_map(|(k, v)| ModelPart::Tag(k, v)),
        1 => (0_u8..2).prop_map(ModelPart::RemoveTag),
        6 => (0_u8..3, some()).prop_map(|(a, n)| ModelPart::Alias(a, n)),
        2 => (0_u8..3, some()).prop_map(|(a, n)| ModelPart::Expect(a, n)),
        1 => any::<bool>().prop_map(ModelPart::Deleted),
    ]
}

fn version_part() -> impl Strategy<Value = VersionPart> {
    prop_oneof![
        1 => (0_u8..3).prop_map(VersionPart::Note),
        2 => (0_u8..2, 0_u8..3).prop_map(|(k, v)| VersionPart::Tag(k, v)),
        1 => (0_u8..2).prop_map(VersionPart::RemoveTag),
        3 => (0_u8..4, 0_u8..2).prop_map(|(n, v)| VersionPart::Finding(n, v)),
        1 => (0_u8..2, 0_u8..2).prop_map(|(k, s)| VersionPart::Attestation(k, s)),
    ]
}
