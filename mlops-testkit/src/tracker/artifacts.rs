//! Files of a run: naming objects, sharing equal ones, and returning those that nobody needs.

use mlops_core::ErrorKind;
use mlops_core::tracking::{Blob, RunChanges};

use crate::build::{at, blob, digest, path, seal, texts, values};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        an_artifact_comes_back_with_its_object_and_instant,
        a_known_object_that_nothing_names_any_more_is_a_conflict,
        artifacts_under_a_prefix_are_listed_by_path,
        replacing_an_artifact_returns_the_old_object,
        of_several_artifacts_of_one_path_the_last_counts,
        an_offered_object_of_a_known_digest_is_returned_and_the_known_one_named,
        equal_objects_of_one_change_are_named_once,
        naming_the_same_object_again_changes_nothing,
        an_old_object_that_another_run_names_is_not_returned,
        an_object_that_moves_within_a_change_is_kept,
        a_path_that_would_be_a_file_and_a_directory_is_invalid,
        find_blob_knows_what_is_named_and_nothing_else,
    ]
}

fn put(name: &str, blob: Blob) -> RunChanges {
    RunChanges::default().with_artifact(path(name), blob)
}

async fn paths(f: &Fixture, id: mlops_core::RunId, prefix: &str) -> Vec<String> {
    let artifacts = f.tracker.artifacts(id, prefix).await.unwrap();
    artifacts.iter().map(|artifact| artifact.path.to_string()).collect()
}

async fn an_artifact_comes_back_with_its_object_and_instant(f: Fixture) {
    let run = f.one_run().await;
    f.clock.advance_micros(3);
    assert!(f.change(run.id, put("plots/roc.png", blob("roc", "b/1"))).await.is_empty());
    let artifacts = f.tracker.artifacts(run.id, "").await.unwrap();
    assert_eq!(artifacts.len(), 1);
    assert_eq!(artifacts[0].path, path("plots/roc.png"));
    assert_eq!((&artifacts[0].blob, artifacts[0].created), (&blob("roc", "b/1"), at(3)));
}

async fn a_known_object_that_nothing_names_any_more_is_a_conflict(f: Fixture) {
    let run = f.one_run().await;
    let known =
        |name: &str| RunChanges::default().with_known_artifact(path(name), blob("roc", "b/1"));
    fails(ErrorKind::Conflict, f.tracker.update_run(run.id, known("a")).await);
    assert!(f.tracker.artifacts(run.id, "").await.unwrap().is_empty());
    f.change(run.id, put("a", blob("roc", "b/1"))).await;
    assert!(f.change(run.id, known("b")).await.is_empty());
    f.change(run.id, put("a", blob("other", "b/2"))).await;
    f.change(run.id, put("b", blob("other", "b/3"))).await;
    fails(ErrorKind::Conflict, f.tracker.update_run(run.id, known("c")).await);
}

async fn artifacts_under_a_prefix_are_listed_by_path(f: Fixture) {
    let run = f.one_run().await;
    let other = f.start(2, run.experiment).await;
    f.change(other.id, put("a/not-mine", blob("x", "b/x"))).await;
    let names = ["ab", "a/z", "a/b/c", "a-b", "a%/x", "a_/x", "Z", "é", "a.txt"];
    let mut changes = RunChanges::default();
    for name in names {
        changes = changes.with_artifact(path(name), blob(name, &format!("b/{name}")));
    }
    f.change(run.id, changes).await;

    let mut sorted = names.map(String::from).to_vec();
    sorted.sort();
    assert_eq!(paths(&f, run.id, "").await, sorted, "by the bytes of the path");
    assert_eq!(paths(&f, run.id, "a").await, ["a/b/c", "a/z"]);
    assert_eq!(paths(&f, run.id, "a/").await, ["a/b/c", "a/z"]);
    assert_eq!(paths(&f, run.id, "a/b").await, ["a/b/c"]);
    assert_eq!(paths(&f, run.id, "a/z").await, ["a/z"], "the prefix may be the path itself");
    assert_eq!(paths(&f, run.id, "a%").await, ["a%/x"], "nothing is a pattern");
    assert_eq!(paths(&f, run.id, "a_").await, ["a_/x"]);
    for nothing in ["z", "A", "../a", "a/b/c/d", "."] {
        assert!(paths(&f, run.id, nothing).await.is_empty(), "{nothing}");
    }
}

async fn replacing_an_artifact_returns_the_old_object(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, put("model", blob("one", "b/1"))).await;
    f.clock.advance_micros(1);
    let unneeded = f.change(run.id, put("model", blob("two", "b/2"))).await;
    assert_eq!(texts(&unneeded), ["b/1"]);
    let artifacts = f.tracker.artifacts(run.id, "").await.unwrap();
    assert_eq!(artifacts.len(), 1);
    assert_eq!((&artifacts[0].blob, artifacts[0].created), (&blob("two", "b/2"), at(1)));
}

