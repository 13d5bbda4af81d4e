//! The point-in-time join as SQL text, for an engine that has the rows already.
//!
//! For tables that live in DuckDB, PostgreSQL or Spark and are better joined there than moved. The text
//! says what the join of this library says: the same winner, ttl, boundary, cut-off and statuses.
//!
//! The non-obvious decision: a winner is taken as one row, never column by column. `LAST_VALUE` with
//! `IGNORE NULLS` of each column would carry old values over a null that won. So DuckDB and Spark keep the
//! greatest *struct* of event time, creation time, place and values that was seen up to the ask, in one
//! pass over rows and asks together, sorted by when each can be seen. PostgreSQL takes one row by a
//! lateral join, which an index on keys, event time and creation time makes a look-up.
//!
//! What it does not do: run anything. Instants are those of the engine, microseconds; keys are compared
//! as the engine compares them, so both sides must have one type. The texts for DuckDB and PostgreSQL
//! are proved by running them; that for Spark is written to its documentation and has not been run.

mod dialect;
mod lateral;
mod window;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use mlops_core::features::{KnownAt, Visibility};
use mlops_core::{Error, Result};

pub use self::dialect::Dialect;

/// A table that rows ask from: keys, an instant and whatever else should come along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlAsks {
    /// Its name, in parts: schema and table.
    pub table: Vec<String>,
    /// A column that tells its rows apart; the answer is in its order.
    pub row: String,
    /// The column with the instants.
    pub time: String,
}

/// A table of features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlView {
    /// What it is called in the answer: its status is the column `name__status`.
    pub name: String,
    /// The table's name, in parts.
    pub table: Vec<String>,
    /// Its keys: the column of those who ask, and that of the table. None to join by time alone.
    pub keys: Vec<(String, String)>,
    /// The column with the event times.
    pub event_time: String,
    /// The column with the instants when rows became known, if there is one.
    pub created: Option<String>,
    /// A column that decides between rows of equal times, of which the greatest wins. Without, an
    /// engine may take any of them.
    pub place: Option<String>,
    /// The table's columns, and what they are called in the answer.
    pub columns: Vec<(String, String)>,
    /// What can be seen.
    pub visibility: Visibility,
}

/// The join of these views as one statement.
///
/// The answer has all columns of `asks`, then for each view its columns, `name__status` (`found`, `not_found`
/// or `expired`), `name__event_time` and `name__created`, one row for each that asks.
///
/// # Errors
/// `Invalid` for a name that the engine cannot have; for two columns of one name, those of `asks` that are
/// known here among them; and for a view without creation times, if it is asked what was known.
///
/// ```
/// use mlops_core::features::{KnownAt, Visibility};
/// use mlops_features::sql::{Dialect, SqlAsks, SqlView, point_in_time_sql};
///
/// let asks = SqlAsks { table: vec!["trips".into()], row: "id".into(), time: "at".into() };
/// let view = SqlView {
///     name: "driver".into(),
///     table: vec!["stats".into()],
///     keys: vec![("driver_id".into(), "driver_id".into())],
///     event_time: "event_time".into(),
///     created: None,
///     place: None,
///     columns: vec![("rating".into(), "rating".into())],
///     visibility: Visibility::default(),
/// };
/// let sql = point_in_time_sql(Dialect::Postgres, &asks, &[view], KnownAt::Now)?;
/// assert!(sql.contains(r#"f."driver_id" = a."driver_id""#));
/// # Ok::<(), mlops_core::Error>(())
/// ```
pub fn point_in_time_sql(
    dialect: Dialect,
    asks: &SqlAsks,
    views: &[SqlView],
    known_at: KnownAt,
) -> Result<String> {
    check(dialect, asks, views, known_at)?;
    Ok(match dialect {
        Dialect::Postgres => lateral::statement(asks, views, known_at),
        Dialect::DuckDb | Dialect::Spark => window::statement(dialect, asks, views, known_at),
    })
}

fn check(dialect: Dialect, asks: &SqlAsks, views: &[SqlView], known_at: KnownAt) -> Result<()> {
    let mut names: Vec<&String> = asks.table.iter().chain([&asks.row, &asks.time]).collect();
    let mut outputs = Vec::new();
    let mut tables = vec![&asks.table];
    for view in views {
        tables.push(&view.table);
        names.extend(view.table.iter().chain([&view.event_time]));
        names.extend(view.created.iter().chain(&view.place));
        names.extend(view.keys.iter().flat_map(|(asked, key)| [asked, key]));
        names.extend(view.columns.iter().map(|(column, _)| column));
        outputs.extend(view.columns.iter().map(|(_, output)| output.clone()));
        outputs.extend(STATUSES.map(|suffix| format!("{}{suffix}", view.name)));
        if view.created.is_none() && known_at != KnownAt::Now {
            return Err(bad("a view does not say when its rows became known")
                .with("view", &view.name)
                .with_hint("name its column of creation times, or ask for all that is known now"));
        }
    }
    if tables.iter().any(|parts| parts.is_empty()) {
        return Err(bad("a table has no name"));
    }
    for name in names.into_iter().chain(&outputs) {
        dialect.check(name)?;
    }
    // All columns of `asks` are in the answer, of which these are known.
    let asked = views.iter().flat_map(|view| view.keys.iter().map(|(asked, _)| asked));
    let asked = asked.chain([&asks.row, &asks.time]).map(|name| name.to_lowercase());
    let mut seen: HashSet<String> = asked.collect();
    for output in &outputs {
        // DuckDB and Spark do not tell upper case from lower.
        if !seen.insert(output.to_lowercase()) {
            return Err(bad("two columns of the answer have one name")
                .with("column", output)
                .with_hint("give each view and each column a name of its own"));
        }
    }
    Ok(())
}

/// What is added to a view's name for its own columns.
const STATUSES: [&str; 3] = ["__status", "__event_time", "__created"];

fn bad(why: &'static str) -> Error {
    Error::invalid("features.sql", why)
}

/// The winner of one view, as expressions.
struct Winner {
    /// Whether there is one.
    exists: String,
    event_time: String,
    created: String,
    values: Vec<String>,
}

impl Winner {
    /// The view's columns of the answer, each with a comma before it.
    fn columns(&self, dialect: Dialect, asks: &SqlAsks, view: &SqlView) -> String {
        let time = format!("a.{}", dialect.name(&asks.time));
        let expired = if view.visibility.ttl > 0 {
            let (time, event) = (dialect.micros(&time), dialect.micros(&self.event_time));
            format!("{time} - {event} > {}", view.visibility.ttl)
        } else {
            "1 = 0".to_owned()
        };
        let mut text = Vec::new();
        let mut add = |value: &str, name: &str| {
            text.push(format!(",\n  {value} AS {}", dialect.name(name)));
        };
        for ((_, output), value) in view.columns.iter().zip(&self.values) {
            add(&format!("CASE WHEN {expired} THEN NULL ELSE {value} END"), output);
        }
        let status = format!(
            "CASE WHEN NOT ({}) THEN 'not_found' WHEN {expired} THEN 'expired' ELSE 'found' END",
            self.exists
        );
        let own = [&status, &self.event_time, &self.created];
        for (value, suffix) in own.into_iter().zip(STATUSES) {
            add(value, &format!("{}{suffix}", view.name));
        }
        text.concat()
    }
}
