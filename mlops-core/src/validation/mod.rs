//! Data validation: is this data fit to use, and exactly which rows are not?
//!
//! A [`Suite`] is data: a named, versioned list of [`Check`]s, each a [`Rule`] with its severity,
//! tolerance (`mostly`) and row filter (`where`). A [`Validator`] runs it over [`Data`] and answers with
//! a [`Report`] of one [`Outcome`] a check. A failed check is a value in the report, never an `Err`.
//!
//! The engine that does it in one pass, the builder functions with an example for each rule, profiles,
//! and the pages a report is shown on are in `mlops-validate`.

mod check;
mod data;
mod format;
mod history;
mod literal;
mod metric;
mod mostly;
mod outcome;
mod report;
mod rule;
mod suite;
mod validator;

pub use check::{Check, NanPolicy, NullPolicy, Severity};
pub use data::{BatchStream, Data, FileFormat};
pub use format::Format;
pub use history::{Earlier, History};
pub use literal::Literal;
pub use metric::{Function, Metric};
pub use mostly::Mostly;
pub use outcome::{Basis, Counts, Evidence, Outcome, Sample, Status};
pub use report::{ReadBytes, Report, Verdict};
pub use rule::{
    Aggregate, AllOrNone, Anomaly, ColumnIs, Compare, Comparison, Custom, Direction, Distinctness,
    Distribution, DistributionMeasure, Exactness, Expected, Expression, Fits, ForeignKey,
    Freshness, FunctionalDependency, HasFormat, Implies, InSet, IsNull, KeyMemory, KeyNulls,
    Length, LengthUnit, Matches, MutuallyExclusive, NotInSet, NotMatches, NotNull, Ordered,
    PartialKeys, Range, RowCompleteness, RowCount, Rule, Schema, SchemaMode, Source, Tolerance,
    Unique,
};
pub use suite::{MAX_CHECKS, OnEmpty, Suite};
pub use validator::{Options, Progress, Redaction, Validation, Validator};
