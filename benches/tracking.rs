//! What tracking costs on the embedded store, one JSON line a figure.
//!
//! ```text
//! cargo bench --bench tracking [-- NAME …]
//! ```
//!
//! CPU seconds are those of the whole process, the run's writer thread included; they are what may be
//! compared on a noisy machine. The same figures of MLflow: `benches/peers/tracking`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints and may stop")]

mod harness;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use allocation_counter::measure;
use futures::executor::block_on;
use mlops::tracking::{
    CreateRun, HistoryQuery, MetricChunk, MetricPoint, MetricSummary, Origin, RunChanges, RunQuery,
    RunStatus,
};
use mlops::{ExperimentName, Key, RunId, SpoolId, Workspace};
use serde_json::json;

use harness::{Cost, cpu, figure, fresh, in_memory, median, noise, peak_mb, round, start, timed};

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if let [role, dir, count] = &arguments[..]
        && role == "child"
    {
        return log_as_child(Path::new(dir), count.parse().unwrap());
    }
    let benches: [(&str, fn()); 8] = [
        ("open", open),
        ("log_metric", log_metric),
        ("million", million),
        ("size", size),
        ("writes", writes),
        ("history", history),
        ("processes", processes),
        ("search", search),
    ];
    for (name, bench) in benches {
        if arguments.is_empty() || arguments.iter().any(|a| a == name) {
            bench();
        }
    }
}

fn open() {
    let before = peak_mb();
    let (cost, _) = median(15, || {
        let (dir, ws) = fresh();
        block_on(ws.experiment(&ExperimentName::new("bench").unwrap())).unwrap();
        dir
    });
    figure(
        "open_fresh_store+create_experiment",
        1,
        &cost,
        json!({
            "rss_mb": round(peak_mb(), 1), "rss_mb_before": round(before, 1),
        }),
    );
    let (dir, ws) = fresh();
    drop(ws);
    let (cost, _) = median(15, || block_on(Workspace::open(dir.path().join("mlops"))).unwrap());
    figure("open_existing_store", 1, &cost, json!({}));
}

fn log_metric() {
    let (_dir, ws) = fresh();
    let run = start(&ws);
    run.log_metric("loss", 0.5, 0).unwrap();
    run.flush().unwrap_flush();
    let mut seed = 1;
    // Blocks of 100 calls, so that the clock costs little; the median block.
    let mut blocks: Vec<f64> = (0..2_000)
        .map(|block| {
            let begin = Instant::now();
            for i in 0..100 {
                run.log_metric("loss", noise(&mut seed), block * 100 + i).unwrap();
            }
            begin.elapsed().as_secs_f64() / 100.0
        })
        .collect();
    blocks.sort_by(f64::total_cmp);
    let at = |share: f64| round(blocks[(share * 1_999.0) as usize] * 1e9, 1);
    let cost = Cost { wall: blocks[1_000], cpu: blocks[1_000] };
    run.flush().unwrap_flush();
    let allocations = measure(|| {
        for i in 0..1_000 {
            run.log_metric("loss", 0.5, i).unwrap();
        }
    });
    figure(
        "log_metric",
        1,
        &cost,
        json!({
            "p50_ns": at(0.5), "p99_ns": at(0.99), "allocations_per_1000": allocations.count_total,
            "durability": "survives SIGKILL when it returns; power loss after flush",
        }),
    );
    let mut single: Vec<u64> = (0..100_000)
        .map(|i| {
            let begin = Instant::now();
            run.log_metric("loss", 0.25, i).unwrap();
            begin.elapsed().as_nanos() as u64
        })
        .collect();
    single.sort_unstable();
    let clock = {
        let begin = Instant::now();
        for _ in 0..100_000 {
            std::hint::black_box(Instant::now());
        }
        begin.elapsed().as_nanos() as f64 / 1e5
    };
    figure(
        "log_metric_single_call",
        1,
        &Cost { wall: single[50_000] as f64 / 1e9, cpu: 0.0 },
        json!({
            "p50_ns": single[50_000], "p99_ns": single[99_000], "p999_ns": single[99_900],
            "max_us": single[99_999] / 1_000, "of_which_clock_ns": clock.round(),
        }),
    );
    block_on(run.finish()).unwrap();
}

