//! Approvals: who may say what, how long it counts, and for what.

use mlops_core::ErrorKind;
use mlops_core::registry::{
    GateResult, ModelChanges, ModelPurge, PromotionPlan, Stage, Verdict, VersionChanges,
};
use mlops_core::tracking::MAX_VALUE_BYTES;
use serde_json::{Value, json};

use crate::build::{
    ACTOR, access, actor, alias, at, churn, into_stage, key, model_name, policy, rules, validation,
    version,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_move_that_needs_an_approval_is_denied_without_and_done_with_one,
        a_verdict_comes_back_as_it_was_said,
        approvals_are_counted_by_person,
        the_last_word_of_an_actor_replaces_the_one_before,
        a_withdrawn_approval_counts_no_more,
        a_rejection_forbids_the_move_until_it_is_withdrawn,
        a_rejection_stands_although_what_was_seen_has_changed,
        the_author_of_a_version_cannot_approve_it,
        who_lacks_the_role_can_neither_approve_nor_reject,
        an_approver_who_lost_the_role_counts_no_more,
        an_approval_is_bound_to_everything_that_was_seen,
        an_approval_counts_again_when_everything_is_as_it_was_seen,
        an_approval_is_of_one_move,
        an_approval_expires_by_time,
        an_approval_of_another_version_or_stage_does_not_count,
        a_verdict_about_a_plan_that_has_changed_is_a_conflict,
        a_verdict_on_forged_facts_is_a_conflict_or_bound_to_the_true_ones,
        withdrawing_is_possible_whatever_has_changed,
        a_comment_that_is_too_long_is_invalid,
        a_verdict_that_is_refused_leaves_the_one_before,
        approvals_do_not_outlive_their_version,
    ]
}

const HOUR: i64 = 3_600_000_000;

async fn needs(f: &Fixture, rule: Value) {
    f.store_document(rules(Stage::Production, &json!({ "approvals": rule }))).await;
}

async fn says(f: &Fixture, who: &str, verdict: Verdict) {
    f.say(who, verdict, &into_stage(1, Stage::Production)).await.unwrap();
}

async fn approve(f: &Fixture, who: &str) {
    says(f, who, Verdict::Approve).await;
}

async fn plan(f: &Fixture) -> PromotionPlan {
    f.plan(&into_stage(1, Stage::Production)).await.unwrap()
}

/// Whether the move is allowed now; the backend must agree with the plan. Moves back afterwards.
async fn allowed(f: &Fixture) -> bool {
    let plan = plan(f).await;
    let moved = f.registry.promote(&plan).await;
    if !plan.is_allowed() {
        fails(ErrorKind::Denied, moved);
        return false;
    }
    moved.unwrap();
    f.promote(1, Stage::None).await;
    true
}

async fn a_move_that_needs_an_approval_is_denied_without_and_done_with_one(f: Fixture) {
    f.versions(1).await;
    needs(&f, json!({ "count": 1 })).await;
    let before = plan(&f).await;
    assert_eq!(before.gates.last().unwrap().result, GateResult::Failed);
    fails(ErrorKind::Denied, f.registry.promote(&before).await);
    approve(&f, "ann").await;
    let now = plan(&f).await;
    assert_eq!(now.approvals.len(), 1);
    assert!(now.gates.last().unwrap().evidence.contains("ann"), "{now}");
    let done = f.registry.promote(&now).await.unwrap();
    assert_eq!(done.approvals, now.approvals);
    assert_eq!(f.holders(Stage::Production).await, [1]);
}

async fn a_verdict_comes_back_as_it_was_said(f: Fixture) {
    f.versions(1).await;
    let plan = plan(&f).await;
    f.clock.advance_micros(5);
    let said = f.by("ann").decide(&plan, Verdict::Reject, "not yet: ü \"x\"").await.unwrap();
    assert_eq!((said.version.clone(), said.to), (churn(1), Stage::Production));
    assert_eq!((said.actor.clone(), said.verdict, said.at), (actor("ann"), Verdict::Reject, at(5)));
    assert_eq!((said.basis, said.comment.as_str()), (plan.basis, "not yet: ü \"x\""));
    let state = f.registry.promotion_state(&plan.request).await.unwrap();
    assert_eq!(state.approvals, [said]);
}

