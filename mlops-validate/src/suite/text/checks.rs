//! One check of a file, with errors that say which field is wrong and what was probably meant.

use mlops_core::validation::{Check, Rule, Suite};
use mlops_core::{Error, Result};
use serde_json::{Map, Value, json};

use super::{OPERATION, kind};
use crate::nearest::nearest;

/// The suite's own fields, without its checks.
pub(super) fn suite(mut head: Map<String, Value>) -> Result<Suite> {
    if !head.contains_key("suite") {
        return Err(Error::invalid(OPERATION, "a suite has no name")
            .with_hint("it begins with `suite: its name`"));
    }
    head.insert("checks".to_owned(), json!([]));
    read(&Value::Object(head), "")
}

/// A check that stands at `place`: `checks[3]`.
pub(super) fn check(value: Value, place: &str) -> Result<Check> {
    let bad = |message: &str| Error::invalid(OPERATION, format!("{place}: {message}"));
    let Value::Object(mut fields) = value else {
        return Err(
            bad("write a map with the rule's name under `check`").with("found", kind(&value))
        );
    };
    let name = match fields.remove("check") {
        Some(Value::String(name)) => name,
        other => {
            let error = bad("no rule").with_hint("its name stands under `check`");
            return Err(match other {
                Some(other) => error.with("check", kind(&other)),
                None => error,
            });
        }
    };
    let around: Map<String, Value> =
        Check::FIELDS.iter().filter_map(|name| fields.remove_entry(*name)).collect();
    let fields = Value::Object(fields);
    let mut track = serde_path_to_error::Track::new();
    let read_rule =
        Rule::of_fields(&name, serde_path_to_error::Deserializer::new(&fields, &mut track));
    let rule = match read_rule {
        Some(Ok(rule)) => rule,
        Some(Err(error)) => {
            let path = track.path().to_string();
            return Err(of_serde(place, &path, &error.to_string(), Some(&name), &fields));
        }
        None => return Err(unknown_rule(place, &name)),
    };
    let mut all = around.clone();
    if let Ok(Value::Object(rule)) = serde_json::to_value(&rule) {
        all.extend(rule);
    }
    serde_json::from_value::<Check>(all.into()).map_err(|error| {
        // The fields beside the rule's are few: the one that is wrong alone is the one.
        let wrong = around.iter().find(|(field, value)| {
            let alone = json!({"check": "row_count", *field: value});
            serde_json::from_value::<Check>(alone).is_err()
        });
        let field = wrong.map_or("", |(field, _)| field.as_str());
        of_serde(place, field, &error.to_string(), None, &Value::Object(around.clone()))
    })
}

/// `value` as a `T`, or where it is not one.
fn read<T: serde::de::DeserializeOwned>(value: &Value, place: &str) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        of_serde(place, &error.path().to_string(), &error.inner().to_string(), None, value)
    })
}

fn unknown_rule(place: &str, name: &str) -> Error {
    let error = Error::invalid(OPERATION, format!("{place}: no such rule")).with("check", name);
    match nearest(name, Rule::NAMES.iter().copied()) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint(format!("one of {}", Rule::NAMES.join(", "))),
    }
}

/// Serde's message in ours; `path` is within `place`.
fn of_serde(place: &str, path: &str, message: &str, rule: Option<&str>, value: &Value) -> Error {
    let path = if path == "." { "" } else { path };
    let dot = if place.is_empty() || path.is_empty() || path.starts_with('[') { "" } else { "." };
    if let Some((unknown, known)) = of_unknown(message) {
        // Serde's path ends with the unknown field itself.
        let parent = path.strip_suffix(unknown).unwrap_or(path).trim_end_matches('.');
        let dot = if parent.is_empty() || place.is_empty() { "" } else { "." };
        let what = match rule {
            Some(rule) if parent.is_empty() => format!("`{rule}` has no field \"{unknown}\""),
            _ => format!("unknown \"{unknown}\""),
        };
        let at = format!("{place}{dot}{parent}");
        let colon = if at.is_empty() { "" } else { ": " };
        let error = Error::invalid(OPERATION, format!("{at}{colon}{what}"));
        let around: &[&str] =
            if rule.is_some() && parent.is_empty() { &Check::FIELDS } else { &[] };
        let all = known.iter().copied().chain(around.iter().copied());
        return match nearest(unknown, all.clone()) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error.with_hint(format!("known: {}", all.collect::<Vec<_>>().join(", "))),
        };
    }
    let at = format!("{place}{dot}{path}");
    let colon = if at.is_empty() { "" } else { ": " };
    let message = message
        .replace(
            "data did not match any variant of untagged enum Literal",
            "no number, text or truth value",
        )
        .replace(
            "data did not match any variant of untagged enum Expected",
            "write `{metric: …, reference: …}`, `{metric: …}` or `{previous: true}`",
        );
    let error = Error::invalid(OPERATION, format!("{at}{colon}{message}"));
    match value.pointer(&pointer(path)).filter(|_| !path.is_empty()) {
        Some(found @ (Value::Array(_) | Value::Object(_))) => error.with("found", kind(found)),
        Some(found) => error.with("found", found),
        None => error,
    }
}

/// `of.values[2]` as a pointer of JSON; the names of fields have no dots.
fn pointer(path: &str) -> String {
    let slashes = path.replace('[', "/").replace(']', "").replace('.', "/");
    format!("/{slashes}")
}

/// The name and what is known instead, of serde's ``unknown field `a`, expected one of `b`, `c` ``.
fn of_unknown(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message
        .strip_prefix("unknown field `")
        .or_else(|| message.strip_prefix("unknown variant `"))?;
    let (unknown, known) = rest.split_once("`, ")?;
    Some((unknown, known.split('`').skip(1).step_by(2).collect()))
}
