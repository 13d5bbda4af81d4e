//! Data validation in one pass.

#![forbid(unsafe_code)]

mod keys;
pub mod report;
mod stats;
mod text;
