//! What the change of one field means.
//!
//! Each rule is judged by inclusion: is everything that the old value lets through let through by the
//! new one, the other way round, or neither? All functions are antisymmetric, so that the opposite
//! difference has the mirrored effect.

use std::cmp::Ordering;

use mlops_core::validation::{Check, Mostly, Rule};
use serde_json::{Map, Value};

use super::Effect;

/// Of the suite's own fields.
pub(super) fn of_suite(field: &str, old: Option<&Value>, new: Option<&Value>) -> Effect {
    match field {
        "suite" | "version" | "description" => Effect::Changed,
        "on_empty" => ranked(&["pass", "warn", "fail"], "warn", old, new),
        _ => Effect::Unclear,
    }
}

/// Judges the fields of one check that is in both suites.
pub(super) struct Judge<'a> {
    rule: &'static str,
    same_rule: bool,
    /// Whether every row counts: with a tolerance, rows that are left out can also tip the share.
    all: bool,
    old: &'a Map<String, Value>,
    new: &'a Map<String, Value>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        old: &Check,
        new: &Check,
        old_fields: &'a Map<String, Value>,
        new_fields: &'a Map<String, Value>,
    ) -> Self {
        Self {
            rule: new.rule.name(),
            same_rule: std::mem::discriminant::<Rule>(&old.rule)
                == std::mem::discriminant::<Rule>(&new.rule),
            all: old.mostly == Mostly::ALL && new.mostly == Mostly::ALL,
            old: old_fields,
            new: new_fields,
        }
    }

    #[expect(
        clippy::match_same_arms,
        reason = "one line for each field, in the order of the rules"
    )]
    pub(super) fn field(&self, field: &str, old: Option<&Value>, new: Option<&Value>) -> Effect {
        match field {
            "id" | "description" => return Effect::Changed,
            "severity" => return ranked(&["warn", "error"], "error", old, new),
            _ if !self.same_rule => return Effect::Unclear,
            "mostly" => return numbers(old, new, 1.0),
            "nulls" => return ranked(&["pass", "skip", "fail"], "skip", old, new),
            "nan" => return ranked(&["pass", "skip", "fail"], "fail", old, new),
            "where" => return self.filter(old, new),
            _ => {}
        }
        match (self.rule, field) {
            ("mutually_exclusive", "required")
            | ("ordered", "strict")
            | ("schema", "ordered" | "nullability")
            | ("fits", "no_more")
            | ("matches", "full") => tighter_if_true(new),
            ("not_matches", "full") => tighter_if_true(new).mirrored(),
            ("range", "exclusive_min") => self.bound("min").unwrap_or(tighter_if_true(new)),
            ("range", "exclusive_max") => self.bound("max").unwrap_or(tighter_if_true(new)),
            (_, "min" | "max") if self.rule != "distribution" => {
                self.bound(field).unwrap_or(Effect::Changed)
            }
            ("distribution", "max") | ("anomaly", "ignore_below") => {
                numbers(old, new, 0.0).mirrored()
            }
            ("freshness", "max_age_secs" | "max_ahead_secs") => numbers(old, new, 0.0).mirrored(),
            ("source", "min_files" | "min_bytes") => optional(old, new, |a, b| a.cmp(&b)),
            ("source", "max_files" | "max_bytes" | "max_age_secs") => {
                optional(old, new, |a, b| b.cmp(&a))
            }
            ("source", "expected") => sets(old, new),
            ("in_set", "values") => sets(old, new).mirrored(),
            ("not_in_set", "values") => sets(old, new),
            // No types at all is any type.
            ("column_type", "types") if old.is_none() => Effect::Tightened,
            ("column_type", "types") if new.is_none() => Effect::Loosened,
            ("column_type", "types") => sets(old, new).mirrored(),
            ("unique" | "functional_dependency", "columns" | "from") => sets(old, new).mirrored(),
            ("all_or_none", "columns") | ("functional_dependency", "to") => sets(old, new),
            ("unique", "key_nulls") => ranked(&["distinct", "equal"], "distinct", old, new),
            ("foreign_key", "partial") => ranked(&["skip", "fail"], "skip", old, new),
            ("unique", "memory") => Effect::Changed,
            ("compare", "op") => operators(old, new),
            ("format", "format") => formats(old, new),
            ("aggregate", "equals") if old.is_none() => Effect::Tightened,
            ("aggregate", "equals") if new.is_none() => Effect::Loosened,
            ("aggregate", "tolerance") => tolerances(old, new),
            ("anomaly", "one_in") => numbers(old, new, 1000.0).mirrored(),
            _ => Effect::Unclear,
        }
    }

    /// A bound of this check; `None` if it is the same on both sides.
    fn bound(&self, side: &str) -> Option<Effect> {
        let (old, new) = (self.old.get(side), self.new.get(side));
        let effect = match (old, new) {
            (None, None) => return None,
            (None, Some(_)) => Effect::Tightened,
            (Some(_), None) => Effect::Loosened,
            (Some(old), Some(new)) => match order(old, new) {
                Some(Ordering::Equal) => return None,
                Some(Ordering::Less) => tighter(side == "min"),
                Some(Ordering::Greater) => tighter(side == "max"),
                None => Effect::Unclear,
            },
        };
        Some(effect)
    }

    /// Rows that are left out cannot fail, but a number made of the rows may go anywhere.
    fn filter(&self, old: Option<&Value>, new: Option<&Value>) -> Effect {
        let of_rows = !matches!(
            self.rule,
            "aggregate" | "anomaly" | "distribution" | "distinctness" | "row_count" | "freshness"
        );
        match (old, new) {
            (None, Some(_)) if of_rows && self.all => Effect::Loosened,
            (Some(_), None) if of_rows && self.all => Effect::Tightened,
            _ => Effect::Unclear,
        }
    }
}

