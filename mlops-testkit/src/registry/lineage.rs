//! The graph: which edges each change makes and takes away.

use mlops_core::ErrorKind;
use mlops_core::lineage::{Direction, Edge, MAX_NODE_BYTES, Node, NodeKind, Relation};
use mlops_core::registry::{
    Column, ColumnType, FeatureServiceRef, ImportedVersion, ModelPurge, Signature, Stage,
    VersionChanges,
};
use mlops_core::tracking::{DatasetContext, Purge, RunChanges, RunStatus};
use serde_json::json;

use crate::build::{churn, dataset, edge, into_stage, key, made_by, rules, run_id, version};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        edges_that_were_added_are_found_from_both_ends,
        edges_come_sorted_and_once,
        unknown_nodes_have_no_edges,
        edges_that_are_there_already_change_nothing,
        no_edges_a_loop_or_a_bad_node_are_invalid,
        of_several_edges_one_bad_one_keeps_all_out,
        a_runs_inputs_make_edges,
        registering_makes_the_edges_of_the_manifest,
        a_version_without_anything_makes_no_edges,
        a_version_is_in_its_active_stage_and_in_no_other,
        a_displaced_version_leaves_its_stage,
        a_rollback_moves_the_edges_back,
        an_imported_stage_makes_its_edge,
        purging_a_version_takes_its_edges_away,
        purging_a_run_takes_its_edges_away,
        a_refused_promotion_leaves_the_edges,
    ]
}

async fn up(f: &Fixture, node: &str) -> Vec<Edge> {
    f.lineage.edges(&[node.parse().unwrap()], Direction::Upstream).await.unwrap()
}

async fn down(f: &Fixture, node: &str) -> Vec<Edge> {
    f.lineage.edges(&[node.parse().unwrap()], Direction::Downstream).await.unwrap()
}

/// The stages that the graph has each of these versions of `churn` in.
async fn places(f: &Fixture, count: u64) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for n in 1..=count {
        let edges = down(f, &format!("model_version:churn/{n}")).await;
        let stages = edges.iter().filter(|edge| edge.relation == Relation::In);
        all.push(stages.map(|edge| edge.to.id.clone()).collect());
    }
    all
}

async fn edges_that_were_added_are_found_from_both_ends(f: Fixture) {
    let edges = [
        edge("source:s3://raw", Relation::Contains, "dataset:iris@1"),
        edge("dataset:iris@1", Relation::DerivedFrom, "feature_view:iris"),
    ];
    f.lineage.link(&edges).await.unwrap();
    assert_eq!(down(&f, "source:s3://raw").await, [edges[0].clone()]);
    assert_eq!(up(&f, "dataset:iris@1").await, [edges[0].clone()]);
    assert_eq!(down(&f, "dataset:iris@1").await, [edges[1].clone()]);
    assert_eq!(up(&f, "feature_view:iris").await, [edges[1].clone()]);
    assert!(up(&f, "source:s3://raw").await.is_empty());
    assert!(down(&f, "feature_view:iris").await.is_empty());
}

async fn edges_come_sorted_and_once(f: Fixture) {
    let mut all = Vec::new();
    for (from, to) in
        [("run:b", "alarm:2"), ("run:ü", "alarm:1"), ("run:a", "alarm:2"), ("run:a", "alarm:1")]
    {
        for relation in [Relation::Read, Relation::About, Relation::Contains] {
            all.push(edge(from, relation, to));
        }
    }
    f.lineage.link(&all).await.unwrap();
    all.sort();
    let ask =
        |nodes: &[&str]| nodes.iter().map(|node| node.parse().unwrap()).collect::<Vec<Node>>();
    let nodes = ask(&["alarm:2", "alarm:1", "alarm:2", "run:a"]);
    assert_eq!(f.lineage.edges(&nodes, Direction::Upstream).await.unwrap(), all);
    let nodes = ask(&["run:ü", "run:a", "run:b", "run:a"]);
    assert_eq!(f.lineage.edges(&nodes, Direction::Downstream).await.unwrap(), all);
    let many: Vec<Node> =
        (0..3_000).map(|n| Node::new(NodeKind::Run, format!("none {n}"))).collect();
    let many = [many, ask(&["run:b"])].concat();
    assert_eq!(f.lineage.edges(&many, Direction::Downstream).await.unwrap().len(), 3);
}

async fn unknown_nodes_have_no_edges(f: Fixture) {
    f.lineage.link(&[edge("run:a", Relation::Read, "run:b")]).await.unwrap();
    for direction in [Direction::Upstream, Direction::Downstream] {
        assert!(f.lineage.edges(&[], direction).await.unwrap().is_empty());
        for other in ["dataset:a", "run:A", "run:a ", "run:%", "run:absent"] {
            let node = other.parse().unwrap();
            assert!(f.lineage.edges(&[node], direction).await.unwrap().is_empty(), "{other}");
        }
    }
}

