//! Every case against every backend, each as a test of its own; and the suite against itself.

use std::sync::Arc;

use libtest_mimic::Arguments;
use mlops_core::journal::Actor;
use mlops_core::time::ManualClock;
use mlops_registry::backends::sqlite::{SqliteOptions, SqliteStore};
use mlops_testkit::build::{ACTOR, NOW};
use mlops_testkit::{
    Absent, Backend, Fixture, Opened, SEARCHES, SEQUENCES, Store, memory, random_trials, saboteurs,
    trials,
};

const BACKENDS: &[Backend] =
    &[Backend { name: "memory", open: memory }, Backend { name: "sqlite", open: sqlite }];

fn main() {
    let mut tests = saboteurs::trials();
    for backend in BACKENDS {
        tests.extend(trials(backend));
        tests.extend(random_trials(backend, SEQUENCES, SEARCHES));
    }
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

/// A fresh file in a directory of its own.
fn sqlite() -> Opened {
    let directory = tempfile::tempdir().map_err(|error| Absent(error.to_string()))?;
    let clock = Arc::new(ManualClock::at_micros(NOW));
    let path = directory.path().join("mlops.db");
    let open = {
        let clock = Arc::clone(&clock);
        move || {
            let clock = Arc::<ManualClock>::clone(&clock);
            let actor = Actor::new(ACTOR).expect("a fixed name");
            let store = SqliteStore::open(&path, clock, actor, SqliteOptions::default());
            Store::of(Arc::new(store.expect("the store opens")))
        }
    };
    let mut fixture = Fixture::new(open(), clock);
    fixture.reopen = Some(Arc::new(open));
    fixture.keep = Arc::new(directory);
    Ok(fixture)
}
