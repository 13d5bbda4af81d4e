//! Functions of numbers.

use std::cmp::Ordering;

use super::arith::{fits, rounded};
use super::vector::{Data, Values, Vector};
use crate::types::Type;

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Function {
    Abs,
    Sign,
    Floor,
    Ceil,
    Trunc,
    /// To digits after the dot; negative: before it.
    Round(i32),
    Sqrt,
    Exp,
    Ln,
    Log10,
}

/// `f(a)`, of the result's type.
pub(crate) fn number(
    f: Function,
    a: &Vector<'_>,
    from: &Type,
    to: &Type,
    rows: usize,
) -> Vector<'static> {
    let mut nulls = a.unknown(rows);
    let data = match &a.data {
        Data::F64(values) => Data::F64(values.map(|value| float(f, value))),
        Data::I64(values) => Data::I64(values.try_map(rows, &mut nulls, |value| match f {
            Function::Abs => value.checked_abs(),
            Function::Sign => Some(value.signum()),
            Function::Round(digits @ ..0) => {
                round_whole(value.into(), digits).and_then(|value| value.try_into().ok())
            }
            _ => Some(value),
        })),
        Data::I128(values) => {
            let scale = from.digits().map_or(0, |(_, scale)| scale);
            let (precision, target) = to.digits().unwrap_or((38, 0));
            Data::I128(values.try_map(rows, &mut nulls, |value| {
                decimal(f, value, scale, target).filter(|value| fits(*value, precision))
            }))
        }
        _ => Data::Null,
    };
    Vector { data, nulls }
}

fn decimal(f: Function, value: i128, scale: u8, target: u8) -> Option<i128> {
    let one = 10_i128.checked_pow(scale.into())?;
    match f {
        Function::Abs => value.checked_abs(),
        Function::Sign => Some(value.signum()),
        Function::Floor => Some(value.div_euclid(one)),
        Function::Ceil => value.checked_neg()?.div_euclid(one).checked_neg(),
        Function::Trunc => Some(value / one),
        Function::Round(digits) if digits < 0 => round_whole(value / one, digits),
        Function::Round(_) => Some(rounded(value, u32::from(scale - target.min(scale)))),
        _ => None,
    }
}

/// To a multiple of a power of ten, halves away from zero.
fn round_whole(value: i128, digits: i32) -> Option<i128> {
    let by = digits.unsigned_abs();
    let factor = 10_i128.checked_pow(by);
    factor.map_or(Some(0), |factor| rounded(value, by).checked_mul(factor))
}

fn float(f: Function, value: f64) -> f64 {
    match f {
        Function::Abs => value.abs(),
        Function::Sign if value == 0.0 || value.is_nan() => value,
        Function::Sign => value.signum(),
        Function::Floor => value.floor(),
        Function::Ceil => value.ceil(),
        Function::Trunc => value.trunc(),
        Function::Round(0) => value.round(),
        Function::Round(digits) if !value.is_finite() || digits > 330 => value,
        // By its digits, because a product with a power of ten is rounded before it is.
        Function::Round(digits @ 1..) => {
            format!("{value:.width$}", width = digits as usize).parse().unwrap_or(value)
        }
        Function::Round(digits) => {
            let factor = 10_f64.powi(-digits);
            if factor.is_finite() { (value / factor).round() * factor } else { 0.0 }
        }
        Function::Sqrt => value.sqrt(),
        Function::Exp => value.exp(),
        Function::Ln => value.ln(),
        Function::Log10 => value.log10(),
    }
}

/// `power(a, b)` of floats.
pub(crate) fn power(a: &Vector<'_>, b: &Vector<'_>, rows: usize) -> Vector<'static> {
    let nulls = super::mask::either(a.unknown(rows), b.unknown(rows).as_ref());
    match (&a.data, &b.data) {
        (Data::F64(a), Data::F64(b)) => Vector { data: Data::F64(a.zip(b, f64::powf)), nulls },
        _ => Vector::null(),
    }
}

/// NaN above everything, −0.0 equal to 0.0.
pub(crate) fn float_order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// The order of two rows of columns of one type, which are not null.
pub(crate) fn order(a: &Vector<'_>, b: &Vector<'_>, i: usize) -> Ordering {
    fn of<T: Copy + Ord>(a: &Values<'_, T>, b: &Values<'_, T>, i: usize) -> Ordering {
        a.get(i).cmp(&b.get(i))
    }
    match (&a.data, &b.data) {
        (Data::I64(a), Data::I64(b)) => of(a, b, i),
        (Data::I128(a), Data::I128(b)) => of(a, b, i),
        (Data::F64(a), Data::F64(b)) => float_order(a.get(i), b.get(i)),
        (Data::Text(a), Data::Text(b)) => a.get(i).cmp(b.get(i)),
        (Data::Bool(a), Data::Bool(b)) => a.get(i).cmp(&b.get(i)),
        _ => Ordering::Equal,
    }
}
