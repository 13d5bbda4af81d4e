//! [`Models`]: a registry, its catalog and lineage, and the tracking store beside them, wired together.
//!
//! The backends keep rows, the blob store keeps bytes; this is where a call needs several of them, or
//! one of them several times. Like [`Tracking`] it holds no state of its own: any number of them may
//! look at the same store. Whatever takes a `uri` takes `models:/churn/3`, `churn@champion`,
//! `churn/Production` and `churn/latest`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use mlops_core::journal::Actor;
use mlops_core::lineage::{Direction, Lineage, Node};
use mlops_core::registry::{
    Catalog, Evidence, Model, ModelChanges, ModelPurgePlan, ModelPurgeReport, ModelQuery, ModelUri,
    ModelVersion, Registry, Selector, VersionChanges, VersionId, VersionQuery,
};
use mlops_core::time::{Clock, Instant, SystemClock};
use mlops_core::{Alias, Error, ErrorKind, ModelName, Result};

use super::authorized::Authorized;
use super::cache::ModelCache;
use super::graph::{Graph, Impact};
use super::register::RegisterBuilder;
use crate::backends::memory::MemoryStore;
use crate::tracking::Tracking;

/// Models, versions and stages of one store. Clones are cheap and share it.
///
/// ```
/// # futures::executor::block_on(async {
/// use mlops_core::registry::Stage;
/// use mlops_registry::Models;
///
/// let models = Models::in_memory()?;
/// let version = models
///     .register("churn")?
///     .file("model.json", br#"{"weights": [0.5, 2.0]}"#.to_vec())?
///     .metric("auc", 0.91)?
///     .register()
///     .await?;
/// assert_eq!(version.id().to_string(), "churn/1");
///
/// let plan = models.promotion_plan("churn/1", Stage::Production, "first one").await?;
/// assert!(plan.is_allowed());
/// models.apply(&plan).await?;
///
/// let loaded = models.load("models:/churn/Production").await?;
/// assert!(loaded.file("model.json")?.is_file());
/// # Ok::<_, mlops_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Models(Arc<Inner>);

#[derive(Clone)]
pub(super) struct Inner {
    pub(super) registry: Arc<dyn Registry>,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) lineage: Arc<dyn Lineage>,
    pub(super) tracking: Tracking,
    pub(super) actor: Actor,
    pub(super) cache: Option<Arc<ModelCache>>,
    pub(super) label: Arc<str>,
    pub(super) trusted: Option<Arc<BTreeSet<String>>>,
    /// What [`Authorized`] stands before, if it does: where the rules are read, and lineage, which has
    /// no actor of its own to be changed.
    guarded: Option<(Arc<dyn Catalog>, Arc<dyn Lineage>)>,
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Models")
            .field("registry", &self.0.registry)
            .field("actor", &self.0.actor)
            .field("label", &self.0.label)
            .finish_non_exhaustive()
    }
}

impl Models {
    /// Wires the parts together, which must be those of one store; `actor` is named by the journal as
    /// the one who makes changes through this value, and is who a promotion's role is asked of.
    pub fn new(
        registry: Arc<dyn Registry>,
        catalog: Arc<dyn Catalog>,
        lineage: Arc<dyn Lineage>,
        tracking: Tracking,
        actor: Actor,
    ) -> Self {
        Self(Arc::new(Inner {
            registry: registry.registry_as(actor.clone()),
            catalog: catalog.catalog_as(actor.clone()),
            lineage,
            tracking: tracking.acting_as(actor.clone()),
            actor,
            cache: None,
            label: "workspace".into(),
            trusted: None,
            guarded: None,
        }))
    }

    /// A store that is gone with its last handle; for tests and trials.
    ///
    /// # Errors
    /// `Unavailable` if no temporary directory can be made for the spools.
    pub fn in_memory() -> Result<Self> {
        Self::in_memory_at(Arc::new(SystemClock))
    }

    /// As [`Models::in_memory`], with the time of this clock.
    ///
    /// # Errors
    /// As [`Models::in_memory`].
    pub fn in_memory_at(clock: Arc<dyn Clock>) -> Result<Self> {
        let actor = Actor::new("in-memory")?;
        let memory = MemoryStore::new(Arc::clone(&clock), actor.clone());
        let tracking = Tracking::over_memory(&memory, clock)?;
        let memory = Arc::new(memory);
        Ok(Self::new(Arc::clone(&memory) as _, Arc::clone(&memory) as _, memory, tracking, actor))
    }

    /// Keeps what [`Models::load`] loads in this cache.
    pub fn with_cache(mut self, cache: ModelCache) -> Self {
        self.inner().cache = Some(Arc::new(cache));
        self
    }

