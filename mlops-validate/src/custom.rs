//! Rules that a user's program brings along.

use std::fmt::{self, Debug};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use mlops_core::{Error, Result};
use serde_json::Value;

use crate::bits;
use crate::kernel::{Cache, Chunk, Judged, RowRule};

/// Judges rows: true passes, false fails, null is not judged.
///
/// It is called with slices of some thousand rows, from several threads at once, and must judge each
/// row by its values alone: which rows come together, and in which order, is not fixed.
///
/// ```
/// use std::sync::Arc;
/// use mlops_core::arrow::array::{ArrayRef, AsArray, BooleanArray};
/// use mlops_core::arrow::datatypes::Int64Type;
/// use mlops_validate::{RowFunction, row_function};
///
/// let even: Arc<dyn RowFunction> = row_function(|columns: &[ArrayRef], _options| {
///     let values = columns[0].as_primitive::<Int64Type>();
///     Ok(values.iter().map(|value| value.map(|value| value % 2 == 0)).collect::<BooleanArray>())
/// });
/// # let _ = even;
/// ```
pub trait RowFunction: Send + Sync {
    /// One answer for each row of the columns.
    ///
    /// # Errors
    /// Whatever keeps it from judging; the validation stops with it.
    fn judge(&self, columns: &[ArrayRef], options: &Value) -> Result<BooleanArray>;
}

impl Debug for dyn RowFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowFunction")
    }
}

struct Closure<F>(F);

impl<F> RowFunction for Closure<F>
where
    F: Fn(&[ArrayRef], &Value) -> Result<BooleanArray> + Send + Sync,
{
    fn judge(&self, columns: &[ArrayRef], options: &Value) -> Result<BooleanArray> {
        self.0(columns, options)
    }
}

/// A closure as a [`RowFunction`].
pub fn row_function<F>(function: F) -> Arc<dyn RowFunction>
where
    F: Fn(&[ArrayRef], &Value) -> Result<BooleanArray> + Send + Sync + 'static,
{
    Arc::new(Closure(function))
}

/// A rule of the user's program.
#[derive(Debug)]
pub(crate) struct CustomRule {
    pub(crate) name: String,
    pub(crate) slots: Vec<usize>,
    pub(crate) function: Arc<dyn RowFunction>,
    pub(crate) options: Value,
}

impl RowRule for CustomRule {
    fn judge(&self, chunk: &Chunk<'_>, _cache: &mut Cache, out: &mut Judged) -> Result<()> {
        let columns: Vec<ArrayRef> =
            self.slots.iter().map(|slot| chunk.column(*slot).cloned()).collect::<Result<_>>()?;
        let answer = self.function.judge(&columns, &self.options)?;
        if answer.len() != chunk.rows {
            return Err(Error::invalid("validate", "a function did not answer for every row")
                .with("function", &self.name)
                .with("rows", chunk.rows)
                .with("answers", answer.len()));
        }
        bits::fill(&mut out.failed, chunk.rows);
        for (word, passed) in out.failed.iter_mut().zip(answer.values().bit_chunks().iter_padded())
        {
            *word &= !passed;
        }
        bits::or_nulls(&mut out.null, answer.nulls());
        bits::and_not(&mut out.failed, &out.null);
        Ok(())
    }
}
