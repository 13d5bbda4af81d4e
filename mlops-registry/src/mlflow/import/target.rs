//! Making one run of MLflow's fit ours: pure, so that importing twice makes the same of it.

use std::collections::BTreeMap;

use mlops_core::time::{self, Instant};
use mlops_core::tracking::check::MAX_SCHEMA_BYTES;
use mlops_core::tracking::check::MAX_SOURCE_BYTES;
use mlops_core::tracking::{DatasetContext, DatasetInput, MetricPoint, RunStatus};
use mlops_core::{ExperimentId, Key, Result, RunId, RunName};
use serde_json::Value;

use super::super::export::source_type;
use super::super::report::{FindingKind, Findings};
use super::super::sheet::Stored;
use super::super::{tag, text};
use super::source::{RunRef, SourceInput, SourceRun, SourceStatus};

/// A run as it is to be here.
pub(super) struct Target {
    pub(super) id: RunId,
    pub(super) experiment: ExperimentId,
    pub(super) parent: Option<RunId>,
    /// What MLflow calls the parent, for the case that it is not here.
    pub(super) parent_text: Option<String>,
    pub(super) name: Option<RunName>,
    pub(super) user: String,
    pub(super) note: String,
    pub(super) status: RunStatus,
    pub(super) started: Instant,
    pub(super) ended: Instant,
    pub(super) deleted: bool,
    pub(super) params: BTreeMap<Key, String>,
    pub(super) tags: BTreeMap<Key, String>,
    pub(super) metrics: Vec<(Key, Vec<MetricPoint>)>,
    pub(super) inputs: Vec<DatasetInput>,
}

/// The id of a run: its own, if it is of the form that ours have, else one that follows from it.
pub(super) fn run_id(source: &str, id: &str) -> RunId {
    match id.parse::<RunId>() {
        Ok(parsed) if parsed.to_string() == id => parsed,
        _ => RunId::from_bytes(text::stable_id(
            "mlops mlflow import run 1",
            &[source.as_bytes(), id.as_bytes()],
        )),
    }
}

/// The id of an experiment that MLflow knows by a number.
pub(super) fn experiment_id(source: &str, id: &str) -> ExperimentId {
    let parts = [source.as_bytes(), id.as_bytes()];
    ExperimentId::from_bytes(text::stable_id("mlops mlflow import experiment 1", &parts))
}

