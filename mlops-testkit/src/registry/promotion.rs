//! Promotion: plan, look, apply; all of it or nothing.

use mlops_core::ErrorKind;
use mlops_core::registry::{
    ModelChanges, MoveCause, PromotionPlan, PromotionRequest, Stage, Step, VersionChanges,
};
use serde_json::json;

use crate::build::{
    ACTOR, access, actor, at, churn, into_stage, key, model_name, policy, rules, version,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_promoted_version_is_in_its_stage_for_every_reader_at_once,
        the_one_that_was_there_makes_room,
        the_policy_says_where_the_one_that_makes_room_goes,
        where_many_may_be_nobody_makes_room,
        a_policy_that_allows_one_again_makes_all_others_leave,
        a_version_may_only_come_from_where_the_policy_says,
        who_carries_out_a_move_needs_the_role,
        who_has_no_role_may_not_move_anything,
        the_state_is_what_the_reading_calls_say,
        an_unknown_version_has_no_state,
        a_version_that_is_there_already_makes_no_plan,
        a_version_or_model_in_the_trash_makes_no_plan,
        the_plan_is_returned_as_it_was_carried_out,
        a_plan_is_carried_out_once,
        a_plan_survives_being_written_and_read,
        a_plan_changes_nothing_before_it_is_carried_out,
        a_version_keeps_everything_else_when_it_moves,
        the_reason_must_not_be_too_long,
        a_move_of_one_model_is_none_of_another,
    ]
}

async fn stages(f: &Fixture) -> Vec<Stage> {
    let mut all = Vec::new();
    for number in 1..=f.churn().await.last_number {
        all.push(f.read_version(number).await.stage);
    }
    all
}

async fn a_promoted_version_is_in_its_stage_for_every_reader_at_once(f: Fixture) {
    f.versions(2).await;
    let (ann, bob) = (f.by("ann"), f.by("bob"));
    for (handle, number) in [(&ann, 1), (&bob, 2), (&ann, 1)] {
        let request = into_stage(number, Stage::Production);
        let plan = f.plan(&request).await.unwrap();
        let production = mlops_core::registry::Selector::Stage(Stage::Production);
        handle.resolve(&model_name("churn"), &production).await.ok();
        handle.promote(&plan).await.unwrap();
        for reader in [&ann, &bob, &f.registry] {
            let found = reader.resolve(&model_name("churn"), &production).await.unwrap();
            assert_eq!(found, churn(number));
        }
        assert_eq!(f.holders(Stage::Production).await, [number]);
    }
}

async fn the_one_that_was_there_makes_room(f: Fixture) {
    f.versions(3).await;
    for stage in [Stage::Production, Stage::Staging] {
        let plan = f.promote(1, stage).await;
        assert_eq!(plan.steps.len(), 1);
        let from = f.read_version(2).await.stage;
        let plan = f.promote(2, stage).await;
        let displaced = Step { number: 1, from: stage, to: Stage::Archived };
        assert_eq!(plan.steps, [displaced, Step { number: 2, from, to: stage }]);
        assert_eq!(stages(&f).await, [Stage::Archived, stage, Stage::None]);
        assert_eq!(f.holders(stage).await, [2]);
    }
}

async fn the_policy_says_where_the_one_that_makes_room_goes(f: Fixture) {
    f.versions(2).await;
    f.store_document(rules(Stage::Production, &json!({ "displaced_to": "Development" }))).await;
    f.promote(1, Stage::Production).await;
    f.promote(2, Stage::Production).await;
    assert_eq!(stages(&f).await, [Stage::Development, Stage::Production]);
    assert_eq!(f.holders(Stage::Development).await, [1]);
}

async fn where_many_may_be_nobody_makes_room(f: Fixture) {
    f.versions(3).await;
    for number in [1, 2, 3] {
        f.promote(number, Stage::Development).await;
    }
    assert_eq!(f.holders(Stage::Development).await, [1, 2, 3], "many by default");
    f.store_document(rules(Stage::Production, &json!({ "holders": "many" }))).await;
    for number in [3, 1] {
        f.promote(number, Stage::Production).await;
    }
    assert_eq!(f.holders(Stage::Production).await, [3, 1]);
    f.store_document(rules(Stage::Development, &json!({ "holders": "one" }))).await;
    f.promote(3, Stage::Development).await;
    assert_eq!(f.holders(Stage::Development).await, [3]);
}

async fn a_policy_that_allows_one_again_makes_all_others_leave(f: Fixture) {
    f.versions(4).await;
    f.store_document(rules(Stage::Production, &json!({ "holders": "many" }))).await;
    for number in [2, 3, 1] {
        f.promote(number, Stage::Production).await;
    }
    f.store_document(rules(Stage::Production, &json!({}))).await;
    let plan = f.promote(4, Stage::Production).await;
    let moved: Vec<_> = plan.steps.iter().map(|step| step.number).collect();
    assert_eq!(moved, [2, 3, 1, 4], "its own comes last");
    assert_eq!(f.holders(Stage::Production).await, [4]);
    let mut archived = f.holders(Stage::Archived).await;
    archived.sort_unstable();
    assert_eq!(archived, [1, 2, 3]);
}

