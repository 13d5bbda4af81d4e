//! What a segment holds, counted as its rows are written.
//!
//! Rows come sorted, so that distinct keys are counted without keeping any: a key differs from the one
//! before it, or it is not new.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type,
};
use mlops_core::Result;
use mlops_core::features::{KeyBatch, Segment, SegmentColumn};

/// Counts rows of a segment.
#[derive(Debug)]
pub(super) struct Summary {
    keys: usize,
    rows: u64,
    distinct: u64,
    last_key: Option<Vec<u8>>,
    seq: (u64, u64),
    event_time: (i64, i64),
    created: (i64, i64),
    columns: Vec<(SegmentColumn, Mean)>,
}

/// A sum with what it lost, so that the mean of a long column is right.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    lost: f64,
    count: u64,
}

impl Summary {
    /// Of rows with so many key columns.
    pub(super) fn new(keys: usize) -> Self {
        Self {
            keys,
            rows: 0,
            distinct: 0,
            last_key: None,
            seq: (u64::MAX, 0),
            event_time: (i64::MAX, i64::MIN),
            created: (i64::MAX, i64::MIN),
            columns: Vec::new(),
        }
    }

    /// The next rows, in the order of the segment.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let (keys, rest) = batch.columns().split_at(self.keys);
        self.count_keys(keys, batch.num_rows())?;
        self.rows += batch.num_rows() as u64;
        let [event_time, created, seq, values @ ..] = rest else { return Ok(()) };
        for (range, times) in [(&mut self.event_time, event_time), (&mut self.created, created)] {
            let times = times.as_primitive::<TimestampMicrosecondType>();
            if let (Some(least), Some(greatest)) = (min(times), max(times)) {
                *range = (range.0.min(least), range.1.max(greatest));
            }
        }
        let seq = seq.as_primitive::<UInt64Type>();
        if let (Some(least), Some(greatest)) = (min(seq), max(seq)) {
            self.seq = (self.seq.0.min(least), self.seq.1.max(greatest));
        }
        if self.columns.is_empty() {
            let schema = batch.schema();
            let names = schema.fields().iter().skip(self.keys + 3);
            self.columns = names.map(|field| (named(field.name()), Mean::default())).collect();
        }
        for ((column, mean), values) in self.columns.iter_mut().zip(values) {
            count_values(column, mean, values);
        }
        Ok(())
    }

    /// Writes what was counted into the segment's entry.
    pub(super) fn finish(self, segment: &mut Segment) {
        let known = |range: (i64, i64)| if range.0 > range.1 { (0, 0) } else { range };
        segment.rows = self.rows;
        segment.keys = self.distinct;
        segment.seq = if self.rows == 0 { (0, 0) } else { self.seq };
        segment.event_time = known(self.event_time);
        segment.created = known(self.created);
        segment.columns =
            self.columns.into_iter().map(|(column, mean)| mean.finish(column)).collect();
    }

    fn count_keys(&mut self, columns: &[ArrayRef], rows: usize) -> Result<()> {
        if let [column] = columns
            && let Some(keys) = column.as_primitive_opt::<Int64Type>()
            && let [first, .., last] | [first @ last] = &**keys.values()
        {
            let known = self.last_key.as_deref() == Some(&first.to_be_bytes()[..]);
            let changes = keys.values().windows(2).filter(|pair| pair[0] != pair[1]).count();
            self.distinct += u64::from(!known) + changes as u64;
            self.last_key = Some(last.to_be_bytes().to_vec());
            return Ok(());
        }
        let keys = KeyBatch::from_columns(columns, rows)?;
        let mut last: Option<&[u8]> = self.last_key.as_deref();
        for key in keys.iter().flatten() {
            if last != Some(key) {
                self.distinct += 1;
                last = Some(key);
            }
        }
        self.last_key = last.map(<[u8]>::to_vec);
        Ok(())
    }
}

fn named(name: &str) -> SegmentColumn {
    let mut column = SegmentColumn::default();
    name.clone_into(&mut column.name);
    column
}

fn count_values(column: &mut SegmentColumn, mean: &mut Mean, values: &ArrayRef) {
    column.nulls += values.null_count() as u64;
    let mut add = |value: f64| {
        if value.is_nan() {
            column.nans += 1;
        } else if value.is_finite() {
            column.min = Some(column.min.map_or(value, |min| min.min(value)));
            column.max = Some(column.max.map_or(value, |max| max.max(value)));
            mean.add(value);
        }
    };
    match values.data_type() {
        DataType::Int64 => {
            values.as_primitive::<Int64Type>().iter().flatten().for_each(|v| add(v as f64));
        }
        DataType::Float64 => values.as_primitive::<Float64Type>().iter().flatten().for_each(add),
        DataType::Float32 => {
            values.as_primitive::<Float32Type>().iter().flatten().for_each(|v| add(v.into()));
        }
        _ => {}
    }
}

impl Mean {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
        self.count += 1;
    }

    fn finish(self, mut column: SegmentColumn) -> SegmentColumn {
        let mean = (self.sum + self.lost) / self.count as f64;
        column.mean = Some(mean).filter(|mean| mean.is_finite());
        column
    }
}
