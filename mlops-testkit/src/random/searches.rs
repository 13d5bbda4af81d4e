//! Random searches over the population: a backend finds what walking over the records finds.
//!
//! Filters are made as trees, printed and parsed again, so that a backend gets what a user could have
//! written. The expected answer is computed here, by `Filter::matches` and `filter::compare` over the
//! records, and by the reference model: three ways that must agree.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use futures::executor::block_on;
use mlops_core::RunId;
use mlops_core::filter::{
    Aggregate, Attribute, DatasetField, Field, Filter, Literal, OrderBy, compare,
};
use mlops_core::tracking::{MAX_PAGE, Run, RunQuery, RunStatus, View};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use super::filters::{
    equal, instant_literal, like, number_literal, ordered, text_literal, tree, with,
};
use crate::build::{experiment_id, run_id};
use crate::tracker::populate;
use crate::{Absent, Fixture, Opened, memory};

/// Compares a backend with the reference model, and both with a walk over the records, over `cases`
/// random searches with pages.
///
/// The searches are the same in each run; more cases are more of them. `open` gives one empty store.
///
/// # Panics
/// With the simplest search found whose answers differ.
pub fn search_differential(open: impl Fn() -> Opened, cases: u32) {
    if let Err(difference) = find(open, cases, true) {
        panic!("{difference}");
    }
}

/// The first difference, made as simple as can be if it is to be read.
pub(crate) fn find(open: impl Fn() -> Opened, cases: u32, simplify: bool) -> Result<(), String> {
    let config = Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0),
        max_shrink_iters: if simplify { 2_000 } else { 0 },
        ..Config::default()
    };
    let absent = |absent: Absent| absent.to_string();
    let (backend, model) = (open().map_err(absent)?, memory().map_err(absent)?);
    let runs = block_on(async {
        populate(&*backend.tracker).await;
        populate(&*model.tracker).await
    });
    let result = TestRunner::new(config).run(&query(), |query| {
        let expected = walk(&runs, &query);
        for (name, store) in [("backend", &backend), ("model", &model)] {
            let (found, count) = block_on(pages(store, &query)).map_err(TestCaseError::fail)?;
            if found != expected || count != expected.len() as u64 {
                return Err(TestCaseError::fail(format!(
                    "the {name} found {found:?} and counted {count}, expected {expected:?}"
                )));
            }
        }
        Ok(())
    });
    result.map_err(|error| match error {
        TestError::Fail(reason, query) => {
            let orders: Vec<_> = query.order_by.iter().map(ToString::to_string).collect();
            format!("{reason}\nfor {} by {orders:?}\n{query:#?}", query.filter)
        }
        TestError::Abort(reason) => reason.to_string(),
    })
}

fn number(run: &Run) -> u8 {
    run.id.as_bytes()[1]
}

fn walk(runs: &BTreeMap<RunId, Run>, query: &RunQuery) -> Vec<u8> {
    let mut found: Vec<&Run> = runs
        .values()
        .filter(|run| query.experiments.is_empty() || query.experiments.contains(&run.experiment))
        .filter(|run| query.view.sees(run.deleted.is_some()) && query.filter.matches(*run))
        .collect();
    let youngest_first = |a: &Run, b: &Run| (b.started, b.id).cmp(&(a.started, a.id));
    found.sort_by(|a, b| match compare(&query.order_by, *a, *b) {
        Ordering::Equal => youngest_first(a, b),
        ordering => ordering,
    });
    found.into_iter().map(number).collect()
}

async fn pages(store: &Fixture, query: &RunQuery) -> Result<(Vec<u8>, u64), String> {
    let failed = |error: mlops_core::Error| format!("{error:?}");
    let count = store.tracker.count_runs(query).await.map_err(failed)?;
    let mut query = query.clone();
    let mut found = Vec::new();
    loop {
        let page = store.tracker.search_runs(&query).await.map_err(failed)?;
        if page.items.len() > query.limit || (page.items.is_empty() && page.next.is_some()) {
            return Err("a page is too long, or empty and not the last".to_owned());
        }
        found.extend(page.items.iter().map(number));
        match page.next {
            Some(next) => query.page = Some(next),
            None => return Ok((found, count)),
        }
    }
}

