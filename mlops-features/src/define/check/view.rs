//! What a view must obey.

use std::collections::BTreeSet;

use mlops_core::features::{
    Aggregate, AggregateFunction, Feature, FeatureType, FeatureView, Source, Span,
};

use super::{Faults, Merged, check_column};
use crate::define::table::{column_of, columns_of, keys_of};

/// Longest window of an aggregate: more than a year back there is little that is a feature.
const MAX_WINDOW: Span = Span::days(400);
/// Most steps of its resolution that a window may have; each is kept online.
const MAX_STEPS: i64 = 10_000;
/// Most aggregates of one view, whose states are kept in one entry.
const MAX_AGGREGATES: usize = 1_000;

pub(super) fn check(view: &FeatureView, merged: &Merged<'_>, faults: &mut Faults) {
    let mut problems = Vec::new();
    let keys = keys_of(view, &merged.entities, &mut problems);
    let columns = columns_of(view, &mut problems);
    for problem in problems {
        faults.add(problem);
    }

    let mut entities = BTreeSet::new();
    for entity in &view.entities {
        if !entities.insert(entity) {
            faults.add(format!("entity `{entity}` comes twice"));
        }
    }
    check_source(view, faults);
    check_column("event_time", &view.event_time, faults);
    if let Some(created) = &view.created {
        check_column("created", created, faults);
        if *created == view.event_time {
            faults.add(format!("`{created}` is both event_time and created"));
        }
    }
    // Columns that have their part already: of a key, or of a time.
    let mut taken: Vec<(&str, &str)> = vec![(&view.event_time, "the column of event times")];
    taken.extend(view.created.as_deref().map(|name| (name, "the column of creation times")));
    for key in &keys {
        if let Some((_, part)) = taken.iter().find(|(name, _)| *name == key.name) {
            faults.add(format!("join key `{}` is {part}", key.name));
        }
    }
    taken.extend(keys.iter().map(|key| (key.name.as_str(), "a join key")));
    for column in &columns {
        check_column("column", &column.name, faults);
        if let Some((_, part)) = taken.iter().find(|(name, _)| *name == column.name) {
            faults.add(format!("column `{}` of a feature is {part}", column.name));
        }
    }
    check_features(view, &taken, faults);
}

fn check_features(view: &FeatureView, taken: &[(&str, &str)], faults: &mut Faults) {
    if view.features.is_empty() {
        faults.add("has no features; give at least one, such as `{name: trips, type: int}`");
    }
    let mut names = BTreeSet::new();
    for feature in &view.features {
        let name = &feature.name;
        if !names.insert(name) {
            faults.add(format!("feature `{name}` comes twice"));
        }
        // Where the column is called as the feature, that was said of the column.
        if column_of(feature) != Some(name.as_str())
            && let Some((_, part)) = taken.iter().find(|(column, _)| *column == name.as_str())
        {
            faults.add(format!("feature `{name}` is called as {part}"));
        }
        if let Some(aggregate) = feature.aggregate {
            check_aggregate(feature, aggregate, view, faults);
        }
    }
    if !view.is_aggregated() {
        return;
    }
    if view.features.len() > MAX_AGGREGATES {
        faults.add(format!(
            "has {} aggregates, above {MAX_AGGREGATES}; put them into several views",
            view.features.len()
        ));
    }
    for feature in view.features.iter().filter(|feature| feature.aggregate.is_none()) {
        faults.add(format!(
            "feature `{}` is a column of one row and others are aggregates over many; \
             put them into two views, or make it the aggregate `last`",
            feature.name
        ));
    }
    if !view.ttl.is_zero() {
        faults.add(format!(
            "ttl is {} and its features are aggregates, which have windows; leave ttl out",
            view.ttl
        ));
    }
}

fn check_source(view: &FeatureView, faults: &mut Faults) {
    let Source::Files(files) = &view.source else { return };
    if view.is_aggregated() {
        faults.add(
            "an aggregated view is of files; leave `source` out and append their rows, because what is \
             kept online is a fold of a log",
        );
    }
    if files.is_empty() {
        faults.add("source has no files; name at least one, or leave source out to append rows");
    }
    let mut seen = BTreeSet::new();
    for file in files {
        let shown: String = file.chars().take(200).collect();
        if file.trim().is_empty() || file.len() > 4_000 || file.chars().any(char::is_control) {
            faults.add(format!("source file `{}` is no URL or path", shown.escape_debug()));
        } else if !seen.insert(file) {
            faults.add(format!("source file `{shown}` comes twice: its rows would count twice"));
        } else if has_credentials(file) {
            // Not shown: it holds a secret.
            faults.add("a source file's URL has credentials in it; give them to the store instead");
        }
    }
}

/// Whether a URL has a user's part: `s3://key:secret@bucket/…`.
fn has_credentials(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@'))
}

fn check_aggregate(
    feature: &Feature,
    aggregate: Aggregate,
    view: &FeatureView,
    faults: &mut Faults,
) {
    let Feature { name, .. } = feature;
    let (window, resolution) = (aggregate.window, aggregate.resolution());
    if window.is_zero() || window > MAX_WINDOW {
        faults.add(format!(
            "feature `{name}`: window {window} is not above 0 and at most {MAX_WINDOW}"
        ));
    } else if resolution.is_zero() || resolution > window {
        faults.add(format!(
            "feature `{name}`: resolution {resolution} is not above 0 and at most the window, {window}"
        ));
    } else if window.micros() / resolution.micros() > MAX_STEPS {
        faults.add(format!(
            "feature `{name}`: window {window} has more than {MAX_STEPS} steps of {resolution}, \
             each of which is kept online; give a coarser resolution"
        ));
    }
    let wanted = match column_of(feature) {
        None => None,
        // Two features may share a column, and only one of them says its type.
        Some(column) => columns_of(view, &mut Vec::new())
            .into_iter()
            .find(|there| there.name == column)
            .map(|there| there.data_type),
    };
    if let Some(problem) = wrong_type(aggregate.function, wanted, feature.data_type) {
        faults.add(format!("feature `{name}`: {problem}"));
    }
}

/// What is wrong with an aggregate of a column of one type that makes another.
fn wrong_type(
    function: AggregateFunction,
    column: Option<FeatureType>,
    made: FeatureType,
) -> Option<String> {
    use AggregateFunction::{Count, Distinct, Last, Max, Mean, Min, Sum};
    use FeatureType::{Bytes, Float, Float32, Int, Vector};
    let right = match (function, column) {
        (Count, _) => Int,
        // What lacks its column's type was said to.
        (_, None) => return None,
        (Distinct, Some(Vector)) => {
            return Some("distinct is of single values, and the column is of vectors".to_owned());
        }
        (Distinct, _) | (Sum, Some(Int)) => Int,
        (Sum | Mean, Some(Float32)) if made == Float32 => Float32,
        (Sum | Mean, Some(Int | Float | Float32)) => Float,
        (Sum | Mean, Some(column)) => {
            return Some(format!("sum and mean are of numbers, and the column is {column}"));
        }
        (Min | Max | Last, Some(column @ (Vector | Bytes))) => {
            return Some(format!("min, max and last are not of {column}"));
        }
        (Min | Max | Last, Some(column)) => column,
        (_, Some(_)) => return None,
    };
    (made != right).then(|| {
        let input = match function {
            Sum | Min | Max | Last => " (the column's type is `input`, if it is another)",
            _ => "",
        };
        format!("type {made} is not what the aggregate makes, {right}{input}")
    })
}
