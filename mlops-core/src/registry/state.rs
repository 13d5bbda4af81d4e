//! The registry as a fold over the journal: what models, versions, stages, documents and edges there
//! are after a number of rows.
//!
//! For replicas, for the question how things stood on 3 March, and for the proof that the journal
//! leaves nothing out: a backend keeps its tables as it likes, but replaying its rows into an empty
//! [`RegistryState`] must give what the tables hold. The reference backend *is* this fold.
//!
//! The non-obvious decision: a row is believed, not judged. Gates, aliases that must not dangle and
//! deletions that are refused are matters of the call that wrote it. But a row that contradicts what is
//! there (a step from a stage where the version is not, a manifest of another digest) is `Corrupt`,
//! since the answer would be a registry that never was. A field that is unknown is so too: a newer
//! program wrote it, and leaving it out would lose something.
//!
//! ```
//! use mlops_core::journal::{Actor, Event};
//! use mlops_core::lineage::{Node, NodeKind};
//! use mlops_core::registry::RegistryState;
//! use mlops_core::time::from_micros_lossy;
//!
//! let mut state = RegistryState::default();
//! state.apply(&Event {
//!     sequence: 1,
//!     at: from_micros_lossy(5),
//!     actor: Actor::new("ann@laptop").unwrap(),
//!     operation: "model.create".into(),
//!     node: Node::new(NodeKind::Model, "churn"),
//!     payload: serde_json::json!({"created": "2026-03-03T14:00:00.000000Z"}),
//! }).unwrap();
//! assert!(state.model(&"churn".parse().unwrap()).is_some());
//! ```

mod documents;
mod models;
mod moves;
mod row;
#[cfg(test)]
mod tests;
mod versions;

use std::collections::{BTreeMap, BTreeSet};

use self::row::Row;
use super::approval::Approval;
use super::catalog::Document;
use super::events;
use super::model::Model;
use super::moves::StageMove;
use super::stage::Stage;
use super::uri::VersionId;
use super::version::ModelVersion;
use crate::journal::Event;
use crate::lineage::{Edge, Node};
use crate::tracking::events::{RUN_PURGE, RUN_UPDATE};
use crate::{Key, ModelName, Result};

/// What the rows of a journal, applied in order, have made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RegistryState {
    sequence: u64,
    models: BTreeMap<ModelName, Model>,
    versions: BTreeMap<VersionId, ModelVersion>,
    /// The number of the row that made each model and version.
    made: BTreeMap<Node, u64>,
    /// The greatest number of each model that was purged.
    purged: BTreeMap<ModelName, u64>,
    /// The versions in stage `None`, as [`Model::stages`] has those in the others; no empty lists.
    unstaged: BTreeMap<ModelName, Vec<u64>>,
    /// The last word of each actor, the oldest one first, then by actor; no empty lists.
    approvals: BTreeMap<(VersionId, Stage), Vec<Approval>>,
    moves: BTreeMap<ModelName, Vec<StageMove>>,
    documents: BTreeMap<(Key, Key), Vec<Document>>,
    edges: BTreeSet<Edge>,
}

impl RegistryState {
    /// Applies the next row. Rows that are not about models, versions, documents or lineage only move
    /// [`RegistryState::sequence`] on; numbers may be left out, but not come again.
    ///
    /// # Errors
    /// `Corrupt` with sequence and operation, if the row does not say what [`events`] writes, or
    /// contradicts the rows before it. The state is then as it was.
    pub fn apply(&mut self, event: &Event) -> Result<()> {
        let row = Row(event);
        if event.sequence <= self.sequence {
            return Err(row
                .corrupt("the row comes again, or out of order")
                .with("last", self.sequence));
        }
        match event.operation.as_str() {
            events::MODEL_CREATE => self.create_model(&row)?,
            events::MODEL_UPDATE => self.update_model(&row)?,
            events::MODEL_PURGE => self.purge_model(&row)?,
            events::VERSION_REGISTER => self.register(&row)?,
            events::VERSION_UPDATE => self.update_version(&row)?,
            events::VERSION_PURGE => self.purge_version(&row)?,
            events::VERSION_PROMOTE => self.promote(&row, false)?,
            events::VERSION_ROLLBACK => self.promote(&row, true)?,
            events::VERSION_DECIDE => self.decide(&row)?,
            events::DOCUMENT_PUT => self.put_document(&row)?,
            events::DOCUMENT_DELETE => self.delete_document(&row)?,
            events::LINEAGE_LINK => self.link(&row)?,
            RUN_UPDATE => self.read_inputs(&row)?,
            RUN_PURGE => self.forget(&event.node),
            _ => {}
        }
        self.sequence = event.sequence;
        Ok(())
    }

