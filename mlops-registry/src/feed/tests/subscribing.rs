//! Subscriptions come, change, go and come back.

use mlops_core::registry::{Catalog, PutDocument};
use mlops_core::tracking::ExperimentChanges;
use serde_json::json;

use super::*;
use crate::feed::{Command, Webhook};

#[test]
fn now_begins_after_the_subscription_and_start_with_the_first_event() {
    let at = Fixture::new();
    at.events(&["early"]);
    let (now, callback) = listener(&Arc::default());
    let feed = at.feed();
    block_on(feed.on(&key("now"), experiments(Target::Callback), callback)).unwrap();
    let (start, callback) = listener(&Arc::default());
    let all = experiments(Target::Callback).from_start();
    block_on(feed.on(&key("start"), all, callback)).unwrap();
    at.events(&["late"]);
    assert_eq!(block_on(feed.deliver_once()).unwrap().delivered(), 3);
    assert_eq!(*now.lock().unwrap(), ["late"]);
    assert_eq!(*start.lock().unwrap(), ["early", "late"]);
}

#[test]
fn a_changed_subscription_goes_on_and_one_that_comes_back_starts_anew() {
    let at = Fixture::new();
    let (heard, callback) = listener(&Arc::default());
    let (feed, name) = (at.feed(), key("listener"));
    let all = experiments(Target::Callback).from_start();
    block_on(feed.on(&name, all.clone(), callback.clone())).unwrap();
    at.events(&["a"]);
    pass(&feed);
    let wider = Subscription::new(["experiment.*"], Target::Callback).unwrap().from_start();
    let stored = block_on(feed.on(&name, wider, callback.clone())).unwrap();
    assert_eq!(stored.version, 2);
    at.events(&["b"]);
    pass(&feed);
    assert_eq!(*heard.lock().unwrap(), ["a", "b"]);

    block_on(feed.unsubscribe(&name)).unwrap();
    assert!(block_on(feed.subscriptions()).unwrap().is_empty());
    assert!(block_on(feed.deliver_once()).unwrap().subscriptions.is_empty());
    at.events(&["unheard"]);
    let fresh = experiments(Target::Callback);
    block_on(feed.on(&name, fresh, callback.clone())).unwrap();
    pass(&feed);
    assert_eq!(heard.lock().unwrap().len(), 2);
    block_on(feed.unsubscribe(&name)).unwrap();
    block_on(feed.on(&name, all, callback)).unwrap();
    pass(&feed);
    assert_eq!(*heard.lock().unwrap(), ["a", "b", "a", "b", "unheard"]);
}

#[test]
fn a_callback_of_another_program_waits_for_it() {
    let at = Fixture::new();
    let (heard, callback) = listener(&Arc::default());
    block_on(at.feed().on(&key("listener"), experiments(Target::Callback), callback.clone()))
        .unwrap();
    at.events(&["a"]);
    let other = at.feed();
    assert!(matches!(pass(&other), (0, State::Elsewhere)));
    let owner = at.feed();
    block_on(owner.on(&key("listener"), experiments(Target::Callback), callback)).unwrap();
    assert_eq!(pass(&owner).0, 1);
    assert_eq!(*heard.lock().unwrap(), ["a"]);
}

#[test]
fn what_blocks_one_subscription_leaves_the_others_alone() {
    let at = Fixture::new();
    let feed = at.feed();
    let (heard, callback) = listener(&Arc::default());
    block_on(feed.on(&key("b-listener"), experiments(Target::Callback), callback)).unwrap();
    let hook = Target::Webhook(Webhook::new("https://example.com/", "FORGOTTEN"));
    block_on(feed.subscribe(&key("a-hook"), experiments(hook))).unwrap();
    // Stored by somebody who did not ask the feed.
    let body = json!({"events": ["*"], "to": {"webhook": {"url": "http://[::1]/", "secret": "S"}}});
    block_on(at.store.put_document(PutDocument::new(key("subscription"), key("0-bad"), body)))
        .unwrap();
    at.events(&["a"]);
    for _ in 0..20 {
        let pass = block_on(feed.deliver_once()).unwrap();
        let said = |i: usize| match &pass.subscriptions[i].state {
            State::Blocked(error) => error.to_string(),
            state => panic!("{state:?}"),
        };
        assert!(said(0).contains("not a public one"), "{}", said(0));
        assert!(said(1).contains("secret is not known here (secret: FORGOTTEN)"), "{}", said(1));
        assert!(pass.subscriptions[1].parked.is_empty());
    }
    assert_eq!(*heard.lock().unwrap(), ["a"]);
}

