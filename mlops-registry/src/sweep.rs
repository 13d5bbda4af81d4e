//! Taking away what uploads that died left behind: objects that nothing names.
//!
//! Bytes are stored before the row that names them commits, so a process that dies in between leaves an
//! object without a name. Nobody can come to name it later (every upload has a place of its own), and
//! nobody but a sweep will take it away.

use std::collections::HashSet;

use chrono::TimeDelta;
use mlops_core::time::Instant;
use mlops_core::tracking::BlobLocation;
use mlops_core::{Error, Result};

use crate::blobs::{StoredBlob, Swept, digest_in};
use crate::tracking::Tracking;

/// The youngest object that may be swept: an upload is nameless for as long as it and the rest of its
/// version take.
const YOUNGEST: TimeDelta = TimeDelta::hours(1);

impl Tracking {
    /// The objects that were stored before `older_than` and that nothing names, by location. Changes
    /// nothing.
    ///
    /// # Errors
    /// `Invalid` if `older_than` is less than an hour ago: an upload that is going on is nameless too.
    pub async fn orphans(&self, older_than: Instant) -> Result<Vec<StoredBlob>> {
        self.is_long_ago(older_than)?;
        let named = |locations| self.named(locations);
        let mut orphans = self.blobs().orphans(older_than, named).await?;
        orphans.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(orphans)
    }

    /// Deletes the [`orphans`](Tracking::orphans).
    ///
    /// # Errors
    /// As [`Tracking::orphans`]; `Denied` or `Unavailable` if an object cannot be deleted.
    pub async fn sweep(&self, older_than: Instant) -> Result<Swept> {
        self.is_long_ago(older_than)?;
        self.blobs().sweep(older_than, |locations| self.named(locations)).await
    }

    fn is_long_ago(&self, older_than: Instant) -> Result<()> {
        let latest = self.parts().clock.now() - YOUNGEST;
        if older_than <= latest {
            return Ok(());
        }
        Err(Error::invalid("tracking.sweep", "the instant is less than an hour ago")
            .with("older_than", older_than)
            .with("at_most", latest)
            .with_hint("uploads that are going on have no name yet; a day is a safe age"))
    }

    /// Which of the locations something names.
    async fn named(&self, locations: Vec<BlobLocation>) -> Result<HashSet<BlobLocation>> {
        let mut named = HashSet::new();
        for location in locations {
            // What has not the form of a location was not listed.
            let Some(digest) = digest_in(&location.0) else { continue };
            let known = self.tracker().find_blob(digest).await?;
            if known.is_some_and(|blob| blob.location == location) {
                named.insert(location);
            }
        }
        Ok(named)
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::ErrorKind;
    use mlops_core::time::{Clock, SystemClock};

    use super::*;
    use crate::blobs::PutBlob;

    #[tokio::test]
    async fn a_sweep_takes_what_nothing_names_and_nothing_else() {
        let tracking = Tracking::in_memory().unwrap();
        let run = tracking.run("x").unwrap().without_capture().start().await.unwrap();
        run.log_artifact("kept", b"kept".to_vec()).await.unwrap();
        run.finish().await.unwrap();
        let orphan = tracking.blobs().put(b"orphan".to_vec(), PutBlob::default()).await.unwrap();
        // Equal bytes that an upload stored once more: the digest has a name, this object has none.
        let twin = tracking.blobs().put(b"kept".to_vec(), PutBlob::default()).await.unwrap();

        let now = SystemClock.now();
        let refused = tracking.sweep(now).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert_eq!(tracking.orphans(now - TimeDelta::days(1)).await.unwrap(), [], "all is young");

        // An hour later, as far as the store is concerned.
        let later = |locations| tracking.named(locations);
        let found = tracking.blobs().orphans(now + TimeDelta::hours(1), later).await.unwrap();
        let mut found: Vec<_> = found.into_iter().map(|blob| blob.location).collect();
        let mut expected = vec![orphan.location, twin.location];
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        let kept = tracking.get_artifact(run.id(), &"kept".parse().unwrap()).await.unwrap();
        assert_eq!(kept.bytes().await.unwrap(), b"kept"[..]);
    }
}
