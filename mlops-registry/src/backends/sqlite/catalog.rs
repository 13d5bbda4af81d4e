//! Documents in SQLite.

use mlops_core::journal::Actor;
use mlops_core::registry::{Document, PutDocument, events};
use mlops_core::{Error, ErrorKind, Key, time};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::Writer;
use super::fail::{Fail, Outcome};

const COLUMNS: &str = "kind, name, version, body, at, actor";

pub(super) fn put(writer: &Writer<'_>, change: PutDocument) -> Outcome<Document> {
    let op = "catalog.put_document";
    let sql = writer.sql;
    let node = change.node();
    let now = last(sql, &change.kind, &change.name)?;
    let version = now.as_ref().map_or(0, |document| document.version);
    if let Some(expected) = change.expect
        && expected != version
    {
        return Err(Error::new(ErrorKind::Conflict, op, "the document has another version")
            .with("document", &node.id)
            .with("expected", expected)
            .with("found", version)
            .with_hint("read it again, decide again")
            .into());
    }
    match now {
        Some(now) if now.body == change.body => return Ok(now),
        None if change.body.is_none() => {
            return Err(Error::not_found(op, "there is no such document")
                .with("document", &node.id)
                .into());
        }
        _ => {}
    }
    let at = time::from_micros(writer.now)?;
    let PutDocument { kind, name, body, .. } = change;
    let document = Document::new(kind, name, version + 1, body, at, writer.actor.clone());
    sql.prepare_cached(
        "INSERT INTO documents (kind, name, version, body, at, actor) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        document.kind.as_str(),
        document.name.as_str(),
        document.version as i64,
        document.body.as_ref().map(Value::to_string),
        writer.now,
        writer.actor.as_str(),
    ])?;
    let (operation, payload) = events::document(&document);
    writer.journal(operation, &node, &payload)?;
    Ok(document)
}

/// The document as it is now.
pub(super) fn get(sql: &Connection, kind: &str, name: &str) -> Outcome<Option<Document>> {
    Ok(last(sql, kind, name)?.filter(|document| document.body.is_some()))
}

/// The last version, also if that is the deletion.
fn last(sql: &Connection, kind: &str, name: &str) -> Outcome<Option<Document>> {
    sql.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM documents WHERE kind = ?1 AND name = ?2
         ORDER BY version DESC LIMIT 1"
    ))?
    .query_row([kind, name], |row| Ok(stored(row)))
    .optional()?
    .transpose()
}

pub(super) fn list(sql: &Connection, kind: &Key) -> Outcome<Vec<Document>> {
    let mut statement = sql.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM documents d
         WHERE kind = ?1 AND body IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM documents l
              WHERE l.kind = d.kind AND l.name = d.name AND l.version > d.version)
         ORDER BY name"
    ))?;
    let mut rows = statement.query([kind.as_str()])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(stored(row)?);
    }
    Ok(out)
}

pub(super) fn history(sql: &Connection, kind: &Key, name: &Key) -> Outcome<Vec<Document>> {
    let mut statement = sql.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM documents WHERE kind = ?1 AND name = ?2 ORDER BY version"
    ))?;
    let mut rows = statement.query([kind.as_str(), name.as_str()])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(stored(row)?);
    }
    Ok(out)
}

fn stored(row: &Row<'_>) -> Outcome<Document> {
    let body = row
        .get::<_, Option<String>>(3)?
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|_| Fail::Stored { what: "documents.body" })?;
    Ok(Document::new(
        Key::new(row.get::<_, String>(0)?)?,
        Key::new(row.get::<_, String>(1)?)?,
        row.get::<_, i64>(2)? as u64,
        body,
        time::from_micros(row.get(4)?)?,
        Actor::new(row.get::<_, String>(5)?)?,
    ))
}
