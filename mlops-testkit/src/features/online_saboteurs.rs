//! Online stores that commit one sin each: the test of the cases of `OnlineStore`.

mod list;
mod model;

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use self::list::SABOTEURS;
use self::model::Model;
use super::online::{OnlineFixture, online_cases};
use super::run_here;
use crate::saboteurs::quietly;

/// What a saboteur does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnlineSin {
    /// Nothing: what the others do wrong is done by a store that is right without it.
    None,
    /// Says that the last row of a batch was written, and forgets it.
    LosesTheLastWrite,
    /// Keeps what came last, not what is greatest.
    TheLastToComeWins,
    /// Does not keep rows that are ahead of the clock.
    IgnoresRowsAhead,
    /// Counts rows that changed nothing as changed.
    CountsStaleAsChanged,
    /// Does not look at the watermark that is expected.
    AdvancesAnyhow,
    /// Answers tables in the order of their names.
    AnswersByName,
    /// Takes a null for the empty key.
    TakesNullForEmpty,
    /// Cuts keys at the first zero byte, as C does.
    CutsKeys,
    /// Counts the keys that it was given.
    CountsErasedTwice,
    /// Forgets the watermark with the keys that are erased.
    ForgetsTheWatermark,
    /// Keeps the watermark of a table that is dropped.
    KeepsTheWatermark,
    /// Lists tables that were only looked at.
    ListsWhatWasRead,
    /// Hands out memory that does not see later writes.
    FreezesMemory,
    /// Answers a second handle from what it has read once.
    ReadsStale,
    /// Has nothing when it is opened again.
    IsNotDurable,
    /// Cuts payloads after 64 KiB.
    CutsPayloads,
    /// Leaves keys that are erased in memory.
    ErasesNothing,
}

/// A wrong store, and the cases that must notice.
#[derive(Debug, Clone, Copy)]
pub struct OnlineSaboteur {
    /// Its name: `saboteur::last_to_come_wins`.
    pub name: &'static str,
    /// What it does wrong.
    pub sin: OnlineSin,
    /// The cases that must notice; it passes all others.
    pub caught_by: &'static [&'static str],
    /// Cases of many threads, which notice it if the moment is right.
    pub sometimes: &'static [&'static str],
}

/// One test for each saboteur: it fails the cases that name its sin, and no other.
pub fn online_saboteur_trials() -> Vec<Trial> {
    let trial = |saboteur: &'static OnlineSaboteur| {
        Trial::test(format!("saboteur::{}", saboteur.name), || saboteur.is_caught())
    };
    online_saboteurs().iter().map(trial).collect()
}

/// All saboteurs.
pub fn online_saboteurs() -> &'static [OnlineSaboteur] {
    SABOTEURS
}

impl OnlineSaboteur {
    /// A fresh store that sins.
    pub fn open(&self) -> OnlineFixture {
        let first = Model::new(self.sin);
        let state = first.clone();
        let mut fixture = OnlineFixture::new(Arc::new(first));
        fixture.reopen = Some(Arc::new(move || Arc::new(state.opened_again())));
        fixture
    }

    /// Runs every case and compares those that fail with [`OnlineSaboteur::caught_by`].
    ///
    /// # Errors
    /// Which cases failed and should not have, and which should have and did not.
    pub fn is_caught(&self) -> std::result::Result<(), Failed> {
        let cases = online_cases();
        let mut wrong = Vec::new();
        for case in cases.iter().filter(|case| !self.sometimes.contains(&case.name)) {
            let passes = quietly(|| run_here((case.run)(self.open())));
            match (passes, self.caught_by.contains(&case.name)) {
                (true, true) => wrong.push(format!("not noticed by {}", case.name)),
                (false, false) => wrong.push(format!("also fails {}", case.name)),
                _ => {}
            }
        }
        let known = |name: &&&str| cases.iter().any(|case| case.name == **name);
        let named = self.caught_by.iter().chain(self.sometimes);
        wrong.extend(named.filter(|name| !known(name)).map(|name| format!("no case {name}")));
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
    }
}