async fn a_version_may_only_come_from_where_the_policy_says(f: Fixture) {
    f.versions(1).await;
    f.store_document(rules(Stage::Production, &json!({ "from": ["Staging"] }))).await;
    let request = into_stage(1, Stage::Production);
    let plan = f.plan(&request).await.unwrap();
    assert_eq!(plan.failed().count(), 1, "{plan}");
    fails(ErrorKind::Denied, f.registry.promote(&plan).await);
    f.promote(1, Stage::Staging).await;
    assert!(f.apply(&request).await.unwrap().is_allowed());
}

async fn who_carries_out_a_move_needs_the_role(f: Fixture) {
    f.versions(1).await;
    let all = [("root", "admin"), ("vic", "viewer"), ("con", "contributor"), ("app", "approver")];
    f.store_document(access(&all)).await;
    let move_by = async |who: &str, to: Stage| {
        let plan = f.plan_as(who, &into_stage(1, to)).await.unwrap();
        let result = f.by(who).promote(&plan).await;
        assert_eq!(plan.is_allowed(), result.is_ok(), "{plan}");
        result
    };
    fails(ErrorKind::Denied, move_by("vic", Stage::Staging).await);
    move_by("con", Stage::Staging).await.unwrap();
    f.store_document(rules(Stage::Production, &json!({ "role": "approver" }))).await;
    fails(ErrorKind::Denied, move_by("vic", Stage::Production).await);
    fails(ErrorKind::Denied, move_by("con", Stage::Production).await);
    move_by("app", Stage::Production).await.unwrap();
    move_by("root", Stage::Staging).await.unwrap();
    f.store_document(rules(Stage::Production, &json!({ "role": "admin" }))).await;
    fails(ErrorKind::Denied, move_by("app", Stage::Production).await);
    move_by("root", Stage::Production).await.unwrap();
}

async fn who_has_no_role_may_not_move_anything(f: Fixture) {
    f.versions(1).await;
    let grants = json!({ "grants": [
        { "actor": "root", "role": "admin" },
        { "actor": "ci/*", "role": "contributor", "models": ["other"] },
    ] });
    let document = mlops_core::registry::PutDocument::new(key("access"), key("default"), grants);
    f.store_document(document).await;
    for who in ["mallory", "ci/42", "roots", ACTOR] {
        let plan = f.plan_as(who, &into_stage(1, Stage::Development)).await.unwrap();
        assert!(!plan.is_allowed(), "{plan}");
        fails(ErrorKind::Denied, f.by(who).promote(&plan).await);
    }
    assert_eq!(stages(&f).await, [Stage::None]);
}

async fn the_state_is_what_the_reading_calls_say(f: Fixture) {
    let run = f.one_run().await;
    f.versions(2).await;
    let status = mlops_core::tracking::RunStatus::Running;
    f.add("churn", crate::build::made_by("3", run.id, status)).await;
    f.promote(1, Stage::Production).await;
    f.promote(2, Stage::Production).await;
    let request = into_stage(3, Stage::Production);
    let state = f.registry.promotion_state(&request).await.unwrap();
    assert_eq!((&state.model, &state.version), (&f.churn().await, &f.read_version(3).await));
    assert_eq!(state.holders, [f.read_version(2).await]);
    assert_eq!((&state.policy, &state.access, &state.drill), (&None, &None, &None));
    assert_eq!(state.run, Some(f.read(run.id).await));
    assert!(state.approvals.is_empty() && state.held_before.is_none());

    let policy = f.store_document(policy("churn", &json!({ "stages": {} }))).await;
    let access = f.store_document(access(&[(ACTOR, "admin")])).await;
    let approval = f
        .say(ACTOR, mlops_core::registry::Verdict::Reject, &into_stage(1, Stage::Production))
        .await
        .unwrap();
    let state = f.registry.promotion_state(&into_stage(1, Stage::Production)).await.unwrap();
    assert_eq!((state.policy, state.access), (Some(policy), Some(access)));
    assert_eq!(state.approvals, [approval]);
    assert_eq!(state.run, None);
    assert_eq!(state.held_before, None, "nobody asks for a rollback");
    let back = into_stage(1, Stage::Production).as_rollback();
    let state = f.registry.promotion_state(&back).await.unwrap();
    let history = f.registry.stage_history(&model_name("churn")).await.unwrap();
    assert_eq!(state.held_before.as_ref(), history.first(), "the last time that it came there");
    let state = f.registry.promotion_state(&into_stage(1, Stage::Staging)).await.unwrap();
    assert!(state.approvals.is_empty() && state.held_before.is_none() && state.holders.is_empty());
}

async fn an_unknown_version_has_no_state(f: Fixture) {
    f.versions(1).await;
    for number in [0, 2, u64::MAX] {
        let request = into_stage(number, Stage::Staging);
        fails(ErrorKind::NotFound, f.registry.promotion_state(&request).await);
    }
}

