//! What a validation has seen so far.
//!
//! Batches go in, states merge, a report comes out: one thread over one batch, eight threads over row
//! groups, a stream that never ends, or partitions of different days are the same code.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use mlops_core::validation::{Counts, Evidence, Outcome, Report, Severity, Status, Verdict};
use mlops_core::{Error, Result};

use crate::bits;
use crate::kernel::{CHUNK, Cache, Chunk, Facts, Finding, Judged, Proof};
use crate::memory::Memory;
use crate::plan::{Body, Compiled, Plan, Seen, evidence};
use crate::tally::Tally;

/// Below so many rows a clock would be most of what it measures.
const TIMED_ROWS: usize = 512;

/// What a validation has seen so far; see [`Plan::start`].
#[derive(Debug)]
pub struct State {
    pub(crate) plan: Plan,
    pub(crate) seen: Tallies,
    pub(crate) next_row: u64,
    scratch: Box<Scratch>,
}

/// What is kept: everything of a state but scratch.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Tallies {
    pub(crate) rows: u64,
    pub(crate) rows_failed: u64,
    /// By check; those of checks that judge no rows stay 0.
    pub(crate) counted: Vec<Tally>,
    /// By check: what row rules remember.
    pub(crate) notes: Vec<Memory>,
    /// By fold.
    pub(crate) memories: Vec<Memory>,
    /// By fold: rows that statistics decided.
    pub(crate) folded_by_statistics: Vec<u64>,
    /// By fold, in nanoseconds.
    pub(crate) fold_nanos: Vec<u64>,
    /// By filter: rows that it let in.
    pub(crate) let_in: Vec<u64>,
}

/// Buffers that are used again, from chunk to chunk and, one set of a plan, from state to state: a row
/// at serving time would spend a good part of its time making them.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    columns: Vec<Option<ArrayRef>>,
    filters: Vec<Vec<u64>>,
    caches: Vec<Cache>,
    judged: Judged,
    any_failed: Vec<u64>,
}

/// The buffers of a state that is done, for the next.
#[derive(Debug, Default)]
pub(crate) struct Spare(Mutex<Option<Box<Scratch>>>);

impl Spare {
    /// Nobody waits: who finds it locked makes buffers of their own.
    fn take(&self) -> Box<Scratch> {
        self.0.try_lock().ok().and_then(|mut spare| spare.take()).unwrap_or_default()
    }

    fn give_back(&self, mut scratch: Box<Scratch>) {
        // Nothing of the data may live on.
        scratch.columns.clear();
        for cache in &mut scratch.caches {
            cache.values = None;
        }
        if let Ok(mut spare) = self.0.try_lock() {
            *spare = Some(scratch);
        }
    }
}

/// Which checks and folds still need the values of some rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Todo {
    pub(crate) checks: Vec<bool>,
    pub(crate) folds: Vec<bool>,
}

impl Todo {
    /// Everything.
    pub(crate) fn all(plan: &Plan) -> Self {
        let rows = |body: &Body| matches!(body, Body::Rows { .. });
        Self {
            checks: plan.0.checks.iter().map(|check| rows(&check.body)).collect(),
            folds: vec![true; plan.0.folds.len()],
        }
    }

    /// Whether nothing needs to be read.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.checks.iter().chain(&self.folds).any(|open| *open)
    }

    /// The slots that must be filled.
    pub(crate) fn slots(&self, plan: &Plan) -> Vec<bool> {
        let mut wanted = vec![false; plan.0.slots.len()];
        let mut want = |slots: &[usize], filter: Option<usize>| {
            let of_filter = filter.map_or(&[][..], |filter| plan.0.filters[filter].slots());
            for slot in slots.iter().chain(of_filter) {
                wanted[*slot] = true;
            }
        };
        for (check, open) in plan.0.checks.iter().zip(&self.checks) {
            if let (Body::Rows { slots, .. }, true) = (&check.body, *open) {
                want(slots, check.filter);
            }
        }
        for (fold, open) in plan.0.folds.iter().zip(&self.folds) {
            if *open {
                want(&fold.slots, fold.filter);
            }
        }
        wanted
    }

    /// The filters that are asked. A check with a filter is never decided by statistics, so that in a
    /// first pass it is all of them.
    fn filters(&self, plan: &Plan) -> Vec<bool> {
        let mut wanted = vec![false; plan.0.filters.len()];
        let checks = plan.0.checks.iter().map(|check| check.filter).zip(&self.checks);
        let folds = plan.0.folds.iter().map(|fold| fold.filter).zip(&self.folds);
        for (filter, open) in checks.chain(folds) {
            if let (Some(filter), true) = (filter, *open) {
                wanted[filter] = true;
            }
        }
        wanted
    }
}

