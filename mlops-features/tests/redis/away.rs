//! A server that is slow, away, or started anew.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use mlops_core::features::{OnlineStore, TableRead, Watermark};
use mlops_core::{Error, ErrorKind};
use mlops_features::online::{RedisOnline, RedisOptions};

use crate::{int_keys, open, options, read, row, runtime, secret, server, table};

const LIMIT: Duration = Duration::from_millis(300);

fn hasty() -> RedisOptions {
    options().with_connect_limit(LIMIT).with_read_limit(LIMIT).with_write_limit(LIMIT)
}

fn assert_unavailable(error: &Error, port: u16) {
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let text = error.to_string();
    assert!(text.contains(&format!("127.0.0.1:{port}")) && text.contains("hint"), "{text}");
}

/// Asks a server that is halted, and again when it goes on.
async fn outlives_a_halt(store: RedisOnline, server: &mlops_testkit::redis::RedisServer) {
    let (table, keys) = (table(1), int_keys([1]));
    let rows = [row(keys.get(0).unwrap(), 1, b"one")];
    store.write(&table, &rows, 5).await.unwrap();
    server.pause();
    let begun = Instant::now();
    let error = store.read(&[TableRead { table: &table, keys: &keys }]).await.unwrap_err();
    assert_unavailable(&error, server.port());
    assert_unavailable(&store.write(&table, &rows, 5).await.unwrap_err(), server.port());
    assert!(begun.elapsed() < LIMIT * 10, "{:?}", begun.elapsed());
    server.resume();
    assert!(read(&store, &table, &keys).await[0].is_some());
    assert_eq!(store.write(&table, &rows, 5).await.unwrap().stale, 1);
}

#[test]
fn a_server_that_is_halted_is_waited_for_within_the_bound() {
    let Some(server) = server() else { return };
    let url = secret(server.url());
    let connect = || RedisOnline::connect(&url, hasty());
    block_on(async { outlives_a_halt(connect().await.unwrap(), &server).await });
    runtime().block_on(async { outlives_a_halt(connect().await.unwrap(), &server).await });
}

/// The server ends and comes back without what it had.
async fn outlives_a_restart(store: RedisOnline, server: &mut mlops_testkit::redis::RedisServer) {
    let (table, keys) = (table(1), int_keys([1]));
    let rows = [row(keys.get(0).unwrap(), 1, b"one")];
    store.write(&table, &rows, 5).await.unwrap();
    let mark = Watermark { next_seq: 9, at: 4 };
    store.advance(&table, Watermark::default(), mark).await.unwrap();
    assert_eq!(store.watermark(&table).await.unwrap(), mark);
    server.stop();
    let gone = store.watermark(&table).await.unwrap_err();
    assert_unavailable(&gone, server.port());
    server.restart();
    assert!(read(&store, &table, &keys).await[0].is_none());
    assert_eq!(store.watermark(&table).await.unwrap(), Watermark::default(), "all starts anew");
    let written = store.write(&table, &rows, 5).await.unwrap();
    assert_eq!(written.changed, 1, "the script is there again");
}

#[test]
fn a_server_that_is_started_anew_is_connected_to_again() {
    let Some(mut server) = server() else { return };
    let store = open(&server);
    block_on(outlives_a_restart(store, &mut server));
    runtime().block_on(async {
        let store = RedisOnline::connect(&secret(server.url()), options()).await.unwrap();
        store.drop_table(&table(1)).await.unwrap();
        outlives_a_restart(store, &mut server).await;
    });
}

#[test]
fn a_restart_between_calls_is_not_noticed() {
    let Some(mut server) = server() else { return };
    let store = open(&server);
    let keys = int_keys([1]);
    for _ in 0..3 {
        server.restart();
        let rows = [row(keys.get(0).unwrap(), 1, b"one")];
        assert_eq!(block_on(store.write(&table(1), &rows, 5)).unwrap().changed, 1);
        server.restart();
        assert!(block_on(read(&store, &table(1), &keys))[0].is_none());
    }
}

