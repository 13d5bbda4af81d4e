//! Promotions: gathering what a decision depends on, and carrying it out.

use mlops_core::registry::{
    ACCESS_KIND, ACCESS_NAME, Approval, DEFAULT_POLICY, POLICY_KIND, PromotionPlan,
    PromotionRequest, PromotionState, StageMove, Verdict, VersionId, events,
};
use mlops_core::{Key, Result};

use super::state::{Author, State};

impl State {
    pub(super) fn promotion_state(
        &self,
        request: &PromotionRequest,
        operation: &'static str,
    ) -> Result<PromotionState> {
        let PromotionRequest { version: id, to, .. } = request;
        let version = self.version(id, operation)?.clone();
        let model = self.model(&id.model, operation)?.clone();
        let mut state = PromotionState::new(model, version);
        let document = |kind: &str, name: &str| -> Result<_> {
            Ok(self.registry.document(&Key::new(kind)?, &Key::new(name)?).cloned())
        };
        state.policy = match document(POLICY_KIND, &id.model)? {
            None => document(POLICY_KIND, DEFAULT_POLICY)?,
            own => own,
        };
        if state.needs_holders(*to)? {
            let held = state.model.stages.get(to).into_iter().flatten();
            let held = held.map(|number| VersionId::new(id.model.clone(), *number));
            let held = held.filter_map(|id| self.registry.version(&id));
            state.holders = held.filter(|version| version.deleted.is_none()).cloned().collect();
        }
        state.access = document(ACCESS_KIND, ACCESS_NAME)?;
        state.drill = document("drill", "latest")?;
        state.approvals = self.registry.approvals(id, *to).to_vec();
        let run = state.version.manifest.run.as_ref().and_then(|run| self.runs.get(&run.id));
        state.run = run.map(|run| run.record.clone());
        if request.rollback {
            let way = StageMove::way_back(self.registry.stage_history(&id.model), *to);
            let held = way.into_iter().rev().find(|held| held.number == id.number);
            state.held_before = held.cloned();
        }
        Ok(state)
    }

    pub(super) fn promote(
        &mut self,
        plan: &PromotionPlan,
        author: &Author,
    ) -> Result<PromotionPlan> {
        let state = self.promotion_state(&plan.request, "registry.promote")?;
        let plan = plan.renew(&state, &author.actor, author.now)?;
        let (operation, payload) = (events::promote_operation(&plan), events::promote(&plan));
        self.write(author, operation, &plan.request.version, payload)?;
        Ok(plan)
    }

    pub(super) fn decide(
        &mut self,
        plan: &PromotionPlan,
        verdict: Verdict,
        comment: &str,
        author: &Author,
    ) -> Result<Approval> {
        let Author { actor, now } = author;
        let state = self.promotion_state(&plan.request, "registry.decide")?;
        let plan = plan.decide(&state, verdict, actor, *now)?;
        let approval = Approval::new(&plan, verdict, actor.clone(), *now).with_comment(comment);
        // Who takes back what they never said changes nothing.
        let spoke = state.approvals.iter().any(|word| word.actor == *actor);
        if spoke || verdict != Verdict::Withdraw {
            let payload = events::decide(&approval);
            self.write(author, events::VERSION_DECIDE, &approval.version, payload)?;
        }
        Ok(approval)
    }
}
