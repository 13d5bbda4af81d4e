//! Rolling back: the same road, in the other direction, without waiting for anybody.

use mlops_core::ErrorKind;
use mlops_core::registry::{GateResult, ModelPurge, MoveCause, Stage, Verdict, VersionChanges};
use serde_json::json;

use crate::build::{ACTOR, access, churn, into_stage, model_name, rules, validation};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_rollback_brings_back_the_version_that_held_the_stage,
        gates_and_approvals_of_a_rollback_are_shown_and_waived,
        a_rejection_is_waived_in_a_rollback,
        a_rollback_to_a_version_that_never_held_the_stage_is_denied,
        having_held_another_stage_is_not_enough,
        the_policy_may_ask_of_a_rollback_what_it_asks_of_a_promotion,
        a_rollback_needs_the_role_all_the_same,
        a_rollback_may_come_from_any_stage,
        a_rollback_of_which_something_changed_is_a_conflict,
        a_version_in_the_trash_is_not_rolled_back_to,
        what_was_rolled_back_from_is_no_way_back_until_it_is_promoted_again,
        held_before_is_the_last_time_that_the_version_came_there,
    ]
}

async fn two_served(f: &Fixture) {
    f.versions(3).await;
    f.promote(1, Stage::Production).await;
    f.promote(2, Stage::Production).await;
}

async fn a_rollback_brings_back_the_version_that_held_the_stage(f: Fixture) {
    two_served(&f).await;
    let request = into_stage(1, Stage::Production).as_rollback().with_reason("it crashes");
    let plan = f.apply(&request).await.unwrap();
    assert_eq!(plan.gates[1].result, GateResult::Passed, "{plan}");
    assert!(plan.gates[1].evidence.contains(ACTOR), "the journal names who put it there: {plan}");
    assert_eq!(f.holders(Stage::Production).await, [1]);
    assert_eq!(f.read_version(2).await.stage, Stage::Archived);
    let history = f.registry.stage_history(&model_name("churn")).await.unwrap();
    let causes: Vec<_> = history.iter().map(|step| (step.number, step.cause)).collect();
    let expected = [
        (1, MoveCause::Promote),
        (1, MoveCause::Displaced),
        (2, MoveCause::Promote),
        (2, MoveCause::Displaced),
        (1, MoveCause::Rollback),
    ];
    assert_eq!(causes, expected);
    assert_eq!(history[4].reason, "it crashes");
}

async fn gates_and_approvals_of_a_rollback_are_shown_and_waived(f: Fixture) {
    two_served(&f).await;
    let strict = json!({ "gates": ["profile", { "files": {} }], "approvals": { "count": 2 } });
    f.store_document(rules(Stage::Production, &strict)).await;
    let plan = f.apply(&into_stage(1, Stage::Production).as_rollback()).await.unwrap();
    let results: Vec<_> = plan.gates.iter().map(|gate| gate.result).collect();
    let (yes, waived) = (GateResult::Passed, GateResult::Waived);
    assert_eq!(results, [yes, yes, waived, yes, waived], "{plan}");
    assert_eq!(f.holders(Stage::Production).await, [1]);
    let history = f.registry.stage_history(&model_name("churn")).await.unwrap();
    assert_eq!(history.last().unwrap().gates, plan.gates, "what was waived is on record");
}

async fn a_rejection_is_waived_in_a_rollback(f: Fixture) {
    two_served(&f).await;
    f.say("ann", Verdict::Reject, &into_stage(1, Stage::Production)).await.unwrap();
    fails(ErrorKind::Denied, f.apply(&into_stage(1, Stage::Production)).await);
    let plan = f.apply(&into_stage(1, Stage::Production).as_rollback()).await.unwrap();
    assert!(plan.gates.iter().any(|gate| gate.result == GateResult::Waived), "{plan}");
}

async fn a_rollback_to_a_version_that_never_held_the_stage_is_denied(f: Fixture) {
    two_served(&f).await;
    let request = into_stage(3, Stage::Production).as_rollback();
    let plan = f.plan(&request).await.unwrap();
    assert_eq!(plan.gates[1].result, GateResult::Failed);
    fails(ErrorKind::Denied, f.registry.promote(&plan).await);
    assert_eq!(f.holders(Stage::Production).await, [2]);
}

async fn having_held_another_stage_is_not_enough(f: Fixture) {
    two_served(&f).await;
    f.promote(3, Stage::Staging).await;
    f.promote(3, Stage::Archived).await;
    fails(ErrorKind::Denied, f.apply(&into_stage(3, Stage::Production).as_rollback()).await);
    f.apply(&into_stage(3, Stage::Staging).as_rollback()).await.unwrap();
}

