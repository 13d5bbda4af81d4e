//! How a write changes an entry: as `merge_entry` says, whatever order writes come in.

use mlops_core::ErrorKind;
use mlops_core::features::{MAX_PENDING, OnlineRow, WriteOrder, merge_entry};

use super::{NOW, OnlineFixture, answer, entry, key, order, payload, row, table, write, written};
use crate::case::fails;
use crate::features::{FeatureCase, feature_cases};

pub(super) fn cases() -> Vec<FeatureCase<OnlineFixture>> {
    feature_cases![
        writes_in_any_order_end_in_the_same_entry,
        rows_ahead_of_the_clock_wait_for_their_time,
        of_one_event_time_the_later_known_one_answers,
        a_repeated_write_changes_nothing,
        a_write_of_the_past_is_counted_as_stale,
        a_batch_may_write_a_key_many_times,
        a_write_when_time_has_passed_takes_away_what_waited,
        too_many_rows_ahead_of_the_clock_are_refused,
        a_payload_may_be_empty_or_large,
    ]
}

/// All orders of four things.
fn permutations() -> Vec<[usize; 4]> {
    let mut all = Vec::new();
    for code in 0..256_usize {
        let order = [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6];
        if (0..4).all(|thing| order.contains(&thing)) {
            all.push(order);
        }
    }
    all
}

async fn writes_in_any_order_end_in_the_same_entry(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    let sets: [[WriteOrder; 4]; 3] = [
        // Four of the past; ties that `created` and `seq` break.
        [order(5, 1, 1), order(9, 1, 2), order(9, 3, 0), order(9, 3, 4)],
        // Two of the past.
        [order(5, 1, 1), order(NOW - 1, 1, 2), order(NOW, 1, 3), order(NOW + 9, 1, 4)],
        // All still to come.
        [order(NOW, 0, 9), order(NOW + 1, 0, 8), order(NOW + 1, 1, 7), order(NOW + 2, 0, 6)],
    ];
    assert_eq!(permutations().len(), 24);
    for (which, set) in sets.iter().enumerate() {
        let expected = set.iter().fold(None, |entry: Option<Vec<u8>>, order| {
            merge_entry(entry.as_deref(), *order, &order.to_bytes(), NOW).unwrap().or(entry)
        });
        for permutation in permutations() {
            let one_by_one = format!("{which}/{permutation:?}/one by one");
            for place in permutation {
                let order = set[place];
                write(store, &table, &[row(&key(&one_by_one), order, &order.to_bytes())]).await;
            }
            let at_once = format!("{which}/{permutation:?}/at once");
            let at_once_key = key(&at_once);
            let payloads = permutation.map(|place| set[place].to_bytes());
            let rows: Vec<OnlineRow<'_>> = permutation
                .iter()
                .zip(&payloads)
                .map(|(place, payload)| row(&at_once_key, set[*place], payload))
                .collect();
            write(store, &table, &rows).await;
            for name in [one_by_one, at_once] {
                let found = entry(store, &table, &name).await;
                assert_eq!(found.as_deref(), expected.as_deref(), "{name}");
            }
        }
    }
}

async fn rows_ahead_of_the_clock_wait_for_their_time(fixture: OnlineFixture) {
    let (store, table, key) = (&*fixture.store, table(1), key("k"));
    let rows = [
        row(&key, order(NOW - 1, 0, 1), b"now"),
        row(&key, order(NOW + 10, 0, 2), b"soon"),
        row(&key, order(NOW + 20, 0, 3), b"later"),
    ];
    assert_eq!(write(store, &table, &rows).await, written(3, 0));
    let at = async |t| answer(store, &table, "k", t).await.map(|p| String::from_utf8(p).unwrap());
    assert_eq!(at(NOW + 9).await.as_deref(), Some("now"));
    assert_eq!(at(NOW + 10).await.as_deref(), Some("soon"));
    assert_eq!(at(NOW + 19).await.as_deref(), Some("soon"));
    assert_eq!(at(NOW + 20).await.as_deref(), Some("later"));
    assert_eq!(at(NOW - 2).await, None);
}

