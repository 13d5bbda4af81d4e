//! The thread that stores what a run's spool holds.
//!
//! One thread for each run, owned by its handle and gone with it. Points are taken out of the spool
//! under its lock, encoded and stored without it: logging goes on meanwhile in the other half.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;
use futures::executor::block_on;
use mlops_core::tracking::{
    ChunkData, MetricChunk, MetricPoint, Origin, RunChanges, RunStatus, SealedMetrics, StoredChunk,
};
use mlops_core::{Error, ErrorKind, Key, Result, RunId, SpoolId};

use super::builder::new_lease;
use crate::blobs::PutBlob;
use crate::history::chunk_bytes;
use crate::points::{self, PARQUET, Points};
use crate::spool::{Closed, Refused, Spool};
use crate::tracking::{Parts, Tracking};

/// Fewer points than this stay in the database: a file for each small run would be a burden.
const SEAL_FROM: u64 = 1_000;
/// A run that flushes often has its chunks put together when they are this many.
const CHUNKS_AT_MOST: usize = 256;
/// A sealed object is not opened again to be merged into a larger one beyond this many points.
const MERGE_AT_MOST: u64 = 20_000_000;

#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    run: RunId,
    tracking: Tracking,
    state: Mutex<State>,
    /// There is something to do for the writer.
    work: Condvar,
    /// There is room in the spool again, or there never will be.
    room: Condvar,
}

#[derive(Debug)]
struct State {
    /// Gone when the run has ended.
    spool: Option<Spool>,
    /// How many of the accepted points are stored.
    stored: u64,
    /// Who waits until so many are stored.
    waiting: Vec<(u64, Reply)>,
    ending: Option<Ending>,
    /// Why the last attempt to store failed, if it did.
    trouble: Option<Trouble>,
}

type Reply = oneshot::Sender<Result<()>>;

#[derive(Debug)]
struct Ending {
    status: RunStatus,
    reason: Option<String>,
    reply: Option<Reply>,
    /// The handle is being dropped: end the thread even if the store refuses.
    last: bool,
}

#[derive(Debug, Clone)]
struct Trouble {
    kind: ErrorKind,
    text: String,
}

impl Trouble {
    fn error(&self, waiting: u64) -> Error {
        let hint = if self.kind.is_retryable() {
            "they stay in the spool and are tried again; log less, or make the store answer"
        } else {
            "they stay in the spool; the next opener of the store takes them up"
        };
        Error::new(self.kind, "run.flush", "points could not be stored")
            .with("waiting", waiting)
            .with("cause", &self.text)
            .with_hint(hint)
    }
}

impl Writer {
    pub(super) fn start(tracking: Tracking, run: RunId, spool: Spool) -> Result<Self> {
        let state = State {
            spool: Some(spool),
            stored: 0,
            waiting: Vec::new(),
            ending: None,
            trouble: None,
        };
        let shared = Arc::new(Shared {
            run,
            tracking,
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
        });
        let thread = thread::Builder::new()
            .name("mlops-run".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.work_until_end()
            })
            .map_err(|e| Error::unavailable("run.start", "cannot start a thread").with_source(e))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    #[inline]
    pub(super) fn push(&self, key: &str, point: MetricPoint) -> Result<()> {
        let mut state = self.shared.lock();
        let Some(spool) = &mut state.spool else { return Err(ended()) };
        if let Some(id) = spool.id_of(key)
            && spool.push(id, point).is_ok()
        {
            return Ok(());
        }
        self.push_slowly(state, key, point)
    }

    /// A new key, or a half that is full.
    #[cold]
    fn push_slowly(
        &self,
        state: MutexGuard<'_, State>,
        key: &str,
        point: MetricPoint,
    ) -> Result<()> {
        let key = Key::new(key)?;
        self.when_room(state, |spool| {
            let id = spool.intern(&key);
            spool.push(id, point)
        })
    }

