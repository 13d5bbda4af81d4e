//! The first pass: keys and times of the rows stream past those who ask.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use futures::{StreamExt, TryStreamExt, stream};
use mlops_core::Result;
use mlops_core::features::{Probe, Progress, TableKey, WriteOrder};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection};

use super::crew::{Crew, threads};
use super::error::guarded;
use super::file::{Layout, Opened};
use super::keys::NONE;
use super::prune::Pruner;
use super::slots::{Offer, Rule, Slots, Winner, Winners};
use super::ticks::Unit;

/// Rows that are decoded at a time: their keys and times stay in the processor's second cache.
const BATCH_ROWS: usize = 32 << 10;
/// Most bytes of winners that threads have beside one another.
const WINNERS_BYTES: usize = 256 << 20;

/// What all row groups share.
pub(super) struct Pass {
    pub(super) keys: Vec<TableKey>,
    pub(super) slots: Arc<Slots>,
    pub(super) rule: Rule,
    pub(super) unit: Unit,
}

/// Part of a file to be read.
struct Part {
    file: Arc<Opened>,
    group: usize,
    /// Where the group's first row is among those of all files.
    first: u64,
    /// Rows of the group; all, if not said.
    rows: Option<Vec<Range<usize>>>,
    with_created: bool,
}

/// Reads all files, and returns what each slot answers; `with_created` says of which files the times of creation
/// are read.
pub(super) async fn winners(
    pass: Arc<Pass>,
    files: &[Arc<Opened>],
    with_created: &[bool],
    probe: &Probe,
) -> Result<Vec<Winner>> {
    let all: u64 = files.iter().map(|file| file.rows()).sum();
    let parts = parts(&pass, files, with_created);
    let least: u64 = parts.iter().map(|part| part.file.group_rows(part.group) as u64).sum();
    let mut progress = Progress { rows: all - least, of: Some(all) };
    let slots = pass.slots.len();
    let affordable = (WINNERS_BYTES / Winners::bytes(slots).max(1)).max(1);
    let workers = threads(probe.threads).min(affordable).min(parts.len()).max(1);
    let crew = Crew::new(vec![Winners::new(&pass.slots); workers])?;
    let crew_ref = &crew;
    let mut done = stream::iter(parts)
        .map(|part| {
            let pass = Arc::clone(&pass);
            async move {
                let rows = part.file.group_rows(part.group) as u64;
                if let Some(reader) = part.fetch().await? {
                    crew_ref.run(move |winners| part.offer(reader, &pass, winners)).await?;
                }
                Ok::<u64, mlops_core::Error>(rows)
            }
        })
        .buffered(crew.ahead());
    while let Some(rows) = done.try_next().await? {
        progress.rows += rows;
        if let Some(watcher) = &probe.progress {
            watcher(progress);
        }
    }
    drop(done);
    let mut own = crew.finish()?.into_iter();
    let mut winners = own.next().unwrap_or_else(|| Winners::new(&pass.slots));
    for other in own {
        winners.merge(&other);
    }
    Ok(winners.finish(&pass.slots))
}

fn parts(pass: &Pass, files: &[Arc<Opened>], with_created: &[bool]) -> Vec<Part> {
    let pruner = Pruner { slots: &pass.slots, rule: pass.rule, unit: pass.unit };
    let mut parts = Vec::new();
    for (file, with_created) in files.iter().zip(with_created) {
        let mut first = file.first;
        for (group, keep) in pruner.groups(file).into_iter().enumerate() {
            let rows = if keep { pruner.pages(file, group) } else { Some(Vec::new()) };
            if rows.as_ref().is_none_or(|rows| !rows.is_empty()) {
                let (file, with_created) = (Arc::clone(file), *with_created);
                parts.push(Part { file, group, first, rows, with_created });
            }
            first += file.group_rows(group) as u64;
        }
    }
    parts
}

