//! Rows of files: Parquet, or CSV whose columns get the types that they should have.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use mlops::arrow::array::RecordBatch;
use mlops::arrow::compute::concat_batches;
use mlops::arrow::csv::ReaderBuilder;
use mlops::arrow::csv::reader::Format;
use mlops::arrow::datatypes::{DataType, Field, Schema};
use mlops::arrow::error::ArrowError;
use mlops::feature_store::ServiceShape;
use mlops::feature_store::files::ParquetRows;
use mlops::features::{FeatureType, Table};
use mlops::{Error, Result};

use crate::failure::COMMAND;

/// Rows that types of CSV columns are taken from, where nobody says them.
const SAMPLED_ROWS: usize = 10_000;
/// Rows of a batch of CSV.
const BATCH_ROWS: usize = 64 * 1024;

/// The types of columns by their names.
pub(super) type Types = BTreeMap<String, DataType>;

/// The rows of a file, batch by batch.
pub(super) struct Rows {
    pub(super) batches: Box<dyn Iterator<Item = Result<RecordBatch>>>,
    /// How many there are, where the file says so.
    pub(super) of: Option<u64>,
}

/// The types that the columns of a view's rows should have.
pub(super) fn types_of(table: &Table) -> Types {
    let mut types = Types::new();
    types.extend(table.columns.iter().map(|c| (c.name.clone(), c.data_type.arrow())));
    types.extend(table.keys.iter().map(|key| (key.name.clone(), key.data_type.arrow())));
    for name in [Some(&table.event_time), table.created.as_ref()].into_iter().flatten() {
        types.insert(name.clone(), FeatureType::Timestamp.arrow());
    }
    types
}

/// Opens a file.
pub(super) fn open(file: &Path, types: &Types) -> Result<Rows> {
    let is_csv = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    if !is_csv {
        let rows = ParquetRows::open(file)?;
        return Ok(Rows { of: Some(rows.rows()), batches: Box::new(rows) });
    }
    let name = file.display().to_string();
    let unfit = |e: ArrowError| {
        Error::invalid(COMMAND, "the CSV file cannot be read").with("file", &name).with_source(e)
    };
    let format = Format::default().with_header(true);
    let (found, _) = format.infer_schema(reader(file)?, Some(SAMPLED_ROWS)).map_err(unfit)?;
    let fields: Vec<Field> = found.fields().iter().map(|field| typed(field, types)).collect();
    if fields.is_empty() {
        return Err(Error::invalid(COMMAND, "the CSV file has no columns")
            .with("file", &name)
            .with_hint("it begins with a line of column names"));
    }
    let builder = ReaderBuilder::new(Arc::new(Schema::new(fields)))
        .with_format(format)
        .with_batch_size(BATCH_ROWS);
    let batches = builder.build(reader(file)?).map_err(unfit)?.map(move |batch| {
        batch.map_err(|e| {
            Error::invalid(COMMAND, "the CSV file cannot be read")
                .with("file", &name)
                .with_source(e)
        })
    });
    Ok(Rows { of: None, batches: Box::new(batches) })
}

/// All rows of a file as one batch.
pub(super) fn whole(file: &Path, types: &Types) -> Result<RecordBatch> {
    let batches = open(file, types)?.batches.collect::<Result<Vec<_>>>()?;
    let Some(first) = batches.first() else {
        return Err(Error::invalid(COMMAND, "the file has no rows").with("file", file.display()));
    };
    joined(&first.schema(), &batches)
}

/// The rows that ask a service, with their instants in the column `at`.
pub(super) fn rows_that_ask(file: &Path, shape: &ServiceShape, at: &str) -> Result<RecordBatch> {
    let mut types = Types::new();
    types.extend(shape.request.iter().map(|f| (f.name.clone(), f.data_type.arrow())));
    types.extend(shape.keys.iter().map(|key| (key.name.clone(), key.data_type.arrow())));
    types.insert(at.to_owned(), FeatureType::Timestamp.arrow());
    whole(file, &types)
}

/// Batches of one schema as one.
pub(super) fn joined(schema: &Arc<Schema>, batches: &[RecordBatch]) -> Result<RecordBatch> {
    concat_batches(schema, batches)
        .map_err(|e| Error::invalid(COMMAND, "the rows do not fit in one batch").with_source(e))
}

fn reader(file: &Path) -> Result<BufReader<File>> {
    let error = match std::fs::metadata(file) {
        // Opening a pipe would wait for somebody to write to it.
        Ok(found) if !found.is_file() => Error::invalid(COMMAND, "is no file"),
        _ => match File::open(file) {
            Ok(opened) => return Ok(BufReader::new(opened)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                Error::not_found(COMMAND, "there is no such file")
            }
            Err(e) => Error::invalid(COMMAND, "the file cannot be read").with_source(e),
        },
    };
    Err(error.with("file", file.display()))
}

/// The type that a column should have, if it is one of text; a column of nothing yet is text.
fn typed(field: &Field, types: &Types) -> Field {
    let wanted = types.get(field.name()).filter(|wanted| {
        // What CSV has no form for stays what it looks like, and is judged by the store.
        !matches!(wanted, DataType::Binary | DataType::List(_))
    });
    let data_type = match (wanted, field.data_type()) {
        // The reader knows zones by their offset alone.
        (Some(DataType::Timestamp(unit, Some(_))), _) => {
            DataType::Timestamp(*unit, Some("+00:00".into()))
        }
        (Some(wanted), _) => wanted.clone(),
        (None, DataType::Null) => DataType::Utf8,
        (None, found) => found.clone(),
    };
    Field::new(field.name(), data_type, true)
}
