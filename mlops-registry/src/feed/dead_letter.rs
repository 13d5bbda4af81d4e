//! [`Undelivered`]: an event that a subscriber did not take, parked so that the next ones can go
//! on.
//!
//! Order is kept within a subscription, so an event that is never taken would block all later ones.
//! After [`FeedOptions::max_attempts`](super::FeedOptions) it is written down here (which is itself
//! in the journal), and only then passed over: what is parked can be listed and delivered again.
//! The event itself stays where it always is, in the journal.

use mlops_core::journal::Event;
use mlops_core::lineage::{Node, NodeKind};
use mlops_core::registry::Document;
use mlops_core::{Error, Key, Result};
use serde::{Deserialize, Serialize};

/// The kind of the documents; their names are `<subscription>-<sequence>`.
pub const UNDELIVERED_KIND: &str = "undelivered";

/// An event that was given up for a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Undelivered {
    /// For whom it was.
    pub subscription: Key,
    /// Its number in the journal.
    pub sequence: u64,
    /// What was done.
    pub operation: String,
    /// To what.
    pub node: Node,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: String,
}

impl Undelivered {
    pub(super) fn read(document: &Document) -> Result<Self> {
        let body = document.body.clone().unwrap_or_default();
        serde_json::from_value(body).map_err(|e| {
            Error::corrupt("feed.undelivered", "the document is no parked event")
                .with("name", &document.name)
                .with("cause", e)
        })
    }
}

/// The name of the document.
pub(super) fn name(subscription: &Key, sequence: u64) -> Result<Key> {
    Key::new(format!("{subscription}-{sequence}"))
}

/// Whether an event is the writing or deleting of such a document.
pub(super) fn is_about(event: &Event) -> bool {
    let kind = event.node.id.split_once('/').map(|(kind, _)| kind);
    event.node.kind == NodeKind::Document && kind == Some(UNDELIVERED_KIND)
}
