//! The join against twenty lines that look at every row, over small domains where ties and boundaries
//! happen all the time.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use futures::executor::block_on;
use mlops_core::ErrorKind;
use mlops_core::features::{
    AsOf, Boundary, FeatureName, FeatureType, KeyType, KnownAt, Probe, RowStatus, Span, Table,
    TableId, TableKey, Visibility,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::{JoinFile, Layout, as_of_files};

/// A row of features; instants in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Row {
    key: [Option<i64>; 2],
    event_time: Option<i64>,
    created: Option<i64>,
    value: Option<i64>,
}

/// A random history, and who asks of it.
#[derive(Debug, Clone)]
struct Case {
    layout: Layout,
    keys: usize,
    text: bool,
    has_created: bool,
    /// What an instant of a file is a multiple of, in nanoseconds.
    fine: Vec<i64>,
    files: Vec<Vec<Row>>,
    asked: Vec<([Option<i64>; 2], i64)>,
    asked_fine: i64,
    ttl: i64,
    boundary: Boundary,
    known_at: KnownAt,
    threads: usize,
    group_rows: usize,
    page_rows: usize,
}

/// What a row that asks gets: how it went, the winner's event time and creation, and its value.
type Answer = (RowStatus, Option<i64>, Option<i64>, Option<i64>);

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(self.0 ^ (self.0 >> 29)).wrapping_mul(u128::from(n)) >> 32) as u64) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn instant(&mut self, fine: i64) -> i64 {
        (self.below(20) as i64 - 3) * 500 / fine * fine
    }
}

impl Case {
    fn random(r: &mut Random) -> Self {
        let layout = if r.one_in(2) { Layout::Segment } else { Layout::Foreign };
        let foreign = layout == Layout::Foreign;
        let has_created = !foreign || !r.one_in(4);
        let keys = r.below(3) as usize;
        let key = |r: &mut Random, nulls: bool| {
            let mut one =
                |at: usize| (at < keys && !(nulls && r.one_in(10))).then(|| r.below(4) as i64 - 1);
            [one(0), one(1)]
        };
        let mut files = Vec::new();
        let mut fine = Vec::new();
        for _ in 0..r.below(4) {
            // Segments are of microseconds.
            let unit = if foreign && r.one_in(3) { 500 } else { 1_000 };
            let rows = (0..r.below(60)).map(|_| Row {
                key: key(r, foreign),
                event_time: (!(foreign && r.one_in(15))).then(|| r.instant(unit)),
                created: (has_created && !(foreign && r.one_in(8))).then(|| r.instant(unit)),
                value: (!r.one_in(8)).then(|| r.below(1 << 40) as i64),
            });
            let mut rows: Vec<Row> = rows.collect();
            if !foreign {
                // Stable: rows of equal times stay in the order of their `seq`.
                rows.sort_by_key(|row| (row.key, row.event_time, row.created));
            }
            files.push(rows);
            fine.push(unit);
        }
        let asked_fine = if r.one_in(3) { 500 } else { 1_000 };
        let asked = (0..r.below(40)).map(|_| (key(r, true), r.instant(asked_fine))).collect();
        Self {
            layout,
            keys,
            text: r.one_in(2),
            has_created,
            fine,
            files,
            asked,
            asked_fine,
            ttl: if r.one_in(2) { 0 } else { r.below(6) as i64 },
            boundary: if r.one_in(2) { Boundary::Strict } else { Boundary::Inclusive },
            known_at: match r.below(3) {
                0 => KnownAt::Now,
                1 => KnownAt::EventTime,
                _ => KnownAt::Instant(r.below(8) as i64),
            },
            threads: 1 + r.below(4) as usize,
            group_rows: 1 + r.below(50) as usize,
            page_rows: 1 + r.below(20) as usize,
        }
    }

    /// The specification.
    fn expected(&self) -> Vec<Answer> {
        let rows: Vec<Row> = self.files.iter().flatten().copied().collect();
        let answer = |(key, t): &([Option<i64>; 2], i64)| {
            let known = |row: &Row| match (self.known_at, row.created) {
                (KnownAt::EventTime, created) => created.is_some_and(|created| created <= *t),
                (KnownAt::Instant(at), created) => created.is_some_and(|c| c <= at * 1_000),
                _ => true,
            };
            let whole = key[..self.keys].iter().all(Option::is_some);
            let candidates = rows.iter().enumerate().filter(|(_, row)| {
                whole
                    && row.key[..self.keys] == key[..self.keys]
                    && row.event_time.is_some_and(|event_time| match self.boundary {
                        Boundary::Inclusive => event_time <= *t,
                        Boundary::Strict => event_time < *t,
                    })
                    && known(row)
            });
            let winner =
                candidates.max_by_key(|(place, row)| (row.event_time, row.created, *place));
            let Some((_, winner)) = winner else {
                return (RowStatus::NotFound, None, None, None);
            };
            let event_time = winner.event_time.unwrap_or_default();
            let expired = self.ttl > 0 && event_time < t - self.ttl * 1_000;
            let status = if expired { RowStatus::Expired } else { RowStatus::Found };
            let micros = |nanos: i64| nanos.div_euclid(1_000);
            let value = winner.value.filter(|_| !expired);
            (status, Some(micros(event_time)), winner.created.map(micros), value)
        };
        self.asked.iter().map(answer).collect()
    }

