//! Moving a view from state to state.

use mlops_core::features::{FeatureName, Lifecycle, Registered};
use mlops_core::registry::Catalog;
use mlops_core::time::Instant;
use mlops_core::{Error, ErrorKind, Result};

use super::apply::body;
use super::catalog::{VIEW, load, put};
use super::nearest::hint;

/// Moves a view to another state.
///
/// | from | to | if |
/// |---|---|---|
/// | draft | active | |
/// | active | draft, retired | no service is pinned to it |
/// | draft, active, deprecated | deprecated | the date is to come |
/// | deprecated | active | |
/// | draft, deprecated | retired | no service is pinned to it |
///
/// # Errors
/// `NotFound` for an unknown view, `Denied` for a move that is not allowed, `Invalid` for a date that is
/// past, `Conflict` if the view changed meanwhile.
pub(crate) async fn set_state(
    catalog: &dyn Catalog,
    view: &FeatureName,
    state: Lifecycle,
    now: Instant,
) -> Result<()> {
    let loaded = load(catalog).await?;
    if !check_move(&loaded.registered, view, state, now)? {
        return Ok(());
    }
    let Some(record) = loaded.registered.views.get(view) else { return Ok(()) };
    let mut record = record.clone();
    record.state = state;
    let seen = loaded.versions.get(&(VIEW, view.clone())).copied();
    put(catalog, VIEW, view, body(&record)?, seen).await
}

/// Whether a view has to be moved to be in this state.
pub(super) fn check_move(
    registered: &Registered,
    view: &FeatureName,
    to: Lifecycle,
    now: Instant,
) -> Result<bool> {
    let record = registered.views.get(view).ok_or_else(|| {
        Error::not_found("features.set_state", "there is no such view")
            .with("view", view)
            .with_hint(hint(view, registered.views.keys().map(FeatureName::as_str)))
    })?;
    if record.state == to {
        return Ok(false);
    }
    let from = record.state.at(now);
    let denied = |why: String| {
        Error::new(ErrorKind::Denied, "features.set_state", "the view may not go there")
            .with("view", view)
            .with("from", from)
            .with("to", to)
            .with("because", why)
    };
    match (from, to) {
        (Lifecycle::Retired, Lifecycle::Retired) => Ok(false),
        (Lifecycle::Retired, _) => Err(denied("retired is the last state".to_owned())
            .with_hint("define it anew under another name")),
        (_, Lifecycle::Deprecated { until }) if until <= now => {
            Err(Error::invalid("features.set_state", "the date of a deprecation is past")
                .with("view", view)
                .with("until", until)
                .with("now", now)
                .with_hint("give a date to come, or retire the view"))
        }
        (_, Lifecycle::Retired | Lifecycle::Draft) => match pinned(registered, view) {
            users if users.is_empty() => Ok(true),
            users => Err(denied(format!("services use it: {}", shown(&users)))
                .with_hint("deprecate it until a date, by which they can move away")),
        },
        _ => Ok(true),
    }
}

/// The versions of services that are pinned to a view.
fn pinned(registered: &Registered, view: &FeatureName) -> Vec<String> {
    let mut users = Vec::new();
    for (name, record) in &registered.services {
        let versions = record.versions.iter().filter(|version| version.views.contains_key(view));
        users.extend(versions.map(|version| format!("{name}@{}", version.version)));
    }
    users
}

fn shown(users: &[String]) -> String {
    const SHOWN: usize = 8;
    let more = if users.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", users[..users.len().min(SHOWN)].join(", "))
}
