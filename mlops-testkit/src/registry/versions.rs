//! Versions after they were registered: what may change, and what never does.

use mlops_core::ErrorKind;
use mlops_core::registry::{Evidence, ModelChanges, Stage, VersionChanges};

use crate::build::{
    alias, at, attestation, churn, evaluation, fairness, key, model_name, validation, version,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_versions_labels_and_note_change_and_the_rest_stays,
        a_finding_of_the_same_kind_and_name_replaces_the_one_before,
        findings_stand_by_kind_and_name,
        an_attestation_of_the_same_key_replaces_the_one_before,
        what_a_version_has_already_changes_nothing,
        a_version_is_updated_by_its_own_changes_moves_and_aliases,
        nothing_changes_a_versions_manifest_number_author_or_instant,
        a_version_in_an_active_stage_is_not_deleted,
        a_version_that_an_alias_names_is_not_deleted,
        a_version_goes_to_the_trash_and_comes_back_as_it_was,
        a_version_in_the_trash_is_not_changed_but_restored,
        a_version_of_a_model_in_the_trash_is_not_changed,
        a_version_is_moved_to_the_trash_or_back_in_a_call_of_its_own,
        a_change_of_a_version_that_is_refused_changes_nothing,
    ]
}

fn change() -> VersionChanges {
    VersionChanges::default()
}

fn names(evidence: &[Evidence]) -> Vec<String> {
    evidence.iter().map(|e| format!("{} {}", e.kind(), e.name())).collect()
}

async fn a_versions_labels_and_note_change_and_the_rest_stays(f: Fixture) {
    f.make_model("churn").await;
    f.add("churn", version("1").with_note("a").with_tag(key("team"), "x")).await;
    let changed =
        f.change_version(1, change().with_tag(key("tier"), "1").with_tag(key("team"), "y")).await;
    assert_eq!(changed, f.read_version(1).await);
    let labels = [(key("team"), "y".to_owned()), (key("tier"), "1".to_owned())];
    assert_eq!((changed.note.as_str(), changed.tags), ("a", labels.into()));
    let changed = f.change_version(1, change().with_note("").without_tag(key("team"))).await;
    assert_eq!((changed.note.as_str(), changed.tags.len()), ("", 1));
    let changed = f.change_version(1, change().without_tag(key("absent"))).await;
    assert_eq!(changed, f.read_version(1).await);
}

async fn a_finding_of_the_same_kind_and_name_replaces_the_one_before(f: Fixture) {
    f.make_model("churn").await;
    f.add("churn", version("1").with_evidence(validation("s", 1))).await;
    f.change_version(1, change().with_evidence(evaluation("s", "d", "auc", 0.5))).await;
    let both = change().with_evidence(validation("s", 2)).with_evidence(validation("s", 0));
    let changed = f.change_version(1, both).await;
    assert_eq!(changed, f.read_version(1).await);
    let expected = [evaluation("s", "d", "auc", 0.5), validation("s", 0)];
    assert_eq!(changed.evidence, expected, "of two in one change the last counts");
}

async fn findings_stand_by_kind_and_name(f: Fixture) {
    f.make_model("churn").await;
    let options = version("1").with_evidence(validation("b", 0)).with_evidence(fairness("z", 0.1));
    let made = f.add("churn", options.with_evidence(validation("a", 0))).await.version;
    assert_eq!(names(&made.evidence), ["fairness z", "validation a", "validation b"]);
    let more = change()
        .with_evidence(evaluation("late", "d", "auc", f64::NAN))
        .with_evidence(validation("B", 0))
        .with_evidence(evaluation("early", "d", "auc", f64::INFINITY));
    f.change_version(1, more).await;
    let read = f.read_version(1).await;
    let expected = [
        "evaluation early",
        "evaluation late",
        "fairness z",
        "validation B",
        "validation a",
        "validation b",
    ];
    assert_eq!(names(&read.evidence), expected);
    let Evidence::Evaluation(late) = &read.evidence[1] else { panic!("{:?}", read.evidence) };
    assert!(late.metrics["auc"].is_nan(), "NaN comes back as it went in");
}

