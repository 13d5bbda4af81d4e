//! The keys of a store on the server.
//!
//! `{prefix}:{table}:{key}` has the entry of a key, which are bytes as `KeyBatch` makes them; the hash
//! `{prefix}::tables` has the watermark of each table. Neither a prefix nor a table has a `:` in its
//! name, and no table is without a name, so that no two of these are one.

use mlops_core::features::Watermark;

/// Names keys.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The hash of watermarks.
    pub(super) fn tables(&self) -> Vec<u8> {
        format!("{}::tables", self.prefix).into_bytes()
    }

    /// What stands before the keys of a table.
    pub(super) fn entries(&self, table: &str) -> Vec<u8> {
        format!("{}:{table}:", self.prefix).into_bytes()
    }

    /// What `SCAN` finds the keys of a table by. No letter of it means anything else there.
    pub(super) fn pattern(&self, table: &str) -> Vec<u8> {
        format!("{}:{table}:*", self.prefix).into_bytes()
    }
}

/// A watermark as it is kept: 16 bytes, big endian.
pub(super) fn watermark_bytes(watermark: Watermark) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&watermark.next_seq.to_be_bytes());
    bytes[8..].copy_from_slice(&watermark.at.to_be_bytes());
    bytes
}

/// What [`watermark_bytes`] wrote; the default for no bytes, which a table has before its first.
pub(super) fn watermark(bytes: &[u8]) -> Option<Watermark> {
    if bytes.is_empty() {
        return Some(Watermark::default());
    }
    let (next_seq, at) = bytes.split_first_chunk()?;
    Some(Watermark {
        next_seq: u64::from_be_bytes(*next_seq),
        at: i64::from_be_bytes(at.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_comes_back() {
        for watermark_of in [
            Watermark::default(),
            Watermark { next_seq: u64::MAX, at: i64::MIN },
            Watermark { next_seq: 7, at: 9 },
        ] {
            assert_eq!(watermark(&watermark_bytes(watermark_of)), Some(watermark_of));
        }
        assert_eq!(watermark(b""), Some(Watermark::default()));
        assert_eq!(watermark(b"123456789"), None);
    }
}
