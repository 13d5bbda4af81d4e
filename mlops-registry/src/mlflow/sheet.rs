//! The database that an export writes: rows in, a finished file out.
//!
//! It is written without journal and without syncing, in one transaction, because nobody sees it
//! before it has its name: an export that is killed leaves a temporary file and nothing else.

mod models;

use std::collections::HashMap;
use std::path::Path;

use mlops_core::tracking::MetricPoint;
use rusqlite::{Connection, OptionalExtension, params};

use super::LARGEST;
use super::text::stable_hex;
use crate::points::Points;

pub(super) use self::models::{ModelRow, VersionRow};

type Outcome<T> = rusqlite::Result<T>;

/// MLflow's tables at revision `acf3f17fdcc7`, made by its own migrations.
const SCHEMA: &str = include_str!("schema.sql");

pub(super) struct Sheet(Connection);

pub(super) struct ExperimentRow {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) location: String,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) deleted: bool,
    pub(super) tags: Vec<(String, String)>,
}

pub(super) struct RunRow {
    pub(super) id: String,
    pub(super) experiment: i64,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) status: &'static str,
    pub(super) started_ms: i64,
    pub(super) ended_ms: Option<i64>,
    pub(super) deleted_ms: Option<i64>,
    pub(super) artifact_uri: String,
    pub(super) params: Vec<(String, String)>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) inputs: Vec<InputRow>,
}

pub(super) struct InputRow {
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) source_type: &'static str,
    pub(super) source: String,
    pub(super) schema: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) tags: Vec<(&'static str, String)>,
}

/// A dataset as it is stored: id, type of source, source, schema, profile.
type Described = (String, String, String, Option<String>, Option<String>);

/// What became of a run's inputs.
#[derive(Default)]
pub(super) struct Inputs {
    pub(super) stored: u64,
    /// Names of datasets that the run has already, in another context.
    pub(super) repeated: Vec<String>,
    /// Names of datasets that another run describes otherwise.
    pub(super) differing: Vec<String>,
}

/// The latest point of each metric by MLflow's rule, and what had to be changed on the way.
#[derive(Default)]
pub(super) struct Latest {
    pub(super) best: HashMap<String, Stored>,
    pub(super) points: u64,
    pub(super) duplicates: u64,
    pub(super) infinite: u64,
    pub(super) negative_zeros: u64,
    pub(super) times_cut: u64,
}

/// A point as MLflow's SQL stores hold it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stored {
    pub(super) step: i64,
    pub(super) time_ms: i64,
    pub(super) value: f64,
    pub(super) is_nan: bool,
}

impl Stored {
    pub(super) fn of(point: MetricPoint) -> Self {
        let is_nan = point.value.is_nan();
        Self {
            step: point.step,
            time_ms: point.time_micros.div_euclid(1_000),
            value: if is_nan { 0.0 } else { point.value.clamp(-LARGEST, LARGEST) },
            is_nan,
        }
    }

    /// Whether MLflow shows the same value for both.
    pub(super) fn shows_as(&self, other: &Self) -> bool {
        self.is_nan == other.is_nan && self.value.to_bits() == other.value.to_bits()
    }

    /// By step, then time, then value, where NaN counts as the 0 that stands for it.
    pub(super) fn is_later(&self, other: &Self) -> bool {
        (self.step, self.time_ms)
            .cmp(&(other.step, other.time_ms))
            .then(self.value.total_cmp(&other.value))
            .then(other.is_nan.cmp(&self.is_nan))
            .is_gt()
    }
}

