//! Versions in SQLite: making, changing, reading and resolving one.

use std::collections::BTreeMap;

use mlops_core::filter::param_number;
use mlops_core::journal::Actor;
use mlops_core::registry::{
    Attestation, Evidence, Manifest, ModelVersion, RegisterVersion, Registered, Selector, Stage,
    VersionChanges, VersionId, VersionObject, check, events, lineage as edges_of,
};
use mlops_core::tracking::Digest;
use mlops_core::{Alias, Error, Key, ModelName, time};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Writer;
use super::fail::{Fail, Outcome};
use super::names::{self, Names};
use super::{artifacts, lineage, models, promotion, runs};

const COLUMNS: &str = "v.id, v.model, m.name, v.number, v.stage, v.created, v.updated, v.deleted, \
                       v.digest, v.author, v.origin, v.note, v.manifest, m.deleted, v.registrar";

/// A version's own row, without what hangs on it.
pub(super) struct Stored {
    pub(super) row: i64,
    pub(super) model_row: i64,
    pub(super) model_deleted: bool,
    pub(super) version: ModelVersion,
}

pub(super) fn register(
    writer: &Writer<'_>,
    name: &ModelName,
    options: RegisterVersion,
    json: &str,
) -> Outcome<Registered> {
    let op = "registry.register";
    let digest = Manifest::digest_of(json);
    let sql = writer.sql;
    let model = models::find(sql, name)?.ok_or_else(|| models::missing(op, name))?;
    if model.model.deleted.is_some() {
        return Err(Error::invalid(op, "the model is in the trash")
            .with("model", name)
            .with_hint("restore it first")
            .into());
    }
    if options.reuse
        && let Some(version) = find_digest(sql, model.row, digest)?
    {
        let mut unneeded = Vec::new();
        for object in options.objects.into_iter().filter(|object| object.uploaded) {
            let known = artifacts::find_blob(sql, object.blob.digest)?;
            // A call that is made again may offer what the first one named.
            if known.is_none_or(|known| known.location != object.blob.location) {
                unneeded.push(object.blob.location);
            }
        }
        return Ok(Registered { version, created: false, unneeded });
    }
    let elsewhere = options.origin.is_some() || options.imported.is_some();
    if let Some(run) = &options.manifest.run
        && !elsewhere
        && runs::find(sql, run.id)?.is_none()
    {
        return Err(runs::missing(op, run.id).with("as", "source run").into());
    }
    let imported = options.imported.unwrap_or_default();
    let number = check::next_number(model.model.last_number, imported.number)?;
    let created = imported.created.map_or(Ok(writer.now), time::to_micros)?;
    let id = VersionId::new(name.clone(), number);
    let author = imported.author.or(options.author).unwrap_or_else(|| writer.actor.clone());
    let created_at = time::from_micros(created)?;
    let mut version =
        ModelVersion::with_digest(id.clone(), options.manifest, digest, author, created_at);
    version.registrar = writer.actor.clone();
    version.origin = options.origin;
    version.note = options.note;
    version.tags = options.tags;
    version.stage = imported.stage;
    options.evidence.into_iter().for_each(|evidence| version.attach(evidence));
    options.attestations.into_iter().for_each(|attestation| version.attest(attestation));

    let payload = events::version_register(&version, writer.actor);
    let sequence = writer.journal(events::VERSION_REGISTER, &(&id).into(), &payload)?;
    sql.prepare_cached(
        "INSERT INTO versions (model, number, stage, staged, created, updated, digest, run, author,
                               registrar, origin, note, manifest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        model.row,
        number as i64,
        version.stage.as_str(),
        sequence,
        created,
        digest.0,
        version.manifest.run.as_ref().map(|run| run.id.as_bytes().to_vec()),
        version.author.as_str(),
        version.registrar.as_str(),
        version.origin,
        version.note,
        json,
    ])?;
    let row = sql.last_insert_rowid();
    sql.prepare_cached("UPDATE models SET last_number = ?2, updated = ?3 WHERE id = ?1")?
        .execute(params![model.row, number as i64, writer.now])?;
    set_tags(sql, row, &version.tags)?;
    copy_for_search(sql, row, &version.manifest)?;
    version.evidence.iter().try_for_each(|evidence| set_evidence(sql, row, evidence))?;
    version.attestations.iter().try_for_each(|a| set_attestation(sql, row, a))?;
    let unneeded = name_objects(sql, row, options.objects)?;
    lineage::add(sql, &edges_of::of_version(&version))?;
    if version.stage != Stage::None {
        promotion::note_import(sql, model.row, &version, sequence)?;
    }
    Ok(Registered { version, created: true, unneeded })
}

