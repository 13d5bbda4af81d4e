//! What is lag is told apart from what is wrong, and what is wrong is found.

use futures::executor::block_on;
use mlops_core::features::{
    FeatureStore, KeyBatch, OnlineRow, Span, Status, TableId, TableRead, WriteOrder,
};

use super::super::FeatureSkew;
use super::*;
use crate::codec::{PackedBatch, RowCodec};

fn options() -> ServingOptions {
    ServingOptions::default().mark_for(Span::ZERO)
}

fn of<'a>(report: &'a SkewReport, feature: &str) -> &'a FeatureSkew {
    report.features.iter().find(|skew| skew.feature == feature).unwrap()
}

fn key(driver: i64) -> KeyBatch {
    let mut key = KeyBatch::new();
    key.int(driver);
    key.end(true).unwrap();
    key
}

async fn table(world: &World, view: &str) -> TableId {
    world.features.registered().await.unwrap().views[view].last().table.id.clone()
}

/// Two drivers, online.
async fn served() -> (World, LoggedService) {
    let world = World::new(true).await;
    world.write(&[write(0, 1, 0.5), write(1, 2, 0.25), write(0, 3, 0.75)]).await;
    world.materialize().await;
    let service = world.logged(options()).await;
    (world, service)
}

async fn finish(world: &World, service: &LoggedService) -> SkewReport {
    service.log().flush().await.unwrap();
    world.verify().await
}

#[test]
fn what_is_online_in_time_is_equal() {
    block_on(async {
        let (world, service) = served().await;
        world.serve(&service).await;
        let report = finish(&world, &service).await;
        assert_eq!((report.records, report.segments, report.dropped), (5, 1, 0));
        assert_eq!(report.features.len(), 6);
        assert!(report.features.iter().all(|skew| skew.equal == 5), "{report}");
        assert_eq!(of(&report, "rating").smape, Some(0.0));
        assert!(report.to_string().ends_with("no skew\n"), "{report}");
    });
}

#[test]
fn a_materializer_that_is_behind_is_lag_and_no_skew() {
    block_on(async {
        let (world, service) = served().await;
        world.write(&[write(0, 4, 9.0)]).await;
        world.serve(&service).await;
        let report = finish(&world, &service).await;
        assert!(report.is_clean());
        let rating = of(&report, "rating");
        assert_eq!((rating.equal, rating.behind, rating.late), (4, 1, 0), "{report}");
        assert_eq!(of(&report, "total").behind, 1);
        // Two of the five requests are from Bern, and the one that has no key is not.
        assert_eq!(of(&report, "rain").behind, 2);
    });
}

#[test]
fn rows_that_come_after_the_answer_are_late_and_no_skew() {
    block_on(async {
        let (world, service) = served().await;
        world.serve(&service).await;
        world.write(&[write(0, 4, 9.0)]).await;
        let report = finish(&world, &service).await;
        assert!(report.is_clean());
        let rating = of(&report, "rating");
        assert_eq!((rating.equal, rating.behind, rating.late), (4, 0, 1), "{report}");
        assert_eq!(of(&report, "total").late, 1);
    });
}

#[test]
fn a_mark_of_before_a_materialization_makes_no_skew() {
    block_on(async {
        let (world, service) = served().await;
        let mark = service.mark().await.unwrap();
        world.write(&[write(0, 4, 9.0)]).await;
        world.write(&[write(0, 4, 8.0), write(1, 5, 1.0)]).await;
        world.materialize().await;
        let now = world.clock.now_micros();
        let answer = service.prepared().answer(&asking(), now).await.unwrap();
        service.keep(&mark, &asking(), &answer, now).await.unwrap();
        world.write(&[write(0, 5, 7.0)]).await;
        let report = finish(&world, &service).await;
        assert!(report.is_clean(), "{report}");
        assert_eq!(of(&report, "rating").behind, 1);
        assert_eq!(of(&report, "total").behind, 1);
    });
}

