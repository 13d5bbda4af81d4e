//! The profile of one column.

use std::collections::BTreeMap;

use arrow::array::Array;
use arrow::datatypes::{Field, i256};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::OPERATION;
use super::categories::Categories;
use super::fill::{add_categories, merge_range, type_text, widen};
use super::order::Order;
use super::value::Value;
use crate::stats::select::{Selected, Shape, Values, shape, with_selected};
use crate::stats::{Histogram, Moments, WholeMoments};

/// A stored profile has no more rows: sums of such counts cannot overflow.
const MOST_ROWS: u64 = 1 << 56;

/// What is known about one column.
///
/// How a column is laid out does not show: a dictionary, a view or a slice has the profile of the
/// plain column with its values. Extremes and sums are exact, quantiles are those of a [`Histogram`],
/// values are counted while there are at most [`MAX_CATEGORIES`](super::MAX_CATEGORIES).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    name: String,
    #[serde(rename = "type")]
    data_type: String,
    rows: u64,
    nulls: u64,
    facts: Facts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    categories: Option<Categories>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<Order>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    distinct_estimate: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Facts {
    Number { scale: i8, moments: Moments, histogram: Histogram },
    Instant { range: Option<(Value, Value)>, histogram: Histogram },
    Bool { trues: u64 },
    Text { range: Option<(Value, Value)>, lengths: WholeMoments },
    Bytes { range: Option<(Value, Value)>, lengths: WholeMoments },
    Other,
}

impl ColumnProfile {
    /// The profile of a column without rows.
    pub fn of(field: &Field) -> Self {
        let facts = match shape(field.data_type()) {
            Shape::Float | Shape::Number { .. } => {
                let scale = match shape(field.data_type()) {
                    Shape::Number { scale } => scale,
                    _ => 0,
                };
                match Moments::for_type(field.data_type()) {
                    Some(moments) => {
                        Facts::Number { scale, moments, histogram: Histogram::default() }
                    }
                    None => Facts::Other,
                }
            }
            Shape::Instant => Facts::Instant { range: None, histogram: Histogram::default() },
            Shape::Bool => Facts::Bool { trues: 0 },
            Shape::Text => Facts::Text { range: None, lengths: WholeMoments::default() },
            Shape::Bytes => Facts::Bytes { range: None, lengths: WholeMoments::default() },
            Shape::Other => Facts::Other,
        };
        let has_values = facts != Facts::Other;
        Self {
            name: field.name().clone(),
            data_type: type_text(field.data_type()),
            rows: 0,
            nulls: 0,
            facts,
            categories: has_values.then(Categories::default),
            order: has_values.then(Order::default),
            distinct_estimate: None,
        }
    }

    /// Goes on with the values of `array`, or those at the rows of a bit mask.
    ///
    /// # Errors
    /// `Invalid` for an array of another type, or a mask of another length; nothing was added.
    pub fn update(&mut self, array: &dyn Array, eligible: Option<&[u64]>) -> Result<()> {
        let found = type_text(array.data_type());
        if found != self.data_type {
            return Err(Error::invalid(OPERATION, "a column has another type than its profile")
                .with("column", &self.name)
                .with("profile", &self.data_type)
                .with("found", found));
        }
        with_selected(array, eligible, |selected| self.add(&selected))
            .map_err(|error| error.with("column", &self.name))
    }

    fn add(&mut self, selected: &Selected<'_>) {
        self.rows += selected.rows;
        self.nulls += selected.nulls;
        self.distinct_estimate = None;
        let values = &selected.values;
        self.add_facts(selected.nulls, values);
        if let Some(categories) = &mut self.categories {
            add_categories(categories, values);
        }
        if let Some(order) = &mut self.order {
            match values {
                Values::Floats(values) => order.extend(values, |v| Value::Float(*v)),
                Values::Whole(values) => order.extend(values, |v| Value::Whole(i256::from(*v))),
                Values::Wide(values) => order.extend(values, |v| Value::Whole(*v)),
                Values::Bools(values) => order.extend(values, |v| Value::Bool(*v)),
                Values::Texts(values) => order.extend(values, |v| Value::Text((*v).to_owned())),
                Values::Bytes(values) => order.extend(values, |v| Value::Bytes(v.to_vec())),
                Values::Other => {}
            }
        }
    }

