//! What is stored, and every change of it.
//!
//! Each change reads in the order of the contract's sentences: find, demand, build the new value,
//! put it in place, write the journal's row. Nothing is put in place before the last `?`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mlops_core::journal::Actor;
use mlops_core::lineage::Node;
use mlops_core::time::{Instant, from_micros_lossy};
use mlops_core::tracking::check::{self, Life};
use mlops_core::tracking::{
    Artifact, ArtifactEntry, Blob, BlobLocation, ChunkData, ChunkId, CreateExperiment, CreateRun,
    DatasetContext, DatasetInput, Digest, Experiment, ExperimentChanges, MetricChunk, Purge,
    PurgePlan, PurgeReport, Run, RunChanges, SealedMetrics, StoredChunk, events,
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
    last_chunk: i64,
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
        let id = options
            .id
            .unwrap_or_else(|| ExperimentId::generate(now.timestamp_micros()));
        let mut record = Experiment::new(
            id,
            name.clone(),
            options.created.map_or(now, to_the_microsecond),
        );
        record.tags = options.tags;

        self.write(
            author,
            events::EXPERIMENT_CREATE,
            id,
            events::experiment_create(&record),
        );
        let made = self.journal.last();
        self.experiments.insert(
            id,
            StoredExperiment {
                record: record.clone(),
                made,
            },
        );
        Ok(record)
    }

    pub(super) fn update_experiment(
        &mut self,
        id: ExperimentId,
        changes: ExperimentChanges,
        author: &Author,
    ) -> Result<Experiment> {
        let before = self.experiment(id, "tracker.update_experiment")?;
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

        let mut moved = 0;
        if after.deleted != before.deleted {
            let before = before.deleted;
            for run in self.runs.values_mut().map(|run| &mut run.record) {
                if run.experiment == id && run.deleted == before {
                    run.deleted = after.deleted;
                    moved += 1;
                }
            }
        }
        if let Some(payload) = events::experiment_update(&diff, after.deleted, moved) {
            self.write(author, events::EXPERIMENT_UPDATE, id, payload);
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
        if self
            .experiment(options.experiment, operation)?
            .deleted
            .is_some()
        {
            return Err(Error::invalid(operation, "the experiment is in the trash")
                .with("experiment", options.experiment)
                .with_hint("restore it, or choose another"));
        }
        if let Some(parent) = options.parent {
            self.run(parent, operation)?;
        }
        let name = options
            .name
            .map_or_else(|| check::default_run_name(id), Ok)?;
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

        self.write(author, events::RUN_CREATE, id, events::run_create(&record));
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

    pub(super) fn update_run(
        &mut self,
        id: RunId,
        changes: RunChanges,
        author: &Author,
    ) -> Result<Vec<BlobLocation>> {
        let before = self.run(id, "tracker.update_run")?;
        let experiment = self.experiment(before.record.experiment, "tracker.update_run")?;
        check::expectation(changes.expect, before.record.status)?;
        check::trash(
            before.record.deleted.is_some(),
            experiment.deleted.is_some(),
            &changes,
        )?;

        let mut after = before.clone();
        let mut diff = RunChanges::default();
        let mut last_chunk = self.last_chunk;
        let mut offered = Vec::new();

        change_life(&mut after.record, &mut diff, &changes, author.now)?;
        for (key, value) in changes.params {
            if check::param(
                &key,
                after.record.params.get(&key).map(String::as_str),
                &value,
            )? {
                after.record.params.insert(key.clone(), value.clone());
                diff.params.insert(key, value);
            }
        }
        if let Some(chunk) = changes.metrics {
            let stored = after.spools.get(&chunk.origin.spool).copied().unwrap_or(0);
            let (status, next) = (before.record.status, after.record.status);
            if check::append(chunk.origin, stored, status, next)? {
                last_chunk += 1;
                append_chunk(&mut after, ChunkId(last_chunk), &chunk);
                diff.metrics = Some(chunk);
            }
        }
        change_artifacts(
            self,
            &mut after,
            &mut offered,
            changes.artifacts,
            author.now,
        )?;
        for artifact in after.artifacts.values() {
            let same = before
                .artifacts
                .get(&artifact.path)
                .is_some_and(|old| old == artifact);
            if !same {
                let entry = ArtifactEntry {
                    path: artifact.path.clone(),
                    blob: artifact.blob.clone(),
                };
                diff.artifacts.push(entry);
            }
        }
        if let Some(seal) = changes.seal {
            last_chunk += 1;
            let blob = self.known_or_offered(&mut offered, &seal.blob);
            let seal = SealedMetrics { blob, ..seal };
            seal_chunks(&mut after, ChunkId(last_chunk), &seal)?;
            diff.seal = Some(seal);
        }
        change_inputs(&mut after.record.inputs, changes.inputs);
        let new = |input: &&DatasetInput| !before.record.inputs.contains(input);
        diff.inputs = after.record.inputs.iter().filter(new).cloned().collect();
        change_tags(&mut after.record.tags, &mut diff.tags, changes.tags);
        remove_tags(
            &mut after.record.tags,
            &mut diff.remove_tags,
            changes.remove_tags,
        );
        if let Some(name) = changes.name.filter(|name| *name != before.record.name) {
            after.record.name = name.clone();
            diff.name = Some(name);
        }
        if let Some(note) = changes.note.filter(|note| *note != before.record.note) {
            after.record.note.clone_from(&note);
            diff.note = Some(note);
        }
        if let Some(deleted) = changes
            .deleted
            .filter(|d| *d != before.record.deleted.is_some())
        {
            after.record.deleted = deleted.then_some(author.now);
            diff.deleted = Some(deleted);
        }

        let mut unneeded: BTreeSet<_> = before.blobs().map(|blob| blob.location.clone()).collect();
        unneeded.extend(offered.into_iter().map(|blob| blob.location));
        self.last_chunk = last_chunk;
        self.runs.insert(id, after);
        let digest = diff
            .metrics
            .as_ref()
            .map(|chunk| Digest(blake3::hash(&chunk.bytes).into()));
        if let Some(payload) = events::run_update(&diff, Some(author.now), digest) {
            self.write(author, events::RUN_UPDATE, id, payload);
        }
        unneeded.retain(|location| !self.names(location));
        Ok(unneeded.into_iter().collect())
    }

    pub(super) fn plan_purge(&self, what: &Purge) -> Result<PurgePlan> {
        let operation = "tracker.plan_purge";
        let mut experiments = BTreeSet::new();
        let mut runs = BTreeSet::new();
        match what {
            Purge::DeletedBefore(instant) => {
                let before = |deleted: Option<Instant>| deleted.is_some_and(|at| at < *instant);
                let old = self
                    .experiments
                    .values()
                    .filter(|e| before(e.record.deleted));
                experiments.extend(old.map(|experiment| experiment.record.id));
                let old = self.runs.values().filter(|run| before(run.record.deleted));
                runs.extend(old.map(|run| run.record.id));
            }
            Purge::Runs(ids) => {
                for id in ids {
                    in_trash(
                        self.run(*id, operation)?.record.deleted,
                        operation,
                        &Node::from(*id),
                    )?;
                    runs.insert(*id);
                }
            }
            Purge::Experiments(ids) => {
                for id in ids {
                    in_trash(
                        self.experiment(*id, operation)?.deleted,
                        operation,
                        &Node::from(*id),
                    )?;
                    experiments.insert(*id);
                }
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    operation,
                    "unknown kind of purge",
                ));
            }
        }
        let theirs = self
            .runs
            .values()
            .filter(|r| experiments.contains(&r.record.experiment));
        runs.extend(theirs.map(|run| run.record.id));

        let artifacts = || runs.iter().flat_map(|id| self.runs[id].artifacts.values());
        Ok(PurgePlan {
            artifacts: artifacts().count() as u64,
            artifact_bytes: artifacts().map(|artifact| artifact.blob.size).sum(),
            experiments: experiments.into_iter().collect(),
            runs: runs.into_iter().collect(),
        })
    }

    pub(super) fn purge(&mut self, plan: &PurgePlan, author: &Author) -> Result<PurgeReport> {
        let conflict =
            |message: &'static str| Error::new(ErrorKind::Conflict, "tracker.purge", message);
        let runs: BTreeSet<RunId> = plan
            .runs
            .iter()
            .copied()
            .filter(|id| self.runs.contains_key(id))
            .collect();
        let experiments: BTreeSet<ExperimentId> = plan
            .experiments
            .iter()
            .copied()
            .filter(|id| self.experiments.contains_key(id))
            .collect();
        for (id, run) in &self.runs {
            let taken = runs.contains(id);
            if taken && run.record.deleted.is_none() {
                return Err(conflict("a run is no longer in the trash").with("run", id));
            }
            if !taken && experiments.contains(&run.record.experiment) {
                return Err(
                    conflict("an experiment has a run that the plan does not name")
                        .with("run", id)
                        .with_hint("make a new plan"),
                );
            }
        }
        for id in &experiments {
            if self.experiments[id].record.deleted.is_none() {
                return Err(
                    conflict("an experiment is no longer in the trash").with("experiment", id)
                );
            }
        }

        let mut freed = BTreeMap::new();
        for id in &runs {
            let Some(run) = self.runs.remove(id) else {
                continue;
            };
            freed.extend(
                run.blobs()
                    .map(|blob| (blob.location.clone(), blob.clone())),
            );
            self.write(
                author,
                events::RUN_PURGE,
                *id,
                events::run_purge(&run.record),
            );
        }
        for id in &experiments {
            let Some(experiment) = self.experiments.remove(id) else {
                continue;
            };
            let payload = events::experiment_purge(&experiment.record);
            self.write(author, events::EXPERIMENT_PURGE, *id, payload);
        }
        freed.retain(|location, _| !self.names(location));
        Ok(PurgeReport {
            experiments: experiments.len() as u64,
            runs: runs.len() as u64,
            freed: freed.into_values().collect(),
        })
    }

    pub(super) fn run(&self, id: RunId, operation: &'static str) -> Result<&StoredRun> {
        let missing = || Error::not_found(operation, "no run has this id").with("run", id);
        self.runs.get(&id).ok_or_else(missing)
    }

    pub(super) fn find_blob(&self, digest: Digest) -> Option<Blob> {
        self.blobs().find(|blob| blob.digest == digest).cloned()
    }

    fn experiment(&self, id: ExperimentId, operation: &'static str) -> Result<&Experiment> {
        let missing =
            || Error::not_found(operation, "no experiment has this id").with("experiment", id);
        self.experiments
            .get(&id)
            .map(|stored| &stored.record)
            .ok_or_else(missing)
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

    /// The object to name for an offered one: one of its digest that was named before the change or
    /// offered earlier in it, or else itself.
    fn known_or_offered(&self, offered: &mut Vec<Blob>, blob: &Blob) -> Blob {
        let earlier = offered
            .iter()
            .find(|earlier| earlier.digest == blob.digest)
            .cloned();
        let known = self.find_blob(blob.digest).or(earlier);
        offered.push(blob.clone());
        known.unwrap_or_else(|| blob.clone())
    }

    fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.runs.values().flat_map(StoredRun::blobs)
    }

    fn names(&self, location: &BlobLocation) -> bool {
        self.blobs().any(|blob| blob.location == *location)
    }

    fn write(&mut self, author: &Author, operation: &str, node: impl Into<Node>, payload: Value) {
        self.journal.append(
            author.now,
            author.actor.clone(),
            operation,
            node.into(),
            payload,
        );
    }
}

