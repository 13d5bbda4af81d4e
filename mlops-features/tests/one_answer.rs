//! The promise of the feature store: what is answered online at an instant is what is answered offline for
//! it, bit for bit and status for status, whatever order rows were written in.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::sync::Arc;
#[cfg(any(feature = "embedded", feature = "redis"))]
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures::executor::block_on;
use mlops_core::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use mlops_core::arrow::datatypes::Float64Type;
use mlops_core::features::{
    Append, Definitions, EntityRows, FeatureStore, Historical, KeyBatch, LocalTable, Materialize,
    OfflineStore, OnlineRow, OnlineStore, OnlineWritten, ServiceRef, Status, TableId, TableRead,
    Watermark,
};
use mlops_core::time::{Clock, ManualClock};
use mlops_core::{Key, Result};
use mlops_features::Features;
use mlops_features::catalog::ObjectCatalog;
use mlops_features::offline::{MemoryOffline, SegmentStore};
use mlops_features::online::MemoryOnline;
use object_store::memory::InMemory;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

const SECOND: i64 = 1_000_000;
const START: i64 = 1_700_000_000 * SECOND;

const DEFINITIONS: &str = "
entities:
  - {name: driver, keys: [{name: driver_id, type: int}]}
  - {name: route, keys: [{name: origin, type: string}, {name: dest, type: string}]}
views:
  - name: stats
    entities: [driver]
    created: created
    ttl: 6s
    ahead: 1h
    features: [{name: trips, type: int}, {name: rating, type: float}, {name: city, type: string}]
  - name: strict_stats
    entities: [driver]
    created: created
    boundary: strict
    ahead: 1h
    features: [{name: score, type: float, column: rating}]
  - name: rides
    entities: [route]
    ahead: 1h
    features:
      - {name: n, type: int, column: fare, aggregate: {function: count, window: 5s, resolution: 1s}}
      - {name: total, type: float, column: fare, aggregate: {function: sum, window: 5s, resolution: 1s}}
      - {name: top, type: float, column: fare, aggregate: {function: max, window: 10s, resolution: 2s}}
      - {name: last, type: float, column: fare, aggregate: {function: last, window: 10s, resolution: 2s}}
on_demand:
  - name: derived
    request: [{name: surge, type: float}]
    features:
      - {name: worth, type: float, expr: 'coalesce(total, 0.0) * surge + coalesce(rating, -1.0)'}
services:
  - name: eta
    views: [{view: stats}, {view: strict_stats}, {view: rides}]
    on_demand: [derived]
";

/// A write, small enough that ties, boundaries and repetitions happen all the time.
#[derive(Debug, Clone)]
struct Write {
    key: i64,
    /// Seconds from the start; some lie ahead of the clock.
    event: i64,
    created: Option<i64>,
    value: Option<f64>,
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Write>),
    Push(Vec<Write>),
    Again,
    Materialize,
    Full,
    Ask(i64),
}

