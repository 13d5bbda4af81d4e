//! The same calls to MLflow 3.17.2 and to our SQLite backend, and the same questions afterwards.
//!
//! # Known differences, which the scenarios stay clear of
//! | what | MLflow | here |
//! |---|---|---|
//! | `metrics.x != 1` where x is NaN | matches | unknown, so no match |
//! | ordering by a metric | NaN comes before missing | NaN counts as missing |
//! | infinite values | clamped to ±1.797…e308 | infinite |
//! | the latest point of a metric | greatest step, then time, then value | written last |
//! | two equal points | stored once | stored twice |
//! | runs of one start | the smallest id first | the greatest id first |
//! | restoring an experiment | all its runs come back | those that went with it |
//! | a run's status in a filter | upper case only | any case |
//! | params compared with a number | refused | the number that the text is |
//! | `or`, `not`, parentheses, `in` for metrics, `is null`, `between` | refused | allowed |
//! | a deleted experiment's name | stays taken | is free |
//! | a quote or backslash in a quoted text | as its parser's version has it | doubled quote; backslash is itself |

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::executor::block_on;
use mlops::tracking::{
    CreateExperiment, CreateRun, DatasetContext, DatasetInput, ExperimentChanges, MetricPoint,
    RunChanges, RunQuery, View,
};
use mlops::{ActiveRun, ExperimentId, ExperimentName, RunId, RunName};
use serde_json::{Value, json};

use crate::peer::{self, Oracle, Unavailable};
use crate::rich::{self, Store, key};

const VERSION: &str = "3.17.2";
const SCENARIOS: u64 = 6;
const SEED: u64 = 20_260_101;
/// Milliseconds.
const START: i64 = rich::T0 / 1_000;

/// Questions that both understand. `$ID`, `$T`, `$E` stand for an id, a start and an end of the scenario.
const FILTERS: [&str; 78] = [
    "",
    "metrics.loss > 0.25",
    "metrics.loss >= 0.25",
    "metrics.loss < 0.5",
    "metrics.loss <= 0.5",
    "metrics.loss = 0.5",
    "metrics.loss != 0.5",
    "metrics.loss > -2",
    "metrics.loss < 1e3",
    "metrics.loss = 0.3333333333333333",
    "metrics.acc > 0",
    "metrics.acc != 1",
    "metrics.acc = 20000000000",
    "metrics.`val/auc` > 0.1",
    "metrics.\"val/auc\" <= 1",
    "metrics.`m m` > 0",
    "metrics.\"m m\" != 0.25",
    "metrics.nan > -1",
    "metrics.nan = 0",
    "metrics.nan < 1",
    "metrics.never > 0",
    "metrics.never != 0",
    "metric.loss > 0.1",
    "metrics.loss > 0.1 and metrics.acc > 0.1",
    "metrics.loss > 0.1 AND metrics.loss < 0.9",
    "params.lr = '0.1'",
    "params.lr = \"0.10\"",
    "params.lr != '0.1'",
    "params.lr LIKE '0.%'",
    "params.lr like '%1%'",
    "params.model = 'adam'",
    "params.model != 'adam'",
    "params.model LIKE 'a%'",
    "params.model LIKE 'A%'",
    "params.model ILIKE 'a%'",
    "params.model ILIKE '%AM'",
    "params.model LIKE 'sgd_x'",
    "params.model LIKE 'sgd%x'",
    "params.model LIKE '%'",
    "params.model LIKE '___'",
    "params.model LIKE '100%'",
    "params.model = 'ünï'",
    "params.model LIKE '_nï'",
    "params.`opt/name` = 'adam'",
    "params.\"a b\" != 'adam'",
    "param.model = 'Adam'",
    "params.never = 'x'",
    "params.never != 'x'",
    "params.lr = '0.1' and params.model = 'adam'",
    "tags.team = 'red'",
    "tags.team != 'red'",
    "tags.team LIKE 'r%'",
    "tags.team ILIKE 'R%'",
    "tags.`x.y` = '1'",
    "tags.x.y != '1'",
    "tags.stage LIKE '%_%'",
    "tags.never != 'x'",
    "tag.team = 'blue'",
    "tags.team = 'red' and metrics.loss > 0.1 and params.model ILIKE '%a%'",
    "attributes.status = 'FINISHED'",
    "attributes.status != 'FINISHED'",
    "status = 'RUNNING'",
    "attributes.status = 'KILLED'",
    "attributes.run_name = 'alpha'",
    "attributes.run_name != 'alpha'",
    "attributes.run_name LIKE 'beta%'",
    "attributes.run_name LIKE 'beta_1'",
    "attributes.run_name ILIKE 'ALPHA'",
    "run_name LIKE '%a'",
    "attributes.user_id = 'ada'",
    "attributes.user_id != 'ada'",
    "attributes.run_id = '$ID'",
    "attributes.run_id != '$ID'",
    "attributes.start_time > $T",
    "attributes.start_time <= $T and status = 'FINISHED'",
    "attributes.start_time = $T",
    "attributes.end_time > $E",
    "attributes.end_time <= $E",
];

