//! What the tests of this module share.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use super::{KeyChunk, KeyEncoder};

/// A batch of columns `a`, `b`, ….
pub(super) fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
    let names = ["a", "b", "c", "d", "e"];
    RecordBatch::try_from_iter_with_nullable(
        names.into_iter().zip(columns).map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

/// An encoder of all columns of a batch, and the keys of its rows.
pub(super) fn keys_of(batch: &RecordBatch) -> (KeyEncoder, KeyChunk) {
    let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    let encoder = KeyEncoder::new(&names, &batch.schema()).unwrap();
    let mut chunk = KeyChunk::default();
    encoder.encode(batch, &mut chunk).unwrap();
    (encoder, chunk)
}

/// Narrow keys.
pub(super) fn narrow(values: &[Option<i64>]) -> (KeyEncoder, KeyChunk) {
    keys_of(&batch(vec![Arc::new(Int64Array::from(values.to_vec()))]))
}

/// The same values under a wide key.
pub(super) fn wide(values: &[Option<i64>]) -> (KeyEncoder, KeyChunk) {
    let texts = values.iter().map(|value| value.map(|value| value.to_string()));
    keys_of(&batch(vec![Arc::new(texts.collect::<StringArray>())]))
}

/// The key whose [`mix`](super::Key::mix) is `hash`: what somebody would use to attack a table.
pub(super) fn unmix(hash: u64) -> u64 {
    let unshift = |x: u64, by: u32| {
        let mut y = x;
        for _ in 0..64 / by {
            y = x ^ (y >> by);
        }
        y
    };
    let inverse = |x: u64| {
        let mut y = x;
        for _ in 0..6 {
            y = y.wrapping_mul(2_u64.wrapping_sub(x.wrapping_mul(y)));
        }
        y
    };
    let mut x = unshift(hash, 31).wrapping_mul(inverse(0x94d0_49bb_1331_11eb));
    x = unshift(x, 27).wrapping_mul(inverse(0xbf58_476d_1ce4_e5b9));
    unshift(x, 30)
}

#[test]
fn unmix_turns_mix_around() {
    use super::Key;
    for hash in [0, 1, u64::MAX, 1 << 40, 0x1234_5678_9abc_def0] {
        assert_eq!(unmix(hash).mix(), hash);
    }
}
