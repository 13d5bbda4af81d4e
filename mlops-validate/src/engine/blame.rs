//! Failing rows go to quarantine.
//!
//! The first pass tells which parts of the data have failing rows; only those are read again, with all
//! their columns, and each row is asked which checks it fails. A stream is read once: there both is done
//! at the same time.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use mlops_core::Result;
use mlops_core::validation::Options;

use super::input::Input;
use super::pool::{InOrder, Pool, Running, Stop};
use super::progress::Meter;
use super::scan::{
    How, Scanned, Sizes, breathe, judge, look_again, read_already, scan as first_pass, threads,
    units,
};
use crate::files::{Encodings, Group, ParquetFile, Part, Place, Table, TextDecoder, TextFile};
use crate::kernel::CHUNK;
use crate::plan::Plan;
use crate::quarantine::{self, Quarantine};
use crate::split::Blamer;
use crate::state::{State, Todo, check_schema};

/// Scans the data, and writes its failing rows to a place.
pub(super) async fn scan(
    plan: &Plan,
    input: &mut Input,
    options: &Options,
    place: Place,
) -> Result<(State, Option<Sizes>)> {
    let schema = quarantine::schema(plan.schema())?;
    let mut file = Quarantine::new(place, Arc::clone(&schema))?;
    let done = match input {
        Input::Stream(_, stream) => {
            let stream = stream.take().ok_or_else(read_already)?;
            both(plan, stream, options, &mut file).await.map(|state| (state, None))
        }
        _ => again(plan, input, options, &mut file).await,
    };
    match done {
        Ok(done) => file.finish().await.map(|()| done),
        Err(error) => {
            file.abandon().await;
            Err(error)
        }
    }
}

/// Judges and blames a stream in one pass.
async fn both(
    plan: &Plan,
    mut stream: mlops_core::validation::BatchStream,
    options: &Options,
    file: &mut Quarantine,
) -> Result<State> {
    let own = (0..threads(options)).map(|_| (plan.start(), Blamer::new(plan)));
    let mut pool = Pool::new(own.collect())?;
    let meter = Meter::new(Some(options), None);
    let mut running: InOrder<Vec<RecordBatch>> = InOrder::new(pool.ahead());
    let mut row = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        check_schema(plan, &batch)?;
        if let Some(bad) = running.make_room().await {
            file.write(&bad?).await?;
        }
        let (plan, schema, meter) = (plan.clone(), Arc::clone(file.schema()), meter.clone());
        let (first_row, rows) = (row, batch.num_rows() as u64);
        running.push(pool.run(move |(state, blamer): &mut (State, Blamer), stop| {
            let todo = Todo::all(&plan);
            let failing = judge(state, stop, &meter, [Ok(batch.clone())], first_row, &todo)?;
            if failing {
                bad_rows(&plan, blamer, &schema, [Ok(batch)], first_row, stop)
            } else {
                Ok(Vec::new())
            }
        }));
        row += rows;
        breathe().await;
    }
    while let Some(bad) = running.next().await {
        file.write(&bad?).await?;
    }
    meter.finish();
    let states = pool.finish()?.into_iter().map(|(state, _)| state);
    states.into_iter().try_fold(plan.start(), State::merge)
}

/// Judges the data, then reads again what has failing rows.
async fn again(
    plan: &Plan,
    input: &mut Input,
    options: &Options,
    file: &mut Quarantine,
) -> Result<(State, Option<Sizes>)> {
    let how = How { need_rows: true, told: true, ..How::whole(options) };
    let Scanned { state, sizes, failing } = first_pass(plan, input, how).await?;
    let state = look_again(state, input, options).await?;
    // What only now is known to fail may be anywhere.
    let everywhere = state.blaming(false).is_some();
    let Some(blaming) = state.blaming(true) else { return Ok((state, sizes)) };
    if !everywhere && state.seen.rows_failed == 0 {
        return Ok((state, sizes));
    }
    let own = (0..threads(options)).map(|_| Blamer::new(&blaming)).collect();
    let pool = Pool::new(own)?;
    let running = InOrder::new(pool.ahead());
    let mut writing = Writing { plan: blaming, pool, running, file };
    let has_failing = |unit: usize| everywhere || failing.get(unit).copied().unwrap_or(false);
    match input {
        Input::Batches(_, batches) => {
            for (number, unit) in units(batches, plan).enumerate() {
                let (first_row, batches) = unit?;
                if has_failing(number) {
                    writing.batches(first_row, batches).await?;
                }
            }
        }
        Input::Files(table) => writing.table(table, has_failing).await?,
        Input::Stream(..) | Input::Nothing => {}
    }
    writing.finish().await?;
    Ok((state, sizes))
}

