//! Pages of a large registry.

use futures::executor::block_on;
use mlops::Workspace;
use mlops::registry::{ModelQuery, VersionQuery};
use mlops::tracking::{Page, PageToken};
use serde_json::json;

use crate::Sizes;
use crate::harness::{figure, in_memory, median, timed};
use crate::shape;

/// Rows of a page, versions of a model, rounds of a figure.
const PAGE: usize = 100;
const VERSIONS: usize = 10;
const ROUNDS: usize = 9;

pub(crate) fn search(sizes: Sizes) {
    let dir = in_memory();
    let path = dir.path().join("mlops");
    let ws = block_on(Workspace::open(&path)).unwrap();
    let (cost, ()) = timed(|| shape::populate(&ws, sizes.models, VERSIONS));
    let bytes = std::fs::metadata(path.join("metadata.db")).unwrap().len();
    let versions = sizes.models * VERSIONS;
    let extra = json!({
        "models": sizes.models, "bytes_per_version": bytes / versions as u64,
        "seconds": cost.wall.round(),
    });
    figure("populate", versions as u64, &cost, extra);
    models(&ws, sizes);
    all_versions(&ws, sizes);
}

fn models(ws: &Workspace, sizes: Sizes) {
    let cases: [(&str, &str, &[&str]); 4] = [
        ("models_by_name", "", &["name"]),
        ("models_by_tag", "tags.team = 't3'", &[]),
        ("models_by_alias", "alias = 'champion'", &[]),
        ("models_by_stage", "stage = 'Production'", &["updated desc"]),
    ];
    for (name, filter, order) in cases {
        let query = ModelQuery::parse(filter, order).unwrap().with_limit(PAGE);
        pages(name, sizes, |token| {
            let query = token.map_or_else(|| query.clone(), |t| query.clone().with_page(t));
            block_on(ws.models().registry().search_models(&query)).unwrap()
        });
    }
}

fn all_versions(ws: &Workspace, sizes: Sizes) {
    let run = format!("run_id = '{}'", shape::run_of(sizes.models / 2, 3));
    let of_one = VersionQuery::of(shape::model_name(sizes.models / 2));
    let parsed = |filter: &str, order: &[&str]| VersionQuery::parse(filter, order).unwrap();
    let cases = [
        ("versions_by_metric", parsed("metrics.auc > 0.9", &["metrics.auc desc"])),
        ("versions_of_one_model", of_one),
        ("versions_by_stage", parsed("stage = 'Production'", &[])),
        ("versions_by_alias", parsed("alias = 'champion'", &[])),
        ("versions_by_run", parsed(&run, &[])),
        ("versions_no_filter", parsed("", &[])),
    ];
    for (name, query) in cases {
        let query = query.with_limit(PAGE);
        pages(name, sizes, |token| {
            let query = token.map_or_else(|| query.clone(), |t| query.clone().with_page(t));
            block_on(ws.models().registry().search_versions(&query)).unwrap()
        });
    }
}

/// The first page of a question and the one in the middle of all its pages, if there are several.
fn pages<T>(name: &str, sizes: Sizes, ask: impl Fn(Option<PageToken>) -> Page<T>) {
    let facts = |page: usize, rows: usize| json!({ "aim_us": 10_000, "models": sizes.models, "page": page, "rows": rows });
    let (cost, rows) = median(ROUNDS, || ask(None).items.len());
    assert!(rows > 0, "{name}: nothing was found");
    figure(&format!("search:{name}"), 1, &cost, facts(1, rows));
    let mut tokens = Vec::new();
    let mut next = ask(None).next;
    while let Some(token) = next {
        tokens.push(token.clone());
        next = ask(Some(token)).next;
    }
    let middle = tokens.len() / 2;
    if let Some(token) = tokens.get(middle) {
        let (cost, rows) = median(ROUNDS, || ask(Some(token.clone())).items.len());
        figure(&format!("search:{name}:middle"), 1, &cost, facts(middle + 2, rows));
    }
}
