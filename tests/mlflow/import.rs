//! What is imported, as MLflow itself reads it, and what happens when it is imported again.

use std::fs;
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use mlops::mlflow::{self, ExportOptions, FindingKind, ImportOptions, ImportReport};
use mlops::tracking::{CreateRun, Run, RunChanges, RunStatus};
use mlops::{ArtifactPath, ErrorKind, RunId, Workspace};
use serde_json::{Value, json};

use crate::model_imports;
use crate::peer::{self, Unavailable};
use crate::rich;

async fn rows(ws: &Workspace) -> usize {
    ws.journal().events(0, usize::MAX >> 1).await.unwrap().len()
}

fn count(report: &ImportReport, kind: FindingKind) -> u64 {
    report.findings.iter().find(|finding| finding.kind == kind).map_or(0, |found| found.count)
}

async fn mlruns(ws: &Workspace, directory: &Path) -> ImportReport {
    mlflow::import_mlruns(ws.models(), directory, ImportOptions::default()).await.unwrap()
}

async fn database(ws: &Workspace, file: &Path) -> ImportReport {
    mlflow::import_database(ws.models(), file, ImportOptions::default()).await.unwrap()
}

pub(crate) fn what_mlflow_wrote(version: &str) -> Result<(), Unavailable> {
    let python = peer::peer_python(version)?;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("sample");
    let sample = peer::script(&python, "make_mlruns.py", &[out.to_str().unwrap()]);
    assert_eq!(sample["mlflow"], version);
    for kind in ["file", "sqlite"] {
        block_on(async {
            let store = rich::empty().await;
            let before = fs::read(out.join("mlflow.db")).unwrap();
            let report = bring(&store.ws, &out, kind).await;
            let seen = &sample[kind];
            compare(&store.ws, &sample, kind).await;

            assert_eq!(report.runs.new as usize, seen["runs"].as_array().unwrap().len());
            assert_eq!(report.experiments.new, 3, "without the empty Default");
            model_imports::compare(&store.ws, &sample, kind, &report).await;
            assert_eq!(count(&report, FindingKind::StillRunning), 1);
            assert_eq!(count(&report, FindingKind::ContextMissing), 1);
            assert_eq!(count(&report, FindingKind::InputTag), 1);
            assert_eq!(count(&report, FindingKind::Malformed), 0, "{:#?}", report.findings);
            assert_eq!(count(&report, FindingKind::Refused), 0, "{:#?}", report.findings);

            let written = rows(&store.ws).await;
            let again = bring(&store.ws, &out, kind).await;
            assert_eq!(again.runs.unchanged, report.runs.new);
            assert_eq!((again.points, again.artifacts), (0, 0));
            assert_eq!(again.model_versions.unchanged, report.model_versions.new);
            assert_eq!(again.aliases.unchanged, report.aliases.new);
            assert_eq!(rows(&store.ws).await, written, "a second import writes nothing");
            assert_eq!(fs::read(out.join("mlflow.db")).unwrap(), before, "it is only read");
        });
    }
    Ok(())
}

async fn bring(ws: &Workspace, out: &Path, kind: &str) -> ImportReport {
    match kind {
        "file" => mlruns(ws, &out.join("mlruns")).await,
        _ => database(ws, &out.join("mlflow.db")).await,
    }
}

async fn compare(ws: &Workspace, sample: &Value, kind: &str) {
    let experiments = rich::all_experiments(ws).await;
    let dumped = sample[kind]["experiments"].as_array().unwrap();
    for theirs in dumped.iter().filter(|e| e["name"] != "Default") {
        let ours = experiments.iter().find(|e| theirs["name"] == *e.name).unwrap();
        assert_eq!(json!(ours.tags), theirs["tags"]);
        assert_eq!(ours.created.timestamp_millis(), theirs["creation_time"]);
        assert_eq!(ours.deleted.is_some(), theirs["lifecycle_stage"] == "deleted");
    }
    let runs = rich::all_runs(ws).await;
    for theirs in sample[kind]["runs"].as_array().unwrap() {
        let ours = runs.iter().find(|r| theirs["run_id"] == r.id.to_string()).unwrap();
        let handle = sample["written"]["runs"].as_array().unwrap();
        let handle = handle.iter().find(|r| r["run_name"] == theirs["run_name"]).unwrap();
        compare_run(ws, ours, theirs, handle).await;
        let place = dumped.iter().find(|e| e["experiment_id"] == theirs["experiment_id"]).unwrap();
        let experiment = experiments.iter().find(|e| e.id == ours.experiment).unwrap();
        assert_eq!(place["name"], *experiment.name);
    }
}

