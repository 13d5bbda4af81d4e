//! The rules that need no store: what a call may hold, and what may be deleted.
//!
//! As in [`tracking::check`](crate::tracking::check), they are here and pure because every backend must
//! apply the same ones. A backend calls the function named after its method before it opens a
//! transaction; then, inside it, the ones about what is stored, in this order: does it exist,
//! [`model_trash`] or [`version_trash`], expected aliases, [`deletable_model`] or
//! [`deletable_version`], aliases by name.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;

use super::model::{CreateModel, Model, ModelChanges};
use super::version::{ModelVersion, RegisterVersion, VersionChanges};
use crate::tracking::check::{blob, instant, one_wish_per_tag, text, texts};
use crate::tracking::{Blob, Digest};
use crate::{Alias, Error, ErrorKind, Result};

/// Longest environment of a manifest, and most bytes of a manifest's JSON text: 16 MiB.
pub const MAX_MANIFEST_BYTES: usize = 16 << 20;
/// Longest origin of a copied version, in bytes.
pub const MAX_ORIGIN_BYTES: usize = 4_096;

/// Checks what [`Registry::create_model`](super::Registry::create_model) is given.
///
/// # Errors
/// `Invalid` for a text that is too long or holds NUL, or an instant outside 1970..=9999.
pub fn create_model(options: &CreateModel) -> Result<()> {
    instant(options.created)?;
    text("note", "note", &options.note)?;
    texts("tag", &options.tags)
}

/// Checks what [`Registry::update_model`](super::Registry::update_model) is given.
///
/// # Errors
/// `Invalid` for a text that is too long or holds NUL, a label that is set and taken away at once, or
/// an alias to version 0.
pub fn model_changes(changes: &ModelChanges) -> Result<()> {
    note(changes.note.as_deref())?;
    texts("tag", &changes.tags)?;
    one_wish_per_tag(changes.tags.keys(), &changes.remove_tags)?;
    match changes.aliases.iter().find(|(_, number)| **number == Some(0)) {
        None => Ok(()),
        Some((alias, _)) => {
            Err(Error::invalid("alias", "names version 0; the first is 1").with("alias", alias))
        }
    }
}

/// Checks what [`Registry::register`](super::Registry::register) is given, and returns the manifest as it
/// is stored and hashed: its JSON text, which is the dear part of registering.
///
/// # Errors
/// `Invalid` for a manifest that contradicts itself or is too large, objects that are not exactly those
/// of its files, or a text, attestation or instant that may not be stored.
pub fn register(options: &RegisterVersion) -> Result<String> {
    let op = "registry.register";
    let manifest = &options.manifest;
    manifest.check()?;
    let json = manifest.to_json();
    if json.len() > MAX_MANIFEST_BYTES {
        return Err(Error::invalid(op, "the manifest is too large")
            .with("bytes", json.len())
            .with("at_most", MAX_MANIFEST_BYTES));
    }
    manifest.inputs.iter().try_for_each(crate::tracking::check::input)?;
    texts("param", &manifest.params)?;
    manifest.environment.as_ref().map_or(Ok(()), |e| crate::check_json("environment", e))?;
    let mut sizes: BTreeMap<Digest, u64> = BTreeMap::new();
    for object in &options.objects {
        blob(&object.blob)?;
        sizes.insert(object.blob.digest, object.blob.size);
    }
    let mut used = BTreeSet::new();
    for file in &manifest.files {
        match sizes.get(&file.digest) {
            Some(size) if *size == file.size => used.insert(file.digest),
            Some(size) => {
                return Err(Error::invalid(op, "a file's size is not that of its object")
                    .with("path", &file.path)
                    .with("file_bytes", file.size)
                    .with("object_bytes", size));
            }
            None => {
                return Err(Error::invalid(op, "a file of the manifest has no object")
                    .with("path", &file.path)
                    .with("digest", file.digest));
            }
        };
    }
    if used.len() != options.objects.len() {
        return Err(Error::invalid(op, "an object is that of no file, or is offered twice")
            .with("objects", options.objects.len())
            .with("digests_in_manifest", used.len()));
    }
    text("note", "note", &options.note)?;
    texts("tag", &options.tags)?;
    options.attestations.iter().try_for_each(super::Attestation::check)?;
    if let Some(origin) = &options.origin
        && (origin.len() > MAX_ORIGIN_BYTES || origin.chars().any(char::is_control))
    {
        return Err(Error::invalid(op, "the origin is too long or holds control characters")
            .with("bytes", origin.len())
            .with("at_most", MAX_ORIGIN_BYTES));
    }
    if options.author.is_some() && options.origin.is_none() {
        return Err(Error::invalid(op, "only a copy names another author than the one who calls"));
    }
    let Some(imported) = &options.imported else { return Ok(json) };
    instant(imported.created)?;
    if imported.number.is_some_and(|number| number == 0 || i64::try_from(number).is_err()) {
        return Err(Error::invalid(op, "an imported number is not within 1..=2^63 - 1"));
    }
    Ok(json)
}