async fn a_version_that_is_there_already_makes_no_plan(f: Fixture) {
    f.versions(1).await;
    fails(ErrorKind::Invalid, f.plan(&into_stage(1, Stage::None)).await);
    f.promote(1, Stage::Staging).await;
    fails(ErrorKind::Invalid, f.plan(&into_stage(1, Stage::Staging)).await);
}

async fn a_version_or_model_in_the_trash_makes_no_plan(f: Fixture) {
    f.versions(2).await;
    let plan = f.plan(&into_stage(1, Stage::Staging)).await.unwrap();
    f.change_version(1, VersionChanges::delete()).await;
    fails(ErrorKind::Invalid, f.plan(&into_stage(1, Stage::Staging)).await);
    fails(ErrorKind::Conflict, f.registry.promote(&plan).await);
    let plan = f.plan(&into_stage(2, Stage::Staging)).await.unwrap();
    f.change_model(ModelChanges::delete()).await;
    fails(ErrorKind::Invalid, f.plan(&into_stage(2, Stage::Staging)).await);
    fails(ErrorKind::Conflict, f.registry.promote(&plan).await);
    f.change_model(ModelChanges::restore()).await;
    f.registry.promote(&plan).await.expect("everything is as it was");
}

async fn the_plan_is_returned_as_it_was_carried_out(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    let request = into_stage(2, Stage::Production).with_reason("better");
    let plan = f.plan(&request).await.unwrap();
    f.clock.advance_micros(9);
    let done = f.by("ann").promote(&plan).await.unwrap();
    assert_eq!((done.actor.as_str(), done.at), ("ann", at(9)), "who did it, and when");
    assert_eq!(done.request, request);
    assert_eq!((&done.steps, &done.facts, done.basis), (&plan.steps, &plan.facts, plan.basis));
    assert!(done.is_allowed());
}

async fn a_plan_is_carried_out_once(f: Fixture) {
    f.versions(2).await;
    let plan = f.plan(&into_stage(1, Stage::Production)).await.unwrap();
    f.registry.promote(&plan).await.unwrap();
    let rows = f.rows().await;
    fails(ErrorKind::Conflict, f.registry.promote(&plan).await);
    assert_eq!(f.rows().await, rows);
    f.promote(1, Stage::None).await;
    f.registry.promote(&plan).await.expect("all that it relied on is so again");
}

async fn a_plan_survives_being_written_and_read(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    let gates = json!({ "gates": [{ "files": {} }], "approvals": { "count": 1 } });
    f.store_document(rules(Stage::Production, &gates)).await;
    let request = into_stage(2, Stage::Production).with_reason("ü \"quoted\"");
    f.say("ann", mlops_core::registry::Verdict::Approve, &request).await.unwrap();
    let plan = f.plan(&request).await.unwrap();
    let text = serde_json::to_string(&plan).unwrap();
    let read: PromotionPlan = serde_json::from_str(&text).unwrap();
    assert_eq!(read, plan);
    f.registry.promote(&read).await.unwrap();
    assert_eq!(f.holders(Stage::Production).await, [2]);
}

async fn a_plan_changes_nothing_before_it_is_carried_out(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    let before = (f.rows().await, f.churn().await);
    for number in [1, 2] {
        for stage in Stage::ALL {
            f.plan(&into_stage(number, stage)).await.ok();
        }
    }
    assert_eq!((f.rows().await, f.churn().await), before);
}

async fn a_version_keeps_everything_else_when_it_moves(f: Fixture) {
    f.make_model("churn").await;
    let options = version("1").with_note("x").with_tag(key("a"), "1");
    f.add("churn", options.with_evidence(crate::build::validation("s", 0))).await;
    let before = f.read_version(1).await;
    f.promote(1, Stage::Production).await;
    f.promote(1, Stage::None).await;
    assert_eq!(f.read_version(1).await, before);
}

async fn the_reason_must_not_be_too_long(f: Fixture) {
    f.versions(1).await;
    let most = mlops_core::tracking::MAX_VALUE_BYTES;
    for reason in ["x".repeat(most + 1), "a\0b".to_owned()] {
        let request = into_stage(1, Stage::Staging).with_reason(reason);
        fails(ErrorKind::Invalid, f.apply(&request).await);
    }
    f.apply(&into_stage(1, Stage::Staging).with_reason("x".repeat(most))).await.unwrap();
    let history = f.registry.stage_history(&model_name("churn")).await.unwrap();
    assert_eq!(history[0].reason.len(), most);
    assert_eq!((history[0].cause, &history[0].actor), (MoveCause::Promote, &actor(ACTOR)));
}

async fn a_move_of_one_model_is_none_of_another(f: Fixture) {
    f.versions(1).await;
    f.make_model("other").await;
    let other = f.add("other", version("o")).await.version.id();
    f.promote(1, Stage::Production).await;
    f.apply(&PromotionRequest::new(other, Stage::Production)).await.unwrap();
    assert_eq!(f.holders(Stage::Production).await, [1]);
    assert_eq!(f.registry.stage_history(&model_name("churn")).await.unwrap().len(), 1);
}
