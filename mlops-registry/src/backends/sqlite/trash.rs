//! Taking away for ever what is in the trash.

use mlops_core::tracking::{Purge, PurgePlan, PurgeReport, events};
use mlops_core::{Error, ErrorKind, ExperimentId, RunId, time};
use rusqlite::{Connection, params};

use super::fail::Outcome;
use super::{Writer, artifacts, experiments, lineage, runs};

pub(super) fn plan(sql: &Connection, what: &Purge) -> Outcome<PurgePlan> {
    let op = "tracker.plan_purge";
    let mut plan = PurgePlan::default();
    match what {
        Purge::DeletedBefore(instant) => {
            let before = time::to_micros(*instant)?;
            plan.experiments = ids(
                sql,
                "SELECT uid FROM experiments WHERE deleted < ?1 ORDER BY uid",
                before,
                ExperimentId::from_bytes,
            )?;
            // The runs of a purged experiment go with it, whenever they were deleted themselves.
            plan.runs = ids(
                sql,
                "SELECT r.uid FROM runs r JOIN experiments e ON e.id = r.experiment
                 WHERE r.deleted < ?1 OR e.deleted < ?1 ORDER BY r.uid",
                before,
                RunId::from_bytes,
            )?;
        }
        Purge::Runs(wanted) => {
            for id in wanted {
                let stored = runs::find(sql, *id)?.ok_or_else(|| runs::missing(op, *id))?;
                if stored.run.deleted.is_none() {
                    return Err(not_in_trash(ErrorKind::Invalid, op, "run", id).into());
                }
                plan.runs.push(*id);
            }
        }
        Purge::Experiments(wanted) => {
            for id in wanted {
                let stored =
                    experiments::find(sql, *id)?.ok_or_else(|| experiments::missing(op, *id))?;
                if stored.experiment.deleted.is_none() {
                    return Err(not_in_trash(ErrorKind::Invalid, op, "experiment", id).into());
                }
                plan.experiments.push(*id);
                plan.runs.extend(ids(
                    sql,
                    "SELECT uid FROM runs WHERE experiment = ?1",
                    stored.row,
                    RunId::from_bytes,
                )?);
            }
        }
        other => {
            return Err(Error::new(ErrorKind::Unsupported, op, "unknown kind of purge")
                .with("purge", format!("{other:?}"))
                .into());
        }
    }
    plan.experiments.sort();
    plan.experiments.dedup();
    plan.runs.sort();
    plan.runs.dedup();
    for id in &plan.runs {
        let (count, bytes): (i64, i64) = sql
            .prepare_cached(
                "SELECT count(*), coalesce(sum(b.size), 0) FROM runs r
                 JOIN artifacts a ON a.run = r.id JOIN blobs b ON b.id = a.blob WHERE r.uid = ?1",
            )?
            .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        plan.artifacts += count as u64;
        plan.artifact_bytes += bytes as u64;
    }
    Ok(plan)
}

pub(super) fn purge(writer: &Writer<'_>, plan: &PurgePlan) -> Outcome<PurgeReport> {
    let sql = writer.sql;
    let op = "tracker.purge";
    let mut report = PurgeReport::default();
    for id in &plan.runs {
        let Some(stored) = runs::find(sql, *id)? else { continue };
        if stored.run.deleted.is_none() {
            return Err(not_in_trash(ErrorKind::Conflict, op, "run", id).into());
        }
        purge_run(writer, &stored, &mut report)?;
    }
    for id in &plan.experiments {
        let Some(stored) = experiments::find(sql, *id)? else { continue };
        if stored.experiment.deleted.is_none() {
            return Err(not_in_trash(ErrorKind::Conflict, op, "experiment", id).into());
        }
        let left = ids(
            sql,
            "SELECT uid FROM runs WHERE experiment = ?1 LIMIT 1",
            stored.row,
            RunId::from_bytes,
        )?;
        if let Some(run) = left.first() {
            return Err(Error::new(
                ErrorKind::Conflict,
                op,
                "an experiment has a run that the plan does not name",
            )
            .with("run", run)
            .with_hint("make a new plan")
            .into());
        }
        for table in [
            "DELETE FROM experiment_tags WHERE experiment = ?1",
            "DELETE FROM experiments WHERE id = ?1",
        ] {
            sql.prepare_cached(table)?.execute([stored.row])?;
        }
        let payload = events::experiment_purge(&stored.experiment);
        writer.journal(events::EXPERIMENT_PURGE, &(*id).into(), &payload)?;
        report.experiments += 1;
    }
    Ok(report)
}

fn purge_run(writer: &Writer<'_>, stored: &runs::Stored, report: &mut PurgeReport) -> Outcome<()> {
    let sql = writer.sql;
    let row = stored.row;
    let blobs: Vec<i64> = sql
        .prepare_cached(
            "SELECT blob FROM artifacts WHERE run = ?1
             UNION SELECT blob FROM chunks WHERE run = ?1 AND blob IS NOT NULL",
        )?
        .query_map([row], |r| r.get(0))?
        .collect::<Result<_, _>>()?;
    for statement in [
        "DELETE FROM params WHERE run = ?1",
        "DELETE FROM tags WHERE run = ?1",
        "DELETE FROM summaries WHERE run = ?1",
        "DELETE FROM inputs WHERE run = ?1",
        "DELETE FROM artifacts WHERE run = ?1",
        "DELETE FROM chunks WHERE run = ?1",
        "DELETE FROM spools WHERE run = ?1",
        "DELETE FROM runs WHERE id = ?1",
    ] {
        sql.prepare_cached(statement)?.execute([row])?;
    }
    for blob in blobs {
        report.freed.extend(artifacts::drop_if_unnamed(sql, blob)?);
    }
    let run = &stored.run;
    lineage::forget(sql, &run.id.into())?;
    writer.journal(events::RUN_PURGE, &run.id.into(), &events::run_purge(run))?;
    report.runs += 1;
    Ok(())
}

fn ids<T>(
    sql: &Connection,
    statement: &str,
    value: i64,
    make: impl Fn([u8; 16]) -> T,
) -> Outcome<Vec<T>> {
    let mut statement = sql.prepare_cached(statement)?;
    let rows = statement.query_map(params![value], |row| row.get(0))?;
    Ok(rows.map(|row| row.map(&make)).collect::<Result<_, _>>()?)
}

pub(super) fn not_in_trash(
    kind: ErrorKind,
    op: &'static str,
    what: &'static str,
    id: &dyn std::fmt::Display,
) -> Error {
    Error::new(kind, op, "is not in the trash")
        .with(what, id)
        .with_hint("delete it first; only what is in the trash is purged")
}
