//! Sums of doubles without rounding: the same whatever the order.
//!
//! A double is a whole multiple of 2⁻¹⁰⁷⁴, so a sum of doubles is a long whole number. It is kept in
//! digits of 32 bits, of which only those between the lowest and the highest one are stored: three or
//! four for numbers of like size. It cannot overflow, is rounded once, when it is asked for, and is
//! written in one canonical way.

use mlops_core::Result;

use super::bytes::{Reader, corrupt, put_varint};

/// More digits than any sum of 2⁶³ doubles has.
const MOST_DIGITS: usize = 70;
/// A digit may take in so many numbers before its carry is passed on.
const MOST_WEIGHT: u32 = 1 << 29;

const NAN: u8 = 1;
const ABOVE: u8 = 2;
const BELOW: u8 = 4;
const NEGATIVE: u8 = 8;

/// A sum of doubles.
#[derive(Debug, Clone, Default)]
pub(super) struct Exact {
    /// Signed; each is at most `weight` × 2³² in size.
    digits: Vec<i64>,
    /// The place of the first digit.
    first: usize,
    weight: u32,
    /// Whether NaN, +∞ or −∞ was among the numbers.
    special: u8,
}

impl Exact {
    pub(super) fn clear(&mut self) {
        self.digits.clear();
        (self.first, self.weight, self.special) = (0, 0, 0);
    }

    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 52) as usize & 0x7ff, bits & ((1 << 52) - 1));
        if exponent == 0x7ff {
            self.special |= match (fraction != 0, value > 0.0) {
                (true, _) => NAN,
                (_, true) => ABOVE,
                _ => BELOW,
            };
            return;
        }
        let (mantissa, place) =
            if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        if mantissa == 0 {
            return;
        }
        let wide = u128::from(mantissa) << (place % 32);
        let parts = [wide as u32, (wide >> 32) as u32, (wide >> 64) as u32];
        self.shift_in(place / 32, &parts, bits >> 63 == 1);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.special |= other.special;
        if other.digits.is_empty() {
            return;
        }
        if self.weight + other.weight >= MOST_WEIGHT {
            let (negative, first, digits) = other.canonical();
            self.shift_in(first, &digits, negative);
            return;
        }
        self.cover(other.first, other.digits.len());
        let at = other.first - self.first;
        for (mine, more) in self.digits[at..].iter_mut().zip(&other.digits) {
            *mine += more;
        }
        self.weight += other.weight;
    }

    /// Adds digits at a place.
    fn shift_in(&mut self, first: usize, digits: &[u32], negative: bool) {
        let length = digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
        if self.weight >= MOST_WEIGHT {
            self.carry();
        }
        self.cover(first, length);
        let at = first - self.first;
        for (mine, digit) in self.digits[at..].iter_mut().zip(&digits[..length]) {
            *mine += if negative { -i64::from(*digit) } else { i64::from(*digit) };
        }
        self.weight += 1;
    }

    /// Makes room for digits at a place.
    #[inline]
    fn cover(&mut self, first: usize, length: usize) {
        if self.digits.is_empty() {
            self.first = first;
        }
        if first < self.first {
            let more = self.first - first;
            self.digits.splice(0..0, std::iter::repeat_n(0, more));
            self.first = first;
        }
        let end = first + length - self.first;
        if end > self.digits.len() {
            self.digits.resize(end, 0);
        }
    }

    /// Passes carries on, so that all digits but the last are in 0..2³².
    fn carry(&mut self) {
        let mut carry = 0;
        for digit in &mut self.digits {
            let sum = *digit + carry;
            carry = sum >> 32;
            *digit = sum & 0xffff_ffff;
        }
        while carry != 0 && carry != -1 {
            self.digits.push(carry & 0xffff_ffff);
            carry >>= 32;
        }
        if carry == -1 {
            self.digits.push(-1);
        }
        self.weight = 1;
    }

    /// Sign, place and digits, neither the first nor the last of which is 0.
    fn canonical(&self) -> (bool, usize, Vec<u32>) {
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.digits.last().is_some_and(|last| *last < 0);
        if negative {
            sum.digits.iter_mut().for_each(|digit| *digit = -*digit);
            sum.carry();
        }
        let digits: Vec<u32> = sum.digits.iter().map(|digit| *digit as u32).collect();
        let start = digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len());
        let end = digits.iter().rposition(|digit| *digit != 0).map_or(start, |last| last + 1);
        (negative, sum.first + start, digits[start..end].to_vec())
    }

    /// The double nearest to the sum, ties to even; a sum of zero is +0.0.
    pub(super) fn to_f64(&self) -> f64 {
        self.round(0, false)
    }

    /// The single-precision float nearest to the sum.
    pub(super) fn to_f32(&self) -> f32 {
        // Rounded to odd first: the second rounding then errs as little as one alone.
        self.round(0, true) as f32
    }

    /// The sum divided by `count`: the double nearest to the sum, divided once.
    pub(super) fn mean(&self, count: u64) -> f64 {
        let sum = self.to_f64();
        if sum.is_infinite() && self.special == 0 {
            // Too large for a double, though the mean is not.
            const SCALE: f64 = 18_446_744_073_709_551_616.0;
            return self.round(64, false) / count as f64 * SCALE;
        }
        sum / count as f64
    }

    /// The sum × 2^−`scale`, rounded to even or to odd. (A scale is for sums that are too large.)
    fn round(&self, scale: usize, odd: bool) -> f64 {
        match (self.special & NAN != 0, self.special & (ABOVE | BELOW)) {
            (true, _) | (_, 6) => return f64::NAN,
            (_, ABOVE) => return f64::INFINITY,
            (_, BELOW) => return f64::NEG_INFINITY,
            _ => {}
        }
        let (negative, first, digits) = self.canonical();
        let Some(last) = digits.last() else { return 0.0 };
        let digit = |place: usize| -> u128 {
            let at = place.checked_sub(first).and_then(|at| digits.get(at));
            at.copied().unwrap_or(0).into()
        };
        let top = 32 * (first + digits.len()) - 1 - last.leading_zeros() as usize;
        let mut low = top.saturating_sub(52);
        let window = digit(low / 32) | digit(low / 32 + 1) << 32 | digit(low / 32 + 2) << 64;
        let mut mantissa = (window >> (low % 32)) as u64 & ((1 << 53) - 1);
        if low > 0 {
            let half = digit((low - 1) / 32) >> ((low - 1) % 32) & 1 == 1;
            let below = digit((low - 1) / 32) & ((1 << ((low - 1) % 32)) - 1) != 0
                || (first..(low - 1) / 32).any(|place| digit(place) != 0);
            if odd {
                mantissa |= u64::from(half || below);
            } else {
                mantissa += u64::from(half && (below || mantissa & 1 == 1));
            }
            if mantissa >> 53 == 1 {
                (mantissa, low) = (mantissa >> 1, low + 1);
            }
        }
        let low = low.saturating_sub(scale);
        // Below 2⁵³ times the lowest bit, the bits of a double are the whole number itself.
        let bits = if mantissa >> 52 == 0 {
            mantissa
        } else if low + 1 >= 2047 {
            if odd { f64::MAX.to_bits() } else { f64::INFINITY.to_bits() }
        } else {
            (low as u64 + 1) << 52 | mantissa & ((1 << 52) - 1)
        };
        f64::from_bits(bits | u64::from(negative) << 63)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let (negative, first, digits) = self.canonical();
        out.push(self.special | if negative { NEGATIVE } else { 0 });
        put_varint(out, digits.len() as u64);
        if !digits.is_empty() {
            out.push(first as u8);
        }
        for digit in digits {
            out.extend(digit.to_le_bytes());
        }
    }

    /// Adds a sum that was written.
    pub(super) fn absorb(&mut self, from: &mut Reader<'_>) -> Result<()> {
        let flags = from.byte()?;
        self.special |= flags & (NAN | ABOVE | BELOW);
        let length = from.length()?;
        if length == 0 {
            return Ok(());
        }
        let first = usize::from(from.byte()?);
        if first + length > MOST_DIGITS {
            return Err(corrupt("a sum has too many digits"));
        }
        let mut digits = [0; MOST_DIGITS];
        for digit in &mut digits[..length] {
            *digit = u32::from_le_bytes(from.array()?);
        }
        self.shift_in(first, &digits[..length], flags & NEGATIVE != 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[f64]) -> Exact {
        let mut sum = Exact::default();
        for value in values {
            sum.add(*value);
        }
        sum
    }

    #[test]
    fn known_sums_are_right() {
        let cases: [(&[f64], f64); 12] = [
            (&[], 0.0),
            (&[-0.0], 0.0),
            (&[0.1; 10], 1.0),
            (&[1e308, 1e308, -1e308], 1e308),
            (&[1e308, 1e308], f64::INFINITY),
            (&[-1e308, -1e308], f64::NEG_INFINITY),
            (&[1.0, 1e100, 1.0, -1e100], 2.0),
            (&[f64::MAX, f64::MIN_POSITIVE, -f64::MAX], f64::MIN_POSITIVE),
            (&[5e-324, 5e-324, -1.0, 1.0], 1e-323),
            (&[9_007_199_254_740_992.0, 1.0], 9_007_199_254_740_992.0),
            (&[9_007_199_254_740_992.0, 1.0, 1e-300], 9_007_199_254_740_994.0),
            (&[f64::INFINITY, 1.0], f64::INFINITY),
        ];
        for (values, expected) in cases {
            assert_eq!(sum(values).to_f64().to_bits(), expected.to_bits(), "{values:?}");
        }
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).to_f64().is_nan());
        assert!(sum(&[f64::NAN, 1.0]).to_f64().is_nan());
        assert_eq!(sum(&[1e308, 1e308]).mean(2), 1e308);
    }

    proptest! {
        #[test]
        fn of_two_doubles_it_is_their_sum(a: f64, b: f64) {
            let expected = a + b;
            let found = sum(&[a, b]).to_f64();
            prop_assert!(found == expected || found.is_nan() && expected.is_nan());
            prop_assert_eq!(sum(&[a]).to_f32(), a as f32);
        }

        #[test]
        fn neither_order_nor_cuts_nor_bytes_change_it(
            mut values in proptest::collection::vec(
                prop_oneof![any::<f64>().prop_filter("finite", |x| x.is_finite()), -1e6..1e6],
                0..40,
            ),
            cut in 0_usize..40,
            carry in any::<bool>(),
        ) {
            let all = sum(&values);
            let (a, b) = values.split_at(cut.min(values.len()));
            let (mut a, b) = (sum(a), sum(b));
            if carry {
                a.carry();
            }
            let mut bytes = Vec::new();
            b.write(&mut bytes);
            let mut read = a.clone();
            read.absorb(&mut Reader::new(&bytes)).unwrap();
            a.merge(&b);
            values.reverse();
            let back = sum(&values);
            for other in [&a, &read, &back] {
                prop_assert_eq!(all.canonical(), other.canonical());
                prop_assert_eq!(all.to_f64().to_bits(), other.to_f64().to_bits());
            }
        }

        #[test]
        fn whole_numbers_add_up_as_whole_numbers(
            values in proptest::collection::vec(-(1_i64 << 53)..(1_i64 << 53), 0..60),
        ) {
            let doubles: Vec<f64> = values.iter().map(|value| *value as f64).collect();
            let expected: i128 = values.iter().map(|value| i128::from(*value)).sum();
            prop_assert_eq!(sum(&doubles).to_f64(), expected as f64);
            prop_assert_eq!(sum(&doubles).to_f32(), expected as f32);
        }
    }
}
