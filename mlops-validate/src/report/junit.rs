//! JUnit XML, for the pages on which a build server shows tests.

use std::fmt::{self, Display, Write};

use mlops_core::validation::{Outcome, Report};

use super::escape::{Xml, visible};
use super::view::{Group, View, headings};
use super::words::{evidence, found, left_out, sample};

/// Most characters of a value.
const MOST: usize = 200;

/// The report as JUnit XML: one suite, and a test case for each check, in the suite's order.
///
/// An error that failed is a `failure`. A warning, and a check that had nothing to judge, is `skipped`
/// with a message that says which of the two: the servers know no warnings, and of their states this is
/// the only one that does not break a build and is still shown, with its text, by GitLab, Jenkins and
/// GitHub's reporters alike; a passed test with output would be green and unread. So `skipped` counts
/// both.
///
/// The result is well-formed XML 1.0 whatever the data holds; characters that XML cannot carry are
/// written `\u{0}`.
pub fn junit(report: &Report) -> String {
    Document(report).to_string()
}

struct Document<'a>(&'a Report);

impl Display for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let view = View::new(report);
        let suite = Xml(format!("{} version {}", report.suite, report.suite_version));
        let totals = format!(
            "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{}\"",
            report.outcomes.len(),
            view.failed.len(),
            view.warned.len() + view.vacuous.len(),
            secs(report.nanos)
        );
        f.write_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
        writeln!(f, "<testsuites name=\"{suite}\" {totals}>")?;
        // JUnit's schema has no time zone here.
        let at = report.at.format("%Y-%m-%dT%H:%M:%S");
        writeln!(f, "  <testsuite name=\"{suite}\" {totals} timestamp=\"{at}\">")?;
        f.write_str("    <properties>\n")?;
        property(f, "verdict", report.verdict.as_str())?;
        property(f, "suite_digest", &report.suite_digest.to_string())?;
        if let Some(data) = &report.data {
            property(f, "data", data)?;
        }
        if let Some(digest) = &report.data_digest {
            property(f, "data_digest", digest.as_ref())?;
        }
        property(f, "rows", &report.rows.to_string())?;
        if let Some(failed) = report.rows_failed {
            property(f, "rows_failed", &failed.to_string())?;
        }
        property(f, "library", &report.library)?;
        f.write_str("    </properties>\n")?;
        for outcome in &report.outcomes {
            case(f, report, outcome)?;
        }
        f.write_str("  </testsuite>\n</testsuites>\n")
    }
}

fn property(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "      <property name=\"{name}\" value=\"{}\"/>", Xml(value))
}

fn case(f: &mut fmt::Formatter<'_>, report: &Report, outcome: &Outcome) -> fmt::Result {
    let group = Group::of(report, outcome);
    write!(
        f,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        Xml(report.suite.to_string()),
        Xml(&outcome.check),
        secs(outcome.nanos)
    )?;
    if group == Group::Passed {
        return f.write_str("/>\n");
    }
    let message = format!("{}; expected: {}", found(outcome), outcome.expected);
    let story = story(outcome);
    let story = Lines(&story);
    f.write_str(">\n      ")?;
    if group == Group::Failed {
        let (rule, message) = (Xml(&outcome.rule), Xml(message));
        writeln!(f, "<failure type=\"{rule}\" message=\"{message}\">{story}</failure>")?;
    } else {
        let kind = if group == Group::Warned { "warning: " } else { "" };
        writeln!(f, "<skipped message=\"{kind}{}\"/>", Xml(message))?;
        writeln!(f, "      <system-out>{story}</system-out>")?;
    }
    f.write_str("    </testcase>\n")
}

/// All that is known of a check that did not pass, a line each.
fn story(outcome: &Outcome) -> Vec<String> {
    let mut lines =
        vec![format!("expected: {}", outcome.expected), format!("found: {}", found(outcome))];
    lines.extend(left_out(outcome).map(|rows| format!("rows not judged: {rows}")));
    lines.extend(outcome.detail.as_ref().map(|detail| format!("detail: {detail}")));
    lines.extend(outcome.description.as_ref().map(|why| format!("why: {why}")));
    lines.push(format!("evidence: {}", evidence(outcome)));
    let headings = headings(outcome);
    for failed in &outcome.samples {
        let mut line = failed.row.map_or("key:".to_owned(), |row| format!("row {row}:"));
        for (value, name) in failed.values.iter().zip(&headings) {
            let value = sample(value.as_deref(), MOST);
            // Writing to a `String` does not fail.
            let _ = write!(line, " {name} = {value}");
        }
        if let Some(count) = failed.count {
            let _ = write!(line, " ({count} rows)");
        }
        lines.push(line);
    }
    lines
}

/// Lines of text within an element.
struct Lines<'a>(&'a [String]);

impl Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in self.0.iter().enumerate() {
            write!(f, "{}{}", if at > 0 { "\n" } else { "" }, Xml(visible(line)))?;
        }
        Ok(())
    }
}

/// Seconds, as JUnit has them.
fn secs(nanos: u64) -> String {
    format!("{}.{:06}", nanos / 1_000_000_000, nanos / 1_000 % 1_000_000)
}
