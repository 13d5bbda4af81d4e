//! Documents: small, versioned, changed only by compare-and-set.

use mlops_core::registry::{Document, MAX_DOCUMENT_BYTES, PutDocument};
use mlops_core::{ErrorKind, MAX_JSON_DEPTH};
use serde_json::{Value, json};

use crate::build::{ACTOR, actor, at, key};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_document_comes_back_as_it_was_stored,
        every_json_value_is_a_body_and_comes_back,
        an_unknown_document_is_none_and_has_no_history,
        documents_are_numbered_from_one_and_deleting_makes_a_number_too,
        a_deleted_document_is_none_and_keeps_its_history,
        a_document_that_was_deleted_goes_on_counting,
        documents_of_a_kind_come_by_name_without_deleted_ones,
        a_document_that_does_not_have_the_expected_version_is_a_conflict,
        of_two_that_expect_the_same_only_one_stores,
        the_same_body_again_changes_nothing,
        deleting_what_is_deleted_changes_nothing,
        deleting_what_was_never_there_is_not_found,
        an_expectation_is_checked_although_nothing_would_change,
        a_body_that_is_too_large_is_invalid,
        a_body_that_is_null_or_nested_too_deep_is_invalid,
        what_the_registry_itself_reads_must_say_what_it_should,
        a_kind_with_a_slash_is_invalid,
        kinds_and_names_are_told_apart,
        a_catalog_names_its_actor,
    ]
}

fn put(name: &str, body: Value) -> PutDocument {
    PutDocument::new(key("suite"), key(name), body)
}

fn remove(name: &str) -> PutDocument {
    PutDocument::delete(key("suite"), key(name))
}

async fn read(f: &Fixture, name: &str) -> Option<Document> {
    f.catalog.document(&key("suite"), &key(name)).await.unwrap()
}

async fn history(f: &Fixture, name: &str) -> Vec<Document> {
    f.catalog.document_history(&key("suite"), &key(name)).await.unwrap()
}

async fn a_document_comes_back_as_it_was_stored(f: Fixture) {
    f.clock.advance_micros(5);
    let body = json!({ "b": 1, "a": [1.5, null, "ü"], "c": { "d": true } });
    let stored = f.store_document(put("x", body.clone())).await;
    assert_eq!(read(&f, "x").await, Some(stored.clone()));
    assert_eq!((stored.kind.as_str(), stored.name.as_str(), stored.version), ("suite", "x", 1));
    assert_eq!((stored.at, stored.actor.as_str()), (at(5), ACTOR));
    assert_eq!(stored.digest, Document::digest_of(Some(&body)));
    assert_eq!(stored.body, Some(body));
    assert_eq!(history(&f, "x").await, [stored]);
}

async fn every_json_value_is_a_body_and_comes_back(f: Fixture) {
    let nested = (0..50).fold(json!(0), |inner, _| json!([inner]));
    let bodies = [
        json!([null]),
        json!(true),
        json!(""),
        json!("a\0b\n\u{10FFFF}"),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.1),
        json!(5e-324),
        json!([]),
        json!({}),
        json!({ "": { "\"": "\\" } }),
        nested,
    ];
    for (version, body) in (1..).zip(bodies) {
        let stored = f.store_document(put("x", body.clone())).await;
        assert_eq!((stored.version, stored.body.as_ref()), (version, Some(&body)));
        assert_eq!(read(&f, "x").await, Some(stored), "{body}");
    }
}

async fn an_unknown_document_is_none_and_has_no_history(f: Fixture) {
    assert_eq!(read(&f, "x").await, None);
    assert!(history(&f, "x").await.is_empty());
    assert!(f.catalog.documents(&key("suite")).await.unwrap().is_empty());
}

async fn documents_are_numbered_from_one_and_deleting_makes_a_number_too(f: Fixture) {
    for (version, change) in [(1, put("x", json!(1))), (2, put("x", json!(2))), (3, remove("x"))] {
        f.clock.advance_micros(1);
        let stored = f.store_document(change).await;
        assert_eq!((stored.version, stored.at), (version, at(version as i64)));
    }
    let bodies: Vec<_> = history(&f, "x").await.into_iter().map(|d| (d.version, d.body)).collect();
    assert_eq!(bodies, [(1, Some(json!(1))), (2, Some(json!(2))), (3, None)]);
}

