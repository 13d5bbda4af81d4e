//! A catalog in an object store alone, for a feature store without a registry.
//!
//! A document's versions are objects of their own, `catalog/<kind>/<name>/<version>.json`, made by
//! create-if-absent: of two writers of one version the store lets one through. That is all the
//! compare-and-set needs, and no object is ever written twice.
//!
//! The non-obvious decision: nothing says which version is the last. It is found by asking for the next one
//! after the last known, in steps that double, so that neither a list of a folder of many versions nor
//! a pointer that could lag behind is needed. A store that does not honour create-if-absent is
//! refused when it is opened.
//!
//! What it does not do: there is no journal; the versions are the history.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::TryStreamExt;
use mlops_core::journal::Actor;
use mlops_core::registry::{Catalog, Document, PutDocument};
use mlops_core::time::Clock;
use mlops_core::{Error, ErrorKind, Key, Result};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::offline::error::of_store;

const OPEN: &str = "catalog.open";
const READ: &str = "catalog.document";
const PUT: &str = "catalog.put_document";
/// How often a change without an expected version is tried again.
const TRIES: usize = 64;
/// Documents whose last version is remembered.
const REMEMBERED: usize = 10_000;
/// Longest name that is a folder's as it is.
const PLAIN_NAME: usize = 120;

/// Documents in an object store, one object a version.
///
/// Clones, and those by [`Catalog::catalog_as`], share what they remember.
#[derive(Clone)]
pub struct ObjectCatalog {
    store: Arc<dyn ObjectStore>,
    root: Path,
    clock: Arc<dyn Clock>,
    actor: Actor,
    /// The last version known; later ones may be there.
    last: Arc<Mutex<HashMap<(Key, Key), Document>>>,
}

impl fmt::Debug for ObjectCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectCatalog")
            .field("store", &self.store)
            .field("root", &self.root)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

impl ObjectCatalog {
    /// The catalog below `prefix` of a store (empty for its root), after it was tried whether the store honours
    /// create-if-absent.
    ///
    /// # Errors
    /// `Unsupported` if the store writes over what is there; `Invalid` for a prefix that is no path; those
    /// of the store.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        clock: Arc<dyn Clock>,
        actor: Actor,
    ) -> Result<Self> {
        let catalog = Self::unprobed(store, prefix, clock, actor)?;
        let probe = catalog.root.clone().join("create-if-absent");
        for _ in 0..2 {
            match catalog.create(&probe, Vec::new()).await {
                Ok(()) => {}
                Err(object_store::Error::AlreadyExists { .. }) => return Ok(catalog),
                Err(error) => return Err(of_store(OPEN, probe.as_ref(), error)),
            }
        }
        let message = "the store writes over an object that is there when asked not to";
        Err(Error::new(ErrorKind::Unsupported, OPEN, message)
            .with("store", &catalog.store)
            .with_hint("use a store that honours `If-None-Match: *`, or a registry's catalog"))
    }

    /// [`ObjectCatalog::open`] without the trial.
    pub(crate) fn unprobed(
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        clock: Arc<dyn Clock>,
        actor: Actor,
    ) -> Result<Self> {
        let root = Path::parse(prefix.trim_matches('/')).map_err(|source| {
            Error::invalid(OPEN, "the prefix is no path of a store")
                .with("prefix", prefix)
                .with_source(source)
        })?;
        Ok(Self { store, root: root.join("catalog"), clock, actor, last: Arc::default() })
    }

    async fn create(&self, path: &Path, bytes: Vec<u8>) -> object_store::Result<()> {
        let options = PutOptions::from(PutMode::Create);
        self.store.put_opts(path, PutPayload::from(bytes), options).await.map(drop)
    }

    fn folder(&self, kind: &Key, name: &Key) -> Path {
        self.root.clone().join(part(kind)).join(part(name))
    }

    fn place(&self, kind: &Key, name: &Key, version: u64) -> Path {
        self.folder(kind, name).join(format!("{version:020}.json"))
    }

    fn known(&self, kind: &Key, name: &Key) -> Option<Document> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.get(&(kind.clone(), name.clone())).cloned()
    }

    fn remember(&self, document: &Document) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= REMEMBERED {
            last.clear();
        }
        let key = (document.kind.clone(), document.name.clone());
        if last.get(&key).is_none_or(|known| known.version < document.version) {
            last.insert(key, document.clone());
        }
    }

    /// A version, if it is there.
    async fn version(&self, kind: &Key, name: &Key, version: u64) -> Result<Option<Document>> {
        let path = self.place(kind, name, version);
        let failed = |error| of_store(READ, path.as_ref(), error);
        let got = match self.store.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            got => got.map_err(failed)?,
        };
        let text = got.bytes().await.map_err(failed)?;
        let wrong =
            || Error::corrupt(READ, "a document is not what was written").with("file", &path);
        let document: Document =
            serde_json::from_slice(&text).map_err(|source| wrong().with_source(source))?;
        let right = document.kind == *kind
            && document.name == *name
            && document.version == version
            && document.digest == Document::digest_of(document.body.as_ref());
        if right { Ok(Some(document)) } else { Err(wrong()) }
    }

    /// The last version, a deletion too.
    async fn latest(&self, kind: &Key, name: &Key) -> Result<Option<Document>> {
        let mut found = self.known(kind, name);
        // From the last known: steps that double while something is there, then halves.
        let (mut step, mut grows) = (1, true);
        loop {
            let at = found.as_ref().map_or(0, |document| document.version);
            match self.version(kind, name, at + step).await? {
                Some(document) => {
                    found = Some(document);
                    step = if grows { step * 2 } else { (step / 2).max(1) };
                }
                None if step == 1 => break,
                None => {
                    grows = false;
                    step /= 2;
                }
            }
        }
        if let Some(document) = &found {
            self.remember(document);
        }
        Ok(found)
    }
}

