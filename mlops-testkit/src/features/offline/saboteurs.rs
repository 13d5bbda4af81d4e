//! Offline stores that commit one sin each: the test of the cases.
//!
//! Each wraps a store that is right and names the cases that must notice. It must fail exactly these,
//! and random histories must find it where they can.

use std::sync::Arc;

use futures::executor::block_on;
use libtest_mimic::{Failed, Trial};
use mlops_core::features::OfflineStore;

pub use super::sinner::OfflineSin;
use super::sinner::Sinner;
use super::{OfflineFixture, OfflineOpened, differential, offline_cases};
use crate::saboteurs::quietly;

/// A wrong offline store, and the cases that must notice.
#[derive(Debug, Clone, Copy)]
pub struct OfflineSaboteur {
    /// What it does wrong.
    pub sin: OfflineSin,
    /// The cases that name its sin; it fails these and passes all others.
    pub caught_by: &'static [&'static str],
    /// Whether random histories find it too.
    pub found_at_random: bool,
}

/// All of them.
pub const OFFLINE_SABOTEURS: &[OfflineSaboteur] = &[
    OfflineSaboteur { sin: OfflineSin::None, caught_by: &[], found_at_random: false },
    OfflineSaboteur { sin: OfflineSin::DropsUnmatched, caught_by: &[], found_at_random: true },
    OfflineSaboteur { sin: OfflineSin::IgnoresTtl, caught_by: &[], found_at_random: true },
    OfflineSaboteur { sin: OfflineSin::TruncatesTtl, caught_by: &[], found_at_random: true },
    OfflineSaboteur { sin: OfflineSin::FirstOfTies, caught_by: &[], found_at_random: true },
    OfflineSaboteur { sin: OfflineSin::CarriesNullBack, caught_by: &[], found_at_random: true },
    OfflineSaboteur { sin: OfflineSin::IgnoresCutOff, caught_by: &[], found_at_random: true },
    OfflineSaboteur { sin: OfflineSin::NullIsZero, caught_by: &[], found_at_random: true },
    OfflineSaboteur { sin: OfflineSin::AlwaysStrict, caught_by: &[], found_at_random: true },
    OfflineSaboteur { sin: OfflineSin::NeverStrict, caught_by: &[], found_at_random: true },
    OfflineSaboteur { sin: OfflineSin::TruncatesAsks, caught_by: &[], found_at_random: true },
    OfflineSaboteur { sin: OfflineSin::GuessesKeys, caught_by: &[], found_at_random: false },
    OfflineSaboteur { sin: OfflineSin::ForgetsTokens, caught_by: &[], found_at_random: false },
    OfflineSaboteur { sin: OfflineSin::SkipsBadRows, caught_by: &[], found_at_random: false },
    OfflineSaboteur { sin: OfflineSin::ForgetsPositions, caught_by: &[], found_at_random: false },
    OfflineSaboteur { sin: OfflineSin::ClosedRange, caught_by: &[], found_at_random: false },
    OfflineSaboteur { sin: OfflineSin::ErasesNothing, caught_by: &[], found_at_random: false },
];

/// Two tests for each saboteur around the store that is opened: it fails the cases that name its sin,
/// and no other; and random histories find it, where they can.
pub fn offline_saboteur_trials(open: fn() -> OfflineOpened) -> Vec<Trial> {
    let mut trials = Vec::new();
    for saboteur in OFFLINE_SABOTEURS {
        let name = format!("saboteur::{:?}", saboteur.sin);
        trials.push(Trial::test(name.clone(), move || saboteur.is_caught(open)));
        if saboteur.found_at_random {
            let name = format!("{name}_is_found_at_random");
            trials.push(Trial::test(name, move || saboteur.is_found(open)));
        }
    }
    trials
}

impl OfflineSaboteur {
    /// Runs every case and compares those that fail with [`OfflineSaboteur::caught_by`].
    ///
    /// # Errors
    /// Which cases failed and should not have, and which should have and did not.
    pub fn is_caught(&self, open: fn() -> OfflineOpened) -> Result<(), Failed> {
        let cases = offline_cases();
        let mut wrong = Vec::new();
        for case in &cases {
            let fixture = self.around(open)?;
            let passes = quietly(|| block_on((case.run)(fixture)));
            match (passes, self.caught_by.contains(&case.name.as_str())) {
                (true, true) => wrong.push(format!("not noticed by {}", case.name)),
                (false, false) => wrong.push(format!("also fails {}", case.name)),
                _ => {}
            }
        }
        let known = |name: &&&str| cases.iter().any(|case| case.name == **name);
        let unknown = self.caught_by.iter().filter(|name| !known(name));
        wrong.extend(unknown.map(|name| format!("no case {name}")));
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
    }

    /// Compares it with the oracle over random histories, a tenth of those that a backend passes.
    ///
    /// # Errors
    /// If nothing differs.
    pub fn is_found(&self, open: fn() -> OfflineOpened) -> Result<(), Failed> {
        let fixture = self.around(open)?;
        let mut found = true;
        quietly(|| found = differential::find(&fixture, super::OFFLINE_ANSWERS / 10).is_err());
        if found { Ok(()) } else { Err("random histories did not find it".into()) }
    }

    fn around(&self, open: fn() -> OfflineOpened) -> Result<OfflineFixture, Failed> {
        let mut fixture = open().map_err(|absent| absent.to_string())?;
        let sin = self.sin;
        fixture.store = Arc::new(Sinner { sin, inner: fixture.store });
        fixture.reopen = fixture.reopen.map(|reopen| {
            let again = move || Arc::new(Sinner { sin, inner: reopen() }) as Arc<dyn OfflineStore>;
            Arc::new(again) as super::ReopenOffline
        });
        Ok(fixture)
    }
}