async fn compare_run(ws: &Workspace, ours: &Run, theirs: &Value, written: &Value) {
    let name = &ours.name;
    assert_eq!(theirs["run_name"], **name);
    assert_eq!(theirs["user_id"], ours.user);
    assert_eq!(theirs["start_time"], ours.started.timestamp_millis());
    assert_eq!(theirs["params"], json!(ours.params), "{name}");
    assert_eq!(theirs["lifecycle_stage"] == "deleted", ours.deleted.is_some());
    if theirs["status"] == "RUNNING" {
        assert_eq!(ours.status, RunStatus::Killed);
        assert_eq!(ours.tags["mlops.import.status"], "RUNNING");
        let last = ours.metrics["m"].last_time_micros;
        assert_eq!(ours.ended.unwrap().timestamp_micros(), last);
    } else {
        assert!(theirs["status"].as_str().unwrap().eq_ignore_ascii_case(ours.status.as_str()));
        assert_eq!(theirs["end_time"], ours.ended.unwrap().timestamp_millis());
    }
    // Nothing of a tag is lost: what is not a tag here is a part of the run.
    for (key, value) in theirs["tags"].as_object().unwrap() {
        let here = match key.as_str() {
            "mlflow.runName" => ours.name.to_string(),
            "mlflow.user" => ours.user.clone(),
            "mlflow.note.content" => ours.note.clone(),
            "mlflow.parentRunId" => ours.parent.unwrap().to_string(),
            key => ours.tags[key].clone(),
        };
        assert_eq!(*value, here, "{key} of {name}");
    }
    for (metric, seen) in theirs["history"].as_object().unwrap() {
        let points = rich::history(ws, ours.id, &rich::key(metric)).await;
        let mut here: Vec<Value> = points
            .iter()
            .map(|p| json!([p.time_micros / 1_000, p.step, rich::number(p.value)]))
            .collect();
        // MLflow's own reader of files drops the step of points that name a dataset.
        let exact = metric == "with_dataset";
        let seen = if exact { &written["metrics"][metric] } else { seen };
        let mut seen = seen.as_array().unwrap().clone();
        here.sort_by_key(Value::to_string);
        seen.sort_by_key(Value::to_string);
        assert_eq!(here, seen, "{metric} of {name}");
    }
    assert_eq!(theirs["history"].as_object().unwrap().len(), ours.metrics.len());

    let inputs = theirs["inputs"].as_array().unwrap();
    assert_eq!(inputs.len(), ours.inputs.len());
    let mut sorted: Vec<_> = ours.inputs.iter().collect();
    sorted.sort_by_key(|input| (&input.name, &input.digest));
    for (there, here) in inputs.iter().zip(sorted) {
        assert_eq!(there["name"], *here.name);
        assert_eq!(there["digest"], *here.digest);
        let source = json!({ "uri": here.source.clone().unwrap() }).to_string();
        assert_eq!(there["source"].as_str().unwrap().replace(": ", ":"), source);
        let schema = there["schema"].as_str().map(|s| serde_json::from_str(s).unwrap());
        assert_eq!(schema, here.schema);
        assert_eq!(there["profile"].is_null(), here.rows.is_none());
        let context = there["tags"].get("mlflow.data.context").cloned().unwrap_or(json!("unknown"));
        assert_eq!(context, here.context.as_str());
    }

    let files = ws.tracker().artifacts(ours.id, "").await.unwrap();
    let root = url_path(theirs["artifact_uri"].as_str().unwrap());
    let listed = theirs["artifacts"].as_array().cloned().unwrap_or_default();
    let listed = listed.iter().filter(|entry| entry["is_dir"] == false);
    let mut seen = 0;
    for (there, here) in listed.zip(&files) {
        assert_eq!(there["path"], *here.path);
        let bytes = fs::read(root.join(here.path.as_str())).unwrap();
        assert_eq!(ws.blobs().get_bytes(&here.blob).await.unwrap(), bytes);
        seen += 1;
    }
    assert_eq!(files.len(), seen);
    assert_eq!(files.len(), written["artifacts"].as_object().unwrap().len());
}

