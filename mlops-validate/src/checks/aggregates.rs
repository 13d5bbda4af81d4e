//! Rules about the data as a whole.

use std::time::Duration;

use mlops_core::Result;
use mlops_core::validation::{
    Aggregate, Anomaly, Distribution, DistributionMeasure, Expected, Freshness, Literal, Metric,
    RowCount, Tolerance,
};

use super::becomes_check;

/// The data has so many rows. Never vacuous: no rows are 0 rows.
///
/// * **Evidence**: a Parquet file's footer knows
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, row_count};
///
/// let rows = batch!(("x", Int32, [1, 2, 3]));
/// let outcome = judge(row_count().min(4), &rows)?;
/// assert_eq!((outcome.observed, outcome.status.as_str()), (Some(3.into()), "failed"));
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn row_count() -> RowCountBuilder {
    RowCountBuilder(RowCount { min: None, max: None })
}

/// A [`row_count`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct RowCountBuilder(pub(super) RowCount);

impl RowCountBuilder {
    /// The least number of rows.
    pub fn min(mut self, rows: u64) -> Self {
        self.0.min = Some(rows);
        self
    }

    /// The greatest number of rows.
    pub fn max(mut self, rows: u64) -> Self {
        self.0.max = Some(rows);
        self
    }

    /// This number of rows.
    pub fn exactly(self, rows: u64) -> Self {
        self.min(rows).max(rows)
    }
}

/// A [`Metric`] of the data (`sum(total)`, `quantile(delay, 0.9)`, `null_rate(tailnum)`) is in bounds, or
/// equal to another: of the same data, of another table, or of the previous run.
///
/// Sums are exact for integers and decimals, and correctly rounded for floats whatever the order of
/// rows, the batches and the threads.
///
/// * **Null, NaN**: nulls are left out; the sum, mean and deviation of a NaN are NaN, which is in no
///   bounds; extremes and quantiles leave it out
/// * **No values**: vacuous, a sum too; `rows`, `count`, `nulls` and `distinct` of nothing are 0
/// * **Memory**: constant; `distinct` as [`unique`](super::unique), `quantile` 8 bytes a value
/// * **Errors**: a metric that the column's type has not; no bound and nothing to be equal to
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{aggregate, judge};
///
/// let rows = batch!(("total", Float64, [0.1, 0.2, 0.3]), ("net", Float64, [0.1, 0.2, 0.2]));
/// let outcome = judge(aggregate("sum(total)")?.min(0).max(1), &rows)?;
/// assert_eq!(outcome.observed, Some(0.6.into()));
/// let apart = aggregate("sum(total)")?.equals("sum(net)")?;
/// assert_eq!(judge(apart.clone(), &rows)?.status.as_str(), "failed");
/// assert_eq!(judge(apart.within(0.11, 0.0), &rows)?.status.as_str(), "passed");
/// # Ok::<_, mlops_core::Error>(())
/// ```
///
/// # Errors
/// `Invalid` if the text is no metric.
pub fn aggregate(metric: &str) -> Result<AggregateBuilder> {
    Ok(AggregateBuilder(Aggregate {
        of: metric.parse()?,
        min: None,
        max: None,
        equals: None,
        tolerance: Tolerance::default(),
    }))
}

/// An [`aggregate`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct AggregateBuilder(pub(super) Aggregate);

impl AggregateBuilder {
    /// The least value.
    pub fn min(mut self, min: impl Into<Literal>) -> Self {
        self.0.min = Some(min.into());
        self
    }

    /// The greatest value.
    pub fn max(mut self, max: impl Into<Literal>) -> Self {
        self.0.max = Some(max.into());
        self
    }

    /// Equal to another metric of the same data.
    ///
    /// # Errors
    /// `Invalid` if the text is no metric.
    pub fn equals(mut self, metric: &str) -> Result<Self> {
        self.0.equals = Some(Expected::Same { metric: metric.parse()? });
        Ok(self)
    }

    /// Equal to a metric of another table: reconciliation.
    ///
    /// # Errors
    /// `Invalid` if the text is no metric.
    pub fn equals_in(mut self, reference: impl Into<String>, metric: &str) -> Result<Self> {
        let (metric, reference) = (metric.parse()?, reference.into());
        self.0.equals = Some(Expected::Reference { metric, reference });
        Ok(self)
    }

    /// Equal to that of the previous run; vacuous if there is none.
    pub fn equals_previous(mut self) -> Self {
        self.0.equals = Some(Expected::Previous { previous: true });
        self
    }

    /// How far apart they may be: so much, or this share of the other.
    pub fn within(mut self, absolute: f64, relative: f64) -> Self {
        self.0.tolerance = Tolerance { absolute, relative };
        self
    }
}

