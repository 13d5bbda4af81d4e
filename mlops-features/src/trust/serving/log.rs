//! [`ServingLog`]: the buffer of a writer, and what happens when it is full.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use mlops_core::features::{ServiceRef, Span};
use mlops_core::{Error, ErrorKind, Result};

use super::head::Head;
use super::place::ServingLogs;

const OPERATION: &str = "features.serving_log";
/// Logs that this process has made.
static MADE: AtomicU64 = AtomicU64::new(0);

/// How a serving log is written.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServingOptions {
    /// One key in so many is kept, with all of its requests: those of
    /// [`bucket_of`](crate::bucket_of)`(key, one_in) == 0`, where the key is that of all key columns of the
    /// service, by name. Exactly those: not by chance, and the same ones in each process.
    pub one_in: u32,
    /// Most records in the buffer, of all services together.
    pub rows: usize,
    /// What is done when it is full.
    pub when_full: WhenFull,
    /// For how long a service's mark is used again; see [`LoggedService::mark`](super::LoggedService::mark).
    pub mark_for: Span,
}

/// What is done when the buffer is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The request that finds it full waits until it is written.
    #[default]
    Flush,
    /// Records are left out, and counted, until somebody flushes.
    Drop,
}

impl Default for ServingOptions {
    fn default() -> Self {
        Self { one_in: 1, rows: 16_384, when_full: WhenFull::default(), mark_for: Span::seconds(1) }
    }
}

impl ServingOptions {
    /// Keeps one key in so many.
    pub fn one_in(mut self, keys: u32) -> Self {
        self.one_in = keys;
        self
    }

    /// Sets how many records are buffered at most.
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    /// Sets what is done when the buffer is full.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Sets for how long a mark is used again.
    pub fn mark_for(mut self, span: Span) -> Self {
        self.mark_for = span;
        self
    }
}

/// Writes what is answered online; clones are cheap and share the buffer.
///
/// Call [`ServingLog::flush`] now and then, and before the process ends: what is in the buffer then is lost
/// with the process, at most [`ServingOptions::rows`] records.
#[derive(Debug, Clone)]
pub struct ServingLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    logs: ServingLogs,
    options: ServingOptions,
    /// Which of this process's logs it is.
    number: u64,
    buffer: Mutex<Buffer>,
    /// One flush at a time, so that each record is written by one.
    flushing: futures::lock::Mutex<()>,
}

#[derive(Debug, Default)]
struct Buffer {
    parts: BTreeMap<ServiceRef, Part>,
    /// Segments that could not be written.
    frozen: Vec<Frozen>,
    /// Records in these, and those that are being written.
    rows: usize,
    /// Segments that were made.
    segments: u64,
    /// Records that were left out since the last segment, and in all.
    dropped: (u64, u64),
}

#[derive(Debug)]
struct Part {
    head: Arc<Head>,
    batches: Vec<RecordBatch>,
}

/// A segment, as it is or will be written.
#[derive(Debug)]
struct Frozen {
    head: Head,
    batch: RecordBatch,
}

impl Buffer {
    fn left_out(&mut self, rows: usize) {
        self.dropped.0 += rows as u64;
        self.dropped.1 += rows as u64;
    }
}

impl ServingLog {
    /// A log that writes to these.
    ///
    /// # Errors
    /// `Invalid` for a share of one key in none, or a buffer of no records.
    pub fn new(logs: ServingLogs, options: ServingOptions) -> Result<Self> {
        if options.one_in == 0 || options.rows == 0 {
            return Err(Error::invalid(OPERATION, "a share and a buffer must be 1 or more")
                .with("one_in", options.one_in)
                .with("rows", options.rows));
        }
        let (buffer, flushing) = (Mutex::default(), futures::lock::Mutex::new(()));
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Ok(Self(Arc::new(Inner { logs, options, number, buffer, flushing })))
    }

    /// Where it writes to.
    pub fn logs(&self) -> &ServingLogs {
        &self.0.logs
    }

    /// How it writes.
    pub fn options(&self) -> &ServingOptions {
        &self.0.options
    }

    /// How many records are not written yet.
    pub fn pending(&self) -> usize {
        self.buffer().rows
    }

    /// How many records were left out, since the log was made: because the buffer was full, or because
    /// they could not be logged.
    pub fn dropped(&self) -> u64 {
        self.buffer().dropped.1
    }

    /// Writes what is buffered; when it returns, all that was logged before is durable.
    ///
    /// # Errors
    /// Those of the store; the records stay in the buffer, and a flush afterwards writes them, once.
    pub async fn flush(&self) -> Result<()> {
        let _one = self.0.flushing.lock().await;
        let mut left = self.freeze()?.into_iter();
        while let Some(segment) = left.next() {
            if let Err(error) = self.0.logs.write(&segment.head, &segment.batch).await {
                // As they are, so that the same bytes are written again: it may be there already.
                self.buffer().frozen = std::iter::once(segment).chain(left).collect();
                return Err(error);
            }
            self.buffer().rows -= segment.batch.num_rows();
        }
        Ok(())
    }

    /// Makes segments of what is buffered.
    fn freeze(&self) -> Result<Vec<Frozen>> {
        let mut buffer = self.buffer();
        let mut frozen = std::mem::take(&mut buffer.frozen);
        for (_, part) in std::mem::take(&mut buffer.parts) {
            let Some(first) = part.batches.first() else { continue };
            let batch = concat_batches(&first.schema(), &part.batches).map_err(|source| {
                Error::new(ErrorKind::Internal, OPERATION, "records could not be put together")
                    .with_source(source)
            });
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    let rows: usize = part.batches.iter().map(RecordBatch::num_rows).sum();
                    buffer.rows -= rows;
                    buffer.left_out(rows);
                    buffer.frozen = frozen;
                    return Err(error.with("left_out", rows));
                }
            };
            let dropped = std::mem::take(&mut buffer.dropped.0);
            let writer = (std::process::id(), self.0.number, buffer.segments);
            buffer.segments += 1;
            let head = Head { writer, dropped, ..Head::clone(&part.head) };
            frozen.push(Frozen { head, batch });
        }
        Ok(frozen)
    }

    /// Takes records in, and returns how many.
    pub(super) async fn take(&self, head: &Arc<Head>, records: RecordBatch) -> Result<usize> {
        let all = records.num_rows();
        let mut taken = 0;
        while taken < all {
            let room = {
                let mut buffer = self.buffer();
                let room =
                    (self.0.options.rows - buffer.rows.min(self.0.options.rows)).min(all - taken);
                if room > 0 {
                    let service = head.service.clone();
                    let part = buffer.parts.entry(service);
                    let part = part
                        .or_insert_with(|| Part { head: Arc::clone(head), batches: Vec::new() });
                    part.batches.push(records.slice(taken, room));
                    buffer.rows += room;
                }
                room
            };
            taken += room;
            if taken < all {
                match self.0.options.when_full {
                    WhenFull::Drop => {
                        self.drop_records(all - taken);
                        break;
                    }
                    WhenFull::Flush => {
                        if let Err(error) = self.flush().await {
                            self.drop_records(all - taken);
                            return Err(error.with("left_out", all - taken));
                        }
                    }
                }
            }
        }
        Ok(taken)
    }

    /// Counts records that are left out.
    pub(super) fn drop_records(&self, rows: usize) {
        self.buffer().left_out(rows);
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        // It is whole between any two statements.
        self.0.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