    fn table(&self) -> Table {
        let data_type = if self.text { KeyType::String } else { KeyType::Int };
        let keys = (0..self.keys).map(|at| TableKey { name: format!("k{at}"), data_type });
        let mut table = Table::new(TableId::new(&name(), 1), keys.collect())
            .with("text", FeatureType::String)
            .with("value", FeatureType::Int);
        table.event_time = "at".to_owned();
        table.created = self.has_created.then(|| "known".to_owned());
        table
    }

    fn key_columns(&self, keys: &[[Option<i64>; 2]], other: bool) -> Vec<ArrayRef> {
        let column = |at: usize| -> ArrayRef {
            let values = keys.iter().map(|key| key[at]);
            match (self.text, other) {
                (false, false) => Arc::new(values.collect::<Int64Array>()),
                (false, true) => {
                    Arc::new(values.map(|v| v.map(|v| v as i32)).collect::<Int32Array>())
                }
                (true, false) => {
                    Arc::new(values.map(|v| v.map(|v| v.to_string())).collect::<StringArray>())
                }
                (true, true) => {
                    Arc::new(values.map(|v| v.map(|v| v.to_string())).collect::<StringViewArray>())
                }
            }
        };
        (0..self.keys).map(column).collect()
    }

    fn batch(&self, file: usize) -> RecordBatch {
        let (rows, fine) = (&self.files[file], self.fine[file]);
        let foreign = self.layout == Layout::Foreign;
        let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        columns.push((
            "text".to_owned(),
            Arc::new(
                rows.iter().map(|row| row.value.map(|v| v.to_string())).collect::<StringArray>(),
            ),
        ));
        for (at, column) in self.key_columns(&keys, foreign).into_iter().enumerate() {
            columns.push((format!("k{at}"), column));
        }
        if self.has_created {
            let known = if foreign { "known" } else { Table::CREATED };
            let created = rows.iter().map(|row| row.created);
            columns.push((known.to_owned(), instants(created, fine)));
        }
        let at = if foreign { "at" } else { Table::EVENT_TIME };
        columns.push((at.to_owned(), instants(rows.iter().map(|row| row.event_time), fine)));
        let values = rows.iter().map(|row| row.value).collect::<Int64Array>();
        columns.push(("value".to_owned(), Arc::new(values)));
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
            .unwrap()
    }

    fn answer(&self) -> Vec<Answer> {
        let store = Arc::new(InMemory::new());
        let files = (0..self.files.len()).map(|file| {
            let batch = self.batch(file);
            put(
                &store,
                &format!("{file}.parquet"),
                &batch,
                self.group_rows,
                self.page_rows,
                self.layout,
            )
        });
        let keys: Vec<_> = self.asked.iter().map(|(key, _)| *key).collect();
        let times = instants(self.asked.iter().map(|(_, t)| Some(*t)), self.asked_fine);
        let columns = ["value", "text", "value"].map(str::to_owned).to_vec();
        let mut probe = Probe::new(self.key_columns(&keys, false), times, columns);
        probe.visibility = Visibility::new(Span::from_micros(self.ttl).unwrap(), self.boundary);
        probe.known_at = self.known_at;
        probe.threads = self.threads;
        let files = files.collect();
        let answer = block_on(as_of_files(&self.table(), files, &probe, 7)).unwrap();
        read(&answer)
    }
}

fn read(answer: &AsOf) -> Vec<Answer> {
    assert_eq!(answer.position, 7);
    let number = |column: &ArrayRef, row: usize| {
        let column = column.as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let rows = answer.rows.iter().enumerate().map(|(row, status)| {
        let value = number(&answer.columns[0], row);
        let text = answer.columns[1].as_string::<i32>();
        let text = text.is_valid(row).then(|| text.value(row).parse().unwrap());
        assert_eq!((text, number(&answer.columns[2], row)), (value, value));
        (*status, number(&answer.event_time, row), number(&answer.created, row), value)
    });
    rows.collect()
}

fn name() -> FeatureName {
    FeatureName::new("v").unwrap()
}

fn instants(nanos: impl Iterator<Item = Option<i64>>, fine: i64) -> ArrayRef {
    if fine % 1_000 == 0 {
        let micros = nanos.map(|n| n.map(|n| n / 1_000));
        Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    } else {
        Arc::new(nanos.collect::<TimestampNanosecondArray>())
    }
}

fn put(
    store: &Arc<InMemory>,
    path: &str,
    batch: &RecordBatch,
    group_rows: usize,
    page_rows: usize,
    layout: Layout,
) -> JoinFile {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(page_rows)
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    let (path, size) = (Path::from(path), bytes.len() as u64);
    block_on(store.put(&path, bytes.into())).unwrap();
    let (store, url) = (Arc::clone(store) as Arc<dyn ObjectStore>, path.to_string());
    JoinFile { store, path, url, bytes: Some(size), layout }
}

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
