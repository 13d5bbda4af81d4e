//! Order, retries, parking, and deaths between delivery and position.

use mlops_core::registry::{Catalog, Document, PutDocument};

use super::*;

fn on(feed: &Feed, callback: &Callback) {
    let subscription = experiments(Target::Callback);
    block_on(feed.on(&key("listener"), subscription, callback.clone())).unwrap();
}

#[test]
fn a_process_that_dies_between_delivery_and_advance_delivers_again() {
    let at = Fixture::new();
    let (heard, callback) = listener(&Arc::default());
    let feed = at.feed();
    on(&feed, &callback);
    at.events(&["a", "b"]);
    at.journal.broken.store(true, Ordering::SeqCst);
    block_on(feed.deliver_once()).unwrap_err();
    drop(feed);

    at.journal.broken.store(false, Ordering::SeqCst);
    let reopened = at.feed();
    on(&reopened, &callback);
    assert_eq!(pass(&reopened).0, 2);
    assert_eq!(*heard.lock().unwrap(), ["a", "a", "b"]);
    assert!(matches!(pass(&reopened), (0, State::Idle)));
}

#[cfg(feature = "sqlite")]
#[test]
fn what_was_written_while_no_feed_ran_is_delivered_by_the_next_process() {
    use crate::backends::sqlite::{SqliteOptions, SqliteStore};

    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let (clock, actor) = (Arc::new(ManualClock::at_micros(NOW)), Actor::new("ann").unwrap());
        let path = directory.path().join("meta.db");
        let store = SqliteStore::open(&path, clock.clone(), actor, SqliteOptions::default());
        let store = Arc::new(store.unwrap());
        (Feed::new(store.clone(), store.clone(), clock, Arc::new(secret)), store)
    };
    let create = |store: &SqliteStore, name: &str| {
        let name = ExperimentName::new(name).unwrap();
        block_on(store.create_experiment(&name, CreateExperiment::default())).unwrap();
    };
    let (heard, callback) = listener(&Arc::default());
    {
        let (feed, store) = open();
        create(&store, "before");
        on(&feed, &callback);
        create(&store, "a");
        assert_eq!(pass(&feed).0, 1);
        create(&store, "b");
    }
    create(&open().1, "c");
    let (feed, _store) = open();
    on(&feed, &callback);
    assert_eq!(pass(&feed).0, 2);
    assert_eq!(*heard.lock().unwrap(), ["a", "b", "c"]);
}

#[test]
fn an_event_that_is_not_taken_holds_the_later_ones_and_is_tried_again_in_time() {
    let at = Fixture::new();
    let broken = Arc::new(AtomicBool::new(true));
    let (heard, callback) = listener(&broken);
    let feed = at.feed();
    on(&feed, &callback);
    at.events(&["a", "b"]);
    let (0, State::Waiting { attempts: 1, until, error, .. }) = pass(&feed) else { panic!() };
    assert_eq!(until, at.clock.now() + chrono::TimeDelta::seconds(5));
    assert!(error.contains("not now"), "{error}");

    at.secs(4);
    assert!(matches!(pass(&feed), (0, State::Waiting { attempts: 1, .. })));
    at.secs(1);
    assert!(matches!(pass(&feed), (0, State::Waiting { attempts: 2, .. })));
    broken.store(false, Ordering::SeqCst);
    at.secs(9);
    assert_eq!(pass(&feed).0, 0);
    at.secs(1);
    assert_eq!(pass(&feed).0, 2);
    assert_eq!(*heard.lock().unwrap(), ["a", "b"]);
}

#[test]
fn an_event_that_is_never_taken_is_parked_and_can_be_delivered_later() {
    let at = Fixture::new();
    let broken = Arc::new(AtomicBool::new(true));
    let (heard, callback) = listener(&broken);
    let feed = at.feed_with(FeedOptions::default().with_max_attempts(2));
    on(&feed, &callback);
    at.events(&["a", "b"]);
    let sequence = block_on(at.store.last()).unwrap() - 1;
    pass(&feed);
    at.secs(5);
    // Parked, and the next event has its first attempt in the same pass.
    let progress = block_on(feed.deliver_once()).unwrap().subscriptions.remove(0);
    assert_eq!(progress.parked, [sequence]);
    assert_eq!(progress.position, sequence);
    assert!(matches!(progress.state, State::Waiting { attempts: 1, .. }));

    let parked = block_on(feed.undelivered()).unwrap();
    assert_eq!((parked[0].sequence, parked[0].attempts), (sequence, 2));
    assert_eq!(parked[0].operation, "experiment.create");
    assert!(parked[0].error.contains("not now"));
    let refused = block_on(feed.redeliver(&key("listener"), sequence)).unwrap_err();
    assert!(refused.to_string().contains("not now"), "{refused}");

    broken.store(false, Ordering::SeqCst);
    block_on(feed.redeliver(&key("listener"), sequence)).unwrap();
    assert!(block_on(feed.undelivered()).unwrap().is_empty());
    let again = block_on(feed.redeliver(&key("listener"), sequence)).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound);
    at.secs(5);
    assert_eq!(pass(&feed).0, 1);
    assert_eq!(*heard.lock().unwrap(), ["a", "b"]);
}

