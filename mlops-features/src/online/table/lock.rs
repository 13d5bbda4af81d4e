//! One writer at a time: among the threads of this process by a flag, among processes by a locked file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mlops_core::time::{Clock, from_micros_lossy};
use mlops_core::{Error, Result};

use super::{OP, io_error};

/// How long to wait before the lock of another process is tried again.
const AGAIN: Duration = Duration::from_millis(1);
/// How long to sleep at once, at most.
const LONG: Duration = Duration::from_hours(1);

/// The right to write into a directory.
#[derive(Debug)]
pub(super) struct WriterLock {
    path: PathBuf,
    wait: Duration,
    clock: Arc<dyn Clock>,
    busy: Mutex<bool>,
    free: Condvar,
}

/// Shows that this thread is the one that writes; gives the right back when it is dropped.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    lock: &'a WriterLock,
    /// Locked as long as it is open; `None` until it is.
    file: Option<File>,
}

impl WriterLock {
    pub(super) fn new(path: PathBuf, wait: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { path, wait, clock, busy: Mutex::default(), free: Condvar::new() }
    }

    /// Waits for its turn, so long at most.
    pub(super) fn take(&self) -> Result<Locked<'_>> {
        // A wait that no instant can bound is one without an end.
        let until = Instant::now().checked_add(self.wait);
        let left = || {
            until.map_or(LONG, |until| until.saturating_duration_since(Instant::now())).min(LONG)
        };
        let mut busy = self.busy();
        while *busy {
            if left().is_zero() {
                return Err(self.busy_for(None));
            }
            busy = self.free.wait_timeout(busy, left()).unwrap_or_else(PoisonError::into_inner).0;
        }
        *busy = true;
        drop(busy);
        // From here on it is given back by being dropped.
        let mut locked = Locked { lock: self, file: None };
        // Opened anew each time: a directory that was put in another's place has a lock of its own.
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&self.path)
            .map_err(|e| io_error("the lock of writers cannot be opened", &self.path, e))?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(std::fs::TryLockError::WouldBlock) if left().is_zero() => {
                    return Err(self.busy_for(holder(&file)));
                }
                Err(std::fs::TryLockError::WouldBlock) => std::thread::park_timeout(AGAIN),
                Err(std::fs::TryLockError::Error(e)) => {
                    return Err(io_error("the lock of writers cannot be taken", &self.path, e));
                }
            }
        }
        // Only for the message to those who wait in vain; a lock without it is as good.
        let holder = format!("{:>10} {:>20}\n", std::process::id(), self.clock.now_micros());
        let _ = file.write_all_at(holder.as_bytes(), 0);
        locked.file = Some(file);
        Ok(locked)
    }

    fn busy(&self) -> MutexGuard<'_, bool> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn busy_for(&self, holder: Option<(u32, i64)>) -> Error {
        let error = Error::unavailable(OP, "another writes all the time")
            .with("path", self.path.display())
            .with("waited_secs", self.wait.as_secs_f64());
        let error = match holder {
            Some((process, since)) => {
                error.with("process", process).with("since", from_micros_lossy(since))
            }
            None => error,
        };
        error.with_hint("try again, with smaller batches in the other writer, or wait for longer")
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // The file first: the next thread must find it free. Closing it would not do if this process was
        // forked meanwhile: the child has the same open file, and with it the lock.
        if let Some(file) = self.file.take() {
            // If it fails, closing it is what is left.
            let _ = file.unlock();
        }
        *self.lock.busy() = false;
        self.lock.free.notify_one();
    }
}

/// Which process has it, and since when.
fn holder(file: &File) -> Option<(u32, i64)> {
    let mut text = [0; 32];
    file.read_exact_at(&mut text, 0).ok()?;
    let (process, since) = std::str::from_utf8(&text).ok()?.trim().split_once(' ')?;
    Some((process.parse().ok()?, since.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use mlops_core::ErrorKind;
    use mlops_core::time::ManualClock;

    use super::*;

    fn lock(path: PathBuf, wait: Duration) -> WriterLock {
        WriterLock::new(path, wait, Arc::new(ManualClock::at_micros(1_000_000)))
    }

    #[test]
    fn a_second_writer_waits_so_long_and_is_told_who_writes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("writer.lock");
        let short = Duration::from_millis(20);
        // Two locks of one file are as two processes.
        let (first, second) = (lock(path.clone(), short), lock(path, short));
        let held = first.take().unwrap();
        let error = second.take().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let process = std::process::id().to_string();
        assert!(error.context().any(|pair| pair == ("process", process.as_str())), "{error}");
        assert!(error.to_string().contains("since: 1970-01-01 00:00:01 UTC"), "{error}");
        assert_eq!(first.take().unwrap_err().kind(), ErrorKind::Unavailable, "its own threads too");
        drop(held);
        drop(second.take().unwrap());
        drop(first.take().unwrap());
    }

    #[test]
    fn a_lock_is_given_back_though_another_has_the_same_open_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("writer.lock");
        let (first, second) = (lock(path.clone(), AGAIN), lock(path, AGAIN));
        let held = first.take().unwrap();
        // As a child has it that was forked and runs no other program.
        let _child = held.file.as_ref().unwrap().try_clone().unwrap();
        drop(held);
        drop(second.take().unwrap());
    }

    #[test]
    fn a_wait_without_an_end_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let lock = lock(directory.path().join("writer.lock"), Duration::MAX);
        std::thread::scope(|scope| {
            let held = lock.take().unwrap();
            let waiting = scope.spawn(|| lock.take().map(drop).is_ok());
            std::thread::park_timeout(AGAIN * 5);
            drop(held);
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn a_directory_that_vanished_is_an_error_and_the_lock_is_free_again() {
        let directory = tempfile::tempdir().unwrap();
        let lock = lock(directory.path().join("gone/writer.lock"), AGAIN);
        for _ in 0..2 {
            assert!(lock.take().unwrap_err().message().contains("cannot be opened"));
        }
    }
}
