//! Writing a database and a directory that MLflow opens.
//!
//! One run is in memory at a time (and a page of the small parts of 64), whatever the store holds. A
//! run that is being written meanwhile is exported as far as it was stored when its turn came.
//!
//! The database gets its name when everything is in it. Artifacts are written before that, under the
//! names that they keep; those of an export that was interrupted are taken up by the next one, which
//! finds them equal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::SecondsFormat;
use futures::TryStreamExt;
use mlops_core::time::Instant;
use mlops_core::tracking::{
    Artifact, DatasetInput, Experiment, ExperimentQuery, MetricPoint, Run, RunQuery, RunStatus,
    View,
};
use mlops_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::report::{Finding, FindingKind, Findings};
use super::sheet::{ExperimentRow, InputRow, Latest, RunRow, Sheet, Stored};
use super::{sql_error, tag, text, uri};
use crate::blobs::{BlobReader, Progress};
use crate::blocking::blocking;
use crate::history::chunk_bytes;
use crate::points;
use crate::spool::io_error;
use crate::tracking::Tracking;

const OP: &str = "mlflow.export";
/// Runs whose small parts are read at once.
const PAGE: usize = 64;
/// MLflow's column for a dataset's digest.
const DIGEST_CHARS: usize = 36;
/// MLflow's columns for artifact locations of runs and of experiments.
const RUN_URI_CHARS: usize = 200;
const EXPERIMENT_URI_CHARS: usize = 256;
/// What MLflow lets somebody log.
const PARAM_CHARS: usize = 6_000;
const TAG_CHARS: usize = 5_000;

/// How an export is made.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ExportOptions {
    /// Whether a database, or a file of other content among the artifacts, is replaced.
    pub overwrite: bool,
    /// Told how many of how many runs are done.
    pub progress: Option<Progress>,
}

impl ExportOptions {
    /// Replaces what is there already.
    pub fn with_overwrite(mut self) -> Self {
        self.overwrite = true;
        self
    }

    /// Reports progress, in runs.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl std::fmt::Debug for ExportOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportOptions")
            .field("overwrite", &self.overwrite)
            .field("progress", &self.progress.is_some())
            .finish()
    }
}

/// What an export wrote, and what it could not say in MLflow's words.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExportReport {
    /// Experiments, without the empty `Default` that MLflow needs.
    pub experiments: u64,
    /// Runs.
    pub runs: u64,
    /// Points of metrics.
    pub points: u64,
    /// Dataset inputs.
    pub inputs: u64,
    /// Files.
    pub artifacts: u64,
    /// Their bytes.
    pub artifact_bytes: u64,
    /// What differs there.
    pub findings: Vec<Finding>,
}

/// Writes everything, the trash included, into the SQLite database `database`, and the artifacts under
/// `artifacts` as `<experiment>/<run>/artifacts/…`.
///
/// `mlflow ui --backend-store-uri sqlite:///<database>` then shows it, from MLflow 2.9 on. Both places
/// are local; `artifacts` is made if it is not there, and its path is written into the database.
///
/// # Errors
/// `AlreadyExists` if the database, or a file of other content among the artifacts, is there and
/// [`ExportOptions::overwrite`] is not set; `NotFound` or `Denied` for the directory of the database;
/// `Corrupt` if an artifact is damaged; `Unavailable` if the disk is full.
///
/// ```no_run
/// # async fn f(tracking: mlops_registry::Tracking) -> mlops_core::Result<()> {
/// use mlops_registry::mlflow::{self, ExportOptions};
///
/// let options = ExportOptions::default();
/// let report =
///     mlflow::export(&tracking, "mlflow.db".as_ref(), "mlflow-files".as_ref(), options).await?;
/// for finding in &report.findings {
///     println!("{finding}");
/// }
/// # Ok(()) }
/// ```
pub async fn export(
    tracking: &Tracking,
    database: &Path,
    artifacts: &Path,
    options: ExportOptions,
) -> Result<ExportReport> {
    let (file, root) = prepare(database, artifacts, options.overwrite)?;
    let sheet = {
        let path = file.path().to_owned();
        blocking(OP, move || Sheet::create(&path).map_err(|e| sql_error(OP, &path, e))).await?
    };
    let mut export = Export {
        tracking,
        database,
        root,
        sheet: Some(sheet),
        options,
        report: ExportReport::default(),
        findings: Findings::default(),
    };
    let total = tracking.tracker().count_runs(&all_runs()).await?;
    for (number, experiment) in export.experiments().await? {
        let mut query = all_runs().with_experiment(experiment.id).with_limit(PAGE);
        loop {
            let page = tracking.tracker().search_runs(&query).await?;
            for run in &page.items {
                export.run(number, &experiment, run).await?;
                export.report.runs += 1;
                if let Some(progress) = &export.options.progress {
                    progress(export.report.runs, total.max(export.report.runs));
                }
            }
            match page.next {
                None => break,
                next => query.page = next,
            }
        }
    }
    export.finish(file).await
}

