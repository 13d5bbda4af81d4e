//! A list of checks that is data: stored, compared, versioned.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Check;
use crate::tracking::Digest;
use crate::{Error, Key, Result};

/// Most checks of one suite.
pub const MAX_CHECKS: usize = 10_000;

/// What a check that had nothing to judge counts as: an empty table, a column of nulls only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnEmpty {
    /// As passed.
    Pass,
    /// As a warning: nothing is wrong, and nothing was proved.
    #[default]
    Warn,
    /// As failed.
    Fail,
}

/// A named, versioned list of checks.
///
/// ```
/// use mlops_core::validation::{Check, NotNull, Suite};
///
/// # fn main() -> mlops_core::Result<()> {
/// let suite = Suite::new("orders")?
///     .with_version(3)
///     .with(NotNull { column: "order_id".into() })
///     .with(Check::from(NotNull { column: "e-mail".into() }).warn());
/// suite.check()?;
/// let json = serde_json::to_string(&suite).unwrap();
/// assert_eq!(
///     json,
///     r#"{"suite":"orders","version":3,"checks":[{"check":"not_null","column":"order_id"},"#
///         .to_owned()
///         + r#"{"check":"not_null","column":"e-mail","severity":"warn"}]}"#,
/// );
/// let read: Suite = serde_json::from_str(&json).unwrap();
/// assert_eq!((read.digest(), read), (suite.digest(), suite));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Its name.
    #[serde(rename = "suite")]
    pub name: Key,
    /// Its version, counted by who writes it.
    #[serde(default = "one")]
    pub version: u32,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What a check that had nothing to judge counts as.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_empty: OnEmpty,
    /// The checks, in the order of the report.
    pub checks: Vec<Check>,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` asks so")]
fn is_default(on_empty: &OnEmpty) -> bool {
    *on_empty == OnEmpty::default()
}

impl Suite {
    /// An empty suite of version 1.
    ///
    /// # Errors
    /// `Invalid` for a name that is blank or too long.
    pub fn new(name: impl AsRef<str>) -> Result<Self> {
        Ok(Self {
            name: Key::new(name)?,
            version: one(),
            description: None,
            on_empty: OnEmpty::default(),
            checks: Vec::new(),
        })
    }

    /// Sets the version.
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Sets the description.
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets what a check that had nothing to judge counts as.
    pub fn with_on_empty(mut self, on_empty: OnEmpty) -> Self {
        self.on_empty = on_empty;
        self
    }

    /// Adds a check, or a rule that is to be an error.
    pub fn with(mut self, check: impl Into<Check>) -> Self {
        self.checks.push(check.into());
        self
    }

    /// Adds the checks of another suite, after its own.
    pub fn with_suite(mut self, other: &Self) -> Self {
        self.checks.extend(other.checks.iter().cloned());
        self
    }

    /// What every suite must be, whatever data it meets.
    ///
    /// # Errors
    /// `Invalid`: no checks or more than [`MAX_CHECKS`], or two of one name.
    pub fn check(&self) -> Result<()> {
        let bad = |message| Error::invalid("suite", message).with("suite", &self.name);
        if self.checks.is_empty() {
            return Err(bad("has no checks").with_hint("an empty suite would pass any data"));
        }
        if self.checks.len() > MAX_CHECKS {
            return Err(bad("has too many checks")
                .with("checks", self.checks.len())
                .with("at most", MAX_CHECKS));
        }
        let mut names = BTreeSet::new();
        for (position, check) in self.checks.iter().enumerate() {
            let name = check.name();
            if names.contains(&name) {
                return Err(bad("has two checks of one name")
                    .with("check", name)
                    .with("position", position)
                    .with_hint("give one of them an `id`"));
            }
            names.insert(name);
        }
        Ok(())
    }

    /// BLAKE3 of the suite's JSON: two suites of one digest ask the same.
    pub fn digest(&self) -> Digest {
        let json = serde_json::to_vec(self).unwrap_or_default();
        Digest(*blake3::hash(&json).as_bytes())
    }
}
