//! What is kept online of one key: its tiles, and the rows that are ahead of the clock.
//!
//! A state is a fold of the log: it knows the `seq` of the first row that it lacks, so that rows that are
//! folded again change nothing, and of two states the one that folded more is the greater one. It
//! answers exactly at each instant from that of its last fold on; tiles that no window can reach any
//! more are dropped.
//!
//! Bytes: [`VERSION`], the plan's layout (8), the next `seq`, the fold's instant, the greatest row, the rows
//! ahead; then for each resolution its length (4) and its tiles, the newest first, each with the states
//! in the order of the plan's slots. Equal contents are equal bytes.

use mlops_core::features::{Boundary, Entry, WriteOrder};
use mlops_core::{Error, ErrorKind, Result};

use super::acc::{Acc, Slot};
use super::bytes::{Reader, corrupt, put_signed, put_varint};
use super::plan::WindowPlan;
use super::value::{Cell, Value, put, take};

/// The first byte of a state.
const VERSION: u8 = 1;
/// Most rows of one key that wait for their time.
pub(super) const MAX_AHEAD: usize = 4_096;

/// The windows of one key.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) next_seq: u64,
    /// The instant of the last fold: rows before it are in tiles, the others wait.
    pub(super) now: i64,
    /// The greatest row in tiles.
    pub(super) newest: Option<WriteOrder>,
    /// In their order.
    ahead: Vec<Ahead>,
    /// For each group its tiles, the oldest first.
    tiles: Vec<Vec<Tile>>,
}

#[derive(Debug, Clone)]
struct Tile {
    index: i64,
    accs: Vec<Acc>,
}

/// A row that waits for its time.
#[derive(Debug, Clone)]
struct Ahead {
    order: WriteOrder,
    cells: Vec<Option<Value>>,
}

impl State {
    pub(super) fn new(plan: &WindowPlan) -> Self {
        Self {
            next_seq: 0,
            now: i64::MIN,
            newest: None,
            ahead: Vec::new(),
            tiles: vec![Vec::new(); plan.groups.len()],
        }
    }

    /// Takes in a row that is not in it yet.
    pub(super) fn add<'a>(
        &mut self,
        plan: &WindowPlan,
        order: WriteOrder,
        cell: impl Fn(Option<usize>) -> Cell<'a>,
    ) -> Result<()> {
        if order.event_time < self.now {
            self.settle(plan, order, cell);
            return Ok(());
        }
        if self.ahead.len() >= MAX_AHEAD {
            return Err(Error::invalid(
                "features.window",
                "too many rows of one key are ahead of the clock",
            )
            .with("at_most", MAX_AHEAD)
            .with_hint("write them when their time has come"));
        }
        let cells = (0..plan.columns.len()).map(|place| Value::of(cell(Some(place)))).collect();
        let place = self.ahead.partition_point(|row| row.order < order);
        self.ahead.insert(place, Ahead { order, cells });
        Ok(())
    }

    fn settle<'a>(
        &mut self,
        plan: &WindowPlan,
        order: WriteOrder,
        cell: impl Fn(Option<usize>) -> Cell<'a>,
    ) {
        self.newest = self.newest.max(Some(order));
        for (group, tiles) in plan.groups.iter().zip(&mut self.tiles) {
            let index = group.tile(order.event_time);
            if index < group.oldest(self.now) {
                continue;
            }
            let place = tiles.partition_point(|tile| tile.index < index);
            if tiles.get(place).is_none_or(|tile| tile.index != index) {
                tiles.insert(place, Tile { index, accs: group.empty() });
            }
            for (slot, acc) in group.slots.iter().zip(&mut tiles[place].accs) {
                slot.add(acc, cell(slot.column), order);
            }
        }
    }

    /// Moves on to an instant: rows whose time has come go into tiles, and old tiles fall.
    pub(super) fn advance(&mut self, plan: &WindowPlan, now: i64) {
        if now <= self.now {
            return;
        }
        self.now = now;
        let come = self.ahead.partition_point(|row| row.order.event_time < now);
        for row in self.ahead.drain(..come).collect::<Vec<_>>() {
            self.settle(plan, row.order, |column| row.cell(column));
        }
        for (group, tiles) in plan.groups.iter().zip(&mut self.tiles) {
            let oldest = group.oldest(now);
            tiles.drain(..tiles.partition_point(|tile| tile.index < oldest));
        }
    }

    /// From when on no window reaches any of its rows.
    pub(super) fn empty_from(&self, plan: &WindowPlan) -> i64 {
        let last = self.ahead.last().map(|row| row.order).max(self.newest);
        let longest = plan.groups.iter().map(|group| {
            group.lanes.last().map_or(0, |lane| lane.window).saturating_add(group.resolution)
        });
        let longest = longest.max().unwrap_or(0);
        last.map_or(i64::MIN, |last| last.event_time.saturating_add(longest))
    }

    pub(super) fn write(&self, plan: &WindowPlan) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(plan.layout().to_le_bytes());
        put_varint(&mut out, self.next_seq);
        put_signed(&mut out, self.now.into());
        out.push(u8::from(self.newest.is_some()));
        if let Some(newest) = self.newest {
            out.extend(newest.to_bytes());
        }
        put_varint(&mut out, self.ahead.len() as u64);
        for row in &self.ahead {
            out.extend(row.order.to_bytes());
            for (column, cell) in plan.columns.iter().zip(&row.cells) {
                put(&mut out, column.data_type, cell.as_ref().map_or(Cell::Null, Value::cell));
            }
        }
        for (group, tiles) in plan.groups.iter().zip(&self.tiles) {
            let at = out.len();
            out.extend([0; 4]);
            put_varint(&mut out, tiles.len() as u64);
            let mut after = 0;
            for tile in tiles.iter().rev() {
                put_signed(&mut out, i128::from(tile.index) - after);
                after = tile.index.into();
                for (slot, acc) in group.slots.iter().zip(&tile.accs) {
                    slot.write(acc, &mut out);
                }
            }
            let length = (out.len() - at - 4) as u32;
            out[at..at + 4].copy_from_slice(&length.to_le_bytes());
        }
        out
    }

    /// # Errors
    /// `Corrupt`; `Unsupported` for a newer version; `Conflict` for the state of another plan.
    pub(super) fn read(plan: &WindowPlan, bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        let mut state = Self::head(plan, &mut from)?;
        for (place, group) in plan.groups.iter().enumerate() {
            let mut tiles = Tiles::read(&mut from)?;
            while let Some(index) = tiles.next()? {
                let mut accs = group.empty();
                tiles.absorb(&group.slots, &mut accs)?;
                state.tiles[place].push(Tile { index, accs });
            }
            state.tiles[place].reverse();
        }
        if from.is_empty() { Ok(state) } else { Err(corrupt("there is more than a state")) }
    }

    /// What stands before the tiles.
    pub(super) fn head(plan: &WindowPlan, from: &mut Reader<'_>) -> Result<Self> {
        let version = from.byte()?;
        if version > VERSION {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "features.window",
                "a state was written by a newer version",
            )
            .with("version", version));
        }
        if version != VERSION {
            return Err(corrupt("these bytes are no state"));
        }
        if u64::from_le_bytes(from.array()?) != plan.layout() {
            return Err(Error::new(
                ErrorKind::Conflict,
                "features.window",
                "a state is of other aggregates than the view's",
            )
            .with_hint("the view was changed: drop the online table and materialize it again"));
        }
        let mut state = Self::new(plan);
        state.next_seq = from.varint()?;
        state.now = from.signed_word()?;
        state.newest = match from.byte()? {
            0 => None,
            _ => Some(WriteOrder::from_bytes(from.array()?)),
        };
        for _ in 0..from.length()? {
            let order = WriteOrder::from_bytes(from.array()?);
            let mut cells = Vec::with_capacity(plan.columns.len());
            for column in &plan.columns {
                let cell = take(from, column.data_type)?;
                cells.push(Value::of(Slot::checked(column.data_type, cell)?));
            }
            state.ahead.push(Ahead { order, cells });
        }
        Ok(state)
    }

    /// Whether a row waits that can be seen at `t`.
    pub(super) fn is_due(&self, boundary: Boundary, t: i64) -> bool {
        self.ahead.first().is_some_and(|row| seen(boundary, row.order, t))
    }

    /// Takes the rows that wait and can be seen at `t`, for an answer.
    pub(super) fn settle_due(&mut self, plan: &WindowPlan, boundary: Boundary, t: i64) {
        let due = self.ahead.partition_point(|row| seen(boundary, row.order, t));
        for row in self.ahead.drain(..due).collect::<Vec<_>>() {
            self.settle(plan, row.order, |column| row.cell(column));
        }
    }
}

