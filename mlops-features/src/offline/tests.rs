//! What the conformance cases of the testkit do not see: crash points, many writers, damage, the form of the
//! files. Those cases run here too, over objects in memory.

pub(crate) mod broken;
mod files;
mod fixture;
mod meddler;
mod races;

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType, UInt64Type};
use futures::TryStreamExt;
use futures::executor::block_on;
use mlops_core::features::{
    Append, Compaction, FeatureName, FeatureType, KeyBatch, KeyType, OfflineStore, Scan, Table,
    TableId, TableKey,
};
use mlops_core::{ErrorKind, Key};
use mlops_testkit::features::offline::{offline_cases, offline_differential};
use object_store::{ObjectStoreExt, PutPayload};
use proptest::prelude::*;
use std::sync::Arc;

use self::broken::Broken;
use self::fixture::{NOW, World, conformance};
use super::SegmentStore;
use super::layout::below;

fn table() -> Table {
    let id = TableId::new(&FeatureName::new("drivers").unwrap(), 1);
    let key = TableKey { name: "driver_id".to_owned(), data_type: KeyType::Int };
    Table::new(id, vec![key]).with("rating", FeatureType::Float)
}

fn rows(keys: &[i64], time: i64) -> RecordBatch {
    let times = (0..keys.len() as i64).map(|row| time + row);
    RecordBatch::try_from_iter([
        ("driver_id", Arc::new(Int64Array::from(keys.to_vec())) as _),
        ("event_time", Arc::new(TimestampMicrosecondArray::from_iter_values(times)) as _),
        ("rating", Arc::new(Float64Array::from_iter_values(keys.iter().map(|k| *k as f64))) as _),
    ])
    .unwrap()
}

/// Keys and event times by `seq`.
async fn all(store: &SegmentStore, table: &Table) -> BTreeMap<u64, (i64, i64)> {
    let batches: Vec<RecordBatch> =
        store.scan(table, Scan::default()).await.unwrap().try_collect().await.unwrap();
    let mut found = BTreeMap::new();
    for batch in batches {
        let keys = batch.column(0).as_primitive::<Int64Type>().values();
        let times = batch.column(1).as_primitive::<TimestampMicrosecondType>().values();
        let seqs = batch.column(3).as_primitive::<UInt64Type>().values();
        for row in 0..batch.num_rows() {
            assert!(found.insert(seqs[row], (keys[row], times[row])).is_none(), "seq is unique");
        }
    }
    found
}

