//! Packed rows: what an online store keeps of one row's values, for the materializer that writes them and
//! the requests that read them.
//!
//! A row is bytes, all numbers little endian:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version of this layout, [`ROW_VERSION`] |
//! | 7 | fingerprint of the table's column list: names, types and order |
//! | ⌈columns ÷ 8⌉ | one bit a column, set where there is a value |
//! | 8, 4 or 1 a column | values of fixed width, in the order of the columns; zeros for null |
//! | 4 a column | for each column of text, bytes or vectors, where its value ends, counted from the next part |
//! | the rest | text, bytes and vectors, one after the other |
//!
//! So where a value of fixed width stands is known before a row is seen, and reading ten of them is ten
//! loads.
//!
//! The non-obvious decision: a row does not describe itself. Names or ids of columns in each row would
//! be a third of ten doubles. A table whose columns change keeps its rows, so the fingerprint says by which
//! list a row was packed, and [`RowCodec::reading`] gives a codec the lists of the view's other versions,
//! which the catalog has. Columns that a row's list lacks are null. A row of a list that
//! the codec does not know is an error and never a wrong value: another process applied a newer
//! version, so load the definitions and prepare again.
//!
//! What it does not do: checksums (the store that keeps the bytes has them) and compression.

mod column;
mod decode;
mod encode;
mod layout;
mod row;

pub use self::column::{Column, Value};
pub use self::decode::{Payloads, Projection};
pub use self::encode::PackedBatch;
pub use self::layout::ROW_VERSION;
pub use self::row::RowCodec;

#[cfg(test)]
mod tests;
