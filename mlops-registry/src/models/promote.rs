//! Stages: plan, look, apply; and the way back.
//!
//! The judgement is [`PromotionPlan::evaluate`], a pure function of `mlops-core`; the backend judges
//! once more within its transaction. What is decided here is where a rollback leads. It is an undo: a
//! version that was rolled back *from* is not gone back to by the next rollback, although it was the
//! last to hold the stage, since whoever asks twice wants to get further away from a mistake and not
//! back into it.

use mlops_core::registry::{
    Approval, ModelVersion, PromotionPlan, PromotionRequest, Stage, StageMove, Verdict, VersionId,
};
use mlops_core::time::Instant;
use mlops_core::{Error, ErrorKind, ModelName, Result};

use super::engine::{Models, overtaken};
use super::signing::verify_attestation;

/// How often a rollback is planned anew if others change the same stage meanwhile.
const ATTEMPTS: usize = 5;

impl Models {
    /// Judges whether a version may move into a stage. Changes nothing; print it, have it approved,
    /// apply it.
    ///
    /// # Errors
    /// `NotFound` for a version that is not there; `Invalid` if it is in the stage already; `Corrupt` if
    /// it has a signature that is not right.
    pub async fn promotion_plan(
        &self,
        uri: &str,
        to: Stage,
        reason: &str,
    ) -> Result<PromotionPlan> {
        let id = self.resolve(uri).await?;
        self.judge(PromotionRequest::new(id, to).with_reason(reason)).await
    }

    async fn judge(&self, request: PromotionRequest) -> Result<PromotionPlan> {
        let state = self.registry().promotion_state(&request).await?;
        check_attestations(&state.version)?;
        PromotionPlan::evaluate(&state, request, self.actor(), self.now())
    }

    /// Carries out a plan, and returns it as it was carried out.
    ///
    /// # Errors
    /// `Conflict` naming what the plan relied on and is no longer so; `Denied` naming each condition
    /// that fails; `Corrupt` if the version has a signature that is not right.
    pub async fn apply(&self, plan: &PromotionPlan) -> Result<PromotionPlan> {
        check_attestations(&self.registry().version(&plan.request.version).await?)?;
        self.registry().promote(plan).await
    }

    /// Agrees with a plan.
    ///
    /// # Errors
    /// `Conflict` if something that the plan saw has changed; `Denied` if the actor's role does not
    /// suffice, or if they registered the version themselves.
    pub async fn approve(&self, plan: &PromotionPlan, comment: &str) -> Result<Approval> {
        self.registry().decide(plan, Verdict::Approve, comment).await
    }

    /// Refuses a plan: the move cannot be made as long as this stands.
    ///
    /// # Errors
    /// As [`Models::approve`].
    pub async fn reject(&self, plan: &PromotionPlan, comment: &str) -> Result<Approval> {
        self.registry().decide(plan, Verdict::Reject, comment).await
    }

    /// Takes back what the actor said about this move.
    ///
    /// # Errors
    /// As [`Models::approve`].
    pub async fn withdraw(&self, plan: &PromotionPlan, comment: &str) -> Result<Approval> {
        self.registry().decide(plan, Verdict::Withdraw, comment).await
    }

    /// The plan of bringing back the version that held a stage before the present one (or last, if
    /// there is none now). Versions that were rolled back from, or are gone, are passed over.
    ///
    /// # Errors
    /// `NotFound` if there is no model of this name, or no version to go back to.
    pub async fn rollback_plan(
        &self,
        model: &str,
        stage: Stage,
        reason: &str,
    ) -> Result<PromotionPlan> {
        let name = ModelName::new(model)?;
        let holders = self.registry().model(&name).await?.stages.remove(&stage).unwrap_or_default();
        let history = self.registry().stage_history(&name).await?;
        for number in StageMove::way_back(&history, stage).into_iter().rev().map(|held| held.number)
        {
            if holders.contains(&number) {
                continue;
            }
            let id = VersionId::new(name.clone(), number);
            match self.registry().version(&id).await {
                Ok(version) if version.deleted.is_none() => {
                    let request = PromotionRequest::new(id, stage).as_rollback();
                    return self.judge(request.with_reason(reason)).await;
                }
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        let message = "no version that held the stage before is left to go back to";
        let error =
            Error::not_found("models.rollback", message).with("model", name).with("stage", stage);
        Err(error
            .with_hint("promote a version instead; the history of the stage shows who held it"))
    }

    /// Brings back the version that held a stage before, in one call: plans and applies, anew if others
    /// change the same stage meanwhile.
    ///
    /// # Errors
    /// As [`Models::rollback_plan`] and [`Models::apply`].
    pub async fn rollback(&self, model: &str, stage: Stage, reason: &str) -> Result<PromotionPlan> {
        let mut attempt = 1;
        loop {
            // A holder that came meanwhile is seen by the next plan.
            let plan = self.rollback_plan(model, stage, reason).await?;
            match self.apply(&plan).await {
                Err(e) if e.kind() == ErrorKind::Conflict && attempt < ATTEMPTS => attempt += 1,
                Err(e) if e.kind() == ErrorKind::Conflict => {
                    return Err(overtaken("models.rollback", e));
                }
                other => return other,
            }
        }
    }

    /// Every move of every version of a model, in order, each with who, when, why and on what evidence.
    ///
    /// # Errors
    /// `NotFound` if there is no model of this name.
    pub async fn stage_history(&self, model: &str) -> Result<Vec<StageMove>> {
        self.registry().stage_history(&ModelName::new(model)?).await
    }

    /// Who held a stage at an instant: the move that brought each of them there, which says who put it
    /// there, and why.
    ///
    /// # Errors
    /// As [`Models::stage_history`].
    pub async fn holders_at(
        &self,
        model: &str,
        stage: Stage,
        at: Instant,
    ) -> Result<Vec<StageMove>> {
        let history = self.stage_history(model).await?;
        Ok(StageMove::holders_at(&history, stage, at).into_iter().cloned().collect())
    }
}

/// The gate `signed` knows keys only by name: whether their signatures are right is seen here.
pub(super) fn check_attestations(version: &ModelVersion) -> Result<()> {
    version.attestations.iter().try_for_each(|attestation| {
        verify_attestation(attestation, version.digest).map_err(|e| e.with("version", version.id()))
    })
}
