//! The store of its parts, over segments in memory: training sets, receipts, buckets, pushes, states, erasure.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::sync::Arc;

use futures::executor::block_on;
use mlops_core::arrow::array::{
    ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray, TimestampSecondArray,
};
use mlops_core::arrow::compute::concat_batches;
use mlops_core::arrow::datatypes::{Float64Type, Int64Type};
use mlops_core::arrow::util::display::array_value_to_string;
use mlops_core::features::{
    Append, Compaction, Definitions, EntityRows, FeatureName, FeatureStore, Historical, KnownAt,
    Lifecycle, Materialize, RowStatus, ServiceRef, Watermark,
};
use mlops_core::journal::Actor;
use mlops_core::registry::{ACCESS_KIND, ACCESS_NAME, Catalog, PutDocument};
use mlops_core::time::{Clock, ManualClock};
use mlops_core::{ErrorKind, Key};
use mlops_features::catalog::ObjectCatalog;
use mlops_features::offline::SegmentStore;
use mlops_features::online::MemoryOnline;
use mlops_features::transform::Functions;
use mlops_features::{Authorized, Features, Policy};
use object_store::memory::InMemory;

const START: i64 = 1_700_000_000;

const WEATHER: &str = "
entities:
  - {name: airport, keys: [{name: airport, type: string}]}
  - {name: car, keys: [{name: car_id, type: int}]}
views:
  - {name: weather, entities: [airport], ttl: 10s, features: [{name: wind, type: float}]}
  - {name: cars, entities: [car], features: [{name: seats, type: int}]}
on_demand:
  - name: pressure
    request: [{name: people, type: int}]
    features:
      - {name: full, type: bool, expr: 'people >= seats'}
      - {name: double_wind, type: float, function: 'double@1', inputs: [origin__wind]}
services:
  - name: trip
    full_names: true
    views:
      - {view: weather, alias: origin, keys: {airport: from}}
      - {view: weather, alias: dest, keys: {airport: to}}
  - name: ride
    views: [{view: cars}]
";

fn name(text: &str) -> FeatureName {
    text.parse().unwrap()
}

fn service(text: &str) -> ServiceRef {
    text.parse().unwrap()
}

fn seconds(values: &[i64]) -> ArrayRef {
    Arc::new(TimestampSecondArray::from_iter_values(values.iter().map(|s| START + s)))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.iter().map(|(name, column)| (*name, Arc::clone(column), true)),
    )
    .unwrap()
}

fn weather(rows: &[(&str, i64, Option<f64>)]) -> RecordBatch {
    batch(&[
        ("airport", texts(&rows.iter().map(|r| r.0).collect::<Vec<_>>())),
        ("event_time", seconds(&rows.iter().map(|r| r.1).collect::<Vec<_>>())),
        ("wind", Arc::new(rows.iter().map(|r| r.2).collect::<Float64Array>())),
    ])
}

fn trips(rows: &[(&str, &str, i64)]) -> RecordBatch {
    batch(&[
        ("from", texts(&rows.iter().map(|r| r.0).collect::<Vec<_>>())),
        ("to", texts(&rows.iter().map(|r| r.1).collect::<Vec<_>>())),
        ("event_time", seconds(&rows.iter().map(|r| r.2).collect::<Vec<_>>())),
        ("label", Arc::new((0..rows.len() as i64).map(Some).collect::<Int64Array>())),
    ])
}

fn open(definitions: &str) -> (Features, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at_micros((START + 60) * 1_000_000));
    let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let files = Arc::new(InMemory::new());
    let actor = Actor::new("test").unwrap();
    let features = block_on(async {
        let catalog = ObjectCatalog::open(files.clone(), "catalog", Arc::clone(&time), actor);
        let catalog = Arc::new(catalog.await.unwrap());
        let offline = SegmentStore::new(
            files,
            "rows",
            Arc::<ObjectCatalog>::clone(&catalog),
            Arc::clone(&time),
        );
        let online = Arc::new(MemoryOnline::new());
        let features = Features::new(catalog, Arc::new(offline.unwrap()), online, time)
            .with_functions(
                Functions::new().with_fn1::<f64, f64>("double", 1, |x| 2.0 * x).unwrap(),
            );
        let wanted = Definitions::from_yaml(definitions).unwrap();
        features.apply(&features.plan(&wanted).await.unwrap()).await.unwrap();
        features
    });
    (features, clock)
}

