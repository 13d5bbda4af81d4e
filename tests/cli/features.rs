//! Features from definitions to erasure: what is planned, joined, served, refused and proved.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use mlops::Workspace;
use mlops::arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use mlops::arrow::datatypes::{Float64Type, Int64Type};
use mlops::feature_store::files::{ParquetRows, write_parquet};
use mlops::feature_store::trust::{ServingLog, ServingLogs, ServingOptions};
use mlops::time::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::store::{NOON, Store};

const HOUR: i64 = 3_600_000_000;

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
fn a_view_that_is_late_fails_with_2() {
    let store = filled();
    assert_eq!(store.json("features lag")[0]["rows"], 0);
    assert_eq!(store.mlops("features lag --max-wait 1s").status.code(), Some(0));
    let (code, error) = store.refused("features lag --max-age 1h");
    assert_eq!(code, 2);
    assert!(error["context"]["views"].as_str().unwrap().contains("driver_stats"), "{error:#}");
    assert_eq!(store.mlops("features lag driver_stats --max-age 9000d").status.code(), Some(0));
    store.done("features append driver_stats stats.csv");
    assert_eq!(store.refused("features lag --max-rows 3").0, 2);
    assert_eq!(store.mlops("features lag --max-rows 4").status.code(), Some(0));
    assert_eq!(store.refused("features lag nope").0, 4);
}

#[test]
fn a_plan_says_what_breaks_whom_and_needs_a_yes() {
    let store = filled();
    let plan = |text: &str| {
        put(&store, "next.yaml", text);
        store.json("features plan next.yaml")
    };
    let same = plan(DEFINITIONS);
    assert_eq!((&same["changes"], &same["allowed"]), (&json!([]), &json!(true)));
    let longer = plan(&DEFINITIONS.replace("ttl: 1d", "ttl: 2d"));
    assert_eq!(names(&longer["changes"], "name"), ["driver_stats", "eta"]);
    assert_eq!(store.json("features apply next.yaml --dry-run")["applied"], false);
    assert_eq!(store.json("features apply next.yaml")["applied"], true);
    assert_eq!(store.json("features show eta")["service"], "eta@2");

    put(
        &store,
        "hard.yaml",
        &DEFINITIONS.replace("trips, type: int, des", "trips, type: float, des"),
    );
    let (code, error) = store.refused("features apply hard.yaml");
    assert_eq!((code, error["kind"].as_str()), (2, Some("invalid")), "{error:#}");
    assert_eq!(store.json("features show driver_stats")["versions"].as_array().unwrap().len(), 2);
    assert_eq!(store.json("features apply hard.yaml --yes")["applied"], true);
}

#[test]
fn definitions_that_do_not_hold_make_no_store() {
    let store = Store::empty();
    for (text, needle) in [
        ("views: [{name: a, featurs: []}]", "featurs"),
        ("views: [{name: a, entities: [b], features: [{name: x, type: int}]}]", "b"),
        ("[", "features.yaml"),
    ] {
        put(&store, "features.yaml", text);
        let (code, error) = store.refused("features apply features.yaml");
        assert_eq!(code, 2, "{error:#}");
        assert!(error.to_string().contains(needle), "{error:#}");
    }
    assert_eq!(store.refused("features apply absent.yaml").0, 4);
    assert_eq!(store.refused("features list").0, 4);
}

#[test]
fn a_deprecated_view_takes_no_new_consumers() {
    let store = filled();
    let (code, error) = store.refused("features state driver_stats retired");
    assert_eq!((code, error["kind"].as_str()), (2, Some("denied")), "{error:#}");
    assert_eq!(store.refused("features state driver_stats deprecated").0, 64);
    assert_eq!(store.refused("features state driver_stats active --until 2999-01-01").0, 2);
    assert_eq!(store.refused("features state driver_stats deprecated --until 2020-01-01").0, 2);
    let (code, error) = store.refused("features state drver_stats active");
    assert_eq!((code, &error["hint"]), (4, &json!("did you mean `driver_stats`?")));
    store.done("features state driver_stats deprecated --until 2999-01-01");
    put(&store, "new.yaml", "services: [{name: mine, views: [{view: driver_stats}]}]");
    let output = store.mlops("features plan new.yaml --json");
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &plan["allowed"]), (Some(2), &json!(false)));
    assert_eq!(store.refused("features apply new.yaml --yes").0, 2);
    store.done("features get eta driver_id=7 distance=2");
}

