//! Which keys are asked for: each distinct one has a small number, its id.
//!
//! One key column of whole numbers, the usual case, is looked up by itself, in a table over the range of
//! the numbers if that is not much greater than their count. Everything else is looked up by the bytes of
//! the tuple, as [`KeyBatch`](mlops_core::features::KeyBatch) makes them.

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int64Array, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type};
use mlops_core::features::{KeyType, TableKey};
use mlops_core::{Error, Result};
use xxhash_rust::xxh3::xxh3_64;

/// The id of no key.
pub(crate) const NONE: u32 = u32::MAX;
/// A table over the range of the numbers has at most so many places a number.
const SPREAD: u64 = 16;

/// The ids of keys.
#[derive(Debug)]
pub(crate) enum Keys {
    /// A view without keys: all rows have one.
    Whole,
    /// One whole number.
    Ints(Ints),
    /// Anything else.
    Tuples(Tuples),
}

/// Whole numbers, and their ids.
#[derive(Debug)]
pub(crate) struct Ints {
    least: i64,
    greatest: i64,
    /// Ids by number, from the least on; or empty.
    direct: Vec<u32>,
    /// Open addressing, a power of two of places; or empty.
    places: Vec<(i64, u32)>,
    shift: u32,
    sorted: Vec<i64>,
}

/// Tuples, and their ids.
#[derive(Debug, Default)]
pub(crate) struct Tuples {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Open addressing, a power of two of places: part of the hash, and the id.
    places: Vec<(u32, u32)>,
}

/// One column of keys, in the one type of its kind.
#[derive(Debug, Clone)]
enum Column {
    Int(Int64Array),
    Text(StringArray),
    Bytes(BinaryArray),
}

impl Keys {
    /// Gives ids to the keys of the rows that ask: 0, 1, …, as they first come. Returns the id of each row,
    /// [`NONE`] where a part of the key is null.
    ///
    /// # Errors
    /// `Invalid` for a column of another type than its key's.
    pub(crate) fn new(
        keys: &[TableKey],
        columns: &[ArrayRef],
        rows: usize,
    ) -> Result<(Self, Vec<u32>)> {
        if columns.len() != keys.len() || columns.iter().any(|column| column.len() != rows) {
            return Err(Error::invalid("features.as_of", "not one column of keys for each key")
                .with("keys", keys.len())
                .with("columns", columns.len())
                .with("rows", rows));
        }
        let columns = read(keys, columns)?;
        Ok(match columns.as_slice() {
            [] => (Self::Whole, vec![0; rows]),
            [Column::Int(column)] => {
                let (ints, ids) = Ints::new(column);
                (Self::Ints(ints), ids)
            }
            columns => {
                let mut tuples = Tuples::default();
                let ids = tuples.insert(columns, rows);
                (Self::Tuples(tuples), ids)
            }
        })
    }

    /// How many distinct keys there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Whole => 1,
            Self::Ints(ints) => ints.sorted.len(),
            Self::Tuples(tuples) => tuples.ends.len(),
        }
    }

    /// The id of each row's key, [`NONE`] for a key that nobody asks for.
    ///
    /// # Errors
    /// `Invalid` for a column of another type than its key's.
    pub(crate) fn ids(
        &self,
        keys: &[TableKey],
        columns: &[ArrayRef],
        rows: usize,
        ids: &mut Vec<u32>,
    ) -> Result<()> {
        ids.clear();
        match (self, read(keys, columns)?.as_slice()) {
            (Self::Whole, _) => ids.resize(rows, 0),
            (Self::Ints(ints), [Column::Int(column)]) => ints.ids(column, ids),
            (Self::Tuples(tuples), columns) => tuples.ids(columns, rows, ids),
            (Self::Ints(_), _) => ids.resize(rows, NONE),
        }
        Ok(())
    }

    /// Whether a key between these two, both inclusive, may be asked for; for keys of one whole number.
    pub(crate) fn asks_between(&self, least: i64, greatest: i64) -> bool {
        let Self::Ints(ints) = self else { return true };
        let first = ints.sorted.partition_point(|key| *key < least);
        ints.sorted.get(first).is_some_and(|key| *key <= greatest)
    }
}

