//! One atomic change of a run: what it adds and replaces, what refuses it, and the life of a run.

use mlops_core::ErrorKind;
use mlops_core::tracking::{CreateRun, DatasetContext, Expect, Run, RunChanges, RunStatus, check};

use crate::build::{at, blob, dataset, key, lease, path, run_id, run_name, values};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_change_of_everything_happens_as_a_whole,
        an_empty_change_changes_nothing,
        repeating_a_param_with_its_value_is_harmless,
        update_run_with_a_param_rewritten_is_invalid_and_stores_nothing,
        a_change_that_is_refused_changes_nothing,
        a_label_set_again_has_the_new_value,
        a_label_taken_away_is_gone_and_an_absent_one_is_ignored,
        an_input_of_the_same_name_digest_and_context_is_replaced,
        inputs_are_sorted_by_name_digest_and_context,
        a_status_that_is_not_the_expected_one_is_a_conflict,
        expecting_unfinished_holds_for_running_and_lost,
        every_change_of_status_is_allowed_or_a_conflict,
        ending_a_run_sets_its_end_and_takes_its_lease_away,
        an_end_that_is_there_stays_unless_the_change_names_another,
        resuming_a_run_takes_its_end_away,
        an_end_of_a_running_run_is_invalid,
        a_lease_on_a_run_that_has_ended_is_invalid,
        a_lease_is_replaced_and_nothing_else_takes_it_away,
    ]
}

fn change() -> RunChanges {
    RunChanges::default()
}

fn to(status: RunStatus) -> RunChanges {
    change().with_status(status)
}

async fn a_change_of_everything_happens_as_a_whole(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, change().with_tag(key("old"), "1")).await;
    let changes = change()
        .expecting(Expect::Status(RunStatus::Running))
        .with_param(key("lr"), "0.1")
        .with_tag(key("team"), "x")
        .without_tag(key("old"))
        .with_input(dataset("iris", "sha256:1", DatasetContext::Train))
        .with_metrics(values(1, 0, "loss", &[2.0, 1.0]))
        .with_artifact(path("model.bin"), blob("model", "b/1"))
        .with_name(run_name("final"))
        .with_note("a note")
        .with_status(RunStatus::Finished)
        .with_ended(at(9));
    assert!(f.change(run.id, changes).await.is_empty());

    let run = f.read(run.id).await;
    assert_eq!(run.params, [(key("lr"), "0.1".to_owned())].into());
    assert_eq!(run.tags, [(key("team"), "x".to_owned())].into());
    assert_eq!(run.inputs, [dataset("iris", "sha256:1", DatasetContext::Train)]);
    assert_eq!((run.metrics["loss"].last, run.metrics["loss"].count), (1.0, 2));
    assert_eq!((run.name.as_str(), run.note.as_str()), ("final", "a note"));
    assert_eq!((run.status, run.ended), (RunStatus::Finished, Some(at(9))));
    assert_eq!(f.tracker.artifacts(run.id, "").await.unwrap().len(), 1);
}

async fn an_empty_change_changes_nothing(f: Fixture) {
    let run = f.one_run().await;
    f.clock.advance_micros(1);
    assert!(f.change(run.id, change()).await.is_empty());
    assert_eq!(f.read(run.id).await, run);
}

async fn repeating_a_param_with_its_value_is_harmless(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, change().with_param(key("lr"), "0.1")).await;
    f.change(run.id, change().with_param(key("lr"), "0.1").with_param(key("n"), "1")).await;
    let params = f.read(run.id).await.params;
    assert_eq!(params, [(key("lr"), "0.1".to_owned()), (key("n"), "1".to_owned())].into());
}

async fn update_run_with_a_param_rewritten_is_invalid_and_stores_nothing(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, change().with_param(key("lr"), "0.1")).await;
    let before = f.read(run.id).await;
    let rewritten = change().with_param(key("a"), "1").with_param(key("lr"), "0.10");
    fails(ErrorKind::Invalid, f.tracker.update_run(run.id, rewritten).await);
    assert_eq!(f.read(run.id).await, before);
}

