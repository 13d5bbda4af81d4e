use mlops_core::registry::{FileFormat, Gate, Role, Stage};
use proptest::prelude::*;

use super::*;

const YAML: &str = "
# Production needs proof.
stages:
  Staging:
    gates:
      - metric: {name: auc, at_least: 0.75}
  Production:
    from: [Staging]
    displaced_to: Archived
    gates:
      - metric: {name: auc, at_least: 0.8}
      - better_than_current:
          name: auc
          direction: higher
          margin: {absolute: 0.005}
      - suite: {name: flights, within_hours: 24}
      - profile
      - signature_compatible
      - code_committed
      - files: {permit: [pickle]}
    approvals: {count: 1, valid_for_hours: 72}
";

fn refused(text: &str) -> String {
    policy_from_text(text).unwrap_err().to_string()
}

#[test]
fn a_policy_reads_the_same_from_yaml_and_json() {
    let policy = policy_from_text(YAML).unwrap();
    let production = &policy.stages[&Stage::Production];
    assert_eq!(production.gates.len(), 7);
    assert_eq!(production.gates[6], Gate::Files { permit: [FileFormat::Pickle].into() });
    assert_eq!(production.approvals.as_ref().unwrap().role, Role::Approver);
    let json = serde_json::to_string_pretty(&policy).unwrap();
    assert_eq!(policy_from_text(&json).unwrap(), policy);
    assert_eq!(policy_from_text(&format!("\u{feff}{json}")).unwrap(), policy);
}

#[test]
fn what_is_unknown_is_named_with_its_path_and_what_is_known() {
    assert_eq!(
        refused("stages: {Production: {gates: [profile, metrc: {name: auc}]}}"),
        "policy: invalid: stages.Production.gates[1]: unknown gate \"metrc\"; known: metric, \
         better_than_current, suite, profile, signature_compatible, fairness, code_committed, files, \
         signed, recovery_drill"
    );
    assert_eq!(
        refused("stages: {Production: {gates: [metric: {name: auc, at_lest: 1}]}}"),
        "policy: invalid: stages.Production.gates[0].metric.at_lest: unknown field \"at_lest\"; \
         known: name, evaluation, at_least, at_most"
    );
    assert_eq!(
        refused("stages: {Prod: {}}"),
        "policy: invalid: stages.Prod: unknown stage \"Prod\"; known: None, Development, Staging, \
         Production, Archived"
    );
    assert!(
        refused("stages: {Production: {from: [Stagin]}}")
            .starts_with("policy: invalid: stages.Production.from[0]: unknown stage \"Stagin\"")
    );
    assert!(
        refused("stages: {Production: {gates: [files: {permit: [pickel]}]}}")
            .contains("unknown file format \"pickel\"; known: other, pickle, keras_lambda")
    );
    assert!(refused("stage: {}").contains("unknown field \"stage\"; known: stages"));
    assert!(
        refused("stages: {Production: {gates: [metric: {name: auc, at_least: high}]}}")
            .starts_with(
                "policy: invalid: stages.Production.gates[0].metric.at_least: invalid type"
            )
    );
    assert!(refused("stages: {Production: {role: boss}}").contains("unknown role \"boss\""));
}

#[test]
fn impossible_bounds_are_refused_when_the_policy_is_read() {
    let bounds = "stages: {Production: {gates: [metric: {name: auc, at_least: 2, at_most: 1}]}}";
    assert!(refused(bounds).contains("no number can be within the bounds"));
    assert!(refused(bounds).contains("stage: Production"));
    assert!(refused("stages: {Production: {approvals: {count: 0}}}").contains("asks for no"));
    assert!(
        refused("stages: {Production: {gates: [metric: {name: auc, at_least: .inf}]}}")
            .contains("not finite")
    );
}

#[test]
fn what_is_no_yaml_or_json_is_named_with_line_and_column() {
    assert_eq!(
        refused("stages:\n  Production: {}\n  Production: {}\n"),
        "policy: invalid: has the key \"Production\" twice (line: 3, column: 3)"
    );
    let twice = refused("{\"stages\": {\"Production\": {},\n \"Production\": {}}}");
    assert!(twice.contains("has the key \"Production\" twice (line: 2"), "{twice}");
    let syntax = refused("{\"stages\": {\n \"Production\": {,}}}");
    assert!(syntax.contains("line: 2, column: 17"), "{syntax}");
    assert!(refused("stages: [").contains("line: "));
    assert!(refused("a: &x {}\nb: *x\n").contains("alias"));
    assert_eq!(refused(" \n"), "policy: invalid: the text is empty");
    assert!(refused("- a").contains("no map of names to values (found: a list)"));
    assert!(refused(&" ".repeat(MAX_DOCUMENT_BYTES + 1)).contains("too long"));
}

#[test]
fn a_list_is_no_structure() {
    for list in ["[]", "[{}]", "- {}\n"] {
        assert!(refused(list).contains("no map"), "{list}");
        assert!(access_from_text(list).unwrap_err().to_string().contains("no map"), "{list}");
    }
    for (text, place) in [
        ("stages: {Production: []}", "stages.Production: "),
        ("stages: {Production: {approvals: [1]}}", "stages.Production.approvals: "),
        ("stages: {Production: {gates: [profile, metric: [auc, null, 0.8]]}}", "gates[1].metric: "),
    ] {
        let message = refused(text);
        assert!(message.contains(&format!("{place}write a map")), "{text}: {message}");
    }
    assert!(access_from_text("grants: [[ann, admin]]").unwrap_err().to_string().contains("[0]"));
    let refused = from_text::<mlops_core::registry::PromotionPlan>("plan", "[]");
    assert!(refused.unwrap_err().to_string().contains("no map"));
}

#[test]
fn a_unit_gate_whose_fields_are_missing_says_what_it_takes() {
    for (gate, known) in [
        ("metric", "known: name, evaluation, at_least, at_most"),
        ("recovery_drill", "known: within_hours"),
        ("recovery_drill:", "known: within_hours"),
    ] {
        let message = refused(&format!("stages: {{Production: {{gates: [{gate}]}}}}"));
        assert!(message.contains(known), "{gate}: {message}");
        assert!(message.contains("stages.Production.gates[0]"), "{gate}: {message}");
    }
}

#[test]
fn a_value_that_is_no_instant_is_named_with_its_field() {
    let text = "{kind: evaluation, name: a, metrics: {}, at: yesterday}";
    let message =
        from_text::<mlops_core::registry::Evidence>("evidence", text).unwrap_err().to_string();
    assert!(message.contains("at: ") && message.contains("yesterday"), "{message}");
}

#[test]
fn json_that_yaml_reads_otherwise_is_json() {
    let text = "{\t\"a\":\t\"\\ud83d\\ude00 \\/\"}";
    let value: Value = from_text("test", text).unwrap();
    assert_eq!(value["a"], "😀 /");
}

#[test]
fn access_rules_are_read_and_checked() {
    let text = "grants:\n  - {actor: 'ana@*', role: admin}\n  - {actor: bo, role: approver, models: [churn]}\n";
    let access = access_from_text(text);
    assert!(access.is_ok(), "{access:?}");
    assert!(access_from_text("grants: []").is_err());
    assert!(access_from_text("grants:\n  - {actor: bo, role: boss}\n").is_err());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,80}", flow in "[\\[{\"a:,}\\] ]{0,30}") {
        drop(policy_from_text(&text));
        drop(policy_from_text(&flow));
    }
}
