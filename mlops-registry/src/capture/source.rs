//! Which source made a run: commit, branch, remote, and what was not committed.
//!
//! Read by the `git` command line; a library for it would cost more to compile than the rest of
//! this crate. Git is a program that runs programs, so each call switches off what a repository's
//! own settings could start: hooks, file watcher, pager, external differ, text conversion, clean
//! filters, fetching of missing objects, and git's own walk into submodules (which would use
//! *their* settings; they are visited here instead, each with its filters switched off).
//!
//! What that costs: under a clean filter (Git LFS) an unchanged file is known by its time and size
//! only. If it was touched, it counts as changed and the patch holds its real content.

use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mlops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::command::{self, End, Output};
use super::{environment, redact};

const OPERATION: &str = "capture.source";
/// Most bytes of a list of settings or of changed files.
const MAX_LIST_BYTES: usize = 8 << 20;
/// How long the two cheap questions may take after the expensive one ran out of time.
const GRACE: Duration = Duration::from_secs(2);
/// How deep submodules are followed.
const MAX_DEPTH: u8 = 4;

/// Switched off in every call, whatever the settings of user and repository say.
const SETTINGS: [&str; 12] = [
    "--no-pager",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.askPass=",
    "-c",
    "credential.helper=",
    "-c",
    "protocol.allow=never",
    "--literal-pathspecs",
];

/// Variables that would point git at another repository or another program.
const VARIABLES: [&str; 16] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ASKPASS",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIFF_OPTS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_TRACE",
    "GIT_TRACE2",
    "GIT_WORK_TREE",
];

/// The source that a run was made from. Serializes without the patch, which is an artifact.
///
/// ```
/// use mlops_registry::capture::SourceState;
///
/// let nowhere = tempfile::tempdir().unwrap();
/// assert!(SourceState::capture(nowhere.path()).unwrap().is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SourceState {
    /// The full hash of `HEAD`; `None` before the first commit.
    pub commit: Option<String>,
    /// The branch, without `refs/heads/`; `None` if `HEAD` is detached.
    pub branch: Option<String>,
    /// The URL of the remote `origin`, without credentials; `None` if there is no such remote.
    pub remote: Option<String>,
    /// Whether a tracked file differs from `commit`, here or in a submodule, staged or not; `None`
    /// if git gave no answer in time. Untracked files do not count: the run's own output is among
    /// them.
    pub dirty: Option<bool>,
    /// The files that git neither tracks nor ignores, relative to the root; their contents are not
    /// kept. At most 10,000, unless asked otherwise.
    pub untracked: Vec<String>,
    /// What `git apply` makes of `commit` (or of nothing, before the first) to get the tracked
    /// files as they were. `None` if nothing differs, or nothing of it could be kept
    /// ([`Self::truncated`]).
    #[serde(skip)]
    pub diff: Option<Vec<u8>>,
    /// What is missing from the above; empty if nothing is.
    pub truncated: Vec<Truncated>,
    /// The program that ran, relative to the root if it lies inside; `None` if it is unknown.
    pub entry: Option<String>,
}

/// What a [`SourceState`] lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Truncated {
    /// The patch was too long; its first whole files are kept, so that it still applies.
    Diff,
    /// There were too many untracked files; the first ones are listed.
    Untracked,
    /// Git took too long. What was known by then is kept.
    TimeLimit,
    /// A submodule could not be read; nothing is said of it.
    Submodule,
}

/// How much [`SourceState::capture_with`] may take.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SourceOptions {
    /// For all calls of git together; 10 s. Two more seconds may pass if it runs out.
    pub time_limit: Duration,
    /// Longest patch, in bytes; 16 MiB.
    pub max_diff_bytes: usize,
    /// Most untracked files listed; 10,000.
    pub max_untracked: usize,
    /// The script or program that ran; else [`std::env::current_exe`].
    pub entry: Option<PathBuf>,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            time_limit: Duration::from_secs(10),
            max_diff_bytes: 16 << 20,
            max_untracked: 10_000,
            entry: None,
        }
    }
}

impl SourceOptions {
    /// Bounds the time of all calls of git together.
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Bounds the patch; 0 keeps none.
    pub fn with_max_diff_bytes(mut self, bytes: usize) -> Self {
        self.max_diff_bytes = bytes;
        self
    }

