//! The vocabulary of the one lineage graph: what may be a node.
//!
//! Every journal row names the node it is about, so the graph can be read out of the journal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ExperimentId, Result, RunId};

/// The kinds of things that lineage joins, from raw data to alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeKind {
    /// The workspace itself.
    Workspace,
    /// Where raw data comes from: a URL.
    Source,
    /// Data of one digest that a run read.
    Dataset,
    /// A feature view.
    FeatureView,
    /// A feature service.
    FeatureService,
    /// An experiment.
    Experiment,
    /// A run.
    Run,
    /// A registered model.
    Model,
    /// One version of a model.
    ModelVersion,
    /// A rollout of a version.
    Rollout,
    /// An alarm.
    Alarm,
    /// A snapshot of the workspace.
    Snapshot,
}

impl NodeKind {
    const ALL: [Self; 12] = [
        Self::Workspace,
        Self::Source,
        Self::Dataset,
        Self::FeatureView,
        Self::FeatureService,
        Self::Experiment,
        Self::Run,
        Self::Model,
        Self::ModelVersion,
        Self::Rollout,
        Self::Alarm,
        Self::Snapshot,
    ];

    /// The kind as it is written before the colon of a node.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Source => "source",
            Self::Dataset => "dataset",
            Self::FeatureView => "feature_view",
            Self::FeatureService => "feature_service",
            Self::Experiment => "experiment",
            Self::Run => "run",
            Self::Model => "model",
            Self::ModelVersion => "model_version",
            Self::Rollout => "rollout",
            Self::Alarm => "alarm",
            Self::Snapshot => "snapshot",
        }
    }
}

/// One node of the graph; prints and parses as `run:0191d2a0…`.
///
/// ```
/// use mlops_core::lineage::{Node, NodeKind};
/// let node: Node = "dataset:sha256:ab12".parse().unwrap();
/// assert_eq!((node.kind, node.id.as_str()), (NodeKind::Dataset, "sha256:ab12"));
/// assert_eq!(node.to_string(), "dataset:sha256:ab12");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Node {
    /// What kind of thing it is.
    pub kind: NodeKind,
    /// Its id within the kind.
    pub id: String,
}

impl Node {
    /// The node of `kind` with this id.
    pub fn new(kind: NodeKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}

impl From<RunId> for Node {
    fn from(id: RunId) -> Self {
        Self::new(NodeKind::Run, id.to_string())
    }
}

impl From<ExperimentId> for Node {
    fn from(id: ExperimentId) -> Self {
        Self::new(NodeKind::Experiment, id.to_string())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

impl FromStr for Node {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, id) = text.split_once(':').unwrap_or((text, ""));
        let kind = NodeKind::ALL.into_iter().find(|k| k.as_str() == kind);
        match kind {
            Some(kind) if !id.is_empty() => Ok(Self::new(kind, id)),
            _ => Err(Error::invalid("lineage.node", "is not of the form kind:id")
                .with("node", text.escape_debug())
                .with_hint("such as run:0191d2a0b1c27def8123456789abcdef")),
        }
    }
}

impl TryFrom<String> for Node {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Node> for String {
    fn from(node: Node) -> Self {
        node.to_string()
    }
}
