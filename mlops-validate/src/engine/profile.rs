//! The profile of a table: every row of every column, in order.
//!
//! One thread, since whether a column is sorted is known only to who reads its rows one after the
//! other. What is in memory at a time is what a validation of all columns has: one row group of a
//! Parquet file, or some megabytes of text.

use arrow::array::RecordBatch;
use futures::StreamExt;
use mlops_core::Result;
use mlops_core::validation::Data;

use super::Engine;
use super::input::Input;
use super::scan::{breathe, read_already};
use crate::kernel::CHUNK;
use crate::stats::Profile;

/// Rows whose values are laid out at once.
const ROWS: usize = 8 * CHUNK;

impl Engine {
    /// What good data looks like: the profile of a table in memory, a stream, or files.
    ///
    /// It is what [`crate::suite::suggest`] proposes checks from, and what checks of distribution
    /// compare with. How many different values a column has is known where it has few, or is sorted.
    ///
    /// ```
    /// use mlops_validate::{Engine, batch};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> mlops_core::Result<()> {
    /// let orders = batch!(("id", Int64, [1, 2, 5]), ("state", Utf8, [Some("paid"), None, None]));
    /// let profile = Engine::new().profile(orders.into()).await?;
    /// assert_eq!(profile.rows(), 3);
    /// assert!(profile.column("id").unwrap().order().unwrap().increasing);
    /// assert_eq!(profile.column("state").unwrap().nulls(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As those of a validation of the same data: files that are missing, damaged, or of several
    /// schemas; values of text that are not of their column's type.
    pub async fn profile(&self, data: Data) -> Result<Profile> {
        let (input, _) = self.open(data, false).await?;
        let mut profile = Profile::of(input.schema());
        match input {
            Input::Batches(_, batches) => {
                for batch in &batches {
                    add(&mut profile, batch)?;
                    breathe().await;
                }
            }
            Input::Stream(_, stream) => {
                let mut stream = stream.ok_or_else(read_already)?;
                while let Some(batch) = stream.next().await {
                    add(&mut profile, &batch?)?;
                }
            }
            #[cfg(feature = "files")]
            Input::Files(table) => files(&mut profile, table).await?,
            Input::Nothing => {}
        }
        Ok(profile)
    }
}

#[cfg(feature = "files")]
async fn files(profile: &mut Profile, table: crate::files::Table) -> Result<()> {
    use std::sync::Arc;

    use crate::files::{Group, Part, TextDecoder};

    let all = vec![true; table.schema.fields().len()];
    for part in &table.parts {
        match part {
            Part::Parquet(file) => {
                for number in 0..file.metadata().num_row_groups() {
                    let mut group = Group::new(Arc::clone(file), file.arrow.clone(), number, &all);
                    group.fetch().await?;
                    for batch in group.read(CHUNK)? {
                        add(profile, &batch?)?;
                    }
                    breathe().await;
                }
            }
            Part::Text(file) => {
                let mut decoder = TextDecoder::new(file, &table.schema, &all, CHUNK)?;
                let mut bytes = file.read();
                loop {
                    let part = bytes.next().await.transpose()?;
                    let batches = match &part {
                        Some(part) => decoder.push(part)?,
                        None => decoder.finish()?,
                    };
                    batches.iter().try_for_each(|batch| add(profile, batch))?;
                    if part.is_none() {
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

fn add(profile: &mut Profile, batch: &RecordBatch) -> Result<()> {
    // Also without rows it has to be of the right columns.
    let parts = batch.num_rows().div_ceil(ROWS).max(1);
    (0..parts).try_for_each(|part| {
        let start = part * ROWS;
        profile.update(&batch.slice(start, ROWS.min(batch.num_rows() - start)))
    })
}
