//! What is found, in which order.

use mlops_core::ErrorKind;
use mlops_core::filter::Filter;
use mlops_core::tracking::{
    CreateRun, ExperimentChanges, ExperimentQuery, MAX_PAGE, RunChanges, RunQuery, View,
};

use super::corpus::CORPUS;
use super::population::populate;
use crate::build::{at, experiment_id, key, run_id};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        each_filter_of_the_corpus_finds_its_runs,
        each_filter_of_the_corpus_agrees_with_the_walk_over_the_records,
        each_filter_of_the_corpus_is_counted,
        the_youngest_run_comes_first_and_of_equals_the_greatest_id,
        what_a_run_does_not_have_and_nan_come_last_both_ways,
        runs_that_are_equal_in_every_order_have_the_youngest_first,
        several_orders_are_applied_in_turn,
        only_runs_of_the_named_experiments_are_found,
        an_unknown_experiment_has_no_runs,
        the_view_says_whether_the_trash_is_looked_at,
        count_ignores_limit_order_and_page,
        a_found_run_is_the_run_as_it_is_read,
        a_limit_above_the_bound_is_invalid,
        experiments_are_found_by_what_they_have,
        experiments_come_by_name_and_then_by_id,
        the_view_of_experiments_says_whether_the_trash_is_looked_at,
    ]
}

/// The numbers of the runs that are found, in order.
async fn found(f: &Fixture, query: &RunQuery) -> Vec<u8> {
    let page = f.tracker.search_runs(query).await.unwrap();
    page.items.iter().map(|run| run.id.as_bytes()[1]).collect()
}

async fn each_filter_of_the_corpus_finds_its_runs(f: Fixture) {
    populate(&*f.tracker).await;
    for (text, expected) in CORPUS {
        let mut found = found(&f, &RunQuery::parse(text, &[]).unwrap()).await;
        found.sort_unstable();
        assert_eq!(found, *expected, "{text}");
    }
}

async fn each_filter_of_the_corpus_agrees_with_the_walk_over_the_records(f: Fixture) {
    let runs = populate(&*f.tracker).await;
    for (text, _) in CORPUS {
        let filter = Filter::parse(text).unwrap();
        let matching = runs.values().filter(|run| filter.matches(*run));
        let mut walked: Vec<u8> = matching.map(|run| run.id.as_bytes()[1]).collect();
        walked.sort_unstable();
        let query = RunQuery::parse(text, &[]).unwrap().with_view(View::All);
        let mut found = found(&f, &query).await;
        found.sort_unstable();
        assert_eq!(found, walked, "{text}");
    }
}

async fn each_filter_of_the_corpus_is_counted(f: Fixture) {
    populate(&*f.tracker).await;
    for (text, expected) in CORPUS {
        let query = RunQuery::parse(text, &[]).unwrap();
        assert_eq!(f.tracker.count_runs(&query).await.unwrap(), expected.len() as u64, "{text}");
    }
}

async fn the_youngest_run_comes_first_and_of_equals_the_greatest_id(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    for (n, second) in [(3, 0), (1, 0), (2, 0), (9, -1), (4, 1)] {
        let options = CreateRun::new(run_id(n), experiment.id).with_started(at(second * 1_000));
        f.tracker.create_run(options).await.unwrap();
    }
    assert_eq!(found(&f, &RunQuery::default()).await, [4, 3, 2, 1, 9]);
}

async fn what_a_run_does_not_have_and_nan_come_last_both_ways(f: Fixture) {
    populate(&*f.tracker).await;
    let ordered = async |order| {
        let query = RunQuery::parse("user = 'çelik'", &[order]).unwrap();
        found(&f, &query).await
    };
    // 21 and 25 end in NaN, 30 has none; 26 and 27 are equal: the youngest first.
    let up = ordered("metrics.x").await;
    assert_eq!(up, [23, 27, 26, 28, 24, 29, 22, 30, 25, 21]);
    let down = ordered("metrics.x desc").await;
    assert_eq!(down, [22, 29, 24, 28, 27, 26, 23, 30, 25, 21]);
    // Of 21 every value is NaN: it has no smallest one.
    let up = ordered("min(metrics.x) asc").await;
    assert_eq!(up, [23, 27, 26, 28, 25, 24, 29, 22, 30, 21]);
    let down = ordered("count(metrics.x) desc").await;
    assert_eq!(down, [25, 24, 29, 28, 27, 26, 23, 22, 21, 30]);
}

