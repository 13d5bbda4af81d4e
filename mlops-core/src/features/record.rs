//! What the catalog keeps of each view and service: all of its versions, and where it stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::definitions::{Entity, OnDemand};
use super::lifecycle::Lifecycle;
use super::service::FeatureService;
use super::table::Table;
use super::types::FeatureName;
use super::view::FeatureView;
use crate::tracking::Digest;

/// A view with all of its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ViewRecord {
    /// Where it stands; see [`Lifecycle::at`].
    pub state: Lifecycle,
    /// Its versions, the first one first; never empty.
    pub versions: Vec<ViewVersion>,
}

/// One version of a view. A version changes with anything that can change a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ViewVersion {
    /// 1, 2, 3, …
    pub version: u32,
    /// Of all that can change a value: keys, source, times, ttl, boundary, features and their types.
    /// Descriptions, owners and tags are not in it.
    pub digest: Digest,
    /// What was defined; of a version's texts the last ones.
    pub definition: FeatureView,
    /// Its rows.
    pub table: Table,
}

/// A service with all of its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServiceRecord {
    /// Its versions, the first one first; never empty.
    pub versions: Vec<ServiceVersion>,
}

/// One version of a service, with the versions of the views that it is pinned to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServiceVersion {
    /// 1, 2, 3, …
    pub version: u32,
    /// Of the definition, the views' digests and the transforms.
    pub digest: Digest,
    /// What was defined.
    pub definition: FeatureService,
    /// The version of each of its views.
    pub views: BTreeMap<FeatureName, u32>,
    /// Its transforms as they were.
    pub on_demand: Vec<OnDemand>,
}

/// All that is defined.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Registered {
    /// Entities.
    pub entities: BTreeMap<FeatureName, Entity>,
    /// Views.
    pub views: BTreeMap<FeatureName, ViewRecord>,
    /// Transforms.
    pub on_demand: BTreeMap<FeatureName, OnDemand>,
    /// Services.
    pub services: BTreeMap<FeatureName, ServiceRecord>,
}

impl ViewRecord {
    /// A view with its first version; for the engine that applies.
    pub fn new(state: Lifecycle, first: ViewVersion) -> Self {
        Self { state, versions: vec![first] }
    }

    /// The version that new services use.
    ///
    /// # Panics
    /// Never: a record has a version.
    pub fn last(&self) -> &ViewVersion {
        self.versions.last().expect("invariant: a record has a version")
    }

    /// The version of this number.
    pub fn version(&self, number: u32) -> Option<&ViewVersion> {
        self.versions.iter().find(|version| version.version == number)
    }
}

impl ViewVersion {
    /// For the engine that applies.
    pub fn new(version: u32, digest: Digest, definition: FeatureView, table: Table) -> Self {
        Self { version, digest, definition, table }
    }
}

impl ServiceRecord {
    /// A service with its first version; for the engine that applies.
    pub fn new(first: ServiceVersion) -> Self {
        Self { versions: vec![first] }
    }

    /// The last version.
    ///
    /// # Panics
    /// Never: a record has a version.
    pub fn last(&self) -> &ServiceVersion {
        self.versions.last().expect("invariant: a record has a version")
    }

    /// The version of this number.
    pub fn version(&self, number: u32) -> Option<&ServiceVersion> {
        self.versions.iter().find(|version| version.version == number)
    }
}

impl ServiceVersion {
    /// For the engine that applies.
    pub fn new(
        version: u32,
        digest: Digest,
        definition: FeatureService,
        views: BTreeMap<FeatureName, u32>,
        on_demand: Vec<OnDemand>,
    ) -> Self {
        Self { version, digest, definition, views, on_demand }
    }
}
