//! Writing a database and a directory that MLflow opens.
//!
//! One run is in memory at a time (and a page of the small parts of 64), whatever the store holds. A
//! run that is being written meanwhile is exported as far as it was stored when its turn came.
//!
//! The database gets its name when everything is in it. Artifacts are written before that, under the
//! names that they keep; those of an export that was interrupted are taken up by the next one, which
//! finds them equal.

mod files;
mod models;
mod rows;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use mlops_core::tracking::{Blob, Experiment, ExperimentQuery, MetricPoint, Run, RunQuery, View};
use mlops_core::{Error, ErrorKind, Result, RunId};
use serde::Serialize;
use tempfile::NamedTempFile;

use self::files::{is_there, prepare, publish, write_file};
pub(super) use self::rows::source_type;
use self::rows::{ms, run_row};
use super::report::{Finding, FindingKind, Findings};
use super::sheet::{ExperimentRow, Latest, Sheet, Stored};
use super::{sql_error, tag, uri};
use crate::blobs::Progress;
use crate::blocking::blocking;
use crate::history::chunk_bytes;
use crate::models::Models;
use crate::points;
use crate::tracking::Tracking;

const OP: &str = "mlflow.export";
/// Runs whose small parts are read at once.
const PAGE: usize = 64;
/// MLflow's column for the artifact location of an experiment.
const EXPERIMENT_URI_CHARS: usize = 256;

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
    /// Registered models.
    pub models: u64,
    /// Their versions.
    pub model_versions: u64,
    /// Their aliases.
    pub aliases: u64,
    /// Files, those of versions included that do not lie with their run.
    pub artifacts: u64,
    /// Their bytes.
    pub artifact_bytes: u64,
    /// What differs there.
    pub findings: Vec<Finding>,
}

/// Writes everything, the runs in the trash included, into the SQLite database `database`, and the
/// files under `artifacts` as `<experiment>/<run>/artifacts/…` and `models/<name>/<number>/…`.
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
/// # async fn f(models: mlops_registry::Models) -> mlops_core::Result<()> {
/// use mlops_registry::mlflow::{self, ExportOptions};
///
/// let options = ExportOptions::default();
/// let report =
///     mlflow::export(&models, "mlflow.db".as_ref(), "mlflow-files".as_ref(), options).await?;
/// for finding in &report.findings {
///     println!("{finding}");
/// }
/// # Ok(()) }
/// ```
pub async fn export(
    models: &Models,
    database: &Path,
    artifacts: &Path,
    options: ExportOptions,
) -> Result<ExportReport> {
    let tracking = models.tracking();
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
        numbers: HashMap::new(),
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
                export.numbers.insert(run.id, number);
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
    export.models(&**models.registry()).await?;
    export.finish(file).await
}

struct Export<'a> {
    tracking: &'a Tracking,
    database: &'a Path,
    root: PathBuf,
    /// Absent only while a thread for blocking work has it.
    sheet: Option<Sheet>,
    options: ExportOptions,
    /// The experiment of each run that was written, by MLflow's number.
    numbers: HashMap<RunId, i64>,
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
        let row = run_row(&mut self.findings, number, experiment, run, uri::of_path(&directory)?);
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
            self.file(&artifact.blob, &directory.join(artifact.path.as_str())).await?;
        }
        Ok(())
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

    async fn file(&mut self, blob: &Blob, path: &Path) -> Result<()> {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        if below.to_string_lossy().contains(['#', '?', '%']) {
            self.findings.add(FindingKind::UnusualPath, || path.display().to_string());
        }
        let (target, overwrite) = (path.to_owned(), self.options.overwrite);
        let (size, digest) = (blob.size, blob.digest);
        let there = blocking(OP, move || is_there(&target, size, digest.0, overwrite)).await?;
        if !there {
            let bytes = self.tracking.blobs().get(blob).await?;
            write_file(bytes, path).await?;
        }
        self.report.artifacts += 1;
        self.report.artifact_bytes += blob.size;
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