#[test]
fn a_process_that_dies_after_parking_parks_again_and_loses_nothing() {
    let at = Fixture::new();
    let (_, callback) = listener(&Arc::new(AtomicBool::new(true)));
    let feed = at.feed_with(FeedOptions::default().with_max_attempts(1));
    on(&feed, &callback);
    at.events(&["a"]);
    at.journal.broken.store(true, Ordering::SeqCst);
    block_on(feed.deliver_once()).unwrap_err();
    assert_eq!(block_on(feed.undelivered()).unwrap().len(), 1);
    at.journal.broken.store(false, Ordering::SeqCst);
    let reopened = at.feed_with(FeedOptions::default().with_max_attempts(1));
    on(&reopened, &callback);
    pass(&reopened);
    assert_eq!(block_on(reopened.undelivered()).unwrap().len(), 1);
}

#[test]
fn two_processes_under_one_name_lose_nothing() {
    let at = Fixture::new();
    let (heard, callback) = listener(&Arc::default());
    let feeds = [at.feed(), at.feed()];
    for feed in &feeds {
        on(feed, &callback);
    }
    let names: Vec<String> = (0..40).map(|i| format!("e{i:02}")).collect();
    at.events(&names.iter().map(String::as_str).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for feed in &feeds {
            scope.spawn(|| while !matches!(pass(feed).1, State::Idle) {});
        }
    });
    let mut heard = heard.lock().unwrap().clone();
    heard.sort();
    heard.dedup();
    assert_eq!(heard, names);
}

#[test]
fn a_callback_that_panics_is_tried_again_and_ends_nothing() {
    let at = Fixture::new();
    let feed = at.feed();
    let callback: Callback = Arc::new(|_| -> Result<()> { panic!("a bug") });
    on(&feed, &callback);
    at.events(&["a"]);
    let (0, State::Waiting { error, .. }) = pass(&feed) else { panic!() };
    assert!(error.contains("panicked"), "{error}");
}

#[test]
fn a_subscription_of_everything_does_not_hear_of_its_own_failures() {
    let at = Fixture::new();
    let feed = at.feed_with(FeedOptions::default().with_max_attempts(1));
    let everything = Subscription::new(["*"], Target::Callback).unwrap();
    let callback: Callback = Arc::new(|_| Err(Error::unavailable("test", "never")));
    block_on(feed.on(&key("listener"), everything, callback)).unwrap();
    at.events(&["a"]);
    // The subscription's own document, and the experiment.
    for _ in 0..3 {
        assert_eq!(pass(&feed).0, 0);
    }
    assert_eq!(block_on(feed.undelivered()).unwrap().len(), 2);
}

#[test]
fn a_turn_ends_so_that_others_have_theirs() {
    let at = Fixture::new();
    let (heard, callback) = listener(&Arc::default());
    let feed = at.feed_with(FeedOptions::default().with_turn(2));
    on(&feed, &callback);
    at.events(&["a", "b", "c"]);
    assert!(matches!(pass(&feed), (2, State::More)));
    assert!(matches!(pass(&feed), (1, State::Idle)));
    assert_eq!(*heard.lock().unwrap(), ["a", "b", "c"]);
}

#[test]
fn messages_of_two_stores_differ_and_those_of_one_store_do_not() {
    let id = |at: &Fixture| {
        let feed = at.feed_with(FeedOptions::default());
        let id = block_on(feed.store()).unwrap().to_owned();
        assert_eq!(block_on(at.feed().store()).unwrap(), "team");
        id
    };
    let (one, other) = (Fixture::new(), Fixture::new());
    one.events(&["a"]);
    other.secs(1);
    other.events(&["a"]);
    let first = id(&one);
    assert_eq!(first.len(), 12);
    assert!(first.chars().all(|c| c.is_ascii_hexdigit()), "{first}");
    one.events(&["b"]);
    assert_eq!(id(&one), first);
    assert_ne!(id(&other), first);
}

