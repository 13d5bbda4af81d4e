//! What is needed to make a version again, and what of it is missing.
//!
//! Nothing is run and nothing is promised: the plan says what was noted when the version was registered
//! and looks whether it is still there. Whether the same steps give the same bytes depends on the
//! program.

use std::fmt;

use mlops_core::registry::{Manifest, ModelVersion, Replay, VersionId};
use mlops_core::{ArtifactPath, ErrorKind, Result, RunId};
use serde::Serialize;

use super::engine::Models;
use super::run_facts::{DIFF, quoted};

/// One thing that is needed to make a version again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplayItem {
    /// What it is: `commit`, `seeds`, `input flights`, …
    pub what: String,
    /// What is known about it, or why it is missing.
    pub detail: String,
}

/// What is needed to make a version again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReplayPlan {
    /// The version.
    pub version: VersionId,
    /// What is known and still there.
    pub have: Vec<ReplayItem>,
    /// What was never noted, or is gone.
    pub missing: Vec<ReplayItem>,
    /// What to do, in order, as far as it is known. Commands are for a person to read first.
    pub steps: Vec<String>,
}

impl ReplayPlan {
    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    fn have(&mut self, what: impl Into<String>, detail: impl ToString) {
        self.have.push(ReplayItem { what: what.into(), detail: detail.to_string() });
    }

    fn missing(&mut self, what: impl Into<String>, detail: impl ToString) {
        self.missing.push(ReplayItem { what: what.into(), detail: detail.to_string() });
    }
}

impl fmt::Display for ReplayPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "to make {} again", self.version)?;
        let all = self.have.iter().chain(&self.missing);
        let width = all.map(|item| item.what.chars().count()).max().unwrap_or(0);
        for ReplayItem { what, detail } in &self.have {
            writeln!(f, "  have     {what:<width$}  {detail}")?;
        }
        for ReplayItem { what, detail } in &self.missing {
            writeln!(f, "  MISSING  {what:<width$}  {detail}")?;
        }
        for (at, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {}. {step}", at + 1)?;
        }
        match self.missing.len() {
            0 => f.write_str("everything is there"),
            1 => f.write_str("1 thing is missing"),
            more => write!(f, "{more} things are missing"),
        }
    }
}

impl Models {
    /// What is needed to make a version again, and what of it is missing. Changes nothing.
    ///
    /// # Errors
    /// `NotFound` for a version that is not there.
    pub async fn replay_plan(&self, uri: &str) -> Result<ReplayPlan> {
        let version = self.version(uri).await?;
        let mut plan = ReplayPlan {
            version: version.id(),
            have: Vec::new(),
            missing: Vec::new(),
            steps: Vec::new(),
        };
        let manifest = &version.manifest;
        self.replay_run(&mut plan, manifest).await?;
        self.replay_code(&mut plan, &version).await?;
        packages(&mut plan, &manifest.replay);
        inputs(&mut plan, manifest);
        settings(&mut plan, manifest);
        command(&mut plan, manifest);
        Ok(plan)
    }

