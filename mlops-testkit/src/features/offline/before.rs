//! The clauses of `before_seq`: the log as it was, whatever was merged since.

use mlops_core::features::{Compaction, KeyType, OfflineStore, Table};

use super::build::{self, Scanned, ask, row, scan, scanned, table};
use super::oracle::{Answer, Ask, Row};
use super::{OfflineCase, OfflineFixture, offline_cases_of};

pub(super) fn cases() -> Vec<OfflineCase> {
    offline_cases_of![
        a_scan_before_a_seq_has_the_rows_of_then,
        an_answer_before_a_seq_is_that_of_then_whatever_was_merged_since,
    ]
}

/// Ties, corrections and nulls, in the order of their `seq`.
fn history() -> Vec<Row> {
    let value = |n: i64| (n % 4 > 0).then_some(n);
    (0..24).map(|n| row(n % 3, n * 7 % 5, n * 5 % 4, value(n))).collect()
}

async fn append(store: &dyn OfflineStore, table: &Table) -> u64 {
    let mut first = None;
    for part in history().chunks(4) {
        let appended = build::append(store, table, part).await;
        first = first.or(Some(appended.first_seq));
    }
    first.unwrap()
}

async fn merge(store: &dyn OfflineStore, table: &Table) {
    let mut full = Compaction::default();
    full.full = true;
    store.compact(table, full).await.unwrap();
}

async fn a_scan_before_a_seq_has_the_rows_of_then(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, table("t", &[KeyType::Int]));
    let first = append(&*store, &table).await;
    for merged in [false, true] {
        if merged {
            merge(&*store, &table).await;
        }
        for rows in 0..26 {
            let mut options = mlops_core::features::Scan::default();
            options.before_seq = Some(first + rows);
            options.after_seq = Some(first + 1);
            let mut found: Vec<Scanned> = scanned(&scan(&*store, &table, options).await.unwrap());
            found.sort_unstable_by_key(|row| row.3);
            let seqs: Vec<u64> = found.iter().map(|row| row.3 - first).collect();
            assert_eq!(seqs, (2..rows.min(24)).collect::<Vec<_>>(), "merged: {merged}");
        }
    }
}

async fn an_answer_before_a_seq_is_that_of_then_whatever_was_merged_since(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, table("t", &[KeyType::Int]));
    let asks: Vec<Ask> = (0..3).flat_map(|key| (0..9).map(move |time| ask(key, time))).collect();
    let probe = |before_seq| {
        let mut probe = build::probe(&table, &asks, false);
        (probe.visibility.ttl, probe.before_seq) = (2, before_seq);
        probe
    };
    // What is said at once must be said for ever. (The rules of the join are other cases' matter.)
    let mut then: Vec<(u64, Vec<Answer>)> = Vec::new();
    for part in history().chunks(3) {
        let appended = build::append(&*store, &table, part).await;
        let answer = store.as_of(&table, probe(None)).await.unwrap();
        then.push((appended.first_seq + appended.rows, build::answers(&answer)));
    }
    for merged in [false, true] {
        if merged {
            merge(&*store, &table).await;
        }
        for (next_seq, expected) in &then {
            let found = store.as_of(&table, probe(Some(*next_seq))).await.unwrap();
            assert_eq!(build::answers(&found), *expected, "before {next_seq}, merged: {merged}");
        }
    }
}
