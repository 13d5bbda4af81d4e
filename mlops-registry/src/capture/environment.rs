//! What a run was made with and on: compiler, crates, system, hardware, command line.
//!
//! Everything is read once and without failing; what the machine does not tell is `None` or empty.
//! This file is the only one of the crate that reads environment variables ([`variable`]), and it
//! stores only those that are asked for by name: a process's variables are where its secrets are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, System};

use super::gpu::{self, Gpu};
use super::{built_with, command, redact};

/// Variables that change what a training program computes or where it runs; none holds a secret.
const VARIABLES: [&str; 20] = [
    "CI",
    "CONDA_DEFAULT_ENV",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "LANG",
    "LOCAL_RANK",
    "MKL_NUM_THREADS",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RANK",
    "RAYON_NUM_THREADS",
    "RUSTFLAGS",
    "RUST_LOG",
    "SLURM_JOB_ID",
    "SLURM_PROCID",
    "TOKIO_WORKER_THREADS",
    "VIRTUAL_ENV",
    "WORLD_SIZE",
];
/// Longest `Cargo.lock` that is read, in bytes.
const MAX_LOCK_BYTES: u64 = 16 << 20;

/// What a run was made with and on.
///
/// ```
/// use mlops_registry::capture::{BuildInfo, Environment, EnvironmentOptions};
///
/// let build = BuildInfo::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
/// let options = EnvironmentOptions::default().with_build(build).with_variable("SLURM_*");
/// let environment = Environment::capture(&options);
/// assert_eq!(environment.process, std::process::id());
/// assert!(environment.cpu_cores >= 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Environment {
    /// What the program says of its own build; `None` if it says nothing.
    pub build: Option<BuildInfo>,
    /// The compiler that built the program: `1.95.0 (59807616e 2026-04-14)`. From
    /// [`BuildInfo::rustc`], else from the running executable; `None` if neither tells (another
    /// system than Linux, or a library inside another program). An installed `rustc` is not asked.
    pub rustc: Option<String>,
    /// The crates in the nearest `Cargo.lock` at or above the directory, each with its versions in
    /// the file's order; `None` if there is no such file, as where only the binary was shipped.
    pub crates: Option<BTreeMap<String, Vec<String>>>,
    /// `Debian GNU/Linux`; `None` if unknown.
    pub os: Option<String>,
    /// `12`; `None` if unknown.
    pub os_version: Option<String>,
    /// `6.1.0-18-amd64`; `None` if unknown.
    pub kernel: Option<String>,
    /// `x86_64`.
    pub arch: String,
    /// `AMD EPYC 7763 64-Core Processor`; `None` if the processor does not say.
    pub cpu_model: Option<String>,
    /// Logical cores of the machine; 0 if unknown.
    pub cpu_cores: usize,
    /// Logical cores that this process may use, by affinity and control group; 0 if unknown.
    pub cpu_available: usize,
    /// Memory of the machine, in bytes; 0 if unknown.
    pub memory_bytes: u64,
    /// Memory that the control group allows, in bytes; `None` if that is all of it.
    pub memory_limit_bytes: Option<u64>,
    /// The NVIDIA GPUs that the driver shows; empty if there are none.
    pub gpus: Vec<Gpu>,
    /// The name of the machine; `None` if it has none.
    pub host: Option<String>,
    /// The name of the user, else `uid:1000`; `None` if unknown.
    pub user: Option<String>,
    /// The process id.
    pub process: u32,
    /// The program and its arguments, secrets replaced by `***`: values of options that
    /// [look secret](super::looks_secret), and passwords in URLs.
    pub command: Vec<String>,
    /// The directory that the program works in; `None` if it was deleted.
    pub current_dir: Option<String>,
    /// The variables that were asked for and are set; secrets are left out, passwords in URLs cut.
    pub variables: BTreeMap<String, String>,
}

