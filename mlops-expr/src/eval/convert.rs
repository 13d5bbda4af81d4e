//! Values of one type as values of another; null where a value has no counterpart.

use std::fmt::Write as _;

use super::arith::{fits, rounded};
use super::mask::Mask;
use super::vector::{Data, TextBuilder, Values, Vector};
use crate::ast::Literal;
use crate::calendar::{
    NANOS_PER_DAY, parse_date, parse_timestamp, write_clock, write_date, write_timestamp,
};
use crate::print::write_decimal;
use crate::types::Type;

/// Whether any value of `from` could be one of `to`.
pub(crate) fn can_convert(from: &Type, to: &Type) -> bool {
    use Type::{Bool, Date, Duration, Int, Interval, Null, Other, Struct, Text, Time, Timestamp};
    match (from, to) {
        (Null, _) => true,
        (Struct(_) | Other(_) | Interval, _) | (_, Struct(_) | Other(_) | Interval | Null) => false,
        (a, b) if a == b => true,
        (Duration(_), to) | (to, Duration(_)) => matches!((from, to), (Duration(_), Duration(_))),
        (from, Text) => from.is_number() || matches!(from, Bool | Date | Time | Timestamp(..)),
        (Text, to) => to.is_number() || matches!(to, Bool | Date | Timestamp(..)),
        (Bool, Int(..)) | (Date | Timestamp(..), Date | Timestamp(..)) => true,
        (from, to) => from.is_number() && to.is_number(),
    }
}

/// See [`can_convert`]; what cannot be converted is null.
pub(crate) fn convert<'a>(a: Vector<'a>, from: &Type, to: &Type, rows: usize) -> Vector<'a> {
    if from == to || matches!((from, to), (Type::Float32, Type::Float64)) {
        return a;
    }
    let mut nulls = a.unknown(rows);
    let data = match (&a.data, to) {
        (Data::Null, _) => return Vector::null(),
        (_, Type::Text) => text(&a, from, rows, &mut nulls),
        (Data::Text(texts), _) => {
            let mut out = Parsed::new(to, rows);
            for i in 0..rows {
                let null = nulls.as_ref().is_some_and(|nulls| nulls.get(i));
                if null || !out.push(i, texts.get(i), to) {
                    out.none();
                    nulls.get_or_insert_with(|| Mask::zeros(rows)).set(i);
                }
            }
            out.data
        }
        (Data::Bool(bits), _) => {
            Data::I64(Values::Owned((0..rows).map(|i| i64::from(bits.get(i))).collect()))
        }
        (Data::F64(values), Type::Float32) => {
            Data::F64(values.map(|value| f64::from(value as f32)))
        }
        (Data::F64(values), Type::UInt64 | Type::Decimal(..)) => {
            Data::I128(values.try_map(rows, &mut nulls, |value| of_float(value, to)))
        }
        (Data::F64(values), _) => Data::I64(values.try_map(rows, &mut nulls, |value| {
            of_float(value, to).and_then(|value| value.try_into().ok())
        })),
        (Data::I64(values), _) if from.instant().is_some() => {
            Data::I64(values.try_map(rows, &mut nulls, |value| instant(value, from, to)))
        }
        (Data::I64(_), Type::Duration(_)) => ticks(&a, from, to, rows, &mut nulls),
        (Data::I64(values), Type::UInt64 | Type::Decimal(..)) => {
            Data::I128(values.try_map(rows, &mut nulls, |value| exact(value.into(), 0, to)))
        }
        (Data::I64(values), Type::Float32) => {
            Data::F64(values.map(|value| f64::from(value as f32)))
        }
        (Data::I64(values), Type::Float64) => Data::F64(values.map(|value| value as f64)),
        (Data::I64(values), _) => Data::I64(values.try_map(rows, &mut nulls, |value| {
            exact(value.into(), 0, to).and_then(|value| value.try_into().ok())
        })),
        (Data::I128(values), to) => {
            let scale = from.digits().map_or(0, |(_, scale)| scale);
            match to {
                Type::Float32 | Type::Float64 => {
                    Data::F64(values.map(|value| to_float(value, scale, to == &Type::Float32)))
                }
                Type::UInt64 | Type::Decimal(..) => {
                    Data::I128(values.try_map(rows, &mut nulls, |value| exact(value, scale, to)))
                }
                _ => Data::I64(values.try_map(rows, &mut nulls, |value| {
                    exact(value, scale, to).and_then(|value| value.try_into().ok())
                })),
            }
        }
        (Data::Opaque, _) => Data::Null,
    };
    Vector { data, nulls }
}

