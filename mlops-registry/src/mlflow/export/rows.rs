//! A run, in MLflow's words.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use mlops_core::time::Instant;
use mlops_core::tracking::{DatasetInput, Experiment, Run, RunStatus};
use serde_json::{Value, json};

use super::super::report::{FindingKind, Findings};
use super::super::sheet::{InputRow, RunRow};
use super::super::{tag, text};

/// MLflow's column for a dataset's digest.
const DIGEST_CHARS: usize = 36;
/// MLflow's column for the artifact location of a run.
const RUN_URI_CHARS: usize = 200;
/// What MLflow lets somebody log.
const PARAM_CHARS: usize = 6_000;
pub(super) const TAG_CHARS: usize = 5_000;

pub(super) fn run_row(
    findings: &mut Findings,
    number: i64,
    of: &Experiment,
    run: &Run,
    artifact_uri: String,
) -> RunRow {
    let id = run.id.to_string();
    if artifact_uri.len() > RUN_URI_CHARS {
        findings.add(FindingKind::LongUri, || artifact_uri.clone());
    }
    let params: Vec<(String, String)> =
        run.params.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
    let tags = tags(findings, run, &id);
    let keys = run.params.keys().chain(run.tags.keys()).chain(run.metrics.keys());
    for key in keys.filter(|key| !text::is_mlflow_key(key)) {
        findings.add(FindingKind::UnusualKey, || format!("run {id}, {key}"));
    }
    for (entries, most) in [(&params, PARAM_CHARS), (&tags, TAG_CHARS)] {
        for (key, value) in entries.iter().filter(|(_, v)| v.chars().nth(most).is_some()) {
            findings.add(FindingKind::LongValue, || {
                format!("run {id}, {key}: {} characters", value.chars().count())
            });
        }
    }
    let status = match run.status {
        RunStatus::Running => "RUNNING",
        RunStatus::Finished => "FINISHED",
        RunStatus::Failed => "FAILED",
        // `Lost`, and whatever a later version adds: it ended, and not well.
        _ => "KILLED",
    };
    let inputs = run.inputs.iter().map(|input| input_row(findings, input, &id)).collect();
    RunRow {
        experiment: number,
        name: run.name.to_string(),
        user: if run.user.is_empty() { "unknown".to_owned() } else { run.user.clone() },
        status,
        started_ms: ms(run.started),
        ended_ms: run.ended.map(ms),
        deleted_ms: run.deleted.or(of.deleted).map(ms),
        artifact_uri,
        params,
        tags: tags.into_iter().collect(),
        inputs,
        id,
    }
}

fn tags(findings: &mut Findings, run: &Run, id: &str) -> Vec<(String, String)> {
    let mut tags: BTreeMap<String, String> =
        run.tags.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
    for (ours, theirs) in tag::SOURCE {
        if let Some(value) = run.tags.get(ours) {
            tags.entry(theirs.to_owned()).or_insert_with(|| value.clone());
        }
    }
    let mut meant = vec![(tag::RUN_NAME, run.name.to_string())];
    if !run.user.is_empty() {
        meant.push((tag::USER, run.user.clone()));
    }
    if !run.note.is_empty() {
        meant.push((tag::NOTE, run.note.clone()));
    }
    if let Some(parent) = run.parent {
        meant.push((tag::PARENT, parent.to_string()));
    }
    if run.status == RunStatus::Lost {
        findings.add(FindingKind::LostStatus, || format!("run {id}"));
        meant.push((tag::STATUS, run.status.to_string()));
    }
    for (key, at) in [(tag::STARTED, Some(run.started)), (tag::ENDED, run.ended)] {
        if let Some(at) = at.filter(|at| at.timestamp_micros() % 1_000 != 0) {
            let exact = at.to_rfc3339_opts(SecondsFormat::Micros, true);
            findings.add(FindingKind::InstantCut, || format!("run {id}, {exact}"));
            meant.push((key, exact));
        }
    }
    for (key, value) in meant {
        let old = tags.insert(key.to_owned(), value);
        if old.is_some_and(|old| tags.get(key) != Some(&old)) {
            findings.add(FindingKind::TagReplaced, || format!("run {id}, {key}"));
        }
    }
    tags.into_iter().collect()
}

fn input_row(findings: &mut Findings, input: &DatasetInput, run: &str) -> InputRow {
    let mut tags = vec![(tag::CONTEXT, input.context.as_str().to_owned())];
    let mut digest = input.digest.to_string();
    if let Some((end, _)) = digest.char_indices().nth(DIGEST_CHARS) {
        findings.add(FindingKind::DigestCut, || format!("run {run}, {}", input.name));
        tags.push((tag::DIGEST, digest.clone()));
        digest.truncate(end);
    }
    let source = input.source.as_deref();
    InputRow {
        name: input.name.to_string(),
        digest,
        source_type: source_type(source),
        source: source.map_or_else(|| "{}".to_owned(), dataset_source),
        schema: input.schema.as_ref().map(dataset_schema),
        profile: input.rows.map(|rows| json!({ "num_rows": rows }).to_string()),
        tags,
    }
}

pub(super) fn ms(at: Instant) -> i64 {
    at.timestamp_micros().div_euclid(1_000)
}

/// What MLflow calls the place where a dataset was read from; its names for what it can open itself.
pub(in super::super) fn source_type(source: Option<&str>) -> &'static str {
    let scheme = source.and_then(|source| source.split_once("://")).map(|(scheme, _)| scheme);
    match scheme {
        Some("s3" | "s3a") => "s3",
        Some("http" | "https") => "http",
        Some("gs") => "gs",
        Some("hf") => "hugging_face",
        _ => "local",
    }
}

/// MLflow keeps an object here; one that is an object already came from there.
fn dataset_source(source: &str) -> String {
    match serde_json::from_str::<Value>(source) {
        Ok(Value::Object(_)) => source.to_owned(),
        _ => json!({ "uri": source }).to_string(),
    }
}

/// MLflow's interface shows the columns of `mlflow_colspec`; ours stand beside it as they are.
fn dataset_schema(schema: &Value) -> String {
    let columns = match schema {
        Value::Object(columns) if columns.values().all(Value::is_string) => columns,
        other => return other.to_string(),
    };
    let colspec: Vec<Value> = columns
        .iter()
        .map(|(name, kind)| json!({ "type": kind, "name": name, "required": false }))
        .collect();
    json!({ "mlflow_colspec": colspec, "mlops_schema": schema }).to_string()
}
