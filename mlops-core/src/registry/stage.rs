//! Stages: where a version of a model may run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Where a version may run. Every version is in exactly one stage; a new one is in `None`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[non_exhaustive]
pub enum Stage {
    /// Registered, and not meant to run yet.
    #[default]
    None,
    /// Being worked on.
    Development,
    /// A candidate.
    Staging,
    /// Serving.
    Production,
    /// Has served, or never will.
    Archived,
}

impl Stage {
    /// All stages, in the order of a version's life.
    pub const ALL: [Self; 5] =
        [Self::None, Self::Development, Self::Staging, Self::Production, Self::Archived];

    /// The stage's name, as it stands in URIs and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Development => "Development",
            Self::Staging => "Staging",
            Self::Production => "Production",
            Self::Archived => "Archived",
        }
    }

    /// Whether versions in it are meant to be used: `Development`, `Staging` and `Production`. A
    /// version in an active stage cannot be deleted.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Development | Self::Staging | Self::Production)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = Error;

    /// Case does not matter.
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str().eq_ignore_ascii_case(text)).ok_or_else(
            || {
                Error::invalid(
                    "stage",
                    "is none of None, Development, Staging, Production, Archived",
                )
                .with("stage", text.escape_debug())
            },
        )
    }
}
