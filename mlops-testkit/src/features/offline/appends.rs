//! The clauses of [`OfflineStore::append`](mlops_core::features::OfflineStore::append).

use std::sync::Arc;
use std::thread;

use futures::executor::block_on;
use mlops_core::ErrorKind::Invalid;
use mlops_core::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampNanosecondArray, UInt64Array,
};
use mlops_core::features::{
    Append, FeatureType, KeyType, KnownAt, OfflineStore, RowStatus, Scan, Table, Visibility,
};

use super::build::{self, Encoding, VALUE, ask, ask_store, record, row, scan, scanned, table};
use super::oracle::Row;
use super::{OfflineCase, OfflineFixture, offline_cases_of};
use crate::build::{NOW, key};
use crate::case::fails;

pub(super) fn cases() -> Vec<OfflineCase> {
    offline_cases_of![
        append_says_rows_seq_and_position,
        append_of_no_rows_is_no_error,
        append_is_all_or_nothing,
        appends_of_many_threads_lose_nothing_and_share_no_seq,
        a_token_stores_once_and_answers_the_same,
        a_token_of_one_table_is_not_that_of_another,
        created_is_the_instant_of_the_append_and_never_goes_back,
        created_of_the_source_is_kept,
        a_null_in_a_key_is_invalid,
        a_null_event_time_is_invalid,
        an_event_time_too_far_ahead_is_invalid,
        an_event_time_of_parts_of_a_microsecond_is_invalid,
        an_event_time_outside_the_years_is_invalid,
        a_text_where_a_number_is_the_key_is_invalid,
        a_number_where_a_text_is_the_key_is_invalid,
        a_float_as_a_key_is_invalid,
        a_key_above_the_numbers_is_invalid,
        a_value_that_would_lose_something_is_invalid,
        a_missing_key_or_event_time_is_invalid,
        other_columns_are_ignored_and_missing_ones_are_null,
        a_table_of_files_is_not_appended_to,
        what_was_appended_is_there_after_a_restart,
    ]
}

fn ints() -> Table {
    table("t", &[KeyType::Int])
}

async fn rows(store: &dyn OfflineStore, table: &Table) -> usize {
    scanned(&scan(store, table, Scan::default()).await.unwrap()).len()
}

/// Asserts that a batch is refused, and nothing of it stored; returns the message.
async fn refused(fixture: &OfflineFixture, table: &Table, batch: RecordBatch) -> String {
    let before = fixture.store.manifest(&table.id, None).await.unwrap();
    let error = fails(Invalid, fixture.store.append(table, batch, Append::default()).await);
    assert_eq!(fixture.store.manifest(&table.id, None).await.unwrap(), before);
    error.to_string()
}

/// A good batch of two rows with one column replaced.
fn with(table: &Table, name: &str, column: impl Into<ArrayRef>) -> RecordBatch {
    let good = build::batch(table, &[row(1, 1, 1, 1), row(2, 2, 2, 2)], &Encoding::default());
    let column = column.into();
    let schema = good.schema();
    let columns = schema.fields().iter().zip(good.columns()).map(|(field, old)| {
        let new = if field.name() == name { Arc::clone(&column) } else { Arc::clone(old) };
        (field.name().clone(), new)
    });
    record(columns.collect())
}

async fn append_says_rows_seq_and_position(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    let first = build::append(&*store, &table, &[row(1, 1, 1, 1), row(2, 1, 1, 2)]).await;
    let second = build::append(&*store, &table, &[row(1, 2, 2, 3)]).await;
    assert_eq!((first.rows, second.rows), (2, 1));
    assert!(second.first_seq >= first.first_seq + 2, "{first:?} {second:?}");
    assert!(second.position > first.position);
    let manifest = store.manifest(&table.id, None).await.unwrap();
    assert_eq!(manifest.position, second.position);
    assert!(manifest.next_seq > second.first_seq);
    let mut seqs: Vec<_> = scanned(&scan(&*store, &table, Scan::default()).await.unwrap())
        .iter()
        .map(|r| r.3)
        .collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [first.first_seq, first.first_seq + 1, second.first_seq]);
}