trait UnwrapFlush {
    fn unwrap_flush(self);
}

impl<F: Future<Output = mlops::Result<()>>> UnwrapFlush for F {
    fn unwrap_flush(self) {
        block_on(self).unwrap();
    }
}

fn million() {
    for keys in [1, 20] {
        let names: Vec<String> = (0..keys).map(|k| format!("metric/{k}")).collect();
        let (cost, _) = median(3, || {
            let (dir, ws) = fresh();
            let run = start(&ws);
            let mut seed = 1;
            for i in 0..1_000_000_usize {
                let value = 1.0 / (i as f64 + 1.0) + 0.01 * noise(&mut seed);
                run.log_metric(&names[i % keys], value, (i / keys) as i64).unwrap();
            }
            run.flush().unwrap_flush();
            (dir, run, ws)
        });
        figure("log_1M_points+flush", 1_000_000, &cost, json!({ "keys": keys }));
    }
    let (_dir, ws) = fresh();
    let run = start(&ws);
    for i in 0..1_000_000_i64 {
        run.log_metric("loss", 1.0 / (i as f64 + 1.0), i).unwrap();
    }
    let (cost, ()) = timed(|| block_on(run.finish()).unwrap());
    figure("finish+seal_after_1M_points", 1, &cost, json!({}));
}

/// Curves as training makes them: one step in about 50 ms.
fn size() {
    #[expect(clippy::type_complexity, reason = "a name and a function")]
    let shapes: [(&str, fn(i64, f64) -> f64); 4] = [
        // What frameworks compute in: single precision.
        ("f32 loss with noise", |i, n| {
            f64::from((2.0 / (1.0 + i as f64 / 500.0) + 0.1 * n) as f32)
        }),
        ("f64 loss with noise", |i, n| 2.0 / (1.0 + i as f64 / 500.0) + 0.1 * n),
        ("accuracy of 10,000 samples", |i, n| {
            ((1.0 - (-(i as f64) / 2_000.0).exp()) * 9_900.0 + 50.0 * n).round() / 10_000.0
        }),
        ("learning rate, stepped", |i, _| 0.1 * 0.5_f64.powi((i / 1_000) as i32)),
    ];
    for (name, shape) in shapes {
        let (dir, ws) = fresh();
        let run = start(&ws);
        let (mut seed, mut time) = (1, 1_790_000_000_000_000_i64);
        for step in 0..100_000 {
            time += 50_000 + (2_000.0 * noise(&mut seed)) as i64;
            let value = shape(step, noise(&mut seed) - 0.5);
            run.log_metric_at("loss", MetricPoint { step, time_micros: time, value }).unwrap();
        }
        let (cost, ()) = timed(|| block_on(run.finish()).unwrap());
        let bytes = folder_bytes(&dir.path().join("mlops/blobs"));
        figure(
            "size_sealed_100k_points",
            100_000,
            &cost,
            json!({
                "curve": name, "bytes_per_point": round(bytes as f64 / 1e5, 2),
            }),
        );
    }
}

fn folder_bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folder_bytes(&entry.path())
            } else {
                entry.metadata().unwrap().len()
            }
        })
        .sum()
}

