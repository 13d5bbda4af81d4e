//! A conformance case, and the store that it runs against.

use std::any::Any;
use std::fmt::{self, Debug};
use std::ops::Deref;
use std::sync::Arc;

use futures::future::BoxFuture;
use mlops_core::journal::Journal;
use mlops_core::lineage::Lineage;
use mlops_core::registry::{Catalog, Registry};
use mlops_core::time::ManualClock;
use mlops_core::tracking::Tracker;
use mlops_core::{Capability, Error, ErrorKind, Result};

/// Opens the same store anew: another process, as far as the contract goes.
pub type Reopen = Arc<dyn Fn() -> Store + Send + Sync>;

/// One store, by all its contracts.
#[derive(Debug, Clone)]
pub struct Store {
    /// As a tracker; its actor is [`build::ACTOR`](crate::build::ACTOR).
    pub tracker: Arc<dyn Tracker>,
    /// As a journal.
    pub journal: Arc<dyn Journal>,
    /// As a registry, of the same actor.
    pub registry: Arc<dyn Registry>,
    /// As a catalog, of the same actor.
    pub catalog: Arc<dyn Catalog>,
    /// As the graph of lineage.
    pub lineage: Arc<dyn Lineage>,
}

/// A fresh, empty store, and the clock that it reads.
#[derive(Clone)]
pub struct Fixture {
    /// The store; a fixture may be used as one.
    pub store: Store,
    /// The store's clock, at [`build::NOW`](crate::build::NOW). It stands unless a case moves it.
    pub clock: Arc<ManualClock>,
    /// Opens the store once more; there if its capability is `durable`.
    pub reopen: Option<Reopen>,
    /// What must live as long as the store: its directory, its server.
    pub keep: Arc<dyn Any + Send + Sync>,
}

/// One sentence of a contract, and the code that proves it.
#[derive(Clone, Copy)]
pub struct Case {
    /// The sentence, as a Rust name.
    pub name: &'static str,
    /// Whether a backend of this capability must pass it.
    pub requires: fn(Capability) -> bool,
    /// Proves it on a fresh store, or panics.
    pub run: fn(Fixture) -> BoxFuture<'static, ()>,
}

impl Store {
    /// A backend that keeps every contract by itself.
    pub fn of<S: Tracker + Journal + Registry + Catalog + Lineage>(store: Arc<S>) -> Self {
        Self {
            tracker: Arc::<S>::clone(&store),
            journal: Arc::<S>::clone(&store),
            registry: Arc::<S>::clone(&store),
            catalog: Arc::<S>::clone(&store),
            lineage: store,
        }
    }
}

impl Fixture {
    /// A store without a second opener and with nothing to keep alive.
    pub fn new(store: Store, clock: Arc<ManualClock>) -> Self {
        Self { store, clock, reopen: None, keep: Arc::new(()) }
    }

    /// How many rows the journal has.
    pub async fn rows(&self) -> usize {
        self.journal.events(0, usize::MAX >> 1).await.unwrap().len()
    }
}

impl Deref for Fixture {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("tracker", &self.tracker).finish_non_exhaustive()
    }
}

impl Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// Asserts that a call failed in this way, and returns its error.
#[track_caller]
pub fn fails<T: Debug>(kind: ErrorKind, result: Result<T>) -> Error {
    match result {
        Err(error) if error.kind() == kind => error,
        other => panic!("expected an error of kind `{kind}`, got {other:?}"),
    }
}

/// The cases of these functions, for every backend.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        vec![$($crate::case::Case {
            name: stringify!($name),
            requires: |_| true,
            run: |fixture| Box::pin($name(fixture)),
        }),*]
    };
}
pub(crate) use cases;
