//! Starting runs, and reading them.

use mlops_core::ErrorKind;
use mlops_core::journal::Actor;
use mlops_core::time::Instant;
use mlops_core::tracking::{CreateRun, Expect, ExperimentChanges, RunChanges, RunStatus, check};

use crate::Store;
use crate::build::{at, experiment_id, key, lease, run_id, run_name, spool, values};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = cases![
        a_run_comes_back_as_it_was_started,
        a_run_that_is_told_nothing_has_defaults,
        starting_a_run_again_returns_it_unchanged,
        starting_a_run_of_an_id_of_another_experiment_already_exists,
        a_run_of_an_unknown_experiment_is_not_found,
        a_run_of_a_deleted_experiment_is_invalid,
        a_run_with_an_unknown_parent_is_not_found,
        a_parent_may_lie_in_another_experiment,
        asking_about_a_run_that_does_not_exist_is_not_found,
        instants_are_kept_to_the_microsecond,
        a_call_sees_what_another_handle_did_before,
    ];
    let mut durable = cases![what_was_acknowledged_is_there_for_the_next_opener];
    for case in &mut durable {
        case.requires = |capability| capability.durable;
    }
    cases.append(&mut durable);
    cases
}

async fn a_run_comes_back_as_it_was_started(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    let parent = f.start(1, experiment.id).await;
    let options = CreateRun::new(run_id(2), experiment.id)
        .with_parent(parent.id)
        .with_name(run_name("fold 1"))
        .with_user("ann")
        .with_started(at(-7))
        .with_lease(lease("laptop", 60))
        .with_param(key("lr"), "0.1")
        .with_tag(key("team"), "x");
    let run = f.tracker.create_run(options).await.unwrap();
    assert_eq!((run.id, run.experiment, run.parent), (run_id(2), experiment.id, Some(parent.id)));
    assert_eq!((run.name.as_str(), run.user.as_str(), run.note.as_str()), ("fold 1", "ann", ""));
    assert_eq!((run.status, run.started, run.ended), (RunStatus::Running, at(-7), None));
    assert_eq!((run.lease.clone(), run.deleted), (Some(lease("laptop", 60)), None));
    assert_eq!(run.params, [(key("lr"), "0.1".to_owned())].into());
    assert_eq!(run.tags, [(key("team"), "x".to_owned())].into());
    assert!(run.metrics.is_empty() && run.inputs.is_empty());
    assert_eq!(f.read(run.id).await, run);
}

async fn a_run_that_is_told_nothing_has_defaults(f: Fixture) {
    let run = f.one_run().await;
    assert_eq!(run.name, check::default_run_name(run.id).unwrap());
    assert_eq!((run.started, run.user.as_str()), (at(0), ""));
    assert_eq!((run.parent, run.lease), (None, None));
}

async fn starting_a_run_again_returns_it_unchanged(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, RunChanges::default().with_note("kept")).await;
    f.clock.advance_micros(1);
    let other = CreateRun::new(run.id, run.experiment)
        .with_name(run_name("other"))
        .with_param(key("lr"), "0.1");
    let again = f.tracker.create_run(other.clone()).await.unwrap();
    assert_eq!((again.name.clone(), again.note.as_str()), (run.name.clone(), "kept"));
    assert_eq!((again.started, again.params.len()), (run.started, 0));
    assert_eq!(f.read(run.id).await, again);

    f.tracker.update_experiment(run.experiment, ExperimentChanges::delete()).await.unwrap();
    let trashed = f.tracker.create_run(other).await.unwrap();
    assert!(trashed.deleted.is_some(), "also when both are in the trash");
}

async fn starting_a_run_of_an_id_of_another_experiment_already_exists(f: Fixture) {
    let run = f.one_run().await;
    let other = f.experiment(2, "fraud").await;
    let again = f.tracker.create_run(CreateRun::new(run.id, other.id)).await;
    fails(ErrorKind::AlreadyExists, again);
}

async fn a_run_of_an_unknown_experiment_is_not_found(f: Fixture) {
    let run = f.tracker.create_run(CreateRun::new(run_id(1), experiment_id(9))).await;
    fails(ErrorKind::NotFound, run);
}

