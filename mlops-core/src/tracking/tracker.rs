//! The contract of a tracking backend.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::changes::RunChanges;
use super::experiment::{CreateExperiment, Experiment, ExperimentChanges};
use super::metric::StoredChunk;
use super::query::{ExperimentQuery, Page, RunQuery};
use super::run::{Artifact, Blob, BlobLocation, CreateRun, Digest, Run};
use crate::journal::Actor;
use crate::time::Instant;
use crate::{Capability, ExperimentId, ExperimentName, Key, Result, RunId, SpoolId};

/// Stores experiments, runs and metric chunks; answers searches.
///
/// # Contract
/// **Atomicity.** Each call happens as a whole or not at all, also when the process is killed.
/// **Durability.** What returned `Ok` survives power loss, where [`Capability::durable`] says so.
/// **Ordering.** A call sees every call that returned before it began, in any process.
/// **Journal.** Each change writes its journal row in the same transaction; a call that changes
/// nothing writes none.
/// **Missing.** A run or experiment that does not exist is `NotFound`; an optional part that does not
/// exist (a label to remove) is ignored.
/// **Invalid.** What [`check`](super::check) refuses, before anything is looked up. Of two faults
/// the one is reported that `check` names first.
/// **Time.** Instants are kept to the microsecond.
#[async_trait]
pub trait Tracker: Debug + Send + Sync + 'static {
    /// What this backend can do beyond the contract.
    fn capability(&self) -> Capability;

    /// The same backend, for which the journal names `actor` as the one who did it.
    fn acting_as(&self, actor: Actor) -> Arc<dyn Tracker>;

    /// Makes an experiment.
    ///
    /// # Contract
    /// **Conflict.** A live experiment of that name makes it `AlreadyExists`; a deleted one does not
    /// block the name. **Idempotence.** With an id, repeating the call returns the same experiment,
    /// as it is by now: renamed, or in the trash.
    async fn create_experiment(
        &self,
        name: &ExperimentName,
        options: CreateExperiment,
    ) -> Result<Experiment>;

    /// Changes an experiment and returns it.
    ///
    /// # Contract
    /// **Conflict.** A name that another live experiment has is `AlreadyExists`, also when restoring.
    /// **Trash.** Deleting takes the live runs along; restoring brings exactly those back: all get
    /// one instant, now or else just after the last of its runs that was in the trash before.
    /// **Invalid.** Any other change of an experiment in the trash, unless it is restored at once.
    async fn update_experiment(
        &self,
        id: ExperimentId,
        changes: ExperimentChanges,
    ) -> Result<Experiment>;

    /// A page of the experiments that match, by name, then id.
    ///
    /// # Contract
    /// **Pages.** As [`Tracker::search_runs`]. **Missing.** What only runs have is unknown.
    async fn search_experiments(&self, query: &ExperimentQuery) -> Result<Page<Experiment>>;

    /// Starts a run and returns it.
    ///
    /// # Contract
    /// **Idempotence.** If a run of this id exists in this experiment it is returned unchanged.
    /// **Conflict.** If it exists in another experiment, it is `AlreadyExists`.
    /// **Missing.** An unknown experiment or parent is `NotFound`; a deleted experiment is `Invalid`.
    /// A parent may lie in another experiment or in the trash, and is named still when it is purged.
    async fn create_run(&self, options: CreateRun) -> Result<Run>;

    /// Makes one atomic change. Returns the locations that the change offered, or took a name from,
    /// and that nobody names after it; the caller deletes them.
    ///
    /// # Contract
    /// **Conflict.** What [`RunChanges::expect`] demands is not so; a status that the run's own
    /// cannot [become](super::check::transition); a chunk that is neither stored already nor the next
    /// of its spool; a seal of chunks that are gone.
    /// **Idempotence.** A chunk whose points are stored already changes nothing, also when the run
    /// has ended; so do a param, a label, an input, a file and a status that are so already.
    /// **Invalid.** A param with another value; points for a run that has ended; a path that would be
    /// a file and a directory; a seal of another number of points than its chunks have, or that
    /// leaves out a chunk between them; anything but restoring on a run in the trash; restoring it
    /// into an experiment in the trash.
    /// **Blobs.** An offered blob whose digest was named before the change, or offered earlier in it
    /// (files first, then the seal), is not named itself: the known object is.
    /// **Life.** As [`Life::after`](super::check::Life::after).
    async fn update_run(&self, id: RunId, changes: RunChanges) -> Result<Vec<BlobLocation>>;

    /// One run, also from the trash, with all that hangs on it; inputs by name, digest and context.
    /// A summary's −0 may come back as 0; every other value is the same to the last bit.
    async fn run(&self, id: RunId) -> Result<Run>;

    /// A page of the runs that match, in order.
    ///
    /// # Contract
    /// **Pages.** Following [`Page::next`] returns each run that matches throughout and whose order
    /// values do not change exactly once, whatever others write meanwhile; runs made after the first
    /// page are not returned. The size of the page may change on the way.
    /// **Ordering.** As [`filter::compare`](crate::filter::compare) says, then the latest start first,
    /// then the greatest id first. **Missing.** An unknown experiment has no runs.
    /// **Invalid.** A token of another query, or one that is not a token; a limit above
    /// [`MAX_PAGE`](super::MAX_PAGE).
    async fn search_runs(&self, query: &RunQuery) -> Result<Page<Run>>;

    /// How many runs match; limit, order and page are ignored. Loads no run.
    async fn count_runs(&self, query: &RunQuery) -> Result<u64>;

    /// The chunks that may hold points of `key` (of all keys if `None`), in the order written; a
    /// sealed object stands where the first chunk that it replaced stood, under a fresh id.
    async fn metric_chunks(&self, id: RunId, key: Option<&Key>) -> Result<Vec<StoredChunk>>;

    /// How many points of this spool are stored, sealed ones included; 0 for an unknown spool.
    async fn stored_points(&self, id: RunId, spool: SpoolId) -> Result<u64>;

    /// The artifacts of a run whose path is `prefix` or lies under it, by the bytes of their path.
    async fn artifacts(&self, id: RunId, prefix: &str) -> Result<Vec<Artifact>>;

    /// The object of this digest that something names, if any.
    async fn find_blob(&self, digest: Digest) -> Result<Option<Blob>>;

    /// What a purge would take away, by id. Changes nothing.
    ///
    /// # Contract
    /// **Missing.** A named run or experiment that does not exist is `NotFound`.
    /// **Invalid.** A named run or experiment that is not in the trash.
    async fn plan_purge(&self, what: &Purge) -> Result<PurgePlan>;

    /// Takes away what the plan names, for ever, and returns the objects that nobody names any more;
    /// the caller deletes them.
    ///
    /// # Contract
    /// **Conflict.** A run or experiment of the plan is no longer in the trash, or an experiment has
    /// a run that the plan does not name; nothing is taken away.
    /// **Idempotence.** What is gone already is skipped. The journal keeps its rows, and gets one for
    /// each run, by id, then one for each experiment.
    /// **Blobs.** What another run names is not freed.
    async fn purge(&self, plan: &PurgePlan) -> Result<PurgeReport>;
}

/// Which part of the trash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Purge {
    /// Everything that was deleted before this instant, and not at it.
    DeletedBefore(Instant),
    /// These runs; each must be in the trash.
    Runs(Vec<RunId>),
    /// These experiments, with their runs; each must be in the trash.
    Experiments(Vec<ExperimentId>),
}

/// What a purge would take away.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PurgePlan {
    /// Experiments; all their runs are in [`PurgePlan::runs`].
    pub experiments: Vec<ExperimentId>,
    /// Runs.
    pub runs: Vec<RunId>,
    /// How many artifacts they have.
    pub artifacts: u64,
    /// How many bytes these are, before what others share is counted out.
    pub artifact_bytes: u64,
}

/// What a purge took away.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PurgeReport {
    /// How many experiments.
    pub experiments: u64,
    /// How many runs.
    pub runs: u64,
    /// The objects that nobody names any more.
    pub freed: Vec<Blob>,
}
