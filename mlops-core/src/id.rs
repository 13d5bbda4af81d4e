//! Identifiers: UUIDs of version 7, so that their order is the order of their making.
//!
//! This file owns randomness: nothing else in the library makes an id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

use crate::{Error, Result};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id that sorts after ids made at earlier instants.
            pub fn generate(now_micros: i64) -> Self {
                Self(fresh(now_micros))
            }

            /// The id with these bytes, as a store kept them.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The sixteen bytes; their order is the order of the ids.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(s: &str) -> Result<Self> {
                Uuid::try_parse(s).map(Self).map_err(|_| {
                    Error::invalid(concat!($what, "_id"), "is not 32 hexadecimal digits")
                        .with("id", s.escape_debug())
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(s: String) -> Result<Self> {
                s.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id! {
    /// Names one run for ever; prints as 32 hexadecimal digits, as MLflow's run ids do.
    ///
    /// ```
    /// use mlops_core::RunId;
    /// let id: RunId = "0191d2a0b1c27def8123456789abcdef".parse().unwrap();
    /// assert_eq!(id.to_string(), "0191d2a0b1c27def8123456789abcdef");
    /// assert!("not an id".parse::<RunId>().is_err());
    /// ```
    RunId, "run"
}
id! {
    /// Names one experiment for ever, whatever it is renamed to.
    ExperimentId, "experiment"
}
id! {
    /// Names one spool: the local file in which one writer of one run keeps what is not yet stored.
    SpoolId, "spool"
}

fn fresh(now_micros: i64) -> Uuid {
    let micros = now_micros.max(0) as u64;
    let timestamp =
        Timestamp::from_unix(NoContext, micros / 1_000_000, (micros % 1_000_000) as u32 * 1_000);
    #[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
    Uuid::new_v7(timestamp)
}
