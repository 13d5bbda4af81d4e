//! Leaks are found, kind by kind, and nothing else.

use futures::executor::block_on;
use mlops_core::features::{EntityRows, Span};

use super::super::{Known, LeakKind, LeakOptions, LeakReport, ViewLeaks};
use super::*;

fn row(event: i64, created: Option<i64>, value: f64) -> Write {
    Write { driver: 0, event, created, value: Some(value) }
}

async fn looked(rows: &[Write], asks: &[i64], options: LeakOptions) -> LeakReport {
    let world = World::new(false).await;
    world.append("stats", stats(rows)).await;
    let all = |value: i64| asks.iter().map(move |_| Some(value));
    let asking = batch(vec![
        ("driver_id", ints(all(0))),
        ("origin", cities(all(0))),
        ("surge", floats(asks.iter().map(|_| Some(1.0)))),
        ("event_time", seconds(asks.iter().map(|at| Some(*at)))),
    ]);
    world.features.leaks(&service(), &EntityRows::new(asking), &options).await.unwrap()
}

fn stats_of(report: &LeakReport) -> &ViewLeaks {
    &report.views[0]
}

fn rating(report: &LeakReport) -> (u64, u64) {
    let rating = &stats_of(report).features[1];
    assert_eq!(rating.feature, "rating");
    (rating.changed, rating.cells)
}

#[test]
fn rows_that_were_known_in_time_do_not_leak() {
    let rows = [row(1, Some(1), 0.1), row(3, Some(3), 0.2)];
    let report = block_on(looked(&rows, &[2, 4], LeakOptions::default()));
    let leaks = stats_of(&report);
    assert_eq!((leaks.found, leaks.backfill, leaks.boundary, leaks.unknown), (2, 0, 0, 0));
    assert_eq!(leaks.known, Known::Source);
    assert_eq!(rating(&report), (0, 2));
    assert!(report.is_clean());
}

#[test]
fn a_correction_that_came_later_leaks_where_it_changes_a_value() {
    // Known at 9: what rows asking at 2 and 4 should not know.
    let rows =
        [row(1, Some(1), 0.1), row(1, Some(9), 0.3), row(3, Some(3), 0.2), row(3, Some(9), 0.2)];
    let report = block_on(looked(&rows, &[2, 4], LeakOptions::default()));
    assert_eq!(stats_of(&report).backfill, 2);
    assert_eq!(rating(&report), (1, 2), "the second says what was known before");
    assert!(!report.is_clean());
    let example = stats_of(&report).examples[0];
    assert_eq!((example.kind, example.row), (LeakKind::Backfill, 0));
    assert_eq!((example.at, example.created), (START + 2 * SECOND, Some(START + 9 * SECOND)));
    let text = report.to_string();
    assert!(text.contains("100.0%  2 became known later"), "{text}");
    assert!(text.contains("50.0%  of `rating` differ from what was known: 1 of 2"), "{text}");
}

#[test]
fn what_would_have_been_absent_or_too_old_online_is_said() {
    // The view's ttl is 6 s.
    let rows = [row(1, Some(1), 0.1), row(7, Some(20), 0.2)];
    let report = block_on(looked(&rows, &[8], LeakOptions::default()));
    assert_eq!(stats_of(&report).expired_then, 1);
    let report = block_on(looked(&rows[1..], &[8], LeakOptions::default()));
    assert_eq!((stats_of(&report).absent_then, rating(&report)), (1, (1, 1)));
    let report = block_on(looked(&rows, &[30], LeakOptions::default()));
    assert_eq!((stats_of(&report).found, stats_of(&report).expired), (0, 1));
    assert!(report.is_clean(), "it is too old on both sides");
}

#[test]
fn the_labels_own_instant_and_the_way_to_the_online_store_are_said() {
    let rows = [row(2, Some(2), 0.1)];
    let options = LeakOptions::default().delay(Span::seconds(2));
    let report = block_on(looked(&rows, &[2, 3, 4], options));
    let leaks = stats_of(&report);
    assert_eq!((leaks.boundary, leaks.not_online, leaks.backfill), (1, 2, 0));
    assert!(report.is_clean());
}

#[test]
fn rows_of_files_that_do_not_say_when_they_became_known_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let rows = rides(&[row(1, None, 0.1)]);
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let definitions = format!(
        "
entities: [{{name: driver, keys: [{{name: driver_id, type: int}}]}}]
views:
  - name: fares
    entities: [driver]
    source: {{files: [{path:?}]}}
    features: [{{name: fare, type: float}}]
services: [{{name: eta, views: [{{view: fares}}]}}]
"
    );
    block_on(async {
        let world = World::of(false, &definitions).await;
        let asking =
            batch(vec![("driver_id", ints([Some(0)])), ("event_time", seconds([Some(2)]))]);
        let rows = EntityRows::new(asking);
        let report = world.features.leaks(&service(), &rows, &LeakOptions::default()).await;
        let report = report.unwrap();
        let leaks = &report.views[0];
        assert_eq!((leaks.found, leaks.unknown, leaks.known), (1, 1, Known::Never));
        assert_eq!((leaks.features[0].changed, leaks.features[0].cells), (0, 0));
        assert!(!report.is_clean(), "it is not known");
    });
}

#[test]
fn a_window_leaks_if_any_of_its_rows_came_late() {
    block_on(async {
        let world = World::new(false).await;
        world.append("rides", rides(&[write(0, 4, 1.0)])).await;
        world.clock.advance_micros(10 * SECOND);
        world.append("rides", rides(&[write(0, 3, 1.0)])).await;
        let asking = batch(vec![
            ("driver_id", ints([Some(0)])),
            ("origin", cities([Some(0)])),
            ("surge", floats([Some(1.0)])),
            ("event_time", seconds([Some(6)])),
        ]);
        let rows = EntityRows::new(asking);
        let report = world.features.leaks(&service(), &rows, &LeakOptions::default()).await;
        let report = report.unwrap();
        let leaks = &report.views[1];
        assert_eq!((leaks.known, leaks.backfill), (Known::Append, 0), "the newest was known");
        assert_eq!(leaks.features.iter().map(|f| f.changed).collect::<Vec<_>>(), [1, 1]);
    });
}
