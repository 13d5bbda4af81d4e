//! The rules that need no store: what a call may hold, and what a run may become.
//!
//! They are here, and pure, because every backend must apply the same ones: a store that let through
//! what another refuses could not be copied into it. A backend calls the function named after its
//! method first, before it opens a transaction; then, inside it, the ones about what is stored, in
//! this order, so that a call with two faults fails alike everywhere: does the run exist,
//! [`expectation`], [`trash`], [`Life::after`], [`param`] by key, [`append`], artifacts, seal.
//!
//! Numbers are bounded by `i64::MAX` wherever they are unsigned, because that is what SQL stores.

use std::collections::BTreeSet;

use super::changes::{ArtifactEntry, Expect, RunChanges, SealedMetrics};
use super::experiment::{CreateExperiment, ExperimentChanges};
use super::metric::{MetricChunk, Origin, check_step};
use super::run::{
    Blob, CreateRun, DatasetContext, DatasetInput, Lease, MAX_VALUE_BYTES, RunStatus,
};
use crate::time::{self, Instant};
use crate::{
    ArtifactPath, Error, ErrorKind, Key, MAX_NAME_BYTES, Result, RunId, RunName, check_json,
};

/// Longest source of a dataset, in bytes.
pub const MAX_SOURCE_BYTES: usize = 4_096;
/// Longest schema of a dataset, in bytes of its JSON text.
pub const MAX_SCHEMA_BYTES: usize = 65_536;
/// Longest location of a blob, in bytes.
pub const MAX_LOCATION_BYTES: usize = 1_024;

/// Checks what [`Tracker::create_experiment`](super::Tracker::create_experiment) is given.
///
/// # Errors
/// `Invalid` for a label that is too long or holds NUL, or an instant outside 1970..=9999.
pub fn create_experiment(options: &CreateExperiment) -> Result<()> {
    instant(options.created)?;
    texts("tag", &options.tags)
}

/// Checks what [`Tracker::update_experiment`](super::Tracker::update_experiment) is given.
///
/// # Errors
/// `Invalid` for a label that is too long or holds NUL, or that is set and taken away at once.
pub fn experiment_changes(changes: &ExperimentChanges) -> Result<()> {
    texts("tag", &changes.tags)?;
    one_wish_per_tag(changes.tags.keys(), &changes.remove_tags)
}

/// Checks what [`Tracker::create_run`](super::Tracker::create_run) is given.
///
/// # Errors
/// `Invalid` for a value that is too long or holds NUL, a user or host that is too long or holds
/// control characters, or an instant outside 1970..=9999.
pub fn create_run(options: &CreateRun) -> Result<()> {
    line("user", &options.user)?;
    instant(options.started)?;
    lease(options.lease.as_ref())?;
    texts("param", &options.params)?;
    texts("tag", &options.tags)
}

/// Checks what [`Tracker::update_run`](super::Tracker::update_run) is given.
///
/// # Errors
/// `Invalid`, saying which part is wrong in itself, whatever is stored.
pub fn run_changes(changes: &RunChanges) -> Result<()> {
    texts("param", &changes.params)?;
    texts("tag", &changes.tags)?;
    one_wish_per_tag(changes.tags.keys(), &changes.remove_tags)?;
    changes.inputs.iter().try_for_each(input)?;
    changes.metrics.as_ref().map_or(Ok(()), chunk)?;
    changes.seal.as_ref().map_or(Ok(()), seal)?;
    artifacts(&changes.artifacts)?;
    if let Some(note) = &changes.note {
        text("note", "note", note)?;
    }
    instant(changes.ended)?;
    lease(changes.lease.as_ref())
}

/// Whether a run of status `from` may become `to`.
///
/// | from | may become |
/// |---|---|
/// | running | anything |
/// | lost | anything: a later opener knows better, or resumes it |
/// | finished, failed, killed | running (it is resumed), or what it is |
///
/// ```
/// use mlops_core::tracking::{RunStatus, check};
/// assert!(check::transition(RunStatus::Lost, RunStatus::Failed).is_ok());
/// assert!(check::transition(RunStatus::Failed, RunStatus::Finished).is_err());
/// ```
///
/// # Errors
/// `Conflict`: somebody else ended the run in another way.
pub fn transition(from: RunStatus, to: RunStatus) -> Result<()> {
    if from == to || to == RunStatus::Running || expects_points(from) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Conflict, "tracker.update_run", "the run has ended in another way")
        .with("status", from)
        .with("wanted", to)
        .with_hint("resume the run first, by setting its status to running"))
}

