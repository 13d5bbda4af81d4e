//! Runs a [`Program`] over 64 rows at once.
//!
//! A row of up to 127 bytes is one integer, its *lane*: bit p is the place before byte p. A step of
//! the program is a few additions, shifts and ANDs on each lane, without a branch that the text
//! could decide, so the compiler makes vector instructions of it and rows of any mix of lengths take
//! the same time. Which integer it is follows the longest row: eight rows of 15 bytes fit into one
//! vector register, and two of 63.
//!
//! The bits of a lane after the end of its row are whatever bytes follow in memory. That is harmless:
//! every operation moves marks upwards only, and the answer looks at the places of the row alone.

use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, Not};

use super::program::{Op, Place, Program};
use super::scan::{Probe, high_bits};
use crate::text::strings::Rows;

/// Rows of a block: one word of a mask over rows.
pub(super) const ROWS: usize = 64;

/// The longest row that has a lane.
pub(super) const LONGEST: usize = 127;

/// What a block of rows came to; bit i is row i of the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// Rows that match.
    pub(super) matched: u64,
    /// Rows that the program cannot decide, whatever `matched` says of them: not ASCII.
    pub(super) undecided: u64,
}

/// The machines of one program, made when the first block needs them.
pub(super) struct Machines<'p> {
    program: &'p Program,
    probes: Vec<Probe>,
    to_15: Option<Box<Machine<u16, 16>>>,
    to_31: Option<Box<Machine<u32, 32>>>,
    to_63: Option<Box<Machine<u64, 64>>>,
    to_127: Option<Box<Machine<u128, 128>>>,
}

impl<'p> Machines<'p> {
    pub(super) fn new(program: &'p Program) -> Self {
        let probes = program.ranges.iter().copied().map(Probe::new).collect();
        Self { program, probes, to_15: None, to_31: None, to_63: None, to_127: None }
    }

    /// Answers for rows `first..first + count`; those longer than `longest` get no meaningful one.
    pub(super) fn run(
        &mut self,
        rows: &impl Rows,
        first: usize,
        count: usize,
        longest: usize,
    ) -> Answer {
        let (program, probes) = (self.program, &self.probes[..]);
        let make_run = (first, count);
        match longest {
            0..=15 => machine(&mut self.to_15, program).run(program, probes, rows, make_run),
            16..=31 => machine(&mut self.to_31, program).run(program, probes, rows, make_run),
            32..=63 => machine(&mut self.to_63, program).run(program, probes, rows, make_run),
            _ => machine(&mut self.to_127, program).run(program, probes, rows, make_run),
        }
    }
}

fn machine<'m, L: Lane, const W: usize>(
    machine: &'m mut Option<Box<Machine<L, W>>>,
    program: &Program,
) -> &'m mut Machine<L, W> {
    machine.get_or_insert_with(|| Box::new(Machine::new(program)))
}

/// An integer with one bit for each place in a row.
trait Lane:
    Copy
    + Default
    + PartialEq
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + BitAndAssign
    + BitOrAssign
    + Not<Output = Self>
{
    const ONE: Self;
    const BITS: u32;
    fn plus(self, other: Self) -> Self;
    fn minus_one(self) -> Self;
    fn up(self, by: u32) -> Self;
    fn down(self, by: u32) -> Self;
    /// The lane whose 16 bits number i are `part(i)`.
    fn of_parts(part: impl Fn(usize) -> u16) -> Self;
}

macro_rules! lanes {
    ($($int:ty),*) => {$(
        impl Lane for $int {
            const ONE: Self = 1;
            const BITS: u32 = <$int>::BITS;
            #[inline]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline]
            fn minus_one(self) -> Self {
                self.wrapping_sub(1)
            }
            #[inline]
            fn up(self, by: u32) -> Self {
                self << by
            }
            #[inline]
            fn down(self, by: u32) -> Self {
                self >> by
            }
            #[inline]
            fn of_parts(part: impl Fn(usize) -> u16) -> Self {
                (0..size_of::<Self>() / 2).fold(0, |lane, i| lane | Self::from(part(i)) << (16 * i))
            }
        }
    )*};
}

