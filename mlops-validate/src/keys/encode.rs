//! From the rows of a chunk to keys.
//!
//! Two rows have the same key exactly if their values are equal, however they are stored: a
//! dictionary, a view, 32 or 64 bits, a slice, a timestamp in seconds or in nanoseconds. For two
//! tables that holds if their encoders were made as a [pair](KeyEncoder::pair): a form is agreed
//! column by column, and columns whose values can never be equal (a number and a text) are an error
//! before any data is read.
//!
//! | columns | key |
//! |---|---|
//! | one: integer, bool, float, date, time, timestamp, duration | [`Keys::Narrow`], the value itself |
//! | one: decimal; a pair that mixes `UInt64` with signed integers, or units of time | [`Keys::Wide`], the value itself |
//! | one: text, bytes, list, struct, decimals of several scales; several columns | [`Keys::Wide`], a fingerprint |
//!
//! A fingerprint is XXH3-128 of bytes from which the values can be read back, so only the hash can make
//! two rows collide: among n distinct values with probability n²/2¹²⁹ (10⁹ rows: 1.5·10⁻²¹).
//!
//! Floats: NaN of any bits is one value, −0.0 is 0.0, and a `Float32` equals the `Float64` of the same number.

mod describe;
mod kind;
mod part;

#[cfg(test)]
mod tests;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use mlops_core::{Error, Result};
use xxhash_rust::xxh3::xxh3_128;

use self::kind::{Form, Kind};
use self::part::Part;

const OPERATION: &str = "validate.key";

/// The narrow key that [`KeyChunk::key`] gives a null: outside the values of 64 bits.
const NULL_NARROW: u128 = 1 << 64;
/// The wide key of a row of one column that is null: no decimal and no instant has this value, and a
/// fingerprint has it as seldom as it has any other.
const NULL_WIDE: u128 = 1 << 127;

/// Turns the rows of batches of one schema into keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyEncoder {
    columns: Vec<Column>,
    form: Form,
}

#[derive(Debug, Clone)]
struct Column {
    index: usize,
    name: String,
    data_type: DataType,
    kind: Kind,
}

/// One key for each row of a chunk, in one of two widths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Keys {
    /// The values themselves.
    Narrow(Vec<u64>),
    /// The values themselves, or fingerprints of them.
    Wide(Vec<u128>),
}

/// The keys of a chunk, and which rows have nulls in them.
///
/// Both masks have one bit a row. The key of a row with nulls in some of several columns is that of
/// the values *and* the nulls, so a policy that takes nulls as equal can use it. With a single column
/// the slot of a null row means nothing; [`KeyChunk::key`] gives it a key of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyChunk {
    /// One key for each row.
    pub(crate) keys: Keys,
    /// Rows in which at least one column is null.
    pub(crate) any_null: Vec<u64>,
    /// Rows in which every column is null.
    pub(crate) all_null: Vec<u64>,
    single: bool,
}

impl Default for KeyChunk {
    fn default() -> Self {
        Self {
            keys: Keys::Narrow(Vec::new()),
            any_null: Vec::new(),
            all_null: Vec::new(),
            single: true,
        }
    }
}

impl Keys {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Narrow(keys) => keys.len(),
            Self::Wide(keys) => keys.len(),
        }
    }
}

impl KeyChunk {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key of a row in the wide form, in which nulls have a key too.
    #[inline]
    pub(crate) fn key(&self, row: usize) -> u128 {
        let null = self.single && self.any_null[row / 64] >> (row % 64) & 1 == 1;
        match &self.keys {
            Keys::Narrow(_) if null => NULL_NARROW,
            Keys::Wide(_) if null => NULL_WIDE,
            Keys::Narrow(keys) => u128::from(keys[row]),
            Keys::Wide(keys) => keys[row],
        }
    }
}

impl KeyEncoder {
    /// An encoder of these columns, in this order.
    ///
    /// # Errors
    /// `NotFound` if a column is not in the schema; `Invalid` if there is no column, or one has a type
    /// whose values cannot be compared (maps, unions).
    pub(crate) fn new<S: AsRef<str>>(columns: &[S], schema: &Schema) -> Result<Self> {
        if columns.is_empty() {
            return Err(Error::invalid(OPERATION, "a key needs at least one column"));
        }
        let mut found = Vec::with_capacity(columns.len());
        for name in columns {
            let name = name.as_ref();
            let Some((index, field)) = schema.column_with_name(name) else {
                return Err(Error::not_found(OPERATION, "the table has no such column")
                    .with("column", format!("{name:?}")));
            };
            let data_type = field.data_type().clone();
            let kind = Kind::of(&data_type).ok_or_else(|| {
                Error::invalid(OPERATION, "values of this type cannot be a key")
                    .with("column", format!("{name:?}"))
                    .with("type", &data_type)
            })?;
            found.push(Column { index, name: name.to_owned(), data_type, kind });
        }
        Ok(Self::of(found))
    }