/// Every part that can be stored stands before, beside and after the part that is refused.
async fn a_change_that_is_refused_changes_nothing(f: Fixture) {
    let run = f.one_run().await;
    let base = change()
        .with_param(key("lr"), "0.1")
        .with_metrics(values(1, 0, "loss", &[1.0]))
        .with_artifact(path("dir/file"), blob("file", "b/0"));
    f.change(run.id, base).await;
    let before = f.read(run.id).await;
    let rows = f.rows().await;

    let everything = || {
        change()
            .with_param(key("a"), "1")
            .with_tag(key("team"), "x")
            .with_input(dataset("iris", "sha256:1", DatasetContext::Train))
            .with_metrics(values(2, 0, "loss", &[2.0]))
            .with_artifact(path("model.bin"), blob("model", "b/1"))
            .with_name(run_name("other"))
            .with_note("other")
            .with_lease(lease("laptop", 60))
    };
    let refused = [
        (ErrorKind::Invalid, everything().with_param(key("lr"), "0.2")),
        (ErrorKind::Conflict, everything().with_metrics(values(1, 7, "loss", &[2.0]))),
        (ErrorKind::Invalid, everything().with_artifact(path("dir"), blob("dir", "b/2"))),
        (ErrorKind::Invalid, everything().with_ended(at(1))),
        (ErrorKind::Conflict, everything().expecting(Expect::Status(RunStatus::Lost))),
    ];
    for (kind, changes) in refused {
        fails(kind, f.tracker.update_run(run.id, changes).await);
        assert_eq!(f.read(run.id).await, before);
        assert_eq!(f.tracker.artifacts(run.id, "").await.unwrap().len(), 1);
        assert_eq!(f.tracker.metric_chunks(run.id, None).await.unwrap().len(), 1);
        assert_eq!(f.rows().await, rows);
    }
}

async fn a_label_set_again_has_the_new_value(f: Fixture) {
    let run = f.one_run().await;
    for value in ["1", "2", ""] {
        f.change(run.id, change().with_tag(key("team"), value)).await;
        assert_eq!(f.read(run.id).await.tags[&key("team")], value);
    }
}

async fn a_label_taken_away_is_gone_and_an_absent_one_is_ignored(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, change().with_tag(key("a"), "1").with_tag(key("b"), "1")).await;
    let away = change().without_tag(key("a")).without_tag(key("a")).without_tag(key("absent"));
    f.change(run.id, away).await;
    assert_eq!(f.read(run.id).await.tags, [(key("b"), "1".to_owned())].into());
}

async fn an_input_of_the_same_name_digest_and_context_is_replaced(f: Fixture) {
    let run = f.one_run().await;
    let iris = || dataset("iris", "sha256:1", DatasetContext::Train);
    f.change(run.id, change().with_input(iris().with_rows(1).with_source("s3://a"))).await;
    f.change(run.id, change().with_input(iris().with_rows(2)).with_input(iris().with_rows(3)))
        .await;
    assert_eq!(f.read(run.id).await.inputs, [iris().with_rows(3)], "of several the last counts");

    let schema = serde_json::json!({ "petal": "double", "ünïcode": ["a", null, 1, true] });
    let test = dataset("iris", "sha256:1", DatasetContext::Test).with_schema(schema);
    f.change(run.id, change().with_input(test.clone())).await;
    assert_eq!(f.read(run.id).await.inputs, [test, iris().with_rows(3)]);

    let other_way = DatasetContext::Other("train".to_owned());
    f.change(run.id, change().with_input(dataset("iris", "sha256:1", other_way))).await;
    assert_eq!(f.read(run.id).await.inputs[1], iris(), "`train` by name is the same context");
}

async fn inputs_are_sorted_by_name_digest_and_context(f: Fixture) {
    let run = f.one_run().await;
    let sorted = [
        dataset("a", "sha256:1", DatasetContext::Other("calibration".to_owned())),
        dataset("a", "sha256:1", DatasetContext::Test),
        dataset("a", "sha256:1", DatasetContext::Train),
        dataset("a", "sha256:1", DatasetContext::Validation),
        dataset("a", "sha256:2", DatasetContext::Test),
        dataset("b", "sha256:1", DatasetContext::Test),
    ];
    for i in [3, 5, 0, 4, 2, 1] {
        f.change(run.id, change().with_input(sorted[i].clone())).await;
    }
    assert_eq!(f.read(run.id).await.inputs, sorted);
}

async fn a_status_that_is_not_the_expected_one_is_a_conflict(f: Fixture) {
    let run = f.one_run().await;
    for expected in RunStatus::ALL {
        let changes = change().expecting(Expect::Status(expected)).with_note(expected.as_str());
        let result = f.tracker.update_run(run.id, changes).await;
        if expected == RunStatus::Running {
            result.expect("it is running");
        } else {
            fails(ErrorKind::Conflict, result);
        }
    }
    assert_eq!(f.read(run.id).await.note, "running");
}

