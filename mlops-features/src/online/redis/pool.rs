//! The connections of a store, and a call that survives a server that was started anew.
//!
//! A connection is one call's at a time, so that a call that is dropped in the middle takes only its
//! own connection with it, and a slow answer delays nobody else's.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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
                timeout(limit, self.places.acquire()).await.map_err(|_| Failure::Late(limit))?
            }
            // A thread has no timer; those before it have one each.
            (Err(_), Waiter::Thread) => self.places.acquire().await,
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