    fn add_facts(&mut self, nulls: u64, values: &Values<'_>) {
        match (&mut self.facts, values) {
            (Facts::Number { scale, moments, histogram }, values) => {
                moments.add_nulls(nulls);
                moments.add(values);
                match values {
                    Values::Whole(values) if *scale == 0 => histogram.add_whole(values),
                    values => histogram.add_slice(&values.doubles(*scale).unwrap_or_default()),
                }
            }
            (Facts::Instant { range, histogram }, Values::Whole(values)) => {
                histogram.add_whole(values);
                widen(range, values.iter(), |v| Value::Whole(i256::from(*v)));
            }
            (Facts::Bool { trues }, Values::Bools(values)) => {
                *trues += values.iter().filter(|value| **value).count() as u64;
            }
            (Facts::Text { range, lengths }, Values::Texts(values)) => {
                let chars: Vec<i64> = values.iter().map(|v| v.chars().count() as i64).collect();
                lengths.add_slice(&chars);
                widen(range, values.iter(), |v| Value::Text((*v).to_owned()));
            }
            (Facts::Bytes { range, lengths }, Values::Bytes(values)) => {
                let bytes: Vec<i64> = values.iter().map(|v| v.len() as i64).collect();
                lengths.add_slice(&bytes);
                widen(range, values.iter(), |v| Value::Bytes(v.to_vec()));
            }
            _ => {}
        }
    }

