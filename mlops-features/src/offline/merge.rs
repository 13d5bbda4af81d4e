//! Merges segments that follow one another into one, in their common order, with bounded memory.
//!
//! Of each segment a piece of some thousand rows is in memory. Keys, times and `seq` are turned into byte
//! strings whose order is that of the rows, so that one comparison decides. What is appended to later
//! in one run of a segment is taken as a run.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{filter_record_batch, interleave};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use mlops_core::features::{Segment, Table};
use mlops_core::{Error, Result};

use super::error::internal;
use super::file::{BATCH_ROWS, Pieces, RowFile};
use super::layout::{below, segment_name};
use super::store::SegmentStore;
use super::write::SegmentWriter;

/// Rows of all segments together that are in memory at a time, about.
const ROWS_IN_MEMORY: usize = 1 << 20;

/// Which rows stay; `None` for all.
pub(super) type Keep<'a> = dyn FnMut(&RecordBatch) -> Result<Option<BooleanArray>> + Send + 'a;

/// A segment that is being read.
struct Cursor {
    pieces: Pieces,
    /// Where the columns of the result are in the file.
    columns: Vec<Option<usize>>,
    /// The place of its batch among those that are held.
    held: usize,
    rows: Rows,
    at: usize,
}

impl SegmentStore {
    /// One segment of the rows of others that `keep` leaves; `None` if it leaves none.
    pub(super) async fn merge(
        &self,
        operation: &'static str,
        table: &Table,
        segments: &[Segment],
        position: u64,
        keep: &mut Keep<'_>,
    ) -> Result<Option<Segment>> {
        let keys = table.keys.len();
        let (schema, files) = self.open_all(operation, segments).await?;
        let first_seq = segments.first().map_or(0, |segment| segment.seq.0);
        let name = segment_name(&table.id, position, first_seq, self.clock.now_micros());
        let path = below(&self.root, &name);
        let mut writer = SegmentWriter::new(operation, &self.store, path, name, keys);

        let order = schema.fields().iter().take(keys + 3);
        let order = order.map(|field| SortField::new(field.data_type().clone())).collect();
        let converter = RowConverter::new(order).map_err(|e| internal(operation, e))?;
        let rows = (ROWS_IN_MEMORY / files.len().max(1)).clamp(1_024, BATCH_ROWS);
        let open = |file| Cursor::new(file, &schema, &converter, rows);
        let mut cursors: Vec<Cursor> = files.into_iter().map(open).collect();
        let mut held = Vec::new();
        let mut queue: Vec<usize> = Vec::with_capacity(cursors.len());
        for at in 0..cursors.len() {
            let batch = cursors[at].advance(operation, &schema, &converter, keys, keep).await?;
            if let Some(batch) = batch {
                cursors[at].held = held.len();
                held.push(batch);
                enqueue(&mut queue, &cursors, at);
            }
        }
        let mut picks: Vec<(usize, usize)> = Vec::with_capacity(2 * BATCH_ROWS);
        // The least is last in the queue.
        while let Some(at) = queue.pop() {
            let bound = queue.last().map(|next| &cursors[*next]);
            let cursor = &cursors[at];
            let all = cursor.rows.num_rows();
            let mut end = cursor.at + 1;
            while end < all
                && picks.len() + (end - cursor.at) < 2 * BATCH_ROWS
                && bound.is_none_or(|bound| cursor.rows.row(end) < bound.rows.row(bound.at))
            {
                end += 1;
            }
            picks.extend((cursor.at..end).map(|row| (cursor.held, row)));
            cursors[at].at = end;
            if end == all {
                let batch = cursors[at].advance(operation, &schema, &converter, keys, keep).await?;
                if let Some(batch) = batch {
                    cursors[at].held = held.len();
                    held.push(batch);
                    enqueue(&mut queue, &cursors, at);
                }
            } else {
                enqueue(&mut queue, &cursors, at);
            }
            if picks.len() >= BATCH_ROWS || queue.is_empty() {
                writer.add(&gather(operation, &schema, &held, &picks)?).await?;
                picks.clear();
                // Only what is still read from is held on.
                let mut kept = Vec::with_capacity(queue.len());
                for at in &queue {
                    kept.push(held[cursors[*at].held].clone());
                    cursors[*at].held = kept.len() - 1;
                }
                held = kept;
            }
        }
        writer.finish().await
    }

