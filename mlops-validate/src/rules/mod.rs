//! One file a family of rules: how a rule of a suite becomes a kernel.

pub(crate) mod column;
pub(crate) mod filled;
pub(crate) mod literal;
pub(crate) mod nulls;
pub(crate) mod range;
pub(crate) mod set;
pub(crate) mod text;
