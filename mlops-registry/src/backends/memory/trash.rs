//! Taking away for ever what is in the trash.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::lineage::Node;
use mlops_core::time::Instant;
use mlops_core::tracking::{Purge, PurgePlan, PurgeReport, events};
use mlops_core::{Error, ErrorKind, ExperimentId, Result, RunId};

use super::state::{Author, State};

impl State {
    pub(super) fn plan_purge(&self, what: &Purge) -> Result<PurgePlan> {
        let operation = "tracker.plan_purge";
        let mut experiments = BTreeSet::new();
        let mut runs = BTreeSet::new();
        match what {
            Purge::DeletedBefore(instant) => {
                let before = |deleted: Option<Instant>| deleted.is_some_and(|at| at < *instant);
                let old = self.experiments.values().filter(|e| before(e.record.deleted));
                experiments.extend(old.map(|experiment| experiment.record.id));
                let old = self.runs.values().filter(|run| before(run.record.deleted));
                runs.extend(old.map(|run| run.record.id));
            }
            Purge::Runs(ids) => {
                for id in ids {
                    in_trash(
                        self.run(*id, operation)?.record.deleted,
                        operation,
                        &Node::from(*id),
                    )?;
                    runs.insert(*id);
                }
            }
            Purge::Experiments(ids) => {
                for id in ids {
                    in_trash(
                        self.experiment(*id, operation)?.deleted,
                        operation,
                        &Node::from(*id),
                    )?;
                    experiments.insert(*id);
                }
            }
            _ => {
                return Err(Error::new(ErrorKind::Unsupported, operation, "unknown kind of purge"));
            }
        }
        let theirs = self.runs.values().filter(|r| experiments.contains(&r.record.experiment));
        runs.extend(theirs.map(|run| run.record.id));

        let artifacts = || runs.iter().flat_map(|id| self.runs[id].artifacts.values());
        Ok(PurgePlan {
            artifacts: artifacts().count() as u64,
            artifact_bytes: artifacts().map(|artifact| artifact.blob.size).sum(),
            experiments: experiments.into_iter().collect(),
            runs: runs.into_iter().collect(),
        })
    }

    pub(super) fn purge(&mut self, plan: &PurgePlan, author: &Author) -> Result<PurgeReport> {
        let conflict =
            |message: &'static str| Error::new(ErrorKind::Conflict, "tracker.purge", message);
        let runs: BTreeSet<RunId> =
            plan.runs.iter().copied().filter(|id| self.runs.contains_key(id)).collect();
        let experiments: BTreeSet<ExperimentId> = plan
            .experiments
            .iter()
            .copied()
            .filter(|id| self.experiments.contains_key(id))
            .collect();
        for (id, run) in &self.runs {
            let taken = runs.contains(id);
            if taken && run.record.deleted.is_none() {
                return Err(conflict("a run is no longer in the trash").with("run", id));
            }
            if !taken && experiments.contains(&run.record.experiment) {
                return Err(conflict("an experiment has a run that the plan does not name")
                    .with("run", id)
                    .with_hint("make a new plan"));
            }
        }
        for id in &experiments {
            if self.experiments[id].record.deleted.is_none() {
                return Err(
                    conflict("an experiment is no longer in the trash").with("experiment", id)
                );
            }
        }

        let mut freed = BTreeMap::new();
        for id in &runs {
            let Some(run) = self.runs.remove(id) else {
                continue;
            };
            freed.extend(run.blobs().map(|blob| (blob.location.clone(), blob.clone())));
            self.write(author, events::RUN_PURGE, *id, events::run_purge(&run.record))?;
        }
        for id in &experiments {
            let Some(experiment) = self.experiments.remove(id) else {
                continue;
            };
            let payload = events::experiment_purge(&experiment.record);
            self.write(author, events::EXPERIMENT_PURGE, *id, payload)?;
        }
        freed.retain(|location, _| !self.names(location));
        Ok(PurgeReport {
            experiments: experiments.len() as u64,
            runs: runs.len() as u64,
            freed: freed.into_values().collect(),
        })
    }
}

pub(super) fn in_trash(
    deleted: Option<Instant>,
    operation: &'static str,
    node: &Node,
) -> Result<()> {
    match deleted {
        Some(_) => Ok(()),
        None => Err(Error::invalid(operation, "is not in the trash")
            .with("node", node)
            .with_hint("delete it first")),
    }
}
