//! Walking the tree over a record: what a backend without SQL does, and what one with SQL must equal.
//!
//! A term is true, false or unknown (`None`), as in SQL; only what is true matches. The non-obvious
//! decision: a field and a literal of different types, which only a tree made by hand can have, are
//! unknown as well and not an error, so matching cannot fail. [`like`], [`ilike`] and
//! [`param_number`] are public because SQL's own are not the same in any two databases: a backend
//! registers these, or falls back to the walk.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::str::Chars;

use super::{
    Aggregate, Attribute, Comparison, DatasetField, Field, Filter, Literal, Member, OrderBy,
};

/// What a filter can ask of a run, an experiment, a model or a version. `None` is what the record
/// does not have.
pub trait Record {
    /// An attribute that is text; `None` for the others. Ids are 32 and digests 64 lower-case
    /// hexadecimal digits, the status is in lower case.
    fn attribute_text(&self, attribute: Attribute) -> Option<Cow<'_, str>>;

    /// An attribute that is a number ([`Attribute::is_number`]); `None` for the others. Instants are
    /// microseconds since 1970, the duration is seconds.
    fn attribute_number(&self, attribute: Attribute) -> Option<f64>;

    /// A number of the metric's history; may be NaN. `None` if the metric was never written, and for
    /// the smallest and largest of a history that is NaN throughout.
    fn metric(&self, aggregate: Aggregate, name: &str) -> Option<f64>;

    /// The parameter's text.
    fn param(&self, name: &str) -> Option<&str>;

    /// The tag's text.
    fn tag(&self, name: &str) -> Option<&str>;

    /// All dataset inputs.
    fn datasets(&self) -> Vec<DatasetEntry<'_>>;

    /// All aliases, or all stages by their names (`Production`). A version that nobody moved has the
    /// stage `None`; a model has the stages that its versions are in, so none if it has no version.
    fn members(&self, member: Member) -> Vec<Cow<'_, str>>;
}

/// A dataset input, as far as a filter can ask about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatasetEntry<'a> {
    /// The dataset's name.
    pub name: &'a str,
    /// The digest of its content.
    pub digest: &'a str,
    /// What it was used for.
    pub context: &'a str,
}

impl Filter {
    /// Whether the filter is true of the record; unknown is not true.
    pub fn matches(&self, record: &dyn Record) -> bool {
        self.truth(record) == Some(true)
    }

    /// True, false or unknown.
    pub(super) fn truth(&self, record: &dyn Record) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::Term(Field::Dataset(field), comparison) => {
                let datasets = record.datasets();
                Some(any(datasets.iter().map(|entry| entry.get(*field).into()), comparison))
            }
            Self::Term(Field::Member(member), comparison) => {
                Some(any(record.members(*member).into_iter(), comparison))
            }
            Self::Term(field, comparison) => holds(value(field, record), comparison),
            Self::And(all) => and(all.iter().map(|filter| filter.truth(record))),
            Self::Or(any) => not(and(any.iter().map(|filter| not(filter.truth(record))))),
            Self::Not(inner) => not(inner.truth(record)),
        }
    }
}

impl<'a> DatasetEntry<'a> {
    fn get(&self, field: DatasetField) -> &'a str {
        match field {
            DatasetField::Name => self.name,
            DatasetField::Digest => self.digest,
            DatasetField::Context => self.context,
        }
    }
}

/// How two records stand to each other under an ordering: by the first key in which they differ.
///
/// What a record does not have comes last, ascending or descending, and so does NaN. Texts are
/// compared by their bytes, parameters as texts. For equal records to have one order, end with a
/// unique key such as the id.
pub fn compare(orders: &[OrderBy], a: &dyn Record, b: &dyn Record) -> Ordering {
    let ordering = |order: &OrderBy| {
        let key = |record| {
            value(&order.field, record).filter(|v| !matches!(v, Value::Number(n) if n.is_nan()))
        };
        match (key(a), key(b)) {
            (Some(a), Some(b)) => {
                let ascending = a.compare(&b).unwrap_or(Ordering::Equal);
                if order.descending { ascending.reverse() } else { ascending }
            }
            (a, b) => a.is_none().cmp(&b.is_none()),
        }
    };
    orders.iter().map(ordering).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
}

/// The number that a parameter is when it is compared with one: its trimmed text as a decimal
/// number. `None`, which makes the comparison unknown, if it is not one, or is NaN.
///
/// ```
/// use mlops_core::filter::param_number;
/// assert_eq!(param_number(" 1e-3 "), Some(0.001));
/// assert_eq!(param_number("0.1f"), None);
/// assert_eq!(param_number("nan"), None);
/// ```
pub fn param_number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| !number.is_nan())
}

/// Whether `text` is like `pattern`: `%` is any run of characters, `_` one character, all else
/// itself. At most pattern × text steps.
///
/// ```
/// use mlops_core::filter::{ilike, like};
/// assert!(like("resnet50", "res%5_"));
/// assert!(!like("ResNet50", "res%"));
/// assert!(ilike("ResNet50", "res%"));
/// ```
pub fn like(text: &str, pattern: &str) -> bool {
    is_like(text.chars(), pattern.chars(), |a, b| a == b)
}

