//! What a store says of files before they are read.

use mlops_core::time::Instant;

/// The files that a validation is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFacts {
    /// One for each, in the order they are read.
    pub files: Vec<FileFacts>,
}

/// What a store says of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Its URL.
    pub url: String,
    /// Its size, or nothing if it is not there.
    pub bytes: Option<u64>,
    /// When it was last written.
    pub modified: Option<Instant>,
    /// Why it cannot be read, if that is so.
    pub unreadable: Option<String>,
}
