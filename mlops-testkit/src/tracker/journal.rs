//! The journal: one row for each change, and the chain over the rows.

use mlops_core::ErrorKind;
use mlops_core::journal::{Actor, Event, canonical_bytes};
use mlops_core::lineage::Node;
use mlops_core::tracking::{
    CreateExperiment, CreateRun, DatasetContext, ExperimentChanges, Purge, PurgePlan, RunChanges,
    RunStatus,
};
use serde_json::{Value, json};

use crate::build::{
    ACTOR, at, blob, dataset, digest, experiment_id, key, lease, path, run_id, run_name, seal,
    spool, values,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        making_things_writes_what_they_are,
        each_change_of_a_run_writes_one_row_that_says_what_changed,
        each_change_of_an_experiment_writes_one_row_that_says_what_changed,
        a_row_holds_only_what_was_not_so_already,
        a_call_that_changes_nothing_writes_no_row,
        a_renewed_lease_writes_no_row,
        a_call_that_is_refused_writes_no_row,
        points_that_are_not_finite_are_written_as_text,
        purge_writes_a_row_for_each_run_and_experiment_and_keeps_the_others,
        the_journal_names_the_actor_and_the_instant,
        events_are_numbered_from_one_without_holes,
        a_seal_covers_every_row_and_later_rows_are_newer_than_it,
        sealing_again_without_new_rows_changes_nothing,
        the_head_is_the_hash_of_the_hash_before_and_the_rows,
        an_empty_journal_is_sealed_and_proved,
    ]
}

async fn events(f: &Fixture) -> Vec<Event> {
    f.journal.events(0, 1_000_000).await.unwrap()
}

/// Asserts that one row was written since there were `rows`, and returns its operation and payload.
async fn one_row(f: &Fixture, rows: usize, node: impl Into<Node>) -> (String, Value) {
    let mut events = events(f).await;
    assert_eq!(
        events.len(),
        rows + 1,
        "one row for one change: {:?}",
        &events[rows.min(events.len())..]
    );
    let event = events.remove(rows);
    assert_eq!(event.node, node.into());
    (event.operation, event.payload)
}

async fn making_things_writes_what_they_are(f: Fixture) {
    let options = CreateExperiment::default().with_id(experiment_id(1)).with_tag(key("t"), "1");
    f.tracker.create_experiment(&"churn".parse().unwrap(), options).await.unwrap();
    let (operation, payload) = one_row(&f, 0, experiment_id(1)).await;
    assert_eq!(operation, "experiment.create");
    let created = "2023-11-14T22:13:20.000000Z";
    assert_eq!(payload, json!({ "name": "churn", "created": created, "tags": { "t": "1" } }));

    let options = CreateRun::new(run_id(1), experiment_id(1))
        .with_name(run_name("first"))
        .with_user("ann")
        .with_started(at(1))
        .with_lease(lease("laptop", 60))
        .with_param(key("lr"), "0.1");
    f.tracker.create_run(options).await.unwrap();
    let (operation, payload) = one_row(&f, 1, run_id(1)).await;
    assert_eq!(operation, "run.create");
    let expected = json!({
        "experiment": experiment_id(1),
        "name": "first",
        "user": "ann",
        "started": "2023-11-14T22:13:20.000001Z",
        "params": { "lr": "0.1" },
    });
    assert_eq!(payload, expected, "without what is not there, and without the lease");

    let options = CreateRun::new(run_id(2), experiment_id(1)).with_parent(run_id(1));
    f.tracker.create_run(options.with_tag(key("t"), "1")).await.unwrap();
    let (_, payload) = one_row(&f, 2, run_id(2)).await;
    assert_eq!((&payload["parent"], &payload["tags"]), (&json!(run_id(1)), &json!({ "t": "1" })));
}