/// As [`like`], but ASCII letters match in either case.
pub fn ilike(text: &str, pattern: &str) -> bool {
    is_like(text.chars(), pattern.chars(), |a, b| a.eq_ignore_ascii_case(&b))
}

/// Goes back to the last `%` only: what was matched before it need never be matched otherwise.
fn is_like(mut text: Chars<'_>, mut pattern: Chars<'_>, same: fn(char, char) -> bool) -> bool {
    let mut last_run: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let mut rest = pattern.clone();
        let wanted = rest.next();
        if wanted == Some('%') {
            pattern = rest;
            last_run = Some((text.clone(), pattern.clone()));
            continue;
        }
        match (wanted, text.next()) {
            (None, None) => return true,
            (Some(_), None) => return false,
            (Some(wanted), Some(c)) if wanted == '_' || same(wanted, c) => pattern = rest,
            _ => {
                let Some((run, after)) = &mut last_run else {
                    return false;
                };
                run.next();
                (text, pattern) = (run.clone(), after.clone());
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Value<'a> {
    Text(Cow<'a, str>),
    /// Text, or a number where it is compared with one.
    Param(&'a str),
    Number(f64),
}

impl Value<'_> {
    /// `None` for different types and NaN.
    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Param(a), Self::Param(b)) => Some(a.cmp(b)),
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b),
            _ => None,
        }
    }

    /// `None` for different types and NaN.
    fn compare_literal(&self, literal: &Literal) -> Option<Ordering> {
        match (self, literal) {
            (Self::Text(a), Literal::Text(b)) => Some(a.as_ref().cmp(b.as_str())),
            (Self::Param(a), Literal::Text(b)) => Some(a.cmp(&b.as_str())),
            (Self::Param(a), Literal::Number(b)) => param_number(a)?.partial_cmp(b),
            (Self::Number(a), Literal::Number(b)) => a.partial_cmp(b),
            (Self::Text(_), Literal::Number(_)) | (Self::Number(_), Literal::Text(_)) => None,
        }
    }
}

fn value<'a>(field: &Field, record: &'a dyn Record) -> Option<Value<'a>> {
    match field {
        Field::Attribute(attribute) if attribute.is_number() => {
            record.attribute_number(*attribute).map(Value::Number)
        }
        Field::Attribute(attribute) => record.attribute_text(*attribute).map(Value::Text),
        Field::Metric(aggregate, name) => record.metric(*aggregate, name).map(Value::Number),
        Field::Param(name) => record.param(name).map(Value::Param),
        Field::Tag(name) => record.tag(name).map(|text| Value::Text(Cow::Borrowed(text))),
        Field::Dataset(_) | Field::Member(_) => None,
    }
}

/// Whether the comparison holds for any of the texts; `is null`, whether there are none.
fn any<'a>(mut texts: impl Iterator<Item = Cow<'a, str>>, comparison: &Comparison) -> bool {
    match comparison {
        Comparison::IsNull => texts.next().is_none(),
        _ => texts.any(|text| holds(Some(Value::Text(text)), comparison) == Some(true)),
    }
}

/// Whether the comparison holds for the value, in three-valued logic.
fn holds(value: Option<Value<'_>>, comparison: &Comparison) -> Option<bool> {
    if *comparison == Comparison::IsNull {
        return Some(value.is_none());
    }
    let value = value?;
    let order = |literal| value.compare_literal(literal);
    let text = || match &value {
        Value::Text(text) => Some(text.as_ref()),
        Value::Param(text) => Some(*text),
        Value::Number(_) => None,
    };
    match comparison {
        Comparison::Eq(literal) => order(literal).map(Ordering::is_eq),
        Comparison::Ne(literal) => order(literal).map(Ordering::is_ne),
        Comparison::Lt(literal) => order(literal).map(Ordering::is_lt),
        Comparison::Le(literal) => order(literal).map(Ordering::is_le),
        Comparison::Gt(literal) => order(literal).map(Ordering::is_gt),
        Comparison::Ge(literal) => order(literal).map(Ordering::is_ge),
        Comparison::Between(low, high) => {
            and([order(low).map(Ordering::is_ge), order(high).map(Ordering::is_le)].into_iter())
        }
        Comparison::In(list) => {
            not(and(list.iter().map(|literal| order(literal).map(Ordering::is_ne))))
        }
        Comparison::Like(pattern) => text().map(|text| like(text, pattern)),
        Comparison::ILike(pattern) => text().map(|text| ilike(text, pattern)),
        Comparison::IsNull => Some(false),
    }
}

fn not(truth: Option<bool>) -> Option<bool> {
    truth.map(|truth| !truth)
}

/// False if any is false, else unknown if any is unknown. `or` is this under De Morgan's law.
fn and(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for truth in truths {
        match truth {
            Some(false) => return Some(false),
            Some(true) => {}
            None => all = None,
        }
    }
    all
}
