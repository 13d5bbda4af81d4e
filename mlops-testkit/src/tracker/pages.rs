//! Pages: every record once, whatever happens in between.

use mlops_core::ErrorKind;
use mlops_core::tracking::{
    CreateRun, ExperimentChanges, ExperimentQuery, PageToken, Purge, RunChanges, RunQuery, View,
};

use super::population::populate;
use crate::build::{at, experiment_id, key, run_id};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        pages_of_any_size_hold_each_run_once_in_order,
        the_last_page_has_no_next_one,
        a_page_may_have_another_size_than_the_one_before,
        pages_neither_repeat_nor_skip_when_runs_come_and_go,
        runs_made_after_the_first_page_are_not_returned,
        a_page_follows_a_run_that_has_left_the_result,
        a_token_of_another_query_is_invalid,
        a_text_that_is_not_a_token_is_invalid,
        pages_of_experiments_hold_each_once,
        experiments_made_after_the_first_page_are_not_returned,
        a_token_of_another_query_for_experiments_is_invalid,
    ]
}

const ORDERS: [&[&str]; 7] = [
    &[],
    &["metrics.x"],
    &["metrics.x desc"],
    &["min(metrics.loss) desc", "name"],
    &["params.lr", "tags.team desc"],
    &["duration desc", "status"],
    &["ended", "started"],
];

async fn pages(f: &Fixture, query: &RunQuery) -> Vec<u8> {
    let mut query = query.clone();
    let mut all = Vec::new();
    loop {
        let page = f.tracker.search_runs(&query).await.unwrap();
        assert!(page.items.len() <= query.limit && all.len() <= 1_000);
        all.extend(page.items.iter().map(|run| run.id.as_bytes()[1]));
        match page.next {
            Some(next) => query.page = Some(next),
            None => return all,
        }
    }
}

async fn pages_of_any_size_hold_each_run_once_in_order(f: Fixture) {
    populate(&*f.tracker).await;
    for order in ORDERS {
        let query = RunQuery::parse("", order).unwrap().with_view(View::All);
        let at_once = pages(&f, &query.clone().with_limit(100)).await;
        assert_eq!(at_once.len(), 42);
        for limit in [1, 2, 7, 41, 42] {
            let paged = pages(&f, &query.clone().with_limit(limit)).await;
            assert_eq!(paged, at_once, "{order:?} by {limit}");
        }
    }
}

async fn the_last_page_has_no_next_one(f: Fixture) {
    let run = f.one_run().await;
    f.start(2, run.experiment).await;
    let next = async |limit| {
        let query = RunQuery::default().with_limit(limit);
        f.tracker.search_runs(&query).await.unwrap().next
    };
    assert!(next(1).await.is_some());
    assert!(next(2).await.is_none(), "a full page may be the last");
    assert!(next(3).await.is_none());
    let nothing = RunQuery::parse("name = 'absent'", &[]).unwrap();
    let nothing = f.tracker.search_runs(&nothing).await.unwrap();
    assert!(nothing.items.is_empty() && nothing.next.is_none());
}

async fn a_page_may_have_another_size_than_the_one_before(f: Fixture) {
    populate(&*f.tracker).await;
    let mut query = RunQuery::parse("user = 'ann'", &["metrics.auc"]).unwrap().with_limit(2);
    let first = f.tracker.search_runs(&query).await.unwrap();
    query = query.with_limit(5).with_page(first.next.unwrap());
    assert_eq!(pages(&f, &query).await, [3, 4, 5, 6, 7, 8, 9, 10]);
}

/// Between the pages runs before and behind the place are deleted and made.
async fn pages_neither_repeat_nor_skip_when_runs_come_and_go(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    for n in 1..=12 {
        let options = CreateRun::new(run_id(n), experiment.id)
            .with_started(at(i64::from(n) * 10))
            .with_param(key("group"), (n % 3).to_string());
        f.tracker.create_run(options).await.unwrap();
    }
    let query = RunQuery::parse("", &["params.group"]).unwrap().with_limit(3);
    // By group: 12 9 6 | 3 10 7 | 4 1 11 | 8 5 2.
    let first = f.tracker.search_runs(&query).await.unwrap();
    f.change(run_id(9), RunChanges::default().with_deleted(true)).await;
    f.change(run_id(11), RunChanges::default().with_deleted(true)).await;
    for n in [20, 21] {
        let options = CreateRun::new(run_id(n), experiment.id)
            .with_started(at(500))
            .with_param(key("group"), "0");
        f.tracker.create_run(options).await.unwrap();
    }
    let rest = query.clone().with_page(first.next.unwrap());
    assert_eq!(pages(&f, &rest).await, [3, 10, 7, 4, 1, 8, 5, 2]);
}

