//! The join in the plainest words: for each row that asks, every row of its key is looked at.

use std::collections::HashMap;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};

use crate::store::batches;

/// Rows that are compared.
const SAMPLE: usize = 10_000;

/// A row that asks, and the best that was seen of it.
struct Asked {
    row: usize,
    time: i64,
    /// Event time, creation time and place; the values.
    best: Option<((i64, i64, u64), Vec<f64>)>,
}

/// Stops unless a sample of the answer is what the file says.
pub(crate) fn verify(source: &Path, answer: &RecordBatch, features: usize, ttl: i64) {
    let ids = answer.column_by_name("driver_id").unwrap().as_primitive::<Int64Type>();
    let times = answer.column_by_name("event_timestamp").unwrap();
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let mut asked: HashMap<i64, Vec<Asked>> = HashMap::new();
    for row in (0..answer.num_rows()).step_by((answer.num_rows() / SAMPLE).max(1)) {
        let mine = Asked { row, time: times.value(row), best: None };
        asked.entry(ids.value(row)).or_default().push(mine);
    }
    let mut place = 0;
    for batch in batches(source, 1 << 16) {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let instants =
            |name: &str| column(name).as_primitive::<TimestampMicrosecondType>().values().clone();
        let ids = column("driver_id").as_primitive::<Int64Type>().values();
        let (events, created) = (instants("event_timestamp"), instants("created"));
        let values: Vec<&[f64]> = (0..features)
            .map(|f| &column(&format!("f{f}")).as_primitive::<Float64Type>().values()[..])
            .collect();
        for row in 0..batch.num_rows() {
            place += 1;
            let order = (events[row], created[row], place);
            for mine in asked.get_mut(&ids[row]).into_iter().flatten() {
                let better = mine.best.as_ref().is_none_or(|best| best.0 < order);
                if events[row] <= mine.time && better {
                    mine.best = Some((order, values.iter().map(|v| v[row]).collect()));
                }
            }
        }
    }
    for mine in asked.values().flatten() {
        let best = mine.best.as_ref().filter(|best| mine.time - best.0.0 <= ttl);
        for feature in 0..features {
            let column = answer.column_by_name(&format!("f{feature}")).unwrap();
            let column = column.as_primitive::<Float64Type>();
            let found = column.is_valid(mine.row).then(|| column.value(mine.row));
            assert_eq!(found, best.map(|best| best.1[feature]), "row {}, f{feature}", mine.row);
        }
    }
}
