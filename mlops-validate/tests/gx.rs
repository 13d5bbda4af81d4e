//! The published test definitions of Great Expectations, through our importer and our engine.
//!
//! Each case has a table, an expectation, and what Great Expectations makes of it: an error, or success
//! and the rows that fail. What we make of it must be the same, or stand in [`DIFFER`] with what we make
//! of it instead and why. See `gx/README.md` for where the cases come from.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod gx {
    pub(crate) mod differ;
    pub(crate) mod table;
}

use std::collections::BTreeMap;

use mlops_core::validation::{Report, Status};
use mlops_validate::suite::gx::{Imported, import};
use mlops_validate::{Inputs, Plan, Reference};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use gx::differ::DIFFER;
use gx::table;

#[derive(Deserialize)]
struct Group {
    expectation: String,
    datasets: Vec<Dataset>,
}

#[derive(Deserialize)]
struct Dataset {
    types: BTreeMap<String, String>,
    columns: Map<String, Value>,
    #[serde(default)]
    tables: BTreeMap<String, Map<String, Value>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    title: String,
    kwargs: Value,
    error: Option<String>,
    success: Option<bool>,
    unexpected: Option<u64>,
    rows: Option<Vec<u64>>,
}

/// What came of a case.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// The same.
    Agrees,
    /// The expectation was not taken over, for this reason.
    NotImported(String),
    /// Something else, in words.
    Differs(String),
}

fn groups() -> Vec<Group> {
    let files = [
        include_str!("gx/column_aggregate_expectations.json"),
        include_str!("gx/column_map_expectations.json"),
        include_str!("gx/column_pair_map_expectations.json"),
        include_str!("gx/multi_table_expectations.json"),
        include_str!("gx/multicolumn_map_expectations.json"),
        include_str!("gx/other_expectations.json"),
        include_str!("gx/query_expectations.json"),
    ];
    files.into_iter().flat_map(|text| serde_json::from_str::<Vec<Group>>(text).unwrap()).collect()
}

fn case(expectation: &str, dataset: &Dataset, case: &Case) -> Came {
    let suite = json!({
        "name": "case",
        "expectations": [{"type": expectation, "kwargs": case.kwargs}],
    });
    let imported = import(&suite.to_string()).unwrap();
    if let [refused] = imported.not_imported.as_slice() {
        return match case.error {
            Some(_) => Came::Agrees,
            None => Came::NotImported(refused.reason.clone()),
        };
    }
    match run(&imported, dataset) {
        Err(_) if case.error.is_some() => Came::Agrees,
        Err(error) => Came::Differs(format!("refused: {}", brief(&error))),
        Ok(report) => compared(&report, case),
    }
}

/// A message without its position and its values.
fn brief(message: &str) -> &str {
    let end = [" (", " at 1:"].iter().filter_map(|mark| message.find(mark)).min();
    &message[..end.unwrap_or(message.len())]
}

fn run(imported: &Imported, dataset: &Dataset) -> Result<Report, String> {
    let batch = table::of(&dataset.columns, &dataset.types)?;
    let mut inputs = Inputs::new("2026-01-01T00:00:00Z".parse().unwrap());
    inputs.samples = 1_000;
    for (name, columns) in &dataset.tables {
        let other = table::of(columns, &BTreeMap::new())?;
        let (data, schema) = (batch.schema(), other.schema());
        let reference = Reference::read(&imported.suite, &data, name, &schema, &[other])
            .map_err(|error| error.to_string())?;
        inputs.references.insert(name.clone(), reference);
    }
    Plan::new(&imported.suite, &batch.schema(), &inputs)
        .and_then(|plan| plan.validate(&batch))
        .map_err(|error| error.to_string())
}

fn compared(report: &Report, case: &Case) -> Came {
    let success = report.outcomes.iter().all(|outcome| outcome.status != Status::Failed);
    if case.error.is_some() {
        return Came::Differs(format!("no error: success is {success}"));
    }
    if case.success != Some(success) {
        return Came::Differs(format!("success is {success}"));
    }
    // Rows are comparable where the expectation has become one check.
    let [outcome] = report.outcomes.as_slice() else {
        return Came::Agrees;
    };
    if let Some(unexpected) = case.unexpected
        && unexpected != outcome.counts.failed
    {
        return Came::Differs(format!("{} rows fail", outcome.counts.failed));
    }
    if let Some(rows) = &case.rows {
        let found: Vec<u64> = outcome.samples.iter().filter_map(|sample| sample.row).collect();
        if *rows != found {
            return Came::Differs(format!("rows {found:?} fail"));
        }
    }
    Came::Agrees
}

#[test]
fn every_published_case_agrees_or_differs_in_a_way_that_is_written_down() {
    let mut differ = Vec::new();
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    let (mut cases, mut agree) = (0, 0);
    for group in groups() {
        for dataset in &group.datasets {
            for one in &dataset.cases {
                cases += 1;
                match case(&group.expectation, dataset, one) {
                    Came::Agrees => agree += 1,
                    Came::NotImported(reason) => {
                        *reasons.entry(reason).or_default() += 1;
                    }
                    Came::Differs(how) => {
                        differ.push((group.expectation.clone(), one.title.clone(), how));
                    }
                }
            }
        }
    }
    let expected: Vec<(String, String, String)> = DIFFER
        .iter()
        .flat_map(|(_, cases)| cases.iter())
        .map(|(name, title, how)| {
            (format!("expect_{name}"), (*title).to_owned(), (*how).to_owned())
        })
        .collect();
    let shown = |list: &[(String, String, String)]| {
        let mut lines: Vec<String> =
            list.iter().map(|(name, title, how)| format!("{name}: {title}: {how}")).collect();
        lines.sort();
        lines.join("\n")
    };
    assert_eq!(shown(&differ), shown(&expected));
    let not_imported: u32 = reasons.values().sum();
    let counts = (cases, agree, not_imported);
    assert_eq!(counts, gx::differ::COUNTS, "without a counterpart: {reasons:#?}");
}
