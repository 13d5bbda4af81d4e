//! DuckDB's and Spark's form: rows and asks in one line, and the greatest row so far.
//!
//! A row comes into sight at its event time or, if it is asked what was known, when both have passed. It
//! stays in sight, so that the winner is a running maximum. At one instant rows that can be seen at it
//! come first (kind 0), then those who ask (1), then rows that are only seen after it (2).

use mlops_core::features::{Boundary, KnownAt};

use super::{Dialect, SqlAsks, SqlView, Winner};

pub(super) fn statement(
    sql: Dialect,
    asks: &SqlAsks,
    views: &[SqlView],
    known_at: KnownAt,
) -> String {
    let mut with = Vec::new();
    let mut columns = String::from("SELECT a.*");
    let mut joins = format!("FROM {} AS a", sql.path(&asks.table));
    for (at, view) in views.iter().enumerate() {
        with.push(format!("w{at} AS (\n{}\n)", running(sql, asks, view, known_at)));
        let field = |name: &str| format!("w{at}.w.{name}");
        let winner = Winner {
            exists: format!("w{at}.w IS NOT NULL"),
            event_time: field("e"),
            created: field("c"),
            values: (0..view.columns.len()).map(|value| field(&format!("v{value}"))).collect(),
        };
        columns.push_str(&winner.columns(sql, asks, view));
        let row = sql.name(&asks.row);
        joins = format!("{joins}\nLEFT JOIN w{at} ON w{at}.kind = 1 AND w{at}.r = a.{row}");
    }
    let with = if with.is_empty() { String::new() } else { format!("WITH {}\n", with.join(", ")) };
    format!("{with}{columns}\n{joins}\nORDER BY a.{}", sql.name(&asks.row))
}

/// For each row that asks of a view the greatest that it sees.
fn running(sql: Dialect, asks: &SqlAsks, view: &SqlView, known_at: KnownAt) -> String {
    let of = |column: &String| format!("f.{}", sql.name(column));
    let event = of(&view.event_time);
    let created = view.created.as_ref().map(of);
    let mut conditions = vec![format!("{event} IS NOT NULL")];
    conditions.extend(view.keys.iter().map(|(_, key)| format!("{} IS NOT NULL", of(key))));
    let strict = view.visibility.boundary == Boundary::Strict;
    let (mut at, mut kind) = (event.clone(), if strict { "2" } else { "0" }.to_owned());
    match (known_at, &created) {
        (KnownAt::EventTime, Some(created)) => {
            conditions.push(format!("{created} IS NOT NULL"));
            at = format!("greatest({event}, {created})");
            if strict {
                kind = format!("CASE WHEN {created} > {event} THEN 0 ELSE 2 END");
            }
        }
        (KnownAt::Instant(micros), Some(created)) => {
            conditions.push(format!("{} <= {micros}", sql.micros(created)));
        }
        _ => {}
    }
    let known = created.unwrap_or_else(|| "CAST(NULL AS TIMESTAMP)".to_owned());
    // Engines differ in whether null is the least or the greatest; whether it is known decides first.
    let mut fields = vec![
        ("e".to_owned(), event),
        ("k".to_owned(), format!("{known} IS NOT NULL")),
        ("c".to_owned(), known),
    ];
    for place in view.place.iter().map(of) {
        fields.push(("q".to_owned(), format!("{place} IS NOT NULL")));
        fields.push(("p".to_owned(), place));
    }
    let values = view.columns.iter().enumerate();
    fields.extend(values.map(|(at, (column, _))| (format!("v{at}"), of(column))));
    let columns = |side: &dyn Fn(&(String, String)) -> String| {
        let keys = view.keys.iter().enumerate();
        keys.map(|(at, key)| format!("{} AS k{at}, ", side(key))).collect::<Vec<_>>().concat()
    };
    let asked = columns(&|(asked, _)| format!("a.{}", sql.name(asked)));
    let keyed = columns(&|(_, key)| of(key));
    let keys: Vec<String> = (0..view.keys.len()).map(|at| format!("k{at}")).collect();
    let partition = match &keys[..] {
        [] => String::new(),
        keys => format!("PARTITION BY {} ", keys.join(", ")),
    };
    format!(
        "  SELECT r, kind, max(w) OVER ({partition}ORDER BY t, kind ROWS BETWEEN UNBOUNDED PRECEDING \
         AND CURRENT ROW) AS w\n  FROM (\n    SELECT {keyed}{at} AS t, {kind} AS kind, NULL AS r, {} \
         AS w\n    FROM {} AS f\n    WHERE {}\n    UNION ALL\n    SELECT {asked}a.{} AS t, 1 AS kind, \
         a.{} AS r, NULL AS w\n    FROM {} AS a\n    WHERE a.{} IS NOT NULL\n  ) AS line",
        sql.pack(&fields),
        sql.path(&view.table),
        conditions.join(" AND "),
        sql.name(&asks.time),
        sql.name(&asks.row),
        sql.path(&asks.table),
        // Where null is the greatest, who asks of no instant would see all.
        sql.name(&asks.time),
    )
}