/// `value / 10^scale` as an integer or decimal of the type.
fn exact(value: i128, scale: u8, to: &Type) -> Option<i128> {
    let (_, target) = to.digits()?;
    let value = if target >= scale {
        value.checked_mul(10_i128.checked_pow((target - scale).into())?)?
    } else {
        rounded(value, (scale - target).into())
    };
    let fits = match to {
        Type::Int(bits, true) => {
            let limit = 1_i128 << (bits - 1);
            (-limit..limit).contains(&value)
        }
        Type::Int(bits, false) => (0..1_i128 << bits).contains(&value),
        Type::UInt64 => u64::try_from(value).is_ok(),
        Type::Decimal(precision, _) => fits(value, *precision),
        _ => false,
    };
    fits.then_some(value)
}

fn of_float(value: f64, to: &Type) -> Option<i128> {
    let (_, scale) = to.digits()?;
    if !value.is_finite() || value.abs() >= 1e38 {
        return None;
    }
    if scale == 0 {
        return exact(value.round() as i128, 0, to);
    }
    // All digits of a float are known; this is how they are had without an error of rounding.
    let digits = format!("{value:.width$}", width = usize::from(scale));
    exact(digits.replace('.', "").parse().ok()?, scale, to)
}

/// The nearest float of `value / 10^scale`.
pub(crate) fn to_float(value: i128, scale: u8, single: bool) -> f64 {
    if !single && value.unsigned_abs() <= 1 << 53 && scale <= 22 {
        // Both are exact, so the quotient is rounded once.
        return value as f64 / 10_u128.pow(scale.into()) as f64;
    }
    let mut digits = String::new();
    write_decimal(&mut digits, value, scale.into());
    if single {
        return digits.parse::<f32>().map_or(f64::NAN, f64::from);
    }
    digits.parse().unwrap_or(f64::NAN)
}

/// Between dates and timestamps; coarser ones take the tick that has begun.
fn instant(value: i64, from: &Type, to: &Type) -> Option<i64> {
    let ((from, _), (to, _)) = (from.instant()?, to.instant()?);
    let value = i64::try_from((i128::from(value) * i128::from(from)).div_euclid(to.into())).ok()?;
    (to != NANOS_PER_DAY || i32::try_from(value).is_ok()).then_some(value)
}

/// Durations in a finer unit.
fn ticks(
    a: &Vector<'_>,
    from: &Type,
    to: &Type,
    rows: usize,
    nulls: &mut Option<Mask>,
) -> Data<'static> {
    let (Data::I64(values), Type::Duration(from), Type::Duration(to)) = (&a.data, from, to) else {
        return Data::Null;
    };
    let (from, to) = (crate::types::tick(*from), crate::types::tick(*to));
    Data::I64(values.try_map(rows, nulls, |value| {
        i64::try_from((i128::from(value) * i128::from(from)).div_euclid(to.into())).ok()
    }))
}

