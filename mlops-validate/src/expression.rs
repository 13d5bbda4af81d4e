//! SQL expressions as filters and as rules.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, SchemaRef};
use mlops_core::validation::{Literal, NanPolicy};
use mlops_core::{Error, Result};
use mlops_expr::{Bound, Expr, Parameters};

use crate::bits;
use crate::folds::keyed::batch_of;
use crate::folds::metric::plain;
use crate::kernel::{Cache, Chunk, Judged, RowRule};
use crate::slots::Slots;

/// A boolean expression over some slots.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    text: String,
    slots: Vec<usize>,
    schema: SchemaRef,
    bound: Bound,
}

impl Condition {
    /// Parses and binds a text.
    ///
    /// # Errors
    /// `Invalid`, saying where: it does not parse, names a column that is not there, does not type-check,
    /// or is no condition.
    pub(crate) fn new(
        text: &str,
        slots: &mut Slots,
        parameters: &BTreeMap<String, Literal>,
    ) -> Result<Self> {
        let expr: Expr = text.parse()?;
        // The whole schema first: its errors know all columns and the place in the text.
        let whole = expr.bind(slots.schema(), &values(parameters))?;
        if *whole.data_type() != DataType::Boolean {
            return Err(Error::invalid("suite", "the expression is no condition")
                .with("expression", text)
                .with("type", whole.data_type())
                .with_hint("compare it with something: `x > 0`, `x is not null`"));
        }
        let names: Vec<String> = whole
            .columns()
            .iter()
            .map(|index| slots.schema().field(*index).name().clone())
            .collect();
        let numbers = slots.all(&names)?;
        let schema: SchemaRef = slots.schema_of(&numbers).into();
        let bound = expr.bind(&schema, &values(parameters))?;
        Ok(Self { text: text.to_owned(), slots: numbers, schema, bound })
    }

    /// A condition over some slots, each a column of the name of its path.
    pub(crate) fn over(text: &str, numbers: Vec<usize>, slots: &Slots) -> Result<Self> {
        let schema: SchemaRef = slots.schema_of(&numbers).into();
        let bound = text.parse::<Expr>()?.bind(&schema, &Parameters::new())?;
        Ok(Self { text: text.to_owned(), slots: numbers, schema, bound })
    }

    /// The text it was made of.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The slots it looks at.
    pub(crate) fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// The rows of which it is true.
    pub(crate) fn rows_where_true(&self, chunk: &Chunk<'_>, mask: &mut Vec<u64>) -> Result<()> {
        let mut unknown = Vec::new();
        self.truth(chunk, mask, &mut unknown)
    }

    fn truth(&self, chunk: &Chunk<'_>, truth: &mut Vec<u64>, unknown: &mut Vec<u64>) -> Result<()> {
        let batch = batch_of(chunk, &self.slots, &self.schema)?;
        self.bound.truth(&batch, truth, unknown)
    }
}

fn values(parameters: &BTreeMap<String, Literal>) -> Parameters {
    parameters.iter().fold(Parameters::new(), |values, (name, value)| match value {
        Literal::Bool(value) => values.with(name, *value),
        Literal::Int(value) => values.with(name, *value),
        // Past 2⁶³ a parameter would be a float, and not exact.
        Literal::UInt(value) => values.with(name, value.to_string()),
        Literal::Float(value) => values.with(name, *value),
        Literal::Text(value) => values.with(name, value.as_str()),
    })
}

/// A condition must be true in each row.
#[derive(Debug)]
pub(crate) struct ExpressionRule {
    pub(crate) condition: Condition,
    /// Slots of floats whose NaN is not left to the expression.
    pub(crate) floats: Vec<usize>,
    pub(crate) nan: NanPolicy,
}

impl RowRule for ExpressionRule {
    fn judge(&self, chunk: &Chunk<'_>, cache: &mut Cache, out: &mut Judged) -> Result<()> {
        let Judged { failed: truth, null: unknown, .. } = &mut cache.spare;
        self.condition.truth(chunk, truth, unknown)?;
        bits::fill(&mut out.failed, chunk.rows);
        bits::and_not(&mut out.failed, truth);
        bits::and_not(&mut out.failed, unknown);
        bits::or(&mut out.null, unknown);
        for slot in &self.floats {
            bits::clear(truth, chunk.rows);
            let column = chunk.column(*slot)?;
            let column = plain(column)?;
            or_nan(&column, truth);
            bits::and_valid(truth, column.nulls());
            bits::and_not(truth, &out.null);
            match self.nan {
                NanPolicy::Fail => bits::or(&mut out.failed, truth),
                NanPolicy::Pass => bits::and_not(&mut out.failed, truth),
                NanPolicy::Skip => bits::or(&mut out.skipped, truth),
            }
        }
        Ok(())
    }
}

/// Sets the bits of rows whose value is NaN.
fn or_nan(column: &dyn arrow::array::Array, mask: &mut [u64]) {
    use arrow::array::{ArrowPrimitiveType, AsArray};
    use arrow::datatypes::{Float16Type, Float32Type, Float64Type};
    match column.data_type() {
        DataType::Float16 => {
            let is_nan = <Float16Type as ArrowPrimitiveType>::Native::is_nan;
            bits::or_failing(mask, column.as_primitive::<Float16Type>().values(), is_nan);
        }
        DataType::Float32 => {
            bits::or_failing(mask, column.as_primitive::<Float32Type>().values(), f32::is_nan);
        }
        DataType::Float64 => {
            bits::or_failing(mask, column.as_primitive::<Float64Type>().values(), f64::is_nan);
        }
        _ => {}
    }
}
