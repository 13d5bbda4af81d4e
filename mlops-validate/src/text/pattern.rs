//! Regular expressions over text columns.
//!
//! The syntax is that of the Rust `regex` crate, and a pattern is searched for: `[0-9]$` matches
//! `abc1`. Whatever the pattern and the text, the time is in proportion to the text.
//!
//! Of the three engines behind a [`Pattern`] the first that the pattern fits into is taken: a small
//! [`table`] that reads eight rows in step; a dense automaton that reads one; and whatever
//! `regex-automata` has for the rest. Which one answers never changes the answer: each is held
//! against the `regex` crate by a test.

mod automaton;
mod parse;
mod table;

#[cfg(test)]
mod tests;

use arrow::array::Array;
use mlops_core::Result;

use self::automaton::Automaton;
use super::strings::{Rows, Visitor, blocks, select, visit};

/// A compiled regular expression.
#[derive(Debug)]
pub(crate) struct Pattern(Automaton);

impl Pattern {
    /// Compiles a pattern; with `full`, one that the whole text must match.
    ///
    /// # Errors
    /// `Invalid`, with the place, if it is not a regular expression, or has a look-around or a
    /// backreference; or if it would need more than some megabytes of memory.
    pub(crate) fn new(text: &str, full: bool) -> Result<Self> {
        let hir = parse::parse(text, full)?;
        Automaton::new(&hir).map(Self).ok_or_else(|| parse::too_large(text))
    }

    #[cfg(test)]
    /// Whether the pattern matches somewhere in the text, which is valid UTF-8.
    #[inline]
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// Bit i of `failing`: row i is not null and does not match. What it held before is replaced.
    ///
    /// # Errors
    /// `Invalid` if the array is neither `Utf8` nor `LargeUtf8` nor `Utf8View`.
    pub(crate) fn mask(&self, array: &dyn Array, failing: &mut Vec<u64>) -> Result<()> {
        visit(array, Mask { pattern: self, array, failing })
    }
}

struct Mask<'a> {
    pattern: &'a Pattern,
    array: &'a dyn Array,
    failing: &'a mut Vec<u64>,
}

impl Visitor for Mask<'_> {
    type Output = ();

    fn visit(self, rows: &impl Rows) {
        let Self { pattern, array, failing } = self;
        match &pattern.0 {
            Automaton::Table(table) => {
                blocks(array, failing, |first, valid| !table.block(rows, first, valid) & valid);
            }
            other => blocks(array, failing, |first, valid| {
                select(valid, |i| !other.is_match(rows.bytes(first + i)))
            }),
        }
    }
}
