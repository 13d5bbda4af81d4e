//! [`Features`]: the feature store of the parts that it is given.
//!
//! It decides nothing that is not in a part: definitions are the catalog's and `define`'s, rows the
//! offline store's, entries the online store's, what can be seen is said by one function of
//! `mlops_core`. What is here is the wiring, and the order of writes: the log first, then online.

mod erase;
mod historical;
mod materialize;
mod online;
mod range;
mod receipt;
mod view;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use mlops_core::features::{
    Append, Appended, ApplyPlan, Definitions, EntityRows, FeatureName, FeatureStore, Historical,
    Lag, Lifecycle, Materialize, Materialized, OfflineStore, OnlineAnswer, OnlineStore, Pushed,
    Registered, Rewritten, ServiceRef, TrainingSet,
};
use mlops_core::journal::Actor;
use mlops_core::lineage::Lineage;
use mlops_core::registry::Catalog;
use mlops_core::time::{Clock, Instant};
use mlops_core::{Error, ErrorKind, Result};

use crate::define;
use crate::transform::Functions;

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
}

impl Features {
    /// A store of these parts.
    pub fn new(
        catalog: Arc<dyn Catalog>,
        offline: Arc<dyn OfflineStore>,
        online: Arc<dyn OnlineStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let parts = Parts { offline, online, clock, functions: Functions::default() };
        Self { catalog, lineage: None, parts: Arc::new(parts) }
    }

    /// Tells this graph where features come from, and what was made of them.
    pub fn with_lineage(mut self, lineage: Arc<dyn Lineage>) -> Self {
        self.lineage = Some(lineage);
        self
    }

    /// Gives on-demand transforms the functions of the program.
    pub fn with_functions(self, functions: Functions) -> Self {
        let Parts { offline, online, clock, .. } = &*self.parts;
        let parts = Parts {
            offline: Arc::clone(offline),
            online: Arc::clone(online),
            clock: Arc::clone(clock),
            functions,
        };
        Self { parts: Arc::new(parts), ..self }
    }

    /// The rows that were written.
    pub fn offline(&self) -> &Arc<dyn OfflineStore> {
        &self.parts.offline
    }

    /// What requests read.
    pub fn online_store(&self) -> &Arc<dyn OnlineStore> {
        &self.parts.online
    }

    fn now(&self) -> Instant {
        self.parts.clock.now()
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