async fn edges_that_are_there_already_change_nothing(f: Fixture) {
    let (old, new) =
        (edge("run:a", Relation::Read, "run:b"), edge("run:a", Relation::About, "run:b"));
    f.lineage.link(std::slice::from_ref(&old)).await.unwrap();
    let rows = f.rows().await;
    f.lineage.link(&[old.clone(), old.clone()]).await.unwrap();
    assert_eq!(f.rows().await, rows);
    f.lineage.link(&[old.clone(), new.clone(), new.clone()]).await.unwrap();
    let events = f.events_after(rows).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].payload, json!({ "edges": [new] }), "only what was not there");
    assert_eq!(events[0].node, old.to);
}

async fn no_edges_a_loop_or_a_bad_node_are_invalid(f: Fixture) {
    let run = |id: &str| Node { kind: NodeKind::Run, id: id.to_owned() };
    let to = |id: &str| Edge { from: run("a"), to: run(id), relation: Relation::Read };
    let from = |id: &str| Edge { from: run(id), to: run("b"), relation: Relation::Read };
    let longest = "x".repeat(MAX_NODE_BYTES);
    let longer = format!("{longest}x");
    fails(ErrorKind::Invalid, f.lineage.link(&[]).await);
    for bad in
        [to("a"), from("b"), to(""), from(""), to("a\nb"), from("\0"), to(&longer), from(&longer)]
    {
        fails(ErrorKind::Invalid, f.lineage.link(std::slice::from_ref(&bad)).await);
    }
    assert_eq!(f.rows().await, 0);
    f.lineage.link(&[to(&longest), from(" '%_\" "), to("ü:/?#@")]).await.unwrap();
    assert_eq!(f.lineage.edges(&[run(&longest)], Direction::Upstream).await.unwrap().len(), 1);
}

async fn of_several_edges_one_bad_one_keeps_all_out(f: Fixture) {
    let (good, bad) =
        (edge("run:a", Relation::Read, "run:b"), edge("run:c", Relation::Read, "run:c"));
    fails(ErrorKind::Invalid, f.lineage.link(&[good, bad]).await);
    assert!(down(&f, "run:a").await.is_empty());
    assert_eq!(f.rows().await, 0);
}

async fn a_runs_inputs_make_edges(f: Fixture) {
    let run = f.one_run().await;
    let train = dataset("iris", "sha256:1", DatasetContext::Train).with_source("s3://raw/iris");
    let test = dataset("iris", "sha256:1", DatasetContext::Test);
    f.change(run.id, RunChanges::default().with_input(train).with_input(test)).await;
    let node = format!("run:{}", run.id);
    assert_eq!(up(&f, &node).await, [edge("dataset:iris@sha256:1", Relation::Read, &node)]);
    let source = edge("source:s3://raw/iris", Relation::Contains, "dataset:iris@sha256:1");
    assert_eq!(up(&f, "dataset:iris@sha256:1").await, [source]);
}

async fn registering_makes_the_edges_of_the_manifest(f: Fixture) {
    let run = f.one_run().await;
    f.make_model("churn").await;
    let mut options = made_by("1", run.id, RunStatus::Finished).with_origin("dev#churn/9");
    let column = |name| Column::new(name, ColumnType::Float64).unwrap();
    options.manifest.signature =
        Some(Signature::new(vec![column("age"), column("plan")], vec![column("p")]).unwrap());
    options.manifest.inputs =
        vec![dataset("iris", "sha256:1", DatasetContext::Train).with_source("s3://raw\n/iris")];
    options.manifest.features = Some(FeatureServiceRef { name: key("svc"), version: 4 });
    f.add("churn", options).await;
    let node = "model_version:churn/1";
    let mut expected = [
        edge(&format!("run:{}", run.id), Relation::Produced, node),
        edge("dataset:iris@sha256:1", Relation::Read, node),
        edge("column:age", Relation::Read, node),
        edge("column:plan", Relation::Read, node),
        edge("feature_service:svc@4", Relation::ServedBy, node),
        edge("source:dev#churn/9", Relation::CopiedFrom, node),
    ];
    expected.sort();
    assert_eq!(up(&f, node).await, expected);
    assert!(down(&f, node).await.is_empty());
    let dataset = "dataset:iris@sha256:1";
    let read_by_run = edge(dataset, Relation::Read, &format!("run:{}", run.id));
    assert!(down(&f, dataset).await.contains(&read_by_run));
    assert_eq!(up(&f, dataset).await, [edge("source:s3://raw/iris", Relation::Contains, dataset)]);
}

