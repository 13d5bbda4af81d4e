//! Reads rows as they were written, a batch at a time.
//!
//! Files of others are brought to the same shape: `seq` is a row's place over all files. A row of such a file
//! without event time is no row, as for the join.
//!
//! If another process compacts meanwhile and a segment is gone before it is opened, its rows are read from
//! those that have them now; so a long scan outlives the grace of a compaction.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array, new_null_array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef, TimestampMicrosecondType, UInt64Type};
use futures::{StreamExt, stream};
use mlops_core::features::{Scan, Segment, Source, Table, TableColumn};
use mlops_core::validation::BatchStream;
use mlops_core::{Error, Result};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::coerce::{coerce_asked_keys, coerce_column, coerce_keys, coerce_time};
use super::error::internal;
use super::file::{BATCH_ROWS, Pieces, RowFile};
use super::keys::KeySet;
use super::layout::{below, own_fields};
use super::snapshot::{READS, Snapshot};
use super::sources::Place;
use super::store::SegmentStore;

const OPERATION: &str = "features.scan";
/// Rows that are fetched at once.
const PIECE_ROWS: usize = 4 * BATCH_ROWS;

/// What is still to be read.
struct Reading {
    store: SegmentStore,
    table: Table,
    columns: Vec<TableColumn>,
    schema: SchemaRef,
    scan: Scan,
    keys: Option<KeySet>,
    /// What is read of a table that is no files.
    read: Option<Snapshot>,
    tries: usize,
    segments: VecDeque<Segment>,
    /// Rows of a lower `seq` were read, or are being read.
    next_seq: u64,
    files: VecDeque<Place>,
    /// The place of the next row of files.
    place: u64,
    open: Option<Open>,
}

/// A file that is being read.
struct Open {
    pieces: Pieces,
    foreign: bool,
    keys: Vec<usize>,
    event_time: usize,
    created: Option<usize>,
    seq: Option<usize>,
    values: Vec<Option<usize>>,
    name: String,
}

impl SegmentStore {
    pub(super) async fn scan_rows(&self, table: &Table, scan: Scan) -> Result<BatchStream> {
        let columns = match &scan.columns {
            None => table.columns.clone(),
            Some(names) => names.iter().map(|name| column(table, name)).collect::<Result<_>>()?,
        };
        let (mut read, mut files) = (None, VecDeque::new());
        if let Source::Files(urls) = &table.source {
            files = self.sources.files(OPERATION, urls).await?.into();
        } else {
            read = Some(self.snapshot(OPERATION, &table.id, scan.position, false).await?);
        }
        let keys = table.keys.iter().map(|key| Field::new(&key.name, key.data_type.arrow(), true));
        let values = columns.iter().map(|c| Field::new(&c.name, c.data_type.arrow(), true));
        let fields: Vec<_> = keys.chain(own_fields()).chain(values).collect();
        let mut reading = Reading {
            store: self.clone(),
            keys: scan.keys.as_ref().map(|keys| KeySet::new(keys, &table.keys)),
            table: table.clone(),
            columns,
            schema: Arc::new(Schema::new(fields)),
            scan,
            read: None,
            tries: 1,
            segments: VecDeque::new(),
            next_seq: 0,
            files,
            place: 0,
            open: None,
        };
        if let Some(read) = read {
            reading.begin(read)?;
        }
        let batches = stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|batch| (batch, reading)))
        });
        Ok(batches.boxed())
    }
}

impl Reading {
    /// What is left to be read, of the segments of a snapshot.
    fn begin(&mut self, read: Snapshot) -> Result<()> {
        if read.later {
            let before = self.scan.before_seq.unwrap_or(u64::MAX);
            self.scan.before_seq = Some(before.min(read.before));
            if let Some(done) = self.next_seq.checked_sub(1) {
                self.scan.after_seq = Some(self.scan.after_seq.map_or(done, |seq| seq.max(done)));
            }
        }
        let scan = &self.scan;
        let mut segments: VecDeque<_> = read.log.segments().iter().cloned().collect();
        if let Some(only) = &scan.segment {
            segments.retain(|segment| segment.path == *only);
            if segments.is_empty() {
                return Err(Error::not_found(OPERATION, "the table has no such segment")
                    .with("table", &self.table.id)
                    .with("segment", only));
            }
        }
        segments.retain(|segment| {
            scan.after_seq.is_none_or(|after| segment.seq.1 > after)
                && scan.before_seq.is_none_or(|before| segment.seq.0 < before)
                && scan.from.is_none_or(|from| segment.event_time.1 >= from)
                && scan.until.is_none_or(|until| segment.event_time.0 < until)
        });
        self.segments = segments;
        self.read = Some(read);
        Ok(())
    }

