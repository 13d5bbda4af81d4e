//! Laws of the engine: what must not change a report.
//!
//! How rows are cut into batches, which state saw which rows, in which order and shape states are
//! merged, how many threads there were: the whole report is the same to the last letter, the clock
//! apart. The order of rows may change samples and `ordered`, and nothing else. Two suites together
//! find what each finds alone.

#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "an oracle is one long match")]

#[path = "../oracle/arrays.rs"]
mod arrays;
#[path = "../oracle/ask.rs"]
mod ask;
#[allow(dead_code, reason = "the oracle's; laws use the part that leaves the clock out")]
#[path = "../oracle/expect.rs"]
mod expect;
#[path = "../oracle/judge.rs"]
mod judge;
#[path = "../oracle/kind.rs"]
mod kind;
#[path = "../oracle/literal.rs"]
mod literal;
#[path = "../oracle/number.rs"]
mod number;
#[path = "../oracle/parent.rs"]
mod parent;
#[path = "../oracle/rng.rs"]
mod rng;
#[allow(dead_code, reason = "the oracle's; laws make their own runs")]
#[path = "../oracle/run.rs"]
mod run;
#[path = "../oracle/sql.rs"]
mod sql;
#[path = "../oracle/table.rs"]
mod table;
#[path = "../oracle/value.rs"]
mod value;
#[path = "../oracle/whole.rs"]
mod whole;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mlops_core::validation::{Report, Suite};
use mlops_validate::{Plan, State};
use proptest::prelude::*;

use self::expect::timeless;
use self::rng::Rng;
use self::run::{Case, difference, report};
use self::table::{Column, Table};

/// A case with a plan, its rows in one batch, and the report of one pass.
struct Whole {
    case: Case,
    plan: Plan,
    batch: RecordBatch,
    report: String,
    rng: Rng,
}

impl Whole {
    fn new(seed: u64, rows: usize) -> Option<Self> {
        let mut case = Case::new(seed, rows, 10);
        case.without_empty_ranges().unwrap();
        if case.asked.is_empty() {
            return None;
        }
        let mut rng = case.rng.fork(77);
        let (schema, batch) = encoded(&case.table, &mut rng);
        let plan = case.plan(&schema).unwrap();
        let report = timeless(report(&plan, std::slice::from_ref(&batch)).unwrap());
        Some(Self { case, plan, batch, report, rng })
    }

    /// Cuts in ascending order, the ends among them.
    fn cuts(&mut self) -> Vec<usize> {
        let rows = self.case.table.rows;
        let count = self.rng.below(7);
        let mut cuts: Vec<usize> = (0..count).map(|_| self.rng.below(rows + 1)).collect();
        cuts.extend([0, rows]);
        cuts.sort_unstable();
        cuts
    }

    /// A state for each part, each of which takes its rows in several batches.
    fn parts(&mut self) -> Vec<State> {
        let cuts = self.cuts();
        cuts.windows(2)
            .map(|pair| {
                let (from, to) = (pair[0], pair[1]);
                let mut state = self.plan.start_at(from as u64);
                let middle = from + self.rng.below(to - from + 1);
                for (from, to) in [(from, middle), (middle, to)] {
                    state.update(&self.batch.slice(from, to - from)).unwrap();
                }
                state
            })
            .collect()
    }

    fn agrees(&self, found: Report) -> Result<(), TestCaseError> {
        let found = timeless(found);
        if found == self.report {
            return Ok(());
        }
        let checks: Vec<String> = self
            .case
            .asked
            .iter()
            .map(|asked| serde_json::to_string(&asked.check).unwrap())
            .collect();
        let difference = difference(&self.report, &found);
        Err(TestCaseError::fail(format!("{difference}\n{}", checks.join("\n"))))
    }
}

