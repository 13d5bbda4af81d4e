//! `mlops models show`: everything of one version, or of one model, as far as it fits a screen.

use mlops::registry::{Evidence, Model, ModelVersion, Signature, VersionQuery};
use mlops::{Alias, Models};
use serde_json::json;

use super::{Meant, document, hinted, list, meant, version};
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, pairs, right, table};

const LONGEST_KEY: usize = 40;
const LONGEST_VALUE: usize = 70;
/// More files, columns or versions than these are counted and not listed.
const SHOWN: usize = 20;

pub(crate) async fn run(models: &Models, what: &str, output: &mut Output) -> Result<(), Failure> {
    match meant(what)? {
        Meant::Version(_) => {
            let version = version(models, what).await?;
            if output.is_json() {
                return output.document(&document(&version));
            }
            of_version(&version, output)
        }
        Meant::Model(name) => {
            let model = models.model(&name).await.map_err(|e| hinted(e, "list"))?;
            let query = VersionQuery::of(name).with_limit(SHOWN);
            let youngest = models.registry().search_versions(&query).await?.items;
            if output.is_json() {
                return output.document(&json!(model));
            }
            of_model(&model, &youngest, output)
        }
    }
}

fn of_model(model: &Model, youngest: &[ModelVersion], output: &mut Output) -> Result<(), Failure> {
    let mut shown = pairs();
    let mut row = |name: &str, value: String| {
        shown.add_row([name.to_owned(), value]);
    };
    row("model", format::text(&model.name, 250));
    row("made", format::instant(model.created) + " UTC");
    row("changed", format::instant(model.updated) + " UTC");
    for stage in model.stages.keys() {
        row(stage.as_str(), list::holders(model, *stage));
    }
    if !model.aliases.is_empty() {
        row("aliases", list::aliases(model));
    }
    for (key, value) in &model.tags {
        row(&format!("tag {}", format::text(key, LONGEST_KEY)), format::text(value, LONGEST_VALUE));
    }
    if let Some(deleted) = model.deleted {
        row("in the trash since", format::instant(deleted) + " UTC");
    }
    output.table(shown)?;
    note(&model.note, output)?;
    if youngest.is_empty() {
        return Ok(());
    }
    output.line("")?;
    output.table(list::table_of(youngest, &list::default([])))?;
    if (youngest.len() as u64) < model.last_number && youngest.len() == SHOWN {
        output.note("there is more: `mlops models versions`", None)?;
    }
    Ok(())
}

fn of_version(version: &ModelVersion, output: &mut Output) -> Result<(), Failure> {
    head(version, output)?;
    note(&version.note, output)?;
    let manifest = &version.manifest;
    keyed("param", manifest.params.iter().map(|(key, value)| (&**key, value.clone())), output)?;
    let metrics = manifest.metrics.iter().map(|(key, value)| (&**key, format::number(*value)));
    keyed("metric", metrics, output)?;
    keyed("tag", version.tags.iter().map(|(key, value)| (&**key, value.clone())), output)?;
    datasets(version, output)?;
    if let Some(signature) = &manifest.signature {
        columns(signature, output)?;
    }
    evidence(version, output)?;
    files(version, output)
}

fn head(version: &ModelVersion, output: &mut Output) -> Result<(), Failure> {
    let manifest = &version.manifest;
    let mut shown = pairs();
    let mut row = |name: &str, value: String| {
        shown.add_row([name.to_owned(), format::text(&value, 280)]);
    };
    row("version", version.id().to_string());
    row("stage", version.stage.to_string());
    if !version.aliases.is_empty() {
        let names: Vec<&str> = version.aliases.iter().map(Alias::as_str).collect();
        row("aliases", names.join(", "));
    }
    row("registered", format!("{} UTC by {}", format::instant(version.created), version.author));
    row("digest", version.digest.to_string());
    if let Some(run) = &manifest.run {
        row("run", format!("{} ({})", run.id, run.status));
    }
    if let Some(code) = &manifest.replay.code {
        let state = match code.dirty {
            Some(true) => ", with uncommitted changes",
            Some(false) => ", committed",
            None => "",
        };
        row("code", format!("{}{state}", code.commit.as_deref().unwrap_or("no commit")));
    }
    if let Some(features) = &manifest.features {
        row("features", format!("{} version {}", features.name, features.version));
    }
    if let Some(profile) = &manifest.profile {
        row("profile", profile.to_string());
    }
    if let Some(origin) = &version.origin {
        row("copied from", origin.clone());
    }
    for attestation in &version.attestations {
        row("signed", format!("{} UTC with {}", format::instant(attestation.at), attestation.key));
    }
    if let Some(deleted) = version.deleted {
        row("in the trash since", format::instant(deleted) + " UTC");
    }
    output.table(shown)
}

