//! Text arrays of every layout, row by row.
//!
//! The kernels of this folder are written once, over [`Rows`]: a row is its bytes, wherever they are.
//! What they have in common is what [`text_mask`] does: a null row's bit is 0 in every mask, and the
//! bytes that a null row may have are never looked at.

use arrow::array::{Array, AsArray, GenericStringArray, OffsetSizeTrait, StringViewArray};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;
use mlops_core::{Error, Result};

/// The rows of a text array.
pub(crate) trait Rows {
    /// How many there are.
    fn count(&self) -> usize;

    /// How many bytes row `i` has.
    fn length(&self, i: usize) -> usize;

    /// The bytes of row `i`.
    fn bytes(&self, i: usize) -> &[u8];

    /// Whether all rows are certainly ASCII; may be false where only bytes that no row has are not.
    fn is_ascii(&self) -> bool;

    /// Copies what row `i` has from byte `from` on, which is in it or its end. What follows the end
    /// is unspecified: a copy of constant size is much faster than one of the right size.
    fn window<const W: usize>(&self, i: usize, from: usize, window: &mut [u8; W]);
}

/// What is done with the rows, whichever layout they have.
pub(crate) trait Visitor {
    /// What comes of it.
    type Output;
    /// Does it.
    fn visit(self, rows: &impl Rows) -> Self::Output;
}

/// Shows the visitor the rows of a `Utf8`, `LargeUtf8` or `Utf8View` array.
pub(crate) fn visit<V: Visitor>(array: &dyn Array, visitor: V) -> Result<V::Output> {
    match array.data_type() {
        DataType::Utf8 => Ok(visitor.visit(&Contiguous::new(array.as_string::<i32>()))),
        DataType::LargeUtf8 => Ok(visitor.visit(&Contiguous::new(array.as_string::<i64>()))),
        DataType::Utf8View => Ok(visitor.visit(&Views::new(array.as_string_view()))),
        other => Err(Error::invalid("validate.text", "the column is not text")
            .with("type", other)
            .with_hint("pattern, format and length checks are for text columns; cast it first")),
    }
}

/// Bit i of `out`: row i is not null and passes `test`.
///
/// What `out` held before is replaced.
pub(crate) fn text_mask(
    array: &dyn Array,
    out: &mut Vec<u64>,
    test: impl FnMut(&[u8]) -> bool,
) -> Result<()> {
    struct Test<'a, F>(&'a dyn Array, &'a mut Vec<u64>, F);
    impl<F: FnMut(&[u8]) -> bool> Visitor for Test<'_, F> {
        type Output = ();
        fn visit(self, rows: &impl Rows) {
            let Self(array, out, mut test) = self;
            blocks(array, out, |first, valid| {
                let count = (rows.count() - first).min(64);
                if valid == u64::MAX >> (64 - count) {
                    return (0..count)
                        .fold(0, |bits, i| bits | u64::from(test(rows.bytes(first + i))) << i);
                }
                select(valid, |i| test(rows.bytes(first + i)))
            });
        }
    }
    visit(array, Test(array, out, test))
}

/// Fills `out` word by word with `word(first row, which rows are not null)`.
pub(super) fn blocks(
    array: &dyn Array,
    out: &mut Vec<u64>,
    mut word: impl FnMut(usize, u64) -> u64,
) {
    let rows = array.len();
    out.clear();
    out.reserve(rows.div_ceil(64));
    let starts = (0..rows).step_by(64);
    match array.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
        None => {
            out.extend(starts.map(|first| {
                let count = (rows - first).min(64);
                word(first, u64::MAX >> (64 - count))
            }));
        }
        Some(nulls) => {
            let chunks = nulls.inner().bit_chunks();
            out.extend(starts.zip(chunks.iter_padded()).map(|(first, valid)| match valid {
                0 => 0,
                valid => word(first, valid) & valid,
            }));
        }
    }
}

/// The bits of `from` for which `keep` holds.
#[inline]
pub(super) fn select(from: u64, mut keep: impl FnMut(usize) -> bool) -> u64 {
    let (mut left, mut kept) = (from, 0);
    while left != 0 {
        let i = left.trailing_zeros();
        kept |= u64::from(keep(i as usize)) << i;
        left &= left - 1;
    }
    kept
}

/// `Utf8` and `LargeUtf8`: one buffer, and where each row begins.
pub(super) struct Contiguous<'a, O> {
    offsets: &'a [O],
    values: &'a [u8],
}

impl<'a, O: OffsetSizeTrait> Contiguous<'a, O> {
    fn new(array: &'a GenericStringArray<O>) -> Self {
        Self { offsets: array.value_offsets(), values: array.value_data() }
    }
}

