//! Passing over the event that a subscription is stuck at, by somebody's decision.
//!
//! Attempts are counted in memory, so where each delivery is a process of its own (a pipeline's
//! step) nothing is ever given up by itself. The number says which event was meant: a person who
//! looked a minute ago must not pass over another one.

use mlops_core::journal::Event;
use mlops_core::{Error, ErrorKind, Key, Result};

use super::dead_letter::Undelivered;
use super::pass::{BATCH, is_edit};
use super::subscription::Subscribed;
use super::{Feed, SUBSCRIPTION_KIND, kind, lock};

impl Feed {
    /// Parks the event that is the next one for a subscription, which goes on behind it.
    /// [`redeliver`](Self::redeliver) delivers it later.
    ///
    /// # Errors
    /// `NotFound` if there is no such subscription, or nothing to deliver to it; `Conflict` if
    /// another event is the next one, or another process delivers at this moment; those of the
    /// store: nothing is passed over that could not be written down.
    pub async fn skip(&self, name: &Key, sequence: u64) -> Result<Undelivered> {
        let error = |kind, message: &'static str| {
            Error::new(kind, "feed.skip", message)
                .with("subscription", name)
                .with("sequence", sequence)
        };
        let document = self.0.catalog.document(&kind(SUBSCRIPTION_KIND)?, name).await?;
        let document =
            document.ok_or_else(|| error(ErrorKind::NotFound, "no subscription has this name"))?;
        let subscribed = Subscribed::read(&document)?;
        let mut cursor = self.cursor(&document, &subscribed).await?;
        let mut next: Option<Event> = None;
        while next.is_none() {
            let events = self.0.journal.events(cursor.seen, BATCH).await?;
            let Some(last) = events.last().map(|event| event.sequence) else {
                return Err(error(ErrorKind::NotFound, "nothing is to be delivered to it"));
            };
            if events.iter().any(|event| is_edit(event, &document)) {
                return Err(error(ErrorKind::Conflict, "the subscription changed meanwhile"));
            }
            next = events.into_iter().find(|event| subscribed.subscription.wants(event));
            cursor.seen = last;
        }
        let Some(event) = next.filter(|event| event.sequence == sequence) else {
            return Err(error(ErrorKind::Conflict, "this is not the event that is next")
                .with_hint("`deliver` says at which event a subscription waits"));
        };
        let wait = lock(&self.0.waits).get(name).filter(|wait| wait.sequence == sequence).cloned();
        let (attempts, said) = wait.map_or((0, None), |wait| (wait.attempts, Some(wait.error)));
        let parked = Undelivered {
            subscription: name.clone(),
            sequence,
            operation: event.operation,
            node: event.node,
            attempts,
            error: said.map_or("skipped".to_owned(), |said| format!("skipped; {said}")),
        };
        self.park(&parked).await?;
        cursor.seen = sequence;
        self.advance(&mut cursor).await?;
        lock(&self.0.waits).remove(name);
        Ok(parked)
    }
}
