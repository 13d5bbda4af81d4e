//! What the journal keeps of a change of models, versions and documents: operation names and payloads.
//!
//! Every backend builds its rows here. A payload holds all that is needed to make the same change in
//! another store; [`RegistryState`](super::RegistryState) does so. Instants of a change are the row's
//! own, but for what is made, which is `updated` when it is `created`: a model is `updated` by its own rows and by the registering and promoting of its versions; a
//! version by its own rows, by promotions that move it, and by aliases that come or go.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::approval::Approval;
use super::catalog::Document;
use super::model::{Model, ModelChanges};
use super::moves::MoveCause;
use super::promotion::PromotionPlan;
use super::stage::Stage;
use super::version::{ModelVersion, VersionChanges};
use crate::Key;
use crate::journal::Actor;
use crate::lineage::Edge;
use crate::time::Instant;
use crate::tracking::events::{instant, put, sorted, trashed};

/// A model was made.
pub const MODEL_CREATE: &str = "model.create";
/// A model was changed, or went to the trash, or came back; or its aliases moved.
pub const MODEL_UPDATE: &str = "model.update";
/// A model was taken away for ever.
pub const MODEL_PURGE: &str = "model.purge";
/// A version was registered.
pub const VERSION_REGISTER: &str = "version.register";
/// A version was changed, or went to the trash, or came back.
pub const VERSION_UPDATE: &str = "version.update";
/// A version moved into a stage, and others out of it.
pub const VERSION_PROMOTE: &str = "version.promote";
/// A version moved back into a stage, and others out of it.
pub const VERSION_ROLLBACK: &str = "version.rollback";
/// Somebody said something about a move.
pub const VERSION_DECIDE: &str = "version.decide";
/// A version was taken away for ever.
pub const VERSION_PURGE: &str = "version.purge";
/// A document got a new version.
pub const DOCUMENT_PUT: &str = "document.put";
/// A document was deleted.
pub const DOCUMENT_DELETE: &str = "document.delete";
/// Edges of lineage were added.
pub const LINEAGE_LINK: &str = "lineage.link";

/// The payload of [`MODEL_CREATE`].
pub fn model_create(model: &Model) -> Value {
    let mut payload = Map::new();
    payload.insert("created".into(), instant(model.created));
    put(&mut payload, "note", !model.note.is_empty(), || json!(model.note));
    put(&mut payload, "tags", !model.tags.is_empty(), || json!(model.tags));
    put(&mut payload, "last_number", model.last_number > 0, || json!(model.last_number));
    Value::Object(payload)
}

/// The payload of [`MODEL_UPDATE`], or `None` if nothing changed.
///
/// `changed` is the change without what was so already; `deleted` is the instant that the model went to
/// the trash, if it did.
pub fn model_update(changed: &ModelChanges, deleted: Option<Instant>) -> Option<Value> {
    let mut payload = Map::new();
    put(&mut payload, "note", changed.note.is_some(), || json!(changed.note));
    put(&mut payload, "tags", !changed.tags.is_empty(), || json!(changed.tags));
    put(&mut payload, "removed_tags", !changed.remove_tags.is_empty(), || {
        json!(sorted(&changed.remove_tags, Key::as_str))
    });
    put(&mut payload, "aliases", !changed.aliases.is_empty(), || json!(changed.aliases));
    if let Some(to_trash) = changed.deleted {
        payload.insert("deleted".into(), trashed(to_trash, deleted));
    }
    (!payload.is_empty()).then_some(Value::Object(payload))
}

/// The payload of [`MODEL_PURGE`].
pub fn model_purge(model: &Model) -> Value {
    json!({ "last_number": model.last_number })
}

/// The payload of [`VERSION_REGISTER`]; `actor` is the row's.
pub fn version_register(version: &ModelVersion, actor: &Actor) -> Value {
    let mut payload = Map::new();
    payload.insert("digest".into(), json!(version.digest));
    payload.insert("created".into(), instant(version.created));
    payload.insert("manifest".into(), json!(version.manifest));
    put(&mut payload, "author", version.author != *actor, || json!(version.author));
    put(&mut payload, "origin", version.origin.is_some(), || json!(version.origin));
    put(&mut payload, "note", !version.note.is_empty(), || json!(version.note));
    put(&mut payload, "tags", !version.tags.is_empty(), || json!(version.tags));
    put(&mut payload, "evidence", !version.evidence.is_empty(), || json!(version.evidence));
    put(&mut payload, "attestations", !version.attestations.is_empty(), || {
        json!(version.attestations)
    });
    put(&mut payload, "stage", version.stage != Stage::None, || json!(version.stage));
    Value::Object(payload)
}

