//! Searching models and versions: walk everything, sort, cut a page, as runs are searched.
//!
//! A page that is ordered by `updated` shows what was changed meanwhile once, twice or not at all, as
//! its place in the order moves; all else stays where it was.

use std::cmp::Ordering;

use mlops_core::filter::{OrderBy, Record, compare};
use mlops_core::registry::{Model, ModelQuery, ModelVersion, VersionQuery};
use mlops_core::tracking::{Page, PageToken};
use mlops_core::{ModelName, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::search::{OrderValue, Place, Token, close, hash, open};
use super::state::State;

/// The place of a model or version in an order.
#[derive(Serialize, Deserialize)]
struct KeyPlace<K> {
    values: Vec<OrderValue>,
    key: K,
}

/// What ends every order, so that no two are equal.
trait Keyed: Record {
    type Key: Ord + Serialize + DeserializeOwned;

    fn key(&self) -> Self::Key;
}

impl Keyed for Model {
    type Key = ModelName;

    fn key(&self) -> ModelName {
        self.name.clone()
    }
}

impl Keyed for ModelVersion {
    type Key = (ModelName, std::cmp::Reverse<u64>);

    fn key(&self) -> Self::Key {
        (self.model.clone(), std::cmp::Reverse(self.number))
    }
}

impl State {
    pub(super) fn search_models(&self, query: &ModelQuery) -> Result<Page<Model>> {
        let limit = query.page_limit()?;
        let hash = hash(&("models", &query.filter, &query.order_by, query.view));
        let all = self.registry.models().values().filter(|model| {
            query.view.sees(model.deleted.is_some()) && query.filter.matches(*model)
        });
        let made = all.map(|model| (self.made(&model.name), model)).collect();
        self.cut(made, &query.order_by, hash, query.page.as_ref(), limit)
    }

    pub(super) fn search_versions(&self, query: &VersionQuery) -> Result<Page<ModelVersion>> {
        let limit = query.page_limit()?;
        let hash = hash(&("versions", &query.model, &query.filter, &query.order_by, query.view));
        let all = self.registry.versions().values().filter(|version| {
            query.model.as_ref().is_none_or(|model| *model == version.model)
                && query.view.sees(self.is_in_trash(version))
                && query.filter.matches(*version)
        });
        let made = all.map(|version| (self.made(&version.id()), version)).collect();
        self.cut(made, &query.order_by, hash, query.page.as_ref(), limit)
    }

    /// The page of these records, each with the number of the row that made it.
    fn cut<T: Keyed + Clone>(
        &self,
        mut found: Vec<(u64, &T)>,
        orders: &[OrderBy],
        query: String,
        page: Option<&PageToken>,
        limit: usize,
    ) -> Result<Page<T>> {
        let token: Option<Token<KeyPlace<T::Key>>> = open(page, &query)?;
        let seen = token.as_ref().map_or(self.journal.last(), |token| token.seen);
        let after = |record: &T| {
            token.as_ref().is_none_or(|token| token.place.cmp_to(orders, record).is_lt())
        };
        found.retain(|(made, record)| *made <= seen && after(record));
        found.sort_by(|(_, a), (_, b)| compare(orders, *a, *b).then_with(|| a.key().cmp(&b.key())));

        let more = found.len() > limit;
        let items: Vec<T> =
            found.into_iter().take(limit).map(|(_, record)| record.clone()).collect();
        let next = match items.last() {
            Some(last) if more => {
                let place = KeyPlace { values: OrderValue::all(orders, last), key: last.key() };
                Some(close(&Token { query, seen, place })?)
            }
            _ => None,
        };
        Ok(Page { items, next })
    }
}

impl<K: Ord> KeyPlace<K> {
    fn cmp_to<T: Keyed<Key = K>>(&self, orders: &[OrderBy], record: &T) -> Ordering {
        let place = Place { orders, values: &self.values };
        compare(orders, &place, record).then_with(|| self.key.cmp(&record.key()))
    }
}
