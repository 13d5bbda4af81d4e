//! Writing what was read into our store: only what is not there yet.

use std::collections::{BTreeMap, HashMap};

use mlops_core::filter::{Attribute, Comparison, Field, Filter, Literal};
use mlops_core::time;
use mlops_core::tracking::{
    CreateExperiment, CreateRun, Experiment, ExperimentChanges, ExperimentQuery, Run, RunChanges,
    RunStatus, View,
};
use mlops_core::{Error, ErrorKind, ExperimentId, ExperimentName, Key, Result, RunId, SpoolId};

use super::super::report::{FindingKind, Findings};
use super::super::{tag, text};
use super::files::new_files;
use super::source::{Place, RunRef, SourceExperiment, SourceRun};
use super::target::{Target, experiment_id, fitting};
use super::{ImportReport, OP};
use crate::active::seal::{SealWhen, seal};
use crate::active::writer::chunk_of;
use crate::history::chunk_bytes;
use crate::points::{self, Points};
use crate::tracking::Tracking;

/// Points of one chunk, of which a run's history is put together.
const CHUNK_POINTS: usize = 262_144;
/// Names that are tried for an experiment whose own is taken.
const NAMES: usize = 1_000;

/// What an import did with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    New,
    Changed,
    Unchanged,
    Skipped,
}

pub(super) struct Import<'a> {
    pub(super) tracking: &'a Tracking,
    pub(super) source: &'a str,
    /// The experiments that are deleted there, which take their runs along.
    to_trash: Vec<ExperimentId>,
}

impl<'a> Import<'a> {
    pub(super) fn new(tracking: &'a Tracking, source: &'a str) -> Self {
        Self { tracking, source, to_trash: Vec::new() }
    }

    pub(super) async fn experiment(
        &mut self,
        found: &SourceExperiment,
        findings: &mut Findings,
    ) -> Result<(ExperimentId, Outcome)> {
        let mut tags = found.tags.clone();
        let place = format!("experiment {} ({})", found.id, found.name);
        // One that an export of ours wrote has its own id.
        let id = tags.remove(tag::EXPERIMENT).and_then(|id| id.parse().ok());
        let id = id.unwrap_or_else(|| experiment_id(self.source, &found.id));
        let tags = fitting(tags, &place, findings);
        if found.deleted {
            self.to_trash.push(id);
        }
        let Some(here) = self.find_experiment(id).await? else {
            self.create_experiment(id, found, tags, &place, findings).await?;
            return Ok((id, Outcome::New));
        };
        let mut changes = ExperimentChanges::default();
        changes.tags = tags.into_iter().filter(|(k, v)| here.tags.get(k) != Some(v)).collect();
        if here.deleted.is_some() && (!found.deleted || !changes.tags.is_empty()) {
            findings.add(FindingKind::InTrash, || place);
            return Ok((id, Outcome::Unchanged));
        }
        if changes.tags.is_empty() {
            return Ok((id, Outcome::Unchanged));
        }
        self.tracking.tracker().update_experiment(id, changes).await?;
        Ok((id, Outcome::Changed))
    }

    async fn find_experiment(&self, id: ExperimentId) -> Result<Option<Experiment>> {
        let is = Comparison::Eq(Literal::Text(id.to_string()));
        let filter = Filter::Term(Field::Attribute(Attribute::Id), is);
        let query = ExperimentQuery::new(filter).with_view(View::All).with_limit(1);
        Ok(self.tracking.tracker().search_experiments(&query).await?.items.pop())
    }

    async fn create_experiment(
        &self,
        id: ExperimentId,
        found: &SourceExperiment,
        tags: BTreeMap<Key, String>,
        place: &str,
        findings: &mut Findings,
    ) -> Result<()> {
        let (name, changed) = text::as_name(&found.name);
        if changed {
            findings.add(FindingKind::NameChanged, || place.to_owned());
        }
        let name = name.unwrap_or_else(|| format!("mlflow {}", found.id));
        let created =
            found.created_ms.and_then(|ms| time::from_micros(ms.checked_mul(1_000)?).ok());
        let mut options = CreateExperiment::default().with_id(id);
        options.tags = tags;
        options.created = created;
        for n in 0..NAMES {
            let wanted = ExperimentName::new(numbered(&name, n))?;
            let made = self.tracking.tracker().create_experiment(&wanted, options.clone()).await;
            match made {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
                Ok(_) => {
                    if n > 0 {
                        let renamed = || format!("{place} → {wanted}");
                        findings.add(FindingKind::ExperimentRenamed, renamed);
                    }
                    return Ok(());
                }
            }
        }
        Err(Error::new(ErrorKind::AlreadyExists, OP, "no name is free for an experiment")
            .with("name", name))
    }

    /// Moves the experiments to the trash that are deleted there, when their runs are here.
    pub(super) async fn delete_experiments(&self, findings: &mut Findings) -> Result<()> {
        for id in &self.to_trash {
            let here = self.find_experiment(*id).await?.filter(|here| here.deleted.is_none());
            let Some(here) = here else { continue };
            let delete = ExperimentChanges::delete();
            self.tracking.tracker().update_experiment(*id, delete).await?;
            findings.add(FindingKind::DeletionTime, || format!("experiment {}", here.name));
        }
        Ok(())
    }

