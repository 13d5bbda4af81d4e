//! What every definition must say of itself, if the owners of the store ask for it.

use mlops_core::features::{Entity, FeatureService, FeatureView, OnDemand};
use serde::{Deserialize, Serialize};

/// What every definition must say of itself: the document `default` of kind `feature_policy`.
///
/// It is asked of what is new or changes, not of what is there already, so that a stricter policy stands
/// in nobody's way until he touches his definitions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Entities, views, transforms and services have an owner; a feature's is its view's, if it has none.
    pub require_owner: bool,
    /// They and each feature are described.
    pub require_description: bool,
    /// Of each feature it was decided whether it tells something of a person.
    pub require_pii: bool,
}

impl Policy {
    /// What an entity lacks.
    pub(super) fn of_entity(&self, entity: &Entity) -> Vec<String> {
        self.of("the entity", &entity.owner, &entity.description)
    }

    /// What a service lacks.
    pub(super) fn of_service(&self, service: &FeatureService) -> Vec<String> {
        self.of("the service", &service.owner, &service.description)
    }

    /// What a view and its features lack.
    pub(super) fn of_view(&self, view: &FeatureView) -> Vec<String> {
        let mut lacks = self.of("the view", &view.owner, &view.description);
        for feature in &view.features {
            self.of_feature(&feature.name, &feature.description, feature.pii, &mut lacks);
        }
        lacks
    }

    /// What a transform and its features lack.
    pub(super) fn of_on_demand(&self, transform: &OnDemand) -> Vec<String> {
        let mut lacks = self.of("the transform", &transform.owner, &transform.description);
        for feature in &transform.features {
            self.of_feature(&feature.name, &feature.description, feature.pii, &mut lacks);
        }
        lacks
    }

    fn of(&self, what: &str, owner: &str, description: &str) -> Vec<String> {
        let mut lacks = Vec::new();
        if self.require_owner && owner.trim().is_empty() {
            lacks.push(format!("{what} has no owner, which the policy asks for"));
        }
        if self.require_description && description.trim().is_empty() {
            lacks.push(format!("{what} has no description, which the policy asks for"));
        }
        lacks
    }

    fn of_feature(
        &self,
        name: &str,
        description: &str,
        pii: Option<bool>,
        lacks: &mut Vec<String>,
    ) {
        if self.require_description && description.trim().is_empty() {
            lacks.push(format!("feature `{name}` has no description, which the policy asks for"));
        }
        if self.require_pii && pii.is_none() {
            lacks.push(format!(
                "feature `{name}` does not say whether it tells something of a person \
                 (`pii: true` or `pii: false`), which the policy asks for"
            ));
        }
    }
}
