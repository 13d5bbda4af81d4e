//! One pass: each subscription gets what is due.

use mlops_core::journal::Event;
use mlops_core::lineage::{Node, NodeKind};
use mlops_core::registry::{Document, PutDocument};
use mlops_core::time::Instant;
use mlops_core::{Error, ErrorKind, Key, Result};

use super::attempt::{Attempt, Failure};
use super::dead_letter::{self, UNDELIVERED_KIND, Undelivered};
use super::subscription::Subscribed;
use super::{Feed, SUBSCRIPTION_KIND, Wait, kind, lock, reader};
use crate::blocking::off_thread;

/// How many events are read at once.
pub(super) const BATCH: usize = 128;

/// What a pass did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Delivered {
    /// Each subscription, by name.
    pub subscriptions: Vec<Progress>,
}

impl Delivered {
    /// How many events were delivered, to all subscriptions together.
    pub fn delivered(&self) -> u64 {
        self.subscriptions.iter().map(|progress| progress.delivered).sum()
    }

    /// When the next retry is due; `None` if nothing waits.
    pub fn next(&self) -> Option<Instant> {
        let waits = self.subscriptions.iter().filter_map(|progress| match progress.state {
            State::Waiting { until, .. } => Some(until),
            _ => None,
        });
        waits.min()
    }

    /// Whether a subscription has more that could be delivered at once.
    pub fn has_more(&self) -> bool {
        self.subscriptions.iter().any(|progress| matches!(progress.state, State::More))
    }
}

/// What a pass did for one subscription.
#[derive(Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Its name.
    pub name: Key,
    /// How many events it took.
    pub delivered: u64,
    /// The numbers of the events that were given up.
    pub parked: Vec<u64>,
    /// The number of the last event that it is done with, of its own or not.
    pub position: u64,
    /// Where it stands now.
    pub state: State,
}

/// Where a subscription stands after a pass.
#[derive(Debug)]
#[non_exhaustive]
pub enum State {
    /// It had everything.
    Idle,
    /// Its turn was over before it had everything.
    More,
    /// An event was not taken, and is tried again.
    Waiting {
        /// The event.
        sequence: u64,
        /// How often it was tried.
        attempts: u32,
        /// Not before this instant.
        until: Instant,
        /// Why the last attempt failed.
        error: String,
    },
    /// Somebody has to correct something: a secret that is missing, an address that is not allowed,
    /// a document that is no subscription. Nothing is given up meanwhile.
    Blocked(Error),
    /// Its callback belongs to another program.
    Elsewhere,
}

