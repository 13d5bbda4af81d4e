//! Rules about several columns of one row.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::is_default;

/// `all_or_none`: in each row all of the columns are null, or none is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllOrNone {
    /// The columns, two or more.
    pub columns: Vec<String>,
}

/// `mutually_exclusive`: in each row at most one of the columns is not null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutuallyExclusive {
    /// The columns, two or more.
    pub columns: Vec<String>,
    /// Whether one of them must be there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub required: bool,
}

/// `row_completeness`: in each row at least `min` of the columns are not null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowCompleteness {
    /// The columns.
    pub columns: Vec<String>,
    /// How many must be there.
    pub min: u64,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Comparison {
    /// Less.
    #[serde(rename = "<")]
    Less,
    /// Less or equal.
    #[serde(rename = "<=")]
    LessOrEqual,
    /// Equal.
    #[serde(rename = "=", alias = "==")]
    Equal,
    /// Not equal.
    #[serde(rename = "!=", alias = "<>")]
    NotEqual,
    /// Greater or equal.
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// Greater.
    #[serde(rename = ">")]
    Greater,
}

impl Comparison {
    /// Its sign.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }
}

/// `compare`: in each row one column compares with another. Both are of one family of types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// The column on the left.
    pub left: String,
    /// How.
    pub op: Comparison,
    /// The column on the right.
    pub right: String,
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.left, self.op.as_str(), self.right)
    }
}

/// `expression`: a SQL expression is true in each row; unknown counts as a null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expression {
    /// The expression.
    pub sql: String,
}

/// `implies`: in each row where `when` is true, `then` is true; where it is not, nothing is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Implies {
    /// The condition, a SQL expression.
    pub when: String,
    /// What must be true then, a SQL expression; unknown counts as a null.
    pub then: String,
}

/// `custom`: a function of the user's program judges the rows, by the name it was handed in under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// The function.
    pub function: String,
    /// The columns it is given, in this order.
    pub columns: Vec<String>,
    /// What else it is given.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub options: Value,
}

macro_rules! many_columns {
    ($($rule:ident),*) => {$(
        impl $rule {
            pub(super) fn columns(&self) -> Vec<&str> {
                self.columns.iter().map(String::as_str).collect()
            }
        }
    )*};
}

many_columns!(AllOrNone, MutuallyExclusive, RowCompleteness, Custom);

impl Compare {
    pub(super) fn columns(&self) -> Vec<&str> {
        vec![&self.left, &self.right]
    }
}

macro_rules! no_columns {
    ($($rule:ident),*) => {$(
        impl $rule {
            pub(super) fn columns(&self) -> Vec<&str> {
                Vec::new()
            }
        }
    )*};
}

no_columns!(Expression, Implies);
