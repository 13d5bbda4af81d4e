//! The log at a position of before.
//!
//! Manifests stay as long as no erasure comes, segments only for a grace. So a position is answered for ever:
//! with its own segments while they are there, afterwards with those of now, of which the rows of a `seq`
//! that was not given yet are left out. An answer depends on the rows alone, and so is the same.

use std::sync::Arc;

use mlops_core::features::TableId;
use mlops_core::{Error, ErrorKind, Result};

use super::log::{Loaded, Log};
use super::store::SegmentStore;

/// How often a read begins anew because its files were deleted meanwhile.
pub(super) const READS: usize = 8;

/// What is read of a table.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Whose segments are read.
    pub(super) log: Arc<Log>,
    /// The position that is answered for.
    pub(super) position: u64,
    /// Rows of this `seq` and of greater ones came after the position.
    pub(super) before: u64,
    /// Whether the segments are those of a later position.
    pub(super) later: bool,
    /// The last position when this was read.
    last: u64,
}

impl SegmentStore {
    /// What is read for a position, the last if it is not said; `later` for a second try, after the
    /// position's own segments turned out to be gone.
    pub(super) async fn snapshot(
        &self,
        operation: &'static str,
        table: &TableId,
        position: Option<u64>,
        later: bool,
    ) -> Result<Snapshot> {
        let now = self.load(operation, table).await?;
        let then = self.log_of(operation, table, &now, position).await?;
        let (position, before) = (then.position(), then.manifest.next_seq);
        let last = now.log.position();
        let kept = now.log.named();
        let later = position < last
            && (later || then.segments().iter().any(|s| !kept.contains(s.path.as_str())));
        let log = if later { Arc::clone(&now.log) } else { then };
        Ok(Snapshot { log, position, before, later, last })
    }

    /// The manifest of a position, also of one whose segments are gone.
    pub(super) async fn log_at(
        &self,
        operation: &'static str,
        table: &TableId,
        position: Option<u64>,
    ) -> Result<Arc<Log>> {
        let now = self.load(operation, table).await?;
        self.log_of(operation, table, &now, position).await
    }

    /// Whether a read that failed should be tried again: a file was gone, because another process compacted
    /// or erased meanwhile.
    pub(super) async fn again(
        &self,
        operation: &'static str,
        table: &TableId,
        read: &Snapshot,
        error: &Error,
    ) -> Result<bool> {
        if error.kind() != ErrorKind::NotFound {
            return Ok(false);
        }
        let own = read.position < read.last && !read.later;
        Ok(own || self.load(operation, table).await?.log.position() > read.last)
    }

    /// [`again`](Self::again) for a writer.
    pub(super) async fn moved(
        &self,
        operation: &'static str,
        table: &TableId,
        base: &Loaded,
        error: &Error,
    ) -> Result<bool> {
        Ok(error.kind() == ErrorKind::NotFound
            && self.load(operation, table).await?.log.position() > base.log.position())
    }

    async fn log_of(
        &self,
        operation: &'static str,
        table: &TableId,
        now: &Loaded,
        position: Option<u64>,
    ) -> Result<Arc<Log>> {
        let last = now.log.position();
        let missing = |message: &'static str| {
            Error::not_found(operation, message)
                .with("table", table)
                .with("position", position.unwrap_or(last))
                .with("last", last)
        };
        match position {
            None => Ok(Arc::clone(&now.log)),
            Some(position) if position == last => Ok(Arc::clone(&now.log)),
            Some(0) => Ok(Arc::default()),
            Some(position) if position > last => Err(missing("the table never had this position")),
            Some(position) if position < now.log.floor => {
                Err(missing("rows were erased after this position"))
            }
            Some(position) => {
                let path = self.path_at(operation, table, now, position).await?;
                Ok(Arc::new(self.read_log(operation, &path, None).await?))
            }
        }
    }
}
