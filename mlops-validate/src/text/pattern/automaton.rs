//! Matching one text with an automaton of `regex-automata`: exact for every pattern and every text.
//!
//! A dense automaton costs one load for each byte, but its table grows with the pattern. Where it has
//! few states they go into a [`Table`]; where it would not fit a processor's cache, or where Unicode's
//! word boundaries are asked for, the crate's own choice of engines takes its place. All of them take time in proportion to the text.

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, meta};
use regex_syntax::hir::Hir;

use super::table::Table;

/// Largest table; about the second-level cache of a core.
const TABLE_BYTES: usize = 512 * 1024;

/// Largest state machine that is made into a table, so that making it stays a matter of
/// milliseconds.
const TABLE_SOURCE_BYTES: usize = 128 * 1024;

/// Largest state machine at all.
const SOURCE_BYTES: usize = 10 * 1024 * 1024;

/// A compiled pattern that answers for one text.
#[derive(Debug)]
pub(super) enum Automaton {
    /// A table of few states.
    Table(Table),
    /// A table of more, and the state to begin with.
    Dense(Box<dense::DFA<Vec<u32>>>, StateID),
    /// Whatever the crate thinks best.
    Meta(Box<meta::Regex>),
}

impl Automaton {
    /// The best automaton for the pattern; `None` if it is too large for any.
    pub(super) fn new(hir: &Hir) -> Option<Self> {
        let Some(dense) = Self::dense(hir) else {
            return Self::meta(hir);
        };
        Some(dense.table().unwrap_or(dense))
    }

    /// The small table that does the same, if it has one.
    pub(super) fn table(&self) -> Option<Self> {
        match self {
            Self::Dense(dfa, start) => Table::of(dfa, *start).map(Self::Table),
            _ => None,
        }
    }

    pub(super) fn dense(hir: &Hir) -> Option<Self> {
        if hir.properties().look_set().contains_word_unicode() {
            return None;
        }
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .nfa_size_limit(Some(TABLE_SOURCE_BYTES))
                    .which_captures(thompson::WhichCaptures::None),
            )
            .build_from_hir(hir)
            .ok()?;
        let config = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(TABLE_BYTES))
            .determinize_size_limit(Some(TABLE_BYTES));
        let dfa = dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::No)).ok()?;
        Some(Self::Dense(Box::new(dfa), start))
    }

    pub(super) fn meta(hir: &Hir) -> Option<Self> {
        let config = meta::Config::new()
            .nfa_size_limit(Some(SOURCE_BYTES))
            .which_captures(thompson::WhichCaptures::None);
        let regex = meta::Builder::new().configure(config).build_from_hir(hir).ok()?;
        Some(Self::Meta(Box::new(regex)))
    }

    /// Whether the pattern matches somewhere in the text, which is valid UTF-8.
    #[inline]
    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Self::Table(table) => table.is_match(text),
            Self::Meta(regex) => regex.is_match(text),
            Self::Dense(dfa, start) => {
                let mut state = *start;
                for byte in text {
                    state = dfa.next_state(state, *byte);
                    if dfa.is_special_state(state) {
                        if dfa.is_match_state(state) {
                            return true;
                        }
                        // It quits on no byte: see `dense`.
                        if dfa.is_dead_state(state) {
                            return false;
                        }
                    }
                }
                dfa.is_match_state(dfa.next_eoi_state(state))
            }
        }
    }
}
