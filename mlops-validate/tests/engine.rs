//! The engine: the answer does not depend on threads, batches or where the data is.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use futures::executor::block_on;
use futures::{FutureExt, StreamExt, stream};
use mlops_core::ErrorKind;
use mlops_core::time::{Instant, from_micros};
use mlops_core::validation::{Check, Data, Report, Suite, Validation, Validator, Verdict};
use mlops_validate::{Engine, row_function};

fn now() -> Instant {
    from_micros(1_760_000_000_000_000).unwrap()
}

fn suite(checks: &[&str]) -> Suite {
    let mut suite = Suite::new("engine").unwrap();
    suite.checks = checks
        .iter()
        .map(|json| serde_json::from_str::<Check>(json).unwrap_or_else(|e| panic!("{json}: {e}")))
        .collect();
    suite
}

fn all_kinds() -> Suite {
    suite(&[
        r#"{"check": "not_null", "column": "text"}"#,
        r#"{"check": "range", "column": "id", "max": 99990}"#,
        r#"{"check": "unique", "columns": ["key"]}"#,
        r#"{"check": "unique", "columns": ["key", "text"], "where": "id > 50000"}"#,
        r#"{"check": "ordered", "column": "id"}"#,
        r#"{"check": "ordered", "column": "key"}"#,
        r#"{"check": "functional_dependency", "from": ["text"], "to": ["key"]}"#,
        r#"{"check": "aggregate", "of": "sum(score)", "min": 0}"#,
        r#"{"check": "aggregate", "of": "mean(score)", "max": 1, "where": "key > 5"}"#,
        r#"{"check": "expression", "sql": "score < 0.9"}"#,
        r#"{"check": "foreign_key", "columns": ["key"], "reference": "keys"}"#,
    ])
}

