use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int64Array,
    LargeListArray, LargeStringArray, ListArray, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{Float32Type, Int32Type, Int64Type};
use mlops_core::ErrorKind;
use mlops_core::features::{FeatureType, TableColumn};
use proptest::prelude::*;

use super::*;

const TYPES: [FeatureType; 9] = [
    FeatureType::Bool,
    FeatureType::Int,
    FeatureType::Float,
    FeatureType::Float32,
    FeatureType::String,
    FeatureType::Bytes,
    FeatureType::Timestamp,
    FeatureType::Date,
    FeatureType::Vector,
];

fn column(name: impl Into<String>, data_type: FeatureType) -> TableColumn {
    TableColumn { name: name.into(), data_type }
}

/// A value that owns what it holds.
#[derive(Debug, Clone)]
enum Owned {
    Null,
    Bool(bool),
    Int(i64),
    Float(u64),
    Float32(u32),
    String(String),
    Bytes(Vec<u8>),
    Timestamp(i64),
    Date(i32),
    Vector(Vec<f32>),
}

impl Owned {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(v) => Value::Bool(*v),
            Self::Int(v) => Value::Int(*v),
            Self::Float(v) => Value::Float(f64::from_bits(*v)),
            Self::Float32(v) => Value::Float32(f32::from_bits(*v)),
            Self::String(v) => Value::String(v),
            Self::Bytes(v) => Value::Bytes(v),
            Self::Timestamp(v) => Value::Timestamp(*v),
            Self::Date(v) => Value::Date(*v),
            Self::Vector(v) => Value::Vector(v),
        }
    }
}

/// Equal to the last bit, NaN and the sign of zero included.
fn bits(value: Value<'_>) -> String {
    match value {
        Value::Float(v) => format!("float {:x}", v.to_bits()),
        Value::Float32(v) => format!("float32 {:x}", v.to_bits()),
        Value::Vector(v) => format!("{:x?}", v.iter().map(|v| v.to_bits()).collect::<Vec<_>>()),
        other => format!("{other:?}"),
    }
}

fn value_of(data_type: FeatureType) -> BoxedStrategy<Owned> {
    let some = match data_type {
        FeatureType::Bool => any::<bool>().prop_map(Owned::Bool).boxed(),
        FeatureType::Int => any::<i64>().prop_map(Owned::Int).boxed(),
        FeatureType::Float => {
            prop_oneof![any::<u64>(), Just((-0.0_f64).to_bits()), Just(0x7ff8_0000_dead_beef)]
                .prop_map(Owned::Float)
                .boxed()
        }
        FeatureType::Float32 => any::<u32>().prop_map(Owned::Float32).boxed(),
        FeatureType::String => "\\PC{0,5}".prop_map(Owned::String).boxed(),
        FeatureType::Bytes => {
            proptest::collection::vec(any::<u8>(), 0..5).prop_map(Owned::Bytes).boxed()
        }
        FeatureType::Timestamp => any::<i64>().prop_map(Owned::Timestamp).boxed(),
        FeatureType::Date => any::<i32>().prop_map(Owned::Date).boxed(),
        _ => proptest::collection::vec(any::<u32>().prop_map(f32::from_bits), 0..4)
            .prop_map(Owned::Vector)
            .boxed(),
    };
    prop_oneof![1 => Just(Owned::Null), 4 => some].boxed()
}

/// A table's columns, and rows of it.
fn table() -> impl Strategy<Value = (Vec<TableColumn>, Vec<Vec<Owned>>)> {
    proptest::collection::vec(0..TYPES.len(), 0..20).prop_flat_map(|types| {
        let columns: Vec<_> = types
            .iter()
            .enumerate()
            .map(|(index, data_type)| column(format!("c{index}"), TYPES[*data_type]))
            .collect();
        let row: Vec<_> = columns.iter().map(|column| value_of(column.data_type)).collect();
        (Just(columns), proptest::collection::vec(row, 1..6))
    })
}

