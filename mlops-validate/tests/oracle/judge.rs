//! Rules about rows, one row after the other.

use std::collections::BTreeSet;

use mlops_core::validation::{Comparison, Format, NanPolicy, NullPolicy};

use crate::sql::{Cond, holds, sql_order};
use crate::table::Column;
use crate::value::Value;

/// What a rule says of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passes,
    Fails,
    /// A null: the check's policy decides.
    Null,
    Skipped,
}

/// What is asked of one value.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// Each end with whether it is out itself.
    Range(Option<(Value, bool)>, Option<(Value, bool)>),
    Set(Vec<Value>, bool),
    Pattern(regex::Regex, bool),
    Format(Format),
    /// Least, greatest, in bytes.
    Length(u64, u64, bool),
}

/// What is asked of one row.
#[derive(Debug, Clone)]
pub(crate) enum RowAsk {
    Nulls(String, bool),
    Filled(Vec<String>, u64, u64),
    AllOrNone(Vec<String>),
    Value(String, Test),
    Items(String, u64, u64),
    Compare(String, Comparison, String),
    Condition(Cond),
    /// The function `both` of the tests: not judged if the first is null, fails if the second is.
    Both(String, String),
    /// Columns, the other table's keys, and whether a key of which a part is null fails.
    ForeignKey(Vec<String>, BTreeSet<Vec<String>>, bool),
}

impl Test {
    fn judge(&self, value: &Value, nan: NanPolicy) -> Verdict {
        let fails = match (self, value) {
            (_, Value::Null) => return Verdict::Null,
            // A list is its items; nulls and skipped items are left out.
            (_, Value::List(items)) => {
                items.iter().any(|item| self.judge(item, nan) == Verdict::Fails)
            }
            (_, value) if value.is_nan() => {
                return match nan {
                    NanPolicy::Fail => Verdict::Fails,
                    NanPolicy::Skip => Verdict::Skipped,
                    NanPolicy::Pass => Verdict::Passes,
                };
            }
            (Self::Range(min, max), value) => {
                let below = |(end, out): &(Value, bool)| {
                    let order = value.order(end).unwrap();
                    order.is_lt() || *out && order.is_eq()
                };
                let above = |(end, out): &(Value, bool)| {
                    let order = value.order(end).unwrap();
                    order.is_gt() || *out && order.is_eq()
                };
                min.as_ref().is_some_and(below) || max.as_ref().is_some_and(above)
            }
            (Self::Set(members, forbidden), value) => {
                members.iter().any(|m| value.order(m).unwrap().is_eq()) == *forbidden
            }
            (Self::Pattern(regex, forbidden), Value::Text(text)) => {
                regex.is_match(text) == *forbidden
            }
            (Self::Format(format), Value::Text(text)) => !is_of(*format, text),
            (Self::Length(min, max, bytes), value) => {
                let length = match value {
                    Value::Text(text) if !bytes => text.chars().count(),
                    Value::Text(text) => text.len(),
                    Value::Bytes(bytes) => bytes.len(),
                    other => panic!("{other:?} has no length"),
                };
                (length as u64) < *min || length as u64 > *max
            }
            (test, value) => panic!("{test:?} of {value:?}"),
        };
        if fails { Verdict::Fails } else { Verdict::Passes }
    }
}

/// Formats whose rule is short enough to be said twice.
fn is_of(format: Format, text: &str) -> bool {
    match format {
        Format::Ipv4 => text.parse::<std::net::Ipv4Addr>().is_ok(),
        Format::Ipv6 => text.parse::<std::net::Ipv6Addr>().is_ok(),
        Format::Ip => text.parse::<std::net::IpAddr>().is_ok(),
        Format::Json => serde_json::from_str::<serde_json::Value>(text).is_ok(),
        Format::Date => {
            text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
        }
        other => panic!("{other:?} has golden cases of its own"),
    }
}

impl RowAsk {
    /// The verdict of each row, whatever the filter.
    pub(crate) fn judge(&self, columns: &[Column], row: usize, nan: NanPolicy) -> Verdict {
        let of = |name: &str| &columns.iter().find(|c| c.name == name).unwrap().values[row];
        let verdict = |fails: bool| if fails { Verdict::Fails } else { Verdict::Passes };
        let there = |paths: &[String]| paths.iter().filter(|p| !of(p).is_null()).count() as u64;
        match self {
            Self::Nulls(path, null_fails) => verdict(of(path).is_null() == *null_fails),
            Self::Filled(paths, least, most) => {
                verdict(there(paths) < *least || there(paths) > *most)
            }
            Self::AllOrNone(paths) => {
                verdict(there(paths) != 0 && there(paths) != paths.len() as u64)
            }
            Self::Value(path, test) => test.judge(of(path), nan),
            Self::Items(path, min, max) => match of(path) {
                Value::List(items) => {
                    verdict((items.len() as u64) < *min || items.len() as u64 > *max)
                }
                _ => Verdict::Null,
            },
            Self::Compare(left, op, right) => match (of(left), of(right)) {
                (Value::Null, _) | (_, Value::Null) => Verdict::Null,
                (a, b) if a.is_nan() || b.is_nan() => match nan {
                    NanPolicy::Fail => Verdict::Fails,
                    NanPolicy::Skip => Verdict::Skipped,
                    NanPolicy::Pass => Verdict::Passes,
                },
                (a, b) => verdict(!holds(*op, sql_order(a, b))),
            },
            Self::Condition(cond) => match cond.truth(columns, row) {
                None => Verdict::Null,
                Some(truth) => verdict(!truth),
            },
            Self::Both(a, b) => match of(a) {
                Value::Null => Verdict::Null,
                _ => verdict(of(b).is_null()),
            },
            Self::ForeignKey(paths, keys, partial_fails) => {
                let nulls = paths.len() as u64 - there(paths);
                if nulls == paths.len() as u64 || nulls > 0 && !partial_fails {
                    return Verdict::Null;
                }
                let key: Vec<String> = paths.iter().map(|path| of(path).key()).collect();
                verdict(nulls > 0 || !keys.contains(&key))
            }
        }
    }
}

/// A verdict after the check's policy for nulls.
pub(crate) fn decided(verdict: Verdict, nulls: NullPolicy) -> Verdict {
    match (verdict, nulls) {
        (Verdict::Null, NullPolicy::Fail) => Verdict::Fails,
        (Verdict::Null, NullPolicy::Pass) => Verdict::Passes,
        (Verdict::Null, NullPolicy::Skip) => Verdict::Skipped,
        (other, _) => other,
    }
}
