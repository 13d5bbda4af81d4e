//! Tables of the cases, with Arrow types as pandas would have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use mlops_core::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use serde_json::{Map, Value};

/// The table, without columns of mixed types, which Arrow has no type for.
///
/// A type that the case tells is taken where the values are of it. Else whole numbers are `int64`,
/// numbers `float64`, texts `utf8`, and so is a column without values, as pandas' `object`.
pub(crate) fn of(
    columns: &Map<String, Value>,
    types: &BTreeMap<String, String>,
) -> Result<RecordBatch, String> {
    let columns = columns.iter().filter_map(|(name, values)| {
        let told = types.get(name).map_or("", String::as_str);
        Some((name, array(values.as_array()?, told)?, true))
    });
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| error.to_string())
}

/// The values by `read`, which every value but null must have.
fn all<T>(values: &[Value], read: impl Fn(&Value) -> Option<T>) -> Option<Vec<Option<T>>> {
    values
        .iter()
        .map(|value| if value.is_null() { Some(None) } else { read(value).map(Some) })
        .collect()
}

fn array(values: &[Value], told: &str) -> Option<ArrayRef> {
    let floats = || all(values, Value::as_f64).map(|v| Arc::new(Float64Array::from(v)) as ArrayRef);
    let texts = || {
        let texts = all(values, |value| value.as_str().map(str::to_owned))?;
        Some(Arc::new(StringArray::from(texts)) as ArrayRef)
    };
    match told {
        "timestamp" => {
            let zoned = values.iter().filter_map(Value::as_str).any(|text| {
                text.ends_with('Z') || text.get(19..).is_some_and(|t| t.contains(['+', '-']))
            });
            let instants = all(values, |value| micros(value.as_str()?))?;
            let array = TimestampMicrosecondArray::from(instants);
            Some(if zoned { Arc::new(array.with_timezone("UTC")) } else { Arc::new(array) })
        }
        "date32" => {
            let days = all(values, |value| {
                Some(i32::try_from(micros(value.as_str()?)? / 86_400_000_000).unwrap())
            })?;
            Some(Arc::new(Date32Array::from(days)))
        }
        "float64" => floats(),
        "utf8" => texts(),
        _ if values.iter().all(Value::is_null) => texts(),
        _ => {
            if let Some(flags) = all(values, Value::as_bool) {
                return Some(Arc::new(BooleanArray::from(flags)));
            }
            if let Some(whole) = all(values, Value::as_i64) {
                return Some(Arc::new(Int64Array::from(whole)));
            }
            floats().or_else(texts)
        }
    }
}

/// Microseconds since 1970 of an ISO date or instant.
fn micros(text: &str) -> Option<i64> {
    let text = text.replace(' ', "T");
    let full = if text.len() == 10 { format!("{text}T00:00:00") } else { text };
    let parse = |text: &str| text.parse::<mlops_core::time::Instant>().ok();
    let instant = parse(&full).or_else(|| parse(&format!("{full}Z")))?;
    Some(instant.timestamp_micros())
}
