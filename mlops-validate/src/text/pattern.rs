//! Regular expressions over text columns.
//!
//! The syntax is that of the Rust `regex` crate, and a pattern is searched for: `[0-9]$` matches
//! `abc1`. Whatever the pattern and the text, the time is in proportion to the text.
//!
//! A column is answered by two engines that know nothing of each other. [`lanes`] runs 64 rows at
//! once, without a branch or a table that the text decides, but only patterns of a common kind and
//! only rows of up to 127 bytes (of ASCII, where the pattern could tell the difference). For the rest
//! there is an [`automaton`], which reads one row byte by byte, each waiting for the one before.
//! Which one answers never changes the answer; the tests force each of them against the `regex` crate.

mod automaton;
mod classes;
mod lanes;
mod parse;
mod program;
mod scan;
mod table;

#[cfg(test)]
mod tests;

use arrow::array::Array;
use mlops_core::Result;

use self::automaton::Automaton;
use self::lanes::{LONGEST, Machines};
use self::program::Program;
use super::strings::{Rows, Visitor, blocks, select, visit};

/// With fewer rows than this, preparing the lanes would cost more than it saves.
const FEW_ROWS: usize = 16;

/// A compiled regular expression.
#[derive(Debug)]
pub(crate) struct Pattern {
    automaton: Automaton,
    program: Option<Program>,
}

impl Pattern {
    /// Compiles a pattern; with `full`, one that the whole text must match.
    ///
    /// # Errors
    /// `Invalid`, with the place, if it is not a regular expression, has a look-around or a
    /// backreference; or if it would need more than some megabytes of memory.
    pub(crate) fn new(text: &str, full: bool) -> Result<Self> {
        let hir = parse::parse(text, full)?;
        let automaton = Automaton::new(&hir).ok_or_else(|| parse::too_large(text))?;
        Ok(Self { automaton, program: Program::of(&hir) })
    }

    pub(crate) fn engines(text: &str, full: bool) -> Vec<(&'static str, Self)> {
        let hir = parse::parse(text, full).unwrap();
        let mut all = vec![];
        if let Some(a) = Automaton::meta(&hir) { all.push(("meta", Self { automaton: a, program: None })); }
        if let Some(a) = Automaton::dense(&hir) { all.push(("dense", Self { automaton: a, program: None })); }
        if let Some(a) = Automaton::table(&hir) { all.push(("table", Self { automaton: a, program: None })); }
        if let Some(p) = Program::of(&hir) { all.push(("lanes", Self { automaton: Automaton::meta(&hir).unwrap(), program: Some(p) })); }
        all
    }

    /// Whether the pattern matches somewhere in the text, which is valid UTF-8.
    #[inline]
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.automaton.is_match(text)
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
        let one = |row: usize| pattern.automaton.is_match(rows.bytes(row));
        let program = pattern.program.as_ref().filter(|_| rows.count() >= FEW_ROWS);
        let mut machines = program.map(Machines::new);
        if let (Automaton::Table(table), None) = (&pattern.automaton, &machines) {
            return blocks(array, failing, |first, valid| {
                let count = (rows.count() - first).min(64);
                let mut lengths = [0; 64];
                for (i, length) in lengths[..count].iter_mut().enumerate() {
                    *length = if valid >> i & 1 == 1 { rows.length(first + i) } else { 0 };
                }
                let mut matched = 0;
                for (i, lengths) in lengths[..count].chunks(table::GROUP).enumerate() {
                    matched |= table.group(rows, first + i * table::GROUP, lengths) << (i * table::GROUP);
                }
                !matched & valid
            });
        }
        blocks(array, failing, |first, valid| {
            let Some(machines) = &mut machines else {
                return select(valid, |i| !one(first + i));
            };
            let count = (rows.count() - first).min(lanes::ROWS);
            let mut longest = 0;
            let mut too_long = 0;
            for i in 0..count {
                let length = rows.length(first + i);
                too_long |= u64::from(length > LONGEST) << i;
                longest = longest.max(if length > LONGEST { 0 } else { length });
            }
            if valid & !too_long == 0 {
                return select(valid, |i| !one(first + i));
            }
            let answer = machines.run(rows, first, count, longest);
            let alone = (answer.undecided | too_long) & valid;
            let failing = !answer.matched & !alone & valid;
            failing | select(alone, |i| !one(first + i))
        });
    }
}
