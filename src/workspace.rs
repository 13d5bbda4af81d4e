//! [`Workspace`]: everything from one URL or directory.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "features")]
use mlops_core::features::OnlineStore;
use mlops_core::journal::Actor;
#[cfg(feature = "features")]
use mlops_core::registry::Catalog;
use mlops_core::time::{Clock, Instant, SystemClock};
use mlops_core::{BackendUrl, Error, ErrorKind, Result};
use mlops_registry::{Models, Recovered, Tracking, TrackingOptions};

/// Most bytes of models that are kept loaded, unless asked otherwise.
const MODEL_CACHE_BYTES: u64 = 4 << 30;

/// An opened workspace; clones are cheap and share it.
///
/// Derefs to [`Tracking`], so `ws.run("churn")` starts a run; [`Workspace::models`] is the model registry.
#[derive(Debug, Clone)]
pub struct Workspace {
    models: Models,
    directory: Option<PathBuf>,
    #[cfg(feature = "features")]
    clock: Arc<dyn Clock>,
    #[cfg(feature = "features")]
    online: Option<BackendUrl>,
    recovered: Arc<Recovered>,
}

impl Workspace {
    /// Opens the embedded workspace in a directory, and makes it if it is not there. Any number of
    /// processes may do so at the same instant.
    ///
    /// Runs whose process died are marked lost, and the points that it left are stored:
    /// [`Workspace::recovered`] says which.
    ///
    /// # Errors
    /// `Denied` if the directory may not be written; `Corrupt` if the database is damaged;
    /// `Unsupported` if it is of a newer version of this library.
    pub async fn open(directory: impl AsRef<Path>) -> Result<Self> {
        Self::builder(BackendUrl::directory(directory.as_ref())).open().await
    }

    /// Opens what a URL names: a path or `sqlite:` for the embedded store, `memory:` for a store that
    /// is gone with the process.
    ///
    /// # Errors
    /// As [`Workspace::open`]; `Unsupported` for a scheme that is not compiled in.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder(url.parse()?).open().await
    }

    /// A workspace to be opened in another way than the default.
    pub fn builder(url: BackendUrl) -> WorkspaceBuilder {
        WorkspaceBuilder {
            url,
            actor: None,
            clock: Arc::new(SystemClock),
            options: TrackingOptions::default(),
            max_bytes: None,
            model_cache_bytes: MODEL_CACHE_BYTES,
            #[cfg(feature = "features")]
            online: None,
        }
    }

    /// Models, versions and stages. What is loaded is kept in `cache/models` of an embedded workspace.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let ws = mlops::Workspace::connect("memory:").await?;
    /// let version = ws.models().register("churn")?.file("model.json", b"{}".to_vec())?.register().await?;
    /// assert_eq!(ws.models().resolve("models:/churn/latest").await?, version.id());
    /// # Ok::<_, mlops::Error>(()) }).unwrap();
    /// ```
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// The feature store: definitions in this workspace's catalog, rows in `features/` and the last ones for
    /// requests in `online/`, or where [`WorkspaceBuilder::online`] said. Opened anew by each call; keep it.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use mlops::features::{Definitions, FeatureStore};
    ///
    /// let ws = mlops::Workspace::connect("memory:").await?;
    /// let features = ws.features().await?;
    /// let plan = features.plan(&Definitions::from_yaml("
    /// entities: [{name: driver, keys: [{name: driver_id, type: int}]}]
    /// views: [{name: stats, entities: [driver], ttl: 7d, features: [{name: trips, type: int}]}]
    /// services: [{name: eta, views: [{view: stats}]}]
    /// ")?).await?;
    /// features.apply(&plan).await?;
    /// assert_eq!(features.registered().await?.services.len(), 1);
    /// # Ok::<_, mlops::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `Unsupported` for an online store whose feature is not compiled in; `Unavailable` if it does not
    /// answer; those of the directory.
    #[cfg(feature = "features")]
    pub async fn features(&self) -> Result<mlops_features::Features> {
        use mlops_features::Features;
        use mlops_features::offline::{MemoryOffline, SegmentStore};
        use mlops_features::online::{EmbeddedOnline, MemoryOnline};

        let clock = Arc::clone(&self.clock);
        let catalog = Arc::clone(self.models.catalog());
        let online: Option<Arc<dyn OnlineStore>> = match &self.online {
            Some(url) => Some(online_store(url, &*catalog).await?),
            None => None,
        };
        let features = if let Some(directory) = &self.directory {
            let files = Arc::new(mlops_registry::durable::DurableLocal::open(directory)?);
            let offline =
                SegmentStore::new(files, "features", Arc::clone(&catalog), Arc::clone(&clock))?;
            let online = match online {
                Some(online) => online,
                None => {
                    Arc::new(EmbeddedOnline::open(directory.join("online"), Arc::clone(&clock))?)
                }
            };
            Features::new(catalog, Arc::new(offline), online, clock)
        } else {
            let offline = Arc::new(MemoryOffline::new(Arc::clone(&clock)));
            let online = online.unwrap_or_else(|| Arc::new(MemoryOnline::new()));
            Features::new(catalog, offline, online, clock)
        };
        Ok(features.with_lineage(Arc::clone(self.models.lineage())))
    }

    /// The local directory of an embedded workspace.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Takes away what uploads that died left behind: objects that nothing names, and files that were not
    /// finished, both untouched since `older_than`. [`Tracking::orphans`] shows the objects first.
    ///
    /// # Errors
    /// As [`Tracking::sweep`].
    pub async fn sweep(&self, older_than: Instant) -> Result<Swept> {
        let objects = self.models.tracking().sweep(older_than).await?;
        let mut swept = Swept { objects: objects.objects, unfinished: 0, bytes: objects.bytes };
        if let Some(directory) = &self.directory {
            let store = mlops_registry::durable::DurableLocal::open(directory)?;
            let staged = store.sweep_staged(older_than).await?;
            swept.unfinished = staged.files;
            swept.bytes += staged.bytes;
        }
        Ok(swept)
    }

    /// What opening took up from processes that died.
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }
}

