use arrow::array::{BooleanArray, Decimal128Array, Float64Array, ListArray};
use arrow::datatypes::{Field, Int32Type};
use proptest::prelude::*;

use super::*;

fn profile(array: &dyn Array) -> ColumnProfile {
    let mut profile = ColumnProfile::of(&Field::new("c", array.data_type().clone(), true));
    profile.update(array, None).unwrap();
    profile
}

#[test]
fn a_value_of_half_the_rows_has_a_bin_of_its_own() {
    let zeros = std::iter::repeat_n(0.0, 100);
    let values = Float64Array::from_iter_values(zeros.chain((1..=100).map(f64::from)));
    let bins = Bins::freeze(&profile(&values), 4).unwrap();
    assert_eq!(bins.labels(), ["-inf", "< 1", "1 .. < 51", ">= 51", "+inf", "NaN", "NULL"]);
    assert_eq!(bins.reference().counts(), [0, 100, 50, 50, 0, 0, 0]);
    assert_eq!(bins.ordered(), 0..5);
}

#[test]
fn what_cannot_be_binned_says_why() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
    let error = Bins::freeze(&profile(&list), 10).unwrap_err();
    assert!(error.to_string().contains("has no cells"), "{error}");
    let none = Float64Array::from(Vec::<f64>::new());
    assert!(Bins::freeze(&profile(&none), 10).is_err());
    let one = profile(&Float64Array::from(vec![1.0]));
    assert!(Bins::freeze(&one, 0).is_err());
    let bins = Bins::freeze(&one, 10).unwrap();
    assert!(bins.count(&BooleanArray::from(vec![true]), None).is_err());
    let json = serde_json::to_string(&bins).unwrap();
    assert!(serde_json::from_str::<Bins>(&json.replace("[0,1,", "[0,")).is_err());
}

#[test]
fn truth_values_and_decimals_have_cells() {
    let bins = Bins::freeze(&profile(&BooleanArray::from(vec![true, true])), 5).unwrap();
    assert_eq!(bins.labels(), ["true", "OTHER", "UNSEEN", "NULL"]);
    let today = BooleanArray::from(vec![Some(false), None]);
    assert_eq!(bins.count(&today, None).unwrap().counts(), [0, 0, 1, 1]);
    let prices = Decimal128Array::from(vec![150, 250, i128::MAX / 10]);
    let prices = prices.with_precision_and_scale(38, 2).unwrap();
    let bins = Bins::freeze(&profile(&prices), 3).unwrap();
    assert_eq!(bins.labels()[1], "< 2.5");
    assert_eq!(bins.count(&prices, None).unwrap(), *bins.reference());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_reference_counts_itself_in_any_parts(
        values in prop::collection::vec(prop::option::weighted(0.9, any::<f64>()), 1..200),
        n in 1usize..20, cut in 0usize..200,
    ) {
        let array = Float64Array::from(values);
        let bins = Bins::freeze(&profile(&array), n).unwrap();
        prop_assert_eq!(bins.count(&array, None).unwrap(), bins.reference().clone());
        let cut = cut.min(array.len());
        let mut counts = bins.count(&array.slice(cut, array.len() - cut), None).unwrap();
        counts.merge(&bins.count(&array.slice(0, cut), None).unwrap()).unwrap();
        prop_assert_eq!(&counts, bins.reference());
        prop_assert_eq!(counts.total(), array.len() as u64);
        let json = serde_json::to_string(&bins).unwrap();
        prop_assert_eq!(serde_json::from_str::<Bins>(&json).unwrap(), bins);
    }
}
