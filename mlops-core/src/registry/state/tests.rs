//! A journal by hand, as text that other programs may have written, and what it makes.

use serde_json::{Value, json};

use super::*;
use crate::journal::Actor;
use crate::lineage::{NodeKind, Relation};
use crate::registry::{Manifest, ManifestFile, MoveCause};
use crate::time::{Instant, from_micros_lossy};
use crate::tracking::Digest;
use crate::{Alias, Error, ErrorKind};

const RUN: &str = "0191d2a0b1c27def8123456789abcdef";

/// Number `n` was written at `at(n)`.
fn at(n: u64) -> Instant {
    from_micros_lossy(1_700_000_000_000_000 + n as i64)
}

fn row(sequence: u64, actor: &str, operation: &str, node: &str, payload: Value) -> Event {
    Event {
        sequence,
        at: at(sequence),
        actor: Actor::new(actor).unwrap(),
        operation: operation.to_owned(),
        node: node.parse().unwrap(),
        payload,
    }
}

fn manifest(text: &str) -> Manifest {
    let file = ManifestFile {
        path: "model.json".parse().unwrap(),
        digest: Digest(*blake3::hash(text.as_bytes()).as_bytes()),
        size: text.len() as u64,
        format: crate::registry::FileFormat::Other,
    };
    let mut manifest = Manifest::new(vec![file]).unwrap();
    manifest.run = Some(serde_json::from_value(json!({"id": RUN, "status": "finished"})).unwrap());
    manifest
}

fn registered(text: &str) -> Value {
    let manifest = manifest(text);
    json!({
        "digest": manifest.digest(),
        "created": "2020-01-01T00:00:00.000000Z",
        "manifest": manifest,
    })
}

fn with(mut payload: Value, key: &str, value: Value) -> Value {
    payload[key] = value;
    payload
}

/// Version 2 comes with its stage; version 1 takes its place, and 2 is purged.
fn story() -> Vec<Event> {
    let basis = "00".repeat(32);
    let deleted = json!({"deleted": "2023-11-14T22:13:20.000013Z"});
    let approve = json!({"to": "Production", "verdict": "approve", "basis": basis});
    let promoted = json!({
        "to": "Production",
        "steps": [
            {"number": 2, "from": "Production", "to": "Archived"},
            {"number": 1, "from": "None", "to": "Production"},
        ],
        "gates": [{"kind": "role", "gate": "role contributor", "result": "passed", "evidence": "ann"}],
        "basis": basis,
        "reason": "better",
        "policy": "churn@1",
    });
    vec![
        row(1, "ann", "model.create", "model:churn", json!({"created": "2020-01-01T00:00:00Z"})),
        row(2, "ann", "version.register", "model_version:churn/1", registered("one")),
        row(
            3,
            "ann",
            "version.register",
            "model_version:churn/2",
            with(with(registered("two"), "stage", json!("Production")), "author", json!("bob")),
        ),
        row(4, "ann", "model.update", "model:churn", json!({"aliases": {"best": 1, "old": 1}})),
        row(5, "ann", "model.update", "model:churn", json!({"aliases": {"best": 2, "old": null}})),
        row(6, "eve", "version.decide", "model_version:churn/1", approve.clone()),
        row(
            7,
            "eve",
            "version.decide",
            "model_version:churn/1",
            with(approve.clone(), "verdict", json!("reject")),
        ),
        row(8, "zoe", "version.decide", "model_version:churn/1", approve.clone()),
        row(
            9,
            "eve",
            "version.decide",
            "model_version:churn/1",
            with(approve, "verdict", json!("withdraw")),
        ),
        row(10, "ann", "version.promote", "model_version:churn/1", promoted),
        row(
            11,
            "ann",
            "model.update",
            "model:churn",
            json!({"aliases": {"best": null}, "note": "n"}),
        ),
        row(12, "ann", "version.update", "model_version:churn/2", deleted),
        row(
            13,
            "ann",
            "document.put",
            "document:policy/a/b",
            json!({"version": 1, "body": {"x": 1}}),
        ),
        row(14, "ann", "document.delete", "document:policy/a/b", json!({"version": 2})),
        row(
            15,
            "ann",
            "lineage.link",
            "alarm:a",
            json!({"edges": [
                {"from": "model_version:churn/2", "to": "alarm:a", "relation": "about"},
                {"from": "model_version:churn/1", "to": "alarm:a", "relation": "about"},
            ]}),
        ),
        row(
            16,
            "ann",
            "run.update",
            &format!("run:{RUN}"),
            json!({"status": "finished", "inputs": [
                {"name": "rows", "digest": "sha256:1", "context": "train", "source": "s3://b/rows"},
            ]}),
        ),
        row(
            17,
            "ann",
            "version.purge",
            "model_version:churn/2",
            json!({"digest": manifest("two").digest()}),
        ),
    ]
}