/// Checks what [`Registry::update_version`](super::Registry::update_version) is given.
///
/// # Errors
/// `Invalid` for a text that is too long or holds NUL, a label that is set and taken away at once, or an
/// attestation that is none.
pub fn version_changes(changes: &VersionChanges) -> Result<()> {
    note(changes.note.as_deref())?;
    texts("tag", &changes.tags)?;
    one_wish_per_tag(changes.tags.keys(), &changes.remove_tags)?;
    changes.attestations.iter().try_for_each(super::Attestation::check)
}

/// Checks the words that go with a promotion or a verdict.
///
/// # Errors
/// `Invalid` if they are longer than [`MAX_VALUE_BYTES`](crate::tracking::MAX_VALUE_BYTES) or hold NUL.
pub fn words(what: &'static str, words: &str) -> Result<()> {
    text(what, what, words)
}

/// Checks that a model in the trash is only brought back, and that going there or coming back is a call
/// of its own.
///
/// # Errors
/// `Invalid` otherwise.
pub fn model_trash(deleted: bool, changes: &ModelChanges) -> Result<()> {
    let only = ModelChanges { deleted: changes.deleted, ..ModelChanges::default() };
    trash("registry.update_model", deleted, changes.deleted, *changes == only)
}

/// As [`model_trash`], for a version; `model_deleted`: its model is in the trash.
///
/// # Errors
/// `Invalid` otherwise.
pub fn version_trash(deleted: bool, model_deleted: bool, changes: &VersionChanges) -> Result<()> {
    let op = "registry.update_version";
    if model_deleted && *changes != VersionChanges::default() {
        return Err(
            Error::invalid(op, "the model is in the trash").with_hint("restore the model first")
        );
    }
    let only = VersionChanges { deleted: changes.deleted, ..VersionChanges::default() };
    trash(op, deleted, changes.deleted, *changes == only)
}

fn trash(op: &'static str, deleted: bool, wish: Option<bool>, alone: bool) -> Result<()> {
    match wish {
        Some(_) if !alone => Err(Error::invalid(op, "is moved to the trash, or back, and changed")
            .with_hint("make two calls")),
        None if deleted && !alone => {
            Err(Error::invalid(op, "is in the trash").with_hint("restore it first"))
        }
        _ => Ok(()),
    }
}

/// Checks what aliases must name before a change.
///
/// # Errors
/// `Conflict` naming the first that does not.
pub fn expected_aliases(model: &Model, changes: &ModelChanges) -> Result<()> {
    for (alias, expected) in &changes.expect_aliases {
        let found = model.aliases.get(alias).copied();
        if found != *expected {
            let show = |number: Option<u64>| number.map_or("nothing".to_owned(), |n| n.to_string());
            return Err(Error::new(
                ErrorKind::Conflict,
                "registry.update_model",
                "an alias names another version",
            )
            .with("alias", alias)
            .with("expected", show(*expected))
            .with("found", show(found)));
        }
    }
    Ok(())
}

