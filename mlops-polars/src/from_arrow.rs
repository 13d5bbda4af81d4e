//! From Arrow to Polars.

use arrow::array::{Array, RecordBatch, new_empty_array};
use arrow::datatypes::Field;
use arrow::error::ArrowError;
use mlops_core::{Error, ErrorKind, Result};
use polars::prelude::{Column, DataFrame, PlSmallStr, Series};
use polars_arrow::datatypes::Field as PolarsField;

use crate::error::of_polars;
use crate::ffi;
use crate::plain::{Plain, plain};

const OPERATION: &str = "polars.from_arrow";

/// The batches as one frame, a chunk for each that has rows.
///
/// No value is copied where Polars has the encoding: the frame shares the batches' buffers, and keeps
/// them alive. The others are converted, and a value that does not fit is an error, never a null:
///
/// | Arrow | Polars |
/// |---|---|
/// | `Utf8`, `LargeUtf8`; `Binary`, `LargeBinary`, `FixedSizeBinary` | `String`; `Binary` |
/// | `Date64`, timestamps and durations in seconds | `Datetime` and `Duration` in milliseconds |
/// | `Time32`, `Time64` | `Time` |
/// | decimals of any width | `Decimal`, at most 38 digits |
/// | `Dictionary` of text | `Categorical`, or `Enum` where the field carries one's values |
/// | any other `Dictionary` | the type of its values |
/// | `List`, `Map` | `List`, of structs for a map |
///
/// A null row of a struct makes its fields null, as Polars has it.
///
/// # Errors
/// `Invalid` if the batches have different schemas, two columns have one name, a value does not fit, or
/// what a field says of an enum is not so; `Unsupported` for types that Polars does not have (unions,
/// intervals, list views, run-end encoded arrays, lists of width 0) and time zones it does not know. Each
/// names the column.
///
/// ```
/// use std::sync::Arc;
///
/// use mlops_core::arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
///
/// let names: ArrayRef = Arc::new(StringArray::from(vec![Some("BQN"), None]));
/// let flights: ArrayRef = Arc::new(Int32Array::from(vec![896, 365]));
/// let batch = RecordBatch::try_from_iter([("dest", names), ("flights", flights)]).unwrap();
///
/// let frame = mlops_polars::from_arrow(&[batch.clone(), batch])?;
/// assert_eq!(frame.shape(), (4, 2));
/// assert_eq!(frame.column("flights").unwrap().i32().unwrap().iter().flatten().sum::<i32>(), 2522);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn from_arrow(batches: &[RecordBatch]) -> Result<DataFrame> {
    let Some(first) = batches.first() else { return Ok(DataFrame::empty()) };
    let schema = first.schema();
    for (number, batch) in batches.iter().enumerate() {
        same(schema.fields().iter().zip(batch.schema_ref().fields()), number)?;
        if batch.num_columns() != first.num_columns() {
            return Err(different(number).with("columns", batch.num_columns()));
        }
    }
    let height = batches.iter().map(RecordBatch::num_rows).sum();
    let columns = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(number, field)| column(batches, number, field))
        .collect::<Result<Vec<Column>>>()?;
    DataFrame::new(height, columns).map_err(|error| of_polars(OPERATION, error))
}

/// One column of all batches.
fn column(batches: &[RecordBatch], number: usize, field: &Field) -> Result<Column> {
    let chunks = batches.iter().map(|batch| batch.column(number)).filter(|chunk| !chunk.is_empty());
    let mut chunks: Vec<Plain> =
        chunks.map(|chunk| plain(chunk, field, field.name())).collect::<Result<_>>()?;
    if chunks.is_empty() {
        // Of no rows, but of the right type.
        chunks.push(plain(&new_empty_array(field.data_type()), field, field.name())?);
    }
    let failed = |error| of_polars(OPERATION, error).with("column", field.name());
    // The name goes beside the field: C's strings cannot hold every name.
    let told = chunks[0].1.clone().with_name("");
    let told = ffi::field_to_polars(&told).map_err(|error| internal(field, error))?;
    let told = PolarsField { name: PlSmallStr::from_str(field.name()), ..told.map_err(failed)? };
    let series = |(chunk, _): &Plain| {
        let array = ffi::array_to_polars(chunk, &told)?;
        Series::try_from((&told, array))
    };
    // One after the other: given all at once, Polars loses chunks of lists of categoricals.
    let mut whole = series(&chunks[0]).map_err(failed)?;
    for chunk in &chunks[1..] {
        series(chunk).and_then(|chunk| whole.append_owned(chunk).map(drop)).map_err(failed)?;
    }
    Ok(whole.into())
}

/// Whether the fields of a batch are those of the first, in name and type.
fn same<'a, F>(pairs: impl Iterator<Item = (&'a F, &'a F)>, number: usize) -> Result<()>
where
    F: AsRef<Field> + 'a,
{
    for (first, field) in pairs {
        let (first, field) = (first.as_ref(), field.as_ref());
        if first.name() != field.name() || first.data_type() != field.data_type() {
            return Err(different(number)
                .with("column", first.name())
                .with("type", first.data_type())
                .with("there", format_args!("{} {}", field.name(), field.data_type())));
        }
    }
    Ok(())
}

fn different(number: usize) -> Error {
    Error::invalid(OPERATION, "a batch has another schema than the first").with("batch", number)
}

fn internal(field: &Field, error: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, OPERATION, "the field cannot be handed over")
        .with("column", field.name())
        .with("type", field.data_type())
        .with_source(error)
}