async fn expecting_unfinished_holds_for_running_and_lost(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    for (i, status) in RunStatus::ALL.into_iter().enumerate() {
        let run = in_status(&f, i as u8, experiment.id, status).await;
        let result = f.tracker.update_run(run.id, change().expecting(Expect::Unfinished)).await;
        if matches!(status, RunStatus::Running | RunStatus::Lost) {
            result.expect("it is unfinished");
        } else {
            fails(ErrorKind::Conflict, result);
        }
    }
}

async fn every_change_of_status_is_allowed_or_a_conflict(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    let mut n = 0;
    for from in RunStatus::ALL {
        for next in RunStatus::ALL {
            n += 1;
            let run = in_status(&f, n, experiment.id, from).await;
            let result = f.tracker.update_run(run.id, to(next)).await;
            let allowed = from == next
                || next == RunStatus::Running
                || matches!(from, RunStatus::Running | RunStatus::Lost);
            assert_eq!(check::transition(from, next).is_ok(), allowed);
            if allowed {
                result.expect("the change of status is allowed");
                assert_eq!(f.read(run.id).await.status, next);
            } else {
                fails(ErrorKind::Conflict, result);
                assert_eq!(f.read(run.id).await, run);
            }
        }
    }
}

async fn ending_a_run_sets_its_end_and_takes_its_lease_away(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    for (n, status) in (1..).zip(&RunStatus::ALL[1..]) {
        let options = CreateRun::new(run_id(n), experiment.id).with_lease(lease("laptop", 60));
        f.tracker.create_run(options).await.unwrap();
        f.clock.advance_micros(5);
        let now = f.clock.as_ref();
        let now = mlops_core::time::Clock::now(now);
        f.change(run_id(n), to(*status)).await;
        let run = f.read(run_id(n)).await;
        assert_eq!((run.status, run.ended, run.lease), (*status, Some(now), None));
    }
}

async fn an_end_that_is_there_stays_unless_the_change_names_another(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, to(RunStatus::Lost).with_ended(at(5))).await;
    f.clock.advance_micros(100);
    f.change(run.id, to(RunStatus::Failed)).await;
    assert_eq!(f.read(run.id).await.ended, Some(at(5)));
    f.change(run.id, to(RunStatus::Failed)).await;
    assert_eq!(f.read(run.id).await.ended, Some(at(5)));
    f.change(run.id, change().with_ended(at(7))).await;
    assert_eq!(f.read(run.id).await.ended, Some(at(7)));
}

async fn resuming_a_run_takes_its_end_away(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    for (n, status) in (1..).zip(&RunStatus::ALL[1..]) {
        let run = in_status(&f, n, experiment.id, *status).await;
        f.change(run.id, to(RunStatus::Running).with_lease(lease("laptop", 60))).await;
        let run = f.read(run.id).await;
        assert_eq!((run.status, run.ended), (RunStatus::Running, None));
        assert_eq!(run.lease, Some(lease("laptop", 60)));
    }
}

async fn an_end_of_a_running_run_is_invalid(f: Fixture) {
    let run = f.one_run().await;
    fails(ErrorKind::Invalid, f.tracker.update_run(run.id, change().with_ended(at(1))).await);
    f.change(run.id, to(RunStatus::Failed)).await;
    let resumed = to(RunStatus::Running).with_ended(at(1));
    fails(ErrorKind::Invalid, f.tracker.update_run(run.id, resumed).await);
}

async fn a_lease_on_a_run_that_has_ended_is_invalid(f: Fixture) {
    let run = f.one_run().await;
    let leased = || change().with_lease(lease("laptop", 60));
    let ending = leased().with_status(RunStatus::Finished);
    fails(ErrorKind::Invalid, f.tracker.update_run(run.id, ending).await);
    f.change(run.id, to(RunStatus::Lost)).await;
    fails(ErrorKind::Invalid, f.tracker.update_run(run.id, leased()).await);
}

async fn a_lease_is_replaced_and_nothing_else_takes_it_away(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, change().with_lease(lease("laptop", 60))).await;
    f.change(run.id, change().with_note("x")).await;
    assert_eq!(f.read(run.id).await.lease, Some(lease("laptop", 60)));
    f.change(run.id, change().with_lease(lease("server", 90))).await;
    f.change(run.id, to(RunStatus::Running)).await;
    assert_eq!(f.read(run.id).await.lease, Some(lease("server", 90)));
}

async fn in_status(
    f: &Fixture,
    n: u8,
    experiment: mlops_core::ExperimentId,
    status: RunStatus,
) -> Run {
    let run = f.start(n, experiment).await;
    f.change(run.id, to(status)).await;
    f.read(run.id).await
}
