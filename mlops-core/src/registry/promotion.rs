//! Moving a version into a stage: state → plan → apply.
//!
//! A backend gathers a [`PromotionState`]; [`PromotionPlan::evaluate`], a pure function, judges it; the
//! plan can be printed, stored and approved; and the backend's
//! [`promote`](super::Registry::promote) carries it out after it has judged the state anew within its
//! transaction. Nothing in a plan is believed but what it *asks for* and what it *saw*: gates, evidence
//! and approvals are computed again, so a forged plan gains nothing.
//!
//! What a plan saw is its list of [`Fact`]s. If one of them is different when the plan is applied, or an
//! approval that the plan counted on counts no more, the answer is `Conflict`, with what changed. What
//! was approved since does no harm. An approval is bound to the same facts: it counts only as long as
//! everything that the approver saw is still so.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::access::{Access, Role};
use super::approval::{Approval, Verdict};
use super::catalog::Document;
use super::evidence::DrillSummary;
use super::gates;
use super::model::Model;
use super::moves::StageMove;
use super::policy::{Gate, Holders, RollbackRule, StagePolicy, StageRules};
use super::stage::Stage;
use super::uri::VersionId;
use super::version::ModelVersion;
use crate::journal::Actor;
use crate::time::Instant;
use crate::tracking::{Digest, Run};
use crate::{Error, ErrorKind, Result};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PromotionRequest {
    /// The version.
    pub version: VersionId,
    /// The stage that it shall move into.
    pub to: Stage,
    /// Whether it shall come back to where it was.
    #[serde(default)]
    pub rollback: bool,
    /// Why, in the words of the one who asks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl PromotionRequest {
    /// Moves a version into a stage.
    pub fn new(version: VersionId, to: Stage) -> Self {
        Self { version, to, rollback: false, reason: String::new() }
    }

    /// Brings it back to the stage: the rules of rollbacks hold.
    pub fn as_rollback(mut self) -> Self {
        self.rollback = true;
        self
    }

    /// Says why.
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }
}

/// All that a decision about a move can depend on, read in one transaction.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PromotionState {
    /// The model.
    pub model: Model,
    /// The version that shall move.
    pub version: ModelVersion,
    /// The versions that are in the stage now and not in the trash, the one that came there last at the
    /// end; none unless the decision [needs](PromotionState::needs_holders) them.
    pub holders: Vec<ModelVersion>,
    /// The policy of the model, or else the default one; `None` if there is neither.
    pub policy: Option<Document>,
    /// The access rules, if there are any.
    pub access: Option<Document>,
    /// What was said about moving this version into this stage: the last word of each actor.
    pub approvals: Vec<Approval>,
    /// The source run, if it is in this store.
    pub run: Option<Run>,
    /// The last recovery drill, if there was one: the catalog's `drill`/`latest`.
    pub drill: Option<Document>,
    /// For a rollback: how the version came into the stage that it is to go back to, if it is one of
    /// those that [`StageMove::way_back`] names.
    pub held_before: Option<StageMove>,
}

impl PromotionState {
    /// A state of nothing but the model and the version; for backends.
    pub fn new(model: Model, version: ModelVersion) -> Self {
        Self {
            model,
            version,
            holders: Vec::new(),
            policy: None,
            access: None,
            approvals: Vec::new(),
            run: None,
            drill: None,
            held_before: None,
        }
    }

    /// The rules of stage `to`.
    ///
    /// # Errors
    /// `Corrupt` if the stored policy is none: it was not stored through this library.
    pub fn rules(&self, to: Stage) -> Result<StageRules> {
        let policy = match self.policy.as_ref().and_then(|document| document.body.as_ref()) {
            None => StagePolicy::default(),
            Some(body) => read("policy", body)?,
        };
        Ok(policy.rules(to))
    }

