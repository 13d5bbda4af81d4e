//! Keys and rows as text, for samples in a report.

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date64Array, Decimal128Array, DurationMicrosecondArray,
    DurationMillisecondArray, DurationNanosecondArray, DurationSecondArray, Float64Array,
    Int64Array, Time64NanosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::TimeUnit;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::sync::Arc;

use super::kind::Kind;
use super::{KeyEncoder, NULL_NARROW, NULL_WIDE};

#[cfg(test)]
/// Longest text of one row, in Unicode scalar values; what is longer ends in `…`.
const MAX_CHARS: usize = 200;

impl KeyEncoder {
    /// The value of a key that is a value; none for a fingerprint.
    pub(crate) fn describe(&self, key: u128) -> Option<String> {
        let [column] = self.columns.as_slice() else { return None };
        if !self.is_exact() {
            return None;
        }
        if key == if self.is_narrow() { NULL_NARROW } else { NULL_WIDE } {
            return Some("null".to_owned());
        }
        let word = key as u64 as i64;
        let one: ArrayRef = match &column.kind {
            Kind::Bool => Arc::new(BooleanArray::from(vec![key != 0])),
            Kind::Signed => Arc::new(Int64Array::from(vec![word])),
            Kind::Unsigned => Arc::new(UInt64Array::from(vec![key as u64])),
            Kind::Float => Arc::new(Float64Array::from(vec![f64::from_bits(key as u64)])),
            Kind::Date if word % 86_400_000 == 0 => {
                let text = text_of(&Date64Array::from(vec![word]), 0);
                return Some(text.split('T').next().unwrap_or(&text).to_owned());
            }
            Kind::Date => Arc::new(Date64Array::from(vec![word])),
            Kind::Time => Arc::new(Time64NanosecondArray::from(vec![word])),
            Kind::Instant(unit, zoned) => {
                let zone = zoned.then_some("+00:00");
                instant(word, *unit, zone)
            }
            Kind::Duration(unit) => duration(word, *unit),
            Kind::BigInt => return Some((key as i128).to_string()),
            Kind::Decimal(scale) => {
                let array = Decimal128Array::from(vec![key as i128]);
                Arc::new(array.with_precision_and_scale(38, *scale).ok()?)
            }
            Kind::BigInstant(zoned) => {
                let nanos = i64::try_from(key as i128).ok()?;
                instant(nanos, TimeUnit::Nanosecond, zoned.then_some("+00:00"))
            }
            Kind::BigDuration => duration(i64::try_from(key as i128).ok()?, TimeUnit::Nanosecond),
            _ => return None,
        };
        Some(text_of(&one, 0))
    }

    #[cfg(test)]
    /// The values of a row: `JFK`, or `(JFK, 2013-01-01T05:00:00)` for several columns.
    ///
    /// `batch` is of the encoder's schema and has this row; otherwise the text is empty.
    pub(crate) fn text(&self, batch: &arrow::array::RecordBatch, row: usize) -> String {
        let parts: Vec<String> = self
            .columns()
            .filter_map(|column| batch.columns().get(column))
            .filter(|array| row < array.len())
            .map(|array| text_of(array, row))
            .collect();
        let text = match parts.as_slice() {
            [single] => single.clone(),
            [] => String::new(),
            parts => format!("({})", parts.join(", ")),
        };
        match text.char_indices().nth(MAX_CHARS) {
            None => text,
            Some((end, _)) => format!("{}…", &text[..end]),
        }
    }
}

fn text_of(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::default().with_null("null").with_display_error(true);
    ArrayFormatter::try_new(array, &options)
        .and_then(|formatter| formatter.value(row).try_to_string())
        .unwrap_or_else(|error| format!("<{error}>"))
}

fn instant(value: i64, unit: TimeUnit, zone: Option<&str>) -> ArrayRef {
    macro_rules! of {
        ($array:ty) => {
            Arc::new(<$array>::from(vec![value]).with_timezone_opt(zone))
        };
    }
    match unit {
        TimeUnit::Second => of!(TimestampSecondArray),
        TimeUnit::Millisecond => of!(TimestampMillisecondArray),
        TimeUnit::Microsecond => of!(TimestampMicrosecondArray),
        TimeUnit::Nanosecond => of!(TimestampNanosecondArray),
    }
}

fn duration(value: i64, unit: TimeUnit) -> ArrayRef {
    match unit {
        TimeUnit::Second => Arc::new(DurationSecondArray::from(vec![value])),
        TimeUnit::Millisecond => Arc::new(DurationMillisecondArray::from(vec![value])),
        TimeUnit::Microsecond => Arc::new(DurationMicrosecondArray::from(vec![value])),
        TimeUnit::Nanosecond => Arc::new(DurationNanosecondArray::from(vec![value])),
    }
}
