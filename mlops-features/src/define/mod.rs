//! Definitions: what they must obey, what applying them changes, and what a service means by now.
//!
//! Each entity, view, on-demand transform and service is one document of the [`Catalog`]; a view's and a
//! service's has all of its versions. Everything but [`load`], [`apply`] and [`set_state`] is a pure
//! function of what is [`Registered`].
//!
//! The non-obvious decision: a plan is not a list of steps but the answer to one question, what would be
//! registered then ([`evolve`](plan::evolve)). Applying asks it again of what is there, and writes the
//! documents that differ, in an order in which nothing names what is not there yet. So an apply that was cut
//! off in the middle needs no repair: to plan and to apply again finishes it.
//!
//! [`Catalog`]: mlops_core::registry::Catalog
//! [`Registered`]: mlops_core::features::Registered

mod apply;
pub(super) mod catalog;
mod check;
mod differences;
mod digest;
mod layout;
mod lifecycle;
mod lineage;
mod nearest;
mod plan;
mod policy;
mod resolve;
mod search;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub(crate) use self::catalog::{load, set_policy};
pub(crate) use self::lifecycle::set_state;
pub(crate) use self::lineage::edges;
pub(crate) use self::nearest::hint;
pub(crate) use self::plan::plan;
pub(crate) use self::resolve::{Resolved, ResolvedKey, ResolvedView, resolve_service};
pub(crate) use self::search::{search, used_by};

pub use self::plan::ModelUse;
pub use self::policy::Policy;
pub use self::search::{Found, Search, Used};
