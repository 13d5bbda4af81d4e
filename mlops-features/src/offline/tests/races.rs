//! Writers and readers that another process comes between.

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use futures::executor::block_on;
use mlops_core::features::{Append, Compaction, OfflineStore, Probe, Scan, Table};
use object_store::ObjectStoreExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::super::SegmentStore;
use super::super::layout::{folder, position_of};
use super::broken::Broken;
use super::fixture::{NOW, World};
use super::meddler::Meddler;
use super::{all, erased, rows, table};

fn now() -> Compaction {
    Compaction::default().full().with_grace(0)
}

async fn push(store: &SegmentStore, table: &Table, key: i64, time: i64) -> u64 {
    store.append(table, rows(&[key], time), Append::default()).await.unwrap().position
}

async fn keys(store: &SegmentStore, table: &Table) -> Vec<i64> {
    all(store, table).await.values().map(|(key, _)| *key).collect()
}

/// Files that no log names, and manifests of no position or of one that was erased.
async fn left(store: &SegmentStore, table: &Table) -> Vec<String> {
    let log = store.load("test", &table.id).await.unwrap().log;
    let named = log.named();
    let mut positions = BTreeMap::new();
    let mut left = Vec::new();
    for (path, _) in store.list("test", &folder(&table.id)).await.unwrap() {
        if path.contains("/manifests/") {
            let position = position_of(&path).unwrap();
            let twice = positions.insert(position, path.clone()).is_some();
            if twice || position < log.floor {
                left.push(path);
            }
        } else if !named.contains(path.as_str()) {
            left.push(path);
        }
    }
    left
}

#[test]
fn a_writer_that_loses_to_an_erasure_leaves_no_file() {
    block_on(async {
        for writer in ["append", "compact", "erase"] {
            for puts in 1.. {
                let (world, table) = (World::new(), table());
                let first = world.open();
                for n in 0..32 {
                    let batch = rows(&[n % 3, 5], 10 * n);
                    first.append(&table, batch, Append::default()).await.unwrap();
                }
                let (other, theirs) = (world.open(), table.clone());
                let erase = move || {
                    let done = block_on(other.erase(&theirs, &erased(&[1]))).unwrap();
                    assert_eq!(done.rows, 11);
                };
                let meddler = Arc::new(Meddler::new(Arc::clone(&world.objects), puts, erase));
                let store = world.over(Arc::clone(&meddler) as _);
                match writer {
                    "append" => assert!(push(&store, &table, 9, 999).await > 0),
                    "compact" => assert!(store.compact(&table, now()).await.unwrap().made > 0),
                    _ => assert_eq!(store.erase(&table, &erased(&[2])).await.unwrap().rows, 10),
                }
                if !meddler.done() {
                    assert!(puts > 3, "each writes something");
                    break;
                }
                let found = keys(&first, &table).await;
                assert!(!found.contains(&1), "{writer} {puts}: {found:?}");
                assert_eq!(found.contains(&9), writer == "append");
                assert_eq!(found.contains(&2), writer != "erase");
                let left = left(&first, &table).await;
                assert!(left.is_empty(), "{writer} {puts}: {left:?}");
            }
        }
    });
}

#[test]
fn what_a_killed_loser_left_is_deleted_by_the_next_erasure_though_it_finds_no_rows() {
    block_on(async {
        let (world, table) = (World::new(), table());
        let first = world.open();
        push(&first, &table, 1, 1).await;
        push(&first, &table, 2, 2).await;
        // Its merge is written; then rows are erased, and then it dies.
        let broken = Arc::new(Broken::new(Arc::clone(&world.objects), 1));
        let (other, theirs) = (world.open(), table.clone());
        let erase = move || drop(block_on(other.erase(&theirs, &erased(&[1]))).unwrap());
        let meddler = Arc::new(Meddler::new(broken, 1, erase));
        world.over(meddler).compact(&table, now()).await.unwrap_err();
        assert_eq!(left(&first, &table).await.len(), 1);
        let again = first.erase(&table, &erased(&[1])).await.unwrap();
        assert_eq!((again.rows, again.deleted.len()), (0, 1));
        assert_eq!(left(&first, &table).await, Vec::<String>::new());
    });
}

