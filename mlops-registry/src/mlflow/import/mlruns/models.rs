//! Models and versions in MLflow's store of files: `models/<name>/version-<number>`, with labels and
//! aliases as files.

use std::path::Path;

use mlops_core::Result;

use super::super::super::DELETED_STAGE;
use super::super::super::report::Findings;
use super::super::source::{SourceModel, SourceVersion};
use super::{Map, Mlruns, folders, is_folder_name, malformed, meta, values};

impl Mlruns {
    pub(super) fn read_models(&self, findings: &mut Findings) -> Result<Vec<SourceModel>> {
        let mut models = Vec::new();
        for (name, path) in folders(&self.root.join("models"))? {
            if !path.join("meta.yaml").is_file() {
                continue;
            }
            let Some(meta) = meta(&path, findings) else {
                continue;
            };
            let text = |key| meta.text(key).map(str::to_owned);
            models.push(SourceModel {
                created_ms: meta.integer("creation_timestamp"),
                note: text("description").unwrap_or_default(),
                tags: values(&path.join("tags"), findings)?,
                aliases: values(&path.join("aliases"), findings)?,
                versions: versions(&path, findings)?,
                name: text("name").unwrap_or(name),
            });
        }
        models.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(models)
    }

    /// Where the files of a logged model are: in this folder, if they are there, because a store that
    /// was moved still names its old place.
    pub(super) fn logged_model(&self, id: &str) -> Option<String> {
        if !is_folder_name(id) {
            return None;
        }
        let folders = self.experiments.values().map(|(path, _)| path.join("models").join(id));
        let folder = { folders }.find(|folder| folder.join("meta.yaml").is_file())?;
        let own = folder.join("artifacts");
        if own.is_dir() {
            return own.to_str().map(str::to_owned);
        }
        let meta = meta(&folder, &mut Findings::default())?;
        meta.text("artifact_location").map(str::to_owned)
    }
}

/// The versions of a model, by number. One that was deleted leaves its folder.
fn versions(model: &Path, findings: &mut Findings) -> Result<Vec<SourceVersion>> {
    let mut versions = Vec::new();
    for (name, path) in folders(model)? {
        let Some(number) = name.strip_prefix("version-") else {
            continue;
        };
        let Some(number) = number.parse().ok().filter(|number| *number > 0) else {
            malformed(findings, &path, None, "is no version: it has no number");
            continue;
        };
        let Some(meta) = meta(&path, findings) else {
            continue;
        };
        let version = version(&meta, number);
        if version.stage != DELETED_STAGE {
            let tags = values(&path.join("tags"), findings)?;
            versions.push(SourceVersion { tags, ..version });
        }
    }
    versions.sort_by_key(|version| version.number);
    Ok(versions)
}

fn version(meta: &Map, number: u64) -> SourceVersion {
    let text = |key| meta.text(key).map(str::to_owned);
    SourceVersion {
        number,
        created_ms: meta.integer("creation_timestamp"),
        user: text("user_id"),
        note: text("description").unwrap_or_default(),
        stage: text("current_stage").unwrap_or_default(),
        status: text("status").unwrap_or_default(),
        source: text("source"),
        storage: text("storage_location"),
        run: text("run_id"),
        run_link: text("run_link"),
        logged_model: text("model_id"),
        ..SourceVersion::default()
    }
}
