//! Cells, compared as bits and shown as text.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Whether two cells have the same bits: two nulls are equal, 0.0 and −0.0 are not.
pub(super) fn same(a: &ArrayRef, at: usize, b: &ArrayRef, bt: usize) -> bool {
    if a.is_null(at) || b.is_null(bt) {
        return a.is_null(at) && b.is_null(bt);
    }
    if a.data_type() != b.data_type() {
        return false;
    }
    macro_rules! primitive {
        ($ty:ty) => {
            a.as_primitive::<$ty>().value(at) == b.as_primitive::<$ty>().value(bt)
        };
    }
    match a.data_type() {
        DataType::Float64 => {
            let bits =
                |array: &ArrayRef, row| array.as_primitive::<Float64Type>().value(row).to_bits();
            bits(a, at) == bits(b, bt)
        }
        DataType::Float32 => {
            let bits =
                |array: &ArrayRef, row| array.as_primitive::<Float32Type>().value(row).to_bits();
            bits(a, at) == bits(b, bt)
        }
        DataType::Int64 => primitive!(Int64Type),
        DataType::Date32 => primitive!(Date32Type),
        DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, _) => {
            primitive!(TimestampMicrosecondType)
        }
        DataType::Boolean => a.as_boolean().value(at) == b.as_boolean().value(bt),
        DataType::Utf8 => a.as_string::<i32>().value(at) == b.as_string::<i32>().value(bt),
        DataType::Binary => a.as_binary::<i32>().value(at) == b.as_binary::<i32>().value(bt),
        // A vector: its floats, each by its bits.
        _ => a.slice(at, 1).to_data() == b.slice(bt, 1).to_data() && same_floats(a, at, b, bt),
    }
}

fn same_floats(a: &ArrayRef, at: usize, b: &ArrayRef, bt: usize) -> bool {
    let (Some(a), Some(b)) = (a.as_list_opt::<i32>(), b.as_list_opt::<i32>()) else { return true };
    let (a, b) = (a.value(at), b.value(bt));
    a.len() == b.len() && (0..a.len()).all(|item| same(&a, item, &b, item))
}

/// A number, for types that are numbers.
pub(super) fn number(array: &ArrayRef, row: usize) -> Option<f64> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Float64 => Some(array.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => Some(f64::from(array.as_primitive::<Float32Type>().value(row))),
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row) as f64),
        _ => None,
    }
}

/// A cell as text; `null` for one that is.
pub(super) fn text(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_owned();
    }
    // Arrow knows the zone `UTC` only with its tables of named zones, which need not be compiled in.
    if let Some(times) = array.as_primitive_opt::<TimestampMicrosecondType>() {
        return mlops_core::time::from_micros_lossy(times.value(row)).to_string();
    }
    let options = FormatOptions::new();
    ArrayFormatter::try_new(array, &options)
        .and_then(|show| show.value(row).try_to_string())
        .unwrap_or_else(|error| format!("<{error}>"))
}
