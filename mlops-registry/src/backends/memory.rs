//! Everything in memory, gone with the process: for tests, and as the reference model.
//!
//! It is what the contracts of `mlops-core` mean, written down as plainly as possible: every other
//! backend is compared with it, operation by operation, by `mlops-testkit`. So it prefers the obvious
//! to the fast: one lock, a change is made on a copy that then takes the original's place (which is
//! all there is to atomicity), and searches walk and sort everything. The registry goes further: a
//! call only writes its row, and what is there is what the rows make
//! ([`RegistryState`](mlops_core::registry::RegistryState)).

mod catalog;
mod journal;
mod model_trash;
mod models;
mod promotion;
mod registry;
mod registry_search;
mod search;
mod state;
#[cfg(test)]
mod tests;
mod trash;
mod update;
mod versions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use mlops_core::journal::{Actor, Event, Journal, JournalProof};
use mlops_core::time::Clock;
use mlops_core::tracking::{
    Artifact, Blob, BlobLocation, CreateExperiment, CreateRun, Digest, Experiment,
    ExperimentChanges, ExperimentQuery, Page, Purge, PurgePlan, PurgeReport, Run, RunChanges,
    RunQuery, StoredChunk, Tracker, check,
};
use mlops_core::{Capability, ExperimentId, ExperimentName, Key, Result, RunId, SpoolId};

use self::state::{Author, State};

/// Tracker, registry, catalog, lineage and journal in memory. Clones share what is stored.
///
/// ```
/// # futures::executor::block_on(async {
/// use std::sync::Arc;
/// use mlops_core::journal::{Actor, Journal};
/// use mlops_core::time::ManualClock;
/// use mlops_core::tracking::{CreateRun, Tracker};
/// use mlops_core::RunId;
/// use mlops_registry::backends::memory::MemoryStore;
///
/// let clock = Arc::new(ManualClock::at_micros(1_000_000));
/// let tracker = MemoryStore::new(clock, Actor::new("ann@laptop")?);
/// let experiment = tracker.create_experiment(&"churn".parse()?, Default::default()).await?;
/// let run = tracker.create_run(CreateRun::new(RunId::generate(1_000_000), experiment.id)).await?;
/// assert_eq!(tracker.run(run.id).await?, run);
/// assert_eq!(tracker.events(0, 10).await?.len(), 2);
/// # Ok::<(), mlops_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    actor: Actor,
}

impl MemoryStore {
    /// An empty store that takes "now" from `clock`, for which the journal names `actor`.
    pub fn new(clock: Arc<dyn Clock>, actor: Actor) -> Self {
        Self { state: Arc::default(), clock, actor }
    }

    /// The state. No panic can leave it half changed, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn author(&self) -> Author {
        Author { actor: self.actor.clone(), now: self.clock.now() }
    }
}

#[async_trait]
impl Tracker for MemoryStore {
    fn capability(&self) -> Capability {
        Capability::default()
    }

    fn acting_as(&self, actor: Actor) -> Arc<dyn Tracker> {
        Arc::new(Self { actor, ..self.clone() })
    }

    async fn create_experiment(
        &self,
        name: &ExperimentName,
        options: CreateExperiment,
    ) -> Result<Experiment> {
        check::create_experiment(&options)?;
        self.lock().create_experiment(name, options, &self.author())
    }

    async fn update_experiment(
        &self,
        id: ExperimentId,
        changes: ExperimentChanges,
    ) -> Result<Experiment> {
        check::experiment_changes(&changes)?;
        self.lock().update_experiment(id, changes, &self.author())
    }

    async fn search_experiments(&self, query: &ExperimentQuery) -> Result<Page<Experiment>> {
        self.lock().search_experiments(query)
    }

    async fn create_run(&self, options: CreateRun) -> Result<Run> {
        check::create_run(&options)?;
        self.lock().create_run(options, &self.author())
    }

    async fn update_run(&self, id: RunId, changes: RunChanges) -> Result<Vec<BlobLocation>> {
        check::run_changes(&changes)?;
        self.lock().update_run(id, changes, &self.author())
    }

    async fn run(&self, id: RunId) -> Result<Run> {
        Ok(self.lock().run(id, "tracker.run")?.record.clone())
    }

    async fn search_runs(&self, query: &RunQuery) -> Result<Page<Run>> {
        self.lock().search_runs(query)
    }

    async fn count_runs(&self, query: &RunQuery) -> Result<u64> {
        Ok(self.lock().matching(query).count() as u64)
    }

    async fn metric_chunks(&self, id: RunId, key: Option<&Key>) -> Result<Vec<StoredChunk>> {
        let state = self.lock();
        let chunks = state.run(id, "tracker.metric_chunks")?.chunks.iter();
        Ok(chunks
            .filter(|chunk| key.is_none_or(|key| chunk.keys.contains(key)))
            .map(|chunk| chunk.stored.clone())
            .collect())
    }

    async fn stored_points(&self, id: RunId, spool: SpoolId) -> Result<u64> {
        let state = self.lock();
        Ok(state.run(id, "tracker.stored_points")?.spools.get(&spool).copied().unwrap_or(0))
    }

    async fn artifacts(&self, id: RunId, prefix: &str) -> Result<Vec<Artifact>> {
        let state = self.lock();
        let artifacts = state.run(id, "tracker.artifacts")?.artifacts.values();
        Ok(artifacts.filter(|artifact| artifact.path.is_under(prefix)).cloned().collect())
    }

    async fn find_blob(&self, digest: Digest) -> Result<Option<Blob>> {
        Ok(self.lock().find_blob(digest))
    }

    async fn plan_purge(&self, what: &Purge) -> Result<PurgePlan> {
        self.lock().plan_purge(what)
    }

    async fn purge(&self, plan: &PurgePlan) -> Result<PurgeReport> {
        self.lock().purge(plan, &self.author())
    }
}

#[async_trait]
impl Journal for MemoryStore {
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>> {
        Ok(self.lock().journal.events(after, limit))
    }

    async fn last(&self) -> Result<u64> {
        Ok(self.lock().journal.last())
    }

    async fn position(&self, reader: &Key) -> Result<u64> {
        Ok(self.lock().journal.position(reader))
    }

    async fn advance(&self, reader: &Key, from: u64, to: u64) -> Result<()> {
        self.lock().journal.advance(reader, from, to)
    }

    async fn seal(&self) -> Result<JournalProof> {
        self.lock().journal.seal()
    }

    async fn verify(&self) -> Result<JournalProof> {
        self.lock().journal.verify()
    }
}
