mod differential;
mod errors;
mod golden;
mod hostile;
mod oracle;
mod tables;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::{Expr, Parameters};

/// A batch of columns, all of them nullable.
pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// The values of an expression, as text; `-` for null.
#[track_caller]
pub(crate) fn values(text: &str, batch: &RecordBatch) -> Vec<String> {
    let expr: Expr = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    let again: Expr = expr.to_string().parse().unwrap_or_else(|error| panic!("{expr}: {error}"));
    assert_eq!(again.to_string(), expr.to_string(), "{text}");
    let bound = expr.bind(&batch.schema(), &Parameters::new());
    let bound = bound.unwrap_or_else(|error| panic!("{text}: {error}"));
    let array = bound.eval(batch).unwrap();
    assert_eq!(array.data_type(), bound.data_type(), "{text}");
    assert_eq!(array.len(), batch.num_rows(), "{text}");
    assert!(bound.nullable() || array.logical_null_count() == 0, "{text}: not nullable");
    let options = FormatOptions::default().with_null("-");
    let formatter = ArrayFormatter::try_new(&array, &options).unwrap();
    (0..array.len()).map(|i| formatter.value(i).to_string()).collect()
}

/// The value of an expression without columns.
#[track_caller]
pub(crate) fn value(text: &str) -> String {
    let one: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![1]));
    values(text, &batch(vec![("one", one)])).remove(0)
}

#[test]
fn a_bound_expression_serves_many_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Expr>();
    shared::<crate::Bound>();
}
