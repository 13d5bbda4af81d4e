//! Metric chunks: appending, sealing and listing them, with the summaries that search reads.

use mlops_core::tracking::{
    BlobLocation, ChunkData, ChunkId, MetricChunk, MetricSummary, SealedMetrics, StoredChunk,
};
use mlops_core::{Error, ErrorKind, SpoolId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::artifacts::{name_blob, read_blob};
use super::fail::{Fail, Outcome};
use super::names;
use super::runs::Stored;

pub(super) fn stored_points(sql: &Connection, row: i64, spool: SpoolId) -> Outcome<u64> {
    let stored: Option<i64> = sql
        .prepare_cached("SELECT stored FROM spools WHERE run = ?1 AND spool = ?2")?
        .query_row(params![row, spool.as_bytes()], |r| r.get(0))
        .optional()?;
    Ok(stored.unwrap_or(0) as u64)
}

pub(super) fn append(sql: &Connection, stored: &Stored, chunk: &MetricChunk) -> Outcome<()> {
    let row = stored.row;
    sql.prepare_cached(
        "INSERT INTO chunks (run, place, codec, count, data)
         VALUES (?1, (SELECT coalesce(max(place), 0) + 1 FROM chunks WHERE run = ?1), ?2, ?3, ?4)",
    )?
    .execute(params![row, chunk.codec, chunk.origin.count as i64, chunk.bytes.as_ref()])?;
    sql.prepare_cached(
        "INSERT INTO spools (run, spool, stored) VALUES (?1, ?2, ?3)
         ON CONFLICT (run, spool) DO UPDATE SET stored = excluded.stored",
    )?
    .execute(params![
        row,
        chunk.origin.spool.as_bytes(),
        (chunk.origin.first + chunk.origin.count) as i64
    ])?;
    for (key, later) in &chunk.summaries {
        let key = names::intern(sql, key)?;
        let mut merged = *later;
        let known = sql
            .prepare_cached(
                "SELECT last, last_step, last_time, min, max, count FROM summaries
                 WHERE run = ?1 AND key = ?2",
            )?
            .query_row(params![row, key], |r| Ok(summary(r, 0)))
            .optional()?
            .transpose()?;
        if let Some(mut known) = known {
            known.append(later);
            merged = known;
        }
        sql.prepare_cached(
            "INSERT INTO summaries (run, key, experiment, last, last_step, last_time, min, max, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (run, key) DO UPDATE SET last = excluded.last,
                 last_step = excluded.last_step, last_time = excluded.last_time,
                 min = excluded.min, max = excluded.max, count = excluded.count",
        )?
        .execute(params![
            row,
            key,
            stored.experiment_row,
            merged.last,
            merged.last_step,
            merged.last_time_micros,
            merged.min,
            merged.max,
            merged.count as i64,
        ])?;
    }
    Ok(())
}

/// Puts one object in place of chunks. Returns the blobs that these were, and the offered location if
/// it is not needed.
pub(super) fn replace(
    sql: &Connection,
    row: i64,
    seal: &SealedMetrics,
) -> Outcome<(Vec<i64>, Option<BlobLocation>)> {
    let op = "tracker.update_run";
    let mut statement = sql.prepare_cached(
        "SELECT id, place, count, blob FROM chunks WHERE run = ?1 ORDER BY place",
    )?;
    let chunks = statement
        .query_map([row], |r| {
            Ok((ChunkId(r.get(0)?), r.get::<_, i64>(1)?, r.get::<_, i64>(2)?, r.get(3)?))
        })?
        .collect::<Result<Vec<(ChunkId, i64, i64, Option<i64>)>, _>>()?;
    let replaced = |chunk: &(ChunkId, i64, i64, Option<i64>)| seal.replaces.contains(&chunk.0);
    let n = seal.replaces.len();
    let start = chunks.iter().position(replaced).unwrap_or_default();
    if chunks.iter().filter(|chunk| replaced(chunk)).count() != n {
        return Err(Error::new(ErrorKind::Conflict, op, "a chunk to be sealed is gone")
            .with_hint("somebody else sealed it; read the run's chunks again")
            .into());
    }
    let old = &chunks[start..(start + n).min(chunks.len())];
    if !old.iter().all(replaced) {
        return Err(Error::invalid(op, "a chunk between those to be sealed is left out").into());
    }
    let points: i64 = old.iter().map(|chunk| chunk.2).sum();
    if points as u64 != seal.count {
        return Err(Error::invalid(op, "the sealed object has another number of points")
            .with("chunks", points)
            .with("object", seal.count)
            .into());
    }
    for (ChunkId(id), ..) in old {
        sql.prepare_cached("DELETE FROM chunks WHERE id = ?1")?.execute([id])?;
    }
    let (blob, discarded) = name_blob(sql, &seal.blob)?;
    // The place of the first of them, so that what was appended meanwhile stays behind.
    sql.prepare_cached(
        "INSERT INTO chunks (run, place, codec, count, blob) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![row, old[0].1, seal.codec, points, blob])?;
    Ok((old.iter().filter_map(|chunk| chunk.3).collect(), discarded))
}

pub(super) fn list(sql: &Connection, row: i64) -> Outcome<Vec<StoredChunk>> {
    let mut statement = sql.prepare_cached(
        "SELECT c.id, c.codec, c.count, c.data, b.digest, b.size, b.location
         FROM chunks c LEFT JOIN blobs b ON b.id = c.blob WHERE c.run = ?1 ORDER BY c.place",
    )?;
    let mut rows = statement.query([row])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let data = match row.get::<_, Option<Vec<u8>>>(3)? {
            Some(bytes) => ChunkData::Inline(bytes.into()),
            None => ChunkData::Blob(
                read_blob(row, 4).map_err(|_| Fail::Stored { what: "chunks.blob" })?,
            ),
        };
        out.push(StoredChunk {
            id: ChunkId(row.get(0)?),
            codec: row.get(1)?,
            count: row.get::<_, i64>(2)? as u64,
            data,
        });
    }
    Ok(out)
}

/// A summary in six columns from `at` on.
pub(super) fn summary(row: &Row<'_>, at: usize) -> Outcome<MetricSummary> {
    let float = |i| -> Outcome<f64> { Ok(row.get::<_, Option<f64>>(i)?.unwrap_or(f64::NAN)) };
    Ok(MetricSummary {
        last: float(at)?,
        last_step: row.get(at + 1)?,
        last_time_micros: row.get(at + 2)?,
        min: float(at + 3)?,
        max: float(at + 4)?,
        count: row.get::<_, i64>(at + 5)? as u64,
    })
}
