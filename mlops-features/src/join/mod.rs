//! The point-in-time join of one table: who asks, of when, against files of rows in any order.
//!
//! Two passes. The first reads keys and times alone, pruned by statistics, and keeps for each distinct key
//! and instant that is asked for the greatest write that can be seen ([`slots`]). The second reads the
//! values of the rows that won, and of no others ([`values`]). Nothing is sorted but who asks, and a file
//! need not be; one that is (a segment of ours) is walked by runs of a key, and its creation times, which
//! only decide between equal event times of two files, are mostly not read in the first pass.
//!
//! Memory follows those who ask: some 60 bytes a row that asks and thread, the answer, and for each thread
//! the columns in work of one row group. Row groups are read beside one another; a slot keeps a maximum under
//! a total order, so their order cannot matter.

mod answer;
mod crew;
mod error;
mod file;
mod keys;
#[cfg(test)]
mod measure;
mod prune;
mod scan;
mod slots;
#[cfg(test)]
mod tests;
mod ticks;
mod values;

pub(crate) use self::answer::as_of_files;
pub(crate) use self::file::{JoinFile, Layout, arrow_metadata};
