use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::testing::narrow;
use super::*;

fn orphans(values: &[i64], first_row: u64, limit: usize) -> Orphans {
    let mut orphans = Orphans::with_limit(limit);
    let values: Vec<_> = values.iter().copied().map(Some).collect();
    for (i, rows) in values.chunks(50).enumerate() {
        let (encoder, chunk) = narrow(rows);
        let text = |row: usize| encoder.describe(chunk.key(row)).unwrap();
        let mut mask = vec![0; rows.len().div_ceil(64)];
        (0..rows.len()).for_each(|row| mask[row / 64] |= 1 << (row % 64));
        orphans.push(&chunk, &mask, first_row + i as u64 * 50, text);
    }
    orphans
}

proptest! {
    #[test]
    fn any_split_and_order_of_merging_gives_the_same_bytes(
        values in vec(0..90_i64, 0..600), cut in 0..600_usize, limit in 1..100_usize,
    ) {
        let cut = cut.min(values.len());
        let whole = orphans(&values, 0, limit);
        let (a, b) = values.split_at(cut);
        let (a, b) = (orphans(a, 0, limit), orphans(b, cut as u64, limit));
        let bytes = postcard::to_stdvec(&whole).unwrap();
        prop_assert_eq!(&postcard::to_stdvec(&a.clone().merge(b.clone())).unwrap(), &bytes);
        prop_assert_eq!(&postcard::to_stdvec(&b.merge(a)).unwrap(), &bytes);
        let read: Orphans = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(read.finish(5), whole.finish(5));

        let mut rows = BTreeMap::<i64, u64>::new();
        for value in &values {
            *rows.entry(*value).or_default() += 1;
        }
        let result = whole.finish(usize::MAX);
        prop_assert_eq!(result.rows, values.len() as u64);
        prop_assert_eq!(result.approximate, rows.len() > limit);
        prop_assert_eq!(result.samples.len(), rows.len().min(limit));
        for sample in &result.samples {
            prop_assert_eq!(rows[&(sample.key as i64)], sample.rows);
            prop_assert_eq!(values[sample.first_row as usize], sample.key as i64);
            prop_assert_eq!(values.iter().position(|v| *v == sample.key as i64), Some(sample.first_row as usize));
            let text = sample.key.to_string();
            prop_assert_eq!(sample.text.as_deref(), Some(text.as_str()));
        }
        if !result.approximate {
            prop_assert_eq!(result.distinct, rows.len() as u64);
        }
        prop_assert!(result.samples.is_sorted_by_key(|sample| (u64::MAX - sample.rows, sample.key)));
    }
}

#[test]
fn beyond_the_limit_the_number_is_an_estimate_and_says_so() {
    let values: Vec<i64> = (0..50_000_u64).map(|i| i.mix() as i64).collect();
    let result = orphans(&values, 0, 2_500).finish(3);
    assert!(result.approximate);
    // Standard error 2 % at this limit.
    assert!((47_000..53_000).contains(&result.distinct), "{}", result.distinct);
    assert_eq!(result.rows, 50_000);
}

#[test]
fn texts_are_those_of_the_first_rows_in_whatever_order_chunks_come() {
    let values: Vec<i64> = (0..3_000).map(|i| i % 2_000).collect();
    let (a, b) = values.split_at(1_500);
    let forward = orphans(a, 0, 9_000).merge(orphans(b, 1_500, 9_000));
    let backward = orphans(b, 1_500, 9_000).merge(orphans(a, 0, 9_000));
    assert_eq!(forward.texts, backward.texts);
    assert_eq!(forward.texts.get(1_023), Some("1023"));
    assert_eq!(forward.texts.get(1_024), None);

    // One state that sees the last rows first.
    let mut state = orphans(b, 1_500, 9_000);
    let rest = orphans(a, 0, 9_000);
    state = state.merge(rest);
    assert_eq!(state.texts, forward.texts);
}
