//! From Polars to Arrow.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::error::ArrowError;
use mlops_core::{Error, ErrorKind, Result};
use polars::prelude::{
    CompatLevel, DataFrame, DataType as PolarsType, PlSmallStr, Schema as PolarsSchema, Series,
};
use polars_arrow::datatypes::Field as PolarsField;

use crate::error::of_polars;
use crate::ffi;

const OPERATION: &str = "polars.to_arrow";

/// The frame as Arrow batches, at least one, so that the schema is there even without rows.
///
/// No value is copied: the batches share the frame's buffers, and keep them alive. A batch ends where a
/// chunk of any column ends, so that columns with chunks of different lengths are cut, not rewritten.
/// The exception are categoricals, whose keys are written anew for each chunk because Arrow numbers the
/// values of each array by itself.
///
/// | Polars | Arrow |
/// |---|---|
/// | `String`, `Binary` | `Utf8View`, `BinaryView` |
/// | `Categorical`, `Enum` | `Dictionary` of `UInt8`, `UInt16` or `UInt32` and `Utf8View`; an enum's values go with the field |
/// | `Datetime`, `Duration`, `Time` | `Timestamp` in the same unit and zone, `Duration`, `Time64(Nanosecond)` |
/// | `Decimal` | `Decimal128` |
/// | `List`, `Array`, `Struct` | `LargeList`, `FixedSizeList`, `Struct` |
///
/// Every field may be null, as in Polars.
///
/// # Errors
/// `Unsupported`, naming the column, for 128-bit integers, objects, extension types, arrays of width 0,
/// and a struct with a field whose name contains a NUL.
///
/// ```
/// use mlops_polars::polars::df;
/// use mlops_polars::{from_arrow, to_arrow};
///
/// let frame = df!("city" => ["Zürich", "Łódź"], "people" => [Some(447_082_i64), None]).unwrap();
/// let batches = to_arrow(&frame)?;
/// assert_eq!((batches.len(), batches[0].num_rows()), (1, 2));
/// assert!(from_arrow(&batches)?.equals_missing(&frame));
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn to_arrow(frame: &DataFrame) -> Result<Vec<RecordBatch>> {
    let schema = schema(frame.schema())?;
    let ends = ends(frame);
    let columns: Vec<Vec<ArrayRef>> = frame
        .materialized_column_iter()
        .zip(schema.fields())
        .map(|(series, field)| column(series, field.data_type(), &ends))
        .collect::<Result<_>>()?;
    let mut start = 0;
    let batch = |(number, &end): (usize, &usize)| {
        let options = RecordBatchOptions::new().with_row_count(Some(end - start));
        start = end;
        let arrays = columns.iter().map(|pieces| pieces[number].clone()).collect();
        RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(internal)
    };
    ends.iter().enumerate().map(batch).collect()
}

/// The schema of the batches that a frame of this schema becomes.
pub(crate) fn schema(schema: &PolarsSchema) -> Result<SchemaRef> {
    let fields = schema.iter().map(|(name, polars_type)| {
        supported(name, polars_type)?;
        let field = ffi::field_to_arrow(&nameless(polars_type)).map_err(internal)?;
        Ok(field.with_name(name.as_str()))
    });
    let fields: Vec<Field> = fields.collect::<Result<_>>()?;
    Ok(Arc::new(arrow::datatypes::Schema::new(fields)))
}

/// A field of this type. The name goes beside it: C's strings cannot hold every name.
fn nameless(polars_type: &PolarsType) -> PolarsField {
    polars_type.to_arrow_field(PlSmallStr::EMPTY, CompatLevel::newest())
}

/// Where batches end: wherever a chunk of any column does, or at the frame's end if it has none.
fn ends(frame: &DataFrame) -> Vec<usize> {
    let mut ends = vec![frame.height()];
    for series in frame.materialized_column_iter() {
        let mut end = 0;
        ends.extend(series.chunk_lengths().map(|rows| {
            end += rows;
            end
        }));
    }
    ends.sort_unstable();
    ends.dedup();
    if ends.len() > 1 && ends[0] == 0 {
        ends.remove(0);
    }
    ends
}

/// One column, in pieces that end at `ends`.
fn column(series: &Series, data_type: &DataType, ends: &[usize]) -> Result<Vec<ArrayRef>> {
    let field = nameless(series.dtype());
    let mut chunks = (0..series.n_chunks()).map(|chunk| {
        let array = series
            .to_arrow_with_field(chunk, Cow::Borrowed(&field), true)
            .map_err(|error| of_polars(OPERATION, error))?;
        ffi::array_to_arrow(array, data_type).map_err(internal)
    });
    let (mut chunk, mut taken, mut start) = (new_empty_array(data_type), 0, 0);
    let piece = |&end: &usize| {
        let rows = end - start;
        start = end;
        while taken == chunk.len() && rows > 0 {
            chunk = chunks.next().ok_or_else(|| {
                Error::new(ErrorKind::Internal, OPERATION, "a column is shorter than its frame")
            })??;
            taken = 0;
        }
        let piece = if rows == chunk.len() { chunk.clone() } else { chunk.slice(taken, rows) };
        taken += rows;
        Ok(piece)
    };
    ends.iter().map(piece).collect()
}

/// Whether Arrow has the type, before Polars is asked, which panics on some.
#[allow(
    clippy::match_wildcard_for_single_variants,
    reason = "features of Polars that another crate switches on add variants"
)]
fn supported(column: &str, polars_type: &PolarsType) -> Result<()> {
    use PolarsType as T;
    let refuse = |what: &'static str, hint: &'static str| {
        let error = Error::new(ErrorKind::Unsupported, OPERATION, what).with("column", column);
        Err(error.with("type", polars_type).with_hint(hint))
    };
    match polars_type {
        T::Boolean
        | T::Int8
        | T::Int16
        | T::Int32
        | T::Int64
        | T::UInt8
        | T::UInt16
        | T::UInt32
        | T::UInt64
        | T::Float16
        | T::Float32
        | T::Float64
        | T::Decimal(..)
        | T::String
        | T::Binary
        | T::BinaryOffset
        | T::Date
        | T::Datetime(..)
        | T::Duration(_)
        | T::Time
        | T::Null
        | T::Categorical(..)
        | T::Enum(..) => Ok(()),
        T::Array(_, 0) => refuse("an array without elements", "drop the column"),
        T::List(item) | T::Array(item, _) => supported(column, item),
        T::Struct(fields) => fields.iter().try_for_each(|field| {
            if field.name().contains('\0') {
                return refuse("the name of a field contains a NUL", "rename the field");
            }
            supported(column, field.dtype())
        }),
        T::Int128 | T::UInt128 => {
            refuse("Arrow has no integers of 128 bits", "cast it to Decimal or String")
        }
        _ => refuse("Arrow has no such type", "cast the column, or drop it"),
    }
}

fn internal(error: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, OPERATION, "what polars exported is not what it said")
        .with_source(error)
}