/// What a program says of its own build. A library cannot know: `env!` is expanded in the program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BuildInfo {
    /// The package: `env!("CARGO_PKG_NAME")`.
    pub package: String,
    /// Its version: `env!("CARGO_PKG_VERSION")`.
    pub version: String,
    /// Whether this library was built with debug assertions, which the program usually shares.
    pub debug: bool,
    /// The compiler, if the program's build script asked it.
    pub rustc: Option<String>,
    /// The target triple, if the program's build script passed `TARGET` on.
    pub target: Option<String>,
}

impl BuildInfo {
    /// Package and version, as `env!("CARGO_PKG_NAME")` and `env!("CARGO_PKG_VERSION")` give them.
    pub fn new(package: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            package: package.into(),
            version: version.into(),
            debug: cfg!(debug_assertions),
            rustc: None,
            target: None,
        }
    }

    /// Names the compiler; overrides what the executable says.
    pub fn with_rustc(mut self, version: impl Into<String>) -> Self {
        self.rustc = Some(version.into());
        self
    }

    /// Names the target triple.
    pub fn with_target(mut self, triple: impl Into<String>) -> Self {
        self.target = Some(triple.into());
        self
    }
}

/// What [`Environment::capture`] looks at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EnvironmentOptions {
    /// Where the search for `Cargo.lock` starts; else the current directory.
    pub dir: Option<PathBuf>,
    /// What the program says of its own build.
    pub build: Option<BuildInfo>,
    /// The environment variables to take: names, or beginnings of names that end in `*`. A `*`
    /// alone matches nothing. At first about twenty that matter to training, none of them secret.
    pub variables: Vec<String>,
}

impl Default for EnvironmentOptions {
    fn default() -> Self {
        let variables = VARIABLES.map(str::to_owned).to_vec();
        Self { dir: None, build: None, variables }
    }
}

impl EnvironmentOptions {
    /// Starts the search for `Cargo.lock` at `dir`.
    pub fn with_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Tells what the program was built with.
    pub fn with_build(mut self, build: BuildInfo) -> Self {
        self.build = Some(build);
        self
    }

    /// Takes one more variable, or all that begin so: `SLURM_*`. A variable whose name
    /// [looks secret](super::looks_secret) is not taken, whatever is asked for.
    pub fn with_variable(mut self, pattern: impl Into<String>) -> Self {
        self.variables.push(pattern.into());
        self
    }

    /// Takes no variables but those added after this.
    pub fn without_variables(mut self) -> Self {
        self.variables.clear();
        self
    }
}

impl Environment {
    /// Looks at program and machine. Costs a few milliseconds at most, and a call of `nvidia-smi`
    /// (at most 2 s) where `PATH` has one and the driver shows no files under `/proc`.
    pub fn capture(options: &EnvironmentOptions) -> Self {
        let current_dir = std::env::current_dir().ok();
        let lock_dir = options.dir.as_deref().or(current_dir.as_deref());
        let args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
        let machine = Machine::look();
        Self {
            build: options.build.clone(),
            rustc: options
                .build
                .as_ref()
                .and_then(|build| build.rustc.clone())
                .or_else(built_with::rustc),
            crates: lock_dir.and_then(crates_of),
            os: System::name().ok(),
            os_version: System::os_version().ok(),
            kernel: System::kernel_version().ok(),
            arch: std::env::consts::ARCH.to_owned(),
            cpu_model: machine.cpu_model,
            cpu_cores: machine.cpu_cores,
            cpu_available: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: machine.memory_bytes,
            memory_limit_bytes: machine.memory_limit_bytes,
            gpus: gpu::list(find_on_path("nvidia-smi").as_deref()),
            host: System::host_name().ok().filter(|name| !name.is_empty()),
            user: user(),
            process: std::process::id(),
            command: redact::command_line(args),
            current_dir: current_dir.map(|dir| dir.to_string_lossy().into_owned()),
            variables: select(&options.variables, all_variables()),
        }
    }

    /// `Debian GNU/Linux 12`.
    pub(super) fn os_label(&self) -> Option<String> {
        let os = self.os.as_deref()?;
        Some(match &self.os_version {
            Some(version) => format!("{os} {version}"),
            None => os.to_owned(),
        })
    }
}