fn tighter(yes: bool) -> Effect {
    if yes { Effect::Tightened } else { Effect::Loosened }
}

fn tighter_if_true(new: Option<&Value>) -> Effect {
    tighter(new == Some(&Value::Bool(true)))
}

/// One of some words, the loosest first.
fn ranked(words: &[&str], default: &str, old: Option<&Value>, new: Option<&Value>) -> Effect {
    let rank = |value: Option<&Value>| {
        let word = value.map_or(Some(default), Value::as_str)?;
        words.iter().position(|known| *known == word)
    };
    match (rank(old), rank(new)) {
        (Some(old), Some(new)) if old == new => Effect::Changed,
        (Some(old), Some(new)) => tighter(old < new),
        _ => Effect::Unclear,
    }
}

/// A number of which more is tighter.
fn numbers(old: Option<&Value>, new: Option<&Value>, default: f64) -> Effect {
    let number = |value: Option<&Value>| value.map_or(Some(default), Value::as_f64);
    match (number(old), number(new)) {
        (Some(old), Some(new)) if old < new => Effect::Tightened,
        (Some(old), Some(new)) if old > new => Effect::Loosened,
        (Some(_), Some(_)) => Effect::Changed,
        _ => Effect::Unclear,
    }
}

/// A whole number that need not be there; greater by `order` is tighter, and so is one at all.
fn optional(
    old: Option<&Value>,
    new: Option<&Value>,
    order: impl Fn(u64, u64) -> Ordering,
) -> Effect {
    match (old, new) {
        (None, Some(_)) => Effect::Tightened,
        (Some(_), None) => Effect::Loosened,
        (old, new) => match (old.and_then(Value::as_u64), new.and_then(Value::as_u64)) {
            (Some(old), Some(new)) => tighter(order(old, new) == Ordering::Less),
            _ => Effect::Unclear,
        },
    }
}

/// A set of which more is tighter.
fn sets(old: Option<&Value>, new: Option<&Value>) -> Effect {
    let items = |value: Option<&'_ Value>| match value {
        None => Some(Vec::new()),
        Some(Value::Array(items)) => Some(items.clone()),
        Some(_) => None,
    };
    let (Some(old), Some(new)) = (items(old), items(new)) else {
        return Effect::Unclear;
    };
    // Sets of a hundred thousand values are compared by their text.
    let texts = |items: &[Value]| -> std::collections::BTreeSet<String> {
        items.iter().map(Value::to_string).collect()
    };
    let (old, new) = (texts(&old), texts(&new));
    match (old.is_subset(&new), new.is_subset(&old)) {
        (true, true) => Effect::Changed,
        (true, false) => Effect::Tightened,
        (false, true) => Effect::Loosened,
        (false, false) => Effect::Unclear,
    }
}

fn tolerances(old: Option<&Value>, new: Option<&Value>) -> Effect {
    let part = |of: Option<&Value>, name: &str| of.and_then(|of| of.get(name)).cloned();
    ["absolute", "relative"].into_iter().fold(Effect::Changed, |all, name| {
        let (old, new) = (part(old, name), part(new, name));
        all.and(numbers(old.as_ref(), new.as_ref(), 0.0).mirrored())
    })
}

/// The orders for which a comparison holds, as bits: less, equal, greater.
fn operators(old: Option<&Value>, new: Option<&Value>) -> Effect {
    let bits = |value: Option<&Value>| match value.and_then(Value::as_str) {
        Some("<") => Some(0b001),
        Some("=") => Some(0b010),
        Some("<=") => Some(0b011),
        Some(">") => Some(0b100),
        Some("!=") => Some(0b101),
        Some(">=") => Some(0b110),
        _ => None,
    };
    match (bits(old), bits(new)) {
        (Some(old), Some(new)) if old & new == old => Effect::Loosened,
        (Some(old), Some(new)) if old & new == new => Effect::Tightened,
        _ => Effect::Unclear,
    }
}

fn formats(old: Option<&Value>, new: Option<&Value>) -> Effect {
    let of = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    match (of(old).as_str(), of(new).as_str()) {
        ("ipv4" | "ipv6", "ip") => Effect::Loosened,
        ("ip", "ipv4" | "ipv6") => Effect::Tightened,
        _ => Effect::Unclear,
    }
}

/// Which of two bounds is greater, whatever the column's type turns out to be; `None` where that
/// depends on it.
fn order(old: &Value, new: &Value) -> Option<Ordering> {
    match (old, new) {
        (Value::Number(old), Value::Number(new)) => {
            let whole = |n: &serde_json::Number| {
                n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from))
            };
            match (whole(old), whole(new)) {
                (Some(old), Some(new)) => Some(old.cmp(&new)),
                _ => old.as_f64()?.partial_cmp(&new.as_f64()?),
            }
        }
        (Value::String(old), Value::String(new)) => texts(old, new),
        _ => None,
    }
}

/// Texts are ordered by their bytes; as numbers, dates and instants they are so too if they have the
/// same shape, digits where the other has digits and all else the same.
fn texts(old: &str, new: &str) -> Option<Ordering> {
    let may_be_other =
        |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if !may_be_other(old) && !may_be_other(new) {
        return Some(old.cmp(new));
    }
    let same_shape = old.len() == new.len()
        && old
            .bytes()
            .zip(new.bytes())
            .all(|(a, b)| a == b || (a.is_ascii_digit() && b.is_ascii_digit()));
    // The digits of an offset count backwards, and so do those of a negative number.
    let offset = |text: &str| {
        text.get(10..).is_some_and(|rest| rest.contains(['+', '-'])) || text.starts_with('-')
    };
    (same_shape && !offset(old)).then(|| old.cmp(new))
}
