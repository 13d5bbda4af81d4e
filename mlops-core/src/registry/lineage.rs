//! The edges that a change of tracking or registry metadata makes; pure, the same for every backend.

use std::collections::BTreeSet;

use super::promotion::PromotionPlan;
use super::version::ModelVersion;
use crate::ModelName;
use crate::lineage::{Edge, Node, NodeKind, Relation};
use crate::registry::Stage;
use crate::tracking::DatasetInput;

/// A dataset as a node: its digest names it, whatever it is called.
pub fn dataset(input: &DatasetInput) -> Node {
    Node::new(NodeKind::Dataset, format!("{}@{}", input.name, input.digest))
}

/// A stage of a model as a node.
pub fn stage(model: &ModelName, stage: Stage) -> Node {
    Node::new(NodeKind::Stage, format!("{model}/{stage}"))
}

/// The edges of a dataset that `reader` read: from its source, and to the reader.
pub fn of_input(input: &DatasetInput, reader: &Node) -> Vec<Edge> {
    let node = dataset(input);
    let mut edges = vec![Edge::new(node.clone(), reader.clone(), Relation::Read)];
    // A source that would be no node's id is left out of the graph; it stays in the input itself.
    let source = input.source.iter().flat_map(|source| source.chars());
    let source: String = source.filter(|c| !c.is_control()).collect();
    if !source.trim().is_empty() {
        edges.push(Edge::new(Node::new(NodeKind::Source, source), node, Relation::Contains));
    }
    edges
}

/// The edges that registering a version makes: from its run, its datasets, the columns of its
/// signature, its feature service, and where it was copied from.
pub fn of_version(version: &ModelVersion) -> Vec<Edge> {
    let node = Node::from(&version.id());
    let manifest = &version.manifest;
    let mut edges = BTreeSet::new();
    if let Some(run) = &manifest.run {
        edges.insert(Edge::new(run.id, node.clone(), Relation::Produced));
    }
    for input in &manifest.inputs {
        edges.extend(of_input(input, &node));
        if let Some(run) = &manifest.run {
            edges.insert(Edge::new(dataset(input), run.id, Relation::Read));
        }
    }
    for column in manifest.signature.iter().flat_map(|signature| &signature.inputs) {
        let column = Node::new(NodeKind::Column, column.name.as_str());
        edges.insert(Edge::new(column, node.clone(), Relation::Read));
    }
    if let Some(service) = &manifest.features {
        let service =
            Node::new(NodeKind::FeatureService, format!("{}@{}", service.name, service.version));
        edges.insert(Edge::new(service, node.clone(), Relation::ServedBy));
    }
    if let Some(origin) = &version.origin {
        let origin = Node::new(NodeKind::Source, origin.as_str());
        edges.insert(Edge::new(origin, node.clone(), Relation::CopiedFrom));
    }
    if version.stage.is_active() {
        edges.insert(Edge::new(node, stage(&version.model, version.stage), Relation::In));
    }
    edges.into_iter().collect()
}

/// The edges that carrying out a plan takes away, and those that it adds: a version is `in` its stage,
/// if that is an active one.
pub fn of_promotion(plan: &PromotionPlan) -> (Vec<Edge>, Vec<Edge>) {
    let model = &plan.request.version.model;
    let edge = |number: u64, to: Stage| {
        let version = Node::new(NodeKind::ModelVersion, format!("{model}/{number}"));
        Edge::new(version, stage(model, to), Relation::In)
    };
    let of = |pick: fn(&super::Step) -> Stage| {
        let steps = plan.steps.iter().filter(move |step| pick(step).is_active());
        steps.map(move |step| edge(step.number, pick(step))).collect::<Vec<_>>()
    };
    (of(|step| step.from), of(|step| step.to))
}
