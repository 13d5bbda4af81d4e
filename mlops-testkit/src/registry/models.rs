//! Models: making, changing, and putting them into the trash.

use mlops_core::ErrorKind;
use mlops_core::registry::{
    CreateModel, ModelChanges, ModelPurge, Selector, Stage, VersionChanges, VersionId,
};

use crate::build::{alias, at, churn, into_stage, key, model_name, version};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_model_comes_back_as_it_was_made,
        a_model_of_a_name_that_is_there_already_exists,
        a_model_of_a_name_in_the_trash_already_exists,
        a_model_of_a_purged_name_goes_on_counting_where_that_ended,
        a_model_that_does_not_exist_is_not_found_by_any_call,
        names_that_differ_in_case_or_accent_are_different_models,
        a_models_labels_and_note_change_and_the_rest_stays,
        a_label_that_is_not_there_is_taken_away_from_a_model_in_silence,
        what_a_model_has_already_changes_nothing,
        a_model_is_updated_by_its_own_changes_and_by_registering_and_promoting,
        a_model_with_a_version_in_an_active_stage_is_not_deleted,
        a_model_with_an_alias_is_not_deleted,
        a_model_goes_to_the_trash_and_comes_back_as_it_was,
        a_model_in_the_trash_is_not_changed_but_restored,
        a_model_is_moved_to_the_trash_or_back_in_a_call_of_its_own,
        a_change_of_a_model_that_is_refused_changes_nothing,
        a_registry_sees_what_another_handle_did_before,
    ]
}

async fn a_model_comes_back_as_it_was_made(f: Fixture) {
    f.clock.advance_micros(7);
    let options = CreateModel::default().with_note("who leaves").with_tag(key("team"), "x");
    let made = f.registry.create_model(&model_name("churn"), options).await.unwrap();
    assert_eq!(made, f.churn().await);
    assert_eq!((made.name.as_str(), made.note.as_str()), ("churn", "who leaves"));
    assert_eq!((made.created, made.updated, made.deleted), (at(7), at(7), None));
    assert_eq!(made.tags, [(key("team"), "x".to_owned())].into());
    assert_eq!((made.last_number, made.aliases.len(), made.stages.len()), (0, 0, 0));

    let imported = CreateModel::default().with_created(at(-5));
    let imported = f.registry.create_model(&model_name("old"), imported).await.unwrap();
    assert_eq!(imported.created, at(-5));
    assert_eq!(imported, f.registry.model(&model_name("old")).await.unwrap());
}

async fn a_model_of_a_name_that_is_there_already_exists(f: Fixture) {
    let made = f.make_model("churn").await;
    let again = CreateModel::default().with_note("another");
    fails(ErrorKind::AlreadyExists, f.registry.create_model(&made.name, again).await);
    assert_eq!(f.churn().await, made);
}

async fn a_model_of_a_name_in_the_trash_already_exists(f: Fixture) {
    let made = f.make_model("churn").await;
    let gone = f.change_model(ModelChanges::delete()).await;
    let again = f.registry.create_model(&made.name, CreateModel::default()).await;
    fails(ErrorKind::AlreadyExists, again);
    assert_eq!(f.churn().await, gone);
}

async fn a_model_of_a_purged_name_goes_on_counting_where_that_ended(f: Fixture) {
    f.versions(3).await;
    f.change_model(ModelChanges::delete()).await;
    f.purge_models(ModelPurge::Models(vec![model_name("churn")])).await;
    fails(ErrorKind::NotFound, f.registry.model(&model_name("churn")).await);
    let made = f.make_model("churn").await;
    assert_eq!(made.last_number, 3, "the numbers of what was purged are never given again");
    assert_eq!((made.aliases.len(), made.stages.len(), made.deleted), (0, 0, None));
    assert_eq!(f.add("churn", version("4")).await.version.number, 4);
    fails(ErrorKind::NotFound, f.registry.version(&churn(3)).await);
}

async fn a_model_that_does_not_exist_is_not_found_by_any_call(f: Fixture) {
    f.make_model("other").await;
    let name = model_name("churn");
    fails(ErrorKind::NotFound, f.registry.model(&name).await);
    for changes in [ModelChanges::default(), ModelChanges::delete(), ModelChanges::restore()] {
        fails(ErrorKind::NotFound, f.registry.update_model(&name, changes).await);
    }
    fails(ErrorKind::NotFound, f.registry.register(&name, version("1")).await);
    fails(ErrorKind::NotFound, f.registry.version(&churn(1)).await);
    let changes = VersionChanges::default().with_note("x");
    fails(ErrorKind::NotFound, f.registry.update_version(&churn(1), changes).await);
    fails(ErrorKind::NotFound, f.registry.resolve(&name, &Selector::Latest).await);
    fails(ErrorKind::NotFound, f.registry.stage_history(&name).await);
    let request = into_stage(1, Stage::Staging);
    fails(ErrorKind::NotFound, f.registry.promotion_state(&request).await);
    let purge = ModelPurge::Models(vec![name.clone()]);
    fails(ErrorKind::NotFound, f.registry.plan_model_purge(&purge).await);
    let purge = ModelPurge::Versions(vec![VersionId::new(name, 1)]);
    fails(ErrorKind::NotFound, f.registry.plan_model_purge(&purge).await);
}

