//! A suite proposed from a profile of good data, with a reason for each check.
//!
//! A proposal is a draft for a person who knows the data. So it is conservative: bounds have margins,
//! what may differ tomorrow by chance is a warning, and nothing is proposed that the counts do not
//! prove. The non-obvious decision is that the law decides what may be proposed: *the data that the
//! profile was made of passes its own suite*. A profile has counts of each column alone, so rules
//! across columns (all or none, functional dependencies) are not proposed: two columns with as many
//! nulls need not have them in the same rows.

mod bounds;
mod column;
#[cfg(test)]
mod tests;

use std::fmt;

use mlops_core::registry::{Column, ColumnType};
use mlops_core::time::Instant;
use mlops_core::validation::{Check, RowCount, Rule, Schema, SchemaMode, Suite};
use mlops_core::{Error, Key, Result};
use serde::{Deserialize, Serialize};

use crate::stats::Profile;

const OPERATION: &str = "suite.suggest";

/// How bold a proposal is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SuggestOptions {
    /// The suite's name.
    pub name: String,
    /// A column of text with more different values gets no `in_set`; 20.
    pub max_categories: usize,
    /// With fewer values nothing is said about them: they may all be chance; 100.
    pub min_values: u64,
    /// How far beyond the least and the greatest value a range goes, as a share of their distance; 0.25.
    pub margin: f64,
    /// How far the number of rows may go up and down, as a share; 0.5.
    pub rows_margin: f64,
    /// When the profile was made; without it no `freshness` is proposed.
    pub now: Option<Instant>,
}

impl SuggestOptions {
    /// The defaults, for a suite of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            max_categories: 20,
            min_values: 100,
            margin: 0.25,
            rows_margin: 0.5,
            now: None,
        }
    }

    /// Says when the profile was made.
    pub fn with_now(mut self, now: Instant) -> Self {
        self.now = Some(now);
        self
    }

    /// Sets how few values are too few.
    pub fn with_min_values(mut self, min_values: u64) -> Self {
        self.min_values = min_values;
        self
    }
}

/// A proposed suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The suite.
    pub suite: Suite,
    /// Why each check is in it, in the same order.
    pub reasons: Vec<Reason>,
}

/// Why a check is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The check's name.
    pub check: String,
    /// What the profile shows: `336,776 of 336,776 values are not null`.
    pub reason: String,
}

/// Proposes a suite from a profile of good data.
///
/// ```
/// use std::sync::Arc;
/// use mlops_core::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use mlops_validate::stats::Profile;
/// use mlops_validate::suite::{SuggestOptions, suggest};
///
/// # fn main() -> mlops_core::Result<()> {
/// let origins: StringArray = (0..300).map(|i| Some(["EWR", "JFK", "LGA"][i % 3])).collect();
/// let batch = RecordBatch::try_from_iter([
///     ("id", Arc::new(Int64Array::from_iter_values(1..=300)) as ArrayRef),
///     ("origin", Arc::new(origins)),
/// ]).unwrap();
/// let mut profile = Profile::of(batch.schema_ref());
/// profile.update(&batch)?;
///
/// let suggestion = suggest(&profile, &SuggestOptions::new("flights"))?;
/// let reasons: Vec<String> =
///     suggestion.reasons.iter().map(|r| format!("{}: {}", r.check, r.reason)).collect();
/// assert_eq!(reasons, [
///     "row_count: there are 300 rows",
///     "schema: it has these 2 columns",
///     "not_null(id): 300 of 300 values are not null",
///     "range(id): values go from 1 to 300",
///     "unique(id): all 300 values differ",
///     "not_null(origin): 300 of 300 values are not null",
///     "in_set(origin): 300 values are 3 different ones",
/// ]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Invalid`: a profile of no rows or no columns, or a name that is none.
pub fn suggest(profile: &Profile, options: &SuggestOptions) -> Result<Suggestion> {
    if profile.rows() == 0 || profile.columns().is_empty() {
        return Err(Error::invalid(OPERATION, "the profile has no rows")
            .with("rows", profile.rows())
            .with("columns", profile.columns().len())
            .with_hint("a suite is proposed from good data"));
    }
    let mut draft = Draft { suite: Suite::new(&options.name)?, reasons: Vec::new() };
    let rows = profile.rows();
    let share = if options.rows_margin.is_finite() { options.rows_margin.max(0.0) } else { 1.0 };
    let slack = (rows as f64 * share).ceil() as u64;
    draft.add(
        Check::from(RowCount {
            min: Some(rows.saturating_sub(slack).max(1)),
            max: Some(rows.saturating_add(slack)),
        })
        .warn(),
        format!("there are {} rows", Grouped(rows)),
    );
    let columns: Vec<Column> = profile.columns().iter().filter_map(column_of).collect();
    if !columns.is_empty() {
        let reason = format!("it has these {} columns", columns.len());
        let rule = Rule::from(Schema {
            columns,
            mode: SchemaMode::Contains,
            ordered: false,
            nullability: false,
        });
        let mut check = Check::from(rule);
        check.id = Key::new("schema").ok();
        draft.add(check, reason);
    }
    for column in profile.columns() {
        column::suggest(column, options, &mut draft);
    }
    Ok(Suggestion { suite: draft.suite, reasons: draft.reasons })
}

fn column_of(column: &crate::stats::ColumnProfile) -> Option<Column> {
    let data_type: ColumnType = column.data_type().parse().ok()?;
    Some(Column { name: Key::new(column.name()).ok()?, data_type, nullable: true })
}

struct Draft {
    suite: Suite,
    reasons: Vec<Reason>,
}

impl Draft {
    fn add(&mut self, check: Check, reason: String) {
        let name = check.name();
        // A column can be called "a, b"; of two checks of one name the first is enough.
        if self.reasons.iter().all(|known| known.check != name) {
            self.reasons.push(Reason { check: name, reason });
            self.suite.checks.push(check);
        }
    }
}

/// A count as people read it: `336,776`.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}
