//! What a prepared read costs: one JSON line a figure, CPU time of the process in microseconds a call.
//!
//! Each call asks other keys of a table of a hundred thousand, so that memory and not the processor's
//! caches is read; a tenth of the values is null, a twentieth of the keys is not there, a tenth of the rows is
//! too old. The sum of what was answered is checked against the rows that were written.
//!
//! The store called `floor` costs the least that a store can: a map from hashes to places in one heap.

#![allow(missing_docs, reason = "a bench has no documentation")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints and may stop")]

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use mlops_core::features::{
    Boundary, FeatureName, FeatureType, KeyBatch, KeyType, LocalTable, OnlineRow, OnlineStore,
    OnlineWritten, RowStatus, Span, TableColumn, TableId, TableRead, Visibility, Visit, Watermark,
    WriteOrder, merge_entry,
};
use mlops_core::{Capability, Error, ErrorKind, Result};
use mlops_features::codec::{PackedBatch, RowCodec};
use mlops_features::online::MemoryOnline;
use mlops_features::prepared::{
    Columns, KeyValue, Prepared, PreparedFeature, PreparedKind, PreparedView, RequestKey, Row,
};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

const NOW: i64 = 1_700_000_000_000_000;
const DAY: i64 = 86_400_000_000;
const ROUNDS: usize = 7;

fn main() {
    // `cargo test --benches` runs this too; there it would only take time.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    for (rows, features) in [(100_000, 10), (10_000, 50)] {
        let made = Rows::new(rows, features);
        made.pack();
        measure("memory", &made, Arc::new(MemoryOnline::new()));
        measure("floor", &made, Arc::new(Floor::default()));
    }
}

/// Rows of one table, one a key.
struct Rows {
    codec: Arc<RowCodec>,
    batch: RecordBatch,
    columns: Vec<TableColumn>,
    /// Of each row, what its values are together if they can be seen.
    sums: Vec<Option<f64>>,
}

impl Rows {
    fn new(rows: usize, features: usize) -> Self {
        let mut noise = Noise(1);
        let name = |index: usize| format!("f{index}");
        let columns: Vec<_> = (0..features)
            .map(|index| TableColumn { name: name(index), data_type: FeatureType::Float })
            .collect();
        let mut sums: Vec<_> =
            (0..rows).map(|row| (!old(row) && row % 20 != 7).then_some(0.0)).collect();
        let arrays = columns.iter().map(|column| {
            let values = sums.iter_mut().map(|sum| {
                let value =
                    (!noise.next().is_multiple_of(10)).then(|| (noise.next() % 1_000) as f64);
                if let (Some(sum), Some(value)) = (sum, value) {
                    *sum += value;
                }
                value
            });
            let array: ArrayRef = Arc::new(values.collect::<Float64Array>());
            (column.name.clone(), array, true)
        });
        let batch = RecordBatch::try_from_iter_with_nullable(arrays).unwrap();
        Self { codec: Arc::new(RowCodec::new(&columns).unwrap()), batch, columns, sums }
    }

    fn pack(&self) {
        let rows = self.batch.num_rows();
        let mut packed = PackedBatch::new();
        let cost = median(|| {
            packed.clear();
            self.codec.encode_rows(&self.batch, 0..rows, &mut packed).unwrap();
        });
        figure(
            "pack",
            "none",
            rows,
            self.columns.len(),
            cost,
            json!({
                "rows_per_cpu_s": (rows as f64 / cost * 1e6).round(),
            }),
        );
    }

    fn write(&self, store: &dyn OnlineStore, table: &TableId) {
        let rows = self.batch.num_rows();
        let (mut packed, mut keys) = (PackedBatch::new(), KeyBatch::new());
        self.codec.encode_rows(&self.batch, 0..rows, &mut packed).unwrap();
        for row in 0..rows {
            keys.int(row as i64);
            keys.end(true).unwrap();
        }
        let all: Vec<_> = (0..rows)
            .filter(|row| row % 20 != 7)
            .map(|row| OnlineRow {
                key: keys.get(row).unwrap(),
                order: WriteOrder {
                    event_time: NOW - if old(row) { 8 * DAY } else { DAY },
                    created: NOW - DAY,
                    seq: row as u64,
                },
                payload: packed.get(row).unwrap(),
                expires: None,
            })
            .collect();
        block_on(store.write(table, &all, NOW)).unwrap();
    }
}

