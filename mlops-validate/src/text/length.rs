//! How long texts are.
//!
//! The default unit is the Unicode scalar value (what `chars` counts, and what SQL's `char_length` and
//! Python's `len` give); Parquet's statistics and Arrow's own kernels count bytes. In a column of
//! ASCII the two are the same, which is found out once for the whole array.

use arrow::array::Array;
use mlops_core::Result;
pub(crate) use mlops_core::validation::LengthUnit;

use super::strings::{Rows, Visitor, blocks, select, visit};

/// Unicode scalar values in a text, which is valid UTF-8.
#[inline]
fn chars(text: &[u8]) -> usize {
    // Eight at a time: a byte 10xxxxxx goes on with a character, every other begins one.
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = text.as_chunks::<8>();
    let later: usize = words
        .iter()
        .map(|word| {
            let word = u64::from_le_bytes(*word);
            let later = (word >> 7) & !(word >> 6) & ONES;
            (later.wrapping_mul(ONES) >> 56) as usize
        })
        .sum();
    let rest = rest.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
    8 * words.len() - later + rest
}

#[cfg(test)]
/// The lengths of all rows; 0 for null rows. What `out` held before is replaced.
///
/// # Errors
/// `Invalid` if the array is neither `Utf8` nor `LargeUtf8` nor `Utf8View`.
pub(crate) fn lengths(array: &dyn Array, unit: LengthUnit, out: &mut Vec<usize>) -> Result<()> {
    struct All<'a>(LengthUnit, &'a mut Vec<usize>);
    impl Visitor for All<'_> {
        type Output = ();
        fn visit(self, rows: &impl Rows) {
            let Self(unit, out) = self;
            let all = 0..rows.count();
            out.clear();
            if unit == LengthUnit::Bytes || rows.is_ascii() {
                out.extend(all.map(|i| rows.length(i)));
            } else {
                out.extend(all.map(|i| chars(rows.bytes(i))));
            }
        }
    }
    visit(array, All(unit, out))?;
    if let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) {
        for (length, valid) in out.iter_mut().zip(nulls) {
            *length = if valid { *length } else { 0 };
        }
    }
    Ok(())
}

/// Bit i of `failing`: row i is not null and shorter than `min` or longer than `max`. What it held
/// before is replaced.
///
/// # Errors
/// `Invalid` if the array is neither `Utf8` nor `LargeUtf8` nor `Utf8View`.
pub(crate) fn mask(
    array: &dyn Array,
    unit: LengthUnit,
    min: usize,
    max: usize,
    failing: &mut Vec<u64>,
) -> Result<()> {
    visit(array, Mask { array, unit, min, max, failing })
}

struct Mask<'a> {
    array: &'a dyn Array,
    unit: LengthUnit,
    min: usize,
    max: usize,
    failing: &'a mut Vec<u64>,
}

impl Visitor for Mask<'_> {
    type Output = ();

    fn visit(self, rows: &impl Rows) {
        let Self { array, unit, min, max, failing } = self;
        let outside = |length: usize| !(min..=max).contains(&length);
        if unit == LengthUnit::Bytes || rows.is_ascii() {
            return blocks(array, failing, |first, valid| {
                let count = (rows.count() - first).min(64);
                (0..count).fold(0, |bits, i| bits | u64::from(outside(rows.length(first + i))) << i)
                    & valid
            });
        }
        blocks(array, failing, |first, valid| {
            select(valid, |i| outside(chars(rows.bytes(first + i))))
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, LargeStringArray, StringArray, StringViewArray};
    use proptest::prelude::*;

    use super::*;

    fn layouts(rows: &[Option<&str>]) -> [ArrayRef; 3] {
        [
            Arc::new(rows.iter().copied().collect::<StringArray>()),
            Arc::new(rows.iter().copied().collect::<LargeStringArray>()),
            Arc::new(rows.iter().copied().collect::<StringViewArray>()),
        ]
    }

    #[test]
    fn a_letter_of_two_bytes_is_one_character() {
        let rows = [Some("Zürich"), None, Some(""), Some("naïve café of many words"), Some("日本")];
        for array in layouts(&rows) {
            let mut out = vec![7];
            lengths(&array, LengthUnit::Chars, &mut out).unwrap();
            assert_eq!(out, [6, 0, 0, 24, 2]);
            lengths(&array, LengthUnit::Bytes, &mut out).unwrap();
            assert_eq!(out, [7, 0, 0, 26, 6]);
        }
    }

    #[test]
    fn both_bounds_are_inclusive_and_null_is_never_outside() {
        for array in layouts(&[Some("a"), Some("ab"), None, Some("abc"), Some("abcd"), Some("éé")])
        {
            let mut failing = vec![7];
            mask(&array, LengthUnit::Chars, 2, 3, &mut failing).unwrap();
            assert_eq!(failing, [0b01_0001]);
            mask(&array.slice(1, 5), LengthUnit::Bytes, 2, 3, &mut failing).unwrap();
            assert_eq!(failing, [0b1_1000]);
            mask(&array.slice(0, 5), LengthUnit::Chars, 2, 3, &mut failing).unwrap();
            assert_eq!(failing, [0b1_0001]);
        }
    }

    proptest! {
        #[test]
        fn characters_are_counted_as_the_standard_library_does(text in ".{0,40}") {
            prop_assert_eq!(chars(text.as_bytes()), text.chars().count());
        }
    }
}
