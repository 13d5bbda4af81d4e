//! The connections of a store, and a call that survives a server that was started anew.
//!
//! A connection is one call's at a time, so that a call that is dropped in the middle takes only its
//! own connection with it, and a slow answer delays nobody else's.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mlops_core::Result;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::address::Address;
use super::errors;
use super::options::RedisOptions;
use super::resp::{Reply, Request};
use super::wire::{Failure, Waiter, Wire};

/// The connections of a store.
#[derive(Debug)]
pub(super) struct Pool {
    address: Address,
    options: RedisOptions,
    idle: Mutex<Vec<Wire>>,
    places: Semaphore,
}

/// One call's use of a connection. It goes back only by [`Session::end`]: dropped in the middle of a
/// call it may still have answers to come, and is closed.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) wire: Wire,
    /// Whether it was used before, and may have been closed by the server since.
    pub(super) used: bool,
    pool: &'a Pool,
    _place: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(address: Address, options: RedisOptions) -> Self {
        let places = Semaphore::new(options.connections.clamp(1, Semaphore::MAX_PERMITS));
        Self { address, options, idle: Mutex::new(Vec::new()), places }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn options(&self) -> &RedisOptions {
        &self.options
    }

    /// A connection, when one of those that may be open is free.
    pub(super) async fn session(&self) -> Result<Session<'_>, Failure> {
        let waiter = Waiter::current();
        let limit = self.options.read_limit;
        let place = match (self.places.try_acquire(), waiter) {
            (Ok(place), _) => Ok(place),
            (Err(_), Waiter::Runtime(_)) => {
                timeout(limit, self.places.acquire()).await.map_err(|_| self.busy())?
            }
            (Err(_), Waiter::Thread) => {
                wait_for(self.places.acquire(), limit).ok_or_else(|| self.busy())?
            }
        };
        let place = place.map_err(|error| Failure::Lost(std::io::Error::other(error)))?;
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.iter().rposition(|wire| wire.waiter() == waiter).map(|at| idle.swap_remove(at))
        };
        let used = idle.is_some();
        let wire = match idle {
            Some(wire) => wire,
            None => Wire::connect(&self.address, self.options.connect_limit).await?,
        };
        Ok(Session { wire, used, pool: self, _place: place })
    }

    #[cold]
    fn busy(&self) -> Failure {
        Failure::Busy { connections: self.options.connections, limit: self.options.read_limit }
    }

    /// Closes what is idle: the server went away, and with it all connections.
    pub(super) fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Sends commands and returns their answers, as many as `replies`.
    ///
    /// If a connection that was used before turns out to be closed, it is tried once more on a new one. So
    /// commands must bear to be done twice; the second result says whether they may have been.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        request: &Request,
        replies: usize,
        limit: Duration,
    ) -> Result<(Vec<Bytes>, bool)> {
        let mut again = false;
        loop {
            let failure = match self.session().await {
                Err(failure) => failure,
                Ok(mut session) => match session.exchange(request, replies, limit).await {
                    Ok(frames) => {
                        session.end();
                        return Ok((frames, again));
                    }
                    Err(Failure::Lost(_)) if session.used && !again => {
                        again = true;
                        self.forget();
                        continue;
                    }
                    Err(failure) => failure,
                },
            };
            return Err(errors::failure(operation, &self.address, failure));
        }
    }

    /// Sends one command and reads its answer; that it failed is an error.
    pub(super) async fn ask(
        &self,
        operation: &'static str,
        request: &Request,
        limit: Duration,
    ) -> Result<(Reply, bool)> {
        let (frames, again) = self.call(operation, request, 1, limit).await?;
        let reply = frames.first().ok_or(super::resp::Malformed).and_then(Reply::read);
        match reply {
            Ok(Reply::Error(words)) => Err(errors::refused(operation, &self.address, &words)),
            Ok(reply) => Ok((reply, again)),
            Err(_) => Err(errors::malformed(operation, &self.address)),
        }
    }
}

impl Session<'_> {
    async fn exchange(
        &mut self,
        request: &Request,
        replies: usize,
        limit: Duration,
    ) -> Result<Vec<Bytes>, Failure> {
        self.wire.send(request, limit).await?;
        let mut frames = Vec::with_capacity(replies);
        for _ in 0..replies {
            frames.push(self.wire.receive(limit).await?);
        }
        Ok(frames)
    }

    /// Gives the connection back, after all answers were read.
    pub(super) fn end(self) {
        if !self.wire.is_clean() {
            return;
        }
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of runtimes that are gone are not asked for any more, and must not stay for ever.
        if idle.len() >= self.pool.options.connections {
            idle.remove(0);
        }
        idle.push(self.wire);
    }
}

/// What a future gives, if it does within `limit`; the thread does nothing else meanwhile.
fn wait_for<F: Future>(future: F, limit: Duration) -> Option<F::Output> {
    let begun = Instant::now();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        let left = limit.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use mlops_core::{ErrorKind, Secret};

    use super::*;

    #[test]
    fn a_pool_that_is_in_use_is_waited_for_within_the_bound_and_says_so() {
        let limit = Duration::from_millis(30);
        let address = Address::parse(&Secret::new("redis://cache".to_owned())).unwrap();
        let options = RedisOptions::default().with_connections(2).with_read_limit(limit);
        let pool = Pool::new(address, options);
        let _both = pool.places.try_acquire_many(2).unwrap();
        let ping = Request::of(&[b"PING"]);
        let ask = || pool.ask("features.online.read", &ping, limit);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for error in [block_on(ask()).unwrap_err(), runtime.block_on(ask()).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            let said = error.to_string();
            assert!(said.contains("connections: 2") && said.contains("with_connections"), "{said}");
        }
    }

    #[test]
    fn a_thread_that_waits_is_woken_when_a_place_is_free() {
        let places = Semaphore::new(1);
        thread::scope(|scope| {
            let held = places.try_acquire().unwrap();
            let waiting =
                scope.spawn(|| wait_for(places.acquire(), Duration::from_mins(1)).is_some());
            thread::park_timeout(Duration::from_millis(10));
            drop(held);
            assert!(waiting.join().unwrap());
        });
    }
}