async fn runs_made_after_the_first_page_are_not_returned(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    for n in 1..=4 {
        let options = CreateRun::new(run_id(n), experiment.id).with_started(at(i64::from(n)));
        f.tracker.create_run(options).await.unwrap();
    }
    let query = RunQuery::default().with_limit(2);
    let first = f.tracker.search_runs(&query).await.unwrap();
    // Older than all others, so that its place lies behind the first page.
    let late = CreateRun::new(run_id(9), experiment.id).with_started(at(-100));
    f.tracker.create_run(late).await.unwrap();
    let rest = query.clone().with_page(first.next.unwrap());
    assert_eq!(pages(&f, &rest).await, [2, 1]);
    assert_eq!(pages(&f, &query).await, [4, 3, 2, 1, 9], "a new search sees it");
}

/// The run that the first page ended with is deleted, then purged: its place stays a place.
async fn a_page_follows_a_run_that_has_left_the_result(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    for n in 1..=4 {
        f.start(n, experiment.id).await;
    }
    let query = RunQuery::default().with_limit(2);
    let first = f.tracker.search_runs(&query).await.unwrap();
    let rest = query.with_page(first.next.unwrap());
    f.change(run_id(3), RunChanges::default().with_deleted(true)).await;
    assert_eq!(pages(&f, &rest).await, [2, 1]);
    let plan = f.tracker.plan_purge(&Purge::Runs(vec![run_id(3)])).await.unwrap();
    f.tracker.purge(&plan).await.unwrap();
    assert_eq!(pages(&f, &rest).await, [2, 1]);
}

async fn a_token_of_another_query_is_invalid(f: Fixture) {
    populate(&*f.tracker).await;
    let query = RunQuery::parse("user = 'ann'", &["metrics.auc"]).unwrap().with_limit(2);
    let token = f.tracker.search_runs(&query).await.unwrap().next.unwrap();
    let others = [
        RunQuery::parse("user = 'bob'", &["metrics.auc"]).unwrap(),
        RunQuery::parse("user = 'ann'", &["metrics.auc desc"]).unwrap(),
        RunQuery::parse("user = 'ann'", &[]).unwrap(),
        query.clone().with_view(View::All),
        query.clone().with_experiment(experiment_id(1)),
    ];
    for other in others {
        let other = other.with_page(token.clone());
        fails(ErrorKind::Invalid, f.tracker.search_runs(&other).await);
    }
    f.tracker.search_runs(&query.with_page(token)).await.expect("it is a token of this one");
}

async fn a_text_that_is_not_a_token_is_invalid(f: Fixture) {
    populate(&*f.tracker).await;
    let query = RunQuery::default().with_limit(2);
    let token = f.tracker.search_runs(&query).await.unwrap().next.unwrap().0;
    let cut = &token[..token.len() / 2];
    for text in ["", "x", "1", "AAAA", "{}", "null", "' or 1=1; --", "\u{0}", "ÄÖÜ", cut] {
        let page = PageToken(text.to_owned());
        let bad = query.clone().with_page(page.clone());
        fails(ErrorKind::Invalid, f.tracker.search_runs(&bad).await);
        let bad = ExperimentQuery::default().with_page(page);
        fails(ErrorKind::Invalid, f.tracker.search_experiments(&bad).await);
    }
}

async fn experiment_pages(f: &Fixture, query: &ExperimentQuery) -> Vec<u8> {
    let mut query = query.clone();
    let mut all = Vec::new();
    loop {
        let page = f.tracker.search_experiments(&query).await.unwrap();
        assert!(page.items.len() <= query.limit && all.len() <= 1_000);
        all.extend(page.items.iter().map(|experiment| experiment.id.as_bytes()[1]));
        match page.next {
            Some(next) => query.page = Some(next),
            None => return all,
        }
    }
}

async fn pages_of_experiments_hold_each_once(f: Fixture) {
    for n in 1..=7 {
        f.experiment(n, &format!("e{}", n / 3)).await;
        f.tracker.update_experiment(experiment_id(n), ExperimentChanges::delete()).await.unwrap();
    }
    for limit in [1, 2, 3, 7, 8] {
        let query = ExperimentQuery::default().with_view(View::All).with_limit(limit);
        assert_eq!(experiment_pages(&f, &query).await, [1, 2, 3, 4, 5, 6, 7]);
    }
}

async fn experiments_made_after_the_first_page_are_not_returned(f: Fixture) {
    for (n, name) in [(1, "a"), (2, "c"), (3, "e")] {
        f.experiment(n, name).await;
    }
    let query = ExperimentQuery::default().with_limit(1);
    let first = f.tracker.search_experiments(&query).await.unwrap();
    f.experiment(4, "d").await;
    let rest = query.with_page(first.next.unwrap());
    assert_eq!(experiment_pages(&f, &rest).await, [2, 3]);
}

async fn a_token_of_another_query_for_experiments_is_invalid(f: Fixture) {
    f.experiment(1, "a").await;
    f.experiment(2, "b").await;
    let query = ExperimentQuery::default().with_limit(1);
    let token = f.tracker.search_experiments(&query).await.unwrap().next.unwrap();
    let other = query.clone().with_view(View::All).with_page(token.clone());
    fails(ErrorKind::Invalid, f.tracker.search_experiments(&other).await);
    let runs = RunQuery::default().with_page(token);
    fails(ErrorKind::Invalid, f.tracker.search_runs(&runs).await);
}