/// A metric is what earlier runs lead to expect: `anomaly("rows()")` watches the volume.
///
/// The value must lie around the median of the last runs, as far away as their robust spread (the
/// median of deviations) and their number make believable; how rarely a false alarm may come is
/// [`AnomalyBuilder::one_in`]. [`crate::stats::AnomalyRule`] has the formula and the measured rates.
///
/// * **No history**: vacuous with fewer runs than [`AnomalyBuilder::at_least`]
///
/// ```
/// use mlops_validate::batch;
/// use mlops_core::time::{Clock, SystemClock};
/// use mlops_core::validation::{Earlier, Suite};
/// use mlops_validate::checks::anomaly;
/// use mlops_validate::{Inputs, Plan};
///
/// let rows = batch!(("x", Int32, [1, 2, 3]));
/// let suite = Suite::new("daily")?.with(anomaly("rows()")?);
/// let mut inputs = Inputs::new(SystemClock.now());
/// for (day, rows) in [1000.0, 1010.0, 990.0, 1005.0, 995.0, 1002.0, 999.0, 1003.0].into_iter().enumerate() {
///     let at = inputs.now - std::time::Duration::from_secs(86_400 * (10 - day as u64));
///     inputs.history.push(Earlier { at, metrics: [("rows()".to_owned(), rows)].into() }, 100);
/// }
/// let report = Plan::new(&suite, &rows.schema(), &inputs)?.validate(&rows)?;
/// assert_eq!(report.outcomes[0].status.as_str(), "failed");
/// # Ok::<_, mlops_core::Error>(())
/// ```
///
/// # Errors
/// `Invalid` if the text is no metric.
pub fn anomaly(metric: &str) -> Result<AnomalyBuilder> {
    Ok(AnomalyBuilder(Anomaly {
        of: metric.parse::<Metric>()?,
        last: 30,
        at_least: 8,
        one_in: 1000,
        ignore_below: 0.0,
    }))
}

/// An [`anomaly`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct AnomalyBuilder(pub(super) Anomaly);

impl AnomalyBuilder {
    /// How many earlier runs are looked at.
    pub fn last(mut self, runs: u32) -> Self {
        self.0.last = runs;
        self
    }

    /// How many earlier runs there must be.
    pub fn at_least(mut self, runs: u32) -> Self {
        self.0.at_least = runs;
        self
    }

    /// A false alarm in one of so many runs is accepted.
    pub fn one_in(mut self, runs: u32) -> Self {
        self.0.one_in = runs;
        self
    }

    /// A change smaller than this share of the median is never an anomaly.
    pub fn ignore_below(mut self, share: f64) -> Self {
        self.0.ignore_below = share;
        self
    }
}

/// The newest instant of a column is at most so old when the data is validated.
///
/// Without a zone, instants and dates are taken as UTC; a date is its midnight.
///
/// * **Null**: left out; of nulls only, vacuous
/// * **Evidence**: the greatest value in a file's footer decides, if the file says that it is one
/// * **Errors**: a column that holds no instants
///
/// ```
/// use std::time::Duration;
/// use mlops_core::arrow::array::{RecordBatch, TimestampMicrosecondArray};
/// use mlops_core::time::{Clock, SystemClock};
/// use mlops_validate::checks::{freshness, judge};
///
/// let hour = Duration::from_secs(3600);
/// let written = SystemClock.now_micros() - 2 * hour.as_micros() as i64;
/// let column = TimestampMicrosecondArray::from(vec![Some(written), None]);
/// let rows = RecordBatch::try_from_iter([("at", std::sync::Arc::new(column) as _)]).unwrap();
/// let outcome = judge(freshness("at", hour), &rows)?;
/// assert_eq!(outcome.detail.as_deref(), Some("the newest is 2 h old"));
/// assert_eq!(judge(freshness("at", 3 * hour), &rows)?.status.as_str(), "passed");
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn freshness(column: impl Into<String>, max_age: Duration) -> FreshnessBuilder {
    FreshnessBuilder(Freshness {
        column: column.into(),
        max_age_secs: max_age.as_secs(),
        max_ahead_secs: 0,
    })
}

/// A [`freshness`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct FreshnessBuilder(pub(super) Freshness);

impl FreshnessBuilder {
    /// How far ahead the newest may lie, for clocks that differ.
    pub fn ahead(mut self, most: Duration) -> Self {
        self.0.max_ahead_secs = most.as_secs();
        self
    }
}

/// Values are distributed as in the profile of good data, by a measure of distance.
///
/// A numeric column is cut into 20 cells that are equally probable in the profile; nulls, NaN and
/// infinities have cells of their own. [`crate::stats`] has each measure's formula.
///
/// * **Null, NaN**: are counted, in their cells
/// * **No rows**: vacuous
/// * **Errors**: no such profile, or a column that it does not describe
///
/// ```
/// use mlops_core::arrow::array::{Float64Array, RecordBatch};
/// use mlops_core::time::{Clock, SystemClock};
/// use mlops_core::validation::{DistributionMeasure, Suite};
/// use mlops_validate::checks::distribution;
/// use mlops_validate::stats::Profile;
/// use mlops_validate::{Inputs, Plan};
///
/// let table = |values: Vec<f64>| {
///     RecordBatch::try_from_iter([("x", std::sync::Arc::new(Float64Array::from(values)) as _)]).unwrap()
/// };
/// let good = table((0..1000).map(f64::from).collect());
/// let mut profile = Profile::of(&good.schema());
/// profile.update(&good)?;
///
/// let suite = Suite::new("drift")?.with(distribution("x", "good", DistributionMeasure::Psi, 0.1));
/// let mut inputs = Inputs::new(SystemClock.now());
/// inputs.profiles.insert("good".into(), profile);
/// let plan = Plan::new(&suite, &good.schema(), &inputs)?;
/// assert!(plan.validate(&good)?.passed());
/// assert!(!plan.validate(&table((500..1500).map(f64::from).collect()))?.passed());
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn distribution(
    column: impl Into<String>,
    profile: impl Into<String>,
    measure: DistributionMeasure,
    max: f64,
) -> Distribution {
    Distribution { column: column.into(), profile: profile.into(), measure, max, cells: 20 }
}

becomes_check!(RowCountBuilder, AggregateBuilder, AnomalyBuilder, FreshnessBuilder);
