//! Policies: which one counts, and which are refused.

use mlops_core::ErrorKind;
use mlops_core::registry::{Access, PromotionRequest, PutDocument, Stage, StagePolicy, VersionId};
use serde_json::{Value, json};

use crate::build::{into_stage, key, model_name, policy, rules, version};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        without_a_policy_every_move_is_allowed,
        the_models_own_policy_counts_before_the_default_one,
        a_stage_that_the_policy_does_not_name_has_no_gates,
        a_policy_that_is_none_is_refused_and_the_one_before_counts,
        impossible_policies_are_refused_when_they_are_stored,
        impossible_access_rules_are_refused_when_they_are_stored,
    ]
}

async fn without_a_policy_every_move_is_allowed(f: Fixture) {
    f.versions(1).await;
    for stage in
        [Stage::Production, Stage::None, Stage::Archived, Stage::Development, Stage::Staging]
    {
        let plan = f.promote(1, stage).await;
        assert_eq!((plan.policy.as_str(), plan.gates.len()), ("", 1));
        assert_eq!(f.read_version(1).await.stage, stage);
    }
}

async fn the_models_own_policy_counts_before_the_default_one(f: Fixture) {
    f.versions(1).await;
    f.make_model("other").await;
    f.add("other", version("o")).await;
    let refuses = json!({ "stages": { "Production": { "gates": ["profile"] } } });
    f.store_document(policy("default", &refuses)).await;
    fails(ErrorKind::Denied, f.apply(&into_stage(1, Stage::Production)).await);
    let allows = json!({ "stages": { "Staging": { "gates": ["profile"] } } });
    f.store_document(policy("churn", &allows)).await;
    let plan = f.apply(&into_stage(1, Stage::Production)).await.unwrap();
    assert_eq!(plan.policy, "churn@1", "the default one does not fill in what its own leaves out");
    let other = VersionId::new(model_name("other"), 1);
    let other = PromotionRequest::new(other, Stage::Production);
    fails(ErrorKind::Denied, f.apply(&other).await);
    let gone = PutDocument::delete(key("policy"), key("churn"));
    f.store_document(gone).await;
    f.promote(1, Stage::Archived).await;
    fails(ErrorKind::Denied, f.apply(&into_stage(1, Stage::Production)).await);
}

async fn a_stage_that_the_policy_does_not_name_has_no_gates(f: Fixture) {
    f.versions(1).await;
    f.store_document(rules(Stage::Production, &json!({ "gates": ["profile"] }))).await;
    f.promote(1, Stage::Staging).await;
    fails(ErrorKind::Denied, f.apply(&into_stage(1, Stage::Production)).await);
}

/// The catalog stores what it is given; who reads it must not take nonsense for "no rules".
/// A document that is not understood would be an open door, or stand in the way of every move.
async fn a_policy_that_is_none_is_refused_and_the_one_before_counts(f: Fixture) {
    f.versions(1).await;
    let stored = f.store_document(rules(Stage::Production, &json!({ "gates": ["profile"] }))).await;
    for body in [
        json!({ "stages": { "Production": { "gates": ["unknown"] } } }),
        json!({ "stages": { "Production": { "displaced_to": "Production" } } }),
        json!({ "stages": { "Production": { "displaced_to": "Staging" } } }),
        json!(7),
        json!({ "x": 1 }),
    ] {
        fails(ErrorKind::Invalid, f.catalog.put_document(policy("default", &body)).await);
    }
    let state = f.registry.promotion_state(&into_stage(1, Stage::Production)).await.unwrap();
    assert_eq!(state.policy, Some(stored));
    assert!(!f.plan(&into_stage(1, Stage::Production)).await.unwrap().is_allowed());
}

/// Whether a policy may be stored: it must be read, and then hold together.
fn storable(rules: &Value) -> bool {
    let body = json!({ "stages": { "Production": rules } });
    serde_json::from_value::<StagePolicy>(body).is_ok_and(|policy| policy.check().is_ok())
}

