//! A report of thirty checks, as a real table gives it, with a few hostile values.

use mlops_core::Key;
use mlops_core::tracking::Digest;
use mlops_core::validation::{
    Basis, Counts, Evidence, OnEmpty, Outcome, ReadBytes, Report, Sample, Severity, Status,
};
use serde_json::{Value, json};

pub(super) const ROWS: u64 = 336_776;

/// An outcome of a rule about rows.
pub(super) fn rows(check: &str, columns: &[&str], failed: u64, expected: &str) -> Outcome {
    Outcome {
        check: check.into(),
        rule: check.split('(').next().unwrap_or_default().into(),
        columns: columns.iter().map(ToString::to_string).collect(),
        severity: Severity::Error,
        status: if failed > 0 { Status::Failed } else { Status::Passed },
        counts: Counts { judged: ROWS, failed, skipped: 0, filtered: 0 },
        expected: expected.into(),
        observed: None,
        detail: None,
        samples: Vec::new(),
        evidence: Evidence::default(),
        nanos: 1_840_000,
        description: None,
    }
}

/// An outcome of a rule about a number.
pub(super) fn number(
    check: &str,
    column: &str,
    holds: bool,
    expected: &str,
    found: Value,
) -> Outcome {
    let columns = [column];
    let columns = if column.is_empty() { &[][..] } else { &columns };
    let mut outcome = rows(check, columns, 0, expected);
    outcome.status = if holds { Status::Passed } else { Status::Failed };
    outcome.observed = Some(found);
    outcome
}

pub(super) fn sample(row: u64, values: &[Option<&str>]) -> Sample {
    let values = values.iter().map(|value| value.map(str::to_owned)).collect();
    Sample { row: Some(row), values, count: None }
}

fn key(count: u64, values: &[&str]) -> Sample {
    let values = values.iter().map(|value| Some((*value).to_owned())).collect();
    Sample { row: None, values, count: Some(count) }
}

/// A report of these outcomes.
pub(super) fn report(outcomes: Vec<Outcome>) -> Report {
    Report {
        suite: Key::new("flights").unwrap(),
        suite_version: 3,
        suite_digest: Digest([0x5a; 32]),
        verdict: Report::verdict_of(&outcomes, OnEmpty::Warn),
        data: Some("data/nycflights13/flights.parquet".into()),
        data_digest: Some(Key::new("blake3:9f8d2c").unwrap()),
        rows: ROWS,
        rows_failed: Some(0),
        at: "2026-11-22T13:19:31Z".parse().unwrap(),
        nanos: 412_345_678,
        bytes: None,
        on_empty: OnEmpty::Warn,
        outcomes,
        metrics: [("rows()".to_owned(), ROWS as f64)].into(),
        library: "0.1.0".into(),
    }
}

