//! Webhooks against a real server on loopback.

mod answers;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::feed::Webhook;
use crate::feed::http::Client;
use crate::feed::sign::verify_signature;

/// What the server was sent.
#[derive(Debug, Clone)]
struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    fn name(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        body["payload"]["name"].as_str().unwrap().to_owned()
    }
}

/// Answers each request with the next text, and with 204 after the last.
struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(answers: &[&str]) -> Self {
        Self::start_with(answers, None)
    }

    fn start_with(answers: &[&str], tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, stop) =
            (Arc::<Mutex<Vec<Request>>>::default(), Arc::<AtomicBool>::default());
        let (kept, stopped) = (requests.clone(), stop.clone());
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        let serve = move || {
            let mut answers = answers.into_iter();
            while let Ok((tcp, _)) = listener.accept() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                tcp.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
                match &tls {
                    None => drop(answer(tcp, &kept, &mut answers)),
                    Some(config) => {
                        let session = rustls::ServerConnection::new(config.clone()).unwrap();
                        let stream = rustls::StreamOwned::new(session, tcp);
                        drop(answer(stream, &kept, &mut answers));
                    }
                }
            }
        };
        let thread = Some(std::thread::spawn(serve));
        Self { address, requests, stop, thread }
    }

    fn url(&self) -> String {
        format!("http://{}/hooks/mlops?team=a%20b", self.address)
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    fn names(&self) -> Vec<String> {
        self.requests().iter().map(Request::name).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn answer(
    stream: impl Read + Write,
    requests: &Mutex<Vec<Request>>,
    answers: &mut impl Iterator<Item = String>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_owned(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    requests.lock().unwrap().push(Request { line: line.trim_end().to_owned(), headers, body });
    let text = answers.next().unwrap_or_else(|| "HTTP/1.1 204 No Content\r\n\r\n".to_owned());
    reader.get_mut().write_all(text.as_bytes())?;
    reader.get_mut().flush()
}

fn subscribe(feed: &Feed, hook: Webhook) {
    block_on(feed.subscribe(&key("hook"), experiments(Target::Webhook(hook)))).unwrap();
}

fn hook(server: &Server) -> Webhook {
    Webhook::new(server.url(), "HOOK").permitting_private()
}

/// The feed's own client with names resolved by `resolve`.
fn resolving(feed: Feed, resolve: fn(&str, u16) -> std::io::Result<Vec<SocketAddr>>) -> Feed {
    let Ok(mut parts) = Arc::try_unwrap(feed.0) else { panic!("the feed is shared") };
    Arc::get_mut(&mut parts.sender.client).unwrap().resolve = resolve;
    Feed(Arc::new(parts))
}

#[test]
fn a_receiver_can_verify_a_delivery_with_the_headers_alone() {
    let (at, server) = (Fixture::new(), Server::start(&[]));
    let feed = at.feed();
    subscribe(&feed, hook(&server));
    at.events(&["a"]);
    assert!(matches!(pass(&feed), (1, State::Idle)));
    let request = server.requests().remove(0);
    let sequence = block_on(at.store.last()).unwrap();
    assert_eq!(request.line, "POST /hooks/mlops?team=a%20b HTTP/1.1");
    let header = |name: &str| request.headers[name].as_str();
    assert_eq!(header("host"), server.address.to_string());
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("mlops-event"), "experiment.create");
    assert_eq!(header("mlops-delivery"), sequence.to_string());
    assert_eq!(header("mlops-timestamp"), "1893456000");
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["id"], format!("team/{sequence}"));
    assert_eq!(body["actor"], "ann@laptop");
    let verify = |body: &[u8], now| {
        let (at, signature) = (header("mlops-timestamp"), header("mlops-signature"));
        let secret = secret("HOOK").unwrap();
        verify_signature(&secret, at, body, signature, now, Duration::from_mins(5))
    };
    verify(&request.body, at.clock.now()).unwrap();
    verify(b"{}", at.clock.now()).unwrap_err();
    at.secs(301);
    verify(&request.body, at.clock.now()).unwrap_err();
}

#[test]
fn a_receiver_that_is_down_gets_everything_in_order_when_it_is_back() {
    let unavailable = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 60\r\n\r\n";
    let date = "HTTP/1.1 429 Too Many\r\nRetry-After: Tue, 01 Jan 2030 00:03:00 GMT\r\n\r\n";
    let (at, server) = (Fixture::new(), Server::start(&[unavailable, date]));
    let feed = at.feed();
    subscribe(&feed, hook(&server));
    at.events(&["a", "b", "c"]);
    let (0, State::Waiting { until, error, .. }) = pass(&feed) else { panic!() };
    assert_eq!((until - at.clock.now()).num_seconds(), 60);
    assert!(error.contains("cannot take it now") && error.contains("503"), "{error}");
    assert!(!error.contains("hooks/mlops"), "the path may be a secret: {error}");
    at.secs(60);
    let (0, State::Waiting { until, .. }) = pass(&feed) else { panic!() };
    assert_eq!((until - at.clock.now()).num_seconds(), 120);
    at.secs(120);
    assert!(matches!(pass(&feed), (3, State::Idle)));
    assert_eq!(server.names(), ["a", "a", "a", "b", "c"]);
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(&[]);
    let answer =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {}\r\n\r\n", elsewhere.url());
    let (at, server) = (Fixture::new(), Server::start(&[&answer]));
    let feed = at.feed();
    subscribe(&feed, hook(&server));
    at.events(&["a"]);
    let (0, State::Waiting { error, .. }) = pass(&feed) else { panic!() };
    assert!(error.contains("redirects are not followed"), "{error}");
    assert_eq!((server.requests().len(), elsewhere.requests().len()), (1, 0));
}

#[test]
fn an_event_that_a_receiver_refuses_for_good_is_parked_and_the_next_one_goes() {
    let bad = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let (at, server) = (Fixture::new(), Server::start(&[bad, bad, bad]));
    let feed = at.feed_with(FeedOptions::default().with_max_attempts(3));
    subscribe(&feed, hook(&server));
    at.events(&["poison", "b"]);
    for wait in [5, 10] {
        pass(&feed);
        at.secs(wait);
    }
    assert!(matches!(pass(&feed), (1, State::Idle)));
    assert_eq!(server.names(), ["poison", "poison", "poison", "b"]);
    assert!(block_on(feed.undelivered()).unwrap()[0].error.contains("400"));
}

#[test]
fn a_name_that_leads_to_a_private_address_is_refused_before_a_connection() {
    let (at, server) = (Fixture::new(), Server::start(&[]));
    let port = server.address.port();
    let feed = resolving(at.feed(), |_, port| Ok(vec![([127, 0, 0, 1], port).into()]));
    let url = format!("http://hooks.example.com:{port}/");
    subscribe(&feed, Webhook::new(&url, "HOOK"));
    at.events(&["a"]);
    // However often: what was not allowed was not tried, and is never parked.
    for _ in 0..20 {
        let (0, State::Blocked(error)) = pass(&feed) else { panic!() };
        assert!(error.to_string().contains("address: 127.0.0.1"), "{error}");
    }
    assert!(server.requests().is_empty());

    subscribe(&feed, Webhook::new(url, "HOOK").permitting_private());
    assert_eq!(pass(&feed).0, 1);
}

#[test]
fn one_private_address_among_public_ones_is_enough_to_refuse() {
    let at = Fixture::new();
    let feed = resolving(at.feed(), |_, port| {
        Ok(vec![([8, 8, 8, 8], port).into(), ([169, 254, 169, 254], port).into()])
    });
    subscribe(&feed, Webhook::new("https://hooks.example.com/", "HOOK"));
    at.events(&["a"]);
    let (0, State::Blocked(error)) = pass(&feed) else { panic!() };
    assert!(error.to_string().contains("169.254.169.254"), "{error}");
}

#[test]
fn localhost_is_resolved_and_needs_a_permit() {
    let (at, server) = (Fixture::new(), Server::start(&[]));
    let feed = at.feed();
    let url = format!("http://localhost:{}/", server.address.port());
    let refused = experiments(Target::Webhook(Webhook::new(&url, "HOOK")));
    block_on(feed.subscribe(&key("hook"), refused)).unwrap_err();
    subscribe(&feed, Webhook::new(url, "HOOK").permitting_private());
    at.events(&["a"]);
    assert_eq!(pass(&feed).0, 1);
}

#[test]
fn a_receiver_is_known_by_its_certificate() {
    let server = Server::start_with(&[], Some(server_tls()));
    let url = format!("https://localhost:{}/", server.address.port());
    let at = Fixture::new();
    let authority = include_bytes!("tls/authority.pem").as_slice();

    // Trusts another authority only: the certificate stands for any, but it signed nothing.
    let wrong = include_bytes!("tls/localhost.pem").as_slice();
    let stranger = at.feed_with(FeedOptions::default().with_trusted_pem(wrong));
    subscribe(&stranger, Webhook::new(&url, "HOOK").permitting_private());
    at.events(&["a"]);
    let (0, State::Waiting { error, .. }) = pass(&stranger) else { panic!() };
    assert!(error.contains("certificate"), "{error}");

    let friend = at.feed_with(FeedOptions::default().with_trusted_pem(authority));
    assert_eq!(pass(&friend).0, 1);
    assert_eq!(server.names(), ["a"]);

    // By the feed's clock, and by the name that was asked for.
    at.events(&["b"]);
    at.secs(200 * 366 * 86_400);
    let (0, State::Waiting { error, .. }) = pass(&friend) else { panic!() };
    assert!(error.contains("expired"), "{error}");
    at.secs(-200 * 366 * 86_400);
    let url = format!("https://127.0.0.1:{}/", server.address.port());
    subscribe(&friend, Webhook::new(url, "HOOK").permitting_private());
    let (0, State::Waiting { error, .. }) = pass(&friend) else { panic!() };
    assert!(error.contains("not valid for name"), "{error}");
}

fn server_tls() -> Arc<rustls::ServerConfig> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/localhost.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/localhost.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

#[test]
fn clients_share_one_tls_configuration() {
    // What is expensive (reading the system's certificates) happens once a feed, and not for http.
    let options = FeedOptions::default();
    let client = Client::new(&options, Arc::new(ManualClock::at_micros(NOW)));
    let url = "http://127.0.0.1:1/".parse().unwrap();
    assert!(client.post(&url, true, &[], b"{}").is_err());
    assert!(!client.has_tls());
}
