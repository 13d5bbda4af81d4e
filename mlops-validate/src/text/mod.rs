//! Kernels over text: patterns, named formats, lengths.
#![cfg_attr(not(test), allow(dead_code))]

pub(crate) mod pattern;
pub(crate) mod strings;
