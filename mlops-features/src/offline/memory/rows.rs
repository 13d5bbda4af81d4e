//! Rows in memory: what a segment, or a table of files, holds.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray, UInt64Array, new_null_array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::{
    DataType, Field, Schema, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow::error::ArrowError;
use mlops_core::features::{FeatureType, KeyBatch, Scan, Table};
use mlops_core::{Error, ErrorKind, Result};

use crate::offline::coerce::coerce_time;

/// An instant as fine as any source has it: microseconds since 1970, and nanoseconds of these.
pub(super) type Tick = (i64, u16);

/// Rows, column by column.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// The keys, as bytes.
    pub(super) keys: KeyBatch,
    /// The key columns.
    pub(super) key_columns: Vec<ArrayRef>,
    /// When each became true; without, in files, it is never seen.
    pub(super) event_times: Vec<Option<Tick>>,
    /// When each became known, if the source says.
    pub(super) created: Vec<Option<Tick>>,
    /// The place of each.
    pub(super) seqs: Vec<u64>,
    /// The columns of values that there are.
    pub(super) columns: Vec<(String, ArrayRef)>,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.seqs.len()
    }

    /// The rows of these numbers.
    pub(super) fn take(&self, rows: &[usize]) -> Result<Self> {
        let numbers: UInt64Array = rows.iter().map(|row| *row as u64).collect();
        let of = |column: &ArrayRef| take(column, &numbers, None).map_err(failed);
        let key_columns = self.key_columns.iter().map(of).collect::<Result<Vec<_>>>()?;
        let columns = self.columns.iter().map(|(name, column)| Ok((name.clone(), of(column)?)));
        Ok(Self {
            keys: KeyBatch::from_columns(&key_columns, rows.len())?,
            key_columns,
            event_times: rows.iter().map(|row| self.event_times[*row]).collect(),
            created: rows.iter().map(|row| self.created[*row]).collect(),
            seqs: rows.iter().map(|row| self.seqs[*row]).collect(),
            columns: columns.collect::<Result<_>>()?,
        })
    }

    /// The rows in the order of a segment.
    pub(super) fn sorted(&self) -> Result<Self> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        let place = |row: usize| {
            (self.keys.get(row), self.event_times[row], self.created[row], self.seqs[row])
        };
        order.sort_by(|a, b| place(*a).cmp(&place(*b)));
        self.take(&order)
    }

    /// One after the other. A column that some do not have is null there.
    pub(super) fn concat(table: &Table, parts: &[&Self]) -> Result<Self> {
        let rows = parts.iter().map(|part| part.len()).sum();
        let empty = |data_type: DataType| new_null_array(&data_type, 0);
        let join = |arrays: Vec<ArrayRef>, data_type: DataType| {
            let arrays: Vec<&dyn Array> = arrays.iter().map(|array| &**array).collect();
            if arrays.is_empty() { Ok(empty(data_type)) } else { concat(&arrays).map_err(failed) }
        };
        let key = |(at, key): (usize, &mlops_core::features::TableKey)| {
            let arrays = parts.iter().map(|part| Arc::clone(&part.key_columns[at])).collect();
            join(arrays, key.data_type.arrow())
        };
        let key_columns = table.keys.iter().enumerate().map(key).collect::<Result<Vec<_>>>()?;
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        let named = parts.iter().flat_map(|part| &part.columns);
        for (name, like) in named {
            if columns.iter().any(|(other, _)| other == name) {
                continue;
            }
            let nulls = |part: &Self| new_null_array(like.data_type(), part.len());
            let of = |part: &&Self| part.column(name).unwrap_or_else(|| nulls(part));
            let joined = join(parts.iter().map(of).collect(), like.data_type().clone())?;
            columns.push((name.clone(), joined));
        }
        Ok(Self {
            keys: KeyBatch::from_columns(&key_columns, rows)?,
            key_columns,
            event_times: parts.iter().flat_map(|part| part.event_times.clone()).collect(),
            created: parts.iter().flat_map(|part| part.created.clone()).collect(),
            seqs: parts.iter().flat_map(|part| part.seqs.clone()).collect(),
            columns,
        })
    }

    /// A column, if it is there.
    pub(super) fn column(&self, name: &str) -> Option<ArrayRef> {
        let (_, column) = self.columns.iter().find(|(other, _)| other == name)?;
        Some(Arc::clone(column))
    }

    /// A column of the table, all null if no row has it.
    pub(super) fn column_of(&self, table: &Table, name: &str) -> Result<ArrayRef> {
        let data_type = column_type(table, name)?.arrow();
        Ok(self.column(name).unwrap_or_else(|| new_null_array(&data_type, self.len())))
    }

    /// The rows that a scan wants.
    pub(super) fn pick(&self, scan: &Scan) -> Vec<usize> {
        let wanted = |row: &usize| {
            let Some((micros, _)) = self.event_times[*row] else { return false };
            scan.after_seq.is_none_or(|seq| self.seqs[*row] > seq)
                && scan.before_seq.is_none_or(|seq| self.seqs[*row] < seq)
                && scan.from.is_none_or(|from| micros >= from)
                && scan.until.is_none_or(|until| micros < until)
                && scan.keys.as_ref().is_none_or(|keys| has(keys, self.keys.get(*row)))
        };
        (0..self.len()).filter(wanted).collect()
    }

    /// Rows as a scan gives them.
    pub(super) fn batch(
        &self,
        table: &Table,
        names: &[String],
        rows: &[usize],
    ) -> Result<RecordBatch> {
        let rows = self.take(rows)?;
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        let mut add = |name: &str, column: ArrayRef| {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        };
        for (key, column) in table.keys.iter().zip(&rows.key_columns) {
            add(&key.name, Arc::clone(column));
        }
        let instants = |ticks: &[Option<Tick>]| -> ArrayRef {
            let micros = ticks.iter().map(|tick| tick.map(|(micros, _)| micros));
            Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        };
        add(Table::EVENT_TIME, instants(&rows.event_times));
        add(Table::CREATED, instants(&rows.created));
        add(Table::SEQ, Arc::new(UInt64Array::from(rows.seqs.clone())));
        for name in names {
            add(name, rows.column_of(table, name)?);
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(failed)
    }
}

