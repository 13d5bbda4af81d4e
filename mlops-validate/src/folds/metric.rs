//! Metrics: what a whole column comes to.
//!
//! A metric is computed from one of a few memories, so that `sum(total)` and `mean(total)` share one
//! fold. Its value keeps its kind ([`MetricValue`]): a sum of decimals is compared with its bound digit
//! by digit, not as a float.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, i256};
use mlops_core::validation::{Function, Metric};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::unique::other_memory;
use crate::bits;
use crate::kernel::{Chunk, Facts, Fold};
use crate::memory::Memory;
use crate::rules::nulls::or_null_rows;
use crate::scalar::{Scalar, Scalars};
use crate::slots::value_type;
use crate::stats::{ExactQuantiles, Histogram, Interval, Moments, Rule, Variance};

/// Which memory a metric is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    /// Values and nulls.
    Counts,
    /// Sums and extremes of numbers.
    Moments,
    /// Extremes of what has an order.
    Ends,
    /// Every value of numbers.
    Quantiles,
    /// Numbers by cell.
    Histogram,
    /// Every key.
    Keys,
    /// About how many keys.
    Distinct,
}

impl Family {
    /// What a function of a column of this type needs.
    pub(crate) fn of(function: Function, data_type: &DataType) -> Option<Self> {
        let number = Moments::for_type(data_type).is_some();
        Some(match function {
            Function::Rows | Function::Count | Function::Nulls | Function::NullRate => Self::Counts,
            Function::Distinct => Self::Keys,
            Function::ApproxDistinct => Self::Distinct,
            Function::Min | Function::Max if Scalars::supports(data_type) => Self::Ends,
            Function::Sum | Function::Mean | Function::StdDev if number => Self::Moments,
            Function::Quantile if number => Self::Quantiles,
            Function::ApproxQuantile if number => Self::Histogram,
            _ => return None,
        })
    }
}

/// What aggregates are made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum MetricMemory {
    Counts { rows: u64, nulls: u64 },
    Moments(Moments),
    Ends { ends: Option<(Scalar, Scalar)>, values: u64 },
    Quantiles(ExactQuantiles<f64>),
    Histogram(Histogram),
}

impl MetricMemory {
    /// Values that are not null, where they are counted.
    pub(crate) fn values(&self) -> u64 {
        match self {
            Self::Counts { rows, nulls } => rows - nulls,
            Self::Moments(moments) => moments.count(),
            Self::Ends { values, .. } => *values,
            Self::Quantiles(values) => values.count() + values.nan(),
            Self::Histogram(values) => values.count() + values.nan(),
        }
    }

    /// Both together.
    pub(crate) fn merge(self, other: Self) -> Result<Self> {
        Ok(match (self, other) {
            (Self::Counts { rows, nulls }, Self::Counts { rows: more, nulls: null }) => {
                Self::Counts { rows: rows + more, nulls: nulls + null }
            }
            (Self::Moments(mut a), Self::Moments(b)) => {
                a.merge(&b)?;
                Self::Moments(a)
            }
            (Self::Ends { ends: a, values }, Self::Ends { ends: b, values: more }) => {
                Self::Ends { ends: wider(a, b), values: values + more }
            }
            (Self::Quantiles(mut a), Self::Quantiles(b)) => {
                a.merge(&b);
                Self::Quantiles(a)
            }
            (Self::Histogram(mut a), Self::Histogram(b)) => {
                a.merge(&b);
                Self::Histogram(a)
            }
            _ => return Err(other_memory()),
        })
    }
}

type Ends = Option<(Scalar, Scalar)>;

fn wider(a: Ends, b: Ends) -> Ends {
    match (a, b) {
        (Some((low, high)), Some((lower, higher))) => Some((
            if lower.compare(&low) == Ordering::Less { lower } else { low },
            if higher.compare(&high) == Ordering::Greater { higher } else { high },
        )),
        (ends, None) | (None, ends) => ends,
    }
}

/// Takes a column into one of the memories.
#[derive(Debug)]
pub(crate) struct MetricFold {
    /// None for the number of rows.
    pub(crate) slot: Option<usize>,
    pub(crate) family: Family,
    pub(crate) data_type: DataType,
}

