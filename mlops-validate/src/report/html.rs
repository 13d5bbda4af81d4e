//! One page of HTML that needs nothing but itself.
//!
//! The page carries a policy that forbids every request and every script, so that even a fault in the
//! escaping could show a wrong text, not run one. Bars are SVG with their widths as attributes, folding
//! is the browser's own `details`: nothing is left for a script to do. Every element is closed and
//! every attribute quoted, so that the page is well-formed XML too, which is how the tests read it.

mod bars;
mod checks;

use std::fmt::{self, Display};

use mlops_core::validation::{Report, Verdict};

use self::bars::{Part, stacked};
use super::escape::Xml;
use super::view::{Group, View, sentence};
use super::words::{bytes, count, duration, float, instant, integer, share};

/// What browsers are told to forbid: all but the style sheet within the page.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The report as one HTML page.
///
/// For a person: the verdict and the headline numbers, then what failed with what was expected, what was
/// found and rows that show it, then warnings, checks that had nothing to judge, and, folded by column,
/// what passed. Light or dark as the reader's system is, fit for a telephone, a keyboard and paper. The
/// page loads nothing and runs nothing, so it may be kept as an artifact and opened from anywhere.
pub fn html(report: &Report) -> String {
    Document(report).to_string()
}

struct Document<'a>(&'a Report);

impl Display for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let view = View::new(report);
        let verdict = report.verdict.as_str();
        let suite = Xml(report.suite.as_str());
        f.write_str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n")?;
        writeln!(f, "<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>")?;
        f.write_str(
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n\
             <meta name=\"referrer\" content=\"no-referrer\"/>\n",
        )?;
        writeln!(f, "<title>{suite}: {verdict}</title>")?;
        writeln!(f, "<style>\n{}</style>\n</head>\n<body>", include_str!("html/page.css"))?;
        head(f, report, &view)?;
        f.write_str("<main>\n")?;
        tiles(f, report)?;
        overview(f, report, &view)?;
        for (group, outcomes) in view.groups() {
            let (id, n) = (group.as_str(), integer(outcomes.len() as u64));
            let title = title(group);
            writeln!(f, "<section id=\"{id}\" class=\"{id}\">\n<h2>{title} <b>{n}</b></h2>")?;
            match group {
                Group::Failed | Group::Warned => {
                    outcomes.iter().try_for_each(|outcome| checks::card(f, outcome))?;
                }
                Group::Vacuous => checks::table(f, outcomes)?,
                Group::Passed => checks::by_column(f, outcomes)?,
            }
            f.write_str("</section>\n")?;
        }
        metrics(f, report)?;
        f.write_str("</main>\n")?;
        foot(f, report)?;
        f.write_str("</body>\n</html>\n")
    }
}

fn title(group: Group) -> &'static str {
    match group {
        Group::Failed => "Failed",
        Group::Warned => "Warnings",
        Group::Vacuous => "Nothing to judge",
        Group::Passed => "Passed",
    }
}

fn head(f: &mut fmt::Formatter<'_>, report: &Report, view: &View<'_>) -> fmt::Result {
    let word = match report.verdict {
        Verdict::Passed => "Passed",
        Verdict::Warned => "Passed with warnings",
        Verdict::Failed => "Failed",
    };
    writeln!(f, "<header class=\"{}\">\n<p class=\"verdict\">{word}</p>", report.verdict.as_str())?;
    writeln!(
        f,
        "<h1>{} <small>version {}</small></h1>\n<p class=\"said\">{}</p>",
        Xml(report.suite.as_str()),
        report.suite_version,
        sentence(report, view)
    )?;
    f.write_str("<p class=\"about\">")?;
    if let Some(data) = &report.data {
        write!(f, "<code>{}</code> ", checks::Text(data))?;
    }
    writeln!(f, "<time datetime=\"{}\">{}</time></p>", report.at.to_rfc3339(), instant(report.at))?;
    f.write_str("</header>\n")
}

/// The numbers that are looked for first.
fn tiles(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let mut tiles = vec![("Rows", integer(report.rows), String::new())];
    if let Some(failed) = report.rows_failed {
        let note = if failed == 0 { String::new() } else { share(failed, report.rows) };
        tiles.push(("Rows that failed a check", integer(failed), note));
    }
    tiles.push(("Time", duration(report.nanos), String::new()));
    if let Some(read) = report.bytes {
        let note = format!("of {}", bytes(read.total));
        tiles.push(("Read", bytes(read.read), note));
    }
    f.write_str("<dl class=\"tiles\">\n")?;
    for (name, number, note) in tiles {
        write!(f, "<div><dt>{name}</dt><dd>{number}")?;
        if !note.is_empty() {
            write!(f, " <small>{note}</small>")?;
        }
        f.write_str("</dd></div>\n")?;
    }
    f.write_str("</dl>\n")
}

/// Two bars: how the checks came out, and how much of the files was read.
fn overview(f: &mut fmt::Formatter<'_>, report: &Report, view: &View<'_>) -> fmt::Result {
    f.write_str("<div class=\"overview\">\n")?;
    let parts: Vec<Part> = view
        .groups()
        .map(|(group, outcomes)| {
            let n = outcomes.len() as u64;
            let (class, words) = (
                group.as_str(),
                match group {
                    Group::Failed => "failed",
                    Group::Warned => "warned",
                    Group::Vacuous => "had nothing to judge",
                    Group::Passed => "passed",
                },
            );
            Part { class, size: n, label: format!("{} {words}", integer(n)), link: Some(class) }
        })
        .collect();
    stacked(f, &count(report.outcomes.len() as u64, "check"), &parts)?;
    if let Some(read) = report.bytes {
        let part = |class, size, words: &str| Part {
            class,
            size,
            label: format!("{} {words}", bytes(size)),
            link: None,
        };
        let parts = [
            part("read", read.read, "read"),
            part("decided", read.decided_by_statistics, "decided by statistics, not read"),
            part("unneeded", read.not_needed, "in columns that no check looks at"),
        ];
        stacked(f, &format!("{} in files", bytes(read.total)), &parts)?;
    }
    f.write_str("</div>\n")
}

fn metrics(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    if report.metrics.is_empty() {
        return Ok(());
    }
    let n = report.metrics.len() as u64;
    writeln!(f, "<section id=\"metrics\">\n<h2>Metrics <b>{}</b></h2>", integer(n))?;
    f.write_str("<details>\n<summary>What later runs are compared with</summary>\n")?;
    checks::scroll(f, "Metrics")?;
    f.write_str(
        "<table><thead><tr><th>Metric</th><th class=\"n\">Value</th></tr></thead><tbody>\n",
    )?;
    for (name, value) in &report.metrics {
        let name = checks::Text(name);
        writeln!(f, "<tr><td><code>{name}</code></td><td class=\"n\">{}</td></tr>", float(*value))?;
    }
    f.write_str("</tbody></table></div>\n</details>\n</section>\n")
}

fn foot(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    f.write_str("<footer>\n<dl>\n")?;
    let digest = report.suite_digest;
    writeln!(f, "<div><dt>Suite's digest</dt><dd><code>{digest}</code></dd></div>")?;
    if let Some(data) = &report.data_digest {
        let data = Xml(data.as_str());
        writeln!(f, "<div><dt>Data's digest</dt><dd><code>{data}</code></dd></div>")?;
    }
    let library = Xml(&report.library);
    writeln!(f, "<div><dt>Written by</dt><dd>mlops {library}</dd></div>\n</dl>\n</footer>")
}
