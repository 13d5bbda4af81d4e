//! Tables, what is forgotten, and what is taken away.

use futures::executor::block_on;
use mlops_core::ErrorKind;
use mlops_core::features::{OnlineRow, OnlineStore, TableRead, Watermark};
use mlops_features::online::RedisOnline;
use mlops_testkit::redis::RedisServer;

use crate::{int_keys, open, options, order, raw, read, row, secret, server, table};

/// About 2096 and 2128, in seconds: by no clock of a test's machine.
const SOON: i64 = 4_000_000_000;
const LATE: i64 = 5_000_000_000;

fn expires_at(server: &RedisServer) -> i64 {
    let answer = server.command("EXPIRETIME mlops:view.1:k");
    answer.trim_start_matches(':').parse().unwrap()
}

fn expiring(event_time: i64, expires: Option<i64>) -> OnlineRow<'static> {
    OnlineRow { key: b"k", order: order(event_time), payload: b"x", expires }
}

#[test]
fn an_entry_is_forgotten_when_its_last_row_may_be() {
    let Some(server) = server() else { return };
    let store = open(&server);
    let write = |event_time, expires, now| {
        block_on(store.write(&table(1), &[expiring(event_time, expires)], now)).unwrap();
        expires_at(&server)
    };
    assert_eq!(write(10, Some(SOON), 20), SOON);
    assert_eq!(write(5, Some(LATE), 20), SOON, "a row that changes nothing does not count");
    assert_eq!(write(10, Some(LATE), 20), LATE, "the same row may live longer");
    assert_eq!(write(10, Some(SOON), 20), LATE, "and not shorter");
    assert_eq!(write(30, Some(SOON), 20), LATE, "a row that waits does not shorten");
    assert_eq!(write(40, Some(LATE + 5), 20), LATE + 5, "and lengthens");
    assert_eq!(write(50, Some(SOON), 60), SOON, "alone, it is its own time");
    assert_eq!(write(50, None, 60), -1, "and for ever");
    assert_eq!(write(50, Some(SOON), 60), -1);
    assert_eq!(write(61, Some(SOON), 60), -1, "beside a row for ever, for ever");
    assert_eq!(write(70, Some(SOON), 80), SOON);
    assert_eq!(write(90, None, 80), -1);
    let count = |expires| block_on(store.write(&table(1), &[expiring(95, expires)], 96)).unwrap();
    assert_eq!(count(Some(1)).changed, 1);
    assert_eq!(server.command("EXISTS mlops:view.1:k"), ":0", "its time is over");
}

#[test]
fn what_is_dropped_is_gone_and_nothing_else() {
    let Some(server) = server() else { return };
    let store = open(&server);
    let other = options().with_prefix("mlops2");
    let other = block_on(RedisOnline::connect(&secret(server.url()), other)).unwrap();
    let keys = int_keys(-1_500..1_500);
    let rows: Vec<_> = keys.iter().map(|key| row(key.unwrap(), 1, b"x")).collect();
    let mark = Watermark { next_seq: 3, at: 1 };
    for (store, table) in [(&store, table(1)), (&store, table(11)), (&other, table(1))] {
        block_on(store.write(&table, &rows, 5)).unwrap();
        block_on(store.advance(&table, Watermark::default(), mark)).unwrap();
    }
    assert_eq!(block_on(store.tables()).unwrap(), [table(1), table(11)]);
    block_on(store.drop_table(&table(1))).unwrap();
    block_on(store.drop_table(&table(1))).unwrap();
    assert_eq!(block_on(store.tables()).unwrap(), [table(11)]);
    assert_eq!(block_on(store.watermark(&table(1))).unwrap(), Watermark::default());
    let gone = block_on(read(&store, &table(1), &keys));
    assert!(gone.iter().all(Option::is_none));
    for (store, table) in [(&store, table(11)), (&other, table(1))] {
        assert!(block_on(read(store, &table, &keys)).iter().all(Option::is_some));
        assert_eq!(block_on(store.watermark(&table)).unwrap(), mark);
    }
    assert_eq!(server.command("DBSIZE"), ":6002");
    assert_eq!(block_on(other.erase(&table(1), &int_keys(0..5_000))).unwrap(), 1_500);
}

