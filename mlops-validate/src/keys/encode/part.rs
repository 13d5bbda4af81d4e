//! One column of a chunk, ready to be written row by row.
//!
//! Numbers are brought into the canonical form of their [`Kind`] for the whole chunk at once; text
//! stays where it is. Buffers are shared with the array, not copied, where the form allows it.

mod number;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, UInt64Array};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, i256};
use xxhash_rust::xxh3::xxh3_128;

use self::number::number;
use super::kind::Kind;

pub(super) struct Part {
    values: Values,
    nulls: Option<NullBuffer>,
    len: usize,
}

enum Values {
    /// Every row is null.
    Null,
    Shared(ScalarBuffer<i64>),
    Words(Vec<u64>),
    SharedBig(ScalarBuffer<i128>),
    Big(Vec<i128>),
    /// Digits without trailing zeros, and how many of them are behind the point.
    Decimals(Vec<(i256, i16)>),
    Bytes(OffsetBuffer<i32>, Buffer),
    LargeBytes(OffsetBuffer<i64>, Buffer),
    Views(BinaryViewArray),
    Fixed(usize, Buffer),
    List(Vec<(usize, usize)>, Box<Part>),
    Struct(Vec<Part>),
    Dictionary(Vec<usize>, Box<Part>),
}

impl Part {
    /// None if the array does not hold values of this kind.
    pub(super) fn new(array: &ArrayRef, kind: &Kind) -> Option<Self> {
        let values = Values::new(array, kind)?;
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        Some(Self { values, nulls, len: array.len() })
    }

    pub(super) fn nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref()
    }

    /// Appends one word for each row; for kinds of the narrow form.
    pub(super) fn narrow(&self, out: &mut Vec<u64>) {
        match &self.values {
            Values::Shared(values) => out.extend(values.iter().map(|value| *value as u64)),
            Values::Words(words) => out.extend_from_slice(words),
            Values::Dictionary(rows, part) => {
                let mut words = Vec::with_capacity(part.len);
                part.narrow(&mut words);
                out.extend(rows.iter().map(|row| words[*row]));
            }
            _ => out.resize(out.len() + self.len, 0),
        }
    }

    /// Appends one value for each row; for kinds of the value form.
    pub(super) fn value(&self, out: &mut Vec<u128>) {
        match &self.values {
            Values::SharedBig(values) => out.extend(values.iter().map(|value| *value as u128)),
            Values::Big(values) => out.extend(values.iter().map(|value| *value as u128)),
            Values::Dictionary(rows, part) => gather(rows, part, Self::value, out),
            _ => out.resize(out.len() + self.len, 0),
        }
    }

    /// Appends one fingerprint for each row, for any kind.
    pub(super) fn fingerprints(&self, out: &mut Vec<u128>) {
        match &self.values {
            // Hashing each value once pays only where there are fewer of them than rows.
            Values::Dictionary(rows, part) if part.len <= rows.len() => {
                gather(rows, part, Self::fingerprints, out);
            }
            Values::Bytes(offsets, bytes) => {
                out.extend(
                    offsets
                        .windows(2)
                        .map(|ends| xxh3_128(&bytes[ends[0] as usize..ends[1] as usize])),
                );
            }
            _ => {
                let mut bytes = Vec::with_capacity(64);
                out.extend((0..self.len).map(|row| {
                    if self.is_null(row) {
                        return 0;
                    }
                    if let Some(raw) = self.raw(row) {
                        return xxh3_128(raw);
                    }
                    bytes.clear();
                    self.write(row, &mut bytes);
                    xxh3_128(&bytes)
                }));
            }
        }
    }

    /// Appends a row so that it can be read back by who knows the kind.
    #[inline]
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            // As long as the prefix of a value of the kind, which never is zero.
            out.extend_from_slice(if self.is_bytes() { &[0; 8] } else { &[0] });
            return;
        }
        if let Some(raw) = self.raw(row) {
            out.extend_from_slice(&(raw.len() as u64 + 1).to_le_bytes());
            out.extend_from_slice(raw);
            return;
        }
        match &self.values {
            Values::Shared(values) => word(values[row] as u64, out),
            Values::Words(words) => word(words[row], out),
            Values::SharedBig(values) => big(values[row], out),
            Values::Big(values) => big(values[row], out),
            Values::Decimals(values) => {
                let (digits, scale) = values[row];
                out.push(1);
                out.extend_from_slice(&digits.to_le_bytes());
                out.extend_from_slice(&scale.to_le_bytes());
            }
            Values::List(ranges, items) => {
                let (from, to) = ranges[row];
                word((to - from) as u64, out);
                for item in from..to {
                    items.write(item, out);
                }
            }
            Values::Struct(fields) => {
                out.push(1);
                for field in fields {
                    field.write(row, out);
                }
            }
            Values::Dictionary(rows, part) => part.write(rows[row], out),
            _ => out.push(0),
        }
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null)
            || self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    fn is_bytes(&self) -> bool {
        match &self.values {
            Values::Dictionary(_, part) => part.is_bytes(),
            Values::Bytes(..) | Values::LargeBytes(..) | Values::Views(_) | Values::Fixed(..) => {
                true
            }
            _ => false,
        }
    }

    /// The text or bytes of a row that is not null.
    #[inline]
    fn raw(&self, row: usize) -> Option<&[u8]> {
        match &self.values {
            Values::Bytes(offsets, bytes) => {
                Some(&bytes[offsets[row] as usize..offsets[row + 1] as usize])
            }
            Values::LargeBytes(offsets, bytes) => {
                Some(&bytes[offsets[row] as usize..offsets[row + 1] as usize])
            }
            Values::Views(views) => Some(views.value(row)),
            Values::Fixed(size, bytes) => Some(&bytes[row * size..(row + 1) * size]),
            Values::Dictionary(rows, part) => part.raw(rows[row]),
            _ => None,
        }
    }
}

