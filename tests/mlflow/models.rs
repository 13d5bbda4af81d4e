//! Models and versions, both ways: as MLflow sees what we export, and as we see what it wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use mlops::mlflow::{self, ExportOptions, ExportReport, FindingKind, ImportOptions, ImportReport};
use mlops::registry::{
    Column, ColumnType, CreateModel, Evidence, Manifest, Model, ModelChanges, ModelQuery,
    ModelVersion, Signature, Stage, VersionChanges, VersionId, VersionQuery,
};
use mlops::tracking::{CreateRun, View};
use mlops::{DownloadModel, ModelName, RunId, RunName, Workspace};
use serde_json::{Value, json};

use crate::model_searches::{MODEL_QUESTIONS, answered, populate, version_questions};
use crate::peer::{self, Unavailable};
use crate::rich::{self, Store, key};

pub(crate) fn run_id() -> RunId {
    RunId::from_bytes([7; 16])
}

pub(crate) fn name(text: &str) -> ModelName {
    ModelName::new(text).unwrap()
}

pub(crate) fn id(text: &str) -> VersionId {
    text.parse().unwrap()
}

pub(crate) async fn all_models(ws: &Workspace) -> Vec<Model> {
    let query = ModelQuery::default().with_view(View::All);
    ws.models().registry().search_models(&query).await.unwrap().items
}

pub(crate) async fn all_versions(ws: &Workspace) -> Vec<ModelVersion> {
    let query = VersionQuery::default().with_view(View::All);
    ws.models().registry().search_versions(&query).await.unwrap().items
}

fn passed() -> Evidence {
    let report = json!({
        "kind": "validation", "suite": "tests", "passed": true, "checks": 3, "failed": 0,
        "at": rich::at(0),
    });
    serde_json::from_value(report).unwrap()
}

async fn promote(ws: &Workspace, version: &str, stage: Stage) {
    let plan = ws.models().promotion_plan(version, stage, "because").await.unwrap();
    ws.models().apply(&plan).await.unwrap();
}

/// Models with one of everything.
async fn store() -> Store {
    let store = rich::empty().await;
    let ws = &store.ws;
    let experiment = rich::experiment(ws, "flights", 1_000).await;
    let run = CreateRun::new(run_id(), experiment)
        .with_name(RunName::new("training").unwrap())
        .with_started(rich::at(10_000))
        .with_user("ada")
        .with_param(key("lr"), "0.1");
    let run = rich::start(ws, run).await;
    run.log_metric_at("auc", rich::point(0, 20_000, 0.875)).unwrap();
    for (path, bytes) in [
        ("model/MLmodel", b"flavors:\n  python_function: {}\n".to_vec()),
        ("model/data/weights.bin", vec![7; 10_000]),
        ("other.txt", b"not of the model".to_vec()),
    ] {
        run.log_artifact(path, bytes).await.unwrap();
    }
    run.finish().await.unwrap();

    let registry = ws.models().registry();
    let options = CreateModel::default()
        .with_note("A *model*.")
        .with_tag(key("team"), "vision")
        .with_created(rich::at(1_001));
    registry.create_model(&name("churn v2"), options).await.unwrap();
    let signature = Signature::new(
        vec![Column::new("x", ColumnType::Float32).unwrap()],
        vec![Column::new("y", ColumnType::UInt8).unwrap()],
    );
    let models = ws.models();
    let whole = models.register("churn v2").unwrap().from_run(run_id()).artifacts("model");
    let whole = whole.signature(signature.unwrap()).note("the first").tag("k", "v").unwrap();
    whole.register().await.unwrap();
    let files = models.register("churn v2").unwrap();
    let files = files.file("weights ü.bin", vec![1, 2, 3]).unwrap();
    files.file("sub/twice.bin", vec![1, 2, 3]).unwrap().register().await.unwrap();
    let more = models.register("churn v2").unwrap().from_run(run_id()).artifacts("model");
    let more = more.file("more.txt", b"more".to_vec()).unwrap().metric("auc", f64::NAN).unwrap();
    more.register().await.unwrap();
    let gone = models.register("churn v2").unwrap().file("gone", b"gone".to_vec()).unwrap();
    let gone = gone.register().await.unwrap().id();
    registry.update_version(&gone, VersionChanges::delete()).await.unwrap();
    promote(ws, "churn v2/1", Stage::Production).await;
    promote(ws, "churn v2/2", Stage::Staging).await;
    promote(ws, "churn v2/3", Stage::Development).await;
    models.set_alias("churn v2/1", "champion").await.unwrap();
    models.set_alias("churn v2/2", "the best").await.unwrap();

    registry.create_model(&name("empty"), CreateModel::default()).await.unwrap();
    registry.create_model(&name("trash"), CreateModel::default()).await.unwrap();
    registry.update_model(&name("trash"), ModelChanges::delete()).await.unwrap();
    store
}

fn places(store: &Store) -> (PathBuf, PathBuf) {
    let dir = store.dir.path();
    (dir.join("mlflow.db"), dir.join("files of mlflow"))
}

