//! Rules that look at no value.

use std::time::Duration;

use mlops_core::registry::{Column, ColumnType};
use mlops_core::validation::{ColumnIs, Fits, Schema, SchemaMode, Source};

use super::{becomes_check, owned};

/// The data has these columns, exactly: the names and types, and no others.
///
/// Types are those of [`ColumnType`]: text is text in every Arrow layout, a dictionary counts as its
/// values; nested types, decimals and zones are compared whole.
///
/// * **Evidence**: the schema; no value is read
///
/// ```
/// use mlops_validate::batch;
/// use mlops_core::registry::{Column, ColumnType};
/// use mlops_validate::checks::{judge, schema};
///
/// let rows = batch!(("id", Int32, [1]), ("name", Utf8, ["a"]));
/// let columns = || vec![Column::new("id", ColumnType::Int64).unwrap()];
/// let outcome = judge(schema(columns()), &rows)?;
/// assert_eq!(
///     outcome.detail.as_deref(),
///     Some("column \"id\": expected int64, found int32, which widens without loss; \
///           columns that are not expected: name"),
/// );
/// assert_eq!(judge(schema(columns()).compatible(), &rows)?.status.as_str(), "passed");
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn schema(columns: impl IntoIterator<Item = Column>) -> SchemaBuilder {
    SchemaBuilder(Schema {
        columns: columns.into_iter().collect(),
        mode: SchemaMode::Exact,
        ordered: false,
        nullability: false,
    })
}

/// A [`schema`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct SchemaBuilder(pub(super) Schema);

impl SchemaBuilder {
    /// Other columns may be there too.
    pub fn contains(mut self) -> Self {
        self.0.mode = SchemaMode::Contains;
        self
    }

    /// Other columns may be there too, types may widen without loss, and nullable columns may be
    /// missing.
    pub fn compatible(mut self) -> Self {
        self.0.mode = SchemaMode::Compatible;
        self
    }

    /// The columns come in this order.
    pub fn in_order(mut self) -> Self {
        self.0.ordered = true;
        self
    }

    /// A column that may hold nulls by its schema fails where one here may not.
    pub fn with_nullability(mut self) -> Self {
        self.0.nullability = true;
        self
    }
}

/// A column is there, and is of one of these types; none given, it need only be there.
///
/// ```
/// use mlops_validate::batch;
/// use mlops_core::registry::ColumnType;
/// use mlops_validate::checks::{column_type, judge};
///
/// let rows = batch!(("id", Int32, [1]));
/// assert_eq!(judge(column_type("id", [ColumnType::Int64, ColumnType::Int32]), &rows)?.status.as_str(), "passed");
/// assert_eq!(judge(column_type("name", []), &rows)?.detail.as_deref(), Some("there is no such column"));
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn column_type(
    column: impl Into<String>,
    types: impl IntoIterator<Item = ColumnType>,
) -> ColumnIs {
    ColumnIs { column: column.into(), types: types.into_iter().collect() }
}

/// The data can be loaded into a destination with these columns: each that may not be null there is
/// here, and types widen into theirs without loss.
///
/// * **Evidence**: the schema; a column that may hold nulls by its schema does not fit one that may not
///
/// ```
/// use mlops_validate::batch;
/// use mlops_core::registry::{Column, ColumnType};
/// use mlops_validate::checks::{fits, judge};
///
/// let rows = batch!(("amount", Float64, [1.0]));
/// let outcome = judge(fits([Column::new("amount", ColumnType::Int64)?.with_nullable(true)]), &rows)?;
/// assert_eq!(
///     outcome.detail.as_deref(),
///     Some("column \"amount\": expected int64, found float64"),
/// );
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn fits(columns: impl IntoIterator<Item = Column>) -> FitsBuilder {
    let columns = columns.into_iter().collect();
    FitsBuilder(Fits { columns, reference: None, no_more: false })
}

/// [`fits`], with the columns of a table that is handed in under this name.
pub fn fits_reference(reference: impl Into<String>) -> FitsBuilder {
    FitsBuilder(Fits { columns: Vec::new(), reference: Some(reference.into()), no_more: false })
}

/// A [`fits`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct FitsBuilder(pub(super) Fits);

impl FitsBuilder {
    /// A column that the destination does not have is a failure.
    pub fn no_more(mut self) -> Self {
        self.0.no_more = true;
        self
    }
}

/// The files are there and readable, of some number, size and age, before anything is read of them.
///
/// A file that is not there is a failure of this check where a suite has one, and an error where it has
/// none.
///
/// * **Evidence**: what the store says; footers of Parquet files
/// * **Errors**: data that is no files
///
/// ```
/// use std::time::Duration;
/// use mlops_core::time::{Clock, SystemClock};
/// use mlops_core::arrow::datatypes::Schema;
/// use mlops_core::validation::Suite;
/// use mlops_validate::checks::source;
/// use mlops_validate::{FileFacts, Inputs, Plan, SourceFacts};
///
/// let suite = Suite::new("drop")?.with(
///     source().expected(["orders-*.parquet"]).min_bytes(1024).max_age(Duration::from_secs(86_400)),
/// );
/// let mut inputs = Inputs::new(SystemClock.now());
/// let file = FileFacts {
///     url: "s3://bucket/orders-1.parquet".into(), bytes: Some(12), modified: Some(inputs.now), unreadable: None,
/// };
/// inputs.source = Some(SourceFacts { files: vec![file] });
/// let report = Plan::new(&suite, &Schema::empty(), &inputs)?.start().report()?;
/// assert_eq!(report.outcomes[0].detail.as_deref(), Some("s3://bucket/orders-1.parquet has 12 bytes"));
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn source() -> SourceBuilder {
    SourceBuilder(Source::default())
}

/// A [`source`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct SourceBuilder(pub(super) Source);

impl SourceBuilder {
    /// The least number of files.
    pub fn min_files(mut self, files: u64) -> Self {
        self.0.min_files = Some(files);
        self
    }

    /// The greatest number of files.
    pub fn max_files(mut self, files: u64) -> Self {
        self.0.max_files = Some(files);
        self
    }

    /// File names that must be among them; `*` stands for any characters.
    pub fn expected<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.0.expected = owned(names);
        self
    }

    /// The least size of each file.
    pub fn min_bytes(mut self, bytes: u64) -> Self {
        self.0.min_bytes = Some(bytes);
        self
    }

    /// The greatest size of each file.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.0.max_bytes = Some(bytes);
        self
    }

    /// The newest file is at most so old.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.0.max_age_secs = Some(age.as_secs());
        self
    }
}

becomes_check!(SchemaBuilder, FitsBuilder, SourceBuilder);
