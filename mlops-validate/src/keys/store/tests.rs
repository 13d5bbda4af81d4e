use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::testing::{narrow, unmix, wide};
use super::*;

type Values = Vec<Option<i64>>;

fn valid(chunk: &KeyChunk) -> Vec<u64> {
    let mut mask: Vec<u64> = chunk.any_null.iter().map(|word| !word).collect();
    if let (Some(last), false) = (mask.last_mut(), chunk.len().is_multiple_of(64)) {
        *last &= (1 << (chunk.len() % 64)) - 1;
    }
    mask
}

/// The state of the values, split into about `cuts` parts, and merged from the back.
fn state(
    values: &[Option<i64>],
    cuts: usize,
    encode: fn(&[Option<i64>]) -> (KeyEncoder, KeyChunk),
) -> KeyStore {
    let (encoder, _) = encode(&[]);
    let mut parts = vec![KeyStore::new(&encoder)];
    for piece in values.chunks(values.len() / cuts + 1) {
        let mut part = KeyStore::new(&encoder);
        for rows in piece.chunks(8192) {
            let (_, chunk) = encode(rows);
            let nulls = chunk.any_null.iter().any(|word| *word != 0);
            part.push(&chunk, nulls.then(|| valid(&chunk)).as_deref()).unwrap();
        }
        parts.push(part);
    }
    parts.into_iter().rev().reduce(|a, b| a.merge(b).unwrap()).unwrap()
}

/// The result without the keys themselves, which a fingerprint does not show.
fn counts(found: &Duplicates) -> [u64; 5] {
    [found.rows, found.distinct, found.extra_rows, found.duplicated, found.rows_involved]
}

fn oracle(values: &[Option<i64>]) -> ([u64; 5], Vec<(u128, u64)>, Vec<u128>) {
    let mut rows = BTreeMap::<u64, u64>::new();
    for value in values.iter().flatten() {
        *rows.entry(*value as u64).or_default() += 1;
    }
    let total = rows.values().sum::<u64>();
    let distinct = rows.len() as u64;
    let repeated: Vec<_> = rows.into_iter().filter(|(_, rows)| *rows > 1).collect();
    let involved = repeated.iter().map(|(_, rows)| rows).sum();
    let mut samples: Vec<_> = repeated.iter().map(|(k, rows)| (u128::from(*k), *rows)).collect();
    let keys = samples.iter().map(|(key, _)| *key).collect();
    samples.sort_by_key(|(key, rows)| (u64::MAX - rows, *key));
    samples.truncate(3);
    ([total, distinct, total - distinct, repeated.len() as u64, involved], samples, keys)
}

fn options(threads: usize) -> FinishOptions {
    FinishOptions { threads, samples: 3, all: true }
}

fn values() -> impl Strategy<Value = Values> {
    let few = vec(proptest::option::weighted(0.9, -3..40_i64), 0..300);
    let spread = vec(proptest::option::weighted(0.9, any::<i64>()), 0..300);
    let many = (33_000..70_000_usize, 1..60_000_u64).prop_map(|(rows, modulus)| {
        (0..rows as u64).map(|i| Some((unmix(i) % modulus) as i64 - 7)).collect()
    });
    // Ranges that may meet, and single keys inside and outside of them.
    let runs = (vec((-400..400_i64, 1..500_i64), 1..5), vec(-500..1_500_i64, 0..3));
    let runs = runs.prop_map(|(runs, single)| {
        let runs = runs.into_iter().flat_map(|(first, rows)| first..first + rows);
        runs.chain(single).map(Some).collect()
    });
    let long = (proptest::option::of(0..90_000_i64), 33_000..80_000_i64)
        .prop_map(|(again, rows)| (0..rows).chain(again).map(Some).collect());
    prop_oneof![8 => few, 4 => spread, 1 => many, 8 => runs, 2 => long]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_split_and_any_number_of_threads_counts_what_a_map_counts(
        values in values(), cuts in 1..6_usize, threads in 1..4_usize,
    ) {
        let (expected, samples, keys) = oracle(&values);
        let found = state(&values, cuts, narrow).finish(&options(threads));
        prop_assert_eq!(counts(&found), expected);
        prop_assert_eq!(&found.samples, &samples);
        prop_assert_eq!(found.keys.as_deref(), Some(keys.as_slice()));

        let found = state(&values, cuts, wide).finish(&options(threads));
        prop_assert_eq!(counts(&found), expected);
        prop_assert_eq!(found, state(&values, 1, wide).finish(&options(1)));
    }

    #[test]
    fn a_stored_state_is_the_same_state(values in values()) {
        for encode in [narrow, wide] {
            let state = state(&values, 2, encode);
            let bytes = postcard::to_stdvec(&state).unwrap();
            let read: KeyStore = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(state.finish(&options(1)), read.finish(&options(1)));
            if values.len() < 1000 {
                let json = serde_json::to_string(&state).unwrap();
                let read: KeyStore = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(state.finish(&options(1)), read.finish(&options(1)));
            }
        }
    }

    #[test]
    fn damaged_bytes_never_panic(mut bytes in vec(any::<u8>(), 0..60), kind in 0..2_u8) {
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        if let Ok(read) = postcard::from_bytes::<KeyStore>(&bytes) {
            read.finish(&options(1));
        }
    }
}

