//! The feed: subscriptions that are refused, and deliveries that come.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::store::{MLOPS, Store, text};

fn subscribe(store: &Store, name: &str, subscription: &str) -> (i32, serde_json::Value) {
    fs::write(store.path().join("subscription.yaml"), subscription).unwrap();
    let args = format!("feed subscribe {name} subscription.yaml");
    let output = store.mlops(&format!("{args} --json"));
    if output.status.success() {
        return (0, serde_json::from_slice(&output.stdout).unwrap());
    }
    store.refused(&args)
}

#[test]
fn a_bad_subscription_is_refused_when_it_is_stored() {
    let store = Store::filled();
    let webhook = |url: &str| {
        format!(
            "events: [version.promote]\nto: {{webhook: {{url: \"{url}\", secret: HOOK_SECRET}}}}"
        )
    };
    for subscription in [
        webhook("ftp://example.com/x"),
        webhook("file:///etc/passwd"),
        webhook("https://ann:pw@example.com/"),
        webhook("http://127.0.0.1/"),
        webhook("http://[::ffff:10.0.0.1]/"),
        webhook("http://169.254.169.254/latest"),
        webhook("example.com"),
        "events: [version.promoted]\nto: {command: {program: /bin/true}}".to_owned(),
        "events: []\nto: {command: {program: /bin/true}}".to_owned(),
        "events: ['*']\nto: {command: {program: true}}".to_owned(),
        "events: ['*']\nto: {command: {program: bin/true}}".to_owned(),
        "events: ['*']\nto: callback".to_owned(),
        "events: ['*']\nmodels: [../x]\nto: {command: {program: /bin/true}}".to_owned(),
        "events: ['*']".to_owned(),
        "events: ['*']\nfrom: beginning\nto: {command: {program: /bin/true}}".to_owned(),
        webhook("https://example.com/").replace("HOOK_SECRET", "whsec-pw"),
    ] {
        let (code, error) = subscribe(&store, "bad", &subscription);
        assert_eq!(code, 2, "{subscription}: {error:#}");
        assert!(!error.to_string().contains("pw"), "{error:#}");
    }
    assert_eq!(store.json("feed subscriptions"), json!([]));
    assert_eq!(store.refused("feed unsubscribe nobody").0, 4);
    assert_eq!(store.refused("feed redeliver nobody 3").0, 4);
    assert_eq!(store.refused("feed subscribe x absent.yaml").0, 4);
}

#[test]
fn a_command_hears_what_it_asked_for_once() {
    let store = Store::filled();
    let script = store.path().join("hear.sh");
    let heard = store.path().join("heard");
    let (program, log) = (script.display(), heard.display());
    fs::write(&script, format!("#!/bin/sh\n{{ cat; echo; }} >> {log}\n")).unwrap();
    let subscription = format!(
        "events: [version.promote, version.rollback]\nmodels: [fraud]\nto: {{command: {{program: /bin/sh, args: [{program}]}}}}"
    );
    assert_eq!(subscribe(&store, "listener", &subscription).1["version"], 1);
    assert_eq!(store.json("feed deliver")["delivered"], 0, "what was before is not told");
    store.done("models register churn --run baseline");
    store.done("models promote churn/1 --to Staging");
    store.done("models rollback fraud --reason oops");
    let delivered = store.json("feed deliver --store-name team");
    assert_eq!(
        (&delivered["delivered"], &delivered["subscriptions"][0]["state"]),
        (&json!(1), &json!("idle"))
    );
    assert_eq!(store.json("feed deliver")["delivered"], 0);
    let told = fs::read_to_string(&heard).unwrap();
    assert_eq!(told.lines().count(), 1);
    let message: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(message["operation"], "version.rollback");
    assert!(message["id"].as_str().unwrap().starts_with("team/"));
    assert!(store.done("feed subscriptions").contains("fraud"));
    store.done("feed unsubscribe listener");
    assert_eq!(store.json("feed deliver")["subscriptions"], json!([]));
}

#[test]
fn a_receiver_that_is_away_is_exit_code_5_and_gets_it_later() {
    let store = Store::filled();
    let subscription =
        "events: ['model.*']\nto: {command: {program: /bin/sh, args: [-c, 'test -e here']}}";
    let here = store.path().join("here");
    let subscription = subscription.replace("-e here", &format!("-e {}", here.display()));
    assert_eq!(subscribe(&store, "away", &subscription).0, 0);
    store.done("models tag fraud a=1");
    let output = store.mlops("feed deliver");
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("waits with"));
    fs::write(here, "").unwrap();
    assert_eq!(store.json("feed deliver")["delivered"], 1);
}

#[test]
fn a_secret_that_is_not_set_keeps_everything_waiting() {
    let store = Store::filled();
    let subscription =
        "events: ['model.*']\nto: {webhook: {url: 'https://8.8.8.8/', secret: NOT_SET_ANYWHERE}}";
    assert_eq!(subscribe(&store, "hook", subscription).0, 0);
    store.done("models tag fraud a=1");
    let (code, error) = store.refused("feed deliver");
    assert_ne!(code, 0, "{error:#}");
    assert_eq!(error["context"]["subscription"], "hook");
    assert_eq!(store.json("feed undelivered"), json!([]), "nothing is given up meanwhile");
}

#[test]
fn a_watch_delivers_until_it_is_interrupted() {
    let store = Store::filled();
    let heard = store.path().join("heard");
    let subscription = format!(
        "events: ['model.*']\nto: {{command: {{program: /bin/sh, args: [-c, 'cat > {}']}}}}",
        heard.display()
    );
    assert_eq!(subscribe(&store, "listener", &subscription).0, 0);
    let mut watch = Command::new(MLOPS);
    watch.args(["feed", "watch", "--every", "1s", "--json"]).current_dir(store.path());
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    store.done("models tag fraud a=1");
    // A pass that delivers nothing says nothing, so the first line is about the delivery.
    let mut line = String::new();
    BufReader::new(watch.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let is_running = watch.try_wait().unwrap().is_none();
    watch.kill().unwrap();
    watch.wait().unwrap();
    let pass: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&pass["name"], &pass["delivered"]), (&json!("listener"), &json!(1)));
    assert!(heard.exists() && is_running);
}

