//! What a plan relied on: each fact that changes before it is carried out is a conflict that names it;
//! and what is written into a plan by hand gains nothing.

use mlops_core::registry::{
    ModelChanges, PromotionPlan, PutDocument, Stage, Verdict, VersionChanges,
};
use mlops_core::tracking::{RunChanges, RunStatus};
use mlops_core::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::build::{
    ACTOR, access, alias, attestation, evaluation, into_stage, key, made_by, policy, rules, run_id,
    validation, version,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_plan_whose_version_has_moved_is_a_conflict,
        a_plan_whose_version_got_or_changed_a_finding_is_a_conflict,
        a_plan_is_a_conflict_when_another_version_holds_the_stage,
        a_plan_is_a_conflict_when_the_current_version_got_a_finding,
        a_plan_is_a_conflict_when_the_policy_was_stored_anew,
        a_plan_is_a_conflict_when_the_access_rules_were_stored_anew,
        a_plan_is_a_conflict_when_the_source_run_has_another_status,
        a_plan_is_a_conflict_when_there_was_another_drill,
        a_plan_that_was_approved_in_the_meantime_applies,
        a_plan_that_was_rejected_in_the_meantime_is_denied,
        a_plan_whose_approval_or_rejection_counts_no_more_is_a_conflict,
        a_plan_whose_version_is_in_the_stage_by_now_is_a_conflict,
        what_a_plan_did_not_rely_on_may_change,
        a_conflict_moves_nothing_and_writes_nothing,
        a_plan_with_forged_gates_is_judged_anew,
        a_plan_with_forged_approvals_is_judged_anew,
        a_plan_with_forged_steps_moves_what_is_right,
        a_plan_with_forged_facts_is_a_conflict,
        a_plan_with_a_forged_actor_is_judged_by_who_carries_it_out,
        a_plan_that_is_called_a_rollback_must_be_one,
    ]
}

/// The conflict must say what changed.
#[track_caller]
fn names(error: &Error, about: &str) {
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let mut changed = error.context().filter(|(name, _)| *name == "changed");
    assert!(changed.any(|(_, text)| text.contains(about)), "{about:?} is not named: {error}");
}

/// A plan to bring version 1 into production, which is allowed.
async fn ready(f: &Fixture) -> PromotionPlan {
    let plan = f.plan(&into_stage(1, Stage::Production)).await.unwrap();
    assert!(plan.is_allowed(), "{plan}");
    plan
}

async fn conflict(f: &Fixture, plan: &PromotionPlan, about: &str) {
    let before = f.churn().await;
    names(&fails(ErrorKind::Conflict, f.registry.promote(plan).await), about);
    assert_eq!(f.churn().await, before);
    let now = f.plan(&plan.request).await.unwrap();
    assert_ne!(now.facts, plan.facts);
}

async fn a_plan_whose_version_has_moved_is_a_conflict(f: Fixture) {
    f.versions(1).await;
    let plan = ready(&f).await;
    f.promote(1, Stage::Staging).await;
    conflict(&f, &plan, "stage of churn/1").await;
}

async fn a_plan_whose_version_got_or_changed_a_finding_is_a_conflict(f: Fixture) {
    f.versions(1).await;
    for changes in [
        VersionChanges::default().with_evidence(validation("s", 0)),
        VersionChanges::default().with_evidence(validation("s", 1)),
        VersionChanges::default().with_evidence(evaluation("e", "d", "auc", 0.5)),
        VersionChanges::default().with_attestation(attestation(1, 1)),
        VersionChanges::default().with_attestation(attestation(1, 2)),
    ] {
        let plan = ready(&f).await;
        f.change_version(1, changes).await;
        conflict(&f, &plan, "findings about churn/1").await;
    }
}

async fn a_plan_is_a_conflict_when_another_version_holds_the_stage(f: Fixture) {
    f.versions(3).await;
    let plan = ready(&f).await;
    f.promote(2, Stage::Production).await;
    conflict(&f, &plan, "Production of churn").await;
    let plan = ready(&f).await;
    f.promote(3, Stage::Production).await;
    conflict(&f, &plan, "Production of churn").await;
    let plan = ready(&f).await;
    f.promote(3, Stage::Archived).await;
    conflict(&f, &plan, "Production of churn").await;
}