const ORDERS: [&str; 18] = [
    "",
    "metrics.loss",
    "metrics.loss DESC",
    "metrics.acc ASC",
    "metrics.`val/auc` DESC",
    "metrics.never",
    "params.model",
    "params.model DESC",
    "params.lr ASC",
    "tags.team",
    "tags.team DESC",
    "attributes.start_time ASC",
    "start_time DESC",
    "attributes.end_time",
    "attributes.end_time DESC",
    "attributes.run_name",
    "attributes.run_name DESC",
    "attributes.status",
];

/// Splitmix64: a few lines, and the same on every machine.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

pub(crate) fn searches() -> Result<(), Unavailable> {
    let python = peer::peer_python(VERSION)?;
    let number = |name: &str, usual| {
        peer::setting(name).map_or(usual, |text| text.parse().expect("a number"))
    };
    let scenarios = number("MLOPS_MLFLOW_SCENARIOS", SCENARIOS);
    let seed = number("MLOPS_MLFLOW_SEED", SEED);
    let mut oracle = Oracle::start(&python, VERSION);
    let (mut questions, mut matched) = (0, HashSet::new());
    let started = std::time::Instant::now();
    for scenario in 0..scenarios {
        oracle.tell(json!({ "cmd": "reset" }));
        block_on(async {
            let mut pair = Pair::new(&mut oracle, seed ^ (scenario << 32)).await;
            pair.write().await;
            pair.compare_runs().await;
            questions += pair.search(&mut matched).await;
        });
    }
    let secs = started.elapsed().as_secs_f64();
    let (of, found) = (FILTERS.len(), matched.len());
    println!(
        "{scenarios} scenarios, {questions} searches in {secs:.1} s; {found} of {of} found runs"
    );
    assert!(found * 10 > of * 8, "most questions must be about something");
    Ok(())
}

/// A run on both sides.
struct Twin {
    id: RunId,
    handle: Option<ActiveRun>,
    deleted: bool,
    params: BTreeMap<&'static str, &'static str>,
    /// The next step and time of each metric: they only grow, so that both call the same point latest.
    next: HashMap<&'static str, (i64, i64)>,
}

struct Pair<'a> {
    oracle: &'a mut Oracle,
    store: Store,
    rng: Rng,
    experiments: Vec<(String, ExperimentId)>,
    runs: Vec<Twin>,
}

impl<'a> Pair<'a> {
    async fn new(oracle: &'a mut Oracle, seed: u64) -> Self {
        let (store, rng) = (rich::empty().await, Rng(seed));
        Self { oracle, store, rng, experiments: Vec::new(), runs: Vec::new() }
    }

