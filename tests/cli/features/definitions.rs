//! What is defined: plans, states, policies, what is shown and found.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{DEFINITIONS, defined, filled, names, put};
use crate::store::Store;

#[test]
fn a_plan_says_what_breaks_whom_and_needs_a_yes() {
    let store = filled();
    let plan = |text: &str| {
        put(&store, "next.yaml", text);
        store.json("features plan next.yaml")
    };
    let same = plan(DEFINITIONS);
    assert_eq!((&same["changes"], &same["allowed"]), (&json!([]), &json!(true)));
    let longer = plan(&DEFINITIONS.replace("ttl: 1d", "ttl: 2d"));
    assert_eq!(names(&longer["changes"], "name"), ["driver_stats", "eta"]);
    assert_eq!(store.json("features apply next.yaml --dry-run")["applied"], false);
    assert_eq!(store.json("features apply next.yaml")["applied"], true);
    assert_eq!(store.json("features show eta")["service"], "eta@2");

    put(
        &store,
        "hard.yaml",
        &DEFINITIONS.replace("trips, type: int, des", "trips, type: float, des"),
    );
    let (code, error) = store.refused("features apply hard.yaml");
    assert_eq!((code, error["kind"].as_str()), (2, Some("invalid")), "{error:#}");
    assert_eq!(store.json("features show driver_stats")["versions"].as_array().unwrap().len(), 2);
    assert_eq!(store.json("features apply hard.yaml --yes")["applied"], true);
}

#[test]
fn definitions_that_do_not_hold_make_no_store() {
    let store = Store::empty();
    for (text, needle) in [
        ("views: [{name: a, featurs: []}]", "featurs"),
        ("views: [{name: a, entities: [b], features: [{name: x, type: int}]}]", "b"),
        ("[", "features.yaml"),
    ] {
        put(&store, "features.yaml", text);
        let (code, error) = store.refused("features apply features.yaml");
        assert_eq!(code, 2, "{error:#}");
        assert!(error.to_string().contains(needle), "{error:#}");
    }
    assert_eq!(store.refused("features apply absent.yaml").0, 4);
    assert_eq!(store.refused("features list").0, 4);
}

#[test]
fn a_deprecated_view_takes_no_new_consumers() {
    let store = filled();
    let (code, error) = store.refused("features state driver_stats retired");
    assert_eq!((code, error["kind"].as_str()), (2, Some("denied")), "{error:#}");
    assert_eq!(store.refused("features state driver_stats deprecated").0, 64);
    assert_eq!(store.refused("features state driver_stats active --until 2999-01-01").0, 2);
    assert_eq!(store.refused("features state driver_stats deprecated --until 2020-01-01").0, 2);
    let (code, error) = store.refused("features state drver_stats active");
    assert_eq!((code, &error["hint"]), (4, &json!("did you mean `driver_stats`?")));
    store.done("features state driver_stats deprecated --until 2999-01-01");
    put(&store, "new.yaml", "services: [{name: mine, views: [{view: driver_stats}]}]");
    let output = store.mlops("features plan new.yaml --json");
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &plan["allowed"]), (Some(2), &json!(false)));
    assert_eq!(store.refused("features apply new.yaml --yes").0, 2);
    store.done("features get eta driver_id=7 distance=2");
}

#[test]
fn a_policy_is_asked_of_what_is_new() {
    let store = defined();
    put(&store, "policy.yaml", "require_owner: true\n");
    store.done("features policy policy.yaml");
    put(&store, "new.yaml", "entities: [{name: car, keys: [{name: car_id, type: int}]}]");
    assert_eq!(store.refused("features apply new.yaml").0, 2);
    put(
        &store,
        "new.yaml",
        "entities: [{name: car, owner: ann, keys: [{name: car_id, type: int}]}]",
    );
    store.done("features apply new.yaml");
    put(&store, "policy.yaml", "require_ownr: true\n");
    assert_eq!(store.refused("features policy policy.yaml").0, 2);
}

#[test]
fn features_are_found_by_what_is_said_of_them() {
    let store = filled();
    let found = |args: &str| names(&store.json(&format!("features search {args}")), "feature");
    assert_eq!(found("trips"), ["trips", "trips_7d"]);
    assert_eq!(found("of the day"), ["trips"]);
    assert_eq!(found("--tag source=app"), ["rating"]);
    assert_eq!(found("--owner OPS --type int"), ["trips"]);
    assert_eq!(found("--entity driver").len(), 3);
    assert_eq!(found("wind"), [""; 0]);
    assert_eq!(store.refused("features search --type integer").0, 64);
}

