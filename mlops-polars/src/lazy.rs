//! A lazy frame as a stream of batches.
//!
//! Polars' streaming engine calls back with each frame that is ready, on a thread of its own pool for
//! what blocks. The callback waits until there is room for the frame, and the engine waits for the
//! callback: that is the bound on memory. The query runs on a thread made for it, which begins when the
//! stream is first asked and says at the end how it went. A channel that closes without that word means
//! that the query panicked; a stream that merely ended there would be a table cut short in silence.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::channel::mpsc::{Receiver, Sender, channel};
use futures::executor::block_on;
use futures::{SinkExt, StreamExt, stream};
use mlops_core::validation::BatchStream;
use mlops_core::{Error, ErrorKind, Result};
use polars::prelude::{DataFrame, Engine, LazyFrame, PlanCallback, PolarsResult};

use crate::error::of_polars;
use crate::to_arrow;

const OPERATION: &str = "polars.stream";

/// What a running query says.
enum Word {
    /// Rows.
    Rows(DataFrame),
    /// It is over.
    End(PolarsResult<()>),
}

/// How far a query is.
enum Query {
    Waiting(Box<LazyFrame>),
    Running(Receiver<Word>),
    Over,
}

/// A query, and what it said already.
struct State {
    query: Query,
    ready: VecDeque<RecordBatch>,
    schema: SchemaRef,
}

/// The query's schema, and its rows in their order.
pub(crate) fn stream(mut frame: LazyFrame) -> Result<(SchemaRef, BatchStream)> {
    let schema = frame.collect_schema().map_err(|error| of_polars(OPERATION, error))?;
    let schema = to_arrow::schema(&schema)?;
    let ready = VecDeque::new();
    let state =
        State { query: Query::Waiting(Box::new(frame)), ready, schema: Arc::clone(&schema) };
    let batches = stream::unfold(state, |mut state| async move {
        let next = state.next().await.transpose()?;
        if next.is_err() {
            state.query = Query::Over;
        }
        Some((next, state))
    });
    Ok((schema, batches.boxed()))
}

impl State {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            let words = match &mut self.query {
                Query::Over => return Ok(None),
                Query::Running(words) => words,
                Query::Waiting(frame) => {
                    self.query = Query::Running(start(LazyFrame::clone(frame))?);
                    continue;
                }
            };
            match words.next().await {
                Some(Word::Rows(frame)) => self.take(&frame)?,
                Some(Word::End(Ok(()))) => self.query = Query::Over,
                Some(Word::End(Err(error))) => return Err(of_polars(OPERATION, error)),
                None => {
                    return Err(Error::new(ErrorKind::Internal, OPERATION, "the query panicked"));
                }
            }
        }
    }

    fn take(&mut self, frame: &DataFrame) -> Result<()> {
        for batch in to_arrow::to_arrow(frame)? {
            if batch.schema_ref() != &self.schema {
                let what = "the query's rows are not of the schema that it said";
                return Err(Error::new(ErrorKind::Internal, OPERATION, what)
                    .with("said", &self.schema)
                    .with("rows", batch.schema_ref()));
            }
            if batch.num_rows() > 0 {
                self.ready.push_back(batch);
            }
        }
        Ok(())
    }
}

/// Runs the query on a thread of its own. When nobody listens any more, it ends at its next frame.
fn start(frame: LazyFrame) -> Result<Receiver<Word>> {
    let (sender, receiver) = channel(0);
    let run = move || {
        let outcome = run(frame, sender.clone());
        // If nobody listens, nobody wants to know.
        let _ = block_on({ sender }.send(Word::End(outcome)));
    };
    let thread = thread::Builder::new().name("mlops-polars".to_owned());
    thread.spawn(run).map_err(|error| {
        Error::unavailable(OPERATION, "a thread for the query could not be started")
            .with_source(error)
    })?;
    Ok(receiver)
}

fn run(frame: LazyFrame, sender: Sender<Word>) -> PolarsResult<()> {
    let hand_over = PlanCallback::new(move |rows| {
        // True stops the query.
        Ok(block_on(sender.clone().send(Word::Rows(rows))).is_err())
    });
    let in_order = true;
    let query = frame.sink_batches(hand_over, in_order, None)?;
    query.collect_with_engine(Engine::Streaming).map(drop)
}

// Here, because the other tests of streams are in a process that needs much memory for other things.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use polars::df;
    use polars::prelude::{IntoLazy, UnionArgs, col, concat, lit};

    use super::*;

    /// The most memory that this process had, in bytes.
    fn peak() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel's");
        let kibibytes = line.split_whitespace().nth(1).expect("a number");
        kibibytes.parse::<usize>().expect("a number") * 1024
    }

    #[test]
    fn memory_does_not_grow_with_the_rows() {
        // 40 million rows of two columns, 640 MB if they were there at once.
        let part = df!("n" => (0..500_000_i64).collect::<Vec<_>>()).unwrap().lazy();
        let query = concat(vec![part; 80], UnionArgs::default())
            .unwrap()
            .with_column((col("n") + lit(1)).alias("next"));
        let (_, mut batches) = stream(query).unwrap();
        let before = peak();
        let mut rows = 0;
        while let Some(batch) = block_on(batches.next()) {
            rows += batch.unwrap().num_rows();
        }
        assert_eq!(rows, 40_000_000);
        let grown = peak().saturating_sub(before);
        assert!(grown < 256 << 20, "{} MiB more", grown >> 20);
    }
}