async fn the_policy_may_ask_of_a_rollback_what_it_asks_of_a_promotion(f: Fixture) {
    two_served(&f).await;
    let strict = json!({ "gates": ["profile"], "rollback": "as_promotion" });
    f.store_document(rules(Stage::Production, &strict)).await;
    let request = into_stage(1, Stage::Production).as_rollback();
    let plan = f.plan(&request).await.unwrap();
    assert!(plan.gates.iter().all(|gate| gate.result != GateResult::Waived), "{plan}");
    fails(ErrorKind::Denied, f.registry.promote(&plan).await);
    let approved = json!({ "approvals": { "count": 1 }, "rollback": "as_promotion" });
    f.store_document(rules(Stage::Production, &approved)).await;
    fails(ErrorKind::Denied, f.apply(&request).await);
    f.say("ann", Verdict::Approve, &request).await.unwrap();
    f.apply(&request).await.unwrap();
    let strict = json!({ "rollback": "as_promotion" });
    f.store_document(rules(Stage::Production, &strict)).await;
    fails(ErrorKind::Denied, f.apply(&into_stage(3, Stage::Production).as_rollback()).await);
}

async fn a_rollback_needs_the_role_all_the_same(f: Fixture) {
    two_served(&f).await;
    f.store_document(access(&[("root", "admin"), ("vic", "viewer"), ("con", "contributor")])).await;
    let request = into_stage(1, Stage::Production).as_rollback();
    let plan = f.plan_as("vic", &request).await.unwrap();
    fails(ErrorKind::Denied, f.by("vic").promote(&plan).await);
    f.by("con").promote(&plan).await.unwrap();
}

async fn a_rollback_may_come_from_any_stage(f: Fixture) {
    two_served(&f).await;
    f.store_document(rules(Stage::Production, &json!({ "from": ["Staging"] }))).await;
    f.apply(&into_stage(1, Stage::Production).as_rollback()).await.unwrap();
    assert_eq!(f.holders(Stage::Production).await, [1]);
}

async fn a_rollback_of_which_something_changed_is_a_conflict(f: Fixture) {
    two_served(&f).await;
    let plan = f.plan(&into_stage(1, Stage::Production).as_rollback()).await.unwrap();
    f.promote(3, Stage::Production).await;
    fails(ErrorKind::Conflict, f.registry.promote(&plan).await);
    let plan = f.plan(&into_stage(1, Stage::Production).as_rollback()).await.unwrap();
    f.change_version(1, VersionChanges::default().with_evidence(validation("s", 9))).await;
    fails(ErrorKind::Conflict, f.registry.promote(&plan).await);
    assert_eq!(f.holders(Stage::Production).await, [3]);
}

async fn a_version_in_the_trash_is_not_rolled_back_to(f: Fixture) {
    two_served(&f).await;
    let request = into_stage(1, Stage::Production).as_rollback();
    let plan = f.plan(&request).await.unwrap();
    f.change_version(1, VersionChanges::delete()).await;
    fails(ErrorKind::Invalid, f.plan(&request).await);
    fails(ErrorKind::Conflict, f.registry.promote(&plan).await);
    f.purge_models(ModelPurge::Versions(vec![churn(1)])).await;
    fails(ErrorKind::NotFound, f.registry.promote(&plan).await);
    assert_eq!(f.holders(Stage::Production).await, [2]);
}

async fn held_before_is_the_last_time_that_the_version_came_there(f: Fixture) {
    two_served(&f).await;
    f.clock.advance_micros(5);
    f.promote(1, Stage::Production).await;
    f.promote(2, Stage::Production).await;
    let history = f.registry.stage_history(&model_name("churn")).await.unwrap();
    let came: Vec<_> =
        history.iter().filter(|step| step.number == 1 && step.to == Stage::Production).collect();
    assert_eq!(came.len(), 2);
    let state = async |number| {
        let request = into_stage(number, Stage::Production).as_rollback();
        f.registry.promotion_state(&request).await.unwrap()
    };
    let state_of_one = state(1).await;
    assert_eq!(state_of_one.held_before.as_ref(), came.last().copied());
    let state = state(3).await;
    assert_eq!(state.held_before, None);
}

async fn what_was_rolled_back_from_is_no_way_back_until_it_is_promoted_again(f: Fixture) {
    two_served(&f).await;
    let back = |number| into_stage(number, Stage::Production).as_rollback();
    f.apply(&back(1)).await.unwrap();
    fails(ErrorKind::Denied, f.apply(&back(2)).await);
    f.promote(2, Stage::Production).await;
    f.promote(3, Stage::Production).await;
    f.apply(&back(2)).await.unwrap();
    f.apply(&back(1)).await.unwrap();
}
