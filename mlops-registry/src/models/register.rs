//! Describing a version before it is registered.
//!
//! What a run knows is taken from it: its files without moving a byte, its metrics, params, inputs and
//! environment, the state of its code. What the caller says wins over what the run says. The version
//! is stored by one call at the end; until then nothing is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mlops_core::registry::{
    Evidence, FeatureServiceRef, Manifest, ManifestFile, ModelVersion, RegisterVersion, Registered,
    Signature,
};
use mlops_core::tracking::{DatasetInput, Digest};
use mlops_core::{ArtifactPath, Error, Key, ModelName, Result, RunId};
use serde_json::Value;

use super::engine::Models;
use super::objects::{self, Content};
use super::run_facts::RunFacts;
use super::sources::{self, Source};
use crate::blobs::BlobSource;

/// A version that is described and not registered yet.
///
/// ```
/// # futures::executor::block_on(async {
/// use mlops_registry::Models;
///
/// let models = Models::in_memory()?;
/// let run = models.tracking().run("churn")?.without_capture().start().await?;
/// run.log_metric("auc", 0.91, 0)?;
/// run.log_artifact("model/weights.json", b"[0.5, 2.0]".to_vec()).await?;
/// let id = run.id();
/// run.finish().await?;
///
/// let version = models.register("churn")?.from_run(id).artifacts("model").register().await?;
/// assert_eq!(version.manifest.files[0].path.as_str(), "weights.json");
/// assert_eq!(version.manifest.metrics["auc"], 0.91);
/// # Ok::<_, mlops_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a version is registered only when `register` is called"]
pub struct RegisterBuilder {
    models: Models,
    model: ModelName,
    run: Option<RunId>,
    run_facts: bool,
    artifacts: Vec<String>,
    files: Vec<(ArtifactPath, BlobSource)>,
    directories: Vec<PathBuf>,
    lock_files: Vec<PathBuf>,
    /// What was said explicitly; its files are empty until the end.
    manifest: Manifest,
    note: String,
    tags: BTreeMap<Key, String>,
    evidence: Vec<Evidence>,
    reuse: bool,
}

impl RegisterBuilder {
    pub(super) fn new(models: Models, model: ModelName) -> Self {
        Self {
            models,
            model,
            run: None,
            run_facts: true,
            artifacts: Vec::new(),
            files: Vec::new(),
            directories: Vec::new(),
            lock_files: Vec::new(),
            manifest: Manifest::default(),
            note: String::new(),
            tags: BTreeMap::new(),
            evidence: Vec::new(),
            reuse: false,
        }
    }

    /// Names the run that made it, and takes over what that knows: the last value of each metric, params,
    /// inputs, the captured environment, command line and state of the code.
    pub fn from_run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Takes from the run nothing but its id, its status and the [`artifacts`](Self::artifacts) that are
    /// asked for.
    pub fn without_run_facts(mut self) -> Self {
        self.run_facts = false;
        self
    }

    /// Takes the run's files that lie under `prefix`, by their path below it, or the one file that
    /// `prefix` names, by its own name. With an empty prefix: all but those under `mlops/`, which were
    /// captured. Their bytes are not stored again.
    pub fn artifacts(mut self, prefix: impl Into<String>) -> Self {
        self.artifacts.push(prefix.into());
        self
    }

    /// Adds a file.
    ///
    /// # Errors
    /// `Invalid` if the path cannot be one.
    pub fn file(mut self, path: &str, source: impl Into<BlobSource>) -> Result<Self> {
        self.files.push((ArtifactPath::new(path)?, source.into()));
        Ok(self)
    }

