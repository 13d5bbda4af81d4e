//! [`Tracking`]: a metadata backend, a blob store and a spool directory, wired together.
//!
//! The backend keeps rows, the blob store keeps bytes; this is where a call needs both: artifacts,
//! metric histories, purging. It holds no state of its own, so any number of them may look at the
//! same store.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mlops_core::filter::{Attribute, Comparison, Field, Filter, Literal};
use mlops_core::journal::{Actor, Journal};
use mlops_core::time::Clock;
use mlops_core::tracking::{
    Artifact, Blob, CreateExperiment, Expect, Experiment, ExperimentQuery, HistoryQuery,
    MetricHistory, Purge, PurgePlan, PurgeReport, Run, RunChanges, RunQuery, RunStatus, Tracker,
    View,
};
use mlops_core::{ArtifactPath, Error, ErrorKind, ExperimentName, Key, Result, RunId, time};

use crate::active::RunBuilder;
use crate::active::seal::delete_if_refused;
use crate::backends::memory::MemoryStore;
use crate::blobs::{BlobReader, BlobSource, Blobs, DownloadBlob, Progress, PutBlob};
use crate::history;
use crate::spool::io_error;

/// How runs buffer and store their points.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrackingOptions {
    /// How many points a spool holds at most; a full one makes the caller wait.
    pub spool_points: usize,
    /// A point is stored, and seen by others, at most this long after it was logged.
    pub flush_every: Duration,
    /// A run whose writer was not heard of for so long may be called lost by another machine.
    pub lease: Duration,
    /// How long a full spool may make the caller wait before that is an error.
    pub patience: Duration,
}

impl Default for TrackingOptions {
    /// 262,144 points (8 MiB), 5 s, 60 s, 60 s.
    fn default() -> Self {
        Self {
            spool_points: 262_144,
            flush_every: Duration::from_secs(5),
            lease: Duration::from_mins(1),
            patience: Duration::from_mins(1),
        }
    }
}

impl TrackingOptions {
    /// Sets [`TrackingOptions::spool_points`]; at least 32 are taken.
    pub fn with_spool_points(mut self, points: usize) -> Self {
        self.spool_points = points;
        self
    }

    /// Sets [`TrackingOptions::flush_every`].
    pub fn with_flush_every(mut self, every: Duration) -> Self {
        self.flush_every = every;
        self
    }

    /// Sets [`TrackingOptions::lease`].
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets [`TrackingOptions::patience`].
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// Experiments, runs, metrics and artifacts of one store. Clones are cheap and share it.
///
/// ```
/// # futures::executor::block_on(async {
/// use mlops_registry::Tracking;
///
/// let tracking = Tracking::in_memory()?;
/// let run = tracking.run("churn")?.name("baseline")?.param("lr", 0.1)?.start().await?;
/// for step in 0..100 {
///     run.log_metric("loss", 1.0 / f64::from(step + 1), step.into())?;
/// }
/// run.log_artifact("notes/readme.md", b"as planned".to_vec()).await?;
/// run.finish().await?;
///
/// let best = tracking.search("metrics.loss < 0.5", &["metrics.loss"]).await?;
/// assert_eq!(best[0].metrics["loss"].last, 0.01);
/// # Ok::<_, mlops_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Tracking(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) tracker: Arc<dyn Tracker>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) blobs: Blobs,
    pub(crate) spools: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: TrackingOptions,
    /// Removes the spool directory of a store in memory when the last handle is gone.
    temporary: Option<Arc<tempfile::TempDir>>,
}

impl fmt::Debug for Tracking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracking")
            .field("tracker", &self.0.tracker)
            .field("spools", &self.0.spools)
            .finish_non_exhaustive()
    }
}

impl Tracking {
    /// Wires the parts together. `spools` is a local directory that is made if it is not there; each
    /// machine has its own, processes of one machine share it.
    ///
    /// # Errors
    /// `Denied` or `Unavailable` if the directory cannot be made.
    pub fn new(
        tracker: Arc<dyn Tracker>,
        journal: Arc<dyn Journal>,
        blobs: Blobs,
        spools: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
        options: TrackingOptions,
    ) -> Result<Self> {
        let spools = spools.into();
        std::fs::create_dir_all(&spools)
            .map_err(|e| io_error("cannot make the spool directory", &spools, e))?;
        let parts = Parts { tracker, journal, blobs, spools, clock, options, temporary: None };
        Ok(Self(Arc::new(parts)))
    }

