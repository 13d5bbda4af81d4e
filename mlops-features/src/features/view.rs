//! Finding a view, and whether it may be used.

use arrow::datatypes::SchemaRef;
use mlops_core::features::{
    ApplyPlan, Definitions, FeatureName, Registered, RequestField, ServiceRef, TableKey,
};
use mlops_core::{Error, Result};

use super::Features;
use crate::define::{self, Found, ModelUse, Policy, Search, Used};

/// What a service asks of the rows, and what it answers.
#[derive(Debug, Clone)]
pub struct ServiceShape {
    /// The service, with its version.
    pub service: ServiceRef,
    /// The key columns that the rows must have, each once.
    pub keys: Vec<TableKey>,
    /// The columns that on-demand transforms ask for; one of them may be a key, too.
    pub request: Vec<RequestField>,
    /// The columns of the answer.
    pub answer: SchemaRef,
}

impl Features {
    pub(crate) async fn load(&self) -> Result<Registered> {
        Ok(define::load(&*self.catalog).await?.registered)
    }
}

impl Features {
    /// As [`FeatureStore::plan`](mlops_core::features::FeatureStore::plan), and says what becomes of these model
    /// versions.
    ///
    /// # Errors
    /// As that.
    pub async fn plan_for(
        &self,
        definitions: &Definitions,
        models: &[ModelUse],
    ) -> Result<ApplyPlan> {
        let loaded = define::load(&*self.catalog).await?;
        define::plan(&loaded, definitions, models, self.now())
    }

    /// Features to use again: those that are looked for, the best first.
    ///
    /// # Errors
    /// Those of the catalog.
    pub async fn search(&self, query: &Search) -> Result<Vec<Found>> {
        Ok(define::search(&self.load().await?, query, self.now()))
    }

    /// The services that use a view, or one feature of it.
    ///
    /// # Errors
    /// `NotFound` for an unknown view.
    pub async fn used_by(&self, view: &FeatureName, feature: Option<&str>) -> Result<Vec<Used>> {
        let registered = self.load().await?;
        if !registered.views.contains_key(view) {
            return Err(unknown("features.used_by", view, &registered));
        }
        Ok(define::used_by(&registered, view, feature))
    }

    /// What a service asks of the rows, and what it answers.
    ///
    /// # Errors
    /// `NotFound` for an unknown service or version; `Denied` if it uses a retired view.
    pub async fn shape(&self, service: &ServiceRef) -> Result<ServiceShape> {
        let resolved = define::resolve_service(&self.load().await?, service, self.now())?;
        Ok(ServiceShape {
            service: ServiceRef::version(resolved.name, resolved.version.version),
            keys: resolved.keys,
            request: resolved.request,
            answer: resolved.schema,
        })
    }

    /// Sets what every definition must say of itself.
    ///
    /// # Errors
    /// Those of the catalog.
    pub async fn set_policy(&self, policy: &Policy) -> Result<()> {
        define::set_policy(&*self.catalog, policy).await
    }
}

pub(crate) fn unknown(
    operation: &'static str,
    view: &FeatureName,
    registered: &Registered,
) -> Error {
    Error::not_found(operation, "there is no such view")
        .with("view", view)
        .with_hint(define::hint(view, registered.views.keys().map(FeatureName::as_str)))
}
