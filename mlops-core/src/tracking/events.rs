//! What the journal keeps of a change of tracking metadata: operation names and payloads.
//!
//! Every backend builds its rows here, so that two stores to which the same was done have the same
//! journal. A payload holds exactly what changed and nothing that stayed: it is what a replica, an
//! auditor and a change feed need. Leases are left out, since renewing one is a heartbeat and not a
//! change; bytes and locations are left out too, their digests stand for them. NaN and ±∞ travel as
//! the strings that [`MetricSummary`](super::MetricSummary) writes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::experiment::{Experiment, ExperimentChanges};
use super::run::{Blob, DatasetInput, Digest, Run, RunStatus};
use super::{MetricChunk, RunChanges};
use crate::Key;
use crate::time::Instant;

/// An experiment was made.
pub const EXPERIMENT_CREATE: &str = "experiment.create";
/// An experiment was changed, or went to the trash with its runs, or came back.
pub const EXPERIMENT_UPDATE: &str = "experiment.update";
/// An experiment was taken away for ever.
pub const EXPERIMENT_PURGE: &str = "experiment.purge";
/// A run was started.
pub const RUN_CREATE: &str = "run.create";
/// A run was changed.
pub const RUN_UPDATE: &str = "run.update";
/// A run was taken away for ever.
pub const RUN_PURGE: &str = "run.purge";

/// The payload of [`EXPERIMENT_CREATE`].
pub fn experiment_create(experiment: &Experiment) -> Value {
    let mut payload = Map::new();
    payload.insert("name".into(), json!(experiment.name));
    payload.insert("created".into(), instant(experiment.created));
    put(&mut payload, "tags", !experiment.tags.is_empty(), || json!(experiment.tags));
    Value::Object(payload)
}

/// The payload of [`EXPERIMENT_UPDATE`], or `None` if nothing changed.
///
/// `changed` is the change without what was so already. `deleted` is the instant that the experiment
/// went to the trash, if it did; `runs` is how many runs went there or came back with it.
pub fn experiment_update(
    changed: &ExperimentChanges,
    deleted: Option<Instant>,
    runs: u64,
) -> Option<Value> {
    let mut payload = Map::new();
    put(&mut payload, "name", changed.name.is_some(), || json!(changed.name));
    put(&mut payload, "tags", !changed.tags.is_empty(), || json!(changed.tags));
    put(&mut payload, "removed_tags", !changed.remove_tags.is_empty(), || {
        json!(sorted(&changed.remove_tags, Key::as_str))
    });
    if let Some(to_trash) = changed.deleted {
        payload.insert("deleted".into(), trashed(to_trash, deleted));
        payload.insert("runs".into(), json!(runs));
    }
    (!payload.is_empty()).then_some(Value::Object(payload))
}

/// The payload of [`EXPERIMENT_PURGE`].
pub fn experiment_purge(experiment: &Experiment) -> Value {
    json!({ "name": experiment.name })
}

/// The payload of [`RUN_CREATE`].
pub fn run_create(run: &Run) -> Value {
    let mut payload = Map::new();
    payload.insert("experiment".into(), json!(run.experiment));
    payload.insert("name".into(), json!(run.name));
    payload.insert("started".into(), instant(run.started));
    put(&mut payload, "parent", run.parent.is_some(), || json!(run.parent));
    put(&mut payload, "user", !run.user.is_empty(), || json!(run.user));
    put(&mut payload, "params", !run.params.is_empty(), || json!(run.params));
    put(&mut payload, "tags", !run.tags.is_empty(), || json!(run.tags));
    Value::Object(payload)
}

