use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array,
    Decimal256Array, DictionaryArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int32Array,
    Int64Array, LargeStringArray, ListArray, NullArray, StringArray, StringViewArray, StructArray,
    TimestampMicrosecondArray, TimestampSecondArray, UInt64Array, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{Field, Int8Type, Int32Type, UInt32Type, i256};
use mlops_core::ErrorKind;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::testing::{batch, keys_of};
use super::*;

type Flags = (Option<bool>, Option<bool>, Option<bool>);

fn chunk_of(encoder: &KeyEncoder, batch: &RecordBatch) -> KeyChunk {
    let mut chunk = KeyChunk::default();
    encoder.encode(batch, &mut chunk).unwrap();
    chunk
}

fn all_keys(chunk: &KeyChunk) -> Vec<u128> {
    (0..chunk.len()).map(|row| chunk.key(row)).collect()
}

/// The keys of a child and a parent column under the form that they agree on.
fn pair(child: ArrayRef, parent: ArrayRef) -> (Vec<u128>, Vec<u128>) {
    let (child, parent) = (batch(vec![child]), batch(vec![parent]));
    let (a, b) = KeyEncoder::pair((&["a"], &child.schema()), (&["a"], &parent.schema())).unwrap();
    (all_keys(&chunk_of(&a, &child)), all_keys(&chunk_of(&b, &parent)))
}

/// A dictionary whose values are in another order, some twice, some null, and some never used.
fn dictionary(values: &[Option<String>]) -> ArrayRef {
    let mut known: Vec<Option<String>> = vec![Some("unused".to_owned()), None];
    let keys = values.iter().enumerate().map(|(row, value)| match value {
        None if row % 2 == 0 => None,
        None => Some(1),
        Some(_) => {
            let fresh = row % 3 == 0;
            let at = known.iter().position(|k| k == value).filter(|_| !fresh);
            let at = at.unwrap_or_else(|| {
                known.push(value.clone());
                known.len() - 1
            });
            Some(at as u32)
        }
    });
    let keys: arrow::array::PrimitiveArray<UInt32Type> = keys.collect();
    Arc::new(DictionaryArray::new(keys, Arc::new(StringArray::from(known))))
}

/// The same array in the middle of a longer one.
fn sliced(array: &ArrayRef) -> ArrayRef {
    let nulls = new_null_array(array.data_type(), 3);
    let parts = [nulls.as_ref(), array.as_ref(), nulls.as_ref()];
    arrow::compute::concat(&parts).unwrap().slice(3, array.len())
}

