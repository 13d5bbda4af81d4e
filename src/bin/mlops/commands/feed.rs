//! `mlops feed …`: changes of the store, told to those who asked for it.
//!
//! Secrets are named by subscriptions, and their values are read here, from the environment, at the
//! moment of a delivery: the library itself never looks there.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use mlops::feed::{
    Delivered, Feed as Deliveries, FeedOptions, Progress, Secrets, State, Subscribed, Subscription,
    Target,
};
use mlops::models::from_text;
use mlops::time::SystemClock;
use mlops::{Error, ErrorKind, Key, ModelName, Models};
use serde_json::{Value, json};

use super::models::read_as;
use crate::args::Feed;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, right, table};
use crate::secrets;

const LONGEST_NAME: usize = 28;
const LONGEST_TEXT: usize = 60;

pub(crate) async fn run(
    models: &Models,
    command: Feed,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        Feed::Subscriptions { show_urls } => {
            list(&feed(models, None).subscriptions().await?, show_urls, output)
        }
        Feed::Subscribe { name, file } => {
            let subscription = subscription(&file)?;
            let stored = feed(models, None).subscribe(&Key::new(name)?, subscription).await?;
            if output.is_json() {
                return output.document(&document(&stored, false));
            }
            let name = format::text(&stored.name, LONGEST_NAME);
            output.line(format!("subscribed {name} (version {})", stored.version))
        }
        Feed::Unsubscribe { name } => {
            feed(models, None).unsubscribe(&Key::new(&name)?).await?;
            if output.is_json() {
                return output.document(&json!({ "name": name, "subscribed": false }));
            }
            output.line(format!("unsubscribed {}", format::text(&name, LONGEST_NAME)))
        }
        Feed::Deliver { store_name } => deliver(&feed(models, store_name), output).await,
        Feed::Watch { store_name, every } => {
            let every = every.to_std().unwrap_or_default();
            watch(&feed(models, store_name), every, output)
        }
        Feed::Skip { name, number } => {
            let skipped = feed(models, None).skip(&Key::new(name)?, number).await?;
            if output.is_json() {
                return output.document(&json!(skipped));
            }
            let name = format::text(&skipped.subscription, LONGEST_NAME);
            output.line(format!("skipped {number} ({}) for {name}", skipped.operation))
        }
        Feed::Undelivered => undelivered(&feed(models, None), output).await,
        Feed::Redeliver { name, number } => {
            feed(models, None).redeliver(&Key::new(&name)?, number).await?;
            if output.is_json() {
                return output.document(&json!({ "name": name, "sequence": number }));
            }
            output.line(format!("delivered {number} to {}", format::text(&name, LONGEST_NAME)))
        }
    }
}

fn feed(models: &Models, store_name: Option<String>) -> Deliveries {
    let secrets: Secrets = Arc::new(|name| secrets::variable(name).ok());
    let mut options = FeedOptions::default();
    if let Some(name) = store_name {
        options = options.with_store(name);
    }
    let journal = Arc::clone(models.tracking().journal());
    let catalog = Arc::clone(models.catalog());
    Deliveries::with_options(journal, catalog, Arc::new(SystemClock), secrets, options)
}

fn subscription(file: &Path) -> Result<Subscription, Failure> {
    let subscription: Subscription = read_as(file, |text| from_text("feed.subscription", text))?;
    if subscription.to == Target::Callback {
        return Err(Error::invalid(COMMAND, "a callback is a function of a program")
            .with_hint("a program subscribes itself; from here, name a webhook or a command")
            .into());
    }
    Ok(subscription)
}

fn list(subscribed: &[Subscribed], show_urls: bool, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        let mut array = output.array()?;
        for one in subscribed {
            array.push(&document(one, show_urls))?;
        }
        return array.end();
    }
    let mut shown = table(["name", "events", "models", "to"]);
    for Subscribed { name, subscription, .. } in subscribed {
        let events: Vec<String> = subscription.events.iter().map(ToString::to_string).collect();
        let models: Vec<&str> = subscription.models.iter().map(ModelName::as_str).collect();
        let models = if models.is_empty() { "all".to_owned() } else { models.join(", ") };
        let to = match &subscription.to {
            Target::Webhook(hook) if show_urls => hook.url.clone(),
            Target::Webhook(hook) => hook.shown_url(),
            Target::Command(command) => command.program.clone(),
            _ => "a program's function".to_owned(),
        };
        shown.add_row([
            format::text(name, LONGEST_NAME),
            format::text(&events.join(", "), LONGEST_TEXT),
            format::text(&models, LONGEST_NAME),
            if show_urls { format::text(&to, usize::MAX) } else { format::text(&to, LONGEST_TEXT) },
        ]);
    }
    output.table(shown)?;
    if subscribed.is_empty() {
        output.note("nobody has subscribed", None)?;
    }
    Ok(())
}

/// The path of a webhook's URL is shown only to those who ask for it: with many receivers it is all
/// that keeps strangers out.
fn document(one: &Subscribed, show_urls: bool) -> Value {
    let mut shown = json!(one.subscription);
    if let (Target::Webhook(hook), false) = (&one.subscription.to, show_urls) {
        shown["to"]["webhook"]["url"] = hook.shown_url().into();
    }
    json!({ "name": one.name, "version": one.version, "after": one.after, "subscription": shown })
}

