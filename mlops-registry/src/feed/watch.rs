//! [`FeedHandle`]: a thread that delivers until its owner stops it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::executor::block_on;
use mlops_core::{Error, Result};

use super::{Delivered, Feed, lock};

/// The shortest wait between two passes.
const SHORTEST: Duration = Duration::from_millis(10);

/// A thread that delivers. Dropping the handle stops it, and waits for the attempt that it is in:
/// at most one timeout of a request or a command.
#[derive(Debug)]
pub struct FeedHandle {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Signal {
    state: Mutex<SignalState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SignalState {
    stop: bool,
    wake: bool,
}

impl Feed {
    /// Starts a thread that looks at the journal every `every`, and at once when a retry is due.
    ///
    /// `report` is told of each pass, on the thread; an error of the store ends a pass and not the
    /// thread.
    ///
    /// # Errors
    /// `Unavailable` if no thread can be started.
    pub fn watch(
        &self,
        every: Duration,
        mut report: impl FnMut(Result<Delivered>) + Send + 'static,
    ) -> Result<FeedHandle> {
        let (feed, signal) = (self.clone(), Arc::new(Signal::default()));
        let work = {
            let signal = Arc::clone(&signal);
            move || {
                loop {
                    let pass = block_on(feed.deliver_once());
                    let wait = feed.wait_after(&pass, every);
                    report(pass);
                    if signal.wait(wait) {
                        return;
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("mlops-feed".into()).spawn(work).map_err(|e| {
            Error::unavailable("feed.watch", "cannot start a thread").with_source(e)
        })?;
        Ok(FeedHandle { signal, thread: Some(thread) })
    }

    /// How long to wait after a pass.
    fn wait_after(&self, pass: &Result<Delivered>, every: Duration) -> Duration {
        let wait = match pass {
            Ok(pass) if pass.has_more() => Duration::ZERO,
            Ok(pass) => {
                let now = self.0.clock.now();
                let due = pass.next().map(|next| (next - now).to_std().unwrap_or_default());
                every.min(due.unwrap_or(every))
            }
            Err(_) => every,
        };
        wait.max(SHORTEST)
    }
}

impl FeedHandle {
    /// Makes the next pass begin now: somebody knows that there is something to deliver.
    pub fn wake(&self) {
        lock(&self.signal.state).wake = true;
        self.signal.changed.notify_all();
    }

    /// Stops the thread, and returns when it has ended.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for FeedHandle {
    fn drop(&mut self) {
        lock(&self.signal.state).stop = true;
        self.signal.changed.notify_all();
        // A thread that panicked in the caller's own report has ended too.
        let thread = self.thread.take();
        if let Some(thread) = thread.filter(|own| own.thread().id() != thread::current().id()) {
            drop(thread.join());
        }
    }
}

impl Signal {
    /// Waits to be woken, at most for `limit`; `true` if it is time to stop.
    fn wait(&self, limit: Duration) -> bool {
        let state = lock(&self.state);
        let waited =
            self.changed.wait_timeout_while(state, limit, |state| !state.stop && !state.wake);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.wake = false;
        state.stop
    }
}
