//! [`FeedOptions`]: how patient a feed is, and what it tells about itself.

use std::fmt;
use std::time::Duration;

use mlops_core::time::Instant;

/// How a feed delivers.
#[derive(Clone)]
#[non_exhaustive]
pub struct FeedOptions {
    /// What the store is called in the `id` of a message, `<store>/<sequence>`: receivers know by
    /// it what they had before, so two stores that report to one receiver need two names. Without a
    /// name, 12 hexadecimal digits of the digest of the journal's first row: stores differ, and a
    /// store keeps its own wherever it is moved or restored. (So does a copy that goes its own way:
    /// give that one a name.)
    pub store: Option<String>,
    /// After so many failed attempts an event is parked and the next one is tried; at least one.
    /// Counted since the feed was opened, so a process that makes one pass and ends gives nothing
    /// up: see [`Feed::skip`](super::Feed::skip).
    pub max_attempts: u32,
    /// The wait after the first failure; each further one doubles it.
    pub first_delay: Duration,
    /// The longest wait, also of those that a receiver asks for with `Retry-After`.
    pub max_delay: Duration,
    /// How long a request may take, from connecting to the answer's headers. Asking the system for
    /// the addresses of a name is not covered, it has a timeout of its own.
    pub request_timeout: Duration,
    /// Most events that one subscription gets in one pass, before the next one's turn.
    pub turn: usize,
    /// The environment of commands: `PATH` with the system's folders, and nothing else.
    pub command_env: Vec<(String, String)>,
    /// Certificates, as PEM, that are trusted besides the system's.
    pub trusted_pem: Vec<u8>,
}

impl Default for FeedOptions {
    /// No name, 12 attempts in 2.4 hours (5 s, 10 s, … 1 h), 10 s a request, 100 events a turn.
    fn default() -> Self {
        Self {
            store: None,
            max_attempts: 12,
            first_delay: Duration::from_secs(5),
            max_delay: Duration::from_hours(1),
            request_timeout: Duration::from_secs(10),
            turn: 100,
            command_env: vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())],
            trusted_pem: Vec::new(),
        }
    }
}

impl FeedOptions {
    /// Sets [`FeedOptions::store`].
    pub fn with_store(mut self, store: impl Into<String>) -> Self {
        self.store = Some(store.into());
        self
    }

    /// Sets [`FeedOptions::max_attempts`].
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets [`FeedOptions::first_delay`] and [`FeedOptions::max_delay`].
    pub fn with_delays(mut self, first: Duration, longest: Duration) -> Self {
        (self.first_delay, self.max_delay) = (first, longest);
        self
    }

    /// Sets [`FeedOptions::request_timeout`].
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets [`FeedOptions::turn`]; at least one event is taken.
    pub fn with_turn(mut self, events: usize) -> Self {
        self.turn = events;
        self
    }

    /// Adds a variable to the environment of commands; one of the same name before it is replaced.
    pub fn with_command_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.command_env.retain(|(other, _)| *other != name);
        self.command_env.push((name, value.into()));
        self
    }

    /// Trusts these certificates too: PEM, one after the other.
    pub fn with_trusted_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.trusted_pem = pem.into();
        self
    }

    /// How long to wait after `attempts` failures, if the receiver asked for `asked`.
    ///
    /// `first · 2^(attempts − 1)`, or longer if asked, and never longer than the longest. Without
    /// chance: a feed has few receivers, and what it will do next can be printed.
    pub(super) fn delay(&self, attempts: u32, asked: Option<Duration>) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let planned = self.first_delay.saturating_mul(doubled);
        planned.max(asked.unwrap_or_default()).min(self.max_delay)
    }

    /// Whether what waits until `until` is due. A clock that was set back must not keep it waiting
    /// for longer than the longest delay.
    pub(super) fn is_due(&self, until: Instant, now: Instant) -> bool {
        let left = (until - now).to_std().unwrap_or_default();
        left.is_zero() || left > self.max_delay
    }
}

impl fmt::Debug for FeedOptions {
    /// Without the values of the environment, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.command_env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("FeedOptions")
            .field("store", &self.store)
            .field("max_attempts", &self.max_attempts)
            .field("first_delay", &self.first_delay)
            .field("max_delay", &self.max_delay)
            .field("request_timeout", &self.request_timeout)
            .field("turn", &self.turn)
            .field("command_env", &names)
            .field("trusted_pem", &self.trusted_pem.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::time::from_micros_lossy;

    use super::*;

    #[test]
    fn the_wait_doubles_up_to_the_longest_and_listens_to_the_receiver() {
        let options = FeedOptions::default();
        let secs = |attempts, asked: Option<u64>| {
            options.delay(attempts, asked.map(Duration::from_secs)).as_secs()
        };
        let waits: Vec<u64> = (1..=12).map(|attempts| secs(attempts, None)).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        assert_eq!((secs(1, Some(60)), secs(5, Some(60)), secs(1, Some(86_400))), (60, 80, 3_600));
        assert_eq!(secs(u32::MAX, None), 3_600);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_deliveries() {
        let options = FeedOptions::default();
        let at = |secs: i64| from_micros_lossy(secs * 1_000_000);
        assert!(options.is_due(at(100), at(100)) && options.is_due(at(100), at(101)));
        assert!(!options.is_due(at(100), at(99)));
        assert!(options.is_due(at(1_000_000), at(99)));
    }
}
