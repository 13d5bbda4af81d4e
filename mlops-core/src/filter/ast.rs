//! The tree that a filter is parsed into.

use std::fmt;

/// What a filter is about: it decides which names there are.
///
/// ```
/// use mlops_core::filter::{Filter, Subject};
///
/// let text = "name = 'churn' and version > 3 and alias = 'champion'";
/// assert!(Filter::parse_for(Subject::Version, text).is_ok());
/// let error = Filter::parse_for(Subject::Run, text).unwrap_err();
/// assert!(error.message().starts_with("unknown attribute `version` at position 20"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Subject {
    /// A run. Also an experiment: what only runs have is unknown for it.
    #[default]
    Run,
    /// A registered model.
    Model,
    /// A version of a model.
    Version,
}

/// What part of a record a term is about.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Field {
    /// A property of the record itself.
    Attribute(Attribute),
    /// `metrics.loss` (its last value), or an aggregate of its history: `min(metrics.loss)`.
    Metric(Aggregate, String),
    /// `params.lr`: text when compared with a string, a number when compared with a number.
    Param(String),
    /// `tags.team`.
    Tag(String),
    /// `datasets.name`: true if any dataset input makes the term true.
    Dataset(DatasetField),
    /// `alias`, `stage`: true if any that the record has makes the term true.
    Member(Member),
}

/// The properties that a record has by itself. [`Subject`] decides which of them it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attribute {
    /// The run's (or experiment's) id, as 32 hexadecimal digits.
    Id,
    /// Its name; a version has its model's.
    Name,
    /// `running`, `finished`, `failed`, `killed` or `lost`; case does not matter.
    Status,
    /// Who started it (a version: registered it).
    User,
    /// When it started (an experiment, a model, a version: was created).
    Started,
    /// When it ended; unknown while it runs.
    Ended,
    /// Seconds from start to end; unknown while it runs.
    Duration,
    /// The free-text note.
    Note,
    /// The id of the parent run; unknown for a root.
    Parent,
    /// The id of the experiment.
    Experiment,
    /// The number of a version, from 1 on.
    Version,
    /// The id of the run that made a version; unknown if none is named.
    SourceRun,
    /// The digest of a version's manifest, as 64 lower-case hexadecimal digits.
    Digest,
    /// When a model or version was changed last.
    Updated,
}

/// Which number of a metric's history is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Aggregate {
    /// The value written last.
    Last,
    /// The smallest value; NaN does not count.
    Min,
    /// The largest value; NaN does not count.
    Max,
    /// How many points were written.
    Count,
}

/// What a model or a version may have several of, or none. None has an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Member {
    /// The aliases of a version, or of all versions of a model.
    Alias,
    /// The stage of a version, or the stages that versions of a model are in: `None`, `Development`,
    /// `Staging`, `Production` or `Archived`. The case of a literal does not matter; a pattern of
    /// `like` is as it is.
    Stage,
}

/// A property of a dataset input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatasetField {
    /// The dataset's name.
    Name,
    /// The digest of its content.
    Digest,
    /// What the run used it for: `train`, `validation`, `test`, …
    Context,
}

/// A literal of the filter's text. Instants are numbers: microseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A quoted string.
    Text(String),
    /// A number; an instant in microseconds where the attribute is one.
    Number(f64),
}

/// How a field is compared.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Comparison {
    /// `=`
    Eq(Literal),
    /// `!=` or `<>`
    Ne(Literal),
    /// `<`
    Lt(Literal),
    /// `<=`
    Le(Literal),
    /// `>`
    Gt(Literal),
    /// `>=`
    Ge(Literal),
    /// `between a and b`, both included
    Between(Literal, Literal),
    /// `in (…)`
    In(Vec<Literal>),
    /// `like 'a%'`, case-sensitive; `%` any run of characters, `_` one character; no escape
    Like(String),
    /// `ilike 'A%'`: as `like`, but ASCII letters match in either case
    ILike(String),
    /// `is null`: the record does not have it
    IsNull,
}

/// A parsed filter; [`Filter::default`] matches everything.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum Filter {
    /// Matches every record.
    #[default]
    All,
    /// A field compared with literals.
    Term(Field, Comparison),
    /// All of these are true.
    And(Vec<Filter>),
    /// At least one of these is true.
    Or(Vec<Filter>),
    /// Not true; unknown stays unknown. `not in`, `not like`, `is not null` are parsed to this.
    Not(Box<Filter>),
}

/// One key of an ordering; records without the value come last, either way.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderBy {
    /// What is ordered by; never a dataset or a member.
    pub field: Field,
    /// Greatest first.
    pub descending: bool,
}

impl Filter {
    /// The filter that matches what both match; [`Filter::All`] adds nothing.
    ///
    /// ```
    /// use mlops_core::filter::Filter;
    ///
    /// let asked = Filter::parse("tags.team = 'x' or tags.team = 'y'").unwrap();
    /// let allowed = Filter::parse("status = 'finished'").unwrap();
    /// assert_eq!(
    ///     asked.and(allowed).to_string(),
    ///     "(tags.team = 'x' or tags.team = 'y') and status = 'finished'",
    /// );
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut all = Vec::new();
        for filter in [self, other] {
            match filter {
                Self::All => {}
                Self::And(inner) => all.extend(inner),
                filter => all.push(filter),
            }
        }
        match all.len() {
            0 => Self::All,
            1 => all.remove(0),
            _ => Self::And(all),
        }
    }

    /// The fields of all terms, in their order, as often as they occur: what a backend must load.
    pub fn fields(&self) -> Vec<&Field> {
        match self {
            Self::All => Vec::new(),
            Self::Term(field, _) => vec![field],
            Self::And(filters) | Self::Or(filters) => {
                filters.iter().flat_map(Self::fields).collect()
            }
            Self::Not(inner) => inner.fields(),
        }
    }
}

impl Attribute {
    /// Whether it is a number (instants in microseconds since 1970, durations in seconds,
    /// versions) or text.
    pub fn is_number(self) -> bool {
        self.is_instant() || matches!(self, Self::Duration | Self::Version)
    }

    /// Whether it is a number that is an instant.
    pub(super) fn is_instant(self) -> bool {
        matches!(self, Self::Started | Self::Ended | Self::Updated)
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Last => "last",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
        })
    }
}
