//! History: every move, and who held a stage at any instant.

use mlops_core::ErrorKind;
use mlops_core::registry::{
    ModelChanges, ModelPurge, MoveCause, Stage, StageMove, Verdict, VersionChanges,
};
use serde_json::json;

use crate::build::{ACTOR, actor, at, churn, into_stage, model_name, rules};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        the_history_is_every_move_in_order,
        a_model_that_never_moved_has_no_history,
        each_move_says_who_when_why_and_on_what_evidence,
        the_history_explains_every_stage,
        what_held_a_stage_at_an_instant_is_known,
        a_clock_that_steps_back_does_not_confuse_the_history,
        moves_of_purged_versions_stay_in_the_history,
        moves_go_with_their_model_when_it_is_purged,
    ]
}

async fn history(f: &Fixture) -> Vec<StageMove> {
    f.registry.stage_history(&model_name("churn")).await.unwrap()
}

async fn the_history_is_every_move_in_order(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Staging).await;
    f.promote(1, Stage::Production).await;
    f.promote(2, Stage::Production).await;
    f.promote(2, Stage::None).await;
    let moves: Vec<_> = history(&f).await.iter().map(|m| (m.number, m.from, m.to)).collect();
    let (none, production) = (Stage::None, Stage::Production);
    let expected = [
        (1, none, Stage::Staging),
        (1, Stage::Staging, production),
        (1, production, Stage::Archived),
        (2, none, production),
        (2, production, none),
    ];
    assert_eq!(moves, expected);
    let numbers: Vec<_> = history(&f).await.iter().map(|step| step.sequence).collect();
    assert_eq!(numbers, [4, 5, 6, 6, 7], "the moves of one decision have one number");
}

async fn a_model_that_never_moved_has_no_history(f: Fixture) {
    f.versions(2).await;
    assert!(history(&f).await.is_empty());
}

async fn each_move_says_who_when_why_and_on_what_evidence(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    let strict = json!({ "gates": [{ "files": {} }], "approvals": { "count": 1 } });
    f.store_document(rules(Stage::Production, &strict)).await;
    let request = into_stage(2, Stage::Production).with_reason("better on the holdout");
    let approval = f.say("ann", Verdict::Approve, &request).await.unwrap();
    f.clock.advance_micros(9);
    let plan = f.plan(&request).await.unwrap();
    f.by("bob").promote(&plan).await.unwrap();
    let rows = f.rows().await as u64;

    let moves = history(&f).await;
    let (displaced, promoted) = (&moves[1], &moves[2]);
    for step in [displaced, promoted] {
        assert_eq!((step.sequence, step.at, &step.actor), (rows, at(9), &actor("bob")));
        assert_eq!(
            (step.reason.as_str(), step.policy.as_str()),
            ("better on the holdout", "default@1")
        );
    }
    assert_eq!((displaced.cause, promoted.cause), (MoveCause::Displaced, MoveCause::Promote));
    assert_eq!(promoted.approvals, [approval]);
    let shown: Vec<_> = promoted.gates.iter().map(|gate| gate.gate.as_str()).collect();
    assert_eq!(shown, ["role contributor", "no file runs code", "approved by 1 approver"]);
    assert!(promoted.gates[0].evidence.contains("bob"), "it was bob whose role was asked");
    assert_eq!(moves[0].policy, "", "there was none then");
}

/// Following the moves from the beginning gives the stage that each version is in.
async fn the_history_explains_every_stage(f: Fixture) {
    f.versions(4).await;
    f.store_document(rules(Stage::Staging, &json!({ "holders": "many" }))).await;
    let walk = [
        (1, Stage::Staging),
        (2, Stage::Staging),
        (1, Stage::Production),
        (2, Stage::Production),
        (3, Stage::Development),
        (1, Stage::Production),
        (4, Stage::Production),
        (4, Stage::None),
        (3, Stage::Archived),
    ];
    for (number, stage) in walk {
        f.promote(number, stage).await;
        let history = history(&f).await;
        for n in 1..=4 {
            let mut place = Stage::None;
            for step in history.iter().filter(|step| step.number == n) {
                assert_eq!(step.from, place, "{step:?}");
                place = step.to;
            }
            assert_eq!(place, f.read_version(n).await.stage, "version {n}");
        }
        for stage in Stage::ALL.into_iter().filter(|stage| *stage != Stage::None) {
            let explained = StageMove::holders_at(&history, stage, at(0));
            let explained: Vec<_> = explained.iter().map(|step| step.number).collect();
            assert_eq!(explained, f.holders(stage).await, "{stage}");
        }
    }
}

async fn what_held_a_stage_at_an_instant_is_known(f: Fixture) {
    f.versions(2).await;
    for (number, to) in [(1, Stage::Production), (2, Stage::Production), (2, Stage::Archived)] {
        f.clock.advance_micros(10);
        f.by(&format!("actor {number}"))
            .promote(&f.plan(&into_stage(number, to)).await.unwrap())
            .await
            .unwrap();
    }
    let history = history(&f).await;
    let held = |micros| {
        let holders = StageMove::holders_at(&history, Stage::Production, at(micros));
        holders.iter().map(|step| (step.number, step.actor.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(held(9), []);
    assert_eq!(held(10), [(1, "actor 1".to_owned())]);
    assert_eq!(held(19), [(1, "actor 1".to_owned())]);
    assert_eq!(held(20), [(2, "actor 2".to_owned())]);
    assert_eq!(held(30), []);
}

async fn a_clock_that_steps_back_does_not_confuse_the_history(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    f.clock.advance_micros(-100);
    f.promote(2, Stage::Production).await;
    let history = history(&f).await;
    let order: Vec<_> = history.iter().map(|step| (step.number, step.at)).collect();
    assert_eq!(order, [(1, at(0)), (1, at(-100)), (2, at(-100))], "in the journal's order");
    let holders = StageMove::holders_at(&history, Stage::Production, at(0));
    assert_eq!(holders.iter().map(|step| step.number).collect::<Vec<_>>(), [2]);
}

async fn moves_of_purged_versions_stay_in_the_history(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    f.promote(2, Stage::Production).await;
    let before = history(&f).await;
    f.change_version(1, VersionChanges::delete()).await;
    f.purge_models(ModelPurge::Versions(vec![churn(1)])).await;
    assert_eq!(history(&f).await, before);
    assert_eq!(before[0].actor.as_str(), ACTOR);
}

async fn moves_go_with_their_model_when_it_is_purged(f: Fixture) {
    f.versions(1).await;
    f.promote(1, Stage::Archived).await;
    f.change_model(ModelChanges::delete()).await;
    f.purge_models(ModelPurge::Models(vec![model_name("churn")])).await;
    let gone = f.registry.stage_history(&model_name("churn")).await;
    fails(ErrorKind::NotFound, gone);
    f.versions(1).await;
    assert!(history(&f).await.is_empty(), "the journal keeps what was before");
}
