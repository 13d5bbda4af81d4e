//! Whether a column is sorted, as far as one pass in row order can say.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::value::Value;

/// What a run of consecutive rows says about order; nulls are passed over.
///
/// It is the one fact here that depends on the order of the rows, so it is known only while a profile
/// was made of rows in sequence ([`Profile::append`](super::Profile::append)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Each value is at least the one before it. NaN is in no order.
    pub non_decreasing: bool,
    /// Each value is greater than the one before it.
    pub increasing: bool,
    /// Each value is at most the one before it.
    pub non_increasing: bool,
    ends: Option<(Value, Value)>,
}

impl Default for Order {
    fn default() -> Self {
        Self { non_decreasing: true, increasing: true, non_increasing: true, ends: None }
    }
}

impl Order {
    /// Goes on with one run of values; `value` makes what is kept of the first and last.
    pub(super) fn extend<T: PartialOrd>(&mut self, values: &[T], value: impl Fn(&T) -> Value) {
        let (Some(first), Some(last)) = (values.first(), values.last()) else { return };
        let mut run = Self { ends: Some((value(first), value(last))), ..Self::default() };
        let ordered = first.partial_cmp(first).is_some();
        let steps = values.windows(2).map(|pair| pair[0].partial_cmp(&pair[1]));
        steps.for_each(|step| run.step(step));
        if !ordered {
            run.step(None);
        }
        self.append(&run);
    }

    /// Goes on with the rows of `next`.
    pub(super) fn append(&mut self, next: &Self) {
        if self.is_broken() {
            return;
        }
        match (&self.ends, &next.ends) {
            (_, None) if !next.is_broken() => {}
            (None, _) | (_, None) => *self = next.clone(),
            (Some((first, last)), Some((after, end))) => {
                let ends = (first.clone(), end.clone());
                let step = last.partial_cmp(after);
                self.non_decreasing &= next.non_decreasing;
                self.increasing &= next.increasing;
                self.non_increasing &= next.non_increasing;
                self.ends = Some(ends);
                self.step(step);
            }
        }
    }

    /// In no order any more, whatever follows; then the ends do not matter.
    fn is_broken(&self) -> bool {
        !(self.non_decreasing || self.increasing || self.non_increasing)
    }

    fn step(&mut self, step: Option<Ordering>) {
        self.non_decreasing &= matches!(step, Some(Ordering::Less | Ordering::Equal));
        self.increasing &= step == Some(Ordering::Less);
        self.non_increasing &= matches!(step, Some(Ordering::Greater | Ordering::Equal));
        if self.is_broken() {
            self.ends = None;
        }
    }
}
