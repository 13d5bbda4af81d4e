//! The trash: going there, coming back, and being taken away for ever.

use mlops_core::ErrorKind;
use mlops_core::tracking::{
    CreateRun, Expect, ExperimentChanges, Purge, PurgePlan, RunChanges, RunStatus,
};

use crate::build::{at, blob, digest, experiment_id, path, run_id, seal, values};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_deleted_run_can_be_read_and_comes_back_as_it_was,
        a_run_in_the_trash_cannot_be_changed,
        a_run_may_be_changed_and_deleted_at_once,
        deleting_an_experiment_takes_its_live_runs_along,
        restoring_an_experiment_brings_back_exactly_the_runs_that_went_with_it,
        runs_that_went_before_at_the_same_instant_stay_in_the_trash,
        a_run_cannot_be_restored_into_an_experiment_in_the_trash,
        a_plan_names_what_was_deleted_before_the_instant_and_not_at_it,
        a_plan_for_experiments_names_all_their_runs,
        a_plan_for_what_is_not_in_the_trash_is_invalid_and_for_the_unknown_not_found,
        a_plan_counts_artifacts_and_changes_nothing,
        purge_takes_away_what_the_plan_names,
        purge_of_what_was_restored_is_a_conflict_and_takes_nothing,
        purge_of_an_experiment_with_a_run_that_is_not_named_is_a_conflict,
        purge_skips_what_is_gone_already,
        purge_frees_the_objects_that_nobody_names_any_more,
        purge_does_not_free_what_another_run_names,
        a_purged_parent_is_named_by_its_children_still,
    ]
}

fn trash() -> RunChanges {
    RunChanges::default().with_deleted(true)
}

fn restore() -> RunChanges {
    RunChanges::default().with_deleted(false)
}

async fn a_deleted_run_can_be_read_and_comes_back_as_it_was(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, RunChanges::default().with_metrics(values(1, 0, "loss", &[1.0]))).await;
    let before = f.read(run.id).await;
    f.clock.advance_micros(5);
    f.change(run.id, trash()).await;
    let deleted = f.read(run.id).await;
    assert_eq!(deleted.deleted, Some(at(5)));
    assert_eq!(f.chunk_ids(run.id).await.len(), 1);
    f.clock.advance_micros(5);
    f.change(run.id, trash()).await;
    assert_eq!(f.read(run.id).await, deleted, "deleting it again is harmless");
    f.change(run.id, restore()).await;
    assert_eq!(f.read(run.id).await, before);
    f.change(run.id, restore()).await;
    assert_eq!(f.read(run.id).await, before, "so is restoring it again");
}

async fn a_run_in_the_trash_cannot_be_changed(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, trash()).await;
    let deleted = f.read(run.id).await;
    for changes in [
        RunChanges::default().with_note("x"),
        RunChanges::default().with_status(RunStatus::Finished),
        RunChanges::default().with_metrics(values(1, 0, "loss", &[1.0])),
        RunChanges::default().with_artifact(path("a"), blob("a", "b/1")),
        restore().with_note("x"),
        trash().with_note("x"),
    ] {
        fails(ErrorKind::Invalid, f.tracker.update_run(run.id, changes).await);
        assert_eq!(f.read(run.id).await, deleted);
    }
    f.change(run.id, restore().expecting(Expect::Status(RunStatus::Running))).await;
    assert_eq!(f.read(run.id).await.deleted, None);
}

async fn a_run_may_be_changed_and_deleted_at_once(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, trash().with_note("a mistake").with_status(RunStatus::Killed)).await;
    let run = f.read(run.id).await;
    assert_eq!((run.deleted, run.note.as_str()), (Some(at(0)), "a mistake"));
    assert_eq!(run.status, RunStatus::Killed);
}

