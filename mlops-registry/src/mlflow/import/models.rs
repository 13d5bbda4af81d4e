//! Models and versions on their way in: what is not here yet is made, labels are brought up to date.
//!
//! A version never changes its files, there or here, so one that is here already is not looked at again
//! beside its labels, note and stage. Nor is it moved: here that takes a policy's consent, and the
//! report says where the stages differ.

mod labels;

use std::collections::BTreeMap;

use mlops_core::registry::{
    CreateModel, ImportedVersion, Manifest, ManifestFile, Model, ModelChanges, ModelVersion,
    RegisterVersion, Registry, SourceRun, VersionChanges, VersionId,
};
use mlops_core::{Alias, Error, ErrorKind, Key, Result};

use self::labels::{Labelled, add_kept_aliases, author, created, labelled};
use super::super::document::Document;
use super::super::report::{FindingKind, Findings};
use super::super::{tag, text};
use super::bytes::Files;
use super::place::ModelPlace;
use super::source::{SourceModel, SourceVersion};
use super::store::{Import, Outcome, is_about_the_run};
use super::target::{fitting, fitting_value, run_id};
use super::{ImportReport, OP, Reading, signature};
use crate::models::verify_attestation;

/// What MLflow calls a version whose files are where they are said to be.
const READY: &str = "READY";

