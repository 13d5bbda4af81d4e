//! Files by URL: what there is, what it holds, and the parts of it that are to be read.
//!
//! Everything here is about bytes and their decoding, nothing about checks. A file is opened by its
//! end (a Parquet footer) or its beginning (the first lines of text); its values are read in parts, and
//! of a Parquet file only the columns that somebody asks for. Reading is asynchronous and does no work;
//! decoding is work and does no reading: who drives both decides on which thread each happens.

pub(crate) mod dictionary;
mod encodings;
mod error;
pub(crate) mod facts;
mod footer;
mod group;
mod open;
mod sparse;
mod stores;
mod table;
mod text;

pub(crate) use self::encodings::Encodings;
pub(crate) use self::error::of_store;
pub(crate) use self::footer::ParquetFile;
pub(crate) use self::group::Group;
pub(crate) use self::open::open;
pub(crate) use self::stores::{Place, Stores, shown};
pub(crate) use self::table::{Part, Table};
pub(crate) use self::text::{TextDecoder, TextFile};
