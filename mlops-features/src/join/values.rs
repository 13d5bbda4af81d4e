//! The second pass: the values of the rows that won, and of no others.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBufferBuilder, Int64Array, UInt32Array, new_empty_array,
    new_null_array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::Int64Type;
use futures::{StreamExt, TryStreamExt, stream};
use mlops_core::features::TableColumn;
use mlops_core::{Error, ErrorKind, Result};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection};

use super::crew::{Crew, threads};
use super::error::guarded;
use super::file::Opened;
use super::ticks::Unit;
use crate::offline::coerce::coerce_column;

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 16 << 10;
/// Columns are read together as long as they have no more bytes than this in the file.
const TOGETHER_BYTES: u64 = 32 << 20;
/// A selection of more than one row in so many is a bit a row, else a list of ranges.
const SPARSE: usize = 32;

/// What is read of the files.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A column, brought to its type.
    Column(TableColumn),
    /// When the row became known, in microseconds, of files of which that was not read before.
    Created(Unit),
}

/// Some columns of the chosen rows of a row group.
struct Part {
    file: Arc<Opened>,
    group: usize,
    /// Which of the chosen rows.
    chosen: Range<usize>,
    /// Their rows in the group, ascending.
    rows: Vec<usize>,
    /// Which values, and where they are in the file.
    values: Vec<(usize, Value, usize)>,
}

/// The values of rows, ascending by their place, for each of `values`; and for which of the rows the
/// creation times were read. Files whose `late` is set have them read here.
pub(super) struct Read {
    pub(super) columns: Vec<ArrayRef>,
    pub(super) created: Vec<(Range<usize>, ArrayRef)>,
}

/// Checks that files have columns, of types that can be brought to what is declared.
///
/// # Errors
/// `Invalid`, naming file, column, what it has and what it should have.
pub(super) fn check(files: &[Arc<Opened>], columns: &[TableColumn]) -> Result<()> {
    for file in files {
        for column in columns {
            if let Some(at) = file.value(column)? {
                coerce_column(&new_empty_array(file.data_type(at)), column.data_type, &column.name)
                    .map_err(|error| error.with("file", &file.file.url))?;
            }
        }
    }
    Ok(())
}

/// Reads the rows at `places`, which ascend.
pub(super) async fn read(
    files: &[Arc<Opened>],
    late: &[bool],
    columns: &[TableColumn],
    unit: Unit,
    places: &[u64],
    asked_threads: usize,
) -> Result<Read> {
    let mut found: Vec<Vec<(Range<usize>, ArrayRef)>> = vec![Vec::new(); columns.len() + 1];
    let parts = parts(files, late, columns, unit, places, &mut found)?;
    let workers = threads(asked_threads).min(parts.len()).max(1);
    let crew = Crew::new(vec![(); workers])?;
    let crew_ref = &crew;
    let mut done = stream::iter(parts)
        .map(|part| async move {
            let reader = part.fetch().await?;
            crew_ref.run(move |()| part.decode(reader)).await
        })
        .buffered(crew.ahead());
    while let Some(decoded) = done.try_next().await? {
        for (column, chosen, array) in decoded {
            found[column].push((chosen, array));
        }
    }
    drop(done);
    crew.finish()?;
    let created = found.pop().unwrap_or_default();
    let columns = found.into_iter().zip(columns).map(|(mut parts, column)| {
        parts.sort_by_key(|(chosen, _)| chosen.start);
        let arrays: Vec<&dyn Array> = parts.iter().map(|(_, array)| array.as_ref()).collect();
        match arrays.as_slice() {
            [] => Ok(new_empty_array(&column.data_type.arrow())),
            [_] => Ok(Arc::clone(&parts[0].1)),
            arrays => concat(arrays).map_err(|source| too_long(column, source)),
        }
    });
    Ok(Read { columns: columns.collect::<Result<_>>()?, created })
}

/// The values that each row asks for, null where it has none.
///
/// # Errors
/// `Invalid` for texts of more than 2 GiB in one column.
pub(super) fn spread(
    values: &ArrayRef,
    indices: &UInt32Array,
    column: &TableColumn,
) -> Result<ArrayRef> {
    if values.is_empty() {
        return Ok(new_null_array(values.data_type(), indices.len()));
    }
    take(values, indices, None).map_err(|source| too_long(column, source))
}

#[cold]
fn too_long(column: &TableColumn, source: arrow::error::ArrowError) -> Error {
    Error::invalid("features.as_of", "a column of the answer is too long")
        .with("column", &column.name)
        .with_hint("ask for fewer rows at a time; a column of text holds 2 GiB")
        .with_source(source)
}

