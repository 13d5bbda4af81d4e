//! Pages of models and versions: each once, whatever happens in between.

use mlops_core::ErrorKind;
use mlops_core::registry::{
    CreateModel, ModelChanges, ModelPurge, ModelQuery, Stage, VersionChanges, VersionQuery,
};
use mlops_core::tracking::{PageToken, RunQuery, View};

use super::population::populate;
use crate::build::{churn, key, model_name, scored, version, version_id};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        pages_of_any_size_hold_each_model_once_in_order,
        pages_of_any_size_hold_each_version_once_in_order,
        the_last_page_of_models_or_versions_has_no_next_one,
        pages_neither_repeat_nor_skip_when_versions_come_and_go,
        models_and_versions_made_after_the_first_page_are_not_returned,
        a_page_follows_a_version_that_has_left_the_result,
        moves_and_aliases_between_pages_change_no_place,
        a_token_of_another_query_of_the_registry_is_invalid,
        a_text_that_is_no_token_of_the_registry_is_invalid,
    ]
}

async fn models(f: &Fixture, query: &ModelQuery) -> Vec<String> {
    let (mut query, mut all) = (query.clone(), Vec::new());
    loop {
        let page = f.registry.search_models(&query).await.unwrap();
        assert!(page.items.len() <= query.limit && all.len() <= 1_000);
        all.extend(page.items.iter().map(|model| model.name.to_string()));
        match page.next {
            Some(next) => query.page = Some(next),
            None => return all,
        }
    }
}

async fn versions(f: &Fixture, query: &VersionQuery) -> Vec<String> {
    let (mut query, mut all) = (query.clone(), Vec::new());
    loop {
        let page = f.registry.search_versions(&query).await.unwrap();
        assert!(page.items.len() <= query.limit && all.len() <= 1_000);
        all.extend(page.items.iter().map(|version| version.id().to_string()));
        match page.next {
            Some(next) => query.page = Some(next),
            None => return all,
        }
    }
}

async fn pages_of_any_size_hold_each_model_once_in_order(f: Fixture) {
    populate(&*f.registry).await;
    for order in
        [&[][..], &["name desc"], &["tags.team", "created desc"], &["note"], &["updated desc"]]
    {
        let query = ModelQuery::parse("", order).unwrap().with_view(View::All);
        let at_once = models(&f, &query.clone().with_limit(100)).await;
        assert_eq!(at_once.len(), 6);
        for limit in 1..=7 {
            assert_eq!(
                models(&f, &query.clone().with_limit(limit)).await,
                at_once,
                "{order:?} by {limit}"
            );
        }
    }
}

async fn pages_of_any_size_hold_each_version_once_in_order(f: Fixture) {
    populate(&*f.registry).await;
    for order in [
        &[][..],
        &["version desc"],
        &["metrics.auc"],
        &["metrics.auc desc", "user"],
        &["params.lr", "tags.team desc"],
        &["run_id", "created"],
    ] {
        let query = VersionQuery::parse("", order).unwrap().with_view(View::All);
        let at_once = versions(&f, &query.clone().with_limit(100)).await;
        assert_eq!(at_once.len(), 11);
        for limit in [1, 2, 3, 7, 10, 11, 12] {
            let paged = versions(&f, &query.clone().with_limit(limit)).await;
            assert_eq!(paged, at_once, "{order:?} by {limit}");
        }
    }
}

async fn the_last_page_of_models_or_versions_has_no_next_one(f: Fixture) {
    f.versions(2).await;
    f.make_model("other").await;
    for (limit, more) in [(1, true), (2, false), (3, false)] {
        let page =
            f.registry.search_models(&ModelQuery::default().with_limit(limit)).await.unwrap();
        assert_eq!(page.next.is_some(), more, "a full page may be the last");
        let page =
            f.registry.search_versions(&VersionQuery::default().with_limit(limit)).await.unwrap();
        assert_eq!(page.next.is_some(), more);
    }
}

async fn pages_neither_repeat_nor_skip_when_versions_come_and_go(f: Fixture) {
    f.make_model("churn").await;
    for n in 1..=9_u8 {
        f.add("churn", scored(&n.to_string(), f64::from(n % 3))).await;
    }
    let query = VersionQuery::parse("", &["metrics.auc"]).unwrap().with_limit(3);
    // By auc: 9 6 3 | 7 4 1 | 8 5 2.
    let first = f.registry.search_versions(&query).await.unwrap();
    for n in [6, 4] {
        f.change_version(n, VersionChanges::delete()).await;
    }
    for content in ["10", "11"] {
        f.add("churn", scored(content, 0.0)).await;
    }
    let rest = versions(&f, &query.with_page(first.next.unwrap())).await;
    assert_eq!(rest, ["churn/7", "churn/1", "churn/8", "churn/5", "churn/2"]);
}

