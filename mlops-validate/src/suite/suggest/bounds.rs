//! Bounds with a margin, in numbers that a person would choose.

use mlops_core::arrow::datatypes::i256;
use mlops_core::registry::ColumnType;
use mlops_core::validation::Literal;

use crate::stats::Value;

/// The bounds of a range around `min` and `max`, and the two as they are read; `None` for what has no
/// range worth proposing. A bound that JSON has no number for is left out.
pub(super) fn around(
    min: &Value,
    max: &Value,
    data_type: &ColumnType,
    margin: f64,
) -> Option<(Option<Literal>, Option<Literal>)> {
    match (min, max) {
        (Value::Float(min), Value::Float(max)) => {
            let (least, greatest) = widened(*min, *max, margin)?;
            let literal = |bound: f64| bound.is_finite().then_some(Literal::Float(bound));
            Some((literal(least), literal(greatest)))
        }
        (Value::Whole(min), Value::Whole(max)) => match data_type {
            ColumnType::Decimal128 { scale, .. } | ColumnType::Decimal256 { scale, .. } => {
                let least = decimal(*min, *max, *scale, margin, false);
                Some((least, decimal(*min, *max, *scale, margin, true)))
            }
            _ => {
                let (small, great) = (min.to_i128()?, max.to_i128()?);
                let (least, greatest) = widened(small as f64, great as f64, margin)?;
                // Past 2^53 a float is rounded; the data's own values stay inside whatever that does.
                Some((whole(least, small, false), whole(greatest, great, true)))
            }
        },
        _ => None,
    }
}

/// The bounds moved outward, to two digits, but not across zero: what was never negative stays so.
fn widened(min: f64, max: f64, margin: f64) -> Option<(f64, f64)> {
    if !min.is_finite() || !max.is_finite() {
        return None;
    }
    let slack = (max - min) * if margin.is_finite() { margin.max(0.0) } else { 1.0 };
    let least = rounded(min - slack, false).min(min);
    let greatest = rounded(max + slack, true).max(max);
    Some((
        if min >= 0.0 { least.max(0.0) } else { least },
        if max <= 0.0 { greatest.min(0.0) } else { greatest },
    ))
}

/// To two significant digits, up or down.
fn rounded(value: f64, up: bool) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = value.abs().log10().floor() - 1.0;
    let unit = 10_f64.powf(digits.abs());
    // A power of ten above 1 is exact; one below 1 is not, so it divides.
    let (scaled, back): (f64, fn(f64, f64) -> f64) = if digits < 0.0 {
        (value * unit, |n, unit| n / unit)
    } else {
        (value / unit, |n, unit| n * unit)
    };
    let result = back(if up { scaled.ceil() } else { scaled.floor() }, unit);
    if result.is_finite() { result } else { value }
}

fn whole(bound: f64, inside: i128, up: bool) -> Option<Literal> {
    let bound =
        if up { (bound.ceil() as i128).max(inside) } else { (bound.floor() as i128).min(inside) };
    match i64::try_from(bound) {
        Ok(bound) => Some(Literal::Int(bound)),
        // Past the ends of 64 bits no bound is needed above or below.
        Err(_) => u64::try_from(bound).ok().map(Literal::UInt),
    }
}

/// A bound of a decimal as text, exact.
fn decimal(min: i256, max: i256, scale: i8, margin: f64, up: bool) -> Option<Literal> {
    let (small, great) = (min.to_i128()?, max.to_i128()?);
    let (least, greatest) = widened(small as f64, great as f64, margin)?;
    let Some(Literal::Int(bound)) =
        (if up { whole(greatest, great, true) } else { whole(least, small, false) })
    else {
        return None;
    };
    Some(Literal::Text(decimal_text(bound, scale)?))
}

fn decimal_text(unscaled: i64, scale: i8) -> Option<String> {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = unscaled.unsigned_abs().to_string();
    let scale = usize::try_from(scale).ok()?;
    if scale == 0 {
        return Some(format!("{sign}{digits}"));
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    Some(format!("{sign}{whole}.{fraction}"))
}
