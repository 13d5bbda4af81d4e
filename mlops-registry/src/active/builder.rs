//! Describing a run before it starts.

use std::path::PathBuf;

use chrono::Duration;
use mlops_core::tracking::{CreateRun, Expect, Lease, RunChanges, RunStatus};
use mlops_core::{
    Error, ErrorKind, ExperimentId, ExperimentName, Key, Result, RunId, RunName, SpoolId,
};

use super::{ActiveRun, Writer};
use crate::capture::{self, Environment, EnvironmentOptions, SourceState};
use crate::spool::Spool;
use crate::tracking::Tracking;

/// A run that is described and not started yet.
///
/// By default the state of the source code and of the environment are captured at the start: tags
/// `mlops.*`, and the artifacts `mlops/environment.json` and `mlops/uncommitted.diff`.
#[derive(Debug, Clone)]
#[must_use = "a run starts only when `start` is called"]
pub struct RunBuilder {
    tracking: Tracking,
    place: Place,
    name: Option<RunName>,
    params: Vec<(Key, String)>,
    tags: Vec<(Key, String)>,
    source: Option<PathBuf>,
    environment: Option<EnvironmentOptions>,
}

#[derive(Debug, Clone)]
enum Place {
    Experiment(ExperimentName),
    Child(RunId),
}

impl RunBuilder {
    pub(crate) fn new(tracking: Tracking, experiment: ExperimentName) -> Self {
        Self::at(tracking, Place::Experiment(experiment))
    }

    pub(crate) fn child_of(tracking: Tracking, parent: RunId) -> Self {
        // What was captured for the parent holds for the child.
        Self::at(tracking, Place::Child(parent)).without_capture()
    }

    fn at(tracking: Tracking, place: Place) -> Self {
        Self {
            tracking,
            place,
            name: None,
            params: Vec::new(),
            tags: Vec::new(),
            source: Some(PathBuf::from(".")),
            environment: Some(EnvironmentOptions::default()),
        }
    }

    /// Names the run.
    ///
    /// # Errors
    /// `Invalid` if the text is no name.
    pub fn name(mut self, name: impl AsRef<str>) -> Result<Self> {
        self.name = Some(RunName::new(name)?);
        Ok(self)
    }

    /// Adds a param; the value is its text.
    ///
    /// # Errors
    /// `Invalid` if the key is none.
    pub fn param(mut self, key: &str, value: impl ToString) -> Result<Self> {
        self.params.push((Key::new(key)?, value.to_string()));
        Ok(self)
    }

    /// Adds a tag.
    ///
    /// # Errors
    /// `Invalid` if the key is none.
    pub fn tag(mut self, key: &str, value: impl Into<String>) -> Result<Self> {
        self.tags.push((Key::new(key)?, value.into()));
        Ok(self)
    }

    /// Captures the git state of this directory instead of the current one.
    pub fn source(mut self, directory: impl Into<PathBuf>) -> Self {
        self.source = Some(directory.into());
        self
    }

    /// Captures the environment in this way, with these environment variables.
    pub fn environment(mut self, options: EnvironmentOptions) -> Self {
        self.environment = Some(options);
        self
    }

    /// Captures neither source code nor environment.
    pub fn without_capture(mut self) -> Self {
        self.source = None;
        self.environment = None;
        self
    }

    /// Starts the run; it is stored durably when this returns.
    ///
    /// # Errors
    /// `Denied` or `Unavailable` if the spool cannot be made.
    pub async fn start(self) -> Result<ActiveRun> {
        let Self { tracking, place, name, params, tags, source, environment } = self;
        let parts = tracking.parts();
        let (experiment, parent): (ExperimentId, Option<RunId>) = match place {
            Place::Experiment(name) => (tracking.experiment(&name).await?.id, None),
            Place::Child(parent) => (parts.tracker.run(parent).await?.experiment, Some(parent)),
        };
        let source = source.map(|dir| SourceState::capture(&dir)).transpose()?.flatten();
        let environment = environment.map(|options| Environment::capture(&options));

        let now = parts.clock.now_micros();
        let id = RunId::generate(now);
        let spool = new_spool(&tracking, id)?;
        let mut create = CreateRun::new(id, experiment).with_user(whoami(environment.as_ref()));
        create = create.with_lease(new_lease(&tracking));
        if let Some(parent) = parent {
            create = create.with_parent(parent);
        }
        if let Some(name) = name {
            create = create.with_name(name);
        }
        if let Some(environment) = &environment {
            for (key, value) in capture::tags(source.as_ref(), environment) {
                create = create.with_tag(Key::new(key)?, value);
            }
        }
        for (key, value) in tags {
            create = create.with_tag(key, value);
        }
        for (key, value) in params {
            create = create.with_param(key, value);
        }
        if let Err(e) = parts.tracker.create_run(create).await {
            // Nothing was accepted into the spool, so nothing is lost with it.
            spool.remove()?;
            return Err(e);
        }
        let run =
            ActiveRun::open(tracking.clone(), id, Writer::start(tracking.clone(), id, spool)?);
        if let Some(environment) = environment {
            let json = serde_json::to_vec_pretty(&environment).map_err(|e| {
                Error::new(ErrorKind::Internal, "run.start", "environment").with_source(e)
            })?;
            run.log_artifact("mlops/environment.json", json).await?;
        }
        if let Some(diff) = source.and_then(|source| source.diff) {
            run.log_artifact("mlops/uncommitted.diff", diff).await?;
        }
        Ok(run)
    }
}

impl Tracking {
    /// Goes on with a run that has ended or was lost.
    ///
    /// # Errors
    /// `Conflict` if the run is running: its process may be alive.
    pub async fn resume(&self, id: RunId) -> Result<ActiveRun> {
        let parts = self.parts();
        let status = parts.tracker.run(id).await?.status;
        if status == RunStatus::Running {
            return Err(Error::new(ErrorKind::Conflict, "tracking.resume", "the run is running")
                .with("run", id)
                .with_hint("if its process is gone, open the store again: the run becomes lost"));
        }
        let spool = new_spool(self, id)?;
        let changes = RunChanges::default()
            .expecting(Expect::Status(status))
            .with_status(RunStatus::Running)
            .with_lease(new_lease(self));
        if let Err(e) = parts.tracker.update_run(id, changes).await {
            spool.remove()?;
            return Err(e);
        }
        Ok(ActiveRun::open(self.clone(), id, Writer::start(self.clone(), id, spool)?))
    }
}

fn new_spool(tracking: &Tracking, run: RunId) -> Result<Spool> {
    let parts = tracking.parts();
    let id = SpoolId::generate(parts.clock.now_micros());
    // Two halves, each of at least a few records.
    let slots = (parts.options.spool_points / 2).max(32);
    Spool::create(&parts.spools, run, id, slots)
}

pub(super) fn new_lease(tracking: &Tracking) -> Lease {
    let parts = tracking.parts();
    // More than ten years would leave the instants that may be stored.
    let lease =
        Duration::from_std(parts.options.lease).unwrap_or(Duration::MAX).min(Duration::days(3_650));
    let now = parts.clock.now();
    Lease {
        host: capture::host_name(),
        process: std::process::id(),
        until: now.checked_add_signed(lease).unwrap_or(now),
    }
}

fn whoami(environment: Option<&Environment>) -> String {
    environment.and_then(|e| e.user.clone()).unwrap_or_else(capture::user_name)
}
