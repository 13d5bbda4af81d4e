//! The work by itself, for a profiler: no clocks, which some of them do not bear, and nothing printed.
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect=validation::profile::work BENCH --profile row
//! ```

use std::hint::black_box;

use crate::Sizes;
use crate::data::{self, customers, orders};
use crate::suite::{engine, in_files, in_memory, pass, plan, suite, threads, verify};

/// One case: `plan`, `memory`, `files`, `row`, or the name of a check.
pub(crate) fn once(case: &str, sizes: &Sizes) {
    let (rows, sum) = (sizes.few(), data::sum(sizes.few()));
    let mut suite = suite(sum);
    match case {
        "memory" => {
            let (schema, orders, customers) = (data::schema(), orders(rows), customers());
            let validation = in_memory(&schema, &orders, &customers, threads(1));
            let mut validation = Some(validation);
            work(&mut || verify(&engine(&suite, validation.take().unwrap()), rows));
        }
        "files" => {
            data::files(sizes);
            work(&mut || verify(&engine(&suite, in_files(&sizes.dir, rows, threads(1))), rows));
        }
        "row" => {
            let (plan, row) = (plan(&suite, rows), orders(10_000)[0].slice(17, 1));
            work(&mut || {
                for _ in 0..1000 {
                    black_box(plan.validate(black_box(&row)).unwrap());
                }
            });
        }
        name => {
            if name != "plan" {
                suite.checks.retain(|check| check.name() == name);
            }
            let (plan, orders) = (plan(&suite, rows), orders(rows));
            work(&mut || verify(&pass(&plan, &orders), rows));
        }
    }
}

#[inline(never)]
fn work(work: &mut dyn FnMut()) {
    work();
}
