//! Histories as tables, and what is answered of them.

use mlops_core::features::{Boundary, KeyType, KnownAt, RowStatus, Visibility};
use mlops_features::sql::{SqlAsks, SqlView, point_in_time_sql};
use mlops_testkit::features::offline::tricky::tricky;
use mlops_testkit::features::offline::{Answer, Ask, Part, Row, oracle};

use super::engines::Engine;

/// All tricky cases whose times are microseconds, in one session.
pub(crate) fn tricky_cases<E: Engine>(engine: &E) {
    let whole = |nanos: i64| nanos % 1_000 == 0;
    let mut asked = 0;
    for case in tricky() {
        let rows = case.rows.iter().all(|row| whole(row.event_time));
        if !rows || !case.asks.iter().all(|ask| whole(ask.time)) {
            continue;
        }
        let tables = tables::<E>(&case.keys, &case.rows, &case.asks);
        let found = answers(engine, &case.keys, &tables, &[case.visibility], case.known_at);
        case.check(&found[0], "in SQL");
        asked += 1;
    }
    assert!(asked >= 55, "only {asked} cases could be asked");
}

/// A random history of many ties, asked under every bound by one statement of many views.
pub(crate) fn random_history<E: Engine>(engine: &E) {
    let keys = [KeyType::Int, KeyType::String];
    let mut seed = 0_u64;
    let mut below = |end: i64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) % end as u64) as i64
    };
    let second = 1_000_000_000;
    let key = |below: &mut dyn FnMut(i64) -> i64| {
        let text = ["", "a", "a'b", "\"\\"][below(4) as usize].to_owned();
        let number = if below(30) == 0 { Part::Null } else { Part::Int(below(10)) };
        vec![number, Part::Text(text)]
    };
    let rows: Vec<Row> = (0..2_500)
        .map(|number| Row {
            key: key(&mut below),
            event_time: (below(40) - 10) * second / 2,
            created: (below(6) > 0).then(|| (below(40) - 10) * second / 2),
            value: (below(10) > 0).then_some(number),
        })
        .collect();
    let asks: Vec<Ask> = (0..2_500)
        .map(|_| Ask { key: key(&mut below), time: (below(44) - 12) * second / 2 })
        .collect();
    let mut bounds = Vec::new();
    for ttl in [0, 1, 500_000, 1_500_000, 3_000_000] {
        for boundary in [Boundary::Inclusive, Boundary::Strict] {
            bounds.push(Visibility { ttl, boundary });
        }
    }
    let tables = tables::<E>(&keys, &rows, &asks);
    for known_at in [KnownAt::Now, KnownAt::EventTime, KnownAt::Instant(2_000_000)] {
        let found = answers(engine, &keys, &tables, &bounds, known_at);
        for (found, bounds) in found.iter().zip(&bounds) {
            let expected = oracle(&rows, &asks, *bounds, known_at);
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(found, expected, "{:?} {bounds:?} {known_at:?}", asks[at]);
            }
            assert_eq!(found.len(), expected.len());
        }
    }
}

