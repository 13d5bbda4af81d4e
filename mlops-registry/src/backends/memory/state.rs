//! What is stored, and how experiments and runs come to be and experiments change.
//!
//! Each change of runs and experiments, here and in the files beside, reads in the order of the
//! contract's sentences: find, demand, build the new value, write the journal's row, put the value in
//! place. Models, versions, documents and edges are not put in place at all: they are what
//! [`RegistryState`] makes of the row, so the journal leaves nothing out by construction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mlops_core::journal::Actor;
use mlops_core::lineage::Node;
use mlops_core::registry::{RegistryState, VersionId};
use mlops_core::time::{Instant, from_micros_lossy};
use mlops_core::tracking::{
    Artifact, Blob, BlobLocation, ChunkData, CreateExperiment, CreateRun, Digest, Experiment,
    ExperimentChanges, Run, StoredChunk, check, events,
};
use mlops_core::{
    ArtifactPath, Error, ErrorKind, ExperimentId, ExperimentName, Key, Result, RunId, SpoolId,
};
use serde_json::Value;

use super::journal::Rows;

/// Everything that is stored.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) experiments: BTreeMap<ExperimentId, StoredExperiment>,
    pub(super) runs: BTreeMap<RunId, StoredRun>,
    pub(super) journal: Rows,
    pub(super) last_chunk: i64,
    /// What the journal's rows make of models, versions, documents and edges.
    pub(super) registry: RegistryState,
    /// The objects of each version's files, one for each digest. Locations are no part of the journal.
    pub(super) objects: BTreeMap<VersionId, Vec<Blob>>,
}

#[derive(Debug)]
pub(super) struct StoredExperiment {
    pub(super) record: Experiment,
    /// Number of the journal's row that made it.
    pub(super) made: u64,
}

#[derive(Debug, Clone)]
pub(super) struct StoredRun {
    pub(super) record: Run,
    /// Number of the journal's row that made it.
    pub(super) made: u64,
    pub(super) artifacts: BTreeMap<ArtifactPath, Artifact>,
    pub(super) chunks: Vec<Chunk>,
    /// How many points of each spool are stored.
    pub(super) spools: HashMap<SpoolId, u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) stored: StoredChunk,
    pub(super) keys: BTreeSet<Key>,
}

/// Who makes a change, and when.
#[derive(Debug)]
pub(super) struct Author {
    pub(super) actor: Actor,
    pub(super) now: Instant,
}

impl State {
    pub(super) fn create_experiment(
        &mut self,
        name: &ExperimentName,
        options: CreateExperiment,
        author: &Author,
    ) -> Result<Experiment> {
        if let Some(there) = options.id.and_then(|id| self.experiments.get(&id)) {
            return Ok(there.record.clone());
        }
        self.name_is_free(name, None)?;
        let now = author.now;
        let id = options.id.unwrap_or_else(|| ExperimentId::generate(now.timestamp_micros()));
        let mut record =
            Experiment::new(id, name.clone(), options.created.map_or(now, to_the_microsecond));
        record.tags = options.tags;

        self.write(author, events::EXPERIMENT_CREATE, id, events::experiment_create(&record))?;
        let made = self.journal.last();
        self.experiments.insert(id, StoredExperiment { record: record.clone(), made });
        Ok(record)
    }

    pub(super) fn update_experiment(
        &mut self,
        id: ExperimentId,
        changes: ExperimentChanges,
        author: &Author,
    ) -> Result<Experiment> {
        let before = self.experiment(id, "tracker.update_experiment")?.clone();
        check::experiment_trash(before.deleted.is_some(), &changes)?;
        let mut after = before.clone();
        let mut diff = ExperimentChanges::default();
        if let Some(name) = changes.name.filter(|name| *name != before.name) {
            after.name = name.clone();
            diff.name = Some(name);
        }
        change_tags(&mut after.tags, &mut diff.tags, changes.tags);
        remove_tags(&mut after.tags, &mut diff.remove_tags, changes.remove_tags);
        match (before.deleted, changes.deleted) {
            (None, Some(true)) => {
                after.deleted = Some(self.instant_of_deletion(id, author.now));
                diff.deleted = Some(true);
            }
            (Some(_), Some(false)) => {
                after.deleted = None;
                diff.deleted = Some(false);
            }
            _ => {}
        }
        if after.deleted.is_none() {
            self.name_is_free(&after.name, Some(id))?;
        }

        let moves = |run: &Run| {
            run.experiment == id && run.deleted == before.deleted && after.deleted != before.deleted
        };
        let moved = self.runs.values().filter(|run| moves(&run.record)).count() as u64;
        if let Some(payload) = events::experiment_update(&diff, after.deleted, moved) {
            self.write(author, events::EXPERIMENT_UPDATE, id, payload)?;
        }
        for run in self.runs.values_mut().filter(|run| moves(&run.record)) {
            run.record.deleted = after.deleted;
        }
        if let Some(stored) = self.experiments.get_mut(&id) {
            stored.record = after.clone();
        }
        Ok(after)
    }

