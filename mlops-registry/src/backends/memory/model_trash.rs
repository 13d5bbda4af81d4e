//! Taking models and versions away for ever.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::lineage::Node;
use mlops_core::registry::{
    ModelPurge, ModelPurgePlan, ModelPurgeReport, ModelVersion, VersionId, events,
};
use mlops_core::time::Instant;
use mlops_core::{Error, ErrorKind, ModelName, Result};

use super::state::{Author, State};
use super::trash::in_trash;

impl State {
    pub(super) fn plan_model_purge(&self, what: &ModelPurge) -> Result<ModelPurgePlan> {
        let operation = "registry.plan_model_purge";
        let mut models: BTreeSet<ModelName> = BTreeSet::new();
        let mut versions: BTreeSet<VersionId> = BTreeSet::new();
        match what {
            ModelPurge::DeletedBefore(instant) => {
                let before = |deleted: Option<Instant>| deleted.is_some_and(|at| at < *instant);
                let old = self.registry.models().values().filter(|model| before(model.deleted));
                models.extend(old.map(|model| model.name.clone()));
                let old = self.registry.versions().values().filter(|old| before(old.deleted));
                versions.extend(old.map(ModelVersion::id));
            }
            ModelPurge::Versions(ids) => {
                for id in ids {
                    let version = self.version(id, operation)?;
                    let of_model = self.model(&id.model, operation)?.deleted;
                    in_trash(version.deleted.or(of_model), operation, &Node::from(id))?;
                    versions.insert(id.clone());
                }
            }
            ModelPurge::Models(names) => {
                for name in names {
                    in_trash(self.model(name, operation)?.deleted, operation, &Node::from(name))?;
                    models.insert(name.clone());
                }
            }
            _ => {
                return Err(Error::new(ErrorKind::Unsupported, operation, "unknown kind of purge"));
            }
        }
        let theirs = models.iter().flat_map(|name| self.registry.versions_of(name));
        versions.extend(theirs.map(ModelVersion::id));

        let manifests = || {
            let named = versions.iter().filter_map(|id| self.registry.version(id));
            named.map(|version| &version.manifest)
        };
        Ok(ModelPurgePlan {
            files: manifests().map(|manifest| manifest.files.len() as u64).sum(),
            bytes: manifests().fold(0, |sum, manifest| manifest.bytes().saturating_add(sum)),
            models: models.into_iter().collect(),
            versions: versions.into_iter().collect(),
        })
    }

    pub(super) fn purge_models(
        &mut self,
        plan: &ModelPurgePlan,
        author: &Author,
    ) -> Result<ModelPurgeReport> {
        let conflict = |message: &'static str| {
            Error::new(ErrorKind::Conflict, "registry.purge_models", message)
        };
        for version in plan.versions.iter().filter_map(|id| self.registry.version(id)) {
            if !self.is_in_trash(version) {
                return Err(conflict("a version is no longer in the trash")
                    .with("version", version.id())
                    .with_hint("make a new plan"));
            }
        }
        for model in plan.models.iter().filter_map(|name| self.registry.model(name)) {
            if model.deleted.is_none() {
                return Err(conflict("a model is no longer in the trash")
                    .with("model", &model.name)
                    .with_hint("make a new plan"));
            }
            let mut theirs = self.registry.versions_of(&model.name).map(ModelVersion::id);
            if let Some(other) = theirs.find(|id| !plan.versions.contains(id)) {
                return Err(conflict("a model has a version that the plan does not name")
                    .with("version", other)
                    .with_hint("make a new plan"));
            }
        }

        let mut report = ModelPurgeReport::default();
        let mut freed = BTreeMap::new();
        for id in &plan.versions {
            let Some(version) = self.registry.version(id) else { continue };
            let payload = events::version_purge(version);
            self.write(author, events::VERSION_PURGE, id, payload)?;
            let objects = self.objects.remove(id).into_iter().flatten();
            freed.extend(objects.map(|blob| (blob.location.clone(), blob)));
            report.versions += 1;
        }
        for name in &plan.models {
            let Some(model) = self.registry.model(name) else { continue };
            let payload = events::model_purge(model);
            self.write(author, events::MODEL_PURGE, name, payload)?;
            report.models += 1;
        }
        freed.retain(|location, _| !self.names(location));
        report.freed = freed.into_values().collect();
        Ok(report)
    }
}
