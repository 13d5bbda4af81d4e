//! Rows about documents and edges.

use serde::Deserialize;
use serde_json::Value;

use super::RegistryState;
use super::row::Row;
use crate::Result;
use crate::lineage::{Edge, Node, NodeKind};
use crate::registry::{Document, lineage};
use crate::tracking::DatasetInput;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    version: u64,
    body: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deleted {
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Linked {
    edges: Vec<Edge>,
}

/// The part of a run's change that makes edges.
#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    inputs: Vec<DatasetInput>,
}

impl RegistryState {
    pub(super) fn put_document(&mut self, row: &Row<'_>) -> Result<()> {
        let Put { version, body } = row.payload()?;
        self.next_document(row, version, Some(body))
    }

    pub(super) fn delete_document(&mut self, row: &Row<'_>) -> Result<()> {
        let Deleted { version } = row.payload()?;
        self.next_document(row, version, None)
    }

    fn next_document(&mut self, row: &Row<'_>, version: u64, body: Option<Value>) -> Result<()> {
        let (kind, name) = row.document()?;
        let before = self.document_history(&kind, &name).len() as u64;
        if version != before + 1 {
            return Err(row
                .corrupt("the document's version is not the next one")
                .with("version", version)
                .with("last", before));
        }
        let place = (kind.clone(), name.clone());
        let document = Document::new(kind, name, version, body, row.at(), row.0.actor.clone());
        self.documents.entry(place).or_default().push(document);
        Ok(())
    }

    pub(super) fn link(&mut self, row: &Row<'_>) -> Result<()> {
        let Linked { edges } = row.payload()?;
        self.edges.extend(edges);
        Ok(())
    }

    /// A run that read datasets.
    pub(super) fn read_inputs(&mut self, row: &Row<'_>) -> Result<()> {
        row.id(NodeKind::Run)?;
        let Read { inputs } = row.payload()?;
        for input in &inputs {
            self.edges.extend(lineage::of_input(input, &row.0.node));
        }
        Ok(())
    }

    /// Takes every edge from or to a node away.
    pub(super) fn forget(&mut self, node: &Node) {
        self.edges.retain(|edge| edge.from != *node && edge.to != *node);
    }
}