async fn deleting_an_experiment_takes_its_live_runs_along(f: Fixture) {
    let run = f.one_run().await;
    f.start(2, run.experiment).await;
    let other = f.experiment(2, "fraud").await;
    f.start(3, other.id).await;
    f.clock.advance_micros(5);
    let delete = ExperimentChanges::delete();
    let deleted = f.tracker.update_experiment(run.experiment, delete).await.unwrap();
    assert_eq!(deleted.deleted, Some(at(5)));
    assert_eq!(f.read(run_id(1)).await.deleted, Some(at(5)));
    assert_eq!(f.read(run_id(2)).await.deleted, Some(at(5)));
    assert_eq!(f.read(run_id(3)).await.deleted, None);
}

async fn restoring_an_experiment_brings_back_exactly_the_runs_that_went_with_it(f: Fixture) {
    let run = f.one_run().await;
    f.start(2, run.experiment).await;
    f.change(run_id(2), trash()).await;
    f.clock.advance_micros(5);
    let delete = ExperimentChanges::delete();
    f.tracker.update_experiment(run.experiment, delete).await.unwrap();
    f.clock.advance_micros(5);
    let restore = ExperimentChanges::restore();
    let restored = f.tracker.update_experiment(run.experiment, restore).await.unwrap();
    assert_eq!(restored.deleted, None);
    assert_eq!(f.read(run_id(1)).await, run);
    assert_eq!(f.read(run_id(2)).await.deleted, Some(at(0)), "it was there before");
}

/// A clock may stand, or step back.
async fn runs_that_went_before_at_the_same_instant_stay_in_the_trash(f: Fixture) {
    let run = f.one_run().await;
    for (n, step) in [(2, 0), (3, -3)] {
        f.start(n, run.experiment).await;
        f.change(run_id(n), trash()).await;
        f.clock.advance_micros(step);
        let delete = ExperimentChanges::delete();
        let deleted = f.tracker.update_experiment(run.experiment, delete).await.unwrap();
        assert_eq!(deleted.deleted, Some(at(1)), "just after the last run that was there");
        let restore = ExperimentChanges::restore();
        f.tracker.update_experiment(run.experiment, restore).await.unwrap();
        assert_eq!(f.read(run_id(1)).await.deleted, None);
        assert_eq!(f.read(run_id(n)).await.deleted, Some(at(0)));
    }
}

async fn a_run_cannot_be_restored_into_an_experiment_in_the_trash(f: Fixture) {
    let run = f.one_run().await;
    let delete = ExperimentChanges::delete();
    f.tracker.update_experiment(run.experiment, delete).await.unwrap();
    let error = fails(ErrorKind::Invalid, f.tracker.update_run(run.id, restore()).await);
    assert!(error.hint().is_some_and(|hint| hint.contains("experiment")), "{error}");
    assert!(f.read(run.id).await.deleted.is_some());
}

async fn a_plan_names_what_was_deleted_before_the_instant_and_not_at_it(f: Fixture) {
    let run = f.one_run().await;
    for n in 2..=4 {
        f.start(n, run.experiment).await;
        f.change(run_id(n), trash()).await;
        f.clock.advance_micros(1);
    }
    f.experiment(2, "fraud").await;
    f.start(5, experiment_id(2)).await;
    let delete = ExperimentChanges::delete();
    f.tracker.update_experiment(experiment_id(2), delete).await.unwrap();

    let plan = async |micros| {
        let plan = f.tracker.plan_purge(&Purge::DeletedBefore(at(micros))).await.unwrap();
        (plan.experiments, plan.runs)
    };
    assert_eq!(plan(0).await, (vec![], vec![]));
    assert_eq!(plan(2).await, (vec![], vec![run_id(2), run_id(3)]));
    assert_eq!(plan(3).await.1, [run_id(2), run_id(3), run_id(4)]);
    let everything = (vec![experiment_id(2)], vec![run_id(2), run_id(3), run_id(4), run_id(5)]);
    assert_eq!(plan(4).await, everything);
}

async fn a_plan_for_experiments_names_all_their_runs(f: Fixture) {
    let run = f.one_run().await;
    f.start(2, run.experiment).await;
    f.change(run_id(2), trash()).await;
    f.clock.advance_micros(1);
    let delete = ExperimentChanges::delete();
    f.tracker.update_experiment(run.experiment, delete).await.unwrap();
    let what = Purge::Experiments(vec![run.experiment, run.experiment]);
    let plan = f.tracker.plan_purge(&what).await.unwrap();
    assert_eq!((plan.experiments, plan.runs), (vec![run.experiment], vec![run_id(1), run_id(2)]));
}

