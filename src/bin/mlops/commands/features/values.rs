//! Values of columns as texts and JSON, and columns of what somebody typed.

use std::sync::Arc;

use mlops::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Float32Array, ListArray, StringArray,
    TimestampMicrosecondArray,
};
use mlops::arrow::compute::{CastOptions, cast_with_options};
use mlops::arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use mlops::arrow::util::display::{ArrayFormatter, FormatOptions};
use mlops::time::{from_micros_lossy, to_micros};
use mlops::{Error, Result};
use serde_json::{Value, json};

use crate::args::FEATURE_TYPES;
use crate::failure::COMMAND;
use crate::format::{self, parse_instant};

/// A value for people.
pub(super) fn text(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "-".to_owned();
    }
    match column.data_type() {
        DataType::Float64 => format::number(column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => {
            format::number(single(column.as_primitive::<Float32Type>().value(row)))
        }
        _ => shown(column, row),
    }
}

/// A value for programs: NaN and infinities as words, bytes in hexadecimal digits.
pub(super) fn json(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => double(column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => double(single(column.as_primitive::<Float32Type>().value(row))),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|item| json(&items, item)).collect()
        }
        _ => shown(column, row).into(),
    }
}

fn shown(column: &ArrayRef, row: usize) -> String {
    // Arrow knows the zone `UTC` only with its tables of named zones, which are not compiled in.
    if let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        let at = from_micros_lossy(times.value(row));
        return at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    }
    let options = FormatOptions::new();
    ArrayFormatter::try_new(column, &options)
        .map_or_else(|_| "?".to_owned(), |formatter| formatter.value(row).to_string())
}

/// The double that is written as the single is: 0.1 stays 0.1.
fn single(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

fn double(value: f64) -> Value {
    match value {
        value if value.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        value => json!(value),
    }
}

/// A column of these texts, brought to a type; an empty text is null, but of text.
///
/// # Errors
/// `Invalid` for a text that is none of the type.
pub(super) fn parse(name: &str, texts: &[&str], data_type: &DataType) -> Result<ArrayRef> {
    let wrong = |text: &str, hint: String| {
        Error::invalid(COMMAND, "a value is not of its column's type")
            .with("column", name)
            .with("value", format::text(text, 80))
            .with("type", word(data_type))
            .with_hint(hint)
    };
    let given = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
    match data_type {
        DataType::Utf8 => Ok(Arc::new(StringArray::from_iter_values(texts))),
        DataType::Binary => {
            let parse = |text: &&str| {
                let hex = || wrong(text, "write bytes as hexadecimal digits".to_owned());
                given(text).map(|text| bytes(&text).ok_or_else(hex)).transpose()
            };
            let values = texts.iter().map(parse).collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(BinaryArray::from_iter(values)))
        }
        DataType::Timestamp(_, zone) => {
            let parse = |text: &&str| {
                let Some(text) = given(text) else { return Ok(None) };
                let at = parse_instant(&text).map_err(|hint| wrong(&text, hint))?;
                to_micros(at).map(Some)
            };
            let values = texts.iter().map(parse).collect::<Result<Vec<_>>>()?;
            let made = TimestampMicrosecondArray::from(values);
            Ok(Arc::new(made.with_timezone_opt(zone.clone())))
        }
        DataType::List(item) => {
            let parse = |text: &&str| {
                let list = || wrong(text, "write numbers, such as [0.1, 2]".to_owned());
                let Some(text) = given(text) else { return Ok(None) };
                serde_json::from_str::<Vec<f32>>(&text).map(Some).map_err(|_| list())
            };
            let values = texts.iter().map(parse).collect::<Result<Vec<_>>>()?;
            let lengths = values.iter().map(|value| value.as_ref().map_or(0, Vec::len));
            let offsets = mlops::arrow::buffer::OffsetBuffer::from_lengths(lengths);
            let nulls = values.iter().map(Option::is_some).collect();
            let items: Float32Array = values.into_iter().flatten().flatten().map(Some).collect();
            Ok(Arc::new(ListArray::new(Arc::clone(item), offsets, Arc::new(items), Some(nulls))))
        }
        _ => {
            let column: ArrayRef = Arc::new(texts.iter().map(given).collect::<StringArray>());
            let strict = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(&column, data_type, &strict).map_err(|_| {
                wrong(&texts.join(", "), format!("write a value of type {}", word(data_type)))
            })
        }
    }
}

/// The word of definitions for a type.
fn word(data_type: &DataType) -> &'static str {
    FEATURE_TYPES
        .iter()
        .find(|known| known.arrow() == *data_type)
        .map_or("other", |known| known.as_str())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use mlops::features::FeatureType;

    use super::*;

    fn back(text: &str, data_type: FeatureType) -> Value {
        parse("x", &[text], &data_type.arrow()).map_or(json!("refused"), |made| json(&made, 0))
    }

    #[test]
    fn what_was_typed_comes_back_or_is_refused() {
        for (text, data_type, expected) in [
            ("7", FeatureType::Int, json!(7)),
            ("7.5", FeatureType::Int, json!("refused")),
            ("", FeatureType::Int, Value::Null),
            ("", FeatureType::String, json!("")),
            ("0.1", FeatureType::Float32, json!(0.1)),
            ("NaN", FeatureType::Float, json!("NaN")),
            ("true", FeatureType::Bool, json!(true)),
            ("0aff", FeatureType::Bytes, json!("0aff")),
            ("0af", FeatureType::Bytes, json!("refused")),
            ("é1", FeatureType::Bytes, json!("refused")),
            ("2026-03-03 14:00", FeatureType::Timestamp, json!("2026-03-03T14:00:00Z")),
            ("2026-03-03", FeatureType::Date, json!("2026-03-03")),
            ("yesterday", FeatureType::Date, json!("refused")),
            ("[0.1, 2]", FeatureType::Vector, json!([0.1, 2.0])),
            ("0.1", FeatureType::Vector, json!("refused")),
        ] {
            assert_eq!(back(text, data_type), expected, "{text:?} as {data_type}");
        }
    }
}
