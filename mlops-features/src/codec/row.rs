//! The codec of one table's rows.

use mlops_core::features::TableColumn;
use mlops_core::{Error, ErrorKind, Result};

use super::layout::{HEAD, Layout, ROW_VERSION};

/// Packs the values of a table's rows, and reads what it or a codec of another version of the view
/// packed.
///
/// ```
/// use std::sync::Arc;
/// use mlops_core::arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
/// use mlops_core::arrow::datatypes::Float64Type;
/// use mlops_core::features::{FeatureType, TableColumn};
/// use mlops_features::codec::{PackedBatch, Payloads, RowCodec};
///
/// let column = |name: &str, data_type| TableColumn { name: name.to_owned(), data_type };
/// let codec = RowCodec::new(&[column("wind", FeatureType::Float), column("sky", FeatureType::String)])?;
/// let batch = RecordBatch::try_from_iter_with_nullable([
///     ("sky", Arc::new(StringArray::from(vec!["clear", "rain"])) as ArrayRef, true),
///     ("wind", Arc::new(Float64Array::from(vec![Some(2.5), None])), true),
/// ]).unwrap();
/// let mut rows = PackedBatch::new();
/// codec.encode_rows(&batch, 0..2, &mut rows)?;
///
/// let wanted = codec.project(["wind"])?;
/// let mut payloads = Payloads::new();
/// for row in rows.iter() {
///     payloads.push(&codec, row)?;
/// }
/// let mut columns = wanted.columns();
/// wanted.decode(&payloads, &mut columns)?;
/// assert_eq!(columns[0].floats(), Some(&[2.5, 0.0][..]));
/// assert_eq!(columns[0].valid(), [true, false]);
/// # Ok::<(), mlops_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RowCodec {
    /// The list that rows are packed by, then those that can be read too. Never empty.
    pub(super) layouts: Vec<Layout>,
    /// Of all lists and their order, so that what one codec gathered is not read as another's.
    pub(super) id: u64,
}

impl RowCodec {
    /// A codec that packs rows of these columns.
    ///
    /// # Errors
    /// `Invalid` for two columns of one name; for more than 65,536.
    pub fn new(columns: &[TableColumn]) -> Result<Self> {
        let layout = Layout::new(columns)?;
        Ok(Self { id: layout.head, layouts: vec![layout] })
    }

    /// Reads rows too that were packed by this list: of another version of the view with the same table.
    ///
    /// # Errors
    /// `Invalid` if a column has another type, which no two versions with the same table have.
    pub fn reading(mut self, columns: &[TableColumn]) -> Result<Self> {
        let layout = Layout::new(columns)?;
        for column in columns {
            let mine = self.columns().iter().find(|mine| mine.name == column.name);
            if let Some(mine) = mine.filter(|mine| mine.data_type != column.data_type) {
                return Err(Error::invalid(
                    "features.codec",
                    "a column has another type than in another version of the table",
                )
                .with("column", &column.name)
                .with("type", mine.data_type)
                .with("other_type", column.data_type));
            }
        }
        if self.layouts.iter().all(|known| known.head != layout.head) {
            self.id = self.id.rotate_left(7) ^ layout.head;
            self.layouts.push(layout);
        }
        Ok(self)
    }

    /// The columns that rows are packed by.
    pub fn columns(&self) -> &[TableColumn] {
        &self.current().columns
    }

    pub(super) fn current(&self) -> &Layout {
        &self.layouts[0]
    }

    /// By which of the lists a row was packed, if it is whole.
    #[inline]
    pub(super) fn layout_of(&self, row: &[u8]) -> Result<usize> {
        let Some(head) = row.first_chunk::<HEAD>() else { return Err(unknown(row)) };
        let head = u64::from_le_bytes(*head);
        let known = if self.current().head == head {
            0
        } else {
            let other = self.layouts.iter().position(|layout| layout.head == head);
            other.ok_or_else(|| unknown(row))?
        };
        if self.layouts[known].fits(row) { Ok(known) } else { Err(corrupt("its length is wrong")) }
    }
}

#[cold]
fn unknown(row: &[u8]) -> Error {
    let unsupported =
        |message: &'static str| Error::new(ErrorKind::Unsupported, "features.codec", message);
    match row {
        [ROW_VERSION, rest @ ..] if rest.len() >= HEAD - 1 => {
            unsupported("a row was packed by a column list that is not known here")
                .with_hint("the view has another version: load the definitions and prepare again")
        }
        [version, ..] if *version > ROW_VERSION => {
            unsupported("a row was packed by a newer version").with("version", version)
        }
        _ => corrupt("it has no head"),
    }
}

#[cold]
pub(super) fn corrupt(problem: &'static str) -> Error {
    Error::corrupt("features.codec", "a packed row is damaged")
        .with("problem", problem)
        .with_hint("an online store is derived: drop the table and materialize it again")
}
