//! Features from definitions to erasure: what is planned, joined, served, refused and proved.

mod definitions;
mod rows;
mod upkeep;

use std::fs;

use mlops::arrow::array::{ArrayRef, AsArray, RecordBatch};
use mlops::arrow::datatypes::{Float64Type, Int64Type};
use mlops::feature_store::files::ParquetRows;
use serde_json::Value;

use crate::store::Store;

const DEFINITIONS: &str = "
entities:
  - {name: driver, keys: [{name: driver_id, type: int}]}
views:
  - name: driver_stats
    entities: [driver]
    owner: ops
    ttl: 1d
    features:
      - {name: trips, type: int, description: trips of the day}
      - {name: rating, type: float, tags: {source: app}}
  - name: driver_load
    entities: [driver]
    features:
      - {name: trips_7d, type: int, column: trips,
         aggregate: {function: sum, window: 7d}}
on_demand:
  - name: fare
    request: [{name: distance, type: float}]
    features: [{name: fare, type: float, expr: distance * rating}]
services:
  - {name: eta, views: [{view: driver_stats}, {view: driver_load}], on_demand: [fare]}
";

/// Trips of drivers: 7 has two rows, 8 a null, 9 one that is two days old.
const STATS: &str = "\
driver_id,event_time,trips,rating
7,2025-01-01T10:00:00Z,3,4.5
7,2025-01-01T11:00:00Z,4,4.75
8,2025-01-01T11:00:00Z,5,
9,2024-12-30T11:00:00Z,6,5
";

const ROWS: &str = "\
driver_id,event_time,distance,label
7,2025-01-01T10:30:00Z,2,a
8,2025-01-01T12:00:00Z,2,b
9,2025-01-01T12:00:00Z,2,c
10,2025-01-01T12:00:00Z,2,d
7,2025-01-01T12:00:00Z,,e
";

fn put(store: &Store, name: &str, text: &str) {
    fs::write(store.path().join(name), text).unwrap();
}

/// A store with definitions that nobody appended to.
fn defined() -> Store {
    let store = Store::empty();
    put(&store, "features.yaml", DEFINITIONS);
    put(&store, "stats.csv", STATS);
    put(&store, "rows.csv", ROWS);
    store.done("features apply features.yaml");
    store
}

/// A store with rows, in the log and online.
fn filled() -> Store {
    let store = defined();
    store.done("features append driver_stats stats.csv --token day");
    store.done("features append driver_load stats.csv --token day");
    store.done("features materialize");
    store
}

fn parquet(store: &Store, name: &str) -> RecordBatch {
    ParquetRows::open(&store.path().join(name)).unwrap().whole().unwrap()
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    batch.column_by_name(name).unwrap_or_else(|| panic!("{name} in {:?}", batch.schema()))
}

fn ints(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    column(batch, name).as_primitive::<Int64Type>().iter().collect()
}

fn floats(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    column(batch, name).as_primitive::<Float64Type>().iter().collect()
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<String> {
    let column = column(batch, name).as_string::<i32>();
    column.iter().map(|text| text.unwrap_or("-").to_owned()).collect()
}

fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}
