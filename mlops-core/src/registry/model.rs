//! Registered models: names under which versions are counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::time::Instant;
use crate::{Alias, Key, ModelName};

/// A registered model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Model {
    /// Names it for ever.
    pub name: ModelName,
    /// When it was made.
    pub created: Instant,
    /// When it, an alias, or the stage of a version last changed, or a version was registered.
    pub updated: Instant,
    /// When it went to the trash, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Instant>,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Free labels.
    pub tags: BTreeMap<Key, String>,
    /// The greatest number that a version ever had; 0 if there was none. Never given again.
    pub last_number: u64,
    /// Which version each alias names.
    pub aliases: BTreeMap<Alias, u64>,
    /// The versions in each stage but `None`, the one that came there last at the end.
    pub stages: BTreeMap<Stage, Vec<u64>>,
}

impl Model {
    /// A live model without versions; for backends.
    pub fn new(name: ModelName, created: Instant) -> Self {
        Self {
            name,
            created,
            updated: created,
            deleted: None,
            note: String::new(),
            tags: BTreeMap::new(),
            last_number: 0,
            aliases: BTreeMap::new(),
            stages: BTreeMap::new(),
        }
    }
}

/// What a new model has beside its name.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CreateModel {
    /// Free text.
    pub note: String,
    /// Its labels.
    pub tags: BTreeMap<Key, String>,
    /// When it was made, for imports; now if absent.
    pub created: Option<Instant>,
}

impl CreateModel {
    /// Describes it.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Adds a label.
    pub fn with_tag(mut self, key: Key, value: impl Into<String>) -> Self {
        self.tags.insert(key, value.into());
        self
    }

    /// Sets when it was made, for imports.
    pub fn with_created(mut self, created: Instant) -> Self {
        self.created = Some(created);
        self
    }
}

/// One atomic change of a model; what is `None` or empty stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ModelChanges {
    /// The new description.
    pub note: Option<String>,
    /// Labels to set.
    pub tags: BTreeMap<Key, String>,
    /// Labels to take away; absent ones are ignored. One that is also set is `Invalid`.
    pub remove_tags: Vec<Key>,
    /// Aliases to move: to a version, or away (`None`; an absent one is ignored).
    pub aliases: BTreeMap<Alias, Option<u64>>,
    /// What aliases must name before the change (`None`: nothing); otherwise it is a `Conflict`.
    pub expect_aliases: BTreeMap<Alias, Option<u64>>,
    /// `true` moves it to the trash, `false` brings it back, in a call of its own.
    pub deleted: Option<bool>,
}

impl ModelChanges {
    /// Moves it to the trash.
    pub fn delete() -> Self {
        Self { deleted: Some(true), ..Self::default() }
    }

    /// Brings it back from the trash.
    pub fn restore() -> Self {
        Self { deleted: Some(false), ..Self::default() }
    }

    /// Describes it.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Sets a label.
    pub fn with_tag(mut self, key: Key, value: impl Into<String>) -> Self {
        self.tags.insert(key, value.into());
        self
    }

    /// Takes a label away.
    pub fn without_tag(mut self, key: Key) -> Self {
        self.remove_tags.push(key);
        self
    }

    /// Lets an alias name this version.
    pub fn with_alias(mut self, alias: Alias, number: u64) -> Self {
        self.aliases.insert(alias, Some(number));
        self
    }

    /// Takes an alias away.
    pub fn without_alias(mut self, alias: Alias) -> Self {
        self.aliases.insert(alias, None);
        self
    }

    /// Demands that an alias names this version, or nothing, before the change.
    pub fn expecting_alias(mut self, alias: Alias, number: Option<u64>) -> Self {
        self.expect_aliases.insert(alias, number);
        self
    }
}
