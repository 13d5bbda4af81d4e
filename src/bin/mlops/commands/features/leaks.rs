//! `mlops features leaks`: whether a training set knows what was not known in time.

use mlops::feature_store::trust::LeakOptions;
use mlops::features::{EntityRows, Span};
use mlops::registry::Role;
use mlops::{Error, ErrorKind};
use serde_json::json;

use super::read::rows_that_ask;
use super::{Opened, span_micros};
use crate::args::Leaks;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::Output;

pub(super) async fn run(
    opened: &Opened,
    asked: &Leaks,
    output: &mut Output,
) -> Result<(), Failure> {
    let features = opened.features(Role::Viewer).await?;
    let shape = features.shape(&asked.service).await?;
    let rows = EntityRows::new(rows_that_ask(&asked.rows, &shape, &asked.at)?).at(&asked.at);
    let mut options = LeakOptions::default().examples(asked.examples);
    if let Some(delay) = asked.delay {
        options = options.delay(Span::from_micros(span_micros(delay))?);
    }
    let report = features.leaks(&asked.service, &rows, &options).await?;
    if output.is_json() {
        let mut document = json!(report);
        document["clean"] = report.is_clean().into();
        output.document(&document)?;
    } else {
        output.line(format::paragraph(report.to_string().trim_end()))?;
    }
    if report.is_clean() || !asked.refuse {
        return Ok(());
    }
    output.flush()?;
    Err(Error::new(ErrorKind::Denied, COMMAND, "refused: the set knows what was not known in time")
        .with("service", &report.service)
        .with_hint("`mlops features historical --known-at event-time` leaves it out")
        .into())
}