async fn append_of_no_rows_is_no_error(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    let none = build::append(&*store, &table, &[]).await;
    assert_eq!(none.rows, 0);
    assert_eq!(rows(&*store, &table).await, 0);
    build::append(&*store, &table, &[row(1, 1, 1, 1)]).await;
    assert_eq!(rows(&*store, &table).await, 1);
}

async fn append_is_all_or_nothing(fixture: OfflineFixture) {
    let table = ints();
    build::append(&*fixture.store, &table, &[row(1, 1, 1, 1)]).await;
    let half = Arc::new(Int64Array::from(vec![Some(7), None]));
    refused(&fixture, &table, with(&table, "k0", half as ArrayRef)).await;
    assert_eq!(rows(&*fixture.store, &table).await, 1);
}

async fn appends_of_many_threads_lose_nothing_and_share_no_seq(fixture: OfflineFixture) {
    const THREADS: i64 = 4;
    const EACH: i64 = 5;
    let (store, table) = (&fixture.store, &ints());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for n in 0..EACH {
                    let rows = [row(thread, n, n, n), row(thread, n, n, n + 100)];
                    block_on(build::append(&**store, table, &rows));
                    // A snapshot: an append is seen whole, whatever is written meanwhile.
                    let seen = block_on(scan(&**store, table, Scan::default())).unwrap();
                    assert_eq!(scanned(&seen).len() % 2, 0, "half an append was seen");
                }
            });
        }
    });
    let all = scanned(&scan(&**store, table, Scan::default()).await.unwrap());
    assert_eq!(all.len() as i64, THREADS * EACH * 2);
    let mut seqs: Vec<_> = all.iter().map(|row| row.3).collect();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), all.len(), "a seq was given twice");
    let next = store.manifest(&table.id, None).await.unwrap().next_seq;
    assert!(seqs.iter().all(|seq| *seq < next));
}

async fn a_token_stores_once_and_answers_the_same(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    let batch = || build::batch(&table, &[row(1, 1, 1, 1)], &Encoding::default());
    let token = || Append::default().with_token(key("load 7"));
    let first = store.append(&table, batch(), token()).await.unwrap();
    build::append(&*store, &table, &[row(1, 2, 2, 2)]).await;
    let again = store.append(&table, batch(), token()).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(rows(&*store, &table).await, 2);
    let other = Append::default().with_token(key("load 8"));
    let other = store.append(&table, batch(), other).await.unwrap();
    assert_ne!(other.first_seq, first.first_seq);
    assert_eq!(rows(&*store, &table).await, 3);
}

async fn a_token_of_one_table_is_not_that_of_another(fixture: OfflineFixture) {
    let store = fixture.store;
    for name in ["a", "b"] {
        let table = table(name, &[KeyType::Int]);
        let batch = build::batch(&table, &[row(1, 1, 1, 1)], &Encoding::default());
        let token = Append::default().with_token(key("load 7"));
        store.append(&table, batch, token).await.unwrap();
        assert_eq!(rows(&*store, &table).await, 1);
    }
}

async fn created_is_the_instant_of_the_append_and_never_goes_back(fixture: OfflineFixture) {
    let (store, mut table) = (fixture.store, ints());
    table.created = None;
    for (n, step) in [0, 5, -9, 2, 20].into_iter().enumerate() {
        fixture.clock.advance_micros(step);
        build::append(&*store, &table, &[row(n as i64, 1, 1, 1)]).await;
    }
    let mut all = scanned(&scan(&*store, &table, Scan::default()).await.unwrap());
    all.sort_by_key(|row| row.3);
    let created: Vec<_> = all.iter().map(|row| row.2.unwrap() - NOW).collect();
    assert_eq!(created, [0, 5, 5, 5, 18], "by seq, the clock having gone back in between");
    let manifest = store.manifest(&table.id, None).await.unwrap();
    assert_eq!(manifest.last_created, NOW + 18);
}

