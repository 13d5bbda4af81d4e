use proptest::collection::vec;
use proptest::prelude::*;

use super::super::testing::{narrow, wide};
use super::super::{FinishOptions, KeyStore};
use super::*;

fn chunks(values: &[Option<i64>], rows: usize, width: bool) -> Vec<KeyChunk> {
    values.chunks(rows).map(|rows| if width { wide(rows).1 } else { narrow(rows).1 }).collect()
}

proptest! {
    #[test]
    fn two_passes_find_every_duplicate_however_small_the_filter(
        values in vec((-40..40_i64).prop_map(Some), 1..400),
        rows in 1..90_usize, expected_rows in 0..600_u64, width: bool,
    ) {
        let chunks = chunks(&values, rows, width);
        let (encoder, _) = if width { wide(&[]) } else { narrow(&[]) };
        let (mut whole, mut second) = (KeyStore::new(&encoder), KeyStore::new(&encoder));
        let mut filter = DuplicateFilter::new(expected_rows, 8);
        for chunk in &chunks {
            whole.push(chunk, None).unwrap();
            filter.push(chunk, None);
        }
        let mut mask = Vec::new();
        for chunk in &chunks {
            filter.candidates(chunk, None, &mut mask);
            second.push(chunk, Some(&mask)).unwrap();
        }
        let options = FinishOptions { all: true, ..FinishOptions::default() };
        let (whole, second) = (whole.finish(&options), second.finish(&options));
        prop_assert_eq!(
            (whole.extra_rows, whole.duplicated, whole.rows_involved, whole.samples, whole.keys),
            (second.extra_rows, second.duplicated, second.rows_involved, second.samples, second.keys)
        );
    }

    #[test]
    fn merged_filters_are_the_filter_of_all_rows_bit_by_bit(
        values in vec((-40..400_i64).prop_map(Some), 1..400), rows in 1..90_usize, order: u64,
    ) {
        let chunks = chunks(&values, rows, false);
        let mut whole = DuplicateFilter::new(100, 8);
        let mut parts = Vec::new();
        for chunk in &chunks {
            whole.push(chunk, None);
            let mut part = DuplicateFilter::new(100, 8);
            part.push(chunk, None);
            parts.push(part);
        }
        while parts.len() > 1 {
            let a = parts.swap_remove(order as usize % parts.len());
            let b = parts.swap_remove(order as usize / 7 % parts.len());
            parts.push(a.merge(&b).unwrap());
        }
        prop_assert_eq!(&parts[0], &whole);
    }
}

#[test]
fn one_unique_key_in_thirty_is_looked_at_for_nothing() {
    let values: Vec<_> = (0..100_000_u64).map(|i| Some(i.mix() as i64)).collect();
    let mut filter = DuplicateFilter::new(100_000, DuplicateFilter::DEFAULT_COUNTERS);
    let chunks = chunks(&values, 8192, false);
    for chunk in &chunks {
        filter.push(chunk, None);
    }
    let (mut mask, mut candidates) = (Vec::new(), 0);
    for chunk in &chunks {
        filter.candidates(chunk, None, &mut mask);
        candidates += mask.iter().map(|word| word.count_ones()).sum::<u32>();
    }
    assert!((3_000..3_700).contains(&candidates), "{candidates}");
    assert_eq!(filter.bytes(), 200_000);
}

#[test]
fn filters_of_different_sizes_do_not_merge() {
    let error = DuplicateFilter::new(1_000, 8).merge(&DuplicateFilter::new(2_000, 8)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "validate.filter: invalid: filters of different sizes cannot merge \
         (bytes: 2000, other: 4000); hint: give every part the expected number of rows of the whole table"
    );
}