async fn a_version_without_anything_makes_no_edges(f: Fixture) {
    f.versions(1).await;
    assert!(up(&f, "model_version:churn/1").await.is_empty());
    assert!(down(&f, "model_version:churn/1").await.is_empty());
}

async fn a_version_is_in_its_active_stage_and_in_no_other(f: Fixture) {
    f.versions(1).await;
    for stage in
        [Stage::Development, Stage::Staging, Stage::Archived, Stage::Production, Stage::None]
    {
        f.promote(1, stage).await;
        let place = stage.is_active().then(|| format!("churn/{stage}"));
        assert_eq!(places(&f, 1).await, [Vec::from_iter(place)], "{stage}");
    }
}

async fn a_displaced_version_leaves_its_stage(f: Fixture) {
    f.versions(3).await;
    f.store_document(rules(Stage::Production, &json!({ "displaced_to": "Development" }))).await;
    f.promote(1, Stage::Production).await;
    f.promote(2, Stage::Production).await;
    let place = |stage: &str| vec![format!("churn/{stage}")];
    assert_eq!(places(&f, 2).await, [place("Development"), place("Production")]);
    f.promote(1, Stage::Staging).await;
    f.promote(3, Stage::Staging).await;
    assert_eq!(places(&f, 3).await, [vec![], place("Production"), place("Staging")]);
    let holder = edge("model_version:churn/2", Relation::In, "stage:churn/Production");
    assert_eq!(up(&f, "stage:churn/Production").await, [holder]);
}

async fn a_rollback_moves_the_edges_back(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    f.promote(2, Stage::Production).await;
    f.apply(&into_stage(1, Stage::Production).as_rollback()).await.unwrap();
    let holder = edge("model_version:churn/1", Relation::In, "stage:churn/Production");
    assert_eq!(up(&f, "stage:churn/Production").await, std::slice::from_ref(&holder));
    assert_eq!(down(&f, "model_version:churn/1").await, [holder]);
    assert!(down(&f, "model_version:churn/2").await.is_empty());
}

async fn an_imported_stage_makes_its_edge(f: Fixture) {
    f.make_model("churn").await;
    for (content, stage) in [("1", Stage::Production), ("2", Stage::Archived)] {
        f.add(
            "churn",
            version(content).with_imported(ImportedVersion::default().with_stage(stage)),
        )
        .await;
    }
    assert_eq!(places(&f, 2).await, [vec!["churn/Production".to_owned()], vec![]]);
}

async fn purging_a_version_takes_its_edges_away(f: Fixture) {
    let run = f.one_run().await;
    f.make_model("churn").await;
    f.add("churn", made_by("1", run.id, RunStatus::Finished)).await;
    f.add("churn", made_by("2", run.id, RunStatus::Finished)).await;
    f.lineage.link(&[edge("model_version:churn/1", Relation::About, "alarm:7")]).await.unwrap();
    f.change_version(1, VersionChanges::delete()).await;
    assert_eq!(up(&f, "model_version:churn/1").await.len(), 1, "the trash is no purge");
    f.purge_models(ModelPurge::Versions(vec![churn(1)])).await;
    assert!(up(&f, "model_version:churn/1").await.is_empty());
    assert!(up(&f, "alarm:7").await.is_empty());
    let produced = edge(&format!("run:{}", run.id), Relation::Produced, "model_version:churn/2");
    assert_eq!(down(&f, &format!("run:{}", run.id)).await, [produced]);
}

async fn purging_a_run_takes_its_edges_away(f: Fixture) {
    let run = f.one_run().await;
    f.start(2, run.experiment).await;
    for n in [1, 2] {
        let train = dataset("iris", "sha256:1", DatasetContext::Train).with_source("s3://raw");
        f.change(run_id(n), RunChanges::default().with_input(train)).await;
    }
    f.change(run.id, RunChanges::default().with_deleted(true)).await;
    let plan = f.tracker.plan_purge(&Purge::Runs(vec![run.id])).await.unwrap();
    f.tracker.purge(&plan).await.unwrap();
    assert!(up(&f, &format!("run:{}", run.id)).await.is_empty());
    let other = format!("run:{}", run_id(2));
    let dataset = "dataset:iris@sha256:1";
    assert_eq!(down(&f, dataset).await, [edge(dataset, Relation::Read, &other)]);
    assert_eq!(up(&f, dataset).await.len(), 1);
}

async fn a_refused_promotion_leaves_the_edges(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    let old = f.plan(&into_stage(2, Stage::Production)).await.unwrap();
    f.store_document(rules(Stage::Production, &json!({ "gates": ["profile"] }))).await;
    fails(ErrorKind::Conflict, f.registry.promote(&old).await);
    fails(ErrorKind::Denied, f.apply(&into_stage(2, Stage::Production)).await);
    assert_eq!(places(&f, 2).await, [vec!["churn/Production".to_owned()], vec![]]);
}