async fn approvals_are_counted_by_person(f: Fixture) {
    f.versions(1).await;
    needs(&f, json!({ "count": 2 })).await;
    approve(&f, "ann").await;
    approve(&f, "ann").await;
    assert!(!allowed(&f).await, "twice the same person is one");
    approve(&f, "bob").await;
    assert!(allowed(&f).await);
}

async fn the_last_word_of_an_actor_replaces_the_one_before(f: Fixture) {
    f.versions(1).await;
    needs(&f, json!({ "count": 1 })).await;
    approve(&f, "ann").await;
    says(&f, "ann", Verdict::Reject).await;
    assert!(!allowed(&f).await);
    approve(&f, "ann").await;
    let state = f.registry.promotion_state(&into_stage(1, Stage::Production)).await.unwrap();
    assert_eq!(state.approvals.len(), 1);
    assert!(allowed(&f).await);
}

async fn a_withdrawn_approval_counts_no_more(f: Fixture) {
    f.versions(1).await;
    needs(&f, json!({ "count": 1 })).await;
    approve(&f, "ann").await;
    says(&f, "bob", Verdict::Withdraw).await;
    assert!(plan(&f).await.is_allowed(), "each speaks for oneself");
    says(&f, "ann", Verdict::Withdraw).await;
    assert!(!allowed(&f).await);
    approve(&f, "ann").await;
    assert!(allowed(&f).await);
}

async fn a_rejection_forbids_the_move_until_it_is_withdrawn(f: Fixture) {
    f.versions(1).await;
    says(&f, "bob", Verdict::Reject).await;
    assert!(!allowed(&f).await, "though no approval is asked for");
    needs(&f, json!({ "count": 1 })).await;
    approve(&f, "ann").await;
    assert!(!allowed(&f).await, "though enough approve");
    says(&f, "bob", Verdict::Withdraw).await;
    assert!(allowed(&f).await);
}

async fn a_rejection_stands_although_what_was_seen_has_changed(f: Fixture) {
    f.versions(1).await;
    says(&f, "bob", Verdict::Reject).await;
    f.change_version(1, VersionChanges::default().with_evidence(validation("s", 0))).await;
    f.store_document(policy("default", &json!({ "stages": {} }))).await;
    f.clock.advance_micros(100_000 * HOUR);
    assert!(!allowed(&f).await);
}

async fn the_author_of_a_version_cannot_approve_it(f: Fixture) {
    f.make_model("churn").await;
    f.by("ann").register(&model_name("churn"), version("1")).await.unwrap();
    needs(&f, json!({ "count": 1 })).await;
    let request = into_stage(1, Stage::Production);
    fails(ErrorKind::Denied, f.say("ann", Verdict::Approve, &request).await);
    assert!(!allowed(&f).await);
    says(&f, "ann", Verdict::Reject).await;
    assert!(!allowed(&f).await, "who made it may well stop it");
    says(&f, "ann", Verdict::Withdraw).await;
    approve(&f, "bob").await;
    assert!(allowed(&f).await);
}

async fn who_lacks_the_role_can_neither_approve_nor_reject(f: Fixture) {
    f.versions(1).await;
    let all = [(ACTOR, "admin"), ("con", "contributor"), ("vic", "viewer"), ("app", "approver")];
    f.store_document(access(&all)).await;
    needs(&f, json!({ "count": 1 })).await;
    let request = into_stage(1, Stage::Production);
    for who in ["con", "vic", "nobody"] {
        for verdict in [Verdict::Approve, Verdict::Reject] {
            fails(ErrorKind::Denied, f.say(who, verdict, &request).await);
        }
    }
    assert!(!allowed(&f).await);
    approve(&f, "app").await;
    assert!(allowed(&f).await);
    needs(&f, json!({ "count": 1, "role": "admin" })).await;
    fails(ErrorKind::Denied, f.say("app", Verdict::Approve, &request).await);
}

