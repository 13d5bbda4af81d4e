//! A feature view: a table of features of some entities, each row with its times.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::order::Boundary;
use super::types::{FeatureName, FeatureType, Span};

/// Features of some entities that come from one source.
///
/// ```
/// use mlops_core::features::{Feature, FeatureType, FeatureView, Span};
///
/// let view = FeatureView::new("driver_stats", ["driver"])?
///     .with_ttl(Span::days(7))
///     .with(Feature::new("trips", FeatureType::Int)?)
///     .with(Feature::new("rating", FeatureType::Float)?.described("mean of all ratings"));
/// assert_eq!(view.event_time, "event_time");
/// # Ok::<(), mlops_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FeatureView {
    /// Its name.
    pub name: FeatureName,
    /// What it holds, for people who look for features.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who answers for it: a team, an address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What its rows are about; their join keys, in this order, are the view's. None: rows of a view
    /// without keys are joined by time alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<FeatureName>,
    /// Where its rows come from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub source: Source,
    /// The source's column with the instant when the row's values became true.
    #[serde(default = "event_time", skip_serializing_if = "is_event_time")]
    pub event_time: String,
    /// The source's column with the instant when they became known, if it has one. Rows that are appended
    /// without it get the instant of the append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// How old a row may be when it answers; zero for any age.
    #[serde(default, skip_serializing_if = "Span::is_zero_ref")]
    pub ttl: Span,
    /// Whether a row of the very instant that is asked for can be seen.
    #[serde(default, skip_serializing_if = "is_default")]
    pub boundary: Boundary,
    /// How far ahead of the clock an event time may be when it is appended; five minutes unless said.
    #[serde(default = "ahead", skip_serializing_if = "is_ahead")]
    pub ahead: Span,
    /// The features: columns of the source, or aggregates over its rows, not both in one view.
    pub features: Vec<Feature>,
}

fn event_time() -> String {
    "event_time".to_owned()
}

fn is_event_time(name: &String) -> bool {
    name == "event_time"
}

fn ahead() -> Span {
    Span::minutes(5)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` asks so")]
fn is_ahead(span: &Span) -> bool {
    *span == ahead()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Span {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` asks so")]
    fn is_zero_ref(&self) -> bool {
        self.is_zero()
    }
}

/// Where the rows of a view come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// They are appended to the store.
    #[default]
    Log,
    /// Parquet files that are there, by URL or path; one that ends in `/` stands for those below it. Rows
    /// follow one another in this order, which decides between rows of equal times.
    Files(Vec<String>),
}

/// One feature of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Feature {
    /// Its name, and of its column in answers.
    pub name: FeatureName,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: FeatureType,
    /// The source's column, if it is not called as the feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who answers for it, if not the view's owner.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whether it tells something of a person, if that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pii: Option<bool>,
    /// How it comes of many rows; without, it is the column of the one row that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
}

/// An aggregate over the rows of a key in a window of time that ends at the instant that is asked for.
///
/// With t the instant, w the window and r the resolution, the rows are those with event time in
/// `[⌊t − w⌋ᵣ, t]`: the window's start is rounded down to a multiple of r since 1970, its end is exact (and
/// open in a view of strict boundary). Nulls are not counted. Of no rows, count and distinct are 0 and
/// the others null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Aggregate {
    /// What is computed.
    pub function: AggregateFunction,
    /// How far back.
    pub window: Span,
    /// To what the window's start is rounded; what is kept online grows with window ÷ resolution. If
    /// not said: 5 minutes for windows below 12 hours, an hour below 12 days, else a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Span>,
    /// The column's type, if it is not the feature's. For count and distinct it must be said, unless
    /// another feature says it; the mean of whole numbers is that of doubles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<FeatureType>,
}

impl Aggregate {
    /// An aggregate of the default resolution.
    pub fn new(function: AggregateFunction, window: Span) -> Self {
        Self { function, window, resolution: None, input: None }
    }

    /// Sets the resolution.
    pub fn with_resolution(mut self, resolution: Span) -> Self {
        self.resolution = Some(resolution);
        self
    }

    /// Sets the type of its column.
    pub fn of(mut self, input: FeatureType) -> Self {
        self.input = Some(input);
        self
    }

