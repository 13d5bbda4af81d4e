//! Writes: rows to the log, segments to one, the log to the online store.

use std::path::PathBuf;

use arrow::array::{Int64Array, RecordBatch};
use arrow::compute::take_record_batch;
use futures::executor::block_on;
use mlops::features::{Append, Compaction, FeatureStore, Materialize};
use mlops::time::{Clock, SystemClock};
use serde_json::json;

use crate::Sizes;
use crate::harness::{Cost, peak_mb, round, timed};
use crate::line::{Watch, written};
use crate::online::{self, tokio_block_on};
use crate::pit::{self, FEATURES, own};
use crate::store::{Store, batches, table, view};

/// Rows of an append.
const ROWS: usize = 1_000_000;
/// Rows that are materialized.
const LATEST: u64 = 100_000;

/// Appends the file, and makes one segment of what came of that.
pub(crate) fn append(rows: u64, sizes: &Sizes) {
    let defined = view("driver_stats", FEATURES, pit::TTL);
    let store = block_on(Store::open(&own(rows), "embedded", defined, sizes));
    if is_filled(&store) {
        return;
    }
    let source = sizes.dir.join(format!("features_{rows}.parquet"));
    let mut total = Cost { wall: 0.0, cpu: 0.0 };
    let (mut peak, mut over): (f64, f64) = (0.0, 0.0);
    for batch in batches(&source, ROWS) {
        let before = marked();
        let append = store.features.append(&store.view, batch, Append::default());
        let (cost, _) = timed(|| block_on(append).unwrap());
        (peak, over) = (peak.max(peak_mb()), over.max(peak_mb() - before));
        total = Cost { wall: total.wall + cost.wall, cpu: total.cpu + cost.cpu };
    }
    let offline = store.features.offline();
    let manifest = block_on(offline.manifest(&store.table.id, None)).unwrap();
    assert_eq!(manifest.segments.iter().map(|segment| segment.rows).sum::<u64>(), rows);
    let bytes: u64 = manifest.segments.iter().map(|segment| segment.bytes).sum();
    let extra = json!({
        "features": FEATURES,
        "batch": ROWS,
        "peak_rss_mib": peak as u64,
        "over_batch_mib": round(over, 1),
        "bytes_per_row": bytes / rows,
    });
    written("append", "its own segments", rows, total, extra);
    let before = marked();
    let mut options = Compaction::default();
    (options.full, options.grace) = (true, 0);
    let (cost, report) = timed(|| block_on(offline.compact(&store.table, options)).unwrap());
    if report.made == 0 {
        return;
    }
    let extra = json!({
        "features": FEATURES,
        "segments": manifest.segments.len(),
        "made": report.made,
        "peak_rss_mib": peak_mb() as u64,
        "over_base_mib": round(peak_mb() - before, 1),
    });
    written("compact", "its own segments", rows, cost, extra);
}

/// Appends what `materialize` brings online: in a process of its own, whose memory is not counted.
pub(crate) fn latest(online: &str, sizes: &Sizes) {
    tokio_block_on(async {
        let store = opened(online, sizes).await;
        if is_filled(&store) {
            return;
        }
        let rows = table(&file(sizes));
        store.features.append(&store.view, rows, Append::default()).await.unwrap();
    });
}

/// Brings the log online, into an empty table.
pub(crate) fn materialize(online: &str, sizes: &Sizes) {
    tokio_block_on(async {
        let store = opened(online, sizes).await;
        store.features.online_store().drop_table(&store.table.id).await.unwrap();
        let before = marked();
        let watch = Watch::start();
        let what = Materialize::default().view(store.view.clone());
        let done = store.features.materialize(what).await.unwrap();
        let (cost, peak) = (watch.read(), peak_mb());
        assert_eq!((done.views[0].rows, done.views[0].changed), (LATEST, LATEST));
        read_back(&store, &table(&file(sizes))).await;
        let extra = json!({
            "features": FEATURES,
            "peak_rss_mib": peak as u64,
            "over_base_mib": round(peak - before, 1),
            "aim": 500_000,
            "aim_over_base_mib": 100,
        });
        written("materialize", online, LATEST, cost, extra);
    });
}

/// Stops unless the answers for a sample of the keys are the file's.
async fn read_back(store: &Store, rows: &RecordBatch) {
    let sample = Int64Array::from_iter_values((0..LATEST as i64).step_by(101));
    let expected = take_record_batch(rows, &sample).unwrap();
    let service = store.features.prepare(&store.service).await.unwrap();
    let answer = service.answer(&expected, SystemClock.now_micros()).await.unwrap().batch;
    for (field, column) in answer.schema().fields().iter().zip(answer.columns()) {
        assert_eq!(expected.column_by_name(field.name()), Some(column));
    }
}

async fn opened(online: &str, sizes: &Sizes) -> Store {
    let defined = view("materialized", FEATURES, online::TTL);
    Store::open(&format!("materialize_{online}"), online, defined, sizes).await
}

fn file(sizes: &Sizes) -> PathBuf {
    sizes.dir.join(format!("latest_{LATEST}x{FEATURES}.parquet"))
}

/// Whether the workspace is of a bench before, which `--work` keeps.
fn is_filled(store: &Store) -> bool {
    let manifest = block_on(store.features.offline().manifest(&store.table.id, None));
    manifest.unwrap().position > 0
}

/// Memory now, with the mark of the peak put there.
fn marked() -> f64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak_mb()
}
