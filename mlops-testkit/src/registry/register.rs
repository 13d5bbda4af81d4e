//! Registering: numbers without gaps, objects without copies.

use mlops_core::ErrorKind;
use mlops_core::registry::{
    CodeState, Column, ColumnType, FeatureServiceRef, FileFormat, ImportedVersion, Manifest,
    ManifestFile, ModelChanges, ModelPurge, MoveCause, RegisterVersion, Signature, SourceRun,
    Stage, VersionChanges,
};
use mlops_core::tracking::{DatasetContext, RunChanges, RunStatus};
use serde_json::json;

use crate::build::{
    ACTOR, actor, at, attestation, blob, churn, dataset, digest, file, key, made_by, manifest,
    model_name, object, path, run_id, texts, uploaded, validation, version,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_version_comes_back_as_it_was_registered,
        metrics_of_a_manifest_that_are_no_numbers_come_back,
        versions_are_numbered_from_one,
        a_number_is_not_given_again_after_its_version_was_deleted,
        a_number_is_not_given_again_after_its_version_was_purged,
        each_model_has_numbers_of_its_own,
        with_reuse_the_version_of_the_same_manifest_is_returned,
        with_reuse_nothing_changes_and_what_was_uploaded_is_not_needed,
        reuse_does_not_look_into_the_trash_or_at_another_model,
        reuse_looks_at_the_whole_manifest,
        without_reuse_the_same_manifest_makes_another_version,
        a_source_run_that_is_not_here_is_not_found,
        the_source_run_of_a_copy_or_an_import_need_not_be_here,
        a_known_object_that_nothing_names_is_a_conflict,
        a_known_object_that_is_named_is_taken,
        an_imported_number_that_is_not_greater_than_all_before_is_a_conflict,
        an_import_keeps_number_author_instant_and_stage,
        nothing_is_registered_under_a_model_in_the_trash,
        an_uploaded_object_that_is_named_already_is_not_needed,
        equal_files_of_a_version_have_one_object,
        versions_and_runs_share_objects,
        a_registration_that_is_refused_changes_nothing,
    ]
}

fn full() -> RegisterVersion {
    let files = vec![
        file("data/profile.json", "profile"),
        ManifestFile { format: FileFormat::Pickle, ..file("model.pkl", "model") },
        file("ü/b c.txt", "text"),
    ];
    let mut manifest = Manifest::new(files).unwrap();
    let column = |name, kind| Column::new(name, kind).unwrap();
    let inputs = vec![column("age", ColumnType::Int64), column("plan", ColumnType::Utf8)];
    manifest.signature =
        Some(Signature::new(inputs, vec![column("p", ColumnType::Float64)]).unwrap());
    manifest.run = Some(SourceRun { id: run_id(1), status: RunStatus::Finished });
    let train = dataset("customers", "sha256:1", DatasetContext::Train).with_rows(9);
    manifest.inputs = vec![train.with_source("s3://raw/customers")];
    manifest.features = Some(FeatureServiceRef { name: key("churn features"), version: 4 });
    manifest.profile = Some(path("data/profile.json"));
    manifest.metrics = [(key("auc"), 0.9), (key("loss"), -0.1)].into();
    manifest.params = [(key("depth"), "7".to_owned())].into();
    manifest.environment = Some(json!({ "os": "linux", "cpus": 4, "list": [1.5, null, "ü"] }));
    let mut code = CodeState::default();
    (code.commit, code.dirty) = (Some("0123456789abcdef".to_owned()), Some(false));
    manifest.replay.code = Some(code);
    manifest.replay.seeds.insert(key("split"), "17".to_owned());
    manifest.replay.lock_files.insert("Cargo.lock".to_owned(), digest("lock"));
    manifest.replay.command = Some("train --depth 7".to_owned());
    uploaded(manifest, &["profile", "model", "text"])
        .with_note("first")
        .with_tag(key("team"), "x")
        .with_evidence(validation("s", 0))
        .with_attestation(attestation(1, 1))
}

