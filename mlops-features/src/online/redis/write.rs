//! Writes: batches of rows, each merged by the server in one round trip, a few of them in flight.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use mlops_core::features::{ENTRY_VERSION, MAX_PENDING, OnlineRow, OnlineWritten};
use mlops_core::{Error, ErrorKind, Result};

use super::super::shown;
use super::errors;
use super::names::Names;
use super::pool::{Pool, Session};
use super::resp::{Reply, Request};
use super::wire::Failure;

/// What the server runs.
pub(super) const MERGE: &str = include_str!("merge.lua");
/// Most rows of a batch: the server does nothing else meanwhile, for about two milliseconds.
const ROWS: usize = 512;
/// Most bytes of a batch, unless one row has more.
const BYTES: usize = 256 * 1024;
/// Most batches whose answers are awaited.
const IN_FLIGHT: usize = 4;
/// Longest key.
const KEY_MOST: usize = 64 * 1024;
/// Longest payload, so that an entry with all rows that may wait is within what the server allows.
const PAYLOAD_MOST: usize = 2 * 1024 * 1024;
const OPERATION: &str = "features.online.write";

/// One call's rows, and what was answered so far.
pub(super) struct Writing<'a> {
    pool: &'a Pool,
    /// The script's name on the server, if it could be left there.
    sha: Option<&'a str>,
    tables: Vec<u8>,
    prefix: Vec<u8>,
    table: &'a str,
    rows: &'a [OnlineRow<'a>],
    now: [u8; 8],
    request: Request,
    expiries: Vec<u8>,
    written: OnlineWritten,
    /// Batches whose script the server does not have.
    unknown: Vec<Range<usize>>,
    answered: bool,
}

