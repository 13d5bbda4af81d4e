//! What a segment looks like: names of objects, columns, order of rows, how its Parquet is written.
//!
//! **Order.** By the key columns as they are (numbers as numbers, text and bytes byte by byte), then event
//! time, creation time with the unknown first, `seq`. So the rows of one key are one run, and the last
//! row of a run is its greatest write.
//!
//! **Parquet.** Pages of at most [`PAGE_ROWS`] rows, so that the few rows that answer are read without their
//! neighbours; a page index of keys and times, by which they are found. Row groups of
//! [`GROUP_ROWS`] rows: what a reader or writer holds in memory at once. Each column is tried on its
//! first rows: zstd only where it saves a quarter, a dictionary only where it saves as much. Noise, as
//! most floats are, then costs no more to read than a copy.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use mlops_core::SpoolId;
use mlops_core::features::{Table, TableId};
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{RowGroupMetaData, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

/// Most rows of a page.
const PAGE_ROWS: usize = 8_192;
/// Rows of a row group.
const GROUP_ROWS: usize = 262_144;
/// Most rows of a segment that an append writes.
pub(super) const SEGMENT_ROWS: usize = 4_194_304;
/// Segments below this are merged when there are many.
pub(super) const SMALL_BYTES: u64 = 1 << 20;
/// How many small segments there may be.
pub(super) const SMALL_SEGMENTS: usize = 32;

/// Rows on which columns are tried.
const TRIAL_ROWS: usize = 32_768;
/// Below this many rows nothing is worth a trial.
const TRIAL_LEAST: usize = 2_048;

/// The folder of a table, below the store's root; capitals are written `=a`, since disks that do not
/// tell them apart would put two tables into one folder.
pub(super) fn folder(table: &TableId) -> String {
    let mut folder = "tables/".to_owned();
    for c in table.chars() {
        if c.is_ascii_uppercase() {
            folder.push('=');
        }
        folder.push(c.to_ascii_lowercase());
    }
    folder
}

/// The name of a new segment, which nobody else gives: those of two writers at the same position must
/// differ, and so must those of two tries of one.
pub(super) fn segment_name(table: &TableId, position: u64, first_seq: u64, now: i64) -> String {
    let id = SpoolId::generate(now);
    format!("{}/{first_seq:020}-{position:012}-{id}.parquet", folder(table))
}

/// The first position that has this segment, as its name says.
pub(super) fn born(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.split('-').nth(1)?.parse().ok()
}

/// The folder of the manifests around a position.
pub(super) fn manifest_folder(table: &TableId, position: u64) -> String {
    format!("{}/manifests/{:012}", folder(table), position / 1_000)
}

/// The position of a manifest, as its name says.
pub(super) fn position_of(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.split('-').next()?.parse().ok()
}

/// An object below a root.
pub(super) fn below(root: &Path, path: &str) -> Path {
    root.parts().chain(path.split('/').map(Into::into)).collect()
}

/// The columns that are the store's own, after the keys.
pub(super) fn own_fields() -> [Field; 3] {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    [
        Field::new(Table::EVENT_TIME, time.clone(), false),
        Field::new(Table::CREATED, time, true),
        Field::new(Table::SEQ, DataType::UInt64, false),
    ]
}

/// The columns of a new segment: keys, the store's own, and values that are no keys.
pub(super) fn segment_schema(table: &Table) -> SchemaRef {
    let keys = table.keys.iter().map(|key| Field::new(&key.name, key.data_type.arrow(), false));
    let values = table.columns.iter().filter(|column| !is_key(table, &column.name));
    let values = values.map(|column| Field::new(&column.name, column.data_type.arrow(), true));
    let fields: Vec<_> = keys.chain(own_fields()).chain(values).collect();
    Arc::new(Schema::new(fields))
}

pub(super) fn is_key(table: &Table, column: &str) -> bool {
    table.keys.iter().any(|key| key.name == column)
}

/// How a segment is written whose first rows are `sample`, of `keys` key columns.
pub(super) fn properties(
    sample: &RecordBatch,
    keys: usize,
) -> Result<WriterProperties, ParquetError> {
    let mut builder =
        base(sample, keys).set_compression(Compression::UNCOMPRESSED).set_dictionary_enabled(false);
    if sample.num_rows() < TRIAL_LEAST {
        return Ok(builder.build());
    }
    let sample = sample.slice(0, sample.num_rows().min(TRIAL_ROWS));
    let dictionary = trial(&sample, keys, true)?;
    let plain = trial(&sample, keys, false)?;
    for (with, without) in dictionary.iter().zip(&plain) {
        // A dictionary must pay before compression: it makes reading cheaper, and compression dearer.
        let shorter = with.raw * 4 <= without.raw * 3;
        let best = if shorter { with } else { without };
        if shorter {
            builder = builder.set_column_dictionary_enabled(best.path.clone(), true);
        }
        if best.packed * 4 <= best.raw * 3 {
            builder = builder.set_column_compression(best.path.clone(), zstd()?);
        }
    }
    Ok(builder.build())
}

struct Tried {
    path: ColumnPath,
    raw: i64,
    packed: i64,
}

/// Writes the sample and looks how long its columns are.
fn trial(sample: &RecordBatch, keys: usize, dictionary: bool) -> Result<Vec<Tried>, ParquetError> {
    let properties =
        base(sample, keys).set_compression(zstd()?).set_dictionary_enabled(dictionary).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), sample.schema(), Some(properties))?;
    writer.write(sample)?;
    let metadata = writer.close()?;
    let columns = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    let tried = columns.map(|column| Tried {
        path: column.column_path().clone(),
        raw: column.uncompressed_size(),
        packed: column.compressed_size(),
    });
    Ok(tried.collect())
}

fn zstd() -> Result<Compression, ParquetError> {
    Ok(Compression::ZSTD(ZstdLevel::try_new(1)?))
}

fn base(sample: &RecordBatch, keys: usize) -> WriterPropertiesBuilder {
    let mut builder = WriterProperties::builder()
        .set_created_by("mlops".to_owned())
        .set_encoding(Encoding::PLAIN)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_sorting_columns(Some(
            (0..keys + 3)
                .map(|at| SortingColumn {
                    column_idx: at as i32,
                    descending: false,
                    nulls_first: true,
                })
                .collect(),
        ));
    for field in sample.schema().fields().iter().take(keys + 3) {
        let path = ColumnPath::from(vec![field.name().clone()]);
        builder = builder.set_column_statistics_enabled(path, EnabledStatistics::Page);
    }
    builder
}