    /// Begins anew after a segment turned out to be gone; `false` if that is what it is.
    async fn begin_again(&mut self, error: &Error) -> Result<bool> {
        let Some(read) = &self.read else { return Ok(false) };
        let table = &self.table.id;
        if self.scan.segment.is_some()
            || self.tries >= READS
            || !self.store.again(OPERATION, table, read, error).await?
        {
            return Ok(false);
        }
        self.tries += 1;
        // Rows of one answer are of one position; of which, is free until the first of them.
        let fresh = self.scan.position.is_none() && self.next_seq == 0;
        let position = if fresh { None } else { Some(read.position) };
        let read = self.store.snapshot(OPERATION, table, position, true).await?;
        self.begin(read)?;
        Ok(true)
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.open.is_none() && !self.open_next().await? {
                return Ok(None);
            }
            let Some(open) = &mut self.open else { continue };
            let Some(batch) = open.pieces.next().await? else {
                self.open = None;
                continue;
            };
            let batch = self.shaped(&batch)?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
    }

    /// Opens the next file; `false` if there is none.
    async fn open_next(&mut self) -> Result<bool> {
        while let Some(segment) = self.segments.pop_front() {
            let path = below(&self.store.root, &segment.path);
            match RowFile::segment(OPERATION, &self.store.store, path, &segment).await {
                Err(error) if self.begin_again(&error).await? => {}
                file => {
                    self.open = Some(self.open(file?, false)?);
                    self.next_seq = segment.seq.1.saturating_add(1);
                    return Ok(true);
                }
            }
        }
        let Some(place) = self.files.pop_front() else { return Ok(false) };
        let file = RowFile::open(OPERATION, &place.store, place.path, place.url, None).await?;
        self.open = Some(self.open(file, true)?);
        Ok(true)
    }