/// Delivers until nothing more can be delivered at once.
async fn deliver(feed: &Deliveries, output: &mut Output) -> Result<(), Failure> {
    let mut last = feed.deliver_once().await?;
    let mut earlier: Vec<Progress> = Vec::new();
    while last.has_more() {
        earlier.append(&mut last.subscriptions);
        last = feed.deliver_once().await?;
    }
    for now in &mut last.subscriptions {
        for before in earlier.iter().filter(|before| before.name == now.name) {
            now.delivered += before.delivered;
            now.parked.extend(&before.parked);
        }
    }
    if output.is_json() {
        let all: Vec<Value> = last.subscriptions.iter().map(progress).collect();
        output.document(&json!({ "delivered": last.delivered(), "subscriptions": all }))?;
    } else {
        say(&last, output)?;
    }
    output.flush()?;
    stuck(last)
}

/// Delivers until it is interrupted: whatever is on its way then comes again, since a subscription's
/// position moves only after the delivery.
fn watch(
    feed: &Deliveries,
    every: std::time::Duration,
    output: &mut Output,
) -> Result<(), Failure> {
    let (sender, passes) = mpsc::channel();
    let report = move |pass| {
        // Nobody listens any more once the command ends.
        let _ = sender.send(pass);
    };
    let _handle = feed.watch(every, report)?;
    for pass in passes {
        let pass: Delivered = match pass {
            Ok(pass) => pass,
            Err(error) if passes_by(&error) => {
                output.flush()?;
                // Only what it prints: this is not the end.
                let _ = Failure::from(error).report(output.is_json());
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let quiet = |p: &Progress| {
            p.delivered == 0
                && p.parked.is_empty()
                && matches!(p.state, State::Idle | State::Elsewhere)
        };
        for one in pass.subscriptions.iter().filter(|one| !quiet(one)) {
            if output.is_json() {
                output.line(progress(one))?;
            } else {
                let name = format::text(&one.name, LONGEST_NAME);
                let delivered = format::count(one.delivered, "event");
                output.line(format!("{name}: {delivered} delivered, {}", state(one)))?;
            }
        }
        output.flush()?;
    }
    Ok(())
}

/// Whether the next pass may succeed by itself: the store is busy, or somebody changed something.
fn passes_by(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict)
}

fn say(pass: &Delivered, output: &mut Output) -> Result<(), Failure> {
    let mut shown = table(["name", "delivered", "given up", "up to", "state"]);
    for one in &pass.subscriptions {
        shown.add_row([
            format::text(&one.name, LONGEST_NAME),
            one.delivered.to_string(),
            one.parked.len().to_string(),
            one.position.to_string(),
            state(one),
        ]);
    }
    right(&mut shown, [1, 2, 3]);
    output.table(shown)?;
    if pass.subscriptions.is_empty() {
        output.note("nobody has subscribed", None)?;
    }
    Ok(())
}

fn state(one: &Progress) -> String {
    match &one.state {
        State::Idle => "has everything".to_owned(),
        State::More => "has more to come".to_owned(),
        State::Waiting { sequence, error, .. } => {
            format!("waits with {sequence}: {}", format::text(error, 200))
        }
        State::Blocked(error) => format!("blocked: {}", format::text(&error.to_string(), 200)),
        _ => "belongs to another program".to_owned(),
    }
}

fn progress(one: &Progress) -> Value {
    let mut value = json!({
        "name": one.name,
        "delivered": one.delivered,
        "given_up": one.parked,
        "position": one.position,
    });
    value["state"] = match &one.state {
        State::Idle => "idle".into(),
        State::More => "more".into(),
        State::Waiting { sequence, attempts, until, error } => {
            value["waiting"] = json!({ "sequence": sequence, "attempts": attempts, "until": until, "error": error });
            "waiting".into()
        }
        State::Blocked(error) => {
            value["blocked"] = error.to_string().into();
            "blocked".into()
        }
        _ => "elsewhere".into(),
    };
    value
}

/// Fails if a subscription did not get everything: first where somebody has to correct something.
fn stuck(pass: Delivered) -> Result<(), Failure> {
    let mut waiting = None;
    for one in pass.subscriptions {
        match one.state {
            State::Blocked(error) => return Err(error.with("subscription", one.name).into()),
            State::Waiting { sequence, error, .. } if waiting.is_none() => {
                waiting = Some(
                    Error::new(
                        ErrorKind::Unavailable,
                        COMMAND,
                        "a subscriber did not take an event",
                    )
                    .with("subscription", one.name)
                    .with("event", sequence)
                    .with("cause", format::text(&error, 400))
                    .with_hint(
                        "it comes again with the next delivery; `mlops feed skip` gives it up",
                    ),
                );
            }
            _ => {}
        }
    }
    waiting.map_or(Ok(()), |error| Err(error.into()))
}

async fn undelivered(feed: &Deliveries, output: &mut Output) -> Result<(), Failure> {
    let parked = feed.undelivered().await?;
    if output.is_json() {
        let mut array = output.array()?;
        for one in &parked {
            array.push(&json!(one))?;
        }
        return array.end();
    }
    let mut shown = table(["subscription", "number", "operation", "on", "attempts", "error"]);
    for one in &parked {
        shown.add_row([
            format::text(&one.subscription, LONGEST_NAME),
            one.sequence.to_string(),
            one.operation.clone(),
            format::text(&one.node.to_string(), LONGEST_NAME),
            one.attempts.to_string(),
            format::text(&one.error, LONGEST_TEXT),
        ]);
    }
    right(&mut shown, [1, 4]);
    output.table(shown)?;
    if parked.is_empty() {
        output.note("nothing was given up", None)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_outlasts_a_store_that_is_busy_and_nothing_that_stays() {
        for (kind, outlasts) in [
            (ErrorKind::Unavailable, true),
            (ErrorKind::Conflict, true),
            (ErrorKind::Corrupt, false),
            (ErrorKind::Denied, false),
            (ErrorKind::NotFound, false),
        ] {
            assert_eq!(passes_by(&Error::new(kind, "test", "x")), outlasts, "{kind:?}");
        }
    }
}
