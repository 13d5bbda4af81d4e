//! The clauses of compaction and erasure.

use std::sync::Arc;

use mlops_core::ErrorKind::NotFound;
use mlops_core::arrow::array::{ArrayRef, Int64Array};
use mlops_core::features::{
    Append, Compaction, KeyBatch, KeyType, KnownAt, OfflineStore, RowStatus, Scan, Table,
    Visibility,
};

use super::build::{self, Encoding, Scanned, ask, ask_store, row, scan, scanned, table};
use super::oracle::{Answer, Ask};
use super::{OfflineCase, OfflineFixture, offline_cases_of};
use crate::build::key;
use crate::case::fails;

pub(super) fn cases() -> Vec<OfflineCase> {
    offline_cases_of![
        a_compaction_changes_no_answer,
        a_compaction_of_everything_makes_one_segment,
        a_compaction_leaves_large_segments_alone,
        a_compaction_of_nothing_is_no_error,
        positions_of_before_a_compaction_answer_for_the_grace,
        what_was_merged_is_deleted_after_the_grace,
        a_token_outlives_a_compaction,
        an_erasure_takes_all_rows_of_the_keys,
        an_erasure_says_what_it_did,
        an_erasure_of_keys_without_rows_changes_nothing,
        positions_of_before_an_erasure_are_not_found,
        a_seq_is_not_given_again_after_an_erasure,
        a_key_may_be_written_again_after_its_erasure,
    ]
}

fn ints() -> Table {
    table("t", &[KeyType::Int])
}

/// Four appends of rows with ties across them.
async fn fill(store: &dyn OfflineStore, table: &Table) {
    for batch in 0..4_i64 {
        let rows: Vec<_> = (0..12).map(|n| row(n % 4, n % 5, n % 3, batch * 12 + n)).collect();
        build::append(store, table, &rows).await;
    }
}

fn asks() -> Vec<Ask> {
    (0..30).map(|n| ask(n % 5, n / 4)).collect()
}

async fn answers(store: &dyn OfflineStore, table: &Table) -> Vec<Answer> {
    let mut all = Vec::new();
    for known_at in [KnownAt::Now, KnownAt::EventTime, KnownAt::Instant(1)] {
        let any = Visibility::default();
        all.extend(ask_store(store, table, &asks(), any, known_at).await.unwrap());
    }
    all
}

async fn rows(store: &dyn OfflineStore, table: &Table) -> Vec<Scanned> {
    let mut rows = scanned(&scan(store, table, Scan::default()).await.unwrap());
    rows.sort_by_key(|row| row.3);
    rows
}

fn full() -> Compaction {
    let mut options = Compaction::default();
    options.full = true;
    options
}

fn keys(numbers: &[i64]) -> KeyBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
    KeyBatch::from_columns(&[column], numbers.len()).unwrap()
}

async fn a_compaction_changes_no_answer(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    fill(store, &table).await;
    let (answered, were) = (answers(store, &table).await, rows(store, &table).await);
    for options in [Compaction::default(), full()] {
        store.compact(&table, options).await.unwrap();
        assert_eq!(answers(store, &table).await, answered);
        assert_eq!(rows(store, &table).await, were, "rows keep their seq");
    }
}

async fn a_compaction_of_everything_makes_one_segment(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    fill(store, &table).await;
    let before = store.manifest(&table.id, None).await.unwrap();
    let report = store.compact(&table, full()).await.unwrap();
    let after = store.manifest(&table.id, None).await.unwrap();
    assert_eq!(after.segments.len(), 1);
    assert_eq!((report.merged, report.made), (before.segments.len() as u64, 1));
    assert_eq!((report.rows, report.position), (48, after.position));
    assert!(after.position > before.position);
    assert_eq!(after.next_seq, before.next_seq);
}

async fn a_compaction_leaves_large_segments_alone(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    fill(store, &table).await;
    let before = store.manifest(&table.id, None).await.unwrap();
    let mut options = Compaction::default();
    options.target_rows = 1;
    let report = store.compact(&table, options).await.unwrap();
    assert_eq!(report.merged, 0);
    assert_eq!(store.manifest(&table.id, None).await.unwrap().segments, before.segments);
}

async fn a_compaction_of_nothing_is_no_error(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    let report = store.compact(&table, full()).await.unwrap();
    assert_eq!((report.merged, report.made, report.rows), (0, 0, 0));
    assert_eq!(rows(store, &table).await, []);
}

async fn positions_of_before_a_compaction_answer_for_the_grace(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    build::append(store, &table, &[row(1, 1, 1, 1)]).await;
    let old = build::append(store, &table, &[row(1, 2, 2, 2)]).await.position;
    build::append(store, &table, &[row(1, 3, 3, 3)]).await;
    store.compact(&table, full()).await.unwrap();
    let mut probe = build::probe(&table, &[ask(1, 9)], false);
    probe.position = Some(old);
    let found = store.as_of(&table, probe).await.unwrap();
    assert_eq!(build::answers(&found)[0].value, Some(2));
}