async fn export(store: &Store) -> ExportReport {
    let (database, files) = places(store);
    let options = ExportOptions::default();
    mlflow::export(store.ws.models(), &database, &files, options).await.unwrap()
}

async fn import_database(ws: &Workspace, file: &Path) -> ImportReport {
    mlflow::import_database(ws.models(), file, ImportOptions::default()).await.unwrap()
}

pub(crate) fn found(report: &ImportReport) -> BTreeMap<FindingKind, u64> {
    report.findings.iter().map(|finding| (finding.kind, finding.count)).collect()
}

pub(crate) async fn rows(ws: &Workspace) -> u64 {
    ws.journal().last().await.unwrap()
}

/// What of a model or version comes back: all but when it last changed, and where it came from.
fn portable(of: impl serde::Serialize) -> Value {
    let mut value = serde_json::to_value(of).unwrap();
    for field in ["updated", "last_number"] {
        value.as_object_mut().unwrap().remove(field);
    }
    let tags = value["tags"].as_object_mut().unwrap();
    tags.retain(|key, _| !key.starts_with("mlops.import."));
    value
}

pub(crate) fn round_trip() {
    block_on(async {
        let store = store().await;
        let report = export(&store).await;
        assert_eq!((report.models, report.model_versions, report.aliases), (2, 3, 1));
        let kinds: BTreeMap<FindingKind, u64> =
            report.findings.iter().map(|finding| (finding.kind, finding.count)).collect();
        assert_eq!(kinds[&FindingKind::ModelInTrash], 2);
        assert_eq!(kinds[&FindingKind::DevelopmentStage], 1);
        assert_eq!(kinds[&FindingKind::StageHistory], 3);
        assert_eq!(kinds[&FindingKind::AliasKept], 1);
        assert_eq!(kinds[&FindingKind::VersionDocument], 2, "{:#?}", report.findings);

        let copy = rich::empty().await;
        let (database, files) = places(&store);
        let report = import_database(&copy.ws, &database).await;
        assert_eq!(found(&report), BTreeMap::new(), "{:#?}", report.findings);
        assert_eq!((report.models.new, report.model_versions.new, report.aliases.new), (2, 3, 2));
        let live = |all: Vec<ModelVersion>| -> Vec<Value> {
            all.iter().filter(|v| v.deleted.is_none()).map(portable).collect()
        };
        let (ours, back) = (all_versions(&store.ws).await, all_versions(&copy.ws).await);
        assert_eq!(live(ours), live(back.clone()));
        let live = |all: Vec<Model>| -> Vec<Value> {
            all.iter().filter(|m| m.deleted.is_none()).map(portable).collect()
        };
        assert_eq!(live(all_models(&store.ws).await), live(all_models(&copy.ws).await));
        for version in &back {
            let to = copy.dir.path().join(version.number.to_string());
            let uri = version.id().to_string();
            copy.ws.models().download(&uri, &to, &DownloadModel::default()).await.unwrap();
        }

        // Again: nothing. After a change there: that.
        let written = rows(&copy.ws).await;
        let again = import_database(&copy.ws, &database).await;
        assert_eq!((again.model_versions.unchanged, again.aliases.unchanged), (3, 2));
        assert_eq!((again.artifacts, rows(&copy.ws).await), (0, written));
        assert_eq!(found(&again), BTreeMap::new());

        // Into the store that it came from: nothing is touched.
        let written = rows(&store.ws).await;
        let own = import_database(&store.ws, &database).await;
        assert_eq!((own.models.skipped, own.model_versions.skipped), (2, 3));
        assert_eq!(rows(&store.ws).await, written);

        // What is known of a version changes, and a later export says so.
        let more = VersionChanges::default().with_evidence(passed());
        let registry = store.ws.models().registry();
        registry.update_version(&id("churn v2/1"), more).await.unwrap();
        fs::remove_file(&database).unwrap();
        export(&store).await;

        // Another file in the place of a version's own: it is what MLflow shows.
        fs::write(files.join("models/churn v2/2/sub/twice.bin"), "changed").unwrap();
        let other = rich::empty().await;
        let report = import_database(&other.ws, &database).await;
        assert_eq!(found(&report), BTreeMap::from([(FindingKind::ManifestDiffers, 1)]));
        let changed = other.ws.models().registry().version(&id("churn v2/2")).await.unwrap();
        assert_eq!(changed.manifest.file("sub/twice.bin").unwrap().size, 7);
        let first = other.ws.models().registry().version(&id("churn v2/1")).await.unwrap();
        assert_eq!(first.evidence, [passed()]);
    });
}

