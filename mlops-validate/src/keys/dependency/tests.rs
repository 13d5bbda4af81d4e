use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::KeyEncoder;
use super::super::testing::{narrow, wide};
use super::*;

type Row = (Option<i64>, Option<i64>);
type Encode = fn(&[Option<i64>]) -> (KeyEncoder, KeyChunk);

fn state(rows: &[Row], first_row: u64, encode: Encode) -> Dependency {
    let mut state = Dependency::default();
    for (i, rows) in rows.chunks(70).enumerate() {
        let (a, b): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
        let (_, keys_a) = encode(&a);
        let (_, keys_b) = encode(&b);
        let text = |row: usize| a[row].unwrap().to_string();
        state.push(&keys_a, &keys_b, None, first_row + i as u64 * 70, text);
    }
    state
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let a = proptest::option::weighted(0.9, 0..60_i64);
    vec((a, proptest::option::weighted(0.9, 0..4_i64)), 0..300).prop_map(|rows| {
        // Most determinants keep to one value.
        let fix = |(a, b): Row| (a, if a.is_some_and(|a| a % 3 > 0) { Some(1) } else { b });
        rows.into_iter().map(fix).collect()
    })
}

proptest! {
    #[test]
    fn conflicts_are_those_that_a_map_of_sets_finds(rows in rows(), cut in 0..300_usize) {
        let mut values = BTreeMap::<i64, (BTreeSet<Option<i64>>, u64)>::new();
        for (a, b) in rows.iter().filter_map(|(a, b)| Some(((*a)?, *b))) {
            let entry = values.entry(a).or_default();
            entry.0.insert(b);
            entry.1 += 1;
        }
        let conflicts: BTreeMap<String, u64> = values
            .iter()
            .filter(|(_, (values, _))| values.len() > 1)
            .map(|(a, (_, rows))| (a.to_string(), *rows))
            .collect();
        for encode in [narrow as Encode, wide] {
            let whole = state(&rows, 0, encode);
            let result = whole.finish(usize::MAX);
            prop_assert_eq!(result.rows, values.values().map(|(_, rows)| rows).sum::<u64>());
            prop_assert_eq!(result.determinants, values.len() as u64);
            prop_assert_eq!(result.conflicts, conflicts.len() as u64);
            prop_assert_eq!(result.rows_involved, conflicts.values().sum::<u64>());
            let found = result.samples.iter().map(|(_, rows, text)| (text.clone().unwrap(), *rows));
            prop_assert_eq!(&found.collect::<BTreeMap<_, _>>(), &conflicts);
            prop_assert_eq!(whole.conflict_keys().len(), conflicts.len());

            let (a, b) = rows.split_at(cut.min(rows.len()));
            let (a, b) = (state(a, 0, encode), state(b, a.len() as u64, encode));
            let bytes = postcard::to_stdvec(&whole).unwrap();
            prop_assert_eq!(&postcard::to_stdvec(&a.clone().merge(b.clone())).unwrap(), &bytes);
            prop_assert_eq!(&postcard::to_stdvec(&b.merge(a)).unwrap(), &bytes);
            let read: Dependency = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(read.finish(4), whole.finish(4));
        }
    }
}

#[test]
fn a_null_is_a_value_of_its_own_and_a_null_determinant_is_skipped() {
    let rows =
        [(Some(1), None), (Some(1), Some(0)), (Some(2), None), (Some(2), None), (None, Some(3))];
    for encode in [narrow as Encode, wide] {
        let result = state(&rows, 0, encode).finish(9);
        assert_eq!((result.rows, result.determinants, result.conflicts), (4, 2, 1));
        assert_eq!(result.samples[0].2.as_deref(), Some("1"));
    }
}
