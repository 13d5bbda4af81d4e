//! Experiments: named groups of runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Instant;
use crate::{ExperimentId, ExperimentName, Key};

/// A named group of runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Experiment {
    /// Names it for ever.
    pub id: ExperimentId,
    /// Unique among the experiments that are not deleted.
    pub name: ExperimentName,
    /// When it was made.
    pub created: Instant,
    /// When it went to the trash, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Instant>,
    /// Free labels.
    pub tags: BTreeMap<Key, String>,
}

impl Experiment {
    /// A live experiment without tags; for backends.
    pub fn new(id: ExperimentId, name: ExperimentName, created: Instant) -> Self {
        Self { id, name, created, deleted: None, tags: BTreeMap::new() }
    }
}

/// What a new experiment has beside its name.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CreateExperiment {
    /// Its id, for imports and retries; a fresh one if absent.
    pub id: Option<ExperimentId>,
    /// Its labels.
    pub tags: BTreeMap<Key, String>,
    /// When it was made, for imports; now if absent.
    pub created: Option<Instant>,
}

impl CreateExperiment {
    /// Sets the id, for imports and retries.
    pub fn with_id(mut self, id: ExperimentId) -> Self {
        self.id = Some(id);
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

/// A change of an experiment; what is `None` or empty stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ExperimentChanges {
    /// The new name.
    pub name: Option<ExperimentName>,
    /// Labels to set.
    pub tags: BTreeMap<Key, String>,
    /// Labels to take away; absent ones are ignored.
    pub remove_tags: Vec<Key>,
    /// `true` moves it with its runs to the trash, `false` brings it back.
    pub deleted: Option<bool>,
}

impl ExperimentChanges {
    /// Gives it another name.
    pub fn rename(name: ExperimentName) -> Self {
        Self { name: Some(name), ..Self::default() }
    }

    /// Moves it with its runs to the trash.
    pub fn delete() -> Self {
        Self { deleted: Some(true), ..Self::default() }
    }

    /// Brings it back from the trash, with the runs that went there with it.
    pub fn restore() -> Self {
        Self { deleted: Some(false), ..Self::default() }
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
}