    async fn write(&mut self) {
        for name in ["first", "second"] {
            let theirs = self.oracle.ask(json!({ "cmd": "create_experiment", "name": name }));
            let name = ExperimentName::new(name).unwrap();
            let options = CreateExperiment::default();
            let ours = self.store.ws.tracker().create_experiment(&name, options).await.unwrap();
            self.experiments.push((theirs.as_str().unwrap().to_owned(), ours.id));
        }
        for i in 0..8 + self.rng.below(7) {
            self.create(i).await;
            for _ in 0..8 + self.rng.below(14) {
                let run = self.rng.below(self.runs.len() as u64) as usize;
                self.step(run).await;
            }
        }
        if self.rng.one_in(3) {
            // Takes its live runs along, on both sides.
            let (theirs, ours) = self.experiments[1].clone();
            for run in &mut self.runs {
                run.handle = None;
            }
            self.end_all().await;
            self.oracle.tell(json!({ "cmd": "delete_experiment", "experiment": theirs }));
            let delete = ExperimentChanges::delete();
            self.store.ws.tracker().update_experiment(ours, delete).await.unwrap();
        }
    }

    /// A handle that is dropped kills its run here; MLflow is told.
    async fn end_all(&mut self) {
        for i in 0..self.runs.len() {
            let run = self.store.ws.tracker().run(self.runs[i].id).await.unwrap();
            if run.status == mlops::tracking::RunStatus::Killed {
                let end = run.ended.unwrap().timestamp_millis();
                let changes = RunChanges::default()
                    .with_ended(mlops::time::from_micros(end * 1_000).unwrap());
                if run.deleted.is_none() {
                    rich::change(&self.store.ws, run.id, changes).await;
                    self.oracle.tell(json!({ "cmd": "set_terminated", "run": run.id,
                        "status": "KILLED", "end_time": end }));
                }
            }
        }
    }

    async fn create(&mut self, i: u64) {
        // No two starts are the same: what comes after them in an order differs.
        let started = START + (i as i64 * 7_919 + 3) % 101 * 1_000 + i as i64;
        let name = *self.rng.pick(&["alpha", "Alpha", "beta_1", "betaX1", "beta", "ünï"]);
        let user = *self.rng.pick(&["ada", "Ada", "bob"]);
        let (theirs, ours) = self.rng.pick(&self.experiments).clone();
        let made = self.oracle.ask(json!({ "cmd": "create_run", "experiment": theirs,
            "run_name": name, "start_time": started, "tags": { "mlflow.user": user } }));
        let id: RunId = made["run_id"].as_str().unwrap().parse().unwrap();
        let options = CreateRun::new(id, ours)
            .with_name(RunName::new(name).unwrap())
            .with_user(user)
            .with_started(mlops::time::from_micros(started * 1_000).unwrap());
        let handle = Some(rich::start(&self.store.ws, options).await);
        let (params, next) = (BTreeMap::new(), HashMap::new());
        self.runs.push(Twin { id, handle, deleted: false, params, next });
    }

    /// One random call, on both sides.
    async fn step(&mut self, run: usize) {
        let id = self.runs[run].id;
        if self.runs[run].deleted {
            if self.rng.one_in(3) {
                self.oracle.tell(json!({ "cmd": "restore_run", "run": id }));
                rich::change(&self.store.ws, id, RunChanges::default().with_deleted(false)).await;
                self.runs[run].deleted = false;
            }
            return;
        }
        let Some(handle) = self.runs[run].handle.take() else {
            if self.rng.one_in(4) {
                self.oracle.tell(json!({ "cmd": "delete_run", "run": id }));
                rich::change(&self.store.ws, id, RunChanges::default().with_deleted(true)).await;
                self.runs[run].deleted = true;
            }
            return;
        };
        match self.rng.below(24) {
            0..12 => self.log(run, &handle),
            12..17 => self.param(run, &handle).await,
            17..21 => {
                let tag = *self.rng.pick(&["team", "stage", "x.y"]);
                let value = *self.rng.pick(&["red", "Red", "blue", "1", "a_b", "50%"]);
                self.oracle
                    .tell(json!({ "cmd": "set_tag", "run": id, "key": tag, "value": value }));
                handle.set_tag(tag, value).await.unwrap();
                if self.rng.one_in(4) {
                    self.oracle.tell(json!({ "cmd": "delete_tag", "run": id, "key": tag }));
                    handle.change(RunChanges::default().without_tag(key(tag))).await.unwrap();
                }
            }
            21 | 22 => {
                let name = *self.rng.pick(&["train.csv", "Valid.csv"]);
                self.oracle.tell(json!({ "cmd": "log_inputs", "run": id, "datasets": [
                    { "name": name, "digest": "d1", "tags": { "mlflow.data.context": "train" } }] }));
                let input = DatasetInput::new(key(name), key("d1"), DatasetContext::Train);
                handle.log_input(input).await.unwrap();
            }
            _ => {
                self.end(run, handle).await;
                return;
            }
        }
        self.runs[run].handle = Some(handle);
    }

