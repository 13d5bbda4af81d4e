//! What differs between two definitions, one line each: `ttl: 7d → 1d`.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use mlops_core::features::{
    Aggregate, Entity, Feature, FeatureView, JoinKey, OnDemand, OnDemandFeature, ServiceVersion,
    Source, TableKey, ViewUse, ViewVersion,
};

/// Collects lines.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn value(&mut self, what: &str, old: impl Display, new: impl Display) {
        let (old, new) = (old.to_string(), new.to_string());
        if old != new {
            self.0.push(format!("{what}: {} → {}", shown(&old), shown(&new)));
        }
    }

    /// Long texts are not shown, only that they changed.
    fn text(&mut self, what: &str, old: &str, new: &str) {
        if old != new {
            self.0.push(format!("{what} changes"));
        }
    }

    fn texts(
        &mut self,
        old: (&str, &str, &BTreeMap<String, String>),
        new: (&str, &str, &BTreeMap<String, String>),
    ) {
        self.text("description", old.0, new.0);
        self.value("owner", old.1, new.1);
        self.tags("", old.2, new.2);
    }

    fn tags(&mut self, of: &str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) {
        let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
        for name in names {
            let value =
                |tags: &BTreeMap<String, String>| tags.get(name).cloned().unwrap_or_default();
            self.value(&format!("{of}tag {name}"), value(old), value(new));
        }
    }
}