    /// The resolution that holds.
    pub fn resolution(self) -> Span {
        self.resolution.unwrap_or(if self.window < Span::hours(12) {
            Span::minutes(5)
        } else if self.window < Span::days(12) {
            Span::hours(1)
        } else {
            Span::days(1)
        })
    }
}

/// What an aggregate computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AggregateFunction {
    /// The sum of numbers: of doubles the double nearest to the true sum, of whole numbers null where it
    /// does not fit.
    Sum,
    /// How many values; how many rows, if it has no column.
    Count,
    /// The sum divided by the count.
    Mean,
    /// The least value; NaN is above all.
    Min,
    /// The greatest value; NaN is above all.
    Max,
    /// How many distinct values: exact up to 256, within about 2 % above.
    Distinct,
    /// The value of the greatest write that is not null.
    Last,
}

impl FeatureView {
    /// A view of these entities that rows are appended to.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn new<E: AsRef<str>>(
        name: impl AsRef<str>,
        entities: impl IntoIterator<Item = E>,
    ) -> crate::Result<Self> {
        Ok(Self {
            name: FeatureName::new(name)?,
            description: String::new(),
            owner: String::new(),
            tags: BTreeMap::new(),
            entities: entities.into_iter().map(FeatureName::new).collect::<crate::Result<_>>()?,
            source: Source::Log,
            event_time: event_time(),
            created: None,
            ttl: Span::ZERO,
            boundary: Boundary::Inclusive,
            ahead: ahead(),
            features: Vec::new(),
        })
    }

    /// Adds a feature.
    pub fn with(mut self, feature: Feature) -> Self {
        self.features.push(feature);
        self
    }

    /// Takes the rows of Parquet files that are there.
    pub fn from_files<U: Into<String>>(mut self, urls: impl IntoIterator<Item = U>) -> Self {
        self.source = Source::Files(urls.into_iter().map(Into::into).collect());
        self
    }

    /// Names the source's column with the event time.
    pub fn with_event_time(mut self, column: impl Into<String>) -> Self {
        self.event_time = column.into();
        self
    }

    /// Names the source's column with the instant when a row became known.
    pub fn with_created(mut self, column: impl Into<String>) -> Self {
        self.created = Some(column.into());
        self
    }

    /// Sets how old a row may be.
    pub fn with_ttl(mut self, ttl: Span) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets whether a row of the very instant can be seen.
    pub fn with_boundary(mut self, boundary: Boundary) -> Self {
        self.boundary = boundary;
        self
    }

    /// Sets how far ahead of the clock an event time may be.
    pub fn with_ahead(mut self, ahead: Span) -> Self {
        self.ahead = ahead;
        self
    }

    /// Says what it holds.
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Says who answers for it.
    pub fn owned_by(mut self, owner: impl Into<String>) -> Self {
        self.owner = owner.into();
        self
    }

    /// Adds a label.
    pub fn tagged(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Its feature of this name.
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.name.as_str() == name)
    }

    /// Whether its features are aggregates over many rows.
    pub fn is_aggregated(&self) -> bool {
        self.features.iter().any(|feature| feature.aggregate.is_some())
    }
}

impl Feature {
    /// A feature that is a column of the source, called as itself.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn new(name: impl AsRef<str>, data_type: FeatureType) -> crate::Result<Self> {
        Ok(Self {
            name: FeatureName::new(name)?,
            data_type,
            column: None,
            description: String::new(),
            owner: String::new(),
            tags: BTreeMap::new(),
            pii: None,
            aggregate: None,
        })
    }

    /// Names the source's column.
    pub fn from_column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// Makes it an aggregate over the column.
    pub fn aggregated(mut self, aggregate: Aggregate) -> Self {
        self.aggregate = Some(aggregate);
        self
    }

    /// Says what it means.
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Marks whether it tells something of a person.
    pub fn with_pii(mut self, pii: bool) -> Self {
        self.pii = Some(pii);
        self
    }

    /// Adds a label.
    pub fn tagged(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// The source's column.
    pub fn column(&self) -> &str {
        self.column.as_deref().unwrap_or(self.name.as_str())
    }
}
