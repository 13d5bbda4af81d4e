//! Rounds of one figure, and how they are printed.

use serde_json::{Value, json};

use crate::harness::{Cost, figure, round, timed};

/// What each round cost, the cheapest first.
#[derive(Debug, Clone)]
pub(crate) struct Rounds(Vec<Cost>);

/// Does the work several times, and once before, so that what is made only once is made.
pub(crate) fn rounds(count: usize, mut work: impl FnMut()) -> Rounds {
    work();
    of(count, || timed(&mut work).0)
}

/// Takes the costs of several rounds from whoever measures them.
pub(crate) fn of(count: usize, cost: impl FnMut() -> Cost) -> Rounds {
    let mut costs: Vec<Cost> = std::iter::repeat_with(cost).take(count.max(1)).collect();
    costs.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
    Rounds(costs)
}

impl Rounds {
    /// Least CPU seconds.
    pub(crate) fn least(&self) -> f64 {
        self.0[0].cpu
    }

    /// Least wall seconds.
    pub(crate) fn least_wall(&self) -> f64 {
        self.0.iter().map(|cost| cost.wall).fold(f64::INFINITY, f64::min)
    }

    /// Prints the median round, with the least beside it.
    pub(crate) fn figure(&self, operation: &str, n: u64, extra: Value) {
        let mut line = json!({
            "backend": "arrow",
            "rounds": self.0.len(),
            "cpu_min_s": round(self.least(), 9),
            "wall_min_s": round(self.least_wall(), 9),
            "load1": load(),
        });
        if let (Value::Object(line), Value::Object(extra)) = (&mut line, extra) {
            line.extend(extra);
        }
        figure(operation, n, &self.0[self.0.len() / 2], line);
    }
}

/// How busy the machine is.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}