async fn an_approver_who_lost_the_role_counts_no_more(f: Fixture) {
    f.versions(1).await;
    f.store_document(access(&[(ACTOR, "admin"), ("ann", "approver"), ("bob", "approver")])).await;
    needs(&f, json!({ "count": 1 })).await;
    approve(&f, "ann").await;
    says(&f, "bob", Verdict::Reject).await;
    f.store_document(access(&[(ACTOR, "admin"), ("ann", "approver"), ("bob", "viewer")])).await;
    assert!(!allowed(&f).await, "the rules have changed since ann looked");
    approve(&f, "ann").await;
    assert!(plan(&f).await.is_allowed(), "bob's rejection counts no more");
    f.store_document(access(&[(ACTOR, "admin"), ("ann", "contributor")])).await;
    assert!(!allowed(&f).await);
}

async fn an_approval_is_bound_to_everything_that_was_seen(f: Fixture) {
    f.versions(3).await;
    needs(&f, json!({ "count": 1 })).await;
    let found = |bad| VersionChanges::default().with_evidence(validation("s", bad));
    for what in 0..6 {
        approve(&f, "ann").await;
        assert!(plan(&f).await.is_allowed(), "{what}: approved");
        match what {
            0 => drop(f.change_version(1, found(0)).await),
            1 => drop(f.change_version(1, found(1)).await),
            2 => {
                f.say("ann", Verdict::Approve, &into_stage(2, Stage::Production)).await.unwrap();
                f.promote(2, Stage::Production).await;
            }
            3 => drop(f.change_version(3, found(3)).await),
            4 => needs(&f, json!({ "count": 1, "valid_for_hours": 1 })).await,
            _ => drop(f.promote(1, Stage::Staging).await),
        }
        if what == 2 {
            assert!(!plan(&f).await.is_allowed(), "another version is there");
            f.promote(2, Stage::Archived).await;
            continue;
        }
        if what == 3 {
            assert!(allowed(&f).await, "no part of it");
            continue;
        }
        let now = plan(&f).await;
        assert!(!now.is_allowed() && now.approvals.is_empty(), "{what}: {now}");
        fails(ErrorKind::Denied, f.registry.promote(&now).await);
    }
}

async fn an_approval_counts_again_when_everything_is_as_it_was_seen(f: Fixture) {
    f.versions(2).await;
    needs(&f, json!({ "count": 1 })).await;
    approve(&f, "ann").await;
    f.promote(1, Stage::Staging).await;
    assert!(!plan(&f).await.is_allowed());
    f.promote(1, Stage::None).await;
    assert!(allowed(&f).await);
}

/// Otherwise what was approved once could be done for ever.
async fn an_approval_is_of_one_move(f: Fixture) {
    f.versions(1).await;
    needs(&f, json!({ "count": 1 })).await;
    approve(&f, "ann").await;
    f.say("ann", Verdict::Approve, &into_stage(1, Stage::Staging)).await.unwrap();
    assert!(allowed(&f).await);
    let again = plan(&f).await;
    assert!(!again.is_allowed(), "{again}");
    let state = f.registry.promotion_state(&again.request).await.unwrap();
    assert!(state.approvals.is_empty());
    let other = f.registry.promotion_state(&into_stage(1, Stage::Staging)).await.unwrap();
    assert_eq!(other.approvals.len(), 1, "the move into another stage is not made yet");
}

async fn an_approval_expires_by_time(f: Fixture) {
    f.versions(1).await;
    needs(&f, json!({ "count": 1, "valid_for_hours": 2 })).await;
    approve(&f, "ann").await;
    f.clock.advance_micros(2 * HOUR);
    let fresh = plan(&f).await;
    assert!(fresh.is_allowed(), "to the hour");
    f.clock.advance_micros(1);
    let late = f.registry.promote(&fresh).await;
    fails(ErrorKind::Conflict, late);
    assert!(!allowed(&f).await);
    approve(&f, "ann").await;
    assert!(allowed(&f).await);
}

async fn an_approval_of_another_version_or_stage_does_not_count(f: Fixture) {
    f.versions(2).await;
    let one = json!({ "approvals": { "count": 1 } });
    f.store_document(policy(
        "default",
        &json!({ "stages": { "Production": one, "Staging": one } }),
    ))
    .await;
    f.say("ann", Verdict::Approve, &into_stage(2, Stage::Production)).await.unwrap();
    f.say("ann", Verdict::Approve, &into_stage(1, Stage::Staging)).await.unwrap();
    assert!(!allowed(&f).await);
    approve(&f, "ann").await;
    assert!(allowed(&f).await);
}

