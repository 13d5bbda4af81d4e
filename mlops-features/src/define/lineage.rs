//! What comes of what: source → view → service.

use mlops_core::features::{Registered, Source};
use mlops_core::lineage::{Edge, MAX_NODE_BYTES, Node, NodeKind, Relation};

/// The edges of all that is defined; edges that are there already may be linked again.
///
/// A view is the node `feature_view:driver_stats@2`, a service `feature_service:eta@3`, so that what a model
/// was trained on is told from what came after.
pub(crate) fn edges(registered: &Registered) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (name, record) in &registered.views {
        for version in &record.versions {
            let view = view_node(name, version.version);
            if let Source::Files(files) = &version.definition.source {
                let named = files.iter().filter(|url| url.len() <= MAX_NODE_BYTES);
                edges.extend(named.map(|url| {
                    let source = Node::new(NodeKind::Source, url.clone());
                    Edge::new(source, view.clone(), Relation::DerivedFrom)
                }));
            }
        }
    }
    for (name, record) in &registered.services {
        for version in &record.versions {
            let service =
                Node::new(NodeKind::FeatureService, format!("{name}@{}", version.version));
            edges.extend(version.views.iter().map(|(view, number)| {
                Edge::new(view_node(view, *number), service.clone(), Relation::DerivedFrom)
            }));
        }
    }
    edges
}

fn view_node(name: &str, version: u32) -> Node {
    Node::new(NodeKind::FeatureView, format!("{name}@{version}"))
}
