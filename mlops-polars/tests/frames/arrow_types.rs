//! Each type of Arrow: what Polars makes of it, and what comes back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::*;
use mlops_core::ErrorKind;
use mlops_polars::polars::prelude as pl;
use mlops_polars::{from_arrow, to_arrow};

use crate::{table, texts, whole_text};

fn batch(array: impl Array + 'static) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("x", Arc::new(array) as ArrayRef, true)]).unwrap()
}

/// Through Polars and back: whole, sliced, cut in two, and without rows.
#[track_caller]
fn keeps(array: impl Array + 'static, expected: &pl::DataType) {
    let batch = batch(array);
    let rows = batch.num_rows();
    assert!(rows >= 3, "enough to slice");
    let cut = rows / 2;
    for parts in [
        vec![batch.clone()],
        vec![batch.slice(1, rows - 1)],
        vec![batch.slice(1, 1)],
        vec![batch.slice(0, cut), batch.slice(cut, rows - cut)],
        vec![batch.slice(0, 0), batch.slice(1, rows - 2), batch.slice(rows, 0)],
        vec![batch.slice(0, 0)],
    ] {
        let frame = from_arrow(&parts).unwrap();
        assert_eq!(frame.column("x").unwrap().dtype(), expected);
        let back = to_arrow(&frame).unwrap();
        assert_eq!(table(&back), table(&parts));
        assert!(from_arrow(&back).unwrap().equals_missing(&frame));
    }
}

fn error(array: impl Array + 'static) -> (ErrorKind, String) {
    let error = from_arrow(&[batch(array)]).unwrap_err();
    (error.kind(), whole_text(&error))
}

#[test]
fn numbers_and_booleans_keep_their_types() {
    keeps(
        BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]),
        &pl::DataType::Boolean,
    );
    keeps(Int8Array::from(vec![Some(i8::MIN), None, Some(i8::MAX)]), &pl::DataType::Int8);
    keeps(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)]), &pl::DataType::Int16);
    keeps(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)]), &pl::DataType::Int32);
    keeps(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)]), &pl::DataType::Int64);
    keeps(UInt8Array::from(vec![Some(0), None, Some(u8::MAX)]), &pl::DataType::UInt8);
    keeps(UInt16Array::from(vec![Some(0), None, Some(u16::MAX)]), &pl::DataType::UInt16);
    keeps(UInt32Array::from(vec![Some(0), None, Some(u32::MAX)]), &pl::DataType::UInt32);
    keeps(UInt64Array::from(vec![Some(0), None, Some(u64::MAX)]), &pl::DataType::UInt64);
    let floats = vec![Some(f64::NAN), None, Some(-0.0), Some(f64::INFINITY), Some(5e-324)];
    keeps(Float64Array::from(floats.clone()), &pl::DataType::Float64);
    let floats: Vec<_> = floats.into_iter().map(|x| x.map(|x| x as f32)).collect();
    keeps(Float32Array::from(floats), &pl::DataType::Float32);
    let halves = Float32Array::from(vec![Some(1.5), None, Some(f32::NAN), Some(-65504.0)]);
    let halves = arrow::compute::cast(&halves, &DataType::Float16).unwrap();
    keeps(halves.as_primitive::<Float16Type>().clone(), &pl::DataType::Float16);
    keeps(NullArray::new(4), &pl::DataType::Null);
}

#[test]
fn text_and_bytes_of_each_encoding_are_the_same() {
    let text = vec![Some("é"), None, Some(""), Some("longer than twelve bytes"), Some("日本")];
    keeps(StringArray::from(text.clone()), &pl::DataType::String);
    keeps(LargeStringArray::from(text.clone()), &pl::DataType::String);
    keeps(StringViewArray::from(text.clone()), &pl::DataType::String);
    let bytes: Vec<Option<&[u8]>> = text.iter().map(|x| x.map(str::as_bytes)).collect();
    keeps(BinaryArray::from(bytes.clone()), &pl::DataType::Binary);
    keeps(LargeBinaryArray::from(bytes.clone()), &pl::DataType::Binary);
    keeps(BinaryViewArray::from(bytes), &pl::DataType::Binary);
    let fixed = [Some([0, 255]), None, Some([1, 2])];
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed.into_iter(), 2).unwrap();
    keeps(fixed, &pl::DataType::Binary);
}

