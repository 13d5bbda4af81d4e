//! One check of a suite: a rule, and how much it matters.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::{Map, Value};

use super::{Mostly, Rule};
use crate::Key;

/// What a failed check means.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is worth knowing; the report still passes.
    Warn,
    /// The data is not fit to use.
    #[default]
    Error,
}

/// What a check of values makes of a row whose value is null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullPolicy {
    /// The row is not judged: neither passed nor failed, and counted as skipped.
    #[default]
    Skip,
    /// The row fails.
    Fail,
    /// The row passes.
    Pass,
}

/// What a check of values makes of a row whose value is NaN.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NanPolicy {
    /// The row fails: NaN is a value, and in no range and in no set.
    #[default]
    Fail,
    /// The row is not judged.
    Skip,
    /// The row passes.
    Pass,
}

/// One check: a [`Rule`] with its name, severity, tolerance and filter.
///
/// In JSON and YAML it is one flat map; `check` names the rule, the rule's fields follow:
///
/// ```
/// use mlops_core::validation::{Check, Rule, Severity};
///
/// let check: Check = serde_json::from_str(
///     r#"{"check": "range", "column": "distance", "min": 0, "exclusive_min": true,
///         "severity": "warn", "mostly": 0.99, "where": "origin = 'JFK'"}"#,
/// ).unwrap();
/// assert_eq!(check.severity, Severity::Warn);
/// assert!(matches!(&check.rule, Rule::Range(range) if range.column == "distance"));
/// assert_eq!(check.name(), "range(distance)");
///
/// let error = serde_json::from_str::<Check>(r#"{"check": "range", "column": "x", "mininum": 0}"#);
/// assert_eq!(
///     error.unwrap_err().to_string(),
///     "unknown field `mininum`, expected one of `column`, `min`, `max`, `exclusive_min`, `exclusive_max`",
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What must hold.
    pub rule: Rule,
    /// Its name in the report, unique in its suite; if not given, made of the rule and its columns.
    pub id: Option<Key>,
    /// What a failure means.
    pub severity: Severity,
    /// The share of judged rows that must pass. Rules that judge no rows have none.
    pub mostly: Mostly,
    /// A SQL expression: rows of which it is not true are not looked at. Rules that look at no rows
    /// have none.
    pub filter: Option<String>,
    /// What a null value means.
    pub nulls: NullPolicy,
    /// What a NaN means.
    pub nan: NanPolicy,
    /// Why the check is there, for the reader of a report.
    pub description: Option<String>,
}

impl Check {
    /// The fields that any check may have beside its rule's, as they stand in a suite.
    pub const FIELDS: [&str; 7] =
        ["id", "severity", "mostly", "where", "nulls", "nan", "description"];

    /// A check of `rule`: an error for every row that breaks it.
    pub fn new(rule: impl Into<Rule>) -> Self {
        Self {
            rule: rule.into(),
            id: None,
            severity: Severity::default(),
            mostly: Mostly::default(),
            filter: None,
            nulls: NullPolicy::default(),
            nan: NanPolicy::default(),
            description: None,
        }
    }

    /// Its [id](Check::id), or what is made of the rule and its columns: `unique(origin, time_hour)`.
    pub fn name(&self) -> String {
        match &self.id {
            Some(id) => id.to_string(),
            None => self.rule.to_string(),
        }
    }

    /// Gives it a name of its own.
    pub fn with_id(mut self, id: Key) -> Self {
        self.id = Some(id);
        self
    }

    /// Makes a failure a warning.
    pub fn warn(mut self) -> Self {
        self.severity = Severity::Warn;
        self
    }

    /// Lets `1 − mostly` of the judged rows fail.
    pub fn with_mostly(mut self, mostly: Mostly) -> Self {
        self.mostly = mostly;
        self
    }

    /// Looks only at rows of which this SQL expression is true.
    pub fn with_filter(mut self, expression: impl Into<String>) -> Self {
        self.filter = Some(expression.into());
        self
    }

    /// What a null value means.
    pub fn with_nulls(mut self, nulls: NullPolicy) -> Self {
        self.nulls = nulls;
        self
    }

    /// What a NaN means.
    pub fn with_nan(mut self, nan: NanPolicy) -> Self {
        self.nan = nan;
        self
    }

    /// Why it is there.
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

impl<R: Into<Rule>> From<R> for Check {
    fn from(rule: R) -> Self {
        Self::new(rule)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// The fields beside the rule's own.
#[derive(Serialize, Deserialize)]
struct Around {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Key>,
    #[serde(default, skip_serializing_if = "is_default")]
    severity: Severity,
    #[serde(default, skip_serializing_if = "Mostly::is_all")]
    mostly: Mostly,
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    nulls: NullPolicy,
    #[serde(default, skip_serializing_if = "is_default")]
    nan: NanPolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rule = serde_json::to_value(&self.rule).map_err(ser::Error::custom)?;
        let around = Around {
            id: self.id.clone(),
            severity: self.severity,
            mostly: self.mostly,
            filter: self.filter.clone(),
            nulls: self.nulls,
            nan: self.nan,
            description: self.description.clone(),
        };
        let around = serde_json::to_value(around).map_err(ser::Error::custom)?;
        let (Value::Object(mut all), Value::Object(around)) = (rule, around) else {
            return Err(ser::Error::custom("a check is a map"));
        };
        all.extend(around);
        all.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rule = Map::<String, Value>::deserialize(deserializer)?;
        let around: Map<String, Value> =
            Self::FIELDS.iter().filter_map(|name| rule.remove_entry(*name)).collect();
        let rule: Rule = serde_json::from_value(rule.into()).map_err(de::Error::custom)?;
        let around: Around = serde_json::from_value(around.into()).map_err(de::Error::custom)?;
        Ok(Self {
            rule,
            id: around.id,
            severity: around.severity,
            mostly: around.mostly,
            filter: around.filter,
            nulls: around.nulls,
            nan: around.nan,
            description: around.description,
        })
    }
}
