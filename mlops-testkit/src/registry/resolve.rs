//! Which version is meant: by number, alias, stage, or the latest.

use mlops_core::ErrorKind;
use mlops_core::registry::{ModelChanges, ModelPurge, ModelUri, Selector, Stage, VersionChanges};
use serde_json::json;

use crate::build::{alias, churn, model_name, rules};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_version_is_found_by_number_alias_stage_and_as_the_latest,
        a_number_alias_or_stage_without_a_version_is_not_found,
        a_model_without_versions_has_no_latest,
        a_version_in_the_trash_is_not_found,
        the_latest_is_the_greatest_number_that_is_not_in_the_trash,
        nothing_is_found_of_a_model_in_the_trash,
        nothing_is_found_of_a_version_that_was_purged,
        of_several_versions_in_a_stage_the_one_that_came_last_is_found,
        a_version_that_nobody_moved_is_found_in_none,
        a_uri_says_the_same_in_text,
    ]
}

fn by_alias(name: &str) -> Selector {
    Selector::Alias(alias(name))
}

async fn missing(f: &Fixture, selector: Selector) {
    fails(ErrorKind::NotFound, f.resolve(selector).await);
}

async fn a_version_is_found_by_number_alias_stage_and_as_the_latest(f: Fixture) {
    f.versions(3).await;
    f.change_model(ModelChanges::default().with_alias(alias("champion"), 1)).await;
    f.promote(2, Stage::Production).await;
    f.promote(1, Stage::Archived).await;
    for (selector, number) in [
        (Selector::Number(1), 1),
        (Selector::Number(3), 3),
        (by_alias("champion"), 1),
        (Selector::Stage(Stage::Production), 2),
        (Selector::Stage(Stage::Archived), 1),
        (Selector::Latest, 3),
    ] {
        assert_eq!(f.resolve(selector.clone()).await.unwrap(), churn(number), "{selector}");
    }
}

async fn a_number_alias_or_stage_without_a_version_is_not_found(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Staging).await;
    for number in [0, 3, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        missing(&f, Selector::Number(number)).await;
    }
    missing(&f, by_alias("absent")).await;
    for stage in [Stage::Development, Stage::Production, Stage::Archived] {
        missing(&f, Selector::Stage(stage)).await;
    }
    f.promote(1, Stage::Production).await;
    missing(&f, Selector::Stage(Stage::Staging)).await;
}

async fn a_model_without_versions_has_no_latest(f: Fixture) {
    f.make_model("churn").await;
    missing(&f, Selector::Latest).await;
    missing(&f, Selector::Number(1)).await;
}

async fn a_version_in_the_trash_is_not_found(f: Fixture) {
    f.versions(1).await;
    f.promote(1, Stage::Archived).await;
    f.change_version(1, VersionChanges::delete()).await;
    for selector in [Selector::Number(1), Selector::Stage(Stage::Archived), Selector::Latest] {
        missing(&f, selector).await;
    }
    assert_eq!(f.read_version(1).await.id(), churn(1), "it can still be looked at");
    f.change_version(1, VersionChanges::restore()).await;
    assert_eq!(f.resolve(Selector::Stage(Stage::Archived)).await.unwrap(), churn(1));
    assert_eq!(f.resolve(Selector::Number(1)).await.unwrap(), churn(1));
}

async fn the_latest_is_the_greatest_number_that_is_not_in_the_trash(f: Fixture) {
    f.versions(3).await;
    f.change_version(3, VersionChanges::delete()).await;
    assert_eq!(f.resolve(Selector::Latest).await.unwrap(), churn(2));
    f.change_version(2, VersionChanges::delete()).await;
    assert_eq!(f.resolve(Selector::Latest).await.unwrap(), churn(1));
    f.change_version(3, VersionChanges::restore()).await;
    assert_eq!(f.resolve(Selector::Latest).await.unwrap(), churn(3));
}

async fn nothing_is_found_of_a_model_in_the_trash(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Archived).await;
    f.change_model(ModelChanges::delete()).await;
    for selector in [Selector::Number(1), Selector::Stage(Stage::Archived), Selector::Latest] {
        missing(&f, selector).await;
    }
    f.change_model(ModelChanges::restore()).await;
    assert_eq!(f.resolve(Selector::Latest).await.unwrap(), churn(2));
}

async fn nothing_is_found_of_a_version_that_was_purged(f: Fixture) {
    f.versions(2).await;
    f.promote(2, Stage::Archived).await;
    f.change_version(2, VersionChanges::delete()).await;
    f.purge_models(ModelPurge::Versions(vec![churn(2)])).await;
    missing(&f, Selector::Number(2)).await;
    missing(&f, Selector::Stage(Stage::Archived)).await;
    assert_eq!(f.resolve(Selector::Latest).await.unwrap(), churn(1));
    assert!(!f.churn().await.stages.values().flatten().any(|number| *number == 2));
}

async fn of_several_versions_in_a_stage_the_one_that_came_last_is_found(f: Fixture) {
    f.versions(3).await;
    f.store_document(rules(Stage::Production, &json!({ "holders": "many" }))).await;
    for number in [2, 3, 1] {
        f.promote(number, Stage::Production).await;
        let found = f.resolve(Selector::Stage(Stage::Production)).await.unwrap();
        assert_eq!(found, churn(number), "not the greatest, but the last");
    }
    assert_eq!(f.holders(Stage::Production).await, [2, 3, 1]);
    f.promote(1, Stage::Archived).await;
    assert_eq!(f.holders(Stage::Production).await, [2, 3], "then the one before");
    f.promote(2, Stage::Archived).await;
    f.promote(2, Stage::Production).await;
    assert_eq!(f.holders(Stage::Production).await, [3, 2], "who comes again comes last");
}

async fn a_version_that_nobody_moved_is_found_in_none(f: Fixture) {
    f.versions(2).await;
    let none = || f.resolve(Selector::Stage(Stage::None));
    assert_eq!(none().await.unwrap(), churn(2));
    f.promote(1, Stage::Staging).await;
    f.promote(1, Stage::None).await;
    assert_eq!(none().await.unwrap(), churn(1), "it came there last");
    f.promote(1, Stage::Staging).await;
    f.promote(2, Stage::Staging).await;
    fails(ErrorKind::NotFound, none().await);
}

async fn a_uri_says_the_same_in_text(f: Fixture) {
    f.versions(2).await;
    f.change_model(ModelChanges::default().with_alias(alias("champion"), 1)).await;
    f.promote(1, Stage::Production).await;
    for (text, number) in [
        ("models:/churn/2", 2),
        ("models:/churn@champion", 1),
        ("models:/churn/Production", 1),
        ("models:/churn/production", 1),
        ("models:/churn/latest", 2),
        ("churn/latest", 2),
    ] {
        let uri: ModelUri = text.parse().unwrap();
        assert_eq!(uri.model, model_name("churn"));
        let id = f.registry.resolve(&uri.model, &uri.selector).await.unwrap();
        assert_eq!(id, churn(number), "{text}");
    }
}
