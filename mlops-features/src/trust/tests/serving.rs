//! The serving log: its sample, its bound, and what becomes of a store that fails.

use std::collections::BTreeSet;

use futures::executor::block_on;
use mlops_core::ErrorKind;

use super::super::WhenFull;
use super::*;
use crate::bucket_of;
use crate::offline::tests::broken::Broken;

fn many(drivers: i64) -> RecordBatch {
    let all = || (0..drivers).map(Some);
    batch(vec![
        ("driver_id", ints(all())),
        ("origin", cities(all())),
        ("surge", floats(all().map(|_| Some(1.0)))),
    ])
}

async fn drivers(world: &World) -> Vec<i64> {
    let mut drivers = Vec::new();
    for segment in world.logs().segments(None).await.unwrap() {
        let (_, batch) = world.logs().read(&segment.path).await.unwrap();
        let column = batch.column_by_name("driver_id").unwrap();
        let column = column.as_any().downcast_ref::<Int64Array>().unwrap();
        drivers.extend(column.iter().flatten());
    }
    drivers
}

#[test]
fn of_a_key_all_requests_are_kept_or_none() {
    block_on(async {
        let world = World::new(false).await;
        let mut expected = BTreeSet::new();
        for driver in 0..200 {
            let mut key = mlops_core::features::KeyBatch::new();
            key.int(driver);
            key.text(if driver % 2 == 0 { b"Bern" } else { b"Basel" });
            key.end(true).unwrap();
            if bucket_of(key.get(0).unwrap(), 4) == 0 {
                expected.insert(driver);
            }
        }
        // Two processes, the same sample.
        for _ in 0..2 {
            let service = world.logged(ServingOptions::default().one_in(4)).await;
            let answer = service.answer(&many(200), world.clock.now_micros()).await.unwrap();
            assert_eq!(answer.batch.num_rows(), 200);
            service.log().flush().await.unwrap();
            world.clock.advance_micros(1);
        }
        let found = drivers(&world).await;
        assert!((30..70).contains(&expected.len()), "{}", expected.len());
        assert_eq!(found.len(), 2 * expected.len());
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    });
}

#[test]
fn a_full_buffer_is_flushed_or_counts_what_it_leaves_out() {
    block_on(async {
        let world = World::new(false).await;
        let now = world.clock.now_micros();
        let waits = world.logged(ServingOptions::default().rows(64)).await;
        waits.answer(&many(200), now).await.unwrap();
        assert_eq!((waits.log().pending(), waits.log().dropped()), (200 % 64, 0));
        waits.log().flush().await.unwrap();
        assert_eq!((waits.log().pending(), drivers(&world).await.len()), (0, 200));

        let options = ServingOptions::default().rows(64).when_full(WhenFull::Drop);
        let drops = world.logged(options).await;
        drops.answer(&many(200), now + 1).await.unwrap();
        assert_eq!((drops.log().pending(), drops.log().dropped()), (64, 136));
        drops.log().flush().await.unwrap();
        assert_eq!(world.verify().await.dropped, 136);
        drops.answer(&many(10), now + 2).await.unwrap();
        drops.log().flush().await.unwrap();
        assert_eq!(world.verify().await.dropped, 136, "what was said is not said again");
    });
}

#[test]
fn a_flush_that_fails_keeps_the_records_and_writes_them_once() {
    block_on(async {
        let world = World::new(false).await;
        let store = Arc::new(Broken::new(Arc::clone(&world.objects), 0));
        let objects: Arc<dyn ObjectStore> = Arc::<Broken>::clone(&store);
        let logs = ServingLogs::new(objects, "serving").unwrap();
        let log = ServingLog::new(logs, ServingOptions::default().rows(100)).unwrap();
        let logged = world.features.logged(&service(), &log).await.unwrap();
        logged.answer(&many(60), world.clock.now_micros()).await.unwrap();
        assert_eq!(log.flush().await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!((log.pending(), log.dropped()), (60, 0));
        // The answer comes also when its records cannot be kept, and they are counted.
        let answer = logged.answer(&many(60), world.clock.now_micros()).await.unwrap();
        assert_eq!((answer.batch.num_rows(), log.pending(), log.dropped()), (60, 100, 20));
        store.revive(100);
        log.flush().await.unwrap();
        assert_eq!((log.pending(), drivers(&world).await.len()), (0, 100));
    });
}

#[test]
fn an_answer_to_other_rows_is_not_kept() {
    block_on(async {
        let world = World::new(false).await;
        let service = world.logged(ServingOptions::default()).await;
        let mark = service.mark().await.unwrap();
        let answer = service.prepared().answer(&many(3), START).await.unwrap();
        let kept = service.keep(&mark, &many(4), &answer, START).await;
        assert_eq!(kept.unwrap_err().kind(), ErrorKind::Invalid);
        assert!(ServingLog::new(world.logs(), ServingOptions::default().one_in(0)).is_err());
    });
}

#[test]
fn a_file_that_is_no_segment_is_corrupt() {
    block_on(async {
        let world = World::new(false).await;
        let service = world.logged(ServingOptions::default()).await;
        world.serve(&service).await;
        service.log().flush().await.unwrap();
        let path = world.logs().segments(None).await.unwrap().remove(0).path;
        let bytes = world.objects.get_opts(&path, object_store::GetOptions::default()).await;
        let bytes = bytes.unwrap().bytes().await.unwrap();
        for length in [0, 7, bytes.len() / 2, bytes.len() - 1] {
            let cut = object_store::PutPayload::from(bytes.slice(..length));
            world.objects.put_opts(&path, cut, object_store::PutOptions::default()).await.unwrap();
            let error = world.logs().read(&path).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}");
        }
    });
}
