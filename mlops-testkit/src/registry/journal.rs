//! What the registry writes into the journal, and how far its readers have come.

use mlops_core::ErrorKind;
use mlops_core::journal::Event;
use mlops_core::lineage::Relation;
use mlops_core::registry::{
    CreateModel, ImportedVersion, ModelChanges, ModelPurge, PutDocument, Stage, Verdict,
    VersionChanges, events,
};
use mlops_core::tracking::{DatasetContext, RunChanges, RunStatus};
use serde_json::{Value, json};

use super::replay::explains;
use crate::build::{
    ACTOR, actor, alias, at, attestation, churn, dataset, edge, into_stage, key, made_by,
    model_name, rules, validation, version,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        making_a_model_writes_what_it_is,
        each_change_of_a_model_writes_one_row_that_says_what_changed,
        registering_writes_everything_that_the_version_is,
        each_change_of_a_version_writes_one_row_that_says_what_changed,
        a_promotion_writes_one_row_with_policy_evidence_and_approvals,
        a_rollback_says_that_it_is_one,
        each_verdict_writes_one_row,
        withdrawing_what_was_never_said_writes_no_row,
        a_document_writes_its_body_and_a_deletion_its_number,
        purging_writes_a_row_for_each_version_and_then_for_each_model,
        a_call_of_the_registry_that_changes_nothing_writes_no_row,
        a_call_of_the_registry_that_is_refused_writes_no_row,
        rows_of_the_registry_name_actor_and_instant,
        rows_of_the_registry_are_sealed_and_proved,
        replaying_the_journal_gives_the_registry,
    ]
}

/// Asserts that one row was written since there were `rows`.
async fn one_row(f: &Fixture, rows: usize) -> Event {
    let mut events = f.events_after(rows).await;
    assert_eq!(events.len(), 1, "one row for one change: {events:?}");
    events.remove(0)
}

#[track_caller]
fn is(event: &Event, operation: &str, node: &str, payload: &Value) {
    assert_eq!((event.operation.as_str(), event.node.to_string().as_str()), (operation, node));
    assert_eq!(event.payload, *payload);
}

const NOW: &str = "2023-11-14T22:13:20.000007Z";

async fn making_a_model_writes_what_it_is(f: Fixture) {
    f.clock.advance_micros(7);
    let options = CreateModel::default().with_note("x").with_tag(key("a"), "1");
    f.registry.create_model(&model_name("churn"), options.with_created(at(0))).await.unwrap();
    let created = "2023-11-14T22:13:20.000000Z";
    let payload = json!({ "created": created, "note": "x", "tags": { "a": "1" } });
    is(&one_row(&f, 0).await, events::MODEL_CREATE, "model:churn", &payload);
    f.make_model("m").await;
    is(&one_row(&f, 1).await, events::MODEL_CREATE, "model:m", &json!({ "created": NOW }));
}

async fn each_change_of_a_model_writes_one_row_that_says_what_changed(f: Fixture) {
    f.versions(2).await;
    f.clock.advance_micros(7);
    let change = ModelChanges::default;
    for (changes, payload) in [
        (change().with_note("x"), json!({ "note": "x" })),
        (change().with_note("x").with_tag(key("a"), "1"), json!({ "tags": { "a": "1" } })),
        (change().without_tag(key("a")).without_tag(key("b")), json!({ "removed_tags": ["a"] })),
        (
            change().with_alias(alias("a"), 1).with_alias(alias("b"), 2).without_alias(alias("c")),
            json!({ "aliases": { "a": 1, "b": 2 } }),
        ),
        (
            change().with_alias(alias("a"), 2).with_alias(alias("b"), 2),
            json!({ "aliases": { "a": 2 } }),
        ),
        (
            change().without_alias(alias("a")).without_alias(alias("b")),
            json!({ "aliases": { "a": null, "b": null } }),
        ),
        (ModelChanges::delete(), json!({ "deleted": NOW })),
        (ModelChanges::restore(), json!({ "deleted": null })),
    ] {
        let rows = f.rows().await;
        f.change_model(changes).await;
        is(&one_row(&f, rows).await, events::MODEL_UPDATE, "model:churn", &payload);
    }
}

