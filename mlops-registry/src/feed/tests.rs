mod delivery;
mod subscribing;
mod watching;
#[cfg(feature = "webhooks")]
mod webhooks;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::executor::block_on;
use mlops_core::ExperimentName;
use mlops_core::journal::{Actor, Event, Journal, JournalProof};
use mlops_core::time::{Clock, ManualClock};
use mlops_core::tracking::{CreateExperiment, Tracker};
use mlops_core::{Error, ErrorKind, Key, Result, Secret};

use super::{Callback, Feed, FeedOptions, State, Subscription, Target};
use crate::backends::memory::MemoryStore;

/// 2030-01-01, in microseconds: within the validity of the certificates.
const NOW: i64 = 1_893_456_000_000_000;

/// A store in memory, whose journal can be told to forget to advance.
struct Fixture {
    clock: Arc<ManualClock>,
    store: MemoryStore,
    journal: Arc<Breakable>,
}

impl Fixture {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at_micros(NOW));
        let store = MemoryStore::new(clock.clone(), Actor::new("ann@laptop").unwrap());
        let journal =
            Arc::new(Breakable { inner: Arc::new(store.clone()), broken: AtomicBool::new(false) });
        Self { clock, store, journal }
    }

    fn feed_with(&self, options: FeedOptions) -> Feed {
        let (catalog, clock) = (Arc::new(self.store.clone()), self.clock.clone());
        Feed::with_options(self.journal.clone(), catalog, clock, Arc::new(secret), options)
    }

    /// A feed as another process would open it.
    fn feed(&self) -> Feed {
        self.feed_with(FeedOptions::default().with_store("team"))
    }

    /// Writes `experiment.create` rows.
    fn events(&self, names: &[&str]) {
        for name in names {
            let name = ExperimentName::new(name).unwrap();
            block_on(self.store.create_experiment(&name, CreateExperiment::default())).unwrap();
        }
    }

    fn secs(&self, secs: i64) {
        self.clock.advance_micros(secs * 1_000_000);
    }
}

/// Looks a secret up as a program would.
fn secret(name: &str) -> Option<Secret<String>> {
    (name == "HOOK").then(|| Secret::new("it's a secret".to_owned()))
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn experiments(to: Target) -> Subscription {
    Subscription::new(["experiment.create"], to).unwrap()
}

/// A callback that keeps the experiment's names, and fails while `broken`.
fn listener(broken: &Arc<AtomicBool>) -> (Arc<Mutex<Vec<String>>>, Callback) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (kept, broken) = (heard.clone(), broken.clone());
    let callback = move |event: &Event| {
        if broken.load(Ordering::SeqCst) {
            return Err(Error::unavailable("test", "not now"));
        }
        kept.lock().unwrap().push(event.payload["name"].as_str().unwrap().to_owned());
        Ok(())
    };
    (heard, Arc::new(callback))
}

/// One pass over a feed of one subscription: how many it took, and where it stands.
fn pass(feed: &Feed) -> (u64, State) {
    let mut delivered = block_on(feed.deliver_once()).unwrap().subscriptions;
    assert_eq!(delivered.len(), 1);
    let progress = delivered.remove(0);
    (progress.delivered, progress.state)
}

/// A journal of which `advance` can fail, as if the process died just before it.
#[derive(Debug)]
struct Breakable {
    inner: Arc<MemoryStore>,
    broken: AtomicBool,
}

#[async_trait]
impl Journal for Breakable {
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>> {
        self.inner.events(after, limit).await
    }

    async fn last(&self) -> Result<u64> {
        self.inner.last().await
    }

    async fn position(&self, reader: &Key) -> Result<u64> {
        self.inner.position(reader).await
    }

    async fn advance(&self, reader: &Key, from: u64, to: u64) -> Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "test", "the process died"));
        }
        self.inner.advance(reader, from, to).await
    }

    async fn seal(&self) -> Result<JournalProof> {
        self.inner.seal().await
    }

    async fn verify(&self) -> Result<JournalProof> {
        self.inner.verify().await
    }
}
