//! Several runs side by side, field by field.
//!
//! The answer is one Arrow batch, so that a notebook, a report and the command line draw the same
//! thing. All values are text: a row holds the same field of each run, params are text, and a column
//! of a batch has one type. Numbers are written so that they parse back to the same number; NaN and
//! ±∞ are `NaN`, `Infinity` and `-Infinity`, as in JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mlops_core::arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use mlops_core::arrow::datatypes::{DataType, Field, Schema};
use mlops_core::time::Instant;
use mlops_core::tracking::Run;
use mlops_core::{Error, ErrorKind, Result, RunId};

use crate::tracking::Tracking;

const OPERATION: &str = "tracking.compare";

/// One field of every run that has it: its kind, its key, which aggregate of a metric it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    kind: Kind,
    key: String,
    aggregate: Option<Aggregate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Attribute,
    Param,
    Metric,
    Tag,
    Dataset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Aggregate {
    Last,
    Min,
    Max,
}

impl Tracking {
    /// The fields of several runs, a row each.
    ///
    /// # Input       at least two runs, none twice; those in the trash count too
    /// # Output      these columns, in this order; no row twice, ordered by kind, key and aggregate:
    ///
    /// | column | type | what |
    /// |---|---|---|
    /// | `kind` | `Utf8` | `attribute`, `param`, `metric`, `tag` or `dataset`, in this order |
    /// | `key` | `Utf8` | the attribute, param, metric or tag; of a dataset `context/name` |
    /// | `aggregate` | `Utf8`, nullable | of a metric `last`, `min` and `max`, a row each; else null |
    /// | `differs` | `Boolean` | whether not all runs have it, or not all the same value |
    /// | *id of the run* | `Utf8`, nullable | a column for each run, in the order given; null: it has none |
    ///
    /// # Units       instants are RFC 3339 in UTC, `duration` is in seconds
    /// # NaN         equal to NaN here: two runs that both diverged do not differ
    /// # Errors      `Invalid` for fewer than two runs or one twice; `NotFound` if one does not exist
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use mlops_core::arrow::array::AsArray;
    /// use mlops_registry::Tracking;
    ///
    /// let tracking = Tracking::in_memory()?;
    /// let slow = tracking.run("churn")?.without_capture().param("lr", 0.1)?.start().await?;
    /// let fast = tracking.run("churn")?.without_capture().param("lr", 0.5)?.start().await?;
    ///
    /// let table = tracking.compare(&[slow.id(), fast.id()]).await?;
    /// let keys = table.column_by_name("key").unwrap().as_string::<i32>();
    /// let lr = keys.iter().position(|key| key == Some("lr")).unwrap();
    /// assert!(table.column_by_name("differs").unwrap().as_boolean().value(lr));
    /// let of_fast = table.column_by_name(&fast.id().to_string()).unwrap();
    /// assert_eq!(of_fast.as_string::<i32>().value(lr), "0.5");
    /// # Ok::<_, mlops_core::Error>(()) }).unwrap();
    /// ```
    pub async fn compare(&self, runs: &[RunId]) -> Result<RecordBatch> {
        if runs.len() < 2 {
            return Err(Error::invalid(OPERATION, "there is nothing to compare with")
                .with("runs", runs.len())
                .with_hint("give at least two runs"));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = runs.iter().find(|run| !seen.insert(**run)) {
            return Err(Error::invalid(OPERATION, "a run is named twice").with("run", twice));
        }
        let mut rows: BTreeMap<Row, Vec<Option<String>>> = BTreeMap::new();
        for (at, run) in runs.iter().enumerate() {
            let run = self.tracker().run(*run).await?;
            for (row, value) in fields(&run) {
                rows.entry(row).or_insert_with(|| vec![None; runs.len()])[at] = Some(value);
            }
        }
        batch(runs, &rows)
    }
}

/// Everything of a run that can be compared.
fn fields(run: &Run) -> Vec<(Row, String)> {
    let row = |kind, key: &str, aggregate| Row { kind, key: key.to_owned(), aggregate };
    let mut found = Vec::new();
    let mut attribute = |key, value: Option<String>| {
        found.extend(value.map(|value| (row(Kind::Attribute, key, None), value)));
    };
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    attribute("duration", run.duration_secs().map(number));
    attribute("ended", run.ended.map(instant));
    attribute("experiment", Some(run.experiment.to_string()));
    attribute("name", Some(run.name.to_string()));
    attribute("note", given(&run.note));
    attribute("parent", run.parent.map(|parent| parent.to_string()));
    attribute("started", Some(instant(run.started)));
    attribute("status", Some(run.status.to_string()));
    attribute("user", given(&run.user));
    for (key, value) in &run.params {
        found.push((row(Kind::Param, key, None), value.clone()));
    }
    for (key, summary) in &run.metrics {
        for (aggregate, value) in [
            (Aggregate::Last, summary.last),
            (Aggregate::Min, summary.min),
            (Aggregate::Max, summary.max),
        ] {
            found.push((row(Kind::Metric, key, Some(aggregate)), number(value)));
        }
    }
    for (key, value) in &run.tags {
        found.push((row(Kind::Tag, key, None), value.clone()));
    }
    let mut datasets: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for input in &run.inputs {
        let key = format!("{}/{}", input.context.as_str(), input.name);
        datasets.entry(key).or_default().push(&input.digest);
    }
    for (key, mut digests) in datasets {
        digests.sort_unstable();
        found.push((row(Kind::Dataset, &key, None), digests.join(", ")));
    }
    found
}

fn batch(runs: &[RunId], rows: &BTreeMap<Row, Vec<Option<String>>>) -> Result<RecordBatch> {
    let differs = rows.values().map(|values| Some(values.iter().any(|value| *value != values[0])));
    let mut fields = vec![
        Field::new("kind", DataType::Utf8, false),
        Field::new("key", DataType::Utf8, false),
        Field::new("aggregate", DataType::Utf8, true),
        Field::new("differs", DataType::Boolean, false),
    ];
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.keys().map(|row| row.kind.as_str()))),
        Arc::new(StringArray::from_iter_values(rows.keys().map(|row| row.key.as_str()))),
        Arc::new(
            rows.keys().map(|row| row.aggregate.map(Aggregate::as_str)).collect::<StringArray>(),
        ),
        Arc::new(differs.collect::<BooleanArray>()),
    ];
    for (at, run) in runs.iter().enumerate() {
        fields.push(Field::new(run.to_string(), DataType::Utf8, true));
        let values = rows.values().map(|values| values[at].as_deref());
        columns.push(Arc::new(values.collect::<StringArray>()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|e| {
        Error::new(ErrorKind::Internal, OPERATION, "the columns do not fit").with_source(e)
    })
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Attribute => "attribute",
            Self::Param => "param",
            Self::Metric => "metric",
            Self::Tag => "tag",
            Self::Dataset => "dataset",
        }
    }
}

