//! One case: a seed becomes a table, checks and encodings, and the engine is asked.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use mlops_core::Result;
use mlops_core::validation::{NanPolicy, Report, Suite};
use mlops_validate::{Inputs, Plan, Reference, RowFunction, row_function};
use serde_json::Value;

use crate::ask::{self, Ask, Asked, FUNCTION};
use crate::expect::{Expect, expect, rows_failed, timeless};
use crate::judge::Verdict;
use crate::rng::Rng;
use crate::table::Table;

/// How many failing rows are kept.
pub(crate) const SAMPLES: usize = 5;

/// A table and checks.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) table: Table,
    pub(crate) asked: Vec<Asked>,
    pub(crate) rng: Rng,
}

impl Case {
    pub(crate) fn new(seed: u64, rows: usize, checks: usize) -> Self {
        let rng = Rng::new(seed);
        let table = Table::random(rng.fork(1).next(), rows);
        // A few dozen rows give the literals; so fewer rows ask the same.
        let head = Table::random(rng.fork(1).next(), 30);
        let mut asking = rng.fork(2);
        let asked = (0..checks * 2).filter_map(|n| ask::random(&head, n, &mut asking));
        Self { table, asked: asked.take(checks).collect(), rng: rng.fork(3) }
    }

    pub(crate) fn suite(&self) -> Suite {
        let suite = Suite::new("oracle").unwrap();
        self.asked.iter().fold(suite, |suite, asked| suite.with(asked.check.clone()))
    }

    /// The plan for a schema; checks that this data can never pass are taken out first.
    pub(crate) fn plan(&self, schema: &SchemaRef) -> Result<Plan> {
        let suite = self.suite();
        let mut inputs = inputs();
        for parent in self.asked.iter().filter_map(|asked| asked.parent.as_ref()) {
            let (theirs, batches) = parent.batches();
            let known = Reference::read(&suite, schema, &parent.name, &theirs, &batches)?;
            inputs.references.insert(parent.name.clone(), known);
        }
        Plan::new(&suite, schema, &inputs)
    }

    /// Takes out ranges that the engine says no value can be in, after the oracle has agreed.
    pub(crate) fn without_empty_ranges(&mut self) -> std::result::Result<(), String> {
        let layouts = self.table.plain();
        let schema = self.table.schema(&layouts, &mut self.rng.fork(0));
        let paths = self.table.paths();
        let mut kept = Vec::new();
        for asked in std::mem::take(&mut self.asked) {
            let alone = Self {
                table: self.table.clone(),
                asked: vec![asked.clone()],
                rng: self.rng.clone(),
            };
            match alone.plan(&schema) {
                Ok(_) => kept.push(asked),
                Err(error) if error.to_string().contains("no value is in this range") => {
                    let Ask::Rows(ask) = &asked.ask else { unreachable!("a range is of rows") };
                    let passes =
                        |row: &usize| ask.judge(&paths, *row, NanPolicy::Fail) == Verdict::Passes;
                    let is_list = show(&asked).contains('[') || asked.is_of_list(&paths);
                    if let Some(row) = (0..self.table.rows).find(passes).filter(|_| !is_list) {
                        return Err(format!("{error}\nbut row {row} passes {}", show(&asked)));
                    }
                }
                Err(error) => return Err(format!("{error}\nof {}", show(&asked))),
            }
        }
        self.asked = kept;
        Ok(())
    }
}

fn show(asked: &Asked) -> String {
    serde_json::to_string(&asked.check).unwrap()
}

/// The inputs of all cases.
pub(crate) fn inputs() -> Inputs {
    let now = mlops_core::time::Instant::from_timestamp(1_700_000_000, 0).unwrap();
    let mut inputs = Inputs::new(now);
    inputs.samples = SAMPLES;
    inputs.functions.insert(FUNCTION.to_owned(), both());
    inputs
}

/// Not judged if the first column is null, fails if the second is.
fn both() -> Arc<dyn RowFunction> {
    row_function(|columns: &[ArrayRef], _options: &Value| {
        let null = |column: usize, row: usize| {
            columns[column].logical_nulls().is_some_and(|nulls| nulls.is_null(row))
        };
        let answer = |row: usize| (!null(0, row)).then(|| !null(1, row));
        Ok((0..columns[0].len()).map(answer).collect::<BooleanArray>())
    })
}

pub(crate) fn report(plan: &Plan, batches: &[RecordBatch]) -> Result<Report> {
    let mut state = plan.start();
    for batch in batches {
        state.update(batch)?;
    }
    state.report()
}

/// Runs a case and says what is wrong.
pub(crate) fn check_case(seed: u64, rows: usize, checks: usize) -> std::result::Result<(), String> {
    let mut case = Case::new(seed, rows, checks);
    case.without_empty_ranges()?;
    if case.asked.is_empty() {
        return Ok(());
    }
    let paths = case.table.paths();
    let expected: Vec<Expect> =
        case.asked.iter().map(|asked| expect(asked, &paths, case.table.rows)).collect();
    let mut rng = case.rng.clone();
    let mut first: Option<String> = None;
    for encoding in 0..3 {
        let layouts = match encoding {
            0 => case.table.plain(),
            _ => case.table.layouts(&mut rng),
        };
        let schema = case.table.schema(&layouts, &mut rng);
        let fault = |what: String| {
            format!("seed {seed}, {rows} rows, encoding {encoding}\n{schema}\n{what}")
        };
        let batches = case.table.batches(&schema, &layouts, &mut rng);
        let plan = case.plan(&schema).map_err(|error| fault(error.to_string()))?;
        let report = report(&plan, &batches).map_err(|error| fault(error.to_string()))?;
        for ((asked, expect), outcome) in case.asked.iter().zip(&expected).zip(&report.outcomes) {
            if let Some(difference) = expect.differs(outcome, SAMPLES) {
                let named: Vec<_> = asked.check.rule.columns();
                let values: Vec<String> = paths
                    .iter()
                    .filter(|column| rows <= 8 && named.contains(&column.name.as_str()))
                    .map(|column| format!("{}: {:?} {:?}", column.name, column.kind, column.values))
                    .collect();
                let values = values.join("\n");
                return Err(fault(format!("{}\n{difference}\n{values}", show(asked))));
            }
        }
        let pairs: Vec<(&Asked, &Expect)> = case.asked.iter().zip(&expected).collect();
        if report.rows != rows as u64
            || report.rows_failed.is_some_and(|failed| failed != rows_failed(&pairs))
        {
            let (of, failed) = (report.rows, report.rows_failed);
            return Err(fault(format!(
                "{failed:?} of {of} rows failed, not {}",
                rows_failed(&pairs)
            )));
        }
        let text = timeless(report);
        match &first {
            Some(first) if *first != text => {
                return Err(fault(difference(first, &text)));
            }
            _ => first = Some(text),
        }
    }
    Ok(())
}

/// The first line in which two texts differ.
pub(crate) fn difference(a: &str, b: &str) -> String {
    let pair = a.lines().zip(b.lines()).enumerate().find(|(_, (a, b))| a != b);
    match pair {
        Some((line, (left, right))) => {
            let check = a.lines().take(line).filter(|l| l.contains("\"check\"")).last();
            format!("of {check:?}: {left} became {right}")
        }
        None => "one report is longer".to_owned(),
    }
}
