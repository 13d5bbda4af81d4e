//! One connection, with a bound on each wait.
//!
//! In a tokio runtime it waits as a task does; elsewhere it blocks the thread, which then drives the
//! future and has nothing else to do. So the store works under any executor, and starts no thread.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::pin::Pin;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::future::poll_fn;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Handle, Id};
use tokio::time::timeout;

use super::address::Address;
use super::resp::{Ending, Malformed, Reply, Request};

/// Least that is read at once.
const READ: usize = 4 * 1024;
/// Most that is read at once.
const READ_MOST: usize = 1024 * 1024;
/// Longest reply. The server's own bound on a value is 512 MiB.
const REPLY_MOST: usize = 1024 * 1024 * 1024;

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiter {
    /// A task of this runtime.
    Runtime(Id),
    /// A thread.
    Thread,
}

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no connection, or it was lost.
    Lost(io::Error),
    /// It took too long.
    Late(Duration),
    /// What came is no reply of Redis.
    Malformed,
    /// The server refused the connection, with its words.
    Refused(String),
}

/// A connection to the server.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    waiter: Waiter,
    inbound: BytesMut,
    /// How much the next reply may have: as much as the last one had.
    expected: usize,
}

#[derive(Debug)]
enum Stream {
    Tokio(tokio::net::TcpStream),
    Blocking(TcpStream),
}