async fn a_plan_is_a_conflict_when_the_current_version_got_a_finding(f: Fixture) {
    f.versions(2).await;
    f.promote(2, Stage::Production).await;
    let plan = ready(&f).await;
    f.change_version(2, VersionChanges::default().with_evidence(validation("s", 9))).await;
    conflict(&f, &plan, "findings about churn/2").await;
}

async fn a_plan_is_a_conflict_when_the_policy_was_stored_anew(f: Fixture) {
    f.versions(1).await;
    let plan = ready(&f).await;
    f.store_document(policy("default", &json!({ "stages": {} }))).await;
    conflict(&f, &plan, "policy").await;
    let plan = ready(&f).await;
    let looser = json!({ "stages": { "Production": { "role": "viewer" } } });
    f.store_document(policy("default", &looser)).await;
    conflict(&f, &plan, "policy").await;
    let plan = ready(&f).await;
    f.store_document(policy("churn", &json!({ "stages": {} }))).await;
    conflict(&f, &plan, "policy").await;
    let plan = ready(&f).await;
    f.store_document(PutDocument::delete(key("policy"), key("churn"))).await;
    conflict(&f, &plan, "policy").await;
}

async fn a_plan_is_a_conflict_when_the_access_rules_were_stored_anew(f: Fixture) {
    f.versions(1).await;
    let plan = ready(&f).await;
    f.store_document(access(&[(ACTOR, "admin")])).await;
    conflict(&f, &plan, "access rules").await;
    let plan = ready(&f).await;
    f.store_document(access(&[(ACTOR, "admin"), ("ann", "viewer")])).await;
    conflict(&f, &plan, "access rules").await;
}

async fn a_plan_is_a_conflict_when_the_source_run_has_another_status(f: Fixture) {
    let run = f.one_run().await;
    f.make_model("churn").await;
    f.add("churn", made_by("1", run.id, RunStatus::Running)).await;
    let plan = ready(&f).await;
    f.change(run.id, RunChanges::default().with_note("not a fact")).await;
    f.change(run.id, RunChanges::default().with_status(RunStatus::Failed)).await;
    conflict(&f, &plan, "source run").await;
    let plan = ready(&f).await;
    f.change(run_id(1), RunChanges::default().with_deleted(true)).await;
    let what = mlops_core::tracking::Purge::Runs(vec![run_id(1)]);
    let purge = f.tracker.plan_purge(&what).await.unwrap();
    f.tracker.purge(&purge).await.unwrap();
    conflict(&f, &plan, "source run").await;
}

async fn a_plan_is_a_conflict_when_there_was_another_drill(f: Fixture) {
    f.versions(1).await;
    let drill = async || {
        let body = json!({ "passed": true, "rpo_secs": 0.0, "rto_secs": f.rows().await, "at": crate::build::at(0) });
        f.store_document(PutDocument::new(key("drill"), key("latest"), body)).await;
    };
    drill().await;
    let gates = json!([{ "recovery_drill": { "within_hours": 1 } }]);
    f.store_document(rules(Stage::Production, &json!({ "gates": gates }))).await;
    let plan = ready(&f).await;
    drill().await;
    conflict(&f, &plan, "recovery drill").await;
}

/// A plan that waits for its approvals need not be made again when they have come.
async fn a_plan_that_was_approved_in_the_meantime_applies(f: Fixture) {
    f.versions(1).await;
    f.store_document(rules(Stage::Production, &json!({ "approvals": { "count": 2 } }))).await;
    let plan = f.plan(&into_stage(1, Stage::Production)).await.unwrap();
    for who in ["ann", "bob"] {
        fails(ErrorKind::Denied, f.registry.promote(&plan).await);
        f.by(who).decide(&plan, Verdict::Approve, "").await.unwrap();
    }
    let done = f.registry.promote(&plan).await.unwrap();
    let approved: Vec<_> = done.approvals.iter().map(|approval| approval.actor.as_str()).collect();
    assert_eq!(approved, ["ann", "bob"], "what was carried out names them");
}

async fn a_plan_that_was_rejected_in_the_meantime_is_denied(f: Fixture) {
    f.versions(1).await;
    let plan = ready(&f).await;
    f.by("bob").decide(&plan, Verdict::Reject, "").await.unwrap();
    fails(ErrorKind::Denied, f.registry.promote(&plan).await);
    f.by("bob").decide(&plan, Verdict::Withdraw, "").await.unwrap();
    f.registry.promote(&plan).await.unwrap();
}

