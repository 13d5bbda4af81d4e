//! How a Redis is used.

use std::time::Duration;

use mlops_core::{Error, Result};

/// How a Redis is used.
///
/// ```
/// use mlops_features::online::RedisOptions;
///
/// let options = RedisOptions::default().with_prefix("fraud").with_connections(4);
/// assert_eq!(options.prefix, "fraud");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisOptions {
    /// What all keys of the store begin with, before the first `:`. Stores of different prefixes share a
    /// database and do not see each other. With a `{` it has a whole hash tag: `{features}`.
    pub prefix: String,
    /// How long to wait for a connection.
    pub connect_limit: Duration,
    /// How long to wait for the answer to a read, and for a free connection.
    pub read_limit: Duration,
    /// How long to wait for the answer to each batch of writes.
    pub write_limit: Duration,
    /// Most connections at once, and so most calls in flight; others wait.
    pub connections: usize,
    /// Whether a server that may throw keys away when its memory is full is accepted. A row that was
    /// thrown away reads as one that never was.
    ///
    /// Never with aggregated views: a state that was thrown away is begun anew by the next row, and what is
    /// read of it is then a sum that lacks the rows of before, and looks like any other.
    pub allow_eviction: bool,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "mlops".to_owned(),
            connect_limit: Duration::from_millis(500),
            read_limit: Duration::from_secs(1),
            write_limit: Duration::from_secs(10),
            connections: 16,
            allow_eviction: false,
        }
    }
}

impl RedisOptions {
    /// Sets [`RedisOptions::prefix`].
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets [`RedisOptions::connect_limit`].
    pub fn with_connect_limit(mut self, limit: Duration) -> Self {
        self.connect_limit = limit;
        self
    }

    /// Sets [`RedisOptions::read_limit`].
    pub fn with_read_limit(mut self, limit: Duration) -> Self {
        self.read_limit = limit;
        self
    }

    /// Sets [`RedisOptions::write_limit`].
    pub fn with_write_limit(mut self, limit: Duration) -> Self {
        self.write_limit = limit;
        self
    }

    /// Sets [`RedisOptions::connections`].
    pub fn with_connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Sets [`RedisOptions::allow_eviction`].
    pub fn with_allow_eviction(mut self, allow: bool) -> Self {
        self.allow_eviction = allow;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let letter = |c: char| c.is_ascii_alphanumeric() || "_-.{}".contains(c);
        let prefix = &self.prefix;
        if prefix.is_empty() || prefix.len() > 64 || !prefix.chars().all(letter) {
            return Err(Error::invalid("features.redis.connect", "the prefix is no prefix")
                .with("prefix", prefix.chars().take(80).collect::<String>().escape_debug())
                .with_hint("give 1 to 64 letters, digits, `_`, `-`, `.`, `{` and `}`"));
        }
        // The server hashes what is between the first `{` and the next `}`, and without that the whole key,
        // so that the keys of the store would lie on many nodes.
        let tag = prefix.split_once('{').map(|(_, tag)| tag.find('}').unwrap_or(0));
        if tag == Some(0) {
            return Err(Error::invalid(
                "features.redis.connect",
                "the prefix has no whole hash tag",
            )
            .with("prefix", prefix)
            .with_hint("close the tag, with a name in it: {features}"));
        }
        let limits = [self.connect_limit, self.read_limit, self.write_limit];
        if limits.iter().any(Duration::is_zero) || self.connections == 0 {
            return Err(Error::invalid(
                "features.redis.connect",
                "a limit of zero leaves no time, and no connections no way",
            ));
        }
        Ok(())
    }
}
