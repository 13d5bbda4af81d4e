//! MLflow's store of files: a folder `mlruns`, one folder an experiment, one in it a run.
//!
//! Params and tags are files with the value as their bytes; a metric is a file with a line
//! `time value step` for each point (without the step before MLflow 1.0; with a dataset's name and
//! digest after it since 3.0, of which MLflow's own reader then drops the step). A key with `/` is a
//! file in sub-folders.

mod models;

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use mlops_core::{Error, Result};

use super::super::report::{FindingKind, Findings};
use super::super::{tag, uri};
use super::place::{self, Roots};
use super::source::{
    Place, RunRef, Source, SourceExperiment, SourceInput, SourceModel, SourceRun, SourceStatus,
};
use super::yaml::Map;
use crate::spool::io_error;

const OP: &str = "mlflow.import_mlruns";
/// Folders of an experiment that are no runs.
const NO_RUNS: [&str; 4] = ["tags", "datasets", "traces", "models"];
/// No `meta.yaml` or value of a param or tag is longer, unless somebody means harm.
const FILE_BYTES: u64 = 16 << 20;
/// No line of a metric is longer.
const LINE_BYTES: u64 = 1 << 16;

pub(super) struct Mlruns {
    root: PathBuf,
    /// The folder of each experiment, and whether it is in the trash.
    experiments: BTreeMap<String, (PathBuf, bool)>,
}

impl Mlruns {
    /// # Errors
    /// `NotFound` if there is no such directory, `Invalid` if it is none of MLflow's.
    pub(super) fn open(root: &Path) -> Result<Self> {
        if !root.is_dir() {
            return Err(
                Error::not_found(OP, "there is no such directory").with("path", root.display())
            );
        }
        let mut experiments = BTreeMap::new();
        for (directory, deleted) in [(root.to_owned(), false), (root.join(".trash"), true)] {
            for (name, path) in folders(&directory)? {
                let reserved = name.starts_with('.') || (name == "models" && !deleted);
                if !reserved && path.join("meta.yaml").is_file() {
                    experiments.entry(name).or_insert((path, deleted));
                }
            }
        }
        if experiments.is_empty() {
            let hint = if root.join("mlruns").is_dir() {
                "give the folder `mlruns` in it"
            } else {
                "a folder of MLflow's has one folder for each experiment, with a meta.yaml in it"
            };
            return Err(Error::invalid(OP, "is no folder of MLflow's")
                .with("path", root.display())
                .with_hint(hint));
        }
        Ok(Self { root: root.to_owned(), experiments })
    }

    /// What relative paths are relative to.
    fn base(&self) -> &Path {
        self.root.parent().unwrap_or(&self.root)
    }

    fn experiment_of(&self, id: &str) -> Option<&Path> {
        self.experiments.get(id).map(|(path, _)| path.as_path())
    }

    fn inputs(&self, run: &RunRef, findings: &mut Findings) -> Result<Vec<SourceInput>> {
        let mut inputs = Vec::new();
        for (_, path) in folders(&run.directory.join("inputs"))? {
            let Some(meta) = meta(&path, findings) else {
                continue;
            };
            let is_dataset = meta.text("source_type").is_none_or(|kind| kind == "DATASET");
            let id = meta.text("source_id").filter(|id| is_folder_name(id));
            let (true, Some(id)) = (is_dataset, id) else {
                malformed(findings, &path, None, "is no input of a dataset");
                continue;
            };
            let experiment = self.experiment_of(&run.experiment).unwrap_or(&run.directory);
            let Some(dataset) = self::meta(&experiment.join("datasets").join(id), findings) else {
                continue;
            };
            let own = |key| dataset.text(key).map(str::to_owned);
            let (Some(name), Some(digest)) = (own("name"), own("digest")) else {
                malformed(findings, &path, None, "names a dataset without name or digest");
                continue;
            };
            let tags = meta.texts("tags");
            inputs.push(SourceInput {
                name,
                digest,
                source_type: own("source_type"),
                source: own("source"),
                schema: own("schema"),
                profile: own("profile"),
                tags: tags.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            });
        }
        Ok(inputs)
    }

