//! Rules about the values of one column, whatever its encoding.
//!
//! A [`ValueRule`] sees plain arrays only. [`OnColumn`] carries it over everything else: a dictionary is
//! judged once and its keys are looked up (values that no row references are judged, but count for
//! nothing); the items of a list are judged together, and a row fails if one of its items does. So no
//! rule can come to another answer because of an encoding.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, downcast_dictionary_array, make_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use mlops_core::validation::NanPolicy;
use mlops_core::{Error, ErrorKind, Result};

use crate::bits;
use crate::kernel::{Cache, Chunk, Facts, Judged, Proof, RowRule};

/// A rule about values, for arrays that are no dictionary and no list.
pub(crate) trait ValueRule: Debug + Send + Sync {
    /// Sets the bits of values that break the rule, and skips NaNs if it is told to. What it says of
    /// null rows is ignored.
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()>;

    /// Whether everything between two values that pass passes too, NaN apart.
    fn is_convex(&self) -> bool {
        false
    }

    /// What it makes of a NaN.
    fn nan(&self) -> NanPolicy {
        NanPolicy::Fail
    }
}

/// A [`ValueRule`] on the column of a slot.
#[derive(Debug)]
pub(crate) struct OnColumn {
    pub(crate) slot: usize,
    pub(crate) rule: Box<dyn ValueRule>,
}

impl RowRule for OnColumn {
    fn judge(&self, chunk: &Chunk<'_>, cache: &mut Cache, out: &mut Judged) -> Result<()> {
        let column = chunk.column(self.slot)?;
        judge_any(&*self.rule, column, cache, out)
    }

    fn prove(&self, facts: &Facts<'_>) -> Proof {
        let Some(column) = facts.columns.get(self.slot) else { return Proof::Open };
        let Some(nulls) = column.nulls else { return Proof::Open };
        if nulls == facts.rows {
            return Proof::Counted { failed: 0, null: nulls };
        }
        // A NaN may stand between any two ends; only a rule that lets it pass need not know.
        let nan_is_fine = column.no_nan || self.rule.nan() == NanPolicy::Pass;
        let passes = |array: &ArrayRef| {
            let mut out = Judged::default();
            out.reset(array.len());
            judge_any(&*self.rule, array, &mut Cache::default(), &mut out).is_ok()
                && !bits::any(&out.failed)
                && !bits::any(&out.null)
                && !bits::any(&out.skipped)
        };
        let proved = match (&column.values, &column.ends) {
            (Some(values), _) if passes(values) => true,
            (_, Some(ends)) => self.rule.is_convex() && nan_is_fine && passes(ends),
            _ => false,
        };
        if proved { Proof::Counted { failed: 0, null: nulls } } else { Proof::Open }
    }
}

/// Judges an array of any encoding.
fn judge_any(
    rule: &dyn ValueRule,
    column: &ArrayRef,
    cache: &mut Cache,
    out: &mut Judged,
) -> Result<()> {
    match column.data_type() {
        DataType::Dictionary(..) => judge_dictionary(rule, column, cache, out),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            judge_list(rule, column, cache, out)
        }
        _ => {
            rule.judge(column, out)?;
            bits::or_nulls(&mut out.null, column.nulls());
            if column.null_count() > 0 {
                bits::and_valid(&mut out.failed, column.nulls());
                bits::and_valid(&mut out.skipped, column.nulls());
            }
            Ok(())
        }
    }
}

