//! A service of Feast as a service.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::features::{FeatureName, FeatureService, FeatureView, ViewUse};

use super::registry::{Registry, Service, Use};
use super::usable;

pub(super) fn convert(
    service: &Service,
    views: &BTreeMap<&str, FeatureView>,
    registry: &Registry,
    left: &mut Vec<String>,
) -> Option<FeatureService> {
    let name = usable("service", &service.name, left)?;
    let mut say = |what: String| left.push(format!("service {name}: {what}"));
    let mut converted = FeatureService::new(&name).ok()?;
    for used in &service.uses {
        if let Some(view) = views.get(used.view.as_str()) {
            converted.views.extend(convert_use(used, view, registry, &mut say));
        } else {
            say(format!("it uses `{}`, which was left out", used.view));
        }
    }
    if converted.views.is_empty() {
        say("nothing that it uses has a counterpart, and so it is left out".to_owned());
        return None;
    }
    if service.logged {
        say("its logging is not taken over".to_owned());
    }
    if has_collision(&converted, views) {
        say("two of its columns have one name, so each is called view__feature".to_owned());
        converted.full_names = true;
    }
    converted.description.clone_from(&service.description);
    converted.owner.clone_from(&service.owner);
    converted.tags.clone_from(&service.tags);
    Some(converted)
}

fn convert_use(
    used: &Use,
    view: &FeatureView,
    registry: &Registry,
    say: &mut impl FnMut(String),
) -> Option<ViewUse> {
    let mut converted = ViewUse::all(&view.name).ok()?;
    if !used.alias.is_empty() && used.alias != used.view {
        let Ok(aliased) = converted.clone().aliased(&used.alias) else {
            say(format!("the alias `{}` can be none here", used.alias.escape_debug()));
            return None;
        };
        converted = aliased;
    }
    converted.keys.clone_from(&used.keys);
    if used.version > 0 {
        say(format!(
            "it asks for version {} of `{}`; it gets the one there is",
            used.version, used.view
        ));
    }
    // All of a view's features are named one by one in Feast.
    let all = registry.views.iter().find(|there| there.name == used.view);
    let is_all = all.is_some_and(|all| {
        all.features.len() == used.features.len()
            && all.features.iter().zip(&used.features).all(|(there, name)| there.name == *name)
    });
    if is_all {
        return Some(converted);
    }
    let known: BTreeMap<&str, &FeatureName> =
        view.features.iter().map(|feature| (feature.name.as_str(), &feature.name)).collect();
    for feature in &used.features {
        match known.get(feature.as_str()) {
            Some(name) => converted.features.push((*name).clone()),
            None => say(format!("it uses `{}:{feature}`, which was left out", used.view)),
        }
    }
    // No features would mean all of them.
    if converted.features.is_empty() {
        say(format!("of `{}` no feature is left, and so this use is left out", used.view));
        return None;
    }
    Some(converted)
}

/// Whether two columns would have one name.
fn has_collision(service: &FeatureService, views: &BTreeMap<&str, FeatureView>) -> bool {
    let mut names = BTreeSet::new();
    for used in &service.views {
        let Some(view) = views.get(used.view.as_str()) else { continue };
        let features = view.features.iter().map(|feature| &feature.name);
        let wanted = features.filter(|n| used.features.is_empty() || used.features.contains(n));
        for name in wanted {
            if !names.insert(name) {
                return true;
            }
        }
    }
    false
}
