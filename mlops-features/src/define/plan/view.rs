//! A view's next version, its table, and what becomes of those who use it.

use mlops_core::features::{
    Change, ChangeKind, Consumer, FeatureName, FeatureView, Lifecycle, ServiceVersion, Source,
    Table, ViewRecord, ViewUse, ViewVersion,
};
use mlops_core::{Error, Result};

use super::Planning;
use crate::define::differences;
use crate::define::digest::view_digest;
use crate::define::table::{column_of, retyped, rows_do_not_fit, table_of};

impl Planning<'_> {
    pub(super) fn views(&mut self) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for view in &self.definitions.views {
            changes.extend(self.view(view)?);
        }
        Ok(changes)
    }

    fn view(&mut self, view: &FeatureView) -> Result<Option<Change>> {
        let first = table_of(view, &self.next.entities, 1)?;
        let digest = view_digest(view, &first.keys);
        let Some(record) = self.next.views.get(&view.name) else {
            let mut change = Change::new("view", view.name.clone(), ChangeKind::Create);
            change.refused = self.lacks(|policy| policy.of_view(view));
            let version = ViewVersion::new(1, digest, view.clone(), first);
            let record = ViewRecord::new(Lifecycle::Active, version);
            self.next.views.insert(view.name.clone(), record);
            return Ok(Some(change));
        };
        let old = record.last();
        if old.digest == digest && old.definition == *view {
            return Ok(None);
        }
        let mut change = if old.digest == digest {
            Change::new("view", view.name.clone(), ChangeKind::Describe)
        } else {
            self.new_version(record, view)?
        };
        change.details = differences::of_views(old, view, &first.keys);
        change.refused.extend(self.lacks(|policy| policy.of_view(view)));
        if record.state.at(self.now) == Lifecycle::Retired {
            change.refused.push(
                "the view is retired, and its definition closed; define another view".to_owned(),
            );
        }
        let mut record = record.clone();
        if let ChangeKind::Version { version, .. } = change.change {
            let table = next_table(&record, view, &self.next.entities)?;
            record.versions.push(ViewVersion::new(version, digest, view.clone(), table));
        } else if let Some(last) = record.versions.last_mut() {
            last.definition = view.clone();
        }
        self.next.views.insert(view.name.clone(), record);
        Ok(Some(change))
    }

    fn new_version(&self, record: &ViewRecord, view: &FeatureView) -> Result<Change> {
        let old = record.last();
        let table = next_table(record, view, &self.next.entities)?;
        let new_table = table.id != old.table.id;
        let version = old.version.checked_add(1).ok_or_else(|| {
            Error::invalid("features.plan", "the view has too many versions")
                .with("view", &view.name)
        })?;
        let kind = ChangeKind::Version { version, new_table };
        let mut change = Change::new("view", view.name.clone(), kind);
        for (service, record_of_service) in &self.loaded.registered.services {
            for user in &record_of_service.versions {
                self.consumers(record, &table, service, user, version, &mut change);
            }
        }
        Ok(change)
    }

    /// What becomes of one version of a service, and of the models that use it, if the view's last table is
    /// `table`.
    fn consumers(
        &self,
        record: &ViewRecord,
        table: &Table,
        service: &FeatureName,
        user: &ServiceVersion,
        next: u32,
        change: &mut Change,
    ) {
        let view = &record.last().definition.name;
        let Some(pinned) = user.views.get(view) else { return };
        let last = self.loaded.registered.services.get(service).map(|record| record.last().version);
        let is_last = last == Some(user.version);
        let applied = is_last && self.applies_service(service);
        let models = self.models.iter().filter(|model| {
            model.service.name == *service
                && model.service.version.or(last) == Some(user.version)
                // Who asks for the last version gets the one to come.
                && !(applied && model.service.version.is_none())
        });
        let loss = record.version(*pinned).and_then(|version| lost(version, user, view, table));
        let effect = match &loss {
            Some(loss) => format!("stays on version {pinned}, but {loss}"),
            None => format!("stays on version {pinned}"),
        };
        if applied {
            let effect = format!("gets a new version, which uses version {next}");
            change.consumers.push(Consumer::new(format!("service {service}"), effect, false));
        } else if is_last {
            let name = format!("service {service}@{}", user.version);
            change.consumers.push(Consumer::new(name, effect.clone(), loss.is_some()));
            let takes_away = loss.as_ref().filter(|loss| loss.starts_with("column"));
            change.refused.extend(takes_away.map(|loss| {
                format!("service `{service}` uses it: {loss}; define the service in the same step")
            }));
        }
        for model in models {
            let effect = format!("{effect} (service {service}@{})", user.version);
            let name = format!("model {}", model.name);
            change.consumers.push(Consumer::new(name, effect, loss.is_some()));
        }
    }
}

/// What a service that is pinned to `version` no longer gets, if rows go to `table`.
fn lost(
    version: &ViewVersion,
    user: &ServiceVersion,
    view: &FeatureName,
    table: &Table,
) -> Option<String> {
    if version.table.id != table.id {
        // Files go on to be read as they were; a log that is no longer appended to ages.
        return (version.table.source == Source::Log)
            .then(|| "its rows are those of before: new rows do not reach it".to_owned());
    }
    let uses = user.definition.views.iter().filter(|used| used.view == *view);
    let gone: Vec<&str> = uses
        .flat_map(|used| columns_used(version, used))
        .filter(|column| !table.columns.iter().any(|there| there.name == *column))
        .collect();
    let first = gone.first()?;
    Some(format!("column `{first}` is gone, and it would get null from new rows"))
}

fn columns_used<'a>(version: &'a ViewVersion, used: &'a ViewUse) -> impl Iterator<Item = &'a str> {
    version
        .definition
        .features
        .iter()
        .filter(|feature| used.features.is_empty() || used.features.contains(&feature.name))
        .filter_map(column_of)
}

/// The table of a view's next version: the last one's, unless rows of before do not fit.
///
/// A column that was taken away and comes back with another type finds its old values in the rows, so all
/// versions of the last table are asked.
fn next_table(
    record: &ViewRecord,
    view: &FeatureView,
    entities: &std::collections::BTreeMap<FeatureName, mlops_core::features::Entity>,
) -> Result<Table> {
    let old = &record.last().table;
    // Tables are numbered in the order of versions, each as the one before or the next.
    let mut number = 1;
    for pair in record.versions.windows(2) {
        number += u32::from(pair[0].table.id != pair[1].table.id);
    }
    let same = table_of(view, entities, number)?;
    let of_this_table = record.versions.iter().filter(|version| version.table.id == old.id);
    let fits = !rows_do_not_fit(old, &same)
        && !of_this_table.into_iter().any(|version| retyped(&version.table, &same));
    if fits { Ok(same) } else { table_of(view, entities, number + 1) }
}
