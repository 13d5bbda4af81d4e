//! What the feature store costs, one JSON line a figure.
//!
//! ```text
//! cargo bench --bench features --features redis -- --dir DIRECTORY
//!     [NAME …] [--features N,N] [--entities N,N] [--redis URL] [--rounds N]
//! ```
//!
//! `--dir` is where the files of `benches/peers/features/gen.py` are; the same figures of other feature
//! stores, over the same files: `benches/peers/features`. Everything goes through a workspace, as a user's
//! program does, on one thread. CPU seconds are those of the whole process, and each figure is of a fresh
//! process, so that its peak of memory is its own; of several rounds the median is printed. An answer that is
//! not that of a brute-force join, or that adds up to something else than that of others, stops the bench.
//!
//! One case by itself, for a profiler; `--work` keeps the workspaces that cases need, `append:1000000` makes one:
//!
//! ```text
//! perf record BENCH --dir DIRECTORY --work DIRECTORY --case pit:own:1000000:1000000
//! ```

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints and may stop")]

#[path = "features/cases.rs"]
mod cases;
mod harness;
#[path = "features/line.rs"]
mod line;
#[path = "features/online.rs"]
mod online;
#[path = "features/oracle.rs"]
mod oracle;
#[path = "features/pit.rs"]
mod pit;
#[path = "features/store.rs"]
mod store;
#[path = "features/write.rs"]
mod write;

use std::path::PathBuf;

/// How much is measured, and where.
#[derive(Debug, Clone)]
struct Sizes {
    /// Feature tables of so many rows.
    features: Vec<u64>,
    /// So many rows ask them.
    entities: Vec<u64>,
    /// Where the files are.
    dir: PathBuf,
    /// Where workspaces are made.
    work: PathBuf,
    /// The Redis; without, it is not measured.
    redis: Option<String>,
    /// Processes of a figure.
    rounds: usize,
    /// Whether a case compares its answer with that of a brute-force join.
    verify: bool,
}

fn main() {
    let numbers = |text: String| text.split(',').map(|n| n.parse().unwrap()).collect();
    let mut sizes = Sizes {
        features: vec![1_000_000, 10_000_000],
        entities: vec![10_000, 1_000_000],
        dir: PathBuf::new(),
        work: PathBuf::new(),
        redis: None,
        rounds: 3,
        verify: false,
    };
    let (mut names, mut case, mut tested) = (Vec::new(), None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--features" => sizes.features = numbers(arguments.next().unwrap()),
            "--entities" => sizes.entities = numbers(arguments.next().unwrap()),
            "--dir" => sizes.dir = arguments.next().unwrap().into(),
            "--work" => sizes.work = arguments.next().unwrap().into(),
            "--redis" => sizes.redis = arguments.next(),
            "--rounds" => sizes.rounds = arguments.next().unwrap().parse().unwrap(),
            "--verify" => sizes.verify = true,
            // What `cases` starts this program again with.
            "--case" => case = arguments.next(),
            // Cargo says so.
            "--bench" => {}
            "--test" => tested = true,
            _ => names.push(argument),
        }
    }
    if let Some(case) = case {
        return cases::case(&case, &sizes);
    }
    // `cargo test --benches` runs this too, and has no files.
    if tested {
        return;
    }
    assert!(sizes.dir.is_dir(), "say where the files of benches/peers/features/gen.py are: --dir");
    let goes = tempfile::tempdir().unwrap();
    if sizes.work.as_os_str().is_empty() {
        goes.path().clone_into(&mut sizes.work);
    }
    cases::all(&names, &sizes);
}