async fn names_that_differ_in_case_or_accent_are_different_models(f: Fixture) {
    let names = ["churn", "Churn", "CHURN", "chürn", "chu\u{308}rn", "churn ü (v2)", "churn'"];
    for name in names {
        f.make_model(name).await;
        f.add(name, version(name)).await;
    }
    for name in names {
        let id = f.registry.resolve(&model_name(name), &Selector::Latest).await.unwrap();
        assert_eq!((id.model.as_str(), id.number), (name, 1));
    }
}

async fn a_models_labels_and_note_change_and_the_rest_stays(f: Fixture) {
    let options = CreateModel::default().with_note("a").with_tag(key("team"), "x");
    f.registry.create_model(&model_name("churn"), options).await.unwrap();
    let changes = ModelChanges::default().with_tag(key("tier"), "1").with_tag(key("team"), "y");
    let changed = f.change_model(changes).await;
    assert_eq!(changed, f.churn().await);
    let labels = [(key("team"), "y".to_owned()), (key("tier"), "1".to_owned())];
    assert_eq!((changed.note.as_str(), changed.tags), ("a", labels.into()));
    let changed =
        f.change_model(ModelChanges::default().with_note("").without_tag(key("team"))).await;
    assert_eq!(changed, f.churn().await);
    assert_eq!((changed.note.as_str(), changed.tags.len()), ("", 1));
}

async fn a_label_that_is_not_there_is_taken_away_from_a_model_in_silence(f: Fixture) {
    let made = f.make_model("churn").await;
    f.clock.advance_micros(1);
    let absent = ModelChanges::default().without_tag(key("absent")).without_tag(key("absent"));
    assert_eq!(f.change_model(absent).await, made);
}

async fn what_a_model_has_already_changes_nothing(f: Fixture) {
    f.versions(1).await;
    let all = || {
        let changes = ModelChanges::default().with_note("a").with_tag(key("team"), "x");
        changes.with_alias(alias("champion"), 1)
    };
    let before = f.change_model(all()).await;
    let version = f.read_version(1).await;
    f.clock.advance_micros(1);
    assert_eq!(f.change_model(all()).await, before);
    assert_eq!(f.change_model(ModelChanges::default()).await, before);
    assert_eq!(f.change_model(ModelChanges::restore()).await, before);
    assert_eq!(f.read_version(1).await, version);
    f.make_model("other").await;
    let other = model_name("other");
    let gone = f.registry.update_model(&other, ModelChanges::delete()).await.unwrap();
    f.clock.advance_micros(1);
    assert_eq!(f.registry.update_model(&other, ModelChanges::delete()).await.unwrap(), gone);
    assert_eq!(f.registry.update_model(&other, ModelChanges::default()).await.unwrap(), gone);
}

async fn a_model_is_updated_by_its_own_changes_and_by_registering_and_promoting(f: Fixture) {
    f.make_model("churn").await;
    f.clock.advance_micros(1);
    f.add("churn", version("1")).await;
    assert_eq!(f.churn().await.updated, at(1), "registered");
    f.clock.advance_micros(1);
    f.add("churn", version("1").with_reuse()).await;
    f.change_version(1, VersionChanges::default().with_note("x")).await;
    f.change_version(1, VersionChanges::delete()).await;
    f.change_version(1, VersionChanges::restore()).await;
    assert_eq!(f.churn().await.updated, at(1), "a version's own changes are its own");
    f.promote(1, Stage::Staging).await;
    assert_eq!(f.churn().await.updated, at(2), "promoted");
    f.clock.advance_micros(1);
    f.change_model(ModelChanges::default().with_note("x")).await;
    assert_eq!(f.churn().await.updated, at(3), "changed");
    f.clock.advance_micros(1);
    f.change_model(ModelChanges::default().with_alias(alias("a"), 1)).await;
    assert_eq!((f.churn().await.updated, f.churn().await.created), (at(4), at(0)));
}

async fn a_model_with_a_version_in_an_active_stage_is_not_deleted(f: Fixture) {
    f.versions(2).await;
    for stage in [Stage::Development, Stage::Staging, Stage::Production] {
        f.promote(1, stage).await;
        let before = f.churn().await;
        let delete = f.registry.update_model(&before.name, ModelChanges::delete()).await;
        fails(ErrorKind::Conflict, delete);
        assert_eq!(f.churn().await, before);
    }
    f.promote(1, Stage::Archived).await;
    assert!(f.change_model(ModelChanges::delete()).await.deleted.is_some());
}