async fn each_change_of_a_run_writes_one_row_that_says_what_changed(f: Fixture) {
    let run = f.one_run().await;
    f.clock.advance_micros(7);
    let iris = || dataset("iris", "sha256:1", DatasetContext::Train).with_rows(150);
    let points = values(1, 0, "loss", &[2.0, 1.0]);
    let point_bytes = Value::from(points.bytes.len());
    let point_digest = json!(mlops_core::tracking::Digest(blake3::hash(&points.bytes).into()));
    let change = RunChanges::default;
    let now = "2023-11-14T22:13:20.000007Z";
    let changes = [
        (change().with_param(key("lr"), "0.1"), json!({ "params": { "lr": "0.1" } })),
        (change().with_tag(key("team"), "x"), json!({ "tags": { "team": "x" } })),
        (change().without_tag(key("team")), json!({ "removed_tags": ["team"] })),
        (change().with_input(iris()), json!({ "inputs": [iris()] })),
        (change().with_name(run_name("n")), json!({ "name": "n" })),
        (change().with_note("text"), json!({ "note": "text" })),
        (
            change().with_metrics(points),
            json!({ "metrics": {
                "spool": spool(1),
                "first": 0,
                "count": 2,
                "codec": 1,
                "bytes": point_bytes,
                "digest": point_digest,
                "summaries": { "loss": {
                    "last": 1.0, "last_step": 1, "last_time_micros": crate::build::NOW + 1,
                    "min": 1.0, "max": 2.0, "count": 2,
                } },
            } }),
        ),
        (
            change()
                .with_artifact(path("b"), blob("b", "b/1"))
                .with_artifact(path("a"), blob("a", "b/2")),
            json!({ "artifacts": [
                { "path": "a", "digest": digest("a"), "size": 1 },
                { "path": "b", "digest": digest("b"), "size": 1 },
            ] }),
        ),
        (change().with_status(RunStatus::Failed), json!({ "status": "failed", "ended": now })),
        (change().with_ended(at(9)), json!({ "ended": "2023-11-14T22:13:20.000009Z" })),
        (change().with_status(RunStatus::Running), json!({ "status": "running", "ended": null })),
        (change().with_deleted(true), json!({ "deleted": now })),
        (change().with_deleted(false), json!({ "deleted": null })),
    ];
    for (changes, payload) in changes {
        let rows = f.rows().await;
        f.change(run.id, changes).await;
        assert_eq!(one_row(&f, rows, run.id).await, ("run.update".to_owned(), payload));
    }

    let (rows, ids) = (f.rows().await, f.chunk_ids(run.id).await);
    f.change(run.id, change().with_seal(seal(&ids, 2, "sealed", "b/3"))).await;
    let sealed = json!({ "seal": {
        "replaces": ids, "codec": 2, "count": 2, "digest": digest("sealed"), "size": 6,
    } });
    assert_eq!(one_row(&f, rows, run.id).await, ("run.update".to_owned(), sealed));
}

async fn each_change_of_an_experiment_writes_one_row_that_says_what_changed(f: Fixture) {
    let run = f.one_run().await;
    f.start(2, run.experiment).await;
    f.start(3, run.experiment).await;
    f.change(run_id(3), RunChanges::default().with_deleted(true)).await;
    f.clock.advance_micros(7);
    let change = ExperimentChanges::default;
    let now = "2023-11-14T22:13:20.000007Z";
    for (changes, payload) in [
        (change().with_tag(key("team"), "x"), json!({ "tags": { "team": "x" } })),
        (change().without_tag(key("team")), json!({ "removed_tags": ["team"] })),
        (ExperimentChanges::rename("fraud".parse().unwrap()), json!({ "name": "fraud" })),
        (ExperimentChanges::delete(), json!({ "deleted": now, "runs": 2 })),
        (ExperimentChanges::restore(), json!({ "deleted": null, "runs": 2 })),
    ] {
        let rows = f.rows().await;
        f.tracker.update_experiment(run.experiment, changes).await.unwrap();
        let row = one_row(&f, rows, run.experiment).await;
        assert_eq!(row, ("experiment.update".to_owned(), payload));
    }
}

async fn a_row_holds_only_what_was_not_so_already(f: Fixture) {
    let run = f.one_run().await;
    let first = || {
        RunChanges::default()
            .with_param(key("a"), "1")
            .with_tag(key("a"), "1")
            .with_input(dataset("a", "sha256:1", DatasetContext::Train))
            .with_metrics(values(1, 0, "a", &[1.0]))
            .with_artifact(path("a"), blob("a", "b/1"))
            .with_note("same")
    };
    f.change(run.id, first()).await;
    let rows = f.rows().await;
    let more = first()
        .with_param(key("b"), "2")
        .with_tag(key("b"), "2")
        .without_tag(key("absent"))
        .with_input(dataset("b", "sha256:1", DatasetContext::Train))
        .with_artifact(path("b"), blob("b", "b/2"));
    f.change(run.id, more).await;
    let expected = json!({
        "params": { "b": "2" },
        "tags": { "b": "2" },
        "inputs": [dataset("b", "sha256:1", DatasetContext::Train)],
        "artifacts": [{ "path": "b", "digest": digest("b"), "size": 1 }],
    });
    assert_eq!(one_row(&f, rows, run.id).await.1, expected);
}