async fn a_plan_for_what_is_not_in_the_trash_is_invalid_and_for_the_unknown_not_found(f: Fixture) {
    let run = f.one_run().await;
    let plan = async |what| f.tracker.plan_purge(&what).await;
    fails(ErrorKind::Invalid, plan(Purge::Runs(vec![run.id])).await);
    fails(ErrorKind::Invalid, plan(Purge::Experiments(vec![run.experiment])).await);
    fails(ErrorKind::NotFound, plan(Purge::Runs(vec![run_id(9)])).await);
    fails(ErrorKind::NotFound, plan(Purge::Experiments(vec![experiment_id(9)])).await);
}

async fn a_plan_counts_artifacts_and_changes_nothing(f: Fixture) {
    let run = f.one_run().await;
    let files = RunChanges::default()
        .with_artifact(path("a"), blob("four", "b/1"))
        .with_artifact(path("b"), blob("four", "b/2"));
    f.change(run.id, files).await;
    f.change(run.id, trash()).await;
    let (before, rows) = (f.read(run.id).await, f.rows().await);
    let plan = f.tracker.plan_purge(&Purge::Runs(vec![run.id, run.id])).await.unwrap();
    assert_eq!((plan.runs, plan.artifacts, plan.artifact_bytes), (vec![run.id], 2, 8));
    assert_eq!((f.read(run.id).await, f.rows().await), (before, rows));
}

async fn purge_takes_away_what_the_plan_names(f: Fixture) {
    let run = f.one_run().await;
    let other = f.experiment(2, "fraud").await;
    f.start(2, other.id).await;
    f.start(3, other.id).await;
    f.change(run_id(3), trash()).await;
    let delete = ExperimentChanges::delete();
    f.tracker.update_experiment(run.experiment, delete).await.unwrap();
    f.clock.advance_micros(1);
    let plan = f.tracker.plan_purge(&Purge::DeletedBefore(at(1))).await.unwrap();
    let report = f.tracker.purge(&plan).await.unwrap();
    assert_eq!((report.experiments, report.runs, report.freed), (1, 2, vec![]));

    fails(ErrorKind::NotFound, f.tracker.run(run_id(1)).await);
    fails(ErrorKind::NotFound, f.tracker.run(run_id(3)).await);
    assert_eq!(f.read(run_id(2)).await.deleted, None);
    let gone = f.tracker.update_experiment(run.experiment, ExperimentChanges::restore()).await;
    fails(ErrorKind::NotFound, gone);
    let again = f.one_run().await;
    assert_eq!(again.deleted, None, "the ids and the name are free again");
}

async fn purge_of_what_was_restored_is_a_conflict_and_takes_nothing(f: Fixture) {
    let run = f.one_run().await;
    f.start(2, run.experiment).await;
    f.change(run_id(1), trash()).await;
    f.change(run_id(2), trash()).await;
    let plan = f.tracker.plan_purge(&Purge::Runs(vec![run_id(1), run_id(2)])).await.unwrap();
    f.change(run_id(2), restore()).await;
    fails(ErrorKind::Conflict, f.tracker.purge(&plan).await);
    assert!(f.read(run_id(1)).await.deleted.is_some(), "nothing was taken away");
    f.change(run_id(1), restore()).await;

    let change = |changes| f.tracker.update_experiment(run.experiment, changes);
    change(ExperimentChanges::delete()).await.unwrap();
    let what = Purge::Experiments(vec![run.experiment]);
    let plan = f.tracker.plan_purge(&what).await.unwrap();
    change(ExperimentChanges::restore()).await.unwrap();
    fails(ErrorKind::Conflict, f.tracker.purge(&plan).await);
    assert_eq!(f.read(run_id(2)).await.deleted, None);
}