async fn a_version_comes_back_as_it_was_registered(f: Fixture) {
    f.one_run().await;
    f.make_model("churn").await;
    f.clock.advance_micros(3);
    let options = full();
    let registered = f.add("churn", options.clone()).await;
    assert!(registered.created && registered.unneeded.is_empty());
    let version = registered.version;
    assert_eq!(version, f.read_version(1).await);
    assert_eq!(version.manifest, options.manifest);
    assert_eq!(version.digest, options.manifest.digest());
    assert_eq!((version.model.as_str(), version.number), ("churn", 1));
    assert_eq!((version.author.as_str(), version.created, version.updated), (ACTOR, at(3), at(3)));
    assert_eq!(
        (version.stage, version.deleted, version.origin.as_deref()),
        (Stage::None, None, None)
    );
    assert_eq!((version.note.as_str(), version.tags), ("first", options.tags));
    assert_eq!((version.evidence, version.attestations), (options.evidence, options.attestations));
    assert!(version.aliases.is_empty());
    assert_eq!((f.churn().await.last_number, f.churn().await.updated), (1, at(3)));
}

async fn metrics_of_a_manifest_that_are_no_numbers_come_back(f: Fixture) {
    f.make_model("churn").await;
    let mut options = version("1");
    let all =
        [("nan", f64::NAN), ("inf", f64::INFINITY), ("neg", f64::NEG_INFINITY), ("tiny", 5e-324)];
    options.manifest.metrics = all.map(|(name, value)| (key(name), value)).into();
    let digest = options.manifest.digest();
    f.add("churn", options).await;
    let read = f.read_version(1).await;
    assert_eq!((read.digest, read.manifest.digest()), (digest, digest));
    let metrics = read.manifest.metrics;
    assert!(metrics["nan"].is_nan());
    assert_eq!((metrics["inf"], metrics["neg"]), (f64::INFINITY, f64::NEG_INFINITY));
    assert_eq!(metrics["tiny"].to_bits(), 5e-324_f64.to_bits());
}

async fn versions_are_numbered_from_one(f: Fixture) {
    f.make_model("churn").await;
    for n in 1..=5 {
        assert_eq!(f.add("churn", version(&n.to_string())).await.version.number, n);
        assert_eq!(f.churn().await.last_number, n);
    }
}

async fn a_number_is_not_given_again_after_its_version_was_deleted(f: Fixture) {
    f.versions(2).await;
    f.change_version(2, VersionChanges::delete()).await;
    assert_eq!(f.add("churn", version("3")).await.version.number, 3);
    f.change_version(3, VersionChanges::delete()).await;
    f.change_version(1, VersionChanges::delete()).await;
    assert_eq!(f.add("churn", version("4")).await.version.number, 4);
}

async fn a_number_is_not_given_again_after_its_version_was_purged(f: Fixture) {
    f.versions(3).await;
    f.change_version(3, VersionChanges::delete()).await;
    f.purge_models(ModelPurge::Versions(vec![churn(3)])).await;
    assert_eq!(f.churn().await.last_number, 3);
    assert_eq!(f.add("churn", version("again")).await.version.number, 4);
    for n in [1, 2, 4] {
        f.change_version(n, VersionChanges::delete()).await;
    }
    f.purge_models(ModelPurge::Versions(vec![churn(1), churn(2), churn(4)])).await;
    assert_eq!(f.add("churn", version("again")).await.version.number, 5, "though none is left");
}

async fn each_model_has_numbers_of_its_own(f: Fixture) {
    f.versions(2).await;
    f.make_model("other").await;
    assert_eq!(f.add("other", version("1")).await.version.number, 1);
    assert_eq!(f.add("churn", version("3")).await.version.number, 3);
}

async fn with_reuse_the_version_of_the_same_manifest_is_returned(f: Fixture) {
    f.versions(3).await;
    f.change_version(2, VersionChanges::default().with_note("mine")).await;
    let before = f.read_version(2).await;
    let again = f.add("churn", version("2").with_reuse().with_note("other")).await;
    assert!(!again.created);
    assert_eq!(again.version, before, "as it is by now");
    assert_eq!(f.add("churn", version("4").with_reuse()).await.version.number, 4);
}

async fn with_reuse_nothing_changes_and_what_was_uploaded_is_not_needed(f: Fixture) {
    f.versions(1).await;
    let (before, rows) = ((f.churn().await, f.read_version(1).await), f.rows().await);
    f.clock.advance_micros(1);
    let options = RegisterVersion::new(manifest(&[("model.bin", "1")]));
    let again = options.with_uploaded(blob("1", "elsewhere")).with_reuse();
    let again = f.add("churn", again.with_tag(key("a"), "1")).await;
    assert_eq!(texts(&again.unneeded), ["elsewhere"]);
    assert_eq!(((f.churn().await, f.read_version(1).await), f.rows().await), (before, rows));
    let same = f.add("churn", version("1").with_reuse()).await;
    assert!(same.unneeded.is_empty(), "the place where the object lies is needed");
}

