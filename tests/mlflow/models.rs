//! Models and versions, both ways: as MLflow sees what we export, and as we see what it wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use mlops::mlflow::{self, ExportOptions, ExportReport, FindingKind, ImportOptions, ImportReport};
use mlops::registry::{
    Column, ColumnType, CreateModel, Evidence, FileFormat, Manifest, Model, ModelChanges,
    ModelQuery, ModelVersion, Signature, Stage, VersionChanges, VersionId, VersionQuery,
};
use mlops::tracking::{CreateRun, View};
use mlops::{Alias, ErrorKind, ModelName, RunId, RunName, Workspace};
use serde_json::{Value, json};

use crate::import::Folder;
use crate::model_searches::{MODEL_QUESTIONS, answered, populate, version_questions};
use crate::peer::{self, Unavailable};
use crate::rich::{self, Store, key};

pub(crate) fn run_id() -> RunId {
    RunId::from_bytes([7; 16])
}

fn name(text: &str) -> ModelName {
    ModelName::new(text).unwrap()
}

fn id(text: &str) -> VersionId {
    text.parse().unwrap()
}

async fn all_models(ws: &Workspace) -> Vec<Model> {
    let query = ModelQuery::default().with_view(View::All);
    ws.models().registry().search_models(&query).await.unwrap().items
}