    pub(super) fn push_all<'a>(
        &self,
        points: impl Iterator<Item = (&'a str, MetricPoint)> + Clone,
    ) -> Result<()> {
        // All keys are checked before the first is made known.
        let keys: Vec<Key> = points.clone().map(|(key, _)| Key::new(key)).collect::<Result<_>>()?;
        let mut state = self.shared.lock();
        let Some(spool) = &mut state.spool else { return Err(ended()) };
        let points: Vec<(u32, MetricPoint)> =
            keys.iter().zip(points).map(|(key, (_, point))| (spool.intern(key), point)).collect();
        if !spool.fits(&points) {
            return Err(Error::invalid(
                "run.log_metrics",
                "are more than a spool can hold at once",
            )
            .with("metrics", points.len())
            .with_hint("raise TrackingOptions::spool_points, or log them in parts"));
        }
        self.when_room(state, |spool| spool.push_all(&points))
    }

    /// Pushes, waiting for room while the writer makes some.
    fn when_room(
        &self,
        mut state: MutexGuard<'_, State>,
        mut push: impl FnMut(&mut Spool) -> Result<(), Refused>,
    ) -> Result<()> {
        let patience = self.shared.tracking.parts().options.patience;
        loop {
            let Some(spool) = &mut state.spool else { return Err(ended()) };
            let pushed = push(spool);
            let waiting = spool.accepted() - state.stored;
            match pushed {
                Ok(()) => {
                    // A new half may just have been begun; its sibling waits to be stored.
                    self.shared.work.notify_one();
                    return Ok(());
                }
                Err(Refused::Io(e)) => {
                    return Err(Error::unavailable("run.log_metric", "the spool cannot grow")
                        .with("waiting", waiting)
                        .with("cause", &e)
                        .with_hint("free some disk space; what was accepted before is safe")
                        .with_source(e));
                }
                Err(Refused::Full) => {}
            }
            if let Some(trouble) = &state.trouble {
                return Err(trouble.error(waiting));
            }
            self.shared.work.notify_one();
            let (again, slow) = self
                .shared
                .room
                .wait_timeout(state, patience)
                .unwrap_or_else(PoisonError::into_inner);
            state = again;
            if slow.timed_out() {
                return Err(Error::unavailable(
                    "run.log_metric",
                    "the spool is full and the store is slow",
                )
                .with("waiting", waiting)
                .with("waited_secs", patience.as_secs_f64()));
            }
        }
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if self.shared.lock().spool.is_some() { Ok(()) } else { Err(ended()) }
    }

