//! Checks on the page: a card for one that failed, tables for the others.

use std::fmt::{self, Display};

use mlops_core::validation::{Outcome, Sample};

use super::bars;
use crate::report::escape::{Xml, cut, unseen};
use crate::report::view::headings;
use crate::report::words::{basis, count, duration, evidence, found, integer, left_out};

/// Most characters of a value or text.
const MOST: usize = 1_000;

/// Most characters of a sample's value.
const MOST_VALUE: usize = 400;

/// Text with what cannot be seen written out, and marked, so that `\n` is not taken for two characters
/// of the value.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, more) = cut(self.0, MOST);
        characters(f, text)?;
        rest(f, more)
    }
}

fn characters(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut buffer = [0; 4];
    for c in text.chars() {
        match unseen(c) {
            Some(name) => write!(f, "<i>{name}</i>")?,
            None => Xml(&*c.encode_utf8(&mut buffer)).fmt(f)?,
        }
    }
    Ok(())
}

/// How much of a text is not shown.
fn rest(f: &mut fmt::Formatter<'_>, more: usize) -> fmt::Result {
    if more == 0 {
        return Ok(());
    }
    write!(f, "<i>… and {} more</i>", count(more as u64, "character"))
}

/// A value of a sample: null, the empty text and spaces at the ends can be told apart.
struct Value<'a>(Option<&'a str>);

impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(value) = self.0 else { return f.write_str("<i>null</i>") };
        if value.is_empty() {
            return f.write_str("<i>empty</i>");
        }
        let (value, more) = cut(value, MOST_VALUE);
        let inner = value.trim_start_matches(' ');
        spaces(f, value.len() - inner.len())?;
        let end = inner.trim_end_matches(' ');
        characters(f, end)?;
        spaces(f, inner.len() - end.len())?;
        rest(f, more)
    }
}

fn spaces(f: &mut fmt::Formatter<'_>, n: usize) -> fmt::Result {
    if n == 0 { Ok(()) } else { write!(f, "<i>{}</i>", "␣".repeat(n)) }
}

/// All about a check that did not pass.
pub(super) fn card(f: &mut fmt::Formatter<'_>, outcome: &Outcome) -> fmt::Result {
    let counts = &outcome.counts;
    writeln!(f, "<article>\n<h3><code>{}</code></h3>", Text(&outcome.check))?;
    if let Some(why) = &outcome.description {
        writeln!(f, "<p class=\"why\">{}</p>", Paragraph(why))?;
    }
    if counts.failed > 0 {
        bars::share(f, counts.failed, counts.judged)?;
    }
    f.write_str("<dl>\n")?;
    // A line does not end before a percent sign.
    let found = found(outcome).replace(" %", "\u{a0}%");
    entry(f, "Found", format_args!("<strong>{}</strong>", Text(&found)))?;
    entry(f, "Expected", Text(&outcome.expected))?;
    if let Some(detail) = &outcome.detail {
        entry(f, "Detail", Paragraph(detail))?;
    }
    if let Some(rows) = left_out(outcome) {
        entry(f, "Not judged", rows)?;
    }
    match outcome.nanos {
        0 => entry(f, "Evidence", evidence(outcome))?,
        nanos => {
            let (evidence, time) = (evidence(outcome), duration(nanos));
            entry(f, "Evidence", format_args!("{evidence} <small>in {time}</small>"))?;
        }
    }
    f.write_str("</dl>\n")?;
    if !outcome.samples.is_empty() {
        samples(f, outcome)?;
    }
    f.write_str("</article>\n")
}

fn entry(f: &mut fmt::Formatter<'_>, name: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "<div><dt>{name}</dt><dd>{value}</dd></div>")
}

/// Text in lines, as its author wrote it.
struct Paragraph<'a>(&'a str);

impl Display for Paragraph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, more) = cut(self.0, MOST);
        for (at, line) in text.lines().enumerate() {
            f.write_str(if at > 0 { "<br/>" } else { "" })?;
            characters(f, line)?;
        }
        rest(f, more)
    }
}

/// The start of a box that scrolls sideways, by keyboard too; the caller closes it.
pub(super) fn scroll(f: &mut fmt::Formatter<'_>, label: &str) -> fmt::Result {
    let label = Xml(label);
    write!(f, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{label}\">")
}

