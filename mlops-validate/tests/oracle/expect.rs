//! What a check must report of a table, and whether it does.

use std::cmp::Ordering;

use mlops_core::validation::{Outcome, Report, Severity, Status};

use crate::ask::{Ask, Asked, Bounds};
use crate::judge::{RowAsk, Verdict, decided};
use crate::number::Number;
use crate::table::Column;
use crate::value::Value;
use crate::whole::{Found, Measured, WholeAsk};

/// What a check must report.
#[derive(Debug)]
pub(crate) struct Expect {
    /// Nothing if a float is too near to a bound to say.
    status: Option<Status>,
    judged: u64,
    failed: u64,
    skipped: u64,
    filtered: u64,
    value: Measured,
    detail: Option<String>,
    /// Failing rows, where they are known one by one.
    pub(crate) rows: Option<Vec<u64>>,
}

/// Judges the rows one by one.
pub(crate) fn expect(asked: &Asked, columns: &[Column], rows: usize) -> Expect {
    let let_in = |row: &usize| {
        let of = |cond: &crate::sql::Cond| cond.truth(columns, *row) == Some(true);
        asked.filter.as_ref().is_none_or(of) && asked.when.as_ref().is_none_or(of)
    };
    let eligible: Vec<usize> = (0..rows).filter(let_in).collect();
    let filtered = (rows - eligible.len()) as u64;
    let accepts = |failed: u64, judged: u64| {
        let millionths = (asked.check.mostly.share() * 1e6).round() as u128;
        u128::from(failed) * 1_000_000 <= (1_000_000 - millionths) * u128::from(judged)
    };
    let of_counts = |failed: u64, judged: u64| match judged {
        0 => Status::Vacuous,
        _ if accepts(failed, judged) => Status::Passed,
        _ => Status::Failed,
    };
    match &asked.ask {
        Ask::Rows(ask) => {
            let verdict =
                |row: &usize| decided(ask.judge(columns, *row, asked.check.nan), asked.check.nulls);
            let verdicts: Vec<(usize, Verdict)> =
                eligible.iter().map(|row| (*row, verdict(row))).collect();
            let count = |of: Verdict| verdicts.iter().filter(|(_, v)| *v == of).count() as u64;
            let (failed, skipped) = (count(Verdict::Fails), count(Verdict::Skipped));
            let judged = eligible.len() as u64 - skipped;
            let failing = verdicts.iter().filter(|(_, v)| *v == Verdict::Fails);
            let rows: Vec<u64> = failing.map(|(row, _)| *row as u64).collect();
            Expect {
                status: Some(of_counts(failed, judged)),
                judged,
                failed,
                skipped,
                filtered,
                value: Measured::No,
                detail: orphans(ask, columns, &rows),
                rows: Some(rows),
            }
        }
        Ask::Whole(ask, bounds) => {
            let Found { judged, failed, detail, value, rows } =
                ask.find(columns, &eligible, asked.check.nan);
            let status = match ask {
                WholeAsk::Metric(_) | WholeAsk::Distinctness(_) => {
                    let other = bounds.equals.as_ref().map(|metric| {
                        WholeAsk::Metric(metric.clone())
                            .find(columns, &eligible, asked.check.nan)
                            .value
                    });
                    of_value(&value, bounds, other)
                }
                _ => Some(of_counts(failed, judged)),
            };
            // What an aggregate says of the other value is its own affair.
            let detail = if bounds.equals.is_some() { Some(String::new()) } else { detail };
            let skipped = eligible.len() as u64 - judged;
            Expect { status, judged, failed, skipped, filtered, value, detail, rows }
        }
    }
}

/// What a foreign key says beside its counts.
fn orphans(ask: &RowAsk, columns: &[Column], failing: &[u64]) -> Option<String> {
    let RowAsk::ForeignKey(paths, ..) = ask else { return None };
    let value = |path: &String, row: u64| {
        columns.iter().find(|column| column.name == *path).unwrap().values[row as usize].key()
    };
    let mut keys: Vec<Vec<String>> =
        failing.iter().map(|row| paths.iter().map(|path| value(path, *row)).collect()).collect();
    keys.sort();
    keys.dedup();
    let count = keys.len();
    (count > 0).then(|| format!("{count} distinct keys are not in the other table"))
}

fn of_value(value: &Measured, bounds: &Bounds, other: Option<Measured>) -> Option<Status> {
    if *value == Measured::Nothing || other == Some(Measured::Nothing) {
        return Some(Status::Vacuous);
    }
    let inside = |bound: &Option<Value>, outside: Ordering| -> Option<bool> {
        let Some(bound) = bound else { return Some(true) };
        match value {
            Measured::Exact(value) => Some(value.order(bound).is_some_and(|o| o != outside)),
            Measured::About(near, share) => {
                if near.is_nan() {
                    return Some(false);
                }
                let slack = near.abs() * share + f64::MIN_POSITIVE;
                let order = |x: f64| Value::Float(x).order(bound);
                let (low, high) = (order(near - slack)?, order(near + slack)?);
                (low == high).then_some(low != outside)
            }
            _ => None,
        }
    };
    let equal = match (value, &other) {
        (_, None) => true,
        // Of one family, and not a number against a text.
        (Measured::Exact(a), Some(Measured::Exact(b))) => match (a, b) {
            (Value::Exact(_) | Value::Float(_), Value::Exact(_) | Value::Float(_)) => {
                a.order(b).is_some_and(Ordering::is_eq)
            }
            _ => return None,
        },
        _ => return None,
    };
    let holds =
        inside(&bounds.min, Ordering::Less)? && inside(&bounds.max, Ordering::Greater)? && equal;
    Some(if holds { Status::Passed } else { Status::Failed })
}

