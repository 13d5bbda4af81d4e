//! Is the data fit to train on? Two suites say so before anything is trained.

use std::path::Path;

use mlops::Key;
use mlops::time::{Clock, SystemClock};
use mlops::validate::Engine;
use mlops::validate::suite::Template;
use mlops::validation::{Data, Outcome, Report, Suite, Validation, Validator};

use super::data::Result;

/// Where the suites lie.
const SUITES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/suites");

/// Validates the flights against planes, airports and airlines, and the weather; prints what was found.
pub async fn validate(data: &Path) -> Result<Report> {
    let engine = Engine::default();
    let file = |table: &str| Data::files([data.join(table).display().to_string()]);

    let weather = Validation::new(file("weather.parquet"), SystemClock.now());
    let weather = engine.validate(&suite("weather")?, weather).await?;
    assert!(outcome(&weather, "unique(origin, time_hour)")?.counts.failed == 0);
    assert!(weather.passed());

    let digest = blake3::hash(&std::fs::read(data.join("flights.parquet"))?);
    let mut flights = Validation::new(file("flights.parquet"), SystemClock.now())
        .with_name("nycflights13/flights")
        .with_reference("planes", file("planes.parquet"))
        .with_reference("airports", file("airports.parquet"))
        .with_reference("airlines", file("airlines.parquet"));
    flights.digest = Some(Key::new(format!("blake3:{digest}"))?);
    let report = engine.validate(&suite("flights")?, flights).await?;
    print(&report)?;
    Ok(report)
}

fn suite(name: &str) -> Result<Suite> {
    let path = Path::new(SUITES).join(format!("{name}.yaml"));
    let template = Template::parse(&std::fs::read_to_string(&path)?, &path.display().to_string())?;
    Ok(template.bind(&[].into())?)
}

fn outcome<'a>(report: &'a Report, check: &str) -> Result<&'a Outcome> {
    Ok(report.outcome(check).ok_or_else(|| format!("no check {check}"))?)
}

/// The facts that the report must state, to the row.
fn print(report: &Report) -> Result<()> {
    let failed =
        |check: &str| Ok::<_, mlops::Error>(report.outcome(check).map(|o| o.counts.failed));
    println!("{} rows, {}:", report.rows, report.verdict.as_str());
    for (what, check, rows) in [
        ("without dep_delay", "not_null(dep_delay)", 8_255),
        ("without arr_delay", "not_null(arr_delay)", 9_430),
        ("without tailnum", "not_null(tailnum)", 2_512),
        ("whose tailnum is no plane", "foreign_key(tailnum in planes)", 50_094),
        ("whose dest is no airport", "foreign_key(dest in airports)", 7_602),
        ("twice in the data", "unique(time_hour, carrier, flight)", 0),
    ] {
        println!("  {rows:>7} {what}");
        assert_eq!(failed(check)?, Some(rows), "{check}");
    }
    assert_eq!(report.rows, 336_776);
    for (check, expected) in [
        ("foreign_key(tailnum in planes)", "721 distinct keys"),
        ("foreign_key(dest in airports)", "4 distinct keys"),
    ] {
        let detail = outcome(report, check)?.detail.clone().unwrap_or_default();
        println!("  {check}: {detail}");
        assert!(detail.starts_with(expected), "{detail}");
    }
    assert!(report.passed());
    Ok(())
}
