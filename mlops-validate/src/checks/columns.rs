//! Rules about several columns of one row.

use mlops_core::validation::{
    AllOrNone, Compare, Comparison, Custom, Expression, Implies, MutuallyExclusive, RowCompleteness,
};
use mlops_core::{Error, Result};
use serde_json::Value;

use super::owned;

/// In each row all of the columns are null, or none is: latitude and longitude.
///
/// * **Null, NaN**: nulls are what is asked about, nothing is skipped; NaN is a value
/// * **Errors**: fewer than two columns
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{all_or_none, judge};
///
/// let rows = batch!(
///     ("lat", Float64, [Some(1.0), None, None]),
///     ("lon", Float64, [Some(2.0), None, Some(3.0)])
/// );
/// assert_eq!(judge(all_or_none(["lat", "lon"]), &rows)?.counts.failed, 1);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn all_or_none<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> AllOrNone {
    AllOrNone { columns: owned(columns) }
}

/// In each row at most one of the columns is not null; with `required`, exactly one.
///
/// * **Null, NaN**: as [`all_or_none`]
/// * **Errors**: fewer than two columns
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, mutually_exclusive};
///
/// let rows = batch!(
///     ("card", Utf8, [Some("4111"), None, Some("4222"), None]),
///     ("iban", Utf8, [None, Some("DE89"), Some("DE12"), None])
/// );
/// assert_eq!(judge(mutually_exclusive(["card", "iban"], false), &rows)?.counts.failed, 1);
/// assert_eq!(judge(mutually_exclusive(["card", "iban"], true), &rows)?.counts.failed, 2);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn mutually_exclusive<S: Into<String>>(
    columns: impl IntoIterator<Item = S>,
    required: bool,
) -> MutuallyExclusive {
    MutuallyExclusive { columns: owned(columns), required }
}

/// In each row at least `min` of the columns are not null.
///
/// * **Null, NaN**: as [`all_or_none`]
/// * **Errors**: fewer than two columns, or more asked for than there are
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, row_completeness};
///
/// let rows = batch!(
///     ("mail", Utf8, [Some("a@b.c"), None]),
///     ("phone", Utf8, [None::<&str>, None])
/// );
/// assert_eq!(judge(row_completeness(["mail", "phone"], 1), &rows)?.counts.failed, 1);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn row_completeness<S: Into<String>>(
    columns: impl IntoIterator<Item = S>,
    min: u64,
) -> RowCompleteness {
    RowCompleteness { columns: owned(columns), min }
}

/// In each row one column compares with another: `<`, `<=`, `=`, `!=`, `>=`, `>`.
///
/// Types of one family compare exactly: integers of any width, an integer with a float, decimals of
/// two scales, instants of two units.
///
/// * **Null, NaN**: a row with a null on either side is skipped; one with a NaN fails (policy)
/// * **Errors**: columns of two families; an instant with a zone beside one without
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{compare, judge};
///
/// let rows = batch!(
///     ("low", Int32, [Some(1), Some(5), None]),
///     ("high", Float64, [1.5, 4.5, 0.0])
/// );
/// let outcome = judge(compare("low", "<=", "high")?, &rows)?;
/// assert_eq!((outcome.counts.failed, outcome.counts.skipped), (1, 1));
/// # Ok::<_, mlops_core::Error>(())
/// ```
///
/// # Errors
/// `Invalid` for another sign.
pub fn compare(left: impl Into<String>, op: &str, right: impl Into<String>) -> Result<Compare> {
    let op: Comparison = serde_json::from_value(Value::from(op)).map_err(|_| {
        Error::invalid("suite", "not a comparison")
            .with("sign", op)
            .with_hint("one of <, <=, =, !=, >=, >")
    })?;
    Ok(Compare { left: left.into(), op, right: right.into() })
}

/// A SQL expression is true in each row: a business rule. [`mlops_expr`] says what the language is.
///
/// * **Null, NaN**: a row for which it is unknown is skipped, as in SQL's `CHECK`; NaN as the expression
///   says, where NaN equals NaN and is greater than everything
/// * **Errors**: it does not parse, names a column that is not there, does not type-check, or is no
///   condition; the message shows where
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{expression, judge};
///
/// let rows = batch!(
///     ("price", Float64, [10.0, 10.0, 10.0]),
///     ("quantity", Int32, [Some(2), Some(3), None]),
///     ("total", Float64, [20.0, 29.0, 10.0])
/// );
/// let outcome = judge(expression("abs(price * quantity - total) < 0.005"), &rows)?;
/// assert_eq!((outcome.counts.failed, outcome.counts.skipped), (1, 1));
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn expression(sql: impl Into<String>) -> Expression {
    Expression { sql: sql.into() }
}

/// In each row where one SQL expression is true, another is.
///
/// * **Null, NaN**: where `when` is false or unknown the row is left out, as by a filter; then as
///   [`expression`]
/// * **Errors**: as [`expression`], for both
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{implies, judge};
///
/// let rows = batch!(
///     ("state", Utf8, ["CA", "CA", "NY"]),
///     ("zip", Utf8, ["94103", "10001", "10001"])
/// );
/// let outcome = judge(implies("state = 'CA'", "zip like '9%'"), &rows)?;
/// assert_eq!((outcome.counts.judged, outcome.counts.failed, outcome.counts.filtered), (2, 1, 1));
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn implies(when: impl Into<String>, then: impl Into<String>) -> Implies {
    Implies { when: when.into(), then: then.into() }
}

/// A function of your own program judges the rows: see [`crate::RowFunction`].
///
/// * **Null, NaN**: a row for which it answers null is skipped
/// * **Errors**: no function of that name was handed in; it answers for another number of rows; its
///   own errors
///
/// ```
/// use mlops_core::arrow::array::{ArrayRef, AsArray};
/// use mlops_validate::batch;
/// use mlops_core::arrow::datatypes::Int32Type;
/// use mlops_core::time::{Clock, SystemClock};
/// use mlops_core::validation::Suite;
/// use mlops_validate::checks::custom;
/// use mlops_validate::{Inputs, Plan, row_function};
///
/// let rows = batch!(("n", Int32, [2, 3, 4]));
/// let suite = Suite::new("numbers")?.with(custom("is_even", ["n"]));
/// let mut inputs = Inputs::new(SystemClock.now());
/// inputs.functions.insert("is_even".into(), row_function(|columns: &[ArrayRef], _: &_| {
///     Ok(columns[0].as_primitive::<Int32Type>().iter().map(|n| n.map(|n| n % 2 == 0)).collect())
/// }));
/// let report = Plan::new(&suite, &rows.schema(), &inputs)?.validate(&rows)?;
/// assert_eq!(report.outcomes[0].counts.failed, 1);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn custom<S: Into<String>>(
    function: impl Into<String>,
    columns: impl IntoIterator<Item = S>,
) -> Custom {
    Custom { function: function.into(), columns: owned(columns), options: Value::Null }
}
