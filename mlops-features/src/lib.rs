//! The feature store: what was known about this entity at that instant, for a million training rows or for
//! one request, with the same answer.

#![deny(unsafe_code)]

mod authorized;
mod bucket;
pub mod catalog;
pub mod codec;
mod define;
pub mod feast;
mod features;
pub mod files;
mod join;
pub mod offline;
pub mod online;
pub mod prepared;
pub mod sql;
pub mod transform;
pub mod trust;
mod window;

pub use authorized::Authorized;
pub use bucket::bucket_of;
pub use define::{Found, ModelUse, Policy, Search, Used};
pub use features::{Features, PreparedService, ServiceShape};
pub use mlops_core::features::*;