fn rows(from: i64, to: i64) -> RecordBatch {
    let ids = from..to;
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(Int64Array::from_iter_values(ids.clone()))),
        ("key", Arc::new(Int64Array::from_iter_values(ids.clone().map(|i| i * 7919 % 99_991)))),
        (
            "score",
            Arc::new(Float64Array::from_iter_values(ids.clone().map(|i| (i % 1000) as f64 / 1e3))),
        ),
        (
            "text",
            Arc::new(
                ids.map(|i| (i % 1000 != 13).then(|| format!("t{}", i % 5000)))
                    .collect::<StringArray>(),
            ),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

fn keys() -> RecordBatch {
    let keys = Int64Array::from_iter_values((0..99_991).filter(|key| key % 5000 != 4));
    RecordBatch::try_from_iter([("key", Arc::new(keys) as ArrayRef)]).unwrap()
}

fn run(suite: &Suite, data: Data, threads: usize) -> Report {
    let mut validation = Validation::new(data, now()).with_reference("keys", keys());
    validation.options.threads = threads;
    let mut report = block_on(Engine::new().validate(suite, validation)).unwrap();
    report.nanos = 0;
    for outcome in &mut report.outcomes {
        outcome.nanos = 0;
    }
    report
}

fn cut(whole: &RecordBatch, size: usize) -> Vec<RecordBatch> {
    (0..whole.num_rows())
        .step_by(size)
        .map(|start| whole.slice(start, size.min(whole.num_rows() - start)))
        .collect()
}

#[test]
fn neither_threads_nor_batches_change_the_report() {
    let whole = rows(0, 150_000);
    let suite = all_kinds();
    let expected = run(&suite, whole.clone().into(), 1);
    assert_eq!(expected.verdict, Verdict::Failed);
    assert!(!expected.outcomes[2].samples.is_empty());
    for (threads, size) in [(2, 150_000), (3, 1000), (1, 70_001), (8, 9)] {
        let data = Data::Batches(whole.schema(), cut(&whole, size));
        assert_eq!(run(&suite, data, threads), expected, "{threads} threads, {size} rows");
    }
}

#[test]
fn a_stream_says_the_same_but_for_samples_that_need_a_second_look() {
    let whole = rows(0, 150_000);
    let suite = all_kinds();
    let expected = run(&suite, whole.clone().into(), 1);
    for threads in [1, 2] {
        let batches = stream::iter(cut(&whole, 5000).into_iter().map(Ok)).boxed();
        let mut report = run(&suite, Data::stream(whole.schema(), batches), threads);
        for (outcome, other) in report.outcomes.iter_mut().zip(&expected.outcomes) {
            if ["unique", "functional_dependency"].contains(&outcome.rule.as_str()) {
                outcome.samples.clone_from(&other.samples);
            }
        }
        assert_eq!(report, expected);
    }
}

#[test]
fn a_batch_of_another_schema_ends_a_stream_with_an_error() {
    let first = rows(0, 10);
    let other = first.project(&[1, 0, 2, 3]).unwrap();
    let batches = stream::iter([Ok(first.clone()), Ok(other)]).boxed();
    let suite = suite(&[r#"{"check": "not_null", "column": "id"}"#]);
    let validation = Validation::new(Data::stream(first.schema(), batches), now());
    let error = block_on(Engine::new().validate(&suite, validation)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[test]
fn what_is_wrong_with_a_suite_is_said_before_anything_is_read() {
    let suite = suite(&[
        r#"{"check": "not_null", "column": "nothing"}"#,
        r#"{"check": "expression", "sql": "id +"}"#,
    ]);
    let poisoned = stream::poll_fn(|_| panic!("a value was read")).boxed();
    let data = Data::stream(rows(0, 0).schema(), poisoned);
    let error = block_on(Engine::new().validate(&suite, Validation::new(data, now()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let poisoned = stream::poll_fn(|_| panic!("a value was read")).boxed();
    let data = Data::stream(rows(0, 0).schema(), poisoned);
    assert!(block_on(Engine::new().check(&suite, Validation::new(data, now()))).is_err());
}

#[test]
fn a_check_reads_no_rows_of_other_tables() {
    let poisoned = stream::poll_fn(|_| panic!("a value was read")).boxed();
    let validation = Validation::new(rows(0, 1), now())
        .with_reference("keys", Data::stream(keys().schema(), poisoned));
    block_on(Engine::new().check(&all_kinds(), validation)).unwrap();
}

#[test]
fn progress_grows_and_ends_with_all_rows() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut validation = Validation::new(rows(0, 300_000), now());
    validation.options.threads = 2;
    let watcher = Arc::clone(&seen);
    validation.options.progress =
        Some(Arc::new(move |progress| watcher.lock().unwrap().push((progress.rows, progress.of))));
    let suite = suite(&[r#"{"check": "not_null", "column": "id"}"#]);
    block_on(Engine::new().validate(&suite, validation)).unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.len() > 2 && seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.last(), Some(&(300_000, Some(300_000))));
}

#[test]
fn work_ends_when_nobody_waits_for_it() {
    let judged = Arc::new(AtomicU64::new(0));
    let here = Arc::new(AtomicUsize::new(0));
    let (counter, alive) = (Arc::clone(&judged), Arc::clone(&here));
    let slow = row_function(move |columns: &[ArrayRef], _: &_| {
        alive.fetch_add(1, Ordering::SeqCst);
        std::thread::park_timeout(std::time::Duration::from_millis(2));
        counter.fetch_add(columns[0].len() as u64, Ordering::SeqCst);
        alive.fetch_sub(1, Ordering::SeqCst);
        Ok(BooleanArray::from(vec![true; columns[0].len()]))
    });
    let engine = Engine::new().with_function("slow", slow);
    let suite = suite(&[r#"{"check": "custom", "function": "slow", "columns": ["id"]}"#]);
    for threads in [1, 2] {
        judged.store(0, Ordering::SeqCst);
        let whole = rows(0, 150_000);
        let batches: Vec<RecordBatch> = (0..40).map(|_| whole.clone()).collect();
        let mut validation = Validation::new(Data::Batches(whole.schema(), batches), now());
        validation.options.threads = threads;
        let mut future = engine.validate(&suite, validation);
        assert!((&mut future).now_or_never().is_none());
        drop(future);
        assert_eq!(here.load(Ordering::SeqCst), 0, "a thread is left");
        assert!(judged.load(Ordering::SeqCst) < 1_000_000, "it went on");
    }
}

#[test]
fn a_function_that_panics_in_a_thread_is_an_error() {
    let engine = Engine::new().with_function(
        "bad",
        row_function(|columns: &[ArrayRef], _: &_| {
            assert_eq!(columns[0].len(), 0, "on purpose");
            Ok(BooleanArray::from(Vec::<bool>::new()))
        }),
    );
    let suite = suite(&[r#"{"check": "custom", "function": "bad", "columns": ["id"]}"#]);
    let mut validation = Validation::new(rows(0, 10), now());
    validation.options.threads = 2;
    let error = block_on(engine.validate(&suite, validation)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.hint().unwrap().contains("custom"), "{error}");
}

#[test]
fn uniqueness_in_two_passes_is_uniqueness_in_one() {
    let whole = rows(0, 150_000);
    let one = suite(&[r#"{"check": "unique", "columns": ["key"]}"#]);
    let two = suite(&[r#"{"check": "unique", "columns": ["key"], "memory": "two_passes"}"#]);
    let (a, b) = (run(&one, whole.clone().into(), 1), run(&two, whole.clone().into(), 2));
    assert_eq!(a.outcomes[0].counts, b.outcomes[0].counts);
    assert_eq!(a.outcomes[0].samples, b.outcomes[0].samples);
    let data = Data::stream(whole.schema(), stream::iter([Ok(whole)]).boxed());
    let error = block_on(Engine::new().validate(&two, Validation::new(data, now()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
