//! Purging: what is taken away for ever, and which objects nobody needs any more.

use mlops_core::ErrorKind;
use mlops_core::registry::{
    ModelChanges, ModelPurge, ModelPurgePlan, Stage, VersionChanges, VersionId,
};
use mlops_core::tracking::{Purge, RunChanges};

use crate::build::{
    at, blob, churn, digest, manifest, model_name, object, path, uploaded, version, version_id,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_purge_of_models_names_what_was_deleted_before_the_instant_and_not_at_it,
        a_plan_counts_files_and_bytes,
        a_plan_of_a_model_names_all_its_versions,
        a_plan_changes_nothing,
        what_is_not_in_the_trash_is_not_planned,
        a_version_of_a_model_in_the_trash_may_be_purged_by_itself,
        a_plan_to_purge_what_does_not_exist_is_not_found,
        purging_takes_away_what_the_plan_names_and_nothing_else,
        purging_again_takes_away_nothing,
        a_purge_of_what_was_restored_is_a_conflict_and_takes_away_nothing,
        a_purge_of_a_model_with_a_version_that_the_plan_does_not_name_is_a_conflict,
        a_purge_frees_what_nobody_names_any_more,
        a_purge_does_not_free_what_another_version_names,
        a_purge_does_not_free_what_a_run_names,
        purging_runs_does_not_free_what_a_version_names,
        a_model_that_came_back_after_its_purge_is_not_purged_by_the_old_plan,
        an_empty_plan_takes_away_nothing,
    ]
}

async fn plan(f: &Fixture, what: ModelPurge) -> ModelPurgePlan {
    f.registry.plan_model_purge(&what).await.unwrap()
}

fn models(names: &[&str]) -> ModelPurge {
    ModelPurge::Models(names.iter().map(|name| model_name(name)).collect())
}

fn versions(ids: &[&str]) -> ModelPurge {
    ModelPurge::Versions(ids.iter().map(|id| version_id(id)).collect())
}

