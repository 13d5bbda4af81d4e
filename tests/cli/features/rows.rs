//! Rows that come, training sets and requests.

use std::fs;
use std::sync::Arc;

use mlops::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use mlops::feature_store::files::write_parquet;
use mlops::time::{Clock, SystemClock};
use serde_json::json;

use super::{DEFINITIONS, ROWS, STATS, defined, filled, floats, ints, parquet, put, texts};
use crate::store::{NOON, Store};

const HOUR: i64 = 3_600_000_000;

#[test]
fn a_training_set_has_a_row_for_each_that_asks_and_statuses() {
    let store = filled();
    let args = "features historical eta --rows rows.csv --out set.parquet --statuses";
    let answer = store.json(&format!("{args} --receipt receipt.json"));
    assert_eq!((&answer["rows"], &answer["receipt"]["service"]), (&json!(5), &json!("eta@1")));
    let set = parquet(&store, "set.parquet");
    assert_eq!(texts(&set, "label"), ["a", "b", "c", "d", "e"]);
    assert_eq!(ints(&set, "trips"), [Some(3), Some(5), None, None, Some(4)]);
    let statuses = ["found", "found", "expired", "not_found", "found"];
    assert_eq!(texts(&set, "driver_stats__status"), statuses);
    assert_eq!(floats(&set, "fare"), [Some(9.0), None, None, None, None]);
    assert_eq!(ints(&set, "trips_7d"), [Some(3), Some(5), Some(6), None, Some(7)]);
}

#[test]
fn a_request_says_of_each_value_what_it_is() {
    let store = filled();
    let asked = |driver: u32| {
        let args = format!("features get eta driver_id={driver} distance=2");
        let answer = store.json(&format!("{args} --at 2025-01-01T12:00:00Z"));
        assert_eq!(answer["service"], "eta@1");
        answer["features"].clone()
    };
    assert_eq!(asked(7)["trips"], json!({ "value": 4, "status": "present" }));
    assert_eq!(asked(7)["fare"], json!({ "value": 9.5, "status": "present" }));
    assert_eq!(asked(8)["rating"], json!({ "value": null, "status": "null" }));
    assert_eq!(asked(9)["trips"], json!({ "value": null, "status": "expired" }));
    assert_eq!(asked(10)["trips"], json!({ "value": null, "status": "not_found" }));
}

#[test]
fn what_a_request_lacks_or_has_too_much_is_said() {
    let store = filled();
    for (args, code, column) in [
        ("driver_id=seven distance=2", 2, "driver_id"),
        ("driver_id=7.0 distance=2", 2, "driver_id"),
        ("driver_id=7", 2, "distance"),
        ("distance=1", 2, "driver_id"),
        ("driver_id=7 distance=2 driver=7", 2, "driver"),
    ] {
        let (found, error) = store.refused(&format!("features get eta {args}"));
        assert_eq!((found, &error["context"]["column"]), (code, &json!(column)), "{error:#}");
    }
    let (code, error) = store.refused("features get eta driver_id=7 distance=2 distance=3");
    assert_eq!((code, &error["context"]["key"]), (2, &json!("distance")));
    let (code, error) = store.refused("features get etaa driver_id=7");
    assert_eq!((code, &error["hint"]), (4, &json!("did you mean `eta`?")));
    assert_eq!(store.refused("features get eta@2 driver_id=7 distance=2").0, 4);
    assert_eq!(store.refused("features get eta@0 driver_id=7 distance=2").0, 64);
}

#[test]
fn the_same_rows_and_a_receipt_make_the_same_set_again() {
    let store = filled();
    let args = "features historical eta --rows rows.csv --out first.parquet --receipt then.json";
    let first = store.json(args);
    put(&store, "late.csv", "driver_id,event_time,trips,rating\n7,2025-01-01T10:15:00Z,30,1\n");
    store.done("features append driver_stats late.csv");
    let now = store.json("features historical eta --rows rows.csv --out now.parquet");
    assert_ne!(now["digest"], first["digest"]);
    assert_eq!(ints(&parquet(&store, "now.parquet"), "trips")[0], Some(30));
    let again = "features historical eta --rows rows.csv --out again.parquet --as-in then.json";
    assert_eq!(store.json(again)["digest"], first["digest"]);
    assert_eq!(parquet(&store, "again.parquet"), parquet(&store, "first.parquet"));
    put(&store, "other.csv", &ROWS.replace("\n10,", "\n11,"));
    let other = "features historical eta --rows other.csv --out o.parquet --as-in then.json";
    let (code, error) = store.refused(other);
    assert_eq!((code, error["kind"].as_str()), (2, Some("invalid")), "{error:#}");
    assert!(!store.path().join("o.parquet").exists());
    put(&store, "no.json", "{}");
    assert_eq!(store.refused(&other.replace("then.json", "no.json")).0, 2);
}