fn encoded(table: &Table, rng: &mut Rng) -> (SchemaRef, RecordBatch) {
    let layouts = table.layouts(rng);
    let schema = table.schema(&layouts, rng);
    let batch = table.batch(&schema, &layouts, (0, table.rows), rng);
    (schema, batch)
}

/// The same rows in another order.
fn reordered(table: &Table, order: &[usize]) -> Table {
    let columns = table.columns.iter().map(|column| Column {
        values: order.iter().map(|row| column.values[*row].clone()).collect(),
        ..column.clone()
    });
    Table { columns: columns.collect(), rows: table.rows }
}

/// What the order of rows may not change.
fn without_order(mut report: Report) -> String {
    report.outcomes.retain(|outcome| outcome.rule != "ordered");
    for outcome in &mut report.outcomes {
        outcome.samples.retain(|sample| sample.row.is_none());
        // Of equal keys that are written differently (−0.0 and 0.0), the first row's text is shown.
        outcome.samples.iter_mut().for_each(|sample| sample.values.clear());
        if let (Some(detail), "foreign_key") = (&mut outcome.detail, outcome.rule.as_str()) {
            detail.truncate(detail.find(':').unwrap_or(detail.len()));
        }
    }
    // `ordered` counts for the verdict.
    report.verdict = Report::verdict_of(&report.outcomes, report.on_empty);
    timeless(report)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_cut_into_batches_does_not_matter(seed in any::<u64>(), rows in 0_usize..300) {
        let Some(mut whole) = Whole::new(seed, rows) else { return Ok(()) };
        let cuts = whole.cuts();
        let batches: Vec<RecordBatch> =
            cuts.windows(2).map(|pair| whole.batch.slice(pair[0], pair[1] - pair[0])).collect();
        whole.agrees(report(&whole.plan, &batches).unwrap())?;
        let single: Vec<RecordBatch> = (0..rows).map(|row| whole.batch.slice(row, 1)).collect();
        whole.agrees(report(&whole.plan, &single).unwrap())?;
    }

    #[test]
    fn the_order_and_shape_of_merges_does_not_matter(seed in any::<u64>(), rows in 0_usize..300) {
        let Some(mut whole) = Whole::new(seed, rows) else { return Ok(()) };
        let mut parts = whole.parts();
        whole.rng.shuffle(&mut parts);
        while parts.len() > 1 {
            let place = whole.rng.below(parts.len());
            let one = parts.swap_remove(place);
            let place = whole.rng.below(parts.len());
            let other = parts.swap_remove(place);
            parts.push(one.merge(other).unwrap());
        }
        whole.agrees(parts.remove(0).report().unwrap())?;
    }

    #[test]
    fn merging_with_a_state_that_saw_nothing_changes_nothing(seed in any::<u64>(), rows in 0_usize..60) {
        let Some(whole) = Whole::new(seed, rows) else { return Ok(()) };
        let mut state = whole.plan.start();
        state.update(&whole.batch).unwrap();
        let state = whole.plan.start().merge(state).unwrap().merge(whole.plan.start()).unwrap();
        whole.agrees(state.report().unwrap())?;
    }

    #[test]
    fn the_number_of_threads_does_not_matter(seed in any::<u64>(), rows in 0_usize..300) {
        let Some(mut whole) = Whole::new(seed, rows) else { return Ok(()) };
        let cuts = whole.cuts();
        let (send, receive) = std::sync::mpsc::channel();
        let plan = Arc::new(whole.plan.clone());
        std::thread::scope(|scope| {
            for pair in cuts.windows(2) {
                let (from, to) = (pair[0], pair[1]);
                let (plan, send) = (Arc::clone(&plan), send.clone());
                let part = whole.batch.slice(from, to - from);
                scope.spawn(move || {
                    let mut state = plan.start_at(from as u64);
                    state.update(&part).unwrap();
                    send.send(state).unwrap();
                });
            }
        });
        drop(send);
        // In the order in which they were done.
        let merged = receive.into_iter().reduce(|a, b| a.merge(b).unwrap()).unwrap();
        whole.agrees(merged.report().unwrap())?;
    }

    #[test]
    fn the_order_of_rows_changes_samples_and_ordered_alone(seed in any::<u64>(), rows in 0_usize..300) {
        let Some(mut whole) = Whole::new(seed, rows) else { return Ok(()) };
        let mut order: Vec<usize> = (0..rows).collect();
        whole.rng.shuffle(&mut order);
        let before = report(&whole.plan, std::slice::from_ref(&whole.batch)).unwrap();
        let table = reordered(&whole.case.table, &order);
        let layouts = table.layouts(&mut whole.rng);
        let schema = table.schema(&layouts, &mut whole.rng);
        let batches = table.batches(&schema, &layouts, &mut whole.rng);
        let plan = whole.case.plan(&schema).unwrap();
        let (before, after) = (without_order(before), without_order(report(&plan, &batches).unwrap()));
        prop_assert!(before == after, "seed {}: {}", seed, difference(&before, &after));
    }

    #[test]
    fn two_suites_together_find_what_each_finds_alone(seed in any::<u64>(), rows in 0_usize..100) {
        let Some(whole) = Whole::new(seed, rows) else { return Ok(()) };
        let together = report(&whole.plan, std::slice::from_ref(&whole.batch)).unwrap();
        for (number, asked) in whole.case.asked.iter().enumerate() {
            let alone = Case {
                table: whole.case.table.clone(),
                asked: vec![asked.clone()],
                rng: whole.rng.clone(),
            };
            let plan = alone.plan(&whole.batch.schema()).unwrap();
            let mut alone = report(&plan, std::slice::from_ref(&whole.batch)).unwrap();
            let (one, of_all) = (&mut alone.outcomes[0], &mut together.outcomes[number].clone());
            (one.nanos, of_all.nanos) = (0, 0);
            prop_assert_eq!(one, of_all);
        }
    }
}