    /// Brings one run up to date. What the store refuses of it is a finding; only a store that is away,
    /// full or damaged ends the import.
    pub(super) async fn run(
        &self,
        reference: &RunRef,
        experiment: ExperimentId,
        mut found: SourceRun,
        report: &mut ImportReport,
        findings: &mut Findings,
    ) -> Result<Outcome> {
        let artifacts = found.artifacts.take();
        let target = Target::of(self.source, reference, experiment, found, findings)?;
        match self.bring(&target, artifacts, report, findings).await {
            Err(e) if is_about_the_run(e.kind()) => {
                findings.add(FindingKind::Refused, || format!("run {}: {e}", reference.id));
                Ok(Outcome::Skipped)
            }
            other => other,
        }
    }

    async fn bring(
        &self,
        target: &Target,
        artifacts: Option<Place>,
        report: &mut ImportReport,
        findings: &mut Findings,
    ) -> Result<Outcome> {
        let tracker = self.tracking.tracker();
        let id = target.id;
        let here = match tracker.run(id).await {
            Ok(run) => Some(run),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let is_new = here.is_none();
        let here = match here {
            None => self.create(target, findings).await?,
            Some(run) if run.lease.is_some() || !self.is_ours(&run, target) => {
                findings.add(FindingKind::NotOfThisImport, || format!("run {id}"));
                return Ok(Outcome::Skipped);
            }
            Some(run) => run,
        };
        let new = self.new_points(target, &here, is_new, findings).await?;
        let changes = difference(target, &here, findings);
        let status_differs = here.status != target.status;
        let files = new_files(self.tracking, id, artifacts, findings).await?;
        let same = new.is_empty() && changes.is_empty() && !status_differs && files.is_empty();
        if here.deleted.is_some() {
            if !same || !target.deleted {
                findings.add(FindingKind::InTrash, || format!("run {id}"));
            }
            return Ok(Outcome::Unchanged);
        }
        if !same {
            self.write(target, &here, &new, changes).await?;
            report.points += new.len() as u64;
            for (path, file) in files {
                let put = self.tracking.put_artifact(id, &path, file, None).await;
                match put {
                    Ok(artifact) => {
                        report.artifacts += 1;
                        report.artifact_bytes += artifact.blob.size;
                    }
                    Err(e) if is_about_the_run(e.kind()) || e.kind() == ErrorKind::Denied => {
                        findings.add(FindingKind::ArtifactRefused, || format!("run {id}: {e}"));
                    }
                    Err(e) => return Err(e),
                }
            }
        }
        if !new.is_empty() {
            seal(self.tracking.parts(), id, SealWhen::Ended).await?;
        }
        // Restoring an experiment brings back what went to the trash with it, and only that.
        let deletes = target.deleted && !self.to_trash.contains(&target.experiment);
        if deletes {
            tracker.update_run(id, RunChanges::default().with_deleted(true)).await?;
            findings.add(FindingKind::DeletionTime, || format!("run {id}"));
        }
        Ok(match (is_new, same && !deletes) {
            (true, _) => Outcome::New,
            (false, true) => Outcome::Unchanged,
            (false, false) => Outcome::Changed,
        })
    }

    fn is_ours(&self, run: &Run, target: &Target) -> bool {
        let source = run.tags.get(tag::IMPORT_SOURCE).map(String::as_str);
        source == Some(self.source) && run.experiment == target.experiment
    }

    async fn create(&self, target: &Target, findings: &mut Findings) -> Result<Run> {
        let tracker = self.tracking.tracker();
        let mut options = CreateRun::new(target.id, target.experiment)
            .with_user(target.user.clone())
            .with_started(target.started);
        options.name.clone_from(&target.name);
        options.params.clone_from(&target.params);
        options.tags.clone_from(&target.tags);
        let Some(parent) = target.parent else {
            return tracker.create_run(options).await;
        };
        match tracker.create_run(options.clone().with_parent(parent)).await {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let text = target.parent_text.clone().unwrap_or_default();
                findings.add(FindingKind::ParentMissing, || format!("run {}, {text}", target.id));
                tracker.create_run(options.with_tag(Key::new(tag::PARENT)?, text)).await
            }
            other => other,
        }
    }