    /// Whether a decision about moving into stage `to` looks at the versions that are there: if it makes
    /// room, or a gate compares with them. Backends leave [`PromotionState::holders`] empty otherwise.
    ///
    /// # Errors
    /// As [`PromotionState::rules`].
    pub fn needs_holders(&self, to: Stage) -> Result<bool> {
        let rules = self.rules(to)?;
        let compares = |gate: &Gate| {
            matches!(gate, Gate::BetterThanCurrent { .. } | Gate::SignatureCompatible)
        };
        // Every version starts in `None` and nothing makes room there.
        Ok(to != Stage::None
            && (rules.holders == Some(Holders::One) || rules.gates.iter().any(compares)))
    }

    /// The role of `actor` for the model; admin if there are no access rules.
    ///
    /// # Errors
    /// `Corrupt` if the stored rules are none.
    pub fn role(&self, actor: &Actor) -> Result<Option<Role>> {
        match self.access.as_ref().and_then(|document| document.body.as_ref()) {
            None => Ok(Some(Role::Admin)),
            Some(body) => Ok(read::<Access>("access", body)?.role(actor, Some(&self.model.name))),
        }
    }

    pub(super) fn last_drill(&self) -> Result<Option<DrillSummary>> {
        self.drill.as_ref().and_then(|d| d.body.as_ref()).map(|b| read("drill", b)).transpose()
    }
}

fn read<T: serde::de::DeserializeOwned>(what: &'static str, body: &serde_json::Value) -> Result<T> {
    T::deserialize(body).map_err(|e| {
        Error::corrupt(
            "registry.promotion",
            "a document of the catalog does not say what it should",
        )
        .with("document", what)
        .with_hint("store it again through the library, which checks it")
        .with_source(e)
    })
}

/// Something that a plan relied on, beside the approvals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about: `stage of churn/7`, `policy`, `source run`.
    pub about: String,
    /// What was so.
    pub value: String,
}

/// How one condition came out, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateOutcome {
    /// What kind of condition: a gate by its [name](super::Gate::name), or `role`, `from`, `held_before`,
    /// `rejections`, `approvals`.
    pub kind: String,
    /// The condition, on one line.
    pub gate: String,
    /// How it came out.
    pub result: GateResult,
    /// What it was judged by.
    pub evidence: String,
}

/// How a condition came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GateResult {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// It was not asked, because this is a rollback.
    Waived,
}

impl GateResult {
    /// The result in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Waived => "waived",
        }
    }
}

/// One version's way from one stage to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The version's number.
    pub number: u64,
    /// Where it is.
    pub from: Stage,
    /// Where it goes.
    pub to: Stage,
}

/// Whether a move may be made, and all that this was decided by. A value: print it, store it, have it
/// approved, apply it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PromotionPlan {
    /// What is asked for.
    pub request: PromotionRequest,
    /// When it was judged.
    pub at: Instant,
    /// Who asks.
    pub actor: Actor,
    /// The policy that it was judged by, as `name@version`; empty if there is none.
    pub policy: String,
    /// Every condition, and how it came out.
    pub gates: Vec<GateOutcome>,
    /// Verdicts that count now.
    pub approvals: Vec<Approval>,
    /// The moves: the version's own comes last.
    pub steps: Vec<Step>,
    /// What it relied on.
    pub facts: Vec<Fact>,
    /// The digest of the request's version and stage, and of the facts: what approvals are bound to.
    pub basis: Digest,
}