/// Takes one request, answers it, and returns its head and body.
#[cfg(feature = "webhooks")]
fn one_request(listener: &std::net::TcpListener) -> (String, String) {
    use std::io::{Read, Write};

    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    (head, text(&body))
}

#[cfg(feature = "webhooks")]
#[test]
fn a_webhook_gets_a_signed_message_with_the_secret_of_the_environment() {
    use mlops::Secret;
    use mlops::feed::sign;

    let store = Store::filled();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let subscription = format!(
        "events: ['version.rollback']\nto: {{webhook: {{url: 'http://127.0.0.1:{port}/hook', secret: HOOK_SECRET, permit_private: true}}}}"
    );
    assert_eq!(subscribe(&store, "hook", &subscription).0, 0);
    store.done("models rollback fraud --reason oops");
    let receiver = std::thread::spawn(move || one_request(&listener));
    let secret = "correct horse";
    let (printed, code) = store.shell_with("mlops feed deliver --json", &[("HOOK_SECRET", secret)]);
    assert_eq!(code, 0, "{printed}");
    let (head, body) = receiver.join().unwrap();
    assert!(head.starts_with("POST /hook HTTP/1.1") && !printed.contains(secret), "{head}");
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().unwrap().1.to_owned()
    };
    let signed = sign::signature(
        &Secret::new(secret.to_owned()),
        &header(sign::TIMESTAMP_HEADER),
        body.as_bytes(),
    );
    assert_eq!(header(sign::SIGNATURE_HEADER), signed);
    assert_eq!(header(sign::EVENT_HEADER), "version.rollback");
}

#[test]
fn a_word_that_is_none_is_named_with_those_there_are() {
    let store = Store::filled();
    let subscription = "events: ['*']\nfrom: beginning\nto: {command: {program: /bin/true}}";
    let (_, error) = subscribe(&store, "x", subscription);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("`from` is `now` or `start`"), "{message}");
    assert!(message.contains("beginning"), "{message}");
}

#[test]
fn what_is_not_there_cannot_be_unsubscribed_once_or_twice() {
    let store = Store::filled();
    let missing = |name: &str| {
        let (code, error) = store.refused(&format!("feed unsubscribe {name}"));
        assert_eq!((code, &error["message"]), (4, &json!("no subscription has this name")));
        assert_eq!(error["context"]["name"], name);
    };
    missing("nope");
    let subscription = "events: ['*']\nto: {command: {program: /bin/true}}";
    assert_eq!(subscribe(&store, "once", subscription).0, 0);
    store.done("feed unsubscribe once");
    missing("once");
}

#[test]
fn the_path_of_a_webhook_is_shown_to_those_who_ask_for_it() {
    let store = Store::filled();
    let subscription = "events: ['*']\nto: {webhook: {url: 'https://hooks.example.com/services/T0/s3cret', secret: HOOK}}";
    let (code, stored) = subscribe(&store, "chat", subscription);
    assert!(code == 0 && !stored.to_string().contains("s3cret"), "{stored:#}");
    let url = |listed: &serde_json::Value| {
        listed[0]["subscription"]["to"]["webhook"]["url"].as_str().unwrap().to_owned()
    };
    assert_eq!(url(&store.json("feed subscriptions")), "https://hooks.example.com/…");
    let whole = "https://hooks.example.com/services/T0/s3cret";
    assert_eq!(url(&store.json("feed subscriptions --show-urls")), whole);
    let listed = store.done("feed subscriptions");
    assert!(listed.contains("https://hooks.example.com/…") && !listed.contains("s3cret"));
    assert!(store.done("feed subscriptions --show-urls").contains(whole));
}

#[test]
fn a_change_that_is_never_taken_is_skipped_by_its_number() {
    let store = Store::filled();
    let subscription = "events: ['model.*']\nto: {command: {program: /bin/false}}";
    assert_eq!(subscribe(&store, "stuck", subscription).0, 0);
    store.done("models tag fraud a=1");
    store.done("models tag fraud a=2");
    let stuck_at = || {
        let (code, error) = store.refused("feed deliver");
        assert_eq!(code, 5);
        assert!(error["hint"].as_str().unwrap().contains("feed skip"));
        error["context"]["event"].as_str().unwrap().parse::<u64>().unwrap()
    };
    let number = stuck_at();
    assert_eq!(stuck_at(), number, "one-shot deliveries never give up");
    assert_eq!(store.json("feed undelivered"), json!([]));
    assert_eq!(store.refused(&format!("feed skip stuck {}", number + 1)).0, 3);
    assert_eq!(store.refused(&format!("feed skip nobody {number}")).0, 4);
    let skipped = store.json(&format!("feed skip stuck {number}"));
    assert_eq!((&skipped["sequence"], &skipped["error"]), (&json!(number), &json!("skipped")));
    assert_eq!(stuck_at(), number + 1);
    assert_eq!(store.json("feed undelivered")[0]["sequence"], number);
    assert_eq!(store.refused(&format!("feed skip stuck {number}")).0, 3);
}

#[test]
fn a_watch_that_would_never_wait_is_refused() {
    let store = Store::filled();
    let (code, error) = store.refused("feed watch --every 0s");
    assert_eq!(code, 64);
    assert!(error["message"].as_str().unwrap().contains("at least one second"), "{error:#}");
}