/// Called for each chunk with the rows that fail, by check; only checks with failures are listed.
pub(crate) type Blame<'a> =
    &'a mut dyn FnMut(&RecordBatch, u64, &[(usize, Vec<u64>)]) -> Result<()>;

impl State {
    pub(crate) fn new(plan: Plan, first_row: u64) -> Self {
        let Compiled { checks, folds, filters, .. } = &*plan.0;
        let note = |body: &Body| match body {
            Body::Rows { rule, .. } => rule.memory(),
            _ => Memory::None,
        };
        let seen = Tallies {
            rows: 0,
            rows_failed: 0,
            counted: vec![Tally::default(); checks.len()],
            notes: checks.iter().map(|check| note(&check.body)).collect(),
            memories: folds.iter().map(|fold| fold.fold.memory()).collect(),
            folded_by_statistics: vec![0; folds.len()],
            fold_nanos: vec![0; folds.len()],
            let_in: vec![0; filters.len()],
        };
        let scratch = plan.0.spare.take();
        Self { plan, seen, next_row: first_row, scratch }
    }

    /// How many rows it has seen.
    pub fn rows(&self) -> u64 {
        self.seen.rows
    }

    /// Takes in a batch; its rows follow those before.
    ///
    /// # Errors
    /// `Invalid` if the batch is not of the plan's schema, or a function of the user's program returns
    /// an error; the state must not be used then.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        check_schema(&self.plan, batch)?;
        let todo = Todo::all(&self.plan);
        let first_row = self.next_row;
        self.next_row += batch.num_rows() as u64;
        self.update_some(batch, first_row, &todo, None)
    }

    /// Takes in a batch for some of the checks. Columns that none of them needs may be anything of the
    /// right length.
    pub(crate) fn update_some(
        &mut self,
        batch: &RecordBatch,
        first_row: u64,
        todo: &Todo,
        mut blame: Option<Blame<'_>>,
    ) -> Result<()> {
        let wanted = (todo.slots(&self.plan), todo.filters(&self.plan));
        if batch.num_rows() <= CHUNK {
            return self.chunk(batch, first_row, todo, &wanted, &mut blame);
        }
        for start in (0..batch.num_rows()).step_by(CHUNK) {
            let rows = CHUNK.min(batch.num_rows() - start);
            let first_row = first_row + start as u64;
            self.chunk(&batch.slice(start, rows), first_row, todo, &wanted, &mut blame)?;
        }
        Ok(())
    }

    fn chunk(
        &mut self,
        batch: &RecordBatch,
        first_row: u64,
        todo: &Todo,
        (slots, asked): &(Vec<bool>, Vec<bool>),
        blame: &mut Option<Blame<'_>>,
    ) -> Result<()> {
        let Self { plan, seen, scratch, .. } = self;
        let plan = &*plan.0;
        let Scratch { columns, filters, caches, judged, any_failed } = &mut **scratch;
        let rows = batch.num_rows();
        plan.slots.fill(batch, |slot| slots[slot], columns)?;
        let chunk = Chunk { columns: &columns[..], rows, first_row };
        let timed = rows >= TIMED_ROWS;

        filters.resize_with(plan.filters.len(), Vec::new);
        for (number, filter) in plan.filters.iter().enumerate().filter(|(number, _)| asked[*number])
        {
            filter.rows_where_true(&chunk, &mut filters[number])?;
            seen.let_in[number] += bits::count(&filters[number]);
        }
        bits::clear(any_failed, rows);
        caches.resize_with(plan.checks.len(), Cache::default);
        let mut blamed = Vec::new();
        for (number, check) in plan.checks.iter().enumerate() {
            let Body::Rows { rule, nulls, samples, .. } = &check.body else { continue };
            if !todo.checks[number] {
                continue;
            }
            let began = timed.then(std::time::Instant::now);
            let tally = &mut seen.counted[number];
            judged.reset(rows);
            rule.judge(&chunk, &mut caches[number], judged)?;
            let eligible = check.filter.map(|filter| &filters[filter][..]);
            tally.count(judged, eligible, *nulls, rows);
            if bits::any(&judged.failed) {
                tally.sample(&judged.failed, &chunk, samples, plan.samples);
                rule.remember(&chunk, &judged.failed, &mut seen.notes[number])?;
                if plan.severity(number) == Severity::Error {
                    bits::or(any_failed, &judged.failed);
                }
                if blame.is_some() {
                    blamed.push((number, judged.failed.clone()));
                }
            }
            tally.nanos += elapsed(began);
        }
        for (number, fold) in plan.folds.iter().enumerate() {
            if !todo.folds[number] {
                continue;
            }
            let began = timed.then(std::time::Instant::now);
            let eligible = fold.filter.map(|filter| &filters[filter][..]);
            fold.fold.fold(&chunk, eligible, &mut seen.memories[number])?;
            seen.fold_nanos[number] += elapsed(began);
        }
        seen.rows += rows as u64;
        seen.rows_failed += bits::count(any_failed);
        match blame {
            Some(blame) if !blamed.is_empty() => blame(batch, first_row, &blamed),
            _ => Ok(()),
        }
    }

    /// Takes in what a file says of rows, and tells which checks and folds still need their values.
    ///
    /// What is decided is counted here. `need_rows` says that failing rows are wanted, not only their
    /// number: then only what proves that no row fails is taken.
    pub(crate) fn decide(&mut self, facts: &Facts<'_>, need_rows: bool) -> Todo {
        let plan = &*self.plan.0;
        let mut todo = Todo::all(&self.plan);
        for (number, check) in plan.checks.iter().enumerate() {
            let Body::Rows { rule, nulls, .. } = &check.body else { continue };
            if check.filter.is_some() {
                continue;
            }
            let Proof::Counted { failed, null } = rule.prove(facts) else { continue };
            let tally = &mut self.seen.counted[number];
            let fails =
                failed > 0 || null > 0 && *nulls == mlops_core::validation::NullPolicy::Fail;
            // A failing row is worth reading as long as samples of it are wanted.
            if fails && (need_rows || tally.samples.len() < plan.samples) {
                continue;
            }
            tally.count_proved(facts.rows, failed, null, *nulls);
            todo.checks[number] = false;
        }
        for (number, fold) in plan.folds.iter().enumerate() {
            if fold.filter.is_none() && fold.fold.absorb(facts, &mut self.seen.memories[number]) {
                self.seen.folded_by_statistics[number] += facts.rows;
                todo.folds[number] = false;
            }
        }
        todo
    }

    /// Counts rows none of which had to be read.
    pub(crate) fn skip(&mut self, rows: u64) {
        self.seen.rows += rows;
    }

    /// Both states together: what one pass over both parts would have seen.
    ///
    /// Rows keep the numbers they were given ([`Plan::start_at`]).
    ///
    /// # Errors
    /// `Invalid` if the states are of different plans.
    pub fn merge(self, other: Self) -> Result<Self> {
        let (a, b) = (&self.plan.0, &other.plan.0);
        let differ = a.suite_digest != b.suite_digest
            || a.inputs_digest != b.inputs_digest
            || a.slots.schema() != b.slots.schema();
        if !std::sync::Arc::ptr_eq(a, b) && differ {
            return Err(Error::invalid("validate.merge", "the states are of different plans")
                .with("suite", &a.suite.name)
                .with("other suite", &b.suite.name)
                .with_hint("states merge if suite, schema, parameters, references, profiles and history are the same"));
        }
        let samples = a.samples;
        let seen = self.seen.merge(other.seen, samples)?;
        Ok(Self {
            plan: self.plan,
            seen,
            next_row: self.next_row.max(other.next_row),
            scratch: self.scratch,
        })
    }

    /// What was found.
    ///
    /// # Errors
    /// None of its own.
    pub fn report(self) -> Result<Report> {
        Ok(self.conclude(Duration::ZERO))
    }

    /// The report, of a validation that took so long.
    pub(crate) fn conclude(mut self, took: Duration) -> Report {
        let plan = self.plan.clone();
        let plan = &*plan.0;
        plan.spare.give_back(std::mem::take(&mut self.scratch));
        let metrics = RefCell::new(BTreeMap::from([("rows()".to_owned(), self.seen.rows as f64)]));
        let outcomes: Vec<Outcome> =
            (0..plan.checks.len()).map(|number| self.outcome(plan, number, &metrics)).collect();
        let rows_failed = self.knows_failing_rows(&outcomes).then_some(self.seen.rows_failed);
        Report {
            suite: plan.suite.name.clone(),
            suite_version: plan.suite.version,
            suite_digest: plan.suite_digest,
            verdict: Report::verdict_of(&outcomes, plan.suite.on_empty),
            data: None,
            data_digest: None,
            rows: self.seen.rows,
            rows_failed,
            at: plan.now,
            nanos: took.as_nanos() as u64,
            bytes: None,
            on_empty: plan.suite.on_empty,
            outcomes,
            metrics: metrics.into_inner(),
            library: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Whether every failing row of a check of severity `error` was seen in the pass that counts them.
    fn knows_failing_rows(&self, outcomes: &[Outcome]) -> bool {
        outcomes.iter().zip(&self.plan.0.checks).zip(&self.seen.counted).all(
            |((outcome, check), tally)| match check.body {
                _ if outcome.severity != Severity::Error => true,
                Body::Rows { .. } => tally.failed_unread == 0,
                Body::Folds { .. } => outcome.counts.failed == 0,
                Body::Fixed(..) => true,
            },
        )
    }

    /// The verdict alone, without what a report would say about it.
    pub(crate) fn verdict(mut self) -> Verdict {
        let plan = self.plan.clone();
        let plan = &*plan.0;
        plan.spare.give_back(std::mem::take(&mut self.scratch));
        let metrics = RefCell::default();
        let on_empty = plan.suite.on_empty;
        (0..plan.checks.len())
            .map(|number| {
                let (finding, ..) = self.finding(plan, number, &metrics);
                Report::counts_as(finding.status, on_empty, plan.severity(number))
            })
            .max()
            .unwrap_or(Verdict::Passed)
    }

    /// What a check found, what that rests on, and how long it took.
    fn finding(
        &mut self,
        plan: &Compiled,
        number: usize,
        metrics: &RefCell<BTreeMap<String, f64>>,
    ) -> (Finding, Evidence, u64) {
        let check = &plan.checks[number];
        let asked = &plan.suite.checks[number];
        let rows = self.seen.rows;
        let let_in = check.filter.map_or(rows, |filter| self.seen.let_in[filter]);
        match &check.body {
            Body::Fixed(finding, basis) => {
                (finding.clone(), Evidence { basis: *basis, rows_by_statistics: 0 }, 0)
            }
            Body::Rows { rule, .. } => {
                let tally = &mut self.seen.counted[number];
                let Counts { judged, failed, .. } = tally.counts;
                let status = match judged {
                    0 => Status::Vacuous,
                    _ if asked.mostly.accepts(failed, judged) => Status::Passed,
                    _ => Status::Failed,
                };
                let finding = Finding {
                    status,
                    counts: tally.counts,
                    observed: None,
                    detail: rule.detail(&self.seen.notes[number]),
                    samples: tally.take_samples(),
                };
                (finding, evidence(tally.by_statistics, rows), tally.nanos)
            }
            Body::Folds { folds, conclude } => {
                let began = (rows >= TIMED_ROWS as u64).then(std::time::Instant::now);
                // What may not be shown goes into no history either.
                let unseen = RefCell::default();
                let seen = Seen {
                    memories: folds.iter().map(|fold| &self.seen.memories[*fold]).collect(),
                    rows: let_in,
                    metrics: if check.hides_value { &unseen } else { metrics },
                    samples: plan.samples,
                    filter: asked.filter.as_deref(),
                };
                let mut finding = conclude.conclude(&seen);
                let blamed = self.seen.counted[number].take_samples();
                if !blamed.is_empty() {
                    finding.samples = blamed;
                }
                finding.counts.filtered = rows - let_in;
                let decided = folds.iter().map(|fold| self.seen.folded_by_statistics[*fold]).min();
                let nanos: u64 = folds.iter().map(|fold| self.seen.fold_nanos[*fold]).sum();
                let evidence = evidence(decided.unwrap_or(0), rows.max(1));
                (finding, evidence, nanos + elapsed(began))
            }
        }
    }

    fn outcome(
        &mut self,
        plan: &Compiled,
        number: usize,
        metrics: &RefCell<BTreeMap<String, f64>>,
    ) -> Outcome {
        let check = &plan.checks[number];
        let asked = &plan.suite.checks[number];
        let (finding, evidence, nanos) = self.finding(plan, number, metrics);
        let finding = if check.hides_value {
            Finding { observed: Some("(redacted)".into()), detail: None, ..finding }
        } else {
            finding
        };
        Outcome {
            check: check.name.clone(),
            rule: asked.rule.name().to_owned(),
            columns: check.columns.clone(),
            severity: asked.severity,
            status: finding.status,
            counts: finding.counts,
            expected: check.expected.clone(),
            observed: finding.observed,
            detail: finding.detail,
            samples: finding.samples,
            evidence,
            nanos,
            description: asked.description.clone(),
        }
    }
}

impl Tallies {
    /// Whether both have as many of everything, and memories of the same kinds.
    pub(crate) fn has_shape_of(&self, other: &Self) -> bool {
        let kinds = |a: &[Memory], b: &[Memory]| {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| std::mem::discriminant(a) == std::mem::discriminant(b))
        };
        self.counted.len() == other.counted.len()
            && kinds(&self.notes, &other.notes)
            && kinds(&self.memories, &other.memories)
            && self.folded_by_statistics.len() == other.folded_by_statistics.len()
            && self.fold_nanos.len() == other.fold_nanos.len()
            && self.let_in.len() == other.let_in.len()
    }

    fn merge(self, other: Self, samples: usize) -> Result<Self> {
        let both = |a: Vec<Memory>, b: Vec<Memory>| -> Result<Vec<Memory>> {
            a.into_iter().zip(b).map(|(a, b)| a.merge(b)).collect()
        };
        let sum = |a: Vec<u64>, b: Vec<u64>| a.into_iter().zip(b).map(|(a, b)| a + b).collect();
        Ok(Self {
            rows: self.rows + other.rows,
            rows_failed: self.rows_failed + other.rows_failed,
            counted: self
                .counted
                .into_iter()
                .zip(other.counted)
                .map(|(a, b)| a.merge(b, samples))
                .collect(),
            notes: both(self.notes, other.notes)?,
            memories: both(self.memories, other.memories)?,
            folded_by_statistics: sum(self.folded_by_statistics, other.folded_by_statistics),
            fold_nanos: sum(self.fold_nanos, other.fold_nanos),
            let_in: sum(self.let_in, other.let_in),
        })
    }
}

