//! Rows about moves between stages, and what was said about them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::RegistryState;
use super::row::Row;
use crate::registry::{
    Approval, GateOutcome, MoveCause, PromotionPlan, PromotionRequest, Stage, StageMove, Step,
    Verdict, VersionId, events, lineage,
};
use crate::tracking::Digest;
use crate::{ModelName, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Promoted {
    to: Stage,
    steps: Vec<Step>,
    gates: Vec<GateOutcome>,
    basis: Digest,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    policy: String,
    #[serde(default)]
    approvals: Vec<Approval>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    to: Stage,
    verdict: Verdict,
    basis: Digest,
    #[serde(default)]
    comment: String,
}

impl RegistryState {
    pub(super) fn promote(&mut self, row: &Row<'_>, rollback: bool) -> Result<()> {
        let version = row.version()?;
        let Promoted { to, steps, gates, basis, reason, policy, approvals } = row.payload()?;
        // What was carried out, as a plan again: so cause and edges are computed in one place.
        let plan = PromotionPlan {
            request: PromotionRequest { version, to, rollback, reason },
            at: row.at(),
            actor: row.0.actor.clone(),
            policy,
            gates,
            approvals,
            steps,
            facts: Vec::new(),
            basis,
        };
        self.possible(row, &plan)?;

        let name = &plan.request.version.model;
        // Versions that come to a stage at once stand there by their numbers.
        let arrivals: BTreeMap<u64, Stage> =
            plan.steps.iter().map(|step| (step.number, step.to)).collect();
        for step in &plan.steps {
            self.leave(name, step.number, step.from);
        }
        for (number, stage) in arrivals {
            self.enter(name, number, stage);
        }
        for step in &plan.steps {
            let id = VersionId::new(name.clone(), step.number);
            if let Some(version) = self.versions.get_mut(&id) {
                version.stage = step.to;
                version.updated = row.at();
            }
            self.moves.entry(name.clone()).or_default().push(stage_move(row, &plan, step));
        }
        if let Some(model) = self.models.get_mut(name) {
            model.updated = row.at();
        }
        let (gone, new) = lineage::of_promotion(&plan);
        for edge in gone {
            self.edges.remove(&edge);
        }
        self.edges.extend(new);
        self.use_up(&plan.request.version, to);
        Ok(())
    }

    pub(super) fn decide(&mut self, row: &Row<'_>) -> Result<()> {
        let version = row.version()?;
        let Decided { to, verdict, basis, comment } = row.payload()?;
        if !self.versions.contains_key(&version) {
            return Err(row.missing());
        }
        let (actor, at) = (row.0.actor.clone(), row.at());
        let place = (version.clone(), to);
        let words = self.approvals.entry(place.clone()).or_default();
        words.retain(|word| word.actor != actor);
        if verdict != Verdict::Withdraw {
            words.push(Approval { version, to, actor, verdict, basis, at, comment });
            words.sort_by(|a, b| (a.at, a.actor.as_str()).cmp(&(b.at, b.actor.as_str())));
        }
        if words.is_empty() {
            self.approvals.remove(&place);
        }
        Ok(())
    }

    /// An approval is of one move: once that is made it counts no more. A rejection stands.
    fn use_up(&mut self, version: &VersionId, to: Stage) {
        let place = (version.clone(), to);
        if let Some(words) = self.approvals.get_mut(&place) {
            words.retain(|word| word.verdict == Verdict::Reject);
            if words.is_empty() {
                self.approvals.remove(&place);
            }
        }
    }

    /// Puts a version at the end of a stage.
    pub(super) fn enter(&mut self, model: &ModelName, number: u64, stage: Stage) {
        if stage == Stage::None {
            self.unstaged.entry(model.clone()).or_default().push(number);
        } else if let Some(model) = self.models.get_mut(model) {
            model.stages.entry(stage).or_default().push(number);
        }
    }

    /// Takes a version out of a stage, and the list away if it was the last one in it.
    pub(super) fn leave(&mut self, model: &ModelName, number: u64, stage: Stage) {
        let others = |held: &mut Vec<u64>| {
            held.retain(|there| *there != number);
            !held.is_empty()
        };
        if stage == Stage::None {
            if self.unstaged.get_mut(model).is_some_and(|held| !others(held)) {
                self.unstaged.remove(model);
            }
        } else if let Some(model) = self.models.get_mut(model)
            && model.stages.get_mut(&stage).is_some_and(|held| !others(held))
        {
            model.stages.remove(&stage);
        }
    }

    /// Whether every version is where its step starts, and the last step is what was asked for.
    fn possible(&self, row: &Row<'_>, plan: &PromotionPlan) -> Result<()> {
        let VersionId { model, number } = &plan.request.version;
        if plan.steps.last().is_none_or(|own| own.number != *number || own.to != plan.request.to) {
            return Err(row.corrupt("the last step is not the one that was asked for"));
        }
        for (at, step) in plan.steps.iter().enumerate() {
            let id = VersionId::new(model.clone(), step.number);
            let twice = plan.steps[..at].iter().any(|before| before.number == step.number);
            if twice || self.versions.get(&id).is_none_or(|version| version.stage != step.from) {
                return Err(row
                    .corrupt("a version is not where its step starts")
                    .with("version", id)
                    .with("from", step.from));
            }
        }
        Ok(())
    }
}

/// What a step leaves in the history. Why and by which rules is said of all of them; what was judged
/// is the plan's own version.
fn stage_move(row: &Row<'_>, plan: &PromotionPlan, step: &Step) -> StageMove {
    let cause = events::cause(plan, step.number);
    let mut made = StageMove::new(row.0.sequence, plan.at, plan.actor.clone(), step, cause);
    made.reason.clone_from(&plan.request.reason);
    made.policy.clone_from(&plan.policy);
    if cause != MoveCause::Displaced {
        made.gates.clone_from(&plan.gates);
        made.approvals.clone_from(&plan.approvals);
    }
    made
}
