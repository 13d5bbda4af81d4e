use proptest::collection::vec;
use proptest::prelude::*;

use super::super::mix64;
use super::super::testing::{narrow, wide};
use super::*;

fn of(hashes: impl IntoIterator<Item = u64>) -> DistinctEstimate {
    let mut estimate = DistinctEstimate::default();
    hashes.into_iter().for_each(|hash| estimate.add(hash));
    estimate
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_state(
        seeds in vec(0..3_000_u64, 0..3_000), cut in 0..3_000_usize,
    ) {
        let hashes: Vec<u64> = seeds.iter().map(|seed| if *seed == 7 { 0 } else { mix64(*seed) }).collect();
        let (a, b) = hashes.split_at(cut.min(hashes.len()));
        let whole = of(hashes.iter().copied());
        let (a, b) = (of(a.iter().copied()), of(b.iter().copied()));
        prop_assert!(a.clone().merge(b.clone()) == whole);
        prop_assert!(b.merge(a) == whole);
        prop_assert!(of(hashes.iter().rev().copied()) == whole);

        let distinct = hashes.iter().collect::<std::collections::HashSet<_>>().len();
        prop_assert_eq!(whole.is_exact(), distinct <= 1024);
        if whole.is_exact() {
            prop_assert_eq!(whole.count(), distinct as u64);
        }
        let bytes = postcard::to_stdvec(&whole).unwrap();
        prop_assert!(bytes.len() < 22_000);
        prop_assert!(postcard::from_bytes::<DistinctEstimate>(&bytes).unwrap() == whole);
    }

    #[test]
    fn damaged_bytes_never_panic(bytes in vec(any::<u8>(), 0..100)) {
        if let Ok(read) = postcard::from_bytes::<DistinctEstimate>(&bytes) {
            read.count();
        }
    }
}

/// 60 tables of n different keys: the root of the mean square of the relative error, and its mean.
fn error(n: u64) -> (f64, f64) {
    let tables = 60;
    let errors = (0..tables).map(|table| {
        // SplitMix64: hashes as good as random, and the same in every run.
        let hash = |i: u64| mix64((table * n + i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        of((0..n).map(hash)).count() as f64 / n as f64 - 1.0
    });
    let errors: Vec<f64> = errors.collect();
    let mean = errors.iter().sum::<f64>() / tables as f64;
    ((errors.iter().map(|e| e * e).sum::<f64>() / tables as f64).sqrt(), mean)
}

#[test]
fn the_standard_error_is_what_the_documentation_says() {
    for n in [1_500, 10_000, 60_000, 200_000] {
        let (spread, bias) = error(n);
        // Within what 60 samples can show: a sixth of the spread, three standard errors of the mean.
        assert!(spread < DistinctEstimate::STANDARD_ERROR * 1.25, "{n}: {spread}");
        assert!(bias.abs() < 3.0 * DistinctEstimate::STANDARD_ERROR / 60_f64.sqrt(), "{n}: {bias}");
    }
}

#[test]
fn a_thousand_keys_are_counted_exactly_in_both_widths_and_masks_are_kept() {
    let values: Vec<_> = (0..4000).map(|i| Some(i % 1000)).collect();
    for chunk in [narrow(&values).1, wide(&values).1] {
        let mut estimate = DistinctEstimate::default();
        estimate.push(&chunk, None);
        assert_eq!((estimate.count(), estimate.is_exact()), (1000, true));
        let mut some = DistinctEstimate::default();
        some.push(&chunk, Some(&[0b1011]));
        assert_eq!(some.count(), 3);
    }
}

#[test]
fn full_registers_give_a_number_and_not_a_panic() {
    let full = DistinctEstimate { state: State::Registers(vec![MAX_RANK; REGISTERS]) };
    assert_eq!(full.count(), u64::MAX);
    let empty = DistinctEstimate { state: State::Registers(vec![0; REGISTERS]) };
    assert_eq!(empty.count(), 0);
}
