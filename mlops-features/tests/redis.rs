//! The online store in Redis, on a real server: what the cases of the contract do not ask.

// Helpers outside of `#[test]` functions assert too.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "redis/access.rs"]
mod access;
#[path = "redis/away.rs"]
mod away;
#[path = "redis/merge.rs"]
mod merge;
#[path = "redis/tables.rs"]
mod tables;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use mlops_core::Secret;
use mlops_core::features::{
    FeatureName, KeyBatch, OnlineRow, OnlineStore, TableId, TableRead, WriteOrder,
};
use mlops_features::online::{RedisOnline, RedisOptions};
use mlops_testkit::redis::RedisServer;

/// A server with these options; none if there is none here, which fails a strict run.
fn server_with(options: &[&str]) -> Option<RedisServer> {
    match RedisServer::start_with(options) {
        Ok(server) => Some(server),
        Err(absent) if mlops_testkit::strict() => panic!("{absent}"),
        Err(absent) => {
            println!("ignored: {absent}");
            None
        }
    }
}

fn server() -> Option<RedisServer> {
    server_with(&[])
}

fn secret(url: impl Into<String>) -> Secret<String> {
    Secret::new(url.into())
}

/// Options that wait long enough for a machine that does much else.
fn options() -> RedisOptions {
    let long = Duration::from_secs(20);
    RedisOptions::default().with_connect_limit(long).with_read_limit(long).with_write_limit(long)
}

fn open(server: &RedisServer) -> RedisOnline {
    block_on(RedisOnline::connect(&secret(server.url()), options())).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn table(number: u32) -> TableId {
    TableId::new(&FeatureName::new("view").unwrap(), number)
}

fn order(event_time: i64) -> WriteOrder {
    WriteOrder { event_time, created: 0, seq: 0 }
}

fn row<'a>(key: &'a [u8], event_time: i64, payload: &'a [u8]) -> OnlineRow<'a> {
    OnlineRow { key, order: order(event_time), payload, expires: None }
}

/// A key of one number.
fn int_keys(numbers: impl IntoIterator<Item = i64>) -> KeyBatch {
    let mut keys = KeyBatch::new();
    for number in numbers {
        keys.int(number);
        keys.end(true).unwrap();
    }
    keys
}

async fn read(store: &RedisOnline, table: &TableId, keys: &KeyBatch) -> Vec<Option<Bytes>> {
    store.read(&[TableRead { table, keys }]).await.unwrap().remove(0)
}

/// Sends a command whose words may be any bytes; the answer is a status or a number.
fn raw(server: &RedisServer, words: &[&[u8]]) -> String {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend(format!("${}\r\n", word.len()).as_bytes());
        request.extend_from_slice(word);
        request.extend(b"\r\n");
    }
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.write_all(&request).unwrap();
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).trim_end().to_owned();
    assert!(answer.starts_with(['+', ':']), "{answer}");
    answer
}
