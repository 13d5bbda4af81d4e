//! `mlops features historical`: a training set, with the receipt of how it was made.

use std::path::Path;

use mlops::feature_store::files::write_parquet;
use mlops::features::{EntityRows, FeatureStore, Historical as How, Receipt, TrainingSet};
use mlops::registry::Role;
use mlops::{Error, Result};
use serde_json::json;

use super::read::rows_that_ask;
use super::{Opened, range};
use crate::args::Historical;
use crate::commands::models::{self, read_as};
use crate::commands::places::Places;
use crate::commands::write;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::Output;
use crate::progress::Bar;
use crate::resolve::{self, LIVE_FIRST};

pub(super) async fn run(
    opened: &Opened,
    asked: &Historical,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    check_places(asked)?;
    let then: Option<Receipt> = match &asked.as_in {
        Some(file) => Some(read_as(file, receipt_of)?),
        None => None,
    };
    // The run is looked for before the work, for which nobody waits twice.
    let run = match &asked.run {
        Some(run) => {
            let models = models::acting(&opened.ws).await?;
            let run = resolve::run(models.tracking(), run, LIVE_FIRST).await?.id;
            Some((models, run))
        }
        None => None,
    };
    let set = make(opened, asked, then).await?;
    write_parquet(&asked.out, &set.batch)?;
    if let Some(file) = &asked.receipt {
        write(file, &format!("{:#}\n", json!(set.receipt)))?;
    }
    if let Some((models, run)) = &run {
        mlops::log_training_set(models.tracking(), *run, &set, asked.context.clone().into())
            .await?;
    }
    say(asked, &set, output)
}

async fn make(opened: &Opened, asked: &Historical, then: Option<Receipt>) -> Result<TrainingSet> {
    let mut how = How::default().known_at(asked.known_at).threads(asked.threads);
    how.statuses = asked.statuses;
    how.bucket = asked.bucket;
    how.receipt = then;
    let bar = Bar::rows("joining");
    how.progress = bar.watcher();
    if let (Some(from), Some(until)) = (asked.from, asked.until) {
        range(from, until)?;
        return opened.features(Role::Viewer).await?.range(&asked.service, from, until, how).await;
    }
    let Some(file) = &asked.rows else {
        // clap has seen to it that this is not reached.
        return Err(Error::invalid(COMMAND, "no rows were named"));
    };
    let shape = opened.features(Role::Viewer).await?.shape(&asked.service).await?;
    let rows = EntityRows::new(rows_that_ask(file, &shape, &asked.at)?).at(&asked.at);
    opened.store.historical(&asked.service, rows, how).await
}

/// Refuses to write over what is read, or twice to one file.
fn check_places(asked: &Historical) -> Result<()> {
    let mut places = Places::default();
    for (option, file) in [("--rows", &asked.rows), ("--as-in", &asked.as_in)] {
        if let Some(file) = file {
            places.reads(option, &file.to_string_lossy());
        }
    }
    if asked.out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
        return Err(Error::invalid(COMMAND, "a training set is written as Parquet")
            .with("output", asked.out.display())
            .with_hint("name it .parquet"));
    }
    places.writes("--out", &asked.out)?;
    asked.receipt.as_deref().map_or(Ok(()), |file: &Path| places.writes("--receipt", file))
}

fn receipt_of(text: &str) -> Result<Receipt> {
    serde_json::from_str(text).map_err(|e| {
        Error::invalid(COMMAND, "is no receipt of a training set")
            .with_hint("`mlops features historical … --receipt FILE` writes one")
            .with_source(e)
    })
}

fn say(
    asked: &Historical,
    set: &TrainingSet,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    let schema = set.batch.schema();
    if output.is_json() {
        let columns = schema.fields().iter().map(|field| field.name()).collect::<Vec<_>>();
        return output.document(&json!({
            "out": asked.out,
            "rows": set.batch.num_rows(),
            "columns": columns,
            "digest": set.receipt.digest(),
            "receipt": set.receipt,
        }));
    }
    output.line(format!(
        "{}: {}, {} of {}",
        format::text(&asked.out.to_string_lossy(), 250),
        format::count(set.batch.num_rows() as u64, "row"),
        format::count(schema.fields().len() as u64, "column"),
        set.receipt.service,
    ))?;
    output.line(format!("digest of how it was made: {}", set.receipt.digest()))
}
