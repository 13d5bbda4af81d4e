//! What the reader sees: one line for each step, what a failing one has to say, and the totals.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::time::Instant;

use crate::project::Project;
use crate::steps::Step;

/// So many lines of a failing step are shown; the log has the rest.
const SHOWN: usize = 250;

/// What a step found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The right-hand side of the step's line.
    pub(crate) summary: String,
    /// Shown whatever the outcome: ignored tests, things to know.
    pub(crate) notes: Vec<String>,
    /// Shown when the step fails.
    pub(crate) problems: String,
    /// For the log, where that is more than the problems.
    pub(crate) log: String,
    /// Commands that run less than the whole step again.
    pub(crate) rerun: Vec<String>,
    /// Tests that passed.
    pub(crate) passed: usize,
    /// Tests that failed; for any other step 0 or 1.
    pub(crate) failed: usize,
    /// Tests that were ignored.
    pub(crate) skipped: usize,
}

impl Outcome {
    /// Nothing wrong.
    pub(crate) fn good(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }

    /// Fails, and says why.
    pub(crate) fn bad(summary: impl Into<String>, problems: impl Into<String>) -> Self {
        Self { summary: summary.into(), problems: problems.into(), failed: 1, ..Self::default() }
    }

    /// Good if there are no findings, else one line for each.
    pub(crate) fn findings(good: impl Into<String>, findings: &[String]) -> Self {
        if findings.is_empty() {
            return Self::good(good);
        }
        Self::bad(counted(findings.len(), "finding"), findings.join("\n"))
    }
}

/// The sum over the steps that ran.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Report {
    /// Runs a step and prints its line.
    pub(crate) fn run(&mut self, step: &Step, project: &Project) {
        print!("{:<9} ", step.name);
        // The name is there while the step runs; if nobody reads, there is nobody to tell.
        let _ = std::io::stdout().flush();
        let start = Instant::now();
        let outcome = (step.run)(project);
        let seconds = start.elapsed().as_secs_f64();
        let word = if outcome.failed == 0 { "ok" } else { "FAILED" };
        println!("{word:<6} {seconds:>7.1}s  {}", outcome.summary);
        for note in &outcome.notes {
            println!("          {note}");
        }
        let log = keep_log(step.name, &outcome, project);
        if outcome.failed > 0 {
            print!("{}", failure(step.name, &outcome, log.as_deref()));
        }
        self.passed += outcome.passed;
        self.failed += outcome.failed;
        self.skipped += outcome.skipped;
    }

    /// The manifests cannot be read.
    pub(crate) fn unloadable(&mut self, problem: &str) {
        println!("cargo metadata FAILED; no step can run\n{}", indented(problem));
        self.failed += 1;
    }

    /// Tests and steps that failed.
    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    /// The last line of the run.
    pub(crate) fn totals(&self) -> String {
        let mut line = format!("{} passed, {} failed", self.passed, self.failed);
        if self.skipped > 0 {
            let _ = write!(line, ", {} skipped", self.skipped);
        }
        line
    }
}

/// `1 file`, `2 files`.
pub(crate) fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// What a failing step shows below its line.
fn failure(step: &str, outcome: &Outcome, log: Option<&str>) -> String {
    let lines: Vec<&str> = outcome.problems.trim_end().lines().collect();
    let mut text = String::new();
    if lines.len() <= SHOWN {
        text.push_str(&indented(&lines.join("\n")));
    } else {
        let half = SHOWN / 2;
        text.push_str(&indented(&lines[..half].join("\n")));
        let _ = writeln!(text, "  … {} lines left out …", lines.len() - 2 * half);
        text.push_str(&indented(&lines[lines.len() - half..].join("\n")));
    }
    for command in &outcome.rerun {
        let _ = writeln!(text, "  rerun: {command}");
    }
    let _ = writeln!(text, "  rerun: cargo xtask {step}");
    if let Some(log) = log {
        let _ = writeln!(text, "  log:   {log}");
    }
    text
}

/// Two spaces before each line.
fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |mut indented, line| {
        let _ = writeln!(indented, "  {line}");
        indented
    })
}

/// Writes the whole output beside the build; without it the run is as good, so errors are dropped.
fn keep_log(step: &str, outcome: &Outcome, project: &Project) -> Option<String> {
    let text = if outcome.log.is_empty() { &outcome.problems } else { &outcome.log };
    let folder = project.target.join("xtask");
    fs::create_dir_all(&folder).ok()?;
    let path = folder.join(format!("{step}.log"));
    fs::write(&path, text).ok()?;
    Some(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_name_skipped_tests_only_where_there_are_any() {
        let mut report = Report { passed: 7, failed: 0, skipped: 0 };
        assert_eq!(report.totals(), "7 passed, 0 failed");
        report.skipped = 2;
        assert_eq!(report.totals(), "7 passed, 0 failed, 2 skipped");
    }

    #[test]
    fn a_long_failure_keeps_its_head_and_its_end() {
        let problems: Vec<String> = (0..1000).map(|line| format!("line {line}")).collect();
        let text = failure("lint", &Outcome::bad("", problems.join("\n")), None);
        assert!(text.contains("  line 0\n") && text.contains("  line 999\n"));
        assert!(text.contains("750 lines left out") && text.ends_with("rerun: cargo xtask lint\n"));
    }
}