impl Part {
    /// The columns that are read, ascending, each once.
    fn columns(&self) -> Vec<usize> {
        let mut columns = self.file.keys.clone();
        columns.push(self.file.event_time);
        columns.extend(self.file.created.filter(|_| self.with_created));
        columns.extend(self.file.seq);
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    async fn fetch(&self) -> Result<Option<ParquetRecordBatchReader>> {
        let total = self.file.group_rows(self.group);
        let selection = self
            .rows
            .as_ref()
            .map(|rows| RowSelection::from_consecutive_ranges(rows.iter().cloned(), total));
        self.file.read(self.group, &self.columns(), selection, BATCH_ROWS).await
    }

    fn offer(
        &self,
        mut reader: ParquetRecordBatchReader,
        pass: &Pass,
        winners: &mut Winners,
    ) -> Result<()> {
        let columns = self.columns();
        let total = self.file.group_rows(self.group);
        let all = || std::iter::once(0..total).collect();
        let mut rows = self.rows.clone().unwrap_or_else(all).into_iter();
        let mut range = 0..0;
        let mut ids = Vec::new();
        while let Some(batch) = guarded(|| reader.next().transpose().map_err(Into::into))
            .map_err(|error| self.file.unreadable(self.group, error))?
        {
            let taken = Taken::new(self, &batch, &columns, pass, &mut ids)?;
            // The batch's rows may be of several ranges, and a range's in several batches.
            let mut at = 0;
            while at < batch.num_rows() {
                if range.is_empty() {
                    range = rows.next().ok_or_else(|| self.file.miscounted(self.group))?;
                }
                let length = range.len().min(batch.num_rows() - at);
                let first = self.first + range.start as u64;
                if let (None, Some(before)) = (self.file.seq, self.file.file.before_seq) {
                    let kept = before.saturating_sub(first).min(length as u64) as usize;
                    ids[at + kept..at + length].fill(NONE);
                }
                let offer = taken.offer(&ids, at..at + length, first);
                if self.file.file.layout == Layout::Segment && pass.rule.sees_all() {
                    winners.offer_sorted(&pass.slots, pass.rule, offer);
                } else {
                    winners.offer(&pass.slots, pass.rule, offer);
                }
                range.start += length;
                at += length;
            }
        }
        if range.is_empty() && rows.next().is_none() {
            return Ok(());
        }
        Err(self.file.miscounted(self.group))
    }
}

/// What is needed of a batch.
struct Taken {
    event_times: arrow::buffer::ScalarBuffer<i64>,
    created: Option<arrow::buffer::ScalarBuffer<i64>>,
}

impl Taken {
    fn new(
        part: &Part,
        batch: &RecordBatch,
        columns: &[usize],
        pass: &Pass,
        ids: &mut Vec<u32>,
    ) -> Result<Self> {
        let file = &part.file;
        let column = |of: usize| -> &ArrayRef {
            batch.column(columns.partition_point(|column| *column < of))
        };
        let keys: Vec<ArrayRef> = file.keys.iter().map(|key| column(*key).clone()).collect();
        let named = |error: mlops_core::Error| error.with("file", &file.file.url);
        pass.slots.keys.ids(&pass.keys, &keys, batch.num_rows(), ids).map_err(named)?;
        let times = |of: usize| pass.unit.ticks(column(of), file.name(of)).map_err(named);
        let event_times = times(file.event_time)?;
        if let Some(nulls) = &event_times.nulls {
            // A row that is of no instant is seen at none.
            for (row, id) in ids.iter_mut().enumerate() {
                if nulls.is_null(row) {
                    *id = NONE;
                }
            }
        }
        if let (Some(seq), Some(before)) = (file.seq, file.file.before_seq) {
            let seqs = column(seq).as_primitive_opt::<UInt64Type>();
            let seqs = seqs.ok_or_else(|| file.miscounted(part.group))?;
            for (seq, id) in seqs.values().iter().zip(ids.iter_mut()) {
                if *seq >= before {
                    *id = NONE;
                }
            }
        }
        let created = match file.created.filter(|_| part.with_created) {
            None => None,
            Some(created) => {
                let created = times(created)?;
                Some(match &created.nulls {
                    // An instant that is known is after the one that stands for none.
                    None => created.values,
                    Some(_) => (0..batch.num_rows())
                        .map(|row| created.get(row).unwrap_or(WriteOrder::UNKNOWN))
                        .collect(),
                })
            }
        };
        Ok(Self { event_times: event_times.values, created })
    }

    fn offer<'a>(&'a self, ids: &'a [u32], rows: Range<usize>, first: u64) -> Offer<'a> {
        Offer {
            ids: &ids[rows.clone()],
            event_times: &self.event_times[rows.clone()],
            created: self.created.as_ref().map(|created| &created[rows]),
            first,
        }
    }
}
