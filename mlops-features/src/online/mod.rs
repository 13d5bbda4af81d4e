//! Online stores: the last rows of each key, for requests.
//!
//! [`MemoryOnline`] keeps them in this process and forgets them with it: the reference, and what a test
//! wants. `EmbeddedOnline` (feature `embedded`) keeps them in mapped files that many processes read
//! while one writes. `RedisOnline` (feature `redis`) keeps them in a server.
//!
//! All keep the same bytes for a key, and change them by the same function,
//! [`merge_entry`](mlops_core::features::merge_entry), so that what a request is answered does not depend
//! on which of them it is.

mod memory;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "embedded")]
mod table;

pub use self::memory::MemoryOnline;
#[cfg(feature = "redis")]
pub use self::redis::*;
#[cfg(feature = "embedded")]
pub use self::table::{EmbeddedOnline, EmbeddedOptions};

/// A key in a message: its printable bytes, cut.
#[cfg(any(feature = "embedded", feature = "redis"))]
fn shown(key: &[u8]) -> String {
    const MOST: usize = 64;
    let cut = if key.len() > MOST { "…" } else { "" };
    format!("{}{cut}", key[..key.len().min(MOST)].escape_ascii())
}