#[test]
fn dates_and_times_keep_their_units_and_zones() {
    use pl::TimeUnit::{Microseconds, Milliseconds, Nanoseconds};
    keeps(Date32Array::from(vec![Some(-1), None, Some(20_000)]), &pl::DataType::Date);
    let zone = pl::TimeZone::opt_try_new(Some("Europe/Zurich")).unwrap();
    let times = vec![Some(-1), None, Some(1_700_000_000_000)];
    let zoned = |unit| pl::DataType::Datetime(unit, zone.clone());
    keeps(
        TimestampMillisecondArray::from(times.clone()),
        &pl::DataType::Datetime(Milliseconds, None),
    );
    keeps(
        TimestampMillisecondArray::from(times.clone()).with_timezone("Europe/Zurich"),
        &zoned(Milliseconds),
    );
    keeps(
        TimestampMicrosecondArray::from(times.clone()).with_timezone("Europe/Zurich"),
        &zoned(Microseconds),
    );
    keeps(
        TimestampNanosecondArray::from(times.clone()).with_timezone("Europe/Zurich"),
        &zoned(Nanoseconds),
    );
    keeps(DurationMicrosecondArray::from(times.clone()), &pl::DataType::Duration(Microseconds));
    keeps(DurationNanosecondArray::from(times), &pl::DataType::Duration(Nanoseconds));
    keeps(Time64NanosecondArray::from(vec![Some(1), None, Some(86_399)]), &pl::DataType::Time);
}

#[test]
fn seconds_become_milliseconds_and_what_does_not_fit_is_an_error() {
    let seconds = TimestampSecondArray::from(vec![Some(1_700_000_000), None, Some(-1)]);
    keeps(seconds, &pl::DataType::Datetime(pl::TimeUnit::Milliseconds, None));
    let days = Date64Array::from(vec![Some(86_400_000), None, Some(0)]);
    let frame = from_arrow(&[batch(days)]).unwrap();
    let back = to_arrow(&frame).unwrap();
    assert_eq!(texts(back[0].column(0))[0].as_deref(), Some("1970-01-02T00:00:00"));
    keeps(Time32SecondArray::from(vec![Some(1), None, Some(86_399)]), &pl::DataType::Time);
    keeps(Time64MicrosecondArray::from(vec![Some(1), None, Some(9)]), &pl::DataType::Time);

    let (kind, text) = error(TimestampSecondArray::from(vec![0, i64::MAX]));
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.contains('x') && text.contains("Overflow"), "{text}");
    let (kind, _) = error(DurationSecondArray::from(vec![i64::MIN]));
    assert_eq!(kind, ErrorKind::Invalid);
}

#[test]
fn decimals_of_each_width_have_38_digits_at_most() {
    let decimal = |p, s| pl::DataType::Decimal(p, s);
    let d128 = Decimal128Array::from(vec![Some(-12_345), None, Some(0), Some(10_i128.pow(37))]);
    keeps(d128.with_precision_and_scale(38, 2).unwrap(), &decimal(38, 2));
    let d32 = Decimal32Array::from(vec![Some(-12_345), None, Some(7)]);
    keeps(d32.with_precision_and_scale(9, 3).unwrap(), &decimal(9, 3));
    let d64 = Decimal64Array::from(vec![Some(-12_345), None, Some(7)]);
    keeps(d64.with_precision_and_scale(18, 18).unwrap(), &decimal(18, 18));
    let d256 = |value| Decimal256Array::from(vec![Some(i256::from_i128(value)), None, None]);
    keeps(d256(-12_345).with_precision_and_scale(76, 4).unwrap(), &decimal(38, 4));
    let hundreds = Decimal128Array::from(vec![Some(12), None, Some(-1)]);
    let hundreds = hundreds.with_precision_and_scale(5, -2).unwrap();
    let back = to_arrow(&from_arrow(&[batch(hundreds)]).unwrap()).unwrap();
    assert_eq!(texts(back[0].column(0)), [Some("1200".into()), None, Some("-100".into())]);

    let wide = d256(10_i128.pow(38)).with_precision_and_scale(76, 0).unwrap();
    let (kind, text) = error(wide);
    assert_eq!(kind, ErrorKind::Invalid, "{text}");
}

