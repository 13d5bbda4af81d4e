//! The thread that stores what a run's spool holds.
//!
//! One thread for each run, owned by its handle and gone with it. Points are taken out of the spool
//! under its lock, encoded and stored without it: logging goes on meanwhile in the other half.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use futures::executor::block_on;
use mlops_core::tracking::{Expect, MetricChunk, MetricPoint, Origin, RunChanges, RunStatus};
use mlops_core::{Error, ErrorKind, Key, Result, RunId, SpoolId};

use super::builder::new_lease;
use super::seal::{SealWhen, seal};
use crate::points::Points;
use crate::spool::{Refused, Spool};
use crate::tracking::{Parts, Tracking};

/// A run that goes on has its chunks put together when it has added so many of them, …
const CHUNKS_AT_MOST: usize = 256;
/// … or so many points: merging takes some 60 bytes of memory a point.
const POINTS_AT_MOST: u64 = 2_000_000;

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
    /// The wish to end, until the thread takes it up.
    ending: Option<Ending>,
    /// From the wish to end on nothing is accepted; again, if ending fails.
    closing: bool,
    /// The handle is being dropped: the thread ends even if the store refuses.
    dropped: bool,
    /// Why the last attempt to store failed, if it did.
    trouble: Option<Trouble>,
}

impl State {
    /// The spool, if points are accepted.
    #[inline]
    fn accepting(&mut self) -> Result<&mut Spool> {
        match &mut self.spool {
            Some(spool) if !self.closing => Ok(spool),
            _ => Err(ended()),
        }
    }

    fn unstored(&self) -> u64 {
        self.spool.as_ref().map_or(0, |spool| spool.accepted() - self.stored)
    }
}

type Reply = oneshot::Sender<Result<()>>;

#[derive(Debug)]
struct Ending {
    status: RunStatus,
    reason: Option<String>,
    /// Gone if the handle is dropped, and nobody is there to be told.
    reply: Option<Reply>,
}

#[derive(Debug, Clone)]
struct Trouble {
    kind: ErrorKind,
    text: String,
}

impl Trouble {
    fn of(error: &Error) -> Self {
        Self { kind: error.kind(), text: error.to_string() }
    }

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
            closing: false,
            dropped: false,
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
        let spool = state.accepting()?;
        if let Some(id) = spool.id_of(key)
            && let Ok(closed) = spool.push(id, point)
        {
            if closed {
                self.shared.work.notify_one();
            }
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
        let spool = state.accepting()?;
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
        mut push: impl FnMut(&mut Spool) -> Result<bool, Refused>,
    ) -> Result<()> {
        let patience = self.shared.parts().options.patience;
        let begin = Instant::now();
        loop {
            let pushed = push(state.accepting()?);
            let waiting = state.unstored();
            match pushed {
                Ok(closed) => {
                    if closed {
                        self.shared.work.notify_one();
                    }
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
            let left = patience.saturating_sub(begin.elapsed());
            if left.is_zero() {
                let message = "the spool is full and the store is slow";
                return Err(Error::unavailable("run.log_metric", message)
                    .with("waiting", waiting)
                    .with("waited_secs", patience.as_secs_f64()));
            }
            self.shared.work.notify_one();
            let room = self.shared.room.wait_timeout(state, left);
            state = room.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn check_open(&self) -> Result<()> {
        self.shared.lock().accepting().map(drop)
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
            if state.spool.is_none() {
                return Err(ended());
            }
            if state.closing {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "run",
                    "another call is ending the run right now",
                ));
            }
            state.closing = true;
            state.ending = Some(Ending { status, reason, reply: Some(reply) });
            self.shared.work.notify_one();
        }
        done.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.dropped = true;
            // If a future of `finish` was dropped before its end, its wish holds.
            if !state.closing {
                state.closing = true;
                state.ending =
                    Some(Ending { status: RunStatus::Killed, reason: None, reply: None });
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

/// Leaves nobody waiting when the thread ends, however it ends.
struct LeaveNobodyWaiting<'a>(&'a Shared);

impl Drop for LeaveNobodyWaiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        // If the spool is still here its file stays, and its lock goes: the next opener finds it.
        state.spool = None;
        // Dropping the senders tells the receivers.
        state.waiting.clear();
        state.ending = None;
        drop(state);
        self.0.room.notify_all();
    }
}

/// When the thread does something unasked.
struct Pulse {
    store_at: Instant,
    renew_at: Instant,
    store_every: Duration,
    renew_every: Duration,
}

impl Pulse {
    fn new(parts: &Parts) -> Self {
        // Never so far away that an instant cannot say it, never so near that the thread spins.
        let bounded =
            |every: Duration| every.clamp(Duration::from_millis(1), Duration::from_hours(24 * 365));
        let (store_every, renew_every) =
            (bounded(parts.options.flush_every), bounded(parts.options.lease / 3));
        let now = Instant::now();
        Self { store_at: now + store_every, renew_at: now + renew_every, store_every, renew_every }
    }
}

/// What there is to do.
enum Task {
    Store { renew: bool },
    End(Ending),
}

/// What was stored and is not sealed yet.
#[derive(Default)]
struct Unsealed {
    chunks: usize,
    points: u64,
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
        let _guard = LeaveNobodyWaiting(self);
        let mut pulse = Pulse::new(self.parts());
        let mut unsealed = Unsealed::default();
        loop {
            match self.wait_for_task(&mut pulse) {
                Task::Store { renew } => {
                    if renew {
                        self.renew();
                    }
                    let result = self.store_all(None, &mut unsealed);
                    self.conclude(result.as_ref().err());
                    if unsealed.chunks >= CHUNKS_AT_MOST || unsealed.points >= POINTS_AT_MOST {
                        // A chore: if it fails now, it is done when there is as much again.
                        let _ = block_on(seal(self.parts(), self.run, SealWhen::Running));
                        unsealed = Unsealed::default();
                    }
                }
                Task::End(ending) => {
                    if self.end(ending, &mut unsealed) {
                        return;
                    }
                }
            }
        }
    }

