//! A backend under test, and the named tests that are made of it.

use std::fmt;
use std::sync::Arc;

use futures::executor::block_on;
use libtest_mimic::{Completion, Failed, Trial};
use mlops_core::journal::Actor;
use mlops_core::time::ManualClock;
use mlops_registry::backends::memory::MemoryStore;

use crate::build::{ACTOR, NOW};
use crate::{
    Case, Fixture, Store, all_cases, differential, registry_differential,
    registry_search_differential, search_differential,
};

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
    let memory = Arc::new(MemoryStore::new(Arc::<ManualClock>::clone(&clock), actor));
    Ok(Fixture::new(Store::of(memory), clock))
}

/// Whether a backend that is absent fails: `MLOPS_TEST_STRICT=1` is set.
pub fn strict() -> bool {
    #[expect(clippy::disallowed_methods, reason = "the one variable of the test-suite, read here")]
    std::env::var_os("MLOPS_TEST_STRICT").is_some_and(|value| value == "1")
}

/// One test for each case that the backend must pass, named `backend::case`.
///
/// If the backend is absent every case is reported as ignored with the reason, or fails when
/// [`strict`].
pub fn trials(backend: &Backend) -> Vec<Trial> {
    conformance(backend, strict())
}

/// Tests of random calls, [`differential`] and [`registry_differential`], and of random searches,
/// [`search_differential`] and [`registry_search_differential`], with so many cases each.
pub fn random_trials(backend: &Backend, sequences: u32, searches: u32) -> Vec<Trial> {
    let (open, strict) = (backend.open, strict());
    let calls = move |_| differential(open, sequences);
    let finds = move |_| search_differential(open, searches);
    let registers = move |_| registry_differential(open, sequences);
    let finds_models = move |_| registry_search_differential(open, searches);
    vec![
        trial(backend, "random_calls_end_as_in_the_model", strict, calls),
        trial(backend, "random_searches_find_what_the_model_finds", strict, finds),
        trial(backend, "random_calls_of_the_registry_end_as_in_the_model", strict, registers),
        trial(
            backend,
            "random_searches_of_the_registry_find_what_the_model_finds",
            strict,
            finds_models,
        ),
    ]
}

fn conformance(backend: &Backend, strict: bool) -> Vec<Trial> {
    let capability = (backend.open)().map(|fixture| fixture.tracker.capability()).ok();
    let needed = |case: &Case| capability.is_none_or(|capability| (case.requires)(capability));
    let conform = |case: Case| {
        trial(backend, case.name, strict, move |fixture| {
            block_on((case.run)(fixture));
        })
    };
    all_cases().into_iter().filter(needed).map(conform).collect()
}

fn trial(
    backend: &Backend,
    name: &str,
    strict: bool,
    run: impl FnOnce(Fixture) + Send + 'static,
) -> Trial {
    let open = backend.open;
    Trial::ignorable_test(format!("{}::{name}", backend.name), move || outcome(open(), strict, run))
}

fn outcome(opened: Opened, strict: bool, run: impl FnOnce(Fixture)) -> Result<Completion, Failed> {
    match opened {
        Ok(fixture) => {
            run(fixture);
            Ok(Completion::Completed)
        }
        Err(absent) if strict => Err(format!("backend is absent: {absent}").into()),
        Err(absent) => Ok(Completion::ignored_with(absent)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn absent() -> Opened {
        Err(Absent("no server on this machine".to_owned()))
    }

    #[test]
    fn an_absent_backend_is_ignored_with_the_reason_and_not_passed() {
        let outcome = outcome(absent(), false, |_| panic!("there is nothing to run on"));
        let Ok(Completion::Ignored { reason }) = outcome else {
            panic!("it was not ignored");
        };
        assert_eq!(reason.as_deref(), Some("no server on this machine"));
    }

    #[test]
    fn an_absent_backend_fails_when_strict() {
        let outcome = outcome(absent(), true, |_| panic!("there is nothing to run on"));
        let Err(failed) = outcome else {
            panic!("it did not fail");
        };
        let message = failed.message().unwrap_or_default();
        assert_eq!(message, "backend is absent: no server on this machine");
    }

    #[test]
    fn an_absent_backend_has_every_case_as_a_test() {
        let backend = Backend { name: "absent", open: absent };
        assert_eq!(conformance(&backend, false).len(), all_cases().len());
    }

    #[test]
    fn a_case_that_needs_more_than_the_backend_can_is_no_test_of_it() {
        let backend = Backend { name: "memory", open: memory };
        let tests = conformance(&backend, true);
        let durable = all_cases()
            .into_iter()
            .filter(|case| !(case.requires)(mlops_core::Capability::default()));
        assert_eq!(tests.len() + durable.count(), all_cases().len());
    }

    #[test]
    fn no_two_cases_have_one_name() {
        let names: BTreeSet<_> = all_cases().iter().map(|case| case.name).collect();
        assert_eq!(names.len(), all_cases().len());
    }
}
