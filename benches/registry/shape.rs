//! What the versions of these benches look like.

use futures::executor::block_on;
use mlops::registry::{
    Column, ColumnType, CreateModel, FileFormat, ImportedVersion, Manifest, ManifestFile,
    ModelChanges, RegisterVersion, Signature, SourceRun, Stage,
};
use mlops::tracking::{Blob, BlobLocation, DatasetContext, DatasetInput, Digest, RunStatus};
use mlops::{ArtifactPath, Key, ModelName, RunId, Workspace};

use crate::harness::{noise, start};

/// Files of a version.
pub(crate) const FILES: usize = 5;

/// 2026-09-21, in microseconds.
const START: i64 = 1_790_000_000_000_000;

pub(crate) fn key(text: impl AsRef<str>) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn model_name(n: usize) -> ModelName {
    ModelName::new(format!("model-{n:05}")).unwrap()
}

pub(crate) fn file_name(n: usize) -> String {
    ["model.json", "columns.json", "vocabulary.txt", "profile.json", "card.md"][n].to_owned()
}

pub(crate) fn file_bytes(n: usize) -> Vec<u8> {
    format!("{{\"file\": {n}}}\n").repeat(150).into_bytes()
}

/// Grows from 0.5 to nearly 1.
pub(crate) fn auc(i: usize, of: usize) -> f64 {
    0.5 + 0.5 * i as f64 / of as f64
}

/// Ten metrics, the first of which is `auc`.
pub(crate) fn metrics(auc: f64) -> Vec<(String, f64)> {
    let others = (1..10).map(|n| (format!("m{n}"), auc / f64::from(n)));
    std::iter::once(("auc".to_owned(), auc)).chain(others).collect()
}

pub(crate) fn params() -> Vec<(String, String)> {
    (0..10).map(|n| (format!("p{n}"), format!("{}", 0.1 * f64::from(n)))).collect()
}

pub(crate) fn inputs() -> [DatasetInput; 2] {
    let input = |name: &str, context| {
        let digest = format!("blake3:{}", blake3::hash(name.as_bytes()).to_hex());
        DatasetInput::new(key(name), key(digest), context).with_source(format!("s3://data/{name}"))
    };
    [input("customers", DatasetContext::Train), input("holdout", DatasetContext::Test)]
}

/// Eighteen columns go in, two come out.
pub(crate) fn signature() -> Signature {
    let column = |n: usize| {
        let types = [ColumnType::Int64, ColumnType::Float64, ColumnType::Utf8];
        let column = Column::new(format!("column_{n}"), types[n % 3].clone()).unwrap();
        column.with_nullable(n.is_multiple_of(2))
    };
    let output = |name: &str| Column::new(name, ColumnType::Float64).unwrap();
    let outputs = vec![output("churns"), output("certainty")];
    Signature::new((0..18).map(column).collect(), outputs).unwrap()
}

pub(crate) fn manifest(files: Vec<ManifestFile>, run: SourceRun, auc: f64) -> Manifest {
    let mut manifest = Manifest::new(files).unwrap();
    manifest.signature = Some(signature());
    manifest.run = Some(run);
    manifest.inputs = inputs().into();
    manifest.metrics = metrics(auc).into_iter().map(|(name, value)| (key(name), value)).collect();
    manifest.params = params().into_iter().map(|(name, value)| (key(name), value)).collect();
    manifest
}

/// A finished run with everything that a version takes over.
pub(crate) fn source_run(ws: &Workspace) -> RunId {
    let run = start(ws);
    let metrics = metrics(0.9);
    let metrics: Vec<(&str, f64)> = metrics.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    run.log_metrics(0, &metrics).unwrap();
    block_on(async {
        for (name, value) in params() {
            run.log_param(&name, value).await.unwrap();
        }
        for input in inputs() {
            run.log_input(input).await.unwrap();
        }
        for n in 0..FILES {
            let path = format!("model/{}", file_name(n));
            run.log_artifact(&path, file_bytes(n)).await.unwrap();
        }
        run.finish().await.unwrap();
    });
    run.id()
}

/// The run that version `number` of model `n` of the population says it came from.
pub(crate) fn run_of(n: usize, number: usize) -> RunId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
    bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
    RunId::from_bytes(bytes)
}

/// Makes `count` models with `versions` versions each, through the trait. Every tenth model is of each
/// team; every second has an alias `champion`; the last version but one of each is in Production.
///
/// Each version has one file of its own, whose bytes are nowhere: only rows are looked at.
pub(crate) fn populate(ws: &Workspace, count: usize, versions: usize) {
    let registry = ws.models().registry();
    let mut seed = 0;
    for n in 0..count {
        let name = model_name(n);
        let micros = START + n as i64 * 60_000_000;
        let created = mlops::time::from_micros(micros).unwrap();
        let options = CreateModel::default()
            .with_created(created)
            .with_note("Whether a customer leaves within a month.")
            .with_tag(key("team"), format!("t{}", n % 10))
            .with_tag(key("tier"), format!("{}", n % 3));
        block_on(registry.create_model(&name, options)).unwrap();
        for number in 1..=versions {
            let text = format!("{n}/{number}");
            let digest = Digest(blake3::hash(text.as_bytes()).into());
            let blob = Blob { digest, size: 4_096, location: BlobLocation(format!("v/{text}")) };
            let path = ArtifactPath::new("model.onnx").unwrap();
            let file = ManifestFile { path, digest, size: 4_096, format: FileFormat::Other };
            let source = SourceRun { id: run_of(n, number), status: RunStatus::Finished };
            let in_production = number == versions.saturating_sub(1).max(1);
            let stage = if in_production { Stage::Production } else { Stage::None };
            // Imported, so that no source run need exist.
            let imported = ImportedVersion::default().with_created(created).with_stage(stage);
            let options = RegisterVersion::new(manifest(vec![file], source, noise(&mut seed)))
                .with_uploaded(blob)
                .with_tag(key("git"), format!("{:08x}", n * versions + number))
                .with_imported(imported);
            block_on(registry.register(&name, options)).unwrap();
        }
        if n.is_multiple_of(2) {
            let alias = "champion".parse().unwrap();
            let changes = ModelChanges::default().with_alias(alias, versions as u64);
            block_on(registry.update_model(&name, changes)).unwrap();
        }
    }
}
