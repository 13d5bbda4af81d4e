//! Killing the process in the middle of appending, compacting, materializing and pushing: what was
//! acknowledged is there, nothing is there twice, and both sides still answer alike.
//!
//! A child (this same test binary) works on a store and acknowledges over a pipe. The parent kills it
//! with SIGKILL at a random moment, opens the store again and compares with what must be there.
//! `MLOPS_CRASH_ROUNDS` sets how often.

#![cfg(feature = "features")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, UInt64Type};
use futures::TryStreamExt;
use futures::executor::block_on;
use mlops::feature_store::Features;
use mlops::features::{
    Append, Compaction, Definitions, EntityRows, FeatureName, FeatureStore, Historical,
    Materialize, Scan, ServiceRef, Table,
};
use mlops::{Key, Workspace};

const CHILD: &str = "MLOPS_FEATURES_CHILD";
const ROWS: i64 = 40;
const KEYS: i64 = 7;

const DEFINITIONS: &str = "
entities: [{name: car, keys: [{name: car_id, type: int}]}]
views:
  - {name: state, entities: [car], features: [{name: batch, type: int}, {name: number, type: int}]}
  - name: events
    entities: [car]
    features:
      - {name: n, type: int, column: number, aggregate: {function: count, window: 90d, input: int}}
      - {name: total, type: int, column: number, aggregate: {function: sum, window: 90d}}
services: [{name: all, views: [{view: state}, {view: events}]}]
";

/// The instant when the first child began, in a file, because the windows are of days before now.
fn start(dir: &Path) -> i64 {
    let file = dir.join("start");
    if !file.exists() {
        let now = mlops::time::Clock::now_micros(&mlops::time::SystemClock);
        std::fs::write(&file, (now - 3_600_000_000).to_string()).unwrap();
    }
    std::fs::read_to_string(file).unwrap().parse().unwrap()
}

fn batch(start: i64, number: i64) -> RecordBatch {
    let rows = 0..ROWS;
    let ints = |f: &dyn Fn(i64) -> i64| -> ArrayRef {
        Arc::new(rows.clone().map(|row| Some(f(row))).collect::<Int64Array>())
    };
    // Batches come in any order of event time.
    let times: TimestampMicrosecondArray =
        rows.clone().map(|row| Some(start + ((number * 7) % 1_000) * 1_000_000 + row)).collect();
    RecordBatch::try_from_iter([
        ("car_id", ints(&|row| row % KEYS)),
        ("event_time", Arc::new(times) as ArrayRef),
        ("batch", ints(&|_| number)),
        ("number", ints(&|row| number * ROWS + row)),
    ])
    .unwrap()
}

fn view(name: &str) -> FeatureName {
    name.parse().unwrap()
}

fn token(number: i64) -> Append {
    Append::default().with_token(Key::new(format!("batch-{number}")).unwrap())
}

async fn open(dir: &Path) -> Features {
    let ws = Workspace::open(dir.join("mlops")).await.unwrap();
    let features = ws.features().await.unwrap();
    let plan = features.plan(&Definitions::from_yaml(DEFINITIONS).unwrap()).await.unwrap();
    if !plan.is_empty() {
        features.apply(&plan).await.unwrap();
    }
    features
}

/// What the child does until it is killed; each batch goes to both views.
async fn work(dir: &Path, first: i64) {
    let (features, start) = (open(dir).await, start(dir));
    let mut out = std::io::stdout();
    for number in first.. {
        for name in ["state", "events"] {
            let name = view(name);
            if number % 3 == 0 {
                features.push(&name, batch(start, number), token(number)).await.unwrap();
            } else {
                features.append(&name, batch(start, number), token(number)).await.unwrap();
            }
        }
        writeln!(out, "@batch {number}").unwrap();
        if number % 4 == 1 {
            features.materialize(Materialize::default()).await.unwrap();
        }
        if number % 5 == 2 {
            let registered = features.registered().await.unwrap();
            for record in registered.views.values() {
                let all = Compaction::default().full().with_grace(0);
                features.offline().compact(&record.last().table, all).await.unwrap();
            }
        }
    }
}

#[test]
fn child() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let first = std::env::var("MLOPS_FEATURES_FIRST").unwrap().parse().unwrap();
    block_on(work(Path::new(&dir), first));
}

