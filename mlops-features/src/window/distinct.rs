//! How many distinct values: a set while they are few, an estimate when they are many.
//!
//! Up to [`FEW`] hashes of 64 bits are kept as they are; beyond, 2¹² registers of HyperLogLog. Which of
//! both depends on the set of values alone, so that neither order nor cuts change it. The estimate is
//! Ertl's (2017, algorithm 6), which has no jump between small and large numbers.

use mlops_core::Result;

use super::bytes::{Reader, corrupt, put_varint};

/// Counted exactly up to here.
pub(super) const FEW: usize = 256;
const BITS: u32 = 12;
const REGISTERS: usize = 1 << BITS;
/// The longest run of zeros that a register can see.
const LONGEST: usize = 64 - BITS as usize;

/// A set of values.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Distinct {
    /// Hashes, in order.
    Few(Vec<u64>),
    /// The greatest rank of each register.
    Many(Box<[u8]>),
}

impl Distinct {
    pub(super) fn new() -> Self {
        Self::Few(Vec::new())
    }

    #[inline]
    pub(super) fn insert(&mut self, hash: u64) {
        match self {
            Self::Few(hashes) => {
                if let Err(place) = hashes.binary_search(&hash) {
                    hashes.insert(place, hash);
                    if hashes.len() > FEW {
                        self.spread();
                    }
                }
            }
            Self::Many(registers) => see(registers, hash),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        match other {
            Self::Few(hashes) => hashes.iter().for_each(|hash| self.insert(*hash)),
            Self::Many(registers) => self.raise(registers),
        }
    }

    fn raise(&mut self, registers: &[u8]) {
        self.spread();
        if let Self::Many(mine) = self {
            for (mine, other) in mine.iter_mut().zip(registers) {
                *mine = (*mine).max(*other);
            }
        }
    }

    fn spread(&mut self) {
        if let Self::Few(hashes) = self {
            let mut registers = vec![0; REGISTERS].into_boxed_slice();
            for hash in hashes.iter() {
                see(&mut registers, *hash);
            }
            *self = Self::Many(registers);
        }
    }

    pub(super) fn count(&self) -> i64 {
        match self {
            Self::Few(hashes) => hashes.len() as i64,
            Self::Many(registers) => estimate(registers),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Few(hashes) => {
                put_varint(out, hashes.len() as u64);
                for hash in hashes {
                    out.extend(hash.to_le_bytes());
                }
            }
            Self::Many(registers) => {
                put_varint(out, FEW as u64 + 1);
                out.extend(registers);
            }
        }
    }

    /// Adds a set that was written.
    pub(super) fn absorb(&mut self, from: &mut Reader<'_>) -> Result<()> {
        let length = from.length()?;
        if length <= FEW {
            for _ in 0..length {
                self.insert(u64::from_le_bytes(from.array()?));
            }
            return Ok(());
        }
        let registers = from.bytes(REGISTERS)?;
        if length != FEW + 1 || registers.iter().any(|rank| usize::from(*rank) > LONGEST + 1) {
            return Err(corrupt("a set of distinct values is none"));
        }
        self.raise(registers);
        Ok(())
    }
}

fn see(registers: &mut [u8], hash: u64) {
    let rank = ((hash << BITS) | 1 << (BITS - 1)).leading_zeros() as u8 + 1;
    let register = &mut registers[(hash >> (64 - BITS)) as usize];
    *register = (*register).max(rank);
}

fn estimate(registers: &[u8]) -> i64 {
    let mut counts = [0_u32; LONGEST + 2];
    for rank in registers {
        counts[usize::from(*rank).min(LONGEST + 1)] += 1;
    }
    let m = REGISTERS as f64;
    let mut z = m * tau(1.0 - f64::from(counts[LONGEST + 1]) / m);
    for count in counts[1..=LONGEST].iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += m * sigma(f64::from(counts[0]) / m);
    (m * m / (2.0 * std::f64::consts::LN_2) / z).round() as i64
}

fn sigma(mut x: f64) -> f64 {
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before || z.is_infinite() {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn of(values: std::ops::Range<u64>) -> Distinct {
        let mut set = Distinct::new();
        values.for_each(|value| set.insert(xxh3_64(&value.to_le_bytes())));
        set
    }

    #[test]
    fn few_are_counted_exactly_and_many_within_bounds() {
        for n in [0, 1, 2, 255, 256] {
            assert_eq!(of(0..n).count(), n as i64);
        }
        let (mut worst, mut squares, mut runs) = (0.0_f64, 0.0, 0.0);
        for n in [257, 400, 1_000, 3_000, 10_000, 30_000, 100_000] {
            for run in 0..10_u64 {
                let found = of(run << 32..(run << 32) + n).count() as f64;
                let error = (found / n as f64 - 1.0).abs();
                worst = worst.max(error);
                (squares, runs) = (squares + error * error, runs + 1.0);
            }
        }
        let deviation = (squares / runs).sqrt();
        assert!(deviation < 0.02 && worst < 0.06, "{deviation} {worst}");
    }

    #[test]
    fn neither_order_nor_cuts_nor_bytes_change_the_set() {
        for n in [0, 3, 256, 257, 600] {
            for cut in [0, 1, n / 2, n] {
                let (a, b) = (of(0..cut.min(n)), of(cut / 2..n));
                let (mut ab, mut ba) = (a.clone(), b.clone());
                ab.merge(&b);
                ba.merge(&a);
                let mut bytes = Vec::new();
                b.write(&mut bytes);
                let mut read = a.clone();
                read.absorb(&mut Reader::new(&bytes)).unwrap();
                assert!(ab == of(0..n) && ba == ab && read == ab, "{n} {cut}");
            }
        }
    }
}
