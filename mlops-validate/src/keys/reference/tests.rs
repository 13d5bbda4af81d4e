use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::testing::{batch, keys_of, narrow, unmix, wide};
use super::*;

type Encode = fn(&[Option<i64>]) -> (super::super::KeyEncoder, KeyChunk);

fn set(values: &[i64], encode: Encode) -> ReferenceSet {
    let values: Vec<_> = values.iter().copied().map(Some).collect();
    let (encoder, chunk) = encode(&values);
    let mut store = KeyStore::new(&encoder);
    store.push(&chunk, None).unwrap();
    ReferenceSet::build(&store)
}

fn missing(set: &ReferenceSet, values: &[i64], encode: Encode) -> Vec<bool> {
    let values: Vec<_> = values.iter().copied().map(Some).collect();
    let mut out = vec![9; 3];
    set.missing_mask(&encode(&values).1.keys, &mut out);
    assert_eq!(out.len(), values.len().div_ceil(64));
    (0..values.len()).map(|row| out[row / 64] >> (row % 64) & 1 == 1).collect()
}

fn value() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => -50..50_i64,
        1 => any::<i64>(),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), Just(-1)],
    ]
}

proptest! {
    #[test]
    fn a_key_is_missing_exactly_if_no_parent_has_it(
        parents in vec(value(), 0..200), children in vec(value(), 0..200),
        dense: bool, base in any::<i64>(),
    ) {
        let near = |v: &i64| if dense { base.wrapping_add(v % 100) } else { *v };
        let parents: Vec<_> = parents.iter().map(near).collect();
        let children: Vec<_> = children.iter().map(near).chain(parents.iter().copied()).collect();
        let known: BTreeSet<_> = parents.iter().collect();
        let expected: Vec<_> = children.iter().map(|child| !known.contains(child)).collect();
        for encode in [narrow as Encode, wide] {
            let set = set(&parents, encode);
            prop_assert_eq!(&missing(&set, &children, encode), &expected);
        }
    }
}

#[test]
fn close_keys_are_a_bitmap_and_others_sixteen_bytes() {
    let close = set(&(-500_000..500_000).map(|i| i * 60).collect::<Vec<_>>(), narrow);
    assert!(matches!(close.set, Set::Bitmap(_)) && close.bytes() <= 8_000_000);
    let far = set(&(0..10_000).map(|i| i << 40).collect::<Vec<_>>(), narrow);
    assert!(matches!(far.set, Set::Narrow(_)) && far.bytes() < 10_000 * 16 + 8192);
    let texts = set(&(0..10_000).collect::<Vec<_>>(), wide);
    assert!(matches!(texts.set, Set::Wide(_)) && texts.bytes() < 10_000 * 24 + 16_384);
    let repeated = set(&(0..10_000).map(|i| (i % 10) << 40).collect::<Vec<_>>(), narrow);
    assert!(repeated.bytes() < 10_000, "{} bytes for ten keys", repeated.bytes());
}

#[test]
fn parents_made_to_collide_become_a_sorted_list() {
    let crafted: Vec<_> = (0..20_000).map(|i| unmix(5 << 50 | i) as i64).collect();
    let set = set(&crafted, narrow);
    assert!(matches!(set.set, Set::SortedNarrow(_)));
    let children = [crafted[0], crafted[19_999], 0, unmix((5 << 50) + 20_000) as i64];
    assert_eq!(missing(&set, &children, narrow), [false, false, true, true]);
}

#[test]
fn nulls_follow_the_rule_of_sql() {
    use arrow::array::{Int64Array, StringArray};
    use std::sync::Arc;
    let parent = batch(vec![
        Arc::new(Int64Array::from(vec![Some(1), Some(2), None])),
        Arc::new(StringArray::from(vec!["x", "y", "z"])),
    ]);
    let child = batch(vec![
        Arc::new(Int64Array::from(vec![Some(1), Some(1), None, None, Some(2)])),
        Arc::new(StringArray::from(vec![Some("x"), Some("y"), Some("z"), None, None])),
    ]);
    let (encoder, keys) = keys_of(&parent);
    let mut store = KeyStore::new(&encoder);
    store.push(&keys, Some(&[0b011])).unwrap();
    let set = ReferenceSet::build(&store);
    let (_, chunk) = keys_of(&child);
    let mut out = Vec::new();
    set.orphan_mask(&chunk, None, NullRule::Simple, &mut out);
    assert_eq!(out, [0b0_0010]);
    set.orphan_mask(&chunk, None, NullRule::Full, &mut out);
    assert_eq!(out, [0b1_0110]);
    set.orphan_mask(&chunk, Some(&[0b0_0110]), NullRule::Full, &mut out);
    assert_eq!(out, [0b0_0110]);
}

#[test]
fn a_set_of_duplicated_keys_marks_their_rows() {
    for encode in [narrow as Encode, wide] {
        let (encoder, chunk) = encode(&[Some(4), Some(9), Some(4), Some(7)]);
        let mut store = KeyStore::new(&encoder);
        store.push(&chunk, None).unwrap();
        let found = store.finish(&FinishOptions { all: true, ..FinishOptions::default() });
        let set = ReferenceSet::of_keys(&found.keys.unwrap(), &store);
        let mut out = Vec::new();
        set.missing_mask(&chunk.keys, &mut out);
        assert_eq!(out, [0b1010]);
    }
}
