//! Subscriptions come, change, go and come back.

use mlops_core::registry::{Catalog, PutDocument};
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
    let error = block_on(at.feed().unsubscribe(&key("never"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