impl Values {
    fn new(array: &ArrayRef, kind: &Kind) -> Option<Self> {
        Some(match (array.data_type(), kind) {
            (DataType::Null, _) => Self::Null,
            (DataType::Dictionary(..), _) => dictionary(array, kind)?,
            (DataType::List(_), Kind::List(item)) => {
                let list = array.as_list::<i32>();
                let ends = list.offsets().iter().map(|end| *end as usize).collect();
                lists(ends, list.values(), item)?
            }
            (DataType::LargeList(_), Kind::List(item)) => {
                let list = array.as_list::<i64>();
                let ends = list.offsets().iter().map(|end| *end as usize).collect();
                lists(ends, list.values(), item)?
            }
            (DataType::FixedSizeList(_, size), Kind::List(item)) => {
                let list = array.as_fixed_size_list();
                let ends = (0..=list.len()).map(|row| list.value_offset(row) as usize);
                let ends: Vec<usize> =
                    if *size == 0 { vec![0; list.len() + 1] } else { ends.collect() };
                lists(ends, list.values(), item)?
            }
            (DataType::Struct(_), Kind::Struct(kinds)) => {
                let columns = array.as_struct().columns().iter().zip(kinds);
                Self::Struct(
                    columns.map(|(column, kind)| Part::new(column, kind)).collect::<Option<_>>()?,
                )
            }
            (_, Kind::Text | Kind::Bytes) => bytes(array)?,
            _ => number(array, kind)?,
        })
    }
}

fn gather(rows: &[usize], part: &Part, keys: fn(&Part, &mut Vec<u128>), out: &mut Vec<u128>) {
    let mut values = Vec::with_capacity(part.len);
    keys(part, &mut values);
    out.extend(rows.iter().map(|row| values[*row]));
}

#[inline]
fn word(value: u64, out: &mut Vec<u8>) {
    let mut bytes = [1; 9];
    bytes[1..].copy_from_slice(&value.to_le_bytes());
    out.extend_from_slice(&bytes);
}

fn big(value: i128, out: &mut Vec<u8>) {
    out.push(1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn lists(ends: Vec<usize>, items: &ArrayRef, kind: &Kind) -> Option<Values> {
    // A slice of a list keeps all items of the whole; only those of its rows are looked at.
    let (first, last) = (*ends.first()?, *ends.last()?);
    let part = Part::new(&items.slice(first, last - first), kind)?;
    let ranges = ends.windows(2).map(|ends| (ends[0] - first, ends[1] - first)).collect();
    Some(Values::List(ranges, Box::new(part)))
}

fn dictionary(array: &ArrayRef, kind: &Kind) -> Option<Values> {
    let dictionary = array.as_any_dictionary();
    let values = dictionary.values();
    if values.is_empty() {
        return Some(Values::Null);
    }
    if values.len() > array.len() {
        // A chunk of a large dictionary: only what its rows name is worth bringing into form.
        let rows = dictionary.normalized_keys();
        let rows = UInt64Array::from_iter_values(rows.into_iter().map(|row| row as u64));
        let values = take(values, &rows, None).ok()?;
        return Some(Values::Dictionary(
            (0..rows.len()).collect(),
            Box::new(Part::new(&values, kind)?),
        ));
    }
    let rows = dictionary.normalized_keys();
    Some(Values::Dictionary(rows, Box::new(Part::new(values, kind)?)))
}

fn bytes(array: &ArrayRef) -> Option<Values> {
    Some(match array.data_type() {
        DataType::Utf8 => {
            let text = array.as_string::<i32>();
            Values::Bytes(text.offsets().clone(), text.values().clone())
        }
        DataType::LargeUtf8 => {
            let text = array.as_string::<i64>();
            Values::LargeBytes(text.offsets().clone(), text.values().clone())
        }
        DataType::Utf8View => Values::Views(array.as_string_view().clone().to_binary_view()),
        DataType::Binary => {
            let bytes = array.as_binary::<i32>();
            Values::Bytes(bytes.offsets().clone(), bytes.values().clone())
        }
        DataType::LargeBinary => {
            let bytes = array.as_binary::<i64>();
            Values::LargeBytes(bytes.offsets().clone(), bytes.values().clone())
        }
        DataType::BinaryView => Values::Views(array.as_binary_view().clone()),
        DataType::FixedSizeBinary(size) => {
            let fixed = array.as_fixed_size_binary();
            Values::Fixed(usize::try_from(*size).ok()?, fixed.values().clone())
        }
        _ => return None,
    })
}
