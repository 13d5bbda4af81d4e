//! Threads that belong to one call.
//!
//! A validation makes its threads and joins them before it returns; if its future is dropped, they stop
//! at the next chunk and are joined there. With one thread there are none: the work is done where the
//! future is polled. Each worker has something of its own, a state, that it is given back with.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use futures::channel::oneshot;
use mlops_core::{Error, ErrorKind, Result};

/// Something to do for a worker that owns a `W`.
type Job<W> = Box<dyn FnOnce(&mut W, &Stop) + Send>;

/// Whether the work is still wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// An error, once nobody waits for the work any more.
    pub(crate) fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(stopped()) } else { Ok(()) }
    }
}

/// Workers, each with a `W` of its own.
pub(crate) struct Pool<W> {
    here: Option<W>,
    threads: Vec<JoinHandle<W>>,
    jobs: Option<Sender<Job<W>>>,
    stop: Stop,
}

impl<W: Send + 'static> Pool<W> {
    /// A worker for each of `own`; one alone works where it is called.
    ///
    /// # Errors
    /// `Unavailable` if the system has no more threads.
    pub(crate) fn new(own: Vec<W>) -> Result<Self> {
        let stop = Stop::default();
        let mut pool = Self { here: None, threads: Vec::new(), jobs: None, stop };
        if own.len() == 1 {
            pool.here = own.into_iter().next();
            return Ok(pool);
        }
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        pool.jobs = Some(jobs);
        for own in own {
            let (queue, stop) = (Arc::clone(&queue), pool.stop.clone());
            let thread = Builder::new()
                .name("mlops-validate".to_owned())
                .spawn(move || work(own, &queue, &stop))
                .map_err(|source| {
                    Error::unavailable("validate", "the system gives no more threads")
                        .with_source(source)
                })?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// How many jobs may wait or run at a time: one a worker, and one that is ready for the next.
    pub(crate) fn ahead(&self) -> usize {
        if self.here.is_some() { 0 } else { self.threads.len() + 1 }
    }

    /// Has some worker do the job: at once, if there is one worker alone.
    pub(crate) fn run<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut W, &Stop) -> Result<T> + Send + 'static,
    ) -> Running<T> {
        if let Some(own) = &mut self.here {
            return Running::Done(job(own, &self.stop));
        }
        let (answer, running) = oneshot::channel();
        let job: Job<W> = Box::new(move |own, stop| {
            let result = stop.check().and_then(|()| job(own, stop));
            // Nobody waits for it any more: the future was dropped.
            let _ = answer.send(result);
        });
        match &self.jobs {
            // A worker that is gone drops the job, and with it the answer.
            Some(jobs) if jobs.send(job).is_ok() => Running::Waiting(running),
            _ => Running::Done(Err(panicked(None))),
        }
    }

    /// Joins the workers and gives back what they own.
    ///
    /// # Errors
    /// `Internal` if one of them panicked.
    pub(crate) fn finish(mut self) -> Result<Vec<W>> {
        self.jobs = None;
        let mut own: Vec<W> = self.here.take().into_iter().collect();
        for thread in std::mem::take(&mut self.threads) {
            own.push(thread.join().map_err(|panic| panicked(Some(&*panic)))?);
        }
        Ok(own)
    }
}

impl<W> Drop for Pool<W> {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::Relaxed);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panic has been told of already, or nobody asks any more.
            let _ = thread.join();
        }
    }
}

fn work<W>(mut own: W, queue: &Mutex<Receiver<Job<W>>>, stop: &Stop) -> W {
    loop {
        // Nothing panics while it is locked.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(&mut own, stop),
            Err(_) => return own,
        }
    }
}

/// A job that runs, or has run.
pub(crate) enum Running<T> {
    Done(Result<T>),
    Waiting(oneshot::Receiver<Result<T>>),
}

impl<T> Running<T> {
    /// Its result.
    pub(crate) async fn done(self) -> Result<T> {
        match self {
            Self::Done(result) => result,
            Self::Waiting(answer) => answer.await.unwrap_or_else(|_| Err(panicked(None))),
        }
    }
}

/// Jobs whose results are wanted in the order in which they were begun.
pub(crate) struct InOrder<T> {
    running: VecDeque<Running<T>>,
    most: usize,
}

impl<T> InOrder<T> {
    /// At most so many at a time.
    pub(crate) fn new(most: usize) -> Self {
        Self { running: VecDeque::new(), most }
    }

    /// The result of the oldest, if one more would be too many.
    pub(crate) async fn make_room(&mut self) -> Option<Result<T>> {
        if self.running.len() < self.most.max(1) {
            return None;
        }
        self.next().await
    }

    /// Adds one.
    pub(crate) fn push(&mut self, running: Running<T>) {
        self.running.push_back(running);
    }

    /// The result of the oldest.
    pub(crate) async fn next(&mut self) -> Option<Result<T>> {
        Some(self.running.pop_front()?.done().await)
    }
}

#[cold]
fn stopped() -> Error {
    Error::new(ErrorKind::Internal, "validate", "nobody waits for the result any more")
}

#[cold]
fn panicked(panic: Option<&(dyn Any + Send)>) -> Error {
    let error = Error::new(ErrorKind::Internal, "validate", "a thread that judged rows panicked");
    let text = panic.and_then(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned())
    });
    match text {
        Some(text) => error.with("panic", text),
        None => error,
    }
    .with_hint("a function of a `custom` rule must return an error instead")
}
