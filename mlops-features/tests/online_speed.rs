//! Figures of the embedded online store, on request:
//! `cargo test --release -p mlops-features --test online_speed -- --ignored --nocapture`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it fails"
)]

use std::sync::Arc;

use futures::executor::block_on;
use mlops_core::time::SystemClock;
use mlops_features::online::{EmbeddedOnline, MemoryOnline};
use mlops_features::{
    FeatureName, KeyBatch, LocalTable, OnlineRow, OnlineStore, TableId, Watermark, WriteOrder,
};

/// 24 bytes of order and 6 of head make entries of 108 bytes.
const PAYLOAD: usize = 78;
const BATCH: usize = 10_000;

#[test]
#[ignore = "figures, of a release build on a quiet machine"]
fn figures() {
    for keys in [100_000, 1_000_000] {
        println!("{keys} keys, entries of 108 bytes");
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        measure("embedded", &EmbeddedOnline::open(directory.path(), clock).unwrap(), keys);
        measure("memory", &MemoryOnline::new(), keys);
    }
}

fn measure(name: &str, store: &dyn OnlineStore, keys: u64) {
    let table = TableId::new(&FeatureName::new("speed").unwrap(), 1);
    let base = resident();
    for (what, time) in [("first writes", 1), ("second writes", 2), ("stale writes", 1)] {
        let cpu = cpu();
        let mut batch = KeyBatch::new();
        for first in (0..keys).step_by(BATCH) {
            batch.clear();
            (first..first + BATCH as u64).for_each(|n| push(&mut batch, scatter(n, keys)));
            let payload = [time as u8; PAYLOAD];
            let order = WriteOrder { event_time: time, created: 0, seq: 0 };
            let row = |key| OnlineRow { key, order, payload: &payload, expires: None };
            let rows: Vec<OnlineRow<'_>> = batch.iter().flatten().map(row).collect();
            block_on(store.write(&table, &rows, 10)).unwrap();
        }
        let took = self::cpu() - cpu;
        println!("  {name}: {what}: {:.2}M rows a CPU second", keys as f64 / took / 1e6);
    }
    println!("  {name}: {} MiB more resident", (resident() - base) >> 20);
    let started = std::time::Instant::now();
    block_on(store.advance(&table, Watermark::default(), Watermark { next_seq: 1, at: 1 }))
        .unwrap();
    println!("  {name}: advance: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    let local = store.local(&table).unwrap().unwrap();
    for size in [1, 10, 100] {
        // As many different keys as there are, so that the processor's caches do not hold them.
        let calls: Vec<KeyBatch> = (0..200_000 / size)
            .map(|call| {
                let mut batch = KeyBatch::new();
                (0..size).for_each(|n| push(&mut batch, scatter(call * size + n, keys)));
                batch
            })
            .collect();
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let cpu = cpu();
            assert_eq!(calls.iter().map(|keys| bytes(&*local, keys)).sum::<usize>(), 108 * 200_000);
            best = best.min((self::cpu() - cpu) / calls.len() as f64);
        }
        println!("  {name}: read of {size}: {:.2} µs of CPU", best * 1e6);
    }
}

fn bytes(local: &dyn LocalTable, keys: &KeyBatch) -> usize {
    let (mut bytes, mut sum) = (0, 0_u8);
    local
        .visit(keys, &mut |_, entry| {
            let entry = entry.unwrap();
            // All of it is looked at, as a decoder does.
            sum = entry.iter().step_by(8).fold(sum, |sum, byte| sum.wrapping_add(*byte));
            bytes += entry.len();
            Ok(())
        })
        .unwrap();
    std::hint::black_box(sum);
    bytes
}

fn push(batch: &mut KeyBatch, n: u64) {
    batch.int(n as i64);
    batch.end(true).unwrap();
}

/// Each number below `keys` once, in no order.
fn scatter(n: u64, keys: u64) -> u64 {
    n.wrapping_mul(7_919_317) % keys
}

fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