/// The payload of [`RUN_UPDATE`], or `None` if nothing changed but the lease.
///
/// `changed` is the change without what was so already: params, tags, inputs and artifacts that are
/// stored, labels that are absent, a chunk that is known, a status or end that the run has. Of
/// several inputs or artifacts in one place only the last is there. The lists may be in any order,
/// the payload's are sorted. `deleted` is the instant that the run went to the trash, if it did;
/// `chunk` is the BLAKE3 digest of the bytes of [`RunChanges::metrics`], if there are any.
pub fn run_update(
    changed: &RunChanges,
    deleted: Option<Instant>,
    chunk: Option<Digest>,
) -> Option<Value> {
    let mut payload = Map::new();
    put(&mut payload, "params", !changed.params.is_empty(), || json!(changed.params));
    put(&mut payload, "tags", !changed.tags.is_empty(), || json!(changed.tags));
    put(&mut payload, "removed_tags", !changed.remove_tags.is_empty(), || {
        json!(sorted(&changed.remove_tags, Key::as_str))
    });
    put(&mut payload, "inputs", !changed.inputs.is_empty(), || {
        json!(sorted(&changed.inputs, place))
    });
    if let Some(points) = &changed.metrics {
        payload.insert("metrics".into(), metrics(points, chunk));
    }
    if let Some(seal) = &changed.seal {
        let mut sealed = object(&seal.blob);
        sealed.insert("replaces".into(), json!(seal.replaces));
        sealed.insert("codec".into(), json!(seal.codec));
        sealed.insert("count".into(), json!(seal.count));
        payload.insert("seal".into(), Value::Object(sealed));
    }
    put(&mut payload, "artifacts", !changed.artifacts.is_empty(), || {
        let files = sorted(&changed.artifacts, |entry| entry.path.as_str());
        let files = files.into_iter().map(|entry| {
            let mut file = object(&entry.blob);
            file.insert("path".into(), json!(entry.path));
            Value::Object(file)
        });
        files.collect()
    });
    put(&mut payload, "name", changed.name.is_some(), || json!(changed.name));
    put(&mut payload, "note", changed.note.is_some(), || json!(changed.note));
    put(&mut payload, "status", changed.status.is_some(), || json!(changed.status));
    match (changed.ended, changed.status) {
        (Some(ended), _) => {
            payload.insert("ended".into(), instant(ended));
        }
        (None, Some(RunStatus::Running)) => {
            payload.insert("ended".into(), Value::Null);
        }
        (None, _) => {}
    }
    if let Some(to_trash) = changed.deleted {
        payload.insert("deleted".into(), trashed(to_trash, deleted));
    }
    (!payload.is_empty()).then_some(Value::Object(payload))
}

/// The payload of [`RUN_PURGE`].
pub fn run_purge(run: &Run) -> Value {
    json!({ "experiment": run.experiment, "name": run.name })
}

pub(crate) fn put(
    payload: &mut Map<String, Value>,
    key: &str,
    there: bool,
    value: impl FnOnce() -> Value,
) {
    if there {
        payload.insert(key.to_owned(), value());
    }
}

/// What makes a dataset input the same one.
fn place(input: &DatasetInput) -> (&str, &str, &str) {
    (&input.name, &input.digest, input.context.as_str())
}

/// The items by their place, one each.
pub(crate) fn sorted<'a, T, P: Ord>(items: &'a [T], place: impl Fn(&'a T) -> P) -> Vec<&'a T> {
    items.iter().map(|item| (place(item), item)).collect::<BTreeMap<_, _>>().into_values().collect()
}

fn metrics(points: &MetricChunk, digest: Option<Digest>) -> Value {
    let summaries: Map<String, Value> =
        points.summaries.iter().map(|(key, summary)| (key.to_string(), json!(summary))).collect();
    json!({
        "spool": points.origin.spool,
        "first": points.origin.first,
        "count": points.origin.count,
        "codec": points.codec,
        "bytes": points.bytes.len(),
        "digest": digest,
        "summaries": summaries,
    })
}

fn object(blob: &Blob) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("digest".into(), json!(blob.digest));
    object.insert("size".into(), json!(blob.size));
    object
}

pub(crate) fn trashed(to_trash: bool, deleted: Option<Instant>) -> Value {
    deleted.filter(|_| to_trash).map_or(Value::Null, instant)
}

/// RFC 3339 with all six digits, so that equal instants are equal texts.
pub(crate) fn instant(at: Instant) -> Value {
    Value::String(at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}