lanes!(u16, u32, u64, u128);

type Lanes<L> = [L; ROWS];

/// The state of 64 rows of up to `W - 1` bytes.
struct Machine<L, const W: usize> {
    text: Box<[[u8; W]; ROWS]>,
    /// For each range, then each union: which bytes are in it.
    classes: Vec<Lanes<L>>,
    /// Bytes that are not ASCII.
    high: Lanes<L>,
    /// The place after the last byte.
    end: Lanes<L>,
    /// All places of the row.
    places: Lanes<L>,
    /// Places that the steps so far can have come to.
    marks: Lanes<L>,
    /// Places where a run of so many bytes of a class begins.
    runs: Lanes<L>,
    saved: Vec<Lanes<L>>,
}

impl<L: Lane, const W: usize> Machine<L, W> {
    fn new(program: &Program) -> Self {
        let zero = [L::default(); ROWS];
        Self {
            text: Box::new([[0; W]; ROWS]),
            classes: vec![zero; program.ranges.len() + program.unions.len()],
            high: zero,
            end: zero,
            places: zero,
            marks: zero,
            runs: zero,
            saved: vec![zero; program.saved],
        }
    }

    fn run(
        &mut self,
        program: &Program,
        probes: &[Probe],
        rows: &impl Rows,
        (first, count): (usize, usize),
    ) -> Answer {
        self.gather(rows, first, count);
        self.classify(program, probes);
        self.marks = [!L::default(); ROWS];
        self.execute(&program.ops);
        let matched = bits(|i| self.marks[i] & self.places[i]);
        let undecided =
            if program.ascii_rows_only { bits(|i| self.high[i] & self.end[i].minus_one()) } else { 0 };
        let asked = u64::MAX >> (ROWS - count);
        Answer { matched: matched & asked, undecided: undecided & asked }
    }

    /// Copies the rows, and what follows them, to a fixed distance from each other.
    #[inline]
    fn gather(&mut self, rows: &impl Rows, first: usize, count: usize) {
        for (i, text) in self.text[..count].iter_mut().enumerate() {
            rows.window(first + i, 0, text);
            let length = rows.length(first + i);
            // A row that is too long was never to be answered.
            self.end[i] = L::ONE.up((length as u32).min(L::BITS - 1));
        }
        for (places, end) in self.places.iter_mut().zip(&self.end) {
            *places = end.minus_one() | *end;
        }
    }

    #[inline]
    fn classify(&mut self, program: &Program, probes: &[Probe]) {
        for (class, probe) in self.classes.iter_mut().zip(probes) {
            for (lane, text) in class.iter_mut().zip(self.text.iter()) {
                let (parts, _) = text.as_chunks::<16>();
                *lane = L::of_parts(|i| probe.bits(&parts[i]));
            }
        }
        if program.reads_high {
            for (lane, text) in self.high.iter_mut().zip(self.text.iter()) {
                let (parts, _) = text.as_chunks::<16>();
                *lane = L::of_parts(|i| high_bits(&parts[i]));
            }
        }
        let (ranges, unions) = self.classes.split_at_mut(probes.len());
        for (class, union) in unions.iter_mut().zip(&program.unions) {
            *class = [L::default(); ROWS];
            for &range in &union.ranges {
                each(class, &ranges[range], |class, range| class | range);
            }
            if union.negated {
                each(class, &self.high, |class, high| !(class | high));
            }
        }
    }