async fn reuse_does_not_look_into_the_trash_or_at_another_model(f: Fixture) {
    f.versions(1).await;
    f.make_model("other").await;
    assert!(f.add("other", version("1").with_reuse()).await.created);
    f.change_version(1, VersionChanges::delete()).await;
    let again = f.add("churn", version("1").with_reuse()).await;
    assert!(again.created);
    assert_eq!(again.version.number, 2);
}

async fn reuse_looks_at_the_whole_manifest(f: Fixture) {
    f.versions(1).await;
    let mut options = version("1").with_reuse();
    options.manifest.params.insert(key("depth"), "7".to_owned());
    let other = f.add("churn", options).await;
    assert!(other.created, "the same files, but made in another way");
    assert_eq!(other.version.number, 2);
}

async fn without_reuse_the_same_manifest_makes_another_version(f: Fixture) {
    f.versions(1).await;
    let again = f.add("churn", version("1")).await;
    assert!(again.created);
    assert_eq!((again.version.number, again.version.digest), (2, f.read_version(1).await.digest));
}

async fn a_source_run_that_is_not_here_is_not_found(f: Fixture) {
    f.one_run().await;
    f.make_model("churn").await;
    let name = model_name("churn");
    let unknown = made_by("1", run_id(9), RunStatus::Finished);
    fails(ErrorKind::NotFound, f.registry.register(&name, unknown).await);
    assert_eq!(f.churn().await.last_number, 0);
    f.add("churn", made_by("1", run_id(1), RunStatus::Finished)).await;
}

async fn the_source_run_of_a_copy_or_an_import_need_not_be_here(f: Fixture) {
    f.make_model("churn").await;
    let unknown = |content| made_by(content, run_id(9), RunStatus::Finished);
    let copy = f.add("churn", unknown("1").with_origin("sqlite:dev.db#churn/4")).await.version;
    assert_eq!(copy.origin.as_deref(), Some("sqlite:dev.db#churn/4"));
    assert_eq!(copy, f.read_version(1).await);
    f.add("churn", unknown("2").with_imported(ImportedVersion::default())).await;
}

async fn a_known_object_that_nothing_names_is_a_conflict(f: Fixture) {
    f.make_model("churn").await;
    let known = || RegisterVersion::new(manifest(&[("model.bin", "1")])).with_known(object("1"));
    let name = model_name("churn");
    fails(ErrorKind::Conflict, f.registry.register(&name, known()).await);
    f.add("churn", version("1")).await;
    f.add("churn", known()).await;
    for n in [1, 2] {
        f.change_version(n, VersionChanges::delete()).await;
    }
    f.add("churn", known()).await;
    f.change_version(3, VersionChanges::delete()).await;
    f.purge_models(ModelPurge::Versions(vec![churn(1), churn(2), churn(3)])).await;
    fails(ErrorKind::Conflict, f.registry.register(&name, known()).await);
    assert_eq!(f.churn().await.last_number, 3);
}

async fn a_known_object_that_is_named_is_taken(f: Fixture) {
    let run = f.one_run().await;
    f.make_model("churn").await;
    f.change(run.id, RunChanges::default().with_artifact(path("m"), blob("1", "b/1"))).await;
    let known = RegisterVersion::new(manifest(&[("model.bin", "1")])).with_known(object("1"));
    assert!(f.add("churn", known).await.unneeded.is_empty());
    assert_eq!(f.tracker.find_blob(digest("1")).await.unwrap(), Some(blob("1", "b/1")));
}

async fn an_imported_number_that_is_not_greater_than_all_before_is_a_conflict(f: Fixture) {
    f.make_model("churn").await;
    let import =
        |content, n| version(content).with_imported(ImportedVersion::default().with_number(n));
    f.add("churn", import("7", 7)).await;
    let name = model_name("churn");
    for number in [1, 6, 7] {
        fails(ErrorKind::Conflict, f.registry.register(&name, import("x", number)).await);
    }
    f.change_version(7, VersionChanges::delete()).await;
    f.purge_models(ModelPurge::Versions(vec![churn(7)])).await;
    fails(ErrorKind::Conflict, f.registry.register(&name, import("x", 7)).await);
    assert_eq!(f.add("churn", version("8")).await.version.number, 8);
    assert_eq!(f.add("churn", import("x", 20)).await.version.number, 20);
    assert_eq!(f.add("churn", version("21")).await.version.number, 21);
    assert_eq!(f.churn().await.last_number, 21);
}

