//! Rules about keys, and about the order of rows.

use mlops_core::validation::{
    Direction, Distinctness, Exactness, ForeignKey, FunctionalDependency, KeyMemory, KeyNulls,
    Ordered, PartialKeys, Unique,
};

use super::{becomes_check, owned};

/// No two rows have the same key.
///
/// Every row whose key is there more than once fails, the first of them too; the detail says how many
/// rows would have to go. Which rows they are is found in a second look at the data, if it can be read
/// again; a stream's samples have counts only.
///
/// * **Null, NaN**: a key with a null is not compared, the row is skipped; with
///   [`UniqueBuilder::nulls_equal`] null equals null. NaN equals NaN, −0.0 equals 0.0
/// * **Memory**: 8 bytes a row for one column of at most 64 bits, else 16, where keys are XXH3-128
///   fingerprints: of n keys two collide with probability n²/2¹²⁹.
///   [`UniqueBuilder::in_two_passes`] takes a filter of fixed size instead; the answer is exact
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, unique};
///
/// let rows = batch!(
///     ("origin", Utf8, ["EWR", "EWR", "JFK", "EWR"]),
///     ("hour", Int32, [Some(1), Some(2), Some(1), Some(1)])
/// );
/// let outcome = judge(unique(["origin", "hour"]), &rows)?;
/// assert_eq!(outcome.counts.failed, 2);
/// assert_eq!(outcome.samples.iter().map(|s| s.row).collect::<Vec<_>>(), [Some(0), Some(3)]);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn unique<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> UniqueBuilder {
    UniqueBuilder(Unique {
        columns: owned(columns),
        key_nulls: KeyNulls::Distinct,
        memory: KeyMemory::OnePass,
    })
}

/// A [`unique`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct UniqueBuilder(pub(super) Unique);

impl UniqueBuilder {
    /// Null equals null.
    pub fn nulls_equal(mut self) -> Self {
        self.0.key_nulls = KeyNulls::Equal;
        self
    }

    /// Reads the data twice instead of remembering every key.
    pub fn in_two_passes(mut self) -> Self {
        self.0.memory = KeyMemory::TwoPasses;
        self
    }
}

/// Different keys as a share of the rows that have one: nearly unique, or nearly constant.
///
/// * **Null, NaN**: rows with a null in the key are left out; NaN equals NaN
/// * **No rows**: vacuous
/// * **Memory**: as [`unique`]; [`DistinctnessBuilder::sketched`] takes 16 KiB, with a standard error of
///   0.8 %
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{distinctness, judge};
///
/// let rows = batch!(("session", Int64, [1, 2, 3, 3]));
/// let outcome = judge(distinctness(["session"]).min(0.9), &rows)?;
/// assert_eq!(outcome.observed, Some(0.75.into()));
/// assert_eq!(outcome.status.as_str(), "failed");
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn distinctness<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> DistinctnessBuilder {
    DistinctnessBuilder(Distinctness {
        columns: owned(columns),
        min: None,
        max: None,
        method: Exactness::Exact,
    })
}

/// A [`distinctness`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct DistinctnessBuilder(pub(super) Distinctness);

impl DistinctnessBuilder {
    /// The least share.
    pub fn min(mut self, share: f64) -> Self {
        self.0.min = Some(share);
        self
    }

    /// The greatest share.
    pub fn max(mut self, share: f64) -> Self {
        self.0.max = Some(share);
        self
    }

    /// Counts keys by a sketch, about.
    pub fn sketched(mut self) -> Self {
        self.0.method = Exactness::Sketch;
        self
    }
}

/// From row to row the values never fall; [`OrderedBuilder::strictly`] they rise.
///
/// A value fails if it is out of order with the last value before it that is not null. The answer
/// depends on the order of rows: parts that are validated apart say where their rows belong
/// ([`crate::Plan::start_at`]).
///
/// * **Null, NaN**: nulls are left out; a NaN fails (policy) and is compared with nothing
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, ordered};
///
/// let rows = batch!(("sequence", Int64, [Some(1), Some(2), None, Some(2), Some(1)]));
/// assert_eq!(judge(ordered("sequence"), &rows)?.counts.failed, 1);
/// assert_eq!(judge(ordered("sequence").strictly(), &rows)?.counts.failed, 2);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn ordered(column: impl Into<String>) -> OrderedBuilder {
    let direction = Direction::Ascending;
    OrderedBuilder(Ordered { column: column.into(), direction, strict: false })
}

