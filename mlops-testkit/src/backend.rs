//! A backend under test, and the named tests that are made of it.

use std::fmt;
use std::sync::Arc;

use futures::executor::block_on;
use libtest_mimic::{Completion, Trial};
use mlops_core::journal::Actor;
use mlops_core::time::ManualClock;
use mlops_registry::backends::memory::MemoryTracker;

use crate::build::{ACTOR, NOW};
use crate::{Case, Fixture, differential, search_differential, tracker_cases};

/// Why a backend cannot be tested here: its server is not installed, its variable is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent(pub String);

/// A fresh store, or why there is none.
pub type Opened = Result<Fixture, Absent>;

/// A backend under test.
#[derive(Debug, Clone, Copy)]
pub struct Backend {
    /// Stands before the name of each of its tests: `memory::…`.
    pub name: &'static str,
    /// Opens a fresh, empty store.
    pub open: fn() -> Opened,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The reference model as a backend under test.
pub fn memory() -> Opened {
    let clock = Arc::new(ManualClock::at_micros(NOW));
    let actor = Actor::new(ACTOR).unwrap();
    let memory = Arc::new(MemoryTracker::new(Arc::<ManualClock>::clone(&clock), actor));
    Ok(Fixture::new(
        Arc::<MemoryTracker>::clone(&memory),
        memory,
        clock,
    ))
}

/// Whether a backend that is absent fails: `MLOPS_TEST_STRICT=1` is set.
pub fn strict() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one variable of the test-suite, read here"
    )]
    std::env::var_os("MLOPS_TEST_STRICT").is_some_and(|value| value == "1")
}

/// One test for each case that the backend must pass, named `backend::case`.
///
/// If the backend is absent every case is reported as ignored with the reason, or fails when
/// [`strict`].
pub fn trials(backend: &Backend) -> Vec<Trial> {
    let capability = (backend.open)().map(|fixture| fixture.tracker.capability());
    let open = backend.open;
    let needed = tracker_cases().into_iter().filter(|case| {
        capability
            .as_ref()
            .map_or(true, |capability| (case.requires)(*capability))
    });
    let conform = move |case: Case| {
        trial(backend.name, case.name, open, move |fixture| {
            block_on((case.run)(fixture))
        })
    };
    needed.map(conform).collect()
}

/// Two tests of random calls, [`differential`] and [`search_differential`], with so many cases each.
pub fn random_trials(backend: &Backend, sequences: u32, searches: u32) -> Vec<Trial> {
    let open = backend.open;
    vec![
        trial(
            backend.name,
            "random_calls_end_as_in_the_model",
            open,
            move |_| {
                differential(open, sequences);
            },
        ),
        trial(
            backend.name,
            "random_searches_find_what_the_model_finds",
            open,
            move |_| {
                search_differential(open, searches);
            },
        ),
    ]
}

fn trial(
    backend: &str,
    name: &str,
    open: fn() -> Opened,
    run: impl FnOnce(Fixture) + Send + 'static,
) -> Trial {
    Trial::ignorable_test(format!("{backend}::{name}"), move || match open() {
        Ok(fixture) => {
            run(fixture);
            Ok(Completion::Completed)
        }
        Err(absent) if strict() => Err(format!("backend is absent: {absent}").into()),
        Err(absent) => Ok(Completion::ignored_with(absent)),
    })
}
