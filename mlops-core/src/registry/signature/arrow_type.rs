//! Arrow's types to and from those of a signature: many layouts in, one out.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};

use super::column_type::{check_decimal, check_depth, check_size};
use super::{Column, ColumnType, Item, OPERATION, column_name, quoted};
use crate::{Error, Key, Result};

impl ColumnType {
    /// The logical type of an Arrow type: a dictionary is its values, `LargeUtf8` and `Utf8View` are
    /// `utf8`, list views are lists.
    ///
    /// # Errors
    /// `Invalid` for a type that a signature cannot hold, with what to use instead.
    pub fn from_arrow(data_type: &DataType) -> Result<Self> {
        Self::from_arrow_at(data_type, 1)
    }

    /// The Arrow type: `Utf8` for text, `Binary` for bytes; the items of a list are called `item`.
    pub fn to_arrow(&self) -> DataType {
        let field =
            |item: &Item| Arc::new(Field::new_list_field(item.data_type.to_arrow(), item.nullable));
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::UInt8 => DataType::UInt8,
            Self::UInt16 => DataType::UInt16,
            Self::UInt32 => DataType::UInt32,
            Self::UInt64 => DataType::UInt64,
            Self::Float16 => DataType::Float16,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Utf8 => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::Date32 => DataType::Date32,
            Self::Date64 => DataType::Date64,
            Self::Time(unit @ (TimeUnit::Second | TimeUnit::Millisecond)) => {
                DataType::Time32(*unit)
            }
            Self::Time(unit) => DataType::Time64(*unit),
            Self::Timestamp { unit, zone } => {
                DataType::Timestamp(*unit, zone.as_ref().map(|zone| zone.as_str().into()))
            }
            Self::Duration(unit) => DataType::Duration(*unit),
            Self::Decimal128 { precision, scale } => DataType::Decimal128(*precision, *scale),
            Self::Decimal256 { precision, scale } => DataType::Decimal256(*precision, *scale),
            Self::List(item) => DataType::List(field(item)),
            Self::LargeList(item) => DataType::LargeList(field(item)),
            Self::FixedList { size, item } => DataType::FixedSizeList(field(item), *size),
            Self::Struct(fields) => DataType::Struct(fields.iter().map(Column::to_field).collect()),
        }
    }

    fn from_arrow_at(data_type: &DataType, depth: usize) -> Result<Self> {
        check_depth(depth)?;
        let item = |field: &Field| {
            let data_type = Self::from_arrow_at(field.data_type(), depth + 1)?;
            Ok::<_, Error>(Box::new(Item { data_type, nullable: field.is_nullable() }))
        };
        Ok(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::UInt8 => Self::UInt8,
            DataType::UInt16 => Self::UInt16,
            DataType::UInt32 => Self::UInt32,
            DataType::UInt64 => Self::UInt64,
            DataType::Float16 => Self::Float16,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Utf8,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::Binary,
            DataType::Date32 => Self::Date32,
            DataType::Date64 => Self::Date64,
            DataType::Time32(unit @ (TimeUnit::Second | TimeUnit::Millisecond))
            | DataType::Time64(unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond)) => {
                Self::Time(*unit)
            }
            DataType::Timestamp(unit, zone) => {
                let zone = zone.as_deref().map(Key::new).transpose().map_err(|error| {
                    refused(data_type, "name a time zone such as UTC, or none").with_source(error)
                })?;
                Self::Timestamp { unit: *unit, zone }
            }
            DataType::Duration(unit) => Self::Duration(*unit),
            DataType::Decimal128(precision, scale) => {
                check_decimal(*precision, *scale, 38)?;
                Self::Decimal128 { precision: *precision, scale: *scale }
            }
            DataType::Decimal256(precision, scale) => {
                check_decimal(*precision, *scale, 76)?;
                Self::Decimal256 { precision: *precision, scale: *scale }
            }
            DataType::Dictionary(_, values) => return Self::from_arrow_at(values, depth + 1),
            DataType::List(field) | DataType::ListView(field) => Self::List(item(field)?),
            DataType::LargeList(field) | DataType::LargeListView(field) => {
                Self::LargeList(item(field)?)
            }
            DataType::FixedSizeList(field, size) => {
                check_size(*size)?;
                Self::FixedList { size: *size, item: item(field)? }
            }
            DataType::Struct(fields) => {
                let column = |field: &Arc<Field>| {
                    let data_type = Self::from_arrow_at(field.data_type(), depth + 1)
                        .map_err(|error| error.with("field", quoted(field.name())))?;
                    let name = column_name(field.name())?;
                    Ok::<_, Error>(Column { name, data_type, nullable: field.is_nullable() })
                };
                Self::Struct(fields.iter().map(column).collect::<Result<_>>()?)
            }
            other => return Err(refused(other, instead_of(other))),
        })
    }
}

fn refused(data_type: &DataType, instead: &'static str) -> Error {
    Error::invalid(OPERATION, "a signature cannot hold this type")
        .with("type", data_type)
        .with_hint(instead)
}

fn instead_of(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Null => {
            "a column of nulls only has no type yet: cast it to the type it would have"
        }
        DataType::Union(..) => "give each alternative a nullable column of its own",
        DataType::Map(..) => "use list<struct<key: K, value: V>>",
        DataType::Interval(_) => "use duration[us], or int32 for months",
        DataType::RunEndEncoded(..) => "cast it to the type of its values",
        DataType::FixedSizeBinary(_) => "cast it to binary",
        DataType::Decimal32(..) | DataType::Decimal64(..) => "cast it to decimal128",
        DataType::Time32(_) => "time32 counts s or ms: use time64 for finer units",
        DataType::Time64(_) => "time64 counts us or ns: use time32 for coarser units",
        _ => "the documentation of ColumnType lists the types",
    }
}
