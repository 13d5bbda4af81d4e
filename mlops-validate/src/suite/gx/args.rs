//! The arguments of an expectation. Whoever reads one takes it away; what is left was not understood.

use mlops_core::validation::{Check, Literal, Mostly, Severity};
use serde_json::{Map, Value};

use super::{Reason, condition};

/// Arguments that say how to run or show an expectation, not what it asks for.
const IDLE: [&str; 8] = [
    "batch_id",
    "result_format",
    "include_config",
    "catch_exceptions",
    "meta",
    "auto",
    "profiler_config",
    "severity",
];

pub(super) struct Args(Map<String, Value>);

/// What a check has beside its rule.
pub(super) struct Around {
    severity: Severity,
    mostly: Mostly,
    filter: Option<String>,
}

/// Which rows several columns leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IgnoreRows {
    AllMissing,
    AnyMissing,
    Never,
}

impl Args {
    pub(super) fn new(kwargs: &Value) -> Result<Self, Reason> {
        let Value::Object(kwargs) = kwargs else {
            return Err("its arguments are no map".to_owned());
        };
        let mut kwargs = kwargs.clone();
        kwargs.retain(|name, value| !value.is_null() && !IDLE.contains(&name.as_str()));
        if let Some(name) = kwargs.iter().find(|(_, value)| has_parameter(value)).map(|(n, _)| n) {
            return Err(format!(
                "`{name}` is an evaluation parameter; write the value, or a suite with `params`"
            ));
        }
        Ok(Self(kwargs))
    }

    /// What is said beside the rule.
    pub(super) fn around(&mut self, severity: Option<&str>) -> Result<Around, Reason> {
        let severity = match severity {
            None | Some("critical") => Severity::Error,
            Some("warning" | "info") => Severity::Warn,
            Some(other) => return Err(format!("unknown severity \"{other}\"")),
        };
        let mostly = match self.0.remove("mostly").map(|value| value.as_f64()) {
            None => Mostly::ALL,
            Some(Some(0.0)) => return Err("with a `mostly` of 0 it asks for nothing".to_owned()),
            Some(share) => share
                .and_then(|share| Mostly::new(share).ok())
                .ok_or("`mostly` is no share of rows")?,
        };
        let parser = self.0.remove("condition_parser");
        let filter = match self.0.remove("row_condition") {
            None => None,
            Some(Value::String(text)) => {
                Some(condition::to_sql(&text, parser.as_ref().and_then(Value::as_str))?)
            }
            Some(_) => return Err("`row_condition` is no text".to_owned()),
        };
        Ok(Around { severity, mostly, filter })
    }

    /// Whether something is left that nobody asked for.
    pub(super) fn finish(self) -> Result<(), Reason> {
        match self.0.into_iter().find(|(_, value)| *value != Value::Bool(false)) {
            Some((name, _)) => Err(format!("the argument `{name}` has no counterpart")),
            None => Ok(()),
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, Reason> {
        match self.take(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("`{name}` is no text")),
            None => Err(format!("`{name}` is missing")),
        }
    }

    pub(super) fn column(&mut self) -> Result<String, Reason> {
        self.text("column")
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Reason> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(format!("`{name}` is not true or false")),
        }
    }

