//! The cases of the two halves of a feature store, for any backend of them.
//!
//! As the other cases they are written against the documentation of the traits. Each half has a fixture
//! of its own, so [`FeatureCase`] and [`FeatureBackend`] are of a fixture, and [`feature_trials`] makes
//! the tests of any of them.

pub mod offline;
mod online;
mod online_saboteurs;

use std::fmt::{self, Debug};

use futures::future::BoxFuture;
use libtest_mimic::{Completion, Trial};
use mlops_core::Capability;

use crate::{Absent, strict};

pub use online::{OnlineFixture, ReopenOnline, online_cases};
pub use online_saboteurs::{OnlineSaboteur, OnlineSin, online_saboteur_trials, online_saboteurs};

/// One sentence of a contract, and the code that proves it.
pub struct FeatureCase<F: 'static> {
    /// The sentence, as a Rust name.
    pub name: &'static str,
    /// Whether a backend of this capability must pass it.
    pub requires: fn(Capability) -> bool,
    /// Proves it on a fresh store, or panics.
    pub run: fn(F) -> BoxFuture<'static, ()>,
}

/// A backend under test.
pub struct FeatureBackend<F: 'static> {
    /// Stands before the name of each of its tests: `memory::…`.
    pub name: &'static str,
    /// Opens a fresh, empty store.
    pub open: fn() -> Result<F, Absent>,
    /// What it can do.
    pub capability: fn(&F) -> Capability,
    /// Runs a case to its end; [`run_here`] unless the backend needs a runtime.
    pub block_on: BlockOn,
}

/// Runs a future to its end.
pub type BlockOn = fn(BoxFuture<'static, ()>);

/// Runs a future on this thread, without a runtime.
pub fn run_here(future: BoxFuture<'static, ()>) {
    futures::executor::block_on(future);
}

impl<F> Clone for FeatureCase<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for FeatureCase<F> {}

impl<F> Debug for FeatureCase<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FeatureCase").field(&self.name).finish()
    }
}

impl<F> Debug for FeatureBackend<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FeatureBackend").field(&self.name).finish()
    }
}

/// One test for each case that the backend must pass, named `backend::case`.
///
/// If the backend is absent every case is reported as ignored with the reason, or fails when
/// [`strict`].
pub fn feature_trials<F: 'static>(
    backend: &FeatureBackend<F>,
    cases: &[FeatureCase<F>],
) -> Vec<Trial> {
    let capability = (backend.open)().map(|fixture| (backend.capability)(&fixture)).ok();
    let needed = |case: &&FeatureCase<F>| capability.is_none_or(|c| (case.requires)(c));
    let (strict, open, block_on) = (strict(), backend.open, backend.block_on);
    let trial = |case: &FeatureCase<F>| {
        let run = case.run;
        Trial::ignorable_test(format!("{}::{}", backend.name, case.name), move || match open() {
            Ok(fixture) => {
                block_on(run(fixture));
                Ok(Completion::Completed)
            }
            Err(absent) if strict => Err(format!("backend is absent: {absent}").into()),
            Err(absent) => Ok(Completion::ignored_with(absent)),
        })
    };
    cases.iter().filter(needed).map(trial).collect()
}

/// The cases of these functions, for every backend.
macro_rules! feature_cases {
    ($($name:ident),* $(,)?) => {
        vec![$($crate::features::FeatureCase {
            name: stringify!($name),
            requires: |_| true,
            run: |fixture| Box::pin($name(fixture)),
        }),*]
    };
}
pub(crate) use feature_cases;
