//! What a model takes and what it gives.
//!
//! A [`Signature`] is part of a model version's manifest, which is hashed and never changes: so it is
//! plain data with one JSON form, and a type is one string of a small grammar ([`ColumnType`]), not a
//! tree that the next release of Arrow would spell differently. Arrow schemas go in and come out.
//!
//! Two questions are asked of it. *Does this data fit?* ([`Signature::check_inputs`],
//! [`Signature::check_batch`]): the answer names every column that does not, at once. *May this
//! version take the place of that one?* ([`Signature::incompatibilities`]). Both follow one rule: the
//! side that gives may promise more than the side that takes asks for, never less. So whatever fits a
//! version also fits every version that may replace it; a test holds that law.
//!
//! What it does not do: convert data. A note says that a column widens; who runs the model casts it.

mod arrow_type;
mod check;
mod column_type;
mod mlflow;
mod nulls;
mod text;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use serde::{Deserialize, Serialize};

pub use self::check::{Mismatch, MismatchKind, SignatureCheck, SignatureSide};
pub use self::column_type::{ColumnType, Item, MAX_DEPTH};
use crate::{Error, Key, Result};

/// Most columns of one side of a signature, the fields of structs included.
pub const MAX_COLUMNS: usize = 100_000;

const OPERATION: &str = "signature";

/// The columns that a model takes and those that it gives.
///
/// Columns are found by name; their order is kept but means nothing to the checks.
///
/// ```
/// use mlops_core::registry::{Column, ColumnType, Signature};
///
/// # fn main() -> mlops_core::Result<()> {
/// let signature = Signature::new(
///     vec![
///         Column::new("dep_hour", ColumnType::Int64)?,
///         Column::new("carrier", ColumnType::Utf8)?.with_nullable(true),
///     ],
///     vec![Column::new("delay", "list<float32>".parse()?)?],
/// )?;
/// let json = serde_json::to_string(&signature).unwrap();
/// assert_eq!(
///     json,
///     r#"{"inputs":[{"name":"dep_hour","type":"int64","nullable":false},"#.to_owned()
///         + r#"{"name":"carrier","type":"utf8","nullable":true}],"#
///         + r#""outputs":[{"name":"delay","type":"list<float32>","nullable":false}]}"#,
/// );
/// let read: Signature = serde_json::from_str(&json).unwrap();
/// read.check()?; // what comes from outside may have a column twice
/// assert_eq!(read, signature);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signature {
    /// What the model takes.
    pub inputs: Vec<Column>,
    /// What the model gives.
    pub outputs: Vec<Column>,
}

/// A named column, or a field of a struct.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Column {
    /// Its name, unique within its side of the signature or its struct.
    pub name: Key,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: ColumnType,
    /// Whether it may hold nulls. A nullable input may also be left out altogether.
    pub nullable: bool,
}

impl Signature {
    /// A signature of these columns.
    ///
    /// # Errors
    /// `Invalid`, as [`Signature::check`].
    pub fn new(inputs: Vec<Column>, outputs: Vec<Column>) -> Result<Self> {
        let signature = Self { inputs, outputs };
        signature.check()?;
        Ok(signature)
    }

    /// The signature of a model that was trained with `inputs` and predicts `outputs`.
    ///
    /// Encodings are not part of it: a dictionary counts as its values, text and bytes are the same
    /// in all their Arrow layouts, and metadata is left out.
    ///
    /// ```
    /// use mlops_core::arrow::datatypes::{DataType, Field, Schema};
    /// use mlops_core::registry::Signature;
    ///
    /// # fn main() -> mlops_core::Result<()> {
    /// let inputs = Schema::new(vec![Field::new("carrier", DataType::LargeUtf8, true)]);
    /// let outputs = Schema::new(vec![Field::new("delay", DataType::Float64, false)]);
    /// let signature = Signature::from_schemas(&inputs, &outputs)?;
    /// assert_eq!(signature.inputs[0].data_type.to_string(), "utf8");
    /// assert_eq!(signature.output_schema(), outputs);
    ///
    /// let bad = Schema::new(vec![Field::new("nothing", DataType::Null, true)]);
    /// assert_eq!(
    ///     Signature::from_schemas(&bad, &outputs).unwrap_err().to_string(),
    ///     "signature: invalid: a signature cannot hold this type (type: Null, column: \"nothing\"); \
    ///      hint: a column of nulls only has no type yet: cast it to the type it would have",
    /// );
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a name that is blank, too long or there twice; for a type that a signature
    /// cannot hold; for more than [`MAX_COLUMNS`] columns. It names the column.
    pub fn from_schemas(inputs: &Schema, outputs: &Schema) -> Result<Self> {
        Self::new(columns(inputs)?, columns(outputs)?)
    }

