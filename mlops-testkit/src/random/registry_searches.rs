//! Random searches over random models and versions: a backend finds what walking over the records
//! finds.
//!
//! As in `searches`, filters are printed and parsed again, and three ways must agree: the backend, the
//! reference model, and `Filter::matches` with `filter::compare` over all that was read one by one.
//! The population is random too, because it is the odd record that a backend gets wrong, such as a
//! version of a model in the trash, or a metric that is NaN; and pages are small, because a cursor must
//! stand behind each of them.

use std::cmp::Ordering;
use std::fmt::Debug;

use futures::executor::block_on;
use mlops_core::filter::{
    Aggregate, Attribute, Comparison, DatasetField, Field, Filter, Literal, Member, OrderBy,
    Record, Subject, compare,
};
use mlops_core::registry::{Model, ModelQuery, ModelVersion, Stage, VersionQuery};
use mlops_core::tracking::View;
use mlops_core::{Error, Result};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use super::filters::{
    equal, instant_literal, like, number_literal, ordered, text_literal, tree, with,
};
use super::registry_population::{
    ALIASES, METRICS, NAMES, PARAMS, RandomModel, Records, TAGS, make, population,
};
use crate::build::{model_name, run_id};
use crate::{Absent, Fixture, Opened, memory};

/// How many searches each population answers.
const SEARCHES_EACH: u32 = 25;

/// Compares a backend's registry with the reference model, and both with a walk over the records, over
/// `cases` random searches of models and versions with pages, in a fresh random population each 25.
///
/// The searches are the same in each run; more cases are more of them. `open` gives a fresh store each
/// time.
///
/// # Panics
/// With the simplest population and search found whose answers differ.
pub fn registry_search_differential(open: impl Fn() -> Opened, cases: u32) {
    if let Err(difference) = find(open, cases, true) {
        panic!("{difference}");
    }
}

/// The first difference, made as simple as can be if it is to be read.
pub(crate) fn find(open: impl Fn() -> Opened, cases: u32, simplify: bool) -> Result<(), String> {
    let config = Config {
        cases: cases.div_ceil(SEARCHES_EACH),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0),
        max_shrink_iters: if simplify { 2_000 } else { 0 },
        ..Config::default()
    };
    let searches = prop::collection::vec(search(), SEARCHES_EACH as usize);
    let result = TestRunner::new(config).run(&(population(), searches), |(models, searches)| {
        let absent = |absent: Absent| TestCaseError::fail(absent.to_string());
        let (backend, model) = (open().map_err(absent)?, memory().map_err(absent)?);
        block_on(differ(&backend, &model, &models, &searches)).map_err(TestCaseError::fail)
    });
    result.map_err(|error| match error {
        TestError::Fail(reason, (models, _)) => format!("{reason}\nin {models:#?}"),
        TestError::Abort(reason) => reason.to_string(),
    })
}

async fn differ(
    backend: &Fixture,
    model: &Fixture,
    models: &[RandomModel],
    searches: &[Search],
) -> Result<(), String> {
    let failed = |error: Error| format!("the population was refused: {error:?}");
    let found = make(backend, models).await.map_err(failed)?;
    let records = make(model, models).await.map_err(failed)?;
    same("the models", &found.models, &records.models)?;
    same("the versions", &found.versions, &records.versions)?;
    for search in searches {
        let search = search.among(&records);
        let expected = search.walk(&records);
        for (name, store) in [("backend", backend), ("model", model)] {
            let found = search.pages(store).await.unwrap_or_else(|error| vec![error]);
            if found != expected {
                return Err(format!(
                    "the {name} found {found:?}, expected {expected:?}\nfor {search:?}"
                ));
            }
        }
    }
    Ok(())
}

/// NaN is not equal to itself, so texts are compared.
fn same<T: Debug>(what: &str, found: &[T], expected: &[T]) -> Result<(), String> {
    let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} differ\n backend: {found}\n   model: {expected}"))
}

/// A search of models or versions.
#[derive(Clone)]
struct Search {
    subject: Subject,
    filter: Filter,
    order_by: Vec<OrderBy>,
    /// Only versions of this model.
    of: Option<&'static str>,
    view: View,
    limit: usize,
}

impl Debug for Search {
    /// As a user would write it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let orders: Vec<_> = self.order_by.iter().map(ToString::to_string).collect();
        let Self { subject, filter, of, view, limit, .. } = self;
        write!(f, "{subject:?} `{filter}` by {orders:?} of {of:?}, {view:?}, {limit} a page")
    }
}

impl Search {
    /// The search whose digests, numbers until now, are those of the population's versions.
    fn among(&self, records: &Records) -> Self {
        let digests: Vec<_> = records.versions.iter().map(|v| v.digest.to_string()).collect();
        Self { filter: with_digests(&self.filter, &digests), ..self.clone() }
    }

