//! Data validation in one pass.

#![forbid(unsafe_code)]

mod keys;
mod stats;
mod text;