/// Whether a key is among these.
pub(super) fn has(keys: &KeyBatch, key: Option<&[u8]>) -> bool {
    key.is_some() && keys.iter().any(|other| other == key)
}

/// The type of a table's column.
pub(super) fn column_type(table: &Table, name: &str) -> Result<FeatureType> {
    let column = table.columns.iter().find(|column| column.name == name);
    column.map(|column| column.data_type).ok_or_else(|| {
        let there: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
        Error::invalid("features.read", "the table has no such column")
            .with("table", &table.id)
            .with("column", name)
            .with("there are", there.join(", "))
    })
}

/// Instants of any unit, nothing cut off.
pub(super) fn ticks(array: &ArrayRef, name: &str) -> Result<Vec<Option<Tick>>> {
    if matches!(array.data_type(), DataType::Timestamp(TimeUnit::Nanosecond, _)) {
        let nanos = array.as_primitive::<TimestampNanosecondType>().iter();
        let tick = |nanos: i64| (nanos.div_euclid(1_000), nanos.rem_euclid(1_000) as u16);
        return Ok(nanos.map(|nanos| nanos.map(tick)).collect());
    }
    let micros = coerce_time(array, name)?;
    let micros = micros.as_primitive::<TimestampMicrosecondType>().iter();
    Ok(micros.map(|micros| micros.map(|micros| (micros, 0))).collect())
}

pub(super) fn failed(error: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "features.memory", "columns do not fit together")
        .with_source(error)
}
