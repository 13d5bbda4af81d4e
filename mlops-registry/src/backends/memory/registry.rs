//! The registry's contract: what needs no store is checked, then the one lock is taken.

use std::sync::Arc;

use async_trait::async_trait;
use mlops_core::journal::Actor;
use mlops_core::registry::{
    Approval, CreateModel, Model, ModelChanges, ModelPurge, ModelPurgePlan, ModelPurgeReport,
    ModelQuery, ModelVersion, PromotionPlan, PromotionRequest, PromotionState, RegisterVersion,
    Registered, Registry, Selector, StageMove, Verdict, VersionChanges, VersionId, VersionQuery,
    check,
};
use mlops_core::tracking::Page;
use mlops_core::{ModelName, Result};

use super::MemoryStore;

#[async_trait]
impl Registry for MemoryStore {
    fn registry_as(&self, actor: Actor) -> Arc<dyn Registry> {
        Arc::new(Self { actor, ..self.clone() })
    }

    async fn create_model(&self, name: &ModelName, options: CreateModel) -> Result<Model> {
        check::create_model(&options)?;
        self.lock().create_model(name, options, &self.author())
    }

    async fn update_model(&self, name: &ModelName, changes: ModelChanges) -> Result<Model> {
        check::model_changes(&changes)?;
        self.lock().update_model(name, changes, &self.author())
    }

    async fn model(&self, name: &ModelName) -> Result<Model> {
        self.lock().model(name, "registry.model").cloned()
    }

    async fn search_models(&self, query: &ModelQuery) -> Result<Page<Model>> {
        self.lock().search_models(query)
    }

    async fn register(&self, model: &ModelName, options: RegisterVersion) -> Result<Registered> {
        check::register(&options).map(drop)?;
        self.lock().register(model, options, &self.author())
    }

    async fn update_version(
        &self,
        id: &VersionId,
        changes: VersionChanges,
    ) -> Result<ModelVersion> {
        check::version_changes(&changes)?;
        self.lock().update_version(id, changes, &self.author())
    }

    async fn version(&self, id: &VersionId) -> Result<ModelVersion> {
        self.lock().version(id, "registry.version").cloned()
    }

    async fn resolve(&self, model: &ModelName, selector: &Selector) -> Result<VersionId> {
        self.lock().resolve(model, selector)
    }

    async fn search_versions(&self, query: &VersionQuery) -> Result<Page<ModelVersion>> {
        self.lock().search_versions(query)
    }

    async fn promotion_state(&self, request: &PromotionRequest) -> Result<PromotionState> {
        self.lock().promotion_state(request, "registry.promotion_state")
    }

    async fn promote(&self, plan: &PromotionPlan) -> Result<PromotionPlan> {
        check::words("reason", &plan.request.reason)?;
        self.lock().promote(plan, &self.author())
    }

    async fn decide(
        &self,
        plan: &PromotionPlan,
        verdict: Verdict,
        comment: &str,
    ) -> Result<Approval> {
        check::words("comment", comment)?;
        self.lock().decide(plan, verdict, comment, &self.author())
    }

    async fn stage_history(&self, model: &ModelName) -> Result<Vec<StageMove>> {
        self.lock().stage_history(model)
    }

    async fn plan_model_purge(&self, what: &ModelPurge) -> Result<ModelPurgePlan> {
        self.lock().plan_model_purge(what)
    }

    async fn purge_models(&self, plan: &ModelPurgePlan) -> Result<ModelPurgeReport> {
        self.lock().purge_models(plan, &self.author())
    }
}
