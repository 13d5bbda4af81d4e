//! Was online what offline says? Answers that were logged are played again, and compared bit for bit.
//!
//! The log of rows may have grown since. So an answer is held against the log as it was, and it is right if
//! there is *some* state of the log, from what was online for certain when it was read up to all of it, that
//! says the same:
//!
//! | the answer is that of | it counts as |
//! |---|---|
//! | the whole log | `equal` |
//! | the log as it was when the answer was read | `late`: rows came afterwards |
//! | less of it, but not less than was online | `behind`: the materializer was |
//! | no such state | `mismatch`: skew |
//!
//! The non-obvious decision: what differs from the whole log is looked at a second time by code that shares
//! nothing with the join but the rule of what can be seen: it reads all rows of the key, and tries. So the
//! second look also checks the first.
//!
//! On-demand features are computed again of what was logged, so that a difference in them is one of the
//! transform alone.

mod compare;
mod report;
mod states;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use mlops_core::features::{Registered, ServiceRef};
use mlops_core::{Error, ErrorKind, Result};

use self::compare::Replay;
pub use self::report::{FeatureSkew, SkewExample, SkewReport};
use super::serving::{AT, Head, ServingLogs};
use crate::define::resolve_service;
use crate::features::{Features, internal};

const OPERATION: &str = "features.verify_skew";
/// Records that are played again at once; segments are put together up to this.
const RECORDS: usize = 65_536;

/// Which records are played again.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Verify {
    /// From this instant on, in microseconds since 1970.
    pub from: Option<i64>,
    /// Before this instant.
    pub until: Option<i64>,
    /// Threads of the join; 0 for as many as the machine has.
    pub threads: usize,
}

impl Verify {
    /// Only records of instants in `[from, until)`.
    pub fn between(mut self, from: i64, until: i64) -> Self {
        (self.from, self.until) = (Some(from), Some(until));
        self
    }
}

impl Features {
    /// Plays logged answers of a service, or of one version of it, again, and says where they differ from
    /// what is offline.
    ///
    /// Of a view of files there is no log of rows: what a file says now is what it is held against.
    ///
    /// # Errors
    /// `Conflict` if the log is of other definitions than those that are registered; `Corrupt` for a segment
    /// that is not what was written; what resolving the service and reading offline return.
    pub async fn verify_skew(
        &self,
        logs: &ServingLogs,
        service: &ServiceRef,
        options: &Verify,
    ) -> Result<SkewReport> {
        let registered = self.load().await?;
        let mut report = SkewReport::new(service.clone());
        let mut waiting: Option<(Head, Vec<RecordBatch>)> = None;
        for segment in logs.segments(Some(service)).await? {
            let (first, last) = segment.at;
            let wanted = options.from.is_none_or(|from| last >= from)
                && options.until.is_none_or(|until| first < until);
            if !wanted {
                continue;
            }
            let (head, batch) = match logs.read(&segment.path).await {
                // An erasure was faster; what is left is in another segment.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                read => read?,
            };
            report.segments += 1;
            report.dropped += head.dropped;
            let batch =
                between(&batch, options).map_err(|error| error.with("file", &segment.path))?;
            if let Some((before, batches)) = &mut waiting {
                let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
                if before.service == head.service && rows < RECORDS {
                    same_plan(before, &head)?;
                    batches.push(batch);
                    continue;
                }
            }
            if let Some((head, batches)) = waiting.replace((head, vec![batch])) {
                self.play(&registered, &head, &batches, options, &mut report).await?;
            }
        }
        if let Some((head, batches)) = waiting {
            self.play(&registered, &head, &batches, options, &mut report).await?;
        }
        Ok(report)
    }

    async fn play(
        &self,
        registered: &Registered,
        head: &Head,
        batches: &[RecordBatch],
        options: &Verify,
        report: &mut SkewReport,
    ) -> Result<()> {
        let Some(first) = batches.first() else { return Ok(()) };
        let records = concat_batches(&first.schema(), batches).map_err(|e| internal(&e))?;
        if records.num_rows() == 0 {
            return Ok(());
        }
        let resolved = resolve_service(registered, &head.service, self.now())?;
        if resolved.version.digest != head.digest {
            return Err(other_plan(&head.service));
        }
        report.records += records.num_rows() as u64;
        let replay = Replay::new(self, head, &resolved, &records, options)?;
        replay.run(report).await
    }
}

/// The records of the instants that are asked for.
fn between(batch: &RecordBatch, options: &Verify) -> Result<RecordBatch> {
    let at = batch.column_by_name(AT).map(AsArray::as_primitive_opt::<TimestampMicrosecondType>);
    let Some(at) = at.flatten().filter(|at| at.null_count() == 0) else {
        return Err(Error::corrupt(OPERATION, "the records of a serving log have no instants"));
    };
    let wanted = at.values().iter().map(|at| {
        options.from.is_none_or(|from| *at >= from) && options.until.is_none_or(|until| *at < until)
    });
    let wanted = BooleanArray::from(wanted.collect::<Vec<_>>());
    filter_record_batch(batch, &wanted).map_err(|e| internal(&e))
}

fn same_plan(before: &Head, head: &Head) -> Result<()> {
    if before.digest == head.digest { Ok(()) } else { Err(other_plan(&head.service)) }
}

fn other_plan(service: &ServiceRef) -> Error {
    let message = "the answers were logged of other definitions";
    Error::new(ErrorKind::Conflict, OPERATION, message)
        .with("service", service)
        .with_hint("is the log of another store of features?")
}
