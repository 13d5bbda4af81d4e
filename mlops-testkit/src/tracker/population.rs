//! The runs that searches are tried on: forty-two of them, in four groups and a remainder.
//!
//! | ids | experiment | what they are |
//! |---|---|---|
//! | 1–10 | grid | finished; numeric params as text, `auc` 0.50, 0.55, … 0.95, durations 0, 10, … 90 s |
//! | 11–20 | rough | every other status; params that are no numbers, `loss` with several points |
//! | 21–30 | strange | metrics that are NaN, infinite, tiny, huge, or missing |
//! | 31–40 | strange | labels and names with quotes, patterns, other scripts, line breaks |
//! | 41–42 | grid | like run 1, but in the trash |
//!
//! Run `n` starts `n` seconds after [`NOW`], but 39 and 40 at the same instant as 38.

use std::collections::BTreeMap;

use mlops_core::RunId;
use mlops_core::tracking::{
    CreateExperiment, CreateRun, DatasetContext, Run, RunChanges, RunStatus, Tracker,
};

use crate::build::{at, dataset, experiment_id, key, run_id, run_name, values};

/// The experiments of the population: `experiment_id(1)`, and so on.
pub const EXPERIMENTS: [&str; 3] = ["grid", "rough", "strange"];

/// The labels of runs 31 to 40, which are in their names too where a name may hold them.
pub(super) const LABELS: [&str; 10] =
    ["it's", "say \"hi\"", "100%", "a_b", "axb", "ÄÖÜ", "äöü", "back\\slash", "", "line\nbreak"];

/// The metric `x` of runs 21 to 29; run 30 has none.
pub(super) const STRANGE: [&[f64]; 9] = [
    &[f64::NAN],
    &[f64::INFINITY],
    &[f64::NEG_INFINITY],
    &[f64::NAN, 1.0],
    &[1.0, f64::NAN],
    &[0.0],
    &[-0.0],
    &[5e-324],
    &[f64::MAX],
];

/// Makes the population in an empty store, and returns it as it is read back.
pub async fn populate(tracker: &dyn Tracker) -> BTreeMap<RunId, Run> {
    for (n, name) in (1..).zip(EXPERIMENTS) {
        let options = CreateExperiment::default().with_id(experiment_id(n));
        tracker.create_experiment(&name.parse().unwrap(), options).await.unwrap();
    }
    let mut runs = BTreeMap::new();
    for n in 1..=42 {
        let (create, change) = plan(n);
        tracker.create_run(create).await.unwrap();
        for change in change {
            tracker.update_run(run_id(n), change).await.unwrap();
        }
        runs.insert(run_id(n), tracker.run(run_id(n)).await.unwrap());
    }
    runs
}

fn start(n: u8, experiment: u8, name: &str) -> CreateRun {
    let second = if n == 39 || n == 40 { 38 } else { i64::from(n) };
    CreateRun::new(run_id(n), experiment_id(experiment))
        .with_name(run_name(name))
        .with_started(at(second * 1_000_000))
}

/// How run `n` is started, and what happens to it then.
fn plan(n: u8) -> (CreateRun, Vec<RunChanges>) {
    match n {
        1..=10 => grid(n),
        11..=20 => rough(n),
        21..=30 => strange(n),
        31..=40 => labelled(n),
        _ => {
            let (create, mut changes) = grid(n);
            changes.push(RunChanges::default().with_deleted(true));
            (create, changes)
        }
    }
}

fn grid(n: u8) -> (CreateRun, Vec<RunChanges>) {
    let i = if n > 40 { 0 } else { n - 1 };
    let create = start(n, 1, &format!("grid-{i}"))
        .with_user("ann")
        .with_param(key("model"), "gbdt")
        .with_param(key("lr"), if i % 2 == 0 { "0.1" } else { "1e-2" })
        .with_param(key("depth"), (i + 1).to_string())
        .with_tag(key("team"), if i < 5 { "x" } else { "y" });
    let ended = at(i64::from(n) * 1_000_000 + i64::from(i) * 10_000_000);
    let mut end = RunChanges::default()
        .with_metrics(values(n, 0, "auc", &[f64::from(50 + 5 * u32::from(i)) / 100.0]))
        .with_status(RunStatus::Finished)
        .with_ended(ended);
    let iris = |context| dataset("iris", "sha256:1", context);
    end.inputs = match n {
        1 => vec![iris(DatasetContext::Train)],
        2 => vec![iris(DatasetContext::Test)],
        3 => vec![
            iris(DatasetContext::Train),
            dataset("wine", "sha256:2", DatasetContext::Validation),
        ],
        4 => vec![dataset("wine", "md5:3", DatasetContext::Other("calibration".to_owned()))],
        _ => vec![],
    };
    (create, vec![end])
}

fn rough(n: u8) -> (CreateRun, Vec<RunChanges>) {
    const LR: [&str; 6] = ["abc", "", " 0.5 ", "inf", "nan", "-1"];
    let i = usize::from(n - 11);
    let mut create = start(n, 2, &format!("Rough {i}"))
        .with_user("bob")
        .with_param(key("model"), "mlp")
        .with_parent(run_id(1));
    if let Some(lr) = LR.get(i) {
        create = create.with_param(key("lr"), *lr);
    }
    if i == 9 {
        create.parent = None;
    }
    let status = match i {
        0..3 => RunStatus::Failed,
        3..5 => RunStatus::Killed,
        5 => RunStatus::Lost,
        _ => RunStatus::Running,
    };
    let first = i as f64;
    let mut change = RunChanges::default()
        .with_metrics(values(n, 0, "loss", &[first, first + 10.0, first / 10.0][..=i % 3]))
        .with_status(status);
    if status != RunStatus::Running {
        change = change.with_ended(at((i64::from(n) + 100) * 1_000_000));
    }
    (create, vec![change])
}

fn strange(n: u8) -> (CreateRun, Vec<RunChanges>) {
    let i = usize::from(n - 21);
    let create = start(n, 3, &format!("strange-{i}")).with_user("çelik");
    let metrics = STRANGE.get(i).map(|column| values(n, 0, "x", column));
    let change = RunChanges::default().with_note(format!("note {i}"));
    let change = match metrics {
        Some(chunk) => change.with_metrics(chunk),
        None => change,
    };
    (create, vec![change])
}

fn labelled(n: u8) -> (CreateRun, Vec<RunChanges>) {
    let label = LABELS[usize::from(n - 31)];
    let name = if label.is_empty() || label.contains('\n') { "plain" } else { label };
    let mut create = start(n, 3, name).with_tag(key("label"), label);
    if n.is_multiple_of(2) {
        create = create.with_param(key("a key with spaces"), label).with_param(key("q\"`'"), "q");
    }
    let change = RunChanges::default()
        .with_metrics(values(n, 0, "val/top-1", &[f64::from(n)]))
        .with_status(RunStatus::Finished)
        .with_ended(at(1_000_000_000));
    (create, vec![change])
}
