//! Keys are equal by value, as tuples, and never across kinds.

use std::sync::Arc;

use arrow::array::{DictionaryArray, Int8Array, LargeStringArray, StringViewArray, UInt64Array};
use arrow::datatypes::Int32Type;

use super::*;

fn key(data_type: KeyType) -> [TableKey; 1] {
    [TableKey { name: "k".to_owned(), data_type }]
}

fn ids(keys: &Keys, of: &[TableKey], columns: &[ArrayRef]) -> Vec<u32> {
    let mut ids = Vec::new();
    keys.ids(of, columns, columns[0].len(), &mut ids).unwrap();
    ids
}

#[test]
fn whole_numbers_are_equal_by_value_whatever_their_type() {
    let of = key(KeyType::Int);
    for scale in [1, i64::MAX / 2] {
        let asked: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(scale), None, Some(-scale), Some(scale)]));
        let (keys, rows) = Keys::new(&of, &[asked], 4).unwrap();
        assert_eq!((rows, keys.len()), (vec![0, NONE, 1, 0], 2));
        let unsigned: ArrayRef = Arc::new(UInt64Array::from(vec![
            u64::MAX,
            scale as u64,
            3,
            u64::MAX - scale as u64 + 1,
        ]));
        assert_eq!(ids(&keys, &of, &[unsigned]), [NONE, 0, NONE, NONE]);
    }
    let asked: ArrayRef = Arc::new(Int64Array::from(vec![-1]));
    let (keys, _) = Keys::new(&of, &[asked], 1).unwrap();
    let small: ArrayRef = Arc::new(Int8Array::from(vec![Some(-1), None, Some(0)]));
    assert_eq!(ids(&keys, &of, &[small]), [0, NONE, NONE]);
    assert!(keys.asks_between(-5, -1) && !keys.asks_between(0, i64::MAX));
}

#[test]
fn texts_are_equal_in_every_encoding_and_never_to_numbers() {
    let of = key(KeyType::String);
    let asked: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("")]));
    let (keys, rows) = Keys::new(&of, &[asked], 3).unwrap();
    assert_eq!(rows, [0, NONE, 1]);
    let dictionary: DictionaryArray<Int32Type> = vec!["x", "a", ""].into_iter().collect();
    let encodings: [ArrayRef; 3] = [
        Arc::new(LargeStringArray::from(vec!["x", "a", ""])),
        Arc::new(StringViewArray::from(vec!["x", "a", ""])),
        Arc::new(dictionary),
    ];
    for column in encodings {
        assert_eq!(ids(&keys, &of, &[column]), [NONE, 0, 1]);
    }
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let error = keys.ids(&of, &[numbers], 1, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("column: k, type: Int64, expected: string"), "{error}");
}

#[test]
fn tuples_are_equal_as_tuples() {
    let text = |name: &str| TableKey { name: name.to_owned(), data_type: KeyType::String };
    let of = [text("a"), text("b")];
    let columns = |a: &str, b: &str| -> [ArrayRef; 2] {
        [Arc::new(StringArray::from(vec![a])), Arc::new(StringArray::from(vec![b]))]
    };
    let (keys, _) = Keys::new(&of, &columns("a", "bc"), 1).unwrap();
    assert_eq!(ids(&keys, &of, &columns("ab", "c")), [NONE]);
    assert_eq!(ids(&keys, &of, &columns("a", "bc")), [0]);
}
