//! Rules about all rows together: keys, order, metrics.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::validation::{Direction, Function, Metric, NanPolicy};

use crate::kind::Kind;
use crate::number::Number;
use crate::sql::sql_order;
use crate::table::Column;
use crate::value::Value;

/// What is asked of all rows together.
#[derive(Debug, Clone)]
pub(crate) enum WholeAsk {
    Unique(Vec<String>, bool),
    Distinctness(Vec<String>),
    Ordered(String, Direction, bool),
    Dependency(Vec<String>, Vec<String>),
    Metric(Metric),
}

/// What the rows come to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) judged: u64,
    pub(crate) failed: u64,
    /// What `detail` must begin with; nothing if there must be none.
    pub(crate) detail: Option<String>,
    pub(crate) value: Measured,
    /// Failing rows, where they are known one by one.
    pub(crate) rows: Option<Vec<u64>>,
}

/// A number made of rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Measured {
    /// The rule measures nothing.
    No,
    /// Of no values.
    Nothing,
    Exact(Value),
    /// Near this, by this share of it.
    About(f64, f64),
    /// Between these.
    Between(f64, f64),
    /// The oracle does not know.
    Unknown,
}

impl WholeAsk {
    /// What the rows of these numbers come to.
    pub(crate) fn find(&self, columns: &[Column], rows: &[usize], nan: NanPolicy) -> Found {
        let column = |name: &str| columns.iter().find(|c| c.name == name).unwrap();
        let key = |paths: &[String], row: usize| -> (Vec<String>, bool) {
            let values = || paths.iter().map(|path| &column(path).values[row]);
            (values().map(Value::key).collect(), values().any(Value::is_null))
        };
        let mut found =
            Found { judged: 0, failed: 0, detail: None, value: Measured::No, rows: None };
        match self {
            Self::Unique(paths, nulls_equal) => {
                let groups = group(rows, |row| match key(paths, row) {
                    (_, true) if !nulls_equal => None,
                    (key, _) => Some(key),
                });
                found.judged = groups.values().map(|g| g.len() as u64).sum();
                let twice: Vec<u64> =
                    groups.values().map(|g| g.len() as u64).filter(|n| *n > 1).collect();
                found.failed = twice.iter().sum();
                let extra: u64 = twice.iter().map(|n| n - 1).sum();
                found.detail = (!twice.is_empty()).then(|| {
                    let keys = twice.len();
                    format!("{keys} keys are there more than once; {extra} rows would have to go")
                });
            }
            Self::Distinctness(paths) => {
                let groups = group(rows, |row| match key(paths, row) {
                    (_, true) => None,
                    (key, _) => Some(key),
                });
                found.judged = groups.values().map(|g| g.len() as u64).sum();
                if found.judged == 0 {
                    found.value = Measured::Nothing;
                    return found;
                }
                let share = groups.len() as f64 / found.judged as f64;
                found.value = Measured::Exact(Value::Float(share));
                let (keys, rows) = (groups.len(), found.judged);
                found.detail = Some(format!("{keys} different keys in {rows} rows"));
            }
            Self::Dependency(from, to) => {
                let groups = group(rows, |row| match key(from, row) {
                    (_, true) => None,
                    (key, _) => Some(key),
                });
                found.judged = groups.values().map(|g| g.len() as u64).sum();
                let mut torn = 0;
                for group in groups.values() {
                    let values: BTreeSet<_> = group.iter().map(|row| key(to, *row).0).collect();
                    if values.len() > 1 {
                        torn += 1;
                        found.failed += group.len() as u64;
                    }
                }
                let keys = groups.len();
                found.detail =
                    (torn > 0).then(|| format!("{torn} of {keys} keys have several values"));
            }
            Self::Ordered(path, direction, strict) => {
                let values = &column(path).values;
                let (mut before, mut broken) = (None::<&Value>, Vec::new());
                let mut nans = 0;
                for row in rows {
                    let value = &values[*row];
                    if value.is_null() {
                        continue;
                    }
                    found.judged += 1;
                    if value.is_nan() {
                        nans += 1;
                        continue;
                    }
                    if let Some(before) = before {
                        let order = match direction {
                            Direction::Ascending => before.order(value).unwrap(),
                            Direction::Descending => value.order(before).unwrap(),
                        };
                        if order.is_gt() || *strict && order.is_eq() {
                            broken.push(*row as u64);
                        }
                    }
                    before = Some(value);
                }
                found.failed = broken.len() as u64;
                match nan {
                    NanPolicy::Fail => found.failed += nans,
                    NanPolicy::Skip => found.judged -= nans,
                    NanPolicy::Pass => {}
                }
                found.detail = (nans > 0).then(|| format!("{nans} values are NaN"));
                found.rows = (nans == 0).then_some(broken);
            }
            Self::Metric(metric) => {
                let values: Vec<&Value> = match metric.column() {
                    Some(path) => rows.iter().map(|row| &column(path).values[*row]).collect(),
                    None => vec![&Value::Bool(true); rows.len()],
                };
                let kind = metric.column().map_or(&Kind::Bool, |path| &column(path).kind);
                let there: Vec<&Value> = values.iter().copied().filter(|v| !v.is_null()).collect();
                found.judged = there.len() as u64;
                found.value = measure(metric, kind, &there, values.len());
            }
        }
        found
    }
}

