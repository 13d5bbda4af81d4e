//! The bound expression: what is evaluated, for a million rows or for one.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Fields, Schema};
use mlops_core::{Error, Result};

use crate::eval::{Node, Op, Rows, into_words, truth, write};
use crate::expr::Expr;
use crate::source::OPERATION;
use crate::types::Type;

/// An expression over the columns of one schema, its types known and its constants computed.
///
/// ```
/// use std::sync::Arc;
/// use mlops_core::arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use mlops_expr::{Expr, Parameters};
///
/// let total: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), Some(8), None]));
/// let batch = RecordBatch::try_from_iter_with_nullable([("total", total, true)]).unwrap();
/// let expr: Expr = "total > :limit".parse()?;
/// let bound = expr.bind(&batch.schema(), &Parameters::new().with("limit", 5_i64))?;
///
/// let (mut yes, mut unknown) = (Vec::new(), Vec::new());
/// bound.truth(&batch, &mut yes, &mut unknown)?;
/// assert_eq!((yes, unknown), (vec![0b010], vec![0b100]));
/// # Ok::<(), mlops_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Bound {
    node: Node,
    fields: Fields,
    columns: Vec<usize>,
    data_type: DataType,
    expr: Expr,
}

impl Bound {
    pub(crate) fn new(node: Node, schema: &Schema, expr: Expr) -> Self {
        let fields = schema.fields().clone();
        let data_type = match &node.op {
            Op::Column(index, path) if path.is_empty() => fields[*index].data_type().clone(),
            _ => node.ty.arrow(),
        };
        let names = expr.columns();
        let columns = fields
            .iter()
            .enumerate()
            .filter(|(_, field)| names.contains(&field.name().as_str()))
            .map(|(index, _)| index)
            .collect();
        Self { node, fields, columns, data_type, expr }
    }

    /// The type of its values. A column alone keeps its own; what is computed is plain: `Utf8`,
    /// `Int64`, `Float64`, `Decimal128`, …
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Whether a value may be null.
    pub fn nullable(&self) -> bool {
        self.node.nullable
    }

    /// The positions of the columns that it names, in ascending order.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// What was bound.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Whether it is a condition, for which [`Bound::truth`] is.
    pub fn is_condition(&self) -> bool {
        matches!(self.node.ty, Type::Bool | Type::Null)
    }

    /// Its value for each row.
    ///
    /// # Errors
    /// `Invalid` for a batch of another schema, and for texts of more than 2 GiB in a batch; never
    /// for what the rows hold.
    pub fn eval(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let rows = Rows::new(batch, &self.fields);
        if let Op::Column(index, path) = &self.node.op
            && let Some(array) = at_path(rows.column(*index)?, path)
        {
            return Ok(array.clone());
        }
        write(self.node.eval(rows)?, &self.node.ty, rows.count)
    }

    /// Its rows as bits: those that are true, and those that are null. Row `i` is bit `i % 64` of
    /// word `i / 64`; bits past the last row are 0. What was in the vectors is replaced, and their
    /// memory used again.
    ///
    /// # Errors
    /// `Invalid` if it is not a condition, and for a batch of another schema.
    pub fn truth(
        &self,
        batch: &RecordBatch,
        yes: &mut Vec<u64>,
        unknown: &mut Vec<u64>,
    ) -> Result<()> {
        if !self.is_condition() {
            return Err(Error::invalid(OPERATION, "this is no condition")
                .with("expression", &self.expr)
                .with("type", &self.data_type));
        }
        let rows = Rows::new(batch, &self.fields);
        let (bits, nulls) = truth(self.node.eval(rows)?, rows.count);
        into_words(Some(&bits), rows.count, yes);
        into_words(nulls.as_ref(), rows.count, unknown);
        Ok(())
    }
}

/// The column itself; a field of a struct only if the evaluation has no plain form for it.
fn at_path<'a>(array: &'a ArrayRef, path: &[usize]) -> Option<&'a ArrayRef> {
    path.is_empty().then_some(array).filter(|array| !array.data_type().is_null())
}
