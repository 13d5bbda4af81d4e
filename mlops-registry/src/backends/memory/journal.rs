//! The journal in memory: rows, and the hashes that chain them.
//!
//! A seal covers every row that no earlier one covers, and its hash is BLAKE3 over the hash before it
//! (32 zero bytes before the first) and the canonical bytes of its rows. So a changed row shows in its own seal and all later ones.

use std::collections::BTreeMap;

use mlops_core::journal::{self, Actor, Event, JournalProof, canonical_bytes};
use mlops_core::lineage::Node;
use mlops_core::time::Instant;
use mlops_core::{Error, Key, Result};
use serde_json::Value;

/// Rows in order, and where each seal ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    written: Vec<Event>,
    seals: Vec<Seal>,
    positions: BTreeMap<Key, u64>,
}

#[derive(Debug, Clone)]
struct Seal {
    /// The last sequence number that it covers.
    end: u64,
    hash: blake3::Hash,
}

impl Rows {
    /// The number of the last row.
    pub(super) fn last(&self) -> u64 {
        self.written.len() as u64
    }

    /// The next row, not written yet.
    pub(super) fn next(
        &self,
        at: Instant,
        actor: Actor,
        operation: &str,
        node: Node,
        payload: Value,
    ) -> Event {
        let sequence = self.last() + 1;
        Event { sequence, at, actor, operation: operation.to_owned(), node, payload }
    }

    /// Writes the row that [`Rows::next`] made.
    pub(super) fn append(&mut self, event: Event) {
        self.written.push(event);
    }

    /// At most `limit` rows after position `after`.
    pub(super) fn events(&self, after: u64, limit: usize) -> Vec<Event> {
        let later = self.written.iter().filter(|event| event.sequence > after);
        later.take(limit).cloned().collect()
    }

    /// How far a reader has come.
    pub(super) fn position(&self, reader: &Key) -> u64 {
        self.positions.get(reader).copied().unwrap_or(0)
    }

    /// Notes how far a reader has come.
    pub(super) fn advance(&mut self, reader: &Key, from: u64, to: u64) -> Result<()> {
        journal::check_advance(reader, self.position(reader), from, to, self.last())?;
        self.positions.insert(reader.clone(), to);
        Ok(())
    }

    /// Proves the old chain, then covers the rows that no seal covers yet.
    pub(super) fn seal(&mut self) -> Result<JournalProof> {
        let proof = self.verify()?;
        if proof.sealed < proof.events {
            let hash = self.hash(proof.sealed, proof.events);
            self.seals.push(Seal { end: proof.events, hash });
        }
        self.verify()
    }

    /// Recomputes everything.
    pub(super) fn verify(&self) -> Result<JournalProof> {
        for (event, expected) in self.written.iter().zip(1..) {
            if event.sequence != expected {
                return Err(Error::corrupt("journal.verify", "a row is missing or out of order")
                    .with("sequence", expected));
            }
        }
        let mut start = 0;
        for (i, seal) in self.seals.iter().enumerate() {
            if seal.end > self.last() {
                return Err(Error::corrupt("journal.verify", "a sealed row is missing")
                    .with("sequence", self.last() + 1));
            }
            if self.chained(i, start, seal.end) != seal.hash {
                return Err(Error::corrupt("journal.verify", "a sealed row was changed")
                    .with("sequence", start + 1)
                    .with("or_up_to", seal.end));
            }
            start = seal.end;
        }
        let head = self.seals.last().map_or_else(String::new, |seal| seal.hash.to_string());
        Ok(JournalProof { events: self.last(), sealed: start, head })
    }

    fn hash(&self, start: u64, end: u64) -> blake3::Hash {
        self.chained(self.seals.len(), start, end)
    }

    /// The hash of the rows `start + 1 ..= end` after that of the first `seals` seals.
    fn chained(&self, seals: usize, start: u64, end: u64) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        let before = self.seals[..seals].last();
        hasher.update(before.map_or(&[0; 32], |seal| seal.hash.as_bytes()));
        for event in &self.written[start as usize..end as usize] {
            let texts = [
                event.actor.as_str(),
                &event.operation,
                &event.node.to_string(),
                &event.payload.to_string(),
            ];
            let mut bytes = Vec::new();
            canonical_bytes(event.sequence, event.at.timestamp_micros(), texts, &mut bytes);
            hasher.update(&bytes);
        }
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::ErrorKind;
    use mlops_core::lineage::NodeKind;
    use mlops_core::time::from_micros_lossy;
    use serde_json::json;

    use super::*;

    fn rows(n: i64) -> Rows {
        let mut rows = Rows::default();
        for i in 0..n {
            let (ann, run) = (Actor::new("ann").unwrap(), Node::new(NodeKind::Run, "r"));
            let at = from_micros_lossy(i);
            rows.append(rows.next(at, ann, "run.update", run, json!({ "note": i })));
        }
        rows
    }

    /// Two seals: rows 1 to 3, and 4 to 5; row 6 is not sealed.
    fn sealed() -> Rows {
        let mut sealed = rows(3);
        sealed.seal().unwrap();
        sealed.written = rows(5).written;
        sealed.seal().unwrap();
        sealed.written = rows(6).written;
        sealed
    }

    fn first_bad(rows: &Rows) -> String {
        let error = rows.verify().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let position = error.context().find(|(name, _)| *name == "sequence");
        position.unwrap().1.to_owned()
    }

    #[test]
    fn an_untouched_chain_is_proved_and_what_is_newer_is_not_counted_as_sealed() {
        let proof = sealed().verify().unwrap();
        assert_eq!((proof.events, proof.sealed, proof.head.len()), (6, 5, 64));
    }

    #[test]
    fn a_changed_row_is_named_by_the_start_of_its_seal() {
        let mut rows = sealed();
        rows.written[4].actor = Actor::new("eve").unwrap();
        assert_eq!(first_bad(&rows), "4");
    }

    #[test]
    fn a_removed_row_is_a_hole() {
        let mut rows = sealed();
        rows.written.remove(1);
        assert_eq!(first_bad(&rows), "2");
    }

    #[test]
    fn removed_last_rows_that_were_sealed_are_missed() {
        let mut rows = sealed();
        rows.written.truncate(4);
        assert_eq!(first_bad(&rows), "5");
    }

    #[test]
    fn swapped_and_renumbered_rows_are_found() {
        let mut rows = sealed();
        rows.written.swap(0, 1);
        assert_eq!(first_bad(&rows), "1");
        rows.written[0].sequence = 1;
        rows.written[1].sequence = 2;
        assert_eq!(first_bad(&rows), "1");
    }

    #[test]
    fn an_added_row_pushes_the_others_out_of_place() {
        let mut rows = sealed();
        let copy = rows.written[1].clone();
        rows.written.insert(1, copy);
        assert_eq!(first_bad(&rows), "3");
    }

    #[test]
    fn a_forged_chain_is_not_extended() {
        let mut rows = sealed();
        rows.written[0].actor = Actor::new("eve").unwrap();
        assert!(rows.seal().is_err());
    }
}
