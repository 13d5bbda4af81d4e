//! Random calls against a backend and the reference model, side by side.

mod calls;
pub(crate) mod operations;
pub(crate) mod searches;
