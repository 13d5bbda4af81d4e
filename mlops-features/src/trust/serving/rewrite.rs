//! Taking keys out of serving logs.

use std::collections::BTreeSet;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use mlops_core::features::{Erased, FeatureName, KeyBatch, TableId};
use mlops_core::{Error, Result};

use super::head::Head;
use super::place::ServingLogs;
use crate::features::internal;

const OPERATION: &str = "features.erase";

/// A segment that had records of the keys.
#[derive(Debug, Clone)]
pub(crate) struct Cleaned {
    /// Views and tables whose features it has.
    pub(crate) tables: Vec<(FeatureName, TableId)>,
    before: String,
    after: Option<String>,
    rows: u64,
}

impl Cleaned {
    /// Adds it to a proof.
    pub(crate) fn note(&self, erased: &mut Erased) {
        erased.rows += self.rows;
        erased.rewritten.push((self.before.clone(), self.after.clone()));
        erased.deleted.push(self.before.clone());
    }
}

impl ServingLogs {
    /// Takes the records of these keys of an entity out of all segments.
    ///
    /// The new segment is durable before the old one is deleted; what a kill interrupts is finished by
    /// erasing again.
    pub(crate) async fn erase(
        &self,
        entity: &FeatureName,
        keys: &BTreeSet<Vec<u8>>,
    ) -> Result<Vec<Cleaned>> {
        let mut cleaned = Vec::new();
        for segment in self.segments(None).await? {
            let (head, batch) = match self.read(&segment.path).await {
                // Somebody else erases too.
                Err(error) if error.kind() == mlops_core::ErrorKind::NotFound => continue,
                read => read?,
            };
            let stays = stays(&head, &batch, entity, keys)
                .map_err(|error| error.with("file", &segment.path))?;
            let left = stays.true_count();
            if left == batch.num_rows() {
                continue;
            }
            let after = if left == 0 {
                None
            } else {
                let kept = filter_record_batch(&batch, &stays).map_err(|e| internal(&e))?;
                Some(self.write(&head, &kept).await?.to_string())
            };
            self.delete(&segment.path).await?;
            cleaned.push(Cleaned {
                tables: head.views.iter().map(|v| (v.view.clone(), v.table.clone())).collect(),
                before: segment.path.to_string(),
                after,
                rows: (batch.num_rows() - left) as u64,
            });
        }
        Ok(cleaned)
    }
}

/// Which records are of none of the keys.
fn stays(
    head: &Head,
    batch: &RecordBatch,
    entity: &FeatureName,
    keys: &BTreeSet<Vec<u8>>,
) -> Result<BooleanArray> {
    let mut stays = vec![true; batch.num_rows()];
    for way in head.entities.get(entity).into_iter().flatten() {
        let columns = way.iter().map(|key| batch.column_by_name(&key.name).cloned());
        let columns = columns.collect::<Option<Vec<ArrayRef>>>().ok_or_else(|| {
            Error::corrupt(OPERATION, "a segment of a serving log lacks a key column")
        })?;
        let found = KeyBatch::from_columns(&columns, batch.num_rows())?;
        for (stays, key) in stays.iter_mut().zip(found.iter()) {
            *stays &= key.is_none_or(|key| !keys.contains(key));
        }
    }
    Ok(BooleanArray::from(stays))
}
