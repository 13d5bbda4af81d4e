//! What is exported, as MLflow sees it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use mlops::ErrorKind;
use mlops::mlflow::{self, ExportOptions, ExportReport, FindingKind};
use serde_json::{Value, json};

use crate::peer::{self, Unavailable};
use crate::rich::{self, Store};

fn places(store: &Store) -> (PathBuf, PathBuf) {
    let dir = store.dir.path();
    (dir.join("mlflow.db"), dir.join("files of mlflow/ü"))
}

async fn export(store: &Store) -> ExportReport {
    let (database, files) = places(store);
    mlflow::export(store.ws.models(), &database, &files, ExportOptions::default()).await.unwrap()
}

pub(crate) fn mlflow_reads_it(version: &str) -> Result<(), Unavailable> {
    let python = peer::peer_python(version)?;
    block_on(async {
        let store = rich::store(false).await;
        let report = export(&store).await;
        let (database, files) = places(&store);
        let database = database.to_str().unwrap();
        let seen = peer::script(&python, "check_export.py", &[database, "--json", "--long-values"]);
        assert_eq!(seen["mlflow"], version);
        assert_eq!(seen["schema_revision"], json!(["acf3f17fdcc7"]));

        let experiments = rich::all_experiments(&store.ws).await;
        let names = names(&seen);
        assert_eq!(report.experiments as usize, names.len());
        assert_eq!(names.len(), experiments.len());
        for experiment in &experiments {
            let there = &names[&experiment.id.to_string()];
            let name = match &*experiment.name {
                "gone" if experiment.deleted.is_some() => "gone (deleted)",
                name => name,
            };
            assert_eq!(there["name"], name);
            assert_eq!(there["creation_time"], experiment.created.timestamp_millis());
            assert_eq!(there["tags"]["team"], "vision");
            let stage = if experiment.deleted.is_some() { "deleted" } else { "active" };
            assert_eq!(there["lifecycle_stage"], stage);
            assert_eq!(name == "Default", there["experiment_id"] == "0");
        }
        let runs = rich::all_runs(&store.ws).await;
        let seen_runs = seen["runs"].as_array().unwrap();
        assert_eq!(seen_runs.len(), runs.len());
        assert_eq!(report.runs as usize, runs.len());
        for run in &runs {
            let there = seen_runs.iter().find(|r| r["run_id"] == run.id.to_string()).unwrap();
            let mut expected = rich::as_mlflow(&store.ws, &experiments, run).await;
            let experiment = &names[&run.experiment.to_string()]["experiment_id"];
            assert_eq!(there["experiment_id"], *experiment);
            // MLflow gives a history in an order of its own.
            let mut there = there.clone();
            for side in [&mut there, &mut expected] {
                for points in side["history"].as_object_mut().unwrap().values_mut() {
                    points.as_array_mut().unwrap().sort_by_key(Value::to_string);
                }
            }
            for (what, expected) in expected.as_object().unwrap() {
                assert_eq!(there[what], *expected, "{} of {}", what, run.name);
            }
            artifacts(&store, run, &there, &files).await;
        }
        inputs(seen_runs);
    });
    Ok(())
}

/// MLflow's experiments by the id that ours have.
fn names(seen: &Value) -> BTreeMap<String, Value> {
    let experiments = seen["experiments"].as_array().unwrap();
    let id = |e: &Value| e["tags"]["mlops.experiment_id"].as_str().unwrap().to_owned();
    experiments.iter().map(|e| (id(e), e.clone())).collect()
}

/// The script has compared what MLflow downloads with what lies there.
async fn artifacts(store: &Store, run: &mlops::tracking::Run, there: &Value, files: &Path) {
    let ours = store.ws.tracker().artifacts(run.id, "").await.unwrap();
    let theirs = there["artifacts"].as_array().cloned().unwrap_or_default();
    let listed: Vec<&str> = theirs
        .iter()
        .filter(|entry| entry["is_dir"] == false)
        .map(|entry| entry["path"].as_str().unwrap())
        .collect();
    let expected: Vec<&str> = ours.iter().map(|artifact| artifact.path.as_str()).collect();
    assert_eq!(listed, expected);
    let number = there["experiment_id"].as_str().unwrap();
    for artifact in &ours {
        let path = files.join(number).join(run.id.to_string()).join("artifacts");
        let bytes = fs::read(path.join(artifact.path.as_str())).unwrap();
        assert_eq!(blake3::hash(&bytes).as_bytes(), &artifact.blob.digest.0);
    }
}

