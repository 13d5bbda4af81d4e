//! Secrets: read from the environment, here and nowhere else, by the names that people give.
//!
//! The library never looks there. What is read is wrapped at once, and prints nowhere.

use std::env::VarError;

use mlops::{Error, Result, Secret};

use crate::failure::COMMAND;
use crate::format;

/// The secret in an environment variable.
///
/// # Errors
/// `NotFound` if there is none, `Invalid` if it is no text.
pub(crate) fn variable(name: &str) -> Result<Secret<String>> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads secrets")]
    let value = std::env::var(name);
    let error = match value {
        Ok(value) => return Ok(Secret::new(value)),
        Err(VarError::NotPresent) => {
            Error::not_found(COMMAND, "no environment variable of this name")
        }
        Err(VarError::NotUnicode(_)) => Error::invalid(COMMAND, "the variable holds no text"),
    };
    Err(error.with("name", format::text(name, 80)))
}
