//! One value of a column, whatever its type: a word of 64 bits, or bytes.

use mlops_core::Result;
use mlops_core::features::FeatureType;

use super::bytes::{Reader, corrupt, put_signed, put_varint};

/// A value of a row, or of an answer.
///
/// A word is the number itself; the bits of a `float` or `float32`; 0 or 1; microseconds or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cell<'a> {
    /// No value.
    Null,
    /// Of a type with a fixed width.
    Word(i64),
    /// Of `string` or `bytes`.
    Bytes(&'a [u8]),
}

/// A [`Cell`] that is not null and owns its bytes. The order is that of `Min` and `Max` where floats
/// were made ranks (see [`rank`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Word(i64),
    Bytes(Box<[u8]>),
}

impl Value {
    pub(super) fn of(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Null => None,
            Cell::Word(word) => Some(Self::Word(word)),
            Cell::Bytes(bytes) => Some(Self::Bytes(bytes.into())),
        }
    }

    pub(super) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Word(word) => Cell::Word(*word),
            Self::Bytes(bytes) => Cell::Bytes(bytes),
        }
    }
}

/// The double that a word of `float` or `float32` stands for.
pub(super) fn double(ty: FeatureType, word: i64) -> f64 {
    if ty == FeatureType::Float32 {
        f64::from(f32::from_bits(word as u32))
    } else {
        f64::from_bits(word as u64)
    }
}

/// The word of a double in a column of `float` or `float32`.
pub(super) fn word_of(ty: FeatureType, double: f64) -> i64 {
    if ty == FeatureType::Float32 {
        i64::from((double as f32).to_bits())
    } else {
        double.to_bits() as i64
    }
}

pub(super) fn is_float(ty: FeatureType) -> bool {
    matches!(ty, FeatureType::Float | FeatureType::Float32)
}

/// A word whose order is that of the values: −0.0 becomes 0.0, and all NaNs one that is above +∞.
#[inline]
pub(super) fn rank(ty: FeatureType, word: i64) -> i64 {
    if is_float(ty) { turn(plain(double(ty, word)).to_bits() as i64) } else { word }
}

/// The word that [`rank`] was given, but for zeros and NaNs.
pub(super) fn unrank(ty: FeatureType, rank: i64) -> i64 {
    if is_float(ty) { word_of(ty, f64::from_bits(turn(rank) as u64)) } else { rank }
}

/// One zero and one NaN.
#[inline]
pub(super) fn plain(value: f64) -> f64 {
    if value.is_nan() { f64::NAN.abs() } else { value + 0.0 }
}

/// Between the bits of a double and a number in its order, in either direction.
fn turn(bits: i64) -> i64 {
    bits ^ (bits >> 63) & i64::MAX
}

/// Whether words of the type are better written whole than short.
fn is_wide(ty: FeatureType) -> bool {
    is_float(ty)
}

pub(super) fn put(out: &mut Vec<u8>, ty: FeatureType, cell: Cell<'_>) {
    match cell {
        Cell::Null => out.push(0),
        Cell::Word(word) => {
            out.push(1);
            if is_wide(ty) {
                out.extend(word.to_le_bytes());
            } else {
                put_signed(out, word.into());
            }
        }
        Cell::Bytes(bytes) => {
            out.push(2);
            put_varint(out, bytes.len() as u64);
            out.extend(bytes);
        }
    }
}

pub(super) fn take<'a>(from: &mut Reader<'a>, ty: FeatureType) -> Result<Cell<'a>> {
    Ok(match from.byte()? {
        0 => Cell::Null,
        1 if is_wide(ty) => Cell::Word(i64::from_le_bytes(from.array()?)),
        1 => Cell::Word(from.signed_word()?),
        2 => {
            let length = from.length()?;
            Cell::Bytes(from.bytes(length)?)
        }
        _ => return Err(corrupt("a value is of no kind")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_in_the_order_of_values_with_nan_on_top() {
        let order = [f64::NEG_INFINITY, -1e300, -1.0, -5e-324, 0.0, 5e-324, 1.0, f64::INFINITY];
        let ranks = order.map(|x| rank(FeatureType::Float, x.to_bits() as i64));
        assert!(ranks.is_sorted_by(|a, b| a < b));
        for (x, r) in order.iter().zip(ranks) {
            assert_eq!(unrank(FeatureType::Float, r), x.to_bits() as i64);
        }
        let nan = rank(FeatureType::Float, (-f64::NAN).to_bits() as i64);
        assert!(nan > ranks[7] && f64::from_bits(unrank(FeatureType::Float, nan) as u64).is_nan());
        assert_eq!(rank(FeatureType::Float, (-0.0_f64).to_bits() as i64), ranks[4]);
        let single = i64::from(0.1_f32.to_bits());
        assert_eq!(unrank(FeatureType::Float32, rank(FeatureType::Float32, single)), single);
    }
}