impl Aggregate {
    fn as_str(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

/// The shortest text that parses back to the same number.
fn number(value: f64) -> String {
    match value {
        v if v.is_nan() => "NaN".to_owned(),
        v if v.is_infinite() => if v > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        v if v == 0.0 || (1e-5..1e16).contains(&v.abs()) => v.to_string(),
        v => format!("{v:e}"),
    }
}

fn instant(at: Instant) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use mlops_core::arrow::array::{Array, AsArray};

    use super::*;
    use crate::ActiveRun;

    async fn run(tracking: &Tracking, lr: f64, losses: &[f64]) -> ActiveRun {
        let builder = tracking.run("e").unwrap().without_capture().param("lr", lr).unwrap();
        let run = builder.tag("team", "x").unwrap().start().await.unwrap();
        for (step, loss) in losses.iter().enumerate() {
            run.log_metric("loss", *loss, step as i64).unwrap();
        }
        run.finish().await.unwrap();
        run
    }

    fn value(
        table: &RecordBatch,
        find: (&str, &str, Option<&str>),
        column: &str,
    ) -> Option<String> {
        let text = |name: &str, row: usize| {
            let array = table.column_by_name(name).unwrap().as_string::<i32>();
            array.is_valid(row).then(|| array.value(row).to_owned())
        };
        let row = (0..table.num_rows()).find(|row| {
            text("kind", *row).as_deref() == Some(find.0)
                && text("key", *row).as_deref() == Some(find.1)
                && text("aggregate", *row).as_deref() == find.2
        })?;
        match column {
            "differs" => Some(table["differs"].as_boolean().value(row).to_string()),
            column => text(column, row),
        }
    }

    #[test]
    fn a_row_says_what_each_run_has_and_whether_they_differ() {
        block_on(async {
            let tracking = Tracking::in_memory().unwrap();
            let a = run(&tracking, 0.1, &[2.0, 0.5, 1.0]).await;
            let b = run(&tracking, 0.2, &[2.0, 3.0, f64::NAN]).await;
            let c = run(&tracking, 0.1, &[]).await;
            let table = tracking.compare(&[a.id(), b.id(), c.id()]).await.unwrap();
            let ids = [a.id().to_string(), b.id().to_string(), c.id().to_string()];
            let of = |find: (&str, &str, Option<&str>)| {
                let mut values = ids.iter().map(|id| value(&table, find, id)).collect::<Vec<_>>();
                values.push(value(&table, find, "differs"));
                values.into_iter().map(|v| v.unwrap_or("-".into())).collect::<Vec<_>>().join(" ")
            };
            assert_eq!(of(("param", "lr", None)), "0.1 0.2 0.1 true");
            assert_eq!(of(("tag", "team", None)), "x x x false");
            assert_eq!(of(("metric", "loss", Some("last"))), "1 NaN - true");
            assert_eq!(of(("metric", "loss", Some("min"))), "0.5 2 - true");
            assert_eq!(of(("attribute", "status", None)), "finished finished finished false");
        });
    }

    #[test]
    fn two_runs_that_both_diverged_do_not_differ_in_that() {
        block_on(async {
            let tracking = Tracking::in_memory().unwrap();
            let a = run(&tracking, 0.1, &[f64::NAN]).await;
            let b = run(&tracking, 0.1, &[f64::NAN]).await;
            let table = tracking.compare(&[a.id(), b.id()]).await.unwrap();
            let differs = value(&table, ("metric", "loss", Some("last")), "differs");
            assert_eq!(differs.as_deref(), Some("false"));
        });
    }

    #[test]
    fn one_run_or_a_run_twice_is_refused() {
        block_on(async {
            let tracking = Tracking::in_memory().unwrap();
            let a = run(&tracking, 0.1, &[]).await;
            for runs in [&[a.id()][..], &[a.id(), a.id()]] {
                let error = tracking.compare(runs).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            }
        });
    }

    #[test]
    fn numbers_parse_back_to_themselves() {
        for value in [0.1, -0.0, 1e-300, 5e-324, 1.5e300, 123_456_789.0, f64::MAX, 0.1 + 0.2] {
            assert_eq!(number(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
