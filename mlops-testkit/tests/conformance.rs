//! Every case against every backend, each as a test of its own; and the suite against itself.

use libtest_mimic::Arguments;
use mlops_testkit::{Backend, random_trials, saboteurs, trials};

const BACKENDS: &[Backend] = &[Backend { name: "memory", open: mlops_testkit::memory }];

/// How many random sequences of calls, and random searches, each backend is compared over.
const SEQUENCES: u32 = 200;
const SEARCHES: u32 = 1_000;

fn main() {
    let mut tests = saboteurs::trials();
    for backend in BACKENDS {
        tests.extend(trials(backend));
        tests.extend(random_trials(backend, SEQUENCES, SEARCHES));
    }
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}