    fn log(&mut self, run: usize, handle: &ActiveRun) {
        let id = self.runs[run].id;
        let metric = *self.rng.pick(&["loss", "acc", "val/auc", "m m", "nan"]);
        for _ in 0..=self.rng.below(3) {
            let value = match metric {
                "nan" => f64::NAN,
                _ => *self.rng.pick(&[-1.5, 0.0, 0.25, 0.5, 1.0, 2e10, 1.0 / 3.0]),
            };
            let (step, time) = *self.runs[run].next.get(metric).unwrap_or(&(-3, START));
            let later = (step + self.rng.below(3) as i64, time + 1 + self.rng.below(5) as i64);
            self.runs[run].next.insert(metric, later);
            let (step, time) = later;
            self.oracle.tell(json!({ "cmd": "log_metric", "run": id, "key": metric,
                "value": rich::number(value), "timestamp": time, "step": step }));
            let point = MetricPoint { step, time_micros: time * 1_000, value };
            handle.log_metric_at(metric, point).unwrap();
        }
    }

    async fn param(&mut self, run: usize, handle: &ActiveRun) {
        let id = self.runs[run].id;
        let param = *self.rng.pick(&["lr", "model", "opt/name", "a b"]);
        let values: &[&'static str] = match param {
            "lr" => &["0.1", "0.10", "1", "0.01"],
            _ => &["adam", "Adam", "sgd_x", "sgdXx", "100%", "100", "ünï", "sgd"],
        };
        // A param is written once; repeating it is harmless on both sides.
        let value = *self.rng.pick(values);
        let value = *self.runs[run].params.entry(param).or_insert(value);
        self.oracle.tell(json!({ "cmd": "log_param", "run": id, "key": param, "value": value }));
        handle.log_param(param, value).await.unwrap();
    }

    async fn end(&mut self, run: usize, handle: ActiveRun) {
        let id = self.runs[run].id;
        let end = START + 200_000 + self.rng.below(50) as i64;
        let status = match self.rng.below(3) {
            0 => handle.finish().await.map(|()| "FINISHED").unwrap(),
            1 => handle.fail("reason").await.map(|()| "FAILED").unwrap(),
            _ => handle.kill().await.map(|()| "KILLED").unwrap(),
        };
        self.oracle.tell(json!({ "cmd": "set_terminated", "run": id, "status": status,
            "end_time": end }));
        let ended = mlops::time::from_micros(end * 1_000).unwrap();
        rich::change(&self.store.ws, id, RunChanges::default().with_ended(ended)).await;
    }

