use arrow::array::{
    BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Int8Array, LargeStringArray,
    NullArray, StringViewArray, UInt64Array,
};
use arrow::datatypes::UInt16Type;
use mlops_core::ErrorKind;
use mlops_core::features::OnlineAnswer;

use super::*;

const ORDER: WriteOrder = WriteOrder { event_time: 10, created: 10, seq: 0 };

fn service(data_type: KeyType, keys: &KeyBatch) -> Prepared {
    let store = Shelf::default();
    write(&store, "v", keys, &[ORDER], &floats("x", vec![Some(1.5)]), 20);
    let columns = [column("x", FeatureType::Float)];
    let views = vec![view("v", "", &[key("id", data_type)], &columns, Visibility::default())];
    Prepared::new(Arc::new(store), views).unwrap()
}

fn ask(service: &Prepared, ids: ArrayRef) -> mlops_core::Result<OnlineAnswer> {
    service.answer_local(&RecordBatch::try_from_iter([("id", ids)]).unwrap(), 20)
}

/// What became of each row, as one word.
fn found(service: &Prepared, ids: ArrayRef) -> String {
    let answer = ask(service, ids).unwrap();
    answer.views[0].iter().map(|s| if *s == RowStatus::Found { 'y' } else { 'n' }).collect()
}

fn text_key(text: &[u8]) -> KeyBatch {
    let mut keys = KeyBatch::new();
    keys.text(text);
    keys.end(true).unwrap();
    keys
}

#[test]
fn keys_are_equal_by_value_whatever_their_encoding() {
    let int = service(KeyType::Int, &int_keys([7]));
    let dictionary: DictionaryArray<UInt16Type> =
        DictionaryArray::new(vec![1, 0, 1].into(), Arc::new(Int8Array::from(vec![1, 7])));
    assert_eq!(found(&int, Arc::new(Int64Array::from(vec![Some(7), Some(8), None]))), "ynn");
    assert_eq!(found(&int, Arc::new(Int8Array::from(vec![7, -7]))), "yn");
    assert_eq!(found(&int, Arc::new(UInt64Array::from(vec![7, u64::MAX]))), "yn");
    assert_eq!(found(&int, Arc::new(dictionary)), "yny");
    assert_eq!(found(&int, Arc::new(NullArray::new(2))), "nn");
    assert_eq!(found(&int, Arc::new(Int64Array::from(vec![0, 7, 0]).slice(1, 1))), "y");

    let text = service(KeyType::String, &text_key(b"JFK"));
    assert_eq!(found(&text, Arc::new(LargeStringArray::from(vec!["JFK", "jfk"]))), "yn");
    assert_eq!(found(&text, Arc::new(StringViewArray::from(vec![None, Some("JFK")]))), "ny");
    let bytes = service(KeyType::Bytes, &text_key(b"\0\xff"));
    assert_eq!(found(&bytes, Arc::new(BinaryArray::from_vec(vec![b"\0\xff", b""]))), "yn");
    let fixed = FixedSizeBinaryArray::try_from_iter([b"\0\xff", b"\0\xfe"].into_iter()).unwrap();
    assert_eq!(found(&bytes, Arc::new(fixed)), "yn");
}

#[test]
fn a_key_of_another_type_is_an_error_and_never_no_match() {
    let int = service(KeyType::Int, &int_keys([7]));
    let wrong: [ArrayRef; 3] = [
        Arc::new(StringViewArray::from(vec!["7"])),
        Arc::new(Float64Array::from(vec![7.0])),
        Arc::new(BooleanArray::from(vec![true])),
    ];
    for ids in wrong {
        let named = ids.data_type().to_string();
        let error = ask(&int, ids).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = error.to_string();
        assert!(text.contains(&format!("column: id, found: {named}, expected: int")), "{text}");
    }
    let text = service(KeyType::String, &text_key(b"7"));
    assert!(ask(&text, Arc::new(Int8Array::from(vec![7]))).is_err());
    assert!(ask(&text, Arc::new(BinaryArray::from_vec(vec![b"7"]))).is_err());

    let mut row = Row::new();
    let error = int.row(&[KeyValue::Str("7")], 20, &mut row).unwrap_err();
    assert!(error.to_string().contains("column: id, found: string, expected: int"), "{error}");
    let error = int.row(&[], 20, &mut row).unwrap_err();
    assert!(error.to_string().contains("expected: id"), "{error}");
    let other = RecordBatch::try_from_iter([("ident", Arc::new(NullArray::new(1)) as ArrayRef)]);
    let error = int.answer_local(&other.unwrap(), 20).unwrap_err();
    assert!(error.to_string().contains("column: id, columns: ident"), "{error}");
}

#[test]
fn a_row_is_of_use_after_an_error_and_for_another_service() {
    let int = service(KeyType::Int, &int_keys([7]));
    let text = service(KeyType::String, &text_key(b"JFK"));
    let mut row = Row::new();
    assert!(int.row(&[KeyValue::Str("7")], 20, &mut row).is_err());
    assert_eq!((row.status(0), row.float(0)), (Status::NotFound, None));
    int.row(&[KeyValue::Int(7)], 20, &mut row).unwrap();
    assert_eq!((row.status(0), row.float(0)), (Status::Present, Some(1.5)));
    int.row(&[KeyValue::Null], 20, &mut row).unwrap();
    assert_eq!((row.status(0), row.float(0)), (Status::NotFound, None));
    text.row(&[KeyValue::Str("JFK")], 20, &mut row).unwrap();
    assert_eq!((row.status(0), row.float(0)), (Status::Present, Some(1.5)));
    let mut columns = Columns::new();
    let foreign = text.batch(&int.keys(), 20, &mut columns).unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::Invalid);
}

#[test]
fn reused_buffers_allocate_nothing() {
    let int = service(KeyType::Int, &int_keys([7]));
    let text = service(KeyType::String, &text_key(b"JFK"));
    let (mut row, mut columns, mut keys) = (Row::new(), Columns::new(), text.keys());
    let mut work = || {
        for id in 6..9 {
            int.row(&[KeyValue::Int(id)], 20, &mut row).unwrap();
        }
        keys.clear();
        for code in ["JFK", "LGA", "EWR"] {
            keys.push(&[KeyValue::Str(code)]).unwrap();
        }
        text.batch(&keys, 20, &mut columns).unwrap();
    };
    work();
    let spent = allocation_counter::measure(&mut work);
    assert_eq!(spent.count_total, 0, "{spent:?}");
    assert_eq!(columns.status(0, 0), Status::Present);
}

#[test]
fn a_request_of_no_rows_is_answered_with_none() {
    let int = service(KeyType::Int, &int_keys([7]));
    let answer = ask(&int, Arc::new(Int64Array::from(Vec::<i64>::new()))).unwrap();
    assert_eq!((answer.batch.num_rows(), answer.batch.num_columns()), (0, 1));
    let none = Prepared::new(Arc::new(Shelf::default()), vec![]).unwrap();
    let answer = ask(&none, Arc::new(NullArray::new(3))).unwrap();
    assert_eq!((answer.batch.num_rows(), answer.batch.num_columns()), (3, 0));
}
