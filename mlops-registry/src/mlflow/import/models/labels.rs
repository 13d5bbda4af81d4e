//! What MLflow's labels and columns mean here: pure, so that importing twice makes the same of them.

use std::collections::BTreeMap;

use mlops_core::journal::Actor;
use mlops_core::registry::{Stage, VersionId};
use mlops_core::time::{self, Instant};
use mlops_core::tracking::Digest;
use mlops_core::{Key, Result};
use serde_json::Value;

use super::super::super::report::{FindingKind, Findings};
use super::super::super::{tag, text};
use super::super::source::{SourceModel, SourceVersion};
use super::super::target::{exact, fitting, fitting_value};

/// A version as it is to be here, but for its files.
pub(super) struct Labelled {
    pub(super) place: String,
    pub(super) created: Option<Instant>,
    pub(super) note: String,
    pub(super) tags: BTreeMap<Key, String>,
    pub(super) stage: Stage,
    /// The digest of what was exported from here, and where the rest of it is.
    pub(super) exported: Option<(Digest, String)>,
}

pub(super) fn labelled(
    source: &str,
    id: &VersionId,
    found: &mut SourceVersion,
    is_run_here: bool,
    findings: &mut Findings,
) -> Result<Labelled> {
    let place = format!("version {id}");
    let mut tags = std::mem::take(&mut found.tags);
    let exported =
        match (tags.get(tag::DIGEST).map(|digest| digest.parse()), tags.get(tag::MANIFEST)) {
            (Some(Ok(digest)), Some(uri)) => Some((digest, uri.clone())),
            _ => None,
        };
    if exported.is_some() {
        tags.remove(tag::DIGEST);
        tags.remove(tag::MANIFEST);
    }
    let mut stage = match found.stage.as_str() {
        "" => Stage::None,
        text => text.parse().unwrap_or_else(|e| {
            findings.add(FindingKind::Malformed, || format!("{place}: {e}"));
            Stage::None
        }),
    };
    let kept = tags.get(tag::STAGE).and_then(|kept| kept.parse().ok());
    if let (Stage::None, Some(kept @ Stage::Development)) = (stage, kept) {
        tags.remove(tag::STAGE);
        stage = kept;
    }
    let created = created(found.created_ms, &mut tags)?;
    let mut keep = |key: &str, text: Option<&String>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            tags.insert(key.to_owned(), text.clone());
        }
    };
    keep(tag::IMPORT_SOURCE, Some(&source.to_owned()));
    keep(tag::IMPORT_URI, found.source.as_ref());
    keep(tag::RUN_LINK, found.run_link.as_ref());
    keep(tag::MODEL_ID, found.logged_model.as_ref());
    if !is_run_here && found.run.as_ref().is_some_and(|run| !run.is_empty()) {
        findings.add(FindingKind::RunMissing, || place.clone());
        keep(tag::IMPORT_ID, found.run.as_ref());
    }
    let note = fitting_value(std::mem::take(&mut found.note), &place, tag::NOTE, findings);
    let tags = fitting(tags, &place, findings);
    Ok(Labelled { place, created, note, tags, stage, exported })
}

/// The instant at which something was made, to the microsecond if a tag keeps it.
pub(super) fn created(
    ms: Option<i64>,
    tags: &mut BTreeMap<String, String>,
) -> Result<Option<Instant>> {
    let micros = ms.and_then(|ms| ms.checked_mul(1_000));
    let Some(micros) = micros.filter(|micros| time::check_micros(*micros).is_ok()) else {
        return Ok(None);
    };
    exact(tags.remove(tag::CREATED), micros, tag::CREATED, tags).map(Some)
}

pub(super) fn author(
    user: Option<String>,
    place: &str,
    findings: &mut Findings,
) -> Result<Option<Actor>> {
    let Some(user) = user.filter(|user| !user.is_empty()) else { return Ok(None) };
    let (name, changed) = text::as_name(&user);
    if changed {
        findings.add(FindingKind::NameChanged, || format!("{place}, {}: {user}", tag::USER));
    }
    name.map(Actor::new).transpose()
}

/// The aliases that MLflow would have refused, if an export of ours kept them.
pub(super) fn add_kept_aliases(found: &mut SourceModel) {
    let kept = found.tags.get(tag::ALIASES).map(|kept| serde_json::from_str(kept));
    if let Some(Ok(Value::Object(kept))) = kept {
        found.tags.remove(tag::ALIASES);
        for (alias, number) in kept {
            found.aliases.entry(alias).or_insert_with(|| number.to_string());
        }
    }
}