impl Target {
    pub(super) fn of(
        source: &str,
        reference: &RunRef,
        experiment: ExperimentId,
        run: SourceRun,
        findings: &mut Findings,
    ) -> Result<Self> {
        let place = format!("run {}", reference.id);
        let id = run_id(source, &reference.id);
        let SourceRun { name, user, status, started_ms, ended_ms, deleted, mut tags, .. } = run;

        let (first, last) = ends(&run.metrics);
        let micros = |ms: Option<i64>| {
            ms?.checked_mul(1_000).filter(|micros| time::check_micros(*micros).is_ok())
        };
        let started = micros(started_ms).unwrap_or_else(|| {
            findings.add(FindingKind::StartMissing, || place.clone());
            first.or(micros(ended_ms)).unwrap_or(0)
        });
        let over = !matches!(status, SourceStatus::Running | SourceStatus::Scheduled);
        let ended = micros(ended_ms).unwrap_or_else(|| {
            if over {
                findings.add(FindingKind::EndMissing, || place.clone());
            }
            last.unwrap_or(started).max(started)
        });
        let started = exact(tags.remove(tag::STARTED), started, tag::STARTED, &mut tags)?;
        let ended = exact(tags.remove(tag::ENDED), ended, tag::ENDED, &mut tags)?;

        let is_lost = tags.get(tag::STATUS).is_some_and(|s| s == RunStatus::Lost.as_str());
        let status = match status {
            SourceStatus::Finished => RunStatus::Finished,
            SourceStatus::Failed => RunStatus::Failed,
            SourceStatus::Killed if is_lost => {
                tags.remove(tag::STATUS);
                RunStatus::Lost
            }
            SourceStatus::Killed => RunStatus::Killed,
            SourceStatus::Running | SourceStatus::Scheduled => {
                findings.add(FindingKind::StillRunning, || place.clone());
                tags.insert(tag::IMPORT_STATUS.to_owned(), status.as_str().to_owned());
                RunStatus::Killed
            }
        };
        if id.to_string() != reference.id {
            findings.add(FindingKind::NameChanged, || format!("{place} is {id} here"));
            tags.insert(tag::IMPORT_ID.to_owned(), reference.id.clone());
        }
        tags.insert(tag::IMPORT_SOURCE.to_owned(), source.to_owned());

        let name = name.filter(|n| !n.is_empty()).or_else(|| tags.get(tag::RUN_NAME).cloned());
        let name = fitted(tag::RUN_NAME, name, &mut tags, &place, findings);
        let user = tags.get(tag::USER).cloned().or(user.filter(|user| user != "unknown"));
        let user = fitted(tag::USER, user, &mut tags, &place, findings);
        let note = match tags.remove(tag::NOTE) {
            None => String::new(),
            Some(note) => fitting_value(note, &place, tag::NOTE, findings),
        };
        let parent_text = tags.remove(tag::PARENT).filter(|parent| !parent.is_empty());
        let parent = parent_text.as_deref().map(|p| run_id(source, p)).filter(|p| *p != id);
        for (ours, theirs) in tag::SOURCE {
            if tags.contains_key(ours) && tags.get(ours) == tags.get(theirs) {
                tags.remove(theirs);
            }
        }

        let mut metrics = Vec::new();
        for (key, points) in run.metrics {
            let Some(key) = fitting_key(&key, &place, findings) else {
                continue;
            };
            note_latest(&key, &points, &place, findings);
            metrics.push((key, points));
        }
        let inputs = run.inputs.into_iter();
        Ok(Self {
            id,
            experiment,
            parent,
            parent_text,
            name: name.map(RunName::new).transpose()?,
            user: user.unwrap_or_default(),
            note,
            status,
            started,
            ended,
            deleted,
            params: fitting(run.params, &place, findings),
            tags: fitting(tags, &place, findings),
            metrics,
            inputs: inputs.filter_map(|i| input(i, &place, findings)).collect(),
        })
    }
}

/// The times of the first and the last point.
fn ends(metrics: &BTreeMap<String, Vec<MetricPoint>>) -> (Option<i64>, Option<i64>) {
    let times = || metrics.values().flatten().map(|point| point.time_micros);
    (times().min(), times().max())
}

/// The instant that a tag keeps to the microsecond, if it is the same one; else the tag stays.
pub(super) fn exact(
    text: Option<String>,
    micros: i64,
    key: &str,
    tags: &mut BTreeMap<String, String>,
) -> Result<Instant> {
    if let Some(text) = text {
        match text.parse::<Instant>() {
            Ok(at) if at.timestamp_micros().div_euclid(1_000) == micros.div_euclid(1_000) => {
                return time::from_micros(at.timestamp_micros());
            }
            _ => {
                tags.insert(key.to_owned(), text);
            }
        }
    }
    time::from_micros(micros)
}

/// A name made to fit; its tag goes away if it says nothing more.
fn fitted(
    key: &'static str,
    name: Option<String>,
    tags: &mut BTreeMap<String, String>,
    place: &str,
    findings: &mut Findings,
) -> Option<String> {
    let name = name.filter(|name| !name.is_empty())?;
    let (fitted, changed) = text::as_name(&name);
    if changed {
        findings.add(FindingKind::NameChanged, || format!("{place}, {key}: {name}"));
        tags.insert(key.to_owned(), name);
    } else if tags.get(key) == Some(&name) {
        tags.remove(key);
    }
    fitted
}

/// Params or labels whose keys and values fit.
pub(super) fn fitting(
    entries: BTreeMap<String, String>,
    place: &str,
    findings: &mut Findings,
) -> BTreeMap<Key, String> {
    let mut fitting = BTreeMap::new();
    for (key, value) in entries {
        if let Some(fitted) = fitting_key(&key, place, findings) {
            fitting.insert(fitted, fitting_value(value, place, &key, findings));
        }
    }
    fitting
}

