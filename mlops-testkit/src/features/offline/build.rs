//! Tables, batches and probes of the few numbers that a case is about.

use std::sync::Arc;

use futures::TryStreamExt;
use mlops_core::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use mlops_core::arrow::compute::cast;
use mlops_core::arrow::datatypes::{
    DataType, Field, Int64Type, Schema, TimeUnit, TimestampMicrosecondType, UInt64Type,
};
use mlops_core::features::{
    Append, Appended, AsOf, FeatureName, FeatureType, KeyType, KnownAt, Probe, RowStatus, Scan,
    Source, Table, TableId, TableKey, Visibility,
};
use mlops_core::{Result, features::OfflineStore};

use super::oracle::{Answer, Ask, Part, Row};

/// The name of the one feature of [`table`].
pub const VALUE: &str = "value";
/// The name of the column of creation times.
pub const CREATED: &str = "known";

/// How rows are written down by a source: which of the types that mean the same it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// The type of columns of whole-number keys.
    pub ints: DataType,
    /// The type of columns of text keys.
    pub texts: DataType,
    /// The type of the times.
    pub times: DataType,
    /// Whether asks have nanoseconds.
    pub asks_nanos: bool,
}

impl Default for Encoding {
    fn default() -> Self {
        Self {
            ints: DataType::Int64,
            texts: DataType::Utf8,
            times: DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            asks_nanos: false,
        }
    }
}

/// A table of these keys, `k0`, `k1` and so on, with one whole number and a column of creation times.
pub fn table(name: &str, keys: &[KeyType]) -> Table {
    let id = TableId::new(&FeatureName::new(name).unwrap(), 1);
    let keys = keys
        .iter()
        .enumerate()
        .map(|(i, data_type)| TableKey { name: format!("k{i}"), data_type: *data_type })
        .collect();
    let mut table = Table::new(id, keys).with(VALUE, FeatureType::Int);
    table.created = Some(CREATED.to_owned());
    table
}

/// [`table`] over these files.
pub fn files_table(name: &str, keys: &[KeyType], urls: Vec<String>) -> Table {
    let mut table = table(name, keys);
    table.source = Source::Files(urls);
    table
}

/// The key `n`.
pub fn int(n: i64) -> Vec<Part> {
    vec![Part::Int(n)]
}

/// The key `text`.
pub fn text(text: &str) -> Vec<Part> {
    vec![Part::Text(text.to_owned())]
}

/// A row of microseconds, that says when it was known.
pub fn row(key: i64, event_time: i64, created: i64, value: impl Into<Option<i64>>) -> Row {
    Row {
        key: int(key),
        event_time: event_time * 1_000,
        created: Some(created * 1_000),
        value: value.into(),
    }
}

/// An ask of microseconds.
pub fn ask(key: i64, time: i64) -> Ask {
    Ask { key: int(key), time: time * 1_000 }
}

/// A batch of rows as a source of this encoding has them.
pub fn batch(table: &Table, rows: &[Row], encoding: &Encoding) -> RecordBatch {
    let keys = rows.iter().map(|row| &row.key[..]).collect::<Vec<_>>();
    let mut columns = key_columns(table, &keys, encoding);
    let event_times = instants(rows.iter().map(|row| Some(row.event_time)), &encoding.times);
    columns.push((table.event_time.clone(), event_times));
    if let Some(created) = &table.created {
        let known = instants(rows.iter().map(|row| row.created), &encoding.times);
        columns.push((created.clone(), known));
    }
    let values: Int64Array = rows.iter().map(|row| row.value).collect();
    columns.push((VALUE.to_owned(), Arc::new(values)));
    record(columns)
}

/// A batch of these columns.
pub fn record(columns: Vec<(String, ArrayRef)>) -> RecordBatch {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    let field =
        |(name, column): &(String, ArrayRef)| Field::new(name, column.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options).unwrap()
}

fn key_columns(table: &Table, keys: &[&[Part]], encoding: &Encoding) -> Vec<(String, ArrayRef)> {
    let column = |(at, key): (usize, &TableKey)| {
        let parts = keys.iter().map(|parts| &parts[at]);
        let number = |part: &Part| if let Part::Int(number) = part { Some(*number) } else { None };
        let (plain, wanted): (ArrayRef, _) = if key.data_type == KeyType::Int {
            (Arc::new(parts.map(number).collect::<Int64Array>()), &encoding.ints)
        } else {
            let texts = parts.map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                _ => None,
            });
            (Arc::new(texts.collect::<StringArray>()), &encoding.texts)
        };
        (key.name.clone(), cast(&plain, wanted).unwrap())
    };
    table.keys.iter().enumerate().map(column).collect()
}

