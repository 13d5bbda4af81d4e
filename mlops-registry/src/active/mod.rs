//! [`ActiveRun`]: the handle with which a program writes its run.
//!
//! Logging a metric never awaits: the point goes into the run's spool, a file mapped into memory, and
//! survives SIGKILL of the process when the call returns. A thread that the handle owns stores what
//! the spool holds: when half of it is full, when [`ActiveRun::flush`] is called, and every few
//! seconds. Everything else a run has (params, tags, inputs, artifacts) is rare and is stored, durably,
//! by the call itself.
//!
//! A handle that is dropped without [`ActiveRun::finish`] marks its run killed: an early return or a
//! panic is not success. A process that is killed leaves the run to the next opener of the store,
//! which calls it lost and stores what its spool held. SIGTERM's default does the same as SIGKILL; a
//! program that wants `killed` at once handles the signal and drops the handle.

mod builder;
pub(crate) mod seal;
pub(crate) mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use mlops_core::tracking::{
    Artifact, DatasetInput, MetricPoint, RunChanges, RunStatus, check_step,
};
use mlops_core::{ArtifactPath, Error, Key, Result, RunId, SpoolId, time};

pub use self::builder::RunBuilder;
use self::writer::{Writer, chunk_of};
use crate::blobs::{BlobSource, Progress};
use crate::capture::SystemSampler;
use crate::points::Points;
use crate::tracking::Tracking;

/// A run that this process is writing. All methods take `&self`: share it between threads in an `Arc`.
///
/// # Cancellation
/// A future that is dropped before its end leaves the store whole: its change was made or was not.
///
/// # Dropping
/// Stores what is buffered, marks the run killed and waits for both, which blocks for some
/// milliseconds; [`ActiveRun::finish`] does so without blocking.
#[derive(Debug)]
pub struct ActiveRun {
    id: RunId,
    tracking: Tracking,
    writer: Writer,
    sampler: Mutex<Option<SystemSampler>>,
}

impl ActiveRun {
    fn open(tracking: Tracking, id: RunId, writer: Writer) -> Self {
        Self { id, tracking, writer, sampler: Mutex::default() }
    }

    /// The run's id.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The store that the run is written to.
    pub fn tracking(&self) -> &Tracking {
        &self.tracking
    }

    /// A run nested in this one, in the same experiment.
    pub fn child(&self) -> RunBuilder {
        RunBuilder::child_of(self.tracking.clone(), self.id)
    }

    /// Logs one value of one metric. Never awaits; the point survives SIGKILL when this returns.
    ///
    /// NaN and ±∞ are values like any other. The time is now.
    ///
    /// # Errors
    /// `Invalid` for a bad key or step, or if the run has ended. `Unavailable` if the spool is full
    /// and the store refuses, or does not answer within [`TrackingOptions::patience`]; the point was
    /// not accepted.
    ///
    /// [`TrackingOptions::patience`]: crate::TrackingOptions::patience
    #[inline]
    pub fn log_metric(&self, key: &str, value: f64, step: i64) -> Result<()> {
        let time_micros = self.now_micros();
        self.writer.push(key, MetricPoint { step: check_step(step)?, time_micros, value })
    }

    /// As [`ActiveRun::log_metric`], at another time than now, in microseconds since 1970.
    ///
    /// # Errors
    /// Also `Invalid` for a time outside 1970..=9999.
    pub fn log_metric_at(&self, key: &str, point: MetricPoint) -> Result<()> {
        check_step(point.step)?;
        time::check_micros(point.time_micros)?;
        self.writer.push(key, point)
    }

    /// Logs several metrics of one step at one instant: all of them or none, also when the process is
    /// killed meanwhile. Never awaits.
    ///
    /// # Errors
    /// As [`ActiveRun::log_metric`]; `Invalid` too if they are more than a spool can hold.
    pub fn log_metrics(&self, step: i64, metrics: &[(&str, f64)]) -> Result<()> {
        let time_micros = self.now_micros();
        let step = check_step(step)?;
        self.writer.push_all(
            metrics
                .iter()
                .map(|(key, value)| (*key, MetricPoint { step, time_micros, value: *value })),
        )
    }

