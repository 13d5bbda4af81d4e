//! Page tokens: the order values of the last row that was returned, and of which query.
//!
//! A token is a position, not an offset, so rows that others add or remove do not shift it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mlops_core::tracking::PageToken;
use mlops_core::{Error, ExperimentId, RunId};
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::fail::Outcome;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The hash of the query.
    q: u64,
    at: Position,
}

#[derive(Debug, Serialize, Deserialize)]
enum Position {
    Experiment { newest: i64, name: String, id: ExperimentId },
    Run(RunPosition),
    Record(RecordPosition),
}

/// The last run that was returned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RunPosition {
    /// Runs made after the first page have a greater row number.
    pub(super) newest: i64,
    /// Its value of each key of the order.
    pub(super) values: Vec<OrderValue>,
    pub(super) started: i64,
    pub(super) id: RunId,
}

/// The last model or version that was returned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RecordPosition {
    /// What was made after the first page has a greater row number.
    pub(super) newest: i64,
    /// Its value of each key of the order, and of what follows to make the order whole.
    pub(super) values: Vec<OrderValue>,
}

/// A value of an order; numbers as bits, because JSON rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum OrderValue {
    Missing,
    Integer(i64),
    Real(u64),
    Text(String),
}

impl OrderValue {
    pub(super) fn sql(&self) -> Value {
        match self {
            Self::Missing => Value::Null,
            Self::Integer(number) => Value::Integer(*number),
            Self::Real(bits) => Value::Real(f64::from_bits(*bits)),
            Self::Text(text) => Value::Text(text.clone()),
        }
    }
}

impl From<Value> for OrderValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Null | Value::Blob(_) => Self::Missing,
            Value::Integer(number) => Self::Integer(number),
            Value::Real(number) => Self::Real(number.to_bits()),
            Value::Text(text) => Self::Text(text),
        }
    }
}

impl Cursor {
    pub(super) fn after_experiment(newest: i64, name: &str, id: ExperimentId) -> Self {
        Self { q: 0, at: Position::Experiment { newest, name: name.to_owned(), id } }
    }

    pub(super) fn after_run(position: RunPosition) -> Self {
        Self { q: 0, at: Position::Run(position) }
    }

    pub(super) fn after_record(position: RecordPosition) -> Self {
        Self { q: 0, at: Position::Record(position) }
    }

    pub(super) fn experiment(self) -> Option<(i64, String, ExperimentId)> {
        match self.at {
            Position::Experiment { newest, name, id } => Some((newest, name, id)),
            _ => None,
        }
    }

    pub(super) fn run(self) -> Option<RunPosition> {
        match self.at {
            Position::Run(position) => Some(position),
            _ => None,
        }
    }

    pub(super) fn record(self) -> Option<RecordPosition> {
        match self.at {
            Position::Record(position) => Some(position),
            _ => None,
        }
    }

    /// The token for the query that `identity` describes.
    pub(super) fn close(mut self, identity: &str) -> PageToken {
        self.q = xxh3_64(identity.as_bytes());
        // Plain data without maps or floats: this cannot fail.
        PageToken(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&self).unwrap_or_default()))
    }

    /// The position that a token stands for.
    pub(super) fn open(
        token: Option<&PageToken>,
        identity: &str,
        op: &'static str,
    ) -> Outcome<Option<Self>> {
        let Some(PageToken(token)) = token else { return Ok(None) };
        let invalid = || Error::invalid(op, "the page token is not one that this store made");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|e| invalid().with_source(e))?;
        let cursor: Self = serde_json::from_slice(&bytes).map_err(|e| invalid().with_source(e))?;
        if cursor.q == xxh3_64(identity.as_bytes()) {
            return Ok(Some(cursor));
        }
        Err(Error::invalid(op, "the page token is of another query")
            .with_hint("repeat filter, order, view and experiments unchanged; limit may change")
            .into())
    }
}
