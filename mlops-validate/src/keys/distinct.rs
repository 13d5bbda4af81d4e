//! How many different keys there are: approximately, in 16 KiB.
//!
//! HyperLogLog with 2¹⁴ registers and Ertl's estimator, which needs no tables of corrections: the
//! relative standard error is 0.81 % from ten thousand to 2⁶³ keys. Up to 1,024 different keys are
//! kept as they are and counted exactly. Which of the two a state is depends on the set of keys
//! alone, so batches, order and merges do not show in it.
//!
//! The exact count is [`Duplicates::distinct`](super::Duplicates::distinct), at 8 or 16 bytes a row.
//!
//! # Source
//! Ertl, *New cardinality estimation algorithms for HyperLogLog sketches*, 2017, algorithm 6.

use serde::{Deserialize, Deserializer, Serialize};

use super::{Key, KeyChunk, Keys, for_each_row};

const PRECISION: u32 = 14;
const REGISTERS: usize = 1 << PRECISION;
/// Largest rank of a hash: the zeros before the first one among the bits left, and one.
const MAX_RANK: u8 = (64 - PRECISION + 1) as u8;
const EXACT: usize = 1024;
/// Slots of the exact set: at most half are taken.
const SLOTS: usize = 2 * EXACT;

/// Estimates the number of different keys.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DistinctEstimate {
    state: State,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum State {
    /// Hashes by open addressing; 0 is an empty slot, and a hash of 0 is counted apart.
    Exact { slots: Vec<u64>, used: usize, zero: bool },
    /// The largest rank seen by each register.
    Registers(Vec<u8>),
}

impl Default for DistinctEstimate {
    fn default() -> Self {
        Self { state: State::Exact { slots: vec![0; 64], used: 0, zero: false } }
    }
}

impl DistinctEstimate {
    #[cfg(test)]
    /// Relative standard error of an estimate that is not exact: 1.04/√2¹⁴.
    pub(crate) const STANDARD_ERROR: f64 = 0.008_125;

    /// Adds the keys of a chunk, or those of the rows whose bit is set.
    pub(crate) fn push(&mut self, chunk: &KeyChunk, take: Option<&[u64]>) {
        match &chunk.keys {
            Keys::Narrow(keys) => for_each_row(keys.len(), take, |row| self.add(keys[row].mix())),
            Keys::Wide(keys) => for_each_row(keys.len(), take, |row| self.add(keys[row].mix())),
        }
    }

    /// Adds a key by a hash in which every bit is well mixed.
    #[inline]
    pub(crate) fn add(&mut self, hash: u64) {
        match &mut self.state {
            State::Registers(registers) => register(registers, hash),
            State::Exact { .. } => self.add_exact(hash),
        }
    }

    /// The keys of both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        match other.state {
            State::Registers(theirs) => {
                if matches!(self.state, State::Exact { .. }) {
                    let ours = std::mem::replace(&mut self.state, State::Registers(theirs));
                    return self.merge(Self { state: ours });
                }
                if let State::Registers(ours) = &mut self.state {
                    ours.iter_mut().zip(theirs).for_each(|(a, b)| *a = b.max(*a));
                }
            }
            State::Exact { slots, zero, .. } => {
                if zero {
                    self.add(0);
                }
                slots.into_iter().filter(|hash| *hash != 0).for_each(|hash| self.add(hash));
            }
        }
        self
    }

    #[cfg(test)]
    /// Whether [`DistinctEstimate::count`] is not an estimate.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(self.state, State::Exact { .. })
    }

    /// The number of different keys.
    pub(crate) fn count(&self) -> u64 {
        match &self.state {
            State::Exact { used, zero, .. } => *used as u64 + u64::from(*zero),
            State::Registers(registers) => estimate(registers).round() as u64,
        }
    }

    fn add_exact(&mut self, hash: u64) {
        let State::Exact { slots, used, zero } = &mut self.state else { return };
        if hash == 0 {
            *zero = true;
        } else if !insert(slots, hash) {
            return;
        } else {
            *used += 1;
        }
        if *used + usize::from(*zero) > EXACT {
            let mut registers = vec![0; REGISTERS];
            if *zero {
                register(&mut registers, 0);
            }
            slots
                .iter()
                .filter(|hash| **hash != 0)
                .for_each(|hash| register(&mut registers, *hash));
            self.state = State::Registers(registers);
        } else if *used * 2 > slots.len() && slots.len() < SLOTS {
            let mut larger = vec![0; slots.len() * 2];
            for hash in slots.iter().filter(|hash| **hash != 0) {
                insert(&mut larger, *hash);
            }
            *slots = larger;
        }
    }
}

/// Equal if they count the same keys; where a hash stands in the table means nothing.
impl PartialEq for DistinctEstimate {
    fn eq(&self, other: &Self) -> bool {
        match (&self.state, &other.state) {
            (State::Registers(a), State::Registers(b)) => a == b,
            (State::Exact { slots: a, zero, .. }, State::Exact { slots: b, zero: other, .. }) => {
                let sorted = |slots: &[u64]| {
                    let mut hashes: Vec<u64> = slots.iter().copied().filter(|h| *h != 0).collect();
                    hashes.sort_unstable();
                    hashes
                };
                zero == other && sorted(a) == sorted(b)
            }
            _ => false,
        }
    }
}

/// Whether the hash is new. The table has an empty slot.
fn insert(slots: &mut [u64], hash: u64) -> bool {
    let mask = slots.len() - 1;
    let mut slot = hash as usize & mask;
    loop {
        match slots[slot] {
            0 => {
                slots[slot] = hash;
                return true;
            }
            there if there == hash => return false,
            _ => slot = (slot + 1) & mask,
        }
    }
}

#[inline]
fn register(registers: &mut [u8], hash: u64) {
    let rest = hash << PRECISION;
    // A one behind the bits that are left bounds the rank.
    let rank = (rest | 1 << (PRECISION - 1)).leading_zeros() as u8 + 1;
    let register = &mut registers[(hash >> (64 - PRECISION)) as usize];
    *register = rank.max(*register);
}

fn estimate(registers: &[u8]) -> f64 {
    let mut counts = [0_u32; MAX_RANK as usize + 1];
    for rank in registers {
        counts[usize::from((*rank).min(MAX_RANK))] += 1;
    }
    let m = REGISTERS as f64;
    let (low, high) = (counts[0], counts[usize::from(MAX_RANK)]);
    let mut z = m * tau(1.0 - f64::from(high) / m);
    for count in counts[1..usize::from(MAX_RANK)].iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += m * sigma(f64::from(low) / m);
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (x, 1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (x, 1.0, 1.0 - x);
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

impl<'de> Deserialize<'de> for DistinctEstimate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Stored {
            state: State,
        }
        let mut read = Self::default();
        match Stored::deserialize(deserializer)?.state {
            State::Registers(mut registers) if registers.len() == REGISTERS => {
                for rank in &mut registers {
                    *rank = MAX_RANK.min(*rank);
                }
                read.state = State::Registers(registers);
            }
            State::Registers(registers) => {
                return Err(serde::de::Error::invalid_length(registers.len(), &"16384 registers"));
            }
            // Added anew: a table from outside may be full or in disorder.
            State::Exact { slots, zero, .. } => {
                if zero {
                    read.add(0);
                }
                slots.into_iter().filter(|hash| *hash != 0).for_each(|hash| read.add(hash));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
