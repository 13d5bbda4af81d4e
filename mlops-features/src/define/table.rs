//! The table of a view: what the stores of rows need to know of it.

use std::collections::BTreeMap;

use mlops_core::features::{
    AggregateFunction, Entity, Feature, FeatureName, FeatureType, FeatureView, Source, Table,
    TableColumn, TableId, TableKey,
};
use mlops_core::{Error, Result};

use super::nearest::hint;

/// The `number`th table of a view.
///
/// # Errors
/// `Invalid` for an entity that is not there, and for two features that do not agree on a column's type.
pub(crate) fn table_of(
    view: &FeatureView,
    entities: &BTreeMap<FeatureName, Entity>,
    number: u32,
) -> Result<Table> {
    let mut problems = Vec::new();
    let keys = keys_of(view, entities, &mut problems);
    let columns = columns_of(view, &mut problems);
    if let Some(problem) = problems.into_iter().next() {
        return Err(Error::invalid("features.table", "the view has no table")
            .with("view", &view.name)
            .with("problem", problem));
    }
    Ok(build(view, keys, columns, number))
}

/// A table of parts that were found to be good.
pub(super) fn build(
    view: &FeatureView,
    keys: Vec<TableKey>,
    columns: Vec<TableColumn>,
    number: u32,
) -> Table {
    let mut table = Table::new(TableId::new(&view.name, number), keys);
    table.event_time.clone_from(&view.event_time);
    table.created.clone_from(&view.created);
    table.columns = columns;
    table.source = view.source.clone();
    table.ahead = view.ahead;
    table
}

/// The join keys of a view's entities, one after the other.
pub(super) fn keys_of(
    view: &FeatureView,
    entities: &BTreeMap<FeatureName, Entity>,
    problems: &mut Vec<String>,
) -> Vec<TableKey> {
    let mut keys: Vec<TableKey> = Vec::new();
    for name in &view.entities {
        let Some(entity) = entities.get(name) else {
            let hint = hint(name, entities.keys().map(FeatureName::as_str));
            problems.push(format!("there is no entity `{name}`; {hint}"));
            continue;
        };
        for key in &entity.keys {
            if keys.iter().any(|there| there.name == key.name) {
                problems.push(format!(
                    "join key `{}` of entity `{name}` comes twice; give one of the entities another one",
                    key.name
                ));
            }
            keys.push(TableKey { name: key.name.clone(), data_type: key.data_type });
        }
    }
    keys
}

/// The columns that a view's features are made of, each once, in the order of the features.
pub(super) fn columns_of(view: &FeatureView, problems: &mut Vec<String>) -> Vec<TableColumn> {
    let mut said: BTreeMap<&str, (FeatureType, &Feature)> = BTreeMap::new();
    for feature in &view.features {
        let (Some(column), Some(data_type)) = (column_of(feature), said_type(feature)) else {
            continue;
        };
        let (first, by) = *said.entry(column).or_insert((data_type, feature));
        if first != data_type {
            problems.push(format!(
                "column `{column}` is {first} for feature `{}` and {data_type} for `{}`; it has one type",
                by.name, feature.name
            ));
        }
    }
    let mut columns: Vec<TableColumn> = Vec::new();
    for feature in &view.features {
        let Some(name) = column_of(feature) else { continue };
        if columns.iter().any(|column| column.name == name) {
            continue;
        }
        let mean = feature.aggregate.is_some_and(|a| a.function == AggregateFunction::Mean);
        let data_type = match said.get(name) {
            Some((data_type, _)) => *data_type,
            // Of a mean the type says nothing of the column; doubles are what it is of mostly.
            None if mean && feature.data_type == FeatureType::Float32 => FeatureType::Float32,
            None if mean => FeatureType::Float,
            None => {
                problems.push(format!(
                    "feature `{}` does not say the type of its column `{name}`; give the aggregate \
                     an `input`",
                    feature.name
                ));
                continue;
            }
        };
        columns.push(TableColumn { name: name.to_owned(), data_type });
    }
    columns
}

/// The column that a feature is made of; none, if it counts rows: neither a column nor its type is said.
pub(super) fn column_of(feature: &Feature) -> Option<&str> {
    let counts = feature
        .aggregate
        .is_some_and(|a| a.function == AggregateFunction::Count && a.input.is_none());
    (!counts || feature.column.is_some()).then(|| feature.column())
}

/// The type of its column, as far as the feature says it.
fn said_type(feature: &Feature) -> Option<FeatureType> {
    let Some(aggregate) = feature.aggregate else { return Some(feature.data_type) };
    aggregate.input.or(match aggregate.function {
        AggregateFunction::Sum
        | AggregateFunction::Min
        | AggregateFunction::Max
        | AggregateFunction::Last => Some(feature.data_type),
        _ => None,
    })
}

/// Whether rows that were stored for `old` cannot be rows of `new`.
///
/// Of files nothing is stored but what is online, in the order of their times; so for them the columns of
/// times count as well.
pub(super) fn rows_do_not_fit(old: &Table, new: &Table) -> bool {
    let times = matches!(new.source, Source::Files(_))
        && (old.event_time != new.event_time || old.created != new.created);
    old.keys != new.keys || old.source != new.source || times || retyped(old, new)
}

/// Whether a column of both has another type.
pub(super) fn retyped(old: &Table, new: &Table) -> bool {
    new.columns.iter().any(|column| {
        old.columns
            .iter()
            .any(|there| there.name == column.name && there.data_type != column.data_type)
    })
}
