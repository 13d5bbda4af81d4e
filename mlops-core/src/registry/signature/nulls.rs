//! Where there are nulls that a signature does not have: by the flags of a schema, or counted.
//!
//! A null inside of a null row is none: the items of a missing list and the fields of a missing
//! struct do not exist, whatever the child array holds in their place.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field};

use super::{Column, ColumnType};

/// The parts of a column with how many nulls are in each, if that was counted.
type Parts = Vec<(String, Option<u64>)>;

/// Where `field` may hold nulls and `column` may not. The types must fit.
pub(super) fn allowed(column: &Column, field: &Field) -> Parts {
    let mut parts = Parts::new();
    flags(column.nullable, &column.data_type, field, String::new(), &mut parts);
    parts
}

/// Where `array` holds nulls and `column` may not. The types must fit.
pub(super) fn counted(column: &Column, array: &ArrayRef) -> Parts {
    let mut parts = Parts::new();
    count(column.nullable, &column.data_type, array, None, String::new(), &mut parts);
    parts
}

fn flags(nullable: bool, data_type: &ColumnType, field: &Field, part: String, out: &mut Parts) {
    if field.is_nullable() && !nullable {
        out.push((part.clone(), None));
    }
    let mut found = field.data_type();
    while let DataType::Dictionary(_, values) = found {
        found = values;
    }
    match (data_type, found) {
        (
            ColumnType::List(item)
            | ColumnType::LargeList(item)
            | ColumnType::FixedList { item, .. },
            DataType::List(field)
            | DataType::ListView(field)
            | DataType::LargeList(field)
            | DataType::LargeListView(field)
            | DataType::FixedSizeList(field, _),
        ) => flags(item.nullable, &item.data_type, field, part + "[]", out),
        (ColumnType::Struct(columns), DataType::Struct(fields)) => {
            for (column, field) in columns.iter().zip(fields) {
                let part = format!("{part}.{}", column.name);
                flags(column.nullable, &column.data_type, field, part, out);
            }
        }
        _ => {}
    }
}

/// `live` says which rows exist; all of them without it.
fn count(
    nullable: bool,
    data_type: &ColumnType,
    array: &dyn Array,
    live: Option<&[bool]>,
    part: String,
    out: &mut Parts,
) {
    if !forbids(nullable, data_type) {
        return;
    }
    let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    let exists = |row: usize| live.is_none_or(|live| live[row]);
    if let (false, Some(nulls)) = (nullable, &nulls) {
        let found = match live {
            None => nulls.null_count(),
            Some(_) => (0..array.len()).filter(|row| nulls.is_null(*row) && exists(*row)).count(),
        };
        if found > 0 {
            out.push((part.clone(), Some(found as u64)));
        }
    }
    let valid = |row: usize| exists(row) && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    match data_type {
        // Its own nulls are counted; a value that no row uses does not exist.
        _ if matches!(array.data_type(), DataType::Dictionary(..)) => {
            let dictionary = array.as_any_dictionary();
            let values = dictionary.values();
            if values.is_empty() || !forbids(true, data_type) {
                return;
            }
            let keys = dictionary.normalized_keys();
            let live = marked(
                values.len(),
                (0..array.len()).filter(|row| valid(*row)).map(|row| keys[row]..keys[row] + 1),
            );
            count(true, data_type, values, Some(&live), part, out);
        }
        ColumnType::List(item)
        | ColumnType::LargeList(item)
        | ColumnType::FixedList { item, .. } => {
            let Some((items, ranges)) = items(array) else { return };
            if !forbids(true, &item.data_type) && (item.nullable || items.logical_null_count() == 0)
            {
                return;
            }
            let ranges = ranges.into_iter().enumerate();
            let ranges = ranges.filter(|(row, _)| valid(*row)).map(|(_, range)| range);
            let live = marked(items.len(), ranges);
            count(item.nullable, &item.data_type, &items, Some(&live), part + "[]", out);
        }
        ColumnType::Struct(columns) => {
            let Some(array) = array.as_struct_opt() else { return };
            let live: Vec<bool> = (0..array.len()).map(valid).collect();
            for (column, array) in columns.iter().zip(array.columns()) {
                let part = format!("{part}.{}", column.name);
                count(column.nullable, &column.data_type, array, Some(&live), part, out);
            }
        }
        _ => {}
    }
}

/// Whether anything of such a column may not be null.
fn forbids(nullable: bool, data_type: &ColumnType) -> bool {
    !nullable
        || match data_type {
            ColumnType::List(item)
            | ColumnType::LargeList(item)
            | ColumnType::FixedList { item, .. } => forbids(item.nullable, &item.data_type),
            ColumnType::Struct(columns) => {
                columns.iter().any(|column| forbids(column.nullable, &column.data_type))
            }
            _ => false,
        }
}

/// The items of a list of any layout, and which of them belong to each row.
fn items(array: &dyn Array) -> Option<(ArrayRef, Vec<Range<usize>>)> {
    let at = |from: usize, size: usize| from..from + size;
    if let Some(list) = array.as_list_opt::<i32>() {
        let ranges = list.offsets().windows(2).map(|w| w[0] as usize..w[1] as usize);
        return Some((list.values().clone(), ranges.collect()));
    }
    if let Some(list) = array.as_list_opt::<i64>() {
        let ranges = list.offsets().windows(2).map(|w| w[0] as usize..w[1] as usize);
        return Some((list.values().clone(), ranges.collect()));
    }
    if let Some(list) = array.as_list_view_opt::<i32>() {
        let ranges = list.offsets().iter().zip(list.sizes());
        let ranges = ranges.map(|(from, size)| at(*from as usize, *size as usize));
        return Some((list.values().clone(), ranges.collect()));
    }
    if let Some(list) = array.as_list_view_opt::<i64>() {
        let ranges = list.offsets().iter().zip(list.sizes());
        let ranges = ranges.map(|(from, size)| at(*from as usize, *size as usize));
        return Some((list.values().clone(), ranges.collect()));
    }
    let list = array.as_fixed_size_list_opt()?;
    let size = list.value_length() as usize;
    let ranges = (0..list.len()).map(|row| at(list.value_offset(row) as usize, size));
    Some((list.values().clone(), ranges.collect()))
}

fn marked(len: usize, ranges: impl Iterator<Item = Range<usize>>) -> Vec<bool> {
    let mut marks = vec![false; len];
    ranges.for_each(|range| marks[range].fill(true));
    marks
}
