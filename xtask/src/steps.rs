//! The steps of `cargo xtask ci`, cheap ones first.

use std::io;
use std::process::Command;

use crate::diagnostics::Diagnostics;
use crate::process::{self, Finished, cargo};
use crate::project::Project;
use crate::report::{Outcome, counted};
use crate::totals::Totals;
use crate::{edges, size, system};

/// The crate that has a step of its own: its dependencies take longer than all the rest, so that they
/// are compiled once, and not where somebody waits.
const APART: &str = "mlops-polars";

/// So much is shown of what a failing test printed.
const FIRST: usize = 15;
const LAST: usize = 30;

/// One check, which can also be called alone.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Part of `ci --fast`.
    pub(crate) fast: bool,
    pub(crate) run: fn(&Project) -> Outcome,
}

/// Every step, in the order of `ci`.
pub(crate) const STEPS: [Step; 10] = [
    Step {
        name: "system",
        about: "the programs that the tests call",
        fast: true,
        run: system::run,
    },
    Step { name: "fmt", about: "cargo fmt --all --check", fast: true, run: fmt },
    Step {
        name: "edges",
        about: "who depends on whom, versions, licences, what must not be in a source file",
        fast: true,
        run: edges::run,
    },
    Step {
        name: "size",
        about: "crates that a user compiles, and the budget",
        fast: true,
        run: size::run,
    },
    Step { name: "lint", about: "cargo clippy --workspace --all-targets", fast: true, run: lint },
    Step {
        name: "alone",
        about: "each crate compiles by itself, without and with its default features",
        fast: false,
        run: alone,
    },
    Step {
        name: "test",
        about: "cargo test --workspace, doctests included",
        fast: true,
        run: test,
    },
    Step {
        name: "polars",
        about: "mlops-polars, which the steps above and docs leave out: lint and tests",
        fast: false,
        run: polars,
    },
    Step {
        name: "docs",
        about: "cargo doc --workspace --no-deps, no warnings",
        fast: false,
        run: docs,
    },
    Step {
        name: "examples",
        about: "runs the example on its real data",
        fast: false,
        run: examples,
    },
];

fn fmt(project: &Project) -> Outcome {
    let arguments = ["fmt", "--all", "--check", "--", "--files-with-diff"];
    let finished = process::run(cargo(&project.root, &arguments));
    or_trouble(finished, |Finished { success, output }| {
        if success {
            return Outcome::good("");
        }
        let prefix = format!("{}/", project.root.display());
        let mut files: Vec<String> = output.lines().map(|line| line.replace(&prefix, "")).collect();
        files.sort();
        files.dedup();
        let summary = counted(files.len(), "file");
        Outcome {
            rerun: vec!["cargo fmt --all   (repairs it)".to_owned()],
            ..Outcome::bad(summary, files.join("\n"))
        }
    })
}

fn lint(project: &Project) -> Outcome {
    let arguments = ["clippy", "--workspace", "--exclude", APART, "--all-targets", "--keep-going"];
    or_trouble(Diagnostics::run(project, &arguments), |found| found.outcome("no warnings"))
}

/// One cargo call for each feature set: in a single call cargo would turn on the union of features.
fn alone(project: &Project) -> Outcome {
    let mut found = Diagnostics::default();
    let mut rerun = Vec::new();
    let mut checks = 0;
    // xtask is what is running.
    let not_here = ["xtask", APART];
    for package in project.metadata.members().filter(|p| !not_here.contains(&p.name.as_str())) {
        let bare = ["check", "-p", &package.name, "--no-default-features"];
        let sets: &[&[&str]] = if package.has_default { &[&bare, &bare[..3]] } else { &[&bare] };
        for arguments in sets {
            checks += 1;
            match Diagnostics::run(project, arguments) {
                Ok(more) => {
                    let more = more.of(&package.id);
                    if more.outcome("").failed > 0 {
                        rerun.push(format!("cargo {}", arguments.join(" ")));
                    }
                    found.merge(more);
                }
                Err(error) => return trouble(&error),
            }
        }
    }
    Outcome { rerun, ..found.outcome(&format!("{checks} feature sets")) }
}

fn test(project: &Project) -> Outcome {
    let mut arguments = vec!["test", "--workspace", "--exclude", APART, "--no-fail-fast"];
    if project.fast {
        arguments.extend(["--lib", "--bins", "--tests", "--examples"]);
    }
    tested(project, cargo(&project.root, &arguments))
}

/// Lints and tests the crate that the other steps leave out.
///
/// `cargo clippy` would compile some 300 dependencies a second time, as metadata only; here clippy is the
/// compiler of the workspace's crates, and the one build serves the lints and the tests.
fn polars(project: &Project) -> Outcome {
    let linted = |arguments: &[&str]| {
        let mut command = cargo(&project.root, arguments);
        command.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
        command
    };
    let build = linted(&["test", "-p", APART, "--no-run"]);
    match Diagnostics::read(build) {
        Ok(found) => {
            let package = project.metadata.members().find(|package| package.name == APART);
            let found = found.of(package.map_or("", |package| &package.id));
            let outcome = found.outcome("");
            if outcome.failed > 0 {
                return outcome;
            }
        }
        Err(error) => return trouble(&error),
    }
    tested(project, linted(&["test", "-p", APART, "--no-fail-fast"]))
}

