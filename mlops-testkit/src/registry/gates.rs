//! Gates: how each condition of a policy comes out, by what evidence, and that a failed one refuses.

use mlops_core::ErrorKind;
use mlops_core::registry::{
    CodeState, Column, ColumnType, FileFormat, GateOutcome, GateResult, ManifestFile,
    RegisterVersion, Signature, Stage, Verdict, VersionChanges,
};
use mlops_core::tracking::{RunChanges, RunStatus};
use serde_json::{Value, json};

use crate::build::{
    attestation, evaluation, fairness, file, into_stage, key, made_by, manifest, path, rules,
    run_id, scored, uploaded, validation, version,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_metric_passes_within_its_bounds_and_the_bounds_are_included,
        a_metric_that_is_missing_or_nan_fails,
        a_metric_may_be_that_of_an_evaluation,
        a_version_must_be_better_than_the_current_one_by_the_margin,
        better_than_current_passes_if_there_is_none,
        better_than_current_looks_at_every_current_version,
        evaluations_are_compared_only_on_the_same_data,
        a_suite_must_have_been_run_and_passed_not_too_long_ago,
        a_profile_must_be_among_the_files,
        a_signature_must_fit_the_callers_of_the_current_version,
        fairness_must_have_been_measured_and_lie_within_bounds,
        the_run_must_have_finished_and_its_code_be_committed,
        a_file_that_may_run_code_needs_a_permit,
        a_trusted_key_must_have_signed,
        a_recovery_drill_must_have_passed_not_too_long_ago,
        a_gate_that_time_closes_after_the_plan_refuses,
        all_gates_are_judged_and_each_failed_one_is_named,
        each_outcome_says_what_kind_of_condition_it_is,
    ]
}

const HOUR: i64 = 3_600_000_000;

/// The outcome of one gate for moving a version into production. What fails must also be refused.
async fn judge(f: &Fixture, number: u64, gate: Value) -> GateOutcome {
    let kind = gate.as_object().and_then(|gate| gate.keys().next()).cloned();
    let kind = kind.or_else(|| gate.as_str().map(String::from));
    f.store_document(rules(Stage::Production, &json!({ "gates": [gate] }))).await;
    let plan = f.plan(&into_stage(number, Stage::Production)).await.unwrap();
    assert_eq!(plan.gates.len(), 2, "the role, and the gate");
    let outcome = plan.gates[1].clone();
    assert_eq!(Some(&outcome.kind), kind.as_ref());
    assert_eq!(plan.is_allowed(), outcome.result == GateResult::Passed);
    if !plan.is_allowed() {
        let before = f.churn().await;
        let error = fails(ErrorKind::Denied, f.registry.promote(&plan).await);
        let named: Vec<_> = error.context().filter(|(name, _)| *name == "failed").collect();
        assert_eq!(named.len(), 1, "{error}");
        assert!(named[0].1.contains(&outcome.gate) && named[0].1.contains(&outcome.evidence));
        assert_eq!(f.churn().await, before, "a refused move moves nothing");
    }
    outcome
}

#[track_caller]
fn passed(outcome: &GateOutcome, evidence: &str) {
    assert_eq!(outcome.result, GateResult::Passed, "{outcome:?}");
    assert!(outcome.evidence.contains(evidence), "{outcome:?}");
}

#[track_caller]
fn failed(outcome: &GateOutcome, evidence: &str) {
    assert_eq!(outcome.result, GateResult::Failed, "{outcome:?}");
    assert!(outcome.evidence.contains(evidence), "{outcome:?}");
}

/// Makes `churn` with versions of these `auc`s.
async fn scores(f: &Fixture, all: &[f64]) {
    f.make_model("churn").await;
    for (n, auc) in (1..).zip(all) {
        f.add("churn", scored(&n.to_string(), *auc)).await;
    }
}

