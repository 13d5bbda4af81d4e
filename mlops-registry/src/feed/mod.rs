//! The feed: every change of the store, told to those who asked for it.
//!
//! A [`Subscription`] says which events go where: to a webhook (signed, see `feed::sign`), to a
//! program, or to a function of this one. It is a document of the catalog, so whoever opens the
//! store sees it, and its changes are journaled.
//!
//! **The journal is the outbox.** A change and its event are one transaction, so no event is
//! missing; how far a subscription has come is kept in the store, and moves only after the
//! delivery. A process that dies in between delivers again: *at least once*, in the journal's
//! order, to each subscription by itself. Receivers know what they had before by the message's
//! `id`. Two processes may run the feed of one store: then some events come twice, none is lost.
//!
//! What is not taken is tried again, with waits that double; an event that is never taken is parked
//! after some attempts ([`Undelivered`]), written down before the next one is tried. Attempts are
//! counted by the [`Feed`] in memory: a process that makes one pass and ends never gives up, and a
//! person passes over what blocks it with [`Feed::skip`].
//!
//! ```
//! # futures::executor::block_on(async {
//! # use std::sync::{Arc, Mutex};
//! # use mlops_core::journal::Actor;
//! # use mlops_core::time::SystemClock;
//! # use mlops_core::tracking::{CreateExperiment, Tracker};
//! # use mlops_core::{ExperimentName, Key};
//! # use mlops_registry::backends::memory::MemoryStore;
//! # use mlops_registry::feed::{Feed, Subscription, Target};
//! # let clock = Arc::new(SystemClock);
//! # let store = MemoryStore::new(clock.clone(), Actor::new("ann@laptop")?);
//! let feed = Feed::new(Arc::new(store.clone()), Arc::new(store.clone()), clock, Arc::new(|_| None));
//! let heard = Arc::new(Mutex::new(Vec::new()));
//! let listener = heard.clone();
//! let experiments = Subscription::new(["experiment.*"], Target::Callback)?;
//! feed.on(&Key::new("listener")?, experiments, Arc::new(move |event| {
//!     listener.lock().unwrap().push(event.operation.clone());
//!     Ok(())
//! }))
//! .await?;
//!
//! store.create_experiment(&ExperimentName::new("churn")?, CreateExperiment::default()).await?;
//! let pass = feed.deliver_once().await?;
//! assert_eq!(pass.delivered(), 1);
//! assert_eq!(*heard.lock().unwrap(), ["experiment.create"]);
//! # Ok::<_, mlops_core::Error>(()) }).unwrap();
//! ```
//!
//! What it does not do: deliver each event exactly once (nobody can), keep an order between
//! subscriptions, send batches, or count attempts across restarts. One pass goes from subscription
//! to subscription, so a receiver that is slow to answer delays the others by its timeout.

mod address;
mod attempt;
mod command;
mod dead_letter;
#[cfg(feature = "webhooks")]
mod http;
mod message;
mod options;
mod pass;
mod pattern;
#[cfg(feature = "webhooks")]
pub mod sign;
mod skip;
mod subscription;
mod watch;
mod webhook;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use mlops_core::journal::{Event, Journal};
use mlops_core::registry::{Catalog, Document, PutDocument};
use mlops_core::time::{Clock, Instant};
use mlops_core::{Error, ErrorKind, Key, Result, Secret};

use self::subscription::check_name;
use self::webhook::Sender;

pub use self::dead_letter::{UNDELIVERED_KIND, Undelivered};
pub use self::message::MAX_PAYLOAD_BYTES;
pub use self::options::FeedOptions;
pub use self::pass::{Delivered, Progress, State};
pub use self::pattern::{EventPattern, OPERATIONS};
pub use self::subscription::{
    Command, MAX_SUBSCRIPTION_BYTES, SUBSCRIPTION_KIND, Start, Subscribed, Subscription, Target,
    Webhook,
};
pub use self::watch::FeedHandle;

/// Finds a secret by the name that a subscription gives: in a variable, a file, a vault.
pub type Secrets = Arc<dyn Fn(&str) -> Option<Secret<String>> + Send + Sync>;

/// Told of an event; an error makes it come again later.
pub type Callback = Arc<dyn Fn(&Event) -> Result<()> + Send + Sync>;

/// The subscriptions of one store, and their deliveries. Clones are cheap and share their state.
#[derive(Clone)]
pub struct Feed(Arc<Parts>);

struct Parts {
    journal: Arc<dyn Journal>,
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    secrets: Secrets,
    options: Arc<FeedOptions>,
    sender: Sender,
    callbacks: Mutex<BTreeMap<Key, Callback>>,
    waits: Mutex<BTreeMap<Key, Wait>>,
    /// The store's name once it is known.
    store: OnceLock<String>,
}

/// The event that a subscription is stuck at.
#[derive(Debug, Clone)]
struct Wait {
    /// The version of the subscription's document: a corrected one is tried at once.
    version: u64,
    sequence: u64,
    attempts: u32,
    until: Instant,
    error: String,
}

