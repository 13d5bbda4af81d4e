//! A regular expression as a short list of operations on sets of places.
//!
//! The set holds every place that the expression so far can have come to; each operation moves all of
//! them at once, so there is nothing to go back for and alternatives cost no more than a sequence.
//! This is the marker calculus of Parabix, with two of its limits kept: texts of ASCII (a character is
//! a byte), and no repetition of a group within another (the only thing that is not one pass).
//! [`Program::of`] answers `None` for what is better left to an automaton.
//!
//! # Source
//! Cameron et al., *Bitwise data parallelism in regular expression matching*, PACT 2014.

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::classes::{Classes, Set, Union};
use super::scan::ByteRange;

/// Passes over a block that cost about as much as an automaton's walk through short texts.
const MAX_COST: usize = 160;

/// What one round of a repeated group is taken to cost: groups repeat a few times.
const ROUNDS: usize = 4;

/// A compiled expression. `class` and the like are indices into ranges, followed by unions.
#[derive(Debug)]
pub(super) struct Program {
    /// The ranges that a block is searched for.
    pub(super) ranges: Vec<ByteRange>,
    /// Classes that are several of them, or the contrary.
    pub(super) unions: Vec<Union>,
    /// What to do, in order, from all places of a row on; it matches if a place is left.
    pub(super) ops: Vec<Op>,
    /// How many sets the operations put aside.
    pub(super) saved: usize,
    /// Whether rows that are not ASCII must be answered by other means.
    pub(super) ascii_rows_only: bool,
    /// Whether anything depends on which bytes are not ASCII.
    pub(super) reads_high: bool,
}

/// An operation on the set of places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    /// Over one byte of the class.
    Step { class: usize },
    /// Over one or none.
    Maybe { class: usize },
    /// Over any number of them.
    Star { class: usize },
    /// Over one or more.
    Plus { class: usize },
    /// Looks at runs of one byte of the class.
    Runs { class: usize },
    /// Makes the runs looked at `by` longer, at most twice as long.
    GrowRuns { by: u32 },
    /// Over one run, which is `by` long.
    StepRun { by: u32 },
    /// Over one run or none.
    MaybeRun { by: u32 },
    /// Keeps the places that are such a place.
    At(Place),
    /// Keeps none.
    Never,
    /// Puts the set aside.
    Save { to: usize },
    /// Takes it back.
    Load { from: usize },
    /// Adds the set to the one put aside.
    AddTo { to: usize },
    /// Adds the one put aside to the set.
    Add { from: usize },
    /// Any number of `body`s; `all` is where it collects the places.
    Repeat { body: Vec<Op>, all: usize },
}

/// A place that an anchor asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Before the first byte.
    Start,
    /// After the last.
    End,
    /// The start, or after a line feed.
    LineStart { newline: usize },
    /// The end, or before a line feed.
    LineEnd { newline: usize },
    /// Between a byte of the class and one that is not (or nothing); or `edge` false: elsewhere.
    WordEdge { word: usize, edge: bool },
}

impl Program {
    /// The program of an expression, if it has one that is worth it.
    pub(super) fn of(hir: &Hir) -> Option<Self> {
        let mut compiler = Compiler::default();
        compiler.emit(hir)?;
        let Compiler { classes, mut ops, saved_most, ascii_rows_only, .. } = compiler;
        let plan = classes.plan()?;
        rename(&mut ops, &plan.indices);
        let reads_high = ascii_rows_only || plan.unions.iter().any(|union| union.negated);
        Some(Self {
            ranges: plan.ranges,
            unions: plan.unions,
            ops,
            saved: saved_most,
            ascii_rows_only,
            reads_high,
        })
    }
}