    async fn compare_runs(&mut self) {
        for run in &self.runs {
            if let Some(handle) = &run.handle {
                handle.flush().await.unwrap();
            }
        }
        for i in 0..self.runs.len() {
            let ours = self.store.ws.tracker().run(self.runs[i].id).await.unwrap();
            let theirs = self.oracle.ask(json!({ "cmd": "get_run", "run": ours.id }));
            assert_eq!(theirs["run_name"], *ours.name);
            assert_eq!(theirs["status"], ours.status.as_str().to_uppercase());
            assert_eq!(theirs["user_id"], ours.user);
            assert_eq!(theirs["start_time"], ours.started.timestamp_millis());
            assert_eq!(theirs["end_time"], json!(ours.ended.map(|e| e.timestamp_millis())));
            assert_eq!(theirs["lifecycle_stage"] == "deleted", ours.deleted.is_some());
            assert_eq!(theirs["params"], json!(ours.params));
            let mut tags = ours.tags.clone();
            tags.remove("mlops.failure");
            tags.insert(key("mlflow.user"), ours.user.clone());
            tags.insert(key("mlflow.runName"), ours.name.to_string());
            assert_eq!(theirs["tags"], json!(tags));
            let latest: BTreeMap<&str, Value> = ours
                .metrics
                .iter()
                .map(|(key, s)| {
                    let time = s.last_time_micros / 1_000;
                    (key.as_str(), json!([rich::number(s.last), time, s.last_step]))
                })
                .collect();
            assert_eq!(theirs["metrics"], json!(latest));
            let ask = |key| json!({ "cmd": "get_metric_history", "run": ours.id, "key": key });
            let histories = self.oracle.ask_all(ours.metrics.keys().map(ask).collect());
            for (metric, seen) in ours.metrics.keys().zip(histories) {
                let points = rich::history(&self.store.ws, ours.id, metric).await;
                let mut here: Vec<Value> = points
                    .iter()
                    .map(|p| json!([p.time_micros / 1_000, p.step, rich::number(p.value)]))
                    .collect();
                let mut seen = seen.as_array().unwrap().clone();
                here.sort_by_key(Value::to_string);
                seen.sort_by_key(Value::to_string);
                assert_eq!(here, seen, "{metric}");
            }
        }
    }

    /// Asks everything of both; how many questions. Notes those that found something.
    async fn search(&mut self, matched: &mut HashSet<usize>) -> usize {
        let mut filters: Vec<String> = FILTERS.iter().map(|filter| (*filter).to_owned()).collect();
        for _ in 0..20 {
            let parts = [self.rng.pick(&FILTERS[1..]), self.rng.pick(&FILTERS[1..])];
            filters.push(format!("{} and {}", parts[0], parts[1]));
        }
        let mut questions = Vec::new();
        for filter in filters {
            let run = self.rng.below(self.runs.len() as u64) as usize;
            let run = self.store.ws.tracker().run(self.runs[run].id).await.unwrap();
            let ended = run.ended.map_or(START + 200_025, |ended| ended.timestamp_millis());
            let filter = filter
                .replace("$ID", &run.id.to_string())
                .replace("$T", &run.started.timestamp_millis().to_string())
                .replace("$E", &ended.to_string());
            let mut orders = vec![*self.rng.pick(&ORDERS), *self.rng.pick(&ORDERS)];
            orders.retain(|order| !order.is_empty());
            // MLflow refuses to order by one thing twice.
            let field = |order: &str| {
                order.split(' ').next().unwrap_or_default().replace("attributes.", "")
            };
            orders.dedup_by_key(|order| field(order));
            let view = *self.rng.pick(&["ACTIVE_ONLY", "ACTIVE_ONLY", "DELETED_ONLY", "ALL"]);
            let experiments = 1 + self.rng.below(2) as usize;
            questions.push((filter, orders, view, experiments));
        }
        let asked = questions
            .iter()
            .map(|(filter, orders, view, experiments)| {
                let of: Vec<&String> =
                    self.experiments[..*experiments].iter().map(|(id, _)| id).collect();
                json!({ "cmd": "search_runs", "experiments": of, "filter": filter,
                    "order_by": orders, "view": view })
            })
            .collect();
        let answers = self.oracle.ask_all(asked);
        for (number, ((filter, orders, view, experiments), answer)) in
            questions.iter().zip(&answers).enumerate()
        {
            let mut query = RunQuery::parse(filter, orders).unwrap();
            query.view = match *view {
                "ACTIVE_ONLY" => View::Active,
                "DELETED_ONLY" => View::Deleted,
                _ => View::All,
            };
            query.experiments =
                self.experiments[..*experiments].iter().map(|(_, id)| *id).collect();
            let ours = self.store.ws.search_all(query).await.unwrap();
            let ours: Vec<String> = ours.iter().map(|run| run.id.to_string()).collect();
            assert_eq!(answer["ids"], json!(ours), "{filter:?} by {orders:?} of {view}");
            // The fixed questions come first.
            if !ours.is_empty() && number < FILTERS.len() {
                matched.insert(number);
            }
        }
        questions.len()
    }
}