fn replay(events: &[Event]) -> RegistryState {
    let mut state = RegistryState::default();
    for event in events {
        state.apply(event).unwrap();
    }
    state
}

fn until(sequence: usize) -> RegistryState {
    replay(&story()[..sequence])
}

fn id(number: u64) -> VersionId {
    VersionId::new("churn".parse().unwrap(), number)
}

fn model(state: &RegistryState) -> &Model {
    state.model(&id(1).model).unwrap()
}

fn aliases(state: &RegistryState, number: u64) -> Vec<&str> {
    state.version(&id(number)).unwrap().aliases.iter().map(Alias::as_str).collect()
}

/// The error of a row that must be refused, which must leave no trace.
fn refused(state: &RegistryState, event: &Event) -> Error {
    let mut after = state.clone();
    let error = after.apply(event).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{event:?}");
    let context: Vec<_> = error.context().collect();
    assert!(context.contains(&("sequence", &event.sequence.to_string())), "{error}");
    assert!(context.contains(&("operation", &event.operation)), "{error}");
    assert_eq!(after, *state, "{event:?}");
    error
}

#[test]
fn a_version_is_what_its_row_says_and_updated_by_what_happens_to_it() {
    let state = until(3);
    let (one, two) = (state.version(&id(1)).unwrap(), state.version(&id(2)).unwrap());
    assert_eq!((one.author.as_str(), two.author.as_str()), ("ann", "bob"));
    assert_eq!(
        (one.created, one.updated),
        (two.created, two.created),
        "both are imported instants"
    );
    assert_eq!(one.manifest, manifest("one"));
    assert_eq!((model(&state).last_number, model(&state).updated), (2, at(3)));
    assert_eq!(state.in_stage(&id(1).model, Stage::None), [1]);
    assert_eq!(model(&state).stages, [(Stage::Production, vec![2])].into());
    assert_eq!(until(12).version(&id(2)).unwrap().updated, at(12));
    assert_eq!(state.made(&Node::from(&id(2))), Some(3));
}

#[test]
fn an_alias_that_moves_is_at_both_versions_and_the_model() {
    assert_eq!(aliases(&until(4), 1), ["best", "old"]);
    let state = until(5);
    assert!(aliases(&state, 1).is_empty());
    assert_eq!(aliases(&state, 2), ["best"]);
    assert_eq!(model(&state).aliases, [("best".parse().unwrap(), 2)].into());
    for updated in [1, 2].map(|number| state.version(&id(number)).unwrap().updated) {
        assert_eq!(updated, at(5));
    }
    assert!(aliases(&until(11), 2).is_empty());
}

