//! A row from one of several vectors: CASE, COALESCE, NULLIF, GREATEST, LEAST.

use super::mask::Mask;
use super::number::order;
use super::vector::{Data, TextBuilder, Values, Vector};

/// No branch: null.
pub(crate) const NONE: u32 = u32::MAX;

/// The row of the branch that `choice` says; all branches are of one type.
pub(crate) fn select(choice: &[u32], branches: &[Vector<'_>]) -> Vector<'static> {
    let rows = choice.len();
    let mut nulls = Mask::zeros(rows);
    for (i, branch) in choice.iter().enumerate() {
        let null = branches.get(*branch as usize).is_none_or(|branch| is_null(branch, i));
        if null {
            nulls.set(i);
        }
    }
    let live = |i: usize| {
        let branch = branches.get(choice[i] as usize)?;
        (!is_null(branch, i)).then_some(&branch.data)
    };
    let form = branches.iter().map(|branch| &branch.data).find(|data| !matches!(data, Data::Null));
    let data = match form {
        Some(Data::Bool(_)) => Data::Bool(Mask::of_fn(
            rows,
            |i| matches!(live(i), Some(Data::Bool(bits)) if bits.get(i)),
        )),
        Some(Data::I64(_)) => Data::I64(gather(rows, |i| match live(i) {
            Some(Data::I64(values)) => values.get(i),
            _ => 0,
        })),
        Some(Data::I128(_)) => Data::I128(gather(rows, |i| match live(i) {
            Some(Data::I128(values)) => values.get(i),
            _ => 0,
        })),
        Some(Data::F64(_)) => Data::F64(gather(rows, |i| match live(i) {
            Some(Data::F64(values)) => values.get(i),
            _ => 0.0,
        })),
        Some(Data::Text(_)) => {
            let mut out = TextBuilder::with_capacity(rows);
            for i in 0..rows {
                if let Some(Data::Text(texts)) = live(i) {
                    out.text.push_str(texts.get(i));
                }
                if !out.end() {
                    nulls.set(i);
                }
            }
            out.finish()
        }
        Some(Data::Null | Data::Opaque) | None => return Vector::null(),
    };
    Vector { data, nulls: nulls.any().then_some(nulls) }
}

fn gather<T: Copy>(rows: usize, f: impl Fn(usize) -> T) -> Values<'static, T> {
    Values::Owned((0..rows).map(f).collect())
}

pub(crate) fn is_null(vector: &Vector<'_>, i: usize) -> bool {
    matches!(vector.data, Data::Null) || vector.nulls.as_ref().is_some_and(|nulls| nulls.get(i))
}

/// The first that is not null.
pub(crate) fn coalesce(branches: &[Vector<'_>], rows: usize) -> Vector<'static> {
    let first = |i: usize| {
        branches.iter().position(|branch| !is_null(branch, i)).map_or(NONE, |branch| branch as u32)
    };
    select(&(0..rows).map(first).collect::<Vec<_>>(), branches)
}

/// The greatest, or the least, of those that are not null; of equal ones the first.
pub(crate) fn extreme(branches: &[Vector<'_>], greatest: bool, rows: usize) -> Vector<'static> {
    let best = |i: usize| {
        let mut best: Option<usize> = None;
        for (next, branch) in branches.iter().enumerate() {
            let better = match best {
                _ if is_null(branch, i) => false,
                None => true,
                Some(best) if greatest => order(branch, &branches[best], i).is_gt(),
                Some(best) => order(branch, &branches[best], i).is_lt(),
            };
            if better {
                best = Some(next);
            }
        }
        best.map_or(NONE, |best| best as u32)
    };
    select(&(0..rows).map(best).collect::<Vec<_>>(), branches)
}
