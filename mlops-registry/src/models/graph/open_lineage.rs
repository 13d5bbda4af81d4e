//! A graph as OpenLineage events, for catalogs such as Marquez and DataHub.
//!
//! OpenLineage knows jobs, their runs, and the datasets that these read and write. So each run of the
//! graph becomes a run; each registered version becomes a run of the job `register <model>`; and the
//! model is a dataset that both write, with the version's number as its version. Columns and stages
//! have no place there and are left out.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::lineage::{Node, NodeKind, Relation};
use mlops_core::registry::VersionId;
use mlops_core::time::Instant;
use mlops_core::{Error, Result, RunId};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::Graph;

const RUN_EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const PARENT: &str =
    "https://openlineage.io/spec/facets/1-0-1/ParentRunFacet.json#/$defs/ParentRunFacet";
const VERSION: &str = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet";
const SOURCE: &str = "https://openlineage.io/spec/facets/1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet";
const JOB_TYPE: &str =
    "https://openlineage.io/spec/facets/2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet";

/// What the graph does not know and OpenLineage wants: namespace, producer, times, names of jobs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenLineage {
    namespace: String,
    producer: Url,
    at: Instant,
    times: BTreeMap<Node, Instant>,
    jobs: BTreeMap<Node, String>,
}

impl OpenLineage {
    /// Events in `namespace`, by the program that `producer` names (a URI), at the instant `at` where
    /// no other is known.
    ///
    /// # Errors
    /// `Invalid` if the namespace is empty or the producer is no URI.
    pub fn new(namespace: impl Into<String>, producer: &str, at: Instant) -> Result<Self> {
        let namespace = namespace.into();
        if namespace.trim().is_empty() {
            return Err(Error::invalid("lineage.open_lineage", "the namespace is empty"));
        }
        let producer = Url::parse(producer).map_err(|e| {
            Error::invalid("lineage.open_lineage", "the producer is no URI")
                .with("producer", producer.escape_debug())
                .with_source(e)
        })?;
        Ok(Self { namespace, producer, at, times: BTreeMap::new(), jobs: BTreeMap::new() })
    }

    /// Says when a run ended, or a version was registered.
    pub fn with_time(mut self, node: impl Into<Node>, at: Instant) -> Self {
        self.times.insert(node.into(), at);
        self
    }

    /// Names the job that a run is a run of, such as its experiment's name; `run` otherwise.
    pub fn with_job(mut self, run: RunId, name: impl Into<String>) -> Self {
        self.jobs.insert(run.into(), name.into());
        self
    }

    fn job(&self, name: &str, kind: &str) -> Value {
        let facet = self.facet(
            JOB_TYPE,
            &[("processingType", "BATCH"), ("integration", "MLOPS"), ("jobType", kind)],
        );
        json!({"namespace": self.namespace, "name": name, "facets": {"jobType": facet}})
    }

    fn job_of(&self, run: &Node) -> &str {
        self.jobs.get(run).map_or("run", String::as_str)
    }

    fn facet(&self, schema: &str, fields: &[(&str, &str)]) -> Value {
        let mut facet = Map::new();
        facet.insert("_producer".to_owned(), self.producer.as_str().into());
        facet.insert("_schemaURL".to_owned(), schema.into());
        facet.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
        Value::Object(facet)
    }
}

/// The events, runs first, in the order of their nodes.
pub(super) fn events(graph: &Graph, options: &OpenLineage) -> Vec<Value> {
    let around = Around::new(graph, options);
    let runs = graph.nodes.iter().filter(|node| node.kind == NodeKind::Run);
    let versions = graph.nodes.iter().filter(|node| node.kind == NodeKind::ModelVersion);
    let runs = runs.filter_map(|node| around.of_run(node));
    runs.chain(versions.filter_map(|node| around.of_version(node))).collect()
}

/// The edges by their ends.
struct Around<'a> {
    options: &'a OpenLineage,
    into: BTreeMap<&'a Node, Vec<(&'a Node, Relation)>>,
    out: BTreeMap<&'a Node, Vec<&'a Node>>,
}

impl<'a> Around<'a> {
    fn new(graph: &'a Graph, options: &'a OpenLineage) -> Self {
        let mut around = Self { options, into: BTreeMap::new(), out: BTreeMap::new() };
        for edge in &graph.edges {
            around.into.entry(&edge.to).or_default().push((&edge.from, edge.relation));
            around.out.entry(&edge.from).or_default().push(&edge.to);
        }
        around
    }

