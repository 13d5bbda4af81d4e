//! `mlops runs history`: the points of one metric.

use mlops::tracking::{HistoryQuery, MetricPoint, Run};
use mlops::{Error, Key, Tracking};
use serde_json::json;

use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, right, table};

/// So many points fit a screen.
const SCREEN: usize = 40;

/// Which points, and in which form.
pub(crate) struct Asked {
    pub(crate) metric: String,
    pub(crate) max_points: Option<usize>,
    pub(crate) from_step: Option<i64>,
    pub(crate) to_step: Option<i64>,
    pub(crate) csv: bool,
}

pub(crate) async fn run(
    ws: &Tracking,
    run: &Run,
    asked: Asked,
    output: &mut Output,
) -> Result<(), Failure> {
    let key = Key::new(&asked.metric)?;
    if !run.metrics.contains_key(&key) {
        return Err(unknown(run, &key).into());
    }
    let for_people = !asked.csv && !output.is_json();
    let mut query = HistoryQuery::default();
    query.from_step = asked.from_step;
    query.to_step = asked.to_step;
    query.max_points = asked.max_points.or(for_people.then_some(SCREEN));
    let history = ws.metric_history(run.id, &key, &query).await?;
    if output.is_json() {
        let mut array = output.array()?;
        for point in history.iter() {
            array.push(&json!(point))?;
        }
        return array.end();
    }
    if asked.csv {
        output.line("step,time,value")?;
        for MetricPoint { step, time_micros, value } in history.iter() {
            let time = mlops::time::from_micros_lossy(time_micros);
            let time = time.format("%Y-%m-%dT%H:%M:%S%.6fZ");
            output.line(format_args!("{step},{time},{value:?}"))?;
        }
        return Ok(());
    }
    let mut shown = table(["step", "time", "value"]);
    for point in history.iter() {
        shown.add_row([
            point.step.to_string(),
            format::micros(point.time_micros),
            format::number(point.value),
        ]);
    }
    right(&mut shown, [0, 2]);
    output.table(shown)?;
    let all = run.metrics[&key].count;
    if (history.len() as u64) < all {
        let (shown, all) = (history.len(), format::count(all, "point"));
        output.note(&format!("{shown} of {all}; --max-points shows more, --csv all"), None)?;
    }
    Ok(())
}

fn unknown(run: &Run, key: &Key) -> Error {
    let error = Error::not_found(COMMAND, "the run has no metric of this name")
        .with("run", run.id)
        .with("metric", key);
    if run.metrics.is_empty() {
        return error.with_hint("it has no metrics yet");
    }
    let mut known: Vec<&str> = run.metrics.keys().take(10).map(Key::as_str).collect();
    if run.metrics.len() > known.len() {
        known.push("…");
    }
    error.with_hint(format!("it has {}", known.join(", ")))
}