fn writes() {
    let (_dir, ws) = fresh();
    let run = start(&ws);
    let (cost, ()) = timed(|| {
        for i in 0..500 {
            block_on(run.log_param(&format!("p{i}"), i)).unwrap();
        }
    });
    figure("durable_param", 500, &cost, json!({ "keys": "new to the store" }));
    let second = start(&ws);
    let (cost, ()) = timed(|| {
        for i in 0..500 {
            block_on(second.log_param(&format!("p{i}"), i)).unwrap();
        }
    });
    figure("durable_param", 500, &cost, json!({ "keys": "known from an earlier run" }));
    let (cost, ()) = timed(|| {
        for i in 0..500 {
            block_on(run.set_tag("phase", format!("{i}"))).unwrap();
        }
    });
    figure("durable_tag", 500, &cost, json!({}));
    let (cost, ()) = timed(|| {
        for i in 0..200 {
            block_on(run.log_artifact(&format!("a/{i}"), vec![i as u8; 1_000])).unwrap();
        }
    });
    figure("artifact_1kB", 200, &cost, json!({}));
    let (dir, ws) = fresh();
    let runs = 300;
    let (cost, ()) = timed(|| {
        for n in 0..runs {
            let mut builder = ws.run("bench").unwrap().without_capture();
            for i in 0..10 {
                builder = builder.param(&format!("p{i}"), i * n).unwrap();
            }
            for i in 0..4 {
                builder = builder.tag(&format!("tag{i}"), format!("v{}", n % 11)).unwrap();
            }
            let run = block_on(builder.start()).unwrap();
            let names: Vec<String> = (0..10).map(|i| format!("m{i}")).collect();
            let metrics: Vec<(&str, f64)> =
                names.iter().map(|name| (name.as_str(), 0.1 * f64::from(n))).collect();
            run.log_metrics(0, &metrics).unwrap();
            block_on(run.finish()).unwrap();
        }
    });
    let bytes = std::fs::metadata(dir.path().join("mlops/metadata.db")).unwrap().len();
    figure(
        "run_with_10p_10m_4t_start+finish",
        runs as u64,
        &cost,
        json!({
            "bytes_per_run": bytes / runs as u64,
        }),
    );
    let id = block_on(ws.search("", &[])).unwrap()[0].id;
    let (cost, _) = median(101, || block_on(ws.tracker().run(id)).unwrap());
    figure("get_run", 1, &cost, json!({}));
}

fn history() {
    for points in [100_000, 1_000_000] {
        let (_dir, ws) = fresh();
        let run = start(&ws);
        let mut seed = 1;
        for i in 0..points {
            run.log_metric("loss", noise(&mut seed), i).unwrap();
        }
        for (state, finish) in [("flushed", false), ("sealed", true)] {
            if finish {
                block_on(run.finish()).unwrap();
            } else {
                run.flush().unwrap_flush();
            }
            let key = Key::new("loss").unwrap();
            let all = HistoryQuery::default();
            let (cost, got) =
                median(9, || block_on(ws.metric_history(run.id(), &key, &all)).unwrap().len());
            assert_eq!(got as i64, points);
            figure("metric_history", points as u64, &cost, json!({ "state": state }));
            let thin = HistoryQuery::default().with_max_points(1_000);
            let (cost, got) =
                median(9, || block_on(ws.metric_history(run.id(), &key, &thin)).unwrap().len());
            figure(
                "metric_history_at_most_1000",
                points as u64,
                &cost,
                json!({
                    "state": state, "points": got,
                }),
            );
        }
    }
}

fn log_as_child(dir: &Path, count: i64) {
    let ws = block_on(Workspace::open(dir)).unwrap();
    let run = start(&ws);
    for i in 0..count {
        run.log_metric("loss", i as f64, i).unwrap();
    }
    block_on(run.finish()).unwrap();
    println!("{}", cpu());
}

