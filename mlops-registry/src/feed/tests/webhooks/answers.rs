//! Answers that are none, and receivers that take their time.

use std::time::Instant;

use super::*;

#[test]
fn an_answer_that_is_none_is_a_failure_and_not_a_delivery() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let odd = [
        "",
        "HTTP/1.1 200",
        "HTTP/9 200 OK\r\n\r\n",
        "SSH-2.0-x\r\n",
        "\0\0\0\r\n\r\n",
        &long,
        "HTTP/1.1 100 Continue\r\n\r\n",
    ];
    for answer in odd {
        let (at, server) = (Fixture::new(), Server::start(&[answer]));
        let feed = at.feed();
        subscribe(&feed, hook(&server));
        at.events(&["a"]);
        let (0, State::Waiting { .. }) = pass(&feed) else { panic!("{answer:?}") };
    }
    let early = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    let (at, server) = (Fixture::new(), Server::start(&[early]));
    let feed = at.feed();
    subscribe(&feed, hook(&server));
    at.events(&["a"]);
    assert_eq!(pass(&feed).0, 1);
}

#[test]
fn an_answer_that_is_none_is_not_called_an_unreachable_receiver() {
    let headers = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(count));
    for (answer, why) in [
        ("SSH-2.0-x\r\n", "the receiver's answer is a bad one"),
        ("HTTP/1.1 200", "the answer ends within its head"),
        ("", "without an answer"),
        (&headers(257), "more than 256 headers"),
    ] {
        let (at, server) = (Fixture::new(), Server::start(&[answer]));
        let feed = at.feed();
        subscribe(&feed, hook(&server));
        at.events(&["a"]);
        let (0, State::Waiting { error, .. }) = pass(&feed) else { panic!("{answer:?}") };
        assert!(error.contains(why) && !error.contains("reached"), "{error}");
    }
    let (at, server) = (Fixture::new(), Server::start(&[&headers(256)]));
    let feed = at.feed();
    subscribe(&feed, hook(&server));
    at.events(&["a"]);
    assert_eq!(pass(&feed).0, 1);
}

// Elsewhere the loopback has one address only.
#[cfg(target_os = "linux")]
#[test]
fn an_address_that_swallows_everything_leaves_time_for_the_next_one() {
    // The second server is asked for its answer only; the first takes no connections once the
    // queue that nobody serves is full.
    let deaf = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = deaf.local_addr().unwrap().port();
    let mut queued = Vec::new();
    let patience = Duration::from_millis(300);
    while let Ok(tcp) = TcpStream::connect_timeout(&deaf.local_addr().unwrap(), patience) {
        queued.push(tcp);
        assert!(queued.len() < 10_000, "the queue has no end here");
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let answering = std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        answer(tcp, &Mutex::default(), &mut std::iter::empty())
    });
    let at = Fixture::new();
    let options = FeedOptions::default().with_request_timeout(Duration::from_secs(4));
    let feed = resolving(at.feed_with(options), |_, port| {
        Ok(vec![([127, 0, 0, 2], port).into(), ([127, 0, 0, 1], port).into()])
    });
    let url = format!("http://hooks.example.com:{port}/");
    subscribe(&feed, Webhook::new(url, "HOOK").permitting_private());
    at.events(&["a"]);
    assert!(matches!(pass(&feed), (1, State::Idle)));
    answering.join().unwrap().unwrap();
}

#[test]
fn a_receiver_that_drips_does_not_hold_the_feed_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let drip = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        // Ends when the other side does.
        while tcp.write_all(b"H").is_ok() {
            std::thread::park_timeout(Duration::from_millis(20));
            if tcp.set_nodelay(true).is_err() {
                break;
            }
        }
    });
    let at = Fixture::new();
    let timeout = Duration::from_millis(300);
    let feed = at.feed_with(FeedOptions::default().with_request_timeout(timeout));
    subscribe(&feed, Webhook::new(url, "HOOK").permitting_private());
    at.events(&["a"]);
    let began = Instant::now();
    let (0, State::Waiting { .. }) = pass(&feed) else { panic!() };
    assert!(began.elapsed() < Duration::from_secs(30));
    drip.join().unwrap();
}
