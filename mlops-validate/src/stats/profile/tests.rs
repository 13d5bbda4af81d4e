use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float64Array, Int64Array, LargeStringArray, NullArray, StringArray, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int8Type};
use proptest::prelude::*;

use super::*;

/// A batch with a column of each shape, from the same seeds.
fn batch(seeds: &[Option<i16>]) -> RecordBatch {
    let ints = |f: fn(i16) -> i64| seeds.iter().map(move |seed| seed.map(f));
    let instants: TimestampMicrosecondArray = ints(i64::from).collect();
    let texts: StringArray = seeds.iter().map(|s| s.map(|s| format!("é{}", s % 7))).collect();
    let prices: Decimal128Array = ints(i64::from).map(|v| v.map(i128::from)).collect();
    let float = |s: i16| match s % 11 {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => -0.0,
        _ => f64::from(s) / 8.0,
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("int", Arc::new(ints(|s| i64::from(s) << 40).collect::<Int64Array>())),
        ("float", Arc::new(seeds.iter().map(|s| s.map(float)).collect::<Float64Array>())),
        ("price", Arc::new(prices.with_precision_and_scale(30, 3).unwrap())),
        ("text", Arc::new(texts)),
        ("bool", Arc::new(seeds.iter().map(|s| s.map(|s| s > 0)).collect::<BooleanArray>())),
        ("day", Arc::new(ints(i64::from).map(|v| v.map(|v| v as i32)).collect::<Date32Array>())),
        ("at", Arc::new(instants.with_timezone("UTC"))),
        ("nothing", Arc::new(NullArray::new(seeds.len()))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn of(batch: &RecordBatch) -> Profile {
    let mut profile = Profile::of(batch.schema_ref());
    profile.update(batch).unwrap();
    profile
}

fn column(array: ArrayRef) -> ColumnProfile {
    of(&RecordBatch::try_from_iter([("c", array)]).unwrap()).columns.remove(0)
}

#[test]
fn each_type_has_its_facts() {
    let profile = of(&batch(&[Some(3), None, Some(14), Some(22), Some(1)]));
    let value = |name: &str| profile.column(name).unwrap();
    assert_eq!(value("text").range(), Some((Value::Text("é0".into()), Value::Text("é3".into()))));
    assert_eq!(value("text").lengths().unwrap().mean(), Some(2.0));
    assert_eq!(value("bool").bools(), Some((4, 0)));
    assert_eq!(value("price").moments().unwrap().sum_text(), "0.040");
    assert_eq!(value("price").data_type(), "decimal128(30, 3)");
    assert_eq!(value("float").nan(), 1);
    assert_eq!(value("float").range(), Some((Value::Float(0.375), Value::Float(f64::INFINITY))));
    assert_eq!(value("at").range(), Some((Value::Whole(1.into()), Value::Whole(22.into()))));
    assert_eq!(value("day").categories().unwrap().len(), 4);
    assert_eq!((value("nothing").rows(), value("nothing").nulls()), (5, 5));
    assert_eq!(value("int").distinct(), Some(4));
}

#[test]
fn the_layout_of_a_column_does_not_show() {
    let values = [Some("b"), None, Some("longer than twelve bytes"), Some("b")];
    let plain = column(Arc::new(StringArray::from_iter(values)));
    assert_eq!(column(Arc::new(LargeStringArray::from_iter(values))), plain);
    assert_eq!(column(Arc::new(StringViewArray::from_iter(values))), plain);
    // With a value that no row refers to.
    let dictionary: DictionaryArray<Int8Type> =
        values.into_iter().chain([Some("unused")]).collect();
    assert_eq!(column(Arc::new(dictionary.slice(0, 4))), plain);
    let padded: StringArray = [Some("x")].into_iter().chain(values).collect();
    assert_eq!(column(Arc::new(padded.slice(1, 4))), plain);
    let runs = arrow::array::RunArray::<arrow::datatypes::Int32Type>::try_new(
        &vec![1, 2, 3, 4].into(),
        &StringArray::from_iter(values),
    );
    assert_eq!(column(Arc::new(runs.unwrap())), plain);
    let bytes = column(Arc::new(BinaryArray::from_iter([Some([0u8, 255])])));
    assert_eq!(bytes.categories().unwrap()["00ff"], 1);
}

#[test]
fn categories_end_with_the_thousand_and_first_value_however_it_comes() {
    let ids = |range: std::ops::Range<i64>| column(Arc::new(Int64Array::from_iter_values(range)));
    let mut exact = ids(0..600);
    exact.merge(&ids(300..1_000)).unwrap();
    assert_eq!(exact.distinct(), Some(1_000));
    exact.merge(&ids(1_000..1_001)).unwrap();
    assert_eq!((exact.distinct(), exact.categories()), (None, None));
    let mut other = ids(1_000..1_001);
    other.merge(&ids(0..1_000)).unwrap();
    other.merge(&ids(300..600)).unwrap();
    assert_eq!(other, exact);
    let long = column(Arc::new(StringArray::from(vec!["x".repeat(257)])));
    assert_eq!(long.categories(), None);
    other.set_distinct_estimate(1_003);
    assert_eq!(other.distinct(), Some(1_003));
}

#[test]
fn order_is_known_in_sequence_and_forgotten_in_a_merge() {
    let ids = |values: Vec<i64>| column(Arc::new(Int64Array::from(values)));
    let mut sorted = ids(vec![1, 2]);
    sorted.append(&ids(vec![3])).unwrap();
    assert!(sorted.order().unwrap().increasing);
    sorted.append(&ids(vec![3])).unwrap();
    let order = sorted.order().unwrap();
    assert_eq!(
        (order.increasing, order.non_decreasing, order.non_increasing),
        (false, true, false)
    );
    sorted.append(&ids(vec![1])).unwrap();
    assert!(!sorted.order().unwrap().non_decreasing);
    sorted.merge(&ids(vec![])).unwrap();
    assert!(sorted.order().is_some());
    sorted.merge(&ids(vec![9])).unwrap();
    assert!(sorted.order().is_none());
    let nan = column(Arc::new(Float64Array::from(vec![f64::NAN])));
    assert!(!nan.order().unwrap().non_decreasing);
}

#[test]
fn other_columns_are_refused_and_change_nothing() {
    let mut profile = of(&batch(&[Some(1)]));
    let before = profile.clone();
    let other =
        RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
    let other = other.unwrap();
    assert!(profile.update(&other).unwrap_err().to_string().contains("batch: a int64"));
    assert!(profile.merge(&of(&other)).is_err());
    assert_eq!(profile, before);
}

#[test]
fn a_stored_profile_that_contradicts_itself_is_refused() {
    let json = of(&batch(&[Some(1), None])).to_json();
    assert!(Profile::from_json(&json).is_ok());
    assert!(Profile::from_json(&json.replace(r#""nulls":1"#, r#""nulls":9"#)).is_err());
    assert!(Profile::from_json(&json.replace(r#""trues":1"#, r#""trues":9"#)).is_err());
    let later = json.replacen(r#""version":1"#, r#""version":2"#, 1);
    assert_eq!(
        Profile::from_json(&later).unwrap_err().to_string(),
        "validate.profile: unsupported: a profile of a later version (version: 2, known: 1)",
    );
    assert!(Profile::from_json("{").is_err());
}

#[test]
fn every_type_of_arrow_is_counted() {
    for data_type in [
        DataType::Null,
        DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano),
        DataType::new_list(DataType::Int8, true),
        DataType::Struct(vec![Field::new("x", DataType::Utf8, true)].into()),
        DataType::FixedSizeBinary(3),
        DataType::Decimal32(5, 1),
        DataType::Decimal256(70, -3),
        DataType::Time64(arrow::datatypes::TimeUnit::Nanosecond),
        DataType::Float16,
    ] {
        let profile = column(arrow::array::new_null_array(&data_type, 70));
        assert_eq!((profile.rows(), profile.nulls()), (70, 70), "{data_type}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn cuts_and_merges_do_not_matter(
        seeds in prop::collection::vec(prop::option::weighted(0.8, any::<i16>()), 0..120),
        a in 0usize..120, b in 0usize..120,
    ) {
        let table = batch(&seeds);
        let whole = of(&table);
        let (a, b) = (a.min(b).min(seeds.len()), a.max(b).min(seeds.len()));
        let parts = [(0, a), (a, b), (b, seeds.len())].map(|(from, to)| of(&table.slice(from, to - from)));
        let mut appended = parts[0].clone();
        appended.append(&parts[1]).unwrap();
        appended.append(&parts[2]).unwrap();
        prop_assert_eq!(&appended, &whole);
        let mut left = parts[0].clone();
        left.merge(&parts[1]).unwrap();
        left.merge(&parts[2]).unwrap();
        let mut right = parts[2].clone();
        right.merge(&parts[1]).unwrap();
        let mut right = { let mut first = parts[0].clone(); first.merge(&right).unwrap(); right = first; right };
        prop_assert_eq!(&left, &right);
        right.merge(&Profile::of(table.schema_ref())).unwrap();
        prop_assert_eq!(left.to_json(), right.to_json());
        prop_assert_eq!(Profile::from_json(&left.to_json()).unwrap(), left);
        prop_assert_eq!(Profile::from_json(&whole.to_json()).unwrap(), whole);
    }
}