#[test]
fn a_service_of_several_views_is_one_round_trip() {
    let Some(server) = server() else { return };
    let store = open(&server);
    let (few, many) = (int_keys([1, 2]), int_keys(0..5_000));
    let tables = [table(1), table(2)];
    block_on(store.write(&tables[0], &[row(few.get(1).unwrap(), 1, b"two")], 5)).unwrap();
    block_on(store.write(&tables[1], &[row(many.get(4_321).unwrap(), 1, b"far")], 5)).unwrap();
    server.command("CONFIG RESETSTAT");
    let mut nulls = int_keys([2]);
    nulls.end(false).unwrap();
    nulls.int(2);
    nulls.end(true).unwrap();
    let reads = [
        TableRead { table: &tables[0], keys: &nulls },
        TableRead { table: &tables[1], keys: &few },
        TableRead { table: &tables[0], keys: &few },
    ];
    let found = block_on(store.read(&reads)).unwrap();
    let there = |at: usize| found[at].iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!((there(0), there(1)), (vec![true, false, true], vec![false, false]));
    assert_eq!(there(2), [false, true]);
    let calls = |server: &RedisServer| {
        let count = "return tonumber(string.match(redis.call('INFO', 'commandstats'), \
                     'cmdstat_mget:calls=(%d+)'))";
        raw(server, &[b"EVAL", count.as_bytes(), b"0"])
    };
    assert_eq!(calls(&server), ":1");
    let found = block_on(store.read(&[
        TableRead { table: &tables[1], keys: &many },
        TableRead { table: &tables[0], keys: &few },
    ]));
    let found = found.unwrap();
    assert!(found[0][4_321].is_some() && found[1][1].is_some());
    assert_eq!(found[0].iter().flatten().count() + found[1].iter().flatten().count(), 2);
    assert_eq!(calls(&server), ":3", "more than 4,096 keys go in two");
    assert!(block_on(store.read(&[])).unwrap().is_empty());
}

#[test]
fn a_server_that_forgot_its_scripts_is_told_again() {
    let Some(server) = server() else { return };
    let store = open(&server);
    let keys = int_keys(0..3_000);
    let rows: Vec<_> = keys.iter().map(|key| row(key.unwrap(), 1, b"x")).collect();
    for now in [5, 6] {
        assert_eq!(server.command("SCRIPT FLUSH"), "+OK");
        let written = block_on(store.write(&table(now), &rows, 5)).unwrap();
        assert_eq!(written.changed, 3_000);
    }
}

#[test]
fn what_is_too_large_is_refused_before_anything_is_written() {
    let Some(server) = server() else { return };
    let store = open(&server);
    let large = vec![0; 5 * 1024 * 1024];
    let rows = [row(b"a", 1, b"x"), row(b"k", 1, &large)];
    let error = block_on(store.write(&table(1), &rows, 5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(server.command("DBSIZE"), ":0");
    let fits = vec![7; 2 * 1024 * 1024];
    let keys = int_keys([1]);
    block_on(store.write(&table(1), &[row(keys.get(0).unwrap(), 1, &fits)], 5)).unwrap();
    let found = block_on(read(&store, &table(1), &keys)).remove(0).unwrap();
    assert_eq!(&found[30..], fits.as_slice());
}

#[test]
fn a_watermark_that_moved_is_a_conflict() {
    let Some(server) = server() else { return };
    let (store, other) = (open(&server), open(&server));
    let mark = |next_seq| Watermark { next_seq, at: 1 };
    block_on(store.advance(&table(1), Watermark::default(), mark(5))).unwrap();
    let error = block_on(other.advance(&table(1), Watermark::default(), mark(6))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    block_on(other.advance(&table(1), mark(5), mark(6))).unwrap();
    assert_eq!(block_on(store.watermark(&table(1))).unwrap(), mark(6));
}