/// `cargo test --release -p mlops-features --features redis --lib what_it_costs -- --ignored --nocapture`
#[test]
#[ignore = "prints figures"]
fn what_it_costs() {
    let world = World::new();
    let mut table = table();
    table.columns.clear();
    for n in 0..10 {
        table = table.with(format!("f{n}"), FeatureType::Float);
    }
    let (rows, store) = (1_000_000_u64, world.open());
    let noise =
        |n: u64| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64 / (1_u64 << 53) as f64;
    let batch = |from: u64, rows: u64| {
        let all = || from..from + rows;
        let keys = Int64Array::from_iter_values(all().map(|n| (noise(n) * 1e5) as i64));
        let times = all().map(|n| (noise(n ^ 0xABCD) * 2.6e12) as i64);
        let times = TimestampMicrosecondArray::from_iter_values(times);
        let mut columns: Vec<(String, arrow::array::ArrayRef)> = vec![
            ("driver_id".to_owned(), Arc::new(keys)),
            ("event_time".to_owned(), Arc::new(times)),
        ];
        for f in 0..10_u64 {
            let values = Float64Array::from_iter_values(all().map(|n| noise(n + f * rows + 7)));
            columns.push((format!("f{f}"), Arc::new(values)));
        }
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let timed = |what: &str, count: u64, work: &dyn Fn()| {
        let cpu = || {
            let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split(' ').collect();
            fields[12].parse::<f64>().unwrap() + fields[13].parse::<f64>().unwrap()
        };
        let before = cpu();
        work();
        let seconds = (cpu() - before) / 100.0;
        println!("{what}: {seconds:.2} CPU-s, {:.0} a CPU-s", count as f64 / seconds);
    };
    let append = |batch| {
        block_on(store.append(&table, batch, Append::default())).unwrap();
    };
    for part in 0..4 {
        let batch = batch(part * rows, rows);
        timed("append 1M rows", rows, &|| append(batch.clone()));
    }
    let mut full = Compaction::default();
    full.full = true;
    timed("compact 4M rows of 4 segments", 4 * rows, &|| {
        block_on(store.compact(&table, full.clone())).unwrap();
    });
    let manifest = block_on(store.manifest(&table.id, None)).unwrap();
    println!("{} bytes a row", manifest.segments[0].bytes / manifest.segments[0].rows);
    timed("scan 4M rows", 4 * rows, &|| {
        let scanned = block_on(store.scan(&table, Scan::default())).unwrap();
        block_on(scanned.try_for_each(|_| async { Ok(()) })).unwrap();
    });
    timed("append 1 row 500 times", 500, &|| (0..500).for_each(|n| append(batch(n, 1))));
}

fn erased(keys: &[i64]) -> KeyBatch {
    let column: arrow::array::ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
    KeyBatch::from_columns(&[column], keys.len()).unwrap()
}

#[test]
fn the_contract_of_offline_stores_holds() {
    for case in offline_cases() {
        println!("{}", case.name);
        block_on((case.run)(conformance().unwrap()));
    }
}

#[test]
fn random_histories_are_answered_as_by_the_oracle() {
    offline_differential(conformance, 5_000);
}

#[test]
fn a_writer_that_dies_at_any_put_leaves_the_table_as_before_or_after() {
    block_on(async {
        for puts in 0.. {
            let world = World::new();
            let (whole, table) = (world.open(), table());
            whole.append(&table, rows(&[1, 2], 0), Append::default()).await.unwrap();
            let broken = Arc::new(Broken::new(Arc::clone(&world.objects), puts));
            let dying = world.over(broken);
            let done = async {
                dying.append(&table, rows(&[3, 1, 2], 10), Append::default()).await?;
                let mut full = Compaction::default();
                full.full = true;
                dying.compact(&table, full).await?;
                dying.erase(&table, &erased(&[2])).await
            };
            let done = done.await.is_ok();
            let found = all(&whole, &table).await;
            let keys: Vec<i64> = found.values().map(|(key, _)| *key).collect();
            let states: [&[i64]; 3] = [&[1, 2], &[1, 2, 3, 1, 2], &[1, 3, 1]];
            assert!(states.contains(&&*keys), "{keys:?} after {puts} puts");
            whole.verify(&table.id).await.unwrap();
            // Whoever comes next goes on.
            whole.append(&table, rows(&[9], 99), Append::default()).await.unwrap();
            assert_eq!(all(&whole, &table).await.len(), keys.len() + 1);
            whole.erase(&table, &erased(&[2])).await.unwrap();
            whole.sweep(&table.id, 0).await.unwrap();
            assert!(all(&whole, &table).await.values().all(|(key, _)| *key != 2));
            assert_eq!(
                world.segments(&table).await,
                whole
                    .manifest(&table.id, None)
                    .await
                    .unwrap()
                    .segments
                    .iter()
                    .map(|s| s.path.clone())
                    .collect::<BTreeSet<_>>()
            );
            if done {
                assert!(puts > 5, "each step writes something");
                return;
            }
        }
    });
}

#[test]
fn eight_writers_in_four_processes_lose_no_row() {
    let world = World::new();
    let table = table();
    // Each with what it remembers and locks for itself, as processes have.
    let stores: Vec<_> = (0..4).map(|_| world.open()).collect();
    std::thread::scope(|scope| {
        for writer in 0..8_i64 {
            let (store, table) = (&stores[writer as usize / 2], &table);
            scope.spawn(move || {
                for n in 0..12 {
                    let batch = rows(&[writer, writer], 10 * n);
                    block_on(store.append(table, batch, Append::default())).unwrap();
                    if writer == 0 && n % 4 == 0 {
                        block_on(store.compact(table, Compaction::default())).unwrap();
                    }
                }
            });
        }
    });
    let found = block_on(all(&stores[0], &table));
    assert_eq!(found.len(), 8 * 12 * 2);
    assert!(found.keys().copied().eq(0..8 * 12 * 2), "seq has no holes");
    let manifest = block_on(stores[1].manifest(&table.id, None)).unwrap();
    assert!(manifest.segments.windows(2).all(|pair| pair[0].seq.1 < pair[1].seq.0));
}

#[test]
fn rows_that_come_one_by_one_do_not_drown_the_manifest() {
    block_on(async {
        let (world, table) = (World::new(), table());
        let store = world.open();
        for n in 0..300 {
            let token = Key::new(format!("push-{n}")).unwrap();
            let options = Append::default().with_token(token);
            store.append(&table, rows(&[n % 7], n), options).await.unwrap();
        }
        let manifest = store.manifest(&table.id, None).await.unwrap();
        assert!(manifest.segments.len() <= 33, "{}", manifest.segments.len());
        assert!(all(&store, &table).await.keys().copied().eq(0..300));
        // A token of long ago, for who has never seen it.
        let token = Key::new("push-3").unwrap();
        let again = Append::default().with_token(token);
        let appended = world.open().append(&table, rows(&[3], 3), again).await.unwrap();
        assert_eq!((appended.first_seq, appended.position), (3, 4));
        // Positions of before are there until they are compacted.
        assert_eq!(store.manifest(&table.id, Some(17)).await.unwrap().next_seq, 17);
        let mut now = Compaction::default();
        now.full = true;
        now.grace = 0;
        let report = store.compact(&table, now).await.unwrap();
        assert!(report.deleted > 0);
        assert!(all(&store, &table).await.keys().copied().eq(0..300));
        assert_eq!(world.segments(&table).await.len(), 1, "merged files are gone");
    });
}

#[test]
fn a_truncated_or_changed_segment_is_corrupt() {
    block_on(async {
        let (world, table) = (World::new(), table());
        let store = world.open();
        store.append(&table, rows(&[1, 2, 3], 0), Append::default()).await.unwrap();
        let segment = store.manifest(&table.id, None).await.unwrap().segments.remove(0);
        let path = below(&object_store::path::Path::from("p"), &segment.path);
        let bytes = world.objects.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(store.verify(&table.id).await.unwrap(), bytes.len() as u64);
        let corrupt = |error: mlops_core::Error| {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains(&segment.path), "{error}");
        };
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            let short = PutPayload::from(bytes.slice(..length));
            world.objects.put(&path, short).await.unwrap();
            let scanned = store.scan(&table, Scan::default()).await.unwrap();
            corrupt(scanned.try_collect::<Vec<_>>().await.unwrap_err());
        }
        let mut changed = bytes.to_vec();
        changed[20] ^= 1;
        world.objects.put(&path, PutPayload::from(changed)).await.unwrap();
        corrupt(store.verify(&table.id).await.unwrap_err());
    });
}

