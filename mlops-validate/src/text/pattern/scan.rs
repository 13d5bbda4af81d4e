//! Which bytes are in a range, 16 at a time, one bit a byte.
//!
//! Everything above works on bits, so this is the only place that reads text. SSE2 is part of every
//! x86-64, so its instructions are safe functions there; elsewhere the same is done eight bytes at
//! a time in ordinary registers. A test holds the two against each other.

/// Bytes `low..=high` of ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteRange {
    pub(super) low: u8,
    pub(super) high: u8,
}

pub(super) use self::swar::{Probe, high_bits};

mod swar {
    use super::ByteRange;

    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;

    /// A range, ready to be asked for.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Probe {
        /// Adding it sets the high bit of a byte of seven bits that is not below the range.
        reach_low: u64,
        /// Adding it sets the high bit of one that is above the range.
        pass_high: u64,
    }

    impl Probe {
        pub(in super::super) fn new(range: ByteRange) -> Self {
            Self {
                reach_low: ONES * (128 - u64::from(range.low)),
                pass_high: ONES * (127 - u64::from(range.high)),
            }
        }

        /// Bit i: byte i is in the range.
        #[inline]
        pub(in super::super) fn bits(&self, bytes: &[u8; 16]) -> u16 {
            each(bytes, |word| {
                let seven = word & !HIGH;
                (seven + self.reach_low) & !(seven + self.pass_high) & !word
            })
        }
    }

    /// Bit i: byte i is not ASCII.
    #[inline]
    pub(in super::super) fn high_bits(bytes: &[u8; 16]) -> u16 {
        each(bytes, |word| word)
    }

    /// The high bits of `f` of each half, gathered.
    #[inline]
    fn each(bytes: &[u8; 16], f: impl Fn(u64) -> u64) -> u16 {
        let (words, _) = bytes.as_chunks::<8>();
        let [low, high] = [words[0], words[1]].map(|word| gather(f(u64::from_le_bytes(word))));
        low | high << 8
    }

    /// The high bit of each byte, in the order of the bytes.
    #[inline]
    fn gather(word: u64) -> u16 {
        const MAGIC: u64 = 0x0102_0408_1020_4080;
        (((word & HIGH) >> 7).wrapping_mul(MAGIC) >> 56) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_by_exactly_the_ranges_that_hold_it_on_every_machine() {
        for low in (0..128).step_by(3).chain([127]) {
            for high in (low..128).step_by(5).chain([low, 127]) {
                let range = ByteRange { low, high };
                let (native, portable) = (Probe::new(range), swar::Probe::new(range));
                for first in (0..=255).step_by(16) {
                    let bytes: [u8; 16] = std::array::from_fn(|i| (first + i) as u8);
                    let wanted = (0..16).fold(0, |bits, i| {
                        bits | u16::from((low..=high).contains(&bytes[i])) << i
                    });
                    assert_eq!(native.bits(&bytes), wanted, "{range:?} of {bytes:?}");
                    assert_eq!(portable.bits(&bytes), wanted, "{range:?} of {bytes:?}");
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_not_ascii_are_found() {
        let bytes: [u8; 16] = std::array::from_fn(|i| if i % 3 == 0 { 0x80 + i as u8 } else { 0x7f });
        assert_eq!(high_bits(&bytes), 0b1001_0010_0100_1001);
        assert_eq!(swar::high_bits(&bytes), 0b1001_0010_0100_1001);
    }
}