impl PromotionPlan {
    /// Judges a request.
    ///
    /// # Errors
    /// `Invalid` if the version is in the stage already, or it, or its model, is in the trash.
    /// `Corrupt` if a document that it depends on is damaged.
    pub fn evaluate(
        state: &PromotionState,
        request: PromotionRequest,
        actor: &Actor,
        now: Instant,
    ) -> Result<Self> {
        movable(state, request.to)?;
        let rules = state.rules(request.to)?;
        let facts = gates::facts(state, request.to)?;
        let basis = gates::basis(&request, &facts);
        let waive = request.rollback && rules.rollback == RollbackRule::HeldBefore;
        let mut outcomes = vec![gates::role(state, &rules, actor)?];
        outcomes.extend(gates::origin(state, &rules, &request));
        for gate in &rules.gates {
            let mut outcome = gates::judge(state, gate, now)?;
            if waive && outcome.result == GateResult::Failed {
                outcome.result = GateResult::Waived;
            }
            outcomes.push(outcome);
        }
        let (approvals, outcome) = gates::approvals(state, &rules, basis, waive, now)?;
        outcomes.extend(outcome);
        Ok(Self {
            policy: gates::policy_name(state),
            gates: outcomes,
            approvals,
            steps: steps(state, &rules, request.to),
            facts,
            basis,
            at: now,
            actor: actor.clone(),
            request,
        })
    }

    /// Whether no condition failed.
    pub fn is_allowed(&self) -> bool {
        self.gates.iter().all(|gate| gate.result != GateResult::Failed)
    }

    /// The conditions that failed.
    pub fn failed(&self) -> impl Iterator<Item = &GateOutcome> {
        self.gates.iter().filter(|gate| gate.result == GateResult::Failed)
    }

    /// For backends, within the transaction of a promotion: what is to be done now, if everything that
    /// this plan relied on is still so.
    ///
    /// # Errors
    /// `Conflict` naming each fact that changed. `Denied` naming each condition that fails.
    pub fn renew(&self, state: &PromotionState, actor: &Actor, now: Instant) -> Result<Self> {
        let op = "registry.promote";
        let conflict = |message: &'static str| Error::new(ErrorKind::Conflict, op, message);
        if let Err(error) = movable(state, self.request.to) {
            return Err(conflict("the version can no longer move into the stage")
                .with("version", &self.request.version)
                .with_hint("make a new plan")
                .with_source(error));
        }
        let fresh = Self::evaluate(state, self.request.clone(), actor, now)?;
        let mut changes = changed(&self.facts, &fresh.facts);
        changes.extend(self.approvals.iter().filter_map(|approval| {
            let counts = fresh
                .approvals
                .iter()
                .any(|now| (&now.actor, now.verdict) == (&approval.actor, approval.verdict));
            let word = approval.verdict.noun();
            (!counts).then(|| format!("{word} of {}: it counts no more", approval.actor))
        }));
        if !changes.is_empty() {
            let mut error = conflict("something that the plan relied on has changed")
                .with("version", &self.request.version);
            for change in changes {
                error = error.with("changed", change);
            }
            return Err(error.with_hint("make a new plan, look at it, and apply that"));
        }
        fresh.allowed()?;
        Ok(fresh)
    }

    /// For backends, within the transaction of a verdict: whether `actor` may say it about this plan.
    ///
    /// # Errors
    /// `Conflict` if what the plan saw has changed. `Denied` if the actor's role does not suffice, or
    /// if an author approves their own version.
    pub fn decide(
        &self,
        state: &PromotionState,
        verdict: Verdict,
        actor: &Actor,
        now: Instant,
    ) -> Result<Self> {
        let op = "registry.decide";
        if let Err(error) = movable(state, self.request.to) {
            return Err(Error::new(
                ErrorKind::Conflict,
                op,
                "the version can no longer move into the stage",
            )
            .with("version", &self.request.version)
            .with_hint("there is nothing left to decide; make a new plan")
            .with_source(error));
        }
        let fresh = Self::evaluate(state, self.request.clone(), actor, now)?;
        if verdict == Verdict::Withdraw {
            return Ok(fresh);
        }
        if fresh.basis != self.basis {
            let mut error =
                Error::new(ErrorKind::Conflict, op, "something that the plan saw has changed")
                    .with("version", &self.request.version);
            for change in changed(&self.facts, &fresh.facts) {
                error = error.with("changed", change);
            }
            return Err(error.with_hint("make a new plan, look at it, and decide about that"));
        }
        let denied = |message: &'static str| {
            Err(Error::new(ErrorKind::Denied, op, message)
                .with("actor", actor)
                .with("version", &self.request.version))
        };
        if verdict == Verdict::Approve && state.version.is_made_by(actor) {
            return denied("the author of a version cannot approve it");
        }
        let needed = state.rules(self.request.to)?.approvals.map_or(Role::Approver, |r| r.role);
        if state.role(actor)? < Some(needed) {
            return denied("the actor's role does not suffice to decide");
        }
        Ok(fresh)
    }

    /// # Errors
    /// `Denied` naming each condition that fails.
    fn allowed(&self) -> Result<()> {
        if self.is_allowed() {
            return Ok(());
        }
        let mut error =
            Error::new(ErrorKind::Denied, "registry.promote", "the policy refuses the move")
                .with("version", &self.request.version)
                .with("to", self.request.to);
        for gate in self.failed() {
            error = error.with("failed", format!("{} ({})", gate.gate, gate.evidence));
        }
        Err(error)
    }
}

