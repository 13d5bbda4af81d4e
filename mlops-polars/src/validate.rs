//! A suite over a frame, in one call.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use mlops_core::time::{Clock, SystemClock};
use mlops_core::validation::{Report, Suite};
use mlops_core::{Error, ErrorKind, Result};
use mlops_validate::{Inputs, Plan};
use polars::prelude::DataFrame;

use crate::error::of_polars;
use crate::{from_arrow, to_arrow};

/// Validates a frame, for a suite that asks for nothing besides the data.
///
/// # Errors
/// As [`validate_with`].
pub fn validate(frame: &DataFrame, suite: &Suite) -> Result<Report> {
    validate_with(frame, suite, &Inputs::new(SystemClock.now()))
}

/// Validates a frame, with what the suite's rules ask for besides it: references, profiles, parameters,
/// the time.
///
/// Columns are not copied, except those of a frame in several chunks (`rechunk` it once, if it is
/// validated often). For other tables by file, progress, threads or a quarantine, hand
/// [`IntoData::into_data`](crate::IntoData) to a `Validator`.
///
/// # Errors
/// `Invalid` if the suite does not fit the frame, naming every fault; `Unsupported` as
/// [`to_arrow`](crate::to_arrow).
pub fn validate_with(frame: &DataFrame, suite: &Suite, inputs: &Inputs) -> Result<Report> {
    let batch = whole(to_arrow::to_arrow(frame)?)?;
    Plan::new(suite, batch.schema_ref(), inputs)?.validate(&batch)
}

/// The batches of one frame as one.
fn whole(batches: Vec<RecordBatch>) -> Result<RecordBatch> {
    if let [batch] = &batches[..] {
        return Ok(batch.clone());
    }
    concat_batches(batches[0].schema_ref(), &batches).map_err(|error| {
        Error::new(ErrorKind::Unsupported, "polars.validate", "the frame's chunks cannot be joined")
            .with_hint("rechunk the frame")
            .with_source(error)
    })
}

/// A frame in two.
#[derive(Debug, Clone)]
pub struct Split {
    /// Rows that no check of severity `error` fails, in their order.
    pub good: DataFrame,
    /// The others, in their order.
    pub bad: DataFrame,
    /// The checks that each bad row fails, by name, in the suite's order.
    pub reasons: Vec<Vec<String>>,
}

/// Parts the good rows of a frame from the bad; both have the columns and types of the frame.
///
/// Only rules that judge rows by themselves are asked: see [`Plan::split`]. The plan is of the schema
/// that [`to_arrow`](crate::to_arrow) gives such frames.
///
/// ```
/// use mlops_core::time::{Clock, SystemClock};
/// use mlops_core::validation::Suite;
/// use mlops_polars::polars::df;
/// use mlops_validate::checks::range;
/// use mlops_validate::{Inputs, Plan};
///
/// let orders = df!("quantity" => [3_i32, 250, 1]).unwrap();
/// let suite = Suite::new("orders")?.with(range("quantity").max(100));
/// let schema = mlops_polars::to_arrow(&orders)?[0].schema();
/// let plan = Plan::new(&suite, &schema, &Inputs::new(SystemClock.now()))?;
///
/// let split = mlops_polars::split(&orders, &plan)?;
/// assert_eq!((split.good.height(), split.bad.height()), (2, 1));
/// assert_eq!(split.reasons, [[suite.checks[0].name()]]);
/// # Ok::<_, mlops_core::Error>(())
/// ```
///
/// # Errors
/// `Invalid` if the frame is of another schema than the plan; `Unsupported` as
/// [`to_arrow`](crate::to_arrow).
pub fn split(frame: &DataFrame, plan: &Plan) -> Result<Split> {
    let (mut good, mut bad, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for batch in to_arrow::to_arrow(frame)? {
        let split = plan.split(&batch)?;
        good.push(split.good);
        bad.push(split.bad);
        reasons.extend(split.reasons);
    }
    Ok(Split { good: like(frame, &good)?, bad: like(frame, &bad)?, reasons })
}

/// The batches as a frame of the other's types: Arrow forgets the names of sets of categories.
fn like(frame: &DataFrame, batches: &[RecordBatch]) -> Result<DataFrame> {
    let made = from_arrow::from_arrow(batches)?;
    let columns = made.columns().iter().zip(frame.columns()).map(|(made, like)| {
        if made.dtype() == like.dtype() { Ok(made.clone()) } else { made.cast(like.dtype()) }
    });
    columns
        .collect::<Result<_, _>>()
        .and_then(|columns| DataFrame::new(made.height(), columns))
        .map_err(|error| of_polars("polars.split", error))
}