async fn impossible_policies_are_refused_when_they_are_stored(_: Fixture) {
    let gate = |gate: Value| storable(&json!({ "gates": [gate] }));
    for bad in [
        json!("unknown"),
        json!({ "unknown": {} }),
        json!({ "metric": { "name": "auc" } }),
        json!({ "metric": { "name": "", "at_least": 1 } }),
        json!({ "metric": { "name": "auc", "at_least": 0.9, "at_most": 0.8 } }),
        json!({ "metric": { "name": "auc", "at_last": 0.9 } }),
        json!({ "fairness": { "metric": "dpd" } }),
        json!({ "better_than_current": { "name": "auc" } }),
        json!({ "better_than_current": { "name": "auc", "direction": "up" } }),
        json!({ "better_than_current":
            { "name": "auc", "direction": "higher", "margin": { "absolute": -0.1 } } }),
        json!({ "better_than_current":
            { "name": "auc", "direction": "higher", "margin": { "relative": 0.1, "absolute": 1 } } }),
        json!({ "suite": { "name": "s", "within_hours": 0 } }),
        json!({ "suite": { "name": "s", "within_hours": -1 } }),
        json!({ "suite": { "name": "s", "within_hours": 1e9 } }),
        json!({ "files": { "permit": ["other"] } }),
        json!({ "files": { "permit": ["exe"] } }),
        json!({ "signed": { "keys": [] } }),
        json!({ "signed": { "keys": ["abc"] } }),
        json!({ "signed": { "keys": ["AB".repeat(32)] } }),
        json!({ "recovery_drill": {} }),
        json!({ "recovery_drill": { "within_hours": 24, "rpo_secs": -1 } }),
    ] {
        assert!(!gate(bad.clone()), "{bad}");
    }
    for bad in [
        json!({ "gates": vec!["profile"; 101] }),
        json!({ "from": [] }),
        json!({ "from": ["Production"] }),
        json!({ "from": ["Live"] }),
        json!({ "displaced_to": "Production" }),
        json!({ "holders": "many", "displaced_to": "Archived" }),
        json!({ "holders": "none" }),
        json!({ "approvals": { "count": 0 } }),
        json!({ "approvals": { "count": 101 } }),
        json!({ "approvals": { "count": -1 } }),
        json!({ "approvals": { "count": 1, "role": "contributor" } }),
        json!({ "approvals": { "count": 1, "valid_for_hours": 0 } }),
        json!({ "role": "king" }),
        json!({ "rollback": "never" }),
        json!({ "gate": [] }),
    ] {
        assert!(!storable(&bad), "{bad}");
    }
    let none = r#"{"stages":{"None":{"holders":"one"}}}"#;
    assert!(serde_json::from_str::<StagePolicy>(none).unwrap().check().is_err(), "None holds many");
    assert!(storable(&json!({})) && gate(json!("profile")));
}

async fn impossible_access_rules_are_refused_when_they_are_stored(_: Fixture) {
    let rules = |grants: Value| {
        serde_json::from_value::<Access>(json!({ "grants": grants }))
            .is_ok_and(|access| access.check().is_ok())
    };
    let root = json!({ "actor": "root", "role": "admin" });
    for bad in [
        json!([]),
        json!([{ "actor": "root", "role": "approver" }]),
        json!([{ "actor": "root", "role": "admin", "models": ["churn"] }]),
        json!([root, { "actor": "", "role": "viewer" }]),
        json!([root, { "actor": "a*b*", "role": "viewer" }]),
        json!([root, { "actor": "a\nb", "role": "viewer" }]),
        json!([root, { "actor": "a", "role": "king" }]),
        json!([root, { "actor": "a", "role": "viewer", "models": ["a/b"] }]),
        json!([root, { "actor": "a", "role": "viewer", "model": ["a"] }]),
    ] {
        assert!(!rules(bad.clone()), "{bad}");
    }
    assert!(rules(json!([root, { "actor": "ci/*", "role": "contributor", "models": ["churn"] }])));
}
