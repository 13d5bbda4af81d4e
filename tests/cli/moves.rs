//! Moving between stages: policies, plans, approvals, and what a forged or stale one gains.

use std::fs;

use serde_json::{Value, json};

use crate::store::{Store, text};

const POLICY: &str = "
stages:
  Production:
    gates: [{metric: {name: auc, at_least: 0.85}}]
    approvals: {count: 1}
";

/// A filled store with `churn/1` (good) and `churn/2` (bad) under a policy.
pub(crate) fn with_policy() -> Store {
    let store = Store::filled();
    fs::write(store.path().join("policy.yaml"), POLICY).unwrap();
    store.done("models register churn --run baseline --artifacts model --actor ci/1");
    store.done("models register churn --run wide --file w=policy.yaml --actor ci/2");
    store.done("models policy set churn policy.yaml");
    store
}

fn plan(store: &Store, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(store.path().join(name)).unwrap()).unwrap()
}

#[test]
fn a_policy_that_could_never_work_is_refused_when_it_is_stored() {
    let store = Store::filled();
    for (policy, why) in [
        ("stages: {Production: {gates: [metrc]}}", "stages.Production.gates[0]: unknown gate"),
        ("stages: {Production: {gates: [{metric: {name: a, at_least: 2, at_most: 1}}]}}", "bounds"),
        ("stages: {Production: {gates: [{metric: {name: a}}]}}", "at_least"),
        ("stages: {Production: {gates: [{metric: {name: a, at_lest: 2}}]}}", "at_lest"),
        ("stages: {Prod: {}}", "Prod"),
        ("stages: {Production: {approvals: {count: 0}}}", "approvals"),
        ("stages: {Production: {gates: [{signed: {keys: [abc]}}]}}", "keys"),
        ("stages: {Production: {}}\nstages: {Staging: {}}", "twice"),
        ("stages: [", "line"),
        ("", "empty"),
    ] {
        fs::write(store.path().join("p.yaml"), policy).unwrap();
        for args in ["models policy check p.yaml", "models policy set fraud p.yaml"] {
            let (code, error) = store.refused(args);
            assert_eq!(code, 2, "{policy}: {error:#}");
            assert!(error.to_string().contains(why), "{policy}: {error:#}");
        }
    }
    assert_eq!(store.refused("models policy show fraud").0, 4);
    fs::write(store.path().join("a.yaml"), "grants: [{actor: ann, role: viewer}]").unwrap();
    assert_eq!(
        store.refused("models access set a.yaml").0,
        2,
        "nobody would be left to change them"
    );
}

#[test]
fn a_refused_promotion_shows_its_gates_and_exits_with_2() {
    let store = with_policy();
    let output = store.mlops("models promote churn/2 --to Production");
    assert_eq!(output.status.code(), Some(2));
    let table = text(&output.stdout);
    assert!(table.contains("failed  metric auc ≥ 0.85") && table.ends_with("refused\n"), "{table}");
    assert!(text(&output.stderr).starts_with("error: refused: "));

    let output = store.mlops("models promote churn/2 --to Production --json");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["allowed"], &document["applied"]), (&json!(false), &json!(false)));
    assert_eq!(document["gates"][1]["result"], "failed");
    assert_eq!(store.json("models show churn/2")["stage"], "None");
    assert_eq!(store.refused("models show churn/Production").0, 4);
}

#[test]
fn only_approvals_may_be_missing_where_they_are_ignored() {
    let store = with_policy();
    let asked = "models plan churn/1 --to Production --ignore-approvals";
    assert_eq!(store.json(asked)["allowed"], false);
    assert!(store.done(asked).ends_with("\nallowed but for approvals\n"));
    store.done("models reject churn/1 --to Production --actor ann --comment 'not on a friday'");
    assert_eq!(store.refused(asked).0, 2, "a rejection is no missing approval");
    store.done("models withdraw churn/1 --to Production --actor ann");
    store.done(asked);
    // However many there must be.
    fs::write(
        store.path().join("policy.yaml"),
        POLICY.replace("count: 1", "count: 2, role: admin"),
    )
    .unwrap();
    store.done("models policy set churn policy.yaml");
    store.done(asked);
    assert_eq!(store.refused("models plan churn/2 --to Production --ignore-approvals").0, 2);
}

