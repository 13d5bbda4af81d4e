//! The transforms of a service over the columns of its answer: resolved, typed and ready.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use mlops_core::features::{FeatureType, OnDemand, OnDemandFeature};
use mlops_core::{Error, ErrorKind, Result};
use mlops_expr::{Bound, Expr, Parameters};

use super::functions::{Functions, ScalarFunction};

const OPERATION: &str = "features.transform";

/// Transforms that are ready for rows.
///
/// ```
/// use std::sync::Arc;
/// use mlops_core::arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
/// use mlops_core::arrow::datatypes::Float64Type;
/// use mlops_core::features::{FeatureType, OnDemand};
/// use mlops_features::transform::{Compiled, Functions};
///
/// let speed: ArrayRef = Arc::new(Float64Array::from(vec![Some(3.0), None]));
/// let rows = RecordBatch::try_from_iter_with_nullable([("speed", speed, true)]).unwrap();
/// let transform = OnDemand::new("squares")?
///     .expr("square", FeatureType::Float, "speed * speed")?
///     .function("half", FeatureType::Float, "half@1", ["square"])?;
/// let functions = Functions::new().with_fn1::<f64, f64>("half", 1, |x| x / 2.0)?;
/// let compiled = Compiled::new(&[transform], &rows.schema(), &functions)?;
/// let columns = compiled.eval(&rows)?;
/// assert_eq!(columns[1].as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(4.5), None]);
/// # Ok::<(), mlops_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Compiled {
    /// Columns that are taken from the rows, with the type that they are brought to.
    inputs: Vec<FieldRef>,
    /// One for each feature. Columns are counted: the inputs, then what was computed.
    steps: Vec<Step>,
    fields: Vec<FieldRef>,
}

enum Step {
    Expr {
        bound: Box<Bound>,
        schema: SchemaRef,
        columns: Vec<usize>,
    },
    Function {
        name: String,
        function: Arc<dyn ScalarFunction>,
        columns: Vec<usize>,
        types: Vec<FeatureType>,
    },
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Expr { bound, .. } => f.debug_tuple("Expr").field(bound.expr()).finish(),
            Self::Function { columns, .. } => f.debug_tuple("Function").field(columns).finish(),
        }
    }
}

impl Compiled {
    /// Resolves transforms over the columns that rows have; those of requests may be among them.
    ///
    /// # Errors
    /// `Invalid` names the transform and the feature: a column that is not there (with its position), an
    /// expression or function of another type, a name that is there already, a feature with neither expression
    /// nor function. `NotFound`: a function that the program does not have.
    pub fn new(on_demand: &[OnDemand], available: &Schema, functions: &Functions) -> Result<Self> {
        let mut known: Vec<FieldRef> = available.fields().iter().cloned().collect();
        for transform in on_demand {
            for field in &transform.request {
                request(&mut known, &field.name, field.data_type)
                    .map_err(|error| error.with("transform", &transform.name))?;
            }
        }
        let mut compiled = Self { inputs: known, steps: Vec::new(), fields: Vec::new() };
        for transform in on_demand {
            for feature in &transform.features {
                compiled.add(feature, functions).map_err(|error| {
                    error.with("transform", &transform.name).with("feature", &feature.name)
                })?;
            }
        }
        Ok(compiled)
    }

    fn add(&mut self, feature: &OnDemandFeature, functions: &Functions) -> Result<()> {
        if self.place(&feature.name).is_some() {
            return Err(invalid("a transform's feature is called as another column"));
        }
        let step = match (&feature.expr, &feature.function) {
            (Some(expr), None) if feature.inputs.is_empty() => self.expr(feature, expr)?,
            (None, Some(function)) => self.function(feature, function, functions)?,
            _ => {
                return Err(invalid("a transform's feature is of one expression or one function")
                    .with_hint("inputs are those of a function; an expression names its columns"));
            }
        };
        self.steps.push(step);
        self.fields.push(Arc::new(Field::new(
            feature.name.as_str(),
            feature.data_type.arrow(),
            true,
        )));
        Ok(())
    }

    fn columns(&self) -> impl Iterator<Item = &FieldRef> {
        self.inputs.iter().chain(&self.fields)
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.columns().position(|field| field.name() == name)
    }