async fn a_model_with_an_alias_is_not_deleted(f: Fixture) {
    f.versions(1).await;
    let before = f.change_model(ModelChanges::default().with_alias(alias("a"), 1)).await;
    let delete = f.registry.update_model(&before.name, ModelChanges::delete()).await;
    fails(ErrorKind::Conflict, delete);
    assert_eq!(f.churn().await, before);
    f.change_model(ModelChanges::default().without_alias(alias("a"))).await;
    f.change_model(ModelChanges::delete()).await;
}

async fn a_model_goes_to_the_trash_and_comes_back_as_it_was(f: Fixture) {
    f.versions(2).await;
    f.promote(2, Stage::Archived).await;
    f.change_version(1, VersionChanges::delete()).await;
    let (before, second) = (f.churn().await, f.read_version(2).await);
    f.clock.advance_micros(1);
    let gone = f.change_model(ModelChanges::delete()).await;
    assert_eq!((gone.deleted, gone.updated), (Some(at(1)), at(1)));
    assert_eq!(f.read_version(2).await, second, "versions stay as they are");
    f.clock.advance_micros(1);
    let back = f.change_model(ModelChanges::restore()).await;
    assert_eq!((back.deleted, back.updated), (None, at(2)));
    assert_eq!((back.stages, back.last_number), (before.stages, 2));
    assert!(f.read_version(1).await.deleted.is_some(), "what went before stays in the trash");
}

async fn a_model_in_the_trash_is_not_changed_but_restored(f: Fixture) {
    f.versions(1).await;
    let gone = f.change_model(ModelChanges::delete()).await;
    let change = ModelChanges::default;
    for changes in [
        change().with_note("x"),
        change().with_tag(key("a"), "1"),
        change().without_tag(key("a")),
        change().with_alias(alias("a"), 1),
        change().without_alias(alias("a")),
        change().expecting_alias(alias("a"), None),
    ] {
        let text = format!("{changes:?}");
        let error = fails(ErrorKind::Invalid, f.registry.update_model(&gone.name, changes).await);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
    }
    fails(ErrorKind::Invalid, f.registry.register(&gone.name, version("2")).await);
    assert_eq!(f.churn().await, gone);
    f.change_model(ModelChanges::restore()).await;
    f.change_model(change().with_note("x")).await;
}

async fn a_model_is_moved_to_the_trash_or_back_in_a_call_of_its_own(f: Fixture) {
    let made = f.make_model("churn").await;
    for moved in [ModelChanges::delete(), ModelChanges::restore()] {
        for changes in [
            moved.clone().with_note("x"),
            moved.clone().with_tag(key("a"), "1"),
            moved.clone().expecting_alias(alias("a"), None),
        ] {
            fails(ErrorKind::Invalid, f.registry.update_model(&made.name, changes).await);
        }
    }
    assert_eq!(f.churn().await, made);
}

async fn a_change_of_a_model_that_is_refused_changes_nothing(f: Fixture) {
    f.versions(2).await;
    f.change_model(ModelChanges::default().with_alias(alias("a"), 1)).await;
    let before = (f.churn().await, f.read_version(1).await, f.read_version(2).await);
    let change = || {
        let changes = ModelChanges::default().with_note("x").with_tag(key("t"), "1");
        changes.with_alias(alias("a"), 2).with_alias(alias("b"), 1)
    };
    let update = |changes| f.registry.update_model(&before.0.name, changes);
    fails(ErrorKind::NotFound, update(change().with_alias(alias("c"), 9)).await);
    fails(ErrorKind::Conflict, update(change().expecting_alias(alias("a"), Some(2))).await);
    fails(ErrorKind::Invalid, update(change().with_tag(key("u"), "\0")).await);
    let after = (f.churn().await, f.read_version(1).await, f.read_version(2).await);
    assert_eq!(after, before);
}

async fn a_registry_sees_what_another_handle_did_before(f: Fixture) {
    let (ann, bob) = (f.by("ann"), f.by("bob"));
    let name = model_name("churn");
    ann.create_model(&name, CreateModel::default()).await.unwrap();
    assert_eq!(bob.model(&name).await.unwrap().last_number, 0);
    ann.register(&name, version("1")).await.unwrap();
    assert_eq!(bob.resolve(&name, &Selector::Latest).await.unwrap(), churn(1));
    bob.register(&name, version("2")).await.unwrap();
    assert_eq!(ann.resolve(&name, &Selector::Latest).await.unwrap(), churn(2));
    let champion = Selector::Alias(alias("champion"));
    for (handle, number) in [(&ann, 1), (&bob, 2), (&ann, 1)] {
        let moved = ModelChanges::default().with_alias(alias("champion"), number);
        handle.update_model(&name, moved).await.unwrap();
        for reader in [&ann, &bob, &f.registry] {
            assert_eq!(reader.resolve(&name, &champion).await.unwrap(), churn(number));
        }
    }
}
