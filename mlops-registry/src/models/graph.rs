//! The lineage graph around some nodes: walked, explained, exported.
//!
//! The store keeps edges; questions are about paths. A walk goes from nodes along the arrows or
//! against them, breadth first and in batches, so that a graph of depth 6 costs 6 rounds of queries and
//! not one query for each node. [`Graph::impact`] answers "which versions come of this, and where do
//! they run", each with the shortest path that explains it.
//!
//! Everything is sorted, so the same store gives the same text. What it does not do: lay out pictures
//! ([`Graph::to_mermaid`] writes text that many programs draw), or know when anything happened (that
//! stands in the journal, and is told to [`OpenLineage`]).

mod mermaid;
mod open_lineage;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mlops_core::Result;
use mlops_core::lineage::{Direction, Edge, Lineage, Node, NodeKind, Relation};
use mlops_core::registry::{Stage, VersionId};
use serde_json::{Value, json};

pub use self::open_lineage::OpenLineage;

/// Most nodes of a graph.
const MAX_NODES: usize = 100_000;
/// Most nodes of one query.
const BATCH: usize = 500;

/// A part of the lineage graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Graph {
    /// The nodes that were asked about, and those that were reached.
    pub nodes: BTreeSet<Node>,
    /// The edges that were walked; both ends are among the nodes.
    pub edges: BTreeSet<Edge>,
    /// Whether it has as many nodes as a graph may have, 100,000, and there are more.
    pub full: bool,
}

/// A version that something has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Impact {
    /// The version.
    pub version: VersionId,
    /// The active stages that it is in now.
    pub stages: Vec<Stage>,
    /// The shortest way to it, both ends included.
    pub path: Vec<Node>,
}

/// The graph around `from`, so many edges far.
pub(super) async fn walk(
    lineage: &dyn Lineage,
    from: &[Node],
    direction: Direction,
    depth: usize,
) -> Result<Graph> {
    bounded(lineage, from, direction, depth, MAX_NODES).await
}

/// The versions that come of a node, those in the highest stages first.
pub(super) async fn impact(lineage: &dyn Lineage, node: &Node) -> Result<Vec<Impact>> {
    let from = std::slice::from_ref(node);
    Ok(walk(lineage, from, Direction::Downstream, usize::MAX).await?.impact(node))
}

async fn bounded(
    lineage: &dyn Lineage,
    from: &[Node],
    direction: Direction,
    depth: usize,
    most: usize,
) -> Result<Graph> {
    let mut graph = Graph::default();
    let mut frontier = BTreeSet::new();
    for node in from {
        graph.add(node, most, &mut frontier);
    }
    for _ in 0..depth {
        if frontier.is_empty() {
            break;
        }
        let nodes: Vec<Node> = std::mem::take(&mut frontier).into_iter().collect();
        for batch in nodes.chunks(BATCH) {
            for edge in lineage.edges(batch, direction).await? {
                let next = match direction {
                    Direction::Upstream => &edge.from,
                    Direction::Downstream => &edge.to,
                };
                if graph.add(next, most, &mut frontier) {
                    graph.edges.insert(edge);
                }
            }
        }
    }
    Ok(graph)
}

impl Graph {
    /// Adds a node, if it is there already or there is room; a new one is walked from next.
    fn add(&mut self, node: &Node, most: usize, frontier: &mut BTreeSet<Node>) -> bool {
        if self.nodes.contains(node) {
            return true;
        }
        if self.nodes.len() >= most {
            self.full = true;
            return false;
        }
        self.nodes.insert(node.clone());
        frontier.insert(node.clone());
        true
    }

    /// The versions that come of `node` in this graph, which was walked downstream from it; those in
    /// the highest stages first, then by name and number. The node itself is not among them.
    pub fn impact(&self, node: &Node) -> Vec<Impact> {
        let mut next: BTreeMap<&Node, Vec<&Edge>> = BTreeMap::new();
        for edge in &self.edges {
            next.entry(&edge.from).or_default().push(edge);
        }
        let mut before: BTreeMap<&Node, Option<&Node>> = BTreeMap::from([(node, None)]);
        let (mut queue, mut impacts) = (VecDeque::from([node]), Vec::new());
        while let Some(at) = queue.pop_front() {
            let edges = next.get(at).map(Vec::as_slice).unwrap_or_default();
            if at != node
                && at.kind == NodeKind::ModelVersion
                && let Ok(version) = at.id.parse()
            {
                let mut stages: Vec<Stage> = edges.iter().filter_map(|edge| stage(edge)).collect();
                stages.sort_by_key(|stage| Reverse(*stage));
                impacts.push(Impact { version, stages, path: path(&before, at) });
            }
            for edge in edges {
                if !before.contains_key(&edge.to) {
                    before.insert(&edge.to, Some(at));
                    queue.push_back(&edge.to);
                }
            }
        }
        let order =
            |impact: &Impact| (Reverse(impact.stages.first().copied()), impact.version.clone());
        impacts.sort_by_cached_key(order);
        impacts
    }

    /// The graph as JSON: `{"nodes": [{"node", "kind", "id"}], "edges": [{"from", "to", "relation"}],
    /// "full"}`, all sorted.
    pub fn to_json(&self) -> Value {
        let node = |node: &Node| json!({"node": node.to_string(), "kind": node.kind.as_str(), "id": node.id});
        let edge = |edge: &Edge| {
            let (from, to) = (edge.from.to_string(), edge.to.to_string());
            json!({"from": from, "to": to, "relation": edge.relation.as_str()})
        };
        json!({
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
            "edges": self.edges.iter().map(edge).collect::<Vec<_>>(),
            "full": self.full,
        })
    }

    /// The graph as a Mermaid flowchart: a shape and a colour for each kind, an arrow's label for each
    /// relation, long digests cut. Mermaid itself draws at most 500 edges unless it is told otherwise.
    pub fn to_mermaid(&self) -> String {
        mermaid::text(self)
    }

    /// The graph as OpenLineage events; see [`OpenLineage`].
    pub fn to_open_lineage(&self, options: &OpenLineage) -> Vec<Value> {
        open_lineage::events(self, options)
    }
}

/// The active stage that an edge puts a version in.
fn stage(edge: &Edge) -> Option<Stage> {
    if edge.relation != Relation::In || edge.to.kind != NodeKind::Stage {
        return None;
    }
    let (_, stage) = edge.to.id.rsplit_once('/')?;
    stage.parse().ok().filter(|stage: &Stage| stage.is_active())
}

fn path(before: &BTreeMap<&Node, Option<&Node>>, end: &Node) -> Vec<Node> {
    let mut path = vec![end.clone()];
    let mut at = end;
    while let Some(Some(previous)) = before.get(at) {
        path.push((*previous).clone());
        at = previous;
    }
    path.reverse();
    path
}
