//! What an expression costs on one row, and on 8,192 rows beside a loop written by hand for the
//! same question. `cargo bench -p mlops-expr`; nanoseconds of the best of several rounds.

#![allow(clippy::print_stdout, reason = "the figures are the output")]
#![allow(clippy::unwrap_used, reason = "a bench stops at what it does not expect")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use mlops_expr::{Expr, Parameters};

fn table(rows: usize) -> RecordBatch {
    let n = rows as i64;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("created_at", Arc::new((0..n).map(Some).collect::<TimestampMicrosecondArray>())),
        (
            "shipped_at",
            Arc::new((0..n).map(|i| Some(i + i % 7 - 1)).collect::<TimestampMicrosecondArray>()),
        ),
        (
            "total",
            Arc::new(
                (0..n).map(|i| if i % 11 == 5 { None } else { Some(i) }).collect::<Int64Array>(),
            ),
        ),
        ("count", Arc::new((0..n).map(|i| Some(i as i32 % 100)).collect::<Int32Array>())),
        ("price", Arc::new((0..n).map(|i| Some(i as f64 / 8.0)).collect::<Float64Array>())),
        (
            "state",
            Arc::new(
                (0..n).map(|i| Some(["CA", "NY", "TX"][i as usize % 3])).collect::<StringArray>(),
            ),
        ),
        (
            "zip",
            Arc::new(
                (0..n).map(|i| Some(format!("{:05}", i * 13 % 100_000))).collect::<StringArray>(),
            ),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .unwrap()
}

/// Nanoseconds of a call: the best of many rounds.
fn best(mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut calls = 1_u32;
    f();
    while start.elapsed().as_millis() < 5 {
        f();
        calls += 1;
    }
    let round = |_| {
        let start = Instant::now();
        (0..calls).for_each(|_| f());
        start.elapsed().as_nanos() as f64 / f64::from(calls)
    };
    (0..40).map(round).fold(f64::INFINITY, f64::min)
}

/// What one would write for a single question.
fn by_hand<T: Copy>(a: &[T], b: &[T], out: &mut Vec<u64>, f: impl Fn(T, T) -> bool) {
    out.clear();
    for (a, b) in a.chunks(64).zip(b.chunks(64)) {
        let mut word = 0;
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            word |= u64::from(f(*a, *b)) << i;
        }
        out.push(word);
    }
}

fn main() {
    let (one, many) = (table(1), table(8192));
    println!("{:>10} {:>12} {:>10}", "1 row", "8,192 rows", "a row");
    for text in [
        "shipped_at >= created_at",
        "price > 0.5",
        "count between 5 and 50",
        "total > 5",
        "state = 'CA'",
        "state in ('CA', 'NY')",
        "zip like '9%'",
        "zip ~ '^9[0-9]{4}$'",
        "shipped_at >= created_at and (state <> 'CA' or zip like '9%') and total * 2 > 10",
        "total * 2 + count > price / 3",
        "case when total > 5 then price * 0.5 else 0 end",
        "lower(state) || '-' || zip",
    ] {
        let bound = text.parse::<Expr>().unwrap().bind(&one.schema(), &Parameters::new()).unwrap();
        let (mut yes, mut unknown) = (Vec::new(), Vec::new());
        let mut cost = |batch: &RecordBatch| {
            best(|| {
                if bound.is_condition() {
                    bound.truth(black_box(batch), &mut yes, &mut unknown).unwrap();
                    black_box(&yes);
                } else {
                    black_box(bound.eval(black_box(batch)).unwrap());
                }
            })
        };
        let (a, b) = (cost(&one), cost(&many));
        println!("{a:>7.0} ns {:>9.2} µs {:>7.2} ns  {text}", b / 1e3, b / 8192.0);
    }
    let time = |name: &str| {
        many.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>().values()
    };
    let (a, b) = (time("shipped_at"), time("created_at"));
    let mut out = Vec::new();
    let hand = best(|| {
        by_hand(black_box(a), black_box(b), &mut out, |a, b| a >= b);
        black_box(&out);
    });
    println!(
        "{:>23.2} µs {:>7.2} ns  by hand: shipped_at >= created_at",
        hand / 1e3,
        hand / 8192.0
    );
    let price = many.column_by_name("price").unwrap().as_primitive::<Float64Type>().values();
    let half = vec![0.5; 8192];
    let hand = best(|| {
        by_hand(black_box(price), black_box(&half), &mut out, |a, b| a > b);
        black_box(&out);
    });
    println!("{:>23.2} µs {:>7.2} ns  by hand: price > 0.5", hand / 1e3, hand / 8192.0);
    let sum = best(|| {
        let sum = black_box(a).iter().zip(black_box(b)).fold(0_i64, |sum, (a, b)| sum ^ a ^ b);
        black_box(sum);
    });
    println!("{:>23.2} µs {:>7.2} ns  reading both columns", sum / 1e3, sum / 8192.0);
}