    /// The segments' files, and the columns that they have together.
    async fn open_all(
        &self,
        operation: &'static str,
        segments: &[Segment],
    ) -> Result<(SchemaRef, Vec<RowFile>)> {
        let mut files = Vec::with_capacity(segments.len());
        for segment in segments {
            let path = below(&self.root, &segment.path);
            files.push(RowFile::segment(operation, &self.store, path, segment).await?);
        }
        Ok((union(operation, &files)?, files))
    }
}

impl Cursor {
    /// Before the first row of a file, which is read so many rows at a time.
    fn new(file: RowFile, schema: &SchemaRef, converter: &RowConverter, rows: usize) -> Self {
        let own = Arc::clone(file.schema());
        let columns = schema.fields().iter().map(|f| own.index_of(f.name()).ok()).collect();
        let all: Vec<usize> = (0..own.fields().len()).collect();
        let pieces = file.cut(0..file.metadata().num_row_groups(), rows);
        let pieces = file.read(&all, pieces);
        Self { pieces, columns, held: 0, rows: converter.empty_rows(0, 0), at: 0 }
    }

    /// The next rows, if there are any.
    async fn advance(
        &mut self,
        operation: &'static str,
        schema: &SchemaRef,
        converter: &RowConverter,
        keys: usize,
        keep: &mut Keep<'_>,
    ) -> Result<Option<RecordBatch>> {
        while let Some(batch) = self.pieces.next().await? {
            let columns = self.columns.iter().zip(schema.fields()).map(|(at, field)| match at {
                Some(at) => Arc::clone(batch.column(*at)),
                None => new_null_array(field.data_type(), batch.num_rows()),
            });
            let columns: Vec<ArrayRef> = columns.collect();
            let batch = RecordBatch::try_new(Arc::clone(schema), columns);
            let mut batch = batch.map_err(|e| internal(operation, e))?;
            if let Some(mask) = keep(&batch)? {
                batch = filter_record_batch(&batch, &mask).map_err(|e| internal(operation, e))?;
            }
            if batch.num_rows() > 0 {
                let rows = converter.convert_columns(&batch.columns()[..keys + 3]);
                self.rows = rows.map_err(|e| internal(operation, e))?;
                self.at = 0;
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

/// Puts a cursor in its place, the greatest first.
fn enqueue(queue: &mut Vec<usize>, cursors: &[Cursor], at: usize) {
    let row = |cursor: usize| cursors[cursor].rows.row(cursors[cursor].at);
    let place = queue.partition_point(|other| row(*other) > row(at));
    queue.insert(place, at);
}

fn gather(
    operation: &'static str,
    schema: &SchemaRef,
    held: &[RecordBatch],
    picks: &[(usize, usize)],
) -> Result<RecordBatch> {
    // One run of one batch is a slice.
    if let (Some((first, start)), Some((last, end))) = (picks.first(), picks.last())
        && picks.iter().all(|(batch, _)| batch == first)
        && first == last
        && end - start + 1 == picks.len()
    {
        return Ok(held[*first].slice(*start, picks.len()));
    }
    let columns = (0..schema.fields().len()).map(|column| {
        let arrays: Vec<&dyn Array> = held.iter().map(|b| b.column(column).as_ref()).collect();
        interleave(&arrays, picks)
    });
    let columns: Result<Vec<_>, _> = columns.collect();
    let columns = columns.map_err(|e| internal(operation, e))?;
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| internal(operation, e))
}

/// The columns of all files: a view may have got features since, or lost some that others still use.
fn union(operation: &'static str, files: &[RowFile]) -> Result<SchemaRef> {
    let mut fields: Vec<Arc<Field>> = Vec::new();
    for file in files {
        for field in file.schema().fields() {
            match fields.iter().find(|known| known.name() == field.name()) {
                None => fields.push(Arc::clone(field)),
                Some(known) if known.data_type() == field.data_type() => {}
                Some(known) => {
                    return Err(Error::corrupt(operation, "a column has two types in a table")
                        .with("segment", file.name())
                        .with("column", field.name())
                        .with("type", field.data_type())
                        .with("expected", known.data_type()));
                }
            }
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}
