//! The registry, the catalog and lineage: each call in its transaction.

use std::sync::Arc;

use async_trait::async_trait;
use mlops_core::journal::Actor;
use mlops_core::lineage::{Direction, Edge, Lineage, Node, check_edges};
use mlops_core::registry::{
    Approval, Catalog, CreateModel, Document, Model, ModelChanges, ModelPurge, ModelPurgePlan,
    ModelPurgeReport, ModelQuery, ModelVersion, PromotionPlan, PromotionRequest, PromotionState,
    PutDocument, RegisterVersion, Registered, Registry, Selector, StageMove, Verdict,
    VersionChanges, VersionId, VersionQuery, check,
};
use mlops_core::tracking::Page;
use mlops_core::{Key, ModelName, Result};

use super::names::Names;
use super::{SqliteStore, catalog, lineage, model_pages, model_trash, models, promotion, versions};

#[async_trait]
impl Registry for SqliteStore {
    fn registry_as(&self, actor: Actor) -> Arc<dyn Registry> {
        Arc::new(Self { store: Arc::clone(&self.store), actor })
    }

    async fn create_model(&self, name: &ModelName, options: CreateModel) -> Result<Model> {
        check::create_model(&options)?;
        let name = name.clone();
        self.write("registry.create_model", move |w| models::create(w, &name, options)).await
    }

    async fn update_model(&self, name: &ModelName, changes: ModelChanges) -> Result<Model> {
        check::model_changes(&changes)?;
        let name = name.clone();
        self.write("registry.update_model", move |w| models::update(w, &name, changes)).await
    }

    async fn model(&self, name: &ModelName) -> Result<Model> {
        let op = "registry.model";
        let name = name.clone();
        self.read(op, move |sql| {
            let stored = models::find(sql, &name)?.ok_or_else(|| models::missing(op, &name))?;
            models::load(sql, stored, &mut Names::default())
        })
        .await
    }

    async fn search_models(&self, query: &ModelQuery) -> Result<Page<Model>> {
        let query = query.clone();
        self.read("registry.search_models", move |sql| model_pages::models(sql, &query)).await
    }

    async fn register(&self, model: &ModelName, options: RegisterVersion) -> Result<Registered> {
        // Written out and hashed here, outside the write lock.
        let json = check::register(&options)?;
        let model = model.clone();
        self.write("registry.register", move |w| versions::register(w, &model, options, &json))
            .await
    }

    async fn update_version(
        &self,
        id: &VersionId,
        changes: VersionChanges,
    ) -> Result<ModelVersion> {
        check::version_changes(&changes)?;
        let id = id.clone();
        self.write("registry.update_version", move |w| versions::update(w, &id, changes)).await
    }

    async fn version(&self, id: &VersionId) -> Result<ModelVersion> {
        let op = "registry.version";
        let id = id.clone();
        self.read(op, move |sql| {
            let stored = versions::find(sql, &id)?.ok_or_else(|| versions::missing(op, &id))?;
            versions::load(sql, stored, &mut Names::default())
        })
        .await
    }

    async fn resolve(&self, model: &ModelName, selector: &Selector) -> Result<VersionId> {
        self.store.ask("registry.resolve", |sql| versions::resolve(sql, model, selector))
    }

    async fn search_versions(&self, query: &VersionQuery) -> Result<Page<ModelVersion>> {
        let query = query.clone();
        self.read("registry.search_versions", move |sql| model_pages::versions(sql, &query)).await
    }

    async fn promotion_state(&self, request: &PromotionRequest) -> Result<PromotionState> {
        let request = request.clone();
        self.read("registry.promotion_state", move |sql| promotion::state(sql, &request)).await
    }

    async fn promote(&self, plan: &PromotionPlan) -> Result<PromotionPlan> {
        check::words("reason", &plan.request.reason)?;
        let plan = plan.clone();
        self.write("registry.promote", move |w| promotion::promote(w, &plan)).await
    }

    async fn decide(
        &self,
        plan: &PromotionPlan,
        verdict: Verdict,
        comment: &str,
    ) -> Result<Approval> {
        check::words("comment", comment)?;
        let (plan, comment) = (plan.clone(), comment.to_owned());
        self.write("registry.decide", move |w| promotion::decide(w, &plan, verdict, &comment)).await
    }

    async fn stage_history(&self, model: &ModelName) -> Result<Vec<StageMove>> {
        let model = model.clone();
        self.read("registry.stage_history", move |sql| promotion::history(sql, &model)).await
    }

    async fn plan_model_purge(&self, what: &ModelPurge) -> Result<ModelPurgePlan> {
        let what = what.clone();
        self.read("registry.plan_model_purge", move |sql| model_trash::plan(sql, &what)).await
    }

    async fn purge_models(&self, plan: &ModelPurgePlan) -> Result<ModelPurgeReport> {
        let plan = plan.clone();
        self.write("registry.purge_models", move |w| model_trash::purge(w, &plan)).await
    }
}

#[async_trait]
impl Catalog for SqliteStore {
    fn catalog_as(&self, actor: Actor) -> Arc<dyn Catalog> {
        Arc::new(Self { store: Arc::clone(&self.store), actor })
    }

    async fn document(&self, kind: &Key, name: &Key) -> Result<Option<Document>> {
        let (kind, name) = (kind.clone(), name.clone());
        self.read("catalog.document", move |sql| catalog::get(sql, &kind, &name)).await
    }

    async fn documents(&self, kind: &Key) -> Result<Vec<Document>> {
        let kind = kind.clone();
        self.read("catalog.documents", move |sql| catalog::list(sql, &kind)).await
    }

    async fn document_history(&self, kind: &Key, name: &Key) -> Result<Vec<Document>> {
        let (kind, name) = (kind.clone(), name.clone());
        self.read("catalog.document_history", move |sql| catalog::history(sql, &kind, &name)).await
    }

    async fn put_document(&self, change: PutDocument) -> Result<Document> {
        change.check()?;
        self.write("catalog.put_document", move |w| catalog::put(w, change)).await
    }
}

#[async_trait]
impl Lineage for SqliteStore {
    fn lineage_as(&self, actor: Actor) -> Arc<dyn Lineage> {
        Arc::new(Self { store: Arc::clone(&self.store), actor })
    }

    async fn link(&self, edges: &[Edge]) -> Result<()> {
        check_edges(edges)?;
        let edges = edges.to_vec();
        self.write("lineage.link", move |w| lineage::link(w, &edges)).await
    }

    async fn edges(&self, nodes: &[Node], direction: Direction) -> Result<Vec<Edge>> {
        let nodes = nodes.to_vec();
        self.read("lineage.edges", move |sql| lineage::edges(sql, &nodes, direction)).await
    }
}
