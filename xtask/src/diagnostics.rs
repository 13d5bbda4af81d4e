//! What the compiler and clippy have to say, as data.
//!
//! `-D warnings` stops at the first crate that has one, so the reader would meet the rest one run at a
//! time. Here warnings stay warnings for the compiler, everything is compiled, and the step fails if
//! any was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::process::Command;

use serde_json::Value;

use crate::process::cargo;
use crate::project::Project;
use crate::report::{Outcome, counted};

/// One warning or error.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Diagnostic {
    file: String,
    line: u64,
    error: bool,
    text: String,
    rendered: String,
    package: String,
}

/// A cargo command's diagnostics, and whether it succeeded.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    all: BTreeSet<Diagnostic>,
    /// Why it failed, if that is not among the diagnostics.
    trouble: String,
}

impl Diagnostics {
    /// Runs `cargo ARGUMENTS --message-format=json`.
    pub(crate) fn run(project: &Project, arguments: &[&str]) -> io::Result<Self> {
        Self::read(cargo(&project.root, arguments))
    }

    /// Runs a command of cargo that compiles.
    pub(crate) fn read(mut command: Command) -> io::Result<Self> {
        let output = command.args(["--quiet", "--message-format=json"]).output()?;
        let mut found = Self::parse(&String::from_utf8_lossy(&output.stdout));
        if !output.status.success() && !found.all.iter().any(|found| found.error) {
            found.trouble = String::from_utf8_lossy(&output.stderr).into_owned();
        }
        Ok(found)
    }

    fn parse(output: &str) -> Self {
        let all = output
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|value| value["reason"] == "compiler-message")
            .filter_map(|value| Diagnostic::new(&value))
            .collect();
        Self { all, trouble: String::new() }
    }

    /// Errors of any package, warnings only of this one.
    pub(crate) fn of(mut self, package: &str) -> Self {
        self.all.retain(|found| found.error || found.package == package);
        self
    }

    /// Adds another command's.
    pub(crate) fn merge(&mut self, other: Self) {
        self.all.extend(other.all);
        self.trouble.push_str(&other.trouble);
    }

    /// Fails if there are any: grouped by file, one line each, the compiler's own words in the log.
    pub(crate) fn outcome(&self, good: &str) -> Outcome {
        if self.all.is_empty() && self.trouble.is_empty() {
            return Outcome::good(good);
        }
        let mut files: BTreeMap<&str, Vec<&Diagnostic>> = BTreeMap::new();
        for found in &self.all {
            files.entry(&found.file).or_default().push(found);
        }
        let mut problems = self.trouble.clone();
        for (file, found) in &files {
            let _ = writeln!(problems, "{file}: {}", found.len());
            for Diagnostic { line, text, .. } in found {
                let _ = writeln!(problems, "    {line}: {text}");
            }
        }
        let summary =
            format!("{} in {}", counted(self.all.len(), "finding"), counted(files.len(), "file"));
        let log = self.all.iter().map(|found| found.rendered.as_str()).collect();
        Outcome { log, ..Outcome::bad(summary, problems) }
    }
}

impl Diagnostic {
    /// Reads one line of cargo; `None` for what only sums up others.
    fn new(value: &Value) -> Option<Self> {
        let message = &value["message"];
        let level = message["level"].as_str()?;
        if !["warning", "error", "error: internal compiler error"].contains(&level) {
            return None;
        }
        let spans = message["spans"].as_array()?;
        let span = spans.iter().find(|span| span["is_primary"] == true);
        let text = message["message"].as_str()?;
        let sums_up = text.starts_with("aborting due to") || text.ends_with("emitted");
        if span.is_none() && sums_up {
            return None;
        }
        let code = message["code"]["code"].as_str();
        let (first, word) = (text.lines().next()?, if level == "warning" { "" } else { "error: " });
        let code = code.map(|code| format!(" [{code}]")).unwrap_or_default();
        Some(Self {
            file: span.map_or("(no file)", |span| span["file_name"].as_str().unwrap_or("")).into(),
            line: span.and_then(|span| span["line_start"].as_u64()).unwrap_or(0),
            error: level != "warning",
            text: format!("{word}{first}{code}"),
            rendered: message["rendered"].as_str().unwrap_or(text).into(),
            package: value["package_id"].as_str().unwrap_or_default().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(package: &str, level: &str, text: &str, file: Option<&str>) -> String {
        let span = file.map(|file| json!({"file_name": file, "line_start": 7, "is_primary": true}));
        let message = json!({
            "level": level, "message": text, "rendered": text, "code": {"code": "clippy::todo"},
            "spans": span.into_iter().collect::<Vec<_>>(),
        });
        let value =
            json!({"reason": "compiler-message", "package_id": package, "message": message});
        format!("{value}\n")
    }

    #[test]
    fn findings_are_grouped_by_file_and_counted_once() {
        let twice = message("core", "warning", "unfinished", Some("core/src/a.rs"));
        let other = message("core", "error", "mismatched types", Some("core/src/b.rs"));
        let sum = message("core", "warning", "2 warnings emitted", None);
        let found =
            Diagnostics::parse(&[&twice, &twice, &other, &sum].map(String::as_str).concat());
        let outcome = found.outcome("");
        assert_eq!((outcome.failed, outcome.summary.as_str()), (1, "2 findings in 2 files"));
        assert_eq!(
            outcome.problems,
            "core/src/a.rs: 1\n    7: unfinished [clippy::todo]\n\
             core/src/b.rs: 1\n    7: error: mismatched types [clippy::todo]\n"
        );
    }

    #[test]
    fn warnings_of_another_package_are_not_this_ones() {
        let output = message("core", "warning", "unused import", Some("core/src/a.rs"));
        assert_eq!(Diagnostics::parse(&output).of("registry").outcome("good").failed, 0);
    }
}
