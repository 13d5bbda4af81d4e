//! Plans, approvals, and the way back.

use mlops_core::ErrorKind;
use mlops_core::registry::{MoveCause, Stage, StagePolicy, VersionChanges};
use mlops_core::time::Clock;

use super::{Fixture, actor};
use crate::models::{Models, policy_from_text};

const APPROVED: &str = "
stages:
  Production:
    gates:
      - metric: {name: auc, at_least: 0.9}
    approvals: {count: 1}
";

async fn promote(models: &Models, uri: &str, to: Stage) {
    let plan = models.promotion_plan(uri, to, "it is time").await.unwrap();
    models.apply(&plan).await.unwrap();
}

#[tokio::test]
async fn a_promotion_is_refused_then_approved_then_applied() {
    let f = Fixture::new();
    let policy = policy_from_text(APPROVED).unwrap();
    f.models.set_policy(None, &policy).await.unwrap();
    for auc in [0.8, 0.95] {
        let builder = f.models.register("churn").unwrap().file("m", b"m".to_vec()).unwrap();
        builder.metric("auc", auc).unwrap().register().await.unwrap();
    }
    let worse = f.models.promotion_plan("churn/1", Stage::Production, "").await.unwrap();
    assert_eq!(worse.failed().count(), 2);
    assert_eq!(f.models.apply(&worse).await.unwrap_err().kind(), ErrorKind::Denied);

    let plan = f.models.promotion_plan("churn/2", Stage::Production, "better").await.unwrap();
    assert_eq!(f.models.approve(&plan, "").await.unwrap_err().kind(), ErrorKind::Denied);
    let bea = f.models.acting_as(actor("bea@review"));
    bea.approve(&plan, "looks good").await.unwrap();
    // The plan did not see the approval, which does it no harm.
    let done = f.models.apply(&plan).await.unwrap();
    assert_eq!((done.actor.as_str(), done.approvals.len()), ("ann@hq", 1));
    assert_eq!(f.models.resolve("churn/production").await.unwrap().number, 2);
}

#[tokio::test]
async fn each_rollback_goes_one_further_back_and_passes_over_what_is_gone() {
    let f = Fixture::new();
    for bytes in [b"1", b"2", b"3", b"4"] {
        f.version(bytes).await;
        promote(&f.models, "churn/latest", Stage::Production).await;
    }
    let trash = VersionChanges::delete();
    f.models.registry().update_version(&"churn/3".parse().unwrap(), trash).await.unwrap();

    let back = f.models.rollback("churn", Stage::Production, "too slow").await.unwrap();
    assert_eq!(back.request.version.number, 2, "the third one is in the trash");
    let back = f.models.rollback("churn", Stage::Production, "too slow").await.unwrap();
    assert_eq!(back.request.version.number, 1);
    let none = f.models.rollback("churn", Stage::Production, "").await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NotFound);
    let unknown = f.models.rollback("nobody", Stage::Production, "").await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);

    let history = f.models.stage_history("churn").await.unwrap();
    let last = history.iter().rfind(|step| step.to == Stage::Production).unwrap();
    assert_eq!((last.cause, last.reason.as_str()), (MoveCause::Rollback, "too slow"));
}

#[tokio::test]
async fn an_empty_stage_gets_back_the_version_that_held_it_last() {
    let f = Fixture::new();
    for bytes in [b"1", b"2"] {
        f.version(bytes).await;
        promote(&f.models, "churn/latest", Stage::Production).await;
    }
    promote(&f.models, "churn/2", Stage::Archived).await;
    let back = f.models.rollback("churn", Stage::Production, "").await.unwrap();
    assert_eq!(back.request.version.number, 2);
}

#[tokio::test]
async fn who_held_a_stage_at_an_instant_is_one_call() {
    let f = Fixture::new();
    f.version(b"1").await;
    f.version(b"2").await;
    let before = f.clock.now();
    f.clock.advance_micros(1_000);
    promote(&f.models, "churn/1", Stage::Production).await;
    let between = f.clock.now();
    f.clock.advance_micros(1_000);
    promote(&f.models.acting_as(actor("bea@hq")), "churn/2", Stage::Production).await;

    let at = async |at| f.models.holders_at("churn", Stage::Production, at).await.unwrap();
    assert!(at(before).await.is_empty());
    let held = at(between).await;
    assert_eq!((held.len(), held[0].number, held[0].actor.as_str()), (1, 1, "ann@hq"));
    let held = at(f.clock.now()).await;
    assert_eq!((held.len(), held[0].number, held[0].actor.as_str()), (1, 2, "bea@hq"));
}

#[tokio::test]
async fn a_policy_is_checked_when_it_is_stored_and_its_own_comes_before_the_default() {
    let f = Fixture::new();
    assert_eq!(f.models.policy("churn").await.unwrap(), None);
    let default = policy_from_text(APPROVED).unwrap();
    f.models.set_policy(None, &default).await.unwrap();
    assert_eq!(f.models.policy("churn").await.unwrap().unwrap().1, default);
    let own = StagePolicy::default();
    f.models.set_policy(Some("churn"), &own).await.unwrap();
    let (document, policy) = f.models.policy("churn").await.unwrap().unwrap();
    assert_eq!((document.name.as_str(), policy), ("churn", own.clone()));

    let clash = f.models.set_policy(Some("default"), &own).await.unwrap_err();
    assert_eq!(clash.kind(), ErrorKind::Invalid);
    let mut impossible = default;
    impossible.stages.get_mut(&Stage::Production).unwrap().from = Some([Stage::Production].into());
    let refused = f.models.set_policy(None, &impossible).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn an_alias_moves_to_another_version_and_away() {
    let f = Fixture::new();
    f.version(b"1").await;
    f.version(b"2").await;
    f.models.set_alias("churn/1", "champion").await.unwrap();
    f.models.set_alias("churn/latest", "champion").await.unwrap();
    assert_eq!(f.models.version("churn@champion").await.unwrap().number, 2);
    f.models.remove_alias("churn", "champion").await.unwrap();
    let gone = f.models.version("churn@champion").await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert_eq!(f.models.search_versions("version > 1", &[]).await.unwrap().len(), 1);
    assert_eq!(f.models.search_models("name = 'churn'", &[]).await.unwrap().len(), 1);
}
