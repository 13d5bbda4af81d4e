//! Values of a suite beside what they mean: near values of the column, between them, past its ends.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use mlops_core::validation::Literal;

use crate::kind::{Kind, NANOS_A_DAY};
use crate::number::Number;
use crate::rng::Rng;
use crate::value::Value;

/// A value of a suite, and what it means.
#[derive(Debug, Clone)]
pub(crate) struct Lit {
    pub(crate) literal: Literal,
    pub(crate) means: Value,
}

impl Lit {
    fn new(literal: impl Into<Literal>, means: Value) -> Self {
        Self { literal: literal.into(), means }
    }
}

/// A literal that a bound of a column of this kind may be; none if it has no order.
pub(crate) fn bound(kind: &Kind, values: &[Value], rng: &mut Rng) -> Option<Lit> {
    let near = near(kind, values, rng);
    Some(match (kind, near) {
        (Kind::Int(..) | Kind::Decimal(..), Value::Exact(number)) => {
            let number = match rng.below(6) {
                0 => number.plus(&Number::whole(1)),
                1 => number.plus(&Number::read("0.5")),
                2 => number.plus(&Number::read("-0.001")),
                3 => number.plus(&Number::whole(300)),
                _ => number,
            };
            exact(&number, rng)
        }
        (Kind::Float(_), Value::Float(near)) => match rng.below(6) {
            0 => Lit::new(9_007_199_254_740_993_u64, Value::Exact(Number::whole((1 << 53) + 1))),
            1 => Lit::new(u64::MAX, Value::Exact(Number::whole(u64::MAX.into()))),
            2 => Lit::new(Literal::Text("0.1".to_owned()), Value::Float(0.1)),
            3 => Lit::new(Literal::Int(near.floor() as i64), whole(near.floor() as i64)),
            _ if near.is_finite() => Lit::new(near, Value::Float(near)),
            _ => Lit::new(Literal::Int(3), whole(3)),
        },
        (_, near) => return member_of(kind, near, rng),
    })
}

fn whole(n: i64) -> Value {
    Value::Exact(Number::whole(n.into()))
}

/// A literal that may stand in a set of values of a column of this kind: some value is equal to it.
pub(crate) fn member(kind: &Kind, values: &[Value], rng: &mut Rng) -> Option<Lit> {
    let near = near(kind, values, rng);
    match (kind, near) {
        (Kind::Int(..) | Kind::Decimal(..), Value::Exact(number)) => Some(exact(&number, rng)),
        (Kind::Float(_), Value::Float(near)) => Some(match near {
            near if near.is_finite() => Lit::new(near, Value::Float(near)),
            _ => Lit::new(Literal::Int(3), whole(3)),
        }),
        (Kind::Bool, Value::Bool(near)) => Some(Lit::new(near, Value::Bool(near))),
        (_, near) => member_of(kind, near, rng),
    }
}

/// A value of the column, or another of its kind.
fn near(kind: &Kind, values: &[Value], rng: &mut Rng) -> Value {
    let flat: Vec<&Value> = values
        .iter()
        .flat_map(|value| match value {
            Value::List(items) => items.iter().collect(),
            other => vec![other],
        })
        .filter(|value| !value.is_null())
        .collect();
    if flat.is_empty() || rng.chance(30) {
        return kind.value(rng);
    }
    (*rng.pick(&flat)).clone()
}

/// A number as JSON's integer, as text, or as a float whose shortest text it is.
fn exact(number: &Number, rng: &mut Rng) -> Lit {
    let means = Value::Exact(number.clone());
    let plain = number.to_string();
    let (digits, exponent) = plain.split_once('e').unwrap_or((&plain, "0"));
    let exponent: i32 = exponent.parse().unwrap();
    if rng.chance(60) && (0..20).contains(&exponent) {
        let digits = format!("{digits}{}", "0".repeat(exponent as usize));
        if let Ok(n) = digits.parse::<i64>() {
            return Lit::new(n, means);
        }
        if let Ok(n) = digits.parse::<u64>() {
            return Lit::new(n, means);
        }
    }
    if number.digit_count() < 15 && rng.chance(40) {
        return Lit::new(number.to_f64(), means);
    }
    Lit::new(plain.as_str(), means)
}

fn member_of(kind: &Kind, near: Value, rng: &mut Rng) -> Option<Lit> {
    Some(match (kind, near) {
        (Kind::Text, Value::Text(text)) => Lit::new(text.clone(), Value::Text(text)),
        (Kind::Date(_), Value::Date(days)) => {
            let days = days.clamp(-700_000, 2_000_000);
            let date = NaiveDate::default() + TimeDelta::days(days);
            Lit::new(date.format("%Y-%m-%d").to_string(), Value::Date(days))
        }
        (Kind::Time(_), Value::Time(nanos)) => {
            let time = NaiveTime::MIN + TimeDelta::nanoseconds(nanos as i64);
            Lit::new(time.format("%H:%M:%S%.9f").to_string(), Value::Time(nanos))
        }
        (Kind::Instant(_, zoned), Value::Instant(nanos)) => {
            let seconds = (nanos / 1_000_000_000).clamp(-60_000_000_000, 200_000_000_000) as i64;
            let instant = DateTime::from_timestamp(seconds, 0).unwrap().naive_utc();
            let means = Value::Instant(i128::from(seconds) * 1_000_000_000);
            let text = match (zoned, rng.chance(50)) {
                (false, true) => instant.format("%Y-%m-%d %H:%M:%S").to_string(),
                (false, false) => instant.format("%Y-%m-%dT%H:%M:%S%.3f").to_string(),
                (true, true) => instant.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
                (true, false) => {
                    let there = instant + TimeDelta::minutes(90);
                    there.format("%Y-%m-%dT%H:%M:%S+01:30").to_string()
                }
            };
            Lit::new(text, means)
        }
        (Kind::Duration(_), Value::Duration(nanos)) => {
            let nanos = nanos.clamp(-NANOS_A_DAY * 9, NANOS_A_DAY * 9);
            let text = match nanos {
                n if n % 1_000_000_000 == 0 => format!("{}s", n / 1_000_000_000),
                n => format!("{n}ns"),
            };
            Lit::new(text, Value::Duration(nanos))
        }
        _ => return None,
    })
}