fn old(row: usize) -> bool {
    row % 10 == 3
}

fn measure(name: &str, made: &Rows, store: Arc<dyn OnlineStore>) {
    let table = TableId::new(&FeatureName::new("bench").unwrap(), 1);
    made.write(&*store, &table);
    let view = PreparedView {
        alias: "bench".to_owned(),
        table,
        keys: vec![RequestKey { column: "id".to_owned(), data_type: KeyType::Int }],
        visibility: Visibility::new(Span::days(7), Boundary::Inclusive),
        features: made
            .columns
            .iter()
            .map(|c| PreparedFeature { name: c.name.clone(), data_type: c.data_type })
            .collect(),
        kind: PreparedKind::Rows {
            codec: Arc::clone(&made.codec),
            columns: made.columns.iter().map(|c| c.name.clone()).collect(),
        },
    };
    let service = Prepared::new(store, vec![view]).unwrap();
    let (rows, features) = (made.batch.num_rows(), made.columns.len());
    let keys: Vec<i64> = {
        let mut noise = Noise(7);
        (0..100_000).map(|_| (noise.next() % rows as u64) as i64).collect()
    };
    single(name, made, &service, &keys);
    for entities in [10, 100] {
        let calls: Vec<&[i64]> = keys.chunks_exact(entities).collect();
        let (mut request, mut out, mut sum) = (service.keys(), Columns::new(), 0.0);
        let cost = median(|| {
            sum = 0.0;
            for call in &calls {
                request.clear();
                for key in *call {
                    request.push(&[KeyValue::Int(*key)]).unwrap();
                }
                service.batch(&request, NOW, &mut out).unwrap();
                sum += out.columns()[0].floats().unwrap()[0];
            }
        });
        assert!(sum > 0.0);
        let expected: f64 =
            calls.last().unwrap().iter().filter_map(|k| made.sums[*k as usize]).sum();
        let found: f64 = out.columns().iter().flat_map(|c| c.floats().unwrap()).sum();
        assert!((expected - found).abs() < f64::EPSILON, "{expected} {found}");
        figure("batch", name, entities, features, cost / calls.len() as f64, json!({}));

        let asked: Vec<RecordBatch> = calls
            .iter()
            .map(|call| {
                let ids: ArrayRef = Arc::new(Int64Array::from(call.to_vec()));
                RecordBatch::try_from_iter([("id", ids)]).unwrap()
            })
            .collect();
        let cost = median(|| {
            for rows in &asked {
                assert_eq!(service.answer_local(rows, NOW).unwrap().batch.num_rows(), entities);
            }
        });
        figure("arrow", name, entities, features, cost / calls.len() as f64, json!({}));
    }
}

fn single(name: &str, made: &Rows, service: &Prepared, keys: &[i64]) {
    let (mut row, mut sum) = (Row::new(), 0.0);
    let cost = median(|| {
        sum = 0.0;
        for key in keys {
            service.row(&[KeyValue::Int(*key)], NOW, &mut row).unwrap();
            // All values and statuses are looked at, as a model would.
            for feature in 0..made.columns.len() {
                sum += row.float(feature).unwrap_or(0.0);
            }
        }
    });
    let expected: f64 = keys.iter().filter_map(|key| made.sums[*key as usize]).sum();
    assert!((expected - sum).abs() < f64::EPSILON, "{expected} {sum}");
    let seen = |status| service_status(service, keys, status);
    let extra =
        json!({ "expired": seen(RowStatus::Expired), "missing": seen(RowStatus::NotFound) });
    figure("row", name, 1, made.columns.len(), cost / keys.len() as f64, extra);
}

