//! The tables, and how a file of an older version becomes one of this version.
//!
//! A migration is a list of statements that runs once, in one transaction, under the write lock. The
//! version is SQLite's own `user_version`, so a file that was never ours is told apart by
//! `application_id`. Texts that repeat (metric keys, tag names) are interned in `names`: the rows are
//! half as large and twice as fast.

use rusqlite::{Connection, TransactionBehavior};

use super::fail::{Fail, Outcome};
use mlops_core::{Error, ErrorKind};

/// "MLOP": marks the file as ours.
const APPLICATION_ID: i64 = 0x4d4c_4f50;

/// Each entry brings a file from version `index` to `index + 1`. Entries never change once released.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// Makes or upgrades the tables. Safe to call from many processes at the same instant.
pub(super) fn migrate(connection: &mut Connection) -> Outcome<()> {
    if version(connection)? == MIGRATIONS.len() as i64 {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it while this one waited for the lock.
    let from = version(&transaction)?;
    for migration in &MIGRATIONS[from as usize..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()?;
    Ok(())
}

/// The version of the file; 0 if it is new.
fn version(connection: &Connection) -> Outcome<i64> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let version = number("user_version")?;
    let known = MIGRATIONS.len() as i64;
    if version > known {
        return Err(Fail::Api(
            Error::new(ErrorKind::Unsupported, "store.open", "the store is of a newer version")
                .with("version", version)
                .with("known", known)
                .with_hint(
                    "open it with the version of this library that wrote it, or a newer one",
                ),
        ));
    }
    let ours = number("application_id")? == APPLICATION_ID;
    let tables = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    if !ours && (version != 0 || tables != 0) {
        return Err(Fail::Api(
            Error::invalid("store.open", "the file is an SQLite database of another program")
                .with_hint("choose another directory"),
        ));
    }
    Ok(version.max(0))
}
