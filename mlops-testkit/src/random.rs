//! Random calls against a backend and the reference model, side by side.

mod calls;
mod filters;
pub(crate) mod operations;
pub(crate) mod registry;
mod registry_calls;
mod registry_population;
pub(crate) mod registry_searches;
mod registry_values;
pub(crate) mod searches;

/// How many random sequences of calls find every saboteur that they can.
pub const SEQUENCES: u32 = 200;

/// How many random searches find every saboteur that they can.
pub const SEARCHES: u32 = 1_000;

/// How many random sequences of calls of a registry find every saboteur that they can.
pub const REGISTRY_SEQUENCES: u32 = 200;
