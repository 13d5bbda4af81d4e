//! The vocabulary of the one lineage graph: what may be a node.
//!
//! Every journal row names the node it is about. Edges are stored in the transaction of the change that
//! makes them: a run's inputs, a version's registration, a promotion. What other programs know
//! (features, rollouts, alarms) they add by [`Lineage::link`].

use std::fmt::{self, Debug};
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::journal::Actor;
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
    /// A stage of a model: `churn/Production`.
    Stage,
    /// A column of data, by its name.
    Column,
    /// A document of the catalog: `policy/churn`.
    Document,
}

impl NodeKind {
    const ALL: [Self; 15] = [
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
        Self::Stage,
        Self::Column,
        Self::Document,
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
            Self::Stage => "stage",
            Self::Column => "column",
            Self::Document => "document",
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

/// That `to` depends on `from`: data flows along the arrow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// What it comes from.
    pub from: Node,
    /// What comes of it.
    pub to: Node,
    /// In which way.
    pub relation: Relation,
}

impl Edge {
    /// An edge.
    pub fn new(from: impl Into<Node>, to: impl Into<Node>, relation: Relation) -> Self {
        Self { from: from.into(), to: to.into(), relation }
    }
}

/// In which way one node comes of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Relation {
    /// `to` holds what `from` holds: a dataset of its source.
    Contains,
    /// `to` was computed from `from`: a feature view from its source.
    DerivedFrom,
    /// `to` read `from`: a run a dataset, a version a column.
    Read,
    /// `from` made `to`: a run a version.
    Produced,
    /// `to` is served by `from`: a version's features by their service.
    ServedBy,
    /// `from` is in `to` now: a version in a stage.
    In,
    /// `to` is a copy of `from`.
    CopiedFrom,
    /// `to` is about `from`: an alarm about a rollout.
    About,
}

impl Relation {
    /// All relations.
    pub const ALL: [Self; 8] = [
        Self::Contains,
        Self::DerivedFrom,
        Self::Read,
        Self::Produced,
        Self::ServedBy,
        Self::In,
        Self::CopiedFrom,
        Self::About,
    ];

    /// The relation in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "contains",
            Self::DerivedFrom => "derived_from",
            Self::Read => "read",
            Self::Produced => "produced",
            Self::ServedBy => "served_by",
            Self::In => "in",
            Self::CopiedFrom => "copied_from",
            Self::About => "about",
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Relation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|relation| relation.as_str() == text).ok_or_else(|| {
            Error::invalid("lineage.relation", "is no relation")
                .with("relation", text.escape_debug())
        })
    }
}

/// Against the arrows, or along them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To what it comes from.
    Upstream,
    /// To what comes of it.
    Downstream,
}

/// Stores the edges of the graph.
#[async_trait]
pub trait Lineage: Debug + Send + Sync + 'static {
    /// The same backend, for which the journal names `actor` as the one who did it.
    fn lineage_as(&self, actor: Actor) -> Arc<dyn Lineage>;

    /// Adds edges.
    ///
    /// # Contract
    /// **Atomicity, Durability, Journal.** As [`Tracker`](crate::tracking::Tracker); one journal row,
    /// about the first edge's `to`. **Idempotence.** Edges that are there change nothing.
    /// **Invalid.** No edges, an edge from a node to itself, or a node's id that is longer than
    /// [`MAX_NODE_BYTES`] or holds control characters.
    async fn link(&self, edges: &[Edge]) -> Result<()>;

    /// The edges that start (downstream) or end (upstream) at any of these nodes, sorted; none for
    /// unknown nodes.
    async fn edges(&self, nodes: &[Node], direction: Direction) -> Result<Vec<Edge>>;
}

/// Longest id of a node, in bytes.
pub const MAX_NODE_BYTES: usize = 4_096;

/// Checks what [`Lineage::link`] is given.
///
/// # Errors
/// `Invalid`, naming the node.
pub fn check_edges(edges: &[Edge]) -> Result<()> {
    let op = "lineage.link";
    if edges.is_empty() {
        return Err(Error::invalid(op, "no edges were given"));
    }
    for edge in edges {
        if edge.from == edge.to {
            return Err(Error::invalid(op, "an edge starts where it ends").with("node", &edge.to));
        }
        for node in [&edge.from, &edge.to] {
            let id = &node.id;
            if id.is_empty() || id.len() > MAX_NODE_BYTES || id.chars().any(char::is_control) {
                return Err(Error::invalid(
                    op,
                    "a node's id is empty, too long, or holds control characters",
                )
                .with("bytes", id.len())
                .with("at_most", MAX_NODE_BYTES));
            }
        }
    }
    Ok(())
}