#[test]
fn a_policy_is_asked_of_what_is_new() {
    let store = defined();
    put(&store, "policy.yaml", "require_owner: true\n");
    store.done("features policy policy.yaml");
    put(&store, "new.yaml", "entities: [{name: car, keys: [{name: car_id, type: int}]}]");
    assert_eq!(store.refused("features apply new.yaml").0, 2);
    put(
        &store,
        "new.yaml",
        "entities: [{name: car, owner: ann, keys: [{name: car_id, type: int}]}]",
    );
    store.done("features apply new.yaml");
    put(&store, "policy.yaml", "require_ownr: true\n");
    assert_eq!(store.refused("features policy policy.yaml").0, 2);
}

#[test]
fn features_are_found_by_what_is_said_of_them() {
    let store = filled();
    let found = |args: &str| names(&store.json(&format!("features search {args}")), "feature");
    assert_eq!(found("trips"), ["trips", "trips_7d"]);
    assert_eq!(found("of the day"), ["trips"]);
    assert_eq!(found("--tag source=app"), ["rating"]);
    assert_eq!(found("--owner OPS --type int"), ["trips"]);
    assert_eq!(found("--entity driver").len(), 3);
    assert_eq!(found("wind"), [""; 0]);
    assert_eq!(store.refused("features search --type integer").0, 64);
}

#[test]
fn what_is_shown_as_yaml_is_a_definition_again() {
    let store = filled();
    for name in ["driver_stats", "driver_load", "fare", "eta", "driver"] {
        put(&store, "again.yaml", &store.done(&format!("features show {name} --yaml")));
        assert_eq!(store.json("features plan again.yaml")["changes"], json!([]), "{name}");
    }
    put(&store, "twice.yaml", "services: [{name: driver, views: [{view: driver_stats}]}]");
    store.done("features apply twice.yaml");
    let (code, error) = store.refused("features show driver");
    assert_eq!((code, &error["context"]["kinds"]), (2, &json!("service, entity")));
    assert_eq!(store.json("features show driver --kind entity")["kind"], "entity");
    assert_eq!(store.json("features show driver@1")["kind"], "service");
    assert_eq!(store.refused("features show driver@2").0, 4);
    assert_eq!(store.refused("features show nobody").0, 4);
}

#[test]
fn the_list_has_rows_and_what_is_not_online() {
    let store = filled();
    store.done("features append driver_stats stats.csv");
    let list = store.json("features list");
    let stats = list["views"].as_array().unwrap().iter().find(|v| v["name"] == "driver_stats");
    let stats = stats.unwrap();
    assert_eq!((&stats["rows"], &stats["not_online"]), (&json!(8), &json!(4)));
    assert_eq!(names(&list["services"], "name"), ["eta"]);
    assert_eq!(names(&list["transforms"], "name"), ["fare"]);
}