async fn an_attestation_of_the_same_key_replaces_the_one_before(f: Fixture) {
    f.make_model("churn").await;
    f.add("churn", version("1").with_attestation(attestation(2, 1))).await;
    let more = change()
        .with_attestation(attestation(1, 7))
        .with_attestation(attestation(2, 8))
        .with_attestation(attestation(1, 9));
    let changed = f.change_version(1, more).await;
    assert_eq!(changed.attestations, [attestation(1, 9), attestation(2, 8)]);
    assert_eq!(changed, f.read_version(1).await);
}

async fn what_a_version_has_already_changes_nothing(f: Fixture) {
    f.versions(1).await;
    let all = || {
        change()
            .with_note("a")
            .with_tag(key("team"), "x")
            .with_evidence(validation("s", 0))
            .with_attestation(attestation(1, 1))
    };
    let before = f.change_version(1, all()).await;
    f.clock.advance_micros(1);
    for nothing in [all(), change(), change().without_tag(key("absent")), VersionChanges::restore()]
    {
        assert_eq!(f.change_version(1, nothing).await, before);
    }
    let gone = f.change_version(1, VersionChanges::delete()).await;
    f.clock.advance_micros(1);
    for nothing in [VersionChanges::delete(), change()] {
        assert_eq!(f.change_version(1, nothing).await, gone);
    }
    assert_eq!(f.read_version(1).await, gone);
}

async fn a_version_is_updated_by_its_own_changes_moves_and_aliases(f: Fixture) {
    f.versions(2).await;
    let updated = async || (f.read_version(1).await.updated, f.read_version(2).await.updated);
    f.clock.advance_micros(1);
    f.change_version(1, change().with_note("x")).await;
    assert_eq!(updated().await, (at(1), at(0)));
    f.clock.advance_micros(1);
    f.promote(1, Stage::Production).await;
    assert_eq!(updated().await, (at(2), at(0)));
    f.clock.advance_micros(1);
    f.promote(2, Stage::Production).await;
    assert_eq!(updated().await, (at(3), at(3)), "the displaced one moves too");
    f.clock.advance_micros(1);
    f.change_model(ModelChanges::default().with_alias(alias("a"), 1)).await;
    assert_eq!(updated().await, (at(4), at(3)));
    f.clock.advance_micros(1);
    f.add("churn", version("3")).await;
    f.change_model(ModelChanges::default().with_note("x")).await;
    assert_eq!(updated().await, (at(4), at(3)), "a new version changes no other");
}

async fn nothing_changes_a_versions_manifest_number_author_or_instant(f: Fixture) {
    f.make_model("churn").await;
    let made = f.by("ann").register(&model_name("churn"), version("1")).await.unwrap().version;
    f.clock.advance_micros(5);
    let all = change().with_note("x").with_tag(key("a"), "1").with_evidence(validation("s", 0));
    f.by("bob").update_version(&churn(1), all.with_attestation(attestation(1, 1))).await.unwrap();
    f.promote(1, Stage::Production).await;
    f.change_model(ModelChanges::default().with_alias(alias("a"), 1)).await;
    f.add("churn", version("1").with_reuse()).await;
    f.add("churn", version("2")).await;
    f.promote(2, Stage::Production).await;
    let now = f.read_version(1).await;
    assert_eq!((&now.manifest, now.digest), (&made.manifest, made.digest));
    assert_eq!(now.manifest.digest(), now.digest);
    assert_eq!((now.number, now.created, now.author.as_str()), (1, at(0), "ann"));
}

async fn a_version_in_an_active_stage_is_not_deleted(f: Fixture) {
    f.versions(1).await;
    for stage in [Stage::Development, Stage::Staging, Stage::Production] {
        f.promote(1, stage).await;
        let before = f.read_version(1).await;
        let delete = f.registry.update_version(&churn(1), VersionChanges::delete()).await;
        fails(ErrorKind::Conflict, delete);
        assert_eq!(f.read_version(1).await, before);
    }
    f.promote(1, Stage::Archived).await;
    assert!(f.change_version(1, VersionChanges::delete()).await.deleted.is_some());
    f.change_version(1, VersionChanges::restore()).await;
    f.promote(1, Stage::None).await;
    f.change_version(1, VersionChanges::delete()).await;
}

