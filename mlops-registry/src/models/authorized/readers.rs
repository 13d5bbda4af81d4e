//! Roles before a catalog and before lineage: whoever is granted anything may read them.

use std::sync::Arc;

use async_trait::async_trait;
use mlops_core::journal::Actor;
use mlops_core::lineage::{Direction, Edge, Lineage, Node};
use mlops_core::registry::{
    ACCESS_KIND, Catalog, DEFAULT_POLICY, DRILL_KIND, Document, POLICY_KIND, PutDocument, Role,
};
use mlops_core::{Key, ModelName, Result};

use super::Authorized;
use crate::feed::SUBSCRIPTION_KIND;

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Catalog for Authorized<dyn Catalog> {
    fn catalog_as(&self, actor: Actor) -> Arc<dyn Catalog> {
        Arc::new(Self::catalog(&self.inner, Arc::clone(&self.rules), actor))
    }

    async fn document(&self, kind: &Key, name: &Key) -> Result<Option<Document>> {
        self.demand_any("catalog.document").await?;
        self.inner.document(kind, name).await
    }

    async fn documents(&self, kind: &Key) -> Result<Vec<Document>> {
        self.demand_any("catalog.documents").await?;
        self.inner.documents(kind).await
    }

    async fn document_history(&self, kind: &Key, name: &Key) -> Result<Vec<Document>> {
        self.demand_any("catalog.document_history").await?;
        self.inner.document_history(kind, name).await
    }

    async fn put_document(&self, change: PutDocument) -> Result<Document> {
        let (role, model) = match change.kind.as_str() {
            // The policy of a model is changed by an admin of that model.
            POLICY_KIND if change.name.as_str() != DEFAULT_POLICY => {
                (Role::Admin, ModelName::new(&change.name).ok())
            }
            // Who could store a drill could open its gate; who subscribes carries data out.
            POLICY_KIND | ACCESS_KIND | DRILL_KIND | SUBSCRIPTION_KIND => (Role::Admin, None),
            _ => (Role::Contributor, None),
        };
        self.demand("catalog.put", role, model.as_ref()).await?;
        self.inner.put_document(change).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Lineage for Authorized<dyn Lineage> {
    fn lineage_as(&self, actor: Actor) -> Arc<dyn Lineage> {
        Arc::new(Self::lineage(
            self.inner.lineage_as(actor.clone()),
            Arc::clone(&self.rules),
            actor,
        ))
    }

    async fn link(&self, edges: &[Edge]) -> Result<()> {
        self.demand("lineage.link", Role::Contributor, None).await?;
        self.inner.link(edges).await
    }

    async fn edges(&self, nodes: &[Node], direction: Direction) -> Result<Vec<Edge>> {
        self.demand_any("lineage.edges").await?;
        self.inner.edges(nodes, direction).await
    }
}
