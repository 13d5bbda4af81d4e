//! SQL scalar expressions over Arrow.

#![forbid(unsafe_code)]
