//! Taking up what dead processes left: their spools, and runs that nobody writes any more.
//!
//! On one machine a spool's file lock says for certain whether its writer lives. A run whose writer was
//! on another machine is lost when its lease has run out; its points wait in that machine's spool until
//! somebody opens the store there.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mlops_core::filter::{Attribute, Comparison, Field, Filter, Literal};
use mlops_core::tracking::{Expect, RunChanges, RunQuery, RunStatus};
use mlops_core::{ErrorKind, Result, RunId};

use crate::active::seal::{SealWhen, seal};
use crate::active::writer::chunk_of;
use crate::capture;
use crate::spool::{Abandoned, Found, MAKING, inspect, io_error};
use crate::tracking::Tracking;

/// Making a spool takes a millisecond; one that is not made after a minute never will be.
const UNFINISHED_MICROS: i64 = 60_000_000;

/// What [`Tracking::recover`] found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Recovered {
    /// Runs that are lost now, by id.
    pub lost: Vec<RunId>,
    /// How many points were found in spools and stored.
    pub points: u64,
    /// Spools that could not be taken up now, and why; their files were left where they are, and the
    /// next opener tries again. The run may be in the trash, the disk full, the file another user's.
    pub left: Vec<(PathBuf, String)>,
}

impl Tracking {
    /// Marks runs lost whose writer is dead, and stores the points that it left. Opening a workspace
    /// does this; any number of processes may do it at once.
    pub async fn recover(&self) -> Result<Recovered> {
        let mut report = Recovered::default();
        let alive = self.recover_spools(&mut report).await?;
        self.recover_runs(&alive, &mut report).await?;
        report.lost.sort();
        report.lost.dedup();
        Ok(report)
    }

    /// Returns the runs that a living process of this machine writes.
    async fn recover_spools(&self, report: &mut Recovered) -> Result<BTreeSet<String>> {
        let directory = &self.parts().spools;
        let failed = |e| io_error("cannot read the spool directory", directory, e);
        let mut alive = BTreeSet::new();
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            self.forget_unfinished(&path);
            if path.extension().is_none_or(|e| e != "spool") {
                continue;
            }
            // One spool that cannot be stored must not keep the store from being opened.
            let taken_up = match inspect(&path) {
                Ok(Found::Nothing) => Ok(()),
                Ok(Found::Alive) => {
                    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                    alive.insert(name.split('-').next().unwrap_or_default().to_owned());
                    Ok(())
                }
                Ok(Found::Abandoned(spool)) => match self.store_abandoned(&spool, report).await {
                    Ok(()) => spool.remove(),
                    // Its process died before the run itself was stored, so nothing was accepted.
                    Err(e) if e.kind() == ErrorKind::NotFound && spool.parts.is_empty() => {
                        spool.remove()
                    }
                    Err(e) => Err(e),
                },
                Err(e) => Err(e),
            };
            if let Err(e) = taken_up {
                report.left.push((path, e.to_string()));
            }
        }
        Ok(alive)
    }

    /// Removes a spool whose process died while it was making it; such a file holds nothing.
    fn forget_unfinished(&self, path: &Path) {
        let Ok(metadata) = path.metadata() else { return };
        let now = self.parts().clock.now_micros();
        let made = metadata.mtime() * 1_000_000;
        if path.extension().is_some_and(|e| e == MAKING) && now - made > UNFINISHED_MICROS {
            // Another opener may have been quicker.
            let _ = std::fs::remove_file(path);
        }
    }

    async fn store_abandoned(&self, spool: &Abandoned, report: &mut Recovered) -> Result<()> {
        let parts = self.parts();
        let stored = parts.tracker.stored_points(spool.run, spool.spool).await?;
        for (first, points) in &spool.parts {
            // A half that was stored but not yet forgotten when the writer died.
            let mut points = points.clone();
            let known = stored.saturating_sub(*first);
            points.skip(known as usize);
            if points.is_empty() {
                continue;
            }
            let chunk = chunk_of(&points, spool.spool, first + known)?;
            let changes = RunChanges::default().with_metrics(chunk);
            parts.tracker.update_run(spool.run, changes).await?;
            report.points += points.len() as u64;
        }
        if self.lose(spool.run).await? {
            report.lost.push(spool.run);
        }
        seal(parts, spool.run, SealWhen::Ended).await
    }

    /// Runs that are said to run and of which no living spool is known.
    async fn recover_runs(&self, alive: &BTreeSet<String>, report: &mut Recovered) -> Result<()> {
        let parts = self.parts();
        let running = Filter::Term(
            Field::Attribute(Attribute::Status),
            Comparison::Eq(Literal::Text(RunStatus::Running.as_str().into())),
        );
        let mut query = RunQuery::default();
        query.filter = running;
        let (host, now) = (capture::host_name(), parts.clock.now());
        for run in self.search_all(query).await? {
            let dead = match &run.lease {
                // Its spool would be in our directory: there is none, or nobody holds it.
                Some(lease) if lease.host == host => !alive.contains(&run.id.to_string()),
                Some(lease) => lease.until < now,
                // Made without a writer, by an import or another program: not ours to judge.
                None => false,
            };
            if dead && !self.has_living_spool(run.id) && self.lose(run.id).await? {
                report.lost.push(run.id);
            }
        }
        Ok(())
    }

    /// Whether a spool of the run came up since the directory was read.
    fn has_living_spool(&self, run: RunId) -> bool {
        let Ok(entries) = std::fs::read_dir(&self.parts().spools) else { return true };
        let prefix = format!("{run}-");
        entries.flatten().any(|entry| {
            entry.file_name().to_string_lossy().starts_with(&prefix)
                && matches!(inspect_quietly(&entry.path()), Some(Found::Alive))
        })
    }

    /// Marks a run lost, unless it is not running any more. Whether it did.
    async fn lose(&self, run: RunId) -> Result<bool> {
        let changes = RunChanges::default()
            .expecting(Expect::Status(RunStatus::Running))
            .with_status(RunStatus::Lost);
        match self.parts().tracker.update_run(run, changes).await {
            Ok(_) => Ok(true),
            // It has ended, or is in the trash.
            Err(e) if matches!(e.kind(), ErrorKind::Conflict | ErrorKind::Invalid) => Ok(false),
            Err(e) => Err(e),
        }
    }
}

fn inspect_quietly(path: &std::path::Path) -> Option<Found> {
    inspect(path).ok()
}