    /// Adds the files of a local directory, by their path below it. A link in it is refused when the
    /// version is registered: it could store what lies outside.
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directories.push(directory.as_ref().to_owned());
        self
    }

    /// Says what the model takes and gives.
    pub fn signature(mut self, signature: Signature) -> Self {
        self.manifest.signature = Some(signature);
        self
    }

    /// Says how good it was found to be; any value, also NaN.
    ///
    /// # Errors
    /// `Invalid` if the key is none.
    pub fn metric(mut self, key: &str, value: f64) -> Result<Self> {
        self.manifest.metrics.insert(Key::new(key)?, value);
        Ok(self)
    }

    /// Says what it was told to do; the value is its text.
    ///
    /// # Errors
    /// `Invalid` if the key is none.
    pub fn param(mut self, key: &str, value: impl ToString) -> Result<Self> {
        self.manifest.params.insert(Key::new(key)?, value.to_string());
        Ok(self)
    }

    /// Names data that it was made from; one of the same name, digest and context is replaced.
    pub fn input(mut self, input: DatasetInput) -> Self {
        add_input(&mut self.manifest.inputs, input);
        self
    }

    /// Names the feature service that serves its inputs.
    ///
    /// # Errors
    /// `Invalid` if the name is none.
    pub fn features(mut self, name: &str, version: u64) -> Result<Self> {
        self.manifest.features = Some(FeatureServiceRef { name: Key::new(name)?, version });
        Ok(self)
    }

    /// Says which of its files is the reference profile that drift is measured against.
    ///
    /// # Errors
    /// `Invalid` if the path cannot be one.
    pub fn profile(mut self, path: &str) -> Result<Self> {
        self.manifest.profile = Some(ArtifactPath::new(path)?);
        Ok(self)
    }

    /// Attaches a finding; one of the same kind and name is replaced.
    pub fn evidence(mut self, evidence: Evidence) -> Self {
        self.evidence.retain(|e| (e.kind(), e.name()) != (evidence.kind(), evidence.name()));
        self.evidence.push(evidence);
        self
    }

    /// Adds a label.
    ///
    /// # Errors
    /// `Invalid` if the key is none.
    pub fn tag(mut self, key: &str, value: impl Into<String>) -> Result<Self> {
        self.tags.insert(Key::new(key)?, value.into());
        Ok(self)
    }

    /// Describes it.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Notes a seed of random numbers, by what it was for.
    ///
    /// # Errors
    /// `Invalid` if the key is none.
    pub fn seed(mut self, key: &str, value: impl ToString) -> Result<Self> {
        self.manifest.replay.seeds.insert(Key::new(key)?, value.to_string());
        Ok(self)
    }

    /// Notes the digest of a lock file that pins the packages, under this path; its bytes are not stored.
    pub fn lock_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.lock_files.push(path.into());
        self
    }

    /// Says with which machine, system and packages it was made; instead of what the run captured.
    pub fn environment(mut self, environment: Value) -> Self {
        self.manifest.environment = Some(environment).filter(|value| !value.is_null());
        self
    }

    /// Returns the version that has exactly this manifest, if the model has one, instead of making
    /// another.
    pub fn reuse(mut self) -> Self {
        self.reuse = true;
        self
    }

    /// Registers it; durable when this returns.
    ///
    /// # Errors
    /// `NotFound` for a run or a local file that is not there; `Invalid` for no files, a path that is
    /// named twice, or a model in the trash; `Denied` if the actor may not.
    pub async fn register(self) -> Result<ModelVersion> {
        Ok(self.register_or_reuse().await?.version)
    }

    /// As [`register`](Self::register); says also whether the version is new.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn register_or_reuse(self) -> Result<Registered> {
        let (models, mut manifest) = (self.models, self.manifest);
        let mut sources = Vec::new();
        if let Some(run) = self.run {
            let facts = RunFacts::read(models.tracking(), run).await?;
            facts.files(&self.artifacts, &mut sources)?;
            if self.run_facts {
                facts.fill(models.tracking().blobs(), &mut manifest).await?;
            }
            manifest.run = Some(facts.source());
        } else if !self.artifacts.is_empty() {
            return Err(Error::invalid("models.register", "artifacts are taken of no run")
                .with_hint("name the run: from_run(id)"));
        }
        sources.extend(self.files.into_iter().map(|(path, bytes)| (path, Source::Given(bytes))));
        for directory in &self.directories {
            let files = crate::artifacts::files_of(directory, "")?;
            sources
                .extend(files.into_iter().map(|(path, file)| (path, Source::Given(file.into()))));
        }
        if sources.is_empty() {
            return Err(Error::invalid("models.register", "a version without files")
                .with("model", self.model)
                .with_hint("add them by file, directory or artifacts"));
        }
        for path in self.lock_files {
            let (name, digest) = sources::lock_file(models.tracking().blobs(), path).await?;
            manifest.replay.lock_files.insert(name, digest);
        }
        let mut contents: BTreeMap<Digest, Content> = BTreeMap::new();
        for (path, source) in sources {
            let (file, content) = sources::look_at(models.tracking().blobs(), path, source).await?;
            // A known object is as good as bytes of our own, and better: it need not be looked for.
            if matches!(content, Content::Known(_)) || !contents.contains_key(&file.digest) {
                contents.insert(file.digest, content);
            }
            manifest.files.push(file);
        }
        manifest.files.sort_by(|a: &ManifestFile, b| a.path.cmp(&b.path));
        // Before anything is uploaded; the backend checks again with the objects.
        manifest.check()?;
        let mut options = RegisterVersion::new(manifest);
        (options.note, options.tags) = (self.note, self.tags);
        (options.evidence, options.reuse) = (self.evidence, self.reuse);
        objects::register(&models, &self.model, options, &contents).await
    }
}

/// Adds an input in the place of one of the same name, digest and context.
pub(super) fn add_input(inputs: &mut Vec<DatasetInput>, input: DatasetInput) {
    let same = |i: &&mut DatasetInput| {
        (&i.name, &i.digest, &i.context) == (&input.name, &input.digest, &input.context)
    };
    match inputs.iter_mut().find(same) {
        Some(place) => *place = input,
        None => inputs.push(input),
    }
}
