//! CPU seconds and peak memory of the join, on data like those of `benches/peers/features/common.py`.
//!
//! Run twice, `cargo test --release -p mlops-features --features redis --lib join::measure -- --ignored --nocapture`:
//! the first run writes the files into the directory for temporary files, the second finds them there, so that
//! its peak of memory is the join's.

use std::fs::File;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow::compute::{SortColumn, lexsort_to_indices, sum, take};
use arrow::datatypes::Float64Type;
use futures::executor::block_on;
use mlops_core::features::{
    Boundary, FeatureName, FeatureType, KeyType, Probe, RowStatus, Span, Table, TableId, TableKey,
    Visibility,
};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::{JoinFile, Layout, as_of_files};

const DAY: u64 = 86_400;
const KEYS: u64 = 100_000;
const START: i64 = 1_700_000_000_000_000;

struct Random(u64);

impl Random {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
}

fn features(rows: usize) -> RecordBatch {
    let mut r = Random(7);
    let (mut keys, mut times, mut created) = (vec![], vec![], vec![]);
    for row in 0..rows {
        if row % 20 == 19 {
            // A value that is given again, an hour later.
            keys.push(keys[row - 1]);
            times.push(times[row - 1]);
            created.push(created[row - 1] + 3_600_000_000_i64);
        } else {
            keys.push(r.below(KEYS) as i64);
            times.push(START + r.below(30 * DAY) as i64 * 1_000_000);
            created.push(times[row] + r.below(600) as i64 * 1_000_000);
        }
    }
    let time = |v: Vec<i64>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(v).with_timezone("UTC"))
    };
    let mut columns: Vec<(String, ArrayRef, bool)> = vec![
        ("driver_id".to_owned(), Arc::new(Int64Array::from(keys)), true),
        ("event_timestamp".to_owned(), time(times), true),
        ("created".to_owned(), time(created), true),
    ];
    for f in 0..10 {
        let values = (0..rows).map(|_| (r.next() >> 11) as f64 / (1_u64 << 53) as f64);
        columns.push((format!("f{f}"), Arc::new(Float64Array::from_iter_values(values)), true));
    }
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn sorted(batch: &RecordBatch) -> RecordBatch {
    let by = (0..3).map(|c| SortColumn { values: batch.column(c).clone(), options: None });
    let order = lexsort_to_indices(&by.collect::<Vec<_>>(), None).unwrap();
    let seq: ArrayRef =
        Arc::new(UInt64Array::from_iter_values(order.values().iter().map(|row| u64::from(*row))));
    let taken = |c: usize| take(batch.column(c), &order, None).unwrap();
    let names = ["driver_id", Table::EVENT_TIME, Table::CREATED];
    let mut columns: Vec<(String, ArrayRef, bool)> =
        (0..3).map(|c| (names[c].to_owned(), taken(c), false)).collect();
    columns.push((Table::SEQ.to_owned(), seq, false));
    columns.extend((0..10).map(|f| (format!("f{f}"), taken(f + 3), true)));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn write(path: &FilePath, batch: &RecordBatch, properties: WriterProperties) {
    let part = path.with_extension("part");
    let mut writer =
        ArrowWriter::try_new(File::create(&part).unwrap(), batch.schema(), Some(properties))
            .unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    std::fs::rename(part, path).unwrap();
}

fn prepare(directory: &FilePath, rows: usize) -> bool {
    let foreign = directory.join(format!("foreign_{rows}.parquet"));
    let segment = directory.join(format!("segment_{rows}.parquet"));
    if foreign.exists() && segment.exists() {
        return false;
    }
    let batch = features(rows);
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
    // As pyarrow writes by default.
    let properties = WriterProperties::builder()
        .set_compression(zstd)
        .set_max_row_group_row_count(Some(1 << 20))
        .set_data_page_row_count_limit(usize::MAX)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .build();
    write(&foreign, &batch, properties);
    let mut properties = WriterProperties::builder()
        .set_compression(zstd)
        .set_max_row_group_row_count(Some(1 << 20))
        .set_data_page_row_count_limit(8 << 10);
    for f in 0..10 {
        let column = ColumnPath::from(format!("f{f}"));
        properties = properties
            .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled(column, false);
    }
    for name in [Table::EVENT_TIME, Table::CREATED] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    write(&segment, &sorted(&batch), properties.build());
    true
}

fn asked(rows: usize) -> (ArrayRef, ArrayRef) {
    let mut r = Random(11);
    let keys = Int64Array::from_iter_values((0..rows).map(|_| r.below(KEYS) as i64));
    let times = (0..rows)
        .map(|_| START + 5 * DAY as i64 * 1_000_000 + r.below(25 * DAY * 1_000) as i64 * 1_000);
    let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
    (Arc::new(keys), Arc::new(times))
}

/// CPU seconds of this process, and its peak of memory in MiB.
fn usage() -> (f64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak = peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
    (ticks as f64 / 100.0, peak >> 10)
}

fn measure(directory: &FilePath, layout: Layout, rows: usize, ask: usize, threads: usize) {
    let name = match layout {
        Layout::Segment => "segment",
        Layout::Foreign => "foreign",
    };
    let path = directory.join(format!("{name}_{rows}.parquet"));
    let file = JoinFile {
        store: Arc::new(LocalFileSystem::new()),
        path: Path::from_absolute_path(&path).unwrap(),
        url: path.display().to_string(),
        bytes: None,
        layout,
        before_seq: None,
    };
    let key = TableKey { name: "driver_id".to_owned(), data_type: KeyType::Int };
    let view = FeatureName::new("v").unwrap();
    let mut table = Table::new(TableId::new(&view, 1), vec![key]);
    for f in 0..10 {
        table = table.with(format!("f{f}"), FeatureType::Float);
    }
    table.event_time = "event_timestamp".to_owned();
    table.created = Some("created".to_owned());
    let (keys, times) = asked(ask);
    let columns = (0..10).map(|f| format!("f{f}")).collect();
    let mut probe = Probe::new(vec![keys], times, columns);
    probe.visibility = Visibility::new(Span::days(7), Boundary::Inclusive);
    probe.threads = threads;
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let ((before, base), wall) = (usage(), Instant::now());
    let answer = block_on(as_of_files(&table, vec![file.clone()], &probe, 0)).unwrap();
    let (wall, (after, peak)) = (wall.elapsed().as_secs_f64(), usage());
    let total: f64 =
        answer.columns.iter().filter_map(|c| sum(c.as_primitive::<Float64Type>())).sum();
    let found = answer.rows.iter().filter(|row| **row == RowStatus::Found).count();
    drop(answer);
    probe.columns.clear();
    let first = usage().0;
    block_on(as_of_files(&table, vec![file], &probe, 0)).unwrap();
    let first = usage().0 - first;
    println!(
        "{{\"file\":\"{name}\",\"rows\":{rows},\"asked\":{ask},\"threads\":{threads},\
         \"cpu_s\":{:.2},\"first_pass_cpu_s\":{first:.2},\"wall_s\":{wall:.2},\
         \"peak_mib\":{peak},\"base_mib\":{base},\"found\":{found},\"sum\":{total:.6}}}",
        after - before,
    );
}

#[test]
#[ignore = "writes 2 GB, and tells figures"]
fn figures() {
    let directory = std::env::temp_dir().join("mlops-join-figures");
    std::fs::create_dir_all(&directory).unwrap();
    let written = [1_000_000, 10_000_000].map(|rows| prepare(&directory, rows));
    if written.contains(&true) {
        println!("written; run again");
        return;
    }
    for layout in [Layout::Foreign, Layout::Segment] {
        for (rows, ask) in [
            (1_000_000, 10_000),
            (1_000_000, 1_000_000),
            (10_000_000, 10_000),
            (10_000_000, 1_000_000),
        ] {
            measure(&directory, layout, rows, ask, 1);
        }
        measure(&directory, layout, 10_000_000, 1_000_000, 2);
    }
}
