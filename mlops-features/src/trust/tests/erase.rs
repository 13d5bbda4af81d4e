//! Erasing takes keys out of serving logs too.

use futures::executor::block_on;
use mlops_core::features::FeatureStore;

use super::*;

#[test]
fn an_erased_key_leaves_no_record_in_a_serving_log() {
    block_on(async {
        let world = World::new(true).await;
        world.write(&[write(0, 1, 0.5), write(1, 2, 0.25)]).await;
        world.materialize().await;
        let service = world.logged(ServingOptions::default()).await;
        world.serve(&service).await;
        service.log().flush().await.unwrap();
        world.clock.advance_micros(SECOND);
        // These are still in the writer's buffer.
        world.serve(&service).await;

        let features = world.features.clone().with_serving_log(service.log());
        let keys = batch(vec![("driver_id", ints([Some(1)]))]);
        let proof = features.erase(&name("driver"), &keys).await.unwrap();
        let stats = proof.iter().find(|done| done.view == name("stats")).unwrap();
        assert_eq!((stats.offline.rows, stats.online), (1, 1));
        assert_eq!((stats.serving.rows, stats.serving.rewritten.len()), (2, 2));
        let left = world.logs().segments(None).await.unwrap();
        assert_eq!(left.len(), 2);
        for segment in &left {
            let (_, records) = world.logs().read(&segment.path).await.unwrap();
            let drivers = records.column_by_name("driver_id").unwrap();
            let drivers = drivers.as_any().downcast_ref::<Int64Array>().unwrap();
            assert_eq!(drivers.iter().collect::<Vec<_>>(), [Some(0), Some(2), Some(3), None]);
            assert!(stats.serving.rewritten.iter().any(|(before, after)| {
                *before != segment.path.to_string()
                    && after.as_deref() == Some(segment.path.as_ref())
            }));
        }
        // Nothing else changed, and erasing again changes nothing.
        assert!(world.verify().await.is_clean());
        let again = features.erase(&name("driver"), &keys).await.unwrap();
        assert!(again.iter().all(|done| done.serving.rewritten.is_empty()));

        // A key under another name, of all that is left of a segment.
        let keys = batch(vec![("city", cities([Some(0), Some(1)]))]);
        let proof = features.erase(&name("city"), &keys).await.unwrap();
        assert_eq!(proof[0].serving.rows, 6);
        let left = world.logs().segments(None).await.unwrap();
        for segment in left {
            let (_, records) = world.logs().read(&segment.path).await.unwrap();
            assert_eq!(records.num_rows(), 1, "the request without a key");
        }
    });
}
