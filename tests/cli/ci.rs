//! `docs/ci.md`: its pipelines are run, each on a store of its own, and its blocks print what stands there.

use std::fs;

use crate::page::{self, Block, Kind, Page};
use crate::store::Store;

/// What the pipelines' servers set.
const VARIABLES: [(&str, &str); 14] = [
    ("MLOPS_URL", "./store"),
    ("RELEASE_SEED", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
    ("HOOK_SECRET", "correct horse"),
    ("REASON", "alarms since noon"),
    ("GITHUB_SHA", "22d8538c0ffee"),
    ("GITHUB_RUN_ID", "4711"),
    ("GITHUB_TRIGGERING_ACTOR", "ann"),
    ("BUILD", "4711"),
    ("CI_COMMIT_SHA", "22d8538c0ffee"),
    ("CI_PIPELINE_ID", "4711"),
    ("GITLAB_USER_LOGIN", "ann"),
    ("GIT_COMMIT", "22d8538c0ffee"),
    ("BUILD_NUMBER", "4711"),
    ("APPROVER", "ann"),
];

/// A store as the section `Once` leaves it, with a version in production that a pipeline may replace.
fn prepared(page: &Page) -> (Store, Vec<Vec<String>>) {
    let store = Store::empty();
    let found = of(page, "Once").map(|block| run(block, &store)).collect();
    fs::create_dir(store.path().join("model")).unwrap();
    fs::write(store.path().join("model/model.json"), "{\"weights\": [1, 2]}").unwrap();
    fs::write(store.path().join("model/before.json"), "{\"weights\": [1]}").unwrap();
    fs::write(store.path().join("before.json"), BEFORE).unwrap();
    for line in [
        "mlops models register churn --file model.json=model/before.json \
         --signature signature.json --evidence before.json --actor ci/1",
        "mlops models approve churn/1 --to Production --actor ann",
        "mlops models promote churn/1 --to Production --actor ci/1",
    ] {
        let (printed, code) = store.shell_with(line, &VARIABLES);
        assert_eq!(code, 0, "{line}\n{printed}");
    }
    fs::remove_file(store.path().join("model/before.json")).unwrap();
    (store, found)
}

const BEFORE: &str = r#"{"kind": "evaluation", "name": "holdout", "data": "blake3:7d5c1f3a",
    "metrics": {"auc": 0.85}, "at": "2026-02-03T14:00:00Z"}"#;

fn of<'p>(page: &'p Page, section: &str) -> impl Iterator<Item = &'p Block> {
    page.blocks.iter().filter(move |block| block.section == section)
}

fn run(block: &Block, store: &Store) -> Vec<String> {
    let found = page::run(block, store, &VARIABLES);
    if block.kind == Kind::File("subscription.yaml".to_owned()) {
        // Tests do not reach the internet; deliveries to webhooks have tests of their own.
        let path = store.path().join("subscription.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let (events, webhook) = text.split_once("to:").unwrap();
        assert!(webhook.contains("webhook"));
        fs::write(path, format!("{events}to: {{command: {{program: /bin/cat}}}}\n")).unwrap();
    }
    found
}

#[test]
fn every_pipeline_does_what_the_page_says() {
    let page = Page::read("ci.md");
    let mut first: Option<(Store, Vec<Vec<String>>)> = None;
    let mut calls = Vec::new();
    for section in ["GitHub Actions", "GitLab CI", "Jenkins"] {
        let (store, found) = prepared(&page);
        for block in of(&page, section) {
            run(block, &store);
            calls.extend(page::calls(block));
        }
        let history = store.shell_with("mlops models history churn --actor ops", &VARIABLES).0;
        let rolled_back = history.contains("alarms since noon");
        assert_eq!(rolled_back, section != "Jenkins", "{section}: {history}");
        assert!(
            history.contains("approved by") && history.contains("4711"),
            "{section}: {history}"
        );
        first.get_or_insert((store, found));
    }
    assert!(calls.len() >= 16, "the pipelines' calls are found: {calls:?}");

    let (store, once) = first.unwrap();
    let mut once = once.into_iter();
    let found = page.blocks.iter().map(|block| match block.section.as_str() {
        "Once" => once.next().unwrap(),
        "What a pipeline meets" => run(block, &store),
        _ => block.lines.clone(),
    });
    page.is_what_was_found(found.collect());
}