/// A second pass that writes.
struct Writing<'a> {
    plan: Plan,
    pool: Pool<Blamer>,
    running: InOrder<Vec<RecordBatch>>,
    file: &'a mut Quarantine,
}

impl Writing<'_> {
    async fn batches(&mut self, first_row: u64, batches: Vec<RecordBatch>) -> Result<()> {
        let (plan, schema) = (self.plan.clone(), Arc::clone(self.file.schema()));
        self.make_room().await?;
        let running = self.pool.run(move |blamer, stop| {
            let batches = batches.into_iter().map(Ok);
            bad_rows(&plan, blamer, &schema, batches, first_row, stop)
        });
        self.push(running).await
    }

    async fn table(&mut self, table: &Table, has_failing: impl Fn(usize) -> bool) -> Result<()> {
        let all = vec![true; table.schema.fields().len()];
        let (mut row, mut unit) = (0, 0);
        for part in &table.parts {
            match part {
                Part::Parquet(file) => {
                    for number in 0..file.metadata().num_row_groups() {
                        if has_failing(unit) && file.group_rows(number) > 0 {
                            self.group(file, number, &all, row).await?;
                        }
                        row += file.group_rows(number);
                        unit += 1;
                    }
                }
                Part::Text(file) => row = self.lines(file, &table.schema, &all, row).await?,
            }
        }
        Ok(())
    }

    async fn group(
        &mut self,
        file: &Arc<ParquetFile>,
        number: usize,
        all: &[bool],
        first_row: u64,
    ) -> Result<()> {
        let arrow = Encodings::default().of(file, number, &[]);
        let mut group = Group::new(Arc::clone(file), arrow, number, all);
        group.fetch().await?;
        self.make_room().await?;
        let (plan, schema) = (self.plan.clone(), Arc::clone(self.file.schema()));
        let running = self.pool.run(move |blamer, stop| {
            bad_rows(&plan, blamer, &schema, group.read(CHUNK)?, first_row, stop)
        });
        self.push(running).await
    }

    async fn lines(
        &mut self,
        file: &TextFile,
        schema: &SchemaRef,
        all: &[bool],
        first_row: u64,
    ) -> Result<u64> {
        let mut decoder = TextDecoder::new(file, schema, all, CHUNK)?;
        let (mut bytes, mut row) = (file.read(), first_row);
        loop {
            let part = bytes.next().await.transpose()?;
            let ended = part.is_none();
            let decoding = self.pool.run(move |_, _| {
                let batches = match part {
                    Some(part) => decoder.push(&part)?,
                    None => decoder.finish()?,
                };
                Ok((decoder, batches))
            });
            let (returned, batches) = decoding.done().await?;
            decoder = returned;
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            self.batches(row, batches).await?;
            row += rows as u64;
            if ended {
                return Ok(row);
            }
        }
    }

    async fn make_room(&mut self) -> Result<()> {
        match self.running.make_room().await {
            Some(bad) => self.file.write(&bad?).await,
            None => Ok(()),
        }
    }

    async fn push(&mut self, running: Running<Vec<RecordBatch>>) -> Result<()> {
        self.running.push(running);
        breathe().await;
        Ok(())
    }

    async fn finish(mut self) -> Result<()> {
        while let Some(bad) = self.running.next().await {
            self.file.write(&bad?).await?;
        }
        self.pool.finish().map(drop)
    }
}

/// The failing rows of batches that follow one another, with their reasons.
fn bad_rows(
    plan: &Plan,
    blamer: &mut Blamer,
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
    mut first_row: u64,
    stop: &Stop,
) -> Result<Vec<RecordBatch>> {
    let mut bad = Vec::new();
    for batch in batches {
        let batch = batch?;
        for start in (0..batch.num_rows()).step_by(CHUNK) {
            stop.check()?;
            let chunk = batch.slice(start, CHUNK.min(batch.num_rows() - start));
            let blamed = blamer.judge(&chunk, first_row)?;
            if crate::bits::any(&blamed.failed) {
                bad.push(quarantine::rows(plan, schema, &chunk, first_row, &blamed)?);
            }
            first_row += chunk.num_rows() as u64;
        }
    }
    Ok(bad)
}