async fn created_of_the_source_is_kept(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    build::append(&*store, &table, &[row(1, 5, 9, 1), row(1, 6, -3, 2)]).await;
    let all = scanned(&scan(&*store, &table, Scan::default()).await.unwrap());
    assert_eq!(all.iter().map(|row| row.2).collect::<Vec<_>>(), [Some(9), Some(-3)]);
    // What the source does not say of a row is stamped.
    let unsaid = Row { created: None, ..row(2, 5, 0, 3) };
    build::append(&*store, &table, &[unsaid]).await;
    let all = scanned(&scan(&*store, &table, Scan::default()).await.unwrap());
    assert!(all.iter().any(|row| row.0 == Some(2) && row.2 == Some(NOW)), "{all:?}");
}

async fn a_null_in_a_key_is_invalid(fixture: OfflineFixture) {
    let table = ints();
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let message = refused(&fixture, &table, with(&table, "k0", keys)).await;
    assert!(message.contains("k0"), "names the column: {message}");
}

async fn a_null_event_time_is_invalid(fixture: OfflineFixture) {
    let table = ints();
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![None, Some(1)]));
    let message = refused(&fixture, &table, with(&table, "event_time", times)).await;
    assert!(message.contains("event_time"), "names the column: {message}");
}

async fn an_event_time_too_far_ahead_is_invalid(fixture: OfflineFixture) {
    let table = ints();
    let limit = NOW + table.ahead.micros();
    let times = |last| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![1, last])) };
    refused(&fixture, &table, with(&table, "event_time", times(limit + 1))).await;
    let good = with(&table, "event_time", times(limit));
    fixture.store.append(&table, good, Append::default()).await.unwrap();
}

async fn an_event_time_of_parts_of_a_microsecond_is_invalid(fixture: OfflineFixture) {
    let table = ints();
    let times = |last| -> ArrayRef { Arc::new(TimestampNanosecondArray::from(vec![1_000, last])) };
    refused(&fixture, &table, with(&table, "event_time", times(2_001))).await;
    let good = with(&table, "event_time", times(2_000));
    fixture.store.append(&table, good, Append::default()).await.unwrap();
}

async fn an_event_time_outside_the_years_is_invalid(fixture: OfflineFixture) {
    let table = ints();
    for wrong in [i64::MIN, i64::MIN + 1, i64::MAX] {
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1, wrong]));
        refused(&fixture, &table, with(&table, "event_time", times)).await;
    }
}

/// A key of another type is refused when it is appended and when it asks: never a silent no-match.
async fn wrong_key(fixture: OfflineFixture, data_type: KeyType, keys: ArrayRef) {
    let table = table("t", &[data_type]);
    let good = Row {
        key: if data_type == KeyType::Int { build::int(1) } else { build::text("1") },
        ..row(1, 1, 1, 1)
    };
    build::append(&*fixture.store, &table, std::slice::from_ref(&good)).await;
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1, 2]));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let columns = [("k0", Arc::clone(&keys)), ("event_time", Arc::clone(&times)), (VALUE, values)];
    let batch = record(columns.map(|(name, column)| (name.to_owned(), column)).to_vec());
    let message = refused(&fixture, &table, batch).await;
    assert!(message.contains("k0"), "names the column: {message}");
    let mut probe = build::probe(&table, &[], false);
    (probe.keys, probe.times) = (vec![keys], times);
    fails(Invalid, fixture.store.as_of(&table, probe).await);
}

async fn a_text_where_a_number_is_the_key_is_invalid(fixture: OfflineFixture) {
    let keys = Arc::new(StringArray::from(vec!["1", "2"]));
    wrong_key(fixture, KeyType::Int, keys).await;
}

async fn a_number_where_a_text_is_the_key_is_invalid(fixture: OfflineFixture) {
    wrong_key(fixture, KeyType::String, Arc::new(Int64Array::from(vec![1, 2]))).await;
}

async fn a_float_as_a_key_is_invalid(fixture: OfflineFixture) {
    wrong_key(fixture, KeyType::Int, Arc::new(Float64Array::from(vec![1.0, 2.0]))).await;
}

