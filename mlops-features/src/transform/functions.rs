//! Functions of the program: one row in, one value out, the same code for a batch.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;

use arrow::array::ArrayRef;
use mlops_core::features::FeatureType;
use mlops_core::{Error, Result};

use super::check::check;

/// A function that transforms name as `name@version`.
///
/// # Contract
/// **Row.** The value of a row depends on that row alone. [`Functions::with_fn1`] and its like make functions
/// for which this holds by construction; [`Functions::with_vectorised`] tries it.
///
/// **Shape.** It gives as many values as there are rows, of the output's [`FeatureType::arrow`]. What is not so
/// is refused when rows are computed.
pub trait ScalarFunction: Send + Sync + 'static {
    /// The types of its inputs.
    fn inputs(&self) -> &[FeatureType];

    /// The type of its values.
    fn output(&self) -> FeatureType;

    /// Its value for each of `rows` rows; the columns are of [`FeatureType::arrow`].
    ///
    /// # Errors
    /// `Invalid` for columns of other types, and for one with fewer than `rows` rows.
    fn eval(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef>;
}

/// The functions of a program, by name and version.
///
/// ```
/// use mlops_features::transform::Functions;
///
/// let functions = Functions::new()
///     .with_fn2::<f64, f64, f64>("ratio", 1, |a, b| a / b)?
///     .with_fn1::<&str, i64>("letters", 1, |text| text.chars().count() as i64)?
///     .with_fn2::<Option<i64>, i64, Option<i64>>("or", 2, |a, b| a.or(Some(b)))?;
/// assert_eq!(functions.names().collect::<Vec<_>>(), ["letters@1", "or@2", "ratio@1"]);
/// # Ok::<(), mlops_core::Error>(())
/// ```
///
/// # Null
/// An input that is not an `Option` makes the value null where it is null, and the function is not called. A
/// value that is `None` is null.
#[derive(Clone, Default)]
pub struct Functions(BTreeMap<String, Arc<dyn ScalarFunction>>);

impl Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Evaluates whole columns; see [`Functions::with_vectorised`].
pub type Vectorised = dyn Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync;

impl Functions {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function.
    ///
    /// # Errors
    /// `Invalid` for a name that is empty or has an `@`, and for one that is there in this version.
    pub fn with(
        mut self,
        name: &str,
        version: u32,
        function: Arc<dyn ScalarFunction>,
    ) -> Result<Self> {
        let full = format!("{name}@{version}");
        if name.is_empty() || name.contains('@') || self.0.contains_key(&full) {
            return Err(Error::invalid(
                "features.functions",
                "a function has no name of its own in this version",
            )
            .with("function", full)
            .with_hint("a function that changes gets another version"));
        }
        self.0.insert(full, function);
        Ok(self)
    }

    /// Adds a function over whole columns.
    ///
    /// It is tried on some hundred rows with nulls, NaN, −0.0, the ends of whole numbers and unusual texts: in
    /// one batch, row by row, and cut out of longer columns.
    ///
    /// # Errors
    /// As [`Functions::with`]; `Invalid` with the first row that differs, or if it gives another type or
    /// number of rows.
    pub fn with_vectorised(
        self,
        name: &str,
        version: u32,
        inputs: &[FeatureType],
        output: FeatureType,
        function: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
    ) -> Result<Self> {
        let columns = Columns { inputs: inputs.to_vec(), output, function: Box::new(function) };
        check(&columns).map_err(|error| error.with("function", format!("{name}@{version}")))?;
        self.with(name, version, Arc::new(columns))
    }

    /// The function of this name and version: `distance@1`.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn ScalarFunction>> {
        self.0.get(name)
    }

    /// The names with their versions, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

struct Columns {
    inputs: Vec<FeatureType>,
    output: FeatureType,
    function: Box<Vectorised>,
}

impl ScalarFunction for Columns {
    fn inputs(&self) -> &[FeatureType] {
        &self.inputs
    }

    fn output(&self) -> FeatureType {
        self.output
    }

    fn eval(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let values = (self.function)(columns)?;
        if values.len() != rows || *values.data_type() != self.output.arrow() {
            return Err(Error::invalid(
                "features.functions",
                "a function gives another type or number of rows than it should",
            )
            .with("expected", format_args!("{rows} of {}", self.output))
            .with("found", format_args!("{} of {}", values.len(), values.data_type())));
        }
        Ok(values)
    }
}
