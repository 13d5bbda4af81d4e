//! What the benches share: clocks, rounds, and one JSON line a figure.
//!
//! CPU seconds are those of the whole process, its writer and worker threads included; they are what
//! may be compared on a noisy machine. A figure is the round with the median CPU time, so one burst of
//! somebody else's work does not make it.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints and may stop")]
#![allow(dead_code, reason = "each bench takes what it needs")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use futures::executor::block_on;
use mlops::Workspace;
use serde_json::{Value, json};

/// Prints one figure.
pub(crate) fn figure(operation: &str, n: u64, cost: &Cost, extra: Value) {
    let mut line = json!({
        "peer": "mlops",
        "version": env!("CARGO_PKG_VERSION"),
        "backend": "sqlite",
        "op": operation,
        "n": n,
        "wall_s": round(cost.wall, 9),
        "cpu_s": round(cost.cpu, 9),
        "cpu_us_per_unit": round(cost.cpu / n as f64 * 1e6, 4),
    });
    if let (Value::Object(line), Value::Object(extra)) = (&mut line, extra) {
        line.extend(extra);
    }
    println!("{line}");
}

pub(crate) fn round(value: f64, digits: i32) -> f64 {
    (value * 10f64.powi(digits)).round() / 10f64.powi(digits)
}

/// Seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

/// CPU seconds of the process so far.
pub(crate) fn cpu() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (Cost, T) {
    let (wall, before) = (Instant::now(), cpu());
    let done = work();
    (Cost { wall: wall.elapsed().as_secs_f64(), cpu: cpu() - before }, done)
}

/// The round with the median CPU time.
pub(crate) fn median<T>(rounds: usize, mut work: impl FnMut() -> T) -> (Cost, T) {
    median_of(rounds, || (), |()| work())
}

/// The round with the median CPU time, where something has to be made for each first.
pub(crate) fn median_of<P, T>(
    rounds: usize,
    mut prepare: impl FnMut() -> P,
    mut work: impl FnMut(P) -> T,
) -> (Cost, T) {
    let mut round = || {
        let prepared = prepare();
        timed(|| work(prepared))
    };
    let mut all: Vec<(Cost, T)> = (0..rounds).map(|_| round()).collect();
    all.sort_by(|a, b| a.0.cpu.total_cmp(&b.0.cpu));
    all.swap_remove(rounds / 2)
}

/// Rounds that laps are divided into.
const ROUNDS: usize = 5;

/// Costs of many short operations, with work between them that does not count.
#[derive(Debug)]
pub(crate) struct Laps {
    /// How many operations a lap has: the clocks cost about a microsecond a lap.
    per: usize,
    costs: Vec<Cost>,
}

impl Laps {
    /// Laps of `per` operations each.
    pub(crate) fn of(per: usize) -> Self {
        Self { per, costs: Vec::new() }
    }

    /// Times one lap.
    pub(crate) fn lap<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (cost, done) = timed(work);
        self.costs.push(cost);
        done
    }

    /// Prints the figure of the median round: CPU time a unit is the round's mean, wall times are
    /// percentiles of all laps.
    pub(crate) fn figure(self, operation: &str, extra: Value) {
        let size = (self.costs.len() / ROUNDS).max(1);
        let sum = |part: fn(&Cost) -> f64, costs: &[Cost]| costs.iter().map(part).sum::<f64>();
        let mut rounds: Vec<Cost> = self
            .costs
            .chunks_exact(size)
            .map(|costs| Cost { wall: sum(|c| c.wall, costs), cpu: sum(|c| c.cpu, costs) })
            .collect();
        rounds.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
        let mut walls: Vec<f64> = self.costs.iter().map(|c| c.wall / self.per as f64).collect();
        walls.sort_by(f64::total_cmp);
        let at = |share: f64| round(walls[(share * (walls.len() - 1) as f64) as usize] * 1e6, 2);
        let mut line = json!({ "rounds": rounds.len(), "p50_us": at(0.5), "p99_us": at(0.99) });
        if let (Value::Object(line), Value::Object(extra)) = (&mut line, extra) {
            line.extend(extra);
        }
        figure(operation, (size * self.per) as u64, &rounds[rounds.len() / 2], line);
    }
}

/// The process's peak memory, in MB.
pub(crate) fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
}

pub(crate) fn fresh() -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    let ws = block_on(Workspace::open(dir.path().join("mlops"))).unwrap();
    (dir, ws)
}

/// A directory in memory if there is such a place: filling a large store durably would take minutes.
pub(crate) fn in_memory() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    let base: PathBuf = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(base).unwrap()
}

pub(crate) fn start(ws: &Workspace) -> mlops::ActiveRun {
    block_on(ws.run("bench").unwrap().without_capture().start()).unwrap()
}

/// The next number in 0..1 of a fixed sequence.
pub(crate) fn noise(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 11) as f64 / (1u64 << 53) as f64
}
