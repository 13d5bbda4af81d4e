//! Carrying out a plan: the documents that differ, in order.

use mlops_core::features::{ApplyPlan, Registered};
use mlops_core::registry::Catalog;
use mlops_core::time::Instant;
use mlops_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::catalog::{load, put};
use super::plan::{document_of, evolve};

/// Carries out a plan and returns what is registered then.
///
/// Documents are stored one at a time: entities, views, transforms, services. What is cut off in the
/// middle leaves a state in which everything that is named is there, and from which to plan again goes on.
///
/// # Errors
/// `Conflict` if something changed since the plan was made, `Denied` if it has a refusal.
pub(crate) async fn apply(
    catalog: &dyn Catalog,
    plan: &ApplyPlan,
    now: Instant,
) -> Result<Registered> {
    let loaded = load(catalog).await?;
    if loaded.base() != plan.base {
        return Err(Error::new(
            ErrorKind::Conflict,
            "features.apply",
            "definitions changed since the plan was made",
        )
        .with_hint("plan again, and look at what changes now"));
    }
    let next = evolve(&loaded, &plan.definitions, &[], now)?;
    refuse(plan)?;
    // What was planned before a view retired may be refused now; the plan that is here may be tampered with.
    let now_planned = ApplyPlan::new(plan.definitions.clone(), plan.base, next.changes);
    refuse(&now_planned)?;
    for change in &now_planned.changes {
        let Some((kind, body)) = document_of(&next.registered, &change.kind, &change.name)? else {
            continue;
        };
        let seen = loaded.versions.get(&(kind, change.name.clone())).copied();
        put(catalog, kind, &change.name, body, seen).await?;
    }
    Ok(next.registered)
}

fn refuse(plan: &ApplyPlan) -> Result<()> {
    let refused: Vec<String> = plan
        .changes
        .iter()
        .flat_map(|c| c.refused.iter().map(move |why| format!("{} {}: {why}", c.kind, c.name)))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let mut error = Error::new(ErrorKind::Denied, "features.apply", "the plan has refusals");
    for why in refused {
        error = error.with("refused", why);
    }
    Err(error)
}

/// A record as a document's body.
pub(super) fn body(record: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(record).map_err(|e| {
        Error::new(ErrorKind::Internal, "features.apply", "a record cannot be written")
            .with_source(e)
    })
}