fn query() -> impl Strategy<Value = RunQuery> {
    let experiments = prop_oneof![
        3 => Just(vec![]),
        1 => prop::collection::vec(1_u8..5, 1..3),
    ];
    let limit = prop_oneof![1_usize..50, Just(MAX_PAGE)];
    let view = select(vec![View::Active, View::All, View::Deleted]);
    let parts = (tree(term), prop::collection::vec(order(), 0..4), experiments, view, limit);
    parts.prop_map(|(filter, order_by, experiments, view, limit)| {
        let text = filter.to_string();
        let mut query = RunQuery::parse(&text, &[])
            .unwrap_or_else(|error| panic!("a printed filter does not parse: {error}\n{text}"));
        query.order_by = order_by;
        query.experiments = experiments.into_iter().map(experiment_id).collect();
        query.with_view(view).with_limit(limit)
    })
}

fn order() -> impl Strategy<Value = OrderBy> {
    let field = prop_oneof![
        metric_field(),
        select(attributes()).prop_map(Field::Attribute),
        select(PARAMS.to_vec()).prop_map(|name| Field::Param(name.to_owned())),
        select(TAGS.to_vec()).prop_map(|name| Field::Tag(name.to_owned())),
    ];
    (field, any::<bool>()).prop_map(|(field, descending)| OrderBy { field, descending })
}

/// `x` is the one with NaN and infinities, so it is drawn more often.
const METRICS: [&str; 7] = ["x", "x", "x", "auc", "loss", "val/top-1", "absent"];
const PARAMS: [&str; 6] = ["lr", "depth", "model", "a key with spaces", "q\"`'", "absent"];
const TAGS: [&str; 3] = ["team", "label", "absent"];

fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::Id,
        Attribute::Name,
        Attribute::Status,
        Attribute::User,
        Attribute::Started,
        Attribute::Ended,
        Attribute::Duration,
        Attribute::Note,
        Attribute::Parent,
        Attribute::Experiment,
    ]
}

fn metric_field() -> impl Strategy<Value = Field> {
    let aggregates = prop_oneof![
        3 => Just(Aggregate::Last),
        1 => select(vec![Aggregate::Min, Aggregate::Max, Aggregate::Count]),
    ];
    (aggregates, select(METRICS.to_vec()))
        .prop_map(|(aggregate, name)| Field::Metric(aggregate, name.to_owned()))
}

/// A term that the parser would let through.
fn term() -> BoxedStrategy<Filter> {
    let text_fields = vec![
        Field::Attribute(Attribute::Name),
        Field::Attribute(Attribute::User),
        Field::Attribute(Attribute::Note),
        Field::Tag("team".to_owned()),
        Field::Tag("label".to_owned()),
        Field::Tag("absent".to_owned()),
        Field::Dataset(DatasetField::Name),
        Field::Dataset(DatasetField::Digest),
        Field::Dataset(DatasetField::Context),
    ];
    let params = || select(PARAMS.to_vec()).prop_map(|name| Field::Param(name.to_owned()));
    let instants = vec![Attribute::Started, Attribute::Ended];
    let ids = vec![Attribute::Id, Attribute::Parent, Attribute::Experiment];
    prop_oneof![
        4 => with(metric_field(), ordered(number_literal())),
        1 => with(Just(Field::Attribute(Attribute::Duration)), ordered(number_literal())),
        2 => with(params(), ordered(number_literal())),
        2 => with(params(), prop_oneof![2 => ordered(text_literal()), 1 => like()]),
        4 => with(select(text_fields), prop_oneof![2 => ordered(text_literal()), 1 => like()]),
        2 => with(select(instants).prop_map(Field::Attribute), ordered(instant_literal())),
        1 => with(Just(Field::Attribute(Attribute::Status)), equal(status_literal())),
        1 => with(select(ids).prop_map(Field::Attribute), prop_oneof![ordered(id_literal()), like()]),
    ]
    .boxed()
}

fn status_literal() -> BoxedStrategy<Literal> {
    select(RunStatus::ALL.to_vec()).prop_map(|s| Literal::Text(s.as_str().to_owned())).boxed()
}

fn id_literal() -> BoxedStrategy<Literal> {
    prop_oneof![
        (0_u8..44).prop_map(|n| run_id(n).to_string()),
        (0_u8..4).prop_map(|n| experiment_id(n).to_string()),
    ]
    .prop_map(Literal::Text)
    .boxed()
}
