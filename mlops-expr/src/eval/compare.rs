//! Comparisons.
//!
//! Arrow's own kernels order floats by bits: −0.0 below 0.0. These compare by value: −0.0 equals
//! 0.0, NaN equals NaN and is above everything else; and integers, decimals and floats compare
//! without rounding either side.

use std::cmp::Ordering;

use super::mask::{Mask, either};
use super::number::float_order;
use super::vector::{Data, Texts, Values, Vector};
use crate::ast::Comparison;

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Class {
    Bool,
    /// Both are 64 bits and mean the same.
    I64,
    /// Nanoseconds of a tick on either side.
    Ticks(i64, i64),
    /// Scales of the decimals, or 0 of integers.
    Exact(u8, u8),
    F64,
    /// The scale of the left side; the right one is a float.
    ExactFloat(u8),
    /// The scale of the right side; the left one is a float.
    FloatExact(u8),
    Text,
    /// One side is always null.
    Null,
}

/// The rows for which the comparison is true; a comparison with null is null.
pub(crate) fn compare(
    class: Class,
    op: Comparison,
    a: &Vector<'_>,
    b: &Vector<'_>,
    rows: usize,
) -> Vector<'static> {
    let (na, nb) = (a.unknown(rows), b.unknown(rows));
    if matches!(op, Comparison::Distinct | Comparison::NotDistinct) {
        return distinct(class, op, a, b, rows);
    }
    let nulls = either(na, nb.as_ref());
    let truth = values(class, op, a, b, rows);
    let truth = match &nulls {
        Some(nulls) => truth.without(nulls),
        None => truth,
    };
    Vector { data: Data::Bool(truth), nulls }
}

fn distinct(
    class: Class,
    op: Comparison,
    a: &Vector<'_>,
    b: &Vector<'_>,
    rows: usize,
) -> Vector<'static> {
    let zeros = || Mask::zeros(rows);
    let (na, nb) = (a.unknown(rows).unwrap_or_else(zeros), b.unknown(rows).unwrap_or_else(zeros));
    let one = na.clone().zip(&nb, |a, b| a ^ b);
    let both = na.and(&nb);
    let differ = values(class, Comparison::Ne, a, b, rows).without(&both).or(&one);
    let truth = if op == Comparison::Distinct { differ } else { differ.not(rows) };
    Vector { data: Data::Bool(truth), nulls: None }
}

/// The comparison of the values, where nulls are anything.
fn values(class: Class, op: Comparison, a: &Vector<'_>, b: &Vector<'_>, rows: usize) -> Mask {
    match (class, &a.data, &b.data) {
        (Class::I64, Data::I64(a), Data::I64(b)) => integers(op, a, b, rows),
        (Class::F64, Data::F64(a), Data::F64(b)) => floats(op, a, b, rows),
        (Class::Bool, Data::Bool(a), Data::Bool(b)) => bools(op, a, b, rows),
        (Class::Ticks(ka, kb), Data::I64(a), Data::I64(b)) => ordered(op, rows, |i| {
            let (a, b) = (i128::from(a.get(i)), i128::from(b.get(i)));
            (a * i128::from(ka)).cmp(&(b * i128::from(kb)))
        }),
        (Class::Exact(sa, sb), Data::I128(a), Data::I128(b)) if sa == sb => {
            integers(op, a, b, rows)
        }
        (Class::Exact(sa, sb), a, b) => match (exact(a), exact(b)) {
            (Some(a), Some(b)) => ordered(op, rows, |i| decimals(a(i), sa, b(i), sb)),
            _ => Mask::zeros(rows),
        },
        (Class::ExactFloat(0), Data::I64(a), Data::F64(b)) => {
            ordered(op, rows, |i| exact_float(a.get(i).into(), 0, b.get(i)))
        }
        (Class::ExactFloat(scale), a, Data::F64(b)) => match exact(a) {
            Some(a) => ordered(op, rows, |i| exact_float(a(i), scale, b.get(i))),
            None => Mask::zeros(rows),
        },
        (Class::FloatExact(scale), Data::F64(a), b) => match exact(b) {
            Some(b) => ordered(op, rows, |i| exact_float(b(i), scale, a.get(i)).reverse()),
            None => Mask::zeros(rows),
        },
        (Class::Text, Data::Text(a), Data::Text(b)) => texts(op, a, b, rows),
        _ => Mask::zeros(rows),
    }
}

