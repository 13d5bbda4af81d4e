//! The kernel of the point-in-time join, in memory.
//!
//! Who asks comes first: each distinct key has its *slots*, the distinct instants at which it is asked for,
//! in order. Rows of features then stream past in any order. A row can be seen from some instant on, and
//! from then on for ever, so it is offered to one slot alone: the first of its key that is not before that
//! instant. When all rows have passed, the greatest write is carried forward along each key. So memory
//! follows those who ask, not the history; a row costs one look-up and one short search; and because a slot
//! keeps a maximum, neither the order of rows nor the cut into files and threads can matter.

use arrow::array::ArrayRef;
use mlops_core::features::{Boundary, KnownAt, TableKey, Visibility, WriteOrder};
use mlops_core::{Error, Result};

use super::keys::{Keys, NONE};
use super::ticks::{Ticks, Unit};

/// Who asks: keys, the instants of each, and which row is which.
#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) keys: Keys,
    /// Where the slots of each key begin, and one end.
    starts: Vec<u32>,
    /// The instant of each slot.
    times: Vec<i64>,
    /// The slot of each row that asks; [`NONE`] for one without a key.
    rows: Vec<u32>,
    latest: i64,
}

/// Which rows can be seen, in ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) boundary: Boundary,
    pub(crate) known_at: KnownAt,
}

/// The greatest write that a slot has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Winner {
    /// In ticks.
    pub(crate) event_time: i64,
    /// In ticks; [`WriteOrder::UNKNOWN`] if it is not known, or was not read.
    pub(crate) created: i64,
    /// One more than the row's place among all rows of all files; 0 for none.
    place: u64,
}

/// The greatest write of each slot.
#[derive(Debug, Clone)]
pub(crate) struct Winners(Vec<Winner>);

/// Rows of features that follow one another, as [`Winners::offer`] takes them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    /// The id of each row's key; [`NONE`] for rows that are left out.
    pub(crate) ids: &'a [u32],
    pub(crate) event_times: &'a [i64],
    /// [`WriteOrder::UNKNOWN`] where it is not; `None` if it is not needed.
    pub(crate) created: Option<&'a [i64]>,
    /// The place of the first row.
    pub(crate) first: u64,
}

impl Rule {
    /// What `visibility` and `known_at` say, in ticks.
    pub(crate) fn new(visibility: Visibility, known_at: KnownAt, unit: Unit) -> Self {
        let known_at = match known_at {
            KnownAt::Instant(micros) => KnownAt::Instant(unit.micros(micros)),
            other => other,
        };
        Self { boundary: visibility.boundary, known_at }
    }

    /// Whether rows can be seen without looking at when they became known.
    pub(crate) fn sees_all(self) -> bool {
        self.known_at == KnownAt::Now
    }

    /// The first instant that a row of this event time is in time for, if there is one.
    #[inline]
    pub(crate) fn in_time(self, event_time: i64) -> Option<i64> {
        match self.boundary {
            Boundary::Inclusive => Some(event_time),
            Boundary::Strict => event_time.checked_add(1),
        }
    }

    /// The first instant at which a row can be seen, if there is one.
    #[inline]
    pub(crate) fn seen_from(self, event_time: i64, created: i64) -> Option<i64> {
        let from = self.in_time(event_time)?;
        match self.known_at {
            KnownAt::EventTime => (created != WriteOrder::UNKNOWN).then(|| from.max(created)),
            KnownAt::Instant(known) => {
                (created != WriteOrder::UNKNOWN && created <= known).then_some(from)
            }
            _ => Some(from),
        }
    }
}

impl Winner {
    /// No write.
    pub(crate) const NONE: Self =
        Self { event_time: i64::MIN, created: WriteOrder::UNKNOWN, place: 0 };

    /// The row's place among all rows of all files, if there is a row.
    pub(crate) fn place(self) -> Option<u64> {
        self.place.checked_sub(1)
    }
}

