//! What Polars' errors mean here.

use std::io;

use mlops_core::{Error, ErrorKind};
use polars::prelude::PolarsError;

/// An error of Polars, as one of the library's.
pub(crate) fn of_polars(operation: &'static str, error: PolarsError) -> Error {
    let (kind, message) = match root(&error) {
        PolarsError::IO { error, .. } => match error.kind() {
            io::ErrorKind::NotFound => (ErrorKind::NotFound, "a file of the query is not there"),
            io::ErrorKind::PermissionDenied => {
                (ErrorKind::Denied, "a file of the query may not be read")
            }
            _ => (ErrorKind::Unavailable, "a file of the query could not be read"),
        },
        _ => (ErrorKind::Invalid, "polars could not carry it out"),
    };
    Error::new(kind, operation, message).with_source(error)
}

/// The error without what was said around it.
fn root(error: &PolarsError) -> &PolarsError {
    match error {
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => root(error),
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_not_found_however_deep_it_is_wrapped() {
        let missing = PolarsError::from(io::Error::from(io::ErrorKind::NotFound));
        let wrapped = PolarsError::Context { error: Box::new(missing), msg: "scan".into() };
        assert_eq!(of_polars("polars.read", wrapped).kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_query_that_cannot_be_carried_out_is_invalid_and_keeps_its_reason() {
        let error = of_polars("polars.read", PolarsError::ColumnNotFound("price".into()));
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert!(source.is_some_and(|source| source.contains("price")));
    }
}
