//! The texts of a few keys, for samples.
//!
//! A fingerprint cannot be read, so the text has to be kept while its row is at hand. It is kept for
//! the keys with the smallest row numbers, at most [`FirstTexts::KEYS`] of them: a rule that gives the
//! same texts however the rows are split, and that finds frequent keys, which come early.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::map::KeyMap;

/// Texts of the keys that occur first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u128, String)>", into = "Vec<(u64, u128, String)>")]
pub(crate) struct FirstTexts {
    /// First row of a key → the key and its text.
    rows: BTreeMap<(u64, u128), String>,
    /// A key → its first row.
    keys: KeyMap<u64>,
    /// The last of `rows` once it is full: what comes behind it is of no interest.
    last: Option<(u64, u128)>,
}

impl FirstTexts {
    /// Number of keys with a text. So the memory is at most some hundred KiB.
    pub(crate) const KEYS: usize = 1024;

    /// Notes that a key occurs in a row; `text` is called only if it is kept.
    #[inline]
    pub(crate) fn see(&mut self, key: u128, row: u64, text: impl FnOnce() -> String) {
        if self.last.is_none_or(|last| (row, key) < last) {
            self.insert(key, row, text);
        }
    }

    fn insert(&mut self, key: u128, row: u64, text: impl FnOnce() -> String) {
        match self.keys.get_mut(&key) {
            Some(first) if *first <= row => {}
            Some(first) => {
                // Equal values may be written differently (a scale, a zone): the first row decides.
                self.rows.remove(&(*first, key));
                *first = row;
                self.rows.insert((row, key), text());
            }
            None => {
                self.keys.insert(key, row);
                self.rows.insert((row, key), text());
                if self.keys.len() > Self::KEYS
                    && let Some(((_, last), _)) = self.rows.pop_last()
                {
                    self.keys.remove(&last);
                }
            }
        }
        if self.keys.len() == Self::KEYS {
            self.last = self.rows.last_key_value().map(|(last, _)| *last);
        }
    }

    /// The first texts of both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        for ((row, key), text) in other.rows {
            self.see(key, row, || text);
        }
        self
    }

    /// The text of a key, if it is one of the first.
    pub(crate) fn get(&self, key: u128) -> Option<&str> {
        let row = self.keys.get(&key)?;
        self.rows.get(&(*row, key)).map(String::as_str)
    }
}

/// Equal if the same texts are kept for the same rows.
impl PartialEq for FirstTexts {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl From<Vec<(u64, u128, String)>> for FirstTexts {
    fn from(stored: Vec<(u64, u128, String)>) -> Self {
        let mut texts = Self::default();
        for (row, key, text) in stored {
            texts.see(key, row, || text);
        }
        texts
    }
}

impl From<FirstTexts> for Vec<(u64, u128, String)> {
    fn from(texts: FirstTexts) -> Self {
        texts.rows.into_iter().map(|((row, key), text)| (row, key, text)).collect()
    }
}