async fn a_metric_passes_within_its_bounds_and_the_bounds_are_included(f: Fixture) {
    scores(&f, &[0.8]).await;
    let metric = |low: Value, high: Value| json!({ "metric": { "name": "auc", "at_least": low, "at_most": high } });
    for (low, high) in
        [(json!(0.8), json!(null)), (json!(null), json!(0.8)), (json!(0.8), json!(0.8))]
    {
        passed(&judge(&f, 1, metric(low, high)).await, "0.8");
    }
    failed(&judge(&f, 1, metric(json!(0.800_000_1), json!(null))).await, "0.8");
    failed(&judge(&f, 1, metric(json!(null), json!(0.799_999_9))).await, "0.8");
}

async fn a_metric_that_is_missing_or_nan_fails(f: Fixture) {
    scores(&f, &[f64::NAN, f64::INFINITY]).await;
    let at_least = |name: &str| json!({ "metric": { "name": name, "at_least": 0.0 } });
    let at_most = json!({ "metric": { "name": "auc", "at_most": 1.0 } });
    failed(&judge(&f, 1, at_least("auc")).await, "NaN");
    failed(&judge(&f, 1, at_most.clone()).await, "NaN");
    failed(&judge(&f, 1, at_least("absent")).await, "no absent");
    failed(&judge(&f, 2, at_most).await, "inf");
    passed(&judge(&f, 2, at_least("auc")).await, "inf");
}

async fn a_metric_may_be_that_of_an_evaluation(f: Fixture) {
    scores(&f, &[0.9]).await;
    let gate = || json!({ "metric": { "name": "auc", "evaluation": "holdout", "at_least": 0.8 } });
    failed(&judge(&f, 1, gate()).await, "no evaluation");
    let found =
        |value| VersionChanges::default().with_evidence(evaluation("holdout", "d", "auc", value));
    f.change_version(1, found(0.7)).await;
    failed(&judge(&f, 1, gate()).await, "0.7");
    f.change_version(1, found(0.85)).await;
    passed(&judge(&f, 1, gate()).await, "0.85");
}

async fn a_version_must_be_better_than_the_current_one_by_the_margin(f: Fixture) {
    scores(&f, &[0.5, 0.5, 0.75, 0.25, f64::NAN]).await;
    f.promote(1, Stage::Production).await;
    let gate = |direction: &str, margin: Value| json!({ "better_than_current": { "name": "auc", "direction": direction, "margin": margin } });
    let by = |by: f64| json!({ "absolute": by });
    let share = |by: f64| json!({ "relative": by });
    for (number, direction, margin, passes) in [
        (2, "higher", by(0.0), true),
        (2, "lower", by(0.0), true),
        (2, "higher", by(0.001), false),
        (3, "higher", by(0.25), true),
        (3, "higher", by(0.26), false),
        (3, "higher", share(0.5), true),
        (3, "higher", share(0.51), false),
        (3, "lower", by(0.0), false),
        (4, "lower", by(0.25), true),
        (4, "lower", share(0.5), true),
        (4, "higher", by(0.0), false),
        (5, "higher", by(0.0), false),
        (5, "lower", by(0.0), false),
    ] {
        let outcome = judge(&f, number, gate(direction, margin.clone())).await;
        if passes {
            passed(&outcome, "version 1 has 0.5");
        } else {
            failed(&outcome, "version 1 has 0.5");
        }
    }
    let silent = json!({ "better_than_current": { "name": "auc", "direction": "higher" } });
    passed(&judge(&f, 2, silent).await, "0.5");
    let absent = json!({ "better_than_current": { "name": "absent", "direction": "higher" } });
    failed(&judge(&f, 2, absent).await, "no absent");
}

async fn better_than_current_passes_if_there_is_none(f: Fixture) {
    scores(&f, &[0.5]).await;
    for name in ["auc", "absent"] {
        let gate = json!({ "better_than_current": { "name": name, "direction": "higher" } });
        passed(&judge(&f, 1, gate).await, "no current");
    }
}

async fn better_than_current_looks_at_every_current_version(f: Fixture) {
    scores(&f, &[0.5, 0.75, 0.6]).await;
    let many =
        |gates: Value| rules(Stage::Production, &json!({ "holders": "many", "gates": gates }));
    f.store_document(many(json!([]))).await;
    f.promote(1, Stage::Production).await;
    f.promote(2, Stage::Production).await;
    let better = json!([{ "better_than_current": { "name": "auc", "direction": "higher" } }]);
    f.store_document(many(better)).await;
    let plan = f.plan(&into_stage(3, Stage::Production)).await.unwrap();
    failed(&plan.gates[1], "version 2 has 0.75");
}

