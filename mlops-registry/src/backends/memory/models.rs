//! Models: how they come to be, change, and which of their versions is meant.

use mlops_core::lineage::Node;
use mlops_core::registry::{
    CreateModel, Model, ModelChanges, ModelVersion, Selector, StageMove, VersionId, check, events,
};
use mlops_core::{Error, ErrorKind, ModelName, Result};

use super::state::{Author, State, change_tags, remove_tags, to_the_microsecond};

impl State {
    pub(super) fn create_model(
        &mut self,
        name: &ModelName,
        options: CreateModel,
        author: &Author,
    ) -> Result<Model> {
        if let Some(there) = self.registry.model(name) {
            let error = Error::new(
                ErrorKind::AlreadyExists,
                "registry.create_model",
                "a model of this name exists",
            );
            let error = error.with("model", name);
            return Err(match there.deleted {
                None => error,
                Some(_) => error.with_hint("it is in the trash: restore it, or purge it"),
            });
        }
        let mut model =
            Model::new(name.clone(), options.created.map_or(author.now, to_the_microsecond));
        model.note = options.note;
        model.tags = options.tags;
        model.last_number = self.registry.last_number(name);

        self.write(author, events::MODEL_CREATE, name, events::model_create(&model))?;
        self.model(name, "registry.create_model").cloned()
    }

    pub(super) fn update_model(
        &mut self,
        name: &ModelName,
        changes: ModelChanges,
        author: &Author,
    ) -> Result<Model> {
        let operation = "registry.update_model";
        let before = self.model(name, operation)?;
        check::model_trash(before.deleted.is_some(), &changes)?;
        check::expected_aliases(before, &changes)?;
        let deleted = changes.deleted.filter(|deleted| *deleted != before.deleted.is_some());
        if deleted == Some(true) {
            check::deletable_model(before)?;
        }
        for (alias, number) in &changes.aliases {
            let Some(number) = *number else { continue };
            if !self.is_live(&VersionId::new(name.clone(), number)) {
                return Err(check::no_such_version(alias, number));
            }
        }

        let mut diff = ModelChanges::default();
        diff.note = changes.note.filter(|note| *note != before.note);
        let mut tags = before.tags.clone();
        change_tags(&mut tags, &mut diff.tags, changes.tags);
        remove_tags(&mut tags, &mut diff.remove_tags, changes.remove_tags);
        let moves = changes.aliases.into_iter();
        diff.aliases = moves.filter(|(a, n)| before.aliases.get(a) != n.as_ref()).collect();
        diff.deleted = deleted;
        if let Some(payload) = events::model_update(&diff, Some(author.now)) {
            self.write(author, events::MODEL_UPDATE, name, payload)?;
        }
        self.model(name, operation).cloned()
    }

    pub(super) fn resolve(&self, name: &ModelName, selector: &Selector) -> Result<VersionId> {
        let operation = "registry.resolve";
        let missing = |message: &'static str| {
            Error::not_found(operation, message).with("model", name).with("which", selector)
        };
        if self.model(name, operation)?.deleted.is_some() {
            return Err(missing("the model is in the trash"));
        }
        let id = |number: u64| VersionId::new(name.clone(), number);
        let live = |number: &u64| self.is_live(&id(*number));
        let found = match selector {
            Selector::Number(number) => Some(*number).filter(live),
            Selector::Alias(alias) => {
                let named = self.model(name, operation)?.aliases.get(alias);
                named.copied().filter(live)
            }
            Selector::Stage(stage) => {
                let held = self.registry.in_stage(name, *stage);
                held.iter().rev().copied().find(live)
            }
            Selector::Latest => {
                let all = self.registry.versions_of(name).map(|version| version.number);
                all.rev().find(live)
            }
            _ => return Err(Error::new(ErrorKind::Unsupported, operation, "unknown selector")),
        };
        found.map(id).ok_or_else(|| missing("the model has no such version outside the trash"))
    }

    pub(super) fn stage_history(&self, name: &ModelName) -> Result<Vec<StageMove>> {
        self.model(name, "registry.stage_history")?;
        Ok(self.registry.stage_history(name).to_vec())
    }

    pub(super) fn model(&self, name: &ModelName, operation: &'static str) -> Result<&Model> {
        let missing = || Error::not_found(operation, "no model has this name").with("model", name);
        self.registry.model(name).ok_or_else(missing)
    }

    pub(super) fn version(&self, id: &VersionId, operation: &'static str) -> Result<&ModelVersion> {
        self.model(&id.model, operation)?;
        let missing =
            || Error::not_found(operation, "the model has no such version").with("version", id);
        self.registry.version(id).ok_or_else(missing)
    }

    /// Whether the version is there and not in the trash by itself.
    pub(super) fn is_live(&self, id: &VersionId) -> bool {
        self.registry.version(id).is_some_and(|version| version.deleted.is_none())
    }

    /// Whether the version is in the trash, by itself or with its model.
    pub(super) fn is_in_trash(&self, version: &ModelVersion) -> bool {
        let model = self.registry.model(&version.model);
        version.deleted.is_some() || model.is_some_and(|model| model.deleted.is_some())
    }

    /// The number of the row that made a model or version.
    pub(super) fn made(&self, node: impl Into<Node>) -> u64 {
        self.registry.made(&node.into()).unwrap_or(0)
    }
}
