//! Join keys as bytes: equal bytes for equal tuples, and for no others.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};

use crate::{Error, Result};

/// The keys of many rows, one after the other.
///
/// A whole number is eight bytes, big endian with the sign turned, so that numbers sort as numbers;
/// text and bytes are their length in four bytes, big endian, and themselves. So `(1, 23)` is not `(12, 3)`,
/// and `("a", "bc")` not `("ab", "c")`. A row with a null in its key has no key: it matches nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyBatch {
    bytes: Vec<u8>,
    /// Where each key ends, and whether it is one.
    ends: Vec<(u32, bool)>,
}

impl KeyBatch {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// The keys of columns of equal length, each `Int64`, `Utf8` or `Binary` (see
    /// [`KeyType::arrow`](super::KeyType::arrow)); of no columns, `rows` empty keys.
    ///
    /// # Errors
    /// `Invalid` for a column of another type; for more than 4 GiB of keys.
    pub fn from_columns(columns: &[ArrayRef], rows: usize) -> Result<Self> {
        let mut keys = Self::new();
        keys.extend_columns(columns, 0, rows)?;
        Ok(keys)
    }

    /// Adds the keys of `rows` rows from `first` on.
    ///
    /// # Errors
    /// As [`KeyBatch::from_columns`].
    pub fn extend_columns(
        &mut self,
        columns: &[ArrayRef],
        first: usize,
        rows: usize,
    ) -> Result<()> {
        self.ends.reserve(rows);
        for row in first..first + rows {
            let mut whole = true;
            for column in columns {
                if column.is_null(row) {
                    whole = false;
                    continue;
                }
                match column.data_type() {
                    DataType::Int64 => self.int(column.as_primitive::<Int64Type>().value(row)),
                    DataType::Utf8 => self.text(column.as_string::<i32>().value(row).as_bytes()),
                    DataType::Binary => self.text(column.as_binary::<i32>().value(row)),
                    other => {
                        return Err(Error::invalid(
                            "features.keys",
                            "a key column has another type",
                        )
                        .with("type", other));
                    }
                }
            }
            self.end(whole)?;
        }
        Ok(())
    }

    /// Adds the next part of the key that is being built; see [`KeyBatch::end`].
    #[inline]
    pub fn int(&mut self, value: i64) {
        self.bytes.extend_from_slice(&(value as u64 ^ (1 << 63)).to_be_bytes());
    }

    /// Adds the next part of the key that is being built; see [`KeyBatch::end`].
    #[inline]
    pub fn text(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
        self.bytes.extend_from_slice(value);
    }

    /// Ends the key that was being built; `whole` unless a part of it was null.
    ///
    /// # Errors
    /// `Invalid` if all keys together have more than 4 GiB.
    #[inline]
    pub fn end(&mut self, whole: bool) -> Result<()> {
        if !whole {
            let start = self.ends.last().map_or(0, |end| end.0 as usize);
            self.bytes.truncate(start);
        }
        let end = u32::try_from(self.bytes.len())
            .map_err(|_| Error::invalid("features.keys", "keys of more than 4 GiB in one call"))?;
        self.ends.push((end, whole));
        Ok(())
    }

    /// Adds a key that is bytes already, as [`KeyBatch::get`] returns it.
    ///
    /// # Errors
    /// As [`KeyBatch::end`].
    pub fn push(&mut self, key: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(key);
        self.end(true)
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The key of a row; `None` if a part of it is null, or there is no such row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        let (end, whole) = *self.ends.get(row)?;
        let start = if row == 0 { 0 } else { self.ends[row - 1].0 };
        whole.then(|| &self.bytes[start as usize..end as usize])
    }

    /// The keys of all rows.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        (0..self.len()).map(|row| self.get(row))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn tuples_are_equal_as_tuples() {
        let columns = |a: [&str; 2], b: [&str; 2]| -> [ArrayRef; 2] {
            [Arc::new(StringArray::from(a.to_vec())), Arc::new(StringArray::from(b.to_vec()))]
        };
        let keys = KeyBatch::from_columns(&columns(["a", "ab"], ["bc", "c"]), 2).unwrap();
        assert_ne!(keys.get(0), keys.get(1));
    }

    #[test]
    fn a_null_in_a_key_is_no_key() {
        let a: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(-1)]));
        let keys = KeyBatch::from_columns(&[a.clone(), a], 3).unwrap();
        assert!(keys.get(0).is_some() && keys.get(1).is_none() && keys.get(3).is_none());
        assert!(keys.get(2) < keys.get(0), "numbers sort as numbers");
    }

    #[test]
    fn a_view_without_keys_has_one_key() {
        let keys = KeyBatch::from_columns(&[], 2).unwrap();
        assert_eq!((keys.get(0), keys.get(1)), (Some(&[][..]), Some(&[][..])));
    }
}