async fn a_plan_whose_approval_or_rejection_counts_no_more_is_a_conflict(f: Fixture) {
    f.versions(1).await;
    let request = into_stage(1, Stage::Production);
    for (verdict, about) in
        [(Verdict::Approve, "approval of ann"), (Verdict::Reject, "rejection of ann")]
    {
        f.say("ann", verdict, &request).await.unwrap();
        let plan = f.plan(&request).await.unwrap();
        f.say("ann", Verdict::Withdraw, &request).await.unwrap();
        names(&fails(ErrorKind::Conflict, f.registry.promote(&plan).await), about);
    }
    f.say("ann", Verdict::Approve, &request).await.unwrap();
    let plan = f.plan(&request).await.unwrap();
    f.say("ann", Verdict::Reject, &request).await.unwrap();
    names(&fails(ErrorKind::Conflict, f.registry.promote(&plan).await), "approval of ann");
    assert!(f.holders(Stage::Production).await.is_empty());
}

async fn a_plan_whose_version_is_in_the_stage_by_now_is_a_conflict(f: Fixture) {
    f.versions(1).await;
    let plan = ready(&f).await;
    f.promote(1, Stage::Production).await;
    fails(ErrorKind::Conflict, f.registry.promote(&plan).await);
    assert_eq!(f.holders(Stage::Production).await, [1]);
}

async fn what_a_plan_did_not_rely_on_may_change(f: Fixture) {
    f.versions(2).await;
    f.promote(2, Stage::Staging).await;
    let plan = ready(&f).await;
    f.clock.advance_micros(1_000_000);
    f.add("churn", version("3")).await;
    f.change_version(1, VersionChanges::default().with_note("x").with_tag(key("a"), "1")).await;
    f.change_version(2, VersionChanges::default().with_evidence(validation("s", 1))).await;
    f.change_model(ModelChanges::default().with_note("x").with_alias(alias("a"), 1)).await;
    f.promote(3, Stage::Staging).await;
    f.store_document(policy("other", &json!({ "stages": {} }))).await;
    let drill =
        json!({ "passed": true, "rpo_secs": 0.0, "rto_secs": 1.0, "at": crate::build::at(0) });
    f.store_document(PutDocument::new(key("drill"), key("latest"), drill)).await;
    f.say("ann", Verdict::Reject, &into_stage(1, Stage::Staging)).await.unwrap();
    f.registry.promote(&plan).await.unwrap();
    assert_eq!(f.holders(Stage::Production).await, [1]);
}

async fn a_conflict_moves_nothing_and_writes_nothing(f: Fixture) {
    f.versions(2).await;
    f.promote(2, Stage::Production).await;
    let plan = ready(&f).await;
    f.change_version(2, VersionChanges::default().with_evidence(validation("s", 9))).await;
    let before =
        (f.rows().await, f.churn().await, f.read_version(1).await, f.read_version(2).await);
    fails(ErrorKind::Conflict, f.registry.promote(&plan).await);
    let after = (f.rows().await, f.churn().await, f.read_version(1).await, f.read_version(2).await);
    assert_eq!(after, before);
}

/// The plan with a part of its JSON replaced.
fn forged(plan: &PromotionPlan, part: &str, value: Value) -> PromotionPlan {
    let mut json = serde_json::to_value(plan).unwrap();
    json[part] = value;
    serde_json::from_value(json).unwrap()
}

async fn a_plan_with_forged_gates_is_judged_anew(f: Fixture) {
    f.versions(1).await;
    f.store_document(rules(Stage::Production, &json!({ "gates": ["profile"] }))).await;
    let plan = f.plan(&into_stage(1, Stage::Production)).await.unwrap();
    let passed = json!([{
        "kind": "profile", "gate": "profile present", "result": "passed", "evidence": "trust me",
    }]);
    for gates in [json!([]), passed] {
        let forged = forged(&plan, "gates", gates);
        assert!(forged.is_allowed());
        fails(ErrorKind::Denied, f.registry.promote(&forged).await);
    }
    let forged = forged(&plan, "policy", json!("lenient@1"));
    fails(ErrorKind::Denied, f.registry.promote(&forged).await);
    assert!(f.holders(Stage::Production).await.is_empty());
    f.promote(1, Stage::Staging).await;
    let gates =
        f.registry.stage_history(&plan.request.version.model).await.unwrap()[0].gates.clone();
    assert!(!gates.iter().any(|gate| gate.evidence == "trust me"));
}

