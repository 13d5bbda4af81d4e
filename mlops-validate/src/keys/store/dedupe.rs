//! Counting the keys of one partition.
//!
//! Open addressing, power-of-two capacity, linear probing; an empty slot is the zero key, which is
//! counted apart. A count is touched only when a key comes again, so unique keys, the usual case, pay
//! for eight bytes a slot. The table starts at the size that the last partition needed: partitions
//! are alike, and a table for all rows would be too large where few keys repeat often.

use super::super::Key;
use super::{Duplicates, FinishOptions};

/// The reusable table of one thread.
#[derive(Default)]
pub(super) struct Table<K> {
    slots: Vec<K>,
    /// Repetitions of the key in a slot; zero but for the slots in `repeated`.
    again: Vec<u64>,
    repeated: Vec<u32>,
    filled: usize,
    /// Number of distinct keys to make room for.
    expected: usize,
}

impl<K: Key> Table<K> {
    /// Adds the counts of the keys in `lists` to `found`.
    pub(super) fn count(&mut self, lists: &[&[K]], found: &mut Found<K>) {
        let rows: usize = lists.iter().map(|list| list.len()).sum();
        if rows == 0 {
            return;
        }
        found.rows += rows as u64;
        self.reset(self.expected.min(rows).max(rows.min(4096)));
        // Well mixed keys need under two steps each; those made to collide are sorted instead.
        let mut steps_left = 16 * rows + 4096;
        let mut zeros = 0_u64;
        for list in lists {
            for &key in *list {
                if key == K::default() {
                    zeros += 1;
                } else if !self.add(key, &mut steps_left) {
                    self.clear_counts();
                    count_sorted(lists, rows, found);
                    return;
                }
            }
        }
        self.expected = self.expected.max(self.filled + self.filled / 16);
        found.distinct += self.filled as u64 + u64::from(zeros > 0);
        if zeros > 1 {
            found.duplicate(K::default(), zeros);
        }
        for &slot in &self.repeated {
            found.duplicate(self.slots[slot as usize], self.again[slot as usize] + 1);
        }
        self.clear_counts();
    }

    /// False if the steps are used up.
    #[inline]
    fn add(&mut self, key: K, steps_left: &mut usize) -> bool {
        if self.filled * 3 >= self.slots.len() * 2 {
            self.grow(steps_left);
            if *steps_left == 0 {
                return false;
            }
        }
        let mask = self.slots.len() - 1;
        let mut slot = self.home(key);
        loop {
            let there = self.slots[slot];
            if there == key {
                self.again[slot] += 1;
                if self.again[slot] == 1 {
                    self.repeated.push(slot as u32);
                }
                return true;
            }
            if there == K::default() {
                self.slots[slot] = key;
                self.filled += 1;
                return true;
            }
            slot = (slot + 1) & mask;
            *steps_left = steps_left.saturating_sub(1);
            if *steps_left == 0 {
                return false;
            }
        }
    }

    /// The slot to look at first, by the bits below those that chose the partition.
    #[inline]
    fn home(&self, key: K) -> usize {
        ((key.mix() << 8) >> (64 - self.slots.len().trailing_zeros())) as usize
    }

    fn reset(&mut self, expected: usize) {
        let slots = (expected * 3 / 2 + 2).next_power_of_two().max(64);
        self.slots.clear();
        self.slots.resize(slots, K::default());
        self.again.resize(slots, 0);
        self.repeated.clear();
        self.filled = 0;
    }

    #[cold]
    fn grow(&mut self, steps_left: &mut usize) {
        let slots = vec![K::default(); self.slots.len() * 2];
        let mut again = vec![0; slots.len()];
        let old = std::mem::replace(&mut self.slots, slots);
        let mask = self.slots.len() - 1;
        self.repeated.clear();
        for (from, key) in old.into_iter().enumerate().filter(|(_, key)| *key != K::default()) {
            let mut slot = self.home(key);
            while self.slots[slot] != K::default() {
                slot = (slot + 1) & mask;
                *steps_left = steps_left.saturating_sub(1);
                if *steps_left == 0 {
                    // Crafted keys: the caller sees it at the next step and sorts.
                    return self.abandon();
                }
            }
            self.slots[slot] = key;
            again[slot] = self.again[from];
            if again[slot] > 0 {
                self.repeated.push(slot as u32);
            }
        }
        self.again = again;
    }

    /// Leaves a full table, in which the next probe runs out of steps.
    #[cold]
    fn abandon(&mut self) {
        self.again.clear();
        self.again.resize(self.slots.len(), 0);
        self.repeated.clear();
    }

    fn clear_counts(&mut self) {
        for slot in self.repeated.drain(..) {
            self.again[slot as usize] = 0;
        }
    }
}

/// The same by sorting: n·log n whatever the keys are.
fn count_sorted<K: Key>(lists: &[&[K]], rows: usize, found: &mut Found<K>) {
    let mut keys = Vec::with_capacity(rows);
    for list in lists {
        keys.extend_from_slice(list);
    }
    keys.sort_unstable();
    for run in keys.chunk_by(|a, b| a == b) {
        found.distinct += 1;
        if run.len() > 1 {
            found.duplicate(run[0], run.len() as u64);
        }
    }
}

/// What was found so far; a sum, so the order of partitions does not matter.
pub(super) struct Found<K> {
    rows: u64,
    distinct: u64,
    duplicated: u64,
    rows_involved: u64,
    wanted: usize,
    samples: Vec<(K, u64)>,
    all: Option<Vec<K>>,
}

impl<K: Key> Found<K> {
    pub(super) fn new(options: &FinishOptions) -> Self {
        Self {
            rows: 0,
            distinct: 0,
            duplicated: 0,
            rows_involved: 0,
            wanted: options.samples,
            samples: Vec::new(),
            all: options.all.then(Vec::new),
        }
    }

    /// Adds keys that are known to occur once.
    pub(super) fn unique(&mut self, rows: u64) {
        self.rows += rows;
        self.distinct += rows;
    }

    fn duplicate(&mut self, key: K, rows: u64) {
        self.duplicated += 1;
        self.rows_involved += rows;
        self.samples.push((key, rows));
        if self.samples.len() >= 2 * self.wanted + 64 {
            self.keep_samples();
        }
        if let Some(all) = &mut self.all {
            all.push(key);
        }
    }

    fn keep_samples(&mut self) {
        self.samples.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        self.samples.truncate(self.wanted);
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.distinct += other.distinct;
        self.duplicated += other.duplicated;
        self.rows_involved += other.rows_involved;
        self.samples.extend(other.samples);
        self.keep_samples();
        if let (Some(all), Some(theirs)) = (&mut self.all, other.all) {
            all.extend(theirs);
        }
    }

    pub(super) fn finish(mut self) -> Duplicates {
        self.keep_samples();
        let keys = self.all.map(|mut all| {
            all.sort_unstable();
            all.into_iter().map(Key::widen).collect()
        });
        Duplicates {
            rows: self.rows,
            distinct: self.distinct,
            extra_rows: self.rows - self.distinct,
            duplicated: self.duplicated,
            rows_involved: self.rows_involved,
            samples: self.samples.into_iter().map(|(key, rows)| (key.widen(), rows)).collect(),
            keys,
        }
    }
}
