//! What is proved, late, damaged, leaked, erased, and who may.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use mlops::Workspace;
use mlops::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use mlops::feature_store::trust::{ServingLog, ServingLogs, ServingOptions};
use mlops::time::{Clock, SystemClock};
use serde_json::{Value, json};

use super::{filled, put};

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
fn what_is_in_files_of_others_is_said_before_anything_is_erased() {
    let store = filled();
    let view = "views: [{name: weather, entities: [driver], source: {files: [w.parquet]}, \
                features: [{name: wind, type: float}]}]";
    put(&store, "files.yaml", view);
    store.done("features apply files.yaml");
    let (code, error) = store.refused("features erase driver driver_id=7 --yes");
    assert_eq!((code, &error["context"]["view"]), (1, &json!("weather@1")), "{error:#}");
    assert_eq!(store.json("features show driver_stats")["statistics"]["rows"], 4);
}

#[test]
fn redis_answers_as_the_embedded_table_does() {
    let server = match mlops_testkit::redis::RedisServer::start() {
        Ok(server) => server,
        Err(absent) if !mlops_testkit::strict() => return println!("ignored: {absent}"),
        Err(absent) => panic!("{absent}"),
    };
    let store = filled();
    let online = format!("--online {}", server.url());
    let get = "features get eta driver_id=7 distance=2 --at 2025-01-01T12:00:00Z";
    let embedded = store.json(get);
    let before = store.json(&format!("{get} {online}"));
    assert_ne!(before, embedded, "nothing is there yet");
    store.done(&format!("features materialize {online}"));
    assert_eq!(store.json(&format!("{get} {online}")), embedded);
    // Another store on the same server has rows of its own.
    let other = filled();
    assert_eq!(other.json(&format!("{get} {online}")), before);
    let (_, error) = store.refused(&format!("{get} --online redis://127.0.0.1:1/0"));
    assert_eq!(error["kind"], "unavailable", "{error:#}");
}
