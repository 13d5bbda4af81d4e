//! The script does what the pure function does.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use futures::executor::block_on;
use mlops_core::ErrorKind;
use mlops_core::features::{
    MAX_PENDING, OnlineRow, OnlineStore, OnlineWritten, WriteOrder, merge_entry,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::{int_keys, open, order, raw, read, row, server, table};

type Write = (i64, WriteOrder, Vec<u8>);

fn instant() -> impl Strategy<Value = i64> {
    prop_oneof![
        20 => -3_i64..12,
        1 => proptest::sample::select(vec![i64::MIN, i64::MAX, -(1 << 32), 1 << 32, (1 << 31) - 1]),
    ]
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let created = prop_oneof![Just(WriteOrder::UNKNOWN), 0_i64..3];
    let seq = prop_oneof![4 => 0_u64..3, 1 => Just(u64::MAX)];
    let order = (instant(), created, seq).prop_map(|(event_time, created, seq)| WriteOrder {
        event_time,
        created,
        seq,
    });
    vec((0_i64..3, order, vec(any::<u8>(), 0..6)), 1..20)
}

#[test]
fn random_writes_end_in_the_bytes_of_merge_entry() {
    let Some(server) = server() else { return };
    let store = open(&server);
    let keys = int_keys(0..3);
    let number = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 400, ..Config::default() });
    let calls = vec((writes(), instant(), any::<bool>()), 1..5);
    let law = runner.run(&calls, |calls| {
        number.set(number.get() + 1);
        let table = table(number.get());
        let mut expected: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
        for (writes, now, expires) in calls {
            let mut counted = OnlineWritten::default();
            for (key, order, payload) in &writes {
                let entry = expected.get(key).map(Vec::as_slice);
                if let Some(next) = merge_entry(entry, *order, payload, now).unwrap() {
                    expected.insert(*key, next);
                    counted.changed += 1;
                } else {
                    counted.stale += 1;
                }
            }
            let expires = expires.then_some(4_000_000_000);
            let rows: Vec<OnlineRow<'_>> = writes
                .iter()
                .map(|(key, order, payload)| {
                    let key = keys.get(*key as usize).unwrap();
                    OnlineRow { key, order: *order, payload, expires }
                })
                .collect();
            let written = block_on(store.write(&table, &rows, now)).unwrap();
            prop_assert_eq!(written, counted);
            let found = block_on(read(&store, &table, &keys));
            for (key, found) in (0..).zip(found) {
                prop_assert_eq!(found.as_deref(), expected.get(&key).map(Vec::as_slice));
            }
        }
        Ok(())
    });
    law.unwrap();
}

#[test]
fn bytes_that_are_no_entry_are_refused_as_merge_entry_refuses_them() {
    let Some(server) = server() else { return };
    let store = open(&server);
    let one = merge_entry(None, order(50), b"abc", 0).unwrap().unwrap();
    let two = merge_entry(Some(&one), order(60), b"de", 0).unwrap().unwrap();
    let mut entries: Vec<Vec<u8>> = (0..=two.len()).map(|cut| two[..cut].to_vec()).collect();
    for (version, rows) in [(0, 1), (2, 1), (255, 0), (1, 0), (1, 3), (1, 255)] {
        let mut entry = two.clone();
        entry[..2].copy_from_slice(&[version, rows]);
        entries.push(entry);
    }
    for length in [0, 23, 24, 26, 28, 255] {
        let mut entry = two.clone();
        entry[2] = length;
        entries.push(entry);
    }
    entries.push([two.as_slice(), b"more"].concat());
    for entry in entries {
        for (event_time, now) in [(55, 0), (55, 100), (70, 100), (70, 0), (40, 100), (60, 0)] {
            raw(&server, &[b"SET", b"mlops:view.1:k", &entry]);
            let expected = merge_entry(Some(&entry), order(event_time), b"x", now);
            let written = block_on(store.write(&table(1), &[row(b"k", event_time, b"x")], now));
            match (expected, written) {
                (Ok(expected), Ok(written)) => {
                    assert_eq!(written.changed, u64::from(expected.is_some()), "{entry:?}");
                }
                (Err(expected), Err(error)) => {
                    assert_eq!(error.kind(), expected.kind(), "{entry:?} {event_time} {now}");
                }
                (expected, written) => panic!("{entry:?}: {expected:?} and {written:?}"),
            }
        }
    }
}

#[test]
fn too_many_rows_ahead_of_the_clock_are_refused() {
    let Some(server) = server() else { return };
    let store = open(&server);
    let rows: Vec<_> = (0..=MAX_PENDING as i64).map(|ahead| row(b"k", ahead, b"")).collect();
    assert_eq!(block_on(store.write(&table(1), &rows, 0)).unwrap().changed, rows.len() as u64);
    let error = block_on(store.write(&table(1), &[row(b"k", 1_000, b"")], 0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(
        block_on(store.write(&table(1), &[row(b"k", 1_000, b"")], 1_000)).unwrap().changed,
        1
    );
}

#[test]
fn writers_that_race_on_one_key_end_as_one_after_the_other() {
    let Some(server) = server() else { return };
    let keys = int_keys([7]);
    let key = keys.get(0).unwrap();
    // Some of these wait for their time, and many are equal.
    let times: Vec<i64> = (0..2_500).map(|i| (i * 7919) % 1_030).collect();
    let now = 1_000;
    let racers: Vec<_> = (0..4_usize)
        .map(|racer| {
            let (store, times, key) = (open(&server), times.clone(), key.to_vec());
            std::thread::spawn(move || {
                for i in 0..times.len() {
                    let time = times[(i + racer * 600) % times.len()];
                    let payload = time.to_be_bytes();
                    block_on(store.write(&table(1), &[row(&key, time, &payload)], now)).unwrap();
                }
            })
        })
        .collect();
    for racer in racers {
        racer.join().unwrap();
    }
    let mut expected: Option<Vec<u8>> = None;
    for time in times {
        let next = merge_entry(expected.as_deref(), order(time), &time.to_be_bytes(), now).unwrap();
        expected = next.or(expected);
    }
    let found = block_on(read(&open(&server), &table(1), &keys));
    assert_eq!(found[0].as_deref(), expected.as_deref());
}

#[test]
fn many_rows_are_written_and_read_in_their_order() {
    let Some(server) = server() else { return };
    let store = Arc::new(open(&server));
    let keys = int_keys(0..20_000);
    let payloads: Vec<Vec<u8>> = (0..20_000_usize).map(|i| vec![i as u8; i % 300]).collect();
    let rows: Vec<_> =
        keys.iter().zip(&payloads).map(|(key, payload)| row(key.unwrap(), 1, payload)).collect();
    let written = block_on(store.write(&table(1), &rows, 5)).unwrap();
    assert_eq!(written, OnlineWritten { changed: 20_000, stale: 0 });
    let again = block_on(store.write(&table(1), &rows, 5)).unwrap();
    assert_eq!(again, OnlineWritten { changed: 0, stale: 20_000 });
    let found = block_on(read(&store, &table(1), &keys));
    for (found, payload) in found.iter().zip(&payloads) {
        assert_eq!(&found.as_ref().unwrap()[30..], payload.as_slice());
    }
}