#[test]
fn no_server_and_a_silent_one_and_another_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = secret(format!("redis://127.0.0.1:{port}"));
    let connect = || RedisOnline::connect(&url, hasty());
    assert_unavailable(&block_on(connect()).unwrap_err(), port);
    assert_unavailable(&runtime().block_on(connect()).unwrap_err(), port);
    let other = std::thread::spawn(move || {
        for stream in listener.incoming().take(4) {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    // The first two connections were those above.
    assert_eq!(block_on(connect()).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(runtime().block_on(connect()).unwrap_err().kind(), ErrorKind::Unsupported);
    other.join().unwrap();
    assert_unavailable(&block_on(connect()).unwrap_err(), port);
    assert_unavailable(&runtime().block_on(connect()).unwrap_err(), port);
}

#[test]
fn a_call_that_is_dropped_takes_no_other_s_answer() {
    let Some(server) = server() else { return };
    runtime().block_on(async {
        let store = RedisOnline::connect(&secret(server.url()), options()).await.unwrap();
        let (table, keys) = (table(1), int_keys([1, 2]));
        store.write(&table, &[row(keys.get(0).unwrap(), 1, b"one")], 5).await.unwrap();
        server.pause();
        let reads = [TableRead { table: &table, keys: &keys }];
        let dropped = tokio::time::timeout(Duration::from_millis(50), store.read(&reads)).await;
        assert!(dropped.is_err());
        server.resume();
        let swapped = int_keys([2, 1]);
        let found = read(&store, &table, &swapped).await;
        assert!(found[0].is_none() && found[1].is_some());
    });
}

#[test]
fn a_store_goes_from_runtime_to_runtime() {
    let Some(server) = server() else { return };
    let store = open(&server);
    let keys = int_keys([1]);
    block_on(store.write(&table(1), &[row(keys.get(0).unwrap(), 1, b"one")], 5)).unwrap();
    let halted = runtime();
    for _ in 0..30 {
        assert!(halted.block_on(read(&store, &table(1), &keys))[0].is_some());
        assert!(runtime().block_on(read(&store, &table(1), &keys))[0].is_some());
        assert!(block_on(read(&store, &table(1), &keys))[0].is_some());
    }
}

#[test]
fn calls_beyond_the_connections_wait_for_one() {
    let Some(server) = server() else { return };
    let few = options().with_connections(2);
    let several = tokio::runtime::Runtime::new().unwrap();
    several.block_on(async {
        let store = RedisOnline::connect(&secret(server.url()), few).await.unwrap();
        let store = std::sync::Arc::new(store);
        let calls = (0..50).map(|i| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move {
                let keys = int_keys([i]);
                store.write(&table(1), &[row(keys.get(0).unwrap(), 1, b"x")], 5).await.unwrap();
                read(&store, &table(1), &keys).await.remove(0)
            })
        });
        for call in calls.collect::<Vec<_>>() {
            assert!(call.await.unwrap().is_some());
        }
    });
    let clients = server.command("INFO clients");
    assert!(clients.starts_with('$'), "{clients}");
}

#[test]
fn a_runtime_without_io_and_time_blocks_and_does_not_panic() {
    let Some(server) = server() else { return };
    let bare = tokio::runtime::Builder::new_current_thread().build().unwrap();
    bare.block_on(async {
        let store = RedisOnline::connect(&secret(server.url()), options()).await.unwrap();
        let keys = int_keys([1]);
        store.write(&table(1), &[row(keys.get(0).unwrap(), 1, b"one")], 5).await.unwrap();
        assert!(read(&store, &table(1), &keys).await[0].is_some());
    });
}

#[test]
fn an_answer_larger_than_is_read_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = secret(format!("redis://127.0.0.1:{}", listener.local_addr().unwrap().port()));
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"$2000000000\r\n");
        let _ = stream.read(&mut [0; 64]);
    });
    let error = block_on(RedisOnline::connect(&url, options())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("at_most: 1024 MiB"), "{error}");
    server.join().unwrap();
}

/// Hands on what a client and a server say, and loses the first answer to an `UNLINK` with its connection.
fn lossy(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut lost = false;
        let mut bytes = vec![0; 1 << 16];
        // The client has one connection at a time, and each request is small.
        for client in listener.incoming() {
            let (mut client, mut server) =
                (client.unwrap(), TcpStream::connect(("127.0.0.1", server)).unwrap());
            while let Ok(asked @ 1..) = client.read(&mut bytes) {
                let lose = !lost && bytes[..asked].windows(6).any(|word| word == b"UNLINK");
                server.write_all(&bytes[..asked]).unwrap();
                let answered = server.read(&mut bytes).unwrap();
                if lose {
                    lost = true;
                    break;
                }
                client.write_all(&bytes[..answered]).unwrap();
            }
        }
    });
    port
}

#[test]
fn keys_whose_erasure_was_answered_into_the_void_are_counted() {
    let Some(server) = server() else { return };
    let keys = int_keys([1, 2, 1, 7]);
    let rows = [row(keys.get(0).unwrap(), 1, b"x"), row(keys.get(1).unwrap(), 1, b"x")];
    block_on(open(&server).write(&table(1), &rows, 5)).unwrap();
    // A server of few words, so that an answer comes in one piece.
    let small = server.command("ACL SETUSER small on >pw ~mlops:* +@read +@write +eval +ping");
    assert_eq!(small, "+OK");
    let url = secret(format!("redis://small:pw@127.0.0.1:{}", lossy(server.port())));
    let store = block_on(RedisOnline::connect(&url, options())).unwrap();
    assert_eq!(block_on(store.erase(&table(1), &keys)).unwrap(), 2);
    assert_eq!(block_on(store.erase(&table(1), &keys)).unwrap(), 0);
}
