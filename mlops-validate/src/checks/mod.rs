//! Every rule, with what it means and an example that runs.
//!
//! Each function begins a rule; its methods fill in the rest; [`CheckExt`] says how much it matters.
//! [`judge`] runs one check over one batch, [`crate::Plan`] a suite over anything.
//!
//! ```
//! use mlops_core::validation::Suite;
//! use mlops_validate::checks::{CheckExt, compare, in_set, not_null, range, unique};
//!
//! # fn main() -> mlops_core::Result<()> {
//! let suite = Suite::new("orders")?
//!     .with_version(3)
//!     .with(unique(["order_id"]))
//!     .with(not_null("customer_id"))
//!     .with(range("quantity").min(1).max(100))
//!     .with(in_set("status", ["new", "paid", "shipped"]).mostly(0.999)?)
//!     .with(compare("shipped_at", ">=", "created_at")?.warn());
//! assert_eq!(suite.checks[4].name(), "compare(shipped_at >= created_at)");
//! # Ok(())
//! # }
//! ```
//!
//! # What all rules have in common
//!
//! **Three answers.** A row passes, fails, or is *skipped*: it has nothing to judge. Skipped rows are
//! counted and stand in no ratio; `judged + skipped + filtered` are all rows.
//! **Null** is skipped by rules about values, whatever the rule asks: completeness is a rule of its own
//! ([`not_null`]). [`CheckExt::nulls`] makes nulls fail, or pass.
//! **NaN** is a value, not a null. It is in no range and in no set, so it fails; [`CheckExt::nan`] skips
//! it or lets it pass. [`not_null`] passes NaN. To keys, NaN equals NaN and −0.0 equals 0.0.
//! **Nothing to judge** (no rows, nulls only, too short a history) is the status `vacuous`, neither
//! passed nor failed: what it counts as is the suite's [`OnEmpty`](mlops_core::validation::OnEmpty), a
//! warning if not said otherwise. So an empty table is never green by accident.
//! **Tolerance.** [`CheckExt::mostly`] lets a share of the judged rows fail, in integer arithmetic.
//! Rules that judge no rows have none.
//! **Filter.** [`CheckExt::filter`] takes a SQL expression; rows of which it is not true (false or
//! unknown) are not looked at.
//! **Encoding.** Dictionaries, views, large and sliced arrays never change an answer; values of a
//! dictionary that no row references do not count.
//! **Lists.** A rule about values that is asked about a list is asked about its items, null items left
//! out; the row fails if an item does. An empty list passes.
//! **Literals** take the column's type exactly, or are an error before any data is read. A bound between
//! two values of the column (`0.5` for integers) is exact.
//! **What is not there.** A column that the data has not is an error, not a failed check; only
//! [`schema`], [`column_type`] and [`fits`] answer for missing columns.

mod aggregates;
mod columns;
mod keys;
mod schemas;
mod values;

use arrow::array::RecordBatch;
use mlops_core::time::{Clock, SystemClock};
use mlops_core::validation::{Check, Mostly, NanPolicy, NullPolicy, Outcome, Severity, Suite};
use mlops_core::{Error, ErrorKind, Key, Result};

pub use self::aggregates::{
    AggregateBuilder, AnomalyBuilder, FreshnessBuilder, RowCountBuilder, aggregate, anomaly,
    distribution, freshness, row_count,
};
pub use self::columns::{
    all_or_none, compare, custom, expression, implies, mutually_exclusive, row_completeness,
};
pub use self::keys::{
    DistinctnessBuilder, ForeignKeyBuilder, OrderedBuilder, UniqueBuilder, distinctness,
    foreign_key, functional_dependency, ordered, unique,
};
pub use self::schemas::{
    FitsBuilder, SchemaBuilder, SourceBuilder, column_type, fits, fits_reference, schema, source,
};
pub use self::values::{
    LengthBuilder, PatternBuilder, RangeBuilder, format, in_set, is_null, length, matches,
    not_in_set, not_matches, not_null, range,
};
use crate::plan::{Inputs, Plan};

/// Runs one check over one batch, now.
///
/// For looking at a rule, and for tests; [`Plan`] compiles a suite once and runs it often.
///
/// # Errors
/// As [`Plan::new`].
pub fn judge(check: impl Into<Check>, batch: &RecordBatch) -> Result<Outcome> {
    let suite = Suite::new("check")?.with(check);
    let inputs = Inputs::new(SystemClock.now());
    let report = Plan::new(&suite, batch.schema_ref(), &inputs)?.validate(batch)?;
    let outcome = report.outcomes.into_iter().next();
    outcome.ok_or_else(|| Error::new(ErrorKind::Internal, "validate", "a check had no outcome"))
}

/// What every check has beside its rule.
pub trait CheckExt: Into<Check> {
    /// A failure is a warning: worth knowing, and the data passes.
    fn warn(self) -> Check {
        Check { severity: Severity::Warn, ..self.into() }
    }

    /// At least this share of the judged rows must pass.
    ///
    /// # Errors
    /// `Invalid` unless the share is more than 0 and at most 1.
    fn mostly(self, share: f64) -> Result<Check> {
        Ok(Check { mostly: Mostly::new(share)?, ..self.into() })
    }

    /// Only rows of which this SQL expression is true are looked at.
    fn filter(self, sql: impl Into<String>) -> Check {
        Check { filter: Some(sql.into()), ..self.into() }
    }

    /// What a null means to a rule about values.
    fn nulls(self, nulls: NullPolicy) -> Check {
        Check { nulls, ..self.into() }
    }

    /// What a NaN means to a rule about values.
    fn nan(self, nan: NanPolicy) -> Check {
        Check { nan, ..self.into() }
    }

    /// Gives the check a name of its own.
    ///
    /// # Errors
    /// `Invalid` for a name that is blank or too long.
    fn named(self, id: &str) -> Result<Check> {
        Ok(Check { id: Some(Key::new(id)?), ..self.into() })
    }

    /// Says why the check is there.
    fn because(self, description: impl Into<String>) -> Check {
        Check { description: Some(description.into()), ..self.into() }
    }
}

impl<T: Into<Check>> CheckExt for T {}

/// A rule that is being filled in becomes a check.
macro_rules! becomes_check {
    ($($builder:ident),*) => {$(
        impl From<$builder> for mlops_core::validation::Rule {
            fn from(builder: $builder) -> Self {
                builder.0.into()
            }
        }
    )*};
}

use becomes_check;

/// The columns of a rule.
fn owned<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Vec<String> {
    columns.into_iter().map(Into::into).collect()
}