    /// What is found by looking at every record.
    fn walk(&self, records: &Records) -> Vec<String> {
        let Records { models, versions } = records;
        let gone = |name: &str| {
            models.iter().any(|model| model.name.as_str() == name && model.deleted.is_some())
        };
        let finds = |record: &dyn Record, deleted: bool| {
            self.view.sees(deleted) && self.filter.matches(record)
        };
        if self.subject == Subject::Model {
            let found = models.iter().filter(|model| finds(*model, model.deleted.is_some()));
            let names = self.sorted(found.collect(), |a: &Model, b| a.name.cmp(&b.name));
            return names.into_iter().map(|model| model.name.to_string()).collect();
        }
        let found = versions.iter().filter(|version| {
            let deleted = version.deleted.is_some() || gone(version.model.as_str());
            self.of.is_none_or(|of| version.model.as_str() == of) && finds(*version, deleted)
        });
        let greatest_first = |a: &ModelVersion, b: &ModelVersion| {
            a.model.cmp(&b.model).then(b.number.cmp(&a.number))
        };
        let found = self.sorted(found.collect(), greatest_first);
        found.into_iter().map(|version| version.id().to_string()).collect()
    }

    fn sorted<'a, R: Record>(
        &self,
        mut found: Vec<&'a R>,
        of_equals: impl Fn(&R, &R) -> Ordering,
    ) -> Vec<&'a R> {
        found.sort_by(|a, b| compare(&self.order_by, *a, *b).then_with(|| of_equals(a, b)));
        found
    }

    /// What a store finds, page by page to the end.
    async fn pages(&self, store: &Fixture) -> Result<Vec<String>, String> {
        let failed = |error: Error| format!("{error:?}");
        let text = self.filter.to_string();
        let orders: Vec<_> = self.order_by.iter().map(ToString::to_string).collect();
        let orders: Vec<&str> = orders.iter().map(String::as_str).collect();
        let (mut found, mut page) = (Vec::new(), None);
        loop {
            let (items, next) = if self.subject == Subject::Model {
                let mut query = ModelQuery::parse(&text, &orders).map_err(failed)?;
                query.page = page;
                let query = query.with_view(self.view).with_limit(self.limit);
                let page = store.registry.search_models(&query).await.map_err(failed)?;
                let name = |model: Model| model.name.to_string();
                (page.items.into_iter().map(name).collect::<Vec<_>>(), page.next)
            } else {
                let mut query = VersionQuery::parse(&text, &orders).map_err(failed)?;
                query.page = page;
                query.model = self.of.map(model_name);
                let query = query.with_view(self.view).with_limit(self.limit);
                let page = store.registry.search_versions(&query).await.map_err(failed)?;
                let id = |version: ModelVersion| version.id().to_string();
                (page.items.into_iter().map(id).collect(), page.next)
            };
            let too_long = self.limit > 0 && items.len() > self.limit;
            if too_long || (items.is_empty() && next.is_some()) {
                return Err("a page is too long, or empty and not the last".to_owned());
            }
            found.extend(items);
            match next {
                Some(next) => page = Some(next),
                None => return Ok(found),
            }
        }
    }
}

/// A digest is not known before the population is; until then a number stands for it.
fn with_digests(filter: &Filter, digests: &[String]) -> Filter {
    let all = |filters: &[Filter]| filters.iter().map(|f| with_digests(f, digests)).collect();
    let digest = |literal: &Literal| match literal {
        Literal::Number(n) if !digests.is_empty() => {
            Literal::Text(digests[*n as usize % digests.len()].clone())
        }
        _ => Literal::Text("0".repeat(64)),
    };
    match filter {
        Filter::And(filters) => Filter::And(all(filters)),
        Filter::Or(filters) => Filter::Or(all(filters)),
        Filter::Not(inner) => Filter::Not(Box::new(with_digests(inner, digests))),
        Filter::Term(field @ Field::Attribute(Attribute::Digest), comparison) => {
            let comparison = match comparison {
                Comparison::Eq(a) => Comparison::Eq(digest(a)),
                Comparison::Ne(a) => Comparison::Ne(digest(a)),
                Comparison::Lt(a) => Comparison::Lt(digest(a)),
                Comparison::Le(a) => Comparison::Le(digest(a)),
                Comparison::Gt(a) => Comparison::Gt(digest(a)),
                Comparison::Ge(a) => Comparison::Ge(digest(a)),
                Comparison::Between(a, b) => Comparison::Between(digest(a), digest(b)),
                Comparison::In(list) => Comparison::In(list.iter().map(digest).collect()),
                other => other.clone(),
            };
            Filter::Term(field.clone(), comparison)
        }
        other => other.clone(),
    }
}

fn search() -> impl Strategy<Value = Search> {
    let view = || select(vec![View::Active, View::Active, View::All, View::Deleted]);
    // 0 is 1,000 a page.
    let limit = || prop_oneof![6 => 1_usize..8, 1 => Just(0)];
    let of = prop_oneof![4 => Just(None), 1 => select(NAMES.to_vec()).prop_map(Some)];
    let orders = |fields: Vec<Field>| {
        let order = (select(fields), any::<bool>())
            .prop_map(|(field, descending)| OrderBy { field, descending });
        prop::collection::vec(order, 0..4)
    };
    // Where everything is found, it is the order and the pages that are tested.
    let filter = |term| prop_oneof![3 => tree(term), 1 => Just(Filter::All)];
    let of_models = (filter(model_term), orders(model_orders()), Just(None), view(), limit());
    let of_versions = (filter(version_term), orders(version_orders()), of, view(), limit());
    let search = |subject| {
        move |(filter, order_by, of, view, limit)| Search {
            subject,
            filter,
            order_by,
            of,
            view,
            limit,
        }
    };
    prop_oneof![
        2 => of_models.prop_map(search(Subject::Model)),
        3 => of_versions.prop_map(search(Subject::Version)),
    ]
}