fn find_digest(sql: &Connection, model: i64, digest: Digest) -> Outcome<Option<ModelVersion>> {
    let row: Option<i64> = sql
        .prepare_cached(
            "SELECT id FROM versions WHERE digest = ?2 AND model = ?1 AND deleted IS NULL
             ORDER BY number LIMIT 1",
        )?
        .query_row(params![model, digest.0], |row| row.get(0))
        .optional()?;
    row.map(|row| load_row(sql, row, &mut Names::default())).transpose()
}

fn name_objects(
    sql: &Connection,
    version: i64,
    objects: Vec<VersionObject>,
) -> Outcome<Vec<mlops_core::tracking::BlobLocation>> {
    let mut unneeded = Vec::new();
    for VersionObject { blob, uploaded } in objects {
        let known = artifacts::find_blob(sql, blob.digest)?;
        check::same_size(known.as_ref(), &blob)?;
        if !uploaded && known.is_none() {
            return Err(check::object_is_gone(blob.digest).into());
        }
        let (id, discarded) = artifacts::name_blob(sql, &blob)?;
        unneeded.extend(discarded.filter(|_| uploaded));
        sql.prepare_cached("INSERT OR IGNORE INTO version_blobs (version, blob) VALUES (?1, ?2)")?
            .execute([version, id])?;
    }
    Ok(unneeded)
}