fn fitting_key(key: &str, place: &str, findings: &mut Findings) -> Option<Key> {
    Key::new(key)
        .inspect_err(|e| findings.add(FindingKind::KeyRefused, || format!("{place}: {e}")))
        .ok()
}

pub(super) fn fitting_value(
    value: String,
    place: &str,
    key: &str,
    findings: &mut Findings,
) -> String {
    let bytes = value.len();
    let (value, cut) = text::as_value(value);
    if cut {
        findings.add(FindingKind::ValueCut, || format!("{place}, {key}: {bytes} bytes"));
    }
    value
}

/// Says where MLflow shows another point than the one written last.
fn note_latest(key: &Key, points: &[MetricPoint], place: &str, findings: &mut Findings) {
    let shown = points
        .iter()
        .map(|p| Stored::of(*p))
        .reduce(|best, next| if next.is_later(&best) { next } else { best });
    let last = points.last().map(|p| Stored::of(*p));
    if let (Some(shown), Some(last)) = (shown, last)
        && !shown.shows_as(&last)
    {
        findings.add(FindingKind::LatestDiffers, || format!("{place}, {key}"));
    }
}

fn input(input: SourceInput, place: &str, findings: &mut Findings) -> Option<DatasetInput> {
    let SourceInput { name, digest, source_type: kind, source, schema, profile, mut tags } = input;
    let place = format!("{place}, dataset {name}");
    let digest = tags.remove(tag::DIGEST).filter(|d| d.starts_with(&digest)).unwrap_or(digest);
    let name = fitting_key(&name, &place, findings)?;
    let digest = fitting_key(&digest, &place, findings)?;
    let context = tags.remove(tag::CONTEXT).filter(|context| Key::new(context).is_ok());
    let context = context.unwrap_or_else(|| {
        findings.add(FindingKind::ContextMissing, || place.clone());
        "unknown".to_owned()
    });
    for (key, value) in tags {
        findings.add(FindingKind::InputTag, || format!("{place}: {key} = {value}"));
    }
    let mut made = DatasetInput::new(name, digest, DatasetContext::from(context));
    made.source = source.as_deref().and_then(read_source);
    if made.source.as_ref().is_some_and(|s| s.len() > MAX_SOURCE_BYTES || s.contains('\0')) {
        findings.add(FindingKind::ValueCut, || format!("{place}: its source is left out"));
        made.source = None;
    }
    if kind.is_some_and(|kind| kind != source_type(made.source.as_deref())) {
        findings.add(FindingKind::DatasetSourceType, || place.clone());
    }
    made.schema = schema.filter(|s| !s.is_empty()).map(read_schema);
    if made.schema.as_ref().is_some_and(|s| s.to_string().len() > MAX_SCHEMA_BYTES) {
        findings.add(FindingKind::ValueCut, || format!("{place}: its schema is left out"));
        made.schema = None;
    }
    if let Some(profile) = profile.filter(|profile| !profile.is_empty()) {
        let parsed: Value = serde_json::from_str(&profile).unwrap_or_default();
        let rows = parsed.get("num_rows").and_then(Value::as_u64);
        made.rows = rows.filter(|rows| i64::try_from(*rows).is_ok());
        let only_rows = parsed.as_object().is_some_and(|p| p.len() == 1) && made.rows.is_some();
        if !only_rows {
            findings.add(FindingKind::DatasetProfile, || format!("{place}: {profile}"));
        }
    }
    Some(made)
}

/// `{"uri": "x"}` is `x`; any other object stays as it is.
fn read_source(text: &str) -> Option<String> {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else {
        return (!text.is_empty()).then(|| text.to_owned());
    };
    match object.get("uri").and_then(Value::as_str) {
        _ if object.is_empty() => None,
        Some(uri) if object.len() == 1 => Some(uri.to_owned()),
        _ => Some(text.to_owned()),
    }
}

/// A schema of ours stands beside the one that MLflow shows.
fn read_schema(text: String) -> Value {
    match serde_json::from_str(&text) {
        Ok(Value::Object(mut object)) => match object.remove("mlops_schema") {
            Some(ours) => ours,
            None => Value::Object(object),
        },
        Ok(other) => other,
        Err(_) => Value::String(text),
    }
}