fn keyed(keys: &[&str], field: impl Fn(String) -> Field) -> Vec<Field> {
    keys.iter().map(|key| field((*key).to_owned())).collect()
}

fn attributes(attributes: &[Attribute]) -> Vec<Field> {
    attributes.iter().copied().map(Field::Attribute).collect()
}

fn metrics() -> Vec<Field> {
    keyed(&METRICS, |name| Field::Metric(Aggregate::Last, name))
}

fn model_orders() -> Vec<Field> {
    let own = [Attribute::Name, Attribute::Note, Attribute::Started, Attribute::Updated];
    [attributes(&own), keyed(&TAGS, Field::Tag)].concat()
}

fn version_orders() -> Vec<Field> {
    let own = [Attribute::Version, Attribute::SourceRun, Attribute::User, Attribute::Digest];
    let keyed = [metrics(), metrics(), keyed(&PARAMS, Field::Param)].concat();
    [attributes(&own), keyed, model_orders()].concat()
}

/// A term about a model that the parser would let through.
fn model_term() -> BoxedStrategy<Filter> {
    let texts = [
        attributes(&[Attribute::Name, Attribute::Name, Attribute::Note]),
        keyed(&TAGS, Field::Tag),
    ]
    .concat();
    prop_oneof![
        5 => with(select(texts), prop_oneof![2 => ordered(words()), 1 => like()]),
        2 => with(select(instants()), ordered(instant_literal())),
        2 => alias_term(),
        2 => stage_term(),
    ]
    .boxed()
}

/// A term about a version that the parser would let through.
fn version_term() -> BoxedStrategy<Filter> {
    let texts = [
        attributes(&[Attribute::Name, Attribute::User, Attribute::Note]),
        keyed(&TAGS, Field::Tag),
        [DatasetField::Name, DatasetField::Digest, DatasetField::Context]
            .map(Field::Dataset)
            .to_vec(),
    ]
    .concat();
    let params = || select(keyed(&PARAMS, Field::Param));
    let version = Just(Field::Attribute(Attribute::Version));
    let few = prop_oneof![0_u8..9, 0_u8..3].prop_map(|n| Literal::Number(n.into())).boxed();
    let number = prop_oneof![4 => few.clone(), 1 => number_literal()].boxed();
    let run = Just(Field::Attribute(Attribute::SourceRun));
    let runs = (0_u8..5).prop_map(|n| Literal::Text(run_id(n).to_string())).boxed();
    let digest = Just(Field::Attribute(Attribute::Digest));
    let start = "[0-9a-f]%".prop_map(Comparison::Like);
    prop_oneof![
        4 => with(select(metrics()), ordered(number_literal())),
        1 => with(version, ordered(number)),
        2 => with(params(), ordered(number_literal())),
        2 => with(params(), prop_oneof![2 => ordered(text_literal()), 1 => like()]),
        5 => with(select(texts), prop_oneof![2 => ordered(words()), 1 => like()]),
        2 => with(select(instants()), ordered(instant_literal())),
        2 => with(run, prop_oneof![3 => ordered(runs), 1 => like()]),
        1 => with(digest, prop_oneof![2 => ordered(few), 1 => start, 1 => like()]),
        2 => alias_term(),
        2 => stage_term(),
    ]
    .boxed()
}

fn instants() -> Vec<Field> {
    attributes(&[Attribute::Started, Attribute::Updated])
}

/// The texts of every filter, and the names of models.
fn words() -> BoxedStrategy<Literal> {
    let names = select(NAMES.to_vec()).prop_map(|name| Literal::Text(name.to_owned()));
    prop_oneof![2 => text_literal(), 1 => names].boxed()
}

fn alias_term() -> BoxedStrategy<Filter> {
    let aliases = select(ALIASES.to_vec()).prop_map(|alias| Literal::Text(alias.to_owned()));
    with(Just(Field::Member(Member::Alias)), prop_oneof![3 => equal(aliases.boxed()), 1 => like()])
}

fn stage_term() -> BoxedStrategy<Filter> {
    let stages = select(Stage::ALL.to_vec()).prop_map(|s| Literal::Text(s.as_str().to_owned()));
    let patterns = select(vec!["Prod%", "prod%", "%ed", "None", "%t%"]).prop_map(String::from);
    let pattern = prop_oneof![
        patterns.clone().prop_map(Comparison::Like),
        patterns.prop_map(Comparison::ILike),
    ];
    with(Just(Field::Member(Member::Stage)), prop_oneof![3 => equal(stages.boxed()), 1 => pattern])
}
