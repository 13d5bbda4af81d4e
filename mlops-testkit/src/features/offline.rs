//! Proof for offline stores: an oracle, the rules of the point-in-time join as cases, one case for each
//! clause of the contract, random histories, and stores that sin.
//!
//! For whoever writes an [`OfflineStore`] or a join. A backend gives an [`OfflineBackend`]: a name, and a
//! function that opens an empty store on a clock that the test holds, with a way to write Parquet
//! files that its tables of files can read. [`offline_trials`] makes one named test of each case.
//!
//! The non-obvious decision: the rules stand three times, each time in other words. As numbers that
//! were worked out by hand ([`tricky`]); as the twenty lines of [`oracle`], which look at every row for every
//! ask; and as the store under test. The first two are held against each other here, and random
//! histories over tiny domains, where ties and boundaries are met all the time, hold the third to
//! the second.

mod appends;
mod before;
pub mod build;
mod changes;
mod dice;
mod differential;
mod oracle;
mod reads;
pub mod saboteurs;
mod sinner;
pub mod tricky;

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use futures::executor::block_on;
use futures::future::BoxFuture;
use libtest_mimic::{Completion, Trial};
use mlops_core::arrow::array::RecordBatch;
use mlops_core::features::OfflineStore;
use mlops_core::time::ManualClock;

pub use self::differential::{OFFLINE_ANSWERS, offline_differential};
pub use self::oracle::{Answer, Ask, Part, Row, oracle};
use crate::{Absent, strict};

/// Writes these batches as a Parquet file of this name, and returns its URL or path.
pub type WriteFile = Arc<dyn Fn(&str, &[RecordBatch]) -> String + Send + Sync>;

/// Opens the same store anew: another process, as far as the contract goes.
pub type ReopenOffline = Arc<dyn Fn() -> Arc<dyn OfflineStore> + Send + Sync>;

/// A fresh, empty offline store, and what tests need beside it.
#[derive(Clone)]
pub struct OfflineFixture {
    /// The store.
    pub store: Arc<dyn OfflineStore>,
    /// The store's clock, at [`NOW`](crate::build::NOW). It stands unless a case moves it.
    pub clock: Arc<ManualClock>,
    /// Writes Parquet files for tables of files.
    pub write: WriteFile,
    /// Opens the store once more; there if it outlives its process.
    pub reopen: Option<ReopenOffline>,
    /// What must live as long as the store: its directory.
    pub keep: Arc<dyn Any + Send + Sync>,
}

/// A fresh offline store, or why there is none.
pub type OfflineOpened = Result<OfflineFixture, Absent>;

/// An offline store under test.
#[derive(Debug, Clone, Copy)]
pub struct OfflineBackend {
    /// Stands before the name of each of its tests: `segments::…`.
    pub name: &'static str,
    /// Opens a fresh, empty store.
    pub open: fn() -> OfflineOpened,
}

/// What a case does with a fresh store; it panics if the store is wrong.
pub type RunOffline = Arc<dyn Fn(OfflineFixture) -> BoxFuture<'static, ()> + Send + Sync>;

/// One sentence of the contract or one rule of the join, and the code that proves it.
#[derive(Clone)]
pub struct OfflineCase {
    /// The sentence, as a Rust name.
    pub name: String,
    /// Proves it on a fresh store, or panics.
    pub run: RunOffline,
}

impl Debug for OfflineFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfflineFixture").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Debug for OfflineCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OfflineCase").field(&self.name).finish()
    }
}

/// Every case for offline stores: the rules, over rows that were appended and over files, and the
/// clauses of the contract.
pub fn offline_cases() -> Vec<OfflineCase> {
    [tricky::cases(), appends::cases(), reads::cases(), before::cases(), changes::cases()].concat()
}

/// One test for each case, named `backend::case`, and one of random histories that come to so many
/// `answers`. A backend that is absent is ignored with the reason, or fails when [`strict`].
pub fn offline_trials(backend: &OfflineBackend, answers: usize) -> Vec<Trial> {
    let open = backend.open;
    let named = |case: OfflineCase| {
        trial(backend, &case.name, move |fixture| block_on((case.run)(fixture)))
    };
    let mut trials: Vec<_> = offline_cases().into_iter().map(named).collect();
    trials.push(trial(backend, "random_histories_are_answered_as_by_the_oracle", move |_| {
        offline_differential(open, answers);
    }));
    trials
}

fn trial(
    backend: &OfflineBackend,
    name: &str,
    run: impl FnOnce(OfflineFixture) + Send + 'static,
) -> Trial {
    let open = backend.open;
    Trial::ignorable_test(format!("{}::{name}", backend.name), move || match open() {
        Ok(fixture) => {
            run(fixture);
            Ok(Completion::Completed)
        }
        Err(absent) if strict() => Err(format!("backend is absent: {absent}").into()),
        Err(absent) => Ok(Completion::ignored_with(absent)),
    })
}

/// The cases of these functions.
macro_rules! offline_cases_of {
    ($($name:ident),* $(,)?) => {
        vec![$($crate::features::offline::OfflineCase {
            name: stringify!($name).to_owned(),
            run: std::sync::Arc::new(|fixture| Box::pin($name(fixture))),
        }),*]
    };
}
pub(crate) use offline_cases_of;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_cases_have_one_name() {
        let names: BTreeSet<_> = offline_cases().into_iter().map(|case| case.name).collect();
        assert_eq!(names.len(), offline_cases().len());
    }
}