proptest! {
    #[test]
    fn the_encoding_of_a_text_does_not_show(
        texts in vec(option::weighted(0.8, "[a-cé]{0,15}"), 0..150),
        numbers in vec(option::weighted(0.8, -3..3_i64), 150),
    ) {
        let plain: ArrayRef = Arc::new(texts.iter().map(Option::as_deref).collect::<StringArray>());
        let numbers: ArrayRef = Arc::new(Int64Array::from(numbers[..texts.len()].to_vec()));
        let forms: Vec<ArrayRef> = vec![
            Arc::new(texts.iter().map(Option::as_deref).collect::<LargeStringArray>()),
            Arc::new(texts.iter().map(Option::as_deref).collect::<StringViewArray>()),
            dictionary(&texts),
            sliced(&plain),
            sliced(&dictionary(&texts)),
        ];
        let (_, single) = keys_of(&batch(vec![plain.clone()]));
        let (_, tuple) = keys_of(&batch(vec![plain.clone(), numbers.clone()]));
        for (i, text) in texts.iter().enumerate() {
            for (j, other) in texts.iter().enumerate().take(i) {
                prop_assert_eq!(single.key(i) == single.key(j), text == other);
            }
        }
        for form in forms {
            let (_, found) = keys_of(&batch(vec![form.clone()]));
            prop_assert_eq!(&found.any_null, &single.any_null);
            prop_assert_eq!(&found.all_null, &found.any_null);
            prop_assert_eq!(all_keys(&found), all_keys(&single));
            let (_, found) = keys_of(&batch(vec![form, sliced(&numbers)]));
            prop_assert_eq!(&found, &tuple);
        }
    }

    #[test]
    fn masks_say_which_rows_have_nulls(
        rows in vec((any::<Option<bool>>(), any::<Option<bool>>(), any::<Option<bool>>()), 0..200),
        from in 0..70_usize,
    ) {
        let from = from.min(rows.len());
        let column = |pick: fn(&Flags) -> Option<bool>| {
            let array: ArrayRef = Arc::new(rows.iter().map(pick).collect::<BooleanArray>());
            array.slice(from, rows.len() - from)
        };
        let (_, chunk) = keys_of(&batch(vec![column(|r| r.0), column(|r| r.1), column(|r| r.2)]));
        prop_assert_eq!(chunk.any_null.len(), (rows.len() - from).div_ceil(64));
        let bit = |mask: &[u64], row: usize| mask[row / 64] >> (row % 64) & 1 == 1;
        for (row, (a, b, c)) in rows[from..].iter().enumerate() {
            let nulls = [a, b, c].iter().filter(|part| part.is_none()).count();
            prop_assert_eq!(bit(&chunk.any_null, row), nulls > 0);
            prop_assert_eq!(bit(&chunk.all_null, row), nulls == 3);
        }
        let ones = |mask: &[u64]| mask.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        prop_assert!(ones(&chunk.any_null) <= rows.len() - from);
        for (i, row) in rows[from..].iter().enumerate() {
            for (j, other) in rows[from..].iter().enumerate().take(i) {
                prop_assert_eq!(chunk.key(i) == chunk.key(j), row == other);
            }
        }
    }

    #[test]
    fn integers_of_any_width_meet_by_value(
        a in vec(-130..130_i64, 1..30), b in vec(-130..130_i64, 1..30), big: bool,
    ) {
        let types = [
            DataType::Int8, DataType::Int16, DataType::Int32, DataType::Int64,
            DataType::UInt8, DataType::UInt16, DataType::UInt32, DataType::UInt64,
            DataType::Decimal128(20, 0), DataType::Decimal128(25, 3), DataType::Decimal256(40, 2),
        ];
        let scale = if big { 1 << 55 } else { 1 };
        let column = |values: &[i64], to: &DataType| -> ArrayRef {
            let values = values.iter().map(|value| value * scale).collect::<Vec<_>>();
            // What does not fit becomes null.
            cast(&Int64Array::from(values), to).unwrap()
        };
        for ours in &types {
            for theirs in &types {
                let (left, right) = (column(&a, ours), column(&b, theirs));
                let (ours, theirs) = pair(left.clone(), right.clone());
                for (i, x) in a.iter().enumerate().filter(|(i, _)| left.is_valid(*i)) {
                    for (j, y) in b.iter().enumerate().filter(|(j, _)| right.is_valid(*j)) {
                        prop_assert_eq!(ours[i] == theirs[j], x == y);
                    }
                }
            }
        }
    }
}

#[test]
fn the_largest_unsigned_number_is_not_minus_one() {
    let (ours, theirs) =
        pair(Arc::new(Int64Array::from(vec![-1])), Arc::new(UInt64Array::from(vec![u64::MAX])));
    assert_ne!(ours, theirs);
}

#[test]
fn zeros_are_equal_and_so_are_all_nans() {
    let nan = f64::from_bits(0x7ff0_0000_0000_0001);
    let doubles = Float64Array::from(vec![0.0, -0.0, f64::NAN, nan, -nan, 0.5, f64::INFINITY]);
    let floats = Float32Array::from(vec![-0.0, f32::NAN, 0.5, f32::INFINITY]);
    let (doubles, floats) = pair(Arc::new(doubles), Arc::new(floats));
    assert_eq!(doubles[0], doubles[1]);
    assert!(doubles[2] == doubles[3] && doubles[3] == doubles[4]);
    assert_eq!(floats, [doubles[0], doubles[2], doubles[5], doubles[6]]);
}

