//! Short ways to the values that cases are made of.
//!
//! Everything is a function of small numbers: no randomness, no clock, so that a case reads the same
//! in every run and a failure repeats.

mod models;

use bytes::Bytes;
use mlops_core::time::{Instant, from_micros_lossy};
use mlops_core::tracking::{
    Blob, BlobLocation, ChunkId, CreateExperiment, CreateRun, DatasetContext, DatasetInput, Digest,
    Experiment, Lease, MetricChunk, MetricPoint, MetricSummary, Origin, Run, RunChanges,
    SealedMetrics,
};
use mlops_core::{ArtifactPath, ExperimentId, Key, RunId, RunName, SpoolId};

use crate::Fixture;

pub use models::*;

/// Where every fixture's clock stands at first: 2023-11-14T22:13:20Z, in microseconds.
pub const NOW: i64 = 1_700_000_000_000_000;

/// Whom every fixture's journal names.
pub const ACTOR: &str = "testkit";

/// The instant `micros` after [`NOW`].
pub fn at(micros: i64) -> Instant {
    from_micros_lossy(NOW + micros)
}

/// The key of this text.
#[track_caller]
pub fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// The name of a run of this text.
#[track_caller]
pub fn run_name(text: &str) -> RunName {
    RunName::new(text).unwrap()
}

/// The artifact path of this text.
#[track_caller]
pub fn path(text: &str) -> ArtifactPath {
    ArtifactPath::new(text).unwrap()
}

/// The `n`th experiment id; their order is that of the numbers.
pub fn experiment_id(n: u8) -> ExperimentId {
    ExperimentId::from_bytes(bytes_of(0xE, n))
}

/// The `n`th run id; their order is that of the numbers.
pub fn run_id(n: u8) -> RunId {
    RunId::from_bytes(bytes_of(0xA, n))
}

/// The `n`th spool.
pub fn spool(n: u8) -> SpoolId {
    SpoolId::from_bytes(bytes_of(0x5, n))
}

/// The last byte is not the number: the name of a run is the end of its id.
fn bytes_of(kind: u8, n: u8) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[0] = kind;
    bytes[1] = n;
    bytes[14] = n.wrapping_mul(151);
    bytes[15] = kind;
    bytes
}

/// The digest of `content`.
pub fn digest(content: &str) -> Digest {
    Digest(blake3::hash(content.as_bytes()).into())
}

/// An object of this content, uploaded to this location.
pub fn blob(content: &str, location: &str) -> Blob {
    Blob {
        digest: digest(content),
        size: content.len() as u64,
        location: BlobLocation(location.to_owned()),
    }
}

/// The locations as text.
pub fn texts(locations: &[BlobLocation]) -> Vec<&str> {
    let mut texts: Vec<_> = locations.iter().map(|location| location.0.as_str()).collect();
    texts.sort_unstable();
    texts
}

/// A lease of process 7 on `host`, until `micros` after [`NOW`].
pub fn lease(host: &str, micros: i64) -> Lease {
    Lease { host: host.to_owned(), process: 7, until: at(micros) }
}

/// A dataset of this name and digest.
pub fn dataset(name: &str, digest: &str, context: DatasetContext) -> DatasetInput {
    DatasetInput::new(key(name), key(digest), context)
}

/// The chunk of these points (metric, step, microseconds since 1970, value), which are number
/// `first` and following of the `n`th spool. Its bytes are opaque: nothing decodes them.
pub fn chunk(n: u8, first: u64, points: &[(&str, i64, i64, f64)]) -> MetricChunk {
    let mut summaries: Vec<(Key, MetricSummary)> = Vec::new();
    for (name, step, time_micros, value) in points {
        let point = MetricPoint { step: *step, time_micros: *time_micros, value: *value };
        let summary = MetricSummary::of(point);
        match summaries.iter_mut().find(|(key, _)| key.as_str() == *name) {
            Some((_, before)) => before.append(&summary),
            None => summaries.push((key(name), summary)),
        }
    }
    let range = |column: fn(&(&str, i64, i64, f64)) -> i64| {
        let values = || points.iter().map(column);
        values().min().unwrap_or(0)..=values().max().unwrap_or(0)
    };
    MetricChunk {
        origin: Origin { spool: spool(n), first, count: points.len() as u64 },
        codec: 1,
        bytes: Bytes::from(format!("spool {n} from {first}: {points:?}")),
        steps: range(|point| point.1),
        times_micros: range(|point| point.2),
        summaries,
    }
}

/// The chunk of these values of one metric, at steps and instants that count up.
pub fn values(n: u8, first: u64, metric: &str, values: &[f64]) -> MetricChunk {
    let points: Vec<_> =
        values.iter().zip(first as i64..).map(|(value, i)| (metric, i, NOW + i, *value)).collect();
    chunk(n, first, &points)
}

/// A seal of these chunks, of `count` points, into an object of this content at this location.
pub fn seal(chunks: &[ChunkId], count: u64, content: &str, location: &str) -> SealedMetrics {
    SealedMetrics { replaces: chunks.to_vec(), codec: 2, count, blob: blob(content, location) }
}

impl Fixture {
    /// Makes the experiment of this name, whose id is `experiment_id(n)`.
    pub async fn experiment(&self, n: u8, name: &str) -> Experiment {
        let options = CreateExperiment::default().with_id(experiment_id(n));
        self.tracker.create_experiment(&name.parse().unwrap(), options).await.unwrap()
    }

    /// Starts the run whose id is `run_id(n)` in that experiment.
    pub async fn start(&self, n: u8, experiment: ExperimentId) -> Run {
        self.tracker.create_run(CreateRun::new(run_id(n), experiment)).await.unwrap()
    }

    /// An experiment with one run in it, `run_id(1)`.
    pub async fn one_run(&self) -> Run {
        let experiment = self.experiment(1, "churn").await;
        self.start(1, experiment.id).await
    }

    /// Makes a change that must succeed, and returns what became unneeded.
    pub async fn change(&self, id: RunId, changes: RunChanges) -> Vec<BlobLocation> {
        self.tracker.update_run(id, changes).await.unwrap()
    }

    /// The run as it is now.
    pub async fn read(&self, id: RunId) -> Run {
        self.tracker.run(id).await.unwrap()
    }

    /// The ids of the run's chunks.
    pub async fn chunk_ids(&self, id: RunId) -> Vec<ChunkId> {
        let chunks = self.tracker.metric_chunks(id, None).await.unwrap();
        chunks.into_iter().map(|chunk| chunk.id).collect()
    }
}
