use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Decimal256Array, DictionaryArray, DurationSecondArray, Float16Array,
    Float32Array, Float64Array, Int8Array, Int64Array, StringArray, UInt64Array,
};
use arrow::datatypes::{Int32Type, Int64Type};
use proptest::prelude::*;

use super::*;

#[test]
fn variance_of_large_values_keeps_its_digits() {
    let far = |x: f64| x + 1e9;
    let values: Vec<f64> = [4.0, 7.0, 13.0, 16.0].map(far).to_vec();
    let moments = Moments::of(&Float64Array::from(values)).unwrap();
    assert_eq!(moments.variance(Variance::Sample), Some(30.0));
    assert_eq!(moments.variance(Variance::Population), Some(22.5));
    assert_eq!(moments.stddev(Variance::Population), Some(22.5f64.sqrt()));
    assert_eq!(moments.mean(), Some(1e9 + 10.0));
    let tiny = Moments::of(&Float64Array::from(vec![1e-200, 3e-200])).unwrap();
    assert_eq!(tiny.mean(), Some(2e-200));
}

#[test]
fn nothing_has_no_sum_and_one_value_has_no_sample_variance() {
    let mut moments = Moments::of(&Int64Array::from(vec![None, None])).unwrap();
    assert_eq!((moments.sum(), moments.mean(), moments.min()), (None, None, None));
    assert_eq!(moments.sum_text(), "null");
    assert_eq!(moments.variance(Variance::Population), None);
    moments.update(&Int64Array::from(vec![7]), None).unwrap();
    assert_eq!(moments.variance(Variance::Sample), None);
    assert_eq!(moments.variance(Variance::Population), Some(0.0));
    assert_eq!(moments.nulls(), 2);
}

#[test]
fn nan_is_no_extreme_and_infinities_are() {
    let values = vec![f64::NAN, -0.0, 3.0, f64::INFINITY];
    let moments = Moments::of(&Float64Array::from(values)).unwrap();
    assert_eq!(moments.min().map(f64::to_bits), Some(0.0f64.to_bits()));
    assert_eq!(moments.max(), Some(f64::INFINITY));
    assert!(moments.sum().unwrap().is_nan());
    assert_eq!(moments.without_nan().sum(), Some(f64::INFINITY));
    assert_eq!(moments.without_nan().mean(), Some(f64::INFINITY));
    assert!(moments.without_nan().variance(Variance::Sample).unwrap().is_nan());
    assert_eq!(moments.without_nan().count(), 3);
    let only = Moments::of(&Float64Array::from(vec![f64::NEG_INFINITY])).unwrap();
    assert_eq!((only.min(), only.max()), (Some(f64::NEG_INFINITY), Some(f64::NEG_INFINITY)));
    let json = serde_json::to_string(&moments).unwrap();
    assert_eq!(serde_json::from_str::<Moments>(&json).unwrap(), moments);
}

#[test]
fn each_kind_of_number_is_exact() {
    let small: ArrayRef = Arc::new(Int8Array::from(vec![-128, 127]));
    assert_eq!(Moments::of(&small).unwrap().sum_text(), "-1");
    let unsigned: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, u64::MAX, 1]));
    let moments = Moments::of(&unsigned).unwrap();
    assert_eq!(moments.sum_text(), "36893488147419103231");
    assert_eq!(moments.max(), Some(u64::MAX as f64));
    let signed = Moments::of(&Int64Array::from(vec![i64::MIN; 3])).unwrap();
    assert_eq!(signed.sum_text(), "-27670116110564327424");
    assert_eq!(signed.variance(Variance::Population), Some(0.0));
    let half: ArrayRef =
        Arc::new(Float16Array::from_iter_values([1.5f32, 2.5].map(<Float16Array as HalfOf>::half)));
    assert_eq!(Moments::of(&half).unwrap().mean(), Some(2.0));
    let single: ArrayRef = Arc::new(Float32Array::from(vec![0.1f32]));
    assert_eq!(Moments::of(&single).unwrap().sum(), Some(f64::from(0.1f32)));
    let wait: ArrayRef = Arc::new(DurationSecondArray::from(vec![60, 120]));
    assert_eq!(Moments::of(&wait).unwrap().mean(), Some(90.0));
    let widest = Decimal256Array::from(vec![i256::MIN, i256::MIN, i256::MAX])
        .with_precision_and_scale(76, 75)
        .unwrap();
    let moments = Moments::of(&widest).unwrap();
    assert!(moments.sum_text().starts_with("-57.8960446186580977117"), "{}", moments.sum_text());
    assert_eq!(moments.whole_range(), Some((i256::MIN, i256::MAX)));
    assert_eq!(moments.min(), Some(-57.896_044_618_658_095));
    let json = serde_json::to_string(&moments).unwrap();
    assert_eq!(serde_json::from_str::<Moments>(&json).unwrap(), moments);
    let prices = Decimal128Array::from(vec![10, 20, 40]).with_precision_and_scale(5, -2).unwrap();
    let moments = Moments::of(&prices).unwrap();
    assert_eq!((moments.sum_text().as_str(), moments.max()), ("7000", Some(4_000.0)));
    assert!(Moments::of(&StringArray::from(vec!["1"])).is_err());
    let mut other = Moments::of(&Int64Array::from(vec![1])).unwrap();
    assert!(other.update(&prices, None).is_err());
    assert!(other.merge(&moments).is_err());
    assert_eq!(other.count(), 1);
}

