//! The backends of this crate: each implements [`Tracker`](mlops_core::tracking::Tracker) and
//! [`Journal`](mlops_core::journal::Journal), and knows no other.

pub mod memory;
#[cfg(feature = "sqlite")]
pub mod sqlite;
