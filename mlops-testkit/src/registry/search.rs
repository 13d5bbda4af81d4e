//! Which models and versions are found, in which order.

use std::collections::BTreeSet;

use mlops_core::ErrorKind;
use mlops_core::filter::{Filter, Subject};
use mlops_core::registry::{ModelQuery, VersionQuery};
use mlops_core::tracking::{MAX_PAGE, View};

use super::corpus::{MODEL_CORPUS, VERSION_CORPUS};
use super::population::populate;
use crate::build::{model_name, run_id, version_id};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        each_filter_of_the_corpus_finds_its_models,
        each_filter_of_the_corpus_finds_its_versions,
        the_corpora_agree_with_the_walk_over_the_records,
        versions_are_found_by_run_id_and_digest,
        models_come_in_the_order_that_was_asked_for,
        versions_come_in_the_order_that_was_asked_for,
        a_version_of_a_model_in_the_trash_is_in_the_trash,
        only_versions_of_the_named_model_are_found,
        an_unknown_model_has_no_versions,
        a_found_model_or_version_is_what_it_is_read_as,
        what_a_model_or_version_does_not_have_is_an_error_that_says_where,
        a_limit_of_the_registry_above_the_bound_is_invalid,
    ]
}

async fn models(f: &Fixture, query: &ModelQuery) -> Vec<String> {
    let page = f.registry.search_models(query).await.unwrap();
    page.items.iter().map(|model| model.name.to_string()).collect()
}

async fn versions(f: &Fixture, query: &VersionQuery) -> Vec<String> {
    let page = f.registry.search_versions(query).await.unwrap();
    page.items.iter().map(|version| version.id().to_string()).collect()
}

async fn each_filter_of_the_corpus_finds_its_models(f: Fixture) {
    populate(&*f.registry).await;
    for (text, expected) in MODEL_CORPUS {
        assert_eq!(models(&f, &ModelQuery::parse(text, &[]).unwrap()).await, *expected, "{text}");
    }
}

async fn each_filter_of_the_corpus_finds_its_versions(f: Fixture) {
    populate(&*f.registry).await;
    for (text, expected) in VERSION_CORPUS {
        let found = versions(&f, &VersionQuery::parse(text, &[]).unwrap()).await;
        assert_eq!(found, *expected, "{text}");
    }
}

async fn the_corpora_agree_with_the_walk_over_the_records(f: Fixture) {
    populate(&*f.registry).await;
    let all = f.registry.search_models(&ModelQuery::default().with_view(View::All)).await.unwrap();
    for (text, _) in MODEL_CORPUS {
        let filter = Filter::parse_for(Subject::Model, text).unwrap();
        let walked: Vec<_> = all
            .items
            .iter()
            .filter(|model| filter.matches(*model))
            .map(|m| m.name.to_string())
            .collect();
        let query = ModelQuery::parse(text, &[]).unwrap().with_view(View::All);
        assert_eq!(models(&f, &query).await, walked, "{text}");
    }
    let all = VersionQuery::default().with_view(View::All);
    let all = f.registry.search_versions(&all).await.unwrap();
    assert_eq!(all.items.len(), 11);
    for (text, _) in VERSION_CORPUS {
        let filter = Filter::parse_for(Subject::Version, text).unwrap();
        let walked: Vec<_> =
            all.items.iter().filter(|v| filter.matches(*v)).map(|v| v.id().to_string()).collect();
        let query = VersionQuery::parse(text, &[]).unwrap().with_view(View::All);
        assert_eq!(versions(&f, &query).await, walked, "{text}");
    }
}

async fn versions_are_found_by_run_id_and_digest(f: Fixture) {
    populate(&*f.registry).await;
    let find = async |text: String| versions(&f, &VersionQuery::parse(&text, &[]).unwrap()).await;
    let (one, two) = (run_id(1), run_id(2));
    assert_eq!(find(format!("run_id = '{one}'")).await, ["churn/2", "churn/1"]);
    assert_eq!(
        find(format!("run_id IN ('{one}', '{two}')")).await,
        ["churn/3", "churn/2", "churn/1"]
    );
    assert_eq!(find(format!("run_id != '{one}'")).await, ["churn/3"]);
    let digest = f.registry.version(&version_id("churn/9")).await.unwrap().digest;
    assert_eq!(find(format!("digest = '{digest}'")).await, ["churn/9"]);
    let upper = digest.to_string().to_uppercase();
    assert_eq!(find(format!("digest = '{upper}'")).await, ["churn/9"]);
    assert_eq!(find(format!("digest like '{}%'", &upper[..12])).await, ["churn/9"]);
}

async fn models_come_in_the_order_that_was_asked_for(f: Fixture) {
    populate(&*f.registry).await;
    for (order, expected) in [
        (&["name DESC"][..], ["ärger", "grid 100", "fraud", "churn", "Flights"]),
        (&["creation_timestamp ASC"], ["Flights", "churn", "fraud", "grid 100", "ärger"]),
        (&["tags.team"], ["Flights", "grid 100", "churn", "fraud", "ärger"]),
        (&["tags.team desc", "created desc"], ["churn", "grid 100", "Flights", "ärger", "fraud"]),
        (&["note desc", "name desc"], ["Flights", "grid 100", "ärger", "fraud", "churn"]),
        (&["last_updated_timestamp DESC"], ["fraud", "Flights", "churn", "grid 100", "ärger"]),
        (&["timestamp DESC", "name ASC"], ["fraud", "Flights", "churn", "grid 100", "ärger"]),
    ] {
        let found = models(&f, &ModelQuery::parse("", order).unwrap()).await;
        assert_eq!(found, expected, "{order:?}");
    }
}

