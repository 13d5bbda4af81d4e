//! The thread that delivers.

use std::sync::mpsc::channel;
use std::time::Duration;

use super::*;

const LONG: Duration = Duration::from_hours(1);
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn a_watching_feed_delivers_when_woken_and_ends_with_its_handle() {
    let at = Fixture::new();
    let broken = Arc::new(AtomicBool::new(false));
    let (heard, callback) = listener(&broken);
    let feed = at.feed();
    block_on(feed.on(&key("listener"), experiments(Target::Callback), callback)).unwrap();
    let (report, passes) = channel();
    let handle = feed
        .watch(LONG, move |pass| {
            let _ = report.send(pass.map(|pass| (pass.delivered(), pass.next())));
        })
        .unwrap();
    let next = || passes.recv_timeout(PATIENCE).unwrap();
    assert_eq!(next().unwrap(), (0, None));

    at.events(&["a"]);
    handle.wake();
    assert_eq!(next().unwrap(), (1, None));

    // An error of the store ends the pass and not the thread.
    at.events(&["b"]);
    at.journal.broken.store(true, Ordering::SeqCst);
    handle.wake();
    next().unwrap_err();
    at.journal.broken.store(false, Ordering::SeqCst);
    handle.wake();
    assert_eq!(next().unwrap(), (1, None));

    handle.stop();
    assert!(passes.recv().is_err(), "the thread is gone, and its report with it");
    assert_eq!(*heard.lock().unwrap(), ["a", "b", "b"]);
}

#[test]
fn a_watching_feed_looks_again_by_itself_when_a_retry_is_due() {
    let at = Fixture::new();
    let broken = Arc::new(AtomicBool::new(true));
    let (_, callback) = listener(&broken);
    let delay = Duration::from_millis(30);
    let feed = at.feed_with(FeedOptions::default().with_delays(delay, delay));
    block_on(feed.on(&key("listener"), experiments(Target::Callback), callback)).unwrap();
    at.events(&["a"]);
    let (report, passes) = channel();
    let _handle = feed
        .watch(LONG, move |pass| {
            let _ = report.send(pass.unwrap().delivered());
        })
        .unwrap();
    assert_eq!(passes.recv_timeout(PATIENCE), Ok(0));
    broken.store(false, Ordering::SeqCst);
    at.secs(1);
    assert_eq!(passes.recv_timeout(PATIENCE), Ok(1));
}