fn floats(batch: &RecordBatch, column: &str) -> Vec<Option<f64>> {
    batch.column_by_name(column).unwrap().as_primitive::<Float64Type>().iter().collect()
}

#[test]
fn one_view_under_two_names_one_of_them_expired() {
    let (features, _) = open(WEATHER);
    block_on(async {
        let rows = weather(&[("JFK", 0, Some(5.0)), ("LAX", 12, Some(7.0)), ("LAX", 13, None)]);
        features.append(&name("weather"), rows, Append::default()).await.unwrap();
        let asking = trips(&[
            ("JFK", "LAX", 12),
            ("LAX", "JFK", 10),
            ("JFK", "LAX", 12),
            ("XXX", "LAX", 13),
        ]);
        let options = Historical::default().with_statuses();
        let trip = service("trip");
        let set = features.historical(&trip, EntityRows::new(asking.clone()), options);
        let set = set.await.unwrap();
        assert_eq!(
            set.batch.project(&[0, 1, 2, 3]).unwrap(),
            asking,
            "all rows, in order, untouched"
        );
        assert_eq!(floats(&set.batch, "origin__wind"), [None, None, None, None]);
        assert_eq!(floats(&set.batch, "dest__wind"), [Some(7.0), Some(5.0), Some(7.0), None]);
        let status = |column| -> Vec<&str> {
            set.batch.column_by_name(column).unwrap().as_string::<i32>().iter().flatten().collect()
        };
        assert_eq!(status("origin__status"), ["expired", "not_found", "expired", "not_found"]);
        assert_eq!(status("dest__status"), ["found", "found", "found", "found"]);
    });
}

#[test]
fn all_buckets_together_are_the_whole() {
    let (features, _) = open(WEATHER);
    block_on(async {
        let airports = ["JFK", "LAX", "BOS", "SFO", "ORD"];
        let rows: Vec<_> = airports.iter().zip(0..).map(|(a, n)| (*a, n, Some(n as f64))).collect();
        features.append(&name("weather"), weather(&rows), Append::default()).await.unwrap();
        let asking: Vec<_> = (0..40_usize)
            .map(|n| (airports[n % 5], airports[n / 5 % 5], 5 + n as i64 % 3))
            .collect();
        let trip = service("trip");
        let ask = |options| features.historical(&trip, EntityRows::new(trips(&asking)), options);
        let whole = ask(Historical::default()).await.unwrap().batch;
        let mut parts = Vec::new();
        for i in 0..3 {
            parts.push(ask(Historical::default().bucket(i, 3)).await.unwrap().batch);
        }
        assert!(parts.iter().filter(|part| part.num_rows() > 0).count() > 1);
        let mut got = lines(&concat_batches(&whole.schema(), &parts).unwrap());
        let mut expected = lines(&whole);
        got.sort();
        expected.sort();
        assert_eq!(got, expected);
        let none = ask(Historical::default().bucket(3, 3)).await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::Invalid);
    });
}

