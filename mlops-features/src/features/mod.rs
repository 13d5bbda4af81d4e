//! [`Features`]: the feature store of the parts that it is given.
//!
//! It decides nothing that is not in a part: definitions are the catalog's and `define`'s, rows the
//! offline store's, entries the online store's, what can be seen is said by one function of
//! `mlops_core`. What is here is the wiring, and the order of writes: the log first, then online.

mod erase;
mod historical;
mod lag;
mod materialize;
mod online;
mod part;
mod place;
mod push;
mod range;
mod receipt;
mod turns;
mod view;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use mlops_core::Result;
use mlops_core::features::{
    Append, Appended, ApplyPlan, Definitions, EntityRows, FeatureName, FeatureStore, Historical,
    Lag, Lifecycle, Materialize, Materialized, OfflineStore, OnlineAnswer, OnlineStore, Pushed,
    Registered, Rewritten, ServiceRef, Span, TrainingSet,
};
use mlops_core::journal::Actor;
use mlops_core::lineage::Lineage;
use mlops_core::registry::Catalog;
use mlops_core::time::{Clock, Instant, to_micros};

use crate::define;
use crate::transform::Functions;
use crate::trust::{ServingLog, ServingLogs};

pub(crate) use self::historical::{Ask, all_keys, instants, internal, key_columns, whole};
use self::turns::Turns;

pub use self::online::PreparedService;
pub(crate) use self::place::online_table;
pub use self::view::ServiceShape;
pub(crate) use self::view::unknown;

/// A feature store; clones are cheap and share it.
#[derive(Clone)]
pub struct Features {
    catalog: Arc<dyn Catalog>,
    lineage: Option<Arc<dyn Lineage>>,
    parts: Arc<Parts>,
}

struct Parts {
    offline: Arc<dyn OfflineStore>,
    online: Arc<dyn OnlineStore>,
    clock: Arc<dyn Clock>,
    functions: Functions,
    forget: Option<Span>,
    serving: Vec<Serving>,
    /// Who changes what a table has online, one at a time as far as this process goes.
    turns: Turns,
}

/// A serving log that an erasure reaches, and its writer, if it is known.
#[derive(Debug, Clone)]
struct Serving {
    logs: ServingLogs,
    writer: Option<ServingLog>,
}

impl Features {
    /// A store of these parts.
    pub fn new(
        catalog: Arc<dyn Catalog>,
        offline: Arc<dyn OfflineStore>,
        online: Arc<dyn OnlineStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (functions, serving) = (Functions::default(), Vec::new());
        let turns = Turns::default();
        let parts = Parts { offline, online, clock, functions, forget: None, serving, turns };
        Self { catalog, lineage: None, parts: Arc::new(parts) }
    }

    /// Tells this graph where features come from, and what was made of them.
    pub fn with_lineage(mut self, lineage: Arc<dyn Lineage>) -> Self {
        self.lineage = Some(lineage);
        self
    }

    /// Gives on-demand transforms the functions of the program.
    pub fn with_functions(mut self, functions: Functions) -> Self {
        self.parts = Arc::new(Parts { functions, ..self.parts.copy() });
        self
    }

    /// Lets an online store that forgets by itself (Redis) forget a key so long after its rows are too old to
    /// answer. Such a key is `NotFound` from then on, no longer `Expired`; its values are null either way.
    /// Without, nothing is forgotten.
    pub fn forgetting(mut self, after: Span) -> Self {
        self.parts = Arc::new(Parts { forget: Some(after), ..self.parts.copy() });
        self
    }

    /// Lets an erasure take its keys out of these serving logs too. What other processes hold in their
    /// buffers it cannot reach: erase again when they have flushed.
    pub fn with_serving_logs(self, logs: ServingLogs) -> Self {
        self.serving(Serving { logs, writer: None })
    }

    /// As [`Features::with_serving_logs`], and the erasure flushes this writer first.
    pub fn with_serving_log(self, log: &ServingLog) -> Self {
        self.serving(Serving { logs: log.logs().clone(), writer: Some(log.clone()) })
    }

    fn serving(mut self, more: Serving) -> Self {
        let mut parts = self.parts.copy();
        parts.serving.push(more);
        self.parts = Arc::new(parts);
        self
    }

    /// The rows that were written.
    pub fn offline(&self) -> &Arc<dyn OfflineStore> {
        &self.parts.offline
    }

    /// What requests read.
    pub fn online_store(&self) -> &Arc<dyn OnlineStore> {
        &self.parts.online
    }

    pub(crate) fn now(&self) -> Instant {
        self.parts.clock.now()
    }
}

impl Parts {
    fn copy(&self) -> Self {
        Self {
            offline: Arc::clone(&self.offline),
            online: Arc::clone(&self.online),
            clock: Arc::clone(&self.clock),
            functions: self.functions.clone(),
            forget: self.forget,
            turns: self.turns.clone(),
            serving: self.serving.clone(),
        }
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Features")
            .field("catalog", &self.catalog)
            .field("offline", &self.parts.offline)
            .field("online", &self.parts.online)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl FeatureStore for Features {
    fn features_as(&self, actor: Actor) -> Arc<dyn FeatureStore> {
        Arc::new(Self {
            catalog: self.catalog.catalog_as(actor.clone()),
            lineage: self.lineage.as_ref().map(|lineage| lineage.lineage_as(actor)),
            parts: Arc::clone(&self.parts),
        })
    }

    async fn registered(&self) -> Result<Registered> {
        self.load().await
    }

    async fn plan(&self, definitions: &Definitions) -> Result<ApplyPlan> {
        let loaded = define::load(&*self.catalog).await?;
        define::plan(&loaded, definitions, &[], self.now())
    }

    async fn apply(&self, plan: &ApplyPlan) -> Result<()> {
        let registered = define::apply(&*self.catalog, plan, self.now()).await?;
        let Some(lineage) = &self.lineage else { return Ok(()) };
        let edges = define::edges(&registered);
        if edges.is_empty() { Ok(()) } else { lineage.link(&edges).await }
    }

    async fn set_state(&self, view: &FeatureName, state: Lifecycle) -> Result<()> {
        define::set_state(&*self.catalog, view, state, self.now()).await
    }

    async fn append(
        &self,
        view: &FeatureName,
        batch: RecordBatch,
        options: Append,
    ) -> Result<Appended> {
        let registered = self.load().await?;
        self.append_rows("features.append", &registered, view, batch, options).await
    }

    async fn push(
        &self,
        view: &FeatureName,
        batch: RecordBatch,
        options: Append,
    ) -> Result<Pushed> {
        self.push_rows(view, batch, options).await
    }

    async fn historical(
        &self,
        service: &ServiceRef,
        rows: EntityRows,
        options: Historical,
    ) -> Result<TrainingSet> {
        self.training_set(service, rows, options).await
    }

    async fn online(
        &self,
        service: &ServiceRef,
        rows: &RecordBatch,
        now: Instant,
    ) -> Result<OnlineAnswer> {
        self.prepare(service).await?.answer(rows, to_micros(now)?).await
    }

    async fn materialize(&self, what: Materialize) -> Result<Materialized> {
        self.bring_up(what).await
    }

    async fn lag(&self) -> Result<Vec<Lag>> {
        self.lags().await
    }

    async fn erase(&self, entity: &FeatureName, keys: &RecordBatch) -> Result<Vec<Rewritten>> {
        self.forget(entity, keys).await
    }
}
