//! The catalog: small versioned documents with an owner.
//!
//! Policies, access rules, webhook subscriptions, and later feature definitions, suites and routing
//! tables are documents: JSON of at most a mebibyte, each with a kind and a name, changed only by
//! compare-and-set, journaled, with their whole history.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::{ACCESS_KIND, Access};
use super::evidence::{DRILL_KIND, DrillSummary};
use super::policy::{POLICY_KIND, StagePolicy};

use crate::journal::Actor;
use crate::lineage::{Node, NodeKind};
use crate::time::Instant;
use crate::tracking::Digest;
use crate::{Error, Key, Result, check_json};

/// Largest body of a document, in bytes of its JSON text.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;

/// One version of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Document {
    /// What it is: `policy`, `access`, `webhook`, …
    pub kind: Key,
    /// Its name within the kind.
    pub name: Key,
    /// 1, 2, 3, … Deleting makes a version too.
    pub version: u64,
    /// BLAKE3 of the body's JSON text.
    pub digest: Digest,
    /// What it says; `None` if this version is its deletion.
    pub body: Option<Value>,
    /// When this version was stored.
    pub at: Instant,
    /// Who stored it.
    pub actor: Actor,
}

impl Document {
    /// Version `version` of a document; for backends.
    pub fn new(
        kind: Key,
        name: Key,
        version: u64,
        body: Option<Value>,
        at: Instant,
        actor: Actor,
    ) -> Self {
        let digest = Self::digest_of(body.as_ref());
        Self { kind, name, version, digest, body, at, actor }
    }

    /// BLAKE3 of a body's JSON text; of no bytes if there is none.
    pub fn digest_of(body: Option<&Value>) -> Digest {
        let text = body.map(Value::to_string).unwrap_or_default();
        Digest(*blake3::hash(text.as_bytes()).as_bytes())
    }
}

/// A change of a document.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PutDocument {
    /// What it is.
    pub kind: Key,
    /// Its name within the kind.
    pub name: Key,
    /// What it says; `None` deletes it.
    pub body: Option<Value>,
    /// The version that it must have now (0: it was never there); whatever it has, if absent.
    pub expect: Option<u64>,
}

impl PutDocument {
    /// Stores a body.
    pub fn new(kind: Key, name: Key, body: Value) -> Self {
        Self { kind, name, body: Some(body), expect: None }
    }

    /// Deletes it; its history stays.
    pub fn delete(kind: Key, name: Key) -> Self {
        Self { kind, name, body: None, expect: None }
    }

    /// Demands that it has this version now; 0 demands that it was never there.
    pub fn expecting(mut self, version: u64) -> Self {
        self.expect = Some(version);
        self
    }

    /// Checks the kind and the body. What the registry itself reads (policies, access rules, drills) must
    /// say what it should: a document that is not understood would stand in the way of every promotion.
    ///
    /// # Errors
    /// `Invalid` for a kind with a `/`, which separates it from the name; a body above
    /// [`MAX_DOCUMENT_BYTES`], or nested deeper than [`MAX_JSON_DEPTH`](crate::MAX_JSON_DEPTH); a policy, access
    /// rules or a drill that are none.
    pub fn check(&self) -> Result<()> {
        if self.kind.contains('/') {
            return Err(
                Error::invalid("catalog.put", "the kind contains a `/`").with("kind", &self.kind)
            );
        }
        let Some(body) = &self.body else { return Ok(()) };
        let bytes = body.to_string().len();
        if bytes > MAX_DOCUMENT_BYTES {
            return Err(Error::invalid("catalog.put", "the document is too large")
                .with("bytes", bytes)
                .with("at_most", MAX_DOCUMENT_BYTES));
        }
        check_json("catalog.put", body)?;
        match self.kind.as_str() {
            POLICY_KIND => self.read::<StagePolicy>(body)?.check(),
            ACCESS_KIND => self.read::<Access>(body)?.check(),
            DRILL_KIND => self.read::<DrillSummary>(body).map(drop),
            _ => Ok(()),
        }
    }

    fn read<T: DeserializeOwned>(&self, body: &Value) -> Result<T> {
        // Serde would take a list for an object whose fields come in order, and `[]` for no rules.
        if !body.is_object() {
            return Err(Error::invalid("catalog.put", "the document is no JSON object")
                .with("document", &self.node().id));
        }
        T::deserialize(body).map_err(|e| {
            Error::invalid("catalog.put", "the document does not say what its kind should")
                .with("document", &self.node().id)
                .with("problem", &e)
                .with_source(e)
        })
    }

    /// The document as a node of lineage and journal: `document:policy/churn`.
    pub fn node(&self) -> Node {
        Node::new(NodeKind::Document, format!("{}/{}", self.kind, self.name))
    }
}

/// Stores documents.
///
/// # Contract
/// **Atomicity, Durability, Ordering, Journal.** As [`Tracker`](crate::tracking::Tracker).
#[async_trait]
pub trait Catalog: Debug + Send + Sync + 'static {
    /// The same backend, for which the journal names `actor` as the one who did it.
    fn catalog_as(&self, actor: Actor) -> Arc<dyn Catalog>;

    /// The document as it is now; `None` if it was never there or is deleted.
    async fn document(&self, kind: &Key, name: &Key) -> Result<Option<Document>>;

    /// The documents of a kind that are there now, by name.
    async fn documents(&self, kind: &Key) -> Result<Vec<Document>>;

    /// All versions of a document, deletions among them, the first one first; none for an unknown one.
    async fn document_history(&self, kind: &Key, name: &Key) -> Result<Vec<Document>>;

    /// Stores a new version and returns it.
    ///
    /// # Contract
    /// **Conflict.** The document does not have the version that was expected.
    /// **Idempotence.** The same body again returns the version that is there; so does deleting what
    /// is deleted. **Missing.** Deleting what was never there is `NotFound`.
    /// **Invalid.** What [`PutDocument::check`] refuses.
    async fn put_document(&self, change: PutDocument) -> Result<Document>;
}