impl<'a> Writing<'a> {
    pub(super) fn new(
        pool: &'a Pool,
        names: &Names,
        sha: Option<&'a str>,
        table: &'a str,
        rows: &'a [OnlineRow<'a>],
        now: i64,
    ) -> Result<Self> {
        for row in rows {
            if row.key.len() > KEY_MOST || row.payload.len() > PAYLOAD_MOST {
                return Err(Error::invalid(OPERATION, "a row is too large")
                    .with("table", table)
                    .with("key", shown(row.key))
                    .with("key_bytes", row.key.len())
                    .with("payload_bytes", row.payload.len())
                    .with_hint("keys have at most 64 KiB and payloads 2 MiB"));
            }
        }
        Ok(Self {
            pool,
            sha,
            tables: names.tables(),
            prefix: names.entries(table),
            table,
            rows,
            // As the first word of an order, so that they compare as bytes.
            now: (now as u64 ^ (1 << 63)).to_be_bytes(),
            request: Request::with_capacity(BYTES.min(rows.len() * 256) + 4096),
            expiries: Vec::new(),
            written: OnlineWritten::default(),
            unknown: Vec::new(),
            answered: false,
        })
    }

    /// Writes all rows.
    pub(super) async fn run(mut self) -> Result<OnlineWritten> {
        let mut again = false;
        loop {
            let failure = match self.pool.session().await {
                Err(failure) => failure,
                Ok(mut session) => {
                    let used = session.used;
                    match self.send_all(&mut session).await {
                        Ok(result) => {
                            // A refused batch has others behind it whose answers are still to come.
                            if result.is_ok() {
                                session.end();
                            }
                            return result.map(|()| self.written);
                        }
                        Err(Failure::Lost(_)) if used && !again && !self.answered => {
                            again = true;
                            self.pool.forget();
                            continue;
                        }
                        Err(failure) => failure,
                    }
                }
            };
            return Err(errors::failure(OPERATION, self.pool.address(), failure));
        }
    }

    async fn send_all(&mut self, session: &mut Session<'_>) -> Result<Result<()>, Failure> {
        let limit = self.pool.options().write_limit;
        let mut sent: VecDeque<Range<usize>> = VecDeque::with_capacity(IN_FLIGHT);
        let mut next = 0;
        // Of a try whose connection was lost; these rows are sent again.
        self.unknown.clear();
        while next < self.rows.len() || !sent.is_empty() {
            if next < self.rows.len() && sent.len() < IN_FLIGHT {
                let batch = self.batch(next);
                next = batch.end;
                self.encode(batch.clone(), self.sha);
                session.wire.send(&self.request, limit).await?;
                sent.push_back(batch);
            } else if let Some(batch) = sent.pop_front() {
                let frame = session.wire.receive(limit).await?;
                if let Err(error) = self.answer(&frame, batch, true) {
                    return Ok(Err(error));
                }
            }
        }
        // The server was started anew or told to forget its scripts. The order of writes does not matter,
        // so these come last.
        while let Some(batch) = self.unknown.pop() {
            self.encode(batch.clone(), None);
            session.wire.send(&self.request, limit).await?;
            let frame = session.wire.receive(limit).await?;
            if let Err(error) = self.answer(&frame, batch, false) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    fn batch(&self, first: usize) -> Range<usize> {
        let mut bytes = 0;
        let fitting = self.rows[first..].iter().take(ROWS).take_while(|row| {
            bytes += self.prefix.len() + row.key.len() + row.payload.len() + 64;
            bytes <= BYTES
        });
        first..first + fitting.count().max(1)
    }

    fn encode(&mut self, batch: Range<usize>, sha: Option<&str>) {
        let rows = &self.rows[batch];
        self.expiries.clear();
        if rows.iter().any(|row| row.expires.is_some()) {
            for row in rows {
                self.expiries.extend_from_slice(&millis(row.expires).to_be_bytes()[2..]);
            }
        }
        let request = &mut self.request;
        request.clear();
        request.command(3 + 1 + rows.len() + 4 + rows.len());
        if let Some(sha) = sha {
            request.argument(&[b"EVALSHA"]);
            request.argument(&[sha.as_bytes()]);
        } else {
            request.argument(&[b"EVAL"]);
            request.argument(&[MERGE.as_bytes()]);
        }
        request.number(1 + rows.len());
        request.argument(&[&self.tables]);
        for row in rows {
            request.argument(&[&self.prefix, row.key]);
        }
        request.argument(&[self.table.as_bytes()]);
        request.argument(&[&self.now]);
        request.argument(&[&self.expiries]);
        request.number(MAX_PENDING + 1);
        for row in rows {
            let length = (24 + row.payload.len() as u32).to_le_bytes();
            request.argument(&[&[ENTRY_VERSION, 1], &length, &row.order.to_bytes(), row.payload]);
        }
    }

    fn answer(&mut self, frame: &Bytes, batch: Range<usize>, by_name: bool) -> Result<()> {
        let address = self.pool.address();
        let reply = Reply::read(frame).map_err(|_| errors::malformed(OPERATION, address))?;
        let numbers = match reply {
            Reply::Error(words) if by_name && words.starts_with("NOSCRIPT") => {
                self.unknown.push(batch);
                return Ok(());
            }
            Reply::Error(words) => {
                return Err(errors::refused(OPERATION, address, &words).with("table", self.table));
            }
            Reply::List(list) => list,
            _ => return Err(errors::malformed(OPERATION, address)),
        };
        let [Reply::Int(changed), Reply::Int(stale), Reply::Int(problem), Reply::Int(place)] =
            numbers.as_slice()
        else {
            return Err(errors::malformed(OPERATION, address));
        };
        self.answered = true;
        self.written.changed += *changed as u64;
        self.written.stale += *stale as u64;
        let error = match problem {
            0 => return Ok(()),
            1 => Error::corrupt(OPERATION, "the bytes of a key are no entry")
                .with_hint("an online store is derived: drop the table and materialize it again"),
            2 => Error::new(
                ErrorKind::Unsupported,
                OPERATION,
                "an entry was written by a newer version",
            ),
            _ => Error::invalid(OPERATION, "too many rows of one key are ahead of the clock")
                .with("at_most", MAX_PENDING)
                .with_hint("write them when their time has come"),
        };
        let error = error.with("table", self.table).with("server", address);
        // The script counts rows from one.
        let place = usize::try_from(*place).ok().and_then(|place| place.checked_sub(1));
        Err(match place.and_then(|place| self.rows[batch].get(place)) {
            Some(row) => error.with("key", shown(row.key)),
            None => error,
        })
    }
}

/// Milliseconds since 1970, in six bytes; zero for never, so that the beginning of time is a millisecond
/// late.
fn millis(expires: Option<i64>) -> u64 {
    expires.map_or(0, |secs| secs.saturating_mul(1000).clamp(1, (1 << 47) - 1) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_never_or_within_six_bytes() {
        assert_eq!(millis(None), 0);
        assert_eq!(millis(Some(7)), 7_000);
        assert_eq!((millis(Some(0)), millis(Some(i64::MIN))), (1, 1));
        assert_eq!(millis(Some(i64::MAX)).to_be_bytes()[..2], [0, 0]);
    }
}
