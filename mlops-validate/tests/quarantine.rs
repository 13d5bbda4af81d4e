//! Quarantine: the failing rows, all of them, in order, with their reasons; or nothing at all.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, UInt64Type};
use futures::executor::block_on;
use futures::{StreamExt, stream};
use mlops_core::time::{Instant, from_micros};
use mlops_core::validation::{Check, Data, Suite, Validation, Validator};
use mlops_core::{Error, ErrorKind, Result};
use mlops_validate::{Engine, Inputs, Plan};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

fn now() -> Instant {
    from_micros(1_760_000_000_000_000).unwrap()
}

fn suite(checks: &[&str]) -> Suite {
    let mut suite = Suite::new("quarantine").unwrap();
    suite.checks = checks.iter().map(|json| serde_json::from_str::<Check>(json).unwrap()).collect();
    suite
}

const ROW_RULES: [&str; 3] = [
    r#"{"check": "range", "column": "id", "max": 99997, "id": "small"}"#,
    r#"{"check": "not_null", "column": "text", "id": "there"}"#,
    r#"{"check": "range", "column": "id", "max": 10, "severity": "warn", "id": "tiny"}"#,
];

fn with_unique() -> Suite {
    let mut suite = suite(&ROW_RULES);
    let unique = r#"{"check": "unique", "columns": ["key"], "id": "once", "where": "id < 90000"}"#;
    suite.checks.push(serde_json::from_str(unique).unwrap());
    suite
}

/// Rows of which `i % 10,000 = 13` have no text, and the keys of rows 5 and 70,005 are the same.
fn rows() -> RecordBatch {
    let ids = 0..100_000_i64;
    let key = |i| if i == 70_005 { 5 } else { i };
    let text = |i| (i % 10_000 != 13).then(|| format!("text {i}"));
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from_iter_values(ids.clone()))),
        ("key", Arc::new(Int64Array::from_iter_values(ids.clone().map(key)))),
        ("text", Arc::new(ids.map(text).collect::<StringArray>())),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

