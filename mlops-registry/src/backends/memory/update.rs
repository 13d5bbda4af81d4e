//! One atomic change of a run: everything is done to a copy, which then takes the run's place.

use std::collections::BTreeSet;

use mlops_core::time::Instant;
use mlops_core::tracking::check::{self, Life};
use mlops_core::tracking::{
    Artifact, ArtifactEntry, Blob, BlobLocation, ChunkData, ChunkId, DatasetContext, DatasetInput,
    Digest, MetricChunk, Run, RunChanges, SealedMetrics, StoredChunk, events,
};
use mlops_core::{Error, ErrorKind, Result, RunId};

use super::state::{Author, Chunk, State, StoredRun, change_tags, remove_tags, to_the_microsecond};

impl State {
    pub(super) fn update_run(
        &mut self,
        id: RunId,
        changes: RunChanges,
        author: &Author,
    ) -> Result<Vec<BlobLocation>> {
        let before = self.run(id, "tracker.update_run")?;
        let experiment = self.experiment(before.record.experiment, "tracker.update_run")?;
        check::expectation(changes.expect, before.record.status)?;
        check::trash(before.record.deleted.is_some(), experiment.deleted.is_some(), &changes)?;

        let mut after = before.clone();
        let mut diff = RunChanges::default();
        let mut last_chunk = self.last_chunk;
        let mut offered = Vec::new();

        change_life(&mut after.record, &mut diff, &changes, author.now)?;
        for (key, value) in changes.params {
            if check::param(&key, after.record.params.get(&key).map(String::as_str), &value)? {
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
        change_artifacts(self, &mut after, &mut offered, changes.artifacts, author.now)?;
        for artifact in after.artifacts.values() {
            let same = before.artifacts.get(&artifact.path).is_some_and(|old| old == artifact);
            if !same {
                let entry = ArtifactEntry {
                    path: artifact.path.clone(),
                    blob: artifact.blob.clone(),
                    uploaded: true,
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
        remove_tags(&mut after.record.tags, &mut diff.remove_tags, changes.remove_tags);
        if let Some(name) = changes.name.filter(|name| *name != before.record.name) {
            after.record.name = name.clone();
            diff.name = Some(name);
        }
        if let Some(note) = changes.note.filter(|note| *note != before.record.note) {
            after.record.note.clone_from(&note);
            diff.note = Some(note);
        }
        if let Some(deleted) = changes.deleted.filter(|d| *d != before.record.deleted.is_some()) {
            after.record.deleted = deleted.then_some(author.now);
            diff.deleted = Some(deleted);
        }

        let mut unneeded: BTreeSet<_> = before.blobs().map(|blob| blob.location.clone()).collect();
        unneeded.extend(offered.into_iter().map(|blob| blob.location));
        let digest = diff.metrics.as_ref().map(|chunk| Digest(blake3::hash(&chunk.bytes).into()));
        if let Some(payload) = events::run_update(&diff, Some(author.now), digest) {
            self.write(author, events::RUN_UPDATE, id, payload)?;
        }
        self.last_chunk = last_chunk;
        self.runs.insert(id, after);
        unneeded.retain(|location| !self.names(location));
        Ok(unneeded.into_iter().collect())
    }

    /// The object to name for an offered one: one of its digest that was named before the change or
    /// offered earlier in it, or else itself.
    fn known_or_offered(&self, offered: &mut Vec<Blob>, blob: &Blob) -> Blob {
        let earlier = offered.iter().find(|earlier| earlier.digest == blob.digest).cloned();
        let known = self.find_blob(blob.digest).or(earlier);
        offered.push(blob.clone());
        known.unwrap_or_else(|| blob.clone())
    }
}

fn change_life(
    run: &mut Run,
    diff: &mut RunChanges,
    changes: &RunChanges,
    now: Instant,
) -> Result<()> {
    let before = Life { status: run.status, ended: run.ended, lease: run.lease.take() };
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
        Error::new(ErrorKind::Conflict, operation, "a chunk to be sealed is gone")
            .with_hint("read the run's chunks again")
    };
    let n = seal.replaces.len();
    if run.chunks.iter().filter(|chunk| replaced(chunk)).count() != n {
        return Err(conflict());
    }
    let start = run.chunks.iter().position(replaced).ok_or_else(conflict)?;
    let row = &run.chunks[start..(start + n).min(run.chunks.len())];
    if !row.iter().all(replaced) {
        return Err(Error::invalid(operation, "a chunk between those to be sealed is left out"));
    }
    let points: u64 = row.iter().map(|chunk| chunk.stored.count).sum();
    if points != seal.count {
        return Err(Error::invalid(operation, "the sealed object has another number of points")
            .with("chunks", points)
            .with("object", seal.count));
    }
    let sealed = Chunk {
        stored: StoredChunk {
            id,
            codec: seal.codec,
            count: points,
            data: ChunkData::Blob(seal.blob.clone()),
        },
        keys: row.iter().flat_map(|chunk| chunk.keys.iter().cloned()).collect(),
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
    while let Some(entry) = entries.next() {
        if !entry.uploaded && state.find_blob(entry.blob.digest).is_none() {
            return Err(check::object_is_gone(&entry));
        }
        let ArtifactEntry { path, blob, .. } = entry;
        let known = state.known_or_offered(offered, &blob);
        if entries.as_slice().iter().any(|later| later.path == path) {
            continue;
        }
        if let Some(file) = check::directories(&path).find(|d| run.artifacts.contains_key(*d)) {
            return Err(check::file_and_directory(&path, file));
        }
        let under = run.artifacts.keys().find(|there| **there != path && there.is_under(&path));
        if let Some(under) = under {
            return Err(check::file_and_directory(&path, under));
        }
        let same = |there: &Artifact| there.blob.digest == known.digest;
        if !run.artifacts.get(&path).is_some_and(same) {
            run.artifacts.insert(path.clone(), Artifact { path, blob: known, created: now });
        }
    }
    Ok(())
}
