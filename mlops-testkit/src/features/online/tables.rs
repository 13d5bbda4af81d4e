//! Erasing keys, and tables that come and go.

use mlops_core::features::{FeatureName, TableId, Watermark};

use super::{NOW, OnlineFixture, answer, entry, key, keys, order, row, table, write, written};
use crate::features::{FeatureCase, feature_cases};

pub(super) fn cases() -> Vec<FeatureCase<OnlineFixture>> {
    feature_cases![
        erased_keys_are_gone_and_counted,
        an_erased_key_may_be_written_again,
        tables_are_apart,
        tables_lists_the_tables_that_are_there,
        the_states_of_an_aggregated_view_are_a_table_of_their_own,
        a_dropped_table_is_gone_with_its_watermark,
    ]
}

async fn erased_keys_are_gone_and_counted(fixture: OnlineFixture) {
    let (store, one, two) = (&*fixture.store, table(1), table(2));
    for table in [&one, &two] {
        for text in ["a", "b", "c", "d"] {
            write(store, table, &[row(&key(text), order(1, 0, 0), text.as_bytes())]).await;
        }
    }
    let mark = Watermark { next_seq: 4, at: 9 };
    store.advance(&one, Watermark::default(), mark).await.unwrap();
    // One of them twice, and one that never was.
    let erased = store.erase(&one, &keys(["a", "c", "a", "x"])).await.unwrap();
    assert_eq!(erased, 2);
    for (text, there) in [("a", false), ("b", true), ("c", false), ("d", true)] {
        assert_eq!(entry(store, &one, text).await.is_some(), there, "{text}");
        assert!(entry(store, &two, text).await.is_some(), "{text} of the other table");
    }
    assert_eq!(store.watermark(&one).await.unwrap(), mark, "it has what is left of the log");
    assert_eq!(store.erase(&one, &keys(["a", "c", "x"])).await.unwrap(), 0);
    assert_eq!(store.erase(&table(3), &keys(["a"])).await.unwrap(), 0, "of no table");
}

async fn an_erased_key_may_be_written_again(fixture: OnlineFixture) {
    let (store, table, key) = (&*fixture.store, table(1), key("k"));
    write(store, &table, &[row(&key, order(9, 0, 9), b"before")]).await;
    assert_eq!(store.erase(&table, &keys(["k"])).await.unwrap(), 1);
    // A lesser write than the one that was erased, of which nothing is remembered.
    assert_eq!(write(store, &table, &[row(&key, order(1, 0, 1), b"after")]).await, written(1, 0));
    assert_eq!(answer(store, &table, "k", NOW).await.as_deref(), Some(&b"after"[..]));
}

async fn tables_are_apart(fixture: OnlineFixture) {
    let (store, key) = (&*fixture.store, key("k"));
    for number in [1, 2, 12] {
        let value = number.to_string();
        write(store, &table(number), &[row(&key, order(1, 0, 0), value.as_bytes())]).await;
    }
    for number in [1, 2, 12] {
        let found = answer(store, &table(number), "k", NOW).await;
        assert_eq!(found, Some(number.to_string().into_bytes()));
    }
}

async fn tables_lists_the_tables_that_are_there(fixture: OnlineFixture) {
    let store = &*fixture.store;
    assert!(store.tables().await.unwrap().is_empty());
    for number in [2, 10, 1] {
        write(store, &table(number), &[row(&key("k"), order(1, 0, 0), b"")]).await;
    }
    entry(store, &table(7), "k").await;
    store.watermark(&table(8)).await.unwrap();
    store.local(&table(9)).unwrap();
    let listed = async || {
        let mut tables = store.tables().await.unwrap();
        tables.sort();
        tables
    };
    let mut expected = vec![table(1), table(2), table(10)];
    expected.sort();
    assert_eq!(listed().await, expected, "to look at a table does not make it");
    store.drop_table(&table(2)).await.unwrap();
    expected.retain(|id| *id != table(2));
    assert_eq!(listed().await, expected);
}

async fn the_states_of_an_aggregated_view_are_a_table_of_their_own(fixture: OnlineFixture) {
    let (store, plain) = (&*fixture.store, table(3));
    let view = plain.rsplit_once('.').map(|(view, _)| FeatureName::new(view)).unwrap().unwrap();
    let states = TableId::windows(&view, 3);
    for (id, value) in [(&plain, b"row"), (&states, b"sum")] {
        write(store, id, &[row(&key("k"), order(1, 0, 0), value)]).await;
    }
    for (id, value) in [(&plain, &b"row"[..]), (&states, b"sum")] {
        assert_eq!(answer(store, id, "k", NOW).await.as_deref(), Some(value), "{id}");
    }
    let mut expected = vec![plain.clone(), states.clone()];
    expected.sort();
    let mut listed = store.tables().await.unwrap();
    listed.sort();
    assert_eq!(listed, expected);
    store.drop_table(&plain).await.unwrap();
    assert_eq!(store.tables().await.unwrap(), std::slice::from_ref(&states));
    assert!(entry(store, &states, "k").await.is_some());
}

async fn a_dropped_table_is_gone_with_its_watermark(fixture: OnlineFixture) {
    let (store, one) = (&*fixture.store, table(1));
    store.drop_table(&one).await.unwrap();
    write(store, &one, &[row(&key("k"), order(9, 0, 9), b"before")]).await;
    write(store, &table(2), &[row(&key("k"), order(9, 0, 9), b"other")]).await;
    store.advance(&one, Watermark::default(), Watermark { next_seq: 7, at: 1 }).await.unwrap();
    store.drop_table(&one).await.unwrap();
    store.drop_table(&one).await.unwrap();
    assert!(entry(store, &one, "k").await.is_none());
    assert_eq!(store.watermark(&one).await.unwrap(), Watermark::default());
    assert!(entry(store, &table(2), "k").await.is_some());
    write(store, &one, &[row(&key("k"), order(1, 0, 1), b"after")]).await;
    assert_eq!(answer(store, &one, "k", NOW).await.as_deref(), Some(&b"after"[..]));
    assert_eq!(store.watermark(&one).await.unwrap(), Watermark::default());
}