fn batch(columns: &[TableColumn], rows: &[Vec<Owned>]) -> RecordBatch {
    let arrays = columns.iter().enumerate().map(|(index, column)| {
        let mut values = Column::new(column.data_type).unwrap();
        for row in rows {
            values.push(row[index].value()).unwrap();
        }
        (column.name.clone(), values.into_array(), true)
    });
    let arrays: Vec<_> = arrays.collect();
    if arrays.is_empty() {
        let schema = Arc::new(arrow::datatypes::Schema::empty());
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
        return RecordBatch::try_new_with_options(schema, vec![], &options).unwrap();
    }
    RecordBatch::try_from_iter_with_nullable(arrays).unwrap()
}

fn pack(codec: &RowCodec, batch: &RecordBatch) -> PackedBatch {
    let mut packed = PackedBatch::new();
    codec.encode_rows(batch, 0..batch.num_rows(), &mut packed).unwrap();
    packed
}

fn unpack<'a>(
    codec: &RowCodec,
    rows: impl IntoIterator<Item = &'a [u8]>,
) -> mlops_core::Result<Vec<Column>> {
    let wanted = codec.project(codec.columns().iter().map(|column| &column.name))?;
    let mut payloads = Payloads::new();
    for row in rows {
        payloads.push(codec, row)?;
    }
    let mut columns = wanted.columns();
    wanted.decode(&payloads, &mut columns)?;
    Ok(columns)
}

