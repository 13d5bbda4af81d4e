//! One pass over a table.
//!
//! Rows are judged in units: a row group, a run of batches. A unit goes to whichever worker is free, each
//! with a state of its own; states merge to the same whatever went where. What statistics decide is
//! decided by the thread that reads, in the order of the data, so that it does not depend on the workers
//! either.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use futures::StreamExt;
use mlops_core::validation::{Data, Options, ReadBytes, Rule, Severity, Suite};
use mlops_core::{Error, ErrorKind, Result};

use super::input::Input;
use super::pool::{InOrder, Pool, Stop};
use super::progress::Meter;
use crate::kernel::CHUNK;
use crate::plan::Plan;
use crate::state::{State, Todo, check_schema};

/// Rows of a unit of data in memory.
const UNIT_ROWS: usize = 8 * CHUNK;

/// What a pass found.
pub(super) struct Scanned {
    /// All that was seen.
    pub(super) state: State,
    /// How much of the files was read.
    pub(super) sizes: Option<Sizes>,
    /// For each unit that is a row group, in their order, whether a row of it fails.
    pub(super) failing: Vec<bool>,
}

/// How much of files was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sizes {
    /// Bytes of all columns.
    pub(super) total: u64,
    /// Of columns that some check looks at.
    pub(super) needed: u64,
    /// Of values that were read.
    pub(super) read: u64,
}

impl Sizes {
    /// As the report has it.
    pub(super) fn finish(self) -> ReadBytes {
        ReadBytes {
            total: self.total,
            read: self.read,
            not_needed: self.total - self.needed,
            decided_by_statistics: self.needed.saturating_sub(self.read),
        }
    }
}

/// Tells from what a worker has seen that the pass may end.
pub(super) type Enough = Arc<dyn Fn(&State) -> bool + Send + Sync>;

/// How a pass is made.
#[derive(Clone)]
pub(super) struct How<'a> {
    pub(super) options: &'a Options,
    /// No row that fails is left to statistics, and units tell whether they have one.
    pub(super) need_rows: bool,
    /// Whether the watcher is told.
    pub(super) told: bool,
    /// When it may end before the last row; the rows of all units before that have been judged then.
    pub(super) enough: Option<Enough>,
}

impl<'a> How<'a> {
    /// Over all rows, for their counts.
    pub(super) fn whole(options: &'a Options) -> Self {
        Self { options, need_rows: false, told: false, enough: None }
    }
}

/// What a unit of rows has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Done {
    /// Whether a row fails a check of severity `error`.
    pub(super) failing: bool,
    /// Whether what is after it need not be judged.
    pub(super) enough: bool,
}

/// The workers of a pass, and what they do their work with.
pub(super) struct Crew {
    pub(super) plan: Plan,
    pub(super) pool: Pool<State>,
    pub(super) meter: Meter,
    /// What the reading thread decides itself.
    pub(super) decided: State,
    enough: Option<Enough>,
    /// By unit of the data: whether a row of it fails.
    pub(super) failing: Vec<bool>,
    running: InOrder<(usize, Done)>,
    /// Whether what is left need not be judged.
    pub(super) ended: bool,
}

impl Crew {
    /// Workers for a plan, as many as the options say.
    pub(super) fn new(plan: &Plan, how: &How<'_>, rows: Option<u64>) -> Result<Self> {
        let states = (0..threads(how.options)).map(|_| plan.start()).collect();
        let pool = Pool::new(states)?;
        Ok(Self {
            plan: plan.clone(),
            running: InOrder::new(pool.ahead()),
            pool,
            meter: Meter::new(how.told.then_some(how.options), rows),
            decided: plan.start(),
            enough: how.enough.clone(),
            failing: Vec::new(),
            ended: false,
        })
    }

    /// Has a worker judge batches that follow one another, which are unit number `unit`.
    pub(super) async fn judge<B>(
        &mut self,
        unit: usize,
        first_row: u64,
        todo: Todo,
        batches: impl FnOnce() -> Result<B> + Send + 'static,
    ) -> Result<()>
    where
        B: Iterator<Item = Result<RecordBatch>>,
    {
        if let Some(result) = self.running.make_room().await {
            self.note(result?);
        }
        let (meter, enough) = (self.meter.clone(), self.enough.clone());
        self.running.push(self.pool.run(move |state, stop| {
            let failing = judge(state, stop, &meter, batches()?, first_row, &todo)?;
            let enough = enough.is_some_and(|enough| enough(state));
            Ok((unit, Done { failing, enough }))
        }));
        breathe().await;
        Ok(())
    }

    /// Waits for all that is running.
    pub(super) async fn wait(&mut self) -> Result<()> {
        while let Some(result) = self.running.next().await {
            self.note(result?);
        }
        Ok(())
    }

    fn note(&mut self, (unit, done): (usize, Done)) {
        if self.failing.len() <= unit {
            self.failing.resize(unit + 1, false);
        }
        self.failing[unit] |= done.failing;
        self.ended |= done.enough;
    }

    /// What all have seen together, and which units have failing rows.
    fn finish(self) -> Result<(State, Vec<bool>)> {
        self.meter.finish();
        let seen = self.pool.finish()?.into_iter().try_fold(self.decided, State::merge)?;
        Ok((seen, self.failing))
    }
}

/// How many threads judge rows.
pub(super) fn threads(options: &Options) -> usize {
    match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads.min(1024),
    }
}