    fn execute(&mut self, ops: &[Op]) {
        for op in ops {
            match op {
                Op::Step { class } => {
                    each(&mut self.marks, &self.classes[*class], |m, c| (m & c).up(1));
                }
                Op::Maybe { class } => {
                    each(&mut self.marks, &self.classes[*class], |m, c| m | (m & c).up(1));
                }
                // The carry of the addition runs through all bytes of the class that follow a mark.
                Op::Star { class } => {
                    each(&mut self.marks, &self.classes[*class], |m, c| ((m & c).plus(c) ^ c) | m);
                }
                Op::Plus { class } => {
                    each(&mut self.marks, &self.classes[*class], |m, c| {
                        let m = (m & c).up(1);
                        ((m & c).plus(c) ^ c) | m
                    });
                }
                Op::Runs { class } => self.runs = self.classes[*class],
                Op::GrowRuns { by } if *by < L::BITS => map(&mut self.runs, |r| r & r.down(*by)),
                Op::StepRun { by } if *by < L::BITS => each(&mut self.marks, &self.runs, |m, r| (m & r).up(*by)),
                Op::MaybeRun { by } if *by < L::BITS => {
                    each(&mut self.marks, &self.runs, |m, r| m | (m & r).up(*by));
                }
                Op::MaybeRun { .. } => {}
                // No row here is that long.
                Op::GrowRuns { .. } => self.runs = [L::default(); ROWS],
                Op::StepRun { .. } | Op::Never => self.marks = [L::default(); ROWS],
                Op::At(Place::Start) => map(&mut self.marks, |m| m & L::ONE),
                Op::At(Place::End) => each(&mut self.marks, &self.end, |m, end| m & end),
                Op::At(Place::LineStart { newline }) => {
                    each(&mut self.marks, &self.classes[*newline], |m, n| m & (n.up(1) | L::ONE));
                }
                Op::At(Place::LineEnd { newline }) => {
                    for ((m, n), end) in self.marks.iter_mut().zip(&self.classes[*newline]).zip(&self.end)
                    {
                        *m &= *n | *end;
                    }
                }
                Op::At(Place::WordEdge { word, edge }) => {
                    for ((m, w), end) in self.marks.iter_mut().zip(&self.classes[*word]).zip(&self.end) {
                        let w = *w & end.minus_one();
                        let edges = w ^ w.up(1);
                        *m &= if *edge { edges } else { !edges };
                    }
                }
                Op::Save { to } => self.saved[*to] = self.marks,
                Op::Load { from } => self.marks = self.saved[*from],
                Op::AddTo { to } => each(&mut self.saved[*to], &self.marks, |s, m| s | m),
                Op::Add { from } => each(&mut self.marks, &self.saved[*from], |m, s| m | s),
                Op::Repeat { body, all } => self.repeat(body, *all),
            }
        }
    }

    /// Any number of `body`s: follows the marks that are new until there are none. Each round
    /// brings a new place to some row, so there are at most `W`.
    fn repeat(&mut self, body: &[Op], all: usize) {
        self.saved[all] = self.marks;
        loop {
            self.execute(body);
            let mut any = L::default();
            let places = self.marks.iter_mut().zip(&mut self.saved[all]).zip(&self.places);
            for ((mark, all), places) in places {
                *mark = *mark & !*all & *places;
                *all |= *mark;
                any |= *mark;
            }
            if any == L::default() {
                break;
            }
        }
        self.marks = self.saved[all];
    }
}

#[inline]
fn each<L: Lane>(left: &mut Lanes<L>, right: &Lanes<L>, f: impl Fn(L, L) -> L) {
    for (left, right) in left.iter_mut().zip(right) {
        *left = f(*left, *right);
    }
}

#[inline]
fn map<L: Lane>(lanes: &mut Lanes<L>, f: impl Fn(L) -> L) {
    for lane in lanes {
        *lane = f(*lane);
    }
}

/// Bit i: lane i is not empty.
#[inline]
fn bits<L: Lane>(lane: impl Fn(usize) -> L) -> u64 {
    (0..ROWS).fold(0, |bits, i| bits | u64::from(lane(i) != L::default()) << i)
}