impl Slots {
    /// The slots of rows that ask; `times` has no nulls.
    ///
    /// # Errors
    /// `Invalid` for a null instant, columns of another type or length, more than 4 billion rows.
    pub(crate) fn new(keys: &[TableKey], columns: &[ArrayRef], times: &Ticks) -> Result<Self> {
        let count = times.values.len();
        if u32::try_from(count).is_err() || count == NONE as usize {
            return Err(Error::invalid("features.as_of", "too many rows ask at once")
                .with("rows", count)
                .with("at most", NONE - 1));
        }
        if let Some(row) = (0..count).find(|row| times.get(*row).is_none()) {
            return Err(Error::invalid("features.as_of", "a row asks of no instant")
                .with("row", row)
                .with_hint("every row needs an event time"));
        }
        let (keys, mut rows) = Keys::new(keys, columns, count)?;
        let (starts, times) = slots(keys.len(), &times.values, &mut rows);
        let latest = times.iter().copied().max().unwrap_or(i64::MIN);
        Ok(Self { keys, starts, times, rows, latest })
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    /// The last instant that is asked for.
    pub(crate) fn latest(&self) -> i64 {
        self.latest
    }

    /// The instant of a slot.
    pub(crate) fn time(&self, slot: usize) -> i64 {
        self.times[slot]
    }

    /// The slot of each row that asks; [`NONE`] for one without a key.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    #[inline]
    fn of(&self, id: u32) -> std::ops::Range<usize> {
        self.starts[id as usize] as usize..self.starts[id as usize + 1] as usize
    }
}

/// Sorts the instants of each key and makes equal ones one. `rows` come as ids and go as slots.
fn slots(keys: usize, times: &[i64], rows: &mut [u32]) -> (Vec<u32>, Vec<i64>) {
    let mut ends = vec![0_u32; keys + 1];
    for id in rows.iter().filter(|id| **id != NONE) {
        ends[*id as usize] += 1;
    }
    let mut total = 0;
    for end in &mut ends {
        (*end, total) = (total, total + *end);
    }
    // Each key's rows, together; `ends` move from the beginnings to the ends.
    let mut asked = vec![(0_i64, 0_u32); total as usize];
    for (row, id) in rows.iter().enumerate().filter(|(_, id)| **id != NONE) {
        let end = &mut ends[*id as usize];
        asked[*end as usize] = (times[row], row as u32);
        *end += 1;
    }
    let mut starts = Vec::with_capacity(keys + 1);
    let mut distinct: Vec<i64> = Vec::new();
    let mut first = 0;
    starts.push(0);
    for end in &ends[..keys] {
        let own = &mut asked[first..*end as usize];
        own.sort_unstable();
        let begin = distinct.len();
        for (time, row) in own {
            if distinct.len() == begin || distinct.last() != Some(time) {
                distinct.push(*time);
            }
            rows[*row as usize] = distinct.len() as u32 - 1;
        }
        starts.push(distinct.len() as u32);
        first = *end as usize;
    }
    (starts, distinct)
}

impl Winners {
    /// No writes yet.
    pub(crate) fn new(slots: &Slots) -> Self {
        Self(vec![Winner::NONE; slots.len()])
    }

    /// Bytes that the winners of so many slots take.
    pub(crate) fn bytes(slots: usize) -> usize {
        slots * size_of::<Winner>()
    }

    /// Offers rows in any order.
    pub(crate) fn offer(&mut self, slots: &Slots, rule: Rule, rows: Offer<'_>) {
        for (row, id) in rows.ids.iter().enumerate() {
            if *id == NONE {
                continue;
            }
            let event_time = rows.event_times[row];
            let created = rows.created.map_or(WriteOrder::UNKNOWN, |created| created[row]);
            let Some(from) = rule.seen_from(event_time, created) else { continue };
            let own = slots.of(*id);
            let at = own.start + slots.times[own.clone()].partition_point(|time| *time < from);
            if at < own.end {
                let place = rows.first + row as u64 + 1;
                self.raise(at, Winner { event_time, created, place });
            }
        }
    }

    /// Offers rows that are sorted by key and then by the order of writes, where the rule sees all.
    ///
    /// Of the rows that one slot sees first, the last is the greatest: the others are passed over.
    pub(crate) fn offer_sorted(&mut self, slots: &Slots, rule: Rule, rows: Offer<'_>) {
        let mut first = 0;
        while first < rows.ids.len() {
            let id = rows.ids[first];
            let length = rows.ids[first..].iter().take_while(|other| **other == id).count();
            let end = first + length;
            if id != NONE {
                self.offer_run(slots, rule, rows, slots.of(id), first..end);
            }
            first = end;
        }
    }

    fn offer_run(
        &mut self,
        slots: &Slots,
        rule: Rule,
        rows: Offer<'_>,
        own: std::ops::Range<usize>,
        run: std::ops::Range<usize>,
    ) {
        let (mut slot, mut row) = (own.start, run.start);
        let sees = |event_time: i64, time: i64| match rule.boundary {
            Boundary::Inclusive => event_time <= time,
            Boundary::Strict => event_time < time,
        };
        while slot < own.end && row < run.end {
            let from = rows.event_times[row];
            slot += slots.times[slot..own.end].partition_point(|time| !sees(from, *time));
            if slot == own.end {
                break;
            }
            let time = slots.times[slot];
            // This row is seen, so that the search begins behind it.
            let last =
                row + rows.event_times[row + 1..run.end].partition_point(|from| sees(*from, time));
            row = last + 1;
            let created = rows.created.map_or(WriteOrder::UNKNOWN, |created| created[last]);
            let place = rows.first + last as u64 + 1;
            self.raise(slot, Winner { event_time: rows.event_times[last], created, place });
            slot += 1;
        }
    }

    #[inline]
    fn raise(&mut self, slot: usize, winner: Winner) {
        let known = &mut self.0[slot];
        if winner > *known {
            *known = winner;
        }
    }

    /// Adds what another thread has seen.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (slot, winner) in other.0.iter().enumerate() {
            self.raise(slot, *winner);
        }
    }

    /// Carries the greatest write forward along each key: what each slot answers, once all rows have passed.
    pub(crate) fn finish(mut self, slots: &Slots) -> Vec<Winner> {
        for own in slots.starts.windows(2) {
            let mut greatest = Winner::NONE;
            for winner in &mut self.0[own[0] as usize..own[1] as usize] {
                greatest = greatest.max(*winner);
                *winner = greatest;
            }
        }
        self.0
    }
}
