//! What only this backend can get wrong: its file.

use futures::executor::block_on;
use mlops_core::time::SystemClock;
use mlops_core::tracking::{CreateExperiment, ExperimentChanges};

use super::*;

/// `schema::APPLICATION_ID`, as SQL spells it.
const APPLICATION: i64 = 0x4d4c_4f50;

fn open(dir: &Path) -> Result<SqliteStore> {
    let actor = Actor::new("ann@laptop").unwrap();
    SqliteStore::open(dir.join("m.db"), Arc::new(SystemClock), actor, SqliteOptions::default())
}

fn raw(dir: &Path, statement: &str) {
    Connection::open(dir.join("m.db")).unwrap().execute_batch(statement).unwrap();
}

fn write_rows(tracker: &SqliteStore, rows: usize) {
    let name = ExperimentName::new("x").unwrap();
    let created = block_on(tracker.create_experiment(&name, CreateExperiment::default())).unwrap();
    for i in 1..rows {
        let changes = ExperimentChanges::default().with_tag(Key::new("n").unwrap(), i.to_string());
        block_on(tracker.update_experiment(created.id, changes)).unwrap();
    }
}

#[test]
fn any_edit_of_a_sealed_row_is_found() {
    for edit in [
        "UPDATE journal SET actor = 'bob@laptop' WHERE sequence = 2",
        "UPDATE journal SET payload = '{}' WHERE sequence = 3",
        "UPDATE journal SET at = at + 1 WHERE sequence = 1",
        "DELETE FROM journal WHERE sequence = 3",
        "DELETE FROM journal WHERE sequence = 5",
        "UPDATE journal SET sequence = -1 WHERE sequence = 2;
         UPDATE journal SET sequence = 2 WHERE sequence = 3;
         UPDATE journal SET sequence = 3 WHERE sequence = -1",
        "UPDATE seals SET hash = zeroblob(32)",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let tracker = open(dir.path()).unwrap();
        write_rows(&tracker, 5);
        let proof = block_on(tracker.seal()).unwrap();
        assert_eq!((proof.events, proof.sealed), (5, 5));
        assert_eq!(block_on(tracker.verify()).unwrap(), proof);
        raw(dir.path(), edit);
        let error = block_on(tracker.verify()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{edit}: {error}");
    }
}

#[test]
fn a_hole_among_unsealed_rows_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let tracker = open(dir.path()).unwrap();
    write_rows(&tracker, 5);
    raw(dir.path(), "DELETE FROM journal WHERE sequence = 3");
    let error = block_on(tracker.verify()).unwrap_err();
    assert!(error.to_string().contains("rows are missing"), "{error}");
}

#[test]
fn rows_are_sealed_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let tracker = open(dir.path()).unwrap();
    write_rows(&tracker, 1_030);
    let proof = block_on(tracker.verify()).unwrap();
    assert_eq!((proof.events, proof.sealed), (1_030, 1_024));
}

#[test]
fn a_store_of_a_newer_version_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    raw(dir.path(), "PRAGMA user_version = 99");
    let error = open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[test]
fn the_database_of_another_program_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    raw(dir.path(), "CREATE TABLE theirs (x)");
    let error = open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("another program"), "{error}");
}

#[test]
fn writers_in_many_handles_wait_for_one_another() {
    let dir = tempfile::tempdir().unwrap();
    write_rows(&open(dir.path()).unwrap(), 1);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let path = dir.path();
            scope.spawn(move || {
                let tracker = open(path).unwrap();
                for i in 0..20 {
                    let name = ExperimentName::new(format!("{thread}/{i}")).unwrap();
                    block_on(tracker.create_experiment(&name, CreateExperiment::default()))
                        .unwrap();
                }
            });
        }
    });
    let proof = block_on(open(dir.path()).unwrap().verify()).unwrap();
    assert_eq!(proof.events, 161);
}

/// A file as the first version of the format wrote it: the first migration, and a run with an input.
fn first_version(dir: &Path) {
    raw(dir, include_str!("schema/1.sql"));
    raw(
        dir,
        "PRAGMA application_id = 1296846672; PRAGMA user_version = 1;
         INSERT INTO experiments (uid, name, created) VALUES (zeroblob(16), 'x', 1);
         INSERT INTO runs (uid, experiment, name, status, user, started, note)
             VALUES (x'0191d2a0b1c27def8123456789abcdef', 1, 'r', 'finished', '', 1, '');
         INSERT INTO inputs (run, name, digest, context, source)
             VALUES (1, 'flights', 'sha256:ab', 'train', 'flights.parquet'),
                    (1, 'flights', 'sha256:ab', 'test', NULL);",
    );
}

#[test]
fn a_store_of_the_first_version_opens_and_its_runs_join_the_graph() {
    use mlops_core::lineage::{Direction, Edge, Lineage, Relation};
    let dir = tempfile::tempdir().unwrap();
    first_version(dir.path());
    assert_eq!(APPLICATION, 1_296_846_672);
    let store = open(dir.path()).unwrap();
    let run: Node = "run:0191d2a0b1c27def8123456789abcdef".parse().unwrap();
    let dataset: Node = "dataset:flights@sha256:ab".parse().unwrap();
    let source: Node = "source:flights.parquet".parse().unwrap();
    let of = |node: &Node| {
        block_on(store.edges(std::slice::from_ref(node), Direction::Upstream)).unwrap()
    };
    assert_eq!(of(&run), [Edge::new(dataset.clone(), run.clone(), Relation::Read)]);
    assert_eq!(of(&dataset), [Edge::new(source, dataset.clone(), Relation::Contains)]);
    drop(store);
    open(dir.path()).expect("it opens again");
}

#[test]
fn eight_processes_migrate_one_old_store_at_once() {
    let dir = tempfile::tempdir().unwrap();
    first_version(dir.path());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| open(dir.path()).map(drop))).collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    });
}