async fn of_one_event_time_the_later_known_one_answers(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    let pairs = [
        ("created", order(5, 2, 1), order(5, 1, 9)),
        ("unknown", order(5, i64::MIN + 1, 1), order(5, WriteOrder::UNKNOWN, 9)),
        ("seq", order(5, 1, 2), order(5, 1, 1)),
        ("before 1970", order(-5, 1, 1), order(-6, 9, 9)),
    ];
    for (name, greater, lesser) in pairs {
        write(store, &table, &[row(&key(name), greater, b"greater")]).await;
        write(store, &table, &[row(&key(name), lesser, b"lesser")]).await;
        assert_eq!(
            answer(store, &table, name, NOW).await.as_deref(),
            Some(&b"greater"[..]),
            "{name}"
        );
    }
}

async fn a_repeated_write_changes_nothing(fixture: OnlineFixture) {
    let (store, table, key) = (&*fixture.store, table(1), key("k"));
    let rows = [row(&key, order(5, 0, 1), b"a"), row(&key, order(NOW + 5, 0, 2), b"b")];
    assert_eq!(write(store, &table, &rows).await, written(2, 0));
    let first = entry(store, &table, "k").await;
    assert_eq!(write(store, &table, &rows).await, written(0, 2));
    assert_eq!(entry(store, &table, "k").await, first);
}

async fn a_write_of_the_past_is_counted_as_stale(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    let (old, new) = (key("old"), key("new"));
    write(store, &table, &[row(&old, order(9, 0, 1), b"kept")]).await;
    let rows = [row(&old, order(8, 0, 9), b"late"), row(&new, order(1, 0, 2), b"first")];
    assert_eq!(write(store, &table, &rows).await, written(1, 1));
    assert_eq!(answer(store, &table, "old", NOW).await.as_deref(), Some(&b"kept"[..]));
    assert_eq!(answer(store, &table, "new", NOW).await.as_deref(), Some(&b"first"[..]));
}

async fn a_batch_may_write_a_key_many_times(fixture: OnlineFixture) {
    let (store, table, key) = (&*fixture.store, table(1), key("k"));
    let rows: Vec<OnlineRow<'_>> =
        [3, 1, 4, 1, 5, 9, 2, 6].map(|time| row(&key, order(time, 0, 0), b"x")).to_vec();
    // 3, 4, 5 and 9 are each greater than all before.
    assert_eq!(write(store, &table, &rows).await, written(4, 4));
    let found = entry(store, &table, "k").await.unwrap();
    assert!(payload(&found, 8).is_none() && payload(&found, 9).is_some());
}

async fn a_write_when_time_has_passed_takes_away_what_waited(fixture: OnlineFixture) {
    let (store, table, key) = (&*fixture.store, table(1), key("k"));
    for ahead in 0..5 {
        write(store, &table, &[row(&key, order(NOW + ahead, 0, 1), b"waits")]).await;
    }
    let last = [row(&key, order(NOW + 50, 0, 1), b"last")];
    store.write(&table, &last, NOW + 100).await.unwrap();
    let expected = merge_entry(None, order(NOW + 50, 0, 1), b"last", NOW + 100).unwrap();
    assert_eq!(entry(store, &table, "k").await.as_deref(), expected.as_deref());
}

async fn too_many_rows_ahead_of_the_clock_are_refused(fixture: OnlineFixture) {
    let (store, table, key) = (&*fixture.store, table(1), key("k"));
    // One more may be there: the row that answers now.
    for ahead in 0..=MAX_PENDING as i64 {
        write(store, &table, &[row(&key, order(NOW + ahead, 0, 0), b"")]).await;
    }
    let full = entry(store, &table, "k").await;
    let more = [row(&key, order(NOW + 1_000, 0, 0), b"")];
    fails(ErrorKind::Invalid, store.write(&table, &more, NOW).await);
    assert_eq!(entry(store, &table, "k").await, full, "what was there stays");
    assert_eq!(store.write(&table, &more, NOW + 999).await.unwrap(), written(1, 0));
}

async fn a_payload_may_be_empty_or_large(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    let large: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect();
    let (a, b) = (key("empty"), key("large"));
    let rows = [row(&a, order(1, 0, 1), b""), row(&b, order(1, 0, 2), &large)];
    assert_eq!(write(store, &table, &rows).await, written(2, 0));
    assert_eq!(answer(store, &table, "empty", NOW).await, Some(Vec::new()));
    assert!(answer(store, &table, "large", NOW).await == Some(large));
}