#[async_trait]
impl Catalog for ObjectCatalog {
    fn catalog_as(&self, actor: Actor) -> Arc<dyn Catalog> {
        Arc::new(Self { actor, ..self.clone() })
    }

    async fn document(&self, kind: &Key, name: &Key) -> Result<Option<Document>> {
        Ok(self.latest(kind, name).await?.filter(|document| document.body.is_some()))
    }

    async fn documents(&self, kind: &Key) -> Result<Vec<Document>> {
        let folder = self.root.clone().join(part(kind));
        let listed = self.store.list_with_delimiter(Some(&folder)).await;
        let listed = listed.map_err(|error| of_store(READ, folder.as_ref(), error))?;
        let mut documents = Vec::new();
        for name in listed.common_prefixes {
            // A folder's name may be a digest; its first version says whose it is.
            let first = name.clone().join(format!("{:020}.json", 1));
            let got = match self.store.get(&first).await {
                Err(object_store::Error::NotFound { .. }) => continue,
                got => got.map_err(|error| of_store(READ, first.as_ref(), error))?,
            };
            let text = got.bytes().await.map_err(|e| of_store(READ, first.as_ref(), e))?;
            let first: Document = serde_json::from_slice(&text).map_err(|source| {
                Error::corrupt(READ, "a document is not what was written")
                    .with("file", &first)
                    .with_source(source)
            })?;
            documents.extend(self.document(kind, &first.name).await?);
        }
        documents.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(documents)
    }

    async fn document_history(&self, kind: &Key, name: &Key) -> Result<Vec<Document>> {
        let folder = self.folder(kind, name);
        let listed: Vec<_> = self
            .store
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(|error| of_store(READ, folder.as_ref(), error))?;
        let versions: BTreeSet<u64> = listed
            .iter()
            .filter_map(|meta| meta.location.filename()?.strip_suffix(".json")?.parse().ok())
            .collect();
        let mut history = Vec::with_capacity(versions.len());
        for version in versions {
            history.extend(self.version(kind, name, version).await?);
        }
        Ok(history)
    }

    async fn put_document(&self, change: PutDocument) -> Result<Document> {
        change.check()?;
        let (kind, name) = (&change.kind, &change.name);
        for _ in 0..TRIES {
            let last = self.latest(kind, name).await?;
            let found = last.as_ref().map_or(0, |document| document.version);
            if let Some(expected) = change.expect.filter(|expected| *expected != found) {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    PUT,
                    "the document has another version",
                )
                .with("document", change.node())
                .with("expected", expected)
                .with("found", found)
                .with_hint("read it again, and decide again"));
            }
            if change.body.is_none() && last.is_none() {
                return Err(Error::not_found(PUT, "the document was never there")
                    .with("document", change.node()));
            }
            let (at, actor) = (self.clock.now(), self.actor.clone());
            let (kind, name, body) = (kind.clone(), name.clone(), change.body.clone());
            let next = Document::new(kind, name, found + 1, body, at, actor);
            if let Some(same) = last.filter(|there| there.digest == next.digest) {
                return Ok(same);
            }
            let path = self.place(&next.kind, &next.name, next.version);
            let text = serde_json::to_vec(&next).map_err(|source| {
                Error::new(ErrorKind::Internal, PUT, "the document cannot be written")
                    .with_source(source)
            })?;
            match self.create(&path, text).await {
                Ok(()) => {
                    self.remember(&next);
                    return Ok(next);
                }
                // Another writer was first: look again, and say so or go on.
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(of_store(PUT, path.as_ref(), error)),
            }
        }
        Err(Error::unavailable(PUT, "other writers were faster each time")
            .with("document", change.node())
            .with("tries", TRIES))
    }
}

/// A key as a folder's name: itself if every store and file system takes it so, and tells it from
/// others (capitals are not, on some disks), else its digest.
fn part(key: &Key) -> String {
    let text = key.as_str();
    let plain = text.len() <= PLAIN_NAME
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b));
    if plain { text.to_owned() } else { format!("~{}", blake3::hash(text.as_bytes()).to_hex()) }
}

#[cfg(test)]
mod tests;
