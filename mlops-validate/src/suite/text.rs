//! Suites as people write them: YAML or JSON with parameters and includes.
//!
//! A [`Template`] is what a file says; [`Template::bind`] gives its parameters values and makes a
//! [`Suite`] of it. The non-obvious decision: `${name}` is filled into the *parsed* file, never into
//! its text, so no value can add a check, and not at all into SQL, where `:name` stands for a value
//! that is bound and never pasted.

mod checks;
mod fill;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::validation::{Literal, Suite};
use mlops_core::{Error, Result, yaml};
use serde_json::{Map, Value};

use self::fill::Fill;
pub use self::write::{to_json, to_yaml};
use crate::nearest::nearest;

pub(super) const OPERATION: &str = "suite.text";

/// Longest text of one file.
const MAX_BYTES: usize = 8 << 20;

/// Most files that one suite is made of.
const MAX_FILES: usize = 100;

/// The fields of a file, beside `params` and `include`, which [`Template`] takes.
const FIELDS: [&str; 5] = ["suite", "version", "description", "on_empty", "checks"];

/// A file that another one names under `include`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// What it is called in messages, and by which it is known to be read already: its full path.
    pub origin: String,
    /// What is in it.
    pub text: String,
}

/// A suite whose parameters have no values yet.
///
/// Beside the suite's own fields a file may have `params`, a map of names to default values (null:
/// it must be given), and `include`, a list of files whose checks come before its own.
///
/// `${name}` stands for a parameter wherever a value stands: alone it is the parameter's value with
/// its type, inside a longer text it is pasted; `$${` is a plain `${`. In SQL (`where`, `sql`, `when`,
/// `then`) write `:name` instead.
///
/// ```
/// use std::collections::BTreeMap;
/// use mlops_validate::suite::Template;
///
/// # fn main() -> mlops_core::Result<()> {
/// let template = Template::parse("
/// suite: orders
/// params:
///   oldest: 86400
///   states: [CA, NY]
///   least: null
/// checks:
///   - {check: freshness, column: created_at, max_age_secs: '${oldest}'}
///   - check: in_set
///     column: state
///     values: ${states}
///   - check: expression
///     sql: total >= :least
/// ", "orders.yaml")?;
/// let given = BTreeMap::from([("least".to_owned(), 5.into())]);
/// let suite = template.bind(&given)?;
/// assert_eq!(suite.checks[1].name(), "in_set(state)");
/// assert_eq!(template.parameters(&given)?["oldest"], 86_400.into());
///
/// let error = template.bind(&BTreeMap::new()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "suite.text: invalid: parameters without a value (parameters: least, file: orders.yaml)",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    origin: String,
    /// Defaults; null for what must be given.
    params: BTreeMap<String, Value>,
    /// The suite's own fields without the checks.
    head: Map<String, Value>,
    checks: Vec<Piece>,
}

/// A check, and where it stands.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    origin: String,
    position: usize,
    value: Value,
}

impl Template {
    /// Reads a file that includes no others; `origin` is what messages call it.
    ///
    /// # Errors
    /// `Invalid`, with line and column: text that is no YAML. `Invalid`, with the field: what no suite
    /// has, `params` that are no map, an `include`.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        Self::parse_with(text, origin, |path, _| {
            Err(Error::invalid(OPERATION, "an include, and nothing that reads it")
                .with("include", path)
                .with_hint("this suite is to stand in one file"))
        })
    }

    /// Reads a file and those it includes; `read` gets a path as it is written and the origin of the
    /// file that it stands in. A file that is included twice counts once.
    ///
    /// # Errors
    /// As [`Template::parse`], and what `read` returns. `Invalid`: a file that includes itself, over
    /// others or not; more than 100 files.
    pub fn parse_with(
        text: &str,
        origin: &str,
        mut read: impl FnMut(&str, &str) -> Result<Include>,
    ) -> Result<Self> {
        let mut reader = Reader { read: &mut read, done: BTreeSet::new(), open: Vec::new() };
        reader.file(text, origin)
    }

    /// What messages call the file.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The parameters and their defaults; null for one that must be given.
    pub fn params(&self) -> &BTreeMap<String, Value> {
        &self.params
    }

    /// The suite with these values of its parameters.
    ///
    /// # Errors
    /// `Invalid`, with file and field (`checks[3].min`): an unknown parameter or one without a value, a
    /// value of another type than the default's, an unknown rule or field, a value that the rule does
    /// not take, and what [`Suite::check`] refuses.
    pub fn bind(&self, given: &BTreeMap<String, Value>) -> Result<Suite> {
        let values = self.values(given)?;
        let mut fill = Fill::new(&values);
        let mut suite = self.head.clone();
        for (name, value) in &mut suite {
            fill.value(value, name).map_err(|e| e.with("file", &self.origin))?;
        }
        let mut suite = checks::suite(suite).map_err(|e| e.with("file", &self.origin))?;
        for piece in &self.checks {
            let mut value = piece.value.clone();
            let place = format!("checks[{}]", piece.position);
            let check = fill
                .check(&mut value, &place)
                .and_then(|()| checks::check(value, &place))
                .map_err(|e| e.with("file", &piece.origin))?;
            suite.checks.push(check);
        }
        suite.check().map_err(|e| e.with("file", &self.origin))?;
        Ok(suite)
    }

    /// The parameters as values of `:name` in SQL; lists and maps, which SQL has no place for, are left
    /// out.
    ///
    /// # Errors
    /// `Invalid`: an unknown parameter, one without a value or of another type than the default's.
    pub fn parameters(&self, given: &BTreeMap<String, Value>) -> Result<BTreeMap<String, Literal>> {
        let literal = |value| serde_json::from_value(value).ok();
        let values = self.values(given)?.into_iter();
        Ok(values.filter_map(|(name, value)| Some((name, literal(value)?))).collect())
    }

    fn values(&self, given: &BTreeMap<String, Value>) -> Result<BTreeMap<String, Value>> {
        let mut values = self.params.clone();
        for (name, value) in given {
            let Some(place) = values.get_mut(name) else {
                return Err(self.unknown(name));
            };
            if !place.is_null() && kind(place) != kind(value) {
                return Err(Error::invalid(OPERATION, "a parameter of another type")
                    .with("parameter", name)
                    .with("given", kind(value))
                    .with("default", kind(place))
                    .with("file", &self.origin));
            }
            *place = value.clone();
        }
        let missing: Vec<&str> =
            values.iter().filter(|(_, v)| v.is_null()).map(|(name, _)| name.as_str()).collect();
        if missing.is_empty() {
            return Ok(values);
        }
        Err(Error::invalid(OPERATION, "parameters without a value")
            .with("parameters", missing.join(", "))
            .with("file", &self.origin))
    }

    fn unknown(&self, name: &str) -> Error {
        let error = Error::invalid(OPERATION, "no such parameter")
            .with("parameter", name)
            .with("file", &self.origin);
        let known = self.params.keys().map(String::as_str);
        match nearest(name, known.clone()) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None if self.params.is_empty() => error.with_hint("the suite has no `params`"),
            None => error.with_hint(format!("it has {}", known.collect::<Vec<_>>().join(", "))),
        }
    }
}