/// The hardware; nothing of it on a system that sysinfo does not know.
#[derive(Default)]
struct Machine {
    cpu_model: Option<String>,
    cpu_cores: usize,
    memory_bytes: u64,
    memory_limit_bytes: Option<u64>,
}

impl Machine {
    fn look() -> Self {
        let Ok(mut system) = System::new() else {
            return Self::default();
        };
        system.refresh_cpu_list(CpuRefreshKind::nothing());
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let process = sysinfo::get_current_pid().ok();
        let limits = process.and_then(|process| {
            let wanted = ProcessRefreshKind::nothing().without_tasks();
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&[process]), false, wanted);
            system.process(process)?.cgroup_limits()
        });
        let memory_bytes = system.total_memory();
        let limit = limits.map(|limits| limits.total_memory);
        let mut models = system.cpus().iter().map(|cpu| cpu.brand().trim());
        Self {
            cpu_model: models.find(|model| !model.is_empty()).map(str::to_owned),
            cpu_cores: system.cpus().len(),
            memory_bytes,
            memory_limit_bytes: limit.filter(|limit| (1..memory_bytes).contains(limit)),
        }
    }
}

/// The absolute path of a program on `PATH`.
pub(super) fn find_on_path(name: &str) -> Option<PathBuf> {
    command::find_on(&variable("PATH")?, name)
}

/// The variables that `patterns` allow, without those that look secret.
pub(super) fn select(
    patterns: &[String],
    variables: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    let asked_for = |name: &str| {
        patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => !start.is_empty() && name.starts_with(start),
            None => pattern == name,
        })
    };
    variables
        .into_iter()
        .filter(|(name, _)| asked_for(name) && !redact::looks_secret(name))
        .map(|(name, value)| (name, redact::urls(&value).into_owned()))
        .collect()
}

/// The crates of the nearest `Cargo.lock`. A file that cannot be read counts as none.
fn crates_of(dir: &Path) -> Option<BTreeMap<String, Vec<String>>> {
    let file = dir.ancestors().find_map(|dir| std::fs::File::open(dir.join("Cargo.lock")).ok())?;
    let mut text = String::new();
    file.take(MAX_LOCK_BYTES).read_to_string(&mut text).ok()?;
    Some(parse_lock(&text))
}

/// Name and versions of each `[[package]]`. Cargo writes this file, one value a line, so that no
/// parser of TOML is needed; patches that are not used stand under another heading and do not
/// count.
pub(super) fn parse_lock(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut crates: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut name = None;
    let mut in_package = false;
    for line in text.lines() {
        if line.starts_with('[') {
            in_package = line.trim_end() == "[[package]]";
            name = None;
        } else if let Some((key, value)) = line.split_once(" = ").filter(|_| in_package) {
            let value = value.trim().trim_matches('"');
            match key.trim() {
                "name" => name = Some(value.to_owned()),
                "version" => {
                    if let Some(name) = name.take() {
                        crates.entry(name).or_default().push(value.to_owned());
                    }
                }
                _ => {}
            }
        }
    }
    crates
}

/// The name that the session gives, else the one that `/etc/passwd` has, else the number.
pub(super) fn user() -> Option<String> {
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(variable);
    let named =
        named.map(|name| name.to_string_lossy().into_owned()).filter(|name| !name.is_empty());
    #[cfg(unix)]
    let named = named.or_else(|| Some(user_by_number()));
    named
}

#[cfg(unix)]
fn user_by_number() -> String {
    let number = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = accounts.lines().find(|line| line.split(':').nth(2) == Some(&number));
    let name = account.and_then(|line| line.split(':').next()).filter(|name| !name.is_empty());
    name.map_or_else(|| format!("uid:{number}"), str::to_owned)
}

/// Those whose name and value are text.
fn all_variables() -> impl Iterator<Item = (String, String)> {
    read_variables()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn variable(name: &str) -> Option<OsString> {
    read_variables().find(|(found, _)| found == name).map(|(_, value)| value)
}

/// The one place of this crate that reads the environment.
#[allow(clippy::disallowed_methods, reason = "what this file is for: it stores an allow-list only")]
fn read_variables() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}