impl Parts {
    fn callback(&self, name: &Key) -> Option<Callback> {
        lock(&self.callbacks).get(name).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// The feed of a store, with [`FeedOptions::default`]; the catalog's actor is who subscribes.
    pub fn new(
        journal: Arc<dyn Journal>,
        catalog: Arc<dyn Catalog>,
        clock: Arc<dyn Clock>,
        secrets: Secrets,
    ) -> Self {
        Self::with_options(journal, catalog, clock, secrets, FeedOptions::default())
    }

    /// As [`Feed::new`], with other options.
    pub fn with_options(
        journal: Arc<dyn Journal>,
        catalog: Arc<dyn Catalog>,
        clock: Arc<dyn Clock>,
        secrets: Secrets,
        options: FeedOptions,
    ) -> Self {
        let sender = Sender::new(&options, Arc::clone(&clock));
        Self(Arc::new(Parts {
            journal,
            catalog,
            clock,
            secrets,
            options: Arc::new(options),
            sender,
            callbacks: Mutex::default(),
            waits: Mutex::default(),
            store: OnceLock::new(),
        }))
    }

    /// Stores a subscription, or changes the one of this name, which then goes on from where it is.
    /// One that was deleted and comes back starts anew. What is there already stays as it is, so
    /// several processes may store the same one at the same moment.
    ///
    /// # Errors
    /// `Invalid` as [`Subscription::check`], or for a name above [`MAX_SUBSCRIPTION_BYTES`];
    /// `Conflict` if somebody else stored another one at the same moment.
    pub async fn subscribe(&self, name: &Key, subscription: Subscription) -> Result<Subscribed> {
        check_name(name)?;
        subscription.check()?;
        let kind = kind(SUBSCRIPTION_KIND)?;
        let history = self.0.catalog.document_history(&kind, name).await?;
        let version = history.last().map_or(0, |document| document.version);
        let there = history.last().filter(|document| document.body.is_some());
        let there = there.and_then(|document| Subscribed::read(document).ok());
        let after = match &there {
            Some(there) => there.after,
            None if subscription.from == Start::Now => self.0.journal.last().await?,
            None => 0,
        };
        if let Some(there) = there.filter(|there| there.subscription == subscription) {
            return Ok(there);
        }
        // Where it begins is part of the document: who stores it first decides both.
        let body = Subscribed::body(&subscription, after)?;
        let change = PutDocument::new(kind.clone(), name.clone(), body).expecting(version);
        match self.0.catalog.put_document(change).await {
            Ok(stored) => {
                Ok(Subscribed { name: name.clone(), version: stored.version, subscription, after })
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let winner = self.0.catalog.document(&kind, name).await?;
                let winner = winner.and_then(|document| Subscribed::read(&document).ok());
                winner.filter(|winner| winner.subscription == subscription).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes a subscription. What was parked for it stays written down.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn unsubscribe(&self, name: &Key) -> Result<()> {
        let kind = kind(SUBSCRIPTION_KIND)?;
        if self.0.catalog.document(&kind, name).await?.is_none() {
            return Err(Error::not_found("feed.unsubscribe", "no subscription has this name")
                .with("name", name));
        }
        self.0.catalog.put_document(PutDocument::delete(kind, name.clone())).await?;
        lock(&self.0.callbacks).remove(name);
        lock(&self.0.waits).remove(name);
        Ok(())
    }

    /// All subscriptions, by name.
    ///
    /// # Errors
    /// `Invalid` for a document that is none, naming it; [`deliver_once`](Self::deliver_once) goes
    /// on.
    pub async fn subscriptions(&self) -> Result<Vec<Subscribed>> {
        self.documents().await?.iter().map(Subscribed::read).collect()
    }

    /// Subscribes this program: `subscription` says that it is [`Target::Callback`], and `callback`
    /// is called for its events wherever this feed delivers.
    ///
    /// A program does this at each start, under the same name; what happened while it was away it
    /// hears then. Other programs that run the feed pass over the subscription.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe); `Invalid` if the subscription goes elsewhere.
    pub async fn on(
        &self,
        name: &Key,
        subscription: Subscription,
        callback: Callback,
    ) -> Result<Subscribed> {
        if subscription.to != Target::Callback {
            return Err(Error::invalid("feed.on", "the subscription does not go to a callback")
                .with("name", name));
        }
        let subscribed = self.subscribe(name, subscription).await?;
        lock(&self.0.callbacks).insert(name.clone(), callback);
        Ok(subscribed)
    }

    /// What was given up and not delivered since, by name of the document.
    ///
    /// # Errors
    /// `Corrupt` for a document that is none.
    pub async fn undelivered(&self) -> Result<Vec<Undelivered>> {
        let parked = self.0.catalog.documents(&kind(UNDELIVERED_KIND)?).await?;
        parked.iter().map(Undelivered::read).collect()
    }

    /// What the store is called in messages.
    async fn store(&self) -> Result<&str> {
        if let Some(store) =
            self.0.options.store.as_deref().or(self.0.store.get().map(String::as_str))
        {
            return Ok(store);
        }
        let first = self.0.journal.events(0, 1).await?;
        let first = first.first().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "feed.deliver", "a journal without rows has no name")
        })?;
        Ok(self.0.store.get_or_init(|| message::store_name(first)))
    }

    async fn documents(&self) -> Result<Vec<Document>> {
        self.0.catalog.documents(&kind(SUBSCRIPTION_KIND)?).await
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("journal", &self.0.journal)
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

fn kind(text: &str) -> Result<Key> {
    Key::new(text)
}

/// Under which name a subscription reads the journal. `born` is the version with which its document
/// came, or came back: a reader cannot go back, so one that starts anew has a new name.
fn reader(name: &Key, born: u64) -> Result<Key> {
    Key::new(format!("feed/{name}#{born}"))
}
