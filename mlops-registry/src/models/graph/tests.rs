use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::executor::block_on;
use mlops_core::RunId;
use mlops_core::journal::Actor;
use mlops_core::time::from_micros;
use proptest::prelude::*;

use super::*;

const RUN: &str = "run:0191d2a0b1c27def8123456789abcdef";

/// Edges in memory that counts the questions.
#[derive(Debug, Default)]
struct Edges {
    edges: BTreeSet<Edge>,
    asked: Mutex<usize>,
}

#[async_trait]
impl Lineage for Edges {
    fn lineage_as(&self, _: Actor) -> Arc<dyn Lineage> {
        unreachable!("a walk makes no change")
    }

    async fn link(&self, _: &[Edge]) -> Result<()> {
        Ok(())
    }

    async fn edges(&self, nodes: &[Node], direction: Direction) -> Result<Vec<Edge>> {
        *self.asked.lock().unwrap() += 1;
        let end = |edge: &Edge| match direction {
            Direction::Upstream => edge.to.clone(),
            Direction::Downstream => edge.from.clone(),
        };
        Ok(self.edges.iter().filter(|edge| nodes.contains(&end(edge))).cloned().collect())
    }
}

fn node(text: &str) -> Node {
    text.parse().unwrap()
}

fn edges(list: &[(&str, &str, &str)]) -> Edges {
    let edge = |(from, relation, to): &(&str, &str, &str)| {
        Edge::new(node(from), node(to), relation.parse().unwrap())
    };
    Edges { edges: list.iter().map(edge).collect(), asked: Mutex::default() }
}

/// Two models over one dataset; one version of each is in Production.
fn flights() -> Edges {
    edges(&[
        ("source:s3://lake/flights/2026.parquet", "contains", "dataset:flights@blake3:ab12"),
        ("dataset:flights@blake3:ab12", "read", RUN),
        ("dataset:flights@blake3:ab12", "read", "model_version:flights/1"),
        (RUN, "produced", "model_version:flights/1"),
        (RUN, "produced", "model_version:flights/2"),
        ("column:dep_delay", "read", "model_version:flights/1"),
        ("column:dep_delay", "read", "model_version:flights/2"),
        ("column:dep_delay", "read", "model_version:delays/1"),
        ("column:carrier", "read", "model_version:flights/2"),
        ("feature_service:weather@3", "served_by", "model_version:flights/2"),
        ("model_version:flights/2", "in", "stage:flights/Production"),
        ("model_version:delays/1", "in", "stage:delays/Staging"),
    ])
}

fn down(lineage: &Edges, from: &str, depth: usize) -> Graph {
    block_on(walk(lineage, &[node(from)], Direction::Downstream, depth)).unwrap()
}

fn names(graph: &Graph) -> Vec<String> {
    graph.nodes.iter().map(ToString::to_string).collect()
}

#[test]
fn the_walk_goes_as_far_as_it_is_told() {
    let lineage = flights();
    assert_eq!(names(&down(&lineage, "column:carrier", 0)), ["column:carrier"]);
    assert_eq!(
        names(&down(&lineage, "column:carrier", 1)),
        ["model_version:flights/2", "column:carrier"]
    );
    let all = down(&lineage, "column:carrier", 9);
    assert_eq!((all.nodes.len(), all.edges.len(), all.full), (3, 2, false));
    let from = [node("stage:flights/Production")];
    let up = block_on(walk(&lineage, &from, Direction::Upstream, usize::MAX)).unwrap();
    assert!(up.nodes.contains(&node("source:s3://lake/flights/2026.parquet")));
    assert!(!up.nodes.contains(&node("model_version:flights/1")));
}

#[test]
fn a_walk_asks_once_for_each_step_and_batch_and_not_for_each_node() {
    let lineage = flights();
    down(&lineage, "source:s3://lake/flights/2026.parquet", usize::MAX);
    assert_eq!(*lineage.asked.lock().unwrap(), 5);
}

