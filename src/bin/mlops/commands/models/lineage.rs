//! `mlops models lineage` and `mlops models impact`.

use std::collections::{BTreeMap, BTreeSet};

use mlops::lineage::{Direction, Edge, Node, NodeKind};
use mlops::models::{Graph, Impact, OpenLineage};
use mlops::time::{Clock, SystemClock};
use mlops::{ErrorKind, Models, Result, RunId, Tracking};
use serde_json::json;

use super::{Meant, hinted, meant};
use crate::args::{Format, Lineage};
use crate::commands::list::experiments;
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, table};
use crate::resolve::{self, LIVE_FIRST};

const LONGEST_NODE: usize = 120;
/// Who says so, in OpenLineage's events.
const PRODUCER: &str = concat!("urn:mlops:", env!("CARGO_PKG_VERSION"));

pub(crate) async fn run(
    models: &Models,
    asked: &Lineage,
    output: &mut Output,
) -> Result<(), Failure> {
    let node = node(models, &asked.node).await?;
    let direction = if asked.downstream { Direction::Downstream } else { Direction::Upstream };
    let graph = models.graph(std::slice::from_ref(&node), direction, asked.depth).await?;
    match asked.format {
        Format::Text if !output.is_json() => tree(&graph, &node, direction, output),
        Format::Text | Format::Json => output.document(&graph.to_json()),
        Format::Mermaid if output.is_json() => {
            output.document(&json!({ "mermaid": graph.to_mermaid() }))
        }
        Format::Mermaid => output.line(graph.to_mermaid().trim_end()),
        Format::Openlineage => {
            let options = open_lineage(models, &graph, &asked.namespace).await?;
            output.document(&json!(graph.to_open_lineage(&options)))
        }
    }
}

pub(crate) async fn impact(
    models: &Models,
    text: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let impacts = models.impact(&node(models, text).await?).await?;
    if output.is_json() {
        let mut array = output.array()?;
        for Impact { version, stages, path, .. } in &impacts {
            array.push(&json!({ "version": version, "stages": stages, "path": path }))?;
        }
        return array.end();
    }
    let mut shown = table(["version", "stages", "by way of"]);
    for Impact { version, stages, path, .. } in &impacts {
        let stages: Vec<&str> = stages.iter().map(|stage| stage.as_str()).collect();
        let between = &path[1..path.len().saturating_sub(1).max(1)];
        let between: Vec<String> = between.iter().map(ToString::to_string).collect();
        let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        shown.add_row([
            format::text(&version.to_string(), 60),
            dash(stages.join(", ")),
            dash(format::text(&between.join(" → "), LONGEST_NODE)),
        ]);
    }
    output.table(shown)?;
    if impacts.is_empty() {
        output.note("no version comes of it", None)?;
    }
    Ok(())
}

/// What `churn/3`, `churn`, `run:baseline` and `column:dep_hour` mean.
async fn node(models: &Models, text: &str) -> Result<Node> {
    let text = text.trim();
    if let Ok(node) = text.parse::<Node>() {
        if node.kind == NodeKind::Run && node.id.parse::<RunId>().is_err() {
            return Ok(resolve::run(models.tracking(), &node.id, LIVE_FIRST).await?.id.into());
        }
        return Ok(node);
    }
    // What is neither a URI nor a name is a node that is written wrongly.
    if text.contains(':') && !text.starts_with("models:/") {
        return text.parse();
    }
    match meant(text)? {
        Meant::Version(_) => {
            let id = models.resolve(text).await.map_err(|e| hinted(e, "versions <model>"))?;
            Ok(Node::from(&id))
        }
        Meant::Model(name) => {
            models.model(&name).await.map_err(|e| hinted(e, "list"))?;
            Ok(Node::from(&name))
        }
    }
}

/// Each node under the one that it was reached from; what stands already is not repeated.
fn tree(
    graph: &Graph,
    root: &Node,
    direction: Direction,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut next: BTreeMap<&Node, Vec<&Edge>> = BTreeMap::new();
    for edge in &graph.edges {
        let at = if direction == Direction::Upstream { &edge.to } else { &edge.from };
        next.entry(at).or_default().push(edge);
    }
    output.line(format::text(&root.to_string(), LONGEST_NODE))?;
    let mut shown = BTreeSet::from([root]);
    let below =
        |node, depth| next.get(node).into_iter().flatten().rev().map(move |edge| (*edge, depth));
    let mut open: Vec<(&Edge, usize)> = below(root, 1).collect();
    while let Some((edge, depth)) = open.pop() {
        let (node, arrow) = match direction {
            Direction::Upstream => (&edge.from, "←"),
            Direction::Downstream => (&edge.to, "→"),
        };
        let is_new = shown.insert(node);
        let text = format::text(&node.to_string(), LONGEST_NODE);
        let above = if !is_new && next.contains_key(node) { " (above)" } else { "" };
        let relation = edge.relation.as_str().replace('_', " ");
        output.line(format!("{}{arrow} {relation}: {text}{above}", "  ".repeat(depth)))?;
        if is_new {
            open.extend(below(node, depth + 1));
        }
    }
    if graph.edges.is_empty() {
        let what = if direction == Direction::Upstream { "it comes from" } else { "comes of it" };
        output.note(&format!("nothing is known that {what}"), None)?;
    }
    if graph.full {
        output.note("there is more: the graph has as many nodes as one may have", None)?;
    }
    Ok(())
}

/// When runs ended and versions were registered, and whose runs they are.
async fn open_lineage(models: &Models, graph: &Graph, namespace: &str) -> Result<OpenLineage> {
    let mut options = OpenLineage::new(namespace, PRODUCER, SystemClock.now())?;
    let tracking: &Tracking = models.tracking();
    let names = experiments(tracking).await?;
    for node in &graph.nodes {
        match node.kind {
            NodeKind::Run => {
                let Ok(id) = node.id.parse::<RunId>() else { continue };
                let Some(run) = found(tracking.tracker().run(id).await)? else { continue };
                options = options.with_time(id, run.ended.unwrap_or(run.started));
                if let Some(experiment) = names.get(&run.experiment) {
                    options = options.with_job(id, experiment.name.as_str());
                }
            }
            NodeKind::ModelVersion => {
                let Ok(id) = node.id.parse() else { continue };
                let Some(version) = found(models.registry().version(&id).await)? else { continue };
                options = options.with_time(&id, version.created);
            }
            _ => {}
        }
    }
    Ok(options)
}

/// What lineage knows may be gone from the store.
fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
