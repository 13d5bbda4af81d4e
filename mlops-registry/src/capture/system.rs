//! The load of machine and process, as metrics, when asked.
//!
//! No thread: whoever logs decides how often, and samples when a step is logged or a timer fires.
//! What is a rate is the mean since the sample before; what counts bytes, counts since the sampler
//! was made, so that two samples can be subtracted.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sysinfo::{
    CpuRefreshKind, MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, Pid, ProcessRefreshKind,
    ProcessesToUpdate, System,
};

use super::network::Network;
use super::{environment, gpu};

/// Names for up to 16 GPUs, so that a sample allocates none.
macro_rules! gpu_names {
    ($($at:literal)*) => {
        [$([
            concat!("system/gpu_", $at, "_percent"),
            concat!("system/gpu_", $at, "_memory_used_bytes"),
            concat!("system/gpu_", $at, "_memory_percent"),
        ]),*]
    };
}

const GPU_NAMES: [[&str; 3]; 16] = gpu_names!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);

/// Samples the load of the machine and of this process.
///
/// | metric | what | unit, range |
/// |---|---|---|
/// | `system/cpu_percent` | all cores, since the sample before | 0–100 |
/// | `system/memory_used_bytes` | the machine's, without caches that can be dropped | bytes |
/// | `system/memory_percent` | the same, of the machine's memory | 0–100 |
/// | `system/process_cpu_percent` | this process, likewise; one core is 100 | 0–100 × cores |
/// | `system/process_rss_bytes` | this process's resident memory | bytes |
/// | `system/disk_read_bytes` | this process, from storage, since the start | bytes |
/// | `system/disk_write_bytes` | this process, to storage, since the start | bytes |
/// | `system/disk_free_bytes` | for this user, at [`with_disk`](Self::with_disk) | bytes |
/// | `system/network_received_bytes` | the machine, but loopback, since the start | bytes |
/// | `system/network_sent_bytes` | likewise | bytes |
/// | `system/gpu_N_percent` | GPU `N` < 16, as `nvidia-smi` numbers it | 0–100 |
/// | `system/gpu_N_memory_used_bytes`, `system/gpu_N_memory_percent` | | bytes, 0–100 |
///
/// What the system does not tell is absent from the sample, never zero. The two CPU metrics are
/// absent until 200 ms have passed since the sampler was made, and stay as they were while less
/// than that has passed since they were last taken: the kernel counts in steps of 10 ms. Disk use
/// is the process's because that is what the run caused; the network's is the machine's because no
/// system counts it by process (in a container it is the container's).
///
/// A sample costs 0.1 to 0.3 ms of processor time; with GPUs, a call of `nvidia-smi` more (10 to
/// 500 ms). If that fails or takes over 2 s, the sampler asks it no more.
///
/// ```
/// use mlops_registry::capture::SystemSampler;
///
/// let mut sampler = SystemSampler::new();
/// let sample = sampler.sample();
/// assert!(sample.iter().all(|(name, value)| name.starts_with("system/") && value.is_finite()));
/// ```
#[derive(Debug)]
pub struct SystemSampler {
    /// `None` on a system that sysinfo does not know.
    system: Option<System>,
    network: Network,
    process: Option<Pid>,
    disk: PathBuf,
    /// `nvidia-smi`, where `PATH` has it and it has not failed.
    smi: Option<PathBuf>,
    last: Mark,
    /// `None` until the first interval is over.
    cpu: Option<Cpu>,
    disk_start: Option<Moved>,
}

/// When the processor was last looked at.
#[derive(Debug)]
struct Mark {
    at: Instant,
    /// Processor time of the process until then, in milliseconds.
    process_millis: Option<u64>,
}

#[derive(Debug)]
struct Cpu {
    percent: f64,
    process_percent: Option<f64>,
}

/// Bytes that the process moved from and to storage since it was started.
#[derive(Debug, Clone, Copy)]
struct Moved {
    read: u64,
    written: u64,
}

impl SystemSampler {
    /// A sampler that starts counting now, and looks at the disk of the current directory.
    pub fn new() -> Self {
        let mut sampler = Self {
            system: System::new().ok(),
            network: Network::new(),
            process: sysinfo::get_current_pid().ok(),
            disk: PathBuf::from("."),
            smi: environment::find_on_path("nvidia-smi"),
            last: Mark { at: Instant::now(), process_millis: None },
            cpu: None,
            disk_start: None,
        };
        sampler.refresh(true);
        sampler.last = Mark { at: Instant::now(), process_millis: sampler.process_millis() };
        sampler.disk_start = sampler.disk_moved();
        sampler
    }

    /// Looks at the free space where `path` lies: best the directory that artifacts are stored in.
    pub fn with_disk(mut self, path: impl Into<PathBuf>) -> Self {
        self.disk = path.into();
        self
    }

