//! One connection, with a bound on each wait.
//!
//! In a tokio runtime it waits as a task does; elsewhere it blocks the thread, which then drives the
//! future and has nothing else to do. So the store works under any executor, and starts no thread.
//! A tokio runtime that was built without I/O or time is such an executor; see [`Waiter::current`].

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::panic::catch_unwind;
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
    /// No connection became free.
    Busy { connections: usize, limit: Duration },
    /// The reply is longer than is read.
    TooLong { at_most: usize },
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
    ///
    /// A task of a runtime without I/O or time cannot wait, and its thread does. Tokio tells of a runtime
    /// what it lacks only by a panic where it is used, which is caught here, once a thread and runtime: the
    /// panic's words, which say what to enable, are printed that often.
    pub(super) fn current() -> Self {
        thread_local! {
            static LAST: Cell<Option<(Id, bool)>> = const { Cell::new(None) };
        }
        let Ok(handle) = Handle::try_current() else { return Self::Thread };
        let id = handle.id();
        let can_wait = match LAST.get() {
            Some((last, can_wait)) if last == id => can_wait,
            _ => {
                let can_wait = catch_unwind(use_drivers).is_ok();
                LAST.set(Some((id, can_wait)));
                can_wait
            }
        };
        if can_wait { Self::Runtime(id) } else { Self::Thread }
    }
}

/// Makes a timer and registers a socket, and panics if the runtime that this is in cannot.
fn use_drivers() {
    drop(tokio::time::sleep(Duration::ZERO));
    // One that nobody sends to. A machine that gives none says nothing of the runtime.
    if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        && socket.set_nonblocking(true).is_ok()
    {
        drop(tokio::net::UdpSocket::from_std(socket));
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
            Stream::Blocking(stream) => write_within(stream, bytes, limit),
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
                return Err(Failure::TooLong { at_most: REPLY_MOST });
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

/// The system bounds each write and not all of them, so the bound shrinks from write to write.
fn write_within(stream: &mut TcpStream, mut bytes: &[u8], limit: Duration) -> Result<(), Failure> {
    let begun = Instant::now();
    while !bytes.is_empty() {
        let set = stream.set_write_timeout(Some(left(begun, limit)?));
        match set.and_then(|()| stream.write(bytes)) {
            Ok(0) => return Err(Failure::Lost(io::ErrorKind::WriteZero.into())),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(late(error, limit)),
        }
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_send_that_is_taken_drop_by_drop_ends_within_its_limit() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let limit = Duration::from_millis(200);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // Takes a little in each bound of one write.
                let mut some = vec![0; 1 << 16];
                while begun.elapsed() < limit * 10 && peer.read(&mut some).is_ok_and(|n| n > 0) {
                    std::thread::park_timeout(limit / 4);
                }
            });
            let sent = write_within(&mut stream, &vec![0; 64 << 20], limit);
            assert!(matches!(sent, Err(Failure::Late(late)) if late == limit), "{sent:?}");
            assert!(begun.elapsed() < limit * 5, "{:?}", begun.elapsed());
            drop(stream);
        });
    }

    #[test]
    fn a_runtime_without_io_or_time_waits_as_a_thread_does() {
        let built = |io: bool, time: bool| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            if io {
                runtime.enable_io();
            }
            if time {
                runtime.enable_time();
            }
            runtime.build().unwrap()
        };
        for (io, time) in [(false, false), (true, false), (false, true), (true, true)] {
            let runtime = built(io, time);
            let waiter = runtime.block_on(async { Waiter::current() });
            assert_eq!(waiter == Waiter::Thread, !(io && time), "{io} {time}");
            assert_eq!(runtime.block_on(async { Waiter::current() }), waiter, "and again");
        }
        assert_eq!(Waiter::current(), Waiter::Thread);
    }
}
