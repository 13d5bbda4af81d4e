//! Instants as whole numbers of one unit, so that they compare without losing anything.
//!
//! Everything is compared in microseconds, unless someone has nanoseconds: then in nanoseconds. An instant
//! that nanoseconds of 64 bits cannot say, before 1677 or after 2262, is the first or the last that they
//! can, and so is before, or after, all others. The least number of all is none of them: it is what stands for
//! an instant that is not known.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use mlops_core::{Error, Result};

/// The first instant.
const FIRST: i64 = i64::MIN + 1;

/// What one tick is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A microsecond.
    Micros,
    /// A nanosecond.
    Nanos,
}

/// Instants of a column.
#[derive(Debug, Clone)]
pub(crate) struct Ticks {
    pub(crate) values: ScalarBuffer<i64>,
    pub(crate) nulls: Option<NullBuffer>,
}

impl Unit {
    /// The unit that columns of these types are compared in.
    pub(crate) fn of<'a>(types: impl IntoIterator<Item = &'a DataType>) -> Self {
        let fine = types.into_iter().any(|t| *plain(t) == TimeUnit::Nanosecond);
        if fine { Self::Nanos } else { Self::Micros }
    }

    /// Ticks of so many microseconds.
    pub(crate) fn micros(self, micros: i64) -> i64 {
        match self {
            Self::Micros => micros,
            Self::Nanos => micros.saturating_mul(1_000).max(FIRST),
        }
    }

    /// Whole microseconds of ticks, rounded down.
    pub(crate) fn to_micros(self, ticks: i64) -> i64 {
        match self {
            Self::Micros => ticks,
            Self::Nanos => ticks.div_euclid(1_000),
        }
    }

    /// The instants of a column; one without a zone is UTC.
    ///
    /// # Errors
    /// `Invalid`, naming the column, for what is no column of instants.
    pub(crate) fn ticks(self, column: &ArrayRef, name: &str) -> Result<Ticks> {
        let nulls = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let (values, per_second) = match column.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => {
                (column.as_primitive::<TimestampSecondType>().values().clone(), 1)
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                (column.as_primitive::<TimestampMillisecondType>().values().clone(), 1_000)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                (column.as_primitive::<TimestampMicrosecondType>().values().clone(), 1_000_000)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                (column.as_primitive::<TimestampNanosecondType>().values().clone(), 1_000_000_000)
            }
            DataType::Date64 => (column.as_primitive::<Date64Type>().values().clone(), 1_000),
            DataType::Date32 => {
                let days = column.as_primitive::<Date32Type>().values();
                (days.iter().map(|days| i64::from(*days) * 86_400).collect(), 1)
            }
            DataType::Dictionary(_, values) if is_time(values) => {
                let plain = cast(column, values).map_err(|source| {
                    Error::corrupt("features.as_of", "a column of instants cannot be read")
                        .with("column", name)
                        .with_source(source)
                })?;
                return self.ticks(&plain, name);
            }
            other => return Err(no_time(name, other)),
        };
        let factor = self.per_second() / per_second;
        let values = match factor {
            0 => {
                return Err(Error::new(
                    mlops_core::ErrorKind::Internal,
                    "features.as_of",
                    "instants finer than the unit of the comparison",
                )
                .with("column", name));
            }
            1 if !values.contains(&i64::MIN) => values,
            _ => values.iter().map(|value| value.saturating_mul(factor).max(FIRST)).collect(),
        };
        Ok(Ticks { values, nulls })
    }

    fn per_second(self) -> i64 {
        match self {
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }
}

impl Ticks {
    /// The instant of a row, if it has one.
    pub(crate) fn get(&self, row: usize) -> Option<i64> {
        let valid = self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        valid.then(|| self.values[row])
    }
}

/// Checks that a column has instants.
///
/// # Errors
/// `Invalid`, naming the column and its type.
pub(crate) fn check_time(name: &str, found: &DataType) -> Result<()> {
    if is_time(found) { Ok(()) } else { Err(no_time(name, found)) }
}

fn is_time(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => true,
        DataType::Dictionary(_, values) => is_time(values),
        _ => false,
    }
}

fn plain(data_type: &DataType) -> &TimeUnit {
    match data_type {
        DataType::Timestamp(unit, _) => unit,
        DataType::Dictionary(_, values) => plain(values),
        _ => &TimeUnit::Second,
    }
}

#[cold]
fn no_time(name: &str, found: &DataType) -> Error {
    Error::invalid("features.as_of", "a column of instants has another type")
        .with("column", name)
        .with("type", found)
        .with("expected", "a timestamp or a date")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, TimestampNanosecondArray, TimestampSecondArray};

    use super::*;

    #[test]
    fn units_are_mixed_without_losing_a_nanosecond() {
        let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![-1, i64::MAX]));
        let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1, 1]));
        assert_eq!(Unit::of([seconds.data_type(), nanos.data_type()]), Unit::Nanos);
        let ticks = |column| Unit::Nanos.ticks(column, "t").unwrap().values.to_vec();
        assert_eq!(ticks(&seconds), [-1_000_000_000, i64::MAX]);
        assert_eq!(ticks(&nanos), [-1, 1]);
        assert_eq!(Unit::Nanos.to_micros(-1), -1, "rounded down");
    }

    #[test]
    fn an_instant_before_all_others_is_known_all_the_same() {
        let seconds: ArrayRef =
            Arc::new(TimestampSecondArray::from(vec![i64::MIN, -62_135_596_800]));
        let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![i64::MIN]));
        for column in [seconds, nanos] {
            let ticks = Unit::Nanos.ticks(&column, "t").unwrap().values;
            assert!(ticks.iter().all(|tick| *tick == FIRST), "{ticks:?}");
        }
        assert_eq!(Unit::Nanos.micros(-62_135_596_800_000_000), FIRST);
    }

    #[test]
    fn a_day_is_its_first_instant_and_a_number_is_no_instant() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(1), None]));
        let ticks = Unit::Micros.ticks(&days, "t").unwrap();
        assert_eq!((ticks.get(0), ticks.get(1)), (Some(86_400_000_000), None));
        let error = check_time("t", &DataType::Int64).unwrap_err();
        assert!(error.to_string().contains("column: t, type: Int64"), "{error}");
    }
}
