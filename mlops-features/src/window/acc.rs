//! What is kept of the rows of a tile: for each aggregate a state that merges.
//!
//! Merging is commutative and associative, and exact. So a tile may be filled in any order, and a window be
//! put together of tiles, of suffixes of tiles or of rows, and the answer has the same bits.

use mlops_core::Result;
use mlops_core::features::{FeatureType, WriteOrder};
use xxhash_rust::xxh3::xxh3_64;

use super::bytes::{Reader, corrupt, put_signed, put_varint};
use super::distinct::Distinct;
use super::exact::Exact;
use super::value::{Cell, Value, double, is_float, plain, put, rank, take};

/// What a state is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Count,
    Sum,
    Min,
    Max,
    Distinct,
    Last,
}

/// One state of each tile: of a column of the plan, or of the rows themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    pub(super) column: Option<usize>,
    /// The column's type; `Int` for rows.
    pub(super) ty: FeatureType,
}

/// The state of a [`Slot`].
#[derive(Debug, Clone)]
pub(super) enum Acc {
    Count(u64),
    Whole {
        sum: i128,
    },
    Real(Exact),
    /// Of `Min` the least and of `Max` the greatest rank.
    Extreme(Option<Value>),
    Distinct(Distinct),
    Last(Option<(WriteOrder, Value)>),
}

impl Slot {
    pub(super) fn empty(&self) -> Acc {
        match self.kind {
            Kind::Count => Acc::Count(0),
            Kind::Sum if is_float(self.ty) => Acc::Real(Exact::default()),
            Kind::Sum => Acc::Whole { sum: 0 },
            Kind::Min | Kind::Max => Acc::Extreme(None),
            Kind::Distinct => Acc::Distinct(Distinct::new()),
            Kind::Last => Acc::Last(None),
        }
    }

    /// Takes in the value of one row.
    #[inline]
    pub(super) fn add(&self, acc: &mut Acc, cell: Cell<'_>, order: WriteOrder) {
        if cell == Cell::Null {
            return;
        }
        match (acc, cell) {
            (Acc::Count(count), _) => *count += 1,
            (Acc::Whole { sum }, Cell::Word(word)) => *sum += i128::from(word),
            (Acc::Real(sum), Cell::Word(word)) => sum.add(double(self.ty, word)),
            (Acc::Extreme(best), Cell::Word(word)) => {
                let word = rank(self.ty, word);
                match best {
                    Some(Value::Word(best)) if self.kind == Kind::Min => *best = (*best).min(word),
                    Some(Value::Word(best)) => *best = (*best).max(word),
                    _ => *best = Some(Value::Word(word)),
                }
            }
            (Acc::Extreme(best), Cell::Bytes(bytes)) => {
                if best.as_ref().is_none_or(|best| self.is_better(Cell::Bytes(bytes), best)) {
                    *best = Some(Value::Bytes(bytes.into()));
                }
            }
            (Acc::Distinct(set), cell) => set.insert(self.hash(cell)),
            (Acc::Last(last), cell) => Self::add_last(last, order, cell),
            // A column has one kind of cells.
            (Acc::Whole { .. } | Acc::Real(_), _) | (Acc::Extreme(_), Cell::Null) => {}
        }
    }

    fn is_better(&self, cell: Cell<'_>, than: &Value) -> bool {
        match (cell, than) {
            (Cell::Word(a), Value::Word(b)) if self.kind == Kind::Min => a < *b,
            (Cell::Word(a), Value::Word(b)) => a > *b,
            (Cell::Bytes(a), Value::Bytes(b)) if self.kind == Kind::Min => *a < **b,
            (Cell::Bytes(a), Value::Bytes(b)) => *a > **b,
            _ => false,
        }
    }

    fn hash(&self, cell: Cell<'_>) -> u64 {
        match cell {
            Cell::Bytes(bytes) => xxh3_64(bytes),
            Cell::Word(word) if is_float(self.ty) => {
                xxh3_64(&plain(double(self.ty, word)).to_bits().to_le_bytes())
            }
            Cell::Word(word) => xxh3_64(&word.to_le_bytes()),
            Cell::Null => 0,
        }
    }

