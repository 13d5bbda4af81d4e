//! Numbers in few bytes, and a reader that no bytes make panic.

use mlops_core::{Error, Result};

/// Seven bits a byte, the lowest first.
pub(super) fn put_varint(out: &mut Vec<u8>, value: u64) {
    put_wide(out, value.into());
}

pub(super) fn put_wide(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Small in either direction is short.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i128) {
    put_wide(out, (value << 1 ^ value >> 127) as u128);
}

/// Reads what was written, from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(cut)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or_else(cut)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    #[inline]
    pub(super) fn wide(&mut self) -> Result<u128> {
        let mut value = 0;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(corrupt("a number is too long"))
    }

    pub(super) fn varint(&mut self) -> Result<u64> {
        u64::try_from(self.wide()?).map_err(|_| corrupt("a number is too large"))
    }

    /// A number of things, each of at least a byte.
    pub(super) fn length(&mut self) -> Result<usize> {
        let length = self.varint()?;
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.0.len())
            .ok_or_else(|| corrupt("a length is beyond the end"))
    }

    pub(super) fn signed(&mut self) -> Result<i128> {
        let value = self.wide()?;
        Ok((value >> 1) as i128 ^ -((value & 1) as i128))
    }

    pub(super) fn signed_word(&mut self) -> Result<i64> {
        i64::try_from(self.signed()?).map_err(|_| corrupt("a number is too large"))
    }
}

#[cold]
fn cut() -> Error {
    corrupt("the bytes end too early")
}

#[cold]
pub(super) fn corrupt(problem: &'static str) -> Error {
    Error::corrupt("features.window", "the state of a key's windows is damaged")
        .with("problem", problem)
        .with_hint("an online store is derived: drop the table and materialize it again")
}
