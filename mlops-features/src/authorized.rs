//! [`Authorized`]: roles before a feature store.
//!
//! It asks, call by call, whether the access rules of the catalog grant its actor the role. Nothing is
//! remembered: who loses a role has lost it at the next call. Without rules everyone may do
//! everything; with rules, who is not named may do nothing, not even read.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use mlops_core::features::{
    Append, Appended, ApplyPlan, Definitions, EntityRows, FeatureName, FeatureStore, Historical,
    Lag, Lifecycle, Materialize, Materialized, OnlineAnswer, Pushed, Registered, Rewritten,
    ServiceRef, TrainingSet,
};
use mlops_core::journal::Actor;
use mlops_core::registry::{ACCESS_KIND, ACCESS_NAME, Access, Catalog, Role};
use mlops_core::time::Instant;
use mlops_core::{Error, ErrorKind, Key, Result};
use serde::Deserialize;

/// A feature store for one actor, who may do what the access rules grant for everything.
///
/// | role | may |
/// |---|---|
/// | viewer | see definitions, plan, make training sets, read online |
/// | contributor | apply plans, change states, append, push, materialize |
/// | admin | erase |
///
/// It binds honest callers and is no lock: whoever holds the files, the database or its password can do
/// anything. The lock on these is the real one; see `Authorized` of the registry.
pub struct Authorized {
    inner: Arc<dyn FeatureStore>,
    rules: Arc<dyn Catalog>,
    actor: Actor,
}

impl Authorized {
    /// A store for `actor`, by the rules in `rules`.
    pub fn new(inner: &Arc<dyn FeatureStore>, rules: Arc<dyn Catalog>, actor: Actor) -> Self {
        Self { inner: inner.features_as(actor.clone()), rules, actor }
    }

    async fn demand(&self, operation: &'static str, role: Role) -> Result<()> {
        let (kind, name) = (Key::new(ACCESS_KIND)?, Key::new(ACCESS_NAME)?);
        let Some(body) =
            self.rules.document(&kind, &name).await?.and_then(|document| document.body)
        else {
            return Ok(());
        };
        let access = Access::deserialize(&body).map_err(|e| {
            Error::new(ErrorKind::Corrupt, operation, "the access rules are not understood")
                .with_source(e)
        })?;
        let has = access.role(&self.actor, None);
        if has >= Some(role) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Denied, operation, "the actor has not the role")
            .with("actor", &self.actor)
            .with("needs", role)
            .with("has", has.map_or_else(|| "no role".to_owned(), |has| has.to_string()))
            .with_hint("`mlops models access` shows the rules; an admin grants roles"))
    }
}

impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized")
            .field("inner", &self.inner)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl FeatureStore for Authorized {
    fn features_as(&self, actor: Actor) -> Arc<dyn FeatureStore> {
        Arc::new(Self::new(&self.inner, Arc::clone(&self.rules), actor))
    }

    async fn registered(&self) -> Result<Registered> {
        self.demand("features.registered", Role::Viewer).await?;
        self.inner.registered().await
    }

    async fn plan(&self, definitions: &Definitions) -> Result<ApplyPlan> {
        self.demand("features.plan", Role::Viewer).await?;
        self.inner.plan(definitions).await
    }

    async fn apply(&self, plan: &ApplyPlan) -> Result<()> {
        self.demand("features.apply", Role::Contributor).await?;
        self.inner.apply(plan).await
    }

    async fn set_state(&self, view: &FeatureName, state: Lifecycle) -> Result<()> {
        self.demand("features.set_state", Role::Contributor).await?;
        self.inner.set_state(view, state).await
    }

    async fn append(
        &self,
        view: &FeatureName,
        batch: RecordBatch,
        options: Append,
    ) -> Result<Appended> {
        self.demand("features.append", Role::Contributor).await?;
        self.inner.append(view, batch, options).await
    }

    async fn push(
        &self,
        view: &FeatureName,
        batch: RecordBatch,
        options: Append,
    ) -> Result<Pushed> {
        self.demand("features.push", Role::Contributor).await?;
        self.inner.push(view, batch, options).await
    }

    async fn historical(
        &self,
        service: &ServiceRef,
        rows: EntityRows,
        options: Historical,
    ) -> Result<TrainingSet> {
        self.demand("features.historical", Role::Viewer).await?;
        self.inner.historical(service, rows, options).await
    }

    async fn online(
        &self,
        service: &ServiceRef,
        rows: &RecordBatch,
        now: Instant,
    ) -> Result<OnlineAnswer> {
        self.demand("features.online", Role::Viewer).await?;
        self.inner.online(service, rows, now).await
    }

    async fn materialize(&self, what: Materialize) -> Result<Materialized> {
        self.demand("features.materialize", Role::Contributor).await?;
        self.inner.materialize(what).await
    }

    async fn lag(&self) -> Result<Vec<Lag>> {
        self.demand("features.lag", Role::Viewer).await?;
        self.inner.lag().await
    }

    async fn erase(&self, entity: &FeatureName, keys: &RecordBatch) -> Result<Vec<Rewritten>> {
        self.demand("features.erase", Role::Admin).await?;
        self.inner.erase(entity, keys).await
    }
}