#[test]
fn a_circle_is_walked_once() {
    let lineage = edges(&[
        ("dataset:a", "derived_from", "dataset:b"),
        ("dataset:b", "derived_from", "dataset:c"),
        ("dataset:c", "derived_from", "dataset:a"),
        ("dataset:c", "read", "model_version:m/1"),
    ]);
    let graph = down(&lineage, "dataset:a", usize::MAX);
    assert_eq!((graph.nodes.len(), graph.edges.len()), (4, 4));
    let impact = graph.impact(&node("dataset:a"));
    assert_eq!((impact.len(), impact[0].path.len()), (1, 4));
}

#[test]
fn a_full_graph_says_so_and_has_both_ends_of_every_edge() {
    let list: Vec<(String, String)> =
        (0..50).map(|at| (format!("dataset:{at}"), format!("dataset:{}", at + 1))).collect();
    let list: Vec<(&str, &str, &str)> =
        list.iter().map(|(a, b)| (a.as_str(), "derived_from", b.as_str())).collect();
    let lineage = edges(&list);
    let start = [node("dataset:0")];
    let graph = block_on(bounded(&lineage, &start, Direction::Downstream, usize::MAX, 20)).unwrap();
    assert_eq!((graph.nodes.len(), graph.edges.len(), graph.full), (20, 19, true));
    let whole = block_on(bounded(&lineage, &start, Direction::Downstream, usize::MAX, 51)).unwrap();
    assert_eq!((whole.nodes.len(), whole.full), (51, false));
}

#[test]
fn impact_names_versions_with_their_stages_and_the_shortest_way() {
    let lineage = flights();
    let impact = block_on(impact(&lineage, &node("column:dep_delay"))).unwrap();
    let told: Vec<String> = impact
        .iter()
        .map(|impact| format!("{} {:?} {}", impact.version, impact.stages, impact.path.len()))
        .collect();
    assert_eq!(told, ["flights/2 [Production] 2", "delays/1 [Staging] 2", "flights/1 [] 2"]);
    let impact = block_on(super::impact(&lineage, &node("dataset:flights@blake3:ab12"))).unwrap();
    let path: Vec<String> = impact[0].path.iter().map(ToString::to_string).collect();
    assert_eq!(path, ["dataset:flights@blake3:ab12", RUN, "model_version:flights/2"]);
    assert_eq!(impact[1].path.len(), 2, "read directly is shorter than through the run");
    assert!(block_on(super::impact(&lineage, &node("column:none"))).unwrap().is_empty());
}

#[test]
fn json_names_nodes_and_edges() {
    assert_eq!(
        down(&flights(), "column:carrier", 1).to_json(),
        json!({
            "nodes": [
                {"node": "model_version:flights/2", "kind": "model_version", "id": "flights/2"},
                {"node": "column:carrier", "kind": "column", "id": "carrier"},
            ],
            "edges": [
                {"from": "column:carrier", "to": "model_version:flights/2", "relation": "read"}
            ],
            "full": false,
        })
    );
}

#[test]
fn mermaid_is_readable_and_its_labels_cannot_break_out() {
    let lineage = edges(&[
        (RUN, "produced", "model_version:churn/3"),
        ("dataset:a\"]; click n0 \"javascript:alert(1)\"<b>#`", "read", RUN),
        ("model_version:churn/3", "in", "stage:churn/Production"),
    ]);
    let from = [node("stage:churn/Production")];
    let graph = block_on(walk(&lineage, &from, Direction::Upstream, 9)).unwrap();
    assert_eq!(
        graph.to_mermaid(),
        "flowchart LR\n  \
         n0[(\"dataset<br/>a#34;#93;#59; click n0 #34;javascript:alert#40;1#41;#34;#60;b#62;#35;#96;\")]:::dataset\n  \
         n1([\"run<br/>0191d2a0b1c2…\"]):::run\n  \
         n2[[\"model version<br/>churn/3\"]]:::model_version\n  \
         n3{{\"stage<br/>churn/Production\"}}:::stage\n  \
         n0 -->|read| n1\n  \
         n1 -->|produced| n2\n  \
         n2 -->|in| n3\n  \
         classDef dataset fill:#e3f2fd,stroke:#1565c0,color:#111\n  \
         classDef model_version fill:#ede7f6,stroke:#5e35b1,color:#111\n  \
         classDef run fill:#fff8e1,stroke:#f9a825,color:#111\n  \
         classDef stage fill:#e8f5e9,stroke:#2e7d32,color:#111\n"
    );
}

