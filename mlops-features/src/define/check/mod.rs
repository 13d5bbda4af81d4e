//! Whether definitions, laid over what is registered, hold together. All faults are found, not the first.

mod on_demand;
mod service;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mlops_core::features::{
    Definitions, Entity, FeatureName, FeatureView, OnDemand, Registered, TableKey,
};
use mlops_core::{Error, Result};

use super::table::keys_of;

/// One thing that is wrong with definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// `view driver_stats`.
    what: String,
    /// What is wrong, and what would be right.
    problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.problem)
    }
}

/// Collects faults of one definition after the other.
#[derive(Debug)]
pub(super) struct Faults {
    of: String,
    found: Vec<Fault>,
}

impl Faults {
    fn about(&mut self, kind: &str, name: &str) {
        self.of = format!("{kind} {name}");
    }

    /// One more, of the definition that is being looked at.
    pub(super) fn add(&mut self, problem: impl Into<String>) {
        self.found.push(Fault { what: self.of.clone(), problem: problem.into() });
    }
}

/// What is defined once the definitions are in place.
pub(super) struct Merged<'a> {
    pub(super) entities: BTreeMap<FeatureName, Entity>,
    /// Views with their join keys.
    pub(super) views: BTreeMap<&'a FeatureName, (&'a FeatureView, Vec<TableKey>)>,
    pub(super) on_demand: BTreeMap<&'a FeatureName, &'a OnDemand>,
}

impl<'a> Merged<'a> {
    fn new(registered: &'a Registered, definitions: &'a Definitions) -> Self {
        let mut entities = registered.entities.clone();
        entities.extend(definitions.entities.iter().map(|e| (e.name.clone(), e.clone())));
        let mut views: BTreeMap<_, _> = registered
            .views
            .iter()
            .map(|(name, record)| {
                let last = record.last();
                (name, (&last.definition, last.table.keys.clone()))
            })
            .collect();
        for view in &definitions.views {
            // What is wrong with the keys is said where the view is looked at.
            let keys = keys_of(view, &entities, &mut Vec::new());
            views.insert(&view.name, (view, keys));
        }
        let mut on_demand: BTreeMap<_, _> = registered.on_demand.iter().collect();
        on_demand.extend(definitions.on_demand.iter().map(|t| (&t.name, t)));
        Self { entities, views, on_demand }
    }
}

/// Everything that is wrong with the definitions.
pub(super) fn faults(registered: &Registered, definitions: &Definitions) -> Vec<Fault> {
    let merged = Merged::new(registered, definitions);
    let mut faults = Faults { of: "definitions".to_owned(), found: Vec::new() };
    once("entity", definitions.entities.iter().map(|d| &d.name), &mut faults);
    once("view", definitions.views.iter().map(|d| &d.name), &mut faults);
    once("on-demand transform", definitions.on_demand.iter().map(|d| &d.name), &mut faults);
    once("service", definitions.services.iter().map(|d| &d.name), &mut faults);
    for entity in &definitions.entities {
        faults.about("entity", &entity.name);
        check_entity(entity, registered, definitions, &mut faults);
    }
    for view in &definitions.views {
        faults.about("view", &view.name);
        view::check(view, &merged, &mut faults);
    }
    for transform in &definitions.on_demand {
        faults.about("on_demand", &transform.name);
        on_demand::check(transform, &mut faults);
    }
    for service in &definitions.services {
        faults.about("service", &service.name);
        service::check(service, &merged, &mut faults);
    }
    faults.found
}

/// Checks definitions.
///
/// # Errors
/// `Invalid`, with all that is wrong.
pub(super) fn check(registered: &Registered, definitions: &Definitions) -> Result<()> {
    const SHOWN: usize = 40;
    let faults = faults(registered, definitions);
    if faults.is_empty() {
        return Ok(());
    }
    let mut error = Error::invalid("features.plan", "the definitions do not hold together");
    for fault in faults.iter().take(SHOWN) {
        error = error.with("fault", fault);
    }
    if faults.len() > SHOWN {
        error = error.with("and_more", faults.len() - SHOWN);
    }
    Err(error)
}

fn once<'a>(kind: &str, names: impl Iterator<Item = &'a FeatureName>, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            faults.add(format!("{kind} `{name}` is defined twice"));
        }
    }
}

fn check_entity(
    entity: &Entity,
    registered: &Registered,
    definitions: &Definitions,
    faults: &mut Faults,
) {
    if entity.keys.is_empty() {
        faults.add("has no join keys; give at least one, such as `{name: driver_id, type: int}`");
    }
    let mut seen = BTreeSet::new();
    for key in &entity.keys {
        check_column("join key", &key.name, faults);
        if !seen.insert(&key.name) {
            faults.add(format!("join key `{}` comes twice", key.name));
        }
    }
    // A view's rows lie by its keys, so a view that is not named would go on with those of before.
    let changed = registered.entities.get(&entity.name).is_some_and(|old| old.keys != entity.keys);
    for (name, record) in &registered.views {
        let uses = record.last().definition.entities.contains(&entity.name);
        if changed && uses && !definitions.views.iter().any(|view| view.name == *name) {
            faults.add(format!(
                "its join keys change, and view `{name}` has rows by those of before; \
                 define the view in the same step, so that its rows start anew"
            ));
        }
    }
}

/// What is wrong with the name of a column of a source or of rows that ask.
pub(super) fn check_column(what: &str, name: &str, faults: &mut Faults) {
    const MAX_BYTES: usize = 250;
    let shown = || name.chars().take(60).collect::<String>().escape_debug().to_string();
    if name.is_empty() || name.len() > MAX_BYTES || name.chars().any(char::is_control) {
        faults.add(format!(
            "{what} `{}` is no column's name: give 1 to {MAX_BYTES} bytes without control characters",
            shown()
        ));
    } else if name.starts_with('_') {
        faults.add(format!(
            "{what} `{}` starts with `_`, as the store's own columns do; call it otherwise",
            shown()
        ));
    }
}
