//! What a random call may be.

use mlops_core::tracking::{DatasetContext, DatasetInput, RunStatus};
use proptest::prelude::*;
use proptest::sample::select;

use crate::build::dataset;

/// A call of a tracker or journal.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Tick(i64),
    CreateExperiment {
        n: u8,
        name: u8,
        tag: Option<String>,
    },
    UpdateExperiment {
        n: u8,
        name: Option<u8>,
        tag: Option<String>,
        remove: bool,
        deleted: Option<bool>,
    },
    CreateRun {
        n: u8,
        experiment: u8,
        parent: Option<u8>,
        started: Option<i64>,
        param: Option<String>,
    },
    UpdateRun(u8, Vec<Part>),
    PlanBefore(i64),
    PlanRuns(Vec<u8>),
    PlanExperiment(u8),
    /// Of the plan that was made last, however stale it is by now.
    Purge,
    Seal,
    Search {
        which: u8,
        limit: usize,
    },
}

/// A part of a change of a run; of two of one kind the second counts, as in `RunChanges`.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Expect(RunStatus),
    ExpectUnfinished,
    Param(u8, String),
    Tag(u8, String),
    RemoveTag(u8),
    Input(DatasetInput),
    Points(Points),
    Seal(Sealing),
    Artifact(&'static str, u8),
    Name(u8),
    Note(String),
    Status(RunStatus),
    Ended(i64),
    Lease(i64),
    Deleted(bool),
}

/// Points at `shift` from the end of their spool.
#[derive(Debug, Clone)]
pub(super) struct Points {
    pub(super) spool: u8,
    pub(super) shift: i64,
    pub(super) metric: u8,
    pub(super) values: Vec<f64>,
}

/// A seal of some chunks in a row, whose count is `wrong` too great.
#[derive(Debug, Clone)]
pub(super) struct Sealing {
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) wrong: u64,
    pub(super) content: u8,
}

const PATHS: [&str; 5] = ["a", "a/b", "a/b/c", "a-b", "model.bin"];

/// Sequences of calls that begin with an experiment and runs, or nothing would exist for long.
pub(super) fn sequence() -> impl Strategy<Value = Vec<Call>> {
    let run = |n| Call::CreateRun { n, experiment: 0, parent: None, started: Some(0), param: None };
    let first = vec![Call::CreateExperiment { n: 0, name: 0, tag: None }, run(0), run(1), run(2)];
    prop::collection::vec(call(), 1..80).prop_map(move |calls| [first.clone(), calls].concat())
}

fn call() -> impl Strategy<Value = Call> {
    let experiment = 0_u8..3;
    let run = 0_u8..4;
    let some = |n: std::ops::Range<u8>| prop::option::weighted(0.3, n);
    let tag = || prop::option::weighted(0.3, text());
    let trash = prop::option::weighted(0.6, any::<bool>());
    let started = prop::option::weighted(0.5, -3_i64..3);
    prop_oneof![
        3 => (-1_i64..4).prop_map(Call::Tick),
        3 => (experiment.clone(), 0_u8..3, tag())
            .prop_map(|(n, name, tag)| Call::CreateExperiment { n, name, tag }),
        3 => (experiment.clone(), some(0..3), tag(), any::<bool>(), trash).prop_map(
            |(n, name, tag, remove, deleted)| {
                Call::UpdateExperiment { n, name, tag, remove, deleted }
            }
        ),
        6 => (run.clone(), experiment.clone(), some(0..4), started, tag()).prop_map(
            |(n, experiment, parent, started, param)| {
                Call::CreateRun { n, experiment, parent, started, param }
            }
        ),
        20 => (run.clone(), part()).prop_map(|(n, part)| Call::UpdateRun(n, vec![part])),
        15 => (run.clone(), prop::collection::vec(part(), 0..5))
            .prop_map(|(n, parts)| Call::UpdateRun(n, parts)),
        4 => (run.clone(), any::<bool>())
            .prop_map(|(n, deleted)| Call::UpdateRun(n, vec![Part::Deleted(deleted)])),
        1 => (-3_i64..3).prop_map(Call::PlanBefore),
        2 => prop::collection::vec(run, 0..3).prop_map(Call::PlanRuns),
        1 => experiment.prop_map(Call::PlanExperiment),
        2 => Just(Call::Purge),
        1 => Just(Call::Seal),
        10 => (0_u8..5, 1_usize..4).prop_map(|(which, limit)| Call::Search { which, limit }),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        1 => status().prop_map(Part::Expect),
        1 => Just(Part::ExpectUnfinished),
        3 => (0_u8..3, text()).prop_map(|(n, value)| Part::Param(n, value)),
        3 => (0_u8..2, text()).prop_map(|(n, value)| Part::Tag(n, value)),
        2 => (0_u8..2).prop_map(Part::RemoveTag),
        2 => input().prop_map(Part::Input),
        5 => points().prop_map(Part::Points),
        2 => sealing().prop_map(Part::Seal),
        4 => (select(&PATHS[..]), 0_u8..4).prop_map(|(path, content)| Part::Artifact(path, content)),
        1 => (0_u8..2).prop_map(Part::Name),
        1 => text().prop_map(Part::Note),
        4 => status().prop_map(Part::Status),
        1 => (0_i64..5).prop_map(Part::Ended),
        2 => (0_i64..5).prop_map(Part::Lease),
        1 => any::<bool>().prop_map(Part::Deleted),
    ]
}

/// Few texts, so that they are repeated; one of them is refused.
fn text() -> impl Strategy<Value = String> {
    let texts = ["", "1", "1.0", "it's", "100%_", "Ü", "ü", "two\nlines", "a\0b"];
    prop_oneof![20 => select(texts[..8].to_vec()), 1 => Just(texts[8])].prop_map(String::from)
}

fn status() -> impl Strategy<Value = RunStatus> {
    prop_oneof![3 => Just(RunStatus::Running), 5 => select(RunStatus::ALL.to_vec())]
}

fn input() -> impl Strategy<Value = DatasetInput> {
    let contexts = ["train", "test", "other"].map(String::from).map(DatasetContext::from).to_vec();
    (0_u8..2, select(contexts), prop::option::of(0_u64..2)).prop_map(|(n, context, rows)| {
        let mut input = dataset(&format!("data {n}"), "sha256:1", context);
        input.rows = rows;
        input
    })
}

fn points() -> impl Strategy<Value = Points> {
    let shift = prop_oneof![8 => Just(0_i64), 1 => Just(1), 2 => -3_i64..0];
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1.0, 0.1, 1e300, 5e-324];
    let value = prop_oneof![select(special.to_vec()), -1e3_f64..1e3];
    (0_u8..2, shift, 0_u8..2, prop::collection::vec(value, 1..4))
        .prop_map(|(spool, shift, metric, values)| Points { spool, shift, metric, values })
}

fn sealing() -> impl Strategy<Value = Sealing> {
    let wrong = prop_oneof![6 => Just(0_u64), 1 => Just(1)];
    (0_usize..2, 1_usize..4, wrong, 0_u8..4).prop_map(|(start, len, wrong, content)| Sealing {
        start,
        len,
        wrong,
        content,
    })
}
