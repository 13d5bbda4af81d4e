//! A [`Report`] as people and build servers read it.
//!
//! | for | function | what it is |
//! |---|---|---|
//! | a person | [`html`] | one page that needs no network, no script and no other file |
//! | a pull request | [`markdown`] | a comment: the verdict, a table of what failed, the rest folded |
//! | a build server | [`junit`] | JUnit XML: a test case for each check |
//! | a terminal | [`text`] | a line for each check, the verdict last |
//! | a program | the report itself | `serde` writes and reads it as JSON; nothing is added here |
//!
//! The non-obvious decision: what is shown is hostile. Samples, column names and patterns come from
//! data that somebody else wrote, so every form escapes by type (there is no way to write a text that
//! is not escaped), and characters that cannot be seen or that turn the reading direction around are
//! written out: `\u{202e}`. Long texts are cut, and it is said by how much; the JSON form has the whole.
//!
//! What it does not do: decide. Verdicts, counts and shares are those of the report.

mod escape;
mod html;
mod junit;
mod markdown;
mod text;
mod view;
mod words;

#[cfg(test)]
mod tests;

pub use self::html::html;
pub use self::junit::junit;
pub use self::markdown::markdown;
pub use self::text::{TextStyle, text};

#[cfg(doc)]
use mlops_core::validation::Report;
