//! The one public error type of the library.
//!
//! A caller handles an error by its [`ErrorKind`]: each kind says what happened, what to do next and
//! whether a retry helps. Everything else (operation, context, hint, source) is for the person who
//! reads the message, and is not API. Backends keep private error enums and map them here, once.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// The result of every fallible function of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as coarse as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The named thing does not exist. A retry does not help until somebody makes it.
    NotFound,
    /// A thing of that name exists already. Use it, or choose another name.
    AlreadyExists,
    /// The state changed under the caller. Read again, decide again, then retry.
    Conflict,
    /// The input is wrong and nothing was stored. Correct it; a retry of the same call fails again.
    Invalid,
    /// The actor may not do this. Ask for the role, or for an approval.
    Denied,
    /// The store cannot answer now (busy, full, away). Nothing was lost; a retry later helps.
    Unavailable,
    /// Stored bytes are not what was written. Do not retry: restore from a backup.
    Corrupt,
    /// This backend cannot do that, or was not compiled in. Use another backend or feature.
    Unsupported,
    /// A bug in this library. Please report it with the message.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may succeed later without anything being corrected.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable)
    }

    /// The kind as one lower-case phrase, as it stands in messages and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal error",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error of any operation of this library; one word wide.
///
/// `Display` is one line and does not repeat the source:
///
/// ```
/// use mlops_core::{Error, ErrorKind};
///
/// let err = Error::new(ErrorKind::NotFound, "tracker.run", "no run has this id")
///     .with("run", "0191d2a0")
///     .with_hint("`mlops runs list` shows the runs of this store");
/// assert_eq!(err.kind(), ErrorKind::NotFound);
/// assert_eq!(
///     err.to_string(),
///     "tracker.run: not found: no run has this id (run: 0191d2a0); \
///      hint: `mlops runs list` shows the runs of this store",
/// );
/// assert_eq!(std::mem::size_of::<Error>(), std::mem::size_of::<usize>());
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: Cow<'static, str>,
    context: Vec<(&'static str, String)>,
    hint: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` in `operation` (`"tracker.search_runs"`), with a lower-case message.
    #[cold]
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            message: message.into(),
            context: Vec::new(),
            hint: None,
            source: None,
        }))
    }

    /// Shorthand for [`ErrorKind::Invalid`].
    #[cold]
    pub fn invalid(operation: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, operation, message)
    }

    /// Shorthand for [`ErrorKind::NotFound`].
    #[cold]
    pub fn not_found(operation: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::NotFound, operation, message)
    }

    /// Shorthand for [`ErrorKind::Corrupt`].
    #[cold]
    pub fn corrupt(operation: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Corrupt, operation, message)
    }

    /// Shorthand for [`ErrorKind::Unavailable`].
    #[cold]
    pub fn unavailable(operation: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, operation, message)
    }

    /// Adds a named value to the message, for the person who reads it. Never put a secret here.
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// Adds what to do about it.
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Keeps the error that caused this one; reached by [`StdError::source`].
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong, as coarse as a caller can act on it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, such as `tracker.search_runs`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The message without operation, kind and context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The named values of the message, in the order they were added.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether the same call may succeed later without anything being corrected.
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, operation, message, context, hint, .. } = &*self.0;
        write!(f, "{operation}: {kind}: {message}")?;
        for (i, (name, value)) in context.iter().enumerate() {
            let open = if i == 0 { " (" } else { ", " };
            write!(f, "{open}{name}: {value}")?;
        }
        if !context.is_empty() {
            f.write_str(")")?;
        }
        match hint {
            Some(hint) => write!(f, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, "\n  caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|s| s as _)
    }
}
