//! YAML that people like to read, and that no reader takes for something else.
//!
//! One map entry a line, short lists of scalars on one line, texts plain where that is safe in YAML 1.1
//! *and* 1.2, texts of several lines as `|` blocks. Own code, because the crates beside our parser do
//! not fit: `saphyr`'s emitter writes `1e300` as 301 digits and texts that 1.1 takes for numbers without
//! quotes, and has no flow lists; `serde_yaml` is unmaintained.

use std::fmt::Write;

use serde_json::{Map, Number, Value};

/// A flow list is at most so long, with all that stands before it.
const WIDTH: usize = 100;

/// An implicit key may have 1,024 characters.
const LONGEST_KEY: usize = 1_000;

/// YAML of a value, with a line break at the end; keys stand in the map's order.
///
/// [`super::read`] of it is the value again, in a reader of YAML 1.1 too.
///
/// ```
/// let value = serde_json::json!({"on": "no", "sql": "a > 0\nand b", "values": ["x", 1, "12:30"]});
/// assert_eq!(
///     mlops_core::yaml::write(&value),
///     "'on': 'no'\nsql: |-\n  a > 0\n  and b\nvalues: [x, 1, '12:30']\n",
/// );
/// ```
pub fn write(value: &Value) -> String {
    write_in_order(value, &[])
}

/// [`write()`], with these keys first in every map that has them, in this order.
pub fn write_in_order(value: &Value, first: &[&str]) -> String {
    let mut writer = Writer { out: String::new(), first };
    writer.node(value, 0, Place::Root);
    if !writer.out.ends_with('\n') {
        writer.out.push('\n');
    }
    writer.out
}

struct Writer<'a> {
    out: String,
    first: &'a [&'a str],
}

/// What stands before a node on its line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing.
    Root,
    /// `key:`
    Key,
    /// `-`
    Item,
}

impl Writer<'_> {
    /// Writes a node; its lines but the first begin with `indent` spaces.
    fn node(&mut self, value: &Value, indent: usize, place: Place) {
        match value {
            Value::Object(entries) if !entries.is_empty() => self.map(entries, indent, place),
            Value::Array(items) if !items.is_empty() => {
                match flow(items).filter(|flow| self.column() + flow.len() < WIDTH) {
                    Some(flow) => self.inline(&flow, place),
                    None => self.list(items, indent, place),
                }
            }
            Value::String(text) => match block(text, indent) {
                Some(block) if place != Place::Root => self.inline(&block, place),
                _ => self.inline(&scalar(value), place),
            },
            scalar_value => self.inline(&scalar(scalar_value), place),
        }
    }

    fn inline(&mut self, text: &str, place: Place) {
        if place != Place::Root {
            self.out.push(' ');
        }
        self.out.push_str(text);
    }

    /// Begins a line; the first entry of a map in a list stands behind the `-`.
    fn line(&mut self, indent: usize, place: Place, is_first: bool) {
        if is_first && place == Place::Item {
            self.out.push(' ');
            return;
        }
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn map(&mut self, entries: &Map<String, Value>, indent: usize, place: Place) {
        let rank = |key: &str| self.first.iter().position(|first| *first == key);
        let mut ordered: Vec<_> = entries.iter().collect();
        ordered.sort_by_key(|(key, _)| rank(key).unwrap_or(self.first.len()));
        for (position, (key, value)) in ordered.into_iter().enumerate() {
            self.line(indent, place, position == 0);
            let key = quoted(key, false);
            if key.len() > LONGEST_KEY {
                self.out.extend(["? ", &key]);
                self.line(indent, Place::Key, false);
            } else {
                self.out.push_str(&key);
            }
            self.out.push(':');
            self.node(value, indent + 2, Place::Key);
        }
    }

    fn list(&mut self, items: &[Value], indent: usize, place: Place) {
        for (position, item) in items.iter().enumerate() {
            self.line(indent, place, position == 0);
            self.out.push('-');
            self.node(item, indent + 2, Place::Item);
        }
    }

    /// How much the line that is being written has.
    fn column(&self) -> usize {
        self.out.len() - self.out.rfind('\n').map_or(0, |at| at + 1)
    }
}

/// A list of scalars on one line; `None` if there is more in it.
fn flow(items: &[Value]) -> Option<String> {
    let mut out = String::from("[");
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push_str(", ");
        }
        match item {
            Value::String(text) if text.contains('\n') => return None,
            Value::String(text) => out.push_str(&quoted(text, true)),
            Value::Array(items) if !items.is_empty() => return None,
            Value::Object(entries) if !entries.is_empty() => return None,
            item => out.push_str(&scalar(item)),
        }
        if out.len() > WIDTH {
            return None;
        }
    }
    out.push(']');
    Some(out)
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Number(number) => of_number(number),
        Value::String(text) => quoted(text, false),
        // Null, truth values and what is empty are in YAML as in JSON.
        value => value.to_string(),
    }
}

/// YAML 1.1 takes `1e300` for a text; `1.0e+300` is a number to both.
fn of_number(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return text;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// A text of several lines as a `|` block; `None` where another form is safer.
fn block(text: &str, indent: usize) -> Option<String> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let lines = || body.split('\n');
    let odd = body.starts_with([' ', '\n'])
        || body.ends_with('\n')
        || lines().any(|line| line.ends_with([' ', '\t']) || line.starts_with('\t'))
        || body.chars().any(|c| c != '\n' && !is_printable(c));
    if !text.contains('\n') || body.is_empty() || odd {
        return None;
    }
    let mut out = String::from(if body.len() == text.len() { "|-" } else { "|" });
    for line in lines() {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent.max(2)));
            out.push_str(line);
        }
    }
    out.push('\n');
    Some(out)
}

/// A text on one line: plain, in single quotes, or, if it cannot be shown, in double quotes.
fn quoted(text: &str, in_flow: bool) -> String {
    if !text.chars().all(is_printable) {
        return escaped(text);
    }
    if is_plain(text, in_flow) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// Whether a text may stand without quotes. Narrow on purpose: all that either version of YAML reads
/// as something else begins with a digit or a sign, or is one of a few words.
fn is_plain(text: &str, in_flow: bool) -> bool {
    let special = if in_flow { &[',', '[', ']', '{', '}', ':'][..] } else { &[] };
    text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '/')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.contains(special)
        && !is_word(text)
}

/// What is a truth value or null to YAML 1.1 or 1.2.
fn is_word(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "true", "false", "on", "off", "null"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether a character may stand in a line as it is, to both versions.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn escaped(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c => {
                // Writing to a text cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}
