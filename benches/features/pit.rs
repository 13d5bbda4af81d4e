//! The point-in-time join: a million rows that ask, ten features, a week of ttl.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::sum;
use arrow::datatypes::Float64Type;
use futures::executor::block_on;
use mlops::features::{EntityRows, FeatureStore, Historical, Span};
use serde_json::json;

use crate::Sizes;
use crate::harness::{peak_mb, round, timed};
use crate::line::line;
use crate::oracle::verify;
use crate::store::{Store, table, view};

pub(crate) const FEATURES: u64 = 10;
pub(crate) const TTL: Span = Span::days(7);

/// What Polars' join of the same files has, where rows of equal times are sorted by `created`: feature rows,
/// entity rows, nulls, the sum of `f0`.
const ANSWERS: [(u64, u64, usize, f64); 6] = [
    (1_000_000, 10_000, 1_105, 4_479.946),
    (1_000_000, 100_000, 10_989, 44_580.841),
    (1_000_000, 1_000_000, 111_916, 444_051.3),
    (10_000_000, 10_000, 0, 4_992.7),
    (10_000_000, 100_000, 0, 49_958.41),
    (10_000_000, 1_000_000, 0, 499_643.037),
];

/// CPU seconds that are to be reached.
const AIMS: [(&str, u64, u64, f64); 6] = [
    ("foreign", 1_000_000, 1_000_000, 1.9),
    ("foreign", 10_000_000, 1_000_000, 8.0),
    ("foreign", 10_000_000, 10_000, 2.7),
    ("own", 1_000_000, 1_000_000, 1.9),
    ("own", 10_000_000, 1_000_000, 8.0),
    ("own", 10_000_000, 10_000, 1.0),
];

/// The join over the file itself (`foreign`), or over the segments that `append` made of it (`own`).
pub(crate) fn pit(from: &str, rows: u64, entities: u64, sizes: &Sizes) {
    let source = sizes.dir.join(format!("features_{rows}.parquet"));
    let asked = sizes.dir.join(format!("entities_{entities}.parquet"));
    let (name, defined) = match from {
        "foreign" => {
            let url = source.to_str().unwrap();
            (
                format!("foreign_{rows}_{entities}"),
                view("driver_stats", FEATURES, TTL).from_files([url]),
            )
        }
        _ => (own(rows), view("driver_stats", FEATURES, TTL)),
    };
    let store = block_on(Store::open(&name, "embedded", defined, sizes));
    let (cost, answer) = timed(|| {
        let rows = EntityRows::new(table(&asked)).at("event_timestamp");
        let options = Historical::default().threads(1);
        block_on(store.features.historical(&store.service, rows, options)).unwrap().batch
    });
    let peak = peak_mb();
    let (nulls, f0_sum) = checked(rows, entities, &answer);
    if sizes.verify {
        verify(&source, &answer, FEATURES as usize, TTL.micros());
    }
    let aim = AIMS.iter().find(|aim| (aim.0, aim.1, aim.2) == (from, rows, entities));
    let engine = if from == "foreign" { "a Parquet file" } else { "its own segments" };
    line(
        "pit",
        engine,
        json!({
            "feature_rows": rows,
            "entity_rows": entities,
            "features": FEATURES,
            "cpu_s": round(cost.cpu, 4),
            "wall_s": round(cost.wall, 4),
            "entity_rows_per_cpu_s": (entities as f64 / cost.cpu) as u64,
            "peak_rss_mib": peak as u64,
            "out_rows": answer.num_rows(),
            "nulls": nulls,
            "f0_sum": f0_sum,
            "aim": aim.map(|aim| aim.3),
            "aim_rss_mib": 1024,
        }),
    );
}

/// The workspace with the rows of a file appended to it.
pub(crate) fn own(rows: u64) -> String {
    format!("own_{rows}")
}

fn checked(rows: u64, entities: u64, answer: &RecordBatch) -> (usize, f64) {
    let f0 = answer.column_by_name("f0").unwrap();
    let found = (f0.null_count(), sum(f0.as_primitive::<Float64Type>()).unwrap_or(0.0));
    assert_eq!(answer.num_rows() as u64, entities);
    if let Some(other) = ANSWERS.iter().find(|other| (other.0, other.1) == (rows, entities)) {
        assert_eq!(found.0, other.2, "nulls of {rows} x {entities}");
        // It was printed with three digits.
        assert!((found.1 - other.3).abs() < 0.001, "{} is not {}", found.1, other.3);
    }
    (found.0, round(found.1, 3))
}
