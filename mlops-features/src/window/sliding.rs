//! A window that moves forward over the rows of one key.
//!
//! The oldest tiles fall out as new rows come in. States can be merged but not taken apart, so the tiles
//! are held as two stacks: the older ones as sums from each tile to the last of them, the newer ones with
//! their one sum. Each row is merged a constant number of times, however long the window is. Where rows
//! become visible out of the order of their tiles, the tiles alone are held and merged when asked.

use mlops_core::features::WriteOrder;

use super::acc::{Acc, Slot};
use super::plan::Lane;
use super::value::Cell;

/// The tiles of one window.
#[derive(Debug)]
pub(super) struct Sliding {
    pub(super) group: usize,
    pub(super) window: i64,
    slots: Vec<Slot>,
    /// Whether rows come in any order.
    late: bool,
    /// In descending order; each holds the rows of all after it that are here, too.
    front: Vec<Tile>,
    /// In ascending order, after those of `front`.
    back: Vec<Tile>,
    /// The rows of `back`.
    total: Vec<Acc>,
    answer: Vec<Acc>,
    spare: Vec<Vec<Acc>>,
}

#[derive(Debug)]
struct Tile {
    index: i64,
    accs: Vec<Acc>,
}

/// Spare tiles that are kept for their memory.
const SPARE: usize = 32;

impl Sliding {
    pub(super) fn new(group: usize, slots: &[Slot], lane: &Lane, late: bool) -> Self {
        let slots: Vec<Slot> = lane.slots.iter().map(|slot| slots[*slot]).collect();
        let empty = || slots.iter().map(Slot::empty).collect::<Vec<_>>();
        Self {
            group,
            window: lane.window,
            late,
            front: Vec::new(),
            back: Vec::new(),
            total: empty(),
            answer: empty(),
            spare: Vec::new(),
            slots,
        }
    }

    /// Begins another key.
    pub(super) fn clear(&mut self) {
        while let Some(tile) = self.front.pop().or_else(|| self.back.pop()) {
            self.recycle(tile);
        }
        self.total.iter_mut().for_each(Acc::clear);
    }

    fn recycle(&mut self, tile: Tile) {
        if self.spare.len() < SPARE {
            self.spare.push(tile.accs);
        }
    }

    fn fresh(&mut self, index: i64) -> Tile {
        let accs = match self.spare.pop() {
            Some(mut accs) => {
                accs.iter_mut().for_each(Acc::clear);
                accs
            }
            None => self.slots.iter().map(Slot::empty).collect(),
        };
        Tile { index, accs }
    }

    /// Takes in a row of a tile; `cell` gives its columns.
    pub(super) fn add<'a>(
        &mut self,
        index: i64,
        order: WriteOrder,
        cell: impl Fn(Option<usize>) -> Cell<'a>,
    ) {
        let place = if self.late {
            self.back.partition_point(|tile| tile.index < index)
        } else if self.back.last().is_some_and(|tile| tile.index == index) {
            self.back.len() - 1
        } else {
            self.back.len()
        };
        if self.back.get(place).is_none_or(|tile| tile.index != index) {
            let tile = self.fresh(index);
            self.back.insert(place, tile);
        }
        let accs = &mut self.back[place].accs;
        for (slot, (acc, total)) in self.slots.iter().zip(accs.iter_mut().zip(&mut self.total)) {
            let cell = cell(slot.column);
            slot.add(acc, cell, order);
            if !self.late {
                slot.add(total, cell, order);
            }
        }
    }

    /// Lets fall what is before the tile `start`.
    pub(super) fn advance(&mut self, start: i64) {
        while self.front.last().is_some_and(|tile| tile.index < start) {
            if let Some(tile) = self.front.pop() {
                self.recycle(tile);
            }
        }
        let gone = self.back.partition_point(|tile| tile.index < start);
        if gone == 0 {
            return;
        }
        let mut dropped: Vec<_> = self.back.drain(..gone).collect();
        while let Some(tile) = dropped.pop() {
            self.recycle(tile);
        }
        if self.late {
            return;
        }
        // Older tiles are gone, so the front is empty: the back becomes the front.
        for mut tile in std::mem::take(&mut self.back).into_iter().rev() {
            if let Some(after) = self.front.last() {
                for (slot, (acc, more)) in
                    self.slots.iter().zip(tile.accs.iter_mut().zip(&after.accs))
                {
                    slot.merge(acc, more);
                }
            }
            self.front.push(tile);
        }
        self.total.iter_mut().for_each(Acc::clear);
    }

    /// The states of all rows that are in the window.
    pub(super) fn states(&mut self) -> &[Acc] {
        if !self.late {
            match (self.front.last(), self.back.is_empty()) {
                (None, _) => return &self.total,
                (Some(_), true) => {
                    return self.front.last().map_or(&self.total, |tile| &tile.accs);
                }
                _ => {}
            }
        }
        self.answer.iter_mut().for_each(Acc::clear);
        let tiles = if self.late { &self.back[..] } else { &[] };
        let total = (!self.late).then_some(&self.total);
        let parts = self.front.last().map(|tile| &tile.accs).into_iter().chain(total);
        for accs in parts.chain(tiles.iter().map(|tile| &tile.accs)) {
            for (slot, (acc, more)) in self.slots.iter().zip(self.answer.iter_mut().zip(accs)) {
                slot.merge(acc, more);
            }
        }
        &self.answer
    }
}