impl Waiter {
    /// Who polls this.
    pub(super) fn current() -> Self {
        Handle::try_current().map_or(Self::Thread, |handle| Self::Runtime(handle.id()))
    }
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl Wire {
    /// Connects, says who it is and chooses the database, all within `limit`.
    pub(super) async fn connect(address: &Address, limit: Duration) -> Result<Self, Failure> {
        let waiter = Waiter::current();
        let begun = Instant::now();
        let stream = match waiter {
            Waiter::Runtime(_) => {
                let target = (address.host.as_str(), address.port);
                let connecting = tokio::net::TcpStream::connect(target);
                let stream = timeout(limit, connecting).await.map_err(|_| Failure::Late(limit))?;
                Stream::Tokio(stream.map_err(Failure::Lost)?)
            }
            Waiter::Thread => Stream::Blocking(connect(address, begun, limit)?),
        };
        match &stream {
            Stream::Tokio(stream) => stream.set_nodelay(true),
            Stream::Blocking(stream) => stream.set_nodelay(true),
        }
        .map_err(Failure::Lost)?;
        let mut wire = Self { stream, waiter, inbound: BytesMut::new(), expected: 0 };
        let left = left(begun, limit)?;
        wire.greet(address, left).await?;
        Ok(wire)
    }

    async fn greet(&mut self, address: &Address, limit: Duration) -> Result<(), Failure> {
        let mut request = Request::default();
        let mut replies = 0;
        if let Some(password) = &address.password {
            request.command(if address.user.is_some() { 3 } else { 2 });
            request.argument(&[b"AUTH"]);
            if let Some(user) = &address.user {
                request.argument(&[user.as_bytes()]);
            }
            request.argument(&[password.expose().as_bytes()]);
            replies += 1;
        }
        if address.database != 0 {
            request.command(2);
            request.argument(&[b"SELECT"]);
            request.number(address.database as usize);
            replies += 1;
        }
        if replies == 0 {
            return Ok(());
        }
        self.send(&request, limit).await?;
        for _ in 0..replies {
            if let Reply::Error(words) = Reply::read(&self.receive(limit).await?)? {
                return Err(Failure::Refused(words));
            }
        }
        Ok(())
    }

    /// Whose it is.
    pub(super) fn waiter(&self) -> Waiter {
        self.waiter
    }

    /// Whether nothing was received that was not asked for.
    pub(super) fn is_clean(&self) -> bool {
        self.inbound.is_empty()
    }

    /// Sends commands within `limit`.
    pub(super) async fn send(&mut self, request: &Request, limit: Duration) -> Result<(), Failure> {
        let bytes = request.as_bytes();
        match &mut self.stream {
            Stream::Tokio(stream) => timeout(limit, write_all(stream, bytes))
                .await
                .map_err(|_| Failure::Late(limit))?
                .map_err(Failure::Lost),
            Stream::Blocking(stream) => {
                let set = stream.set_write_timeout(Some(limit));
                set.and_then(|()| stream.write_all(bytes)).map_err(|error| late(error, limit))
            }
        }
    }

    /// The next reply, within `limit`.
    pub(super) async fn receive(&mut self, limit: Duration) -> Result<Bytes, Failure> {
        let mut ending = Ending::new();
        if let Some(length) = ending.find(&self.inbound)? {
            return Ok(self.inbound.split_to(length).freeze());
        }
        let length = match self.waiter {
            Waiter::Runtime(_) => timeout(limit, self.fill(&mut ending, limit))
                .await
                .map_err(|_| Failure::Late(limit))??,
            Waiter::Thread => self.fill(&mut ending, limit).await?,
        };
        self.expected = length;
        Ok(self.inbound.split_to(length).freeze())
    }

    async fn fill(&mut self, ending: &mut Ending, limit: Duration) -> Result<usize, Failure> {
        let mut begun = None;
        loop {
            let there = self.inbound.len();
            let lacking = ending.needed().max(self.expected).saturating_sub(there);
            if ending.needed() > REPLY_MOST {
                return Err(Failure::Malformed);
            }
            self.inbound.resize(there + lacking.clamp(READ, READ_MOST), 0);
            let room = &mut self.inbound[there..];
            let read = match &mut self.stream {
                Stream::Tokio(stream) => read_some(stream, room).await.map_err(Failure::Lost),
                Stream::Blocking(stream) => {
                    let left = match begun {
                        None => {
                            begun = Some(Instant::now());
                            Ok(limit)
                        }
                        Some(begun) => left(begun, limit),
                    };
                    left.and_then(|left| {
                        let set = stream.set_read_timeout(Some(left));
                        set.and_then(|()| stream.read(room)).map_err(|error| late(error, limit))
                    })
                }
            };
            self.inbound.truncate(there + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Err(Failure::Lost(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Some(length) = ending.find(&self.inbound)? {
                return Ok(length);
            }
        }
    }
}

fn left(begun: Instant, limit: Duration) -> Result<Duration, Failure> {
    let left = limit.saturating_sub(begun.elapsed());
    if left.is_zero() { Err(Failure::Late(limit)) } else { Ok(left) }
}

fn late(error: io::Error, limit: Duration) -> Failure {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::Late(limit),
        _ => Failure::Lost(error),
    }
}

async fn write_all(stream: &mut tokio::net::TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, bytes)).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
    }
    Ok(())
}

async fn read_some(stream: &mut tokio::net::TcpStream, room: &mut [u8]) -> io::Result<usize> {
    let mut room = ReadBuf::new(room);
    poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut room)).await?;
    Ok(room.filled().len())
}

fn connect(address: &Address, begun: Instant, limit: Duration) -> Result<TcpStream, Failure> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for target in resolve(address, limit)? {
        match TcpStream::connect_timeout(&target, left(begun, limit)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(late(last, limit))
}

/// A name is looked up on a thread of its own, for the system's resolver knows no bound.
fn resolve(address: &Address, limit: Duration) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(ip) = address.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, address.port)]);
    }
    let (found, wait) = mpsc::channel();
    let name = (address.host.clone(), address.port);
    std::thread::Builder::new()
        .name("redis-resolve".to_owned())
        .spawn(move || {
            // Nobody listens any more if it took too long.
            let _ = found.send(name.to_socket_addrs().map(Vec::from_iter));
        })
        .map_err(Failure::Lost)?;
    wait.recv_timeout(limit).map_err(|_| Failure::Late(limit))?.map_err(Failure::Lost)
}