    /// Whether `other` is of the same column: name and type.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let scale = |facts: &Facts| match facts {
            Facts::Number { scale, .. } => Some(*scale),
            _ => None,
        };
        // The type decides the facts; what was read from outside may say otherwise.
        self.name == other.name
            && self.data_type == other.data_type
            && std::mem::discriminant(&self.facts) == std::mem::discriminant(&other.facts)
            && scale(&self.facts) == scale(&other.facts)
    }

    /// Adds a profile of the same column, whose rows stand anywhere.
    pub(super) fn merge(&mut self, other: &Self) -> Result<()> {
        // Without rows nothing is known about order, and nothing is lost.
        let order = match (self.rows, other.rows) {
            (_, 0) => self.order.take(),
            (0, _) => other.order.clone(),
            _ => None,
        };
        self.combine(other)?;
        self.order = order;
        Ok(())
    }

    /// Adds a profile of the same column, whose rows follow.
    pub(super) fn append(&mut self, next: &Self) -> Result<()> {
        self.combine(next)?;
        match (&mut self.order, &next.order) {
            (Some(order), Some(next)) => order.append(next),
            (order, _) => *order = None,
        }
        Ok(())
    }

    fn combine(&mut self, other: &Self) -> Result<()> {
        match (&mut self.facts, &other.facts) {
            (
                Facts::Number { moments, histogram, .. },
                Facts::Number { moments: more, histogram: others, .. },
            ) => {
                moments.merge(more)?;
                histogram.merge(others);
            }
            (
                Facts::Instant { range, histogram },
                Facts::Instant { range: more, histogram: others },
            ) => {
                merge_range(range, more.as_ref());
                histogram.merge(others);
            }
            (Facts::Bool { trues }, Facts::Bool { trues: more }) => *trues += more,
            (
                Facts::Text { range, lengths } | Facts::Bytes { range, lengths },
                Facts::Text { range: more, lengths: others }
                | Facts::Bytes { range: more, lengths: others },
            ) => {
                merge_range(range, more.as_ref());
                lengths.merge(others);
            }
            _ => {}
        }
        if other.rows > 0 {
            self.distinct_estimate = if self.rows == 0 { other.distinct_estimate } else { None };
        }
        self.rows = self.rows.saturating_add(other.rows);
        self.nulls = self.nulls.saturating_add(other.nulls);
        match (&mut self.categories, &other.categories) {
            (Some(counts), Some(more)) => counts.merge(more),
            (counts, _) => *counts = None,
        }
        Ok(())
    }

    /// The column's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The column's type, as a model's signature spells it; encodings do not show.
    pub fn data_type(&self) -> &str {
        &self.data_type
    }

    /// Rows, nulls among them.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Nulls.
    pub fn nulls(&self) -> u64 {
        self.nulls
    }

    /// NaN values of a float column; 0 for other types.
    pub fn nan(&self) -> u64 {
        self.moments().map_or(0, Moments::nan)
    }

    /// Counts, extremes, sum and variance of a column of numbers.
    pub fn moments(&self) -> Option<&Moments> {
        match &self.facts {
            Facts::Number { moments, .. } => Some(moments),
            _ => None,
        }
    }

    /// The distribution of numbers and instants.
    pub fn histogram(&self) -> Option<&Histogram> {
        match &self.facts {
            Facts::Number { histogram, .. } | Facts::Instant { histogram, .. } => Some(histogram),
            _ => None,
        }
    }

    /// Lengths of texts in characters, of bytes in bytes.
    pub fn lengths(&self) -> Option<&WholeMoments> {
        match &self.facts {
            Facts::Text { lengths, .. } | Facts::Bytes { lengths, .. } => Some(lengths),
            _ => None,
        }
    }

    /// How often a truth value was true and was false.
    pub fn bools(&self) -> Option<(u64, u64)> {
        match self.facts {
            Facts::Bool { trues } => {
                Some((trues, self.rows.saturating_sub(self.nulls).saturating_sub(trues)))
            }
            _ => None,
        }
    }

    /// The smallest and the largest value; NaN is neither, text is compared as bytes.
    pub fn range(&self) -> Option<(Value, Value)> {
        match &self.facts {
            Facts::Number { moments, .. } => match moments.whole_range() {
                Some((min, max)) => Some((Value::Whole(min), Value::Whole(max))),
                None => moments
                    .min()
                    .zip(moments.max())
                    .filter(|_| matches!(moments, Moments::Floats(_)))
                    .map(|(min, max)| (Value::Float(min), Value::Float(max))),
            },
            Facts::Instant { range, .. }
            | Facts::Text { range, .. }
            | Facts::Bytes { range, .. } => range.clone(),
            Facts::Bool { trues } => {
                let falses = self.rows.checked_sub(self.nulls)?.checked_sub(*trues)?;
                (self.rows > self.nulls)
                    .then_some((Value::Bool(falses == 0), Value::Bool(*trues > 0)))
            }
            Facts::Other => None,
        }
    }

    /// Each value with its count, as long as there are few; numbers and instants as decimal digits
    /// (decimals without their scale), bytes as hexadecimal digits. NaN is a value here, and −0 is 0.
    pub fn categories(&self) -> Option<&BTreeMap<String, u64>> {
        self.categories.as_ref().and_then(Categories::counts)
    }

    /// Distinct values: exact while they are counted one by one, otherwise the estimate if somebody
    /// made one ([`ColumnProfile::set_distinct_estimate`]).
    pub fn distinct(&self) -> Option<u64> {
        self.categories().map(|counts| counts.len() as u64).or(self.distinct_estimate)
    }

    /// Notes an estimate of the distinct values. It is forgotten when values are added: estimates do
    /// not add up, sketches do.
    pub fn set_distinct_estimate(&mut self, estimate: u64) {
        self.distinct_estimate = Some(estimate);
    }

    /// Whether the values are sorted; nothing after a merge of parts in no order.
    pub fn order(&self) -> Option<&Order> {
        self.order.as_ref()
    }

    pub(in crate::stats) fn scale(&self) -> i8 {
        match &self.facts {
            Facts::Number { scale, .. } => *scale,
            _ => 0,
        }
    }

    /// What a stored profile must be to be used: its counts agree with each other.
    pub(super) fn is_sound(&self) -> bool {
        let Some(present) = self.rows.checked_sub(self.nulls) else { return false };
        let whole = |counts: Option<&BTreeMap<String, u64>>| {
            counts.is_none_or(|counts| {
                counts.values().map(|count| u128::from(*count)).sum::<u128>() == present.into()
            })
        };
        let counted =
            |histogram: &Histogram| histogram.count().checked_add(histogram.nan()) == Some(present);
        let facts = match &self.facts {
            Facts::Number { scale, moments, histogram } => {
                let known = match moments {
                    Moments::Floats(_) => 0,
                    Moments::Whole(moments) => moments.scale(),
                };
                *scale == known
                    && moments.count() == present
                    && moments.nulls() == self.nulls
                    && moments.nan() == histogram.nan()
                    && moments.infinite() == histogram.infinite()
                    && counted(histogram)
            }
            Facts::Instant { histogram, .. } => counted(histogram),
            Facts::Bool { trues } => *trues <= present,
            Facts::Text { lengths, .. } | Facts::Bytes { lengths, .. } => {
                lengths.count() == present
            }
            Facts::Other => true,
        };
        self.rows <= MOST_ROWS && facts && whole(self.categories())
    }
}