/// What searches compare: single values of the manifest, in columns.
fn copy_for_search(sql: &Connection, row: i64, manifest: &Manifest) -> Outcome<()> {
    for (key, value) in &manifest.metrics {
        sql.prepare_cached(
            "INSERT INTO version_metrics (version, key, value) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![row, names::intern(sql, key)?, value])?;
    }
    for (key, value) in &manifest.params {
        sql.prepare_cached(
            "INSERT INTO version_params (version, key, value, number) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![row, names::intern(sql, key)?, value, param_number(value)])?;
    }
    for (place, input) in manifest.inputs.iter().enumerate() {
        sql.prepare_cached(
            "INSERT INTO version_inputs (version, place, name, digest, context)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            row,
            place as i64,
            input.name.as_str(),
            input.digest.as_str(),
            input.context.as_str(),
        ])?;
    }
    Ok(())
}

pub(super) fn update(
    writer: &Writer<'_>,
    id: &VersionId,
    changes: VersionChanges,
) -> Outcome<ModelVersion> {
    let sql = writer.sql;
    let op = "registry.update_version";
    let stored = find(sql, id)?.ok_or_else(|| missing(op, id))?;
    let (row, model_deleted) = (stored.row, stored.model_deleted);
    let mut version = load(sql, stored, &mut Names::default())?;
    check::version_trash(version.deleted.is_some(), model_deleted, &changes)?;
    let mut changed = VersionChanges::default();
    changed.deleted = changes.deleted.filter(|deleted| *deleted != version.deleted.is_some());
    if changed.deleted == Some(true) {
        check::deletable_version(&version)?;
    }
    changed.note = changes.note.filter(|note| *note != version.note);
    for (key, value) in changes.tags {
        if version.tags.get(&key) != Some(&value) {
            version.tags.insert(key.clone(), value.clone());
            changed.tags.insert(key, value);
        }
    }
    for key in changes.remove_tags {
        if version.tags.remove(&key).is_some() {
            changed.remove_tags.push(key);
        }
    }
    let (evidence, attestations) = (version.evidence.clone(), version.attestations.clone());
    changes.evidence.into_iter().for_each(|finding| version.attach(finding));
    changes.attestations.into_iter().for_each(|attestation| version.attest(attestation));
    changed.evidence = check::new_findings(&evidence, version.evidence.clone());
    changed.attestations = check::new_findings(&attestations, version.attestations.clone());
    let now = time::from_micros(writer.now)?;
    match changed.deleted {
        Some(true) => version.deleted = Some(now),
        Some(false) => version.deleted = None,
        None => {}
    }
    let Some(payload) = events::version_update(&changed, version.deleted) else {
        return Ok(version);
    };

    if let Some(note) = &changed.note {
        version.note.clone_from(note);
    }
    version.updated = now;
    set_tags(sql, row, &changed.tags)?;
    for key in &changed.remove_tags {
        sql.prepare_cached("DELETE FROM version_tags WHERE version = ?1 AND key = ?2")?
            .execute(params![row, names::find(sql, key)?])?;
    }
    changed.evidence.iter().try_for_each(|evidence| set_evidence(sql, row, evidence))?;
    changed.attestations.iter().try_for_each(|a| set_attestation(sql, row, a))?;
    sql.prepare_cached("UPDATE versions SET note = ?2, deleted = ?3, updated = ?4 WHERE id = ?1")?
        .execute(params![
            row,
            version.note,
            version.deleted.map(|d| d.timestamp_micros()),
            writer.now
        ])?;
    writer.journal(events::VERSION_UPDATE, &id.into(), &payload)?;
    Ok(version)
}

pub(super) fn resolve(
    sql: &Connection,
    model: &ModelName,
    selector: &Selector,
) -> Outcome<VersionId> {
    let name = model.as_str();
    let number = |row: &Row<'_>| row.get::<_, i64>(0);
    let found = match selector {
        Selector::Number(wanted) => sql
            .prepare_cached(
                "SELECT v.number FROM models m JOIN versions v ON v.model = m.id
                 WHERE m.name = ?1 AND m.deleted IS NULL AND v.number = ?2 AND v.deleted IS NULL",
            )?
            .query_row(params![name, i64::try_from(*wanted).unwrap_or(-1)], number),
        Selector::Alias(alias) => sql
            .prepare_cached(
                "SELECT a.number FROM models m JOIN aliases a ON a.model = m.id
                 WHERE m.name = ?1 AND m.deleted IS NULL AND a.alias = ?2",
            )?
            .query_row(params![name, alias.as_str()], number),
        Selector::Stage(stage) => sql
            .prepare_cached(
                "SELECT v.number FROM models m JOIN versions v ON v.stage = ?2 AND v.model = m.id
                 WHERE m.name = ?1 AND m.deleted IS NULL AND v.deleted IS NULL
                 ORDER BY v.staged DESC, v.number DESC LIMIT 1",
            )?
            .query_row(params![name, stage.as_str()], number),
        Selector::Latest => sql
            .prepare_cached(
                "SELECT v.number FROM models m JOIN versions v ON v.model = m.id
                 WHERE m.name = ?1 AND m.deleted IS NULL AND v.deleted IS NULL
                 ORDER BY v.number DESC LIMIT 1",
            )?
            .query_row(params![name], number),
        other => {
            return Err(Error::new(
                mlops_core::ErrorKind::Unsupported,
                "registry.resolve",
                "this backend does not know the selector",
            )
            .with("selector", other)
            .into());
        }
    };
    match found.optional()? {
        Some(number) => Ok(VersionId::new(model.clone(), number as u64)),
        None => Err(unresolved(sql, model, selector)?.into()),
    }
}

/// Why nothing was found.
fn unresolved(sql: &Connection, model: &ModelName, selector: &Selector) -> Outcome<Error> {
    let op = "registry.resolve";
    let Some(stored) = models::find(sql, model)? else { return Ok(models::missing(op, model)) };
    let error = if stored.model.deleted.is_some() {
        Error::not_found(op, "the model is in the trash")
    } else {
        Error::not_found(op, "the model has no such version")
    };
    Ok(error.with("uri", format!("models:/{model}{selector}")))
}

pub(super) fn missing(op: &'static str, id: &VersionId) -> Error {
    Error::not_found(op, "no version has this number").with("version", id)
}

pub(super) fn find(sql: &Connection, id: &VersionId) -> Outcome<Option<Stored>> {
    sql.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM models m JOIN versions v ON v.model = m.id
         WHERE m.name = ?1 AND v.number = ?2"
    ))?
    .query_row(params![id.model.as_str(), i64::try_from(id.number).unwrap_or(-1)], |row| {
        Ok(stored(row))
    })
    .optional()?
    .transpose()
}

/// The version of this row number, with all that hangs on it.
pub(super) fn load_row(sql: &Connection, row: i64, names: &mut Names) -> Outcome<ModelVersion> {
    let found = sql
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM versions v JOIN models m ON m.id = v.model WHERE v.id = ?1"
        ))?
        .query_row([row], |row| Ok(stored(row)))??;
    load(sql, found, names)
}

