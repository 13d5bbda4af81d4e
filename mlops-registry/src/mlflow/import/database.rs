//! MLflow's SQLite database, of any revision that has runs.
//!
//! It is opened for reading only and never brought up to date: whoever still uses it with an older
//! MLflow can go on. Columns that a revision does not have read as NULL.

mod models;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use mlops_core::{Error, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row, params};

use super::super::report::{FindingKind, Findings};
use super::super::{sql_error, tag, uri};
use super::place::{self, Roots};
use super::source::{
    Place, RunRef, Source, SourceExperiment, SourceInput, SourceModel, SourceRun, SourceStatus,
};

const OP: &str = "mlflow.import_database";

pub(super) struct Database {
    sql: Connection,
    path: PathBuf,
    /// Where a server that serves artifacts itself keeps them.
    server_artifacts: Option<PathBuf>,
    tables: BTreeMap<String, BTreeSet<String>>,
}

impl Database {
    /// # Errors
    /// `NotFound` if there is no such file, `Invalid` if it is none of MLflow's.
    pub(super) fn open(path: &Path, server_artifacts: Option<PathBuf>) -> Result<Self> {
        if !path.is_file() {
            return Err(Error::not_found(OP, "there is no such file").with("path", path.display()));
        }
        let failed = |e| sql_error(OP, path, e);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sql = Connection::open_with_flags(path, flags).map_err(failed)?;
        sql.busy_timeout(std::time::Duration::from_mins(1)).map_err(failed)?;
        sql.set_prepared_statement_cache_capacity(32);
        let tables = tables(&sql).map_err(failed)?;
        for needed in ["experiments", "runs", "params", "tags", "metrics"] {
            if !tables.contains_key(needed) {
                return Err(Error::invalid(OP, "is no database of MLflow's")
                    .with("path", path.display())
                    .with("missing_table", needed));
            }
        }
        Ok(Self { sql, path: path.to_owned(), server_artifacts, tables })
    }

