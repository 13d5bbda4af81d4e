//! Names and keys: parsed once, valid ever after.
//!
//! Bounds are in bytes of UTF-8. Control characters are refused everywhere: they make two names that
//! look alike, and break logs, terminals and CSV.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Longest name or key, in bytes.
pub const MAX_NAME_BYTES: usize = 250;
/// Longest artifact path, in bytes.
pub const MAX_PATH_BYTES: usize = 1_024;
/// Longest segment of an artifact path, in bytes: what common file systems take.
pub const MAX_SEGMENT_BYTES: usize = 255;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and keeps it.
            ///
            /// # Errors
            /// `Invalid`, saying which rule `text` breaks.
            pub fn new(text: impl AsRef<str>) -> Result<Self> {
                let text = text.as_ref();
                $check($what, text)?;
                Ok(Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name! {
    /// The key of a metric, param or tag: 1 to 250 bytes, not blank, no control characters.
    ///
    /// ```
    /// use mlops_core::Key;
    /// assert_eq!(Key::new("val/auc").unwrap().as_str(), "val/auc");
    /// let err = Key::new("").unwrap_err();
    /// assert_eq!(err.to_string(), "key: invalid: is empty; hint: give 1 to 250 bytes of text");
    /// ```
    Key, "key", check_name
}
name! {
    /// The name of an experiment: 1 to 250 bytes, not blank, no control characters.
    ExperimentName, "experiment_name", check_name
}
name! {
    /// The name of a run: 1 to 250 bytes, not blank, no control characters. Need not be unique.
    RunName, "run_name", check_name
}
name! {
    /// Where an artifact lies within its run: relative, `/` between segments, 1 to 1,024 bytes.
    ///
    /// Refused: absolute paths, drive letters, backslashes, empty, `.` and `..` segments, control
    /// characters. So a path can be joined to any directory and stays inside it.
    ///
    /// ```
    /// use mlops_core::ArtifactPath;
    /// assert!(ArtifactPath::new("plots/roc.png").is_ok());
    /// for bad in ["", "/etc/passwd", "a/../../b", "C:/x", "a\\b", "a//b", "a\0b"] {
    ///     assert!(ArtifactPath::new(bad).is_err(), "{bad:?}");
    /// }
    /// ```
    ArtifactPath, "artifact_path", check_path
}

name! {
    /// The name of a registered model: 1 to 250 bytes, one path segment.
    ///
    /// It stands in `models:/<name>/3`, in file names and in URLs. Refused: `/`, `\`, `:`, `@`, `?`,
    /// `#`, `%`, control characters, space at either end, and the names `.` and `..`.
    ///
    /// ```
    /// use mlops_core::ModelName;
    /// assert!(ModelName::new("churn").is_ok() && ModelName::new("flight delays (v2)").is_ok());
    /// for bad in ["", ".", "..", "a/b", "a:b", "a@champion", "a%2fb", "a?b", "a#b", "a\\b", " a"] {
    ///     assert!(ModelName::new(bad).is_err(), "{bad:?}");
    /// }
    /// ```
    ModelName, "model_name", check_model_name
}
name! {
    /// A free name for one version of a model, such as `champion`: as [`ModelName`], and neither
    /// `latest` nor a number (`3`, `v3`), which mean something else in a URI.
    ///
    /// ```
    /// use mlops_core::Alias;
    /// assert!(Alias::new("champion").is_ok());
    /// for bad in ["latest", "3", "v3", "V3", "a/b", ""] {
    ///     assert!(Alias::new(bad).is_err(), "{bad:?}");
    /// }
    /// ```
    Alias, "alias", check_alias
}

impl ArtifactPath {
    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Whether this path is `prefix` itself or lies in that directory; `""` holds everything.
    pub fn is_under(&self, prefix: &str) -> bool {
        let prefix = prefix.trim_end_matches('/');
        prefix.is_empty()
            || self
                .0
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn check_name(what: &'static str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(what, "is empty").with_hint("give 1 to 250 bytes of text"));
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(too_long(what, text, MAX_NAME_BYTES));
    }
    if text.trim().is_empty() {
        return Err(Error::invalid(what, "is blank").with_hint("give 1 to 250 bytes of text"));
    }
    check_control(what, text)
}

fn check_model_name(what: &'static str, text: &str) -> Result<()> {
    check_name(what, text)?;
    let invalid = |message: &'static str| {
        Err(Error::invalid(what, message)
            .with("text", text.escape_debug())
            .with_hint("give a plain name such as churn: it stands in URIs and in file names"))
    };
    if text.contains(['/', '\\', ':', '@', '?', '#', '%']) {
        return invalid("contains one of / \\ : @ ? # %");
    }
    if text != text.trim() {
        return invalid("starts or ends with space");
    }
    if text == "." || text == ".." {
        return invalid("is a step in a path, not a name");
    }
    Ok(())
}

fn check_alias(what: &'static str, text: &str) -> Result<()> {
    check_model_name(what, text)?;
    let digits = text.strip_prefix(['v', 'V']).unwrap_or(text);
    if text.eq_ignore_ascii_case("latest")
        || (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(Error::invalid(what, "means something else in a model's URI")
            .with("alias", text)
            .with_hint("give a word such as champion"));
    }
    Ok(())
}

fn check_path(what: &'static str, text: &str) -> Result<()> {
    let invalid = |message: &'static str| {
        Err(Error::invalid(what, message)
            .with("path", text.escape_debug())
            .with_hint("give a relative path such as plots/roc.png"))
    };
    if text.is_empty() {
        return invalid("is empty");
    }
    if text.len() > MAX_PATH_BYTES {
        return Err(too_long(what, text, MAX_PATH_BYTES));
    }
    check_control(what, text)?;
    if text.contains('\\') {
        return invalid("contains a backslash");
    }
    if text.starts_with('/') {
        return invalid("is absolute");
    }
    if text.len() >= 2 && text.as_bytes()[1] == b':' && text.as_bytes()[0].is_ascii_alphabetic() {
        return invalid("starts with a drive letter");
    }
    for segment in text.split('/') {
        match segment {
            "" => return invalid("has an empty segment"),
            "." | ".." => return invalid("has a segment `.` or `..`, which could climb out"),
            long if long.len() > MAX_SEGMENT_BYTES => {
                return Err(too_long(what, long, MAX_SEGMENT_BYTES));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_control(what: &'static str, text: &str) -> Result<()> {
    match text.char_indices().find(|(_, c)| c.is_control()) {
        None => Ok(()),
        Some((at, _)) => Err(Error::invalid(what, "contains a control character")
            .with("text", text.escape_debug())
            .with("byte", at)),
    }
}

fn too_long(what: &'static str, text: &str, bound: usize) -> Error {
    let mut head = text;
    if let Some((end, _)) = text.char_indices().nth(40) {
        head = &text[..end];
    }
    Error::invalid(what, "is too long")
        .with("bytes", text.len())
        .with("at_most", bound)
        .with("starts_with", head.escape_debug())
}