struct Export<'a> {
    tracking: &'a Tracking,
    database: &'a Path,
    root: PathBuf,
    /// Absent only while a thread for blocking work has it.
    sheet: Option<Sheet>,
    options: ExportOptions,
    report: ExportReport,
    findings: Findings,
}

impl Export<'_> {
    /// Does something with the database on a thread that may block.
    async fn with_sheet<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Sheet) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let Some(mut sheet) = self.sheet.take() else {
            return Err(Error::new(ErrorKind::Internal, OP, "the database is in use"));
        };
        let (sheet, done) = blocking(OP, move || {
            let done = work(&mut sheet);
            Ok((sheet, done))
        })
        .await?;
        self.sheet = Some(sheet);
        done.map_err(|e| sql_error(OP, self.database, e))
    }

    /// Writes the experiments, and returns each with the number that MLflow knows it by.
    async fn experiments(&mut self) -> Result<Vec<(i64, Experiment)>> {
        let mut found = Vec::new();
        let mut query = ExperimentQuery::default().with_view(View::All);
        loop {
            let page = self.tracking.tracker().search_experiments(&query).await?;
            found.extend(page.items);
            match page.next {
                None => break,
                next => query.page = next,
            }
        }
        // Numbers in the order of their making, so that an export of later keeps those of earlier.
        found.sort_by_key(|e| (e.created, e.id));
        let mut taken: BTreeSet<String> =
            found.iter().filter(|e| e.deleted.is_none()).map(|e| e.name.to_string()).collect();
        let has_default = !taken.insert("Default".to_owned());
        let mut rows = Vec::new();
        if !has_default {
            let now = self.tracking.parts().clock.now().timestamp_millis();
            rows.push(self.experiment_row(0, "Default".to_owned(), now)?);
        }
        let mut numbered = Vec::new();
        let mut numbers = 1..;
        for experiment in found {
            let live = experiment.deleted.is_none();
            let is_default = live && &*experiment.name == "Default";
            let number = if is_default { 0 } else { numbers.next().unwrap_or_default() };
            let name = if live {
                experiment.name.to_string()
            } else {
                self.free_name(&experiment.name, &mut taken)
            };
            let mut row = self.experiment_row(number, name, ms(experiment.created))?;
            row.deleted = !live;
            row.updated_ms = experiment.deleted.map_or(row.created_ms, ms);
            row.tags = experiment.tags.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
            row.tags.retain(|(key, _)| key != tag::EXPERIMENT);
            row.tags.push((tag::EXPERIMENT.to_owned(), experiment.id.to_string()));
            rows.push(row);
            numbered.push((number, experiment));
        }
        self.report.experiments = numbered.len() as u64;
        self.with_sheet(move |sheet| rows.iter().try_for_each(|row| sheet.experiment(row))).await?;
        Ok(numbered)
    }

    fn experiment_row(&mut self, id: i64, name: String, ms: i64) -> Result<ExperimentRow> {
        let location = uri::of_path(&self.root.join(id.to_string()))?;
        if location.len() > EXPERIMENT_URI_CHARS {
            self.findings.add(FindingKind::LongUri, || location.clone());
        }
        Ok(ExperimentRow {
            id,
            name,
            location,
            created_ms: ms,
            updated_ms: ms,
            deleted: false,
            tags: Vec::new(),
        })
    }

    /// MLflow's names stay taken in the trash, ours do not.
    fn free_name(&mut self, name: &str, taken: &mut BTreeSet<String>) -> String {
        let suffix = |n: usize| {
            if n == 1 { String::new() } else { format!(" {n}") }
        };
        let candidates = (1..).map(|n| format!("{name} (deleted{})", suffix(n)));
        let mut all = std::iter::once(name.to_owned()).chain(candidates);
        let free = all.find(|candidate| !taken.contains(candidate)).unwrap_or_default();
        if free != name {
            self.findings.add(FindingKind::ExperimentRenamed, || format!("{name} → {free}"));
        }
        taken.insert(free.clone());
        free
    }

    async fn run(&mut self, number: i64, experiment: &Experiment, run: &Run) -> Result<()> {
        let id = run.id.to_string();
        let directory = self.root.join(number.to_string()).join(&id).join("artifacts");
        let row = self.run_row(number, experiment, run, uri::of_path(&directory)?);
        let inputs = self.with_sheet(move |sheet| sheet.run(&row)).await?;
        self.report.inputs += inputs.stored;
        for name in inputs.repeated {
            self.findings.add(FindingKind::ContextDropped, || format!("run {id}, {name}"));
        }
        for name in inputs.differing {
            self.findings.add(FindingKind::DatasetDiffers, || format!("run {id}, {name}"));
        }
        self.metrics(run, &id).await?;
        for artifact in self.tracking.tracker().artifacts(run.id, "").await? {
            self.artifact(&artifact, &directory).await?;
        }
        Ok(())
    }

    fn run_row(&mut self, number: i64, of: &Experiment, run: &Run, artifact_uri: String) -> RunRow {
        let id = run.id.to_string();
        if artifact_uri.len() > RUN_URI_CHARS {
            self.findings.add(FindingKind::LongUri, || artifact_uri.clone());
        }
        let params: Vec<(String, String)> =
            run.params.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
        let tags = self.tags(run, &id);
        let keys = run.params.keys().chain(run.tags.keys()).chain(run.metrics.keys());
        for key in keys.filter(|key| !text::is_mlflow_key(key)) {
            self.findings.add(FindingKind::UnusualKey, || format!("run {id}, {key}"));
        }
        for (entries, most) in [(&params, PARAM_CHARS), (&tags, TAG_CHARS)] {
            for (key, value) in entries.iter().filter(|(_, v)| v.chars().nth(most).is_some()) {
                self.findings.add(FindingKind::LongValue, || {
                    format!("run {id}, {key}: {} characters", value.chars().count())
                });
            }
        }
        let status = match run.status {
            RunStatus::Running => "RUNNING",
            RunStatus::Finished => "FINISHED",
            RunStatus::Failed => "FAILED",
            // `Lost`, and whatever a later version adds: it ended, and not well.
            _ => "KILLED",
        };
        let inputs = run.inputs.iter().map(|input| self.input_row(input, &id)).collect();
        RunRow {
            experiment: number,
            name: run.name.to_string(),
            user: if run.user.is_empty() { "unknown".to_owned() } else { run.user.clone() },
            status,
            started_ms: ms(run.started),
            ended_ms: run.ended.map(ms),
            deleted_ms: run.deleted.or(of.deleted).map(ms),
            artifact_uri,
            params,
            tags: tags.into_iter().collect(),
            inputs,
            id,
        }
    }

    fn tags(&mut self, run: &Run, id: &str) -> Vec<(String, String)> {
        let mut tags: BTreeMap<String, String> =
            run.tags.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
        for (ours, theirs) in tag::SOURCE {
            if let Some(value) = run.tags.get(ours) {
                tags.entry(theirs.to_owned()).or_insert_with(|| value.clone());
            }
        }
        let mut meant = vec![(tag::RUN_NAME, run.name.to_string())];
        if !run.user.is_empty() {
            meant.push((tag::USER, run.user.clone()));
        }
        if !run.note.is_empty() {
            meant.push((tag::NOTE, run.note.clone()));
        }
        if let Some(parent) = run.parent {
            meant.push((tag::PARENT, parent.to_string()));
        }
        if run.status == RunStatus::Lost {
            self.findings.add(FindingKind::LostStatus, || format!("run {id}"));
            meant.push((tag::STATUS, run.status.to_string()));
        }
        for (key, at) in [(tag::STARTED, Some(run.started)), (tag::ENDED, run.ended)] {
            if let Some(at) = at.filter(|at| at.timestamp_micros() % 1_000 != 0) {
                let exact = at.to_rfc3339_opts(SecondsFormat::Micros, true);
                self.findings.add(FindingKind::InstantCut, || format!("run {id}, {exact}"));
                meant.push((key, exact));
            }
        }
        for (key, value) in meant {
            let old = tags.insert(key.to_owned(), value);
            if old.is_some_and(|old| tags.get(key) != Some(&old)) {
                self.findings.add(FindingKind::TagReplaced, || format!("run {id}, {key}"));
            }
        }
        tags.into_iter().collect()
    }

    fn input_row(&mut self, input: &DatasetInput, run: &str) -> InputRow {
        let mut tags = vec![(tag::CONTEXT, input.context.as_str().to_owned())];
        let mut digest = input.digest.to_string();
        if let Some((end, _)) = digest.char_indices().nth(DIGEST_CHARS) {
            self.findings.add(FindingKind::DigestCut, || format!("run {run}, {}", input.name));
            tags.push((tag::DIGEST, digest.clone()));
            digest.truncate(end);
        }
        let source = input.source.as_deref();
        InputRow {
            name: input.name.to_string(),
            digest,
            source_type: source_type(source),
            source: source.map_or_else(|| "{}".to_owned(), dataset_source),
            schema: input.schema.as_ref().map(dataset_schema),
            profile: input.rows.map(|rows| json!({ "num_rows": rows }).to_string()),
            tags,
        }
    }

    async fn metrics(&mut self, run: &Run, id: &str) -> Result<()> {
        if run.metrics.is_empty() {
            return Ok(());
        }
        let parts = self.tracking.parts();
        let mut latest = Latest::default();
        for chunk in parts.tracker.metric_chunks(run.id, None).await? {
            let bytes = chunk_bytes(parts, &chunk).await?;
            let (codec, id) = (chunk.codec, id.to_owned());
            let points = blocking(OP, move || points::decode(codec, &bytes)).await?;
            let known = latest;
            latest = self
                .with_sheet(move |sheet| {
                    let mut latest = known;
                    sheet.points(&id, &points, &mut latest).map(|()| latest)
                })
                .await?;
        }
        self.report.points += latest.points;
        let findings = &mut self.findings;
        findings.add_many(FindingKind::DuplicatePoint, latest.duplicates, || format!("run {id}"));
        findings.add_many(FindingKind::Infinite, latest.infinite, || format!("run {id}"));
        let zeros = latest.negative_zeros;
        findings.add_many(FindingKind::NegativeZero, zeros, || format!("run {id}"));
        findings.add_many(FindingKind::PointTimeCut, latest.times_cut, || format!("run {id}"));
        for (key, summary) in &run.metrics {
            let last = Stored::of(MetricPoint {
                step: summary.last_step,
                time_micros: summary.last_time_micros,
                value: summary.last,
            });
            let shown = latest.best.get(key.as_str());
            if shown.is_some_and(|shown| !shown.shows_as(&last)) {
                findings.add(FindingKind::LatestDiffers, || format!("run {id}, {key}"));
            }
        }
        let id = id.to_owned();
        self.with_sheet(move |sheet| sheet.latest(&id, &latest)).await
    }

    async fn artifact(&mut self, artifact: &Artifact, directory: &Path) -> Result<()> {
        let path = directory.join(artifact.path.as_str());
        if artifact.path.contains(['#', '?', '%']) {
            self.findings.add(FindingKind::UnusualPath, || path.display().to_string());
        }
        let (target, overwrite) = (path.clone(), self.options.overwrite);
        let (size, digest) = (artifact.blob.size, artifact.blob.digest);
        let there = blocking(OP, move || is_there(&target, size, digest.0, overwrite)).await?;
        if !there {
            let bytes = self.tracking.blobs().get(&artifact.blob).await?;
            write_file(bytes, &path).await?;
        }
        self.report.artifacts += 1;
        self.report.artifact_bytes += artifact.blob.size;
        Ok(())
    }

    async fn finish(self, file: NamedTempFile) -> Result<ExportReport> {
        let Self { database, root, sheet, options, mut report, findings, .. } = self;
        let target = database.to_owned();
        blocking(OP, move || {
            if let Some(sheet) = sheet {
                sheet.finish().map_err(|e| sql_error(OP, &target, e))?;
            }
            publish(file, &target, &root, options.overwrite)
        })
        .await?;
        report.findings = findings.into_list();
        Ok(report)
    }
}