#[test]
fn rows_of_a_segment_are_sorted_by_key_and_time() {
    block_on(async {
        let (world, table) = (World::new(), table());
        let store = world.open();
        let keys: Vec<i64> = (0..20_000).map(|n| n * 7_919 % 101 - 50).collect();
        store.append(&table, rows(&keys, 0), Append::default()).await.unwrap();
        store.append(&table, rows(&keys[..9_000], 5_000), Append::default()).await.unwrap();
        let mut full = Compaction::default();
        full.full = true;
        store.compact(&table, full).await.unwrap();
        let segment = store.manifest(&table.id, None).await.unwrap().segments.remove(0);
        assert_eq!((segment.rows, segment.keys, segment.seq), (29_000, 101, (0, 28_999)));
        assert_eq!(segment.event_time, (0, 19_999));
        assert_eq!((segment.columns[0].min, segment.columns[0].max), (Some(-50.0), Some(50.0)));
        let batches: Vec<RecordBatch> =
            store.scan(&table, Scan::default()).await.unwrap().try_collect().await.unwrap();
        let mut last = (i64::MIN, 0, 0);
        for batch in batches {
            let keys = batch.column(0).as_primitive::<Int64Type>().values();
            let times = batch.column(1).as_primitive::<TimestampMicrosecondType>().values();
            let seqs = batch.column(3).as_primitive::<UInt64Type>().values();
            for row in 0..batch.num_rows() {
                let next = (keys[row], times[row], seqs[row]);
                assert!(last < next, "{last:?} {next:?}");
                last = next;
            }
        }
    });
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<i64>),
    Compact { full: bool, now: bool },
    Erase(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(0..5_i64, 0..6).prop_map(Step::Append),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(full, now)| Step::Compact { full, now }),
        1 => (0..5_i64).prop_map(Step::Erase),
    ];
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn after_any_history_the_rows_are_those_of_the_model(steps in steps()) {
        block_on(async {
            let (world, table) = (World::new(), table());
            let mut model: BTreeMap<u64, (i64, i64)> = BTreeMap::new();
            let mut next = 0;
            for (at, step) in steps.into_iter().enumerate() {
                // Every other one remembers nothing.
                let store = world.open();
                match step {
                    Step::Append(keys) => {
                        let time = 10 * at as i64;
                        let batch = rows(&keys, time);
                        let done = store.append(&table, batch, Append::default()).await.unwrap();
                        assert_eq!((done.first_seq, done.rows), (next, keys.len() as u64));
                        for (row, key) in keys.into_iter().enumerate() {
                            model.insert(next, (key, time + row as i64));
                            next += 1;
                        }
                    }
                    Step::Compact { full, now } => {
                        let mut options = Compaction::default();
                        options.full = full;
                        options.grace = if now { 0 } else { NOW };
                        store.compact(&table, options).await.unwrap();
                    }
                    Step::Erase(key) => {
                        let before = model.len();
                        model.retain(|_, (known, _)| *known != key);
                        let done = store.erase(&table, &erased(&[key])).await.unwrap();
                        assert_eq!(done.rows as usize, before - model.len());
                    }
                }
                assert_eq!(all(&store, &table).await, model);
            }
            world.open().verify(&table.id).await.unwrap();
        });
    }
}
