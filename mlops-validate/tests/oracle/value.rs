//! A value as people think of it: what it is, not how it is stored.

use std::cmp::Ordering;

use crate::number::Number;

/// One value of a table, or of a suite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Integers, decimals, and numbers of a suite.
    Exact(Number),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// Days since 1970.
    Date(i64),
    /// Nanoseconds since midnight.
    Time(i128),
    /// Nanoseconds since 1970.
    Instant(i128),
    /// Nanoseconds.
    Duration(i128),
    List(Vec<Value>),
    Struct(Vec<Value>),
}

impl Value {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn is_nan(&self) -> bool {
        matches!(self, Self::Float(value) if value.is_nan())
    }

    /// How two values lie to each other; nothing where one is NaN. −0.0 equals 0.0.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Exact(a), Self::Exact(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Float(a), Self::Exact(b)) => match a {
                a if a.is_nan() => None,
                a if a.is_infinite() => Some(a.partial_cmp(&0.0)?),
                a => Some(Number::float(*a).cmp(b)),
            },
            (Self::Exact(_), Self::Float(_)) => other.order(self).map(Ordering::reverse),
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b))
            | (Self::Instant(a), Self::Instant(b))
            | (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(b)),
            (a, b) => panic!("{a:?} and {b:?} have no order"),
        }
    }

    /// Equal values have equal texts, and others have not: NaN is NaN, null is null, −0.0 is 0.0.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => format!("bool {value}"),
            Self::Exact(number) => format!("exact {number}"),
            Self::Float(value) if value.is_nan() => "float NaN".to_owned(),
            Self::Float(value) => format!("float {:?}", value + 0.0),
            Self::Text(text) => format!("text {text:?}"),
            Self::Bytes(bytes) => format!("bytes {bytes:?}"),
            Self::Date(days) => format!("date {days}"),
            Self::Time(nanos) => format!("time {nanos}"),
            Self::Instant(nanos) => format!("instant {nanos}"),
            Self::Duration(nanos) => format!("duration {nanos}"),
            Self::List(items) => format!("list {:?}", keys(items)),
            Self::Struct(fields) => format!("struct {:?}", keys(fields)),
        }
    }
}

fn keys(values: &[Value]) -> Vec<String> {
    values.iter().map(Value::key).collect()
}
