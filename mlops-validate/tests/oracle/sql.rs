//! Conditions: a few forms of SQL with what they mean, in three-valued logic.

use std::cmp::Ordering;

use mlops_core::validation::Comparison;

use crate::kind::Kind;
use crate::number::Number;
use crate::rng::Rng;
use crate::table::Column;
use crate::value::Value;

/// A condition over one row.
#[derive(Debug, Clone)]
pub(crate) enum Cond {
    Null(String, bool),
    Is(String, Comparison, String, Value),
    And(Box<Cond>, Box<Cond>),
    Or(Box<Cond>, Box<Cond>),
    Not(Box<Cond>),
}

pub(crate) const COMPARISONS: [Comparison; 6] = [
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::GreaterOrEqual,
    Comparison::Greater,
];

/// Whether two values that lie so to each other compare so.
pub(crate) fn holds(op: Comparison, order: Ordering) -> bool {
    match op {
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::GreaterOrEqual => order.is_ge(),
        Comparison::Greater => order.is_gt(),
    }
}

/// SQL's order: NaN equals NaN and is above all else.
pub(crate) fn sql_order(a: &Value, b: &Value) -> Ordering {
    a.order(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Cond {
    /// A condition over the columns of a table.
    pub(crate) fn random(columns: &[Column], depth: usize, rng: &mut Rng) -> Self {
        let inner = |rng: &mut Rng| Box::new(Self::random(columns, depth - 1, rng));
        match rng.below(if depth == 0 { 4 } else { 8 }) {
            4 | 5 => Self::And(inner(rng), inner(rng)),
            6 => Self::Or(inner(rng), inner(rng)),
            7 => Self::Not(inner(rng)),
            0 => Self::Null(rng.pick(columns).name.clone(), rng.chance(50)),
            _ => {
                let column = rng.pick(columns);
                let op = *rng.pick(&COMPARISONS);
                let (sql, value) = match &column.kind {
                    Kind::Int(..) | Kind::Float(_) | Kind::Decimal(32 | 64 | 128, 0..) => {
                        let n = rng.below(20) as i128 - 6;
                        (n.to_string(), Value::Exact(Number::whole(n)))
                    }
                    Kind::Text => {
                        let text = *rng.pick(&["", "abc1", "é", "b"]);
                        (format!("'{text}'"), Value::Text(text.to_owned()))
                    }
                    Kind::Bool => ("true".to_owned(), Value::Bool(true)),
                    Kind::Date(_) => ("DATE '2022-01-20'".to_owned(), Value::Date(19_012)),
                    _ => return Self::Null(column.name.clone(), rng.chance(50)),
                };
                Self::Is(column.name.clone(), op, sql, value)
            }
        }
    }

    pub(crate) fn sql(&self) -> String {
        match self {
            Self::Null(column, true) => format!("{} is null", quoted(column)),
            Self::Null(column, false) => format!("{} is not null", quoted(column)),
            Self::Is(column, op, sql, _) => format!("{} {} {sql}", quoted(column), op.as_str()),
            Self::And(a, b) => format!("({} and {})", a.sql(), b.sql()),
            Self::Or(a, b) => format!("({} or {})", a.sql(), b.sql()),
            Self::Not(a) => format!("not ({})", a.sql()),
        }
    }

    /// True, false or unknown of a row.
    pub(crate) fn truth(&self, columns: &[Column], row: usize) -> Option<bool> {
        let of = |name: &str| &columns.iter().find(|c| c.name == name).unwrap().values[row];
        match self {
            Self::Null(column, null) => Some(of(column).is_null() == *null),
            Self::Is(column, op, _, value) => match of(column) {
                Value::Null => None,
                found => Some(holds(*op, sql_order(found, value))),
            },
            Self::And(a, b) => match (a.truth(columns, row), b.truth(columns, row)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(a, b) => match (a.truth(columns, row), b.truth(columns, row)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::Not(a) => a.truth(columns, row).map(|truth| !truth),
        }
    }
}