/// Nanoseconds since 1970 as a column of instants, which must be whole in its unit.
pub fn instants(nanos: impl Iterator<Item = Option<i64>>, wanted: &DataType) -> ArrayRef {
    let nanos: TimestampNanosecondArray = nanos.collect();
    let DataType::Timestamp(unit, zone) = wanted else {
        return cast(&nanos, wanted).unwrap();
    };
    let plain = cast(&nanos, &DataType::Timestamp(*unit, None)).unwrap();
    match zone {
        // By way of UTC: a naive instant that is cast to a zone would be read as its local time.
        Some(zone) => {
            let whole = cast(&plain, &DataType::Int64).unwrap();
            cast(&whole, &DataType::Timestamp(*unit, Some(Arc::clone(zone)))).unwrap()
        }
        None => plain,
    }
}

/// Appends rows in one batch.
pub async fn append(store: &dyn OfflineStore, table: &Table, rows: &[Row]) -> Appended {
    let batch = batch(table, rows, &Encoding::default());
    store.append(table, batch, Append::default()).await.unwrap()
}

/// The probe of these asks for [`VALUE`].
pub fn probe(table: &Table, asks: &[Ask], nanos: bool) -> Probe {
    let keys = asks.iter().map(|ask| &ask.key[..]).collect::<Vec<_>>();
    let keys = key_columns(table, &keys, &Encoding::default());
    let keys = keys.into_iter().map(|(_, column)| column).collect();
    let times = asks.iter().map(|ask| ask.time);
    let times: ArrayRef = if nanos {
        Arc::new(TimestampNanosecondArray::from_iter_values(times))
    } else {
        let micros = times.map(|nanos| {
            assert_eq!(nanos % 1_000, 0, "an ask of a whole number of microseconds");
            nanos / 1_000
        });
        Arc::new(TimestampMicrosecondArray::from_iter_values(micros))
    };
    Probe::new(keys, times, vec![VALUE.to_owned()])
}

/// What a store answers to these asks.
pub async fn ask_store(
    store: &dyn OfflineStore,
    table: &Table,
    asks: &[Ask],
    visibility: Visibility,
    known_at: KnownAt,
) -> Result<Vec<Answer>> {
    let nanos = asks.iter().any(|ask| ask.time % 1_000 != 0);
    let mut probe = probe(table, asks, nanos);
    (probe.visibility, probe.known_at) = (visibility, known_at);
    Ok(answers(&store.as_of(table, probe).await?))
}

/// The answers of the one column of a join.
///
/// # Panics
/// If its columns do not fit the rows that asked.
pub fn answers(found: &AsOf) -> Vec<Answer> {
    let values = found.columns[0].as_primitive::<Int64Type>();
    let event_times = found.event_time.as_primitive::<Int64Type>();
    let created = found.created.as_primitive::<Int64Type>();
    let lengths = [values.len(), event_times.len(), created.len()];
    assert_eq!(lengths, [found.rows.len(); 3], "one of each for each row that asked");
    let at = |column: &Int64Array, i: usize| column.is_valid(i).then(|| column.value(i));
    let answer = |(i, status): (usize, &RowStatus)| Answer {
        status: *status,
        value: at(values, i),
        event_time: at(event_times, i).map(|micros| micros * 1_000),
        created: at(created, i).map(|micros| micros * 1_000),
    };
    found.rows.iter().enumerate().map(answer).collect()
}

/// The answers with their times cut to whole microseconds, as a store gives them.
pub fn in_micros(mut answers: Vec<Answer>) -> Vec<Answer> {
    for answer in &mut answers {
        for time in [&mut answer.event_time, &mut answer.created] {
            *time = time.map(|nanos| nanos.div_euclid(1_000) * 1_000);
        }
    }
    answers
}

/// All rows of a scan, in its order: their batches.
pub async fn scan(store: &dyn OfflineStore, table: &Table, scan: Scan) -> Result<Vec<RecordBatch>> {
    store.scan(table, scan).await?.try_collect().await
}

/// One row of a scan of [`table`]: its first key if that is a number, event time, created, `seq` and value;
/// times in microseconds.
pub type Scanned = (Option<i64>, i64, Option<i64>, u64, Option<i64>);

/// The rows of batches of a scan.
pub fn scanned(batches: &[RecordBatch]) -> Vec<Scanned> {
    let mut rows = Vec::new();
    for batch in batches {
        let number = |name: &str| batch.column_by_name(name).map(Arc::clone);
        let keys = number("k0").filter(|keys| *keys.data_type() == DataType::Int64);
        let seqs: UInt64Array = number(Table::SEQ).unwrap().as_primitive::<UInt64Type>().clone();
        let micros =
            |name: &str| number(name).unwrap().as_primitive::<TimestampMicrosecondType>().clone();
        let (events, created) = (micros(Table::EVENT_TIME), micros(Table::CREATED));
        let values = number(VALUE);
        let int = |column: &Option<ArrayRef>, i: usize| {
            let column = column.as_ref()?.as_primitive::<Int64Type>();
            column.is_valid(i).then(|| column.value(i))
        };
        for i in 0..batch.num_rows() {
            let known = created.is_valid(i).then(|| created.value(i));
            rows.push((int(&keys, i), events.value(i), known, seqs.value(i), int(&values, i)));
        }
    }
    rows
}
