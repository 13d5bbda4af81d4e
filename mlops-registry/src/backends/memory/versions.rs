//! Versions: registering and describing them.

use mlops_core::registry::{
    ModelVersion, RegisterVersion, Registered, VersionChanges, VersionId, check, events,
};
use mlops_core::tracking::{Blob, BlobLocation};
use mlops_core::{Error, ModelName, Result};

use super::state::{Author, State, change_tags, remove_tags, to_the_microsecond};

impl State {
    pub(super) fn register(
        &mut self,
        name: &ModelName,
        options: RegisterVersion,
        author: &Author,
    ) -> Result<Registered> {
        let operation = "registry.register";
        let model = self.model(name, operation)?;
        if model.deleted.is_some() {
            return Err(Error::invalid(operation, "the model is in the trash")
                .with("model", name)
                .with_hint("restore it first"));
        }
        let uploads = options.objects.iter().filter(|object| object.uploaded);
        let uploads: Vec<_> = uploads.map(|object| object.blob.location.clone()).collect();
        let digest = options.manifest.digest();
        let same = |version: &&ModelVersion| version.digest == digest && version.deleted.is_none();
        if options.reuse
            && let Some(there) = self.registry.versions_of(name).find(same)
        {
            let version = there.clone();
            return Ok(Registered { version, created: false, unneeded: self.unnamed(uploads) });
        }
        if let Some(run) = &options.manifest.run
            && options.origin.is_none()
            && options.imported.is_none()
        {
            self.run(run.id, operation)?;
        }
        let mut objects: Vec<Blob> = Vec::new();
        for object in options.objects {
            let known = self.find_blob(object.blob.digest);
            check::same_size(known.as_ref(), &object.blob)?;
            if known.is_none() && !object.uploaded {
                return Err(check::object_is_gone(object.blob.digest));
            }
            objects.push(known.unwrap_or(object.blob));
        }
        let imported = options.imported.unwrap_or_default();
        let number = check::next_number(model.last_number, imported.number)?;

        let id = VersionId::new(name.clone(), number);
        let by = imported.author.or(options.author).unwrap_or_else(|| author.actor.clone());
        let created = imported.created.map_or(author.now, to_the_microsecond);
        let mut version = ModelVersion::new(id.clone(), options.manifest, by, created);
        version.registrar = author.actor.clone();
        version.origin = options.origin;
        version.note = options.note;
        version.tags = options.tags;
        version.stage = imported.stage;
        options.evidence.into_iter().for_each(|evidence| version.attach(evidence));
        options.attestations.into_iter().for_each(|attestation| version.attest(attestation));

        let payload = events::version_register(&version, &author.actor);
        self.write(author, events::VERSION_REGISTER, &id, payload)?;
        self.objects.insert(id.clone(), objects);
        let version = self.version(&id, operation)?.clone();
        Ok(Registered { version, created: true, unneeded: self.unnamed(uploads) })
    }

    pub(super) fn update_version(
        &mut self,
        id: &VersionId,
        changes: VersionChanges,
        author: &Author,
    ) -> Result<ModelVersion> {
        let operation = "registry.update_version";
        let before = self.version(id, operation)?;
        let model_deleted = self.model(&id.model, operation)?.deleted.is_some();
        check::version_trash(before.deleted.is_some(), model_deleted, &changes)?;
        let deleted = changes.deleted.filter(|deleted| *deleted != before.deleted.is_some());
        if deleted == Some(true) {
            check::deletable_version(before)?;
        }

        let mut after = before.clone();
        let mut diff = VersionChanges::default();
        diff.note = changes.note.filter(|note| *note != before.note);
        change_tags(&mut after.tags, &mut diff.tags, changes.tags);
        remove_tags(&mut after.tags, &mut diff.remove_tags, changes.remove_tags);
        changes.evidence.into_iter().for_each(|evidence| after.attach(evidence));
        changes.attestations.into_iter().for_each(|attestation| after.attest(attestation));
        diff.evidence = check::new_findings(&before.evidence, after.evidence);
        diff.attestations = check::new_findings(&before.attestations, after.attestations);
        diff.deleted = deleted;
        if let Some(payload) = events::version_update(&diff, Some(author.now)) {
            self.write(author, events::VERSION_UPDATE, id, payload)?;
        }
        self.version(id, operation).cloned()
    }

    /// Those of the locations that nothing names.
    fn unnamed(&self, offered: Vec<BlobLocation>) -> Vec<BlobLocation> {
        offered.into_iter().filter(|location| !self.names(location)).collect()
    }
}