impl Deref for Workspace {
    type Target = Tracking;

    fn deref(&self) -> &Tracking {
        self.models.tracking()
    }
}

/// What a sweep took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// How many objects that nothing named.
    pub objects: u64,
    /// How many files that were not finished.
    pub unfinished: u64,
    /// How many bytes all of them held.
    pub bytes: u64,
}

/// How a workspace is opened.
#[derive(Debug, Clone)]
#[must_use = "a workspace is opened only when `open` is called"]
pub struct WorkspaceBuilder {
    url: BackendUrl,
    actor: Option<Actor>,
    clock: Arc<dyn Clock>,
    options: TrackingOptions,
    max_bytes: Option<u64>,
    model_cache_bytes: u64,
    #[cfg(feature = "features")]
    online: Option<BackendUrl>,
}

impl WorkspaceBuilder {
    /// Names who makes changes in the journal; `user@host` if not set.
    pub fn actor(mut self, actor: Actor) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how runs buffer and store their points.
    pub fn tracking(mut self, options: TrackingOptions) -> Self {
        self.options = options;
        self
    }

    /// Bounds the size of the embedded database.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Bounds the cache of loaded models; 4 GiB if not set. With 0 there is none, and each load brings
    /// the files from the store.
    pub fn model_cache_bytes(mut self, bytes: u64) -> Self {
        self.model_cache_bytes = bytes;
        self
    }

    /// Keeps what requests read in another online store: `redis://host:6379/0`.
    #[cfg(feature = "features")]
    pub fn online(mut self, url: BackendUrl) -> Self {
        self.online = Some(url);
        self
    }

