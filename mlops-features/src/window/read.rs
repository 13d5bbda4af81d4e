//! The way out, online: states of keys become answers, without being unpacked.

use mlops_core::Result;
use mlops_core::features::{Boundary, FeatureType, RowStatus};

use super::acc::Acc;
use super::bytes::{Reader, corrupt};
use super::plan::{Group, WindowPlan};
use super::state::{State, Tiles};
use super::value::Cell;
use crate::codec::Value;
use crate::prepared::{Aggregated, Cells};

/// Answers some features of a view from the states of keys.
#[derive(Debug)]
pub(crate) struct Answers {
    plan: WindowPlan,
    boundary: Boundary,
    /// For each feature of the answer its place among the plan's.
    places: Vec<usize>,
}

impl Answers {
    /// Of these of the plan's features, by their places, in this order.
    pub(crate) fn new(plan: WindowPlan, boundary: Boundary, mut places: Vec<usize>) -> Self {
        places.retain(|place| *place < plan.outputs.len());
        Self { plan, boundary, places }
    }

    /// Hands the value of each feature at `t` to `set`.
    ///
    /// An instant before the state's last fold is answered as that of the fold: what was before is no longer
    /// kept.
    pub(super) fn visit(
        &self,
        state: Option<&[u8]>,
        t: i64,
        set: &mut dyn FnMut(usize, Cell<'_>) -> Result<()>,
    ) -> Result<RowStatus> {
        let plan = &self.plan;
        let Some(bytes) = state else {
            for (feature, place) in self.places.iter().enumerate() {
                let output = &plan.outputs[*place];
                let empty = plan.groups[output.group].empty();
                set(feature, output.value(&empty, output.slots))?;
            }
            return Ok(RowStatus::NotFound);
        };
        let mut from = Reader::new(bytes);
        let head = State::head(plan, &mut from)?;
        let t = t.max(head.now);
        if head.is_due(self.boundary, t) {
            let mut whole = State::read(plan, bytes)?;
            whole.settle_due(plan, self.boundary, t);
            return self.visit(Some(&whole.write(plan)), t, set);
        }
        for (at, group) in plan.groups.iter().enumerate() {
            let mut tiles = Tiles::read(&mut from)?;
            let wanted = self.places.iter().map(|place| &plan.outputs[*place]).enumerate();
            let wanted = wanted.filter(|(_, output)| output.group == at);
            if wanted.clone().next().is_some() {
                group.windows(&mut tiles, t, &mut group.empty(), |lane, accs| {
                    let mut here = wanted.clone().filter(|(_, output)| output.lane == lane);
                    here.try_for_each(|(feature, output)| {
                        set(feature, output.value(accs, output.slots))
                    })
                })?;
            }
        }
        let found = head.newest.is_some_and(|newest| plan.reaches(newest.event_time, t));
        Ok(if found { RowStatus::Found } else { RowStatus::NotFound })
    }
}

impl Aggregated for Answers {
    fn answer(&self, state: Option<&[u8]>, now: i64, out: &mut Cells<'_>) -> Result<RowStatus> {
        self.visit(state, now, &mut |feature, cell| {
            let ty = self.plan.outputs[self.places[feature]].ty;
            out.set(feature, value(ty, cell)?)
        })
    }
}

fn value(ty: FeatureType, cell: Cell<'_>) -> Result<Value<'_>> {
    Ok(match (cell, ty) {
        (Cell::Null, _) => Value::Null,
        (Cell::Word(word), FeatureType::Bool) => Value::Bool(word != 0),
        (Cell::Word(word), FeatureType::Float) => Value::Float(f64::from_bits(word as u64)),
        (Cell::Word(word), FeatureType::Float32) => Value::Float32(f32::from_bits(word as u32)),
        (Cell::Word(word), FeatureType::Timestamp) => Value::Timestamp(word),
        (Cell::Word(word), FeatureType::Date) => Value::Date(word as i32),
        (Cell::Word(word), _) => Value::Int(word),
        (Cell::Bytes(bytes), FeatureType::String) => {
            Value::String(std::str::from_utf8(bytes).map_err(|_| corrupt("a text is no text"))?)
        }
        (Cell::Bytes(bytes), _) => Value::Bytes(bytes),
    })
}

impl Group {
    /// Fills `accs` with each window's states, and hands them to `visit`, the shortest window first.
    fn windows(
        &self,
        tiles: &mut Tiles<'_>,
        t: i64,
        accs: &mut [Acc],
        mut visit: impl FnMut(usize, &[Acc]) -> Result<()>,
    ) -> Result<()> {
        let mut tile = tiles.next()?;
        for (place, lane) in self.lanes.iter().enumerate() {
            let start = self.start(lane.window, t);
            while tile.is_some_and(|index| index >= start) {
                tiles.absorb(&self.slots, accs)?;
                tile = tiles.next()?;
            }
            visit(place, accs)?;
        }
        Ok(())
    }
}
