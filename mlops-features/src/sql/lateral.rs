//! PostgreSQL's form: for each row that asks, the first of its rows in descending order.

use mlops_core::features::{Boundary, KnownAt};

use super::{Dialect, SqlAsks, SqlView, Winner};

const SQL: Dialect = Dialect::Postgres;

pub(super) fn statement(asks: &SqlAsks, views: &[SqlView], known_at: KnownAt) -> String {
    let mut columns = String::from("SELECT a.*");
    let mut joins = format!("FROM {} AS a", SQL.path(&asks.table));
    for (at, view) in views.iter().enumerate() {
        let winner = Winner {
            exists: format!("w{at}.e IS NOT NULL"),
            event_time: format!("w{at}.e"),
            created: format!("w{at}.c"),
            values: (0..view.columns.len()).map(|value| format!("w{at}.v{value}")).collect(),
        };
        columns.push_str(&winner.columns(SQL, asks, view));
        let lateral = lateral(asks, view, known_at);
        joins = format!("{joins}\nLEFT JOIN LATERAL (\n{lateral}\n) AS w{at} ON TRUE");
    }
    format!("{columns}\n{joins}\nORDER BY a.{}", SQL.name(&asks.row))
}

fn lateral(asks: &SqlAsks, view: &SqlView, known_at: KnownAt) -> String {
    let of = |column: &String| format!("f.{}", SQL.name(column));
    let event = of(&view.event_time);
    let created = view.created.as_ref().map(of);
    let time = format!("a.{}", SQL.name(&asks.time));
    let values = view.columns.iter().enumerate();
    let values = values.map(|(at, (column, _))| format!(", {} AS v{at}", of(column)));
    let values: Vec<String> = values.collect();
    let known = created.clone().unwrap_or_else(|| "NULL::timestamptz".to_owned());
    let key = |(asked, key): &(String, String)| format!("{} = a.{}", of(key), SQL.name(asked));
    let mut conditions: Vec<String> = view.keys.iter().map(key).collect();
    let compare = match view.visibility.boundary {
        Boundary::Inclusive => "<=",
        Boundary::Strict => "<",
    };
    conditions.push(format!("{event} {compare} {time}"));
    match (known_at, &created) {
        (KnownAt::EventTime, Some(created)) => conditions.push(format!("{created} <= {time}")),
        (KnownAt::Instant(micros), Some(created)) => {
            conditions.push(format!("{} <= {micros}", SQL.micros(created)));
        }
        _ => {}
    }
    let mut order = format!("{event} DESC");
    if let Some(created) = &created {
        order = format!("{order}, {created} DESC NULLS LAST");
    }
    if let Some(place) = &view.place {
        order = format!("{order}, {} DESC NULLS LAST", of(place));
    }
    format!(
        "  SELECT {event} AS e, {known} AS c{}\n  FROM {} AS f\n  WHERE {}\n  ORDER BY {order}\n  \
         LIMIT 1",
        values.concat(),
        SQL.path(&view.table),
        conditions.join(" AND "),
    )
}