    async fn replay_run(&self, plan: &mut ReplayPlan, manifest: &Manifest) -> Result<()> {
        let Some(run) = &manifest.run else {
            plan.missing("run", "the version names none");
            return Ok(());
        };
        match self.tracking().tracker().run(run.id).await {
            Ok(_) => plan.have("run", format!("{} ({})", run.id, run.status)),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                plan.missing("run", format!("{} is not in this store", run.id));
            }
            Err(e) => return Err(e),
        }
        Ok(())
    }

    async fn replay_code(&self, plan: &mut ReplayPlan, version: &ModelVersion) -> Result<()> {
        let manifest = &version.manifest;
        let Some(code) = &manifest.replay.code else {
            plan.missing("commit", "the state of the source code was not captured");
            return Ok(());
        };
        match &code.remote {
            Some(remote) => {
                plan.have("remote", remote);
                plan.steps.push(format!("git clone {} source && cd source", quoted(remote)));
            }
            None => plan.missing("remote", "the repository had none: take it from where it was"),
        }
        match &code.commit {
            Some(commit) => {
                plan.have("commit", commit);
                plan.steps.push(format!("git checkout {}", quoted(commit)));
            }
            None => plan.missing("commit", "there was none yet"),
        }
        let Some(diff) = code.diff else {
            match code.dirty {
                Some(false) => plan.have("uncommitted changes", "none"),
                Some(true) => plan.missing("uncommitted changes", "there were some, not kept"),
                None => plan.missing("uncommitted changes", "nobody could tell if there were some"),
            }
            return Ok(());
        };
        let run = manifest.run.as_ref().map(|run| run.id);
        if self.has_diff(run, diff).await? {
            plan.have("uncommitted changes", format!("{diff}, {DIFF} of the run"));
            if let Some(run) = run {
                plan.steps.push(format!("git apply, with the artifact {DIFF} of run {run}"));
            }
        } else {
            plan.missing("uncommitted changes", format!("{diff}: the run's {DIFF} is gone"));
        }
        Ok(())
    }

    /// Whether the run still has the changes of this digest.
    async fn has_diff(
        &self,
        run: Option<RunId>,
        digest: mlops_core::tracking::Digest,
    ) -> Result<bool> {
        let Some(run) = run else { return Ok(false) };
        match self.tracking().artifact(run, &ArtifactPath::new(DIFF)?).await {
            Ok(artifact) => Ok(artifact.blob.digest == digest),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }
}

fn packages(plan: &mut ReplayPlan, replay: &Replay) {
    if replay.lock_files.is_empty() {
        plan.missing("lock file", "none was noted: packages are not pinned");
    }
    for (path, digest) in &replay.lock_files {
        plan.have(format!("lock file {path}"), digest);
        plan.steps
            .push(format!("check that {path} has the BLAKE3 digest {digest}; install from it"));
    }
}

fn inputs(plan: &mut ReplayPlan, manifest: &Manifest) {
    if manifest.inputs.is_empty() && manifest.features.is_none() {
        plan.missing("input data", "none was noted");
    }
    for input in &manifest.inputs {
        let what = format!("input {} ({})", input.name, input.context.as_str());
        match &input.source {
            Some(source) => {
                plan.have(what, format!("{} from {source}", input.digest));
                plan.steps.push(format!("get {source}; its digest is {}", input.digest));
            }
            None => plan.missing(what, format!("{}, but not where it came from", input.digest)),
        }
    }
    if let Some(service) = &manifest.features {
        plan.have("feature service", format!("{} version {}", service.name, service.version));
    }
}

fn settings(plan: &mut ReplayPlan, manifest: &Manifest) {
    let list = |pairs: Vec<String>| pairs.join(", ");
    let seeds = &manifest.replay.seeds;
    if seeds.is_empty() {
        plan.missing("seeds", "none was noted: if anything is random, it will differ");
    } else {
        plan.have(
            "seeds",
            list(seeds.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        );
    }
    let params = &manifest.params;
    if !params.is_empty() {
        let pairs = params.iter().map(|(key, value)| format!("{key}={value}")).collect();
        plan.have("params", list(pairs));
    }
    match &manifest.environment {
        None => plan.missing("environment", "was not captured"),
        Some(environment) => {
            let text = |key: &str| environment.get(key).and_then(|value| value.as_str());
            let known: Vec<&str> =
                ["os", "arch", "cpu_model", "rustc"].into_iter().filter_map(text).collect();
            let known = if known.is_empty() { "captured".to_owned() } else { known.join(", ") };
            plan.have("environment", known);
        }
    }
}

fn command(plan: &mut ReplayPlan, manifest: &Manifest) {
    match &manifest.replay.command {
        Some(command) => {
            plan.have("command", command);
            plan.steps.push(command.clone());
        }
        None => plan.missing("command", "was not captured"),
    }
}