#[test]
fn instants_meet_across_units_and_zones_and_dates_across_widths() {
    let seconds = TimestampSecondArray::from(vec![1, -1, i64::MAX]).with_timezone("Europe/Berlin");
    let micros =
        TimestampMicrosecondArray::from(vec![1_000_000, -1_000_000, i64::MAX]).with_timezone("UTC");
    let (a, b) = pair(Arc::new(seconds), Arc::new(micros));
    assert!(a[0] == b[0] && a[1] == b[1] && a[2] != b[2]);

    let days = Date32Array::from(vec![0, -1, i32::MAX]);
    let millis = Date64Array::from(vec![0, -86_400_000, i64::from(i32::MAX) * 86_400_000]);
    let (a, b) = pair(Arc::new(days), Arc::new(millis));
    assert_eq!(a, b);
}

#[test]
fn decimals_are_equal_by_value_at_every_scale() {
    let cents =
        Decimal128Array::from(vec![100, 250, 0, -10]).with_precision_and_scale(10, 2).unwrap();
    let wide = [10_000, 25_000, 0, -1_000].map(i256::from_i128).to_vec();
    let wide = Decimal256Array::from(wide).with_precision_and_scale(60, 4).unwrap();
    let (a, b) = pair(Arc::new(cents), Arc::new(wide));
    assert_eq!(a, b);
}

#[test]
fn a_tuple_is_not_the_text_of_its_parts() {
    let a = StringArray::from(vec![Some("a"), Some("ab"), Some(""), None, Some("x"), None]);
    let b = StringArray::from(vec![Some("bc"), Some("c"), None, Some(""), None, Some("x")]);
    let (_, chunk) = keys_of(&batch(vec![Arc::new(a), Arc::new(b)]));
    let mut keys = all_keys(&chunk);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 6);
}

#[test]
fn lists_and_structs_are_values_wherever_they_stand() {
    let item = |values: [Option<i32>; 2]| Some(values.to_vec());
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
        item([Some(9), Some(9)]),
        item([Some(1), None]),
        Some(vec![]),
        Some(vec![Some(1)]),
        item([Some(1), None]),
        None,
    ]);
    let lists: ArrayRef = Arc::new(lists);
    let fields = vec![
        (Arc::new(Field::new("l", lists.data_type().clone(), true)), lists.clone()),
        (
            Arc::new(Field::new("d", DataType::Int32, true)),
            Arc::new(Int32Array::from(vec![0, 1, 1, 1, 1, 1])) as ArrayRef,
        ),
    ];
    for column in [lists, Arc::new(StructArray::from(fields))] {
        let tail = column.slice(1, 5);
        let (_, chunk) = keys_of(&batch(vec![tail]));
        let keys = all_keys(&chunk);
        assert_eq!(keys[0], keys[3]);
        assert!(
            keys[1] != keys[0] && keys[2] != keys[0] && keys[2] != keys[1] && keys[4] != keys[1]
        );
    }
}

#[test]
fn odd_columns_have_keys_too() {
    let ids = FixedSizeBinaryArray::try_from_iter([[7_u8; 16], [8; 16], [7; 16]].iter()).unwrap();
    let bytes = BinaryArray::from(vec![&[8_u8; 16][..], &[7; 16], &[7; 16]]);
    let (a, b) = pair(Arc::new(ids.slice(1, 2)), Arc::new(bytes.slice(0, 2)));
    assert_eq!(a, b);

    let (encoder, nulls) = keys_of(&batch(vec![Arc::new(NullArray::new(3))]));
    assert_eq!(
        (nulls.any_null.as_slice(), encoder.describe(nulls.key(0)).as_deref()),
        (&[7][..], Some("null"))
    );

    let empty = DictionaryArray::<Int8Type>::new(
        arrow::array::Int8Array::from(vec![None, None]),
        Arc::new(StringArray::from(Vec::<&str>::new())),
    );
    let (_, chunk) = keys_of(&batch(vec![Arc::new(empty)]));
    assert_eq!(chunk.all_null, [3]);
}

