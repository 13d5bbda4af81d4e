//! A table of orders, some of which are wrong: a pure function of the row's number, so that it is the
//! same wherever it is made.
//!
//! The values are those of the table that the figures in `docs/benchmarks.md` were first taken with, as
//! are the files' settings: Snappy, row groups of 131,072 rows, dictionaries for three short texts, one
//! entry of statistics a row group and no page index.

use std::fmt::Write as _;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde_json::json;

use crate::Sizes;

/// Rows of a row group, and of a batch in memory.
pub(crate) const GROUP_ROWS: u64 = 131_072;

/// Customers there are; their numbers begin with 1.
pub(crate) const CUSTOMERS: u64 = 100_000;

/// 2023-11-14, when the first order was made.
pub(crate) const FIRST_MICROS: i64 = 1_700_000_000_000_000;

/// Which statuses an order may have.
pub(crate) const STATUSES: [&str; 6] =
    ["new", "paid", "packed", "shipped", "delivered", "returned"];

const STATES: [&str; 50] = [
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS",
    "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY",
    "NC", "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV",
    "WI", "WY",
];

const DOMAINS: [&str; 6] =
    ["example.com", "mail.test.org", "corp.io", "uni.edu", "web.co.uk", "post.net"];

/// A row that has the number of another order.
const AGAIN: u64 = 500_000;

/// What is wrong: the name of a check, and how many rows of `rows` break it.
pub(crate) fn wrong(rows: u64) -> [(&'static str, u64); 12] {
    [
        ("nn_order_id", 0),
        ("nn_customer_id", 0),
        ("nn_sku", 2),
        ("uniq_order_id", if rows > AGAIN { 4 } else { 2 }),
        ("rng_quantity", 10),
        ("rng_price", 4),
        ("rng_discount", 6),
        ("set_status", 8),
        ("re_email", 7),
        ("cross_ship", 3),
        ("fk_customer", 5),
        ("sum_total", 0),
    ]
}

/// The columns of orders.
pub(crate) fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let columns = [
        ("order_id", DataType::Int64),
        ("customer_id", DataType::Int64),
        ("sku", DataType::Utf8),
        ("status", DataType::Utf8),
        ("email", DataType::Utf8),
        ("quantity", DataType::Int32),
        ("unit_price", DataType::Float64),
        ("discount", DataType::Float64),
        ("total", DataType::Float64),
        ("created_at", time.clone()),
        ("shipped_at", time),
        ("state", DataType::Utf8),
    ];
    Arc::new(Schema::new(columns.map(|(name, kind)| Field::new(name, kind, true)).to_vec()))
}

/// The table, a batch for each row group.
pub(crate) fn orders(rows: u64) -> Vec<RecordBatch> {
    assert!(rows >= 10_000, "what is wrong with the table is within the first rows");
    let schema = schema();
    groups(rows).map(|group| batch(&schema, group)).collect()
}

/// The table of the customers.
pub(crate) fn customers() -> RecordBatch {
    let numbers = Int64Array::from_iter_values(1..=CUSTOMERS as i64);
    let segments = Int32Array::from_iter_values((0..CUSTOMERS).map(|row| (row % 5) as i32));
    RecordBatch::try_from_iter([
        ("customer_id", Arc::new(numbers) as ArrayRef),
        ("segment", Arc::new(segments)),
    ])
    .unwrap()
}

/// What all totals come to.
pub(crate) fn sum(rows: u64) -> f64 {
    groups(rows).map(|group| group.map(total).sum::<f64>()).sum()
}

/// Writes the files that are not there yet.
pub(crate) fn files(sizes: &Sizes) {
    for rows in &sizes.rows {
        let (orders, truth) = paths(&sizes.dir, *rows);
        if truth.exists() {
            continue;
        }
        std::fs::create_dir_all(&sizes.dir).unwrap();
        let (schema, properties) = (schema(), Some(properties()));
        let mut writer =
            ArrowWriter::try_new(File::create(&orders).unwrap(), Arc::clone(&schema), properties)
                .unwrap();
        for group in groups(*rows) {
            writer.write(&batch(&schema, group)).unwrap();
            writer.flush().unwrap();
        }
        writer.close().unwrap();
        let customers = customers();
        let file = File::create(customers_path(&sizes.dir)).unwrap();
        let mut writer = ArrowWriter::try_new(file, customers.schema(), None).unwrap();
        writer.write(&customers).unwrap();
        writer.close().unwrap();
        let wrong: serde_json::Map<String, serde_json::Value> =
            wrong(*rows).map(|(check, rows)| (check.to_owned(), rows.into())).into_iter().collect();
        let text = json!({ "rows": rows, "sum_total": sum(*rows), "violations": wrong });
        std::fs::write(truth, text.to_string()).unwrap();
    }
}

/// The file of the orders, and the text that says what is wrong with them.
pub(crate) fn paths(dir: &Path, rows: u64) -> (PathBuf, PathBuf) {
    (dir.join(format!("orders_{rows}.parquet")), dir.join(format!("truth_{rows}.json")))
}

/// The file of the customers.
pub(crate) fn customers_path(dir: &Path) -> PathBuf {
    dir.join("customers.parquet")
}

