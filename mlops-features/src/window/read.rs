//! The way out, online: states of keys become answers, without being unpacked.

use arrow::array::ArrayRef;
use mlops_core::Result;
use mlops_core::features::{Boundary, RowStatus};

use super::acc::Acc;
use super::answer::Filling;
use super::bytes::Reader;
use super::plan::{Group, WindowPlan};
use super::state::{State, Tiles};

/// Answers of states, row by row.
#[derive(Debug)]
pub(crate) struct Answers<'p> {
    plan: &'p WindowPlan,
    boundary: Boundary,
    accs: Vec<Vec<Acc>>,
    columns: Vec<Filling>,
    rows: Vec<RowStatus>,
}

impl<'p> Answers<'p> {
    /// For so many rows; one that is not [set](Self::set) answers as a key without rows.
    pub(crate) fn new(plan: &'p WindowPlan, boundary: Boundary, rows: usize) -> Self {
        Self {
            plan,
            boundary,
            accs: plan.groups.iter().map(Group::empty).collect(),
            columns: Filling::all(plan, rows),
            rows: vec![RowStatus::NotFound; rows],
        }
    }

    /// Answers a row at `t` from a state. An instant before the state's last fold is answered as that of the
    /// fold: what was before is no longer kept.
    ///
    /// # Errors
    /// `Corrupt`; `Conflict` for the state of another plan.
    pub(crate) fn set(&mut self, row: usize, state: &[u8], t: i64) -> Result<()> {
        let plan = self.plan;
        let mut from = Reader::new(state);
        let head = State::head(plan, &mut from)?;
        let t = t.max(head.now);
        if head.is_due(self.boundary, t) {
            let mut whole = State::read(plan, state)?;
            whole.settle_due(plan, self.boundary, t);
            return self.set(row, &whole.write(plan), t);
        }
        let found = head.newest.is_some_and(|newest| plan.reaches(newest.event_time, t));
        self.rows[row] = if found { RowStatus::Found } else { RowStatus::NotFound };
        for (place, group) in plan.groups.iter().enumerate() {
            let mut tiles = Tiles::read(&mut from)?;
            let columns = &mut self.columns;
            group.windows(&mut tiles, t, &mut self.accs[place], |lane, accs| {
                for (output, column) in plan.outputs.iter().zip(columns.iter_mut()) {
                    if (output.group, output.lane) == (place, lane) {
                        column.set(row, output.value(accs, output.slots))?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The columns of the features, and what became of each row.
    pub(crate) fn finish(self) -> (Vec<ArrayRef>, Vec<RowStatus>) {
        (self.columns.into_iter().map(Filling::finish).collect(), self.rows)
    }
}
