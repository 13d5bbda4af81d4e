//! What a manifest says of a segment.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use mlops_core::features::{Segment, SegmentColumn};
use mlops_core::tracking::Digest;

use super::rows::{Rows, Tick};

/// A segment of rows that are sorted. Its digest is that of its keys and times.
pub(super) fn segment(path: String, rows: &Rows) -> Segment {
    let mut hasher = blake3::Hasher::new();
    for row in 0..rows.len() {
        hasher.update(rows.keys.get(row).unwrap_or_default());
        hasher.update(format!("{:?}{:?}", rows.event_times[row], rows.created[row]).as_bytes());
        hasher.update(&rows.seqs[row].to_le_bytes());
    }
    let arrays = rows.key_columns.iter().chain(rows.columns.iter().map(|(_, column)| column));
    let bytes: usize = arrays.map(Array::get_array_memory_size).sum();
    let digest = Digest(hasher.finalize().into());
    let mut segment = Segment::new(path, digest, bytes as u64, rows.len() as u64);
    let seqs = rows.seqs.iter();
    segment.seq = (seqs.clone().min().copied().unwrap_or(0), seqs.max().copied().unwrap_or(0));
    segment.event_time = bounds(&rows.event_times);
    segment.created = bounds(&rows.created);
    let keys = |row: &usize| *row == 0 || rows.keys.get(*row) != rows.keys.get(row - 1);
    segment.keys = (0..rows.len()).filter(keys).count() as u64;
    segment.columns = rows.columns.iter().map(|(name, column)| column_of(name, column)).collect();
    segment
}

fn bounds(ticks: &[Option<Tick>]) -> (i64, i64) {
    let micros = || ticks.iter().flatten().map(|(micros, _)| *micros);
    (micros().min().unwrap_or(0), micros().max().unwrap_or(0))
}

fn column_of(name: &str, column: &ArrayRef) -> SegmentColumn {
    let mut found = SegmentColumn::default();
    name.clone_into(&mut found.name);
    found.nulls = column.null_count() as u64;
    if !column.data_type().is_numeric() {
        return found;
    }
    let Ok(numbers) = cast(column, &DataType::Float64) else { return found };
    let numbers = numbers.as_primitive::<Float64Type>();
    let known = || numbers.iter().flatten();
    let finite: Vec<f64> = known().filter(|number| number.is_finite()).collect();
    found.nans = known().filter(|number| number.is_nan()).count() as u64;
    found.min = finite.iter().copied().reduce(f64::min);
    found.max = finite.iter().copied().reduce(f64::max);
    // Divided first, so that the sum of great numbers does not overflow.
    let mean = || finite.iter().map(|number| number / finite.len() as f64).sum();
    found.mean = (!finite.is_empty()).then(mean);
    found
}