/// The sample lies under a plain temporary path: no percent-encoding.
pub(crate) fn url_path(uri: &str) -> PathBuf {
    PathBuf::from(uri.strip_prefix("file://").unwrap_or(uri))
}

/// A run without what does not travel: the instants of deletions and where it was imported from.
fn portable(run: &Run) -> Value {
    let mut run = run.clone();
    run.tags.remove("mlops.import.source");
    let mut value = serde_json::to_value(&run).unwrap();
    if run.deleted.is_some() {
        value["deleted"] = json!("yes");
    }
    value
}

pub(crate) fn round_trip() {
    block_on(async {
        let store = rich::store(true).await;
        let (file, files) = (store.dir.path().join("mlflow.db"), store.dir.path().join("files"));
        mlflow::export(store.ws.models(), &file, &files, ExportOptions::default()).await.unwrap();
        let copy = rich::empty().await;
        let report = database(&copy.ws, &file).await;
        let runs = rich::all_runs(&store.ws).await;
        assert_eq!(report.runs.new as usize, runs.len());
        let kinds: Vec<FindingKind> = report.findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, [FindingKind::DeletionTime], "{:#?}", report.findings);
        for run in &runs {
            let back = copy.ws.tracker().run(run.id).await.unwrap();
            assert_eq!(portable(&back), portable(run));
            for key in run.metrics.keys() {
                let bits = |points: Vec<mlops::tracking::MetricPoint>| -> Vec<_> {
                    points.iter().map(|p| (p.step, p.time_micros, p.value.to_bits())).collect()
                };
                let there = bits(rich::history(&copy.ws, run.id, key).await);
                assert_eq!(there, bits(rich::history(&store.ws, run.id, key).await));
            }
            let here = store.ws.tracker().artifacts(run.id, "").await.unwrap();
            let there = copy.ws.tracker().artifacts(run.id, "").await.unwrap();
            assert_eq!(here.len(), there.len());
            for (here, there) in here.iter().zip(&there) {
                assert_eq!((&here.path, here.blob.digest), (&there.path, there.blob.digest));
                copy.ws.blobs().get_bytes(&there.blob).await.unwrap();
            }
        }
        let experiments = |ws: Workspace| async move {
            let mut all = rich::all_experiments(&ws).await;
            for experiment in &mut all {
                experiment.deleted = experiment.deleted.map(|_| rich::at(0));
            }
            all
        };
        assert_eq!(experiments(copy.ws.clone()).await, experiments(store.ws.clone()).await);
        let restored = copy.ws.tracker();
        let gone = rich::all_experiments(&copy.ws).await;
        let gone = gone.iter().find(|e| e.deleted.is_some()).unwrap().id;
        let restore = mlops::tracking::ExperimentChanges::restore();
        restored.update_experiment(gone, restore).await.unwrap();
        let in_gone = restored.run(RunId::from_bytes([5; 16])).await.unwrap();
        assert!(in_gone.deleted.is_none(), "its runs come back with it");

        // Into the store that it came from: everything is there, and nothing is touched.
        let written = rows(&store.ws).await;
        let report = database(&store.ws, &file).await;
        assert_eq!(report.runs.skipped as usize, runs.len());
        assert_eq!(count(&report, FindingKind::NotOfThisImport) as usize, runs.len());
        assert_eq!(rows(&store.ws).await, written);
    });
}