#[test]
fn a_position_answers_after_its_segments_were_merged_and_deleted() {
    block_on(async {
        let (world, table) = (World::new(), table());
        let store = world.open();
        let mut answers = Vec::new();
        let ask = |position| {
            let mut probe = Probe::new(
                vec![Arc::new(arrow::array::Int64Array::from(vec![0, 1, 2]))],
                Arc::new(arrow::array::TimestampMicrosecondArray::from(vec![NOW; 3])),
                vec!["rating".to_owned()],
            );
            probe.position = Some(position);
            probe
        };
        for n in 0..40 {
            let position = push(&store, &table, n % 3, n).await;
            let answer = store.as_of(&table, ask(position)).await.unwrap();
            let manifest = store.manifest(&table.id, Some(position)).await.unwrap();
            answers.push((position, answer, manifest));
        }
        store.compact(&table, now()).await.unwrap();
        push(&store, &table, 0, 50).await;
        store.compact(&table, now()).await.unwrap();
        assert_eq!(world.segments(&table).await.len(), 1);
        for (position, then, manifest) in &answers {
            let found = world.open().as_of(&table, ask(*position)).await.unwrap();
            assert_eq!(found.rows, then.rows);
            assert_eq!(&found.event_time, &then.event_time);
            assert_eq!((&found.columns, found.position), (&then.columns, then.position));
            assert_eq!(store.manifest(&table.id, Some(*position)).await.unwrap(), *manifest);
            let mut scan = Scan::default();
            scan.position = Some(*position);
            let batches: Vec<RecordBatch> =
                store.scan(&table, scan).await.unwrap().try_collect().await.unwrap();
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(rows as u64, manifest.next_seq);
        }
    });
}

#[test]
fn a_scan_goes_on_when_segments_are_compacted_under_it() {
    block_on(async {
        let (world, table) = (World::new(), table());
        let (store, other) = (world.open(), world.open());
        for n in 0..5 {
            push(&store, &table, n, n).await;
        }
        let mut scanned = store.scan(&table, Scan::default()).await.unwrap();
        let mut found = vec![scanned.try_next().await.unwrap().unwrap().num_rows()];
        push(&other, &table, 7, 7).await;
        other.compact(&table, now()).await.unwrap();
        assert_eq!(world.segments(&table).await.len(), 1);
        while let Some(batch) = scanned.try_next().await.unwrap() {
            found.push(batch.num_rows());
        }
        assert_eq!(found, [1, 4], "each row once, and none that came later");
    });
}

#[test]
fn a_file_that_is_really_gone_is_an_error() {
    block_on(async {
        let (world, table) = (World::new(), table());
        let store = world.open();
        push(&store, &table, 1, 1).await;
        let segment = store.manifest(&table.id, None).await.unwrap().segments.remove(0);
        world.objects.delete(&format!("p/{}", segment.path).into()).await.unwrap();
        let scanned = store.scan(&table, Scan::default()).await.unwrap();
        let error = scanned.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(error.to_string().contains(&segment.path), "{error}");
    });
}

#[test]
fn pushes_without_compaction_keep_the_manifest_short() {
    block_on(async {
        let (world, table) = (World::new(), table());
        let store = world.open();
        let mut longest = 0;
        for n in 0..2_000 {
            world.clock.advance_micros(60_000_000);
            push(&store, &table, n % 7, n).await;
            let log = store.load("test", &table.id).await.unwrap().log;
            longest = longest.max(serde_json::to_vec(&*log).unwrap().len());
        }
        assert!(longest < 64 << 10, "{longest} bytes");
        assert!(world.segments(&table).await.len() < 200);
        assert_eq!(all(&store, &table).await.len(), 2_000);
    });
}

#[test]
fn a_compaction_says_no_more_rows_than_there_are() {
    block_on(async {
        let (world, table) = (World::new(), table());
        let store = world.open();
        for n in 0..30 {
            push(&store, &table, n, n).await;
        }
        let said = Arc::new(Mutex::new(BTreeSet::new()));
        let mut options = now();
        let watched = Arc::clone(&said);
        options.progress = Some(mlops_core::features::CompactionWatcher(Arc::new(move |now| {
            watched.lock().unwrap().insert((now.rows, now.of));
        })));
        // Rows that come while it works are for the next time.
        let (other, theirs) = (world.open(), table.clone());
        let append = move || assert!(block_on(push(&other, &theirs, 99, 99)) > 0);
        let meddler = Arc::new(Meddler::new(Arc::clone(&world.objects), 1, append));
        let report = world.over(meddler).compact(&table, options).await.unwrap();
        assert_eq!((report.merged, report.made, report.rows), (30, 1, 30));
        assert_eq!(*said.lock().unwrap(), BTreeSet::from([(30, Some(30))]));
        assert_eq!(store.manifest(&table.id, None).await.unwrap().segments.len(), 2);
    });
}