/// Checks what a change demands of the run's status.
///
/// # Errors
/// `Conflict`, if it is not so.
pub fn expectation(expect: Option<Expect>, status: RunStatus) -> Result<()> {
    let (holds, expected) = match expect {
        None => return Ok(()),
        Some(Expect::Status(wanted)) => (wanted == status, wanted.as_str()),
        Some(Expect::Unfinished) => (expects_points(status), "running or lost"),
    };
    if holds {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Conflict, "tracker.update_run", "the run's status is another one")
        .with("expected", expected)
        .with("found", status))
}

/// The part of a run that says whether it lives, and who writes it.
///
/// A run that is running has no end; one that is not has an end and no lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// What became of the run.
    pub status: RunStatus,
    /// When it ended.
    pub ended: Option<Instant>,
    /// Who writes it.
    pub lease: Option<Lease>,
}

impl Life {
    /// What a change makes of it.
    ///
    /// Ending takes the lease away and sets the end, to [`RunChanges::ended`] or else to `now`; an
    /// end that is there already stays, unless the change names another. Resuming (any status to
    /// running) takes the end away.
    ///
    /// # Errors
    /// `Conflict` if the change expects another status or the [`transition`] is not allowed.
    /// `Invalid` for an end of a run that is running, or a lease on one that is not.
    pub fn after(&self, changes: &RunChanges, now: Instant) -> Result<Self> {
        expectation(changes.expect, self.status)?;
        let status = changes.status.unwrap_or(self.status);
        transition(self.status, status)?;
        let invalid =
            |message| Err(Error::invalid("tracker.update_run", message).with("status", status));
        if status == RunStatus::Running {
            if changes.ended.is_some() {
                return invalid("a run that is running has no end");
            }
            let lease = changes.lease.clone().or_else(|| self.lease.clone());
            return Ok(Self { status, ended: None, lease });
        }
        if changes.lease.is_some() {
            return invalid("a run that has ended has no lease");
        }
        let ended = changes.ended.or(self.ended).unwrap_or(now);
        Ok(Self { status, ended: Some(ended), lease: None })
    }
}

/// Checks that a run in the trash is only brought back, and only into a live experiment.
///
/// # Errors
/// `Invalid` otherwise.
pub fn trash(run_deleted: bool, experiment_deleted: bool, changes: &RunChanges) -> Result<()> {
    if !run_deleted || changes.is_empty() {
        return Ok(());
    }
    let only =
        RunChanges { expect: changes.expect, deleted: changes.deleted, ..RunChanges::default() };
    if changes.deleted.is_none() || *changes != only {
        return Err(Error::invalid("tracker.update_run", "the run is in the trash")
            .with_hint("restore it first, in a call of its own"));
    }
    if changes.deleted == Some(false) && experiment_deleted {
        return Err(Error::invalid("tracker.update_run", "the run's experiment is in the trash")
            .with_hint("restore the experiment, which brings its runs back"));
    }
    Ok(())
}

/// Checks that an experiment in the trash is changed only by what brings it back.
///
/// Unlike a run it may get another name in the same call, because its own may be taken by now.
///
/// # Errors
/// `Invalid` otherwise.
pub fn experiment_trash(deleted: bool, changes: &ExperimentChanges) -> Result<()> {
    let only = ExperimentChanges { deleted: changes.deleted, ..ExperimentChanges::default() };
    if !deleted || changes.deleted == Some(false) || *changes == only {
        return Ok(());
    }
    Err(Error::invalid("tracker.update_experiment", "the experiment is in the trash")
        .with_hint("restore it first, or in the same call"))
}

/// The name of a run that was given none: the last eight digits of its id. Its first digits are the
/// time, the same for all runs of a minute.
///
/// # Errors
/// None that can happen: eight digits are a name.
pub fn default_run_name(id: RunId) -> Result<RunName> {
    let digits = id.to_string();
    RunName::new(digits.get(24..).unwrap_or(&digits))
}

/// Whether a param is new (`true`) or repeats what is stored (`false`).
///
/// # Errors
/// `Invalid` if another value is stored.
pub fn param(key: &Key, stored: Option<&str>, offered: &str) -> Result<bool> {
    match stored {
        None => Ok(true),
        Some(stored) if stored == offered => Ok(false),
        Some(stored) => Err(Error::invalid("tracker.update_run", "the param has another value")
            .with("param", key)
            .with("stored", excerpt(stored))
            .with("offered", excerpt(offered))
            .with_hint("a param is written once; log what changes as a metric or a tag")),
    }
}

