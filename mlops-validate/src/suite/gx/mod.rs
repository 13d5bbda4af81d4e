//! Suites of Great Expectations taken over.
//!
//! [`import`] reads the JSON of a suite, of the 0.x releases and of 1.x, and makes checks of the
//! expectations that have a counterpart. The rest are listed with the reason, never dropped silently.
//! The non-obvious decision: an expectation is taken over only if the check passes and fails on the
//! same tables. Where a corner differs, the check has a [`Note`] that says which; where an argument is
//! not understood, the expectation is not taken over, because it may be the one that matters.
//!
//! What differs in general: a NaN of pandas is a missing value, so the checks skip NaN; columns are not
//! turned into text before a pattern meets them; what had nothing to judge is vacuous here, which
//! warns, where Great Expectations takes no rows for success and no mean for failure.

mod args;
mod columns;
mod condition;
mod numbers;
mod pattern;
mod table;
#[cfg(test)]
mod tests;
mod types;
mod values;

use std::collections::BTreeSet;

use mlops_core::validation::{Check, Suite};
use mlops_core::{Error, Key, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::args::Args;

const OPERATION: &str = "suite.gx";

/// What became of a suite of Great Expectations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Imported {
    /// The checks that have been made.
    pub suite: Suite,
    /// Where a check is not in every corner what the expectation is.
    pub notes: Vec<Note>,
    /// The expectations that have no counterpart here.
    pub not_imported: Vec<NotImported>,
}

/// Where a check is not in every corner what the expectation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The check's name.
    pub check: String,
    /// What differs.
    pub note: String,
}

/// An expectation that has no counterpart here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotImported {
    /// Its type: `expect_column_values_to_be_dateutil_parseable`.
    pub expectation: String,
    /// Why.
    pub reason: String,
    /// Its arguments.
    pub kwargs: Value,
}

/// Reads a suite of Great Expectations.
///
/// ```
/// use mlops_validate::suite::gx;
///
/// # fn main() -> mlops_core::Result<()> {
/// let imported = gx::import(r#"{
///     "name": "trips",
///     "expectations": [
///         {"type": "expect_column_values_to_be_between", "severity": "warning",
///          "kwargs": {"column": "fare", "min_value": 0, "strict_min": true, "mostly": 0.99,
///                     "row_condition": "col(\"paid\") == True",
///                     "condition_parser": "great_expectations"}},
///         {"type": "expect_column_values_to_be_dateutil_parseable", "kwargs": {"column": "at"}}
///     ]
/// }"#)?;
/// assert_eq!(
///     mlops_validate::suite::to_yaml(&imported.suite),
///     "suite: trips\nversion: 1\nchecks:\n  - check: range\n    column: fare\n    \
///      min: 0\n    exclusive_min: true\n    where: '\"paid\" = TRUE'\n    mostly: 0.99\n    \
///      severity: warn\n    nan: skip\n",
/// );
/// assert_eq!(imported.not_imported[0].reason, "no rule takes what dateutil takes for a date");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Invalid`: no JSON, or no suite of Great Expectations.
pub fn import(json: &str) -> Result<Imported> {
    let bad = |message: &'static str| Error::invalid(OPERATION, message);
    let value: Value = serde_json::from_str(json).map_err(|error| {
        bad("the text is no JSON").with("line", error.line()).with("column", error.column())
    })?;
    let form = "a suite is a map with a list `expectations`";
    let Some(expectations) = value.get("expectations").and_then(Value::as_array) else {
        return Err(bad("the text is no suite of Great Expectations").with_hint(form));
    };
    let name = ["name", "expectation_suite_name"].iter().find_map(|key| value.get(key)?.as_str());
    let mut suite = Suite::new(name.unwrap_or("great_expectations"))?;
    suite.description = value.get("meta").and_then(description);
    let mut imported = Imported { suite, notes: Vec::new(), not_imported: Vec::new() };
    let mut names = BTreeSet::new();
    for expectation in expectations {
        imported.add(expectation, &mut names);
    }
    Ok(imported)
}

/// Why an expectation is not taken over.
type Reason = String;

/// What an expectation becomes.
#[derive(Debug, Default)]
struct Made {
    checks: Vec<Check>,
    notes: Vec<&'static str>,
}

