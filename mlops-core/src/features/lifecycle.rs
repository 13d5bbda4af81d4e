//! The states of a view, from first sketch to retirement.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// Where a view stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lifecycle {
    /// For training and trying only: it is not materialized and not served online.
    Draft,
    /// In use.
    #[default]
    Active,
    /// No new service may use it; those that do go on until this instant, when it is retired.
    Deprecated {
        /// When it is retired.
        until: Instant,
    },
    /// Nobody may read or write it. Its data stays until it is purged.
    Retired,
}

impl Lifecycle {
    /// The state at `now`: what is deprecated until then is retired.
    pub fn at(self, now: Instant) -> Self {
        match self {
            Self::Deprecated { until } if until <= now => Self::Retired,
            state => state,
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draft => f.write_str("draft"),
            Self::Active => f.write_str("active"),
            Self::Deprecated { until } => {
                write!(f, "deprecated until {}", until.format("%Y-%m-%dT%H:%M:%SZ"))
            }
            Self::Retired => f.write_str("retired"),
        }
    }
}