async fn all_versions(ws: &Workspace) -> Vec<ModelVersion> {
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

fn found(report: &ImportReport) -> BTreeMap<FindingKind, u64> {
    report.findings.iter().map(|finding| (finding.kind, finding.count)).collect()
}

async fn rows(ws: &Workspace) -> u64 {
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
            copy.ws.models().download(&uri, &to, &Default::default()).await.unwrap();
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

/// Every model, version and alias that MLflow's client shows is here, but for one whose files are not.
pub(crate) async fn compare(ws: &Workspace, sample: &Value, kind: &str, report: &ImportReport) {
    let theirs = sample[kind]["registered_models"].as_array().unwrap();
    let (models, versions) = (all_models(ws).await, all_versions(ws).await);
    assert_eq!(models.len(), theirs.len());
    let (mut here, mut left_out, mut aliases) = (0, 0, 0);
    for there in theirs {
        let model = models.iter().find(|model| there["name"] == *model.name).unwrap();
        assert_eq!(there["description"].as_str().unwrap_or_default(), model.note);
        assert_eq!(there["creation_timestamp"], model.created.timestamp_millis());
        let tags = |of: Value| {
            let mut of = of;
            of.as_object_mut().unwrap().retain(|key, _| !key.starts_with("mlops.import."));
            of
        };
        assert_eq!(tags(json!(model.tags)), there["tags"]);
        let named: BTreeMap<String, String> =
            model.aliases.iter().map(|(a, n)| (a.to_string(), n.to_string())).collect();
        assert_eq!(json!(named), there["aliases"]);
        aliases += named.len() as u64;
        for there in there["versions"].as_array().unwrap() {
            let number = there["version"].as_str().unwrap();
            let ours =
                versions.iter().find(|v| v.model == model.name && v.number.to_string() == number);
            if there["source"].as_str().unwrap().starts_with("s3:") {
                assert!(ours.is_none());
                left_out += 1;
                continue;
            }
            here += 1;
            let ours =
                ours.unwrap_or_else(|| panic!("{} {number}: {:#?}", model.name, report.findings));
            assert_eq!(there["stage"], ours.stage.as_str());
            assert_eq!(there["description"].as_str().unwrap_or_default(), ours.note);
            assert_eq!(there["creation_timestamp"], ours.created.timestamp_millis());
            assert_eq!(there["source"], ours.tags["mlops.import.uri"]);
            let mut said = tags(json!(ours.tags));
            said.as_object_mut().unwrap().remove("mlflow.model_id");
            assert_eq!(said, there["tags"]);
            let run = ours.manifest.run.as_ref().map(|run| run.id.to_string());
            assert_eq!(there["run_id"].as_str().filter(|run| !run.is_empty()), run.as_deref());
            if let Some(run) = &ours.manifest.run {
                let run = ws.tracker().run(run.id).await.unwrap();
                assert_eq!(ours.manifest.params, run.params);
                assert_eq!(ours.manifest.metrics.len(), run.metrics.len());
            }
            files(ws, ours, there["download_uri"].as_str().unwrap()).await;
        }
    }
    let tree = versions.iter().filter(|version| &*version.model == "tree");
    for version in tree {
        let signature = version.manifest.signature.as_ref().unwrap();
        assert_eq!(&*signature.inputs[0].name, "x");
        assert_eq!(signature.inputs[0].data_type, ColumnType::Float64);
        assert_eq!(signature.outputs[0].data_type, ColumnType::Int64);
    }
    assert_eq!((report.models.new as usize, report.models.skipped), (theirs.len(), 0));
    assert_eq!((report.model_versions.new, report.model_versions.skipped), (here, left_out));
    assert_eq!((report.aliases.new, report.aliases.skipped), (aliases, 0));
    assert_eq!(found(report)[&FindingKind::ModelFiles], left_out);
    // The numbers that MLflow gave stay, with the gap that a deletion left.
    let churn: Vec<u64> =
        versions.iter().filter(|v| &*v.model == "churn").map(|v| v.number).collect();
    assert_eq!(churn, [3, 2, 1]);
}

/// A version's files are those that MLflow downloads.
async fn files(ws: &Workspace, version: &ModelVersion, uri: &str) {
    let root = crate::import::url_path(uri);
    assert!(root.is_dir(), "{}", root.display());
    for file in &version.manifest.files {
        let bytes = fs::read(root.join(file.path.as_str())).unwrap();
        assert_eq!(blake3::hash(&bytes).as_bytes(), &file.digest.0);
    }
    let to = tempfile::tempdir().unwrap();
    let to = to.path().join("files");
    let uri = version.id().to_string();
    let written = ws.models().download(&uri, &to, &Default::default()).await.unwrap();
    assert_eq!(written.len(), version.manifest.files.len());
}

fn write_model(folder: &Folder, model: &str, versions: &[(u64, &str, &str)]) {
    folder.write(
        &format!("models/{model}/meta.yaml"),
        &format!("name: {model}\ncreation_timestamp: 1700000000000\ndescription: null\n"),
    );
    for (number, stage, source) in versions {
        folder.write(
            &format!("models/{model}/version-{number}/meta.yaml"),
            &format!(
                "name: {model}\nversion: {number}\ncreation_timestamp: 1700000001000\n\
                 current_stage: {stage}\nstatus: READY\nsource: {source}\nuser_id: ada\n"
            ),
        );
    }
}

const A: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn only_what_changed() {
    block_on(async {
        let folder = Folder::new();
        folder.run(A, 3, "1700000009000");
        folder.write(&format!("0/{A}/artifacts/m/weights"), "w");
        folder.write(
            &format!("0/{A}/artifacts/m/MLmodel"),
            "signature:\n  inputs: '[{\"type\": \"tensor\"}]'\n",
        );
        folder.write(&format!("0/{A}/artifacts/m/model.pkl"), "(lp0\n.");
        let source = format!("runs:/{A}/m");
        write_model(&folder, "churn", &[(1, "None", &source), (4, "Deleted_Internal", "x")]);
        folder.write("models/churn/aliases/best", "1");
        folder.write("models/churn/aliases/lost", "4");
        let store = rich::empty().await;
        let report = mlruns(&store.ws, &folder).await;
        assert_eq!((report.models.new, report.model_versions.new, report.aliases.new), (1, 1, 1));
        assert_eq!((report.aliases.skipped, report.artifacts), (1, 3));
        let kinds =
            BTreeMap::from([(FindingKind::SignatureRefused, 1), (FindingKind::AliasRefused, 1)]);
        assert_eq!(found(&report), kinds, "{:#?}", report.findings);
        let registry = store.ws.models().registry();
        let version = registry.version(&id("churn/1")).await.unwrap();
        assert_eq!((version.author.as_str(), version.stage), ("ada", Stage::None));
        // Gates ask for the formats, so an import looks into the files as registering does.
        assert_eq!(version.manifest.file("model.pkl").unwrap().format, FileFormat::Pickle);

        // MLflow goes on: labels, an alias, a stage, a version.
        write_model(&folder, "churn", &[(1, "Production", &source), (5, "Staging", &source)]);
        folder.write("models/churn/tags/team", "vision");
        folder.write("models/churn/version-1/tags/k", "v");
        folder.write("models/churn/aliases/best", "5");
        let report = mlruns(&store.ws, &folder).await;
        assert_eq!((report.models.changed, report.aliases.changed), (1, 1));
        assert_eq!((report.model_versions.changed, report.model_versions.new), (1, 1));
        assert_eq!(found(&report)[&FindingKind::StageDiffers], 1);
        let version = registry.version(&id("churn/1")).await.unwrap();
        assert_eq!(
            (&version.tags["k"][..], version.stage),
            ("v", Stage::None),
            "no policy was asked"
        );
        let model = registry.model(&name("churn")).await.unwrap();
        assert_eq!(model.aliases, BTreeMap::from([(Alias::new("best").unwrap(), 5)]));
        assert_eq!(model.stages, BTreeMap::from([(Stage::Staging, vec![5])]));
        let written = rows(&store.ws).await;
        mlruns(&store.ws, &folder).await;
        assert_eq!(rows(&store.ws).await, written);

        // A number that was passed meanwhile cannot be filled in.
        write_model(&folder, "churn", &[(2, "None", &source)]);
        let report = mlruns(&store.ws, &folder).await;
        assert_eq!(found(&report)[&FindingKind::Refused], 1);
        // A model that was made here is not MLflow's to change.
        write_model(&folder, "own", &[(1, "None", &source)]);
        registry.create_model(&name("own"), CreateModel::default()).await.unwrap();
        let report = mlruns(&store.ws, &folder).await;
        assert_eq!(found(&report)[&FindingKind::NotOfThisImport], 1);
        assert_eq!(registry.version(&id("own/1")).await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

pub(crate) fn nothing_is_made_up() {
    block_on(async {
        let folder = Folder::new();
        folder.run(A, 3, "1700000009000");
        folder.write(&format!("0/{A}/artifacts/m/weights"), "w");
        let outer = folder.root.parent().unwrap();
        let secrets = outer.join("secrets");
        fs::create_dir_all(&secrets).unwrap();
        fs::write(secrets.join("key"), "secret").unwrap();
        let plain = outer.join("plain");
        fs::create_dir_all(plain.join("data")).unwrap();
        fs::write(plain.join("MLmodel"), "flavors: {}\n").unwrap();
        fs::write(plain.join("data/weights"), "w").unwrap();
        let logged = format!("0/models/m-{A}");
        folder.write(&format!("{logged}/meta.yaml"), "artifact_location: s3://bucket/moved\n");
        folder.write(&format!("{logged}/artifacts/MLmodel"), "flavors: {}\n");
        let [secrets, plain] = [&secrets, &plain].map(|path| path.to_str().unwrap());
        let (nothing, logged) = (format!("runs:/{A}/none"), format!("models:/m-{A}"));
        let sources = [
            (1, "None", secrets),
            (2, "None", plain),
            (3, "None", "s3://bucket/model"),
            (4, "None", "models:/churn/2"),
            (5, "None", &nothing),
            (6, "Elsewhere", &logged),
            (7, "None", "dbfs:/x"),
        ];
        write_model(&folder, "churn", &sources);
        folder.write("models/churn/version-7/meta.yaml", "status: PENDING_REGISTRATION\n");
        folder.write("models/churn/version-x/meta.yaml", "status: READY\n");
        write_model(&folder, "prompt", &[]);
        folder.write("models/prompt/tags/mlflow.prompt.is_prompt", "true");
        folder.write("models/odd/meta.yaml", "name: a/b\n");
        folder.write("models/broken/meta.yaml", "name: [\n");
        let store = rich::empty().await;
        let report = mlruns(&store.ws, &folder).await;
        let kinds = BTreeMap::from([
            (FindingKind::NameChanged, 1),
            // A stage, a version without number, a model's file.
            (FindingKind::Malformed, 3),
            // The logged model, and the prompt.
            (FindingKind::NoCounterpart, 2),
            (FindingKind::ModelFiles, 3),
            (FindingKind::NotReady, 1),
        ]);
        assert_eq!(found(&report), kinds, "{:#?}", report.findings);
        let versions = all_versions(&store.ws).await;
        let numbers: Vec<u64> = versions.iter().map(|version| version.number).collect();
        assert_eq!(numbers, [6, 4, 2]);
        assert_eq!(versions[1].manifest, versions[2].manifest, "a copy has the same files");
        let odd = store.ws.models().registry().model(&name("a_b")).await.unwrap();
        assert_eq!(odd.tags["mlflow.model_name"], "a/b");
    });
}

async fn mlruns(ws: &Workspace, folder: &Folder) -> ImportReport {
    mlflow::import_mlruns(ws.models(), &folder.root, ImportOptions::default()).await.unwrap()
}
