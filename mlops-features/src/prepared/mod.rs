//! The prepared online read: a service resolved once, so that each request afterwards is a look-up, a
//! decision of what can be seen, and a few loads.
//!
//! [`Prepared::row`] answers one request and [`Prepared::batch`] many, from a store in this process's
//! memory and into memory of the caller's, so that they allocate nothing once that has grown;
//! [`Prepared::answer`] takes and gives Arrow, from any store, in one round trip for all views.
//!
//! ```
//! # use std::sync::Arc;
//! # use mlops_core::features::{
//! #     Boundary, FeatureType, KeyType, OnlineStore, Span, Status, Table, Visibility,
//! # };
//! # use mlops_features::codec::RowCodec;
//! # use mlops_features::prepared::{
//! #     KeyValue, Prepared, PreparedFeature, PreparedKind, PreparedView, RequestKey, Row,
//! # };
//! # fn example(store: Arc<dyn OnlineStore>, table: Table, now: i64) -> mlops_core::Result<()> {
//! let service = Prepared::new(store, vec![PreparedView {
//!     alias: "driver_stats".to_owned(),
//!     keys: vec![RequestKey { column: "driver_id".to_owned(), data_type: KeyType::Int }],
//!     visibility: Visibility::new(Span::days(7), Boundary::Inclusive),
//!     features: vec![PreparedFeature { name: "rating".to_owned(), data_type: FeatureType::Float }],
//!     kind: PreparedKind::Rows {
//!         codec: Arc::new(RowCodec::new(&table.columns)?),
//!         columns: vec!["rating".to_owned()],
//!     },
//!     table: table.id,
//! }])?;
//!
//! let mut row = Row::new();
//! for driver in [7, 8] {
//!     service.row(&[KeyValue::Int(driver)], now, &mut row)?;
//!     match row.status(0) {
//!         Status::Present => assert!(row.float(0).is_some()),
//!         Status::Null | Status::NotFound | Status::Expired => assert!(row.float(0).is_none()),
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! The non-obvious decision: one row is a batch of one. A second decoder for single rows would be
//! a little faster, and a second place where an answer could differ.
//!
//! What it does not do: on-demand transforms, which are computed of the answer; and noticing that
//! definitions changed, except for a row that was packed by an unknown column list, which is an error.

mod answer;
mod keys;
mod view;

use std::sync::Arc;

use arrow::array::RecordBatch;
use mlops_core::features::{LocalTable, OnlineAnswer, OnlineStore, TableRead};
use mlops_core::{Error, ErrorKind, Result};

pub use self::answer::{Columns, Row};
pub use self::keys::{KeyValue, Keys};
use self::view::Plan;
pub use self::view::{Aggregated, Cells, PreparedFeature, PreparedKind, PreparedView, RequestKey};

/// A service, resolved once against an online store. Cheap to clone, and to share between threads.
#[derive(Debug, Clone)]
pub struct Prepared {
    store: Arc<dyn OnlineStore>,
    plan: Arc<Plan>,
    /// For each view its table, if all are in this process's memory.
    local: Option<Arc<[Arc<dyn LocalTable>]>>,
}

impl Prepared {
    /// Resolves views against a store.
    ///
    /// # Errors
    /// `Invalid` for two features of one name, a feature of another type than its column, a column of the
    /// request that would have two types; what [`OnlineStore::local`] returns.
    pub fn new(store: Arc<dyn OnlineStore>, views: Vec<PreparedView>) -> Result<Self> {
        let plan = Arc::new(Plan::new(views)?);
        let tables = plan.views.iter().map(|view| store.local(&view.table));
        let local = tables.collect::<Result<Option<Vec<_>>>>()?;
        Ok(Self { store, plan, local: local.map(Into::into) })
    }

    /// The key columns of a request, each once, in the order that [`Keys::push`] expects.
    pub fn request(&self) -> &[RequestKey] {
        &self.plan.keys
    }

    /// The features of an answer, in order.
    pub fn features(&self) -> &[PreparedFeature] {
        &self.plan.features
    }

    /// What the service calls its views, in order.
    pub fn views(&self) -> impl ExactSizeIterator<Item = &str> {
        self.plan.views.iter().map(|view| view.alias.as_str())
    }

