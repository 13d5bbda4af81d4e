//! The counts of the finite cells: one dense window over the used cells of each sign.
//!
//! A column seldom spans more than 30 powers of two, and so 4,000 cells. The whole range of doubles
//! takes 2 MiB a sign, reached only by a column that has values at both ends of it.

/// Cells of a sign, NaN and infinity among them.
pub(super) const CELLS: usize = 1 << 18;
/// Cells of finite values of a sign.
pub(super) const FINITE: usize = 0x7ff << 7;
/// A window grows by at least this many cells more than it must, and by half of what it has.
const SLACK: usize = 128;

/// Counts by key: the top 19 bits of a double.
#[derive(Debug, Clone, Default)]
pub(super) struct Windows {
    sides: [Window; 2],
}

#[derive(Debug, Clone, Default)]
struct Window {
    /// The cell of the first count.
    first: usize,
    counts: Vec<u64>,
}

impl Windows {
    /// Counts a value; false if its cell is outside of the window, and nothing was counted.
    ///
    /// Cell 0 is never in a window: it is shared by zero and the smallest subnormals.
    #[inline]
    pub(super) fn add(&mut self, key: usize) -> bool {
        let side = &mut self.sides[(key / CELLS) & 1];
        let cell = key % CELLS;
        match side.counts.get_mut(cell.wrapping_sub(side.first)) {
            Some(count) if cell != 0 => {
                *count += 1;
                true
            }
            _ => false,
        }
    }

    /// Counts values of a finite cell, and widens the window for it.
    pub(super) fn add_anywhere(&mut self, key: usize, times: u64) {
        let side = &mut self.sides[(key / CELLS) & 1];
        side.include(key % CELLS);
        let count = &mut side.counts[key % CELLS - side.first];
        *count = count.saturating_add(times);
    }

    /// The cells that have counts, by magnitude.
    pub(super) fn cells(
        &self,
        negative: bool,
    ) -> impl DoubleEndedIterator<Item = (usize, u64)> + '_ {
        let side = &self.sides[usize::from(negative)];
        let counts = side.counts.iter().enumerate();
        counts.filter(|(_, count)| **count > 0).map(|(i, count)| (side.first + i, *count))
    }

    pub(super) fn total(&self) -> u64 {
        let counts = self.sides.iter().flat_map(|side| &side.counts);
        counts.fold(0, |total: u64, count| total.saturating_add(*count))
    }
}

impl Window {
    fn include(&mut self, cell: usize) {
        if self.counts.is_empty() {
            self.first = cell.saturating_sub(SLACK);
            self.counts = vec![0; (cell + SLACK).min(FINITE) - self.first];
        }
        if cell < self.first {
            let first = cell.saturating_sub(SLACK.max(self.counts.len() / 2));
            self.counts.splice(0..0, std::iter::repeat_n(0, self.first - first));
            self.first = first;
        }
        if cell - self.first >= self.counts.len() {
            let slack = SLACK.max(self.counts.len() / 2);
            self.counts.resize((cell + 1 + slack).min(FINITE) - self.first, 0);
        }
    }
}

/// What was counted, not how wide the windows are.
impl PartialEq for Windows {
    fn eq(&self, other: &Self) -> bool {
        [false, true].iter().all(|negative| self.cells(*negative).eq(other.cells(*negative)))
    }
}

impl Eq for Windows {}
