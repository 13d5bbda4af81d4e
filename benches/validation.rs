//! What data validation costs, one JSON line a figure.
//!
//! ```text
//! cargo bench --bench validation [-- NAME …] [--rows N,N] [--rounds N] [--dir DIRECTORY] [--profile CASE]
//! ```
//!
//! A suite of twelve checks over a table of twelve columns, of which is known what is wrong with it: a
//! report that counts anything else stops the bench. `--dir` is where the files are (orders, customers,
//! and a text that says what is wrong), and stays; without it they are made in a directory that goes
//! again. CPU seconds are those of the whole process. The same figures of other validators, over the
//! same files: `benches/peers/validation`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints and may stop")]

#[path = "validation/alone.rs"]
mod alone;
#[path = "validation/data.rs"]
mod data;
#[path = "validation/files.rs"]
mod files;
mod harness;
#[path = "validation/memory.rs"]
mod memory;
#[path = "validation/peak.rs"]
mod peak;
#[path = "validation/profile.rs"]
mod profile;
#[path = "validation/rounds.rs"]
mod rounds;
#[path = "validation/small.rs"]
mod small;
#[path = "validation/suite.rs"]
mod suite;

use std::path::PathBuf;

/// How much is measured, and where.
#[derive(Debug, Clone)]
struct Sizes {
    /// Tables of so many rows.
    rows: Vec<u64>,
    /// Rounds of a figure.
    rounds: usize,
    /// Where the files are.
    dir: PathBuf,
}

impl Sizes {
    /// The smallest table, for what need not be large.
    fn few(&self) -> u64 {
        self.rows.iter().copied().min().unwrap()
    }
}

/// A bench and its name.
type Bench = (&'static str, fn(&Sizes));

fn main() {
    let mut sizes =
        Sizes { rows: vec![1_000_000, 10_000_000], rounds: 5, dir: std::env::temp_dir() };
    let (mut names, mut stays, mut case, mut alone) = (Vec::new(), None, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rows" => {
                let text = arguments.next().unwrap();
                sizes.rows = text.split(',').map(|rows| rows.parse().unwrap()).collect();
            }
            "--rounds" => sizes.rounds = arguments.next().unwrap().parse().unwrap(),
            "--dir" => stays = Some(PathBuf::from(arguments.next().unwrap())),
            // What `peak` starts this program again with.
            "--peak" => case = arguments.next(),
            "--profile" => alone = arguments.next(),
            // Cargo says so.
            "--bench" => {}
            _ => names.push(argument),
        }
    }
    let goes = stays.is_none().then(|| tempfile::tempdir().unwrap());
    sizes.dir = stays.unwrap_or_else(|| goes.as_ref().unwrap().path().to_owned());
    if let Some(case) = case {
        return peak::case(&case, &sizes);
    }
    if let Some(case) = alone {
        return profile::once(&case, &sizes);
    }
    let benches: [Bench; 8] = [
        ("data", data::files),
        ("memory", memory::memory),
        ("files", files::files),
        ("footers", files::footers),
        ("row", small::row),
        ("merge", small::merge),
        ("alone", alone::alone),
        ("peak", peak::peak),
    ];
    for (name, bench) in benches {
        if names.is_empty() || names.iter().any(|n| n == name) {
            bench(&sizes);
        }
    }
}
