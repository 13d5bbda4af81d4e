//! A set of keys: which row groups may have some of them, and which rows do.

use std::collections::HashSet;

use arrow::array::{BooleanArray, RecordBatch};
use mlops_core::Result;
use mlops_core::features::{KeyBatch, KeyType, TableKey};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

/// Keys that are looked for.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: HashSet<Vec<u8>>,
    /// The first part of each key, ascending, as [`KeyBatch`] writes it but for the length.
    first: Vec<Vec<u8>>,
    kind: Option<KeyType>,
    /// How many columns a key has.
    columns: usize,
}

impl KeySet {
    pub(super) fn new(keys: &KeyBatch, table: &[TableKey]) -> Self {
        let keys: HashSet<Vec<u8>> = keys.iter().flatten().map(<[u8]>::to_vec).collect();
        let kind = table.first().map(|key| key.data_type);
        let first = keys.iter().filter_map(|key| {
            if kind? == KeyType::Int {
                return key.get(..8);
            }
            let (length, rest) = key.split_first_chunk::<4>()?;
            rest.get(..u32::from_be_bytes(*length) as usize)
        });
        let mut first: Vec<_> = first.map(<[u8]>::to_vec).collect();
        first.sort_unstable();
        first.dedup();
        Self { keys, first, kind, columns: table.len() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many columns a key has.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Whether a row group of a segment may have one of the keys, by the statistics of its first key column.
    pub(super) fn may_be_in(&self, group: &RowGroupMetaData) -> bool {
        let statistics = group.columns().first().and_then(|column| column.statistics());
        let range = match (self.kind, statistics) {
            (Some(KeyType::Int), Some(Statistics::Int64(ints))) => {
                let sortable = |v: &i64| (*v as u64 ^ (1 << 63)).to_be_bytes().to_vec();
                ints.min_opt().map(sortable).zip(ints.max_opt().map(sortable))
            }
            (Some(KeyType::String | KeyType::Bytes), Some(Statistics::ByteArray(bytes))) => {
                let least = bytes.min_opt().map(|v| v.data().to_vec());
                least.zip(bytes.max_opt().map(|v| v.data().to_vec()))
            }
            _ => None,
        };
        let Some((least, greatest)) = range else { return true };
        let at = self.first.partition_point(|key| *key < least);
        self.first.get(at).is_some_and(|key| *key <= greatest)
    }

    /// Which rows have one of the keys; their key columns come first.
    pub(super) fn mask(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let keys = KeyBatch::from_columns(&batch.columns()[..self.columns], batch.num_rows())?;
        let mut last: Option<(&[u8], bool)> = None;
        let found = keys.iter().map(|key| {
            let Some(key) = key else { return false };
            // Rows of one key stand together.
            let found = match last {
                Some((known, found)) if known == key => found,
                _ => self.keys.contains(key),
            };
            last = Some((key, found));
            found
        });
        Ok(BooleanArray::from(found.collect::<Vec<_>>()))
    }
}