    /// Bounds the list of untracked files.
    pub fn with_max_untracked(mut self, files: usize) -> Self {
        self.max_untracked = files;
        self
    }

    /// Names the script or program that ran, where it is not the running executable.
    pub fn with_entry(mut self, entry: impl Into<PathBuf>) -> Self {
        self.entry = Some(entry.into());
        self
    }
}

impl SourceState {
    /// The state of the repository that `dir` lies in; `None` if it lies in none, or git is not on
    /// `PATH`. Costs no process if there is no repository; else two calls of git, or three if files
    /// were changed (about 3 ms each, in a small repository).
    ///
    /// # Errors
    /// `Denied` if git does not trust the owner of the repository. `Invalid` if git fails in it.
    /// `Unavailable` if git cannot be started. A slow repository is no error: see [`Truncated`].
    pub fn capture(dir: &Path) -> Result<Option<Self>> {
        Self::capture_with(dir, &SourceOptions::default())
    }

    /// Like [`capture`](Self::capture), within other bounds.
    pub fn capture_with(dir: &Path, options: &SourceOptions) -> Result<Option<Self>> {
        let roots = work_trees(dir);
        if roots.is_empty() {
            return Ok(None);
        }
        let Some(program) = environment::find_on_path("git") else {
            return Ok(None);
        };
        for root in roots {
            let mut look = Look {
                program: program.clone(),
                deadline: Instant::now() + options.time_limit,
                options,
                diff: Vec::new(),
                state: Self::default(),
            };
            if let Some(head) = look.examine(&root, "", 0)? {
                return Ok(Some(look.finish(head, &root)));
            }
        }
        Ok(None)
    }
}

/// The directories at or above `dir` that have a `.git`, nearest first. It is a file in linked
/// worktrees and submodules; whether it is a repository, git must say.
fn work_trees(dir: &Path) -> Vec<PathBuf> {
    let dir = dir.canonicalize().or_else(|_| std::path::absolute(dir)).unwrap_or_default();
    dir.ancestors().filter(|dir| dir.join(".git").exists()).map(Path::to_owned).collect()
}

fn entry(options: &SourceOptions, root: &Path) -> Option<String> {
    let entry = options.entry.clone().or_else(|| std::env::current_exe().ok())?;
    let entry = entry.canonicalize().unwrap_or(entry);
    Some(entry.strip_prefix(root).unwrap_or(&entry).to_string_lossy().into_owned())
}

/// What one repository says of itself.
#[derive(Debug, Default)]
struct Head {
    commit: Option<String>,
    branch: Option<String>,
    remote: Option<String>,
}

/// One capture under way, over a repository and its submodules.
struct Look<'a> {
    program: PathBuf,
    deadline: Instant,
    options: &'a SourceOptions,
    diff: Vec<u8>,
    state: SourceState,
}

