//! A store as bytes: a sequence of byte strings, each some keys of fixed width.
//!
//! Not numbers, which would cost ten bytes a key in the compact format and twenty as JSON. Reading
//! puts each key where it belongs, so nothing is taken on trust: not partitions, and not ranges, of
//! which two damaged numbers could claim more keys than there is memory.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::Key;
use super::Store;

/// Keys in a block that is written out of ranges.
const BLOCK_KEYS: usize = 4096;

struct Block<K>(Vec<K>);

impl<K: Key> Serialize for Store<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = self.runs.len().div_ceil(BLOCK_KEYS as u64) as usize;
        let mut sequence = serializer.serialize_seq(Some(self.lists().count() + written))?;
        for list in self.lists() {
            sequence.serialize_element(&Bytes(list))?;
        }
        let mut keys = self.runs.keys().map(K::of_number);
        let mut block = Vec::with_capacity(BLOCK_KEYS);
        for _ in 0..written {
            block.clear();
            block.extend(keys.by_ref().take(BLOCK_KEYS));
            sequence.serialize_element(&Bytes(&block))?;
        }
        sequence.end()
    }
}

struct Bytes<'a, K>(&'a [K]);

impl<K: Key> Serialize for Bytes<'_, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.0.len() * K::BYTES);
        for key in self.0 {
            key.write(&mut bytes);
        }
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de, K: Key> Deserialize<'de> for Store<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Blocks<K>(PhantomData<K>);

        impl<'de, K: Key> Visitor<'de> for Blocks<K> {
            type Value = Store<K>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("blocks of keys")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut blocks: A) -> Result<Store<K>, A::Error> {
                let mut store = Store::default();
                while let Some(Block(keys)) = blocks.next_element()? {
                    store.push(&keys, None);
                }
                Ok(store)
            }
        }

        deserializer.deserialize_seq(Blocks(PhantomData))
    }
}

impl<'de, K: Key> Deserialize<'de> for Block<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Raw<K>(PhantomData<K>);

        impl<'de, K: Key> Visitor<'de> for Raw<K> {
            type Value = Block<K>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "keys of {} bytes each", K::BYTES)
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Block<K>, E> {
                let keys = bytes.chunks(K::BYTES).map(K::read).collect::<Option<_>>();
                keys.map(Block).ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }

            // JSON has no byte strings.
            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Block<K>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = numbers.next_element::<u8>()? {
                    bytes.push(byte);
                }
                self.visit_bytes(&bytes)
            }
        }

        deserializer.deserialize_bytes(Raw(PhantomData))
    }
}