    /// What MLflow has logged of the run since the last import, in the order of the keys.
    ///
    /// What is stored here must be the start of what is there, point by point; if not, it is a finding
    /// and nothing is new.
    async fn new_points(
        &self,
        target: &Target,
        here: &Run,
        is_new: bool,
        findings: &mut Findings,
    ) -> Result<Points> {
        let mut known: HashMap<&str, usize> = HashMap::new();
        if !is_new && !here.metrics.is_empty() {
            let there: HashMap<&str, _> =
                target.metrics.iter().map(|(key, points)| (key.as_str(), points)).collect();
            let parts = self.tracking.parts();
            for chunk in parts.tracker.metric_chunks(target.id, None).await? {
                let stored = points::decode(chunk.codec, &chunk_bytes(parts, &chunk).await?)?;
                for (i, key) in stored.key.iter().enumerate() {
                    let key = stored.keys[*key as usize].as_str();
                    let expected = there.get_key_value(key).and_then(|(key, points)| {
                        let at = known.entry(*key).or_default();
                        *at += 1;
                        points.get(*at - 1)
                    });
                    let same = expected.is_some_and(|point| {
                        point.step == stored.step[i]
                            && point.time_micros == stored.time[i]
                            && point.value.to_bits() == stored.value[i].to_bits()
                    });
                    if !same {
                        findings.add(FindingKind::HistoryConflict, || {
                            format!("run {}, {key}, step {}", target.id, stored.step[i])
                        });
                        return Ok(Points::default());
                    }
                }
            }
        }
        let mut new = Points::default();
        for (key, points) in &target.metrics {
            let from = known.get(key.as_str()).copied().unwrap_or(0);
            if from < points.len() {
                let number = new.keys.len() as u32;
                new.keys.push(key.clone());
                points[from..].iter().for_each(|point| new.push(number, *point));
            }
        }
        Ok(new)
    }

    /// Makes the change and ends the run: one transaction, if the points are not very many and the run
    /// had not ended before.
    async fn write(
        &self,
        target: &Target,
        here: &Run,
        new: &Points,
        mut changes: RunChanges,
    ) -> Result<()> {
        let ends = here.status != target.status || !new.is_empty();
        let is_open = matches!(here.status, RunStatus::Running | RunStatus::Lost);
        if ends && !is_open {
            let resume = RunChanges::default().with_status(RunStatus::Running);
            self.tracking.tracker().update_run(target.id, resume).await?;
        }
        let stored: u64 = here.metrics.values().map(|summary| summary.count).sum();
        let spool = spool_id(target.id, stored);
        for first in (0..new.len()).step_by(CHUNK_POINTS) {
            let mut part = new.clone();
            part.skip(first);
            part.cut(CHUNK_POINTS);
            let chunk = chunk_of(&part, spool, first as u64)?;
            if first + CHUNK_POINTS >= new.len() {
                changes = changes.with_metrics(chunk);
            } else {
                let part = RunChanges::default().with_metrics(chunk);
                self.tracking.tracker().update_run(target.id, part).await?;
            }
        }
        if ends {
            changes = changes.with_status(target.status).with_ended(target.ended);
        }
        if !changes.is_empty() {
            self.tracking.tracker().update_run(target.id, changes).await?;
        }
        Ok(())
    }
}

/// What the run lacks beside points and its end. Nothing is taken away.
fn difference(target: &Target, here: &Run, findings: &mut Findings) -> RunChanges {
    let mut changes = RunChanges::default();
    for (key, value) in &target.params {
        match here.params.get(key) {
            None => {
                changes.params.insert(key.clone(), value.clone());
            }
            Some(known) if known == value => {}
            Some(_) => {
                findings.add(FindingKind::ParamConflict, || format!("run {}, {key}", target.id));
            }
        }
    }
    let differs = |(key, value): &(&Key, &String)| here.tags.get(*key) != Some(*value);
    let tags = target.tags.iter().filter(differs);
    changes.tags = tags.map(|(key, value)| (key.clone(), value.clone())).collect();
    // The one label that is taken away, because the import itself put it there.
    let stale = |key: &&Key| key.as_str() == tag::IMPORT_STATUS && !target.tags.contains_key(*key);
    changes.remove_tags = here.tags.keys().filter(stale).cloned().collect();
    let inputs = target.inputs.iter().filter(|input| !here.inputs.contains(input));
    changes.inputs = inputs.cloned().collect();
    if !target.note.is_empty() && target.note != here.note {
        changes.note = Some(target.note.clone());
    }
    changes.name = target.name.clone().filter(|name| *name != here.name);
    if here.status == target.status && here.ended != Some(target.ended) {
        changes.ended = Some(target.ended);
    }
    changes
}

/// The spool of the points that come after `stored` others: the same in every import that sees as many.
fn spool_id(run: RunId, stored: u64) -> SpoolId {
    let parts = [&run.as_bytes()[..], &stored.to_le_bytes()];
    SpoolId::from_bytes(text::stable_id("mlops mlflow import spool 1", &parts))
}

/// The run is at fault, and not the store.
pub(super) fn is_about_the_run(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::NotFound
    )
}

/// `churn`, `churn (imported)`, `churn (imported 2)`, …
fn numbered(name: &str, n: usize) -> String {
    let suffix = match n {
        0 => return name.to_owned(),
        1 => " (imported)".to_owned(),
        n => format!(" (imported {n})"),
    };
    let room = mlops_core::MAX_NAME_BYTES - suffix.len();
    format!("{}{suffix}", &name[..name.floor_char_boundary(room)])
}