fn text(a: &Vector<'_>, from: &Type, rows: usize, nulls: &mut Option<Mask>) -> Data<'static> {
    let mut out = TextBuilder::with_capacity(rows);
    for i in 0..rows {
        if nulls.as_ref().is_none_or(|nulls| !nulls.get(i)) {
            write_value(&mut out.text, a, from, i);
        }
        out.end();
    }
    out.finish()
}

fn write_value(out: &mut String, a: &Vector<'_>, from: &Type, i: usize) {
    match (&a.data, from) {
        (Data::Bool(bits), _) => out.push_str(if bits.get(i) { "true" } else { "false" }),
        (Data::I64(values), Type::Date) => write_date(out, values.get(i)),
        (Data::I64(values), Type::Time) => write_clock(out, values.get(i)),
        (Data::I64(values), Type::Timestamp(unit, zone)) => {
            let tick = i128::from(crate::types::tick(*unit));
            write_timestamp(out, i128::from(values.get(i)) * tick);
            out.push_str(if zone.is_some() { "Z" } else { "" });
        }
        (Data::I64(values), _) => {
            let _ = write!(out, "{}", values.get(i));
        }
        (Data::I128(values), from) => {
            let scale = from.digits().map_or(0, |(_, scale)| scale);
            write_decimal(out, values.get(i), scale.into());
        }
        (Data::F64(values), from) => write_float(out, values.get(i), from == &Type::Float32),
        _ => {}
    }
}

/// The shortest digits that mean the float; an exponent where they would be many.
fn write_float(out: &mut String, value: f64, single: bool) {
    let _ = match value {
        _ if value == f64::INFINITY => write!(out, "Infinity"),
        _ if value == f64::NEG_INFINITY => write!(out, "-Infinity"),
        _ if value == 0.0 => write!(out, "0"),
        _ if (1e-5..1e16).contains(&value.abs()) || value.is_nan() => {
            if single {
                write!(out, "{}", value as f32)
            } else {
                write!(out, "{value}")
            }
        }
        _ if single => write!(out, "{:e}", value as f32),
        _ => write!(out, "{value:e}"),
    };
}

/// Values read from texts.
struct Parsed {
    data: Data<'static>,
}

impl Parsed {
    fn new(to: &Type, rows: usize) -> Self {
        let data = match to {
            Type::Bool => Data::Bool(Mask::zeros(rows)),
            Type::Float32 | Type::Float64 => Data::F64(Values::Owned(Vec::with_capacity(rows))),
            Type::UInt64 | Type::Decimal(..) => Data::I128(Values::Owned(Vec::with_capacity(rows))),
            _ => Data::I64(Values::Owned(Vec::with_capacity(rows))),
        };
        Self { data }
    }

    fn none(&mut self) {
        match &mut self.data {
            Data::I64(Values::Owned(values)) => values.push(0),
            Data::I128(Values::Owned(values)) => values.push(0),
            Data::F64(Values::Owned(values)) => values.push(0.0),
            _ => {}
        }
    }

    /// Whether the text is a value; if it is, that is the next one.
    fn push(&mut self, i: usize, text: &str, to: &Type) -> bool {
        let done = match &mut self.data {
            Data::Bool(bits) => truth(text).map(|truth| {
                if truth {
                    bits.set(i);
                }
            }),
            Data::F64(Values::Owned(values)) => match to {
                Type::Float32 => text.parse::<f32>().ok().map(|value| values.push(value.into())),
                _ => text.parse().ok().map(|value| values.push(value)),
            },
            Data::I128(Values::Owned(values)) => number(text, to).map(|value| values.push(value)),
            Data::I64(Values::Owned(values)) => long(text, to).map(|value| values.push(value)),
            _ => None,
        };
        done.is_some()
    }
}

fn truth(text: &str) -> Option<bool> {
    let is = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match () {
        () if is(["true", "t", "yes", "y", "1"]) => Some(true),
        () if is(["false", "f", "no", "n", "0"]) => Some(false),
        () => None,
    }
}

/// An integer or decimal: a sign, digits, a dot, digits.
fn number(text: &str, to: &Type) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    match crate::parse::exact(digits)? {
        Literal::Exact(value, scale) => exact(if negative { -value } else { value }, scale, to),
        _ => None,
    }
}

fn long(text: &str, to: &Type) -> Option<i64> {
    match to {
        Type::Date => parse_date(text).map(i64::from),
        Type::Timestamp(unit, zone) => {
            let (nanos, zoned) = parse_timestamp(text)?;
            let tick = i128::from(crate::types::tick(*unit));
            (zoned == zone.is_some()).then(|| i64::try_from(nanos.div_euclid(tick)).ok())?
        }
        _ => number(text, to)?.try_into().ok(),
    }
}