#[test]
fn keys_that_are_values_can_be_read() {
    let shown = |array: ArrayRef| {
        let (encoder, chunk) = keys_of(&batch(vec![array]));
        encoder.describe(chunk.key(0))
    };
    assert_eq!(shown(Arc::new(Int32Array::from(vec![-5]))).as_deref(), Some("-5"));
    assert_eq!(
        shown(Arc::new(UInt64Array::from(vec![u64::MAX]))).as_deref(),
        Some("18446744073709551615")
    );
    assert_eq!(shown(Arc::new(BooleanArray::from(vec![true]))).as_deref(), Some("true"));
    assert_eq!(shown(Arc::new(Float64Array::from(vec![-0.0]))).as_deref(), Some("0.0"));
    assert_eq!(shown(Arc::new(Date32Array::from(vec![-1]))).as_deref(), Some("1969-12-31"));
    let money = Decimal128Array::from(vec![-1050]).with_precision_and_scale(8, 2).unwrap();
    assert_eq!(shown(Arc::new(money)).as_deref(), Some("-10.50"));
    let time = TimestampSecondArray::from(vec![1_700_000_000]);
    assert_eq!(shown(Arc::new(time)).as_deref(), Some("2023-11-14T22:13:20"));
    assert_eq!(shown(Arc::new(Int64Array::from(vec![None]))).as_deref(), Some("null"));
    assert_eq!(shown(Arc::new(StringArray::from(vec!["a"]))), None);

    let two = batch(vec![
        Arc::new(StringArray::from(vec!["JFK"])),
        Arc::new(Int64Array::from(vec![None])),
    ]);
    assert_eq!(keys_of(&two).0.text(&two, 0), "(JFK, null)");
    let long = batch(vec![Arc::new(StringArray::from(vec!["é".repeat(5_000)]))]);
    assert_eq!(keys_of(&long).0.text(&long, 0).chars().count(), 201);
}

#[test]
fn what_cannot_be_compared_is_refused_before_any_data() {
    let schema = |data_type: DataType| Schema::new(vec![Field::new("id", data_type, true)]);
    let pair = |a: DataType, b: DataType| {
        KeyEncoder::pair((&["id"], &schema(a)), (&["id"], &schema(b))).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        pair(DataType::Int64, DataType::Utf8).to_string(),
        "validate.key: invalid: values of these types are never equal \
         (child: \"id\" Int64, parent: \"id\" Utf8); \
         hint: cast one of the columns to the type of the other"
    );
    let second = arrow::datatypes::TimeUnit::Second;
    let zoned = DataType::Timestamp(second, Some("UTC".into()));
    let error = pair(zoned, DataType::Timestamp(second, None));
    assert!(error.hint().unwrap().contains("time zone"), "{error}");
    pair(DataType::Float64, DataType::Int64);
    pair(DataType::Utf8, DataType::Binary);

    let ids = schema(DataType::Int64);
    assert_eq!(KeyEncoder::new(&["nope"], &ids).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(KeyEncoder::new::<&str>(&[], &ids).unwrap_err().kind(), ErrorKind::Invalid);
    assert!(KeyEncoder::pair((&["id"], &ids), (&["id", "id"], &ids)).is_err());
    let encoder = KeyEncoder::new(&["id"], &ids).unwrap();
    let other = batch(vec![Arc::new(StringArray::from(vec!["a"]))]);
    let error = encoder.encode(&other, &mut KeyChunk::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "validate.key: invalid: the batch is not of the schema that the key was made for \
         (column: \"id\", expected: Int64, found: Utf8)"
    );
}