    /// The number of the last row that was applied; 0 if there was none.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// All models, those in the trash too.
    pub fn models(&self) -> &BTreeMap<ModelName, Model> {
        &self.models
    }

    /// One model, also from the trash.
    pub fn model(&self, name: &ModelName) -> Option<&Model> {
        self.models.get(name)
    }

    /// The greatest number that a version of the model ever had, also if the model was purged; 0 if
    /// there was none.
    pub fn last_number(&self, name: &ModelName) -> u64 {
        let purged = || self.purged.get(name).copied();
        self.models.get(name).map(|model| model.last_number).or_else(purged).unwrap_or(0)
    }

    /// All versions, those in the trash too.
    pub fn versions(&self) -> &BTreeMap<VersionId, ModelVersion> {
        &self.versions
    }

    /// One version, also from the trash.
    pub fn version(&self, id: &VersionId) -> Option<&ModelVersion> {
        self.versions.get(id)
    }

    /// The versions of a model, the first one first, those in the trash too; none of an unknown one.
    pub fn versions_of(
        &self,
        model: &ModelName,
    ) -> impl DoubleEndedIterator<Item = &ModelVersion> + use<'_> {
        let id = |number| VersionId::new(model.clone(), number);
        self.versions.range(id(0)..=id(u64::MAX)).map(|(_, version)| version)
    }

    /// The numbers of the versions in a stage, the one that came there last at the end. For every stage
    /// but `None` this is what [`Model::stages`] says.
    pub fn in_stage(&self, model: &ModelName, stage: Stage) -> &[u64] {
        let held = match stage {
            Stage::None => self.unstaged.get(model),
            _ => self.models.get(model).and_then(|model| model.stages.get(&stage)),
        };
        held.map_or(&[], Vec::as_slice)
    }

    /// The number of the row that made a model or version which is there.
    pub fn made(&self, node: &Node) -> Option<u64> {
        self.made.get(node).copied()
    }

    /// What was said about moving a version into a stage: the last word of each actor, the oldest one
    /// first, then by actor. Who withdrew is not there.
    pub fn approvals(&self, version: &VersionId, to: Stage) -> &[Approval] {
        self.approvals.get(&(version.clone(), to)).map_or(&[], Vec::as_slice)
    }

    /// Every move of every version of a model, in order, those of purged versions too. They go when the
    /// model itself is purged.
    pub fn stage_history(&self, model: &ModelName) -> &[StageMove] {
        self.moves.get(model).map_or(&[], Vec::as_slice)
    }

    /// A document as it is now; `None` if it was never there or is deleted.
    pub fn document(&self, kind: &Key, name: &Key) -> Option<&Document> {
        self.document_history(kind, name).last().filter(|document| document.body.is_some())
    }

    /// All versions of a document, deletions among them, the first one first.
    pub fn document_history(&self, kind: &Key, name: &Key) -> &[Document] {
        self.documents.get(&(kind.clone(), name.clone())).map_or(&[], Vec::as_slice)
    }

    /// The documents of a kind that are there now, by name.
    pub fn documents(&self, kind: &Key) -> impl Iterator<Item = &Document> + use<'_> {
        let wanted = kind.clone();
        let of_kind = self.documents.iter().filter(move |((kind, _), _)| *kind == wanted);
        of_kind.filter_map(|(_, history)| history.last().filter(|document| document.body.is_some()))
    }

    /// All edges of lineage.
    pub fn edges(&self) -> &BTreeSet<Edge> {
        &self.edges
    }
}
