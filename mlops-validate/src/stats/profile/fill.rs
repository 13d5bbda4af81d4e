//! Helpers of a column's profile: names of types and values, and extremes.

use arrow::datatypes::DataType;
use mlops_core::registry::ColumnType;

use super::categories::{Categories, MAX_CATEGORY_BYTES};
use super::value::{Value, hex};
use crate::stats::select::{Values, plain_type};

/// The name of a type, without its encoding.
pub(in crate::stats) fn type_text(data_type: &DataType) -> String {
    match ColumnType::from_arrow(data_type) {
        Ok(known) => known.to_string(),
        Err(_) => plain_type(data_type).to_string().to_lowercase(),
    }
}

fn float_text(bits: u64) -> String {
    f64::from_bits(bits).to_string()
}

/// Equal floats have equal keys: one NaN, one zero.
fn float_key(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

pub(super) fn add_categories(categories: &mut Categories, values: &Values<'_>) {
    match values {
        Values::Floats(values) => {
            let keys = values.iter().map(|v| float_key(*v));
            categories.add(keys, |key| Some(float_text(*key)));
        }
        Values::Whole(values) => categories.add(values.iter(), |v| Some(v.to_string())),
        Values::Wide(values) => categories.add(values.iter(), |v| Some(v.to_string())),
        Values::Bools(values) => categories.add(values.iter(), |v| Some(v.to_string())),
        Values::Texts(values) => categories
            .add(values.iter(), |v| (v.len() <= MAX_CATEGORY_BYTES).then(|| (**v).to_owned())),
        Values::Bytes(values) => {
            categories.add(values.iter(), |v| (v.len() <= MAX_CATEGORY_BYTES / 2).then(|| hex(v)));
        }
        Values::Other => {}
    }
}

pub(super) fn widen<'a, T: Ord + 'a>(
    range: &mut Option<(Value, Value)>,
    values: impl Iterator<Item = &'a T> + Clone,
    value: impl Fn(&T) -> Value,
) {
    let ends = values.clone().min().zip(values.max());
    merge_range(range, ends.map(|(min, max)| (value(min), value(max))).as_ref());
}

pub(super) fn merge_range(range: &mut Option<(Value, Value)>, more: Option<&(Value, Value)>) {
    match (range, more) {
        (_, None) => {}
        (range @ None, Some(more)) => *range = Some(more.clone()),
        (Some((least, most)), Some((min, max))) => {
            if min < least {
                *least = min.clone();
            }
            if max > most {
                *most = max.clone();
            }
        }
    }
}
