//! Arrow arrays in the one encoding that Polars has for each type.
//!
//! Polars converts the others itself, but panics on what it does not know, wraps around where seconds
//! become milliseconds, and takes what fields say of themselves on trust. Here Arrow's own kernels do
//! it, checked. What has the encoding already stays as it is, so only the rest is copied.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, LargeListArray,
    OffsetSizeTrait, StructArray, downcast_dictionary_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use arrow::error::ArrowError;
use mlops_core::{Error, ErrorKind, Result};
use polars::prelude::TimeZone;

use crate::domain::{Domain, KEYS};

/// An array, and the field that says what it is to Polars.
pub(crate) type Plain = (ArrayRef, Field);

/// The array in Polars' encoding; which one depends on its type alone.
pub(crate) fn plain(array: &ArrayRef, field: &Field, column: &str) -> Result<Plain> {
    let told = |array: ArrayRef| {
        let field = Field::new(field.name(), array.data_type().clone(), true);
        Ok((array, field))
    };
    match array.data_type() {
        DataType::List(item) => told(list(array.as_list::<i32>(), item, column)?),
        DataType::LargeList(item) => told(list(array.as_list::<i64>(), item, column)?),
        DataType::Map(entries, _) => {
            let map = array.as_map();
            let values: ArrayRef = Arc::new(map.entries().clone());
            told(long_list(map.offsets(), &values, entries, map.nulls(), column)?)
        }
        DataType::FixedSizeList(_, 0) => {
            refuse(column, array.data_type(), "Polars has no lists of width 0", "drop the column")
        }
        DataType::FixedSizeList(item, width) => {
            let list = array.as_fixed_size_list();
            let (values, item) = plain(list.values(), item, column)?;
            let nulls = list.nulls().cloned();
            let list = FixedSizeListArray::try_new(Arc::new(item), *width, values, nulls);
            told(Arc::new(list.map_err(|error| unlike(column, error))?))
        }
        DataType::Struct(fields) => told(structure(array.as_struct(), fields, column)?),
        DataType::Dictionary(_, values) => match **values {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                categories(array, field, column)
            }
            _ => plain(&converted(array, values, column)?, field, column),
        },
        data_type => told(converted(array, &target(data_type, column)?, column)?),
    }
}

/// What a type without parts is to Polars.
fn target(data_type: &DataType, column: &str) -> Result<DataType> {
    use DataType as T;
    Ok(match data_type {
        T::Utf8 | T::LargeUtf8 => T::Utf8View,
        T::Binary | T::LargeBinary | T::FixedSizeBinary(_) => T::BinaryView,
        T::Date64 => T::Timestamp(TimeUnit::Millisecond, None),
        T::Time32(_) | T::Time64(_) => T::Time64(TimeUnit::Nanosecond),
        T::Duration(TimeUnit::Second) => T::Duration(TimeUnit::Millisecond),
        T::Timestamp(unit, zone) => {
            if let Some(zone) = zone {
                known_zone(zone, column)?;
            }
            let unit = if *unit == TimeUnit::Second { TimeUnit::Millisecond } else { *unit };
            T::Timestamp(unit, zone.clone())
        }
        T::Decimal32(precision, scale)
        | T::Decimal64(precision, scale)
        | T::Decimal128(precision, scale)
        | T::Decimal256(precision, scale) => {
            // Polars has no scales below 0: 12 hundreds are 1200.
            let zeros = u8::try_from(-i16::from(*scale)).unwrap_or(0);
            T::Decimal128(precision.saturating_add(zeros).min(38), (*scale).max(0))
        }
        T::Null
        | T::Boolean
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
        | T::Date32
        | T::Duration(_)
        | T::BinaryView
        | T::Utf8View => data_type.clone(),
        _ => {
            let hint = "cast the column before it is handed over, or drop it";
            return refuse(column, data_type, "Polars has no such type", hint);
        }
    })
}

/// The array as another type; the same array if it is one. A value that does not fit is an error.
fn converted(array: &ArrayRef, to: &DataType, column: &str) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(array.clone());
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|error| {
        Error::invalid("polars.from_arrow", "a value does not fit Polars' type")
            .with("column", column)
            .with("type", array.data_type())
            .with("polars has", to)
            .with_source(error)
    })
}

fn list<O: OffsetSizeTrait>(
    list: &GenericListArray<O>,
    item: &Field,
    column: &str,
) -> Result<ArrayRef> {
    long_list(list.offsets(), list.values(), item, list.nulls(), column)
}