#[test]
fn lists_structs_and_maps_keep_their_parts() {
    let int_list = pl::DataType::List(Box::new(pl::DataType::Int32));
    let rows = || {
        vec![Some(vec![Some(1), None]), None, Some(vec![]), Some(vec![Some(3)]), Some(vec![None])]
    };
    keeps(ListArray::from_iter_primitive::<Int32Type, _, _>(rows()), &int_list);
    keeps(LargeListArray::from_iter_primitive::<Int32Type, _, _>(rows()), &int_list);
    let pairs = vec![Some(vec![Some(1), None]), None, Some(vec![Some(5), Some(6)])];
    keeps(
        FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(pairs, 2),
        &pl::DataType::Array(Box::new(pl::DataType::Int32), 2),
    );

    // A list of structs with text and a list inside.
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("ç"), Some("d")]));
    let inner: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
        None,
        Some(vec![Some(1)]),
        Some(vec![]),
        Some(vec![None]),
    ]));
    let fields = vec![
        Field::new("names ü", DataType::Utf8, true),
        Field::new("numbers", inner.data_type().clone(), true),
    ];
    let parts = StructArray::new(fields.into(), vec![text, inner], None);
    let expected = pl::DataType::Struct(vec![
        pl::Field::new("names ü".into(), pl::DataType::String),
        pl::Field::new("numbers".into(), int_list),
    ]);
    keeps(parts.clone(), &expected);
    let item = Arc::new(Field::new("item", parts.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths([1, 0, 3]);
    let nulls = NullBuffer::from(vec![true, false, true]);
    let list = ListArray::new(item, offsets, Arc::new(parts), Some(nulls));
    keeps(list, &pl::DataType::List(Box::new(expected)));

    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    map.keys().append_value("a");
    map.values().append_value(1);
    map.append(true).unwrap();
    map.append(false).unwrap();
    map.keys().append_value("b");
    map.values().append_null();
    map.append(true).unwrap();
    let frame = from_arrow(&[batch(map.finish())]).unwrap();
    let back = to_arrow(&frame).unwrap();
    let entries = [Some("[{keys: a, values: 1}]"), None, Some("[{keys: b, values: }]")];
    assert_eq!(texts(back[0].column(0)), entries.map(|text| text.map(str::to_owned)));
}

#[test]
fn a_null_struct_has_null_fields() {
    let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let fields = vec![Field::new("v", DataType::Int32, true)];
    let nulls = NullBuffer::from(vec![true, false, true]);
    let frame =
        from_arrow(&[batch(StructArray::new(fields.into(), vec![values], Some(nulls)))]).unwrap();
    let back = to_arrow(&frame).unwrap();
    let structs = back[0].column(0).as_struct();
    assert!(structs.is_null(1) && structs.column(0).is_null(1));
}

#[test]
fn dictionaries_of_text_are_categoricals_and_others_their_values() {
    let categorical = pl::DataType::from_categories(pl::Categories::global());
    let mut text = StringDictionaryBuilder::<Int8Type>::new();
    text.extend([Some("b"), None, Some("a"), Some("b"), Some("ü")]);
    keeps(text.finish(), &categorical);
    // Two values that are one, and a value that is null.
    let values = Arc::new(StringArray::from(vec![Some("a"), Some("a"), None]));
    let keys = UInt64Array::from(vec![Some(0), Some(1), Some(2), None]);
    keeps(DictionaryArray::new(keys, values), &categorical);
    let values = Arc::new(Int32Array::from(vec![10, 20]));
    let keys = Int32Array::from(vec![Some(1), None, Some(0)]);
    keeps(DictionaryArray::new(keys, values), &pl::DataType::Int32);
    // No values at all.
    let values = Arc::new(StringArray::from(Vec::<&str>::new()));
    keeps(DictionaryArray::new(Int16Array::from(vec![None; 3]), values), &categorical);
}

/// A dictionary of `a`, whose field says this of an enum.
fn enumeration(text: &str) -> RecordBatch {
    let mut array = StringDictionaryBuilder::<UInt8Type>::new();
    array.append_value("a");
    let array = array.finish();
    let metadata = HashMap::from([("_PL_ENUM_VALUES2".to_owned(), text.to_owned())]);
    let field = Field::new("x", array.data_type().clone(), true).with_metadata(metadata);
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::new(array)]).unwrap()
}

