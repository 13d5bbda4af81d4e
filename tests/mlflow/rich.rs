//! A store with one of everything, and what it is to be in MLflow's words.

use std::collections::BTreeMap;

use mlops::filter::Filter;
use mlops::time::{Instant, from_micros};
use mlops::tracking::{
    CreateExperiment, CreateRun, DatasetContext, DatasetInput, Experiment, ExperimentChanges,
    ExperimentQuery, HistoryQuery, MetricPoint, Run, RunChanges, RunQuery, RunStatus, View,
};
use mlops::{ActiveRun, ExperimentId, ExperimentName, Key, RunId, RunName, Workspace};
use serde_json::{Value, json};

/// Where time begins: whole milliseconds.
pub(crate) const T0: i64 = 1_700_000_000_000_000;

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn at(micros: i64) -> Instant {
    from_micros(T0 + micros).unwrap()
}

pub(crate) fn point(step: i64, micros: i64, value: f64) -> MetricPoint {
    MetricPoint { step, time_micros: T0 + micros, value }
}

/// A store, and the directory that it lies in.
pub(crate) struct Store {
    pub(crate) ws: Workspace,
    pub(crate) dir: tempfile::TempDir,
    /// Keeps a run running.
    running: Option<ActiveRun>,
}

pub(crate) async fn empty() -> Store {
    let dir = tempfile::tempdir().unwrap();
    let ws = Workspace::open(dir.path().join("store")).await.unwrap();
    Store { ws, dir, running: None }
}

pub(crate) async fn experiment(ws: &Workspace, name: &str, micros: i64) -> ExperimentId {
    let options = CreateExperiment::default()
        .with_created(at(micros))
        .with_tag(key("team"), "vision")
        .with_tag(key("mlflow.note.content"), "# A *note*\n");
    let name = ExperimentName::new(name).unwrap();
    ws.tracker().create_experiment(&name, options).await.unwrap().id
}

/// A handle on a new run whose start is not now.
pub(crate) async fn start(ws: &Workspace, options: CreateRun) -> ActiveRun {
    let id = ws.tracker().create_run(options).await.unwrap().id;
    // Only what is not running can be taken up.
    let lost = RunChanges::default().with_status(RunStatus::Lost);
    ws.tracker().update_run(id, lost).await.unwrap();
    ws.resume(id).await.unwrap()
}

pub(crate) async fn change(ws: &Workspace, id: RunId, changes: RunChanges) {
    ws.tracker().update_run(id, changes).await.unwrap();
}

fn new_run(n: u8, experiment: ExperimentId, name: &str, micros: i64) -> CreateRun {
    let id = RunId::from_bytes([n; 16]);
    CreateRun::new(id, experiment)
        .with_name(RunName::new(name).unwrap())
        .with_started(at(micros))
        .with_user("ada")
}

fn dataset(name: &str, digest: &str, context: DatasetContext) -> DatasetInput {
    DatasetInput::new(key(name), key(digest), context)
}

fn curves(exact: bool) -> Vec<(&'static str, Vec<MetricPoint>)> {
    let zero = if exact { 0.0 } else { -0.0 };
    let mut curves = vec![
        ("train/deep/er", vec![point(0, 21_000, zero), point(0, 22_000, 5e-324)]),
        ("nan", vec![point(0, 21_000, 1.5), point(1, 22_000, f64::NAN)]),
        ("nan then number", vec![point(0, 21_000, f64::NAN), point(1, 22_000, 2.0)]),
        ("negative_step", vec![point(-6, 21_000, 1.0), point(-5, 22_000, 2.0)]),
        ("same_step", vec![point(7, 21_000, 1.0), point(7, 22_000, 2.0), point(7, 22_000, 3.0)]),
        ("exact", vec![point(0, 21_000, 0.1), point(1, 21_000, 1.0 / 3.0), point(2, 0, 1e-300)]),
    ];
    if !exact {
        curves.push(("out_of_order", vec![point(5, 25_000, 50.0), point(3, 29_000, 30.0)]));
        curves.push(("pinf", vec![point(0, 21_000, f64::INFINITY)]));
        curves.push(("ninf", vec![point(0, 21_000, f64::NEG_INFINITY)]));
        curves.push(("twice", vec![point(0, 21_000, 1.0), point(0, 21_000, 1.0)]));
        curves.push(("finely", vec![point(0, 21_001, 1.0), point(0, 21_002, 2.0)]));
        curves.push(("weird@5(%)", vec![point(0, 21_000, 0.5)]));
    }
    curves
}

