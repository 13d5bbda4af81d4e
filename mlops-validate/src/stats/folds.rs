//! The fast half of an exact sum: folding a block of doubles into a few that add up to the same.
//!
//! With `σ` a large enough power of two, `q = (σ + x) − σ` is `x` rounded to a multiple of a fixed
//! unit, and `x − q` is exact (Rump, Ogita, Oishi 2008, "Accurate floating-point summation", lemma
//! 3.3). 1,024 such multiples add up without any rounding, in any order, so in vector registers. Two
//! folds take 82 bits below the largest value; what is still left of some value is handed out one by
//! one. The result is the exact sum however the block was cut: speed depends on the data, bits do not.

use super::big::power_of_two;

/// Values of a block; the bounds below rest on it.
pub(super) const BLOCK: usize = 1_024;
/// Bits by which the largest rest is smaller after a fold: 53 − (10 + 1) − 1 for safety.
const FOLD_BITS: i32 = 41;
const LANES: usize = 8;
/// Splits a double into two of 26 bits (Veltkamp).
const SPLITTER: f64 = 134_217_729.0;

type Lanes = [f64; LANES];

/// Calls `add` with doubles whose exact sum is that of `values`, at most [`BLOCK`] of them.
/// False, and nothing was called: a value is not finite or has an extreme exponent.
pub(super) fn fold_sum(values: &[f64], mut add: impl FnMut(f64)) -> bool {
    let Some(exponent) = top_exponent(values) else { return false };
    if !(-800..=1_000).contains(&exponent) {
        return exponent == i32::MIN;
    }
    let [first, second] = sigmas(exponent);
    let [q, r, left] = sum_totals(values, first, second);
    if q.is_nan() {
        return false; // a NaN among the values
    }
    add(q);
    add(r);
    if left != 0.0 {
        for &x in values {
            let rest = x - ((first + x) - first);
            let rest = rest - ((second + rest) - second);
            if rest != 0.0 {
                add(rest);
            }
        }
    }
    true
}

/// As [`fold_sum`], of the squares of `values`.
///
/// A square is the sum of two doubles, its rounded value and the error of that (Dekker 1971), each of
/// which is folded.
pub(super) fn fold_squares(values: &[f64], mut add: impl FnMut(f64)) -> bool {
    let Some(exponent) = top_exponent(values) else { return false };
    // Neither may the square overflow nor its error lose bits below the smallest double.
    if !(-400..=500).contains(&exponent) || has_tiny(values) {
        return exponent == i32::MIN;
    }
    let high = sigmas(2 * exponent);
    let low = sigmas(2 * exponent - 52);
    let totals = square_totals(values, high, low);
    if totals[0].is_nan() {
        return false;
    }
    totals[..4].iter().for_each(|total| add(*total));
    if totals[4] != 0.0 {
        for &x in values {
            let (p, e) = square(x);
            for (part, [first, second]) in [(p, high), (e, low)] {
                let rest = part - ((first + part) - first);
                let rest = rest - ((second + rest) - second);
                if rest != 0.0 {
                    add(rest);
                }
            }
        }
    }
    true
}

/// What both folds take, and the sum of the magnitudes of what they leave.
///
/// Not generic and not inlined, so that it stays the plain loop that compiles to vector registers.
#[inline(never)]
fn sum_totals(values: &[f64], first: f64, second: f64) -> [f64; 3] {
    let mut totals: [Lanes; 3] = Default::default();
    for_each_chunk(values, |chunk| {
        for (lane, &x) in chunk.iter().enumerate() {
            let q = (first + x) - first;
            let rest = x - q;
            let r = (second + rest) - second;
            totals[0][lane] += q;
            totals[1][lane] += r;
            totals[2][lane] += (rest - r).abs();
        }
    });
    // The totals of the lanes are multiples of the same unit and small enough, like their parts.
    totals.map(|lanes| lanes.iter().sum())
}

/// As [`sum_totals`], of the two parts of the squares.
#[inline(never)]
fn square_totals(values: &[f64], high: [f64; 2], low: [f64; 2]) -> [f64; 5] {
    let mut totals: [Lanes; 5] = Default::default();
    for_each_chunk(values, |chunk| {
        for (lane, &x) in chunk.iter().enumerate() {
            let (product, error) = square(x);
            let first = (high[0] + product) - high[0];
            let product = product - first;
            let second = (high[1] + product) - high[1];
            totals[0][lane] += first;
            totals[1][lane] += second;
            let first = (low[0] + error) - low[0];
            let error = error - first;
            let third = (low[1] + error) - low[1];
            totals[2][lane] += first;
            totals[3][lane] += third;
            totals[4][lane] += (product - second).abs() + (error - third).abs();
        }
    });
    totals.map(|lanes| lanes.iter().sum())
}

/// Values in groups of a fixed size, the last filled up with zeros.
#[inline]
fn for_each_chunk(values: &[f64], mut each: impl FnMut(&Lanes)) {
    let (chunks, rest) = values.as_chunks::<LANES>();
    chunks.iter().for_each(&mut each);
    if !rest.is_empty() {
        let mut last = Lanes::default();
        last[..rest.len()].copy_from_slice(rest);
        each(&last);
    }
}

/// `x²` as the nearest double and what it lacks.
#[inline]
fn square(x: f64) -> (f64, f64) {
    let product = x * x;
    let split = SPLITTER * x;
    let high = split - (split - x);
    let low = x - high;
    (product, ((high * high - product) + 2.0 * (high * low)) + low * low)
}

/// The smallest `e` with `|x| < 2^e` for all values; `i32::MIN` if all are zero, nothing if one is
/// infinite. NaN may be overlooked.
fn top_exponent(values: &[f64]) -> Option<i32> {
    let mut top = [0.0; LANES];
    let mut chunks = values.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (top, x) in top.iter_mut().zip(chunk) {
            let x = x.abs();
            *top = if *top > x { *top } else { x };
        }
    }
    let top = top.iter().chain(chunks.remainder()).fold(0.0, |top: f64, x| top.max(x.abs()));
    if top.is_infinite() {
        return None;
    }
    if top == 0.0 {
        // Zeros, or NaN in the last place of each lane; the latter must be counted.
        return values.iter().all(|x| *x == 0.0).then_some(i32::MIN);
    }
    Some((top.to_bits() >> 52) as i32 - 1_022)
}

/// Whether a value other than zero is so small that the error of its square could be lost.
fn has_tiny(values: &[f64]) -> bool {
    const TINY: f64 = f64::from_bits((1_023 - 450) << 52);
    values.iter().fold(false, |tiny, x| tiny | (x.abs() < TINY && *x != 0.0))
}

/// For values below `2^exponent`: the rounding constants of two folds.
fn sigmas(exponent: i32) -> [f64; 2] {
    let first = exponent + 11;
    [power_of_two(first), power_of_two(first - FOLD_BITS)]
}