    fn open(&self, file: RowFile, foreign: bool) -> Result<Open> {
        let schema = Arc::clone(file.schema());
        let name = file.name().to_owned();
        let at = |column: &str| {
            schema.index_of(column).map_err(|_| {
                let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
                Error::invalid(OPERATION, "the file has no such column")
                    .with("file", &name)
                    .with("column", column)
                    .with("columns", names.join(", "))
            })
        };
        let table = &self.table;
        let keys = table.keys.iter().map(|key| at(&key.name)).collect::<Result<Vec<_>>>()?;
        let (event_time, created, seq) = if foreign {
            (at(&table.event_time)?, table.created.as_deref().map(at).transpose()?, None)
        } else {
            let (event_time, created) = (at(Table::EVENT_TIME)?, at(Table::CREATED)?);
            (event_time, Some(created), Some(at(Table::SEQ)?))
        };
        let values = self.columns.iter().map(|column| match at(&column.name) {
            Err(error) if foreign => Err(error),
            found => Ok(found.ok()),
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        let mut read: Vec<usize> = keys.iter().copied().chain([event_time]).collect();
        read.extend(created.into_iter().chain(seq).chain(values.iter().copied().flatten()));
        read.sort_unstable();
        read.dedup();
        // In a batch, columns are in the file's order.
        let place = |at: usize| read.partition_point(|read| *read < at);
        let groups = file.metadata().row_groups().iter().enumerate();
        let groups = groups.filter(|(_, group)| foreign || self.wants(group)).map(|(at, _)| at);
        let pieces = file.cut(groups.collect::<Vec<_>>(), PIECE_ROWS);
        Ok(Open {
            foreign,
            keys: keys.into_iter().map(place).collect(),
            event_time: place(event_time),
            created: created.map(place),
            seq: seq.map(place),
            values: values.into_iter().map(|at| at.map(place)).collect(),
            name,
            pieces: file.read(&read, pieces),
        })
    }

    /// Whether a row group of a segment may have rows that are asked for.
    fn wants(&self, group: &RowGroupMetaData) -> bool {
        let keys = self.table.keys.len();
        let range = |at: usize| match group.columns().get(at).and_then(|c| c.statistics()) {
            Some(Statistics::Int64(ints)) => ints.min_opt().copied().zip(ints.max_opt().copied()),
            _ => None,
        };
        let (from, until) = (self.scan.from, self.scan.until);
        range(keys).is_none_or(|(least, greatest)| {
            from.is_none_or(|from| greatest >= from) && until.is_none_or(|until| least < until)
        }) && self.keys.as_ref().is_none_or(|wanted| wanted.may_be_in(group))
    }

    /// The columns that are asked for, of the rows that are.
    fn shaped(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let Some(open) = &self.open else { return Ok(RecordBatch::new_empty(self.schema.clone())) };
        let rows = batch.num_rows();
        let in_file = |error: Error| error.with("file", &open.name);
        let raw: Vec<_> = open.keys.iter().map(|at| Arc::clone(batch.column(*at))).collect();
        // Files of others may have the types that a join takes as well.
        let coerce = if open.foreign { coerce_asked_keys } else { coerce_keys };
        let mut columns = coerce(&raw, &self.table.keys).map_err(in_file)?;
        let time = |at: usize, name: &str| coerce_time(batch.column(at), name).map_err(in_file);
        let event_time = time(open.event_time, &self.table.event_time)?;
        let created = match open.created {
            Some(at) => time(at, self.table.created.as_deref().unwrap_or(Table::CREATED))?,
            None => new_null_array(event_time.data_type(), rows),
        };
        let places = self.place..self.place + rows as u64;
        let seq = open.seq.map_or_else(
            || Arc::new(UInt64Array::from_iter_values(places)) as ArrayRef,
            |at| Arc::clone(batch.column(at)),
        );
        if open.foreign {
            self.place += rows as u64;
        }
        let mask = self.mask(&event_time, &seq);
        columns.extend([event_time, created, seq]);
        for (column, at) in self.columns.iter().zip(&open.values) {
            columns.push(match at {
                Some(at) => {
                    let values = batch.column(*at);
                    coerce_column(values, column.data_type, &column.name).map_err(in_file)?
                }
                None => new_null_array(&column.data_type.arrow(), rows),
            });
        }
        // Its event times may be null until they are filtered.
        let loose: Vec<_> =
            self.schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
        let made = RecordBatch::try_new(Arc::new(Schema::new(loose)), columns);
        let mut made = made.map_err(|e| internal(OPERATION, e))?;
        if let Some(mask) = mask {
            made = filter_record_batch(&made, &mask).map_err(|e| internal(OPERATION, e))?;
        }
        if let Some(keys) = &self.keys {
            let mask = keys.mask(&made)?;
            made = filter_record_batch(&made, &mask).map_err(|e| internal(OPERATION, e))?;
        }
        let made = RecordBatch::try_new(Arc::clone(&self.schema), made.columns().to_vec());
        made.map_err(|e| internal(OPERATION, e))
    }

    fn mask(&self, event_time: &ArrayRef, seq: &ArrayRef) -> Option<BooleanArray> {
        let Scan { after_seq, before_seq, from, until, .. } = self.scan;
        let any_seq = after_seq.is_none() && before_seq.is_none();
        if any_seq && from.is_none() && until.is_none() && event_time.null_count() == 0 {
            return None;
        }
        let times = event_time.as_primitive::<TimestampMicrosecondType>();
        let seqs = seq.as_primitive::<UInt64Type>().values();
        let wanted = times.iter().zip(seqs).map(|(time, seq)| {
            time.is_some_and(|time| {
                from.is_none_or(|from| time >= from) && until.is_none_or(|until| time < until)
            }) && after_seq.is_none_or(|after| *seq > after)
                && before_seq.is_none_or(|before| *seq < before)
        });
        Some(wanted.collect::<Vec<_>>().into())
    }
}

fn column(table: &Table, name: &str) -> Result<TableColumn> {
    let found = table.columns.iter().find(|column| column.name == name);
    found.cloned().ok_or_else(|| {
        let names: Vec<_> = table.columns.iter().map(|c| c.name.as_str()).collect();
        Error::invalid(OPERATION, "the table has no such column")
            .with("table", &table.id)
            .with("column", name)
            .with("columns", names.join(", "))
    })
}