    /// Ends the run. Whether the thread is to end too.
    fn end(&self, mut ending: Ending, unsealed: &mut Unsealed) -> bool {
        let result = self.store_all(Some(&ending), unsealed);
        let waiting = self.conclude(result.as_ref().err());
        let Err(error) = result else {
            let spool = self.lock().spool.take();
            self.room.notify_all();
            // The run has ended durably. What is left are chores: if they fail, the empty spool stays,
            // and the next opener does them.
            let sealed = block_on(seal(self.parts(), self.run, SealWhen::Ended));
            if let (Ok(()), Some(spool)) = (sealed, spool) {
                let _ = spool.remove();
            }
            if let Some(reply) = ending.reply.take() {
                let _ = reply.send(Ok(()));
            }
            return true;
        };
        let mut state = self.lock();
        let trouble = Trouble::of(&error);
        state.closing = false;
        if let Some(reply) = ending.reply.take() {
            let _ = reply.send(Err(trouble.error(waiting)));
        }
        state.dropped
    }

    /// Notes how an attempt to store went, and answers who waits. Returns how many points wait.
    fn conclude(&self, error: Option<&Error>) -> u64 {
        let mut state = self.lock();
        state.trouble = error.map(Trouble::of);
        let waiting = state.unstored();
        answer(&mut state);
        drop(state);
        if error.is_some() {
            self.room.notify_all();
        }
        waiting
    }

    /// Waits until something is to be done.
    fn wait_for_task(&self, pulse: &mut Pulse) -> Task {
        let mut state = self.lock();
        loop {
            if let Some(ending) = state.ending.take() {
                return Task::End(ending);
            }
            let now = Instant::now();
            let renew = now >= pulse.renew_at;
            let due = now >= pulse.store_at;
            if renew {
                pulse.renew_at = now + pulse.renew_every;
            }
            if due {
                pulse.store_at = now + pulse.store_every;
            }
            let asked = !state.waiting.is_empty();
            let full = state.spool.as_ref().is_some_and(Spool::has_closed);
            // After a failure only a new wish or the next interval is a reason to try again.
            if asked || renew || (full && state.trouble.is_none()) || (due && state.unstored() > 0)
            {
                return Task::Store { renew };
            }
            let until = pulse.store_at.min(pulse.renew_at).saturating_duration_since(now);
            let woken = self.work.wait_timeout(state, until);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Says that the writer lives. If somebody on another machine called the run lost meanwhile, it is
    /// found again. Failing is no trouble: the points are what matters, and the next pulse tries again.
    fn renew(&self) {
        let lease = || RunChanges::default().with_lease(new_lease(&self.tracking));
        if let Err(e) = self.update(lease().expecting(Expect::Status(RunStatus::Running)))
            && e.kind() == ErrorKind::Conflict
        {
            let found =
                lease().expecting(Expect::Status(RunStatus::Lost)).with_status(RunStatus::Running);
            let _ = self.update(found);
        }
    }

    /// Stores what the spool holds at this moment (what comes later is left for later), then ends the
    /// run if that is asked for.
    fn store_all(&self, ending: Option<&Ending>, unsealed: &mut Unsealed) -> Result<()> {
        let end = || -> Result<RunChanges> {
            let Some(ending) = ending else { return Ok(RunChanges::default()) };
            let mut changes = RunChanges::default().with_status(ending.status);
            changes.tags = super::failure(ending.reason.clone())?;
            Ok(changes)
        };
        let target = self.lock().spool.as_ref().map_or(0, Spool::accepted);
        loop {
            let taken = {
                let mut state = self.lock();
                let stored = state.stored;
                match &mut state.spool {
                    Some(spool) if stored < target => spool.take()?.map(|c| (c, spool.id())),
                    _ => None,
                }
            };
            let Some((closed, spool)) = taken else { break };
            let count = closed.points.len() as u64;
            // The last chunk and the end of the run are one transaction.
            let last = closed.first + count >= target;
            let changes = if last { end()? } else { RunChanges::default() };
            self.update(changes.with_metrics(chunk_of(&closed.points, spool, closed.first)?))?;
            unsealed.chunks += 1;
            unsealed.points += count;
            let mut state = self.lock();
            state.trouble = None;
            state.stored = closed.first + count;
            if let Some(spool) = &mut state.spool {
                spool.forget(&closed);
            }
            answer(&mut state);
            drop(state);
            self.room.notify_all();
            if last {
                return Ok(());
            }
        }
        if ending.is_some() { self.update(end()?) } else { Ok(()) }
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
}

/// Answers those whose points are stored; in trouble, everybody.
fn answer(state: &mut State) {
    let (stored, unstored) = (state.stored, state.unstored());
    let mut left = Vec::new();
    for (target, reply) in state.waiting.drain(..) {
        let answer = match &state.trouble {
            _ if target <= stored => Ok(()),
            Some(trouble) => Err(trouble.error(unstored)),
            None => {
                left.push((target, reply));
                continue;
            }
        };
        // Whoever asked may have stopped waiting.
        let _ = reply.send(answer);
    }
    state.waiting = left;
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
