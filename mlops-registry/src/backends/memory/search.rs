//! Searching in memory: walk everything, sort, cut a page.
//!
//! A page token names the query by its hash, the place of the last record in the order, and the
//! journal's length when the first page was cut: what was made later is not shown. It is a place and
//! not a count, so that rows which come and go before it move nothing. Numbers in it are bit
//! patterns, because JSON's decimal numbers need not come back exactly.

use std::borrow::Cow;
use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use mlops_core::filter::{
    Aggregate, Attribute, DatasetEntry, Field, Member, OrderBy, Record, compare,
};
use mlops_core::tracking::{Experiment, ExperimentQuery, Page, PageToken, Run, RunQuery};
use mlops_core::{Error, ErrorKind, ExperimentId, Result, RunId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::state::{State, StoredExperiment, StoredRun};

/// What every token holds, around the place in the order.
#[derive(Serialize, Deserialize)]
pub(super) struct Token<P> {
    pub(super) query: String,
    /// Number of the journal's last row when the first page was cut.
    pub(super) seen: u64,
    pub(super) place: P,
}

/// The place of a run in an order.
#[derive(Serialize, Deserialize)]
struct RunPlace {
    values: Vec<OrderValue>,
    started_micros: i64,
    id: RunId,
}

/// One of the values that a record is ordered by.
#[derive(Serialize, Deserialize)]
pub(super) enum OrderValue {
    Missing,
    Text(String),
    Bits(u64),
}

impl State {
    /// The runs that match, in no order.
    pub(super) fn matching<'a>(
        &'a self,
        query: &'a RunQuery,
    ) -> impl Iterator<Item = &'a StoredRun> {
        self.runs.values().filter(|run| {
            let run = &run.record;
            (query.experiments.is_empty() || query.experiments.contains(&run.experiment))
                && query.view.sees(run.deleted.is_some())
                && query.filter.matches(run)
        })
    }

    pub(super) fn search_runs(&self, query: &RunQuery) -> Result<Page<Run>> {
        let limit = query.page_limit()?;
        let hash = hash(&(&query.experiments, &query.filter, &query.order_by, query.view));
        let token: Option<Token<RunPlace>> = open(query.page.as_ref(), &hash)?;
        let seen = token.as_ref().map_or(self.journal.last(), |token| token.seen);

        let mut runs: Vec<&StoredRun> = self
            .matching(query)
            .filter(|run| run.made <= seen)
            .filter(|run| {
                token
                    .as_ref()
                    .is_none_or(|token| token.place.cmp_to(&query.order_by, &run.record).is_lt())
            })
            .collect();
        runs.sort_by(|a, b| {
            let (a, b) = (&a.record, &b.record);
            compare(&query.order_by, a, b)
                .then(youngest_first((a.started.timestamp_micros(), a.id), b))
        });

        let more = runs.len() > limit;
        let items: Vec<Run> = runs.into_iter().take(limit).map(|run| run.record.clone()).collect();
        let next = match items.last() {
            Some(last) if more => Some(close(&Token {
                query: hash,
                seen,
                place: RunPlace::of(&query.order_by, last),
            })?),
            _ => None,
        };
        Ok(Page { items, next })
    }

    pub(super) fn search_experiments(&self, query: &ExperimentQuery) -> Result<Page<Experiment>> {
        let limit = query.page_limit()?;
        let hash = hash(&(&query.filter, query.view));
        let token: Option<Token<(String, ExperimentId)>> = open(query.page.as_ref(), &hash)?;
        let seen = token.as_ref().map_or(self.journal.last(), |token| token.seen);

        let place = |experiment: &Experiment| (experiment.name.to_string(), experiment.id);
        let mut found: Vec<&StoredExperiment> = self
            .experiments
            .values()
            .filter(|found| {
                query.view.sees(found.record.deleted.is_some())
                    && query.filter.matches(&found.record)
                    && found.made <= seen
                    && token.as_ref().is_none_or(|token| token.place < place(&found.record))
            })
            .collect();
        found.sort_by_key(|found| place(&found.record));

        let more = found.len() > limit;
        let items: Vec<Experiment> =
            found.into_iter().take(limit).map(|found| found.record.clone()).collect();
        let next = match items.last() {
            Some(last) if more => Some(close(&Token { query: hash, seen, place: place(last) })?),
            _ => None,
        };
        Ok(Page { items, next })
    }
}