#[test]
fn an_erased_key_is_gone_everywhere_and_proved() {
    let store = filled();
    let (code, error) = store.refused("features erase driver driver_id=7");
    assert_eq!((code, error["kind"].as_str()), (2, Some("invalid")));
    let plan = store.json("features erase driver driver_id=7 --dry-run");
    assert_eq!((&plan["plan"][0]["rows"], &plan["done"]), (&json!(2), &Value::Null));
    let done = store.json("features erase driver driver_id=7 --yes");
    let stats = &done["done"][1];
    assert_eq!((&stats["view"], &stats["offline"]["rows"]), (&json!("driver_stats"), &json!(2)));
    assert_eq!(stats["online"], 1);
    assert!(!stats["offline"]["rewritten"].as_array().unwrap().is_empty());
    let args = "features get eta driver_id=7 distance=2 --at 2025-01-01T12:00:00Z";
    assert_eq!(store.json(args)["features"]["trips"]["status"], "not_found");
    put(&store, "forget.csv", "driver_id\n8\n9\n");
    store.done("features erase driver --rows forget.csv --yes");
    assert_eq!(store.json("features show driver_stats")["statistics"]["rows"], 0);
    for args in ["drivers driver_id=7", "driver id=7", "driver driver_id=x", "driver --rows rows"] {
        let (code, _) = store.refused(&format!("features erase {args} --yes"));
        assert!(code == 2 || code == 4, "{args}");
    }
    assert_eq!(store.refused("features erase driver --yes").0, 64);
}

#[test]
fn a_changed_byte_of_a_segment_is_found() {
    let store = filled();
    store.done("features append driver_stats stats.csv");
    assert_eq!(store.json("features verify")["ok"], true);
    let compacted = store.json("features compact driver_stats --full --grace 0s");
    assert_eq!(compacted[0]["report"]["rows"], 8);
    assert_eq!(store.json("features verify driver_stats")["ok"], true);
    let shown = store.json("features show driver_stats");
    let segment = shown["segments"][0]["path"].as_str().unwrap();
    let file = find(&store.path().join("mlops"), segment);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (code, error) = store.refused("features verify");
    assert_eq!((code, error["kind"].as_str()), (1, Some("corrupt")), "{error:#}");
    store.done("features verify driver_load");
}

#[test]
fn answers_that_were_logged_are_played_again() {
    let store = filled();
    let serve = async {
        let directory = store.path().join("mlops");
        let ws = Workspace::open(&directory).await?;
        let files = mlops::durable::DurableLocal::open(&directory)?;
        let logs = ServingLogs::new(Arc::new(files), "serving")?;
        let log = ServingLog::new(logs, ServingOptions::default().one_in(1))?;
        let service = ws.features().await?.logged(&"eta".parse()?, &log).await?;
        let rows = RecordBatch::try_from_iter([
            ("driver_id", Arc::new(Int64Array::from(vec![7, 8, 10])) as ArrayRef),
            ("distance", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0])) as ArrayRef),
        ]);
        service.answer(&rows.unwrap(), SystemClock.now_micros()).await?;
        log.flush().await
    };
    futures::executor::block_on(serve).unwrap();
    let found = store.json("features verify eta driver_stats");
    assert_eq!((&found["ok"], &found["skew"][0]["records"]), (&json!(true), &json!(3)));
    assert_eq!(found["tables"][0]["table"], "driver_stats.1");
    assert_eq!(
        store.json("features verify eta --from 2020-01-01 --until 2020-01-02")["skew"][0]["records"],
        0
    );
    assert_eq!(store.refused("features verify nobody").0, 4);
    let erased = store.json("features erase driver driver_id=7 --yes");
    assert_eq!(erased["done"][1]["serving"]["rows"], 1);
}

#[test]
fn what_was_not_known_in_time_is_a_leak() {
    let store = filled();
    let found = store.json("features leaks eta --rows rows.csv");
    assert_eq!((&found["clean"], &found["rows"]), (&json!(false), &json!(5)));
    let (code, error) = store.refused("features leaks eta --rows rows.csv --refuse");
    assert_eq!((code, &error["context"]["service"]), (2, &json!("eta@1")));
    assert_eq!(store.refused("features leaks eta --rows absent.csv").0, 4);
}

/// The file below `directory` whose path ends so.
fn find(directory: &Path, end: &str) -> std::path::PathBuf {
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => folders.push(entry),
                false if entry.ends_with(end) => return entry,
                false => {}
            }
        }
    }
    panic!("no {end}");
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
    assert!(printed.contains("features/eta@1.receipt.json"), "{printed}");
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

