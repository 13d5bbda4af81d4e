//! Numbers by chance that are the same in each run.

/// SplitMix64: a few lines, and good enough to pick from ten.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Other numbers for each seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xA24B_AED4_963E_E407))
    }

    /// A number from 0 to `end` − 1.
    pub(super) fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end as u64) as i64
    }

    /// Yes, once in `times`.
    pub(super) fn one_in(&mut self, times: i64) -> bool {
        self.below(times) == 0
    }
}