fn properties() -> WriterProperties {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS as usize))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_dictionary_enabled(false);
    let short = ["sku", "status", "state"];
    let with = |properties: parquet::file::properties::WriterPropertiesBuilder, column: &str| {
        properties.set_column_dictionary_enabled(column.into(), true)
    };
    short.into_iter().fold(properties, with).build()
}

fn groups(rows: u64) -> impl Iterator<Item = Range<u64>> {
    (0..rows).step_by(GROUP_ROWS as usize).map(move |first| first..rows.min(first + GROUP_ROWS))
}

fn batch(schema: &SchemaRef, rows: Range<u64>) -> RecordBatch {
    let each = || rows.clone();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(each().map(order_id))),
        Arc::new(Int64Array::from_iter_values(each().map(customer_id))),
        Arc::new(texts(each(), 10, |row, text| {
            write!(text, "SKU-{:06}", hash(row, 11) % 50_000).unwrap();
            !(8000..8002).contains(&row)
        })),
        Arc::new(texts(each(), 9, |row, text| {
            let lost = (4000..4008).contains(&row);
            text.push_str(if lost { "lost" } else { STATUSES[(hash(row, 9) % 6) as usize] });
            true
        })),
        Arc::new(texts(each(), 26, email)),
        Arc::new(Int32Array::from_iter_values(each().map(|row| match row {
            1000..1010 => 0,
            _ => quantity(row),
        }))),
        Arc::new(Float64Array::from_iter_values(each().map(|row| match row {
            2000..2004 => -1.0,
            _ => price(row),
        }))),
        Arc::new(
            each()
                .map(|row| match row {
                    3000..3006 => Some(1.5),
                    _ => discount(row),
                })
                .collect::<Float64Array>(),
        ),
        Arc::new(Float64Array::from_iter_values(each().map(total))),
        Arc::new(TimestampMicrosecondArray::from_iter_values(each().map(created))),
        Arc::new(each().map(shipped).collect::<TimestampMicrosecondArray>()),
        Arc::new(StringArray::from_iter_values(
            each().map(|row| STATES[(hash(row, 10) % 50) as usize]),
        )),
    ];
    RecordBatch::try_new(Arc::clone(schema), columns).unwrap()
}

/// A column of texts of about so many bytes; `write` says whether there is one.
fn texts(rows: Range<u64>, bytes: usize, write: impl Fn(u64, &mut String) -> bool) -> StringArray {
    let count = (rows.end - rows.start) as usize;
    let mut column = StringBuilder::with_capacity(count, count * bytes);
    let mut text = String::new();
    for row in rows {
        text.clear();
        let there = write(row, &mut text);
        column.append_option(there.then_some(&text));
    }
    column.finish()
}

fn order_id(row: u64) -> i64 {
    let of = match row {
        9001 => 9000,
        AGAIN => 9100,
        _ => row,
    };
    ((of * 2_654_435_761) % (1 << 32)) as i64 + 1_000_000_000
}

fn customer_id(row: u64) -> i64 {
    let unknown = (7000..7005).contains(&row);
    (if unknown { CUSTOMERS + 1 + row } else { hash(row, 1) % CUSTOMERS + 1 }) as i64
}

fn email(row: u64, text: &mut String) -> bool {
    if (5000..5007).contains(&row) {
        text.push_str("not an email");
        return true;
    }
    let domain = DOMAINS[(hash(row, 13) % 6) as usize];
    write!(text, "u{}@{domain}", hash(row, 12) % (1 << 36)).unwrap();
    !hash(row, 14).is_multiple_of(50)
}

fn quantity(row: u64) -> i32 {
    (hash(row, 2) % 100) as i32 + 1
}

fn price(row: u64) -> f64 {
    rounded(0.01 + share(hash(row, 3)) * 9999.0, 100.0)
}

fn discount(row: u64) -> Option<f64> {
    let some = !hash(row, 5).is_multiple_of(20);
    some.then(|| rounded(share(hash(row, 4)) * 0.5, 1000.0))
}

/// What an order comes to; its price, quantity and discount are what they were before some were made wrong.
pub(crate) fn total(row: u64) -> f64 {
    let share = 1.0 - discount(row).unwrap_or(0.0);
    rounded(f64::from(quantity(row)) * price(row) * share, 100.0)
}

fn created(row: u64) -> i64 {
    FIRST_MICROS + row as i64 * 100_000 + (hash(row, 6) % 1000) as i64
}

fn shipped(row: u64) -> Option<i64> {
    if (6000..6003).contains(&row) {
        return Some(FIRST_MICROS - 1);
    }
    let some = !hash(row, 8).is_multiple_of(10);
    some.then(|| created(row) + (hash(row, 7) % (14 * 86_400)) as i64 * 1_000_000)
}

fn rounded(value: f64, to: f64) -> f64 {
    (value * to).round_ties_even() / to
}

/// Bits as a number in 0..1.
fn share(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// `splitmix64` of a row and a column's number.
fn hash(row: u64, salt: u64) -> u64 {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let z = row.wrapping_add(salt.wrapping_mul(GOLDEN)).wrapping_add(GOLDEN);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
