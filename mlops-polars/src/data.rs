//! Frames as the data of a validation.

use mlops_core::Result;
use mlops_core::validation::Data;
use polars::prelude::{DataFrame, LazyFrame};

use crate::{lazy, to_arrow};

/// What can be handed in where the library takes [`Data`].
///
/// A trait, because neither Polars' types nor [`Data`] are this crate's.
///
/// ```
/// use mlops_core::validation::Data;
/// use mlops_polars::IntoData;
/// use mlops_polars::polars::df;
/// use mlops_polars::polars::prelude::{IntoLazy, col, lit};
///
/// let prices = df!("price" => [1.5, f64::NAN, 3.0]).unwrap();
/// assert!(matches!((&prices).into_data()?, Data::Batches(schema, _) if schema.fields().len() == 1));
///
/// let cheap = prices.lazy().filter(col("price").lt(lit(2.0)));
/// assert!(matches!(cheap.into_data()?, Data::Stream(..)));
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub trait IntoData {
    /// The data.
    ///
    /// A frame is handed over as [`to_arrow`] does it. A lazy frame becomes a stream: its schema is
    /// found out now, the query runs when the stream is first asked, in Polars' streaming engine and in
    /// the order of its rows, and no more than a few batches wait to be read; a stream that is dropped
    /// stops it. What the engine itself keeps (a sort, the table of a join) is the query's.
    ///
    /// # Errors
    /// `Unsupported` if a column is of a type that Arrow does not have; `Invalid`, `NotFound`, `Denied`
    /// or `Unavailable` if the schema of a lazy frame cannot be found out. What goes wrong later is an
    /// item of the stream.
    fn into_data(self) -> Result<Data>;
}

impl IntoData for &DataFrame {
    fn into_data(self) -> Result<Data> {
        let batches = to_arrow::to_arrow(self)?;
        let schema = to_arrow::schema(self.schema())?;
        Ok(Data::Batches(schema, batches))
    }
}

impl IntoData for DataFrame {
    fn into_data(self) -> Result<Data> {
        (&self).into_data()
    }
}

impl IntoData for LazyFrame {
    fn into_data(self) -> Result<Data> {
        let (schema, batches) = lazy::stream(self)?;
        Ok(Data::stream(schema, batches))
    }
}
