//! The registry's engines over the store in memory: what a user sees, and what a tampered store does.

mod bytes;
mod proofs;
mod roles;
mod stages;
mod targets;

use std::sync::Arc;

use mlops_core::RunId;
use mlops_core::journal::Actor;
use mlops_core::registry::ModelVersion;
use mlops_core::time::{Clock, ManualClock};
use mlops_core::tracking::{DatasetContext, DatasetInput};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use tempfile::TempDir;

use super::Models;
use crate::backends::memory::MemoryStore;
use crate::blobs::Blobs;
use crate::tracking::{Tracking, TrackingOptions};

/// A store whose objects and clock a test can reach.
struct Fixture {
    objects: Arc<InMemory>,
    clock: Arc<ManualClock>,
    models: Models,
    spools: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at_micros(1_700_000_000_000_000));
        let objects = Arc::new(InMemory::new());
        let spools = tempfile::tempdir().unwrap();
        let ann = actor("ann@hq");
        let memory = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>, ann.clone()));
        let tracking = Tracking::new(
            Arc::clone(&memory) as _,
            Arc::clone(&memory) as _,
            Blobs::new(Arc::clone(&objects) as Arc<dyn ObjectStore>),
            spools.path(),
            Arc::clone(&clock) as _,
            TrackingOptions::default(),
        );
        let models = Models::new(
            Arc::clone(&memory) as _,
            Arc::clone(&memory) as _,
            memory,
            tracking.unwrap(),
            ann,
        );
        Self { objects, clock, models, spools }
    }

    /// A version with one file of these bytes.
    async fn version(&self, bytes: &[u8]) -> ModelVersion {
        let builder = self.models.register("churn").unwrap();
        builder.file("model.json", bytes.to_vec()).unwrap().register().await.unwrap()
    }

    /// How many objects there are.
    async fn objects(&self) -> usize {
        use futures::StreamExt;
        self.objects.list(None).count().await
    }

    /// A finished run with a model, an environment and changes that were not committed.
    async fn run(&self) -> RunId {
        let tracking = self.models.tracking();
        let mut builder = tracking.run("churn").unwrap().without_capture();
        for (key, value) in [
            ("mlops.source.commit", "4f1a"),
            ("mlops.source.remote", "https://git.example/churn"),
            ("mlops.source.dirty", "true"),
        ] {
            builder = builder.tag(key, value).unwrap();
        }
        let run = builder.param("lr", 0.1).unwrap().start().await.unwrap();
        run.log_metric("auc", 0.8, 0).unwrap();
        run.log_metric("auc", 0.91, 1).unwrap();
        run.log_metric("loss", f64::NAN, 0).unwrap();
        let data = DatasetInput::new(
            "flights".parse().unwrap(),
            "sha256:ab".parse().unwrap(),
            DatasetContext::Train,
        );
        run.log_input(data.with_source("s3://bucket/flights")).await.unwrap();
        run.log_artifact("model/weights.json", b"[0.5, 2.0]".to_vec()).await.unwrap();
        run.log_artifact("model/deep/labels.txt", b"yes\nno\n".to_vec()).await.unwrap();
        run.log_artifact("mlops/uncommitted.diff", b"--- a\n+++ b\n".to_vec()).await.unwrap();
        let environment = br#"{"arch": "x86_64", "command": ["train", "--deep"]}"#.to_vec();
        run.log_artifact("mlops/environment.json", environment).await.unwrap();
        let id = run.id();
        run.finish().await.unwrap();
        id
    }
}

fn actor(name: &str) -> Actor {
    Actor::new(name).unwrap()
}
