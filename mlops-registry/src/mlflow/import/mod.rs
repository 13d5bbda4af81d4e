//! Taking over what MLflow keeps, from its folder of files or its SQLite database.
//!
//! An import may be repeated: what is here already costs reading and changes nothing, what MLflow has
//! logged since is added. For that, everything follows from the source alone: ids from MLflow's ids, and
//! the spool of new points from how many points are stored already, so that two imports at once, or one
//! that was killed, agree on them. A run that is here and was not imported from this source is left
//! alone, as is a history that is no longer the start of MLflow's.
//!
//! Models come after the runs, because their versions take their files from these.
//!
//! Where both sides were changed since, MLflow's labels win, and nothing is taken away here except that
//! what is deleted there goes to the trash.

mod bytes;
mod database;
mod files;
mod mlruns;
mod models;
mod place;
mod signature;
mod source;
mod store;
mod target;
mod yaml;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use mlops_core::Result;
use serde::Serialize;

use self::database::Database;
use self::mlruns::Mlruns;
use self::source::{RunRef, Source};
use self::store::{Import, Outcome};
use super::report::{Finding, Findings};
use crate::blobs::Progress;
use crate::blocking::blocking;
use crate::models::Models;

const OP: &str = "mlflow.import";

/// How an import is made.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ImportOptions {
    /// Names the store that is imported; its absolute path, if absent. An import of the same name goes
    /// on with what an earlier one brought, also when the store was moved meanwhile.
    pub source: Option<String>,
    /// Where a tracking server that serves artifacts itself (`mlflow-artifacts:`) keeps them.
    pub server_artifacts: Option<PathBuf>,
    /// Told how many of how many runs are done.
    pub progress: Option<Progress>,
}

impl ImportOptions {
    /// Names the store that is imported.
    pub fn with_source(mut self, name: impl Into<String>) -> Self {
        self.source = Some(name.into());
        self
    }

    /// Says where a tracking server keeps the artifacts that it serves.
    pub fn with_server_artifacts(mut self, directory: impl Into<PathBuf>) -> Self {
        self.server_artifacts = Some(directory.into());
        self
    }

    /// Reports progress, in runs.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl fmt::Debug for ImportOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportOptions")
            .field("source", &self.source)
            .field("server_artifacts", &self.server_artifacts)
            .field("progress", &self.progress.is_some())
            .finish()
    }
}

/// How many of one sort of thing an import found, by what it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tally {
    /// Made.
    pub new: u64,
    /// Here already, and changed there since.
    pub changed: u64,
    /// Here already.
    pub unchanged: u64,
    /// Not imported; the findings say why.
    pub skipped: u64,
}

impl Tally {
    fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::New => &mut self.new,
            Outcome::Changed => &mut self.changed,
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::Skipped => &mut self.skipped,
        } += 1;
    }
}

/// What an import brought, and what it could not say in our words.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ImportReport {
    /// The name under which the source is known; see [`ImportOptions::source`].
    pub source: String,
    /// Experiments.
    pub experiments: Tally,
    /// Runs.
    pub runs: Tally,
    /// Points of metrics that were added.
    pub points: u64,
    /// Files that were added, those of versions included that do not lie with their run.
    pub artifacts: u64,
    /// Their bytes.
    pub artifact_bytes: u64,
    /// Registered models.
    pub models: Tally,
    /// Their versions, those that MLflow has deleted left out.
    pub model_versions: Tally,
    /// Their aliases.
    pub aliases: Tally,
    /// What differs here, or was left out.
    pub findings: Vec<Finding>,
}

/// Imports a folder `mlruns`.
///
/// A malformed file is a finding, with its path and line; the rest goes on.
///
/// # Errors
/// `NotFound` if there is no such directory; `Invalid` if it is none of MLflow's; what the store says
/// when it is away or full. What was imported by then stays, and the next import goes on from it.
///
/// ```no_run
/// # async fn f(models: mlops_registry::Models) -> mlops_core::Result<()> {
/// use mlops_registry::mlflow::{self, ImportOptions};
///
/// let report =
///     mlflow::import_mlruns(&models, "mlruns".as_ref(), ImportOptions::default()).await?;
/// println!("{} new runs", report.runs.new);
/// # Ok(()) }
/// ```
pub async fn import_mlruns(
    models: &Models,
    directory: &Path,
    options: ImportOptions,
) -> Result<ImportReport> {
    let path = directory.to_owned();
    let source = blocking(OP, move || Mlruns::open(&path)).await?;
    import(models, directory, Box::new(source), options).await
}

/// Imports an SQLite database, without changing it: `mlflow db upgrade` is not needed, nor done.
///
/// # Errors
/// As [`import_mlruns`].
pub async fn import_database(
    models: &Models,
    database: &Path,
    options: ImportOptions,
) -> Result<ImportReport> {
    let (path, artifacts) = (database.to_owned(), options.server_artifacts.clone());
    let source = blocking(OP, move || {
        // A relative artifact location is relative to where the database lies.
        let path = std::path::absolute(&path).unwrap_or(path);
        Database::open(&path, artifacts)
    })
    .await?;
    import(models, database, Box::new(source), options).await
}