    /// Now, within the instants that may be stored whatever the clock says: a point that was accepted
    /// must be one that can be stored.
    #[inline]
    fn now_micros(&self) -> i64 {
        self.tracking.parts().clock.now_micros().clamp(time::MIN_MICROS, time::MAX_MICROS)
    }

    /// Makes one atomic change of metrics, params and tags together; durable when it returns.
    ///
    /// # Errors
    /// `Invalid` if any part is, or the run has ended; then nothing of it is stored.
    pub async fn log_batch(&self, batch: Batch) -> Result<()> {
        self.writer.check_open()?;
        // What was logged before is stored before, so "last" stays the last written.
        self.flush().await?;
        let Batch { mut points, mut changes } = batch;
        if !points.is_empty() {
            let now = self.now_micros();
            for time in points.time.iter_mut().filter(|time| **time == WHEN_LOGGED) {
                *time = now;
            }
            changes = changes.with_metrics(chunk_of(&points, SpoolId::generate(now), 0)?);
        }
        self.change(changes).await
    }

    /// Stores a param; durable when it returns. The value is its text.
    ///
    /// # Errors
    /// `Invalid` if the run has this param with another value.
    pub async fn log_param(&self, key: &str, value: impl ToString + Send) -> Result<()> {
        let changes = RunChanges::default().with_param(Key::new(key)?, value.to_string());
        self.change(changes).await
    }

    /// Sets a tag; durable when it returns.
    ///
    /// # Errors
    /// `Invalid` if key or value are out of bounds.
    pub async fn set_tag(&self, key: &str, value: impl Into<String> + Send) -> Result<()> {
        let changes = RunChanges::default().with_tag(Key::new(key)?, value);
        self.change(changes).await
    }

    /// Sets the note; durable when it returns.
    pub async fn set_note(&self, note: impl Into<String> + Send) -> Result<()> {
        self.change(RunChanges::default().with_note(note)).await
    }

    /// Adds a dataset that the run reads; durable when it returns.
    pub async fn log_input(&self, input: DatasetInput) -> Result<()> {
        self.change(RunChanges::default().with_input(input)).await
    }

    /// Any change that a run allows, in one transaction.
    ///
    /// # Errors
    /// `Invalid` if it would end the run: that is what [`ActiveRun::finish`] is for.
    pub async fn change(&self, changes: RunChanges) -> Result<()> {
        self.writer.check_open()?;
        if changes.status.is_some() {
            return Err(Error::invalid("run.change", "the handle decides how its run ends")
                .with_hint("call finish, fail or kill"));
        }
        let parts = self.tracking.parts();
        for location in parts.tracker.update_run(self.id, changes).await? {
            parts.blobs.delete(&location).await?;
        }
        Ok(())
    }

    /// Puts bytes, a file or what a reader gives into the run; durable when it returns.
    ///
    /// # Errors
    /// `Invalid` for a path that could climb out of the run.
    pub async fn log_artifact(
        &self,
        path: &str,
        source: impl Into<BlobSource>,
    ) -> Result<Artifact> {
        self.log_artifact_with(path, source, None).await
    }

    /// As [`ActiveRun::log_artifact`], telling how far it is.
    pub async fn log_artifact_with(
        &self,
        path: &str,
        source: impl Into<BlobSource>,
        progress: Option<Progress>,
    ) -> Result<Artifact> {
        self.writer.check_open()?;
        self.tracking.put_artifact(self.id, &ArtifactPath::new(path)?, source, progress).await
    }

    /// Puts a local directory into the run, under `prefix` (which may be empty).
    pub async fn log_artifacts(&self, directory: &Path, prefix: &str) -> Result<Vec<Artifact>> {
        self.writer.check_open()?;
        self.tracking.put_artifacts(self.id, directory, prefix, None).await
    }

    /// Logs what the machine is doing right now as metrics `system/…`: CPU, memory, disk, network,
    /// GPU if there is one. Rates are since the last call. Takes some 100 µs: once a second is plenty.
    pub fn log_system_metrics(&self, step: i64) -> Result<()> {
        let mut sampler = self.sampler.lock().unwrap_or_else(PoisonError::into_inner);
        let sampler = sampler.get_or_insert_with(SystemSampler::new);
        let sample = sampler.sample();
        let metrics: Vec<(&str, f64)> =
            sample.iter().map(|(key, value)| (&**key, *value)).collect();
        self.log_metrics(step, &metrics)
    }

