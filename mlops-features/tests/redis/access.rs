//! Who may do what, and which servers are trusted.

use futures::executor::block_on;
use mlops_core::features::OnlineStore;
use mlops_core::{Error, ErrorKind};
use mlops_features::online::RedisOnline;

use crate::{int_keys, open, options, raw, read, row, runtime, secret, server, server_with, table};

fn refused(url: String) -> Error {
    let url = secret(url);
    let error = block_on(RedisOnline::connect(&url, options())).unwrap_err();
    let other = runtime().block_on(RedisOnline::connect(&url, options())).unwrap_err();
    assert_eq!(error.to_string(), other.to_string());
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    error
}

#[test]
fn a_password_is_asked_for_and_never_shown() {
    let Some(server) = server_with(&["--requirepass", "hunter22"]) else { return };
    let port = server.port();
    let without = refused(server.url());
    assert_eq!(without.kind(), ErrorKind::Denied, "{without}");
    let wrong = refused(format!("redis://:hunter2@127.0.0.1:{port}"));
    assert_eq!(wrong.kind(), ErrorKind::Denied, "{wrong}");
    let nobody = refused(format!("redis://nobody:hunter2@127.0.0.1:{port}"));
    assert_eq!(nobody.kind(), ErrorKind::Denied, "{nobody}");
    let right = secret(format!("redis://:hunter22@127.0.0.1:{port}/3"));
    let store = block_on(RedisOnline::connect(&right, options())).unwrap();
    assert_eq!(format!("{store:?}"), format!("RedisOnline(127.0.0.1:{port}/3, mlops)"));
    assert!(block_on(store.tables()).unwrap().is_empty());
}

#[test]
fn a_password_that_the_server_does_not_know_of_is_denied() {
    let Some(server) = server() else { return };
    let error = refused(format!("redis://:hunter2@127.0.0.1:{}", server.port()));
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let database = refused(format!("redis://127.0.0.1:{}/99", server.port()));
    assert_eq!(database.kind(), ErrorKind::Unsupported, "{database}");
}

#[test]
fn an_account_that_may_neither_ask_nor_leave_scripts_can_read_and_write() {
    let Some(server) = server() else { return };
    let made = server.command("ACL SETUSER small on >pw ~mlops:* +@read +@write +eval +ping");
    assert_eq!(made, "+OK");
    let url = secret(format!("redis://small:pw@127.0.0.1:{}", server.port()));
    let store = block_on(RedisOnline::connect(&url, options())).unwrap();
    assert!(!store.capability().durable && store.capability().many_processes);
    let keys = int_keys([1]);
    let rows = [row(keys.get(0).unwrap(), 1, b"one")];
    assert_eq!(block_on(store.write(&table(1), &rows, 5)).unwrap().changed, 1);
    assert!(block_on(read(&store, &table(1), &keys))[0].is_some());

    let other = options().with_prefix("other");
    let store = block_on(RedisOnline::connect(&url, other)).unwrap();
    let error = block_on(store.write(&table(1), &rows, 5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let error = block_on(store.tables()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
}

#[test]
fn a_server_that_throws_keys_away_is_refused_unless_that_may_be() {
    let full = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let Some(server) = server_with(&full) else { return };
    let error = refused(server.url());
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("allkeys-lru"), "{error}");
    let allowed = options().with_allow_eviction(true);
    block_on(RedisOnline::connect(&secret(server.url()), allowed)).unwrap();
    assert_eq!(server.command("CONFIG SET maxmemory 0"), "+OK");
    open(&server);
}

#[test]
fn a_server_without_memory_says_so() {
    let Some(server) = server_with(&["--maxmemory", "1"]) else { return };
    let store = open(&server);
    let error = block_on(store.write(&table(1), &[row(b"k", 1, b"x")], 5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("maxmemory"), "{error}");
}

#[test]
fn a_log_on_disk_makes_it_durable() {
    let Some(mut server) = server_with(&["--appendonly", "yes"]) else { return };
    let store = open(&server);
    assert!(store.capability().durable);
    let keys = int_keys([1]);
    block_on(store.write(&table(1), &[row(keys.get(0).unwrap(), 1, b"one")], 5)).unwrap();
    server.restart();
    assert!(block_on(read(&store, &table(1), &keys))[0].is_some());
}

#[test]
fn a_key_of_another_type_is_corrupt_to_write() {
    let Some(server) = server() else { return };
    let store = open(&server);
    raw(&server, &[b"LPUSH", b"mlops:view.1:k", b"x"]);
    let error = block_on(store.write(&table(1), &[row(b"k", 1, b"x")], 5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn options_that_mean_nothing_are_refused() {
    let none = std::time::Duration::ZERO;
    let url = secret("redis://127.0.0.1:1");
    for bad in [
        options().with_prefix(""),
        options().with_prefix("a:b"),
        options().with_prefix("a*"),
        options().with_prefix("a{b"),
        options().with_prefix("a{}b}"),
        options().with_prefix("}a{"),
        options().with_connections(0),
        options().with_read_limit(none),
    ] {
        let error = block_on(RedisOnline::connect(&url, bad)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
}

#[test]
fn a_key_that_holds_no_entry_is_named() {
    let Some(server) = server() else { return };
    let store = open(&server);
    raw(&server, &[b"SET", b"mlops:view.1:spoilt", b"x"]);
    let rows = [row(b"good", 1, b"x"), row(b"spoilt", 1, b"x")];
    let error = block_on(store.write(&table(1), &rows, 5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let said = error.to_string();
    assert!(said.contains("table: view.1") && said.contains("key: spoilt"), "{said}");
}
