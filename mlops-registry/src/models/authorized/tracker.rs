//! Roles before a tracker: runs belong to no model, so a role on everything is asked for.

use std::sync::Arc;

use async_trait::async_trait;
use mlops_core::journal::Actor;
use mlops_core::registry::Role;
use mlops_core::tracking::{
    Artifact, Blob, BlobLocation, CreateExperiment, CreateRun, Digest, Experiment,
    ExperimentChanges, ExperimentQuery, Page, Purge, PurgePlan, PurgeReport, Run, RunChanges,
    RunQuery, StoredChunk, Tracker,
};
use mlops_core::{Capability, ExperimentId, ExperimentName, Key, Result, RunId, SpoolId};

use super::Authorized;

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Tracker for Authorized<dyn Tracker> {
    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    fn acting_as(&self, actor: Actor) -> Arc<dyn Tracker> {
        Arc::new(Self::tracker(&self.inner, Arc::clone(&self.rules), actor))
    }

    async fn create_experiment(
        &self,
        name: &ExperimentName,
        options: CreateExperiment,
    ) -> Result<Experiment> {
        self.demand("tracker.create_experiment", Role::Contributor, None).await?;
        self.inner.create_experiment(name, options).await
    }

    async fn update_experiment(
        &self,
        id: ExperimentId,
        changes: ExperimentChanges,
    ) -> Result<Experiment> {
        self.demand("tracker.update_experiment", Role::Contributor, None).await?;
        self.inner.update_experiment(id, changes).await
    }

    async fn search_experiments(&self, query: &ExperimentQuery) -> Result<Page<Experiment>> {
        self.demand("tracker.search_experiments", Role::Viewer, None).await?;
        self.inner.search_experiments(query).await
    }

    async fn create_run(&self, options: CreateRun) -> Result<Run> {
        self.demand("tracker.create_run", Role::Contributor, None).await?;
        self.inner.create_run(options).await
    }

    async fn update_run(&self, id: RunId, changes: RunChanges) -> Result<Vec<BlobLocation>> {
        self.demand("tracker.update_run", Role::Contributor, None).await?;
        self.inner.update_run(id, changes).await
    }

    async fn run(&self, id: RunId) -> Result<Run> {
        self.demand("tracker.run", Role::Viewer, None).await?;
        self.inner.run(id).await
    }

    async fn search_runs(&self, query: &RunQuery) -> Result<Page<Run>> {
        self.demand("tracker.search_runs", Role::Viewer, None).await?;
        self.inner.search_runs(query).await
    }

    async fn count_runs(&self, query: &RunQuery) -> Result<u64> {
        self.demand("tracker.count_runs", Role::Viewer, None).await?;
        self.inner.count_runs(query).await
    }

    async fn metric_chunks(&self, id: RunId, key: Option<&Key>) -> Result<Vec<StoredChunk>> {
        self.demand("tracker.metric_chunks", Role::Viewer, None).await?;
        self.inner.metric_chunks(id, key).await
    }

    async fn stored_points(&self, id: RunId, spool: SpoolId) -> Result<u64> {
        self.demand("tracker.stored_points", Role::Viewer, None).await?;
        self.inner.stored_points(id, spool).await
    }

    async fn artifacts(&self, id: RunId, prefix: &str) -> Result<Vec<Artifact>> {
        self.demand("tracker.artifacts", Role::Viewer, None).await?;
        self.inner.artifacts(id, prefix).await
    }

    async fn find_blob(&self, digest: Digest) -> Result<Option<Blob>> {
        // Who knows the digest has seen the manifest or the bytes, of whatever model.
        self.demand_any("tracker.find_blob").await?;
        self.inner.find_blob(digest).await
    }

    async fn plan_purge(&self, what: &Purge) -> Result<PurgePlan> {
        self.demand("tracker.plan_purge", Role::Viewer, None).await?;
        self.inner.plan_purge(what).await
    }

    async fn purge(&self, plan: &PurgePlan) -> Result<PurgeReport> {
        self.demand("tracker.purge", Role::Admin, None).await?;
        self.inner.purge(plan).await
    }
}