async fn a_key_above_the_numbers_is_invalid(fixture: OfflineFixture) {
    let table = ints();
    let keys: ArrayRef = Arc::new(UInt64Array::from(vec![1, u64::MAX]));
    refused(&fixture, &table, with(&table, "k0", keys)).await;
}

async fn a_value_that_would_lose_something_is_invalid(fixture: OfflineFixture) {
    let table = ints();
    let wrong: [ArrayRef; 3] = [
        Arc::new(Float64Array::from(vec![1.5, 2.0])),
        Arc::new(StringArray::from(vec!["1", "2"])),
        Arc::new(UInt64Array::from(vec![1, u64::MAX])),
    ];
    for values in wrong {
        let message = refused(&fixture, &table, with(&table, VALUE, values)).await;
        assert!(message.contains(VALUE), "names the column: {message}");
    }
}

async fn a_missing_key_or_event_time_is_invalid(fixture: OfflineFixture) {
    let table = ints();
    for missing in ["k0", "event_time"] {
        let mut batch = build::batch(&table, &[row(1, 1, 1, 1)], &Encoding::default());
        batch.remove_column(batch.schema().index_of(missing).unwrap());
        let message = refused(&fixture, &table, batch).await;
        assert!(message.contains(missing), "names the column: {message}");
    }
}

async fn other_columns_are_ignored_and_missing_ones_are_null(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    let batch = build::batch(&table, &[row(1, 1, 1, 7)], &Encoding::default());
    let wider = table.clone().with("wide", FeatureType::Float);
    let mut columns: Vec<(String, ArrayRef)> = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| (field.name().clone(), Arc::clone(column)))
        .collect();
    columns.push(("of no use".to_owned(), Arc::new(StringArray::from(vec!["x"]))));
    columns.reverse();
    store.append(&wider, record(columns), Append::default()).await.unwrap();
    let mut probe = build::probe(&wider, &[ask(1, 5)], false);
    probe.columns = vec!["wide".to_owned(), VALUE.to_owned()];
    let found = store.as_of(&wider, probe).await.unwrap();
    assert_eq!(found.rows, [RowStatus::Found]);
    assert_eq!(found.columns[0].data_type(), &FeatureType::Float.arrow());
    assert!(found.columns[0].is_null(0) && found.columns[1].is_valid(0));
    // A column that came later than the rows, which no segment has.
    let later = table.with("later", FeatureType::String);
    let mut probe = build::probe(&later, &[ask(1, 5)], false);
    probe.columns = vec!["later".to_owned()];
    let found = store.as_of(&later, probe).await.unwrap();
    assert_eq!(found.rows, [RowStatus::Found]);
    assert_eq!(found.columns[0].data_type(), &FeatureType::String.arrow());
    assert!(found.columns[0].is_null(0));
    let batches = scan(&*store, &later, Scan::default()).await.unwrap();
    assert!(batches[0].column_by_name("later").unwrap().is_null(0));
}

async fn a_table_of_files_is_not_appended_to(fixture: OfflineFixture) {
    let plain = ints();
    let batch = build::batch(&plain, &[row(1, 1, 1, 1)], &Encoding::default());
    let url = (fixture.write)("a.parquet", std::slice::from_ref(&batch));
    let table = build::files_table("t", &[KeyType::Int], vec![url]);
    refused(&fixture, &table, batch).await;
}

async fn what_was_appended_is_there_after_a_restart(fixture: OfflineFixture) {
    let Some(reopen) = fixture.reopen.clone() else { return };
    let table = ints();
    let token = || Append::default().with_token(key("load 7"));
    let batch = || build::batch(&table, &[row(1, 1, 1, 1)], &Encoding::default());
    let first = fixture.store.append(&table, batch(), token()).await.unwrap();
    let store = reopen();
    let (now, any) = (KnownAt::Now, Visibility::default());
    let found = ask_store(&*store, &table, &[ask(1, 5)], any, now).await.unwrap();
    assert_eq!(found[0].value, Some(1));
    assert_eq!(store.append(&table, batch(), token()).await.unwrap(), first);
    let next = build::append(&*store, &table, &[row(1, 2, 2, 2)]).await;
    assert!(next.first_seq > first.first_seq && next.position > first.position);
}
