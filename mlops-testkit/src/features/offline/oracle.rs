//! The rules of the point-in-time join in twenty lines: look at every row for every ask.
//!
//! Slow and obviously right. All instants are nanoseconds since 1970, so that no unit is lost, and
//! arithmetic is wider than they are. It shares no code with the library on purpose.

use mlops_core::features::{Boundary, KnownAt, RowStatus, Visibility};

/// One part of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// Null, which is equal to nothing.
    Null,
}

/// One row of a history; its place in the source is its place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: Vec<Part>,
    /// When its value became true, in nanoseconds since 1970.
    pub event_time: i64,
    /// When it became known, in nanoseconds since 1970, if that is known.
    pub created: Option<i64>,
    /// Its one feature.
    pub value: Option<i64>,
}

/// Who asks, of when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The key.
    pub key: Vec<Part>,
    /// The instant, in nanoseconds since 1970.
    pub time: i64,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What became of the ask.
    pub status: RowStatus,
    /// The feature; null unless a row was found.
    pub value: Option<i64>,
    /// The winner's event time in nanoseconds, if there is a winner, even one that is expired.
    pub event_time: Option<i64>,
    /// When the winner became known.
    pub created: Option<i64>,
}

/// What is answered to each ask.
pub fn oracle(rows: &[Row], asks: &[Ask], sight: Visibility, known_at: KnownAt) -> Vec<Answer> {
    let answer = |ask: &Ask| {
        let seen = |row: &Row| match sight.boundary {
            Boundary::Inclusive => row.event_time <= ask.time,
            Boundary::Strict => row.event_time < ask.time,
        };
        let known = |row: &Row| match (known_at, row.created) {
            (KnownAt::Now, _) => true,
            (KnownAt::EventTime, Some(created)) => created <= ask.time,
            (KnownAt::Instant(micros), Some(created)) => {
                i128::from(created) <= i128::from(micros) * 1_000
            }
            _ => false,
        };
        let same = |row: &Row| !row.key.contains(&Part::Null) && row.key == ask.key;
        let candidates =
            rows.iter().enumerate().filter(|(_, row)| same(row) && seen(row) && known(row));
        let winner = candidates.max_by_key(|(seq, row)| (row.event_time, row.created, *seq));
        let Some((_, row)) = winner else {
            let status = RowStatus::NotFound;
            return Answer { status, value: None, event_time: None, created: None };
        };
        let age = i128::from(ask.time) - i128::from(row.event_time);
        let expired = sight.ttl > 0 && age > i128::from(sight.ttl) * 1_000;
        Answer {
            status: if expired { RowStatus::Expired } else { RowStatus::Found },
            value: row.value.filter(|_| !expired),
            event_time: Some(row.event_time),
            created: row.created,
        }
    };
    asks.iter().map(answer).collect()
}