#[test]
fn an_enums_values_are_believed_only_if_they_are_so() {
    let frame = from_arrow(&[enumeration("1;b1;a")]).unwrap();
    let values = pl::FrozenCategories::new(["b", "a"]).unwrap();
    assert_eq!(frame.column("x").unwrap().dtype(), &pl::DataType::from_frozen_categories(values));
    for (text, what) in [("1;b", "not one of"), ("9;a", "cannot be read"), ("", "not one of")] {
        let error = from_arrow(&[enumeration(text)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn what_polars_does_not_have_is_refused_by_name() {
    let interval = IntervalDayTimeArray::from(vec![IntervalDayTime::new(1, 2)]);
    let (kind, text) = error(interval);
    assert_eq!(kind, ErrorKind::Unsupported);
    assert!(text.contains("column") && text.contains("Interval"), "{text}");

    let ends = Int32Array::from(vec![2]);
    let runs = RunArray::try_new(&ends, &StringArray::from(vec!["a"])).unwrap();
    assert_eq!(error(runs).0, ErrorKind::Unsupported);
    let zone = TimestampSecondArray::from(vec![0]).with_timezone("Mars/Olympus");
    let (kind, text) = error(zone);
    assert_eq!(kind, ErrorKind::Unsupported);
    assert!(text.contains("Mars/Olympus"), "{text}");
    assert_eq!(
        error(TimestampSecondArray::from(vec![0]).with_timezone("*")).0,
        ErrorKind::Unsupported
    );
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let empty = FixedSizeListArray::new_null(item, 0, 3);
    assert_eq!(error(empty).0, ErrorKind::Unsupported);
    let field = Field::new("a\0b", DataType::Int32, true);
    let nul = StructArray::new_null(vec![field].into(), 1);
    assert_eq!(error(nul).0, ErrorKind::Invalid);
}

#[test]
fn batches_of_another_schema_are_refused_with_their_number() {
    let one = batch(Int32Array::from(vec![1]));
    let other = batch(Int64Array::from(vec![1]));
    let error = from_arrow(&[one.clone(), one.clone(), other]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("batch: 2"), "{error}");
    let none = RecordBatch::new_empty(Arc::new(Schema::empty()));
    assert_eq!(from_arrow(&[one, none]).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let array: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("x", array.clone()), ("x", array)]).unwrap();
    assert_eq!(from_arrow(&[batch]).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn any_name_of_a_column_is_kept() {
    let array: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let names = ["", "naïve 日本 🦀", "a\0b", "\u{202e}x", "a.b\"c"];
    let batch = RecordBatch::try_from_iter(names.map(|name| (name, array.clone()))).unwrap();
    let frame = from_arrow(std::slice::from_ref(&batch)).unwrap();
    assert_eq!(table(&to_arrow(&frame).unwrap()), table(&[batch]));
}

#[test]
fn no_batches_are_no_frame_and_no_columns_are_no_loss_of_rows() {
    assert_eq!(from_arrow(&[]).unwrap().shape(), (0, 0));
    let options = RecordBatchOptions::new().with_row_count(Some(3));
    let schema = Arc::new(Schema::empty());
    let batch = RecordBatch::try_new_with_options(schema, vec![], &options).unwrap();
    let frame = from_arrow(&[batch.clone(), batch]).unwrap();
    assert_eq!(frame.shape(), (6, 0));
    assert_eq!(to_arrow(&frame).unwrap()[0].num_rows(), 6);
}
