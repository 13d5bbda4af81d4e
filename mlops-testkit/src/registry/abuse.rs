//! Ways round a policy that somebody thought of: each was open once.

use mlops_core::registry::{
    DrillSummary, Evidence, GateResult, ImportedVersion, PromotionPlan, PutDocument, Stage,
    StagePolicy, Verdict, VersionChanges,
};
use mlops_core::tracking::{DatasetContext, DatasetInput};
use mlops_core::{ErrorKind, MAX_JSON_DEPTH};
use serde_json::{Value, json};

use crate::build::{
    actor, at, churn, evaluation, into_stage, key, rules, scored, validation, version,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        an_approval_is_used_up_by_the_move_that_it_allowed,
        a_rejection_given_after_the_version_served_stands_in_a_rollback,
        the_author_of_a_copied_version_cannot_approve_it,
        the_one_who_registered_a_version_of_anothers_cannot_approve_it,
        a_finding_from_the_future_is_not_fresh,
        a_drill_from_the_future_is_not_fresh,
        evaluations_that_do_not_name_their_data_are_not_compared,
        a_displaced_version_does_not_pass_the_rules_of_another_stage,
        json_that_would_not_come_back_is_invalid,
        an_object_of_another_size_than_the_known_one_is_invalid,
    ]
}

async fn an_approval_is_used_up_by_the_move_that_it_allowed(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    f.promote(2, Stage::Staging).await;
    f.store_document(rules(Stage::Production, &json!({ "approvals": { "count": 1 } }))).await;
    let request = into_stage(2, Stage::Production);
    f.say("ann", Verdict::Approve, &request).await.unwrap();
    f.apply(&request).await.unwrap();
    f.apply(&into_stage(1, Stage::Production).as_rollback()).await.unwrap();
    // Everything that ann saw is so again.
    f.promote(2, Stage::Staging).await;
    let refused = fails(ErrorKind::Denied, f.apply(&request).await);
    assert!(refused.to_string().contains("0 of 1"), "{refused}");
}

async fn a_rejection_given_after_the_version_served_stands_in_a_rollback(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    f.clock.advance_micros(1_000_000);
    f.promote(2, Stage::Production).await;
    f.say("ann", Verdict::Reject, &into_stage(1, Stage::Production)).await.unwrap();
    let back = into_stage(1, Stage::Production).as_rollback();
    fails(ErrorKind::Denied, f.apply(&back).await);
    f.say("ann", Verdict::Withdraw, &into_stage(1, Stage::Production)).await.unwrap();
    f.apply(&back).await.unwrap();
}

async fn the_author_of_a_copied_version_cannot_approve_it(f: Fixture) {
    f.make_model("churn").await;
    let copy = version("1").with_origin("dev#churn/7").with_author(actor("ann"));
    let made = f.add("churn", copy).await.version;
    assert_eq!((made.author.as_str(), &made.registrar), ("ann", &actor(crate::build::ACTOR)));
    assert_eq!(f.read_version(1).await, made);
    for who in ["ann", crate::build::ACTOR] {
        let said = f.say(who, Verdict::Approve, &into_stage(1, Stage::Production)).await;
        fails(ErrorKind::Denied, said);
    }
    f.say("bea", Verdict::Approve, &into_stage(1, Stage::Production)).await.unwrap();
    let forged = version("2").with_author(actor("somebody else"));
    fails(ErrorKind::Invalid, f.registry.register(&"churn".parse().unwrap(), forged).await);
}

async fn the_one_who_registered_a_version_of_anothers_cannot_approve_it(f: Fixture) {
    f.make_model("churn").await;
    let imported = ImportedVersion::default().with_author(actor("ann"));
    f.add("churn", version("1").with_imported(imported)).await;
    let own = f.say(crate::build::ACTOR, Verdict::Approve, &into_stage(1, Stage::Production)).await;
    fails(ErrorKind::Denied, own);
}

async fn passes(f: &Fixture, gate: Value) -> bool {
    f.store_document(rules(Stage::Production, &json!({ "gates": [gate] }))).await;
    let plan: PromotionPlan = f.plan(&into_stage(1, Stage::Production)).await.unwrap();
    plan.gates.last().unwrap().result == GateResult::Passed
}