fn judge_dictionary(
    rule: &dyn ValueRule,
    column: &ArrayRef,
    cache: &mut Cache,
    out: &mut Judged,
) -> Result<()> {
    let array: &dyn Array = &**column;
    downcast_dictionary_array!(
        array => {
            let values = array.values();
            if !cache.values.as_ref().is_some_and(|known| known.to_data().ptr_eq(&values.to_data())) {
                let mut judged = std::mem::take(&mut cache.judged);
                judged.reset(values.len());
                let mut inner = Cache::default();
                judge_any(rule, values, &mut inner, &mut judged)?;
                cache.judged = judged;
                cache.values = Some(Arc::clone(values));
            }
            let judged = &cache.judged;
            let (failed, null, skipped) =
                (bits::any(&judged.failed), bits::any(&judged.null), bits::any(&judged.skipped));
            bits::or_nulls(&mut out.null, array.keys().nulls());
            if failed || null || skipped {
                for row in 0..array.len() {
                    let Some(key) = array.key(row) else { continue };
                    if bits::get(&judged.failed, key) {
                        bits::set(&mut out.failed, row);
                    }
                    if bits::get(&judged.null, key) {
                        bits::set(&mut out.null, row);
                    }
                    if bits::get(&judged.skipped, key) {
                        bits::set(&mut out.skipped, row);
                    }
                }
            }
            Ok(())
        }
        _ => Err(Error::new(ErrorKind::Internal, "validate", "not a dictionary"))
    )
}

/// A list fails if one of its items does; nulls among the items are left out.
fn judge_list(
    rule: &dyn ValueRule,
    column: &ArrayRef,
    cache: &mut Cache,
    out: &mut Judged,
) -> Result<()> {
    let (items, ranges) = items(column)?;
    let mut judged = std::mem::take(&mut cache.spare);
    judged.reset(items.len());
    judge_any(rule, &items, &mut Cache::default(), &mut judged)?;
    if bits::any(&judged.failed) {
        for (row, range) in ranges.into_iter().enumerate() {
            if range.into_iter().any(|item| bits::get(&judged.failed, item)) {
                bits::set(&mut out.failed, row);
            }
        }
    }
    bits::or_nulls(&mut out.null, column.nulls());
    bits::and_valid(&mut out.failed, column.nulls());
    cache.spare = judged;
    Ok(())
}

/// The items of all rows of a list, and which are whose.
pub(crate) fn items(column: &ArrayRef) -> Result<(ArrayRef, Vec<std::ops::Range<usize>>)> {
    let ends = |offsets: Vec<usize>, values: &ArrayRef| {
        let (first, last) =
            (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
        let ranges = offsets.windows(2).map(|pair| pair[0] - first..pair[1] - first).collect();
        (values.slice(first, last - first), ranges)
    };
    match column.data_type() {
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            Ok(ends(list.offsets().iter().map(|o| *o as usize).collect(), list.values()))
        }
        DataType::LargeList(_) => {
            let list = column.as_list::<i64>();
            Ok(ends(list.offsets().iter().map(|o| *o as usize).collect(), list.values()))
        }
        DataType::FixedSizeList(_, size) => {
            let list = column.as_fixed_size_list();
            let size = *size as usize;
            Ok(ends((0..=list.len()).map(|row| row * size).collect(), list.values()))
        }
        other => Err(Error::new(ErrorKind::Internal, "validate", "not a list").with("type", other)),
    }
}

/// A struct's field; null where the struct is null.
pub(crate) fn field(column: &ArrayRef, name: &str) -> Result<ArrayRef> {
    let missing =
        || Error::new(ErrorKind::Internal, "validate", "no such field").with("field", name);
    let parent = column.as_struct_opt().ok_or_else(missing)?;
    let child = parent.column_by_name(name).ok_or_else(missing)?;
    let Some(nulls) = parent.nulls() else { return Ok(Arc::clone(child)) };
    let nulls = NullBuffer::union(Some(nulls), child.nulls());
    if let Some(bools) = child.as_boolean_opt() {
        // Its data may begin within a word, and then nulls that do not are refused.
        return Ok(Arc::new(BooleanArray::new(bools.values().clone(), nulls)));
    }
    let data = child.to_data().into_builder().nulls(nulls).build();
    data.map(make_array).map_err(|source| {
        Error::new(ErrorKind::Internal, "validate", "a field cannot be read")
            .with("field", name)
            .with_source(source)
    })
}
