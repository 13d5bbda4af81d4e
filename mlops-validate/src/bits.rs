//! Masks over the rows of a chunk: row `i` is bit `i % 64` of word `i / 64`.
//!
//! Bits past the last row are 0 in every mask, so that counting needs no length.

use arrow::buffer::NullBuffer;

/// How many words `rows` bits take.
#[inline]
pub(crate) fn words(rows: usize) -> usize {
    rows.div_ceil(64)
}

/// Makes `mask` all 0 for `rows` rows.
#[inline]
pub(crate) fn clear(mask: &mut Vec<u64>, rows: usize) {
    mask.clear();
    mask.resize(words(rows), 0);
}

/// Makes `mask` all 1 for `rows` rows.
pub(crate) fn fill(mask: &mut Vec<u64>, rows: usize) {
    mask.clear();
    mask.resize(words(rows), u64::MAX);
    trim(mask, rows);
}

/// Clears the bits past the last row.
#[inline]
pub(crate) fn trim(mask: &mut [u64], rows: usize) {
    if !rows.is_multiple_of(64)
        && let Some(last) = mask.last_mut()
    {
        *last &= (1 << (rows % 64)) - 1;
    }
}

/// How many bits are set.
#[inline]
pub(crate) fn count(mask: &[u64]) -> u64 {
    mask.iter().map(|word| u64::from(word.count_ones())).sum()
}

/// Whether any bit is set.
#[inline]
pub(crate) fn any(mask: &[u64]) -> bool {
    mask.iter().any(|word| *word != 0)
}

/// Whether bit `row` is set.
#[inline]
pub(crate) fn get(mask: &[u64], row: usize) -> bool {
    mask[row / 64] >> (row % 64) & 1 == 1
}

/// Sets bit `row`.
#[inline]
pub(crate) fn set(mask: &mut [u64], row: usize) {
    mask[row / 64] |= 1 << (row % 64);
}

/// The rows whose bits are set, in order.
pub(crate) fn rows(mask: &[u64]) -> impl Iterator<Item = usize> + '_ {
    mask.iter().enumerate().flat_map(|(index, word)| {
        let mut rest = *word;
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let bit = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            Some(index * 64 + bit)
        })
    })
}

/// Sets in `mask` what is set in `other`.
#[inline]
pub(crate) fn or(mask: &mut [u64], other: &[u64]) {
    for (word, other) in mask.iter_mut().zip(other) {
        *word |= other;
    }
}

/// Keeps in `mask` what is set in `other`.
#[inline]
pub(crate) fn and(mask: &mut [u64], other: &[u64]) {
    for (word, other) in mask.iter_mut().zip(other) {
        *word &= other;
    }
}

/// Clears in `mask` what is set in `other`.
#[inline]
pub(crate) fn and_not(mask: &mut [u64], other: &[u64]) {
    for (word, other) in mask.iter_mut().zip(other) {
        *word &= !other;
    }
}

/// Sets in `mask` every row that is null.
pub(crate) fn or_nulls(mask: &mut [u64], nulls: Option<&NullBuffer>) {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { return };
    for (word, valid) in mask.iter_mut().zip(nulls.inner().bit_chunks().iter_padded()) {
        *word |= !valid;
    }
    trim(mask, nulls.len());
}

/// Clears in `mask` every row that is null.
pub(crate) fn and_valid(mask: &mut [u64], nulls: Option<&NullBuffer>) {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { return };
    for (word, valid) in mask.iter_mut().zip(nulls.inner().bit_chunks().iter_padded()) {
        *word &= valid;
    }
}

/// Sets the bits of the values that fail a test.
///
/// Data is good more often than not, so 64 values are first asked together whether any fails, which the
/// compiler turns into vector instructions; only then are they asked one by one.
#[inline]
pub(crate) fn or_failing<T: Copy>(mask: &mut [u64], values: &[T], fails: impl Fn(T) -> bool) {
    for (word, values) in mask.iter_mut().zip(values.chunks(64)) {
        if values.iter().fold(false, |any, value| any | fails(*value)) {
            for (bit, value) in values.iter().enumerate() {
                *word |= u64::from(fails(*value)) << bit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_no_bits_past_its_rows() {
        let mut mask = Vec::new();
        for rows in [0, 1, 63, 64, 65, 200] {
            fill(&mut mask, rows);
            assert_eq!(count(&mask), rows as u64);
            assert_eq!(super::rows(&mask).collect::<Vec<_>>(), (0..rows).collect::<Vec<_>>());
            or_nulls(&mut mask, Some(&NullBuffer::new_null(rows)));
            assert_eq!(count(&mask), rows as u64);
            and_valid(&mut mask, Some(&NullBuffer::new_null(rows)));
            assert!(!any(&mask));
        }
    }

    #[test]
    fn a_sliced_null_buffer_is_read_from_its_offset() {
        let valid: Vec<bool> = (0..300).map(|i| i % 3 != 0).collect();
        let nulls = NullBuffer::from(valid.clone()).slice(7, 200);
        let mut mask = Vec::new();
        clear(&mut mask, 200);
        or_nulls(&mut mask, Some(&nulls));
        for row in 0..200 {
            assert_eq!(get(&mask, row), !valid[row + 7], "row {row}");
        }
    }

    #[test]
    fn failing_values_are_found_one_by_one() {
        let values: Vec<i32> = (0..1000).collect();
        let mut mask = Vec::new();
        clear(&mut mask, values.len());
        or_failing(&mut mask, &values, |v| v % 97 == 5);
        let found: Vec<usize> = rows(&mask).collect();
        assert_eq!(found, (0..1000).filter(|v| v % 97 == 5).collect::<Vec<_>>());
    }
}
