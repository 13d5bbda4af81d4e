//! A naive interpreter of one row at a time, written from the semantics page alone: exact numbers
//! are compared as written-out decimals, masks do not exist.

use std::cmp::Ordering;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum V {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Dec(i128, usize),
    Float(f64),
    Single(f32),
    Text(String),
    Day(i32),
    /// Microseconds.
    At(i64),
}

/// An expression of the generator.
#[derive(Debug, Clone)]
pub(super) enum T {
    Lit(V),
    Col(&'static str),
    Arith(&'static str, Box<T>, Box<T>),
    Neg(Box<T>),
    Cmp(&'static str, Box<T>, Box<T>),
    Not(Box<T>),
    And(Vec<T>),
    Or(Vec<T>),
    Is(Box<T>, &'static str),
    Between(Box<T>, Box<T>, Box<T>),
    In(Box<T>, Vec<T>),
    Like(Box<T>, &'static str),
    Case(Vec<(T, T)>, Box<T>),
    Coalesce(Vec<T>),
    Upper(Box<T>),
    Length(Box<T>),
    Concat(Box<T>, Box<T>),
}

impl T {
    pub(super) fn text(&self) -> String {
        let list = |all: &[T], by: &str| all.iter().map(T::text).collect::<Vec<_>>().join(by);
        match self {
            T::Lit(value) => literal(value),
            T::Col(name) => (*name).to_owned(),
            T::Arith(op, a, b) | T::Cmp(op, a, b) => format!("({} {op} {})", a.text(), b.text()),
            T::Neg(a) => format!("-({})", a.text()),
            T::Not(a) => format!("(NOT {})", a.text()),
            T::And(all) => format!("({})", list(all, " AND ")),
            T::Or(all) => format!("({})", list(all, " or ")),
            T::Is(a, what) => format!("({} {what})", a.text()),
            T::Between(a, b, c) => format!("({} between {} and {})", a.text(), b.text(), c.text()),
            T::In(a, all) => format!("({} in ({}))", a.text(), list(all, ", ")),
            T::Like(a, pattern) => format!("({} like '{pattern}')", a.text()),
            T::Case(arms, last) => {
                let arm =
                    |(when, then): &(T, T)| format!("when {} then {} ", when.text(), then.text());
                format!("case {}else {} end", arms.iter().map(arm).collect::<String>(), last.text())
            }
            T::Coalesce(all) => format!("coalesce({})", list(all, ", ")),
            T::Upper(a) => format!("upper({})", a.text()),
            T::Length(a) => format!("length({})", a.text()),
            T::Concat(a, b) => format!("({} || {})", a.text(), b.text()),
        }
    }

    pub(super) fn eval(&self, row: &dyn Fn(&str) -> V) -> V {
        match self {
            T::Lit(value) => value.clone(),
            T::Col(name) => row(name),
            T::Neg(a) => match a.eval(row) {
                V::Int(a) => a.checked_neg().map_or(V::Null, V::Int),
                V::Float(a) => V::Float(-a),
                _ => V::Null,
            },
            T::Arith(op, a, b) => arith(op, a.eval(row), b.eval(row)),
            T::Cmp(op, a, b) => {
                let (va, vb) = met(a, b, a.eval(row), b.eval(row));
                compare(op, &va, &vb)
            }
            T::Not(a) => not(a.eval(row)),
            T::And(all) => all.iter().fold(V::Bool(true), |x, t| and(x, t.eval(row))),
            T::Or(all) => not(all.iter().fold(V::Bool(true), |x, t| and(x, not(t.eval(row))))),
            T::Is(a, what) => {
                let a = a.eval(row);
                V::Bool(match *what {
                    "is not null" => a != V::Null,
                    "is true" => a == V::Bool(true),
                    "is not false" => a != V::Bool(false),
                    _ => a == V::Null,
                })
            }
            T::Between(a, b, c) => {
                let low = T::Cmp(">=", a.clone(), b.clone()).eval(row);
                and(low, T::Cmp("<=", a.clone(), c.clone()).eval(row))
            }
            T::In(a, all) => {
                let one = |t: &T| T::Cmp("=", a.clone(), Box::new(t.clone())).eval(row);
                not(all.iter().fold(V::Bool(true), |x, t| and(x, not(one(t)))))
            }
            T::Like(a, pattern) => match a.eval(row) {
                V::Text(text) => {
                    let (text, pattern): (Vec<_>, Vec<_>) =
                        (text.chars().collect(), pattern.chars().collect());
                    V::Bool(like(&text, &pattern))
                }
                _ => V::Null,
            },
            T::Case(arms, last) => {
                let arm = arms.iter().find(|(when, _)| when.eval(row) == V::Bool(true));
                arm.map_or(last.as_ref(), |(_, then)| then).eval(row)
            }
            T::Coalesce(all) => {
                all.iter().map(|t| t.eval(row)).find(|v| *v != V::Null).unwrap_or(V::Null)
            }
            T::Upper(a) => match a.eval(row) {
                V::Text(text) => V::Text(text.to_uppercase()),
                _ => V::Null,
            },
            T::Length(a) => match a.eval(row) {
                V::Text(text) => V::Int(text.chars().count() as i64),
                _ => V::Null,
            },
            T::Concat(a, b) => match (a.eval(row), b.eval(row)) {
                (V::Text(a), V::Text(b)) => V::Text(a + &b),
                _ => V::Null,
            },
        }
    }

    fn is_literal(&self) -> bool {
        matches!(self, T::Lit(_))
    }
}

fn literal(value: &V) -> String {
    match value {
        V::Null => "null".into(),
        V::Bool(value) => value.to_string(),
        V::Int(value) => value.to_string(),
        V::UInt(value) => value.to_string(),
        V::Dec(..) => plain(value).trim_start_matches('+').to_owned(),
        V::Float(value) => format!("{value:e}"),
        V::Single(value) => format!("{value:e}"),
        V::Text(value) => format!("'{}'", value.replace('\'', "''")),
        V::Day(_) | V::At(_) => unreachable!("not written as literals"),
    }
}

/// Literals take the type of what they meet: a decimal the nearest float, a float the decimal that
/// it is written as.
fn met(a: &T, b: &T, va: V, vb: V) -> (V, V) {
    let adopt = |is: bool, value: V, other: &V| match (&value, other) {
        (V::Dec(..), V::Float(_)) if is => V::Float(literal(&value).parse().unwrap()),
        (V::Dec(..) | V::Float(_), V::Single(_)) if is => {
            V::Single(literal(&value).parse::<f64>().map(|v| v as f32).unwrap())
        }
        (V::Float(float), V::Int(_) | V::UInt(_) | V::Dec(..)) if is => {
            let text = float.to_string();
            let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            text.replace('.', "").parse().map_or(value.clone(), |digits| V::Dec(digits, scale))
        }
        _ => value,
    };
    let (la, lb) = (a.is_literal(), b.is_literal());
    let b = adopt(lb, vb.clone(), &va);
    let a = if la && !lb { adopt(true, va, &vb) } else { va };
    (a, b)
}

fn not(a: V) -> V {
    if let V::Bool(a) = a { V::Bool(!a) } else { V::Null }
}

fn and(a: V, b: V) -> V {
    match (a, b) {
        (V::Bool(false), _) | (_, V::Bool(false)) => V::Bool(false),
        (V::Bool(true), V::Bool(true)) => V::Bool(true),
        _ => V::Null,
    }
}

fn arith(op: &str, a: V, b: V) -> V {
    let float = |v: &V| match v {
        V::Int(v) => Some(*v as f64),
        V::Float(v) => Some(*v),
        V::Single(v) => Some(f64::from(*v)),
        _ => None,
    };
    match (&a, &b) {
        (V::Int(a), V::Int(b)) => {
            let (a, b) = (i128::from(*a), i128::from(*b));
            let value = match op {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                _ if b == 0 => return V::Null,
                "/" => a / b,
                _ => a % b,
            };
            i64::try_from(value).map_or(V::Null, V::Int)
        }
        (V::Dec(a, s), V::Dec(b, _)) => match op {
            "+" => V::Dec(a + b, *s),
            "-" => V::Dec(a - b, *s),
            _ => V::Dec(a * b, 2 * s),
        },
        _ => match (float(&a), float(&b)) {
            (Some(a), Some(b)) => V::Float(match op {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                "/" => a / b,
                _ => a % b,
            }),
            _ => V::Null,
        },
    }
}

fn compare(op: &str, a: &V, b: &V) -> V {
    let null = (*a == V::Null, *b == V::Null);
    if let "is distinct from" | "is not distinct from" = op {
        let same = match null {
            (false, false) => order(a, b).is_eq(),
            (a, b) => a == b,
        };
        return V::Bool(same == (op == "is not distinct from"));
    }
    if null.0 || null.1 {
        return V::Null;
    }
    let order = order(a, b);
    V::Bool(match op {
        "=" => order.is_eq(),
        "<>" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })
}

fn order(a: &V, b: &V) -> Ordering {
    match (a, b) {
        (V::Bool(a), V::Bool(b)) => a.cmp(b),
        (V::Text(a), V::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (V::Day(_) | V::At(_), _) => micros(a).cmp(&micros(b)),
        _ => {
            // NaN is above everything; the infinities are at the ends of what else there is.
            let rank = |v: &V| match float(v) {
                Some(v) if v.is_nan() => 3,
                Some(f64::INFINITY) => 2,
                Some(f64::NEG_INFINITY) => 0,
                _ => 1,
            };
            rank(a).cmp(&rank(b)).then_with(|| match rank(a) {
                1 => written(&plain(a), &plain(b)),
                _ => Ordering::Equal,
            })
        }
    }
}

fn float(v: &V) -> Option<f64> {
    match v {
        V::Float(v) => Some(*v),
        V::Single(v) => Some(f64::from(*v)),
        _ => None,
    }
}

fn micros(v: &V) -> i128 {
    match v {
        V::Day(day) => i128::from(*day) * 86_400_000_000,
        V::At(at) => i128::from(*at),
        _ => unreachable!("{v:?}"),
    }
}

/// A number with a sign and all of its digits.
fn plain(v: &V) -> String {
    match v {
        V::Int(v) => format!("{v:+}"),
        V::UInt(v) => format!("{v:+}"),
        V::Dec(v, scale) => {
            let digits = format!("{:0>width$}", v.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            let dot = if *scale > 0 { "." } else { "" };
            format!("{}{whole}{dot}{fraction}", if *v < 0 { '-' } else { '+' })
        }
        _ => format!("{:+.1074}", float(v).unwrap()),
    }
}

/// The order of two written numbers.
fn written(a: &str, b: &str) -> Ordering {
    let parts = |text: &str| {
        let (whole, fraction) = text[1..].split_once('.').unwrap_or((&text[1..], ""));
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let zero = whole.is_empty() && fraction.is_empty();
        (text.starts_with('-') && !zero, whole.len(), whole, fraction)
    };
    let (a, b) = (parts(a), parts(b));
    let size = |a: &(bool, usize, String, String), b: &(bool, usize, String, String)| {
        (a.1, &a.2, &a.3).cmp(&(b.1, &b.2, &b.3))
    };
    match (a.0, b.0) {
        (false, false) => size(&a, &b),
        (true, true) => size(&b, &a),
        (a, b) => b.cmp(&a),
    }
}

fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|i| like(&text[i..], rest)),
        ['_', rest @ ..] => !text.is_empty() && like(&text[1..], rest),
        [c, rest @ ..] => text.first() == Some(c) && like(&text[1..], rest),
    }
}