/// Whether a chunk is the next of its spool (`true`) or stored already (`false`), where `stored`
/// points of its spool are stored, and its run goes from status `before` to `after`.
///
/// ```
/// use mlops_core::SpoolId;
/// use mlops_core::tracking::{Origin, RunStatus, check};
/// let origin = Origin { spool: SpoolId::from_bytes([1; 16]), first: 10, count: 5 };
/// let append = |stored| check::append(origin, stored, RunStatus::Running, RunStatus::Running);
/// assert!(append(10).unwrap(), "it is the next one");
/// assert!(!append(15).unwrap(), "it is stored already");
/// assert!(append(9).is_err() && append(12).is_err(), "a hole, and an overlap");
/// ```
///
/// # Errors
/// `Conflict` if there is a hole, or only a part of the chunk is stored. `Invalid` if it is the next
/// one but the run has ended: neither was it running or lost, nor is it resumed by this change.
pub fn append(origin: Origin, stored: u64, before: RunStatus, after: RunStatus) -> Result<bool> {
    if origin.first.saturating_add(origin.count) <= stored {
        return Ok(false);
    }
    if origin.first != stored {
        return Err(Error::new(
            ErrorKind::Conflict,
            "tracker.update_run",
            "the chunk is not the next of its spool",
        )
        .with("spool", origin.spool)
        .with("first", origin.first)
        .with("count", origin.count)
        .with("stored", stored));
    }
    if expects_points(before) || after == RunStatus::Running {
        return Ok(true);
    }
    Err(Error::invalid("tracker.update_run", "points for a run that has ended")
        .with("status", before)
        .with_hint("resume the run first, by setting its status to running"))
}

/// The directories that an artifact path lies in, outermost first: `a` and `a/b` for `a/b/c`.
///
/// ```
/// use mlops_core::tracking::check::directories;
/// let path = "a/b/c".parse().unwrap();
/// assert_eq!(directories(&path).collect::<Vec<_>>(), ["a", "a/b"]);
/// ```
///
/// A file of such a path in the same run, or a file under the path itself, makes the change `Invalid`
/// ([`file_and_directory`]): no file system could hold both.
pub fn directories(path: &ArtifactPath) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path.as_str()[..at])
}

/// The error for an object that was taken for known and is not named any more.
#[cold]
pub fn object_is_gone(entry: &ArtifactEntry) -> Error {
    Error::new(ErrorKind::Conflict, "tracker.update_run", "nothing names the object any more")
        .with("path", &entry.path)
        .with("digest", entry.blob.digest)
        .with_hint("upload it, then offer it as uploaded")
}

/// The error for a path that would be both a file and a directory.
#[cold]
pub fn file_and_directory(path: &str, other: &str) -> Error {
    Error::invalid("tracker.update_run", "a path would be both a file and a directory")
        .with("path", path)
        .with("other", other)
}

/// Whether points may come to a run of this status: it runs, or its leftovers are being added.
fn expects_points(status: RunStatus) -> bool {
    matches!(status, RunStatus::Running | RunStatus::Lost)
}

pub(crate) fn one_wish_per_tag<'a>(
    set: impl Iterator<Item = &'a Key>,
    remove: &[Key],
) -> Result<()> {
    for key in set {
        if remove.contains(key) {
            return Err(Error::invalid("tag", "is set and taken away at once").with("tag", key));
        }
    }
    Ok(())
}

pub(crate) fn texts<'a>(
    what: &'static str,
    values: impl IntoIterator<Item = (&'a Key, &'a String)>,
) -> Result<()> {
    values.into_iter().try_for_each(|(key, value)| text(what, key, value))
}

/// Free text of at most [`MAX_VALUE_BYTES`]: line breaks and tabs are fine, NUL is not, because
/// neither PostgreSQL nor C strings can hold it.
pub(crate) fn text(what: &'static str, name: &str, value: &str) -> Result<()> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(too_long(what, value, MAX_VALUE_BYTES).with("name", name));
    }
    no_nul(what, value).map_err(|error| error.with("name", name))
}

fn no_nul(what: &'static str, value: &str) -> Result<()> {
    match value.bytes().position(|byte| byte == 0) {
        None => Ok(()),
        Some(at) => Err(Error::invalid(what, "contains NUL").with("byte", at)),
    }
}

/// One line of at most [`MAX_NAME_BYTES`]; may be empty.
fn line(what: &'static str, value: &str) -> Result<()> {
    if value.len() > MAX_NAME_BYTES {
        return Err(too_long(what, value, MAX_NAME_BYTES));
    }
    no_control(what, value)
}

