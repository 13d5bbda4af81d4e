//! Kernels over text: patterns, named formats, lengths.
//!
//! Each comes in two forms: for one text, as bytes, and for an array of any string layout, into a bit
//! mask of the rows that fail. Dictionaries are looked through by the layer above.

pub(crate) mod formats;
pub(crate) mod length;
pub(crate) mod pattern;
pub(crate) mod strings;
