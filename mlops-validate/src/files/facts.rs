//! What a footer says of the values of a row group, as far as it can be trusted.
//!
//! A wrong proof is worse than no proof, so a statistic is used only where the format defines what it
//! means, and dropped where it does not:
//!
//! 1. A number of nulls that is not there is unknown, not 0.
//! 2. Ends are used only if the column's order is defined by its type, and is the order of the column's
//!    Arrow type; the old `min` and `max`, whose order nobody defined, are not.
//! 3. Ends bound the values. They are values themselves only where they cannot have been shortened:
//!    numbers, or text of which the writer says so.
//! 4. Ends of floats say nothing about NaN, which writers leave out, and are no values: a writer puts
//!    −0.0 for 0.0. A float end that is NaN says nothing.
//! 5. No ends of 96-bit instants, of decimals stored as bytes, of half floats.
//! 6. Nothing about a column inside a list; a field of a struct is known by its leaf, whose nulls are
//!    those of the field and of the structs around it.
//! 7. More nulls than rows, or a minimum above its maximum: the whole column says nothing.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::{ColumnOrder, SortOrder, Type as Physical};
use parquet::schema::types::ColumnDescriptor;

use super::error::guarded;
use super::footer::ParquetFile;
use crate::kernel::ColumnFacts;

/// A column, or a field of a struct in one, that somebody wants facts about.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The column of the schema.
    pub(crate) column: usize,
    /// Names of fields, from the column's own struct inwards.
    pub(crate) fields: Vec<String>,
    /// The type of what is there.
    pub(crate) data_type: DataType,
}

/// What a file says of some columns.
#[derive(Debug)]
pub(crate) struct Statistics {
    columns: Vec<Option<Known>>,
}

/// What a file says of one column.
#[derive(Debug)]
struct Known {
    leaf: usize,
    is_float: bool,
    /// One value a row group, null where there is none.
    ends: Option<(ArrayRef, ArrayRef)>,
}

impl Statistics {
    /// Reads the footer; each of `wanted` is told of in this order.
    pub(crate) fn new(file: &ParquetFile, wanted: &[Wanted]) -> Self {
        Self { columns: wanted.iter().map(|wanted| Known::new(file, wanted)).collect() }
    }

    /// The leaf that a column's values are in.
    pub(crate) fn leaf(&self, wanted: usize) -> Option<usize> {
        self.columns.get(wanted)?.as_ref().map(|known| known.leaf)
    }

    /// What the footer says of a row group.
    pub(crate) fn of(&self, file: &ParquetFile, group: usize) -> Vec<ColumnFacts> {
        self.columns
            .iter()
            .map(|known| known.as_ref().map(|known| known.of(file, group)).unwrap_or_default())
            .collect()
    }
}

impl Known {
    fn new(file: &ParquetFile, wanted: &Wanted) -> Option<Self> {
        let parquet = file.arrow.parquet_schema();
        let mut path = vec![file.schema().fields().get(wanted.column)?.name().as_str()];
        path.extend(wanted.fields.iter().map(String::as_str));
        let leaf = (0..parquet.num_columns()).find(|leaf| {
            let column = parquet.column(*leaf);
            parquet.get_column_root_idx(*leaf) == wanted.column
                && column.max_rep_level() == 0
                && column.path().parts() == path
        })?;
        let column = parquet.column(leaf);
        let order = file.metadata().file_metadata().column_order(leaf);
        let ends = has_order(&column, order, plain(&wanted.data_type))
            .then(|| ends(file, leaf, plain(&wanted.data_type)))
            .flatten();
        let is_float = plain(&wanted.data_type).is_floating();
        Some(Self { leaf, is_float, ends })
    }

    fn of(&self, file: &ParquetFile, group: usize) -> ColumnFacts {
        let rows = file.group_rows(group);
        let chunk = file.metadata().row_group(group).column(self.leaf);
        let Some(statistics) = chunk.statistics() else { return self.nothing() };
        let nulls = statistics.null_count_opt();
        if nulls.is_some_and(|nulls| nulls > rows) {
            return self.nothing();
        }
        // The converter takes the old `min` and `max` for the new ones where the order is the same.
        let ends = match (&self.ends, statistics.is_min_max_deprecated()) {
            (Some((min, max)), false) if min.is_valid(group) && max.is_valid(group) => {
                match concat(&[&*min.slice(group, 1), &*max.slice(group, 1)]) {
                    Ok(ends) if is_in_order(&ends) => Some(ends),
                    Ok(_) => return self.nothing(),
                    Err(_) => None,
                }
            }
            _ => None,
        };
        let whole = statistics.min_is_exact() && statistics.max_is_exact();
        ColumnFacts {
            nulls,
            ends_are_values: ends.is_some() && whole && !self.is_float,
            ends,
            no_nan: !self.is_float,
            values: None,
        }
    }

    fn nothing(&self) -> ColumnFacts {
        ColumnFacts { no_nan: !self.is_float, ..ColumnFacts::default() }
    }
}

/// The type of a column's values.
fn plain(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        other => other,
    }
}

/// Whether ends of the column are defined, and in the order of the Arrow type.
fn has_order(column: &ColumnDescriptor, order: ColumnOrder, data_type: &DataType) -> bool {
    let ColumnOrder::TYPE_DEFINED_ORDER(order) = order else { return false };
    let physical = column.physical_type();
    match data_type {
        DataType::Boolean => physical == Physical::BOOLEAN && order == SortOrder::UNSIGNED,
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..) => {
            matches!(physical, Physical::INT32 | Physical::INT64) && order == SortOrder::SIGNED
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            matches!(physical, Physical::INT32 | Physical::INT64) && order == SortOrder::UNSIGNED
        }
        DataType::Float32 => physical == Physical::FLOAT && order == SortOrder::SIGNED,
        DataType::Float64 => physical == Physical::DOUBLE && order == SortOrder::SIGNED,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            physical == Physical::BYTE_ARRAY && order == SortOrder::UNSIGNED
        }
        _ => false,
    }
}

/// Smallest and greatest values of all row groups; null where they are not known.
fn ends(file: &ParquetFile, leaf: usize, data_type: &DataType) -> Option<(ArrayRef, ArrayRef)> {
    let field = Field::new("", data_type.clone(), true);
    let converter =
        StatisticsConverter::from_column_index(leaf, &field, file.arrow.parquet_schema()).ok()?;
    let groups = file.metadata().row_groups();
    let min = guarded(|| converter.row_group_mins(groups)).flatten().ok()?;
    let max = guarded(|| converter.row_group_maxes(groups)).flatten().ok()?;
    let fits = |array: &ArrayRef| array.data_type() == data_type && array.len() == groups.len();
    (fits(&min) && fits(&max)).then_some((min, max))
}

/// Whether the first is not above the second, and neither is NaN.
fn is_in_order(ends: &ArrayRef) -> bool {
    match ends.data_type() {
        DataType::Float32 => {
            let ends = ends.as_primitive::<Float32Type>();
            ends.value(0) <= ends.value(1)
        }
        DataType::Float64 => {
            let ends = ends.as_primitive::<Float64Type>();
            ends.value(0) <= ends.value(1)
        }
        _ => arrow::array::make_comparator(
            &ends.slice(0, 1),
            &ends.slice(1, 1),
            arrow::compute::SortOptions::default(),
        )
        .is_ok_and(|compare| compare(0, 0).is_le()),
    }
}

#[cfg(test)]
mod tests;
