//! Policies and access rules from text that people write: YAML or JSON.
//!
//! A mistake in a policy is found when it is stored, by the one who wrote it, and not at midnight by the
//! one who rolls back. So everything unknown is refused with what is known instead, and the message
//! says where: the line and column of what is no YAML, or the path of what is no policy
//! (`stages.Production.gates[2]`).

#[cfg(test)]
mod tests;

use mlops_core::registry::{Access, MAX_DOCUMENT_BYTES, StagePolicy};
use mlops_core::{Error, Result, yaml};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

/// A policy from YAML or JSON.
///
/// # Errors
/// `Invalid`, naming the place: text that is neither, unknown stages, gates and fields, and what
/// [`StagePolicy::check`] refuses.
///
/// ```
/// use mlops_registry::models::policy_from_text;
///
/// let policy = policy_from_text("
/// stages:
///   Production:
///     from: [Staging]
///     gates:
///       - metric: {name: auc, at_least: 0.8}
///       - profile
///     approvals: {count: 1}
/// ").unwrap();
/// assert_eq!(policy.stages.len(), 1);
///
/// let error = policy_from_text("stages: {Production: {gates: [metrc]}}").unwrap_err();
/// assert!(error.to_string().contains("stages.Production.gates[0]: unknown gate \"metrc\""));
/// ```
pub fn policy_from_text(text: &str) -> Result<StagePolicy> {
    let policy: StagePolicy = from_text("policy", text)?;
    policy.check()?;
    Ok(policy)
}

/// Access rules from YAML or JSON.
///
/// # Errors
/// `Invalid`, naming the place, as [`policy_from_text`], and what [`Access::check`] refuses.
pub fn access_from_text(text: &str) -> Result<Access> {
    let access: Access = from_text("access", text)?;
    access.check()?;
    Ok(access)
}

/// Any value from YAML or JSON; `operation` stands at the start of the message.
///
/// # Errors
/// `Invalid` for a text above [`MAX_DOCUMENT_BYTES`], one that is neither YAML nor JSON (with its line
/// and column), one that is no map, a key that is there twice, an alias or merge key, or another shape than `T` has (with
/// the path inside).
pub fn from_text<T: DeserializeOwned + Serialize>(
    operation: &'static str,
    text: &str,
) -> Result<T> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(Error::invalid(operation, "the text is too long")
            .with("bytes", text.len())
            .with("at_most", MAX_DOCUMENT_BYTES));
    }
    let value = value(operation, text)?;
    if value.is_null() {
        return Err(Error::invalid(operation, "the text is empty"));
    }
    if !value.is_object() {
        return Err(Error::invalid(operation, "the text is no map of names to values")
            .with("found", kind_of(&value)));
    }
    let read: T = serde_path_to_error::deserialize(&value).map_err(|error| {
        let message = error.inner().to_string();
        let (mut path, pointer) = place::<T>(&value, error.path(), &message);
        let mut reason = reason(&path, &message);
        if message.contains("expected struct variant") {
            reason = fields_of::<T>(&value, &pointer).unwrap_or(reason);
        } else if NO_INSTANT.contains(&message.as_str())
            && let Some((key, text)) = no_instant::<T>(&value, &pointer, &message)
        {
            path = if path.is_empty() { key } else { path };
            reason = format!("\"{}\" is no instant ({message})", text.escape_debug());
        }
        Error::invalid(
            operation,
            if path.is_empty() { reason } else { format!("{path}: {reason}") },
        )
    })?;
    let written = serde_json::to_value(&read).unwrap_or_default();
    match list_for_map(&value, &written, String::new()) {
        None => Ok(read),
        Some(path) => {
            Err(Error::invalid(operation, format!("{path}: write a map of names to values"))
                .with("found", "a list"))
        }
    }
}