/// A folder of MLflow's, made by hand.
pub(crate) struct Folder {
    _dir: tempfile::TempDir,
    pub(crate) root: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("mlruns");
        fs::create_dir_all(root.join("0")).unwrap();
        let folder = Self { _dir: dir, root };
        folder.write("0/meta.yaml", "name: Default\nexperiment_id: '0'\nlifecycle_stage: active\n");
        folder
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn run(&self, id: &str, status: u8, end: &str) {
        self.write(
            &format!("0/{id}/meta.yaml"),
            &format!(
                "artifact_uri: file:///nowhere/0/{id}/artifacts\nrun_id: {id}\nrun_name: r-{id}\n\
                 start_time: 1700000000000\nend_time: {end}\nstatus: {status}\nuser_id: ada\n\
                 lifecycle_stage: active\ntags: []\n"
            ),
        );
    }
}

const A: &str = "0123456789abcdef0123456789abcdef";
const B: &str = "fedcba9876543210fedcba9876543210";

fn id(text: &str) -> RunId {
    text.parse().unwrap()
}

pub(crate) fn only_what_is_new() {
    block_on(async {
        let folder = Folder::new();
        folder.run(A, 1, "null");
        folder.write(&format!("0/{A}/metrics/loss"), "1700000001000 0.5 0\n1700000002000 nan 1\n");
        folder.write(&format!("0/{A}/params/lr"), "0.1");
        folder.write(&format!("0/{A}/artifacts/a.txt"), "a");
        folder.run("not-hex", 3, "1700000009000");
        let store = rich::empty().await;
        let report = mlruns(&store.ws, &folder.root).await;
        assert_eq!((report.runs.new, report.points, report.artifacts), (2, 2, 1));
        assert_eq!(count(&report, FindingKind::StillRunning), 1);
        assert_eq!(count(&report, FindingKind::NameChanged), 1);
        let runs = rich::all_runs(&store.ws).await;
        let derived = runs.iter().find(|run| run.tags.contains_key("mlflow.run_id")).unwrap();
        assert_eq!(derived.tags["mlflow.run_id"], "not-hex");

        // MLflow goes on with the run, and ends it.
        let curve = "1700000001000 0.5 0\n1700000002000 nan 1\n1700000003000 inf 2\n";
        folder.write(&format!("0/{A}/metrics/loss"), curve);
        folder.write(&format!("0/{A}/metrics/val/loss"), "1700000003000 1.5\n");
        folder.write(&format!("0/{A}/params/late"), "1");
        folder.write(&format!("0/{A}/tags/k"), "v");
        folder.write(&format!("0/{A}/artifacts/a.txt"), "aa");
        folder.run(A, 3, "1700000005000");
        let report = mlruns(&store.ws, &folder.root).await;
        assert_eq!((report.runs.changed, report.runs.unchanged), (1, 1));
        assert_eq!((report.points, report.artifacts), (2, 1));
        let run = store.ws.tracker().run(id(A)).await.unwrap();
        assert_eq!(run.status, RunStatus::Finished);
        assert_eq!(run.ended.unwrap().timestamp_millis(), 1_700_000_005_000);
        assert!(!run.tags.contains_key("mlops.import.status"));
        assert_eq!(run.metrics["loss"].count, 3);
        assert_eq!(run.metrics["loss"].last, f64::INFINITY);
        assert_eq!(run.metrics["val/loss"].last_step, 0);
        assert_eq!((&run.params["late"][..], &run.tags["k"][..]), ("1", "v"));
        let path = ArtifactPath::new("a.txt").unwrap();
        let artifact = store.ws.artifact(run.id, &path).await.unwrap();
        assert_eq!(&store.ws.blobs().get_bytes(&artifact.blob).await.unwrap()[..], b"aa");

        let written = rows(&store.ws).await;
        let report = mlruns(&store.ws, &folder.root).await;
        assert_eq!((report.runs.unchanged, rows(&store.ws).await), (2, written));

        // What is in the trash here stays there.
        let delete = RunChanges::default().with_deleted(true);
        store.ws.tracker().update_run(id(A), delete).await.unwrap();
        let report = mlruns(&store.ws, &folder.root).await;
        assert_eq!(count(&report, FindingKind::InTrash), 1);
        assert!(store.ws.tracker().run(id(A)).await.unwrap().deleted.is_some());

        // The same folder under another name is another source.
        let options = ImportOptions::default().with_source("elsewhere");
        let report = mlflow::import_mlruns(store.ws.models(), &folder.root, options).await.unwrap();
        assert_eq!(count(&report, FindingKind::NotOfThisImport), 1);
        assert_eq!(count(&report, FindingKind::ExperimentRenamed), 1);
    });
}

