//! One atomic change of a run.

use std::collections::BTreeMap;

use super::metric::{ChunkId, MetricChunk};
use super::run::{Blob, DatasetInput, Lease, RunStatus};
use crate::time::Instant;
use crate::{ArtifactPath, Key, RunName};

/// What must still be true for a change to be made; otherwise it is a `Conflict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// The run has this status.
    Status(RunStatus),
    /// The run has not ended, or was called lost: its leftovers may be added.
    Unfinished,
}

/// A change of a run: all of it happens, or nothing; what is `None` or empty stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RunChanges {
    /// What must still be true.
    pub expect: Option<Expect>,
    /// Params to add. Repeating one with its value is harmless; with another value it is `Invalid`.
    pub params: BTreeMap<Key, String>,
    /// Labels to set.
    pub tags: BTreeMap<Key, String>,
    /// Labels to take away; absent ones are ignored. One that is also set is `Invalid`.
    pub remove_tags: Vec<Key>,
    /// Datasets to add; one of the same name, digest and context is replaced. Of several of these the
    /// last counts.
    pub inputs: Vec<DatasetInput>,
    /// Points to append; only to a run that was running or lost, or is resumed by this change.
    pub metrics: Option<MetricChunk>,
    /// Chunks to put into one object.
    pub seal: Option<SealedMetrics>,
    /// Files to name; one of the same path is replaced, unless its digest is the same. Of several of
    /// one path the last counts.
    pub artifacts: Vec<ArtifactEntry>,
    /// The new name.
    pub name: Option<RunName>,
    /// The new note.
    pub note: Option<String>,
    /// The new status. Ending a run takes its lease away and sets its end, if it has none; setting
    /// it to running resumes it, and takes its end away.
    pub status: Option<RunStatus>,
    /// When it ended, for imports: replaces an end that is there; now if absent. `Invalid` for a run
    /// that is running after the change.
    pub ended: Option<Instant>,
    /// Who writes it from now on; `Invalid` for a run that is not running after the change. A lease
    /// alone is a heartbeat: it writes no row in the journal.
    pub lease: Option<Lease>,
    /// `true` moves it to the trash, `false` brings it back, in a call of its own.
    pub deleted: Option<bool>,
}

/// A file to name in a change.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtifactEntry {
    /// Where it lies within the run.
    pub path: ArtifactPath,
    /// Its bytes, which lie durably in the blob store already. If the backend knows an object of the
    /// same digest it names that one, and returns this location as not needed.
    pub blob: Blob,
    /// Whether the caller has uploaded the object itself. If not, it took the object for known: a
    /// backend that names no object of this digest any more answers `Conflict`, since a purge may be
    /// deleting it right now.
    pub uploaded: bool,
}

/// Neighbouring chunks that are replaced by one object. The object stands where the first of them
/// stood in the order written, so what was appended meanwhile stays after it.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedMetrics {
    /// The chunks whose points are all in the object, in a row and each once; if any is gone, the
    /// change is a `Conflict`.
    pub replaces: Vec<ChunkId>,
    /// How the object is encoded.
    pub codec: u8,
    /// How many points are in it: as many as in the chunks.
    pub count: u64,
    /// The object.
    pub blob: Blob,
}

impl RunChanges {
    /// Demands that something is still true.
    pub fn expecting(mut self, expect: Expect) -> Self {
        self.expect = Some(expect);
        self
    }

    /// Adds a param.
    pub fn with_param(mut self, key: Key, value: impl Into<String>) -> Self {
        self.params.insert(key, value.into());
        self
    }

    /// Sets a label.
    pub fn with_tag(mut self, key: Key, value: impl Into<String>) -> Self {
        self.tags.insert(key, value.into());
        self
    }

    /// Takes a label away.
    pub fn without_tag(mut self, key: Key) -> Self {
        self.remove_tags.push(key);
        self
    }

    /// Adds a dataset that the run read.
    pub fn with_input(mut self, input: DatasetInput) -> Self {
        self.inputs.push(input);
        self
    }

    /// Appends points.
    pub fn with_metrics(mut self, chunk: MetricChunk) -> Self {
        self.metrics = Some(chunk);
        self
    }

    /// Replaces chunks by one object.
    pub fn with_seal(mut self, seal: SealedMetrics) -> Self {
        self.seal = Some(seal);
        self
    }

    /// Names a file whose object the caller has just uploaded.
    pub fn with_artifact(mut self, path: ArtifactPath, blob: Blob) -> Self {
        self.artifacts.push(ArtifactEntry { path, blob, uploaded: true });
        self
    }

    /// Names a file whose object was found by its digest; a `Conflict` if that is no longer named.
    pub fn with_known_artifact(mut self, path: ArtifactPath, blob: Blob) -> Self {
        self.artifacts.push(ArtifactEntry { path, blob, uploaded: false });
        self
    }

    /// Gives the run another name.
    pub fn with_name(mut self, name: RunName) -> Self {
        self.name = Some(name);
        self
    }

    /// Sets the note.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Sets the status.
    pub fn with_status(mut self, status: RunStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Says when the run ended.
    pub fn with_ended(mut self, ended: Instant) -> Self {
        self.ended = Some(ended);
        self
    }

    /// Says who writes the run from now on.
    pub fn with_lease(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Moves the run to the trash, or brings it back.
    pub fn with_deleted(mut self, deleted: bool) -> Self {
        self.deleted = Some(deleted);
        self
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        let nothing = Self { expect: self.expect, ..Self::default() };
        *self == nothing
    }
}
