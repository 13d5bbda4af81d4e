//! A registry that sins, and is honest in everything else; with it a catalog and a graph.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mlops_core::journal::Actor;
use mlops_core::lineage::{Direction, Edge, Lineage, Node, Relation};
use mlops_core::registry::{
    Approval, Catalog, CreateModel, Document, Model, ModelChanges, ModelPurge, ModelPurgePlan,
    ModelPurgeReport, ModelQuery, ModelVersion, PromotionPlan, PromotionRequest, PromotionState,
    PutDocument, RegisterVersion, Registered, Registry, Selector, Stage, StageMove, Verdict,
    VersionChanges, VersionId, VersionQuery,
};
use mlops_core::time::{Clock, ManualClock};
use mlops_core::tracking::{Page, Tracker, View};
use mlops_core::{Alias, Error, ErrorKind, Key, ModelName, Result};

use super::Sin;
use super::misread::misread;
use crate::build::{ACTOR, key};
use crate::{Fixture, Store};

/// What all handles of a sinful store share.
#[derive(Debug)]
struct Shared {
    sin: Sin,
    honest: Store,
    clock: Arc<ManualClock>,
    /// What [`Sin::ResolvesStale`] answers once more.
    stale: Mutex<HashMap<(ModelName, Stage), VersionId>>,
    /// The versions whose edges [`Sin::LosesEdges`] has lost.
    lost: Mutex<Vec<Node>>,
}

#[derive(Debug)]
pub(super) struct Sinner {
    shared: Arc<Shared>,
    inner: Arc<dyn Registry>,
    actor: Actor,
    /// The aliases that this handle saw last, for [`Sin::LosesAliases`].
    seen: Mutex<HashMap<ModelName, BTreeMap<Alias, u64>>>,
}

/// Puts the sinners in the place of the honest contracts.
pub(super) fn corrupt(sin: Sin, fixture: &mut Fixture) {
    let honest = fixture.store.clone();
    let shared = Arc::new(Shared {
        sin,
        honest: honest.clone(),
        clock: Arc::clone(&fixture.clock),
        stale: Mutex::default(),
        lost: Mutex::default(),
    });
    let actor = crate::build::actor(ACTOR);
    let store = &mut fixture.store;
    store.registry = Arc::new(Sinner::new(Arc::clone(&shared), honest.registry, actor));
    store.catalog = Arc::new(Careless { sin, inner: honest.catalog });
    store.lineage = Arc::new(Loser { shared });
}

impl Sinner {
    fn new(shared: Arc<Shared>, inner: Arc<dyn Registry>, actor: Actor) -> Self {
        Self { shared, inner, actor, seen: Mutex::default() }
    }

    fn sin(&self) -> Sin {
        self.shared.sin
    }

    fn saw(&self, model: &Model) {
        self.seen.lock().unwrap().insert(model.name.clone(), model.aliases.clone());
    }

    /// A plan of the same request as things are now.
    async fn again(&self, plan: &PromotionPlan) -> Result<PromotionPlan> {
        let state = self.inner.promotion_state(&plan.request).await?;
        let request = plan.request.clone();
        PromotionPlan::evaluate(&state, request, &self.actor, self.shared.clock.now())
    }

    /// Does what was denied while these documents are gone.
    async fn without(
        &self,
        kind: &str,
        plan: &PromotionPlan,
        denied: Error,
    ) -> Result<PromotionPlan> {
        let catalog = &self.shared.honest.catalog;
        let kind = key(kind);
        let documents = catalog.documents(&kind).await?;
        for document in &documents {
            catalog.put_document(PutDocument::delete(kind.clone(), document.name.clone())).await?;
        }
        let result = match self.again(plan).await {
            Ok(plan) => self.inner.promote(&plan).await,
            Err(_) => Err(denied),
        };
        for document in documents {
            let Some(body) = document.body else { continue };
            catalog.put_document(PutDocument::new(kind.clone(), document.name, body)).await?;
        }
        result
    }

    /// Takes the ones that are there away first, in transactions of their own.
    async fn step_by_step(&self, plan: &PromotionPlan) -> Result<PromotionPlan> {
        let state = self.inner.promotion_state(&plan.request).await?;
        let whole = plan.renew(&state, &self.actor, self.shared.clock.now())?;
        let (_, others) = whole.steps.split_last().unwrap();
        for step in others {
            let model = plan.request.version.model.clone();
            let away = PromotionRequest::new(VersionId::new(model, step.number), step.to);
            let state = self.inner.promotion_state(&away).await?;
            let now = self.shared.clock.now();
            let away = PromotionPlan::evaluate(&state, away, &self.actor, now)?;
            self.inner.promote(&away).await?;
            std::thread::yield_now();
        }
        self.inner.promote(&self.again(plan).await?).await?;
        Ok(whole)
    }

