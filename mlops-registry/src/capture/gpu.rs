//! NVIDIA GPUs: what they are, and how busy they are.
//!
//! Models come from the driver's files under `/proc`, which cost microseconds; memory and load only
//! from `nvidia-smi`, a process of 10 to 500 ms. It is run only where `PATH` has it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::command::{self, End};

const DRIVER: &str = "/proc/driver/nvidia";
/// How long `nvidia-smi` may take.
const LIMIT: Duration = Duration::from_secs(2);
/// Most bytes of `nvidia-smi`'s answer; a line has about 60.
const MAX_ANSWER_BYTES: usize = 64 << 10;
const MIB: f64 = 1_048_576.0;

/// A GPU that the driver shows, whether or not this process uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Gpu {
    /// The model: `NVIDIA A100-SXM4-80GB`.
    pub name: String,
    /// Its memory in bytes; `None` if only the driver's files were there to be read.
    pub memory_bytes: Option<u64>,
    /// The driver's version: `550.54.15`; `None` if it did not say.
    pub driver: Option<String>,
}

/// The load of one GPU, at one moment. A part that the GPU does not report is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GpuLoad {
    /// 0 to 100.
    pub(super) percent: Option<f64>,
    pub(super) memory_used_bytes: Option<f64>,
    /// 0 to 100.
    pub(super) memory_percent: Option<f64>,
}

/// The GPUs of this machine, in the driver's order; empty if none is visible.
pub(super) fn list(smi: Option<&Path>) -> Vec<Gpu> {
    let from_files = list_files(Path::new(DRIVER));
    if !from_files.is_empty() {
        return from_files;
    }
    smi.and_then(|smi| query(smi, "name,memory.total,driver_version"))
        .map(|answer| parse_list(&answer))
        .unwrap_or_default()
}

/// The load of each GPU in `nvidia-smi`'s order; `None` if it failed or took over two seconds.
pub(super) fn load(smi: &Path) -> Option<Vec<GpuLoad>> {
    query(smi, "utilization.gpu,memory.used,memory.total").map(|answer| parse_load(&answer))
}

/// Reads what the driver shows below `driver`, usually `/proc/driver/nvidia`.
pub(super) fn list_files(driver: &Path) -> Vec<Gpu> {
    let Ok(entries) = std::fs::read_dir(driver.join("gpus")) else {
        return Vec::new();
    };
    let version = std::fs::read_to_string(driver.join("version")).ok();
    let version = version.as_deref().and_then(driver_version);
    let mut directories: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    directories.sort();
    directories
        .iter()
        .filter_map(|directory| {
            let text = std::fs::read_to_string(directory.join("information")).ok()?;
            let model = text.lines().find_map(|line| line.strip_prefix("Model:"))?.trim();
            Some(Gpu { name: model.to_owned(), memory_bytes: None, driver: version.clone() })
        })
        .collect()
}

pub(super) fn parse_list(answer: &str) -> Vec<Gpu> {
    let rows = answer.lines().filter_map(|line| {
        let mut fields = line.rsplitn(3, ',').map(str::trim);
        let driver = fields.next()?;
        let memory = fields.next()?;
        let name = fields.next().filter(|name| !name.is_empty())?;
        let driver = driver.starts_with(|c: char| c.is_ascii_digit()).then(|| driver.to_owned());
        let memory_bytes = first_number(memory).map(|mib| (mib * MIB) as u64);
        Some(Gpu { name: name.to_owned(), memory_bytes, driver })
    });
    rows.collect()
}

pub(super) fn parse_load(answer: &str) -> Vec<GpuLoad> {
    let rows = answer.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let mut fields = line.split(',').map(first_number);
        let mut next = || fields.next().flatten();
        let (percent, used, total) = (next(), next(), next());
        let share = used.zip(total).filter(|(_, total)| *total > 0.0);
        GpuLoad {
            percent,
            memory_used_bytes: used.map(|mib| mib * MIB),
            memory_percent: share.map(|(used, total)| 100.0 * used / total),
        }
    });
    rows.collect()
}

/// The number at the start of `81920 MiB`; `None` for `[N/A]`.
fn first_number(field: &str) -> Option<f64> {
    let number: f64 = field.split_whitespace().next()?.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

/// `550.54.15` of `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar …`.
fn driver_version(text: &str) -> Option<String> {
    let words = text.lines().next()?.split_whitespace();
    let is_version = |word: &&str| {
        word.contains('.') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    words.into_iter().find(is_version).map(str::to_owned)
}

fn query(smi: &Path, fields: &str) -> Option<String> {
    let mut command = Command::new(smi);
    command.arg(format!("--query-gpu={fields}")).arg("--format=csv,noheader").env("LC_ALL", "C");
    let output = command::run(&mut command, Instant::now() + LIMIT, MAX_ANSWER_BYTES).ok()?;
    (output.end == End::Success).then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