/// The source with what it found, which travel together to the thread that reads.
struct Reading {
    source: Box<dyn Source>,
    findings: Findings,
}

impl Reading {
    async fn with<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut dyn Source, &mut Findings) -> Result<T> + Send + 'static,
    ) -> Result<(Self, T)> {
        blocking(OP, move || {
            let Self { mut source, mut findings } = self;
            let done = work(&mut *source, &mut findings)?;
            Ok((Self { source, findings }, done))
        })
        .await
    }
}

async fn import(
    models: &Models,
    path: &Path,
    source: Box<dyn Source>,
    options: ImportOptions,
) -> Result<ImportReport> {
    let name = options.source.unwrap_or_else(|| {
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        path.display().to_string()
    });
    let (name, _) = super::text::as_value(name);
    let mut import = Import::new(models.tracking(), &name);
    let reading = Reading { source, findings: Findings::default() };
    let (reading, ()) = reading.with(Source::leftovers).await?;
    let (reading, runs) = reading.with(Source::runs).await?;
    let (mut reading, experiments) = reading.with(Source::experiments).await?;
    let mut report = ImportReport { source: name.clone(), ..ImportReport::default() };
    let mut runs_of: HashMap<&str, u64> = HashMap::new();
    for run in &runs {
        *runs_of.entry(&run.experiment).or_default() += 1;
    }
    let mut ids = BTreeMap::new();
    for experiment in experiments {
        let empty = !runs_of.contains_key(experiment.id.as_str()) && experiment.tags.is_empty();
        if empty && experiment.id == "0" && experiment.name == "Default" {
            // MLflow makes it by itself, and says nothing with it.
            continue;
        }
        let (id, outcome) = import.experiment(&experiment, &mut reading.findings).await?;
        report.experiments.count(outcome);
        ids.insert(experiment.id, id);
    }
    let total = runs.len() as u64;
    for (done, run) in parents_first(&runs).into_iter().enumerate() {
        let outcome = if let Some(experiment) = ids.get(&run.experiment) {
            let reference = run.clone();
            let (again, found) =
                reading.with(move |source, findings| source.run(&reference, findings)).await?;
            reading = again;
            match found {
                Some(found) => {
                    import.run(run, *experiment, found, &mut report, &mut reading.findings).await?
                }
                None => Outcome::Skipped,
            }
        } else {
            reading.findings.add(super::FindingKind::Malformed, || {
                format!("run {}: its experiment {} is not there", run.id, run.experiment)
            });
            Outcome::Skipped
        };
        report.runs.count(outcome);
        if let Some(progress) = &options.progress {
            progress(done as u64 + 1, total);
        }
    }
    let ids: HashSet<String> = runs.into_iter().map(|run| run.id).collect();
    let (mut reading, found) =
        reading.with(move |source, findings| source.models(&ids, findings)).await?;
    for model in found {
        reading = import.model(&**models.registry(), reading, model, &mut report).await?;
    }
    import.delete_experiments(&mut reading.findings).await?;
    report.findings = reading.findings.into_list();
    Ok(report)
}

/// The runs in an order in which each comes after its parent, if that is possible.
fn parents_first(runs: &[RunRef]) -> Vec<&RunRef> {
    let places: HashMap<&str, usize> =
        runs.iter().enumerate().map(|(i, run)| (run.id.as_str(), i)).collect();
    let mut ordered = Vec::with_capacity(runs.len());
    let mut seen = vec![false; runs.len()];
    for start in 0..runs.len() {
        let mut chain = Vec::new();
        let mut next = Some(start);
        while let Some(at) = next.filter(|at| !seen[*at]) {
            // Marked at once, so that a circle of parents ends.
            seen[at] = true;
            chain.push(at);
            next = runs[at].parent.as_deref().and_then(|parent| places.get(parent)).copied();
        }
        ordered.extend(chain.into_iter().rev().map(|at| &runs[at]));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_circles_end() {
        let run = |id: &str, parent: Option<&str>| RunRef {
            id: id.to_owned(),
            experiment: "0".to_owned(),
            parent: parent.map(str::to_owned),
            directory: PathBuf::new(),
        };
        let runs = [
            run("grandchild", Some("child")),
            run("a", Some("b")),
            run("child", Some("parent")),
            run("b", Some("a")),
            run("parent", None),
            run("orphan", Some("nobody")),
            run("self", Some("self")),
        ];
        let ids: Vec<&str> = parents_first(&runs).iter().map(|run| run.id.as_str()).collect();
        assert_eq!(ids, ["parent", "child", "grandchild", "b", "a", "orphan", "self"]);
    }
}
