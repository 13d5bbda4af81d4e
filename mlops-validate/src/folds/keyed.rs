//! The columns of a key, as slots.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use mlops_core::{Error, ErrorKind, Result};

use crate::kernel::Chunk;
use crate::keys::{KeyChunk, KeyEncoder};
use crate::slots::Slots;
use crate::tally::display;

/// Columns that make a key.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumns {
    pub(crate) slots: Vec<usize>,
    schema: SchemaRef,
    pub(crate) encoder: KeyEncoder,
    /// Whether texts of keys may be shown.
    redacted: bool,
}

impl KeyColumns {
    /// The key of these columns.
    pub(crate) fn new(slots: &mut Slots, columns: &[String], redacted: bool) -> Result<Self> {
        let numbers = slots.all(columns)?;
        let schema = slots.schema_of(&numbers);
        let encoder = KeyEncoder::new(columns, &schema)?;
        Ok(Self { slots: numbers, schema: schema.into(), encoder, redacted })
    }

    /// The key of these columns in the form that meets a parent's.
    pub(crate) fn of_child(
        slots: &mut Slots,
        columns: &[String],
        parent: (&[String], &Schema),
        redacted: bool,
    ) -> Result<Self> {
        let mut key = Self::new(slots, columns, redacted)?;
        key.encoder = KeyEncoder::pair((columns, &key.schema), parent)?.0;
        Ok(key)
    }

    /// The key of these columns in the form that meets a child's.
    pub(crate) fn of_parent(
        slots: &mut Slots,
        columns: &[String],
        child: (&[String], &Schema),
    ) -> Result<Self> {
        let mut key = Self::new(slots, columns, false)?;
        key.encoder = KeyEncoder::pair(child, (columns, &key.schema))?.1;
        Ok(key)
    }

    /// The keys of a chunk.
    pub(crate) fn encode(&self, chunk: &Chunk<'_>, out: &mut KeyChunk) -> Result<()> {
        self.encoder.encode(&batch_of(chunk, &self.slots, &self.schema)?, out)
    }

    /// A key as people write it, if it is the value itself.
    pub(crate) fn describe(&self, key: u128) -> Option<String> {
        if self.redacted { None } else { self.encoder.describe(key) }
    }

    /// The key of a row as people write it: `(EWR, 2013-01-01)`.
    pub(crate) fn show(&self, chunk: &Chunk<'_>, row: usize) -> String {
        if self.redacted {
            return "(redacted)".to_owned();
        }
        let part = |slot: &usize| {
            let column = chunk.columns[*slot].as_ref();
            column.and_then(|c| display(c, row)).unwrap_or_else(|| "null".to_owned())
        };
        match self.slots.as_slice() {
            [slot] => part(slot),
            slots => format!("({})", slots.iter().map(part).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Some slots of a chunk as a batch.
pub(crate) fn batch_of(
    chunk: &Chunk<'_>,
    slots: &[usize],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> =
        slots.iter().map(|slot| chunk.column(*slot).cloned()).collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(chunk.rows));
    RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options).map_err(
        |source| {
            Error::new(ErrorKind::Invalid, "validate", "a column is not what its schema says")
                .with_source(source)
        },
    )
}
