//! The contract of the whole feature store.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::definitions::Definitions;
use super::lifecycle::Lifecycle;
use super::offline::{Append, Appended, Erased, Watcher};
use super::plan::ApplyPlan;
use super::record::Registered;
use super::request::{EntityRows, Historical, OnlineAnswer, TrainingSet};
use super::service::ServiceRef;
use super::types::FeatureName;
use crate::Result;
use crate::journal::Actor;
use crate::time::Instant;

/// What was known about this entity at that instant: for a million training rows, or for one request, with
/// the same answer?
///
/// # Contract
/// **One answer.** What [`FeatureStore::online`] answers at an instant is what
/// [`FeatureStore::historical`] answers for it, bit for bit and status for status, for rows that were
/// materialized, in whatever order they were written; with later rows left out, see
/// [`KnownAt`](super::KnownAt). The instant of an online read is not before that of the last write.
/// **Journal.** Every change of a definition is a row of the journal that names the actor.
/// **Invalid** names the column, key, feature or view, what was found, and what would be right. A key
/// column of a wrong type is an error, never a row that is not found.
#[async_trait]
pub trait FeatureStore: Debug + Send + Sync + 'static {
    /// The same store, for which the journal names `actor` as the one who did it.
    fn features_as(&self, actor: Actor) -> Arc<dyn FeatureStore>;

    /// All that is defined.
    async fn registered(&self) -> Result<Registered>;

    /// What applying these definitions would change, and whom that breaks. Changes nothing.
    async fn plan(&self, definitions: &Definitions) -> Result<ApplyPlan>;

    /// Carries out a plan.
    ///
    /// # Contract
    /// **Conflict.** Something changed since the plan was made. **Denied.** The plan has a refusal.
    async fn apply(&self, plan: &ApplyPlan) -> Result<()>;

    /// Moves a view to another state.
    ///
    /// # Contract
    /// **Missing.** An unknown view is `NotFound`. **Idempotence.** The state that it has changes nothing.
    async fn set_state(&self, view: &FeatureName, state: Lifecycle) -> Result<()>;

    /// Appends rows to a view's log, durable when it returns; see [`OfflineStore::append`](super::OfflineStore::append).
    async fn append(
        &self,
        view: &FeatureName,
        batch: RecordBatch,
        options: Append,
    ) -> Result<Appended>;

    /// Appends rows, and writes them online when that is durable.
    ///
    /// # Contract
    /// **Order.** If it fails in between, the rows are in the log, and the next materialization brings
    /// them online; the error says so.
    async fn push(&self, view: &FeatureName, batch: RecordBatch, options: Append)
    -> Result<Pushed>;

    /// The features of each row at its instant: the point-in-time join of all views of a service.
    async fn historical(
        &self,
        service: &ServiceRef,
        rows: EntityRows,
        options: Historical,
    ) -> Result<TrainingSet>;

    /// The features of each row now, from the online store. `rows` has the keys, and the columns that
    /// on-demand transforms ask for.
    async fn online(
        &self,
        service: &ServiceRef,
        rows: &RecordBatch,
        now: Instant,
    ) -> Result<OnlineAnswer>;

    /// Brings the online store up to the log.
    async fn materialize(&self, what: Materialize) -> Result<Materialized>;

    /// How far the online store is behind the log, and how old the newest rows are, for each view.
    async fn lag(&self) -> Result<Vec<Lag>>;

    /// Takes away all that is known of some keys of an entity: rows of every view of it, now and of
    /// before, what is online, and what was logged of answers, as far as the store knows of such logs.
    ///
    /// # Contract
    /// **Proof.** Returns what was rewritten. **Idempotence.** Keys without rows change nothing.
    async fn erase(&self, entity: &FeatureName, keys: &RecordBatch) -> Result<Vec<Rewritten>>;
}

/// What is brought online.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Materialize {
    /// Which views; all active ones, if none are named.
    pub views: Vec<FeatureName>,
    /// Whether to begin at the log's first row, whatever is there.
    pub full: bool,
    /// Only rows of event times in `[from, until)`, in microseconds since 1970; the watermark stays.
    pub range: Option<(i64, i64)>,
    /// Who is told how far it is.
    pub progress: Option<Watcher>,
}

impl Debug for Materialize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Materialize")
            .field("views", &self.views)
            .field("full", &self.full)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

impl Materialize {
    /// One more view.
    pub fn view(mut self, view: FeatureName) -> Self {
        self.views.push(view);
        self
    }

    /// Begins at the log's first row.
    pub fn full(mut self) -> Self {
        self.full = true;
        self
    }

    /// Only rows of these event times.
    pub fn range(mut self, from: i64, until: i64) -> Self {
        self.range = Some((from, until));
        self
    }
}

/// What was brought online.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Materialized {
    /// Of each view.
    pub views: Vec<MaterializedView>,
}

/// What was brought online of one view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MaterializedView {
    /// The view.
    pub view: FeatureName,
    /// Rows of the log that were read.
    pub rows: u64,
    /// Entries that changed.
    pub changed: u64,
    /// Rows that changed nothing.
    pub stale: u64,
    /// The `seq` of the first row that is not online.
    pub next_seq: u64,
}

impl MaterializedView {
    /// Nothing yet; for the engine.
    pub fn new(view: FeatureName) -> Self {
        Self { view, rows: 0, changed: 0, stale: 0, next_seq: 0 }
    }
}

/// What a push did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// In the log.
    pub appended: Appended,
    /// Entries of the online store that changed.
    pub changed: u64,
}

/// How far the online store is behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lag {
    /// The view.
    pub view: FeatureName,
    /// Rows of the log that are not online.
    pub rows: u64,
    /// Since when the oldest of them waits, if there is one, in microseconds since 1970.
    pub waiting_since: Option<i64>,
    /// The latest event time in the log.
    pub newest_event_time: Option<i64>,
    /// When the log was last appended to.
    pub appended_at: Option<i64>,
    /// When the online store was last brought up, if ever.
    pub materialized_at: Option<i64>,
}

impl Lag {
    /// Of a view without rows; for the engine.
    pub fn new(view: FeatureName) -> Self {
        Self {
            view,
            rows: 0,
            waiting_since: None,
            newest_event_time: None,
            appended_at: None,
            materialized_at: None,
        }
    }
}

/// What an erasure did to one view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rewritten {
    /// The view.
    pub view: FeatureName,
    /// In the log.
    pub offline: Erased,
    /// Entries of the online store.
    pub online: u64,
    /// In serving logs, whose segments are named with each view that they have features of.
    #[serde(default)]
    pub serving: Erased,
}

impl Rewritten {
    /// For the engine.
    pub fn new(view: FeatureName, offline: Erased, online: u64) -> Self {
        Self { view, offline, online, serving: Erased::default() }
    }
}
