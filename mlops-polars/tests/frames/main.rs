//! Frames to Arrow and back, as streams, and under suites.

#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]

mod arrow_types;
mod lazy;
mod ownership;
mod polars_types;
mod random;
mod suites;

use std::fmt::Write as _;

use arrow::array::{Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// What a person reads in each row, whatever the encoding; `None` for null.
fn texts(array: &dyn Array) -> Vec<Option<String>> {
    // Names of zones cannot be shown without a database of them.
    let zoned = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
    let instants = zoned.then(|| cast(array, &DataType::Int64).unwrap());
    let options = FormatOptions::default();
    let formatter =
        ArrayFormatter::try_new(instants.as_deref().unwrap_or(array), &options).unwrap();
    let nulls = array.logical_nulls();
    (0..array.len())
        .map(|row| {
            let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            valid.then(|| formatter.value(row).to_string())
        })
        .collect()
}

/// The same for batches: columns by name, their rows one after the other.
fn table(batches: &[RecordBatch]) -> Vec<(String, Vec<Option<String>>)> {
    let schema = batches[0].schema();
    let column = |number: usize| {
        batches.iter().flat_map(|batch| texts(batch.column(number))).collect::<Vec<_>>()
    };
    let named = schema.fields().iter().enumerate();
    named.map(|(number, field)| (field.name().clone(), column(number))).collect()
}

/// The error's line, and those of its causes.
fn whole_text(error: &mlops_core::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let _ = write!(text, "\n{error}");
        cause = error.source();
    }
    text
}
