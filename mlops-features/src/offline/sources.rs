//! Which store the URL of a foreign file is in.
//!
//! A plain path and a `file:` URL are local files. A store that the caller hands in for the beginning of a
//! URL comes before everything else, the longest beginning first.

use std::sync::Arc;

use futures::TryStreamExt;
use mlops_core::{Error, ErrorKind, Result};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use super::error::of_store;

/// The stores that a caller handed in.
#[derive(Debug, Clone, Default)]
pub(super) struct Stores(Vec<(String, Arc<dyn ObjectStore>)>);

/// A file or a folder in a store.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) path: Path,
    /// What the caller called it, without credentials.
    pub(super) url: String,
    is_folder: bool,
}

impl Stores {
    /// Uses `store` for every URL that begins with `prefix`; the rest of the URL is the path in it.
    pub(super) fn add(&mut self, prefix: String, store: Arc<dyn ObjectStore>) {
        self.0.retain(|(known, _)| *known != prefix);
        self.0.push((prefix, store));
        self.0.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    }

    /// The files that URLs stand for, in their order; those below a folder by name.
    ///
    /// # Errors
    /// `NotFound` for what is not there; `Invalid` for what is neither URL nor path; `Unsupported` for a
    /// scheme without a store.
    pub(super) async fn files(
        &self,
        operation: &'static str,
        urls: &[String],
    ) -> Result<Vec<Place>> {
        let mut files = Vec::with_capacity(urls.len());
        for url in urls {
            files.extend(self.place(operation, url)?.files(operation).await?);
        }
        Ok(files)
    }

    fn place(&self, operation: &'static str, url: &str) -> Result<Place> {
        let is_folder = url.ends_with('/') || url.ends_with(std::path::MAIN_SEPARATOR);
        let (store, path) = self.resolve(operation, url)?;
        Ok(Place { store, path, url: shown(url), is_folder })
    }

    fn resolve(&self, operation: &'static str, url: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
        for (prefix, store) in &self.0 {
            if let Some(rest) = url.strip_prefix(prefix.as_str()) {
                let path = Path::parse(rest.trim_matches('/')).map_err(|source| {
                    Error::invalid(operation, "the URL has no path of a store")
                        .with("file", shown(url))
                        .with_source(source)
                })?;
                return Ok((Arc::clone(store), path));
            }
        }
        // One letter before a colon is a drive, not a scheme.
        let scheme = url.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| {
            scheme.len() > 1
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        });
        if scheme.is_none() {
            return Ok((Arc::new(LocalFileSystem::new()), local_path(operation, url)?));
        }
        let parsed = Url::parse(url).map_err(|source| {
            Error::invalid(operation, "neither a URL nor a path")
                .with("file", shown(url))
                .with_source(source)
        })?;
        let (store, path) = object_store::parse_url(&parsed).map_err(|source| {
            let message = "the scheme is not compiled in";
            Error::new(ErrorKind::Unsupported, operation, message)
                .with("file", shown(url))
                .with_hint(
                    "paths and `file:` URLs are; for other stores hand one in with `with_store`",
                )
                .with_source(source)
        })?;
        Ok((Arc::from(store), path))
    }
}

impl Place {
    /// The files it stands for: itself, or those below a folder.
    ///
    /// Files whose name or a folder of which begins with `.` or `_` are left out of a folder: every
    /// engine that writes folders of files puts its own notes there.
    async fn files(self, operation: &'static str) -> Result<Vec<Self>> {
        let failed = |error| of_store(operation, &self.url, error);
        if !self.is_folder {
            self.store.head(&self.path).await.map_err(failed)?;
            return Ok(vec![self]);
        }
        let prefix = (!self.path.as_ref().is_empty()).then_some(&self.path);
        let mut found: Vec<_> = self.store.list(prefix).try_collect().await.map_err(failed)?;
        found.sort_by(|a, b| a.location.cmp(&b.location));
        let mut files = Vec::with_capacity(found.len());
        for meta in found {
            let Some(parts) = meta.location.prefix_match(&self.path) else { continue };
            let below: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
            if below.is_empty() || below.iter().any(|part| part.starts_with(['.', '_'])) {
                continue;
            }
            let (store, url) =
                (Arc::clone(&self.store), format!("{}{}", self.url, below.join("/")));
            files.push(Self { store, path: meta.location, url, is_folder: false });
        }
        if files.is_empty() {
            return Err(
                Error::not_found(operation, "the folder has no files").with("folder", &self.url)
            );
        }
        Ok(files)
    }
}

/// The path of a local file, which need not exist.
fn local_path(operation: &'static str, path: &str) -> Result<Path> {
    let invalid = || Error::invalid(operation, "no file can have this name").with("file", path);
    let absolute = std::path::absolute(path).map_err(|source| invalid().with_source(source))?;
    // `..` is resolved by the system, because of links; what is not there keeps its name.
    let absolute = absolute.canonicalize().unwrap_or(absolute);
    Path::from_absolute_path(&absolute).map_err(|source| invalid().with_source(source))
}

/// A URL without its credentials.
fn shown(url: &str) -> String {
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
