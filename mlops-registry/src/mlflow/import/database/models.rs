//! Models and versions in MLflow's database.

use std::collections::BTreeMap;

use mlops_core::Result;
use rusqlite::{OptionalExtension, Row, params};

use super::super::super::DELETED_STAGE;
use super::super::super::report::{FindingKind, Findings};
use super::super::source::{SourceModel, SourceVersion};
use super::{Database, integer, string};

/// What newer revisions call the workspace that all others are.
const WORKSPACE: &str = "default";

impl Database {
    pub(super) fn read_models(&self, findings: &mut Findings) -> Result<Vec<SourceModel>> {
        let mut models = Vec::new();
        if !self.tables.contains_key("registered_models") {
            return Ok(models);
        }
        // Names are unique within a workspace only, and here there is one.
        let columns = ["creation_time", "description", "workspace"];
        let text = format!(
            "SELECT name, {} FROM registered_models WHERE ?1 = '' ORDER BY name",
            self.columns("registered_models", &columns)
        );
        self.each(&text, "", |row| {
            let name = string(row, 0)?.unwrap_or_default();
            if let Some(other) = string(row, 3)?.filter(|workspace| workspace != WORKSPACE) {
                findings.add(FindingKind::NoCounterpart, || {
                    format!("model {name} of the workspace {other}")
                });
                return Ok(());
            }
            models.push(SourceModel {
                created_ms: integer(row, 1)?,
                note: string(row, 2)?.unwrap_or_default(),
                name,
                ..SourceModel::default()
            });
            Ok(())
        })?;
        for model in &mut models {
            model.tags = self.pairs_in("registered_model_tags", &model.name, None)?;
            self.read_aliases(model)?;
            self.read_versions(model, findings)?;
        }
        Ok(models)
    }

    /// A condition that keeps to the one workspace, if the revision knows any.
    fn in_workspace(&self, table: &str) -> &'static str {
        // As a text in the statement: it is no input.
        if self.has(table, "workspace") { " AND workspace = 'default'" } else { "" }
    }

    fn read_aliases(&self, model: &mut SourceModel) -> Result<()> {
        let table = "registered_model_aliases";
        if !self.tables.contains_key(table) {
            return Ok(());
        }
        let text = format!(
            "SELECT alias, version FROM {table} WHERE name = ?1{}",
            self.in_workspace(table)
        );
        let name = model.name.clone();
        self.each(&text, &name, |row| {
            let alias = string(row, 0)?.unwrap_or_default();
            model.aliases.insert(alias, string(row, 1)?.unwrap_or_default());
            Ok(())
        })
    }

    fn read_versions(&self, model: &mut SourceModel, findings: &mut Findings) -> Result<()> {
        let table = "model_versions";
        if !self.tables.contains_key(table) {
            return Ok(());
        }
        let columns = [
            "creation_time",
            "user_id",
            "description",
            "current_stage",
            "status",
            "source",
            "storage_location",
            "run_id",
            "run_link",
        ];
        let text = format!(
            "SELECT version, {} FROM {table} WHERE name = ?1{} ORDER BY version",
            self.columns(table, &columns),
            self.in_workspace(table)
        );
        let name = model.name.clone();
        self.each(&text, &name, |row| {
            let number = integer(row, 0)?.and_then(|number| u64::try_from(number).ok());
            let Some(number) = number.filter(|number| *number > 0) else {
                findings.add(FindingKind::Malformed, || {
                    format!("model {name}: a version without number")
                });
                return Ok(());
            };
            let version = version(row, number)?;
            if version.stage != DELETED_STAGE {
                model.versions.push(version);
            }
            Ok(())
        })?;
        for version in &mut model.versions {
            version.tags = self.pairs_in("model_version_tags", &name, Some(version.number))?;
        }
        Ok(())
    }

    fn pairs_in(
        &self,
        table: &str,
        name: &str,
        number: Option<u64>,
    ) -> Result<BTreeMap<String, String>> {
        let mut pairs = BTreeMap::new();
        if !self.tables.contains_key(table) {
            return Ok(pairs);
        }
        let of = number.map_or(String::new(), |number| format!(" AND version = {number}"));
        let text = format!(
            "SELECT \"key\", value FROM {table} WHERE name = ?1{of}{}",
            self.in_workspace(table)
        );
        self.each(&text, name, |row| {
            if let Some(key) = string(row, 0)? {
                pairs.insert(key, string(row, 1)?.unwrap_or_default());
            }
            Ok(())
        })?;
        Ok(pairs)
    }

    /// Where the files of a logged model are.
    pub(super) fn logged_model(&self, id: &str) -> Option<String> {
        if !self.has("logged_models", "artifact_location") {
            return None;
        }
        let text = "SELECT artifact_location FROM logged_models WHERE model_id = ?1";
        let found = self.sql.query_row(text, params![id], |row| string(row, 0));
        found.optional().ok().flatten().flatten()
    }
}

fn version(row: &Row<'_>, number: u64) -> rusqlite::Result<SourceVersion> {
    Ok(SourceVersion {
        number,
        created_ms: integer(row, 1)?,
        user: string(row, 2)?,
        note: string(row, 3)?.unwrap_or_default(),
        stage: string(row, 4)?.unwrap_or_default(),
        status: string(row, 5)?.unwrap_or_default(),
        source: string(row, 6)?,
        storage: string(row, 7)?,
        run: string(row, 8)?,
        run_link: string(row, 9)?,
        ..SourceVersion::default()
    })
}