async fn a_verdict_about_a_plan_that_has_changed_is_a_conflict(f: Fixture) {
    f.versions(2).await;
    let old = plan(&f).await;
    f.change_version(1, VersionChanges::default().with_evidence(validation("s", 9))).await;
    for verdict in [Verdict::Approve, Verdict::Reject] {
        let error = fails(ErrorKind::Conflict, f.by("ann").decide(&old, verdict, "").await);
        assert!(error.context().any(|(name, text)| name == "changed" && text.contains("findings")));
    }
    let now = plan(&f).await;
    f.by("bob").decide(&now, Verdict::Approve, "").await.unwrap();
    f.by("ann").decide(&now, Verdict::Approve, "").await.expect("approvals do not see each other");
}

/// Whatever is written into the plan, the approval is of what is so.
async fn a_verdict_on_forged_facts_is_a_conflict_or_bound_to_the_true_ones(f: Fixture) {
    f.versions(1).await;
    needs(&f, json!({ "count": 1 })).await;
    let honest = plan(&f).await;
    f.change_version(1, VersionChanges::default().with_evidence(validation("s", 9))).await;
    let true_basis = plan(&f).await.basis;
    let mut forged = plan(&f).await;
    forged.basis = honest.basis;
    fails(ErrorKind::Conflict, f.by("ann").decide(&forged, Verdict::Approve, "").await);
    let mut forged = plan(&f).await;
    forged.facts.clear();
    forged.gates.clear();
    forged.actor = actor("root");
    let said = f.by("ann").decide(&forged, Verdict::Approve, "").await.unwrap();
    assert_eq!((said.basis, said.actor.as_str()), (true_basis, "ann"));
}

async fn withdrawing_is_possible_whatever_has_changed(f: Fixture) {
    f.versions(1).await;
    let old = plan(&f).await;
    f.by("bob").decide(&old, Verdict::Reject, "").await.unwrap();
    f.change_version(1, VersionChanges::default().with_evidence(validation("s", 9))).await;
    f.store_document(access(&[(ACTOR, "admin"), ("bob", "viewer")])).await;
    f.by("bob").decide(&old, Verdict::Withdraw, "").await.unwrap();
    assert!(f.registry.promotion_state(&old.request).await.unwrap().approvals.is_empty());
    assert!(allowed(&f).await);
}

async fn a_comment_that_is_too_long_is_invalid(f: Fixture) {
    f.versions(1).await;
    let plan = plan(&f).await;
    let longest = "x".repeat(MAX_VALUE_BYTES);
    for bad in [format!("{longest}x"), "a\0b".to_owned()] {
        fails(ErrorKind::Invalid, f.by("ann").decide(&plan, Verdict::Approve, &bad).await);
    }
    let said = f.by("ann").decide(&plan, Verdict::Approve, &longest).await.unwrap();
    assert_eq!(said.comment, longest);
}

async fn a_verdict_that_is_refused_leaves_the_one_before(f: Fixture) {
    f.versions(1).await;
    needs(&f, json!({ "count": 1 })).await;
    let old = plan(&f).await;
    approve(&f, "ann").await;
    let rows = f.rows().await;
    fails(ErrorKind::Invalid, f.by("ann").decide(&old, Verdict::Reject, "\0").await);
    let mut forged = old.clone();
    forged.basis = crate::build::digest("nothing");
    fails(ErrorKind::Conflict, f.by("ann").decide(&forged, Verdict::Reject, "").await);
    assert_eq!(f.rows().await, rows);
    assert!(allowed(&f).await);
}

async fn approvals_do_not_outlive_their_version(f: Fixture) {
    f.versions(1).await;
    approve(&f, "ann").await;
    f.change_model(ModelChanges::default().with_alias(alias("a"), 1).with_tag(key("t"), "1")).await;
    f.change_model(ModelChanges::default().without_alias(alias("a"))).await;
    f.change_version(1, VersionChanges::delete()).await;
    f.purge_models(ModelPurge::Versions(vec![churn(1)])).await;
    let request = into_stage(1, Stage::Production);
    fails(ErrorKind::NotFound, f.registry.promotion_state(&request).await);
    f.add("churn", version("2")).await;
    let state = f.registry.promotion_state(&into_stage(2, Stage::Production)).await.unwrap();
    assert!(state.approvals.is_empty());
}
