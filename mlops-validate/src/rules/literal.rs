//! A literal of a suite becomes a value of a column's type, exactly or not at all.
//!
//! Every ordered type of Arrow but floats and text counts something in integers: days, microseconds,
//! ten-thousandths. So a bound becomes the least or greatest such integer that is inside
//! ([`Side`]), in 256 bits, and what lies between two representable values needs no rounding rule.

#[cfg(test)]
mod tests;

use arrow::datatypes::{DataType, TimeUnit, i256};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use mlops_core::validation::Literal;
use mlops_core::{Error, Result};

/// Which end of a range a bound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The least value; the value itself is out if `excluded`.
    Min { excluded: bool },
    /// The greatest value; the value itself is out if `excluded`.
    Max { excluded: bool },
}

/// A value that may lie between two integers: `whole` if `exact`, else above it and below the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scaled {
    pub(crate) whole: i256,
    pub(crate) exact: bool,
}

impl Scaled {
    /// The first or last integer that is inside.
    pub(crate) fn bound(self, side: Side) -> i256 {
        let one = i256::ONE;
        match (side, self.exact) {
            // What is between two integers lies above `whole`.
            (Side::Min { excluded: false }, true)
            | (Side::Max { excluded: false }, _)
            | (Side::Max { .. }, false) => self.whole,
            (Side::Min { .. }, _) => self.whole.checked_add(one).unwrap_or(i256::MAX),
            (Side::Max { .. }, true) => self.whole.checked_sub(one).unwrap_or(i256::MIN),
        }
    }
}

/// The literal in the units of an ordered type that counts in integers.
///
/// # Errors
/// `Invalid`: the literal is not of the type's family. It says what would be.
pub(crate) fn scaled(literal: &Literal, data_type: &DataType) -> Result<Scaled> {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => decimal(literal, *scale, data_type),
        integer if integer.is_integer() => decimal(literal, 0, data_type),
        DataType::Date32 | DataType::Date64 => date(literal, data_type),
        DataType::Timestamp(unit, zone) => instant(literal, *unit, zone.is_some(), data_type),
        DataType::Time32(unit) | DataType::Time64(unit) => time(literal, *unit, data_type),
        DataType::Duration(unit) => duration(literal, *unit, data_type),
        _ => Err(misfit(literal, data_type, "the column's values have no such order")),
    }
}

/// The bound of a float column: every value that is inside is ≥ (or ≤) it.
pub(crate) fn float(literal: &Literal, side: Side, data_type: &DataType) -> Result<f64> {
    let hint = "a number, as 0.5 or 1e-9";
    let (mut value, order) = match literal {
        Literal::Int(n) => nearest(i128::from(*n)),
        Literal::UInt(n) => nearest(i128::from(*n)),
        Literal::Float(value) if !value.is_nan() => (*value, std::cmp::Ordering::Equal),
        Literal::Text(text) => match text.trim().parse::<f64>() {
            Ok(value) if !value.is_nan() => (value, std::cmp::Ordering::Equal),
            _ => return Err(misfit(literal, data_type, hint)),
        },
        _ => return Err(misfit(literal, data_type, hint)),
    };
    // `order` is how the float lies to the literal where no float equals it.
    match side {
        Side::Min { excluded } => {
            if order.is_lt() || order.is_eq() && excluded {
                value = value.next_up();
            }
        }
        Side::Max { excluded } => {
            if order.is_gt() || order.is_eq() && excluded {
                value = value.next_down();
            }
        }
    }
    Ok(value)
}

/// The nearest float, and how it lies to the integer.
fn nearest(n: i128) -> (f64, std::cmp::Ordering) {
    let float = n as f64;
    (float, (float as i128).cmp(&n))
}

/// The literal as text.
pub(crate) fn text<'a>(literal: &'a Literal, data_type: &DataType) -> Result<&'a str> {
    match literal {
        Literal::Text(text) => Ok(text),
        _ => Err(misfit(literal, data_type, "text in quotes")),
    }
}

fn decimal(literal: &Literal, scale: i8, data_type: &DataType) -> Result<Scaled> {
    let hint = "a number; a decimal in quotes, as \"12.50\", is taken digit by digit";
    let digits = match literal {
        Literal::Int(n) => n.to_string(),
        Literal::UInt(n) => n.to_string(),
        Literal::Float(value) if value.is_finite() => format!("{value}"),
        Literal::Text(text) => text.trim().to_owned(),
        _ => return Err(misfit(literal, data_type, hint)),
    };
    parse_decimal(&digits, scale).ok_or_else(|| misfit(literal, data_type, hint))
}

