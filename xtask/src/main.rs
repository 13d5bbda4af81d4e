//! The one test command of this workspace: `cargo xtask ci`.
//!
//! For whoever changes the code, and for `.ci/run`, which calls the same thing. Each [`Step`] is one
//! line of output with its time; cheap steps come first; a failing step shows what it has to say and
//! how to run it again, and the others still run, so that one run tells everything. The rules that
//! are ours and that no tool checks (who may depend on whom, which licences, where `unsafe` is
//! allowed) are in [`edges`].
//!
//! What it does not do: build releases, publish, or install anything but `python3-venv`.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command line program; this is its output")]

mod diagnostics;
mod edges;
mod process;
mod project;
mod report;
mod size;
mod steps;
mod system;
mod totals;

use std::process::ExitCode;

use project::Project;
use report::Report;
use steps::{STEPS, Step};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (steps, fast) = match chosen(&arguments) {
        Ok(chosen) => chosen,
        Err(Stop::Help) => {
            print!("{}", help());
            return ExitCode::SUCCESS;
        }
        Err(Stop::Unknown(word)) => {
            print!("no step is called `{word}`\n\n{}", help());
            return ExitCode::from(2);
        }
    };
    let mut report = Report::default();
    match Project::load(fast) {
        Ok(project) => {
            for step in &steps {
                report.run(step, &project);
            }
        }
        // Without the manifests nothing else can say anything useful.
        Err(problem) => report.unloadable(&problem),
    }
    if steps.len() > 1 || steps.iter().any(|step| ["test", "polars"].contains(&step.name)) {
        println!("{}", report.totals());
    }
    if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Why the arguments name no steps.
enum Stop {
    Help,
    Unknown(String),
}

/// The steps that the arguments name, in the order of the table, and whether to be fast.
fn chosen(arguments: &[String]) -> Result<(Vec<&'static Step>, bool), Stop> {
    let fast = arguments.iter().any(|word| word == "--fast");
    let names: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| *word != "--fast").collect();
    if names.is_empty() || names.iter().any(|word| ["--help", "-h", "help"].contains(word)) {
        return Err(Stop::Help);
    }
    let known = |word: &str| word == "ci" || STEPS.iter().any(|step| step.name == word);
    if let Some(word) = names.iter().find(|word| !known(word)) {
        return Err(Stop::Unknown((*word).to_owned()));
    }
    let all = names.contains(&"ci");
    let steps = STEPS
        .iter()
        .filter(|step| if all { !fast || step.fast } else { names.contains(&step.name) })
        .collect();
    Ok((steps, fast))
}

/// The text of `--help`, from the table of steps.
fn help() -> String {
    use std::fmt::Write as _;

    let mut text = String::from(
        "Checks this workspace; the last line is `N passed, N failed`.\n\n\
         Usage: cargo xtask ci [--fast]      every step below, in this order\n       \
         cargo xtask STEP...          only these\n\nSteps:\n",
    );
    for step in &STEPS {
        let fast = if step.fast { ' ' } else { '*' };
        let _ = writeln!(text, "  {:<9}{fast} {}", step.name, step.about);
    }
    text.push_str(
        "\n* left out by `ci --fast`, which also leaves out the doctests\n\n\
         Environment:\n  MLOPS_TEST_STRICT=0  a missing tool or backend is reported, not failed\n  \
         CARGO_TARGET_DIR     where to build; a step's whole output is in its xtask/STEP.log\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str]) -> Vec<&'static str> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        chosen(&words).ok().expect("known").0.iter().map(|step| step.name).collect()
    }

    #[test]
    fn ci_is_every_step() {
        assert_eq!(names(&["ci"]), STEPS.map(|step| step.name));
    }

    #[test]
    fn fast_leaves_out_what_is_marked() {
        assert_eq!(names(&["ci", "--fast"]), ["system", "fmt", "edges", "size", "lint", "test"]);
    }

    #[test]
    fn steps_run_in_the_order_of_the_table() {
        assert_eq!(names(&["lint", "fmt"]), ["fmt", "lint"]);
    }

    #[test]
    fn an_unknown_step_is_named() {
        let words = ["fmt".to_owned(), "lnit".to_owned()];
        assert!(matches!(chosen(&words), Err(Stop::Unknown(word)) if word == "lnit"));
    }

    #[test]
    fn help_names_every_step() {
        let text = help();
        assert!(STEPS.iter().all(|step| text.contains(step.name)));
    }
}
