//! Which events a subscription is about: `version.promote`, `version.*`, `*`.
//!
//! A pattern that no operation can match is a mistake of spelling that nobody would ever hear of,
//! so it is refused when it is written, with the list of what there is.

use std::fmt;
use std::str::FromStr;

use mlops_core::registry::events as registry;
use mlops_core::tracking::events as tracking;
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// Every operation that a journal row may name, sorted.
pub const OPERATIONS: [&str; 18] = [
    registry::DOCUMENT_DELETE,
    registry::DOCUMENT_PUT,
    tracking::EXPERIMENT_CREATE,
    tracking::EXPERIMENT_PURGE,
    tracking::EXPERIMENT_UPDATE,
    registry::LINEAGE_LINK,
    registry::MODEL_CREATE,
    registry::MODEL_PURGE,
    registry::MODEL_UPDATE,
    tracking::RUN_CREATE,
    tracking::RUN_PURGE,
    tracking::RUN_UPDATE,
    registry::VERSION_DECIDE,
    registry::VERSION_PROMOTE,
    registry::VERSION_PURGE,
    registry::VERSION_REGISTER,
    registry::VERSION_ROLLBACK,
    registry::VERSION_UPDATE,
];

/// An operation, all of a subject (`version.*`), or everything (`*`).
///
/// ```
/// use mlops_registry::feed::EventPattern;
///
/// let versions: EventPattern = "version.*".parse()?;
/// assert!(versions.matches("version.promote") && !versions.matches("model.create"));
/// assert!("version.promoted".parse::<EventPattern>().is_err());
/// # Ok::<_, mlops_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventPattern(String);

impl EventPattern {
    /// Checks the text.
    ///
    /// # Errors
    /// `Invalid` if no operation matches it; the hint lists those that there are.
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        let pattern = Self(text.as_ref().to_owned());
        if OPERATIONS.iter().any(|operation| pattern.matches(operation)) {
            return Ok(pattern);
        }
        Err(Error::invalid("feed.pattern", "no event matches this pattern")
            .with("pattern", pattern.0.escape_debug())
            .with_hint(format!("`*`, `<subject>.*`, or one of: {}", OPERATIONS.join(", "))))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an operation is meant.
    pub fn matches(&self, operation: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some("") => true,
            // The dot belongs to the prefix: `version.*` is not `versions.x`.
            Some(subject) if subject.ends_with('.') => operation.starts_with(subject),
            _ => self.0 == operation,
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for EventPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for EventPattern {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<EventPattern> for String {
    fn from(pattern: EventPattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_pattern_is_refused_with_the_list_of_operations() {
        for wrong in
            ["", "version", "version.", "versions.*", "ver*", "version.promote ", "**", "*.*"]
        {
            let error = EventPattern::new(wrong).unwrap_err();
            assert!(
                error.to_string().contains("version.promote, version.purge"),
                "{wrong}: {error}"
            );
        }
    }

    #[test]
    fn the_list_of_operations_is_sorted_and_each_matches_itself() {
        assert!(OPERATIONS.is_sorted());
        for operation in OPERATIONS {
            assert!(EventPattern::new(operation).unwrap().matches(operation));
            assert!(EventPattern::new("*").unwrap().matches(operation));
        }
    }
}
