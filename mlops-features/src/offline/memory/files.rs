//! Tables of files, read whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use mlops_core::features::{KeyBatch, Table};
use mlops_core::{Error, ErrorKind, Result};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use url::Url;

use super::append::column;
use super::rows::{Rows, ticks};
use crate::offline::coerce::{coerce_asked_keys, coerce_column};

const OPERATION: &str = "features.files";

/// All rows of these files, in their order.
pub(super) fn read(table: &Table, urls: &[String]) -> Result<Rows> {
    let mut parts = Vec::new();
    let mut first_seq = 0;
    for url in urls {
        for path in paths(url)? {
            for batch in batches(&path)? {
                let rows = rows(table, &batch, first_seq)?;
                first_seq += batch.num_rows() as u64;
                parts.push(rows);
            }
        }
    }
    Rows::concat(table, &parts.iter().collect::<Vec<_>>())
}

fn rows(table: &Table, batch: &RecordBatch, first_seq: u64) -> Result<Rows> {
    let rows = batch.num_rows();
    let keys = table.keys.iter().map(|key| column(table, batch, &key.name).cloned());
    let key_columns = coerce_asked_keys(&keys.collect::<Result<Vec<_>>>()?, &table.keys)?;
    let values = table.columns.iter().map(|wanted| {
        let found = column(table, batch, &wanted.name)?;
        Ok((wanted.name.clone(), coerce_column(found, wanted.data_type, &wanted.name)?))
    });
    Ok(Rows {
        keys: KeyBatch::from_columns(&key_columns, rows)?,
        key_columns,
        event_times: ticks(column(table, batch, &table.event_time)?, &table.event_time)?,
        created: match &table.created {
            Some(name) => ticks(column(table, batch, name)?, name)?,
            None => vec![None; rows],
        },
        seqs: (first_seq..).take(rows).collect(),
        columns: values.collect::<Result<_>>()?,
    })
}

fn batches(path: &Path) -> Result<Vec<RecordBatch>> {
    let file = File::open(path).map_err(|error| unread(path, error))?;
    let corrupt = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::corrupt(OPERATION, "is no whole Parquet file")
            .with("file", path.display())
            .with_source(error)
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build);
    let reader = reader.map_err(|error| corrupt(error.into()))?;
    reader.map(|batch| batch.map_err(|error| corrupt(error.into()))).collect()
}

/// The file of a URL or path, or those below a folder, by their names.
fn paths(url: &str) -> Result<Vec<PathBuf>> {
    let path = match Url::parse(url) {
        Ok(parsed) if parsed.scheme() == "file" => parsed.to_file_path().ok(),
        Ok(_) if url.contains("://") => None,
        _ => Some(PathBuf::from(url)),
    };
    let path = path.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, OPERATION, "the store in memory reads local files only")
            .with("url", url)
    })?;
    if !url.ends_with('/') {
        return Ok(vec![path]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| unread(&folder, error))? {
            let path = entry.map_err(|error| unread(&folder, error))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn unread(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, OPERATION, "a file cannot be read")
        .with("file", path.display())
        .with_source(error)
}