async fn a_deleted_document_is_none_and_keeps_its_history(f: Fixture) {
    f.store_document(put("x", json!(1))).await;
    let gone = f.store_document(remove("x")).await;
    assert_eq!((gone.version, gone.body.clone()), (2, None));
    assert_eq!(gone.digest, Document::digest_of(None));
    assert_eq!(read(&f, "x").await, None);
    assert_eq!(history(&f, "x").await.last(), Some(&gone));
}

async fn a_document_that_was_deleted_goes_on_counting(f: Fixture) {
    f.store_document(put("x", json!(1))).await;
    f.store_document(remove("x")).await;
    let back = f.store_document(put("x", json!(1)).expecting(2)).await;
    assert_eq!(back.version, 3);
    assert_eq!(read(&f, "x").await, Some(back));
}

async fn documents_of_a_kind_come_by_name_without_deleted_ones(f: Fixture) {
    for name in ["b", "a", "ü", "B", "gone", "z"] {
        f.store_document(put(name, json!(name))).await;
    }
    f.store_document(put("a", json!("again"))).await;
    f.store_document(remove("gone")).await;
    f.store_document(PutDocument::new(key("webhook"), key("c"), json!(1))).await;
    let all = f.catalog.documents(&key("suite")).await.unwrap();
    let names: Vec<_> = all.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["B", "a", "b", "z", "ü"], "by their bytes");
    assert_eq!((all[1].version, &all[1].body), (2, &Some(json!("again"))));
}

async fn a_document_that_does_not_have_the_expected_version_is_a_conflict(f: Fixture) {
    let conflict = async |change| {
        fails(ErrorKind::Conflict, f.catalog.put_document(change).await);
    };
    conflict(put("x", json!(1)).expecting(1)).await;
    f.store_document(put("x", json!(1)).expecting(0)).await;
    for expected in [0, 2, u64::MAX] {
        conflict(put("x", json!(2)).expecting(expected)).await;
        conflict(remove("x").expecting(expected)).await;
    }
    assert_eq!(read(&f, "x").await.unwrap().version, 1);
    f.store_document(put("x", json!(2)).expecting(1)).await;
    f.store_document(remove("x").expecting(2)).await;
    conflict(put("x", json!(3)).expecting(0)).await;
    conflict(put("x", json!(3)).expecting(2)).await;
    assert_eq!(history(&f, "x").await.len(), 3);
}

async fn of_two_that_expect_the_same_only_one_stores(f: Fixture) {
    f.store_document(put("x", json!(0))).await;
    let (ann, bob) = (f.catalog.catalog_as(actor("ann")), f.catalog.catalog_as(actor("bob")));
    ann.put_document(put("x", json!("ann")).expecting(1)).await.unwrap();
    fails(ErrorKind::Conflict, bob.put_document(put("x", json!("bob")).expecting(1)).await);
    assert_eq!(read(&f, "x").await.unwrap().body, Some(json!("ann")));
}

