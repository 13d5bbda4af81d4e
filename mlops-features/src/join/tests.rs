//! The join against twenty lines that look at every row, over small domains where ties and boundaries
//! happen all the time.

mod case;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use futures::executor::block_on;
use mlops_core::ErrorKind;
use mlops_core::features::{FeatureType, KeyType, Probe, RowStatus, Table, TableId, TableKey};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

use super::{JoinFile, Layout, as_of_files};
use case::{Case, Random, Row, instants, name, put};

#[test]
fn every_answer_is_that_of_the_oracle() {
    let mut random = Random(1);
    for number in 0..4_000 {
        let case = Case::random(&mut random);
        assert_eq!(case.answer(), case.expected(), "case {number}: {case:#?}");
    }
}

#[test]
fn the_cut_into_files_groups_pages_and_threads_changes_nothing() {
    let mut random = Random(2);
    for _ in 0..300 {
        let mut case = Case::random(&mut random);
        if case.layout == Layout::Segment {
            continue;
        }
        // One file of all rows, in the same order.
        case.fine = vec![case.fine.iter().copied().min().unwrap_or(1_000)];
        case.files = vec![case.files.concat()];
        let whole = case.expected();
        for cut in 0..3 {
            let rows = case.files.concat();
            let at = (random.below(rows.len() as u64 + 1)) as usize;
            let mut cut_case = case.clone();
            cut_case.files = vec![rows[..at].to_vec(), Vec::new(), rows[at..].to_vec()];
            cut_case.fine = vec![case.fine[0]; 3];
            cut_case.threads = 1 + cut;
            cut_case.group_rows = 1 + random.below(50) as usize;
            assert_eq!(cut_case.answer(), whole, "{cut_case:#?}");
        }
        // Rows later than every instant change nothing that is seen.
        let mut later = case.clone();
        let latest = later.asked.iter().map(|(_, t)| *t).max().unwrap_or(0) + 1_000;
        let row = Row {
            key: [Some(0); 2],
            event_time: Some(latest),
            created: Some(latest),
            value: Some(0),
        };
        later.files.push(vec![row; 20]);
        later.fine.push(1_000);
        assert_eq!(later.answer(), whole);
    }
}

