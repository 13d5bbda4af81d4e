//! Files of a run, and the objects that they, sealed chunks and versions name.
//!
//! A row of `blobs` is there exactly as long as something names it. Whoever takes the last name away
//! removes the row in the same transaction and hands the object to the caller for deletion.

use mlops_core::tracking::{Artifact, ArtifactEntry, Blob, BlobLocation, Digest, check};
use mlops_core::{ArtifactPath, time};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Writer;
use super::fail::Outcome;

pub(super) struct NamedArtifacts {
    /// The entries that were not so already, the last of each path.
    pub(super) changed: Vec<ArtifactEntry>,
    /// Offered locations that are not needed.
    pub(super) discarded: Vec<BlobLocation>,
    /// Blobs that an artifact named before.
    pub(super) replaced: Vec<i64>,
}

pub(super) fn name_artifacts(
    writer: &Writer<'_>,
    row: i64,
    entries: Vec<ArtifactEntry>,
) -> Outcome<NamedArtifacts> {
    let sql = writer.sql;
    let mut named =
        NamedArtifacts { changed: Vec::new(), discarded: Vec::new(), replaced: Vec::new() };
    for entry in entries {
        if !entry.uploaded && find_blob(sql, entry.blob.digest)?.is_none() {
            return Err(check::object_is_gone(&entry).into());
        }
        check_directories(sql, row, &entry.path)?;
        let old: Option<i64> = sql
            .prepare_cached("SELECT blob FROM artifacts WHERE run = ?1 AND path = ?2")?
            .query_row(params![row, entry.path.as_str()], |r| r.get(0))
            .optional()?;
        let (blob, discarded) = name_blob(sql, &entry.blob)?;
        named.discarded.extend(discarded);
        if old == Some(blob) {
            continue;
        }
        named.replaced.extend(old);
        sql.prepare_cached(
            "INSERT INTO artifacts (run, path, blob, created) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (run, path) DO UPDATE SET blob = excluded.blob, created = excluded.created",
        )?
        .execute(params![row, entry.path.as_str(), blob, writer.now])?;
        named.changed.retain(|other| other.path != entry.path);
        named.changed.push(entry);
    }
    Ok(named)
}

/// The row of a blob; the offered location comes back if an object of the digest is known already.
pub(super) fn name_blob(sql: &Connection, blob: &Blob) -> Outcome<(i64, Option<BlobLocation>)> {
    let known: Option<(i64, String)> = sql
        .prepare_cached("SELECT id, location FROM blobs WHERE digest = ?1")?
        .query_row([&blob.digest.0], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    match known {
        Some((id, location)) if location == blob.location.0 => Ok((id, None)),
        Some((id, _)) => Ok((id, Some(blob.location.clone()))),
        None => {
            sql.prepare_cached("INSERT INTO blobs (digest, size, location) VALUES (?1, ?2, ?3)")?
                .execute(params![blob.digest.0, blob.size as i64, blob.location.0])?;
            Ok((sql.last_insert_rowid(), None))
        }
    }
}

/// Forgets a blob that nothing names any more, and returns it.
pub(super) fn drop_if_unnamed(sql: &Connection, blob: i64) -> Outcome<Option<Blob>> {
    let dropped = sql
        .prepare_cached(
            "DELETE FROM blobs WHERE id = ?1
               AND NOT EXISTS (SELECT 1 FROM artifacts WHERE blob = ?1)
               AND NOT EXISTS (SELECT 1 FROM chunks WHERE blob = ?1)
               AND NOT EXISTS (SELECT 1 FROM version_blobs WHERE blob = ?1)
             RETURNING digest, size, location",
        )?
        .query_row([blob], |row| read_blob(row, 0))
        .optional()?;
    Ok(dropped)
}

pub(super) fn read_blob(row: &Row<'_>, at: usize) -> rusqlite::Result<Blob> {
    Ok(Blob {
        digest: Digest(row.get(at)?),
        size: row.get::<_, i64>(at + 1)? as u64,
        location: BlobLocation(row.get(at + 2)?),
    })
}

pub(super) fn find_blob(sql: &Connection, digest: Digest) -> Outcome<Option<Blob>> {
    Ok(sql
        .prepare_cached("SELECT digest, size, location FROM blobs WHERE digest = ?1")?
        .query_row([digest.0], |row| read_blob(row, 0))
        .optional()?)
}

fn check_directories(sql: &Connection, row: i64, path: &ArtifactPath) -> Outcome<()> {
    let mut exists = sql.prepare_cached("SELECT 1 FROM artifacts WHERE run = ?1 AND path = ?2")?;
    for directory in check::directories(path) {
        if exists.exists(params![row, directory])? {
            return Err(check::file_and_directory(path, directory).into());
        }
    }
    // Everything under `path/` sorts between `path/` and `path0`, the next character after `/`.
    let under: Option<String> = sql
        .prepare_cached(
            "SELECT path FROM artifacts WHERE run = ?1 AND path > ?2 || '/' AND path < ?2 || '0'
             LIMIT 1",
        )?
        .query_row(params![row, path.as_str()], |r| r.get(0))
        .optional()?;
    match under {
        Some(under) => Err(check::file_and_directory(path, &under).into()),
        None => Ok(()),
    }
}

pub(super) fn artifacts(sql: &Connection, row: i64, prefix: &str) -> Outcome<Vec<Artifact>> {
    let prefix = prefix.trim_end_matches('/');
    let mut statement = sql.prepare_cached(
        "SELECT a.path, a.created, b.digest, b.size, b.location
         FROM artifacts a JOIN blobs b ON b.id = a.blob
         WHERE a.run = ?1
           AND (?2 = '' OR a.path = ?2 OR (a.path > ?2 || '/' AND a.path < ?2 || '0'))
         ORDER BY a.path",
    )?;
    let mut rows = statement.query(params![row, prefix])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(Artifact {
            path: ArtifactPath::new(row.get::<_, String>(0)?)?,
            created: time::from_micros(row.get(1)?)?,
            blob: read_blob(row, 2)?,
        });
    }
    Ok(out)
}
