//! A tracker that sins, and is honest in everything else.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mlops_core::journal::Actor;
use mlops_core::tracking::{
    Artifact, Blob, BlobLocation, CreateExperiment, CreateRun, Digest, Experiment,
    ExperimentChanges, ExperimentQuery, MAX_PAGE, MAX_VALUE_BYTES, Page, PageToken, Purge,
    PurgePlan, PurgeReport, Run, RunChanges, RunQuery, RunStatus, StoredChunk, Tracker, View,
};
use mlops_core::{
    Capability, Error, ErrorKind, ExperimentId, ExperimentName, Key, Result, RunId, SpoolId,
};

use super::Sin;

/// Where MLflow's older stores cut a param.
const CUT: usize = 6_000;

#[derive(Debug)]
pub(super) struct Sinner {
    sin: Sin,
    inner: Arc<dyn Tracker>,
    /// What [`Sin::ReadsStale`] answers from.
    cache: Mutex<HashMap<RunId, Run>>,
}

impl Sinner {
    pub(super) fn new(sin: Sin, inner: Arc<dyn Tracker>) -> Self {
        Self { sin, inner, cache: Mutex::default() }
    }

    fn forget_own(&self) {
        self.cache.lock().unwrap().clear();
    }

    /// What is wrong with a change before it is made.
    async fn spoil(&self, id: RunId, changes: &mut RunChanges) {
        match self.sin {
            Sin::LosesTheLastWrite => {
                let old = self.inner.run(id).await.map_or_else(|_| BTreeMap::new(), |run| run.tags);
                changes.tags.retain(|key, _| !old.contains_key(key));
            }
            Sin::IgnoresExpectations => changes.expect = None,
            Sin::CutsValues => {
                let long =
                    changes.params.values_mut().filter(|value| value.len() <= MAX_VALUE_BYTES);
                long.for_each(|value| value.truncate(CUT));
            }
            Sin::MakesNanZero => {
                for (_, summary) in
                    changes.metrics.iter_mut().flat_map(|chunk| &mut chunk.summaries)
                {
                    if summary.last.is_nan() {
                        summary.last = 0.0;
                    }
                }
            }
            Sin::StoresChunksTwice => {
                if let Some(chunk) = &mut changes.metrics {
                    let stored = self.inner.stored_points(id, chunk.origin.spool).await;
                    let end = chunk.origin.first.saturating_add(chunk.origin.count);
                    if stored.is_ok_and(|stored| end <= stored) {
                        let chunks =
                            self.inner.metric_chunks(id, None).await.map_or(0, |all| all.len());
                        chunk.origin.spool = SpoolId::from_bytes([chunks as u8 + 1; 16]);
                        chunk.origin.first = 0;
                    }
                }
            }
            _ => {}
        }
    }

    /// What is wrong with the way in which a refused change is left.
    async fn botch(
        &self,
        id: RunId,
        changes: RunChanges,
        error: Error,
    ) -> Result<Vec<BlobLocation>> {
        match self.sin {
            Sin::UpdatesByHalves if !changes.params.is_empty() => {
                let mut half = unchanged();
                half.tags = changes.tags;
                self.inner.update_run(id, half).await.ok();
            }
            Sin::SwallowsRewrittenParams if !changes.params.is_empty() => {
                let mut rest = changes;
                let old = self.inner.run(id).await?.params;
                rest.params.retain(|key, _| !old.contains_key(key));
                return self.inner.update_run(id, rest).await;
            }
            Sin::TakesLatePoints if changes.metrics.is_some() => {
                let ended = self.inner.run(id).await?.status;
                if matches!(ended, RunStatus::Finished | RunStatus::Failed | RunStatus::Killed) {
                    let to = |status| unchanged().with_status(status);
                    self.inner.update_run(id, to(RunStatus::Running)).await?;
                    let result = self.inner.update_run(id, changes).await;
                    self.inner.update_run(id, to(ended)).await?;
                    return result;
                }
            }
            _ => {}
        }
        Err(error)
    }

    /// A page that begins after so many rows of what the result is by now.
    async fn page_by_offset(&self, query: &RunQuery) -> Result<Page<Run>> {
        let mut honest = query.clone();
        let shown: usize = match &query.page {
            None => 0,
            Some(PageToken(text)) => match text.split_once('~') {
                None => return self.inner.search_runs(query).await,
                Some((shown, token)) => {
                    honest.page = Some(PageToken(token.to_owned()));
                    shown.parse().unwrap_or(0)
                }
            },
        };
        let page = self.inner.search_runs(&honest).await?;
        let token = honest.page.take().or(page.next);
        let all = self.inner.search_runs(&honest.with_limit(MAX_PAGE)).await?.items;
        let limit = query.page_limit()?;
        let more = all.len() > shown + limit;
        let next = token
            .filter(|_| more)
            .map(|PageToken(token)| PageToken(format!("{}~{token}", shown + limit)));
        Ok(Page { items: all.into_iter().skip(shown).take(limit).collect(), next })
    }
}

fn unchanged() -> RunChanges {
    RunChanges::default()
}

