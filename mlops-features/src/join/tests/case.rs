//! A random history and who asks of it, what the specification answers, and what the join does.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::Int64Type;
use futures::executor::block_on;
use mlops_core::features::{
    AsOf, Boundary, FeatureName, FeatureType, KeyType, KnownAt, Probe, RowStatus, Span, Table,
    TableId, TableKey, Visibility,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::super::{JoinFile, Layout, as_of_files};

/// A row of features; instants in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) key: [Option<i64>; 2],
    pub(super) event_time: Option<i64>,
    pub(super) created: Option<i64>,
    pub(super) value: Option<i64>,
}

/// A random history, and who asks of it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) layout: Layout,
    pub(super) keys: usize,
    pub(super) text: bool,
    pub(super) has_created: bool,
    /// What an instant of a file is a multiple of, in nanoseconds.
    pub(super) fine: Vec<i64>,
    pub(super) files: Vec<Vec<Row>>,
    pub(super) asked: Vec<([Option<i64>; 2], i64)>,
    pub(super) asked_fine: i64,
    pub(super) ttl: i64,
    pub(super) boundary: Boundary,
    pub(super) known_at: KnownAt,
    pub(super) threads: usize,
    pub(super) group_rows: usize,
    pub(super) page_rows: usize,
}

/// What a row that asks gets: how it went, the winner's event time and creation, and its value.
pub(super) type Answer = (RowStatus, Option<i64>, Option<i64>, Option<i64>);

pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
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
    pub(super) fn random(r: &mut Random) -> Self {
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
    pub(super) fn expected(&self) -> Vec<Answer> {
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

    pub(super) fn table(&self) -> Table {
        let data_type = if self.text { KeyType::String } else { KeyType::Int };
        let keys = (0..self.keys).map(|at| TableKey { name: format!("k{at}"), data_type });
        let mut table = Table::new(TableId::new(&name(), 1), keys.collect())
            .with("text", FeatureType::String)
            .with("value", FeatureType::Int);
        table.event_time = "at".to_owned();
        table.created = self.has_created.then(|| "known".to_owned());
        table
    }

    pub(super) fn key_columns(&self, keys: &[[Option<i64>; 2]], other: bool) -> Vec<ArrayRef> {
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

    pub(super) fn batch(&self, file: usize) -> RecordBatch {
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

    pub(super) fn answer(&self) -> Vec<Answer> {
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

pub(super) fn name() -> FeatureName {
    FeatureName::new("v").unwrap()
}

pub(super) fn instants(nanos: impl Iterator<Item = Option<i64>>, fine: i64) -> ArrayRef {
    if fine % 1_000 == 0 {
        let micros = nanos.map(|n| n.map(|n| n / 1_000));
        Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    } else {
        Arc::new(nanos.collect::<TimestampNanosecondArray>())
    }
}

pub(super) fn put(
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
    JoinFile { store, path, url, bytes: Some(size), layout, before_seq: None }
}
