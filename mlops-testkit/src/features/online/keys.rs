//! What a key may be, and what is read of it.

use mlops_core::features::{KeyBatch, OnlineRow, TableRead};

use super::{
    NOW, OnlineFixture, answer, entry, key, keys, order, payload, read, row, table, write, written,
};
use crate::features::{FeatureCase, feature_cases};

pub(super) fn cases() -> Vec<FeatureCase<OnlineFixture>> {
    feature_cases![
        a_null_key_has_no_entry,
        the_empty_key_is_a_key,
        a_key_may_hold_any_bytes,
        keys_that_begin_alike_are_different,
        one_read_answers_for_several_tables_in_order,
        nothing_to_write_and_nothing_to_read_is_fine,
        many_keys_are_found_again,
        what_is_read_in_memory_is_what_is_read,
    ]
}

async fn a_null_key_has_no_entry(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    // The empty key is there, so that a null cannot be taken for it.
    write(store, &table, &[row(b"", order(1, 0, 0), b"empty")]).await;
    write(store, &table, &[row(&key("k"), order(1, 0, 0), b"k")]).await;
    let mut asked = KeyBatch::new();
    asked.end(false).unwrap();
    asked.text(b"k");
    asked.end(true).unwrap();
    asked.text(b"k");
    asked.end(false).unwrap();
    let found = read(store, &table, &asked).await;
    let there: Vec<bool> = found.iter().map(Option::is_some).collect();
    assert_eq!(there, [false, true, false]);
    assert_eq!(store.erase(&table, &asked).await.unwrap(), 1, "a null erases nothing");
}

async fn the_empty_key_is_a_key(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    let asked = KeyBatch::from_columns(&[], 1).unwrap();
    assert_eq!(read(store, &table, &asked).await, [None]);
    assert_eq!(write(store, &table, &[row(b"", order(1, 0, 0), b"all")]).await, written(1, 0));
    let found = read(store, &table, &asked).await.remove(0).unwrap();
    assert_eq!(payload(&found, NOW).as_deref(), Some(&b"all"[..]));
}

async fn a_key_may_hold_any_bytes(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    let texts: Vec<Vec<u8>> = vec![
        vec![0],
        vec![0, 0],
        vec![0; 1_024],
        b"a\0b".to_vec(),
        b"a\r\nb {} % \\".to_vec(),
        vec![0xff, 0xfe, 0x80],
        (0..=255).cycle().take(1_024).collect(),
        "ключ 🗝".into(),
    ];
    for text in &texts {
        write(store, &table, &[row(&key(text), order(1, 0, 0), text)]).await;
    }
    for text in &texts {
        assert_eq!(answer(store, &table, text, NOW).await.as_ref(), Some(text), "{text:?}");
    }
}

async fn keys_that_begin_alike_are_different(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    // As bytes, without a length before them: what a store must not add or cut.
    let texts: [&[u8]; 5] = [b"1", b"12", b"123", b"1\0", b"1:"];
    for text in texts {
        write(store, &table, &[row(text, order(1, 0, 0), text)]).await;
        write(store, &table, &[row(&key(text), order(1, 0, 0), b"with its length")]).await;
    }
    let asked = keys(texts);
    for found in read(store, &table, &asked).await {
        let found = payload(&found.unwrap(), NOW);
        assert_eq!(found.as_deref(), Some(&b"with its length"[..]));
    }
}

async fn one_read_answers_for_several_tables_in_order(fixture: OnlineFixture) {
    let store = &*fixture.store;
    let (one, two, none) = (table(1), table(2), table(3));
    for (table, text) in [(&one, "a"), (&one, "b"), (&two, "b"), (&two, "c")] {
        let value = format!("{table} {text}");
        write(store, table, &[row(&key(text), order(1, 0, 0), value.as_bytes())]).await;
    }
    let (ab, cba) = (keys(["a", "b"]), keys(["c", "b", "a", "b"]));
    let no_keys = KeyBatch::new();
    let reads = [
        TableRead { table: &two, keys: &cba },
        TableRead { table: &none, keys: &ab },
        TableRead { table: &one, keys: &ab },
        TableRead { table: &one, keys: &no_keys },
        TableRead { table: &two, keys: &ab },
    ];
    let found: Vec<Vec<Option<String>>> = store
        .read(&reads)
        .await
        .unwrap()
        .into_iter()
        .map(|entries| {
            let text =
                |entry: bytes::Bytes| payload(&entry, NOW).map(|p| String::from_utf8(p).unwrap());
            entries.into_iter().map(|entry| entry.and_then(text)).collect()
        })
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        found,
        [
            vec![some("view.2 c"), some("view.2 b"), None, some("view.2 b")],
            vec![None, None],
            vec![some("view.1 a"), some("view.1 b")],
            vec![],
            vec![None, some("view.2 b")],
        ]
    );
}

async fn nothing_to_write_and_nothing_to_read_is_fine(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    assert_eq!(write(store, &table, &[]).await, written(0, 0));
    assert!(store.read(&[]).await.unwrap().is_empty());
    assert_eq!(store.erase(&table, &KeyBatch::new()).await.unwrap(), 0);
}

async fn many_keys_are_found_again(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    let texts: Vec<String> = (0..5_000).map(|n| format!("key {n}")).collect();
    let all = keys(&texts);
    for round in 0..3_u64 {
        for first in (0..texts.len()).step_by(1_000) {
            let values: Vec<String> =
                (first..first + 1_000).map(|n| format!("{n} of {round}")).collect();
            let rows: Vec<OnlineRow<'_>> = values
                .iter()
                .enumerate()
                .map(|(at, value)| {
                    let key = all.get(first + at).unwrap();
                    row(key, order(round as i64, 0, round), value.as_bytes())
                })
                .collect();
            assert_eq!(write(store, &table, &rows).await, written(1_000, 0));
        }
        let found = read(store, &table, &all).await;
        for (n, found) in found.into_iter().enumerate() {
            let found = payload(&found.expect("it was written"), NOW).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), format!("{n} of {round}"));
        }
    }
    assert!(entry(store, &table, "key 5000").await.is_none());
}

async fn what_is_read_in_memory_is_what_is_read(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    let Some(local) = store.local(&table).unwrap() else { return };
    let asked = keys((0..100).map(|n| n.to_string()));
    let visit = |expected: &[Option<bytes::Bytes>]| {
        let mut next = 0;
        local
            .visit(&asked, &mut |row, entry| {
                assert_eq!(row, next, "in order");
                next += 1;
                assert_eq!(entry, expected[row].as_deref());
                Ok(())
            })
            .unwrap();
        assert_eq!(next, 100, "each key once");
    };
    visit(&vec![None; 100]);
    for n in (0..100).step_by(3) {
        write(store, &table, &[row(&key(n.to_string()), order(1, 0, 0), b"x")]).await;
    }
    let there = read(store, &table, &asked).await;
    assert_eq!(there.iter().flatten().count(), 34);
    visit(&there);
    store.drop_table(&table).await.unwrap();
    visit(&vec![None; 100]);
    write(store, &table, &[row(&key("7"), order(1, 0, 0), b"again")]).await;
    visit(&read(store, &table, &asked).await);

    let stops = local
        .visit(&asked, &mut |_, _| Err(mlops_core::Error::invalid("features.online", "no more")));
    assert_eq!(stops.unwrap_err().message(), "no more");
}
