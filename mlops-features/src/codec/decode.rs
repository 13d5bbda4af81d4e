//! From packed rows to columns: rows are gathered first, then read column by column.
//!
//! The non-obvious decision: a row's bytes are copied before they are read. Stores hand out one entry
//! at a time, and the copy is a fraction of a microsecond for a hundred rows; then each column is one
//! loop of one type, without a decision a value: a row that is not there is one of zeros, and so is
//! null, because which values are there is as good as random and a processor guesses wrong.

use mlops_core::{Error, Result};

use super::column::{Column, Data, too_large};
use super::layout::{Place, read_u32};
use super::row::{RowCodec, corrupt};

/// The packed rows of one view in one answer.
#[derive(Debug, Clone, Default)]
pub struct Payloads {
    /// A row of zeros, then the rows.
    bytes: Vec<u8>,
    rows: Vec<Slot>,
    /// Of the codec whose rows these are.
    codec: u64,
    /// Whether a row was packed by another list than the codec's own.
    mixed: bool,
}

/// Where a row is, and by which list it was packed.
#[derive(Debug, Clone, Copy)]
struct Slot {
    start: usize,
    end: usize,
    layout: usize,
}

/// The place of a value that no row has.
const ZERO: Place = Place { byte: 0, mask: 0, at: 0, before: None, heap: 0 };
/// No list: there is no row, all of its columns are null.
const NONE: usize = usize::MAX;

impl Payloads {
    /// No rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
        self.mixed = false;
    }

    /// Adds a packed row.
    ///
    /// # Errors
    /// `Corrupt` for what is no row; `Unsupported` for one of a column list that the codec does not know;
    /// `Invalid` if the rows before were another codec's.
    #[inline]
    pub fn push(&mut self, codec: &RowCodec, row: &[u8]) -> Result<()> {
        self.begin(codec)?;
        let layout = codec.layout_of(row)?;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(row);
        self.rows.push(Slot { start, end: self.bytes.len(), layout });
        self.mixed |= layout != 0;
        Ok(())
    }

    /// Adds a row that is not there.
    ///
    /// # Errors
    /// `Invalid` if the rows before were another codec's.
    #[inline]
    pub fn push_none(&mut self, codec: &RowCodec) -> Result<()> {
        self.begin(codec)?;
        self.rows.push(Slot { start: 0, end: 0, layout: NONE });
        Ok(())
    }

    #[inline]
    fn begin(&mut self, codec: &RowCodec) -> Result<()> {
        if self.bytes.is_empty() {
            self.codec = codec.id;
            self.bytes.resize(codec.current().heap, 0);
        }
        if self.codec == codec.id { Ok(()) } else { Err(foreign()) }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Some columns of a table, resolved once, so that decoding looks nothing up.
#[derive(Debug, Clone)]
pub struct Projection {
    columns: Vec<Wanted>,
    /// Of the codec.
    codec: u64,
}

#[derive(Debug, Clone)]
struct Wanted {
    empty: Column,
    /// For each list that the codec knows, where the column is.
    places: Vec<Option<Place>>,
}

impl RowCodec {
    /// Some of the columns, by their names in the table.
    ///
    /// # Errors
    /// `Invalid` for a column that the table does not have.
    pub fn project<N: AsRef<str>>(&self, names: impl IntoIterator<Item = N>) -> Result<Projection> {
        let wanted = names.into_iter().map(|name| {
            let name = name.as_ref();
            let column = self.columns().iter().find(|column| column.name == name);
            let column = column.ok_or_else(|| {
                let all: Vec<&str> = self.columns().iter().map(|c| c.name.as_str()).collect();
                Error::invalid("features.codec", "the table has no such column")
                    .with("column", name)
                    .with("columns", all.join(", "))
            })?;
            let places = self.layouts.iter();
            let places = places.map(|layout| layout.index(name).map(|index| layout.places[index]));
            Ok(Wanted { empty: Column::new(column.data_type)?, places: places.collect() })
        });
        Ok(Projection { columns: wanted.collect::<Result<_>>()?, codec: self.id })
    }
}

impl Projection {
    /// Empty columns to decode to.
    pub fn columns(&self) -> Vec<Column> {
        self.columns.iter().map(|wanted| wanted.empty.clone()).collect()
    }

    /// Appends the rows to columns as [`Projection::columns`] gives them.
    ///
    /// # Errors
    /// `Corrupt` for a damaged row; `Invalid` for rows of another codec, for columns of other types or
    /// another number, and if one would be larger than 2 GiB. The columns are then of no use until they are cleared.
    pub fn decode(&self, rows: &Payloads, columns: &mut [Column]) -> Result<()> {
        if !rows.is_empty() && rows.codec != self.codec {
            return Err(foreign());
        }
        if columns.len() != self.columns.len() {
            return Err(Error::invalid("features.codec", "has another number of columns")
                .with("found", columns.len())
                .with("expected", self.columns.len()));
        }
        for (wanted, column) in self.columns.iter().zip(columns) {
            if column.data_type() != wanted.empty.data_type() {
                return Err(Error::invalid("features.codec", "a column has another type")
                    .with("found", column.data_type())
                    .with("expected", wanted.empty.data_type()));
            }
            let text = column.data_type() == mlops_core::features::FeatureType::String;
            let read = Read { rows, places: &wanted.places, valid: &mut column.valid };
            match &mut column.data {
                Data::Wide(values) => {
                    read.fixed(values, |b, valid| i64::from_le_bytes(b) & -i64::from(valid));
                }
                Data::Float(values) => read.fixed(values, |b, valid| {
                    f64::from_bits(u64::from_le_bytes(b) & u64::from(valid).wrapping_neg())
                }),
                Data::Float32(values) => read.fixed(values, |b, valid| {
                    f32::from_bits(u32::from_le_bytes(b) & u32::from(valid).wrapping_neg())
                }),
                Data::Date(values) => {
                    read.fixed(values, |b, valid| i32::from_le_bytes(b) & -i32::from(valid));
                }
                Data::Bool(values) => {
                    let mut bad = false;
                    read.fixed(values, |[b], valid| {
                        bad |= valid && b > 1;
                        valid && b == 1
                    });
                    if bad {
                        return Err(corrupt("a truth value is neither true nor false"));
                    }
                }
                Data::Text(ends, bytes) => read.variable(ends, |value| {
                    if text && std::str::from_utf8(value).is_err() {
                        return Err(corrupt("text is no UTF-8"));
                    }
                    bytes.extend_from_slice(value);
                    Ok(bytes.len())
                })?,
                Data::Vector(ends, items) => read.variable(ends, |value| {
                    let (whole, rest) = value.as_chunks::<4>();
                    if !rest.is_empty() {
                        return Err(corrupt("a vector has a part of a number"));
                    }
                    items.extend(whole.iter().map(|b| f32::from_le_bytes(*b)));
                    Ok(items.len())
                })?,
            }
        }
        Ok(())
    }
}

/// One column being read.
struct Read<'a> {
    rows: &'a Payloads,
    places: &'a [Option<Place>],
    valid: &'a mut Vec<bool>,
}

