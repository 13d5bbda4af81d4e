//! The text of an expression, and the one place that words an error with its position.

use std::fmt::{Display, Write as _};

use mlops_core::{Error, Result};

use crate::MAX_BYTES;

pub(crate) const OPERATION: &str = "expression";

/// The characters that an error's excerpt shows to either side.
const EXCERPT: usize = 24;

/// A text, for the errors about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a>(pub(crate) &'a str);

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Self> {
        if text.len() > MAX_BYTES {
            return Err(Error::invalid(OPERATION, "the text is longer than 64 KiB")
                .with("bytes", text.len()));
        }
        Ok(Self(text))
    }

    /// An error about what begins at byte `at`: one line, with the place in an excerpt after a `^`.
    #[cold]
    pub(crate) fn fail(self, at: usize, problem: impl Display) -> Error {
        let (before, after) = self.0.split_at_checked(at).unwrap_or((self.0, ""));
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let skipped = before.char_indices().rev().nth(EXCERPT - 1).map_or(0, |(i, _)| i);
        let open = if skipped > 0 { "…" } else { "" };
        let excerpt = format!("{open}{}^{}", flat(&before[skipped..]), cut(after, EXCERPT));
        Error::invalid(OPERATION, format!("{problem} at {line}:{column}: {}", excerpt.trim()))
            .with("position", format_args!("{line}:{column}"))
    }
}

/// `text` on one line.
fn flat(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The first `chars` characters of `text`, on one line.
pub(crate) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", flat(&text[..end])),
        None => flat(text),
    }
}

/// The known name that `word` is a misspelling of: at most two edits, and not half of the word.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().take(32).collect();
    known
        .map(|name| (edits(&word, name), name))
        .filter(|(edits, _)| *edits <= 2 && edits * 2 < word.len().max(3))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Levenshtein's distance to the first characters of `name`, without regard to case.
fn edits(word: &[char], name: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (i, wanted) in name.to_lowercase().chars().take(40).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, c) in word.iter().enumerate() {
            let cost = (diagonal + usize::from(*c != wanted)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[word.len()]
}

/// Writes `text` between two `quote`s, doubling those inside.
pub(crate) fn quote(out: &mut impl std::fmt::Write, quote: char, text: &str) -> std::fmt::Result {
    out.write_char(quote)?;
    for c in text.chars() {
        if c == quote {
            out.write_char(c)?;
        }
        out.write_char(c)?;
    }
    out.write_char(quote)
}

/// Some of `names` for a hint.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for (i, name) in names.enumerate() {
        if i == 12 {
            out.push_str(", …");
            break;
        }
        let comma = if i == 0 { "" } else { ", " };
        let _ = write!(out, "{comma}{}", cut(name, 40));
    }
    out
}
