//! Plain text, for a terminal.

use std::fmt::Write;

use mlops_core::validation::{Outcome, Report, Sample, Verdict};

use super::escape::{cut, short, visible};
use super::view::{Group, View, headings, sentence};
use super::words::{bytes, count, duration, found, integer, left_out, sample, share};

/// Most characters of a value.
const MOST: usize = 60;

/// The widest that the column of names becomes.
const WIDEST_NAME: usize = 48;

/// How a terminal shows text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextStyle {
    /// Lines are cut at so many characters; none, not at all.
    pub width: Option<usize>,
    /// Whether the status of a check has a colour (ANSI).
    pub colour: bool,
}

impl TextStyle {
    /// Cuts lines at so many characters.
    pub fn with_width(mut self, width: usize) -> Self {
        self.width = Some(width);
        self
    }

    /// Gives statuses a colour.
    pub fn with_colour(mut self, colour: bool) -> Self {
        self.colour = colour;
        self
    }
}

/// The report for a terminal: a line for each check and two more for each that failed, the worst last,
/// then the verdict: the end is what stays on the screen.
pub fn text(report: &Report, style: &TextStyle) -> String {
    let view = View::new(report);
    let names = report.outcomes.iter().map(|outcome| visible(&outcome.check).chars().count());
    let column = names.max().unwrap_or(0).min(WIDEST_NAME);
    let mut page = Page { out: String::new(), style };
    for (group, outcomes) in view.groups().rev() {
        for outcome in outcomes {
            page.line(
                Some(group),
                &format!("{:column$}  {}", visible(&outcome.check), visible(&found(outcome))),
            );
            if matches!(group, Group::Failed | Group::Warned) {
                more(&mut page, outcome);
            }
        }
    }
    page.out.push('\n');
    let verdict = match report.verdict {
        Verdict::Passed => Group::Passed,
        Verdict::Warned => Group::Warned,
        Verdict::Failed => Group::Failed,
    };
    let title = visible(report.suite.as_str());
    let mut data = String::new();
    if let Some(name) = &report.data {
        data = format!(" on {}", short(name, MOST));
    }
    let said = sentence(report, &view);
    page.line(Some(verdict), &format!("{title} version {}{data}: {said}", report.suite_version));
    page.line(None, &numbers(report, &view));
    page.out
}

struct Page<'a> {
    out: String,
    style: &'a TextStyle,
}

impl Page<'_> {
    /// A line beside a status, or below the line before.
    fn line(&mut self, group: Option<Group>, text: &str) {
        const INDENT: usize = 9;
        let status = group.map_or("", Group::as_str);
        let (on, off) = match group.filter(|_| self.style.colour) {
            None => ("", ""),
            Some(Group::Failed) => ("\u{1b}[1;31m", "\u{1b}[0m"),
            Some(Group::Warned) => ("\u{1b}[33m", "\u{1b}[0m"),
            Some(Group::Vacuous) => ("\u{1b}[2m", "\u{1b}[0m"),
            Some(Group::Passed) => ("\u{1b}[32m", "\u{1b}[0m"),
        };
        let space = INDENT - status.len();
        let room =
            self.style.width.map_or(usize::MAX, |width| width.saturating_sub(INDENT).max(20));
        let is_cut = text.char_indices().nth(room).is_some();
        let (text, _) = cut(text, if is_cut { room - 1 } else { room });
        let end = if is_cut { "…" } else { "" };
        // Writing to a `String` does not fail.
        let _ = writeln!(self.out, "{on}{status}{off}{:space$}{text}{end}", "");
    }
}

/// What was expected and what is known besides, and samples.
fn more(page: &mut Page<'_>, outcome: &Outcome) {
    let mut expected = format!("expected: {}", visible(&outcome.expected));
    for part in [left_out(outcome).as_ref(), outcome.detail.as_ref()].into_iter().flatten() {
        expected = format!("{expected}; {}", visible(part));
    }
    page.line(None, &expected);
    let headings = headings(outcome);
    let samples: Vec<String> =
        outcome.samples.iter().map(|failed| sample_text(failed, &headings)).collect();
    if !samples.is_empty() {
        page.line(None, &samples.join("; "));
    }
}

/// `row 838: dep_delay null, tailnum N14228`.
fn sample_text(failed: &Sample, headings: &[&str]) -> String {
    let values: Vec<String> = failed
        .values
        .iter()
        .zip(headings)
        .map(|(value, name)| {
            let value = sample(value.as_deref(), MOST);
            format!("{} {value}", visible(name))
        })
        .collect();
    let values = values.join(", ");
    match (failed.row, failed.count) {
        (Some(row), _) if values.is_empty() => format!("row {}", integer(row)),
        (Some(row), _) => format!("row {}: {values}", integer(row)),
        (None, Some(rows)) => format!("{values} ({})", count(rows, "row")),
        (None, None) => values,
    }
}

/// The headline numbers.
fn numbers(report: &Report, view: &View<'_>) -> String {
    let mut parts = vec![count(report.rows, "row")];
    if let Some(failed) = report.rows_failed.filter(|failed| *failed > 0) {
        let rows = report.rows;
        parts.push(format!("{} failed ({})", count(failed, "row"), share(failed, rows)));
    }
    parts.push(format!("checks: {}", view.tally()));
    parts.push(duration(report.nanos));
    if let Some(read) = report.bytes {
        parts.push(format!("read {} of {}", bytes(read.read), bytes(read.total)));
    }
    parts.join(" · ")
}
