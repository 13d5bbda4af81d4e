//! Random calls against a backend and the reference model, side by side.

pub(crate) mod operations;
pub(crate) mod searches;