    /// Returns when every point that was accepted before is stored durably and seen by others.
    ///
    /// # Errors
    /// Why they could not be stored, with how many wait; they stay in the spool, and are tried again.
    pub async fn flush(&self) -> Result<()> {
        self.writer.flush().await
    }

    /// Ends the run as finished: stores everything, and seals the history of its metrics. From the call
    /// on nothing more is accepted.
    ///
    /// # Errors
    /// Why not everything could be stored; the run goes on, and this may be called again. `Conflict`
    /// if another call is ending the run right now.
    pub async fn finish(&self) -> Result<()> {
        self.writer.end(RunStatus::Finished, None).await
    }

    /// Ends the run as failed, and keeps the reason as the tag `mlops.failure`.
    ///
    /// # Errors
    /// As [`ActiveRun::finish`].
    pub async fn fail(&self, reason: impl ToString + Send) -> Result<()> {
        self.writer.end(RunStatus::Failed, Some(reason.to_string())).await
    }

    /// Ends the run as killed: what dropping the handle does, without blocking.
    ///
    /// # Errors
    /// As [`ActiveRun::finish`].
    pub async fn kill(&self) -> Result<()> {
        self.writer.end(RunStatus::Killed, None).await
    }
}

/// Metrics, params and tags that are stored together or not at all.
///
/// ```
/// use mlops_registry::Batch;
/// let batch = Batch::new()
///     .metric("loss", 0.3, 10)?
///     .param("lr", 0.1)?
///     .tag("phase", "warm-up")?;
/// # Ok::<_, mlops_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Batch {
    points: Points,
    changes: RunChanges,
}

impl Batch {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value of a metric; its time is when the batch is logged.
    ///
    /// # Errors
    /// `Invalid` for a bad key or step.
    pub fn metric(self, key: &str, value: f64, step: i64) -> Result<Self> {
        self.add(key, MetricPoint { step, time_micros: WHEN_LOGGED, value })
    }

    /// Adds a value of a metric at an instant.
    ///
    /// # Errors
    /// `Invalid` for a bad key, step or time.
    pub fn metric_at(self, key: &str, point: MetricPoint) -> Result<Self> {
        time::check_micros(point.time_micros)?;
        self.add(key, point)
    }

    fn add(mut self, key: &str, point: MetricPoint) -> Result<Self> {
        check_step(point.step)?;
        let key = Key::new(key)?;
        let known = self.points.keys.iter().position(|k| *k == key);
        let id = known.unwrap_or_else(|| {
            self.points.keys.push(key);
            self.points.keys.len() - 1
        });
        self.points.push(id as u32, point);
        Ok(self)
    }

    /// Adds a param.
    ///
    /// # Errors
    /// `Invalid` for a bad key.
    pub fn param(mut self, key: &str, value: impl ToString) -> Result<Self> {
        self.changes.params.insert(Key::new(key)?, value.to_string());
        Ok(self)
    }

    /// Sets a tag.
    ///
    /// # Errors
    /// `Invalid` for a bad key.
    pub fn tag(mut self, key: &str, value: impl Into<String>) -> Result<Self> {
        self.changes.tags.insert(Key::new(key)?, value.into());
        Ok(self)
    }
}

/// Stands for the instant at which a batch is logged; no instant that may be stored.
const WHEN_LOGGED: i64 = i64::MIN;

/// The reason why a run failed, on a failed run.
pub(crate) const FAILURE_TAG: &str = "mlops.failure";

fn failure(reason: Option<String>) -> Result<BTreeMap<Key, String>> {
    let mut tags = BTreeMap::new();
    if let Some(mut reason) = reason {
        reason.retain(|c| c != '\0');
        reason.truncate(reason.floor_char_boundary(mlops_core::tracking::MAX_VALUE_BYTES));
        tags.insert(Key::new(FAILURE_TAG)?, reason);
    }
    Ok(tags)
}
