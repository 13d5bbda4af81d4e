//! Tries whether a function gives one row the same value alone as among others.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float32Builder,
    Float64Array, Int64Array, ListBuilder, StringArray, TimestampMicrosecondArray,
};
use mlops_core::features::FeatureType;
use mlops_core::{Error, Result};

use super::functions::ScalarFunction;

/// How many rows are tried.
const ROWS: usize = 300;

/// # Errors
/// `Invalid`, with the first row that differs; what the function itself says.
pub(super) fn check(function: &dyn ScalarFunction) -> Result<()> {
    let mut seed = 1;
    let columns = function.inputs().iter().map(|ty| column(*ty, &mut seed));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let whole = function.eval(&columns, ROWS)?;
    let cut = |first: usize, rows: usize| -> Vec<ArrayRef> {
        columns.iter().map(|column| column.slice(first, rows)).collect()
    };
    let differs = |row: usize| {
        Error::invalid(
            "features.functions",
            "a function gives a row another value alone than among others",
        )
        .with("row", row)
        .with_hint("a value may depend on its own row only")
    };
    for row in 0..ROWS {
        if *function.eval(&cut(row, 1), 1)? != *whole.slice(row, 1) {
            return Err(differs(row));
        }
    }
    for (first, rows) in [(1, ROWS - 1), (7, 64), (ROWS / 2, 0)] {
        if *function.eval(&cut(first, rows), rows)? != *whole.slice(first, rows) {
            return Err(differs(first));
        }
    }
    Ok(())
}

/// Floats that are easily got wrong.
const FLOATS: [f64; 8] =
    [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, f64::MAX, 5e-324, 0.1];
/// Texts that are easily got wrong.
const TEXTS: [&str; 8] = ["", " ", "a", "É", "日本語", "0", "-1.5e3", "a\u{0}b\n"];

/// Splitmix64: the same rows each time.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A column with nulls and unusual values.
pub(super) fn column(ty: FeatureType, seed: &mut u64) -> Result<ArrayRef> {
    let mut draw = |ends: &[i64]| {
        let bits = next(seed);
        match bits % 8 {
            0 => None,
            1 => Some(ends[(bits >> 8) as usize % ends.len()]),
            2 | 3 => Some(next(seed) as i64),
            _ => Some((bits >> 8) as i64 % 200 - 100),
        }
    };
    let ends = [i64::MIN, i64::MAX, 0, -1, 1];
    let mut ints = || (0..ROWS).map(|_| draw(&ends)).collect::<Vec<Option<i64>>>();
    let float = |int: i64| match int {
        -100..100 => int as f64 / 8.0,
        i64::MIN | i64::MAX => FLOATS[0],
        int => FLOATS[int as usize % 8],
    };
    let text = |int: i64| match int {
        -100..0 => int.to_string(),
        int => TEXTS[int as usize % 8].to_owned(),
    };
    let values = ints();
    let values = values.into_iter();
    Ok(match ty {
        FeatureType::Bool => {
            Arc::new(values.map(|v| v.map(|v| v % 2 == 0)).collect::<BooleanArray>())
        }
        FeatureType::Int => Arc::new(values.collect::<Int64Array>()),
        FeatureType::Float => Arc::new(values.map(|v| v.map(float)).collect::<Float64Array>()),
        FeatureType::Float32 => {
            Arc::new(values.map(|v| v.map(|v| float(v) as f32)).collect::<Float32Array>())
        }
        FeatureType::String => Arc::new(values.map(|v| v.map(text)).collect::<StringArray>()),
        FeatureType::Bytes => {
            let bytes: Vec<_> = values.map(|v| v.map(i64::to_le_bytes)).collect();
            Arc::new(bytes.iter().map(Option::as_ref).collect::<BinaryArray>())
        }
        FeatureType::Timestamp => {
            Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        FeatureType::Date => Arc::new(values.map(|v| v.map(|v| v as i32)).collect::<Date32Array>()),
        FeatureType::Vector => {
            let mut lists = ListBuilder::new(Float32Builder::new());
            for value in values {
                match value {
                    Some(v) => {
                        for item in 0..v.rem_euclid(4) {
                            lists.values().append_value(float(v.wrapping_add(item)) as f32);
                        }
                        lists.append(true);
                    }
                    None => lists.append(false),
                }
            }
            Arc::new(lists.finish())
        }
        other => {
            return Err(Error::invalid("features.functions", "a function cannot take this type")
                .with("type", other));
        }
    })
}
