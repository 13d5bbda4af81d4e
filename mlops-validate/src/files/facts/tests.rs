//! A file for each rule of the essay, that would prove what is wrong if the rule were not there.

use std::sync::Arc;

use arrow::array::{
    Float64Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray, UInt32Array,
};
use arrow::datatypes::Int64Type;
use futures::executor::block_on;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{FileMetaData, ParquetMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::statistics::Statistics as Written;

use super::*;
use crate::files::Place;

fn column(array: ArrayRef) -> ParquetFile {
    let batch = RecordBatch::try_from_iter_with_nullable([("a", array, true)]).unwrap();
    let properties = WriterProperties::builder().set_statistics_truncate_length(Some(4)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    let length = bytes.len() as u64;
    let store = Arc::new(InMemory::new());
    block_on(store.put(&Path::from("a.parquet"), bytes.into())).unwrap();
    let place = Place {
        store: store as Arc<dyn ObjectStore>,
        path: Path::from("a.parquet"),
        url: "mem://a.parquet".to_owned(),
        is_folder: false,
    };
    block_on(ParquetFile::open(place, length)).unwrap()
}

/// The same file with other statistics of its one column.
fn saying(file: ParquetFile, statistics: Written) -> ParquetFile {
    let metadata = file.metadata();
    let group = metadata.row_group(0).clone();
    let chunk = group.column(0).clone().into_builder().set_statistics(statistics).build().unwrap();
    let group = group.into_builder().set_column_metadata(vec![chunk]).build().unwrap();
    let changed = ParquetMetaData::new(metadata.file_metadata().clone(), vec![group]);
    with_metadata(file, changed)
}

fn with_metadata(file: ParquetFile, metadata: ParquetMetaData) -> ParquetFile {
    let arrow =
        ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new()).unwrap();
    ParquetFile { arrow, ..file }
}

fn facts(file: &ParquetFile) -> ColumnFacts {
    of(file, &[], file.schema().field(0).data_type().clone())
}

fn of(file: &ParquetFile, fields: &[&str], data_type: DataType) -> ColumnFacts {
    let fields = fields.iter().map(|name| (*name).to_owned()).collect();
    let wanted = Wanted { column: 0, fields, data_type };
    Statistics::new(file, &[wanted]).of(file, 0).remove(0)
}

fn numbers() -> ParquetFile {
    column(Arc::new(Int64Array::from(vec![Some(3), None, Some(7)])))
}

#[test]
fn ends_of_numbers_are_values() {
    let facts = facts(&numbers());
    assert_eq!(facts.nulls, Some(1));
    assert_eq!(facts.ends.unwrap().as_primitive::<Int64Type>().values(), &[3, 7]);
    assert!(facts.ends_are_values && facts.no_nan);
}

#[test]
fn nulls_that_are_not_counted_are_unknown() {
    let facts = facts(&saying(numbers(), Written::int64(Some(3), Some(7), None, None, false)));
    assert_eq!(facts.nulls, None);
    assert!(facts.ends.is_some());
}

#[test]
fn more_nulls_than_rows_say_nothing() {
    let facts = facts(&saying(numbers(), Written::int64(Some(3), Some(7), None, Some(4), false)));
    assert!(facts.nulls.is_none() && facts.ends.is_none());
}

#[test]
fn a_minimum_above_the_maximum_says_nothing() {
    let facts = facts(&saying(numbers(), Written::int64(Some(9), Some(7), None, Some(1), false)));
    assert!(facts.nulls.is_none() && facts.ends.is_none());
}

#[test]
fn the_old_minimum_and_maximum_are_no_ends() {
    let facts = facts(&saying(numbers(), Written::int64(Some(3), Some(7), None, Some(1), true)));
    assert_eq!(facts.nulls, Some(1));
    assert!(facts.ends.is_none());
}

#[test]
fn a_column_without_a_defined_order_has_no_ends() {
    let file = numbers();
    let known = file.metadata().file_metadata();
    let orders = vec![ColumnOrder::UNDEFINED];
    for orders in [None, Some(orders)] {
        let changed = FileMetaData::new(
            known.version(),
            known.num_rows(),
            None,
            None,
            known.schema_descr_ptr(),
            orders,
        );
        let changed = ParquetMetaData::new(changed, file.metadata().row_groups().to_vec());
        let facts = facts(&with_metadata(numbers(), changed));
        assert_eq!(facts.nulls, Some(1));
        assert!(facts.ends.is_none());
    }
}

#[test]
fn unsigned_numbers_that_are_ordered_as_signed_have_no_ends() {
    let file = column(Arc::new(UInt32Array::from(vec![1, 4_000_000_000])));
    assert!(facts(&file).ends.is_some());
    // Read as signed numbers, they are in the other order.
    let as_signed = of(&file, &[], DataType::Int32);
    assert!(as_signed.ends.is_none());
}

#[test]
fn shortened_ends_are_bounds_and_no_values() {
    let texts = StringArray::from(vec!["abcdefgh", "xyzxyz"]);
    let facts = facts(&column(Arc::new(texts)));
    let ends = facts.ends.unwrap();
    let ends = ends.as_string::<i32>();
    assert_eq!(ends.value(0), "abcd");
    assert!(ends.value(1) > "xyzxyz", "{}", ends.value(1));
    assert!(!facts.ends_are_values);
}

#[test]
fn ends_of_floats_say_nothing_of_nan_and_are_no_values() {
    let floats = Float64Array::from(vec![1.0, f64::NAN, 0.0, 5.0]);
    let facts = facts(&column(Arc::new(floats)));
    assert!(facts.ends.is_some());
    assert!(!facts.no_nan && !facts.ends_are_values);
}

#[test]
fn a_float_end_that_is_nan_says_nothing() {
    let file = column(Arc::new(Float64Array::from(vec![1.0, 5.0])));
    for (min, max) in [(f64::NAN, 5.0), (1.0, f64::NAN)] {
        let written = Written::double(Some(min), Some(max), None, Some(0), false);
        let changed = column(Arc::new(Float64Array::from(vec![1.0, 5.0])));
        assert!(facts(&saying(changed, written)).ends.is_none());
    }
    assert!(facts(&file).ends.is_some());
}

#[test]
fn a_field_is_known_by_its_leaf_and_a_list_by_nothing() {
    let zip = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])) as ArrayRef;
    let field = Arc::new(Field::new("zip", DataType::Int64, true));
    let nulls = arrow::buffer::NullBuffer::from(vec![true, true, false]);
    let address = StructArray::new(vec![field].into(), vec![zip], Some(nulls));
    let file = column(Arc::new(address));
    let inner = of(&file, &["zip"], DataType::Int64);
    // The struct's null is a null of the field.
    assert_eq!(inner.nulls, Some(2));
    assert!(inner.ends.is_some());
    let outer = of(&file, &[], file.schema().field(0).data_type().clone());
    assert!(outer.nulls.is_none() && outer.ends.is_none());

    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1)]), None]);
    let file = column(Arc::new(list));
    let facts = of(&file, &[], DataType::Int64);
    assert!(facts.nulls.is_none() && facts.ends.is_none());
}

#[test]
fn decimals_as_bytes_have_no_ends() {
    let decimals = arrow::array::Decimal128Array::from(vec![1, -2]);
    let wide = column(Arc::new(decimals.clone().with_precision_and_scale(30, 2).unwrap()));
    assert!(facts(&wide).ends.is_none());
    let narrow = column(Arc::new(decimals.with_precision_and_scale(9, 2).unwrap()));
    assert!(facts(&narrow).ends.is_some());
}
