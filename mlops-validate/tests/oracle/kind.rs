//! What a column holds, and values of it that look for trouble: ends of ranges, NaN, −0.0, numbers
//! that no double holds, empty and non-ASCII text.

use arrow::datatypes::TimeUnit;

use crate::number::Number;
use crate::rng::Rng;
use crate::value::Value;

/// What a column holds, whatever its encoding.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Bool,
    /// Bits, and whether there is a sign.
    Int(u32, bool),
    /// Bits.
    Float(u32),
    /// Bits and scale.
    Decimal(u32, i8),
    Text,
    Bytes,
    /// Bytes of so many bytes.
    FixedBytes(usize),
    /// Bits.
    Date(u32),
    Time(TimeUnit),
    /// Unit, and whether there is a zone.
    Instant(TimeUnit, bool),
    Duration(TimeUnit),
    List(Box<Kind>),
    Struct(Vec<(&'static str, Kind)>),
}

pub(crate) const UNITS: [TimeUnit; 4] =
    [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];

pub(crate) const NANOS_A_DAY: i128 = 86_400_000_000_000;

/// Nanoseconds of a unit.
pub(crate) fn nanos(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

const TEXTS: [&str; 18] = [
    "",
    "a",
    "b",
    "abc1",
    "ABC",
    "é",
    "日本語",
    "naïve text that is longer than sixteen bytes",
    "naïve text that is longer than sixteen bytez",
    "0123456789abcdef",
    "0123456789abcdeg",
    "x@y.z",
    "2024-02-29",
    "127.0.0.1",
    "\u{0}",
    "a\nb",
    "🦀🦀",
    " a ",
];

impl Kind {
    /// A kind of single values.
    pub(crate) fn scalar(rng: &mut Rng) -> Self {
        match rng.below(14) {
            0 => Self::Bool,
            1..=3 => Self::Int(*rng.pick(&[8, 16, 32, 64, 64]), rng.chance(70)),
            4 | 5 => Self::Float(*rng.pick(&[16, 32, 64, 64, 64])),
            6 => Self::Decimal(*rng.pick(&[32, 64, 128, 256]), *rng.pick(&[-2, 0, 2, 5])),
            7 | 8 => Self::Text,
            9 => match rng.below(3) {
                0 => Self::FixedBytes(3),
                _ => Self::Bytes,
            },
            10 => Self::Date(*rng.pick(&[32, 64])),
            11 => Self::Time(*rng.pick(&UNITS)),
            12 => Self::Instant(*rng.pick(&UNITS), rng.chance(50)),
            _ => Self::Duration(*rng.pick(&UNITS)),
        }
    }

    pub(crate) fn any(rng: &mut Rng) -> Self {
        match rng.below(10) {
            0 => Self::List(Box::new(Self::scalar(rng))),
            1 => Self::Struct(vec![("x", Self::scalar(rng)), ("y", Self::scalar(rng))]),
            2 => {
                let fields = vec![("price", Self::scalar(rng)), ("n", Self::Int(32, true))];
                Self::List(Box::new(Self::Struct(fields)))
            }
            _ => Self::scalar(rng),
        }
    }

    pub(crate) fn is_scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Struct(_))
    }

    /// Digits that a decimal of these bits has.
    pub(crate) fn precision(bits: u32) -> u8 {
        match bits {
            32 => 9,
            64 => 18,
            128 => 38,
            _ => 76,
        }
    }

    /// The ends of integers.
    pub(crate) fn ends(bits: u32, signed: bool) -> (i128, i128) {
        if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
    }

    /// A value, not null; of a small domain mostly, so that values meet again.
    pub(crate) fn value(&self, rng: &mut Rng) -> Value {
        match self {
            Self::Bool => Value::Bool(rng.chance(50)),
            Self::Int(bits, signed) => {
                let (low, high) = Self::ends(*bits, *signed);
                let n = match rng.below(12) {
                    0 => low,
                    1 => high,
                    2 => (1 << 53) + 1,
                    3 => -(1 << 53) - 1,
                    4 => i128::from(rng.next()),
                    _ => i128::from(rng.next() % 40) - 12,
                };
                Value::Exact(Number::whole(n.clamp(low, high)))
            }
            Self::Float(bits) => Value::Float(match rng.below(20) {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => f64::NEG_INFINITY,
                3 => -0.0,
                4 => 0.0,
                5 if *bits == 64 => *rng.pick(&[f64::MAX, f64::MIN, f64::from_bits(1), 0.1, 1e16]),
                5 if *bits == 32 => f64::from(*rng.pick(&[f32::MAX, f32::MIN, 0.1])),
                6 if *bits == 64 => (rng.next() as f64 / 1e19 - 0.5) * 1e6,
                6 if *bits == 32 => f64::from((rng.next() as f64 / 1e19) as f32),
                _ => rng.below(48) as f64 / 4.0 - 5.0,
            }),
            Self::Decimal(bits, scale) => {
                let most = Number::whole(1).shifted(i32::from(Self::precision(*bits)));
                let most = most.plus(&Number::whole(-1));
                let unscaled = match rng.below(14) {
                    0 => most,
                    1 => most.negated(),
                    2 => Number::whole(i128::from(rng.next() % 1_000_000_000)),
                    _ => Number::whole(i128::from(rng.next() % 40) - 12),
                };
                Value::Exact(unscaled.shifted(-i32::from(*scale)))
            }
            Self::Text => Value::Text(match rng.below(8) {
                0 => rng.next().to_string().repeat(1 + rng.below(3)),
                _ => (*rng.pick(&TEXTS)).to_owned(),
            }),
            Self::Bytes => Value::Bytes((0..rng.below(4)).map(|_| rng.below(3) as u8).collect()),
            Self::FixedBytes(n) => Value::Bytes((0..*n).map(|_| rng.below(2) as u8).collect()),
            Self::Date(bits) => Value::Date(match rng.below(12) {
                0 if *bits == 32 => i64::from(i32::MIN),
                1 if *bits == 32 => i64::from(i32::MAX),
                2 => -719_162,
                _ => 19_000 + rng.below(30) as i64,
            }),
            Self::Time(unit) => {
                let ticks = (NANOS_A_DAY / nanos(*unit)) as u64;
                let tick = if rng.chance(30) { rng.next() % ticks } else { rng.next() % 20 };
                Value::Time(i128::from(tick) * nanos(*unit))
            }
            Self::Instant(unit, _) => Value::Instant(ticks(rng, *unit) * nanos(*unit)),
            Self::Duration(unit) => Value::Duration(match rng.below(8) {
                0 => i128::from(i64::MAX) * nanos(*unit),
                1 => i128::from(i64::MIN) * nanos(*unit),
                _ => (rng.below(50) as i128 - 10) * nanos(*unit),
            }),
            Self::List(item) => {
                let length = if rng.chance(20) { 0 } else { rng.below(4) };
                Value::List((0..length).map(|_| item.value_or_null(rng, 10)).collect())
            }
            Self::Struct(fields) => {
                Value::Struct(fields.iter().map(|(_, kind)| kind.value_or_null(rng, 15)).collect())
            }
        }
    }

    pub(crate) fn value_or_null(&self, rng: &mut Rng, percent_null: usize) -> Value {
        if rng.chance(percent_null) { Value::Null } else { self.value(rng) }
    }
}

/// Instants of some days of 2022, and of the ends of time.
fn ticks(rng: &mut Rng, unit: TimeUnit) -> i128 {
    let day = NANOS_A_DAY / nanos(unit);
    match rng.below(16) {
        0 => i128::from(i64::MAX),
        1 => i128::from(i64::MIN),
        2 => -1,
        3 => i128::from(rng.next() % 1_000),
        _ => (19_000 + rng.below(12) as i128) * day + (rng.below(4) as i128) * (day / 24 + 1),
    }
}
