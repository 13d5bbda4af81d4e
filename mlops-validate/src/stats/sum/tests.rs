use proptest::prelude::*;

use super::*;

/// A sum as the schoolbook does it: one bit string per sign, added bit by bit.
#[derive(Clone)]
struct Bits(Vec<u8>);

const WIDTH: usize = 4_400;

impl Bits {
    fn new() -> Self {
        Self(vec![0; WIDTH])
    }

    /// Adds `mantissa · 2^bit`.
    fn add(&mut self, mantissa: u128, bit: usize) {
        let mut carry = 0;
        for i in 0..WIDTH - bit {
            let term = if i < 128 { (mantissa >> i & 1) as u8 } else { 0 };
            let t = self.0[bit + i] + term + carry;
            self.0[bit + i] = t & 1;
            carry = t >> 1;
            if i >= 128 && carry == 0 {
                break;
            }
        }
    }
}

/// The sum (`power` 1) or the sum of squares (2) of finite values, rounded to nearest, ties to even.
fn oracle(values: &[f64], power: u32) -> f64 {
    let (mut plus, mut minus) = (Bits::new(), Bits::new());
    for &value in values {
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as usize;
        let fraction = u128::from(bits & ((1 << 52) - 1));
        let (mantissa, bit) =
            if exponent == 0 { (fraction, 0) } else { (fraction + (1 << 52), exponent - 1) };
        let side = if power == 1 && value < 0.0 { &mut minus } else { &mut plus };
        side.add(mantissa.pow(power), bit * power as usize);
    }
    let order = plus.0.iter().rev().cmp(minus.0.iter().rev());
    let (large, small, sign) = match order {
        std::cmp::Ordering::Less => (minus, plus, -1.0),
        _ => (plus, minus, 1.0),
    };
    let mut borrow = 0i8;
    let mut difference = vec![0u8; WIDTH];
    for (i, digit) in difference.iter_mut().enumerate() {
        let t = large.0[i] as i8 - small.0[i] as i8 + borrow;
        *digit = (t & 1) as u8;
        borrow = t >> 1;
    }
    sign * rounded(&difference, 1_074 * power as usize)
}

/// Binary search for the double, by its definition: no other lies nearer.
fn rounded(bits: &[u8], unit: usize) -> f64 {
    let Some(top) = bits.iter().rposition(|bit| *bit == 1) else { return 0.0 };
    // The last bit that a double with this top bit has.
    let last = (top as i64 - 52).max(unit as i64 - 1_074);
    let mut mantissa = 0u64;
    for i in (last.max(0)..=(top as i64).max(last)).rev() {
        mantissa = mantissa << 1 | bits.get(i as usize).map_or(0, |bit| u64::from(*bit));
    }
    if last > 0 {
        let half = bits[last as usize - 1] == 1;
        let below = bits[..last as usize - 1].contains(&1);
        if half && (below || mantissa % 2 == 1) {
            mantissa += 1;
        }
    } else {
        mantissa <<= -last;
    }
    // In two steps, both exact, as the power of two itself may be no double.
    let exponent = last - unit as i64;
    mantissa as f64 * 2f64.powi((exponent / 2) as i32) * 2f64.powi((exponent - exponent / 2) as i32)
}

fn sum_of(values: &[f64]) -> ExactSum {
    let mut sum = ExactSum::default();
    sum.add_slice(values);
    sum
}

fn squares_of(values: &[f64]) -> ExactSquares {
    let mut squares = ExactSquares::default();
    squares.add_slice(values);
    squares
}