impl Fold for MetricFold {
    fn memory(&self) -> Memory {
        Memory::Metric(Box::new(match self.family {
            Family::Moments => match Moments::for_type(&self.data_type) {
                Some(moments) => MetricMemory::Moments(moments),
                None => MetricMemory::Counts { rows: 0, nulls: 0 },
            },
            Family::Ends => MetricMemory::Ends { ends: None, values: 0 },
            Family::Quantiles => MetricMemory::Quantiles(ExactQuantiles::default()),
            Family::Histogram => MetricMemory::Histogram(Histogram::default()),
            Family::Counts | Family::Keys | Family::Distinct => {
                MetricMemory::Counts { rows: 0, nulls: 0 }
            }
        }))
    }

    fn fold(&self, chunk: &Chunk<'_>, eligible: Option<&[u64]>, memory: &mut Memory) -> Result<()> {
        let Memory::Metric(memory) = memory else { return Err(other_memory()) };
        let column = self.slot.map(|slot| chunk.column(slot)).transpose()?;
        match (&mut **memory, column) {
            (MetricMemory::Counts { rows, .. }, None) => {
                *rows += eligible.map_or(chunk.rows as u64, bits::count);
            }
            (MetricMemory::Counts { rows, nulls }, Some(column)) => {
                *rows += eligible.map_or(chunk.rows as u64, bits::count);
                if column.is_nullable() {
                    let mut null = Vec::new();
                    bits::clear(&mut null, chunk.rows);
                    or_null_rows(column, &mut null);
                    if let Some(eligible) = eligible {
                        bits::and(&mut null, eligible);
                    }
                    *nulls += bits::count(&null);
                }
            }
            (MetricMemory::Moments(moments), Some(column)) => {
                moments.update(&plain(column)?, eligible)?;
            }
            (MetricMemory::Ends { ends, values }, Some(column)) => {
                let (found, count) = ends_of(column, eligible)?;
                *values += count;
                *ends = wider(ends.take(), found);
            }
            (MetricMemory::Quantiles(quantiles), Some(column)) => {
                quantiles.add_slice(&floats(column, eligible)?);
            }
            (MetricMemory::Histogram(histogram), Some(column)) => {
                histogram.add_slice(&floats(column, eligible)?);
            }
            (_, None) => return Err(other_memory()),
        }
        Ok(())
    }

    fn absorb(&self, facts: &Facts<'_>, memory: &mut Memory) -> bool {
        let Memory::Metric(memory) = memory else { return false };
        let column = self.slot.and_then(|slot| facts.columns.get(slot));
        match (&mut **memory, column) {
            (MetricMemory::Counts { rows, .. }, None) if self.slot.is_none() => {
                *rows += facts.rows;
                true
            }
            (MetricMemory::Counts { rows, nulls }, Some(column)) => {
                let Some(null) = column.nulls else { return false };
                *rows += facts.rows;
                *nulls += null;
                true
            }
            (MetricMemory::Ends { ends, values }, Some(column)) => {
                let Some(null) = column.nulls else { return false };
                if null < facts.rows {
                    // Extremes of floats leave NaN out, as statistics do; but −0.0 may stand for 0.0.
                    let (Some(found), true) = (column.ends.as_ref(), column.ends_are_values) else {
                        return false;
                    };
                    let Ok((found, _)) = ends_of(found, None) else { return false };
                    *ends = wider(ends.take(), found);
                }
                *values += facts.rows - null;
                true
            }
            _ => false,
        }
    }
}

/// The column without its dictionary.
pub(crate) fn plain(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Dictionary(..) => {
            let to = value_type(column.data_type());
            cast(column, to).map_err(|source| {
                Error::invalid("validate", "a dictionary cannot be read")
                    .with("type", column.data_type())
                    .with_source(source)
            })
        }
        _ => Ok(ArrayRef::clone(column)),
    }
}