    /// Whether it can be answered without waiting.
    pub fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// Keys for requests, empty.
    pub fn keys(&self) -> Keys {
        Keys::new(&self.plan)
    }

    /// Answers one request at `now`, in microseconds since 1970, from this process's memory.
    ///
    /// # Errors
    /// `Invalid` for keys that are not of the request's types; `Unsupported` if the store is
    /// elsewhere, or for a row of a newer version of a view; `Corrupt`.
    pub fn row(&self, keys: &[KeyValue<'_>], now: i64, out: &mut Row) -> Result<()> {
        let mine = out.keys.take().filter(|mine| Arc::ptr_eq(&mine.plan, &self.plan));
        let mut request = mine.unwrap_or_else(|| self.keys());
        request.clear();
        let read = request.push(keys).and_then(|()| self.batch(&request, now, &mut out.columns));
        if read.is_err() {
            out.columns.begin(&self.plan, 0)?;
        }
        out.keys = Some(request);
        read
    }

    /// Answers many requests at `now` from this process's memory.
    ///
    /// # Errors
    /// As [`Prepared::row`].
    pub fn batch(&self, keys: &Keys, now: i64, out: &mut Columns) -> Result<()> {
        let Some(tables) = &self.local else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "features.online",
                "the online store is not in this process's memory",
            )
            .with_hint("ask with `fetch` or `answer`, which wait"));
        };
        self.begin(keys, out)?;
        for (index, (view, table)) in self.plan.views.iter().zip(tables.iter()).enumerate() {
            out.read(index, view, now, |visit| table.visit(&keys.sets[view.set], visit))?;
        }
        Ok(())
    }

    /// Answers many requests at `now` from any store.
    ///
    /// # Errors
    /// As [`Prepared::row`]; what [`OnlineStore::read`] returns.
    pub async fn fetch(&self, keys: &Keys, now: i64, out: &mut Columns) -> Result<()> {
        if self.is_local() {
            return self.batch(keys, now, out);
        }
        self.begin(keys, out)?;
        let views = &self.plan.views;
        let reads = views.iter().map(|v| TableRead { table: &v.table, keys: &keys.sets[v.set] });
        let entries = self.store.read(&reads.collect::<Vec<_>>()).await?;
        if entries.len() != views.len() {
            return Err(internal("the store answered for another number of tables"));
        }
        for (index, (view, entries)) in views.iter().zip(&entries).enumerate() {
            out.read(index, view, now, |visit| {
                let mut entries = entries.iter().enumerate();
                entries.try_for_each(|(row, entry)| visit(row, entry.as_deref()))
            })?;
        }
        Ok(())
    }

    /// Answers the rows of a batch at `now` from any store. The batch may have other columns too.
    ///
    /// # Errors
    /// As [`Prepared::fetch`]; `Invalid` for a key column that is not there or has another type.
    pub async fn answer(&self, rows: &RecordBatch, now: i64) -> Result<OnlineAnswer> {
        let (mut keys, mut out) = (self.keys(), Columns::new());
        keys.extend(rows)?;
        self.fetch(&keys, now, &mut out).await?;
        out.into_answer()
    }

    /// Answers the rows of a batch at `now` from this process's memory.
    ///
    /// # Errors
    /// As [`Prepared::batch`]; `Invalid` for a key column that is not there or has another type.
    pub fn answer_local(&self, rows: &RecordBatch, now: i64) -> Result<OnlineAnswer> {
        let (mut keys, mut out) = (self.keys(), Columns::new());
        keys.extend(rows)?;
        self.batch(&keys, now, &mut out)?;
        out.into_answer()
    }

    fn begin(&self, keys: &Keys, out: &mut Columns) -> Result<()> {
        if !Arc::ptr_eq(&keys.plan, &self.plan) {
            return Err(Error::invalid("features.online", "the keys are of another service")
                .with_hint("make them with `keys` of this one"));
        }
        out.begin(&self.plan, keys.len())
    }
}

#[cold]
fn internal(message: &'static str) -> Error {
    Error::new(ErrorKind::Internal, "features.online", message)
}

#[cfg(test)]
mod tests;
