//! CSV and JSON lines.
//!
//! Text has no types: they are taken from the first [`SAMPLED_ROWS`] rows of the first file, or from a
//! schema that the caller gives. A later value that is not of its column's type is an error that names
//! the line, not a failed check: a suite cannot be compiled for types that change midway. An empty
//! field of a CSV file is null, and so is a field that a JSON object does not have.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::reader::Format as CsvFormat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use mlops_core::validation::FileFormat;
use mlops_core::{Error, ErrorKind, Result};
use object_store::ObjectStoreExt;

use super::error::of_store;
use super::group::{widen, widened};
use super::stores::Place;

/// Rows that types are taken from.
pub(crate) const SAMPLED_ROWS: usize = 10_000;
/// Bytes that are read at once.
const READ_BYTES: u64 = 4 << 20;

/// A file of text.
#[derive(Debug, Clone)]
pub(crate) struct TextFile {
    pub(crate) place: Place,
    pub(crate) bytes: u64,
    pub(crate) format: FileFormat,
}

impl TextFile {
    /// Its bytes from the beginning, some at a time.
    pub(crate) fn read(&self) -> BoxStream<'static, Result<Bytes>> {
        let file = self.clone();
        stream::try_unfold(0, move |start| {
            let file = file.clone();
            async move {
                let end = file.bytes.min(start + READ_BYTES);
                if start == end {
                    return Ok(None);
                }
                let got = file.place.store.get_range(&file.place.path, start..end).await;
                let got = got.map_err(|error| of_store(&file.place.url, error))?;
                if got.len() as u64 != end - start {
                    return Err(Error::corrupt("validate.files", "the file became shorter")
                        .with("file", &file.place.url));
                }
                Ok(Some((got, end)))
            }
        })
        .boxed()
    }

    /// Its schema, as far as its first rows tell.
    pub(crate) async fn infer(&self) -> Result<SchemaRef> {
        let mut head = Head::new(self.format);
        let mut bytes = self.read();
        while let Some(part) = bytes.next().await {
            if head.push(&part?) {
                break;
            }
        }
        let url = &self.place.url;
        let schema = match self.format {
            FileFormat::Csv => CsvFormat::default()
                .with_header(true)
                .infer_schema(Cursor::new(head.whole_rows()), Some(SAMPLED_ROWS))
                .map(|(schema, _)| schema),
            _ => arrow::json::reader::infer_json_schema(
                Cursor::new(head.whole_rows()),
                Some(SAMPLED_ROWS),
            )
            .map(|(schema, _)| schema),
        };
        let schema = schema.map_err(|source| unfit(url, source))?;
        if schema.fields().is_empty() {
            return Err(Error::invalid("validate.files", "the file has no columns")
                .with("file", url)
                .with_hint("a CSV file begins with a line of column names"));
        }
        // A column of nothing yet may be of any type; text takes all.
        let fields: Vec<Field> = schema.fields().iter().map(|field| typed(field)).collect();
        Ok(Arc::new(Schema::new(fields)))
    }
}

/// A field with text where nothing is known.
fn typed(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Null => DataType::Utf8,
        DataType::List(item) => DataType::List(Arc::new(typed(item))),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| Arc::new(typed(field))).collect())
        }
        other => other.clone(),
    };
    Field::new(field.name(), data_type, true)
}

/// The beginning of a file, until it has enough rows.
struct Head {
    bytes: Vec<u8>,
    quotes: bool,
    in_quotes: bool,
    rows: usize,
    /// Where the last whole row ends.
    end: usize,
    full: bool,
}

impl Head {
    fn new(format: FileFormat) -> Self {
        let quotes = format == FileFormat::Csv;
        Self { bytes: Vec::new(), quotes, in_quotes: false, rows: 0, end: 0, full: false }
    }

    /// Takes in more; true if it is enough.
    fn push(&mut self, part: &[u8]) -> bool {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(part);
        for (at, byte) in part.iter().enumerate() {
            match byte {
                b'"' if self.quotes => self.in_quotes = !self.in_quotes,
                b'\n' if !self.in_quotes => {
                    self.rows += 1;
                    self.end = before + at + 1;
                    // One for the header.
                    if self.rows > SAMPLED_ROWS {
                        self.full = true;
                        return true;
                    }
                }
                _ => {}
            }
        }
        false
    }

    /// All of a short file, or the whole rows of a long one.
    fn whole_rows(&self) -> &[u8] {
        if self.full { &self.bytes[..self.end] } else { &self.bytes }
    }
}