fn processes() {
    let (dir, ws) = fresh();
    let (count, children) = (100_000_u64, 16_u64);
    let (cost, cpu) = timed(|| {
        let running: Vec<_> = (0..children)
            .map(|_| {
                Command::new(std::env::current_exe().unwrap())
                    .args(["child", dir.path().join("mlops").to_str().unwrap(), &count.to_string()])
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let mut cpu = 0.0;
        for mut child in running {
            let out = BufReader::new(child.stdout.take().unwrap());
            cpu += out.lines().next().unwrap().unwrap().parse::<f64>().unwrap();
            assert!(child.wait().unwrap().success());
        }
        cpu
    });
    let runs = block_on(ws.search("status = 'finished'", &[])).unwrap();
    let stored: u64 = runs.iter().map(|run| run.metrics["loss"].count).sum();
    assert_eq!(stored, count * children, "no point is lost");
    figure(
        "16_processes_100k_points_each",
        stored,
        &Cost { cpu, ..cost },
        json!({
            "points_per_wall_s": (stored as f64 / cost.wall).round(),
        }),
    );
}

/// Makes `count` finished runs as in MLflow's figures: ten metrics, ten params, five tags.
fn populate(ws: &Workspace, count: usize) {
    let experiment = block_on(ws.experiment(&ExperimentName::new("search").unwrap())).unwrap().id;
    let mut seed = 0;
    let key = |text: String| Key::new(text).unwrap();
    for i in 0..count {
        let micros = 1_790_000_000_000_000 + i as i64 * 1_000;
        let id = RunId::generate(micros);
        let mut create = CreateRun::new(id, experiment)
            .with_name(format!("r{i}").parse().unwrap())
            .with_started(mlops::time::from_micros(micros).unwrap())
            .with_param(key("lr".into()), format!("{}", 10f64.powi(-((i % 5) as i32))))
            .with_tag(key("team".into()), format!("t{}", i % 7));
        for k in 0..9 {
            create = create.with_param(key(format!("p{k}")), (i * k).to_string());
        }
        for k in 0..4 {
            create = create.with_tag(key(format!("tag{k}")), format!("v{}", i % 11));
        }
        block_on(ws.tracker().create_run(create)).unwrap();
        let names = std::iter::once("acc".to_owned()).chain((0..9).map(|k| format!("m{k}")));
        let summaries = names.map(|name| {
            let point = MetricPoint { step: 0, time_micros: micros, value: noise(&mut seed) };
            (key(name), MetricSummary::of(point))
        });
        let chunk = MetricChunk {
            origin: Origin { spool: SpoolId::generate(micros), first: 0, count: 10 },
            codec: 1,
            bytes: vec![0; 290].into(),
            steps: 0..=0,
            times_micros: micros..=micros,
            summaries: summaries.collect(),
        };
        let ended = mlops::time::from_micros(micros + 5_000).unwrap();
        let changes = RunChanges::default()
            .with_metrics(chunk)
            .with_status(RunStatus::Finished)
            .with_ended(ended);
        block_on(ws.tracker().update_run(id, changes)).unwrap();
    }
}

fn search() {
    for count in [10_000, 100_000] {
        let dir = in_memory();
        let path: PathBuf = dir.path().join("mlops");
        let ws = block_on(Workspace::open(&path)).unwrap();
        let (cost, ()) = timed(|| populate(&ws, count));
        let bytes = std::fs::metadata(path.join("metadata.db")).unwrap().len();
        figure("populate", count as u64, &cost, json!({ "bytes_per_run": bytes / count as u64 }));
        let all = "metrics.acc > 0.5 and params.lr = '0.1' and tags.tag0 = 'v3'";
        let cases: [(&str, &str, &[&str], usize); 8] = [
            ("metric>0.5 order desc limit100", "metrics.acc > 0.5", &["metrics.acc desc"], 100),
            ("metric+param+tag order limit100", all, &["metrics.acc desc"], 100),
            ("metric+param+tag order by start limit100", all, &[], 100),
            ("no filter limit100", "", &[], 100),
            ("best run limit1", "metrics.acc > 0.999", &["metrics.acc desc"], 1),
            ("rare param limit100", "params.p8 = '80'", &[], 100),
            (
                "or, not, in, between",
                "(params.lr > 0.05 or tags.team in ('t1', 't2')) and not metrics.acc between 0.1 and 0.9",
                &["params.p3"],
                100,
            ),
            (
                "order by param limit100",
                "metrics.acc > 0.9",
                &["params.p3", "metrics.m1 desc"],
                100,
            ),
        ];
        for (name, filter, order, limit) in cases {
            let query = RunQuery::parse(filter, order).unwrap().with_limit(limit);
            let (cost, rows) =
                median(9, || block_on(ws.tracker().search_runs(&query)).unwrap().items.len());
            figure(&format!("search:{name}"), 1, &cost, json!({ "runs": count, "rows": rows }));
        }
        let query = RunQuery::parse(all, &[]).unwrap();
        let (cost, rows) = median(9, || block_on(ws.tracker().count_runs(&query)).unwrap());
        figure("count:metric+param+tag", 1, &cost, json!({ "runs": count, "rows": rows }));
        let query = RunQuery::parse("metrics.acc > 0.5", &["metrics.acc desc"]).unwrap();
        let (cost, rows) =
            timed(|| block_on(ws.search_all(query.with_limit(1_000))).unwrap().len());
        figure("search:all pages of 1000", rows as u64, &cost, json!({ "runs": count }));
    }
}