async fn evaluations_are_compared_only_on_the_same_data(f: Fixture) {
    f.make_model("churn").await;
    for (content, data, value) in
        [("1", "sha256:1", 0.5), ("2", "sha256:2", 0.9), ("3", "sha256:1", 0.9)]
    {
        f.add("churn", version(content).with_evidence(evaluation("h", data, "auc", value))).await;
    }
    f.add("churn", version("4")).await;
    f.promote(1, Stage::Production).await;
    let gate = || json!({ "better_than_current": { "name": "auc", "evaluation": "h", "direction": "higher" } });
    failed(&judge(&f, 2, gate()).await, "other data");
    passed(&judge(&f, 3, gate()).await, "0.9");
    failed(&judge(&f, 4, gate()).await, "no evaluation");
}

async fn a_suite_must_have_been_run_and_passed_not_too_long_ago(f: Fixture) {
    f.versions(1).await;
    let gate = || json!({ "suite": { "name": "flights" } });
    let fresh = || json!({ "suite": { "name": "flights", "within_hours": 24 } });
    failed(&judge(&f, 1, gate()).await, "not run");
    let found = |suite, bad| VersionChanges::default().with_evidence(validation(suite, bad));
    f.change_version(1, found("other", 0)).await;
    failed(&judge(&f, 1, gate()).await, "not run");
    f.change_version(1, found("flights", 3)).await;
    failed(&judge(&f, 1, gate()).await, "7 of 10");
    f.change_version(1, found("flights", 0)).await;
    passed(&judge(&f, 1, gate()).await, "10 of 10");
    f.clock.advance_micros(24 * HOUR);
    passed(&judge(&f, 1, fresh()).await, "10 of 10");
    f.clock.advance_micros(1);
    failed(&judge(&f, 1, fresh()).await, "2023-11-14");
    passed(&judge(&f, 1, gate()).await, "10 of 10");
}

async fn a_profile_must_be_among_the_files(f: Fixture) {
    f.versions(1).await;
    let mut files = manifest(&[("model.bin", "m"), ("profile.json", "p")]);
    files.profile = Some(path("profile.json"));
    f.add("churn", uploaded(files, &["m", "p"])).await;
    failed(&judge(&f, 1, json!("profile")).await, "none");
    passed(&judge(&f, 2, json!("profile")).await, "profile.json");
}

fn signed(content: &str, inputs: &[(&str, ColumnType, bool)]) -> RegisterVersion {
    let column = |(name, kind, nullable): &(&str, ColumnType, bool)| {
        Column::new(*name, kind.clone()).unwrap().with_nullable(*nullable)
    };
    let output = vec![Column::new("p", ColumnType::Float64).unwrap()];
    let mut options = version(content);
    options.manifest.signature =
        Some(Signature::new(inputs.iter().map(column).collect(), output).unwrap());
    options
}

async fn a_signature_must_fit_the_callers_of_the_current_version(f: Fixture) {
    f.make_model("churn").await;
    let age = ("age", ColumnType::Int64, false);
    f.add("churn", signed("1", std::slice::from_ref(&age))).await;
    f.add("churn", signed("2", &[age.clone(), ("plan", ColumnType::Utf8, false)])).await;
    f.add("churn", signed("3", &[age.clone(), ("plan", ColumnType::Utf8, true)])).await;
    f.add("churn", signed("4", &[("age", ColumnType::Utf8, false)])).await;
    f.add("churn", version("5")).await;
    let gate = || json!("signature_compatible");
    passed(&judge(&f, 1, gate()).await, "1 input, 1 output");
    failed(&judge(&f, 5, gate()).await, "no signature");
    f.promote(1, Stage::Production).await;
    failed(&judge(&f, 2, gate()).await, "plan");
    passed(&judge(&f, 3, gate()).await, "2 inputs");
    failed(&judge(&f, 4, gate()).await, "age");
}

