//! The chosen, non-null values of an array, in one of few shapes.
//!
//! Statistics do not care how a column is laid out: this file is the only one that does. Dictionaries
//! and runs are unpacked, views and large offsets become slices, narrow numbers widen. A column of
//! doubles or 64-bit integers without nulls and filter is passed on as it lies in memory.

mod arrays;

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, i256};
use mlops_core::{Error, Result};

use self::arrays::values;
use super::big::Big;

const OPERATION: &str = "validate.stats";

/// What an array holds at the chosen rows.
#[derive(Debug)]
pub(super) struct Selected<'a> {
    /// Rows that were chosen.
    pub(super) rows: u64,
    /// Chosen rows that are null.
    pub(super) nulls: u64,
    /// The others, in the order of the rows.
    pub(super) values: Values<'a>,
}

/// Values of one shape.
#[derive(Debug)]
pub(super) enum Values<'a> {
    Floats(Cow<'a, [f64]>),
    /// Integers, the unscaled integers of decimals, and what dates, times and durations count.
    Whole(Cow<'a, [i64]>),
    /// As `Whole`, when some value does not fit into 64 bits.
    Wide(Vec<i256>),
    Bools(Vec<bool>),
    Texts(Vec<&'a str>),
    Bytes(Vec<&'a [u8]>),
    /// Nested values, intervals and what Arrow adds later: only counted.
    Other,
}

/// The shape that arrays of a type have, whatever their encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Float,
    /// Numbers that can be added up, `value · 10^-scale`.
    Number {
        scale: i8,
    },
    /// Dates, times and instants: whole numbers that can only be compared.
    Instant,
    Bool,
    Text,
    Bytes,
    Other,
}

impl Values<'_> {
    /// The numbers meant by floats or by whole numbers with a decimal scale, each the nearest double.
    pub(super) fn doubles(&self, scale: i8) -> Option<Cow<'_, [f64]>> {
        match self {
            Values::Floats(values) => Some(Cow::Borrowed(values)),
            Values::Whole(values) => Some(values.iter().map(|v| to_double(*v, scale)).collect()),
            Values::Wide(values) => {
                let nearest = |v: &i256| Big::from_i256(*v).quotient(&[], scale.into(), 0);
                Some(values.iter().map(nearest).collect())
            }
            _ => None,
        }
    }
}

/// The double nearest to `value · 10^-scale`.
pub(super) fn to_double(value: i64, scale: i8) -> f64 {
    match scale {
        0 => value as f64,
        // Both are exact, and a division rounds once.
        1..=22 if value.unsigned_abs() <= 1 << 53 => value as f64 / POWERS_OF_TEN[scale as usize],
        _ => Big::from_i256(i256::from(value)).quotient(&[], scale.into(), 0),
    }
}

const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The type of the values, without dictionaries and runs.
pub(super) fn plain_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        other => other,
    }
}

/// The shape of a type.
pub(super) fn shape(data_type: &DataType) -> Shape {
    match plain_type(data_type) {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Shape::Float,
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Shape::Number { scale: *scale },
        DataType::Duration(_) => Shape::Number { scale: 0 },
        other if other.is_integer() => Shape::Number { scale: 0 },
        other if other.is_temporal() && !matches!(other, DataType::Interval(_)) => Shape::Instant,
        DataType::Boolean => Shape::Bool,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Shape::Text,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Shape::Bytes,
        _ => Shape::Other,
    }
}