#[test]
fn what_became_known_later_is_left_out_when_that_is_asked() {
    let store = filled();
    let all = "features historical eta --rows rows.csv --out all.parquet --known-at event-time";
    store.done(all);
    let set = parquet(&store, "all.parquet");
    assert_eq!(ints(&set, "trips"), [None; 5], "all rows were made known today");
    store.done("features historical eta --rows rows.csv --out all.parquet --known-at 2999-01-01");
    assert_eq!(ints(&parquet(&store, "all.parquet"), "trips")[1], Some(5));
}

#[test]
fn buckets_are_disjoint_and_together_the_whole() {
    let store = filled();
    let mut labels = Vec::new();
    for bucket in 0..3 {
        let out =
            format!("features historical eta --rows rows.csv --out b.parquet --bucket {bucket}/3");
        store.done(&out);
        labels.extend(texts(&parquet(&store, "b.parquet"), "label"));
    }
    labels.sort();
    assert_eq!(labels, ["a", "b", "c", "d", "e"]);
    assert_eq!(
        store.refused("features historical eta --rows rows.csv --out b.parquet --bucket 3/3").0,
        64
    );
}

#[test]
fn a_range_asks_for_every_row_of_the_first_view() {
    let store = defined();
    put(&store, "plain.yaml", "services: [{name: plain, views: [{view: driver_stats}]}]");
    store.done("features apply plain.yaml");
    store.done("features append driver_stats stats.csv");
    let args = "features historical plain --out r.parquet --from 2025-01-01 --until 2025-01-02";
    store.done(args);
    let mut trips = ints(&parquet(&store, "r.parquet"), "trips");
    trips.sort_unstable();
    assert_eq!(trips, [Some(3), Some(4), Some(5)]);
    let backwards = args.replace("2025-01-01", "2026-01-01");
    assert_eq!(store.refused(&backwards).0, 2);
    assert_eq!(store.refused("features historical plain --out r.parquet").0, 64);
}

#[test]
fn parquet_and_csv_rows_are_the_same_rows() {
    let store = defined();
    let times = |hours: &[i64]| {
        let at = hours.iter().map(|hour| NOON + hour * HOUR).collect::<Vec<_>>();
        Arc::new(TimestampMicrosecondArray::from(at)) as ArrayRef
    };
    let rows = RecordBatch::try_from_iter([
        ("driver_id", Arc::new(Int64Array::from(vec![7, 8])) as ArrayRef),
        ("event_time", times(&[-2, -1])),
        ("trips", Arc::new(Int64Array::from(vec![Some(3), None])) as ArrayRef),
        ("rating", Arc::new(Float64Array::from(vec![4.5, 1.0])) as ArrayRef),
    ]);
    write_parquet(&store.path().join("stats.parquet"), &rows.unwrap()).unwrap();
    let appended = store.json("features append driver_stats stats.parquet");
    assert_eq!(appended[0]["rows"], 2);
    assert_eq!(appended[0]["appends"][0]["position"], 1);
    let asked = RecordBatch::try_from_iter([
        ("driver_id", Arc::new(StringArray::from(vec!["7"])) as ArrayRef),
        ("event_time", times(&[0])),
        ("distance", Arc::new(Float64Array::from(vec![1.0])) as ArrayRef),
    ]);
    write_parquet(&store.path().join("asked.parquet"), &asked.unwrap()).unwrap();
    let args = "features historical eta --rows asked.parquet --out set.parquet";
    let (code, error) = store.refused(args);
    assert_eq!((code, &error["context"]["column"]), (2, &json!("driver_id")), "{error:#}");
    assert!(!store.path().join("set.parquet").exists());
}

#[test]
fn bad_rows_are_refused_whole() {
    let store = defined();
    let head = "driver_id,event_time,trips,rating\n1,2025-01-01T10:00:00Z,1,1\n";
    put(&store, "good.csv", head);
    for (name, row, code) in [
        ("no_key.csv", ",2025-01-01T10:00:00Z,1,1\n", 2),
        ("no_time.csv", "7,,1,1\n", 2),
        ("future.csv", "7,2999-01-01T10:00:00Z,1,1\n", 2),
        ("text.csv", "seven,2025-01-01T10:00:00Z,1,1\n", 2),
        ("half.csv", "7,2025-01-01T10:00:00Z,1.5,1\n", 2),
    ] {
        put(&store, name, &format!("{head}{row}"));
        let (found, error) = store.refused(&format!("features append driver_stats {name}"));
        assert_eq!(found, code, "{name}: {error:#}");
        assert!(error["context"]["file"].as_str().is_some_and(|f| f == name), "{error:#}");
    }
    put(&store, "cut.parquet", "PAR1");
    assert_eq!(store.refused("features append driver_stats cut.parquet").0, 2);
    assert_eq!(store.refused("features append driver_stats good.csv absent.csv").0, 4);
    assert_eq!(store.refused("features append driver_stats .").0, 2);
    let (code, error) = store.refused("features append driver_stat good.csv");
    assert_eq!((code, &error["hint"]), (4, &json!("did you mean `driver_stats`?")));
    assert_eq!(store.json("features show driver_stats")["statistics"]["rows"], 0);
}

