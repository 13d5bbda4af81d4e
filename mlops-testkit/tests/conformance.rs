//! Every case against every backend, each as a test of its own; and the suite against itself.

use libtest_mimic::Arguments;
use mlops_testkit::{Backend, saboteurs, trials};

const BACKENDS: &[Backend] = &[Backend { name: "memory", open: mlops_testkit::memory }];

fn main() {
    let tests = BACKENDS.iter().flat_map(trials).chain(saboteurs::trials()).collect();
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}
