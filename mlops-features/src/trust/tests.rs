//! A small world of two views, one of them aggregated, and what can be done to it.

mod erase;
mod fresh;
mod histories;
mod leaks;
mod serving;
mod skew;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use mlops_core::features::{
    Append, Definitions, FeatureName, FeatureStore, Materialize, OfflineStore, ServiceRef,
};
use mlops_core::journal::Actor;
use mlops_core::time::{Clock, ManualClock};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use super::{LoggedService, ServingLog, ServingLogs, ServingOptions, SkewReport, Verify};
use crate::Features;
use crate::catalog::ObjectCatalog;
use crate::offline::{MemoryOffline, SegmentStore};
use crate::online::MemoryOnline;

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const START: i64 = 1_700_000_000 * SECOND;

const DEFINITIONS: &str = "
entities:
  - {name: driver, keys: [{name: driver_id, type: int}]}
  - {name: city, keys: [{name: city, type: string}]}
views:
  - name: stats
    entities: [driver]
    created: created
    ttl: 6s
    ahead: 1h
    features: [{name: trips, type: int}, {name: rating, type: float}]
  - name: rides
    entities: [driver]
    ahead: 1h
    features:
      - {name: n, type: int, column: fare, aggregate: {function: count, window: 5s, resolution: 1s}}
      - {name: total, type: float, column: fare, aggregate: {function: sum, window: 5s, resolution: 1s}}
      - {name: top, type: float, column: fare, aggregate: {function: max, window: 20s, resolution: 2s}}
  - name: weather
    entities: [city]
    ahead: 1h
    features: [{name: rain, type: float}]
on_demand:
  - name: derived
    request: [{name: surge, type: float}]
    features:
      - {name: worth, type: float, expr: 'coalesce(total, 0.0) * surge + coalesce(rating, -1.0)'}
services:
  - name: eta
    views: [{view: stats}, {view: rides, features: [n, total]}, {view: weather, keys: {city: origin}}]
    on_demand: [derived]
";

/// A row of every view.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) driver: i64,
    /// In seconds from the start.
    pub(super) event: i64,
    pub(super) created: Option<i64>,
    pub(super) value: Option<f64>,
}

pub(super) struct World {
    pub(super) features: Features,
    pub(super) clock: Arc<ManualClock>,
    pub(super) objects: Arc<dyn ObjectStore>,
}

impl World {
    pub(super) async fn new(segments: bool) -> Self {
        Self::of(segments, DEFINITIONS).await
    }

    pub(super) async fn of(segments: bool, definitions: &str) -> Self {
        let clock = Arc::new(ManualClock::at_micros(START + 5 * SECOND));
        let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let actor = Actor::new("test").unwrap();
        let catalog =
            ObjectCatalog::open(Arc::clone(&objects), "catalog", Arc::clone(&time), actor);
        let catalog = Arc::new(catalog.await.unwrap());
        let offline: Arc<dyn OfflineStore> = if segments {
            let catalog = Arc::<ObjectCatalog>::clone(&catalog);
            let store = Arc::clone(&objects);
            Arc::new(SegmentStore::new(store, "offline", catalog, Arc::clone(&time)).unwrap())
        } else {
            Arc::new(MemoryOffline::new(Arc::clone(&time)))
        };
        let features = Features::new(catalog, offline, Arc::new(MemoryOnline::new()), time);
        let plan = features.plan(&Definitions::from_yaml(definitions).unwrap()).await.unwrap();
        features.apply(&plan).await.unwrap();
        Self { features, clock, objects }
    }

    pub(super) fn logs(&self) -> ServingLogs {
        ServingLogs::new(Arc::clone(&self.objects), "serving").unwrap()
    }

    pub(super) fn log(&self, options: ServingOptions) -> ServingLog {
        ServingLog::new(self.logs(), options).unwrap()
    }

    pub(super) async fn logged(&self, options: ServingOptions) -> LoggedService {
        self.features.logged(&service(), &self.log(options)).await.unwrap()
    }

    pub(super) async fn append(&self, view: &str, batch: RecordBatch) {
        self.features.append(&name(view), batch, Append::default()).await.unwrap();
    }

    /// Appends rows to every view.
    pub(super) async fn write(&self, rows: &[Write]) {
        self.append("stats", stats(rows)).await;
        self.append("rides", rides(rows)).await;
        self.append("weather", weather(rows)).await;
    }

    pub(super) async fn materialize(&self) {
        self.features.materialize(Materialize::default()).await.unwrap();
    }

    /// Asks for the drivers 0 to 3 and nobody, at the clock's instant.
    pub(super) async fn serve(&self, service: &LoggedService) {
        service.answer(&asking(), self.clock.now_micros()).await.unwrap();
    }

    pub(super) async fn verify(&self) -> SkewReport {
        let verify = Verify::default();
        self.features.verify_skew(&self.logs(), &service(), &verify).await.unwrap()
    }
}

pub(super) fn write(driver: i64, event: i64, value: f64) -> Write {
    Write { driver, event, created: Some(event), value: Some(value) }
}

pub(super) fn service() -> ServiceRef {
    "eta".parse().unwrap()
}

pub(super) fn name(text: &str) -> FeatureName {
    text.parse().unwrap()
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

pub(super) fn ints(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

pub(super) fn floats(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Float64Array>())
}

pub(super) fn seconds(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    let micros = values.into_iter().map(|s| s.map(|s| START + s * SECOND));
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn cities(rows: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    let city = |driver: i64| if driver % 2 == 0 { "Bern" } else { "Basel" };
    Arc::new(rows.into_iter().map(|driver| driver.map(city)).collect::<StringArray>())
}

pub(super) fn stats(rows: &[Write]) -> RecordBatch {
    batch(vec![
        ("driver_id", ints(rows.iter().map(|row| Some(row.driver)))),
        ("event_time", seconds(rows.iter().map(|row| Some(row.event)))),
        ("created", seconds(rows.iter().map(|row| row.created))),
        ("trips", ints(rows.iter().map(|row| Some(row.event * 10 + row.driver)))),
        ("rating", floats(rows.iter().map(|row| row.value))),
    ])
}

pub(super) fn rides(rows: &[Write]) -> RecordBatch {
    batch(vec![
        ("driver_id", ints(rows.iter().map(|row| Some(row.driver)))),
        ("event_time", seconds(rows.iter().map(|row| Some(row.event)))),
        ("fare", floats(rows.iter().map(|row| row.value))),
    ])
}

pub(super) fn weather(rows: &[Write]) -> RecordBatch {
    batch(vec![
        ("city", cities(rows.iter().map(|row| Some(row.driver)))),
        ("event_time", seconds(rows.iter().map(|row| Some(row.event)))),
        ("rain", floats(rows.iter().map(|row| row.value))),
    ])
}

/// Drivers 0 to 3, and a request without a key.
pub(super) fn asking() -> RecordBatch {
    let drivers = [Some(0), Some(1), Some(2), Some(3), None];
    batch(vec![
        ("driver_id", ints(drivers)),
        ("origin", cities(drivers)),
        ("surge", floats([Some(1.5); 5])),
    ])
}