    /// Encoders of a child table and of its parent, under which equal values have equal keys.
    ///
    /// # Errors
    /// As [`KeyEncoder::new`]; `Invalid` if the numbers of columns differ, or if two columns that meet
    /// cannot have equal values.
    pub(crate) fn pair<S: AsRef<str>, T: AsRef<str>>(
        child: (&[S], &Schema),
        parent: (&[T], &Schema),
    ) -> Result<(Self, Self)> {
        let mut child = Self::new(child.0, child.1)?;
        let mut parent = Self::new(parent.0, parent.1)?;
        if child.columns.len() != parent.columns.len() {
            return Err(Error::invalid(OPERATION, "both keys must have as many columns")
                .with("child", child.columns.len())
                .with("parent", parent.columns.len()));
        }
        for (ours, theirs) in child.columns.iter_mut().zip(&mut parent.columns) {
            let kind = ours.kind.join(&theirs.kind).ok_or_else(|| mismatch(ours, theirs))?;
            ours.kind = kind.clone();
            theirs.kind = kind;
        }
        Ok((Self::of(child.columns), Self::of(parent.columns)))
    }

    fn of(columns: Vec<Column>) -> Self {
        let form = match columns.as_slice() {
            [single] => single.kind.form(),
            _ => Form::Fingerprint,
        };
        Self { columns, form }
    }

    /// Whether two different values always have different keys (no fingerprints).
    pub(crate) fn is_exact(&self) -> bool {
        self.form != Form::Fingerprint
    }

    /// Whether keys are of 64 bits.
    pub(crate) fn is_narrow(&self) -> bool {
        self.form == Form::Narrow
    }

    #[cfg(test)]
    /// Positions of the columns in the schema, in the order of the key.
    pub(crate) fn columns(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|column| column.index)
    }

    /// Writes the keys of a batch into `out`, whose buffers are used again.
    ///
    /// # Errors
    /// `Invalid` if the batch is not of the schema that the encoder was made for.
    pub(crate) fn encode(&self, batch: &RecordBatch, out: &mut KeyChunk) -> Result<()> {
        let rows = batch.num_rows();
        let mut parts = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            parts.push(column.part(batch)?);
        }
        nulls_of(&parts, rows, out);
        out.single = parts.len() == 1;
        match (self.form, parts.as_slice()) {
            (Form::Narrow, [part]) => part.narrow(narrow_buffer(&mut out.keys)),
            (Form::Value, [part]) => part.value(wide_buffer(&mut out.keys)),
            (_, [part]) => part.fingerprints(wide_buffer(&mut out.keys)),
            (_, parts) => tuples(parts, rows, wide_buffer(&mut out.keys)),
        }
        Ok(())
    }
}

impl Column {
    fn part(&self, batch: &RecordBatch) -> Result<Part> {
        let changed = || {
            Error::invalid(OPERATION, "the batch is not of the schema that the key was made for")
                .with("column", format!("{:?}", self.name))
                .with("expected", &self.data_type)
        };
        let array = batch.columns().get(self.index).ok_or_else(changed)?;
        if *array.data_type() != self.data_type {
            return Err(changed().with("found", array.data_type()));
        }
        Part::new(array, &self.kind).ok_or_else(changed)
    }
}

fn mismatch(ours: &Column, theirs: &Column) -> Error {
    Error::invalid(OPERATION, "values of these types are never equal")
        .with("child", format!("{:?} {}", ours.name, ours.data_type))
        .with("parent", format!("{:?} {}", theirs.name, theirs.data_type))
        .with_hint(if ours.kind.is_instant() && theirs.kind.is_instant() {
            "one has a time zone and the other has none: cast one of them"
        } else {
            "cast one of the columns to the type of the other"
        })
}

fn narrow_buffer(keys: &mut Keys) -> &mut Vec<u64> {
    if !matches!(keys, Keys::Narrow(_)) {
        *keys = Keys::Narrow(Vec::new());
    }
    let Keys::Narrow(buffer) = keys else { unreachable!("set above") };
    buffer.clear();
    buffer
}

fn wide_buffer(keys: &mut Keys) -> &mut Vec<u128> {
    if !matches!(keys, Keys::Wide(_)) {
        *keys = Keys::Wide(Vec::new());
    }
    let Keys::Wide(buffer) = keys else { unreachable!("set above") };
    buffer.clear();
    buffer
}

/// Fills both masks from the validity of the columns.
fn nulls_of(parts: &[Part], rows: usize, out: &mut KeyChunk) {
    let words = rows.div_ceil(64);
    out.any_null.clear();
    out.any_null.resize(words, 0);
    out.all_null.clear();
    out.all_null.resize(words, 0);
    let mut first = true;
    for part in parts {
        match part.nulls() {
            None => out.all_null.fill(0),
            Some(nulls) => {
                let valid = nulls.inner().bit_chunks();
                for (i, valid) in valid.iter_padded().take(words).enumerate() {
                    // Bits past the last row are valid = 0 here, so they are cut off below.
                    out.any_null[i] |= !valid;
                    out.all_null[i] = if first { !valid } else { out.all_null[i] & !valid };
                }
            }
        }
        first = false;
    }
    if !rows.is_multiple_of(64) {
        let last = (1_u64 << (rows % 64)) - 1;
        out.any_null[words - 1] &= last;
        out.all_null[words - 1] &= last;
    }
}

fn tuples(parts: &[Part], rows: usize, out: &mut Vec<u128>) {
    let mut bytes = Vec::with_capacity(256);
    out.extend((0..rows).map(|row| {
        bytes.clear();
        for part in parts {
            part.write(row, &mut bytes);
        }
        xxh3_128(&bytes)
    }));
}
