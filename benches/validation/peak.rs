//! Peak memory, of a fresh process a case: what an allocator keeps from an earlier case would hide the
//! next one's.

use std::process::Command;

use mlops::validation::{Options, Suite};
use serde_json::json;

use crate::Sizes;
use crate::data::{self, customers, orders};
use crate::harness::{peak_mb, round, timed};
use crate::rounds::{Rounds, of};
use crate::suite::{engine, in_files, in_memory, pass, plan, suite, threads, verify, without_keys};

/// What is measured: where the data is, and which checks.
const CASES: [&str; 9] = [
    "memory:suite",
    "memory:without_unique",
    "memory:unique",
    "memory:plan",
    "files:suite",
    "files:without_unique",
    "files:unique",
    "files:suite:2_threads",
    "files:without_unique:2_threads",
];

/// Starts this program again for each case.
pub(crate) fn peak(sizes: &Sizes) {
    data::files(sizes);
    for rows in &sizes.rows {
        for case in CASES {
            let started = Command::new(std::env::current_exe().unwrap())
                .args(["--peak", case, "--rows", &rows.to_string(), "--dir"])
                .arg(&sizes.dir)
                .status();
            assert!(started.unwrap().success(), "{case}");
        }
    }
}

/// One case, once.
pub(crate) fn case(case: &str, sizes: &Sizes) {
    let rows = sizes.few();
    let mut parts = case.split(':');
    let (place, checks) = (parts.next().unwrap(), parts.next().unwrap());
    let options = threads(if parts.next().is_some() { 2 } else { 1 });
    let sum = data::sum(rows);
    let suite = match checks {
        "without_unique" => without_keys(sum),
        "unique" => {
            let mut suite = suite(sum);
            suite.checks.retain(|check| check.name() == "uniq_order_id");
            suite
        }
        _ => suite(sum),
    };
    let (before, after, cost) = match (place, checks) {
        ("memory", "plan") => {
            let (orders, plan) = (orders(rows), plan(&suite, rows));
            watched(|| verify(&pass(&plan, &orders), rows))
        }
        ("memory", _) => {
            let (schema, orders, customers) = (data::schema(), orders(rows), customers());
            watched(|| {
                let validation = in_memory(&schema, &orders, &customers, options.clone());
                verify(&engine(&suite, validation), rows);
            })
        }
        _ => watched(|| from_files(&suite, sizes, rows, options.clone())),
    };
    let over = after.map(|after| round(after - before, 1));
    let key_mb = rows as f64 * 8.0 / 1_048_576.0;
    let aim = match checks {
        "without_unique" => 64.0,
        "unique" => 1.2 * key_mb,
        _ => 64.0 + 1.2 * key_mb,
    };
    cost.figure(
        &format!("peak:{case}"),
        rows,
        json!({
            "rows": rows,
            "before_mb": round(before, 1),
            "peak_over_input_mb": over,
            "key_column_mb": round(key_mb, 1),
            "aim_mb": round(aim, 1),
        }),
    );
}

fn from_files(suite: &Suite, sizes: &Sizes, rows: u64, options: Options) {
    verify(&engine(suite, in_files(&sizes.dir, rows, options)), rows);
}

/// Memory before, and at most during the work; nothing where the system does not let its mark be reset.
fn watched(work: impl FnMut()) -> (f64, Option<f64>, Rounds) {
    let reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let (before, mut work) = (peak_mb(), work);
    let cost = of(1, || timed(&mut work).0);
    (before, reset.then(peak_mb), cost)
}
