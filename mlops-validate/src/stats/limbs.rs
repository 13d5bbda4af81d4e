//! A wide fixed-point number that is quick to add to.
//!
//! Each limb holds 32 bits of the number in 64: a word is added as three digits without looking at
//! their neighbours, and carries move only once in 2³⁰ additions (Neal 2015, "Fast exact summation
//! using small and large superaccumulators", §2). Addition of whole numbers is associative and
//! commutative, so the state after any order, batching and merge tree is the same number; what is
//! compared and stored is that number ([`Big`]), not how it came about.

use serde::{Deserialize, Serialize};

use super::big::Big;

const LOW: u64 = 0xffff_ffff;
/// Additions before a limb could overflow, with room to spare: each adds less than 2³² to a limb.
const MOST_PENDING: u32 = 1 << 30;

/// `N · 32` bits with a sign, `N` at least 4. The caller chooses `N` so that 2⁶⁴ additions of its largest number fit.
#[derive(Clone)]
pub(super) struct Limbs<const N: usize> {
    limbs: [i64; N],
    /// Additions since carries were moved.
    pending: u32,
}

impl<const N: usize> Default for Limbs<N> {
    fn default() -> Self {
        Self { limbs: [0; N], pending: 0 }
    }
}

impl<const N: usize> Limbs<N> {
    /// Adds `± magnitude · 2^bit`, three limbs of which are there.
    #[inline]
    pub(super) fn add(&mut self, magnitude: u64, bit: usize, negative: bool) {
        let wide = u128::from(magnitude) << (bit % 32);
        // All ones for a negative number: `(x ^ sign) − sign` is `−x`, without a branch.
        let sign = -i64::from(negative);
        let at = bit / 32;
        if let Some([low, middle, high]) = self.limbs.get_mut(at..at + 3) {
            *low += ((wide as u64 & LOW) as i64 ^ sign) - sign;
            *middle += (((wide >> 32) as u64 & LOW) as i64 ^ sign) - sign;
            *high += ((wide >> 64) as i64 ^ sign) - sign;
        }
        self.pending += 1;
        if self.pending >= MOST_PENDING {
            self.carry();
        }
    }

    /// Adds `± magnitude`.
    pub(super) fn add_u128(&mut self, magnitude: u128, negative: bool) {
        self.add(magnitude as u64, 0, negative);
        self.add((magnitude >> 64) as u64, 64, negative);
    }

    /// Adds a whole number of at most `N − 2` digits.
    pub(super) fn add_big(&mut self, big: &Big) {
        for (i, &digit) in big.digits().iter().enumerate() {
            self.add(u64::from(digit), 32 * i, big.is_negative());
        }
    }

    /// Adds another number.
    pub(super) fn merge(&mut self, other: &Self) {
        self.add_big(&other.to_big());
    }

    /// The number.
    pub(super) fn to_big(&self) -> Big {
        let mut canonical = self.clone();
        canonical.carry();
        let negative = canonical.limbs[N - 1] < 0;
        if negative {
            canonical.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            canonical.carry();
        }
        let mut digits: Vec<u32> = canonical.limbs.iter().map(|limb| *limb as u32).collect();
        digits.push((canonical.limbs[N - 1] >> 32) as u32);
        Big::new(negative, digits)
    }

    /// Moves carries upwards, so that each limb but the last is in `0..2³²`.
    fn carry(&mut self) {
        let mut carry = 0;
        for limb in &mut self.limbs[..N - 1] {
            let t = *limb + carry;
            *limb = t & LOW as i64;
            carry = t >> 32;
        }
        self.limbs[N - 1] += carry;
        self.pending = 1;
    }
}

impl<const N: usize> PartialEq for Limbs<N> {
    fn eq(&self, other: &Self) -> bool {
        self.to_big() == other.to_big()
    }
}

impl<const N: usize> Eq for Limbs<N> {}

impl<const N: usize> std::fmt::Debug for Limbs<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Limbs({})", self.to_big().to_decimal(0))
    }
}

impl<const N: usize> Serialize for Limbs<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_big().serialize(serializer)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Limbs<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let big = Big::deserialize(deserializer)?;
        if big.digits().len() > N - 2 {
            return Err(serde::de::Error::custom("a sum with too many digits"));
        }
        let mut limbs = Self::default();
        limbs.add_big(&big);
        Ok(limbs)
    }
}
