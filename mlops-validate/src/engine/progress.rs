//! Telling how far a validation is.

use std::sync::{Arc, Mutex, PoisonError};

use mlops_core::validation::{Options, Progress};

/// Rows between two calls.
const EVERY: u64 = 65_536;

/// Counts rows from all threads, and tells of them in order.
#[derive(Clone)]
pub(super) struct Meter(Option<Arc<Inner>>);

struct Inner {
    watcher: Arc<dyn Fn(Progress) + Send + Sync>,
    of: Option<u64>,
    /// Rows that are done, and of how many of them the watcher knows.
    done: Mutex<(u64, u64)>,
}

impl Meter {
    /// For whom the options name.
    pub(super) fn new(options: Option<&Options>, of: Option<u64>) -> Self {
        Self(options.and_then(|options| options.progress.as_ref()).map(|watcher| {
            Arc::new(Inner { watcher: Arc::clone(watcher), of, done: Mutex::new((0, 0)) })
        }))
    }

    /// So many more rows are done.
    pub(super) fn add(&self, rows: u64) {
        let Some(inner) = &self.0 else { return };
        let mut done = inner.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.0 += rows;
        if done.0 - done.1 >= EVERY {
            done.1 = done.0;
            // Inside the lock, so that nobody hears of fewer rows after more.
            (inner.watcher)(Progress { rows: done.0, of: inner.of });
        }
    }

    /// Everything is done.
    pub(super) fn finish(&self) {
        let Some(inner) = &self.0 else { return };
        let done = inner.done.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.watcher)(Progress { rows: done.0, of: inner.of });
    }
}