pub(crate) fn changed_history() {
    block_on(async {
        let folder = Folder::new();
        let lines = |middle: &str| {
            format!("1700000001000 1 0\n1700000002000 {middle} 1\n1700000003000 3 2\n")
        };
        for run in [A, B] {
            folder.run(run, 3, "1700000009000");
            folder.write(&format!("0/{run}/metrics/loss"), &lines("2"));
        }
        let store = rich::empty().await;
        mlruns(&store.ws, &folder.root).await;
        // Neither count nor extremes nor ends differ, only a point in the middle.
        folder.write(&format!("0/{A}/metrics/loss"), &lines("2.5"));
        folder.write(&format!("0/{B}/metrics/loss"), &(lines("2") + "1700000004000 4 3\n"));
        let report = mlruns(&store.ws, &folder.root).await;
        assert_eq!(count(&report, FindingKind::HistoryConflict), 1);
        assert_eq!((report.points, report.runs.changed, report.runs.unchanged), (1, 1, 1));
        let here = rich::history(&store.ws, id(A), &rich::key("loss")).await;
        assert_eq!(here[1].value, 2.0);
    });
}

pub(crate) fn malformed() {
    block_on(async {
        let folder = Folder::new();
        folder.run(A, 3, "1700000009000");
        let curve = "1700000001000 1 0\nrubbish\n1700000001000 1 2 half\n99999999999999999 1 0\n\
                     1700000001000 1 9007199254740993\n1700000002000 2 1";
        folder.write(&format!("0/{A}/metrics/loss"), curve);
        fs::write(folder.root.join(format!("0/{A}/metrics/bytes")), [0xff, 0xfe, b'\n']).unwrap();
        folder.write(&format!("0/{A}/params/ok"), "nul\0in it");
        fs::create_dir_all(folder.root.join(format!("0/{A}/tags"))).unwrap();
        fs::write(folder.root.join(format!("0/{A}/tags/bytes")), [0xff]).unwrap();
        folder.write(
            &format!("0/{A}/inputs/x/meta.yaml"),
            "source_type: DATASET\nsource_id: ../..\n",
        );
        folder.write(&format!("0/{B}/meta.yaml"), "status: 3\nrun_name: [\n");
        folder.run("11111111111111111111111111111111", 9, "null");
        fs::create_dir_all(folder.root.join("0/no-run")).unwrap();
        folder.write("1/meta.yaml", "a: &x 1\nname: *x\n");
        let store = rich::empty().await;
        let report = mlruns(&store.ws, &folder.root).await;
        assert_eq!((report.runs.new, report.runs.skipped, report.points), (1, 2, 2));
        assert_eq!(count(&report, FindingKind::PointRefused), 2);
        assert_eq!(count(&report, FindingKind::ValueCut), 1);
        // Two lines, a metric and a tag that are not UTF-8, an input, two runs, a folder, an experiment.
        assert_eq!(count(&report, FindingKind::Malformed), 9, "{:#?}", report.findings);
        let examples = report.findings.iter().flat_map(|finding| &finding.examples);
        assert!(examples.clone().any(|e| e.contains("meta.yaml:2: has an alias")), "{report:#?}");
        let run = store.ws.tracker().run(id(A)).await.unwrap();
        assert_eq!(run.metrics["loss"].count, 2);
        assert_eq!(run.params["ok"], "nulin it");

        let file = store.dir.path().join("some.db");
        fs::write(&file, "no database").unwrap();
        let error =
            mlflow::import_database(store.ws.models(), &file, ImportOptions::default()).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
        let own = store.dir.path().join("store/metadata.db");
        let error =
            mlflow::import_database(store.ws.models(), &own, ImportOptions::default()).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
        let outer = folder.root.parent().unwrap();
        let error = mlflow::import_mlruns(store.ws.models(), outer, ImportOptions::default()).await;
        assert!(error.unwrap_err().hint().unwrap().contains("mlruns"));
    });
}