/// An [`ordered`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct OrderedBuilder(pub(super) Ordered);

impl OrderedBuilder {
    /// The values fall.
    pub fn descending(mut self) -> Self {
        self.0.direction = Direction::Descending;
        self
    }

    /// Equal neighbours are out of order too.
    pub fn strictly(mut self) -> Self {
        self.0.strict = true;
        self
    }
}

/// Every key is in another table: `foreign_key(["tailnum"], "planes")`.
///
/// The detail says how many distinct keys are orphans, and names the most frequent.
///
/// * **Null, NaN**: SQL's `MATCH SIMPLE`: a key with a null is not looked up, the row is skipped;
///   [`ForeignKeyBuilder::match_full`]: a key with some nulls fails. Duplicates and nulls in
///   the other table do not matter
/// * **Memory**: the other table's keys: a bit each if they are dense integers, else 16 to 32 bytes;
///   orphans are counted exactly up to 262,144 distinct ones
/// * **Errors**: no such reference; columns that are never equal, as text and number
///
/// ```
/// use mlops_validate::batch;
/// use mlops_core::time::{Clock, SystemClock};
/// use mlops_core::validation::Suite;
/// use mlops_validate::checks::foreign_key;
/// use mlops_validate::{Inputs, Plan, Reference};
///
/// let flights = batch!(("tailnum", Utf8, [Some("N1"), Some("N9"), Some("N9"), None]));
/// let planes = batch!(("tailnum", Utf8, ["N1", "N2"]));
///
/// let suite = Suite::new("flights")?.with(foreign_key(["tailnum"], "planes"));
/// let mut inputs = Inputs::new(SystemClock.now());
/// inputs.references.insert("planes".into(), Reference::read(
///     &suite, &flights.schema(), "planes", &planes.schema(), &[planes.clone()],
/// )?);
/// let report = Plan::new(&suite, &flights.schema(), &inputs)?.validate(&flights)?;
/// let outcome = &report.outcomes[0];
/// assert_eq!((outcome.counts.failed, outcome.counts.skipped), (2, 1));
/// assert_eq!(outcome.detail.as_deref(), Some("1 distinct keys are not in the other table: N9 (2 rows)"));
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn foreign_key<S: Into<String>>(
    columns: impl IntoIterator<Item = S>,
    reference: impl Into<String>,
) -> ForeignKeyBuilder {
    ForeignKeyBuilder(ForeignKey {
        columns: owned(columns),
        reference: reference.into(),
        to: Vec::new(),
        partial: PartialKeys::Skip,
    })
}

/// A [`foreign_key`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct ForeignKeyBuilder(pub(super) ForeignKey);

impl ForeignKeyBuilder {
    /// The columns in the other table, where they are called otherwise.
    pub fn to<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.0.to = owned(columns);
        self
    }

    /// A key with some nulls fails.
    pub fn match_full(mut self) -> Self {
        self.0.partial = PartialKeys::Fail;
        self
    }
}

/// Rows that agree in some columns agree in others: a ZIP code has one state.
///
/// Every row of a determinant with several values fails; the detail says how many there are.
///
/// * **Null, NaN**: a row with a null in `from` is skipped; a null in `to` is a value like others
/// * **Memory**: about 48 bytes for each different `from`
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{functional_dependency, judge};
///
/// let rows = batch!(
///     ("zip", Utf8, ["94103", "94103", "10001"]),
///     ("state", Utf8, ["CA", "NV", "NY"])
/// );
/// let outcome = judge(functional_dependency(["zip"], ["state"]), &rows)?;
/// assert_eq!(outcome.counts.failed, 2);
/// assert_eq!(outcome.detail.as_deref(), Some("1 of 2 keys have several values"));
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn functional_dependency<S: Into<String>, T: Into<String>>(
    from: impl IntoIterator<Item = S>,
    to: impl IntoIterator<Item = T>,
) -> FunctionalDependency {
    FunctionalDependency { from: owned(from), to: owned(to) }
}

becomes_check!(UniqueBuilder, DistinctnessBuilder, OrderedBuilder, ForeignKeyBuilder);
