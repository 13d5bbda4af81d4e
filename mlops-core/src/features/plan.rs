//! What applying definitions would change, and whom that breaks.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::definitions::Definitions;
use super::lifecycle::Lifecycle;
use super::types::FeatureName;
use crate::tracking::Digest;

/// What applying would do: a value that can be printed, compared, approved and stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApplyPlan {
    /// What is wanted.
    pub definitions: Definitions,
    /// Digest of all that is defined now; applying is refused if that has changed since.
    pub base: Digest,
    /// What changes, in the order in which it is done; what stays as it is is not here.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Change {
    /// `entity`, `view`, `on_demand` or `service`.
    pub kind: String,
    /// What is changed.
    pub name: FeatureName,
    /// How.
    pub change: ChangeKind,
    /// What differs, one line each: `ttl: 7d → 1d`.
    pub details: Vec<String>,
    /// Why it cannot be done; a plan with a refusal is not applied.
    pub refused: Vec<String>,
    /// Who uses it, and what becomes of them.
    pub consumers: Vec<Consumer>,
}

/// How something changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// It is new.
    Create,
    /// Only texts change: description, owner, tags.
    Describe,
    /// It gets a new version, because values can change.
    Version {
        /// The new version.
        version: u32,
        /// Whether its rows start anew, because those of before do not fit.
        new_table: bool,
    },
    /// It goes to another state.
    State(Lifecycle),
}

/// Who uses something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Consumer {
    /// `service eta@3`, `model churn/7 in Production`.
    pub name: String,
    /// What becomes of it: `stays on version 2`, `is broken: feature `wind` is gone`.
    pub effect: String,
    /// Whether it no longer works.
    pub broken: bool,
}

impl ApplyPlan {
    /// For the engine that plans.
    pub fn new(definitions: Definitions, base: Digest, changes: Vec<Change>) -> Self {
        Self { definitions, base, changes }
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether it cannot be applied.
    pub fn is_refused(&self) -> bool {
        self.changes.iter().any(|change| !change.refused.is_empty())
    }
}

impl Change {
    /// A change without details; for the engine that plans.
    pub fn new(kind: impl Into<String>, name: FeatureName, change: ChangeKind) -> Self {
        Self {
            kind: kind.into(),
            name,
            change,
            details: Vec::new(),
            refused: Vec::new(),
            consumers: Vec::new(),
        }
    }
}

impl Consumer {
    /// For the engine that plans.
    pub fn new(name: impl Into<String>, effect: impl Into<String>, broken: bool) -> Self {
        Self { name: name.into(), effect: effect.into(), broken }
    }
}

impl fmt::Display for ApplyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changes\n");
        }
        for change in &self.changes {
            let what = match &change.change {
                ChangeKind::Create => "+ new".to_owned(),
                ChangeKind::Describe => "~ texts".to_owned(),
                ChangeKind::Version { version, new_table: false } => format!("~ version {version}"),
                ChangeKind::Version { version, new_table: true } => {
                    format!("! version {version}, its rows start anew")
                }
                ChangeKind::State(state) => format!("~ {state}"),
            };
            writeln!(f, "{} {}  {what}", change.kind, change.name)?;
            for line in &change.details {
                writeln!(f, "    {line}")?;
            }
            for reason in &change.refused {
                writeln!(f, "    REFUSED: {reason}")?;
            }
            for consumer in &change.consumers {
                let mark = if consumer.broken { "BREAKS " } else { "" };
                writeln!(f, "    {mark}{}: {}", consumer.name, consumer.effect)?;
            }
        }
        Ok(())
    }
}