async fn runs_that_are_equal_in_every_order_have_the_youngest_first(f: Fixture) {
    populate(&*f.tracker).await;
    let query = RunQuery::parse("metrics.\"val/top-1\" > 35", &["status", "user desc"]).unwrap();
    assert_eq!(found(&f, &query).await, [40, 39, 38, 37, 36]);
    let query = RunQuery::parse("user = 'ann'", &["tags.team"]).unwrap();
    assert_eq!(found(&f, &query).await, [5, 4, 3, 2, 1, 10, 9, 8, 7, 6]);
}

async fn several_orders_are_applied_in_turn(f: Fixture) {
    populate(&*f.tracker).await;
    let query = RunQuery::parse("user = 'ann'", &["params.lr desc", "metrics.auc"]).unwrap();
    assert_eq!(found(&f, &query).await, [2, 4, 6, 8, 10, 1, 3, 5, 7, 9]);
    let query = RunQuery::parse("user = 'ann'", &["params.depth"]).unwrap();
    assert_eq!(found(&f, &query).await, [1, 10, 2, 3, 4, 5, 6, 7, 8, 9], "params are texts");
    let query = RunQuery::parse("tags.label is not null", &["tags.label desc"]).unwrap();
    let by_bytes = [37, 36, 32, 40, 31, 38, 35, 34, 33, 39];
    assert_eq!(found(&f, &query).await, by_bytes);
}

async fn only_runs_of_the_named_experiments_are_found(f: Fixture) {
    populate(&*f.tracker).await;
    let rough = RunQuery::default().with_experiment(experiment_id(2));
    assert_eq!(found(&f, &rough).await, [20, 19, 18, 17, 16, 15, 14, 13, 12, 11]);
    let mut both = RunQuery::parse("status = 'finished'", &[]).unwrap();
    both.experiments = vec![experiment_id(2), experiment_id(1), experiment_id(2)];
    assert_eq!(found(&f, &both).await, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1], "each run once");
}

async fn an_unknown_experiment_has_no_runs(f: Fixture) {
    f.one_run().await;
    let query = RunQuery::default().with_experiment(experiment_id(9));
    assert!(found(&f, &query).await.is_empty());
    assert_eq!(f.tracker.count_runs(&query).await.unwrap(), 0);
}

async fn the_view_says_whether_the_trash_is_looked_at(f: Fixture) {
    populate(&*f.tracker).await;
    let query = |view| RunQuery::parse("name = 'grid-0'", &[]).unwrap().with_view(view);
    for (view, expected) in
        [(View::Active, &[1][..]), (View::Deleted, &[42, 41]), (View::All, &[42, 41, 1])]
    {
        assert_eq!(found(&f, &query(view)).await, expected);
        let count = f.tracker.count_runs(&query(view)).await.unwrap();
        assert_eq!(count, expected.len() as u64);
    }
}

async fn count_ignores_limit_order_and_page(f: Fixture) {
    populate(&*f.tracker).await;
    let mut query = RunQuery::parse("user = 'ann'", &["metrics.auc"]).unwrap().with_limit(3);
    query.page = f.tracker.search_runs(&query).await.unwrap().next;
    assert!(query.page.is_some());
    assert_eq!(f.tracker.count_runs(&query).await.unwrap(), 10);
}

async fn a_found_run_is_the_run_as_it_is_read(f: Fixture) {
    let runs = populate(&*f.tracker).await;
    let query = RunQuery::default().with_view(View::All);
    let found = f.tracker.search_runs(&query).await.unwrap().items;
    assert_eq!(found.len(), runs.len());
    for run in found {
        assert_eq!(format!("{run:?}"), format!("{:?}", runs[&run.id]), "NaN is not equal to NaN");
    }
}

