//! The log of a table: which segments there are, in one immutable object a position, and one small
//! document of the catalog that says which of them is the last.
//!
//! **Commit.** Segments are durable first, then the manifest; then the document is changed by
//! compare-and-set, which is the only instant at which anything happens. A writer that is killed before
//! leaves objects that nothing names. **Tokens** of long ago move to pages of their own, so that a
//! manifest stays short however many there are.

use std::collections::HashSet;
use std::sync::Arc;

use mlops_core::features::{Appended, Manifest, Segment, TableId};
use mlops_core::registry::PutDocument;
use mlops_core::tracking::Digest;
use mlops_core::{Error, ErrorKind, Key, Result};
use serde::{Deserialize, Serialize};

use super::error::internal;
use super::layout::{folder, manifest_folder, position_of};
use super::store::SegmentStore;

/// The kind of the document that names the last manifest.
pub(super) const LOG_KIND: &str = "feature_log";
const FORMAT: u32 = 1;
/// Tokens that stand in the manifest; with more, they move to a page.
const TOKENS: usize = 256;
/// Pages of tokens that are kept: together at least 10,000 tokens.
const PAGES: usize = 40;

/// What is stored at a position.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Log {
    pub(super) format: u32,
    #[serde(flatten)]
    pub(super) manifest: Manifest,
    /// The manifest of the position before.
    #[serde(default)]
    pub(super) parent: Option<String>,
    /// Positions below were erased.
    #[serde(default)]
    pub(super) floor: u64,
    /// Files that readers of positions of before may still want.
    #[serde(default)]
    pub(super) replaced: Vec<Replaced>,
    /// Older tokens, the oldest first.
    #[serde(default)]
    pub(super) pages: Vec<String>,
}

/// A file whose rows are in another one now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Replaced {
    pub(super) path: String,
    /// When.
    pub(super) at: i64,
}

/// What the document says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    position: u64,
    manifest: String,
    digest: Digest,
}

/// A log as it was read, for the compare-and-set.
#[derive(Debug, Clone, Default)]
pub(super) struct Loaded {
    pub(super) log: Arc<Log>,
    /// The document's version.
    version: u64,
    path: Option<String>,
}

impl Log {
    pub(super) fn position(&self) -> u64 {
        self.manifest.position
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.manifest.segments
    }

    /// The files that are in use: segments, those kept for readers of positions of before, and pages of
    /// tokens.
    pub(super) fn named(&self) -> HashSet<&str> {
        let segments = self.segments().iter().map(|segment| segment.path.as_str());
        let replaced = self.replaced.iter().map(|replaced| replaced.path.as_str());
        segments.chain(replaced).chain(self.pages.iter().map(String::as_str)).collect()
    }

    /// Puts `made` in the place of `merged`, which follow one another; `false` if they are not there.
    pub(super) fn replace(&mut self, merged: &[Segment], made: Option<Segment>, now: i64) -> bool {
        let segments = &mut self.manifest.segments;
        let Some(first) = merged.first() else { return false };
        let Some(at) = segments.iter().position(|segment| segment.path == first.path) else {
            return false;
        };
        let Some(found) = segments.get(at..at + merged.len()) else { return false };
        if found.iter().zip(merged).any(|(a, b)| a.path != b.path) {
            return false;
        }
        let gone = segments.splice(at..at + merged.len(), made);
        self.replaced.extend(gone.map(|gone| Replaced { path: gone.path, at: now }));
        true
    }
}

impl SegmentStore {
    /// The log as it is now.
    ///
    /// # Errors
    /// `Corrupt` if a manifest is not what was written; `NotFound` if it is gone; `Unavailable`.
    pub(super) async fn load(&self, operation: &'static str, table: &TableId) -> Result<Loaded> {
        let Some((version, head)) = self.head(operation, table).await? else {
            return Ok(Loaded::default());
        };
        let path = Some(head.manifest.clone());
        if let Some((digest, log)) = self.cached(table)
            && digest == head.digest
        {
            return Ok(Loaded { log, version, path });
        }
        let log = Arc::new(self.read_log(operation, &head.manifest, Some(head.digest)).await?);
        self.cache(table, head.digest, &log);
        Ok(Loaded { log, version, path })
    }

    /// Stores the log as the next position of `base`; `None` if another writer was first.
    pub(super) async fn commit(
        &self,
        operation: &'static str,
        table: &TableId,
        base: &Loaded,
        mut log: Log,
    ) -> Result<Option<Arc<Log>>> {
        let position = base.log.position() + 1;
        log.format = FORMAT;
        log.manifest.position = position;
        log.parent.clone_from(&base.path);
        self.turn_page(operation, table, &mut log).await?;
        let text = serde_json::to_vec(&log).map_err(|e| internal(operation, e))?;
        let digest = Digest(*blake3::hash(&text).as_bytes());
        let folder = manifest_folder(table, position);
        let path = format!("{folder}/{position:012}-{:.16}.json", digest.to_string());
        self.put(operation, &path, text).await?;
        let head = Head { position, manifest: path.clone(), digest };
        let body = serde_json::to_value(&head).map_err(|e| internal(operation, e))?;
        let put = PutDocument::new(Key::new(LOG_KIND)?, Key::new(table.as_str())?, body);
        let put = self.catalog.put_document(put.expecting(base.version)).await;
        if let Err(error) = put {
            // Perhaps it was stored, and only the answer was lost.
            let now = self.load(operation, table).await?;
            let stored = if now.log.position() < position {
                None
            } else {
                // Who cannot tell must not try again: the rows would be there twice.
                Some(self.path_at(operation, table, &now, position).await?)
            };
            if stored.as_deref() != Some(path.as_str()) {
                if error.kind() != ErrorKind::Conflict {
                    return Err(error);
                }
                self.delete(operation, &path).await?;
                return Ok(None);
            }
        }
        let log = Arc::new(log);
        self.cache(table, digest, &log);
        Ok(Some(log))
    }