impl StoredRun {
    fn blobs(&self) -> impl Iterator<Item = &Blob> {
        let artifacts = self.artifacts.values().map(|artifact| &artifact.blob);
        let sealed = self
            .chunks
            .iter()
            .filter_map(|chunk| match &chunk.stored.data {
                ChunkData::Blob(blob) => Some(blob),
                ChunkData::Inline(_) => None,
            });
        artifacts.chain(sealed)
    }
}

fn to_the_microsecond(instant: Instant) -> Instant {
    from_micros_lossy(instant.timestamp_micros())
}

fn in_trash(deleted: Option<Instant>, operation: &'static str, node: &Node) -> Result<()> {
    match deleted {
        Some(_) => Ok(()),
        None => Err(Error::invalid(operation, "is not in the trash")
            .with("node", node)
            .with_hint("delete it first")),
    }
}

fn change_life(
    run: &mut Run,
    diff: &mut RunChanges,
    changes: &RunChanges,
    now: Instant,
) -> Result<()> {
    let before = Life {
        status: run.status,
        ended: run.ended,
        lease: run.lease.take(),
    };
    let after = before.after(changes, now)?;
    diff.status = Some(after.status).filter(|status| *status != before.status);
    run.status = after.status;
    run.ended = after.ended.map(to_the_microsecond);
    diff.ended = run.ended.filter(|_| run.ended != before.ended);
    run.lease = after.lease.map(|mut lease| {
        lease.until = to_the_microsecond(lease.until);
        lease
    });
    Ok(())
}