fn parts(
    files: &[Arc<Opened>],
    late: &[bool],
    columns: &[TableColumn],
    unit: Unit,
    places: &[u64],
    found: &mut [Vec<(Range<usize>, ArrayRef)>],
) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut at = 0;
    for (file, late) in files.iter().zip(late) {
        let mut values = Vec::new();
        let mut missing = Vec::new();
        for (number, column) in columns.iter().enumerate() {
            match file.value(column)? {
                Some(root) => values.push((number, Value::Column(column.clone()), root)),
                None => missing.push((number, column)),
            }
        }
        if let Some(created) = file.created.filter(|_| *late) {
            values.push((columns.len(), Value::Created(unit), created));
        }
        let mut first = file.first;
        for group in 0..file.metadata().num_row_groups() {
            let end = first + file.group_rows(group) as u64;
            let chosen = at..at + places[at..].partition_point(|place| *place < end);
            at = chosen.end;
            if !chosen.is_empty() {
                for (number, column) in &missing {
                    let nulls = new_null_array(&column.data_type.arrow(), chosen.len());
                    found[*number].push((chosen.clone(), nulls));
                }
                let rows: Vec<usize> =
                    places[chosen.clone()].iter().map(|place| (place - first) as usize).collect();
                for values in together(file, group, &values) {
                    let (file, chosen, rows) = (Arc::clone(file), chosen.clone(), rows.clone());
                    parts.push(Part { file, group, chosen, rows, values });
                }
            }
            first = end;
        }
    }
    Ok(parts)
}

/// Cuts columns into those that are read together, so that a part is bounded however wide a table is.
fn together(
    file: &Opened,
    group: usize,
    values: &[(usize, Value, usize)],
) -> Vec<Vec<(usize, Value, usize)>> {
    let mut cut: Vec<Vec<(usize, Value, usize)>> = Vec::new();
    let mut bytes = u64::MAX;
    for value in values {
        let more = file.group_bytes(group, value.2);
        bytes = bytes.saturating_add(more);
        if bytes > TOGETHER_BYTES {
            cut.push(Vec::new());
            bytes = more;
        }
        if let Some(last) = cut.last_mut() {
            last.push(value.clone());
        }
    }
    cut
}

impl Part {
    /// The columns that are read, ascending, each once.
    fn columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = self.values.iter().map(|(_, _, column)| *column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    async fn fetch(&self) -> Result<Option<ParquetRecordBatchReader>> {
        let total = self.file.group_rows(self.group);
        let selection = if self.rows.len() == total {
            None
        } else if self.rows.len() > total / SPARSE {
            let mut bits = BooleanBufferBuilder::new(total);
            bits.append_n(total, false);
            for row in &self.rows {
                bits.set_bit(*row, true);
            }
            Some(RowSelection::from_boolean_buffer(bits.finish()))
        } else {
            let rows = self.rows.iter().map(|row| *row..*row + 1);
            Some(RowSelection::from_consecutive_ranges(rows, total))
        };
        self.file.read(self.group, &self.columns(), selection, BATCH_ROWS).await
    }

    fn decode(
        self,
        reader: Option<ParquetRecordBatchReader>,
    ) -> Result<Vec<(usize, Range<usize>, ArrayRef)>> {
        let mut reader = reader.ok_or_else(|| self.file.miscounted(self.group))?;
        let columns = self.columns();
        let mut decoded = Vec::new();
        let mut at = self.chosen.start;
        while let Some(batch) = guarded(|| reader.next().transpose().map_err(Into::into))
            .map_err(|error| self.file.unreadable(self.group, error))?
        {
            let chosen = at..at + batch.num_rows();
            for (number, value, column) in &self.values {
                let array = batch.column(columns.partition_point(|other| other < column));
                let named = |error: Error| error.with("file", &self.file.file.url);
                let array = match value {
                    Value::Column(to) => coerce_column(array, to.data_type, &to.name),
                    Value::Created(unit) => created(*unit, array, self.file.name(*column)),
                };
                decoded.push((*number, chosen.clone(), array.map_err(named)?));
            }
            at = chosen.end;
        }
        if at == self.chosen.end { Ok(decoded) } else { Err(self.file.miscounted(self.group)) }
    }
}

fn created(unit: Unit, array: &ArrayRef, name: &str) -> Result<ArrayRef> {
    let ticks = unit.ticks(array, name)?;
    let micros = (0..array.len()).map(|row| ticks.get(row).map(|ticks| unit.to_micros(ticks)));
    Ok(Arc::new(micros.collect::<Int64Array>()))
}

/// The numbers of a column of creation times.
pub(super) fn micros(array: &ArrayRef) -> Result<&Int64Array> {
    array.as_primitive_opt::<Int64Type>().ok_or_else(|| {
        Error::new(ErrorKind::Internal, "features.as_of", "creation times are no whole numbers")
    })
}
