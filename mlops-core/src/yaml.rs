//! As much YAML as people and programs write by hand: maps, lists and scalars of YAML 1.2.
//!
//! Policies, access rules and suites come in as YAML or JSON, and MLflow keeps its records as YAML. All
//! of it becomes a [`Value`], so that one reader of JSON decides what the words mean. The non-obvious
//! decision is what is refused: aliases and merge keys, because a few lines of them unfold to
//! gigabytes and a policy should stand where it is read; a key that is there twice, because one of the
//! two would be lost silently; and custom tags, because what they mean is another program's secret.
//!
//! YAML 1.1 took `no` for false, `0o14` for a text and `014` for 12. This reader follows the core
//! schema of 1.2: `no` is a text, `0o14` is 12, `014` is 14. A file that a 1.1 writer made is read with
//! [`Scalars::AsText`]: every scalar stays as it stands, and who asks decides what it means.
//! [`write()`] quotes whatever either version would take for something else.
//!
//! ```
//! use mlops_core::yaml;
//!
//! let value = yaml::read_document("checks: [{column: no, min: 0o14}]").unwrap();
//! assert_eq!(value, serde_json::json!({"checks": [{"column": "no", "min": 12}]}));
//! assert_eq!(yaml::write(&value), "checks:\n  - column: 'no'\n    min: 12\n");
//!
//! let bad = yaml::read_document("a: 1\na: 2").unwrap_err();
//! assert_eq!(bad.to_string(), "has the key \"a\" twice (line 2, column 1)");
//! ```

mod document;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::{Map, Number, Value};

pub use self::document::read_document;
pub use self::write::{write, write_in_order};

/// Deeper than anything that is written by hand.
const DEPTH: usize = 64;

/// What plain scalars become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalars {
    /// Null, truth values and numbers of YAML 1.2's core schema; the rest are texts.
    Core,
    /// Texts, but for null.
    AsText,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong, to be read after the name of the text.
    pub message: String,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {}, column {})", self.message, self.line, self.column)
    }
}

impl std::error::Error for Bad {}

/// Reads a text that is one document; no document at all is null.
///
/// # Errors
/// What is wrong and where: text that is no YAML, a second document, a key twice, an alias, a merge
/// key, a tag other than those of JSON's types, a number that is not finite, more than 64 levels.
pub fn read(text: &str, scalars: Scalars) -> Result<Value, Bad> {
    let mut reader = Reader { parser: Parser::new_from_str(text), scalars };
    let mut found = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => return Ok(found.unwrap_or(Value::Null)),
            _ if found.is_some() => return Err(bad(span, "has a second document")),
            event => found = Some(reader.node(event, span, 0)?),
        }
    }
}

struct Reader<'i, I: saphyr_parser::Input> {
    parser: Parser<'i, I>,
    scalars: Scalars,
}

impl<'i, I: saphyr_parser::Input> Reader<'i, I> {
    fn next(&mut self) -> Result<(Event<'i>, Span), Bad> {
        match self.parser.next_event() {
            Some(event) => event.map_err(|e| of_scan(&e)),
            None => Err(Bad { line: 1, column: 1, message: "ends in the middle".to_owned() }),
        }
    }

    fn node(&mut self, event: Event<'i>, span: Span, depth: usize) -> Result<Value, Bad> {
        if depth > DEPTH {
            return Err(bad(span, "is nested too deeply"));
        }
        match event {
            Event::Scalar(text, style, _, tag) => self.scalar(&text, style, tag.as_deref(), span),
            Event::MappingStart(_, tag) => {
                self.check_tag(tag.as_deref(), "map", span)?;
                self.map(depth + 1)
            }
            Event::SequenceStart(_, tag) => {
                self.check_tag(tag.as_deref(), "seq", span)?;
                self.list(depth + 1)
            }
            Event::Alias(_) => Err(bad(span, "has an alias; write out what it stands for")),
            _ => Err(bad(span, "ends in the middle")),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Bad> {
        let mut entries = Map::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Object(entries)),
                Event::Scalar(text, style, ..) => {
                    if &*text == "<<" && style == ScalarStyle::Plain {
                        return Err(bad(span, "has a merge key; write out what it merges"));
                    }
                    text.into_owned()
                }
                _ => return Err(bad(span, "has a key that is not a text")),
            };
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth)?;
            if entries.contains_key(&key) {
                let message = format!("has the key \"{}\" twice", key.escape_debug());
                return Err(bad(span, message));
            }
            entries.insert(key, value);
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Bad> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, span) => items.push(self.node(event, span, depth)?),
            }
        }
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Value, Bad> {
        let plain = style == ScalarStyle::Plain;
        let as_text = || Ok(Value::String(text.to_owned()));
        if self.scalars == Scalars::AsText {
            return if plain && is_null(text) { Ok(Value::Null) } else { as_text() };
        }
        match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => return as_text(),
            tag => self.check_tag(tag, "", span)?,
        }
        if !plain {
            return as_text();
        }
        core(text).map_or_else(as_text, |value| value.map_err(|message| bad(span, message)))
    }

    fn check_tag(&self, tag: Option<&Tag>, allowed: &str, span: Span) -> Result<(), Bad> {
        match tag {
            Some(tag)
                if self.scalars == Scalars::Core
                    && !(tag.is_yaml_core_schema() && tag.suffix == allowed) =>
            {
                let tag = tag.to_string();
                Err(bad(span, format!("has the tag \"{}\"; leave it out", tag.escape_debug())))
            }
            _ => Ok(()),
        }
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// What a plain scalar is in the core schema; `None` for a text.
fn core(text: &str) -> Option<Result<Value, &'static str>> {
    if is_null(text) {
        return Some(Ok(Value::Null));
    }
    match text {
        "true" | "True" | "TRUE" => return Some(Ok(Value::Bool(true))),
        "false" | "False" | "FALSE" => return Some(Ok(Value::Bool(false))),
        _ => {}
    }
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Err("has a number that is not finite"));
    }
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.bytes().all(|b| char::from(b).is_digit(radix))
        {
            let number = u64::from_str_radix(digits, radix).map(Value::from);
            return Some(number.map_err(|_| "has a number above 2^64 - 1"));
        }
    }
    if !is_number(digits) {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        let unsigned = digits.parse::<u64>().ok();
        let whole = if negative {
            text.parse::<i64>().ok().map(Value::from)
        } else {
            unsigned.map(Value::from)
        };
        if let Some(whole) = whole {
            return Some(Ok(whole));
        }
    }
    let number = text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number);
    Some(number.ok_or("has a number that is not finite"))
}

/// `[0-9]+(\.[0-9]*)?` or `\.[0-9]+`, and an exponent.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let all = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let some = |text: &str| !text.is_empty() && all(text);
    let good = match mantissa.split_once('.') {
        Some(("", fraction)) => some(fraction),
        Some((whole, fraction)) => some(whole) && all(fraction),
        None => some(mantissa),
    };
    good && exponent.is_none_or(|e| some(e.strip_prefix(['-', '+']).unwrap_or(e)))
}

fn of_scan(error: &ScanError) -> Bad {
    let marker = error.marker();
    Bad { line: marker.line(), column: marker.col() + 1, message: error.info().to_owned() }
}

fn bad(span: Span, message: impl Into<String>) -> Bad {
    Bad { line: span.start.line(), column: span.start.col() + 1, message: message.into() }
}