#[test]
fn the_last_word_of_each_actor_counts_and_a_withdrawn_one_is_none() {
    let words = |sequence| {
        let state = until(sequence);
        let words = state.approvals(&id(1), Stage::Production).iter();
        words.map(|word| (word.actor.to_string(), word.verdict.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(words(7), [("eve".to_owned(), "reject")]);
    assert_eq!(words(8), [("eve".to_owned(), "reject"), ("zoe".to_owned(), "approve")]);
    assert_eq!(words(9), [("zoe".to_owned(), "approve")]);
    assert!(until(9).approvals(&id(1), Stage::Staging).is_empty());
}

#[test]
fn a_promotion_moves_all_its_steps_and_says_the_evidence_of_its_own_version_only() {
    let state = until(10);
    let stages = [(Stage::Production, vec![1]), (Stage::Archived, vec![2])].into();
    assert_eq!(model(&state).stages, stages);
    assert!(state.in_stage(&id(1).model, Stage::None).is_empty());
    let [came, away, own] = state.stage_history(&id(1).model) else { panic!("three moves") };
    assert_eq!((came.cause, came.number, came.sequence), (MoveCause::Import, 2, 3));
    assert_eq!((away.cause, away.number, away.to), (MoveCause::Displaced, 2, Stage::Archived));
    assert_eq!((own.cause, own.number, own.to), (MoveCause::Promote, 1, Stage::Production));
    assert_eq!((away.reason.as_str(), away.policy.as_str()), ("better", "churn@1"));
    assert_eq!((away.gates.len(), own.gates.len()), (0, 1));
    let held =
        |n| StageMove::holders_at(state.stage_history(&id(1).model), Stage::Production, at(n));
    assert_eq!((held(9)[0].number, held(10)[0].number), (2, 1));
}

#[test]
fn versions_that_come_to_a_stage_later_are_further_at_the_end() {
    let mut events = story();
    events.truncate(3);
    let development = |number: u64, sequence| {
        let promoted = json!({
            "to": "Development", "gates": [], "basis": "00".repeat(32),
            "steps": [{"number": number, "from": "None", "to": "Development"}],
        });
        row(sequence, "ann", "version.promote", &format!("model_version:churn/{number}"), promoted)
    };
    events.push(row(4, "ann", "version.register", "model_version:churn/3", registered("three")));
    events.extend([development(3, 5), development(1, 6)]);
    let state = replay(&events);
    assert_eq!(model(&state).stages[&Stage::Development], [3, 1]);
}

#[test]
fn documents_keep_their_versions_and_names_with_slashes() {
    let (kind, name) = (Key::new("policy").unwrap(), Key::new("a/b").unwrap());
    let state = until(13);
    assert_eq!(state.document(&kind, &name).unwrap().body, Some(json!({"x": 1})));
    assert_eq!(state.documents(&kind).count(), 1);
    let state = until(14);
    assert_eq!((state.document(&kind, &name), state.documents(&kind).count()), (None, 0));
    let bodies: Vec<_> = state.document_history(&kind, &name).iter().map(|d| &d.body).collect();
    assert_eq!(bodies, [&Some(json!({"x": 1})), &None]);
}

#[test]
fn edges_come_with_versions_runs_and_stages_and_go_with_what_is_purged() {
    let has = |state: &RegistryState, from: &str, to: &str, relation| {
        let edge = Edge::new(from.parse::<Node>().unwrap(), to.parse::<Node>().unwrap(), relation);
        state.edges().contains(&edge)
    };
    let (one, two) = ("model_version:churn/1", "model_version:churn/2");
    let (run, stage) = (format!("run:{RUN}"), "stage:churn/Production");
    let state = until(9);
    assert!(has(&state, two, stage, Relation::In) && !has(&state, one, stage, Relation::In));
    let state = until(16);
    assert!(has(&state, one, stage, Relation::In) && !has(&state, two, stage, Relation::In));
    assert!(has(&state, "source:s3://b/rows", "dataset:rows@sha256:1", Relation::Contains));
    assert!(has(&state, "dataset:rows@sha256:1", &run, Relation::Read));
    assert!(has(&state, two, "alarm:a", Relation::About));

    let mut state = until(17);
    assert!(
        !has(&state, two, "alarm:a", Relation::About)
            && !has(&state, &run, two, Relation::Produced)
    );
    assert!(
        has(&state, one, "alarm:a", Relation::About) && has(&state, &run, one, Relation::Produced)
    );
    state.apply(&row(18, "ann", "run.purge", &run, json!({}))).unwrap();
    let run: Node = run.parse().unwrap();
    assert!(state.edges().iter().all(|edge| edge.from != run && edge.to != run));
}

#[test]
fn numbers_of_a_purged_model_go_on_when_it_is_made_again() {
    let purge = vec![
        row(
            4,
            "ann",
            "version.purge",
            "model_version:churn/1",
            json!({"digest": manifest("one").digest()}),
        ),
        row(
            5,
            "ann",
            "version.purge",
            "model_version:churn/2",
            json!({"digest": manifest("two").digest()}),
        ),
        row(6, "ann", "model.purge", "model:churn", json!({"last_number": 2})),
    ];
    let mut state = replay(&[&story()[..3], &purge].concat());
    assert_eq!((state.model(&id(1).model), state.last_number(&id(1).model)), (None, 2));
    assert!(state.versions().is_empty());
    assert!(state.stage_history(&id(1).model).is_empty());
    let forgotten = json!({"created": "2020-01-01T00:00:00Z"});
    refused(&state, &row(7, "ann", "model.create", "model:churn", forgotten.clone()));
    let created = with(forgotten, "last_number", json!(2));
    state.apply(&row(7, "ann", "model.create", "model:churn", created)).unwrap();
    refused(&state, &row(8, "ann", "version.register", "model_version:churn/2", registered("two")));
}

#[test]
fn what_other_programs_write_about_other_things_is_skipped() {
    let mut state = until(3);
    let before = state.clone();
    state.apply(&row(4, "ann", "rollout.start", "rollout:r", json!(["anything"]))).unwrap();
    assert_eq!((state.sequence(), state.models()), (4, before.models()));
    refused(&state, &row(4, "ann", "rollout.start", "rollout:r", json!(null)));
}

#[test]
fn a_damaged_row_is_corrupt_by_its_number_and_changes_nothing() {
    let events = story();
    for (n, event) in events.iter().enumerate() {
        let state = until(n);
        let damage = |change: &dyn Fn(&mut Event)| {
            let mut damaged = event.clone();
            change(&mut damaged);
            refused(&state, &damaged)
        };
        damage(&|row| row.payload = Value::Null);
        damage(&|row| row.payload = json!([]));
        damage(&|row| row.sequence = n as u64);
        if event.operation == "run.update" {
            damage(&|row| row.payload["inputs"] = json!([{"name": "rows"}]));
            continue;
        }
        damage(&|row| row.payload["surprise"] = json!(1));
        if event.operation != "lineage.link" {
            damage(&|row| row.node = Node::new(NodeKind::Run, RUN));
            damage(&|row| row.node.id = "/x".into());
        }
    }
}

#[test]
fn a_row_without_what_it_must_say_is_corrupt() {
    for (n, needed) in [
        (0, vec!["created"]),
        (1, vec!["digest", "created", "manifest"]),
        (5, vec!["to", "verdict", "basis"]),
        (9, vec!["to", "steps", "gates", "basis"]),
        (12, vec!["version", "body"]),
        (13, vec!["version"]),
        (14, vec!["edges"]),
        (16, vec!["digest"]),
    ] {
        for key in needed {
            let mut damaged = story()[n].clone();
            damaged.payload.as_object_mut().unwrap().remove(key).unwrap();
            refused(&until(n), &damaged);
        }
    }
}

#[test]
fn a_row_that_contradicts_those_before_it_is_corrupt() {
    let state = until(9);
    let events = story();
    let promote = |steps: Value| {
        let mut event = events[9].clone();
        event.payload["steps"] = steps;
        refused(&state, &event)
    };
    promote(json!([]));
    promote(json!([{"number": 1, "from": "Staging", "to": "Production"}]));
    promote(json!([{"number": 1, "from": "None", "to": "Staging"}]));
    promote(
        json!([{"number": 9, "from": "None", "to": "Archived"}, {"number": 1, "from": "None", "to": "Production"}]),
    );
    let own = json!({"number": 1, "from": "None", "to": "Production"});
    promote(json!([own, own]));

    let next = |operation: &str, node: &str, payload| {
        refused(&state, &row(10, "ann", operation, node, payload))
    };
    next("version.register", "model_version:churn/2", registered("two"));
    next("version.register", "model_version:other/1", registered("two"));
    next(
        "version.register",
        "model_version:churn/3",
        with(registered("3"), "digest", json!("00".repeat(32))),
    );
    next("model.create", "model:churn", json!({"created": "2020-01-01T00:00:00Z"}));
    next("model.update", "model:churn", json!({"aliases": {"best": 3}}));
    next("model.update", "model:other", json!({"note": "n"}));
    next("model.purge", "model:churn", json!({"last_number": 2}));
    next("version.update", "model_version:churn/3", json!({"note": "n"}));
    next("version.purge", "model_version:churn/1", json!({"digest": "00".repeat(32)}));
    next("document.put", "document:policy/churn", json!({"version": 2, "body": 1}));
    next("document.put", "document:policy", json!({"version": 1, "body": 1}));
}
