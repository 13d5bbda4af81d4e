//! What can be asked of data: one type a rule, the name of the rule in JSON and YAML beside it.
//!
//! The types are plain data. What each means for nulls, NaN and no rows at all is said, with an example
//! that runs, by the builder function of the same name in `mlops_validate::checks`.
//!
//! A column is named as in the schema. A path reaches into nested columns: `address.zip` a field,
//! `items[]` the items of a list, `items[].price` a field of each; a column whose name is the whole
//! path comes first.

mod aggregate;
mod columns;
mod keys;
mod schema;
mod values;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

pub use self::aggregate::{
    Aggregate, Anomaly, Distribution, DistributionMeasure, Expected, Freshness, RowCount, Tolerance,
};
pub use self::columns::{
    AllOrNone, Compare, Comparison, Custom, Expression, Implies, MutuallyExclusive, RowCompleteness,
};
pub use self::keys::{
    Direction, Distinctness, Exactness, ForeignKey, FunctionalDependency, KeyMemory, KeyNulls,
    Ordered, PartialKeys, Unique,
};
pub use self::schema::{ColumnIs, Fits, Schema, SchemaMode, Source};
pub use self::values::{
    HasFormat, InSet, IsNull, Length, LengthUnit, Matches, NotInSet, NotMatches, NotNull, Range,
};

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident($type:ident) = $name:literal,)*) => {
        /// What must hold. `Display` names the rule and its columns: `range(distance)`.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "check")]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$doc])* #[serde(rename = $name)] $variant($type),)*
        }

        impl Rule {
            /// The names of all rules, as they stand in a suite.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name of the rule, as it stands in a suite.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            /// The rule of this name from its fields alone, without `check`; `None` for a name that is
            /// none. Unlike the rule's own `Deserialize`, which must look for the name first, this
            /// one hands the fields on, so that an error knows its field.
            ///
            /// # Errors
            /// The deserializer's.
            pub fn of_fields<'de, D: Deserializer<'de>>(
                name: &str,
                fields: D,
            ) -> Option<Result<Self, D::Error>> {
                match name {
                    $($name => Some($type::deserialize(fields).map(Self::$variant)),)*
                    _ => None,
                }
            }

            /// The columns it looks at, in the order they are named; expressions not counted.
            pub fn columns(&self) -> Vec<&str> {
                match self {
                    $(Self::$variant(rule) => rule.columns(),)*
                }
            }
        }

        $(
            impl From<$type> for Rule {
                fn from(rule: $type) -> Self {
                    Self::$variant(rule)
                }
            }
        )*
    };
}

rules! {
    /// Files are there, of some size, fresh; before anything is read.
    Source(Source) = "source",
    /// Columns, types, nullability, order.
    Schema(Schema) = "schema",
    /// One column is of one of some types.
    ColumnIs(ColumnIs) = "column_type",
    /// The data can be loaded into a destination.
    Fits(Fits) = "fits",
    /// How many rows.
    RowCount(RowCount) = "row_count",
    /// The newest instant is not too old.
    Freshness(Freshness) = "freshness",
    /// No nulls.
    NotNull(NotNull) = "not_null",
    /// Nulls only.
    IsNull(IsNull) = "is_null",
    /// All of some columns are null, or none.
    AllOrNone(AllOrNone) = "all_or_none",
    /// At most one of some columns is not null.
    MutuallyExclusive(MutuallyExclusive) = "mutually_exclusive",
    /// At least so many of some columns are not null.
    RowCompleteness(RowCompleteness) = "row_completeness",
    /// Between two bounds.
    Range(Range) = "range",
    /// One of some values.
    InSet(InSet) = "in_set",
    /// None of some values.
    NotInSet(NotInSet) = "not_in_set",
    /// Text in which a pattern is found.
    Matches(Matches) = "matches",
    /// Text in which a pattern is not found.
    NotMatches(NotMatches) = "not_matches",
    /// Text of a named format.
    HasFormat(HasFormat) = "format",
    /// Text or a list of some length.
    Length(Length) = "length",
    /// Two columns compared.
    Compare(Compare) = "compare",
    /// A SQL expression is true.
    Expression(Expression) = "expression",
    /// Where one SQL expression is true, another is.
    Implies(Implies) = "implies",
    /// A function of the user's program.
    Custom(Custom) = "custom",
    /// No key twice.
    Unique(Unique) = "unique",
    /// Different keys as a share of rows.
    Distinctness(Distinctness) = "distinctness",
    /// Values rise or fall from row to row.
    Ordered(Ordered) = "ordered",
    /// Keys are those of another table.
    ForeignKey(ForeignKey) = "foreign_key",
    /// One key, one value.
    FunctionalDependency(FunctionalDependency) = "functional_dependency",
    /// A number made of a column, in bounds or equal to another.
    Aggregate(Aggregate) = "aggregate",
    /// A number made of a column is what earlier runs lead to expect.
    Anomaly(Anomaly) = "anomaly",
    /// Values are distributed as in a profile.
    Distribution(Distribution) = "distribution",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aggregate(rule) => return rule.of.fmt(f),
            Self::Anomaly(rule) => return write!(f, "anomaly({})", rule.of),
            Self::Expression(rule) => return write!(f, "expression({})", rule.sql),
            Self::Implies(rule) => return write!(f, "implies({} => {})", rule.when, rule.then),
            Self::Compare(rule) => return write!(f, "compare({rule})"),
            Self::Custom(rule) => {
                return write!(f, "{}({})", rule.function, rule.columns.join(", "));
            }
            Self::ForeignKey(rule) => {
                return write!(f, "foreign_key({} in {})", rule.columns.join(", "), rule.reference);
            }
            Self::FunctionalDependency(rule) => {
                let (from, to) = (rule.from.join(", "), rule.to.join(", "));
                return write!(f, "functional_dependency({from} -> {to})");
            }
            _ => {}
        }
        match self.columns().as_slice() {
            [] => f.write_str(self.name()),
            columns => write!(f, "{}({})", self.name(), columns.join(", ")),
        }
    }
}

/// serde's `skip_serializing_if`.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