async fn registering_writes_everything_that_the_version_is(f: Fixture) {
    f.make_model("churn").await;
    f.clock.advance_micros(7);
    f.add("churn", version("1")).await;
    let made = f.read_version(1).await;
    let payload = json!({ "digest": made.digest, "created": NOW, "manifest": made.manifest });
    is(&one_row(&f, 1).await, events::VERSION_REGISTER, "model_version:churn/1", &payload);

    let facts = ImportedVersion::default().with_author(actor("ann")).with_created(at(0));
    let options = version("2")
        .with_imported(facts.with_number(5).with_stage(Stage::Production))
        .with_origin("dev#churn/5")
        .with_note("x")
        .with_tag(key("a"), "1")
        .with_evidence(validation("s", 0))
        .with_attestation(attestation(1, 1));
    f.add("churn", options).await;
    let made = f.read_version(5).await;
    let payload = json!({
        "digest": made.digest,
        "created": "2023-11-14T22:13:20.000000Z",
        "manifest": made.manifest,
        "author": "ann",
        "origin": "dev#churn/5",
        "note": "x",
        "tags": { "a": "1" },
        "evidence": [validation("s", 0)],
        "attestations": [attestation(1, 1)],
        "stage": "Production",
    });
    is(&one_row(&f, 2).await, events::VERSION_REGISTER, "model_version:churn/5", &payload);
}

async fn each_change_of_a_version_writes_one_row_that_says_what_changed(f: Fixture) {
    f.versions(1).await;
    f.clock.advance_micros(7);
    let change = VersionChanges::default;
    let (old, new) = (validation("s", 1), validation("s", 0));
    for (changes, payload) in [
        (change().with_note("x"), json!({ "note": "x" })),
        (change().with_note("x").with_tag(key("a"), "1"), json!({ "tags": { "a": "1" } })),
        (change().without_tag(key("a")).without_tag(key("b")), json!({ "removed_tags": ["a"] })),
        (change().with_evidence(old.clone()), json!({ "evidence": [old] })),
        (
            change().with_evidence(new.clone()).with_attestation(attestation(1, 1)),
            json!({ "evidence": [new], "attestations": [attestation(1, 1)] }),
        ),
        (
            change().with_evidence(new.clone()).with_attestation(attestation(1, 2)),
            json!({ "attestations": [attestation(1, 2)] }),
        ),
        (VersionChanges::delete(), json!({ "deleted": NOW })),
        (VersionChanges::restore(), json!({ "deleted": null })),
    ] {
        let rows = f.rows().await;
        f.change_version(1, changes).await;
        let node = "model_version:churn/1";
        is(&one_row(&f, rows).await, events::VERSION_UPDATE, node, &payload);
    }
}

async fn a_promotion_writes_one_row_with_policy_evidence_and_approvals(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    let strict = json!({ "gates": [{ "files": {} }], "approvals": { "count": 1 } });
    f.store_document(rules(Stage::Production, &strict)).await;
    let request = into_stage(2, Stage::Production).with_reason("better");
    f.say("ann", Verdict::Approve, &request).await.unwrap();
    let rows = f.rows().await;
    let done = f.apply(&request).await.unwrap();
    let payload = json!({
        "to": "Production",
        "steps": [
            { "number": 1, "from": "Production", "to": "Archived" },
            { "number": 2, "from": "None", "to": "Production" },
        ],
        "gates": done.gates,
        "basis": done.basis,
        "reason": "better",
        "policy": "default@1",
        "approvals": done.approvals,
    });
    assert_eq!((done.gates.len(), done.approvals.len()), (3, 1));
    is(&one_row(&f, rows).await, events::VERSION_PROMOTE, "model_version:churn/2", &payload);
}

async fn a_rollback_says_that_it_is_one(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    f.promote(2, Stage::Production).await;
    let rows = f.rows().await;
    let done = f.apply(&into_stage(1, Stage::Production).as_rollback()).await.unwrap();
    let event = one_row(&f, rows).await;
    assert_eq!(event.operation, events::VERSION_ROLLBACK);
    assert_eq!(event.payload, events::promote(&done));
}

async fn each_verdict_writes_one_row(f: Fixture) {
    f.versions(1).await;
    let plan = f.plan(&into_stage(1, Stage::Production)).await.unwrap();
    for (verdict, comment) in [
        (Verdict::Approve, ""),
        (Verdict::Approve, "looked again"),
        (Verdict::Reject, "no"),
        (Verdict::Withdraw, "sorry"),
    ] {
        f.clock.advance_micros(1);
        let rows = f.rows().await;
        f.by("ann").decide(&plan, verdict, comment).await.unwrap();
        let event = one_row(&f, rows).await;
        let mut payload = json!({ "to": "Production", "verdict": verdict, "basis": plan.basis });
        if !comment.is_empty() {
            payload["comment"] = json!(comment);
        }
        is(&event, events::VERSION_DECIDE, "model_version:churn/1", &payload);
        assert_eq!(event.actor.as_str(), "ann");
    }
}

