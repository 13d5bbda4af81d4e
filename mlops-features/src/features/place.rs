//! Where the rows of a view go online, and which versions of it share a place.
//!
//! Services are pinned to versions, and a version that is no longer the last one must be kept up as long
//! as a service uses it. Versions with the same rows share them: what is packed has the columns of all of
//! them, and lives as long as the one that needs it longest.

use std::collections::BTreeMap;
use std::sync::Arc;

use mlops_core::Result;
use mlops_core::features::{Registered, Table, TableId, ViewRecord, ViewVersion};

use crate::codec::RowCodec;
use crate::window::WindowPlan;

/// An online table of a view.
#[derive(Debug)]
pub(super) struct Place {
    /// Where the rows are, with the columns of all versions that share them.
    pub(super) table: Table,
    /// Where they go.
    pub(super) online: TableId,
    /// What becomes of them on the way.
    pub(super) how: How,
    /// How old a row may be for the version that takes the oldest, in microseconds; 0 for any age.
    pub(super) ttl: i64,
}

/// What becomes of rows on the way.
#[derive(Debug)]
pub(super) enum How {
    /// They are packed.
    Rows(Box<RowCodec>),
    /// They are folded into states.
    Windows(Arc<WindowPlan>),
}

/// The places of a view that are used: those of its last version, and of each that a service is pinned
/// to. That of the last version is the last one.
pub(super) fn places(registered: &Registered, record: &ViewRecord) -> Result<Vec<Place>> {
    let last = record.last();
    let name = &last.definition.name;
    let services = registered.services.values().flat_map(|service| &service.versions);
    let pinned: Vec<u32> =
        services.filter_map(|version| version.views.get(name)).copied().collect();
    let used = |version: &&ViewVersion| {
        version.version == last.version || pinned.contains(&version.version)
    };
    let mut by_table: BTreeMap<TableId, Vec<&ViewVersion>> = BTreeMap::new();
    for version in record.versions.iter().filter(used) {
        by_table.entry(online_table(version)).or_default().push(version);
    }
    let end = by_table.remove(&online_table(last)).map(|versions| (online_table(last), versions));
    by_table
        .into_iter()
        .chain(end)
        .map(|(online, versions)| place(record, online, &versions))
        .collect()
}

fn place(record: &ViewRecord, online: TableId, versions: &[&ViewVersion]) -> Result<Place> {
    // Of aggregated versions there is one, because their tables are their own.
    let version = versions.last().copied().unwrap_or_else(|| record.last());
    let how = if version.definition.is_aggregated() {
        let features = &version.definition.features;
        How::Windows(Arc::new(WindowPlan::new(&version.table, features)?))
    } else {
        How::Rows(Box::new(codec_of(record, &version.table.id)?))
    };
    let ttls = versions.iter().map(|version| version.definition.ttl.micros());
    let ttl = if ttls.clone().any(|ttl| ttl == 0) { 0 } else { ttls.max().unwrap_or(0) };
    Ok(Place { table: table_of_all(record, &version.table.id), online, how, ttl })
}

/// Where the online store keeps a version of a view: aggregated views by version, because their states
/// are made of their windows.
pub(crate) fn online_table(version: &ViewVersion) -> TableId {
    if version.definition.is_aggregated() {
        TableId::windows(&version.definition.name, version.version)
    } else {
        version.table.id.clone()
    }
}

/// A table with the columns of all versions that share it, so that a version that does without a column
/// takes it from nobody else.
pub(super) fn table_of_all(record: &ViewRecord, id: &TableId) -> Table {
    let sharing = record.versions.iter().filter(|version| version.table.id == *id);
    let mut table: Option<Table> = None;
    for version in sharing {
        let mut columns = table.map(|table| table.columns).unwrap_or_default();
        for column in &version.table.columns {
            if columns.iter().all(|there| there.name != column.name) {
                columns.push(column.clone());
            }
        }
        let mut latest = version.table.clone();
        latest.columns = columns;
        table = Some(latest);
    }
    table.unwrap_or_else(|| record.last().table.clone())
}

/// Packs rows with the columns of all versions that share a table, and reads what was packed when there
/// were fewer versions.
pub(super) fn codec_of(record: &ViewRecord, id: &TableId) -> Result<RowCodec> {
    let mut codec = RowCodec::new(&table_of_all(record, id).columns)?;
    let mut before = ViewRecord::new(record.state, record.last().clone());
    before.versions.clear();
    for version in record.versions.iter().filter(|version| version.table.id == *id) {
        before.versions.push(version.clone());
        codec = codec.reading(&table_of_all(&before, id).columns)?;
    }
    Ok(codec)
}
