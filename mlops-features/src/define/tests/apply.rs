//! Applying: conflicts, and what is cut off in the middle.

use futures::executor::block_on;
use mlops_core::ErrorKind;
use mlops_core::Key;
use mlops_core::features::Definitions;
use mlops_core::registry::{Catalog as _, PutDocument};
use proptest::prelude::*;

use super::super::{apply as carry_out, edges, load};
use super::{Documents, SHOP, apply, at, loaded, plan, shop};

#[test]
fn what_changed_since_the_plan_is_a_conflict() {
    let catalog = shop();
    let first = plan(&catalog, &SHOP.replace("ttl: 7d", "ttl: 1d"));
    apply(&catalog, &SHOP.replace("ttl: 7d", "ttl: 2d"));
    let error = block_on(carry_out(&catalog, &first, at(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[test]
fn an_apply_that_is_cut_off_is_finished_by_another() {
    let wanted = SHOP
        .replace("ttl: 7d", "ttl: 1d")
        .replace("{name: airport, type: string}", "{name: airport, type: int}")
        .replace("rating / distance", "rating * distance");
    let whole = shop();
    apply(&whole, &wanted);
    let expected = loaded(&whole).registered;
    for puts in 0..5 {
        let catalog = shop();
        let planned = plan(&catalog, &wanted);
        assert_eq!(planned.changes.len(), 5, "{planned}");
        catalog.fail_after(Some(puts));
        let error = block_on(carry_out(&catalog, &planned, at(1))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        catalog.fail_after(None);
        assert_eq!(plan(&catalog, &wanted).changes.len(), 5 - puts);
        apply(&catalog, &wanted);
        assert_eq!(loaded(&catalog).registered, expected, "cut off after {puts}");
        assert!(plan(&catalog, &wanted).is_empty());
    }
}

#[test]
fn what_was_deleted_can_be_defined_again() {
    let catalog = Documents::default();
    let yaml = "entities: [{name: plane, keys: [{name: tail, type: string}]}]";
    apply(&catalog, yaml);
    let (kind, name) = (Key::new("feature_entity").unwrap(), Key::new("plane").unwrap());
    block_on(catalog.put_document(PutDocument::delete(kind, name))).unwrap();
    assert!(loaded(&catalog).registered.entities.is_empty());
    apply(&catalog, yaml);
    assert_eq!(loaded(&catalog).registered.entities.len(), 1);
}

#[test]
fn a_document_that_is_none_is_said_to_be_corrupt() {
    for (kind, body) in [
        ("feature_view", serde_json::json!({"state": "active", "versions": []})),
        ("feature_view", serde_json::json!({"state": "active"})),
        ("feature_entity", serde_json::json!({"name": "other", "keys": []})),
        ("feature_service", serde_json::json!([])),
        ("feature_policy", serde_json::json!({"require_everything": true})),
    ] {
        let catalog = Documents::default();
        let name = Key::new("default").unwrap();
        let put = PutDocument::new(Key::new(kind).unwrap(), name, body);
        block_on(catalog.put_document(put)).unwrap();
        let error = block_on(load(&catalog)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(&format!("{kind}/default")), "{error}");
    }
}

#[test]
fn what_is_defined_is_lineage() {
    let catalog = Documents::default();
    let files = SHOP.replace("ttl: 7d", "source: {files: ['s3://bucket/trips/']}");
    let edges: Vec<String> = edges(&apply(&catalog, &files))
        .iter()
        .map(|edge| format!("{} {} {}", edge.from, edge.relation, edge.to))
        .collect();
    assert_eq!(
        edges,
        [
            "source:s3://bucket/trips/ derived_from feature_view:driver_stats@1",
            "feature_view:driver_stats@1 derived_from feature_service:eta@1",
            "feature_view:weather@1 derived_from feature_service:eta@1",
        ]
    );
}

/// Definitions of a view and a service in many shapes, all of them good.
fn shapes() -> impl Strategy<Value = Definitions> {
    let feature = (0..4_u8, prop_oneof!["int", "float", "string"]);
    let features = proptest::collection::btree_map(feature.0, feature.1, 1..4);
    (features, 0..3_u32, any::<bool>(), any::<bool>(), "[a-z]{0,3}").prop_map(
        |(features, ttl, strict, all, owner)| {
            let features: Vec<_> = features
                .iter()
                .map(|(n, type_)| format!("{{name: f{n}, type: {type_}}}"))
                .collect();
            let boundary = if strict { "strict" } else { "inclusive" };
            let named = if all { "" } else { ", alias: w" };
            let yaml = format!(
                "entities: [{{name: e, keys: [{{name: k, type: int}}]}}]\n\
                 views: [{{name: v, owner: '{owner}', entities: [e], ttl: {ttl}d, \
                 boundary: {boundary}, features: [{}]}}]\n\
                 services: [{{name: s, views: [{{view: v{named}}}]}}]",
                features.join(", ")
            );
            Definitions::from_yaml(&yaml).unwrap()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn after_an_apply_there_is_nothing_left_to_change(
        steps in proptest::collection::vec(shapes(), 1..5),
    ) {
        let catalog = Documents::default();
        for step in steps {
            let yaml = step.to_yaml();
            let planned = plan(&catalog, &yaml);
            prop_assert!(!planned.is_refused(), "{}", planned);
            let then = block_on(carry_out(&catalog, &planned, at(1))).unwrap();
            let there = loaded(&catalog).registered;
            prop_assert_eq!(&then, &there, "what was planned is what is there");
            prop_assert!(plan(&catalog, &yaml).is_empty());
            // A table's rows fit all of the versions that read them.
            let versions = &there.views["v"].versions;
            for (a, b) in versions.iter().flat_map(|a| versions.iter().map(move |b| (a, b))) {
                let same = a.table.id == b.table.id;
                prop_assert!(!same || a.table.keys == b.table.keys);
                for column in a.table.columns.iter().filter(|_| same) {
                    let other = b.table.columns.iter().find(|c| c.name == column.name);
                    prop_assert!(other.is_none_or(|other| other.data_type == column.data_type));
                }
            }
        }
    }
}