/// The share of keys with a status, in a sample.
fn service_status(service: &Prepared, keys: &[i64], status: RowStatus) -> f64 {
    let (mut request, mut out) = (service.keys(), Columns::new());
    for key in &keys[..1_000] {
        request.push(&[KeyValue::Int(*key)]).unwrap();
    }
    service.batch(&request, NOW, &mut out).unwrap();
    out.view(0).unwrap().iter().filter(|found| **found == status).count() as f64 / 1_000.0
}

fn figure(what: &str, store: &str, entities: usize, features: usize, cost: f64, extra: Value) {
    let mut line = json!({
        "peer": "mlops",
        "op": what,
        "store": store,
        "entities": entities,
        "features": features,
        "cpu_us_per_call": (cost * 1_000.0).round() / 1_000.0,
    });
    if let (Value::Object(line), Value::Object(extra)) = (&mut line, extra) {
        line.extend(extra);
    }
    println!("{line}");
}

/// CPU microseconds of the median round.
fn median(mut work: impl FnMut()) -> f64 {
    let mut costs: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let before = cpu();
            work();
            cpu() - before
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    costs[ROUNDS / 2]
}

fn cpu() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

/// A fixed sequence.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// One table, written once.
#[derive(Debug, Default)]
struct Floor {
    heap: Arc<OnceLock<Heap>>,
}

#[derive(Debug, Default)]
struct Heap {
    /// By a key's hash, where its entry begins and ends.
    places: HashMap<u64, (u32, u32), BuildHasherDefault<Same>>,
    bytes: Vec<u8>,
}

/// The hash of a hash.
#[derive(Debug, Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[derive(Debug)]
struct FloorTable(Arc<OnceLock<Heap>>);

impl LocalTable for FloorTable {
    fn visit(&self, keys: &KeyBatch, visit: &mut Visit<'_>) -> Result<()> {
        let heap = self.0.get().unwrap();
        for (row, key) in keys.iter().enumerate() {
            let place = key.and_then(|key| heap.places.get(&xxh3_64(key)));
            visit(row, place.map(|(start, end)| &heap.bytes[*start as usize..*end as usize]))?;
        }
        Ok(())
    }
}

fn unused<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "bench.floor", "is not measured"))
}

#[async_trait]
impl OnlineStore for Floor {
    fn capability(&self) -> Capability {
        Capability::default()
    }

    fn local(&self, _: &TableId) -> Result<Option<Arc<dyn LocalTable>>> {
        Ok(Some(Arc::new(FloorTable(Arc::clone(&self.heap)))))
    }

    async fn read(&self, _: &[TableRead<'_>]) -> Result<Vec<Vec<Option<Bytes>>>> {
        unused()
    }

    async fn write(&self, _: &TableId, rows: &[OnlineRow<'_>], now: i64) -> Result<OnlineWritten> {
        let mut heap = Heap::default();
        for row in rows {
            let entry = merge_entry(None, row.order, row.payload, now)?.unwrap();
            let start = heap.bytes.len() as u32;
            // Beside each other, as records with their keys are.
            heap.bytes.extend(row.key);
            heap.bytes.extend(entry);
            let place = (start + row.key.len() as u32, heap.bytes.len() as u32);
            heap.places.insert(xxh3_64(row.key), place);
        }
        self.heap.set(heap).unwrap();
        Ok(OnlineWritten::default())
    }

    async fn watermark(&self, _: &TableId) -> Result<Watermark> {
        unused()
    }

    async fn advance(&self, _: &TableId, _: Watermark, _: Watermark) -> Result<()> {
        unused()
    }

    async fn erase(&self, _: &TableId, _: &KeyBatch) -> Result<u64> {
        unused()
    }

    async fn tables(&self) -> Result<Vec<TableId>> {
        unused()
    }

    async fn drop_table(&self, _: &TableId) -> Result<()> {
        unused()
    }
}
