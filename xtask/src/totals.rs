//! Counts tests from what `cargo test` prints.
//!
//! The text format is the one thing that libtest, libtest-mimic and rustdoc share (the JSON of the
//! first is not stable, the second has none). A test binary that ends without its `test result:` line
//! crashed, or is no test harness; either way its tests are uncounted, so it counts as one failure.

use std::mem;

/// The sum over all test binaries of one `cargo test`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) ignored: usize,
    /// Test binaries and crates with doctests that were run.
    pub(crate) binaries: usize,
    /// `binary: test`, or `binary: printed no totals`.
    pub(crate) failures: Vec<String>,
    /// `binary: test (reason)`.
    pub(crate) ignores: Vec<String>,
    /// What to pass to `cargo test` to run a failed binary again.
    pub(crate) rerun: Vec<String>,
}

impl Totals {
    /// Reads the two streams of `cargo test --no-fail-fast`, in the order of writing.
    pub(crate) fn parse(output: &str) -> Self {
        let mut totals = Self::default();
        let mut open: Option<Binary> = None;
        for line in output.lines() {
            if let Some(name) = header(line) {
                totals.close(open.replace(Binary { name, done: false }));
                totals.binaries += 1;
            } else if let Some(counts) = line.strip_prefix("test result: ") {
                totals.add(counts);
                if let Some(binary) = &mut open {
                    binary.done = true;
                }
            } else if let Some(test) = line.strip_prefix("test ") {
                let binary = open.as_ref().map_or("", |binary| binary.name.as_str());
                totals.test(binary, test);
            } else if let Some(target) = rerun(line) {
                totals.rerun.push(target);
            }
        }
        totals.close(open);
        totals
    }

    /// `ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`.
    fn add(&mut self, counts: &str) {
        let counts = counts.split_once(". ").map_or(counts, |(_, counts)| counts);
        for part in counts.split("; ") {
            let Some((number, word)) = part.split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match word.trim() {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// `name ... ok`, `name ... FAILED`, `name ... ignored, reason`, libtest-mimic's `ignored (reason)`.
    fn test(&mut self, binary: &str, line: &str) {
        let Some((name, result)) = line.rsplit_once(" ... ") else {
            return;
        };
        // libtest-mimic pads names to a column.
        let name = name.trim_end();
        if result.starts_with("FAILED") {
            self.failures.push(format!("{binary}: {name}"));
        } else if let Some(reason) = result.strip_prefix("ignored") {
            let reason = reason.trim_start_matches([',', ' ']);
            let mimic = reason.strip_prefix('(').and_then(|reason| reason.strip_suffix(')'));
            let reason = mimic.unwrap_or(reason);
            let reason = if reason.is_empty() { "no reason given" } else { reason };
            self.ignores.push(format!("{binary}: {name} ({reason})"));
        }
    }

    fn close(&mut self, binary: Option<Binary>) {
        if let Some(mut binary) = binary.filter(|binary| !binary.done) {
            self.failed += 1;
            self.failures.push(format!("{}: printed no totals", mem::take(&mut binary.name)));
        }
    }
}

/// A test binary whose output is being read.
struct Binary {
    name: String,
    done: bool,
}

/// The binary that a line of cargo announces.
///
/// `     Running unittests src/lib.rs (target/debug/deps/mlops_core-0f3a)` or `   Doc-tests mlops_core`.
fn header(line: &str) -> Option<String> {
    if let Some(name) = line.strip_prefix("   Doc-tests ") {
        return Some(format!("{name} doctests"));
    }
    let (target, path) = line.strip_prefix("     Running ")?.strip_suffix(')')?.split_once(" (")?;
    let file = path.rsplit(['/', '\\']).next()?;
    let package = file.rsplit_once('-').map_or(file, |(name, _)| name);
    let target = target.strip_prefix("unittests ").unwrap_or(target);
    Some(format!("{package} {target}"))
}

/// The target that cargo says to pass: "    `-p mlops-core --lib`", or the same in a sentence.
fn rerun(line: &str) -> Option<String> {
    let line =
        line.trim().strip_prefix("error: test failed, to rerun pass ").unwrap_or(line.trim());
    let target = line.strip_prefix("error: doctest failed, to rerun pass ").unwrap_or(line);
    let target = target.strip_prefix("`-p ")?.strip_suffix('`')?;
    Some(format!("cargo test -p {target}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
   Compiling mlops-core v0.1.0 (/x/mlops-core)
    Finished `test` profile [unoptimized] target(s) in 3.10s
     Running unittests src/lib.rs (target/debug/deps/mlops_core-0f3a7c)

running 4 tests
test filter::tests::parses ... ok
test name::tests::long ... FAILED
test slow ... ignored, takes an hour
test bare ... ignored

failures:

---- name::tests::long stdout ----
test result: mentioned by a test, indented or not at all, is not expected here

failures:
    name::tests::long

test result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.02s

error: test failed, to rerun pass `-p mlops-core --lib`
     Running tests/conformance.rs (/t/debug/deps/conformance-11aa)

running 3 tests
test memory::round_trip         ... ok
test memory::needs_a_server      ... ignored (backend is absent)
test sqlite::round_trip ... ok

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests mlops_core

running 1 test
test mlops-core/src/id.rs - id::RunId (line 12) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.30s

error: 1 target failed:
    `-p mlops-core --lib`
";

    #[test]
    fn every_harness_is_summed() {
        let totals = Totals::parse(OUTPUT);
        let counts = (totals.passed, totals.failed, totals.ignored, totals.binaries);
        assert_eq!(counts, (4, 1, 3, 3));
    }

    #[test]
    fn failed_and_ignored_tests_have_names_and_reasons() {
        let totals = Totals::parse(OUTPUT);
        assert_eq!(totals.failures, ["mlops_core src/lib.rs: name::tests::long"]);
        let ignored = [
            "mlops_core src/lib.rs: slow (takes an hour)",
            "mlops_core src/lib.rs: bare (no reason given)",
            "conformance tests/conformance.rs: memory::needs_a_server (backend is absent)",
        ];
        assert_eq!(totals.ignores, ignored);
    }

    #[test]
    fn the_command_to_run_again_is_cargos() {
        let mut rerun = Totals::parse(OUTPUT).rerun;
        rerun.dedup();
        assert_eq!(rerun, ["cargo test -p mlops-core --lib"]);
    }

    #[test]
    fn a_binary_without_totals_counts_as_failed() {
        let output = "
     Running tests/crash.rs (target/debug/deps/crash-aa)

running 2 tests
error: test failed, to rerun pass `-p mlops-registry --test crash`

Caused by:
  process didn't exit successfully: `target/debug/deps/crash-aa` (signal: 6, SIGABRT)
     Running tests/next.rs (target/debug/deps/next-aa)
test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";
        let totals = Totals::parse(output);
        assert_eq!((totals.passed, totals.failed), (5, 1));
        assert_eq!(totals.failures, ["crash tests/crash.rs: printed no totals"]);
    }

    #[test]
    fn several_results_of_one_binary_are_summed() {
        let output = "
   Doc-tests mlops
test result: ok. 9 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s
all doctests ran in 0.84s; merged doctests compilation took 0.61s
";
        let totals = Totals::parse(output);
        assert_eq!((totals.passed, totals.failed, totals.ignored), (11, 0, 1));
    }
}