    fn artifacts(&self, run: &RunRef, said: Option<&str>) -> Option<Place> {
        // First where it lies in this folder: a store that was moved still names its old place.
        let own = run.directory.join("artifacts");
        if own.is_dir() {
            return Some(Place::Directory(own));
        }
        let said = said?;
        let base = self.base();
        match uri::to_path(said, base) {
            // A run without files need not have a folder.
            Some(path) if path == own || (path.starts_with(base) && !path.exists()) => None,
            Some(path) if path.is_dir() && uri::is_artifact_root(&path, &run.id) => {
                Some(Place::Directory(path))
            }
            _ => Some(Place::Elsewhere(said.to_owned())),
        }
    }
}

impl Source for Mlruns {
    fn experiments(&mut self, findings: &mut Findings) -> Result<Vec<SourceExperiment>> {
        let mut experiments = Vec::new();
        for (id, (path, in_trash)) in &self.experiments {
            let Some(meta) = meta(path, findings) else {
                continue;
            };
            let tags = values(&path.join("tags"), findings)?;
            experiments.push(SourceExperiment {
                id: id.clone(),
                name: meta.text("name").unwrap_or(id).to_owned(),
                created_ms: meta.integer("creation_time"),
                deleted: *in_trash || is_deleted(&meta),
                tags,
            });
        }
        Ok(experiments)
    }

    fn runs(&mut self, findings: &mut Findings) -> Result<Vec<RunRef>> {
        let mut runs = Vec::new();
        for (experiment, (path, _)) in &self.experiments {
            for (id, directory) in folders(path)? {
                if NO_RUNS.contains(&id.as_str()) || id.starts_with('.') {
                    continue;
                }
                if !directory.join("meta.yaml").is_file() {
                    malformed(findings, &directory, None, "is no run: it has no meta.yaml");
                    continue;
                }
                let parent = value(&directory.join("tags").join(tag::PARENT)).ok();
                let experiment = experiment.clone();
                runs.push(RunRef { id, experiment, parent, directory });
            }
        }
        Ok(runs)
    }

    fn run(&mut self, run: &RunRef, findings: &mut Findings) -> Result<Option<SourceRun>> {
        let Some(meta) = meta(&run.directory, findings) else {
            return Ok(None);
        };
        let said = meta.text("status").unwrap_or_default();
        let Some(status) = SourceStatus::parse(said) else {
            malformed(findings, &run.directory.join("meta.yaml"), None, "has an unknown status");
            return Ok(None);
        };
        let own = |key| meta.text(key).map(str::to_owned);
        let mut found = SourceRun {
            name: own("run_name").or_else(|| own("name")),
            user: own("user_id"),
            status,
            started_ms: meta.integer("start_time"),
            ended_ms: meta.integer("end_time"),
            deleted: is_deleted(&meta),
            params: values(&run.directory.join("params"), findings)?,
            tags: values(&run.directory.join("tags"), findings)?,
            inputs: self.inputs(run, findings)?,
            artifacts: self.artifacts(run, meta.text("artifact_uri")),
            ..SourceRun::default()
        };
        for (key, path) in files(&run.directory.join("metrics"), findings)? {
            if let Err(e) = metric(&mut found, &key, &path, findings) {
                malformed(findings, &path, None, &e.to_string());
            }
        }
        let outputs = folders(&run.directory.join("outputs"))?.len() as u64;
        findings.add_many(FindingKind::NoCounterpart, outputs, || {
            format!("run {}: {outputs} logged models as outputs", run.id)
        });
        Ok(Some(found))
    }

    fn models(
        &mut self,
        runs: &HashSet<String>,
        findings: &mut Findings,
    ) -> Result<Vec<SourceModel>> {
        let mut models = self.read_models(findings)?;
        let roots = Roots { base: self.base(), server: None, runs };
        place::find_all(&mut models, &roots, |id| self.logged_model(id));
        Ok(models)
    }

    fn document(&mut self, uri: &str, model: &str, number: u64) -> Option<Vec<u8>> {
        place::read_document(uri::to_path(uri, self.base()), model, number)
    }

    fn leftovers(&mut self, findings: &mut Findings) -> Result<()> {
        for (id, (path, _)) in &self.experiments {
            for (kind, what) in [("models", "logged models"), ("traces", "traces")] {
                let count = folders(&path.join(kind))?.len() as u64;
                findings.add_many(FindingKind::NoCounterpart, count, || {
                    format!("experiment {id}: {count} {what}")
                });
            }
        }
        Ok(())
    }
}

