//! Markdown, for a comment on a pull request.

use std::fmt::Write;

use mlops_core::validation::{Outcome, Report};

use super::escape::{Code, Prose, short};
use super::view::{Group, View, headings, sentence};
use super::words::{basis, bytes, count, duration, evidence, found, instant, integer, share};

/// The bytes at which each of the three lists of a comment ends: what failed, its rows, what passed.
/// GitHub takes 65,536 characters; the rest is for the foot, and for a line that somebody puts above.
const ENDS: [usize; 3] = [25_000, 48_000, 56_000];

/// Most characters of a name, a value, or what was expected.
const MOST_VALUE: usize = 160;

/// Most characters of a description or detail.
const MOST_PROSE: usize = 600;

/// The report as a comment for a pull request, in the Markdown of GitHub and GitLab.
///
/// First the verdict and a table of what did not pass, then, folded, failing rows of each and what
/// passed. It is at most 60,000 bytes long: what does not fit is counted, the failures come first.
pub fn markdown(report: &Report) -> String {
    let view = View::new(report);
    let mut page = Page(String::new());
    page.push(&head(report, &view));
    let open: Vec<(Group, &Outcome)> = view
        .groups()
        .filter(|(group, _)| *group != Group::Passed)
        .flat_map(|(group, all)| all.iter().map(move |outcome| (group, *outcome)))
        .collect();
    if !open.is_empty() {
        page.push("\n| | check | found | expected |\n|---|---|---|---|\n");
        let rows = open.iter().map(|(group, outcome)| row(*group, outcome));
        page.lines(ENDS[0], rows, |more| format!("| | and {more} more | | |\n"));
        let told = open.iter().filter(|(_, outcome)| has_story(outcome));
        fold(&mut page, "Failing rows and details", told.map(|(_, outcome)| story(outcome)));
    }
    if !view.passed.is_empty() {
        let title = format!("{} passed", count(view.passed.len() as u64, "check"));
        page.push(&format!("\n<details><summary>{title}</summary>\n\n"));
        page.push("| check | found | evidence |\n|---|---|---|\n");
        let rows = view.passed.iter().map(|outcome| {
            format!(
                "| {} | {} | {} |\n",
                Code(short(&outcome.check, MOST_VALUE)),
                Prose(short(&found(outcome), MOST_VALUE)),
                basis(outcome)
            )
        });
        page.lines(ENDS[2], rows, |more| format!("| and {more} more | | |\n"));
        page.push("\n</details>\n");
    }
    page.push(&foot(report));
    page.0
}

/// The comment so far.
struct Page(String);

impl Page {
    fn push(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// Lines as long as the comment ends before `end`; how many there are more is said by `rest`.
    fn lines(
        &mut self,
        end: usize,
        lines: impl Iterator<Item = String>,
        rest: impl Fn(String) -> String,
    ) {
        let mut more = 0;
        for line in lines {
            // Once one is left out, so are all that follow: a list has its end missing, no holes.
            if more > 0 || self.0.len() + line.len() > end {
                more += 1;
            } else {
                self.push(&line);
            }
        }
        if more > 0 {
            self.push(&rest(integer(more)));
        }
    }
}

/// A folded part with a paragraph or two for each check; nothing for none.
fn fold(page: &mut Page, title: &str, stories: impl Iterator<Item = String>) {
    let mut stories = stories.peekable();
    if stories.peek().is_none() {
        return;
    }
    page.push(&format!("\n<details><summary>{title}</summary>\n\n"));
    page.lines(ENDS[1], stories, |more| format!("and {more} more\n\n"));
    page.push("</details>\n");
}

fn head(report: &Report, view: &View<'_>) -> String {
    let mut text = format!(
        "### {}: {} version {}\n\n**{}** {}",
        report.verdict.as_str(),
        Code(report.suite.to_string()),
        report.suite_version,
        sentence(report, view),
        count(report.rows, "row"),
    );
    // Writing to a `String` does not fail.
    if let Some(failed) = report.rows_failed.filter(|failed| *failed > 0) {
        let rows = report.rows;
        let _ = write!(text, ", {} of them failed ({})", integer(failed), share(failed, rows));
    }
    let _ = write!(text, "; {}; {}", view.tally(), duration(report.nanos));
    if let Some(read) = report.bytes {
        let _ = write!(text, "; {} of {} read", bytes(read.read), bytes(read.total));
    }
    text + ".\n"
}

fn row(group: Group, outcome: &Outcome) -> String {
    let group = match group {
        Group::Failed => "**failed**",
        other => other.as_str(),
    };
    format!(
        "| {group} | {} | {} | {} |\n",
        Code(short(&outcome.check, MOST_VALUE)),
        Prose(short(&found(outcome), MOST_VALUE)),
        Code(short(&outcome.expected, MOST_VALUE)),
    )
}

fn has_story(outcome: &Outcome) -> bool {
    outcome.detail.is_some() || outcome.description.is_some() || !outcome.samples.is_empty()
}

fn story(outcome: &Outcome) -> String {
    let mut text = format!("**{}**", Code(short(&outcome.check, MOST_VALUE)));
    // Writing to a `String` does not fail.
    for part in [&outcome.detail, &outcome.description].into_iter().flatten() {
        let _ = write!(text, " · {}", Prose(short(part, MOST_PROSE)));
    }
    let _ = write!(text, " · {}\n\n", evidence(outcome));
    if outcome.samples.is_empty() {
        return text;
    }
    let headings = headings(outcome);
    let counted = outcome.samples.iter().any(|sample| sample.count.is_some());
    let rows = outcome.samples.iter().any(|sample| sample.row.is_some());
    text.push_str(if rows { "| row |" } else { "|" });
    for name in &headings {
        let _ = write!(text, " {} |", Code(short(name, MOST_VALUE)));
    }
    text.push_str(if counted { " rows |\n|" } else { "\n|" });
    text.push_str(if rows { "---:|" } else { "" });
    text.push_str(&"---|".repeat(headings.len()));
    text.push_str(if counted { "---:|\n" } else { "\n" });
    for sample in &outcome.samples {
        text.push('|');
        if rows {
            let _ = write!(text, " {} |", sample.row.map(integer).unwrap_or_default());
        }
        for at in 0..headings.len() {
            let _ = match sample.values.get(at).and_then(Option::as_deref) {
                Some("") => write!(text, " *empty* |"),
                Some(value) => write!(text, " {} |", Code(short(value, MOST_VALUE))),
                None => write!(text, " *null* |"),
            };
        }
        if counted {
            let _ = write!(text, " {} |", sample.count.map(integer).unwrap_or_default());
        }
        text.push('\n');
    }
    text.push('\n');
    text
}

fn foot(report: &Report) -> String {
    let mut text = String::from("\n<sub>");
    // Writing to a `String` does not fail.
    if let Some(data) = &report.data {
        let _ = write!(text, "{} · ", Code(short(data, MOST_VALUE)));
    }
    let digest: String = report.suite_digest.to_string().chars().take(12).collect();
    let (at, library) = (instant(report.at), Prose(short(&report.library, MOST_VALUE)));
    let _ = writeln!(text, "{at} · suite digest {digest} · mlops {library}</sub>");
    text
}