#[test]
fn roles_bind_what_is_done_with_features() {
    let store = filled();
    let rules = "grants: [{actor: eve, role: viewer}, {actor: ci, role: contributor}, \
                 {actor: boss, role: admin}]";
    put(&store, "access.yaml", rules);
    store.done("models access set access.yaml");
    for (args, code) in [
        ("features list --actor nobody", 2),
        ("features list --actor eve", 0),
        ("features show eta --actor eve", 0),
        ("features search trips --actor nobody", 2),
        ("features get eta driver_id=7 distance=2 --actor eve", 0),
        ("features append driver_stats stats.csv --actor eve", 2),
        ("features append driver_stats stats.csv --actor ci", 0),
        ("features compact --actor eve", 2),
        ("features compact --actor ci", 0),
        ("features erase driver driver_id=7 --dry-run --actor ci", 2),
        ("features erase driver driver_id=7 --yes --actor boss", 0),
    ] {
        let output = store.mlops(args);
        assert_eq!(output.status.code(), Some(code), "{args}: {output:?}");
    }
}

#[test]
fn the_definitions_of_the_guide_can_be_applied() {
    let store = Store::empty();
    let page = crate::page::Page::read("features.md");
    let yaml: Vec<&str> = page.text.split("```yaml\n").skip(1).collect();
    assert!(!yaml.is_empty());
    for block in yaml {
        put(&store, "features.yaml", block.split("```").next().unwrap());
        let applied = store.json("features apply features.yaml");
        assert_eq!(applied["applied"], true);
        assert_eq!(store.json("features plan features.yaml")["changes"], json!([]));
    }
}

#[test]
fn a_registry_of_feast_becomes_definitions() {
    let store = Store::empty();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let registry = root.join("mlops-features/tests/data/feast_registry.db");
    fs::copy(registry, store.path().join("registry.db")).unwrap();
    let document = store.json("features import-feast registry.db");
    assert!(!document["definitions"]["views"].as_array().unwrap().is_empty());
    assert!(!document["left"].as_array().unwrap().is_empty());
    store.done("features import-feast registry.db --out imported.yaml");
    assert_eq!(store.json("features apply imported.yaml")["applied"], true);
    assert_eq!(store.refused("features import-feast absent.db").0, 4);
    assert_eq!(store.refused("features import-feast imported.yaml").0, 2);
    assert_eq!(store.refused("features import-feast registry.db --project nope").0, 4);
    assert_eq!(store.refused("features import-feast registry.db --out registry.db").0, 2);
}

#[test]
fn an_online_store_elsewhere_must_be_compiled_in() {
    let store = filled();
    let (code, error) = store.refused("features list --online mysql://h/db");
    assert_eq!(code, 1, "{error:#}");
    assert_eq!(error["kind"], "unsupported");
    assert!(error["hint"].as_str().unwrap().contains("redis"), "{error:#}");
}

#[test]
fn what_was_said_of_features_cannot_move_the_cursor() {
    let store = Store::empty();
    let evil = "owner: \"\\e[2J\", description: \"a\\e[31m\"";
    put(
        &store,
        "features.yaml",
        &format!(
            "entities: [{{name: a, {evil}, keys: [{{name: id, type: int}}]}}]\n\
             views: [{{name: v, {evil}, entities: [a], features: [{{name: f, type: int, {evil}}}]}}]\n\
             services: [{{name: s, {evil}, views: [{{view: v}}]}}]"
        ),
    );
    for args in [
        "features apply features.yaml",
        "features list",
        "features show a",
        "features show v",
        "features show s",
        "features search f",
    ] {
        let output = store.mlops(args);
        let printed =
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{printed}");
        assert!(!printed.contains('\u{1b}'), "{args}: {printed:?}");
    }
}
