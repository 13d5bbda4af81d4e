//! Roles before a registry.

use std::sync::Arc;

use async_trait::async_trait;
use mlops_core::journal::Actor;
use mlops_core::registry::{
    Approval, Attestation, CreateModel, Model, ModelChanges, ModelPurge, ModelPurgePlan,
    ModelPurgeReport, ModelQuery, ModelVersion, PromotionPlan, PromotionRequest, PromotionState,
    RegisterVersion, Registered, Registry, Role, Selector, StageMove, Verdict, VersionChanges,
    VersionId, VersionQuery,
};
use mlops_core::tracking::{Digest, Page};
use mlops_core::{ModelName, Result};

use super::Authorized;
use crate::models::signing::verify_attestation;

/// A signature that is none would take the place of its key's right one, and make every later check of
/// the version fail.
fn vouched(attestations: &[Attestation], digest: Digest) -> Result<()> {
    attestations.iter().try_for_each(|attestation| verify_attestation(attestation, digest))
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Registry for Authorized<dyn Registry> {
    fn registry_as(&self, actor: Actor) -> Arc<dyn Registry> {
        Arc::new(Self::registry(&self.inner, Arc::clone(&self.rules), actor))
    }

    async fn create_model(&self, name: &ModelName, options: CreateModel) -> Result<Model> {
        // Only an import knows another instant than now.
        let role = if options.created.is_some() { Role::Admin } else { Role::Contributor };
        self.demand("registry.create_model", role, Some(name)).await?;
        self.inner.create_model(name, options).await
    }

    async fn update_model(&self, name: &ModelName, changes: ModelChanges) -> Result<Model> {
        self.demand("registry.update_model", Role::Contributor, Some(name)).await?;
        self.inner.update_model(name, changes).await
    }

    async fn model(&self, name: &ModelName) -> Result<Model> {
        self.demand("registry.model", Role::Viewer, Some(name)).await?;
        self.inner.model(name).await
    }

    async fn search_models(&self, query: &ModelQuery) -> Result<Page<Model>> {
        self.demand("registry.search_models", Role::Viewer, None).await?;
        self.inner.search_models(query).await
    }

    async fn register(&self, model: &ModelName, options: RegisterVersion) -> Result<Registered> {
        let role = if options.imported.is_some() { Role::Admin } else { Role::Contributor };
        self.demand("registry.register", role, Some(model)).await?;
        vouched(&options.attestations, options.manifest.digest())?;
        self.inner.register(model, options).await
    }

    async fn update_version(
        &self,
        id: &VersionId,
        changes: VersionChanges,
    ) -> Result<ModelVersion> {
        self.demand("registry.update_version", Role::Contributor, Some(&id.model)).await?;
        if !changes.attestations.is_empty() {
            vouched(&changes.attestations, self.inner.version(id).await?.digest)?;
        }
        self.inner.update_version(id, changes).await
    }

    async fn version(&self, id: &VersionId) -> Result<ModelVersion> {
        self.demand("registry.version", Role::Viewer, Some(&id.model)).await?;
        self.inner.version(id).await
    }

    async fn resolve(&self, model: &ModelName, selector: &Selector) -> Result<VersionId> {
        self.demand("registry.resolve", Role::Viewer, Some(model)).await?;
        self.inner.resolve(model, selector).await
    }

    async fn search_versions(&self, query: &VersionQuery) -> Result<Page<ModelVersion>> {
        self.demand("registry.search_versions", Role::Viewer, query.model.as_ref()).await?;
        self.inner.search_versions(query).await
    }

    async fn promotion_state(&self, request: &PromotionRequest) -> Result<PromotionState> {
        let model = Some(&request.version.model);
        self.demand("registry.promotion_plan", Role::Viewer, model).await?;
        self.inner.promotion_state(request).await
    }

    async fn promote(&self, plan: &PromotionPlan) -> Result<PromotionPlan> {
        // At least this; the policy may ask for more.
        let model = Some(&plan.request.version.model);
        self.demand("registry.promote", Role::Contributor, model).await?;
        self.inner.promote(plan).await
    }

    async fn decide(
        &self,
        plan: &PromotionPlan,
        verdict: Verdict,
        comment: &str,
    ) -> Result<Approval> {
        let role = match verdict {
            Verdict::Withdraw => Role::Contributor,
            Verdict::Approve | Verdict::Reject => Role::Approver,
        };
        self.demand("registry.decide", role, Some(&plan.request.version.model)).await?;
        self.inner.decide(plan, verdict, comment).await
    }

    async fn stage_history(&self, model: &ModelName) -> Result<Vec<StageMove>> {
        self.demand("registry.stage_history", Role::Viewer, Some(model)).await?;
        self.inner.stage_history(model).await
    }

    async fn plan_model_purge(&self, what: &ModelPurge) -> Result<ModelPurgePlan> {
        let op = "registry.plan_model_purge";
        match what {
            ModelPurge::Versions(versions) => {
                for id in versions {
                    self.demand(op, Role::Viewer, Some(&id.model)).await?;
                }
            }
            ModelPurge::Models(models) => {
                for model in models {
                    self.demand(op, Role::Viewer, Some(model)).await?;
                }
            }
            _ => self.demand(op, Role::Viewer, None).await?,
        }
        self.inner.plan_model_purge(what).await
    }

    async fn purge_models(&self, plan: &ModelPurgePlan) -> Result<ModelPurgeReport> {
        let mut models: Vec<&ModelName> = plan.versions.iter().map(|id| &id.model).collect();
        models.extend(&plan.models);
        models.sort();
        models.dedup();
        for model in models {
            self.demand("registry.purge_models", Role::Admin, Some(model)).await?;
        }
        self.inner.purge_models(plan).await
    }
}