impl Made {
    fn note(mut self, note: &'static str) -> Self {
        self.notes.push(note);
        self
    }
}

impl<C: Into<Check>> From<C> for Made {
    fn from(check: C) -> Self {
        Self { checks: vec![check.into()], notes: Vec::new() }
    }
}

impl Imported {
    fn add(&mut self, expectation: &Value, names: &mut BTreeSet<String>) {
        let text = |key: &str| expectation.get(key).and_then(Value::as_str);
        let name = text("type").or_else(|| text("expectation_type")).unwrap_or_default();
        let kwargs = expectation.get("kwargs").cloned().unwrap_or_else(|| Map::new().into());
        match make(name, &kwargs, text("severity")) {
            Err(reason) => {
                self.not_imported.push(NotImported {
                    expectation: name.to_owned(),
                    reason,
                    kwargs,
                });
            }
            Ok(made) => {
                let why = expectation.get("meta").and_then(description);
                for mut check in made.checks {
                    check.description.clone_from(&why);
                    let name = unique_name(&mut check, names);
                    let note = |note: &&str| Note { check: name.clone(), note: (*note).to_owned() };
                    self.notes.extend(made.notes.iter().map(note));
                    self.suite.checks.push(check);
                }
            }
        }
    }
}

fn make(name: &str, kwargs: &Value, severity: Option<&str>) -> Result<Made, Reason> {
    let mut args = Args::new(kwargs)?;
    let around = args.around(severity)?;
    let made = values::make(name, &mut args)
        .or_else(|| columns::make(name, &mut args))
        .or_else(|| numbers::make(name, &mut args))
        .or_else(|| table::make(name, &mut args))
        .unwrap_or_else(|| Err(no_counterpart(name).to_owned()))?;
    args.finish()?;
    let checks = made.checks.into_iter().map(|check| around.apply(check));
    Ok(Made { checks: checks.collect::<Result<_, _>>()?, notes: made.notes })
}

/// Why an expectation has no counterpart, whatever its arguments.
fn no_counterpart(name: &str) -> &'static str {
    match name.strip_prefix("expect_").unwrap_or(name) {
        "column_values_to_be_dateutil_parseable" => "no rule takes what dateutil takes for a date",
        "column_values_to_match_strftime_format" => {
            "strptime takes more than a format: `format: date` and `format: date_time` are ISO 8601's"
        }
        "column_values_to_match_json_schema" => {
            "no rule knows JSON schemas; `format: json` is less"
        }
        "column_value_z_scores_to_be_less_than" => {
            "no rule compares a value with the mean and deviation of its own column"
        }
        "column_most_common_value_to_be_in_set" => "no rule asks for the most common value",
        "column_kl_divergence_to_be_less_than"
        | "column_chisquare_test_p_value_to_be_greater_than"
        | "column_bootstrapped_ks_test_p_value_to_be_greater_than"
        | "column_parameterized_distribution_ks_test_p_value_to_be_greater_than"
        | "column_pair_cramers_phi_value_to_be_less_than" => {
            "`distribution` compares with a profile of good data, not with weights in the suite"
        }
        "table_column_count_to_be_between" | "table_column_count_to_equal" => {
            "no rule counts columns; `schema` names them"
        }
        "" => "it has no type",
        _ => {
            "not an expectation of the core, or a query: write it as an `expression` or a `custom` rule"
        }
    }
}

/// Gives a check that has another's name one of its own.
fn unique_name(check: &mut Check, names: &mut BTreeSet<String>) -> String {
    let name = check.name();
    let mut free = name.clone();
    for number in 2.. {
        if names.insert(free.clone()) {
            break;
        }
        free = format!("{name} #{number}");
        match Key::new(&free) {
            Ok(id) => check.id = Some(id),
            // Too long for a name: the number alone will do.
            Err(_) => check.id = Key::new(format!("{} #{number}", check.rule.name())).ok(),
        }
        free = check.name();
    }
    free
}

/// The notes that people put under `meta`.
fn description(meta: &Value) -> Option<String> {
    let notes = meta.get("notes")?;
    let lines = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(lines) => {
            Some(lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    };
    lines(notes).or_else(|| lines(notes.get("content")?)).filter(|text| !text.is_empty())
}