    /// A store that is gone with its last handle; for tests and trials.
    ///
    /// # Errors
    /// `Unavailable` if no temporary directory can be made for the spools.
    pub fn in_memory() -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(time::SystemClock);
        let memory = MemoryStore::new(Arc::clone(&clock), Actor::new("in-memory")?);
        Self::over_memory(&memory, clock)
    }

    /// Tracking over a store in memory that others use too.
    pub(crate) fn over_memory(memory: &MemoryStore, clock: Arc<dyn Clock>) -> Result<Self> {
        let temporary = tempfile::tempdir().map_err(|e| {
            Error::unavailable("tracking", "cannot make a temporary directory").with_source(e)
        })?;
        Ok(Self(Arc::new(Parts {
            tracker: Arc::new(memory.clone()),
            journal: Arc::new(memory.clone()),
            blobs: Blobs::new(Arc::new(object_store::memory::InMemory::new())),
            spools: temporary.path().to_owned(),
            clock,
            options: TrackingOptions::default(),
            temporary: Some(Arc::new(temporary)),
        })))
    }

    /// The same store, for which the journal names `actor` as the one who did it.
    pub fn acting_as(&self, actor: Actor) -> Self {
        self.with_tracker(self.0.tracker.acting_as(actor))
    }

    /// The same store behind another tracker: one that acts for somebody else, or asks for roles.
    pub(crate) fn with_tracker(&self, tracker: Arc<dyn Tracker>) -> Self {
        let Parts { journal, blobs, spools, clock, options, temporary, .. } = &*self.0;
        Self(Arc::new(Parts {
            tracker,
            journal: Arc::clone(journal),
            blobs: blobs.clone(),
            spools: spools.clone(),
            clock: Arc::clone(clock),
            options: options.clone(),
            temporary: temporary.clone(),
        }))
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    /// The metadata backend.
    pub fn tracker(&self) -> &Arc<dyn Tracker> {
        &self.0.tracker
    }

    /// The journal of the metadata backend.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.0.journal
    }

    /// The store of immutable bytes.
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// A run of the named experiment, to be described and started; the experiment is made if there
    /// is none of that name.
    ///
    /// # Errors
    /// `Invalid` if the name is none.
    pub fn run(&self, experiment: &str) -> Result<RunBuilder> {
        Ok(RunBuilder::new(self.clone(), ExperimentName::new(experiment)?))
    }

    /// The live experiment of this name, if there is one.
    pub async fn find_experiment(&self, name: &ExperimentName) -> Result<Option<Experiment>> {
        let named = Filter::Term(
            Field::Attribute(Attribute::Name),
            Comparison::Eq(Literal::Text(name.to_string())),
        );
        let query = ExperimentQuery::new(named).with_limit(1);
        Ok(self.0.tracker.search_experiments(&query).await?.items.pop())
    }

    /// The live experiment of this name; made if there is none.
    pub async fn experiment(&self, name: &ExperimentName) -> Result<Experiment> {
        loop {
            if let Some(found) = self.find_experiment(name).await? {
                return Ok(found);
            }
            match self.0.tracker.create_experiment(name, CreateExperiment::default()).await {
                // Somebody else made it at the same instant.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
    }

    /// All runs that match, in order; for pages and other views use [`Tracker::search_runs`].
    ///
    /// # Errors
    /// `Invalid` with the position of what is wrong in the filter or the order.
    pub async fn search(&self, filter: &str, order_by: &[&str]) -> Result<Vec<Run>> {
        self.search_all(RunQuery::parse(filter, order_by)?).await
    }

    /// All pages of a query.
    pub async fn search_all(&self, mut query: RunQuery) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        loop {
            let page = self.0.tracker.search_runs(&query).await?;
            runs.extend(page.items);
            match page.next {
                None => return Ok(runs),
                next => query.page = next,
            }
        }
    }

    /// The points of one metric, by step; points of one step in the order in which they were written.
    ///
    /// What a living run has buffered is seen after its next flush.
    ///
    /// # Errors
    /// `NotFound` if the run does not exist; a metric that was never written has an empty history.
    pub async fn metric_history(
        &self,
        run: RunId,
        key: &Key,
        query: &HistoryQuery,
    ) -> Result<MetricHistory> {
        history::read(&self.0, run, key, query).await
    }

    /// Puts a file into a run.
    ///
    /// The bytes are durable before the run names them. A file of the same path is replaced. Equal
    /// bytes are stored once.
    pub async fn put_artifact(
        &self,
        run: RunId,
        path: &ArtifactPath,
        source: impl Into<BlobSource>,
        progress: Option<Progress>,
    ) -> Result<Artifact> {
        let Parts { tracker, blobs, .. } = &*self.0;
        let prepared = blobs.prepare(source).await?;
        let offer = |blob: Blob, uploaded: bool| {
            let changes = RunChanges::default();
            if uploaded {
                changes.with_artifact(path.clone(), blob)
            } else {
                changes.with_known_artifact(path.clone(), blob)
            }
        };
        let mut unnamed = None;
        if let Some(known) = tracker.find_blob(prepared.digest()).await? {
            match tracker.update_run(run, offer(known, false)).await {
                Ok(locations) => unnamed = Some(locations),
                // A purge let go of it between our look and our change.
                Err(e) if e.kind() == ErrorKind::Conflict => {}
                Err(e) => return Err(e),
            }
        }
        let unnamed = if let Some(unnamed) = unnamed {
            unnamed
        } else {
            let options = progress.map_or_else(PutBlob::default, |progress| {
                PutBlob::default().with_progress(progress)
            });
            let blob = blobs.upload(&prepared, options).await?;
            let location = blob.location.clone();
            match tracker.update_run(run, offer(blob, true)).await {
                Ok(unnamed) => unnamed,
                Err(e) => {
                    delete_if_refused(&self.0, &location, &e).await;
                    return Err(e);
                }
            }
        };
        blobs.delete_all(&unnamed).await?;
        self.artifact(run, path).await
    }

    /// Puts a local directory into a run, file by file, under `prefix` (which may be empty).
    ///
    /// # Errors
    /// `Invalid` if a name in it cannot be an artifact path, or a link leads out of it.
    pub async fn put_artifacts(
        &self,
        run: RunId,
        directory: &Path,
        prefix: &str,
        progress: Option<Progress>,
    ) -> Result<Vec<Artifact>> {
        let mut done = Vec::new();
        for (path, file) in crate::artifacts::files_of(directory, prefix)? {
            done.push(self.put_artifact(run, &path, file, progress.clone()).await?);
        }
        Ok(done)
    }

    /// One file of a run.
    ///
    /// # Errors
    /// `NotFound` if the run has no such file.
    pub async fn artifact(&self, run: RunId, path: &ArtifactPath) -> Result<Artifact> {
        let found = self.0.tracker.artifacts(run, path).await?;
        found.into_iter().find(|artifact| artifact.path == *path).ok_or_else(|| {
            Error::not_found("tracking.artifact", "the run has no artifact of this path")
                .with("run", run)
                .with("path", path)
        })
    }

    /// A stream of a file's bytes; its last piece comes only after the digest was found right.
    pub async fn get_artifact(&self, run: RunId, path: &ArtifactPath) -> Result<BlobReader> {
        let artifact = self.artifact(run, path).await?;
        self.0.blobs.get(&artifact.blob).await
    }

    /// Writes the files of a run whose path is `prefix` or lies under it into a local directory, each
    /// verified before it gets its name. Returns where they are.
    ///
    /// # Errors
    /// `AlreadyExists` if a file is there already and the options do not allow overwriting; `NotFound` if the run has no such file.
    pub async fn download_artifacts(
        &self,
        run: RunId,
        prefix: &str,
        directory: &Path,
        options: &DownloadBlob,
    ) -> Result<Vec<PathBuf>> {
        let found = self.0.tracker.artifacts(run, prefix).await?;
        if found.is_empty() {
            return Err(Error::not_found(
                "tracking.download_artifacts",
                "the run has no such artifact",
            )
            .with("run", run)
            .with("path", prefix));
        }
        let mut written = Vec::new();
        for artifact in found {
            let path = directory.join(artifact.path.as_str());
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)
                    .map_err(|e| io_error("cannot make the directory", parent, e))?;
            }
            self.0.blobs.download(&artifact.blob, &path, options.clone()).await?;
            written.push(path);
        }
        Ok(written)
    }

    /// Takes away for ever what the plan names, with the bytes that nobody else names.
    pub async fn purge(&self, plan: &PurgePlan) -> Result<PurgeReport> {
        let report = self.0.tracker.purge(plan).await?;
        for blob in &report.freed {
            self.0.blobs.delete(&blob.location).await?;
        }
        Ok(report)
    }

    /// What a rule would move to the trash and what it would take away for ever. Changes nothing.
    pub async fn plan_retention(&self, rule: &Retention) -> Result<RetentionPlan> {
        let now = self.0.clock.now();
        let ended = Filter::Not(Box::new(Filter::Term(
            Field::Attribute(Attribute::Status),
            Comparison::Eq(Literal::Text("running".into())),
        )));
        let mut query = RunQuery::default();
        query.filter = rule.filter.clone().and(ended);
        let mut delete = Vec::new();
        let mut seen: HashMap<_, usize> = HashMap::new();
        // The youngest come first, so the first of each experiment are the ones to keep.
        for run in self.search_all(query).await? {
            let seen = seen.entry(run.experiment).or_default();
            *seen += 1;
            let old = run.ended.is_some_and(|ended| now - ended >= rule.older_than);
            if *seen > rule.keep_last && old {
                delete.push(run.id);
            }
        }
        let purge = match rule.purge_after {
            None => PurgePlan::default(),
            Some(after) => {
                // Longer ago than there is time means: nothing.
                let start = time::from_micros_lossy(time::MIN_MICROS);
                let before = now.checked_sub_signed(after).unwrap_or(start).max(start);
                self.0.tracker.plan_purge(&Purge::DeletedBefore(before)).await?
            }
        };
        Ok(RetentionPlan { delete, purge })
    }

    /// Carries out a plan. A run that was resumed, deleted or purged since the plan was made is left
    /// as it is.
    pub async fn apply_retention(&self, plan: &RetentionPlan) -> Result<PurgeReport> {
        for id in &plan.delete {
            let run = match self.0.tracker.run(*id).await {
                Ok(run) if run.status != RunStatus::Running && run.deleted.is_none() => run,
                Ok(_) => continue,
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            let changes =
                RunChanges::default().expecting(Expect::Status(run.status)).with_deleted(true);
            match self.0.tracker.update_run(*id, changes).await {
                Err(e) if !matches!(e.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
                    return Err(e);
                }
                _ => {}
            }
        }
        self.purge(&plan.purge).await
    }

    /// The runs of the trash.
    pub async fn trash(&self) -> Result<Vec<Run>> {
        self.search_all(RunQuery::default().with_view(View::Deleted)).await
    }
}

/// Which runs are kept, as data.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Retention {
    /// Only runs that match are touched.
    pub filter: Filter,
    /// So many of the youngest matching runs of each experiment stay.
    pub keep_last: usize,
    /// Runs that ended less than this ago stay.
    pub older_than: chrono::Duration,
    /// What is in the trash for so long is taken away for ever; never, if absent.
    pub purge_after: Option<chrono::Duration>,
}

impl Retention {
    /// Keeps the `keep_last` youngest runs of each experiment and what ended less than `older_than`
    /// ago; moves the rest to the trash.
    pub fn new(keep_last: usize, older_than: chrono::Duration) -> Self {
        Self { filter: Filter::All, keep_last, older_than, purge_after: None }
    }

    /// Touches only runs that match.
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Takes away for ever what is in the trash for so long.
    pub fn with_purge_after(mut self, after: chrono::Duration) -> Self {
        self.purge_after = Some(after);
        self
    }
}

/// What a [`Retention`] rule would do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RetentionPlan {
    /// Runs that go to the trash.
    pub delete: Vec<RunId>,
    /// What is taken away for ever.
    pub purge: PurgePlan,
}