/// Integers and decimals alike.
fn exact<'a>(data: &'a Data<'_>) -> Option<Box<dyn Fn(usize) -> i128 + 'a>> {
    match data {
        Data::I64(values) => Some(Box::new(move |i| i128::from(values.get(i)))),
        Data::I128(values) => Some(Box::new(move |i| values.get(i))),
        _ => None,
    }
}

fn ordered(op: Comparison, rows: usize, f: impl Fn(usize) -> Ordering) -> Mask {
    Mask::of_fn(rows, |i| holds(op, f(i)))
}

/// Byte by byte, which is the order of Unicode scalar values.
fn texts(op: Comparison, a: &Texts<'_>, b: &Texts<'_>, rows: usize) -> Mask {
    match (op, a, b) {
        (Comparison::Eq, a, Texts::Same(b)) => a.test(rows, |a| a == &**b),
        (Comparison::Ne, a, Texts::Same(b)) => a.test(rows, |a| a != &**b),
        (op, a, Texts::Same(b)) => a.test(rows, |a| holds(op, a.cmp(b))),
        (Comparison::Eq, a, b) => Mask::of_fn(rows, |i| a.get(i) == b.get(i)),
        (Comparison::Ne, a, b) => Mask::of_fn(rows, |i| a.get(i) != b.get(i)),
        (op, a, b) => ordered(op, rows, |i| a.get(i).cmp(b.get(i))),
    }
}

fn holds(op: Comparison, order: Ordering) -> bool {
    match op {
        Comparison::Eq | Comparison::NotDistinct => order.is_eq(),
        Comparison::Ne | Comparison::Distinct => order.is_ne(),
        Comparison::Lt => order.is_lt(),
        Comparison::Le => order.is_le(),
        Comparison::Gt => order.is_gt(),
        Comparison::Ge => order.is_ge(),
    }
}

/// False is below true.
fn bools(op: Comparison, a: &Mask, b: &Mask, rows: usize) -> Mask {
    let (a, b) = (a.clone(), b);
    match op {
        Comparison::Eq | Comparison::NotDistinct => a.zip(b, |a, b| a ^ b).not(rows),
        Comparison::Ne | Comparison::Distinct => a.zip(b, |a, b| a ^ b),
        Comparison::Lt => a.zip(b, |a, b| !a & b),
        Comparison::Gt => a.zip(b, |a, b| a & !b),
        Comparison::Le => a.zip(b, |a, b| a & !b).not(rows),
        Comparison::Ge => a.zip(b, |a, b| !a & b).not(rows),
    }
}

/// Integers of any width.
pub(super) fn integers<T: Copy + Ord>(
    op: Comparison,
    a: &Values<'_, T>,
    b: &Values<'_, T>,
    rows: usize,
) -> Mask {
    match op {
        Comparison::Eq | Comparison::NotDistinct => pack(a, b, rows, |a, b| a == b),
        Comparison::Ne | Comparison::Distinct => pack(a, b, rows, |a, b| a != b),
        Comparison::Lt => pack(a, b, rows, |a, b| a < b),
        Comparison::Le => pack(a, b, rows, |a, b| a <= b),
        Comparison::Gt => pack(a, b, rows, |a, b| a > b),
        Comparison::Ge => pack(a, b, rows, |a, b| a >= b),
    }
}

/// Floats by value: without a branch, so that it becomes vector code.
pub(super) fn floats<T: Copy + PartialOrd>(
    op: Comparison,
    a: &Values<'_, T>,
    b: &Values<'_, T>,
    rows: usize,
) -> Mask {
    match op {
        Comparison::Eq | Comparison::NotDistinct => {
            pack(a, b, rows, |a, b| (a == b) | (nan(a) & nan(b)))
        }
        Comparison::Ne | Comparison::Distinct => {
            pack(a, b, rows, |a, b| !((a == b) | (nan(a) & nan(b))))
        }
        Comparison::Lt => pack(a, b, rows, |a, b| (a < b) | (nan(b) & !nan(a))),
        Comparison::Ge => pack(a, b, rows, |a, b| !((a < b) | (nan(b) & !nan(a)))),
        Comparison::Le => pack(a, b, rows, |a, b| (a <= b) | nan(b)),
        Comparison::Gt => pack(a, b, rows, |a, b| !((a <= b) | nan(b))),
    }
}