impl RunPlace {
    fn of(orders: &[OrderBy], run: &Run) -> Self {
        Self {
            values: OrderValue::all(orders, run),
            started_micros: run.started.timestamp_micros(),
            id: run.id,
        }
    }

    fn cmp_to(&self, orders: &[OrderBy], run: &Run) -> Ordering {
        let place = Place { orders, values: &self.values };
        compare(orders, &place, run).then(youngest_first((self.started_micros, self.id), run))
    }
}

/// Ends every order, so that no two runs are equal.
fn youngest_first(a: (i64, RunId), b: &Run) -> Ordering {
    (b.started.timestamp_micros(), b.id).cmp(&a)
}

impl OrderValue {
    /// What a record is ordered by.
    pub(super) fn all(orders: &[OrderBy], record: &dyn Record) -> Vec<Self> {
        orders.iter().map(|order| Self::of(&order.field, record)).collect()
    }

    fn of(field: &Field, record: &dyn Record) -> Self {
        let number = |number: Option<f64>| number.map(|number| Self::Bits(number.to_bits()));
        let text = |text: Option<Cow<'_, str>>| text.map(|text| Self::Text(text.into_owned()));
        let value = match field {
            Field::Attribute(a) if a.is_number() => number(record.attribute_number(*a)),
            Field::Attribute(a) => text(record.attribute_text(*a)),
            Field::Metric(aggregate, key) => number(record.metric(*aggregate, key)),
            Field::Param(key) => text(record.param(key).map(Cow::from)),
            Field::Tag(key) => text(record.tag(key).map(Cow::from)),
            _ => None,
        };
        value.unwrap_or(Self::Missing)
    }
}

/// A place as a record that has the values it is ordered by and nothing else, so that the one
/// comparison of `mlops-core` decides here too.
pub(super) struct Place<'a> {
    pub(super) orders: &'a [OrderBy],
    pub(super) values: &'a [OrderValue],
}

impl Place<'_> {
    fn value(&self, field: &Field) -> Option<&OrderValue> {
        let at = self.orders.iter().position(|order| order.field == *field)?;
        self.values.get(at)
    }

    fn text(&self, field: &Field) -> Option<&str> {
        match self.value(field) {
            Some(OrderValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn number(&self, field: &Field) -> Option<f64> {
        match self.value(field) {
            Some(OrderValue::Bits(bits)) => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }
}

impl Record for Place<'_> {
    fn attribute_text(&self, attribute: Attribute) -> Option<Cow<'_, str>> {
        self.text(&Field::Attribute(attribute)).map(Cow::from)
    }

    fn attribute_number(&self, attribute: Attribute) -> Option<f64> {
        self.number(&Field::Attribute(attribute))
    }

    fn metric(&self, aggregate: Aggregate, name: &str) -> Option<f64> {
        self.number(&Field::Metric(aggregate, name.to_owned()))
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.text(&Field::Param(name.to_owned()))
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.text(&Field::Tag(name.to_owned()))
    }

    fn datasets(&self) -> Vec<DatasetEntry<'_>> {
        Vec::new()
    }

    fn members(&self, _: Member) -> Vec<Cow<'_, str>> {
        Vec::new()
    }
}

/// Names a query.
pub(super) fn hash(query: &dyn std::fmt::Debug) -> String {
    blake3::hash(format!("{query:?}").as_bytes()).to_string()
}

/// A token as text.
pub(super) fn close<P: Serialize>(token: &Token<P>) -> Result<PageToken> {
    let json = serde_json::to_vec(token).map_err(|source| {
        Error::new(ErrorKind::Internal, "tracker.search", "cannot write a page token")
            .with_source(source)
    })?;
    Ok(PageToken(BASE64.encode(json)))
}

/// A token of this query from its text.
pub(super) fn open<P: DeserializeOwned>(
    token: Option<&PageToken>,
    query: &str,
) -> Result<Option<Token<P>>> {
    let Some(PageToken(text)) = token else {
        return Ok(None);
    };
    let invalid = || Error::invalid("tracker.search", "is not a page token");
    let json = BASE64.decode(text).map_err(|source| invalid().with_source(source))?;
    let token: Token<P> =
        serde_json::from_slice(&json).map_err(|source| invalid().with_source(source))?;
    if token.query != query {
        return Err(Error::invalid("tracker.search", "the page token belongs to another query")
            .with_hint("start again without it"));
    }
    Ok(Some(token))
}