async fn a_call_that_changes_nothing_writes_no_row(f: Fixture) {
    let run = f.one_run().await;
    let change = RunChanges::default;
    let iris = || dataset("iris", "sha256:1", DatasetContext::Train);
    let points = || change().with_metrics(values(1, 0, "a", &[1.0]));
    let file = || change().with_artifact(path("a"), blob("a", "b/1"));
    let all = points()
        .with_param(key("a"), "1")
        .with_tag(key("a"), "1")
        .with_input(iris())
        .with_artifact(path("a"), blob("a", "b/1"))
        .with_name(run_name("n"))
        .with_note("x");
    f.change(run.id, all).await;
    let rows = f.rows().await;
    f.clock.advance_micros(1);
    for nothing in [
        change(),
        change().with_param(key("a"), "1"),
        change().with_tag(key("a"), "1"),
        change().without_tag(key("absent")),
        change().with_input(iris()),
        points(),
        file(),
        change().with_artifact(path("a"), blob("a", "b/2")),
        change().with_name(run_name("n")),
        change().with_note("x"),
        change().with_status(RunStatus::Running),
        change().with_deleted(false),
    ] {
        let text = format!("{nothing:?}");
        f.change(run.id, nothing).await;
        assert_eq!(f.rows().await, rows, "{text}");
    }
    f.change(run.id, change().with_status(RunStatus::Failed)).await;
    f.change(run.id, change().with_deleted(true)).await;
    let rows = f.rows().await;
    f.change(run.id, change().with_deleted(true)).await;
    f.one_run().await;
    let again = |changes| f.tracker.update_experiment(run.experiment, changes);
    again(ExperimentChanges::rename("churn".parse().unwrap())).await.unwrap();
    again(ExperimentChanges::restore()).await.unwrap();
    again(ExperimentChanges::default().without_tag(key("absent"))).await.unwrap();
    f.tracker.purge(&PurgePlan::default()).await.unwrap();
    f.read(run.id).await;
    assert_eq!(f.rows().await, rows);
}

async fn a_renewed_lease_writes_no_row(f: Fixture) {
    let run = f.one_run().await;
    let rows = f.rows().await;
    f.change(run.id, RunChanges::default().with_lease(lease("laptop", 60))).await;
    f.change(run.id, RunChanges::default().with_lease(lease("laptop", 90))).await;
    assert_eq!(f.rows().await, rows);
    let noted = RunChanges::default().with_lease(lease("laptop", 99)).with_note("x");
    f.change(run.id, noted).await;
    assert_eq!(one_row(&f, rows, run.id).await.1, json!({ "note": "x" }));
}

async fn a_call_that_is_refused_writes_no_row(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, RunChanges::default().with_param(key("a"), "1")).await;
    let rows = f.rows().await;
    let rewritten = RunChanges::default().with_param(key("a"), "2").with_tag(key("b"), "2");
    fails(ErrorKind::Invalid, f.tracker.update_run(run.id, rewritten).await);
    let unknown = CreateRun::new(run_id(2), experiment_id(9));
    fails(ErrorKind::NotFound, f.tracker.create_run(unknown).await);
    let taken =
        f.tracker.create_experiment(&"churn".parse().unwrap(), CreateExperiment::default()).await;
    fails(ErrorKind::AlreadyExists, taken);
    assert_eq!(f.rows().await, rows);
}