fn lines(batch: &RecordBatch) -> Vec<String> {
    let show = |row| {
        let text = |c: &ArrayRef| array_value_to_string(c, row).unwrap();
        batch.columns().iter().map(text).collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(show).collect()
}

#[test]
fn a_receipt_makes_the_same_set_again_whatever_came_later() {
    let (features, _) = open(WEATHER);
    block_on(async {
        let view = name("weather");
        let add = |rows: &[(&str, i64, Option<f64>)]| {
            features.append(&view, weather(rows), Append::default())
        };
        add(&[("JFK", 0, Some(1.0))]).await.unwrap();
        let asking = || EntityRows::new(trips(&[("JFK", "JFK", 5)]));
        let trip = service("trip");
        let first = features.historical(&trip, asking(), Historical::default()).await.unwrap();
        add(&[("JFK", 3, Some(2.0))]).await.unwrap();
        let later = features.historical(&trip, asking(), Historical::default()).await.unwrap();
        assert_eq!(floats(&later.batch, "origin__wind"), [Some(2.0)]);
        assert_ne!(later.receipt.digest(), first.receipt.digest());
        // Neither does it matter that the segments of then are merged, and their files deleted.
        let table = features.registered().await.unwrap().views[&view].last().table.clone();
        for _ in 0..2 {
            let now = Compaction::default().full().with_grace(0);
            features.offline().compact(&table, now).await.unwrap();
        }
        let json = serde_json::to_string(&first.receipt).unwrap();
        let receipt = serde_json::from_str(&json).unwrap();
        let again = Historical::default().as_in(receipt);
        let again = features.historical(&trip, asking(), again).await.unwrap();
        assert_eq!(again.batch, first.batch);
        assert_eq!(again.receipt.digest(), first.receipt.digest());

        let others = EntityRows::new(trips(&[("JFK", "JFK", 6)]));
        let options = Historical::default().as_in(first.receipt.clone());
        let refused = features.historical(&trip, others, options).await.unwrap_err();
        assert!(refused.to_string().contains("not those of the receipt"), "{refused}");
    });
}

#[test]
fn a_correction_that_came_later_is_not_known_before() {
    let (features, clock) = open(WEATHER);
    block_on(async {
        let view = name("weather");
        features
            .append(&view, weather(&[("JFK", 58, Some(1.0))]), Append::default())
            .await
            .unwrap();
        clock.advance_micros(5_000_000);
        features
            .append(&view, weather(&[("JFK", 58, Some(2.0))]), Append::default())
            .await
            .unwrap();
        let trip = service("trip");
        let ask = |known_at| {
            let asking = EntityRows::new(trips(&[("JFK", "JFK", 62), ("JFK", "JFK", 65)]));
            features.historical(&trip, asking, Historical::default().known_at(known_at))
        };
        let now = ask(KnownAt::Now).await.unwrap();
        assert_eq!(floats(&now.batch, "dest__wind"), [Some(2.0), Some(2.0)]);
        let then = ask(KnownAt::EventTime).await.unwrap();
        assert_eq!(floats(&then.batch, "dest__wind"), [Some(1.0), Some(2.0)]);
    });
}

#[test]
fn transforms_are_computed_alike_on_both_sides() {
    let with = WEATHER.replace(
        "    views: [{view: cars}]",
        "    views: [{view: cars}, {view: weather, alias: origin, keys: {airport: from}}]\n    \
         full_names: true\n    on_demand: [pressure]",
    );
    let with = with.replace("people >= seats", "people >= cars__seats");
    let (features, clock) = open(&with);
    block_on(async {
        let cars = batch(&[
            ("car_id", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
            ("event_time", seconds(&[1, 1])),
            ("seats", Arc::new(Int32Array::from(vec![Some(4), None]))),
        ]);
        features.push(&name("cars"), cars, Append::default()).await.unwrap();
        features
            .push(&name("weather"), weather(&[("JFK", 55, Some(1.5))]), Append::default())
            .await
            .unwrap();
        let asking = batch(&[
            ("car_id", Arc::new(Int32Array::from(vec![1, 2, 3])) as ArrayRef),
            ("from", texts(&["JFK", "JFK", "BOS"])),
            ("people", Arc::new(Int32Array::from(vec![5, 5, 5]))),
            ("event_time", seconds(&[60, 60, 60])),
        ]);
        let ride = service("ride");
        let online = features.online(&ride, &asking, clock.now()).await.unwrap().batch;
        let set = EntityRows::new(asking);
        let offline = features.historical(&ride, set, Historical::default()).await.unwrap().batch;
        for field in online.schema().fields() {
            let (a, b) =
                (online.column_by_name(field.name()), offline.column_by_name(field.name()));
            assert_eq!(a, b, "{}", field.name());
        }
        let full = online.column_by_name("full").unwrap().as_boolean().iter().collect::<Vec<_>>();
        assert_eq!(full, [Some(true), None, None]);
        assert_eq!(floats(&online, "double_wind"), [Some(3.0), Some(3.0), None]);
    });
}

#[test]
fn a_state_says_who_may_use_a_view() {
    let (features, clock) = open(WEATHER);
    block_on(async {
        let (cars, ride) = (name("cars"), service("ride"));
        let refused = features.set_state(&cars, Lifecycle::Retired).await.unwrap_err();
        assert!(refused.to_string().contains("ride@1"), "{refused}");
        let until = clock.now() + chrono::TimeDelta::seconds(10);
        features.set_state(&cars, Lifecycle::Deprecated { until }).await.unwrap();
        assert!(features.prepare(&ride).await.is_ok(), "who uses it goes on");
        let more = "services: [{name: other, views: [{view: cars}]}]";
        let plan = features.plan(&Definitions::from_yaml(more).unwrap()).await.unwrap();
        assert!(plan.is_refused(), "{plan}");
        assert_eq!(features.apply(&plan).await.unwrap_err().kind(), ErrorKind::Denied);
        clock.advance_micros(10_000_000);
        assert_eq!(features.prepare(&ride).await.unwrap_err().kind(), ErrorKind::Denied);
        let rows = batch(&[
            ("car_id", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
            ("event_time", seconds(&[1])),
        ]);
        let refused = features.append(&cars, rows, Append::default()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Denied);
    });
}

#[test]
fn what_is_erased_is_nowhere() {
    let (features, clock) = open(WEATHER);
    block_on(async {
        let view = name("weather");
        for t in 50..55 {
            let rows = weather(&[("JFK", t, Some(t as f64)), ("LAX", t, Some(0.0))]);
            features.push(&view, rows, Append::default()).await.unwrap();
        }
        let trip = service("trip");
        let asking = trips(&[("JFK", "LAX", 55)]);
        let set = EntityRows::new(asking.clone());
        let before = features.historical(&trip, set.clone(), Historical::default()).await.unwrap();
        let proof = features
            .erase(&name("airport"), &batch(&[("airport", texts(&["JFK"]))]))
            .await
            .unwrap();
        assert_eq!(proof.iter().map(|p| (p.offline.rows, p.online)).collect::<Vec<_>>(), [(5, 1)]);
        assert!(!proof[0].offline.rewritten.is_empty());
        let online = features.online(&trip, &asking, clock.now()).await.unwrap();
        assert_eq!(online.views, [[RowStatus::NotFound], [RowStatus::Found]]);
        features.materialize(Materialize::default().full()).await.unwrap();
        let online = features.online(&trip, &asking, clock.now()).await.unwrap();
        assert_eq!(online.views, [[RowStatus::NotFound], [RowStatus::Found]]);
        let after = features.historical(&trip, set.clone(), Historical::default()).await.unwrap();
        assert_eq!(floats(&after.batch, "origin__wind"), [None]);
        let yesterday = Historical::default().as_in(before.receipt);
        let gone = features.historical(&trip, set, yesterday).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone}");
        let again = features
            .erase(&name("airport"), &batch(&[("airport", texts(&["JFK"]))]))
            .await
            .unwrap();
        assert_eq!(again[0].offline.rows, 0);
    });
}

#[test]
fn bad_input_is_named() {
    let (features, _) = open(WEATHER);
    block_on(async {
        let trip = service("trip");
        let ask = |batch: RecordBatch| {
            features.historical(&trip, EntityRows::new(batch), Historical::default())
        };
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let wrong = batch(&[
            ("from", numbers.clone()),
            ("to", texts(&["a"])),
            ("event_time", seconds(&[1])),
        ]);
        let error = ask(wrong).await.unwrap_err().to_string();
        assert!(
            error.contains("from") && error.contains("Int64") && error.contains("string"),
            "{error}"
        );
        let missing = batch(&[("from", texts(&["a"])), ("event_time", seconds(&[1]))]);
        let error = ask(missing).await.unwrap_err().to_string();
        assert!(error.contains("column: to") && error.contains("from, event_time"), "{error}");
        let null: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![None]));
        let never = batch(&[("from", texts(&["a"])), ("to", texts(&["a"])), ("event_time", null)]);
        let error = ask(never).await.unwrap_err().to_string();
        assert!(error.contains("row: 0"), "{error}");
        let clash = trips(&[("a", "b", 1)]);
        let clash = batch(&[
            ("from", clash.column(0).clone()),
            ("to", clash.column(1).clone()),
            ("event_time", clash.column(2).clone()),
            ("dest__wind", numbers.clone()),
        ]);
        let error = ask(clash).await.unwrap_err().to_string();
        assert!(error.contains("dest__wind"), "{error}");

        let view = name("weather");
        let late = weather(&[("JFK", 60 + 301, Some(1.0))]);
        let error = features.append(&view, late, Append::default()).await.unwrap_err().to_string();
        assert!(error.contains("ahead"), "{error}");
        let error =
            features.append(&name("wether"), weather(&[]), Append::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = features.prepare(&service("trip@9")).await.unwrap_err().to_string();
        assert!(error.contains("last version is 1"), "{error}");

        features.set_policy(&Policy { require_owner: true, ..Policy::default() }).await.unwrap();
        let more = "views: [{name: more, entities: [car], features: [{name: x, type: int}]}]";
        let plan = features.plan(&Definitions::from_yaml(more).unwrap()).await.unwrap();
        assert!(plan.is_refused() && plan.to_string().contains("owner"), "{plan}");
    });
}

#[test]
fn lag_says_how_far_online_is_behind() {
    let (features, clock) = open(WEATHER);
    block_on(async {
        let view = name("weather");
        features.push(&view, weather(&[("JFK", 1, None)]), Append::default()).await.unwrap();
        clock.advance_micros(1_000_000);
        let token = Append::default().with_token(Key::new("once").unwrap());
        let rows = weather(&[("JFK", 2, None), ("LAX", 3, None)]);
        features.append(&view, rows, token).await.unwrap();
        let lag = features.lag().await.unwrap();
        let lag = lag.iter().find(|lag| lag.view == view).unwrap();
        assert_eq!((lag.rows, lag.waiting_since), (2, Some((START + 61) * 1_000_000)));
        assert_eq!(lag.newest_event_time, Some((START + 3) * 1_000_000));
        let done = features.materialize(Materialize::default().view(view.clone())).await.unwrap();
        assert_eq!((done.views[0].rows, done.views[0].changed), (2, 2));
        let table = &features.registered().await.unwrap().views[&view].last().table.clone();
        let full = Compaction::default().full();
        features.offline().compact(table, full).await.unwrap();
        let done = features.materialize(Materialize::default().view(view.clone())).await.unwrap();
        assert_eq!(
            (done.views[0].rows, done.views[0].changed),
            (0, 0),
            "a compaction brings nothing new"
        );
    });
}

#[test]
fn a_range_asks_for_every_key_and_time_of_the_first_view() {
    let (features, _) = open(WEATHER);
    block_on(async {
        let rows = weather(&[
            ("JFK", 1, Some(1.0)),
            ("JFK", 2, Some(2.0)),
            ("LAX", 2, None),
            ("JFK", 9, None),
        ]);
        features.append(&name("weather"), rows, Append::default()).await.unwrap();
        let at = |s: i64| chrono::DateTime::from_timestamp(START + s, 0).unwrap();
        let one = "services: [{name: one, views: [{view: weather}]}]";
        let plan = features.plan(&Definitions::from_yaml(one).unwrap()).await.unwrap();
        features.apply(&plan).await.unwrap();
        let set =
            features.range(&service("one"), at(1), at(9), Historical::default()).await.unwrap();
        assert_eq!(set.batch.num_rows(), 3);
        let mut winds = floats(&set.batch, "wind");
        winds.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(winds, [None, Some(1.0), Some(2.0)]);
    });
}

const RIDES: &str = "
entities: [{name: car, keys: [{name: car_id, type: int}]}]
views:
  - name: rides
    entities: [car]
    features:
      - {name: n5, type: int, column: km, aggregate: {function: count, window: 5s, resolution: 1s, input: int}}
      - {name: n20, type: int, column: km, aggregate: {function: count, window: 20s, resolution: 1s, input: int}}
  - {name: state, entities: [car], ttl: 30s, features: [{name: km, type: int}, {name: fuel, type: int}]}
services:
  - {name: short, views: [{view: rides, features: [n5]}, {view: state}]}
";

fn rides(rows: &[(i64, i64)]) -> RecordBatch {
    let ints = |f: &dyn Fn(&(i64, i64)) -> i64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(f(row))).collect::<Int64Array>())
    };
    batch(&[
        ("car_id", ints(&|row| row.0)),
        ("event_time", seconds(&rows.iter().map(|row| row.1).collect::<Vec<_>>())),
        ("km", ints(&|row| row.1)),
        ("fuel", ints(&|row| row.1 + 100)),
    ])
}