fn all_runs() -> RunQuery {
    RunQuery::default().with_view(View::All)
}

fn ms(at: Instant) -> i64 {
    at.timestamp_micros().div_euclid(1_000)
}

/// What MLflow calls the place where a dataset was read from; its names for what it can open itself.
pub(super) fn source_type(source: Option<&str>) -> &'static str {
    let scheme = source.and_then(|source| source.split_once("://")).map(|(scheme, _)| scheme);
    match scheme {
        Some("s3" | "s3a") => "s3",
        Some("http" | "https") => "http",
        Some("gs") => "gs",
        Some("hf") => "hugging_face",
        _ => "local",
    }
}

/// MLflow keeps an object here; one that is an object already came from there.
fn dataset_source(source: &str) -> String {
    match serde_json::from_str::<Value>(source) {
        Ok(Value::Object(_)) => source.to_owned(),
        _ => json!({ "uri": source }).to_string(),
    }
}

/// MLflow's interface shows the columns of `mlflow_colspec`; ours stand beside it as they are.
fn dataset_schema(schema: &Value) -> String {
    let columns = match schema {
        Value::Object(columns) if columns.values().all(Value::is_string) => columns,
        other => return other.to_string(),
    };
    let colspec: Vec<Value> = columns
        .iter()
        .map(|(name, kind)| json!({ "type": kind, "name": name, "required": false }))
        .collect();
    json!({ "mlflow_colspec": colspec, "mlops_schema": schema }).to_string()
}