/// Adds what hangs on the version.
pub(super) fn load(sql: &Connection, stored: Stored, names: &mut Names) -> Outcome<ModelVersion> {
    let Stored { row, model_row, mut version, .. } = stored;
    let mut statement =
        sql.prepare_cached("SELECT key, value FROM version_tags WHERE version = ?1")?;
    let mut rows = statement.query([row])?;
    while let Some(row) = rows.next()? {
        version.tags.insert(names.of(sql, row.get(0)?)?, row.get(1)?);
    }
    let mut statement =
        sql.prepare_cached("SELECT alias FROM aliases WHERE model = ?1 AND number = ?2")?;
    let mut rows = statement.query(params![model_row, version.number as i64])?;
    while let Some(row) = rows.next()? {
        version.aliases.insert(Alias::new(row.get::<_, String>(0)?)?);
    }
    let mut statement = sql.prepare_cached("SELECT body FROM evidence WHERE version = ?1")?;
    let mut rows = statement.query([row])?;
    while let Some(row) = rows.next()? {
        let body = row.get_ref(0)?.as_str().map_err(|_| EVIDENCE)?;
        version.attach(serde_json::from_str(body).map_err(|_| EVIDENCE)?);
    }
    let mut statement =
        sql.prepare_cached("SELECT key, signature, at FROM attestations WHERE version = ?1")?;
    let mut rows = statement.query([row])?;
    while let Some(row) = rows.next()? {
        version.attest(Attestation {
            key: row.get(0)?,
            signature: row.get(1)?,
            at: time::from_micros(row.get(2)?)?,
        });
    }
    Ok(version)
}

fn stored(row: &Row<'_>) -> Outcome<Stored> {
    let text = |i, what| row.get_ref(i)?.as_str().map_err(|_| Fail::Stored { what });
    let manifest: Manifest = serde_json::from_str(text(12, "versions.manifest")?)
        .map_err(|_| Fail::Stored { what: "versions.manifest" })?;
    let id = VersionId::new(ModelName::new(text(2, "models.name")?)?, row.get::<_, i64>(3)? as u64);
    let author = Actor::new(text(9, "versions.author")?)?;
    let created = time::from_micros(row.get(5)?)?;
    let mut version = ModelVersion::with_digest(id, manifest, Digest(row.get(8)?), author, created);
    version.stage =
        text(4, "versions.stage")?.parse().map_err(|_| Fail::Stored { what: "versions.stage" })?;
    version.updated = time::from_micros(row.get(6)?)?;
    version.deleted = row.get::<_, Option<i64>>(7)?.map(time::from_micros).transpose()?;
    version.registrar = Actor::new(text(14, "versions.registrar")?)?;
    version.origin = row.get(10)?;
    version.note = row.get(11)?;
    Ok(Stored {
        row: row.get(0)?,
        model_row: row.get(1)?,
        model_deleted: row.get::<_, Option<i64>>(13)?.is_some(),
        version,
    })
}

const EVIDENCE: Fail = Fail::Stored { what: "evidence.body" };

fn set_tags(sql: &Connection, row: i64, tags: &BTreeMap<Key, String>) -> Outcome<()> {
    for (key, value) in tags {
        sql.prepare_cached(
            "INSERT INTO version_tags (version, key, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (version, key) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![row, names::intern(sql, key)?, value])?;
    }
    Ok(())
}

fn set_evidence(sql: &Connection, row: i64, evidence: &Evidence) -> Outcome<()> {
    let body = serde_json::to_string(evidence).map_err(|_| EVIDENCE)?;
    sql.prepare_cached(
        "INSERT INTO evidence (version, kind, name, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (version, kind, name) DO UPDATE SET body = excluded.body",
    )?
    .execute(params![row, evidence.kind(), evidence.name().as_str(), body])?;
    Ok(())
}

fn set_attestation(sql: &Connection, row: i64, attestation: &Attestation) -> Outcome<()> {
    sql.prepare_cached(
        "INSERT INTO attestations (version, key, signature, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (version, key) DO UPDATE
         SET signature = excluded.signature, at = excluded.at",
    )?
    .execute(params![
        row,
        attestation.key,
        attestation.signature,
        attestation.at.timestamp_micros()
    ])?;
    Ok(())
}