#[test]
fn a_corrected_subscription_is_tried_at_once() {
    let at = Fixture::new();
    let feed = at.feed();
    let to = |program: &str| Target::Command(Command::new(program));
    block_on(feed.subscribe(&key("notify"), experiments(to("/nowhere/notify")))).unwrap();
    at.events(&["a"]);
    assert!(matches!(pass(&feed), (0, State::Waiting { attempts: 1, .. })));
    block_on(feed.subscribe(&key("notify"), experiments(to("/bin/sh")))).unwrap();
    // `sh` reads the message for a script; whatever it makes of it, this is a first attempt.
    let (_, state) = pass(&feed);
    assert!(matches!(state, State::Idle | State::Waiting { attempts: 1, .. }), "{state:?}");
}

#[cfg(unix)]
#[test]
fn a_command_reads_the_message_from_its_input() {
    let at = Fixture::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("message.json");
    let feed = at.feed();
    let copy = Command::new("/bin/sh").arg("-c").arg("cat > \"$0\"").arg(file.to_str().unwrap());
    block_on(feed.subscribe(&key("copy"), experiments(Target::Command(copy)))).unwrap();
    at.events(&["a"]);
    assert_eq!(pass(&feed).0, 1);
    let message: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(message["operation"], "experiment.create");
    assert_eq!(message["payload"]["name"], "a");
    assert_eq!(message["id"], format!("team/{}", block_on(at.store.last()).unwrap()));
}

