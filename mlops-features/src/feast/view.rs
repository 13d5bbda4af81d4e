//! A view of Feast as a view.

use std::collections::BTreeMap;

use mlops_core::features::{Entity, Feature, FeatureView, Source, Span};

use super::registry::{Field, Source as FeastSource, View};
use super::{NO_ENTITY, types, usable};

/// Feast's numbers of sources.
const FILE: u64 = 1;
const PUSH: u64 = 9;

pub(super) fn convert(
    view: &View,
    entities: &BTreeMap<&str, &Entity>,
    left: &mut Vec<String>,
) -> Option<FeatureView> {
    let name = usable("view", &view.name, left)?;
    let mut say = |what: String| left.push(format!("view {name}: {what}"));
    if view.aggregations > 0 {
        say("its aggregations have windows of a stream; define them as aggregates".to_owned());
        return None;
    }
    let mut converted = FeatureView::new(&name, [""; 0]).ok()?;
    for entity in view.entities.iter().filter(|entity| *entity != NO_ENTITY) {
        let Some(known) = entities.get(entity.as_str()) else {
            say(format!("its entity `{entity}` was left out, and so is it"));
            return None;
        };
        converted.entities.push(known.name.clone());
    }
    if view.transformed {
        say("its transformation is code, which is not run; its source must hold the result"
            .to_owned());
    }
    if view.of_views {
        say("it is made of other views, which is not done here".to_owned());
    }
    if view.disabled {
        say("it is disabled in Feast; set its state".to_owned());
    }
    if !view.online {
        say("it is not served online in Feast: set its state to draft".to_owned());
    }
    converted.ttl = ttl(view.ttl).unwrap_or_else(|| {
        say(format!("its ttl of {} s is no span of time; rows of any age answer", view.ttl.0));
        Span::ZERO
    });
    // Feast calls columns as they are after renaming, also those of times and keys.
    let mut columns = BTreeMap::new();
    if let Some(source) = &view.source {
        columns.extend(source.mapping.iter().map(|(from, to)| (to.as_str(), from.as_str())));
        convert_source(source, &columns, &mut converted, &mut say);
    } else {
        say("it has no source; its rows are to be appended".to_owned());
    }
    if let Some(stream) = &view.stream {
        let kind = if stream.kind == PUSH { "rows are pushed to it" } else { "it reads a stream" };
        say(format!(
            "{kind} (`{}`); here a view reads files or is appended to. To append, leave `source` out",
            stream.name
        ));
    }
    for entity in &converted.entities {
        for key in entities.get(entity.as_str()).into_iter().flat_map(|entity| &entity.keys) {
            if let Some(column) = columns.get(key.name.as_str()) {
                say(format!(
                    "its join key `{}` is column `{column}` of the files, which must be renamed",
                    key.name
                ));
            }
        }
    }
    for field in &view.features {
        converted.features.extend(convert_feature(field, &columns, &mut say));
    }
    if converted.features.is_empty() {
        say("none of its features has a counterpart, and so it is left out".to_owned());
        return None;
    }
    converted.description.clone_from(&view.description);
    converted.owner.clone_from(&view.owner);
    converted.tags.clone_from(&view.tags);
    Some(converted)
}

fn convert_source(
    source: &FeastSource,
    columns: &BTreeMap<&str, &str>,
    view: &mut FeatureView,
    say: &mut impl FnMut(String),
) {
    let in_source =
        |name: &String| columns.get(name.as_str()).map_or(name.clone(), |&c| c.to_owned());
    if source.event_time.is_empty() {
        say("its source names no column of event times; `event_time` is taken".to_owned());
    } else {
        view.event_time = in_source(&source.event_time);
    }
    if !source.created.is_empty() {
        view.created = Some(in_source(&source.created));
    }
    if !source.date_partition.is_empty() {
        say(format!("its files are partitioned by `{}`, which is not used", source.date_partition));
    }
    if source.kind != FILE || source.uri.is_empty() {
        let class = source.class.rsplit('.').next().unwrap_or_default();
        let class = if class.is_empty() { "a store that is not read" } else { class };
        let table = if source.table.is_empty() { &source.name } else { &source.table };
        say(format!("its rows are in {class} (`{table}`); they are to be appended"));
        return;
    }
    if source.other_format {
        say(format!("its files (`{}`) are not Parquet; its rows are to be appended", source.uri));
        return;
    }
    if !source.endpoint.is_empty() {
        say(format!("its files are at {}; give the address to the store", source.endpoint));
    }
    if !source.uri.contains("://") && !source.uri.starts_with('/') {
        say(format!("the path `{}` is relative to the Feast repository", source.uri));
    }
    view.source = Source::Files(vec![source.uri.clone()]);
}

fn convert_feature(
    field: &Field,
    columns: &BTreeMap<&str, &str>,
    say: &mut impl FnMut(String),
) -> Option<Feature> {
    let Some((data_type, coarser)) = types::feature_type(field.value_type) else {
        say(format!(
            "feature `{}` of type {} has no counterpart",
            field.name,
            types::name(field.value_type)
        ));
        return None;
    };
    let Ok(mut feature) = Feature::new(&field.name, data_type) else {
        say(format!("the name of feature `{}` can be none here", field.name.escape_debug()));
        return None;
    };
    if coarser {
        say(format!(
            "feature `{}` of type {} is text here",
            field.name,
            types::name(field.value_type)
        ));
    }
    feature.column = columns.get(field.name.as_str()).map(|&column| column.to_owned());
    feature.description.clone_from(&field.description);
    feature.tags.clone_from(&field.tags);
    feature.pii = feature.tags.get("pii").and_then(|mark| mark.to_lowercase().parse().ok());
    if feature.pii.is_some() {
        feature.tags.remove("pii");
    }
    Some(feature)
}

/// Zero is any age there as here. Nanoseconds below a microsecond, which Feast cannot write, are no span.
fn ttl((seconds, nanos): (i64, i64)) -> Option<Span> {
    let micros = seconds.checked_mul(1_000_000)?.checked_add(nanos / 1_000)?;
    (nanos % 1_000 == 0).then(|| Span::from_micros(micros).ok())?
}