    fn expr(&self, feature: &OnDemandFeature, text: &str) -> Result<Step> {
        let expr: Expr = text.parse()?;
        // All columns first, so that an error can say what there is.
        let all = |field: &FieldRef| field.as_ref().clone().with_nullable(true);
        let all: Vec<Field> = self.columns().map(all).collect();
        let none = Parameters::new();
        let columns = expr.bind(&Schema::new(all.clone()), &none)?.columns().to_vec();
        let fields: Vec<Field> = columns.iter().map(|place| all[*place].clone()).collect();
        let schema = Arc::new(Schema::new(fields));
        let bound = expr.bind(&schema, &none)?;
        if !is_lossless(bound.data_type(), feature.data_type) {
            let word = sql(feature.data_type);
            return Err(invalid("an expression is of another type than the feature")
                .with("expected", feature.data_type)
                .with("found", bound.data_type())
                .with_hint(format!("write CAST(… AS {word})")));
        }
        Ok(Step::Expr { bound: Box::new(bound), schema, columns })
    }

    fn function(
        &self,
        feature: &OnDemandFeature,
        name: &str,
        functions: &Functions,
    ) -> Result<Step> {
        let function = functions.get(name).ok_or_else(|| {
            let there = functions.names().take(12).collect::<Vec<_>>().join(", ");
            Error::not_found(OPERATION, "a function is not registered in this program")
                .with("function", name)
                .with_hint(if there.is_empty() {
                    "register it with Functions".to_owned()
                } else {
                    format!("registered are {there}")
                })
        })?;
        let types = function.inputs().to_vec();
        if types.len() != feature.inputs.len() {
            return Err(invalid("a function takes another number of inputs")
                .with("function", name)
                .with("expected", types.len())
                .with("found", feature.inputs.len()));
        }
        if function.output() != feature.data_type {
            return Err(invalid("a function is of another type than the feature")
                .with("function", name)
                .with("expected", feature.data_type)
                .with("found", function.output()));
        }
        let inputs = feature.inputs.iter().zip(&types).map(|(input, ty)| {
            let place = self
                .place(input)
                .ok_or_else(|| invalid("a function's input is no column").with("column", input))?;
            let found = self.columns().nth(place).map(|field| field.data_type().clone());
            match found {
                Some(found) if is_lossless(&found, *ty) => Ok(place),
                found => Err(invalid("a function's input is of another type")
                    .with("function", name)
                    .with("column", input)
                    .with("expected", ty)
                    .with("found", found.unwrap_or(DataType::Null))),
            }
        });
        let columns = inputs.collect::<Result<_>>()?;
        Ok(Step::Function { name: name.to_owned(), function: Arc::clone(function), columns, types })
    }

    /// The features, in the order in which they are computed.
    pub fn fields(&self) -> &[FieldRef] {
        &self.fields
    }

    /// The columns that the rows must have.
    pub fn inputs(&self) -> impl Iterator<Item = &FieldRef> {
        self.inputs.iter().enumerate().filter(|(place, _)| self.uses(*place)).map(|(_, f)| f)
    }

    fn uses(&self, place: usize) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Expr { columns, .. } | Step::Function { columns, .. } => columns.contains(&place),
        })
    }

    /// The features of each row, as [`Compiled::fields`] says. Columns of the batch are found by name.
    ///
    /// # Errors
    /// `Invalid` for a column that is not there, or that cannot be brought to its type without loss, and for a
    /// function that gives another type or number of rows than it should.
    pub fn eval(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let rows = batch.num_rows();
        let mut columns: Vec<Option<ArrayRef>> = Vec::with_capacity(self.inputs.len());
        for (place, field) in self.inputs.iter().enumerate() {
            columns.push(if self.uses(place) { Some(input(batch, field)?) } else { None });
        }
        for (step, field) in self.steps.iter().zip(&self.fields) {
            let pick = |places: &[usize]| -> Vec<ArrayRef> {
                places.iter().filter_map(|place| columns[*place].clone()).collect()
            };
            let values = match step {
                Step::Expr { bound, schema, columns } => {
                    let options = RecordBatchOptions::new().with_row_count(Some(rows));
                    let picked = pick(columns);
                    RecordBatch::try_new_with_options(Arc::clone(schema), picked, &options)
                        .map_err(|error| internal(field).with_source(error))
                        .and_then(|batch| bound.eval(&batch))?
                }
                Step::Function { name, function, columns, types } => {
                    let columns = pick(columns).into_iter().zip(types);
                    let columns = columns.map(|(column, ty)| bring(column, &ty.arrow()));
                    let columns = columns.collect::<Result<Vec<_>>>()?;
                    function
                        .eval(&columns, rows)
                        .and_then(|values| declared(values, field.data_type(), rows))
                        .map_err(|error| {
                            error.with("function", name).with("feature", field.name())
                        })?
                }
            };
            columns.push(Some(bring(values, field.data_type())?));
        }
        Ok(columns.into_iter().skip(self.inputs.len()).flatten().collect())
    }
}