    /// What an append with this token returned, if there was one.
    pub(super) async fn used_token(
        &self,
        operation: &'static str,
        log: &Log,
        token: &Key,
    ) -> Result<Option<Appended>> {
        let find = |tokens: &[(Key, Appended)]| {
            tokens.iter().rev().find(|(known, _)| known == token).map(|(_, appended)| *appended)
        };
        if let Some(appended) = find(&log.manifest.tokens) {
            return Ok(Some(appended));
        }
        for path in log.pages.iter().rev() {
            let page = self.page(operation, path).await?;
            if let Some(appended) = find(&page) {
                return Ok(Some(appended));
            }
        }
        Ok(None)
    }

    /// Moves tokens to a page if there are many.
    async fn turn_page(
        &self,
        operation: &'static str,
        table: &TableId,
        log: &mut Log,
    ) -> Result<()> {
        if log.manifest.tokens.len() <= TOKENS {
            return Ok(());
        }
        let text = serde_json::to_vec(&log.manifest.tokens).map_err(|e| internal(operation, e))?;
        let digest = Digest(*blake3::hash(&text).as_bytes()).to_string();
        let position = log.manifest.position;
        let path = format!("{}/tokens/{position:012}-{digest:.16}.json", folder(table));
        self.put(operation, &path, text).await?;
        log.manifest.tokens.clear();
        log.pages.push(path);
        let old = log.pages.len().saturating_sub(PAGES);
        log.pages.drain(..old);
        Ok(())
    }

    async fn page(&self, operation: &'static str, path: &str) -> Result<Arc<Vec<(Key, Appended)>>> {
        if let Some(page) = self.cached_page(path) {
            return Ok(page);
        }
        let text = self.get(operation, path).await?;
        let page = serde_json::from_slice(&text).map_err(|source| {
            Error::corrupt(operation, "a page of tokens is not what was written")
                .with("file", path)
                .with_source(source)
        })?;
        let page = Arc::new(page);
        self.cache_page(path, &page);
        Ok(page)
    }

    async fn head(&self, operation: &'static str, table: &TableId) -> Result<Option<(u64, Head)>> {
        let (kind, name) = (Key::new(LOG_KIND)?, Key::new(table.as_str())?);
        let Some(document) = self.catalog.document(&kind, &name).await? else { return Ok(None) };
        let head = Head::deserialize(document.body.unwrap_or_default()).map_err(|source| {
            Error::corrupt(operation, "the document of the table's log is not understood")
                .with("table", table)
                .with_source(source)
        })?;
        Ok(Some((document.version, head)))
    }

    pub(super) async fn read_log(
        &self,
        operation: &'static str,
        path: &str,
        digest: Option<Digest>,
    ) -> Result<Log> {
        let text = self.get(operation, path).await?;
        let found = Digest(*blake3::hash(&text).as_bytes());
        let named = path.contains(&format!("-{:.16}.", found.to_string()));
        let corrupt =
            || Error::corrupt(operation, "a manifest is not what was written").with("file", path);
        if !named || digest.is_some_and(|digest| digest != found) {
            return Err(corrupt());
        }
        let log: Log = serde_json::from_slice(&text).map_err(|e| corrupt().with_source(e))?;
        if log.format > FORMAT {
            let message = "the manifest was written by a newer version";
            return Err(Error::new(ErrorKind::Unsupported, operation, message)
                .with("format", log.format)
                .with("file", path));
        }
        Ok(log)
    }

    /// The manifest that was committed at a position.
    ///
    /// Writers that lost a race leave theirs beside it. Which one it was the manifest of the next position
    /// says, which names its parent.
    pub(super) async fn path_at(
        &self,
        operation: &'static str,
        table: &TableId,
        now: &Loaded,
        position: u64,
    ) -> Result<String> {
        let missing = || {
            Error::not_found(operation, "the manifest of this position is gone")
                .with("table", table)
                .with("position", position)
        };
        let mut above = position;
        let mut path = loop {
            if above >= now.log.position() {
                break now.path.clone().ok_or_else(missing)?;
            }
            let folder = manifest_folder(table, above);
            let mut found = self.list(operation, &folder).await?;
            found.retain(|(path, _)| position_of(path) == Some(above));
            match found.len() {
                0 => return Err(missing()),
                1 => break found.remove(0).0,
                _ => above += 1,
            }
        };
        for _ in position..above {
            let log = self.read_log(operation, &path, None).await?;
            path = log.parent.ok_or_else(missing)?;
        }
        Ok(path)
    }
}