async fn a_plan_with_forged_approvals_is_judged_anew(f: Fixture) {
    f.versions(1).await;
    let needed = json!({ "approvals": { "count": 1 } });
    f.store_document(rules(Stage::Production, &needed)).await;
    let plan = f.plan(&into_stage(1, Stage::Production)).await.unwrap();
    let approval = json!([{
        "version": "churn/1", "to": "Production", "actor": "ann", "verdict": "approve",
        "basis": plan.basis, "at": crate::build::at(0),
    }]);
    let mut forged = forged(&plan, "approvals", approval);
    forged.gates.clear();
    let error = fails(ErrorKind::Conflict, f.registry.promote(&forged).await);
    names(&error, "approval of ann");
    forged.approvals.clear();
    fails(ErrorKind::Denied, f.registry.promote(&forged).await);
    assert!(f.holders(Stage::Production).await.is_empty());
}

async fn a_plan_with_forged_steps_moves_what_is_right(f: Fixture) {
    f.versions(3).await;
    f.promote(2, Stage::Production).await;
    f.promote(3, Stage::Staging).await;
    let own = json!({ "number": 1, "from": "None", "to": "Production" });
    let other = json!({ "number": 3, "from": "Staging", "to": "Archived" });
    for steps in [json!([]), json!([own]), json!([other, own])] {
        let plan = ready(&f).await;
        let done = f.registry.promote(&forged(&plan, "steps", steps)).await.unwrap();
        assert_eq!(done.steps, plan.steps);
        assert_eq!(f.holders(Stage::Production).await, [1]);
        assert_eq!(f.holders(Stage::Staging).await, [3]);
        f.promote(1, Stage::None).await;
        f.promote(2, Stage::Production).await;
    }
}

async fn a_plan_with_forged_facts_is_a_conflict(f: Fixture) {
    f.versions(2).await;
    f.promote(2, Stage::Production).await;
    let plan = ready(&f).await;
    let without_one = |about: &str| {
        let mut facts = plan.facts.clone();
        facts.retain(|fact| !fact.about.contains(about));
        assert_ne!(facts, plan.facts, "{about}");
        json!(facts)
    };
    let more = {
        let mut facts = plan.facts.clone();
        facts.push(mlops_core::registry::Fact { about: "moon".into(), value: "full".into() });
        json!(facts)
    };
    for facts in [
        json!([]),
        without_one("stage of"),
        without_one("access rules"),
        without_one("policy"),
        more,
    ] {
        fails(ErrorKind::Conflict, f.registry.promote(&forged(&plan, "facts", facts)).await);
    }
    assert_eq!(f.holders(Stage::Production).await, [2]);
}

async fn a_plan_with_a_forged_actor_is_judged_by_who_carries_it_out(f: Fixture) {
    f.versions(1).await;
    f.store_document(access(&[("root", "admin"), ("vic", "viewer")])).await;
    let plan = f.plan_as("root", &into_stage(1, Stage::Production)).await.unwrap();
    assert!(plan.is_allowed());
    fails(ErrorKind::Denied, f.by("vic").promote(&plan).await);
    let done = f.by("root").promote(&forged(&plan, "actor", json!("vic"))).await.unwrap();
    assert_eq!(done.actor.as_str(), "root");
}

/// A rollback's gates are waived, so it must be true that it is one.
async fn a_plan_that_is_called_a_rollback_must_be_one(f: Fixture) {
    f.versions(1).await;
    f.store_document(rules(Stage::Production, &json!({ "gates": ["profile"] }))).await;
    let plan = f.plan(&into_stage(1, Stage::Production)).await.unwrap();
    let request = json!({ "version": "churn/1", "to": "Production", "rollback": true });
    fails(ErrorKind::Denied, f.registry.promote(&forged(&plan, "request", request)).await);
    assert!(f.holders(Stage::Production).await.is_empty());
}
