//! Documents, and edges of lineage.

use std::sync::Arc;

use async_trait::async_trait;
use mlops_core::journal::Actor;
use mlops_core::lineage::{Direction, Edge, Lineage, Node, check_edges};
use mlops_core::registry::{Catalog, Document, PutDocument, events};
use mlops_core::{Error, ErrorKind, Key, Result};

use super::MemoryStore;
use super::state::{Author, State};

#[async_trait]
impl Catalog for MemoryStore {
    fn catalog_as(&self, actor: Actor) -> Arc<dyn Catalog> {
        Arc::new(Self { actor, ..self.clone() })
    }

    async fn document(&self, kind: &Key, name: &Key) -> Result<Option<Document>> {
        Ok(self.lock().registry.document(kind, name).cloned())
    }

    async fn documents(&self, kind: &Key) -> Result<Vec<Document>> {
        Ok(self.lock().registry.documents(kind).cloned().collect())
    }

    async fn document_history(&self, kind: &Key, name: &Key) -> Result<Vec<Document>> {
        Ok(self.lock().registry.document_history(kind, name).to_vec())
    }

    async fn put_document(&self, change: PutDocument) -> Result<Document> {
        change.check()?;
        self.lock().put_document(change, &self.author())
    }
}

#[async_trait]
impl Lineage for MemoryStore {
    fn lineage_as(&self, actor: Actor) -> Arc<dyn Lineage> {
        Arc::new(Self { actor, ..self.clone() })
    }

    async fn link(&self, edges: &[Edge]) -> Result<()> {
        check_edges(edges)?;
        self.lock().link(edges, &self.author())
    }

    async fn edges(&self, nodes: &[Node], direction: Direction) -> Result<Vec<Edge>> {
        let state = self.lock();
        let near = |edge: &&Edge| match direction {
            Direction::Upstream => nodes.contains(&edge.to),
            Direction::Downstream => nodes.contains(&edge.from),
        };
        Ok(state.registry.edges().iter().filter(near).cloned().collect())
    }
}

impl State {
    fn put_document(&mut self, change: PutDocument, author: &Author) -> Result<Document> {
        let operation = "catalog.put_document";
        let node = change.node();
        let PutDocument { kind, name, body, expect, .. } = change;
        let last = self.registry.document_history(&kind, &name).last();
        let found = last.map_or(0, |document| document.version);
        if let Some(expected) = expect.filter(|expected| *expected != found) {
            return Err(Error::new(
                ErrorKind::Conflict,
                operation,
                "the document has another version",
            )
            .with("document", node)
            .with("expected", expected)
            .with("found", found)
            .with_hint("read it again, and decide again"));
        }
        if body.is_none() && last.is_none() {
            return Err(
                Error::not_found(operation, "the document was never there").with("document", node)
            );
        }
        let Author { actor, now } = author;
        let next = Document::new(kind, name, found + 1, body, *now, actor.clone());
        if let Some(same) = last.filter(|there| there.digest == next.digest) {
            return Ok(same.clone());
        }
        let (operation, payload) = events::document(&next);
        self.write(author, operation, node, payload)?;
        Ok(next)
    }

    fn link(&mut self, edges: &[Edge], author: &Author) -> Result<()> {
        let known = self.registry.edges();
        let new: Vec<Edge> = edges.iter().filter(|edge| !known.contains(edge)).cloned().collect();
        match edges.first() {
            Some(first) if !new.is_empty() => {
                let payload = events::lineage_link(&new);
                self.write(author, events::LINEAGE_LINK, first.to.clone(), payload)
            }
            _ => Ok(()),
        }
    }
}