/// Only NaN differs from itself.
#[inline]
#[allow(clippy::eq_op, reason = "that is what is asked")]
fn nan<T: PartialOrd + Copy>(a: T) -> bool {
    a != a
}

/// A bit for each pair.
#[inline]
fn pack<T: Copy>(
    a: &Values<'_, T>,
    b: &Values<'_, T>,
    rows: usize,
    f: impl Fn(T, T) -> bool,
) -> Mask {
    match (a.same(), b.same()) {
        (None, Some(b)) => {
            Mask::of_words(rows, a.slice().chunks(64).map(|a| pack_word(a, |a| f(a, b))))
        }
        (Some(a), None) => {
            Mask::of_words(rows, b.slice().chunks(64).map(|b| pack_word(b, |b| f(a, b))))
        }
        (Some(a), Some(b)) if f(a, b) => Mask::ones(rows),
        (Some(_), Some(_)) => Mask::zeros(rows),
        (None, None) => {
            let chunks = a.slice().chunks(64).zip(b.slice().chunks(64));
            Mask::of_words(rows, chunks.map(|(a, b)| pack_word2(a, b, &f)))
        }
    }
}

#[inline]
fn pack_word<T: Copy>(chunk: &[T], f: impl Fn(T) -> bool) -> u64 {
    // Of a length that is known the compiler makes vector code.
    let word =
        |chunk: &[T]| chunk.iter().enumerate().fold(0, |bits, (i, a)| bits | u64::from(f(*a)) << i);
    if let Ok(full) = <&[T; 64]>::try_from(chunk) { word(full) } else { word(chunk) }
}

#[inline]
fn pack_word2<T: Copy>(a: &[T], b: &[T], f: &impl Fn(T, T) -> bool) -> u64 {
    let word = |a: &[T], b: &[T]| {
        a.iter().zip(b).enumerate().fold(0, |bits, (i, (a, b))| bits | u64::from(f(*a, *b)) << i)
    };
    match (<&[T; 64]>::try_from(a), <&[T; 64]>::try_from(b)) {
        (Ok(a), Ok(b)) => word(a, b),
        _ => word(a, b),
    }
}

/// `a / 10^sa` and `b / 10^sb`, without overflow: whole parts first, then what is left.
pub(crate) fn decimals(a: i128, sa: u8, b: i128, sb: u8) -> Ordering {
    let (fa, fb) = (10_i128.pow(sa.into()), 10_i128.pow(sb.into()));
    let scale = u32::from(sa.max(sb));
    a.div_euclid(fa).cmp(&b.div_euclid(fb)).then_with(|| {
        let left = a.rem_euclid(fa) * 10_i128.pow(scale - u32::from(sa));
        left.cmp(&(b.rem_euclid(fb) * 10_i128.pow(scale - u32::from(sb))))
    })
}

/// The first float beyond 128 bits: 2^127.
const LIMIT: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

/// `a / 10^scale` and the float, exactly: the whole parts, and then the fractions bit by bit.
pub(crate) fn exact_float(a: i128, scale: u8, float: f64) -> Ordering {
    if scale == 0 && a.unsigned_abs() <= 1 << 53 {
        // What a float holds exactly.
        return float_order(a as f64, float);
    }
    if float.is_nan() || float >= LIMIT {
        return Ordering::Less;
    }
    if float < 0.0 {
        // So that the fraction is exact: −1e−300 is not −1 and a fraction.
        return exact_float(a.wrapping_neg(), scale, -float).reverse();
    }
    let one = 10_i128.pow(scale.into());
    let whole = float.floor();
    a.div_euclid(one).cmp(&(whole as i128)).then_with(|| {
        let one = one.unsigned_abs();
        let (mut left, mut right) = (a.rem_euclid(one as i128).unsigned_abs(), float - whole);
        while left != 0 && right != 0.0 {
            // Doubling loses nothing: there is a bit to spare, and a float doubles exactly.
            (left, right) = (left * 2, right * 2.0);
            match (left >= one).cmp(&(right >= 1.0)) {
                Ordering::Equal => {}
                differ => return differ,
            }
            if left >= one {
                (left, right) = (left - one, right - 1.0);
            }
        }
        (left != 0).cmp(&(right != 0.0))
    })
}