/// Where a list stands that was read as a structure. Serde takes a structure's fields from a list too,
/// in their order, and finds each of them left out in an empty one: rules of nothing.
fn list_for_map(given: &Value, written: &Value, path: String) -> Option<String> {
    match (given, written) {
        (Value::Array(_), Value::Object(_)) => Some(path),
        (Value::Array(given), Value::Array(written)) => {
            let mut items = given.iter().zip(written).enumerate();
            items.find_map(|(at, (given, written))| {
                list_for_map(given, written, format!("{path}[{at}]"))
            })
        }
        (Value::Object(given), Value::Object(written)) => given.iter().find_map(|(key, given)| {
            let dot = if path.is_empty() { "" } else { "." };
            list_for_map(given, written.get(key)?, format!("{path}{dot}{key}"))
        }),
        _ => None,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// What is said about texts that are no instants.
const NO_INSTANT: [&str; 5] = [
    "input contains invalid characters",
    "premature end of input",
    "trailing input",
    "input is out of range",
    "no possible date and time matching input",
];

/// The text that is no instant, and its key: serde knows no places within what has a `kind`, so there
/// the one is looked for whose correction changes the outcome.
fn no_instant<T: DeserializeOwned>(
    whole: &Value,
    pointer: &str,
    message: &str,
) -> Option<(String, String)> {
    match whole.pointer(pointer)? {
        Value::String(text) => Some((String::new(), text.clone())),
        Value::Object(entries) => entries.iter().find_map(|(key, value)| {
            let text = value.as_str()?;
            let mut other = whole.clone();
            other.pointer_mut(pointer)?[key] = "2000-01-01T00:00:00Z".into();
            let changed =
                T::deserialize(&other).map_or_else(|e| e.to_string() != message, |_| true);
            changed.then(|| (key.clone(), text.to_owned()))
        }),
        _ => None,
    }
}

/// What to write where something with fields stands without them: a gate by its mere name.
fn fields_of<T: DeserializeOwned>(whole: &Value, pointer: &str) -> Option<String> {
    let (parent, name) = pointer.rsplit_once('/')?;
    let mut probe = whole.clone();
    *probe.pointer_mut(parent)? = serde_json::json!({ name: { "": null } });
    let message = T::deserialize(&probe).err()?.to_string();
    let known = message.strip_prefix("unknown field ``, expected ")?;
    let known = known.trim_start_matches("one of ").replace(" or ", ", ").replace('`', "");
    Some(format!("write a map of names to values; known: {known}"))
}

/// The path as it stands in the text, and as a JSON pointer. Serde knows no keys that are read as enums (stages): such a key
/// is found as the one that alone gives the same error.
fn place<T: DeserializeOwned>(whole: &Value, path: &Path, message: &str) -> (String, String) {
    let mut text = String::new();
    // A JSON pointer to the same place, as far as it is one of the value.
    let mut pointer = String::new();
    for segment in path {
        let key = match segment {
            Segment::Seq { index } => {
                text.extend(["[", &index.to_string(), "]"]);
                pointer.extend(["/", &index.to_string()]);
                continue;
            }
            Segment::Map { key } => key.clone(),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => {
                let entries = whole.pointer(&pointer).and_then(Value::as_object);
                let same = |alone: Value| {
                    T::deserialize(&alone).is_err_and(|error| error.to_string() == message)
                };
                let found = entries.into_iter().flatten().find(|(key, value)| {
                    let mut alone = whole.clone();
                    if let Some(place) = alone.pointer_mut(&pointer) {
                        *place =
                            Value::Object(Map::from_iter([((*key).clone(), (*value).clone())]));
                    }
                    same(alone)
                });
                let Some((key, _)) = found else { break };
                key.clone()
            }
        };
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&key);
        pointer.push('/');
        pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    }
    (text, pointer)
}

fn value(operation: &'static str, text: &str) -> Result<Value> {
    yaml::read_document(text).map_err(|bad| {
        Error::invalid(operation, bad.message).with("line", bad.line).with("column", bad.column)
    })
}

/// Serde's words in ours: ``unknown variant `x`, expected one of `a`, `b` `` names what is unknown.
fn reason(path: &str, message: &str) -> String {
    for kind in ["variant", "field"] {
        let Some(rest) = message.strip_prefix("unknown ").and_then(|m| m.strip_prefix(kind)) else {
            continue;
        };
        let Some((name, known)) =
            rest.strip_prefix(" `").and_then(|rest| rest.split_once("`, expected "))
        else {
            continue;
        };
        let known = known.trim_start_matches("one of ").replace(" or ", ", ").replace('`', "");
        let what = if kind == "field" { "field" } else { noun(path) };
        return format!("unknown {what} \"{}\"; known: {known}", name.escape_debug());
    }
    message.to_owned()
}

/// What stands at a path: a gate in `stages.Production.gates[2]`.
fn noun(path: &str) -> &'static str {
    let last = path.rsplit('.').next().unwrap_or(path);
    let name = last.split('[').next().unwrap_or(last);
    match name {
        "gates" => "gate",
        "from" | "displaced_to" | "stages" => "stage",
        "permit" => "file format",
        "role" => "role",
        "direction" => "direction",
        "margin" => "margin",
        _ if path.starts_with("stages.") && !path["stages.".len()..].contains('.') => "stage",
        _ => "value",
    }
}