/// Reads files and what they include.
struct Reader<'a> {
    read: &'a mut dyn FnMut(&str, &str) -> Result<Include>,
    done: BTreeSet<String>,
    /// The files that lead here.
    open: Vec<String>,
}

impl Reader<'_> {
    fn file(&mut self, text: &str, origin: &str) -> Result<Template> {
        let bad = |message: String| Error::invalid(OPERATION, message).with("file", origin);
        if text.len() > MAX_BYTES {
            return Err(bad("the text is longer than 8 MiB".to_owned()).with("bytes", text.len()));
        }
        let value = yaml::read_document(text).map_err(|e| {
            bad(format!("the text {}", e.message)).with("line", e.line).with("column", e.column)
        })?;
        let Value::Object(mut head) = value else {
            return Err(bad("the text is no map of names to values".to_owned())
                .with("found", kind(&value))
                .with_hint("a suite begins with `suite: its name`"));
        };
        let params = match head.remove("params") {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(Value::Object(params)) => params.into_iter().collect(),
            Some(other) => {
                return Err(bad("params: write a map of names to default values".to_owned())
                    .with("found", kind(&other)));
            }
        };
        if let Some(name) = params.keys().find(|name| !fill::is_name(name)) {
            return Err(bad("params: a name has letters, digits and `_`".to_owned())
                .with("parameter", name));
        }
        let includes = paths(head.remove("include")).map_err(|e| e.with("file", origin))?;
        let own = match head.remove("checks") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(checks)) => checks,
            Some(other) => {
                return Err(
                    bad("checks: write a list of checks".to_owned()).with("found", kind(&other))
                );
            }
        };
        if let Some(name) = head.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            let known = FIELDS.into_iter().chain(["params", "include"]);
            let error = bad(format!("a suite has no field \"{}\"", name.escape_debug()));
            return Err(match nearest(name, known.clone()) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error.with_hint(format!("it has {}", known.collect::<Vec<_>>().join(", "))),
            });
        }
        self.open.push(origin.to_owned());
        self.done.insert(origin.to_owned());
        let mut all = Template { origin: origin.to_owned(), params, head, checks: Vec::new() };
        for path in includes {
            self.include(&path, origin, &mut all)?;
        }
        self.open.pop();
        all.checks.extend(own.into_iter().enumerate().map(|(position, value)| Piece {
            origin: origin.to_owned(),
            position,
            value,
        }));
        Ok(all)
    }

    fn include(&mut self, path: &str, from: &str, into: &mut Template) -> Result<()> {
        let file = (self.read)(path, from)?;
        if self.open.contains(&file.origin) {
            let way = self.open.join(" includes ");
            return Err(Error::invalid(OPERATION, "a file includes itself")
                .with("way", format!("{way} includes {}", file.origin)));
        }
        if self.done.contains(&file.origin) {
            return Ok(());
        }
        if self.done.len() >= MAX_FILES {
            return Err(
                Error::invalid(OPERATION, "a suite of more than 100 files").with("file", from)
            );
        }
        let part = self.file(&file.text, &file.origin)?;
        for (name, default) in part.params {
            into.params.entry(name).or_insert(default);
        }
        into.checks.extend(part.checks);
        Ok(())
    }
}

fn paths(include: Option<Value>) -> Result<Vec<String>> {
    let bad = |found: &Value| {
        Error::invalid(OPERATION, "include: write a list of paths").with("found", kind(found))
    };
    match include {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(path)) => Ok(vec![path]),
        Some(Value::Array(paths)) => paths
            .into_iter()
            .map(|path| match path {
                Value::String(path) => Ok(path),
                other => Err(bad(&other)),
            })
            .collect(),
        Some(other) => Err(bad(&other)),
    }
}

/// What a value is, in a word.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
