//! Models and versions, in MLflow's words.
//!
//! A version's source is a folder in which its files lie and no others, because MLflow downloads a
//! folder as a whole. Often that is a folder of its run; if not, the files are written again, beside
//! those of the runs.

use std::path::{Path, PathBuf};

use chrono::SecondsFormat;
use mlops_core::registry::{
    ManifestFile, Model, ModelQuery, ModelVersion, Registry, Stage, VersionQuery,
};
use mlops_core::time::Instant;
use mlops_core::tracking::{Artifact, View};
use mlops_core::{Error, Key, Result};
use serde_json::{Value, json};

use super::super::document::Document;
use super::super::report::{FindingKind, Findings};
use super::super::sheet::{ModelRow, VersionRow};
use super::super::{tag, text, uri};
use super::files::write_document;
use super::rows::{TAG_CHARS, ms};
use super::{Export, OP, PAGE};

/// MLflow's columns for the source of a version.
const SOURCE_CHARS: usize = 500;

impl Export<'_> {
    /// Writes all models of the registry, those in the trash left out.
    pub(super) async fn models(&mut self, registry: &dyn Registry) -> Result<()> {
        let mut query = ModelQuery::default().with_view(View::All).with_limit(PAGE);
        loop {
            let page = registry.search_models(&query).await?;
            for model in &page.items {
                if model.deleted.is_some() {
                    self.findings.add(FindingKind::ModelInTrash, || model.name.to_string());
                    continue;
                }
                self.model(registry, model).await?;
            }
            match page.next {
                None => return Ok(()),
                next => query.page = next,
            }
        }
    }

    async fn model(&mut self, registry: &dyn Registry, model: &Model) -> Result<()> {
        let row = model_row(&mut self.findings, model);
        self.report.models += 1;
        self.report.aliases += row.aliases.len() as u64;
        self.with_sheet(move |sheet| sheet.model(&row)).await?;
        let mut query = VersionQuery::of(model.name.clone()).with_view(View::All).with_limit(PAGE);
        let mut greatest = 0;
        loop {
            let page = registry.search_versions(&query).await?;
            for version in &page.items {
                greatest = greatest.max(version.number);
                let row = if version.deleted.is_some() {
                    self.findings.add(FindingKind::ModelInTrash, || version.id().to_string());
                    let created = ms(version.created);
                    VersionRow::deleted(&version.model, version.number as i64, created)
                } else {
                    self.report.model_versions += 1;
                    self.version(version).await?
                };
                self.with_sheet(move |sheet| sheet.version(&row)).await?;
            }
            match page.next {
                None => break,
                next => query.page = next,
            }
        }
        if greatest < model.last_number {
            let last = model.last_number as i64;
            let row = VersionRow::deleted(&model.name, last, ms(model.updated));
            self.with_sheet(move |sheet| sheet.version(&row)).await?;
        }
        let moves = registry.stage_history(&model.name).await?.len() as u64;
        self.findings.add_many(FindingKind::StageHistory, moves, || {
            format!("model {}: {moves} moves", model.name)
        });
        Ok(())
    }

    async fn version(&mut self, version: &ModelVersion) -> Result<VersionRow> {
        let beside = self.root.join("models").join(version.model.as_str());
        let document = Document::of(version);
        if document.says_more() {
            self.findings.add(FindingKind::VersionDocument, || version.id().to_string());
        }
        let manifest = beside.join(format!("{}.json", version.number));
        write_document(document.to_json(), &manifest, self.options.overwrite).await?;
        let directory = match self.folder_of_run(version).await? {
            Some(directory) => directory,
            None => self.write_files(version, beside.join(version.number.to_string())).await?,
        };
        let source = uri::of_path(&directory)?;
        if source.len() > SOURCE_CHARS {
            self.findings.add(FindingKind::LongUri, || source.clone());
        }
        version_row(&mut self.findings, version, source, uri::of_path(&manifest)?)
    }

    /// The folder of the version's run in which its files lie, and no others.
    async fn folder_of_run(&self, version: &ModelVersion) -> Result<Option<PathBuf>> {
        let run = version.manifest.run.as_ref().map(|run| run.id);
        let Some((run, number)) = run.and_then(|run| Some((run, self.numbers.get(&run)?))) else {
            return Ok(None);
        };
        let artifacts = self.tracking.tracker().artifacts(run, "").await?;
        let root = self.root.join(number.to_string()).join(run.to_string()).join("artifacts");
        Ok(folder(&version.manifest.files, &artifacts).map(|folder| root.join(folder)))
    }

    async fn write_files(&mut self, version: &ModelVersion, to: PathBuf) -> Result<PathBuf> {
        for file in &version.manifest.files {
            let Some(blob) = self.tracking.tracker().find_blob(file.digest).await? else {
                return Err(Error::corrupt(OP, "a file of a version is named by nothing")
                    .with("version", version.id())
                    .with("path", &file.path)
                    .with("digest", file.digest));
            };
            self.file(&blob, &to.join(file.path.as_str())).await?;
        }
        Ok(to)
    }
}

