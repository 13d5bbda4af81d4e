//! `mlops models delete`, `restore` and `purge`.

use chrono::TimeDelta;
use mlops::registry::{
    ModelChanges, ModelPurge, ModelPurgePlan, ModelPurgeReport, VersionChanges, VersionId,
};
use mlops::time::{Clock, SystemClock, from_micros_lossy};
use mlops::{Error, ModelName, Models};
use serde_json::{Value, json};

use super::{Meant, document, hinted, meant, version};
use crate::args::Consent;
use crate::commands::consent;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::Output;

/// More versions than these are counted and not listed in a plan.
const SHOWN: usize = 20;

pub(crate) async fn delete(
    models: &Models,
    what: &[String],
    output: &mut Output,
) -> Result<(), Failure> {
    let done = "moved to the trash:";
    change(models, what, &ModelChanges::delete(), &VersionChanges::delete(), done, output).await
}

pub(crate) async fn restore(
    models: &Models,
    what: &[String],
    output: &mut Output,
) -> Result<(), Failure> {
    let of_version = VersionChanges::restore();
    change(models, what, &ModelChanges::restore(), &of_version, "restored", output).await
}

/// Makes one change of each. The document is an array of what was changed, as it is after it.
async fn change(
    models: &Models,
    what: &[String],
    of_model: &ModelChanges,
    of_version: &VersionChanges,
    done: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    // All are looked up before the first is changed.
    let (versions, names) = named(models, what).await?;
    let mut documents: Vec<Value> = Vec::new();
    let mut lines = Vec::new();
    for id in &versions {
        let after = models.registry().update_version(id, of_version.clone()).await?;
        lines.push(id.to_string());
        documents.push(document(&after));
    }
    for name in &names {
        let after = models.registry().update_model(name, of_model.clone()).await?;
        lines.push(name.to_string());
        documents.push(json!(after));
    }
    if output.is_json() {
        return output.document(&json!(documents));
    }
    for line in lines {
        output.line(format!("{done} {}", format::text(&line, 280)))?;
    }
    Ok(())
}

/// The versions and models that are meant, also those in the trash; each once.
async fn named(
    models: &Models,
    what: &[String],
) -> mlops::Result<(Vec<VersionId>, Vec<ModelName>)> {
    let (mut versions, mut names) = (Vec::new(), Vec::new());
    for text in what {
        match meant(text)? {
            Meant::Version(_) => {
                let id = version(models, text).await?.id();
                if !versions.contains(&id) {
                    versions.push(id);
                }
            }
            Meant::Model(name) => {
                models.model(&name).await.map_err(|e| hinted(e, "list"))?;
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
    }
    Ok((versions, names))
}

pub(crate) async fn purge(
    models: &Models,
    what: &[String],
    older_than: Option<TimeDelta>,
    agreed: &Consent,
    output: &mut Output,
) -> Result<(), Failure> {
    let meant = if what.is_empty() {
        // Until now, if not told: what goes to the trash from here on is not meant.
        let now = SystemClock.now();
        let before = older_than.map_or(now, |span| (now - span).max(from_micros_lossy(0)));
        ModelPurge::DeletedBefore(before)
    } else {
        match named(models, what).await? {
            (versions, names) if names.is_empty() => ModelPurge::Versions(versions),
            (versions, names) if versions.is_empty() => ModelPurge::Models(names),
            _ => {
                return Err(Error::invalid(COMMAND, "versions and whole models in one purge")
                    .with_hint("purge the one, then the other")
                    .into());
            }
        }
    };
    let plan = models.registry().plan_model_purge(&meant).await?;
    if !output.is_json() {
        say(&plan, output)?;
    }
    let answer = consent::given(agreed);
    if answer.is_err() && output.is_json() {
        output.document(&json!({ "plan": plan, "done": null }))?;
    }
    output.flush()?;
    let report = if answer? { Some(models.purge(&plan).await?) } else { None };
    conclude(&plan, report.as_ref(), output)
}

fn say(plan: &ModelPurgePlan, output: &mut Output) -> Result<(), Failure> {
    output.line(format!(
        "for ever: {}, {}, {} ({})",
        format::count(plan.models.len() as u64, "model"),
        format::count(plan.versions.len() as u64, "version"),
        format::count(plan.files, "file"),
        format::bytes(plan.bytes),
    ))?;
    for id in plan.versions.iter().take(SHOWN) {
        output.line(format!("  {}", format::text(&id.to_string(), 280)))?;
    }
    match plan.versions.len().checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => output.line(format!("  and {more} more")),
    }
}

fn conclude(
    plan: &ModelPurgePlan,
    report: Option<&ModelPurgeReport>,
    output: &mut Output,
) -> Result<(), Failure> {
    let freed = |report: &ModelPurgeReport| -> u64 { report.freed.iter().map(|b| b.size).sum() };
    if output.is_json() {
        let done = report.map(|report| {
            json!({
                "purged_models": report.models,
                "purged_versions": report.versions,
                "freed_objects": report.freed.len(),
                "freed_bytes": freed(report),
            })
        });
        return output.document(&json!({ "plan": plan, "done": done }));
    }
    let Some(report) = report else {
        return output.line("nothing was done: --dry-run");
    };
    output.line(format!(
        "done: {} and {} taken away for ever, {} freed",
        format::count(report.models, "model"),
        format::count(report.versions, "version"),
        format::bytes(freed(report)),
    ))
}