    /// What every signature must be; to be called on one that was read from outside.
    ///
    /// # Errors
    /// `Invalid`, naming the column: a name twice, a decimal or a list of an impossible size, types
    /// nested deeper than [`MAX_DEPTH`], or more than [`MAX_COLUMNS`] columns on a side.
    pub fn check(&self) -> Result<()> {
        check_columns(&self.inputs).map_err(|error| error.with("side", "inputs"))?;
        check_columns(&self.outputs).map_err(|error| error.with("side", "outputs"))
    }

    /// The inputs as an Arrow schema: text is `Utf8`, bytes are `Binary`, nothing is a dictionary.
    pub fn input_schema(&self) -> Schema {
        schema(&self.inputs)
    }

    /// The outputs as an Arrow schema, as [`Signature::input_schema`].
    pub fn output_schema(&self) -> Schema {
        schema(&self.outputs)
    }

    /// Whether data of the schema `given` can go into the model, judged by the schema alone.
    ///
    /// A fault: a column that is missing and not nullable, one of another type, one that may hold
    /// nulls where the signature has none, one that is there twice. A note, and accepted: a missing
    /// nullable column (it counts as null), a type that
    /// [widens without loss](ColumnType::widens_into), a column that the model does not take.
    ///
    /// ```
    /// use mlops_core::arrow::datatypes::{DataType, Field, Schema};
    /// use mlops_core::registry::{Column, ColumnType, Signature};
    ///
    /// # fn main() -> mlops_core::Result<()> {
    /// let inputs = ["dep_hour", "distance"].map(|name| Column::new(name, ColumnType::Int64));
    /// let signature = Signature::new(inputs.into_iter().collect::<Result<_, _>>()?, vec![])?;
    /// let given = Schema::new(vec![
    ///     Field::new("dep_hour", DataType::Utf8, false),
    ///     Field::new("distance", DataType::Int32, false),
    /// ]);
    /// let check = signature.check_inputs(&given);
    /// assert!(!check.is_ok());
    /// assert_eq!(
    ///     check.to_string(),
    ///     "input column \"dep_hour\": expected int64, found utf8\n\
    ///      note: input column \"distance\": expected int64, found int32, which widens without loss\n",
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn check_inputs(&self, given: &Schema) -> SignatureCheck {
        check::by_flag(SignatureSide::Input, &self.inputs, given)
    }

    /// Whether data of the schema `given` is what the model promises to give.
    ///
    /// Stricter than [`Signature::check_inputs`]: who reads `float32` must get `float32`, so a type
    /// that would widen is a fault that says so; and a nullable column must be there too.
    pub fn check_outputs(&self, given: &Schema) -> SignatureCheck {
        check::by_flag(SignatureSide::Output, &self.outputs, given)
    }

    /// Like [`Signature::check_inputs`], but counts the nulls that are there instead of asking
    /// whether there could be some.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mlops_core::arrow::array::{ArrayRef, Int64Array, RecordBatch};
    /// use mlops_core::registry::{Column, ColumnType, Signature};
    ///
    /// # fn main() -> mlops_core::Result<()> {
    /// let signature = Signature::new(vec![Column::new("dep_hour", ColumnType::Int64)?], vec![])?;
    /// let batch = |values: Vec<Option<i64>>| {
    ///     let column: ArrayRef = Arc::new(Int64Array::from(values));
    ///     RecordBatch::try_from_iter_with_nullable([("dep_hour", column, true)]).unwrap()
    /// };
    /// assert!(signature.check_batch(&batch(vec![Some(7), Some(8)])).is_ok());
    /// let error = signature.check_batch(&batch(vec![None, None])).into_result("model.predict");
    /// assert_eq!(
    ///     error.unwrap_err().message(),
    ///     "data does not fit the signature: input column \"dep_hour\": expected no nulls, found 2",
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn check_batch(&self, batch: &RecordBatch) -> SignatureCheck {
        check::by_count(SignatureSide::Input, &self.inputs, batch)
    }

    /// [`Signature::check_batch`] for what the model gave, with the rules of
    /// [`Signature::check_outputs`].
    pub fn check_output_batch(&self, batch: &RecordBatch) -> SignatureCheck {
        check::by_count(SignatureSide::Output, &self.outputs, batch)
    }