/// Runs a `cargo test` and counts.
fn tested(project: &Project, mut command: Command) -> Outcome {
    command.env("CARGO_TERM_COLOR", "never");
    // A panic says where it was; with the frames of a property test the rest would drown.
    command.env("RUST_BACKTRACE", "0");
    command.env("MLOPS_TEST_STRICT", if project.strict { "1" } else { "0" });
    or_trouble(process::run(command), |Finished { success, output }| {
        let mut totals = Totals::parse(&output);
        let mut problems = totals.failures.join("\n");
        if !problems.is_empty() {
            problems.push_str("\n\n");
        }
        if !success && totals.failed == 0 {
            // Nothing that failed was a test: the code does not compile.
            totals.failed = 1;
        }
        if totals.failed > 0 {
            problems.push_str(&interesting(&output));
        }
        totals.rerun.sort();
        totals.rerun.dedup();
        Outcome {
            summary: format!(
                "{} passed, {} failed, {} ignored in {} binaries",
                totals.passed, totals.failed, totals.ignored, totals.binaries
            ),
            notes: totals.ignores.iter().map(|test| format!("ignored {test}")).collect(),
            problems,
            log: output,
            rerun: totals.rerun,
            passed: totals.passed,
            failed: totals.failed,
            skipped: totals.ignored,
        }
    })
}

fn docs(project: &Project) -> Outcome {
    let arguments = ["doc", "--workspace", "--exclude", APART, "--no-deps", "--keep-going"];
    let mut command = cargo(&project.root, &arguments);
    command.env("RUSTDOCFLAGS", "-D warnings");
    or_trouble(process::run(command), |finished| whole(&finished, "no warnings"))
}

/// Runs the example as a reader would, from an empty folder, so that its store is its own.
fn examples(project: &Project) -> Outcome {
    let folder = project.root.join("examples");
    if !folder.join("flights.rs").exists() && !folder.join("flights/main.rs").exists() {
        return Outcome::good("none yet");
    }
    let manifest = project.root.join("Cargo.toml").display().to_string();
    let cargo_run =
        |verb| [verb, "--release", "--manifest-path", &manifest, "--example", "flights"];
    // Compiled first, so that the time below is the example's own.
    match process::run(cargo(&project.root, &cargo_run("build"))) {
        Ok(Finished { success: true, .. }) => {}
        Ok(finished) => return whole(&finished, ""),
        Err(error) => return trouble(&error),
    }
    let empty = std::env::temp_dir().join(format!("mlops-example-{}", std::process::id()));
    let start = std::time::Instant::now();
    let finished = std::fs::create_dir_all(&empty)
        .and_then(|()| process::run(cargo(&empty, &cargo_run("run"))));
    let seconds = start.elapsed().as_secs_f64();
    // What the system's own cleaner would do some days later; the outcome does not depend on it.
    let _ = std::fs::remove_dir_all(&empty);
    or_trouble(finished, |finished| whole(&finished, &format!("flights in {seconds:.1}s")))
}

/// The outcome of a command that has only its own words and its exit code.
fn whole(finished: &Finished, good: &str) -> Outcome {
    if finished.success {
        Outcome { log: finished.output.clone(), ..Outcome::good(good) }
    } else {
        let problems = interesting(&finished.output);
        Outcome { log: finished.output.clone(), ..Outcome::bad("", problems) }
    }
}

/// The output without what passed.
fn interesting(output: &str) -> String {
    let progress = ["Compiling", "Checking", "Documenting", "Finished", "Fresh", "Downloaded"];
    let dull = |line: &str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        (line.starts_with("test ") && (line.ends_with(" ... ok") || line.contains(" ... ignored")))
            || line.starts_with("test result: ok")
            || (line.starts_with("running ") && line.contains(" test"))
            || (line.starts_with("  ") && progress.contains(&word))
            || (line.starts_with("     Running ") && line.ends_with(')'))
            || line.starts_with("   Doc-tests ")
    };
    let mut kept: Vec<&str> = output.lines().filter(|line| !dull(line)).collect();
    kept.dedup_by(|line, before| line.is_empty() && before.is_empty());
    shortened(&kept).join("\n")
}

/// What one test printed, cut in the middle; its end says why it failed.
fn shortened<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let starts = |line: &str| line.starts_with("---- ") || line == "failures:";
    let mut kept = Vec::new();
    for test in lines.chunk_by(|_, next| !starts(next)) {
        if test.len() <= FIRST + LAST + 1 {
            kept.extend(test);
        } else {
            kept.extend(&test[..FIRST]);
            kept.push("… (the log has the rest)");
            kept.extend(&test[test.len() - LAST..]);
        }
    }
    kept
}

/// Turns an error of starting a program into an outcome.
fn or_trouble<T>(result: io::Result<T>, outcome: impl FnOnce(T) -> Outcome) -> Outcome {
    result.map_or_else(|error| trouble(&error), outcome)
}

fn trouble(error: &io::Error) -> Outcome {
    Outcome::bad("did not start", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_is_left_out() {
        let output = "   Compiling a v0.1.0\n     Running unittests src/lib.rs (t/a-1)\n\n\
            running 2 tests\ntest a ... ok\ntest b ... FAILED\n\n\nfailures:\n---- b stdout ----\n\
            left: 1\ntest result: ok. 1 passed\n";
        let kept = "\ntest b ... FAILED\n\nfailures:\n---- b stdout ----\nleft: 1";
        assert_eq!(interesting(output), kept);
    }

    #[test]
    fn a_test_that_says_much_leaves_room_for_the_next() {
        let noise: Vec<String> = (0..10_000).map(|line| format!("panicked at {line}")).collect();
        let noise = noise.join("\n");
        let text = interesting(&format!("---- a stdout ----\n{noise}\n---- b stdout ----\nwhy\n"));
        assert_eq!(text.lines().count(), FIRST + 1 + LAST + 2);
        assert!(text.contains("panicked at 9999") && text.ends_with("---- b stdout ----\nwhy"));
    }
}