fn samples(f: &mut fmt::Formatter<'_>, outcome: &Outcome) -> fmt::Result {
    let headings = headings(outcome);
    let has = |of: fn(&Sample) -> bool| outcome.samples.iter().any(of);
    let rows = has(|sample| sample.row.is_some());
    let counts = has(|sample| sample.count.is_some());
    scroll(f, &format!("Samples of {}", outcome.check))?;
    f.write_str("<table class=\"samples\">\n<caption>")?;
    let shown = count(outcome.samples.len() as u64, "sample");
    f.write_str(&shown)?;
    f.write_str(if rows { "; rows are counted from 0" } else { "" })?;
    f.write_str("</caption>\n<thead><tr>")?;
    if rows {
        f.write_str("<th scope=\"col\" class=\"n\">Row</th>")?;
    }
    for name in &headings {
        write!(f, "<th scope=\"col\"><code>{}</code></th>", Text(name))?;
    }
    if counts {
        f.write_str("<th scope=\"col\" class=\"n\">Rows</th>")?;
    }
    f.write_str("</tr></thead>\n<tbody>\n")?;
    for sample in &outcome.samples {
        f.write_str("<tr>")?;
        if rows {
            write!(f, "<td class=\"n\">{}</td>", sample.row.map(integer).unwrap_or_default())?;
        }
        for at in 0..headings.len() {
            let value = Value(sample.values.get(at).and_then(Option::as_deref));
            write!(f, "<td><code>{value}</code></td>")?;
        }
        if counts {
            write!(f, "<td class=\"n\">{}</td>", sample.count.map(integer).unwrap_or_default())?;
        }
        f.write_str("</tr>\n")?;
    }
    f.write_str("</tbody></table></div>\n")
}

/// Checks of which a line says enough.
pub(super) fn table(f: &mut fmt::Formatter<'_>, outcomes: &[&Outcome]) -> fmt::Result {
    scroll(f, "Checks")?;
    f.write_str("<table class=\"checks\"><thead><tr>")?;
    for name in ["Check", "Expected", "Found", "Decided by"] {
        write!(f, "<th scope=\"col\">{name}</th>")?;
    }
    f.write_str("<th scope=\"col\" class=\"n\">Time</th></tr></thead><tbody>\n")?;
    for outcome in outcomes {
        write!(f, "<tr><td><code>{}</code>", Text(&outcome.check))?;
        if let Some(why) = &outcome.description {
            write!(f, "<br/><small>{}</small>", Paragraph(why))?;
        }
        write!(f, "</td><td>{}</td>", Text(&outcome.expected))?;
        write!(f, "<td>{}", Text(&found(outcome)))?;
        let besides = left_out(outcome);
        for more in besides.iter().chain(&outcome.detail) {
            write!(f, "<br/><small>{}</small>", Paragraph(more))?;
        }
        write!(f, "</td><td>{}</td>", basis(outcome))?;
        let time = if outcome.nanos > 0 { duration(outcome.nanos) } else { String::new() };
        writeln!(f, "<td class=\"n\">{time}</td></tr>")?;
    }
    f.write_str("</tbody></table></div>\n")
}

/// Many checks, folded by what they look at, in the order in which that comes first.
pub(super) fn by_column(f: &mut fmt::Formatter<'_>, outcomes: &[&Outcome]) -> fmt::Result {
    let mut groups: Vec<(&[String], Vec<&Outcome>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for outcome in outcomes {
        let columns = outcome.columns.as_slice();
        let place = *places.entry(columns).or_insert_with(|| {
            groups.push((columns, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(outcome);
    }
    for (columns, outcomes) in groups {
        f.write_str("<details>\n<summary>")?;
        match columns {
            [] => f.write_str("The table as a whole")?,
            columns => write!(f, "<code>{}</code>", Text(&columns.join(", ")))?,
        }
        writeln!(f, " <small>{}</small></summary>", count(outcomes.len() as u64, "check"))?;
        table(f, &outcomes)?;
        f.write_str("</details>\n")?;
    }
    Ok(())
}