/// One pass.
pub(super) async fn scan(plan: &Plan, input: &mut Input, how: How<'_>) -> Result<Scanned> {
    let mut crew = Crew::new(plan, &how, input.rows())?;
    let mut sizes = None;
    let todo = Todo::all(plan);
    match input {
        Input::Batches(_, batches) => {
            for (number, unit) in units(batches, plan).enumerate() {
                let (first_row, batches) = unit?;
                let batches = move || Ok(batches.into_iter().map(Ok));
                crew.judge(number, first_row, todo.clone(), batches).await?;
                if crew.ended {
                    break;
                }
            }
        }
        Input::Stream(_, stream) => {
            let mut stream = stream.take().ok_or_else(read_already)?;
            let mut row = 0;
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                check_schema(plan, &batch)?;
                let rows = batch.num_rows() as u64;
                let batches = move || Ok(std::iter::once(Ok(batch)));
                crew.judge(0, row, todo.clone(), batches).await?;
                row += rows;
            }
        }
        #[cfg(feature = "files")]
        Input::Files(table) => {
            let mut totals = Sizes { total: table.bytes(), ..Sizes::default() };
            let (mut row, mut unit) = (0, 0);
            for part in &table.parts {
                if crew.ended {
                    break;
                }
                match part {
                    crate::files::Part::Parquet(file) => {
                        let mut pass =
                            super::groups::Pass { crew: &mut crew, sizes: &mut totals, how: &how };
                        row = pass.file(file, row, unit).await?;
                        unit += file.metadata().num_row_groups();
                    }
                    crate::files::Part::Text(file) => {
                        totals.needed += file.bytes;
                        totals.read += file.bytes;
                        row = super::lines::pass(&mut crew, file, &table.schema, row).await?;
                    }
                }
            }
            sizes = Some(totals);
        }
        Input::Nothing => {}
    }
    crew.wait().await?;
    let (state, failing) = crew.finish()?;
    Ok(Scanned { state, sizes, failing })
}

/// What only a second look can say: uniqueness in two passes, and which rows have a key that is there
/// twice, as far as samples of them are wanted.
pub(super) async fn look_again(
    mut state: State,
    input: &mut Input,
    options: &Options,
) -> Result<State> {
    if matches!(input, Input::Stream(..)) {
        return Ok(state);
    }
    if let Some(plan) = state.refining()? {
        state.refined(scan(&plan, input, How::whole(options)).await?.state);
    }
    if options.samples == 0 {
        return Ok(state);
    }
    let Some(plan) = state.blaming(false) else { return Ok(state) };
    let first = Arc::new(state);
    let known = Arc::clone(&first);
    let enough: Enough = Arc::new(move |state| state.has_enough_samples(&known));
    let how = How { enough: Some(enough), ..How::whole(options) };
    let found = scan(&plan, input, how).await?.state;
    // The pass is over, and with it all that asked.
    let mut state = Arc::into_inner(first).ok_or_else(read_already)?;
    state.blamed(found);
    Ok(state)
}

/// Judges batches that follow one another; tells whether a row fails.
pub(super) fn judge(
    state: &mut State,
    stop: &Stop,
    meter: &Meter,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
    mut first_row: u64,
    todo: &Todo,
) -> Result<bool> {
    let failed_before = state.seen.rows_failed;
    for batch in batches {
        let batch = batch?;
        for start in (0..batch.num_rows()).step_by(UNIT_ROWS) {
            stop.check()?;
            let rows = UNIT_ROWS.min(batch.num_rows() - start);
            state.update_some(&batch.slice(start, rows), first_row, todo, None)?;
            first_row += rows as u64;
            meter.add(rows as u64);
        }
    }
    Ok(state.seen.rows_failed > failed_before)
}

/// Batches in memory, cut and put together to units of about [`UNIT_ROWS`] rows, each with the number
/// of its first row.
pub(super) fn units<'a>(
    batches: &'a [RecordBatch],
    plan: &'a Plan,
) -> impl Iterator<Item = Result<(u64, Vec<RecordBatch>)>> + 'a {
    let mut rest = batches.iter();
    let mut current: Option<(&RecordBatch, usize)> = None;
    let mut row = 0;
    std::iter::from_fn(move || {
        let (mut unit, mut rows) = (Vec::new(), 0);
        while rows < UNIT_ROWS {
            let (batch, start) = if let Some(current) = current.take() {
                current
            } else {
                let Some(batch) = rest.next() else { break };
                if let Err(error) = check_schema(plan, batch) {
                    return Some(Err(error));
                }
                (batch, 0)
            };
            let taken = (UNIT_ROWS - rows).min(batch.num_rows() - start);
            unit.push(batch.slice(start, taken));
            rows += taken;
            if start + taken < batch.num_rows() {
                current = Some((batch, start + taken));
            }
        }
        let first_row = row;
        row += rows as u64;
        (!unit.is_empty()).then_some(Ok((first_row, unit)))
    })
}

/// Whether failing rows can be written: some are known only after a second pass, which a stream has not.
pub(super) fn check_quarantine(suite: &Suite, data: &Data) -> Result<()> {
    let late = suite.checks.iter().find(|check| {
        check.severity == Severity::Error
            && matches!(check.rule, Rule::Unique(_) | Rule::FunctionalDependency(_))
    });
    match (late, data) {
        (Some(check), Data::Stream(..)) => Err(Error::invalid(
            "validate.quarantine",
            "which rows fail this check is known only after all have been seen, and a stream is \
             read once",
        )
        .with("check", check.name())
        .with_hint(
            "make the check a warning, write the stream to files first, or do without quarantine",
        )),
        _ => Ok(()),
    }
}

#[cold]
pub(super) fn read_already() -> Error {
    Error::new(ErrorKind::Internal, "validate", "a stream is read a second time")
}

/// Lets the executor do something else, and drop this future if it is not wanted any more.
pub(super) fn breathe() -> impl Future<Output = ()> {
    struct Breathe(bool);

    impl Future for Breathe {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }
    }

    Breathe(false)
}
