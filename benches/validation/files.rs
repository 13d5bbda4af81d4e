//! The suite over Parquet files, and what their footers say without it.

use std::fs::File;
use std::hint::black_box;

use mlops::validation::{Report, Status};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::Sizes;
use crate::data;
use crate::memory::scaled;
use crate::rounds::rounds;
use crate::suite::{engine, in_files, plan, provable, suite, threads, verify};

/// Rows of a batch that a reader makes.
const BATCH: usize = 8192;

/// The suite from files, and what it costs only to decode the columns that it looks at.
pub(crate) fn files(sizes: &Sizes) {
    data::files(sizes);
    for rows in &sizes.rows {
        let rows = *rows;
        let suite = suite(data::sum(rows));
        let columns = plan(&suite, rows).columns();

        let floor = rounds(sizes.rounds, || {
            let file = File::open(data::paths(&sizes.dir, rows).0).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            let mask = ProjectionMask::roots(reader.parquet_schema(), columns.iter().copied());
            let reader = reader.with_projection(mask).with_batch_size(BATCH).build().unwrap();
            for batch in reader {
                black_box(batch.unwrap());
            }
        });
        floor.figure("floor:decode", rows, json!({ "rows": rows, "columns": columns.len() }));

        let mut report = None;
        let one = rounds(sizes.rounds, || {
            let found = engine(&suite, in_files(&sizes.dir, rows, threads(1)));
            verify(&found, rows);
            report = Some(found);
        });
        let mut facts = read(&report.unwrap());
        facts["rows"] = rows.into();
        facts["threads"] = 1.into();
        facts["aim_s"] = (rows as f64 * 0.19e-6).into();
        one.figure("suite:files", rows, facts);
        let two = rounds(sizes.rounds, || {
            verify(&engine(&suite, in_files(&sizes.dir, rows, threads(2))), rows);
        });
        two.figure("suite:files:2_threads", rows, scaled(rows, &one, &two));
        let all = rounds(sizes.rounds, || {
            let mut options = threads(1);
            options.statistics = false;
            verify(&engine(&suite, in_files(&sizes.dir, rows, options)), rows);
        });
        let facts = json!({ "rows": rows, "threads": 1 });
        all.figure("suite:files:no_statistics", rows, facts);
    }
}

/// Eight checks that no value has to be read for.
pub(crate) fn footers(sizes: &Sizes) {
    data::files(sizes);
    for rows in &sizes.rows {
        let (rows, suite) = (*rows, provable(*rows));
        let mut report = None;
        let proved = rounds(sizes.rounds.max(20), || {
            let found = engine(&suite, in_files(&sizes.dir, rows, threads(1)));
            assert!(found.outcomes.iter().all(|o| o.status == Status::Passed), "{found:?}");
            report = Some(found);
        });
        let mut facts = read(&report.unwrap());
        assert_eq!(facts["bytes_read"], 0, "{facts}");
        facts["rows"] = rows.into();
        facts["aim_s"] = 0.002.into();
        proved.figure("footers", rows, facts);
        let by_values = rounds(sizes.rounds, || {
            let mut options = threads(1);
            options.statistics = false;
            let found = engine(&suite, in_files(&sizes.dir, rows, options));
            assert!(found.outcomes.iter().all(|o| o.status == Status::Passed), "{found:?}");
        });
        by_values.figure("footers:no_statistics", rows, json!({ "rows": rows }));
    }
}

/// How much of the files was read.
fn read(report: &Report) -> Value {
    let bytes = report.bytes.unwrap();
    json!({
        "bytes_total": bytes.total,
        "bytes_read": bytes.read,
        "bytes_decided_by_statistics": bytes.decided_by_statistics,
    })
}