/// Writes a row that the log does not have.
async fn tamper(world: &World, driver: i64, event: i64) {
    let registered = world.features.registered().await.unwrap();
    let table = &registered.views["stats"].last().table;
    let row = stats(&[write(driver, event, 0.5)]);
    let mut packed = PackedBatch::new();
    RowCodec::new(&table.columns).unwrap().encode_rows(&row, [0].into_iter(), &mut packed).unwrap();
    let key = key(driver);
    let order = WriteOrder { event_time: START + event * SECOND, created: i64::MAX, seq: 99 };
    let payload = packed.iter().next().unwrap();
    let row = OnlineRow { key: key.get(0).unwrap(), order, payload, expires: None };
    let now = world.clock.now_micros();
    world.features.online_store().write(&table.id, &[row], now).await.unwrap();
}

#[test]
fn a_value_that_was_tampered_with_is_found() {
    block_on(async {
        let (world, service) = served().await;
        tamper(&world, 0, 3).await;
        world.serve(&service).await;
        let report = finish(&world, &service).await;
        let rating = of(&report, "rating");
        assert_eq!((rating.mismatch, rating.missing, rating.extra), (1, 0, 0), "{report}");
        assert_eq!(rating.max_difference, Some(0.25));
        let first = rating.first.clone().unwrap();
        assert_eq!((first.online.as_str(), first.offline.as_str()), ("0.5", "0.75"));
        assert_eq!(first.offline_event_time, Some(START + 3 * SECOND));
        assert_eq!(first.key, "driver_id=0 origin=Bern");
        // The other feature of the row is the same, and what is computed of them is right for them.
        assert_eq!((of(&report, "trips").mismatch, of(&report, "worth").mismatch), (0, 0));
        assert!(report.to_string().contains("SKEW: 1 cells differ"), "{report}");
    });
}

#[test]
fn a_row_that_is_gone_or_that_was_never_written_is_found() {
    block_on(async {
        let (world, service) = served().await;
        tamper(&world, 3, 3).await;
        let table = table(&world, "stats").await;
        world.features.online_store().erase(&table, &key(1)).await.unwrap();
        world.serve(&service).await;
        let report = finish(&world, &service).await;
        let rating = of(&report, "rating");
        assert_eq!((rating.mismatch, rating.missing, rating.extra), (2, 1, 1), "{report}");
        assert_eq!(rating.first.as_ref().unwrap().online_status, Status::NotFound);
    });
}

#[test]
fn an_aggregate_that_is_another_keys_is_found() {
    block_on(async {
        let (world, service) = served().await;
        let registered = world.features.registered().await.unwrap();
        let table = TableId::windows(&name("rides"), registered.views["rides"].last().version);
        let (from, to) = (key(0), key(1));
        let online = world.features.online_store();
        let read = online.read(&[TableRead { table: &table, keys: &from }]).await.unwrap();
        let entry = read[0][0].clone().unwrap();
        let state = crate::window::payload(&entry).unwrap().to_vec();
        let order = WriteOrder { event_time: i64::MIN + 1, created: i64::MAX, seq: u64::MAX };
        let row = OnlineRow { key: to.get(0).unwrap(), order, payload: &state, expires: None };
        online.erase(&table, &to).await.unwrap();
        online.write(&table, &[row], world.clock.now_micros()).await.unwrap();
        world.serve(&service).await;
        let report = finish(&world, &service).await;
        assert_eq!((of(&report, "n").mismatch, of(&report, "total").mismatch), (1, 1), "{report}");
        assert_eq!(of(&report, "rating").mismatch, 0);
    });
}

#[test]
fn only_the_instants_that_are_asked_for_are_played_again() {
    block_on(async {
        let (world, service) = served().await;
        let start = world.clock.now_micros();
        for _ in 0..3 {
            world.serve(&service).await;
            service.log().flush().await.unwrap();
            world.clock.advance_micros(SECOND);
        }
        let verify = Verify::default().between(start + SECOND, start + 2 * SECOND);
        let report = world.features.verify_skew(&world.logs(), &super::service(), &verify).await;
        let report = report.unwrap();
        assert_eq!((report.records, report.segments), (5, 1));
    });
}