async fn models_and_versions_made_after_the_first_page_are_not_returned(f: Fixture) {
    for name in ["a", "c", "e"] {
        f.make_model(name).await;
        f.add(name, version(name)).await;
    }
    let query = ModelQuery::default().with_limit(1);
    let by_version = VersionQuery::default().with_limit(1);
    let first = f.registry.search_models(&query).await.unwrap();
    let first_version = f.registry.search_versions(&by_version).await.unwrap();
    f.make_model("d").await;
    f.add("d", version("d")).await;
    f.add("e", version("e2")).await;
    let rest = query.clone().with_page(first.next.unwrap());
    assert_eq!(models(&f, &rest).await, ["c", "e"]);
    assert_eq!(models(&f, &query).await, ["a", "c", "d", "e"], "a new search sees it");
    let rest = by_version.clone().with_page(first_version.next.unwrap());
    assert_eq!(versions(&f, &rest).await, ["c/1", "e/1"]);
    assert_eq!(versions(&f, &by_version).await, ["a/1", "c/1", "d/1", "e/2", "e/1"]);
}

async fn a_page_follows_a_version_that_has_left_the_result(f: Fixture) {
    f.versions(4).await;
    let query = VersionQuery::default().with_limit(2);
    let first = f.registry.search_versions(&query).await.unwrap();
    let rest = query.with_page(first.next.unwrap());
    f.change_version(3, VersionChanges::delete()).await;
    assert_eq!(versions(&f, &rest).await, ["churn/2", "churn/1"]);
    f.purge_models(ModelPurge::Versions(vec![churn(3)])).await;
    assert_eq!(versions(&f, &rest).await, ["churn/2", "churn/1"]);

    for name in ["a", "b"] {
        f.make_model(name).await;
    }
    let query = ModelQuery::default().with_limit(1);
    let first = f.registry.search_models(&query).await.unwrap();
    f.registry.update_model(&model_name("a"), ModelChanges::delete()).await.unwrap();
    f.purge_models(ModelPurge::Models(vec![model_name("a")])).await;
    f.registry.create_model(&model_name("a"), CreateModel::default()).await.unwrap();
    let rest = query.with_page(first.next.unwrap());
    assert_eq!(models(&f, &rest).await, ["b", "churn"]);
}

async fn moves_and_aliases_between_pages_change_no_place(f: Fixture) {
    f.versions(5).await;
    let query = VersionQuery::default().with_limit(2);
    let first = f.registry.search_versions(&query).await.unwrap();
    for n in [5, 3, 1] {
        f.promote(n, Stage::Production).await;
        let moved = ModelChanges::default().with_alias(crate::build::alias("a"), n);
        f.change_model(moved).await;
        f.change_version(n, VersionChanges::default().with_tag(key("t"), "1")).await;
    }
    let rest = query.with_page(first.next.unwrap());
    assert_eq!(versions(&f, &rest).await, ["churn/3", "churn/2", "churn/1"]);
}

async fn a_token_of_another_query_of_the_registry_is_invalid(f: Fixture) {
    populate(&*f.registry).await;
    let query = VersionQuery::parse("user = 'ann'", &["metrics.auc"]).unwrap().with_limit(2);
    let token = f.registry.search_versions(&query).await.unwrap().next.unwrap();
    let mut of_churn = query.clone();
    of_churn.model = Some(model_name("churn"));
    for other in [
        VersionQuery::parse("user = 'bob'", &["metrics.auc"]).unwrap(),
        VersionQuery::parse("user = 'ann'", &["metrics.auc desc"]).unwrap(),
        VersionQuery::parse("user = 'ann'", &[]).unwrap(),
        query.clone().with_view(View::All),
        of_churn,
    ] {
        let other = other.with_page(token.clone());
        fails(ErrorKind::Invalid, f.registry.search_versions(&other).await);
    }
    let models = ModelQuery::default().with_limit(2);
    let of_models = f.registry.search_models(&models).await.unwrap().next.unwrap();
    let all = VersionQuery::default().with_limit(2).with_page(of_models.clone());
    fails(ErrorKind::Invalid, f.registry.search_versions(&all).await);
    let other = models.clone().with_view(View::Deleted).with_page(of_models.clone());
    fails(ErrorKind::Invalid, f.registry.search_models(&other).await);
    let runs = RunQuery::default().with_page(token.clone());
    fails(ErrorKind::Invalid, f.tracker.search_runs(&runs).await);
    f.registry.search_versions(&query.with_page(token).with_limit(5)).await.expect("of this one");
    f.registry.search_models(&models.with_page(of_models)).await.expect("of this one");
    assert_eq!(version_id("churn/1"), churn(1));
}

async fn a_text_that_is_no_token_of_the_registry_is_invalid(f: Fixture) {
    populate(&*f.registry).await;
    let query = VersionQuery::default().with_limit(2);
    let token = f.registry.search_versions(&query).await.unwrap().next.unwrap().0;
    let cut = &token[..token.len() / 2];
    for text in ["", "x", "1", "AAAA", "{}", "null", "' or 1=1; --", "\u{0}", "ÄÖÜ", cut] {
        let page = PageToken(text.to_owned());
        let bad = query.clone().with_page(page.clone());
        fails(ErrorKind::Invalid, f.registry.search_versions(&bad).await);
        let bad = ModelQuery::default().with_page(page);
        fails(ErrorKind::Invalid, f.registry.search_models(&bad).await);
    }
}