    /// Takes in the state of other rows.
    pub(super) fn merge(&self, acc: &mut Acc, other: &Acc) {
        match (acc, other) {
            (Acc::Count(count), Acc::Count(more)) => *count += more,
            (Acc::Whole { sum }, Acc::Whole { sum: more }) => *sum += more,
            (Acc::Real(sum), Acc::Real(more)) => sum.merge(more),
            (Acc::Extreme(best), Acc::Extreme(Some(other)))
                if best.as_ref().is_none_or(|best| self.is_better(other.cell(), best)) =>
            {
                *best = Some(other.clone());
            }
            (Acc::Distinct(set), Acc::Distinct(more)) => set.merge(more),
            (Acc::Last(last), Acc::Last(Some((order, value))))
                if last.as_ref().is_none_or(|(greatest, _)| order > greatest) =>
            {
                *last = Some((*order, value.clone()));
            }
            // Of no rows, of lesser ones, or of another kind, which a slot's states are not.
            _ => {}
        }
    }

    pub(super) fn write(&self, acc: &Acc, out: &mut Vec<u8>) {
        match acc {
            Acc::Count(count) => put_varint(out, *count),
            Acc::Whole { sum } => put_signed(out, *sum),
            Acc::Real(sum) => sum.write(out),
            Acc::Extreme(best) => {
                put(out, self.ty, best.as_ref().map_or(Cell::Null, Value::cell));
            }
            Acc::Distinct(set) => set.write(out),
            Acc::Last(last) => {
                put(out, self.ty, last.as_ref().map_or(Cell::Null, |(_, value)| value.cell()));
                if let Some((order, _)) = last {
                    out.extend(order.to_bytes());
                }
            }
        }
    }

    /// Takes in a state that was written.
    pub(super) fn absorb(&self, acc: &mut Acc, from: &mut Reader<'_>) -> Result<()> {
        match acc {
            Acc::Count(count) => {
                *count = count
                    .checked_add(from.varint()?)
                    .ok_or_else(|| corrupt("a count is too large"))?;
            }
            Acc::Whole { sum } => {
                *sum =
                    sum.checked_add(from.signed()?).ok_or_else(|| corrupt("a sum is too large"))?;
            }
            Acc::Real(sum) => sum.absorb(from)?,
            Acc::Extreme(best) => {
                let other = self.fitting(take(from, self.ty)?)?;
                let better = best.as_ref().is_none_or(|best| self.is_better(other, best));
                if better && other != Cell::Null {
                    *best = Value::of(other);
                }
            }
            Acc::Distinct(set) => set.absorb(from)?,
            Acc::Last(last) => {
                let value = self.fitting(take(from, self.ty)?)?;
                if value != Cell::Null {
                    Self::add_last(last, WriteOrder::from_bytes(from.array()?), value);
                }
            }
        }
        Ok(())
    }

    fn add_last(last: &mut Option<(WriteOrder, Value)>, order: WriteOrder, cell: Cell<'_>) {
        if last.as_ref().is_none_or(|(greatest, _)| order > *greatest) {
            *last = Value::of(cell).map(|value| (order, value));
        }
    }

    fn fitting<'a>(&self, cell: Cell<'a>) -> Result<Cell<'a>> {
        Self::checked(self.ty, cell)
    }

    /// A value of this type; damaged bytes may have another.
    pub(super) fn checked(ty: FeatureType, cell: Cell<'_>) -> Result<Cell<'_>> {
        let bytes = matches!(ty, FeatureType::String | FeatureType::Bytes);
        match cell {
            Cell::Word(_) if bytes => Err(corrupt("a value is of another type")),
            Cell::Bytes(_) if !bytes => Err(corrupt("a value is of another type")),
            Cell::Bytes(text) if ty == FeatureType::String && !is_text(text) => {
                Err(corrupt("a text is no text"))
            }
            cell => Ok(cell),
        }
    }
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

impl Acc {
    /// Forgets all rows, and keeps its memory.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Count(count) => *count = 0,
            Self::Whole { sum } => *sum = 0,
            Self::Real(sum) => sum.clear(),
            Self::Extreme(best) => *best = None,
            Self::Distinct(set) => *set = Distinct::new(),
            Self::Last(last) => *last = None,
        }
    }
}
