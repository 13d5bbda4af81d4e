//! A number that is made of a whole column, written as in SQL: `mean(dep_delay)`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Function {
    /// How many rows; takes no column.
    Rows,
    /// How many values that are not null.
    Count,
    /// How many nulls.
    Nulls,
    /// Nulls as a share of rows; of no rows it is nothing.
    NullRate,
    /// How many different values, NaN as one; exact, 8 or 16 bytes a row.
    Distinct,
    /// [`Function::Distinct`] by a sketch of 16 KiB: standard error 0.8 %.
    ApproxDistinct,
    /// The sum: exact for integers and decimals, correctly rounded for floats in any order of rows.
    Sum,
    /// The sum over the count.
    Mean,
    /// The least value; NaN is none.
    Min,
    /// The greatest value; NaN is none.
    Max,
    /// The sample's standard deviation (n − 1).
    StdDev,
    /// The value below which a share `q` of the values lie, interpolated (type 7, as numpy's
    /// default); exact, 8 bytes a row.
    Quantile,
    /// [`Function::Quantile`] by a histogram: within 1/128 of the value.
    ApproxQuantile,
}

impl Function {
    const ALL: [Self; 13] = [
        Self::Rows,
        Self::Count,
        Self::Nulls,
        Self::NullRate,
        Self::Distinct,
        Self::ApproxDistinct,
        Self::Sum,
        Self::Mean,
        Self::Min,
        Self::Max,
        Self::StdDev,
        Self::Quantile,
        Self::ApproxQuantile,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Count => "count",
            Self::Nulls => "nulls",
            Self::NullRate => "null_rate",
            Self::Distinct => "distinct",
            Self::ApproxDistinct => "approx_distinct",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::StdDev => "stddev",
            Self::Quantile => "quantile",
            Self::ApproxQuantile => "approx_quantile",
        }
    }

    /// Whether it takes a share besides the column.
    pub fn takes_share(self) -> bool {
        matches!(self, Self::Quantile | Self::ApproxQuantile)
    }
}

/// A [`Function`] of a column; as text `rows()`, `sum(total)`, `quantile(dep_delay, 0.9)`.
///
/// A column whose name is no identifier stands in double quotes, `""` for one of them:
/// `max("unit price")`. NaN: [`Function::Sum`], [`Function::Mean`] and [`Function::StdDev`] of a column
/// with a NaN are NaN, which is in no bounds; [`Function::Min`], [`Function::Max`] and the quantiles
/// leave it out. Of no values all but `rows`, `count`, `nulls` and `distinct` are nothing.
///
/// ```
/// use mlops_core::validation::Metric;
///
/// let metric: Metric = "quantile( \"dep delay\" ,0.9)".parse()?;
/// assert_eq!(metric.to_string(), "quantile(\"dep delay\", 0.9)");
/// assert_eq!(
///     "average(x)".parse::<Metric>().unwrap_err().to_string(),
///     "metric: invalid: no such function (metric: average(x)); hint: one of rows, count, nulls, \
///      null_rate, distinct, approx_distinct, sum, mean, min, max, stddev, quantile, approx_quantile",
/// );
/// # Ok::<_, mlops_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Metric {
    function: Function,
    column: Option<String>,
    share: Option<f64>,
}

impl Metric {
    /// The number of rows.
    pub fn rows() -> Self {
        Self { function: Function::Rows, column: None, share: None }
    }

    /// `function` of `column`.
    ///
    /// # Errors
    /// `Invalid` for [`Function::Rows`], which takes no column, and the quantiles, which take a share
    /// besides: [`Metric::quantile`].
    pub fn of(function: Function, column: impl Into<String>) -> Result<Self> {
        if function == Function::Rows || function.takes_share() {
            return Err(Error::invalid("metric", "the function takes other arguments")
                .with("function", function.as_str())
                .with_hint("rows() takes none, quantile(column, share) two"));
        }
        Ok(Self { function, column: Some(column.into()), share: None })
    }

    /// The value of `column` below which a share `q` of the values lie.
    ///
    /// # Errors
    /// `Invalid` unless `0 ≤ q ≤ 1`.
    pub fn quantile(column: impl Into<String>, q: f64) -> Result<Self> {
        Self::share(Function::Quantile, column.into(), q)
    }

    /// [`Metric::quantile`] by a histogram, within 1/128 of the value.
    ///
    /// # Errors
    /// `Invalid` unless `0 ≤ q ≤ 1`.
    pub fn approx_quantile(column: impl Into<String>, q: f64) -> Result<Self> {
        Self::share(Function::ApproxQuantile, column.into(), q)
    }

    fn share(function: Function, column: String, q: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&q) {
            return Err(Error::invalid("metric", "a quantile's share is from 0 to 1")
                .with("share", q)
                .with_hint("the 90th percentile is quantile(column, 0.9)"));
        }
        Ok(Self { function, column: Some(column), share: Some(q) })
    }

    /// What is computed.
    pub fn function(&self) -> Function {
        self.function
    }

    /// Of which column; [`Function::Rows`] has none.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }

    /// The share of a quantile.
    pub fn q(&self) -> Option<f64> {
        self.share
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.as_str())?;
        if let Some(column) = &self.column {
            if is_identifier(column) {
                f.write_str(column)?;
            } else {
                write!(f, "\"{}\"", column.replace('"', "\"\""))?;
            }
        }
        if let Some(share) = self.share {
            write!(f, ", {share}")?;
        }
        f.write_str(")")
    }
}

/// Letters, digits, `_`, and the `.`, `[` and `]` of paths into nested columns.
fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']'))
}

impl FromStr for Metric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |message: &'static str| Error::invalid("metric", message).with("metric", text);
        let form = "written as sum(column), quantile(column, 0.9) or rows()";
        let (name, rest) = text.split_once('(').ok_or_else(|| bad("no `(`").with_hint(form))?;
        let name = name.trim();
        let function = Function::ALL.into_iter().find(|f| f.as_str() == name).ok_or_else(|| {
            let names: Vec<&str> = Function::ALL.into_iter().map(Function::as_str).collect();
            bad("no such function").with_hint(format!("one of {}", names.join(", ")))
        })?;
        let inside = rest
            .trim_end()
            .strip_suffix(')')
            .ok_or_else(|| bad("no `)` at the end").with_hint(form))?
            .trim();
        if function == Function::Rows {
            return match inside {
                "" => Ok(Self::rows()),
                _ => Err(bad("rows() takes no column").with_hint("count(column) counts values")),
            };
        }
        let (column, rest) = column_of(inside).ok_or_else(|| bad("no column").with_hint(form))?;
        match (function.takes_share(), rest.trim().strip_prefix(',')) {
            (true, Some(share)) => {
                let share = share.trim().parse().map_err(|_| bad("the share is no number"))?;
                Self::share(function, column, share)
            }
            (false, None) if rest.trim().is_empty() => Self::of(function, column),
            _ => Err(bad("the function takes other arguments").with_hint(form)),
        }
    }
}

/// The column at the start of `text`, and what follows.
fn column_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        let column = text[..end].trim();
        return is_identifier(column).then(|| (column.to_owned(), &text[end..]));
    };
    let mut column = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        column.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                column.push('"');
                rest = more;
            }
            None => return (!column.is_empty()).then_some((column, rest)),
        }
    }
}

impl TryFrom<String> for Metric {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}