async fn withdrawing_what_was_never_said_writes_no_row(f: Fixture) {
    f.versions(1).await;
    let request = into_stage(1, Stage::Production);
    f.say("bob", Verdict::Approve, &request).await.unwrap();
    let rows = f.rows().await;
    f.say("ann", Verdict::Withdraw, &request).await.unwrap();
    assert_eq!(f.rows().await, rows, "a call that changes nothing writes none");
    f.say("bob", Verdict::Withdraw, &request).await.unwrap();
    f.say("bob", Verdict::Withdraw, &request).await.unwrap();
    assert_eq!(f.rows().await, rows + 1);
}

async fn a_document_writes_its_body_and_a_deletion_its_number(f: Fixture) {
    let put = |body: Value| PutDocument::new(key("suite"), key("a/b"), body);
    f.store_document(put(json!({ "x": [1, null] }))).await;
    let payload = json!({ "version": 1, "body": { "x": [1, null] } });
    is(&one_row(&f, 0).await, events::DOCUMENT_PUT, "document:suite/a/b", &payload);
    f.store_document(put(json!([null]))).await;
    let payload = json!({ "version": 2, "body": [null] });
    is(&one_row(&f, 1).await, events::DOCUMENT_PUT, "document:suite/a/b", &payload);
    f.store_document(PutDocument::delete(key("suite"), key("a/b"))).await;
    is(
        &one_row(&f, 2).await,
        events::DOCUMENT_DELETE,
        "document:suite/a/b",
        &json!({ "version": 3 }),
    );
}

async fn purging_writes_a_row_for_each_version_and_then_for_each_model(f: Fixture) {
    f.versions(2).await;
    f.make_model("a").await;
    f.add("a", version("a")).await;
    f.change_model(ModelChanges::delete()).await;
    f.registry.update_model(&model_name("a"), ModelChanges::delete()).await.unwrap();
    let digests = [f.read_version(1).await.digest, f.read_version(2).await.digest];
    let before = f.events_after(0).await;
    f.purge_models(ModelPurge::Models(vec![model_name("churn"), model_name("a")])).await;
    let after = f.events_after(0).await;
    assert_eq!(after[..before.len()], before[..]);
    let rows: Vec<_> = after[before.len()..]
        .iter()
        .map(|event| (event.operation.as_str(), event.node.to_string(), event.payload.clone()))
        .collect();
    let a = version("a").manifest.digest();
    let expected = [
        ("version.purge", "model_version:a/1".to_owned(), json!({ "digest": a })),
        ("version.purge", "model_version:churn/1".to_owned(), json!({ "digest": digests[0] })),
        ("version.purge", "model_version:churn/2".to_owned(), json!({ "digest": digests[1] })),
        ("model.purge", "model:a".to_owned(), json!({ "last_number": 1 })),
        ("model.purge", "model:churn".to_owned(), json!({ "last_number": 2 })),
    ];
    assert_eq!(rows, expected);
    f.make_model("churn").await;
    assert_eq!(f.events_after(after.len()).await[0].payload["last_number"], json!(2));
}

async fn a_call_of_the_registry_that_changes_nothing_writes_no_row(f: Fixture) {
    f.versions(2).await;
    let model = || ModelChanges::default().with_note("x").with_tag(key("a"), "1");
    f.change_model(model().with_alias(alias("a"), 1)).await;
    let all = || {
        let changes = VersionChanges::default().with_note("x").with_tag(key("a"), "1");
        changes.with_evidence(validation("s", 0)).with_attestation(attestation(1, 1))
    };
    f.change_version(1, all()).await;
    let rows = f.rows().await;
    f.clock.advance_micros(1);
    f.change_model(model().with_alias(alias("a"), 1)).await;
    f.change_model(ModelChanges::default().expecting_alias(alias("a"), Some(1))).await;
    f.change_model(ModelChanges::restore()).await;
    f.change_version(1, all()).await;
    f.change_version(2, VersionChanges::restore().clone()).await;
    f.add("churn", version("2").with_reuse()).await;
    f.plan(&into_stage(1, Stage::Production)).await.unwrap();
    f.registry.stage_history(&model_name("churn")).await.unwrap();
    assert_eq!(f.rows().await, rows);
}

async fn a_call_of_the_registry_that_is_refused_writes_no_row(f: Fixture) {
    f.versions(1).await;
    f.store_document(rules(Stage::Production, &json!({ "gates": ["profile"] }))).await;
    let rows = f.rows().await;
    let name = model_name("churn");
    fails(ErrorKind::AlreadyExists, f.registry.create_model(&name, CreateModel::default()).await);
    let to_nothing = ModelChanges::default().with_note("x").with_alias(alias("a"), 9);
    fails(ErrorKind::NotFound, f.registry.update_model(&name, to_nothing).await);
    let wrong = version("1").with_imported(ImportedVersion::default().with_number(1));
    fails(ErrorKind::Conflict, f.registry.register(&name, wrong).await);
    let both = VersionChanges::delete().with_note("x");
    fails(ErrorKind::Invalid, f.registry.update_version(&churn(1), both).await);
    fails(ErrorKind::Denied, f.apply(&into_stage(1, Stage::Production)).await);
    let own = into_stage(1, Stage::Production);
    fails(ErrorKind::Denied, f.say(ACTOR, Verdict::Approve, &own).await);
    let stale = PutDocument::new(key("suite"), key("x"), json!(1)).expecting(3);
    fails(ErrorKind::Conflict, f.catalog.put_document(stale).await);
    assert_eq!(f.rows().await, rows);
}