/// What a function gave, if it is of the type and length that it should be of.
fn declared(values: ArrayRef, ty: &DataType, rows: usize) -> Result<ArrayRef> {
    if values.len() == rows && values.data_type() == ty {
        return Ok(values);
    }
    Err(invalid("a function gives another type or number of rows than it should")
        .with("expected", format_args!("{rows} of {ty}"))
        .with("found", format_args!("{} of {}", values.len(), values.data_type())))
}

/// Adds a column of requests, or checks the one that is there.
fn request(known: &mut Vec<FieldRef>, name: &str, ty: FeatureType) -> Result<()> {
    let field = Arc::new(Field::new(name, ty.arrow(), true));
    match known.iter_mut().find(|known| known.name() == name) {
        None => known.push(field),
        Some(known) if is_lossless(known.data_type(), ty) => *known = field,
        Some(known) => {
            return Err(invalid("a column of the request is of another type")
                .with("column", name)
                .with("expected", ty)
                .with("found", known.data_type()));
        }
    }
    Ok(())
}

fn input(batch: &RecordBatch, field: &Field) -> Result<ArrayRef> {
    let column = batch.column_by_name(field.name()).ok_or_else(|| {
        invalid("the rows do not have a column that a transform needs").with("column", field.name())
    })?;
    let ty = TYPES.into_iter().find(|ty| ty.arrow() == *field.data_type());
    let fits = column.data_type() == field.data_type()
        || ty.is_some_and(|ty| is_lossless(column.data_type(), ty));
    if !fits {
        return Err(invalid("a column that a transform needs is of another type")
            .with("column", field.name())
            .with("expected", field.data_type())
            .with("found", column.data_type()));
    }
    bring(Arc::clone(column), field.data_type())
}

const TYPES: [FeatureType; 9] = [
    FeatureType::Bool,
    FeatureType::Int,
    FeatureType::Float,
    FeatureType::Float32,
    FeatureType::String,
    FeatureType::Bytes,
    FeatureType::Timestamp,
    FeatureType::Date,
    FeatureType::Vector,
];

/// Whether each value of `from` is one of `to`, and the same.
fn is_lossless(from: &DataType, to: FeatureType) -> bool {
    use DataType as D;
    match (from, to) {
        (D::Null, _) => true,
        (D::Dictionary(_, values), to) => is_lossless(values, to),
        (D::List(item), FeatureType::Vector) => *item.data_type() == D::Float32,
        (from, FeatureType::Int) => {
            matches!(from, D::Int8 | D::Int16 | D::Int32 | D::Int64)
                || matches!(from, D::UInt8 | D::UInt16 | D::UInt32)
        }
        (from, FeatureType::Float) => matches!(from, D::Float16 | D::Float32 | D::Float64),
        (from, FeatureType::Float32) => matches!(from, D::Float16 | D::Float32),
        (from, FeatureType::String) => matches!(from, D::Utf8 | D::LargeUtf8 | D::Utf8View),
        (from, FeatureType::Bytes) => {
            matches!(from, D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_))
        }
        (from, FeatureType::Timestamp) => {
            matches!(from, D::Timestamp(TimeUnit::Microsecond, _))
        }
        (from, to) => *from == to.arrow(),
    }
}

fn bring(array: ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(array);
    }
    cast(&array, to).map_err(|error| {
        invalid("a column cannot be brought to its type").with("type", to).with_source(error)
    })
}

/// What a CAST calls the type.
fn sql(ty: FeatureType) -> &'static str {
    match ty {
        FeatureType::Bool => "BOOLEAN",
        FeatureType::Int => "BIGINT",
        FeatureType::Float => "DOUBLE",
        FeatureType::Float32 => "REAL",
        FeatureType::Timestamp => "TIMESTAMP",
        FeatureType::Date => "DATE",
        _ => "TEXT",
    }
}

#[cold]
fn invalid(problem: &'static str) -> Error {
    Error::invalid(OPERATION, problem)
}

#[cold]
fn internal(field: &Field) -> Error {
    Error::new(ErrorKind::Internal, OPERATION, "the columns of an expression do not go together")
        .with("feature", field.name())
}
