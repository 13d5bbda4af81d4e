//! Freshness and statistics.

use std::sync::Mutex;

use futures::executor::block_on;
use mlops_core::ErrorKind;
use mlops_core::features::{FeatureStore, Lag, Span};

use super::super::{Filled, Freshness, FreshnessRule, FreshnessState, Late};
use super::*;
use crate::Search;

#[test]
fn freshness_is_a_function_of_lag_and_now() {
    let rule = FreshnessRule::new(name("stats"))
        .max_age(Span::seconds(10))
        .max_lag_rows(2)
        .max_wait(Span::seconds(5));
    let mut lag = Lag::new(name("stats"));
    assert_eq!(rule.judge(&lag, START).late, [Late::Empty]);
    lag.newest_event_time = Some(START);
    lag.rows = 2;
    lag.waiting_since = Some(START + 5 * SECOND);
    assert_eq!(rule.judge(&lag, START + 10 * SECOND).state, FreshnessState::Ok, "inclusive");
    let late = rule.judge(&lag, START + 10 * SECOND + 1);
    assert_eq!(late.state, FreshnessState::Late);
    assert_eq!(
        late.to_string(),
        "stats: late: the newest row is 10s old, at most 10s; \
         a row has been waiting for 5s, at most 5s"
    );
    lag.rows = 3;
    assert_eq!(rule.judge(&lag, START).late, [Late::Rows { found: 3, at_most: 2 }]);
    lag.newest_event_time = Some(START + 60 * SECOND);
    assert_eq!(rule.judge(&lag, START).age, Some(0), "ahead of the clock");
}

#[test]
fn a_hook_is_told_of_every_view() {
    block_on(async {
        let world = World::new(true).await;
        world.write(&[write(0, 1, 0.5), write(1, 2, 0.25)]).await;
        let rules = ["stats", "rides"].map(|view| FreshnessRule::new(name(view)).max_lag_rows(0));
        let told = Mutex::new(Vec::new());
        let hook = |freshness: &Freshness| told.lock().unwrap().push(freshness.clone());
        let found = world.features.watch_freshness(&rules, &hook).await.unwrap();
        assert_eq!(*told.lock().unwrap(), found);
        assert!(found.iter().all(|freshness| freshness.lag_rows == 2));
        assert!(found.iter().all(|freshness| freshness.state == FreshnessState::Late));
        world.materialize().await;
        let found = world.features.freshness(&rules).await.unwrap();
        assert!(found.iter().all(|freshness| freshness.state == FreshnessState::Ok));
        let unknown = world.features.freshness(&[FreshnessRule::new(name("no"))]).await;
        assert_eq!(unknown.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn statistics_are_those_of_all_rows_however_they_are_cut() {
    block_on(async {
        let world = World::new(true).await;
        let values = [Some(1.0), None, Some(f64::NAN), Some(4.0), Some(-2.0)];
        let rows: Vec<Write> = values
            .iter()
            .zip(0..)
            .map(|(value, at)| Write { driver: at % 2, event: at, created: None, value: *value })
            .collect();
        world.append("stats", stats(&rows[..2])).await;
        world.append("stats", stats(&rows[2..])).await;
        let parts = world.features.statistics(&name("stats")).await.unwrap();
        assert_eq!((parts.rows, parts.segments, parts.keys_at_most), (5, 2, 4));
        assert_eq!(parts.event_time, Some((START, START + 4 * SECOND)));
        let rating = parts.feature("rating").unwrap();
        assert_eq!((rating.nulls, rating.nans), (1, 1));
        assert_eq!((rating.min, rating.max, rating.mean), (Some(-2.0), Some(4.0), Some(1.0)));
        assert_eq!(parts.null_share("rating"), Some(0.2));

        let registered = world.features.registered().await.unwrap();
        let table = &registered.views["stats"].last().table;
        let mut full = mlops_core::features::Compaction::default();
        full.full = true;
        world.features.offline().compact(table, full).await.unwrap();
        let whole = world.features.statistics(&name("stats")).await.unwrap();
        assert_eq!((whole.segments, whole.keys_at_most), (1, 2));
        assert_eq!(whole.columns, parts.columns);
        assert_eq!(world.features.statistics(&name("rides")).await.unwrap().rows, 0);
    });
}

#[test]
fn features_are_found_by_what_their_views_hold() {
    block_on(async {
        let world = World::new(false).await;
        let rows = [(1, Some(0.5)), (2, None), (3, Some(0.5)), (4, Some(0.5))];
        let rows = rows.map(|(event, value)| Write { driver: 0, event, created: None, value });
        world.append("stats", stats(&rows)).await;
        let find = async |filled: Filled| {
            let found = world.features.search_filled(&Search::default(), &filled).await.unwrap();
            let names = found.iter().map(|(found, _)| found.feature.to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(find(Filled::default()).await, "n top total rating trips rain");
        assert_eq!(find(Filled::default().rows(4)).await, "rating trips");
        assert_eq!(find(Filled::default().nulls(0.25)).await, "rating trips");
        assert_eq!(find(Filled::default().nulls(0.2)).await, "trips");
        assert_eq!(find(Filled::default().since(START + 5 * SECOND)).await, "");
    });
}
