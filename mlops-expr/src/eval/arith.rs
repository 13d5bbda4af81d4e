//! Arithmetic: exact where the operands are, null where there is no answer.

use arrow::datatypes::i256;

use super::mask::{Mask, either};
use super::vector::{Data, Values, Vector};
use crate::ast::{Binary, Interval};
use crate::calendar::{NANOS_PER_DAY, NANOS_PER_SECOND, add_months};

/// How two operands are calculated with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Arith {
    Int,
    Float,
    /// Scales of the operands, and precision and scale of the result.
    Decimal {
        a: u8,
        b: u8,
        precision: u8,
        scale: u8,
    },
    /// What a tick of either side is in ticks of the result; whether that is a date.
    Ticks {
        a: i64,
        b: i64,
        date: bool,
    },
}

/// How a point in time counts: ticks in a second, or in a day for a date; seconds ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Clock {
    pub(crate) per_day: i64,
    pub(crate) offset: i64,
}

pub(crate) fn calculate(
    kind: Arith,
    op: Binary,
    a: &Vector<'_>,
    b: &Vector<'_>,
    rows: usize,
) -> Vector<'static> {
    let mut nulls = either(a.unknown(rows), b.unknown(rows).as_ref());
    let data = match (kind, &a.data, &b.data) {
        (Arith::Float, Data::F64(a), Data::F64(b)) => Data::F64(floats(op, a, b)),
        (Arith::Int, Data::I64(a), Data::I64(b)) => Data::I64(integers(op, a, b, rows, &mut nulls)),
        (Arith::Ticks { a: ka, b: kb, date }, Data::I64(a), Data::I64(b)) => {
            Data::I64(a.try_zip(b, rows, &mut nulls, |a, b| {
                let (a, b) = (a.checked_mul(ka)?, b.checked_mul(kb)?);
                let sum = if op == Binary::Add { a.checked_add(b) } else { a.checked_sub(b) }?;
                in_range(sum, date)
            }))
        }
        (Arith::Decimal { a: sa, b: sb, precision, scale }, a, b) => match (wide(a), wide(b)) {
            (Some(a), Some(b)) => Data::I128(a.try_zip(&b, rows, &mut nulls, |a, b| {
                decimals(op, (a, sa), (b, sb), scale).filter(|value| fits(*value, precision))
            })),
            _ => Data::Null,
        },
        _ => Data::Null,
    };
    Vector { data, nulls }
}

/// A date has 32 bits.
fn in_range(value: i64, date: bool) -> Option<i64> {
    if date { i32::try_from(value).ok().map(i64::from) } else { Some(value) }
}

pub(crate) fn fits(value: i128, precision: u8) -> bool {
    value.unsigned_abs() < 10_u128.pow(precision.into())
}

/// 64 bits as 128.
pub(crate) fn wide(data: &Data<'_>) -> Option<Values<'static, i128>> {
    match data {
        Data::I64(values) => Some(values.map(i128::from)),
        Data::I128(values) => Some(values.map(|value| value)),
        _ => None,
    }
}

fn floats(op: Binary, a: &Values<'_, f64>, b: &Values<'_, f64>) -> Values<'static, f64> {
    match op {
        Binary::Add => a.zip(b, |a, b| a + b),
        Binary::Subtract => a.zip(b, |a, b| a - b),
        Binary::Multiply => a.zip(b, |a, b| a * b),
        Binary::Divide => a.zip(b, |a, b| a / b),
        _ => a.zip(b, |a, b| a % b),
    }
}

fn integers(
    op: Binary,
    a: &Values<'_, i64>,
    b: &Values<'_, i64>,
    rows: usize,
    nulls: &mut Option<Mask>,
) -> Values<'static, i64> {
    match op {
        Binary::Add => a.try_zip(b, rows, nulls, i64::checked_add),
        Binary::Subtract => a.try_zip(b, rows, nulls, i64::checked_sub),
        Binary::Multiply => a.try_zip(b, rows, nulls, i64::checked_mul),
        Binary::Divide => a.try_zip(b, rows, nulls, i64::checked_div),
        // The smallest integer modulo −1 is 0, not an overflow.
        _ => a.try_zip(b, rows, nulls, |a, b| if b == -1 { Some(0) } else { a.checked_rem(b) }),
    }
}