/// A list with offsets of 64 bits. Values before its first row and after its last are left behind, so
/// that they are neither converted nor judged.
fn long_list<O: OffsetSizeTrait>(
    offsets: &OffsetBuffer<O>,
    values: &ArrayRef,
    item: &Field,
    nulls: Option<&NullBuffer>,
    column: &str,
) -> Result<ArrayRef> {
    let ends = offsets.iter().map(|offset| offset.as_usize());
    let (first, last) = (ends.clone().next().unwrap_or(0), ends.clone().last().unwrap_or(0));
    let (values, item) = plain(&values.slice(first, last - first), item, column)?;
    let offsets: ScalarBuffer<i64> = ends.map(|end| (end - first) as i64).collect();
    let list =
        LargeListArray::try_new(Arc::new(item), OffsetBuffer::new(offsets), values, nulls.cloned());
    Ok(Arc::new(list.map_err(|error| unlike(column, error))?))
}

fn structure(array: &StructArray, fields: &Fields, column: &str) -> Result<ArrayRef> {
    if let Some(field) = fields.iter().find(|field| field.name().contains('\0')) {
        let error = Error::invalid("polars.from_arrow", "the name of a field contains a NUL");
        return Err(error.with("column", column).with("field", field.name().escape_debug()));
    }
    let parts: Vec<Plain> = array
        .columns()
        .iter()
        .zip(fields)
        .map(|(part, field)| plain(part, field, column))
        .collect::<Result<_>>()?;
    let (parts, fields): (Vec<ArrayRef>, Vec<Field>) = parts.into_iter().unzip();
    let nulls = array.nulls().cloned();
    let made = StructArray::try_new_with_length(fields.into(), parts, nulls, array.len());
    Ok(Arc::new(made.map_err(|error| unlike(column, error))?))
}

/// A dictionary of text: to Polars, a categorical, or an enum if the field says which values there are.
fn categories(array: &ArrayRef, field: &Field, column: &str) -> Result<Plain> {
    let values = array.as_any_dictionary().values();
    let texts = converted(values, &DataType::Utf8View, column)?;
    let domain = Domain::of(field);
    if let Domain::Closed(known) = &domain {
        let strange = texts.as_string_view().iter().flatten().find(|text| !known.contains(text));
        if let Some(strange) = strange {
            return Err(enumeration("a value is not one of the enum's", column)
                .with("value", format_args!("{strange:?}")));
        }
    }
    if domain == Domain::Malformed {
        return Err(enumeration("what the field says of the enum's values cannot be read", column));
    }
    let array = array.as_ref();
    let array: ArrayRef = downcast_dictionary_array!(
        array => Arc::new(array.with_values(texts)),
        other => return refuse(column, other, "Polars has no such type", "cast it to text")
    );
    let metadata: HashMap<String, String> = KEYS
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), field.metadata().get(*key)?.clone())))
        .collect();
    let field = Field::new(field.name(), array.data_type().clone(), true).with_metadata(metadata);
    Ok((array, field))
}

/// Polars knows the zones of the IANA database, and whole hours from UTC.
fn known_zone(zone: &str, column: &str) -> Result<()> {
    // What its selectors take for "any zone" is none.
    match TimeZone::opt_try_new(Some(zone)) {
        Ok(_) if zone != "*" => Ok(()),
        known => {
            let error = Error::new(
                ErrorKind::Unsupported,
                "polars.from_arrow",
                "Polars does not know the time zone",
            );
            let error = error.with("column", column).with("zone", format_args!("{zone:?}"));
            let error = error.with_hint("use a name such as Europe/Zurich, or UTC");
            Err(match known {
                Err(source) => error.with_source(source),
                Ok(_) => error,
            })
        }
    }
}

fn enumeration(what: &'static str, column: &str) -> Error {
    Error::invalid("polars.from_arrow", what)
        .with("column", column)
        .with_hint("without the metadata _PL_ENUM_VALUES2 the field is a categorical")
}

fn refuse<T>(column: &str, of: &DataType, what: &'static str, hint: &'static str) -> Result<T> {
    let error = Error::new(ErrorKind::Unsupported, "polars.from_arrow", what);
    Err(error.with("column", column).with("type", of).with_hint(hint))
}

fn unlike(column: &str, error: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "polars.from_arrow", "the parts do not fit together")
        .with("column", column)
        .with_source(error)
}