impl Feed {
    /// Delivers to each subscription what is due, at most [`FeedOptions::turn`](super::FeedOptions)
    /// events each, and returns when all had their turn.
    ///
    /// A failed delivery is a [`State`], no error; the others go on.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn deliver_once(&self) -> Result<Delivered> {
        let documents = self.documents().await?;
        lock(&self.0.waits).retain(|name, _| documents.iter().any(|there| there.name == *name));
        let mut subscriptions = Vec::new();
        for document in documents {
            let mut progress = Progress {
                name: document.name.clone(),
                delivered: 0,
                parked: Vec::new(),
                position: 0,
                state: State::Idle,
            };
            progress.state = match Subscribed::read(&document) {
                Ok(subscribed) => self.turn(&document, &subscribed, &mut progress).await?,
                Err(error) => State::Blocked(error),
            };
            subscriptions.push(progress);
        }
        Ok(Delivered { subscriptions })
    }

    /// Delivers a parked event, and forgets that it was parked.
    ///
    /// # Errors
    /// `NotFound` if no such event is parked, or the subscription is gone; why it failed, if it
    /// did.
    pub async fn redeliver(&self, name: &Key, sequence: u64) -> Result<()> {
        let missing = |message: &'static str| {
            Error::not_found("feed.redeliver", message)
                .with("subscription", name)
                .with("sequence", sequence)
        };
        let parked = (kind(UNDELIVERED_KIND)?, dead_letter::name(name, sequence)?);
        if self.0.catalog.document(&parked.0, &parked.1).await?.is_none() {
            return Err(missing("no such event is parked"));
        }
        let document = self.0.catalog.document(&kind(SUBSCRIPTION_KIND)?, name).await?;
        let document = document.ok_or_else(|| missing("the subscription is gone"))?;
        let subscribed = Subscribed::read(&document)?;
        let found = self.0.journal.events(sequence.saturating_sub(1), 1).await?;
        let event = found.into_iter().find(|event| event.sequence == sequence);
        let event = event.ok_or_else(|| missing("the journal has no such event"))?;
        match self.attempt(&subscribed, self.store().await?, event).await {
            Ok(true) => {}
            Ok(false) => return Err(missing("the callback belongs to another program")),
            Err(Failure::Refused { error, .. } | Failure::Blocked(error)) => return Err(error),
        }
        self.0.catalog.put_document(PutDocument::delete(parked.0, parked.1)).await.map(drop)
    }

    /// One subscription's turn.
    async fn turn(
        &self,
        document: &Document,
        subscribed: &Subscribed,
        progress: &mut Progress,
    ) -> Result<State> {
        let mut cursor = self.cursor(document, subscribed).await?;
        let state = self.go_on(document, subscribed, &mut cursor, progress).await;
        progress.position = cursor.position;
        match state {
            // Another process delivers too; it is where we would be. The next pass reads its
            // position.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(State::More),
            state => state,
        }
    }

    async fn go_on(
        &self,
        document: &Document,
        subscribed: &Subscribed,
        cursor: &mut Cursor,
        progress: &mut Progress,
    ) -> Result<State> {
        loop {
            let events = self.0.journal.events(cursor.seen, BATCH).await?;
            if events.is_empty() {
                self.advance(cursor).await?;
                return Ok(State::Idle);
            }
            for event in events {
                let sequence = event.sequence;
                if is_edit(&event, document) {
                    // What comes now is for the subscription as it became; the next turn reads it.
                    self.advance(cursor).await?;
                    return Ok(State::More);
                }
                if !subscribed.subscription.wants(&event) {
                    cursor.seen = sequence;
                    continue;
                }
                if let Some(wait) = self.waits_at(subscribed, sequence) {
                    self.advance(cursor).await?;
                    return Ok(wait.into());
                }
                if progress.delivered + progress.parked.len() as u64
                    >= self.0.options.turn.max(1) as u64
                {
                    self.advance(cursor).await?;
                    return Ok(State::More);
                }
                let parkable = (event.operation.clone(), event.node.clone());
                match self.attempt(subscribed, self.store().await?, event).await {
                    Ok(true) => progress.delivered += 1,
                    Ok(false) => {
                        self.advance(cursor).await?;
                        return Ok(State::Elsewhere);
                    }
                    Err(Failure::Blocked(error)) => {
                        self.advance(cursor).await?;
                        return Ok(State::Blocked(error));
                    }
                    Err(Failure::Refused { error, after }) => {
                        let wait = self.failed(subscribed, sequence, &error, after);
                        if wait.attempts < self.0.options.max_attempts {
                            self.advance(cursor).await?;
                            return Ok(wait.into());
                        }
                        let note = wait.note(&subscribed.name, parkable);
                        match self.park(&note).await {
                            Ok(()) => progress.parked.push(sequence),
                            Err(error) if error.kind() == ErrorKind::Unavailable => {
                                return Err(error);
                            }
                            // Whoever runs the feed may not write it down, so nothing is passed
                            // over; the others go on.
                            Err(error) => {
                                self.advance(cursor).await?;
                                if let Some(wait) = lock(&self.0.waits).get_mut(&subscribed.name) {
                                    wait.error = error.to_string();
                                }
                                return Ok(State::Blocked(error));
                            }
                        }
                    }
                }
                cursor.seen = sequence;
                self.advance(cursor).await?;
                lock(&self.0.waits).remove(&subscribed.name);
            }
        }
    }

    /// Tries once; `false` if the callback is another program's.
    async fn attempt(
        &self,
        subscribed: &Subscribed,
        store: &str,
        event: Event,
    ) -> Result<bool, Failure> {
        let (name, target) = (&subscribed.name, &subscribed.subscription.to);
        let Some(attempt) = Attempt::prepare(&self.0, name, target, store, event)? else {
            return Ok(false);
        };
        let stopped = |e| {
            let message = "the attempt was stopped before its end";
            Failure::refused(Error::unavailable("feed.deliver", message).with_source(e))
        };
        off_thread(move || attempt.run()).await.map_err(stopped)?.map(|()| true)
    }

    pub(super) async fn cursor(
        &self,
        document: &Document,
        subscribed: &Subscribed,
    ) -> Result<Cursor> {
        let mut born = 1;
        if document.version > 1 {
            let history = self.0.catalog.document_history(&document.kind, &document.name).await?;
            // It may be gone and back since it was read: that is another reader's story.
            let before = history.iter().rev().filter(|other| other.version < document.version);
            let deleted = before.into_iter().find(|earlier| earlier.body.is_none());
            born = deleted.map_or(0, |deletion| deletion.version) + 1;
        }
        let reader = reader(&document.name, born)?;
        let position = self.0.journal.position(&reader).await?;
        let mut seen = position;
        if position < subscribed.after {
            // Anybody may store a document, also one that begins where the journal is not yet.
            seen = position.max(subscribed.after.min(self.0.journal.last().await?));
        }
        Ok(Cursor { reader, position, seen })
    }

    /// Stores how far a subscription has come. What was delivered before, and is not stored because
    /// this fails, is delivered again.
    pub(super) async fn advance(&self, cursor: &mut Cursor) -> Result<()> {
        if cursor.seen > cursor.position {
            self.0.journal.advance(&cursor.reader, cursor.position, cursor.seen).await?;
            cursor.position = cursor.seen;
        }
        Ok(())
    }

    /// The wait of this event, if it is not over.
    fn waits_at(&self, subscribed: &Subscribed, sequence: u64) -> Option<Wait> {
        let now = self.0.clock.now();
        let waits = lock(&self.0.waits);
        waits
            .get(&subscribed.name)
            .filter(|wait| wait.version == subscribed.version && wait.sequence == sequence)
            .filter(|wait| !self.0.options.is_due(wait.until, now))
            .cloned()
    }

    /// Notes a failed attempt.
    fn failed(
        &self,
        subscribed: &Subscribed,
        sequence: u64,
        error: &Error,
        after: Option<std::time::Duration>,
    ) -> Wait {
        let now = self.0.clock.now();
        let mut waits = lock(&self.0.waits);
        let earlier = waits
            .get(&subscribed.name)
            .filter(|wait| wait.version == subscribed.version && wait.sequence == sequence);
        let attempts = earlier.map_or(0, |wait| wait.attempts).saturating_add(1);
        let delay = self.0.options.delay(attempts, after);
        let delay = chrono::TimeDelta::from_std(delay).unwrap_or(chrono::TimeDelta::MAX);
        let wait = Wait {
            version: subscribed.version,
            sequence,
            attempts,
            until: now.checked_add_signed(delay).unwrap_or(Instant::MAX_UTC),
            error: error.to_string(),
        };
        waits.insert(subscribed.name.clone(), wait.clone());
        wait
    }

    /// Writes down that an event was given up; only then its subscription goes on.
    pub(super) async fn park(&self, parked: &Undelivered) -> Result<()> {
        let name = dead_letter::name(&parked.subscription, parked.sequence)?;
        let body = serde_json::to_value(parked).map_err(|e| {
            Error::new(ErrorKind::Internal, "feed.park", "cannot be written").with_source(e)
        })?;
        let change = PutDocument::new(kind(UNDELIVERED_KIND)?, name, body);
        self.0.catalog.put_document(change).await.map(drop)
    }
}

/// Whether an event is a later change of the subscription than the one that is known.
pub(super) fn is_edit(event: &Event, known: &Document) -> bool {
    let node = &event.node;
    let (kind, name) = node.id.split_once('/').unwrap_or_default();
    node.kind == NodeKind::Document
        && kind == known.kind.as_str()
        && name == known.name.as_str()
        && event.payload["version"].as_u64().is_some_and(|version| version > known.version)
}

impl Wait {
    /// What is written down when the attempts are used up.
    fn note(self, name: &Key, (operation, node): (String, Node)) -> Undelivered {
        let Self { sequence, attempts, error, .. } = self;
        Undelivered { subscription: name.clone(), sequence, operation, node, attempts, error }
    }
}

/// Where a subscription is in the journal.
pub(super) struct Cursor {
    reader: Key,
    /// As it is stored.
    position: u64,
    /// The last event that was dealt with.
    pub(super) seen: u64,
}

impl From<Wait> for State {
    fn from(wait: Wait) -> Self {
        let Wait { sequence, attempts, until, error, .. } = wait;
        Self::Waiting { sequence, attempts, until, error }
    }
}
