//! Rows of models and versions.

use rusqlite::params;

use super::super::DELETED_STAGE;
use super::{Outcome, Sheet};

pub(in super::super) struct ModelRow {
    pub(in super::super) name: String,
    pub(in super::super) created_ms: i64,
    pub(in super::super) updated_ms: i64,
    pub(in super::super) description: Option<String>,
    pub(in super::super) tags: Vec<(String, String)>,
    pub(in super::super) aliases: Vec<(String, i64)>,
}

pub(in super::super) struct VersionRow {
    pub(in super::super) model: String,
    pub(in super::super) number: i64,
    pub(in super::super) created_ms: i64,
    pub(in super::super) updated_ms: i64,
    pub(in super::super) description: Option<String>,
    pub(in super::super) user: Option<String>,
    pub(in super::super) stage: &'static str,
    pub(in super::super) source: String,
    pub(in super::super) run: Option<String>,
    pub(in super::super) tags: Vec<(String, String)>,
}

impl VersionRow {
    /// The row that MLflow itself leaves of a deleted version, which keeps its number taken.
    pub(in super::super) fn deleted(model: &str, number: i64, ms: i64) -> Self {
        Self {
            model: model.to_owned(),
            number,
            created_ms: ms,
            updated_ms: ms,
            description: None,
            user: None,
            stage: DELETED_STAGE,
            source: "REDACTED-SOURCE-PATH".to_owned(),
            run: Some("REDACTED-RUN-ID".to_owned()),
            tags: Vec::new(),
        }
    }
}

impl Sheet {
    pub(in super::super) fn model(&mut self, row: &ModelRow) -> Outcome<()> {
        self.0
            .prepare_cached(
                "INSERT INTO registered_models (name, creation_time, last_updated_time, description)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![row.name, row.created_ms, row.updated_ms, row.description])?;
        let mut tag = self.0.prepare_cached(
            "INSERT INTO registered_model_tags (name, \"key\", value) VALUES (?1, ?2, ?3)",
        )?;
        for (key, value) in &row.tags {
            tag.execute(params![row.name, key, value])?;
        }
        let mut alias = self.0.prepare_cached(
            "INSERT INTO registered_model_aliases (name, alias, version) VALUES (?1, ?2, ?3)",
        )?;
        for (name, number) in &row.aliases {
            alias.execute(params![row.name, name, number])?;
        }
        Ok(())
    }

    pub(in super::super) fn version(&mut self, row: &VersionRow) -> Outcome<()> {
        self.0
            .prepare_cached(
                "INSERT INTO model_versions (name, version, creation_time, last_updated_time,
                                             description, user_id, current_stage, source, run_id,
                                             status, storage_location)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'READY', ?8)",
            )?
            .execute(params![
                row.model,
                row.number,
                row.created_ms,
                row.updated_ms,
                row.description,
                row.user,
                row.stage,
                row.source,
                row.run,
            ])?;
        let mut tag = self.0.prepare_cached(
            "INSERT INTO model_version_tags (name, version, \"key\", value) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for (key, value) in &row.tags {
            tag.execute(params![row.model, row.number, key, value])?;
        }
        Ok(())
    }
}
