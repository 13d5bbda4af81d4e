//! Readers of the journal: how far each has come.

use mlops_core::ErrorKind;

use crate::build::key;
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        the_last_row_is_known,
        a_reader_that_is_unknown_is_at_the_start,
        a_reader_goes_on_from_where_it_is,
        a_reader_that_is_elsewhere_is_a_conflict,
        a_reader_goes_neither_back_nor_beyond_the_last_row,
        readers_go_on_by_themselves_and_write_no_rows,
    ]
}

async fn position(f: &Fixture, reader: &str) -> u64 {
    f.journal.position(&key(reader)).await.unwrap()
}

async fn the_last_row_is_known(f: Fixture) {
    assert_eq!(f.journal.last().await.unwrap(), 0);
    f.versions(2).await;
    assert_eq!(f.journal.last().await.unwrap(), 3);
    f.journal.seal().await.unwrap();
    assert_eq!(f.journal.last().await.unwrap(), 3);
}

async fn a_reader_that_is_unknown_is_at_the_start(f: Fixture) {
    f.versions(2).await;
    assert_eq!(position(&f, "hooks").await, 0);
}

async fn a_reader_goes_on_from_where_it_is(f: Fixture) {
    f.versions(2).await;
    f.journal.advance(&key("hooks"), 0, 2).await.unwrap();
    assert_eq!(position(&f, "hooks").await, 2);
    f.journal.advance(&key("hooks"), 2, 2).await.unwrap();
    f.journal.advance(&key("hooks"), 2, 3).await.unwrap();
    assert_eq!(position(&f, "hooks").await, 3);
}

async fn a_reader_that_is_elsewhere_is_a_conflict(f: Fixture) {
    f.versions(3).await;
    let advance = async |from, to| f.journal.advance(&key("hooks"), from, to).await;
    fails(ErrorKind::Conflict, advance(1, 2).await);
    advance(0, 2).await.unwrap();
    for from in [0, 1, 3] {
        fails(ErrorKind::Conflict, advance(from, 4).await);
    }
    assert_eq!(position(&f, "hooks").await, 2);
}

async fn a_reader_goes_neither_back_nor_beyond_the_last_row(f: Fixture) {
    f.versions(2).await;
    let advance = async |from, to| f.journal.advance(&key("hooks"), from, to).await;
    fails(ErrorKind::Invalid, advance(0, 4).await);
    fails(ErrorKind::Invalid, advance(0, u64::MAX).await);
    advance(0, 3).await.unwrap();
    fails(ErrorKind::Invalid, advance(3, 2).await);
    fails(ErrorKind::Invalid, advance(u64::MAX, 1).await);
    assert_eq!(position(&f, "hooks").await, 3);
}

async fn readers_go_on_by_themselves_and_write_no_rows(f: Fixture) {
    f.versions(2).await;
    let rows = f.rows().await;
    f.journal.advance(&key("hooks"), 0, 3).await.unwrap();
    f.journal.advance(&key("Hooks"), 0, 1).await.unwrap();
    f.journal.advance(&key("ü '%_"), 0, 2).await.unwrap();
    let all =
        [position(&f, "hooks").await, position(&f, "Hooks").await, position(&f, "ü '%_").await];
    assert_eq!((all, position(&f, "hook").await), ([3, 1, 2], 0));
    assert_eq!(f.rows().await, rows, "a feed of the journal would never end");
}
