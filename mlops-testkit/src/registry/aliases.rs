//! Aliases: free names, moved atomically.

use mlops_core::ErrorKind;
use mlops_core::registry::{ModelChanges, Selector, Stage, VersionChanges};

use crate::build::{alias, at, model_name, version};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        an_alias_names_a_version_and_moves_to_another,
        a_version_may_have_many_aliases_and_an_alias_one_version,
        all_aliases_of_a_change_move_at_once,
        one_alias_that_cannot_move_keeps_all_from_moving,
        moving_one_alias_leaves_those_that_others_moved_meanwhile,
        an_alias_that_does_not_name_what_was_expected_is_a_conflict,
        an_alias_may_be_expected_without_being_moved,
        of_two_that_expect_the_same_only_one_moves_the_alias,
        an_alias_to_a_version_that_does_not_exist_is_not_found,
        an_alias_to_a_version_in_the_trash_is_not_found,
        an_alias_that_is_not_there_is_taken_away_in_silence,
        an_alias_that_comes_or_goes_updates_the_versions,
        an_alias_stays_with_its_version_through_all_stages,
        the_aliases_of_one_model_are_not_those_of_another,
    ]
}

fn change() -> ModelChanges {
    ModelChanges::default()
}

async fn named(f: &Fixture, name: &str) -> Option<u64> {
    let by_selector = f.resolve(Selector::Alias(alias(name))).await.ok().map(|id| id.number);
    assert_eq!(f.churn().await.aliases.get(name).copied(), by_selector, "{name}");
    by_selector
}

async fn an_alias_names_a_version_and_moves_to_another(f: Fixture) {
    f.versions(2).await;
    assert_eq!(named(&f, "champion").await, None);
    for number in [1, 2, 1] {
        let model = f.change_model(change().with_alias(alias("champion"), number)).await;
        assert_eq!(model, f.churn().await);
        assert_eq!(named(&f, "champion").await, Some(number));
        for n in [1, 2] {
            let has = f.read_version(n).await.aliases.contains("champion");
            assert_eq!(has, n == number, "version {n}");
        }
    }
    f.change_model(change().without_alias(alias("champion"))).await;
    assert_eq!(named(&f, "champion").await, None);
    assert!(f.read_version(1).await.aliases.is_empty());
}

async fn a_version_may_have_many_aliases_and_an_alias_one_version(f: Fixture) {
    f.versions(2).await;
    f.change_model(change().with_alias(alias("b"), 1).with_alias(alias("A"), 1)).await;
    f.change_model(change().with_alias(alias("ü"), 1).with_alias(alias("a"), 2)).await;
    let first = f.read_version(1).await;
    assert_eq!(
        first.aliases.iter().map(mlops_core::Alias::as_str).collect::<Vec<_>>(),
        ["A", "b", "ü"]
    );
    assert_eq!((named(&f, "a").await, named(&f, "A").await), (Some(2), Some(1)), "case matters");
}

async fn all_aliases_of_a_change_move_at_once(f: Fixture) {
    f.versions(2).await;
    f.change_model(change().with_alias(alias("blue"), 1).with_alias(alias("green"), 2)).await;
    let swap = change()
        .with_alias(alias("blue"), 2)
        .with_alias(alias("green"), 1)
        .expecting_alias(alias("blue"), Some(1))
        .expecting_alias(alias("green"), Some(2));
    f.change_model(swap).await;
    assert_eq!((named(&f, "blue").await, named(&f, "green").await), (Some(2), Some(1)));
    let moved = change().without_alias(alias("blue")).with_alias(alias("new"), 2);
    f.change_model(moved).await;
    assert_eq!((named(&f, "blue").await, named(&f, "new").await), (None, Some(2)));
}

async fn one_alias_that_cannot_move_keeps_all_from_moving(f: Fixture) {
    f.versions(2).await;
    f.change_model(change().with_alias(alias("a"), 1).with_alias(alias("b"), 1)).await;
    let one_bad = change()
        .with_alias(alias("a"), 2)
        .with_alias(alias("m"), 9)
        .without_alias(alias("b"))
        .with_alias(alias("z"), 2);
    fails(ErrorKind::NotFound, f.registry.update_model(&model_name("churn"), one_bad).await);
    let all =
        [named(&f, "a").await, named(&f, "b").await, named(&f, "m").await, named(&f, "z").await];
    assert_eq!(all, [Some(1), Some(1), None, None]);
}

/// Each writer read the model before the other one wrote.
async fn moving_one_alias_leaves_those_that_others_moved_meanwhile(f: Fixture) {
    f.versions(2).await;
    f.change_model(change().with_alias(alias("champion"), 1)).await;
    let (ann, bob) = (f.by("ann"), f.by("bob"));
    let name = model_name("churn");
    ann.model(&name).await.unwrap();
    bob.model(&name).await.unwrap();
    ann.update_model(&name, change().with_alias(alias("champion"), 2)).await.unwrap();
    bob.update_model(&name, change().with_alias(alias("challenger"), 1)).await.unwrap();
    ann.update_model(&name, change().with_alias(alias("shadow"), 1)).await.unwrap();
    let all =
        [named(&f, "champion").await, named(&f, "challenger").await, named(&f, "shadow").await];
    assert_eq!(all, [Some(2), Some(1), Some(1)]);
}