#[test]
fn an_event_is_skipped_by_its_number_and_only_if_it_is_the_next_one() {
    let at = Fixture::new();
    let broken = Arc::new(AtomicBool::new(true));
    let (heard, callback) = listener(&broken);
    let name = key("listener");
    on(&at.feed(), &callback);
    at.events(&["poison", "b"]);
    let poison = block_on(at.store.last()).unwrap() - 1;
    // Each delivery by a process of its own: none of them ever counts to two.
    let options = || FeedOptions::default().with_max_attempts(2);
    for _ in 0..3 {
        let feed = at.feed_with(options());
        on(&feed, &callback);
        assert!(matches!(pass(&feed), (0, State::Waiting { attempts: 1, .. })));
    }
    let feed = at.feed_with(options());
    on(&feed, &callback);
    for other in [0, poison - 1, poison + 1, 99] {
        let refused = block_on(feed.skip(&name, other)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    }
    let parked = block_on(feed.skip(&name, poison)).unwrap();
    assert_eq!((parked.sequence, parked.error.as_str()), (poison, "skipped"));
    assert_eq!(block_on(feed.undelivered()).unwrap(), [parked]);
    assert_eq!(block_on(feed.skip(&name, poison)).unwrap_err().kind(), ErrorKind::Conflict);

    broken.store(false, Ordering::SeqCst);
    assert_eq!(pass(&feed).0, 1);
    block_on(feed.redeliver(&name, poison)).unwrap();
    assert_eq!(*heard.lock().unwrap(), ["b", "poison"]);
    assert_eq!(block_on(feed.skip(&name, poison)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(block_on(feed.skip(&key("no"), 1)).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_may_not_be_written_down_blocks_its_own_subscription_only() {
    let at = Fixture::new();
    let catalog = Arc::new(Reading(at.store.clone()));
    let options = FeedOptions::default().with_max_attempts(1);
    let (journal, clock) = (at.journal.clone(), at.clock.clone());
    let feed = Feed::with_options(journal, catalog, clock, Arc::new(secret), options);
    let (_, broken) = listener(&Arc::new(AtomicBool::new(true)));
    let (heard, fine) = listener(&Arc::default());
    for (name, callback) in [("a-broken", broken), ("b-fine", fine)] {
        let to = experiments(Target::Callback);
        block_on(at.feed().subscribe(&key(name), to.clone())).unwrap();
        block_on(feed.on(&key(name), to, callback)).unwrap();
    }
    at.events(&["a"]);
    let pass = block_on(feed.deliver_once()).unwrap();
    let State::Blocked(error) = &pass.subscriptions[0].state else { panic!("{pass:?}") };
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(pass.subscriptions[0].parked.is_empty());
    assert_eq!(*heard.lock().unwrap(), ["a"]);
    let pass = block_on(feed.deliver_once()).unwrap();
    let State::Waiting { error, .. } = &pass.subscriptions[0].state else { panic!("{pass:?}") };
    assert!(error.contains("only reads"), "{error}");
    // Nor does a person pass over what cannot be written down.
    let number = block_on(at.store.last()).unwrap();
    let error = block_on(feed.skip(&key("a-broken"), number)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(block_on(feed.deliver_once()).unwrap().subscriptions[0].position, number - 1);
}

/// A catalog for somebody who may only read it.
#[derive(Debug)]
struct Reading(MemoryStore);

#[async_trait]
impl Catalog for Reading {
    fn catalog_as(&self, actor: Actor) -> Arc<dyn Catalog> {
        self.0.catalog_as(actor)
    }

    async fn document(&self, kind: &Key, name: &Key) -> Result<Option<Document>> {
        self.0.document(kind, name).await
    }

    async fn documents(&self, kind: &Key) -> Result<Vec<Document>> {
        self.0.documents(kind).await
    }

    async fn document_history(&self, kind: &Key, name: &Key) -> Result<Vec<Document>> {
        self.0.document_history(kind, name).await
    }

    async fn put_document(&self, _: PutDocument) -> Result<Document> {
        Err(Error::new(ErrorKind::Denied, "test", "somebody who only reads"))
    }
}
