//! Questions to a tracker, and pages of answers.

use serde::{Deserialize, Serialize};

use crate::filter::{Filter, OrderBy};
use crate::{Error, ExperimentId, Result};

/// Most records on one page.
pub const MAX_PAGE: usize = 50_000;

/// Whether the trash is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum View {
    /// What is not deleted.
    #[default]
    Active,
    /// What is in the trash.
    Deleted,
    /// Both.
    All,
}

impl View {
    /// Whether a record that is (not) in the trash is seen.
    pub fn sees(self, deleted: bool) -> bool {
        match self {
            Self::Active => !deleted,
            Self::Deleted => deleted,
            Self::All => true,
        }
    }
}

/// Where the next page begins; text that only the backend that made it understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageToken(pub String);

/// One page of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The records, in order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<PageToken>,
}

/// Which experiments.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ExperimentQuery {
    /// What must be true; attributes `id`, `name`, `started` and tags are known.
    pub filter: Filter,
    /// Whether the trash is looked at.
    pub view: View,
    /// Most records on the page; 0 means 1,000.
    pub limit: usize,
    /// Where to go on; of the same query.
    pub page: Option<PageToken>,
}

impl ExperimentQuery {
    /// Asks for what a filter says.
    pub fn new(filter: Filter) -> Self {
        Self { filter, ..Self::default() }
    }

    /// Says whether the trash is looked at.
    pub fn with_view(mut self, view: View) -> Self {
        self.view = view;
        self
    }

    /// Sets the size of a page.
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Goes on where a page ended.
    pub fn with_page(mut self, page: PageToken) -> Self {
        self.page = Some(page);
        self
    }
}

/// Which runs, in which order.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RunQuery {
    /// Only runs of these experiments; all if empty.
    pub experiments: Vec<ExperimentId>,
    /// What must be true.
    pub filter: Filter,
    /// The order; after it, and without it, the youngest run first.
    pub order_by: Vec<OrderBy>,
    /// Whether the trash is looked at.
    pub view: View,
    /// Most records on the page; 0 means 1,000.
    pub limit: usize,
    /// Where to go on; of the same query.
    pub page: Option<PageToken>,
}

impl RunQuery {
    /// Asks for what a filter says.
    ///
    /// ```
    /// use mlops_core::tracking::RunQuery;
    /// let query = RunQuery::parse("metrics.auc > 0.9", &["metrics.auc desc"]).unwrap();
    /// assert_eq!(query.order_by.len(), 1);
    /// ```
    ///
    /// # Errors
    /// `Invalid` with the position of what is wrong.
    pub fn parse(filter: &str, order_by: &[&str]) -> Result<Self> {
        Ok(Self {
            filter: Filter::parse(filter)?,
            order_by: order_by.iter().map(|o| OrderBy::parse(o)).collect::<Result<_>>()?,
            ..Self::default()
        })
    }

    /// Asks only for runs of this experiment (and of those added before).
    pub fn with_experiment(mut self, id: ExperimentId) -> Self {
        self.experiments.push(id);
        self
    }

    /// Says whether the trash is looked at.
    pub fn with_view(mut self, view: View) -> Self {
        self.view = view;
        self
    }

    /// Sets the size of a page.
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Goes on where a page ended.
    pub fn with_page(mut self, page: PageToken) -> Self {
        self.page = Some(page);
        self
    }
}

/// Checks the size of a page: 0 means 1,000, at most [`MAX_PAGE`].
pub(crate) fn page_limit(operation: &'static str, limit: usize) -> Result<usize> {
    match limit {
        0 => Ok(1_000),
        1..=MAX_PAGE => Ok(limit),
        _ => Err(Error::invalid(operation, "page is too large")
            .with("limit", limit)
            .with("at_most", MAX_PAGE)),
    }
}

impl ExperimentQuery {
    /// The size of a page, checked.
    ///
    /// # Errors
    /// `Invalid` above [`MAX_PAGE`].
    pub fn page_limit(&self) -> Result<usize> {
        page_limit("tracker.search_experiments", self.limit)
    }
}

impl RunQuery {
    /// The size of a page, checked.
    ///
    /// # Errors
    /// `Invalid` above [`MAX_PAGE`].
    pub fn page_limit(&self) -> Result<usize> {
        page_limit("tracker.search_runs", self.limit)
    }
}

/// Which points of a metric.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryQuery {
    /// Only steps from here.
    pub from_step: Option<i64>,
    /// Only steps up to here, included.
    pub to_step: Option<i64>,
    /// Only times from here, in microseconds since 1970.
    pub from_micros: Option<i64>,
    /// Only times up to here, included.
    pub to_micros: Option<i64>,
    /// At most this many points; extremes, first and last are kept.
    pub max_points: Option<usize>,
}

impl HistoryQuery {
    /// Only steps within these bounds, both included.
    pub fn with_steps(mut self, from: i64, to: i64) -> Self {
        (self.from_step, self.to_step) = (Some(from), Some(to));
        self
    }

    /// Only times within these bounds, both included, in microseconds since 1970.
    pub fn with_times_micros(mut self, from: i64, to: i64) -> Self {
        (self.from_micros, self.to_micros) = (Some(from), Some(to));
        self
    }

    /// At most this many points (at least 4); extremes, first and last are kept.
    pub fn with_max_points(mut self, points: usize) -> Self {
        self.max_points = Some(points);
        self
    }

    /// Whether a point lies within the bounds.
    #[inline]
    pub fn holds(&self, step: i64, time_micros: i64) -> bool {
        self.from_step.is_none_or(|from| step >= from)
            && self.to_step.is_none_or(|to| step <= to)
            && self.from_micros.is_none_or(|from| time_micros >= from)
            && self.to_micros.is_none_or(|to| time_micros <= to)
    }
}
