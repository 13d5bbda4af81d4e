//! What does not grow with the data: one row at serving time, and putting parts together.

use std::hint::black_box;

use allocation_counter::measure;
use arrow::array::RecordBatch;
use mlops::validate::{Plan, State};
use mlops::validation::Suite;
use serde_json::json;

use crate::Sizes;
use crate::data::{self, orders};
use crate::harness::{Cost, timed};
use crate::rounds::{Rounds, of};
use crate::suite::{plan, suite, without_keys};

/// Rows of a round.
const TIMES: usize = 20_000;

/// A row that passes every check.
const PASSES: usize = 17;

/// One row that passes, and one that fails a check. The counter of allocations is at work while time is
/// taken: some 12 % of a row.
pub(crate) fn row(_: &Sizes) {
    let rows = 10_000;
    // What all totals come to is what this one's comes to.
    let (orders, suite) = (orders(rows), suite(data::total(PASSES as u64)));
    let mut rest = suite.clone();
    rest.checks.retain(|check| check.name() != "sum_total");
    let cases: [(&str, &Suite, usize); 4] = [
        ("row:12_checks", &suite, PASSES),
        ("row:11_checks", &rest, PASSES),
        ("row:11_checks:1_fails", &rest, 1000),
        ("row:unique", &only(&suite, "uniq_order_id"), PASSES),
    ];
    for (name, suite, number) in cases {
        let plan = plan(suite, rows);
        let row = orders[0].slice(number, 1);
        let cost = each(|| {
            black_box(plan.validate(black_box(&row)).unwrap());
        });
        let mut failed = 0;
        assert_eq!(plan.validate(&row).unwrap().passed(), number == PASSES, "{name}");
        let one = measure(|| failed = plan.validate(&row).unwrap().failures().count());
        cost.figure(
            name,
            TIMES as u64,
            json!({
                "allocations": one.count_total,
                "allocated_bytes": one.bytes_total,
                "checks": suite.checks.len(),
                "checks_that_fail": failed,
                "aim_us": 5,
            }),
        );
    }
    let plan = plan(&suite, rows);
    for (name, count) in [("row:split", 1), ("row:split_100", 100)] {
        let some = orders[0].slice(PASSES, count);
        let cost = each(|| {
            black_box(plan.split(black_box(&some)).unwrap());
        });
        let allocations = measure(|| drop(black_box(plan.split(&some).unwrap()))).count_total;
        cost.figure(name, TIMES as u64, json!({ "rows": count, "allocations": allocations }));
    }
    let cost = each(|| {
        black_box(plan.start());
    });
    cost.figure("row:start", TIMES as u64, json!({}));
}

fn only(suite: &Suite, name: &str) -> Suite {
    let mut suite = suite.clone();
    suite.checks.retain(|check| check.name() == name);
    suite
}

/// The work many times a round.
fn each(mut work: impl FnMut()) -> Rounds {
    (0..100).for_each(|_| work());
    of(7, || timed(|| (0..TIMES).for_each(|_| work())).0)
}

/// Two parts of a table put together, and states written down and read again.
pub(crate) fn merge(sizes: &Sizes) {
    let rows = sizes.few();
    let (orders, sum) = (orders(rows), data::sum(rows));
    let cases = [("merge:suite", suite(sum)), ("merge:without_unique", without_keys(sum))];
    for (name, suite) in cases {
        let plan = plan(&suite, rows);
        let (first, second) = orders.split_at(orders.len() / 2);
        let merged = of(sizes.rounds.max(7), || {
            let mut parts = Some((seen(&plan, first, 0), seen(&plan, second, 1 << 40)));
            let (cost, state) = timed(|| {
                let (first, second) = parts.take().unwrap();
                first.merge(second).unwrap()
            });
            drop(state);
            cost
        });
        merged.figure(name, rows, json!({ "rows": rows, "states": 2 }));
        let reported = of(sizes.rounds.max(7), || -> Cost {
            let mut state = Some(seen(&plan, &orders, 0));
            timed(|| state.take().unwrap().report().unwrap()).0
        });
        reported.figure(&name.replace("merge", "report"), rows, json!({ "rows": rows }));
    }
}

fn seen(plan: &Plan, batches: &[RecordBatch], first_row: u64) -> State {
    let mut state = plan.start_at(first_row);
    for batch in batches {
        state.update(batch).unwrap();
    }
    state
}