fn ends_of(column: &ArrayRef, eligible: Option<&[u64]>) -> Result<(Ends, u64)> {
    let scalars = Scalars::new(column)?;
    let (mut ends, mut count): (Ends, u64) = (None, 0);
    for row in 0..column.len() {
        if eligible.is_some_and(|eligible| !bits::get(eligible, row)) {
            continue;
        }
        let Some(value) = scalars.get(row) else { continue };
        count += 1;
        if value.is_nan() {
            continue;
        }
        match &mut ends {
            None => ends = Some((value.clone(), value)),
            Some((low, high)) => {
                if value.compare(low) == Ordering::Less {
                    *low = value;
                } else if value.compare(high) == Ordering::Greater {
                    *high = value;
                }
            }
        }
    }
    Ok((ends, count))
}

/// The values that are not null, as floats.
fn floats(column: &ArrayRef, eligible: Option<&[u64]>) -> Result<Vec<f64>> {
    let unreadable =
        || Error::invalid("validate", "a column has no quantiles").with("type", column.data_type());
    let plain =
        cast(column, &DataType::Float64).map_err(|source| unreadable().with_source(source))?;
    let values = plain.as_primitive_opt::<Float64Type>().ok_or_else(unreadable)?;
    Ok(values
        .iter()
        .enumerate()
        .filter(|(row, _)| eligible.is_none_or(|eligible| bits::get(eligible, *row)))
        .filter_map(|(_, value)| value)
        .collect())
}

/// A metric's value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MetricValue {
    /// Of no values.
    Nothing,
    /// A float, or what is computed in floats.
    Float(f64),
    /// What counts in integers, in the units of a type.
    Whole(i256, DataType),
    /// Text or bytes.
    Bytes(Vec<u8>),
}

/// The type of counts, and of sums of integers.
pub(crate) const COUNT: DataType = DataType::Decimal256(76, 0);

impl MetricValue {
    /// A count.
    pub(crate) fn count(n: u64) -> Self {
        Self::Whole(i256::from_i128(i128::from(n)), COUNT)
    }

    /// A whole number or decimal as its digits and scale, the same for the same number of any scale.
    pub(crate) fn decimal(&self) -> Option<(i256, i32)> {
        let Self::Whole(digits, data_type) = self else { return None };
        let (mut digits, mut scale) = (*digits, i32::from(scale_of(data_type)?));
        let ten = i256::from_i128(10);
        while digits != i256::ZERO && digits % ten == i256::ZERO {
            (digits, scale) = (digits / ten, scale - 1);
        }
        Some((digits, if digits == i256::ZERO { 0 } else { scale }))
    }

    /// The value as a float; text has none.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Whole(value, data_type) => {
                let scale = scale_of(data_type)?;
                let text = value.to_string();
                format!("{text}e{}", -i32::from(scale)).parse().ok()
            }
            Self::Nothing | Self::Bytes(_) => None,
        }
    }

    /// The value in a report.
    pub(crate) fn to_json(&self) -> Option<Value> {
        Some(match self {
            Self::Nothing => return None,
            Self::Float(value) if value.is_finite() => (*value).into(),
            Self::Float(value) => value.to_string().into(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
            Self::Whole(value, data_type) => match (value.to_i128(), data_type) {
                (Some(n), DataType::Decimal256(_, 0)) if i64::try_from(n).is_ok() => {
                    (n as i64).into()
                }
                (Some(n), integer) if integer.is_integer() => match i64::try_from(n) {
                    Ok(n) => n.into(),
                    Err(_) => n.to_string().into(),
                },
                _ => show_whole(*value, data_type).into(),
            },
        })
    }
}

/// Digits behind the point of a type of exact numbers.
pub(crate) fn scale_of(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(*scale),
        integer if integer.is_integer() => Some(0),
        _ => None,
    }
}

/// A date as a date, a decimal with its point.
fn show_whole(value: i256, data_type: &DataType) -> String {
    use arrow::array::{Int32Array, Int64Array};
    use std::sync::Arc;
    if let Some(scale) = scale_of(data_type) {
        return decimal_text(value, scale);
    }
    let small = value.to_i128().and_then(|n| i32::try_from(n).ok());
    let large = value.to_i128().and_then(|n| i64::try_from(n).ok());
    let array = large
        .map(|n| Arc::new(Int64Array::from(vec![n])) as ArrayRef)
        .and_then(|array| cast(&array, data_type).ok())
        .or_else(|| {
            let array: ArrayRef = Arc::new(Int32Array::from(vec![small?]));
            cast(&array, data_type).ok()
        });
    array.and_then(|array| crate::tally::display(&array, 0)).unwrap_or_else(|| value.to_string())
}

