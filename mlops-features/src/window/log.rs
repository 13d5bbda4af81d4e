//! The rows that a join keeps: those of keys that are asked for, in columns.

use mlops_core::features::{FeatureType, WriteOrder};
use mlops_core::{Error, Result};

use super::plan::WindowPlan;
use super::rows::Rows;
use super::value::Cell;

/// Rows, column by column.
#[derive(Debug)]
pub(super) struct Log {
    /// Which of the keys that are asked for.
    pub(super) keys: Vec<u32>,
    event_time: Vec<i64>,
    created: Vec<i64>,
    seq: Vec<u64>,
    columns: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    has_bytes: bool,
    valid: Vec<bool>,
    /// Values; of texts start and end in `bytes`, in 32 bits each.
    words: Vec<i64>,
    bytes: Vec<u8>,
}

impl Log {
    pub(super) fn new(plan: &WindowPlan) -> Self {
        let columns = plan.columns.iter().map(|column| Kept {
            has_bytes: matches!(column.data_type, FeatureType::String | FeatureType::Bytes),
            valid: Vec::new(),
            words: Vec::new(),
            bytes: Vec::new(),
        });
        Self {
            keys: Vec::new(),
            event_time: Vec::new(),
            created: Vec::new(),
            seq: Vec::new(),
            columns: columns.collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn push(&mut self, key: u32, rows: &Rows, row: usize) -> Result<()> {
        let order = rows.order(row);
        self.keys.push(key);
        self.event_time.push(order.event_time);
        self.created.push(order.created);
        self.seq.push(order.seq);
        for (place, column) in self.columns.iter_mut().enumerate() {
            let cell = rows.cell(Some(place), row);
            column.valid.push(cell != Cell::Null);
            column.words.push(match cell {
                Cell::Null => 0,
                Cell::Word(word) => word,
                Cell::Bytes(bytes) => {
                    let start = column.bytes.len();
                    let end = u32::try_from(start + bytes.len()).map_err(|_| {
                        Error::invalid("features.window", "texts of more than 4 GiB in one join")
                            .with_hint("join the rows bucket by bucket")
                    })?;
                    column.bytes.extend_from_slice(bytes);
                    (start as i64) << 32 | i64::from(end)
                }
            });
        }
        Ok(())
    }

    #[inline]
    pub(super) fn order(&self, row: usize) -> WriteOrder {
        WriteOrder {
            event_time: self.event_time[row],
            created: self.created[row],
            seq: self.seq[row],
        }
    }

    #[inline]
    pub(super) fn cell(&self, column: Option<usize>, row: usize) -> Cell<'_> {
        let Some(column) = column else { return Cell::Word(0) };
        let column = &self.columns[column];
        let word = column.words[row];
        match (column.valid[row], column.has_bytes) {
            (false, _) => Cell::Null,
            (true, false) => Cell::Word(word),
            (true, true) => {
                let (start, end) = ((word as u64 >> 32) as usize, word as u32 as usize);
                Cell::Bytes(&column.bytes[start..end])
            }
        }
    }
}
