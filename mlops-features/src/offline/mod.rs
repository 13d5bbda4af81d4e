//! Offline stores: all rows that were ever written.

pub(crate) mod coerce;