impl Sheet {
    /// Begins a database in an empty file.
    pub(super) fn create(path: &Path) -> Outcome<Self> {
        let sql = Connection::open(path)?;
        sql.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32768;",
        )?;
        sql.set_prepared_statement_cache_capacity(32);
        sql.execute_batch("BEGIN")?;
        sql.execute_batch(tables_and_indexes().0)?;
        Ok(Self(sql))
    }

    pub(super) fn experiment(&mut self, row: &ExperimentRow) -> Outcome<()> {
        self.0
            .prepare_cached(
                "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage,
                                          creation_time, last_update_time)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                row.id,
                row.name,
                row.location,
                stage(row.deleted),
                row.created_ms,
                row.updated_ms
            ])?;
        for (key, value) in &row.tags {
            self.0
                .prepare_cached(
                    "INSERT INTO experiment_tags (experiment_id, \"key\", value) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![row.id, key, value])?;
        }
        Ok(())
    }

    pub(super) fn run(&mut self, row: &RunRow) -> Outcome<Inputs> {
        self.0
            .prepare_cached(
                "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name,
                                   user_id, status, start_time, end_time, source_version,
                                   lifecycle_stage, artifact_uri, experiment_id, deleted_time)
                 VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, ?4, ?5, ?6, '', ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                row.id,
                row.name,
                row.user,
                row.status,
                row.started_ms,
                row.ended_ms,
                stage(row.deleted_ms.is_some()),
                row.artifact_uri,
                row.experiment,
                row.deleted_ms,
            ])?;
        for (table, entries) in [("params", &row.params), ("tags", &row.tags)] {
            let text =
                format!("INSERT INTO {table} (run_uuid, \"key\", value) VALUES (?1, ?2, ?3)");
            let mut insert = self.0.prepare_cached(&text)?;
            for (key, value) in entries {
                insert.execute(params![row.id, key, value])?;
            }
        }
        let mut inputs = Inputs::default();
        for input in &row.inputs {
            self.input(row, input, &mut inputs)?;
        }
        Ok(inputs)
    }

    fn input(&mut self, run: &RunRow, input: &InputRow, done: &mut Inputs) -> Outcome<()> {
        let sql = &self.0;
        let known: Option<Described> = sql
            .prepare_cached(
                "SELECT dataset_uuid, dataset_source_type, dataset_source, dataset_schema,
                        dataset_profile
                 FROM datasets WHERE experiment_id = ?1 AND name = ?2 AND digest = ?3",
            )?
            .query_row(params![run.experiment, input.name, input.digest], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })
            .optional()?;
        let dataset = if let Some((id, source_type, source, schema, profile)) = known {
            let same = source_type == input.source_type
                && source == input.source
                && schema == input.schema
                && profile == input.profile;
            if !same {
                done.differing.push(input.name.clone());
            }
            id
        } else {
            let number = run.experiment.to_le_bytes();
            let parts = [&number[..], input.name.as_bytes(), input.digest.as_bytes()];
            let id = stable_hex("mlops mlflow export dataset 1", &parts);
            sql.prepare_cached(
                "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest,
                                       dataset_source_type, dataset_source, dataset_schema,
                                       dataset_profile)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                id,
                run.experiment,
                input.name,
                input.digest,
                input.source_type,
                input.source,
                input.schema,
                input.profile,
            ])?;
            id
        };
        let parts = [run.id.as_bytes(), dataset.as_bytes()];
        let id = stable_hex("mlops mlflow export input 1", &parts);
        let new = sql
            .prepare_cached(
                "INSERT OR IGNORE INTO inputs (input_uuid, source_type, source_id,
                                               destination_type, destination_id)
                 VALUES (?1, 'DATASET', ?2, 'RUN', ?3)",
            )?
            .execute(params![id, dataset, run.id])?;
        if new == 0 {
            done.repeated.push(input.name.clone());
            return Ok(());
        }
        done.stored += 1;
        for (name, value) in &input.tags {
            sql.prepare_cached(
                "INSERT INTO input_tags (input_uuid, name, value) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![id, name, value])?;
        }
        Ok(())
    }

    pub(super) fn points(
        &mut self,
        run: &str,
        points: &Points,
        latest: &mut Latest,
    ) -> Outcome<()> {
        let mut insert = self.0.prepare_cached(
            "INSERT OR IGNORE INTO metrics (run_uuid, \"key\", value, timestamp, step, is_nan)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for i in 0..points.len() {
            let point = MetricPoint {
                step: points.step[i],
                time_micros: points.time[i],
                value: points.value[i],
            };
            let key = points.keys[points.key[i] as usize].as_str();
            let stored = Stored::of(point);
            latest.infinite += u64::from(point.value.is_infinite());
            latest.negative_zeros +=
                u64::from(point.value == 0.0 && point.value.is_sign_negative());
            latest.times_cut += u64::from(point.time_micros % 1_000 != 0);
            let new = insert.execute(params![
                run,
                key,
                stored.value,
                stored.time_ms,
                stored.step,
                stored.is_nan
            ])?;
            latest.points += new as u64;
            latest.duplicates += u64::from(new == 0);
            match latest.best.get_mut(key) {
                Some(best) if stored.is_later(best) => *best = stored,
                Some(_) => {}
                None => {
                    latest.best.insert(key.to_owned(), stored);
                }
            }
        }
        Ok(())
    }

    pub(super) fn latest(&mut self, run: &str, latest: &Latest) -> Outcome<()> {
        let mut insert = self.0.prepare_cached(
            "INSERT INTO latest_metrics (run_uuid, \"key\", value, timestamp, step, is_nan)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for (key, best) in &latest.best {
            insert.execute(params![run, key, best.value, best.time_ms, best.step, best.is_nan])?;
        }
        Ok(())
    }

    /// Makes the indexes, which is faster than keeping them up, and counts what the query planner wants
    /// to know: MLflow's searches over thousands of runs are some 30 times faster with it.
    pub(super) fn finish(self) -> Outcome<()> {
        self.0.execute_batch(tables_and_indexes().1)?;
        self.0.execute_batch("COMMIT; ANALYZE;")?;
        self.0.close().map_err(|(_, error)| error)
    }
}

/// The indexes, and the revision, come last in the schema.
fn tables_and_indexes() -> (&'static str, &'static str) {
    SCHEMA.split_at(SCHEMA.find("-- index").unwrap_or(SCHEMA.len()))
}

fn stage(deleted: bool) -> &'static str {
    if deleted { "deleted" } else { "active" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: i64, time_ms: i64, value: f64) -> Stored {
        Stored::of(MetricPoint { step, time_micros: time_ms * 1_000, value })
    }

    #[test]
    fn the_latest_is_the_greatest_step_then_time_then_value_with_nan_as_zero() {
        assert!(at(2, 0, 0.0).is_later(&at(1, 9, 9.0)));
        assert!(at(1, 2, 0.0).is_later(&at(1, 1, 9.0)));
        assert!(at(1, 1, 2.0).is_later(&at(1, 1, 1.0)));
        assert!(at(1, 1, f64::NAN).is_later(&at(1, 1, -1.0)));
        assert!(!at(1, 1, f64::NAN).is_later(&at(1, 1, 1.0)));
        assert!(at(1, 1, 0.0).is_later(&at(1, 1, f64::NAN)));
    }

    #[test]
    fn what_sql_cannot_hold_is_clamped() {
        assert_eq!(at(0, 0, f64::NEG_INFINITY).value, -f64::MAX);
        assert!(at(0, 0, f64::NAN).is_nan);
        assert_eq!(Stored::of(MetricPoint { step: 0, time_micros: 1_999, value: 0.0 }).time_ms, 1);
    }
}