/// Makes batches of the bytes of one file. They may be cut anywhere.
#[derive(Debug)]
pub(crate) struct TextDecoder {
    url: String,
    decoder: Decoder,
    schema: SchemaRef,
    columns: Vec<usize>,
}

#[derive(Debug)]
enum Decoder {
    Csv(Box<arrow::csv::reader::Decoder>),
    Json(Box<arrow::json::reader::Decoder>),
}

impl TextDecoder {
    /// Of the `wanted` columns of a file of this schema; the others come as nulls.
    pub(crate) fn new(
        file: &TextFile,
        schema: &SchemaRef,
        wanted: &[bool],
        batch_rows: usize,
    ) -> Result<Self> {
        let columns: Vec<usize> = (0..wanted.len()).filter(|column| wanted[*column]).collect();
        let url = file.place.url.clone();
        let decoder = match file.format {
            FileFormat::Csv => {
                let builder = arrow::csv::ReaderBuilder::new(Arc::clone(schema))
                    .with_header(true)
                    .with_header_validation(true)
                    .with_batch_size(batch_rows)
                    .with_projection(columns.clone());
                Decoder::Csv(Box::new(builder.build_decoder()))
            }
            FileFormat::Json => {
                let projected = schema.project(&columns).map_err(|source| unfit(&url, source))?;
                let decoder = arrow::json::ReaderBuilder::new(Arc::new(projected))
                    .with_batch_size(batch_rows)
                    .build_decoder();
                Decoder::Json(Box::new(decoder.map_err(|source| unfit(&url, source))?))
            }
            other => {
                return Err(Error::new(ErrorKind::Internal, "validate.files", "no text format")
                    .with("format", format!("{other:?}")));
            }
        };
        Ok(Self { url, decoder, schema: widened(schema, &columns), columns })
    }

    /// The batches that are full with these bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while !bytes.is_empty() {
            let taken = match &mut self.decoder {
                Decoder::Csv(decoder) => decoder.decode(bytes),
                Decoder::Json(decoder) => decoder.decode(bytes),
            };
            let taken = taken.map_err(|source| unfit(&self.url, source))?;
            bytes = &bytes[taken..];
            // It stops before the end of what it is given when a batch is full.
            if !bytes.is_empty() {
                let before = batches.len();
                batches.extend(self.flush()?);
                if batches.len() == before && taken == 0 {
                    return Err(Error::new(
                        ErrorKind::Internal,
                        "validate.files",
                        "a decoder takes nothing",
                    ));
                }
            }
        }
        Ok(batches)
    }

    /// The last batches.
    pub(crate) fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        // The CSV decoder learns of the end by an empty buffer.
        if let Decoder::Csv(decoder) = &mut self.decoder {
            decoder.decode(&[]).map_err(|source| unfit(&self.url, source))?;
        }
        let mut batches = Vec::new();
        while let Some(batch) = self.flush()? {
            batches.push(batch);
        }
        Ok(batches)
    }

    fn flush(&mut self) -> Result<Option<RecordBatch>> {
        let flushed = match &mut self.decoder {
            Decoder::Csv(decoder) => decoder.flush(),
            Decoder::Json(decoder) => decoder.flush(),
        };
        match flushed.map_err(|source| unfit(&self.url, source))? {
            Some(batch) => widen(&self.schema, &self.columns, &batch).map(Some),
            None => Ok(None),
        }
    }
}

/// Text that does not fit its schema.
#[cold]
fn unfit(url: &str, source: ArrowError) -> Error {
    // What the reader says of the row itself may be what nobody may see, and has no bound.
    let text = source.to_string();
    let text = text.split(" Row data:").next().unwrap_or(&text);
    let said: String = text.chars().take(200).collect();
    let hint = if said.contains("parsing value") || said.contains("type") {
        "types are taken from the first 10,000 rows of the first file; \
         `Engine::with_schema` says them"
    } else {
        "text is UTF-8; CSV has a header and as many fields in every line, JSON one object a line"
    };
    let said = if said.contains("parsing value") {
        // "Error while parsing value 'x' as type 'Int64' for column 1 at line 3."
        said.split_once("as type")
            .map_or(said.clone(), |(_, rest)| format!("a value cannot be read as type{rest}"))
    } else {
        said
    };
    Error::invalid("validate.files", "the text cannot be read")
        .with("file", url)
        .with("reader", said.trim_end_matches('.'))
        .with_hint(hint)
}
