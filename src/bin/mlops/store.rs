//! Finding and opening the store that a command is about.

use mlops::journal::Actor;
use mlops::{BackendUrl, Error, ErrorKind, Workspace};
use serde_json::json;

use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::Output;

/// What the embedded store's database is called within its directory.
pub(crate) const DATABASE: &str = "metadata.db";

/// Which store, and who acts in it.
pub(crate) struct Store {
    /// A directory or URL.
    pub(crate) url: String,
    /// As the journal shall name them; `user@host`, if absent.
    pub(crate) actor: Option<String>,
    /// The online store of features, if it is not in this one.
    pub(crate) online: Option<String>,
}

impl Store {
    /// Another store for the same actor.
    pub(crate) fn at(&self, url: String) -> Self {
        Self { url, actor: self.actor.clone(), online: self.online.clone() }
    }
}

/// Opens a store that must be there.
pub(crate) async fn open(store: &Store, output: &mut Output) -> Result<Workspace, Failure> {
    let parsed: BackendUrl = store.url.parse()?;
    if parsed.scheme() == "sqlite" {
        let directory = parsed.path().unwrap_or_else(|| std::path::Path::new(&store.url));
        // An entry that cannot be looked at is left to the library, which says why.
        if matches!(directory.join(DATABASE).try_exists(), Ok(false)) {
            return Err(Error::not_found(COMMAND, format!("no store in {parsed}"))
                .with_hint("name one with --store or MLOPS_URL; a program that opens one makes it")
                .into());
        }
    }
    let workspace = create(store).await?;
    let found = workspace.recovered();
    if !found.lost.is_empty() || found.points > 0 {
        let text = format!(
            "note: taken up from processes that died: {} marked lost, {} stored",
            format::count(found.lost.len() as u64, "run"),
            format::count(found.points, "point"),
        );
        let json = json!({ "recovered": { "lost": found.lost, "points": found.points } });
        output.note(&text, Some(&json))?;
    }
    Ok(workspace)
}

/// Refuses to make a store among other people's files.
pub(crate) fn refuse_other_directory(url: &BackendUrl) -> Result<(), Failure> {
    let Some(directory) = url.path().filter(|_| url.scheme() == "sqlite") else { return Ok(()) };
    let is_store = !matches!(directory.join(DATABASE).try_exists(), Ok(false));
    // What cannot be looked at is left to the library, which says why.
    let is_empty = std::fs::read_dir(directory).map_or(true, |mut found| found.next().is_none());
    if is_store || is_empty {
        return Ok(());
    }
    Err(Error::invalid(COMMAND, "the directory is not empty, and no store")
        .with("store", url)
        .with_hint("name a store, or a new directory")
        .into())
}

/// Opens a store, and makes it if it is not there.
pub(crate) async fn create(store: &Store) -> Result<Workspace, Failure> {
    let url: BackendUrl = store.url.parse()?;
    let mut builder = Workspace::builder(url.clone());
    if let Some(actor) = &store.actor {
        builder = builder.actor(Actor::new(actor)?);
    }
    if let Some(online) = &store.online {
        builder = builder.online(online.parse()?);
    }
    builder.open().await.map_err(|e| match e.kind() {
        ErrorKind::Unsupported | ErrorKind::Invalid => Failure::from(e),
        _ => e.with("store", url).into(),
    })
}
