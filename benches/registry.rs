//! What the model registry costs on the embedded store, one JSON line a figure.
//!
//! ```text
//! cargo bench --bench registry [-- NAME …] [--ops N] [--models N] [--mib N]
//! ```
//!
//! The sizes are for trying it out: `--ops` bounds how often small operations are done, `--models` is
//! the population that is searched (ten versions each), `--mib` the size of the large file. CPU
//! seconds are those of the whole process. The same figures of MLflow: `benches/peers/registry`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints and may stop")]

#[path = "registry/bytes.rs"]
mod bytes;
mod harness;
#[path = "registry/promotion.rs"]
mod promotion;
#[path = "registry/search.rs"]
mod search;
#[path = "registry/shape.rs"]
mod shape;

use std::hint::black_box;

use futures::executor::block_on;
use mlops::registry::{
    CreateModel, ManifestFile, ModelChanges, RegisterVersion, Selector, SourceRun, Stage,
};
use mlops::tracking::RunStatus;
use mlops::{ModelName, Workspace};
use serde_json::json;

use harness::{Laps, fresh, in_memory};
use shape::{FILES, auc, manifest};

/// How large everything is.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    ops: usize,
    models: usize,
    mib: usize,
}

/// A bench and its name.
type Bench = (&'static str, fn(Sizes));

fn main() {
    let mut sizes = Sizes { ops: 500, models: 10_000, mib: 256 };
    let mut names = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).unwrap();
        match argument.as_str() {
            "--ops" => sizes.ops = number(),
            "--models" => sizes.models = number(),
            "--mib" => sizes.mib = number(),
            // Cargo says so.
            "--bench" => {}
            _ => names.push(argument),
        }
    }
    let benches: [Bench; 6] = [
        ("register", register),
        ("resolve", resolve),
        ("promotion", promotion::promotion),
        ("search", search::search),
        ("files", bytes::files),
        ("load", bytes::load),
    ];
    for (name, bench) in benches {
        if names.is_empty() || names.iter().any(|n| n == name) {
            bench(sizes);
        }
    }
}

/// A version with 10 metrics, 10 params, 2 inputs, 5 files, a signature of 20 columns and a source run.
fn register(sizes: Sizes) {
    let (_dir, ws) = fresh();
    let run = shape::source_run(&ws);
    let models = ws.models();
    let described =
        json!({ "aim_us": 1_000, "shape": "10 metrics, 10 params, 2 inputs, 5 files, 20 columns" });

    let mut laps = Laps::of(1);
    for i in 0..sizes.ops {
        let mut version = models
            .register("churn")
            .unwrap()
            .from_run(run)
            .without_run_facts()
            .artifacts("model")
            .signature(shape::signature());
        for (key, value) in shape::metrics(auc(i, sizes.ops)) {
            version = version.metric(&key, value).unwrap();
        }
        for (key, value) in shape::params() {
            version = version.param(&key, value).unwrap();
        }
        for input in shape::inputs() {
            version = version.input(input);
        }
        laps.lap(|| block_on(version.register()).unwrap());
    }
    laps.figure("register", described.clone());

    let mut laps = Laps::of(1);
    for _ in 0..sizes.ops {
        let version = models.register("facts").unwrap().from_run(run).artifacts("model");
        laps.lap(|| block_on(version.signature(shape::signature()).register()).unwrap());
    }
    laps.figure("register:facts_of_the_run", described.clone());

    let mut laps = Laps::of(1);
    for _ in 0..sizes.ops {
        let mut version = models.register("bytes").unwrap().from_run(run);
        for n in 0..FILES {
            version = version.file(&shape::file_name(n), shape::file_bytes(n)).unwrap();
        }
        laps.lap(|| block_on(version.signature(shape::signature()).register()).unwrap());
    }
    laps.figure("register:bytes_given_again", described.clone());

    let name = ModelName::new("bare").unwrap();
    block_on(models.registry().create_model(&name, CreateModel::default())).unwrap();
    let artifacts = block_on(ws.tracker().artifacts(run, "model")).unwrap();
    let files: Vec<ManifestFile> = artifacts
        .iter()
        .map(|artifact| ManifestFile {
            path: artifact.path.clone(),
            digest: artifact.blob.digest,
            size: artifact.blob.size,
            format: mlops::registry::FileFormat::Other,
        })
        .collect();
    let source = SourceRun { id: run, status: RunStatus::Finished };
    let mut laps = Laps::of(1);
    for i in 0..sizes.ops {
        let manifest = manifest(files.clone(), source.clone(), auc(i, sizes.ops));
        let mut options = RegisterVersion::new(manifest);
        for artifact in &artifacts {
            options = options.with_known(artifact.blob.clone());
        }
        laps.lap(|| block_on(models.registry().register(&name, options)).unwrap());
    }
    laps.figure("register:trait", described);
}

