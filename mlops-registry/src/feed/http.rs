//! One HTTP/1.1 POST: connect, send, read the answer's status, close.
//!
//! Not a general client, on purpose. A webhook needs a status and one header, no redirects, no
//! proxies, no pools, no cookies and no body; and it needs what general clients do not promise:
//! that the address that is connected is the very one that was checked. Here that is a few lines,
//! the TLS is `rustls` and the parsing of the answer `httparse`. Proxies are not asked: behind one,
//! no address could be checked.
//!
//! Trusted are the system's certificates (or those of `SSL_CERT_FILE`), because a team's receivers
//! often have a company's, and those that the options add.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mlops_core::time::Clock;
use mlops_core::{Error, ErrorKind};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use url::{Host, Url};

use super::address;
use super::attempt::Failure;
use super::options::FeedOptions;

/// Longest head of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 32 << 10;
/// Most headers of an answer.
const MAX_HEADERS: usize = 256;

/// The addresses of a name and port.
pub(super) type Resolve = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
}

/// Sends requests.
pub(super) struct Client {
    timeout: Duration,
    trusted_pem: Vec<u8>,
    clock: Arc<dyn Clock>,
    tls: OnceLock<Result<Arc<ClientConfig>, String>>,
    pub(super) resolve: Resolve,
}

impl Client {
    pub(super) fn new(options: &FeedOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            timeout: options.request_timeout,
            trusted_pem: options.trusted_pem.clone(),
            clock,
            tls: OnceLock::new(),
            resolve: |host, port| Ok((host, port).to_socket_addrs()?.collect()),
        }
    }

    /// Posts `body` and returns what was answered, whatever it was.
    ///
    /// # Errors
    /// `Blocked` for an address that is not allowed, or without a trusted certificate in the
    /// system; `Refused` if there is no answer. The error names the host only: the rest of a
    /// webhook's URL is often a secret.
    pub(super) fn post(
        &self,
        url: &Url,
        permit_private: bool,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.timeout;
        let host = url.host_str().unwrap_or_default();
        let broken = |e: io::Error| {
            let message = match e.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "the receiver is too slow",
                _ if is_tls(&e) => "no trusted connection to the receiver",
                io::ErrorKind::InvalidData => "the receiver's answer is a bad one",
                io::ErrorKind::UnexpectedEof => {
                    "the receiver ended the connection without an answer"
                }
                _ => "the receiver cannot be reached",
            };
            let error = Error::unavailable("feed.webhook", message).with("host", host);
            Failure::refused(error.with("cause", e))
        };
        let mut request = head(url, headers, body.len());
        request.extend_from_slice(body);

        let tls = match url.scheme() {
            "https" => Some(self.tls(host)?),
            _ => None,
        };
        let addresses = self.addresses(url).map_err(broken)?;
        // All must be allowed: which one answers is chance.
        let forbidden = addresses.iter().find(|a| !permit_private && !address::is_public(a.ip()));
        if let Some(forbidden) = forbidden {
            return Err(Failure::Blocked(address::refused(host, Some(forbidden.ip()))));
        }
        let tcp = connect(&addresses, deadline).map_err(broken)?;
        let tcp = Bounded { tcp, deadline };
        let answer = match tls {
            None => exchange(tcp, &request),
            Some(config) => server_name(url)
                .and_then(|name| ClientConnection::new(config, name).map_err(io::Error::other))
                .and_then(|session| exchange(StreamOwned::new(session, tcp), &request)),
        };
        let (status, retry_after) = answer.map_err(broken)?;
        let retry_after = retry_after.and_then(|text| self.retry_after(&text));
        Ok(Answer { status, retry_after })
    }

    /// Whether certificates were read.
    #[cfg(test)]
    pub(super) fn has_tls(&self) -> bool {
        self.tls.get().is_some()
    }

    fn addresses(&self, url: &Url) -> io::Result<Vec<SocketAddr>> {
        // Known for both schemes.
        let port = url.port_or_known_default().unwrap_or(443);
        let found = match url.host() {
            Some(Host::Ipv4(address)) => vec![SocketAddr::new(IpAddr::V4(address), port)],
            Some(Host::Ipv6(address)) => vec![SocketAddr::new(IpAddr::V6(address), port)],
            Some(Host::Domain(name)) => (self.resolve)(name, port)?,
            None => Vec::new(),
        };
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
        }
        Ok(found)
    }

    /// Seconds, or a date.
    fn retry_after(&self, text: &str) -> Option<Duration> {
        if let Ok(secs) = text.parse() {
            return Some(Duration::from_secs(secs));
        }
        let at = chrono::DateTime::parse_from_rfc2822(text).ok()?;
        (at.to_utc() - self.clock.now()).to_std().ok()
    }

    fn tls(&self, host: &str) -> Result<Arc<ClientConfig>, Failure> {
        let config =
            self.tls.get_or_init(|| tls_config(&self.trusted_pem, Arc::clone(&self.clock)));
        config.clone().map_err(|why| {
            let message = "TLS cannot be set up";
            let error = Error::new(ErrorKind::Unsupported, "feed.webhook", message);
            Failure::Blocked(error.with("host", host).with("cause", why))
        })
    }
}