    /// Why a model of this signature may not replace one of `current` unless its callers change;
    /// empty if it may.
    ///
    /// Callers of `current` give its inputs: each input of `self` must be among them, with a type
    /// that [widens](ColumnType::widens_into) into the new one; nulls may become allowed, not
    /// forbidden. An input that is new and nullable is fine, because what is missing counts as null;
    /// so is one that is no longer taken. Callers read `current`'s outputs: each must still be there
    /// with the same type; nulls may become forbidden, not allowed; more outputs are fine.
    ///
    /// ```
    /// use mlops_core::registry::{Column, ColumnType, Signature};
    ///
    /// # fn main() -> mlops_core::Result<()> {
    /// let delay = Column::new("delay", ColumnType::Float32)?;
    /// let current = Signature::new(vec![], vec![delay.clone()])?;
    /// let next = Signature::new(vec![Column::new("wind", ColumnType::Float32)?], vec![])?;
    /// let lines: Vec<String> =
    ///     next.incompatibilities(&current).iter().map(ToString::to_string).collect();
    /// assert_eq!(
    ///     lines,
    ///     [
    ///         "input column \"wind\": expected float32, found no such column",
    ///         "output column \"delay\": expected float32, found no such column",
    ///     ],
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn incompatibilities(&self, current: &Self) -> Vec<Mismatch> {
        let mut faults = self.check_inputs(&current.input_schema()).faults;
        faults.extend(current.check_outputs(&self.output_schema()).faults);
        faults
    }
}

impl Column {
    /// A column without nulls.
    ///
    /// # Errors
    /// `Invalid` for a name that is no [`Key`].
    pub fn new(name: impl AsRef<str>, data_type: ColumnType) -> Result<Self> {
        Ok(Self { name: column_name(name.as_ref())?, data_type, nullable: false })
    }

    /// Sets [`Column::nullable`].
    pub fn with_nullable(mut self, nullable: bool) -> Self {
        self.nullable = nullable;
        self
    }

    /// The column as an Arrow field.
    pub fn to_field(&self) -> Field {
        Field::new(self.name.as_str(), self.data_type.to_arrow(), self.nullable)
    }
}

fn columns(schema: &Schema) -> Result<Vec<Column>> {
    let fields = schema.fields();
    check_count(fields.len())?;
    let column = |(position, field): (usize, &arrow::datatypes::FieldRef)| {
        let name = column_name(field.name()).map_err(|error| error.with("position", position))?;
        let data_type = ColumnType::from_arrow(field.data_type())
            .map_err(|error| error.with("column", quoted(field.name())))?;
        Ok(Column { name, data_type, nullable: field.is_nullable() })
    };
    fields.iter().enumerate().map(column).collect()
}

fn schema(columns: &[Column]) -> Schema {
    Schema::new(columns.iter().map(Column::to_field).collect::<Vec<_>>())
}

fn check_columns(columns: &[Column]) -> Result<()> {
    check_count(columns.len())?;
    check_unique(columns)?;
    let mut count = columns.len();
    for column in columns {
        column
            .data_type
            .check(&mut count)
            .map_err(|error| error.with("column", quoted(&column.name)))?;
    }
    Ok(())
}

fn check_count(count: usize) -> Result<()> {
    if count <= MAX_COLUMNS {
        return Ok(());
    }
    Err(Error::invalid(OPERATION, "has too many columns")
        .with("columns", count)
        .with("at_most", MAX_COLUMNS)
        .with_hint("put what belongs together into one column of type fixed_list[n]<float32>"))
}

fn check_unique(columns: &[Column]) -> Result<()> {
    let mut seen = HashSet::with_capacity(columns.len());
    match columns.iter().find(|column| !seen.insert(&column.name)) {
        None => Ok(()),
        Some(twice) => Err(Error::invalid(OPERATION, "a name is there twice")
            .with("column", quoted(&twice.name))
            .with_hint("columns are found by name: rename one of them")),
    }
}

fn column_name(name: &str) -> Result<Key> {
    Key::new(name).map_err(|error| {
        Error::invalid(OPERATION, format!("a column's name {}", error.message()))
            .with("column", quoted(name))
            .with_hint("name the column with 1 to 250 bytes of text without control characters")
    })
}

/// `name` in quotes on one line, cut where a reader has seen enough.
fn quoted(name: &str) -> String {
    match name.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &name[..end]),
        None => format!("{name:?}"),
    }
}