fn group<K: Ord>(rows: &[usize], key: impl Fn(usize) -> Option<K>) -> BTreeMap<K, Vec<usize>> {
    let mut groups = BTreeMap::<K, Vec<usize>>::new();
    for row in rows {
        if let Some(key) = key(*row) {
            groups.entry(key).or_default().push(*row);
        }
    }
    groups
}

fn count(n: usize) -> Measured {
    Measured::Exact(Value::Exact(Number::whole(n as i128)))
}

/// A metric of values that are not null, of so many rows.
fn measure(metric: &Metric, kind: &Kind, there: &[&Value], rows: usize) -> Measured {
    let distinct = || there.iter().map(|value| value.key()).collect::<BTreeSet<_>>().len();
    let mut ordered: Vec<&Value> = there.iter().copied().filter(|v| !v.is_nan()).collect();
    let is_float = matches!(kind, Kind::Float(_));
    match metric.function() {
        Function::Rows => count(rows),
        Function::Count => count(there.len()),
        Function::Nulls => count(rows - there.len()),
        Function::NullRate if rows == 0 => Measured::Nothing,
        Function::NullRate => {
            Measured::Exact(Value::Float((rows - there.len()) as f64 / rows as f64))
        }
        Function::Distinct => count(distinct()),
        Function::ApproxDistinct => {
            let n = distinct() as f64;
            Measured::Between(n * 0.95 - 1.0, n * 1.05 + 1.0)
        }
        Function::Min | Function::Max => {
            ordered.sort_by(|a, b| sql_order(a, b));
            let end =
                if metric.function() == Function::Min { ordered.first() } else { ordered.last() };
            end.map_or(Measured::Nothing, |value| Measured::Exact((*value).clone()))
        }
        _ if there.is_empty() => Measured::Nothing,
        Function::Sum => match total(there) {
            Ok(sum) if is_float => Measured::Exact(Value::Float(sum.to_f64())),
            Ok(sum) => Measured::Exact(Value::Exact(sum)),
            Err(special) => Measured::Exact(Value::Float(special)),
        },
        Function::Mean => match total(there) {
            // A sum may be past the floats where the mean is not.
            Ok(sum) => {
                let mean = sum.shifted(-20).to_f64() / there.len() as f64 * 1e20;
                Measured::About(mean, 1e-14)
            }
            Err(special) => Measured::Exact(Value::Float(special)),
        },
        Function::StdDev if there.len() < 2 => Measured::Nothing,
        Function::StdDev => deviation(there),
        Function::Quantile | Function::ApproxQuantile if ordered.is_empty() => Measured::Nothing,
        Function::Quantile | Function::ApproxQuantile => {
            ordered.sort_by(|a, b| sql_order(a, b));
            let place = (ordered.len() - 1) as f64 * metric.q().unwrap();
            let (low, high) = (place.floor() as usize, place.ceil() as usize);
            let (low, high) = (as_float(ordered[low]), as_float(ordered[high]));
            let share = place - place.floor();
            let middle = if low == high || share == 0.0 { low } else { low + (high - low) * share };
            if !middle.is_finite() || !low.is_finite() || !high.is_finite() {
                Measured::Unknown
            } else if metric.function() == Function::Quantile {
                Measured::About(middle, 1e-12)
            } else {
                let slack = |x: f64| x.abs() / 64.0 + f64::MIN_POSITIVE;
                Measured::Between(low - slack(low), high + slack(high))
            }
        }
        _ => Measured::Unknown,
    }
}

fn as_float(value: &Value) -> f64 {
    match value {
        Value::Exact(number) => number.to_f64(),
        Value::Float(value) => *value,
        other => panic!("{other:?} is no number"),
    }
}

fn exact(value: &Value) -> Number {
    match value {
        Value::Exact(number) => number.clone(),
        Value::Float(value) => Number::float(*value),
        other => panic!("{other:?} is no number"),
    }
}

/// The exact sum, or what it is where a value is not finite.
fn total(values: &[&Value]) -> Result<Number, f64> {
    let special: f64 = values.iter().map(|v| as_float(v)).filter(|v| !v.is_finite()).sum();
    let finite = |value: &&&Value| as_float(value).is_finite();
    if values.iter().any(|value| !finite(&value)) {
        return Err(special);
    }
    Ok(values.iter().fold(Number::whole(0), |sum, value| sum.plus(&exact(value))))
}

fn deviation(values: &[&Value]) -> Measured {
    let Ok(sum) = total(values) else { return Measured::Exact(Value::Float(f64::NAN)) };
    let numbers: Vec<Number> = values.iter().map(|value| exact(value)).collect();
    if numbers.iter().any(|number| number.digit_count() > 120) {
        return Measured::Unknown;
    }
    let squares =
        numbers.iter().fold(Number::whole(0), |sum, number| sum.plus(&number.times(number)));
    let n = Number::whole(values.len() as i128);
    let above = squares.times(&n).plus(&sum.times(&sum).negated());
    let below = values.len() as f64 * (values.len() - 1) as f64;
    Measured::About((above.to_f64() / below).sqrt(), 1e-9)
}
