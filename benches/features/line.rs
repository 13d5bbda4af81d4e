//! One JSON line a figure, with the fields that the peers' scripts print.

use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::{Cost, cpu, round};

/// Prints one figure.
pub(crate) fn line(bench: &str, what: &str, fields: Value) {
    let mut line = json!({
        "bench": bench,
        "engine": format!("mlops {} {what}", env!("CARGO_PKG_VERSION")),
        "load1": load(),
    });
    if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
        line.extend(fields);
    }
    println!("{line}");
}

/// A figure of so many rows that were written.
pub(crate) fn written(bench: &str, what: &str, rows: u64, cost: Cost, fields: Value) {
    let mut all = json!({
        "rows": rows,
        "cpu_s": round(cost.cpu, 4),
        "wall_s": round(cost.wall, 4),
        "rows_per_cpu_s": (rows as f64 / cost.cpu) as u64,
        "rows_per_s": (rows as f64 / cost.wall) as u64,
    });
    if let (Value::Object(all), Value::Object(fields)) = (&mut all, fields) {
        all.extend(fields);
    }
    line(bench, what, all);
}

/// Measures what awaits.
pub(crate) struct Watch {
    wall: Instant,
    cpu: f64,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    pub(crate) fn read(&self) -> Cost {
        Cost { wall: self.wall.elapsed().as_secs_f64(), cpu: cpu() - self.cpu }
    }
}

/// How busy the machine is.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}