async fn fairness_must_have_been_measured_and_lie_within_bounds(f: Fixture) {
    f.versions(1).await;
    let gate = || json!({ "fairness": { "metric": "dpd", "at_most": 0.1 } });
    failed(&judge(&f, 1, gate()).await, "not measured");
    let found = |value| VersionChanges::default().with_evidence(fairness("dpd", value));
    f.change_version(1, found(0.2)).await;
    failed(&judge(&f, 1, gate()).await, "0.2");
    f.change_version(1, found(f64::NAN)).await;
    failed(&judge(&f, 1, gate()).await, "NaN");
    f.change_version(1, found(0.1)).await;
    passed(&judge(&f, 1, gate()).await, "0.1");
}

async fn the_run_must_have_finished_and_its_code_be_committed(f: Fixture) {
    f.one_run().await;
    f.make_model("churn").await;
    let with_code = |content: &str, commit: Option<&str>, dirty: Option<bool>| {
        let mut options = made_by(content, run_id(1), RunStatus::Running);
        let mut code = CodeState::default();
        (code.commit, code.dirty) = (commit.map(str::to_owned), dirty);
        options.manifest.replay.code = Some(code);
        options
    };
    let commit = "0123456789abcdef0123";
    f.add("churn", with_code("1", Some(commit), Some(false))).await;
    f.add("churn", with_code("2", Some(commit), Some(true))).await;
    f.add("churn", with_code("3", Some(commit), None)).await;
    f.add("churn", with_code("4", None, Some(false))).await;
    f.add("churn", version("5")).await;
    let gate = || json!("code_committed");
    failed(&judge(&f, 1, gate()).await, "running");
    f.change(run_id(1), RunChanges::default().with_status(RunStatus::Failed)).await;
    failed(&judge(&f, 1, gate()).await, "failed");
    f.change(run_id(1), RunChanges::default().with_status(RunStatus::Running)).await;
    f.change(run_id(1), RunChanges::default().with_status(RunStatus::Finished)).await;
    passed(&judge(&f, 1, gate()).await, "0123456789ab");
    failed(&judge(&f, 2, gate()).await, "uncommitted");
    failed(&judge(&f, 3, gate()).await, "nobody could tell");
    failed(&judge(&f, 4, gate()).await, "no commit");
    failed(&judge(&f, 5, gate()).await, "no source run");
    let copied = with_code("6", Some(commit), Some(false)).with_origin("dev#churn/1");
    let mut unfinished = copied.clone();
    let mut finished = copied;
    if let Some(run) = &mut finished.manifest.run {
        (run.id, run.status) = (run_id(9), RunStatus::Finished);
    }
    if let Some(run) = &mut unfinished.manifest.run {
        run.id = run_id(9);
    }
    f.add("churn", finished).await;
    f.add("churn", unfinished).await;
    passed(&judge(&f, 6, gate()).await, "0123456789ab");
    failed(&judge(&f, 7, gate()).await, "running");
}

async fn a_file_that_may_run_code_needs_a_permit(f: Fixture) {
    f.versions(1).await;
    for format in [FileFormat::Pickle, FileFormat::Script] {
        let name = format.as_str();
        let mut files = manifest(&[("a.txt", "text"), ("model", name)]);
        files.files[1] = ManifestFile { format, ..file("model", name) };
        f.add("churn", uploaded(files, &["text", name])).await;
    }
    let gate = |permit: Value| json!({ "files": { "permit": permit } });
    passed(&judge(&f, 1, gate(json!([]))).await, "1 file");
    failed(&judge(&f, 2, gate(json!([]))).await, "model is pickle");
    failed(&judge(&f, 3, gate(json!(["pickle"]))).await, "model is script");
    passed(&judge(&f, 2, gate(json!(["pickle"]))).await, "2 files");
}

async fn a_trusted_key_must_have_signed(f: Fixture) {
    f.versions(1).await;
    let gate = || json!({ "signed": { "keys": [attestation(1, 0).key, attestation(2, 0).key] } });
    failed(&judge(&f, 1, gate()).await, "no trusted key");
    f.change_version(1, VersionChanges::default().with_attestation(attestation(3, 7))).await;
    failed(&judge(&f, 1, gate()).await, "no trusted key");
    f.change_version(1, VersionChanges::default().with_attestation(attestation(2, 7))).await;
    passed(&judge(&f, 1, gate()).await, "by 02020202");
}