impl<'a> Read<'a> {
    /// The bytes of a row, and where the column is in it, if it has a value there.
    #[inline]
    fn find(&self, slot: Slot) -> Result<Option<(&'a [u8], Place)>> {
        let Some(Some(place)) = self.places.get(slot.layout) else { return Ok(None) };
        let row = self.rows.bytes.get(slot.start..slot.end);
        let bits = row.and_then(|row| Some((row, *row.get(place.byte as usize)?)));
        let (row, bits) = bits.ok_or_else(|| corrupt("it ends too early"))?;
        Ok((bits & place.mask != 0).then_some((row, *place)))
    }

    /// `value` of the bytes of a value and of whether it is one.
    fn fixed<T, const N: usize>(
        self,
        values: &mut Vec<T>,
        mut value: impl FnMut([u8; N], bool) -> T,
    ) {
        let first = self.valid.len();
        let bytes = &self.rows.bytes[..];
        // Each row was seen to have all of its layout when it was gathered, so nothing is out of bounds.
        let at = |place: usize| bytes.get(place).copied().unwrap_or(0);
        let load = |place: usize| {
            let chunk = bytes.get(place..).and_then(<[u8]>::first_chunk::<N>);
            chunk.copied().unwrap_or([0; N])
        };
        let rows = &self.rows.rows;
        let mut read = |place: &Place, start: usize, valid: bool| {
            value(load(start + place.at as usize), valid)
        };
        match self.places {
            [Some(place), ..] if !self.rows.mixed => {
                let bit = |slot: &Slot| at(slot.start + place.byte as usize) & place.mask != 0;
                self.valid.extend(rows.iter().map(bit));
                let both = rows.iter().zip(&self.valid[first..]);
                values.extend(both.map(|(slot, valid)| read(place, slot.start, *valid)));
            }
            places => {
                for slot in rows {
                    let place = places.get(slot.layout).copied().flatten();
                    let valid =
                        place.is_some_and(|p| at(slot.start + p.byte as usize) & p.mask != 0);
                    // Where the list lacks the column, the row of zeros is read.
                    let place = place.map_or((ZERO, 0), |place| (place, slot.start));
                    values.push(read(&place.0, place.1, valid));
                    self.valid.push(valid);
                }
            }
        }
    }

    /// `take` appends a value and returns how long all of them are together.
    fn variable(
        self,
        ends: &mut Vec<i32>,
        mut take: impl FnMut(&[u8]) -> Result<usize>,
    ) -> Result<()> {
        for slot in &self.rows.rows {
            let Some((row, place)) = self.find(*slot)? else {
                ends.push(ends.last().copied().unwrap_or(0));
                self.valid.push(false);
                continue;
            };
            let value = variable(row, place).ok_or_else(|| corrupt("it has no such value"))?;
            ends.push(i32::try_from(take(value)?).map_err(|_| too_large())?);
            self.valid.push(true);
        }
        Ok(())
    }
}

/// The bytes of a value of variable width.
fn variable(row: &[u8], place: Place) -> Option<&[u8]> {
    let start = match place.before {
        Some(before) => read_u32(row, before as usize)? as usize,
        None => 0,
    };
    let end = read_u32(row, place.at as usize)? as usize;
    row.get(place.heap as usize..)?.get(start..end)
}

#[cold]
fn foreign() -> Error {
    Error::invalid("features.codec", "the rows were gathered for another codec")
}
