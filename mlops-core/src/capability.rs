//! What a backend can do beyond the contract that all share.

use serde::{Deserialize, Serialize};

/// What a backend can do; conformance cases are selected by it, and what it lacks is `Unsupported`.
///
/// A field is named after what a caller gains, so `false` is always the weaker side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capability {
    /// What was acknowledged is there after the process is gone.
    pub durable: bool,
    /// Several processes may use the same store at once.
    pub many_processes: bool,
}

impl Capability {
    /// Sets [`Capability::durable`].
    pub fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Sets [`Capability::many_processes`].
    pub fn with_many_processes(mut self, many_processes: bool) -> Self {
        self.many_processes = many_processes;
        self
    }
}