async fn a_finding_from_the_future_is_not_fresh(f: Fixture) {
    f.versions(1).await;
    let gate = || json!({ "suite": { "name": "s", "within_hours": 1.0 } });
    let Evidence::Validation(mut report) = validation("s", 0) else { unreachable!() };
    for (ahead_secs, fresh) in [(0, true), (600, true), (86_400, false)] {
        report.at = at(ahead_secs * 1_000_000);
        let found = Evidence::Validation(report.clone());
        f.change_version(1, VersionChanges::default().with_evidence(found)).await;
        assert_eq!(passes(&f, gate()).await, fresh, "{ahead_secs} s ahead");
    }
}

async fn a_drill_from_the_future_is_not_fresh(f: Fixture) {
    f.versions(1).await;
    let gate = || json!({ "recovery_drill": { "within_hours": 1.0 } });
    for (ahead_secs, fresh) in [(0, true), (86_400, false)] {
        let at = at(ahead_secs * 1_000_000);
        let drill = DrillSummary { passed: true, rpo_secs: 0.0, rto_secs: 1.0, at };
        let body = serde_json::to_value(drill).unwrap();
        f.store_document(PutDocument::new(key("drill"), key("latest"), body)).await;
        assert_eq!(passes(&f, gate()).await, fresh, "{ahead_secs} s ahead");
    }
}

async fn evaluations_that_do_not_name_their_data_are_not_compared(f: Fixture) {
    f.make_model("churn").await;
    for (content, auc) in [("1", 0.9), ("2", 0.8)] {
        let Evidence::Evaluation(mut report) = evaluation("e", "d", "auc", auc) else {
            unreachable!()
        };
        report.data = None;
        f.add("churn", scored(content, auc).with_evidence(Evidence::Evaluation(report))).await;
    }
    f.promote(2, Stage::Production).await;
    let gate = json!({ "better_than_current":
        { "name": "auc", "evaluation": "e", "direction": "higher" } });
    assert!(!passes(&f, gate).await);
}

async fn a_displaced_version_does_not_pass_the_rules_of_another_stage(f: Fixture) {
    let refused = [
        json!({ "Staging": { "displaced_to": "Production" } }),
        json!({ "Production": { "displaced_to": "Staging" } }),
        json!({ "Archived": { "holders": "one" } }),
        json!({ "Archived": { "gates": ["profile"] } }),
        json!({ "Production": { "displaced_to": "Development" },
                "Development": { "approvals": { "count": 1 } } }),
    ];
    for stages in refused {
        let body = json!({ "stages": stages });
        let policy: StagePolicy = serde_json::from_value(body.clone()).unwrap();
        fails(ErrorKind::Invalid, policy.check());
        let put = PutDocument::new(key("policy"), key("default"), body);
        fails(ErrorKind::Invalid, f.catalog.put_document(put).await);
    }
    let fine =
        json!({ "Production": { "displaced_to": "Staging" }, "Staging": { "holders": "many" } });
    let policy: StagePolicy = serde_json::from_value(json!({ "stages": fine })).unwrap();
    policy.check().unwrap();
}

async fn json_that_would_not_come_back_is_invalid(f: Fixture) {
    f.versions(1).await;
    let deep = (0..=MAX_JSON_DEPTH).fold(json!(1), |inner, _| json!([inner]));
    for bad in [Value::Null, deep] {
        let mut options = version("2");
        options.manifest.environment = Some(bad.clone());
        fails(ErrorKind::Invalid, f.registry.register(&"churn".parse().unwrap(), options).await);
        let mut options = version("2");
        let input = DatasetInput::new(key("d"), key("x:1"), DatasetContext::Train);
        options.manifest.inputs = vec![input.with_schema(bad.clone())];
        fails(ErrorKind::Invalid, f.registry.register(&"churn".parse().unwrap(), options).await);
        let put = PutDocument::new(key("note"), key("n"), bad);
        fails(ErrorKind::Invalid, f.catalog.put_document(put).await);
    }
}

async fn an_object_of_another_size_than_the_known_one_is_invalid(f: Fixture) {
    f.versions(1).await;
    let mut options = version("1");
    options.manifest.files[0].size += 1;
    options.objects[0].blob.size += 1;
    fails(ErrorKind::Invalid, f.registry.register(&churn(1).model, options).await);
}