/// `a op b` at `scale`, if 128 bits hold it. Division rounds half away from zero.
fn decimals(op: Binary, (a, sa): (i128, u8), (b, sb): (i128, u8), scale: u8) -> Option<i128> {
    if op == Binary::Multiply {
        return a.checked_mul(b);
    }
    let up = |value: i128, by: u8| {
        10_i128.checked_pow(by.into()).and_then(|factor| value.checked_mul(factor))
    };
    if op != Binary::Divide
        && let (Some(a), Some(b)) = (up(a, scale - sa), up(b, scale - sb))
    {
        return match op {
            Binary::Add => a.checked_add(b),
            Binary::Subtract => a.checked_sub(b),
            _ => a.checked_rem(b),
        };
    }
    // What overflows on the way may still end in range.
    let up = |value: i128, by: u8| {
        let mut value = i256::from_i128(value);
        for _ in 0..by {
            value = value.checked_mul(i256::from_i128(10))?;
        }
        Some(value)
    };
    match op {
        Binary::Add => up(a, scale - sa)?.checked_add(up(b, scale - sb)?)?.to_i128(),
        Binary::Subtract => up(a, scale - sa)?.checked_sub(up(b, scale - sb)?)?.to_i128(),
        Binary::Modulo => up(a, scale - sa)?.checked_rem(up(b, scale - sb)?)?.to_i128(),
        _ => {
            // a / 10^sa over b / 10^sb, times 10^scale.
            let (top, bottom) = if scale + sb >= sa {
                (up(a, scale + sb - sa)?, i256::from_i128(b))
            } else {
                (i256::from_i128(a), up(b, sa - scale - sb)?)
            };
            let quotient = top.checked_div(bottom)?.to_i128()?;
            let rest = top.checked_rem(bottom)?;
            let twice = rest.wrapping_abs().checked_mul(i256::from_i128(2))?;
            if twice < bottom.wrapping_abs() {
                return Some(quotient);
            }
            quotient.checked_add(if (a < 0) == (b < 0) { 1 } else { -1 })
        }
    }
}

/// `value / 10^by`, halves away from zero.
pub(crate) fn rounded(value: i128, by: u32) -> i128 {
    let Some(factor) = 10_i128.checked_pow(by) else {
        return 0;
    };
    let (quotient, rest) = (value / factor, value % factor);
    let up = rest.unsigned_abs() >= factor.unsigned_abs().div_ceil(2) && factor > 1;
    quotient + if up { value.signum() } else { 0 }
}

pub(crate) fn negate(a: &Vector<'_>, rows: usize) -> Vector<'static> {
    let mut nulls = a.unknown(rows);
    let data = match &a.data {
        Data::I64(a) => Data::I64(a.try_map(rows, &mut nulls, i64::checked_neg)),
        Data::I128(a) => Data::I128(a.try_map(rows, &mut nulls, i128::checked_neg)),
        Data::F64(a) => Data::F64(a.map(|a| -a)),
        _ => Data::Null,
    };
    Vector { data, nulls }
}

/// A point in time moved by an interval: months first, on the calendar of its zone; then days, then
/// the clock.
pub(crate) fn shift(
    a: &Vector<'_>,
    interval: Interval,
    clock: Clock,
    date: bool,
    rows: usize,
) -> Vector<'static> {
    let mut nulls = a.unknown(rows);
    let Data::I64(values) = &a.data else {
        return Vector::null();
    };
    let nanos_per_tick = NANOS_PER_DAY / clock.per_day;
    let offset = clock.offset * (NANOS_PER_SECOND / nanos_per_tick.min(NANOS_PER_SECOND));
    let fixed = i64::from(interval.days).checked_mul(clock.per_day);
    let fixed = fixed.and_then(|ticks| ticks.checked_add(interval.nanos / nanos_per_tick));
    let data = values.try_map(rows, &mut nulls, |value| {
        let mut value = value;
        if interval.months != 0 {
            let local = value.checked_add(offset)?;
            let (day, rest) = (local.div_euclid(clock.per_day), local.rem_euclid(clock.per_day));
            let day = add_months(day, interval.months.into());
            value = day.checked_mul(clock.per_day)?.checked_add(rest)?.checked_sub(offset)?;
        }
        in_range(value.checked_add(fixed?)?, date)
    });
    Vector { data: Data::I64(data), nulls }
}