/// The head of the request. The URL's parts and all values are without line ends: the parser of
/// URLs removes them, and the values are numbers, digits and names of operations.
fn head(url: &Url, headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: mlops/{}\r\naccept: */*\r\n\
         content-length: {length}\r\nconnection: close\r\n",
        env!("CARGO_PKG_VERSION"),
    );
    for (name, value) in headers {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        head.extend([name, ": ", value.as_str(), "\r\n"]);
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Whether it is the TLS that failed: a certificate, most of the time.
fn is_tls(error: &io::Error) -> bool {
    let Some(source) = error.get_ref() else { return false };
    source.is::<rustls::Error>()
}

/// The first address that answers. Each gets its share of the time that is left, so that one that
/// swallows what is sent to it (a broken IPv6 route) leaves some for the others.
fn connect(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut trouble = io::Error::from(io::ErrorKind::NotFound);
    let counted = (1..=u32::try_from(addresses.len()).unwrap_or(u32::MAX)).rev();
    for (remaining, address) in counted.zip(addresses) {
        match TcpStream::connect_timeout(address, share(left(deadline)?, remaining)) {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Err(e) => trouble = e,
        }
    }
    Err(trouble)
}

/// Sends the request, and reads status and `Retry-After` of the answer.
fn exchange(mut stream: impl Read + Write, request: &[u8]) -> io::Result<(u16, Option<String>)> {
    let sent = stream.write_all(request).and_then(|()| stream.flush());
    let answer = read_head(&mut stream);
    match (sent, answer) {
        // Some refuse before they have read everything: their answer says more than the broken
        // pipe.
        (Err(_), Ok(answer)) if answer.0 >= 300 => Ok(answer),
        (Err(e), _) => Err(e),
        (Ok(()), answer) => answer,
    }
}

fn read_head(stream: &mut impl Read) -> io::Result<(u16, Option<String>)> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let (mut head, mut chunk) = (Vec::new(), [0; 4_096]);
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&head).map_err(|e| match e {
            httparse::Error::TooManyHeaders => invalid(format!("more than {MAX_HEADERS} headers")),
            e => invalid(format!("no HTTP: {e}")),
        })?;
        match (parsed, response.code) {
            // "Wait, there is more": 103 and the like.
            (httparse::Status::Complete(length), Some(100..=199)) => {
                head.drain(..length);
                continue;
            }
            (httparse::Status::Complete(_), Some(status)) => {
                let asked =
                    response.headers.iter().find(|h| h.name.eq_ignore_ascii_case("retry-after"));
                let asked = asked.map(|h| String::from_utf8_lossy(h.value).trim().to_owned());
                return Ok((status, asked));
            }
            _ => {}
        }
        if head.len() > MAX_HEAD_BYTES {
            return Err(invalid("the answer's head is too long".to_owned()));
        }
        match stream.read(&mut chunk)? {
            0 if head.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            0 => return Err(invalid("the answer ends within its head".to_owned())),
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
}

fn server_name(url: &Url) -> io::Result<ServerName<'static>> {
    match url.host() {
        Some(Host::Ipv4(address)) => Ok(ServerName::IpAddress(IpAddr::V4(address).into())),
        Some(Host::Ipv6(address)) => Ok(ServerName::IpAddress(IpAddr::V6(address).into())),
        _ => ServerName::try_from(url.host_str().unwrap_or_default().to_owned())
            .map_err(io::Error::other),
    }
}

fn tls_config(trusted_pem: &[u8], clock: Arc<dyn Clock>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(trusted_pem) {
        let certificate = certificate.map_err(|e| format!("trusted_pem: {e}"))?;
        roots.add(certificate).map_err(|e| format!("trusted_pem: {e}"))?;
    }
    // Systems have certificates that rustls does not take; the others are as good as before.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("the system has no trusted certificates (package ca-certificates)".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_details(provider, Arc::new(TlsClock(clock)))
        .with_safe_default_protocol_versions()
        .map(|builder| Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
        .map_err(|e| e.to_string())
}

/// Certificates expire by our clock.
#[derive(Debug)]
struct TlsClock(Arc<dyn Clock>);

impl rustls::time_provider::TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        let secs = u64::try_from(self.0.now().timestamp()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(secs)))
    }
}

/// A connection of which all reads and writes together end by the deadline: a receiver that sends a
/// byte now and then must not hold the feed up.
struct Bounded {
    tcp: TcpStream,
    deadline: Instant,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(Some(left(self.deadline)?))?;
        self.tcp.read(buffer)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(left(self.deadline)?))?;
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// The time for one of `remaining` addresses; never zero, as [`left`].
fn share(left: Duration, remaining: u32) -> Duration {
    (left / remaining.max(1)).max(Duration::from_millis(1))
}

/// What is left; never zero, which sockets take for "for ever".
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}
