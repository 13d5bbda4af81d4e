//! What nobody needs to call, and somebody should: reading all bytes again, and deleting what killed
//! writers left.

use mlops_core::features::TableId;
use mlops_core::{Error, Result};

use super::layout::{folder, position_of};
use super::store::SegmentStore;

impl SegmentStore {
    /// Reads all segments of a table and compares them with what was written; returns how many bytes.
    ///
    /// # Errors
    /// `Corrupt` names the segment; `NotFound` if one is gone.
    pub async fn verify(&self, table: &TableId) -> Result<u64> {
        const OPERATION: &str = "features.verify";
        let log = self.load(OPERATION, table).await?.log;
        let mut bytes = 0;
        for segment in log.segments() {
            let (digest, length) = self.digest(OPERATION, &segment.path).await?;
            if digest != segment.digest {
                return Err(Error::corrupt(OPERATION, "a segment is not what was written")
                    .with("segment", &segment.path)
                    .with("digest", digest)
                    .with("expected", segment.digest)
                    .with_hint("restore the file from a backup"));
            }
            bytes += length;
        }
        Ok(bytes)
    }

    /// Deletes objects of a table that nothing names and that are older than `age` (microseconds); returns
    /// them.
    ///
    /// Writers that were killed, or lost a race, leave such objects. `age` must be longer than any append
    /// or compaction takes: a day is.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sweep(&self, table: &TableId, age: i64) -> Result<Vec<String>> {
        const OPERATION: &str = "features.sweep";
        // Listed first: what is named later by the log that is read then was listed as well.
        let there = self.list(OPERATION, &folder(table)).await?;
        let log = self.load(OPERATION, table).await?.log;
        let named = log.named();
        let manifests = format!("{}/manifests/", folder(table));
        let latest = self.clock.now_micros().saturating_sub(age.max(0));
        let mut deleted = Vec::new();
        for (path, written) in there {
            // Manifests are the way to positions of before, and small; only those of no position go.
            let kept = if path.starts_with(&manifests) {
                position_of(&path).is_some_and(|p| p >= log.floor && p <= log.position())
            } else {
                named.contains(path.as_str())
            };
            if !kept && written <= latest && self.delete(OPERATION, &path).await? {
                deleted.push(path);
            }
        }
        Ok(deleted)
    }
}
