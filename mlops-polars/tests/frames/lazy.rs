//! Lazy frames as streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use futures::executor::block_on;
use mlops_core::validation::{BatchStream, Data};
use mlops_core::{ErrorKind, Result};
use mlops_polars::polars::df;
use mlops_polars::polars::prelude::{self as pl, IntoLazy, col, lit};
use mlops_polars::{IntoData, from_arrow};

use crate::whole_text;

fn open(frame: pl::LazyFrame) -> (SchemaRef, BatchStream) {
    match frame.into_data().unwrap() {
        Data::Stream(schema, stream) => (schema, stream),
        other => panic!("{other:?}"),
    }
}

fn read(stream: BatchStream) -> Result<Vec<RecordBatch>> {
    block_on(stream.collect::<Vec<_>>()).into_iter().collect()
}

fn numbers(rows: i64) -> pl::LazyFrame {
    let numbers = (0..rows).collect::<Vec<i64>>();
    let text: Vec<String> = numbers.iter().map(|n| format!("row {n}")).collect();
    df!("n" => numbers, "text" => text).unwrap().lazy()
}

#[test]
fn a_stream_has_the_rows_of_the_query_in_their_order() {
    let query = numbers(400_000)
        .filter((col("n") % lit(3)).eq(lit(0)))
        .with_column((col("n") * lit(2)).alias("twice"));
    let (schema, stream) = open(query.clone());
    let batches = read(stream).unwrap();
    assert!(batches.len() > 1, "it came in pieces");
    assert!(batches.iter().all(|batch| batch.schema() == schema && batch.num_rows() > 0));
    assert!(from_arrow(&batches).unwrap().equals_missing(&query.collect().unwrap()));
}

#[test]
fn a_query_without_rows_is_a_stream_with_a_schema() {
    let (schema, stream) = open(numbers(5).filter(col("n").gt(lit(100))));
    assert_eq!(schema.fields().len(), 2);
    assert_eq!(read(stream).unwrap(), []);
}

#[test]
fn categories_and_enums_have_the_schema_that_was_said() {
    let kinds = pl::DataType::from_categories(pl::Categories::global());
    let frame = numbers(10).with_column(col("text").cast(kinds));
    let (schema, stream) = open(frame);
    let batches = read(stream).unwrap();
    assert_eq!(batches[0].schema(), schema);
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 10);
}

#[test]
fn what_is_wrong_with_a_query_is_said_before_it_runs() {
    let error = numbers(5).select([col("price")]).into_data().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(whole_text(&error).contains("price"), "{}", whole_text(&error));
}

/// A query that calls `f` with each piece of its rows.
fn calling(f: impl Fn(usize) -> pl::PolarsResult<()> + Send + Sync + 'static) -> pl::LazyFrame {
    let seen = move |column: pl::Column| {
        f(column.len())?;
        Ok(column)
    };
    numbers(2_000_000).select([col("n").map(seen, |_, field| Ok(field.clone()))])
}

#[test]
fn an_error_in_a_query_ends_its_stream() {
    let query = calling(|_| Err(pl::PolarsError::ComputeError("no more".into())));
    let (_, mut stream) = open(query);
    let error = block_on(stream.next()).unwrap().unwrap_err();
    assert!(whole_text(&error).contains("no more"), "{}", whole_text(&error));
    assert!(block_on(stream.next()).is_none());
}

#[test]
fn a_panic_in_a_query_is_an_error_and_not_a_short_table() {
    let (_, stream) = open(calling(|_| panic!("on purpose")));
    let error = read(stream).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn nothing_runs_before_the_stream_is_asked() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let query = calling(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let (_, stream) = open(query);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(read(stream).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 2_000_000);
    assert!(calls.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_stream_that_is_dropped_stops_its_query() {
    let (_, mut stream) = open(numbers(2_000_000).filter(col("n").gt(lit(0))));
    let first = block_on(stream.next()).unwrap().unwrap();
    assert!(first.num_rows() < 2_000_000);
    drop(stream);
    // A second query is not in its way.
    let (_, stream) = open(numbers(1000));
    assert_eq!(read(stream).unwrap().len(), 1);
}
