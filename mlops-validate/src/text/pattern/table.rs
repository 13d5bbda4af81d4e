//! A small automaton that reads eight rows at once.
//!
//! An automaton cannot go to the next byte before the table has said in which state it is, and that
//! load takes five times as long as the processor needs to begin another one. So eight rows are read
//! in step: their loads overlap, and the walk costs what the loads cost and not what they take. Two
//! things make the inner loop one without a branch. A row that is over goes on with bytes 0xFF, which
//! no text has, and which stand for the end of the text in the table; and *matches* and *cannot match
//! any more* are states that no byte leads out of.

use std::collections::HashMap;

use regex_automata::dfa::{Automaton as _, dense};
use regex_automata::util::primitives::StateID;

use crate::text::strings::Rows;

/// Rows that are read in step; more do not fit into the registers of a processor.
const GROUP: usize = 8;

/// Bytes of a row that are laid out at a time.
const WINDOW: usize = 32;

/// The end of a text.
const END: u8 = 0xFF;

/// A state is a row of the table: its number, times 256.
type State = u16;

const MATCHES: State = 0;
const FAILS: State = 1 << 8;

/// What comes after a state and a byte, at the index of the two together.
#[derive(Debug)]
pub(super) struct Table {
    /// Of constant size, so that no index needs to be checked; pages that are not used take no
    /// memory.
    next: Box<[State; 1 << 16]>,
    start: State,
}

impl Table {
    /// The table of an automaton, if it has few enough states.
    pub(super) fn of(dfa: &dense::DFA<Vec<u32>>, start: StateID) -> Option<Self> {
        let mut table =
            Self { next: vec![0; 1 << 16].into_boxed_slice().try_into().ok()?, start: 0 };
        let mut states = States { dfa, numbers: HashMap::new(), todo: Vec::new() };
        table.fill(FAILS, |_| Some(FAILS))?;
        table.start = states.number(start)?;
        while let Some((id, state)) = states.todo.pop() {
            table.fill(state, |byte| match byte {
                END if dfa.is_match_state(dfa.next_eoi_state(id)) => Some(MATCHES),
                END => Some(FAILS),
                byte => states.number(dfa.next_state(id, byte)),
            })?;
        }
        Some(table)
    }

    fn fill(&mut self, state: State, mut next: impl FnMut(u8) -> Option<State>) -> Option<()> {
        for byte in 0..=255 {
            self.next[usize::from(state | State::from(byte))] = next(byte)?;
        }
        Some(())
    }

    #[inline]
    fn step(&self, state: State, byte: u8) -> State {
        self.next[usize::from(state | State::from(byte))]
    }

    /// Whether the pattern matches somewhere in the text.
    #[inline]
    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        let mut state = self.start;
        for part in text.chunks(2 * WINDOW) {
            state = part.iter().fold(state, |state, byte| self.step(state, *byte));
            if state <= FAILS {
                break;
            }
        }
        self.step(state, END) == MATCHES
    }

    /// Bit i: row `first + i` matches; only for the rows whose bit in `valid` is set.
    #[inline]
    pub(super) fn block(&self, rows: &impl Rows, first: usize, valid: u64) -> u64 {
        let last = rows.count() - 1;
        let mut matched = 0;
        for group in (0..64).step_by(GROUP) {
            if valid >> group & ((1 << GROUP) - 1) == 0 {
                continue;
            }
            // A row that is not asked for, or not there, is taken to be empty.
            let at: [usize; GROUP] = std::array::from_fn(|i| (first + group + i).min(last));
            let lengths: [usize; GROUP] = std::array::from_fn(|i| {
                if valid >> (group + i) & 1 == 1 { rows.length(at[i]) } else { 0 }
            });
            let states = self.group(rows, &at, &lengths);
            for (i, state) in states.iter().enumerate() {
                matched |= u64::from(*state == MATCHES) << (group + i);
            }
        }
        matched
    }

    #[inline]
    fn group(
        &self,
        rows: &impl Rows,
        at: &[usize; GROUP],
        lengths: &[usize; GROUP],
    ) -> [State; GROUP] {
        let longest = lengths.iter().fold(0, |longest, length| longest.max(*length));
        let mut states = [self.start; GROUP];
        let mut text = [[0; WINDOW]; GROUP];
        let mut from = 0;
        loop {
            for i in 0..GROUP {
                rows.window(at[i], from.min(lengths[i]), &mut text[i]);
                pad(&mut text[i], lengths[i].saturating_sub(from));
            }
            // To a multiple, so that groups take the same number and the processor foresees it.
            let steps = (longest - from + 1).next_multiple_of(4).min(WINDOW);
            #[expect(clippy::needless_range_loop, reason = "a column of the text, not a row")]
            for step in 0..steps {
                for i in 0..GROUP {
                    states[i] = self.step(states[i], text[i][step]);
                }
            }
            from += WINDOW;
            if from > longest || states.iter().all(|state| *state <= FAILS) {
                return states;
            }
        }
    }
}

/// Makes ends of text of all that follows `length` bytes.
#[inline]
fn pad(window: &mut [u8; WINDOW], length: usize) {
    const PADS: [u8; 2 * WINDOW] = {
        let mut pads = [0; 2 * WINDOW];
        let mut i = WINDOW;
        while i < pads.len() {
            pads[i] = END;
            i += 1;
        }
        pads
    };
    if let Some(pad) = PADS[WINDOW - length.min(WINDOW)..].first_chunk::<WINDOW>() {
        for (byte, pad) in window.iter_mut().zip(pad) {
            *byte |= pad;
        }
    }
}

/// The states that were met, and those whose bytes are still to be looked at.
struct States<'a> {
    dfa: &'a dense::DFA<Vec<u32>>,
    numbers: HashMap<StateID, State>,
    todo: Vec<(StateID, State)>,
}

impl States<'_> {
    fn number(&mut self, id: StateID) -> Option<State> {
        if self.dfa.is_match_state(id) {
            return Some(MATCHES);
        }
        if self.dfa.is_dead_state(id) {
            return Some(FAILS);
        }
        if self.dfa.is_quit_state(id) {
            return None;
        }
        if let Some(number) = self.numbers.get(&id) {
            return Some(*number);
        }
        // After the two that no byte leads out of.
        let number = State::from(u8::try_from(self.numbers.len() + 2).ok()?) << 8;
        self.numbers.insert(id, number);
        self.todo.push((id, number));
        Some(number)
    }
}