#[test]
fn keys_cost_their_own_size_and_little_more() {
    let values: Values = (0..600_000).map(|i| Some(unmix(i) as i64)).collect();
    for (encode, bytes) in [(narrow as fn(&[_]) -> _, 8), (wide, 16)] {
        let state = state(&values, 5, encode);
        assert!(state.bytes() < values.len() * bytes * 6 / 5, "{} bytes", state.bytes());
        let stored = postcard::to_stdvec(&state).unwrap().len();
        assert!(stored < values.len() * bytes * 101 / 100, "{stored} bytes stored");
    }
}

#[test]
fn keys_made_to_collide_are_counted_by_sorting() {
    // All in one partition, all with one home: a table alone would need 10¹⁰ steps.
    let mut values: Values = (0..100_000).map(|i| Some(unmix(7 << 56 | i) as i64)).collect();
    values.push(values[5]);
    let found = state(&values, 1, narrow).finish(&options(2));
    assert_eq!(counts(&found), [100_001, 100_000, 1, 1, 2]);
    assert_eq!(found.samples, [(u128::from(unmix(7 << 56 | 5)), 2)]);
}

#[test]
fn a_table_that_collides_after_ordinary_ones_forgets_what_it_counted() {
    let ordinary = (0..60_000_u64).map(|i| Some(unmix(i << 40) as i64));
    let crafted = (0..40_000_u64).map(|i| Some(unmix(9 << 56 | (i / 2)) as i64));
    let values: Values = ordinary.chain(crafted).collect();
    let (expected, samples, _) = oracle(&values);
    let found = state(&values, 3, narrow).finish(&options(1));
    assert_eq!((counts(&found), found.samples), (expected, samples));
}

#[test]
fn ids_in_order_cost_next_to_nothing_until_one_comes_again() {
    let mut values: Values = (0..100_000).map(|id| Some(id + 1)).collect();
    let unique = state(&values, 3, narrow);
    assert!(unique.bytes() < 1_000, "{} bytes", unique.bytes());
    assert_eq!(counts(&unique.finish(&options(1))), [100_000, 100_000, 0, 0, 0]);
    let one = state(&[Some(7)], 1, narrow);
    let both = unique.clone().merge(one.clone()).unwrap();
    assert_eq!(both.finish(&options(2)), one.merge(unique).unwrap().finish(&options(1)));
    values.push(Some(7));
    let (expected, samples, _) = oracle(&values);
    let found = both.finish(&options(1));
    assert_eq!((counts(&found), found.samples), (expected, samples));
}

#[test]
fn a_range_ends_at_the_last_number() {
    let values: Values = (0..200).map(|i| Some((u64::MAX - 99).wrapping_add(i) as i64)).collect();
    let up_to_last: Values = values[..100].to_vec();
    for values in [values, up_to_last] {
        let (expected, ..) = oracle(&values);
        assert_eq!(counts(&state(&values, 1, narrow).finish(&options(1))), expected);
    }
}

#[test]
fn states_of_different_widths_do_not_merge() {
    let (narrow, chunk) = narrow(&[Some(1)]);
    let (wide, _) = wide(&[Some(1)]);
    let error = KeyStore::new(&narrow).merge(KeyStore::new(&wide)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "validate.keys: invalid: the states hold keys of different types; \
         hint: merge states of the same check over the same schema"
    );
    assert!(KeyStore::new(&wide).push(&chunk, None).is_err());
}