async fn purge_of_an_experiment_with_a_run_that_is_not_named_is_a_conflict(f: Fixture) {
    let run = f.one_run().await;
    let change = |changes| f.tracker.update_experiment(run.experiment, changes);
    change(ExperimentChanges::delete()).await.unwrap();
    let what = Purge::Experiments(vec![run.experiment]);
    let plan = f.tracker.plan_purge(&what).await.unwrap();
    change(ExperimentChanges::restore()).await.unwrap();
    f.start(2, run.experiment).await;
    change(ExperimentChanges::delete()).await.unwrap();
    fails(ErrorKind::Conflict, f.tracker.purge(&plan).await);
    f.read(run_id(1)).await;
    f.read(run_id(2)).await;
}

async fn purge_skips_what_is_gone_already(f: Fixture) {
    let run = f.one_run().await;
    f.start(2, run.experiment).await;
    f.change(run_id(1), trash()).await;
    f.change(run_id(2), trash()).await;
    let one = f.tracker.plan_purge(&Purge::Runs(vec![run_id(1)])).await.unwrap();
    let both = f.tracker.plan_purge(&Purge::Runs(vec![run_id(1), run_id(2)])).await.unwrap();
    assert_eq!(f.tracker.purge(&one).await.unwrap().runs, 1);
    assert_eq!(f.tracker.purge(&both).await.unwrap().runs, 1);
    assert_eq!(f.tracker.purge(&both).await.unwrap().runs, 0);
    let nothing = f.tracker.purge(&PurgePlan::default()).await.unwrap();
    assert_eq!((nothing.runs, nothing.experiments), (0, 0));
}

async fn purge_frees_the_objects_that_nobody_names_any_more(f: Fixture) {
    let run = f.one_run().await;
    let changes = RunChanges::default()
        .with_artifact(path("model"), blob("model", "b/1"))
        .with_artifact(path("copy"), blob("model", "b/2"))
        .with_metrics(values(1, 0, "loss", &[1.0]));
    f.change(run.id, changes).await;
    let ids = f.chunk_ids(run.id).await;
    f.change(run.id, RunChanges::default().with_seal(seal(&ids, 1, "sealed", "b/3"))).await;
    f.change(run.id, trash()).await;
    let plan = f.tracker.plan_purge(&Purge::Runs(vec![run.id])).await.unwrap();
    let mut freed = f.tracker.purge(&plan).await.unwrap().freed;
    freed.sort_by(|a, b| a.location.cmp(&b.location));
    assert_eq!(freed, [blob("model", "b/1"), blob("sealed", "b/3")], "each once");
    assert_eq!(f.tracker.find_blob(digest("model")).await.unwrap(), None);
}

async fn purge_does_not_free_what_another_run_names(f: Fixture) {
    let run = f.one_run().await;
    f.start(2, run.experiment).await;
    f.start(3, run.experiment).await;
    let shared = |location| RunChanges::default().with_artifact(path("m"), blob("same", location));
    f.change(run_id(1), shared("b/1")).await;
    f.change(run_id(2), shared("b/2")).await;
    f.change(run_id(3), shared("b/3")).await;
    f.change(run_id(1), trash()).await;
    f.change(run_id(2), trash()).await;
    let plan = f.tracker.plan_purge(&Purge::Runs(vec![run_id(1), run_id(2)])).await.unwrap();
    assert_eq!(f.tracker.purge(&plan).await.unwrap().freed, []);
    let found = f.tracker.find_blob(digest("same")).await.unwrap();
    assert_eq!(found, Some(blob("same", "b/1")));
}

async fn a_purged_parent_is_named_by_its_children_still(f: Fixture) {
    let run = f.one_run().await;
    let options = CreateRun::new(run_id(2), run.experiment).with_parent(run.id);
    f.tracker.create_run(options).await.unwrap();
    f.change(run.id, trash()).await;
    let plan = f.tracker.plan_purge(&Purge::Runs(vec![run.id])).await.unwrap();
    assert_eq!(plan.runs, [run.id], "a child is a run of its own");
    f.tracker.purge(&plan).await.unwrap();
    assert_eq!(f.read(run_id(2)).await.parent, Some(run.id));
}
