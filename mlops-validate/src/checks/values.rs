//! Rules about the values of one column.

use mlops_core::validation::{
    Format, HasFormat, InSet, IsNull, Length, LengthUnit, Literal, Matches, NotInSet, NotMatches,
    NotNull, Range,
};

use super::becomes_check;

/// No value is null.
///
/// * **Null, NaN**: a null fails, in a dictionary too; NaN is a value and passes; policies do not matter
/// * **No rows**: vacuous
/// * **Evidence**: null counts in a file's footer decide without a value being read
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, not_null};
///
/// let rows = batch!(("x", Float64, [Some(1.0), None, Some(f64::NAN)]));
/// let outcome = judge(not_null("x"), &rows)?;
/// assert_eq!((outcome.counts.judged, outcome.counts.failed), (3, 1));
/// assert_eq!(outcome.samples[0].row, Some(1));
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn not_null(column: impl Into<String>) -> NotNull {
    NotNull { column: column.into() }
}

/// Every value is null: a column that is to stay empty.
///
/// * **Null, NaN**: a null passes, everything else fails
/// * **No rows**: vacuous
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, is_null};
///
/// let rows = batch!(("legacy_code", Utf8, [None, Some("A1")]));
/// assert_eq!(judge(is_null("legacy_code"), &rows)?.counts.failed, 1);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn is_null(column: impl Into<String>) -> IsNull {
    IsNull { column: column.into() }
}

/// Values lie between two bounds, both included unless said otherwise.
///
/// Numbers, decimals, dates, instants, times and durations by their value; text by its bytes. Bounds
/// are exact: decimals are compared digit by digit, an instant with its zone, and an integer column of
/// 2⁵³ + 1 is above a bound of 2⁵³.
///
/// * **Null, NaN**: null is skipped; NaN fails (policy); −0.0 is 0.0
/// * **Evidence**: extremes in a file's footer decide, for floats only if it says that there is no NaN
/// * **Errors**: no bound; bounds that cross; a bound that is not of the column's family
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, range};
///
/// let rows = batch!(
///     ("delay", Int32, [Some(-5), Some(0), None, Some(1301)]),
///     ("share", Float64, [0.5, 1.0, f64::NAN, -0.0])
/// );
/// let outcome = judge(range("delay").min(-60).max(1300), &rows)?;
/// assert_eq!((outcome.counts.failed, outcome.counts.skipped), (1, 1));
/// assert_eq!(outcome.expected, "-60 to 1300");
/// assert_eq!(judge(range("share").min(0).below(1), &rows)?.counts.failed, 2);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn range(column: impl Into<String>) -> RangeBuilder {
    RangeBuilder(Range {
        column: column.into(),
        min: None,
        max: None,
        exclusive_min: false,
        exclusive_max: false,
    })
}

/// A [`range`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct RangeBuilder(pub(super) Range);

impl RangeBuilder {
    /// The least value that is in.
    pub fn min(mut self, min: impl Into<Literal>) -> Self {
        self.0.min = Some(min.into());
        self.0.exclusive_min = false;
        self
    }

    /// The greatest value that is in.
    pub fn max(mut self, max: impl Into<Literal>) -> Self {
        self.0.max = Some(max.into());
        self.0.exclusive_max = false;
        self
    }

    /// The greatest value that is out, below.
    pub fn above(mut self, min: impl Into<Literal>) -> Self {
        self.0.min = Some(min.into());
        self.0.exclusive_min = true;
        self
    }

    /// The least value that is out, above.
    pub fn below(mut self, max: impl Into<Literal>) -> Self {
        self.0.max = Some(max.into());
        self.0.exclusive_max = true;
        self
    }
}

/// Every value is one of these.
///
/// * **Null, NaN**: null is skipped; NaN fails (policy), for no set holds it
/// * **Errors**: an empty set; a member that no value of the column's type equals
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{in_set, judge};
///
/// let rows = batch!(("status", Utf8, [Some("new"), Some("lost"), None]));
/// let outcome = judge(in_set("status", ["new", "paid"]), &rows)?;
/// assert_eq!(outcome.counts.failed, 1);
/// assert_eq!(outcome.samples[0].values, [Some("lost".to_owned())]);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn in_set<L: Into<Literal>>(
    column: impl Into<String>,
    values: impl IntoIterator<Item = L>,
) -> InSet {
    InSet { column: column.into(), values: values.into_iter().map(Into::into).collect() }
}