impl fmt::Display for PromotionPlan {
    /// A table, as a terminal shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PromotionRequest { version, to, rollback, reason } = &self.request;
        let verb = if *rollback { "roll back" } else { "promote" };
        let from = self.steps.last().map_or(Stage::None, |step| step.from);
        write!(f, "{verb} {version}: {from} → {to}")?;
        if !reason.is_empty() {
            write!(f, " ({reason})")?;
        }
        let policy = if self.policy.is_empty() { "none" } else { &self.policy };
        writeln!(f, "\npolicy {policy}")?;
        let width = self.gates.iter().map(|gate| gate.gate.chars().count()).max().unwrap_or(0);
        for GateOutcome { gate, result, evidence, .. } in &self.gates {
            writeln!(f, "  {:<6}  {gate:<width$}  {evidence}", result.as_str())?;
        }
        for step in self.steps.iter().rev().skip(1) {
            let Step { number, from, to } = step;
            writeln!(f, "  makes room  {}/{number}: {from} → {to}", version.model)?;
        }
        f.write_str(if self.is_allowed() { "allowed" } else { "refused" })
    }
}

fn movable(state: &PromotionState, to: Stage) -> Result<()> {
    let version = &state.version;
    let invalid = |message: &'static str| {
        Err(Error::invalid("registry.promotion_plan", message).with("version", version.id()))
    };
    if version.deleted.is_some() {
        return invalid("the version is in the trash");
    }
    if state.model.deleted.is_some() {
        return invalid("the model is in the trash");
    }
    if version.stage == to {
        return invalid("the version is in this stage already")
            .map_err(|error| error.with("stage", to));
    }
    Ok(())
}

fn steps(state: &PromotionState, rules: &StageRules, to: Stage) -> Vec<Step> {
    let mut steps = Vec::new();
    if rules.holders == Some(Holders::One) {
        let away = rules.displaced_to.unwrap_or(Stage::Archived);
        steps.extend(state.holders.iter().map(|holder| Step {
            number: holder.number,
            from: holder.stage,
            to: away,
        }));
    }
    steps.push(Step { number: state.version.number, from: state.version.stage, to });
    steps
}

/// A fact's value as people read it: twelve digits of a digest tell any two apart that they will see.
fn shown(value: &str) -> &str {
    let is_digest = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest { &value[..12] } else { value }
}

/// The facts that are not the same on both sides, as text.
fn changed(before: &[Fact], now: &[Fact]) -> Vec<String> {
    let find = |facts: &[Fact], about: &str| {
        facts.iter().find(|fact| fact.about == about).map(|fact| fact.value.clone())
    };
    let mut changes = Vec::new();
    for fact in before {
        let value = find(now, &fact.about).unwrap_or_else(|| "gone".to_owned());
        if value != fact.value {
            changes.push(format!("{}: {} → {}", fact.about, shown(&fact.value), shown(&value)));
        }
    }
    for fact in now {
        if find(before, &fact.about).is_none() {
            changes.push(format!("{}: new, {}", fact.about, shown(&fact.value)));
        }
    }
    changes
}