#[test]
fn a_plan_that_was_written_is_applied_as_it_was() {
    let store = with_policy();
    store.done("models approve churn/1 --to Production --actor ann");
    store.done("models plan churn/1 --to Production --reason first --out written.json");
    let printed = store.done("models plan churn/1 --to Production --reason first --json");
    fs::write(store.path().join("printed.json"), printed).unwrap();
    for name in ["written.json", "printed.json"] {
        assert_eq!(plan(&store, name)["request"]["reason"], "first");
    }
    let line = "cat printed.json | mlops models promote --plan - --json";
    let (printed, code) = store.shell(line);
    assert_eq!(code, 0, "{printed}");
    assert_eq!(store.json("models history churn")[0]["reason"], "first");
    assert_eq!(store.refused("models promote --plan written.json").0, 3, "it was applied already");
}

#[test]
fn a_forged_plan_gains_nothing() {
    let store = with_policy();
    store.mlops("models plan churn/2 --to Production --out true.json");
    let forge = |change: &dyn Fn(&mut Value)| {
        let mut forged = plan(&store, "true.json");
        change(&mut forged);
        fs::write(store.path().join("forged.json"), forged.to_string()).unwrap();
        store.refused("models promote --plan forged.json")
    };
    let pass = |plan: &mut Value| {
        for gate in plan["gates"].as_array_mut().unwrap() {
            gate["result"] = "passed".into();
        }
        plan["allowed"] = true.into();
    };
    let approval = |plan: &Value| {
        json!({ "version": "churn/2", "to": "Production", "actor": "ann", "verdict": "approve",
            "basis": plan["basis"], "at": "2026-03-03T14:00:00Z" })
    };
    let (code, error) = forge(&pass);
    assert_eq!((code, error["kind"].as_str()), (2, Some("denied")), "{error:#}");
    assert!(error["context"]["failed"].as_str().unwrap().contains("metric auc"), "{error:#}");

    let (code, error) = forge(&|plan| {
        pass(plan);
        plan["approvals"] = json!([approval(plan)]);
    });
    assert_eq!((code, error["kind"].as_str()), (3, Some("conflict")), "{error:#}");
    assert!(error["context"]["changed"].as_str().unwrap().contains("approval of ann"), "{error:#}");

    let (code, error) = forge(&|plan| {
        pass(plan);
        for fact in plan["facts"].as_array_mut().unwrap() {
            if fact["about"] == "policy" {
                fact["value"] = "none".into();
            }
        }
        plan["policy"] = "".into();
    });
    assert_eq!((code, error["kind"].as_str()), (3, Some("conflict")), "{error:#}");

    let (code, error) = forge(&|plan| {
        pass(plan);
        plan["request"]["rollback"] = true.into();
    });
    assert_eq!((code, error["kind"].as_str()), (2, Some("denied")), "it never held: {error:#}");

    // Another version's plan, and an approval of it.
    let (code, _) = forge(&|plan| plan["request"]["version"] = "churn/1".into());
    assert_eq!(code, 3);
    let approve = "models approve --plan forged.json --actor ann";
    assert_eq!(store.refused(approve).0, 3, "it saw another version");
    assert_eq!(store.json("models history churn"), json!([]));
}

#[test]
fn a_plan_of_a_state_that_is_no_more_is_a_conflict() {
    let store = with_policy();
    store.done("models approve churn/1 --to Production --actor ann");
    store.done("models plan churn/1 --to Production --out old.json");
    fs::write(store.path().join("policy.yaml"), POLICY.replace("0.85", "0.86")).unwrap();
    store.done("models policy set churn policy.yaml");
    let (code, error) = store.refused("models promote --plan old.json");
    assert_eq!((code, error["kind"].as_str()), (3, Some("conflict")));
    let changed = error["context"]["changed"].as_str().unwrap();
    assert!(changed.contains("policy: churn@1 → churn@2"), "{changed}");
    // The approval was of the old policy too.
    assert_eq!(store.refused("models promote churn/1 --to Production").0, 2);
}

#[test]
fn what_held_a_stage_at_an_instant_is_known_with_who_put_it_there() {
    let store = Store::filled();
    let at = |at: &str| store.json(&format!("models history fraud --stage Production --at `{at}`"));
    assert_eq!(at("2025-01-01 13:00"), json!([]));
    let first = at("2025-01-01 13:30");
    assert_eq!((&first[0]["number"], &first[0]["actor"]), (&json!(1), &json!("ann@laptop")));
    assert_eq!(at("2025-01-01T16:00:00+02:00")[0]["number"], 1);
    let second = at("2025-01-01 17:00+02:00");
    assert_eq!((&second[0]["number"], &second[0]["reason"]), (&json!(2), &json!("finds more")));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_no_policy() {
    let store = Store::filled();
    let (printed, code) = store.shell("mkfifo pipe && timeout 20 mlops models policy check pipe");
    assert_eq!(code, 2, "{printed}");
    assert!(printed.contains("is no file"), "{printed}");
}