fn any_finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<u64>().prop_map(f64::from_bits),
        4 => -1e6..1e6,
        2 => (-300i32..300, -1.0..1.0).prop_map(|(e, m): (i32, f64)| m * 10f64.powi(e)),
        1 => (-50i64..50).prop_map(|v| v as f64),
        1 => (0u64..1 << 53).prop_map(f64::from_bits),
    ]
    .prop_map(|value| if value.is_finite() { value } else { 0.0 })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_sum_is_the_nearest_double_to_the_true_sum(values in prop::collection::vec(any_finite(), 0..60)) {
        prop_assert_eq!(sum_of(&values).value().to_bits(), (oracle(&values, 1) + 0.0).to_bits());
        prop_assert_eq!(squares_of(&values).value().to_bits(), oracle(&values, 2).to_bits());
    }

    #[test]
    fn order_cuts_and_merges_do_not_matter(
        mut values in prop::collection::vec(any_finite(), 0..2_000),
        cut in 0.0..1.0, rotation in 0.0..1.0,
    ) {
        let whole = (sum_of(&values), squares_of(&values));
        let len = values.len() as f64;
        values.rotate_left((rotation * len) as usize);
        let (left, right) = values.split_at((cut * len) as usize);
        let (mut sum, mut squares) = (sum_of(right), squares_of(right));
        sum.merge(&sum_of(left));
        squares.merge(&squares_of(left));
        prop_assert_eq!(&(sum, squares), &whole);
        let mut single = (ExactSum::default(), ExactSquares::default());
        for &value in &values {
            single.0.add(value);
            single.1.add(value);
        }
        prop_assert_eq!(&single, &whole);
        let text = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(serde_json::from_str::<(ExactSum, ExactSquares)>(&text).unwrap(), whole);
    }

    #[test]
    fn whole_numbers_sum_exactly(values in prop::collection::vec(any::<i64>(), 0..50), shift in 0u32..60) {
        let values: Vec<i64> = values.iter().map(|value| value >> shift).collect();
        let mut sums = WholeSums::default();
        sums.add_slice(&values);
        let sum: i128 = values.iter().map(|v| i128::from(*v)).sum();
        prop_assert_eq!(sums.sum(), Big::from_u128(sum.unsigned_abs(), sum < 0));
        let mut single = WholeSums::default();
        for &value in &values {
            single.add_big(&Big::from_u128(value.unsigned_abs().into(), value < 0));
        }
        prop_assert_eq!(single, sums);
    }

    #[test]
    fn decimal_text_is_that_of_a_wide_integer(value in any::<i128>()) {
        let big = Big::from_u128(value.unsigned_abs(), value < 0);
        prop_assert_eq!(big.to_decimal(0), value.to_string());
        prop_assert_eq!(big.clone().quotient(&[], 0, 0), value as f64);
        prop_assert_eq!(big.clone().quotient(&[], 5, 0), format!("{value}e-5").parse::<f64>().unwrap());
        prop_assert_eq!(big.quotient(&[1_000, 100], -3, 0), format!("{value}e-2").parse::<f64>().unwrap());
    }
}

#[test]
fn values_of_one_magnitude_and_of_many_take_both_roads() {
    // Blocks that fold completely, that leave rests, and that cannot be folded.
    for scale in [0, 20, 200, 1_000] {
        let values: Vec<f64> = (0..3_000u32)
            .map(|i| {
                let x = f64::from(i.wrapping_mul(2_654_435_761)) / 7.0 - 3e8;
                x * 2f64.powi((i % (scale + 1)) as i32 - scale as i32 / 2)
            })
            .collect();
        assert_eq!(sum_of(&values).value(), oracle(&values, 1), "{scale}");
        assert_eq!(squares_of(&values).value(), oracle(&values, 2), "{scale}");
    }
}

#[test]
fn extremes_of_the_range_are_exact() {
    let max = f64::MAX;
    assert_eq!(sum_of(&[max, max, -max]).value(), max);
    assert_eq!(sum_of(&[max, max]).value(), f64::INFINITY);
    let tiny = f64::from_bits(1);
    assert_eq!(sum_of(&[tiny, tiny, tiny]).value(), f64::from_bits(3));
    assert_eq!(sum_of(&[1.0, tiny, -1.0]).value(), tiny);
    assert_eq!(sum_of(&[]).value().to_bits(), 0);
    assert_eq!(sum_of(&[-0.0]).value().to_bits(), 0);
    assert_eq!(squares_of(&[tiny]).value(), 0.0);
    assert_eq!(squares_of(&[max]).value(), f64::INFINITY);
}

#[test]
fn what_is_not_finite_is_counted_wherever_it_stands() {
    for len in [1, 7, 8, 9, 1_024, 3_000] {
        for at in [0, len / 2, len - 1] {
            for filler in [0.0, 1.5] {
                let mut values = vec![filler; len];
                values[at] = f64::NAN;
                let sum = sum_of(&values);
                assert_eq!(sum.nan(), 1);
                assert_eq!(sum.finite(), filler * (len - 1) as f64);
                assert!(sum.value().is_nan());
                assert_eq!(squares_of(&values).value(), filler * filler * (len - 1) as f64);
                values[at] = f64::NEG_INFINITY;
                assert_eq!(sum_of(&values).infinite(), [0, 1]);
                assert_eq!(sum_of(&values).value(), f64::NEG_INFINITY);
            }
        }
    }
    assert!(sum_of(&[f64::INFINITY, f64::NEG_INFINITY]).value().is_nan());
}

#[test]
fn a_stored_sum_with_impossible_digits_is_refused() {
    let long = format!("[false,0,[{}1]]", "0,".repeat(80));
    let text = format!(r#"{{"limbs":{long},"nan":0,"infinite":[0,0]}}"#);
    assert!(serde_json::from_str::<ExactSum>(&text).is_err());
    let text = r#"{"limbs":[false,4000000000,[1]],"nan":0,"infinite":[0,0]}"#;
    assert!(serde_json::from_str::<ExactSum>(text).is_err());
}
