//! Forgetting an entity: every row of its keys, in every table of every view of it, and what is online.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use futures::TryStreamExt;
use mlops_core::features::{
    FeatureName, KeyBatch, Rewritten, Scan, Source, Table, TableId, TableKey, ViewRecord,
};
use mlops_core::{Error, ErrorKind, Result};

use super::Features;
use super::place::online_table;
use crate::define::hint;
use crate::offline::coerce::coerce_keys;
use crate::trust::Cleaned;

const OPERATION: &str = "features.erase";

impl Features {
    pub(super) async fn forget(
        &self,
        entity: &FeatureName,
        keys: &RecordBatch,
    ) -> Result<Vec<Rewritten>> {
        let registered = self.load().await?;
        let known = registered.entities.get(entity).ok_or_else(|| {
            let known = registered.entities.keys().map(FeatureName::as_str);
            Error::not_found(OPERATION, "there is no such entity")
                .with("entity", entity)
                .with_hint(hint(entity, known))
        })?;
        let mut columns: Vec<ArrayRef> = Vec::new();
        let mut parts: Vec<TableKey> = Vec::new();
        for key in &known.keys {
            columns.push(Arc::clone(keys.column_by_name(&key.name).ok_or_else(|| {
                Error::invalid(OPERATION, "the keys lack a column")
                    .with("entity", entity)
                    .with("column", &key.name)
            })?));
            parts.push(TableKey { name: key.name.clone(), data_type: key.data_type });
        }
        let wanted = Wanted::of(&parts, &coerce_keys(&columns, &parts)?, keys.num_rows())?;
        // What cannot be done is said before anything is.
        for record in registered.views.values() {
            for table in tables(record, entity) {
                wanted.places(table)?;
            }
        }
        let mut proof = Vec::new();
        let cleaned = self.forget_served(entity, &wanted).await?;
        for (name, record) in &registered.views {
            for table in tables(record, entity) {
                let mut done = self.forget_in(name, record, table, &wanted).await?;
                for segment in &cleaned {
                    if segment.tables.contains(&(name.clone(), table.id.clone())) {
                        segment.note(&mut done.serving);
                    }
                }
                proof.push(done);
            }
        }
        Ok(proof)
    }

    async fn forget_served(&self, entity: &FeatureName, wanted: &Wanted) -> Result<Vec<Cleaned>> {
        let mut cleaned = Vec::new();
        for serving in &self.parts.serving {
            if let Some(writer) = &serving.writer {
                writer.flush().await?;
            }
            cleaned.extend(serving.logs.erase(entity, &wanted.keys).await?);
        }
        Ok(cleaned)
    }

    async fn forget_in(
        &self,
        view: &FeatureName,
        record: &ViewRecord,
        table: &Table,
        wanted: &Wanted,
    ) -> Result<Rewritten> {
        let of_table = record.versions.iter().filter(|version| version.table.id == table.id);
        let places: BTreeSet<TableId> = of_table.map(online_table).collect();
        // Nobody brings rows online meanwhile that are about to go, as far as this process goes.
        let mut turns = Vec::new();
        for place in &places {
            turns.push(self.parts.turns.take(place).await);
        }
        let keys = self.whole_keys(table, wanted).await?;
        // Online first: which keys there are is known from the log, so that what is cut off here can be
        // done again. And once more at the end, for what another process brought up in between.
        let mut online = 0;
        for place in &places {
            online += self.parts.online.erase(place, &keys).await?;
        }
        let offline = self.parts.offline.erase(table, &keys).await?;
        for place in &places {
            online += self.parts.online.erase(place, &keys).await?;
        }
        Ok(Rewritten::new(view.clone(), offline, online))
    }

    /// The table's keys that hold one of the wanted ones: those themselves, or, where the table has more
    /// entities, all that were ever combined with them.
    async fn whole_keys(&self, table: &Table, wanted: &Wanted) -> Result<KeyBatch> {
        let places = wanted.places(table)?;
        let mut scan = Scan::default();
        scan.columns = Some(Vec::new());
        let mut found = BTreeSet::new();
        let mut batches = self.parts.offline.scan(table, scan).await?;
        while let Some(batch) = batches.try_next().await? {
            let columns: Vec<ArrayRef> =
                places.iter().map(|at| batch.column(*at).clone()).collect();
            let part = KeyBatch::from_columns(&columns, batch.num_rows())?;
            let whole =
                KeyBatch::from_columns(&batch.columns()[..table.keys.len()], batch.num_rows())?;
            for (part, whole) in part.iter().zip(whole.iter()) {
                if let (Some(part), Some(whole)) = (part, whole)
                    && wanted.keys.contains(part)
                {
                    found.insert(whole.to_vec());
                }
            }
        }
        // What is online may be of rows that the log has lost; where the key is whole it is known anyway.
        if places.len() == table.keys.len() {
            found.extend(wanted.keys.iter().cloned());
        }
        let mut keys = KeyBatch::new();
        for key in found {
            keys.push(&key)?;
        }
        Ok(keys)
    }
}

fn unsupported(table: &Table, why: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, OPERATION, why).with("table", &table.id)
}

/// The keys of the entity.
struct Wanted {
    parts: Vec<TableKey>,
    keys: BTreeSet<Vec<u8>>,
}

impl Wanted {
    /// Which of a table's keys are those of the entity.
    fn places(&self, table: &Table) -> Result<Vec<usize>> {
        if let Source::Files(urls) = &table.source {
            return Err(unsupported(
                table,
                "the rows of a view are in files that are not the store's",
            )
            .with("files", urls.join(", "))
            .with_hint("take the rows out of the files, then define the view without the entity"));
        }
        let place = |part: &TableKey| table.keys.iter().position(|key| key == part);
        self.parts.iter().map(place).collect::<Option<Vec<_>>>().ok_or_else(|| {
            unsupported(table, "rows of before have other keys than the entity has now").with_hint(
                "what is of whom cannot be told: define the entity as it was, and erase again",
            )
        })
    }

    fn of(parts: &[TableKey], columns: &[ArrayRef], rows: usize) -> Result<Self> {
        let batch = KeyBatch::from_columns(columns, rows)?;
        let mut keys = BTreeSet::new();
        for (row, key) in batch.iter().enumerate() {
            let key =
                key.ok_or_else(|| Error::invalid(OPERATION, "a key is null").with("row", row))?;
            keys.insert(key.to_vec());
        }
        Ok(Self { parts: parts.to_vec(), keys })
    }
}

/// Every table that a view ever had while it was about this entity.
fn tables<'a>(record: &'a ViewRecord, entity: &FeatureName) -> Vec<&'a Table> {
    let mut seen: BTreeSet<&TableId> = BTreeSet::new();
    let of_entity = record.versions.iter().rev().filter(|v| v.definition.entities.contains(entity));
    of_entity.map(|version| &version.table).filter(|table| seen.insert(&table.id)).collect()
}