pub(crate) fn mlflow_reads_them(version: &str) -> Result<(), Unavailable> {
    let python = peer::peer_python(version)?;
    block_on(async {
        let store = store().await;
        populate(&store.ws).await;
        export(&store).await;
        let (database, files) = places(&store);
        let (into, ask) = (store.dir.path().join("downloads"), store.dir.path().join("ask.json"));
        let uris = [
            "models:/churn v2/1",
            "models:/churn v2@champion",
            "models:/churn v2/Production",
            "models:/churn v2/2",
            "models:/churn v2/staging",
            "models:/churn v2/3",
            "models:/ümlaut/2",
        ];
        let questions = json!({
            "into": into, "download": uris, "models": MODEL_QUESTIONS, "versions": version_questions(),
        });
        fs::write(&ask, questions.to_string()).unwrap();
        let arguments = [database.to_str().unwrap(), "--json", "--ask", ask.to_str().unwrap()];
        let seen = peer::script(&python, "check_export.py", &arguments);
        assert_eq!(seen["mlflow"], version);
        listed(&store.ws, &seen, &files).await;
        for (at, uri) in uris.iter().enumerate() {
            let version = store.ws.models().version(uri).await.unwrap();
            downloaded(&version.manifest, &into.join(at.to_string()), uris[at]);
        }
        answered(&store.ws, &seen["answers"], version).await;
    });
    Ok(())
}

/// Every model and version, field by field.
async fn listed(ws: &Workspace, seen: &Value, files: &Path) {
    let theirs = seen["registered_models"].as_array().unwrap();
    let models = all_models(ws).await.into_iter().filter(|model| model.deleted.is_none());
    let versions = all_versions(ws).await;
    let mut count = 0;
    for model in models {
        count += 1;
        let there = theirs.iter().find(|there| there["name"] == *model.name).unwrap();
        let note = if model.note.is_empty() { Value::Null } else { json!(model.note) };
        // Older clients say an empty description where there is none.
        assert!(there["description"] == note || there["description"] == model.note.as_str());
        assert_eq!(there["creation_timestamp"], model.created.timestamp_millis());
        assert_eq!(there["last_updated_timestamp"], model.updated.timestamp_millis());
        contains(&there["tags"], &json!(model.tags));
        let said = there["aliases"].as_object().unwrap();
        for (alias, number) in &model.aliases {
            if &**alias == "the best" {
                assert_eq!(there["tags"]["mlops.aliases"], json!({ "the best": 2 }).to_string());
            } else {
                assert_eq!(said[alias.as_str()], number.to_string());
            }
        }
        let there = there["versions"].as_array().unwrap();
        let ours = versions.iter().filter(|v| v.model == model.name && v.deleted.is_none());
        let ours: Vec<&ModelVersion> = ours.collect();
        assert_eq!(there.len(), ours.len());
        for (there, ours) in there.iter().rev().zip(ours) {
            assert_eq!(there["version"], ours.number.to_string());
            let stage = if ours.stage == Stage::Development { Stage::None } else { ours.stage };
            assert_eq!(there["stage"], stage.as_str());
            assert_eq!((&there["status"], &there["by_alias_ok"]), (&json!("READY"), &json!(true)));
            assert_eq!(there["user_id"], ours.author.as_str());
            assert_eq!(there["creation_timestamp"], ours.created.timestamp_millis());
            assert_eq!(there["last_updated_timestamp"], ours.updated.timestamp_millis());
            let run = ours.manifest.run.as_ref().map(|run| run.id.to_string());
            let said = there["run_id"].as_str().filter(|said| !said.is_empty());
            assert_eq!(said, run.as_deref());
            contains(&there["tags"], &json!(ours.tags));
            assert_eq!(there["tags"]["mlops.digest"], ours.digest.to_string());
            assert_eq!(there["tags"].get("mlops.stage").is_some(), stage != ours.stage);
            let source = decoded(there["source"].as_str().unwrap());
            assert!(source.starts_with(files) && source.is_dir(), "{}", source.display());
            assert_eq!(there["download_uri"], there["source"]);
        }
    }
    assert_eq!(count, theirs.len());
    // The files of the first version lie with its run, and are not written twice.
    assert!(!files.join("models/churn v2/1").exists() && files.join("models/churn v2/3").is_dir());
}

/// The path of a `file:` URI.
fn decoded(uri: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = uri.strip_prefix("file://").unwrap().bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
        } else {
            byte
        });
    }
    PathBuf::from(String::from_utf8(bytes).unwrap())
}

fn contains(all: &Value, some: &Value) {
    for (key, value) in some.as_object().unwrap() {
        assert_eq!(all[key], *value, "{key}");
    }
}

/// What MLflow downloaded is the version, byte by byte; it adds one file of its own.
fn downloaded(manifest: &Manifest, directory: &Path, uri: &str) {
    // Some versions of MLflow make a folder of the source's name, some do not.
    let first = manifest.files[0].path.as_str();
    let inner = fs::read_dir(directory).unwrap().flatten().map(|entry| entry.path());
    let mut roots = std::iter::once(directory.to_owned()).chain(inner);
    let root = roots.find(|root| root.join(first).is_file()).unwrap_or_else(|| panic!("{uri}"));
    for file in &manifest.files {
        let bytes = fs::read(root.join(file.path.as_str())).unwrap();
        assert_eq!(blake3::hash(&bytes).as_bytes(), &file.digest.0, "{uri}, {}", file.path);
    }
    let mut count = 0;
    let mut open = vec![root];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => open.push(path),
                path => count += usize::from(!path.ends_with("registered_model_meta")),
            }
        }
    }
    assert_eq!(count, manifest.files.len(), "{uri}");
}
