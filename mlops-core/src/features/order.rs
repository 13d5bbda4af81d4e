//! The order of writes, and what can be seen at an instant: the two rules that offline and online share.

use serde::{Deserialize, Serialize};

use super::types::Span;

/// Which of two writes of one key is the greater one; the greatest visible one wins.
///
/// By event time, then by the time when the row was made known, then by its place in the log. Whatever
/// order writes arrive in, the greatest of them is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteOrder {
    /// When the values became true, in microseconds since 1970.
    pub event_time: i64,
    /// When they became known, in microseconds since 1970; [`WriteOrder::UNKNOWN`] if the source does
    /// not say, which is before any other.
    pub created: i64,
    /// Place in the log, or in the source.
    pub seq: u64,
}

impl WriteOrder {
    /// `created` of a row whose source does not say when it was made known.
    pub const UNKNOWN: i64 = i64::MIN;

    /// 24 bytes whose order as bytes is the order of writes.
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let signed = |micros: i64| (micros as u64 ^ (1 << 63)).to_be_bytes();
        bytes[..8].copy_from_slice(&signed(self.event_time));
        bytes[8..16].copy_from_slice(&signed(self.created));
        bytes[16..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    /// What [`WriteOrder::to_bytes`] wrote.
    pub fn from_bytes(bytes: [u8; 24]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(word)
        };
        Self {
            event_time: (word(0) ^ (1 << 63)) as i64,
            created: (word(8) ^ (1 << 63)) as i64,
            seq: word(16),
        }
    }
}

/// Whether a row of the very instant that is asked for can be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// Yes: event time ≤ t.
    #[default]
    Inclusive,
    /// No: event time < t. For views that the label's own event updates.
    Strict,
}

/// What was known when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KnownAt {
    /// All that is known now, late corrections too.
    #[default]
    Now,
    /// What was known at the instant of each row: created ≤ t. Rows whose source does not say when they
    /// were made known cannot be seen.
    EventTime,
    /// What was known at one instant, in microseconds since 1970.
    Instant(i64),
}

/// What of a view can be seen: the one rule of the historical join and of the online read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Visibility {
    /// How old a row may be, in microseconds; 0 for any age.
    pub ttl: i64,
    /// Whether a row of the very instant can be seen.
    pub boundary: Boundary,
}

impl Visibility {
    /// From a view's own words.
    pub fn new(ttl: Span, boundary: Boundary) -> Self {
        Self { ttl: ttl.micros(), boundary }
    }

    /// Whether a row takes part in the answer at `t`, its age aside: its event time is not after `t`, and
    /// it was made known by `known_at`, if that is asked.
    ///
    /// All instants have one unit. Of the rows for which this is true the greatest [`WriteOrder`] wins;
    /// then [`Visibility::expired`] says whether it is too old. (The greatest has the latest event time,
    /// so that if it is too old, all are.)
    #[inline]
    pub fn visible(self, event_time: i64, created: i64, t: i64, known_at: Option<i64>) -> bool {
        let in_time = match self.boundary {
            Boundary::Inclusive => event_time <= t,
            Boundary::Strict => event_time < t,
        };
        in_time
            && known_at.is_none_or(|known_at| created != WriteOrder::UNKNOWN && created <= known_at)
    }

    /// Whether a row of `event_time` is older at `t` than the view's `ttl` allows, which is inclusive.
    #[inline]
    pub fn expired(self, event_time: i64, t: i64) -> bool {
        self.ttl > 0 && event_time < t.saturating_sub(self.ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_bytes_is_the_order_of_writes() {
        let ends = [i64::MIN, -1, 0, 1, i64::MAX];
        let mut orders = Vec::new();
        for event_time in ends {
            for created in ends {
                orders.extend([0, 1, u64::MAX].map(|seq| WriteOrder { event_time, created, seq }));
            }
        }
        for a in &orders {
            assert_eq!(WriteOrder::from_bytes(a.to_bytes()), *a);
            for b in &orders {
                assert_eq!(a.cmp(b), a.to_bytes().cmp(&b.to_bytes()), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn ttl_is_inclusive_and_exact() {
        let hour = Visibility::new(Span::hours(1), Boundary::Inclusive);
        let t = 7_200_000_000;
        assert!(!hour.expired(t - 3_600_000_000, t));
        assert!(hour.expired(t - 3_600_000_001, t));
        assert!(!Visibility::default().expired(i64::MIN, t), "zero means any age");
    }

    #[test]
    fn an_unknown_creation_is_not_seen_when_knowledge_is_asked_for() {
        let any = Visibility::default();
        assert!(any.visible(1, WriteOrder::UNKNOWN, 1, None));
        assert!(!any.visible(1, WriteOrder::UNKNOWN, 1, Some(i64::MAX)));
    }
}
