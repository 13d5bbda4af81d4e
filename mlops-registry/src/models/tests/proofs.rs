//! What `verify` finds in stores whose tables say something else than their journal.

use std::sync::Arc;

use mlops_core::registry::{
    EvaluationSummary, Evidence, ModelChanges, Stage, StagePolicy, VersionChanges,
};
use mlops_core::time::Clock;
use object_store::ObjectStoreExt;

use super::Fixture;
use crate::models::{Models, ModelsProof, SigningKey, VerifyModels};

/// The tables of one store over the journal of another, as if the first one's had been edited.
fn over_journal_of(f: &Fixture, other: &Fixture) -> Models {
    let models = &f.models;
    let tracking = crate::Tracking::new(
        Arc::clone(models.tracking().tracker()),
        Arc::clone(other.models.tracking().journal()),
        models.tracking().blobs().clone(),
        f.spools.path(),
        Arc::clone(&f.clock) as _,
        crate::TrackingOptions::default(),
    );
    Models::new(
        Arc::clone(models.registry()),
        Arc::clone(models.catalog()),
        Arc::clone(models.lineage()),
        tracking.unwrap(),
        models.actor().clone(),
    )
}

async fn proof(models: &Models) -> ModelsProof {
    models.verify(&VerifyModels::default()).await.unwrap()
}

#[tokio::test]
async fn versions_that_the_journal_does_not_know_are_problems() {
    let (f, other) = (Fixture::new(), Fixture::new());
    f.version(b"1").await;
    other.version(b"1").await;
    other.version(b"2").await;
    let odd = over_journal_of(&f, &other);
    let found = proof(&odd).await.problems;
    for problem in [
        "model churn: last_number is 1, and by the journal 2",
        "version churn/2 was registered and is gone",
    ] {
        assert!(found.iter().any(|found| found == problem), "{found:?}");
    }
    assert!(!found.iter().any(|found| found.contains("version churn/1")), "{found:?}");
    f.models.register("extra").unwrap().file("a", b"1".to_vec()).unwrap().register().await.unwrap();
    let found = proof(&odd).await;
    assert!(found.problems.contains(&"version extra/1 was never registered".to_owned()));
    assert!(found.into_result().is_err());
}

#[tokio::test]
async fn every_edited_field_is_a_problem_that_names_it() {
    let (f, other) = (Fixture::new(), Fixture::new());
    f.version(b"1").await;
    other.version(b"1").await;
    let odd = over_journal_of(&f, &other);
    assert!(proof(&odd).await.is_ok());
    let id = "churn/1".parse().unwrap();
    let registry = f.models.registry();
    let found = async |text: &str| {
        let found = proof(&odd).await;
        assert!(found.problems.iter().any(|problem| problem.contains(text)), "{text}: {found}");
    };

    registry.update_version(&id, VersionChanges::default().with_note("forged")).await.unwrap();
    found("version churn/1: note is \"forged\", and by the journal not there").await;
    let holdout = EvaluationSummary {
        name: "holdout".parse().unwrap(),
        data: None,
        metrics: [("auc".parse().unwrap(), f64::NAN)].into(),
        at: f.clock.now(),
    };
    let change = VersionChanges::default().with_evidence(Evidence::Evaluation(holdout));
    registry.update_version(&id, change).await.unwrap();
    found("version churn/1: evidence").await;
    f.models.sign("churn/1", &SigningKey::generate().unwrap()).await.unwrap();
    found("version churn/1: attestations").await;
    let change = ModelChanges::default().with_alias("champion".parse().unwrap(), 1);
    registry.update_model(&id.model, change).await.unwrap();
    found("model churn: aliases").await;
    let plan = f.models.promotion_plan("churn/1", Stage::Production, "").await.unwrap();
    f.models.apply(&plan).await.unwrap();
    found("version churn/1: stage is \"Production\", and by the journal \"None\"").await;
    found("the history of churn: entry 1 was never registered").await;
    found("model churn: stages").await;
    f.models.set_policy(None, &StagePolicy::default()).await.unwrap();
    found("the policy default: entry 1 was never registered").await;

    let bea = f.models.acting_as(super::actor("bea"));
    let plan = bea.promotion_plan("churn/1", Stage::Staging, "").await.unwrap();
    bea.approve(&plan, "").await.unwrap();
    found("what was said about churn/1 → Staging: entry 1").await;
}

#[tokio::test]
async fn a_proof_says_what_no_seal_covers() {
    let f = Fixture::new();
    f.version(b"1").await;
    let found = proof(&f.models).await;
    let rows = found.journal.as_ref().unwrap().events;
    assert_eq!(found.unsealed(), rows);
    assert!(found.to_string().contains(&format!("but for {rows} rows")), "{found}");
    f.models.tracking().journal().seal().await.unwrap();
    assert!(proof(&f.models).await.to_string().ends_with("\nverified"));
}

#[tokio::test]
async fn an_object_that_is_gone_does_not_hide_what_is_wrong_with_others() {
    let f = Fixture::new();
    for bytes in [b"1", b"2"] {
        let version = f.version(bytes).await;
        let blob = f.models.tracking().tracker().find_blob(version.manifest.files[0].digest).await;
        let location = blob.unwrap().unwrap().location.0;
        f.objects.delete(&location.into()).await.unwrap();
    }
    f.version(b"3").await;
    let found = proof(&f.models).await;
    assert_eq!((found.files, found.problems.len()), (1, 2), "{found}");
}
