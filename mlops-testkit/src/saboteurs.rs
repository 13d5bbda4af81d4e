//! Backends that commit one sin each: the test of the test-suite.
//!
//! A case that no wrong backend fails proves nothing. Each [`Saboteur`] wraps the reference model,
//! breaks one sentence of the contract in the way that real systems break it, and names the cases
//! that must notice. It must fail exactly these: one less, and the suite is blind there; one more, and
//! a case tests something that its name does not say.

mod journal;
mod list;
mod misread;
mod registry;
mod registry_list;
mod tracker;

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Once};

use futures::executor::block_on;
use libtest_mimic::{Failed, Trial};

use self::journal::Forgetful;
use self::tracker::Sinner;
use crate::random::{REGISTRY_SEQUENCES, SEARCHES, SEQUENCES};
use crate::{Case, Opened, all_cases, memory, random};

pub use list::Sin;

/// All saboteurs.
pub fn saboteurs() -> impl Iterator<Item = &'static Saboteur> {
    list::OF_TRACKER.iter().chain(registry_list::OF_REGISTRY)
}

/// A wrong backend, and the cases that must notice.
#[derive(Debug, Clone, Copy)]
pub struct Saboteur {
    /// Its name: `saboteur::lost_update`.
    pub name: &'static str,
    /// What it does wrong.
    pub sin: Sin,
    /// The cases that name its sin; it fails these and passes all others.
    pub caught_by: &'static [&'static str],
    /// Cases of many threads, which notice it if the moment is right.
    pub sometimes: &'static [&'static str],
    /// Whether random calls or searches find it too, without anybody having thought of it. What they
    /// do not find needs a value or a token that they never make.
    pub found_at_random: bool,
}

/// Two tests for each saboteur: it fails the cases that name its sin, and no other; and random calls
/// find it, where they can.
pub fn trials() -> Vec<Trial> {
    let caught = |saboteur: &'static Saboteur| {
        Trial::test(format!("saboteur::{}", saboteur.name), || saboteur.is_caught())
    };
    let found = |saboteur: &'static Saboteur| {
        let name = format!("saboteur::{}_is_found_at_random", saboteur.name);
        Trial::test(name, || saboteur.is_found())
    };
    let can_be_found = saboteurs().filter(|saboteur| saboteur.found_at_random);
    saboteurs().map(caught).chain(can_be_found.map(found)).collect()
}

impl Saboteur {
    /// A fresh store that sins.
    ///
    /// # Errors
    /// None: the reference model is never absent.
    pub fn open(&self) -> Opened {
        let mut fixture = memory()?;
        registry::corrupt(self.sin, &mut fixture);
        let store = &mut fixture.store;
        store.tracker = Arc::new(Sinner::new(self.sin, Arc::clone(&store.tracker)));
        store.journal = Arc::new(Forgetful::new(self.sin, Arc::clone(&store.journal)));
        Ok(fixture)
    }

    /// Runs every case and compares those that fail with [`Saboteur::caught_by`].
    ///
    /// # Errors
    /// Which cases failed and should not have, and which should have and did not.
    pub fn is_caught(&self) -> Result<(), Failed> {
        let cases = all_cases();
        let mut wrong = Vec::new();
        for case in cases.iter().filter(|case| !self.sometimes.contains(&case.name)) {
            let expected = self.caught_by.contains(&case.name);
            match (self.passes(case)?, expected) {
                (true, true) => wrong.push(format!("not noticed by {}", case.name)),
                (false, false) => wrong.push(format!("also fails {}", case.name)),
                _ => {}
            }
        }
        let known = |name: &&&str| cases.iter().any(|case| case.name == **name);
        wrong.extend(
            self.caught_by
                .iter()
                .chain(self.sometimes)
                .filter(|name| !known(name))
                .map(|name| format!("no case {name}")),
        );
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
    }

    /// Compares it with the model over random calls and searches of what it sins in, the tracker or the
    /// registry, as many as a backend passes.
    ///
    /// # Errors
    /// If nothing differs.
    pub fn is_found(&self) -> Result<(), Failed> {
        let open = || self.open();
        let found = if registry_list::OF_REGISTRY.iter().any(|other| other.name == self.name) {
            random::registry::find(open, REGISTRY_SEQUENCES, false).is_err()
                || random::registry_searches::find(open, SEARCHES, false).is_err()
        } else {
            random::operations::find(open, SEQUENCES, false).is_err()
                || random::searches::find(open, SEARCHES, false).is_err()
        };
        if found { Ok(()) } else { Err("random calls and searches did not find it".into()) }
    }

    fn passes(&self, case: &Case) -> Result<bool, Failed> {
        let fixture = self.open().map_err(|absent| absent.to_string())?;
        if !(case.requires)(fixture.tracker.capability()) {
            return Ok(!self.caught_by.contains(&case.name));
        }
        Ok(quietly(|| block_on((case.run)(fixture))))
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Whether it runs without a panic; what it prints when it panics is not shown.
pub(crate) fn quietly(run: impl FnOnce()) -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    result.is_ok()
}
