//! What a run needs beside its numbers: which source, on which machine, under what load.
//!
//! For whoever opens a run. Three parts, each usable alone: [`SourceState`] (commit, branch, remote
//! and the uncommitted changes as a patch), [`Environment`] (compiler, crates, system, hardware,
//! command line) and [`SystemSampler`] (load, on demand). [`tags`] makes the few words of the first
//! two that are worth a search; the whole of them belongs into artifacts, as JSON and as a patch.
//!
//! Three decisions that are not obvious. *Nothing of the user's is run*: `git` and `nvidia-smi` are
//! called by absolute path, with a time limit, and git is told to run no hook, filter, differ,
//! pager or file watcher, because a training program may well start in an unpacked archive of
//! somebody else. *What could not be had is absent*, never guessed: every field says when. *Secrets
//! stay outside*: environment variables come by allow-list only, and credentials are cut from the
//! command line, from variables and from the remote's URL by one rule ([`looks_secret`]).
//!
//! All functions are plain and synchronous. They start no thread that outlives the call, except one
//! that waits for a child process that was killed and still holds its pipe open.
//!
//! What it does not do: find secrets inside the patch (it is what was typed into tracked files),
//! copy the contents of untracked files, see Python packages, or sample in the background.

mod built_with;
mod command;
mod environment;
mod gpu;
mod network;
mod redact;
mod source;
mod system;
#[cfg(test)]
mod tests;

pub use environment::{BuildInfo, Environment, EnvironmentOptions};
pub use gpu::Gpu;
pub use redact::looks_secret;
pub use source::{SourceOptions, SourceState, Truncated};
pub use system::SystemSampler;

/// The machine's name; empty if it has none.
pub(crate) fn host_name() -> String {
    sysinfo::System::host_name().unwrap_or_default()
}

/// The name of the user that the process runs as; empty if unknown.
pub(crate) fn user_name() -> String {
    environment::user().unwrap_or_default()
}

/// Longest value of a tag made here, in bytes; a longer command line is cut and ends in `…`.
const MAX_TAG_BYTES: usize = 4_096;

/// The few searchable words of a run's source and environment, in a fixed order.
///
/// | tag | value | absent |
/// |---|---|---|
/// | `mlops.source.commit` | full hash | no repository, or no commit yet |
/// | `mlops.source.branch` | `main` | detached |
/// | `mlops.source.remote` | URL of `origin` without credentials | no `origin` |
/// | `mlops.source.dirty` | `true` or `false` | git gave no answer in time |
/// | `mlops.source.entry` | the program, relative to the repository | unknown |
/// | `mlops.host`, `mlops.user` | names | unknown |
/// | `mlops.process` | process id | never |
/// | `mlops.command` | command line, redacted, at most 4,096 bytes | never |
/// | `mlops.os` | `Debian GNU/Linux 12` | unknown |
/// | `mlops.arch` | `x86_64` | never |
/// | `mlops.cpu` | model | unknown |
/// | `mlops.gpu` | models, `; ` between them | none visible |
/// | `mlops.rustc` | `1.95.0 (59807616e 2026-04-14)` | the program does not say |
/// | `mlops.package` | `churn 0.3.1` | no [`BuildInfo`] given |
///
/// Each name is a valid key and each value a valid tag value: not empty, without NUL.
///
/// ```
/// use mlops_registry::capture::{Environment, EnvironmentOptions, tags};
///
/// let environment = Environment::capture(&EnvironmentOptions::default());
/// let tags = tags(None, &environment);
/// assert!(tags.iter().any(|(name, _)| name == "mlops.process"));
/// assert!(!tags.iter().any(|(name, _)| name.starts_with("mlops.source.")));
/// ```
pub fn tags(source: Option<&SourceState>, env: &Environment) -> Vec<(String, String)> {
    let gpus: Vec<&str> = env.gpus.iter().map(|gpu| gpu.name.as_str()).collect();
    let build = env.build.as_ref();
    let dirty = source.and_then(|source| source.dirty);
    let of_source =
        |field: fn(&SourceState) -> &Option<String>| source.and_then(|s| field(s).clone());
    let rows = [
        ("mlops.source.commit", of_source(|s| &s.commit)),
        ("mlops.source.branch", of_source(|s| &s.branch)),
        ("mlops.source.remote", of_source(|s| &s.remote)),
        ("mlops.source.dirty", dirty.map(|dirty| dirty.to_string())),
        ("mlops.source.entry", of_source(|s| &s.entry)),
        ("mlops.host", env.host.clone()),
        ("mlops.user", env.user.clone()),
        ("mlops.process", Some(env.process.to_string())),
        ("mlops.command", Some(env.command.join(" "))),
        ("mlops.os", env.os_label()),
        ("mlops.arch", Some(env.arch.clone())),
        ("mlops.cpu", env.cpu_model.clone()),
        ("mlops.gpu", Some(gpus.join("; "))),
        ("mlops.rustc", env.rustc.clone()),
        ("mlops.package", build.map(|build| format!("{} {}", build.package, build.version))),
    ];
    rows.into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), tag_value(&value?)?)))
        .collect()
}

/// `text` without NUL and at most [`MAX_TAG_BYTES`] long; `None` if nothing is left.
fn tag_value(text: &str) -> Option<String> {
    let mut value = text.replace('\0', " ").trim().to_owned();
    if value.len() > MAX_TAG_BYTES {
        value.truncate(value.floor_char_boundary(MAX_TAG_BYTES - '…'.len_utf8()));
        value.push('…');
    }
    (!value.is_empty()).then_some(value)
}
