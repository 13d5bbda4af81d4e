//! Several writers and readers at once, here and in other processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mlops_core::features::{Entry, OnlineRow, OnlineStore, Watermark};

use super::{
    NOW, OnlineFixture, answer, entry, key, keys, order, payload, read, row, table, write,
};
use crate::features::{FeatureCase, feature_cases};

pub(super) fn cases() -> Vec<FeatureCase<OnlineFixture>> {
    let mut cases = feature_cases![
        writers_of_one_key_end_as_one_after_the_other,
        a_reader_sees_entries_whole_and_never_goes_back,
        another_handle_sees_what_is_written,
        what_was_acknowledged_is_there_when_it_is_opened_again,
    ];
    cases[2].requires = |capability| capability.many_processes;
    cases[3].requires = |capability| capability.durable;
    cases
}

async fn writers_of_one_key_end_as_one_after_the_other(fixture: OnlineFixture) {
    // Each writer brings rows of its own that wait, so that a lost update is a row too few.
    let writers = 4_u64;
    let threads: Vec<_> = (0..writers)
        .map(|who| {
            let store = fixture.other();
            fixture.spawn(Box::pin(async move {
                for n in 0..20_u64 {
                    for text in ["x", "y"] {
                        let order = order(NOW + (n * writers + who) as i64, 0, who);
                        let payload = order.to_bytes();
                        write(&*store, &table(1), &[row(&key(text), order, &payload)]).await;
                    }
                }
            }))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    for text in ["x", "y"] {
        let entry = entry(&*fixture.store, &table(1), text).await.unwrap();
        let rows: Vec<_> = Entry::parse(&entry).unwrap().rows().map(Result::unwrap).collect();
        let times: Vec<i64> = rows.iter().map(|row| row.order.event_time).collect();
        assert_eq!(times, (NOW..NOW + 80).collect::<Vec<_>>());
        assert!(rows.iter().all(|row| row.payload == row.order.to_bytes()));
    }
}

/// A payload of any length that shows whether it is whole.
fn checked(n: u64) -> Vec<u8> {
    n.to_be_bytes().repeat(4 + n as usize % 50)
}

fn check(payload: &[u8]) -> u64 {
    let n = u64::from_be_bytes(payload[..8].try_into().unwrap());
    assert!(payload == checked(n), "a torn payload of write {n}");
    n
}

async fn a_reader_sees_entries_whole_and_never_goes_back(fixture: OnlineFixture) {
    let done = Arc::new(AtomicBool::new(false));
    let (done_too, reader) = (Arc::clone(&done), fixture.other());
    let reads = fixture.spawn(Box::pin(async move {
        let (mut last, all) = ([0; 8], keys((0..8).map(|n| n.to_string())));
        while !done_too.load(Ordering::SeqCst) {
            for (n, found) in read(&*reader, &table(1), &all).await.into_iter().enumerate() {
                let Some(found) = found else { continue };
                let seen = check(&payload(&found, i64::MAX).unwrap());
                assert!(seen >= last[n], "went back from {} to {seen}", last[n]);
                last[n] = seen;
            }
        }
    }));
    let all: Vec<Vec<u8>> = (0..8).map(|n| key(n.to_string())).collect();
    for n in 0..400_u64 {
        let payload = checked(n);
        let rows: Vec<OnlineRow<'_>> =
            all.iter().map(|key| row(key, order(n as i64, 0, n), &payload)).collect();
        write(&*fixture.store, &table(1), &rows).await;
    }
    done.store(true, Ordering::SeqCst);
    reads.join().unwrap();
    let end = answer(&*fixture.store, &table(1), "3", NOW).await.unwrap();
    assert_eq!(check(&end), 399);
}

async fn another_handle_sees_what_is_written(fixture: OnlineFixture) {
    let (here, there) = (&*fixture.store, fixture.other());
    let local = there.local(&table(1)).unwrap();
    let seen = async |text: &str| {
        let found = entry(&*there, &table(1), text).await;
        if let Some(local) = &local {
            let visit = |_, entry: Option<&[u8]>| {
                assert_eq!(entry, found.as_deref(), "in memory as read");
                Ok(())
            };
            let mut visit = visit;
            local.visit(&keys([text]), &mut visit).unwrap();
        }
        found.and_then(|entry| payload(&entry, NOW))
    };
    assert_eq!(seen("0").await, None);
    // Enough that a store which grows must grow.
    for n in 0..4_000_u64 {
        let text = (n % 1_000).to_string();
        let payload = checked(n);
        write(here, &table(1), &[row(&key(&text), order(n as i64 - 4_000, 0, n), &payload)]).await;
        if n % 97 == 0 {
            assert_eq!(seen(&text).await, Some(payload));
        }
    }
    assert_eq!(here.erase(&table(1), &keys(["7"])).await.unwrap(), 1);
    assert_eq!(seen("7").await, None);
    assert_eq!(seen("8").await, Some(checked(3_008)));
    here.drop_table(&table(1)).await.unwrap();
    assert_eq!(seen("8").await, None);
    write(here, &table(1), &[row(&key("8"), order(1, 0, 1), b"again")]).await;
    assert_eq!(seen("8").await.as_deref(), Some(&b"again"[..]));
    // And the other way round.
    write(&*there, &table(1), &[row(&key("9"), order(1, 0, 1), b"back")]).await;
    assert_eq!(answer(here, &table(1), "9", NOW).await.as_deref(), Some(&b"back"[..]));
    let mark = Watermark { next_seq: 1, at: 1 };
    there.advance(&table(1), Watermark::default(), mark).await.unwrap();
    assert_eq!(here.watermark(&table(1)).await.unwrap(), mark);
}

async fn what_was_acknowledged_is_there_when_it_is_opened_again(mut fixture: OnlineFixture) {
    let reopen = fixture.reopen.clone().expect("a durable store can be opened again");
    let mark = |next_seq| Watermark { next_seq, at: 3 };
    for n in 0..5_u64 {
        let store: Arc<dyn OnlineStore> = reopen();
        for before in 0..n {
            let found = answer(&*store, &table(1), before.to_string(), NOW).await;
            assert_eq!(found, Some(checked(before)));
        }
        let was = if n == 0 { Watermark::default() } else { mark(n) };
        assert_eq!(store.watermark(&table(1)).await.unwrap(), was);
        let payload = checked(n);
        write(&*store, &table(1), &[row(&key(n.to_string()), order(1, 0, n), &payload)]).await;
        store.advance(&table(1), was, mark(n + 1)).await.unwrap();
        fixture.store = store;
    }
    assert_eq!(reopen().tables().await.unwrap(), [table(1)]);
}
