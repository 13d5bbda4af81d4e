//! What a version of a service asks for and answers, column by column, with where each comes from.

use mlops::features::{
    FeatureType, KeyType, Registered, ServiceRef, ServiceVersion, ViewUse, ViewVersion,
};

/// A column of the answer.
pub(super) struct Column<'a> {
    pub(super) name: String,
    pub(super) data_type: FeatureType,
    /// `driver_stats@2`, or the transform.
    pub(super) from: String,
    /// The place of its view in the service; none for a transform's.
    pub(super) view: Option<usize>,
    pub(super) description: &'a str,
    pub(super) pii: Option<bool>,
}

/// The columns of the answer, in order.
pub(super) fn columns<'a>(
    registered: &'a Registered,
    version: &'a ServiceVersion,
) -> Vec<Column<'a>> {
    let mut columns = Vec::new();
    for (at, used) in version.definition.views.iter().enumerate() {
        let Some(view) = pinned(registered, version, used) else { continue };
        let all = view.definition.features.iter().map(|feature| &feature.name);
        let names = if used.features.is_empty() {
            all.collect::<Vec<_>>()
        } else {
            used.features.iter().collect()
        };
        for feature in names.into_iter().filter_map(|name| view.definition.feature(name)) {
            let name = &feature.name;
            let full = version.definition.full_names;
            columns.push(Column {
                name: if full { format!("{}__{name}", used.prefix()) } else { name.to_string() },
                data_type: feature.data_type,
                from: format!("{}@{}", used.view, view.version),
                view: Some(at),
                description: &feature.description,
                pii: feature.pii,
            });
        }
    }
    for transform in &version.on_demand {
        columns.extend(transform.features.iter().map(|feature| Column {
            name: feature.name.to_string(),
            data_type: feature.data_type,
            from: transform.name.to_string(),
            view: None,
            description: &feature.description,
            pii: feature.pii,
        }));
    }
    columns
}

/// The columns that the rows that ask must have, each once: keys, and what transforms ask for.
pub(super) fn asked(registered: &Registered, version: &ServiceVersion) -> Vec<(String, String)> {
    let mut asked: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, what: String| {
        if asked.iter().all(|(there, _)| there != name) {
            asked.push((name.to_owned(), what));
        }
    };
    for used in &version.definition.views {
        let Some(view) = pinned(registered, version, used) else { continue };
        for key in &view.table.keys {
            let column = used.keys.get(&key.name).unwrap_or(&key.name);
            add(column, format!("{} (key)", KeyType::as_str(key.data_type)));
        }
    }
    for field in version.on_demand.iter().flat_map(|transform| &transform.request) {
        add(&field.name, field.data_type.to_string());
    }
    asked
}

/// The version that is meant, if it is there.
pub(super) fn version_of<'a>(
    registered: &'a Registered,
    service: &ServiceRef,
) -> Option<&'a ServiceVersion> {
    let record = registered.services.get(&service.name)?;
    match service.version {
        Some(version) => record.version(version),
        None => Some(record.last()),
    }
}

fn pinned<'a>(
    registered: &'a Registered,
    version: &ServiceVersion,
    used: &ViewUse,
) -> Option<&'a ViewVersion> {
    registered.views.get(&used.view)?.version(*version.views.get(&used.view)?)
}
