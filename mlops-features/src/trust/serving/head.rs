//! What a segment of a serving log says of itself, in the metadata of the Parquet file, and the names of its
//! columns.
//!
//! A segment says all that is needed to find a key in it, so that an erasure does not depend on
//! definitions that may have changed since.

use std::collections::BTreeMap;

use mlops_core::features::{FeatureName, ServiceRef, TableId, TableKey};
use mlops_core::tracking::Digest;
use serde::{Deserialize, Serialize};

use crate::define::Resolved;

/// The column of instants. No key column begins with `_`.
pub(crate) const AT: &str = "_at";
/// The version of the format.
pub(crate) const FORMAT: u32 = 1;

/// What one segment has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) format: u32,
    /// The service, with its version.
    pub(crate) service: ServiceRef,
    /// The version's digest.
    pub(crate) digest: Digest,
    /// Its views, in its order.
    pub(crate) views: Vec<HeadView>,
    /// For each entity the columns that hold its keys, once for each way in which a view takes them.
    pub(crate) entities: BTreeMap<FeatureName, Vec<Vec<TableKey>>>,
    /// Who wrote it, and which of its segments it is: two writers that answer the same at the same instant
    /// write two segments.
    pub(crate) writer: (u32, u64, u64),
    /// Records that the writer left out before this segment, because its buffer was full.
    pub(crate) dropped: u64,
}

/// A view of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeadView {
    pub(crate) alias: FeatureName,
    pub(crate) view: FeatureName,
    pub(crate) table: TableId,
}

impl Head {
    /// Of a service; `entities` says the join keys of each entity.
    pub(super) fn new(
        resolved: &Resolved,
        entities: &BTreeMap<FeatureName, mlops_core::features::Entity>,
    ) -> Self {
        let mut ways: BTreeMap<FeatureName, Vec<Vec<TableKey>>> = BTreeMap::new();
        for view in &resolved.views {
            for name in &view.view.definition.entities {
                let Some(entity) = entities.get(name) else { continue };
                let columns = entity.keys.iter().map(|key| {
                    let of_view = view.keys.iter().find(|there| there.key.name == key.name)?;
                    Some(TableKey { name: of_view.column.clone(), data_type: key.data_type })
                });
                let Some(columns) = columns.collect::<Option<Vec<_>>>() else { continue };
                let known = ways.entry(name.clone()).or_default();
                if !known.contains(&columns) {
                    known.push(columns);
                }
            }
        }
        let views = resolved.views.iter().map(|view| HeadView {
            alias: view.used.prefix().clone(),
            view: view.used.view.clone(),
            table: view.view.table.id.clone(),
        });
        Self {
            format: FORMAT,
            service: ServiceRef::version(resolved.name.clone(), resolved.version.version),
            digest: resolved.version.digest,
            views: views.collect(),
            entities: ways,
            writer: (0, 0, 0),
            dropped: 0,
        }
    }
}

/// The column of what became of each row in a view.
pub(crate) fn status_column(alias: &str) -> String {
    format!("_status:{alias}")
}

/// The column of the `seq` of the first row that was not known to be online; null for a view of files.
pub(crate) fn online_column(alias: &str) -> String {
    format!("_online:{alias}")
}

/// The column of the `seq` of the first row that was not yet in the log; null for a view of files.
pub(crate) fn logged_column(alias: &str) -> String {
    format!("_logged:{alias}")
}