/// Whether a column of this type can be a key of that, at all.
///
/// # Errors
/// `Invalid`, naming the column, what it has and what it should have.
pub(crate) fn check_key(key: &TableKey, found: &DataType) -> Result<()> {
    let value = match found {
        DataType::Dictionary(_, value) => value,
        other => other,
    };
    let fits = match key.data_type {
        KeyType::Int => value.is_integer(),
        KeyType::String => {
            matches!(value, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        }
        KeyType::Bytes => matches!(
            value,
            DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
                | DataType::FixedSizeBinary(_)
        ),
        _ => false,
    };
    if fits || *value == DataType::Null {
        return Ok(());
    }
    Err(Error::invalid("features.as_of", "a key column has another type")
        .with("column", &key.name)
        .with("type", found)
        .with("expected", key.data_type)
        .with_hint("keys are equal by value; a number is never equal to a text"))
}

fn read(keys: &[TableKey], columns: &[ArrayRef]) -> Result<Vec<Column>> {
    keys.iter().zip(columns).map(|(key, column)| Column::new(key, column)).collect()
}

impl Column {
    fn new(key: &TableKey, column: &ArrayRef) -> Result<Self> {
        let wanted = key.data_type.arrow();
        let column = if *column.data_type() == wanted {
            column.clone()
        } else {
            check_key(key, column.data_type())?;
            // What does not fit, an unsigned number above all signed ones, becomes null: it is equal
            // to no key.
            let options = CastOptions { safe: true, ..CastOptions::default() };
            cast_with_options(column, &wanted, &options).map_err(|source| {
                Error::invalid("features.as_of", "a key column cannot be read")
                    .with("column", &key.name)
                    .with("type", column.data_type())
                    .with_source(source)
            })?
        };
        Ok(match wanted {
            DataType::Int64 => Self::Int(column.as_primitive::<Int64Type>().clone()),
            DataType::Utf8 => Self::Text(column.as_string::<i32>().clone()),
            _ => Self::Bytes(column.as_binary::<i32>().clone()),
        })
    }

    /// Adds the row's part of the key; false if it is null.
    fn add(&self, row: usize, bytes: &mut Vec<u8>) -> bool {
        let text = match self {
            Self::Int(column) => {
                if column.is_null(row) {
                    return false;
                }
                bytes.extend_from_slice(&column.value(row).to_be_bytes());
                return true;
            }
            Self::Text(column) if column.is_valid(row) => column.value(row).as_bytes(),
            Self::Bytes(column) if column.is_valid(row) => column.value(row),
            _ => return false,
        };
        bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
        bytes.extend_from_slice(text);
        true
    }
}

impl Ints {
    fn new(column: &Int64Array) -> (Self, Vec<u32>) {
        let mut sorted: Vec<i64> = column.iter().flatten().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let least = sorted.first().copied().unwrap_or(0);
        let greatest = sorted.last().copied().unwrap_or(0);
        let range = (i128::from(greatest) - i128::from(least)) as u64;
        let mut ints =
            Self { least, greatest, direct: Vec::new(), places: Vec::new(), shift: 0, sorted };
        let count = ints.sorted.len();
        if range < SPREAD * count as u64 {
            ints.direct = vec![NONE; range as usize + 1];
        } else {
            let places = (count.max(1) * 2).next_power_of_two();
            ints.places = vec![(0, NONE); places];
            ints.shift = 64 - places.trailing_zeros();
        }
        let mut next = 0;
        let ids = column
            .iter()
            .map(|key| {
                let Some(key) = key else { return NONE };
                let id = ints.place(key);
                if *id == NONE {
                    *id = next;
                    next += 1;
                }
                *id
            })
            .collect();
        (ints, ids)
    }

    /// Where the id of a key that is asked for belongs.
    fn place(&mut self, key: i64) -> &mut u32 {
        if !self.direct.is_empty() {
            return &mut self.direct[key.wrapping_sub(self.least) as usize];
        }
        let mask = self.places.len() - 1;
        let mut at = self.first(key);
        while self.places[at].1 != NONE && self.places[at].0 != key {
            at = (at + 1) & mask;
        }
        self.places[at].0 = key;
        &mut self.places[at].1
    }

    #[inline]
    fn first(&self, key: i64) -> usize {
        // Both halves of the product: patterns of the low and of the high bits are spread alike.
        let product = u128::from(key as u64 ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        (((product >> 64) as u64 ^ product as u64) >> self.shift) as usize
    }

    #[inline]
    fn id(&self, key: i64) -> u32 {
        if key < self.least || key > self.greatest {
            return NONE;
        }
        if !self.direct.is_empty() {
            return self.direct[key.wrapping_sub(self.least) as usize];
        }
        let mask = self.places.len() - 1;
        let mut at = self.first(key);
        loop {
            let (found, id) = self.places[at];
            if id == NONE || found == key {
                return id;
            }
            at = (at + 1) & mask;
        }
    }

    fn ids(&self, column: &Int64Array, ids: &mut Vec<u32>) {
        if self.sorted.is_empty() {
            ids.resize(column.len(), NONE);
            return;
        }
        // Rows of one key often lie beside one another.
        let (mut last, mut id) = (self.least, self.id(self.least));
        ids.extend(column.values().iter().map(|key| {
            if *key != last {
                last = *key;
                id = self.id(*key);
            }
            id
        }));
        if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
            for (row, id) in ids.iter_mut().enumerate() {
                if nulls.is_null(row) {
                    *id = NONE;
                }
            }
        }
    }
}

impl Tuples {
    fn insert(&mut self, columns: &[Column], rows: usize) -> Vec<u32> {
        self.places = vec![(0, NONE); (rows.max(1) * 2).next_power_of_two()];
        let mut key = Vec::new();
        (0..rows)
            .map(|row| {
                key.clear();
                if !columns.iter().all(|column| column.add(row, &mut key)) {
                    return NONE;
                }
                let (at, tag) = self.find(&key);
                if self.places[at].1 == NONE {
                    self.places[at] = (tag, self.ends.len() as u32);
                    self.bytes.extend_from_slice(&key);
                    self.ends.push(self.bytes.len());
                }
                self.places[at].1
            })
            .collect()
    }

    /// The place of a key, or the free one where it belongs; and the part of its hash that is kept.
    fn find(&self, key: &[u8]) -> (usize, u32) {
        let hash = xxh3_64(key);
        let (mask, tag) = (self.places.len() - 1, (hash >> 32) as u32);
        let mut at = hash as usize & mask;
        loop {
            let (found, id) = self.places[at];
            if id == NONE || (found == tag && self.key(id) == key) {
                return (at, tag);
            }
            at = (at + 1) & mask;
        }
    }

    fn key(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..self.ends[id]]
    }

    fn ids(&self, columns: &[Column], rows: usize, ids: &mut Vec<u32>) {
        let (mut key, mut last, mut id) = (Vec::new(), Vec::new(), NONE);
        let mut any = false;
        for row in 0..rows {
            key.clear();
            if !columns.iter().all(|column| column.add(row, &mut key)) {
                ids.push(NONE);
                continue;
            }
            if !any || key != last {
                any = true;
                id = self.places[self.find(&key).0].1;
                std::mem::swap(&mut key, &mut last);
            }
            ids.push(id);
        }
    }
}

#[cfg(test)]
mod tests;