async fn a_limit_above_the_bound_is_invalid(f: Fixture) {
    f.one_run().await;
    let query = |limit| RunQuery::default().with_limit(limit);
    fails(ErrorKind::Invalid, f.tracker.search_runs(&query(MAX_PAGE + 1)).await);
    assert_eq!(f.tracker.search_runs(&query(MAX_PAGE)).await.unwrap().items.len(), 1);
    let query = ExperimentQuery::default().with_limit(MAX_PAGE + 1);
    fails(ErrorKind::Invalid, f.tracker.search_experiments(&query).await);
}

async fn experiments(f: &Fixture, filter: &str, view: View) -> Vec<String> {
    let query = ExperimentQuery::new(Filter::parse(filter).unwrap()).with_view(view);
    let page = f.tracker.search_experiments(&query).await.unwrap();
    page.items.iter().map(|experiment| experiment.name.to_string()).collect()
}

async fn experiments_are_found_by_what_they_have(f: Fixture) {
    let churn = f.experiment(1, "churn").await;
    let tags = ExperimentChanges::default().with_tag(key("team"), "x").with_tag(key("n"), "2");
    f.tracker.update_experiment(churn.id, tags).await.unwrap();
    f.clock.advance_micros(1_000_000);
    f.experiment(2, "it's 100%").await;
    for (filter, expected) in [
        ("", &["churn", "it's 100%"][..]),
        ("name = 'churn'", &["churn"]),
        ("name like '%''s %'", &["it's 100%"]),
        ("tags.team = 'x' and not name = 'fraud'", &["churn"]),
        ("tags.team is null", &["it's 100%"]),
        ("started < '2023-11-14T22:13:21Z'", &["churn"]),
        ("created >= '2023-11-14T22:13:21Z'", &["it's 100%"]),
        ("metrics.loss > 0 or not metrics.loss > 0", &[]),
        ("params.lr is null and status is null", &["churn", "it's 100%"]),
    ] {
        assert_eq!(experiments(&f, filter, View::Active).await, expected, "{filter}");
    }
    let by_id = format!("id = '{}'", experiment_id(2));
    assert_eq!(experiments(&f, &by_id, View::Active).await, ["it's 100%"]);
}

async fn experiments_come_by_name_and_then_by_id(f: Fixture) {
    for (n, name) in [(3, "b"), (1, "é"), (5, "a"), (4, "B"), (2, "ab")] {
        f.experiment(n, name).await;
    }
    assert_eq!(experiments(&f, "", View::All).await, ["B", "a", "ab", "b", "é"]);
    for n in [9, 7, 8] {
        f.experiment(n, "same").await;
        f.tracker.update_experiment(experiment_id(n), ExperimentChanges::delete()).await.unwrap();
    }
    let query = ExperimentQuery::default().with_view(View::Deleted);
    let same = f.tracker.search_experiments(&query).await.unwrap().items;
    let ids: Vec<_> = same.iter().map(|experiment| experiment.id).collect();
    assert_eq!(ids, [experiment_id(7), experiment_id(8), experiment_id(9)]);
}

async fn the_view_of_experiments_says_whether_the_trash_is_looked_at(f: Fixture) {
    f.experiment(1, "live").await;
    f.experiment(2, "dead").await;
    f.tracker.update_experiment(experiment_id(2), ExperimentChanges::delete()).await.unwrap();
    assert_eq!(experiments(&f, "", View::Active).await, ["live"]);
    assert_eq!(experiments(&f, "", View::Deleted).await, ["dead"]);
    assert_eq!(experiments(&f, "", View::All).await, ["dead", "live"]);
    f.start(1, experiment_id(1)).await;
    f.change(run_id(1), RunChanges::default().with_deleted(true)).await;
    assert_eq!(experiments(&f, "", View::Deleted).await, ["dead"], "runs are no experiments");
}