async fn a_recovery_drill_must_have_passed_not_too_long_ago(f: Fixture) {
    f.versions(1).await;
    let gate =
        || json!({ "recovery_drill": { "within_hours": 24, "rpo_secs": 1.0, "rto_secs": 60.0 } });
    let drill = async |passed: bool, rpo: f64, rto: f64| {
        let at = crate::build::at(0);
        let body = json!({ "passed": passed, "rpo_secs": rpo, "rto_secs": rto, "at": at });
        let document = mlops_core::registry::PutDocument::new(key("drill"), key("latest"), body);
        f.store_document(document).await;
    };
    failed(&judge(&f, 1, gate()).await, "none");
    drill(false, 0.0, 1.0).await;
    failed(&judge(&f, 1, gate()).await, "failed");
    drill(true, 2.0, 1.0).await;
    failed(&judge(&f, 1, gate()).await, "RPO 2");
    drill(true, 0.0, 61.0).await;
    failed(&judge(&f, 1, gate()).await, "RTO 61");
    drill(true, 1.0, 60.0).await;
    passed(&judge(&f, 1, gate()).await, "passed");
    f.clock.advance_micros(24 * HOUR + 1);
    failed(&judge(&f, 1, gate()).await, "2023-11-14");
}

async fn a_gate_that_time_closes_after_the_plan_refuses(f: Fixture) {
    f.versions(1).await;
    f.change_version(1, VersionChanges::default().with_evidence(validation("s", 0))).await;
    let gate = json!({ "suite": { "name": "s", "within_hours": 1 } });
    f.store_document(rules(Stage::Production, &json!({ "gates": [gate] }))).await;
    let plan = f.plan(&into_stage(1, Stage::Production)).await.unwrap();
    assert!(plan.is_allowed());
    f.clock.advance_micros(HOUR + 1);
    fails(ErrorKind::Denied, f.registry.promote(&plan).await);
    assert!(f.holders(Stage::Production).await.is_empty());
}

async fn all_gates_are_judged_and_each_failed_one_is_named(f: Fixture) {
    scores(&f, &[0.5]).await;
    let gates = json!([
        { "metric": { "name": "auc", "at_least": 0.8 } },
        { "metric": { "name": "auc", "at_least": 0.1 } },
        "profile",
    ]);
    let all = json!({ "gates": gates, "from": ["Staging"], "approvals": { "count": 1 } });
    let stored = f.store_document(rules(Stage::Production, &all)).await;
    let plan = f.plan(&into_stage(1, Stage::Production)).await.unwrap();
    let results: Vec<_> = plan.gates.iter().map(|gate| gate.result).collect();
    let (yes, no) = (GateResult::Passed, GateResult::Failed);
    assert_eq!(results, [yes, no, no, yes, no, no], "{plan}");
    assert_eq!(plan.failed().count(), 4);
    assert_eq!(plan.policy, format!("default@{}", stored.version));
    let error = fails(ErrorKind::Denied, f.registry.promote(&plan).await);
    let named: Vec<_> = error.context().filter(|(name, _)| *name == "failed").collect();
    assert_eq!(named.len(), 4, "{error}");
}

async fn each_outcome_says_what_kind_of_condition_it_is(f: Fixture) {
    f.versions(1).await;
    let strict = json!({ "from": ["Staging"], "gates": ["profile"], "approvals": { "count": 1 } });
    f.store_document(rules(Stage::Production, &strict)).await;
    let request = into_stage(1, Stage::Production);
    f.say("ann", Verdict::Reject, &request).await.unwrap();
    for (request, origin) in [(request.clone(), "from"), (request.as_rollback(), "held_before")] {
        let plan = f.plan(&request).await.unwrap();
        let kinds: Vec<_> = plan.gates.iter().map(|outcome| outcome.kind.as_str()).collect();
        assert_eq!(kinds, ["role", origin, "profile", "rejections", "approvals"]);
    }
}
