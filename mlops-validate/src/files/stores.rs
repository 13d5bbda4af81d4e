//! Which store a URL is in.
//!
//! A plain path and a `file:` URL are local files. A store that the caller hands in for the beginning
//! of a URL comes before everything else, the longest beginning first: so a bucket with its keys, or a
//! store in memory in a test, is used without this crate knowing it. What is left goes to
//! `object_store`, as far as it is compiled in.

use std::sync::Arc;

use futures::TryStreamExt;
use mlops_core::{Error, ErrorKind, Result};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use super::error::of_store;

/// The stores that a caller handed in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stores(Vec<(String, Arc<dyn ObjectStore>)>);

/// A file or a folder in a store.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    /// What the caller called it, without credentials.
    pub(crate) url: String,
    /// Whether it stands for the files below it.
    pub(crate) is_folder: bool,
}

impl Stores {
    /// Uses `store` for every URL that begins with `prefix`; the rest of the URL is the path in it.
    pub(crate) fn add(&mut self, prefix: String, store: Arc<dyn ObjectStore>) {
        self.0.retain(|(known, _)| *known != prefix);
        self.0.push((prefix, store));
        self.0.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    }

    /// Where a URL or path leads.
    ///
    /// # Errors
    /// `Invalid` for what is neither, `Unsupported` for a scheme that is not compiled in.
    pub(crate) fn place(&self, url: &str) -> Result<Place> {
        let is_folder = url.ends_with('/') || url.ends_with(std::path::MAIN_SEPARATOR);
        for (prefix, store) in &self.0 {
            if let Some(rest) = url.strip_prefix(prefix.as_str()) {
                let path = Path::parse(rest.trim_matches('/')).map_err(|source| {
                    Error::invalid("validate.files", "the URL has no path of a store")
                        .with("file", shown(url))
                        .with_source(source)
                })?;
                return Ok(Place { store: Arc::clone(store), path, url: shown(url), is_folder });
            }
        }
        let local = |path: Path| Place {
            store: Arc::new(LocalFileSystem::new()),
            path,
            url: shown(url),
            is_folder,
        };
        // One letter before a colon is a drive, not a scheme.
        let scheme = url.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| {
            scheme.len() > 1
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        });
        if scheme.is_none() {
            return local_path(url).map(local);
        }
        let parsed = Url::parse(url).map_err(|source| {
            Error::invalid("validate.files", "neither a URL nor a path")
                .with("file", shown(url))
                .with_source(source)
        })?;
        match object_store::parse_url(&parsed) {
            Ok((store, path)) => {
                Ok(Place { store: Arc::from(store), path, url: shown(url), is_folder })
            }
            Err(source) => Err(Error::new(
                ErrorKind::Unsupported,
                "validate.files",
                "the scheme is not compiled in",
            )
            .with("file", shown(url))
            .with_hint(
                "paths and `file:` URLs are; for other stores hand one in with \
                 `Engine::with_store`, or compile `object_store` with the feature of the scheme \
                 (`aws`, `gcp`, `azure`, `http`)",
            )
            .with_source(source)),
        }
    }
}

impl Place {
    /// The files it stands for, in the order of their names: itself, or those below a folder.
    ///
    /// Files whose name or a folder of which begins with `.` or `_` are left out of a folder: every
    /// engine that writes folders of files puts its own notes there.
    pub(crate) async fn files(&self) -> Result<Vec<(Self, Option<ObjectMeta>)>> {
        if !self.is_folder {
            return match self.store.head(&self.path).await {
                Ok(meta) => Ok(vec![(self.clone(), Some(meta))]),
                Err(object_store::Error::NotFound { .. }) => Ok(vec![(self.clone(), None)]),
                Err(error) => Err(of_store(&self.url, error)),
            };
        }
        let prefix = (!self.path.as_ref().is_empty()).then_some(&self.path);
        let listed = self.store.list(prefix).try_collect::<Vec<_>>().await;
        let mut found = listed.map_err(|error| of_store(&self.url, error))?;
        found.sort_by(|a, b| a.location.cmp(&b.location));
        let mut files = Vec::with_capacity(found.len());
        for meta in found {
            let below: Vec<String> = match meta.location.prefix_match(&self.path) {
                Some(parts) => parts.map(|part| part.as_ref().to_owned()).collect(),
                None => continue,
            };
            if below.is_empty() || below.iter().any(|part| part.starts_with(['.', '_'])) {
                continue;
            }
            let url = format!("{}{}", self.url, below.join("/"));
            let place = Self {
                store: Arc::clone(&self.store),
                path: meta.location.clone(),
                url,
                is_folder: false,
            };
            files.push((place, Some(meta)));
        }
        Ok(files)
    }
}

/// The path of a local file, which need not exist.
fn local_path(path: &str) -> Result<Path> {
    let invalid =
        || Error::invalid("validate.files", "no file can have this name").with("file", path);
    let absolute = std::path::absolute(path).map_err(|source| invalid().with_source(source))?;
    // `..` is resolved by the system, because of links; what is not there keeps its name.
    let absolute = absolute.canonicalize().unwrap_or(absolute);
    Path::from_absolute_path(&absolute).map_err(|source| invalid().with_source(source))
}

/// A URL without its credentials.
pub(crate) fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() || !parsed.username().is_empty() => {
            // A URL without a host has no credentials, and nothing fails here.
            let _ = parsed.set_password(None);
            let _ = parsed.set_username("");
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}
