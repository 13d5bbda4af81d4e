//! `${name}` filled with the value of a parameter.

use std::collections::BTreeMap;
use std::fmt::Write;

use mlops_core::{Error, Result};
use serde_json::Value;

use super::{OPERATION, kind};
use crate::nearest::nearest;

/// The fields of a check that are SQL.
const SQL: [&str; 4] = ["where", "sql", "when", "then"];

/// What all parameters together may paste: a file cannot unfold to gigabytes.
const MAX_PASTED: usize = 16 << 20;

/// Whether a parameter may have this name; what may stand after `:` in SQL.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Doubles the `$` of each `${`, so that filling gives the same value back.
pub(super) fn escape(value: &mut Value) {
    match value {
        Value::String(text) if text.contains("${") => *text = text.replace("${", "$${"),
        Value::Array(items) => items.iter_mut().for_each(escape),
        Value::Object(entries) => entries.values_mut().for_each(escape),
        _ => {}
    }
}

pub(super) struct Fill<'a> {
    values: &'a BTreeMap<String, Value>,
    pasted: usize,
}

impl<'a> Fill<'a> {
    pub(super) fn new(values: &'a BTreeMap<String, Value>) -> Self {
        Self { values, pasted: 0 }
    }

    /// Fills a check; `place` is `checks[3]`.
    pub(super) fn check(&mut self, check: &mut Value, place: &str) -> Result<()> {
        let Value::Object(fields) = check else {
            return Ok(());
        };
        for (name, value) in fields {
            let place = format!("{place}.{name}");
            match value {
                Value::String(text) if SQL.contains(&name.as_str()) => {
                    *text = self.sql(text, &place)?;
                }
                value => self.value(value, &place)?,
            }
        }
        Ok(())
    }

    /// Fills whatever is in a value.
    pub(super) fn value(&mut self, value: &mut Value, place: &str) -> Result<()> {
        match value {
            Value::String(text) if text.contains("${") => *value = self.text(text, place)?,
            Value::Array(items) => {
                for (position, item) in items.iter_mut().enumerate() {
                    self.value(item, &format!("{place}[{position}]"))?;
                }
            }
            Value::Object(entries) => {
                for (name, value) in entries {
                    self.value(value, &format!("{place}.{name}"))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str, place: &str) -> Result<Value> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                out.extend([before, "${"]);
                rest = &from[2..];
                continue;
            }
            let Some(end) = from.find('}') else {
                return Err(bad(place, "has a `${` without a `}`", text)
                    .with_hint("a `${` that is to stay is written `$${`"));
            };
            let found = self.lookup(from[2..end].trim(), place)?;
            self.pasted += match found {
                Value::String(text) => text.len(),
                _ => 32,
            };
            if self.pasted > MAX_PASTED {
                return Err(bad(place, "the parameters paste more than 16 MiB", text));
            }
            if before.is_empty()
                && out.is_empty()
                && rest.len() == text.len()
                && end + 1 == from.len()
            {
                return Ok(found.clone());
            }
            out.push_str(before);
            match found {
                Value::String(text) => out.push_str(text),
                Value::Bool(_) | Value::Number(_) => {
                    // Writing to a text cannot fail.
                    let _ = write!(out, "{found}");
                }
                other => {
                    return Err(bad(
                        place,
                        "only a text, a number or a truth value can be pasted",
                        text,
                    )
                    .with("parameter is", kind(other)));
                }
            }
            rest = &from[end + 1..];
        }
        out.push_str(rest);
        Ok(Value::String(out))
    }

    /// SQL is not filled: a value in it could be more than a value.
    fn sql(&self, text: &str, place: &str) -> Result<String> {
        let plain = text.replace("$${", "");
        let Some(at) = plain.find("${") else {
            return Ok(text.replace("$${", "${"));
        };
        let name = plain[at + 2..].split('}').next().unwrap_or_default().trim();
        let name = if self.values.contains_key(name) { name } else { "name" };
        Err(bad(place, "`${…}` does not stand in SQL", text).with_hint(format!("write `:{name}`")))
    }

    fn lookup(&self, name: &str, place: &str) -> Result<&'a Value> {
        self.values.get(name).ok_or_else(|| {
            let error = bad(place, "no such parameter", name);
            match nearest(name, self.values.keys().map(String::as_str)) {
                Some(near) => error.with_hint(format!("did you mean `${{{near}}}`?")),
                None => error.with_hint("parameters stand under `params`, with their defaults"),
            }
        })
    }
}

fn bad(place: &str, message: &str, text: &str) -> Error {
    let mut shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    Error::invalid(OPERATION, format!("{place}: {message}"))
        .with("text", format!("\"{}\"", shown.escape_debug()))
}