impl Import<'_> {
    /// Brings one model up to date, with its versions and aliases.
    pub(super) async fn model(
        &self,
        registry: &dyn Registry,
        mut reading: Reading,
        mut found: SourceModel,
        report: &mut ImportReport,
    ) -> Result<Reading> {
        let place = format!("model {}", found.name);
        let findings = &mut reading.findings;
        if found.tags.get(tag::PROMPT).is_some_and(|is| is == "true") {
            findings.add(FindingKind::NoCounterpart, || format!("prompt {}", found.name));
            return Ok(reading);
        }
        add_kept_aliases(&mut found);
        let here = match self.bring_model(registry, &mut found, &place, findings).await {
            Err(e) if is_about_the_run(e.kind()) => {
                findings.add(FindingKind::Refused, || format!("{place}: {e}"));
                None
            }
            other => other?,
        };
        let Some((here, outcome)) = here else {
            report.models.skipped += 1;
            report.model_versions.skipped += found.versions.len() as u64;
            report.aliases.skipped += found.aliases.len() as u64;
            return Ok(reading);
        };
        report.models.count(outcome);
        for version in std::mem::take(&mut found.versions) {
            let id = VersionId::new(here.name.clone(), version.number);
            let place = format!("version {id}");
            let (again, outcome) = self.version(registry, reading, id, version, report).await?;
            reading = again;
            report.model_versions.count(match outcome {
                Err(e) if is_about_the_run(e.kind()) => {
                    reading.findings.add(FindingKind::Refused, || format!("{place}: {e}"));
                    Outcome::Skipped
                }
                other => other?,
            });
        }
        self.aliases(registry, &here, found.aliases, report, &mut reading.findings).await?;
        Ok(reading)
    }

    /// The model as it is here then; `None` if it is somebody else's.
    async fn bring_model(
        &self,
        registry: &dyn Registry,
        found: &mut SourceModel,
        place: &str,
        findings: &mut Findings,
    ) -> Result<Option<(Model, Outcome)>> {
        let (name, changed) = text::as_model_name(&found.name);
        let Some(name) = name else {
            findings.add(FindingKind::Refused, || format!("{place}: its name can be none here"));
            return Ok(None);
        };
        let mut tags = std::mem::take(&mut found.tags);
        if changed {
            findings.add(FindingKind::NameChanged, || format!("{place} is {name} here"));
            tags.insert(tag::MODEL_NAME.to_owned(), found.name.clone());
        }
        let created = created(found.created_ms, &mut tags)?;
        tags.insert(tag::IMPORT_SOURCE.to_owned(), self.source.to_owned());
        let note = fitting_value(std::mem::take(&mut found.note), place, tag::NOTE, findings);
        let tags = fitting(tags, place, findings);
        let here = match registry.model(&name).await {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let mut options = CreateModel::default().with_note(note);
                (options.tags, options.created) = (tags, created);
                let made = registry.create_model(&name, options).await?;
                return Ok(Some((made, Outcome::New)));
            }
            other => other?,
        };
        // Two names of MLflow's may become one here.
        let same = |key: &str| here.tags.get(key) == tags.get(key);
        if !same(tag::IMPORT_SOURCE) || !same(tag::MODEL_NAME) {
            findings.add(FindingKind::NotOfThisImport, || place.to_owned());
            return Ok(None);
        }
        if here.deleted.is_some() {
            findings.add(FindingKind::InTrash, || place.to_owned());
            return Ok(None);
        }
        let mut changes = ModelChanges::default();
        changes.tags = differing(tags, &here.tags);
        changes.note = Some(note).filter(|note| !note.is_empty() && *note != here.note);
        if changes == ModelChanges::default() {
            return Ok(Some((here, Outcome::Unchanged)));
        }
        Ok(Some((registry.update_model(&name, changes).await?, Outcome::Changed)))
    }

    async fn version(
        &self,
        registry: &dyn Registry,
        mut reading: Reading,
        id: VersionId,
        mut found: SourceVersion,
        report: &mut ImportReport,
    ) -> Result<(Reading, Result<Outcome>)> {
        let mut is_run_here = false;
        if let Some(run) = found.run.as_deref().filter(|run| !run.is_empty()) {
            is_run_here = match self.tracking.tracker().run(run_id(self.source, run)).await {
                Err(e) if e.kind() == ErrorKind::NotFound => false,
                other => other.map(|_| true)?,
            };
        }
        let label = labelled(self.source, &id, &mut found, is_run_here, &mut reading.findings)?;
        match registry.version(&id).await {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            here => {
                let findings = &mut reading.findings;
                let done = bring_version(registry, here?, label, findings).await;
                return Ok((reading, done));
            }
        }
        if !found.status.is_empty() && found.status != READY {
            reading
                .findings
                .add(FindingKind::NotReady, || format!("{}: {}", label.place, found.status));
            return Ok((reading, Ok(Outcome::Skipped)));
        }
        let mut document = None;
        if let Some((digest, uri)) = label.exported.clone() {
            let (model, number) = (id.model.to_string(), id.number);
            let read = move |source: &mut dyn super::Source, _: &mut Findings| {
                Ok(source.document(&uri, &model, number))
            };
            let (again, bytes) = reading.with(read).await?;
            reading = again;
            document = bytes.and_then(|bytes| Document::read(&bytes, digest).ok());
            if document.is_none() {
                let place = label.place.clone();
                reading.findings.add(FindingKind::ManifestDiffers, || place);
            }
        }
        let done = self
            .register(registry, id, found, label, document, report, &mut reading.findings)
            .await;
        Ok((reading, done))
    }

    #[expect(clippy::too_many_arguments, reason = "what was read, and what is reported of it")]
    async fn register(
        &self,
        registry: &dyn Registry,
        id: VersionId,
        found: SourceVersion,
        label: Labelled,
        document: Option<Document>,
        report: &mut ImportReport,
        findings: &mut Findings,
    ) -> Result<Outcome> {
        let place = label.place.as_str();
        let files = self.files(&found.place, place, findings).await?;
        if files.list.is_empty() {
            findings.add(FindingKind::ModelFiles, || {
                format!("{place}: {}", found.source.as_deref().unwrap_or("no source"))
            });
            return Ok(Outcome::Skipped);
        }
        let is_whole = |document: &Document| describes(&document.manifest, &files.list);
        let was_exported = document.is_some();
        let mut options = if let Some(document) = document.filter(is_whole) {
            let mut options = RegisterVersion::new(document.manifest);
            options.evidence = document.evidence;
            let digest = options.manifest.digest();
            let (vouched, wrong): (Vec<_>, Vec<_>) = document
                .attestations
                .into_iter()
                .partition(|attestation| verify_attestation(attestation, digest).is_ok());
            for attestation in wrong {
                findings.add(FindingKind::Refused, || {
                    format!("{place}: no signature of its manifest by {}", attestation.key)
                });
            }
            options.attestations = vouched;
            options.origin = document.origin;
            options
        } else {
            if was_exported {
                findings.add(FindingKind::ManifestDiffers, || place.to_owned());
            }
            let run = found.run.as_deref();
            RegisterVersion::new(self.manifest(&files, run, place, findings).await?)
        };
        (options.note, options.tags) = (label.note, label.tags);
        let mut imported =
            ImportedVersion::default().with_number(id.number).with_stage(label.stage);
        imported.created = label.created;
        imported.author = author(found.user, place, findings)?;
        options = options.with_imported(imported);
        let (_, uploads, bytes) =
            files.register(self.tracking, registry, &id.model, options).await?;
        report.artifacts += uploads;
        report.artifact_bytes += bytes;
        Ok(Outcome::New)
    }

    async fn files(
        &self,
        place: &ModelPlace,
        about: &str,
        findings: &mut Findings,
    ) -> Result<Files> {
        let blobs = self.tracking.blobs();
        match place {
            ModelPlace::Elsewhere => Ok(Files::default()),
            ModelPlace::Directory(path) => {
                Files::of_directory(blobs, path.clone(), about, findings).await
            }
            ModelPlace::Run(run, path) => {
                let run = run_id(self.source, run);
                let artifacts = match self.tracking.tracker().artifacts(run, path).await {
                    Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
                    other => other?,
                };
                Files::of_artifacts(blobs, artifacts, path).await
            }
        }
    }

    /// What can be known of a version that MLflow made: its files, what its `MLmodel` says, its run.
    async fn manifest(
        &self,
        files: &Files,
        run: Option<&str>,
        place: &str,
        findings: &mut Findings,
    ) -> Result<Manifest> {
        let mut manifest = Manifest::new(files.list.clone())?;
        if let Some(mlmodel) = &files.mlmodel {
            let (signature, wrong) = signature::read(mlmodel);
            manifest.signature = signature;
            if let Some(wrong) = wrong {
                findings.add(FindingKind::SignatureRefused, || format!("{place}: {wrong}"));
            }
        }
        let Some(run) = run.filter(|run| !run.is_empty()) else {
            return Ok(manifest);
        };
        let run = match self.tracking.tracker().run(run_id(self.source, run)).await {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(manifest),
            other => other?,
        };
        manifest.run = Some(SourceRun { id: run.id, status: run.status });
        manifest.metrics =
            run.metrics.into_iter().map(|(key, metric)| (key, metric.last)).collect();
        (manifest.params, manifest.inputs) = (run.params, run.inputs);
        Ok(manifest)
    }

    async fn aliases(
        &self,
        registry: &dyn Registry,
        model: &Model,
        found: BTreeMap<String, String>,
        report: &mut ImportReport,
        findings: &mut Findings,
    ) -> Result<()> {
        for (alias, number) in found {
            let set = set_alias(registry, model, &alias, &number).await;
            report.aliases.count(match set {
                Err(e) if is_about_the_run(e.kind()) => {
                    findings.add(FindingKind::AliasRefused, || {
                        format!("model {}, {alias} → {number}: {e}", model.name)
                    });
                    Outcome::Skipped
                }
                other => other?,
            });
        }
        Ok(())
    }
}