async fn points_that_are_not_finite_are_written_as_text(f: Fixture) {
    let run = f.one_run().await;
    let rows = f.rows().await;
    let points = values(1, 0, "x", &[f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
    f.change(run.id, RunChanges::default().with_metrics(points)).await;
    let (_, payload) = one_row(&f, rows, run.id).await;
    let x = &payload["metrics"]["summaries"]["x"];
    assert_eq!(
        (&x["last"], &x["min"], &x["max"]),
        (&json!("NaN"), &json!("-Infinity"), &json!("Infinity"))
    );
}

async fn purge_writes_a_row_for_each_run_and_experiment_and_keeps_the_others(f: Fixture) {
    let run = f.one_run().await;
    f.start(2, run.experiment).await;
    let delete = ExperimentChanges::delete();
    f.tracker.update_experiment(run.experiment, delete).await.unwrap();
    let before = events(&f).await;
    let what = Purge::Experiments(vec![run.experiment]);
    let plan = f.tracker.plan_purge(&what).await.unwrap();
    f.tracker.purge(&plan).await.unwrap();
    let after = events(&f).await;
    assert_eq!(after[..before.len()], before[..]);
    let rows: Vec<_> = after[before.len()..]
        .iter()
        .map(|event| (event.operation.as_str(), event.node.clone(), event.payload.clone()))
        .collect();
    let name = |n| mlops_core::tracking::check::default_run_name(run_id(n)).unwrap();
    let taken = |n| json!({ "experiment": run.experiment, "name": name(n) });
    let expected = [
        ("run.purge", run_id(1).into(), taken(1)),
        ("run.purge", run_id(2).into(), taken(2)),
        ("experiment.purge", run.experiment.into(), json!({ "name": "churn" })),
    ];
    assert_eq!(rows, expected);
}

async fn the_journal_names_the_actor_and_the_instant(f: Fixture) {
    let run = f.one_run().await;
    let ann = f.tracker.acting_as(Actor::new("ann@läptop").unwrap());
    f.clock.advance_micros(5);
    ann.update_run(run.id, RunChanges::default().with_note("x")).await.unwrap();
    f.clock.advance_micros(-3);
    f.change(run.id, RunChanges::default().with_note("y")).await;
    let events = events(&f).await;
    let seen: Vec<_> = events.iter().map(|event| (event.actor.as_str(), event.at)).collect();
    let expected = [(ACTOR, at(0)), (ACTOR, at(0)), ("ann@läptop", at(5)), (ACTOR, at(2))];
    assert_eq!(seen, expected, "the clock may step back, the order does not");
}

async fn events_are_numbered_from_one_without_holes(f: Fixture) {
    let run = f.one_run().await;
    for i in 0..8 {
        f.change(run.id, RunChanges::default().with_note(i.to_string())).await;
        let refused = RunChanges::default().with_ended(at(1));
        fails(ErrorKind::Invalid, f.tracker.update_run(run.id, refused).await);
    }
    let all = events(&f).await;
    let numbers: Vec<_> = all.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let part = async |after, limit| f.journal.events(after, limit).await.unwrap();
    assert_eq!(part(0, 3).await, all[..3]);
    assert_eq!(part(3, 4).await, all[3..7]);
    assert_eq!(part(8, 100).await, all[8..]);
    assert!(part(10, 100).await.is_empty() && part(99, 1).await.is_empty());
    assert!(part(0, 0).await.is_empty());
}

async fn a_seal_covers_every_row_and_later_rows_are_newer_than_it(f: Fixture) {
    let run = f.one_run().await;
    let unsealed = f.journal.verify().await.unwrap();
    assert_eq!((unsealed.events, unsealed.sealed, unsealed.head.as_str()), (2, 0, ""));
    let sealed = f.journal.seal().await.unwrap();
    assert_eq!((sealed.events, sealed.sealed), (2, 2));
    f.change(run.id, RunChanges::default().with_note("x")).await;
    let proof = f.journal.verify().await.unwrap();
    assert_eq!((proof.events, proof.sealed, &proof.head), (3, 2, &sealed.head));
    let again = f.journal.seal().await.unwrap();
    assert_eq!((again.events, again.sealed), (3, 3));
    assert_ne!(again.head, sealed.head);
    assert_eq!(f.journal.verify().await.unwrap(), again);
}

async fn sealing_again_without_new_rows_changes_nothing(f: Fixture) {
    f.one_run().await;
    let sealed = f.journal.seal().await.unwrap();
    assert_eq!(f.journal.seal().await.unwrap(), sealed);
    assert_eq!(f.rows().await, 2, "a seal is no event");
}

async fn the_head_is_the_hash_of_the_hash_before_and_the_rows(f: Fixture) {
    let run = f.one_run().await;
    let first = f.journal.seal().await.unwrap();
    f.change(run.id, RunChanges::default().with_note("\"quotes\" and ünïcode\n")).await;
    f.change(run.id, RunChanges::default().with_metrics(values(1, 0, "x", &[0.1]))).await;
    let second = f.journal.seal().await.unwrap();

    let events = events(&f).await;
    let hash = |before: &[u8], events: &[Event]| {
        let mut bytes = before.to_vec();
        for event in events {
            let (node, payload) = (event.node.to_string(), event.payload.to_string());
            let texts = [event.actor.as_str(), &event.operation, &node, &payload];
            canonical_bytes(event.sequence, event.at.timestamp_micros(), texts, &mut bytes);
        }
        blake3::hash(&bytes)
    };
    let chained = hash(&[0; 32], &events[..2]);
    assert_eq!(first.head, chained.to_string());
    assert_eq!(second.head, hash(chained.as_bytes(), &events[2..]).to_string());
}

async fn an_empty_journal_is_sealed_and_proved(f: Fixture) {
    for proof in [f.journal.seal().await.unwrap(), f.journal.verify().await.unwrap()] {
        assert_eq!((proof.events, proof.sealed, proof.head.as_str()), (0, 0, ""));
    }
}
