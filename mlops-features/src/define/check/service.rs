//! What a service must obey: that what it names is there, and that its columns can be told apart.

use std::collections::BTreeSet;

use mlops_core::features::{FeatureName, FeatureService};

use super::{Faults, Merged};
use crate::define::layout::Layout;
use crate::define::nearest::hint;

pub(super) fn check(service: &FeatureService, merged: &Merged<'_>, faults: &mut Faults) {
    if service.views.is_empty() {
        faults.add("has no views; give at least one, such as `{view: driver_stats}`");
    }
    let mut whole = true;
    let mut views = Vec::new();
    for used in &service.views {
        let Some((view, keys)) = merged.views.get(&used.view) else {
            let hint = hint(&used.view, merged.views.keys().map(|name| name.as_str()));
            faults.add(format!("there is no view `{}`; {hint}", used.view));
            whole = false;
            continue;
        };
        views.push((used, *view, keys.as_slice()));
    }
    let mut transforms = Vec::new();
    let mut seen = BTreeSet::new();
    for name in &service.on_demand {
        if !seen.insert(name) {
            faults.add(format!("on-demand transform `{name}` comes twice"));
            whole = false;
        }
        if let Some(transform) = merged.on_demand.get(name) {
            transforms.push(*transform);
        } else {
            let hint = hint(name, merged.on_demand.keys().map(|name| FeatureName::as_str(name)));
            faults.add(format!("there is no on-demand transform `{name}`; {hint}"));
            whole = false;
        }
    }
    let mut problems = Vec::new();
    let layout = Layout::new(service.full_names, &views, &mut problems);
    // Without all views each expression would lack columns, which is not what is wrong.
    if whole {
        layout.with_on_demand(&transforms, &mut problems);
    }
    for problem in problems {
        faults.add(problem);
    }
}