/// Puts in the places of the classes, which were numbered as they came.
fn rename(ops: &mut [Op], indices: &[usize]) {
    for op in ops {
        match op {
            Op::Step { class }
            | Op::Maybe { class }
            | Op::Star { class }
            | Op::Plus { class }
            | Op::Runs { class }
            | Op::At(
                Place::LineStart { newline: class }
                | Place::LineEnd { newline: class }
                | Place::WordEdge { word: class, .. },
            ) => *class = indices[*class],
            Op::Repeat { body, .. } => rename(body, indices),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Compiler {
    classes: Classes,
    ops: Vec<Op>,
    cost: usize,
    repeating: bool,
    saved: usize,
    saved_most: usize,
    ascii_rows_only: bool,
}

impl Compiler {
    fn push(&mut self, op: Op) -> Option<()> {
        self.ops.push(op);
        self.cost += if self.repeating { ROUNDS } else { 1 };
        (self.cost <= MAX_COST).then_some(())
    }

    /// A place to put a set aside; free again when `saved` is put back.
    fn save(&mut self) -> usize {
        self.saved += 1;
        self.saved_most = self.saved_most.max(self.saved);
        self.saved - 1
    }

    fn class(&mut self, set: Set) -> usize {
        self.ascii_rows_only |= set.beyond_ascii;
        self.classes.index(set)
    }

    fn emit(&mut self, hir: &Hir) -> Option<()> {
        if let Some(set) = one_byte(hir) {
            let class = self.class(set);
            return self.push(Op::Step { class });
        }
        match hir.kind() {
            HirKind::Empty => Some(()),
            HirKind::Literal(literal) => {
                if literal.0.is_ascii() {
                    return literal.0.iter().try_for_each(|byte| {
                        let class = self.class(Set::byte(*byte));
                        self.push(Op::Step { class })
                    });
                }
                self.ascii_rows_only = true;
                self.push(Op::Never)
            }
            // A class is one byte, see above; there are no others.
            HirKind::Class(_) => None,
            HirKind::Look(look) => self.look(*look),
            HirKind::Repetition(repetition) => match one_byte(&repetition.sub) {
                Some(set) => self.run(set, repetition),
                None => self.group(repetition),
            },
            HirKind::Capture(capture) => self.emit(&capture.sub),
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.emit(part)),
            HirKind::Alternation(branches) => self.alternation(branches),
        }
    }

    fn alternation(&mut self, branches: &[Hir]) -> Option<()> {
        let before = self.saved;
        let (from, all) = (self.save(), self.save());
        let (last, others) = branches.split_last()?;
        self.push(Op::Save { to: from })?;
        for (i, branch) in others.iter().enumerate() {
            self.emit(branch)?;
            self.push(if i == 0 { Op::Save { to: all } } else { Op::AddTo { to: all } })?;
            self.push(Op::Load { from })?;
        }
        self.emit(last)?;
        if !others.is_empty() {
            self.push(Op::Add { from: all })?;
        }
        self.saved = before;
        Some(())
    }

    /// A repeated class.
    fn run(&mut self, set: Set, repetition: &Repetition) -> Option<()> {
        let class = self.class(set);
        let min = repetition.min;
        let Some(max) = repetition.max else {
            if min == 1 {
                return self.push(Op::Plus { class });
            }
            self.exactly(class, min)?;
            return self.push(Op::Star { class });
        };
        self.exactly(class, min)?;
        self.up_to(class, max.checked_sub(min)?)
    }

    fn exactly(&mut self, class: usize, count: u32) -> Option<()> {
        if count <= 2 {
            return (0..count).try_for_each(|_| self.push(Op::Step { class }));
        }
        self.push(Op::Runs { class })?;
        self.grow(1, count)?;
        self.push(Op::StepRun { by: count })
    }

    fn up_to(&mut self, class: usize, count: u32) -> Option<()> {
        if count <= 2 {
            return (0..count).try_for_each(|_| self.push(Op::Maybe { class }));
        }
        self.push(Op::Runs { class })?;
        // Steps of 1, 2, 4 … and the rest reach every number up to their sum. In ascending order,
        // for runs only grow.
        let mut steps = Vec::new();
        let (mut reach, mut step) = (0, 1);
        while count - reach >= step {
            steps.push(step);
            reach += step;
            step = step.checked_mul(2)?;
        }
        if reach < count {
            steps.push(count - reach);
            steps.sort_unstable();
        }
        let mut length = 1;
        for by in steps {
            self.grow(length, by)?;
            length = by;
            self.push(Op::MaybeRun { by })?;
        }
        Some(())
    }

    fn grow(&mut self, mut length: u32, to: u32) -> Option<()> {
        while length < to {
            let by = length.min(to - length);
            self.push(Op::GrowRuns { by })?;
            length += by;
        }
        Some(())
    }

    /// A repeated group.
    fn group(&mut self, repetition: &Repetition) -> Option<()> {
        let Repetition { min, max, sub, .. } = repetition;
        // Where the minimum is 1, the group need not be written twice: all places it comes to are
        // places that it goes on from.
        (0..*min).try_for_each(|_| self.emit(sub))?;
        let before = self.saved;
        let all = self.save();
        match max {
            None => {
                if self.repeating {
                    return None;
                }
                let outside = std::mem::take(&mut self.ops);
                self.repeating = true;
                self.emit(sub)?;
                self.repeating = false;
                let body = std::mem::replace(&mut self.ops, outside);
                self.push(Op::Repeat { body, all })?;
            }
            Some(max) if max > min => {
                self.push(Op::Save { to: all })?;
                for i in *min..*max {
                    self.emit(sub)?;
                    self.push(if i + 1 == *max { Op::Add { from: all } } else { Op::AddTo { to: all } })?;
                }
            }
            Some(_) => {}
        }
        self.saved = before;
        Some(())
    }

    fn look(&mut self, look: Look) -> Option<()> {
        let place = match look {
            Look::Start => Place::Start,
            Look::End => Place::End,
            Look::StartLF => Place::LineStart { newline: self.class(Set::byte(b'\n')) },
            Look::EndLF => Place::LineEnd { newline: self.class(Set::byte(b'\n')) },
            Look::WordAscii | Look::WordUnicode | Look::WordAsciiNegate | Look::WordUnicodeNegate => {
                self.ascii_rows_only |= matches!(look, Look::WordUnicode | Look::WordUnicodeNegate);
                let edge = matches!(look, Look::WordAscii | Look::WordUnicode);
                Place::WordEdge { word: self.class(Set::word()), edge }
            }
            _ => return None,
        };
        self.push(Op::At(place))
    }
}

/// The bytes that an expression of exactly one character can be.
fn one_byte(hir: &Hir) -> Option<Set> {
    match hir.kind() {
        HirKind::Literal(literal) => match *literal.0 {
            [byte] if byte.is_ascii() => Some(Set::byte(byte)),
            _ => None,
        },
        HirKind::Class(Class::Unicode(class)) => Some(Set::of_ranges(
            class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))),
        )),
        HirKind::Class(Class::Bytes(class)) => Some(Set::of_ranges(
            class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))),
        )),
        HirKind::Capture(capture) => one_byte(&capture.sub),
        _ => None,
    }
}
