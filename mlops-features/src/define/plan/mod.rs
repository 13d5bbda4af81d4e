//! What applying definitions would change: the state that would be registered then, and the way there.

mod service;
mod view;

use mlops_core::Result;
use mlops_core::features::{
    ApplyPlan, Change, ChangeKind, Consumer, Definitions, FeatureName, Registered, ServiceRef,
};
use mlops_core::registry::MAX_DOCUMENT_BYTES;
use mlops_core::time::Instant;
use serde_json::Value;

use super::apply::body;
use super::catalog::{ENTITY, Loaded, ON_DEMAND, SERVICE, VIEW};
use super::check::check;
use super::differences;

/// A model version and the service that it uses, as the registry of models knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelUse {
    /// Who: `churn/7 in Production`.
    pub name: String,
    /// What it uses.
    pub service: ServiceRef,
}

impl ModelUse {
    /// A model version that uses a service.
    pub fn new(name: impl Into<String>, service: ServiceRef) -> Self {
        Self { name: name.into(), service }
    }
}

/// What applying these definitions would change, and whom that breaks.
///
/// # Errors
/// `Invalid`, with all that is wrong, for definitions that do not hold together.
pub(crate) fn plan(
    loaded: &Loaded,
    definitions: &Definitions,
    models: &[ModelUse],
    now: Instant,
) -> Result<ApplyPlan> {
    let next = evolve(loaded, definitions, models, now)?;
    Ok(ApplyPlan::new(definitions.clone(), loaded.base(), next.changes))
}

/// What would be registered, and what of it is new.
pub(super) struct Evolved {
    pub(super) registered: Registered,
    pub(super) changes: Vec<Change>,
}

/// What is looked at while planning.
struct Planning<'a> {
    loaded: &'a Loaded,
    definitions: &'a Definitions,
    models: &'a [ModelUse],
    now: Instant,
    next: Registered,
}

/// What would be registered if these definitions were applied.
pub(super) fn evolve(
    loaded: &Loaded,
    definitions: &Definitions,
    models: &[ModelUse],
    now: Instant,
) -> Result<Evolved> {
    check(&loaded.registered, definitions)?;
    let next = loaded.registered.clone();
    let mut planning = Planning { loaded, definitions, models, now, next };
    let mut changes = planning.entities();
    changes.extend(planning.views()?);
    changes.extend(planning.on_demand());
    changes.extend(planning.services()?);
    for change in &mut changes {
        if let Some((_, body)) = document_of(&planning.next, &change.kind, &change.name)? {
            let bytes = body.to_string().len();
            if bytes > MAX_DOCUMENT_BYTES {
                change.refused.push(format!(
                    "with all of its versions it has {bytes} bytes, above the {MAX_DOCUMENT_BYTES} \
                     of a document; define it anew under another name"
                ));
            }
        }
    }
    Ok(Evolved { registered: planning.next, changes })
}

/// The kind and the body of the document that keeps something that is registered.
pub(super) fn document_of(
    registered: &Registered,
    kind: &str,
    name: &FeatureName,
) -> Result<Option<(&'static str, Value)>> {
    Ok(match kind {
        "entity" => registered.entities.get(name).map(body).transpose()?.map(|b| (ENTITY, b)),
        "view" => registered.views.get(name).map(body).transpose()?.map(|b| (VIEW, b)),
        "on_demand" => {
            registered.on_demand.get(name).map(body).transpose()?.map(|b| (ON_DEMAND, b))
        }
        "service" => registered.services.get(name).map(body).transpose()?.map(|b| (SERVICE, b)),
        _ => None,
    })
}

impl Planning<'_> {
    fn entities(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for entity in &self.definitions.entities {
            let old = self.next.entities.get(&entity.name);
            if old == Some(entity) {
                continue;
            }
            let kind = match old {
                None => ChangeKind::Create,
                Some(old) if old.keys == entity.keys => ChangeKind::Describe,
                Some(_) => self.next_document(ENTITY, &entity.name),
            };
            let mut change = Change::new("entity", entity.name.clone(), kind);
            if let Some(old) = old {
                change.details = differences::of_entities(old, entity);
            }
            change.refused = self.lacks(|policy| policy.of_entity(entity));
            self.next.entities.insert(entity.name.clone(), entity.clone());
            changes.push(change);
        }
        changes
    }

    fn on_demand(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for transform in &self.definitions.on_demand {
            let old = self.next.on_demand.get(&transform.name);
            if old == Some(transform) {
                continue;
            }
            let digest = super::digest::on_demand_digest;
            let kind = match old {
                None => ChangeKind::Create,
                Some(old) if digest(old) == digest(transform) => ChangeKind::Describe,
                Some(_) => self.next_document(ON_DEMAND, &transform.name),
            };
            let mut change = Change::new("on_demand", transform.name.clone(), kind);
            if let Some(old) = old {
                change.details = differences::of_on_demand(old, transform);
            }
            if matches!(change.change, ChangeKind::Version { .. }) {
                change.consumers = self.users_of_transform(&transform.name);
            }
            change.refused = self.lacks(|policy| policy.of_on_demand(transform));
            self.next.on_demand.insert(transform.name.clone(), transform.clone());
            changes.push(change);
        }
        changes
    }

    fn users_of_transform(&self, name: &FeatureName) -> Vec<Consumer> {
        let mut consumers = Vec::new();
        for (service, record) in &self.loaded.registered.services {
            let last = record.last();
            if last.definition.on_demand.contains(name) && !self.applies_service(service) {
                consumers.push(Consumer::new(
                    format!("service {service}@{}", last.version),
                    "stays with the transform as it was",
                    false,
                ));
            }
        }
        consumers
    }

    fn applies_service(&self, name: &FeatureName) -> bool {
        self.definitions.services.iter().any(|service| service.name == *name)
    }

    /// Entities and transforms have no versions but those of their documents.
    fn next_document(&self, kind: &'static str, name: &FeatureName) -> ChangeKind {
        let seen = self.loaded.versions.get(&(kind, name.clone())).copied().unwrap_or(0);
        let version = u32::try_from(seen).unwrap_or(u32::MAX).saturating_add(1);
        ChangeKind::Version { version, new_table: false }
    }

    fn lacks(&self, of: impl Fn(&super::Policy) -> Vec<String>) -> Vec<String> {
        self.loaded.policy.as_ref().map(of).unwrap_or_default()
    }
}