fn texts(ids: &[VersionId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

async fn delete(f: &Fixture, ids: &[&str]) {
    for id in ids {
        f.registry.update_version(&version_id(id), VersionChanges::delete()).await.unwrap();
    }
}

async fn a_purge_of_models_names_what_was_deleted_before_the_instant_and_not_at_it(f: Fixture) {
    f.versions(3).await;
    f.make_model("a").await;
    f.add("a", version("a")).await;
    delete(&f, &["churn/2"]).await;
    f.clock.advance_micros(10);
    delete(&f, &["churn/1"]).await;
    f.registry.update_model(&model_name("a"), ModelChanges::delete()).await.unwrap();
    let before = async |micros| {
        let plan = plan(&f, ModelPurge::DeletedBefore(at(micros))).await;
        (plan.models.iter().map(ToString::to_string).collect::<Vec<_>>(), texts(&plan.versions))
    };
    assert_eq!(before(0).await, (vec![], vec![]));
    assert_eq!(before(1).await, (vec![], vec!["churn/2".to_owned()]));
    assert_eq!(before(10).await, (vec![], vec!["churn/2".to_owned()]));
    let all = ["a/1", "churn/1", "churn/2"].map(String::from).to_vec();
    assert_eq!(before(11).await, (vec!["a".to_owned()], all), "by model and number");
}

async fn a_plan_counts_files_and_bytes(f: Fixture) {
    f.make_model("churn").await;
    let two = manifest(&[("a", "12345"), ("b", "12345"), ("c", "123")]);
    f.add("churn", uploaded(two, &["12345", "123"])).await;
    f.add("churn", version("12345")).await;
    delete(&f, &["churn/1", "churn/2"]).await;
    let plan = plan(&f, versions(&["churn/1", "churn/2"])).await;
    assert_eq!((plan.files, plan.bytes), (4, 18), "before what is shared is counted out");
}

async fn a_plan_of_a_model_names_all_its_versions(f: Fixture) {
    f.versions(3).await;
    f.make_model("other").await;
    f.add("other", version("o")).await;
    delete(&f, &["churn/2"]).await;
    f.change_model(ModelChanges::delete()).await;
    let plan = plan(&f, models(&["churn", "churn"])).await;
    assert_eq!(plan.models, [model_name("churn")], "once");
    assert_eq!(texts(&plan.versions), ["churn/1", "churn/2", "churn/3"]);
}

async fn a_plan_changes_nothing(f: Fixture) {
    f.versions(2).await;
    f.change_model(ModelChanges::delete()).await;
    let before = (f.rows().await, f.churn().await);
    plan(&f, models(&["churn"])).await;
    plan(&f, ModelPurge::DeletedBefore(at(99))).await;
    assert_eq!((f.rows().await, f.churn().await), before);
}

async fn what_is_not_in_the_trash_is_not_planned(f: Fixture) {
    f.versions(2).await;
    delete(&f, &["churn/1"]).await;
    for what in [models(&["churn"]), versions(&["churn/2"]), versions(&["churn/1", "churn/2"])] {
        fails(ErrorKind::Invalid, f.registry.plan_model_purge(&what).await);
    }
    assert_eq!(plan(&f, ModelPurge::DeletedBefore(at(99))).await.versions, [churn(1)]);
}

async fn a_version_of_a_model_in_the_trash_may_be_purged_by_itself(f: Fixture) {
    f.versions(2).await;
    f.change_model(ModelChanges::delete()).await;
    let (plan, freed) = f.purge_models(versions(&["churn/1"])).await;
    assert!(plan.models.is_empty());
    assert_eq!(freed, [object("1")]);
    f.change_model(ModelChanges::restore()).await;
    fails(ErrorKind::NotFound, f.registry.version(&churn(1)).await);
    assert_eq!(f.read_version(2).await.deleted, None);
}

async fn a_plan_to_purge_what_does_not_exist_is_not_found(f: Fixture) {
    f.versions(1).await;
    delete(&f, &["churn/1"]).await;
    for what in [models(&["absent"]), versions(&["churn/1", "churn/9"]), versions(&["absent/1"])] {
        fails(ErrorKind::NotFound, f.registry.plan_model_purge(&what).await);
    }
}

async fn purging_takes_away_what_the_plan_names_and_nothing_else(f: Fixture) {
    f.versions(3).await;
    f.make_model("other").await;
    f.add("other", version("o")).await;
    delete(&f, &["churn/1", "churn/2"]).await;
    f.registry.update_model(&model_name("other"), ModelChanges::delete()).await.unwrap();
    let both = plan(&f, versions(&["churn/1"])).await;
    let report = f.registry.purge_models(&both).await.unwrap();
    assert_eq!((report.models, report.versions), (0, 1));
    let report = f.registry.purge_models(&plan(&f, models(&["other"])).await).await.unwrap();
    assert_eq!((report.models, report.versions), (1, 1));
    fails(ErrorKind::NotFound, f.registry.version(&churn(1)).await);
    fails(ErrorKind::NotFound, f.registry.model(&model_name("other")).await);
    fails(ErrorKind::NotFound, f.registry.version(&version_id("other/1")).await);
    assert!(f.read_version(2).await.deleted.is_some());
    assert_eq!((f.read_version(3).await.deleted, f.churn().await.last_number), (None, 3));
}

async fn purging_again_takes_away_nothing(f: Fixture) {
    f.versions(2).await;
    delete(&f, &["churn/1"]).await;
    let old = plan(&f, versions(&["churn/1"])).await;
    f.registry.purge_models(&old).await.unwrap();
    let rows = f.rows().await;
    let again = f.registry.purge_models(&old).await.unwrap();
    assert_eq!((again.models, again.versions, again.freed.len()), (0, 0, 0));
    assert_eq!(f.rows().await, rows);
    f.change_model(ModelChanges::delete()).await;
    let old = plan(&f, models(&["churn"])).await;
    f.registry.purge_models(&old).await.unwrap();
    let again = f.registry.purge_models(&old).await.unwrap();
    assert_eq!((again.models, again.versions), (0, 0));
}

async fn a_purge_of_what_was_restored_is_a_conflict_and_takes_away_nothing(f: Fixture) {
    f.versions(2).await;
    delete(&f, &["churn/1", "churn/2"]).await;
    let both = plan(&f, versions(&["churn/1", "churn/2"])).await;
    f.change_version(2, VersionChanges::restore()).await;
    fails(ErrorKind::Conflict, f.registry.purge_models(&both).await);
    assert!(f.read_version(1).await.deleted.is_some(), "nothing is taken away");
    assert_eq!(f.tracker.find_blob(digest("1")).await.unwrap(), Some(object("1")));
    f.change_model(ModelChanges::delete()).await;
    let all = plan(&f, models(&["churn"])).await;
    f.change_model(ModelChanges::restore()).await;
    fails(ErrorKind::Conflict, f.registry.purge_models(&all).await);
    f.read_version(1).await;
}

async fn a_purge_of_a_model_with_a_version_that_the_plan_does_not_name_is_a_conflict(f: Fixture) {
    f.versions(1).await;
    f.change_model(ModelChanges::delete()).await;
    let old = plan(&f, models(&["churn"])).await;
    f.change_model(ModelChanges::restore()).await;
    f.add("churn", version("2")).await;
    f.change_model(ModelChanges::delete()).await;
    fails(ErrorKind::Conflict, f.registry.purge_models(&old).await);
    f.read_version(1).await;
    f.read_version(2).await;
    f.purge_models(models(&["churn"])).await;
}

async fn a_purge_frees_what_nobody_names_any_more(f: Fixture) {
    f.make_model("churn").await;
    let twins = manifest(&[("a", "same"), ("b", "same"), ("c", "other")]);
    f.add("churn", uploaded(twins, &["same", "other"])).await;
    delete(&f, &["churn/1"]).await;
    let (_, freed) = f.purge_models(versions(&["churn/1"])).await;
    assert_eq!(freed, [object("other"), object("same")], "each once");
    assert_eq!(f.tracker.find_blob(digest("same")).await.unwrap(), None);
}

async fn a_purge_does_not_free_what_another_version_names(f: Fixture) {
    f.versions(1).await;
    f.make_model("other").await;
    let two = manifest(&[("a", "1"), ("b", "own")]);
    f.add("other", uploaded(two, &["1", "own"])).await;
    f.registry.update_model(&model_name("other"), ModelChanges::delete()).await.unwrap();
    let (_, freed) = f.purge_models(models(&["other"])).await;
    assert_eq!(freed, [object("own")]);
    assert_eq!(f.tracker.find_blob(digest("1")).await.unwrap(), Some(object("1")));
    delete(&f, &["churn/1"]).await;
    f.add("churn", version("1")).await;
    let (_, freed) = f.purge_models(versions(&["churn/1"])).await;
    assert!(freed.is_empty());
    delete(&f, &["churn/2"]).await;
    assert_eq!(f.purge_models(versions(&["churn/2"])).await.1, [object("1")]);
}

async fn a_purge_does_not_free_what_a_run_names(f: Fixture) {
    let run = f.one_run().await;
    f.versions(1).await;
    f.change(run.id, RunChanges::default().with_artifact(path("m"), blob("1", "b/1"))).await;
    delete(&f, &["churn/1"]).await;
    assert!(f.purge_models(versions(&["churn/1"])).await.1.is_empty());
    assert_eq!(f.tracker.find_blob(digest("1")).await.unwrap(), Some(object("1")));
    let replaced = RunChanges::default().with_artifact(path("m"), blob("2", "b/2"));
    assert_eq!(crate::build::texts(&f.change(run.id, replaced).await), ["v/1"]);
}

async fn purging_runs_does_not_free_what_a_version_names(f: Fixture) {
    let run = f.one_run().await;
    f.versions(1).await;
    let files = RunChanges::default()
        .with_artifact(path("m"), blob("1", "b/1"))
        .with_artifact(path("n"), blob("own", "b/2"));
    f.change(run.id, files).await;
    f.change(run.id, RunChanges::default().with_deleted(true)).await;
    let plan = f.tracker.plan_purge(&Purge::Runs(vec![run.id])).await.unwrap();
    let report = f.tracker.purge(&plan).await.unwrap();
    assert_eq!(report.freed, [blob("own", "b/2")]);
    assert_eq!(f.tracker.find_blob(digest("1")).await.unwrap(), Some(object("1")));
}

/// Numbers are never given again, so an old plan cannot mean a new version.
async fn a_model_that_came_back_after_its_purge_is_not_purged_by_the_old_plan(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Archived).await;
    f.change_model(ModelChanges::delete()).await;
    let (old, _) = f.purge_models(models(&["churn"])).await;
    f.make_model("churn").await;
    f.add("churn", version("3")).await;
    fails(ErrorKind::Conflict, f.registry.purge_models(&old).await);
    assert_eq!(f.read_version(3).await.number, 3);
}

async fn an_empty_plan_takes_away_nothing(f: Fixture) {
    f.versions(1).await;
    let rows = f.rows().await;
    for what in
        [ModelPurge::Versions(vec![]), ModelPurge::Models(vec![]), ModelPurge::DeletedBefore(at(9))]
    {
        let plan = plan(&f, what).await;
        assert_eq!(plan, ModelPurgePlan::default());
        f.registry.purge_models(&plan).await.unwrap();
    }
    assert_eq!(f.rows().await, rows);
}