/// What each view of these bounds answers, all of the same table and in one statement.
fn answers<E: Engine>(
    engine: &E,
    keys: &[KeyType],
    tables: &[String],
    bounds: &[Visibility],
    known_at: KnownAt,
) -> Vec<Vec<Answer>> {
    let key = |at: usize| (format!("asked {at}"), format!("key\"{at}"));
    let view = |(at, visibility): (usize, &Visibility)| SqlView {
        name: format!("view {at}"),
        table: vec!["rows; of".to_owned()],
        keys: (0..keys.len()).map(key).collect(),
        event_time: "event".to_owned(),
        created: Some("Known".to_owned()),
        place: Some("place".to_owned()),
        columns: vec![("value".to_owned(), format!("value {at}"))],
        visibility: *visibility,
    };
    let views: Vec<SqlView> = bounds.iter().enumerate().map(view).collect();
    let asks = SqlAsks {
        table: vec!["who asks".to_owned()],
        row: "row".to_owned(),
        time: "time".to_owned(),
    };
    let sql = point_in_time_sql(E::DIALECT, &asks, &views, known_at).expect("a statement");
    let columns = (0..views.len()).map(|at| {
        let (event, created) = (
            E::micros(&format!("\"view {at}__event_time\"")),
            E::micros(&format!("\"view {at}__created\"")),
        );
        format!("\"value {at}\", \"view {at}__status\", {event}, {created}")
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let rows =
        engine.run(tables, &format!("SELECT {columns} FROM ({sql}) AS answer ORDER BY \"row\""));
    (0..views.len())
        .map(|at| {
            let mut answers: Vec<Answer> =
                rows.iter().map(|row| answer(&row[at * 4..at * 4 + 4])).collect();
            let of_never = answers.pop().expect("the row that asks of no instant");
            assert_eq!((of_never.status, of_never.value), (RowStatus::NotFound, None));
            answers
        })
        .collect()
}

fn answer(cells: &[Option<String>]) -> Answer {
    let number = |at: usize| cells[at].as_ref().map(|text| text.parse::<i64>().expect("a number"));
    let status = match cells[1].as_deref() {
        Some("found") => RowStatus::Found,
        Some("not_found") => RowStatus::NotFound,
        Some("expired") => RowStatus::Expired,
        other => panic!("a status of {other:?}"),
    };
    let nanos = |at: usize| number(at).map(|micros| micros * 1_000);
    Answer { status, value: number(0), event_time: nanos(2), created: nanos(3) }
}

/// The statements that make both tables; rows without an event time and others' keys among them.
fn tables<E: Engine>(keys: &[KeyType], rows: &[Row], asks: &[Ask]) -> Vec<String> {
    let types = |prefix: &str| -> String {
        let column = |(at, key): (usize, &KeyType)| {
            let data_type = if *key == KeyType::Int { "BIGINT" } else { "VARCHAR" };
            format!("\"{prefix}{at}\" {data_type}, ")
        };
        keys.iter().enumerate().map(column).collect()
    };
    let time = |nanos: Option<i64>| {
        nanos.map_or_else(|| "NULL".to_owned(), |nanos| E::instant(nanos.div_euclid(1_000)))
    };
    let key = |parts: &[Part]| -> String {
        let part = |part: &Part| match part {
            Part::Null => "NULL, ".to_owned(),
            Part::Int(number) => format!("CAST('{number}' AS BIGINT), "),
            Part::Text(text) => format!("'{}', ", text.replace('\'', "''")),
        };
        parts.iter().map(part).collect()
    };
    let instant = E::INSTANT;
    let mut statements = vec![
        "DROP TABLE IF EXISTS \"rows; of\"".to_owned(),
        "DROP TABLE IF EXISTS \"who asks\"".to_owned(),
        format!(
            "CREATE TABLE \"rows; of\" ({}event {instant}, \"Known\" {instant}, place BIGINT, value BIGINT)",
            types("key\"\"")
        ),
        format!(
            "CREATE TABLE \"who asks\" ({}\"row\" BIGINT, \"time\" {instant})",
            types("asked ")
        ),
    ];
    let mut insert = |table: &str, rows: Vec<String>| {
        for some in rows.chunks(500) {
            statements.push(format!("INSERT INTO \"{table}\" VALUES {}", some.join(", ")));
        }
    };
    let row = |(place, row): (usize, &Row)| {
        let (event, known) = (time(Some(row.event_time)), time(row.created));
        let value = row.value.map_or_else(|| "NULL".to_owned(), |value| value.to_string());
        format!("({}{event}, {known}, {place}, {value})", key(&row.key))
    };
    let mut values: Vec<String> = rows.iter().enumerate().map(row).collect();
    // A row that nobody sees: it has no event time.
    let nulls: String = keys.iter().map(|_| "NULL, ").collect();
    values.push(format!("({nulls}NULL, NULL, NULL, 0)"));
    insert("rows; of", values);
    let ask =
        |(at, ask): (usize, &Ask)| format!("({}{at}, {})", key(&ask.key), time(Some(ask.time)));
    let mut values: Vec<String> = asks.iter().enumerate().map(ask).collect();
    // Who asks of no instant sees nothing, also of a key that has rows.
    let first = rows.first().map_or_else(|| nulls.clone(), |row| key(&row.key));
    values.push(format!("({first}{}, NULL)", asks.len()));
    insert("who asks", values);
    statements
}