    /// Lets those who once approved approve again, whatever they would say now.
    async fn approve_again(&self, plan: &PromotionPlan, denied: Error) -> Result<PromotionPlan> {
        let state = self.inner.promotion_state(&plan.request).await?;
        for approval in state.approvals {
            if approval.verdict == Verdict::Approve && approval.basis != plan.basis {
                let approver = self.inner.registry_as(approval.actor);
                approver.decide(&self.again(plan).await?, Verdict::Approve, "").await.ok();
            }
        }
        match self.again(plan).await {
            Ok(plan) if plan.is_allowed() => self.inner.promote(&plan).await,
            _ => Err(denied),
        }
    }

    async fn objects(&self, plan: &ModelPurgePlan) -> Vec<mlops_core::tracking::Blob> {
        let mut objects = Vec::new();
        for id in &plan.versions {
            let Ok(version) = self.inner.version(id).await else { continue };
            for file in &version.manifest.files {
                let tracker: &dyn Tracker = &*self.shared.honest.tracker;
                objects.extend(tracker.find_blob(file.digest).await.unwrap_or_default());
            }
        }
        objects
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Registry for Sinner {
    fn registry_as(&self, actor: Actor) -> Arc<dyn Registry> {
        let inner = self.inner.registry_as(actor.clone());
        Arc::new(Self::new(Arc::clone(&self.shared), inner, actor))
    }

    async fn create_model(&self, name: &ModelName, options: CreateModel) -> Result<Model> {
        self.inner.create_model(name, options).await
    }

    async fn update_model(&self, name: &ModelName, mut changes: ModelChanges) -> Result<Model> {
        if self.sin() == Sin::IgnoresExpectedAliases {
            match self.inner.update_model(name, changes.clone()).await {
                Err(error) if error.kind() == ErrorKind::Conflict => changes.expect_aliases.clear(),
                result => return result,
            }
        }
        if self.sin() == Sin::LosesAliases && !changes.aliases.is_empty() {
            let seen = self.seen.lock().unwrap().get(name).cloned();
            if let (Some(seen), Ok(now)) = (seen, self.inner.model(name).await) {
                for alias in now.aliases.into_keys().filter(|alias| !seen.contains_key(alias)) {
                    changes.aliases.entry(alias).or_insert(None);
                }
            }
        }
        let model = self.inner.update_model(name, changes).await?;
        self.saw(&model);
        Ok(model)
    }

    async fn model(&self, name: &ModelName) -> Result<Model> {
        let model = self.inner.model(name).await?;
        self.saw(&model);
        Ok(model)
    }

    async fn search_models(&self, query: &ModelQuery) -> Result<Page<Model>> {
        let mut query = query.clone();
        query.filter = misread(self.sin(), query.filter);
        self.inner.search_models(&query).await
    }

    async fn register(&self, model: &ModelName, options: RegisterVersion) -> Result<Registered> {
        let all = VersionQuery::of(model.clone()).with_view(View::All).with_limit(1);
        let last = self.inner.search_versions(&all).await?.items.first().map_or(0, |v| v.number);
        let free = options.imported.as_ref().is_none_or(|facts| facts.number.is_none());
        let mut registered = self.inner.register(model, options).await?;
        if self.sin() == Sin::ReusesNumbers && registered.created && free {
            registered.version.number = last + 1;
        }
        Ok(registered)
    }

    async fn update_version(
        &self,
        id: &VersionId,
        changes: VersionChanges,
    ) -> Result<ModelVersion> {
        self.inner.update_version(id, changes).await
    }

    async fn version(&self, id: &VersionId) -> Result<ModelVersion> {
        let mut version = self.inner.version(id).await?;
        if self.sin() == Sin::ChangesManifests {
            version.manifest.environment = None;
        }
        Ok(version)
    }

    async fn resolve(&self, model: &ModelName, selector: &Selector) -> Result<VersionId> {
        if let (Sin::ResolvesStale, Selector::Stage(stage)) = (self.sin(), selector) {
            let stale = self.shared.stale.lock().unwrap().remove(&(model.clone(), *stage));
            if let Some(stale) = stale {
                return Ok(stale);
            }
        }
        self.inner.resolve(model, selector).await
    }

    async fn search_versions(&self, query: &VersionQuery) -> Result<Page<ModelVersion>> {
        let mut query = query.clone();
        query.filter = misread(self.sin(), query.filter);
        self.inner.search_versions(&query).await
    }

    async fn promotion_state(&self, request: &PromotionRequest) -> Result<PromotionState> {
        self.inner.promotion_state(request).await
    }

    async fn promote(&self, plan: &PromotionPlan) -> Result<PromotionPlan> {
        let (model, to) = (plan.request.version.model.clone(), plan.request.to);
        let before = self.inner.resolve(&model, &Selector::Stage(to)).await.ok();
        let denied = |result: &Result<PromotionPlan>| {
            result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Denied)
        };
        if self.sin() == Sin::PromotesInTwoSteps && plan.steps.len() > 1 {
            return self.step_by_step(plan).await;
        }
        let result = self.inner.promote(plan).await;
        match (self.sin(), result) {
            (Sin::IgnoresThePolicy, result) if denied(&result) => {
                self.without("policy", plan, result.unwrap_err()).await
            }
            (Sin::IgnoresRoles, result) if denied(&result) => {
                self.without("access", plan, result.unwrap_err()).await
            }
            (Sin::KeepsOldApprovals, result) if denied(&result) => {
                self.approve_again(plan, result.unwrap_err()).await
            }
            (Sin::ResolvesStale, Ok(done)) => {
                let mut stale = self.shared.stale.lock().unwrap();
                stale.extend(before.map(|id| ((model, to), id)));
                Ok(done)
            }
            (Sin::LosesEdges, Ok(done)) => {
                let node = Node::from(&done.request.version);
                let mut lost = self.shared.lost.lock().unwrap();
                lost.retain(|other| *other != node);
                if done.request.rollback {
                    lost.push(node);
                }
                Ok(done)
            }
            (_, result) => result,
        }
    }

    async fn decide(
        &self,
        plan: &PromotionPlan,
        verdict: Verdict,
        comment: &str,
    ) -> Result<Approval> {
        let result = self.inner.decide(plan, verdict, comment).await;
        if self.sin() == Sin::AllowsSelfApproval && verdict == Verdict::Approve && result.is_err() {
            let version = self.inner.version(&plan.request.version).await?;
            if version.author == self.actor {
                let other = Actor::new(format!("{} again", self.actor))?;
                return self.inner.registry_as(other).decide(plan, verdict, comment).await;
            }
        }
        result
    }

    async fn stage_history(&self, model: &ModelName) -> Result<Vec<StageMove>> {
        self.inner.stage_history(model).await
    }

    async fn plan_model_purge(&self, what: &ModelPurge) -> Result<ModelPurgePlan> {
        self.inner.plan_model_purge(what).await
    }

    async fn purge_models(&self, plan: &ModelPurgePlan) -> Result<ModelPurgeReport> {
        let theirs = self.objects(plan).await;
        let mut report = self.inner.purge_models(plan).await?;
        if self.sin() == Sin::FreesObjectsOfOthers {
            for object in theirs {
                if !report.freed.contains(&object) {
                    report.freed.push(object);
                }
            }
        }
        Ok(report)
    }
}

/// A catalog that does not look at what a change expects, if that is the sin.
#[derive(Debug)]
struct Careless {
    sin: Sin,
    inner: Arc<dyn Catalog>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Catalog for Careless {
    fn catalog_as(&self, actor: Actor) -> Arc<dyn Catalog> {
        Arc::new(Self { sin: self.sin, inner: self.inner.catalog_as(actor) })
    }

    async fn document(&self, kind: &Key, name: &Key) -> Result<Option<Document>> {
        self.inner.document(kind, name).await
    }

    async fn documents(&self, kind: &Key) -> Result<Vec<Document>> {
        self.inner.documents(kind).await
    }

    async fn document_history(&self, kind: &Key, name: &Key) -> Result<Vec<Document>> {
        self.inner.document_history(kind, name).await
    }

    async fn put_document(&self, mut change: PutDocument) -> Result<Document> {
        if self.sin == Sin::IgnoresDocumentVersions {
            change.expect = None;
        }
        self.inner.put_document(change).await
    }
}

/// A graph that loses edges, if that is the sin.
#[derive(Debug)]
struct Loser {
    shared: Arc<Shared>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Lineage for Loser {
    fn lineage_as(&self, actor: Actor) -> Arc<dyn Lineage> {
        self.shared.honest.lineage.lineage_as(actor)
    }

    async fn link(&self, edges: &[Edge]) -> Result<()> {
        self.shared.honest.lineage.link(edges).await
    }

    async fn edges(&self, nodes: &[Node], direction: Direction) -> Result<Vec<Edge>> {
        let mut edges = self.shared.honest.lineage.edges(nodes, direction).await?;
        let lost = self.shared.lost.lock().unwrap();
        edges.retain(|edge| edge.relation != Relation::In || !lost.contains(&edge.from));
        Ok(edges)
    }
}
