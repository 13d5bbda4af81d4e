use arrow::array::{
    Array, ArrayRef, DictionaryArray, FixedSizeListArray, Float32Array, Int8Array, Int32Array,
    ListArray, ListViewArray, RecordBatch, StringArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};

use super::*;

fn batch(array: impl Array + 'static) -> RecordBatch {
    let array: ArrayRef = Arc::new(array);
    RecordBatch::try_from_iter_with_nullable([("x", array, true)]).unwrap()
}

fn faults(line: &str, batch: &RecordBatch) -> Vec<String> {
    lines(&inputs(&[line]).check_batch(batch).faults)
}

fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new_list_field(data_type, true))
}

#[test]
fn a_batch_is_judged_by_its_nulls_and_not_by_its_flags() {
    let clean = batch(Int8Array::from(vec![Some(1), Some(2)]));
    let holes = batch(Int8Array::from(vec![Some(1), None, None]));
    assert!(faults("x: int8", &clean).is_empty());
    assert!(!inputs(&["x: int8"]).check_inputs(clean.schema_ref()).is_ok());
    assert_eq!(faults("x: int8", &holes), ["input column \"x\": expected no nulls, found 2"]);
    assert!(faults("x: int8?", &holes).is_empty());
    assert_eq!(
        lines(&outputs(&["x: int8"]).check_output_batch(&holes).faults),
        ["output column \"x\": expected no nulls, found 2"],
    );
    // It widens, and its nulls are wrong all the same.
    let check = inputs(&["x: int16"]).check_batch(&holes);
    assert_eq!((check.faults.len(), check.notes.len()), (1, 1));
}

#[test]
fn a_null_of_a_dictionary_is_one_whether_it_is_a_key_or_a_value() {
    let keys = Int8Array::from(vec![Some(0), None, Some(1), Some(1)]);
    let values = StringArray::from(vec![Some("a"), None]);
    let array = DictionaryArray::new(keys, Arc::new(values));
    assert_eq!(
        faults("x: utf8", &batch(array)),
        ["input column \"x\": expected no nulls, found 3"]
    );
}

#[test]
fn a_null_inside_of_a_null_row_or_beside_all_rows_does_not_count() {
    // Rows: [0, null], null (over the items 2 and 3), [4]; item 5 belongs to no row.
    let values = || Int32Array::from(vec![Some(0), None, None, None, Some(4), None]);
    let offsets = || OffsetBuffer::new(vec![0, 2, 4, 5].into());
    let nulls = || Some(NullBuffer::from(vec![true, false, true]));
    let list = ListArray::new(item(DataType::Int32), offsets(), Arc::new(values()), nulls());
    let one = "input column \"x\": expected no nulls in [], found 1";
    assert_eq!(faults("x: list<int32>?", &batch(list.clone())), [one]);
    assert!(faults("x: list<int32?>?", &batch(list.clone())).is_empty());
    assert!(faults("x: list<int32>?", &batch(list.slice(1, 2))).is_empty());

    let view = ListViewArray::new(
        item(DataType::Int32),
        vec![0, 2, 4].into(),
        vec![2, 2, 1].into(),
        Arc::new(values()),
        nulls(),
    );
    assert_eq!(faults("x: list<int32>?", &batch(view)), [one]);

    let fixed = FixedSizeListArray::new(item(DataType::Int32), 2, Arc::new(values()), nulls());
    assert_eq!(
        faults("x: fixed_list[2]<int32>", &batch(fixed)),
        [
            "input column \"x\": expected no nulls, found 1",
            "input column \"x\": expected no nulls in [], found 2",
        ],
    );
}

#[test]
fn nulls_are_found_in_fields_of_items_and_behind_dictionaries() {
    let fields: Fields = vec![Field::new("v", DataType::Float32, true)].into();
    let floats: ArrayRef = Arc::new(Float32Array::from(vec![None, Some(1.0), None]));
    let structs =
        StructArray::new(fields.clone(), vec![floats], Some(vec![true, true, false].into()));
    let part =
        |part: &str| vec![format!("input column \"x\": expected no nulls in {part}, found 1")];
    assert_eq!(faults("x: struct<v: float32>?", &batch(structs.clone())), part(".v"));

    let offsets = OffsetBuffer::new(vec![0, 1, 3].into());
    let data_type = item(DataType::Struct(fields));
    let list = ListArray::new(data_type, offsets, Arc::new(structs.clone()), None);
    assert_eq!(faults("x: list<struct<v: float32>?>", &batch(list)), part("[].v"));

    // The first value has a null, but no row uses it until the second case.
    for (keys, expected) in [(vec![1, 2], vec![]), (vec![1, 0], part(".v"))] {
        let array = DictionaryArray::new(Int8Array::from(keys), Arc::new(structs.clone()));
        assert_eq!(faults("x: struct<v: float32>?", &batch(array)), expected);
    }
    let none = DictionaryArray::new(Int8Array::new_null(2), Arc::new(structs.slice(0, 0)));
    assert!(faults("x: struct<v: float32>?", &batch(none)).is_empty());
}
