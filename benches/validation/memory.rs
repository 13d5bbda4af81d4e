//! The suite over a table in memory.

use std::hint::black_box;

use arrow::array::{Array, ArrayRef, RecordBatch};
use mlops::validate::Plan;
use mlops::validation::Report;
use serde_json::json;

use crate::Sizes;
use crate::data::{self, customers, orders};
use crate::harness::round;
use crate::rounds::{Rounds, rounds};
use crate::suite::{engine, in_memory, pass, plan, suite, threads, verify};

/// A compiled plan, the engine, and what reading the memory alone would cost; one thread and two.
pub(crate) fn memory(sizes: &Sizes) {
    for rows in &sizes.rows {
        let (rows, schema) = (*rows, data::schema());
        let (suite, orders, customers) = (suite(data::sum(rows)), orders(rows), customers());
        let plan = plan(&suite, rows);
        let looked_at = plan.columns();

        let floor = rounds(sizes.rounds, || {
            black_box(read_all(&orders, &looked_at));
        });
        let bytes: usize = orders.iter().map(|batch| size(batch, &looked_at)).sum();
        let facts = json!({ "rows": rows, "bytes": bytes });
        floor.figure("floor:read_memory", rows, facts);

        let one = rounds(sizes.rounds, || verify(&pass(&plan, &orders), rows));
        one.figure("suite:plan", rows, json!({ "rows": rows, "threads": 1, "aim_s": aim(rows) }));
        let two = rounds(sizes.rounds, || verify(&halves(&plan, &orders), rows));
        two.figure("suite:plan:2_threads", rows, scaled(rows, &one, &two));

        let one = rounds(sizes.rounds, || {
            let validation = in_memory(&schema, &orders, &customers, threads(1));
            verify(&engine(&suite, validation), rows);
        });
        let facts = json!({ "rows": rows, "threads": 1, "aim_s": aim(rows) });
        one.figure("suite:memory", rows, facts);
        let two = rounds(sizes.rounds, || {
            let validation = in_memory(&schema, &orders, &customers, threads(2));
            verify(&engine(&suite, validation), rows);
        });
        two.figure("suite:memory:2_threads", rows, scaled(rows, &one, &two));
        let plain = rounds(sizes.rounds, || {
            let mut options = threads(1);
            options.samples = 0;
            verify(&engine(&suite, in_memory(&schema, &orders, &customers, options)), rows);
        });
        plain.figure("suite:memory:no_samples", rows, json!({ "rows": rows, "threads": 1 }));
    }
}

/// What two threads make of what one does.
pub(crate) fn scaled(rows: u64, one: &Rounds, two: &Rounds) -> serde_json::Value {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    json!({
        "rows": rows,
        "threads": 2,
        "cores": cores,
        "times_as_fast": round(one.least_wall() / two.least_wall(), 3),
        "times_the_cpu": round(two.least() / one.least(), 3),
        "aim_times_as_fast": 1.7,
    })
}

/// CPU seconds that the suite may take in memory.
fn aim(rows: u64) -> f64 {
    rows as f64 * 0.09e-6
}

/// The first half of the batches in one thread, the others in another.
fn halves(plan: &Plan, orders: &[RecordBatch]) -> Report {
    let (first, second) = orders.split_at(orders.len() / 2);
    let rows: usize = first.iter().map(RecordBatch::num_rows).sum();
    let state = |batches: &[RecordBatch], first_row: u64| {
        let mut state = plan.start_at(first_row);
        for batch in batches {
            state.update(batch).unwrap();
        }
        state
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| state(second, rows as u64));
        let this = state(first, 0);
        this.merge(other.join().unwrap()).unwrap().report().unwrap()
    })
}

/// Adds up every word of the columns: what a pass cannot be faster than.
fn read_all(orders: &[RecordBatch], columns: &[usize]) -> u64 {
    let mut sum = 0u64;
    each_buffer(orders, columns, |bytes| {
        let (words, rest) = bytes.as_chunks::<8>();
        sum = words.iter().fold(sum, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
        sum = rest.iter().fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte)));
    });
    sum
}

fn size(batch: &RecordBatch, columns: &[usize]) -> usize {
    let mut bytes = 0;
    each_buffer(std::slice::from_ref(batch), columns, |buffer| bytes += buffer.len());
    bytes
}

fn each_buffer(orders: &[RecordBatch], columns: &[usize], mut see: impl FnMut(&[u8])) {
    for column in columns.iter().flat_map(|column| orders.iter().map(|o| o.column(*column))) {
        let data = ArrayRef::to_data(column);
        data.buffers().iter().for_each(|buffer| see(buffer));
        if let Some(nulls) = data.nulls() {
            see(nulls.validity());
        }
    }
}