fn change_tags(
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

fn remove_tags(tags: &mut BTreeMap<Key, String>, diff: &mut Vec<Key>, unwanted: Vec<Key>) {
    diff.extend(
        unwanted
            .into_iter()
            .filter(|key| tags.remove(key).is_some()),
    );
}

fn change_inputs(inputs: &mut Vec<DatasetInput>, wanted: Vec<DatasetInput>) {
    for mut input in wanted {
        // `Other("train")` is another way to say `Train`.
        input.context = DatasetContext::from(input.context.as_str().to_owned());
        inputs.retain(|there| place(there) != place(&input));
        inputs.push(input);
    }
    inputs.sort_by(|a, b| place(a).cmp(&place(b)));
}

/// What makes a dataset input the same one.
fn place(input: &DatasetInput) -> (&str, &str, &str) {
    (&input.name, &input.digest, input.context.as_str())
}

fn append_chunk(run: &mut StoredRun, id: ChunkId, chunk: &MetricChunk) {
    let origin = chunk.origin;
    run.spools.insert(origin.spool, origin.first + origin.count);
    for (key, summary) in &chunk.summaries {
        run.record
            .metrics
            .entry(key.clone())
            .and_modify(|before| before.append(summary))
            .or_insert(*summary);
    }
    run.chunks.push(Chunk {
        stored: StoredChunk {
            id,
            codec: chunk.codec,
            count: origin.count,
            data: ChunkData::Inline(chunk.bytes.clone()),
        },
        keys: chunk.summaries.iter().map(|(key, _)| key.clone()).collect(),
    });
}

fn seal_chunks(run: &mut StoredRun, id: ChunkId, seal: &SealedMetrics) -> Result<()> {
    let operation = "tracker.update_run";
    let replaced = |chunk: &Chunk| seal.replaces.contains(&chunk.stored.id);
    let conflict = || {
        Error::new(
            ErrorKind::Conflict,
            operation,
            "a chunk to be sealed is gone",
        )
        .with_hint("read the run's chunks again")
    };
    let n = seal.replaces.len();
    if run.chunks.iter().filter(|chunk| replaced(chunk)).count() != n {
        return Err(conflict());
    }
    let start = run.chunks.iter().position(replaced).ok_or_else(conflict)?;
    let row = &run.chunks[start..(start + n).min(run.chunks.len())];
    if !row.iter().all(replaced) {
        return Err(Error::invalid(
            operation,
            "a chunk between those to be sealed is left out",
        ));
    }
    let points: u64 = row.iter().map(|chunk| chunk.stored.count).sum();
    if points != seal.count {
        return Err(
            Error::invalid(operation, "the sealed object has another number of points")
                .with("chunks", points)
                .with("object", seal.count),
        );
    }
    let sealed = Chunk {
        stored: StoredChunk {
            id,
            codec: seal.codec,
            count: points,
            data: ChunkData::Blob(seal.blob.clone()),
        },
        keys: row
            .iter()
            .flat_map(|chunk| chunk.keys.iter().cloned())
            .collect(),
    };
    run.chunks.splice(start..start + n, [sealed]);
    Ok(())
}

fn change_artifacts(
    state: &State,
    run: &mut StoredRun,
    offered: &mut Vec<Blob>,
    entries: Vec<ArtifactEntry>,
    now: Instant,
) -> Result<()> {
    let mut entries = entries.into_iter();
    while let Some(ArtifactEntry { path, blob }) = entries.next() {
        let known = state.known_or_offered(offered, &blob);
        if entries.as_slice().iter().any(|later| later.path == path) {
            continue;
        }
        if let Some(file) = check::directories(&path).find(|d| run.artifacts.contains_key(*d)) {
            return Err(check::file_and_directory(&path, file));
        }
        let under = run
            .artifacts
            .keys()
            .find(|there| **there != path && there.is_under(&path));
        if let Some(under) = under {
            return Err(check::file_and_directory(&path, under));
        }
        let same = |there: &Artifact| there.blob.digest == known.digest;
        if !run.artifacts.get(&path).is_some_and(same) {
            run.artifacts.insert(
                path.clone(),
                Artifact {
                    path,
                    blob: known,
                    created: now,
                },
            );
        }
    }
    Ok(())
}
