//! A journal that forgets.

use std::sync::Arc;

use async_trait::async_trait;
use mlops_core::journal::{Event, Journal, JournalProof};
use mlops_core::{Key, Result};
use serde_json::json;

use super::Sin;

/// Hides rows if that is the sin, and is honest otherwise.
#[derive(Debug)]
pub(super) struct Forgetful {
    sin: Sin,
    inner: Arc<dyn Journal>,
}

impl Forgetful {
    pub(super) fn new(sin: Sin, inner: Arc<dyn Journal>) -> Self {
        Self { sin, inner }
    }

    fn forgets(&self, event: &Event) -> bool {
        let fields = event.payload.as_object().map_or(0, serde_json::Map::len);
        self.sin == Sin::ForgetsRows && fields == 1 && event.payload.get("inputs").is_some()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Journal for Forgetful {
    /// Renumbers what is left, as if the forgotten rows had never been written.
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>> {
        let mut events = self.inner.events(0, usize::MAX >> 1).await?;
        events.retain(|event| !self.forgets(event));
        for (event, number) in events.iter_mut().zip(1..) {
            event.sequence = number;
            if self.sin == Sin::ForgetsEvidence && event.payload.get("gates").is_some() {
                event.payload["gates"] = json!([]);
            }
        }
        Ok(events.into_iter().filter(|event| event.sequence > after).take(limit).collect())
    }

    async fn last(&self) -> Result<u64> {
        Ok(self.events(0, usize::MAX >> 1).await?.len() as u64)
    }

    async fn position(&self, reader: &Key) -> Result<u64> {
        let position = self.inner.position(reader).await?;
        Ok(if self.sin == Sin::ForgetsReaders { 0 } else { position })
    }

    async fn advance(&self, reader: &Key, from: u64, to: u64) -> Result<()> {
        self.inner.advance(reader, from, to).await
    }

    async fn seal(&self) -> Result<JournalProof> {
        self.inner.seal().await
    }

    async fn verify(&self) -> Result<JournalProof> {
        self.inner.verify().await
    }
}
