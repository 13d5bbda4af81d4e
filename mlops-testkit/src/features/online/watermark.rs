//! How much of the log a table has: said once, by one of those who say it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mlops_core::ErrorKind;
use mlops_core::features::Watermark;

use super::{OnlineFixture, key, order, row, table, write};
use crate::case::fails;
use crate::features::{FeatureCase, feature_cases};

pub(super) fn cases() -> Vec<FeatureCase<OnlineFixture>> {
    feature_cases![
        a_table_without_a_watermark_has_none_of_the_log,
        a_watermark_moves_only_from_what_is_expected,
        of_many_that_advance_at_once_one_does,
    ]
}

async fn a_table_without_a_watermark_has_none_of_the_log(fixture: OnlineFixture) {
    let (store, table) = (&*fixture.store, table(1));
    assert_eq!(store.watermark(&table).await.unwrap(), Watermark::default());
    write(store, &table, &[row(&key("k"), order(1, 0, 0), b"")]).await;
    assert_eq!(store.watermark(&table).await.unwrap(), Watermark::default());
}

async fn a_watermark_moves_only_from_what_is_expected(fixture: OnlineFixture) {
    let (store, one) = (&*fixture.store, table(1));
    let mark = |next_seq, at| Watermark { next_seq, at };
    fails(ErrorKind::Conflict, store.advance(&one, mark(1, 0), mark(2, 0)).await);
    store.advance(&one, Watermark::default(), mark(5, 10)).await.unwrap();
    for wrong in [Watermark::default(), mark(4, 10), mark(5, 9), mark(6, 10)] {
        fails(ErrorKind::Conflict, store.advance(&one, wrong, mark(9, 9)).await);
        assert_eq!(store.watermark(&one).await.unwrap(), mark(5, 10));
    }
    let end = mark(u64::MAX, i64::MAX);
    for (from, to) in [(mark(5, 10), end), (end, mark(3, -1)), (mark(3, -1), mark(4, 7))] {
        store.advance(&one, from, to).await.unwrap();
        write(store, &one, &[row(&key("k"), order(1, 0, 0), b"")]).await;
        assert_eq!(store.watermark(&one).await.unwrap(), to);
    }
    assert_eq!(store.watermark(&table(2)).await.unwrap(), Watermark::default());
}

async fn of_many_that_advance_at_once_one_does(fixture: OnlineFixture) {
    for round in 0..8 {
        let from = fixture.store.watermark(&table(1)).await.unwrap();
        let won = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|who| {
                let (store, won) = (fixture.other(), Arc::clone(&won));
                let next = Watermark { next_seq: round * 10 + who, at: i64::from(who as i32) + 1 };
                fixture.spawn(Box::pin(async move {
                    match store.advance(&table(1), from, next).await {
                        Ok(()) => won.fetch_add(1, Ordering::SeqCst),
                        Err(error) if error.kind() == ErrorKind::Conflict => 0,
                        Err(error) => panic!("{error}"),
                    };
                }))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(won.load(Ordering::SeqCst), 1, "round {round}");
        let now = fixture.store.watermark(&table(1)).await.unwrap();
        assert_ne!(now, from);
    }
}
