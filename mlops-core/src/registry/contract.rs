//! The contract of a registry backend.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::approval::{Approval, Verdict};
use super::model::{CreateModel, Model, ModelChanges};
use super::moves::StageMove;
use super::promotion::{PromotionPlan, PromotionRequest, PromotionState};
use super::purge::{ModelPurge, ModelPurgePlan, ModelPurgeReport};
use super::query::{ModelQuery, VersionQuery};
use super::uri::{Selector, VersionId};
use super::version::{ModelVersion, RegisterVersion, Registered, VersionChanges};
use crate::journal::Actor;
use crate::tracking::Page;
use crate::{ModelName, Result};

/// Stores models and versions, and moves versions between stages.
///
/// A registry lives in the store of a [`Tracker`](crate::tracking::Tracker) and a
/// [`Catalog`](super::Catalog): source runs, objects and policies are there.
///
/// # Contract
/// **Atomicity, Durability, Ordering, Journal, Time.** As [`Tracker`](crate::tracking::Tracker).
/// **Missing.** A model or version that does not exist is `NotFound`; an optional part that does not
/// exist (a label or alias to remove) is ignored.
/// **Invalid.** What [`check`](super::check) refuses, before anything is looked up.
/// **Immutable.** Nothing changes a version's manifest, number, author or instant of making.
#[async_trait]
pub trait Registry: Debug + Send + Sync + 'static {
    /// The same backend, for which the journal names `actor` as the one who did it.
    fn registry_as(&self, actor: Actor) -> Arc<dyn Registry>;

    /// Makes a model.
    ///
    /// # Contract
    /// **Conflict.** A model of that name, in the trash too, makes it `AlreadyExists`.
    /// **Numbers.** A model of a name that was purged goes on counting where that ended.
    async fn create_model(&self, name: &ModelName, options: CreateModel) -> Result<Model>;

    /// Changes a model and returns it.
    ///
    /// # Contract
    /// **Atomicity.** All aliases move at once. **Conflict.** An alias does not name what was expected;
    /// a model of which a version is in an active stage, or that has aliases, is not deleted.
    /// **Missing.** An alias to a version that does not exist, or is in the trash, is `NotFound`.
    /// **Idempotence.** What is so already changes nothing.
    /// **Invalid.** Any change of a model in the trash but restoring it, in a call of its own.
    async fn update_model(&self, name: &ModelName, changes: ModelChanges) -> Result<Model>;

    /// One model, also from the trash.
    async fn model(&self, name: &ModelName) -> Result<Model>;

    /// A page of the models that match, in order, then by name.
    ///
    /// # Contract
    /// **Pages.** As [`Tracker::search_runs`](crate::tracking::Tracker::search_runs).
    async fn search_models(&self, query: &ModelQuery) -> Result<Page<Model>>;

    /// Makes the model's next version.
    ///
    /// # Contract
    /// **Numbers.** One more than any version of the model ever had, also by many processes at once,
    /// also after versions were deleted and purged.
    /// **Idempotence.** With `reuse`, the version with the least number that has this manifest and is not
    /// in the trash is returned, and nothing changes. **Stages.** An imported stage displaces nobody.
    /// **Missing.** An unknown model or, unless copied or imported, source run is `NotFound`.
    /// **Conflict.** An object that was taken for known is named no more; an imported number that is
    /// not greater than all before. **Invalid.** A model in the trash; a file of the manifest without
    /// an object, or an object that no file has.
    /// **Blobs.** An uploaded object whose digest is named already is returned as not needed.
    async fn register(&self, model: &ModelName, options: RegisterVersion) -> Result<Registered>;

    /// Changes a version and returns it.
    ///
    /// # Contract
    /// **Conflict.** A version in an active stage, or that an alias names, is not deleted.
    /// **Idempotence.** What is so already changes nothing.
    /// **Invalid.** Any change of a version in the trash, or of a model in the trash, but restoring it
    /// in a call of its own.
    async fn update_version(&self, id: &VersionId, changes: VersionChanges)
    -> Result<ModelVersion>;

    /// One version, also from the trash.
    async fn version(&self, id: &VersionId) -> Result<ModelVersion>;

    /// Which version is meant. The cheapest question there is: servers ask it often.
    ///
    /// # Contract
    /// **Missing.** A number, alias or stage without a version is `NotFound`; so is one whose version,
    /// or model, is in the trash. **Ordering.** Of several versions in a stage the one that came there
    /// last and is not in the trash.
    async fn resolve(&self, model: &ModelName, selector: &Selector) -> Result<VersionId>;

    /// A page of the versions that match, in order, then by model, then the greatest number first.
    ///
    /// # Contract
    /// **Pages.** As [`Registry::search_models`]. **Missing.** An unknown model has no versions.
    async fn search_versions(&self, query: &VersionQuery) -> Result<Page<ModelVersion>>;

    /// All that a decision about a move depends on, as of one instant.
    ///
    /// # Contract
    /// **Missing.** An unknown version is `NotFound`.
    async fn promotion_state(&self, request: &PromotionRequest) -> Result<PromotionState>;

    /// Carries out a plan, if [`PromotionPlan::renew`] agrees, and returns it as it was carried out.
    ///
    /// # Contract
    /// **Atomicity.** The version, those that it displaces, and the journal's row with policy, evidence
    /// and approvals are one transaction. **Conflict.** Something that the plan relied on has changed.
    /// **Denied.** A condition fails.
    async fn promote(&self, plan: &PromotionPlan) -> Result<PromotionPlan>;

    /// Says something about a plan, if [`PromotionPlan::decide`] agrees. The last word of an actor about
    /// a version and a stage replaces the one before; the journal keeps both.
    ///
    /// # Contract
    /// **Conflict.** Something that the plan saw has changed. **Denied.** The actor may not say it.
    /// **Idempotence.** Taking back what was never said changes nothing.
    /// **Invalid.** A comment that is too long.
    async fn decide(
        &self,
        plan: &PromotionPlan,
        verdict: Verdict,
        comment: &str,
    ) -> Result<Approval>;

    /// Every move of every version of a model, in order, each with who, when, why and on what evidence.
    ///
    /// # Contract
    /// **Missing.** An unknown model is `NotFound`; moves of purged versions are there.
    async fn stage_history(&self, model: &ModelName) -> Result<Vec<StageMove>>;

    /// What a purge would take away. Changes nothing.
    ///
    /// # Contract
    /// **Missing.** A named model or version that does not exist is `NotFound`.
    /// **Invalid.** One that is not in the trash.
    async fn plan_model_purge(&self, what: &ModelPurge) -> Result<ModelPurgePlan>;

    /// Takes away what the plan names, for ever, and returns the objects that nobody names any more; the
    /// caller deletes them.
    ///
    /// # Contract
    /// **Conflict.** Something of the plan is no longer in the trash, or a model has a version that the
    /// plan does not name; nothing is taken away.
    /// **Idempotence.** What is gone already is skipped. The journal keeps its rows, and gets one for
    /// each version, in the plan's order, then one for each model.
    async fn purge_models(&self, plan: &ModelPurgePlan) -> Result<ModelPurgeReport>;
}