    fn of_run(&self, node: &Node) -> Option<Value> {
        // Run ids are UUIDs; OpenLineage wants them with hyphens.
        let id = run_uuid(node)?;
        let run = json!({"runId": id});
        let outputs = self.out.get(node).into_iter().flatten().filter_map(|to| self.dataset(to));
        let job = self.options.job(self.options.job_of(node), "RUN");
        Some(self.event(node, &run, &job, outputs.collect()))
    }

    fn of_version(&self, node: &Node) -> Option<Value> {
        let version: VersionId = node.id.parse().ok()?;
        // The same version is the same run of the same job, whoever exports it and how often.
        let mut hasher = blake3::Hasher::new_derive_key("mlops 2026 OpenLineage run of a version");
        hasher.update(self.options.namespace.as_bytes()).update(&[0]).update(node.id.as_bytes());
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        let mut facets = Map::new();
        let mut made_by = self.into.get(node).into_iter().flatten();
        if let Some((id, run)) = made_by.find_map(|(from, _)| Some((run_uuid(from)?, *from))) {
            let mut parent = self.options.facet(PARENT, &[]);
            parent["run"] = json!({"runId": id});
            parent["job"] = json!({
                "namespace": self.options.namespace,
                "name": self.options.job_of(run),
            });
            facets.insert("parent".to_owned(), parent);
        }
        let id = uuid::Builder::from_custom_bytes(bytes).into_uuid().hyphenated().to_string();
        let run = json!({"runId": id, "facets": facets});
        let job = self.options.job(&format!("register {}", version.model), "REGISTER");
        Some(self.event(node, &run, &job, self.dataset(node).into_iter().collect()))
    }

    fn event(&self, node: &Node, run: &Value, job: &Value, outputs: Vec<Value>) -> Value {
        let at = self.options.times.get(node).unwrap_or(&self.options.at);
        let inputs = self.into.get(node).into_iter().flatten();
        // Two datasets of one name and one version are one.
        let mut seen = BTreeSet::new();
        let inputs: Vec<Value> = inputs
            .filter_map(|(from, _)| self.dataset(from))
            .filter(|dataset| seen.insert(dataset.to_string()))
            .collect();
        json!({
            "eventType": "COMPLETE",
            "eventTime": at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            "producer": self.options.producer.as_str(),
            "schemaURL": RUN_EVENT,
            "run": run,
            "job": job,
            "inputs": inputs,
            "outputs": outputs,
        })
    }

    /// A node as a dataset, if it is one: something that holds data and has a name.
    fn dataset(&self, node: &Node) -> Option<Value> {
        let (name, version) = match node.kind {
            NodeKind::Dataset | NodeKind::FeatureService => match node.id.rsplit_once('@') {
                Some((name, version)) if !name.is_empty() => (name, Some(version)),
                _ => (node.id.as_str(), None),
            },
            NodeKind::ModelVersion => node.id.rsplit_once('/').map(|(n, v)| (n, Some(v)))?,
            NodeKind::FeatureView => (node.id.as_str(), None),
            NodeKind::Source => return Some(self.source(&node.id)),
            _ => return None,
        };
        let mut facets = Map::new();
        if let Some(version) = version {
            let facet = self.options.facet(VERSION, &[("datasetVersion", version)]);
            facets.insert("version".to_owned(), facet);
        }
        let mut sources = self.into.get(node).into_iter().flatten();
        let source = sources.find(|(from, relation)| {
            from.kind == NodeKind::Source && *relation == Relation::Contains
        });
        if let Some(((from, _), url)) = source.and_then(|s| Some((s, Url::parse(&s.0.id).ok()?))) {
            let name = url.host_str().unwrap_or(&from.id);
            let facet = self.options.facet(SOURCE, &[("name", name), ("uri", url.as_str())]);
            facets.insert("dataSource".to_owned(), facet);
        }
        Some(json!({"namespace": self.options.namespace, "name": name, "facets": facets}))
    }

    /// A URL as OpenLineage names them: `s3://bucket` is the namespace, the path in it the name.
    fn source(&self, id: &str) -> Value {
        let parts = id.split_once("://").and_then(|(scheme, rest)| {
            let (host, path) = rest.split_once('/')?;
            let path = path.trim_matches('/');
            (!path.is_empty()).then(|| (format!("{scheme}://{host}"), path))
        });
        match parts {
            Some((namespace, path)) => json!({"namespace": namespace, "name": path}),
            None => json!({"namespace": self.options.namespace, "name": id}),
        }
    }
}

/// The id of a run with hyphens; `None` for other nodes.
fn run_uuid(node: &Node) -> Option<String> {
    if node.kind != NodeKind::Run {
        return None;
    }
    Uuid::try_parse(&node.id).ok().map(|id| id.hyphenated().to_string())
}
