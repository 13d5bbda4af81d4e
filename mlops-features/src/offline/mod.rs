//! Offline stores: all rows that were ever written, and what was known when.
//!
//! [`SegmentStore`] keeps a table as immutable Parquet segments, sorted by key and time, in any object
//! store. An append makes segments durable, then a manifest that names them, and then changes one small document of
//! a catalog by compare-and-set: that is the commit. So readers need no lock, each manifest is
//! a snapshot, and what a killed writer left is named by nobody.
//!
//! The non-obvious decision: `seq` is given at the commit and not before. A reservation would let a later
//! number commit first, and whoever reads on from a number would miss the earlier one for ever.

mod append;
pub(crate) mod coerce;
mod compact;
mod erase;
pub(crate) mod error;
mod file;
mod keys;
mod layout;
mod log;
mod memory;
mod merge;
mod objects;
mod scan;
mod snapshot;
mod sources;
mod store;
mod summary;
mod upkeep;
mod write;

pub use self::memory::MemoryOffline;
pub use self::store::SegmentStore;

#[cfg(test)]
pub(crate) mod tests;