#[allow(clippy::too_many_lines, reason = "thirty outcomes")]
pub(super) fn realistic() -> Report {
    let statistics = Evidence { basis: Basis::Statistics, rows_by_statistics: ROWS };
    let mixed = Evidence { basis: Basis::StatisticsAndValues, rows_by_statistics: 294_912 };
    let schema = Evidence { basis: Basis::Schema, rows_by_statistics: 0 };
    let quick = |mut outcome: Outcome, evidence| {
        outcome.evidence = evidence;
        outcome.nanos = 0;
        outcome
    };
    let with = |mut outcome: Outcome, change: &dyn Fn(&mut Outcome)| {
        change(&mut outcome);
        outcome
    };
    let pattern = r"^(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}$";
    let mut outcomes = vec![
        quick(
            number("row_count", "", true, "between 300,000 and 400,000 rows", json!(ROWS)),
            statistics,
        ),
        quick(
            rows("source", &[], 0, "1 file or more, at most 1 day old"),
            Evidence { basis: Basis::Source, rows_by_statistics: 0 },
        ),
        quick(rows("schema", &["year", "month", "day"], 0, "at least these 19 columns"), schema),
        quick(rows("not_null(year)", &["year"], 0, "no nulls"), statistics),
        quick(rows("range(year)", &["year"], 0, "between 2013 and 2013"), statistics),
        quick(rows("range(month)", &["month"], 0, "between 1 and 12"), statistics),
        quick(rows("range(day)", &["day"], 0, "between 1 and 31"), statistics),
        with(
            rows("not_null(dep_delay)", &["dep_delay", "tailnum", "dest"], 8_255, "no nulls"),
            &|o| {
                o.description = Some("Every flight that left has a delay. Cancelled flights belong in another table.".into());
                o.evidence = mixed;
                o.samples = vec![
                    sample(838, &[None, Some("N18120"), Some("RDU")]),
                    sample(839, &[None, Some("N3EHAA"), Some("DFW")]),
                    sample(1_077, &[None, None, Some("MIA")]),
                ];
            },
        ),
        with(
            rows("matches(contact)", &["contact"], 23, &format!("text that matches {pattern}")),
            &|o| {
                o.counts.skipped = 9_430;
                o.counts.judged = ROWS - 9_430;
                o.samples = vec![
                    sample(17, &[Some("<script>alert(document.cookie)</script>")]),
                    sample(5_012, &[Some("invoice\u{202e}gpj.exe@example.com")]),
                    sample(77_001, &[Some("")]),
                    sample(80_412, &[Some(" first.last@example.com\n")]),
                    sample(336_775, &[Some(&"a very long value without an end ".repeat(50))]),
                ];
            },
        ),
        with(
            rows("foreign_key(tailnum in planes)", &["tailnum"], 50_094, "every key is in planes"),
            &|o| {
                o.detail = Some("721 distinct keys are orphans, in 50,094 rows".into());
                o.counts.skipped = 2_512;
                o.counts.judged = ROWS - 2_512;
                o.samples =
                    vec![key(575, &["N725MQ"]), key(486, &["N723MQ"]), key(483, &["N722MQ"])];
                o.nanos = 21_400_000;
            },
        ),
        with(
            number(
                "mean(arr_delay)",
                "arr_delay",
                false,
                "between -5 and 5",
                json!(6.895_376_757_147_589),
            ),
            &|o| {
                o.detail = Some("1.895 above the greatest value".into());
            },
        ),
        with(
            rows("foreign_key(dest in airports)", &["dest"], 7_602, "every key is in airports"),
            &|o| {
                o.severity = Severity::Warn;
                o.detail = Some("4 distinct keys are orphans, in 7,602 rows".into());
                o.samples = vec![
                    key(5_819, &["SJU"]),
                    key(896, &["BQN"]),
                    key(522, &["STT"]),
                    key(365, &["PSE"]),
                ];
            },
        ),
        with(
            rows(
                "wide",
                &[
                    "carrier",
                    "flight",
                    "tailnum",
                    "origin",
                    "dest",
                    "air_time",
                    "distance",
                    "hour",
                    "minute",
                    "time_hour",
                ],
                1,
                "distance / air_time between 2 and 12 miles a minute",
            ),
            &|o| {
                o.severity = Severity::Warn;
                o.counts.judged = 327_346;
                o.counts.filtered = 9_430;
                o.samples = vec![sample(
                    216_447,
                    &[
                        Some("DL"),
                        Some("1499"),
                        Some("N666DN"),
                        Some("LGA"),
                        Some("ATL"),
                        Some("65"),
                        Some("762"),
                        Some("17"),
                        Some("0"),
                        Some("2013-05-25T17:00:00-04:00"),
                    ],
                )];
            },
        ),
        with(rows("anomaly(rows())", &[], 0, "what 8 earlier runs lead to expect"), &|o| {
            o.status = Status::Vacuous;
            o.severity = Severity::Warn;
            o.counts = Counts::default();
            o.detail = Some("3 earlier runs; 8 are needed".into());
        }),
    ];
    for (column, expected) in [
        ("hour", "between 0 and 23"),
        ("minute", "between 0 and 59"),
        ("distance", "between 17 and 5,000"),
        ("flight", "between 1 and 9,999"),
        ("sched_dep_time", "between 0 and 2,359"),
    ] {
        outcomes.push(quick(
            rows(&format!("not_null({column})"), &[column], 0, "no nulls"),
            statistics,
        ));
        outcomes.push(quick(rows(&format!("range({column})"), &[column], 0, expected), statistics));
    }
    for column in ["carrier", "origin", "dest"] {
        outcomes.push(rows(&format!("not_null({column})"), &[column], 0, "no nulls"));
        outcomes.push(rows(&format!("length({column})"), &[column], 0, "2 or 3 characters"));
    }
    let mut report = report(outcomes);
    report.rows_failed = Some(57_931);
    report.bytes = Some(ReadBytes {
        total: 7_421_893,
        read: 1_842_113,
        not_needed: 2_211_460,
        decided_by_statistics: 3_368_320,
    });
    report.metrics.insert("mean(arr_delay)".into(), 6.895_376_757_147_589);
    report
}