async fn what_was_merged_is_deleted_after_the_grace(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    fill(store, &table).await;
    let mut options = full();
    options.grace = 1_000;
    let first = store.compact(&table, options.clone()).await.unwrap();
    assert_eq!(first.deleted, 0);
    fixture.clock.advance_micros(999);
    build::append(store, &table, &[row(1, 7, 7, 7)]).await;
    assert_eq!(store.compact(&table, options.clone()).await.unwrap().deleted, 0, "its time runs");
    fixture.clock.advance_micros(1);
    let answered = answers(store, &table).await;
    build::append(store, &table, &[row(9, 7, 7, 7)]).await;
    let report = store.compact(&table, options).await.unwrap();
    assert_eq!(report.deleted, first.merged);
    assert_eq!(answers(store, &table).await, answered);
}

async fn a_token_outlives_a_compaction(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    let batch = || build::batch(&table, &[row(1, 1, 1, 1)], &Encoding::default());
    let token = || Append::default().with_token(key("load 7"));
    let first = store.append(&table, batch(), token()).await.unwrap();
    fill(store, &table).await;
    store.compact(&table, full()).await.unwrap();
    assert_eq!(store.append(&table, batch(), token()).await.unwrap(), first);
    assert_eq!(rows(store, &table).await.len(), 49);
}

async fn an_erasure_takes_all_rows_of_the_keys(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    fill(store, &table).await;
    let (answered, were) = (answers(store, &table).await, rows(store, &table).await);
    store.erase(&table, &keys(&[1, 3, 77])).await.unwrap();
    let gone = |key: Option<i64>| matches!(key, Some(1 | 3));
    let left: Vec<_> = were.into_iter().filter(|row| !gone(row.0)).collect();
    assert_eq!(rows(store, &table).await, left, "the others keep their seq and times");
    let found = answers(store, &table).await;
    let asks = asks();
    for (at, (now, then)) in found.iter().zip(&answered).enumerate() {
        let ask = &asks[at % asks.len()];
        if ask.key == build::int(1) || ask.key == build::int(3) {
            assert_eq!(now.status, RowStatus::NotFound);
        } else {
            assert_eq!(now, then);
        }
    }
}

async fn an_erasure_says_what_it_did(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    build::append(store, &table, &[row(1, 1, 1, 1), row(2, 1, 1, 2)]).await;
    build::append(store, &table, &[row(1, 2, 2, 3)]).await;
    build::append(store, &table, &[row(2, 3, 3, 4)]).await;
    let before = store.manifest(&table.id, None).await.unwrap();
    let erased = store.erase(&table, &keys(&[1])).await.unwrap();
    let after = store.manifest(&table.id, None).await.unwrap();
    assert_eq!((erased.rows, erased.position), (2, after.position));
    let was = |path: &String| before.segments.iter().any(|segment| segment.path == *path);
    let is = |path: &String| after.segments.iter().any(|segment| segment.path == *path);
    assert!(!erased.rewritten.is_empty());
    for (old, new) in &erased.rewritten {
        assert!(was(old) && !is(old), "{old} was, and is no more");
        assert!(new.as_ref().is_none_or(is), "{new:?} is there");
        assert!(erased.deleted.contains(old), "{old} was deleted");
    }
}

async fn an_erasure_of_keys_without_rows_changes_nothing(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    assert_eq!(store.erase(&table, &keys(&[1])).await.unwrap().rows, 0);
    fill(store, &table).await;
    store.erase(&table, &keys(&[1])).await.unwrap();
    let before = store.manifest(&table.id, None).await.unwrap();
    for wanted in [keys(&[1]), keys(&[77]), KeyBatch::new()] {
        let erased = store.erase(&table, &wanted).await.unwrap();
        assert_eq!((erased.rows, erased.rewritten), (0, Vec::new()));
    }
    let after = store.manifest(&table.id, None).await.unwrap();
    assert_eq!(after.segments, before.segments);
}

async fn positions_of_before_an_erasure_are_not_found(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    let old = build::append(store, &table, &[row(1, 1, 1, 1), row(2, 1, 1, 2)]).await.position;
    build::append(store, &table, &[row(1, 2, 2, 3)]).await;
    store.compact(&table, full()).await.unwrap();
    let merged = store.manifest(&table.id, None).await.unwrap().position;
    store.erase(&table, &keys(&[1])).await.unwrap();
    for position in [old, merged] {
        let mut probe = build::probe(&table, &[ask(1, 9)], false);
        probe.position = Some(position);
        fails(NotFound, store.as_of(&table, probe).await);
        let mut options = Scan::default();
        options.position = Some(position);
        fails(NotFound, scan(store, &table, options).await);
    }
}

async fn a_seq_is_not_given_again_after_an_erasure(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    let last = build::append(store, &table, &[row(1, 1, 1, 1), row(1, 2, 2, 2)]).await;
    store.erase(&table, &keys(&[1])).await.unwrap();
    let next = build::append(store, &table, &[row(2, 1, 1, 1)]).await;
    assert!(next.first_seq >= last.first_seq + 2, "{last:?} {next:?}");
    assert!(next.position > last.position);
}

async fn a_key_may_be_written_again_after_its_erasure(fixture: OfflineFixture) {
    let (store, table) = (&*fixture.store, ints());
    build::append(store, &table, &[row(1, 5, 5, 1)]).await;
    store.erase(&table, &keys(&[1])).await.unwrap();
    build::append(store, &table, &[row(1, 3, 3, 2)]).await;
    let any = Visibility::default();
    let found = ask_store(store, &table, &[ask(1, 9)], any, KnownAt::Now).await.unwrap();
    assert_eq!(found[0].value, Some(2));
}