#[test]
fn a_token_appends_once_and_names_one_thing() {
    let store = defined();
    let first = store.json("features append driver_stats stats.csv --token monday");
    let again = store.json("features append driver_stats stats.csv --token monday");
    assert_eq!(first[0]["appends"], again[0]["appends"]);
    assert_eq!(store.json("features show driver_stats")["statistics"]["rows"], 4);
    put(&store, "more.csv", &STATS.replace("9,2024-12-30T11:00:00Z,6,5\n", ""));
    let (code, error) = store.refused("features append driver_stats more.csv --token monday");
    assert_eq!((code, error["kind"].as_str()), (3, Some("conflict")), "{error:#}");
    store.done("features append driver_stats stats.csv more.csv --token tuesday");
    store.done("features append driver_stats stats.csv more.csv --token tuesday");
    assert_eq!(store.json("features show driver_stats")["statistics"]["rows"], 11);
}

#[test]
fn a_pushed_row_is_online_at_once() {
    let store = defined();
    store.done("features append driver_stats stats.csv --push");
    let args = "features get eta driver_id=7 distance=2 --at 2025-01-01T12:00:00Z";
    assert_eq!(store.json(args)["features"]["trips"]["value"], 4);
    let ago = |hours: i64| {
        let at = SystemClock.now() - chrono::TimeDelta::hours(hours);
        at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    let rows = format!("driver_id,event_time,trips\n7,{},3\n7,{},4\n", ago(2), ago(1));
    put(&store, "recent.csv", &rows);
    store.done("features append driver_load recent.csv --push");
    let windows = store.json("features get eta driver_id=7 distance=2")["features"].clone();
    assert_eq!(windows["trips_7d"], json!({ "value": 7, "status": "present" }));
}

#[test]
fn materializing_goes_on_where_it_stopped() {
    let store = defined();
    store.done("features append driver_stats stats.csv");
    let rows = |args: &str| store.json(args)["views"][0]["rows"].clone();
    assert_eq!(rows("features materialize driver_stats"), 4);
    assert_eq!(rows("features materialize driver_stats"), 0);
    assert_eq!(rows("features materialize driver_stats --full"), 4);
    let range = "features materialize driver_stats --from 2025-01-01 --until 2025-01-02";
    assert_eq!(rows(range), 3);
    store.done("features state driver_load deprecated --until 2999-01-01");
    assert_eq!(store.refused("features materialize driver_lode").0, 4);
    assert_eq!(store.refused("features materialize --from 2025-01-01").0, 64);
}

#[test]
fn a_training_set_can_be_an_input_of_a_run() {
    let store = Store::filled();
    put(&store, "features.yaml", DEFINITIONS);
    put(&store, "stats.csv", STATS);
    put(&store, "rows.csv", ROWS);
    store.done("features apply features.yaml");
    store.done("features append driver_stats stats.csv");
    store.done("features historical eta --rows rows.csv --out set.parquet --run deep");
    let printed = store.done("artifacts list deep");
    assert!(printed.contains("features/eta@1-"), "{printed}");
    let again =
        "features historical eta --rows rows.csv --out set.parquet --run deep --context test";
    store.done(again);
    assert_eq!(store.json("runs show deep")["inputs"][0]["context"], "test");
    assert_eq!(
        store.refused("features historical eta --rows rows.csv --out x --context test").0,
        64
    );
    let args = "features historical eta --rows rows.csv --out x.parquet --run nobody";
    assert_eq!(store.refused(args).0, 4);
    assert!(!store.path().join("x.parquet").exists());
}

#[test]
fn no_output_replaces_what_is_read() {
    let store = filled();
    for args in [
        "--rows rows.csv --out rows.csv",
        "--rows rows.csv --out set.csv",
        "--rows rows.csv --out absent/set.parquet",
        "--rows rows.csv --out a.parquet --receipt a.parquet",
        "--rows rows.csv --out a.parquet --receipt rows.csv",
        "--rows rows.csv --out -",
    ] {
        assert_eq!(store.refused(&format!("features historical eta {args}")).0, 2, "{args}");
    }
    assert_eq!(fs::read_to_string(store.path().join("rows.csv")).unwrap(), ROWS);
}