async fn set_alias(
    registry: &dyn Registry,
    model: &Model,
    alias: &str,
    number: &str,
) -> Result<Outcome> {
    let alias = Alias::new(alias)?;
    let number: u64 =
        number.trim().parse().map_err(|_| Error::invalid(OP, "names no number of a version"))?;
    let outcome = match model.aliases.get(&alias) {
        Some(here) if *here == number => return Ok(Outcome::Unchanged),
        Some(_) => Outcome::Changed,
        None => Outcome::New,
    };
    let changes = ModelChanges::default().with_alias(alias, number);
    registry.update_model(&model.name, changes).await?;
    Ok(outcome)
}

/// Brings a version up to date that is here already.
async fn bring_version(
    registry: &dyn Registry,
    here: ModelVersion,
    label: Labelled,
    findings: &mut Findings,
) -> Result<Outcome> {
    let Labelled { place, note, tags, stage, .. } = label;
    if here.tags.get(tag::IMPORT_SOURCE) != tags.get(tag::IMPORT_SOURCE) {
        findings.add(FindingKind::NotOfThisImport, || place);
        return Ok(Outcome::Skipped);
    }
    let mut changes = VersionChanges::default();
    changes.tags = differing(tags, &here.tags);
    changes.note = Some(note).filter(|note| !note.is_empty() && *note != here.note);
    let same = changes == VersionChanges::default();
    if here.deleted.is_some() {
        findings.add(FindingKind::InTrash, || place);
        return Ok(Outcome::Unchanged);
    }
    if here.stage != stage {
        findings
            .add(FindingKind::StageDiffers, || format!("{place}: {stage}, here {}", here.stage));
    }
    if same {
        return Ok(Outcome::Unchanged);
    }
    registry.update_version(&here.id(), changes).await?;
    Ok(Outcome::Changed)
}

/// Whether a manifest that was exported is one of these files: the same paths and bytes, and none called
/// harmless that runs code when it is loaded.
fn describes(manifest: &Manifest, files: &[ManifestFile]) -> bool {
    let same = |(said, found): (&ManifestFile, &ManifestFile)| {
        (&said.path, said.digest, said.size) == (&found.path, found.digest, found.size)
            && (said.format == found.format || !found.format.may_execute())
    };
    manifest.files.len() == files.len() && manifest.files.iter().zip(files).all(same)
}

fn differing(tags: BTreeMap<Key, String>, here: &BTreeMap<Key, String>) -> BTreeMap<Key, String> {
    tags.into_iter().filter(|(key, value)| here.get(key) != Some(value)).collect()
}
