//! Buffers live as long as anyone needs them, and are given back once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, AsArray, BinaryViewArray, Int64Array, RecordBatch, StringViewArray};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::datatypes::Int64Type;
use mlops_polars::polars::df;
use mlops_polars::polars::prelude::{self as pl, NamedFrom};
use mlops_polars::{from_arrow, to_arrow};

/// Memory that says when it is given back.
struct Lent {
    bytes: Vec<u8>,
    returned: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.returned.fetch_add(1, Ordering::SeqCst);
    }
}

fn lent(bytes: Vec<u8>, returned: &Arc<AtomicUsize>) -> Buffer {
    let returned = Arc::clone(returned);
    Buffer::from(bytes::Bytes::from_owner(Lent { bytes, returned }))
}

#[test]
fn a_buffer_of_arrow_is_given_back_once_and_only_when_the_last_frame_is_gone() {
    let returned = Arc::new(AtomicUsize::new(0));
    // 64 numbers, so that whatever the allocator's alignment, the values are where they are.
    let bytes: Vec<u8> = (0..64_i64).flat_map(i64::to_le_bytes).collect();
    let numbers = lent(bytes, &returned);
    let text = lent(b"text that is longer than a view".to_vec(), &returned);
    let view = arrow::array::make_view(b"text that is longer than a view", 0, 0);
    let text = StringViewArray::try_new(vec![view; 64].into(), vec![text], None).unwrap();
    let numbers = Int64Array::new(ScalarBuffer::new(numbers, 0, 64), None);
    let numbers: ArrayRef = Arc::new(numbers);
    let text: ArrayRef = Arc::new(text);
    let batch = RecordBatch::try_from_iter([("n", numbers), ("t", text)]).unwrap();

    let frame = from_arrow(&[batch]).unwrap();
    let slice = frame.slice(10, 5);
    let again = to_arrow(&slice).unwrap();
    drop(frame);
    assert_eq!(returned.load(Ordering::SeqCst), 0, "the slice needs them");
    drop(slice);
    assert_eq!(returned.load(Ordering::SeqCst), 0, "the batches need them");
    assert_eq!(again[0].column(0).as_primitive::<Int64Type>().values()[..], [10, 11, 12, 13, 14]);
    assert_eq!(again[0].column(1).as_string_view().value(4), "text that is longer than a view");
    drop(again);
    assert_eq!(returned.load(Ordering::SeqCst), 2);
}

#[test]
fn a_buffer_of_polars_outlives_its_frame() {
    let batches = to_arrow(&df!("x" => [1_i64, 2, 3], "s" => ["a", "b", "c"]).unwrap()).unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values()[..], [1, 2, 3]);
    assert_eq!(batches[0].column(1).as_string_view().iter().flatten().collect::<String>(), "abc");
}

#[test]
fn nothing_is_left_behind_when_a_column_of_a_batch_is_refused() {
    let returned = Arc::new(AtomicUsize::new(0));
    let good = lent(vec![7; 64], &returned);
    let good: ArrayRef = Arc::new(Int64Array::new(ScalarBuffer::new(good, 0, 8), None));
    let ends = arrow::array::Int32Array::from(vec![8]);
    let bad = arrow::array::RunArray::try_new(&ends, &BinaryViewArray::from(vec![&b"x"[..]]));
    let bad: ArrayRef = Arc::new(bad.unwrap());
    let batch = RecordBatch::try_from_iter([("good", good), ("bad", bad)]).unwrap();
    from_arrow(&[batch]).unwrap_err();
    assert_eq!(returned.load(Ordering::SeqCst), 1);
}

#[test]
fn a_thousand_journeys_take_no_memory() {
    let zone = pl::TimeZone::opt_try_new(Some("Asia/Tokyo")).unwrap();
    let mut frame = df! {
        "n" => [Some(1_i64), None, Some(3)],
        "s" => [Some("long enough to have a buffer"), None, Some("c")],
        "b" => [true, false, true],
    }
    .unwrap();
    let cast = |name: &str, from: &str, to: &pl::DataType| {
        frame.column(from).unwrap().cast(to).unwrap().with_name(name.into())
    };
    let columns = [
        cast("when", "n", &pl::DataType::Datetime(pl::TimeUnit::Microseconds, zone)),
        pl::Series::new(
            "list".into(),
            vec![frame.column("s").unwrap().as_materialized_series().clone(); 3],
        )
        .into(),
        cast("kind", "s", &pl::DataType::from_categories(pl::Categories::global())),
    ];
    for column in columns {
        frame.with_column(column).unwrap();
    }
    let all = pl::StructChunked::from_columns("all".into(), 3, frame.columns()).unwrap();
    frame.with_column(pl::IntoSeries::into_series(all).into()).unwrap();
    let journey = || {
        let back = from_arrow(&to_arrow(&frame).unwrap()).unwrap();
        assert_eq!(back.shape(), (3, 7));
    };
    // What is made once and kept, such as the table of categories.
    journey();
    let info = allocation_counter::measure(|| (0..1000).for_each(|_| journey()));
    assert_eq!((info.count_current, info.bytes_current), (0, 0), "{info:?}");
}

#[test]
fn no_more_is_allocated_than_what_describes_the_buffers() {
    let bytes = |rows: i64| {
        let frame = df! {
            "n" => (0..rows).collect::<Vec<_>>(),
            "x" => (0..rows).map(|n| n as f64).collect::<Vec<_>>(),
            "s" => (0..rows).map(|n| format!("a text longer than a view {n}")).collect::<Vec<_>>(),
        };
        let frame = frame.unwrap();
        let mut batches = Vec::new();
        let there = allocation_counter::measure(|| batches = to_arrow(&frame).unwrap());
        let back = allocation_counter::measure(|| drop(from_arrow(&batches).unwrap()));
        (there.bytes_total, back.bytes_total)
    };
    // What is made once and kept.
    bytes(1);
    // Some hundred bytes for each buffer, of which text has more the longer it is.
    let (there, back) = bytes(100_000);
    assert!(there < 16 << 10 && back < 16 << 10, "{there} and {back} bytes for 5 MB");
}