    /// Asks no GPU, where a call of `nvidia-smi` for each sample is too much.
    pub fn without_gpus(mut self) -> Self {
        self.smi = None;
        self
    }

    /// The load now, in the order of the table above.
    pub fn sample(&mut self) -> Vec<(&'static str, f64)> {
        let mut out = Vec::with_capacity(16);
        let elapsed = self.last.at.elapsed();
        let is_due = elapsed >= MINIMUM_CPU_UPDATE_INTERVAL;
        self.refresh(is_due);
        if is_due {
            self.take_cpu(elapsed);
        }
        let network = self.network.moved();
        let memory = self.memory();
        let cpu = self.cpu.as_ref();
        let process = self.process();
        let disk = self.disk_moved().zip(self.disk_start);
        let mut put = |name, value: Option<f64>| {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                out.push((name, value));
            }
        };
        put("system/cpu_percent", cpu.map(|cpu| cpu.percent));
        put("system/memory_used_bytes", memory.map(|(used, _)| used));
        put("system/memory_percent", memory.map(|(used, total)| 100.0 * used / total));
        put("system/process_cpu_percent", cpu.and_then(|cpu| cpu.process_percent));
        put("system/process_rss_bytes", process.map(|process| process.memory() as f64));
        let since = |(now, start): (Moved, Moved), field: fn(Moved) -> u64| {
            field(now).saturating_sub(field(start)) as f64
        };
        put("system/disk_read_bytes", disk.map(|disk| since(disk, |moved| moved.read)));
        put("system/disk_write_bytes", disk.map(|disk| since(disk, |moved| moved.written)));
        put("system/disk_free_bytes", self.disk_free());
        put("system/network_received_bytes", network.map(|(received, _)| received as f64));
        put("system/network_sent_bytes", network.map(|(_, sent)| sent as f64));
        self.sample_gpus(&mut out);
        out
    }

    /// Reads what the sample needs of machine and process; the processor's load only `with_cpu`.
    fn refresh(&mut self, with_cpu: bool) {
        let Some(system) = &mut self.system else {
            return;
        };
        let mut wanted =
            ProcessRefreshKind::nothing().with_memory().with_disk_usage().without_tasks();
        if with_cpu {
            system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_usage());
            wanted = wanted.with_cpu();
        }
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        if let Some(process) = self.process {
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&[process]), false, wanted);
        }
    }

    /// Keeps the processor's load over the `elapsed` time.
    fn take_cpu(&mut self, elapsed: Duration) {
        let Some(system) = &self.system else { return };
        let percent = f64::from(system.global_cpu_usage()).clamp(0.0, 100.0);
        let process_millis = self.process_millis();
        let spent = process_millis.zip(self.last.process_millis);
        let spent = spent.map(|(now, before)| Duration::from_millis(now.saturating_sub(before)));
        let process_percent =
            spent.map(|spent| 100.0 * spent.as_secs_f64() / elapsed.as_secs_f64());
        self.cpu = Some(Cpu { percent, process_percent });
        self.last = Mark { at: Instant::now(), process_millis };
    }

    /// Used and total bytes.
    fn memory(&self) -> Option<(f64, f64)> {
        let system = self.system.as_ref()?;
        let (used, total) = (system.used_memory() as f64, system.total_memory() as f64);
        (total > 0.0).then_some((used, total))
    }

    fn process(&self) -> Option<&sysinfo::Process> {
        self.system.as_ref()?.process(self.process?)
    }

    fn process_millis(&self) -> Option<u64> {
        self.process().map(sysinfo::Process::accumulated_cpu_time)
    }

    fn disk_moved(&self) -> Option<Moved> {
        let usage = self.process()?.disk_usage();
        Some(Moved { read: usage.total_read_bytes, written: usage.total_written_bytes })
    }

    #[cfg(unix)]
    fn disk_free(&self) -> Option<f64> {
        let disk = rustix::fs::statvfs(&self.disk).ok()?;
        Some(disk.f_bavail as f64 * disk.f_frsize as f64)
    }

    #[cfg(not(unix))]
    fn disk_free(&self) -> Option<f64> {
        let _ = &self.disk;
        None
    }

    fn sample_gpus(&mut self, out: &mut Vec<(&'static str, f64)>) {
        let Some(smi) = &self.smi else { return };
        let Some(loads) = gpu::load(smi) else {
            self.smi = None;
            return;
        };
        for (load, names) in loads.iter().zip(GPU_NAMES) {
            let values = [load.percent, load.memory_used_bytes, load.memory_percent];
            out.extend(
                names.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))),
            );
        }
    }
}

impl Default for SystemSampler {
    fn default() -> Self {
        Self::new()
    }
}