/// That both sides answer alike at the clock's instant, values and statuses.
async fn alike(features: &Features, clock: &ManualClock, asked: &str) {
    let now = clock.now_micros();
    let asking = batch(&[
        ("car_id", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        ("event_time", Arc::new(TimestampNanosecondArray::from(vec![now * 1_000; 3]))),
    ]);
    let asked = service(asked);
    let online = features.online(&asked, &asking, clock.now()).await.unwrap();
    let set = EntityRows::new(asking);
    let set =
        features.historical(&asked, set, Historical::default().with_statuses()).await.unwrap();
    for field in online.batch.schema().fields() {
        let (a, b) =
            (online.batch.column_by_name(field.name()), set.batch.column_by_name(field.name()));
        assert_eq!(a, b, "{asked}: {}", field.name());
    }
    for (view, statuses) in ["rides", "state"].iter().zip(&online.views) {
        let words = set.batch.column_by_name(&format!("{view}__status")).unwrap();
        let words: Vec<_> = words.as_string::<i32>().iter().flatten().collect();
        let online: Vec<_> = statuses
            .iter()
            .map(|status| match status {
                RowStatus::Found => "found",
                RowStatus::NotFound => "not_found",
                RowStatus::Expired => "expired",
            })
            .collect();
        assert_eq!(online, words, "{asked}: {view}");
    }
}

#[test]
fn a_part_of_an_aggregated_view_is_found_alike_on_both_sides() {
    let (features, clock) = open(RIDES);
    block_on(async {
        // Out of the window that is asked for, and in the view's longest one.
        for view in ["rides", "state"] {
            features
                .push(&name(view), rides(&[(1, 50), (2, 58)]), Append::default())
                .await
                .unwrap();
        }
        alike(&features, &clock, "short").await;
        clock.advance_micros(15_000_000);
        alike(&features, &clock, "short").await;
    });
}

#[test]
fn versions_that_services_are_pinned_to_are_kept_up() {
    let (features, clock) = open(RIDES);
    block_on(async {
        for view in ["rides", "state"] {
            features.push(&name(view), rides(&[(1, 50)]), Append::default()).await.unwrap();
        }
        // Another window, another column, a shorter life; and a service of its own for each.
        let changed = RIDES
            .replace("window: 5s", "window: 8s")
            .replace("ttl: 30s", "ttl: 3s")
            .replace(
                "{name: fuel, type: int}",
                "{name: oil, type: int, column: fuel}, {name: late, type: int}",
            )
            .replace("name: short", "name: other");
        let plan = features.plan(&Definitions::from_yaml(&changed).unwrap()).await.unwrap();
        assert!(!plan.is_refused(), "{plan}");
        features.apply(&plan).await.unwrap();
        for view in ["rides", "state"] {
            features
                .push(&name(view), rides(&[(1, 57), (2, 58)]), Append::default())
                .await
                .unwrap();
            features.append(&name(view), rides(&[(3, 59)]), Append::default()).await.unwrap();
        }
        features.materialize(Materialize::default()).await.unwrap();
        for _ in 0..4 {
            alike(&features, &clock, "short@1").await;
            alike(&features, &clock, "other@1").await;
            clock.advance_micros(2_000_000);
        }
        assert!(features.lag().await.unwrap().iter().all(|lag| lag.rows == 0));
    });
}

#[test]
fn many_pushes_at_once_are_each_there_once() {
    let (features, clock) = open(RIDES);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let features = &features;
            scope.spawn(move || {
                for number in 0..10 {
                    let rows = rides(&[(1, 50 + number % 8), (2, 50 + thread)]);
                    block_on(features.push(&name("rides"), rows, Append::default())).unwrap();
                }
            });
        }
    });
    block_on(async {
        let all = "services: [{name: all, views: [{view: rides}]}]";
        let plan = features.plan(&Definitions::from_yaml(all).unwrap()).await.unwrap();
        features.apply(&plan).await.unwrap();
        let asking = batch(&[("car_id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]);
        let online = features.online(&service("all"), &asking, clock.now()).await.unwrap();
        let n20 = online.batch.column_by_name("n20").unwrap().as_primitive::<Int64Type>();
        assert_eq!(n20.values(), &[40, 40]);
    });
}

#[test]
fn an_online_store_of_another_log_is_refused() {
    let (features, clock) = open(RIDES);
    block_on(async {
        features.push(&name("state"), rides(&[(1, 50)]), Append::default()).await.unwrap();
        let table = features.registered().await.unwrap().views[&name("state")].last().table.clone();
        let online = features.online_store();
        let mark = online.watermark(&table.id).await.unwrap();
        let ahead = Watermark { next_seq: 1_000, at: clock.now_micros() };
        online.advance(&table.id, mark, ahead).await.unwrap();
        let what = || Materialize::default().view(name("state"));
        let refused = features.materialize(what()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        assert!(refused.to_string().contains("another log"), "{refused}");
        let done = features.materialize(what().full()).await.unwrap();
        assert_eq!((done.views[0].rows, done.views[0].next_seq), (1, 1));
    });
}

#[test]
fn a_role_says_who_may_do_what() {
    let (features, _) = open(WEATHER);
    block_on(async {
        let actor = |name: &str| Actor::new(name).unwrap();
        let files = Arc::new(InMemory::new());
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at_micros(1));
        let rules = ObjectCatalog::open(files, "rules", clock, actor("root")).await.unwrap();
        let access = serde_json::json!({"grants": [
            {"actor": "root", "role": "admin"},
            {"actor": "ann", "role": "viewer"},
            {"actor": "ci/*", "role": "contributor"},
        ]});
        let put = PutDocument::new(
            Key::new(ACCESS_KIND).unwrap(),
            Key::new(ACCESS_NAME).unwrap(),
            access,
        );
        rules.put_document(put).await.unwrap();
        let rules: Arc<dyn Catalog> = Arc::new(rules);
        let inner: Arc<dyn FeatureStore> = Arc::new(features);
        let as_actor = |name| Authorized::new(&inner, Arc::clone(&rules), actor(name));
        let row = || weather(&[("JFK", 1, Some(1.0))]);
        let keys = batch(&[("airport", texts(&["JFK"]))]);
        let (view, airport) = (name("weather"), name("airport"));

        let ann = as_actor("ann");
        assert!(ann.registered().await.is_ok());
        let refused = ann.push(&view, row(), Append::default()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Denied);
        assert!(refused.to_string().contains("ann") && refused.to_string().contains("contributor"));
        let ci = as_actor("ci/7");
        assert!(ci.push(&view, row(), Append::default()).await.is_ok());
        assert_eq!(ci.erase(&airport, &keys).await.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(as_actor("root").erase(&airport, &keys).await.unwrap()[0].offline.rows, 1);
        assert_eq!(as_actor("eve").registered().await.unwrap_err().kind(), ErrorKind::Denied);
        let by_root = as_actor("eve").features_as(actor("root"));
        assert!(by_root.registered().await.is_ok(), "the actor is a name that the program gives");
    });
}