async fn rows_of_the_registry_name_actor_and_instant(f: Fixture) {
    f.make_model("churn").await;
    f.clock.advance_micros(5);
    f.by("ann@läptop").register(&model_name("churn"), version("1")).await.unwrap();
    f.clock.advance_micros(-3);
    let plan = f.plan(&into_stage(1, Stage::Staging)).await.unwrap();
    f.by("bob").promote(&plan).await.unwrap();
    let seen: Vec<_> = f
        .events_after(0)
        .await
        .into_iter()
        .map(|e| (e.sequence, e.actor.to_string(), e.at))
        .collect();
    let expected = [(1, ACTOR, at(0)), (2, "ann@läptop", at(5)), (3, "bob", at(2))];
    assert_eq!(seen, expected.map(|(n, who, at)| (n, who.to_owned(), at)));
}

async fn rows_of_the_registry_are_sealed_and_proved(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    let sealed = f.journal.seal().await.unwrap();
    assert_eq!((sealed.events, sealed.sealed), (4, 4));
    f.promote(2, Stage::Production).await;
    let proof = f.journal.verify().await.unwrap();
    assert_eq!((proof.events, proof.sealed, proof.head), (5, 4, sealed.head));
}

/// One of everything, and after each of them the journal must say what the store says.
async fn replaying_the_journal_gives_the_registry(f: Fixture) {
    let check = async |what: &str| {
        if let Err(difference) = explains(&f).await {
            panic!("after {what}: {difference}");
        }
    };
    let run = f.one_run().await;
    check("nothing").await;
    f.versions(3).await;
    let train = dataset("iris", "sha256:1", DatasetContext::Train).with_source("s3://raw");
    f.change(run.id, RunChanges::default().with_input(train.clone())).await;
    let mut options = made_by("4", run.id, RunStatus::Running).with_evidence(validation("s", 0));
    options.manifest.inputs.push(train);
    options.manifest.metrics = [(key("nan"), f64::NAN), (key("inf"), f64::INFINITY)].into();
    f.by("ann").register(&model_name("churn"), options).await.unwrap();
    check("registering").await;
    let aliases = ModelChanges::default().with_alias(alias("a"), 1).with_alias(alias("b"), 2);
    f.change_model(aliases.with_tag(key("t"), "1")).await;
    f.clock.advance_micros(3);
    f.change_model(ModelChanges::default().with_alias(alias("a"), 2).without_alias(alias("b")))
        .await;
    check("aliases").await;
    f.change_version(1, VersionChanges::default().with_attestation(attestation(2, 2))).await;
    f.change_version(1, VersionChanges::default().with_attestation(attestation(1, 1))).await;
    f.store_document(rules(Stage::Production, &json!({ "approvals": { "count": 1 } }))).await;
    for number in [1, 4] {
        f.say("bob", Verdict::Approve, &into_stage(number, Stage::Production)).await.unwrap();
        f.promote(number, Stage::Production).await;
    }
    f.say("bob", Verdict::Withdraw, &into_stage(1, Stage::Production)).await.unwrap();
    f.say("cat", Verdict::Reject, &into_stage(2, Stage::Production)).await.unwrap();
    check("promotions").await;
    f.apply(&into_stage(1, Stage::Production).as_rollback().with_reason("ü")).await.unwrap();
    f.promote(3, Stage::Development).await;
    f.promote(3, Stage::None).await;
    check("a rollback").await;
    f.lineage.link(&[edge("run:x", Relation::About, "alarm:y")]).await.unwrap();
    f.store_document(PutDocument::delete(key("policy"), key("default"))).await;
    f.make_model("gone").await;
    f.add("gone", version("g")).await;
    let gone = model_name("gone");
    f.registry.update_model(&gone, ModelChanges::delete()).await.unwrap();
    f.change_version(3, VersionChanges::delete()).await;
    f.change_version(4, VersionChanges::delete()).await;
    check("the trash").await;
    f.purge_models(ModelPurge::DeletedBefore(at(4))).await;
    f.make_model("gone").await;
    let facts = ImportedVersion::default().with_number(7).with_stage(Stage::Staging);
    f.add("gone", version("h").with_imported(facts.with_author(actor("eve")))).await;
    check("a purge and an import").await;
}