async fn versions_come_in_the_order_that_was_asked_for(f: Fixture) {
    populate(&*f.registry).await;
    let order = async |order: &[&str]| {
        let query = VersionQuery::parse("name in ('churn', 'Flights')", order).unwrap();
        versions(&f, &query).await.join(" ")
    };
    let default = "Flights/2 Flights/1 churn/9 churn/3 churn/2 churn/1";
    assert_eq!(order(&[]).await, default, "by model, then the greatest number first");
    let up = "Flights/1 churn/1 Flights/2 churn/2 churn/3 churn/9";
    assert_eq!(order(&["version_number ASC"]).await, up);
    let young = "churn/9 churn/3 churn/2 churn/1 Flights/2 Flights/1";
    assert_eq!(order(&["creation_timestamp DESC"]).await, young);
    assert_eq!(order(&["name desc"]).await, "churn/9 churn/3 churn/2 churn/1 Flights/2 Flights/1");
    let auc = "Flights/1 churn/1 Flights/2 churn/3 churn/9 churn/2";
    assert_eq!(order(&["metrics.auc"]).await, auc, "what is not there and NaN come last");
    let auc = "churn/3 Flights/2 churn/1 Flights/1 churn/9 churn/2";
    assert_eq!(order(&["metrics.auc DESC"]).await, auc, "both ways");
    let lr = "Flights/2 Flights/1 churn/3 churn/1 churn/2 churn/9";
    assert_eq!(order(&["params.lr"]).await, lr, "as texts");
    let users = "churn/1 churn/2 churn/9 Flights/1 churn/3 Flights/2";
    assert_eq!(order(&["user", "name desc", "version"]).await, users);
}

async fn a_version_of_a_model_in_the_trash_is_in_the_trash(f: Fixture) {
    populate(&*f.registry).await;
    let count = async |view| {
        let (m, v) =
            (ModelQuery::default().with_view(view), VersionQuery::default().with_view(view));
        (models(&f, &m).await, versions(&f, &v).await)
    };
    let (live, _) = count(View::Active).await;
    assert_eq!(live.len(), 5);
    let (gone, of_gone) = count(View::Deleted).await;
    assert_eq!(gone, ["old"]);
    assert_eq!(of_gone, ["churn/5", "old/1"]);
    let (all, of_all) = count(View::All).await;
    assert_eq!((all.len(), of_all.len()), (6, 11));
    let of_old = VersionQuery::of(model_name("old"));
    assert!(versions(&f, &of_old).await.is_empty());
    assert_eq!(versions(&f, &of_old.with_view(View::Deleted)).await, ["old/1"]);
}

async fn only_versions_of_the_named_model_are_found(f: Fixture) {
    populate(&*f.registry).await;
    let mut query = VersionQuery::of(model_name("Flights"));
    assert_eq!(versions(&f, &query).await, ["Flights/2", "Flights/1"]);
    query.filter = Filter::parse_for(Subject::Version, "metrics.auc > 0.6").unwrap();
    assert_eq!(versions(&f, &query).await, ["Flights/2"]);
}

async fn an_unknown_model_has_no_versions(f: Fixture) {
    populate(&*f.registry).await;
    for name in ["absent", "fraud", "flights"] {
        let page = f.registry.search_versions(&VersionQuery::of(model_name(name))).await.unwrap();
        assert!(page.items.is_empty() && page.next.is_none());
    }
}

async fn a_found_model_or_version_is_what_it_is_read_as(f: Fixture) {
    populate(&*f.registry).await;
    let all = ModelQuery::default().with_view(View::All);
    for model in f.registry.search_models(&all).await.unwrap().items {
        assert_eq!(f.registry.model(&model.name).await.unwrap(), model);
    }
    let all = VersionQuery::default().with_view(View::All);
    for version in f.registry.search_versions(&all).await.unwrap().items {
        let read = f.registry.version(&version.id()).await.unwrap();
        assert_eq!(format!("{read:?}"), format!("{version:?}"), "NaN is not equal to itself");
    }
}

/// The parser refuses it, so no backend ever sees such a filter.
async fn what_a_model_or_version_does_not_have_is_an_error_that_says_where(_: Fixture) {
    for text in
        ["metrics.auc > 1", "params.lr = 1", "version = 1", "run_id = 'x'", "stage = 'Live'"]
    {
        let error = fails(ErrorKind::Invalid, ModelQuery::parse(text, &[]));
        assert!(error.message().contains("position"), "{error}");
    }
    for text in
        ["min(metrics.auc) > 1", "status = 'finished'", "duration > 1", "stage < 'Production'"]
    {
        let error = fails(ErrorKind::Invalid, VersionQuery::parse(text, &[]));
        assert!(error.message().contains("position"), "{error}");
    }
    for order in ["alias", "stage", "datasets.name"] {
        fails(ErrorKind::Invalid, VersionQuery::parse("", &[order]));
    }
}

async fn a_limit_of_the_registry_above_the_bound_is_invalid(f: Fixture) {
    populate(&*f.registry).await;
    for limit in [MAX_PAGE + 1, usize::MAX] {
        let query = ModelQuery::default().with_limit(limit);
        fails(ErrorKind::Invalid, f.registry.search_models(&query).await);
        let query = VersionQuery::default().with_limit(limit);
        fails(ErrorKind::Invalid, f.registry.search_versions(&query).await);
    }
    let most = VersionQuery::default().with_limit(MAX_PAGE);
    let distinct: BTreeSet<_> = versions(&f, &most).await.into_iter().collect();
    assert_eq!(distinct.len(), 9);
}