pub(crate) fn outside_files() {
    block_on(async {
        let folder = Folder::new();
        let secrets = folder.root.parent().unwrap().join("secrets");
        fs::create_dir_all(&secrets).unwrap();
        fs::write(secrets.join("key"), "secret").unwrap();
        folder.run(A, 3, "1700000009000");
        folder.write(&format!("0/{A}/artifacts/fine.txt"), "fine");
        let artifacts = folder.root.join(format!("0/{A}/artifacts"));
        std::os::unix::fs::symlink(&secrets, artifacts.join("folder")).unwrap();
        std::os::unix::fs::symlink(secrets.join("key"), artifacts.join("file")).unwrap();
        folder.write(
            &format!("0/{B}/meta.yaml"),
            &format!("status: 3\nstart_time: 1\nartifact_uri: {}\n", secrets.display()),
        );
        let params = folder.root.join(format!("0/{A}/params"));
        fs::create_dir_all(&params).unwrap();
        std::os::unix::fs::symlink(secrets.join("key"), params.join("stolen")).unwrap();
        let store = rich::empty().await;
        let report = mlruns(&store.ws, &folder.root).await;
        assert_eq!((report.runs.new, report.artifacts), (2, 1));
        assert_eq!(count(&report, FindingKind::ArtifactRefused), 2);
        assert_eq!(count(&report, FindingKind::ArtifactsUnreachable), 1);
        assert!(store.ws.tracker().run(id(A)).await.unwrap().params.is_empty());
    });
}

/// Exports and imports 1,000 runs of 20 metrics with 100 points, 10 params and one small file each.
pub(crate) fn speed() {
    block_on(async {
        let store = rich::empty().await;
        let experiment = rich::experiment(&store.ws, "speed", 0).await;
        let timed = std::time::Instant::now();
        for run in 0..1_000 {
            let mut bytes = [1; 16];
            bytes[..8].copy_from_slice(&i64::to_be_bytes(run));
            let mut options = CreateRun::new(RunId::from_bytes(bytes), experiment);
            for param in 0..10 {
                options = options.with_param(rich::key(&format!("p{param}")), "0.125");
            }
            let handle = rich::start(&store.ws, options).await;
            for metric in 0..20 {
                let key = format!("metric {metric}");
                for step in 0..100 {
                    let value = (run + metric) as f64 / (step + 1) as f64;
                    handle.log_metric_at(&key, rich::point(step, step * 1_000, value)).unwrap();
                }
            }
            handle.log_artifact("note.txt", format!("run {run}").into_bytes()).await.unwrap();
            handle.finish().await.unwrap();
        }
        println!("made in {:.1} s", timed.elapsed().as_secs_f64());
        let (file, files) = (store.dir.path().join("mlflow.db"), store.dir.path().join("files"));
        let timed = std::time::Instant::now();
        let options = ExportOptions::default();
        let report = mlflow::export(store.ws.models(), &file, &files, options).await.unwrap();
        println!("{} points exported in {:.1} s", report.points, timed.elapsed().as_secs_f64());
        let size = fs::metadata(&file).unwrap().len() as f64 / 1e6;
        println!("the database has {size:.0} MB");
        let copy = rich::empty().await;
        for time in ["first", "second"] {
            let timed = std::time::Instant::now();
            let report = database(&copy.ws, &file).await;
            let secs = timed.elapsed().as_secs_f64();
            println!("{} points imported the {time} time in {secs:.1} s", report.points);
        }
    });
}