fn elapsed(began: Option<std::time::Instant>) -> u64 {
    began.map_or(0, |began| began.elapsed().as_nanos() as u64)
}

/// A batch must have the columns that the plan was compiled for.
pub(crate) fn check_schema(plan: &Plan, batch: &RecordBatch) -> Result<()> {
    let expected = plan.schema();
    let found = batch.schema_ref();
    if std::sync::Arc::ptr_eq(expected, found) {
        return Ok(());
    }
    let same = expected.fields().len() == found.fields().len()
        && expected
            .fields()
            .iter()
            .zip(found.fields())
            .all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type());
    if same {
        return Ok(());
    }
    let show = |schema: &arrow::datatypes::Schema| {
        let fields: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| format!("{}: {}", field.name(), field.data_type()))
            .collect();
        fields.join(", ")
    };
    let difference = expected
        .fields()
        .iter()
        .zip(found.fields())
        .find(|(a, b)| a.name() != b.name() || a.data_type() != b.data_type());
    let error = Error::invalid("validate", "a batch is of another schema than the first");
    Err(match difference {
        Some((a, b)) => error
            .with("expected", format!("{}: {}", a.name(), a.data_type()))
            .with("found", format!("{}: {}", b.name(), b.data_type())),
        None => error.with("expected", show(expected)).with("found", show(found)),
    })
}
