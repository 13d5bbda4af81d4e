//! Random tables: the rows as values, and the same rows in Arrow in different encodings.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::batch;
use super::oracle::V;

/// A small generator of numbers (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(super) fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

pub(super) const COLUMNS: [&str; 11] = ["i", "j", "u", "d", "f", "g", "t", "w", "b", "day", "at"];

pub(super) fn some(random: &mut Random, column: &str) -> V {
    const TWO_53: i64 = 1 << 53;
    match column {
        "i" | "j" => {
            V::Int(random.pick(&[0, 1, -1, 2, 3, 7, TWO_53, TWO_53 + 1, i64::MAX, i64::MIN]))
        }
        "u" => V::UInt(random.pick(&[0, 1, 7, 1 << 53, u64::MAX])),
        "d" => V::Dec(random.pick(&[0, 10, -10, 100, 150, 700, 99_999_999, 1]), 2),
        "f" => V::Float(random.pick(&[
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.1,
            1.5,
            9_007_199_254_740_992.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            5e-324,
            1e300,
            9.223_372_036_854_775e18,
        ])),
        "g" => {
            V::Single(random.pick(&[0.0, -0.0, 0.1, 1.5, -1.0, f32::NAN, f32::INFINITY, f32::MAX]))
        }
        "t" | "w" => {
            V::Text(random.pick(&["", "a", "A", "ab", "é", "naïve", "a%b", "z'z", "ß"]).into())
        }
        "b" => V::Bool(random.below(2) == 0),
        "day" => V::Day(random.pick(&[0, 1, -1, 19_000, i32::MAX, i32::MIN])),
        _ => V::At(random.pick(&[0, 1, -1, 86_400_000_000, -86_400_000_000, i64::MAX, i64::MIN])),
    }
}

/// Rows of values, and the batch of them: a slice, in an encoding chosen at random.
pub(super) fn table(random: &mut Random) -> (Vec<Vec<V>>, RecordBatch) {
    let count = random.pick(&[0, 1, 2, 5, 63, 64, 65, 130]);
    let (before, after) = (random.below(3), random.below(3));
    let full = before + count + after;
    let dense = random.below(4) == 0;
    let mut columns = Vec::new();
    let mut arrays: Vec<(&str, ArrayRef)> = Vec::new();
    for name in COLUMNS {
        let values: Vec<V> = (0..full)
            .map(|_| if !dense && random.below(5) == 0 { V::Null } else { some(random, name) })
            .collect();
        arrays.push((name, encoded(random, &array(&values, name))));
        columns.push(values[before..before + count].to_vec());
    }
    let rows = (0..count).map(|i| columns.iter().map(|column| column[i].clone()).collect());
    (rows.collect(), batch(arrays).slice(before, count))
}

fn array(values: &[V], name: &str) -> ArrayRef {
    macro_rules! of {
        ($array:ty, $kind:path) => {
            Arc::new(
                values
                    .iter()
                    .map(|v| if let $kind(v) = v { Some(v.clone()) } else { None })
                    .collect::<$array>(),
            )
        };
    }
    match name {
        "i" | "j" => of!(Int64Array, V::Int),
        "u" => of!(UInt64Array, V::UInt),
        "f" => of!(Float64Array, V::Float),
        "g" => of!(Float32Array, V::Single),
        "t" | "w" => of!(StringArray, V::Text),
        "b" => of!(BooleanArray, V::Bool),
        "day" => of!(Date32Array, V::Day),
        "at" => of!(TimestampMicrosecondArray, V::At),
        _ => {
            let decimals =
                values.iter().map(|v| if let V::Dec(v, _) = v { Some(*v) } else { None });
            let array: Decimal128Array = decimals.collect();
            Arc::new(array.with_precision_and_scale(12, 2).unwrap())
        }
    }
}

/// The same values in another layout, if they have one.
fn encoded(random: &mut Random, array: &ArrayRef) -> ArrayRef {
    let dictionary =
        |key: DataType, value: DataType| DataType::Dictionary(key.into(), value.into());
    let layouts = match array.data_type() {
        DataType::Utf8 => vec![
            DataType::Utf8,
            DataType::LargeUtf8,
            DataType::Utf8View,
            dictionary(DataType::Int16, DataType::Utf8),
            dictionary(DataType::UInt32, DataType::LargeUtf8),
        ],
        DataType::Int64 => vec![DataType::Int64, dictionary(DataType::Int32, DataType::Int64)],
        DataType::Decimal128(p, s) => {
            vec![
                DataType::Decimal128(*p, *s),
                DataType::Decimal64(*p, *s),
                DataType::Decimal256(*p, *s),
            ]
        }
        other => vec![other.clone()],
    };
    cast(array, &random.pick(&layouts)).unwrap()
}
