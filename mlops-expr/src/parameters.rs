//! Values for the `:name` of an expression.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The value of a parameter. It takes part as a literal would, never as a piece of text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Parameter {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number; where it meets decimals it is the shortest decimal that means it.
    Float(f64),
    /// A text; where it meets a date or timestamp it is read as one.
    Text(String),
}

/// Values by name.
///
/// ```
/// use mlops_expr::Parameters;
///
/// let parameters = Parameters::new().with("least", 0.5).with("state", "CA");
/// assert_eq!(serde_json::to_string(&parameters).unwrap(), r#"{"least":0.5,"state":"CA"}"#);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parameters(BTreeMap<String, Parameter>);

impl Parameters {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value, or replaces it.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Parameter>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.0.get(name)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>, V: Into<Parameter>> FromIterator<(N, V)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(values: I) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl From<bool> for Parameter {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Parameter {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Parameter {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<String> for Parameter {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Parameter {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
