//! Interned texts: each metric key, param and tag name is stored once and named by a number.

use std::collections::HashMap;

use mlops_core::Key;
use rusqlite::{Connection, OptionalExtension};

use super::fail::{Fail, Outcome};

/// The number of a name, if it was ever used.
pub(super) fn find(sql: &Connection, name: &str) -> Outcome<Option<i64>> {
    Ok(sql
        .prepare_cached("SELECT id FROM names WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?)
}

/// The number of a name; a new one if it was never used.
pub(super) fn intern(sql: &Connection, name: &str) -> Outcome<i64> {
    if let Some(id) = find(sql, name)? {
        return Ok(id);
    }
    sql.prepare_cached("INSERT INTO names (name) VALUES (?1)")?.execute([name])?;
    Ok(sql.last_insert_rowid())
}

/// The names of numbers, each read once.
#[derive(Default)]
pub(super) struct Names(HashMap<i64, Key>);

impl Names {
    pub(super) fn of(&mut self, sql: &Connection, id: i64) -> Outcome<Key> {
        if let Some(key) = self.0.get(&id) {
            return Ok(key.clone());
        }
        let name: Option<String> = sql
            .prepare_cached("SELECT name FROM names WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let key = Key::new(name.ok_or(Fail::Stored { what: "names.id" })?)?;
        self.0.insert(id, key.clone());
        Ok(key)
    }
}