fn options() -> OpenLineage {
    let at = from_micros(1_767_225_600_000_000).unwrap();
    OpenLineage::new("prod", "https://example.org/mlops", at).unwrap()
}

#[test]
fn open_lineage_has_one_event_for_each_run_and_each_version() {
    let graph = down(&flights(), "source:s3://lake/flights/2026.parquet", usize::MAX);
    let run: RunId = RUN[4..].parse().unwrap();
    let ended = from_micros(1_767_000_000_000_000).unwrap();
    let options = options().with_job(run, "flights").with_time(run, ended);
    let events = graph.to_open_lineage(&options);
    assert_eq!(events.len(), 3);
    let facet = |schema: &str, rest: Value| {
        let mut facet = json!({
            "_producer": "https://example.org/mlops",
            "_schemaURL": format!("https://openlineage.io/spec/facets/{schema}"),
        });
        for (name, value) in rest.as_object().unwrap() {
            facet[name] = value.clone();
        }
        facet
    };
    let version = |of: &str| {
        facet(
            "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
            json!({"datasetVersion": of}),
        )
    };
    let model = |number: &str| json!({"namespace": "prod", "name": "flights", "facets": {"version": version(number)}});
    assert_eq!(
        events[0],
        json!({
            "eventType": "COMPLETE",
            "eventTime": "2025-12-29T09:20:00.000000Z",
            "producer": "https://example.org/mlops",
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": "0191d2a0-b1c2-7def-8123-456789abcdef"},
            "job": {"namespace": "prod", "name": "flights", "facets": {"jobType": facet(
                "2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
                json!({"processingType": "BATCH", "integration": "MLOPS", "jobType": "RUN"}),
            )}},
            "inputs": [{"namespace": "prod", "name": "flights", "facets": {
                "version": version("blake3:ab12"),
                "dataSource": facet(
                    "1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet",
                    json!({"name": "lake", "uri": "s3://lake/flights/2026.parquet"}),
                ),
            }}],
            "outputs": [model("1"), model("2")],
        })
    );
    let first = &events[1];
    assert_eq!(first["job"]["name"], "register flights");
    assert_eq!(first["outputs"], json!([model("1")]));
    assert_eq!(first["inputs"].as_array().unwrap().len(), 1);
    assert_eq!(first["run"]["facets"]["parent"]["run"]["runId"], events[0]["run"]["runId"]);
    assert_eq!(first["run"]["facets"]["parent"]["job"]["name"], "flights");
    let ids: BTreeSet<String> =
        events.iter().map(|event| event["run"]["runId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| uuid::Uuid::try_parse(id).is_ok() && id.len() == 36));
    assert_eq!(graph.to_open_lineage(&options), events, "the same graph gives the same events");
}

#[test]
fn a_namespace_and_a_producer_are_needed() {
    let at = from_micros(0).unwrap();
    assert!(OpenLineage::new(" ", "https://example.org", at).is_err());
    assert!(OpenLineage::new("prod", "mlops", at).is_err());
}

#[test]
fn a_version_that_was_copied_has_its_origin_as_input() {
    let lineage = edges(&[("source:s3://dev/ws#churn/3", "copied_from", "model_version:churn/1")]);
    let graph = down(&lineage, "source:s3://dev/ws#churn/3", 1);
    let events = graph.to_open_lineage(&options());
    assert_eq!(events[0]["inputs"], json!([{"namespace": "s3://dev", "name": "ws#churn/3"}]));
    assert_eq!(events[0]["run"]["facets"], json!({}));
}

proptest! {
    #[test]
    fn any_label_stays_within_its_quotes(id in "[^\\p{C}]{1,120}") {
        let mut graph = Graph::default();
        graph.nodes.insert(Node::new(NodeKind::Source, id));
        let text = graph.to_mermaid();
        prop_assert_eq!(text.matches('"').count(), 2, "{}", text);
        prop_assert_eq!(text.lines().count(), 3);
        prop_assert!(graph.to_open_lineage(&options()).is_empty());
    }
}