proptest! {
    #[test]
    fn values_come_back_to_the_last_bit((columns, rows) in table(), cut in 0_usize..6) {
        let codec = RowCodec::new(&columns).unwrap();
        // A slice of a batch, packed in two calls, the second backwards.
        let all = batch(&columns, &rows);
        let cut = cut.min(rows.len() - 1);
        let part = all.slice(cut, rows.len() - cut);
        let mut packed = PackedBatch::new();
        codec.encode_rows(&part, 0..part.num_rows(), &mut packed).unwrap();
        codec.encode_rows(&all, (0..cut).rev(), &mut packed).unwrap();
        let expected: Vec<_> = rows[cut..].iter().chain(rows[..cut].iter().rev()).collect();

        let read = unpack(&codec, packed.iter()).unwrap();
        for (index, column) in read.into_iter().enumerate() {
            for (row, values) in expected.iter().enumerate() {
                prop_assert_eq!(bits(column.value(row)), bits(values[index].value()));
            }
            let array = column.into_array();
            prop_assert_eq!(array.data_type(), &columns[index].data_type.arrow());
            prop_assert_eq!(array.len(), rows.len());
        }
    }

    #[test]
    fn damaged_bytes_are_an_error_or_another_value_and_never_a_panic(
        (columns, rows) in table(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let codec = RowCodec::new(&columns).unwrap();
        let packed = pack(&codec, &batch(&columns, &rows));
        let whole = packed.get(0).unwrap();
        let short = unpack(&codec, [&whole[..cut.index(whole.len())]]);
        prop_assert!(short.is_err());
        let long = [whole, &[byte]].concat();
        prop_assert!(unpack(&codec, [&long[..]]).is_err());

        let mut changed = whole.to_vec();
        let at = at.index(whole.len());
        changed[at] = byte;
        match unpack(&codec, [&changed[..]]) {
            Ok(columns) => columns.into_iter().map(Column::into_array).for_each(drop),
            Err(error) => prop_assert!(matches!(
                error.kind(),
                ErrorKind::Corrupt | ErrorKind::Unsupported
            )),
        }
        if at < 8 && byte != whole[at] {
            prop_assert!(unpack(&codec, [&changed[..]]).is_err(), "the head is of another list");
        }
    }

    #[test]
    fn bytes_of_nowhere_are_never_a_panic(
        (columns, _) in table(),
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        keep_head in any::<bool>(),
    ) {
        let codec = RowCodec::new(&columns).unwrap();
        let row = if keep_head {
            [&codec.current().head.to_le_bytes()[..], &bytes].concat()
        } else {
            bytes
        };
        if let Ok(columns) = unpack(&codec, [&row[..]]) {
            for column in columns {
                column.into_array();
            }
        }
    }

    #[test]
    fn rows_of_another_version_read_as_null_what_they_lack(
        (columns, rows) in table(),
        keep in proptest::collection::vec(any::<bool>(), 20),
        turn in 0_usize..20,
    ) {
        let old = RowCodec::new(&columns).unwrap();
        let packed = pack(&old, &batch(&columns, &rows));
        let mut newer: Vec<_> = columns
            .iter()
            .zip(&keep)
            .filter(|(_, keep)| **keep)
            .map(|(column, _)| column.clone())
            .collect();
        newer.push(column("added", FeatureType::String));
        let turn = turn % newer.len();
        newer.rotate_left(turn);
        let codec = RowCodec::new(&newer).unwrap();
        let unknown = unpack(&codec, packed.iter()).unwrap_err();
        prop_assert_eq!(unknown.kind(), ErrorKind::Unsupported);

        let codec = codec.reading(&columns).unwrap();
        let read = unpack(&codec, packed.iter()).unwrap();
        for (column, values) in newer.iter().zip(&read) {
            let before = columns.iter().position(|other| other.name == column.name);
            for (row, expected) in rows.iter().enumerate() {
                let expected = before.map_or(Value::Null, |index| expected[index].value());
                prop_assert_eq!(bits(values.value(row)), bits(expected));
            }
        }
    }
}

#[test]
fn the_bytes_are_those_of_the_page() {
    let columns = [
        column("a", FeatureType::String),
        column("b", FeatureType::Int),
        column("c", FeatureType::Bytes),
        column("d", FeatureType::Bool),
    ];
    let codec = RowCodec::new(&columns).unwrap();
    let rows =
        [vec![Owned::String("xy".to_owned()), Owned::Int(-2), Owned::Null, Owned::Bool(true)]];
    let packed = pack(&codec, &batch(&columns, &rows));
    let row = packed.get(0).unwrap();
    let mut expected = vec![1, 168, 39, 141, 255, 254, 217, 250, 0b1011];
    expected.extend((-2_i64).to_le_bytes());
    expected.extend([1, 2, 0, 0, 0, 2, 0, 0, 0, b'x', b'y']);
    assert_eq!(row, expected, "a change of these bytes needs another version");
}

#[test]
fn other_encodings_are_packed_alike() {
    let columns = [
        column("s", FeatureType::String),
        column("b", FeatureType::Bytes),
        column("v", FeatureType::Vector),
        column("t", FeatureType::Timestamp),
    ];
    let codec = RowCodec::new(&columns).unwrap();
    let list = ListArray::from_iter_primitive::<Float32Type, _, _>([Some([Some(1.5)]), None]);
    let time = TimestampMicrosecondArray::from(vec![Some(5), None]).with_timezone("UTC");
    let of = |text: ArrayRef, vector: ArrayRef| {
        let binary = FixedSizeBinaryArray::try_from_sparse_iter_with_size(
            [Some(&b"ab"[..]), None].into_iter(),
            2,
        );
        RecordBatch::try_from_iter_with_nullable([
            ("t", Arc::new(time.clone()) as ArrayRef, true),
            ("s", text, true),
            ("v", vector, true),
            ("b", Arc::new(binary.unwrap()), true),
            ("other", Arc::new(Int64Array::from(vec![1, 2])), true),
        ])
        .unwrap()
    };
    let text = [Some("x"), None];
    let plain = pack(&codec, &of(Arc::new(StringArray::from(text.to_vec())), Arc::new(list)));
    let wide = LargeListArray::from_iter_primitive::<Float32Type, _, _>([Some([Some(1.5)]), None]);
    let wide: ArrayRef = Arc::new(wide);
    let dictionary: DictionaryArray<Int32Type> = text.into_iter().collect();
    let encodings: [ArrayRef; 3] = [
        Arc::new(LargeStringArray::from(text.to_vec())),
        Arc::new(StringViewArray::from(text.to_vec())),
        Arc::new(dictionary),
    ];
    for encoding in encodings {
        let packed = pack(&codec, &of(encoding, Arc::clone(&wide)));
        assert!(packed.iter().eq(plain.iter()));
    }
}

#[test]
fn what_cannot_be_packed_is_said_and_leaves_nothing_behind() {
    let codec = RowCodec::new(&[column("a", FeatureType::Float)]).unwrap();
    let of = |name: &str, array: ArrayRef| {
        RecordBatch::try_from_iter_with_nullable([(name, array, true)]).unwrap()
    };
    let mut packed = pack(&codec, &of("a", Arc::new(Float64Array::from(vec![1.0]))));
    let mut refused = |codec: &RowCodec, batch: RecordBatch, rows| {
        let error = codec.encode_rows(&batch, 0..rows, &mut packed).unwrap_err();
        assert_eq!((error.kind(), packed.len()), (ErrorKind::Invalid, 1));
        error.to_string()
    };
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let other = refused(&codec, of("a", Arc::clone(&ints)), 1);
    assert!(other.contains("Int64") && other.contains("Float64"), "{other}");
    assert!(refused(&codec, of("b", ints), 1).contains("columns: b"));
    let good = of("a", Arc::new(Float64Array::from(vec![1.0])));
    assert!(refused(&codec, good, 2).contains("no such row"));

    let times = RowCodec::new(&[column("a", FeatureType::Timestamp)]).unwrap();
    refused(&times, of("a", Arc::new(TimestampNanosecondArray::from(vec![1]))), 1);
    let vectors = RowCodec::new(&[column("a", FeatureType::Vector)]).unwrap();
    let holed = ListArray::from_iter_primitive::<Float32Type, _, _>([Some([Some(1.0), None])]);
    assert!(refused(&vectors, of("a", Arc::new(holed)), 1).contains("null in it"));
    // A null below a null list is nobody's value.
    let masked = ListArray::from_iter_primitive::<Float32Type, _, _>([
        Some(vec![Some(1.0)]),
        Some(vec![None]),
    ]);
    let nulls = arrow::buffer::NullBuffer::from(vec![true, false]);
    let (field, offsets, items, _) = masked.into_parts();
    let masked = ListArray::new(field, offsets, items, Some(nulls));
    let read = pack(&vectors, &of("a", Arc::new(masked)));
    let read = unpack(&vectors, read.iter()).unwrap();
    assert_eq!((read[0].value(0), read[0].value(1)), (Value::Vector(&[1.0]), Value::Null));
}

#[test]
fn a_codec_of_columns_that_clash_is_refused() {
    let twice = [column("a", FeatureType::Int), column("a", FeatureType::Float)];
    assert_eq!(RowCodec::new(&twice).unwrap_err().kind(), ErrorKind::Invalid);
    let codec = RowCodec::new(&twice[..1]).unwrap();
    let other = codec.clone().reading(&twice[1..]).unwrap_err();
    assert!(other.to_string().contains("another type"), "{other}");
    assert!(codec.project(["b"]).unwrap_err().to_string().contains("columns: a"));
}

#[test]
fn columns_take_values_of_their_type_alone() {
    let mut times = Column::new(FeatureType::Timestamp).unwrap();
    times.push(Value::Timestamp(3)).unwrap();
    assert_eq!(times.push(Value::Int(3)).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!((times.ints(), times.value(1)), (Some(&[3][..]), Value::Null));
    let mut texts = Column::new(FeatureType::String).unwrap();
    assert!(texts.push(Value::Bytes(b"a")).is_err());
    texts.push(Value::Null).unwrap();
    texts.push(Value::String("a")).unwrap();
    assert_eq!(texts.into_array().as_string::<i32>().value(1), "a");
    assert_eq!(times.into_array().as_primitive_opt::<Int64Type>(), None);
}

#[test]
fn rows_that_one_codec_gathered_are_not_read_by_another() {
    let (a, b) = ([column("a", FeatureType::Int)], [column("b", FeatureType::Int)]);
    let plain = RowCodec::new(&a).unwrap();
    let reading = plain.clone().reading(&b).unwrap();
    let mut payloads = Payloads::new();
    payloads.push_none(&reading).unwrap();
    assert_eq!(payloads.push_none(&plain).unwrap_err().kind(), ErrorKind::Invalid);
    let wanted = plain.project(["a"]).unwrap();
    let read = wanted.decode(&payloads, &mut wanted.columns());
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Invalid);
    payloads.clear();
    payloads.push_none(&plain).unwrap();
    let mut columns = wanted.columns();
    wanted.decode(&payloads, &mut columns).unwrap();
    assert_eq!((columns[0].value(0), columns[0].ints()), (Value::Null, Some(&[0][..])));
}