async fn the_same_body_again_changes_nothing(f: Fixture) {
    let stored = f.store_document(put("x", json!({ "a": 1, "b": 2 }))).await;
    let rows = f.rows().await;
    f.clock.advance_micros(1);
    let same: Value = serde_json::from_str(r#"{ "b": 2, "a": 1 }"#).unwrap();
    let again = f.catalog.catalog_as(actor("ann")).put_document(put("x", same)).await.unwrap();
    assert_eq!(again, stored);
    assert_eq!((f.rows().await, history(&f, "x").await.len()), (rows, 1));
}

async fn deleting_what_is_deleted_changes_nothing(f: Fixture) {
    f.store_document(put("x", json!(1))).await;
    let gone = f.store_document(remove("x")).await;
    let rows = f.rows().await;
    f.clock.advance_micros(1);
    assert_eq!(f.store_document(remove("x")).await, gone);
    assert_eq!((f.rows().await, history(&f, "x").await.len()), (rows, 2));
}

async fn deleting_what_was_never_there_is_not_found(f: Fixture) {
    f.store_document(put("y", json!(1))).await;
    fails(ErrorKind::NotFound, f.catalog.put_document(remove("x")).await);
    assert!(history(&f, "x").await.is_empty());
}

async fn an_expectation_is_checked_although_nothing_would_change(f: Fixture) {
    f.store_document(put("x", json!(1))).await;
    fails(ErrorKind::Conflict, f.catalog.put_document(put("x", json!(1)).expecting(0)).await);
    assert_eq!(f.store_document(put("x", json!(1)).expecting(1)).await.version, 1);
}

async fn a_body_that_is_too_large_is_invalid(f: Fixture) {
    let body = |bytes: usize| json!("x".repeat(bytes - 2));
    let largest = f.store_document(put("x", body(MAX_DOCUMENT_BYTES))).await;
    assert_eq!(read(&f, "x").await, Some(largest));
    let larger = put("x", body(MAX_DOCUMENT_BYTES + 1));
    fails(ErrorKind::Invalid, f.catalog.put_document(larger).await);
    let before_anything_is_looked_up = put("x", body(MAX_DOCUMENT_BYTES + 1)).expecting(99);
    fails(ErrorKind::Invalid, f.catalog.put_document(before_anything_is_looked_up).await);
}

async fn a_body_that_is_null_or_nested_too_deep_is_invalid(f: Fixture) {
    let nested = |depth: usize| (0..depth).fold(json!(0), |inner, _| json!([inner]));
    let deepest = f.store_document(put("x", nested(MAX_JSON_DEPTH))).await;
    assert_eq!(read(&f, "x").await, Some(deepest.clone()));
    for body in [json!(null), nested(MAX_JSON_DEPTH + 1)] {
        fails(ErrorKind::Invalid, f.catalog.put_document(put("x", body)).await);
    }
    assert_eq!(read(&f, "x").await, Some(deepest));
}

async fn what_the_registry_itself_reads_must_say_what_it_should(f: Fixture) {
    for kind in ["policy", "access", "drill"] {
        for body in [json!(1), json!("x"), json!({ "x": 1 })] {
            let change = PutDocument::new(key(kind), key("x"), body);
            fails(ErrorKind::Invalid, f.catalog.put_document(change).await);
        }
        assert!(f.catalog.documents(&key(kind)).await.unwrap().is_empty());
    }
}

async fn a_kind_with_a_slash_is_invalid(f: Fixture) {
    for kind in ["a/b", "/", "a/"] {
        let change = PutDocument::new(key(kind), key("x"), json!(1));
        fails(ErrorKind::Invalid, f.catalog.put_document(change).await);
        fails(
            ErrorKind::Invalid,
            f.catalog.put_document(PutDocument::delete(key(kind), key("x"))).await,
        );
    }
    assert_eq!(f.rows().await, 0);
}

async fn kinds_and_names_are_told_apart(f: Fixture) {
    let all = [("a", "b/c"), ("a b", "c"), ("A", "b/c"), ("a", "%"), ("%", "b/c"), ("a", "it's")];
    for (n, (kind, name)) in all.iter().enumerate() {
        f.store_document(PutDocument::new(key(kind), key(name), json!(n))).await;
    }
    for (n, (kind, name)) in all.iter().enumerate() {
        let read = f.catalog.document(&key(kind), &key(name)).await.unwrap().unwrap();
        assert_eq!((read.version, read.body), (1, Some(json!(n))));
    }
}

async fn a_catalog_names_its_actor(f: Fixture) {
    let ann = f.catalog.catalog_as(actor("ann@läptop"));
    let stored = ann.put_document(put("x", json!(1))).await.unwrap();
    assert_eq!(stored.actor.as_str(), "ann@läptop");
    let gone = f.catalog.catalog_as(actor("bob")).put_document(remove("x")).await.unwrap();
    assert_eq!(gone.actor.as_str(), "bob");
    let actors: Vec<_> = f.events_after(0).await.into_iter().map(|e| e.actor.to_string()).collect();
    assert_eq!(actors, ["ann@läptop", "bob"]);
}
