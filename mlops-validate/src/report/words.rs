//! Numbers and findings in words, the same in every form of a report.

use std::borrow::Cow;

use mlops_core::time::Instant;
use mlops_core::validation::{Basis, Outcome, Status};
use serde_json::Value;

use super::escape::short;

/// `336,776`.
pub(super) fn integer(n: u64) -> String {
    grouped(&n.to_string())
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 check`, `1,000 checks`.
pub(super) fn count(n: u64, what: &str) -> String {
    format!("{} {what}{}", integer(n), if n == 1 { "" } else { "s" })
}

/// `2.45 %`. Something is never `0 %`, and not quite all never `100 %`.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".into();
    }
    let basis_points = (u128::from(part) * 10_000 + u128::from(whole) / 2) / u128::from(whole);
    match basis_points {
        0 if part > 0 => "< 0.01 %".into(),
        10_000 if part < whole => "> 99.99 %".into(),
        n if n % 100 == 0 => format!("{} %", n / 100),
        n => format!("{}.{:02} %", n / 100, n % 100),
    }
}

/// `12,643.5`; powers of ten where the digits would be many.
pub(super) fn float(value: f64) -> String {
    if value != 0.0 && !(1e-5..1e15).contains(&value.abs()) {
        return format!("{value:e}");
    }
    let text = value.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    match digits.split_once('.') {
        Some((whole, fraction)) => format!("{sign}{}.{fraction}", grouped(whole)),
        None if digits.chars().all(|c| c.is_ascii_digit()) => format!("{sign}{}", grouped(digits)),
        None => text,
    }
}

/// What was observed.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(n), ..) => integer(n),
            (_, Some(n), _) => format!("-{}", integer(n.unsigned_abs())),
            (.., Some(x)) => float(x),
            _ => number.to_string(),
        },
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `850 ns`, `3.4 ms`, `12.5 s`, `4 min 07 s`.
pub(super) fn duration(nanos: u64) -> String {
    let scaled = |unit: f64, name: &str| {
        let value = nanos as f64 / unit;
        format!("{value:.*} {name}", usize::from(value < 99.95))
    };
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => scaled(1e3, "µs"),
        1_000_000..1_000_000_000 => scaled(1e6, "ms"),
        1_000_000_000..60_000_000_000 => scaled(1e9, "s"),
        _ => {
            let secs = nanos / 1_000_000_000;
            match secs / 3_600 {
                0 => format!("{} min {:02} s", secs / 60, secs % 60),
                hours => format!("{} h {:02} min", integer(hours), secs / 60 % 60),
            }
        }
    }
}

/// `17 B`, `4.2 KiB`, `1.5 GiB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `2026-01-31 14:05:09 UTC`.
pub(super) fn instant(at: Instant) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// What a check found, without the details: `8,255 of 336,776 rows failed (2.45 %)`; for one that
/// passed, how many rows it looked at.
pub(super) fn found(outcome: &Outcome) -> String {
    let counts = &outcome.counts;
    let rows = || {
        let (failed, judged) = (counts.failed, counts.judged);
        format!(
            "{} of {} failed ({})",
            integer(failed),
            count(judged, "row"),
            share(failed, judged)
        )
    };
    match (&outcome.observed, outcome.status) {
        (_, Status::Vacuous) => "nothing to judge".into(),
        (Some(observed), _) if counts.failed > 0 => format!("{}; {}", value(observed), rows()),
        (Some(observed), _) => value(observed),
        (None, _) if counts.failed > 0 => rows(),
        (None, Status::Failed) => "not as expected".into(),
        (None, _)
            if counts.judged == 0
                || matches!(outcome.evidence.basis, Basis::Schema | Basis::Source) =>
        {
            "as expected".into()
        }
        (None, _) => count(counts.judged, "row"),
    }
}

/// Rows that were not judged: `9,430 rows skipped (null or NaN)`; nothing where all were.
pub(super) fn left_out(outcome: &Outcome) -> Option<String> {
    let counts = &outcome.counts;
    let skipped =
        (counts.skipped > 0).then(|| format!("{} skipped (null or NaN)", integer(counts.skipped)));
    let filtered = (counts.filtered > 0)
        .then(|| format!("{} left out by the filter", integer(counts.filtered)));
    match (skipped, filtered) {
        (None, None) => None,
        (one, None) | (None, one) => one,
        (Some(one), Some(other)) => Some(format!("{one}, {other}")),
    }
}

/// What a verdict rests on.
pub(super) fn evidence(outcome: &Outcome) -> String {
    match outcome.evidence.basis {
        Basis::Schema => "decided by the schema: no value was read".into(),
        Basis::Source => "decided by what the store says of the files: nothing was read".into(),
        Basis::Statistics => "proved by file statistics: no value was read".into(),
        Basis::StatisticsAndValues => format!(
            "file statistics decided {}, the others were read",
            count(outcome.evidence.rows_by_statistics, "row")
        ),
        Basis::Values => "values were read".into(),
    }
}

/// [`evidence`] in a word or two, for a table.
pub(super) fn basis(outcome: &Outcome) -> &'static str {
    match outcome.evidence.basis {
        Basis::Schema => "schema",
        Basis::Source => "file listing",
        Basis::Statistics => "file statistics",
        Basis::StatisticsAndValues => "statistics, values",
        Basis::Values => "values",
    }
}

/// A value of a sample on one line; what could be overlooked stands in quotes.
pub(super) fn sample(value: Option<&str>, most: usize) -> Cow<'_, str> {
    match value {
        None => "null".into(),
        Some(text) if text.trim().len() < text.len() || text.is_empty() || text == "null" => {
            format!("\"{}\"", short(text, most)).into()
        }
        Some(text) => short(text, most),
    }
}