#[test]
fn what_is_shown_as_yaml_is_a_definition_again() {
    let store = filled();
    for name in ["driver_stats", "driver_load", "fare", "eta", "driver"] {
        put(&store, "again.yaml", &store.done(&format!("features show {name} --yaml")));
        assert_eq!(store.json("features plan again.yaml")["changes"], json!([]), "{name}");
    }
    put(&store, "twice.yaml", "services: [{name: driver, views: [{view: driver_stats}]}]");
    store.done("features apply twice.yaml");
    let (code, error) = store.refused("features show driver");
    assert_eq!((code, &error["context"]["kinds"]), (2, &json!("service, entity")));
    assert_eq!(store.json("features show driver --kind entity")["kind"], "entity");
    assert_eq!(store.json("features show driver@1")["kind"], "service");
    assert_eq!(store.refused("features show driver@2").0, 4);
    assert_eq!(store.refused("features show nobody").0, 4);
}

#[test]
fn the_list_has_rows_and_what_is_not_online() {
    let store = filled();
    store.done("features append driver_stats stats.csv");
    let list = store.json("features list");
    let stats = list["views"].as_array().unwrap().iter().find(|v| v["name"] == "driver_stats");
    let stats = stats.unwrap();
    assert_eq!((&stats["rows"], &stats["not_online"]), (&json!(8), &json!(4)));
    assert_eq!(names(&list["services"], "name"), ["eta"]);
    assert_eq!(names(&list["transforms"], "name"), ["fare"]);
}

#[test]
fn the_definitions_of_the_guide_can_be_applied() {
    let store = Store::empty();
    let page = crate::page::Page::read("features.md");
    let yaml: Vec<&str> = page.text.split("```yaml\n").skip(1).collect();
    assert!(!yaml.is_empty());
    for block in yaml {
        put(&store, "features.yaml", block.split("```").next().unwrap());
        let applied = store.json("features apply features.yaml");
        assert_eq!(applied["applied"], true);
        assert_eq!(store.json("features plan features.yaml")["changes"], json!([]));
    }
}

#[test]
fn a_registry_of_feast_becomes_definitions() {
    let store = Store::empty();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let registry = root.join("mlops-features/tests/data/feast_registry.db");
    fs::copy(registry, store.path().join("registry.db")).unwrap();
    let document = store.json("features import-feast registry.db");
    assert!(!document["definitions"]["views"].as_array().unwrap().is_empty());
    assert!(!document["left"].as_array().unwrap().is_empty());
    store.done("features import-feast registry.db --out imported.yaml");
    assert_eq!(store.json("features apply imported.yaml")["applied"], true);
    assert_eq!(store.refused("features import-feast absent.db").0, 4);
    assert_eq!(store.refused("features import-feast imported.yaml").0, 2);
    assert_eq!(store.refused("features import-feast registry.db --project nope").0, 4);
    assert_eq!(store.refused("features import-feast registry.db --out registry.db").0, 2);
}

#[test]
fn an_online_store_elsewhere_must_be_compiled_in() {
    let store = filled();
    let (code, error) = store.refused("features list --online mysql://h/db");
    assert_eq!(code, 1, "{error:#}");
    assert_eq!(error["kind"], "unsupported");
    assert!(error["hint"].as_str().unwrap().contains("redis"), "{error:#}");
}

#[test]
fn what_was_said_of_features_cannot_move_the_cursor() {
    let store = Store::empty();
    let evil = "owner: \"\\e[2J\", description: \"a\\e[31m\"";
    put(
        &store,
        "features.yaml",
        &format!(
            "entities: [{{name: a, {evil}, keys: [{{name: id, type: int}}]}}]\n\
             views: [{{name: v, {evil}, entities: [a], features: [{{name: f, type: int, {evil}}}]}}]\n\
             services: [{{name: s, {evil}, views: [{{view: v}}]}}]"
        ),
    );
    for args in [
        "features apply features.yaml",
        "features list",
        "features show a",
        "features show v",
        "features show s",
        "features search f",
    ] {
        let output = store.mlops(args);
        let printed =
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{printed}");
        assert!(!printed.contains('\u{1b}'), "{args}: {printed:?}");
    }
}