/// Which version an alias or a stage means, under each kind of executor, and that version itself.
fn resolve(sizes: Sizes) {
    let dir = in_memory();
    let ws = block_on(Workspace::open(dir.path().join("mlops"))).unwrap();
    let (count, versions) = ((sizes.models / 10).clamp(1, 1_000), 5);
    shape::populate(&ws, count, versions);
    let current = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let asks: [(&str, &str, Selector); 2] = [
        ("resolve_alias", "@champion", Selector::Alias("champion".parse().unwrap())),
        ("resolve_stage", "/Production", Selector::Stage(Stage::Production)),
    ];
    for (operation, which, selector) in asks {
        // Only every second model has the alias.
        let names: Vec<ModelName> = (0..count).step_by(2).map(shape::model_name).collect();
        let uris: Vec<String> = names.iter().map(|name| format!("models:/{name}{which}")).collect();
        let facts = |how: &str| json!({ "aim_us": 20, "how": how, "models": count });
        let by_trait = |block: usize| {
            let (ws, names, selector) = (&ws, &names, &selector);
            async move {
                for i in 0..BLOCK {
                    let name = &names[(block * BLOCK + i) % names.len()];
                    black_box(ws.models().registry().resolve(name, selector).await.unwrap());
                }
            }
        };
        let by_uri = |block: usize| {
            let (ws, uris) = (&ws, &uris);
            async move {
                for i in 0..BLOCK {
                    let uri = &uris[(block * BLOCK + i) % uris.len()];
                    black_box(ws.models().resolve(uri).await.unwrap());
                }
            }
        };
        let mut laps = [(); 4].map(|()| Laps::of(BLOCK));
        for block in 0..sizes.ops {
            laps[0].lap(|| block_on(by_uri(block)));
            laps[1].lap(|| block_on(by_trait(block)));
            laps[2].lap(|| current.block_on(by_uri(block)));
            laps[3].lap(|| threads.block_on(by_uri(block)));
        }
        let [plain, bare, current, threads] = laps;
        plain.figure(operation, facts("uri, futures' block_on"));
        bare.figure(&format!("{operation}:trait"), facts("trait, futures' block_on"));
        current.figure(&format!("{operation}:tokio"), facts("uri, tokio, current thread"));
        threads.figure(&format!("{operation}:tokio_threads"), facts("uri, tokio, two threads"));

        let mut laps = Laps::of(1);
        for i in 0..sizes.ops {
            let uri = &uris[i % uris.len()];
            laps.lap(|| black_box(block_on(ws.models().version(uri)).unwrap()));
        }
        let facts = json!({ "how": "whole version", "models": count });
        laps.figure(&operation.replace("resolve", "version_by"), facts);
    }
    let mut laps = Laps::of(1);
    for i in 0..sizes.ops {
        let uri = format!("models:/{}/3", shape::model_name(i % count));
        laps.lap(|| black_box(block_on(ws.models().version(&uri)).unwrap()));
    }
    laps.figure("version_by_number", json!({ "how": "whole version", "models": count }));
    move_alias(&ws, sizes);
}

/// Questions between two looks at the clock.
const BLOCK: usize = 20;

fn move_alias(ws: &Workspace, sizes: Sizes) {
    let name = shape::model_name(0);
    let mut laps = Laps::of(1);
    for i in 0..sizes.ops {
        let number = i as u64 % 2 + 1;
        let changes = ModelChanges::default().with_alias("blue".parse().unwrap(), number);
        laps.lap(|| block_on(ws.models().registry().update_model(&name, changes)).unwrap());
    }
    laps.figure("set_alias", json!({}));
}
