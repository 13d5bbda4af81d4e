//! What is refused, how names are quoted, and the text for Spark, which no test here can run.

use mlops_core::ErrorKind;
use mlops_core::features::Boundary;

use super::*;

fn asks() -> SqlAsks {
    SqlAsks { table: vec!["db".into(), "trips".into()], row: "id".into(), time: "at".into() }
}

fn view(name: &str) -> SqlView {
    SqlView {
        name: name.into(),
        table: vec!["stats".into()],
        keys: vec![("driver".into(), "driver_id".into())],
        event_time: "event_time".into(),
        created: Some("created".into()),
        place: Some("seq".into()),
        columns: vec![("rating".into(), format!("{name}.rating"))],
        visibility: Visibility { ttl: 500_000, boundary: Boundary::Strict },
    }
}

fn refused(change: impl FnOnce(&mut SqlAsks, &mut Vec<SqlView>), known_at: KnownAt) -> String {
    let (mut asks, mut views) = (asks(), vec![view("a")]);
    change(&mut asks, &mut views);
    let error = point_in_time_sql(Dialect::Postgres, &asks, &views, known_at).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[test]
fn what_is_no_name_is_refused() {
    let now = KnownAt::Now;
    refused(|asks, _| asks.row.clear(), now);
    refused(|asks, _| asks.table.clear(), now);
    refused(|_, views| views[0].event_time = "a\0b".into(), now);
    refused(|_, views| views[0].columns[0].0 = "a".repeat(64), now);
    refused(|_, views| views[0].name = "a".repeat(60), now);
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let message = refused(|_, views| views.push(view("A")), KnownAt::Now);
    assert!(message.contains("A.rating"), "{message}");
}

#[test]
fn a_column_of_the_name_of_one_that_asks_is_refused() {
    for name in ["id", "AT", "driver"] {
        let message = refused(|_, views| views[0].columns[0].1 = name.into(), KnownAt::Now);
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn what_was_known_is_not_asked_of_a_view_that_does_not_say() {
    let message = refused(|_, views| views[0].created = None, KnownAt::EventTime);
    assert!(message.contains("view: a"), "{message}");
}

#[test]
fn a_name_is_only_ever_a_name() {
    let evil = r#"x"; DROP TABLE t; --`"#;
    let mut view = view("a");
    view.event_time = evil.into();
    for (dialect, quoted) in [
        (Dialect::DuckDb, r#""x""; DROP TABLE t; --`""#),
        (Dialect::Postgres, r#""x""; DROP TABLE t; --`""#),
        (Dialect::Spark, r#"`x"; DROP TABLE t; --```"#),
    ] {
        let views = [view.clone()];
        let sql = point_in_time_sql(dialect, &asks(), &views, KnownAt::Now).unwrap();
        assert!(sql.contains(quoted), "{sql}");
        assert!(!sql.replace(quoted, "").contains("DROP"), "{sql}");
    }
}

#[test]
fn without_views_the_rows_come_back() {
    let sql = point_in_time_sql(Dialect::Spark, &asks(), &[], KnownAt::Now).unwrap();
    assert_eq!(sql, "SELECT a.*\nFROM `db`.`trips` AS a\nORDER BY a.`id`");
}

#[test]
fn the_text_for_spark() {
    let sql = point_in_time_sql(Dialect::Spark, &asks(), &[view("a")], KnownAt::EventTime).unwrap();
    assert_eq!(sql, include_str!("spark.sql").trim());
}
