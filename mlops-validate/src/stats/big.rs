//! Whole numbers of any size: just enough to divide and round an exact sum once, at the end.
//!
//! Sums are kept as [`Limbs`](super::limbs::Limbs), which are quick to add to; their mean and variance
//! are quotients of whole numbers and need this, once for each result. Nothing here is tuned.

use std::cmp::Ordering;

use arrow::datatypes::i256;
use serde::{Deserialize, Serialize};

/// A signed whole number: digits in base 2³², the lowest first, no leading zeros; zero is positive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Big {
    negative: bool,
    digits: Vec<u32>,
}

/// As stored: the low zero digits are only counted, since a sum of doubles has many.
#[derive(Serialize, Deserialize)]
struct Stored(bool, u32, Vec<u32>);

/// No sum has more digits; what comes from outside may say so.
const MAX_DIGITS: usize = 1_024;

impl Big {
    pub(super) fn new(negative: bool, mut digits: Vec<u32>) -> Self {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Self { negative: negative && !digits.is_empty(), digits }
    }

    pub(super) fn from_u128(magnitude: u128, negative: bool) -> Self {
        Self::new(negative, (0..4).map(|i| (magnitude >> (32 * i)) as u32).collect())
    }

    pub(super) fn from_i256(value: i256) -> Self {
        // The magnitude of the smallest value is right as an unsigned number.
        let bytes = value.wrapping_abs().to_le_bytes();
        let digits = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Self::new(value.is_negative(), digits.collect())
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(super) fn is_negative(&self) -> bool {
        self.negative
    }

    pub(super) fn digits(&self) -> &[u32] {
        &self.digits
    }

    /// Bits of the magnitude; 0 for zero.
    fn bits(&self) -> usize {
        match self.digits.last() {
            Some(top) => self.digits.len() * 32 - top.leading_zeros() as usize,
            None => 0,
        }
    }

    fn bit(&self, i: usize) -> bool {
        self.digits.get(i / 32).is_some_and(|digit| digit >> (i % 32) & 1 == 1)
    }

    /// The bits from number `i` upwards, of which there are at most 64.
    fn bits_from(&self, i: usize) -> u64 {
        let digit = |at: usize| self.digits.get(at).map_or(0, |digit| u128::from(*digit));
        let at = i / 32;
        ((digit(at + 2) << 64 | digit(at + 1) << 32 | digit(at)) >> (i % 32)) as u64
    }

    /// Whether a bit of a number less than `i` is set.
    fn any_bit_below(&self, i: usize) -> bool {
        let whole = (i / 32).min(self.digits.len());
        let part = self.digits.get(i / 32).is_some_and(|digit| digit & ((1 << (i % 32)) - 1) != 0);
        part || self.digits[..whole].iter().any(|digit| *digit != 0)
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        let mut out = vec![0u32; self.digits.len() + other.digits.len()];
        for (i, &a) in self.digits.iter().enumerate() {
            let mut carry = 0u64;
            for (slot, &b) in out[i..].iter_mut().zip(&other.digits) {
                let t = u64::from(*slot) + u64::from(a) * u64::from(b) + carry;
                *slot = t as u32;
                carry = t >> 32;
            }
            if let Some(slot) = out.get_mut(i + other.digits.len()) {
                *slot = carry as u32; // first touched here, and the carry is less than 2³²
            }
        }
        Self::new(self.negative != other.negative, out)
    }

    pub(super) fn sub(&self, other: &Self) -> Self {
        if self.negative != other.negative {
            return Self::new(self.negative, add_magnitudes(&self.digits, &other.digits));
        }
        match compare(&self.digits, &other.digits) {
            Ordering::Less => {
                Self::new(!self.negative, sub_magnitudes(&other.digits, &self.digits))
            }
            _ => Self::new(self.negative, sub_magnitudes(&self.digits, &other.digits)),
        }
    }

    /// Times 2³² to the power of `digits`.
    pub(super) fn shifted_up(mut self, digits: usize) -> Self {
        if !self.digits.is_empty() {
            self.digits.splice(0..0, std::iter::repeat_n(0, digits));
        }
        self
    }

    /// Divides towards zero in place; whether something was left over. Nothing happens for 0.
    pub(super) fn div_assign(&mut self, divisor: u64) -> bool {
        let Some(divisor) = std::num::NonZeroU64::new(divisor) else { return false };
        let mut rest = 0u128;
        for digit in self.digits.iter_mut().rev() {
            let t = rest << 32 | u128::from(*digit);
            *digit = (t / u128::from(divisor.get())) as u32; // t < divisor · 2³²
            rest = t % u128::from(divisor.get());
        }
        *self = Self::new(self.negative, std::mem::take(&mut self.digits));
        rest != 0
    }

    /// Times `10^power`.
    pub(super) fn times_ten_to(self, power: u32) -> Self {
        let mut out = self;
        let mut left = power;
        while left > 0 {
            let step = left.min(18);
            out = out.mul(&Self::from_u128(10u128.pow(step), false));
            left -= step;
        }
        out
    }

    /// `self / divisors / 10^scale`, times 2 to the power of `exponent`, rounded once to the nearest
    /// double (ties to even).
    pub(super) fn quotient(self, divisors: &[u64], scale: i32, exponent: i32) -> f64 {
        let divides_bits = 64 * divisors.len() + 4 * scale.max(0).unsigned_abs() as usize;
        // So many more digits that the quotient keeps 64 bits or more.
        let more = (divides_bits + 64).div_ceil(32);
        let mut quotient = self.times_ten_to((-scale).max(0).unsigned_abs()).shifted_up(more);
        let mut inexact = false;
        for &divisor in divisors {
            inexact |= quotient.div_assign(divisor);
        }
        let mut left = scale.max(0).unsigned_abs();
        while left > 0 {
            let step = left.min(18);
            inexact |= quotient.div_assign(10u64.pow(step));
            left -= step;
        }
        quotient.round(exponent - 32 * more as i32, inexact)
    }

    /// The nearest double to `self · 2^exponent`, ties to even. `inexact`: the true value lies a
    /// little further from zero than that, by less than one unit of the last bit.
    pub(super) fn round(&self, exponent: i32, inexact: bool) -> f64 {
        let bits = self.bits() as i32;
        if bits == 0 {
            return 0.0;
        }
        let top = bits - 1 + exponent;
        if top > 1_023 {
            return if self.negative { f64::NEG_INFINITY } else { f64::INFINITY };
        }
        // A subnormal result has fewer bits.
        let precision = if top >= -1_022 { 53 } else { (53 + 1_022 + top).max(-1) };
        let dropped = bits - precision;
        let mut mantissa = self.bits_from(dropped.max(0) as usize);
        let value = if dropped <= 0 {
            (mantissa << -dropped) as f64 * power_of_two(exponent + dropped)
        } else {
            let half = self.bit(dropped as usize - 1);
            let below = inexact || self.any_bit_below(dropped as usize - 1);
            if half && (below || mantissa & 1 == 1) {
                mantissa += 1;
            }
            if precision < 0 { 0.0 } else { mantissa as f64 * power_of_two(exponent + dropped) }
        };
        if self.negative { -value } else { value }
    }

    /// As decimal text with `scale` digits after the point; a negative scale appends zeros.
    pub(super) fn to_decimal(&self, scale: i32) -> String {
        let mut rest = self.clone().times_ten_to((-scale).max(0).unsigned_abs());
        let scale = scale.max(0).unsigned_abs() as usize;
        let mut groups = Vec::new();
        while !rest.is_zero() {
            let mut quotient = rest.clone();
            quotient.div_assign(1_000_000_000);
            let back = quotient.mul(&Self::from_u128(1_000_000_000, false));
            let group = rest.sub(&back).digits.first().copied().unwrap_or(0);
            groups.push(group);
            rest = quotient;
        }
        let groups: Vec<String> = groups.iter().rev().map(|group| format!("{group:09}")).collect();
        let digits = groups.concat();
        let digits = digits.trim_start_matches('0');
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.negative { "-" } else { "" };
        let point = if scale > 0 { "." } else { "" };
        format!("{sign}{whole}{point}{fraction}")
    }
}

impl Serialize for Big {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let low = self.digits.iter().take_while(|digit| **digit == 0).count();
        Stored(self.negative, low as u32, self.digits[low..].to_vec()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Big {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored(negative, low, high) = Stored::deserialize(deserializer)?;
        if low as usize > MAX_DIGITS || high.len() > MAX_DIGITS {
            return Err(serde::de::Error::custom("more digits than a sum can have"));
        }
        let mut digits = vec![0; low as usize];
        digits.extend(high);
        Ok(Self::new(negative, digits))
    }
}

/// 2 to the power of `exponent`, which is at least −1,074; infinite from 1,024 on.
pub(super) fn power_of_two(exponent: i32) -> f64 {
    match exponent {
        1_024.. => f64::INFINITY,
        -1_022..=1_023 => f64::from_bits(((exponent + 1_023) as u64) << 52),
        -1_074..=-1_023 => f64::from_bits(1 << (exponent + 1_074)),
        _ => 0.0,
    }
}

fn compare(a: &[u32], b: &[u32]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

fn add_magnitudes(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let mut carry = 0u64;
    let mut out: Vec<u32> = Vec::with_capacity(long.len() + 1);
    for (i, &digit) in long.iter().enumerate() {
        let t = u64::from(digit) + u64::from(short.get(i).copied().unwrap_or(0)) + carry;
        out.push(t as u32);
        carry = t >> 32;
    }
    out.push(carry as u32);
    out
}

/// `a − b` for `a ≥ b`.
fn sub_magnitudes(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut borrow = 0i64;
    let mut out = Vec::with_capacity(a.len());
    for (i, &digit) in a.iter().enumerate() {
        let t = i64::from(digit) - i64::from(b.get(i).copied().unwrap_or(0)) + borrow;
        out.push(t as u32);
        borrow = t >> 32;
    }
    out
}