async fn a_run_of_a_deleted_experiment_is_invalid(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    f.tracker.update_experiment(experiment.id, ExperimentChanges::delete()).await.unwrap();
    let run = f.tracker.create_run(CreateRun::new(run_id(1), experiment.id)).await;
    fails(ErrorKind::Invalid, run);
    fails(ErrorKind::NotFound, f.tracker.run(run_id(1)).await);
}

async fn a_run_with_an_unknown_parent_is_not_found(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    for parent in [run_id(9), run_id(1)] {
        let options = CreateRun::new(run_id(1), experiment.id).with_parent(parent);
        fails(ErrorKind::NotFound, f.tracker.create_run(options).await);
    }
}

async fn a_parent_may_lie_in_another_experiment(f: Fixture) {
    let parent = f.one_run().await;
    let other = f.experiment(2, "fraud").await;
    let options = CreateRun::new(run_id(2), other.id).with_parent(parent.id);
    let child = f.tracker.create_run(options).await.unwrap();
    assert_eq!(child.parent, Some(parent.id));
}

async fn asking_about_a_run_that_does_not_exist_is_not_found(f: Fixture) {
    let (tracker, id) = (&f.tracker, run_id(9));
    fails(ErrorKind::NotFound, tracker.run(id).await);
    fails(ErrorKind::NotFound, tracker.metric_chunks(id, None).await);
    fails(ErrorKind::NotFound, tracker.stored_points(id, spool(1)).await);
    fails(ErrorKind::NotFound, tracker.artifacts(id, "").await);
    let expecting = RunChanges::default().expecting(Expect::Status(RunStatus::Running));
    for changes in [RunChanges::default(), RunChanges::default().with_note("x"), expecting] {
        fails(ErrorKind::NotFound, tracker.update_run(id, changes).await);
    }
}

async fn instants_are_kept_to_the_microsecond(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    let fine = Instant::from_timestamp_nanos(1_700_000_000_000_001_999);
    let options = CreateRun::new(run_id(1), experiment.id).with_started(fine);
    let run = f.tracker.create_run(options).await.unwrap();
    assert_eq!(run.started, at(1));
    let ending = RunChanges::default().with_status(RunStatus::Finished).with_ended(fine);
    f.change(run.id, ending).await;
    let run = f.read(run.id).await;
    assert_eq!((run.started, run.ended), (at(1), Some(at(1))));
}

/// Two handles stand for two processes: what is kept in one of them is stale in the other.
async fn a_call_sees_what_another_handle_did_before(f: Fixture) {
    let run = f.one_run().await;
    let ann = f.tracker.acting_as(Actor::new("ann").unwrap());
    let bob = f.tracker.acting_as(Actor::new("bob").unwrap());
    assert_eq!(bob.run(run.id).await.unwrap().note, "");
    for (i, note) in ["one", "two", "three"].into_iter().enumerate() {
        let chunk = values(1, i as u64, "loss", &[0.5]);
        let changes = RunChanges::default().with_note(note).with_metrics(chunk);
        ann.update_run(run.id, changes).await.unwrap();
        let seen = bob.run(run.id).await.unwrap();
        assert_eq!((seen.note.as_str(), seen.metrics["loss"].count), (note, i as u64 + 1));
        assert_eq!(bob.stored_points(run.id, spool(1)).await.unwrap(), i as u64 + 1);
        assert_eq!(f.read(run.id).await, seen);
    }
}

async fn what_was_acknowledged_is_there_for_the_next_opener(f: Fixture) {
    let run = f.one_run().await;
    let changes = RunChanges::default().with_note("kept").with_metrics(values(
        1,
        0,
        "loss",
        &[f64::NAN, -0.0, 0.25],
    ));
    f.change(run.id, changes).await;
    let before = f.read(run.id).await;
    let events = f.journal.events(0, 10).await.unwrap();
    let proof = f.journal.seal().await.unwrap();

    let reopen = f.reopen.clone().expect("a durable backend's fixture can reopen it");
    drop(f.store);
    let Store { tracker, journal, .. } = reopen();
    let after = tracker.run(run.id).await.unwrap();
    assert_eq!(format!("{after:?}"), format!("{before:?}"), "NaN is not equal to itself");
    assert_eq!(tracker.stored_points(run.id, spool(1)).await.unwrap(), 3);
    assert_eq!(journal.events(0, 10).await.unwrap(), events);
    assert_eq!(journal.verify().await.unwrap(), proof);
}