trait HalfOf {
    type Half;
    fn half(value: f32) -> Self::Half;
}

impl HalfOf for Float16Array {
    type Half = <arrow::datatypes::Float16Type as arrow::datatypes::ArrowPrimitiveType>::Native;
    fn half(value: f32) -> Self::Half {
        Self::Half::from_f32(value)
    }
}

#[test]
fn a_mask_of_another_length_is_refused_and_its_surplus_bits_do_not_count() {
    let values = Int64Array::from(vec![1, 2, 3]);
    let mut moments = Moments::of(&values).unwrap();
    assert_eq!(
        moments.update(&values, Some(&[0, 0])).unwrap_err().to_string(),
        "validate.stats: invalid: the row mask has another length than the column \
         (words: 2, rows: 3); hint: a mask has one bit for each row, 64 in a word",
    );
    moments.update(&values, Some(&[u64::MAX])).unwrap();
    assert_eq!(moments.count(), 6);
    moments.update(&values, Some(&[2])).unwrap();
    assert_eq!(moments.sum_text(), "14");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn encoding_cuts_masks_and_merges_do_not_matter(
        values in prop::collection::vec(prop::option::weighted(0.8, -1_000i64..1_000), 1..400),
        chosen in prop::collection::vec(any::<bool>(), 400),
        cut in 0usize..400,
    ) {
        let cut = cut.min(values.len());
        let kept: Vec<Option<i64>> = values.iter().zip(&chosen).filter(|(_, c)| **c).map(|(v, _)| *v).collect();
        let plain = Moments::of(&Int64Array::from(kept.clone())).unwrap();
        let present: Vec<i64> = kept.iter().flatten().copied().collect();
        prop_assert_eq!(plain.nulls(), (kept.len() - present.len()) as u64);
        prop_assert_eq!(plain.min(), present.iter().min().map(|v| *v as f64));
        if present.len() > 1 {
            let n = present.len() as i128;
            let sum: i128 = present.iter().map(|v| i128::from(*v)).sum();
            let squares: i128 = present.iter().map(|v| i128::from(v * v)).sum();
            let variance = (n * squares - sum * sum) as f64 / (n * (n - 1)) as f64;
            prop_assert_eq!(plain.variance(Variance::Sample), Some(variance));
        }
        let whole: ArrayRef = Arc::new(Int64Array::from(values.clone()));
        let dictionary: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter_keys(&values));
        for array in [whole, dictionary] {
            let mut parts = [Moments::for_type(array.data_type()).unwrap(), Moments::for_type(array.data_type()).unwrap()];
            for (part, (from, to)) in parts.iter_mut().zip([(0, cut), (cut, values.len())]) {
                part.update(&array.slice(from, to - from), Some(&mask(&chosen[from..to]))).unwrap();
            }
            let [mut left, mut right] = parts;
            let first = left.clone();
            left.merge(&right).unwrap();
            right.merge(&first).unwrap();
            prop_assert_eq!(&left, &right);
            prop_assert_eq!(&left, &plain);
        }
        let floats: Float64Array = kept.iter().map(|v| v.map(|v| v as f64)).collect();
        let floats = Moments::of(&floats).unwrap();
        prop_assert_eq!(floats.variance(Variance::Sample), plain.variance(Variance::Sample));
        prop_assert_eq!(floats.mean(), plain.mean());
    }
}

trait FromKeys {
    fn from_iter_keys(values: &[Option<i64>]) -> Self;
}

impl FromKeys for DictionaryArray<Int32Type> {
    fn from_iter_keys(values: &[Option<i64>]) -> Self {
        // One more value than is referred to, and a null among the values.
        let mut distinct: Vec<Option<i64>> = values.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        distinct.push(Some(99_999));
        let keys = values.iter().map(|v| distinct.iter().position(|d| d == v).map(|k| k as i32));
        let dictionary = arrow::array::PrimitiveArray::<Int64Type>::from(distinct.clone());
        DictionaryArray::new(keys.collect(), Arc::new(dictionary))
    }
}

fn mask(chosen: &[bool]) -> Vec<u64> {
    let mut mask = vec![0; chosen.len().div_ceil(64)];
    for (i, _) in chosen.iter().enumerate().filter(|(_, chosen)| **chosen) {
        mask[i / 64] |= 1 << (i % 64);
    }
    mask
}
