//! The keys of a request: from values, or from the columns of a batch.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use mlops_core::features::{KeyBatch, KeyType};
use mlops_core::{Error, Result};

use super::view::{Plan, RequestKey};

/// A part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyValue<'a> {
    /// None: a key with it matches nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// Text.
    Str(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// The keys of the rows of a request, for one prepared service; see
/// [`Prepared::keys`](super::Prepared::keys).
#[derive(Debug, Clone)]
pub struct Keys {
    pub(super) plan: Arc<Plan>,
    /// One for each of the plan's sets.
    pub(super) sets: Vec<KeyBatch>,
    rows: usize,
}

impl Keys {
    pub(super) fn new(plan: &Arc<Plan>) -> Self {
        let sets = plan.sets.iter().map(|_| KeyBatch::new()).collect();
        Self { plan: Arc::clone(plan), sets, rows: 0 }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.sets.iter_mut().for_each(KeyBatch::clear);
        self.rows = 0;
    }

    /// Adds a row: a value for each of [`Prepared::request`](super::Prepared::request), in order.
    ///
    /// # Errors
    /// `Invalid` for a value of another type, with its column; for too few or too many.
    pub fn push(&mut self, values: &[KeyValue<'_>]) -> Result<()> {
        self.check(values)?;
        for (set, keys) in self.plan.sets.iter().zip(&mut self.sets) {
            let mut whole = true;
            for index in set {
                match values[*index] {
                    KeyValue::Int(value) => keys.int(value),
                    KeyValue::Str(text) => keys.text(text.as_bytes()),
                    KeyValue::Bytes(bytes) => keys.text(bytes),
                    KeyValue::Null => whole = false,
                }
            }
            keys.end(whole)?;
        }
        self.rows += 1;
        Ok(())
    }

    fn check(&self, values: &[KeyValue<'_>]) -> Result<()> {
        let request = &self.plan.keys;
        if values.len() != request.len() {
            let names: Vec<&str> = request.iter().map(|key| key.column.as_str()).collect();
            return Err(Error::invalid("features.online", "has another number of key values")
                .with("found", values.len())
                .with("expected", names.join(", ")));
        }
        let wrong = request.iter().zip(values).find_map(|(key, value)| {
            let found = match (value, key.data_type) {
                (KeyValue::Null, _)
                | (KeyValue::Int(_), KeyType::Int)
                | (KeyValue::Str(_), KeyType::String)
                | (KeyValue::Bytes(_), KeyType::Bytes) => return None,
                (KeyValue::Int(_), _) => KeyType::Int,
                (KeyValue::Str(_), _) => KeyType::String,
                (KeyValue::Bytes(_), _) => KeyType::Bytes,
            };
            Some(wrong_type(key, found.as_str()))
        });
        wrong.map_or(Ok(()), Err)
    }

    /// Adds the rows of a batch, which may have other columns too.
    ///
    /// # Errors
    /// `Invalid` for a key column that is not there or has another type.
    pub fn extend(&mut self, batch: &RecordBatch) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let columns = plan.keys.iter().map(|key| key_column(batch, key));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        for (set, keys) in plan.sets.iter().zip(&mut self.sets) {
            let parts: Vec<ArrayRef> =
                set.iter().map(|index| columns[*index].as_ref().clone()).collect();
            keys.extend_columns(&parts, 0, batch.num_rows())?;
        }
        self.rows += batch.num_rows();
        Ok(())
    }
}

/// A key column of a batch, brought to the key's type, by value.
///
/// Any integer, text or binary type is brought; a whole number beyond 64 bits with a sign equals no key, so
/// it becomes null.
pub(crate) fn key_column<'a>(
    batch: &'a RecordBatch,
    key: &RequestKey,
) -> Result<Cow<'a, ArrayRef>> {
    let Some(column) = batch.column_by_name(&key.column) else {
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        return Err(Error::invalid("features.online", "the rows lack a key column")
            .with("column", &key.column)
            .with("columns", names.join(", ")));
    };
    if *column.data_type() == key.data_type.arrow() {
        return Ok(Cow::Borrowed(column));
    }
    if !is_key(column.data_type(), key.data_type) {
        return Err(wrong_type(key, column.data_type()));
    }
    let brought = cast(column, &key.data_type.arrow());
    brought.map(Cow::Owned).map_err(|e| wrong_type(key, column.data_type()).with_source(e))
}

fn is_key(found: &DataType, expected: KeyType) -> bool {
    match found {
        DataType::Null => true,
        DataType::Dictionary(_, values) => is_key(values, expected),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => expected == KeyType::String,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => expected == KeyType::Bytes,
        other => other.is_integer() && expected == KeyType::Int,
    }
}

fn wrong_type(key: &RequestKey, found: impl std::fmt::Display) -> Error {
    Error::invalid("features.online", "a key has another type")
        .with("column", &key.column)
        .with("found", found)
        .with("expected", key.data_type)
}