/// Reverses each row of runs that started at the same instant.
fn oldest_first(runs: &mut [Run]) {
    runs.chunk_by_mut(|a, b| a.started == b.started).for_each(<[Run]>::reverse);
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Tracker for Sinner {
    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    fn acting_as(&self, actor: Actor) -> Arc<dyn Tracker> {
        let inner = match self.sin {
            Sin::HidesTheActor => Arc::clone(&self.inner),
            _ => self.inner.acting_as(actor),
        };
        Arc::new(Self::new(self.sin, inner))
    }

    async fn create_experiment(
        &self,
        name: &ExperimentName,
        options: CreateExperiment,
    ) -> Result<Experiment> {
        self.inner.create_experiment(name, options).await
    }

    async fn update_experiment(
        &self,
        id: ExperimentId,
        changes: ExperimentChanges,
    ) -> Result<Experiment> {
        self.forget_own();
        let restored = changes.deleted == Some(false);
        let experiment = self.inner.update_experiment(id, changes).await?;
        if self.sin == Sin::RestoresTooMuch && restored {
            let trash = RunQuery::default().with_experiment(id).with_view(View::Deleted);
            for run in self.inner.search_runs(&trash).await?.items {
                self.inner.update_run(run.id, unchanged().with_deleted(false)).await?;
            }
        }
        Ok(experiment)
    }

    async fn search_experiments(&self, query: &ExperimentQuery) -> Result<Page<Experiment>> {
        match self.inner.search_experiments(query).await {
            Err(_) if self.sin == Sin::TakesForeignTokens && query.page.is_some() => {
                let mut first = query.clone();
                first.page = None;
                self.inner.search_experiments(&first).await
            }
            result => result,
        }
    }

    async fn create_run(&self, options: CreateRun) -> Result<Run> {
        if self.sin == Sin::StartsOnlyOnce && self.inner.run(options.id).await.is_ok() {
            return Err(Error::new(ErrorKind::AlreadyExists, "saboteur", "it was started before"));
        }
        self.inner.create_run(options).await
    }

    async fn update_run(&self, id: RunId, mut changes: RunChanges) -> Result<Vec<BlobLocation>> {
        self.forget_own();
        self.spoil(id, &mut changes).await;
        let offered: Vec<BlobLocation> = changes
            .artifacts
            .iter()
            .map(|entry| entry.blob.location.clone())
            .chain(changes.seal.iter().map(|seal| seal.blob.location.clone()))
            .collect();
        match self.inner.update_run(id, changes.clone()).await {
            Ok(mut unneeded) => {
                if self.sin == Sin::LeaksReplacedObjects {
                    unneeded.retain(|location| offered.contains(location));
                }
                Ok(unneeded)
            }
            Err(error) => self.botch(id, changes, error).await,
        }
    }

    async fn run(&self, id: RunId) -> Result<Run> {
        if self.sin != Sin::ReadsStale {
            return self.inner.run(id).await;
        }
        if let Some(run) = self.cache.lock().unwrap().get(&id) {
            return Ok(run.clone());
        }
        let run = self.inner.run(id).await?;
        self.cache.lock().unwrap().insert(id, run.clone());
        Ok(run)
    }

    async fn search_runs(&self, query: &RunQuery) -> Result<Page<Run>> {
        match self.sin {
            Sin::PagesByOffset => self.page_by_offset(query).await,
            Sin::IgnoresTheView if query.view == View::Deleted => {
                self.inner.search_runs(&query.clone().with_view(View::All)).await
            }
            Sin::BreaksTiesWrongly if query.limit == 0 && query.order_by.is_empty() => {
                let mut page = self.inner.search_runs(query).await?;
                oldest_first(&mut page.items);
                Ok(page)
            }
            Sin::TakesForeignTokens if query.page.is_some() => {
                match self.inner.search_runs(query).await {
                    Err(_) => {
                        let mut first = query.clone();
                        first.page = None;
                        self.inner.search_runs(&first).await
                    }
                    result => result,
                }
            }
            _ => self.inner.search_runs(query).await,
        }
    }

    async fn count_runs(&self, query: &RunQuery) -> Result<u64> {
        if self.sin == Sin::CountsThePage {
            return Ok(self.inner.search_runs(query).await?.items.len() as u64);
        }
        self.inner.count_runs(query).await
    }

    async fn metric_chunks(&self, id: RunId, key: Option<&Key>) -> Result<Vec<StoredChunk>> {
        self.inner.metric_chunks(id, key).await
    }

    async fn stored_points(&self, id: RunId, spool: SpoolId) -> Result<u64> {
        self.inner.stored_points(id, spool).await
    }

    async fn artifacts(&self, id: RunId, prefix: &str) -> Result<Vec<Artifact>> {
        if self.sin != Sin::ListsByLetters {
            return self.inner.artifacts(id, prefix).await;
        }
        let mut artifacts = self.inner.artifacts(id, "").await?;
        artifacts.retain(|artifact| artifact.path.starts_with(prefix));
        Ok(artifacts)
    }

    async fn find_blob(&self, digest: Digest) -> Result<Option<Blob>> {
        self.inner.find_blob(digest).await
    }

    async fn plan_purge(&self, what: &Purge) -> Result<PurgePlan> {
        self.inner.plan_purge(what).await
    }

    async fn purge(&self, plan: &PurgePlan) -> Result<PurgeReport> {
        self.forget_own();
        let mut theirs = Vec::new();
        for id in &plan.runs {
            theirs.extend(self.inner.artifacts(*id, "").await.unwrap_or_default());
        }
        let mut report = self.inner.purge(plan).await?;
        if self.sin == Sin::FreesSharedObjects {
            for artifact in theirs {
                if !report.freed.contains(&artifact.blob) {
                    report.freed.push(artifact.blob);
                }
            }
        }
        Ok(report)
    }
}
