//! For those who come from Feast: its registry as definitions.
//!
//! A Feast repository that was applied has a registry, a Protocol Buffers message in a file (`registry.db`,
//! or what `registry:` in feature_store.yaml names). [`import`] reads it and needs no Python. What
//! has no counterpart is left out and said in [`Imported::left`], never guessed: Python code in on-demand
//! views, streams, warehouses, lists other than embeddings.
//!
//! The non-obvious decision: nothing is stored. What comes out are [`Definitions`], to be read, written as
//! YAML, and applied by a plan like any others. A tag `pii` of `true` or `false` becomes the mark.

mod registry;
mod service;
#[cfg(test)]
mod tests;
mod types;
mod view;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::features::{Definitions, Entity, FeatureName, JoinKey};
use mlops_core::{Error, Result};

use self::registry::Registry;

/// The entity that Feast gives to views without entities.
const NO_ENTITY: &str = "__dummy";

/// What was read of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// What has a counterpart.
    pub definitions: Definitions,
    /// What has none, or not quite, one line each, with the name of the thing first.
    pub left: Vec<String>,
}

/// Reads the registry of a Feast repository with one project.
///
/// ```
/// use mlops_features::feast;
/// assert!(feast::import(b"PAR1").is_err());
/// ```
///
/// # Errors
/// `Invalid` for bytes that are no registry, and for a registry of several projects; see
/// [`import_project`].
pub fn import(bytes: &[u8]) -> Result<Imported> {
    let registry = Registry::read(bytes)?;
    let projects = registry.projects();
    if projects.len() > 1 {
        return Err(Error::invalid("features.feast", "the registry has several projects")
            .with("projects", projects.into_iter().collect::<Vec<_>>().join(", "))
            .with_hint("import one of them by its name"));
    }
    Ok(convert(&registry))
}

/// Reads one project of a Feast registry.
///
/// # Errors
/// `Invalid` for bytes that are no registry; `NotFound` if it has no such project.
pub fn import_project(bytes: &[u8], project: &str) -> Result<Imported> {
    let mut registry = Registry::read(bytes)?;
    let projects = registry.projects();
    if !projects.contains(project) {
        return Err(Error::not_found("features.feast", "the registry has no such project")
            .with("project", project.chars().take(120).collect::<String>().escape_debug())
            .with("projects", projects.into_iter().collect::<Vec<_>>().join(", ")));
    }
    registry.entities.retain(|entity| entity.project == project);
    registry.views.retain(|view| view.project == project);
    registry.on_demand.retain(|view| view.project == project);
    registry.services.retain(|service| service.project == project);
    Ok(convert(&registry))
}

impl Registry {
    /// The projects in which something is defined.
    fn projects(&self) -> BTreeSet<String> {
        let entities = self.entities.iter().map(|entity| &entity.project);
        let views = self.views.iter().map(|view| &view.project);
        let on_demand = self.on_demand.iter().map(|view| &view.project);
        let services = self.services.iter().map(|service| &service.project);
        entities.chain(views).chain(on_demand).chain(services).cloned().collect()
    }
}

fn convert(registry: &Registry) -> Imported {
    let mut imported = Imported::default();
    let left = &mut imported.left;
    for entity in &registry.entities {
        if entity.name != NO_ENTITY {
            imported.definitions.entities.extend(convert_entity(entity, registry, left));
        }
    }
    let keys: BTreeMap<&str, &Entity> =
        imported.definitions.entities.iter().map(|entity| (&*entity.name, entity)).collect();
    let mut views = BTreeMap::new();
    for view in &registry.views {
        if views.contains_key(view.name.as_str()) {
            left.push(format!("view {}: it is there twice; the first one is taken", view.name));
        } else if let Some(converted) = view::convert(view, &keys, left) {
            views.insert(view.name.as_str(), converted);
        }
    }
    for on_demand in &registry.on_demand {
        let features: Vec<&str> = on_demand.features.iter().map(|f| f.name.as_str()).collect();
        left.push(format!(
            "on-demand view {}: it is Python code; write {} as expressions or functions",
            on_demand.name,
            features.join(", ")
        ));
    }
    for service in &registry.services {
        let converted = service::convert(service, &views, registry, left);
        imported.definitions.services.extend(converted);
    }
    for view in &registry.views {
        imported.definitions.views.extend(views.remove(view.name.as_str()));
    }
    for (what, count) in &registry.others {
        left.push(format!("registry: {count} {what}"));
    }
    imported
}

fn convert_entity(
    entity: &registry::Entity,
    registry: &Registry,
    left: &mut Vec<String>,
) -> Option<Entity> {
    let name = usable("entity", &entity.name, left)?;
    let join_key = if entity.join_key.is_empty() { &entity.name } else { &entity.join_key };
    // A view's schema says what its files hold; the entity itself often says nothing.
    let users = registry.views.iter().filter(|view| view.entities.contains(&entity.name));
    let columns = users.flat_map(|view| &view.entity_columns);
    let of_views: BTreeSet<u64> = columns
        .filter(|column| column.name == *join_key && column.value_type != 0)
        .map(|column| column.value_type)
        .collect();
    let value_type = of_views.first().copied().unwrap_or(entity.value_type);
    let types: BTreeSet<_> = of_views.iter().map(|there| types::key_type(*there)).collect();
    if types.len() > 1 {
        left.push(format!(
            "entity {name}: views do not agree on the type of `{join_key}`; {} is taken",
            types::name(value_type)
        ));
    }
    let Some(data_type) = types::key_type(value_type) else {
        left.push(format!(
            "entity {name}: a key of type {} has no counterpart",
            types::name(value_type)
        ));
        return None;
    };
    let mut converted = Entity::with_keys(name, [JoinKey::new(join_key, data_type)]).ok()?;
    converted.description.clone_from(&entity.description);
    converted.owner.clone_from(&entity.owner);
    converted.tags.clone_from(&entity.tags);
    Some(converted)
}

/// The name, if it can be one here.
fn usable(kind: &str, name: &str, left: &mut Vec<String>) -> Option<FeatureName> {
    let usable = FeatureName::new(name).ok();
    if usable.is_none() {
        left.push(format!(
            "{kind} {}: its name can be none here (letters, digits, `_`, `-` and `.`)",
            name.chars().take(120).collect::<String>().escape_debug()
        ));
    }
    usable
}