#[test]
fn a_suite_composed_of_two_has_the_outcomes_of_both() {
    for seed in 0..60 {
        let Some(whole) = Whole::new(seed, 50) else { continue };
        let all = whole.case.suite();
        let (first, second) = all.checks.split_at(all.checks.len() / 2);
        let of = |checks: &[_]| Suite { checks: checks.to_vec(), ..all.clone() };
        let composed = of(first).with_suite(&of(second));
        assert_eq!(composed, all);
        assert_eq!(composed.digest(), all.digest());
    }
}

#[test]
fn samples_show_the_values_of_their_rows() {
    let mut shown = 0;
    for seed in 0..150 {
        let Some(whole) = Whole::new(seed, 40) else { continue };
        let report = report(&whole.plan, std::slice::from_ref(&whole.batch)).unwrap();
        let paths = whole.case.table.paths();
        for outcome in &report.outcomes {
            for sample in &outcome.samples {
                let Some(row) = sample.row else { continue };
                assert_eq!(sample.values.len(), outcome.columns.len(), "{outcome:?}");
                for (name, text) in outcome.columns.iter().zip(&sample.values) {
                    let Some(column) = paths.iter().find(|column| column.name == *name) else {
                        continue;
                    };
                    let wanted = match &column.values[row as usize] {
                        value::Value::Null => None,
                        value::Value::Bool(value) => Some(value.to_string()),
                        value::Value::Text(text) => Some(text.clone()),
                        value::Value::Exact(number)
                            if matches!(column.kind, kind::Kind::Int(..)) =>
                        {
                            let found = text.as_deref().map(number::Number::read);
                            assert_eq!(found.as_ref(), Some(number), "seed {seed} {outcome:?}");
                            text.clone()
                        }
                        _ => text.clone(),
                    };
                    assert_eq!(*text, wanted, "seed {seed} {outcome:?}");
                    shown += 1;
                }
            }
        }
    }
    assert!(shown > 500, "{shown}");
}