impl Look<'_> {
    fn finish(self, head: Head, root: &Path) -> SourceState {
        let mut state = self.state;
        let unseen = [Truncated::TimeLimit, Truncated::Submodule];
        if state.dirty == Some(false) && unseen.iter().any(|part| state.truncated.contains(part)) {
            state.dirty = None;
        }
        state.commit = head.commit;
        state.branch = head.branch;
        state.remote = head.remote;
        state.diff = (!self.diff.is_empty()).then_some(self.diff);
        state.entry = entry(self.options, root);
        state
    }

    /// Looks at the repository at `root`, whose files are called `prefix…`; `None` if it is none.
    fn examine(&mut self, root: &Path, prefix: &str, depth: u8) -> Result<Option<Head>> {
        let Some(settings) = self.settings(root)? else {
            return self.late(root, depth).map(Some);
        };
        let status = self.git(
            root,
            &settings.filters,
            MAX_LIST_BYTES,
            &[
                "status",
                "--porcelain=v2",
                "-z",
                "--branch",
                "--no-ahead-behind",
                "--no-renames",
                "--untracked-files=all",
                "--ignore-submodules=dirty",
            ],
        )?;
        let mut head = Head::default();
        match status.end {
            End::TimedOut => head = self.late(root, depth)?,
            End::Failed(_) if status.stderr.contains("not a git repository") => return Ok(None),
            End::Failed(_) => return Err(failure(root, &status)),
            End::Success | End::TooLong => {
                if self.read_status(&status, prefix, &mut head) {
                    self.read_diff(root, prefix, &settings.filters, head.commit.is_none())?;
                }
                self.submodules(root, prefix, depth);
            }
        }
        head.remote = settings.remote;
        Ok(Some(head))
    }

    /// What can still be said of a repository when time has run out.
    fn late(&mut self, root: &Path, depth: u8) -> Result<Head> {
        self.lacks(Truncated::TimeLimit);
        let mut head = Head::default();
        if depth == 0 {
            self.deadline = Instant::now() + GRACE;
            head.commit = self.line(root, &["rev-parse", "--quiet", "--verify", "HEAD"])?;
            head.branch = self.line(root, &["symbolic-ref", "--quiet", "--short", "HEAD"])?;
        }
        Ok(head)
    }

    /// Reads `git status`; whether a tracked file has changed.
    fn read_status(&mut self, status: &Output, prefix: &str, head: &mut Head) -> bool {
        let mut changed = false;
        for record in status.stdout.split(|byte| *byte == 0) {
            let record = String::from_utf8_lossy(record);
            if let Some(commit) = record.strip_prefix("# branch.oid ") {
                head.commit = (commit != "(initial)").then(|| commit.to_owned());
            } else if let Some(branch) = record.strip_prefix("# branch.head ") {
                head.branch = (branch != "(detached)").then(|| branch.to_owned());
            } else if let Some(file) = record.strip_prefix("? ") {
                if self.state.untracked.len() < self.options.max_untracked {
                    self.state.untracked.push(format!("{prefix}{file}"));
                } else {
                    self.lacks(Truncated::Untracked);
                }
            } else if record.starts_with("1 ") || record.starts_with("u ") {
                changed = true;
            }
        }
        if status.end == End::TooLong {
            // Changed files come first: it is the untracked ones that are cut, and the last one's
            // name.
            self.state.untracked.pop();
            self.lacks(Truncated::Untracked);
        }
        self.state.dirty = Some(changed || self.state.dirty == Some(true));
        changed
    }

    /// Adds the patch of one repository.
    fn read_diff(
        &mut self,
        root: &Path,
        prefix: &str,
        filters: &[String],
        initial: bool,
    ) -> Result<()> {
        let empty_tree;
        let base = if initial {
            let null = if cfg!(windows) { "NUL" } else { "/dev/null" };
            match self.line(root, &["hash-object", "-t", "tree", "--no-filters", null])? {
                Some(hash) => empty_tree = hash,
                None => return Ok(()),
            }
            &empty_tree
        } else {
            "HEAD"
        };
        let (from, to) = (format!("--src-prefix=a/{prefix}"), format!("--dst-prefix=b/{prefix}"));
        let left = self.options.max_diff_bytes.saturating_sub(self.diff.len());
        let mut patch = self.git(
            root,
            filters,
            left,
            &[
                "diff",
                "--binary",
                "--no-color",
                "--no-ext-diff",
                "--no-textconv",
                "--no-renames",
                "--submodule=short",
                "--ignore-submodules=dirty",
                &from,
                &to,
                base,
                "--",
            ],
        )?;
        match patch.end {
            End::Success => {}
            End::TimedOut => self.lacks(Truncated::TimeLimit),
            End::TooLong => {
                self.lacks(Truncated::Diff);
                cut_to_whole_files(&mut patch.stdout);
            }
            End::Failed(_) => return Err(failure(root, &patch)),
        }
        self.diff.append(&mut patch.stdout);
        Ok(())
    }

    /// Looks into the submodules that are checked out. One that fails does not lose the rest.
    fn submodules(&mut self, root: &Path, prefix: &str, depth: u8) {
        if !root.join(".gitmodules").is_file() {
            return;
        }
        if depth >= MAX_DEPTH {
            return self.lacks(Truncated::Submodule);
        }
        let args =
            ["config", "-z", "--file", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$"];
        let Ok(listed) = self.git(root, &[], MAX_LIST_BYTES, &args) else {
            return self.lacks(Truncated::Submodule);
        };
        for (_, path) in pairs(&listed.stdout) {
            let module = Path::new(&path);
            let stays_inside = module.components().all(|part| matches!(part, Component::Normal(_)));
            let directory = root.join(module);
            if !stays_inside || !directory.join(".git").exists() {
                continue;
            }
            let seen = self.examine(&directory, &format!("{prefix}{path}/"), depth + 1);
            if !matches!(seen, Ok(Some(_))) {
                self.lacks(Truncated::Submodule);
            }
        }
    }

    /// The remote's URL, and the settings that name filter programs; `None` if they could not be
    /// read in time, for then nothing may be called that would run a filter.
    fn settings(&self, root: &Path) -> Result<Option<Settings>> {
        let wanted = r"^(remote\.origin\.url|filter\..*\.(clean|smudge|process|required))$";
        let output =
            self.git(root, &[], MAX_LIST_BYTES, &["config", "-z", "--get-regexp", wanted])?;
        match output.end {
            // 1: no such settings.
            End::Success | End::Failed(Some(1)) => {}
            End::TimedOut => return Ok(None),
            End::Failed(_) | End::TooLong => return Err(failure(root, &output)),
        }
        let mut settings = Settings::default();
        for (key, value) in pairs(&output.stdout) {
            if key == "remote.origin.url" {
                // The first is the one that `git fetch` uses.
                settings.remote.get_or_insert_with(|| redact::remote(&value));
            } else {
                settings.filters.push(key);
            }
        }
        settings.filters.sort_unstable();
        settings.filters.dedup();
        Ok(Some(settings))
    }

    /// The one line that a call prints; `None` if it fails or prints nothing.
    fn line(&self, root: &Path, args: &[&str]) -> Result<Option<String>> {
        let output = self.git(root, &[], MAX_LIST_BYTES, args)?;
        let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok((output.end == End::Success && !line.is_empty()).then_some(line))
    }

    fn git(&self, root: &Path, filters: &[String], max: usize, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(&self.program);
        for name in VARIABLES {
            command.env_remove(name);
        }
        command
            // Nothing above `root` is meant, whatever is wrong with it.
            .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root))
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_COUNT", filters.len().to_string());
        for (at, key) in filters.iter().enumerate() {
            let value = if key.ends_with(".required") { "false" } else { "" };
            command.env(format!("GIT_CONFIG_KEY_{at}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        command.args(SETTINGS).arg("-C").arg(root).args(args);
        command::run(&mut command, self.deadline, max).map_err(|error| {
            Error::unavailable(OPERATION, "git cannot be started").with_source(error)
        })
    }

    fn lacks(&mut self, what: Truncated) {
        if !self.state.truncated.contains(&what) {
            self.state.truncated.push(what);
        }
    }
}

#[derive(Debug, Default)]
struct Settings {
    remote: Option<String>,
    filters: Vec<String>,
}

/// The `key\nvalue\0` records of `git config -z`. A key without a value counts as an empty one.
fn pairs(output: &[u8]) -> Vec<(String, String)> {
    let records = output.split(|byte| *byte == 0).filter(|record| !record.is_empty());
    let pair = |record: &[u8]| {
        let text = String::from_utf8_lossy(record);
        let (key, value) = text.split_once('\n').unwrap_or((&text, ""));
        (key.to_owned(), value.to_owned())
    };
    records.map(pair).collect()
}

/// Drops the last file of a patch that was cut off.
pub(super) fn cut_to_whole_files(patch: &mut Vec<u8>) {
    // Content never looks like this: its lines start with a space, a sign, or a letter of base 85
    // followed by no space.
    let start = b"\ndiff --git ";
    let last = patch.windows(start.len()).rposition(|window| window == start);
    patch.truncate(last.map_or(0, |at| at + 1));
}

fn failure(root: &Path, output: &Output) -> Error {
    let untrusted = output.stderr.contains("dubious ownership");
    let kind = if untrusted { ErrorKind::Denied } else { ErrorKind::Invalid };
    let reason = output.stderr.lines().next().unwrap_or("no reason given");
    let error = Error::new(kind, OPERATION, "git failed in this repository")
        .with("repository", root.display())
        .with("reason", redact::urls(reason));
    if untrusted {
        return error
            .with_hint("`git config --global --add safe.directory <repository>` trusts it");
    }
    error
}