/// Looks at both places before anything is written; the temporary file lies beside the database.
fn prepare(database: &Path, artifacts: &Path, overwrite: bool) -> Result<(NamedTempFile, PathBuf)> {
    if !overwrite && database.symlink_metadata().is_ok() {
        return Err(exists("there is something at the path of the database", database));
    }
    let parent = match database.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !parent.is_dir() {
        return Err(Error::not_found(OP, "the directory of the database does not exist")
            .with("path", parent.display()));
    }
    let mut builder = tempfile::Builder::new();
    let builder = plain_permissions(builder.prefix(".mlops-export-"));
    let file =
        builder.tempfile_in(parent).map_err(|e| failed("cannot write the database", parent, e))?;
    let root = std::path::absolute(artifacts)
        .map_err(|e| failed("cannot find the directory of the artifacts", artifacts, e))?;
    fs::create_dir_all(&root)
        .map_err(|e| failed("cannot make the directory of the artifacts", &root, e))?;
    Ok((file, root))
}

fn failed(message: &'static str, path: &Path, source: io::Error) -> Error {
    io_error(message, path, source).with("during", OP)
}

fn exists(message: &'static str, path: &Path) -> Error {
    Error::new(ErrorKind::AlreadyExists, OP, message)
        .with("path", path.display())
        .with_hint("choose another path, or ask to overwrite")
}

