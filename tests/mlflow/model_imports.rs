//! Models that MLflow wrote, and what of them is imported when, and what never.

use std::collections::BTreeMap;
use std::fs;

use futures::executor::block_on;
use mlops::mlflow::{self, FindingKind, ImportOptions, ImportReport};
use mlops::registry::{ColumnType, CreateModel, FileFormat, ModelVersion, Stage};
use mlops::{Alias, DownloadModel, ErrorKind, Workspace};
use serde_json::{Value, json};

use crate::import::Folder;
use crate::models::{all_models, all_versions, found, id, name, rows};
use crate::rich;

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
    let written = ws.models().download(&uri, &to, &DownloadModel::default()).await.unwrap();
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
