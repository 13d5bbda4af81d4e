//! The year as rows for the feature store: what became known when, and who asks when.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use arrow::compute::{cast, concat_batches, filter_record_batch, is_not_null};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use mlops::Key;
use mlops::feature_store::Features;
use mlops::features::{Append, FeatureStore};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::data::{LATE_MINUTES, Result};

const MINUTE: i64 = 60_000_000;
/// A day in microseconds.
pub const DAY: i64 = 24 * 60 * MINUTE;
/// The first of January 2013, UTC, before any flight.
pub const START: i64 = 1_356_998_400_000_000;
/// Late enough for the last arrival.
const DAYS: i64 = 371;

/// What is allowed for taxiing, out and in together.
const TAXI_MINUTES: i64 = 60;

/// Rows for the store, each with the instant `known` from which on somebody could know it.
#[derive(Debug)]
pub struct Year {
    /// The flights in the file's order: their keys, and the instant of their scheduled departure.
    pub asking: RecordBatch,
    /// Of each view.
    rows: [(&'static str, RecordBatch); 4],
    /// The least time from a schedule until the flight's delay was known, in microseconds.
    soonest: i64,
}

impl Year {
    /// Reads the tables from a folder.
    pub fn load(folder: &Path) -> Result<Self> {
        let flights = table(&folder.join("flights.parquet"))?;
        let hours = ints(&flights, "time_hour")?;
        let minutes = ints(&flights, "minute")?;
        let scheduled: Int64Array = (0..flights.num_rows())
            .map(|row| Some(hours.value(row) + minutes.value(row) * MINUTE))
            .collect();
        let keys = ["origin", "dest", "carrier", "tailnum"];
        let mut columns = vec![("scheduled", instants(scheduled.iter()))];
        for key in keys {
            columns.push((key, text(&flights, key)?));
        }
        let asking = RecordBatch::try_from_iter(columns)?;

        let (arrivals, soonest) = arrivals(&flights, &scheduled)?;
        let weather = table(&folder.join("weather.parquet"))?;
        // An hour's weather is known when the hour is over.
        let over = ints(&weather, "time_hour")?;
        let over = instants(over.iter().map(|hour| Some(hour? + 60 * MINUTE)));
        let airport = text(&weather, "origin")?;
        let weather = with(with(weather, "known", over)?, "airport", airport)?;
        let planes = table(&folder.join("planes.parquet"))?;
        let since = instants((0..planes.num_rows()).map(|_| Some(START)));
        let planes = with(planes, "known", since)?;
        let rows = [
            ("weather", weather),
            ("planes", planes),
            ("carrier_delays", arrivals.clone()),
            ("route_delays", arrivals),
        ];
        Ok(Self { asking, rows, soonest })
    }

    /// The least time from a schedule until the flight's delay was known.
    pub fn soonest_minutes(&self) -> i64 {
        self.soonest / MINUTE
    }

    /// Appends what became known in a span to each view, and returns how many rows that was.
    ///
    /// The token makes it once: the example may run again on the same store.
    pub async fn append(&self, features: &Features, span: Range<i64>) -> Result<[usize; 4]> {
        let mut appended = [0; 4];
        for ((view, rows), appended) in self.rows.iter().zip(&mut appended) {
            let known = ints(rows, "known")?;
            let mask: BooleanArray =
                known.values().iter().map(|known| Some(span.contains(known))).collect();
            let part = filter_record_batch(rows, &mask)?;
            *appended = part.num_rows();
            if *appended > 0 {
                let token = Append::default().with_token(Key::new(format!("from-{}", span.start))?);
                features.append(&view.parse()?, part, token).await?;
            }
        }
        Ok(appended)
    }

    /// So many flights, spread over the year without a pattern, in order of their schedule.
    pub fn sample(&self, count: usize) -> Result<Vec<usize>> {
        let times = scheduled(&self.asking)?;
        let mut rows: Vec<usize> = (0..self.asking.num_rows()).collect();
        rows.sort_by_key(|row| *blake3::hash(&row.to_le_bytes()).as_bytes());
        rows.truncate(count);
        rows.sort_by_key(|row| (times.value(*row), *row));
        Ok(rows)
    }
}

/// The year in spans of this length.
pub fn spans(length: i64) -> impl Iterator<Item = Range<i64>> {
    (0..)
        .map(move |n| START + n * length..START + (n + 1) * length)
        .take_while(|span| span.start < START + DAYS * DAY)
}

/// The instants of rows that ask.
pub fn scheduled(rows: &RecordBatch) -> Result<&TimestampMicrosecondArray> {
    let column = rows.column_by_name("scheduled").ok_or("no column scheduled")?;
    Ok(column.as_primitive::<TimestampMicrosecondType>())
}

/// The flights that arrived, and the least time until a delay was known.
fn arrivals(flights: &RecordBatch, scheduled: &Int64Array) -> Result<(RecordBatch, i64)> {
    let (left, flown) = (ints(flights, "dep_delay")?, ints(flights, "air_time")?);
    let delay = ints(flights, "arr_delay")?;
    let after = |row: usize| (left.value(row) + flown.value(row) + TAXI_MINUTES) * MINUTE;
    let arrived = (0..flights.num_rows()).filter(|row| delay.is_valid(*row));
    let soonest = arrived.map(after).min().ok_or("no flight arrived")?;
    let known = (0..flights.num_rows())
        .map(|row| delay.is_valid(row).then(|| scheduled.value(row) + after(row)));
    let late: Int64Array =
        delay.iter().map(|delay| Some(i64::from(delay? > i64::from(LATE_MINUTES)))).collect();
    let rows = RecordBatch::try_from_iter([
        ("known", instants(known)),
        ("origin", text(flights, "origin")?),
        ("dest", text(flights, "dest")?),
        ("carrier", text(flights, "carrier")?),
        ("late", Arc::new(late) as ArrayRef),
        ("arr_delay", Arc::new(delay.clone()) as ArrayRef),
    ])?;
    Ok((filter_record_batch(&rows, &is_not_null(&delay)?)?, soonest))
}

/// A whole file.
fn table(path: &Path) -> Result<RecordBatch> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let schema = Arc::clone(reader.schema());
    let batches = reader.build()?.collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches)?)
}

fn with(table: RecordBatch, name: &str, column: ArrayRef) -> Result<RecordBatch> {
    let schema = table.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let columns = names.zip(table.columns().iter().cloned()).chain([(name, column)]);
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// A column of whole numbers or of instants, which are microseconds.
fn ints(table: &RecordBatch, name: &str) -> Result<Int64Array> {
    let column = table.column_by_name(name).ok_or_else(|| format!("no column {name:?}"))?;
    Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

fn text(table: &RecordBatch, name: &str) -> Result<ArrayRef> {
    let column = table.column_by_name(name).ok_or_else(|| format!("no column {name:?}"))?;
    Ok(cast(column, &DataType::Utf8)?)
}

fn instants(micros: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}
