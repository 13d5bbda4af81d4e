//! One row as it is read: what it is about, what it says, and the error if it does not.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};

use crate::journal::Event;
use crate::lineage::NodeKind;
use crate::registry::VersionId;
use crate::time::Instant;
use crate::{Error, Key, ModelName, Result};

/// A row of the journal that is being applied.
pub(super) struct Row<'a>(pub(super) &'a Event);

impl Row<'_> {
    /// When it was written, which is when whatever it changes was updated.
    pub(super) fn at(&self) -> Instant {
        self.0.at
    }

    /// What it says.
    pub(super) fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        let message = "the row does not say what its operation should";
        // Serde would take a list for an object whose fields come in order.
        if !self.0.payload.is_object() {
            return Err(self.corrupt(message));
        }
        T::deserialize(&self.0.payload).map_err(|source| self.corrupt(message).with_source(source))
    }

    /// The model that it is about.
    pub(super) fn model(&self) -> Result<ModelName> {
        ModelName::new(self.id(NodeKind::Model)?).map_err(|source| self.other_node(source))
    }

    /// The version that it is about.
    pub(super) fn version(&self) -> Result<VersionId> {
        self.id(NodeKind::ModelVersion)?.parse().map_err(|source| self.other_node(source))
    }

    /// Kind and name of the document that it is about.
    pub(super) fn document(&self) -> Result<(Key, Key)> {
        let id = self.id(NodeKind::Document)?;
        let (kind, name) = id
            .split_once('/')
            .ok_or_else(|| self.corrupt("the row is about no document that could be"))?;
        let key = |text| Key::new(text).map_err(|source| self.other_node(source));
        Ok((key(kind)?, key(name)?))
    }

    /// The id of its node, which must be of this kind.
    pub(super) fn id(&self, kind: NodeKind) -> Result<&str> {
        if self.0.node.kind == kind {
            return Ok(&self.0.node.id);
        }
        Err(self
            .corrupt("the row is about another kind of thing than its operation")
            .with("wanted", kind.as_str()))
    }

    /// What it changes is not there.
    #[cold]
    pub(super) fn missing(&self) -> Error {
        self.corrupt("the row changes what no row before it has made")
    }

    /// The row is damaged, or rows before it are missing.
    #[cold]
    pub(super) fn corrupt(&self, message: &'static str) -> Error {
        Error::corrupt("registry.replay", message)
            .with("sequence", self.0.sequence)
            .with("operation", self.0.operation.escape_debug())
            .with("node", &self.0.node)
    }

    #[cold]
    fn other_node(&self, source: Error) -> Error {
        self.corrupt("the row is about a node that could not be").with_source(source)
    }
}

/// What a row says about the trash. The field is absent, `null`, or an instant; and absent, with
/// `#[serde(default)]`, is not `null`.
#[derive(Default)]
pub(super) enum Trash {
    #[default]
    Unchanged,
    Brought(Option<Instant>),
}

impl Trash {
    pub(super) fn change(self, deleted: &mut Option<Instant>) {
        if let Self::Brought(when) = self {
            *deleted = when;
        }
    }
}

impl<'de> Deserialize<'de> for Trash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Brought)
    }
}