fn note(text: &str, output: &mut Output) -> Result<(), Failure> {
    if text.is_empty() { Ok(()) } else { output.line(format!("\n{}", format::paragraph(text))) }
}

fn keyed<'a>(
    what: &str,
    values: impl ExactSizeIterator<Item = (&'a str, String)>,
    output: &mut Output,
) -> Result<(), Failure> {
    if values.len() == 0 {
        return Ok(());
    }
    let mut shown = table([what, "value"]);
    for (key, value) in values {
        shown.add_row([format::text(key, LONGEST_KEY), format::text(&value, LONGEST_VALUE)]);
    }
    output.line("")?;
    output.table(shown)
}

fn datasets(version: &ModelVersion, output: &mut Output) -> Result<(), Failure> {
    if version.manifest.inputs.is_empty() {
        return Ok(());
    }
    let mut shown = table(["dataset", "for", "rows", "digest", "source"]);
    for input in &version.manifest.inputs {
        shown.add_row([
            format::text(&input.name, LONGEST_KEY),
            format::text(input.context.as_str(), 12),
            input.rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string()),
            format::text(&input.digest, 24),
            format::text(input.source.as_deref().unwrap_or("-"), LONGEST_KEY),
        ]);
    }
    right(&mut shown, [2]);
    output.line("")?;
    output.table(shown)
}

fn columns(signature: &Signature, output: &mut Output) -> Result<(), Failure> {
    let mut shown = table(["column", "side", "type", "nulls"]);
    let sides = [("in", &signature.inputs), ("out", &signature.outputs)];
    let all = sides.into_iter().flat_map(|(side, columns)| columns.iter().map(move |c| (side, c)));
    for (side, column) in all.take(SHOWN) {
        shown.add_row([
            format::text(&column.name, LONGEST_KEY),
            side.to_owned(),
            format::text(&column.data_type.to_string(), LONGEST_VALUE),
            if column.nullable { "yes" } else { "no" }.to_owned(),
        ]);
    }
    output.line("")?;
    output.table(shown)?;
    more(signature.inputs.len() + signature.outputs.len(), "more column", output)
}

fn evidence(version: &ModelVersion, output: &mut Output) -> Result<(), Failure> {
    if version.evidence.is_empty() {
        return Ok(());
    }
    let mut shown = table(["finding", "name", "at", "result"]);
    for evidence in &version.evidence {
        let (at, result) = match evidence {
            Evidence::Validation(report) => {
                let word = if report.passed { "passed" } else { "failed" };
                (report.at, format!("{word}, {} of {} checks failed", report.failed, report.checks))
            }
            Evidence::Evaluation(report) => {
                let pairs =
                    report.metrics.iter().map(|(k, v)| format!("{k}={}", format::number(*v)));
                (report.at, pairs.collect::<Vec<_>>().join(", "))
            }
            Evidence::Fairness(report) => {
                (report.at, format!("{} by {}", format::number(report.value), report.attribute))
            }
            _ => continue,
        };
        shown.add_row([
            evidence.kind().to_owned(),
            format::text(evidence.name(), LONGEST_KEY),
            format::instant(at),
            format::text(&result, LONGEST_VALUE),
        ]);
    }
    output.line("")?;
    output.table(shown)
}

fn files(version: &ModelVersion, output: &mut Output) -> Result<(), Failure> {
    let files = &version.manifest.files;
    let mut shown = table(["file", "size", "blake3", "may run code"]);
    for file in files.iter().take(SHOWN) {
        let format = if file.format.may_execute() { file.format.as_str() } else { "no" };
        shown.add_row([
            format::text(&file.path, LONGEST_KEY),
            format::bytes(file.size),
            file.digest.to_string()[..12].to_owned(),
            format.to_owned(),
        ]);
    }
    right(&mut shown, [1]);
    output.line("")?;
    output.table(shown)?;
    more(files.len(), "more file", output)
}

fn more(all: usize, what: &str, output: &mut Output) -> Result<(), Failure> {
    match all.checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => output.line(format!("and {}", format::count(more as u64, what))),
    }
}