async fn an_import_keeps_number_author_instant_and_stage(f: Fixture) {
    f.make_model("churn").await;
    f.clock.advance_micros(5);
    let facts = ImportedVersion::default()
        .with_number(3)
        .with_author(actor("ann"))
        .with_created(at(-9))
        .with_stage(Stage::Production);
    let made = f.add("churn", version("3").with_imported(facts)).await.version;
    assert_eq!(made, f.read_version(3).await);
    assert_eq!((made.number, made.author.as_str(), made.created), (3, "ann", at(-9)));
    assert_eq!(made.stage, Stage::Production);
    assert_eq!(f.holders(Stage::Production).await, [3]);
    let history = f.registry.stage_history(&model_name("churn")).await.unwrap();
    assert_eq!(history.len(), 1);
    let step = &history[0];
    assert_eq!((step.number, step.from, step.to), (3, Stage::None, Stage::Production));
    assert_eq!((step.cause, step.at, step.actor.as_str()), (MoveCause::Import, at(5), ACTOR));
}

async fn nothing_is_registered_under_a_model_in_the_trash(f: Fixture) {
    f.versions(1).await;
    f.change_model(ModelChanges::delete()).await;
    let name = model_name("churn");
    for options in [version("2"), version("1").with_reuse()] {
        fails(ErrorKind::Invalid, f.registry.register(&name, options).await);
    }
    assert_eq!(f.churn().await.last_number, 1);
}

async fn an_uploaded_object_that_is_named_already_is_not_needed(f: Fixture) {
    f.make_model("churn").await;
    f.add("churn", version("1")).await;
    let two = manifest(&[("a", "1"), ("b", "2")]);
    let options =
        RegisterVersion::new(two).with_uploaded(blob("1", "x/1")).with_uploaded(blob("2", "x/2"));
    assert_eq!(texts(&f.add("churn", options).await.unneeded), ["x/1"]);
    assert_eq!(f.tracker.find_blob(digest("1")).await.unwrap(), Some(object("1")));
    assert_eq!(f.tracker.find_blob(digest("2")).await.unwrap(), Some(blob("2", "x/2")));
}

async fn equal_files_of_a_version_have_one_object(f: Fixture) {
    f.make_model("churn").await;
    let twins = manifest(&[("a", "same"), ("b/c", "same"), ("d", "other")]);
    let made = f.add("churn", uploaded(twins, &["same", "other"])).await;
    assert!(made.unneeded.is_empty());
    assert_eq!(made.version.manifest.files.len(), 3);
    assert_eq!(f.tracker.find_blob(digest("same")).await.unwrap(), Some(object("same")));
}

async fn versions_and_runs_share_objects(f: Fixture) {
    let run = f.one_run().await;
    f.make_model("churn").await;
    f.add("churn", version("1")).await;
    let offered = RunChanges::default().with_artifact(path("m"), blob("1", "b/1"));
    assert_eq!(texts(&f.change(run.id, offered).await), ["b/1"], "the version's object is known");
    let replaced = RunChanges::default().with_artifact(path("m"), blob("2", "b/2"));
    assert!(f.change(run.id, replaced).await.is_empty(), "the version still names it");
    assert_eq!(f.tracker.find_blob(digest("1")).await.unwrap(), Some(object("1")));
    let known = RunChanges::default().with_known_artifact(path("n"), object("1"));
    f.change(run.id, known).await;
}

async fn a_registration_that_is_refused_changes_nothing(f: Fixture) {
    f.versions(1).await;
    let before = (f.churn().await, f.rows().await);
    let name = model_name("churn");
    let two = || manifest(&[("a", "new"), ("b", "gone")]);
    let half = RegisterVersion::new(two()).with_uploaded(object("new")).with_known(object("gone"));
    fails(ErrorKind::Conflict, f.registry.register(&name, half).await);
    let lacking = RegisterVersion::new(two()).with_uploaded(object("new"));
    fails(ErrorKind::Invalid, f.registry.register(&name, lacking).await);
    assert_eq!((f.churn().await, f.rows().await), before);
    assert_eq!(f.tracker.find_blob(digest("new")).await.unwrap(), None);
    fails(ErrorKind::NotFound, f.registry.version(&churn(2)).await);
    assert_eq!(f.add("churn", version("2")).await.version.number, 2, "no number is lost");
}