    /// Opens it.
    ///
    /// # Errors
    /// As [`Workspace::open`].
    pub async fn open(self) -> Result<Workspace> {
        #[cfg(feature = "features")]
        let (clock, online) = (Arc::clone(&self.clock), self.online.clone());
        let (models, directory) = match self.url.scheme() {
            "memory" => {
                let models = Models::in_memory_at(self.clock)?.with_label("memory:");
                (self.actor.map_or_else(|| models.clone(), |actor| models.acting_as(actor)), None)
            }
            #[cfg(feature = "sqlite")]
            "sqlite" => {
                let path = self.url.path().unwrap_or(Path::new("mlops")).to_owned();
                (self.embedded(&path)?, Some(path))
            }
            other => {
                let known = if cfg!(feature = "sqlite") { "memory, sqlite" } else { "memory" };
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "workspace.open",
                    "no backend of this scheme is compiled in",
                )
                .with("scheme", other)
                .with("compiled_in", known)
                .with_hint("a plain path, or the feature `sqlite`, gives the embedded store"));
            }
        };
        let recovered = Arc::new(models.tracking().recover().await?);
        Ok(Workspace {
            models,
            directory,
            #[cfg(feature = "features")]
            clock,
            #[cfg(feature = "features")]
            online,
            recovered,
        })
    }

    #[cfg(feature = "sqlite")]
    fn embedded(self, directory: &Path) -> Result<Models> {
        use mlops_registry::ModelCache;
        use mlops_registry::backends::sqlite::{SqliteOptions, SqliteStore};
        use mlops_registry::blobs::Blobs;
        use mlops_registry::durable::DurableLocal;

        // Makes the directory; its errors name the path.
        let store = DurableLocal::open(directory)?;
        let mut options = SqliteOptions::default();
        if let Some(bytes) = self.max_bytes {
            options = options.with_max_bytes(bytes);
        }
        let actor = match self.actor {
            Some(actor) => actor,
            None => mlops_registry::default_actor()?,
        };
        let metadata = Arc::new(SqliteStore::open(
            directory.join("metadata.db"),
            Arc::clone(&self.clock),
            actor.clone(),
            options,
        )?);
        let tracking = Tracking::new(
            Arc::clone(&metadata) as _,
            Arc::clone(&metadata) as _,
            Blobs::new(Arc::new(store)),
            directory.join("spool"),
            self.clock,
            self.options,
        )?;
        // A copy says where it comes from: by a path that means the same from anywhere on this machine.
        let label = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let models = Models::new(
            Arc::clone(&metadata) as _,
            Arc::clone(&metadata) as _,
            metadata,
            tracking,
            actor,
        )
        .with_label(label.to_string_lossy());
        if self.model_cache_bytes == 0 {
            return Ok(models);
        }
        let cache = directory.join("cache").join("models");
        Ok(models.with_cache(ModelCache::open(cache, self.model_cache_bytes)?))
    }
}

/// The online store that a URL names, for the features of one catalog.
#[cfg(feature = "features")]
#[cfg_attr(not(feature = "redis"), expect(clippy::unused_async, reason = "to connect is to wait"))]
async fn online_store(url: &BackendUrl, catalog: &dyn Catalog) -> Result<Arc<dyn OnlineStore>> {
    match url.scheme() {
        #[cfg(feature = "redis")]
        "redis" | "rediss" => {
            use mlops_features::online::{RedisOnline, RedisOptions};

            let address = url.expose().map(ToString::to_string).unwrap_or_default();
            let options = RedisOptions::default().with_prefix(&online_prefix(catalog).await?);
            let store = RedisOnline::connect(&mlops_core::Secret::new(address), options).await?;
            Ok(Arc::new(store))
        }
        other => {
            // What only a store elsewhere asks for.
            let _ = catalog;
            Err(Error::new(
                ErrorKind::Unsupported,
                "workspace.features",
                "no online store of this scheme is compiled in",
            )
            .with("scheme", other)
            .with("compiled_in", if cfg!(feature = "redis") { "redis" } else { "none" })
            .with_hint(
                "the feature `redis` gives redis://; without a URL the embedded store is used",
            ))
        }
    }
}

/// What the keys of this catalog's features begin with in a store that others share: a word that is made
/// once and kept as a document, so that two workspaces on one server do not read each other's rows.
#[cfg(feature = "redis")]
async fn online_prefix(catalog: &dyn Catalog) -> Result<String> {
    use mlops_core::registry::PutDocument;
    use mlops_core::{Key, SpoolId};

    let (kind, name) = (Key::new("feature_online")?, Key::new("default")?);
    let word = |body: &serde_json::Value| body.get("prefix")?.as_str().map(str::to_owned);
    for _ in 0..2 {
        if let Some(prefix) = catalog.document(&kind, &name).await?.and_then(|d| word(&d.body?)) {
            return Ok(prefix);
        }
        let now = mlops_core::time::Clock::now_micros(&SystemClock);
        let id = SpoolId::generate(now).to_string();
        let body = serde_json::json!({ "prefix": format!("mlops-{}", &id[id.len() - 12..]) });
        let history = catalog.document_history(&kind, &name).await?;
        let seen = history.last().map_or(0, |last| last.version);
        let put = PutDocument::new(kind.clone(), name.clone(), body).expecting(seen);
        match catalog.put_document(put).await {
            Ok(_) => {}
            // Somebody else was first; theirs holds.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "workspace.features",
        "the store's prefix is not there yet",
    )
    .with_hint("try again"))
}
