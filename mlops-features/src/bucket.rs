//! Which of `n` parts a key belongs to, when a join or a materialization is cut into parts.

use xxhash_rust::xxh3::xxh3_64;

/// The part, below `n`, that a key belongs to; 0 if there are no parts.
///
/// `key` is one of [`KeyBatch`](mlops_core::features::KeyBatch). It is the XXH3 hash of 64 bits, seed 0, scaled to `n`: the same in
/// every version, on every machine and in every process, for ever, because parts that were computed apart
/// are put together again.
///
/// ```
/// use mlops_features::bucket_of;
/// assert_eq!(bucket_of(b"driver 1", 16), 4);
/// ```
pub fn bucket_of(key: &[u8], n: u32) -> u32 {
    ((u128::from(xxh3_64(key)) * u128::from(n)) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spread_evenly_and_stay_where_they_are() {
        let mut counts = [0; 7];
        for key in 0..70_000_u32 {
            counts[bucket_of(&key.to_be_bytes(), 7) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        let known = [&b""[..], b"a", b"driver 1"].map(|key| bucket_of(key, 1 << 20));
        assert_eq!(known, [184_424, 945_251, 285_265]);
        assert_eq!(bucket_of(b"a", 0), 0);
    }
}