fn write() -> impl Strategy<Value = Write> {
    (0..3_i64, 0..14_i64, proptest::option::of(0..10_i64), proptest::option::of(-3..4_i32))
        .prop_map(|(key, event, created, value)| Write {
            key,
            event,
            created,
            value: value.map(|value| f64::from(value) * 0.1),
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(write(), 1..6).prop_map(Step::Append),
        2 => proptest::collection::vec(write(), 1..3).prop_map(Step::Push),
        1 => Just(Step::Again),
        3 => Just(Step::Materialize),
        1 => Just(Step::Full),
        4 => (0..3_i64).prop_map(Step::Ask),
    ]
}

fn stats(rows: &[Write]) -> RecordBatch {
    let times = |f: &dyn Fn(&Write) -> Option<i64>| -> ArrayRef {
        let micros = rows.iter().map(|row| f(row).map(|s| START + s * SECOND));
        Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let city = rows.iter().map(|row| row.value.map(|v| if v > 0.0 { "Zürich" } else { "" }));
    RecordBatch::try_from_iter_with_nullable([
        (
            "driver_id",
            Arc::new(rows.iter().map(|r| Some(r.key)).collect::<Int64Array>()) as ArrayRef,
            true,
        ),
        ("event_time", times(&|row| Some(row.event)), true),
        ("created", times(&|row| row.created), true),
        (
            "trips",
            Arc::new(rows.iter().map(|r| Some(r.event * 10 + r.key)).collect::<Int64Array>()),
            true,
        ),
        ("rating", Arc::new(rows.iter().map(|r| r.value).collect::<Float64Array>()), true),
        ("city", Arc::new(city.collect::<StringArray>()), true),
    ])
    .unwrap()
}

fn rides(rows: &[Write]) -> RecordBatch {
    let text = |f: fn(i64) -> &'static str| -> ArrayRef {
        Arc::new(rows.iter().map(|r| Some(f(r.key))).collect::<StringArray>())
    };
    let times = rows.iter().map(|r| Some(START + r.event * SECOND + r.key));
    RecordBatch::try_from_iter_with_nullable([
        ("origin", text(origin), true),
        ("dest", text(dest), true),
        ("event_time", Arc::new(times.collect::<TimestampMicrosecondArray>()) as ArrayRef, true),
        ("fare", Arc::new(rows.iter().map(|r| r.value).collect::<Float64Array>()), true),
    ])
    .unwrap()
}

fn origin(key: i64) -> &'static str {
    ["a", "ab", "a"][key as usize % 3]
}

fn dest(key: i64) -> &'static str {
    ["bc", "c", "b"][key as usize % 3]
}

fn asking(t: i64) -> RecordBatch {
    // Key 3 is nobody's, and a null matches nothing.
    let drivers: Vec<Option<i64>> = vec![Some(0), Some(1), Some(2), Some(3), None];
    let route = |f: fn(i64) -> &'static str| -> ArrayRef {
        Arc::new(drivers.iter().map(|d| d.map(f)).collect::<StringArray>())
    };
    let times = TimestampMicrosecondArray::from(vec![t; drivers.len()]);
    RecordBatch::try_from_iter_with_nullable([
        ("driver_id", Arc::new(Int64Array::from(drivers.clone())) as ArrayRef, true),
        ("origin", route(origin), true),
        ("dest", route(dest), true),
        ("surge", Arc::new(Float64Array::from(vec![1.5; drivers.len()])), true),
        ("event_time", Arc::new(times), true),
    ])
    .unwrap()
}

struct World {
    features: Features,
    clock: Arc<ManualClock>,
}

async fn world(
    offline: impl FnOnce(Arc<ObjectCatalog>, Arc<dyn Clock>) -> Arc<dyn OfflineStore>,
    online: Arc<dyn OnlineStore>,
) -> Result<World> {
    let clock = Arc::new(ManualClock::at_micros(START + 5 * SECOND));
    let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let actor = mlops_core::journal::Actor::new("test")?;
    let store = Arc::new(InMemory::new());
    let catalog = Arc::new(ObjectCatalog::open(store, "catalog", Arc::clone(&time), actor).await?);
    let offline = offline(Arc::clone(&catalog), Arc::clone(&time));
    let features = Features::new(catalog, offline, online, time);
    let plan = features.plan(&Definitions::from_yaml(DEFINITIONS)?).await?;
    features.apply(&plan).await?;
    Ok(World { features, clock })
}