impl<O: OffsetSizeTrait> Rows for Contiguous<'_, O> {
    #[inline]
    fn count(&self) -> usize {
        self.offsets.len() - 1
    }

    #[inline]
    fn length(&self, i: usize) -> usize {
        self.offsets[i + 1].as_usize() - self.offsets[i].as_usize()
    }

    #[inline]
    fn bytes(&self, i: usize) -> &[u8] {
        &self.values[self.offsets[i].as_usize()..self.offsets[i + 1].as_usize()]
    }

    fn is_ascii(&self) -> bool {
        let [first, .., last] = self.offsets else {
            return true;
        };
        self.values[first.as_usize()..last.as_usize()].is_ascii()
    }

    #[inline]
    fn window<const W: usize>(&self, i: usize, from: usize, window: &mut [u8; W]) {
        let start = self.offsets[i].as_usize() + from;
        match self.values.get(start..).and_then(<[u8]>::first_chunk) {
            Some(bytes) => *window = *bytes,
            None => copy_beginning(&self.bytes(i)[from..], window),
        }
    }
}

/// `Utf8View`: each row says where it is, and a short one is there itself.
pub(super) struct Views<'a> {
    places: &'a [u128],
    inline: &'a [[u8; 16]],
    buffers: &'a [Buffer],
}

impl<'a> Views<'a> {
    fn new(array: &'a StringViewArray) -> Self {
        let bytes = array.views().inner().as_slice();
        Self { places: array.views(), inline: bytes.as_chunks().0, buffers: array.data_buffers() }
    }

    /// The buffer of a row that is not inline, and where in it the row begins.
    #[inline]
    fn place(&self, view: u128) -> (&[u8], usize) {
        (self.buffers[(view >> 64) as u32 as usize].as_slice(), (view >> 96) as usize)
    }
}

const LONGEST_INLINE: usize = 12;

impl Rows for Views<'_> {
    #[inline]
    fn count(&self) -> usize {
        self.places.len()
    }

    #[inline]
    fn length(&self, i: usize) -> usize {
        self.places[i] as u32 as usize
    }

    #[inline]
    fn bytes(&self, i: usize) -> &[u8] {
        let (view, length) = (self.places[i], self.length(i));
        if length <= LONGEST_INLINE {
            return &self.inline[i][4..4 + length];
        }
        let (buffer, start) = self.place(view);
        &buffer[start..start + length]
    }

    fn is_ascii(&self) -> bool {
        (0..self.count()).all(|i| self.bytes(i).is_ascii())
    }

    #[inline]
    fn window<const W: usize>(&self, i: usize, from: usize, window: &mut [u8; W]) {
        if self.length(i) <= LONGEST_INLINE {
            return copy_beginning(&self.bytes(i)[from..], window);
        }
        let (buffer, start) = self.place(self.places[i]);
        match buffer.get(start + from..).and_then(<[u8]>::first_chunk) {
            Some(bytes) => *window = *bytes,
            None => copy_beginning(&self.bytes(i)[from..], window),
        }
    }
}

fn copy_beginning(bytes: &[u8], window: &mut [u8]) {
    let length = bytes.len().min(window.len());
    window[..length].copy_from_slice(&bytes[..length]);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BinaryArray, LargeStringArray, StringArray};

    use super::*;

    fn rows() -> Vec<Option<String>> {
        (0..150).map(|i| (i % 7 != 3).then(|| "x".repeat(i % 41))).collect()
    }

    fn layouts() -> [ArrayRef; 3] {
        [
            Arc::new(rows().into_iter().collect::<StringArray>()),
            Arc::new(rows().into_iter().collect::<LargeStringArray>()),
            Arc::new(rows().into_iter().collect::<StringViewArray>()),
        ]
    }

    #[test]
    fn a_null_is_never_in_a_mask_and_nothing_is_after_the_last_row() {
        for array in layouts() {
            for (from, count) in [(0, 150), (1, 149), (63, 66), (64, 64), (149, 1), (7, 0)] {
                let mut mask = vec![u64::MAX; 5];
                text_mask(&array.slice(from, count), &mut mask, |text| text.len() > 20).unwrap();
                assert_eq!(mask.len(), count.div_ceil(64));
                for i in 0..64 * mask.len() {
                    let row = rows().get(from + i).filter(|_| i < count).cloned().flatten();
                    let wanted = row.is_some_and(|row| row.len() > 20);
                    assert_eq!(mask[i / 64] >> (i % 64) & 1 == 1, wanted, "{from} {count} {i}");
                }
            }
        }
    }

    #[test]
    fn a_window_has_what_the_row_has_from_there_on() {
        struct Windows;
        impl Visitor for Windows {
            type Output = ();
            fn visit(self, found: &impl Rows) {
                assert_eq!(found.count(), 150);
                assert!(found.is_ascii());
                for (i, row) in rows().into_iter().enumerate() {
                    let row = row.unwrap_or_default();
                    assert_eq!((found.bytes(i), found.length(i)), (row.as_bytes(), row.len()));
                    for from in [0, row.len() / 2, row.len()] {
                        let mut window = [b'?'; 32];
                        found.window(i, from, &mut window);
                        let rest = &row.as_bytes()[from..];
                        let rest = &rest[..rest.len().min(32)];
                        assert_eq!(&window[..rest.len()], rest);
                    }
                }
            }
        }
        for array in layouts() {
            visit(&array, Windows).unwrap();
        }
    }

    #[test]
    fn bytes_are_not_text() {
        let error = text_mask(&BinaryArray::from(vec![&b"a"[..]]), &mut Vec::new(), |_| true);
        assert!(error.unwrap_err().to_string().contains("(type: Binary)"));
    }
}
