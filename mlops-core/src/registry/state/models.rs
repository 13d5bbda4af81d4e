//! Rows about models.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::RegistryState;
use super::row::{Row, Trash};
use crate::registry::{Model, VersionId};
use crate::time::Instant;
use crate::{Alias, Key, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Creation {
    created: Instant,
    #[serde(default)]
    note: String,
    #[serde(default)]
    tags: BTreeMap<Key, String>,
    #[serde(default)]
    last_number: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Updated {
    note: Option<String>,
    #[serde(default)]
    tags: BTreeMap<Key, String>,
    #[serde(default)]
    removed_tags: Vec<Key>,
    #[serde(default)]
    aliases: BTreeMap<Alias, Option<u64>>,
    #[serde(default)]
    deleted: Trash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Purged {
    last_number: u64,
}

impl RegistryState {
    pub(super) fn create_model(&mut self, row: &Row<'_>) -> Result<()> {
        let name = row.model()?;
        let Creation { created, note, tags, last_number } = row.payload()?;
        if self.models.contains_key(&name) {
            return Err(row.corrupt("the model is there already"));
        }
        if last_number < self.last_number(&name) {
            return Err(row.corrupt("the model would give numbers twice"));
        }
        let mut model = Model::new(name.clone(), created);
        (model.note, model.tags, model.last_number) = (note, tags, last_number);
        self.purged.remove(&name);
        self.made.insert(row.0.node.clone(), row.0.sequence);
        self.models.insert(name, model);
        Ok(())
    }

    pub(super) fn update_model(&mut self, row: &Row<'_>) -> Result<()> {
        let name = row.model()?;
        let Updated { note, tags, removed_tags, aliases, deleted } = row.payload()?;
        let id = |number: u64| VersionId::new(name.clone(), number);
        if aliases.values().flatten().any(|number| !self.versions.contains_key(&id(*number))) {
            return Err(row.corrupt("an alias would name a version that is not there"));
        }
        let model = self.models.get_mut(&name).ok_or_else(|| row.missing())?;
        model.updated = row.at();
        if let Some(note) = note {
            model.note = note;
        }
        model.tags.extend(tags);
        model.tags.retain(|key, _| !removed_tags.contains(key));
        deleted.change(&mut model.deleted);
        for (alias, number) in aliases {
            let before = match number {
                Some(number) => model.aliases.insert(alias.clone(), number),
                None => model.aliases.remove(&alias),
            };
            if let Some(left) = before.and_then(|number| self.versions.get_mut(&id(number))) {
                left.aliases.remove(&alias);
                left.updated = row.at();
            }
            if let Some(named) = number.and_then(|number| self.versions.get_mut(&id(number))) {
                named.aliases.insert(alias);
                named.updated = row.at();
            }
        }
        Ok(())
    }

    pub(super) fn purge_model(&mut self, row: &Row<'_>) -> Result<()> {
        let name = row.model()?;
        let Purged { last_number } = row.payload()?;
        let model = self.models.get(&name).ok_or_else(|| row.missing())?;
        if last_number != model.last_number || self.versions_of(&name).next().is_some() {
            return Err(row.corrupt("the model has versions, or had others"));
        }
        self.models.remove(&name);
        self.moves.remove(&name);
        self.made.remove(&row.0.node);
        self.purged.insert(name, last_number);
        Ok(())
    }
}