/// `exact`: only what comes back from MLflow as it was.
pub(crate) async fn store(exact: bool) -> Store {
    let mut store = empty().await;
    let ws = &store.ws;
    let churn = experiment(ws, "churn / ü", 1_000).await;
    let usual = experiment(ws, "Default", 2_000).await;

    let options = new_run(1, churn, "baseline", 10_000 + if exact { 0 } else { 123 })
        .with_param(key("lr"), "0.01")
        .with_param(key("empty"), "")
        .with_param(key("opt/name"), "ünïcödé ✓\nsecond line ")
        .with_param(key("long"), "x".repeat(if exact { 6_000 } else { 9_000 }))
        .with_tag(key("with/slash"), "v")
        .with_tag(key("mlops.source.commit"), "0".repeat(40))
        .with_tag(key("mlops.source.branch"), "main")
        .with_tag(key("mlops.source.entry"), "src/train.rs");
    let run = start(ws, options).await;
    for step in 0..3_000 {
        let value = 1.0 / (step as f64 + 1.0);
        run.log_metric_at("loss", point(step, 20_000 + step * 1_000, value)).unwrap();
    }
    for (key, points) in curves(exact) {
        for point in points {
            run.log_metric_at(key, point).unwrap();
        }
    }
    let schema = json!({ "x": "Float64", "y": "Utf8" });
    let long = format!("blake3:{}", "ab".repeat(32));
    let input = dataset("train.csv", &long, DatasetContext::Train)
        .with_source("s3://bucket/train data.csv")
        .with_schema(schema)
        .with_rows(3);
    run.log_input(input).await.unwrap();
    let other = DatasetContext::Other("calibration".into());
    run.log_input(dataset("valid.csv", "e5f6", other).with_source("data/valid.csv")).await.unwrap();
    if !exact {
        run.log_input(
            dataset("valid.csv", "e5f6", DatasetContext::Test).with_source("data/valid.csv"),
        )
        .await
        .unwrap();
    }
    for (path, bytes) in [
        ("readme.txt", b"hello\n".to_vec()),
        ("plots/deep/b.json", br#"{"x": 1}"#.to_vec()),
        ("empty.bin", Vec::new()),
        ("weights.bin", vec![7; 100_000]),
        (if exact { "a#b?%41" } else { "with space & ü.txt" }, b"u".to_vec()),
    ] {
        run.log_artifact(path, bytes).await.unwrap();
    }
    run.set_note("# Title\n\nA *note* with `code`,\ttabs, \"quotes\" and ünïcödé ✓.\n")
        .await
        .unwrap();
    run.finish().await.unwrap();
    change(ws, run.id(), RunChanges::default().with_ended(at(70_000))).await;

    let child = new_run(2, churn, "child", 80_000).with_parent(run.id());
    let child = start(ws, child).await;
    child.log_metric_at("loss", point(0, 81_000, 0.5)).unwrap();
    // The same data as its parent's, which MLflow stores once.
    let input = dataset("valid.csv", "e5f6", DatasetContext::Validation);
    child.log_input(input.with_source("data/valid.csv")).await.unwrap();
    child.fail("out of memory").await.unwrap();
    change(ws, child.id(), RunChanges::default().with_ended(at(90_000))).await;

    let lost = new_run(3, usual, "lost", 100_000).with_param(key("p"), "1");
    let lost = ws.tracker().create_run(lost).await.unwrap().id;
    let changes = RunChanges::default().with_status(RunStatus::Lost).with_ended(at(110_000));
    change(ws, lost, changes).await;
    let deleted = ws.tracker().create_run(new_run(4, usual, "deleted", 120_000)).await.unwrap().id;
    let changes = RunChanges::default().with_status(RunStatus::Killed).with_ended(at(130_000));
    change(ws, deleted, changes).await;
    change(ws, deleted, RunChanges::default().with_deleted(true)).await;

    let gone = experiment(ws, "gone", 3_000).await;
    let in_gone = start(ws, new_run(5, gone, "in gone", 140_000)).await;
    in_gone.log_metric_at("m", point(1, 141_000, 1.0)).unwrap();
    in_gone.log_artifact("kept.txt", b"kept".to_vec()).await.unwrap();
    in_gone.finish().await.unwrap();
    change(ws, in_gone.id(), RunChanges::default().with_ended(at(150_000))).await;
    ws.tracker().update_experiment(gone, ExperimentChanges::delete()).await.unwrap();
    if !exact {
        experiment(ws, "gone", 4_000).await;
        let running = start(ws, new_run(6, usual, "running", 160_000)).await;
        running.log_metric_at("m", point(1, 161_000, 1.0)).unwrap();
        running.flush().await.unwrap();
        store.running = Some(running);
    }
    store
}

pub(crate) async fn all_runs(ws: &Workspace) -> Vec<Run> {
    ws.search_all(RunQuery::default().with_view(View::All)).await.unwrap()
}

pub(crate) async fn all_experiments(ws: &Workspace) -> Vec<Experiment> {
    let query = ExperimentQuery::new(Filter::All).with_view(View::All);
    ws.tracker().search_experiments(&query).await.unwrap().items
}

pub(crate) async fn history(ws: &Workspace, run: RunId, key: &Key) -> Vec<MetricPoint> {
    ws.metric_history(run, key, &HistoryQuery::default()).await.unwrap().iter().collect()
}

/// A float as the scripts print it.
pub(crate) fn number(value: f64) -> Value {
    match value {
        nan if nan.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        value => json!(value),
    }
}

/// A run as MLflow's client should show it after an export, worked out from the store alone: by the
/// rules of MLflow's documentation, and not by the exporter's code.
pub(crate) async fn as_mlflow(ws: &Workspace, experiments: &[Experiment], run: &Run) -> Value {
    let experiment = experiments.iter().find(|e| e.id == run.experiment).unwrap();
    let mut tags: BTreeMap<String, String> =
        run.tags.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
    let mut tag = |key: &str, value: String| tags.insert(key.to_owned(), value);
    tag("mlflow.runName", run.name.to_string());
    tag("mlflow.user", run.user.clone());
    if !run.note.is_empty() {
        tag("mlflow.note.content", run.note.clone());
    }
    if let Some(parent) = run.parent {
        tag("mlflow.parentRunId", parent.to_string());
    }
    for (ours, theirs) in [
        ("mlops.source.commit", "mlflow.source.git.commit"),
        ("mlops.source.branch", "mlflow.source.git.branch"),
        ("mlops.source.entry", "mlflow.source.name"),
    ] {
        if let Some(value) = run.tags.get(ours) {
            tag(theirs, value.clone());
        }
    }
    if run.status == RunStatus::Lost {
        tag("mlops.status", "lost".to_owned());
    }
    if run.started.timestamp_micros() % 1_000 != 0 {
        tag("mlops.started", "2023-11-14T22:13:20.010123Z".to_owned());
    }
    let (mut metrics, mut histories) = (BTreeMap::new(), BTreeMap::new());
    for key in run.metrics.keys() {
        let mut points: Vec<(i64, i64, f64)> = history(ws, run.id, key)
            .await
            .iter()
            .map(|p| (p.step, p.time_micros / 1_000, p.value.clamp(-f64::MAX, f64::MAX)))
            .collect();
        let order = |a: &(i64, i64, f64), b: &(i64, i64, f64)| {
            let zeroed = |value: f64| if value.is_nan() { 0.0 } else { value };
            (a.0, a.1).cmp(&(b.0, b.1)).then(zeroed(a.2).total_cmp(&zeroed(b.2)))
        };
        points.sort_by(order);
        points.dedup_by_key(|p| (p.0, p.1, p.2.to_bits()));
        metrics.insert(key.to_string(), number(points.last().unwrap().2));
        let points: Vec<Value> =
            points.iter().map(|(step, ms, value)| json!([ms, step, number(*value)])).collect();
        histories.insert(key.to_string(), points);
    }
    let status = match run.status {
        RunStatus::Lost => "KILLED".to_owned(),
        other => other.as_str().to_uppercase(),
    };
    let in_trash = run.deleted.is_some() || experiment.deleted.is_some();
    json!({
        "run_id": run.id,
        "run_name": run.name,
        "status": status,
        "lifecycle_stage": if in_trash { "deleted" } else { "active" },
        "user_id": run.user,
        "start_time": run.started.timestamp_millis(),
        "end_time": run.ended.map(|ended| ended.timestamp_millis()),
        "params": run.params,
        "tags": tags,
        "metrics": metrics,
        "history": histories,
    })
}
