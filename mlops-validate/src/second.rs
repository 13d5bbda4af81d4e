//! A second look at data, where the first could not know enough.
//!
//! Whether a row's key is there twice is known when all rows have been seen. So which rows are to be
//! blamed, for samples and for quarantine, is the business of a second pass; it is made only if
//! something failed, over the columns of the failed checks alone, and for samples it ends with the last
//! row that is wanted. Uniqueness in two passes ([`KeyMemory::TwoPasses`]) needs one in any case.
//!
//! [`KeyMemory::TwoPasses`]: mlops_core::validation::KeyMemory::TwoPasses

use std::sync::Arc;

use arrow::array::RecordBatch;
use mlops_core::Result;
use mlops_core::validation::{Basis, NullPolicy, Status};

use crate::kernel::{Finding, RowRule};
use crate::plan::{Body, Compiled, Plan, PlannedCheck, PlannedFold};
use crate::state::{Spare, State, Todo};
use crate::tally::SampleColumn;

/// A rule that blames rows, and its slots.
type Blaming = (Arc<dyn RowRule>, Vec<usize>);

/// Whether the plan has rules that come to no verdict without a second pass.
pub(crate) fn needs_two_passes(plan: &Plan) -> bool {
    plan.0.folds.iter().any(|fold| fold.fold.needs_refining())
}

impl State {
    /// A plan of folds that ask again, more closely, if some must; in the order of this plan's folds.
    pub(crate) fn refining(&self) -> Result<Option<Plan>> {
        let plan = &*self.plan.0;
        if !needs_two_passes(&self.plan) {
            return Ok(None);
        }
        let mut folds = Vec::new();
        for (fold, memory) in plan.folds.iter().zip(&self.seen.memories) {
            if let Some(refined) = fold.fold.refine(memory) {
                folds.push(PlannedFold {
                    fold: refined,
                    filter: fold.filter,
                    slots: fold.slots.clone(),
                });
            }
        }
        let mut compiled = Compiled::of_folds(plan.slots.clone(), folds, plan.now)?;
        compiled.filters.clone_from(&plan.filters);
        Ok(Some(Plan(Arc::new(compiled))))
    }

    /// Takes over what a plan of [`State::refining`] has found.
    pub(crate) fn refined(&mut self, found: Self) {
        let mut found = found.seen.memories.into_iter();
        for (fold, memory) in self.plan.0.folds.iter().zip(&mut self.seen.memories) {
            if fold.fold.needs_refining()
                && let Some(refined) = found.next()
            {
                *memory = refined;
            }
        }
    }

    /// A plan that blames rows for what this state has found, with the checks of the same numbers;
    /// nothing if no row is to be blamed.
    ///
    /// With `row_rules`, the rules that blame rows in the first pass are in it too.
    pub(crate) fn blaming(&self, row_rules: bool) -> Option<Plan> {
        let plan = &*self.plan.0;
        let later: Vec<Option<Blaming>> =
            plan.checks.iter().map(|check| self.blaming_rule(&check.body)).collect();
        if !row_rules && later.iter().all(Option::is_none) {
            return None;
        }
        let checks: Vec<PlannedCheck> = plan
            .checks
            .iter()
            .zip(later)
            .map(|(check, later)| {
                let body = match (&check.body, later) {
                    (Body::Rows { rule, nulls, slots, samples }, _) if row_rules => Body::Rows {
                        rule: Arc::clone(rule),
                        nulls: *nulls,
                        slots: slots.clone(),
                        samples: samples.clone(),
                    },
                    (_, Some((rule, slots))) => {
                        let sample = |slot: &usize| SampleColumn {
                            slot: *slot,
                            redacted: check.redacted.contains(slot),
                        };
                        let samples = slots.iter().map(sample).collect();
                        Body::Rows { rule, nulls: NullPolicy::Skip, slots, samples }
                    }
                    _ => nothing(),
                };
                PlannedCheck { body, ..check.without_body() }
            })
            .collect();
        let any = checks.iter().any(|check| matches!(check.body, Body::Rows { .. }));
        any.then(|| {
            Plan(Arc::new(Compiled {
                suite: plan.suite.clone(),
                suite_digest: plan.suite_digest,
                inputs_digest: plan.inputs_digest,
                now: plan.now,
                slots: plan.slots.clone(),
                filters: plan.filters.clone(),
                folds: Vec::new(),
                checks,
                samples: plan.samples,
                spare: Spare::default(),
            }))
        })
    }

    fn blaming_rule(&self, body: &Body) -> Option<Blaming> {
        let Body::Folds { folds, conclude } = body else { return None };
        let [fold] = folds.as_slice() else { return None };
        if !conclude.blames_rows() {
            return None;
        }
        let planned = &self.plan.0.folds[*fold];
        if !planned.fold.blames_later() {
            return None;
        }
        let rule = planned.fold.second_pass(&self.seen.memories[*fold])?;
        Some((rule, planned.slots.clone()))
    }

    /// Takes over the failing rows that a plan of [`State::blaming`] has found.
    pub(crate) fn blamed(&mut self, found: Self) {
        for ((mine, theirs), check) in
            self.seen.counted.iter_mut().zip(found.seen.counted).zip(&self.plan.0.checks)
        {
            if matches!(check.body, Body::Folds { .. }) {
                mine.samples = theirs.samples;
            }
        }
    }

    /// Whether a state of a [`State::blaming`] plan has all the samples that there can be: as many as
    /// there are rows to blame for the `first` state's findings, or as are wanted.
    pub(crate) fn has_enough_samples(&self, first: &Self) -> bool {
        let most = self.plan.0.samples as u64;
        self.plan.0.checks.iter().zip(&self.seen.counted).enumerate().all(
            |(number, (check, tally))| {
                let Body::Rows { .. } = check.body else { return true };
                tally.samples.len() as u64 >= first.rows_to_blame(number).min(most)
            },
        )
    }

    /// How many rows a check of folds blames.
    fn rows_to_blame(&self, check: usize) -> u64 {
        match &self.plan.0.checks[check].body {
            Body::Folds { folds, .. } => {
                let memory = folds.first().map(|fold| &self.seen.memories[*fold]);
                memory.map_or(0, crate::memory::Memory::rows_to_blame)
            }
            _ => 0,
        }
    }

    /// Both second looks at batches in memory, whose first row has the number `first_row`.
    pub(crate) fn look_again(&mut self, batches: &[RecordBatch], first_row: u64) -> Result<()> {
        if let Some(plan) = self.refining()? {
            let mut state = plan.start_at(first_row);
            for batch in batches {
                state.update(batch)?;
            }
            self.refined(state);
        }
        if self.plan.0.samples == 0 {
            return Ok(());
        }
        if let Some(plan) = self.blaming(false) {
            let mut state = plan.start();
            let todo = Todo::all(&plan);
            let mut row = first_row;
            for batch in batches {
                state.update_some(batch, row, &todo, None)?;
                row += batch.num_rows() as u64;
                if state.has_enough_samples(self) {
                    break;
                }
            }
            self.blamed(state);
        }
        Ok(())
    }
}

fn nothing() -> Body {
    Body::Fixed(Finding::plain(Status::Vacuous), Basis::Values)
}