#[test]
fn a_segment_without_a_column_answers_null_and_a_foreign_file_is_refused() {
    let store = Arc::new(InMemory::new());
    let batch = |at: &str, known: &str| {
        let keys: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let times = instants([Some(0)].into_iter(), 1_000);
        RecordBatch::try_from_iter([("k0", keys), (at, times.clone()), (known, times)]).unwrap()
    };
    let table = Table::new(
        TableId::new(&name(), 1),
        vec![TableKey { name: "k0".to_owned(), data_type: KeyType::Int }],
    )
    .with("value", FeatureType::Float);
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let probe =
        Probe::new(vec![keys], instants([Some(0)].into_iter(), 1_000), vec!["value".to_owned()]);
    let own = put(&store, "a", &batch(Table::EVENT_TIME, Table::CREATED), 9, 9, Layout::Segment);
    let answer = block_on(as_of_files(&table, vec![own], &probe, 0)).unwrap();
    assert_eq!(answer.rows, [RowStatus::Found]);
    assert!(answer.columns[0].as_primitive::<Float64Type>().is_null(0));
    let other = put(&store, "b", &batch("event_time", "known"), 9, 9, Layout::Foreign);
    let error = block_on(as_of_files(&table, vec![other], &probe, 0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "features.as_of: invalid: the file has no such column (file: b, column: value, columns: \
         k0, event_time, known)"
    );
}

fn one_row(columns: Vec<(&str, ArrayRef)>) -> (Arc<InMemory>, JoinFile, Table, Probe) {
    let store = Arc::new(InMemory::new());
    let mut batch = vec![("event_time", instants([Some(0)].into_iter(), 1_000))];
    batch.extend(columns);
    let batch = RecordBatch::try_from_iter(batch).unwrap();
    let file = put(&store, "f.parquet", &batch, 9, 9, Layout::Foreign);
    let key = TableKey { name: "k0".to_owned(), data_type: KeyType::Int };
    let table = Table::new(TableId::new(&name(), 1), vec![key]).with("value", FeatureType::Int);
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let times = instants([Some(0)].into_iter(), 1_000);
    (store, file, table, Probe::new(vec![keys], times, vec!["value".to_owned()]))
}

#[test]
fn wrong_types_are_named_even_where_no_row_matches() {
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![2]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
    for (columns, expected) in [
        (vec![("k0", texts.clone()), ("value", ints.clone())], "column: k0, type: Utf8"),
        (vec![("k0", ints.clone()), ("value", texts.clone())], "column: value"),
    ] {
        let (_store, file, table, probe) = one_row(columns);
        let error = block_on(as_of_files(&table, vec![file], &probe, 0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("f.parquet"), "{error}");
    }
    let (_store, file, mut table, probe) = one_row(vec![("k0", ints.clone()), ("value", ints)]);
    table.event_time = "k0".to_owned();
    let error = block_on(as_of_files(&table, vec![file], &probe, 0)).unwrap_err();
    assert!(
        error.to_string().contains("column: k0, type: Int64, expected: a timestamp"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_gone_or_cut_or_not_parquet_is_said_to_be() {
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let (store, file, table, probe) = one_row(vec![("k0", ints.clone()), ("value", ints)]);
    let kind = |file: &JoinFile| {
        let error = block_on(as_of_files(&table, vec![file.clone()], &probe, 0)).unwrap_err();
        assert!(error.to_string().contains("f.parquet"), "{error}");
        error.kind()
    };
    assert!(block_on(as_of_files(&table, vec![file.clone()], &probe, 0)).is_ok());
    let bytes = block_on(async { store.get(&file.path).await.unwrap().bytes().await.unwrap() });
    let unknown = JoinFile { bytes: None, ..file.clone() };
    for length in 0..bytes.len() {
        block_on(store.put(&file.path, bytes.slice(..length).into())).unwrap();
        assert_eq!(kind(&file), ErrorKind::Corrupt);
        assert_eq!(kind(&unknown), ErrorKind::Corrupt);
    }
    block_on(store.delete(&file.path)).unwrap();
    assert_eq!(kind(&file), ErrorKind::NotFound);
}

#[test]
fn damage_anywhere_is_an_error_or_harmless_and_never_a_panic() {
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let (store, file, table, probe) = one_row(vec![("k0", ints.clone()), ("value", ints)]);
    let bytes = block_on(async { store.get(&file.path).await.unwrap().bytes().await.unwrap() });
    std::panic::set_hook(Box::new(|_| {}));
    for at in 0..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 0x55;
        block_on(store.put(&file.path, damaged.into())).unwrap();
        let _ = block_on(as_of_files(&table, vec![file.clone()], &probe, 0));
    }
    let _ = std::panic::take_hook();
}

#[test]
fn who_asks_must_say_when_and_of_which_key() {
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let (_store, file, table, probe) = one_row(vec![("k0", ints.clone()), ("value", ints)]);
    let mut asks = vec![probe.clone(), probe.clone(), probe.clone(), probe];
    asks[0].times = instants([None].into_iter(), 1_000);
    asks[1].keys.clear();
    asks[2].times = Arc::new(Int64Array::from(vec![1]));
    asks[3].columns = vec!["other".to_owned()];
    for probe in asks {
        let error = block_on(as_of_files(&table, vec![file.clone()], &probe, 0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
}

#[test]
fn progress_ends_with_all_rows() {
    let mut random = Random(3);
    let mut case = Case::random(&mut random);
    while case.files.concat().is_empty() || case.asked.is_empty() {
        case = Case::random(&mut random);
    }
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let store = Arc::new(InMemory::new());
    let file = put(&store, "f", &case.batch(0), 3, 3, case.layout);
    let keys: Vec<_> = case.asked.iter().map(|(key, _)| *key).collect();
    let times = instants(case.asked.iter().map(|_| Some(i64::MAX)), case.asked_fine);
    let mut probe = Probe::new(case.key_columns(&keys, false), times, Vec::new());
    let heard = Arc::clone(&told);
    probe.progress = Some(Arc::new(move |progress| heard.lock().unwrap().push(progress)));
    block_on(as_of_files(&case.table(), vec![file], &probe, 0)).unwrap();
    let told = told.lock().unwrap();
    let rows = case.files[0].len() as u64;
    assert!(told.iter().all(|progress| progress.of == Some(rows)));
    assert!(told.is_sorted_by_key(|progress| progress.rows));
    assert!(told.last().is_none_or(|progress| progress.rows == rows));
    assert_eq!(
        probe.times.data_type(),
        &match case.asked_fine {
            1_000 => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            _ => DataType::Timestamp(TimeUnit::Nanosecond, None),
        }
    );
}