/// `-12.345` at a scale of 2 is −1234 and something below: whole −1235, not exact.
pub(crate) fn parse_decimal(text: &str, scale: i8) -> Option<Scaled> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix(['-', '+']) {
        Some(rest) => (mantissa.starts_with('-'), rest),
        None => (false, mantissa),
    };
    let (before, after) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if before.len() + after.len() == 0 || !all_digits(before) || !all_digits(after) {
        return None;
    }
    if exponent.unsigned_abs() > 1000 || before.len() + after.len() > 1000 {
        return None;
    }
    // Digits that count whole units at this scale; the rest only says whether something is left.
    let point = before.len() as i64 + i64::from(exponent) + i64::from(scale);
    let digits: Vec<u8> = before.bytes().chain(after.bytes()).map(|b| b - b'0').collect();
    let whole_digits = usize::try_from(point).unwrap_or(0);
    let ten = i256::from_i128(10);
    let mut whole = i256::ZERO;
    for position in 0..whole_digits {
        let digit = digits.get(position).copied().unwrap_or(0);
        if whole == i256::ZERO && digit == 0 {
            continue;
        }
        whole = whole.checked_mul(ten)?.checked_add(i256::from_i128(i128::from(digit)))?;
    }
    let exact = digits.iter().skip(whole_digits).all(|digit| *digit == 0);
    if negative {
        whole = whole.checked_neg()?;
        if !exact {
            whole = whole.checked_sub(i256::ONE)?;
        }
    }
    Some(Scaled { whole, exact })
}

fn date(literal: &Literal, data_type: &DataType) -> Result<Scaled> {
    let bad = || misfit(literal, data_type, "a date in quotes, as \"2013-01-31\"");
    let Literal::Text(text) = literal else { return Err(bad()) };
    let date = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").map_err(|_| bad())?;
    let days = i128::from(date.signed_duration_since(NaiveDate::default()).num_days());
    let unit = if *data_type == DataType::Date64 { 86_400_000 } else { 1 };
    Ok(Scaled { whole: i256::from_i128(days * unit), exact: true })
}

fn instant(literal: &Literal, unit: TimeUnit, zoned: bool, data_type: &DataType) -> Result<Scaled> {
    let hint = if zoned {
        "an instant with its zone in quotes, as \"2013-01-31T12:00:00Z\""
    } else {
        "a date or a time without a zone in quotes, as \"2013-01-31\" or \"2013-01-31T12:00:00\""
    };
    let bad = || misfit(literal, data_type, hint);
    let Literal::Text(text) = literal else { return Err(bad()) };
    let text = text.trim();
    let read = if zoned {
        DateTime::parse_from_rfc3339(text).map_err(|_| bad())?.naive_utc()
    } else {
        naive(text).ok_or_else(bad)?
    };
    let nanos = i128::from(read.and_utc().timestamp()) * 1_000_000_000
        + i128::from(read.and_utc().timestamp_subsec_nanos());
    Ok(in_unit(nanos, unit))
}

/// A reading of a wall clock; a date alone is its midnight.
fn naive(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
}

fn time(literal: &Literal, unit: TimeUnit, data_type: &DataType) -> Result<Scaled> {
    let bad = || misfit(literal, data_type, "a time of day in quotes, as \"23:59:59.5\"");
    let Literal::Text(text) = literal else { return Err(bad()) };
    let read = ["%H:%M:%S%.f", "%H:%M"]
        .iter()
        .find_map(|format| NaiveTime::parse_from_str(text.trim(), format).ok())
        .ok_or_else(bad)?;
    let nanos = read.signed_duration_since(NaiveTime::MIN).num_nanoseconds().ok_or_else(bad)?;
    Ok(in_unit(i128::from(nanos), unit))
}

fn duration(literal: &Literal, unit: TimeUnit, data_type: &DataType) -> Result<Scaled> {
    let bad = || misfit(literal, data_type, "a duration in quotes, as \"90s\", \"1.5h\" or \"2d\"");
    let Literal::Text(text) = literal else { return Err(bad()) };
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
    let (number, suffix) = text.split_at(split);
    let nanos: i128 = match suffix {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return Err(bad()),
    };
    // Nine digits after the point are nanoseconds of the greatest unit and finer.
    let parsed = parse_decimal(number.trim(), 9).ok_or_else(bad)?;
    let billionths = parsed.whole.to_i128().filter(|_| parsed.exact).ok_or_else(bad)?;
    let total = billionths.checked_mul(nanos).ok_or_else(bad)?;
    if total % 1_000_000_000 != 0 {
        return Err(bad());
    }
    Ok(in_unit(total / 1_000_000_000, unit))
}

fn in_unit(nanos: i128, unit: TimeUnit) -> Scaled {
    let size: i128 = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    let (whole, rest) = (nanos.div_euclid(size), nanos.rem_euclid(size));
    Scaled { whole: i256::from_i128(whole), exact: rest == 0 }
}

/// The literal is not of the column's family.
#[cold]
pub(crate) fn misfit(literal: &Literal, data_type: &DataType, hint: &'static str) -> Error {
    Error::invalid("suite", "a value does not fit the column's type")
        .with("value", literal)
        .with("type", data_type)
        .with_hint(hint)
}