/// What an ordinary new file gets; the default of a temporary one is for its owner alone.
fn plain_permissions<'b, 'p, 's>(
    builder: &'b mut tempfile::Builder<'p, 's>,
) -> &'b mut tempfile::Builder<'p, 's> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

/// Whether the file is there with these bytes already. Makes its directory if not.
fn is_there(path: &Path, size: u64, digest: [u8; 32], overwrite: bool) -> Result<bool> {
    let unreadable = |e| failed("cannot look at a file of an earlier export", path, e);
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() == size => {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(File::open(path).map_err(unreadable)?).map_err(unreadable)?;
            if *hasher.finalize().as_bytes() == digest {
                return Ok(true);
            }
        }
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)
                    .map_err(|e| failed("cannot make a directory for artifacts", parent, e))?;
            }
            return Ok(false);
        }
        Err(e) => return Err(unreadable(e)),
    }
    if overwrite {
        Ok(false)
    } else {
        Err(exists("another file lies where an artifact would", path))
    }
}

/// Streams a blob into a temporary file that gets the name only after the digest was found right.
/// Not synced one by one: all are, before the database names them.
async fn write_file(mut bytes: BlobReader, path: &Path) -> Result<()> {
    let target = path.to_owned();
    let stage = move || {
        let parent = target.parent().unwrap_or(&target);
        let mut builder = tempfile::Builder::new();
        plain_permissions(builder.prefix(".mlops-export-"))
            .tempfile_in(parent)
            .map_err(|e| failed("cannot write an artifact", parent, e))
    };
    let mut staged = blocking(OP, stage).await?;
    while let Some(chunk) = bytes.try_next().await? {
        let target = path.to_owned();
        staged = blocking(OP, move || {
            staged.write_all(&chunk).map_err(|e| failed("cannot write an artifact", &target, e))?;
            Ok(staged)
        })
        .await?;
    }
    let target = path.to_owned();
    blocking(OP, move || match staged.persist(&target) {
        Ok(_) => Ok(()),
        Err(e) => Err(failed("cannot name an artifact", &target, e.error)),
    })
    .await
}

/// Artifacts to the disk, then the database, then its name.
fn publish(file: NamedTempFile, database: &Path, root: &Path, overwrite: bool) -> Result<()> {
    let unsynced = |e: io::Error| failed("cannot bring the export to the disk", database, e);
    #[cfg(target_os = "linux")]
    {
        let directory = File::open(root).map_err(unsynced)?;
        rustix::fs::syncfs(&directory).map_err(|e| unsynced(e.into()))?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = root;
    file.as_file().sync_all().map_err(unsynced)?;
    if overwrite {
        // A log that the replaced database left would be played onto the new one.
        for suffix in ["-wal", "-shm", "-journal"] {
            let mut beside = database.as_os_str().to_owned();
            beside.push(suffix);
            match fs::remove_file(&beside) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(unsynced(e)),
                _ => {}
            }
        }
    }
    let persisted =
        if overwrite { file.persist(database) } else { file.persist_noclobber(database) };
    match persisted {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(exists("there is something at the path of the database", database))
        }
        Err(e) => Err(unsynced(e.error)),
    }
}