/// What is expected of [`rows`].
fn expected(unique: bool) -> Vec<(u64, String)> {
    let mut rows: Vec<(u64, String)> =
        (0..10).map(|i| (i * 10_000 + 13, "there".to_owned())).collect();
    rows.extend([(99_998, "small".to_owned()), (99_999, "small".to_owned())]);
    if unique {
        rows.extend([(5, "once".to_owned()), (70_005, "once".to_owned())]);
    }
    rows.sort();
    rows
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(9_000)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn store() -> (Engine, Arc<InMemory>) {
    let store = Arc::new(InMemory::new());
    (Engine::new().with_store("mem://", Arc::clone(&store) as Arc<dyn ObjectStore>), store)
}

fn put(store: &InMemory, name: &str, bytes: Vec<u8>) {
    block_on(store.put(&Path::from(name), bytes.into())).unwrap();
}

fn get(store: &InMemory, name: &str) -> Option<bytes::Bytes> {
    let got = block_on(store.get(&Path::from(name))).ok()?;
    Some(block_on(got.bytes()).unwrap())
}

fn read(bytes: bytes::Bytes) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// Row numbers with the names of the failed checks.
fn reasons(bad: &RecordBatch) -> Vec<(u64, String)> {
    let rows = bad.column_by_name("_row").unwrap().as_primitive::<UInt64Type>();
    let reasons = bad.column_by_name("_failed_checks").unwrap().as_list::<i32>();
    (0..bad.num_rows())
        .map(|row| {
            let names = reasons.value(row);
            let names: Vec<&str> = names.as_string::<i32>().iter().flatten().collect();
            (rows.value(row), names.join("+"))
        })
        .collect()
}

fn quarantined(suite: &Suite, data: Data, threads: usize) -> Result<Option<RecordBatch>> {
    let (engine, store) = store();
    put(&store, "in.parquet", parquet(&rows()));
    let mut validation = Validation::new(data, now());
    validation.options.threads = threads;
    validation.options.quarantine = Some("mem://bad.parquet".to_owned());
    block_on(engine.validate(suite, validation))?;
    Ok(get(&store, "bad.parquet").map(read))
}

#[test]
fn failing_rows_are_written_in_order_with_their_reasons() {
    let whole = rows();
    for threads in [1, 2] {
        for (suite, unique) in [(suite(&ROW_RULES), false), (with_unique(), true)] {
            for data in [Data::from(whole.clone()), Data::files(["mem://in.parquet"])] {
                let what = format!("{data:?}, {threads} threads");
                let bad = quarantined(&suite, data, threads).unwrap().unwrap();
                assert_eq!(reasons(&bad), expected(unique), "{what}");
                assert_eq!(bad.num_columns(), 5);
                let row = reasons(&bad).iter().position(|(row, _)| *row == 99_998).unwrap();
                assert_eq!(bad.column(2).as_string::<i32>().value(row), "text 99998");
            }
        }
    }
}

#[test]
fn a_stream_is_blamed_as_it_passes() {
    for threads in [1, 2] {
        let whole = rows();
        let batches = (0..10).map(|i| Ok(rows().slice(i * 10_000, 10_000)));
        let data = Data::stream(whole.schema(), stream::iter(batches.collect::<Vec<_>>()).boxed());
        let bad = quarantined(&suite(&ROW_RULES), data, threads).unwrap().unwrap();
        assert_eq!(reasons(&bad), expected(false));
    }
}

#[test]
fn a_stream_with_a_rule_that_needs_a_second_look_is_refused_unread() {
    let poisoned = stream::poll_fn(|_| panic!("a value was read")).boxed();
    let data = Data::stream(rows().schema(), poisoned);
    let error = quarantined(&with_unique(), data, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.hint().is_some() && error.to_string().contains("once"), "{error}");
}

#[test]
fn good_data_makes_a_file_of_no_rows() {
    let good = rows().slice(0, 10);
    let bad = quarantined(&suite(&ROW_RULES), good.into(), 1).unwrap().unwrap();
    assert_eq!(bad.num_rows(), 0);
    assert_eq!(bad.schema().field(3).data_type(), &DataType::UInt64);
}

#[test]
fn a_failure_leaves_the_file_as_it_was() {
    let (engine, store) = store();
    put(&store, "bad.parquet", b"as it was".to_vec());
    let whole = rows();
    let broken: Vec<Result<RecordBatch>> =
        vec![Ok(whole.clone()), Err(Error::unavailable("test", "the line is down"))];
    let data = Data::stream(whole.schema(), stream::iter(broken).boxed());
    let mut validation = Validation::new(data, now());
    validation.options.quarantine = Some("mem://bad.parquet".to_owned());
    let error = block_on(engine.validate(&suite(&ROW_RULES), validation)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(get(&store, "bad.parquet").unwrap(), "as it was");
}

#[test]
fn a_local_file_is_replaced_whole_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.parquet");
    std::fs::write(&path, "as it was").unwrap();
    // Random text, so that the file is written in several parts.
    let text = |i: u64| {
        let words: Vec<String> = (i * 40..i * 40 + 40)
            .map(|k| format!("{:x}", k.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 7))
            .collect();
        Some(words.concat())
    };
    let long: StringArray = (0..40_000).map(text).collect();
    let batch = RecordBatch::try_from_iter([("text", Arc::new(long) as ArrayRef)]).unwrap();
    let suite = suite(&[r#"{"check": "is_null", "column": "text"}"#]);
    let mut validation = Validation::new(batch, now());
    validation.options.quarantine = Some(path.display().to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(Engine::new().validate(&suite, validation)).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 9 << 20, "{} bytes are one part", bytes.len());
    assert_eq!(read(bytes.into()).num_rows(), 40_000);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_column_of_the_same_name_is_refused() {
    let ids = Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("_row", ids)]).unwrap();
    let suite = suite(&[r#"{"check": "not_null", "column": "_row"}"#]);
    let error = quarantined(&suite, batch.into(), 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("_row"), "{error}");
}

#[test]
fn a_batch_is_split_by_the_rules_that_judge_rows() {
    let batch = rows().slice(60_000, 39_999);
    let plan = Plan::new(&with_unique(), &batch.schema(), &Inputs::new(now())).unwrap();
    let split = plan.split(&batch).unwrap();
    assert_eq!(split.good.num_rows() + split.bad.num_rows(), batch.num_rows());
    let ids = split.bad.column(0).as_primitive::<arrow::datatypes::Int64Type>();
    let found: Vec<(u64, String)> = ids
        .values()
        .iter()
        .zip(&split.reasons)
        .map(|(id, reasons)| (*id as u64, reasons.join("+")))
        .collect();
    let mut wanted = expected(false);
    wanted.retain(|(row, _)| (60_000..99_999).contains(row));
    assert_eq!(found, wanted);
    assert_eq!(split.good.column(2).null_count(), 0);
}