fn metric(run: &mut SourceRun, key: &str, path: &Path, findings: &mut Findings) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if (&mut reader).take(LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let parsed = std::str::from_utf8(&line).ok().and_then(point);
        let Some(point) = parsed else {
            malformed(findings, path, Some(number), "is no `time value step`");
            continue;
        };
        run.point(key, point, findings, || format!("{}:{number}", path.display()));
    }
    Ok(())
}

/// Step, time and value of a line; a dataset's name and digest after them are left out.
fn point(line: &str) -> Option<(i64, i64, f64)> {
    let mut parts = line.split_ascii_whitespace();
    let time = parts.next()?.parse().ok()?;
    let value = parts.next()?.parse().ok()?;
    let step = parts.next().map_or(Ok(0), str::parse).ok()?;
    // Four would be half a dataset. A name with spaces makes more than five.
    (parts.next().is_none() || parts.next().is_some()).then_some((step, time, value))
}

fn is_deleted(meta: &Map) -> bool {
    meta.text("lifecycle_stage") == Some("deleted")
}

fn meta(directory: &Path, findings: &mut Findings) -> Option<Map> {
    let path = directory.join("meta.yaml");
    let text = match value(&path) {
        Ok(text) => text,
        Err(e) => {
            malformed(findings, &path, None, &e.to_string());
            return None;
        }
    };
    match Map::parse(&text) {
        Ok(map) => Some(map),
        Err(e) => {
            malformed(findings, &path, Some(e.line), &e.message);
            None
        }
    }
}

/// The values of a folder of params or tags, by key.
fn values(directory: &Path, findings: &mut Findings) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for (key, path) in files(directory, findings)? {
        match value(&path) {
            Ok(text) => {
                values.insert(key, text);
            }
            Err(e) => malformed(findings, &path, None, &e.to_string()),
        }
    }
    Ok(values)
}

fn value(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "is too long"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8"))
}

/// The regular files of a folder and its sub-folders, by their path with `/`.
fn files(directory: &Path, findings: &mut Findings) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut open = vec![(directory.to_owned(), String::new())];
    while let Some((directory, prefix)) = open.pop() {
        for entry in entries(&directory)? {
            let path = entry.path();
            let kind = entry.file_type().map_err(|e| unreadable(&path, e))?;
            let name = entry.file_name();
            let (Some(name), false) = (name.to_str(), kind.is_symlink()) else {
                malformed(findings, &path, None, "is a link, or its name is not UTF-8");
                continue;
            };
            let key = format!("{prefix}{name}");
            if kind.is_dir() {
                open.push((path, format!("{key}/")));
            } else {
                found.insert(key, path);
            }
        }
    }
    Ok(found)
}

/// The folders in a folder, by name; none if it is not there.
fn folders(directory: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in entries(directory)? {
        let path = entry.path();
        if let (true, Ok(name)) = (path.is_dir(), entry.file_name().into_string()) {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.collect::<io::Result<_>>().map_err(|e| unreadable(directory, e)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(e) => Err(unreadable(directory, e)),
    }
}

/// Whether a name that a file says stays within the folder that it is looked up in.
fn is_folder_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\'])
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    io_error("cannot read MLflow's folder", path, source).with("during", OP)
}

fn malformed(findings: &mut Findings, path: &Path, line: Option<usize>, message: &str) {
    findings.add(FindingKind::Malformed, || match line {
        Some(line) => format!("{}:{line}: {message}", path.display()),
        None => format!("{}: {message}", path.display()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_all_ages_are_read() {
        assert_eq!(point("1 0.5 7\n"), Some((7, 1, 0.5)));
        assert_eq!(point("1 -inf"), Some((0, 1, f64::NEG_INFINITY)));
        assert_eq!(point("1 1e-05 -3 train.csv d1"), Some((-3, 1, 1e-5)));
        assert_eq!(point("1 2 3 my train data.csv d1"), Some((3, 1, 2.0)));
        assert!(point("1 nan 2").is_some_and(|(.., value)| value.is_nan()));
        for bad in ["", "1", "x 1 2", "1 y 2", "1 2 z", "1 2 3 half", "1.5 2 3"] {
            assert_eq!(point(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_directory_that_is_none_of_mlflows_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let kind = |path: &Path| Mlruns::open(path).map(drop).unwrap_err().kind();
        assert_eq!(kind(dir.path()), mlops_core::ErrorKind::Invalid);
        assert_eq!(kind(&dir.path().join("none")), mlops_core::ErrorKind::NotFound);
    }
}
