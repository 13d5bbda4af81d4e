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
//! ```
//! use mlops_core::validation::Report;
//! use mlops_validate::report::{self, TextStyle};
//!
//! let report: Report = serde_json::from_str(r#"{
//!     "suite": "orders", "suite_version": 3, "suite_digest": "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
//!     "verdict": "failed", "rows": 1000, "rows_failed": 12, "at": "2026-11-22T13:19:31Z",
//!     "nanos": 850000, "on_empty": "warn", "metrics": {}, "library": "0.1.0",
//!     "outcomes": [{
//!         "check": "range(total)", "rule": "range", "columns": ["total"],
//!         "severity": "error", "status": "failed", "expected": "at least 0", "nanos": 0,
//!         "counts": {"judged": 1000, "failed": 12, "skipped": 0, "filtered": 0},
//!         "samples": [{"row": 17, "values": ["-3.50"]}],
//!         "evidence": {"basis": "values", "rows_by_statistics": 0}
//!     }]
//! }"#)?;
//! assert_eq!(
//!     report::text(&report, &TextStyle::default()),
//!     "\
//! failed   range(total)  12 of 1,000 rows failed (1.20 %)
//!          expected: at least 0
//!          row 17: total -3.50
//!
//! failed   orders version 3: 1 of 1 check failed: the data is not fit to use.
//!          1,000 rows · 12 rows failed (1.20 %) · checks: 1 failed · 850 µs
//! ",
//! );
//! assert!(report::html(&report).contains("<h2>Failed <b>1</b></h2>"));
//! # Ok::<_, serde_json::Error>(())
//! ```
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
