//! What is delivered: one event as JSON.

use mlops_core::journal::{Event, canonical_bytes};
use mlops_core::lineage::Node;
use mlops_core::tracking::Digest;
use serde::Serialize;
use serde_json::{Value, json};

/// Longest payload, in bytes of its JSON text; of a longer one only size and digest are sent.
pub const MAX_PAYLOAD_BYTES: usize = 256 << 10;
/// Digits of a store's name that nobody gave: 48 bits tell the stores of a team apart.
const STORE_NAME_DIGITS: usize = 12;

/// How a store is called that nobody named: after the first row of its journal, which is never
/// changed.
pub(super) fn store_name(first: &Event) -> String {
    let mut bytes = Vec::new();
    let texts = [
        first.actor.as_str(),
        &first.operation,
        &first.node.to_string(),
        &first.payload.to_string(),
    ];
    canonical_bytes(first.sequence, first.at.timestamp_micros(), texts, &mut bytes);
    blake3::hash(&bytes).to_hex().chars().take(STORE_NAME_DIGITS).collect()
}

/// One event, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) sequence: u64,
    pub(super) operation: String,
    /// JSON.
    pub(super) body: String,
}

/// In the order in which a person wants to read it.
#[derive(Serialize)]
struct Body<'a> {
    id: String,
    sequence: u64,
    at: String,
    actor: &'a str,
    operation: &'a str,
    node: &'a Node,
    payload: &'a Value,
}

impl Message {
    /// The message of an event of the store called `store`.
    pub(super) fn new(store: &str, event: &Event) -> Self {
        let text = event.payload.to_string();
        let cut = (text.len() > MAX_PAYLOAD_BYTES).then(|| {
            let digest = Digest(*blake3::hash(text.as_bytes()).as_bytes());
            json!({ "truncated": true, "bytes": text.len(), "digest": digest })
        });
        let body = json!(Body {
            id: format!("{store}/{}", event.sequence),
            sequence: event.sequence,
            at: event.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            actor: event.actor.as_str(),
            operation: &event.operation,
            node: &event.node,
            payload: cut.as_ref().unwrap_or(&event.payload),
        });
        Self {
            sequence: event.sequence,
            operation: event.operation.clone(),
            body: body.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(payload: Value) -> Event {
        serde_json::from_value(json!({
            "sequence": 7, "at": "2024-03-03T14:00:00.5Z", "actor": "ann@laptop",
            "operation": "version.promote", "node": "model_version:churn/3", "payload": payload,
        }))
        .unwrap()
    }

    #[test]
    fn a_message_says_what_the_journal_says() {
        let message = Message::new("team", &event(json!({"to": "Production"})));
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(
            body,
            json!({
                "id": "team/7", "sequence": 7, "at": "2024-03-03T14:00:00.500000Z",
                "actor": "ann@laptop", "operation": "version.promote",
                "node": "model_version:churn/3", "payload": {"to": "Production"},
            })
        );
    }

    #[test]
    fn a_payload_that_is_too_large_is_named_by_its_digest() {
        let payload = json!({ "note": "x".repeat(MAX_PAYLOAD_BYTES) });
        let digest = blake3::hash(payload.to_string().as_bytes()).to_string();
        let message = Message::new("team", &event(payload));
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(body["payload"]["truncated"], json!(true));
        assert_eq!(body["payload"]["digest"], json!(digest));
        assert!(message.body.len() < 1_000);
    }
}