/// The payload of [`VERSION_UPDATE`], or `None` if nothing changed.
pub fn version_update(changed: &VersionChanges, deleted: Option<Instant>) -> Option<Value> {
    let mut payload = Map::new();
    put(&mut payload, "note", changed.note.is_some(), || json!(changed.note));
    put(&mut payload, "tags", !changed.tags.is_empty(), || json!(changed.tags));
    put(&mut payload, "removed_tags", !changed.remove_tags.is_empty(), || {
        json!(sorted(&changed.remove_tags, Key::as_str))
    });
    put(&mut payload, "evidence", !changed.evidence.is_empty(), || {
        json!(sorted(&changed.evidence, |e| (e.kind(), e.name().clone())))
    });
    put(&mut payload, "attestations", !changed.attestations.is_empty(), || {
        json!(sorted(&changed.attestations, |a| a.key.clone()))
    });
    if let Some(to_trash) = changed.deleted {
        payload.insert("deleted".into(), trashed(to_trash, deleted));
    }
    (!payload.is_empty()).then_some(Value::Object(payload))
}

/// The operation of carrying out a plan.
pub fn promote_operation(plan: &PromotionPlan) -> &'static str {
    if plan.request.rollback { VERSION_ROLLBACK } else { VERSION_PROMOTE }
}

/// The payload of [`VERSION_PROMOTE`] and [`VERSION_ROLLBACK`].
pub fn promote(plan: &PromotionPlan) -> Value {
    let mut payload = Map::new();
    payload.insert("to".into(), json!(plan.request.to));
    payload.insert("steps".into(), json!(plan.steps));
    payload.insert("gates".into(), json!(plan.gates));
    payload.insert("basis".into(), json!(plan.basis));
    put(&mut payload, "reason", !plan.request.reason.is_empty(), || json!(plan.request.reason));
    put(&mut payload, "policy", !plan.policy.is_empty(), || json!(plan.policy));
    put(&mut payload, "approvals", !plan.approvals.is_empty(), || json!(plan.approvals));
    Value::Object(payload)
}

/// What each step of a plan is part of: its own version's is the promotion or rollback.
pub fn cause(plan: &PromotionPlan, number: u64) -> MoveCause {
    if number != plan.request.version.number {
        MoveCause::Displaced
    } else if plan.request.rollback {
        MoveCause::Rollback
    } else {
        MoveCause::Promote
    }
}

/// The payload of [`VERSION_DECIDE`].
pub fn decide(approval: &Approval) -> Value {
    let mut payload = Map::new();
    payload.insert("to".into(), json!(approval.to));
    payload.insert("verdict".into(), json!(approval.verdict));
    payload.insert("basis".into(), json!(approval.basis));
    put(&mut payload, "comment", !approval.comment.is_empty(), || json!(approval.comment));
    Value::Object(payload)
}

/// The payload of [`VERSION_PURGE`].
pub fn version_purge(version: &ModelVersion) -> Value {
    json!({ "digest": version.digest })
}

/// The operation and the payload of a document's new version.
pub fn document(document: &Document) -> (&'static str, Value) {
    let mut payload = Map::new();
    payload.insert("version".into(), json!(document.version));
    let operation = match &document.body {
        None => DOCUMENT_DELETE,
        Some(body) => {
            payload.insert("body".into(), body.clone());
            DOCUMENT_PUT
        }
    };
    (operation, Value::Object(payload))
}

/// The payload of [`LINEAGE_LINK`]: the edges that were not there before, sorted.
pub fn lineage_link(edges: &[Edge]) -> Value {
    let sorted: BTreeSet<&Edge> = edges.iter().collect();
    json!({ "edges": sorted })
}