impl World {
    /// Everything that was appended is brought online, then both sides are asked at the clock's instant.
    async fn compare(&self) -> Result<(), TestCaseError> {
        self.features.materialize(Materialize::default()).await.unwrap();
        let now = self.clock.now_micros();
        let asking = asking(now);
        let service: ServiceRef = "eta".parse().unwrap();
        let online = self.features.online(&service, &asking, self.clock.now()).await.unwrap();
        let rows = EntityRows::new(asking);
        let set = self.features.historical(&service, rows, Historical::default().with_statuses());
        let set = set.await.unwrap();
        for (field, column) in online.batch.schema().fields().iter().zip(online.batch.columns()) {
            let offline = set.batch.column_by_name(field.name()).unwrap();
            prop_assert_eq!(column.data_type(), offline.data_type());
            prop_assert_eq!(bits(column), bits(offline), "{} at {}", field.name(), now - START);
        }
        for (view, statuses) in ["stats", "strict_stats", "rides"].iter().zip(&online.views) {
            let column = set.batch.column_by_name(&format!("{view}__status")).unwrap();
            let offline: Vec<_> = column.as_string::<i32>().iter().flatten().collect();
            let online: Vec<_> = statuses
                .iter()
                .map(|status| match Status::of(*status, false) {
                    Status::NotFound => "not_found",
                    Status::Expired => "expired",
                    _ => "found",
                })
                .collect();
            prop_assert_eq!(online, offline, "{} at {}", view, now - START);
        }
        Ok(())
    }

    async fn run(&self, steps: &[Step]) -> Result<(), TestCaseError> {
        let (stats_view, strict, rides_view) = (name("stats"), name("strict_stats"), name("rides"));
        let mut last: Option<Vec<Write>> = None;
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Append(rows) | Step::Push(rows) => {
                    let push = matches!(step, Step::Push(_));
                    for (view, batch) in [
                        (&stats_view, stats(rows)),
                        (&strict, stats(rows)),
                        (&rides_view, rides(rows)),
                    ] {
                        let token = Key::new(format!("{number}")).unwrap();
                        let append = Append::default().with_token(token);
                        if push {
                            self.features.push(view, batch, append).await.unwrap();
                        } else {
                            // A retry after an answer that got lost.
                            let first =
                                self.features.append(view, batch.clone(), append.clone()).await;
                            let again = self.features.append(view, batch, append).await;
                            prop_assert_eq!(first.unwrap(), again.unwrap());
                        }
                    }
                    last = Some(rows.clone());
                }
                Step::Again => {
                    // The same rows once more, as another write: they win nothing, but they are events.
                    if let Some(rows) = &last {
                        let none = Append::default();
                        self.features.append(&stats_view, stats(rows), none.clone()).await.unwrap();
                        self.features.append(&rides_view, rides(rows), none).await.unwrap();
                    }
                }
                Step::Materialize => {
                    self.features.materialize(Materialize::default()).await.unwrap();
                }
                Step::Full => {
                    self.features.materialize(Materialize::default().full()).await.unwrap();
                }
                Step::Ask(seconds) => {
                    self.clock.advance_micros(seconds * SECOND);
                    self.compare().await?;
                }
            }
        }
        for _ in 0..6 {
            self.clock.advance_micros(2 * SECOND);
            self.compare().await?;
        }
        Ok(())
    }
}

fn name(text: &str) -> mlops_core::features::FeatureName {
    text.parse().unwrap()
}

/// Values with nothing rounded.
fn bits(column: &ArrayRef) -> Vec<Option<String>> {
    (0..column.len())
        .map(|row| {
            column.is_valid(row).then(|| match column.as_primitive_opt::<Float64Type>() {
                Some(floats) => format!("{:x}", floats.value(row).to_bits()),
                None => {
                    mlops_core::arrow::util::display::array_value_to_string(column, row).unwrap()
                }
            })
        })
        .collect()
}

fn random_histories(cases: u32, online: impl Fn() -> Arc<dyn OnlineStore>, segments: bool) {
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let steps = proptest::collection::vec(step(), 1..10);
    runner
        .run(&(steps, any::<u8>()), |(steps, _)| {
            let online = online();
            block_on(async {
                let world = world(
                    |catalog, clock| {
                        if segments {
                            let store = Arc::new(InMemory::new());
                            Arc::new(SegmentStore::new(store, "f", catalog, clock).unwrap())
                        } else {
                            Arc::new(MemoryOffline::new(clock))
                        }
                    },
                    online,
                )
                .await
                .unwrap();
                world.run(&steps).await
            })
        })
        .unwrap();
}