impl Expect {
    /// What the outcome says otherwise; nothing if it agrees.
    pub(crate) fn differs(&self, outcome: &Outcome, samples: usize) -> Option<String> {
        let counts = &outcome.counts;
        let found = (counts.judged, counts.failed, counts.skipped, counts.filtered);
        let wanted = (self.judged, self.failed, self.skipped, self.filtered);
        if found != wanted {
            return Some(format!("judged, failed, skipped, filtered: {found:?}, not {wanted:?}"));
        }
        if self.status.is_some_and(|status| status != outcome.status) {
            return Some(format!("status {:?}, not {:?}", outcome.status, self.status));
        }
        let detail = outcome.detail.as_deref();
        let same = match &self.detail {
            None => detail.is_none(),
            Some(start) if start.is_empty() => true,
            Some(start) => detail.is_some_and(|detail| detail.starts_with(start.as_str())),
        };
        if !same {
            return Some(format!("detail {detail:?}, not {:?}", self.detail));
        }
        if let Some(rows) = &self.rows {
            let first: Vec<Option<u64>> = rows.iter().take(samples).map(|r| Some(*r)).collect();
            let found: Vec<Option<u64>> = outcome.samples.iter().map(|s| s.row).collect();
            if found != first {
                return Some(format!("samples of rows {found:?}, not {first:?}"));
            }
        }
        self.observed_differs(outcome)
    }

    fn observed_differs(&self, outcome: &Outcome) -> Option<String> {
        let observed = outcome.observed.as_ref();
        let number = || -> Option<Number> {
            let text = match observed? {
                serde_json::Value::Number(n) => match n.as_f64().filter(|_| n.is_f64()) {
                    Some(float) => return Some(Number::float(float)),
                    None => n.to_string(),
                },
                serde_json::Value::String(text) => text.clone(),
                _ => return None,
            };
            text.parse::<f64>().ok().filter(|value| value.is_finite())?;
            Some(Number::read(&text))
        };
        let float = || match observed? {
            serde_json::Value::String(text) => text.parse::<f64>().ok(),
            other => other.as_f64(),
        };
        let same = match &self.value {
            Measured::No | Measured::Nothing => observed.is_none(),
            Measured::Unknown => true,
            // A sum past 256 bits is the nearest float.
            Measured::Exact(Value::Exact(wanted))
                if observed.is_some_and(serde_json::Value::is_f64) =>
            {
                float() == Some(wanted.to_f64())
            }
            Measured::Exact(Value::Exact(wanted)) => number().is_some_and(|n| n == *wanted),
            Measured::Exact(Value::Float(wanted)) => {
                float().is_some_and(|x| x == *wanted || x.is_nan() && wanted.is_nan())
            }
            Measured::Exact(Value::Text(wanted)) => {
                observed.and_then(serde_json::Value::as_str) == Some(wanted)
            }
            Measured::Exact(Value::Date(days)) => {
                let days = chrono::TimeDelta::try_days(*days);
                let date = days.and_then(|d| chrono::NaiveDate::default().checked_add_signed(d));
                date.is_none_or(|date| {
                    let text = observed.and_then(serde_json::Value::as_str).unwrap_or_default();
                    text.starts_with(&date.to_string())
                })
            }
            Measured::Exact(_) => observed.is_some(),
            Measured::About(wanted, share) => float().is_some_and(|x| {
                x == *wanted || (x - wanted).abs() <= wanted.abs() * share + 1e-300
            }),
            Measured::Between(low, high) => float().is_some_and(|x| x >= *low && x <= *high),
        };
        (!same).then(|| format!("observed {observed:?}, not {:?}", self.value))
    }
}

/// How many rows fail a check of values of severity `error`.
pub(crate) fn rows_failed(checks: &[(&Asked, &Expect)]) -> u64 {
    let mut rows: Vec<u64> = checks
        .iter()
        .filter(|(asked, _)| {
            asked.check.severity == Severity::Error && matches!(asked.ask, Ask::Rows(_))
        })
        .flat_map(|(_, expect)| expect.rows.iter().flatten().copied())
        .collect();
    rows.sort_unstable();
    rows.dedup();
    rows.len() as u64
}

/// The report without what may differ from run to run: the clock.
pub(crate) fn timeless(mut report: Report) -> String {
    report.nanos = 0;
    for outcome in &mut report.outcomes {
        outcome.nanos = 0;
    }
    serde_json::to_string_pretty(&report).unwrap()
}