    pub(super) async fn flush(&self) -> Result<()> {
        let (reply, done) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            let Some(spool) = &state.spool else { return Ok(()) };
            let target = spool.accepted();
            if state.stored >= target {
                return Ok(());
            }
            state.waiting.push((target, reply));
            self.shared.work.notify_one();
        }
        done.await.unwrap_or_else(|_| Err(ended()))
    }

    pub(super) async fn end(&self, status: RunStatus, reason: Option<String>) -> Result<()> {
        let (reply, done) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if state.spool.is_none() || state.ending.is_some() {
                return Err(ended());
            }
            state.ending = Some(Ending { status, reason, reply: Some(reply), last: false });
            self.shared.work.notify_one();
        }
        done.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            match &mut state.ending {
                // A future of `finish` that was dropped: its wish holds.
                Some(ending) => ending.last = true,
                None => {
                    state.ending = Some(Ending {
                        status: RunStatus::Killed,
                        reason: None,
                        reply: None,
                        last: true,
                    });
                }
            }
            self.shared.work.notify_one();
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It ends by itself; if it panicked, the next opener takes up what is left.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No caller's code runs under the lock, so a panic there is a bug that changes nothing here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parts(&self) -> &Parts {
        self.tracking.parts()
    }

    fn work_until_end(&self) {
        let mut renew_at = self.parts().clock.now_micros() + self.renew_every();
        loop {
            let (mut ending, renew) = self.wait_for_work(renew_at);
            if renew {
                renew_at = self.parts().clock.now_micros() + self.renew_every();
            }
            let result = self.store_all(renew, ending.as_ref());
            let mut state = self.lock();
            let waiting = state.spool.as_ref().map_or(0, |s| s.accepted() - state.stored);
            state.trouble =
                result.as_ref().err().map(|e| Trouble { kind: e.kind(), text: e.to_string() });
            self.answer(&mut state, waiting);
            let Some(ended) = &mut ending else { continue };
            if state.trouble.is_none() {
                let spool = state.spool.take();
                drop(state);
                self.room.notify_all();
                // The run has ended durably: what is left are chores, which an opener can repeat.
                let sealed = self.seal(SealWhen::Ended);
                let removed = spool.map_or(Ok(()), Spool::remove);
                if let Some(reply) = ended.reply.take() {
                    let _ = reply.send(sealed.and(removed));
                }
                return;
            }
            let error = state.trouble.as_ref().map(|trouble| trouble.error(waiting));
            if let (Some(reply), Some(error)) = (ended.reply.take(), error) {
                let _ = reply.send(Err(error));
            }
            // Somebody may have dropped the handle while we were storing.
            let last = ended.last || state.ending.as_ref().is_some_and(|e| e.last);
            if last {
                // The spool's file stays: its lock goes with us, so the next opener finds it.
                state.spool = None;
                self.room.notify_all();
                return;
            }
        }
    }

    fn renew_every(&self) -> i64 {
        self.parts().options.lease.as_micros() as i64 / 3
    }

    /// Waits until something is to be stored, and takes the wish to end, if there is one.
    fn wait_for_work(&self, renew_at: i64) -> (Option<Ending>, bool) {
        let every = self.parts().options.flush_every;
        let mut state = self.lock();
        loop {
            if state.ending.is_some() {
                return (state.ending.take(), false);
            }
            let asked = !state.waiting.is_empty();
            let full = state.spool.as_ref().is_some_and(Spool::has_closed);
            // After a failure only a new wish or the next interval is a reason to try again.
            if asked || (full && state.trouble.is_none()) {
                return (None, false);
            }
            let (again, interval) =
                self.work.wait_timeout(state, every).unwrap_or_else(PoisonError::into_inner);
            state = again;
            if interval.timed_out() {
                let fresh = state.spool.as_ref().is_some_and(|s| s.accepted() > state.stored);
                let renew = self.parts().clock.now_micros() >= renew_at;
                if (fresh || renew) && state.ending.is_none() {
                    return (None, renew);
                }
            }
        }
    }

    /// Stores everything that is in the spool, then ends the run if that is asked for.
    fn store_all(&self, renew: bool, ending: Option<&Ending>) -> Result<()> {
        let mut changes = RunChanges::default();
        if let Some(ending) = ending {
            changes = changes.with_status(ending.status);
            changes.tags = super::failure(ending.reason.clone())?;
        } else if renew {
            changes = changes.with_lease(new_lease(&self.tracking));
        }
        loop {
            let taken = match &mut self.lock().spool {
                Some(spool) => spool.take()?.map(|closed| (closed, spool.id())),
                None => None,
            };
            let Some((closed, spool)) = taken else { break };
            // The last chunk and the end of the run are one transaction.
            let last = ending.is_some() && !self.has_more(&closed);
            let mut with = if last { std::mem::take(&mut changes) } else { RunChanges::default() };
            with = with.with_metrics(chunk_of(&closed.points, spool, closed.first)?);
            self.update(with)?;
            let mut state = self.lock();
            state.stored = closed.first + closed.points.len() as u64;
            if let Some(spool) = &mut state.spool {
                spool.forget(&closed);
            }
            self.answer(&mut state, 0);
            drop(state);
            self.room.notify_all();
            if last {
                return Ok(());
            }
        }
        if !changes.is_empty() {
            self.update(changes)?;
        }
        if ending.is_none() { self.seal(SealWhen::Many) } else { Ok(()) }
    }

    fn has_more(&self, closed: &Closed) -> bool {
        let end = closed.first + closed.points.len() as u64;
        self.lock().spool.as_ref().is_some_and(|spool| spool.accepted() > end)
    }

    fn update(&self, changes: RunChanges) -> Result<()> {
        let parts = self.parts();
        block_on(async {
            for location in parts.tracker.update_run(self.run, changes).await? {
                parts.blobs.delete(&location).await?;
            }
            Ok(())
        })
    }

    /// Answers those whose points are stored; in trouble, everybody.
    fn answer(&self, state: &mut State, waiting: u64) {
        let (stored, trouble) = (state.stored, state.trouble.clone());
        let mut left = Vec::new();
        for (target, reply) in state.waiting.drain(..) {
            let answer = match &trouble {
                _ if target <= stored => Ok(()),
                Some(trouble) => Err(trouble.error(waiting)),
                None => {
                    left.push((target, reply));
                    continue;
                }
            };
            // Whoever asked may have stopped waiting.
            let _ = reply.send(answer);
        }
        state.waiting = left;
        if trouble.is_some() {
            self.room.notify_all();
        }
    }

    fn seal(&self, when: SealWhen) -> Result<()> {
        block_on(seal(self.parts(), self.run, when))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum SealWhen {
    /// The run has ended: all chunks become one object, unless they are few points.
    Ended,
    /// The run goes on: only if there are many chunks.
    Many,
}

/// Puts the chunks of a run into one Parquet object, if that is worth it.
pub(crate) async fn seal(parts: &Parts, run: RunId, when: SealWhen) -> Result<()> {
    let chunks = parts.tracker.metric_chunks(run, None).await?;
    let inline = |chunk: &&StoredChunk| matches!(chunk.data, ChunkData::Inline(_));
    let total: u64 = chunks.iter().map(|chunk| chunk.count).sum();
    let inline_points: u64 = chunks.iter().filter(inline).map(|chunk| chunk.count).sum();
    let merge: Vec<&StoredChunk> = match when {
        SealWhen::Many if chunks.iter().filter(inline).count() < CHUNKS_AT_MOST => return Ok(()),
        SealWhen::Ended if total < SEAL_FROM || (inline_points == 0 && chunks.len() == 1) => {
            return Ok(());
        }
        SealWhen::Ended if total <= MERGE_AT_MOST => chunks.iter().collect(),
        _ => chunks.iter().filter(inline).collect(),
    };
    if merge.is_empty() {
        return Ok(());
    }
    let mut all = Points::default();
    for chunk in &merge {
        all.append(&points::decode(chunk.codec, &chunk_bytes(parts, chunk).await?)?);
    }
    let bytes = all.encode_parquet()?;
    let blob = parts.blobs.put(bytes, PutBlob::default()).await?;
    let location = blob.location.clone();
    let sealed = SealedMetrics {
        replaces: merge.iter().map(|chunk| chunk.id).collect(),
        codec: PARQUET,
        count: all.len() as u64,
        blob,
    };
    let unnamed = match parts.tracker.update_run(run, RunChanges::default().with_seal(sealed)).await
    {
        Ok(unnamed) => unnamed,
        Err(e) => {
            parts.blobs.delete(&location).await?;
            // Another process sealed it meanwhile: that is as good.
            return if e.kind() == ErrorKind::Conflict { Ok(()) } else { Err(e) };
        }
    };
    for location in unnamed {
        parts.blobs.delete(&location).await?;
    }
    Ok(())
}

/// The chunk of these points, which come after `first` others of their spool.
pub(crate) fn chunk_of(points: &Points, spool: SpoolId, first: u64) -> Result<MetricChunk> {
    let (codec, bytes) = points.encode()?;
    let range = |column: &[i64]| {
        let low = column.iter().copied().min().unwrap_or_default();
        low..=column.iter().copied().max().unwrap_or_default()
    };
    Ok(MetricChunk {
        origin: Origin { spool, first, count: points.len() as u64 },
        codec,
        bytes,
        steps: range(&points.step),
        times_micros: range(&points.time),
        summaries: points.summaries(),
    })
}

#[cold]
fn ended() -> Error {
    Error::invalid("run", "the run has ended and takes nothing more")
        .with_hint("resume it with Tracking::resume")
}
