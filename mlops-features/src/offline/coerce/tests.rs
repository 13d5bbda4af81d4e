use arrow::array::{
    BinaryArray, Date64Array, DictionaryArray, FixedSizeListArray, Float64Array, Int32Array,
    Int64Array, StringArray, StringViewArray, TimestampMillisecondArray, TimestampNanosecondArray,
    UInt64Array,
};
use arrow::datatypes::Int8Type;

use super::*;

fn key(array: ArrayRef, data_type: KeyType) -> Result<ArrayRef> {
    let keys = [TableKey { name: "k".to_owned(), data_type }];
    coerce_keys(&[array], &keys).map(|mut columns| columns.remove(0))
}

#[test]
fn keys_of_any_width_are_equal_by_value() {
    let expected: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None]));
    let columns: [ArrayRef; 3] = [
        Arc::new(Int32Array::from(vec![Some(7), None])),
        Arc::new(UInt64Array::from(vec![Some(7), None])),
        Arc::new(Int64Array::from(vec![Some(7), None])),
    ];
    for column in columns {
        assert_eq!(&key(column, KeyType::Int).unwrap(), &expected);
    }
    let words: DictionaryArray<Int8Type> = ["a", "b", "a"].into_iter().collect();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
    assert_eq!(&key(Arc::new(words), KeyType::String).unwrap(), &text);
    let views = StringViewArray::from(vec!["a", "b", "a"]);
    assert_eq!(&key(Arc::new(views), KeyType::String).unwrap(), &text);
}

#[test]
fn a_key_of_another_kind_is_an_error_and_never_a_silent_no_match() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
    let error = key(Arc::clone(&text), KeyType::Int).unwrap_err().to_string();
    assert!(error.contains("column: k, type: Utf8, expected: int"), "{error}");
    assert!(key(text, KeyType::Bytes).is_err());
    let float: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    assert!(key(float, KeyType::Int).is_err());
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"1"[..]]));
    assert!(key(bytes, KeyType::String).is_err());
}

#[test]
fn an_unsigned_key_that_does_not_fit_is_an_error_when_stored_and_null_when_asked() {
    let column: ArrayRef = Arc::new(UInt64Array::from(vec![1, u64::MAX]));
    let error = key(Arc::clone(&column), KeyType::Int).unwrap_err().to_string();
    assert!(error.contains("row: 1, value: 18446744073709551615"), "{error}");
    let keys = [TableKey { name: "k".to_owned(), data_type: KeyType::Int }];
    let asked = coerce_asked_keys(&[column], &keys).unwrap().remove(0);
    assert_eq!(asked.as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(1), None]));
}

#[test]
fn numbers_are_never_rounded() {
    let column = |v: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(v)) };
    assert!(coerce_column(&column(vec![1 << 53]), FeatureType::Float, "f").is_ok());
    for bad in [(1 << 53) + 1, i64::MAX] {
        assert!(coerce_column(&column(vec![bad]), FeatureType::Float, "f").is_err(), "{bad}");
    }
    assert!(coerce_column(&column(vec![1 << 24]), FeatureType::Float32, "f").is_ok());
    assert!(coerce_column(&column(vec![(1 << 24) + 1]), FeatureType::Float32, "f").is_err());
    let doubles = |v: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![v])) };
    for good in [0.5, f64::NAN, -0.0, f64::INFINITY] {
        assert!(coerce_column(&doubles(good), FeatureType::Float32, "f").is_ok(), "{good}");
    }
    assert!(coerce_column(&doubles(0.1), FeatureType::Float32, "f").is_err());
    assert!(coerce_column(&doubles(1.0), FeatureType::Int, "f").is_err());
}

#[test]
fn instants_are_exact_to_the_microsecond_or_an_error() {
    let nanos = |v: i64| -> ArrayRef { Arc::new(TimestampNanosecondArray::from(vec![v])) };
    let micros = coerce_time(&nanos(-7_000), "t").unwrap();
    assert_eq!(micros.as_primitive::<TimestampMicrosecondType>().value(0), -7);
    let error = coerce_time(&nanos(7_001), "t").unwrap_err().to_string();
    assert!(error.contains("row: 0, value: 7001"), "{error}");
    let far: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![i64::MAX]));
    assert!(coerce_time(&far, "t").is_err());
    let null: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![None, Some(1_000)]));
    assert_eq!(coerce_time(&null, "t").unwrap().null_count(), 1);
    let days: ArrayRef = Arc::new(Date64Array::from(vec![DAY_MILLIS, DAY_MILLIS + 1]));
    assert!(coerce_column(&days.slice(0, 1), FeatureType::Date, "d").is_ok());
    assert!(coerce_column(&days, FeatureType::Date, "d").is_err());
}

#[test]
fn vectors_of_every_list_are_lists_of_single_floats() {
    let rows = vec![Some(vec![Some(1.0), Some(2.0)]), None, Some(vec![Some(3.0), Some(0.5)])];
    let fixed: ArrayRef =
        Arc::new(FixedSizeListArray::from_iter_primitive::<Float64Type, _, _>(rows.clone(), 2));
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(
        rows.iter().map(|r| r.as_ref().map(|r| r.iter().map(|v| v.map(|v| v as f32)))),
    ));
    let made = coerce_column(&fixed, FeatureType::Vector, "v").unwrap();
    assert_eq!(made.data_type(), &FeatureType::Vector.arrow());
    assert_eq!(&made, &coerce_column(&list, FeatureType::Vector, "v").unwrap());
    assert_eq!(
        &coerce_column(&list.slice(1, 2), FeatureType::Vector, "v").unwrap(),
        &made.slice(1, 2)
    );
    let holes: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>([Some(vec![
            Some(1.0),
            None,
        ])]));
    assert!(coerce_column(&holes, FeatureType::Vector, "v").is_err());
}
