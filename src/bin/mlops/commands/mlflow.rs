//! `mlops export mlflow` and `mlops import …`

use std::path::{Path, PathBuf};

use mlops::mlflow::{self, ExportOptions, Finding, ImportOptions, ImportReport, Tally};
use mlops::{Error, Models};
use serde_json::json;

use super::models::acting;
use crate::args::{Export, Import};
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, pairs};
use crate::progress::Bar;
use crate::store::{self, Store};

const LONGEST_EXAMPLE: usize = 100;

pub(crate) async fn export(
    models: &Models,
    command: Export,
    output: &mut Output,
) -> Result<(), Failure> {
    let Export::Mlflow { database, artifacts, overwrite } = command;
    let artifacts = artifacts.unwrap_or_else(|| beside(&database));
    let bar = Bar::runs("exporting");
    let mut options = ExportOptions::default();
    options.overwrite = overwrite;
    options.progress = bar.progress();
    let report = mlflow::export(models, &database, &artifacts, options).await?;
    drop(bar);
    if output.is_json() {
        return output.document(&json!(report));
    }
    let mut shown = pairs();
    let mut row = |name: &str, value: String| {
        shown.add_row([name.to_owned(), value]);
    };
    row("database", database.display().to_string());
    row("artifacts in", artifacts.display().to_string());
    row("experiments", report.experiments.to_string());
    row("runs", report.runs.to_string());
    row("points", report.points.to_string());
    row("datasets", report.inputs.to_string());
    row("models", report.models.to_string());
    row("versions", report.model_versions.to_string());
    row("aliases", report.aliases.to_string());
    let size = format::bytes(report.artifact_bytes);
    row("artifacts", format!("{} ({size})", report.artifacts));
    output.table(shown)?;
    findings(&report.findings, output)
}

pub(crate) async fn import(
    store: &Store,
    command: Import,
    output: &mut Output,
) -> Result<(), Failure> {
    let path = match &command {
        Import::Mlruns { directory: path, .. } | Import::Mlflow { database: path, .. } => path,
    };
    // Before the store is made: a mistyped path leaves nothing behind.
    if matches!(path.try_exists(), Ok(false)) {
        return Err(Error::not_found(COMMAND, "there is nothing to import")
            .with("path", path.display())
            .into());
    }
    let models = acting(&store::create(store).await?).await?;
    let bar = Bar::runs("importing");
    let mut options = ImportOptions::default();
    options.progress = bar.progress();
    let report = match command {
        Import::Mlruns { directory, source } => {
            options.source = source;
            mlflow::import_mlruns(&models, &directory, options).await?
        }
        Import::Mlflow { database, source, server_artifacts } => {
            options.source = source;
            options.server_artifacts = server_artifacts;
            mlflow::import_database(&models, &database, options).await?
        }
    };
    drop(bar);
    if output.is_json() {
        return output.document(&json!(report));
    }
    imported(&report, output)
}

fn imported(report: &ImportReport, output: &mut Output) -> Result<(), Failure> {
    let mut shown = pairs();
    let mut row = |name: &str, value: String| {
        shown.add_row([name.to_owned(), value]);
    };
    row("source", format::text(&report.source, 250));
    row("experiments", tally(report.experiments));
    row("runs", tally(report.runs));
    row("points added", report.points.to_string());
    let size = format::bytes(report.artifact_bytes);
    row("artifacts added", format!("{} ({size})", report.artifacts));
    row("models", tally(report.models));
    row("versions", tally(report.model_versions));
    row("aliases", tally(report.aliases));
    output.table(shown)?;
    findings(&report.findings, output)
}

/// `3 new, 1 changed`
fn tally(tally: Tally) -> String {
    let counts = [
        (tally.new, "new"),
        (tally.changed, "changed"),
        (tally.unchanged, "unchanged"),
        (tally.skipped, "left out"),
    ];
    let some = counts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = some.map(|(count, what)| format!("{count} {what}")).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

/// What could not be carried over as it was.
fn findings(findings: &[Finding], output: &mut Output) -> Result<(), Failure> {
    for finding in findings {
        output.line(format!("\n{finding}"))?;
        for example in &finding.examples {
            output.line(format!("  {}", format::text(example, LONGEST_EXAMPLE)))?;
        }
    }
    Ok(())
}

/// `mlflow-artifacts` beside `mlflow.db`.
fn beside(database: &Path) -> PathBuf {
    let mut name = database.file_stem().unwrap_or(database.as_os_str()).to_owned();
    name.push("-artifacts");
    database.with_file_name(name)
}
