//! The journal's rows and the hash chain over them.

use mlops_core::journal::{Actor, Event, JournalProof, canonical_bytes, check_advance};
use mlops_core::lineage::Node;
use mlops_core::{Error, Key, time};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::fail::{Fail, Outcome};

/// A write seals when this many rows wait: hashing costs about 1 µs a row, so a write never waits long.
const SEAL_AT: i64 = 1_024;

/// Writes one row in the caller's transaction, and returns its number.
pub(super) fn append(
    connection: &Connection,
    now: i64,
    actor: &Actor,
    operation: &str,
    node: &Node,
    payload: &Value,
) -> Outcome<i64> {
    connection
        .prepare_cached(
            "INSERT INTO journal (at, actor, operation, node, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![now, actor.as_str(), operation, node.to_string(), payload.to_string()])?;
    let sequence = connection.last_insert_rowid();
    if sequence % SEAL_AT == 0 {
        seal(connection)?;
    }
    Ok(sequence)
}

/// At most `limit` rows after position `after`.
pub(super) fn events(connection: &Connection, after: u64, limit: usize) -> Outcome<Vec<Event>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, at, actor, operation, node, payload FROM journal
         WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
    )?;
    let rows = statement.query_map(
        params![i64::try_from(after).unwrap_or(i64::MAX), limit.min(1 << 30) as i64],
        |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, String>(3)?,
                row.get::<_, String>(4)?,
                row.get::<_, String>(5)?,
            ))
        },
    )?;
    rows.map(|row| {
        let (sequence, at, actor, operation, node, payload) = row?;
        Ok(Event {
            sequence: sequence as u64,
            at: time::from_micros(at)?,
            actor: Actor::new(actor)?,
            operation,
            node: node.parse::<Node>()?,
            payload: serde_json::from_str(&payload)
                .map_err(|_| Fail::Stored { what: "journal.payload" })?,
        })
    })
    .collect()
}

/// The number of the last row.
pub(super) fn last(connection: &Connection) -> Outcome<u64> {
    let last: i64 = connection
        .prepare_cached("SELECT coalesce(max(sequence), 0) FROM journal")?
        .query_row([], |row| row.get(0))?;
    Ok(last as u64)
}

/// How far a reader has come.
pub(super) fn position(connection: &Connection, reader: &Key) -> Outcome<u64> {
    let position: Option<i64> = connection
        .prepare_cached("SELECT position FROM readers WHERE name = ?1")?
        .query_row([reader.as_str()], |row| row.get(0))
        .optional()?;
    Ok(position.unwrap_or(0) as u64)
}

/// Notes how far a reader has come.
pub(super) fn advance(connection: &Connection, reader: &Key, from: u64, to: u64) -> Outcome<()> {
    let position = position(connection, reader)?;
    check_advance(reader, position, from, to, last(connection)?)?;
    connection
        .prepare_cached(
            "INSERT INTO readers (name, position) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET position = excluded.position",
        )?
        .execute(params![reader.as_str(), to as i64])?;
    Ok(())
}

/// Adds a link over all rows that no link covers yet; within a transaction.
pub(super) fn seal(connection: &Connection) -> Outcome<JournalProof> {
    let last_seal: Option<(i64, [u8; 32])> = connection
        .query_row("SELECT last, hash FROM seals ORDER BY last DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let (from, head) = last_seal.unwrap_or((0, [0; 32]));
    let end: i64 =
        connection.query_row("SELECT coalesce(max(sequence), 0) FROM journal", [], |r| r.get(0))?;
    let mut hash = head;
    if end > from {
        hash = link(connection, &head, from, end)?;
        connection.execute("INSERT INTO seals (last, hash) VALUES (?1, ?2)", params![end, hash])?;
    }
    Ok(proof(end, end, &hash))
}

/// Recomputes every link.
pub(super) fn verify(connection: &Connection) -> Outcome<JournalProof> {
    let (mut from, mut head) = (0_i64, [0; 32]);
    let mut seals = connection.prepare("SELECT last, hash FROM seals ORDER BY last")?;
    let seals =
        seals.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)))?;
    for seal in seals {
        let (last, stored) = seal?;
        head = link(connection, &head, from, last)?;
        if head != stored {
            return Err(Error::corrupt("journal.verify", "rows under a seal were changed")
                .with("first", from + 1)
                .with("last", last)
                .into());
        }
        from = last;
    }
    let (rows, end): (i64, i64) = connection.query_row(
        "SELECT count(*), coalesce(max(sequence), 0) FROM journal",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if rows != end || end < from {
        return Err(Error::corrupt("journal.verify", "rows are missing")
            .with("rows", rows)
            .with("last", end)
            .with("sealed", from)
            .into());
    }
    Ok(proof(end, from, &head))
}

/// The hash over the head before and the rows `from + 1..=to`, which must all be there.
fn link(connection: &Connection, head: &[u8; 32], from: i64, to: i64) -> Outcome<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head);
    let mut statement = connection.prepare_cached(
        "SELECT sequence, at, actor, operation, node, payload FROM journal
         WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence",
    )?;
    let mut rows = statement.query(params![from, to])?;
    let mut expected = from;
    let mut bytes = Vec::new();
    while let Some(row) = rows.next()? {
        expected += 1;
        let sequence: i64 = row.get(0)?;
        if sequence != expected {
            break;
        }
        let text = |i| row.get_ref(i).and_then(|v| v.as_str().map_err(Into::into));
        bytes.clear();
        canonical_bytes(
            sequence as u64,
            row.get(1)?,
            [text(2)?, text(3)?, text(4)?, text(5)?],
            &mut bytes,
        );
        hasher.update(&bytes);
        if sequence == to {
            return Ok(*hasher.finalize().as_bytes());
        }
    }
    Err(Error::corrupt("journal.verify", "a row is missing")
        .with("sequence", expected.max(from + 1))
        .into())
}

fn proof(events: i64, sealed: i64, head: &[u8; 32]) -> JournalProof {
    let head =
        if sealed == 0 { String::new() } else { mlops_core::tracking::Digest(*head).to_string() };
    JournalProof { events: events as u64, sealed: sealed as u64, head }
}
