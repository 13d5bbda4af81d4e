//! What the numbers of a random call of a registry stand for.

use mlops_core::ModelName;
use mlops_core::journal::Actor;
use mlops_core::registry::{
    ImportedVersion, ModelChanges, PromotionRequest, PutDocument, RegisterVersion, Selector,
    SourceRun, Stage, VersionChanges, VersionId,
};
use mlops_core::tracking::{DatasetContext, RunStatus};
use serde_json::json;

use super::registry_calls::{Call, ModelPart, VersionPart};
use crate::build::{
    ACTOR, access, actor, alias, attestation, blob, dataset, evaluation, key, manifest, model_name,
    policy, run_id, validation,
};

pub(super) fn model(n: u8) -> ModelName {
    model_name(["churn", "Churn", "it's 100"][n as usize])
}

pub(super) fn id(m: u8, number: u64) -> VersionId {
    VersionId::new(model(m), number)
}

/// The first is the author of most versions, the last has no role where there are rules.
pub(super) fn who(n: u8) -> Actor {
    actor([ACTOR, "ann", "bob", "eve"][n as usize])
}

pub(super) const TEXTS: [&str; 3] = ["", "it's", "ü\n2"];

pub(super) fn request(m: u8, number: u64, to: Stage, rollback: bool) -> PromotionRequest {
    let request = PromotionRequest::new(id(m, number), to).with_reason("why");
    if rollback { request.as_rollback() } else { request }
}

pub(super) fn selector(which: u8) -> Selector {
    match which {
        0..6 => Selector::Number(which.into()),
        6..9 => Selector::Alias(alias(&format!("alias {}", which - 6))),
        9..14 => Selector::Stage(Stage::ALL[which as usize - 9]),
        _ => Selector::Latest,
    }
}

/// A file that all versions share, and one of its own; the params make manifests differ.
pub(super) fn registration(call: &Call) -> (u8, RegisterVersion) {
    let (model, content) = match call {
        Call::Register { model, content, .. } | Call::Import { model, content, .. } => {
            (*model, format!("content {content}"))
        }
        _ => (0, String::new()),
    };
    let mut manifest = manifest(&[("model.bin", &content), ("shared", "shared")]);
    let auc = content.len() as f64 + f64::from(content.bytes().last().unwrap_or(0));
    manifest
        .metrics
        .insert(key("auc"), if (auc as u64).is_multiple_of(5) { f64::NAN } else { auc });
    let object = |content: &str, place: &str| blob(content, &format!("{place}/{content}"));
    let mut options = RegisterVersion::new(manifest);
    match call {
        Call::Register { extra, run, reuse, known, elsewhere, .. } => {
            if *extra > 0 {
                options.manifest.params.insert(key("k"), extra.to_string());
            }
            let status = RunStatus::Finished;
            options.manifest.run = run.map(|n| SourceRun { id: run_id(n), status });
            if *extra == 2 {
                let train = dataset("iris", "sha256:1", DatasetContext::Train);
                options.manifest.inputs.push(train.with_source("s3://raw"));
            }
            options.reuse = *reuse;
            let place = if *elsewhere { "w" } else { "v" };
            options = options.with_uploaded(object("shared", place));
            let own = object(&content, place);
            let options = if *known { options.with_known(own) } else { options.with_uploaded(own) };
            (model, options)
        }
        Call::Import { number, stage, .. } => {
            let mut facts = ImportedVersion::default().with_stage(*stage).with_author(who(1));
            facts.number = *number;
            let options = options.with_uploaded(object("shared", "v"));
            (model, options.with_uploaded(object(&content, "v")).with_imported(facts))
        }
        _ => (model, options),
    }
}

pub(super) fn model_changes(parts: &[ModelPart]) -> ModelChanges {
    parts.iter().fold(ModelChanges::default(), |mut changes, part| match part {
        ModelPart::Note(n) => changes.with_note(TEXTS[*n as usize]),
        ModelPart::Tag(k, v) => changes.with_tag(key(&format!("k{k}")), TEXTS[*v as usize]),
        ModelPart::RemoveTag(k) => changes.without_tag(key(&format!("k{k}"))),
        ModelPart::Alias(a, number) => {
            changes.aliases.insert(alias(&format!("alias {a}")), *number);
            changes
        }
        ModelPart::Expect(a, number) => {
            changes.expecting_alias(alias(&format!("alias {a}")), *number)
        }
        ModelPart::Deleted(deleted) => {
            changes.deleted = Some(*deleted);
            changes
        }
    })
}

pub(super) fn version_changes(parts: &[VersionPart]) -> VersionChanges {
    parts.iter().fold(VersionChanges::default(), |mut changes, part| match part {
        VersionPart::Note(n) => changes.with_note(TEXTS[*n as usize]),
        VersionPart::Tag(k, v) => changes.with_tag(key(&format!("k{k}")), TEXTS[*v as usize]),
        VersionPart::RemoveTag(k) => changes.without_tag(key(&format!("k{k}"))),
        VersionPart::Finding(0, bad) => changes.with_evidence(validation("s", (*bad).into())),
        VersionPart::Finding(n, value) => {
            let value = if *value == 0 { f64::NAN } else { 0.5 };
            changes.with_evidence(evaluation(&format!("e{n}"), "d", "auc", value))
        }
        VersionPart::Attestation(k, s) => changes.with_attestation(attestation(*k, *s)),
        VersionPart::Deleted(deleted) => {
            changes.deleted = Some(*deleted);
            changes
        }
    })
}

pub(super) fn document(call: &Call) -> PutDocument {
    match call {
        Call::Policy(name, which) => {
            let name = ["default", "churn", "Churn"][*name as usize];
            let rules = match which {
                0 => return PutDocument::delete(key("policy"), key(name)),
                1 => json!({ "approvals": { "count": 1 } }),
                2 => json!({ "holders": "many" }),
                3 => json!({ "from": ["Staging"], "displaced_to": "Staging" }),
                4 => json!({ "gates": [{ "suite": { "name": "s" } }], "rollback": "as_promotion" }),
                5 => {
                    json!({ "approvals": { "count": 2, "valid_for_hours": 1e-9 }, "role": "approver" })
                }
                _ => {
                    json!({ "gates": [{ "better_than_current": { "name": "auc", "direction": "lower" } }] })
                }
            };
            policy(
                name,
                &json!({ "stages": { "Production": rules, "Staging": { "holders": "many" } } }),
            )
        }
        Call::Access(0) => PutDocument::delete(key("access"), key("default")),
        Call::Access(which) => {
            let role = ["viewer", "contributor", "approver"][*which as usize - 1];
            access(&[(ACTOR, "admin"), ("ann", role), ("bob", "approver")])
        }
        Call::Document { name, body, expect } => {
            let (kind, name) = (key("suite"), key(&format!("name {name}")));
            let mut change = match body {
                Some(n) => PutDocument::new(kind, name, json!({ "n": n, "a": [null, 0.1] })),
                None => PutDocument::delete(kind, name),
            };
            change.expect = *expect;
            change
        }
        _ => PutDocument::delete(key("suite"), key("none")),
    }
}
