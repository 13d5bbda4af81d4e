//! Offline stores that commit one sin each: the test of the cases.
//!
//! Each wraps a store that is right and names the cases that must notice. It must fail exactly these,
//! and random histories must find it where they can.

mod list;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::executor::block_on;
use libtest_mimic::{Failed, Trial};
use mlops_core::features::OfflineStore;

pub use self::list::OFFLINE_SABOTEURS;
pub use super::sinner::OfflineSin;
use super::sinner::Sinner;
use super::{OfflineFixture, OfflineOpened, differential, offline_cases};
use crate::saboteurs::quietly;

/// A wrong offline store, and the cases that must notice.
#[derive(Debug, Clone, Copy)]
pub struct OfflineSaboteur {
    /// What it does wrong.
    pub sin: OfflineSin,
    /// The cases that name its sin, over appended rows or over files; it passes all others.
    pub caught_by: &'static [&'static str],
    /// Whether random histories find it too.
    pub found_at_random: bool,
}

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
        let (mut known, mut noticed) = (BTreeSet::new(), BTreeSet::new());
        for case in offline_cases() {
            let name = case.name.strip_suffix("_in_files").unwrap_or(&case.name).to_owned();
            let fixture = self.around(open)?;
            if !quietly(|| block_on((case.run)(fixture))) {
                noticed.insert(name.clone());
            }
            known.insert(name);
        }
        let expected: BTreeSet<String> =
            self.caught_by.iter().map(|name| (*name).to_owned()).collect();
        let said = |how: &'static str| move |name: &String| format!("{how} {name}");
        let mut wrong: Vec<String> =
            expected.difference(&noticed).map(said("not noticed by")).collect();
        wrong.extend(noticed.difference(&expected).map(said("also fails")));
        wrong.extend(expected.difference(&known).map(said("no case")));
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
