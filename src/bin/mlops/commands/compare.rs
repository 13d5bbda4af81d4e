//! `mlops runs compare`: the library's comparison, ordered for people.

use std::collections::HashMap;

use mlops::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use mlops::tracking::Run;
use mlops::{Error, ErrorKind, RunId, Tracking};
use serde_json::{Value, json};

use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, right, table};

const LONGEST_KEY: usize = 32;
const LONGEST_VALUE: usize = 24;
/// The columns before those of the runs.
const LEADING: usize = 4;

pub(crate) async fn run(
    ws: &Tracking,
    runs: &[Run],
    only_different: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    let batch = ws.compare(&ids).await?;
    let mut rows = rows(&batch)?;
    if only_different {
        rows.retain(|row| row.differs);
    }
    if output.is_json() {
        let rows: Vec<Value> = rows.iter().map(Row::document).collect();
        return output.document(&json!({ "runs": ids, "rows": rows }));
    }
    let rows = for_people(rows);
    let mut header = vec!["field".to_owned()];
    for (id, run) in format::short_ids(&ids).into_iter().zip(runs) {
        header.push(format!("{id}\n{}", format::text(&run.name, LONGEST_VALUE)));
    }
    header.push(if ids.len() == 2 { "difference" } else { "spread" }.to_owned());
    let mut shown = table(header);
    for row in &rows {
        shown.add_row(row.cells());
    }
    let differ = rows.iter().filter(|row| row.differs).count() as u64;
    right(&mut shown, [ids.len() + 1]);
    output.table(shown)?;
    let verb = if differ == 1 { "differs" } else { "differ" };
    output.note(&format!("{} {verb}", format::count(differ, "field")), None)
}

/// The rows in the order in which people read them: what was decided, then what came of it; of each,
/// what differs first. Left out are names, which stand above, and the smallest and greatest value of
/// a metric where these are the last one in every run.
fn for_people(rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    let last: HashMap<&str, Vec<Option<&str>>> = rows
        .iter()
        .filter(|row| row.aggregate == Some("last"))
        .map(|row| (row.key, row.values.clone()))
        .collect();
    let says_more = |row: &Row<'_>| match (row.kind, row.aggregate) {
        ("attribute", _) => row.key != "name",
        ("metric", Some("min" | "max")) => last.get(row.key) != Some(&row.values),
        _ => true,
    };
    let mut rows: Vec<Row<'_>> = rows.into_iter().filter(says_more).collect();
    rows.sort_by_key(|row| (row.rank(), !row.differs));
    rows
}

/// One row of the comparison.
struct Row<'a> {
    kind: &'a str,
    key: &'a str,
    aggregate: Option<&'a str>,
    differs: bool,
    values: Vec<Option<&'a str>>,
}

fn rows(batch: &RecordBatch) -> Result<Vec<Row<'_>>, Error> {
    let unexpected = || Error::new(ErrorKind::Internal, COMMAND, "unexpected columns");
    let texts: Vec<Option<&StringArray>> =
        batch.columns().iter().map(|column| column.as_string_opt::<i32>()).collect();
    let [Some(kinds), Some(keys), Some(aggregates), None, runs @ ..] = &texts[..] else {
        return Err(unexpected());
    };
    let differs = batch.column(LEADING - 1).as_boolean_opt().ok_or_else(unexpected)?;
    let runs: Vec<&StringArray> =
        runs.iter().copied().collect::<Option<_>>().ok_or_else(unexpected)?;
    Ok((0..batch.num_rows())
        .map(|row| Row {
            kind: kinds.value(row),
            key: keys.value(row),
            aggregate: value(aggregates, row),
            differs: differs.value(row),
            values: runs.iter().map(|run| value(run, row)).collect(),
        })
        .collect())
}

fn value(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

impl Row<'_> {
    fn rank(&self) -> usize {
        let order = ["param", "metric", "dataset", "tag", "attribute"];
        order.iter().position(|kind| *kind == self.kind).unwrap_or(order.len())
    }

    fn document(&self) -> Value {
        json!({
            "kind": self.kind,
            "key": self.key,
            "aggregate": self.aggregate,
            "differs": self.differs,
            "values": self.values,
        })
    }

    fn cells(&self) -> Vec<String> {
        let key = format::text(self.key, LONGEST_KEY);
        let field = match (self.kind, self.aggregate) {
            ("attribute", _) => key,
            ("metric", Some("last") | None) => format!("metrics.{key}"),
            ("metric", Some(aggregate)) => format!("{aggregate}(metrics.{key})"),
            (kind, _) => format!("{kind}s.{key}"),
        };
        let numbers = self.numbers();
        let mut cells = vec![field];
        for (value, number) in self.values.iter().zip(&numbers) {
            cells.push(match (value, number) {
                (_, Some(number)) => format::number(*number),
                (Some(value), None) if self.is_instant() => instant(value),
                (Some(value), None) => format::text(value, LONGEST_VALUE),
                (None, None) => "-".to_owned(),
            });
        }
        cells.push(self.difference(&numbers).unwrap_or_default());
        cells
    }

    fn is_instant(&self) -> bool {
        self.kind == "attribute" && matches!(self.key, "started" | "ended")
    }

    /// The values as numbers, where they are.
    fn numbers(&self) -> Vec<Option<f64>> {
        let number = self.kind == "metric" || (self.kind == "attribute" && self.key == "duration");
        self.values.iter().map(|v| v.filter(|_| number).and_then(|v| v.parse().ok())).collect()
    }

    /// Of two the second minus the first, of more the greatest minus the smallest.
    fn difference(&self, numbers: &[Option<f64>]) -> Option<String> {
        if !self.differs {
            return None;
        }
        let known: Vec<f64> = numbers.iter().flatten().copied().collect();
        if let [Some(first), Some(second)] = numbers {
            let sign = if second > first { "+" } else { "" };
            return Some(format!("{sign}{}", format::number(second - first)));
        }
        let spread = known.iter().copied().fold(f64::NAN, f64::max)
            - known.iter().copied().fold(f64::NAN, f64::min);
        (known.len() > 1).then(|| format::number(spread))
    }
}

/// `2025-01-01 12:00:00` of `2025-01-01T12:00:00.000000Z`.
fn instant(text: &str) -> String {
    text.split('.').next().unwrap_or(text).replace('T', " ")
}
