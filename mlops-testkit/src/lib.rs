//! Proof for backends: the conformance cases of each contract, as code that any backend can run.
//!
//! For whoever writes a backend or a wrapper. A backend gives a [`Backend`]: a name, and a function
//! that opens an empty store on a clock that the test holds. [`trials`] makes one named test of each
//! case that its `Capability` calls for:
//!
//! ```no_run
//! # fn open() -> mlops_testkit::Opened { unimplemented!() }
//! use mlops_testkit::{Backend, trials};
//!
//! let backend = Backend { name: "duck", open };
//! libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials(&backend)).exit();
//! ```
//!
//! A test-suite is believed when it has been seen to fail. So there are [`saboteurs`]: backends that
//! commit one sin each, such as losing an update or repeating a row across pages, and each must fail
//! exactly the cases that name its sin. And because cases are what somebody thought of,
//! [`differential`] and [`search_differential`], and for the registry [`registry_differential`] and
//! [`registry_search_differential`], run random calls and searches against a backend and against the
//! reference model, `MemoryStore`, and compare everything that can be seen.
//!
//! A backend whose server is absent is reported as ignored, with the reason; with
//! `MLOPS_TEST_STRICT=1` in the environment it fails, so that a green run means what it says.
//!
//! What it does not do: measure speed, kill processes, or cut the power. Those tests need a real
//! backend in a process of its own, and live beside it.

#![forbid(unsafe_code)]
// Assertions are what this crate is for.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod backend;
pub mod build;
pub mod case;
pub mod features;
mod random;
pub mod redis;
pub mod registry;
pub mod saboteurs;
pub mod tracker;

pub use backend::{Absent, Backend, Opened, memory, random_trials, strict, trials};
pub use case::{Case, Fixture, Store};
pub use random::operations::differential;
pub use random::registry::registry_differential;
pub use random::registry_searches::registry_search_differential;
pub use random::searches::search_differential;
pub use random::{REGISTRY_SEQUENCES, SEARCHES, SEQUENCES};
pub use registry::registry_cases;
pub use tracker::tracker_cases;

/// Every case that there is.
pub fn all_cases() -> Vec<Case> {
    [tracker_cases(), registry_cases()].concat()
}
