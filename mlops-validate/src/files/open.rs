//! Opening files: which there are, what the store says of them, and what their ends say.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt, stream};
use mlops_core::validation::FileFormat;
use mlops_core::{Error, ErrorKind, Result};
use object_store::ObjectMeta;

use super::footer::ParquetFile;
use super::stores::{Place, Stores};
use super::table::{Part, Table, join};
use super::text::TextFile;
use crate::source::{FileFacts, SourceFacts};

/// Footers that are read at the same time.
const AT_ONCE: usize = 8;

/// Files that were looked for.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What the store says of each.
    pub(crate) source: SourceFacts,
    /// Those that can be read; nothing if none can.
    pub(crate) table: Option<Table>,
}

/// A file that can be read.
enum Found {
    Parquet(ParquetFile),
    Text(TextFile),
}

/// Opens files. Where `tolerant`, what is missing or unreadable is said in [`Opened::source`] and left
/// out of the table: a check asks about it.
///
/// `given` is the schema of text; without it, it is inferred.
///
/// # Errors
/// `Invalid`: no files are named, or they are of several schemas or formats. `NotFound`, `Corrupt`:
/// unless tolerant. `Unsupported`: a scheme or format. `Unavailable`: the store does not answer.
pub(crate) async fn open(
    stores: &Stores,
    urls: &[String],
    format: Option<FileFormat>,
    given: Option<&SchemaRef>,
    tolerant: bool,
) -> Result<Opened> {
    if urls.is_empty() {
        return Err(Error::invalid("validate.files", "no files are named"));
    }
    let mut found = Vec::new();
    for url in urls {
        let files = stores.place(url)?.files().await?;
        if files.is_empty() && !tolerant {
            return Err(
                Error::not_found("validate.files", "the folder has no files").with("file", url)
            );
        }
        found.extend(files);
    }
    let opened: Vec<(FileFacts, Option<Found>)> = stream::iter(found)
        .map(|(place, meta)| open_one(place, meta, format, tolerant))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let mut source = SourceFacts::default();
    let mut parts = Vec::new();
    for (facts, part) in opened {
        source.files.push(facts);
        parts.extend(part);
    }
    Ok(Opened { source, table: table(parts, given).await? })
}

async fn open_one(
    place: Place,
    meta: Option<ObjectMeta>,
    format: Option<FileFormat>,
    tolerant: bool,
) -> Result<(FileFacts, Option<Found>)> {
    let url = place.url.clone();
    let Some(meta) = meta else {
        if !tolerant {
            return Err(
                Error::not_found("validate.files", "there is no such file").with("file", url)
            );
        }
        let facts = FileFacts { url, bytes: None, modified: None, unreadable: None };
        return Ok((facts, None));
    };
    let mut facts = FileFacts {
        url,
        bytes: Some(meta.size),
        modified: Some(meta.last_modified),
        unreadable: None,
    };
    let opened = match format.map_or_else(|| format_of(&facts.url), Ok) {
        Ok(FileFormat::Parquet) => ParquetFile::open(place, meta.size).await.map(Found::Parquet),
        Ok(format @ (FileFormat::Csv | FileFormat::Json)) => {
            Ok(Found::Text(TextFile { place, bytes: meta.size, format }))
        }
        Ok(other) => Err(Error::new(
            ErrorKind::Unsupported,
            "validate.files",
            "files of this format cannot be read",
        )
        .with("format", format!("{other:?}"))),
        Err(error) => Err(error),
    };
    match opened {
        Ok(part) => Ok((facts, Some(part))),
        Err(error) if tolerant && error.kind() == ErrorKind::Corrupt => {
            facts.unreadable = Some(error.message().to_owned());
            Ok((facts, None))
        }
        Err(error) => Err(error),
    }
}

/// What a file holds, by its name.
fn format_of(url: &str) -> Result<FileFormat> {
    let path = url.split(['?', '#']).next().unwrap_or(url).to_ascii_lowercase();
    let unsupported =
        |message| Error::new(ErrorKind::Unsupported, "validate.files", message).with("file", url);
    match path.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("gz") => {
            Err(unsupported("compressed text cannot be read").with_hint("decompress it first"))
        }
        Some("parquet") => Ok(FileFormat::Parquet),
        Some("csv") => Ok(FileFormat::Csv),
        Some("json" | "jsonl" | "ndjson") => Ok(FileFormat::Json),
        _ => Err(unsupported("the name does not tell what the file holds")
            .with_hint(".parquet, .csv, .json, .jsonl and .ndjson do; or say the format")),
    }
}

/// The files as one table.
async fn table(parts: Vec<Found>, given: Option<&SchemaRef>) -> Result<Option<Table>> {
    let mut schema: Option<SchemaRef> = None;
    let mut joined = Vec::with_capacity(parts.len());
    let mut first_format = None;
    for part in parts {
        let format = match &part {
            Found::Parquet(_) => FileFormat::Parquet,
            Found::Text(file) => file.format,
        };
        if *first_format.get_or_insert(format) != format {
            return Err(Error::invalid("validate.files", "the files are of several formats")
                .with("first", format!("{first_format:?}"))
                .with("also", format!("{format:?}")));
        }
        match (part, &schema) {
            (Found::Parquet(file), None) => {
                schema = Some(Arc::clone(file.schema()));
                joined.push(Part::Parquet(Arc::new(file)));
            }
            (Found::Parquet(file), Some(known)) => {
                let (wider, file) = join(known, file)?;
                schema = Some(wider);
                joined.push(Part::Parquet(Arc::new(file)));
            }
            (Found::Text(file), known) => {
                if known.is_none() {
                    schema = Some(match given {
                        Some(given) => Arc::clone(given),
                        None => file.infer().await?,
                    });
                }
                joined.push(Part::Text(file));
            }
        }
    }
    Ok(schema.map(|schema| Table { schema, parts: joined }))
}