async fn a_version_that_an_alias_names_is_not_deleted(f: Fixture) {
    f.versions(2).await;
    f.change_model(ModelChanges::default().with_alias(alias("a"), 1)).await;
    let before = f.read_version(1).await;
    let delete = f.registry.update_version(&churn(1), VersionChanges::delete()).await;
    fails(ErrorKind::Conflict, delete);
    assert_eq!(f.read_version(1).await, before);
    f.change_model(ModelChanges::default().with_alias(alias("a"), 2)).await;
    f.change_version(1, VersionChanges::delete()).await;
}

async fn a_version_goes_to_the_trash_and_comes_back_as_it_was(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Archived).await;
    f.change_version(1, change().with_note("x").with_evidence(validation("s", 0))).await;
    let before = f.read_version(1).await;
    f.clock.advance_micros(1);
    let gone = f.change_version(1, VersionChanges::delete()).await;
    assert_eq!((gone.deleted, gone.updated), (Some(at(1)), at(1)));
    assert_eq!(f.read_version(1).await, gone, "it can be looked at in the trash");
    f.clock.advance_micros(1);
    let mut back = f.change_version(1, VersionChanges::restore()).await;
    assert_eq!((back.deleted, back.updated), (None, at(2)));
    back.updated = before.updated;
    assert_eq!(back, before);
}

async fn a_version_in_the_trash_is_not_changed_but_restored(f: Fixture) {
    f.versions(1).await;
    let gone = f.change_version(1, VersionChanges::delete()).await;
    for changes in [
        change().with_note("x"),
        change().with_tag(key("a"), "1"),
        change().without_tag(key("a")),
        change().with_evidence(validation("s", 0)),
        change().with_attestation(attestation(1, 1)),
    ] {
        fails(ErrorKind::Invalid, f.registry.update_version(&churn(1), changes).await);
    }
    assert_eq!(f.read_version(1).await, gone);
}

async fn a_version_of_a_model_in_the_trash_is_not_changed(f: Fixture) {
    f.versions(2).await;
    f.change_version(2, VersionChanges::delete()).await;
    f.change_model(ModelChanges::delete()).await;
    let before = (f.read_version(1).await, f.read_version(2).await);
    for (number, changes) in [
        (1, change().with_note("x")),
        (1, VersionChanges::delete()),
        (2, VersionChanges::restore()),
        (1, change().with_evidence(validation("s", 0))),
    ] {
        fails(ErrorKind::Invalid, f.registry.update_version(&churn(number), changes).await);
    }
    assert_eq!((f.read_version(1).await, f.read_version(2).await), before);
}

async fn a_version_is_moved_to_the_trash_or_back_in_a_call_of_its_own(f: Fixture) {
    f.versions(1).await;
    let before = f.read_version(1).await;
    for moved in [VersionChanges::delete(), VersionChanges::restore()] {
        for changes in [
            moved.clone().with_note("x"),
            moved.clone().without_tag(key("a")),
            moved.clone().with_evidence(validation("s", 0)),
        ] {
            fails(ErrorKind::Invalid, f.registry.update_version(&churn(1), changes).await);
        }
    }
    assert_eq!(f.read_version(1).await, before);
}

async fn a_change_of_a_version_that_is_refused_changes_nothing(f: Fixture) {
    f.versions(1).await;
    let before = f.read_version(1).await;
    let mut forged = attestation(1, 1);
    forged.signature.pop();
    let changes = change().with_note("x").with_tag(key("a"), "1").with_evidence(validation("s", 0));
    for bad in [
        changes.clone().with_attestation(forged),
        changes.clone().with_tag(key("b"), "\0"),
        changes.without_tag(key("a")),
    ] {
        fails(ErrorKind::Invalid, f.registry.update_version(&churn(1), bad).await);
    }
    assert_eq!(f.read_version(1).await, before);
}