#[test]
fn in_memory_both_sides_answer_alike() {
    random_histories(150, || Arc::new(MemoryOnline::new()), false);
}

#[test]
fn segments_and_memory_answer_alike() {
    random_histories(60, || Arc::new(MemoryOnline::new()), true);
}

#[cfg(feature = "embedded")]
#[test]
fn segments_and_the_embedded_table_answer_alike() {
    use mlops_features::online::EmbeddedOnline;

    let root = tempfile::tempdir().unwrap();
    let number = AtomicU32::new(0);
    let online = || -> Arc<dyn OnlineStore> {
        let place = root.path().join(number.fetch_add(1, Ordering::Relaxed).to_string());
        let clock = Arc::new(ManualClock::at_micros(START));
        Arc::new(EmbeddedOnline::open(place, clock).unwrap())
    };
    random_histories(40, online, true);
}

#[cfg(feature = "redis")]
#[test]
fn segments_and_redis_answer_alike() {
    use mlops_core::Secret;
    use mlops_features::online::{RedisOnline, RedisOptions};
    use mlops_testkit::redis::RedisServer;

    let server = match RedisServer::start() {
        Ok(server) => server,
        Err(absent) if !mlops_testkit::strict() => return println!("ignored: {absent}"),
        Err(absent) => panic!("{absent}"),
    };
    let number = AtomicU32::new(0);
    let online = || -> Arc<dyn OnlineStore> {
        let prefix = format!("history{}", number.fetch_add(1, Ordering::Relaxed));
        let options = RedisOptions::default().with_prefix(&prefix);
        let url = Secret::new(server.url());
        Arc::new(block_on(RedisOnline::connect(&url, options)).unwrap())
    };
    random_histories(40, online, true);
}

#[test]
fn a_store_that_loses_corrections_is_found() {
    let lost = std::panic::catch_unwind(|| {
        random_histories(60, || Arc::new(LastArrivalWins(MemoryOnline::new())), false);
    });
    assert!(lost.is_err(), "the test above would not see a store that answers otherwise");
}

/// An online store in which whatever comes last is the answer.
#[derive(Debug)]
struct LastArrivalWins(MemoryOnline);

#[async_trait::async_trait]
impl OnlineStore for LastArrivalWins {
    fn capability(&self) -> mlops_core::Capability {
        self.0.capability()
    }

    fn local(&self, table: &TableId) -> Result<Option<Arc<dyn LocalTable>>> {
        self.0.local(table)
    }

    async fn read(&self, reads: &[TableRead<'_>]) -> Result<Vec<Vec<Option<Bytes>>>> {
        self.0.read(reads).await
    }

    async fn write(
        &self,
        table: &TableId,
        rows: &[OnlineRow<'_>],
        now: i64,
    ) -> Result<OnlineWritten> {
        for row in rows {
            let mut key = KeyBatch::new();
            key.push(row.key)?;
            self.0.erase(table, &key).await?;
            self.0.write(table, &[*row], now).await?;
        }
        Ok(OnlineWritten { changed: rows.len() as u64, stale: 0 })
    }

    async fn watermark(&self, table: &TableId) -> Result<Watermark> {
        self.0.watermark(table).await
    }

    async fn advance(&self, table: &TableId, expected: Watermark, next: Watermark) -> Result<()> {
        self.0.advance(table, expected, next).await
    }

    async fn erase(&self, table: &TableId, keys: &KeyBatch) -> Result<u64> {
        self.0.erase(table, keys).await
    }

    async fn tables(&self) -> Result<Vec<TableId>> {
        self.0.tables().await
    }

    async fn drop_table(&self, table: &TableId) -> Result<()> {
        self.0.drop_table(table).await
    }
}
