//! A file of text: its lines are made into batches one after the other, and judged beside that.

use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use mlops_core::Result;

use super::scan::Crew;
use crate::files::{TextDecoder, TextFile};
use crate::kernel::CHUNK;
use crate::state::Todo;

/// Judges the rows of a file, the first of which has number `first_row`; tells the number after the
/// last.
pub(super) async fn pass(
    crew: &mut Crew,
    file: &TextFile,
    schema: &SchemaRef,
    first_row: u64,
) -> Result<u64> {
    let mut wanted = vec![false; schema.fields().len()];
    for column in crew.plan.columns() {
        wanted[column] = true;
    }
    let mut decoder = TextDecoder::new(file, schema, &wanted, CHUNK)?;
    let mut bytes = file.read();
    let todo = Todo::all(&crew.plan);
    let mut row = first_row;
    loop {
        let part = bytes.next().await.transpose()?;
        let ended = part.is_none();
        // Making batches is work, and so is the workers': one of them has the decoder at a time.
        let decoding = crew.pool.run(move |_, _| {
            let batches = match part {
                Some(part) => decoder.push(&part)?,
                None => decoder.finish()?,
            };
            Ok((decoder, batches))
        });
        let (returned, batches) = decoding.done().await?;
        decoder = returned;
        let rows: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
        let batches = move || Ok(batches.into_iter().map(Ok));
        crew.judge(0, row, todo.clone(), batches).await?;
        row += rows as u64;
        if ended || crew.ended {
            return Ok(row);
        }
    }
}