#[test]
fn names_leave_room_and_on_takes_callbacks_only() {
    let at = Fixture::new();
    let long = key(&"x".repeat(201));
    let error = block_on(at.feed().subscribe(&long, experiments(Target::Callback))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let command = experiments(Target::Command(Command::new("/bin/true")));
    let error = block_on(at.feed().on(&key("x"), command, Arc::new(|_| Ok(())))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let missing = |name: &str| {
        let error = block_on(at.feed().unsubscribe(&key(name))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("no subscription has this name"), "{error}");
    };
    missing("never");
    block_on(at.feed().subscribe(&key("once"), experiments(Target::Callback))).unwrap();
    block_on(at.feed().unsubscribe(&key("once"))).unwrap();
    missing("once");
}

/// Does it as another thread would: a callback is called within the pass.
fn aside(work: &(impl Fn() + Sync)) {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap());
}

#[test]
fn what_follows_an_edit_is_for_the_edited_subscription() {
    let at = Fixture::new();
    let feed = at.feed();
    let heard = Arc::new(Mutex::new(Vec::new()));
    // The first delivery changes the subscription, as somebody else may at any moment, and what
    // comes behind it is wanted by the new patterns only.
    let (kept, other) = (heard.clone(), at.feed());
    let wider = Subscription::new(["experiment.*"], Target::Callback).unwrap();
    let (store, edit) = (at.store.clone(), wider.clone());
    let change = move || {
        block_on(other.subscribe(&key("listener"), edit.clone())).unwrap();
        let name = ExperimentName::new("b").unwrap();
        let made = block_on(store.create_experiment(&name, CreateExperiment::default())).unwrap();
        block_on(store.update_experiment(made.id, ExperimentChanges::delete())).unwrap();
    };
    let callback = move |event: &Event| {
        let mut kept = kept.lock().unwrap();
        kept.push(event.operation.clone());
        if kept.len() == 1 {
            aside(&change);
        }
        Ok(())
    };
    block_on(feed.on(&key("listener"), experiments(Target::Callback), Arc::new(callback))).unwrap();
    at.events(&["a"]);
    let (first, state) = pass(&feed);
    assert_eq!(first, 1);
    assert!(matches!(state, State::More), "{state:?}");
    assert!(matches!(pass(&feed), (2, State::Idle)));
    let all = ["experiment.create", "experiment.create", "experiment.update"];
    assert_eq!(*heard.lock().unwrap(), all);
}

#[test]
fn a_subscription_that_is_deleted_in_its_turn_hears_nothing_more() {
    let at = Fixture::new();
    let (feed, other) = (at.feed(), at.feed());
    let heard = Arc::new(Mutex::new(0));
    let kept = heard.clone();
    let callback = move |_: &Event| {
        *kept.lock().unwrap() += 1;
        aside(&|| block_on(other.unsubscribe(&key("listener"))).unwrap());
        Ok(())
    };
    block_on(feed.on(&key("listener"), experiments(Target::Callback), Arc::new(callback))).unwrap();
    at.events(&["a"]);
    assert!(matches!(pass(&feed).1, State::More));
    at.events(&["b"]);
    assert!(block_on(feed.deliver_once()).unwrap().subscriptions.is_empty());
    assert_eq!(*heard.lock().unwrap(), 1);
}

#[test]
fn replicas_that_start_together_subscribe_once_and_lose_nothing() {
    for _ in 0..20 {
        let at = Fixture::new();
        at.events(&["early"]);
        let start = std::sync::Barrier::new(4);
        let stored: Vec<u64> = std::thread::scope(|scope| {
            let replica = |index: usize| {
                let (at, start) = (&at, &start);
                move || {
                    let (_, callback) = listener(&Arc::default());
                    start.wait();
                    let subscription = experiments(Target::Callback);
                    let name = format!("other{index}");
                    at.events(&[&name]);
                    let (feed, name) = (at.feed(), key("listener"));
                    block_on(feed.on(&name, subscription, callback)).unwrap().version
                }
            };
            let threads: Vec<_> = (0..4).map(|index| scope.spawn(replica(index))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(stored, [1, 1, 1, 1]);
        at.events(&["late"]);
        let feed = at.feed();
        let (heard, callback) = listener(&Arc::default());
        block_on(feed.on(&key("listener"), experiments(Target::Callback), callback)).unwrap();
        pass(&feed);
        let heard = heard.lock().unwrap();
        assert!(heard.ends_with(&["late".to_owned()]) && !heard.contains(&"early".to_owned()));
    }
}

#[test]
fn one_of_two_different_subscriptions_at_the_same_moment_is_a_conflict_or_an_edit() {
    let at = Fixture::new();
    let one = block_on(at.feed().subscribe(&key("x"), experiments(Target::Callback))).unwrap();
    at.events(&["a"]);
    let again = block_on(at.feed().subscribe(&key("x"), experiments(Target::Callback))).unwrap();
    assert_eq!(one, again);
    let wider = Subscription::new(["*"], Target::Callback).unwrap();
    let edited = block_on(at.feed().subscribe(&key("x"), wider)).unwrap();
    assert_eq!((edited.version, edited.after), (2, one.after));
}

#[test]
fn a_document_that_begins_beyond_the_journal_breaks_no_pass() {
    let at = Fixture::new();
    let body = json!({"events": ["*"], "to": "callback", "after": 1_000_000});
    let change = PutDocument::new(key("subscription"), key("future"), body);
    block_on(at.store.put_document(change)).unwrap();
    assert!(matches!(pass(&at.feed()), (0, State::Idle)));
    let body = json!({"events": ["*"], "to": "callback", "after": "x"});
    let change = PutDocument::new(key("subscription"), key("future"), body);
    block_on(at.store.put_document(change)).unwrap();
    assert!(matches!(pass(&at.feed()), (0, State::Blocked(_))));
}