fn seen(boundary: Boundary, order: WriteOrder, t: i64) -> bool {
    match boundary {
        Boundary::Inclusive => order.event_time <= t,
        Boundary::Strict => order.event_time < t,
    }
}

impl Ahead {
    fn cell(&self, column: Option<usize>) -> Cell<'_> {
        match column {
            None => Cell::Word(0),
            Some(place) => self.cells[place].as_ref().map_or(Cell::Null, Value::cell),
        }
    }
}

/// The tiles of one resolution as they are written: the newest first.
pub(super) struct Tiles<'a> {
    from: Reader<'a>,
    left: usize,
    index: i128,
    first: bool,
}

impl<'a> Tiles<'a> {
    pub(super) fn read(from: &mut Reader<'a>) -> Result<Self> {
        let length = u32::from_le_bytes(from.array()?) as usize;
        let mut from = Reader::new(from.bytes(length)?);
        let left = from.length()?;
        Ok(Self { from, left, index: 0, first: true })
    }

    /// The next tile's index; its states follow.
    pub(super) fn next(&mut self) -> Result<Option<i64>> {
        if self.left == 0 {
            let over = self.from.is_empty();
            return if over { Ok(None) } else { Err(corrupt("there is more than its tiles")) };
        }
        self.left -= 1;
        let step = self.from.signed()?;
        if !self.first && step >= 0 {
            return Err(corrupt("tiles are out of order"));
        }
        self.first = false;
        self.index = self.index.saturating_add(step);
        let index = i64::try_from(self.index).map_err(|_| corrupt("a tile is of no time"))?;
        Ok(Some(index))
    }

    /// Takes in the states of the tile.
    pub(super) fn absorb(&mut self, slots: &[Slot], accs: &mut [Acc]) -> Result<()> {
        for (slot, acc) in slots.iter().zip(accs) {
            slot.absorb(acc, &mut self.from)?;
        }
        Ok(())
    }
}

/// The state of a key's windows in the entry of an online store.
///
/// # Errors
/// As [`Entry::parse`].
pub(crate) fn payload(entry: &[u8]) -> Result<&[u8]> {
    let mut greatest = None;
    for row in Entry::parse(entry)?.rows() {
        greatest = Some(row?.payload);
    }
    greatest.ok_or_else(|| corrupt("an entry has no row"))
}