    /// A list; nothing where it is left out.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Reason> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(format!("`{name}` is no list")),
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>, Reason> {
        let items = self.list(name)?.ok_or_else(|| format!("`{name}` is missing"))?;
        items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(format!("`{name}` has something else than texts")),
            })
            .collect()
    }

    /// A list of values, each once and without nulls, which are never compared; nothing where it is
    /// left out.
    pub(super) fn values(&mut self, name: &str) -> Result<Option<Vec<Literal>>, Reason> {
        let Some(items) = self.list(name)? else {
            return Ok(None);
        };
        let mut values = Vec::with_capacity(items.len());
        for item in items.into_iter().filter(|item| !item.is_null()) {
            let value = literal(item, name)?;
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Ok(Some(values))
    }

    pub(super) fn literal(&mut self, name: &str) -> Result<Option<Literal>, Reason> {
        self.take(name).map(|value| literal(value, name)).transpose()
    }

    /// `min_value` and `max_value`.
    pub(super) fn bounds(&mut self) -> Result<(Option<Literal>, Option<Literal>), Reason> {
        let (min, max) = (self.literal("min_value")?, self.literal("max_value")?);
        match (&min, &max) {
            (None, None) => Err("without bounds it asks for nothing".to_owned()),
            (Some(least), Some(greatest)) if number(least) > number(greatest) => {
                Err("its `min_value` is above its `max_value`".to_owned())
            }
            _ => Ok((min, max)),
        }
    }

    /// `min_value` and `max_value` of a count; strict ones are the next whole numbers.
    pub(super) fn counts(&mut self) -> Result<(Option<u64>, Option<u64>), Reason> {
        let (min, max) = self.bounds()?;
        let whole = |value: Option<Literal>| match value {
            None => Ok(None),
            Some(value) => match number(&value) {
                Some(n) if n.is_finite() => Ok(Some(n)),
                _ => Err("a bound of a count is no number".to_owned()),
            },
        };
        let (strict_min, strict_max) = (self.flag("strict_min")?, self.flag("strict_max")?);
        let least = whole(min)?.map(|n| if strict_min { n.floor() + 1.0 } else { n.ceil() });
        let greatest = whole(max)?.map(|n| if strict_max { n.ceil() - 1.0 } else { n.floor() });
        if greatest.is_some_and(|n| n < 0.0) {
            return Err("its `max_value` is below every count".to_owned());
        }
        // The casts saturate; a count is never near the end of 64 bits.
        Ok((least.map(|n| n.max(0.0) as u64), greatest.map(|n| n as u64)))
    }

    pub(super) fn ignored_rows(&mut self) -> Result<IgnoreRows, Reason> {
        match self.take("ignore_row_if") {
            None => Ok(IgnoreRows::AllMissing),
            Some(value) => match value.as_str() {
                Some("all_values_are_missing" | "both_values_are_missing") => {
                    Ok(IgnoreRows::AllMissing)
                }
                Some("any_value_is_missing" | "either_value_is_missing") => {
                    Ok(IgnoreRows::AnyMissing)
                }
                Some("never" | "neither") => Ok(IgnoreRows::Never),
                _ => Err("`ignore_row_if` is unknown".to_owned()),
            },
        }
    }
}

impl Around {
    pub(super) fn apply(&self, mut check: Check) -> Result<Check, Reason> {
        check.severity = self.severity;
        let of_rows = !matches!(
            check.rule.name(),
            "aggregate" | "row_count" | "column_type" | "schema" | "distinctness"
        );
        if !self.mostly.is_all() {
            // A check that has a share of its own already is one of all rows.
            if !of_rows || !check.mostly.is_all() {
                return Err("`mostly` of something that judges no rows".to_owned());
            }
            check.mostly = self.mostly;
        }
        check.filter = match (check.filter.take(), &self.filter) {
            (Some(own), Some(asked)) => Some(format!("({own}) AND ({asked})")),
            (own, asked) => own.or_else(|| asked.clone()),
        };
        Ok(check)
    }
}

fn has_parameter(value: &Value) -> bool {
    match value {
        Value::Object(entries) => {
            entries.iter().any(|(key, value)| key.starts_with("$PARAMETER") || has_parameter(value))
        }
        Value::Array(items) => items.iter().any(has_parameter),
        _ => false,
    }
}

fn literal(value: Value, name: &str) -> Result<Literal, Reason> {
    serde_json::from_value(value)
        .map_err(|_| format!("`{name}` has something else than numbers and texts"))
}

/// The number that a literal is.
fn number(literal: &Literal) -> Option<f64> {
    match literal {
        Literal::Int(n) => Some(*n as f64),
        Literal::UInt(n) => Some(*n as f64),
        Literal::Float(n) => Some(*n),
        Literal::Bool(_) | Literal::Text(_) => None,
    }
}