    /// What relative paths are relative to.
    fn base(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    fn has(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// `column`, or NULL where this revision has none.
    fn column(&self, table: &str, column: &str) -> String {
        if self.has(table, column) { format!("\"{column}\"") } else { "NULL".to_owned() }
    }

    fn columns(&self, table: &str, columns: &[&str]) -> String {
        let columns: Vec<String> = columns.iter().map(|c| self.column(table, c)).collect();
        columns.join(", ")
    }

    /// Rows of a query about one thing.
    fn each(
        &self,
        text: &str,
        about: &str,
        mut row: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let mut read = || {
            let mut statement = self.sql.prepare_cached(text)?;
            let mut rows = statement.query(params![about])?;
            while let Some(found) = rows.next()? {
                row(found)?;
            }
            Ok(())
        };
        read().map_err(|e| sql_error(OP, &self.path, e))
    }

    fn pairs(&self, table: &str, column: &str, of: &str) -> Result<BTreeMap<String, String>> {
        let mut pairs = BTreeMap::new();
        if self.tables.contains_key(table) {
            let text = format!("SELECT \"key\", value FROM {table} WHERE \"{column}\" = ?1");
            self.each(&text, of, |row| {
                if let Some(key) = string(row, 0)? {
                    pairs.insert(key, string(row, 1)?.unwrap_or_default());
                }
                Ok(())
            })?;
        }
        Ok(pairs)
    }

    fn metrics(&self, run: &RunRef, found: &mut SourceRun, findings: &mut Findings) -> Result<()> {
        // Rows are numbered as they are written, and that number is not reused while they stay.
        let text = format!(
            "SELECT \"key\", value, timestamp, {} FROM metrics WHERE run_uuid = ?1 ORDER BY rowid",
            self.columns("metrics", &["step", "is_nan"])
        );
        self.each(&text, &run.id, |row| {
            let key = string(row, 0)?.unwrap_or_default();
            let value = match row.get_ref(1)? {
                ValueRef::Real(value) => Some(value),
                ValueRef::Integer(value) => Some(value as f64),
                _ => None,
            };
            let place = || format!("run {}, metric {key}", run.id);
            let (Some(value), Some(time)) = (value, integer(row, 2)?) else {
                findings.add(FindingKind::Malformed, || format!("{}: no number", place()));
                return Ok(());
            };
            let is_nan = integer(row, 4)?.is_some_and(|nan| nan != 0);
            let value = if is_nan { f64::NAN } else { value };
            let step = integer(row, 3)?.unwrap_or(0);
            found.point(&key, (step, time, value), findings, place);
            Ok(())
        })
    }

    fn inputs(&self, run: &RunRef) -> Result<Vec<SourceInput>> {
        let mut inputs = Vec::new();
        if !self.tables.contains_key("inputs") || !self.tables.contains_key("datasets") {
            return Ok(inputs);
        }
        let mut ids = Vec::new();
        self.each(
            "SELECT d.name, d.digest, d.dataset_source_type, d.dataset_source, d.dataset_schema,
                    d.dataset_profile, i.input_uuid
             FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
             WHERE i.destination_id = ?1 AND i.destination_type = 'RUN'
               AND i.source_type = 'DATASET'
             ORDER BY d.name, d.digest",
            &run.id,
            |row| {
                ids.push(string(row, 6)?.unwrap_or_default());
                inputs.push(SourceInput {
                    name: string(row, 0)?.unwrap_or_default(),
                    digest: string(row, 1)?.unwrap_or_default(),
                    source_type: string(row, 2)?,
                    source: string(row, 3)?,
                    schema: string(row, 4)?,
                    profile: string(row, 5)?,
                    tags: BTreeMap::new(),
                });
                Ok(())
            },
        )?;
        if self.tables.contains_key("input_tags") {
            for (input, id) in inputs.iter_mut().zip(&ids) {
                self.each("SELECT name, value FROM input_tags WHERE input_uuid = ?1", id, |row| {
                    let name = string(row, 0)?.unwrap_or_default();
                    input.tags.insert(name, string(row, 1)?.unwrap_or_default());
                    Ok(())
                })?;
            }
        }
        Ok(inputs)
    }

    fn artifacts(&self, run: &RunRef, said: &str) -> Option<Place> {
        let base = self.base();
        let path = match (uri::below_server_root(said), &self.server_artifacts) {
            (Some(below), Some(root)) => Some(root.join(below)),
            _ => uri::to_path(said, base),
        };
        match path {
            Some(path) if !uri::is_artifact_root(&path, &run.id) => {
                Some(Place::Elsewhere(said.to_owned()))
            }
            Some(path) if path.is_dir() => Some(Place::Directory(path)),
            // Its experiment's folder is there, or can be made: the run has no files.
            Some(path) if path.ancestors().skip(2).take(3).any(Path::is_dir) => None,
            _ => Some(Place::Elsewhere(said.to_owned())),
        }
    }

    fn count(&self, table: &str, condition: &str) -> Result<u64> {
        if !self.tables.contains_key(table) {
            return Ok(0);
        }
        let text = format!("SELECT count(*) FROM \"{table}\" WHERE {condition}");
        let count = self.sql.query_row(&text, [], |row| row.get::<_, i64>(0));
        count.map(|n| n as u64).map_err(|e| sql_error(OP, &self.path, e))
    }
}

impl Source for Database {
    fn experiments(&mut self, findings: &mut Findings) -> Result<Vec<SourceExperiment>> {
        let mut found = Vec::new();
        let text = format!(
            "SELECT experiment_id, name, {} FROM experiments WHERE ?1 = '' ORDER BY experiment_id",
            self.columns("experiments", &["creation_time", "lifecycle_stage"])
        );
        self.each(&text, "", |row| {
            let Some(id) = string(row, 0)? else {
                findings.add(FindingKind::Malformed, || "an experiment without id".to_owned());
                return Ok(());
            };
            found.push(SourceExperiment {
                name: string(row, 1)?.unwrap_or_else(|| id.clone()),
                created_ms: integer(row, 2)?,
                deleted: string(row, 3)?.as_deref() == Some("deleted"),
                tags: BTreeMap::new(),
                id,
            });
            Ok(())
        })?;
        for experiment in &mut found {
            experiment.tags = self.pairs("experiment_tags", "experiment_id", &experiment.id)?;
        }
        Ok(found)
    }

    fn runs(&mut self, findings: &mut Findings) -> Result<Vec<RunRef>> {
        let mut runs = Vec::new();
        self.each(
            "SELECT r.run_uuid, r.experiment_id, t.value
             FROM runs r LEFT JOIN tags t ON t.run_uuid = r.run_uuid AND t.\"key\" = ?1
             ORDER BY r.start_time, r.run_uuid",
            tag::PARENT,
            |row| {
                let (Some(id), Some(experiment)) = (string(row, 0)?, string(row, 1)?) else {
                    findings.add(FindingKind::Malformed, || "a run without id".to_owned());
                    return Ok(());
                };
                let parent = string(row, 2)?;
                runs.push(RunRef { id, experiment, parent, directory: PathBuf::new() });
                Ok(())
            },
        )?;
        Ok(runs)
    }

    fn run(&mut self, run: &RunRef, findings: &mut Findings) -> Result<Option<SourceRun>> {
        // One transaction: a run that is being written is read as it was at one instant.
        let failed = |e| sql_error(OP, &self.path, e);
        let snapshot = self.sql.unchecked_transaction().map_err(failed)?;
        let columns = [
            "name",
            "user_id",
            "status",
            "start_time",
            "end_time",
            "lifecycle_stage",
            "artifact_uri",
        ];
        let text =
            format!("SELECT {} FROM runs WHERE run_uuid = ?1", self.columns("runs", &columns));
        let mut found = None;
        self.each(&text, &run.id, |row| {
            let status = string(row, 2)?.unwrap_or_default();
            let Some(status) = SourceStatus::parse(&status) else {
                findings.add(FindingKind::Malformed, || {
                    format!("run {}: unknown status {status:?}", run.id)
                });
                return Ok(());
            };
            let uri = string(row, 6)?;
            found = Some(SourceRun {
                name: string(row, 0)?,
                user: string(row, 1)?,
                status,
                started_ms: integer(row, 3)?,
                ended_ms: integer(row, 4)?,
                deleted: string(row, 5)?.as_deref() == Some("deleted"),
                artifacts: uri.and_then(|uri| self.artifacts(run, &uri)),
                ..SourceRun::default()
            });
            Ok(())
        })?;
        if let Some(found) = &mut found {
            found.params = self.pairs("params", "run_uuid", &run.id)?;
            found.tags = self.pairs("tags", "run_uuid", &run.id)?;
            found.inputs = self.inputs(run)?;
            self.metrics(run, found, findings)?;
        }
        snapshot.commit().map_err(failed)?;
        Ok(found)
    }

    fn models(
        &mut self,
        runs: &HashSet<String>,
        findings: &mut Findings,
    ) -> Result<Vec<SourceModel>> {
        let mut models = self.read_models(findings)?;
        let server = self.server_artifacts.as_deref();
        let roots = Roots { base: self.base(), server, runs };
        place::find_all(&mut models, &roots, |id| self.logged_model(id));
        Ok(models)
    }

    fn document(&mut self, uri: &str, model: &str, number: u64) -> Option<Vec<u8>> {
        place::read_document(uri::to_path(uri, self.base()), model, number)
    }

    fn leftovers(&mut self, findings: &mut Findings) -> Result<()> {
        for (table, what) in [
            ("logged_models", "logged models"),
            ("trace_info", "traces"),
            ("evaluation_datasets", "evaluation datasets"),
        ] {
            let count = self.count(table, "1")?;
            findings.add_many(FindingKind::NoCounterpart, count, || format!("{count} {what}"));
        }
        Ok(())
    }
}

fn tables(sql: &Connection) -> rusqlite::Result<BTreeMap<String, BTreeSet<String>>> {
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut statement = sql.prepare(
        "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c
         WHERE m.type = 'table'",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        tables.entry(row.get(0)?).or_default().insert(row.get(1)?);
    }
    Ok(tables)
}

/// A text; numbers as they are written. What is not UTF-8 is made so: it comes from a Python that
/// could not have written it.
fn string(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Some(String::from_utf8_lossy(text).into_owned())
        }
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
    })
}

fn integer(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<i64>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(number) => Some(number),
        ValueRef::Real(number) => Some(number as i64),
        _ => None,
    })
}
