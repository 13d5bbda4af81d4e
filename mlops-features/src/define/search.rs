//! Finding features to reuse, and who uses them.

use mlops_core::features::{
    Feature, FeatureName, FeatureType, Lifecycle, OnDemandFeature, Registered, ServiceRef,
    ViewVersion,
};
use mlops_core::time::Instant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What features are looked for; each part that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// Words that are all in the names, descriptions and tags of the feature and its view, without
    /// regard to case.
    pub text: String,
    /// Tags of the feature or its view; an empty value stands for any.
    pub tags: BTreeMap<String, String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The entity that it is about.
    pub entity: Option<FeatureName>,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: Option<FeatureType>,
    /// Whether it tells something of a person; `false` finds only what was decided to tell nothing.
    pub pii: Option<bool>,
    /// The state of its view: `draft`, `active`, `deprecated`, `retired`.
    pub state: Option<String>,
}

/// A feature that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The view, or the on-demand transform.
    pub view: FeatureName,
    /// The feature.
    pub feature: FeatureName,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: FeatureType,
    /// What it means; the view's description, if it has none of its own.
    pub description: String,
    /// Who answers for it; the view's owner, if it has none of its own.
    pub owner: String,
    /// Its tags and those of its view.
    pub tags: BTreeMap<String, String>,
    /// What it is about.
    pub entities: Vec<FeatureName>,
    /// Whether it tells something of a person, if that was decided.
    pub pii: Option<bool>,
    /// Where its view stands; none for a transform.
    pub state: Option<Lifecycle>,
    /// The services whose last version uses it.
    pub used_by: Vec<FeatureName>,
}

/// A service that uses a view or a feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The version of the service.
    pub service: ServiceRef,
    /// The version of the view that it is pinned to.
    pub version: u32,
    /// Whether it is the service's last version.
    pub last: bool,
}

/// The features that are looked for: those whose name is the text first, then those whose name holds it,
/// then the others, each by view and name.
pub(crate) fn search(registered: &Registered, query: &Search, now: Instant) -> Vec<Found> {
    let text = query.text.to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found = Vec::new();
    for record in registered.views.values() {
        let last = record.last();
        for feature in &last.definition.features {
            let found_here = of_view(registered, last, feature, record.state.at(now));
            let texts = [&last.definition.description, &feature.description];
            if query.holds(&found_here, &words, texts) {
                found.push(found_here);
            }
        }
    }
    for transform in registered.on_demand.values() {
        for feature in &transform.features {
            let found_here = Found {
                view: transform.name.clone(),
                feature: feature.name.clone(),
                data_type: feature.data_type,
                description: first(&feature.description, &transform.description),
                owner: transform.owner.clone(),
                tags: transform.tags.clone(),
                entities: Vec::new(),
                pii: feature.pii,
                state: None,
                used_by: users_of_transform(registered, &transform.name, feature),
            };
            let texts = [&transform.description, &feature.description];
            if query.holds(&found_here, &words, texts) {
                found.push(found_here);
            }
        }
    }
    found.sort_by_cached_key(|found| {
        let name = found.feature.to_lowercase();
        let rank = match () {
            () if text.is_empty() => 0,
            () if name == text => 0,
            () if words.iter().all(|word| name.contains(word)) => 1,
            () => 2,
        };
        (rank, found.view.clone(), found.feature.clone())
    });
    found
}

/// The versions of services that use a view, or one feature of it.
pub(crate) fn used_by(registered: &Registered, view: &str, feature: Option<&str>) -> Vec<Used> {
    let mut users = Vec::new();
    for (name, record) in &registered.services {
        for version in &record.versions {
            let Some(pinned) = version.views.get(view) else { continue };
            let features = |number| {
                let view = registered.views.get(view)?;
                Some(view.version(number)?.definition.feature(feature?).is_some())
            };
            let uses = version.definition.views.iter().filter(|used| used.view.as_str() == view);
            let mut uses = uses.filter(|used| match feature {
                None => true,
                Some(_) if used.features.is_empty() => features(*pinned) == Some(true),
                Some(feature) => used.features.iter().any(|f| f.as_str() == feature),
            });
            if uses.next().is_some() {
                users.push(Used {
                    service: ServiceRef::version(name.clone(), version.version),
                    version: *pinned,
                    last: version.version == record.last().version,
                });
            }
        }
    }
    users
}

impl Search {
    fn holds(&self, found: &Found, words: &[&str], texts: [&String; 2]) -> bool {
        let entity = self.entity.as_ref();
        let state = found.state.map(|state| state.to_string());
        let tags = self.tags.iter().all(|(name, value)| {
            found.tags.get(name).is_some_and(|there| value.is_empty() || there == value)
        });
        tags && self.owner.as_ref().is_none_or(|owner| found.owner.eq_ignore_ascii_case(owner))
            && entity.is_none_or(|entity| found.entities.contains(entity))
            && self.data_type.is_none_or(|data_type| found.data_type == data_type)
            && self.pii.is_none_or(|pii| found.pii == Some(pii))
            && self.state.as_ref().is_none_or(|wanted| {
                // `deprecated until …` is found by its first word.
                state.is_some_and(|state| state.split(' ').next() == Some(wanted.as_str()))
            })
            && has_words(found, words, texts)
    }
}

fn has_words(found: &Found, words: &[&str], texts: [&String; 2]) -> bool {
    if words.is_empty() {
        return true;
    }
    let tags = found.tags.iter().map(|(name, value)| format!("{name} {value}"));
    let mut all = format!("{} {} {} {}", found.view, found.feature, texts[0], texts[1]);
    for tag in tags {
        all.push(' ');
        all.push_str(&tag);
    }
    let all = all.to_lowercase();
    words.iter().all(|word| all.contains(word))
}

fn of_view(
    registered: &Registered,
    version: &ViewVersion,
    feature: &Feature,
    state: Lifecycle,
) -> Found {
    let view = &version.definition;
    let mut tags = view.tags.clone();
    tags.extend(feature.tags.clone());
    let mut services: Vec<FeatureName> = used_by(registered, &view.name, Some(&feature.name))
        .into_iter()
        .filter(|used| used.last)
        .map(|used| used.service.name)
        .collect();
    services.dedup();
    Found {
        view: view.name.clone(),
        feature: feature.name.clone(),
        data_type: feature.data_type,
        description: first(&feature.description, &view.description),
        owner: first(&feature.owner, &view.owner),
        tags,
        entities: view.entities.clone(),
        pii: feature.pii,
        state: Some(state),
        used_by: services,
    }
}

fn users_of_transform(
    registered: &Registered,
    transform: &FeatureName,
    feature: &OnDemandFeature,
) -> Vec<FeatureName> {
    let mut users = Vec::new();
    for (name, record) in &registered.services {
        let uses = record.last().on_demand.iter().any(|there| {
            there.name == *transform && there.features.iter().any(|f| f.name == feature.name)
        });
        if uses {
            users.push(name.clone());
        }
    }
    users
}

fn first(own: &str, other: &str) -> String {
    if own.is_empty() { other.to_owned() } else { own.to_owned() }
}