/// The folder among the artifacts of a run that holds just these files.
fn folder<'a>(files: &[ManifestFile], artifacts: &'a [Artifact]) -> Option<&'a Path> {
    let first = files.first()?;
    let folders = artifacts.iter().filter_map(|artifact| {
        let above = artifact.path.strip_suffix(first.path.as_str())?;
        let is_whole = above.is_empty() || above.ends_with('/');
        (is_whole && artifact.blob.digest == first.digest).then_some(above)
    });
    let holds_just_these = |folder: &&str| {
        let inside = artifacts.iter().filter_map(|artifact| {
            Some((artifact.path.strip_prefix(*folder)?, artifact.blob.digest))
        });
        inside.eq(files.iter().map(|file| (file.path.as_str(), file.digest)))
    };
    { folders }.find(holds_just_these).map(Path::new)
}

fn model_row(findings: &mut Findings, model: &Model) -> ModelRow {
    let place = format!("model {}", model.name);
    let mut meant = Vec::new();
    push_exact(&mut meant, model.created, &place, findings);
    let (mut aliases, mut kept) = (Vec::new(), serde_json::Map::new());
    for (alias, number) in &model.aliases {
        if text::is_mlflow_alias(alias) {
            aliases.push((alias.to_string(), *number as i64));
        } else {
            findings.add(FindingKind::AliasKept, || format!("{place}, {alias} → {number}"));
            kept.insert(alias.to_string(), json!(number));
        }
    }
    if !kept.is_empty() {
        meant.push((tag::ALIASES, Value::Object(kept).to_string()));
    }
    ModelRow {
        name: model.name.to_string(),
        created_ms: ms(model.created),
        updated_ms: ms(model.updated),
        description: description(findings, &model.note, &place),
        tags: tags(findings, &model.tags, meant, &place),
        aliases,
    }
}

fn version_row(
    findings: &mut Findings,
    version: &ModelVersion,
    source: String,
    manifest: String,
) -> Result<VersionRow> {
    let place = format!("version {}", version.id());
    let mut meant = vec![(tag::DIGEST, version.digest.to_string()), (tag::MANIFEST, manifest)];
    push_exact(&mut meant, version.created, &place, findings);
    let stage = match version.stage {
        stage @ (Stage::None | Stage::Staging | Stage::Production | Stage::Archived) => {
            stage.as_str()
        }
        // `Development`, and whatever a later version adds.
        stage => {
            findings.add(FindingKind::DevelopmentStage, || place.clone());
            meant.push((tag::STAGE, stage.to_string()));
            Stage::None.as_str()
        }
    };
    let number = i64::try_from(version.number).map_err(|_| {
        Error::invalid(OP, "a version's number is too large").with("version", version.id())
    })?;
    Ok(VersionRow {
        model: version.model.to_string(),
        number,
        created_ms: ms(version.created),
        updated_ms: ms(version.updated),
        description: description(findings, &version.note, &place),
        user: Some(version.author.to_string()),
        stage,
        source,
        run: version.manifest.run.as_ref().map(|run| run.id.to_string()),
        tags: tags(findings, &version.tags, meant, &place),
    })
}

fn push_exact(
    meant: &mut Vec<(&'static str, String)>,
    created: Instant,
    place: &str,
    findings: &mut Findings,
) {
    if created.timestamp_micros() % 1_000 != 0 {
        let exact = created.to_rfc3339_opts(SecondsFormat::Micros, true);
        findings.add(FindingKind::InstantCut, || format!("{place}, {exact}"));
        meant.push((tag::CREATED, exact));
    }
}

fn description(findings: &mut Findings, note: &str, place: &str) -> Option<String> {
    if note.chars().nth(TAG_CHARS).is_some() {
        let chars = note.chars().count();
        findings.add(FindingKind::LongValue, || format!("{place}, its note: {chars} characters"));
    }
    (!note.is_empty()).then(|| note.to_owned())
}

/// Labels, and after them what they cannot say otherwise.
fn tags(
    findings: &mut Findings,
    tags: &std::collections::BTreeMap<Key, String>,
    meant: Vec<(&'static str, String)>,
    place: &str,
) -> Vec<(String, String)> {
    let mut row = Vec::with_capacity(tags.len() + meant.len());
    for (key, value) in tags {
        if !text::is_mlflow_key(key) {
            findings.add(FindingKind::UnusualKey, || format!("{place}, {key}"));
        }
        if value.chars().nth(TAG_CHARS).is_some() {
            let chars = value.chars().count();
            findings.add(FindingKind::LongValue, || format!("{place}, {key}: {chars} characters"));
        }
        match meant.iter().find(|(ours, _)| *ours == key.as_str()) {
            Some((_, meant)) if meant == value => {}
            Some(_) => findings.add(FindingKind::TagReplaced, || format!("{place}, {key}")),
            None => row.push((key.to_string(), value.clone())),
        }
    }
    row.extend(meant.into_iter().map(|(key, value)| (key.to_owned(), value)));
    row
}
