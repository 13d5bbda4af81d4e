mod requests;
mod shelf;
mod views;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::Float64Type;
use futures::executor::block_on;
use mlops_core::features::{
    Boundary, FeatureName, FeatureType, KeyBatch, KeyType, OnlineRow, OnlineStore, RowStatus,
    Status, TableColumn, TableId, Visibility, WriteOrder,
};
use proptest::prelude::*;

use super::*;
use crate::codec::{PackedBatch, RowCodec};
use shelf::Shelf;

fn table(name: &str) -> TableId {
    TableId::new(&FeatureName::new(name).unwrap(), 1)
}

fn key(column: &str, data_type: KeyType) -> RequestKey {
    RequestKey { column: column.to_owned(), data_type }
}

fn column(name: &str, data_type: FeatureType) -> TableColumn {
    TableColumn { name: name.to_owned(), data_type }
}

/// A view of all columns of a table, its features called as the columns with a prefix.
fn view(
    name: &str,
    prefix: &str,
    keys: &[RequestKey],
    columns: &[TableColumn],
    visibility: Visibility,
) -> PreparedView {
    PreparedView {
        alias: format!("{prefix}{name}"),
        table: table(name),
        keys: keys.to_vec(),
        visibility,
        features: columns
            .iter()
            .map(|c| PreparedFeature {
                name: format!("{prefix}{}", c.name),
                data_type: c.data_type,
            })
            .collect(),
        kind: PreparedKind::Rows {
            codec: Arc::new(RowCodec::new(columns).unwrap()),
            columns: columns.iter().map(|c| c.name.clone()).collect(),
        },
    }
}

/// Writes rows of one batch, their orders and keys given, at `now`.
fn write(
    store: &Shelf,
    name: &str,
    keys: &KeyBatch,
    orders: &[WriteOrder],
    batch: &RecordBatch,
    now: i64,
) {
    let columns = batch.schema();
    let columns: Vec<_> = columns
        .fields()
        .iter()
        .map(|field| {
            let types = [FeatureType::Int, FeatureType::Float, FeatureType::String];
            let data_type = types.into_iter().find(|t| t.arrow() == *field.data_type()).unwrap();
            column(field.name(), data_type)
        })
        .collect();
    let mut packed = PackedBatch::new();
    let codec = RowCodec::new(&columns).unwrap();
    codec.encode_rows(batch, 0..batch.num_rows(), &mut packed).unwrap();
    let rows: Vec<_> = (0..batch.num_rows())
        .map(|row| OnlineRow {
            key: keys.get(row).unwrap(),
            order: orders[row],
            payload: packed.get(row).unwrap(),
            expires: None,
        })
        .collect();
    block_on(store.write(&table(name), &rows, now)).unwrap();
}

fn int_keys(values: impl IntoIterator<Item = i64>) -> KeyBatch {
    let mut keys = KeyBatch::new();
    for value in values {
        keys.int(value);
        keys.end(true).unwrap();
    }
    keys
}

fn floats(name: &str, values: Vec<Option<f64>>) -> RecordBatch {
    let array: ArrayRef = Arc::new(Float64Array::from(values));
    RecordBatch::try_from_iter_with_nullable([(name, array, true)]).unwrap()
}

/// Key, event time, created, value.
type Write = (i64, i64, Option<i64>, Option<i8>);

fn order_of(seq: usize, write: &Write) -> WriteOrder {
    WriteOrder {
        event_time: write.1,
        created: write.2.unwrap_or(WriteOrder::UNKNOWN),
        seq: seq as u64,
    }
}

/// The answer by its definition: all rows looked at.
fn brute(writes: &[Write], key: i64, t: i64, rule: Visibility) -> (RowStatus, Option<f64>) {
    let seen = writes.iter().enumerate().filter(|(_, write)| {
        write.0 == key
            && match rule.boundary {
                Boundary::Inclusive => write.1 <= t,
                Boundary::Strict => write.1 < t,
            }
    });
    match seen.max_by_key(|(seq, write)| order_of(*seq, write)) {
        None => (RowStatus::NotFound, None),
        Some((_, write)) if rule.ttl > 0 && write.1 < t - rule.ttl => (RowStatus::Expired, None),
        Some((_, write)) => (RowStatus::Found, write.3.map(f64::from)),
    }
}

proptest! {
    #[test]
    fn the_answer_is_that_of_all_rows_that_were_written(
        writes in proptest::collection::vec(
            (0_i64..4, 0_i64..10, proptest::option::of(0_i64..10), proptest::option::weighted(0.9, 0_i8..100)),
            0..30,
        ),
        swaps in proptest::collection::vec(any::<prop::sample::Index>(), 30),
        written in 0_i64..10,
        later in 0_i64..5,
        ttl in 0_i64..6,
        strict in any::<bool>(),
        elsewhere in any::<bool>(),
    ) {
        let boundary = if strict { Boundary::Strict } else { Boundary::Inclusive };
        let rule = Visibility { ttl, boundary };
        let store = Shelf { elsewhere, ..Shelf::default() };
        let mut arrival: Vec<usize> = (0..writes.len()).collect();
        for (at, other) in swaps.iter().enumerate().take(writes.len()) {
            arrival.swap(at, other.index(writes.len()));
        }
        let orders: Vec<_> = arrival.iter().map(|seq| order_of(*seq, &writes[*seq])).collect();
        let values = arrival.iter().map(|seq| writes[*seq].3.map(f64::from)).collect();
        let keys = int_keys(arrival.iter().map(|seq| writes[*seq].0));
        write(&store, "v", &keys, &orders, &floats("x", values), written);

        let columns = [column("x", FeatureType::Float)];
        let views = vec![view("v", "", &[key("id", KeyType::Int)], &columns, rule)];
        let service = Prepared::new(Arc::new(store), views).unwrap();
        let t = written + later;
        let asked: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5));
        let rows = RecordBatch::try_from_iter([("id", asked)]).unwrap();
        let answer = block_on(service.answer(&rows, t)).unwrap();
        let answered = answer.batch.column(0).as_primitive::<Float64Type>();
        let mut row = Row::new();
        for id in 0..5 {
            let (status, value) = brute(&writes, id, t, rule);
            let place = id as usize;
            prop_assert_eq!(answer.views[0][place], status);
            prop_assert_eq!(answered.is_valid(place).then(|| answered.value(place)), value);
            if !elsewhere {
                service.row(&[KeyValue::Int(id)], t, &mut row).unwrap();
                prop_assert_eq!(row.status(0), Status::of(status, value.is_none()));
                prop_assert_eq!(row.float(0), value);
            }
        }
    }
}
