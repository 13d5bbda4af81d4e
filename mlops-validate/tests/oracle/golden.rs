//! Facts that need no oracle.
