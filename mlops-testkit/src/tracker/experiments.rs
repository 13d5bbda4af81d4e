//! Making, renaming, labelling experiments.

use mlops_core::ErrorKind;
use mlops_core::tracking::{CreateExperiment, ExperimentChanges, ExperimentQuery};

use crate::build::{at, experiment_id, key};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        an_experiment_comes_back_as_it_was_made,
        an_experiment_without_an_id_gets_one_of_its_own,
        creating_a_name_that_a_live_experiment_has_already_exists,
        a_deleted_experiment_does_not_block_its_name,
        creating_an_experiment_again_returns_it_as_it_is_by_now,
        updating_an_experiment_that_does_not_exist_is_not_found,
        renaming_to_a_name_that_a_live_experiment_has_already_exists,
        restoring_onto_a_taken_name_already_exists,
        an_experiment_may_be_restored_under_another_name,
        labels_of_an_experiment_are_set_replaced_and_taken_away,
        changing_an_experiment_in_the_trash_is_invalid,
    ]
}

async fn an_experiment_comes_back_as_it_was_made(f: Fixture) {
    let options = CreateExperiment::default()
        .with_id(experiment_id(1))
        .with_tag(key("team"), "x")
        .with_created(at(-5));
    let made = f.tracker.create_experiment(&"churn".parse().unwrap(), options).await.unwrap();
    assert_eq!(made.id, experiment_id(1));
    assert_eq!(made.name.as_str(), "churn");
    assert_eq!(made.created, at(-5));
    assert_eq!(made.deleted, None);
    assert_eq!(made.tags[&key("team")], "x");

    let found = f.tracker.search_experiments(&ExperimentQuery::default()).await.unwrap();
    assert_eq!(found.items, [made]);
}

async fn an_experiment_without_an_id_gets_one_of_its_own(f: Fixture) {
    let make = |name: &str| {
        let (tracker, name) = (f.tracker.clone(), name.parse().unwrap());
        async move { tracker.create_experiment(&name, CreateExperiment::default()).await.unwrap() }
    };
    let (a, b) = (make("a").await, make("b").await);
    assert_ne!(a.id, b.id);
    assert_eq!(a.created, at(0), "it was made now");
}

async fn creating_a_name_that_a_live_experiment_has_already_exists(f: Fixture) {
    f.experiment(1, "churn").await;
    let again =
        f.tracker.create_experiment(&"churn".parse().unwrap(), CreateExperiment::default()).await;
    fails(ErrorKind::AlreadyExists, again);
    let other =
        f.tracker.create_experiment(&"Churn".parse().unwrap(), CreateExperiment::default()).await;
    other.expect("names that differ in case are different names");
}

async fn a_deleted_experiment_does_not_block_its_name(f: Fixture) {
    let first = f.experiment(1, "churn").await;
    f.tracker.update_experiment(first.id, ExperimentChanges::delete()).await.unwrap();
    let second = f.experiment(2, "churn").await;
    f.tracker.update_experiment(second.id, ExperimentChanges::delete()).await.unwrap();
    f.experiment(3, "churn").await;
}

async fn creating_an_experiment_again_returns_it_as_it_is_by_now(f: Fixture) {
    let made = f.experiment(1, "churn").await;
    assert_eq!(f.experiment(1, "churn").await, made);
    let renamed = ExperimentChanges::rename("attrition".parse().unwrap());
    let renamed = f.tracker.update_experiment(made.id, renamed).await.unwrap();
    assert_eq!(f.experiment(1, "churn").await, renamed);
    let deleted = f.tracker.update_experiment(made.id, ExperimentChanges::delete()).await.unwrap();
    assert_eq!(f.experiment(1, "churn").await, deleted);
}

async fn updating_an_experiment_that_does_not_exist_is_not_found(f: Fixture) {
    let missing = f.tracker.update_experiment(experiment_id(9), ExperimentChanges::delete()).await;
    fails(ErrorKind::NotFound, missing);
}

async fn renaming_to_a_name_that_a_live_experiment_has_already_exists(f: Fixture) {
    let first = f.experiment(1, "churn").await;
    f.experiment(2, "fraud").await;
    let rename = |name: &str| ExperimentChanges::rename(name.parse().unwrap());
    let taken = rename("fraud").with_tag(key("team"), "x");
    fails(ErrorKind::AlreadyExists, f.tracker.update_experiment(first.id, taken).await);
    assert_eq!(f.experiment(1, "churn").await, first, "nothing of the change happened");
    let own = f.tracker.update_experiment(first.id, rename("churn")).await.unwrap();
    assert_eq!(own, first, "its own name is not taken");
}

async fn restoring_onto_a_taken_name_already_exists(f: Fixture) {
    let first = f.experiment(1, "churn").await;
    f.tracker.update_experiment(first.id, ExperimentChanges::delete()).await.unwrap();
    f.experiment(2, "churn").await;
    let restored = f.tracker.update_experiment(first.id, ExperimentChanges::restore()).await;
    fails(ErrorKind::AlreadyExists, restored);
    assert!(f.experiment(1, "churn").await.deleted.is_some(), "it is in the trash still");
}

async fn an_experiment_may_be_restored_under_another_name(f: Fixture) {
    let first = f.experiment(1, "churn").await;
    f.tracker.update_experiment(first.id, ExperimentChanges::delete()).await.unwrap();
    f.experiment(2, "churn").await;
    let mut changes = ExperimentChanges::restore();
    changes.name = Some("churn-1".parse().unwrap());
    let restored = f.tracker.update_experiment(first.id, changes).await.unwrap();
    assert_eq!((restored.name.as_str(), restored.deleted), ("churn-1", None));
}

async fn labels_of_an_experiment_are_set_replaced_and_taken_away(f: Fixture) {
    let made = f.experiment(1, "churn").await;
    let set = ExperimentChanges::default().with_tag(key("a"), "1").with_tag(key("b"), "1");
    f.tracker.update_experiment(made.id, set).await.unwrap();
    let changes = ExperimentChanges::default()
        .with_tag(key("a"), "2")
        .without_tag(key("b"))
        .without_tag(key("absent"));
    let made = f.tracker.update_experiment(made.id, changes).await.unwrap();
    assert_eq!(made.tags, [(key("a"), "2".to_owned())].into());
    assert_eq!(f.experiment(1, "churn").await, made);
}

async fn changing_an_experiment_in_the_trash_is_invalid(f: Fixture) {
    let made = f.experiment(1, "churn").await;
    let delete = ExperimentChanges::delete;
    let deleted = f.tracker.update_experiment(made.id, delete()).await.unwrap();
    for changes in [
        ExperimentChanges::rename("other".parse().unwrap()),
        ExperimentChanges::default().with_tag(key("team"), "x"),
        delete().with_tag(key("team"), "x"),
    ] {
        fails(ErrorKind::Invalid, f.tracker.update_experiment(made.id, changes).await);
    }
    f.clock.advance_micros(1);
    let again = f.tracker.update_experiment(made.id, delete()).await.unwrap();
    assert_eq!(again, deleted, "deleting it again is harmless");
}
