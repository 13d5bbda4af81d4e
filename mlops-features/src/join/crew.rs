//! Threads that belong to one join, each with something of its own that it gives back.
//!
//! With one worker there are no threads: the work is done where the future is polled. If the future is
//! dropped, jobs that wait are dropped with it, and the threads are joined when they have done their present one.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use futures::channel::oneshot;
use mlops_core::{Error, ErrorKind, Result};

type Job<W> = Box<dyn FnOnce(&mut W) + Send>;

/// Workers, each with a `W` of its own.
pub(super) struct Crew<W> {
    here: Mutex<Option<W>>,
    threads: Vec<JoinHandle<W>>,
    jobs: Option<Sender<Job<W>>>,
}

/// How many threads a caller means; 0 is as many as the machine has.
pub(super) fn threads(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    }
}

impl<W: Send + 'static> Crew<W> {
    /// A worker for each of `own`; one alone works where it is called.
    ///
    /// # Errors
    /// `Unavailable` if the system has no more threads.
    pub(super) fn new(mut own: Vec<W>) -> Result<Self> {
        if own.len() <= 1 {
            return Ok(Self { here: Mutex::new(own.pop()), threads: Vec::new(), jobs: None });
        }
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut crew = Self { here: Mutex::new(None), threads: Vec::new(), jobs: Some(jobs) };
        for own in own {
            let queue = Arc::clone(&queue);
            let thread = Builder::new()
                .name("mlops-as-of".to_owned())
                .spawn(move || work(own, &queue))
                .map_err(|source| {
                    Error::unavailable("features.as_of", "the system gives no more threads")
                        .with_source(source)
                })?;
            crew.threads.push(thread);
        }
        Ok(crew)
    }

    /// How many jobs may be under way at a time.
    pub(super) fn ahead(&self) -> usize {
        self.threads.len().max(1)
    }

    /// Has some worker do the job.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut W) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Some(jobs) = &self.jobs else {
            let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
            return here.as_mut().map_or_else(|| Err(lost()), job);
        };
        let (answer, done) = oneshot::channel::<Result<T>>();
        let job: Job<W> = Box::new(move |own| {
            if !answer.is_canceled() {
                // Nobody waits for it any more if the future is dropped meanwhile.
                let _ = answer.send(job(own));
            }
        });
        jobs.send(job).map_err(|_| lost())?;
        // A worker that panics drops the answer.
        done.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Joins the workers and returns what they own.
    ///
    /// # Errors
    /// `Internal` if one of them panicked.
    pub(super) fn finish(mut self) -> Result<Vec<W>> {
        self.jobs = None;
        let here = self.here.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let mut own: Vec<W> = here.into_iter().collect();
        for thread in std::mem::take(&mut self.threads) {
            own.push(thread.join().map_err(|_| lost())?);
        }
        Ok(own)
    }
}

impl<W> Drop for Crew<W> {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in std::mem::take(&mut self.threads) {
            // Its panic was the answer of its job already.
            let _ = thread.join();
        }
    }
}

fn work<W>(mut own: W, queue: &Mutex<Receiver<Job<W>>>) -> W {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(&mut own),
            Err(_) => return own,
        }
    }
}

#[cold]
fn lost() -> Error {
    Error::new(ErrorKind::Internal, "features.as_of", "a thread of the join panicked")
}