fn inputs(runs: &[Value]) {
    let of = |name: &str| &runs.iter().find(|run| run["run_name"] == name).unwrap()["inputs"];
    let long = format!("blake3:{}", "ab".repeat(32));
    let schema = json!({ "x": "Float64", "y": "Utf8" });
    let train = &of("baseline")[0];
    assert_eq!(train["name"], "train.csv");
    assert_eq!(train["digest"], long[..36]);
    assert_eq!(train["source_type"], "s3");
    assert_eq!(train["tags"], json!({ "mlflow.data.context": "train", "mlops.digest": long }));
    let text =
        |name: &str| -> Value { serde_json::from_str(train[name].as_str().unwrap()).unwrap() };
    assert_eq!(text("source"), json!({ "uri": "s3://bucket/train data.csv" }));
    assert_eq!(text("profile"), json!({ "num_rows": 3 }));
    assert_eq!(text("schema")["mlops_schema"], schema);
    assert_eq!(text("schema")["mlflow_colspec"][0]["name"], "x");
    let valid = &of("child")[0];
    assert_eq!(valid["tags"], json!({ "mlflow.data.context": "validation" }));
    assert_eq!(of("baseline").as_array().unwrap().len(), 2);
    assert_eq!(of("baseline")[1]["tags"], json!({ "mlflow.data.context": "calibration" }));
}

pub(crate) fn findings() {
    block_on(async {
        let store = rich::store(false).await;
        let report = export(&store).await;
        let found: BTreeMap<FindingKind, u64> =
            report.findings.iter().map(|finding| (finding.kind, finding.count)).collect();
        let expected = BTreeMap::from([
            (FindingKind::LostStatus, 1),
            (FindingKind::Infinite, 2),
            (FindingKind::NegativeZero, 1),
            (FindingKind::PointTimeCut, 2),
            (FindingKind::InstantCut, 1),
            (FindingKind::DuplicatePoint, 1),
            (FindingKind::LatestDiffers, 1),
            (FindingKind::LongValue, 1),
            (FindingKind::UnusualKey, 1),
            (FindingKind::ExperimentRenamed, 1),
            (FindingKind::ContextDropped, 1),
            (FindingKind::DigestCut, 1),
        ]);
        assert_eq!(found, expected, "{:#?}", report.findings);
        assert!(report.findings.iter().all(|f| !f.examples.is_empty()));

        let exact = rich::store(true).await;
        let kinds: Vec<FindingKind> =
            export(&exact).await.findings.iter().map(|f| f.kind).collect();
        let expected = [FindingKind::LostStatus, FindingKind::UnusualPath, FindingKind::DigestCut];
        assert_eq!(kinds, expected);
    });
}

pub(crate) fn refuses_other_files() {
    block_on(async {
        let store = rich::empty().await;
        let (database, files) = places(&store);
        fs::write(&database, "precious").unwrap();
        let again =
            || mlflow::export(store.ws.models(), &database, &files, ExportOptions::default());
        assert_eq!(again().await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&database).unwrap(), "precious");
        let nowhere = store.dir.path().join("none/mlflow.db");
        let error =
            mlflow::export(store.ws.models(), &nowhere, &files, ExportOptions::default()).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
        let left: Vec<_> = fs::read_dir(store.dir.path()).unwrap().flatten().collect();
        assert!(
            left.iter().all(|entry| !entry.file_name().to_string_lossy().starts_with(".mlops"))
        );
    });
}

pub(crate) fn repeats() {
    block_on(async {
        let store = rich::store(true).await;
        let first = export(&store).await;
        let (database, files) = places(&store);
        fs::remove_file(&database).unwrap();
        // The artifacts of an export that was interrupted are taken up.
        assert_eq!(export(&store).await, first);
        let readme = files.join("1").join("01".repeat(16)).join("artifacts/readme.txt");
        fs::write(&readme, "changed").unwrap();
        fs::remove_file(&database).unwrap();
        let refused =
            mlflow::export(store.ws.models(), &database, &files, ExportOptions::default()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::AlreadyExists);
        // What another program left of a database that is replaced would be played onto the new one.
        let log = store.dir.path().join("mlflow.db-wal");
        fs::write(&log, "old").unwrap();
        let options = ExportOptions::default().with_overwrite();
        assert_eq!(
            mlflow::export(store.ws.models(), &database, &files, options).await.unwrap(),
            first
        );
        assert_eq!(fs::read_to_string(&readme).unwrap(), "hello\n");
        assert!(!log.exists());
    });
}