/// Checks that a model may go to the trash.
///
/// # Errors
/// `Conflict` if an alias names one of its versions or one is in an active stage.
pub fn deletable_model(model: &Model) -> Result<()> {
    let op = "registry.update_model";
    let active = model.stages.iter().find(|(stage, held)| stage.is_active() && !held.is_empty());
    if let Some((stage, held)) = active {
        return Err(in_use(op, "a version is in an active stage")
            .with("stage", stage)
            .with("version", held[held.len() - 1]));
    }
    match model.aliases.first_key_value() {
        None => Ok(()),
        Some((alias, number)) => {
            Err(in_use(op, "an alias names a version").with("alias", alias).with("version", number))
        }
    }
}

/// Checks that a version may go to the trash.
///
/// # Errors
/// `Conflict` if an alias names it or it is in an active stage.
pub fn deletable_version(version: &ModelVersion) -> Result<()> {
    let op = "registry.update_version";
    if version.stage.is_active() {
        return Err(in_use(op, "the version is in an active stage").with("stage", version.stage));
    }
    match version.aliases.first() {
        None => Ok(()),
        Some(alias) => Err(in_use(op, "an alias names the version").with("alias", alias)),
    }
}

/// The error for an object that was taken for known and is not named any more.
#[cold]
pub fn object_is_gone(digest: Digest) -> Error {
    Error::new(ErrorKind::Conflict, "registry.register", "nothing names the object any more")
        .with("digest", digest)
        .with_hint("upload it, then offer it as uploaded")
}

/// Checks that an offered object has the size of the known one of its digest.
///
/// # Errors
/// `Invalid` if not: one of the two sizes is a lie, and the version could never be read.
pub fn same_size(known: Option<&Blob>, offered: &Blob) -> Result<()> {
    match known {
        Some(known) if known.size != offered.size => {
            Err(Error::invalid("registry.register", "an object of this digest has another size")
                .with("digest", offered.digest)
                .with("stored_bytes", known.size)
                .with("offered_bytes", offered.size))
        }
        _ => Ok(()),
    }
}

/// The error for an alias of a version that is not there.
#[cold]
pub fn no_such_version(alias: &Alias, number: u64) -> Error {
    Error::not_found("registry.update_model", "the alias would name a version that is not there")
        .with("alias", alias)
        .with("version", number)
}

/// What is there `after` a change and was not `before` it, as it is stored: NaN is the same as NaN.
pub fn new_findings<T: Serialize>(before: &[T], after: Vec<T>) -> Vec<T> {
    if before.is_empty() {
        return after;
    }
    let before: Vec<_> = before.iter().map(|item| json!(item)).collect();
    after.into_iter().filter(|item| !before.contains(&json!(item))).collect()
}

/// The number of the next version, where `last` is the greatest that ever was.
///
/// # Errors
/// `Conflict` if an import asks for a number that is not greater; `Invalid` after 2^63 - 1.
pub fn next_number(last: u64, imported: Option<u64>) -> Result<u64> {
    match imported {
        None if last >= i64::MAX as u64 => {
            Err(Error::invalid("registry.register", "the model has used up its numbers"))
        }
        None => Ok(last + 1),
        Some(number) if number > last => Ok(number),
        Some(number) => Err(Error::new(
            ErrorKind::Conflict,
            "registry.register",
            "the imported number is not greater than all before",
        )
        .with("number", number)
        .with("last", last)
        .with_hint("import versions in their order, before others are registered")),
    }
}

fn note(note: Option<&str>) -> Result<()> {
    note.map_or(Ok(()), |note| text("note", "note", note))
}

#[cold]
fn in_use(op: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, op, message)
        .with_hint("move it out of its stage, and its aliases away, first")
}
