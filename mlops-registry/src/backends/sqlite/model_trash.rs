//! Taking models and versions away for ever.

use mlops_core::registry::{ModelPurge, ModelPurgePlan, ModelPurgeReport, VersionId, events};
use mlops_core::{Error, ErrorKind, ModelName, time};
use rusqlite::{Connection, Row, params};

use super::fail::Outcome;
use super::trash::not_in_trash;
use super::{Writer, artifacts, lineage, models, promotion, versions};

pub(super) fn plan(sql: &Connection, what: &ModelPurge) -> Outcome<ModelPurgePlan> {
    let op = "registry.plan_model_purge";
    let mut plan = ModelPurgePlan::default();
    match what {
        ModelPurge::DeletedBefore(instant) => {
            let before = time::to_micros(*instant)?;
            let mut statement =
                sql.prepare_cached("SELECT name FROM models WHERE deleted < ?1 ORDER BY name")?;
            let names = statement.query_map([before], |row| row.get::<_, String>(0))?;
            for name in names {
                plan.models.push(ModelName::new(name?)?);
            }
            // The versions of a purged model go with it, whenever they were deleted themselves.
            plan.versions = ids(
                sql,
                "SELECT m.name, v.number FROM versions v JOIN models m ON m.id = v.model
                 WHERE v.deleted < ?1 OR m.deleted < ?1",
                before,
            )?;
        }
        ModelPurge::Versions(wanted) => {
            for id in wanted {
                let stored = versions::find(sql, id)?.ok_or_else(|| versions::missing(op, id))?;
                if stored.version.deleted.is_none() && !stored.model_deleted {
                    return Err(not_in_trash(ErrorKind::Invalid, op, "version", id).into());
                }
                plan.versions.push(id.clone());
            }
        }
        ModelPurge::Models(wanted) => {
            for name in wanted {
                let stored = models::find(sql, name)?.ok_or_else(|| models::missing(op, name))?;
                if stored.model.deleted.is_none() {
                    return Err(not_in_trash(ErrorKind::Invalid, op, "model", name).into());
                }
                plan.models.push(name.clone());
                plan.versions.extend(ids(
                    sql,
                    "SELECT m.name, v.number FROM versions v JOIN models m ON m.id = v.model
                     WHERE v.model = ?1",
                    stored.row,
                )?);
            }
        }
        other => {
            return Err(Error::new(ErrorKind::Unsupported, op, "unknown kind of purge")
                .with("purge", format!("{other:?}"))
                .into());
        }
    }
    plan.models.sort();
    plan.models.dedup();
    plan.versions.sort();
    plan.versions.dedup();
    for id in &plan.versions {
        if let Some(stored) = versions::find(sql, id)? {
            plan.files += stored.version.manifest.files.len() as u64;
            plan.bytes += stored.version.manifest.bytes();
        }
    }
    Ok(plan)
}

pub(super) fn purge(writer: &Writer<'_>, plan: &ModelPurgePlan) -> Outcome<ModelPurgeReport> {
    let sql = writer.sql;
    let op = "registry.purge_models";
    let mut report = ModelPurgeReport::default();
    for id in &plan.versions {
        let Some(stored) = versions::find(sql, id)? else { continue };
        if stored.version.deleted.is_none() && !stored.model_deleted {
            return Err(not_in_trash(ErrorKind::Conflict, op, "version", id).into());
        }
        purge_version(writer, id, &stored, &mut report)?;
    }
    for name in &plan.models {
        let Some(stored) = models::find(sql, name)? else { continue };
        if stored.model.deleted.is_none() {
            return Err(not_in_trash(ErrorKind::Conflict, op, "model", name).into());
        }
        let left = ids(
            sql,
            "SELECT m.name, v.number FROM versions v JOIN models m ON m.id = v.model
             WHERE v.model = ?1 LIMIT 1",
            stored.row,
        )?;
        if let Some(version) = left.first() {
            return Err(Error::new(
                ErrorKind::Conflict,
                op,
                "a model has a version that the plan does not name",
            )
            .with("version", version)
            .with_hint("make a new plan")
            .into());
        }
        sql.prepare_cached("INSERT INTO purged_models (name, last_number) VALUES (?1, ?2)")?
            .execute(params![name.as_str(), stored.model.last_number as i64])?;
        for statement in [
            "DELETE FROM model_tags WHERE model = ?1",
            "DELETE FROM aliases WHERE model = ?1",
            "DELETE FROM stage_moves WHERE model = ?1",
            "DELETE FROM models WHERE id = ?1",
        ] {
            sql.prepare_cached(statement)?.execute([stored.row])?;
        }
        writer.journal(events::MODEL_PURGE, &name.into(), &events::model_purge(&stored.model))?;
        report.models += 1;
    }
    report.freed.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(report)
}

fn purge_version(
    writer: &Writer<'_>,
    id: &VersionId,
    stored: &versions::Stored,
    report: &mut ModelPurgeReport,
) -> Outcome<()> {
    let sql = writer.sql;
    let row = stored.row;
    let blobs: Vec<i64> = sql
        .prepare_cached("SELECT blob FROM version_blobs WHERE version = ?1")?
        .query_map([row], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    promotion::forget(sql, row)?;
    for statement in [
        "DELETE FROM version_tags WHERE version = ?1",
        "DELETE FROM version_metrics WHERE version = ?1",
        "DELETE FROM version_params WHERE version = ?1",
        "DELETE FROM version_inputs WHERE version = ?1",
        "DELETE FROM version_blobs WHERE version = ?1",
        "DELETE FROM evidence WHERE version = ?1",
        "DELETE FROM attestations WHERE version = ?1",
        "DELETE FROM versions WHERE id = ?1",
    ] {
        sql.prepare_cached(statement)?.execute([row])?;
    }
    for blob in blobs {
        report.freed.extend(artifacts::drop_if_unnamed(sql, blob)?);
    }
    lineage::forget(sql, &id.into())?;
    writer.journal(events::VERSION_PURGE, &id.into(), &events::version_purge(&stored.version))?;
    report.versions += 1;
    Ok(())
}

fn ids(sql: &Connection, statement: &str, value: i64) -> Outcome<Vec<VersionId>> {
    let mut statement = sql.prepare_cached(statement)?;
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
    let mut out = Vec::new();
    for found in statement.query_map([value], read)? {
        let (model, number) = found?;
        out.push(VersionId::new(ModelName::new(model)?, number as u64));
    }
    Ok(out)
}