fn no_control(what: &'static str, value: &str) -> Result<()> {
    match value.char_indices().find(|(_, c)| c.is_control()) {
        None => Ok(()),
        Some((at, _)) => Err(Error::invalid(what, "contains a control character")
            .with("text", excerpt(value))
            .with("byte", at)),
    }
}

fn too_long(what: &'static str, value: &str, bound: usize) -> Error {
    Error::invalid(what, "is too long")
        .with("bytes", value.len())
        .with("at_most", bound)
        .with("starts_with", excerpt(value))
}

/// The start of a value, for a message.
fn excerpt(value: &str) -> String {
    value.chars().take(40).flat_map(char::escape_debug).collect()
}

pub(crate) fn instant(instant: Option<Instant>) -> Result<()> {
    instant.map_or(Ok(()), |at| time::to_micros(at).map(drop))
}

fn lease(lease: Option<&Lease>) -> Result<()> {
    let Some(lease) = lease else { return Ok(()) };
    line("lease.host", &lease.host)?;
    instant(Some(lease.until))
}

pub(crate) fn input(input: &DatasetInput) -> Result<()> {
    if let DatasetContext::Other(name) = &input.context {
        Key::new(name)?;
    }
    if let Some(source) = &input.source {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(too_long("dataset.source", source, MAX_SOURCE_BYTES));
        }
        no_nul("dataset.source", source)?;
    }
    if let Some(schema) = &input.schema {
        let bytes = schema.to_string().len();
        if bytes > MAX_SCHEMA_BYTES {
            return Err(Error::invalid("dataset.schema", "is too long")
                .with("bytes", bytes)
                .with("at_most", MAX_SCHEMA_BYTES));
        }
        check_json("dataset.schema", schema)?;
    }
    input.rows.map_or(Ok(()), |rows| stored_number("dataset.rows", rows))
}

fn chunk(chunk: &MetricChunk) -> Result<()> {
    let invalid = |message: &'static str| Err(Error::invalid("metric_chunk", message));
    let Origin { first, count, .. } = chunk.origin;
    if count == 0 {
        return invalid("has no points");
    }
    stored_number("metric_chunk", first.saturating_add(count))?;
    for step in [chunk.steps.start(), chunk.steps.end()] {
        check_step(*step)?;
    }
    for micros in [chunk.times_micros.start(), chunk.times_micros.end()] {
        time::check_micros(*micros)?;
    }
    if chunk.steps.is_empty() || chunk.times_micros.is_empty() {
        return invalid("has a range that ends before it starts");
    }
    let mut keys = BTreeSet::new();
    let mut points = 0_u64;
    for (key, summary) in &chunk.summaries {
        if !keys.insert(key) {
            return invalid("summarizes a key twice");
        }
        let ordered = summary.min <= summary.max || (summary.min.is_nan() && summary.max.is_nan());
        if !ordered
            || summary.count == 0
            || !chunk.steps.contains(&summary.last_step)
            || !chunk.times_micros.contains(&summary.last_time_micros)
        {
            return invalid("has a summary that contradicts itself or the ranges");
        }
        points = points.saturating_add(summary.count);
    }
    if points != count {
        return invalid("has summaries of more or fewer points than it holds");
    }
    Ok(())
}

fn seal(seal: &SealedMetrics) -> Result<()> {
    let distinct: BTreeSet<_> = seal.replaces.iter().collect();
    if distinct.is_empty() || distinct.len() != seal.replaces.len() {
        return Err(Error::invalid("seal", "names no chunk, or one twice"));
    }
    stored_number("seal", seal.count)?;
    blob(&seal.blob)
}

fn artifacts(entries: &[ArtifactEntry]) -> Result<()> {
    let paths: BTreeSet<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    for entry in entries {
        blob(&entry.blob)?;
        if let Some(file) = directories(&entry.path).find(|directory| paths.contains(directory)) {
            return Err(file_and_directory(&entry.path, file));
        }
    }
    Ok(())
}

pub(crate) fn blob(blob: &Blob) -> Result<()> {
    let location = &blob.location.0;
    if location.is_empty() {
        return Err(Error::invalid("blob.location", "is empty"));
    }
    if location.len() > MAX_LOCATION_BYTES {
        return Err(too_long("blob.location", location, MAX_LOCATION_BYTES));
    }
    no_control("blob.location", location)?;
    stored_number("blob.size", blob.size)
}

fn stored_number(what: &'static str, number: u64) -> Result<()> {
    match i64::try_from(number) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(Error::invalid(what, "number is greater than 2^63 - 1").with("number", number))
        }
    }
}