    pub(super) fn create_run(&mut self, options: CreateRun, author: &Author) -> Result<Run> {
        let operation = "tracker.create_run";
        let id = options.id;
        if let Some(there) = self.runs.get(&id) {
            if there.record.experiment == options.experiment {
                return Ok(there.record.clone());
            }
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                operation,
                "a run of this id is in another experiment",
            )
            .with("run", id));
        }
        if self.experiment(options.experiment, operation)?.deleted.is_some() {
            return Err(Error::invalid(operation, "the experiment is in the trash")
                .with("experiment", options.experiment)
                .with_hint("restore it, or choose another"));
        }
        if let Some(parent) = options.parent {
            self.run(parent, operation)?;
        }
        let name = options.name.map_or_else(|| check::default_run_name(id), Ok)?;
        let started = options.started.map_or(author.now, to_the_microsecond);
        let mut record = Run::new(id, options.experiment, name, started);
        record.parent = options.parent;
        record.user = options.user;
        record.lease = options.lease.map(|mut lease| {
            lease.until = to_the_microsecond(lease.until);
            lease
        });
        record.params = options.params;
        record.tags = options.tags;

        self.write(author, events::RUN_CREATE, id, events::run_create(&record))?;
        let run = StoredRun {
            record: record.clone(),
            made: self.journal.last(),
            artifacts: BTreeMap::new(),
            chunks: Vec::new(),
            spools: HashMap::new(),
        };
        self.runs.insert(id, run);
        Ok(record)
    }

    pub(super) fn run(&self, id: RunId, operation: &'static str) -> Result<&StoredRun> {
        let missing = || Error::not_found(operation, "no run has this id").with("run", id);
        self.runs.get(&id).ok_or_else(missing)
    }

    pub(super) fn find_blob(&self, digest: Digest) -> Option<Blob> {
        self.blobs().find(|blob| blob.digest == digest).cloned()
    }

    pub(super) fn experiment(
        &self,
        id: ExperimentId,
        operation: &'static str,
    ) -> Result<&Experiment> {
        let missing =
            || Error::not_found(operation, "no experiment has this id").with("experiment", id);
        self.experiments.get(&id).map(|stored| &stored.record).ok_or_else(missing)
    }

    fn name_is_free(&self, name: &ExperimentName, but: Option<ExperimentId>) -> Result<()> {
        let others = self.experiments.values().map(|stored| &stored.record);
        let mut same = others.filter(|other| other.deleted.is_none() && other.name == *name);
        match same.find(|other| Some(other.id) != but) {
            None => Ok(()),
            Some(other) => Err(Error::new(
                ErrorKind::AlreadyExists,
                "tracker.experiment",
                "an experiment of this name exists",
            )
            .with("name", name)
            .with("experiment", other.id)),
        }
    }

    /// Later than that of every run which was in the trash before, so that restoring the experiment
    /// can tell these from its own.
    fn instant_of_deletion(&self, id: ExperimentId, now: Instant) -> Instant {
        let runs = self.runs.values().filter(|run| run.record.experiment == id);
        let last = runs.filter_map(|run| run.record.deleted).max();
        let after = |last: Instant| from_micros_lossy(last.timestamp_micros() + 1);
        last.map_or(now, |last| now.max(after(last)))
    }

    /// Everything that names an object: runs' files, sealed points, versions' files.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        let of_versions = self.objects.values().flatten();
        self.runs.values().flat_map(StoredRun::blobs).chain(of_versions)
    }

    pub(super) fn names(&self, location: &BlobLocation) -> bool {
        self.blobs().any(|blob| blob.location == *location)
    }

    /// Writes the journal's row, and lets the registry be what the row makes of it.
    ///
    /// # Errors
    /// None that can happen: `Corrupt`, if the row were not what its operation says.
    pub(super) fn write(
        &mut self,
        author: &Author,
        operation: &str,
        node: impl Into<Node>,
        payload: Value,
    ) -> Result<()> {
        let Author { actor, now } = author;
        let row = self.journal.next(*now, actor.clone(), operation, node.into(), payload);
        self.registry.apply(&row)?;
        self.journal.append(row);
        Ok(())
    }
}

impl StoredRun {
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        let artifacts = self.artifacts.values().map(|artifact| &artifact.blob);
        let sealed = self.chunks.iter().filter_map(|chunk| match &chunk.stored.data {
            ChunkData::Blob(blob) => Some(blob),
            ChunkData::Inline(_) => None,
        });
        artifacts.chain(sealed)
    }
}

pub(super) fn to_the_microsecond(instant: Instant) -> Instant {
    from_micros_lossy(instant.timestamp_micros())
}

pub(super) fn change_tags(
    tags: &mut BTreeMap<Key, String>,
    diff: &mut BTreeMap<Key, String>,
    wanted: BTreeMap<Key, String>,
) {
    for (key, value) in wanted {
        if tags.get(&key) != Some(&value) {
            tags.insert(key.clone(), value.clone());
            diff.insert(key, value);
        }
    }
}

pub(super) fn remove_tags(
    tags: &mut BTreeMap<Key, String>,
    diff: &mut Vec<Key>,
    unwanted: Vec<Key>,
) {
    diff.extend(unwanted.into_iter().filter(|key| tags.remove(key).is_some()));
}