    /// Names the store, for the origin of copies: its URL, without credentials.
    pub fn with_label(mut self, label: impl AsRef<str>) -> Self {
        self.inner().label = label.as_ref().into();
        self
    }

    /// Hands out files only of versions that somebody with one of these Ed25519 keys (64 hexadecimal
    /// digits each) vouches for; everything else is `Denied`.
    pub fn with_trusted_keys(mut self, keys: impl IntoIterator<Item = String>) -> Self {
        self.inner().trusted = Some(Arc::new(keys.into_iter().collect()));
        self
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    pub(super) fn parts(&self) -> &Inner {
        &self.0
    }

    /// The registry's backend.
    pub fn registry(&self) -> &Arc<dyn Registry> {
        &self.0.registry
    }

    /// The catalog's backend.
    pub fn catalog(&self) -> &Arc<dyn Catalog> {
        &self.0.catalog
    }

    /// The store of lineage.
    pub fn lineage(&self) -> &Arc<dyn Lineage> {
        &self.0.lineage
    }

    /// Runs, artifacts and bytes of the same store.
    pub fn tracking(&self) -> &Tracking {
        &self.0.tracking
    }

    /// Who makes changes through this value.
    pub fn actor(&self) -> &Actor {
        &self.0.actor
    }

    /// The same store for another actor. What is [`authorized`](Models::authorized) stays so, by the
    /// roles of that actor.
    pub fn acting_as(&self, actor: Actor) -> Self {
        let mut models = self.clone();
        let inner = models.inner();
        inner.registry = inner.registry.registry_as(actor.clone());
        inner.catalog = inner.catalog.catalog_as(actor.clone());
        inner.tracking = inner.tracking.acting_as(actor.clone());
        inner.lineage = inner.lineage.lineage_as(actor.clone());
        inner.actor = actor;
        models
    }

    /// The same store for an actor who may do what the access rules of the catalog grant, and no more;
    /// see [`Authorized`] for what that can protect. The journal stays readable for everyone.
    ///
    /// # Errors
    /// `Denied` if the rules grant the actor nothing at all.
    pub async fn authorized(&self, actor: Actor) -> Result<Self> {
        let (rules, lineage) = match &self.0.guarded {
            Some((rules, lineage)) => (Arc::clone(rules), Arc::clone(lineage)),
            None => (Arc::clone(&self.0.catalog), Arc::clone(&self.0.lineage)),
        };
        let guard = Authorized::lineage(Arc::clone(&lineage), Arc::clone(&rules), actor.clone());
        guard.demand_any("models.authorized").await?;
        if self.0.guarded.is_some() {
            return Ok(self.acting_as(actor));
        }
        let Inner { registry, catalog, tracking, .. } = &*self.0;
        let registry = Authorized::registry(registry, Arc::clone(&rules), actor.clone());
        let tracker = Authorized::tracker(tracking.tracker(), Arc::clone(&rules), actor.clone());
        let guarded_catalog = Authorized::catalog(catalog, Arc::clone(&rules), actor.clone());
        let mut models = self.clone();
        let inner = models.inner();
        inner.tracking = inner.tracking.with_tracker(Arc::new(tracker));
        inner.registry = Arc::new(registry);
        inner.catalog = Arc::new(guarded_catalog);
        inner.lineage = Arc::new(guard);
        inner.actor = actor;
        inner.guarded = Some((rules, lineage));
        Ok(models)
    }

    /// A new version of a model, to be described and registered; the model is made if there is none of
    /// that name.
    ///
    /// # Errors
    /// `Invalid` if the name is none.
    pub fn register(&self, model: &str) -> Result<RegisterBuilder> {
        Ok(RegisterBuilder::new(self.clone(), ModelName::new(model)?))
    }

    /// One model, also from the trash.
    ///
    /// # Errors
    /// `NotFound` if there is none of this name.
    pub async fn model(&self, name: &str) -> Result<Model> {
        self.0.registry.model(&ModelName::new(name)?).await
    }

    /// One version; by its number also from the trash.
    ///
    /// # Errors
    /// `NotFound` if the model, its alias, stage or number does not exist.
    pub async fn version(&self, uri: &str) -> Result<ModelVersion> {
        let uri: ModelUri = uri.parse()?;
        let id = match uri.selector {
            Selector::Number(number) => VersionId::new(uri.model, number),
            selector => self.0.registry.resolve(&uri.model, &selector).await?,
        };
        self.0.registry.version(&id).await
    }

    /// Which version is meant; never one in the trash.
    ///
    /// # Errors
    /// As [`Models::version`].
    pub async fn resolve(&self, uri: &str) -> Result<VersionId> {
        let uri: ModelUri = uri.parse()?;
        self.0.registry.resolve(&uri.model, &uri.selector).await
    }

    /// The version that is meant, if it is not in the trash and its manifest is what its digest says.
    pub(super) async fn usable(&self, uri: &str) -> Result<ModelVersion> {
        let id = self.resolve(uri).await?;
        let version = self.0.registry.version(&id).await?;
        super::files::check_manifest(&version)?;
        Ok(version)
    }

    /// All models that match, in order, then by name; for pages and the trash use
    /// [`Registry::search_models`].
    ///
    /// # Errors
    /// `Invalid` with the position of what is wrong in the filter or the order.
    pub async fn search_models(&self, filter: &str, order_by: &[&str]) -> Result<Vec<Model>> {
        let mut query = ModelQuery::parse(filter, order_by)?;
        let mut models = Vec::new();
        loop {
            let page = self.0.registry.search_models(&query).await?;
            models.extend(page.items);
            match page.next {
                None => return Ok(models),
                next => query.page = next,
            }
        }
    }

    /// All versions that match, in order, then by model, the greatest number first; for pages and the
    /// trash use [`Registry::search_versions`].
    ///
    /// # Errors
    /// As [`Models::search_models`].
    pub async fn search_versions(
        &self,
        filter: &str,
        order_by: &[&str],
    ) -> Result<Vec<ModelVersion>> {
        self.all_versions(VersionQuery::parse(filter, order_by)?).await
    }

    /// All pages of a query.
    pub(super) async fn all_versions(&self, mut query: VersionQuery) -> Result<Vec<ModelVersion>> {
        let mut versions = Vec::new();
        loop {
            let page = self.0.registry.search_versions(&query).await?;
            versions.extend(page.items);
            match page.next {
                None => return Ok(versions),
                next => query.page = next,
            }
        }
    }

    /// Lets an alias name a version, whatever it named before.
    ///
    /// # Errors
    /// `NotFound` for a version that is not there; `Invalid` for a text that is no alias.
    pub async fn set_alias(&self, uri: &str, alias: &str) -> Result<Model> {
        let alias = Alias::new(alias)?;
        let VersionId { model, number } = self.resolve(uri).await?;
        let mut changes = ModelChanges::default();
        changes.aliases.insert(alias, Some(number));
        self.0.registry.update_model(&model, changes).await
    }

    /// Takes an alias away; one that is not there is ignored.
    ///
    /// # Errors
    /// `NotFound` if there is no such model.
    pub async fn remove_alias(&self, model: &str, alias: &str) -> Result<Model> {
        let mut changes = ModelChanges::default();
        changes.aliases.insert(Alias::new(alias)?, None);
        self.0.registry.update_model(&ModelName::new(model)?, changes).await
    }

    /// Attaches a finding to a version; one of the same kind and name is replaced.
    ///
    /// # Errors
    /// `NotFound` for a version that is not there.
    pub async fn attach(&self, uri: &str, evidence: Evidence) -> Result<ModelVersion> {
        let id = self.resolve(uri).await?;
        let changes = VersionChanges::default().with_evidence(evidence);
        self.0.registry.update_version(&id, changes).await
    }

    /// Takes away for ever what the plan names, with the bytes that nobody else names.
    ///
    /// # Errors
    /// As [`Registry::purge_models`].
    pub async fn purge(&self, plan: &ModelPurgePlan) -> Result<ModelPurgeReport> {
        let report = self.0.registry.purge_models(plan).await?;
        let locations = report.freed.iter().map(|blob| &blob.location);
        self.0.tracking.blobs().delete_all(locations).await?;
        Ok(report)
    }

    /// What these nodes come from, or what comes of them, at most `depth` steps away.
    ///
    /// # Errors
    /// What the store's own are.
    pub async fn graph(&self, from: &[Node], direction: Direction, depth: usize) -> Result<Graph> {
        super::graph::walk(&*self.0.lineage, from, direction, depth).await
    }

    /// The versions that come of a node (a column, a dataset, a source, …), each with the stages that it
    /// is in: what a change there would hit.
    ///
    /// # Errors
    /// What the store's own are.
    pub async fn impact(&self, node: &Node) -> Result<Vec<Impact>> {
        super::graph::impact(&*self.0.lineage, node).await
    }

    pub(super) fn now(&self) -> Instant {
        self.0.tracking.parts().clock.now()
    }
}

/// The error for a plan that others kept overtaking.
#[cold]
pub(super) fn overtaken(operation: &'static str, last: Error) -> Error {
    Error::new(ErrorKind::Conflict, operation, "others changed the same thing again and again")
        .with_hint("try again")
        .with_source(last)
}