/// No value is one of these: placeholders such as `"N/A"` or `-999`.
///
/// * **Null, NaN**: null is skipped; NaN fails (policy), because it would pass any such list unseen
/// * **Errors**: as [`in_set`]
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, not_in_set};
///
/// let rows = batch!(("temperature", Int64, [21, -999, 19]));
/// assert_eq!(judge(not_in_set("temperature", [-999]), &rows)?.counts.failed, 1);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn not_in_set<L: Into<Literal>>(
    column: impl Into<String>,
    values: impl IntoIterator<Item = L>,
) -> NotInSet {
    NotInSet { column: column.into(), values: values.into_iter().map(Into::into).collect() }
}

/// A regular expression is found in the text: anywhere, unless it is anchored or [`PatternBuilder::full`].
///
/// The syntax is that of Rust's `regex`; the time is linear in the text whatever the expression.
///
/// * **Null**: skipped; an empty text is text
/// * **Errors**: look-around and back-references (it says where); an expression that would compile to
///   something too large; a column that is not text
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, matches};
///
/// let rows = batch!(("zip", Utf8, [Some("94103"), Some("9410"), Some("x94103y"), None]));
/// assert_eq!(judge(matches("zip", "[0-9]{5}"), &rows)?.counts.failed, 1);
/// assert_eq!(judge(matches("zip", "[0-9]{5}").full(), &rows)?.counts.failed, 2);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn matches(column: impl Into<String>, pattern: impl Into<String>) -> PatternBuilder<Matches> {
    PatternBuilder(Matches { column: column.into(), pattern: pattern.into(), full: false })
}

/// A regular expression is not found in the text.
///
/// * **Null**: skipped
/// * **Errors**: as [`matches()`]
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, not_matches};
///
/// let rows = batch!(("comment", Utf8, ["fine", "card 4111111111111111"]));
/// assert_eq!(judge(not_matches("comment", "[0-9]{16}"), &rows)?.counts.failed, 1);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn not_matches(
    column: impl Into<String>,
    pattern: impl Into<String>,
) -> PatternBuilder<NotMatches> {
    PatternBuilder(NotMatches { column: column.into(), pattern: pattern.into(), full: false })
}

/// [`matches()`] or [`not_matches`], being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct PatternBuilder<R>(pub(super) R);

impl PatternBuilder<Matches> {
    /// The whole text must match.
    pub fn full(mut self) -> Self {
        self.0.full = true;
        self
    }
}

impl PatternBuilder<NotMatches> {
    /// Only a match of the whole text fails.
    pub fn full(mut self) -> Self {
        self.0.full = true;
        self
    }
}

impl<R: Into<mlops_core::validation::Rule>> From<PatternBuilder<R>>
    for mlops_core::validation::Rule
{
    fn from(builder: PatternBuilder<R>) -> Self {
        builder.0.into()
    }
}

/// Text is of a named format. [`Format`] says what each accepts, and by which source.
///
/// * **Null**: skipped; an empty text is of no format
/// * **Errors**: a column that is not text
///
/// ```
/// use mlops_validate::batch;
/// use mlops_core::validation::Format;
/// use mlops_validate::checks::{format, judge};
///
/// let rows = batch!(("born", Utf8, ["1999-02-28", "1999-02-29", "28.2.1999"]));
/// assert_eq!(judge(format("born", Format::Date), &rows)?.counts.failed, 2);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn format(column: impl Into<String>, format: Format) -> HasFormat {
    HasFormat { column: column.into(), format }
}

/// Text, bytes or a list is of some length.
///
/// Text is counted in Unicode scalar values (what Python's `len` counts), or in bytes; a list in items,
/// null items among them.
///
/// * **Null**: skipped; an empty text has length 0
/// * **Errors**: no bound, or bounds that cross; a column of another type
///
/// ```
/// use mlops_validate::batch;
/// use mlops_validate::checks::{judge, length};
///
/// let rows = batch!(("name", Utf8, ["Zoë", "", "Al"]));
/// assert_eq!(judge(length("name").min(1).max(3), &rows)?.counts.failed, 1);
/// assert_eq!(judge(length("name").max(3).bytes(), &rows)?.counts.failed, 1);
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn length(column: impl Into<String>) -> LengthBuilder {
    LengthBuilder(Length { column: column.into(), min: None, max: None, unit: LengthUnit::Chars })
}

/// A [`length`] that is being filled in.
#[derive(Debug, Clone)]
#[must_use]
pub struct LengthBuilder(pub(super) Length);

impl LengthBuilder {
    /// The least length.
    pub fn min(mut self, min: u64) -> Self {
        self.0.min = Some(min);
        self
    }

    /// The greatest length.
    pub fn max(mut self, max: u64) -> Self {
        self.0.max = Some(max);
        self
    }

    /// Counts the bytes of text.
    pub fn bytes(mut self) -> Self {
        self.0.unit = LengthUnit::Bytes;
        self
    }
}

becomes_check!(RangeBuilder, LengthBuilder);