async fn an_alias_that_does_not_name_what_was_expected_is_a_conflict(f: Fixture) {
    f.versions(3).await;
    f.change_model(change().with_alias(alias("champion"), 2)).await;
    let name = model_name("churn");
    for expected in [None, Some(1), Some(3), Some(99)] {
        let moved = change().with_alias(alias("champion"), 3);
        let moved = moved.expecting_alias(alias("champion"), expected);
        fails(ErrorKind::Conflict, f.registry.update_model(&name, moved).await);
        assert_eq!(named(&f, "champion").await, Some(2));
    }
    let absent = change().with_alias(alias("new"), 3).expecting_alias(alias("new"), Some(1));
    fails(ErrorKind::Conflict, f.registry.update_model(&name, absent).await);
    let right = change().with_alias(alias("champion"), 3);
    f.change_model(right.expecting_alias(alias("champion"), Some(2))).await;
    f.change_model(change().with_alias(alias("new"), 3).expecting_alias(alias("new"), None)).await;
    assert_eq!((named(&f, "champion").await, named(&f, "new").await), (Some(3), Some(3)));
}

async fn an_alias_may_be_expected_without_being_moved(f: Fixture) {
    f.versions(2).await;
    let before = f.change_model(change().with_alias(alias("champion"), 1)).await;
    f.clock.advance_micros(1);
    let wrong = change().with_note("x").expecting_alias(alias("champion"), Some(2));
    fails(ErrorKind::Conflict, f.registry.update_model(&before.name, wrong).await);
    let only = change().expecting_alias(alias("champion"), Some(1));
    assert_eq!(f.change_model(only.clone()).await, before, "nothing is changed by looking");
    assert_eq!(f.change_model(only.with_note("x")).await.note, "x");
}

async fn of_two_that_expect_the_same_only_one_moves_the_alias(f: Fixture) {
    f.versions(3).await;
    f.change_model(change().with_alias(alias("champion"), 1)).await;
    let moved = |number| {
        let moved = change().with_alias(alias("champion"), number);
        moved.expecting_alias(alias("champion"), Some(1))
    };
    let name = model_name("churn");
    f.by("ann").update_model(&name, moved(2)).await.unwrap();
    fails(ErrorKind::Conflict, f.by("bob").update_model(&name, moved(3)).await);
    assert_eq!(named(&f, "champion").await, Some(2));
}

async fn an_alias_to_a_version_that_does_not_exist_is_not_found(f: Fixture) {
    f.versions(1).await;
    f.make_model("other").await;
    f.add("other", version("o")).await;
    f.add("other", version("p")).await;
    for number in [2, 99, i64::MAX as u64, u64::MAX] {
        let moved = change().with_alias(alias("a"), number);
        fails(ErrorKind::NotFound, f.registry.update_model(&model_name("churn"), moved).await);
    }
    assert_eq!(named(&f, "a").await, None, "though another model has such a version");
}

async fn an_alias_to_a_version_in_the_trash_is_not_found(f: Fixture) {
    f.versions(1).await;
    f.change_version(1, VersionChanges::delete()).await;
    let moved = || change().with_alias(alias("a"), 1);
    fails(ErrorKind::NotFound, f.registry.update_model(&model_name("churn"), moved()).await);
    f.change_version(1, VersionChanges::restore()).await;
    f.change_model(moved()).await;
    assert_eq!(named(&f, "a").await, Some(1));
}

async fn an_alias_that_is_not_there_is_taken_away_in_silence(f: Fixture) {
    f.versions(1).await;
    let before = f.churn().await;
    f.clock.advance_micros(1);
    assert_eq!(f.change_model(change().without_alias(alias("absent"))).await, before);
}

async fn an_alias_that_comes_or_goes_updates_the_versions(f: Fixture) {
    f.versions(3).await;
    let updated = async || {
        [
            f.read_version(1).await.updated,
            f.read_version(2).await.updated,
            f.read_version(3).await.updated,
        ]
    };
    f.clock.advance_micros(1);
    f.change_model(change().with_alias(alias("a"), 1)).await;
    assert_eq!(updated().await, [at(1), at(0), at(0)]);
    f.clock.advance_micros(1);
    f.change_model(change().with_alias(alias("a"), 2)).await;
    assert_eq!(updated().await, [at(2), at(2), at(0)]);
    f.clock.advance_micros(1);
    f.change_model(change().without_alias(alias("a"))).await;
    assert_eq!(updated().await, [at(2), at(3), at(0)]);
    f.clock.advance_micros(1);
    f.change_model(change().with_note("x")).await;
    assert_eq!(updated().await, [at(2), at(3), at(0)], "a model's note is not theirs");
}

async fn an_alias_stays_with_its_version_through_all_stages(f: Fixture) {
    f.versions(2).await;
    f.change_model(change().with_alias(alias("a"), 1)).await;
    for stage in [Stage::Staging, Stage::Production, Stage::Archived, Stage::None] {
        f.promote(1, stage).await;
        assert_eq!(named(&f, "a").await, Some(1), "{stage}");
    }
}

async fn the_aliases_of_one_model_are_not_those_of_another(f: Fixture) {
    f.versions(2).await;
    f.make_model("other").await;
    f.add("other", version("o")).await;
    let other = model_name("other");
    f.change_model(change().with_alias(alias("a"), 2)).await;
    f.registry.update_model(&other, change().with_alias(alias("a"), 1)).await.unwrap();
    f.change_model(change().without_alias(alias("a"))).await;
    let id = f.registry.resolve(&other, &Selector::Alias(alias("a"))).await.unwrap();
    assert_eq!(id.to_string(), "other/1");
    assert_eq!(named(&f, "a").await, None);
}