fn shown(text: &str) -> String {
    const CHARS: usize = 120;
    match text.char_indices().nth(CHARS) {
        _ if text.is_empty() => "none".to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

pub(super) fn of_entities(old: &Entity, new: &Entity) -> Vec<String> {
    let mut lines = Lines::default();
    let keys =
        |keys: &[JoinKey]| list(keys.iter().map(|key| format!("{} ({})", key.name, key.data_type)));
    lines.value("keys", keys(&old.keys), keys(&new.keys));
    lines.texts(
        (&old.description, &old.owner, &old.tags),
        (&new.description, &new.owner, &new.tags),
    );
    lines.0
}

pub(super) fn of_views(old: &ViewVersion, new: &FeatureView, keys: &[TableKey]) -> Vec<String> {
    let mut lines = Lines::default();
    let before = &old.definition;
    let list_keys = |keys: &[TableKey]| {
        list(keys.iter().map(|key| format!("{} ({})", key.name, key.data_type)))
    };
    lines.value("keys", list_keys(&old.table.keys), list_keys(keys));
    lines.value("source", source(&before.source), source(&new.source));
    lines.value("event_time", &before.event_time, &new.event_time);
    let created = |view: &FeatureView| view.created.clone().unwrap_or_default();
    lines.value("created", created(before), created(new));
    let ttl = |view: &FeatureView| {
        if view.ttl.is_zero() { "any age".to_owned() } else { view.ttl.to_string() }
    };
    lines.value("ttl", ttl(before), ttl(new));
    let boundary = |view: &FeatureView| format!("{:?}", view.boundary).to_lowercase();
    lines.value("boundary", boundary(before), boundary(new));
    lines.value("ahead", before.ahead, new.ahead);
    of_features(before, new, &mut lines);
    lines.texts(
        (&before.description, &before.owner, &before.tags),
        (&new.description, &new.owner, &new.tags),
    );
    lines.0
}

fn of_features(old: &FeatureView, new: &FeatureView, lines: &mut Lines) {
    for feature in &old.features {
        let name = &feature.name;
        match new.feature(name) {
            None => lines.0.push(format!("feature {name}: gone")),
            Some(other) => {
                lines.value(&format!("feature {name}"), of_feature(feature), of_feature(other));
                let what = |part: &str| format!("feature {name}: {part}");
                lines.text(&what("description"), &feature.description, &other.description);
                lines.value(&what("owner"), &feature.owner, &other.owner);
                lines.value(&what("pii"), pii(feature.pii), pii(other.pii));
                lines.tags(&what(""), &feature.tags, &other.tags);
            }
        }
    }
    let added = new.features.iter().filter(|feature| old.feature(&feature.name).is_none());
    lines.0.extend(added.map(|f| format!("feature {}: new, {}", f.name, of_feature(f))));
    let order = |a: &FeatureView, b: &FeatureView| {
        let there = a.features.iter().filter(|feature| b.feature(&feature.name).is_some());
        there.map(|feature| feature.name.clone()).collect::<Vec<_>>()
    };
    if order(old, new) != order(new, old) {
        lines.0.push("the order of the features changes".to_owned());
    }
}

fn of_feature(feature: &Feature) -> String {
    let mut text = feature.data_type.to_string();
    if let Some(Aggregate { function, window, input, .. }) = feature.aggregate {
        let function = format!("{function:?}").to_lowercase();
        let _ = write!(text, ", {function} over {window}");
        if let Some(aggregate) = feature.aggregate {
            let _ = write!(text, " by {}", aggregate.resolution());
        }
        if let Some(input) = input {
            let _ = write!(text, " of {input}");
        }
    }
    if let Some(column) =
        feature.column.as_deref().filter(|column| *column != feature.name.as_str())
    {
        let _ = write!(text, " from {column}");
    }
    text
}

pub(super) fn of_on_demand(old: &OnDemand, new: &OnDemand) -> Vec<String> {
    let mut lines = Lines::default();
    let request = |transform: &OnDemand| {
        list(transform.request.iter().map(|field| format!("{} ({})", field.name, field.data_type)))
    };
    lines.value("request", request(old), request(new));
    let computed = |feature: &OnDemandFeature| {
        let how = match (&feature.expr, &feature.function) {
            (Some(expr), _) => expr.clone(),
            (None, Some(function)) => format!("{function}({})", feature.inputs.join(", ")),
            (None, None) => String::new(),
        };
        format!("{}, {how}", feature.data_type)
    };
    for feature in &old.features {
        let name = &feature.name;
        match new.features.iter().find(|other| other.name == *name) {
            None => lines.0.push(format!("feature {name}: gone")),
            Some(other) => {
                lines.value(&format!("feature {name}"), computed(feature), computed(other));
                let what = |part: &str| format!("feature {name}: {part}");
                lines.text(&what("description"), &feature.description, &other.description);
                lines.value(&what("pii"), pii(feature.pii), pii(other.pii));
            }
        }
    }
    for feature in &new.features {
        if !old.features.iter().any(|other| other.name == feature.name) {
            lines.0.push(format!("feature {}: new, {}", feature.name, computed(feature)));
        }
    }
    lines.texts(
        (&old.description, &old.owner, &old.tags),
        (&new.description, &new.owner, &new.tags),
    );
    lines.0
}

pub(super) fn of_services(old: &ServiceVersion, new: &ServiceVersion) -> Vec<String> {
    let mut lines = Lines::default();
    let (before, after) = (&old.definition, &new.definition);
    for (view, version) in &new.views {
        match old.views.get(view) {
            Some(there) => lines.value(&format!("view {view}: version"), there, version),
            None => lines.0.push(format!("view {view}: new, version {version}")),
        }
    }
    let gone = old.views.keys().filter(|view| !new.views.contains_key(*view));
    lines.0.extend(gone.map(|view| format!("view {view}: gone")));
    let uses = |uses: &[ViewUse]| list(uses.iter().map(of_use));
    lines.value("views", uses(&before.views), uses(&after.views));
    let names = |service: &ServiceVersion| {
        list(service.definition.on_demand.iter().map(ToString::to_string))
    };
    lines.value("on_demand", names(old), names(new));
    for transform in &new.on_demand {
        let there = old.on_demand.iter().find(|there| there.name == transform.name);
        let changes = there.into_iter().flat_map(|there| of_on_demand(there, transform));
        lines.0.extend(changes.map(|line| format!("on_demand {}: {line}", transform.name)));
    }
    lines.value("full_names", before.full_names, after.full_names);
    lines.texts(
        (&before.description, &before.owner, &before.tags),
        (&after.description, &after.owner, &after.tags),
    );
    lines.0
}

fn of_use(used: &ViewUse) -> String {
    let mut text = used.view.to_string();
    if !used.features.is_empty() {
        let _ = write!(text, "[{}]", list(used.features.iter().map(ToString::to_string)));
    }
    if let Some(alias) = &used.alias {
        let _ = write!(text, " as {alias}");
    }
    if !used.keys.is_empty() {
        let _ = write!(
            text,
            " by {}",
            list(used.keys.iter().map(|(key, column)| format!("{key} = {column}")))
        );
    }
    text
}

fn source(source: &Source) -> String {
    match source {
        Source::Files(files) => list(files.iter().cloned()),
        _ => "appended rows".to_owned(),
    }
}

fn pii(pii: Option<bool>) -> String {
    pii.map(|pii| pii.to_string()).unwrap_or_default()
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