/// All digits: Arrow would cut those of a sum off that are more than its type may have.
fn decimal_text(value: i256, scale: i8) -> String {
    let text = value.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", &text[..]), |digits| ("-", digits));
    let Ok(behind @ 1..) = usize::try_from(scale) else {
        let zeros = if digits == "0" { 0 } else { usize::from(scale.unsigned_abs()) };
        return format!("{sign}{digits}{}", "0".repeat(zeros));
    };
    let digits = format!("{digits:0>width$}", width = behind + 1);
    let (before, after) = digits.split_at(digits.len() - behind);
    format!("{sign}{before}.{after}")
}

/// What a metric comes to, from the memory of its family.
pub(crate) fn value_of(metric: &Metric, memory: &Memory, data_type: &DataType) -> MetricValue {
    match memory {
        Memory::Keys(keys) => MetricValue::count(keys.found().distinct),
        Memory::Distinct(estimate) => MetricValue::count(estimate.count()),
        Memory::Metric(memory) => {
            of_memory(metric, memory, data_type).unwrap_or(MetricValue::Nothing)
        }
        _ => MetricValue::Nothing,
    }
}

fn of_memory(metric: &Metric, memory: &MetricMemory, data_type: &DataType) -> Option<MetricValue> {
    let float = |value: Option<f64>| value.map(MetricValue::Float);
    match (metric.function(), memory) {
        (Function::Rows, MetricMemory::Counts { rows, .. }) => Some(MetricValue::count(*rows)),
        (Function::Count, MetricMemory::Counts { rows, nulls }) => {
            Some(MetricValue::count(rows - nulls))
        }
        (Function::Nulls, MetricMemory::Counts { nulls, .. }) => Some(MetricValue::count(*nulls)),
        (Function::NullRate, MetricMemory::Counts { rows, nulls }) => {
            (*rows > 0).then(|| MetricValue::Float(*nulls as f64 / *rows as f64))
        }
        (Function::Sum, MetricMemory::Moments(moments)) => match moments {
            Moments::Floats(_) => float(moments.sum()),
            Moments::Whole(whole) => {
                let scale = whole.scale();
                let of = match data_type {
                    DataType::Duration(_) => data_type.clone(),
                    _ => DataType::Decimal256(76, scale),
                };
                let digits = whole.sum_text()?;
                let in_units = crate::rules::literal::parse_decimal(&digits, scale);
                match in_units.filter(|found| found.exact) {
                    Some(found) => Some(MetricValue::Whole(found.whole, of)),
                    None => float(whole.sum()),
                }
            }
        },
        (Function::Mean, MetricMemory::Moments(moments)) => float(moments.mean()),
        (Function::StdDev, MetricMemory::Moments(moments)) => {
            float(moments.stddev(Variance::Sample))
        }
        (Function::Min, MetricMemory::Ends { ends, .. }) => {
            Some(of_scalar(&ends.as_ref()?.0, data_type))
        }
        (Function::Max, MetricMemory::Ends { ends, .. }) => {
            Some(of_scalar(&ends.as_ref()?.1, data_type))
        }
        (Function::Quantile, MetricMemory::Quantiles(values)) => {
            float(values.clone().quantile(metric.q()?, Rule::default()))
        }
        (Function::ApproxQuantile, MetricMemory::Histogram(values)) => {
            float(values.quantile(metric.q()?).map(Interval::middle))
        }
        _ => None,
    }
}

pub(crate) fn of_scalar(scalar: &Scalar, data_type: &DataType) -> MetricValue {
    let whole = |n: i128| MetricValue::Whole(i256::from_i128(n), value_type(data_type).clone());
    match scalar {
        Scalar::Int(n) => whole(i128::from(*n)),
        Scalar::UInt(n) => whole(i128::from(*n)),
        Scalar::Float(value) => MetricValue::Float(*value),
        Scalar::Decimal(bytes) => {
            MetricValue::Whole(i256::from_le_bytes(*bytes), value_type(data_type).clone())
        }
        Scalar::Bytes(bytes) => MetricValue::Bytes(bytes.clone()),
    }
}