fn run_and_kill(dir: &Path, first: i64, round: u64) -> i64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, dir)
        .env("MLOPS_FEATURES_FIRST", first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let number = |line: &str| line.strip_prefix("@batch ").map(|n| n.parse::<i64>().unwrap());
    // At least one batch, then a random moment of what follows.
    let mut last = lines.by_ref().find_map(|line| number(&line)).expect("the child works");
    std::thread::sleep(Duration::from_micros((round * 7_919_777) % 400_000));
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines {
        last = number(&line).unwrap_or(last);
    }
    last
}

/// Rows of a view's log, by batch; and that no place is given twice.
async fn log(features: &Features, table: &Table) -> BTreeMap<i64, usize> {
    let mut rows = BTreeMap::new();
    let mut places = Vec::new();
    let mut batches = features.offline().scan(table, Scan::default()).await.unwrap();
    while let Some(batch) = batches.try_next().await.unwrap() {
        let numbers = batch.column_by_name("number").unwrap().as_primitive::<Int64Type>();
        for number in numbers.values() {
            *rows.entry(number / ROWS).or_default() += 1;
        }
        let seq = batch.column_by_name(Table::SEQ).unwrap().as_primitive::<UInt64Type>();
        places.extend_from_slice(seq.values());
    }
    places.sort_unstable();
    assert!(
        places.iter().zip(0..).all(|(place, n)| *place == n),
        "no place twice, and none left out"
    );
    rows
}

async fn check(dir: &Path, acknowledged: i64, round: u64) -> i64 {
    let (features, start) = (open(dir).await, start(dir));
    let registered = features.registered().await.unwrap();
    let mut next = acknowledged + 1;
    for record in registered.views.values() {
        let rows = log(&features, &record.last().table).await;
        assert!(
            rows.values().all(|n| *n == ROWS as usize),
            "round {round}: a batch is whole: {rows:?}"
        );
        let there = rows.keys().copied().collect::<Vec<_>>();
        assert!(there.iter().zip(0..).all(|(batch, n)| *batch == n), "round {round}: {there:?}");
        let last = *there.last().unwrap();
        assert!(last >= acknowledged && last <= acknowledged + 1, "round {round}");
        next = next.max(last + 1);
    }
    // What was cut off is done again: the token says whether it had been done.
    for name in ["state", "events"] {
        features.append(&view(name), batch(start, next - 1), token(next - 1)).await.unwrap();
    }
    features.materialize(Materialize::default()).await.unwrap();
    let cars: ArrayRef = Arc::new((0..KEYS).map(Some).collect::<Int64Array>());
    let asking = RecordBatch::try_from_iter([("car_id", Arc::clone(&cars))]).unwrap();
    let now = mlops::time::Clock::now(&mlops::time::SystemClock);
    let service: ServiceRef = "all".parse().unwrap();
    let online = features.online(&service, &asking, now).await.unwrap();
    let times = TimestampMicrosecondArray::from(vec![now.timestamp_micros(); KEYS as usize]);
    let asking =
        RecordBatch::try_from_iter([("car_id", cars), ("event_time", Arc::new(times) as _)]);
    let rows = EntityRows::new(asking.unwrap());
    let offline = features.historical(&service, rows, Historical::default()).await.unwrap();
    for (field, column) in online.batch.schema().fields().iter().zip(online.batch.columns()) {
        let other = offline.batch.column_by_name(field.name()).unwrap();
        assert_eq!(column, other, "round {round}: {}", field.name());
        assert_eq!(column.null_count(), 0, "round {round}: {}", field.name());
    }
    // Each row of each batch is an event, once.
    for (column, expected) in [("n", &(|_| 1_i64) as &dyn Fn(i64) -> i64), ("total", &|row| row)] {
        let got = online.batch.column_by_name(column).unwrap().as_primitive::<Int64Type>();
        for car in 0..KEYS {
            let of_car = (0..ROWS * next).filter(|row| row % ROWS % KEYS == car);
            let sum: i64 = of_car.map(expected).sum();
            assert_eq!(got.value(car as usize), sum, "round {round}: {column} of car {car}");
        }
    }
    next
}

#[test]
fn nothing_is_lost_and_nothing_doubled_by_sigkill() {
    let rounds = std::env::var("MLOPS_CRASH_ROUNDS").map_or(12, |n| n.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut next = 0;
    for round in 0..rounds {
        let acknowledged = run_and_kill(dir.path(), next, round);
        next = block_on(check(dir.path(), acknowledged, round));
    }
    println!("{rounds} kills, {next} batches");
}