async fn of_several_artifacts_of_one_path_the_last_counts(f: Fixture) {
    let run = f.one_run().await;
    let changes = put("model", blob("one", "b/1")).with_artifact(path("model"), blob("two", "b/2"));
    assert_eq!(texts(&f.change(run.id, changes).await), ["b/1"]);
    let artifacts = f.tracker.artifacts(run.id, "").await.unwrap();
    assert_eq!(artifacts[0].blob, blob("two", "b/2"));
}

async fn an_offered_object_of_a_known_digest_is_returned_and_the_known_one_named(f: Fixture) {
    let run = f.one_run().await;
    let other = f.start(2, run.experiment).await;
    f.change(run.id, put("model", blob("same", "b/1"))).await;
    let unneeded = f.change(other.id, put("copy", blob("same", "b/2"))).await;
    assert_eq!(texts(&unneeded), ["b/2"]);
    let artifacts = f.tracker.artifacts(other.id, "").await.unwrap();
    assert_eq!(artifacts[0].blob, blob("same", "b/1"));
    let unneeded = f.change(other.id, put("third", blob("same", "b/1"))).await;
    assert!(unneeded.is_empty(), "the known location itself may be offered");
}

async fn equal_objects_of_one_change_are_named_once(f: Fixture) {
    let run = f.one_run().await;
    let changes = put("a", blob("same", "b/1"))
        .with_artifact(path("b"), blob("same", "b/2"))
        .with_artifact(path("c"), blob("same", "b/3"));
    assert_eq!(texts(&f.change(run.id, changes).await), ["b/2", "b/3"]);
    for artifact in f.tracker.artifacts(run.id, "").await.unwrap() {
        assert_eq!(artifact.blob, blob("same", "b/1"));
    }
}

async fn naming_the_same_object_again_changes_nothing(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, put("model", blob("same", "b/1"))).await;
    let before = f.tracker.artifacts(run.id, "").await.unwrap();
    f.clock.advance_micros(1);
    assert!(f.change(run.id, put("model", blob("same", "b/1"))).await.is_empty());
    assert_eq!(texts(&f.change(run.id, put("model", blob("same", "b/2"))).await), ["b/2"]);
    assert_eq!(f.tracker.artifacts(run.id, "").await.unwrap(), before);
}

async fn an_old_object_that_another_run_names_is_not_returned(f: Fixture) {
    let run = f.one_run().await;
    let other = f.start(2, run.experiment).await;
    f.change(run.id, put("model", blob("same", "b/1"))).await;
    f.change(other.id, put("model", blob("same", "b/2"))).await;
    assert!(f.change(run.id, put("model", blob("new", "b/3"))).await.is_empty());
    assert_eq!(texts(&f.change(other.id, put("model", blob("new", "b/4"))).await), ["b/1", "b/4"]);
}

async fn an_object_that_moves_within_a_change_is_kept(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, put("a", blob("old", "b/1"))).await;
    let changes = put("a", blob("new", "b/2")).with_artifact(path("b"), blob("old", "b/3"));
    assert_eq!(texts(&f.change(run.id, changes).await), ["b/3"]);
    let artifacts = f.tracker.artifacts(run.id, "").await.unwrap();
    assert_eq!(artifacts[0].blob, blob("new", "b/2"));
    assert_eq!(artifacts[1].blob, blob("old", "b/1"));
}

async fn a_path_that_would_be_a_file_and_a_directory_is_invalid(f: Fixture) {
    let run = f.one_run().await;
    let other = f.start(2, run.experiment).await;
    f.change(run.id, put("a/b", blob("1", "b/1"))).await;
    for both in ["a", "a/b/c", "a/b/c/d"] {
        let result = f.tracker.update_run(run.id, put(both, blob("2", "b/2"))).await;
        fails(ErrorKind::Invalid, result);
    }
    let at_once = put("x/y", blob("2", "b/2")).with_artifact(path("x"), blob("3", "b/3"));
    fails(ErrorKind::Invalid, f.tracker.update_run(run.id, at_once).await);
    for fine in ["a/bc", "a/b-c", "ab", "a/c"] {
        f.change(run.id, put(fine, blob(fine, &format!("b/{fine}")))).await;
    }
    f.change(other.id, put("a", blob("4", "b/4"))).await;
}

async fn find_blob_knows_what_is_named_and_nothing_else(f: Fixture) {
    let run = f.one_run().await;
    let find = async |content| f.tracker.find_blob(digest(content)).await.unwrap();
    assert_eq!(find("model").await, None);
    f.change(run.id, put("model", blob("model", "b/1"))).await;
    assert_eq!(find("model").await, Some(blob("model", "b/1")));
    f.change(run.id, put("model", blob("other", "b/2"))).await;
    assert_eq!(find("model").await, None, "nobody names it any more");

    let points = RunChanges::default().with_metrics(values(1, 0, "loss", &[1.0]));
    f.change(run.id, points).await;
    let ids = f.chunk_ids(run.id).await;
    f.change(run.id, RunChanges::default().with_seal(seal(&ids, 1, "sealed", "b/3"))).await;
    assert_eq!(find("sealed").await, Some(blob("sealed", "b/3")));
}
