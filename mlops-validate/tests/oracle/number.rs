//! Exact decimal numbers, by the arithmetic of primary school: slow, and with nothing to get wrong.

use std::cmp::Ordering;

/// `±digits · 10^exponent`; the digits have no zeros at either end, and zero has none at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    /// The least significant first.
    digits: Vec<u8>,
    exponent: i32,
}

impl Number {
    fn new(negative: bool, mut digits: Vec<u8>, mut exponent: i32) -> Self {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..zeros);
        exponent += zeros as i32;
        if digits.is_empty() {
            return Self { negative: false, digits, exponent: 0 };
        }
        Self { negative, digits, exponent }
    }

    /// `-12.5`, `1e-9`; the text is known to be a number.
    pub(crate) fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let unsigned = mantissa.trim_start_matches(['-', '+']);
        let (whole, rest) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = whole.bytes().chain(rest.bytes()).rev().map(|b| b - b'0').collect();
        let exponent: i32 = exponent.parse().unwrap();
        Self::new(mantissa.starts_with('-'), digits, exponent - rest.len() as i32)
    }

    pub(crate) fn whole(n: i128) -> Self {
        Self::read(&n.to_string())
    }

    /// The float's own value, not the shortest text that means it.
    pub(crate) fn float(value: f64) -> Self {
        assert!(value.is_finite());
        let exponent = (value.to_bits() >> 52 & 0x7ff) as i32;
        let binary_places = (1_075 - exponent.max(1)).max(0) as usize;
        Self::read(&format!("{value:.binary_places$}"))
    }

    /// This number times `10^by`.
    pub(crate) fn shifted(mut self, by: i32) -> Self {
        if !self.digits.is_empty() {
            self.exponent += by;
        }
        self
    }

    pub(crate) fn digit_count(&self) -> usize {
        self.digits.len()
    }

    fn at(&self, exponent: i32) -> Vec<u8> {
        if self.digits.is_empty() {
            return Vec::new();
        }
        let mut digits = vec![0; (self.exponent - exponent) as usize];
        digits.extend(&self.digits);
        digits
    }

    fn compare_sizes(&self, other: &Self) -> Ordering {
        let exponent = self.exponent.min(other.exponent);
        let (a, b) = (self.at(exponent), other.at(exponent));
        a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        if self.negative == other.negative {
            let (a, b) = (self.at(exponent), other.at(exponent));
            let mut sum = Vec::with_capacity(a.len().max(b.len()) + 1);
            let mut carry = 0;
            for i in 0..a.len().max(b.len()) {
                let digit = a.get(i).unwrap_or(&0) + b.get(i).unwrap_or(&0) + carry;
                sum.push(digit % 10);
                carry = digit / 10;
            }
            sum.push(carry);
            return Self::new(self.negative, sum, exponent);
        }
        let (large, small) = match self.compare_sizes(other) {
            Ordering::Less => (other, self),
            _ => (self, other),
        };
        let (mut a, b) = (large.at(exponent), small.at(exponent));
        let mut borrow = 0;
        for (i, digit) in a.iter_mut().enumerate() {
            let take = b.get(i).unwrap_or(&0) + borrow;
            borrow = u8::from(*digit < take);
            *digit = *digit + 10 * borrow - take;
        }
        Self::new(large.negative, a, exponent)
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        let mut product = vec![0_u32; self.digits.len() + other.digits.len() + 1];
        for (i, a) in self.digits.iter().enumerate() {
            for (j, b) in other.digits.iter().enumerate() {
                product[i + j] += u32::from(a * b);
            }
        }
        let mut carry = 0;
        let digits = product.into_iter().map(|sum| {
            let sum = sum + carry;
            carry = sum / 10;
            (sum % 10) as u8
        });
        let digits = digits.collect();
        Self::new(self.negative != other.negative, digits, self.exponent + other.exponent)
    }

    pub(crate) fn negated(&self) -> Self {
        Self { negative: !self.negative && !self.digits.is_empty(), ..self.clone() }
    }

    /// The nearest float.
    pub(crate) fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap()
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        for digit in self.digits.iter().rev() {
            write!(f, "{digit}")?;
        }
        write!(f, "e{}", self.exponent)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_sizes(other),
            (true, true) => other.compare_sizes(self),
        }
    }
}

#[test]
fn numbers_add_up() {
    let sum = |a: &str, b: &str| Number::read(a).plus(&Number::read(b)).to_string();
    assert_eq!(sum("0.1", "0.2"), "3e-1");
    assert_eq!(sum("-1000", "999.99"), "-1e-2");
    assert_eq!(sum("5", "-5"), "0");
    assert_eq!(Number::read("-1.5").times(&Number::read("25")).to_string(), "-375e-1");
    assert_eq!(Number::float(0.1).digit_count(), 55);
    assert_eq!(Number::float(f64::from_bits(1)).to_f64().to_bits(), 1);
    assert_eq!(Number::float(f64::MAX).to_f64(), f64::MAX);
    assert!(Number::read("-0.2") < Number::read("-0.19"));
    assert!(Number::read("9007199254740993") > Number::float(9_007_199_254_740_992.0));
}