/// Calls `then` with the values of `array` at the rows of `eligible` (all, if there is no mask).
///
/// # Errors
/// `Invalid` for a mask of another length; `Unsupported` for an encoding that cannot be unpacked.
pub(super) fn with_selected<T>(
    array: &dyn Array,
    eligible: Option<&[u64]>,
    then: impl FnOnce(Selected<'_>) -> T,
) -> Result<T> {
    let unpacked = unpack(array)?;
    let array = unpacked.as_deref().unwrap_or(array);
    let rows = Rows::new(array, eligible)?;
    let values = values(array, &rows);
    Ok(then(Selected { rows: rows.chosen, nulls: rows.chosen - rows.len, values }))
}

/// The array without dictionaries and runs; nothing if it has none.
fn unpack(array: &dyn Array) -> Result<Option<ArrayRef>> {
    let plain = plain_type(array.data_type());
    if plain == array.data_type() {
        return Ok(None);
    }
    // Text and bytes are not copied for it.
    let plain = match plain {
        DataType::Utf8 | DataType::LargeUtf8 => &DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => &DataType::BinaryView,
        other => other,
    };
    let unpacked = arrow::compute::cast(array, plain).or_else(|_| {
        // Runs of views cannot be cast in one step.
        arrow::compute::cast(array, plain_type(array.data_type()))
    });
    unpacked.map(Some).map_err(|source| {
        Error::new(
            mlops_core::ErrorKind::Unsupported,
            OPERATION,
            "this encoding of a column cannot be unpacked",
        )
        .with("type", array.data_type())
        .with_source(source)
    })
}

/// Which rows have a value that was asked for.
struct Rows {
    /// A bit for each row; nothing if all are wanted.
    mask: Option<Vec<u64>>,
    total: usize,
    chosen: u64,
    /// Chosen and not null.
    len: u64,
}

impl Rows {
    fn new(array: &dyn Array, eligible: Option<&[u64]>) -> Result<Self> {
        let total = array.len();
        let words = total.div_ceil(64);
        if let Some(eligible) = eligible.filter(|eligible| eligible.len() != words) {
            return Err(Error::invalid(
                OPERATION,
                "the row mask has another length than the column",
            )
            .with("words", eligible.len())
            .with("rows", total)
            .with_hint("a mask has one bit for each row, 64 in a word"));
        }
        let last = if total.is_multiple_of(64) { u64::MAX } else { (1 << (total % 64)) - 1 };
        let masked = |i: usize, word: u64| if i + 1 == words { word & last } else { word };
        let chosen = match eligible {
            None => total as u64,
            Some(mask) => mask
                .iter()
                .enumerate()
                .map(|(i, word)| u64::from(masked(i, *word).count_ones()))
                .sum(),
        };
        // Not `nulls()`: an array of type Null has none of those.
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let mask: Option<Vec<u64>> = match (nulls, eligible) {
            (None, None) => None,
            (None, Some(mask)) if chosen == total as u64 => {
                debug_assert_eq!(mask.len(), words);
                None
            }
            (None, Some(mask)) => {
                Some(mask.iter().enumerate().map(|(i, word)| masked(i, *word)).collect())
            }
            (Some(nulls), mask) => {
                let valid = nulls.inner().bit_chunks();
                let valid = valid.iter_padded().take(words);
                Some(match mask {
                    None => valid.enumerate().map(|(i, word)| masked(i, word)).collect(),
                    Some(mask) => valid
                        .zip(mask)
                        .enumerate()
                        .map(|(i, (valid, word))| masked(i, valid & word))
                        .collect(),
                })
            }
        };
        let len = match &mask {
            None => total as u64,
            Some(mask) => mask.iter().map(|word| u64::from(word.count_ones())).sum(),
        };
        Ok(Self { mask, total, chosen, len })
    }

    /// Calls `each` with the position of each wanted row, in order.
    #[inline]
    fn for_each(&self, mut each: impl FnMut(usize)) {
        let Some(mask) = &self.mask else { return (0..self.total).for_each(each) };
        for (i, &word) in mask.iter().enumerate() {
            if word == u64::MAX {
                (i * 64..i * 64 + 64).for_each(&mut each);
                continue;
            }
            let mut left = word;
            while left != 0 {
                each(i * 64 + left.trailing_zeros() as usize);
                left &= left - 1;
            }
        }
    }

    /// The wanted of `values`, converted.
    fn collect<V: Copy, T>(&self, values: &[V], mut convert: impl FnMut(V) -> T) -> Vec<T> {
        if self.mask.is_none() {
            return values.iter().map(|value| convert(*value)).collect();
        }
        let mut out = Vec::with_capacity(self.len as usize);
        self.for_each(|row| out.push(convert(values[row])));
        out
    }

    /// The wanted of what `get` finds at each row.
    fn gather<T>(&self, get: impl Fn(usize) -> T) -> Vec<T> {
        let mut out = Vec::with_capacity(self.len as usize);
        self.for_each(|row| out.push(get(row)));
        out
    }
}
